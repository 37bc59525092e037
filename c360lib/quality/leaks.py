"""A second opinion on consent, from the published files alone and by another way than the layers take.

The layers pick the latest choice of each slot; this looks for a proof of each eligible row and for any refusal that is
dated at or after it. Where the two disagree, somebody would be reached who did not agree to it. `opened_without_grant`
asks the release before: what was shut there may be open now only for a reason.
"""

from __future__ import annotations

import csv
import json
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from c360lib.rules import CHANNELS, CLOCK_SKEW_SECONDS, EARLIEST_CHOICE, MAX_CHOICE_DELAY_DAYS, SECONDS_PER_DAY
from c360lib.rules import UNSUBSCRIBE_PURPOSE as UNSUBSCRIBED
from c360lib.schemas import RAW
from c360lib.sources import cells, moments
from c360lib.storage.files import Files

SLOT = ("profile_id", "purpose", "channel")
ATTRIBUTABLE = ("consent_events", "campaign_events", "erasure_requests")
DECISIONS_FILE = Path("identity") / "decisions.csv"
_NEVER = 1 << 62
_SAID = ("event_id", "profile_id", "record_id", "purpose", "channel", "status", "expires_ts", "event_ts", "ingest_ts")
Row = dict[str, Any]


def consent_leaks(files: Files, as_of: str) -> list[str]:
    """Eligible rows of activation_candidates that the events do not prove, as profile_id|purpose|channel."""
    eligible = _eligible(files)
    quarantined = _quarantined(files)
    proofs = _proofs(files, quarantined, as_of).rename_columns(
        {"event_id": "consent_event_id", "profile_id": "of", "purpose": "for", "channel": "by"}
    )
    rows = eligible.join(proofs, "consent_event_id", join_type="left outer")
    rows = rows.join(_refusals(files, quarantined), list(SLOT), join_type="left outer")
    covered = pc.and_(pc.equal(rows["of"], rows["profile_id"]), pc.equal(rows["for"], rows["purpose"]))
    covered = pc.and_(covered, pc.or_(_is_everywhere(rows["by"]), pc.equal(rows["by"], rows["channel"])))
    unbroken = pc.less(pc.fill_null(rows["refused_at"], -_NEVER), rows["granted_at"])
    in_time = pc.less_equal(pc.fill_null(rows["late_at"], -_NEVER), rows["arrived"])
    proven = pc.fill_null(pc.and_(covered, pc.and_(unbroken, in_time)), False)
    doubted = _doubted(files, quarantined, as_of)
    proven = pc.and_(proven, pc.invert(pc.is_in(_joined(rows, "record_id", "channel"), doubted)))
    by_row = rows.append_column("proven", proven).group_by(list(SLOT)).aggregate([("proven", "max")])
    leaks = by_row.filter(pc.invert(by_row["proven_max"]))
    return sorted("|".join(row[name] for name in SLOT) for row in leaks.select(list(SLOT)).to_pylist())


def _eligible(files: Files) -> pa.Table:
    eligible = files.read("activation_candidates", [*SLOT, "eligible", "consent_event_id"])
    return eligible.filter(pc.equal(eligible["eligible"], "true")).drop_columns(["eligible"])


def _is_everywhere(channel: pa.ChunkedArray) -> pa.ChunkedArray:
    return pc.is_in(channel, pa.array(["any", ""]))


def _joined(rows: pa.Table, *names: str) -> pa.ChunkedArray:
    return pc.binary_join_element_wise(*(rows[name] for name in names), "|")


def _seconds(times: pa.ChunkedArray) -> pa.ChunkedArray:
    return pa.chunked_array([cells.seconds(chunk) for chunk in times.chunks], pa.int64())


# --- grants -----------------------------------------------------------------------------------------------------------
def _proofs(files: Files, quarantined: list[Row], as_of: str) -> pa.Table:
    """Grants that can prove something at as_of: not over, and of an account that is not deleted.

    (event_id, profile_id, record_id, purpose, channel, granted_at, arrived): dated by the earlier of its two times.
    """
    grants = pa.concat_tables([_grants(files), _agreed(files, quarantined)])
    grants = grants.filter(pc.or_(pc.equal(grants["expires_ts"], ""), pc.greater(grants["expires_ts"], as_of)))
    accounts = files.read("customer_identity", ["record_id", "is_deleted"])
    deleted = accounts.filter(pc.equal(accounts["is_deleted"], "true"))["record_id"]
    grants = grants.filter(pc.invert(pc.is_in(grants["record_id"], deleted)))
    made, arrived = _seconds(grants["event_ts"]), _seconds(grants["ingest_ts"])
    grants = grants.append_column("granted_at", pc.min_element_wise(made, arrived)).append_column("arrived", arrived)
    return grants.drop_columns(["status", "expires_ts", "event_ts", "ingest_ts"])


