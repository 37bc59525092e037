"""Silver to the marts: one row per person, true for one moment.

Each measure table holds `person` and its columns; `customer_360` joins them to every person with a live account, so
that nobody vanishes for not having bought. A value depends on the person's own rows only: bands are fixed.
"""

from __future__ import annotations

from typing import Any

import narwhals as nw

from c360lib import rules
from c360lib.engines.base import Frame
from c360lib.engines.kernels import null_of
from c360lib.layers.measures import banded, half_up
from c360lib.rules import SECONDS_PER_DAY, Condition
from c360lib.schemas import GOLD

_INT = nw.Int64()
Expr = nw.Expr


def customer_360(
    base: Frame, value: Frame, activity: Frame, support: Frame, consents: Frame, used: Frame, as_of: int
) -> Frame:
    """One row per person with a live account: customer_360, still with `person`."""
    rows = base.filter(nw.col("live_record_count") > 0)
    for part in (value, activity, support, consents, used):
        rows = rows.join(part, on="person", how="left")
    zeros = (
        "order_count",
        "lifetime_value_cents",
        "rfm_frequency",
        "rfm_monetary_cents",
        "sessions_30d",
        "events_30d",
        "tickets_90d",
        "open_tickets",
    )
    rows = rows.with_columns(
        *(nw.col(n).fill_null(0) for n in zeros),
        nw.col("rfm_score").fill_null(rules.RFM_SCORE_WITHOUT_ORDER),
        as_of=nw.lit(as_of).cast(_INT),
        freshness_ts=nw.max_horizontal("accounts_ingest_ts", "used_ingest_ts"),
    )
    rows = _with_churn(rows).with_columns(value_tier=_tier(nw.col("lifetime_value_cents")))
    return rows.with_columns(segment=_segment()).select("person", *GOLD["customer_360"].column_names)


def _with_churn(rows: Frame) -> Frame:
    """Add churn_score, the sum of points of fixed bands, and churn_risk.

    >>> rows = {"rfm_recency_days": [3, 400], "sessions_30d": [9, 0], "open_tickets": [0, 2]}
    >>> rows = nw.from_dict({**rows, "csat_avg_x100": [500, 150]}, backend="polars").lazy()
    >>> _with_churn(rows).select("churn_score", "churn_risk").collect().rows()
    [(0, 'low'), (100, 'high')]
    """
    recency = (
        nw.when(nw.col("rfm_recency_days").is_null())
        .then(nw.lit(rules.CHURN_POINTS_WITHOUT_ORDER))
        .otherwise(banded(nw.col("rfm_recency_days"), rules.CHURN_RECENCY_POINTS_DAYS))
    )
    unhappy = (nw.col("csat_avg_x100") < rules.LOW_CSAT_BELOW_X100).fill_null(False)
    score = (
        recency
        + banded(nw.col("sessions_30d"), rules.CHURN_SESSIONS_POINTS)
        + banded(nw.col("open_tickets"), rules.CHURN_OPEN_TICKET_POINTS)
        + nw.when(unhappy).then(nw.lit(rules.CHURN_LOW_CSAT_POINTS)).otherwise(nw.lit(0))
    )
    rows = rows.with_columns(churn_score=score.cast(_INT))
    risk = (
        nw.when(nw.col("churn_score") >= rules.CHURN_HIGH_FROM_SCORE)
        .then(nw.lit("high"))
        .when(nw.col("churn_score") >= rules.CHURN_MEDIUM_FROM_SCORE)
        .then(nw.lit("medium"))
        .otherwise(nw.lit("low"))
    )
    return rows.with_columns(churn_risk=risk)


