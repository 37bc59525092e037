"""A Splink model from accounts: u from pairs at random, m by expectation maximisation, as JSON to keep and read.

Both look at samples of bounded size, on one thread and in the order of record_id, so that two runs give the same text.
m is estimated on whole blocks (accounts with one birth date, say): accounts at random would hardly hold a true pair.
"""

from __future__ import annotations

import importlib
import json
import logging
from collections.abc import Mapping
from importlib.metadata import version
from statistics import median
from typing import Any

from c360lib import rules
from c360lib.identity.model import prepare
from c360lib.identity.model.prepare import Columns

TRAINING_ROUNDS = (25, 10, 4)
UNSEEN = 1e-6  # what Splink gives as the m of a level that no pair showed


def train(connection: Any) -> dict[str, Any]:
    """The model of the accounts in `prepared`: its Splink settings, its blocking rules, and what it had to leave out.

    `left_out` names columns that are empty or constant, `untrained` training rules that taught nothing.
    """
    left_out = [name for name, count in prepare.values_of(connection).items() if count < 2]
    comparisons = [c for c in rules.COMPARISONS if c.needs[0] not in left_out]
    accounts = prepare.counted(connection)
    made: dict[str, Any] = {
        "format": rules.MODEL_FORMAT,
        "rules_version": rules.RULES_VERSION,
        "splink": version("splink"),
        "trained_on": {"accounts": accounts, "drawn": min(accounts, rules.MAX_TRAINING_ACCOUNTS)},
        "left_out": left_out,
        "blocking": [list(columns) for columns in prepare.usable_rules(left_out)],
        "settings": _settings(comparisons),
        "untrained": [],
    }
    if comparisons and accounts > 1:
        connection.execute("set threads = 1")
        made["settings"], made["untrained"] = _trained(connection, made["settings"], left_out)
        connection.execute(f"set threads = {prepare.THREADS}")
    return made


def as_text(made: dict[str, Any]) -> str:
    """A model as one line of JSON."""
    return json.dumps(made, sort_keys=True, ensure_ascii=False)


# --- settings ---------------------------------------------------------------------------------------------------------
def equal(columns: Columns) -> str:
    """SQL: two accounts l and r are equal in these columns."""
    return " and ".join(f"l.{name} = r.{name}" for name in columns)


