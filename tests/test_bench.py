"""What the peers of the bench compute, on literal rows; any other implementation of the same core may join the list."""

from __future__ import annotations

import csv
import importlib
import random
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from c360lib import rules
from c360lib.schemas import RAW
from tests.support import FAST

ROOT = Path(__file__).resolve().parent.parent
AS_OF = "2026-06-30T23:59:59Z"
Tables = dict[str, pa.Table]
Rows = dict[str, list[dict[str, str]]]


def peer_duckdb(root: Path, as_of: str) -> Tables:
    """The hand-written SQL."""
    pytest.importorskip("duckdb", reason="duckdb is not installed: pip install 'c360[engines]'")
    return importlib.import_module("bench.peer_duckdb").core(root / "data" / "raw", as_of)


def peer_pandas(root: Path, as_of: str) -> Tables:
    """The hand-written pandas."""
    return importlib.import_module("bench.peer_pandas").core(root / "data" / "raw", as_of)


def library(root: Path, as_of: str) -> Tables:
    """The layers of the product."""
    return importlib.import_module("bench.library").core(root, FAST, as_of)


IMPLEMENTATIONS: tuple[Callable[[Path, str], Tables], ...] = (peer_duckdb, peer_pandas, library)


# --- literal rows -----------------------------------------------------------------------------------------------------
def day(text: str) -> str:
    """`06-10 10:00:00` of 2026, or a whole timestamp, as the contract writes it."""
    if "Z" in text:
        return text
    date, _, time = text.partition(" ")
    return f"2026-{date}T{time or '12:00:00'}Z"


def account(record_id: str) -> dict[str, str]:
    """The two columns that name an account."""
    system, _, customer = record_id.partition(":")
    return {"source_system": system, "customer_id": customer}


def customer(record_id: str, at: str, op: str = "c", lsn: int = 1, arrived: str = "", **values: str) -> dict[str, str]:
    """A row of customers.csv."""
    return {
        "event_ts": day(at),
        "ingest_ts": day(arrived or at),
        **account(record_id),
        "op": op,
        "lsn": str(lsn),
        **values,
    }


def order(order_id: str, record_id: str, lsn: int, status: str, cents: int, at: str, **more: str) -> dict[str, str]:
    """A row of orders.csv; `at` is when the customer ordered and when the change happened."""
    return {
        "event_ts": day(at),
        "ingest_ts": day(at),
        "order_id": order_id,
        **account(record_id),
        "op": "c",
        "lsn": str(lsn),
        "status": status,
        "ordered_ts": day(at),
        "currency": "EUR",
        "net_amount_cents": str(cents),
        **more,
    }


def click(event_id: str, device: str, at: str, record_id: str = "") -> dict[str, str]:
    """A row of clickstream.csv."""
    return {
        "event_ts": day(at),
        "ingest_ts": day(at),
        "event_id": event_id,
        "anonymous_id": device,
        **account(record_id),
        "event_name": "page_view",
    }


def choice(
    event_id: str, record_id: str, purpose: str, channel: str, status: str, at: str, **more: str
) -> dict[str, str]:
    """A row of consent_events.csv."""
    return {
        "event_ts": day(at),
        "ingest_ts": day(at),
        "event_id": event_id,
        **account(record_id),
        "purpose": purpose,
        "channel": channel,
        "status": status,
        **more,
    }


def touch(event_id: str, record_id: str, channel: str, name: str, at: str, **more: str) -> dict[str, str]:
    """A row of campaign_events.csv."""
    return {
        "event_ts": day(at),
        "ingest_ts": day(at),
        "event_id": event_id,
        "campaign_id": "spring",
        **account(record_id),
        "channel": channel,
        "event_name": name,
        **more,
    }


def request(request_id: str, record_id: str, at: str) -> dict[str, str]:
    """A row of erasure_requests.csv."""
    return {"event_ts": day(at), "ingest_ts": day(at), "request_id": request_id, **account(record_id)}


