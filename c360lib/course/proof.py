"""Proof that a checker tells right from wrong: every known answer to an exercise is judged as a learner's would be."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from c360lib.course.checks import NOT_ATTEMPTED, PASSED, judged
from c360lib.course.source import Exercise, Lesson

LEAST_WRONG, LEAST_RIGHT, LEAST_HINTS = 3, 2, 2


class Score(NamedTuple):
    """How an exercise did: wrong answers caught with their message, different right answers accepted, and faults."""

    exercise: str
    caught: int
    wrong: int
    accepted: int
    right: int
    faults: tuple[str, ...]


def proven(exercise: Exercise) -> Score:
    """Judge the solution, the stub, and every wrong and right answer of an exercise."""
    faults = [*_own(exercise)]
    caught = accepted = 0
    for variant in exercise.wrong:
        result = judged(exercise, _whole(exercise, exercise.answer(variant.code, variant.misconception)))
        if result.is_passed:
            faults.append(f"the wrong answer {variant.misconception} passes")
        elif variant.says not in result.reasons:
            faults.append(f"the wrong answer {variant.misconception} does not earn its message, but: {result!r}")
        else:
            caught += 1
    for number, variant in enumerate(exercise.right, 1):
        result = judged(exercise, exercise.answer(variant.code, f"right answer {number}"))
        accepted += result.is_passed
        if not result.is_passed:
            faults.append(f"right answer {number} is refused: {result!r}")
    return Score(exercise.id, caught, len(exercise.wrong), accepted, len(exercise.right), tuple(faults))


def _whole(exercise: Exercise, answer: Any) -> Any:
    """A wrong answer that gives some entries of a dict, with the solution's entries beside them."""
    own = exercise.answer(exercise.solution, "solution") if exercise.truth else None
    return {**own, **answer} if isinstance(own, dict) and isinstance(answer, dict) else answer


def _own(exercise: Exercise) -> Iterator[str]:
    """What is wrong with the exercise itself."""
    parts = ("solution", "stub", "check", "objective", "criterion")
    missing = [part for part in parts if not getattr(exercise, part)]
    if missing or not (exercise.cases or exercise.truth):
        yield f"incomplete: {', '.join(missing) or 'cases or truth'}"
        return
    counts = (
        ("wrong answers", len(exercise.wrong), LEAST_WRONG),
        ("right answers", len(exercise.right), LEAST_RIGHT if exercise.cases else 0),
        ("hints", len(exercise.hints), LEAST_HINTS),
    )
    for what, count, least in counts:
        if count < least:
            yield f"{count} {what}, expected at least {least}"
    if any(not v.misconception or not v.says for v in exercise.wrong):
        yield "a wrong answer lacks its misconception or message"
    own = judged(exercise, exercise.answer(exercise.solution, "solution"))
    if own.outcome != PASSED:
        yield f"the solution does not pass: {own!r}"
    blank = judged(exercise, exercise.answer(exercise.stub, "stub"))
    if blank.outcome != NOT_ATTEMPTED:
        yield f"the stub is judged as an attempt: {blank!r}"


def scores(lesson: Lesson) -> list[Score]:
    """The score of every exercise of a lesson."""
    return [proven(exercise) for exercise in lesson.exercises.values()]


def table(found: list[Score]) -> str:
    """Scores as a text table.

    >>> print(table([Score("gold.value", 3, 3, 2, 2, ())]))
    exercise    wrong caught  right accepted
    gold.value        3 of 3          2 of 2
    """
    width = max([len("exercise"), *(len(s.exercise) for s in found)])
    lines = [f"{'exercise':{width}}  wrong caught  right accepted"]
    for s in found:
        lines.append(f"{s.exercise:{width}}  {f'{s.caught} of {s.wrong}':>12}  {f'{s.accepted} of {s.right}':>14}")
        lines += [f"  {fault}" for fault in s.faults]
    return "\n".join(lines)
