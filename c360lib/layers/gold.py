"""Silver to the marts: one row a person, true for one moment.

Each measure table holds `person` and its columns; `customer_360` joins them to every person with a live account, so
that nobody vanishes for not having bought. A value depends on the person's own rows only: bands are fixed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import narwhals as nw

from c360lib import rules
from c360lib.engines.base import Frame
from c360lib.engines.kernels import null_of, one_each
from c360lib.rules import SECONDS_PER_DAY, Band
from c360lib.schemas import GOLD

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


# --- the mart ---------------------------------------------------------------------------------------------------------
def profile_base(identified: Frame, people: Frame) -> Frame:
    """One row a person: customer_profile_base. Each group of values is that of the live account that knew it last."""
    live = identified.filter(~nw.col("is_deleted"))
    rows = people
    for group in SURVIVING_GROUPS:
        known = live.filter(~nw.all_horizontal(*(nw.col(n).is_null() for n in group), ignore_nulls=False))
        rows = rows.join(_newest(known).select("person", *group), on="person", how="left")
    return rows.with_columns(
        data_owner=nw.lit(rules.DATA_OWNER),
        pii_class=nw.lit(rules.PII_CLASS),
        contract_version=nw.lit(rules.CONTRACT_VERSION),
    )


SURVIVING_GROUPS = (
    ("first_name", "last_name"),
    ("email",),
    ("phone",),
    ("date_of_birth",),
    ("street", "city", "postcode", "country"),
    ("loyalty_id",),
)


def _newest(accounts: Frame) -> Frame:
    """Of each person the account with the latest event_ts; ties go to the smallest record_id."""
    rows = accounts.with_columns(_last=nw.col("event_ts").max().over("person")).filter(
        nw.col("event_ts") == nw.col("_last")
    )
    return one_each(rows, "person", "record_id")


def customer_360(
    base: Frame, value: Frame, activity: Frame, support: Frame, consents: Frame, used: Frame, as_of: int
) -> Frame:
    """One row a person with a live account: customer_360, still with `person`."""
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
    """Add churn_score, the sum of points of fixed bands, and churn_risk."""
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
    expr: Any = None
    for at_least, name in rules.VALUE_TIERS_CENTS:
        expr = (nw if expr is None else expr).when(cents >= at_least).then(nw.lit(name))
    tier: Expr = expr.otherwise(nw.lit(rules.VALUE_TIERS_CENTS[-1][1]))
    return tier


def _segment() -> Expr:
    """First rule that holds, in this order; see docs/data-dictionary.md."""
    recency = banded(nw.col("rfm_recency_days"), rules.RFM_RECENCY_BANDS_DAYS)
    frequency = banded(nw.col("rfm_frequency"), rules.RFM_FREQUENCY_BANDS_ORDERS)
    monetary = banded(nw.col("rfm_monetary_cents"), rules.RFM_MONETARY_BANDS_CENTS)
    return (
        nw.when(nw.col("rfm_frequency") == 0)
        .then(nw.lit("prospect"))
        .when(nw.col("clv_age_days") <= rules.NEW_CUSTOMER_DAYS)
        .then(nw.lit("new"))
        .when((recency >= 4) & (frequency >= 4) & (monetary >= 4))
        .then(nw.lit("champion"))
        .when((recency >= 3) & (frequency >= 3))
        .then(nw.lit("loyal"))
        .when(recency == 1)
        .then(nw.lit("lapsed"))
        .when((recency <= 2) & (frequency >= 2))
        .then(nw.lit("at_risk"))
        .otherwise(nw.lit("regular"))
    )


def segment_summary(customers: Frame) -> Frame:
    """One row a segment: figures, or is_suppressed where the group is too small to publish."""
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
    """One row a person: customer_features, what was knowable at event_timestamp."""
    renamed = customers.with_columns(event_timestamp=nw.col("as_of"), created_timestamp=nw.col("freshness_ts"))
    return renamed.select(GOLD["customer_features"].column_names)


def labels(customers: Frame, later_orders: Frame | None, as_of: int) -> Frame:
    """One row a person: customer_labels. `later_orders` are last states 90 days on; None: the data do not reach."""
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
