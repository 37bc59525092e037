"""The core of gold in hand-written pandas, on Arrow's CSV reader and numpy arrays of integers.

Accounts are integers (`n`, from the oldest), persons are the `n` of their oldest account, times are epoch seconds.
Text is touched only to read it, to number it and to write the ids back at the end.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv

from bench import persons
from bench.persons import NO_DATE, Holders, Ints
from bench.tables import SCHEMAS
from c360lib import rules
from c360lib.rules import Band

_TEXT, _CODED, _INT = pa.string(), pa.dictionary(pa.int32(), pa.string()), pa.int64()
_SECOND = pa.timestamp("s", tz="UTC")
TYPES = {
    **dict.fromkeys(("event_ts", "ingest_ts", "ordered_ts", "expires_ts"), _SECOND),
    **dict.fromkeys(("lsn", "net_amount_cents"), _INT),
    **dict.fromkeys(("source_system", "op", "status", "purpose", "channel", "event_name"), _CODED),
    "date_of_birth": pa.date32(),
}
ARRIVAL = ("event_ts", "ingest_ts")
ACCOUNT = ("source_system", "customer_id")
NULL, NO_PERSON = np.iinfo(np.int64).min, np.iinfo(np.int64).max
SLOTS = sorted((purpose, channel) for purpose in rules.PURPOSES for channel in rules.CHANNELS)


class Accounts(NamedTuple):
    """Accounts by number; `place` is the rank of an account in the order of record_ids."""

    record_ids: pa.Array
    place: Ints
    is_deleted: np.ndarray
    values: pa.Table


class People(NamedTuple):
    """`person` of each account; persons with a live account have a `row` in the order of profile_ids, others -1."""

    person: Ints
    row: Ints
    profile_ids: pa.Array


def core(raw: Path, as_of: str) -> dict[str, pa.Table]:
    """The four tables of `SCHEMAS` at `as_of`, from the CSV files in `raw`."""
    end = int(pd.Timestamp(as_of).timestamp())
    accounts = _accounts(raw, end)
    people = _people(accounts)
    directory = _Directory(accounts.record_ids)
    tables = {
        "identity": _identity(accounts, people),
        "value": _value(raw, end, directory, people),
        "activity": _activity(raw, end, directory, people),
        "consent": _consent(raw, end, directory, accounts, people),
    }
    return {
        name: pa.table(dict(zip(SCHEMAS[name].names, columns, strict=True)), SCHEMAS[name])
        for name, columns in tables.items()
    }


# --- reading ----------------------------------------------------------------------------------------------------------
def _read(raw: Path, source: str, *names: str) -> pa.Table:
    """Columns of a raw file; an empty cell is null."""
    options = csv.ConvertOptions(
        include_columns=list(names),
        column_types={name: TYPES.get(name, _TEXT) for name in names},
        null_values=[""],
        strings_can_be_null=True,
        quoted_strings_can_be_null=True,
    )
    return csv.read_csv(raw / f"{source}.csv", csv.ReadOptions(block_size=1 << 22), convert_options=options)


def _ints(table: pa.Table, name: str) -> Ints:
    """A column of times or integers; absent is NULL."""
    column = table[name].cast(_INT)
    return (column.fill_null(NULL) if column.null_count else column).to_numpy()


def _known(table: pa.Table, end: int, always: np.ndarray | None = None) -> pa.Table:
    """Rows that had happened (or count `always`) and arrived by the end."""
    happened = _ints(table, "event_ts") <= end
    keep = (happened if always is None else happened | always) & (_ints(table, "ingest_ts") <= end)
    return table if keep.all() else table.filter(pa.array(keep))


def _whole(column: pa.ChunkedArray) -> pa.Array:
    """One array of a column in chunks."""
    column = column.unify_dictionaries() if pa.types.is_dictionary(column.type) else column
    return pa.concat_arrays(column.chunks) if column.num_chunks else pa.array([], column.type)


def _coded(column: pa.ChunkedArray, values: Iterable[str]) -> Ints:
    """The index of each cell in a short list of values; -1 for any other and for null."""
    coded = _whole(column)
    place = pc.index_in(coded.dictionary, pa.array(list(values), _TEXT)).fill_null(-1).to_numpy()
    return np.append(place, -1)[coded.indices.fill_null(-1).to_numpy()]


def _record_ids(table: pa.Table) -> pa.Array:
    """system:customer of each row; null where no customer is named."""
    return _whole(pc.binary_join_element_wise(table["source_system"].cast(_TEXT), table["customer_id"], ":"))


class _Directory:
    """Finds accounts by system and customer: two hash look-ups of short text in place of one of joined text."""

    def __init__(self, record_ids: pa.Array) -> None:
        systems = pc.replace_substring_regex(record_ids, "(?s):.*", "").dictionary_encode()
        customers = pc.replace_substring_regex(record_ids, "^[^:]*:", "").dictionary_encode()
        self.systems, self.customers = systems.dictionary, customers.dictionary
        self.width = len(self.systems) + 1
        self.numbers = np.full(len(self.customers) * self.width + 1, -1, np.int32)
        self.numbers[customers.indices.to_numpy() * self.width + systems.indices.to_numpy()] = np.arange(
            len(record_ids)
        )

    def accounts(self, table: pa.Table) -> Ints:
        """The account that each row names; -1 where there is none."""
        customer = pc.index_in(_whole(table["customer_id"]), self.customers).fill_null(-1).to_numpy().astype(np.int64)
        system = _coded(table["source_system"], self.systems.to_pylist())
        cell = np.where((customer < 0) | (system < 0), -1, customer * self.width + system)
        return self.numbers[cell].astype(np.int64)


def _latest(entity: Ints, order: Ints, count: int, rows: Ints | None = None) -> Ints:
    """For each entity the row of the greatest `order` (the last of equals); -1 where it has no row."""
    if rows is not None:
        entity, order = entity[rows], order[rows]
    best = np.full(count, NULL)
    np.maximum.at(best, entity, order)
    winners = np.flatnonzero(order == best[entity])
    latest = np.full(count, -1)
    latest[entity[winners]] = winners if rows is None else rows[winners]
    return latest


# --- identity ---------------------------------------------------------------------------------------------------------
_VALUES = ("first_name", "last_name", "email", "phone", "date_of_birth", "street", "loyalty_id")


def _accounts(raw: Path, end: int) -> Accounts:
    """Current values of every account that is not erased, numbered from the oldest."""
    table = _known(_read(raw, "customers", *ARRIVAL, *ACCOUNT, "op", "lsn", *_VALUES), end)
    coded = _record_ids(table).dictionary_encode()
    code, ids, lsn = coded.indices.to_numpy(), coded.dictionary, _ints(table, "lsn")
    is_delete = _coded(table["op"], "d") == 0
    last = _latest(code, lsn, len(ids))
    state = _latest(code, lsn, len(ids), np.flatnonzero(~is_delete))
    first = np.full(len(ids), np.iinfo(np.int64).max)
    np.minimum.at(first, code, _ints(table, "event_ts"))
    place = np.empty(len(ids), np.int64)
    place[pc.sort_indices(ids).to_numpy()] = np.arange(len(ids))
    kept = np.flatnonzero(~_is_erased(raw, end, ids))
    oldest = kept[np.lexsort((place[kept], first[kept]))]
    state = state[oldest]
    values = table.select(_VALUES).take(pa.array(state, mask=state < 0))
    return Accounts(ids.take(pa.array(oldest)), place[oldest], is_delete[last[oldest]], values)


def _is_erased(raw: Path, end: int, ids: pa.Array) -> np.ndarray:
    """Whether a request that has arrived names the account."""
    requests = _read(raw, "erasure_requests", "ingest_ts", *ACCOUNT)
    arrived = requests.filter(pa.array(_ints(requests, "ingest_ts") <= end))
    return pc.is_in(ids, _record_ids(arrived)).to_numpy(zero_copy_only=False)


def _people(accounts: Accounts) -> People:
    """Persons by the match rules."""
    births = _whole(accounts.values["date_of_birth"]).cast(pa.int32()).cast(_INT).fill_null(NO_DATE).to_numpy()
    person = persons.anchors(
        _holders(_match_keys(accounts.values, births)),
        births,
        lambda some: accounts.record_ids.take(pa.array(some)).to_pylist(),
    )
    live = np.unique(person[~accounts.is_deleted])
    live = live[np.argsort(accounts.place[live])]
    row = np.full(len(person), -1)
    row[live] = np.arange(len(live))
    return People(person, row, _profile_ids(accounts, live))


def _profile_ids(accounts: Accounts, person: Ints) -> pa.Array:
    return pc.binary_join_element_wise("P-", accounts.record_ids.take(pa.array(person)), "")


def _match_keys(values: pa.Table, births: Ints) -> dict[str, Ints]:
    """Each match key as numbers: equal text, equal number; absent is -1."""
    digits = pc.replace_substring_regex(_whole(values["phone"]), "[^0-9]", "")
    digits = pc.if_else(
        pc.greater_equal(pc.binary_length(digits), 7), pc.utf8_slice_codeunits(digits, -9), pa.scalar(None, _TEXT)
    )
    return {
        "first_name_key": _numbered(_per_name(values["first_name"], persons.formal_name)),
        "last_name_key": _numbered(_per_name(values["last_name"], persons.fold)),
        "email_key": _numbered(_folded(values["email"])),
        "street_key": _numbered(_folded(values["street"])),
        "loyalty_key": _numbered(_folded(values["loyalty_id"])),
        "phone_key": _numbered(digits),
        "date_of_birth": np.where(births == NO_DATE, -1, births - births.min(where=births != NO_DATE, initial=0)),
    }


def _numbered(array: pa.Array) -> Ints:
    return array.dictionary_encode().indices.fill_null(-1).to_numpy().astype(np.int64)


def _per_name(column: pa.ChunkedArray, key: Callable[[str], str | None]) -> pa.Array:
    """A key of each name, worked out once for each different name."""
    coded = _whole(column).dictionary_encode()
    return pa.array([key(name) for name in coded.dictionary.to_pylist()], _TEXT).take(coded.indices)


def _folded(column: pa.ChunkedArray) -> pa.Array:
    """Folded text: plain ASCII by Arrow, the rest by Python."""
    text = _whole(column)
    odd = pc.fill_null(pc.match_substring_regex(text, "[^ -~]|  |^ | $"), False)
    return pc.replace_with_mask(
        pc.ascii_lower(text), odd, _per_name(pa.chunked_array([text.filter(odd)]), persons.fold)
    )


def _holders(keys: dict[str, Ints]) -> list[Holders]:
    """The shared keys of each rule; columns that many rules use are combined once."""
    uses = pd.Series([column for rule in rules.MATCH_RULES for column in rule.columns]).value_counts()
    combined: dict[tuple[str, ...], Ints] = {(name,): codes for name, codes in keys.items()}
    found = []
    for rule in rules.MATCH_RULES:
        columns = sorted(rule.columns, key=lambda column: (-uses[column], column))
        for length in range(2, len(columns) + 1):
            whole, rest = tuple(columns[:length]), tuple(columns[: length - 1])
            if whole not in combined:
                combined[whole] = _pairs(combined[rest], keys[columns[length - 1]])
        holders = _grouped(combined[tuple(columns)], rule)
        found += [holders] if len(holders.starts) else []
    return found


def _pairs(left: Ints, right: Ints) -> Ints:
    """Numbers of pairs; -1 where one side is absent."""
    whole = np.flatnonzero((left >= 0) & (right >= 0))
    numbers = np.full(len(left), -1)
    numbers[whole] = pd.factorize(left[whole] * (right.max(initial=0) + 1) + right[whole])[0]
    return numbers


def _grouped(codes: Ints, rule: rules.MatchRule) -> Holders:
    """Accounts side by side by key, for keys of 2 to `limit` accounts."""
    count = np.bincount(codes + 1)
    count[0] = 0
    usable = np.flatnonzero((count[codes + 1] > 1) & (count[codes + 1] <= rule.limit))
    members = usable[np.argsort(codes[usable], kind="stable")]
    starts = np.flatnonzero(np.diff(codes[members], prepend=-1))
    return Holders(rule.weight, members, starts, np.diff(starts, append=len(members)))


def _identity(accounts: Accounts, people: People) -> list[pa.Array]:
    order = np.argsort(accounts.place)
    return [accounts.record_ids.take(pa.array(order)), _profile_ids(accounts, people.person[order])]


# --- value ------------------------------------------------------------------------------------------------------------
_ORDER = ("status", "ordered_ts", "net_amount_cents")


def _value(raw: Path, end: int, directory: _Directory, people: People) -> list[pa.Array]:
    """Orders that are not deleted, counted; paid ones, summed."""
    orders = _live_orders(raw, end)
    account = directory.accounts(orders)
    row = np.where(account < 0, -1, people.row[people.person[account]])
    counted, paid = row >= 0, (row >= 0) & (_coded(orders["status"], ["paid"]) == 0)
    count = len(people.profile_ids)
    cents = np.zeros(count, np.int64)
    np.add.at(cents, row[paid], _ints(orders, "net_amount_cents")[paid])
    first, last = np.full(count, np.iinfo(np.int64).max), np.full(count, NULL)
    at = _ints(orders, "ordered_ts")[paid]
    np.minimum.at(first, row[paid], at)
    np.maximum.at(last, row[paid], at)
    days = pd.unique(row[paid] << 32 | at // rules.SECONDS_PER_DAY) >> 32
    paid_orders, purchase_days = (np.bincount(rows, minlength=count) for rows in (row[paid], days))
    order_count = np.bincount(row[counted], minlength=count)
    return [people.profile_ids, pa.array(order_count), *_measures(end, cents, paid_orders, purchase_days, first, last)]


def _live_orders(raw: Path, end: int) -> pa.Table:
    """Orders in their latest state, without deleted ones."""
    orders = _known(
        _read(
            raw,
            "orders",
            "event_ts",
            "ingest_ts",
            "order_id",
            "source_system",
            "customer_id",
            "op",
            "lsn",
            "status",
            "ordered_ts",
            "net_amount_cents",
        ),
        end,
    )
    coded = _whole(orders["source_system"])
    key = _numbered(_whole(orders["order_id"])) * (len(coded.dictionary) + 1) + coded.indices.to_numpy()
    entity, entities = pd.factorize(key)
    latest = _latest(entity, _ints(orders, "lsn"), len(entities))
    is_delete = _coded(orders["op"], "d") == 0
    return orders.select([*ACCOUNT, *_ORDER]).take(pa.array(latest[~is_delete[latest]]))


def _measures(end: int, cents: Ints, orders: Ints, purchase_days: Ints, first: Ints, last: Ints) -> list[pa.Array]:
    """Columns of `value` after order_count."""
    none = orders == 0
    today, first_day, last_day = (at // rules.SECONDS_PER_DAY for at in (end, first, last))
    score = (
        100 * _band(rules.RFM_RECENCY_BANDS_DAYS, today - last_day)
        + 10 * _band(rules.RFM_FREQUENCY_BANDS_ORDERS, orders)
        + _band(rules.RFM_MONETARY_BANDS_CENTS, cents)
    )
    score[none] = int(rules.RFM_SCORE_WITHOUT_ORDER)
    average = (2 * cents + orders) // np.maximum(2 * orders, 1)
    unless_none = [average, first, last, today - last_day]
    clv = [purchase_days - 1, last_day - first_day, today - first_day]
    return [
        pa.array(cents),
        *(pa.array(values, mask=none) for values in unless_none),
        pa.array(orders),
        pa.array(cents),
        pa.array(score).cast(_TEXT),
        *(pa.array(values, mask=none) for values in clv),
    ]


def _band(bands: tuple[Band, ...], values: Ints) -> Ints:
    """The score of the highest band that each value reaches; 0 where it reaches none."""
    rising = sorted(bands)
    scores = np.array([0, *(band.score for band in rising)])
    return scores[np.searchsorted([band.at_least for band in rising], values, side="right")]


# --- activity ---------------------------------------------------------------------------------------------------------
class _Events(NamedTuple):
    """Events in the order of (visitor, time); account and person are -1 where unknown."""

    visitor: Ints
    at: Ints
    account: Ints
    event_ids: pa.Array
    visit: Ints


def _activity(raw: Path, end: int, directory: _Directory, people: People) -> list[pa.Array]:
    """Visits, events and the last event of each person."""
    events = _events(raw, end, directory)
    person = _given(events, np.where(events.account < 0, -1, people.person[events.account]))
    row = np.where(person < 0, -1, people.row[person])
    count = len(people.profile_ids)
    last = np.full(count, NULL)
    np.maximum.at(last, row[row >= 0], events.at[row >= 0])
    start = end - rules.ACTIVITY_WINDOW_DAYS * rules.SECONDS_PER_DAY
    recent = _distinct(events, np.flatnonzero((row >= 0) & (events.at > start)))
    visits = pd.unique(row[recent] << 32 | events.visit[recent]) >> 32
    sessions, seen = (np.bincount(rows, minlength=count) for rows in (visits, row[recent]))
    return [people.profile_ids, pa.array(sessions), pa.array(seen), pa.array(last, mask=last == NULL)]


def _events(raw: Path, end: int, directory: _Directory) -> _Events:
    """Usable events with their visit."""
    table = _known(
        _read(raw, "clickstream", *ARRIVAL, *ACCOUNT, "event_id", "anonymous_id"),
        end,
    )
    account = directory.accounts(table)
    device = _whole(table["anonymous_id"]).dictionary_encode()
    visitor = device.indices.fill_null(-1).to_numpy().astype(np.int64)
    by_account = (visitor < 0) | _is_shared(visitor, account)
    visitor = np.where(by_account, np.where(account < 0, -1, len(device.dictionary) + account), visitor)
    is_orphan = table["customer_id"].is_valid().to_numpy() & (account < 0)
    usable = np.flatnonzero((visitor >= 0) & ~is_orphan)
    at = _ints(table, "event_ts")
    first = at.min(initial=0)
    order = usable[np.argsort(visitor[usable] * (at.max(initial=0) - first + 1) + at[usable] - first)]
    visitor, at, account = visitor[order], at[order], account[order]
    begins = (np.diff(visitor, prepend=-1) != 0) | (np.diff(at, prepend=0) > rules.SESSION_GAP_SECONDS)
    return _Events(visitor, at, account, _whole(table["event_id"]).take(pa.array(order)), np.cumsum(begins) - 1)


def _given(events: _Events, person: Ints) -> Ints:
    """The person of each event: in a visit of one person that person, in others the next, else the previous."""
    if not len(person):
        return person
    starts = np.flatnonzero(np.diff(events.visit, prepend=-1))
    high = np.maximum.reduceat(person, starts)
    low = np.minimum.reduceat(np.where(person < 0, NO_PERSON, person), starts)
    given = high[events.visit]
    mixed = np.flatnonzero(((low < high) & (high >= 0))[events.visit])
    given[mixed] = _nearest(events, person, mixed)
    return given


def _is_shared(device: Ints, account: Ints) -> np.ndarray:
    """Whether more accounts than the limit use the event's device: each of them is then a visitor of its own."""
    named = (account >= 0) & (device >= 0)
    holders = np.bincount(pd.unique(device[named] << 32 | account[named]) >> 32, minlength=device.max(initial=0) + 2)
    return holders[device] > rules.MAX_ACCOUNTS_PER_DEVICE


