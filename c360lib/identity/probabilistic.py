"""Evidence that is weighed instead of declared: a Splink model, trained on the accounts at hand, and its scores.

Training and scoring are apart, and a model is text (JSON), so that it can be kept, read and used again. Both run on
DuckDB on the driver, on one thread and in the order of record_id, so that two runs give the same last digit.

Tables, Arrow:

- fields: (node, record_id, the columns that are compared), every account; none where only the declared rules decide
- model: (model), one row, JSON; none where there is no model
- scores: (left, right, is_link, millibits, probability, findings), left record_id the smaller; a pair at or above the
  review weight that no declared rule puts together
"""

from __future__ import annotations

import hashlib
import importlib
import json
import logging
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pyarrow as pa

from c360lib import rules
from c360lib.engine import Frame
from c360lib.errors import ContractError

MODES = ("deterministic", "probabilistic")
FIELDS = ("first_name_key", "last_name_key", "email_key", "phone_key", "loyalty_key", "street_key")
MODEL_SCHEMA = pa.schema([("model", pa.string())])
ASKED_SCHEMA = pa.schema([("asked", pa.string())])
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
_PREPARED = f"""
    select node, record_id, {", ".join(FIELDS)},
        strftime(date '1970-01-01' + date_of_birth::integer, '%Y%m%d') as birth_text,
        strftime(date '1970-01-01' + date_of_birth::integer, '%Y') as birth_year_text,
        lower(trim(city)) as city_key, lower(replace(postcode, ' ', '')) as postcode_key,
        strip_accents(first_name_key) as first_plain, strip_accents(last_name_key) as last_plain,
        least(first_name_key, last_name_key) || ' ' || greatest(first_name_key, last_name_key) as names_in_order,
        left(first_name_key, 1) as first_name_start, left(last_name_key, 1) as last_name_start
    from fields order by record_id
"""


def checked(text: str, path: Path) -> str:
    """The text of a saved model; ContractError where this version cannot use it."""
    try:
        found = json.loads(text).get("format")
    except (ValueError, AttributeError):
        found = "no JSON object"
    if found != rules.MODEL_FORMAT:
        raise ContractError(f"{path}: expected a model of format {rules.MODEL_FORMAT}, got {found}; train it again")
    return text.strip()


def fingerprint(wanted: str) -> str:
    """What the model adds to a release id: nothing, or the model and the Splink that scores by it."""
    return f"{version('splink')} {hashlib.sha256(wanted.encode()).hexdigest()}" if wanted else ""


def told(mode: str, file: Path) -> dict[str, Any]:
    """What a release says of how it matched: asked for, used, and what the model left out."""
    made = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    kept = {name: made[name] for name in ("format", "splink", "left_out", "too_wide") if name in made}
    return {"asked": mode, "used": MODES[1] if made else MODES[0], **kept}


def is_installed() -> bool:
    """Whether Splink and its DuckDB are at hand; where not, the declared rules stand alone."""
    return find_spec("splink") is not None and find_spec("duckdb") is not None


def asked(mode: str = "") -> pa.Table:
    """What a build asks of this module: "" nothing, "train" a model of its own, else the text of the model to use."""
    return pa.table({"asked": [mode] if mode else []}, schema=ASKED_SCHEMA)


def fields(accounts: Frame, wanted: Frame) -> Frame:
    """What is compared of each account; no row where nothing is asked."""
    columns = ["node", "record_id", "date_of_birth", "city", "postcode", *FIELDS]
    return accounts.select(columns).join(wanted.select("asked"), how="cross").select(columns)


# --- the model --------------------------------------------------------------------------------------------------------
def model(fields: pa.Table, wanted: pa.Table) -> pa.Table:
    """The model to score with: (model), the one that is asked for or one trained on the fields."""
    texts = wanted["asked"].to_pylist()
    if texts and texts[0] == "train":
        texts = [train(fields)]
    return pa.table({"model": texts}, schema=MODEL_SCHEMA)


