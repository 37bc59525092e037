"""What the identity decisions rest on, as tables that a steward or an auditor can read."""

from __future__ import annotations

import narwhals as nw

from c360lib.engines.base import Frame
from c360lib.engines.kernels import with_columns_of
from c360lib.identity.clusters import MODEL, STEWARD
from c360lib.rules import MATCH_RULES, MODEL_RULE, RULES_VERSION, STEWARD_RULE, STEWARD_WEIGHT
from c360lib.schemas import SILVER

_INT, _TEXT, _RATIO = nw.Int64(), nw.String(), nw.Float64()
CERTAIN = 1.0


def _rule_text(values: dict[int, str]) -> nw.Expr:
    return nw.col("rule").replace_strict(values, default=nw.lit(None, _TEXT), return_dtype=_TEXT)


NAMES = {STEWARD: STEWARD_RULE, MODEL: MODEL_RULE, **{n: rule.name for n, rule in enumerate(MATCH_RULES)}}
_EVIDENCE = {STEWARD: "decided by a steward", **{n: " + ".join(rule.columns) for n, rule in enumerate(MATCH_RULES)}}
WEIGHTS = {STEWARD: STEWARD_WEIGHT, **{n: rule.weight for n, rule in enumerate(MATCH_RULES)}}


def customer_identity(identified: Frame, people: Frame) -> Frame:
    """One row per account: customer_identity. A deterministic match is taken for certain."""
    rows = with_columns_of(identified, people.select("person", "profile_id"), on="person")
    linked = ~nw.col("rule").is_null()
    rows = rows.with_columns(
        match_rule=_rule_text(NAMES),
        source_event_ts=nw.col("event_ts"),
        match_probability=nw.when(linked & (nw.col("rule") == MODEL))
        .then(nw.col("probability"))
        .otherwise(nw.when(linked).then(nw.lit(CERTAIN)).otherwise(nw.lit(None, _RATIO))),
    )
    return rows.select(SILVER["customer_identity"].column_names)


def edges(holders: Frame, accounts: Frame, pairs: Frame, scores: Frame, refused: Frame, bridge_pairs: Frame) -> Frame:
    """Every pair within every usable key, every must_link and every link of the model: identity_edges."""
    both = holders.join(holders.rename({"node": "other"}), on=["rule", "root"], how="inner")
    both = both.filter(nw.col("node") < nw.col("other")).select("rule", "node", "other")
    must = pairs.filter(nw.col("is_link")).select(rule=nw.lit(STEWARD).cast(_INT), node="left", other="right")
    weighed = _weighed(scores.filter(nw.col("is_link")))
    named = _in_order(_with_record_ids(nw.concat([both, must, weighed.select("rule", "node", "other")]), accounts))
    no = refused.select("rule", node="left", other="right").with_columns(_refused=nw.lit(True))
    rows = named.join(no, on=["rule", "node", "other"], how="left")
    rows = rows.join(weighed, on=["rule", "node", "other"], how="left")
    alone = bridge_pairs.with_columns(_bridge=nw.lit(True))
    rows = rows.join(alone, on=["node", "other"], how="left")
    weight = nw.col("rule").replace_strict(WEIGHTS, default=0, return_dtype=_INT)
    return rows.select(
        "left_record_id",
        "right_record_id",
        match_rule=_rule_text(NAMES),
        rule_version=nw.lit(RULES_VERSION),
        weight=weight,
        match_probability=nw.coalesce(nw.col("probability"), nw.lit(CERTAIN)),
        evidence=nw.coalesce(nw.col("findings"), _rule_text(_EVIDENCE)),
        outcome=nw.when(nw.col("_refused").is_null()).then(nw.lit("accepted")).otherwise(nw.lit("refused")),
        is_bridge=nw.col("_refused").is_null() & nw.col("_bridge").fill_null(False),
    )


def _with_record_ids(rows: Frame, accounts: Frame) -> Frame:
    ids = accounts.select("node", "record_id")
    rows = rows.join(ids.rename({"record_id": "left_record_id"}), on="node", how="inner")
    return rows.join(ids.rename({"node": "other", "record_id": "right_record_id"}), on="other", how="inner")


def _in_order(rows: Frame) -> Frame:
    """Pairs with the smaller record_id on the left. A filter would do, but DuckDB joins all accounts by it first."""
    ahead = nw.col("left_record_id") < nw.col("right_record_id")
    swaps = {"node": "other", "left_record_id": "right_record_id"}
    swaps |= {other: one for one, other in swaps.items()}
    return rows.with_columns(nw.when(ahead).then(nw.col(a)).otherwise(nw.col(b)).alias(a) for a, b in swaps.items())


def _weighed(scores: Frame) -> Frame:
    """Scored pairs as edges: (rule, node, other, probability, findings)."""
    model = nw.lit(MODEL).cast(_INT)
    return scores.select(model.alias("rule"), "probability", "findings", node="left", other="right")