def _nearest(events: _Events, person: Ints, rows: Ints) -> Ints:
    """The next named person by (time, event_id) in the visit of each of some rows, else the previous one."""
    frame = pd.DataFrame({"visit": events.visit[rows], "at": events.at[rows], "person": person[rows].astype(float)})
    frame["event_id"] = events.event_ids.take(pa.array(rows)).to_numpy(zero_copy_only=False)
    frame = frame.sort_values(["visit", "at", "event_id"])
    known = frame["person"].where(frame["person"] >= 0)
    by_visit = known.groupby(frame["visit"])
    return by_visit.bfill().fillna(by_visit.ffill()).sort_index().to_numpy().astype(np.int64)


def _distinct(events: _Events, rows: Ints) -> Ints:
    """Rows without repeated event_ids; only events of one visitor and second can be repeats."""
    visitor, at = events.visitor[rows], events.at[rows]
    same = (np.diff(visitor, prepend=-1) == 0) & (np.diff(at, prepend=-1) == 0)
    suspects = np.flatnonzero(same | np.append(same[1:], False))
    ids = events.event_ids.take(pa.array(rows[suspects])).dictionary_encode().indices.to_numpy()
    return np.delete(rows, suspects[pd.Series(ids).duplicated().to_numpy()])


# --- consent ----------------------------------------------------------------------------------------------------------
class _Choices(NamedTuple):
    """Choices; `channel` is -1 where every channel is meant, `status` an index into `_STATUSES`."""

    account: Ints
    purpose: Ints
    channel: Ints
    status: Ints
    at: Ints
    expires: Ints
    proofs: pa.Array


