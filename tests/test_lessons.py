"""The lessons themselves: their structure, the proof of their checkers, and that nothing has drifted."""

from __future__ import annotations

import asyncio
import platform
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("jupytext", reason="needs the extra `course`")
pytest.importorskip("matplotlib", reason="needs the extra `course`")

from c360lib.course import builder, catalogue, gate, proof
from c360lib.course.source import Exercise, Lesson, lessons

HOME = Path(__file__).resolve().parent.parent
LESSONS = lessons(HOME / "solutions")
EXERCISES = [exercise for lesson in LESSONS for exercise in lesson.exercises.values()]
NUMBERS = ["00", "01", "02", "03", "04", "05", "06", "07", "12"]


def drift() -> str:
    """Why stored bytes cannot be expected here: other packages draw and print differently; '' where they can."""
    if (sys.platform, platform.machine()) != ("linux", "x86_64"):
        return "pictures are stored as Linux on x86_64 draws them"
    lock = (HOME / "requirements.lock").read_text(encoding="utf-8")
    others = [name for name in ("matplotlib", "pandas") if not re.search(rf"(?m)^{name}=={version(name)}\b", lock)]
    return f"not the locked {' and '.join(others)}" if others else ""


DRIFT = drift()
by_lesson = pytest.mark.parametrize("lesson", LESSONS, ids=lambda lesson: lesson.name)


def run_blank(lesson: Lesson) -> Any:
    """The learner's notebook of a lesson, executed."""
    return builder.run(gate.read_notebook(HOME / "notebooks" / f"{lesson.name}.ipynb"), HOME / "notebooks")


EXECUTING = {
    "test_both_notebooks_are_what_the_source_gives": builder.built,
    "test_a_blank_notebook_gives_nothing_away_and_runs": run_blank,
}


def aside(way: Callable[[Lesson], Any], lesson: Lesson) -> Any:
    """A lesson executed in a thread that is not the main one, where nobody else closes the event loop of a kernel."""
    try:
        return way(lesson)
    finally:
        with suppress(RuntimeError):  # there is none yet
            asyncio.get_event_loop().close()


@pytest.fixture(scope="module", autouse=True)
def executed(request: pytest.FixtureRequest) -> Iterator[Callable[[Callable[[Lesson], Any], Lesson], Any]]:
    """What executing a lesson in one of these ways comes to.

    A kernel is a process of its own. What the chosen tests execute is executed from the start, two at a time, while the
    checkers are proven in this process: one after the other they would leave a core idle.
    """
    ways = {name: way for name, way in EXECUTING.items() if not DRIFT or way is run_blank}
    items = [item for item in request.session.items if isinstance(item, pytest.Function) and item.path == request.path]
    works = [(ways[item.originalname], item.callspec.params["lesson"]) for item in items if item.originalname in ways]
    pool = ThreadPoolExecutor(2)
    begun = {(way, lesson.name): pool.submit(aside, way, lesson) for way, lesson in works}
    yield lambda way, lesson: begun[way, lesson.name].result()
    pool.shutdown(cancel_futures=True)


def test_the_lessons_are_there() -> None:
    """The course of this release, in order, each number once."""
    assert [lesson.name[:2] for lesson in LESSONS] == NUMBERS


@by_lesson
def test_a_lesson_passes_the_gate(lesson: Lesson) -> None:
    """Headings, sections, objectives, charts, exercises and links are as they must be."""
    assert [] == gate.structure(lesson)


@pytest.mark.parametrize("exercise", EXERCISES, ids=lambda exercise: exercise.id)
def test_a_checker_tells_right_from_wrong(exercise: Exercise) -> None:
    """Each wrong answer is caught with its message, each other right answer passes, the stub is no attempt."""
    score = proof.proven(exercise)

    assert () == score.faults, proof.table([score])


@pytest.mark.skipif(DRIFT != "", reason=DRIFT)
@by_lesson
def test_both_notebooks_are_what_the_source_gives(lesson: Lesson, executed: Callable[..., Any]) -> None:
    """Built again, executed again: the same bytes. `make notebooks` brings a changed lesson up to date."""
    stored = {
        folder: (HOME / folder / f"{lesson.name}.ipynb").read_text(encoding="utf-8")
        for folder in ("solutions", "notebooks")
    }

    assert stored == executed(builder.built, lesson)


@by_lesson
def test_a_solution_notebook_was_executed_and_compared(lesson: Lesson) -> None:
    """Nothing in it hides from the strict comparison."""
    assert [] == gate.executed(gate.read_notebook(HOME / "solutions" / f"{lesson.name}.ipynb"))


@by_lesson
def test_a_blank_notebook_gives_nothing_away_and_runs(lesson: Lesson, executed: Callable[..., Any]) -> None:
    """It runs top to bottom, and every check in it says that nothing was attempted."""
    blank = gate.read_notebook(HOME / "notebooks" / f"{lesson.name}.ipynb")
    assert [] == gate.blanked(blank, lesson)

    done = executed(run_blank, lesson)

    said = [
        str(output.data["text/plain"])
        for cell in done.cells
        if cell.cell_type == "code" and "check" in cell.metadata.get("c360", {})
        for output in cell.outputs
    ]
    assert [f"{name}: not attempted" for name in lesson.exercises] == said


def test_a_term_is_defined_once() -> None:
    """In the whole course."""
    counts = Counter(term.lower() for lesson in LESSONS for term, _ in gate.terms(lesson))

    assert [] == [term for term, count in counts.items() if count > 1]


def test_no_misconception_has_two_messages_in_one_exercise() -> None:
    """A learner who makes one mistake reads one sentence."""
    for exercise in EXERCISES:
        assert len(exercise.wrong) == len({variant.says for variant in exercise.wrong}), exercise.id


@pytest.mark.parametrize("name", catalogue.PAGES)
def test_the_pages_made_from_the_lessons_are_up_to_date(name: str) -> None:
    """`make notebooks` writes them."""
    page = (HOME / "docs" / name).read_text(encoding="utf-8")

    assert catalogue.PAGES[name](LESSONS) == page


def test_stored_outputs_hold_nothing_of_one_machine() -> None:
    """No path, no address in memory, no release id, no wall clock."""
    for lesson in LESSONS:
        text = (HOME / "solutions" / f"{lesson.name}.ipynb").read_text(encoding="utf-8")
        text = re.sub(r"base64,[A-Za-z0-9+/=]+", "", text)

        assert [] == re.findall(r"/(?:home|work|tmp|Users)/|C:\\\\|0x[0-9a-f]{8,}|2026-06-30-[0-9a-f]{12}", text), (
            lesson.name
        )
