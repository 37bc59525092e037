"""Scores on Spark, where the build's engine is Spark: Splink's own backend, on the cluster's rows.

It is the model of the other engines, in Spark's words. Splink's jar, which the engine gives to its session, brings
Jaro-Winkler and Damerau-Levenshtein; nothing is downloaded. Its Jaro-Winkler counts
half a transposition where DuckDB's counts none, so that a level may differ now and then.
"""

from __future__ import annotations

import importlib
import json
import re
import unicodedata
from functools import cache
from typing import Any

from c360lib.engines.spark import splink_jar
from c360lib.errors import UsageError
from c360lib.identity.model import prepare, train


def predicted(fields: Any, settings: dict[str, Any], review_bits: float) -> Any:
    """Splink's scored pairs at or above a weight, as a Spark data frame."""
    session = fields.sparkSession
    fields.createOrReplaceTempView("fields")
    database = importlib.import_module("splink").SparkAPI(spark_session=session, break_lineage_method="persist")
    if not session.catalog.functionExists("jaro_winkler"):
        raise UsageError(
            "--engine spark: this Spark session was started without the jar of Splink; start it with spark.jars set to "
            f"{splink_jar()}, or let c360 start it"
        )
    table = session.sql(in_spark(prepare.PREPARED)).persist()
    spoken = json.loads(json.dumps(settings).replace("jaro_winkler_similarity(", "jaro_winkler("))
    found = train.linker(database, table, spoken).inference.predict(threshold_match_weight=review_bits)
    return session.table(found.physical_name)


def in_spark(sql: str) -> str:
    """DuckDB's SQL as Spark says it; `place` is record_id, which orders as its number does."""
    spoken = importlib.import_module("sqlglot").transpile(sql, read="duckdb", write="spark")[0]
    spoken = re.sub(r"ROW_NUMBER\(\) OVER \(ORDER BY record_id[^)]*\)", "record_id", spoken)
    accented, plain = letters()
    return re.sub(r"STRIP_ACCENTS\((\w+)\)", rf"TRANSLATE(\1, '{accented}', '{plain}')", spoken)


@cache
def letters() -> tuple[str, str]:
    """Letters with accents, and after them accents alone; and the letters without, for SQL's translate.

    >>> accented, plain = letters()
    >>> "žàé".translate(str.maketrans(accented[:len(plain)], plain))
    'zae'
    """
    parts = {chr(n): unicodedata.normalize("NFD", chr(n)) for n in range(0x80, 0x2000)}
    pairs = {c: p[0] for c, p in parts.items() if p[0].isalpha() and p[1:] and all(map(unicodedata.combining, p[1:]))}
    alone = [c for c in parts if unicodedata.category(c) == "Mn"]
    return "".join([*pairs, *alone]), "".join(pairs.values())