ANNA = {"first_name": "Anna", "last_name": "Berg", "date_of_birth": "1980-01-01"}
TWINS = {
    "last_name": "Vogel",
    "date_of_birth": "1990-05-05",
    "email": "vogel@x.example",
    "phone": "030 7777777",
    "street": "Ring 1",
}
KRAUS = {"first_name": "Max", "last_name": "Kraus", "email": "kraus@x.example", "phone": "040/5555555"}
DORA = {"first_name": "Dora", "last_name": "Lind", "date_of_birth": "1971-03-03"}

LITERAL: Rows = {
    "customers": [
        customer("crm:a1", "01-01", email="anna@x.example", phone="+49 30 1234567", **ANNA),
        customer("shop:a2", "01-02", email=" ANNA@X.EXAMPLE", **ANNA),
        customer("crm:t1", "01-01", first_name="Lena", **TWINS),
        customer("crm:t2", "01-01", first_name="Lara", **TWINS),
        customer("crm:b1", "01-03", first_name="Robert", last_name="Stra\u00dfer", date_of_birth="1970-02-02"),
        customer(
            "shop:b2",
            "01-02",
            first_name="Bob",
            last_name="STRASSER",
            date_of_birth="1970-02-02",
            email="bob@x.example",
        ),
        customer("crm:k1", "01-01", date_of_birth="1960-01-01", **KRAUS),
        customer("crm:k2", "01-02", **KRAUS),
        customer("crm:k3", "01-03", date_of_birth="1985-01-01", **KRAUS),
        *(
            customer(f"crm:m{n:02}", "02-01", first_name="Jan", last_name="Kowal", date_of_birth="1977-07-07")
            for n in range(11)
        ),
        *(
            customer(f"crm:n{n:02}", "02-02", first_name="Jan", last_name="Nowak", date_of_birth="1977-07-07")
            for n in range(10)
        ),
        customer("crm:d1", "01-01", email="dora@x.example", **DORA),
        customer("crm:d1", "03-01", op="d", lsn=2),
        customer("shop:d2", "01-02", **DORA),
        customer("crm:gone", "01-01", first_name="Gone"),
        customer("crm:gone", "01-02", op="d", lsn=2),
        customer("crm:e1", "01-01", first_name="Eva", last_name="Roth", date_of_birth="1988-08-08"),
        customer("shop:e2", "01-02", first_name="Eva", last_name="Roth", date_of_birth="1988-08-08"),
        customer("crm:u1", "01-05", lsn=2, first_name="Uma", last_name="Kern", date_of_birth="1999-09-09"),
        customer("crm:u1", "01-06", lsn=1, first_name="Old", last_name="Value", date_of_birth="1999-09-09"),
        customer("crm:u1", "02-01", lsn=3, first_name="Not", last_name="Yet", arrived="07-01"),
        customer(
            "crm:u1", "01-05", lsn=2, first_name="Uma", last_name="Kern", date_of_birth="1999-09-09", arrived="01-09"
        ),
        customer("shop:u2", "01-07", first_name="uma", last_name="kern", date_of_birth="1999-09-09"),
        customer("crm:later", "06-30", arrived="07-01", first_name="Late"),
    ],
    "orders": [
        order("O1", "crm:a1", 1, "placed", 10000, "06-01 10:00:00"),
        order("O1", "crm:a1", 2, "paid", 10000, "06-01 10:00:00"),
        order("O1", "crm:a1", 2, "paid", 10000, "06-01 10:00:00", ingest_ts=day("06-03")),
        order("O2", "shop:a2", 2, "paid", 5001, "06-20 23:59:59"),
        order("O3", "shop:a2", 3, "placed", 900, "06-21"),
        order("O4", "crm:a1", 5, "refunded", 700, "06-22"),
        order("O4", "crm:a1", 4, "paid", 700, "06-22"),
        order("O5", "crm:a1", 6, "paid", 800, "06-23"),
        order(
            "O5", "", 7, "", 0, "06-24", op="d", source_system="crm", ordered_ts="", currency="", net_amount_cents=""
        ),
        order("O6", "crm:a1", 8, "paid", 5000, "06-25", ingest_ts=day("07-01")),
        order("O7", "crm:nobody", 9, "paid", 5000, "06-25"),
        order("O8", "crm:e1", 10, "paid", 5000, "06-25"),
        order("O9", "crm:d1", 11, "paid", 2000, "02-01"),
        order("O9", "shop:d2", 12, "placed", 3000, "02-02"),
    ],
    "clickstream": [
        click("e05", "dev1", "06-10 11:10:01"),
        click("e01", "dev1", "06-10 10:00:00"),
        click("e03", "dev1", "06-10 10:30:00", "crm:a1"),
        {**click("e03", "dev1", "06-10 10:30:00", "crm:a1"), "ingest_ts": day("06-11")},
        click("e04", "dev1", "06-10 10:40:00"),
        click("f1", "dev2", "06-11 09:00:00", "crm:t1"),
        click("f2", "dev2", "06-11 09:05:00"),
        click("f3", "dev2", "06-11 09:10:00", "crm:t2"),
        click("f4", "dev2", "06-11 09:15:00"),
        click("g3", "dev3", "06-12 12:00:00", "crm:t1"),
        click("g2", "dev3", "06-12 12:00:00"),
        click("g1", "dev3", "06-12 12:00:00", "crm:b1"),
        *(click(f"h{n}", "dev4", f"06-13 12:0{n}:00", f"crm:n{n:02}") for n in range(6)),
        click("h9", "dev4", "06-13 12:09:00"),
        click("i1", "", "05-31 23:59:59", "crm:u1"),
        click("i2", "", "06-01 00:00:00", "crm:u1"),
        click("i3", "", "06-01 00:05:00"),
        click("i4", "dev5", "05-01 00:05:00", "crm:k3"),
        click("j1", "dev6", "06-14 10:00:00", "crm:nobody"),
        click("j2", "dev6", "06-14 10:01:00", "crm:e1"),
        click("j3", "dev6", "06-14 10:02:00"),
    ],
    "consent_events": [
        choice("C01", "crm:a1", "marketing", "any", "granted", "02-01"),
        choice("C02", "shop:a2", "marketing", "email", "withdrawn", "03-01"),
        choice("C03", "crm:a1", "analytics", "", "granted", "02-01"),
        choice("C04", "crm:a1", "analytics", "any", "granted", "02-02", expires_ts=AS_OF),
        choice("C05", "shop:a2", "personalization", "any", "granted", "02-01"),
        choice("C07", "crm:b1", "marketing", "any", "denied", "02-02"),
        choice("C06", "crm:b1", "marketing", "any", "granted", "02-01", ingest_ts=day("06-01")),
        choice("C99", "crm:b1", "analytics", "push", "granted", "02-01"),
        choice("C11", "shop:b2", "analytics", "push", "denied", "02-01"),
        choice("C12", "shop:b2", "personalization", "email", "granted", "02-01", expires_ts="9999-12-31T00:00:00Z"),
        choice("C13", "crm:t1", "marketing", "any", "granted", "02-01"),
        choice("C14", "crm:t1", "analytics", "any", "granted", "02-01"),
        choice("C15", "crm:t1", "analytics", "any", "denied", "07-01 00:01:00", ingest_ts=AS_OF),
        choice("C16", "crm:t2", "analytics", "any", "granted", "07-01 00:01:00", ingest_ts=AS_OF),
        choice("C17", "crm:d1", "marketing", "any", "granted", "02-01"),
        choice("C18", "crm:e1", "marketing", "any", "granted", "02-01"),
        choice("C19", "crm:nobody", "marketing", "any", "granted", "02-01"),
    ],
    "campaign_events": [
        touch("M1", "crm:t1", "email", "unsubscribed", "03-01"),
        touch("M2", "crm:t1", "push", "clicked", "03-02"),
        touch("M3", "crm:t1", "sms", "unsubscribed", "07-01 00:01:00", ingest_ts=AS_OF),
    ],
    "erasure_requests": [request("R1", "crm:e1", "06-29"), request("R2", "crm:k1", "07-01")],
}


