"""The four tables every candidate gives, and what is told when two candidates differ."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

_TEXT, _INT, _BOOL = pa.string(), pa.int64(), pa.bool_()


def _schema(text: str, integers: str = "") -> pa.Schema:
    return pa.schema([*((name, _TEXT) for name in text.split()), *((name, _INT) for name in integers.split())])


SCHEMAS = {
    "identity": _schema("record_id profile_id"),
    "value": pa.schema(
        [
            ("profile_id", _TEXT),
            *(
                (name, _INT)
                for name in (
                    "order_count",
                    "lifetime_value_cents",
                    "average_order_value_cents",
                    "first_order_ts",
                    "last_order_ts",
                    "rfm_recency_days",
                    "rfm_frequency",
                    "rfm_monetary_cents",
                )
            ),
            ("rfm_score", _TEXT),
            *((name, _INT) for name in ("clv_frequency", "clv_recency_days", "clv_age_days")),
        ]
    ),
    "activity": _schema("profile_id", "sessions_30d events_30d last_seen_ts"),
    "consent": pa.schema(
        [
            ("profile_id", _TEXT),
            ("purpose", _TEXT),
            ("channel", _TEXT),
            ("eligible", _BOOL),
            ("block_reason", _TEXT),
            ("consent_event_id", _TEXT),
        ]
    ),
}
KEYS = {
    "identity": ("record_id",),
    "value": ("profile_id",),
    "activity": ("profile_id",),
    "consent": ("profile_id", "purpose", "channel"),
}


def differences(expected: dict[str, pa.Table], actual: dict[str, pa.Table]) -> list[str]:
    """One sentence for each table that is not equal to the last cell: where, expected, got. Empty: all are equal.

    >>> one = {name: schema.empty_table() for name, schema in SCHEMAS.items()}
    >>> differences(one, one)
    []
    >>> differences(one, {})
    ['identity: missing', 'value: missing', 'activity: missing', 'consent: missing']
    """
    found = []
    for name, schema in SCHEMAS.items():
        if name not in actual:
            found.append(f"{name}: missing")
        elif actual[name].column_names != schema.names:
            found.append(f"{name}: expected columns {schema.names}, got {actual[name].column_names}")
        else:
            found += _difference(name, expected[name].cast(schema), actual[name].cast(schema))
    return found


def _difference(name: str, expected: pa.Table, actual: pa.Table) -> list[str]:
    """The first row that differs, if any."""
    if expected.num_rows != actual.num_rows:
        return [f"{name}: expected {expected.num_rows} rows, got {actual.num_rows}"]
    for column in expected.column_names:
        same = pc.fill_null(pc.equal(expected[column], actual[column]), False)
        both_null = pc.and_(pc.is_null(expected[column]), pc.is_null(actual[column]))
        place = pc.index(pc.or_(same, both_null), False).as_py()
        if place >= 0:
            key = [expected[part][place].as_py() for part in KEYS[name]]
            wanted, got = expected[column][place].as_py(), actual[column][place].as_py()
            return [f"{name}: {column} of {key}: expected {wanted!r}, got {got!r}"]
    return []
