"""The core of gold in hand-written DuckDB SQL; only the last step of identity runs on numpy arrays.

Times are TIMESTAMP or epoch seconds, accounts and persons are integers inside; text ids come back at the end.
"""

from __future__ import annotations

from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa

from bench import persons
from bench.tables import SCHEMAS
from c360lib import rules
from c360lib.rules import Band

TYPES = {
    "event_ts": "TIMESTAMP",
    "ingest_ts": "TIMESTAMP",
    "ordered_ts": "TIMESTAMP",
    "expires_ts": "TIMESTAMP",
    "lsn": "BIGINT",
    "net_amount_cents": "BIGINT",
}
SOURCES = ("customers", "orders", "clickstream", "campaign_events", "consent_events", "erasure_requests")
FOLDED = {"last_name_key": "last_name", "email_key": "email", "street_key": "street", "loyalty_key": "loyalty_id"}
# Letters whose folded form is their small letter (sharp s apart), no blank at the ends, no two blanks in a row.
ODD = "[^ -~À-ÖØ-öø-įŁ-ňŌ-ž]|  |^ | $"
FOLD = "CASE WHEN regexp_matches({0}, '" + ODD + "') THEN fold({0}) ELSE replace(lower({0}), 'ß', 'ss') END"

ACCOUNTS = """
CREATE TEMP TABLE accounts AS
WITH states AS (
    SELECT source_system, customer_id, min(event_ts) AS first_event_ts, arg_max(op, lsn) = 'd' AS is_deleted,
           arg_max({{first_name: first_name, last_name: last_name, email: email, phone: phone, street: street,
                    date_of_birth: date_of_birth, loyalty_id: loyalty_id}}, lsn) FILTER (op <> 'd') AS v
    FROM customers WHERE event_ts <= $as_of AND ingest_ts <= $as_of
    GROUP BY source_system, customer_id
), erased AS (
    SELECT source_system, customer_id FROM erasure_requests WHERE ingest_ts <= $as_of
), kept AS (
    SELECT source_system || ':' || customer_id AS record_id, regexp_replace(v.phone, '[^0-9]', '', 'g') AS digits, *
    FROM states ANTI JOIN erased USING (source_system, customer_id)
)
SELECT (row_number() OVER (ORDER BY first_event_ts, record_id) - 1)::INTEGER AS n,
       record_id, source_system, customer_id, is_deleted,
       v.email AS email, v.phone AS phone, v.date_of_birth::DATE AS date_of_birth,
       formal_name(v.first_name) AS first_name_key, {folded},
       CASE WHEN length(digits) >= 7 THEN right(digits, 9) END AS phone_key
FROM kept
"""

HOLDERS = """
SELECT list(n) AS members FROM accounts
WHERE {present} GROUP BY {columns} HAVING count(*) BETWEEN 2 AND {limit}
"""

PEOPLE = """
CREATE TEMP TABLE members AS
SELECT a.n, p.person, a.source_system, a.customer_id FROM accounts a JOIN anchors p USING (n);
CREATE TEMP TABLE people AS
SELECT person, 'P-' || o.record_id AS profile_id, row_number() OVER (ORDER BY o.record_id) AS place
FROM (SELECT DISTINCT m.person FROM members m JOIN accounts a USING (n) WHERE NOT a.is_deleted) live
JOIN accounts o ON o.n = live.person;
"""

IDENTITY = """
SELECT a.record_id, 'P-' || o.record_id AS profile_id
FROM members JOIN accounts a USING (n) JOIN accounts o ON o.n = members.person ORDER BY a.record_id
"""

