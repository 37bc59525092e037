"""Accounts side by side, in a database of their own: the table `prepared`, what its columns tell, the pairs it gives.

`prepared` has one row per account: (place, node, the columns that are compared or blocked on). `place` counts accounts
in the order of record_id, so a model joins and orders whole numbers.
"""

from __future__ import annotations

import importlib
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pyarrow as pa

from c360lib import rules
from c360lib.sources.match_keys import KEYS

MEMORY_LIMIT = "4GB"
THREADS = os.cpu_count() or 1
PREPARED = f"""
    select row_number() over (order by record_id) as place, node, {", ".join(KEYS)},
        strftime(date '1970-01-01' + date_of_birth::integer, '%Y%m%d') as birth_text,
        strftime(date '1970-01-01' + date_of_birth::integer, '%Y') as birth_year_text,
        lower(trim(city)) as city_key, lower(replace(postcode, ' ', '')) as postcode_key,
        strip_accents(first_name_key) as first_plain, strip_accents(last_name_key) as last_plain,
        least(first_name_key, last_name_key) || ' ' || greatest(first_name_key, last_name_key) as names_in_order,
        left(first_name_key, 1) as first_name_start, left(last_name_key, 1) as last_name_start
    from fields
"""
Columns = tuple[str, ...]


@contextmanager
def prepared(fields: pa.Table) -> Iterator[Any]:
    """A DuckDB connection with the table `prepared`; it stays within MEMORY_LIMIT and spills to disk."""
    spill = tempfile.mkdtemp(prefix="c360-matching-")
    settings = {
        "memory_limit": MEMORY_LIMIT,
        "temp_directory": spill,
        "preserve_insertion_order": False,
        "threads": THREADS,
    }
    connection = importlib.import_module("duckdb").connect(":memory:", config=settings)
    try:
        connection.register("fields", fields)
        connection.execute(f"create table prepared as {PREPARED}")
        yield connection
    finally:
        connection.close()
        shutil.rmtree(spill, ignore_errors=True)


def counted(connection: Any) -> int:
    """How many accounts there are."""
    return int(connection.execute("select count(*) from prepared").fetchall()[0][0])


def values_of(connection: Any) -> dict[str, int]:
    """How many different values each column has that a comparison is about: 0, 1, or 2, which stands for more."""
    names = sorted({comparison.needs[0] for comparison in rules.COMPARISONS})
    ends = connection.execute(f"select {', '.join(f'min({n}), max({n})' for n in names)} from prepared").fetchall()[0]
    return {n: len({*ends[2 * i : 2 * i + 2]} - {None}) for i, n in enumerate(names)}


def usable_rules(left_out: Sequence[str]) -> list[Columns]:
    """The blocking rules that need no column of `left_out`.

    >>> len(usable_rules([])) == len(rules.BLOCKING_RULES), ("birth_text",) in usable_rules(["birth_text"])
    (True, False)
    """
    out = {*left_out, *(["birth_year_text"] if "birth_text" in left_out else [])}
    return [columns for columns in rules.BLOCKING_RULES if not set(columns) & out]


def bounded(connection: Any, candidates: Sequence[Columns]) -> tuple[list[Columns], list[Columns]]:
    """Blocking rules that give a bounded number of pairs, each and all together, and those that are too wide.

    Where all together are too many, the widest goes first. A rule that another one contains adds no pair and is in
    neither list; it comes back where the other one goes.
    """
    accounts = counted(connection)
    most = max(rules.MIN_PAIRS_PER_BLOCKING_RULE, accounts * rules.MAX_PAIRS_PER_ACCOUNT_AND_BLOCKING_RULE)
    most_of_all = max(rules.MIN_PAIRS, accounts * rules.MAX_PAIRS_PER_ACCOUNT)
    pairs = {columns: pairs_of(connection, columns) for columns in candidates}
    narrow = [columns for columns in candidates if pairs[columns] <= most]
    while sum(pairs[columns] for columns in _widest(narrow)) > most_of_all:
        narrow.remove(max(_widest(narrow), key=pairs.__getitem__))
    return _widest(narrow), [columns for columns in candidates if columns not in narrow]


def _widest(narrow: Sequence[Columns]) -> list[Columns]:
    """The rules whose pairs no other rule gives.

    >>> _widest([("a",), ("a", "b"), ("b", "c")])
    [('a',), ('b', 'c')]
    """
    return [columns for columns in narrow if not any(set(other) < set(columns) for other in narrow)]


def pairs_of(connection: Any, columns: Columns) -> int:
    """How many pairs of accounts are equal in all of these columns."""
    whole = " and ".join(f"{name} is not null" for name in columns)
    return int(
        connection.execute(
            "select coalesce(sum(size * (size - 1) // 2), 0) from "
            f"(select count(*) as size from prepared where {whole} group by {', '.join(columns)})"
        ).fetchall()[0][0]
    )
