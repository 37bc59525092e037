"""The review queue: who is asked about, in which order, and in which words."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from c360lib.engines.base import Engine
from c360lib.identity import review_words
from c360lib.identity.model import score
from c360lib.rules import MATCH_RULES
from tests.support import Row, Scene, World, account, decision, order, picked
from tests.support import made as build

scene = Scene("identity_review_queue")
PAIR = ("left_record_id", "right_record_id")


@pytest.fixture
def made(engine: Engine, request: pytest.FixtureRequest) -> World:
    """The tables of the test's own rows."""
    return scene.world(engine, request.node.originalname)


# --- the queue --------------------------------------------------------------------------------------------------------
# Tests differ in last name and phone, so that no rule joins accounts of two tests.
CLASH = {"email": "p@x.y", "phone": "030 555 3333", "first_name": "Bob", "last_name": "Hahn"}
TOLD = {**CLASH, "phone": "030 555 4444", "last_name": "Kurz"}
OTHERS = {**CLASH, "phone": "030 555 5555", "last_name": "Lang"}


@scene.of(
    account("b", "2026-02-01", **{**CLASH, "phone": "+49 30 5553333"}, date_of_birth="1978-11-17", city="Bonn"),
    account("a", **{**CLASH, "first_name": "Robert"}, date_of_birth="1978-11-27"),
    account("c", "2026-03-01", loyalty_id="L1", date_of_birth="1978-11-17"),
    account("b", "2026-03-01", lsn="2", op="u", **CLASH, date_of_birth="1978-11-17", city="Bonn", loyalty_id="L1"),
    order("1", "a", "250"),
    order("2", "b", "1000"),
    order("3", "c", "20"),
)
def test_a_row_holds_both_accounts_both_persons_and_what_they_are_worth(made: World) -> None:
    """Everything a steward needs to answer stands in one row; a person's value is that of all its accounts."""
    [row] = made("identity_review_queue", *PAIR, "left_profile_id", "right_profile_id")
    assert ("crm:a", "crm:b", "P-crm:a", "P-crm:b") == row
    [shown] = made("identity_review_queue", "left_first_name", "right_first_name", "left_city", "right_city")
    assert ("Robert", "Bob", None, "Bonn") == shown
    assert [("1978-11-27", "1978-11-17", False)] == made(
        "identity_review_queue", "left_date_of_birth", "right_date_of_birth", "right_is_deleted"
    )
    value = made("identity_review_queue", "left_value_cents", "right_value_cents", "merged_value_cents")
    assert [(250, 1020, 1270)] == value


@scene.of(
    account("a", **TOLD, date_of_birth="1978-11-27"),
    account("b", **{**TOLD, "phone": "+49 30 5554444"}, date_of_birth="1978-11-17"),
)
def test_a_row_says_in_words_why_it_asks_and_what_was_found(made: World) -> None:
    """The rule, the constraint, and finding by finding; no column names but the rule's own."""
    [(why, found, priority)] = made("identity_review_queue", "question", "evidence", "priority")
    assert why == (
        "the rule email_phone_and_full_name would link them (same e-mail, phone, first name and last name), "
        "but together they would hold two dates of birth, and only a steward may join those"
    )
    assert found == (
        "same first name; same last name; date of birth differs by one typed character; same e-mail; "
        "same phone, written differently"
    )
    assert 1_000_010 == priority


@scene.of(
    account("a", **OTHERS, date_of_birth="1978-11-27"),
    account("b", **OTHERS, date_of_birth="1978-11-17"),
    account("c", loyalty_id="L2", date_of_birth="1978-11-27"),
    account("a", lsn="2", op="u", **OTHERS, date_of_birth="1978-11-27", loyalty_id="L2"),
    decision("crm:c", "crm:b", "cannot_link"),
)
def test_a_decision_on_any_two_accounts_of_two_persons_answers_for_the_persons(made: World) -> None:
    """Accounts a and c are one person, c and b are decided to be two: nobody is asked about a and b."""
    assert [] == made("identity_review_queue")


@scene.of(
    account("a"),
    account("b"),
    account("c"),
    decision("crm:a", "crm:b", "must_link"),
    decision("crm:b", "crm:c", "must_link"),
    decision("crm:a", "crm:c", "cannot_link"),
)
def test_decisions_that_contradict_each_other_are_asked_about(made: World) -> None:
    """The link that was overruled stands in the queue, and says so."""
    assert [("crm:b", "crm:c", "steward_must_link")] == made("identity_review_queue", *PAIR, "match_rule")
    [why] = made("identity_review_queue", "question")
    assert why == (
        "a steward has linked them, but that would bring together two accounts that a steward has kept apart"
    )


PEOPLE = [account(name, date_of_birth=f"19{n}0-01-01", last_name="Ng") for n, name in enumerate("abcd", start=5)]


