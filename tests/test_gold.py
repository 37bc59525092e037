"""Gold: one row per person, true for one moment; each definition at its edges."""

from __future__ import annotations

import datetime
from collections import defaultdict
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from c360lib import rules
from c360lib.engines.base import Engine
from c360lib.schemas import GOLD
from tests.support import (
    AS_OF,
    UNSHRUNK,
    Row,
    Scene,
    World,
    account,
    click,
    consent,
    decision,
    erasure,
    made_fast,
    order,
    picked,
    ticket,
    touch,
)

scene = Scene("customer_360", "customer_features", "customer_profile_base", "customer_labels", "orders")
END = datetime.date(2026, 6, 30)


@pytest.fixture
def made(engine: Engine, request: pytest.FixtureRequest) -> World:
    """The tables of the test's own rows."""
    return scene.world(engine, request.node.originalname)


def days_ago(days: int, time: str = "00:00:00") -> str:
    """A moment of the day so many days before as_of."""
    return f"{END - datetime.timedelta(days=days)}T{time}Z"


# --- who is in --------------------------------------------------------------------------------------------------------
@scene.of(account("a"))
def test_a_person_who_never_did_anything_has_a_row(made: World) -> None:
    """Zeros where there was nothing to count, nulls where there is nothing to say."""
    [row] = made("customer_360", *(c.name for c in GOLD["customer_360"].columns))
    nulls = {
        "first_name",
        "last_name",
        "email",
        "phone",
        "country",
        "average_order_value_cents",
        "first_order_ts",
        "last_order_ts",
        "rfm_recency_days",
        "clv_frequency",
        "clv_recency_days",
        "clv_age_days",
        "last_seen_ts",
        "csat_avg_x100",
    }
    expected = {
        "profile_id": "P-crm:a",
        "as_of": AS_OF,
        "source_record_count": 1,
        "order_count": 0,
        "lifetime_value_cents": 0,
        "rfm_frequency": 0,
        "rfm_monetary_cents": 0,
        "rfm_score": "111",
        "sessions_30d": 0,
        "events_30d": 0,
        "tickets_90d": 0,
        "open_tickets": 0,
        "churn_score": 50,
        "churn_risk": "medium",
        "value_tier": "none",
        "segment": "prospect",
        "consent_marketing": False,
        "consent_personalization": False,
        "consent_analytics": False,
        "freshness_ts": "2026-01-01T00:00:00Z",
        "contract_version": rules.CONTRACT_VERSION,
        **dict.fromkeys(nulls),
    }
    assert expected == dict(zip((c.name for c in GOLD["customer_360"].columns), row, strict=True))


@scene.of(account("a"), account("a", op="d", lsn="2"), order("o", "a"))
def test_a_person_without_a_live_account_is_in_silver_only(made: World) -> None:
    """The orders stay there."""
    assert [] == made("customer_360") == made("customer_features") == made("customer_labels")
    assert ["P-crm:a"] == made("customer_profile_base", "profile_id") == made("orders", "profile_id")


@scene.of(
    account("a"),
    account("b"),
    decision("crm:a", "crm:b", "must_link"),
    order("o", "a", "500"),
    account("a", op="d", lsn="2"),
)
def test_orders_of_a_deleted_account_count_while_the_person_has_a_live_one(made: World) -> None:
    """The profile still bears the deleted account's name."""
    assert [("P-crm:a", 2, 500)] == made("customer_360", "profile_id", "source_record_count", "lifetime_value_cents")


# --- orders -----------------------------------------------------------------------------------------------------------
@scene.of(
    account("a"),
    order("1", "a", "100"),
    order("2", "a", "200", status="placed"),
    order("3", "a", "400", status="cancelled"),
    order("4", "a", "800", status="refunded"),
    order("5", "a", "1600"),
    order("5", "a", op="d", lsn="2"),
    order("6", "a", "3200", lsn="1"),
    order("6", "a", "3200", lsn="2", status="refunded"),
)
def test_every_living_order_is_counted_and_only_paid_ones_are_worth_something(made: World) -> None:
    """By their latest status; a deleted order leaves gold."""
    assert [(5, 100, 1, 100, 100)] == made(
        "customer_360",
        "order_count",
        "lifetime_value_cents",
        "rfm_frequency",
        "rfm_monetary_cents",
        "average_order_value_cents",
    )


