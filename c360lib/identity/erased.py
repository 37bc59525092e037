"""Who is who once more, with the accounts that are erased: what an erased account held together is one larger person.

Erasing an account takes no refusal back. Where it was the only tie between two accounts, each is a person of its own
now, and what the one refused still binds the other (see `carried`). Evidence between accounts that remain is taken as
it is; only what touches an erased account is looked for here, so without one there is nothing to do.
"""

from __future__ import annotations

from collections.abc import Sequence

import narwhals as nw
import pyarrow as pa
import pyarrow.compute as pc

from c360lib.engines.base import Frame
from c360lib.identity import clusters, deterministic
from c360lib.identity.model import score
from c360lib.rules import MATCH_RULES

_ACCOUNT = ("node", "record_id", "date_of_birth", "first_event_ts")
_COLUMNS = tuple(dict.fromkeys((*_ACCOUNT, *(name for rule in MATCH_RULES for name in rule.columns))))


def near(account_states: Frame, erased_states: Frame, pairs: Frame, scores: Frame) -> Frame:
    """Erased accounts, and those that share a key, a decision or a score with one: what rules and constraints need."""
    ours = erased_states.select(_COLUMNS)
    touched = [ours.select("node"), deterministic.ends(pairs, scores)]
    for rule in MATCH_RULES:
        names = list(rule.columns)
        keys = ours.filter(*(~nw.col(name).is_null() for name in names)).select(names).unique(names)
        touched.append(account_states.join(keys, on=names, how="semi").select("node"))
    everybody = nw.concat([account_states.select(_COLUMNS), ours])
    return everybody.join(nw.concat(touched).unique("node"), on="node", how="semi")


def holders(near: Frame, blocked: Frame) -> Frame:
    """Who of them holds which usable key, as `deterministic.key_holders`."""
    return deterministic.key_holders(deterministic.shared_keys(near), near, blocked)


def pairs(decisions: Frame, accounts: Frame, erased_states: Frame, as_of: int) -> Frame:
    """Steward decisions that name an erased account, as `deterministic.steward_pairs`."""
    names = ["record_id", "node"]
    everybody = nw.concat([accounts.select(names), erased_states.select(names)])
    return _with_one_of(deterministic.steward_pairs(decisions, everybody, as_of), erased_states)


def _with_one_of(pairs: Frame, erased_states: Frame) -> Frame:
    """The pairs that an erased account is an end of."""
    ours = erased_states.select("node", is_erased=nw.lit(True))
    for end in ("left", "right"):
        pairs = pairs.join(ours.rename({"node": end, "is_erased": f"_{end}"}), on=end, how="left")
    either = nw.col("_left").fill_null(False) | nw.col("_right").fill_null(False)
    return pairs.filter(either).drop("_left", "_right")


def fields(match_fields: Frame, erased_states: Frame, wanted: Frame) -> Frame:
    """What the model compares of each account, erased ones too; no row where none is erased."""
    ours = score.fields(erased_states, wanted)
    some = ours.select(_some="node").head(1)
    return nw.concat([match_fields, ours]).join(some, how="cross").drop("_some")


def scores(fields: pa.Table, erased_states: pa.Table, model: pa.Table) -> pa.Table:
    """Pairs of an erased account that the model puts in a band, as `score.scores`."""
    return score.scores_of(fields, erased_states["node"].to_pylist(), model)


def larger(
    near: pa.Table,
    erased_states: pa.Table,
    near_holders: pa.Table,
    holders: pa.Table,
    linked: pa.Table,
    pairs: pa.Table,
    erased_pairs: pa.Table,
    scores: pa.Table,
    erased_scores: pa.Table,
) -> pa.Table:
    """Accounts of persons with an erased account: (node, larger, is_erased), `larger` the same for all of one person.

    Each kind of evidence is that of accounts that remain and that of an erased one.
    """
    ours = erased_states["node"]
    if not len(ours):
        return LARGER_SCHEMA.empty_table()
    holders = _together([holders, near_holders])
    unknown = pc.invert(pc.is_in(near["node"], linked["node"]))
    linked = _together([linked.select(_ACCOUNT), near.filter(unknown).select(_ACCOUNT)])
    pairs, scored = _together([pairs, erased_pairs]), _together([scores, erased_scores])
    refused = clusters.refused_edges(holders, linked, pairs, scored)
    accepted = clusters.accepted(holders, linked, pairs, scored, refused)
    persons = clusters.clusters(accepted, linked, scored).select(["node", "person"])
    torn = persons.filter(pc.is_in(persons["node"], ours))["person"]
    persons = persons.filter(pc.is_in(persons["person"], torn)).rename_columns(["node", "larger"])
    return persons.append_column("is_erased", pc.is_in(persons["node"], ours)).cast(LARGER_SCHEMA)


def _together(tables: Sequence[pa.Table]) -> pa.Table:
    return pa.concat_tables(tables, promote_options="permissive")


LARGER_SCHEMA = pa.schema([("node", pa.int64()), ("larger", pa.int64()), ("is_erased", pa.bool_())])
