"""Silver: every row has exactly one disposition, and what is current is conformed."""

from __future__ import annotations

import pytest

from c360lib.engines.base import Engine
from tests.support import (
    Scene,
    World,
    account,
    click,
    consent,
    counts,
    erasure,
    made_fast,
    order,
    picked,
    ticket,
    touch,
)

scene = Scene(
    "customer_identity",
    "orders",
    "clickstream",
    "support_tickets",
    "campaign_events",
    "consent_events",
    "erasure_requests",
    "quarantine",
    "field_issues",
)


@pytest.fixture
def made(engine: Engine, request: pytest.FixtureRequest) -> World:
    """The tables of the test's own rows."""
    return scene.world(engine, request.node.originalname)


# --- dispositions -----------------------------------------------------------------------------------------------------
@scene.of(
    account("a"),
    order("o", "a", lsn="2", cents="200"),
    order("o", "a", lsn="10", cents="1000"),
    order("o", "a", lsn="9", cents="900"),
)
def test_the_largest_lsn_is_the_last_state(made: World) -> None:
    """Lsn is a number and decides alone: not event_ts, not the file's order."""
    assert [("o", 1000)] == made("orders", "order_id", "net_amount_cents")


@scene.of(
    account("a"),
    order("o", "a", lsn="2", at="2026-01-02", cents="2"),
    order("o", "a", lsn="1", at="2026-05-05", cents="1"),
)
def test_event_time_does_not_decide_the_last_state(made: World) -> None:
    """A clock that ran backwards at the source changes nothing."""
    assert [(2, "2026-01-02T00:00:00Z")] == made("orders", "net_amount_cents", "event_ts")


def test_states_before_the_last_are_superseded() -> None:
    """Three states of one order: one current, two superseded."""
    rows = [account("a"), *(order("o", "a", lsn=str(n)) for n in range(3))]
    assert {"current": 1, "superseded": 2} == counts(rows, "orders")


@scene.of(
    account("a"),
    order("o", "a", arrived="2026-06-09"),
    order("o", "a", arrived="2026-06-02"),
    order("o", "a", arrived="2026-06-03"),
    click("e", "2026-06-01", "a", arrived="2026-06-05"),
    click("e", "2026-06-01", "a", arrived="2026-06-04"),
)
def test_the_earliest_of_equal_rows_is_kept(made: World) -> None:
    """Delivered again is a duplicate: everything is equal but ingest_ts."""
    assert ["2026-06-02T00:00:00Z"] == made("orders", "ingest_ts")
    assert ["2026-06-04T00:00:00Z"] == made("clickstream", "ingest_ts")
    assert [] == made("quarantine")


def test_equal_rows_are_duplicates() -> None:
    """Each but one; also where they arrived in the same second."""
    rows = [
        account("a"),
        *[order("o", "a")] * 3,
        order("o", "a", arrived="2026-06-02"),
        *[click("e", "2026-06-01")] * 2,
    ]
    assert {"current": 1, "duplicate": 3} == counts(rows, "orders")
    assert {"current": 1, "duplicate": 1} == counts(rows, "clickstream")


@scene.of(
    account("a"),
    order("o", "a", lsn="1", cents="1"),
    order("o", "a", lsn="2", cents="2"),
    order("o", "a", lsn="2", cents="3"),
    click("e", "2026-06-01", "a", page="/x"),
    click("e", "2026-06-01", "a", page="/y"),
    click("f", "2026-06-01", "a"),
    click("f", "2026-06-01", ""),
)
def test_equal_keys_with_other_content_are_all_quarantined(made: World) -> None:
    """Nobody can say which is right; the state before holds."""
    assert [("o", 1)] == made("orders", "order_id", "net_amount_cents")
    assert [] == made("clickstream", "event_id")
    one = "one_content_per_key"
    expected = [
        ("clickstream", 1, one),
        ("clickstream", 2, one),
        ("clickstream", 3, one),
        ("clickstream", 4, one),
        ("orders", 2, one),
        ("orders", 3, one),
    ]
    assert expected == made("quarantine", "source", "row_number", "rule")


@scene.of(
    account("a"),
    click("e", "2026-06-01", "a", page="/x\x1fy", referrer="z"),
    click("e", "2026-06-01", "a", page="/x", referrer="y\x1fz"),
)
def test_cells_do_not_run_into_one_another(made: World) -> None:
    """Two rows that differ only in where a separator stands are a conflict, not a duplicate."""
    assert ["one_content_per_key"] * 2 == made("quarantine", "rule")


