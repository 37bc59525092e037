"""Pages that are made from the lessons: objectives by exercise, misconceptions that are known, the glossary.

`python -m c360lib.course.builder` writes them to docs/; a test holds them in step with the sources.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from c360lib.course import gate
from c360lib.course.source import Lesson

NOTE = "<!-- Made from solutions/*.py by `make notebooks`; change the lessons, not this page. -->"


def objectives(lessons: Sequence[Lesson]) -> str:
    """The matrix of objectives, exercises and rubric criteria."""
    lines = [
        "# Objectives, exercises and criteria",
        "",
        NOTE,
        "",
        "Each objective of a lesson is practised by at least one exercise; each exercise serves one criterion of the",
        "[rubric](rubric.md).",
        "",
        "| lesson | objective | exercises | criterion |",
        "| --- | --- | --- | --- |",
    ]
    for lesson in lessons:
        for number, objective in enumerate(gate.objectives(lesson), 1):
            served = [e for e in lesson.exercises.values() if str(number) in e.objective.replace(",", " ").split()]
            names = ", ".join(f"`{e.id}`" for e in served)
            criteria = ", ".join(sorted({e.criterion for e in served}))
            lines.append(f"| {lesson.name[:2]} | {objective} | {names} | {criteria} |")
    return "\n".join([*lines, ""])


def misconceptions(lessons: Sequence[Lesson]) -> str:
    """Every misconception that a checker knows, with what it tells the learner."""
    lines = [
        "# Misconceptions that the checkers know",
        "",
        NOTE,
        "",
        "Each stands for a wrong answer that the tests run: it must be refused, and earn the learner this sentence.",
    ]
    for lesson in lessons:
        lines += [
            "",
            f"## {title(lesson)}",
            "",
            "| exercise | misconception | what the learner reads |",
            "| --- | --- | --- |",
        ]
        for exercise in lesson.exercises.values():
            lines += [f"| `{exercise.id}` | {v.misconception} | {_cell(v.says)} |" for v in exercise.wrong]
    return "\n".join([*lines, ""])


def glossary(lessons: Sequence[Lesson]) -> str:
    """Every term, where it is defined."""
    found = [(term, text, lesson.name[:2]) for lesson in lessons for term, text in gate.terms(lesson)]
    found.sort(key=lambda entry: entry[0].lower())
    lines = ["# Glossary", "", NOTE, "", "| term | meaning | lesson |", "| --- | --- | --- |"]
    lines += [f"| {term} | {_cell(text)} | {number} |" for term, text, number in found]
    return "\n".join([*lines, ""])


def title(lesson: Lesson) -> str:
    """The H1 of a lesson."""
    return next(line[2:] for line in gate.text_of(lesson).splitlines() if line.startswith("# "))


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


PAGES: dict[str, Callable[[Sequence[Lesson]], str]] = {
    "objectives.md": objectives,
    "misconceptions.md": misconceptions,
    "glossary.md": glossary,
}


def write(lessons: Sequence[Lesson], folder: Path) -> None:
    """Write every page."""
    for name, page in PAGES.items():
        (folder / name).write_text(page(lessons), encoding="utf-8", newline="\n")