def _grants(files: Files) -> pa.Table:
    rows = files.read("consent_events", _SAID)
    return rows.filter(pc.equal(rows["status"], "granted"))


def _agreed(files: Files, quarantined: list[Row]) -> pa.Table:
    """Of events that stand with several contents: what each of them grants, one row per channel."""
    contents: dict[str, list[Row]] = defaultdict(list)
    for row in quarantined:
        if row["source"] == "consent_events" and row["rule"] == "one_content_per_key":
            contents[row["event_id"]].append(row)
    profiles = _profiles(files, (row["record_id"] for rows in contents.values() for row in rows))
    found = []
    for rows in contents.values():
        if {"granted"} != {row["status"] for row in rows} or 1 != len({(r["record_id"], r["purpose"]) for r in rows}):
            continue
        first = rows[0]
        ends = [row["expires_ts"] for row in rows if row["expires_ts"]]
        earliest = {name: min(row[name] for row in rows) for name in ("event_ts", "ingest_ts")}
        for channel in CHANNELS:
            if all(row["channel"] in (channel, "any", "") for row in rows) and first["record_id"] in profiles:
                whose = {"profile_id": profiles[first["record_id"]], "channel": channel}
                found.append({**first, **earliest, **whose, "expires_ts": min(ends, default="")})
    return pa.table({name: pa.array([row[name] for row in found], pa.string()) for name in _SAID})


def _profiles(files: Files, records: Iterator[str | None]) -> dict[str, str]:
    """The profile of each of these accounts that there is."""
    accounts = files.read("customer_identity", ["record_id", "profile_id"])
    held = accounts.filter(pc.is_in(accounts["record_id"], pa.array(sorted({r for r in records if r}), pa.string())))
    return dict(zip(held["record_id"].to_pylist(), held["profile_id"].to_pylist(), strict=True))


# --- refusals ---------------------------------------------------------------------------------------------------------
def _refusals(files: Files, quarantined: list[Row]) -> pa.Table:
    """Of each slot the last moment that a refusal is dated by, and the arrival of the last late one.

    (profile_id, purpose, channel, refused_at, late_at). Rows that cannot be used are refusals dated by their arrival.
    """
    rows = pa.concat_tables([_dated(files), _unusable(files, quarantined)])
    everywhere = pc.invert(pc.is_in(rows["channel"], pa.array(CHANNELS)))
    specific, every = rows.filter(pc.invert(everywhere)), rows.filter(everywhere)
    at = rows.column_names.index("channel")
    copies = [every.set_column(at, "channel", pa.repeat(pa.scalar(name), len(every))) for name in CHANNELS]
    latest = pa.concat_tables([specific, *copies]).group_by(list(SLOT))
    latest = latest.aggregate([("refused_at", "max"), ("late_at", "max")])
    return latest.rename_columns({"refused_at_max": "refused_at", "late_at_max": "late_at"})


def _dated(files: Files) -> pa.Table:
    """Usable refusals: when they were made where that can be, else when they arrived."""
    told = files.read("consent_events", [*SLOT, "status", "event_ts", "ingest_ts"])
    told = told.filter(pc.not_equal(told["status"], "granted"))
    left = files.read("campaign_events", ["profile_id", "channel", "event_name", "event_ts", "ingest_ts"])
    left = left.filter(pc.equal(left["event_name"], "unsubscribed"))
    left = left.append_column("purpose", pa.repeat(pa.scalar(UNSUBSCRIBED), len(left)))
    columns = [*SLOT, "event_ts", "ingest_ts"]
    rows = pa.concat_tables([told.select(columns), left.select(columns)])
    made, arrived = _seconds(rows["event_ts"]), _seconds(rows["ingest_ts"])
    is_possible = pc.greater_equal(rows["event_ts"], EARLIEST_CHOICE)
    is_late = pc.greater(pc.subtract(arrived, made), MAX_CHOICE_DELAY_DAYS * SECONDS_PER_DAY)
    late = pc.if_else(pc.and_(is_possible, is_late), arrived, -_NEVER)
    came = pc.if_else(pc.greater_equal(rows["ingest_ts"], EARLIEST_CHOICE), arrived, _NEVER)
    rows = rows.select(list(SLOT)).append_column("refused_at", pc.if_else(is_possible, made, came))
    return rows.append_column("late_at", late)