@scene.of(account("a"), order("o", "a", cents="5"), order("o", "a", cents="-5"))
def test_an_unusable_copy_does_not_take_the_good_row_along(made: World) -> None:
    """A row that breaks a rule is no rival of one that does not."""
    assert [5] == made("orders", "net_amount_cents")
    assert [("orders", 2, "amount_not_negative")] == made("quarantine", "source", "row_number", "rule")


@scene.of(
    account("a"),
    order("o", "a"),
    order("o", "a", arrived="2026-07-01", cents="9"),
    order("o", "a", lsn="2", arrived="2026-07-01", cents="9"),
)
def test_what_has_not_arrived_decides_nothing(made: World) -> None:
    """A rival or a later state from after as_of is not there yet."""
    assert [1000] == made("orders", "net_amount_cents")


def test_as_of_is_the_last_second_that_counts() -> None:
    """event_ts and ingest_ts of as_of itself are in; a second later is not yet, whichever of the two is late."""
    end, next_second = "2026-06-30T23:59:59Z", "2026-07-01T00:00:00Z"
    rows = [account("a"), click("1", end), click("2", end, arrived=next_second), click("3", next_second, arrived=end)]
    assert ["1"] == picked(made_fast(rows, "clickstream"), "event_id")
    assert {"current": 1, "not_yet": 2} == counts(rows, "clickstream")


def test_dispositions_have_a_precedence() -> None:
    """Not arrived comes before erased, erased before quarantined, quarantined before ahead of as_of."""
    late, end = "2026-07-01T00:00:00Z", "2026-06-30T23:59:59Z"
    rows = [account("a"), account("b"), erasure("r", "b")]
    assert {"not_yet": 1} == counts([*rows, order("o", "b", status="lost", arrived=late)], "orders")
    assert {"erased": 1} == counts([*rows, order("o", "b", status="lost")], "orders")
    assert {"quarantined": 1} == counts([*rows, order("o", "a", status="lost", at=late, arrived=end)], "orders")
    assert {"not_yet": 1} == counts([*rows, order("o", "a", at=late, arrived=end)], "orders")


def test_a_row_whose_arrival_is_unreadable_is_quarantined() -> None:
    """It is there, so it is not `not_yet`."""
    assert {"quarantined": 1} == counts([account("a"), order("o", "a", arrived="soon")], "orders")


# --- accounts that do not exist ---------------------------------------------------------------------------------------
@scene.of(
    account("a"),
    order("o", "nobody"),
    click("e", "2026-06-01", "nobody"),
    ticket("t", "nobody"),
    touch("s", "nobody", "sent"),
    consent("k", "nobody", "granted"),
)
def test_rows_of_an_unknown_account_are_quarantined(made: World) -> None:
    """A reference must lead somewhere."""
    sources = ["campaign_events", "clickstream", "consent_events", "orders", "support_tickets"]
    assert [(source, "account_exists", "no account crm:nobody") for source in sources] == made(
        "quarantine", "source", "rule", "detail"
    )


@scene.of(
    account("late", arrived="2026-06-20"), order("o", "late", arrived="2026-06-01"), click("e", "2026-06-01", "late")
)
def test_rows_leave_quarantine_when_their_account_arrives(made: World) -> None:
    """However much later that is."""
    assert [] == made("quarantine")
    assert [("o", "P-crm:late")] == made("orders", "order_id", "profile_id")
    assert [("e", "P-crm:late")] == made("clickstream", "event_id", "profile_id")


def test_rows_are_quarantined_until_their_account_arrives() -> None:
    """The day before, the account is not there."""
    rows = [account("x"), account("late", arrived="2026-06-20"), order("o", "late")]
    assert {"quarantined": 1} == counts(rows, "orders", as_of="2026-06-19T23:59:59Z")
    assert {"current": 1} == counts(rows, "orders", as_of="2026-06-20T23:59:59Z")


@scene.of(account("a", lsn="x"), order("o", "a"), account("b", op="d"), order("p", "b"))
def test_an_unusable_account_row_makes_no_account_and_a_deleted_account_is_one(made: World) -> None:
    """Orders of the first lead nowhere; orders of the second lead to a deleted account."""
    assert [("customers", "readable_lsn"), ("orders", "account_exists")] == made("quarantine", "source", "rule")
    assert [("p", "P-crm:b")] == made("orders", "order_id", "profile_id")


