"""The contract: what makes a row unusable, what only empties a cell, and that no row looks at another."""

from __future__ import annotations

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from c360lib.schemas import RAW, STEWARD
from c360lib.sources import typed as contract
from tests.support import SOURCES, Row, account, click, consent, decision, erasure, order, picked, ticket, touch, typed


def faults(*rows: Row) -> list[str | None]:
    """The rule that each row breaks; rows of one source."""
    found = typed(rows[0].source, [row.cells for row in rows])
    rules = {row["row_number"]: row["rule"] for row in found.findings.to_pylist() if row["column"] is None}
    assert picked(found.rows.to_pylist(), "_is_usable") == [n not in rules for n in range(1, len(rows) + 1)]
    return [rules.get(number) for number in range(1, len(rows) + 1)]


def findings(source: str, *rows: Row) -> list[tuple[str | None, str]]:
    """Column (none: the row is unusable) and rule of all that is wrong with rows of one source."""
    return picked(typed(source, [row.cells for row in rows]).findings.to_pylist(), "column", "rule")


GOOD = (
    account("a"),
    order("o", "a"),
    click("e", "2026-06-01"),
    ticket("t"),
    touch("e", "a", "sent"),
    consent("e", "a", "granted"),
    erasure("r", "a"),
    decision("crm:a", "crm:b", "must_link"),
)


@pytest.mark.parametrize("row", GOOD, ids=[row.source for row in GOOD])
def test_a_plain_row_is_usable(row: Row) -> None:
    """No rule is broken and no cell is unreadable."""
    assert [] == findings(row.source, row)
    assert [None] == faults(row)


UNUSABLE = [
    (account("a").but(customer_id=""), "key_present"),
    (account("a").but(customer_id="\u00a0"), "key_present"),
    (account("a").but(source_system=""), "known_source_system"),
    (account("a").but(source_system="CRM"), "known_source_system"),
    (account("a").but(source_system="a:b"), "known_source_system"),
    (account("a").but(op=""), "known_op"),
    (account("a").but(op="C"), "known_op"),
    (account("a").but(lsn=""), "readable_lsn"),
    (account("a").but(lsn="1.0"), "readable_lsn"),
    (account("a").but(lsn="１"), "readable_lsn"),
    (account("a").but(event_ts=""), "readable_event_ts"),
    (account("a").but(event_ts="2026-02-30T10:00:00Z"), "readable_event_ts"),
    (account("a").but(ingest_ts="30/06/2026"), "readable_ingest_ts"),
    (account("a").but(ingest_ts=""), "readable_ingest_ts"),
    (order("o", "a").but(order_id=""), "key_present"),
    (order("o", ""), "account_exists"),
    (order("o", "a", status=""), "known_status"),
    (order("o", "a", status="lost"), "known_status"),
    (order("o", "a", cents=""), "amount_not_negative"),
    (order("o", "a", cents="-1"), "amount_not_negative"),
    (order("o", "a", cents="1.50"), "amount_not_negative"),
    (order("o", "a", currency=""), "accepted_currency"),
    (order("o", "a", currency="USD"), "accepted_currency"),
    (order("o", "a", currency="eur"), "accepted_currency"),
    (click("", "2026-06-01"), "key_present"),
    (click("e", "2026-06-01", "a").but(source_system=""), "known_source_system"),
    (click("e", "2026-06-01", "a").but(source_system="WEB"), "known_source_system"),
    (ticket("t", status="lost"), "known_status"),
    (ticket("t").but(source_system=""), "known_source_system"),
    (touch("e", "a", "read"), "known_event_name"),
    (touch("e", "", "sent"), "account_exists"),
    (consent("e", "", "granted"), "account_exists"),
    (consent("e", "a", "maybe"), "known_status"),
    (consent("e", "a", "granted", purpose=""), "known_purpose"),
    (consent("e", "a", "granted", purpose="spam"), "known_purpose"),
    (consent("e", "a", "granted", channel="fax"), "known_channel"),
    (consent("e", "a", "granted", expires="soon"), "readable_expires_ts"),
    (erasure("r", ""), "account_exists"),
    (decision("crm:a", "crm:b", "perhaps"), "known_decision"),
    (decision("crm:a", "crm:b", "must_link", at="soon"), "readable_decided_ts"),
    (decision("", "crm:b", "must_link"), "key_present"),
]


@pytest.mark.parametrize(("row", "rule"), UNUSABLE, ids=range(len(UNUSABLE)))
def test_a_row_without_a_value_it_needs_is_unusable(row: Row, rule: str) -> None:
    """The first rule that it breaks is named."""
    assert [rule] == faults(row)


def test_a_row_that_breaks_several_rules_is_told_the_first() -> None:
    """The line, then its cells from left to right, then what two cells say together."""
    row = click("e", "2026-06-01T00:05:01Z", "a", arrived="2026-06-01").but(source_system="")
    several = [row.but(event_id="", _raw_base64="eA=="), row.but(event_id=""), row, row.but(source_system="web")]
    assert ["readable_line", "key_present", "known_source_system", "event_before_arrival"] == faults(*several)


def test_an_event_may_be_five_minutes_ahead_of_its_arrival() -> None:
    """Clocks differ: five minutes are forgiven, a second more is a bad value, in every source."""
    even, more = ("2026-06-01T00:05:00Z", "2026-06-01"), ("2026-06-01T00:05:01Z", "2026-06-01")
    for make in (
        lambda at, arrived: account("a", at, arrived),
        lambda at, arrived: click("e", at, arrived=arrived),
        lambda at, arrived: consent("e", "a", "granted", at, arrived=arrived),
    ):
        assert [None, "event_before_arrival"] == faults(make(*even), make(*more))