def _unusable(files: Files, quarantined: list[Row]) -> pa.Table:
    """Rows of a known account that no table can use, and refusals among the contents of one event."""
    told = [row for row in quarantined if row["source"] in ("consent_events", "campaign_events")]
    profiles = _profiles(files, (row["record_id"] for row in told))
    found = []
    for row in told:
        if row["record_id"] in profiles:
            at, late = _moment_of(row)
            found += [(profiles[row["record_id"]], p, row["channel"], at, late) for p in _refused_purposes(row)]
    kinds = [pa.string(), pa.string(), pa.string(), pa.int64(), pa.int64()]
    names = (*SLOT, "refused_at", "late_at")
    columns = zip(names, kinds, strict=True)
    return pa.table({n: pa.array([row[place] for row in found], k) for place, (n, k) in enumerate(columns)})


def _refused_purposes(row: Row) -> tuple[str, ...]:
    """The purposes that a quarantined row refuses, or may have refused."""
    if row["source"] == "campaign_events":
        known = RAW["campaign_events"].column("event_name").allowed
        return (UNSUBSCRIBED,) if row["event_name"] == "unsubscribed" or row["event_name"] not in known else ()
    if row["rule"] == "one_content_per_key" and row["status"] == "granted":
        return ()
    purposes = RAW["consent_events"].column("purpose").allowed
    return (row["purpose"],) if row["purpose"] in purposes else purposes


def _moment_of(row: Row) -> tuple[int, int]:
    """The moment a quarantined refusal is dated by, and its arrival if it is late."""
    made, arrived = moments.seconds_or_none(row["event_ts"]), moments.seconds_or_none(row["ingest_ts"])
    keeps = row["rule"] == "one_content_per_key" or row["source"] == "campaign_events"
    if arrived is None or row["ingest_ts"] < EARLIEST_CHOICE:
        return _NEVER, -_NEVER
    if made is None or not keeps:
        return arrived, -_NEVER
    if row["event_ts"] < EARLIEST_CHOICE or made > arrived + CLOCK_SKEW_SECONDS:
        return arrived, -_NEVER
    return made, arrived if arrived - made > MAX_CHOICE_DELAY_DAYS * SECONDS_PER_DAY else -_NEVER


def _quarantined(files: Files) -> list[Row]:
    """Quarantined rows of accounts and of what can say no, each with its cells.

    (source, row_number, rule, record_id, the columns of its source); record_id is None where it cannot be read.
    """
    rows = files.read("quarantine", ["source", "row_number", "rule", "row"])
    rows = rows.filter(pc.is_in(rows["source"], pa.array(["customers", *ATTRIBUTABLE])))
    found = []
    for kept in rows.to_pylist():
        cell = {name: value.strip() for name, value in json.loads(kept.pop("row")).items()}
        system = cells.matching(pa.array([cell.get("source_system", "")]), "^[a-z0-9_]+$")[0].as_py()
        account = f"{system}:{cell['customer_id']}" if system and cell.get("customer_id") else None
        empty = dict.fromkeys(RAW[kept["source"]].column_names, "")
        found.append({**empty, **cell, **kept, "record_id": account})
    return found


def unattributable(files: Files) -> dict[str, int]:
    """Of the sources that can say no: how many of their unusable rows name no account that can be read."""
    nobody = [row["source"] for row in _quarantined(files) if row["record_id"] is None]
    return {source: nobody.count(source) for source in ATTRIBUTABLE}


# --- addresses --------------------------------------------------------------------------------------------------------
def _doubted(files: Files, quarantined: list[Row], as_of: str) -> pa.Array:
    """`record_id|channel` of accounts whose address there a change that no table can use may have made old."""
    changes = [row for row in quarantined if row["source"] == "customers" and row["record_id"]]
    set_aside = {row["row_number"] for row in quarantined if row["source"] == "customers"}
    held = _last_states(files, {row["record_id"] for row in changes}, set_aside, as_of) if changes else {}
    found = set()
    for row in changes:
        state, lsn = held.get(row["record_id"]), _whole(row["lsn"])
        if state is None or (lsn is not None and lsn < state[0]):
            continue
        is_any = row["op"] not in ("c", "u", "r")
        changed = {
            "push": False,
            **{c: _differs(row[n], state[1][n]) for c, n in (("email", "email"), ("sms", "phone"))},
        }
        found |= {f"{row['record_id']}|{channel}" for channel in CHANNELS if is_any or changed[channel]}
    return pa.array(sorted(found), pa.string())