@scene.of(account("a"), order("1", "a", status="placed"), order("2", "a", status="cancelled"))
def test_without_a_paid_order_there_is_no_value(made: World) -> None:
    """Counted, but worth nothing: score 111, recency, average and CLV unknown."""
    columns = (
        "order_count",
        "lifetime_value_cents",
        "rfm_score",
        "rfm_frequency",
        "segment",
        "rfm_recency_days",
        "average_order_value_cents",
        "clv_frequency",
        "clv_recency_days",
        "clv_age_days",
        "first_order_ts",
        "last_order_ts",
    )
    assert [(2, 0, "111", 0, "prospect", *[None] * 7)] == made("customer_360", *columns)


@scene.of(account("a"), order("1", "a", "0"))
def test_a_free_order_is_an_order(made: World) -> None:
    """Paid with nothing: it has a recency, and its band."""
    assert [(1, 0, 0, "511", "none", "new")] == made(
        "customer_360",
        "rfm_frequency",
        "lifetime_value_cents",
        "average_order_value_cents",
        "rfm_score",
        "value_tier",
        "segment",
    )


@scene.of(
    account("a"),
    order("1", "a", "5", ordered="2026-03-01", at="2026-06-01"),
    order("2", "a", "7", ordered="2026-05-01", at="2026-05-02"),
    order("3", "a", "9", ordered="soon"),
)
def test_orders_are_timed_by_when_they_were_placed(made: World) -> None:
    """Not by when their row was written; an order without a readable time is counted and not valued."""
    assert [("2026-03-01T00:00:00Z", "2026-05-01T00:00:00Z", 3, 12)] == made(
        "customer_360", "first_order_ts", "last_order_ts", "order_count", "lifetime_value_cents"
    )


@scene.of(account("a"), order("1", "a", "5", ordered=AS_OF), order("2", "a", "7", ordered="2026-07-01"))
def test_an_order_after_as_of_is_not_valued(made: World) -> None:
    """Even if the source announced it before."""
    assert [(5, 0, 1)] == made("customer_360", "lifetime_value_cents", "rfm_recency_days", "rfm_frequency")


@scene.of(
    account("a"),
    order("1", "a", "1"),
    order("2", "a", "2"),
    account("b"),
    order("3", "b", "1"),
    order("4", "b", "1"),
    order("5", "b", "2"),
    account("c"),
    order("6", "c", "1"),
    order("7", "c", "1"),
    order("8", "c", "3"),
)
def test_averages_are_rounded_half_up(made: World) -> None:
    """1.5 to 2, 1.33 to 1, 1.67 to 2."""
    assert [2, 1, 2] == made("customer_360", "average_order_value_cents")


@scene.of(account("a"), order("1", "a", "999999999999999"), order("2", "a", "999999999999999"))
def test_money_is_exact(made: World) -> None:
    """Whole cents, far beyond what a float could hold apart."""
    assert [(1_999_999_999_999_998, 999_999_999_999_999, "high")] == made(
        "customer_360", "lifetime_value_cents", "average_order_value_cents", "value_tier"
    )


@scene.of(
    account("a"),
    order("1", "a", ordered="2026-06-29T23:59:59Z"),
    account("b"),
    order("2", "b", ordered="2026-06-30"),
    account("c"),
    order("3", "c", ordered="2025-06-30"),
)
def test_days_are_differences_of_dates(made: World) -> None:
    """Two seconds over midnight are a day."""
    assert [1, 0, 365] == made("customer_360", "rfm_recency_days")


@scene.of(
    account("a"),
    order("1", "a", ordered="2026-06-01T08:00:00Z"),
    order("2", "a", ordered="2026-06-01T20:00:00Z"),
    order("3", "a", ordered="2026-06-11"),
    order("4", "a", ordered="2026-06-05", status="placed"),
    account("b"),
    order("5", "b", ordered="2026-06-20"),
)
def test_clv_counts_purchase_days(made: World) -> None:
    """Two orders of one day are one purchase; frequency is repeat purchases; one purchase has neither."""
    assert [(3, 1, 10, 29), (1, 0, 0, 10)] == made(
        "customer_360", "rfm_frequency", "clv_frequency", "clv_recency_days", "clv_age_days"
    )


