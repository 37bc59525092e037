"""Evidence that is weighed instead of declared: a Splink model, trained on the accounts at hand, and its scores.

Training and scoring are apart, and a model is text (JSON), so that it can be kept, read and used again. Both run on
DuckDB on the driver, and scoring on Spark where that is the engine. Two runs give the same last digit: training runs on
one thread, and a score is a sum over its own pair.

A model is kept with every blocking rule it may use. Where it is used, rules that give too many pairs here are left out
and named; which those are depends on all accounts, so a slice takes the model as the full build used it.

Tables, Arrow:

- fields: (node, record_id, the columns that are compared), every account; none where only the declared rules decide
- model: (model), one row, JSON; none where there is no model
- scores: (left, right, is_link, millibits, probability, findings), left record_id the smaller; a pair at or above the
  review weight that no declared rule puts together
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from c360lib import rules
from c360lib.engines.base import Frame, frame_of
from c360lib.errors import ContractError
from c360lib.identity.model import on_spark, prepare, train
from c360lib.sources.match_keys import KEYS

_HELD = ["rule", "root", "node"]
MODES = ("deterministic", "probabilistic")
MODEL_SCHEMA = pa.schema([("model", pa.string())])
ASKED_SCHEMA = pa.schema([("asked", pa.string())])
_AGAIN = "train it again with `c360 train --force`"
SCORES_SCHEMA = pa.schema(
    [
        ("left", pa.int64()),
        ("right", pa.int64()),
        ("is_link", pa.bool_()),
        ("millibits", pa.int64()),
        ("probability", pa.float64()),
        ("findings", pa.string()),
    ]
)


def checked(text: str, path: Path) -> str:
    """The text of a saved model; ContractError where this version cannot use it."""
    try:
        made = json.loads(text)
        found = made.get("format"), made.get("rules_version")
    except (ValueError, AttributeError):
        raise ContractError(f"{path}: expected a model as JSON, got something else; {_AGAIN}") from None
    for what, got, expected in zip(("format", "rules"), found, (rules.MODEL_FORMAT, rules.RULES_VERSION), strict=True):
        if got != expected:
            raise ContractError(f"{path}: expected a model of {what} {expected}, got {got}; {_AGAIN}")
    return text.strip()


def fingerprint(wanted: str, engine: str) -> str:
    """What the model adds to a release id: nothing, or the model and what scores by it.

    The version of DuckDB counts: 2.0.0 compares spellings byte by byte, 2.0.1 letter by letter.
    """
    if not wanted:
        return ""
    by = f"splink {version('splink')} duckdb {version('duckdb')}{' spark' if engine == 'spark' else ''}"
    return f"{by} {hashlib.sha256(wanted.encode()).hexdigest()}"


def told(mode: str, file: Path) -> dict[str, Any]:
    """What a release says of how it matched: asked for, used, and what the model left out."""
    made = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    kept = {name: made[name] for name in ("format", "splink", "trained_on", "too_wide", "untrained") if name in made}
    if made:
        absent = [name for name in made["left_out"] if name not in made["not_learned"]]
        unknown = [f"{name} (not known to the model)" for name in made["not_learned"]]
        kept["left_out"] = sorted([*absent, *made["empty_here"], *unknown])
    return {"asked": mode, "used": MODES[1] if made else MODES[0], **kept}


def is_installed() -> bool:
    """Whether Splink and its DuckDB are at hand; where not, the declared rules stand alone."""
    return find_spec("splink") is not None and find_spec("duckdb") is not None


def asked(mode: str = "") -> pa.Table:
    """What a build asks of this module: "" nothing, "train" a model of its own, else the text of the model to use."""
    return pa.table({"asked": [mode] if mode else []}, schema=ASKED_SCHEMA)


def ready(text: str) -> pa.Table:
    """A model that is used as it stands: the layer `identity_model`, for who has it from a release; "" is none."""
    return pa.table({"model": [text] if text else []}, schema=MODEL_SCHEMA)


def fields(accounts: Frame, wanted: Frame) -> Frame:
    """What is compared of each account; no row where nothing is asked."""
    columns = ["node", "record_id", "date_of_birth", "city", "postcode", *KEYS]
    return accounts.select(columns).join(wanted.select("asked"), how="cross").select(columns)


# --- the model --------------------------------------------------------------------------------------------------------
def model(fields: pa.Table, wanted: pa.Table) -> pa.Table:
    """The model to score with: (model), the one that is asked for or one trained on the fields.

    It blocks by those of its rules that give a bounded number of pairs here, and names what that left out.
    """
    texts = wanted["asked"].to_pylist()
    if texts:
        with prepare.prepared(fields) as connection:
            made = train.train(connection) if texts[0] == "train" else json.loads(texts[0])
            texts = [train.as_text(fitted(connection, made))]
    return pa.table({"model": texts}, schema=MODEL_SCHEMA)


def fitted(connection: Any, made: dict[str, Any]) -> dict[str, Any]:
    """A model with the blocking rules that are narrow enough for these accounts, and what it cannot weigh here."""
    chosen, too_wide = prepare.bounded(connection, [tuple(columns) for columns in made["blocking"]])
    values = prepare.values_of(connection)
    blocking = [{"blocking_rule": train.equal(columns)} for columns in chosen]
    return {
        **made,
        "settings": {**made["settings"], "blocking_rules_to_generate_predictions": blocking},
        "too_wide": [" + ".join(columns) for columns in too_wide],
        "empty_here": [name for name, count in values.items() if not count and name not in made["left_out"]],
        "not_learned": [name for name in made["left_out"] if values[name] > 1],
    }


# --- scores -----------------------------------------------------------------------------------------------------------
def scores(
    fields: pa.Table,
    model: pa.Table,
    holders: pa.Table,
    link_from: int = rules.MODEL_LINK_WEIGHT_MILLIBITS,
    review_from: int = rules.MODEL_REVIEW_WEIGHT_MILLIBITS,
) -> pa.Table:
    """The pairs that the model puts in a band: link or review; those that share a declared key are decided already.

    The bands begin at those weights, in thousandths of a bit. A weight is a sum over its own pair in a fixed order, so
    threads change nothing but the time.
    """
    settings = _settings(model["model"].to_pylist())
    if settings is None or len(fields) < 2:
        return SCORES_SCHEMA.empty_table()
    with prepare.prepared(fields) as connection:
        return _weighed(connection, "prepared", settings, holders, link_from, review_from)


def scores_of(fields: pa.Table, nodes: Sequence[int], model: pa.Table) -> pa.Table:
    """The pairs of these accounts that the model puts in a band, those that share a declared key too."""
    settings = _settings(model["model"].to_pylist())
    if settings is None or not nodes:
        return SCORES_SCHEMA.empty_table()
    blocking = [rule["blocking_rule"] for rule in settings["blocking_rules_to_generate_predictions"]]
    with prepare.prepared(fields) as connection:
        connection.register("asked", pa.table({"node": pa.array(nodes, pa.int64())}))
        connection.execute("create table ours as from prepared semi join asked using (node)")
        near = " union ".join(f"select l.* from prepared l join ours r on {rule}" for rule in blocking)
        connection.execute(f"create table near as {near}")
        nobody = pa.table({name: pa.array([], pa.int64()) for name in _HELD})
        bands = rules.MODEL_LINK_WEIGHT_MILLIBITS, rules.MODEL_REVIEW_WEIGHT_MILLIBITS
        found = _weighed(connection, "near", settings, nobody, *bands)
    ours = pa.array(nodes, pa.int64())
    return found.filter(pc.or_(pc.is_in(found["left"], ours), pc.is_in(found["right"], ours)))


def _weighed(
    connection: Any, table: str, settings: dict[str, Any], holders: pa.Table, link_from: int, review_from: int
) -> pa.Table:
    """The pairs of a prepared table that are in a band, without those that share a key of the holders."""
    predicted = train.duckdb_linker(connection, table, settings).inference.predict(
        threshold_match_weight=review_from / 1000
    )
    connection.register("holders", holders.select(_HELD))
    connection.sql(f"from {predicted.physical_name}").create_view("predicted")
    return connection.sql(_scored(settings, link_from)).to_arrow_table().cast(SCORES_SCHEMA)


def scores_on_spark(fields: Frame, model: Frame, holders: Frame) -> Frame:
    """`scores` in Spark: weights and pairs as elsewhere, but for rare levels of spelling (see on_spark)."""
    session = fields.to_native().sparkSession
    settings = _settings([row["model"] for row in model.to_native().collect()])
    if settings is None:
        return frame_of(session.createDataFrame(SCORES_SCHEMA.empty_table()))
    least = rules.MODEL_REVIEW_WEIGHT_MILLIBITS / 1000
    on_spark.predicted(fields.to_native(), settings, least).createOrReplaceTempView("predicted")
    holders.to_native().createOrReplaceTempView("holders")
    return frame_of(session.sql(on_spark.in_spark(_scored(settings, rules.MODEL_LINK_WEIGHT_MILLIBITS))))


def _settings(texts: list[str]) -> dict[str, Any] | None:
    """The Splink settings of the model; None where nothing can be scored."""
    settings: dict[str, Any] = json.loads(texts[0])["settings"] if texts else {}
    has_both = settings.get("comparisons") and settings["blocking_rules_to_generate_predictions"]
    return settings if has_both else None


def _is_link(settings: dict[str, Any], link_from: int) -> str:
    """SQL: the pair's weight is enough and, where accounts carry contacts, nothing personal speaks against it."""
    names = {c["output_column_name"] for c in settings["comparisons"]}
    contacts = {c.name for c in rules.COMPARISONS if set(c.needs) & set(rules.CONTACTS)}
    least = rules.CONTRADICTION_BELOW_MILLIBITS / 1000
    against = [f"mw_{n} >= {least}" for n in rules.PERSONAL_COMPARISONS if n in names and names & contacts]
    return " and ".join([f"round(match_weight * 1000) >= {link_from}", *against])


def _scored(settings: dict[str, Any], link_from: int) -> str:
    """SQL: predicted pairs without those that share a key, with what each comparison found."""
    names = [c["output_column_name"] for c in settings["comparisons"]]
    parts = [f"if(mw_{n} = 0, '', printf(' {n} %+.1f', mw_{n}))" for n in names]
    findings = f"trim({' || '.join(parts)})"
    return f"""
        with decided as (
            select distinct a.node as one, b.node as other from holders a join holders b using (rule, root)
        )
        select node_l as "left", node_r as "right", {_is_link(settings, link_from)} as is_link,
            round(match_weight * 1000)::bigint as millibits, round(match_probability, 6) as probability,
            {findings} as findings
        from predicted
        where not exists (from decided where one = node_l and other = node_r)
        order by place_l, place_r
    """