def _last_states(files: Files, records: set[str], set_aside: set[str], as_of: str) -> dict[str, tuple[int, Row]]:
    """The change that holds of each of these accounts, from bronze: its lsn and its cells."""
    names = ["_row_number", "event_ts", "ingest_ts", "source_system", "customer_id", "op", "lsn", "email", "phone"]
    rows = files.read("customers_bronze", names)
    record = pc.binary_join_element_wise(*(pc.utf8_trim_whitespace(rows[n]) for n in names[3:5]), ":")
    held: dict[str, tuple[int, Row]] = {}
    for row in rows.filter(pc.is_in(record, pa.array(sorted(records), pa.string()))).to_pylist():
        row = {name: value.strip() for name, value in row.items()}
        lsn, account = _whole(row["lsn"]), f"{row['source_system']}:{row['customer_id']}"
        counts = row["_row_number"] not in set_aside and max(row["event_ts"], row["ingest_ts"]) <= as_of
        if counts and lsn is not None and lsn > held.get(account, (-1, {}))[0]:
            held[account] = lsn, row
    return held


def _whole(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() else None


def _differs(one: str, other: str) -> bool:
    """Whether two addresses are surely not the same, however they are written; both may be absent."""
    one, other = (text.casefold() if "@" in text else "".join(filter(str.isdigit, text))[-7:] for text in (one, other))
    return one != other


# --- beside the release before ----------------------------------------------------------------------------------------
def opened_without_grant(files: Files, before: Files) -> list[str]:
    """Slots that are open now and were shut in the release before, though nothing new speaks for it.

    As profile_id|purpose|channel. What was shut is asked of the profile that the account which granted had then; that
    there was no address is no refusal. What may open a slot: a grant that the release before did not know, or a
    steward's decision on an account of its person that it did not know.
    """
    grants = pa.concat_tables([_grants(files), _agreed(files, _quarantined(files))])
    rows = _eligible(files).join(grants.select(["event_id", "record_id"]), "consent_event_id", "event_id")
    accounts = before.read("customer_identity", ["record_id", "profile_id"]).rename_columns(["record_id", "former"])
    rows = rows.join(accounts, "record_id", join_type="inner")
    shut = before.read("activation_candidates", [*SLOT, "eligible", "block_reason"])
    closed = pc.and_(pc.equal(shut["eligible"], "false"), pc.not_equal(shut["block_reason"], "no_identifier"))
    shut = shut.filter(closed).select(list(SLOT)).rename_columns(["former", "purpose", "channel"])
    rows = rows.join(shut, ["former", "purpose", "channel"], join_type="inner")
    reasons = _newly_granted(grants, before) | _newly_decided(files, before)
    found = {tuple(row[name] for name in SLOT) for row in rows.select(list(SLOT)).to_pylist()}
    return sorted("|".join(slot) for slot in found if not {slot, slot[0]} & reasons)


def _newly_granted(grants: pa.Table, before: Files) -> set[Any]:
    """Slots that a grant names which the release before did not know."""
    known = before.read("consent_events", ["event_id"])["event_id"].unique()
    new = grants.filter(pc.invert(pc.is_in(grants["event_id"], known)))
    found = set()
    for row in new.select(list(SLOT)).to_pylist():
        channels = [row["channel"]] if row["channel"] in CHANNELS else CHANNELS
        found |= {(row["profile_id"], row["purpose"], channel) for channel in channels}
    return found


def _newly_decided(files: Files, before: Files) -> set[Any]:
    """Profiles with an account that a steward has decided about since, or has taken a decision back about."""
    new = _decisions(files) ^ _decisions(before)
    return set(_profiles(files, (record for decision in new for record in decision)).values())


def _decisions(files: Files) -> set[tuple[str, ...]]:
    """The stewards' decisions that a release was built with, as they stand: every row, its two record_ids among it."""
    path = files.folder / DECISIONS_FILE
    lines = path.read_text("utf-8", errors="replace").splitlines() if path.exists() else []
    return {tuple(cell.strip() for cell in row) for row in csv.reader(lines)}
