"""Laws that hold for any input: nothing vanishes, nothing in doubt opens a door, and a part is as the whole."""

from __future__ import annotations

import base64
import random
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any

import networkx as nx
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from c360lib.engines.open import open_engine
from c360lib.generate import generate
from c360lib.layers.behaviour import shared_devices_among
from c360lib.layers.layer import Moment
from c360lib.layers.pipeline import INPUTS, PUBLISHED
from c360lib.layers.run import run_layers
from c360lib.rules import MATCH_RULES
from c360lib.schemas import GOLD, RAW, SILVER
from c360lib.sources.typed import Typed
from tests.support import (
    AS_OF,
    FAST,
    SOURCES,
    UNSHRUNK,
    Row,
    account,
    at_rest,
    click,
    decision,
    loaded,
    made_fast,
    picked,
    seconds,
    ticket,
    typed,
)

Tables = dict[str, list[dict[str, Any]]]
CHANCE = st.integers(0, 2**32).map(random.Random)
DRAWN = settings(UNSHRUNK, max_examples=2)


@cache
def people(count: int, seed: int = 360) -> tuple[Row, ...]:
    """Raw rows of generated people."""
    tables = next(generate(count, seed))
    return tuple(Row(name, cells) for name in RAW for cells in tables[name].to_pylist())


# --- every row has exactly one disposition ----------------------------------------------------------------------------
HOSTILE = [
    "",
    " ",
    "NA",
    "x",
    "-1",
    "0x1f",
    "1",
    "9999-12-31",
    "9999-12-31T23:59:59Z",
    "2026-02-30T00:00:00Z",
    "2026-06-01T00:00:00Z",
    "2026-07-05T00:00:00Z",
    "１",
    "\x00",
    "a@b.c",
    "c",
    "d",
    "u",
    "paid",
    "EUR",
    "USD",
    "crm",
    "any",
    "granted",
    "withdrawn",
    "İ",
]


def spoilt(rows: Iterable[Row], chance: random.Random, count: int) -> list[Row]:
    """Rows of which some got a hostile cell, some were delivered again, some damaged beyond reading, in any order."""
    found = list(rows)
    for at in chance.choices(range(len(found)), k=count):
        row = found[at]
        found[at] = row.but(**{chance.choice(SOURCES[row.source].column_names): chance.choice(HOSTILE)})
    found += chance.choices(found, k=count)
    found += [Row(chance.choice(list(RAW)), {"_raw_base64": base64.b64encode(b"damaged").decode()}) for _ in range(5)]
    chance.shuffle(found)
    return found


@DRAWN
@given(CHANCE)
def test_every_row_has_exactly_one_disposition(chance: random.Random) -> None:
    """Source by source the counts add up to the rows that came in, and each is what the tables hold."""
    rows = spoilt(people(40), chance, 400)
    tables = made_fast(rows, *SILVER, "dispositions")
    counts: dict[str, dict[str, int]] = defaultdict(dict)
    for row in tables["dispositions"]:
        assert row["disposition"] not in counts[row["source"]]
        counts[row["source"]][row["disposition"]] = row["row_count"]
    assert Counter(row.source for row in rows) == {source: sum(found.values()) for source, found in counts.items()}
    quarantined = {source: found["quarantined"] for source, found in counts.items() if "quarantined" in found}
    assert quarantined == Counter(picked(tables["quarantine"], "source"))
    current = {source: found.get("current", 0) for source, found in counts.items()}
    assert current == {
        source: len(tables["customer_identity" if source == "customers" else source]) for source in current
    }
    assert {source for source, table in RAW.items() if table.is_cdc} >= {
        source for source, found in counts.items() if "superseded" in found
    }
    assert {"current", "superseded", "duplicate", "quarantined", "not_yet", "erased"} >= {
        name for found in counts.values() for name in found
    }


@DRAWN
@given(CHANCE)
def test_the_order_of_rows_decides_nothing(chance: random.Random) -> None:
    """Shuffled files give the same tables; quarantine and issues name the same cells at other places."""
    rows = spoilt(people(40), chance, 400)
    names = [name for name in PUBLISHED if name not in ("quarantine", "field_issues")]
    shuffled = chance.sample(rows, len(rows))
    expected, actual = made_fast(rows, *names, "quarantine"), made_fast(shuffled, *names, "quarantine")
    assert {name: _unordered(expected[name]) for name in names} == {name: _unordered(actual[name]) for name in names}
    rules = [Counter(picked(tables["quarantine"], "source", "rule")) for tables in (expected, actual)]
    assert rules[0] == rules[1]