@scene.of(account("a", system="").but(source_system="web"), order("o", "a"))
def test_an_id_belongs_to_its_system(made: World) -> None:
    """web:a is not crm:a."""
    assert [("orders", "account_exists")] == made("quarantine", "source", "rule")


# --- deletes ----------------------------------------------------------------------------------------------------------
@scene.of(
    account("a"),
    order("o", "a", lsn="1", cents="5"),
    order("o", "", op="d", lsn="2", status="", cents="", ordered="", at="2026-06-09").but(currency=""),
)
def test_a_deleted_order_keeps_its_last_values(made: World) -> None:
    """The delete itself need say nothing but which order; its times are those of the delete."""
    found = made(
        "orders", "order_id", "profile_id", "record_id", "status", "net_amount_cents", "is_deleted", "event_ts"
    )
    assert [("o", "P-crm:a", "crm:a", "paid", 5, True, "2026-06-09T00:00:00Z")] == found
    assert [] == made("quarantine")


@scene.of(account("a"), order("o", "a", op="d", cents="", status="").but(currency=""))
def test_a_delete_without_any_state_is_kept(made: World) -> None:
    """The order is deleted and nothing more is known of it."""
    assert [("o", None, None, True)] == made("orders", "order_id", "status", "net_amount_cents", "is_deleted")


@scene.of(account("a"), order("o", "", op="d", cents="", status="").but(currency=""))
def test_a_delete_that_leads_to_no_account_is_quarantined(made: World) -> None:
    """Neither it nor any state names one."""
    assert [("orders", "account_exists")] == made("quarantine", "source", "rule")


@scene.of(
    account("a"),
    order("o", "a", lsn="1"),
    order("o", "a", op="d", lsn="2"),
    order("o", "a", op="u", lsn="3", cents="7"),
)
def test_a_row_after_a_delete_brings_the_order_back(made: World) -> None:
    """The last state holds, whatever came before."""
    assert [("o", 7, False)] == made("orders", "order_id", "net_amount_cents", "is_deleted")


@scene.of(account("a"), order("o", "a", lsn="3", cents="7"), order("o", "a", op="d", lsn="2"))
def test_a_delete_that_was_overtaken_deletes_nothing(made: World) -> None:
    """A delete with a smaller lsn is superseded."""
    assert [("o", 7, False)] == made("orders", "order_id", "net_amount_cents", "is_deleted")


@scene.of(
    account("a"),
    order("o", "a", lsn="1", cents="1"),
    order("o", "a", lsn="2", cents="-2"),
    order("o", "", op="d", lsn="3"),
)
def test_a_delete_takes_the_last_usable_state(made: World) -> None:
    """An unusable state is not one."""
    assert [("o", 1, True)] == made("orders", "order_id", "net_amount_cents", "is_deleted")


@scene.of(
    account("a", first_name="Ada"),
    account("a", op="d", lsn="2", at="2026-02-02"),
    ticket("t", "a", lsn="1", csat="4"),
    ticket("t", op="d", lsn="2", status="", opened=""),
)
def test_deleted_accounts_and_tickets_stay_in_silver(made: World) -> None:
    """Marked as deleted, with the time of the delete; the ticket keeps the values it had."""
    assert [("crm:a", "P-crm:a", True, "2026-02-02T00:00:00Z")] == made(
        "customer_identity", "record_id", "profile_id", "is_deleted", "source_event_ts"
    )
    assert [("t", "crm:a", 4, "open", True)] == made(
        "support_tickets", "ticket_id", "record_id", "csat", "status", "is_deleted"
    )


@scene.of(account("a", op="r"), order("o", "a", op="r"), order("o", "a", op="u", lsn="2", cents="2"))
def test_a_snapshot_read_counts_as_a_create(made: World) -> None:
    """R and c are the same."""
    assert [("o", 2, False)] == made("orders", "order_id", "net_amount_cents", "is_deleted")
    assert ["crm:a"] == made("customer_identity", "record_id")


NAMELESS_DELETE = order("o", "", op="d", lsn="2", status="", cents="").but(currency="")


