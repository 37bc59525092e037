"""What wrong merges cost: a planted one, beside what counting by hand gives."""

from __future__ import annotations

from collections.abc import Iterable

import pyarrow as pa

from c360lib.commands.evaluate import costs, evaluate
from c360lib.commands.evaluate.costs import Cost, Marts
from c360lib.engines.open import open_engine
from c360lib.layers.layer import Moment
from c360lib.layers.run import run_layers
from tests.support import AS_OF, FAST, Row, account, consent, decision, frames, order, seconds

AT = Moment(seconds(AS_OF), seconds(AS_OF))
ADA = {"first_name": "Ada", "date_of_birth": "1980-01-01", "email": "ada@example.com", "phone": "+4930111111"}
BEN = {"first_name": "Ben", "date_of_birth": "1990-02-02", "email": "ben@example.com", "phone": "+4930222222"}
WORLD = (
    account("a1", "2026-01-01", **ADA),
    account("a2", "2026-01-02", **ADA),
    account("b1", "2026-01-03", **BEN),
    # Ada: 15,000 cents, two orders in June: new, tier low, churn 20 points. Ben: 40,000 long ago: lapsed, middle, 80.
    order("o1", "a1", "10000", "2026-06-01"),
    order("o2", "a2", "5000", "2026-06-10"),
    order("o3", "b1", "40000", "2025-01-01", at="2026-01-03"),
    order("o4", "b1", "999", "2026-06-01", status="cancelled"),
    order("o5", "b1", "700", "2026-06-01"),
    order("o5", "b1", op="d", lsn="2", at="2026-06-02"),
    # Only Ben allows marketing by e-mail; Ada allows analytics by sms, which Ben withdrew later; both allow push.
    consent("c1", "b1", "granted", "2026-05-01", "marketing", "email"),
    consent("c2", "a1", "granted", "2026-04-01", "analytics", "sms"),
    consent("c3", "b1", "withdrawn", "2026-05-01", "analytics", "sms"),
    consent("c4", "a1", "granted", "2026-03-01", "marketing", "push"),
    consent("c5", "b1", "granted", "2026-04-01", "marketing", "push"),
)
TRUTH = {"crm:a1": "ada", "crm:a2": "ada", "crm:b1": "ben"}
Wrong = tuple[list[Cost], list[Cost]]


def cost_of(rows: Iterable[Row], truth: dict[str, str]) -> Wrong:
    """Bad and missed merges of what the layers make of the rows."""
    rows = list(rows)
    targets = ("account_states", "customer_identity", "customer_360", "activation_candidates")
    with open_engine(FAST) as engine:
        made = {name: engine.table(frame) for name, frame in run_layers(engine, frames(engine, rows), AT, targets)}
        resolved = Marts(*(made[name] for name in targets[1:]))
        ids = resolved.accounts
        homes = dict(zip(ids["record_id"].to_pylist(), ids["profile_id"].to_pylist(), strict=True))
        persons = costs.whole_truth(homes, truth)
        true, cents_of = evaluate.true_marts(engine, frames(engine, rows), AT, made["account_states"], persons)
    return costs.costs(resolved, true, cents_of)


def test_a_planted_bad_merge_costs_what_counting_by_hand_gives() -> None:
    """A wrong must_link: Ben's 40,000 cents move; Ada is opened to marketing by e-mail, closed to analytics by sms, and
    her push goes to Ben; together they are loyal, middle and of low risk, so three bands of four are wrong twice.
    """
    bad, missed = cost_of([*WORLD, decision("crm:a1", "crm:b1", "must_link")], TRUTH)
    expected = Cost("P-crm:a1", 2, 3, 40_000, opened=1, closed=1, redirected=1, churn_risk=1, segment=2, value_tier=1)
    assert ([expected], []) == (bad, missed)


def test_a_missed_merge_costs_what_counting_by_hand_gives() -> None:
    """The same accounts, apart though they are one person: what was wrong together is now wrong apart."""
    bad, missed = cost_of(WORLD, dict.fromkeys(TRUTH, "ada"))
    expected = Cost("P-crm:a1", 2, 3, 40_000, opened=1, closed=1, redirected=0, churn_risk=1, segment=2, value_tier=1)
    assert ([], [expected]) == (bad, missed)


def test_right_merges_cost_nothing() -> None:
    """No group, no row, on data that hold every kind of difference."""
    assert ([], []) == cost_of(WORLD, TRUTH)


def test_an_account_that_the_truth_does_not_name_costs_nothing() -> None:
    """It goes with most of its profile, also where the truth names nobody of it."""
    merged = [*WORLD, decision("crm:a1", "crm:b1", "must_link")]
    assert ([], []) == cost_of(merged, {"crm:a1": "ada", "crm:a2": "ada"})
    assert ([], []) == cost_of(merged, {})


def test_a_deleted_account_moves_value_but_cannot_be_contacted() -> None:
    """Its orders count in the wrong profile; doors and bands are those of people with a live account."""
    gone = account("b1", "2026-06-03", op="d", lsn="2")
    ((bad,), missed) = cost_of([*WORLD, gone, decision("crm:a1", "crm:b1", "must_link")], TRUTH)
    assert (40_000, []) == (bad.moved_cents, missed)
    # Ben's deleted account opens nothing, but its withdrawal and its later, void grant both close Ada's doors.
    assert (0, 2, 0) == (bad.opened, bad.closed, bad.redirected)
    assert (0, 1, 1) == (bad.churn_risk, bad.segment, bad.value_tier)


def test_a_person_torn_and_mixed_is_counted_once() -> None:
    """Ada's second account is in Ben's profile: doors and bands count in the bad merge, the torn value beside it."""
    rows = [*WORLD, decision("crm:a1", "crm:a2", "cannot_link"), decision("crm:a2", "crm:b1", "must_link")]
    (bad,), (missed,) = cost_of(rows, TRUTH)
    assert ("P-crm:a2", 2, 2, 40_000) == bad[:4]  # a tie: the person with the smaller name is the main one
    assert ("P-crm:a1", 2, 2, 5_000) == missed[:4]
    assert (1, 1) == (bad.opened, bad.closed)
    assert (0, 0) == (missed.opened, missed.closed)


def test_the_true_person_is_the_oldest_account() -> None:
    """By first event, then record_id; an account alone is no cluster."""
    accounts = pa.table(
        {"node": [7, 8, 9, 10], "record_id": ["x:d", "x:c", "x:b", "x:a"], "first_event_ts": [5, 5, 6, 1]}
    )
    found = costs.true_clusters(accounts, {"x:d": "one", "x:c": "one", "x:b": "one", "x:a": "two"})
    assert [(7, 8), (8, 8), (9, 8)] == list(zip(*(found[n].to_pylist() for n in ("node", "person")), strict=True))
