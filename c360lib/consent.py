"""Consent history to consent state at a moment, and to who may be reached how.

Everything is decided per person, purpose and channel (a *slot*), by when the choice was made, never by when it was
loaded. What cannot be read, is not known or comes from a deleted account blocks.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import narwhals as nw

from c360lib.engine import Frame, null_of, one_each, with_most
from c360lib.rules import CHANNEL_IDENTIFIER, CHANNELS, PURPOSES, UNSUBSCRIBE_PURPOSE
from c360lib.schemas import GOLD

_TEXT, _INT = nw.String(), nw.Int64()
_SLOTS = len(PURPOSES) * len(CHANNELS)
_EVERY = -1


def choices(consents: Frame, touches: Frame) -> Frame:
    """Current choices, one row a slot they speak for: (slot, node, order, is_block, ...).

    An `unsubscribed` touch is a withdrawal of marketing on its channel, with the proof campaign_events:event_id.
    """
    columns = ["person", "node", "is_account_deleted", "purpose", "channel", "status", "event_ts", "expires_ts"]
    given = consents.filter(nw.col("disposition") == "current").select(*columns, proof="event_id")
    left = touches.filter((nw.col("disposition") == "current") & (nw.col("event_name") == "unsubscribed"))
    left = left.with_columns(
        purpose=nw.lit(UNSUBSCRIBE_PURPOSE), status=nw.lit("withdrawn"), expires_ts=null_of(nw.col("event_ts"))
    ).select(*columns, proof=nw.concat_str([nw.lit("campaign_events:"), nw.col("event_id")]))
    block = nw.when(nw.col("status") == "granted").then(0).otherwise(1).cast(_INT)
    spoken = _by_slot(nw.concat([given, left]))
    return spoken.with_columns(is_block=block, order=nw.col("event_ts") * 2 + block)


def _by_slot(rows: Frame) -> Frame:
    """Rows with (purpose, channel) as rows with a `slot`; no purpose means every purpose, no channel every channel."""
    rows = rows.with_columns(_purpose=_number("purpose", PURPOSES), _channel=_number("channel", CHANNELS))
    rows = rows.drop("purpose", "channel")
    for name, count in (("_purpose", len(PURPOSES)), ("_channel", len(CHANNELS))):
        every = rows.filter(nw.col(name) == _EVERY)
        copies = [every.with_columns(nw.lit(number).cast(_INT).alias(name)) for number in range(count)]
        rows = nw.concat([rows.filter(nw.col(name) != _EVERY), *copies])
    slot = nw.col("person") * _SLOTS + nw.col("_purpose") * len(CHANNELS) + nw.col("_channel")
    return rows.with_columns(slot=slot).drop("_purpose", "_channel")


def _number(column: str, names: Sequence[str]) -> nw.Expr:
    """The place of a name among `names`; anything else means every one of them."""
    place: Any = nw
    for number, name in enumerate(names):
        place = place.when(nw.col(column) == name).then(nw.lit(number))
    found: nw.Expr = place.otherwise(nw.lit(_EVERY)).cast(_INT)
    return found


def latest(choices: Frame) -> Frame:
    """The choice that holds for each slot: the last by (event_ts, a block after a grant, event_id)."""
    last = with_most(choices, "order", "slot").filter(nw.col("order") == nw.col("_most"))
    return one_each(last.drop("_most"), "slot", "proof", keep="last")


def unreadable(consents: Frame, touches: Frame) -> Frame:
    """Slots that an unusable row of a known person blocks: (slot, is_unreadable).

    A row refused only because its event_id stands twice with other content does not block the slot of the row that
    counts for that event_id: the most restrictive one counts there already.
    """
    bad = nw.col("disposition") == "quarantined"
    counted = (
        consents.filter(nw.col("disposition") == "current")
        .select("_entity", "_account", "purpose", "channel")
        .with_columns(_counts=nw.lit(True))
    )
    rows = consents.filter(bad & ~nw.col("person").is_null())
    rivals = rows.filter(nw.col("rule") == "one_content_per_key").with_columns(
        channel=nw.col("channel").fill_null("any")
    )
    counted = counted.with_columns(channel=nw.col("channel").fill_null("any"))
    rivals = rivals.join(counted, on=["_entity", "_account", "purpose", "channel"], how="anti")
    others = rows.filter(nw.col("rule") != "one_content_per_key")
    left = nw.col("event_name").fill_null("unsubscribed") == "unsubscribed"  # unreadable: it may have been one
    lost = touches.filter(bad & ~nw.col("person").is_null() & left)
    lost = lost.with_columns(purpose=nw.lit(UNSUBSCRIBE_PURPOSE))
    columns = ["person", "purpose", "channel"]
    slots = _by_slot(nw.concat([rivals.select(columns), others.select(columns), lost.select(columns)])).select("slot")
    return slots.unique("slot").with_columns(is_unreadable=nw.lit(True))


def state(latest: Frame, unreadable: Frame, as_of: int) -> Frame:
    """Slots with a known state: (slot, node, proof, block_reason); a null reason is a grant that holds."""
    readable = latest.join(unreadable, on="slot", how="anti").with_columns(is_unreadable=nw.lit(False))
    blocked = unreadable.join(latest, on="slot", how="left").select(readable.collect_schema().names())
    rows = nw.concat([readable, blocked])
    ends = ~nw.col("expires_ts").is_null() & (nw.col("expires_ts") <= as_of)
    reason = (
        nw.when(nw.col("is_block") == 1)
        .then(nw.col("status"))
        .when(nw.col("is_unreadable"))
        .then(nw.lit("consent_unreadable"))
        .when(ends)
        .then(nw.lit("expired"))
        .when(nw.col("is_account_deleted").fill_null(False))
        .then(nw.lit("account_deleted"))
        .otherwise(nw.lit(None, _TEXT))
    )
    return rows.select("slot", "node", "proof", block_reason=reason)


def activation(live_people: Frame, state: Frame, accounts: Frame, as_of: int) -> Frame:
    """One row a live person, purpose and channel: activation_candidates, with its `_place` in the order of the key."""
    pairs = [(purpose, channel) for purpose in PURPOSES for channel in CHANNELS]
    slots = [
        live_people.select(
            "profile_id",
            purpose=nw.lit(purpose),
            channel=nw.lit(channel),
            slot=nw.col("person") * _SLOTS + number,
            _place=nw.col("place") * _SLOTS + sorted(pairs).index((purpose, channel)),
        )
        for number, (purpose, channel) in enumerate(pairs)
    ]
    known = state.join(accounts.select("node", "record_id", "email", "phone"), on="node", how="left")
    rows = nw.concat(slots).join(known, on="slot", how="left")
    address: Any = nw
    for channel, column in CHANNEL_IDENTIFIER.items():
        address = address.when(nw.col("channel") == channel).then(nw.col(column))
    rows = rows.with_columns(address=address)
    granted = nw.col("block_reason").is_null()
    reason = (
        nw.when(granted & nw.col("proof").is_null())
        .then(nw.lit("no_consent"))
        .when(granted & nw.col("address").is_null())
        .then(nw.lit("no_identifier"))
        .otherwise(nw.col("block_reason"))
    )
    rows = rows.with_columns(block_reason=reason)
    return rows.select(
        "profile_id",
        "purpose",
        "channel",
        "block_reason",
        "_place",
        eligible=granted,
        consent_event_id="proof",
        evaluated_at=nw.lit(as_of).cast(_INT),
        identifier=nw.when(granted).then(nw.col("address")),
    ).select(*GOLD["activation_candidates"].column_names, "_place")


def summary(people: Frame, state: Frame) -> Frame:
    """One row a live person: (person, consent_<purpose> ...), true only where every channel holds a grant."""
    granted = state.filter(nw.col("block_reason").is_null() & ~nw.col("proof").is_null())
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
