"""What a person is worth and does: measure tables, one row per person."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import narwhals as nw

from c360lib import rules
from c360lib.engines.base import Frame
from c360lib.rules import SECONDS_PER_DAY, Band

_INT = nw.Int64()
Expr = nw.Expr


def half_up(numerator: Expr, denominator: Expr) -> Expr:
    """Numerator / denominator, rounded half up, in whole numbers; both are at least 0."""
    return ((2 * numerator + denominator) // (2 * denominator)).cast(_INT)


def banded(value: Expr, bands: Sequence[Band]) -> Expr:
    """The score of the first band that the value reaches."""
    expr: Any = None
    for band in bands:
        reached = value >= band.at_least
        expr = (
            nw.when(reached).then(nw.lit(band.score)) if expr is None else expr.when(reached).then(nw.lit(band.score))
        )
    score: Expr = expr.otherwise(nw.lit(bands[-1].score)).cast(_INT)
    return score


def _day(seconds: Expr) -> Expr:
    return seconds // SECONDS_PER_DAY


# --- value ------------------------------------------------------------------------------------------------------------
def value(orders: Frame, as_of: int) -> Frame:
    """Orders to value, RFM and CLV: (person, order_count, lifetime_value_cents, ...), people with an order only.

    Orders are last states with `is_deleted`. RFM counts every paid order; CLV is the BTYD summary of Fader, Hardie and
    Lee (2005): purchase days minus one, days from first to last purchase day, days from first purchase day to as_of.
    """
    orders = orders.select("person", "status", "ordered_ts", "net_amount_cents", "is_deleted")
    living = orders.filter(~nw.col("is_deleted"))
    counts = living.group_by("person").agg(order_count=nw.len())
    paid = living.filter((nw.col("status") == "paid") & (nw.col("ordered_ts") <= as_of))
    paid = paid.with_columns(_day=_day(nw.col("ordered_ts")))
    totals = paid.group_by("person").agg(
        rfm_frequency=nw.len(),
        lifetime_value_cents=nw.col("net_amount_cents").sum(),
        first_order_ts=nw.col("ordered_ts").min(),
        last_order_ts=nw.col("ordered_ts").max(),
        _days=nw.col("_day").n_unique(),
    )
    whole = [nw.col(n).cast(_INT) for n in ("rfm_frequency", "lifetime_value_cents", "_days")]
    rows = counts.with_columns(nw.col("order_count").cast(_INT)).join(
        totals.with_columns(whole), on="person", how="left"
    )
    rows = rows.with_columns(nw.col("rfm_frequency").fill_null(0), nw.col("lifetime_value_cents").fill_null(0))
    return _with_clv(_with_rfm(rows, as_of), as_of).drop("_days")


def _with_rfm(rows: Frame, as_of: int) -> Frame:
    recency = _day(nw.lit(as_of).cast(_INT)) - _day(nw.col("last_order_ts"))
    average = nw.when(nw.col("rfm_frequency") > 0).then(nw.col("lifetime_value_cents"))
    divisor = nw.when(nw.col("rfm_frequency") > 0).then(nw.col("rfm_frequency"))
    rows = rows.with_columns(
        rfm_recency_days=recency,
        rfm_monetary_cents=nw.col("lifetime_value_cents"),
        average_order_value_cents=half_up(average, divisor),
    )
    digits = (
        100 * banded(nw.col("rfm_recency_days"), rules.RFM_RECENCY_BANDS_DAYS)
        + 10 * banded(nw.col("rfm_frequency"), rules.RFM_FREQUENCY_BANDS_ORDERS)
        + banded(nw.col("rfm_monetary_cents"), rules.RFM_MONETARY_BANDS_CENTS)
    )
    score = nw.when(nw.col("rfm_frequency") > 0).then(digits.cast(nw.String()))
    return rows.with_columns(rfm_score=score.otherwise(nw.lit(rules.RFM_SCORE_WITHOUT_ORDER)))


def _with_clv(rows: Frame, as_of: int) -> Frame:
    first = _day(nw.col("first_order_ts"))
    return rows.with_columns(
        clv_frequency=nw.col("_days") - 1,
        clv_recency_days=_day(nw.col("last_order_ts")) - first,
        clv_age_days=_day(nw.lit(as_of).cast(_INT)) - first,
    )


# --- behaviour and support --------------------------------------------------------------------------------------------
def activity(visits: Frame, as_of: int) -> Frame:
    """Events to (person, sessions_30d, events_30d, last_seen_ts); a visit counts once for each person in it."""
    since = as_of - rules.ACTIVITY_WINDOW_DAYS * SECONDS_PER_DAY
    events = visits.select("person", "visit", "event_ts").filter(~nw.col("person").is_null())
    seen = events.group_by("person").agg(last_seen_ts=nw.col("event_ts").max())
    recent = (
        events.filter(nw.col("event_ts") > since)
        .group_by("person")
        .agg(events_30d=nw.len(), sessions_30d=nw.col("visit").n_unique())
    )
    rows = seen.join(recent, on="person", how="left")
    return rows.with_columns(nw.col(n).fill_null(0).cast(_INT) for n in ("sessions_30d", "events_30d"))


def support(tickets: Frame, as_of: int) -> Frame:
    """Tickets to (person, tickets_90d, open_tickets, csat_avg_x100); satisfaction of tickets resolved by as_of."""
    since = as_of - rules.TICKET_WINDOW_DAYS * SECONDS_PER_DAY
    rows = tickets.filter(~nw.col("is_deleted") & ~nw.col("person").is_null())
    opened = ((nw.col("opened_ts") > since) & (nw.col("opened_ts") <= as_of)).fill_null(False)
    scored = (~nw.col("csat").is_null() & (nw.col("resolved_ts") <= as_of)).fill_null(False)
    rows = rows.with_columns(
        _opened=nw.when(opened).then(1).otherwise(0),
        _open=nw.when(nw.col("status").is_in(["resolved", "closed"])).then(0).otherwise(1),
        _scored=nw.when(scored).then(1).otherwise(0),
        _csat=nw.when(scored).then(nw.col("csat")).otherwise(0),
    )
    sums = rows.group_by("person").agg(
        tickets_90d=nw.col("_opened").sum(),
        open_tickets=nw.col("_open").sum(),
        _scored=nw.col("_scored").sum(),
        _csat=nw.col("_csat").sum(),
    )
    sums = sums.with_columns(nw.col(n).cast(_INT) for n in ("tickets_90d", "open_tickets", "_scored", "_csat"))
    some = nw.when(nw.col("_scored") > 0).then(nw.col("_scored"))
    return sums.with_columns(csat_avg_x100=half_up(100 * nw.col("_csat"), some)).drop("_scored", "_csat")


def freshness(*frames: Frame) -> Frame:
    """Rows of any silver tables to (person, used_ingest_ts), the latest arrival of any of a person's rows."""
    parts = [
        f.select("person", "ingest_ts")
        .filter(~nw.col("person").is_null())
        .group_by("person")
        .agg(used_ingest_ts=nw.col("ingest_ts").max())
        for f in frames
    ]
    return nw.concat(parts).group_by("person").agg(used_ingest_ts=nw.col("used_ingest_ts").max())
