"""Where each cell of one profile comes from: the layers, run again on the profile's own rows, and told in words.

The whole build is not run: the layers give the same cells from the rows of bronze that a change of the profile's
accounts can reach (layers/slice.py).
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from c360lib import rules
from c360lib.errors import UsageError
from c360lib.identity import history
from c360lib.layers import dispositions
from c360lib.release import replay
from c360lib.rules import MODEL_RULE
from c360lib.schemas import GOLD, RAW, SILVER
from c360lib.sources import cells, moments
from c360lib.storage.files import read_table
from c360lib.storage.workspace import Workspace

Row = dict[str, Any]
_TARGETS = (
    *(f"{source}_marked" for source in RAW),
    *("quarantine", "identified", "people", "order_states", "stitched", "tickets", "profile_base", "customers"),
    *("activation_candidates", "identity_edges"),
)


def explain(root: str | os.PathLike[str], profile_id: str) -> str:
    """Everything that made one profile, or where its accounts went if it is no more, as text; UsageError where the
    published release and its history know no such profile.
    """
    workspace = Workspace(root)
    workspace.repair()
    identity = read_table(workspace.table_file("silver", "customer_identity"))
    ours = set(identity.filter(pc.equal(identity["profile_id"], profile_id))["record_id"].to_pylist())
    if not ours:
        trail = _trail(workspace, profile_id, set(identity["profile_id"].to_pylist()))
        if trail:
            return "\n".join(trail)
        known = identity["profile_id"][0].as_py() if len(identity) else "none"
        raise UsageError(f"{profile_id}: no such profile in release {workspace.current()}; one that exists is {known}")
    tables = {name: table.to_pylist() for name, table in replay.slice_tables(workspace, ours, _TARGETS).items()}
    return "\n".join(_Story(profile_id, ours, tables, workspace.manifest()).lines())


def _trail(workspace: Workspace, profile_id: str, living: set[str]) -> list[str]:
    """What became of a profile that is no more; no line where the history does not know it."""
    table = SILVER["identity_events"]
    texts = read_table(workspace.table_file("silver", table.name), table.column_names).to_pylist()
    events = history.follow(
        ({**e, **{n: int(e[n]) for n in ("event_number", "step")}} for e in texts), profile_id, living
    )
    if not events:
        return []
    lines = [f"{profile_id}: no profile of release {workspace.current()} any more; what became of its accounts"]
    for event in events:
        evidence = f", by {event['match_rule']}" if event["match_rule"] else ""
        into = f"to {event['to_profile_id']}{evidence}" if event["to_profile_id"] else "none is left"
        count = f"{event['account_count']} of its accounts"
        lines.append(f"  as of {event['as_of']}, {event['event_type']}: {event['from_profile_id']}, {count}, {into}")
    now = sorted({event["to_profile_id"] for event in events} & living)
    return [*lines, f"today they are in {', '.join(now)}" if now else "none of them is in a profile today"]


# --- the story --------------------------------------------------------------------------------------------------------
class _Story:
    """The tables of one profile's slice, told section by section."""

    def __init__(self, profile_id: str, ours: set[str], tables: dict[str, list[Row]], manifest: Row) -> None:
        self.profile_id, self.ours, self.tables, self.manifest = profile_id, ours, tables, manifest
        accounts = [row for row in tables["identified"] if row["record_id"] in ours]
        self.accounts = sorted(accounts, key=lambda row: row["record_id"])
        self.person = self.accounts[0]["person"]

    def lines(self) -> Iterator[str]:
        yield f"{self.profile_id}, release {self.manifest['release']}, as of {self.manifest['as_of']}"
        for title, section in (
            ("Accounts", self._accounts()),
            ("Why they are one person", self._evidence()),
            ("Which account each value survives from", self._survivors()),
            ("Orders", self._orders()),
            ("Behaviour", self._behaviour()),
            ("Tickets", self._tickets()),
            ("Consent", self._consent()),
            ("Rows set aside", self._set_aside()),
            ("The row in customer_360", self._row()),
        ):
            yield f"\n{title}"
            lines = list(section)
            yield from (f"  {line}" for line in lines or ["none"])

    def _of_person(self, table: str) -> list[Row]:
        return sorted((r for r in self.tables[table] if r["person"] == self.person), key=lambda r: r["_row_number"])

    def _accounts(self) -> Iterator[str]:
        for account in self.accounts:
            state = "deleted" if account["is_deleted"] else "live"
            yield (
                f"{account['record_id']}: {state}, first seen {_at(account['first_event_ts'])}, "
                f"current state of {_at(account['event_ts'])}"
            )
            rows = [r for r in self.tables["customers_marked"] if r["record_id"] == account["record_id"]]
            for row in sorted(rows, key=lambda r: r["_row_number"]):
                change = f"op {row['op']}, lsn {row['lsn']}, {dispositions.told(row['disposition'])}"
                yield f"    customers.csv row {row['_row_number']}: {change}"

    def _evidence(self) -> Iterator[str]:
        edges = [e for e in self.tables["identity_edges"] if {e["left_record_id"], e["right_record_id"]} & self.ours]
        for edge in sorted(edges, key=lambda e: (e["left_record_id"], e["right_record_id"], -e["weight"])):
            agree = "" if edge["match_rule"] == MODEL_RULE else " agree"
            bridge = "; nothing else holds the two sides together" if edge["is_bridge"] else ""
            yield (
                f"{edge['left_record_id']} = {edge['right_record_id']}: {edge['match_rule']} "
                f"({edge['evidence']}{agree}), {edge['outcome']}{bridge}"
            )
        if not edges:
            yield "no rule links it to another account"
        yield "the profile_id is that of the account seen first"

    def _survivors(self) -> Iterator[str]:
        base = next(r for r in self.tables["profile_base"] if r["person"] == self.person)
        for group in rules.SURVIVING_GROUPS:
            values = {name: base[name] for name in group}
            holders = [a for a in self.accounts if not a["is_deleted"] and any(a[n] is not None for n in group)]
            if not holders:
                yield f"{', '.join(group)}: no live account knows it"
                continue
            latest = max(a["event_ts"] for a in holders)
            source = min(a["record_id"] for a in holders if a["event_ts"] == latest)
            told = ", ".join(f"{n} {_shown('customers', n, v)}" for n, v in values.items())
            yield f"{told}: from {source}, the last of {len(holders)} that know it"

    def _orders(self) -> Iterator[str]:
        for row in self._of_person("order_states"):
            counted = (
                "deleted: not counted"
                if row["is_deleted"]
                else (
                    "counted in value"
                    if row["status"] == "paid" and row["ordered_ts"] is not None
                    else "counted in order_count only"
                )
            )
            yield (
                f"orders.csv row {row['_row_number']}: {row['order_id']} of {row['record_id']}, {row['status']}, "
                f"{row['net_amount_cents']} cents, ordered {_at(row['ordered_ts'])}: {counted}"
            )

    def _behaviour(self) -> Iterator[str]:
        told = {row["_row_number"]: row for row in self.tables["clickstream_marked"]}
        visits: dict[int, list[Row]] = {}
        for row in self._of_person("stitched"):
            visits.setdefault(row["visit"], []).append(told[row["_row_number"]])
        for events in visits.values():
            named = sum(1 for e in events if e["record_id"] is not None)
            first, last = min(e["event_ts"] for e in events), max(e["event_ts"] for e in events)
            numbers = ", ".join(str(e["_row_number"]) for e in events)
            yield (
                f"visit {_at(first)} to {_at(last)} on {events[0]['anonymous_id']}: {len(events)} events, "
                f"{named} name an account, {len(events) - named} were stitched; clickstream.csv rows {numbers}"
            )

    def _tickets(self) -> Iterator[str]:
        for row in self._of_person("tickets"):
            how = f"names {row['record_id']}" if row["record_id"] else f"by e-mail {row['requester_email']}"
            gone = ", deleted: not counted" if row["is_deleted"] else ""
            yield f"support_tickets.csv row {row['_row_number']}: {row['ticket_id']}, {row['status']}, {how}{gone}"

    def _consent(self) -> Iterator[str]:
        for row in sorted(self._of_person("consent_events_marked"), key=lambda r: r["event_ts"] or 0):
            yield (
                f"consent_events.csv row {row['_row_number']}: {row['event_id']}, {row['purpose']} by "
                f"{row['channel'] or 'any'}, {row['status']} {_at(row['event_ts'])} on {row['record_id']}, "
                f"{dispositions.told(row['disposition'])}"
            )
        for row in self._of_person("campaign_events_marked"):
            if row["event_name"] == "unsubscribed":
                left = f"unsubscribed from {row['channel'] or 'any'}"
                yield f"campaign_events.csv row {row['_row_number']}: {row['event_id']}, {left}"
        for row in self.tables["activation_candidates"]:
            if row["profile_id"] == self.profile_id:
                verdict = "eligible" if row["eligible"] else f"blocked: {row['block_reason']}"
                proof = f", proof {row['consent_event_id']}" if row["consent_event_id"] else ""
                yield f"{row['purpose']} by {row['channel']}: {verdict}{proof}"

    def _set_aside(self) -> Iterator[str]:
        reasons = {(r["source"], r["row_number"]): f": {r['rule']} ({r['detail']})" for r in self.tables["quarantine"]}
        for source in RAW:
            for row in self.tables[f"{source}_marked"]:
                if row["record_id"] in self.ours and row["disposition"] not in (
                    dispositions.CURRENT,
                    dispositions.SUPERSEDED,
                ):
                    why = reasons.get((source, row["_row_number"]), "")
                    yield f"{source}.csv row {row['_row_number']}: {dispositions.told(row['disposition'])}{why}"

    def _row(self) -> Iterator[str]:
        found = [r for r in self.tables["customers"] if r["person"] == self.person]
        if not found:
            yield "none: no account of the person is live"
            return
        for column in GOLD["customer_360"].columns:
            value = found[0][column.name]
            told = "empty" if value is None else _at(value) if column.kind == "ts" else str(value)
            told = told.lower() if column.kind == "bool" else told
            yield f"{column.name}: {told} ({column.meaning})"


def _at(seconds: int | None) -> str:
    return "unknown" if seconds is None else moments.moment_text(seconds)


def _shown(source: str, name: str, value: Any) -> str:
    if value is None:
        return "empty"
    column = RAW[source].column(name)
    return str(cells.rendered(pa.array([value]), column)[0].as_py()) if column.kind == "date" else str(value)