BANDS = {
    "recency": {0: "5", 30: "5", 31: "4", 90: "4", 91: "3", 180: "3", 181: "2", 365: "2", 366: "1", 3000: "1"},
    "frequency": {1: "1", 2: "2", 3: "3", 5: "3", 6: "4", 9: "4", 10: "5", 12: "5"},
    "monetary": {
        0: "1",
        4_999: "1",
        5_000: "2",
        19_999: "2",
        20_000: "3",
        49_999: "3",
        50_000: "4",
        99_999: "4",
        100_000: "5",
    },
}


@scene.of(
    *(
        row
        for days in BANDS["recency"]
        for row in (account(f"{days:04d}"), order(f"{days}", f"{days:04d}", ordered=days_ago(days, "23:59:59")))
    )
)
def test_recency_bands_have_their_edges(made: World) -> None:
    """Days from the last paid order, the first digit of the score."""
    assert BANDS["recency"] == {days: score[0] for days, score in made("customer_360", "rfm_recency_days", "rfm_score")}


@scene.of(
    *(
        row
        for count in BANDS["frequency"]
        for row in (account(f"{count:02d}"), *(order(f"{count}-{n}", f"{count:02d}", "0") for n in range(count)))
    )
)
def test_frequency_bands_have_their_edges(made: World) -> None:
    """Paid orders, the second digit."""
    assert BANDS["frequency"] == {
        count: score[1] for count, score in made("customer_360", "rfm_frequency", "rfm_score")
    }


@scene.of(
    *(
        row
        for cents in BANDS["monetary"]
        for row in (account(f"{cents:06d}"), order(f"{cents}", f"{cents:06d}", f"{cents}"))
    )
)
def test_monetary_bands_have_their_edges(made: World) -> None:
    """Cents, the third digit."""
    assert BANDS["monetary"] == {
        cents: score[2] for cents, score in made("customer_360", "rfm_monetary_cents", "rfm_score")
    }


TIERS = {0: "none", 1: "low", 24_999: "low", 25_000: "middle", 74_999: "middle", 75_000: "high"}


@scene.of(*(row for cents in TIERS for row in (account(f"{cents:06d}"), order(f"{cents}", f"{cents:06d}", f"{cents}"))))
def test_value_tiers_have_their_edges(made: World) -> None:
    """Cents of lifetime value."""
    assert TIERS == dict(made("customer_360", "lifetime_value_cents", "value_tier"))


# --- behaviour --------------------------------------------------------------------------------------------------------
@scene.of(
    account("a"),
    click("1", "2026-05-31T23:59:59Z", "a", "d"),
    click("2", "2026-06-01", "a", "d"),
    click("3", "2026-06-20T10:00:00Z", "a", "d"),
    click("4", "2026-06-20T10:10:00Z", "a", "d"),
    click("5", AS_OF, "a", "d"),
    account("b"),
    click("6", "2026-05-31T23:59:59Z", "b", "f"),
)
def test_the_window_is_open_at_its_start_and_closed_at_its_end(made: World) -> None:
    """(as_of - 30 days, as_of]: the very second 30 days ago is out, as_of is in; older ones tell when one was seen."""
    assert [(4, 3, AS_OF), (0, 0, "2026-05-31T23:59:59Z")] == made(
        "customer_360", "events_30d", "sessions_30d", "last_seen_ts"
    )


@scene.of(
    account("a"),
    account("b"),
    click("1", "2026-06-20T10:00:00Z", "a", "d"),
    click("2", "2026-06-20T10:05:00Z", "b", "d"),
    click("3", "2026-06-20T10:10:00Z", "a", "d"),
    click("4", "2026-06-20T10:11:00Z", device="d"),
)
def test_a_visit_counts_once_for_each_person_in_it(made: World) -> None:
    """Two people on one sofa: one visit each, each their own events; the stitched one is the previous person's."""
    assert [(1, 3), (1, 1)] == made("customer_360", "sessions_30d", "events_30d")


# --- support ----------------------------------------------------------------------------------------------------------
@scene.of(
    account("a"),
    ticket("1", "a", opened="2026-04-01T23:59:59Z", status="closed"),
    ticket("2", "a", opened="2026-04-02", status="closed"),
    ticket("3", "a", opened=AS_OF, status="closed"),
    ticket("4", "a", opened="2026-07-01", status="closed"),
    ticket("5", "a", opened="", status="closed"),
    ticket("6", "a", opened="2026-06-01"),
    ticket("6", op="d", lsn="2"),
)
def test_tickets_are_counted_when_they_were_opened(made: World) -> None:
    """(as_of - 90 days, as_of]; a deleted ticket leaves gold; one without a time is in no window."""
    assert [(2, 0)] == made("customer_360", "tickets_90d", "open_tickets")


