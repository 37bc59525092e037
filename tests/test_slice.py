"""The one closure: the layers on the rows that it gives say of an account what they say on all rows."""

from __future__ import annotations

import random

import networkx as nx
import pytest

from c360lib.layers.slice import reachable
from c360lib.schemas import RAW
from tests.support import Row, account, click, consent, decision, erasure, order, ticket, typed
from tests.test_laws import EXTRA, Numbered, numbered, part_of, tables_of, whole


def tables(rows: Numbered) -> dict[str, object]:
    """Typed rows of every raw source."""
    return {
        name: typed(name, [row.cells for _, row in rows[name]], [number for number, _ in rows[name]]).rows
        for name in RAW
    }


def reached(rows: Numbered, accounts: list[str], blocked: list[tuple[str, str]] = ()) -> set[tuple[str, int]]:  # type: ignore[assignment]
    """The places of the rows that the closure gives: (source, row number)."""
    import pyarrow as pa

    given = {name: pa.Table.from_batches([batch]) for name, batch in tables(rows).items()}
    pairs = [(row.cells["left_record_id"], row.cells["right_record_id"]) for _, row in rows["decisions"]]
    found = reachable(given, accounts, blocked, pairs)
    return {(name, number) for name, table in found.items() for number in table["_row_number"].to_pylist()}


@pytest.mark.parametrize("name", EXTRA)
@pytest.mark.parametrize("seed", range(4))
def test_the_rows_are_those_of_a_brute_force_search(name: str, seed: int) -> None:
    """Rows and what ties them as a graph: exactly the connected part of the accounts."""
    rows, _, blocked, graph = whole(name)
    chance = random.Random(seed)
    accounts = sorted(token for kind, token in graph if kind == "account")
    chosen = chance.sample(accounts, 3)
    keys = [(row["kind"], row["key"]) for table in blocked.values() for row in table.to_pylist()]
    near = set().union(*(nx.node_connected_component(graph, ("account", record_id)) for record_id in chosen))
    assert {node for node in near if node[0] in RAW} == reached(rows, chosen, keys)


@pytest.mark.parametrize("name", EXTRA)
@pytest.mark.parametrize("seed", [5, 6])
def test_the_layers_say_of_it_what_they_say_of_all(name: str, seed: int) -> None:
    """Every compared table, to the last cell."""
    rows, expected, blocked, graph = whole(name)
    keys = [(row["kind"], row["key"]) for table in blocked.values() for row in table.to_pylist()]
    accounts = sorted(token for kind, token in graph if kind == "account")
    places = reached(rows, random.Random(seed).sample(accounts, 5), keys)
    piece = {source: [(n, row) for n, row in found if (source, n) in places] for source, found in rows.items()}
    piece["decisions"] = rows["decisions"]
    actual, _ = tables_of(piece, blocked)
    records = {f"{row.cells['source_system']}:{row.cells['customer_id']}" for _, row in piece["customers"]}
    ours = {row["profile_id"] for row in expected["customer_identity"] if row["record_id"] in records}
    for table in ("customer_360", "activation_candidates", "customer_features"):
        wanted = [row for row in part_of(expected, piece)[table] if row["profile_id"] in ours]
        assert wanted == [row for row in actual[table] if row["profile_id"] in ours]


A, B, C = account("a", email="a@x.y"), account("b", email="b@x.y"), account("c", email="c@x.y")
BESIDE = [
    account("z", email="z@x.y"),
    order("oz", "z"),
    click("ez", "2026-06-01", "z", "DZ"),
    consent("cz", "z", "denied"),
]
TIES: dict[str, list[Row]] = {
    "an order that moved": [order("o", "a"), order("o", "b", lsn="2")],
    "an order deleted without its account": [
        order("o", "a"),
        order("o", "", op="d", lsn="2"),
        order("o", "b", lsn="3"),
    ],
    "one event of two accounts": [consent("e", "a", "granted"), consent("e", "b", "denied")],
    "a device": [click("e", "2026-06-01", "a", "D"), click("f", "2026-06-01", "b", "D")],
    "a decision": [decision("crm:a", "crm:b", "cannot_link")],
    "an identity key": [account(n, lsn="2", op="u", loyalty_id="L", date_of_birth="1980-01-01") for n in ("a", "b")],
    "a key given up": [
        account("a", lsn="2", op="u", loyalty_id="L", date_of_birth="1980-01-01"),
        account("a", lsn="3", op="u"),
        account("b", lsn="2", op="u", loyalty_id="L", date_of_birth="1980-01-01"),
    ],
    "an e-mail that a ticket came from": [
        ticket("t", email="s@x.y"),
        *(account(n, lsn="2", op="u", email="s@x.y") for n in "ab"),
    ],
    "an erased account between": [
        account("c", lsn="2", op="u", loyalty_id="L", date_of_birth="1980-01-01"),
        account("a", lsn="2", op="u", loyalty_id="L", date_of_birth="1980-01-01"),
        order("o", "c"),
        order("o", "b", lsn="2"),
        erasure("r", "c"),
    ],
}


@pytest.mark.parametrize("ties", TIES.values(), ids=TIES)
def test_every_kind_of_tie_is_followed(ties: list[Row]) -> None:
    """From the one account to all rows of the other; whoever has nothing to do with them stays out."""
    rows = numbered([*BESIDE, A, B, C, *ties])
    names = {
        row.cells["customer_id"]
        for source, n in reached(rows, ["crm:a"])
        for _, row in [rows[source][n - 1]]
        if source == "customers"
    }
    assert names >= {"a", "b"}
    assert "z" not in names


def test_a_blocked_device_ties_nothing() -> None:
    """Nor does an e-mail that no ticket names."""
    rows = numbered([account("a", email="s@x.y"), account("b", email="s@x.y"), *TIES["a device"]])
    assert {("customers", 1), ("clickstream", 1)} == reached(rows, ["crm:a"], [("device", "D")])
