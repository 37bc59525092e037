"""`c360 explain`: what it tells of a profile is what is published, cell by cell, and it names the rows behind it."""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import takewhile
from pathlib import Path

import pytest

from c360lib.commands import explain
from c360lib.errors import UsageError
from c360lib.generate import generate
from c360lib.generate.faults import inject
from c360lib.release.build import build
from c360lib.schemas import GOLD
from c360lib.storage.files import read_csv
from c360lib.storage.workspace import Workspace

FAULTS = [
    *("malformed_timestamp", "impossible_timestamp", "clock_skew", "impossible_date", "unreadable_email", "bad_lsn"),
    *("orphan_reference", "negative_amount", "unknown_purpose", "consent_withdrawal_with_unreadable_time"),
    *("duplicate_key_with_different_content", "device_shared_by_hundreds", "embedded_newlines_and_quotes"),
    *("broken_encoding", "extra_column"),
]
Row = dict[str, str]
SECTIONS = [
    "Accounts",
    "Why they are one person",
    "Which account each value survives from",
    "Orders",
    "Behaviour",
    "Tickets",
    "Consent",
    "Rows set aside",
    "The row in customer_360",
]


class Published:
    """A release and its tables."""

    def __init__(self, root: Path) -> None:
        self.ours = Workspace(root)
        self.ours.generated.write(generate(250, 11), {}, lambda raw: inject(raw, FAULTS) and None)
        accounts = self._without_tickets_account()
        self.ours.steward_file.parent.mkdir()
        header = "left_record_id,right_record_id,decision,decided_ts"
        decided = "must_link,2026-06-01T00:00:00Z"
        self.ours.steward_file.write_text(f"{header}\n{accounts[0]},{accounts[1]},{decided}\n", "utf-8")
        assert build(self.ours, "polars").kept is None
        self.people = {row["profile_id"]: row for row in self.rows("gold", "customer_360")}

    def _without_tickets_account(self) -> list[str]:
        """Take the account out of half of the tickets, so that they are assigned by e-mail; gives two accounts."""
        path = self.ours.raw_file("support_tickets")
        lines = path.read_text("utf-8").splitlines()
        at = lines[0].split(",").index("customer_id")
        for n, line in enumerate(lines[1:], start=1):
            cells = line.split(",")
            ticket = cells[2]
            if sum(map(ord, ticket)) % 2:
                cells[at] = ""
                lines[n] = ",".join(cells)
        path.write_text("\n".join([*lines, ""]), "utf-8")
        rows = self.ours.raw_file("customers").read_bytes().splitlines()
        return [b":".join(rows[n].split(b",")[2:4]).decode() for n in (3, 40)]

    def rows(self, layer: str, table: str) -> list[Row]:
        """The rows of a published table."""
        return read_csv(self.ours.table_file(layer, table)).to_pylist()

    def first(self, fits: Callable[[Row], bool], layer: str, table: str) -> str:
        """The first profile in customer_360 that a row that fits names."""
        return next(r["profile_id"] for r in self.rows(layer, table) if r["profile_id"] in self.people and fits(r))


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Published:
    """A release of 250 people with shared devices, stitched visits, tickets by e-mail, deletes, faults, a steward."""
    return Published(tmp_path_factory.mktemp("explaining"))


def told(text: str, section: str) -> list[str]:
    """The lines of one section."""
    lines = text.split(f"\n{section}\n")[1].splitlines()
    return [line.strip() for line in takewhile(lambda line: line.startswith("  "), lines)]


def row_told(text: str) -> Row:
    """The row of customer_360 as explain prints it."""
    meanings = {column.name: column.meaning for column in GOLD["customer_360"].columns}
    row = {}
    for line in told(text, "The row in customer_360"):
        name, _, rest = line.partition(": ")
        assert rest.endswith(f" ({meanings[name]})")
        cell = rest.removesuffix(f" ({meanings[name]})")
        row[name] = "" if cell == "empty" else cell
    return row


