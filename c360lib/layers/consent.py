"""Consent history to consent state at a moment, and to who may be reached how.

Everything is decided per person, purpose and channel (a *slot*), by when the choice was made, never by when it was
loaded. What cannot be read, is not known or comes from a deleted account blocks. A `status` is granted, or why not: one
of the block reasons of activation_candidates.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import narwhals as nw

from c360lib.engines.base import Frame
from c360lib.engines.kernels import latest_per, null_of, rows_of, with_columns_of
from c360lib.layers.dispositions import CONFLICT, CURRENT, ERASED, QUARANTINED
from c360lib.rules import (
    CHANNEL_IDENTIFIER,
    CHANNELS,
    CLOCK_SKEW_SECONDS,
    EARLIEST_CHOICE,
    MAX_CHOICE_DELAY_DAYS,
    PURPOSES,
    SECONDS_PER_DAY,
    UNSUBSCRIBE_PURPOSE,
)
from c360lib.schemas import GOLD
from c360lib.sources import moments

GRANTED, UNREADABLE = "granted", "consent_unreadable"
REASONS = GOLD["activation_candidates"].column("block_reason").allowed
CHOICE = (
    *("person", "node", "is_account_deleted", "purpose", "channel", "status"),
    *("at", "arrived", "late_at", "expires_ts", "proof"),
)
SLOT = ("slot", "person", "purpose", "channel")
_EARLIEST = moments.seconds_or_none(EARLIEST_CHOICE)
_NEVER = 1 << 40  # seconds: later than any date
_HEARD = (CURRENT, CONFLICT, QUARANTINED)


# --- what was said ----------------------------------------------------------------------------------------------------
def choices(consents: Frame, touches: Frame) -> Frame:
    """All that was said by accounts that are known, one row per choice: the columns CHOICE.

    A purpose or channel that is not one of ours, such as `any`, stands for all of them. `at` is the moment that the
    choice is dated by, `arrived` when it came in, `late_at` the same of a refusal that came in so long after it was
    made that it also shuts what was granted until it came. What a row cannot tell is taken as a refusal.
    """
    contested = _contested(consents)
    return nw.concat([_said(consents, contested), _agreed(consents, contested), _left(touches)])


def _said(consents: Frame, contested: Frame) -> Frame:
    """Refusals, grants that no other row of their event contradicts, and rows that cannot be used."""
    told, is_usable = nw.col("status"), nw.col("disposition") != QUARANTINED
    status = (
        nw.when((told == GRANTED) & is_usable)
        .then(nw.lit(GRANTED))
        .when(told.is_null() | (told == GRANTED))
        .then(nw.lit(UNREADABLE))
        .when(told == "denied")
        .then(nw.lit("denied"))
        .otherwise(nw.lit("withdrawn"))
    )
    rows = consents.filter(nw.col("disposition").is_in(_HEARD) & ~nw.col("person").is_null())
    rows = rows.join(contested.with_columns(is_contested=nw.lit(True)), on="_entity", how="left")
    rows = rows.with_columns(status=status)
    rows = rows.filter(nw.col("is_contested").is_null() | _is_refusal())
    dated = nw.when(_is_refusal()).then(_refused_at(is_usable)).otherwise(_granted_at())
    return _told(rows, dated, nw.col("event_id"))


def _left(touches: Frame) -> Frame:
    """Unsubscribes, and touches that may have been one: withdrawals of marketing on their channel."""
    may_be_one = nw.col("event_name").fill_null("unsubscribed") == "unsubscribed"
    rows = touches.filter(nw.col("disposition").is_in(_HEARD) & ~nw.col("person").is_null() & may_be_one)
    rows = rows.with_columns(
        status=nw.lit("withdrawn"), purpose=nw.lit(UNSUBSCRIBE_PURPOSE), expires_ts=null_of(nw.col("event_ts"))
    )
    return _told(rows, _refused_at(), nw.concat_str([nw.lit("campaign_events:"), nw.col("event_id")]))


def _told(rows: Frame, at: nw.Expr, proof: nw.Expr) -> Frame:
    """Rows with their `status` as `choices` gives them."""
    rows = rows.with_columns(at=at, arrived=nw.col("ingest_ts").fill_null(_NEVER), proof=proof.fill_null(""))
    is_late = _is_refusal() & (nw.col("arrived") - nw.col("at") > MAX_CHOICE_DELAY_DAYS * SECONDS_PER_DAY)
    return rows.with_columns(late_at=nw.when(is_late).then(nw.col("arrived"))).select(*CHOICE)


def _is_refusal() -> nw.Expr:
    return nw.col("status") != GRANTED


def _granted_at() -> nw.Expr:
    """A grant is dated by whichever of its two times is earlier."""
    return nw.min_horizontal("event_ts", "ingest_ts")


def _refused_at(is_usable: nw.Expr | None = None) -> nw.Expr:
    """A refusal is dated by when it was made, where that can be; else by its arrival.

    Where neither can be it is dated by the end of time: it blocks until it is mended.
    """
    made, came = nw.col("event_ts"), nw.when(nw.col("ingest_ts") >= _EARLIEST).then(nw.col("ingest_ts"))
    is_possible = (made >= _EARLIEST) & (made <= came + CLOCK_SKEW_SECONDS)
    if is_usable is not None:
        is_possible = is_possible & is_usable
    return nw.when(is_possible.fill_null(False)).then(made).otherwise(came.fill_null(_NEVER))


# --- one event_id, several contents -----------------------------------------------------------------------------------
def _contested(consents: Frame) -> Frame:
    """Consent events that stand with several contents, also where an account that is erased gave one: (_entity)."""
    several = consents.filter(nw.col("disposition").is_in([CONFLICT, ERASED])).select("_entity")
    return several.unique("_entity")


def _agreed(consents: Frame, contested: Frame) -> Frame:
    """What every content of a contested event grants: dated and ended by the earliest of them."""
    rows = rows_of(consents, contested, "_entity")
    rows = rows.filter(nw.col("disposition").is_in([CURRENT, CONFLICT, ERASED]))
    contents = rows.group_by("_entity").agg(_contents=nw.len())
    grants = rows.filter((nw.col("status") == GRANTED) & ~nw.col("person").is_null())
    grants = grants.filter(nw.col("disposition") != ERASED).with_columns(at=_granted_at())
    key = ["_entity", "person", "node", "is_account_deleted", "purpose", "channel", "event_id"]
    agreed = (
        _by_each(grants, "channel", CHANNELS)
        .group_by(key)
        .agg(
            at=nw.col("at").min(),
            arrived=nw.col("ingest_ts").min(),
            expires_ts=nw.col("expires_ts").min(),
            _grants=nw.len(),
        )
    )
    agreed = agreed.join(contents, on="_entity", how="inner").filter(nw.col("_grants") == nw.col("_contents"))
    agreed = agreed.with_columns(status=nw.lit(GRANTED), late_at=null_of(nw.col("at")), proof=nw.col("event_id"))
    return agreed.select(*CHOICE)


# --- slots ------------------------------------------------------------------------------------------------------------
def spoken(choices: Frame) -> Frame:
    """Choices with their slot, one row for each slot that they speak for."""
    return with_slot(_by_each(_by_each(choices, "channel", CHANNELS), "purpose", PURPOSES))


def with_slot(rows: Frame) -> Frame:
    """Rows of (person, purpose, channel) with `slot`, one number for the three: a key to join and group by.

    >>> rows = {"person": [7, 7], "purpose": ["marketing"] * 2, "channel": ["email", "sms"]}
    >>> with_slot(nw.from_dict(rows, backend="polars").lazy()).collect()["slot"].to_list()
    [63, 64]
    """
    pair = nw.col("person") * len(PURPOSES) + _index("purpose", PURPOSES)
    return rows.with_columns(slot=pair * len(CHANNELS) + _index("channel", CHANNELS))


def _by_each(rows: Frame, name: str, values: Sequence[str]) -> Frame:
    """Rows whose cell is none of the values stand for all of them: as one row per value.

    >>> rows = nw.from_dict({"channel": ["sms", "any"]}, backend="polars").lazy()
    >>> _by_each(rows, "channel", ["email", "sms"]).collect()["channel"].to_list()
    ['sms', 'email', 'sms']
    """
    is_one = nw.col(name).is_in(values).fill_null(False)
    every = rows.filter(~is_one)
    return nw.concat([rows.filter(is_one), *(every.with_columns(nw.lit(value).alias(name)) for value in values)])


def _index(name: str, values: Sequence[str]) -> nw.Expr:
    """The index among the values of each cell, which is one of them."""
    found: Any = nw
    for index, value in enumerate(values):
        found = found.when(nw.col(name) == value).then(nw.lit(index))
    whole: nw.Expr = found.otherwise(nw.lit(None)).cast(nw.Int64())
    return whole


# --- what holds -------------------------------------------------------------------------------------------------------
def latest(spoken: Frame) -> Frame:
    """The readable choice that counts for each slot: the last by time, a refusal after a grant, proof and status."""
    readable = spoken.filter(nw.col("status") != UNREADABLE).with_columns(is_refusal=_is_refusal())
    return latest_per(readable, "slot", "at", "is_refusal", "proof", "status")


def state(latest: Frame, spoken: Frame, as_of: int) -> Frame:
    """One row per slot that anything was said of: (SLOT ..., status, proof, node, at).

    `node` is the account that a grant which holds may reach, else null. `at` dates the latest choice.
    """
    doubts = _unreadable(spoken)
    rows = with_columns_of(latest, doubts.select("slot", "unreadable_at"), "slot")
    rows = with_columns_of(rows, _overtaken(latest, spoken), "slot")
    ends = ~nw.col("expires_ts").is_null() & (nw.col("expires_ts") <= as_of)
    status = (
        nw.when(_is_refusal())
        .then(nw.col("status"))
        .when(~nw.col("late_status").is_null())
        .then(nw.col("late_status"))
        .when((nw.col("unreadable_at") >= nw.col("at")).fill_null(False))
        .then(nw.lit(UNREADABLE))
        .when(ends)
        .then(nw.lit("expired"))
        .when(nw.col("is_account_deleted").fill_null(False))
        .then(nw.lit("account_deleted"))
        .otherwise(nw.lit(GRANTED))
    )
    proof = nw.when(_is_refusal()).then(nw.col("proof")).otherwise(nw.coalesce("late_proof", "proof"))
    rows = rows.with_columns(status=status, proof=proof, node=nw.when(status == GRANTED).then(nw.col("node")))
    silent = doubts.join(latest.select("slot"), on="slot", how="anti").with_columns(
        status=nw.lit(UNREADABLE), proof=nw.lit(""), node=null_of(nw.col("slot")), at="unreadable_at"
    )
    rows = nw.concat([part.select(*SLOT, "status", "proof", "node", "at") for part in (rows, silent)])
    return rows.with_columns(proof=nw.when(nw.col("proof") != "").then(nw.col("proof")))


def _unreadable(spoken: Frame) -> Frame:
    """Slots with a row that cannot be used: (SLOT ..., unreadable_at), the last moment that one is dated by."""
    rows = spoken.filter(nw.col("status") == UNREADABLE)
    return rows.group_by(*SLOT).agg(unreadable_at=nw.col("at").max())


def _overtaken(latest: Frame, spoken: Frame) -> Frame:
    """Slots whose latest choice is a grant that came in before a late refusal did: (slot, late_status, late_proof)."""
    grants = latest.filter(~nw.col("is_refusal")).select("slot", granted="arrived")
    late = spoken.filter(~nw.col("late_at").is_null())
    late = late.select("slot", "at", "late_at", late_status="status", late_proof="proof")
    late = late.join(grants, on="slot", how="inner").filter(nw.col("granted") < nw.col("late_at"))
    return latest_per(late, "slot", "at", "late_proof", "late_status").select("slot", "late_status", "late_proof")


def held_back(state: Frame, held: Frame) -> Frame:
    """The state where a slot that was shut at or after its grant stays so; `held` is (slot, held_status, held_at).

    >>> state = {"slot": [1, 2], "status": ["granted"] * 2, "at": [5, 5], "node": [7, 7]}
    >>> held = {"slot": [1, 2], "held_status": ["withdrawn"] * 2, "held_at": [4, 6]}
    >>> state, held = (nw.from_dict(columns, backend="polars").lazy() for columns in (state, held))
    >>> sorted(held_back(state, held).select("slot", "status", "node").collect().rows())
    [(1, 'granted', 7), (2, 'withdrawn', None)]
    """
    rows = with_columns_of(state, held, "slot")
    is_held = (~_is_refusal() & (nw.col("held_at") >= nw.col("at"))).fill_null(False)
    rows = rows.with_columns(
        status=nw.when(is_held).then(nw.col("held_status")).otherwise(nw.col("status")),
        node=nw.when(~is_held).then(nw.col("node")),
    )
    return rows.drop("held_status", "held_at")


def held(shut: Frame) -> Frame:
    """What `held_back` takes of shut slots, (person, purpose, channel, status, at): of several the last, then the one
    whose reason comes last among the block reasons.
    """
    rows = with_slot(shut).with_columns(precedence=_index("status", REASONS))
    return latest_per(rows, "slot", "at", "precedence").select("slot", held_status="status", held_at="at")


# --- who may be reached -----------------------------------------------------------------------------------------------
def contacts(accounts: Frame, doubts: Frame) -> Frame:
    """How an account is reached: (node, email, phone, record_id).

    An address that a row which cannot be used may have changed is none.
    """
    rows = with_columns_of(accounts.select("node", *CHANNEL_IDENTIFIER.values()), doubts.drop("is_gone"), "node")
    flags = zip(("no_email", "no_phone", "no_push"), CHANNEL_IDENTIFIER.values(), strict=True)
    known = [nw.when(~nw.col(flag).fill_null(False)).then(nw.col(name)).alias(name) for flag, name in flags]
    return rows.select("node", *known)


def reached(state: Frame, contacts: Frame) -> Frame:
    """The state, (SLOT ..., status, proof, at), with the `identifier` to use: a grant without one is none."""
    identifier: Any = nw
    for channel, column in CHANNEL_IDENTIFIER.items():
        identifier = identifier.when(nw.col("channel") == channel).then(nw.col(column))
    rows = with_columns_of(state, contacts, "node").with_columns(identifier=identifier)
    unreached = ~_is_refusal() & nw.col("identifier").is_null()
    status = nw.when(unreached).then(nw.lit("no_identifier")).otherwise(nw.col("status"))
    return rows.select(*SLOT, "proof", "at", "identifier", status=status)


def activation(live_people: Frame, state: Frame, contacts: Frame, as_of: int) -> Frame:
    """One row per live person, purpose and channel: activation_candidates."""
    asked = spoken(live_people.with_columns(purpose=nw.lit("any"), channel=nw.lit("any")))
    known = reached(state, contacts).select("slot", "status", "proof", "identifier")
    rows = with_columns_of(asked, known, "slot").with_columns(status=nw.col("status").fill_null("no_consent"))
    return rows.select(
        "profile_id",
        "purpose",
        "channel",
        eligible=~_is_refusal(),
        block_reason=nw.when(_is_refusal()).then(nw.col("status")),
        consent_event_id="proof",
        evaluated_at=nw.lit(as_of).cast(nw.Int64()),
        identifier="identifier",
    )


def summary(people: Frame, state: Frame) -> Frame:
    """One row per live person: (person, consent_<purpose> ...), true only where every channel holds a grant."""
    rows = people.filter(nw.col("live_record_count") > 0).select("person")
    for purpose in PURPOSES:
        granted = state.filter((nw.col("purpose") == purpose) & ~_is_refusal())
        counts = granted.group_by("person").agg(_granted=nw.len())
        is_whole = (nw.col("_granted") == len(CHANNELS)).fill_null(False)
        rows = rows.join(counts, on="person", how="left")
        rows = rows.with_columns(is_whole.alias(f"consent_{purpose}")).drop("_granted")
    return rows
