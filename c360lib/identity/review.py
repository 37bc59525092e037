"""The review queue: pairs that a data steward should look at, both accounts side by side.

- pairs: (rule, reason, left, right, millibits, probability, findings), left record_id the smaller; one row per rule
- records: the accounts of these pairs as they are shown and compared, with the person they belong to now
"""

from __future__ import annotations

from typing import Any

import narwhals as nw
import pyarrow as pa

from c360lib.engines.base import Frame
from c360lib.identity import review_words
from c360lib.identity.clusters import MODEL, STEWARD
from c360lib.identity.deterministic import ends
from c360lib.identity.evidence import CERTAIN, NAMES, WEIGHTS
from c360lib.rules import DECLARED_PRIORITY_MILLIBITS
from c360lib.schemas import REVIEWED, SILVER
from c360lib.sources.match_keys import KEYS
from c360lib.sources.typed import ARROW


def pairs(refused: Frame, scores: Frame, clusters: Frame, decided: Frame) -> Frame:
    """Refused edges and pairs in the review band, between two persons between whom no steward has decided.

    A steward's own must_link that another decision overrules stays: it is a contradiction to be settled.
    """
    columns = ["rule", "reason", "left", "right", "millibits", "probability", "findings"]
    weighed = scores.with_columns(rule=nw.lit(MODEL).cast(nw.Int64()))
    weights = weighed.select("rule", "left", "right", "millibits", "probability", "findings")
    no = refused.select("rule", "reason", "left", "right").join(weights, on=["rule", "left", "right"], how="left")
    unsure = weighed.filter(~nw.col("is_link")).with_columns(reason=nw.lit("unsure"))
    rows = _with_persons(nw.concat([no.select(columns), unsure.select(columns)]), clusters)
    rows = rows.filter(nw.col("_one") != nw.col("_other"))
    answered = _with_persons(decided.select("left", "right"), clusters).unique(["_one", "_other"])
    asked = rows.filter(nw.col("rule") != STEWARD).join(answered, on=["_one", "_other"], how="anti")
    return nw.concat([asked.select(columns), rows.filter(nw.col("rule") == STEWARD).select(columns)])


def _with_persons(rows: Frame, clusters: Frame) -> Frame:
    """Pairs of nodes with the persons they belong to, `_one` the smaller."""
    for end in ("left", "right"):
        person = clusters.select(nw.col("node").alias(end), nw.col("person").alias(f"_{end}"))
        rows = rows.join(person, on=end, how="left")
    ends = [nw.coalesce(nw.col(f"_{end}"), nw.col(end)) for end in ("left", "right")]
    return rows.with_columns(_one=nw.min_horizontal(*ends), _other=nw.max_horizontal(*ends)).drop("_left", "_right")


def keys(account_states: Frame, refused: Frame, scores: Frame) -> Frame:
    """The match keys of accounts that a steward may be asked about: (node, first_name_key, ...)."""
    return account_states.select("node", *KEYS).join(ends(refused, scores), on="node", how="semi")


def records(pairs: Frame, keys: Frame, identified: Frame, people: Frame, value: Frame) -> Frame:
    """One row per account of a pair: `node`, what is shown and compared of it, and its person's id and value."""
    shown = ["node", "person", "record_id", "is_deleted", *(column.name for column in REVIEWED)]
    rows = identified.select(*shown).join(ends(pairs), on="node", how="semi")
    rows = rows.join(keys, on="node", how="inner")
    rows = rows.join(people.select("person", "profile_id"), on="person", how="inner")
    rows = rows.join(value.select("person", value_cents="lifetime_value_cents"), on="person", how="left")
    return rows.with_columns(nw.col("value_cents").fill_null(0))


def queue(pairs: pa.Table, records: pa.Table) -> pa.Table:
    """One row per pair: identity_review_queue; of several rules that are refused the strongest speaks."""
    accounts = {row["node"]: row for row in records.to_pylist()}
    strongest: dict[tuple[int, int], dict[str, Any]] = {}
    for pair in sorted(pairs.to_pylist(), key=lambda pair: pair["rule"]):
        strongest.setdefault((pair["left"], pair["right"]), pair)
    rows = [_row(pair, accounts[pair["left"]], accounts[pair["right"]]) for pair in strongest.values()]
    columns = SILVER["identity_review_queue"].columns
    schema = pa.schema([(column.name, ARROW[column.kind]) for column in columns])
    return pa.Table.from_pylist(rows, schema=schema)


def _row(pair: dict[str, Any], left: dict[str, Any], right: dict[str, Any]) -> dict[str, Any]:
    rule, weight = pair["rule"], pair["millibits"]
    row = {
        "priority": weight if rule == MODEL else DECLARED_PRIORITY_MILLIBITS + WEIGHTS[rule],
        "match_rule": NAMES[rule],
        "reason": pair["reason"],
        "match_probability": CERTAIN if pair["probability"] is None else pair["probability"],
        "question": review_words.question(rule, pair["reason"], weight, pair["findings"]),
        "evidence": review_words.evidence(left, right, pair["findings"]),
        "merged_value_cents": left["value_cents"] + right["value_cents"],
    }
    for side, account in (("left", left), ("right", right)):
        told = ("record_id", "profile_id", "value_cents", "is_deleted", *(column.name for column in REVIEWED))
        row |= {f"{side}_{name}": account[name] for name in told}
    return row