def _unordered(rows: list[dict[str, Any]]) -> Counter[str]:
    return Counter(str(row) for row in rows)


# --- nothing in doubt opens a door ------------------------------------------------------------------------------------
def eligible(tables: Tables) -> set[tuple[str, ...]]:
    """Who may be reached how: (profile, purpose, channel, identifier)."""
    return {
        (r["profile_id"], r["purpose"], r["channel"], r["identifier"])
        for r in tables["activation_candidates"]
        if r["eligible"]
    }


@DRAWN
@given(CHANCE)
def test_a_row_that_cannot_be_used_only_ever_takes_away(chance: random.Random) -> None:
    """Whoever is eligible with the quarantined rows would be without them, whichever source they stand in.

    Requests for erasure are left alone: one that cannot be read still erases, blocks of the erased account too.
    """
    requests = [row for row in people(40) if row.source == "erasure_requests"]
    rows = [row for row in spoilt(people(40), chance, 200) if row.source != "erasure_requests"] + requests
    tables = made_fast(rows, "activation_candidates", "quarantine")
    assert tables["quarantine"]
    while tables["quarantine"]:  # a duplicate of a row that goes takes its place
        rows = without(rows, set(picked(tables["quarantine"], "source", "row_number")))
        fewer = made_fast(rows, "activation_candidates", "quarantine")
        assert set() == eligible(tables) - eligible(fewer)
        tables = fewer
    assert eligible(tables)


def without(rows: Iterable[Row], unwanted: set[tuple[str, int]]) -> list[Row]:
    """Rows but for those at (source, row_number)."""
    place: Counter[str] = Counter()
    found = []
    for row in rows:
        place[row.source] += 1
        if (row.source, place[row.source]) not in unwanted:
            found.append(row)
    return found


# Cells that their column cannot hold. Neither the account nor what empties to a wider meaning (channel, expires_ts).
MALFORMED = {
    "event_ts": ["", "soon", "2026-02-30T00:00:00Z", "9999-12-31T23:59:59Z"],
    "ingest_ts": ["", "soon", "0001-01-01T00:00:00Z"],
    "event_id": ["", "\u00a0"],
    "purpose": ["", "spam", "Marketing"],
    "channel": ["fax", "E-mail"],
    "status": ["", "maybe", "GRANTED"],
    "expires_ts": ["never", "2026-02-30T00:00:00Z"],
}


@DRAWN
@given(CHANCE)
def test_a_malformed_cell_of_a_choice_never_makes_anybody_eligible(chance: random.Random) -> None:
    """Of consent rows whose account can be read, and of unsubscribes: a spoilt cell blocks or changes nothing."""
    rows = list(people(40))
    choices = [
        at
        for at, row in enumerate(rows)
        if row.source == "consent_events" or row.cells.get("event_name") == "unsubscribed"
    ]
    spoiled = list(rows)
    for at in chance.sample(choices, 30):
        column = chance.choice([name for name in MALFORMED if name in rows[at].cells])
        spoiled[at] = rows[at].but(**{column: chance.choice(MALFORMED[column])})
    before, after = (made_fast(each, "activation_candidates", "quarantine") for each in (rows, spoiled))
    assert set() == eligible(after) - eligible(before)
    assert eligible(after) != eligible(before)
    assert len(after["quarantine"]) > len(before["quarantine"])


# --- no way of delivering or joining opens a door ---------------------------------------------------------------------
def leaks(rows: Iterable[Row], tables: Tables) -> list[dict[str, Any]]:
    """Eligible rows that the raw events do not give: no such grant of an account of the profile, or a block since."""
    profile = dict(picked(tables["customer_identity"], "record_id", "profile_id"))
    grants, blocks = {}, []
    for row in rows:
        cells = row.cells
        who = profile.get(f"{cells.get('source_system')}:{cells.get('customer_id')}")
        if row.source == "consent_events" and cells["status"] == "granted":
            grants[cells["event_id"], who] = cells
        elif row.source == "consent_events" or cells.get("event_name") == "unsubscribed":
            blocks.append((who, cells.get("purpose", "marketing"), cells["channel"], cells["event_ts"]))
    found = []
    for each in tables["activation_candidates"]:
        if each["eligible"]:
            grant = grants.get((each["consent_event_id"], each["profile_id"]))
            if (
                grant is None
                or grant["purpose"] != each["purpose"]
                or grant["channel"] not in (each["channel"], "any", "")
                or any(
                    (who, purpose) == (each["profile_id"], each["purpose"])
                    and channel in (each["channel"], "any", "")
                    and at >= grant["event_ts"]
                    for who, purpose, channel, at in blocks
                )
            ):
                found.append(each)
    return found


