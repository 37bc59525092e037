"""`check`, `hint` and `solution`: what a learner calls.

A check runs the learner's function and the solution on the same arguments, compares the results whole, and says what
differs. Where the answer behaves as a known wrong answer does, it says which thought leads there.
"""

from __future__ import annotations

import copy
import dis
import html
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from types import CodeType, FunctionType, ModuleType
from typing import Any, NamedTuple

from c360lib.course.compare import differences, kind_of, plain, said
from c360lib.course.source import Exercise, Variant, find_exercise
from c360lib.course.tables import lesson_workspace
from c360lib.errors import C360Error

PASSED, NOT_YET, NOT_ATTEMPTED, RAISED = "passed", "not yet", "not attempted", "raised an error"
FRESH_SEEDS, FRESH_CUSTOMERS = (361, 362), 150
TOLD = 2  # differences shown at once
_IDLE = {"RESUME", "LOAD_CONST", "RETURN_VALUE", "RETURN_CONST", "NOP", "POP_TOP", "CACHE"}


@dataclass(frozen=True)
class Result:
    """What a check came to: one of four outcomes, and the reasons in sentences."""

    exercise: str
    outcome: str
    reasons: tuple[str, ...] = ()

    @property
    def is_passed(self) -> bool:
        """True where the answer is right."""
        return self.outcome == PASSED

    def __repr__(self) -> str:
        return "\n  ".join([f"{self.exercise}: {self.outcome}", *self.reasons])

    def _repr_html_(self) -> str:
        head, items = f"<strong>{html.escape(self.exercise)}: {self.outcome}</strong>", ""
        if self.reasons:
            items = f"<ul>{''.join(f'<li>{html.escape(reason)}</li>' for reason in self.reasons)}</ul>"
        return f'<div role="status">{head}{items}</div>'


@dataclass(frozen=True)
class Text:
    """A hint or a solution: plain text, shown as it is."""

    text: str

    def __repr__(self) -> str:
        return self.text


class Desk:
    """One learner at work: which exercises were tried, and how many hints of each were given."""

    def __init__(self) -> None:
        self.tried: set[str] = set()
        self.hints: dict[str, int] = {}

    def check(self, name: str, answer: Any) -> Result:
        """See `check`."""
        try:
            result = judged(find_exercise(name), answer)
        except C360Error as error:
            return Result(name, NOT_YET, (str(error),))
        if result.outcome != NOT_ATTEMPTED:
            self.tried.add(name)
        return result

    def hint(self, name: str) -> Text:
        """See `hint`."""
        try:
            hints = find_exercise(name).hints
        except C360Error as error:
            return Text(str(error))
        if not hints:
            return Text(f"{name} has no hints")
        given = min(self.hints.get(name, 0) + 1, len(hints))
        self.hints[name] = given
        after = f'hint("{name}") gives the next one' if given < len(hints) else "this was the last hint"
        return Text(f"Hint {given} of {len(hints)}: {hints[given - 1]}\n({after})")

    def solution(self, name: str) -> Text:
        """See `solution`."""
        try:
            exercise = find_exercise(name)
        except C360Error as error:
            return Text(str(error))
        if name not in self.tried:
            return Text(f'Try it first: solution("{name}") opens once check("{name}", ...) has seen an attempt.')
        return Text(f"One answer to {name}; yours may look different and be as good.\n\n{exercise.solution}")


DESK = Desk()


def check(name: str, answer: Any) -> Result:
    """Whether an answer to the exercise `topic.name` is right, and if not, what differs.

    The outcome is passed, not yet, not attempted or raised an error; the same answer gives the same text every time.
    """
    return DESK.check(name, answer)


def hint(name: str) -> Text:
    """The next hint of an exercise, one at a time."""
    return DESK.hint(name)


def solution(name: str) -> Text:
    """One right answer to an exercise, once an attempt has been checked."""
    return DESK.solution(name)