KINDS: dict[str, Callable[[Published], str]] = {
    "steward": lambda p: p.first(lambda r: r["match_rule"] == "steward_must_link", "silver", "customer_identity"),
    "many accounts": lambda p: max(p.people.values(), key=lambda r: int(r["source_record_count"]))["profile_id"],
    "one account": lambda p: p.first(lambda r: r["source_record_count"] == "1", "gold", "customer_360"),
    "deleted account": lambda p: p.first(lambda r: r["is_deleted"] == "true", "silver", "customer_identity"),
    "deleted order": lambda p: p.first(lambda r: r["is_deleted"] == "true", "silver", "orders"),
    "stitched visit": lambda p: p.first(lambda r: r["record_id"] == "", "silver", "clickstream"),
    "shared device": lambda p: p.first(lambda r: r["anonymous_id"] == "D-shared-till", "silver", "clickstream"),
    "ticket by e-mail": lambda p: p.first(lambda r: r["record_id"] == "", "silver", "support_tickets"),
    "scored ticket": lambda p: p.first(lambda r: r["csat"] != "", "silver", "support_tickets"),
    "unreadable consent": lambda p: p.first(
        lambda r: r["block_reason"] == "consent_unreadable", "gold", "activation_candidates"
    ),
    "unsubscribed": lambda p: p.first(lambda r: r["event_name"] == "unsubscribed", "silver", "campaign_events"),
    "best": lambda p: max(p.people.values(), key=lambda r: int(r["lifetime_value_cents"]))["profile_id"],
    "no order": lambda p: p.first(lambda r: r["order_count"] == "0", "gold", "customer_360"),
}


@pytest.mark.parametrize("kind", KINDS)
def test_the_row_told_is_the_row_published(kind: str, published: Published) -> None:
    """Every cell, in the order of the table."""
    profile = KINDS[kind](published)
    text = explain.explain(published.ours.root, profile)
    assert list(published.people[profile].items()) == list(row_told(text).items())
    assert SECTIONS == [line for line in text.splitlines() if line in SECTIONS]
    assert text.startswith(f"{profile}, release {published.ours.current()}, as of 2026-06-30T23:59:59Z\n")


@pytest.mark.slow
def test_every_row_told_is_the_row_published(published: Published) -> None:
    """All profiles of the release."""
    for profile, row in published.people.items():
        assert row == row_told(explain.explain(published.ours.root, profile))


def test_what_is_told_can_be_looked_up(published: Published) -> None:
    """Accounts, orders, tickets, visits, consents and eligibility are those of the published tables."""
    for kind in ("many accounts", "stitched visit", "ticket by e-mail", "unreadable consent"):
        profile = KINDS[kind](published)
        text = explain.explain(published.ours.root, profile)

        def ours(layer: str, table: str, column: str, profile: str = profile) -> set[str]:
            return {r[column] for r in published.rows(layer, table) if r["profile_id"] == profile}

        accounts = {line.split(": ")[0] for line in told(text, "Accounts") if ".csv row" not in line}
        assert ours("silver", "customer_identity", "record_id") == accounts
        orders = {found[1] for line in told(text, "Orders") if (found := re.search(r"row [0-9]+: (\S+) of", line))}
        assert ours("silver", "orders", "order_id") == orders
        tickets = {found[1] for line in told(text, "Tickets") if (found := re.search(r"row [0-9]+: (\S+),", line))}
        assert ours("silver", "support_tickets", "ticket_id") == tickets
        counted = sum(int(found[1]) for line in told(text, "Behaviour") if (found := re.search(r"(\d+) events", line)))
        events = [r for r in published.rows("silver", "clickstream") if r["profile_id"] == profile]
        assert len(events) == counted
        verdicts = {
            f"{r['purpose']} by {r['channel']}: "
            + ("eligible" if r["eligible"] == "true" else f"blocked: {r['block_reason']}")
            for r in published.rows("gold", "activation_candidates")
            if r["profile_id"] == profile
        }
        assert verdicts == {
            v.partition(", proof")[0] for v in told(text, "Consent") if " by " in v and ".csv row" not in v
        }


