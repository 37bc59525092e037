"""Literal rows for tests, and what the layers make of them.

A builder gives one raw row with plain defaults; whatever a test is about, it says itself. Times may be written as a
day. `made` runs layers on rows. A `Scene` holds the rows of many tests, set apart by a prefix of their ids, and builds
them together, once per engine: a build of ten rows costs as much as one of a thousand.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

import pyarrow as pa
from hypothesis import Phase, settings

from c360lib.engines.base import Engine, Frame
from c360lib.engines.open import open_engine
from c360lib.identity import history
from c360lib.layers.layer import Moment
from c360lib.layers.run import run_layers
from c360lib.schemas import GOLD, RAW, SILVER, STEWARD, Table
from c360lib.sources import cells, moments
from c360lib.sources import typed as contract
from c360lib.sources.ids import Numbers

AS_OF = "2026-06-30T23:59:59Z"
FAST = "polars"  # the engine with the smallest cost a build, for properties
SOURCES = {**RAW, STEWARD.name: STEWARD}
# For properties that build: a failing world shows which of its people differ; shrinking it would take minutes.
UNSHRUNK = settings(deadline=None, phases=[Phase.explicit, Phase.reuse, Phase.generate])
_F = TypeVar("_F", bound=Callable[..., None])


class Row(NamedTuple):
    """One raw row: its source and its cells, text; a column that is left out is empty."""

    source: str
    cells: dict[str, str]

    def but(self, **cells: str) -> Row:
        """The same row with other cells."""
        return Row(self.source, {**self.cells, **cells})


def ts(text: str) -> str:
    """A day as its first second; other text as it is."""
    return f"{text}T00:00:00Z" if re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text) else text


def _row(source: str, at: str, arrived: str | None, cells: Mapping[str, str]) -> Row:
    return Row(
        source,
        {"event_ts": ts(at), "ingest_ts": ts(at if arrived is None else arrived), "source_system": "crm", **cells},
    )


def account(
    customer_id: str, at: str = "2026-01-01", arrived: str | None = None, op: str = "c", lsn: str = "1", **cells: str
) -> Row:
    """A change of an account."""
    return _row("customers", at, arrived, {"customer_id": customer_id, "op": op, "lsn": lsn, **cells})


def order(
    order_id: str,
    customer_id: str,
    cents: str = "1000",
    ordered: str = "2026-06-01",
    status: str = "paid",
    at: str = "2026-06-01",
    arrived: str | None = None,
    op: str = "c",
    lsn: str = "1",
    **cells: str,
) -> Row:
    """A change of an order."""
    return _row(
        "orders",
        at,
        arrived,
        {
            "order_id": order_id,
            "customer_id": customer_id,
            "op": op,
            "lsn": lsn,
            "status": status,
            "currency": "EUR",
            "net_amount_cents": cents,
            "ordered_ts": ts(ordered),
            **cells,
        },
    )


def click(
    event_id: str, at: str, customer_id: str = "", device: str = "", arrived: str | None = None, **cells: str
) -> Row:
    """A behavioural event; without a customer_id it names no account."""
    system = "crm" if customer_id else ""
    return _row(
        "clickstream",
        at,
        arrived,
        {
            "event_id": event_id,
            "source_system": system,
            "customer_id": customer_id,
            "anonymous_id": device,
            "event_name": "view",
            **cells,
        },
    )


def ticket(
    ticket_id: str,
    customer_id: str = "",
    email: str = "",
    at: str = "2026-06-01",
    arrived: str | None = None,
    op: str = "c",
    lsn: str = "1",
    status: str = "open",
    opened: str = "2026-06-01",
    resolved: str = "",
    csat: str = "",
    **cells: str,
) -> Row:
    """A change of a support ticket."""
    return _row(
        "support_tickets",
        at,
        arrived,
        {
            "ticket_id": ticket_id,
            "customer_id": customer_id,
            "requester_email": email,
            "op": op,
            "lsn": lsn,
            "status": status,
            "opened_ts": ts(opened),
            "resolved_ts": ts(resolved),
            "csat": csat,
            **cells,
        },
    )


def touch(
    event_id: str,
    customer_id: str,
    event_name: str,
    channel: str = "email",
    at: str = "2026-06-01",
    arrived: str | None = None,
    **cells: str,
) -> Row:
    """A campaign touch."""
    return _row(
        "campaign_events",
        at,
        arrived,
        {"event_id": event_id, "customer_id": customer_id, "event_name": event_name, "channel": channel, **cells},
    )


def consent(
    event_id: str,
    customer_id: str,
    status: str,
    at: str = "2026-06-01",
    purpose: str = "marketing",
    channel: str = "email",
    expires: str = "",
    arrived: str | None = None,
    **cells: str,
) -> Row:
    """A consent choice."""
    return _row(
        "consent_events",
        at,
        arrived,
        {
            "event_id": event_id,
            "customer_id": customer_id,
            "status": status,
            "purpose": purpose,
            "channel": channel,
            "expires_ts": ts(expires),
            **cells,
        },
    )


def erasure(request_id: str, customer_id: str, at: str = "2026-06-01", arrived: str | None = None, **cells: str) -> Row:
    """A request to erase an account."""
    return _row("erasure_requests", at, arrived, {"request_id": request_id, "customer_id": customer_id, **cells})


def decision(left: str, right: str, what: str, at: str = "2026-06-01") -> Row:
    """A steward's decision on two record_ids."""
    return Row("decisions", {"left_record_id": left, "right_record_id": right, "decision": what, "decided_ts": ts(at)})


