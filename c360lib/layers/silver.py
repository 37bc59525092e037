"""Conformed tables: one for each source, with the person in place of the account."""

from __future__ import annotations

import narwhals as nw

from c360lib.engines.base import Frame
from c360lib.engines.kernels import first_per
from c360lib.layers.dispositions import CURRENT
from c360lib.schemas import SILVER, Table


# --- what is written --------------------------------------------------------------------------------------------------
def conformed(rows: Frame, people: Frame, table: Table) -> Frame:
    """Rows with `person` as the silver table: the text profile_id in its place, the table's columns in order."""
    ids = people.select("person", "profile_id")
    return rows.join(ids, on="person", how="left").select(table.column_names)


def clickstream(rows: Frame, visits: Frame, people: Frame) -> Frame:
    """Events with their person and session_id: the visit's first event by (event_ts, event_id)."""
    current = rows.filter(nw.col("disposition") == CURRENT).drop("person")
    given = visits.select("_row_number", "visit", "person")
    events = current.join(given, on="_row_number", how="inner")
    first = events.with_columns(_start=nw.col("event_ts").min().over("visit"))
    first = first.filter(nw.col("event_ts") == nw.col("_start")).select("visit", session_id="event_id")
    first = first_per(first, "visit", "session_id")
    return conformed(events.join(first, on="visit", how="inner"), people, SILVER["clickstream"])