def written(root: Path, rows: Rows) -> Path:
    """The rows as raw files below `root`."""
    (root / "data" / "raw").mkdir(parents=True)
    for name, table in RAW.items():
        with (root / "data" / "raw" / f"{name}.csv").open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, table.column_names, restval="", lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows.get(name, []))
    return root


@pytest.fixture(scope="module", autouse=True)
def bench_is_importable() -> Iterator[None]:
    """The bench is no part of the installed package."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(ROOT))
        yield


@pytest.fixture(scope="module", params=IMPLEMENTATIONS, ids=lambda core: core.__name__)
def tables(request: Any, bench_is_importable: None, tmp_path_factory: pytest.TempPathFactory) -> Tables:
    """What one implementation makes of the literal rows."""
    return request.param(written(tmp_path_factory.mktemp("literal"), LITERAL), AS_OF)


def cells(table: pa.Table, key: Iterable[str], names: Iterable[str]) -> dict[Any, Any]:
    """Rows as {key: values}; a key or value of one column stands alone."""
    keys, values = (
        list(zip(*(table[n].to_pylist() for n in columns), strict=True)) for columns in (list(key), list(names))
    )
    return {one(k): one(v) for k, v in zip(keys, values, strict=True)}


def one(values: tuple[Any, ...]) -> Any:
    """A single value without its tuple."""
    return values[0] if len(values) == 1 else values


# --- identity ---------------------------------------------------------------------------------------------------------
def persons(tables: Tables) -> dict[str, str]:
    """profile_id by record_id."""
    return cells(tables["identity"], ["record_id"], ["profile_id"])


def test_every_account_that_has_arrived_and_is_not_erased_stands_once(tables: Tables) -> None:
    """Deleted accounts stay; erased ones and those that arrive after as_of are left out; rows stand in key order."""
    expected = sorted(
        {f"{r['source_system']}:{r['customer_id']}" for r in LITERAL["customers"]} - {"crm:e1", "crm:later"}
    )
    assert expected == tables["identity"]["record_id"].to_pylist()


@pytest.mark.parametrize(
    ("record_id", "profile_id"),
    [
        ("shop:a2", "P-crm:a1"),  # letter case and blanks do not matter
        ("crm:t1", "P-crm:t1"),
        ("crm:t2", "P-crm:t2"),  # twins share everything but the first name
        ("crm:b1", "P-shop:b2"),
        ("shop:b2", "P-shop:b2"),  # a nickname, a folded sharp s; the oldest account is the anchor
        ("crm:d1", "P-crm:d1"),
        ("shop:d2", "P-crm:d1"),  # a deleted account matches by its last state and stays the anchor
        ("shop:e2", "P-shop:e2"),  # an erased account anchors nobody
        ("crm:u1", "P-crm:u1"),
        ("shop:u2", "P-crm:u1"),  # lsn, not event_ts, decides which values are current
    ],
)
def test_accounts_of_one_person_share_a_profile(tables: Tables, record_id: str, profile_id: str) -> None:
    """Each pair of this table has its reason beside it."""
    assert profile_id == persons(tables)[record_id]


def test_a_cluster_never_holds_two_dates_of_birth(tables: Tables) -> None:
    """In a chain 1960, none, 1985 the first edge joins; the one that would bring the second date is refused."""
    found = persons(tables)
    assert ["P-crm:k1", "P-crm:k1", "P-crm:k3"] == [found[name] for name in ("crm:k1", "crm:k2", "crm:k3")]


def test_a_key_held_by_more_accounts_than_its_limit_is_no_evidence(tables: Tables) -> None:
    """Eleven holders stay apart, ten are one person."""
    found = persons(tables)
    assert {f"crm:m{n:02}": f"P-crm:m{n:02}" for n in range(11)} == {
        k: v for k, v in found.items() if k.startswith("crm:m")
    }
    assert {"P-crm:n00"} == {v for k, v in found.items() if k.startswith("crm:n")}


# --- value ------------------------------------------------------------------------------------------------------------
def test_every_person_with_a_live_account_has_a_row(tables: Tables) -> None:
    """Value and activity hold the same persons, in key order; one whose only account is deleted has no row."""
    expected = sorted(set(persons(tables).values()) - {"P-crm:gone"})
    assert expected == tables["value"]["profile_id"].to_pylist() == tables["activity"]["profile_id"].to_pylist()


@pytest.mark.parametrize(
    ("profile_id", "expected"),
    [
        # one order placed, one refunded, one deleted, one that arrives later; O1 came twice; 7,500.5 rounds up
        ("P-crm:a1", (4, 15001, 7501, 1780308000, 1781999999, 10, 2, 15001, "522", 1, 19, 29)),
        # O9 of another system is another order; orders of a deleted account count
        ("P-crm:d1", (2, 2000, 2000, 1769947200, 1769947200, 149, 1, 2000, "311", 0, 0, 149)),
        ("P-crm:t1", (0, 0, None, None, None, None, 0, 0, "111", None, None, None)),
        ("P-shop:e2", (0, 0, None, None, None, None, 0, 0, "111", None, None, None)),
    ],
)
def test_value_counts_paid_orders_in_their_latest_state(
    tables: Tables, profile_id: str, expected: tuple[Any, ...]
) -> None:
    """order_count is of any status; value, RFM and CLV are of paid orders only."""
    assert expected == cells(tables["value"], ["profile_id"], tables["value"].column_names[1:])[profile_id]


# --- activity ---------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("profile_id", "expected"),
    [
        # e01 is 30:00 before e03 and goes to it, e04 after it too; e05 is 30:01 after e04; e03 came twice
        ("P-crm:a1", (1, 3, 1781088000)),
        # f2 goes to the next named person, f4 to the previous one; g2 stands between g1 and g3 of its second
        ("P-crm:t1", (2, 3, 1781265600)),
        ("P-crm:t2", (1, 3, 1781169300)),
        ("P-shop:b2", (1, 1, 1781265600)),
        # six accounts on one device: each is a visitor of its own, and h9 is nobody's
        ("P-crm:n00", (6, 6, 1781352300)),
        # i1 is a second too old for the window, its visit is not; i3 has neither device nor account
        ("P-crm:u1", (1, 1, 1780272000)),
        ("P-crm:k3", (0, 0, 1777593900)),
        # unknown and erased accounts leave their device's other events unassigned
        ("P-shop:e2", (0, 0, None)),
    ],
)
def test_visits_and_events_are_counted_for_the_person_they_are_given_to(
    tables: Tables, profile_id: str, expected: tuple[Any, ...]
) -> None:
    """Sessions, events of the window, last event ever."""
    assert (
        expected
        == cells(tables["activity"], ["profile_id"], ["sessions_30d", "events_30d", "last_seen_ts"])[profile_id]
    )


# --- consent ----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("profile_id", "purpose", "expected"),
    [
        # any-channel grant, then a withdrawal of one channel by another account
        ("P-crm:a1", "marketing", [("withdrawn", "C02"), (None, "C01"), (None, "C01")]),
        # the latest grant has ended at as_of; the older one without an end does not come back
        ("P-crm:a1", "analytics", [("expired", "C04"), ("expired", "C04"), ("expired", "C04")]),
        # the granting account has no phone; that of the other account is not borrowed
        ("P-crm:a1", "personalization", [(None, "C05"), (None, "C05"), ("no_identifier", "C05")]),
        # an older grant that arrives late changes nothing
        ("P-shop:b2", "marketing", [("denied", "C07"), ("denied", "C07"), ("denied", "C07")]),
        # at one second a block beats a grant, whatever the ids are
        ("P-shop:b2", "analytics", [("no_consent", None), ("denied", "C11"), ("no_consent", None)]),
        ("P-shop:b2", "personalization", [(None, "C12"), ("no_consent", None), ("no_consent", None)]),
        # unsubscribing withdraws marketing on its channel; a block counts once it has arrived, even with a clock ahead
        (
            "P-crm:t1",
            "marketing",
            [("withdrawn", "campaign_events:M1"), (None, "C13"), ("withdrawn", "campaign_events:M3")],
        ),
        ("P-crm:t1", "analytics", [("denied", "C15"), ("denied", "C15"), ("denied", "C15")]),
        # a grant does not count before it happens
        ("P-crm:t2", "analytics", [("no_consent", None), ("no_consent", None), ("no_consent", None)]),
        ("P-crm:d1", "marketing", [("account_deleted", "C17"), ("account_deleted", "C17"), ("account_deleted", "C17")]),
        ("P-shop:e2", "marketing", [("no_consent", None), ("no_consent", None), ("no_consent", None)]),
    ],
)
def test_consent_is_the_latest_choice_of_the_person(
    tables: Tables, profile_id: str, purpose: str, expected: list[tuple[str | None, str | None]]
) -> None:
    """Reason and proof for e-mail, push and text message; eligible is the absence of a reason."""
    found = cells(
        tables["consent"], ["profile_id", "purpose", "channel"], ["block_reason", "consent_event_id", "eligible"]
    )
    rows = [found[profile_id, purpose, channel] for channel in sorted(rules.CHANNELS)]
    assert expected == [(reason, proof) for reason, proof, _ in rows]
    assert [reason is None for reason, _ in expected] == [eligible for *_, eligible in rows]


def test_consent_holds_every_purpose_and_channel_of_every_person_in_key_order(tables: Tables) -> None:
    """Nobody's slot is missing."""
    expected = [
        (profile, purpose, channel)
        for profile in tables["value"]["profile_id"].to_pylist()
        for purpose in sorted(rules.PURPOSES)
        for channel in sorted(rules.CHANNELS)
    ]
    assert expected == list(cells(tables["consent"], ["profile_id", "purpose", "channel"], ["eligible"]))


