"""`c360 review`: the open pairs shown to a steward one by one, with what a merge would do, and the answers recorded.

What a merge would do is not reckoned here: the layers run on the rows of the persons it touches, with the decision
added, and the answer stands beside what is published.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator
from functools import cache, partial
from itertools import product
from typing import Any

import click
import pyarrow as pa
import pyarrow.compute as pc

from c360lib.commands import steward
from c360lib.errors import C360Error, UsageError
from c360lib.release import replay
from c360lib.rules import CHANNELS, CURRENCY, DEFAULT_IDENTITY, PURPOSES, STEWARD_RULE
from c360lib.schemas import REVIEWED
from c360lib.sources import load, moments
from c360lib.storage.files import read_table
from c360lib.storage.workspace import Workspace

ANSWERS = {"same": steward.MUST_LINK, "different": steward.CANNOT_LINK, "skip": "", "quit": ""}
NOBODY = ("closed", "(no live account)")
SHOWN = ("record_id", "profile_id", *(column.name for column in REVIEWED), "is_deleted")
Row = dict[str, Any]


# --- the walk ---------------------------------------------------------------------------------------------------------
def walk(workspace: Workspace, role: str | None, limit: int | None, at: int) -> None:
    """Show pair after pair and record each answer at once, until the queue, the limit or the person's patience ends."""
    asked: set[str] = set()
    decided = 0
    sources = cache(partial(replay.every_source, workspace))  # read once, when first needed
    if not _open(workspace, asked):
        click.echo(f"nothing waits for review in release {workspace.current()}")
        return
    try:
        role = role or click.prompt("your role, such as data-steward")
        while (limit is None or len(asked) < limit) and (open_rows := _open(workspace, asked)):
            row = open_rows[0]
            asked.add(_name(row))
            click.echo(f"\nPair {len(asked)}, {len(open_rows) - 1} more wait")
            for line in (*side_by_side(row), "", *_effect_or_why_not(workspace, row, sources)):
                click.echo(line)
            answer = click.prompt("\nsame, different, skip or quit", value_proc=_answer)
            if answer == "quit":
                break
            if ANSWERS[answer]:
                pair = (row["left_record_id"], row["right_record_id"])
                click.echo(record(workspace, pair, ANSWERS[answer], role, _reason(), at))
                decided += 1
    except click.Abort:
        click.echo("\nstopped; what you decided before is kept")
    click.echo(f"{decided} decided, {len(steward.queue(workspace))} wait")
    if decided:
        click.echo(next_step(workspace))


def _open(workspace: Workspace, asked: set[str]) -> list[dict[str, str]]:
    """What waits now, another reviewer's answers left out, without what this person has seen."""
    return [row for row in steward.queue(workspace) if _name(row) not in asked]


def _name(row: Row) -> str:
    return f"{row['left_record_id']} {row['right_record_id']}"


def _answer(text: str) -> str:
    """The answer that the text begins; BadParameter where that is none or several."""
    found = [word for word in ANSWERS if text.strip() and word.startswith(text.strip().lower())]
    if len(found) != 1:
        raise click.BadParameter(f"type {', '.join(ANSWERS)}, or as much of it as makes it clear")
    return found[0]


def _reason() -> str:
    reason = ""
    while not reason:
        reason = click.prompt("reason, for whoever reads it later", default="", show_default=False).strip()
    return reason


def record(workspace: Workspace, pair: tuple[str, str], decision: str, role: str, reason: str, at: int) -> str:
    """Record a decision on two accounts; gives a sentence that says so, and whether it counts yet."""
    stamp = steward.decide(workspace, *pair, decision, role, reason, at)
    as_of = workspace.manifest()["as_of"]
    late = f"; that is after {as_of}, so it counts only in builds for later days" if stamp > as_of else ""
    return f"recorded: {pair[0]} {decision} {pair[1]}, dated {stamp}{late}"


def decided_at(workspace: Workspace, at: str | None, now: int) -> int:
    """When a decision was made, in seconds: as told, or by the clock within the day that was built for."""
    if at is None:
        return steward.dated(now, replay.moment(workspace.manifest()).as_of)
    told = moments.seconds_or_none(at)
    if told is None:
        raise UsageError(f"--at: expected a time such as 2026-06-30T10:00:00Z, got {at!r}")
    return told


def next_step(workspace: Workspace) -> str:
    """What to run so that decisions count: a build as the published release was built."""
    manifest = workspace.manifest()
    options = [] if str(workspace.root) == "." else [shlex.quote(str(workspace.root))]
    options += ["--as-of", manifest["as_of"][:10]]
    options += (
        ["--identity", manifest["identity"]["asked"]] if manifest["identity"]["asked"] != DEFAULT_IDENTITY else []
    )
    options += ["--format", manifest["format"]] if manifest["format"] != "csv" else []
    return f"{workspace.steward_file} counts from the next build on: c360 build {' '.join(options)}"


# --- what is shown ----------------------------------------------------------------------------------------------------
def listed(workspace: Workspace, limit: int | None) -> Iterator[str]:
    """The open pairs, highest priority first, and decisions that contradict each other."""
    rows = steward.queue(workspace)
    for row in rows[:limit]:
        yield f"{_name(row)} ({row['reason']}): {row['question']}"
        yield f"  {row['evidence']}"
    yield f"{len(rows)} wait for review in release {workspace.current()}"
    yield from contradictions(workspace)