@scene.of(account("a"), order("o", "a", arrived="2026-07-02"), NAMELESS_DELETE)
def test_a_delete_learns_nothing_from_a_state_that_has_not_arrived(made: World) -> None:
    """As of today no state names an account, so neither does the delete."""
    assert [] == made("orders")
    assert ["account_exists"] == made("quarantine", "rule")


def test_the_order_of_conflicting_states_does_not_decide_whose_a_delete_is() -> None:
    """Two states of one lsn name two accounts: whichever stands first in the file, the answer is the same."""
    accounts, states = [account("a"), account("b")], [order("o", "a"), order("o", "b")]
    one, other = (made_fast([*accounts, *each, NAMELESS_DELETE], "orders") for each in (states, states[::-1]))
    assert one == other


# --- erasure ----------------------------------------------------------------------------------------------------------
@scene.of(
    account("a", email="a@x.y"),
    account("b"),
    erasure("r", "a"),
    order("o", "a"),
    order("p", "b"),
    click("e", "2026-06-01", "a"),
    ticket("t", "a"),
    touch("s", "a", "sent"),
    consent("k", "a", "granted"),
    order("q", "a", status="lost"),
)
def test_an_erased_account_leaves_every_table(made: World) -> None:
    """Exactly that account, all its rows, unusable ones too; the request itself stays."""
    assert ["crm:b"] == made("customer_identity", "record_id")
    assert ["p"] == made("orders", "order_id")
    for table in ("clickstream", "support_tickets", "campaign_events", "consent_events", "quarantine"):
        assert [] == made(table)
    assert [("r", "crm:a")] == made("erasure_requests", "request_id", "record_id")


@scene.of(
    account("a"),
    account("b"),
    account("c"),
    erasure("r", "a", at="soon"),
    erasure("s", "b", arrived="soon"),
    erasure("t", "c", at="2026-06-30T23:59:59Z").but(event_ts="2026-07-01T00:04:00Z"),
)
def test_a_request_counts_once_it_has_arrived(made: World) -> None:
    """Whatever its own times say: to erase late is worse than to erase."""
    assert [] == made("customer_identity", "record_id")


def test_a_request_that_has_not_arrived_erases_nothing() -> None:
    """It counts from its ingest_ts on."""
    rows = [account("a"), erasure("r", "a", at="2026-06-01", arrived="2026-07-01")]
    assert {"current": 1} == counts(rows, "customers")
    assert {"not_yet": 1} == counts(rows, "erasure_requests")
    assert {"erased": 1} == counts(rows, "customers", as_of="2026-07-01T23:59:59Z")


@scene.of(account("a"), erasure("r", "a"), account("a", lsn="2", at="2026-06-20"), account("a2", at="2026-06-21"))
def test_an_erased_account_stays_erased(made: World) -> None:
    """Later rows of the same id go too; who comes back comes with a new one."""
    assert ["crm:a2"] == made("customer_identity", "record_id")


def test_erased_rows_have_their_disposition_in_every_source() -> None:
    """Rows in = rows out, source by source."""
    rows = [
        account("a"),
        account("b"),
        erasure("r", "b"),
        order("o", "b"),
        click("e", "2026-06-01", "b"),
        ticket("t", "b"),
        touch("s", "b", "sent"),
        consent("k", "b", "denied"),
    ]
    found = made_fast(rows, "dispositions")
    erased = {row["source"]: row["row_count"] for row in found if row["disposition"] == "erased"}
    assert {
        "customers": 1,
        "orders": 1,
        "clickstream": 1,
        "support_tickets": 1,
        "campaign_events": 1,
        "consent_events": 1,
    } == erased


@scene.of(
    account("a"), erasure("r", "a"), order("o", "a", lsn="1"), order("o", "", op="d", lsn="2", status="", cents="")
)
def test_a_delete_without_an_account_is_erased_with_it(made: World) -> None:
    """The account of its last state was erased."""
    assert [] == made("orders") == made("quarantine")


# --- cells ------------------------------------------------------------------------------------------------------------
@scene.of(
    account("a", email="nobody", date_of_birth="1980-02-30", country="NA"),
    ticket("t", "a", csat="9"),
    ticket("u", "a", csat="9", status="lost"),
)
def test_unreadable_cells_of_kept_rows_are_listed(made: World) -> None:
    """With source, row, column and rule; those of a quarantined row are not."""
    expected = [
        ("customers", 1, "date_of_birth", "valid_date_of_birth"),
        ("customers", 1, "email", "valid_email"),
        ("support_tickets", 1, "csat", "valid_csat"),
    ]
    assert expected == made("field_issues", "source", "row_number", "column", "rule")
    assert [("t", None)] == made("support_tickets", "ticket_id", "csat")


