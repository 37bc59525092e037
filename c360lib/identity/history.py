"""Identity over time: what became of every profile from one release to the next, as a ledger that only grows.

Runs on the driver. Who was who before is an input like any other, so the layer stays a function of its tables:

- profiles_before: (record_id, profile_id), every account of the release published before
- events_before: the ledger of that release
- erased: (record_id), accounts that an erasure request names
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from c360lib.engines.base import Frame
from c360lib.schemas import SILVER
from c360lib.sources.typed import ARROW

Row = dict[str, Any]
MERGE, SPLIT, MOVE, RETIRE = "merge", "split", "move", "retire"
ERASED = "erased-"
_ENDS = ("from_profile_id", "to_profile_id")
PROFILES_SCHEMA = pa.schema([("record_id", pa.string()), ("profile_id", pa.string())])
EVENTS_SCHEMA = pa.schema([(c.name, ARROW[c.kind]) for c in SILVER["identity_events"].columns])


def profile_of(record_id: str) -> str:
    """The id of a profile whose oldest account this is.

    >>> profile_of("crm:1")
    'P-crm:1'
    """
    return f"P-{record_id}"


def erased_ids(erased: Frame, requests: Frame) -> Frame:
    """Accounts that a request names and that has arrived: (record_id)."""
    rows = requests.select("record_id", request_row="_row_number")
    return erased.select("request_row").join(rows, on="request_row", how="inner").select("record_id")


def identity_events(
    before: pa.Table, events: pa.Table, now: pa.Table, edges: pa.Table, erased: pa.Table, as_of: int
) -> pa.Table:
    """The ledger so far and the events of this release: identity_events, in order.

    An erased account is named nowhere in it: a profile id that was made of one reads `erased-N`, the same N wherever
    it stands, so that a chain of events stays whole.
    """
    told: list[Row] = sorted(events.to_pylist(), key=lambda row: row["event_number"])
    accounts = _followed(before, now)
    flows = _flows(accounts)
    new = list(_events(flows, _ties(flows, accounts, edges)))
    step = max((row["step"] for row in told), default=0) + 1
    for number, row in enumerate(new, start=len(told) + 1):
        told.append({**row, "event_number": number, "step": step, "as_of": as_of})
    _hide(told, {profile_of(record_id) for record_id in erased["record_id"].to_pylist()})
    return pa.Table.from_pylist(told, schema=EVENTS_SCHEMA)


class _Flow(NamedTuple):
    """So many accounts of one former profile are now in that profile; `went_to` "": they are gone."""

    came_from: str
    went_to: str
    account_count: int


def _followed(before: pa.Table, now: pa.Table) -> pa.Table:
    """Every account of before: (record_id, came_from, went_to), texts; `went_to` "": it is gone."""
    record_id, came_from = (before[name].cast(pa.string()) for name in PROFILES_SCHEMA.names)
    place = pc.index_in(record_id, value_set=now["record_id"].cast(pa.string()))
    went_to = pc.fill_null(now["profile_id"].cast(pa.string()).take(place), "")
    return pa.table({"record_id": record_id, "came_from": came_from, "went_to": went_to})


def _flows(accounts: pa.Table) -> list[_Flow]:
    """What every profile that an account left or came to is made of, in order of the ids."""
    moved = accounts.filter(pc.not_equal(accounts["came_from"], accounts["went_to"]))
    touched = pc.or_(*(pc.is_in(accounts[name], moved[name].unique()) for name in ("came_from", "went_to")))
    counts = accounts.filter(touched).group_by(["came_from", "went_to"]).aggregate([([], "count_all")])
    return sorted(_Flow(row["came_from"], row["went_to"], row["count_all"]) for row in counts.to_pylist())


def _events(flows: list[_Flow], ties: dict[tuple[str, str], str]) -> Iterator[Row]:
    """What the flows of one release come to, still without numbers."""
    parts = Counter(flow.came_from for flow in flows if flow.went_to)
    sources = Counter(flow.went_to for flow in flows)
    for old, new, count in flows:
        if old == new or (not new and parts[old]):
            continue
        kind = RETIRE if not new else SPLIT if parts[old] > 1 else MERGE if sources[new] > 1 else MOVE
        yield {
            "event_type": kind,
            "from_profile_id": old,
            "to_profile_id": new or None,
            "account_count": count,
            "match_rule": ties.get((old, new)),
        }


def _ties(flows: list[_Flow], accounts: pa.Table, edges: pa.Table) -> dict[tuple[str, str], str]:
    """For each way that accounts went, the strongest accepted evidence between them and others that are there now."""
    ways = {(old, new) for old, new, _ in flows if new and old != new}
    if not ways:
        return {}
    there = accounts.filter(pc.is_in(accounts["went_to"], pa.array(sorted({new for _, new in ways}))))
    way_of = {row["record_id"]: (row["came_from"], row["went_to"]) for row in there.to_pylist()}
    ends = ("left_record_id", "right_record_id")
    near = pc.or_(*(pc.is_in(edges[end].cast(pa.string()), there["record_id"]) for end in ends))
    chosen = edges.filter(pc.and_(near, pc.equal(edges["outcome"].cast(pa.string()), "accepted"))).to_pylist()
    found: dict[tuple[str, str], str] = {}
    for edge in sorted(chosen, key=lambda edge: (-edge["weight"], edge["match_rule"])):
        one, other = (way_of.get(edge[end], ("", "")) for end in ends)
        if one[0] != other[0]:
            for way in {one, other} & ways:
                found.setdefault(way, edge["match_rule"])
    return found


def _hide(events: list[Row], erased: Collection[str]) -> None:
    """Write `erased-N` for every profile id that was made of an erased account, N in order of appearance."""
    taken = {row[end] for row in events for end in _ENDS if (row[end] or "").startswith(ERASED)}
    names: dict[str, str] = {}
    for row in events:
        for end in _ENDS:
            if row[end] in erased:
                names.setdefault(row[end], f"{ERASED}{len(taken) + len(names) + 1}")
                row[end] = names[row[end]]


def follow(events: Iterable[Row], profile_id: str, living: Collection[str]) -> list[Row]:
    """The events by which the accounts of a profile that is no more came to where they are, in order.

    `living`: the profile ids of today. No event: the id was never there, or belongs to an erased account.

    >>> step = {"event_number": 1, "step": 1, "from_profile_id": "P-b", "to_profile_id": "P-a"}
    >>> [event["to_profile_id"] for event in follow([step], "P-b", {"P-a"})]
    ['P-a']
    """
    left: dict[str, list[Row]] = {}
    for event in events:
        left.setdefault(event["from_profile_id"], []).append(event)
    trail: dict[int, Row] = {}
    waiting = [profile_id]
    while waiting:
        name = waiting.pop()
        mine = [] if name in living else left.get(name, [])
        for event in mine:
            if event["step"] == max(other["step"] for other in mine):
                trail[event["event_number"]] = event
                waiting += [event["to_profile_id"]] if event["to_profile_id"] else []
    return [trail[number] for number in sorted(trail)]