def contradictions(workspace: Workspace) -> Iterator[str]:
    """Published pairs that a steward linked and other decisions keep apart."""
    for row in read_table(workspace.table_file("silver", "identity_review_queue")).to_pylist():
        if row["match_rule"] == STEWARD_RULE:
            yield f"{_name(row)}: {row['question']}; decide one of these pairs anew with --pair"


def side_by_side(row: Row) -> Iterator[str]:
    """The two accounts of a row of the queue, with a word wherever they differ, and why they are asked about."""
    lines = [("", "left", "right", "")]
    for column in SHOWN:
        left, right = _plain(row[f"left_{column}"]), _plain(row[f"right_{column}"])
        word = "" if left == right else "DIFFERENT" if left and right else "ONE SIDE ONLY"
        lines.append((column.replace("_", " "), left or "-", right or "-", "" if column.endswith("_id") else word))
    widths = [max(len(line[n]) for line in lines) for n in range(3)]
    for line in lines:
        yield "  ".join(f"{cell:{width}}" for cell, width in zip(line, (*widths, 0), strict=True)).rstrip()
    yield ""
    yield f"Why: {row['question']}"
    yield f"Evidence: {row['evidence']}"


def _plain(text: str) -> str:
    """Text that cannot steer a terminal.

    >>> _plain("a\\x1b[2Jb")
    'a?[2Jb'
    """
    return "".join(letter if letter.isprintable() else "?" for letter in text)


# --- what a merge would do --------------------------------------------------------------------------------------------
def _effect_or_why_not(workspace: Workspace, row: Row, sources: Callable[[], replay.Sources]) -> list[str]:
    try:
        return list(effect(workspace, row, sources()))
    except C360Error as error:
        return [f"What a merge would do is not known: {error}"]


def effect(workspace: Workspace, row: Row, sources: replay.Sources | None = None) -> Iterator[str]:
    """What the next build would make of the two persons of a row of the queue if they were one: id, value, channels.

    Compares what is published with the layers run on the persons' rows, all decisions so far and this one counted.
    """
    left, right = row["left_record_id"], row["right_record_id"]
    before = (row["left_profile_id"], row["right_profile_id"])
    targets = ("customer_identity", "people", "value", "activation_candidates")
    decided = [
        *load.decisions(workspace.steward_file),
        steward.typed_decision(workspace, left, right, steward.MUST_LINK),
    ]
    homes = _homes(workspace)
    ours = [record_id for record_id, home in homes.items() if home in before]
    slices = replay.slice_tables(workspace, ours, targets, decided, sources)
    made = {name: table.to_pylist() for name, table in slices.items()}
    after = {account["record_id"]: account["profile_id"] for account in made["customer_identity"]}
    if after[left] != after[right]:
        yield "If you say same: they stay two, because another decision keeps two of their accounts apart"
        return
    yield "If you say same:"
    yield f"  person: {before[0]} and {before[1]} become {after[left]}"
    for account in made["customer_identity"]:
        record_id, profile_id = account["record_id"], account["profile_id"]
        if homes.get(record_id) in before and profile_id != after[left]:
            yield f"  account: {record_id} leaves them and is {profile_id}, because another decision keeps it apart"
    person = next(person["person"] for person in made["people"] if person["profile_id"] == after[left])
    cents = sum(worth["lifetime_value_cents"] for worth in made["value"] if worth["person"] == person)
    one, other = (_money(int(row[f"{side}_value_cents"])) for side in ("left", "right"))
    yield f"  value: {one} and {other} become {_money(cents)} {CURRENCY}"
    yield from _channels(
        workspace, before, [r for r in made["activation_candidates"] if r["profile_id"] == after[left]]
    )


def _homes(workspace: Workspace) -> dict[str, str]:
    """The profile that each account is in now."""
    names = ["record_id", "profile_id"]
    accounts = read_table(workspace.table_file("silver", "customer_identity"), names)
    return dict(zip(*(accounts[name].to_pylist() for name in names), strict=True))


def _money(cents: int) -> str:
    """Cents as an amount.

    >>> _money(1234567)
    '12,345.67'
    """
    return f"{cents // 100:,}.{cents % 100:02}"


def _channels(workspace: Workspace, before: tuple[str, str], after: list[Row]) -> Iterator[str]:
    """Purposes and channels that the merge would open or close for one of the persons, and why."""
    published = read_table(workspace.table_file("gold", "activation_candidates"))
    published = published.filter(pc.is_in(published["profile_id"], pa.array(before)))
    was = {(r["profile_id"], r["purpose"], r["channel"]): _state(r) for r in published.to_pylist()}
    will = {(r["purpose"], r["channel"]): _state(r) for r in after}
    same = True
    for slot in product(PURPOSES, CHANNELS):
        one, other = (was.get((profile, *slot), NOBODY) for profile in before)
        now = will.get(slot, NOBODY)
        if {state[0] for state in (one, other)} != {now[0]}:
            same = False
            yield f"  {slot[0]} by {slot[1]}: left {' '.join(one)}, right {' '.join(other)}; together {' '.join(now)}"
    if same:
        yield "  consent: no channel opens or closes for either"


def _state(row: Row) -> tuple[str, str]:
    """Whether a channel is open, and why not."""
    is_open = row["eligible"] in (True, "true")
    return ("open", "(granted)") if is_open else ("closed", f"({row['block_reason']})")