@scene.of(
    account("a"),
    *(ticket(status, "a", status=status, opened="2025-01-01") for status in ("open", "pending", "resolved", "closed")),
)
def test_open_is_neither_resolved_nor_closed(made: World) -> None:
    """However old."""
    assert [(2, 0)] == made("customer_360", "open_tickets", "tickets_90d")


def solved(ticket_id: str, customer_id: str, csat: str, resolved: str = "2026-06-10") -> Row:
    """A closed ticket with its score."""
    return ticket(ticket_id, customer_id, status="closed", resolved=resolved, csat=csat)


@scene.of(
    account("a"),
    solved("1", "a", "4"),
    solved("2", "a", "5"),
    solved("3", "a", "5"),
    solved("4", "a", ""),
    solved("5", "a", "1", "2026-07-01"),
    solved("6", "a", "1", ""),
    account("b"),
    *(solved(f"b{n}", "b", score) for n, score in enumerate("11111112")),
    account("c"),
    solved("c1", "c", "3", AS_OF),
    account("d"),
    solved("d1", "d", "9"),
)
def test_satisfaction_is_that_of_scored_tickets_resolved_by_as_of(made: World) -> None:
    """14 / 3 is 467 hundredths, 9 / 8 = 1.125 rounds half up to 113; a score that cannot be is none."""
    assert [467, 113, 300, None] == made("customer_360", "csat_avg_x100")


# --- churn and segments -----------------------------------------------------------------------------------------------
CHURN = {0: 20, 30: 20, 31: 35, 90: 35, 91: 50, 180: 50, 181: 65, 365: 65, 366: 80}


@scene.of(
    *(
        row
        for days in CHURN
        for row in (account(f"{days:04d}"), order(f"{days}", f"{days:04d}", ordered=days_ago(days)))
    )
)
def test_churn_points_for_recency(made: World) -> None:
    """Beside 20 points for not having visited."""
    assert CHURN == dict(made("customer_360", "rfm_recency_days", "churn_score"))
    assert {
        days: "high" if score >= 70 else "medium" if score >= 40 else "low" for days, score in CHURN.items()
    } == dict(made("customer_360", "rfm_recency_days", "churn_risk"))


@scene.of(
    account("0"),
    account("1"),
    click("1", "2026-06-10", "1"),
    account("2"),
    *(click(f"2{n}", f"2026-06-1{n}", "2") for n in range(2)),
    account("3"),
    *(click(f"3{n}", f"2026-06-1{n}", "3") for n in range(3)),
)
def test_churn_points_for_visits(made: World) -> None:
    """20 for none, 10 for one or two, 0 from three on; beside 30 points for never having paid."""
    assert [(0, 50), (1, 40), (2, 40), (3, 30)] == made("customer_360", "sessions_30d", "churn_score")


@scene.of(
    account("1"),
    ticket("1", "1"),
    account("2"),
    ticket("2", "2"),
    ticket("3", "2"),
    account("3"),
    solved("4", "3", "2"),
    solved("5", "3", "3"),
    account("4"),
    solved("6", "4", "3"),
    account("5"),
    order("o", "5", ordered=days_ago(366)),
    ticket("t", "5"),
    solved("u", "5", "1"),
)
def test_churn_points_for_support(made: World) -> None:
    """10 for an open ticket, be it one or more; 10 for satisfaction below 3.00; at most 100 in all."""
    assert [60, 60, 60, 50, 100] == made("customer_360", "churn_score")


def bought(who: str, *orders: tuple[int, int]) -> list[Row]:
    """An account and its paid orders: (days before as_of, cents)."""
    return [
        account(who),
        *(order(f"{who}{n}", who, f"{cents}", ordered=days_ago(days)) for n, (days, cents) in enumerate(orders)),
    ]


SEGMENTS = {
    "a new": [(60, 1)],
    "b regular": [(61, 1)],
    "c champion": [(90, 10_000)] * 6,
    "d loyal": [(91, 10_000)] * 6,
    "e loyal": [(90, 8_000)] * 6,
    "f loyal": [(180, 1)] * 3,
    "g at_risk": [(181, 1)] * 3,
    "h at_risk": [(365, 1)] * 2,
    "i lapsed": [(366, 50_000)] * 10,
    "j regular": [(200, 1)],
    "k new": [(60, 10_000)] * 10,
    "l regular": [(100, 1)] * 2,
    "m lapsed": [(366, 1)],
}


