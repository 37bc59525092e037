"""A second opinion on consent, from the published files alone and by another way than the layers take.

The layers pick the latest choice of each slot; this looks for a proof of each eligible row and for any block that
came at or after it. Where the two disagree, somebody would be reached who did not agree to it.
"""

from __future__ import annotations

import json
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from c360lib import cells
from c360lib.files import Files
from c360lib.rules import CHANNELS, UNSUBSCRIBE_PURPOSE
from c360lib.schemas import RAW

SLOT = ("profile_id", "purpose", "channel")


def consent_leaks(files: Files, as_of: str) -> list[str]:
    """Eligible rows of activation_candidates that the events do not prove, as profile_id|purpose|channel."""
    eligible = files.read("activation_candidates", [*SLOT, "eligible", "consent_event_id"])
    eligible = eligible.filter(pc.equal(eligible["eligible"], "true")).drop_columns(["eligible"])
    proofs = _proofs(files, as_of).rename_columns(
        {"event_id": "consent_event_id", "profile_id": "of", "purpose": "for", "channel": "by"}
    )
    rows = eligible.join(proofs, "consent_event_id", join_type="left outer")
    rows = rows.join(_blocks(files), list(SLOT), join_type="left outer")
    everywhere = pc.is_in(rows["by"], pa.array(["any", ""]))
    covered = pc.and_(pc.equal(rows["of"], rows["profile_id"]), pc.equal(rows["for"], rows["purpose"]))
    covered = pc.and_(covered, pc.or_(everywhere, pc.equal(rows["by"], rows["channel"])))
    unbroken = pc.less(pc.fill_null(rows["blocked_at"], -(1 << 62)), rows["granted_at"])
    proven = pc.fill_null(pc.and_(covered, unbroken), False)
    leaks = rows.filter(pc.invert(proven))
    return sorted("|".join(row[name] for name in SLOT) for row in leaks.select(list(SLOT)).to_pylist())


def _proofs(files: Files, as_of: str) -> pa.Table:
    """Grants that can prove something at as_of: not over, and of an account that is not deleted."""
    names = ["event_id", "profile_id", "record_id", "purpose", "channel", "status", "expires_ts", "event_ts"]
    rows = files.read("consent_events", names)
    rows = rows.filter(pc.equal(rows["status"], "granted"))
    rows = rows.filter(pc.or_(pc.equal(rows["expires_ts"], ""), pc.greater(rows["expires_ts"], as_of)))
    accounts = files.read("customer_identity", ["record_id", "is_deleted"])
    deleted = accounts.filter(pc.equal(accounts["is_deleted"], "true"))["record_id"]
    rows = rows.filter(pc.invert(pc.is_in(rows["record_id"], deleted)))
    proofs = rows.select(["event_id", "profile_id", "purpose", "channel"])
    return proofs.append_column("granted_at", _seconds(rows["event_ts"]))


def _seconds(times: pa.ChunkedArray) -> pa.ChunkedArray:
    return pa.chunked_array([cells.seconds(chunk) for chunk in times.chunks], pa.int64())


def _blocks(files: Files) -> pa.Table:
    """The latest block of each slot: (profile_id, purpose, channel, blocked_at)."""
    told = files.read("consent_events", [*SLOT, "status", "event_ts"])
    told = told.filter(pc.not_equal(told["status"], "granted"))
    left = files.read("campaign_events", ["profile_id", "channel", "event_name", "event_ts"])
    left = left.filter(pc.equal(left["event_name"], "unsubscribed"))
    left = left.append_column("purpose", pa.repeat(pa.scalar(UNSUBSCRIBE_PURPOSE), len(left)))
    columns = [*SLOT, "event_ts"]
    rows = pa.concat_tables([told.select(columns), left.select(columns)])
    rows = rows.append_column("blocked_at", _seconds(rows["event_ts"])).drop_columns(["event_ts"])
    rows = pa.concat_tables([rows, _unreadable(files)])
    specific = rows.filter(pc.is_in(rows["channel"], pa.array(CHANNELS)))
    every = rows.filter(pc.invert(pc.is_in(rows["channel"], pa.array(CHANNELS))))
    at = every.column_names.index("channel")
    copies = [every.set_column(at, "channel", pa.repeat(pa.scalar(name), len(every))) for name in CHANNELS]
    latest = pa.concat_tables([specific, *copies]).group_by(list(SLOT)).aggregate([("blocked_at", "max")])
    return latest.rename_columns({"blocked_at_max": "blocked_at"})


def _unreadable(files: Files) -> pa.Table:
    """Unusable consent rows of a known account, as blocks that no grant comes after."""
    accounts = files.read("customer_identity", ["record_id", "profile_id"])
    wanted = [row for row in quarantined_consents(files) if row["rule"] != "one_content_per_key"]
    named = pa.array([row["record_id"] for row in wanted], pa.string())
    held = accounts.filter(pc.is_in(accounts["record_id"], named))
    profiles = dict(zip(held["record_id"].to_pylist(), held["profile_id"].to_pylist(), strict=True))
    purposes = RAW["consent_events"].column("purpose").allowed
    found = [
        (profiles[row["record_id"]], purpose, row["channel"], 1 << 62)
        for row in wanted
        if row["record_id"] in profiles
        for purpose in ([row["purpose"]] if row["purpose"] in purposes else purposes)
    ]
    kinds = [pa.string(), pa.string(), pa.string(), pa.int64()]
    return pa.table({
        name: pa.array([row[place] for row in found], kind)
        for place, (name, kind) in enumerate(zip((*SLOT, "blocked_at"), kinds, strict=True))
    })  # fmt: skip


def quarantined_consents(files: Files) -> list[dict[str, Any]]:
    """Quarantined rows of consent_events: rule, purpose, channel and record_id, None where it cannot be read."""
    rows = files.read("quarantine", ["source", "rule", "row"])
    found = []
    for kept in rows.filter(pc.equal(rows["source"], "consent_events")).to_pylist():
        cell = {name: value.strip() for name, value in json.loads(kept["row"]).items()}
        system = cells.matching(pa.array([cell.get("source_system", "")]), "^[a-z0-9_]+$")[0].as_py()
        account = f"{system}:{cell['customer_id']}" if system and cell.get("customer_id") else None
        told = {name: cell.get(name, "") for name in ("purpose", "channel")}
        found.append({"rule": kept["rule"], "record_id": account, **told})
    return found