def train(fields: pa.Table) -> str:
    """A model as JSON: u from pairs of accounts at random, m by expectation maximisation, both rounded.

    Comparisons whose columns are empty or constant, and blocking rules that would give too many pairs, are left out
    and named.
    """
    connection = _connection(fields)
    connection.execute(
        "create table accounts as select * from prepared order by hash(record_id), record_id "
        f"limit {rules.MAX_TRAINING_ACCOUNTS}"
    )
    left_out = _unusable_columns(connection)
    comparisons = [c for c in rules.COMPARISONS if c.needs[0] not in left_out]
    blocking, too_wide = _bounded(connection, left_out)
    made: dict[str, Any] = {
        "format": rules.MODEL_FORMAT,
        "rules_version": rules.RULES_VERSION,
        "splink": version("splink"),
        "trained_on_accounts": len(fields),
        "left_out": left_out,
        "too_wide": too_wide,
        "settings": _settings(comparisons, blocking),
    }
    if comparisons and blocking:
        made["settings"] = _trained(connection, made["settings"], left_out)
    connection.close()
    return json.dumps(made, sort_keys=True, ensure_ascii=False)


def _connection(fields: pa.Table) -> Any:
    """A database of its own with the table `prepared`; one thread, so that sums have one order."""
    connection = importlib.import_module("duckdb").connect(":memory:")
    connection.execute("set threads = 1")
    connection.register("fields", fields)
    connection.execute(f"create table prepared as {_PREPARED}")
    return connection


def _unusable_columns(connection: Any) -> list[str]:
    """Compared columns that hold fewer than two different values."""
    names = sorted({comparison.needs[0] for comparison in rules.COMPARISONS})
    counts = connection.execute(f"select {', '.join(f'count(distinct {n})' for n in names)} from prepared").fetchall()
    return [name for name, count in zip(names, counts[0], strict=True) if count < 2]


def _bounded(connection: Any, left_out: list[str]) -> tuple[list[tuple[str, ...]], list[str]]:
    """Blocking rules on usable columns that give a bounded number of pairs, and the names of those that do not."""
    total = connection.execute("select count(*) from prepared").fetchall()[0][0]
    most = max(rules.MIN_PAIRS_PER_BLOCKING_RULE, total * rules.MAX_PAIRS_PER_ACCOUNT_AND_BLOCKING_RULE)
    chosen: list[tuple[str, ...]] = []
    too_wide: list[str] = []
    for columns in rules.BLOCKING_RULES:
        if set(columns) & set(left_out) or ("birth_text" in left_out and "birth_year_text" in columns):
            continue
        whole = " and ".join(f"{name} is not null" for name in columns)
        pairs = connection.execute(
            "select coalesce(sum(size * (size - 1) / 2), 0) from "
            f"(select count(*) as size from prepared where {whole} group by {', '.join(columns)})"
        ).fetchall()[0][0]
        if pairs > most:
            too_wide.append(" + ".join(columns))
        else:
            chosen.append(columns)
    return chosen, too_wide


def _equal(columns: tuple[str, ...]) -> str:
    return " and ".join(f"l.{name} = r.{name}" for name in columns)


def _settings(comparisons: list[rules.Comparison], blocking: list[tuple[str, ...]]) -> dict[str, Any]:
    return {
        "link_type": "dedupe_only",
        "unique_id_column_name": "record_id",
        "comparisons": [_comparison(comparison) for comparison in comparisons],
        "blocking_rules_to_generate_predictions": [{"blocking_rule": _equal(columns)} for columns in blocking],
        "retain_matching_columns": False,
        "retain_intermediate_calculation_columns": True,
        "additional_columns_to_retain": ["node"],
    }


def _comparison(comparison: rules.Comparison) -> dict[str, Any]:
    """A declared comparison in Splink's words, where `l.name` is `name_l`."""
    absent = f"{comparison.needs[0]}_l is null or {comparison.needs[0]}_r is null"
    levels: list[dict[str, Any]] = [{"sql_condition": absent, "label_for_charts": "absent", "is_null_level": True}]
    for label, condition in comparison.levels:
        for name in comparison.needs:
            condition = condition.replace(f"l.{name}", f"{name}_l").replace(f"r.{name}", f"{name}_r")
        levels.append({"sql_condition": condition, "label_for_charts": label})
    levels.append({"sql_condition": "ELSE", "label_for_charts": "different"})
    return {"output_column_name": comparison.name, "comparison_levels": levels}


def _linker(connection: Any, table: str, settings: dict[str, Any]) -> Any:
    splink = importlib.import_module("splink")
    logging.getLogger("splink").setLevel(logging.ERROR)
    database = splink.DuckDBAPI(connection=connection)
    frame = database.register(connection.table(table))
    return splink.Linker(frame, splink.SettingsCreator.from_path_or_dict(settings), log_level=None)