@scene.of(*(row for name, orders in SEGMENTS.items() for row in bought(name, *orders)))
def test_segments_are_the_first_rule_that_holds(made: World) -> None:
    """New before champion before loyal before lapsed before at risk; each at its edges."""
    assert [name.split()[1] for name in SEGMENTS] == made("customer_360", "segment")


def test_small_segments_are_suppressed() -> None:
    """Nine people are too few to publish figures, ten are not; means are rounded half up."""
    rows = [account(f"{n:02d}") for n in range(10)] + [row for n in range(9) for row in bought(f"x{n}", (10, 100))]
    rows += [click("1", "2026-06-10", "00")]
    expected = [
        {
            "segment": "new",
            "is_suppressed": True,
            "profile_count": None,
            "lifetime_value_cents": None,
            "average_churn_score_x100": None,
            "high_churn_risk_count": None,
        },
        {
            "segment": "prospect",
            "is_suppressed": False,
            "profile_count": 10,
            "lifetime_value_cents": 0,
            "average_churn_score_x100": 4_900,
            "high_churn_risk_count": 0,
        },
    ]
    assert expected == made_fast(rows, "segment_summary")


# --- survivorship -----------------------------------------------------------------------------------------------------
def person(*accounts: Row) -> list[Row]:
    """Accounts that a steward joined."""
    ids = [row.cells["customer_id"] for row in accounts]
    return [*accounts, *(decision(f"crm:{ids[0]}", f"crm:{other}", "must_link") for other in ids[1:])]


NAMES = ("first_name", "last_name", "email", "phone", "street", "city", "postcode", "country", "loyalty_id")


@scene.of(
    *person(
        account(
            "a",
            "2026-01-01",
            first_name="Ada",
            last_name="King",
            email="a@x.y",
            phone="0301234567",
            street="Wall 1",
            city="Bonn",
            postcode="1",
            country="DE",
            loyalty_id="L1",
        ),
        account("b", "2026-02-01", first_name="A.", city="Ulm"),
        account("c", "2026-03-01", email="c@x.y"),
    )
)
def test_names_and_addresses_survive_whole_and_other_values_alone(made: World) -> None:
    """The newest name says nothing of a family name, and no other account's is put beside it."""
    assert [("A.", None, "c@x.y", "0301234567", None, "Ulm", None, None, "L1")] == made("customer_profile_base", *NAMES)


@scene.of(
    *person(
        account("b", "2026-03-01", email="b@x.y"),
        account("a", "2026-03-01", email="a@x.y"),
        account("c", "2026-02-01", email="c@x.y"),
    )
)
def test_of_equally_new_accounts_the_smallest_record_id_survives(made: World) -> None:
    """As text."""
    assert ["a@x.y"] == made("customer_profile_base", "email")


@scene.of(
    *person(account("a", "2026-01-01", email="a@x.y"), account("b", "2026-03-01", email="b@x.y")),
    account("b", "2026-04-01", op="d", lsn="2"),
)
def test_values_of_a_deleted_account_do_not_survive(made: World) -> None:
    """A live account's older value does."""
    assert [("a@x.y", 2, 1)] == made("customer_profile_base", "email", "source_record_count", "live_record_count")


@scene.of(*person(account("a", "2026-01-01", email="a@x.y"), account("b", "2026-03-01", email="not an e-mail")))
def test_an_unreadable_value_does_not_survive(made: World) -> None:
    """It is as if it were not there."""
    assert ["a@x.y"] == made("customer_360", "email")


@scene.of(
    account("a", "2026-03-01", lsn="1", email="old@x.y"), account("a", "2026-02-01", lsn="2", op="u", email="new@x.y")
)
def test_an_account_is_as_its_last_state_says(made: World) -> None:
    """What the last state leaves out is not known any more, and lsn decides which is last."""
    assert ["new@x.y"] == made("customer_360", "email")