# --- random rows ------------------------------------------------------------------------------------------------------
def at(rng: random.Random) -> str:
    """A moment around as_of, or months before it, in steps that meet the session gap."""
    minute, second = rng.choice((0, 1, 29, 30, 31)), rng.randint(0, 2)
    return f"2026-0{rng.randint(5, 7)}-0{rng.randint(1, 3)}T00:{minute:02}:0{second}Z"


def some(rng: random.Random, prefix: str, count: int) -> str:
    """One of a few texts, or none."""
    return rng.choice(["", *(f"{prefix}{n}" for n in range(count))])


def some_customer(rng: random.Random, record_id: str, lsn: int) -> dict[str, str]:
    """A change of an account; a delete carries no values."""
    times, births, op = (at(rng), at(rng)), ("", "1980-01-01", "1980-01-02"), rng.choice("cuuud")
    if op == "d":
        return customer(record_id, min(times), op, lsn, max(times))
    return customer(
        record_id,
        min(times),
        op,
        lsn,
        max(times),
        first_name=rng.choice(["Robert", "bob", "\u0130pek", "i\u0307pek", ""]),
        last_name=some(rng, "Stra\u00dfe", 2),
        email=some(rng, "a@x.", 9),
        phone=some(rng, "030 12345 6", 9),
        date_of_birth=rng.choice(births),
        street=some(rng, " Ring  ", 9),
        loyalty_id=some(rng, "L", 9),
    )


