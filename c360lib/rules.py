"""Every rule and threshold of the product, as data. Units end the names.

Changing a value here changes the answer, so the version below goes into every release id.
"""

from __future__ import annotations

from typing import NamedTuple

RULES_VERSION = "1.1.0"
CONTRACT_VERSION = "1.0.0"
DATA_OWNER = "customer-data-team"
PII_CLASS = "direct"
CURRENCY = "EUR"

# --- what holds unless somebody says otherwise -----------------------------------------------------------------------
DEFAULT_CUSTOMERS = 1_000
DEFAULT_SEED = 360
DEFAULT_AS_OF = "2026-06-30T23:59:59Z"
DEFAULT_ENGINE = "polars"
DEFAULT_IDENTITY = "deterministic"

# --- time -----------------------------------------------------------------------------------------------------------
SECONDS_PER_DAY = 86_400
CLOCK_SKEW_SECONDS = 300
SESSION_GAP_SECONDS = 1_800
ACTIVITY_WINDOW_DAYS = 30
TICKET_WINDOW_DAYS = 90
LABEL_WINDOW_DAYS = 90


# --- identity -------------------------------------------------------------------------------------------------------
class MatchRule(NamedTuple):
    """Two accounts whose normalised `columns` are all present and all equal are one person.

    `limit` is the number of accounts above which a key stops being evidence and is ignored. Rules stand from
    strongest to weakest; `weight` orders their edges when a component must be cut (higher is stronger).
    """

    name: str
    columns: tuple[str, ...]
    weight: int
    limit: int


MATCH_RULES = (
    MatchRule("loyalty_and_birth_date", ("loyalty_key", "date_of_birth"), 60, 10),
    MatchRule("email_first_name_and_birth_date", ("email_key", "first_name_key", "date_of_birth"), 50, 10),
    MatchRule("phone_first_name_and_birth_date", ("phone_key", "first_name_key", "date_of_birth"), 40, 10),
    MatchRule("full_name_and_birth_date", ("first_name_key", "last_name_key", "date_of_birth"), 30, 10),
    MatchRule("address_first_name_and_birth_date", ("street_key", "first_name_key", "date_of_birth"), 20, 10),
    MatchRule("email_phone_and_full_name", ("email_key", "phone_key", "first_name_key", "last_name_key"), 10, 10),
)
STEWARD_RULE = "steward_must_link"
STEWARD_WEIGHT = 1_000
DECLARED_PRIORITY_MILLIBITS = 1_000_000
MAX_CLUSTER_ACCOUNTS = 50
MAX_ACCOUNTS_PER_DEVICE = 5
MAX_LABEL_ROUNDS = 30


class Comparison(NamedTuple):
    """How two accounts compare on `columns`: the first of `levels` (name, SQL of l and r) that holds is the finding.

    Where a column of `needs` is absent on either side nothing is found, for or against.
    """

    name: str
    needs: tuple[str, ...]
    levels: tuple[tuple[str, str], ...]


def _text_levels(column: str, close: str, near: str) -> tuple[tuple[str, str], ...]:
    """Equal, close and near by similarity of spelling (Jaro-Winkler)."""
    alike = f"jaro_winkler_similarity(l.{column}, r.{column})"
    equal = ("equal", f"l.{column} = r.{column}")
    return equal, ("close", f"{alike} >= {close}"), ("near", f"{alike} >= {near}")


def _edit_levels(column: str, edits: int) -> tuple[tuple[str, str], ...]:
    """Equal, and apart by at most so many typing errors (Damerau-Levenshtein, and two cheap bounds of it)."""
    apart = f"abs(length(l.{column}) - length(r.{column}))"
    without_swaps = f"levenshtein(l.{column}, r.{column})"
    distance = f"damerau_levenshtein(l.{column}, r.{column})"
    equal = ("equal", f"l.{column} = r.{column}")
    return equal, *(
        (f"{n}_typed_wrong", f"{apart} <= {n} and {without_swaps} <= {2 * n} and {distance} <= {n}")
        for n in range(1, edits + 1)
    )