# --- freshness, features, labels --------------------------------------------------------------------------------------
FRESH = [
    (account("a", arrived="2026-06-10"),),
    (account("a"), order("o", "a", arrived="2026-06-11")),
    (account("a"), click("e", "2026-06-01", "a", arrived="2026-06-12")),
    (account("a"), ticket("t", "a", arrived="2026-06-13")),
    (account("a"), touch("t", "a", "sent", arrived="2026-06-14")),
    (account("a"), consent("c", "a", "denied", arrived="2026-06-15")),
    (account("a", lsn="2"), account("a", lsn="1", arrived="2026-06-16")),
]


@scene.of(
    *(
        row.but(customer_id=f"{n}", **{k: f"{n}" for k in ("order_id", "event_id", "ticket_id") if k in row.cells})
        for n, rows in enumerate(FRESH)
        for row in rows
    )
)
def test_freshness_is_the_latest_arrival_of_any_row_used(made: World) -> None:
    """Of every source, and of superseded states of the account."""
    assert [f"2026-06-{day}T00:00:00Z" for day in range(10, 17)] == made("customer_360", "freshness_ts")
    assert made("customer_360", "freshness_ts") == made("customer_features", "created_timestamp")


@scene.of(account("a"), order("o", "a", "500", ordered="2026-06-01"))
def test_features_are_the_numbers_of_the_profile(made: World) -> None:
    """With the moment for which they hold; no name, no address, no label."""
    names = ("profile_id", "lifetime_value_cents", "rfm_recency_days", "churn_score")
    assert made("customer_360", *names) == made("customer_features", *names)
    assert [AS_OF] == made("customer_features", "event_timestamp")


@scene.of(account("a"), order("o", "a"))
def test_labels_are_unknown_until_the_data_reach(made: World) -> None:
    """As of today nobody knows who will have left in 90 days."""
    assert [("P-crm:a", AS_OF, None)] == made("customer_labels", "profile_id", "event_timestamp", "churned_90d")


LABEL_AS_OF, LABEL_END = "2026-03-31T23:59:59Z", "2026-06-29T23:59:59Z"
LABEL_ROWS = [
    account("a none"),
    account("b at as_of"),
    order("b", "b at as_of", ordered=LABEL_AS_OF),
    account("c after"),
    order("c", "c after", ordered="2026-04-01"),
    account("d last"),
    order("d", "d last", ordered=LABEL_END, at=LABEL_END),
    account("e late"),
    order("e", "e late", ordered="2026-06-30", at="2026-06-30"),
    account("f unpaid"),
    order("f", "f unpaid", ordered="2026-04-01", status="placed"),
    account("g deleted"),
    order("g", "g deleted", ordered="2026-04-01"),
    order("g", "g deleted", op="d", lsn="2"),
    account("h refunded"),
    order("h", "h refunded", ordered="2026-04-01", at="2026-04-01"),
    order("h", "h refunded", ordered="2026-04-01", at="2026-05-01", lsn="2", status="refunded"),
    account("i new", "2026-04-05"),
]


def labels(reach: str, rows: list[Row] = LABEL_ROWS) -> dict[str, bool | None]:
    """Who churned, as of the end of March."""
    found = made_fast(rows, "customer_labels", as_of=LABEL_AS_OF, reach=reach)
    return {row["profile_id"].removeprefix("P-crm:"): row["churned_90d"] for row in found}


def test_a_label_says_who_did_not_buy_in_the_90_days_after() -> None:
    """(as_of, as_of + 90 days], paid orders as they stand at its end; people of as_of only."""
    expected = {
        "a none": True,
        "b at as_of": True,
        "c after": False,
        "d last": False,
        "e late": True,
        "f unpaid": True,
        "g deleted": True,
        "h refunded": True,
    }
    assert expected == labels(LABEL_END)


def test_labels_need_data_to_the_last_second() -> None:
    """A second less, and they are unknown, though most are already certain."""
    assert {None} == set(labels("2026-06-29T23:59:58Z").values())


def test_features_do_not_look_into_the_future() -> None:
    """Rows that came after as_of change labels, and nothing else."""
    tables = ("customer_360", "customer_features", "activation_candidates")
    past = [row for row in LABEL_ROWS if row.cells["ingest_ts"] <= LABEL_AS_OF]
    assert made_fast(past, *tables, as_of=LABEL_AS_OF) == made_fast(
        LABEL_ROWS, *tables, as_of=LABEL_AS_OF, reach=LABEL_END
    )


