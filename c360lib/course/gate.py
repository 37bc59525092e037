"""What every lesson must be: its structure, and for an executed notebook, that it was executed and compared.

Each function gives sentences, one per fault; [] means that the gate is open.
"""

from __future__ import annotations

import ast
import itertools
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from c360lib.course.source import Cell, Lesson

SECTIONS = (
    "What you will do",
    "In production",
    "The story so far",
    "What you can now do",
    "Common mistakes",
    "Further reading",
)
CRITERIA = ("architecture", "identity", "consent", "quality", "production")
MOST_LINES = 6
LEAST_CHARTS, LEAST_EXERCISES, MOST_EXERCISES = 2, 3, 5
_HEADING = re.compile(r"^(#{1,6}) (.+)$", re.MULTILINE)
_LINE = re.compile(r"^\*\d+ minutes · .+ · you need: .+\*$", re.MULTILINE)
_LINK = re.compile(r"\]\(([^)#]+)(?:#[^)]*)?\)")
_TERM = re.compile(r"^> \*\*(.+?)\*\*: (.+(?:\n> (?!\*\*).+)*)$", re.MULTILINE)
_PART = re.compile(r"^## Part (?!one)\w+: .+$", re.MULTILINE)
_HUSHED = {"nbval-skip", "nbval-ignore-output", "nbval-raises-exception", "raises-exception", "skip-execution"}


# --- a lesson's source ------------------------------------------------------------------------------------------------
def structure(lesson: Lesson) -> list[str]:
    """What is missing or out of place in the source of a lesson."""
    return [*_headings(lesson), *_cells(lesson.cells), *_exercises(lesson), *_links(lesson)]


def text_of(lesson: Lesson) -> str:
    """All text that stands in the notebooks, without code fences."""
    text = "\n\n".join(cell.text for cell in lesson.cells if not cell.is_code and not cell.role)
    return re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)


def _headings(lesson: Lesson) -> Iterator[str]:
    found = [(len(marks), title.strip()) for marks, title in _HEADING.findall(text_of(lesson))]
    levels = [level for level, _ in found]
    if levels.count(1) != 1 or not levels or levels[0] != 1:
        yield f"expected one H1, at the top; got {levels.count(1)}"
    for (before, _), (after, title) in itertools.pairwise(found):
        if after > before + 1:
            yield f"heading {title!r} jumps from level {before} to {after}"
    titles = [title for level, title in found if level == 2]
    yield from (f"section {name!r} is missing" for name in SECTIONS if name not in titles)
    if not _LINE.search(text_of(lesson)):
        yield "the line '*45 minutes · after lesson 02 · you need: ...*' is missing"


def objectives(lesson: Lesson) -> list[str]:
    """The numbered objectives of a lesson."""
    section = re.search(r"^## What you will do$(.*?)(?=^## |\Z)", text_of(lesson), re.MULTILINE | re.DOTALL)
    return re.findall(r"^\d+\. (.+?)$", section[1], re.MULTILINE) if section else []


def terms(lesson: Lesson) -> list[tuple[str, str]]:
    """Glossary terms that a lesson defines: (term, definition)."""
    return [(term, re.sub(r"\n> ?", " ", text)) for term, text in _TERM.findall(text_of(lesson))]


def _cells(cells: Iterable[Cell]) -> Iterator[str]:
    charts = 0
    cells = list(cells)
    for cell in cells:
        if not cell.is_code or cell.role or cell.is_setup:
            continue
        lines = [line for line in cell.text.splitlines() if line.strip()]
        if len(lines) > MOST_LINES:
            yield f"a code cell has {len(lines)} lines, at most {MOST_LINES}: {lines[0]}"
        names = {node.id for node in ast.walk(ast.parse(cell.text)) if isinstance(node, ast.Name)}
        shows = [line for line in lines if line.startswith("show(")]
        charts += len(shows)
        if "plots" in names and not shows:
            yield f"a chart is not shown through show(): {lines[0]}"
        if shows and not re.search(r"alt=", cell.text):
            yield f"a chart has no alt text: {lines[0]}"
        if any(isinstance(node, ast.FunctionDef) for node in ast.walk(ast.parse(cell.text))):
            yield f"a function is defined outside an exercise: {lines[0]}"
    if charts < LEAST_CHARTS:
        yield f"expected at least {LEAST_CHARTS} charts, got {charts}"
    if sum(cell.is_setup for cell in cells) != 1:
        yield "expected exactly one cell tagged setup"