_STATUSES = ("granted", "denied", "withdrawn")
_REASONS = (*_STATUSES[1:], "expired", "account_deleted", "no_identifier", "no_consent")
_PURPOSES, _CHANNELS = sorted(rules.PURPOSES), sorted(rules.CHANNELS)


def _consent(raw: Path, end: int, directory: _Directory, accounts: Accounts, people: People) -> list[pa.Array]:
    """One cell for each person, purpose and channel, with the choice that holds."""
    parts = zip(_given_choices(raw, end, directory), _unsubscribed(raw, end, directory), strict=True)
    choices = _Choices(*(pa.concat_arrays(p) if isinstance(p[0], pa.Array) else np.concatenate(p) for p in parts))
    width = len(SLOTS)
    holds = _holding(choices, people, len(people.profile_ids) * width)
    reason = _reasons(choices, holds, end, accounts)
    names = pa.array(_REASONS, _TEXT).take(pa.array(reason, mask=reason < 0))
    slot = pa.array(np.tile(np.arange(width), len(people.profile_ids)))
    purposes, channels = (pa.array(values, _TEXT).take(slot) for values in zip(*SLOTS, strict=True))
    profiles = people.profile_ids.take(pa.array(np.repeat(np.arange(len(people.profile_ids)), width)))
    return [
        profiles,
        purposes,
        channels,
        pa.array(reason < 0),
        names,
        choices.proofs.take(pa.array(holds, mask=holds < 0)),
    ]


