"""Consent history to consent state at a moment, and to who may be reached how.

Everything is decided per person, purpose and channel (a *slot*), by when the choice was made, never by when it was
loaded. What cannot be read, is not known or comes from a deleted account blocks.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import narwhals as nw
import pyarrow as pa

from c360lib.engine import Frame, Parts
from c360lib.frames import columns_of, crossed, last_each, named, null_of, parts, with_columns_of
from c360lib.rules import CHANNEL_IDENTIFIER, CHANNELS, PURPOSES, UNSUBSCRIBE_PURPOSE
from c360lib.schemas import GOLD
from c360lib.silver import ALL_QUARANTINED, CONFLICT, CURRENT

_INT, _SMALL = nw.Int64(), nw.Int8()
_SLOTS = len(PURPOSES) * len(CHANNELS)
_REASONS = GOLD["activation_candidates"].column("block_reason").allowed
_GRANTED = -1
_EVERY = -1
_PEOPLE_AT_ONCE = 200_000


def choices(consents: Frame, touches: Frame) -> Frame:
    """Current choices: (person, node, purpose, channel, reason, proof, ...), names by number; -1 is every one of them.

    `reason` is the status: a block's number among the reasons, -1 a grant; what is not a grant blocks.
    An `unsubscribed` touch is a withdrawal of marketing on its channel, with the proof campaign_events:event_id.
    """
    columns = ["person", "node", "is_account_deleted", "event_ts", "expires_ts"]
    purpose, channel, status = _number("purpose", PURPOSES), _number("channel", CHANNELS), nw.col("status")
    block = nw.when(status == "denied").then(_reason("denied")).otherwise(_reason("withdrawn"))
    reason = nw.when(status == "granted").then(_lit(_GRANTED)).otherwise(block)
    given = consents.select(*columns, "disposition", "purpose", "channel", "status", proof="event_id")
    given = given.filter(nw.col("disposition") == CURRENT)
    given = given.select(*columns, "proof", purpose=purpose, channel=channel, reason=reason)
    left = touches.filter((nw.col("disposition") == CURRENT) & (nw.col("event_name") == "unsubscribed"))
    left = left.with_columns(expires_ts=null_of(nw.col("event_ts"))).select(
        *columns,
        proof=nw.concat_str([nw.lit("campaign_events:"), nw.col("event_id")]),
        purpose=_lit(PURPOSES.index(UNSUBSCRIBE_PURPOSE)),
        channel=channel,
        reason=_reason("withdrawn"),
    )
    return nw.concat([given, left])


def spoken(choices: Frame) -> Frame:
    """Choices, one row a slot that they speak for: (slot, reach, order, reason, proof, ...)."""
    rows = _by_slot(choices)
    is_block = nw.when(nw.col("reason") == _GRANTED).then(0).otherwise(1).cast(_INT)
    return rows.select(
        "slot",
        "reason",
        "proof",
        "expires_ts",
        "is_account_deleted",
        reach=nw.col("node") * len(CHANNELS) + nw.col("channel"),
        order=nw.col("event_ts") * 2 + is_block,
    )


def _by_slot(rows: Frame) -> Frame:
    """Rows with (purpose, channel), by number, as rows with a `slot`, one for each that they speak for."""
    for name, count in (("purpose", len(PURPOSES)), ("channel", len(CHANNELS))):
        every = rows.filter(nw.col(name) == _EVERY)
        copies = [every.with_columns(_lit(number).alias(name)) for number in range(count)]
        rows = nw.concat([rows.filter(nw.col(name) != _EVERY), *copies])
    return rows.with_columns(slot=nw.col("person") * _SLOTS + nw.col("purpose") * len(CHANNELS) + nw.col("channel"))


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
    return _lit(_REASONS.index(name))


def latest(spoken: Frame) -> Frame:
    """The choice that holds for each slot: the last by (event_ts, a block after a grant, event_id)."""
    return last_each(spoken, "slot", "order", "proof")


def unreadable(consents: Frame, touches: Frame) -> Frame:
    """Slots that an unusable row of a known person blocks: (slot, is_unreadable).

    A row refused only because its event_id stands twice with other content does not block the slot of the row that
    counts for that event_id: the most restrictive one counts there already.
    """
    bad = nw.col("disposition").is_in(ALL_QUARANTINED) & ~nw.col("person").is_null()
    rows = consents.filter(bad)
    rivals = rows.filter(nw.col("disposition") == CONFLICT).with_columns(channel=nw.col("channel").fill_null("any"))
    key = ["_entity", "_account", "purpose", "channel"]
    counted = consents.select("disposition", *key).join(rivals.select("_entity"), on="_entity", how="semi")
    counted = counted.filter(nw.col("disposition") == CURRENT).with_columns(channel=nw.col("channel").fill_null("any"))
    rivals = rivals.join(counted, on=key, how="anti")
    others = rows.filter(nw.col("disposition") != CONFLICT)
    left = nw.col("event_name").fill_null("unsubscribed") == "unsubscribed"  # unreadable: it may have been one
    lost = touches.filter(bad & left)
    purpose, channel = _number("purpose", PURPOSES), _number("channel", CHANNELS)
    marketing = _lit(PURPOSES.index(UNSUBSCRIBE_PURPOSE))
    parts = [part.select("person", purpose=purpose, channel=channel) for part in (rivals, others)]
    parts.append(lost.select("person", purpose=marketing, channel=channel))
    slots = _by_slot(nw.concat(parts)).select("slot")
    return slots.unique("slot").with_columns(is_unreadable=nw.lit(True))


def state(latest: Frame, unreadable: Frame, as_of: int) -> Frame:
    """Slots with a known state: (slot, proof, reason, reach); the reason is a number, -1 a grant that holds.

    `reach` is what only such a grant may use: an account on a channel, as in `_reaches`.
    """
    readable = latest.join(unreadable, on="slot", how="anti").with_columns(is_unreadable=nw.lit(False))
    blocked = unreadable.join(latest, on="slot", how="left").select(readable.collect_schema().names())
    rows = nw.concat([readable, blocked])
    ends = ~nw.col("expires_ts").is_null() & (nw.col("expires_ts") <= as_of)
    reason = (
        nw.when(nw.col("reason") > _GRANTED)
        .then(nw.col("reason"))
        .when(nw.col("is_unreadable"))
        .then(_reason("consent_unreadable"))
        .when(ends)
        .then(_reason("expired"))
        .when(nw.col("is_account_deleted").fill_null(False))
        .then(_reason("account_deleted"))
        .otherwise(_lit(_GRANTED))
    )
    rows = rows.with_columns(reason=reason)
    return rows.select("slot", "proof", "reason", reach=nw.when(nw.col("reason") == _GRANTED).then("reach"))


def slots() -> pa.Table:
    """What is asked of every person, one row a purpose and channel: (number, rank, purpose, channel).

    `number` counts as in `slot`; `rank`, from 0, is the order of the rows and that of (purpose, channel) as text.
    """
    pairs = [(purpose, channel) for purpose in PURPOSES for channel in CHANNELS]
    rows = [
        {"number": pairs.index(pair), "rank": rank, "purpose": pair[0], "channel": pair[1]}
        for rank, pair in enumerate(sorted(pairs))
    ]
    return pa.Table.from_pylist(rows)


def activation(live_people: Frame, slots: Frame, state: Frame, contacts: Frame, as_of: int) -> Parts:
    """One row a live person, purpose and channel: activation_candidates, with its `_place` in the order of the key."""
    known = with_columns_of(state, _reaches(contacts), "reach")
    unreached = (nw.col("reason") == _GRANTED) & nw.col("is_lacking").fill_null(True)
    reason = nw.when(unreached).then(_reason("no_identifier")).otherwise(nw.col("reason"))
    with_known = columns_of(known.select("slot", "proof", "identifier", reason=reason), "slot")
    return (_candidates(people, slots, with_known, as_of) for people in parts(live_people, _PEOPLE_AT_ONCE))


def _candidates(live_people: Frame, slots: Frame, with_known: Callable[[Frame], Frame], as_of: int) -> Frame:
    """What `activation` tells of some people."""
    rows = crossed(live_people, slots).select(
        "profile_id",
        "purpose",
        "channel",
        slot=nw.col("person") * _SLOTS + nw.col("number"),
        _place=nw.col("place") * _SLOTS + nw.col("rank"),
    )
    rows = with_known(rows)
    rows = rows.with_columns(reason=nw.col("reason").fill_null(_REASONS.index("no_consent")))
    rows = named(rows, "reason", _REASONS, "block_reason")
    return rows.select(
        "profile_id",
        "purpose",
        "channel",
        "block_reason",
        "identifier",
        "_place",
        eligible=nw.col("reason") == _GRANTED,
        consent_event_id="proof",
        evaluated_at=nw.lit(as_of).cast(_INT),
    ).select(*GOLD["activation_candidates"].column_names, "_place")


def contacts(accounts: Frame) -> Frame:
    """How an account is reached: (node, email, phone, record_id), so that what else is known of it can be freed."""
    return accounts.select("node", *CHANNEL_IDENTIFIER.values())


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
    granted = state.filter(nw.col("reason") == _GRANTED)
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