# --- judging ----------------------------------------------------------------------------------------------------------
def judged(exercise: Exercise, answer: Any) -> Result:
    """The result of an answer to an exercise."""
    if exercise.truth:
        return _judged_value(exercise, answer)
    if answer is ... or (isinstance(answer, FunctionType) and _is_blank(answer)):
        return Result(exercise.id, NOT_ATTEMPTED)
    if not callable(answer):
        return Result(exercise.id, NOT_YET, (f"expected the function {exercise.name}, got {said(answer)}",))
    used = sorted(set(_library_calls(answer)))
    if used:
        told = f"this hands the work to {', '.join(used)}, the library's own; write the rule yourself"
        return Result(exercise.id, NOT_YET, (told,))
    return _judged_function(exercise, answer)


def _judged_value(exercise: Exercise, answer: Any) -> Result:
    if answer is ... or answer is None or (isinstance(answer, dict) and all(v is ... for v in answer.values())):
        return Result(exercise.id, NOT_ATTEMPTED)
    truth = exercise.function(exercise.truth, "truth")(lesson_workspace())
    if isinstance(truth, dict) and all(isinstance(accepted, (set, frozenset)) for accepted in truth.values()):
        return _judged_entries(exercise, truth, answer)
    if not differences(truth, answer):
        return Result(exercise.id, PASSED)
    for variant in exercise.wrong:
        if not differences(exercise.answer(variant.code, variant.misconception), answer):
            return Result(exercise.id, NOT_YET, (variant.says, *_help(exercise)))
    wanted, got = (kind_of(plain(value)) for value in (truth, answer))
    told = f"{said(answer)} is not what the data give" if wanted == got else f"expected {wanted}, got {got}"
    return Result(exercise.id, NOT_YET, (told, *_help(exercise)))


def _judged_entries(exercise: Exercise, truth: dict[Any, Any], answer: Any) -> Result:
    """Each entry of a dict by itself: right is what stands in the set that `truth` has for its key.

    A known wrong answer is a dict of the entries that it is about; who has all of them is told what it says.
    """
    if not isinstance(answer, dict):
        return Result(exercise.id, NOT_YET, (f"expected a dict, got {said(answer)}", *_help(exercise)))
    given = {key: value for key, value in answer.items() if value is not ...}
    bad = [key for key in truth if key in given and all(differences(value, given[key]) for value in truth[key])]
    missing, extra = ([str(k) for k in one if k not in other] for one, other in ((truth, given), (given, truth)))
    if not (bad or missing or extra):
        return Result(exercise.id, PASSED, (f"all {len(truth)} entries are right",))
    reasons = [f"{len(truth) - len(bad) - len(missing)} of {len(truth)} entries are right"]
    reasons += [f"no answer for {', '.join(missing)}"] if missing else []
    reasons += [f"there is no {', '.join(extra)}"] if extra else []
    known = [(v.says, exercise.answer(v.code, v.misconception)) for v in exercise.wrong]
    for key in bad:
        told = [says for says, part in known if key in part and _holds(given, part)]
        reasons.append(told[0] if told else f"{key}: {said(given[key])} is not what the data give")
    return Result(exercise.id, NOT_YET, (*dict.fromkeys(reasons), *_help(exercise)))


def _holds(given: dict[Any, Any], part: dict[Any, Any]) -> bool:
    """True where `given` has every entry of `part`."""
    return all(key in given and not differences(value, given[key]) for key, value in part.items())


class Ran(NamedTuple):
    """What a function gave for one case: a value, or what it raised."""

    value: Any = None
    error: str = ""
    line: str = ""


class Case(NamedTuple):
    """Arguments, what the solution gives for them, and where they come from."""

    arguments: tuple[Any, ...]
    expected: Any
    place: str


def _judged_function(exercise: Exercise, answer: Callable[..., Any]) -> Result:
    cases = _cases(exercise)
    ran = [_run(answer, case) for case in cases]
    for number, (case, got) in enumerate(zip(cases, ran, strict=True), 1):
        where = f"case {number} of {len(cases)} ({case.place})"
        if got.error:
            thought = _thought(exercise, cases, ran)
            return Result(exercise.id, RAISED, (f"{where}: {got.error}{got.line}", *thought, *_help(exercise)))
        found = differences(case.expected, got.value, exercise.key)
        if found:
            reasons = [f"{where}: {found[0]}", *found[1:TOLD], *_thought(exercise, cases, ran), *_help(exercise)]
            return Result(exercise.id, NOT_YET, tuple(reasons))
    return Result(exercise.id, PASSED, (f"all {len(cases)} cases agree",))


