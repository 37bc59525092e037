"""The tables that lessons start from."""

from __future__ import annotations

import pandas as pd
import pytest

from c360lib.course import lesson_workspace
from c360lib.errors import UsageError
from c360lib.files import read_table
from c360lib.schemas import GOLD, RAW, SILVER

pytest.importorskip("jupytext", reason="needs the extra `course`")


@pytest.mark.parametrize("name", [*SILVER, *GOLD])
def test_every_table_has_the_rows_and_columns_of_its_file(name: str) -> None:
    """Typing loses nothing: as many rows, the same columns, a null where the file has an empty cell."""
    ws = lesson_workspace("gold", customers=150, seed=361)
    table = ws.table(name)
    layer = (SILVER.get(name) or GOLD[name]).layer
    file = read_table(ws.release / layer / f"{name}.csv")

    assert file.column_names == list(table.columns)
    assert len(file) == len(table)
    empty = {column: sum(cell == "" for cell in file[column].to_pylist()) for column in file.column_names}
    assert empty == {column: int(table[column].isna().sum()) for column in table.columns}


def test_cells_have_the_types_that_pandas_users_expect() -> None:
    """Times are times, money is whole numbers, text is text."""
    ws = lesson_workspace("silver")
    orders = ws.table("orders")

    kinds = {name: str(kind) for name, kind in orders.dtypes.items()}
    assert "datetime64[s, UTC]" == kinds["ordered_ts"]
    assert "Int64" == kinds["net_amount_cents"]
    assert "boolean" == kinds["is_deleted"]
    assert pd.Timestamp("2026-06-30T23:59:59Z") == ws.as_of


@pytest.mark.parametrize("source", RAW)
def test_raw_and_bronze_hold_the_same_text(source: str) -> None:
    """Bronze without its lineage is raw."""
    ws = lesson_workspace("bronze", customers=150, seed=361)
    raw, bronze = ws.raw(source), ws.bronze(source)

    pd.testing.assert_frame_equal(raw, bronze[list(raw.columns)])
    assert not raw.isna().any().any()


def test_a_layer_that_the_lesson_has_not_reached_is_refused() -> None:
    """The message says where the table is and how to get there."""
    with pytest.raises(UsageError, match=r"customer_360 is in gold, which this lesson has not reached"):
        lesson_workspace("silver").table("customer_360")
    with pytest.raises(UsageError, match="lesson has not reached"):
        lesson_workspace("raw").bronze("orders")
    with pytest.raises(UsageError, match="no silver or gold table 'nobody'"):
        lesson_workspace().table("nobody")
    with pytest.raises(UsageError, match="expected one of raw, bronze, silver, gold, got 'platinum'"):
        lesson_workspace("platinum")


def test_named_faults_stand_in_the_raw_rows() -> None:
    """A lesson may start from spoilt sources; even a release that was not published can be read."""
    ws = lesson_workspace("gold", customers=150, seed=361, faults="orphan_reference")

    assert "account_exists" in set(ws.table("quarantine")["rule"])
    assert len(ws.raw("orders")) == len(ws.bronze("orders"))
