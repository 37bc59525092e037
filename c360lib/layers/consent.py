"""Consent history to consent state at a moment, and to who may be reached how.

Everything is decided per person, purpose and channel (a *slot*), by when the choice was made, never by when it was
loaded. What cannot be read, is not known or comes from a deleted account blocks.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import narwhals as nw
import pyarrow as pa

from c360lib.engines.base import Frame
from c360lib.engines.kernels import latest_per, named, null_of, rows_of, with_columns_of
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

_INT, _SMALL = nw.Int64(), nw.Int8()
_SLOTS = len(PURPOSES) * len(CHANNELS)
REASONS = GOLD["activation_candidates"].column("block_reason").allowed
GRANTED = -1
_EVERY = -1
_EARLIEST = moments.moment(EARLIEST_CHOICE)
_NEVER = 1 << 40  # seconds: later than any date
_HEARD = (CURRENT, CONFLICT, QUARANTINED)
CHOICE = (
    *("person", "node", "is_account_deleted", "purpose", "channel", "reason"),
    *("at", "arrived", "late_at", "expires_ts", "proof"),
)


def choices(consents: Frame, touches: Frame) -> Frame:
    """All that was said by accounts that are known, one row a choice, purpose and channel by number; -1 is all of them.

    (person, node, is_account_deleted, purpose, channel, reason, at, arrived, late_at, expires_ts, proof). `reason` is a
    refusal's number among the block reasons, or -1: a grant. `at` is the moment that the choice is dated by, `arrived`
    when it came in, `late_at` the same of a refusal that came in so long after it was made that it also shuts what
    was granted until it came. What a row cannot tell is taken as a refusal.
    """
    contested = _contested(consents)
    return nw.concat([_said(consents, contested), _agreed(consents, contested), _left(touches)])


def _said(consents: Frame, contested: Frame) -> Frame:
    """Refusals, grants that no other row of their event contradicts, and rows that cannot be used."""
    status, is_usable = nw.col("status"), nw.col("disposition") != QUARANTINED
    word = (
        nw.when((status == "granted") & is_usable)
        .then(_lit(GRANTED))
        .when(status.is_null() | (status == "granted"))
        .then(_reason("consent_unreadable"))
        .when(status == "denied")
        .then(_reason("denied"))
        .otherwise(_reason("withdrawn"))
    )
    rows = consents.filter(nw.col("disposition").is_in(_HEARD) & ~nw.col("person").is_null())
    rows = rows.join(contested.with_columns(is_contested=nw.lit(True)), on="_entity", how="left")
    rows = rows.with_columns(reason=word)
    rows = rows.filter(nw.col("is_contested").is_null() | (nw.col("reason") != GRANTED))
    dated = nw.when(nw.col("reason") == GRANTED).then(_granted_at()).otherwise(_refused_at(is_usable))
    return _told(rows, dated, _number("purpose", PURPOSES), nw.col("event_id"))


def _left(touches: Frame) -> Frame:
    """Unsubscribes, and touches that may have been one: withdrawals of marketing on their channel."""
    may_be_one = nw.col("event_name").fill_null("unsubscribed") == "unsubscribed"
    rows = touches.filter(nw.col("disposition").is_in(_HEARD) & ~nw.col("person").is_null() & may_be_one)
    rows = rows.with_columns(reason=_reason("withdrawn"), expires_ts=null_of(nw.col("event_ts")))
    proof = nw.concat_str([nw.lit("campaign_events:"), nw.col("event_id")])
    return _told(rows, _refused_at(), _lit(PURPOSES.index(UNSUBSCRIBE_PURPOSE)), proof)


def _told(rows: Frame, at: nw.Expr, purpose: nw.Expr, proof: nw.Expr) -> Frame:
    """Rows with (person, node, ..., reason) as `choices` gives them."""
    rows = rows.with_columns(at=at, arrived=nw.col("ingest_ts").fill_null(_NEVER))
    delay = nw.col("arrived") - nw.col("at")
    is_late = (nw.col("reason") != GRANTED) & (delay > MAX_CHOICE_DELAY_DAYS * SECONDS_PER_DAY)
    return rows.select(
        *("person", "node", "is_account_deleted", "reason", "at", "arrived", "expires_ts"),
        purpose=purpose,
        channel=_number("channel", CHANNELS),
        late_at=nw.when(is_late).then(nw.col("arrived")),
        proof=proof.fill_null(""),
    ).select(*CHOICE)


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
    grants = rows.filter((nw.col("status") == "granted") & ~nw.col("person").is_null())
    grants = grants.filter(nw.col("disposition") != ERASED).with_columns(at=_granted_at())
    grants = _by_channel(grants.with_columns(channel=_number("channel", CHANNELS)))
    key = ["_entity", "person", "node", "is_account_deleted", "purpose", "channel", "event_id"]
    agreed = grants.group_by(key).agg(
        at=nw.col("at").min(),
        arrived=nw.col("ingest_ts").min(),
        expires_ts=nw.col("expires_ts").min(),
        _grants=nw.len(),
    )
    agreed = agreed.join(contents, on="_entity", how="inner").filter(nw.col("_grants") == nw.col("_contents"))
    return agreed.with_columns(
        purpose=_number("purpose", PURPOSES),
        reason=_lit(GRANTED),
        late_at=null_of(nw.col("at")),
        proof=nw.col("event_id"),
    ).select(*CHOICE)


def spoken(choices: Frame) -> Frame:
    """Choices, one row a slot that they speak for: (slot, reach, order, reason, at, arrived, late_at, proof, ...)."""
    rows = _by_slot(choices)
    is_block = nw.when(nw.col("reason") == GRANTED).then(0).otherwise(1).cast(_INT)
    return rows.select(
        *("slot", "reason", "proof", "at", "arrived", "late_at", "expires_ts", "is_account_deleted"),
        reach=nw.col("node") * len(CHANNELS) + nw.col("channel"),
        order=nw.col("at") * 2 + is_block,
    )


def _by_slot(rows: Frame) -> Frame:
    """Rows with (purpose, channel), by number, as rows with a `slot`, one for each that they speak for."""
    return with_slot(_by_each(_by_channel(rows), "purpose", len(PURPOSES)))


def with_slot(rows: Frame) -> Frame:
    """Rows of (person, purpose, channel), each one of a kind, with the `slot` that they stand for."""
    return rows.with_columns(slot=nw.col("person") * _SLOTS + nw.col("purpose") * len(CHANNELS) + nw.col("channel"))


def _by_channel(rows: Frame) -> Frame:
    return _by_each(rows, "channel", len(CHANNELS))


def _by_each(rows: Frame, name: str, count: int) -> Frame:
    """Rows for every one of so many numbers as a row for each of them."""
    every = rows.filter(nw.col(name) == _EVERY)
    copies = [every.with_columns(_lit(number).alias(name)) for number in range(count)]
    return nw.concat([rows.filter(nw.col(name) != _EVERY), *copies])


def _number(column: str, names: Sequence[str]) -> nw.Expr:
    """The place of a name among `names`; anything else means every one of them."""
    place: Any = nw
    for number, name in enumerate(names):
        place = place.when(nw.col(column) == name).then(nw.lit(number))
    found: nw.Expr = place.otherwise(nw.lit(_EVERY)).cast(_SMALL)
    return found


def _lit(number: int) -> nw.Expr:
    return nw.lit(number).cast(_SMALL)


def _reason(name: str) -> nw.Expr:
    return _lit(REASONS.index(name))


# --- what holds -------------------------------------------------------------------------------------------------------
def latest(spoken: Frame) -> Frame:
    """The readable choice that counts for each slot: the last by (at, a refusal after a grant, proof, reason)."""
    return latest_per(spoken.filter(~_is_unreadable()), "slot", "order", "proof", "reason")


def unreadable(spoken: Frame) -> Frame:
    """Slots with a row that cannot be used: (slot, unreadable_at), the last moment that one of them is dated by."""
    return spoken.filter(_is_unreadable()).group_by("slot").agg(unreadable_at=nw.col("at").max())


def _is_unreadable() -> nw.Expr:
    return nw.col("reason") == REASONS.index("consent_unreadable")


def overtaken(latest: Frame, spoken: Frame) -> Frame:
    """Slots whose latest choice is a grant that came in before a late refusal did: (slot, late_reason, late_proof)."""
    grants = latest.filter(nw.col("reason") == GRANTED).select("slot", granted="arrived")
    late = spoken.filter(~nw.col("late_at").is_null())
    late = late.select("slot", "order", "late_at", late_reason="reason", late_proof="proof")
    late = late.join(grants, on="slot", how="inner").filter(nw.col("granted") < nw.col("late_at"))
    return latest_per(late, "slot", "order", "late_proof", "late_reason").select("slot", "late_reason", "late_proof")


def state(latest: Frame, overtaken: Frame, unreadable: Frame, as_of: int) -> Frame:
    """Slots with a known state: (slot, proof, reason, reach, at); the reason is a number, -1 a grant that holds.

    `reach` is what only such a grant may use: an account on a channel, as in `_reaches`. `at` dates the latest choice.
    """
    rows = latest.join(unreadable, on="slot", how="left").join(overtaken, on="slot", how="left")
    silent = unreadable.join(latest.select("slot"), on="slot", how="anti").with_columns(
        reason=_reason("consent_unreadable"), proof=nw.lit(""), at="unreadable_at"
    )
    ends = ~nw.col("expires_ts").is_null() & (nw.col("expires_ts") <= as_of)
    reason = (
        nw.when(nw.col("reason") > GRANTED)
        .then(nw.col("reason"))
        .when(~nw.col("late_reason").is_null())
        .then(nw.col("late_reason"))
        .when((nw.col("unreadable_at") >= nw.col("at")).fill_null(False))
        .then(_reason("consent_unreadable"))
        .when(ends)
        .then(_reason("expired"))
        .when(nw.col("is_account_deleted").fill_null(False))
        .then(_reason("account_deleted"))
        .otherwise(_lit(GRANTED))
    )
    proof = nw.when(nw.col("reason") == GRANTED).then(nw.coalesce("late_proof", "proof")).otherwise(nw.col("proof"))
    rows = rows.with_columns(reason=reason, proof=proof, reach=nw.when(reason == GRANTED).then(nw.col("reach")))
    silent = silent.with_columns(reach=null_of(nw.col("slot")))
    rows = nw.concat([part.select("slot", "proof", "reason", "reach", "at") for part in (rows, silent)])
    return rows.with_columns(proof=nw.when(nw.col("proof") != "").then(nw.col("proof")))


def held_back(state: Frame, held: Frame) -> Frame:
    """The state where a slot that was shut at or after its grant stays so; `held` is (slot, held_reason, held_at)."""
    rows = state.join(held, on="slot", how="left")
    is_held = ((nw.col("reason") == GRANTED) & (nw.col("held_at") >= nw.col("at"))).fill_null(False)
    return rows.select(
        "slot",
        "proof",
        "at",
        reason=nw.when(is_held).then(nw.col("held_reason")).otherwise(nw.col("reason")),
        reach=nw.when(~is_held).then(nw.col("reach")),
    )


# --- who may be reached -----------------------------------------------------------------------------------------------
def slots() -> pa.Table:
    """What is asked of every person, one row per purpose and channel: (number, purpose, channel).

    `number` counts as in `slot`.
    """
    pairs = [(purpose, channel) for purpose in PURPOSES for channel in CHANNELS]
    rows = [{"number": number, "purpose": pair[0], "channel": pair[1]} for number, pair in enumerate(pairs)]
    return pa.Table.from_pylist(rows)


def reached(state: Frame, contacts: Frame) -> Frame:
    """Slots with a known state, and the `identifier` to use: a grant without one is none."""
    known = with_columns_of(state, _reaches(contacts), "reach")
    unreached = (nw.col("reason") == GRANTED) & nw.col("is_lacking").fill_null(True)
    reason = nw.when(unreached).then(_reason("no_identifier")).otherwise(nw.col("reason"))
    return known.select("slot", "proof", "identifier", "at", reason=reason)


def of_slots(rows: Frame) -> Frame:
    """Rows of a slot with the (person, purpose, channel) that it stands for, purpose and channel by number."""
    person = nw.col("slot") // _SLOTS
    rest = nw.col("slot") - person * _SLOTS
    purpose = rest // len(CHANNELS)
    channel = rest - purpose * len(CHANNELS)
    return rows.with_columns(person=person, purpose=purpose.cast(_SMALL), channel=channel.cast(_SMALL))


def activation(live_people: Frame, slots: Frame, state: Frame, contacts: Frame, as_of: int) -> Frame:
    """One row per live person, purpose and channel: activation_candidates."""
    rows = live_people.join(slots, how="cross")
    rows = rows.with_columns(slot=nw.col("person") * _SLOTS + nw.col("number"))
    rows = with_columns_of(rows, reached(state, contacts).drop("at"), "slot")
    rows = rows.with_columns(reason=nw.col("reason").fill_null(REASONS.index("no_consent")))
    return named(rows, "reason", REASONS, "block_reason").select(
        "profile_id",
        "purpose",
        "channel",
        eligible=nw.col("reason") == GRANTED,
        block_reason="block_reason",
        consent_event_id="proof",
        evaluated_at=nw.lit(as_of).cast(_INT),
        identifier="identifier",
    )


def contacts(accounts: Frame, doubts: Frame) -> Frame:
    """How an account is reached: (node, email, phone, record_id), so that what else is known of it can be freed.

    An address that a row which cannot be used may have changed is none.
    """
    rows = with_columns_of(accounts.select("node", *CHANNEL_IDENTIFIER.values()), doubts.drop("is_gone"), "node")
    flags = zip(("no_email", "no_phone", "no_push"), CHANNEL_IDENTIFIER.values(), strict=True)
    known = [nw.when(~nw.col(flag).fill_null(False)).then(nw.col(name)).alias(name) for flag, name in flags]
    return rows.select("node", *known)


def _reaches(contacts: Frame) -> Frame:
    """Every account on every channel: (reach, identifier, is_lacking).

    That there is no identifier is said apart, so that an engine need not carry addresses that nobody reads.
    """
    return nw.concat(
        [
            contacts.select(
                reach=nw.col("node") * len(CHANNELS) + number,
                identifier=column,
                is_lacking=nw.col(column).is_null(),
            )
            for number, column in enumerate(CHANNEL_IDENTIFIER[channel] for channel in CHANNELS)
        ]
    )


def summary(people: Frame, state: Frame) -> Frame:
    """One row a live person: (person, consent_<purpose> ...), true only where every channel holds a grant."""
    granted = state.filter(nw.col("reason") == GRANTED)
    rows = people.filter(nw.col("live_record_count") > 0).select("person")
    granted = granted.with_columns(person=nw.col("slot") // _SLOTS)
    for number, purpose in enumerate(PURPOSES):
        low = nw.col("person") * _SLOTS + number * len(CHANNELS)
        ours = granted.filter((nw.col("slot") >= low) & (nw.col("slot") < low + len(CHANNELS)))
        counts = ours.group_by("person").agg(_granted=nw.len())
        rows = (
            rows.join(counts, on="person", how="left")
            .with_columns(**{f"consent_{purpose}": (nw.col("_granted") == len(CHANNELS)).fill_null(False)})
            .drop("_granted")
        )
    return rows