def _settings(comparisons: list[rules.Comparison]) -> dict[str, Any]:
    return {
        "link_type": "dedupe_only",
        "unique_id_column_name": "place",
        "comparisons": [_comparison(comparison) for comparison in comparisons],
        "blocking_rules_to_generate_predictions": [],
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


def linker(database: Any, table: Any, settings: dict[str, Any]) -> Any:
    """Splink on a table of a Splink database, without its log."""
    splink = importlib.import_module("splink")
    logging.getLogger("splink").setLevel(logging.ERROR)
    creator = splink.SettingsCreator.from_path_or_dict(settings)
    return splink.Linker(database.register(table), creator, log_level=None)


def duckdb_linker(connection: Any, table: str, settings: dict[str, Any]) -> Any:
    """Splink on a table of a DuckDB connection."""
    database = importlib.import_module("splink").DuckDBAPI(connection=connection)
    return linker(database, connection.table(table), settings)


# --- m and u ----------------------------------------------------------------------------------------------------------
def _trained(connection: Any, settings: dict[str, Any], left_out: list[str]) -> tuple[dict[str, Any], list[str]]:
    """The settings with the prior, and the m and u of every level; and the training rules that taught nothing."""
    connection.execute(
        "create table drawn as select * from (select * from prepared order by hash(place), place "
        f"limit {rules.MAX_TRAINING_ACCOUNTS}) order by place"
    )
    settings = {**settings, "probability_two_random_records_match": _prior(connection)}
    splink = duckdb_linker(connection, "drawn", settings)
    splink.training.estimate_u_using_random_sampling(
        max_pairs=rules.MAX_TRAINING_PAIRS, seed=rules.MODEL_SEED, min_count_per_level=None, num_chunks=1
    )
    saved: dict[str, Any] = splink.misc.save_model_to_json()
    sessions = {c: _m_of(connection, saved, c) for c in rules.TRAINING_RULES if not set(c) & set(left_out)}
    least_u = _least_u(connection)
    for comparison in saved["comparisons"]:
        for level in comparison["comparison_levels"]:
            if not level.get("is_null_level"):
                name = comparison["output_column_name"], level["label_for_charts"]
                found = [m[name] for m in sessions.values() if name in m]
                level.update(_weighed_level(median(found) if found else None, level.get("u_probability"), least_u))
    saved.pop("linker_uid", None)
    return saved, [" + ".join(columns) for columns in rules.TRAINING_RULES if not sessions.get(columns)]


def _prior(connection: Any) -> float:
    """The chance that two accounts at random are one person, from what the declared rules find."""
    sure = [tuple("birth_text" if n == "date_of_birth" else n for n in rule.columns) for rule in rules.MATCH_RULES]
    joined = " union ".join(
        f"select l.place as one, r.place as other from drawn l join drawn r on l.place < r.place and {equal(columns)}"
        for columns in sure
    )
    pairs = connection.execute(f"select count(*) from ({joined})").fetchall()[0][0]
    accounts = connection.execute("select count(*) from drawn").fetchall()[0][0]
    share = max(pairs, 1) / rules.ASSUMED_DETERMINISTIC_RECALL / max(1, accounts * (accounts - 1) / 2)
    return float(f"{min(share, 0.5):.3g}")


def _least_u(connection: Any) -> float:
    """The u of a level that none of the pairs drawn at random shows: three in so many at most, 0.95 sure."""
    accounts = connection.execute("select count(*) from drawn").fetchall()[0][0]
    pairs = min(rules.MAX_TRAINING_PAIRS, accounts * (accounts - 1) / 2)
    return float(min(0.5, max(rules.LEAST_PROBABILITY, 3 / pairs)))


def _m_of(connection: Any, settings: dict[str, Any], columns: Columns) -> Mapping[tuple[str, str], float]:
    """The m by comparison and level, from pairs that are equal in these columns; none where they teach nothing.

    Splink gives up where an m falls to 0, as it does in clean data where no true pair shows a level; fewer rounds stop
    before that, and are then enough.
    """
    if not _draw_blocks(connection, columns):
        return {}
    for rounds in TRAINING_ROUNDS:
        splink = duckdb_linker(connection, "blocks", {**settings, "max_iterations": rounds})
        try:
            session = splink.training.estimate_parameters_using_expectation_maximisation(equal(columns))
        except ValueError as error:
            if "below the minimum allowed" not in str(error):
                raise
            continue
        return {
            (comparison.output_column_name, level.label_for_charts): level.m_probability
            for comparison in session.core_model_settings.comparisons
            for level in comparison.comparison_levels
            if not level.is_null_level and level.m_probability != UNSEEN
        }
    return {}


def _draw_blocks(connection: Any, columns: Columns) -> bool:
    """Make `blocks`, accounts of so many whole blocks that the pairs stay bounded; whether there is a pair."""
    names = ", ".join(columns)
    connection.execute(f"""
        create or replace table blocks as with sizes as (
            select {names}, count(*) * (count(*) - 1) // 2 as pairs from prepared
            where {" and ".join(f"{name} is not null" for name in columns)} group by all
        ), drawn_blocks as (
            select *, sum(pairs) over (order by hash({names}), {names}) as sum_of_pairs
            from sizes where pairs between 1 and {rules.MAX_TRAINING_PAIRS // 10}
        )
        select prepared.* from prepared semi join (
            from drawn_blocks where sum_of_pairs <= {rules.MAX_TRAINING_PAIRS}
        ) using ({names}) order by place
    """)
    return bool(connection.execute("select count(*) from blocks").fetchall()[0][0])


def _weighed_level(m: float | None, u: float | None, least_u: float) -> dict[str, float]:
    """Chances m and u as they are kept: with so few decimals that no order of sums shows in them, and never 0.

    A level that no pair at random showed has a u of at most `least_u`. Where true pairs hardly show it either, or
    nothing was learned of them, it is no evidence.

    >>> _weighed_level(0.91234567, None, 0.00001), _weighed_level(None, 0.02, 0.00001)
    ({'m_probability': 0.912346, 'u_probability': 1e-05}, {'m_probability': 0.02, 'u_probability': 0.02})
    >>> _weighed_level(0.0000001, None, 0.00001), _weighed_level(0.0000001, 0.02, 0.00001)
    ({'m_probability': 1e-05, 'u_probability': 1e-05}, {'m_probability': 0.001, 'u_probability': 0.02})
    """
    known_u = max(least_u, least_u if u is None else u)
    is_silent = m is None or (u is None and m < rules.LEAST_M_PROBABILITY)
    m = known_u if is_silent else max(m or 0, rules.LEAST_M_PROBABILITY)
    both = {"m_probability": m, "u_probability": known_u}
    return {name: round(p, rules.MODEL_DECIMALS) for name, p in both.items()}