def _given_choices(raw: Path, end: int, directory: _Directory) -> _Choices:
    """Rows of consent_events; a block counts once it has arrived, whenever it happened."""
    table = _read(
        raw,
        "consent_events",
        "event_ts",
        "ingest_ts",
        "event_id",
        "source_system",
        "customer_id",
        "purpose",
        "channel",
        "status",
        "expires_ts",
    )
    table = _known(table, end, always=_coded(table["status"], _STATUSES) > 0)
    return _Choices(
        directory.accounts(table),
        _coded(table["purpose"], _PURPOSES),
        _coded(table["channel"], _CHANNELS),
        _coded(table["status"], _STATUSES),
        _ints(table, "event_ts"),
        _ints(table, "expires_ts"),
        _whole(table["event_id"]),
    )


def _unsubscribed(raw: Path, end: int, directory: _Directory) -> _Choices:
    """Campaign touches that withdraw consent to marketing on their channel."""
    table = _read(
        raw,
        "campaign_events",
        "event_ts",
        "ingest_ts",
        "event_id",
        "source_system",
        "customer_id",
        "channel",
        "event_name",
    )
    table = table.filter(pc.equal(table["event_name"].cast(_TEXT), "unsubscribed"))
    table = _known(table, end, always=np.ones(len(table), bool))
    whole = np.ones(len(table), np.int64)
    return _Choices(
        directory.accounts(table),
        _PURPOSES.index(rules.UNSUBSCRIBE_PURPOSE) * whole,
        _coded(table["channel"], _CHANNELS),
        _STATUSES.index("withdrawn") * whole,
        _ints(table, "event_ts"),
        NULL * whole,
        pc.binary_join_element_wise("campaign_events:", _whole(table["event_id"]), ""),
    )


