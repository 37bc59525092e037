"""The generator: the same bytes for the same arguments, the contract's shapes, and hard cases at their rates."""

from __future__ import annotations

import hashlib
import itertools
import re
from collections import Counter
from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest

from c360lib import generate as module
from c360lib.errors import UsageError
from c360lib.generate import IDENTITY, generate, names
from c360lib.generate.draws import Draws, scramble
from c360lib.rules import DEFAULT_AS_OF
from c360lib.schemas import RAW, TRUTH
from c360lib.sources.nicknames import NICKNAMES

Tables = dict[str, pa.Table]
FIFTY_PEOPLE_SHA256 = "afada3bcb9d2d03082779d106343159665ae5b580cbc75ac8b5da569f1413aaf"
TIMESTAMP = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z")


def whole(customers: int, **arguments: object) -> Tables:
    """All blocks of a run, one table for each source."""
    blocks = list(generate(customers, **arguments))  # type: ignore[arg-type]
    return {name: pa.concat_tables([block[name] for block in blocks]) for name in blocks[0]}


def rows(table: pa.Table) -> Counter[tuple[str, ...]]:
    """The rows of a table, each with how often it stands there."""
    return Counter(zip(*(column.to_pylist() for column in table.columns), strict=True))


def digest(tables: Tables) -> str:
    """SHA-256 over the cells of all tables as comma-separated text."""
    lines = [
        ",".join(row) for name in tables for row in zip(*(c.to_pylist() for c in tables[name].columns), strict=True)
    ]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def seconds(text: str) -> float:
    """A raw timestamp as seconds since 1970."""
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC).timestamp()


@pytest.fixture(scope="module")
def thousand() -> Tables:
    """The default run."""
    return whole(1000)


def column(table: pa.Table, name: str) -> list[str]:
    """The cells of one column."""
    return table.column(name).to_pylist()


def accounts_of(table: pa.Table) -> list[tuple[str, str]]:
    """The account that each row names."""
    return list(zip(column(table, "source_system"), column(table, "customer_id"), strict=True))


# --- the same on every machine ----------------------------------------------------------------------------------------
def test_fifty_people_are_the_same_to_the_last_byte() -> None:
    """The text of a run is fixed: a change of Python, numpy or pyarrow must not move it."""
    assert digest(whole(50)) == FIFTY_PEOPLE_SHA256


def test_draws_are_fixed_numbers() -> None:
    """A draw depends on seed, question and number alone."""
    assert [5, 5, 5, 5, 1, 1, 0, 2] == Draws(360, np.arange(8)).below("throw", 6).tolist()
    assert [2, 0, 1, 1, 5, 5, 5, 5] == Draws(360, np.arange(8)[::-1]).below("throw", 6).tolist()


def test_an_unusual_limit_never_leaves_its_range() -> None:
    """The smallest and the largest limit are kept."""
    numbers = np.arange(10_000)
    assert Draws(0, numbers).below("one", 1).max() == 0
    assert Draws(2**63 - 1, numbers).below("most", 2**32).max() < 2**32


def test_scrambled_numbers_are_all_different() -> None:
    """Ids made from different numbers differ."""
    ids = scramble(360, "ids", np.arange(200_000), 100_000)
    assert len(np.unique(ids)) == 200_000
    assert ids.min() >= 0
    assert ids.max() < 10**10


@pytest.mark.parametrize("argument", [{"seed": 361}, {"as_of": "2026-07-01T23:59:59Z"}])
def test_another_seed_or_day_gives_other_data(argument: dict[str, object]) -> None:
    """Seed and as_of are part of every draw that they should move."""
    assert digest(whole(20, **argument)) != digest(whole(20))