def decided(rows: Iterable[Row], chance: random.Random, count: int) -> list[Row]:
    """Random decisions of a steward, most of them nonsense."""
    ids = sorted(
        {f"{row.cells['source_system']}:{row.cells['customer_id']}" for row in rows if row.source == "customers"}
    )
    return [
        decision(*chance.sample(ids, 2), chance.choice(["must_link", "must_link", "cannot_link"])) for _ in range(count)
    ]


@DRAWN
@given(CHANCE)
def test_merging_creates_no_eligibility(chance: random.Random) -> None:
    """Whatever a steward joins or splits, a grant opens only for its own account, and only if nobody took it back.

    A profile made of whole former profiles is eligible only by a proof, and at an address, that one of them had before.
    """
    rows = people(40)
    more = [*rows, *decided(rows, chance, 40)]
    before, after = (made_fast(each, "activation_candidates", "customer_identity") for each in (rows, more))
    assert ([], []) == (leaks(rows, before), leaks(more, after))
    old, new = (dict(picked(tables["customer_identity"], "record_id", "profile_id")) for tables in (before, after))
    homes: dict[str, set[str]] = defaultdict(set)
    for record_id, profile_id in old.items():
        homes[profile_id].add(new[record_id])
    torn = {profile for found in homes.values() if len(found) > 1 for profile in found}
    columns = ("consent_event_id", "purpose", "channel", "identifier")
    given_before = set(picked([row for row in before["activation_candidates"] if row["eligible"]], *columns))
    given_after = set(
        picked(
            [row for row in after["activation_candidates"] if row["eligible"] and row["profile_id"] not in torn],
            *columns,
        )
    )
    assert set() == given_after - given_before
    assert given_after


@DRAWN
@given(CHANCE)
def test_reordering_and_repeating_change_no_eligibility_and_delaying_creates_none(chance: random.Random) -> None:
    """As long as every row has arrived by as_of, nothing about its delivery opens anything.

    A refusal that arrives more than 30 days late also shuts what was granted until then.
    """
    rows = list(people(40))
    again = [row.but(ingest_ts=AS_OF) for row in chance.choices(rows, k=300)]
    expected = made_fast(rows, "activation_candidates")
    assert expected == made_fast(chance.sample(rows + again, len(rows) + 300), "activation_candidates")
    late = [row.but(ingest_ts=AS_OF) if chance.random() < 0.3 else row for row in rows]
    found = made_fast(chance.sample(late, len(rows)), "activation_candidates")
    assert {slot(row) for row in found if row["eligible"]} <= {slot(row) for row in expected if row["eligible"]}


def slot(row: dict[str, Any]) -> tuple[str, ...]:
    """What one row of activation_candidates is about, and how the person is reached."""
    return row["profile_id"], row["purpose"], row["channel"], row["identifier"]


@DRAWN
@given(CHANCE)
def test_rows_that_have_not_arrived_create_no_eligibility_of_their_own(chance: random.Random) -> None:
    """What is held back past as_of is as if it had not been sent: the answer is that of the rows that are there."""
    rows = list(people(40))
    held = {
        at
        for at, row in enumerate(rows)
        if row.source in ("consent_events", "campaign_events") and chance.random() < 0.3
    }
    delayed = [row.but(ingest_ts="2026-07-02T00:00:00Z") if at in held else row for at, row in enumerate(rows)]
    assert made_fast([row for at, row in enumerate(rows) if at not in held], "activation_candidates") == made_fast(
        delayed, "activation_candidates"
    )


# --- a part is as the whole -------------------------------------------------------------------------------------------
BLOCKED = ("blocked_identity_keys", "blocked_devices")
COMPARED = [name for name in (*SILVER, *GOLD) if name not in ("segment_summary", "blocked_keys")]
Numbered = dict[str, list[tuple[int, Row]]]


def numbered(rows: Iterable[Row]) -> Numbered:
    """Rows by source, with their places."""
    found: Numbered = {name: [] for name in SOURCES}
    for row in rows:
        found[row.source].append((len(found[row.source]) + 1, row))
    return found