@scene.of(account(" a "), order(" o", "a\u00a0", status="paid ").but(currency=" EUR"))
def test_white_space_around_a_cell_means_nothing(made: World) -> None:
    """Ids meet without it."""
    assert [("o", "crm:a", "paid")] == made("orders", "order_id", "record_id", "status")


# --- sessions ---------------------------------------------------------------------------------------------------------
def at(time: str, day: str = "2026-06-01") -> str:
    """A moment of a day."""
    return f"{day}T{time}Z"


@scene.of(
    account("a"),
    click("1", at("10:00:00"), device="d"),
    click("2", at("10:30:00"), device="d"),
    click("3", at("11:00:01"), device="d"),
)
def test_thirty_minutes_continue_a_visit_and_a_second_more_ends_it(made: World) -> None:
    """session_id is the event_id of the visit's first event."""
    assert [("1", "1"), ("2", "1"), ("3", "3")] == made("clickstream", "event_id", "session_id")


@scene.of(account("a"), click("1", at("23:50:00"), device="d"), click("2", at("00:10:00", "2026-06-02"), device="d"))
def test_midnight_means_nothing(made: World) -> None:
    """A visit goes on over it."""
    assert [("1", "1"), ("2", "1")] == made("clickstream", "event_id", "session_id")


@scene.of(
    account("a"),
    click("1", at("10:00:00"), device="d"),
    click("2", at("10:00:00"), device="f"),
    click("3", at("10:01:00"), device="d"),
)
def test_a_visit_is_of_one_device(made: World) -> None:
    """Two devices, two visits, at whatever times."""
    assert [("1", "1"), ("2", "2"), ("3", "1")] == made("clickstream", "event_id", "session_id")


@scene.of(
    account("a"),
    account("b"),
    click("1", at("10:00:00"), "a"),
    click("2", at("10:01:00"), "b"),
    click("3", at("10:02:00"), "a"),
    click("4", at("10:03:00")),
    click("5", at("10:03:00")),
)
def test_without_a_device_the_account_is_the_visitor(made: World) -> None:
    """And an event that names neither is a visit of its own."""
    assert [("1", "1"), ("2", "2"), ("3", "1"), ("4", "4"), ("5", "5")] == made("clickstream", "event_id", "session_id")


@scene.of(
    account("a"),
    account("b"),
    click("2", at("10:00:00"), device="d"),
    click("10", at("10:00:00"), "a", "d"),
    click("3", at("10:00:00"), "b", "d"),
)
def test_events_of_one_second_stand_in_order_of_their_ids(made: World) -> None:
    """As text: 10, 2, 3; so 2 takes the next, which is 3, and the visit begins with 10."""
    assert [("10", "10", "P-crm:a"), ("2", "10", "P-crm:b"), ("3", "10", "P-crm:b")] == made(
        "clickstream", "event_id", "session_id", "profile_id"
    )


@scene.of(
    account("a"),
    account("b"),
    click("1", at("10:00:00"), device="d"),
    click("2", at("10:01:00"), "a", "d"),
    click("3", at("10:02:00"), device="d"),
    click("4", at("10:03:00"), "b", "d"),
    click("5", at("10:04:00"), device="d"),
)
def test_an_event_without_an_account_takes_the_next_one_else_the_previous(made: World) -> None:
    """Next first: 3 goes to b, not to a; 5 has no next and takes the previous. The record_id stays empty."""
    expected = [
        ("1", "P-crm:a", None),
        ("2", "P-crm:a", "crm:a"),
        ("3", "P-crm:b", None),
        ("4", "P-crm:b", "crm:b"),
        ("5", "P-crm:b", None),
    ]
    assert expected == made("clickstream", "event_id", "profile_id", "record_id")


@scene.of(
    account("a"),
    click("1", at("10:00:00"), device="d"),
    click("2", at("10:30:01"), "a", "d"),
    click("3", at("11:00:02"), device="d"),
)
def test_nothing_is_stitched_across_visits(made: World) -> None:
    """A visit in which nobody is identified stays nobody's."""
    assert [("1", None), ("2", "P-crm:a"), ("3", None)] == made("clickstream", "event_id", "profile_id")