def _holding(choices: _Choices, people: People, cells: int) -> Ints:
    """For each cell the choice that holds, the last by (time, block after grant, proof); -1 where there is none."""
    row = np.where(choices.account < 0, -1, people.row[people.person[choices.account]])
    one, every = (np.flatnonzero((row >= 0) & which) for which in (choices.channel >= 0, choices.channel < 0))
    source = np.concatenate([one, *[every] * len(_CHANNELS)])
    channel = np.concatenate([choices.channel[one], np.repeat(np.arange(len(_CHANNELS)), len(every))])
    cell = (row[source] * len(_PURPOSES) + choices.purpose[source]) * len(_CHANNELS) + channel
    order = choices.at[source] * 2 + (choices.status[source] > 0)
    best = np.full(cells, NULL)
    np.maximum.at(best, cell, order)
    last = np.flatnonzero(order == best[cell])
    tied = last[np.bincount(cell[last], minlength=cells)[cell[last]] > 1]
    tied = tied[pc.sort_indices(choices.proofs.take(pa.array(source[tied]))).to_numpy()]
    holds = np.full(cells, -1)
    for rows in (last, tied):
        holds[cell[rows]] = source[rows]
    return holds


def _reasons(choices: _Choices, holds: Ints, end: int, accounts: Accounts) -> Ints:
    """Why each cell is blocked, as an index into `_REASONS`; -1 where a grant holds."""
    number = {name: place for place, name in enumerate(_REASONS)}
    if not len(choices.at):
        return np.full(len(holds), number["no_consent"])
    account, status, expires = choices.account[holds], choices.status[holds], choices.expires[holds]
    channel = np.tile([channel for _, channel in SLOTS], len(holds) // len(SLOTS))
    lacks = np.zeros(len(holds), bool)
    for name, column in rules.CHANNEL_IDENTIFIER.items():
        if column != "record_id":
            lacks |= (channel == name) & accounts.values[column].is_null().to_numpy()[account]
    return np.select(
        [holds < 0, status > 0, (expires != NULL) & (expires <= end), accounts.is_deleted[account], lacks],
        [number["no_consent"], status - 1, number["expired"], number["account_deleted"], number["no_identifier"]],
        -1,
    )