def tables_of(rows: Numbered, given: Mapping[str, pa.Table], as_of: str = AS_OF) -> tuple[Tables, dict[str, pa.Table]]:
    """Every compared table, and the blocked keys; rows keep their numbers."""
    with open_engine(FAST) as engine:
        inputs = loaded(engine, {name: _batch(name, found) for name, found in rows.items()})
        assert set(INPUTS) == set(inputs)
        inputs |= {name: engine.load(table.schema, table.to_batches()) for name, table in given.items()}
        if "blocked_devices" in given:
            devices = shared_devices_among(inputs["clickstream_rows"], inputs["blocked_devices"])
            inputs["shared_devices"] = engine.materialise(devices)
        at = Moment(seconds(as_of), seconds(as_of))
        targets = [*COMPARED, *(name for name in BLOCKED if name not in given)]
        found = {name: engine.table(frame) for name, frame in run_layers(engine, inputs, at, targets)}
    return {name: at_rest(found[name], name) for name in COMPARED}, {
        name: found[name] for name in BLOCKED if name in found
    }


def _batch(source: str, rows: list[tuple[int, Row]]) -> Typed:
    return typed(source, [row.cells for _, row in rows], [number for number, _ in rows])


def ties(rows: Numbered, blocked: Iterable[tuple[str, str]]) -> nx.Graph:
    """Rows, and what ties them: account, key, usable identity key or device, e-mail of a ticket, steward pair."""
    ignored = set(blocked)
    graph = nx.Graph()
    mails = {row["email_key"] for row in _typed(rows, "support_tickets")}
    for source in rows:
        for row in _typed(rows, source):
            node = (source, row["_row_number"])
            graph.add_node(node)
            held = [("account", row.get("record_id"))] + [
                ("account", row.get(name)) for name in ("left_record_id", "right_record_id")
            ]
            key = (
                [row.get(name) for name in SOURCES[source].key if name != "lsn"]
                if source in RAW and source != "customers"
                else [None]
            )
            held.append(("key", None if None in key else f"{source}|{'|'.join(key)}"))
            held += _account_ties(row, mails) if source == "customers" else []
            held.append(("device", row.get("anonymous_id")))
            held.append(("mail", row.get("email_key") if source == "support_tickets" else None))
            graph.add_edges_from((node, token) for token in held if token[1] is not None and token not in ignored)
    return graph


def _typed(rows: Numbered, source: str) -> list[dict[str, Any]]:
    return list(_batch(source, rows[source]).rows.to_pylist())


def _account_ties(row: dict[str, Any], mails: set[str]) -> list[tuple[str, Any]]:
    keys = [(rule.name, [row[column] for column in rule.columns]) for rule in MATCH_RULES]
    held: list[tuple[str, Any]] = [(name, "|".join(map(str, key))) for name, key in keys if None not in key]
    return [*held, ("mail", row["email_key"] if row["email_key"] in mails else None)]


def part_of(tables: Tables, rows: Numbered) -> Tables:
    """The rows of each table that belong to those raw rows."""
    records = {row["record_id"] for row in _typed(rows, "customers")}
    profiles = {row["profile_id"] for row in tables["customer_identity"] if row["record_id"] in records}
    places = {(source, number) for source, found in rows.items() for number, _ in found}
    found: Tables = {}
    for name in COMPARED:
        key = (SILVER.get(name) or GOLD[name]).key
        if name in RAW:
            keys = {tuple(row.cells.get(column) for column in key) for _, row in rows[name]}
            found[name] = [row for row in tables[name] if tuple(row[column] for column in key) in keys]
        elif key[0] == "source":
            found[name] = [row for row in tables[name] if (row["source"], row["row_number"]) in places]
        elif key[0] in ("record_id", "left_record_id"):
            found[name] = [row for row in tables[name] if row[key[0]] in records]
        else:
            found[name] = [row for row in tables[name] if row["profile_id"] in profiles]
    return found


@cache
def whole(name: str) -> tuple[Numbered, Tables, dict[str, pa.Table], nx.Graph]:
    """A full build of generated people, with what the tests below add."""
    chance = random.Random(3)
    rows = [*people(150, 7), *EXTRA[name], *decided(people(150, 7), chance, 10)]
    rows += chance.choices(rows, k=50)
    spoil = chance.sample([at for at, row in enumerate(rows) if row.source != "decisions"], 40)
    for at in spoil:
        rows[at] = rows[at].but(**{chance.choice(["event_ts", "status", "email", "csat", "purpose"]): "?"})
    found = numbered(rows)
    tables, blocked = tables_of(found, {})
    keys = [(row["kind"], row["key"]) for table in blocked.values() for row in table.to_pylist()]
    return found, tables, blocked, ties(found, keys)


