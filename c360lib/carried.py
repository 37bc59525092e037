"""Erasing an account takes no refusal back: what its larger person refused binds the accounts that remain.

A larger person (see identity.erased) is all that evidence ties together with an erased account. Each of its refusals,
those of the erased account too, counts for each account that remains, until that account grants later. So does a slot
that its latest choice leaves shut though it is a grant: one that has ended, or that nobody can be reached by.
"""

from __future__ import annotations

import narwhals as nw

from c360lib import consent
from c360lib.engine import Frame
from c360lib.frames import null_of, rows_of, with_columns_of
from c360lib.rules import CHANNELS
from c360lib.schemas import RAW
from c360lib.silver import marked


def directory(erased_states: Frame, doubts: Frame) -> Frame:
    """What a row may learn from the erased account it names, as `silver.directory`: a person alone, as if not erased."""
    rows = with_columns_of(erased_states.select("_account", "node", "is_deleted"), doubts.select("node", "is_gone"), "node")
    deleted = nw.col("is_deleted") | nw.col("is_gone").fill_null(False)
    return rows.select("_account", "node", person="node", is_account_deleted=deleted, is_erased=nw.lit(False))


def said(consents: Frame, touches: Frame, directory: Frame, as_of: int) -> Frame:
    """What erased accounts said, as `consent.choices`."""
    rows = [rows_of(frame, directory, "_account") for frame in (consents, touches)]
    names = ("consent_events", "campaign_events")
    return consent.choices(*(marked(f, directory, RAW[n], as_of) for f, n in zip(rows, names, strict=True)))


def of_larger(larger: Frame, choices: Frame, erased_choices: Frame) -> Frame:
    """What the accounts of larger persons said, the larger person as `person`; what an erased one said has no proof."""
    unproven = erased_choices.with_columns(proof=nw.lit(""))
    rows = nw.concat([choices, unproven]).drop("person")
    return rows.join(larger.select("node", person="larger"), on="node", how="inner").select(consent.CHOICE)


def shut(choices: Frame, contacts: Frame, erased_contacts: Frame, as_of: int) -> Frame:
    """Slots of larger persons that their latest choice leaves shut, as `consent.choices`."""
    spoken = consent.spoken(choices)
    latest = consent.latest(spoken)
    state = consent.state(latest, consent.overtaken(latest, spoken), consent.unreadable(spoken), as_of)
    known = consent.reached(state, nw.concat([contacts, erased_contacts]))
    rows = consent.of_slots(known.filter(nw.col("reason") > consent.GRANTED))
    nothing = null_of(nw.col("at"))
    return rows.with_columns(
        node=nw.col("person"),
        is_account_deleted=nw.lit(False),
        arrived=nw.col("at"),
        late_at=nothing,
        expires_ts=nothing,
        proof=nw.col("proof").fill_null(""),
    ).select(consent.CHOICE)


def carried(larger: Frame, choices: Frame, shut: Frame, identified: Frame) -> Frame:
    """What each account that remains takes over from its larger person, as `consent.choices`."""
    remain = larger.filter(~nw.col("is_erased")).select("node", "larger")
    remain = remain.join(identified.select("node", "person"), on="node", how="inner")
    refusals = nw.concat([choices.filter(nw.col("reason") > consent.GRANTED), shut])
    refusals = refusals.drop("node").rename({"person": "larger"})
    return refusals.join(remain, on="larger", how="inner").select(consent.CHOICE)