def test_the_rows_named_are_those_of_the_raw_files(published: Published) -> None:
    """Row numbers count from 1 without the header: the row that is named holds the order that is named."""
    profile = KINDS["best"](published)
    raw = read_csv(published.ours.raw_file("orders")).to_pylist()
    found = re.findall(r"orders\.csv row ([0-9]+): (\S+) of", explain.explain(published.ours.root, profile))
    assert found
    assert [order for _, order in found] == [raw[int(row) - 1]["order_id"] for row, _ in found]


def test_orders_that_count_add_up(published: Published) -> None:
    """The cents of the orders said to count are the lifetime value, their number the frequency."""
    for kind in ("best", "deleted order", "many accounts"):
        profile = KINDS[kind](published)
        lines = told(explain.explain(published.ours.root, profile), "Orders")
        cents = [int(re.search(r"([0-9]+) cents", line)[1]) for line in lines if line.endswith("counted in value")]  # type: ignore[index]
        row = published.people[profile]
        assert (row["lifetime_value_cents"], row["rfm_frequency"]) == (str(sum(cents)), str(len(cents)))
        assert row["order_count"] == str(sum(": counted" in line for line in lines))


def test_a_row_in_quarantine_is_told_with_its_reason(published: Published) -> None:
    """Whose row it is can read why it does not count."""
    identity = {row["record_id"]: row["profile_id"] for row in published.rows("silver", "customer_identity")}
    bad = next(r for r in published.rows("silver", "quarantine") if r["rule"] == "amount_not_negative")
    record = re.search(r'"source_system": "([^"]+)", "customer_id": "([^"]+)"', bad["row"])
    assert record is not None
    text = explain.explain(published.ours.root, identity[f"{record[1]}:{record[2]}"])
    expected = f"orders.csv row {bad['row_number']}: quarantined: amount_not_negative ({bad['detail']})"
    assert expected in told(text, "Rows set aside")


def test_an_erased_account_is_not_told(tmp_path: Path) -> None:
    """It was the older account of the person: nothing of it is shown, and the row is the published one."""
    ours = Workspace(tmp_path)
    ours.raw.mkdir(parents=True)
    columns = "event_ts,ingest_ts,source_system,customer_id,op,lsn,first_name,email,date_of_birth,city"
    lines = [
        "2026-01-01T00:00:00Z,2026-01-01T00:00:00Z,crm,old,c,1,Ada,ada@example.com,1980-01-01,Bonn",
        "2026-02-01T00:00:00Z,2026-02-01T00:00:00Z,shop,new,c,1,Ada,ada@example.com,1980-01-01,Kiel",
    ]
    ours.raw_file("customers").write_text("\n".join([columns, *lines, ""]), "utf-8")
    request = "2026-03-01T00:00:00Z,2026-03-01T00:00:00Z,e1,crm,old"
    header = "event_ts,ingest_ts,request_id,source_system,customer_id"
    ours.raw_file("erasure_requests").write_text(f"{header}\n{request}\n", "utf-8")
    build(ours, "polars")
    [row] = read_csv(ours.table_file("gold", "customer_360")).to_pylist()
    assert ("P-shop:new", "1") == (row["profile_id"], row["source_record_count"])
    text = explain.explain(ours.root, "P-shop:new")
    assert "crm:old" not in text
    assert row == row_told(text)


def test_an_unknown_profile_is_told(published: Published) -> None:
    """The message names one that exists."""
    with pytest.raises(UsageError, match=r"P-nobody: no such profile in release .*; one that exists is P-"):
        explain.explain(published.ours.root, "P-nobody")


def test_a_person_whose_accounts_are_all_deleted_has_no_row(published: Published) -> None:
    """Their accounts are told, and why customer_360 does not have them."""
    gone = {r["profile_id"] for r in published.rows("silver", "customer_identity")} - set(published.people)
    assert gone
    text = explain.explain(published.ours.root, min(gone))
    assert ["none: no account of the person is live"] == told(text, "The row in customer_360")