def some_rows(seed: int) -> Rows:
    """Rows that clash a lot: few names, keys, devices and seconds for many accounts."""
    rng = random.Random(seed)
    names = [f"{system}:{n}" for system in ("crm", "shop") for n in range(30)]
    who = [*names, "crm:nobody"]
    ids = iter(rng.sample(range(10_000), 2_000))
    statuses, channels = ("granted", "granted", "denied", "withdrawn"), (*rules.CHANNELS, "any", "")
    return {
        "customers": [some_customer(rng, name, lsn) for name in names for lsn in range(1, rng.randint(2, 4))],
        "orders": [
            order(
                f"O{n % 60}",
                names[n % 60],
                lsn,
                rng.choice(("placed", "paid", "paid")),
                rng.randint(0, 30_000),
                at(rng),
                op=rng.choice("cccd"),
            )
            for n, lsn in enumerate(rng.sample(range(1_000), 150))
        ],
        "clickstream": [
            click(f"E{next(ids)}", some(rng, "D", 12), at(rng), rng.choice(["", "", rng.choice(who)]))
            for _ in range(300)
        ],
        "consent_events": [
            choice(
                f"C{next(ids)}",
                rng.choice(who),
                rng.choice(rules.PURPOSES),
                rng.choice(channels),
                rng.choice(statuses),
                at(rng),
                expires_ts=rng.choice(["", "", at(rng)]),
            )
            for _ in range(300)
        ],
        "campaign_events": [
            touch(f"M{next(ids)}", rng.choice(who), rng.choice(rules.CHANNELS), "unsubscribed", at(rng))
            for _ in range(20)
        ],
        "erasure_requests": [request("R1", rng.choice(who), at(rng))],
    }


