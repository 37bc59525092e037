"""Shared keys beside a plain reading of the rules."""

from __future__ import annotations

import random
from collections import defaultdict
from typing import Any

import pyarrow as pa
import pytest

from c360lib.engines.base import Engine
from c360lib.engines.open import open_engine
from c360lib.identity import deterministic
from c360lib.rules import MATCH_RULES

Rows = list[dict[str, Any]]
Held = set[tuple[int | None, ...]]
COLUMNS = sorted({column for rule in MATCH_RULES for column in rule.columns})


@pytest.fixture(scope="module")
def engine() -> Engine:
    """An engine for the expressions."""
    return open_engine("polars")


def accounts(seed: int, count: int = 60) -> Rows:
    """Accounts with few values, some absent, in no order; a bar in a value makes two keys one text."""
    draw = random.Random(seed)
    texts = ["a", "a|b", "b", "b|b", "c", None]
    dates = [1, 2, None]
    rows: Rows = [
        {"node": node} | {name: draw.choice(dates if name == "date_of_birth" else texts) for name in COLUMNS}
        for node in draw.sample(range(1_000), count)
    ]
    return rows


def table(rows: Rows) -> pa.Table:
    """Accounts, with what the rules compare of each."""
    whole = ("node", "date_of_birth")
    return pa.Table.from_pylist(
        rows, schema=pa.schema([(n, pa.int64() if n in whole else pa.string()) for n in ("node", *COLUMNS)])
    )


def groups(rows: Rows, number: int) -> list[tuple[str, list[int]]]:
    """The text and the nodes of each key of a rule that several accounts hold."""
    held = defaultdict(list)
    for row in rows:
        values = tuple(row[name] for name in MATCH_RULES[number].columns)
        if None not in values:
            held[values].append(row["node"])
    return [("|".join(map(str, values)), sorted(nodes)) for values, nodes in held.items() if len(nodes) > 1]


def told(found: pa.Table) -> Held:
    """The rows of a table, each once."""
    rows = {tuple(row.values()) for row in found.to_pylist()}
    assert len(rows) == len(found)
    return rows


def test_shared_keys_are_those_of_a_plain_reading(engine: Engine) -> None:
    """No account, one account and accounts without any value share nothing."""
    for seed in range(20):
        rows = accounts(seed)
        expected = {
            (number, nodes[0], node, len(nodes))
            for number in range(len(MATCH_RULES))
            for _, nodes in groups(rows, number)
            for node in nodes
        }
        assert expected == told(shared(engine, rows))
    for few in ([], accounts(1, 1), [{"node": 1}, {"node": 2}]):
        assert not len(shared(engine, few))


def shared(engine: Engine, rows: Rows) -> pa.Table:
    """The layer shared_keys on these accounts."""
    return engine.table(deterministic.shared_keys(engine.load_table(table(rows))))


def test_holders_of_a_blocked_key_are_left_out(engine: Engine) -> None:
    """Whatever blocked it: the text counts, of its rule alone, also where two keys have one text."""
    is_shared_text = False
    for seed in range(20):
        rows, draw = accounts(seed), random.Random(seed)
        named = [(number, text) for number in range(len(MATCH_RULES)) for text, _ in groups(rows, number)]
        chosen = set(draw.sample(named, min(len(named), 9)))
        is_shared_text |= any(named.count(key) > 1 for key in chosen)
        blocked = pa.table({"kind": [MATCH_RULES[n].name for n, _ in chosen], "key": [text for _, text in chosen]})
        expected = {
            (number, nodes[0], node)
            for number in range(len(MATCH_RULES))
            for text, nodes in groups(rows, number)
            if (number, text) not in chosen
            for node in nodes
        }
        frames = [engine.load_table(part) for part in (shared(engine, rows), table(rows), blocked)]
        assert expected == told(engine.table(deterministic.key_holders(*frames)))
    assert is_shared_text
