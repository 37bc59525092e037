"""What a data steward is asked and has decided: the open pairs of the published release, and the log of decisions.

`queue` gives the pairs, `decide` writes one decision into data/steward/decisions.csv; it counts from the next build on.
"""

from __future__ import annotations

import io
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from c360lib.errors import ContractError, UsageError
from c360lib.release import replay
from c360lib.rules import SECONDS_PER_DAY
from c360lib.schemas import STEWARD
from c360lib.sources import load, moments, raw, typed
from c360lib.storage.files import csv_line, read_table, replace_bytes
from c360lib.storage.workspace import Workspace

MUST_LINK, CANNOT_LINK = DECISIONS = STEWARD.column("decision").allowed
LOCK_WAIT_SECONDS = 30
Row = dict[str, Any]


def queue(workspace: Workspace) -> list[dict[str, str]]:
    """Rows of the published identity_review_queue, highest priority first, cells as text: one for each two persons.

    Of several pairs of two persons the strongest asks for all. Persons between whom a decision stands are left out at
    once, also before the next build. UsageError where nothing is published.
    """
    rows: list[dict[str, str]] = read_table(workspace.table_file("silver", "identity_review_queue")).to_pylist()
    rows.sort(key=lambda row: (-int(row["priority"]), row["left_record_id"], row["right_record_id"]))
    asked = {_pair(row["left_profile_id"], row["right_profile_id"]): row for row in reversed(rows)}
    for decided in _decided_profiles(workspace):
        asked.pop(decided, None)
    waiting = {id(row) for row in asked.values()}
    return [row for row in rows if id(row) in waiting]


def _decided_profiles(workspace: Workspace) -> set[tuple[str, str]]:
    """The two persons, as published, of each decision."""
    accounts = read_table(workspace.table_file("silver", "customer_identity"), ["record_id", "profile_id"])
    home = dict(zip(*(accounts[name].to_pylist() for name in ("record_id", "profile_id")), strict=True))
    ends = ((row["left_record_id"], row["right_record_id"]) for row in decisions(workspace))
    return {_pair(home[one], home[other]) for one, other in ends if one in home and other in home}


def decisions(workspace: Workspace) -> list[Row]:
    """The usable rows of decisions.csv, typed, in the order of the file; ContractError where it cannot be read."""
    rows = (row for batch in load.decisions(workspace.steward_file) for row in batch.to_pylist())
    return [row for row in rows if row["_is_usable"]]


def decide(
    workspace: Workspace,
    left_record_id: str,
    right_record_id: str,
    decision: str,
    role: str,
    reason: str,
    at: int | None = None,
) -> str:
    """Add one decision, must_link or cannot_link, on two accounts to decisions.csv; gives its decided_ts.

    `at`, seconds since 1970, is when it was decided; by default the start of the day that the published release was
    built for, so that it counts when that day is built again. It moves to one second after an earlier decision on the
    pair, so that the last word holds. The file changes in one step, keeps what it holds, and one decision waits for
    another. UsageError for an unknown account, word or time, BusyError while a build holds the workspace.
    """
    as_of = replay.moment(workspace.manifest()).as_of
    said = {"decision": decision, "reviewer_role": role.strip(), "reason": reason.strip()}
    _refuse_unusable(workspace, left_record_id, right_record_id, said)
    with workspace.locked(LOCK_WAIT_SECONDS):
        stamp = moments.moment_text(_stamp(workspace, _pair(left_record_id, right_record_id), as_of, at))
        row = {"left_record_id": left_record_id, "right_record_id": right_record_id, **said, "decided_ts": stamp}
        file = workspace.steward_file
        replace_bytes(file, _with_row(file.read_bytes() if file.exists() else b"", row, str(file)))
    return stamp


def typed_decision(workspace: Workspace, left_record_id: str, right_record_id: str, decision: str) -> pa.RecordBatch:
    """The row that `decide` would add, as the layers read it, without writing anything."""
    as_of = replay.moment(workspace.manifest()).as_of
    stamp = moments.moment_text(_stamp(workspace, _pair(left_record_id, right_record_id), as_of, None))
    row = {"left_record_id": left_record_id, "right_record_id": right_record_id, "decision": decision}
    rows = pa.Table.from_pylist([{**row, "decided_ts": stamp, "_raw_base64": ""}])
    return typed.typed_rows(raw.numbered(rows), STEWARD).rows


def dated(now: int, as_of: int) -> int:
    """When a decision of `now` is dated: now, if that lies in the day that ends with as_of, else the start of that day.

    A later time would not count in a build for that day, and an earlier one would count before anybody had looked.

    >>> dated(100_000, as_of=172_799), dated(999_999, as_of=172_799), dated(5, as_of=172_799)
    (100000, 86400, 86400)
    """
    start = as_of + 1 - SECONDS_PER_DAY
    return now if start <= now <= as_of else start


def _pair(one: str, other: str) -> tuple[str, str]:
    return (one, other) if one < other else (other, one)


def _refuse_unusable(workspace: Workspace, left: str, right: str, said: dict[str, str]) -> None:
    if said["decision"] not in DECISIONS:
        raise UsageError(f"a decision is {MUST_LINK} or {CANNOT_LINK}, got {said['decision']!r}")
    for name, what in (("reviewer_role", "the role of who decides, such as data-steward"), ("reason", "a reason")):
        if not said[name]:
            raise UsageError(f"a decision needs {what}, so that others can follow it; got none")
    if left == right:
        raise UsageError(f"{left}: an account and itself are one already; name two accounts")
    known = read_table(workspace.table_file("silver", "customer_identity"), ["record_id"])["record_id"]
    for record_id in (left, right):
        if not pc.any(pc.equal(known, record_id)).as_py():
            raise UsageError(
                f"{record_id}: no such account in release {workspace.current()}; accounts are named as in "
                "customer_identity, source_system:customer_id"
            )


def _stamp(workspace: Workspace, pair: tuple[str, str], as_of: int, at: int | None) -> int:
    """The wanted time, or the second after the latest decision on the pair that counts by then."""
    wanted = dated(as_of + 1, as_of) if at is None else at
    last_that_counts = max(as_of, wanted)
    earlier: list[int] = [
        row["decided_ts"]
        for row in decisions(workspace)
        if _pair(row["left_record_id"], row["right_record_id"]) == pair and row["decided_ts"] <= last_that_counts
    ]
    stamp = max([wanted, *(ts + 1 for ts in earlier)])
    if stamp > last_that_counts:
        raise UsageError(
            f"{workspace.steward_file}: the pair {', '.join(pair)} was decided in the last second of the day "
            f"{moments.moment_text(as_of)[:10]}, so nothing later counts for that day; correct that row, or build for "
            "a later day first"
        )
    return stamp


def _with_row(before: bytes, row: dict[str, str], file: str) -> bytes:
    """The bytes of decisions.csv with one row more; ContractError where what stands there would swallow it."""
    if not before:
        before = csv_line(STEWARD.column_names)
    if not before.endswith(b"\n"):
        before += b"\n"
    columns = raw.read_header(before.partition(b"\n")[0], STEWARD, file).columns
    after = before + csv_line([row.get(name, "") for name in columns])
    stream = io.BytesIO(after)
    stream.readline()
    read = [line for block in raw.blocks(stream) for line in raw.parse(block, columns).to_pylist()]
    if not read or any(read[-1][name] != row.get(name, "") for name in columns):
        raise ContractError(
            f"{file}: a decision written below what stands there could not be read back; a cell opens with a quote and "
            "does not close, or a character cannot be read; mend the file, then decide again"
        )
    return after