# --- what becomes of them ---------------------------------------------------------------------------------------------
def typed(source: str, rows: Sequence[Mapping[str, str]], numbers: Sequence[int] | None = None) -> contract.Typed:
    """Cells as typed rows of a source, with findings; rows are numbered from 1 unless told."""
    table = SOURCES[source]
    names = [*table.column_names, "_raw_base64"]
    text = {name: pa.array([row.get(name, "") for row in rows], pa.string()) for name in names}
    numbered = pa.array(numbers or range(1, len(rows) + 1), pa.int64())
    return contract.typed_rows(pa.table({**text, "_row_number": numbered}), table)


def frames(engine: Engine, rows: Iterable[Row]) -> dict[str, Frame]:
    """Inputs of the layers; a source without a row is an empty table."""
    by_source: dict[str, list[dict[str, str]]] = {name: [] for name in SOURCES}
    for row in rows:
        by_source[row.source].append(row.cells)
    return loaded(engine, {name: typed(name, found) for name, found in by_source.items()})


def loaded(engine: Engine, sources: Mapping[str, contract.Typed]) -> dict[str, Frame]:
    """Typed rows of sources, numbered, and what was found wrong with them, in an engine."""
    numbers, found = Numbers(), {}
    for name, (batch, findings) in sources.items():
        rows = pa.Table.from_batches([batch])
        rows = numbers.numbered(rows, RAW[name]) if name in RAW else rows
        found[f"{name}_rows"] = engine.load_table(rows)
        if name in RAW:
            found[f"{name}_findings"] = engine.load(findings.schema, [findings])
    return found | before(engine, {})


def before(engine: Engine, profiles: Mapping[str, str], events: pa.Table | None = None) -> dict[str, Frame]:
    """What an earlier release tells: the profile of each account, and its ledger (none: nothing had happened)."""
    accounts = pa.table([list(profiles), list(profiles.values())], schema=history.PROFILES_SCHEMA)
    ledger = history.EVENTS_SCHEMA.empty_table() if events is None else events
    tables = {"profiles_before": accounts, "events_before": ledger}
    return {name: engine.load(table.schema, table.to_batches()) for name, table in tables.items()}


def seconds(text: str) -> int:
    """A timestamp or day as seconds since 1970."""
    at = moments.seconds_or_none(ts(text))
    assert at is not None
    return at


def made(
    engine: Engine,
    rows: Iterable[Row],
    targets: Iterable[str],
    as_of: str = AS_OF,
    reach: str | None = None,
    given: Mapping[str, Frame] | None = None,
) -> dict[str, list[dict[str, Any]]]:
    """The target tables, as they stand at rest (times are text), rows in order of their key."""
    inputs = {**frames(engine, rows), **(given or {})}
    at = Moment(seconds(as_of), seconds(reach or as_of))
    return {name: at_rest(engine.table(frame), name) for name, frame in run_layers(engine, inputs, at, targets)}


def made_fast(rows: Iterable[Row], *targets: str, **options: Any) -> Any:
    """`made` on the fastest engine; one target gives its rows alone."""
    with open_engine(FAST) as engine:
        tables = made(engine, rows, targets, **options)
    return tables[targets[0]] if len(targets) == 1 else tables