def _pairs_of(columns: tuple[str, ...]) -> str:
    """SQL: the pairs of accounts that a rule puts together."""
    joined = f"accounts l join accounts r on l.record_id < r.record_id and {_equal(columns)}"
    return f"select l.record_id as one, r.record_id as other from {joined}"


def _prior(connection: Any) -> float:
    """The chance that two accounts at random are one person, from what the declared rules find."""
    sure = [tuple("birth_text" if n == "date_of_birth" else n for n in rule.columns) for rule in rules.MATCH_RULES]
    pairs = connection.execute(f"select count(*) from ({' union '.join(map(_pairs_of, sure))})").fetchall()[0][0]
    accounts = connection.execute("select count(*) from accounts").fetchall()[0][0]
    share = max(pairs, 1) / rules.ASSUMED_DETERMINISTIC_RECALL / max(1, accounts * (accounts - 1) / 2)
    return float(round(min(max(share, rules.LEAST_PROBABILITY), 0.5), rules.MODEL_DECIMALS))


def _trained(connection: Any, settings: dict[str, Any], left_out: list[str]) -> dict[str, Any]:
    """The settings with the prior, and the m and u of every level; a training rule without pairs is skipped."""
    linker = _linker(connection, "accounts", {**settings, "probability_two_random_records_match": _prior(connection)})
    linker.training.estimate_u_using_random_sampling(
        max_pairs=rules.MAX_TRAINING_PAIRS, seed=rules.MODEL_SEED, min_count_per_level=None, num_chunks=1
    )
    for columns in rules.TRAINING_RULES:
        if set(columns) & set(left_out) or not connection.execute(_pairs_of(columns) + " limit 1").fetchall():
            continue
        linker.training.estimate_parameters_using_expectation_maximisation(
            _equal(columns), max_pairs=rules.MAX_TRAINING_PAIRS, record_sample_proportion=1.0
        )
    saved: dict[str, Any] = linker.misc.save_model_to_json()
    saved.pop("linker_uid", None)
    for comparison in saved["comparisons"]:
        for level in comparison["comparison_levels"]:
            if not level.get("is_null_level"):
                level.update(_bounded_level(level.get("m_probability"), level.get("u_probability")))
    return saved


def _bounded_level(m: float | None, u: float | None) -> dict[str, float]:
    """Chances m and u with so few decimals that no order of sums shows in them, and never 0; never seen: no evidence.

    >>> _bounded_level(0.91234567, None)
    {'m_probability': 0.912346, 'u_probability': 0.912346}
    """
    least = rules.LEAST_PROBABILITY
    u = m if u is None else u
    m = u if m is None else max(m, rules.LEAST_M_PROBABILITY)
    both = {"m_probability": m, "u_probability": u}
    return {name: round(max(least, least if p is None else p), rules.MODEL_DECIMALS) for name, p in both.items()}


# --- scores -----------------------------------------------------------------------------------------------------------
def scores(
    fields: pa.Table,
    model: pa.Table,
    holders: pa.Table,
    link_from: int = rules.MODEL_LINK_WEIGHT_MILLIBITS,
    review_from: int = rules.MODEL_REVIEW_WEIGHT_MILLIBITS,
) -> pa.Table:
    """The pairs that the model puts in a band: link or review; those that share a declared key are decided already.

    The bands begin at those weights, in thousandths of a bit.
    """
    made = json.loads(model["model"][0].as_py()) if len(model) else {"settings": {"comparisons": []}}
    settings = made["settings"]
    if not settings["comparisons"] or not settings["blocking_rules_to_generate_predictions"] or len(fields) < 2:
        return SCORES_SCHEMA.empty_table()
    connection = _connection(fields)
    predicted = _linker(connection, "prepared", settings).inference.predict(threshold_match_weight=review_from / 1000)
    connection.register("holders", holders.select(["rule", "root", "node"]))
    connection.sql(f"from {predicted.physical_name}").create_view("predicted")
    found = connection.sql(_scored(settings, link_from)).to_arrow_table().cast(SCORES_SCHEMA)
    connection.close()
    return found


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
        select if(record_id_l < record_id_r, node_l, node_r) as "left",
            if(record_id_l < record_id_r, node_r, node_l) as "right", {_is_link(settings, link_from)} as is_link,
            round(match_weight * 1000)::bigint as millibits, round(match_probability, 6) as probability,
            {findings} as findings
        from predicted
        where not exists (from decided where one = node_l and other = node_r)
        order by least(record_id_l, record_id_r), greatest(record_id_l, record_id_r)
    """