def unsure(engine: Engine, rows: list[Row], *pairs: tuple[int, int, int, str]) -> list[dict[str, Any]]:
    """The queue where the model weighed these pairs (rows of accounts, weight, findings) and was not sure."""
    scores = [
        {"left": a, "right": b, "is_link": False, "millibits": w, "probability": 0.5, "findings": found}
        for a, b, w, found in pairs
    ]
    table = pa.Table.from_pylist(scores, schema=score.SCORES_SCHEMA)
    given = {"match_scores": engine.load(table.schema, table.to_batches())}
    return build(engine, rows, ["identity_review_queue"], given=given)["identity_review_queue"]


def test_a_pair_that_the_model_is_not_sure_of_comes_with_its_bits(engine: Engine) -> None:
    """Each finding has the bits that the model gave it; what the model says nothing about has none."""
    [row] = unsure(engine, PEOPLE, (1, 2, 4200, "last_name +8.6 date_of_birth -4.4"))
    assert ("unsure", "probabilistic", 4200, 0.5) == picked(
        [row], "reason", "match_rule", "priority", "match_probability"
    )[0]
    assert "the model weighs them at +4.2 bits, and links without being asked from +5.0" == row["question"]
    assert "same last name (+8.6 bits); date of birth differs by one typed character (-4.4 bits)" == row["evidence"]


def test_a_pair_that_something_speaks_against_says_what(engine: Engine) -> None:
    """Enough weight to link, and a personal finding against it."""
    [row] = unsure(engine, PEOPLE, (1, 2, 9000, "last_name +8.6 date_of_birth -4.4"))
    assert row["question"] == (
        "the model weighs them at +9.0 bits, enough to link, but speaking against it: date of birth"
    )


@pytest.mark.parametrize("what", ["must_link", "cannot_link"])
def test_a_pair_that_is_decided_is_not_asked_about(engine: Engine, what: str) -> None:
    """Other pairs are."""
    rows = [*PEOPLE, decision("crm:b", "crm:a", what)]
    assert [("crm:c", "crm:d")] == picked(unsure(engine, rows, (1, 2, 4200, ""), (3, 4, 100, "")), *PAIR)


# --- words ------------------------------------------------------------------------------------------------------------
def by_table(one: str, other: str) -> int:
    """Typing errors by the whole table of distances (optimal string alignment)."""
    grid = [[max(a, b) if 0 in (a, b) else 0 for b in range(len(other) + 1)] for a in range(len(one) + 1)]
    for a in range(1, len(one) + 1):
        for b in range(1, len(other) + 1):
            changed = one[a - 1] != other[b - 1]
            grid[a][b] = min(grid[a - 1][b] + 1, grid[a][b - 1] + 1, grid[a - 1][b - 1] + changed)
            if a > 1 and b > 1 and one[a - 2 : a] == other[b - 1] + other[b - 2]:
                grid[a][b] = min(grid[a][b], grid[a - 2][b - 2] + 1)
    return grid[-1][-1]


@given(st.text("abc", max_size=7), st.text("abc", max_size=7))
@example("", "")
@example("abab", "baba")
def test_typing_errors_are_counted_as_the_whole_table_counts_them(one: str, other: str) -> None:
    """Up to two; more is None."""
    expected = by_table(one, other)
    assert (expected if expected <= 2 else None) == review_words.typed_wrong(one, other)


NOBODY = dict.fromkeys([name for subject in review_words.SUBJECTS for name in (subject.value, subject.key)])


@pytest.mark.parametrize(
    ("left", "right", "expected"),
    [
        ({}, {}, "nothing to compare"),
        ({"email": "A@x.y", "email_key": "a@x.y"}, {}, "e-mail on one side only"),
        ({"city": "Bonn"}, {"city": " BONN"}, "same city, written differently"),
        ({"postcode": "LS1 4DY"}, {"postcode": "ls14dy"}, "same postcode, written differently"),
        ({"date_of_birth": 0}, {"date_of_birth": 5000}, "different date of birth"),
        (
            {"first_name_key": "minh", "last_name_key": "ng"},
            {"first_name_key": "ng", "last_name_key": "minh"},
            "first name is the other's last name; last name is the other's first name",
        ),
    ],
)
def test_findings_in_words(left: dict[str, Any], right: dict[str, Any], expected: str) -> None:
    """Absent, written differently, different, swapped."""
    assert expected == review_words.evidence({**NOBODY, **left}, {**NOBODY, **right}, None)


def test_every_rule_and_constraint_has_words() -> None:
    """A rule that is added must be told in words that a steward knows."""
    for number, rule in enumerate(MATCH_RULES):
        for reason in review_words.CONSTRAINTS:
            assert f"the rule {rule.name} would link them (same " in review_words.question(number, reason, None, None)