def _help(exercise: Exercise) -> list[str]:
    return [f'hint("{exercise.id}") gives a hint'] if exercise.hints else []


def _thought(exercise: Exercise, cases: list[Case], ran: list[Ran]) -> list[str]:
    """What the known wrong answer that behaves like this one rests on; [] where none does."""
    for variant in exercise.wrong:
        if _behaves_as(exercise, variant, cases, ran):
            return [variant.says]
    return []


def _behaves_as(exercise: Exercise, variant: Variant, cases: list[Case], ran: list[Ran]) -> bool:
    function = exercise.answer(variant.code, variant.misconception)
    for case, got in zip(cases, ran, strict=True):
        other = _run(function, case)
        if bool(other.error) != bool(got.error) or other.error.partition(":")[0] != got.error.partition(":")[0]:
            return False
        if not got.error and differences(other.value, got.value, exercise.key):
            return False
    return True


def _cases(exercise: Exercise) -> list[Case]:
    return _cases_of(exercise.id, exercise.setup, exercise.cases, exercise.solution)


@cache
def _cases_of(name: str, setup: str, cases: str, solution: str) -> list[Case]:
    """Every case: the lesson's data, then fresh data of other seeds. Arguments that come again are run once."""
    exercise = Exercise(name, setup)
    make, solve = exercise.function(cases, "cases"), exercise.answer(solution, "solution")
    places = [(lesson_workspace(), "the lesson's data")]
    places += [(lesson_workspace(customers=FRESH_CUSTOMERS, seed=s), f"other data, seed {s}") for s in FRESH_SEEDS]
    found: list[Case] = []
    for workspace, place in places:
        for arguments in make(workspace):
            again = [number for number, case in enumerate(found) if _equal(arguments, case.arguments)]
            if again:  # the same for every workspace: written by hand
                found[again[0]] = found[again[0]]._replace(place="a small made-up case")
            else:
                found.append(Case(arguments, solve(*copy.deepcopy(arguments)), place))
    return found


def _equal(left: tuple[Any, ...], right: tuple[Any, ...]) -> bool:
    return len(left) == len(right) and all(
        type(a) is type(b) and (a.equals(b) if hasattr(a, "equals") else a == b)
        for a, b in zip(left, right, strict=True)
    )


def _run(function: Callable[..., Any], case: Case) -> Ran:
    try:
        return Ran(value=function(*copy.deepcopy(case.arguments)))
    except Exception as error:  # a learner's function may raise anything, and is told what
        return Ran(
            error=f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}",
            line=_line(error, function),
        )


def _line(error: Exception, function: Callable[..., Any]) -> str:
    """The line of the learner's own function that raised, where it can be told."""
    code = getattr(function, "__code__", None)
    frames = [f for f in traceback.extract_tb(error.__traceback__) if code and f.filename == code.co_filename]
    return (
        f" (line {frames[-1].lineno - code.co_firstlineno + 1} of {code.co_name})"
        if frames and code and frames[-1].lineno
        else ""
    )


# --- looking at a function --------------------------------------------------------------------------------------------
def _is_blank(function: FunctionType) -> bool:
    """True for a function that does nothing, as a stub does."""
    return all(step.opname in _IDLE for step in dis.get_instructions(function))


def _library_calls(function: Any) -> Iterator[str]:
    """The parts of c360lib that a function names, but for its rules and this package."""
    code, names = getattr(function, "__code__", None), getattr(function, "__globals__", {})
    for name in _names_in(code) if code else ():
        if name.startswith("c360lib.") and _is_kept(name):
            yield name
        value = names.get(name)
        if isinstance(value, (ModuleType, FunctionType)) and name not in ("check", "hint", "solution"):
            home = value.__name__ if isinstance(value, ModuleType) else value.__module__
            if str(home).startswith("c360lib.") and _is_kept(str(home)):
                yield str(home)


def _is_kept(module: str) -> bool:
    return not module.startswith(("c360lib.rules", "c360lib.course", "c360lib.plots", "c360lib.generate.names"))


def _names_in(code: CodeType) -> Iterator[str]:
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _names_in(constant)
