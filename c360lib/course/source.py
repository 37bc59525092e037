"""The one source of a lesson: `solutions/NN_topic.py`, read as cells and exercises.

Cells carry their role in the header (jupytext percent format): `exercise`, `stub`, `check`, `hint`, `cases`, `truth`,
`wrong` and `right`, each with the id of its exercise; anything else is text or code that stands in every notebook.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import c360lib
from c360lib.errors import UsageError

FOLDER = Path(c360lib.__file__).resolve().parent.parent / "solutions"
ROLES = ("exercise", "stub", "check", "hint", "cases", "truth", "wrong", "right")


@dataclass(frozen=True)
class Cell:
    """One cell: its kind, its text, and what stands in its header. `role` is one of ROLES or ''."""

    is_code: bool
    text: str
    metadata: dict[str, Any]

    @property
    def role(self) -> str:
        return next((role for role in ROLES if role in self.metadata), "")

    @property
    def exercise(self) -> str:
        """The id of the exercise that the cell belongs to; '' for none."""
        return str(self.metadata.get(self.role, ""))

    @property
    def is_setup(self) -> bool:
        """True for the cell of imports that every piece of the lesson's code may rely on."""
        return "setup" in self.metadata.get("tags", [])


@dataclass(frozen=True)
class Variant:
    """Another answer: for a wrong one, the misconception behind it and what the learner is told."""

    code: str
    misconception: str = ""
    says: str = ""


@dataclass
class Exercise:
    """Everything about one exercise. `key` names the columns by which rows of a result are matched."""

    id: str
    setup: str
    objective: str = ""
    criterion: str = ""
    solution: str = ""
    stub: str = ""
    check: str = ""
    cases: str = ""
    truth: str = ""
    key: tuple[str, ...] = ()
    hints: list[str] = field(default_factory=list)
    wrong: list[Variant] = field(default_factory=list)
    right: list[Variant] = field(default_factory=list)

    @property
    def name(self) -> str:
        """The name of the function or value that the learner gives."""
        return self.id.rpartition(".")[2]

    def answer(self, code: str, what: str) -> Any:
        """What a piece of the lesson's code gives this exercise; the setup runs first."""
        return evaluated(self.setup, code, f"{what} of {self.id}")[self.name]

    def function(self, code: str, name: str) -> Callable[..., Any]:
        """The function `cases` or `truth` of its cell."""
        found: Callable[..., Any] = evaluated(self.setup, code, f"{name} of {self.id}")[name]
        return found


@dataclass(frozen=True)
class Lesson:
    """A lesson as it is written."""

    path: Path
    cells: list[Cell]
    exercises: dict[str, Exercise]

    @property
    def name(self) -> str:
        """Such as `06_consent`."""
        return self.path.stem

    @property
    def topic(self) -> str:
        """Such as `consent`."""
        return self.name.partition("_")[2]


def evaluated(setup: str, code: str, what: str) -> dict[str, Any]:
    """The names that a piece of code leaves, after the setup."""
    names: dict[str, Any] = {"__name__": "lesson"}
    exec(compile(setup, "<setup>", "exec"), names)
    exec(compile(code, f"<{what}>", "exec"), names)
    return names


@cache
def read_lesson(path: Path) -> Lesson:
    """A lesson from its source."""
    import jupytext

    notebook = jupytext.read(path, fmt="py:percent")
    cells = [Cell(c.cell_type == "code", c.source, dict(c.metadata)) for c in notebook.cells]
    setup = "\n".join(cell.text for cell in cells if cell.is_setup)
    exercises: dict[str, Exercise] = {}
    for cell in cells:
        if cell.role:
            _add(exercises.setdefault(cell.exercise, Exercise(cell.exercise, setup)), cell)
    return Lesson(path, cells, exercises)


def _add(exercise: Exercise, cell: Cell) -> None:
    """Put a cell into its exercise."""
    told = {name: str(value) for name, value in cell.metadata.items()}
    match cell.role:
        case "exercise":
            exercise.solution = cell.text
            exercise.objective, exercise.criterion = told.get("objective", ""), told.get("criterion", "")
        case "cases":
            exercise.cases = cell.text
            exercise.key = tuple(re.findall(r"[^, ]+", told.get("key", "")))
        case "hint":
            exercise.hints.append(cell.text)
        case "wrong":
            exercise.wrong.append(Variant(cell.text, told.get("misconception", ""), told.get("says", "")))
        case "right":
            exercise.right.append(Variant(cell.text))
        case role:
            setattr(exercise, role, cell.text)


def lessons(folder: Path | None = None) -> list[Lesson]:
    """Every lesson, in order; UsageError where the sources of the course are not at hand."""
    folder = FOLDER if folder is None else folder
    paths = sorted(folder.glob("[0-9][0-9]_*.py"))
    if not paths:
        raise UsageError(f"{folder}: no lessons here; the exercises need a clone of the course, not the package alone")
    return [read_lesson(path) for path in paths]


def find_exercise(name: str, folder: Path | None = None) -> Exercise:
    """The exercise `topic.name`; UsageError names the near ones where there is none."""
    import difflib

    topic = name.partition(".")[0]
    sources = [path for path in sorted((folder or FOLDER).glob("[0-9][0-9]_*.py")) if path.stem[3:] == topic]
    exercises = (
        read_lesson(sources[0]).exercises
        if sources
        else {n: e for x in lessons(folder) for n, e in x.exercises.items()}
    )
    if name in exercises:
        return exercises[name]
    near = difflib.get_close_matches(name, exercises, 3, 0.3) or sorted(exercises)
    raise UsageError(f"there is no exercise {name!r}; did you mean {', '.join(near)}?")