_SWAPPED = (
    "swapped",
    "jaro_winkler_similarity(l.first_plain, r.last_plain) >= 0.92 "
    "and jaro_winkler_similarity(l.last_plain, r.first_plain) >= 0.92",
)
# The first column of a comparison is the one it is about. Plain names have no accents.
COMPARISONS = (
    Comparison("first_name", ("first_plain", "last_plain"), (*_text_levels("first_plain", "0.92", "0.82"), _SWAPPED)),
    Comparison("last_name", ("last_plain", "first_plain"), (*_text_levels("last_plain", "0.92", "0.82"), _SWAPPED)),
    Comparison("date_of_birth", ("birth_text",), _edit_levels("birth_text", 2)),
    Comparison("email", ("email_key",), _edit_levels("email_key", 1)),
    Comparison("phone", ("phone_key",), _edit_levels("phone_key", 1)),
    Comparison("loyalty", ("loyalty_key",), _edit_levels("loyalty_key", 1)),
    Comparison("street", ("street_key",), _text_levels("street_key", "0.92", "0.82")),
    Comparison("city", ("city_key",), _text_levels("city_key", "0.92", "0.82")),
    Comparison("postcode", ("postcode_key",), _edit_levels("postcode_key", 1)),
)
# Accounts are compared where all columns of one of these are equal; `_start` columns are first letters,
# `names_in_order` is both names in alphabetical order. A wide rule has narrower ones that stand in where there are so
# many accounts that it gives too many pairs.
BLOCKING_RULES = (
    ("email_key",),
    ("phone_key",),
    ("loyalty_key",),
    ("first_name_key", "last_name_key"),
    ("names_in_order",),
    ("birth_text",),
    ("street_key",),
    ("last_name_key", "city_key"),
    ("first_name_key", "city_key"),
    ("birth_text", "first_name_start"),
    ("birth_text", "last_name_start"),
    ("birth_text", "postcode_key"),
    ("birth_text", "city_key"),
    ("street_key", "first_name_start"),
    ("street_key", "last_name_start"),
    ("street_key", "postcode_key"),
    ("first_name_key", "postcode_key"),
    ("last_name_key", "postcode_key"),
    ("postcode_key", "city_key", "first_name_start"),
    ("postcode_key", "last_name_start"),
    ("postcode_key", "first_name_start", "last_name_start"),
    ("last_name_key", "birth_year_text"),
    ("first_name_key", "birth_year_text"),
    ("last_name_key", "city_key", "first_name_start"),
    ("first_name_key", "city_key", "last_name_start"),
    ("last_name_key", "birth_year_text", "first_name_start"),
    ("first_name_key", "birth_year_text", "last_name_start"),
)
# m is estimated on pairs that one of these puts together, for the comparisons that use none of its columns. Street and
# postcode stand together: where many live in one street, a street alone would teach who lives at one place.
TRAINING_RULES = (
    ("first_plain", "last_plain"),
    ("birth_text",),
    ("street_key", "postcode_key"),
)
MODEL_RULE = "probabilistic"
MODEL_SEED = 360
MODEL_FORMAT = 2
MODEL_DECIMALS = 6
LEAST_PROBABILITY = 0.000_01
LEAST_M_PROBABILITY = 0.001
# Where accounts carry one of the contacts, families share them: then nothing personal may speak against a link.
CONTACTS = ("email_key", "phone_key", "loyalty_key")
PERSONAL_COMPARISONS = ("first_name", "date_of_birth", "email", "phone", "loyalty")
CONTRADICTION_BELOW_MILLIBITS = -2_000
MODEL_LINK_WEIGHT_MILLIBITS = 5_000
MODEL_REVIEW_WEIGHT_MILLIBITS = 0
MAX_PAIRS_PER_ACCOUNT_AND_BLOCKING_RULE = 5
MIN_PAIRS_PER_BLOCKING_RULE = 100_000
MAX_PAIRS_PER_ACCOUNT = 20
MIN_PAIRS = 1_000_000
MAX_TRAINING_ACCOUNTS = 100_000
MAX_TRAINING_PAIRS = 300_000
ASSUMED_DETERMINISTIC_RECALL = 0.7

