"""Erasing an account takes no refusal back: what its larger person refused binds the accounts that remain.

A larger person (see identity.erased) is all that evidence ties together with an erased account. Each of its refusals,
those of the erased account too, counts for each account that remains, until that account grants later. Nor does an
older grant step in where the person's latest choice is one that opened nothing: it had ended, or reached nobody.
"""

from __future__ import annotations

import narwhals as nw

from c360lib.engines.base import Frame
from c360lib.engines.kernels import rows_of
from c360lib.layers import consent
from c360lib.layers.dispositions import marked
from c360lib.layers.people import in_directory
from c360lib.schemas import RAW


def directory(erased_states: Frame, doubts: Frame) -> Frame:
    """The entries of erased accounts, as `people.directory` has them of others: each a person by itself."""
    return in_directory(erased_states.with_columns(person=nw.col("node")), doubts)


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
    """Slots of larger persons that their latest choice leaves shut: (person, purpose, channel, status, at)."""
    spoken = consent.spoken(choices)
    state = consent.state(consent.latest(spoken), spoken, as_of)
    known = consent.reached(state, nw.concat([contacts, erased_contacts]))
    return known.filter(nw.col("status") != consent.GRANTED).select("person", "purpose", "channel", "status", "at")


def carried(larger: Frame, choices: Frame, identified: Frame) -> Frame:
    """Refusals that each account which remains takes over from its larger person, as `consent.choices`."""
    refusals = choices.filter(nw.col("status") != consent.GRANTED).drop("node")
    return _of_each(refusals, larger, identified).select(consent.CHOICE)


def held(larger: Frame, shut: Frame, identified: Frame) -> Frame:
    """Slots that were shut in a larger person, of the persons that its accounts are now, as `consent.held` has them."""
    return consent.held(_of_each(shut, larger, identified))


def _of_each(rows: Frame, larger: Frame, identified: Frame) -> Frame:
    """Rows of larger persons for each account that remains of them, with its `node` and its `person`."""
    remain = larger.filter(~nw.col("is_erased")).select("node", "larger")
    remain = remain.join(identified.select("node", "person"), on="node", how="inner")
    return rows.rename({"person": "larger"}).join(remain, on="larger", how="inner")