@pytest.mark.parametrize("people_in_a_block", [4, 12, 60])
def test_the_size_of_a_block_changes_no_row(people_in_a_block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks are a matter of memory only: the rows are the same."""
    expected = {name: rows(table) for name, table in whole(60).items()}
    monkeypatch.setattr(module, "BLOCK_PEOPLE", people_in_a_block)
    assert expected == {name: rows(table) for name, table in whole(60).items()}


@pytest.mark.parametrize("customers", [1, 2, 3, 5, 26, 99])
def test_a_person_does_not_depend_on_how_many_there_are(customers: int) -> None:
    """The rows of a small run are the rows of those people in a large one."""
    small, large = whole(customers), whole(100)
    known = set(accounts_of(small[IDENTITY]))
    people = {f"H{number:09d}" for number in range(customers)}
    assert people == set(column(small[IDENTITY], "person_id"))
    for name, table in small.items():
        missing = rows(table) - rows(large[name])
        assert not missing
        if "customer_id" in table.column_names:
            assert sum(a in known for a in accounts_of(large[name])) == sum(a in known for a in accounts_of(table))


# --- shapes -----------------------------------------------------------------------------------------------------------
def test_tables_have_the_columns_of_the_contract(thousand: Tables) -> None:
    """Every source and the truth, every column text, in contract order, without nulls."""
    assert [*RAW, IDENTITY] == list(thousand)
    for name, table in thousand.items():
        expected = TRUTH.column_names if name == IDENTITY else RAW[name].column_names
        assert expected == tuple(table.column_names)
        assert {pa.string()} == set(table.schema.types)
        assert [0] * table.num_columns == [c.null_count for c in table.columns]


def test_no_cell_of_the_default_data_is_malformed(thousand: Tables) -> None:
    """Needed cells are there (but on a delete), and what is there has its kind, pattern and allowed values."""
    shapes = {"ts": TIMESTAMP, "int": re.compile("[0-9]{1,18}"), "cents": re.compile("[0-9]{1,18}"),
              "date": re.compile("[0-9]{4}-[0-9]{2}-[0-9]{2}")}  # fmt: skip
    for name, source in RAW.items():
        for row in thousand[name].to_pylist():
            for c in source.columns:
                cell = row[c.name]
                is_gone = row.get("op") == "d" and c.name not in (*source.key, "op", "event_ts", "ingest_ts")
                assert cell or not c.needed or is_gone, (name, c.name, row)
                assert not cell or c.kind not in shapes or shapes[c.kind].fullmatch(cell), (name, c.name, cell)
                assert not cell or not c.allowed or cell in c.allowed, (name, c.name, cell)
                assert not cell or not c.pattern or re.search(c.pattern, cell), (name, c.name, cell)
                assert cell == cell.strip()


def test_a_delete_carries_only_key_op_lsn_and_times(thousand: Tables) -> None:
    """Whatever a deleted row once said is left out."""
    for name in ("customers", "orders", "support_tickets"):
        deletes = [row for row in thousand[name].to_pylist() if row["op"] == "d"]
        assert deletes
        kept = {*RAW[name].key, "op", "tx_id", "event_ts", "ingest_ts"}
        assert {c for row in deletes for c, cell in row.items() if cell} == kept


def test_rows_stand_in_order_of_arrival_and_key(thousand: Tables) -> None:
    """A block is sorted by ingest_ts, then by key (lsn as a number)."""
    for name, source in RAW.items():
        keys = [
            (row["ingest_ts"], *(int(row[k]) if k == "lsn" else row[k] for k in source.key))
            for row in thousand[name].to_pylist()
        ]
        assert sorted(keys) == keys


def test_the_volume_is_about_twenty_two_rows_a_person(thousand: Tables) -> None:
    """Rows of all sources for 1,000 people, and no file near 1.4 MB."""
    counts = {name: thousand[name].num_rows for name in RAW}
    assert 20_000 <= sum(counts.values()) <= 23_500
    for table in thousand.values():
        assert sum(len(cell.encode()) + 1 for c in table.columns for cell in c.to_pylist()) < 1_400_000


# --- time -------------------------------------------------------------------------------------------------------------
def test_nothing_is_after_as_of_and_the_last_arrival_is_on_its_day(thousand: Tables) -> None:
    """as_of bounds event and arrival; the default run reaches its day."""
    for name in RAW:
        assert max(column(thousand[name], "ingest_ts")) <= DEFAULT_AS_OF
        assert max(column(thousand[name], "event_ts")) <= DEFAULT_AS_OF
    assert max(max(column(thousand[name], "ingest_ts")) for name in RAW)[:10] == "2026-06-30"


def test_even_one_person_reaches_the_day_of_as_of() -> None:
    """A run of one person ends on the day of as_of, whatever the seed."""
    for seed in range(20):
        table = next(generate(1, seed, "2024-02-29T23:59:59Z"))["clickstream"]
        assert max(column(table, "ingest_ts"))[:10] == "2024-02-29"


def test_no_event_is_more_than_five_minutes_after_its_arrival(thousand: Tables) -> None:
    """Clocks of sources run ahead by five minutes at most, and some do run ahead."""
    for name in RAW:
        pairs = zip(column(thousand[name], "event_ts"), column(thousand[name], "ingest_ts"), strict=True)
        ahead = [seconds(event) - seconds(ingest) for event, ingest in pairs]
        assert max(ahead) <= 300
    events = thousand["clickstream"].to_pylist()
    assert any(row["event_ts"] > row["ingest_ts"] for row in events)


def test_history_spans_three_years(thousand: Tables) -> None:
    """The first account opens about three years before as_of, clicks reach back half a year."""
    assert "2023-07-01" <= min(column(thousand["customers"], "event_ts"))[:10] <= "2023-07-31"
    assert "2026-01-01" <= min(column(thousand["clickstream"], "event_ts"))[:10] <= "2026-01-10"


def test_late_and_repeated_rows_come_at_their_rates(thousand: Tables) -> None:
    """Rows per ten thousand: late 200 (consent 500), delivered twice 100."""
    for name, late in (("orders", 200), ("clickstream", 200), ("campaign_events", 200), ("consent_events", 500)):
        table = thousand[name].to_pylist()
        waits = [seconds(row["ingest_ts"]) - seconds(row["event_ts"]) for row in table]
        assert late * 0.5 <= 10_000 * sum(wait >= 7_200 for wait in waits) / len(waits) <= late * 2
        again = Counter(tuple(cell for c, cell in row.items() if c != "ingest_ts") for row in table)
        assert 50 <= 10_000 * sum(times == 2 for times in again.values()) / len(table) <= 200
        assert max(again.values()) == 2


def test_a_row_delivered_twice_comes_later_the_second_time(thousand: Tables) -> None:
    """Two deliveries of one key are equal but for ingest_ts, and no two rows are equal as a whole."""
    for name, source in RAW.items():
        assert max(rows(thousand[name]).values()) == 1
        contents: dict[tuple[str, ...], set[tuple[str, ...]]] = {}
        for row in thousand[name].to_pylist():
            cells = tuple(cell for c, cell in row.items() if c != "ingest_ts")
            contents.setdefault(tuple(row[k] for k in source.key), set()).add(cells)
        assert {1} == {len(found) for found in contents.values()}


# --- references and changes -------------------------------------------------------------------------------------------
def test_every_account_is_in_the_truth_once(thousand: Tables) -> None:
    """Truth and customers name the same accounts."""
    truth = accounts_of(thousand[IDENTITY])
    assert len(set(truth)) == len(truth)
    assert set(truth) == set(accounts_of(thousand["customers"]))
    assert sorted(truth) == truth


def test_every_reference_is_to_an_account_that_is_open(thousand: Tables) -> None:
    """Orders, touches, choices, clicks and requests name an account whose first event is not after them."""
    opened: dict[tuple[str, str], str] = {}
    for row in thousand["customers"].to_pylist():
        account = (row["source_system"], row["customer_id"])
        opened[account] = min(opened.get(account, "9999"), row["event_ts"])
    for name in set(RAW) - {"customers"}:
        for row in thousand[name].to_pylist():
            if row["customer_id"]:
                assert opened[row["source_system"], row["customer_id"]] <= row["event_ts"]


def test_an_account_begins_with_a_create_or_a_read_and_ends_with_a_delete(thousand: Tables) -> None:
    """By lsn: c or r first, then u, d last if at all; lsn is unique within an account."""
    changes: dict[tuple[str, str], dict[int, str]] = {}
    for row in thousand["customers"].to_pylist():
        changes.setdefault((row["source_system"], row["customer_id"]), {})[int(row["lsn"])] = row["op"]
    orders = ["".join(op for _, op in sorted(found.items())) for found in changes.values()]
    assert not [order for order in orders if not re.fullmatch("[cr]u*d?", order)]
    assert any(order.endswith("d") for order in orders)
    assert any("uu" in order for order in orders)


def test_some_changes_arrive_or_are_dated_against_their_lsn() -> None:
    """Both kinds of disorder are in the data, and are rare."""
    table = whole(5000)["customers"].to_pylist()
    by_account: dict[tuple[str, str], list[dict[str, str]]] = {}
    for row in table:
        by_account.setdefault((row["source_system"], row["customer_id"]), []).append(row)
    dated = arrived = 0
    for changes in by_account.values():
        changes.sort(key=lambda row: int(row["lsn"]))
        dated += any(a["event_ts"] > b["event_ts"] for a, b in itertools.pairwise(changes))
        arrived += any(a["ingest_ts"] > b["ingest_ts"] for a, b in itertools.pairwise(changes))
    assert 0 < dated < 100
    assert 0 < arrived < 200


def test_orders_are_placed_and_mostly_paid(thousand: Tables) -> None:
    """Every status occurs, amounts are positive, and the first row of an order is its placing."""
    orders = thousand["orders"].to_pylist()
    assert {"placed", "paid", "cancelled", "refunded", ""} == {row["status"] for row in orders}
    assert {"placed"} == {row["status"] for row in orders if row["op"] == "c"}
    last = {row["order_id"]: row["status"] for row in sorted(orders, key=lambda row: int(row["lsn"]))}
    assert 0.75 <= sum(status == "paid" for status in last.values()) / len(last) <= 0.9
    assert min(int(row["net_amount_cents"]) for row in orders if row["op"] != "d") > 0


def test_visits_have_edges(thousand: Tables) -> None:
    """Gaps of exactly 30:00 and 30:01, visits across midnight, visits of nobody, shared and missing devices."""
    by_device: dict[str, list[dict[str, str]]] = {}
    for row in thousand["clickstream"].to_pylist():
        by_device.setdefault(row["anonymous_id"], []).append(row)
    gaps: Counter[int] = Counter()
    crosses = False
    for device, events in by_device.items():
        events.sort(key=lambda row: row["event_ts"])
        for before, after in itertools.pairwise(events):
            gap = int(seconds(after["event_ts"]) - seconds(before["event_ts"]))
            gaps[gap] += bool(device)
            crosses |= gap <= 1800 and before["event_ts"][:10] < after["event_ts"][:10]
    assert gaps[1800] >= 5
    assert gaps[1801] >= 5
    assert crosses
    assert "" in by_device
    assert any(not any(row["customer_id"] for row in events) for events in by_device.values())
    people = dict(zip(accounts_of(thousand[IDENTITY]), column(thousand[IDENTITY], "person_id"), strict=True))
    users = [
        {people[r["source_system"], r["customer_id"]] for r in e if r["customer_id"]} for d, e in by_device.items() if d
    ]
    assert any(len(found) > 1 for found in users)


def test_consent_changes_its_mind(thousand: Tables) -> None:
    """Grants, denials, withdrawals and new grants; expiries; choices of one second; every channel and an empty one."""
    choices = thousand["consent_events"].to_pylist()
    assert {"granted", "denied", "withdrawn"} == {row["status"] for row in choices}
    assert {"any", "email", "sms", "push", ""} == {row["channel"] for row in choices}
    assert {"marketing", "personalization", "analytics"} == {row["purpose"] for row in choices}
    assert {row["status"] for row in choices if row["expires_ts"]} == {"granted"}
    assert any(row["expires_ts"].startswith("9999") for row in choices)
    assert any("" < row["expires_ts"] <= DEFAULT_AS_OF for row in choices)
    person = dict(zip(accounts_of(thousand[IDENTITY]), column(thousand[IDENTITY], "person_id"), strict=True))
    moments = Counter(
        (person[row["source_system"], row["customer_id"]], row["purpose"], row["event_ts"])
        for row in {row["event_id"]: row for row in choices}.values()
    )
    assert 10 <= sum(times == 2 for times in moments.values()) <= 100


def test_tickets_campaigns_and_erasures_show_what_lessons_need(thousand: Tables) -> None:
    """Tickets without an account but with an e-mail, scores 1 to 5, unsubscribes, several erasure requests."""
    tickets = [row for row in thousand["support_tickets"].to_pylist() if row["op"] != "d"]
    assert all(row["requester_email"] for row in tickets)
    assert 0.15 <= sum(row["customer_id"] == "" for row in tickets) / len(tickets) <= 0.35
    assert {"", "1", "2", "3", "4", "5"} == {row["csat"] for row in tickets}
    assert {"open", "pending", "resolved", "closed"} == {row["status"] for row in tickets}
    assert all(bool(row["resolved_ts"]) == (row["status"] in ("resolved", "closed")) for row in tickets)
    touches = Counter(column(thousand["campaign_events"], "event_name"))
    assert {"sent", "opened", "clicked", "bounced", "unsubscribed"} == set(touches)
    assert 2 <= thousand["erasure_requests"].num_rows <= 10


# --- identity ---------------------------------------------------------------------------------------------------------
def test_hard_cases_are_there_and_labelled(thousand: Tables) -> None:
    """Each kind of hard case concerns one to four in a hundred people; key typos concern one account each."""
    truth = thousand[IDENTITY].to_pylist()
    cases = {(row["person_id"], row["hard_case"]) for row in truth if row["hard_case"]}
    counts = Counter(case for _, case in cases)
    assert {"twins", "parent_child", "household", "recycled_phone", "key_typo"} == set(counts)
    assert 8 <= min(counts.values())
    assert max(counts.values()) <= 40


def test_hard_cases_are_what_they_say() -> None:
    """Twins share the day and not the name, parent and child the name and not the day."""
    tables = whole(4000)
    truth = {(row["source_system"], row["customer_id"]): row for row in tables[IDENTITY].to_pylist()}
    names_of: dict[str, dict[int, set[str]]] = {"twins": {}, "parent_child": {}}
    births: dict[str, dict[int, set[str]]] = {"twins": {}, "parent_child": {}}
    for row in tables["customers"].to_pylist():
        known = truth[row["source_system"], row["customer_id"]]
        case, number = known["hard_case"], int(known["person_id"][1:])
        if case in births and row["op"] != "d":
            births[case].setdefault(number, set()).add(row["date_of_birth"])
            names_of[case].setdefault(number, set()).add(row["first_name"])
    for case, shares_birth, shares_name in (("twins", True, False), ("parent_child", False, True)):
        pairs = [number for number in births[case] if number % 4 == 0]
        assert len(pairs) > 10
        same_birth = sum(bool((births[case][n] & births[case][n + 1]) - {""}) for n in pairs)
        same_name = sum(bool(names_of[case][n] & names_of[case][n + 1]) for n in pairs)
        assert (same_birth > len(pairs) // 2) == shares_birth
        assert (same_name > len(pairs) // 2) == shares_name
        assert shares_birth or same_birth == 0
        assert shares_name or same_name == 0


def test_people_have_one_to_four_accounts(thousand: Tables) -> None:
    """Most have one, and some have two in one system."""
    by_person: dict[str, list[str]] = {}
    for row in thousand[IDENTITY].to_pylist():
        by_person.setdefault(row["person_id"], []).append(row["source_system"])
    assert {1, 2, 3, 4} == {len(systems) for systems in by_person.values()}
    assert 0.55 <= sum(len(systems) == 1 for systems in by_person.values()) / 1000 <= 0.7
    assert any(len(set(systems)) < len(systems) for systems in by_person.values())


def test_cells_are_missing_at_realistic_rates(thousand: Tables) -> None:
    """Birth date about 8 %, e-mail and phone more; an account without a birth date keeps e-mail and phone."""
    created = [row for row in thousand["customers"].to_pylist() if row["op"] in "cr"]
    missing = {c: sum(row[c] == "" for row in created) / len(created) for c in ("date_of_birth", "email", "phone")}
    assert 0.05 <= missing["date_of_birth"] <= 0.11
    assert 0.03 <= missing["email"] <= 0.15
    assert 0.15 <= missing["phone"] <= 0.35
    assert all(row["email"] and row["phone"] for row in created if not row["date_of_birth"])


def test_customer_ids_are_text_with_leading_zeros_in_no_order(thousand: Tables) -> None:
    """Ids have ten digits, some begin with 0, and do not rise with the person number."""
    truth = sorted(thousand[IDENTITY].to_pylist(), key=lambda row: row["person_id"])
    ids = [row["customer_id"] for row in truth]
    assert {10} == {len(each) for each in ids}
    assert any(each.startswith("0") for each in ids)
    rises = sum(a < b for a, b in itertools.pairwise(ids)) / len(ids)
    assert 0.4 <= rises <= 0.6


def test_names_are_many_and_their_nicknames_clear() -> None:
    """Lists are large and without repeats; a nickname belongs to one formal name and is none itself."""
    assert len(set(names.FIRST_NAMES)) == len(names.FIRST_NAMES) >= 250
    assert len(set(names.SURNAMES)) == len(names.SURNAMES) >= 600
    assert sum(len(set(streets)) for streets in names.STREETS.values()) >= 200
    assert set(NICKNAMES) <= set(names.FIRST_NAMES)
    short = [nickname for nicknames in NICKNAMES.values() for nickname in nicknames]
    assert len(set(short)) == len(short)
    assert not set(short) & set(names.FIRST_NAMES)
    assert {city.country for city in names.CITIES} == {country.code for country in names.COUNTRIES}
    assert all(
        domain.endswith((".example", "example.com", "example.org", "example.net")) for domain in names.EMAIL_DOMAINS
    )


# --- misuse -----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("customers", [0, -1, 100_000_001, True, "10", 1.0])
def test_a_wrong_number_of_customers_is_refused_at_the_call(customers: object) -> None:
    """The message says what was expected and what was found."""
    with pytest.raises(UsageError, match=r"customers: expected a whole number from 1 to 100,000,000, got"):
        generate(customers)  # type: ignore[arg-type]


@pytest.mark.parametrize("seed", [-1, 2**63, None])
def test_a_wrong_seed_is_refused(seed: object) -> None:
    """Seeds are whole numbers of 63 bits."""
    with pytest.raises(UsageError, match="seed: expected a whole number from 0 to"):
        generate(10, seed)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "as_of",
    ["2026-06-30", "2026-06-30T00:00:00Z", "2026-02-30T23:59:59Z", "2009-12-31T23:59:59Z", "2101-01-01T23:59:59Z",
     "", None, "2026-06-30T23:59:59Z\n", "٢٠٢٦-06-30T23:59:59Z"],
)  # fmt: skip
def test_a_wrong_as_of_is_refused(as_of: object) -> None:
    """as_of is the last second of a real day from 2010 to 2100."""
    with pytest.raises(UsageError, match="as_of: expected the last second of a real day"):
        generate(10, as_of=as_of)  # type: ignore[arg-type]


@pytest.mark.parametrize("as_of", ["2010-01-01T23:59:59Z", "2100-12-31T23:59:59Z", "2024-02-29T23:59:59Z"])
def test_the_first_and_last_year_work(as_of: str) -> None:
    """History ends at as_of, three years long."""
    table = next(generate(40, as_of=as_of))["customers"]
    first = min(column(table, "event_ts"))
    assert max(column(table, "ingest_ts")) <= as_of
    assert datetime.fromisoformat(as_of) - datetime.fromisoformat(first) < timedelta(days=3 * 365)