VALUE = """
WITH last AS (
    SELECT source_system, order_id,
           arg_max({op: op, c: customer_id, paid: status = 'paid', cents: net_amount_cents, ts: ordered_ts}, lsn) AS v
    FROM orders WHERE event_ts <= $as_of AND ingest_ts <= $as_of
    GROUP BY source_system, order_id
), sums AS (
    SELECT m.person, count(*) AS orders, coalesce(sum(v.cents) FILTER (v.paid), 0)::BIGINT AS cents,
           count(*) FILTER (v.paid) AS paid_orders, count(DISTINCT v.ts::DATE) FILTER (v.paid) AS purchase_days,
           min(v.ts) FILTER (v.paid) AS first_at, max(v.ts) FILTER (v.paid) AS last_at
    FROM last JOIN members m ON m.source_system = last.source_system AND m.customer_id = v.c
    WHERE v.op <> 'd' GROUP BY m.person
), whole AS (
    SELECT profile_id, coalesce(orders, 0) AS orders, coalesce(cents, 0) AS cents,
           coalesce(paid_orders, 0) AS paid_orders, purchase_days, first_at, last_at,
           last_at::DATE AS last_day, first_at::DATE AS first_day, $as_of::DATE AS today
    FROM people LEFT JOIN sums USING (person)
)
SELECT profile_id, orders AS order_count, cents AS lifetime_value_cents,
       CASE WHEN paid_orders > 0 THEN (2 * cents + paid_orders) // (2 * paid_orders) END AS average_order_value_cents,
       epoch_us(first_at) // 1000000 AS first_order_ts, epoch_us(last_at) // 1000000 AS last_order_ts,
       today - last_day AS rfm_recency_days, paid_orders AS rfm_frequency, cents AS rfm_monetary_cents,
       CASE WHEN paid_orders = 0 THEN '{none}' ELSE {recency} || {frequency} || {monetary} END AS rfm_score,
       CASE WHEN paid_orders > 0 THEN purchase_days - 1 END AS clv_frequency,
       last_day - first_day AS clv_recency_days, today - first_day AS clv_age_days
FROM whole ORDER BY profile_id
"""

VISITS = """
CREATE TEMP TABLE visit_events AS
WITH events AS (
    SELECT coalesce(c.anonymous_id, chr(31) || m.n) AS visitor, epoch_us(c.event_ts) // 1000000 AS ts, c.event_id,
           m.n, m.person
    FROM clickstream c LEFT JOIN members m ON m.source_system = c.source_system AND m.customer_id = c.customer_id
    WHERE c.event_ts <= $as_of AND c.ingest_ts <= $as_of AND (c.customer_id IS NULL OR m.n IS NOT NULL)
          AND (c.anonymous_id IS NOT NULL OR m.n IS NOT NULL)
), steps AS (
    SELECT *, coalesce(ts - lag(ts) OVER (PARTITION BY visitor ORDER BY ts) > {gap}, true)::INTEGER AS begins
    FROM events
)
SELECT visitor, ts, event_id, n, person,
       sum(begins) OVER (PARTITION BY visitor ORDER BY ts ROWS UNBOUNDED PRECEDING)::INTEGER AS visit
FROM steps
"""

SEEN = """
CREATE TEMP TABLE blocked AS
SELECT visitor FROM visit_events WHERE n IS NOT NULL AND visitor[1] <> chr(31)
GROUP BY visitor HAVING min(n) <> max(n) AND count(DISTINCT n) > {device_limit};
CREATE TEMP TABLE moved AS
SELECT chr(31) || n AS visitor, ts, event_id, n, person FROM visit_events
WHERE visitor IN (FROM blocked)
      OR visitor IN (SELECT DISTINCT chr(31) || n FROM visit_events WHERE visitor IN (FROM blocked));
DELETE FROM visit_events WHERE visitor IN (FROM blocked) OR visitor IN (SELECT visitor FROM moved);
INSERT INTO visit_events BY NAME
WITH steps AS (
    SELECT *, coalesce(ts - lag(ts) OVER (PARTITION BY visitor ORDER BY ts) > {gap}, true)::INTEGER AS begins
    FROM moved WHERE n IS NOT NULL
)
SELECT visitor, ts, event_id, n, person,
       sum(begins) OVER (PARTITION BY visitor ORDER BY ts ROWS UNBOUNDED PRECEDING)::INTEGER AS visit
FROM steps;
CREATE TEMP TABLE visits AS
SELECT visitor, visit, min(person) AS person, max(person) AS other, max(ts) AS last_at,
       count(DISTINCT CASE WHEN ts > $as_of_s - {window} THEN event_id END) AS events
FROM visit_events GROUP BY visitor, visit
HAVING min(person) IS NOT NULL;
CREATE TEMP TABLE seen AS
SELECT visitor, visit, person, last_at, events FROM visits WHERE person = other
"""

MIXED = """
WITH mixed AS (
    SELECT e.* FROM visit_events e JOIN visits v USING (visitor, visit) WHERE v.person <> v.other
), given AS (
    SELECT visitor, visit, ts, event_id, coalesce(person,
        first_value(person IGNORE NULLS) OVER (w ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING),
        last_value(person IGNORE NULLS) OVER (w ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)) AS person
    FROM mixed WINDOW w AS (PARTITION BY visitor, visit ORDER BY ts, event_id)
)
INSERT INTO seen BY NAME
SELECT visitor, visit, person, max(ts) AS last_at,
       count(DISTINCT CASE WHEN ts > $as_of_s - {window} THEN event_id END) AS events
FROM given WHERE person IS NOT NULL GROUP BY visitor, visit, person;
DROP TABLE visits;
DROP TABLE visit_events;
"""