def _tier(cents: Expr) -> Expr:
    """The first of rules.VALUE_TIERS_CENTS that the value reaches.

    >>> nw.from_dict({"n": [0, 10**9]}, backend="polars").select(tier=_tier(nw.col("n")))["tier"].to_list()
    ['none', 'high']
    """
    expr: Any = None
    for at_least, name in rules.VALUE_TIERS_CENTS:
        expr = (nw if expr is None else expr).when(cents >= at_least).then(nw.lit(name))
    tier: Expr = expr.otherwise(nw.lit(rules.VALUE_TIERS_CENTS[-1][1]))
    return tier


def _segment() -> Expr:
    """The first of rules.SEGMENT_RULES that holds."""
    measures = {
        "R": banded(nw.col("rfm_recency_days"), rules.RFM_RECENCY_BANDS_DAYS),
        "F": banded(nw.col("rfm_frequency"), rules.RFM_FREQUENCY_BANDS_ORDERS),
        "M": banded(nw.col("rfm_monetary_cents"), rules.RFM_MONETARY_BANDS_CENTS),
    }
    found: Any = nw
    *tried, (other, _) = rules.SEGMENT_RULES
    for name, conditions in tried:
        held = [_holds(measures.get(each.measure, nw.col(each.measure)), each) for each in conditions]
        found = found.when(nw.all_horizontal(*held, ignore_nulls=False)).then(nw.lit(name))
    segment: Expr = found.otherwise(nw.lit(other))
    return segment


def _holds(measure: Expr, condition: Condition) -> Expr:
    if condition.at_least is not None:
        return measure >= condition.at_least
    return measure <= condition.at_most


def segment_summary(customers: Frame) -> Frame:
    """One row per segment: figures, or is_suppressed where the group is too small to publish."""
    rows = customers.with_columns(_high=nw.when(nw.col("churn_risk") == "high").then(1).otherwise(0))
    sums = rows.group_by("segment").agg(
        profile_count=nw.len(),
        lifetime_value_cents=nw.col("lifetime_value_cents").sum(),
        _score=nw.col("churn_score").sum(),
        high_churn_risk_count=nw.col("_high").sum(),
    )
    figures = ("profile_count", "lifetime_value_cents", "high_churn_risk_count", "average_churn_score_x100")
    sums = sums.with_columns(
        nw.col(n).cast(_INT) for n in ("profile_count", "lifetime_value_cents", "_score", "high_churn_risk_count")
    )
    sums = sums.with_columns(
        average_churn_score_x100=half_up(100 * nw.col("_score"), nw.col("profile_count")),
        is_suppressed=nw.col("profile_count") < rules.SMALLEST_SEGMENT_PROFILES,
    )
    shown = [nw.when(~nw.col("is_suppressed")).then(nw.col(n)).alias(n) for n in figures]
    return sums.with_columns(shown).select(GOLD["segment_summary"].column_names)


# --- for models -------------------------------------------------------------------------------------------------------
def features(customers: Frame) -> Frame:
    """One row per person: customer_features, what was knowable at event_timestamp."""
    renamed = customers.with_columns(event_timestamp=nw.col("as_of"), created_timestamp=nw.col("freshness_ts"))
    return renamed.select(GOLD["customer_features"].column_names)


def labels(customers: Frame, later_orders: Frame | None, as_of: int) -> Frame:
    """One row per person: customer_labels. `later_orders` are last states 90 days on; None: the data do not reach."""
    rows = customers.select("person", "profile_id", event_timestamp="as_of")
    if later_orders is None:
        return rows.select("profile_id", "event_timestamp", churned_90d=null_of(nw.col("event_timestamp") == 0))
    until = as_of + rules.LABEL_WINDOW_DAYS * SECONDS_PER_DAY
    bought = later_orders.filter(
        ~nw.col("is_deleted")
        & (nw.col("status") == "paid")
        & (nw.col("ordered_ts") > as_of)
        & (nw.col("ordered_ts") <= until)
    )
    bought = bought.select("person").unique("person").with_columns(_bought=nw.lit(True))
    rows = rows.join(bought, on="person", how="left")
    return rows.select("profile_id", "event_timestamp", churned_90d=nw.col("_bought").is_null())