def at_rest(table: pa.Table, name: str) -> list[dict[str, Any]]:
    """Rows of a published table, times and dates as text, in order of its key; other tables as they are."""
    schema: Table | None = SILVER.get(name) or GOLD.get(name)
    if schema is None:
        return list(table.to_pylist())
    columns = {c.name: cells.rendered(table[c.name], c) for c in schema.columns if c.name in table.column_names}
    rows = pa.table(columns).to_pylist()
    return sorted(rows, key=lambda row: [row[key] for key in schema.key])


def picked(rows: Iterable[Mapping[str, Any]], *columns: str) -> list[Any]:
    """These columns of rows: tuples, or bare values where it is one column."""
    found = [tuple(row[name] for name in columns) for row in rows]
    return [row[0] for row in found] if len(columns) == 1 else found


def counts(rows: Iterable[Row], source: str, as_of: str = AS_OF) -> dict[str, int]:
    """How many rows of a source came to which disposition."""
    found = made_fast(rows, "dispositions", as_of=as_of)
    return {row["disposition"]: row["row_count"] for row in found if row["source"] == source}


# --- many tests, one build --------------------------------------------------------------------------------------------
_IDS = (
    "customer_id",
    "order_id",
    "event_id",
    "ticket_id",
    "request_id",
    "anonymous_id",
    "requester_email",
    "email",
    "loyalty_id",
)


class Scene:
    """The rows of the tests of a module. Ids, e-mails and loyalty cards get a prefix, so that no test meets another."""

    def __init__(self, *targets: str) -> None:
        self.targets = targets
        self.cases: dict[str, tuple[Row, ...]] = {}
        self.built: dict[type[Engine], dict[str, list[dict[str, Any]]]] = {}

    def of(self, *rows: Row) -> Callable[[_F], _F]:
        """Decorates a test with its rows."""

        def register(test: _F) -> _F:
            self.cases[test.__name__] = rows
            return test

        return register

    def world(self, engine: Engine, test: str) -> World:
        """What the engine makes of the rows of that test."""
        if type(engine) not in self.built:
            everything = [row for number, rows in enumerate(self.cases.values()) for row in _prefixed(rows, number)]
            self.built[type(engine)] = made(engine, everything, self.targets)
        before: dict[str, int] = dict.fromkeys(SOURCES, 0)
        for name, rows in self.cases.items():
            if name == test:
                return World(self.built[type(engine)], list(self.cases).index(test), rows, before)
            for row in rows:
                before[row.source] += 1
        raise LookupError(test)


def _prefix(number: int) -> str:
    return f"{number:03d}."


def _prefixed(rows: Iterable[Row], number: int) -> list[Row]:
    prefix = _prefix(number)

    def cell(name: str, text: str) -> str:
        if name in ("left_record_id", "right_record_id"):
            return text.replace(":", f":{prefix}")
        return text.replace(text.strip(), prefix + text.strip()) if name in _IDS and text.strip() else text

    return [Row(row.source, {name: cell(name, text) for name, text in row.cells.items()}) for row in rows]


class World:
    """The tables of one test of a scene; call it with a table and columns."""

    def __init__(
        self, tables: dict[str, list[dict[str, Any]]], number: int, rows: Sequence[Row], before: dict[str, int]
    ) -> None:
        self.tables, self.prefix, self.before = tables, _prefix(number), before
        self.size = {name: sum(row.source == name for row in rows) for name in before}

    def __call__(self, table: str, *columns: str) -> list[Any]:
        """These columns of the test's rows of a table; row numbers count from the test's first row of the source."""
        return picked(self._rows(table), *columns)

    def _rows(self, table: str) -> list[dict[str, Any]]:
        if table not in ("quarantine", "field_issues"):
            return [
                self._bare(row) for row in self.tables[table] if any(self.prefix in str(cell) for cell in row.values())
            ]
        found = []
        for row in self.tables[table]:
            place = row["row_number"] - self.before[row["source"]]
            if 1 <= place <= self.size[row["source"]]:
                found.append({**self._bare(row), "row_number": place})
        return found

    def _bare(self, row: Mapping[str, Any]) -> dict[str, Any]:
        return {name: cell.replace(self.prefix, "") if isinstance(cell, str) else cell for name, cell in row.items()}