ACTIVITY = """
SELECT profile_id, coalesce(sessions, 0) AS sessions_30d, coalesce(events, 0)::BIGINT AS events_30d,
       last_at AS last_seen_ts
FROM people LEFT JOIN (
    SELECT person, count(*) FILTER (events > 0) AS sessions, sum(events) AS events, max(last_at) AS last_at
    FROM seen GROUP BY person
) USING (person) ORDER BY profile_id
"""

CHOICES = """
CREATE TEMP TABLE choices AS
WITH given AS (
    SELECT source_system, customer_id, purpose, coalesce(channel, 'any') AS channel, status, event_ts, expires_ts,
           event_id AS proof
    FROM consent_events WHERE (event_ts <= $as_of OR status <> 'granted') AND ingest_ts <= $as_of
    UNION ALL
    SELECT source_system, customer_id, '{unsubscribe}', coalesce(channel, 'any'), 'withdrawn', event_ts, NULL,
           'campaign_events:' || event_id
    FROM campaign_events WHERE event_name = 'unsubscribed' AND ingest_ts <= $as_of
)
SELECT p.place, s.slot, m.n, status, expires_ts, proof
FROM given JOIN members m USING (source_system, customer_id) JOIN people p USING (person)
     JOIN slots s USING (purpose, channel)
QUALIFY row_number() OVER (
    PARTITION BY p.place * 9 + s.slot ORDER BY event_ts DESC, status <> 'granted' DESC, proof DESC) = 1
"""

CONSENT = """
WITH known AS (
    SELECT c.place, c.slot, c.proof, CASE
        WHEN c.status <> 'granted' THEN c.status
        WHEN c.expires_ts <= $as_of THEN 'expired'
        WHEN a.is_deleted THEN 'account_deleted'
        WHEN s.channel = 'email' AND a.email IS NULL OR s.channel = 'sms' AND a.phone IS NULL THEN 'no_identifier'
        END AS block_reason
    FROM choices c JOIN slots s ON s.slot = c.slot AND NOT s.is_any JOIN accounts a USING (n)
)
SELECT p.profile_id, s.purpose, s.channel, k.place IS NOT NULL AND k.block_reason IS NULL AS eligible,
       CASE WHEN k.place IS NULL THEN 'no_consent' ELSE k.block_reason END AS block_reason, k.proof AS consent_event_id
FROM people p CROSS JOIN (FROM slots WHERE NOT is_any) s LEFT JOIN known k ON k.place = p.place AND k.slot = s.slot
ORDER BY p.place * 9 + s.slot
"""


def core(raw: Path, as_of: str) -> dict[str, pa.Table]:
    """The four tables of `SCHEMAS` at `as_of`, from the CSV files in `raw`."""
    connection = _connection(raw)
    connection.execute("SET VARIABLE as_of = $1::TIMESTAMP", [as_of])
    _accounts(connection)
    _people(connection)
    tables = {"identity": _table(connection, IDENTITY)}
    tables["value"] = _table(connection, _value())
    tables["activity"] = _activity(connection)
    tables["consent"] = _consent(connection)
    return {name: table.cast(SCHEMAS[name]) for name, table in tables.items()}


def identity(raw: Path, as_of: str) -> pa.Table:
    """Only who is who."""
    connection = _connection(raw)
    connection.execute("SET VARIABLE as_of = $1::TIMESTAMP", [as_of])
    _accounts(connection)
    _people(connection)
    return _table(connection, IDENTITY)


def _connection(raw: Path) -> duckdb.DuckDBPyConnection:
    """A database in memory with one view for each file."""
    connection = duckdb.connect()
    connection.execute("SET preserve_insertion_order = false; SET enable_progress_bar = false")
    for source in SOURCES:
        path = raw / f"{source}.csv"
        with path.open(encoding="utf-8") as file:
            names = file.readline().strip().split(",")
        columns = {name: TYPES.get(name, "VARCHAR") for name in names}
        connection.execute(
            f"CREATE VIEW {source} AS FROM read_csv('{_quoted(path)}', columns = {columns}, header = true, "
            """auto_detect = false, delim = ',', quote = '"', escape = '"', nullstr = '')"""
        )
    connection.create_function("fold", persons.fold, ["VARCHAR"], "VARCHAR")
    connection.create_function("formal_name", persons.formal_name, ["VARCHAR"], "VARCHAR")
    return connection


def _quoted(path: Path) -> str:
    return str(path).replace("'", "''")


