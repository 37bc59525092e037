"""What engines do in their own ways gives the same rows."""

from __future__ import annotations

import pyarrow as pa

from c360lib.engine import Engine, with_columns_of


def test_a_number_brings_the_columns_of_its_row(engine: Engine) -> None:
    """Absent where the number is absent or not there; every row stays once, its own columns as they were."""
    rows = pa.table({"n": [7, None, 8, 7, 9], "name": ["a", "b", None, "d", "e"]})
    other = pa.table({"n": [9, 7], "found": ["nine", None], "count": [90, 70]})
    frame = with_columns_of(engine.load_table(rows), engine.load_table(other), on="n")
    found = engine.table(engine.materialise(frame)).to_pylist()
    expected = [(7, "a", None, 70), (7, "d", None, 70), (8, None, None, None), (9, "e", "nine", 90)]
    told = [tuple(row[name] for name in ("n", "name", "found", "count")) for row in found]
    assert [*expected, (None, "b", None, None)] == sorted(told, key=lambda row: (row[0] or 10, str(row[1])))
    assert not len(engine.table(with_columns_of(engine.load_table(rows[:0]), engine.load_table(other[:0]), on="n")))