@scene.of(
    account("a"),
    account("b"),
    decision("crm:a", "crm:b", "must_link"),
    order("1", "a", "100"),
    order("2", "b", "200"),
    erasure("r", "a"),
)
def test_erased_rows_are_worth_nothing(made: World) -> None:
    """What the erased account bought is gone from the profile."""
    assert [("P-crm:b", 1, 200)] == made("customer_360", "profile_id", "order_count", "lifetime_value_cents")


# --- a reference ------------------------------------------------------------------------------------------------------
ORDERS = st.lists(
    st.tuples(
        st.integers(0, 8),
        st.integers(0, 4),
        st.integers(1, 3),
        st.sampled_from(["c", "u", "d"]),
        st.sampled_from(["paid", "paid", "paid", "placed", "refunded"]),
        st.sampled_from([0, 1, 2, 4_999, 5_000, 20_000, 99_999]),
        st.integers(-2, 400),
        st.integers(0, 86_399),
    ),
    min_size=60,
    max_size=120,
)


def value_of(changes: list[tuple[int, int, int, str, str, int, int, int]]) -> dict[str, dict[str, Any]]:
    """Value by the words of the design, in plain Python; one change for each (person, order, lsn)."""
    orders: dict[tuple[int, int], dict[int, Any]] = defaultdict(dict)
    for person, number, lsn, op, *values in changes:
        orders[person, number][lsn] = (op, *values)
    found: dict[str, dict[str, Any]] = {}
    for person in range(9):
        last = [states[max(states)] for (who, _), states in orders.items() if who == person]
        living = [state for state in last if state[0] != "d"]
        paid = sorted(
            (-ago, second, cents) for _, status, cents, ago, second in living if status == "paid" and ago >= 0
        )
        days, total = sorted({day for day, _, _ in paid}), sum(cents for _, _, cents in paid)
        digits = (
            [
                _digit(-days[-1], rules.RFM_RECENCY_BANDS_DAYS),
                _digit(len(paid), rules.RFM_FREQUENCY_BANDS_ORDERS),
                _digit(total, rules.RFM_MONETARY_BANDS_CENTS),
            ]
            if paid
            else [1, 1, 1]
        )
        found[f"P-crm:{person}"] = {
            "order_count": len(living),
            "lifetime_value_cents": total,
            "rfm_frequency": len(paid),
            "rfm_score": "".join(map(str, digits)),
            "average_order_value_cents": int(total / len(paid) + 0.5) if paid else None,
            "rfm_recency_days": -days[-1] if paid else None,
            "clv_frequency": len(days) - 1 if paid else None,
            "clv_recency_days": days[-1] - days[0] if paid else None,
            "clv_age_days": -days[0] if paid else None,
        }
    return found


def _digit(value: int, bands: tuple[rules.Band, ...]) -> int:
    return next(band.score for band in bands if value >= band.at_least)


@settings(UNSHRUNK, max_examples=2)
@given(ORDERS)
def test_value_is_that_of_a_plain_reading_of_the_orders(
    changes: list[tuple[int, int, int, str, str, int, int, int]],
) -> None:
    """For random orders, changed, deleted, refunded and yet to come, every measure equals a reference in Python."""
    unique = list({change[:3]: change for change in changes}.values())
    rows = [account(f"{person}") for person in range(9)]
    for person, number, lsn, op, status, cents, ago, second in unique:
        time = str(datetime.timedelta(seconds=second)).rjust(8, "0")
        rows.append(
            order(f"{person}-{number}", f"{person}", f"{cents}", days_ago(ago, time), status, op=op, lsn=f"{lsn}")
        )
    expected = value_of(unique)
    columns = next(iter(expected.values()))
    assert expected == {
        row["profile_id"]: {name: row[name] for name in columns} for row in made_fast(rows, "customer_360")
    }


def test_published_columns_are_those_of_the_contract() -> None:
    """Every gold table has exactly the columns of schemas.py, in order, also where there are no rows."""
    tables = made_fast([account("a"), account("a", op="d", lsn="2")], *GOLD)
    assert dict.fromkeys(GOLD, 0) == {name: len(rows) for name, rows in tables.items()}
    tables = made_fast([account("a")], *GOLD)
    assert {name: [list(table.column_names)] for name, table in GOLD.items()} == {
        name: picked([{"c": list(row)} for row in rows[:1]], "c") for name, rows in tables.items()
    }
