"""Every table of the product: columns, kinds, units, key, grain. Data only; the data dictionary is generated from it.

Kinds say how a cell stands in a file (`at rest`) and inside a layer:

========  ==============================================  ====================================
kind      at rest                                         in a layer
========  ==============================================  ====================================
text      any text; empty means absent                    string, trimmed, never empty
int       decimal digits, at most 18                      64-bit integer
cents     as int, not negative (minor units of currency)  64-bit integer
ts        `YYYY-MM-DDTHH:MM:SSZ`, UTC                     64-bit integer, seconds since 1970
date      `YYYY-MM-DD`                                    64-bit integer, days since 1970
bool      `true` or `false`                               boolean
ratio     decimal fraction                                  64-bit float
========  ==============================================  ====================================
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from c360lib.rules import CHANNELS, CURRENCY, PURPOSES, SEGMENTS

Kind = Literal["text", "int", "cents", "ts", "date", "bool", "ratio"]


@dataclass(frozen=True)
class Column:
    """One column.

    `needed`: a row whose cell is absent is quarantined. `rule` names the truth that quarantines a row whose cell is
    there but unreadable; without a rule such a cell becomes null and is listed in field_issues.
    """

    name: str
    kind: Kind
    meaning: str
    allowed: tuple[str, ...] = ()
    needed: bool = False
    rule: str = ""
    pattern: str = ""


@dataclass(frozen=True)
class Table:
    """One table. `grain` is what a row is; `key` names the columns that are unique together."""

    name: str
    layer: Literal["raw", "truth", "steward", "bronze", "silver", "gold"]
    grain: str
    key: tuple[str, ...]
    columns: tuple[Column, ...]

    @property
    def column_names(self) -> tuple[str, ...]:
        """Names in file order."""
        return tuple(column.name for column in self.columns)

    @property
    def is_cdc(self) -> bool:
        """True where a row is one change of an entity: `lsn` orders its changes and the last one holds."""
        return "lsn" in self.key

    @property
    def entity(self) -> tuple[str, ...]:
        """The key of the entity that the rows tell about: the key without `lsn`."""
        return tuple(name for name in self.key if name != "lsn")

    def column(self, name: str) -> Column:
        """The column of that name; KeyError where there is none."""
        return {column.name: column for column in self.columns}[name]


def _ts(name: str, meaning: str, needed: bool = False, rule: str = "") -> Column:
    return Column(name, "ts", meaning, needed=needed, rule=rule)


def _text(
    name: str, meaning: str, allowed: tuple[str, ...] = (), needed: bool = False, rule: str = "", pattern: str = ""
) -> Column:
    return Column(name, "text", meaning, allowed, needed, rule, pattern)


def _key(name: str, meaning: str) -> Column:
    return _text(name, meaning, needed=True, rule="key_present")


# --- raw --------------------------------------------------------------------------------------------------------------
_ARRIVAL = (
    _ts("event_ts", "when it happened at the source", needed=True, rule="readable_event_ts"),
    _ts("ingest_ts", "when it arrived", needed=True, rule="readable_ingest_ts"),
)
_SYSTEM = _text(
    "source_system", "the system that sent the row", needed=True, rule="known_source_system", pattern="^[a-z0-9_]+$"
)
_OPTIONAL_SYSTEM = _text(
    "source_system", "the system whose account is named", rule="known_source_system", pattern="^[a-z0-9_]+$"
)
_CUSTOMER = _text("customer_id", "the account in that system", needed=True, rule="account_exists")
_OPTIONAL_CUSTOMER = _text("customer_id", "the account in that system; empty while unknown")
_CHANGE = (
    _text("op", "change kind: create, update, delete, read from a snapshot", ("c", "u", "d", "r"), True, "known_op"),
    Column("lsn", "int", "log sequence number; orders the changes of one entity", needed=True, rule="readable_lsn"),
    _text("tx_id", "transaction that made the change"),
)
_EMAIL_PATTERN = r"^[^@\s]+@[^@\s]+\.[^@\s]+$"
_PHONE_PATTERN = r"^\+?[0-9][0-9 ()./-]{4,24}$"
_STATUSES = ("granted", "denied", "withdrawn")

RAW: dict[str, Table] = {
    table.name: table
    for table in (
        Table(
            "customers",
            "raw",
            "one change of one source account (CDC)",
            ("source_system", "customer_id", "lsn"),
            (
                *_ARRIVAL,
                _SYSTEM,
                _key("customer_id", "the account in that system"),
                *_CHANGE,
                _text("first_name", "given name"),
                _text("last_name", "family name"),
                _text("email", "e-mail address", pattern=_EMAIL_PATTERN),
                _text("phone", "phone number as typed", pattern=_PHONE_PATTERN),
                Column("date_of_birth", "date", "date of birth"),
                _text("street", "street and house number"),
                _text("city", "town"),
                _text("postcode", "postal code"),
                _text("country", "ISO 3166-1 alpha-2 code; NA is Namibia"),
                _text("loyalty_id", "loyalty card number"),
            ),
        ),
        Table(
            "orders",
            "raw",
            "one change of one order (CDC)",
            ("source_system", "order_id", "lsn"),
            (
                *_ARRIVAL,
                _key("order_id", "order number"),
                _SYSTEM,
                _CUSTOMER,
                *_CHANGE,
                _text(
                    "status",
                    "state of the order",
                    allowed=("placed", "paid", "refunded", "cancelled"),
                    needed=True,
                    rule="known_status",
                ),
                _ts("ordered_ts", "when the customer ordered"),
                _text("currency", "ISO 4217 code", allowed=(CURRENCY,), needed=True, rule="accepted_currency"),
                Column(
                    "net_amount_cents",
                    "cents",
                    "amount without tax, in minor units",
                    needed=True,
                    rule="amount_not_negative",
                ),
            ),
        ),
        Table(
            "clickstream",
            "raw",
            "one behavioural event, append only",
            ("event_id",),
            (
                *_ARRIVAL,
                _key("event_id", "event id"),
                _text("anonymous_id", "device or browser"),
                _OPTIONAL_SYSTEM,
                _OPTIONAL_CUSTOMER,
                _text("event_name", "what was done"),
                _text("page", "page path"),
                _text("referrer", "where from"),
            ),
        ),
        Table(
            "support_tickets",
            "raw",
            "one change of one ticket (CDC)",
            ("source_system", "ticket_id", "lsn"),
            (
                *_ARRIVAL,
                _key("ticket_id", "ticket number"),
                *_CHANGE,
                _text("requester_email", "e-mail the ticket came from", pattern=_EMAIL_PATTERN),
                _SYSTEM,
                _OPTIONAL_CUSTOMER,
                _text("category", "subject"),
                _text("priority", "urgency", allowed=("low", "normal", "high", "urgent")),
                _text(
                    "status",
                    "state of the ticket",
                    allowed=("open", "pending", "resolved", "closed"),
                    needed=True,
                    rule="known_status",
                ),
                _ts("opened_ts", "when it was opened"),
                _ts("resolved_ts", "when it was resolved"),
                Column("csat", "int", "satisfaction, 1 (worst) to 5", allowed=("1", "2", "3", "4", "5")),
            ),
        ),
        Table(
            "campaign_events",
            "raw",
            "one campaign touch",
            ("event_id",),
            (
                *_ARRIVAL,
                _key("event_id", "event id"),
                _text("campaign_id", "campaign"),
                _SYSTEM,
                _CUSTOMER,
                _text("channel", "channel of the touch", allowed=CHANNELS),
                _text(
                    "event_name",
                    "what happened",
                    needed=True,
                    rule="known_event_name",
                    allowed=("sent", "opened", "clicked", "bounced", "unsubscribed"),
                ),
            ),
        ),
        Table(
            "consent_events",
            "raw",
            "one consent choice",
            ("event_id",),
            (
                *_ARRIVAL,
                _key("event_id", "event id; the proof of the choice"),
                _SYSTEM,
                _CUSTOMER,
                _text("purpose", "what the data may be used for", allowed=PURPOSES, needed=True, rule="known_purpose"),
                _text(
                    "channel",
                    "channel; any or empty means every channel",
                    allowed=(*CHANNELS, "any"),
                    rule="known_channel",
                ),
                _text("status", "the choice", allowed=_STATUSES, needed=True, rule="known_status"),
                _ts("expires_ts", "when a grant ends; empty: it does not", rule="readable_expires_ts"),
                _text("policy_version", "policy text the person saw"),
            ),
        ),
        Table(
            "erasure_requests",
            "raw",
            "one request to erase one account",
            ("request_id",),
            (*_ARRIVAL, _key("request_id", "request id"), _SYSTEM, _CUSTOMER),
        ),
    )
}

TRUTH = Table(
    "identity",
    "truth",
    "one source account",
    ("source_system", "customer_id"),
    (
        _SYSTEM,
        _CUSTOMER,
        _text("person_id", "the true person; read by metrics and lessons only, never by a layer"),
        _text("hard_case", "why this account is hard to match; empty: it is not"),
    ),
)

STEWARD = Table(
    "decisions",
    "steward",
    "one decision of a data steward on one pair of accounts",
    ("left_record_id", "right_record_id", "decided_ts", "decision"),
    (
        _key("left_record_id", "one account"),
        _key("right_record_id", "the other account"),
        _text("decision", "what holds for the pair", ("must_link", "cannot_link"), True, "known_decision"),
        _text("reviewer_role", "role of who decided"),
        _text("reason", "why"),
        _ts("decided_ts", "when; the latest decision on a pair holds", needed=True, rule="readable_decided_ts"),
    ),
)

# --- bronze -----------------------------------------------------------------------------------------------------------
LINEAGE = (
    _text("_source_file", "raw file the row came from"),
    Column("_row_number", "int", "place of the row in that file, from 1, header not counted"),
    _text("_row_hash", "64-bit fingerprint of the contract columns except ingest_ts, hexadecimal"),
    _text("_raw_base64", "bytes of a line that does not parse or decode, in base64; else empty"),
)
BRONZE: dict[str, Table] = {
    name: Table(
        f"{name}_bronze",
        "bronze",
        f"one raw row of {name}.csv, every column as text",
        ("_row_number",),
        (*(Column(c.name, "text", c.meaning) for c in table.columns), *LINEAGE),
    )
    for name, table in RAW.items()
}

# --- silver -----------------------------------------------------------------------------------------------------------
_RECORD = _text("record_id", "source account, source_system:customer_id")
_PROFILE = _text("profile_id", "resolved person")
_OPTIONAL_PROFILE = _text("profile_id", "resolved person; empty where none is known")
_DELETED = Column("is_deleted", "bool", "the source deleted it")
_TIMES = (_ts("event_ts", "when it happened at the source"), _ts("ingest_ts", "when it arrived"))
_PERSON = tuple(Column(c.name, c.kind, c.meaning) for c in RAW["customers"].columns[7:])
_EVIDENCE = (
    _text("left_record_id", "the smaller record_id of the pair"),
    _text("right_record_id", "the larger one"),
    _text("match_rule", "the rule that gave the evidence"),
)


REVIEWED = _PERSON


def _both(name: str, kind: Kind, meaning: str) -> tuple[Column, Column]:
    """A column for each side of a pair."""
    return Column(f"left_{name}", kind, f"left: {meaning}"), Column(f"right_{name}", kind, f"right: {meaning}")


def _value(source: str, *names: str) -> tuple[Column, ...]:
    return tuple(Column(c.name, c.kind, c.meaning) for c in RAW[source].columns if c.name in names)


SILVER: dict[str, Table] = {
    table.name: table
    for table in (
        Table(
            "customer_identity",
            "silver",
            "one source account",
            ("record_id",),
            (
                _RECORD,
                _text("source_system", "its system"),
                _text("customer_id", "its id there"),
                _PROFILE,
                _text("match_rule", "strongest accepted evidence for the account; empty: it stands alone"),
                Column("match_probability", "ratio", "probability of that evidence, 0 to 1; empty: it stands alone"),
                _ts("source_event_ts", "event_ts of the account's current state"),
                _DELETED,
            ),
        ),
        Table(
            "customer_profile_base",
            "silver",
            "one resolved person",
            ("profile_id",),
            (
                _PROFILE,
                *_PERSON,
                Column("source_record_count", "int", "accounts of the person, deleted ones too"),
                Column("live_record_count", "int", "accounts that are not deleted"),
                _ts("first_seen_ts", "first event of any account"),
                _ts("last_updated_ts", "latest current state of any account"),
                _text("data_owner", "who answers for the row"),
                _text("pii_class", "how personal the row is"),
                _text("contract_version", "version of this contract"),
            ),
        ),
        Table(
            "orders",
            "silver",
            "one order, its latest state",
            ("source_system", "order_id"),
            (
                _text("source_system", "its system"),
                _text("order_id", "order number"),
                _PROFILE,
                _RECORD,
                *_value("orders", "status", "currency", "net_amount_cents", "ordered_ts"),
                _DELETED,
                *_TIMES,
            ),
        ),
        Table(
            "clickstream",
            "silver",
            "one behavioural event",
            ("event_id",),
            (
                _text("event_id", "event id"),
                _text("session_id", "visit: its first event"),
                _OPTIONAL_PROFILE,
                _text("record_id", "account named by the event; empty: none was"),
                *_value("clickstream", "anonymous_id", "event_name", "page", "referrer"),
                *_TIMES,
            ),
        ),
        Table(
            "support_tickets",
            "silver",
            "one ticket, its latest state",
            ("source_system", "ticket_id"),
            (
                _text("source_system", "its system"),
                _text("ticket_id", "ticket number"),
                _OPTIONAL_PROFILE,
                _text("record_id", "account named by the ticket; empty: none was"),
                *_value(
                    "support_tickets",
                    "requester_email",
                    "category",
                    "priority",
                    "status",
                    "csat",
                    "opened_ts",
                    "resolved_ts",
                ),
                _DELETED,
                *_TIMES,
            ),
        ),
        Table(
            "campaign_events",
            "silver",
            "one campaign touch",
            ("event_id",),
            (
                _text("event_id", "event id"),
                _PROFILE,
                _RECORD,
                *_value("campaign_events", "campaign_id", "channel", "event_name"),
                *_TIMES,
            ),
        ),
        Table(
            "consent_events",
            "silver",
            "one consent choice",
            ("event_id",),
            (
                _text("event_id", "event id"),
                _PROFILE,
                _RECORD,
                *_value("consent_events", "purpose", "channel", "status", "expires_ts", "policy_version"),
                *_TIMES,
            ),
        ),
        Table(
            "erasure_requests",
            "silver",
            "one request to erase one account",
            ("request_id",),
            (_text("request_id", "request id"), _RECORD, *_TIMES),
        ),
        Table(
            "identity_edges",
            "silver",
            "one pair of accounts and one rule that says they are one person",
            ("left_record_id", "right_record_id", "match_rule"),
            (
                *_EVIDENCE,
                _text("rule_version", "version of the rule set"),
                Column(
                    "weight",
                    "int",
                    "strength of the rule; steward strongest, the model (0) weakest",
                ),
                Column("match_probability", "ratio", "probability that the pair is one person, 0 to 1"),
                _text("evidence", "columns that agree; of the model, bits for (+) and against (-) by comparison"),
                _text("outcome", "accepted, or refused by a constraint", allowed=("accepted", "refused")),
            ),
        ),
        Table(
            "identity_review_queue",
            "silver",
            "one pair of accounts of two persons that a steward should look at",
            ("left_record_id", "right_record_id"),
            (
                *_EVIDENCE[:2],
                *_both("profile_id", "text", "resolved person that the account is in now"),
                Column(
                    "priority",
                    "int",
                    "order of review, highest first: the model's weight in millibits; declared rules stand before it",
                ),
                _text("match_rule", "the strongest rule that gave the evidence"),
                _text(
                    "reason",
                    "the constraint that the edge would break, or unsure: the model does not link the pair by itself",
                    allowed=("two_birth_dates", "cannot_link", "cluster_too_large", "unsure"),
                ),
                Column("match_probability", "ratio", "probability that the pair is one person, 0 to 1"),
                _text("question", "why a person must look, in words"),
                _text("evidence", "what comparing the two finds, in words; bits of the model for (+) and against (-)"),
                *(both for c in REVIEWED for both in _both(c.name, c.kind, c.meaning)),
                *_both("is_deleted", "bool", "the source deleted the account"),
                *_both("value_cents", "cents", "lifetime value of the account's person"),
                Column("merged_value_cents", "cents", "the two together, if they are one person"),
            ),
        ),
        Table(
            "blocked_keys",
            "silver",
            "one identity key or device held by more accounts than its limit",
            ("kind", "key"),
            (
                _text("kind", "match rule, or device"),
                _text("key", "the key's values, joined with a bar"),
                Column("account_count", "int", "accounts that hold it"),
                Column("account_limit", "int", "most it may hold"),
            ),
        ),
        Table(
            "field_issues",
            "silver",
            "one cell that could not be read; it is null above, its row is kept",
            ("source", "row_number", "column"),
            (
                _text("source", "raw source"),
                Column("row_number", "int", "row in the raw file"),
                _text("column", "its column"),
                _text("rule", "the truth that the cell breaks"),
                _text("value", "the cell as it stands in bronze"),
            ),
        ),
        Table(
            "quarantine",
            "silver",
            "one raw row that no table can use",
            ("source", "row_number"),
            (
                _text("source", "raw source"),
                Column("row_number", "int", "row in the raw file"),
                _text("rule", "the truth that the row breaks"),
                _text("detail", "where and what"),
                _text("row", "the row as it stands in bronze, as JSON"),
            ),
        ),
    )
}

# --- gold -------------------------------------------------------------------------------------------------------------
_MEASURES = (
    Column("order_count", "int", "orders of any status that are not deleted"),
    Column("lifetime_value_cents", "cents", "sum of orders whose latest status is paid"),
    Column("average_order_value_cents", "cents", "lifetime value / paid orders, rounded half up"),
    _ts("first_order_ts", "first paid order"),
    _ts("last_order_ts", "last paid order"),
    Column("rfm_recency_days", "int", "days from the last paid order to as_of"),
    Column("rfm_frequency", "int", "paid orders"),
    Column("rfm_monetary_cents", "cents", "lifetime value"),
    _text("rfm_score", "three digits 1 to 5: recency, frequency, monetary"),
    Column("clv_frequency", "int", "distinct purchase days minus one (BTYD)"),
    Column("clv_recency_days", "int", "days from first to last purchase day (BTYD)"),
    Column("clv_age_days", "int", "days from first purchase day to as_of (BTYD)"),
    Column("sessions_30d", "int", "visits in the 30 days up to as_of"),
    Column("events_30d", "int", "behavioural events in the 30 days up to as_of"),
    _ts("last_seen_ts", "latest behavioural event"),
    Column("tickets_90d", "int", "tickets opened in the 90 days up to as_of"),
    Column("open_tickets", "int", "tickets neither resolved nor closed"),
    Column("csat_avg_x100", "int", "mean satisfaction of scored tickets resolved by as_of, times 100, rounded half up"),
    Column("churn_score", "int", "points 0 (stays) to 100 (leaves), from fixed bands"),
    _text("churn_risk", "band of churn_score", allowed=("low", "medium", "high")),
    _text("value_tier", "band of lifetime value", allowed=("none", "low", "middle", "high")),
    _text("segment", "rule-based segment", allowed=SEGMENTS),
)
_CONSENTS = tuple(
    Column(f"consent_{p}", "bool", f"every channel is granted for {p}; never used for activation") for p in PURPOSES
)

GOLD: dict[str, Table] = {
    table.name: table
    for table in (
        Table(
            "customer_360",
            "gold",
            "one person with at least one live account",
            ("profile_id",),
            (
                _PROFILE,
                _ts("as_of", "moment the row is true for"),
                Column("source_record_count", "int", "accounts of the person"),
                *(c for c in _PERSON if c.name in ("first_name", "last_name", "email", "phone", "country")),
                *_MEASURES,
                *_CONSENTS,
                _ts("freshness_ts", "latest ingest_ts of any row used"),
                _text("contract_version", "version of this contract"),
            ),
        ),
        Table(
            "activation_candidates",
            "gold",
            "one person, purpose and channel",
            ("profile_id", "purpose", "channel"),
            (
                _PROFILE,
                _text("purpose", "what the data may be used for", allowed=PURPOSES),
                _text("channel", "how the person would be reached", allowed=CHANNELS),
                Column("eligible", "bool", "true: a current grant covers exactly this purpose and channel"),
                _text(
                    "block_reason",
                    "why not; empty where eligible",
                    allowed=(
                        "no_consent",
                        "denied",
                        "withdrawn",
                        "expired",
                        "account_deleted",
                        "consent_unreadable",
                        "no_identifier",
                    ),
                ),
                _text("consent_event_id", "the event that proves the state"),
                _ts("evaluated_at", "as_of"),
                _text("identifier", "address of this channel on the account that granted; only where eligible"),
            ),
        ),
        Table(
            "segment_summary",
            "gold",
            "one segment",
            ("segment",),
            (
                _text("segment", "rule-based segment", allowed=SEGMENTS),
                Column("is_suppressed", "bool", "true: too few people to publish figures"),
                Column("profile_count", "int", "people"),
                Column("lifetime_value_cents", "cents", "their lifetime value"),
                Column("average_churn_score_x100", "int", "mean churn score, times 100, rounded half up"),
                Column("high_churn_risk_count", "int", "people of high churn risk"),
            ),
        ),
        Table(
            "customer_features",
            "gold",
            "one person at one moment, for models",
            ("profile_id", "event_timestamp"),
            (
                _PROFILE,
                _ts("event_timestamp", "as_of: what was knowable then"),
                _ts("created_timestamp", "latest ingest_ts used"),
                *(c for c in _MEASURES if c.kind in ("int", "cents")),
            ),
        ),
        Table(
            "customer_labels",
            "gold",
            "one person at one moment: what happened next",
            ("profile_id", "event_timestamp"),
            (
                _PROFILE,
                _ts("event_timestamp", "as_of"),
                Column(
                    "churned_90d",
                    "bool",
                    "no paid order in the 90 days after as_of; empty until the data reach that far",
                ),
            ),
        ),
    )
}


def published() -> tuple[Table, ...]:
    """Every silver and gold table, in the order in which they are written."""
    return (*SILVER.values(), *GOLD.values())