def _run(connection: duckdb.DuckDBPyConnection, sql: str) -> None:
    connection.execute(_bound(sql))


def _table(connection: duckdb.DuckDBPyConnection, sql: str) -> pa.Table:
    return connection.sql(_bound(sql)).to_arrow_table()


def _bound(sql: str) -> str:
    """`$as_of` as the variable that `core` set."""
    seconds = "(epoch_us(getvariable('as_of')) // 1000000)"
    return sql.replace("$as_of_s", seconds).replace("$as_of", "getvariable('as_of')")


def _accounts(connection: duckdb.DuckDBPyConnection) -> None:
    """Table `accounts`: current values and match keys, numbered from the oldest."""
    folded = ", ".join(f"{FOLD.format(f'v.{column}')} AS {key}" for key, column in FOLDED.items())
    _run(connection, ACCOUNTS.format(folded=folded))


def _people(connection: duckdb.DuckDBPyConnection) -> None:
    """Tables `members` (account to person) and `people` (persons with a live account)."""
    dates = connection.execute("SELECT date_of_birth - DATE '1970-01-01' FROM accounts ORDER BY n").fetchnumpy()
    births = np.ma.filled(next(iter(dates.values())).astype(np.int64), persons.NO_DATE)
    person = persons.anchors(_holders(connection), births, lambda accounts: _record_ids(connection, accounts))
    anchors = pa.table({"n": np.arange(len(person), dtype=np.int32), "person": person.astype(np.int32)})
    connection.register("anchors", anchors)
    _run(connection, PEOPLE)


def _holders(connection: duckdb.DuckDBPyConnection) -> list[persons.Holders]:
    """The shared keys of each rule."""
    found = []
    for rule in rules.MATCH_RULES:
        present = " AND ".join(f"{column} IS NOT NULL" for column in rule.columns)
        sql = HOLDERS.format(present=present, columns=", ".join(rule.columns), limit=rule.limit)
        lists = _table(connection, sql)["members"].combine_chunks()
        offsets = np.from_dlpack(lists.offsets)
        if len(lists):
            found.append(persons.Holders(rule.weight, np.from_dlpack(lists.values), offsets[:-1], np.diff(offsets)))
    return found


def _record_ids(connection: duckdb.DuckDBPyConnection, accounts: persons.Ints) -> list[str]:
    connection.register("asked", pa.table({"n": accounts}))
    return [
        row[0]
        for row in connection.execute("SELECT record_id FROM accounts JOIN asked USING (n) ORDER BY n").fetchall()
    ]


def _bands(bands: tuple[Band, ...], column: str) -> str:
    """The score of a band as a CASE expression."""
    return "CASE " + " ".join(f"WHEN {column} >= {band.at_least} THEN '{band.score}'" for band in bands) + " END"


def _value() -> str:
    marks = {
        "{none}": rules.RFM_SCORE_WITHOUT_ORDER,
        "{recency}": _bands(rules.RFM_RECENCY_BANDS_DAYS, "today - last_day"),
        "{frequency}": _bands(rules.RFM_FREQUENCY_BANDS_ORDERS, "paid_orders"),
        "{monetary}": _bands(rules.RFM_MONETARY_BANDS_CENTS, "cents"),
    }
    sql = VALUE
    for mark, text in marks.items():
        sql = sql.replace(mark, text)
    return sql


def _activity(connection: duckdb.DuckDBPyConnection) -> pa.Table:
    """Visits with one person are summed as they are; only events of the others are looked at one by one."""
    numbers = {
        "gap": rules.SESSION_GAP_SECONDS,
        "window": rules.ACTIVITY_WINDOW_DAYS * rules.SECONDS_PER_DAY,
        "device_limit": rules.MAX_ACCOUNTS_PER_DEVICE,
    }
    for sql in (VISITS, SEEN, MIXED):
        _run(connection, sql.format(**numbers))
    return _table(connection, ACTIVITY)


def _consent(connection: duckdb.DuckDBPyConnection) -> pa.Table:
    """The latest choice of each person, purpose and channel, tested at `as_of`."""
    pairs = sorted((purpose, channel) for purpose in rules.PURPOSES for channel in rules.CHANNELS)
    rows = ", ".join(
        f"('{p}', '{c}', {slot}, false), ('{p}', 'any', {slot}, true)" for slot, (p, c) in enumerate(pairs)
    )
    _run(connection, f"CREATE TEMP TABLE slots AS FROM (VALUES {rows}) s(purpose, channel, slot, is_any)")
    _run(connection, CHOICES.format(unsubscribe=rules.UNSUBSCRIBE_PURPOSE))
    return _table(connection, CONSENT)