@pytest.mark.parametrize("seed", range(6))
def test_implementations_agree_on_random_rows(tmp_path: Path, seed: int) -> None:
    """Every cell of the four tables is equal, at a moment in the middle of the history."""
    root = written(tmp_path, some_rows(seed))
    first, *others = (core(root, "2026-06-30T23:59:59Z") for core in IMPLEMENTATIONS)
    differences = importlib.import_module("bench.tables").differences
    assert [[]] * len(others) == [differences(first, other) for other in others]


# --- the report -------------------------------------------------------------------------------------------------------
def test_a_difference_is_told_by_table_column_and_key() -> None:
    """The first cell that differs, with both values; null is not equal to a value."""
    bench_tables = importlib.import_module("bench.tables")
    empty = {name: schema.empty_table() for name, schema in bench_tables.SCHEMAS.items()}
    rows = [pa.table({"record_id": ["a", "b"], "profile_id": ["P-a", last]}) for last in ("P-a", None)]
    assert ["identity: profile_id of ['b']: expected 'P-a', got None"] == bench_tables.differences(
        {**empty, "identity": rows[0]}, {**empty, "identity": rows[1]}
    )


def test_a_candidate_tells_its_own_memory_whoever_started_it() -> None:
    """Not that of the process that started it, which holds the tables of others."""
    ballast = bytearray(b"1") * (400 << 20)
    code = "from bench.child import peak_megabytes; print(peak_megabytes())"
    told = subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    assert 10 < int(told) < len(ballast) >> 20


def test_the_report_shows_ratios_growth_and_why_a_candidate_has_no_time() -> None:
    """Ratios are to the fastest peer; growth is per ten times the people; targets are met, missed or not measured."""
    run, report = importlib.import_module("bench.run"), importlib.import_module("bench.report")
    sizes = {
        size: [
            run.Result("peer_duckdb", 2.0 * n, 100),
            run.Result("peer_pandas", 4.0 * n, 300),
            run.Result("c360lib_polars", 3.2 * n, 330),
            run.Result("c360lib_spark", note="skipped: no pyspark"),
        ]
        for size, n in ((100, 1), (10_000, 100))
    }
    text = report.markdown(sizes, {"start": 0.5}, runs=3)
    for part in (
        "| c360lib on polars  |  320.00 | 330 |                1.60 |                  3.30 |",
        "c360lib on spark: skipped: no pyspark.",
        "| c360lib on polars  |          10.0 |",
        "the fastest peer, at 10,000: met",
        "11 times the time: met",
        "| `start` |    0.50 |",
    ):
        assert part in text