def test_a_delete_needs_only_its_key_op_lsn_and_times() -> None:
    """What the source no longer has, it need not send; what is unreadable there does not matter."""
    assert [None] == faults(order("o", "", op="d", cents="", status="").but(currency=""))
    assert [None] == faults(order("o", "a", op="d", cents="-5", status="lost").but(currency="USD"))
    assert [None] == faults(ticket("t", op="d", status=""))
    assert ["key_present", "readable_lsn", "readable_event_ts"] == faults(
        order("", "", op="d", status=""),
        order("o", "", op="d", status="", lsn="x"),
        order("o", "", op="d", status="", at="x"),
    )


def test_other_unreadable_cells_are_listed_and_empty() -> None:
    """The row stays; its cell is null; what is merely absent is not listed."""
    row = account("a", email="nobody", phone="call me", date_of_birth="1980-02-30", country="NA")
    empty = ("email", "phone", "date_of_birth")
    assert [(name, f"valid_{name}") for name in empty] == findings("customers", row)
    found = picked(typed("customers", [row.cells]).rows.to_pylist(), *empty, "country")
    assert [(None, None, None, "NA")] == found
    row = ticket("t", csat="6", priority="urgent!", opened="x", resolved="y", email="z")
    names = ("requester_email", "priority", "opened_ts", "resolved_ts", "csat")
    assert [(name, f"valid_{name}") for name in names] == findings("support_tickets", row)


def test_an_unusable_row_lists_no_issues() -> None:
    """It is quarantined whole."""
    assert [(None, "readable_lsn")] == findings("customers", account("a", lsn="x", email="nobody"))


def test_a_delete_lists_no_issues() -> None:
    """Its values are those of the last state: whether they could be read does not matter."""
    rows = [account("a", op="d", email=email, date_of_birth="2026-02-30") for email in ("nobody", "a@b.c")]
    assert [] == findings("customers", *rows)
    assert [None, None] == picked(typed("customers", [row.cells for row in rows]).rows.to_pylist(), "email")


def test_a_damaged_line_is_unusable_whatever_it_would_say() -> None:
    """Its cells are not to be trusted."""
    assert ["readable_line"] == faults(Row("orders", {"_raw_base64": "eA=="}))


def test_the_detail_names_the_column_and_what_was_found() -> None:
    """A reader of quarantine sees what to correct; a very long cell is cut."""
    rows = [order("o", "a", cents="-5").cells, order("o", "a", status="x" * 500).cells]
    found = picked(typed("orders", rows).findings.to_pylist(), "detail")
    assert ["net_amount_cents is '-5'", f"status is {'x' * 80!r}"] == found


def test_a_record_id_names_the_source_account() -> None:
    """system:customer; null where either is absent."""
    rows = [click("e", "2026-06-01", "a"), click("e", "2026-06-01"), click("e", "2026-06-01").but(source_system="crm")]
    assert ["crm:a", None, None] == picked(
        typed("clickstream", [row.cells for row in rows]).rows.to_pylist(), "record_id"
    )


def test_a_source_without_some_optional_columns_is_read() -> None:
    """Columns that are not there are empty; columns outside the contract are ignored."""
    rows = pa.table(
        {
            "event_ts": ["2026-06-01T00:00:00Z"],
            "ingest_ts": ["2026-06-01T00:00:00Z"],
            "event_id": ["e"],
            "colour": ["blue"],
            "_raw_base64": [""],
            "_row_number": [1],
        }
    )
    found = contract.typed_rows(rows, RAW["clickstream"])
    assert contract.typed_schema(RAW["clickstream"]) == found.rows.schema
    assert [("e", None, None, True)] == picked(found.rows.to_pylist(), "event_id", "page", "record_id", "_is_usable")


@pytest.mark.parametrize("source", SOURCES)
def test_no_rows_are_a_table_of_no_rows(source: str) -> None:
    """Columns and kinds are there without any row."""
    found = typed(source, [])
    assert (0, contract.typed_schema(SOURCES[source])) == (len(found.rows), found.rows.schema)
    assert (0, contract.FINDINGS) == (len(found.findings), found.findings.schema)


HOSTILE = [
    "",
    " ",
    "NA",
    "\u00a0x",
    "x",
    "-1",
    "0x1f",
    "9999-12-31",
    "9999-12-31T23:59:59Z",
    "2026-02-30T00:00:00Z",
    "2026-06-01T00:00:00Z",
    "１",
    "\x00",
    "a@b.c",
    "d",
    "u",
    "paid",
    "EUR",
    "crm",
    "any",
    "granted",
    "İ",
    "6",
]


@settings(deadline=None, max_examples=60)
@given(st.data(), st.sampled_from(sorted(SOURCES)))
def test_no_row_looks_at_another(data: st.DataObject, source: str) -> None:
    """Rows typed together are the rows typed one by one, whatever they hold."""
    cells = st.fixed_dictionaries({name: st.sampled_from(HOSTILE) for name in SOURCES[source].column_names})
    rows = data.draw(st.lists(cells, min_size=1, max_size=4))
    alone, together = [typed(source, [row], [number]) for number, row in enumerate(rows, start=1)], typed(source, rows)
    assert [row for found in alone for row in found.rows.to_pylist()] == together.rows.to_pylist()
    found_alone = [row for found in alone for row in found.findings.to_pylist()]
    assert sorted(map(str, found_alone)) == sorted(map(str, together.findings.to_pylist()))


def test_the_steward_table_has_no_record_id() -> None:
    """A decision names two accounts, not one."""
    assert "record_id" not in contract.typed_schema(STEWARD).names
