"""`check`, `hint` and `solution`, on a small lesson written here."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from c360lib.course import proof, source
from c360lib.course.checks import Desk
from c360lib.layers import consent

pytest.importorskip("jupytext", reason="needs the extra `course`")

LESSON = '''
# %% [markdown]
# # 97 Tried

# %% tags=["setup"]
import pandas as pd

# %% exercise="tried.total" objective="1" criterion="quality"
def total(orders):
    return orders.groupby("who", as_index=False)["cents"].sum()

# %% stub="tried.total"
def total(orders):
    """Cents by who."""
    ...

# %% check="tried.total"
check("tried.total", total)

# %% [markdown] hint="tried.total"
# Group the rows.

# %% [markdown] hint="tried.total"
# Then add up.

# %% cases="tried.total" key="who"
def cases(workspace):
    return [
        (pd.DataFrame({"who": ["a", "a", "b"], "cents": [1, 3, 5]}),),
        (pd.DataFrame({"who": ["c"], "cents": [len(workspace.table("customer_360"))]}),),
    ]

# %% wrong="tried.total" misconception="mean-for-sum" says="This is the mean of the orders, not their sum."
def total(orders):
    return orders.groupby("who", as_index=False)["cents"].mean()

# %% wrong="tried.total" misconception="cannot-sort" says="There is no column of that name."
def total(orders):
    return orders.sort_values("nobody")

# %% wrong="tried.total" misconception="same" says="Never said, because it is right."
def total(orders):
    return orders.groupby("who", as_index=False)["cents"].agg("sum")

# %% right="tried.total"
def total(orders):
    return orders.groupby("who")["cents"].sum().iloc[::-1].reset_index()

# %% right="tried.total"
def total(orders):
    return orders.groupby("who", as_index=False)["cents"].max()

# %% exercise="tried.count" objective="1" criterion="quality"
count = 4

# %% stub="tried.count"
count = ...

# %% check="tried.count"
check("tried.count", count)

# %% truth="tried.count"
def truth(workspace):
    return 2 + 2

# %% wrong="tried.count" misconception="off-by-one" says="The first row counts too."
count = 3

# %% exercise="tried.choices" objective="1" criterion="quality"
choices = {1: "a", 2: "b", 3: 7}

# %% stub="tried.choices"
choices = {1: ..., 2: ..., 3: ...}

# %% check="tried.choices"
check("tried.choices", choices)

# %% [markdown] hint="tried.choices"
# Look.

# %% [markdown] hint="tried.choices"
# Look again.

# %% truth="tried.choices"
def truth(workspace):
    return {1: {"a"}, 2: {"b", "c"}, 3: {7}}

# %% wrong="tried.choices" misconception="b-first" says="One is not b."
choices = {1: "b"}

# %% wrong="tried.choices" misconception="all-a" says="Not everything is a."
choices = {1: "b", 2: "a"}

# %% wrong="tried.choices" misconception="too-many" says="Eight is one too many."
choices = {3: 8}

# %% right="tried.choices"
choices = {1: "a", 2: "c", 3: 7.0}

# %% right="tried.choices"
choices = {3: 7, 2: "b", 1: "a"}
'''


@pytest.fixture(autouse=True)
def _lesson(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The lesson stands where lessons are looked for."""
    (tmp_path / "97_tried.py").write_text(LESSON.lstrip(), encoding="utf-8")
    monkeypatch.setattr(source, "FOLDER", tmp_path)
    return


@pytest.fixture
def desk() -> Desk:
    """A learner who has tried nothing yet."""
    return Desk()


def total(orders: pd.DataFrame) -> pd.DataFrame:
    """The right answer."""
    return orders.groupby("who", as_index=False)["cents"].sum()


def test_a_right_answer_passes_on_every_case(desk: Desk) -> None:
    """The case made by hand is run once, the other once for each workspace."""
    assert "tried.total: passed\n  all 4 cases agree" == repr(desk.check("tried.total", total))


def test_the_same_answer_earns_the_same_words_every_time(desk: Desk) -> None:
    """Nothing in a result varies between runs."""
    wrong = lambda orders: orders  # noqa: E731 - as a learner may write it

    assert repr(desk.check("tried.total", wrong)) == repr(Desk().check("tried.total", wrong))


def test_a_known_wrong_thought_is_named(desk: Desk) -> None:
    """The learner's own function behaves as a known wrong answer: its message comes, with the first difference."""

    def averaged(orders: pd.DataFrame) -> pd.DataFrame:
        return (
            (orders.groupby("who")["cents"].sum() / orders.groupby("who")["cents"].size()).rename("cents").reset_index()
        )

    result = desk.check("tried.total", averaged)

    assert "not yet" == result.outcome
    assert "case 1 of 4 (a small made-up case): row who=a, column cents: expected 4, got 2.0" == result.reasons[0]
    assert "This is the mean of the orders, not their sum." in result.reasons
    assert 'hint("tried.total") gives a hint' == result.reasons[-1]


def test_an_unknown_wrong_answer_is_told_what_differs_and_no_thought(desk: Desk) -> None:
    """No message is made up."""
    result = desk.check("tried.total", lambda orders: total(orders).assign(cents=0))

    assert [
        "case 1 of 4 (a small made-up case): row who=a, column cents: expected 4, got 0",
        'hint("tried.total") gives a hint',
    ] == list(result.reasons)


def test_an_error_is_told_with_its_line_and_is_no_traceback(desk: Desk) -> None:
    """The fourth outcome: what was raised, for which case, in which line."""

    def broken(orders: pd.DataFrame) -> Any:
        orders = orders.copy()
        return orders["nobody"]

    result = desk.check("tried.total", broken)

    assert "raised an error" == result.outcome
    assert "case 1 of 4 (a small made-up case): KeyError: 'nobody' (line 3 of broken)" == result.reasons[0]