@scene.of(
    account("a"),
    click("1", at("10:00:00"), device="d"),
    click("2", at("10:25:00"), "nobody", "d"),
    click("3", at("10:50:00"), "a", "d"),
)
def test_a_quarantined_event_holds_no_visit_together(made: World) -> None:
    """It is not there: 50 minutes lie between the other two."""
    assert [("1", "1", None), ("3", "3", "P-crm:a")] == made("clickstream", "event_id", "session_id", "profile_id")


FIVE, SIX = ("a", "b", "c", "d", "e"), ("a", "b", "c", "d", "e", "f")


@scene.of(
    *(account(x) for x in SIX),
    *(click(f"1{x}", at(f"10:0{n}:00"), x, "till") for n, x in enumerate(SIX)),
    click("2", at("10:06:00"), device="till"),
)
def test_unidentified_events_of_a_blocked_device_stay_unassigned(made: World) -> None:
    """Six accounts used it; who it is now, nobody can say. Events that name their account keep it."""
    expected = [(f"1{x}", f"P-crm:{x}") for x in SIX]
    assert [*expected, ("2", None)] == made("clickstream", "event_id", "profile_id")


@scene.of(
    *(account(x) for x in FIVE),
    *(click(f"1{x}", at(f"10:0{n}:00"), x, "pc") for n, x in enumerate(FIVE)),
    click("2", at("10:06:00"), device="pc"),
)
def test_a_device_of_five_accounts_is_not_blocked(made: World) -> None:
    """The limit is the most that it may have."""
    assert [("2", "P-crm:e")] == [row for row in made("clickstream", "event_id", "profile_id") if row[0] == "2"]


# --- tickets ----------------------------------------------------------------------------------------------------------
@scene.of(account("a", email="a@x.y"), account("b", email="b@x.y"), ticket("1", "a", "b@x.y"))
def test_a_ticket_belongs_to_the_account_it_names(made: World) -> None:
    """Even if its e-mail is somebody else's."""
    assert [("P-crm:a", "crm:a")] == made("support_tickets", "profile_id", "record_id")


@scene.of(account("a", email="Ada@X.y"), ticket("1", email=" ada@x.Y "))
def test_a_ticket_belongs_to_the_only_holder_of_its_email(made: World) -> None:
    """Case does not matter; no account is named, so there is no record_id."""
    assert [("P-crm:a", None)] == made("support_tickets", "profile_id", "record_id")


@scene.of(
    account("a", email="both@x.y", first_name="Ada", last_name="King", date_of_birth="1980-01-01"),
    account("b", "2026-02-01", email="both@x.y", first_name="Ada", last_name="King", date_of_birth="1980-01-01"),
    ticket("1", email="both@x.y"),
)
def test_an_email_of_two_accounts_of_one_person_is_that_person_s(made: World) -> None:
    """Persons are counted, not accounts."""
    assert ["P-crm:a"] == made("support_tickets", "profile_id")


@scene.of(
    account("a", email="home@x.y"),
    account("b", email="home@x.y"),
    ticket("1", email="home@x.y"),
    ticket("2", email="no@x.y"),
    ticket("3"),
)
def test_a_ticket_of_nobody_is_kept(made: World) -> None:
    """An e-mail of two people, of none, and no e-mail at all: no profile, but a row."""
    assert [("1", None), ("2", None), ("3", None)] == made("support_tickets", "ticket_id", "profile_id")


@scene.of(
    account("a", email="old@x.y"),
    account("b", email="old@x.y"),
    account("b", op="d", lsn="2"),
    ticket("1", email="old@x.y"),
)
def test_deleted_accounts_hold_no_email(made: World) -> None:
    """One of two holders was deleted, so the other is the only one."""
    assert ["P-crm:a"] == made("support_tickets", "profile_id")


@scene.of(
    account("a", email="old@x.y"),
    account("a", lsn="2", op="u", email="new@x.y"),
    ticket("1", email="old@x.y"),
    ticket("2", email="new@x.y"),
)
def test_only_current_emails_count(made: World) -> None:
    """An address that was given up finds nobody."""
    assert [("1", None), ("2", "P-crm:a")] == made("support_tickets", "ticket_id", "profile_id")