def _exercises(lesson: Lesson) -> Iterator[str]:
    found = lesson.exercises
    for count in _exercises_by_part(lesson):
        if not LEAST_EXERCISES <= count <= MOST_EXERCISES:
            yield f"expected {LEAST_EXERCISES} to {MOST_EXERCISES} exercises in a part, got {count}"
    wanted = {str(number) for number, _ in enumerate(objectives(lesson), 1)}
    covered = {number for exercise in found.values() for number in re.findall(r"\d+", exercise.objective)}
    if not wanted:
        yield "no numbered objectives under 'What you will do'"
    yield from (f"objective {number} has no exercise" for number in sorted(wanted - covered))
    yield from (f"objective {number} does not exist" for number in sorted(covered - wanted))
    for name, exercise in found.items():
        if exercise.criterion not in CRITERIA:
            yield f"{name}: criterion {exercise.criterion!r}, expected one of {', '.join(CRITERIA)}"
        if exercise.check.strip() != f'check("{name}", {exercise.name})':
            yield f'{name}: the check cell should be check("{name}", {exercise.name})'
        if not name.startswith(f"{lesson.topic}."):
            yield f"{name}: an exercise of this lesson is named {lesson.topic}.something"


def _exercises_by_part(lesson: Lesson) -> list[int]:
    """How many exercises each part has. A part is one sitting; a heading `## Part two: ...` begins another."""
    counts = [0]
    for cell in lesson.cells:
        if not cell.is_code and not cell.role and _PART.search(cell.text):
            counts.append(0)
        counts[-1] += cell.role == "exercise"
    return counts


def _links(lesson: Lesson) -> Iterator[str]:
    for target in _LINK.findall(text_of(lesson)):
        if "://" not in target and not (lesson.path.parent / target).exists():
            yield f"the link {target} leads nowhere"


# --- an executed notebook ---------------------------------------------------------------------------------------------
def executed(notebook: Any) -> list[str]:
    """What would let a solution notebook pass a comparison without having been compared."""
    return [fault for cell in notebook.cells if cell.cell_type == "code" for fault in _unproven(cell)]


def _unproven(cell: Any) -> Iterator[str]:
    first = cell.source.strip().splitlines()[0] if cell.source.strip() else "(empty)"
    if cell.execution_count is None:
        yield f"not executed: {first}"
    hushed = sorted(_HUSHED & set(cell.metadata.get("tags", [])))
    if hushed:
        yield f"tagged {', '.join(hushed)}: {first}"
    if re.search(r"#\s*(NBVAL_|PYTEST_VALIDATE_)", cell.source):
        yield f"a comment keeps nbval away: {first}"
    if any(output.output_type == "error" for output in cell.outputs):
        yield f"raised an error: {first}"
    if cell.source.startswith("check(") and not any("passed" in _plain(output) for output in cell.outputs):
        yield f"a check without a passed outcome: {first}"


def _plain(output: Any) -> str:
    return str(output.get("data", {}).get("text/plain", ""))


def blanked(notebook: Any, lesson: Lesson) -> list[str]:
    """What a learner's notebook gives away: a right answer anywhere, a wrong one as code, an output.

    Faulty code may stand in the text: in an exercise that asks to mend it.
    """
    text = "\n".join(cell.source for cell in notebook.cells)
    code = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "code")
    faults = [
        f"{exercise.id}: an answer stands in the notebook"
        for exercise in lesson.exercises.values()
        if any(right.strip() in text for right in (exercise.solution, *(v.code for v in exercise.right)))
        or any(variant.code.strip() in code for variant in exercise.wrong)
    ]
    return faults + [f"an output is stored: {cell.source[:60]}" for cell in notebook.cells if cell.get("outputs")]


def read_notebook(path: Path) -> Any:
    """A notebook file."""
    import nbformat

    return nbformat.read(path, as_version=4)  # type: ignore[no-untyped-call]