TILL = [
    *(account(f"till{n}") for n in range(7)),
    *(
        click(f"till{n}-{hour}", f"2026-06-10T{hour}:{5 * n:02d}:00Z", f"till{n}", "D-till")
        for n in range(7)
        for hour in (10, 11)
    ),
    click("till-nobody", "2026-06-10T10:12:00Z", device="D-till"),
]
CROWD = [account(f"crowd{n:02d}", loyalty_id="card", date_of_birth="1980-01-01", email="crowd@x.y") for n in range(12)]
EXTRA: dict[str, list[Row]] = {
    "plain": [],
    "a crowded key": [*CROWD, ticket("crowd", email="crowd@x.y")],
    "a crowded device": TILL,
}


@pytest.mark.parametrize("name", EXTRA)
@pytest.mark.parametrize("seed", [1, 2])
def test_a_closed_slice_gives_the_rows_of_the_whole(name: str, seed: int) -> None:
    """Given as_of and the blocked keys, the layers on a slice give exactly its rows of every table of the whole."""
    rows, tables, blocked, graph = whole(name)
    parts = sorted(sorted(node for node in part if node[0] in rows) for part in nx.connected_components(graph))
    chance = random.Random(seed)
    extra = [
        part for part in parts if any("crowd" in str(rows[s][n - 1]) or "till" in str(rows[s][n - 1]) for s, n in part)
    ]
    chosen = {node for part in [*chance.sample(parts, 12), *extra[:2]] for node in part}
    piece = {source: [(n, row) for n, row in found if (source, n) in chosen] for source, found in rows.items()}
    assert 0 < sum(map(len, piece.values())) < sum(map(len, rows.values())) / 2
    expected = part_of(tables, piece)
    actual, _ = tables_of(piece, blocked)
    assert {table: expected[table] for table in COMPARED} == {table: actual[table] for table in COMPARED}


def test_a_key_that_crosses_its_limit_touches_only_its_holders() -> None:
    """Without the blocked keys of the whole, a slice would join what the whole keeps apart: they must be given."""
    rows, tables, blocked, _ = whole("a crowded key")
    piece = {
        source: [(n, row) for n, row in found if row.cells.get("customer_id", "") in ("crowd01", "crowd02")]
        for source, found in rows.items()
    }
    with_keys, _ = tables_of(piece, blocked)
    without, _ = tables_of(piece, {})
    assert 2 == len(with_keys["customer_profile_base"])
    assert 1 == len(without["customer_profile_base"])
    assert part_of(tables, piece)["customer_identity"] == with_keys["customer_identity"]


def test_a_visit_on_a_crowded_device_is_seen_from_its_own_rows() -> None:
    """Other people's events on a blocked device are not in the slice, so they must not hold a visit together."""
    crowd = [row for n in range(6) for row in (account(f"{n}"), click(f"c{n}", "2026-06-10T10:25:00Z", f"{n}", "till"))]
    rows = numbered(
        [
            *crowd,
            account("a"),
            click("1", "2026-06-10T10:00:00Z", "a", "till"),
            click("2", "2026-06-10T10:50:00Z", "a", "till"),
        ]
    )
    whole_tables, blocked = tables_of(rows, {})
    piece = {
        source: [(n, row) for n, row in found if row.cells["customer_id"] == "a"] for source, found in rows.items()
    }
    tables, _ = tables_of(piece, blocked)
    assert part_of(whole_tables, piece)["clickstream"] == tables["clickstream"]


# --- no table looks into the future -----------------------------------------------------------------------------------
@pytest.mark.parametrize("as_of", ["2025-03-31T23:59:59Z", "2026-05-31T23:59:59Z"])
def test_a_build_for_an_earlier_day_is_the_build_of_that_day(as_of: str) -> None:
    """Rows that arrived later change no table: one may go back to any day and find what stood there."""
    rows = numbered(spoilt(people(80), random.Random(5), 100))
    arrived = {
        source: [(n, row) for n, row in found if not as_of < row.cells.get("ingest_ts", "") < "9"]
        for source, found in rows.items()
    }
    assert sum(map(len, arrived.values())) < sum(map(len, rows.values()))
    then, now = (tables_of(each, {}, as_of)[0] for each in (arrived, rows))
    assert then == now
    assert then["customer_360"]