# --- consent --------------------------------------------------------------------------------------------------------
PURPOSES = ("marketing", "personalization", "analytics")
CHANNELS = ("email", "sms", "push")
CHANNEL_IDENTIFIER = {"email": "email", "sms": "phone", "push": "record_id"}
UNSUBSCRIBE_PURPOSE = "marketing"
EARLIEST_CHOICE = "2002-01-01T00:00:00Z"
MAX_CHOICE_DELAY_DAYS = 30


# --- value, churn, segments -----------------------------------------------------------------------------------------
class Band(NamedTuple):
    """`score` holds for every value of at least `at_least`; bands stand from the highest `at_least` down."""

    at_least: int
    score: int


RFM_RECENCY_BANDS_DAYS = (Band(366, 1), Band(181, 2), Band(91, 3), Band(31, 4), Band(0, 5))
RFM_FREQUENCY_BANDS_ORDERS = (Band(10, 5), Band(6, 4), Band(3, 3), Band(2, 2), Band(0, 1))
RFM_MONETARY_BANDS_CENTS = (Band(100_000, 5), Band(50_000, 4), Band(20_000, 3), Band(5_000, 2), Band(0, 1))
RFM_SCORE_WITHOUT_ORDER = "111"

CHURN_RECENCY_POINTS_DAYS = (Band(366, 60), Band(181, 45), Band(91, 30), Band(31, 15), Band(0, 0))
CHURN_POINTS_WITHOUT_ORDER = 30
CHURN_SESSIONS_POINTS = (Band(3, 0), Band(1, 10), Band(0, 20))
CHURN_OPEN_TICKET_POINTS = (Band(1, 10), Band(0, 0))
CHURN_LOW_CSAT_POINTS = 10
LOW_CSAT_BELOW_X100 = 300
CHURN_MEDIUM_FROM_SCORE = 40
CHURN_HIGH_FROM_SCORE = 70

VALUE_TIERS_CENTS = ((75_000, "high"), (25_000, "middle"), (1, "low"), (0, "none"))
NEW_CUSTOMER_DAYS = 60


class Condition(NamedTuple):
    """`measure` is at least or at most so much; `measure` is a column of customer_360, or a digit of rfm_score."""

    measure: str
    at_least: int | None = None
    at_most: int | None = None


# The first whose conditions all hold, from the top; the last has none. R, F and M are the digits of rfm_score.
SEGMENT_RULES: tuple[tuple[str, tuple[Condition, ...]], ...] = (
    ("prospect", (Condition("rfm_frequency", at_most=0),)),
    ("new", (Condition("clv_age_days", at_most=NEW_CUSTOMER_DAYS),)),
    ("champion", (Condition("R", at_least=4), Condition("F", at_least=4), Condition("M", at_least=4))),
    ("loyal", (Condition("R", at_least=3), Condition("F", at_least=3))),
    ("lapsed", (Condition("R", at_most=1),)),
    ("at_risk", (Condition("R", at_most=2), Condition("F", at_least=2))),
    ("regular", ()),
)
SEGMENTS = tuple(name for name, _ in SEGMENT_RULES)
SMALLEST_SEGMENT_PROFILES = 10

# --- quality --------------------------------------------------------------------------------------------------------
MIN_PROFILE_COVERAGE_RATE = 1.0
MAX_DUPLICATE_PROFILES = 0
MAX_CRITICAL_NULL_RATE = 0.0
MAX_CONSENT_LEAKS = 0
MAX_UNATTRIBUTABLE_ROWS = 0
MAX_OPENED_WITHOUT_GRANT = 0
MAX_QUARANTINE_RATE = 0.05
MAX_FRESHNESS_HOURS = {
    "customers": 72,
    "orders": 48,
    "clickstream": 24,
    "support_tickets": 72,
    "campaign_events": 168,
    "consent_events": 72,
}

SURVIVING_GROUPS = (
    ("first_name", "last_name"),
    ("email",),
    ("phone",),
    ("date_of_birth",),
    ("street", "city", "postcode", "country"),
    ("loyalty_id",),
)