@pytest.mark.parametrize("answer", [..., lambda orders: ..., lambda orders: None])
def test_a_stub_is_not_an_attempt(desk: Desk, answer: Any) -> None:
    """A blank notebook runs top to bottom and says so."""
    assert "tried.total: not attempted" == repr(desk.check("tried.total", answer))


def test_a_value_is_held_against_the_data(desk: Desk) -> None:
    """A prediction is right, known to be wrong, or just wrong."""
    assert "tried.count: passed" == repr(desk.check("tried.count", 4))
    assert ("The first row counts too.",) == desk.check("tried.count", 3).reasons
    assert ("99 is not what the data give",) == desk.check("tried.count", 99).reasons
    assert ("expected numbers, got text",) == desk.check("tried.count", "four").reasons
    assert "not attempted" == desk.check("tried.count", ...).outcome


def test_calling_the_library_is_told_and_does_not_pass(desk: Desk) -> None:
    """An answer that hands the work over is no answer, however it reaches the library."""

    def by_global(orders: pd.DataFrame) -> Any:
        return consent.latest

    def by_import(orders: pd.DataFrame) -> Any:
        from c360lib.layers import gold  # noqa: F401
        from c360lib.layers.measures import value

        return value

    for answer, home in ((by_global, "c360lib.layers.consent"), (by_import, "c360lib.layers.measures")):
        result = desk.check("tried.total", answer)

        assert "not yet" == result.outcome
        assert home in result.reasons[0]
        assert "write the rule yourself" in result.reasons[0]


def test_a_learner_cannot_hurt_the_arguments(desk: Desk) -> None:
    """Each run gets its own copy."""

    def destroying(orders: pd.DataFrame) -> pd.DataFrame:
        answer = total(orders)
        orders["cents"] = 0
        return answer

    assert desk.check("tried.total", destroying).is_passed
    assert desk.check("tried.total", destroying).is_passed


def test_hints_come_one_at_a_time(desk: Desk) -> None:
    """The last one stays."""
    told = [repr(desk.hint("tried.total")) for _ in range(3)]

    assert 'Hint 1 of 2: Group the rows.\n(hint("tried.total") gives the next one)' == told[0]
    assert ["Hint 2 of 2: Then add up.\n(this was the last hint)"] * 2 == told[1:]
    assert "tried.count has no hints" == repr(desk.hint("tried.count"))


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        ({1: ..., 2: ..., 3: ...}, "tried.choices: not attempted"),
        ({1: "a", 2: "c", 3: 7}, "tried.choices: passed\n  all 3 entries are right"),
        ({1: "b", 2: "b", 3: 7}, "tried.choices: not yet\n  2 of 3 entries are right\n  One is not b."),
        ({1: "b", 2: "a", 3: 8}, "0 of 3 entries are right\n  One is not b.\n  Not everything is a.\n  Eight is one"),
        ({1: "a", 2: "a", 3: 7}, "2 of 3 entries are right\n  2: 'a' is not what the data give"),
        ({1: "a", 2: ..., 4: "a"}, "1 of 3 entries are right\n  no answer for 2, 3\n  there is no 4"),
        (["a", "b", 7], "expected a dict, got ['a', 'b', 7]"),
    ],
)
def test_each_entry_of_a_dict_of_choices_is_judged_by_itself(desk: Desk, answer: Any, told: str) -> None:
    """Several answers to one key may be right; each wrong one earns its own sentence."""
    assert told in repr(desk.check("tried.choices", answer))


def test_the_proof_puts_wrong_entries_among_right_ones() -> None:
    """A wrong answer that names some entries of a dict is tried with the solution's beside them."""
    score = proof.proven(source.find_exercise("tried.choices"))

    assert (3, 3, 2, 2, ()) == (score.caught, score.wrong, score.accepted, score.right, score.faults)


def test_the_solution_opens_after_an_attempt_only(desk: Desk) -> None:
    """A stub does not count as one."""
    desk.check("tried.total", ...)
    assert 'Try it first: solution("tried.total") opens' in repr(desk.solution("tried.total"))

    desk.check("tried.total", lambda orders: orders)
    assert "def total(orders):" in repr(desk.solution("tried.total"))


def test_a_name_that_does_not_exist_is_answered_with_near_ones(desk: Desk) -> None:
    """No traceback for a slip of the pen."""
    for told in (desk.check("tried.totl", total), desk.hint("tried.totl"), desk.solution("tried.totl")):
        assert "there is no exercise 'tried.totl'; did you mean tried.total" in repr(told)


def test_the_html_says_the_same_and_is_safe(desk: Desk) -> None:
    """The view of JupyterLab holds the words of the text, escaped, in a region that screen readers announce."""
    view = desk.check("tried.total", lambda orders: total(orders).assign(who="<b>"))._repr_html_()

    assert view.startswith('<div role="status"><strong>tried.total: not yet</strong>')
    assert "<b>" not in view
    assert "&lt;b&gt;" in view


def test_the_proof_tells_what_survives_and_what_is_refused() -> None:
    """A wrong answer that passes, and a right one that does not, are faults of the exercise."""
    score = proof.proven(source.find_exercise("tried.total"))

    assert (2, 3, 1, 2) == (score.caught, score.wrong, score.accepted, score.right)
    assert ["the wrong answer same passes"] == [f for f in score.faults if "passes" in f]
    assert 1 == sum("right answer 2 is refused" in fault for fault in score.faults)


def test_the_proof_tells_an_exercise_that_lacks_something() -> None:
    """Too few wrong answers and hints are faults."""
    faults = proof.proven(source.find_exercise("tried.count")).faults

    assert ("1 wrong answers, expected at least 3", "0 hints, expected at least 2") == faults
