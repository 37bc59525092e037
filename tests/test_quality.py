"""Quality: each measure can fail or warn, the report says the same twice, identity is measured as defined."""

from __future__ import annotations

import copy
import csv
import json
import shutil
from collections.abc import Callable, Iterable
from itertools import combinations
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from c360lib import rules
from c360lib.generate import generate
from c360lib.generate.faults import inject
from c360lib.identity import metrics
from c360lib.quality import measures as quality
from c360lib.quality import report
from c360lib.quality.measures import CRITICAL, FAIL, INFO, PASS, WARN, Measure, identity_accuracy
from c360lib.release.build import build
from c360lib.schemas import RAW
from c360lib.sources import moments
from c360lib.storage.files import read_json
from c360lib.storage.workspace import Workspace

Rows = list[dict[str, str]]
FAULTS = ["consent_withdrawal_with_unreadable_time", "unknown_purpose", "negative_amount", "unreadable_email"]


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A release of 300 people, with some rows that cannot be used."""
    ours = Workspace(tmp_path_factory.mktemp("quality"))
    ours.generated.write(generate(300), {}, lambda raw: inject(raw, FAULTS) and None)
    assert build(ours, "polars").kept is None
    return ours


@pytest.fixture
def folder(published: Workspace, tmp_path: Path) -> Path:
    """A copy of the release that a test may change."""
    target = shutil.copytree(published.current_release(), tmp_path / "release", copy_function=shutil.copyfile)
    return Path(target)


@pytest.fixture
def record(published: Workspace) -> dict[str, Any]:
    """A copy of the release's manifest that a test may change."""
    return copy.deepcopy(published.manifest())


def measured(folder: Path, record: dict[str, Any], truth: pa.Table | None = None) -> dict[str, Measure]:
    """The measures of a release by name."""
    return {measure.name: measure for measure in quality.audit(folder, record, truth)}


def rows_of(folder: Path, table: str) -> Rows:
    """The rows of `layer/table`."""
    with (folder / f"{table}.csv").open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def put(folder: Path, table: str, rows: Rows) -> None:
    """Write rows as `layer/table`."""
    columns = (folder / f"{table}.csv").read_text("utf-8").splitlines()[0].split(",")
    with (folder / f"{table}.csv").open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, columns, restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def doctor(folder: Path, table: str, change: Callable[[Rows], Rows]) -> None:
    """Change the rows of `layer/table`."""
    put(folder, table, change(rows_of(folder, table)))


def verdict(measures: dict[str, Measure], name: str) -> tuple[str, str]:
    """Value and status of one measure."""
    return measures[name].value, measures[name].status


def test_a_sound_release_passes_where_it_must(published: Workspace) -> None:
    """What gates a release passes; every value that has a threshold has a status."""
    measures = measured(published.current_release(), published.manifest(), published.truth())
    expected = {
        "profile_coverage_rate": ("1", PASS),
        "duplicate_profile_count": ("0", PASS),
        "critical_null_rate": ("0", PASS),
        "paid_orders_without_time": ("0", PASS),
        "consent_leak_count": ("0", PASS),
        "unattributable_consent_events_rows": ("0", PASS),
        "customers_rows_unaccounted": ("0", PASS),
        "customers_field_issues": ("3", INFO),
        "unusable_steward_decisions": ("0", PASS),
        "steward_links_overruled": ("0", PASS),
    }
    assert expected == {name: verdict(measures, name) for name in expected}
    assert all((m.threshold == "") == (m.status == INFO) for m in measures.values())
    assert len(measures) == len(quality.audit(published.current_release(), published.manifest(), published.truth()))


def test_the_thresholds_are_those_of_the_contract() -> None:
    """Coverage must be whole; duplicates, critical nulls and consent leaks must be none."""
    assert (1.0, 0, 0.0, 0, 0, 0) == (
        rules.MIN_PROFILE_COVERAGE_RATE,
        rules.MAX_DUPLICATE_PROFILES,
        rules.MAX_CRITICAL_NULL_RATE,
        rules.MAX_CONSENT_LEAKS,
        rules.MAX_UNATTRIBUTABLE_ROWS,
        rules.MAX_OPENED_WITHOUT_GRANT,
    )


def test_the_critical_columns_are_those_of_the_contract() -> None:
    """profile_id, as_of, source_record_count, segment, value_tier, churn_risk and every consent."""
    assert {
        *("profile_id", "as_of", "source_record_count", "segment", "value_tier", "churn_risk"),
        *("consent_marketing", "consent_personalization", "consent_analytics"),
    } == set(CRITICAL)


# --- profiles ---------------------------------------------------------------------------------------------------------
def test_a_profile_that_is_not_there_fails_coverage(folder: Path, record: dict[str, Any]) -> None:
    """The rate counts live accounts: those of the missing profile are not covered."""
    live = [row["profile_id"] for row in rows_of(folder, "silver/customer_identity") if row["is_deleted"] == "false"]
    gone = rows_of(folder, "gold/customer_360")[0]["profile_id"]
    doctor(folder, "gold/customer_360", lambda rows: rows[1:])
    expected = (len(live) - live.count(gone)) / len(live)
    assert (f"{expected:.6f}", FAIL) == verdict(measured(folder, record), "profile_coverage_rate")


def test_deleted_accounts_need_no_profile(folder: Path, record: dict[str, Any]) -> None:
    """A person whose accounts are all deleted is in silver only."""
    profile = rows_of(folder, "gold/customer_360")[0]["profile_id"]
    doctor(folder, "gold/customer_360", lambda rows: rows[1:])
    deleted = {"is_deleted": "true"}
    doctor(
        folder,
        "silver/customer_identity",
        lambda rows: [{**row, **deleted} if row["profile_id"] == profile else row for row in rows],
    )
    assert ("1", PASS) == verdict(measured(folder, record), "profile_coverage_rate")


def test_a_repeated_profile_fails(folder: Path, record: dict[str, Any]) -> None:
    """Two rows more of one profile: two too many."""
    doctor(folder, "gold/customer_360", lambda rows: [*rows, rows[0], rows[0]])
    assert ("2", FAIL) == verdict(measured(folder, record), "duplicate_profile_count")


@pytest.mark.parametrize("column", CRITICAL)
def test_an_empty_critical_cell_fails(column: str, folder: Path, record: dict[str, Any]) -> None:
    """One empty cell of many thousand is one too many."""
    doctor(folder, "gold/customer_360", lambda rows: [{**rows[0], column: ""}, *rows[1:]])
    count = len(rows_of(folder, "gold/customer_360")) * len(CRITICAL)
    assert (f"{1 / count:.6f}", FAIL) == verdict(measured(folder, record), "critical_null_rate")


def test_another_empty_cell_does_not_fail(folder: Path, record: dict[str, Any]) -> None:
    """A person may have no e-mail."""
    doctor(folder, "gold/customer_360", lambda rows: [{**rows[0], "email": ""}, *rows[1:]])
    assert ("0", PASS) == verdict(measured(folder, record), "critical_null_rate")


def test_a_paid_order_without_a_time_warns(folder: Path, record: dict[str, Any]) -> None:
    """No window can hold it, so it counts in no value; deleted orders and those not paid need no time."""
    kinds = [("paid", "false", ""), ("paid", "true", ""), ("placed", "false", ""), ("paid", "false", "2026-01-01")]
    rows = [{"status": status, "is_deleted": gone, "ordered_ts": ordered} for status, gone, ordered in kinds]
    put(folder, "silver/orders", rows)
    assert ("1", WARN) == verdict(measured(folder, record), "paid_orders_without_time")


# --- consent ----------------------------------------------------------------------------------------------------------
def eligible(folder: Path, reason: str) -> tuple[str, str, str]:
    """Make the first row that is blocked for this reason eligible; gives its profile, purpose and channel."""
    rows = rows_of(folder, "gold/activation_candidates")
    row = next(row for row in rows if row["block_reason"] == reason)
    row |= {"eligible": "true", "block_reason": "", "identifier": "x@example.com"}
    put(folder, "gold/activation_candidates", rows)
    return row["profile_id"], row["purpose"], row["channel"]


@pytest.mark.parametrize(
    "reason", ["no_consent", "denied", "withdrawn", "expired", "account_deleted", "consent_unreadable"]
)
def test_a_blocked_row_made_eligible_is_a_leak(reason: str, folder: Path, record: dict[str, Any]) -> None:
    """Whatever blocked it, the second opinion sees that no grant holds, and names the row."""
    forged = eligible(folder, reason)
    assert ["|".join(forged)] == quality.consent_leaks(quality.Files(folder), record["as_of"])
    assert ("1", FAIL) == verdict(measured(folder, record), "consent_leak_count")


def proven(folder: Path) -> tuple[dict[str, str], dict[str, str]]:
    """An eligible marketing row, proven by a grant for its own channel, and that grant."""
    grants = {row["event_id"]: row for row in rows_of(folder, "silver/consent_events")}
    for row in rows_of(folder, "gold/activation_candidates"):
        proof = grants.get(row["consent_event_id"])
        if row["eligible"] == "true" and row["purpose"] == "marketing" and proof and proof["channel"] == row["channel"]:
            return row, proof
    raise LookupError


def test_a_proof_must_be_the_grant_of_this_row(folder: Path, record: dict[str, Any]) -> None:
    """No proof, an unknown one, one that denies, another person's, another purpose's, another channel's: leaks."""
    row, proof = proven(folder)
    events = rows_of(folder, "silver/consent_events")

    def other(**wanted: str) -> str:
        alike = {"status": "granted", "profile_id": row["profile_id"], "expires_ts": "", **wanted}
        made = {**proof, **alike, "event_id": "other"}
        put(folder, "silver/consent_events", [*events, made])
        return "other"

    candidates = rows_of(folder, "gold/activation_candidates")
    at = candidates.index(row)
    cases = {
        "none": lambda: "",
        "unknown": lambda: "nothing-of-the-kind",
        "denied": lambda: other(status="denied", event_ts="2000-01-01T00:00:00Z"),
        "other person": lambda: other(profile_id="P-crm:somebody"),
        "other purpose": lambda: other(purpose="analytics"),
        "other channel": lambda: other(channel="sms" if row["channel"] != "sms" else "push"),
    }
    for name, made in cases.items():
        put(folder, "silver/consent_events", events)
        candidates[at] = {**row, "consent_event_id": made()}
        put(folder, "gold/activation_candidates", candidates)
        assert (name, "1") == (name, measured(folder, record)["consent_leak_count"].value)
    put(folder, "silver/consent_events", events)
    for channel in ("any", "", row["channel"]):
        candidates[at] = {**row, "consent_event_id": other(channel=channel)}
        put(folder, "gold/activation_candidates", candidates)
        assert (channel, "0") == (channel, measured(folder, record)["consent_leak_count"].value)


@pytest.mark.parametrize(("expires", "leaks"), [(0, "1"), (-1, "1"), (1, "0")])
def test_a_grant_that_ended_is_a_leak(expires: int, leaks: str, folder: Path, record: dict[str, Any]) -> None:
    """Ended by as_of, the very second counted, is over; a second later it still holds."""
    row, _ = proven(folder)
    ends = {-1: "2026-06-30T23:59:58Z", 0: "2026-06-30T23:59:59Z", 1: "2026-07-01T00:00:00Z"}[expires]

    def ended(rows: Rows) -> Rows:
        return [{**e, "expires_ts": ends} if e["event_id"] == row["consent_event_id"] else e for e in rows]

    assert "2026-06-30T23:59:59Z" == record["as_of"]
    doctor(folder, "silver/consent_events", ended)
    assert leaks == measured(folder, record)["consent_leak_count"].value


def test_a_grant_of_a_deleted_account_is_a_leak(folder: Path, record: dict[str, Any]) -> None:
    """Who left did not leave a grant behind."""
    _, proof = proven(folder)

    def deleted(rows: Rows) -> Rows:
        return [{**r, "is_deleted": "true"} if r["record_id"] == proof["record_id"] else r for r in rows]

    doctor(folder, "silver/customer_identity", deleted)
    assert FAIL == measured(folder, record)["consent_leak_count"].status


@pytest.mark.parametrize("status", ["denied", "withdrawn"])
@pytest.mark.parametrize("channel", ["same", "any", ""])
@pytest.mark.parametrize("when", ["same second", "later"])
def test_a_block_at_or_after_the_grant_is_a_leak(
    status: str, channel: str, when: str, folder: Path, record: dict[str, Any]
) -> None:
    """A denial of the channel, or of every channel, beats a grant of the same second."""
    row, proof = proven(folder)
    block = {**proof, "event_id": "block", "status": status, "expires_ts": ""}
    block["channel"] = row["channel"] if channel == "same" else channel
    block["event_ts"] = proof["event_ts"] if when == "same second" else "2026-06-30T23:59:59Z"
    doctor(folder, "silver/consent_events", lambda rows: [*rows, block])
    assert FAIL == measured(folder, record)["consent_leak_count"].status


def test_a_block_before_the_grant_or_of_another_slot_is_none(folder: Path, record: dict[str, Any]) -> None:
    """Who changes their mind is believed; another purpose or channel says nothing."""
    row, proof = proven(folder)
    block = {**proof, "event_id": "block", "status": "denied"}
    other = next(c for c in rules.CHANNELS if c != row["channel"])
    blocks = [{**block, "event_ts": "2002-01-01T00:00:00Z"}, {**block, "event_id": "b2", "profile_id": "P-nobody"}]
    free = [r for r in rows_of(folder, "gold/activation_candidates") if r["profile_id"] == row["profile_id"]]
    if all(r["eligible"] == "false" for r in free if (r["purpose"], r["channel"]) == ("marketing", other)):
        blocks.append({**block, "event_id": "b3", "channel": other, "event_ts": "2026-06-30T23:59:59Z"})
    doctor(folder, "silver/consent_events", lambda rows: [*rows, *blocks])
    assert ("0", PASS) == verdict(measured(folder, record), "consent_leak_count")


@pytest.mark.parametrize("channel", ["same", ""])
def test_an_unsubscription_after_the_grant_is_a_leak(channel: str, folder: Path, record: dict[str, Any]) -> None:
    """Leaving a campaign withdraws marketing on its channel; without a channel, on all."""
    row, proof = proven(folder)
    touch = {
        **rows_of(folder, "silver/campaign_events")[0],
        "event_id": "left",
        "profile_id": row["profile_id"],
        "event_name": "unsubscribed",
        "channel": row["channel"] if channel == "same" else "",
        "event_ts": proof["event_ts"],
    }
    doctor(folder, "silver/campaign_events", lambda rows: [*rows, touch])
    assert FAIL == measured(folder, record)["consent_leak_count"].status


@pytest.mark.parametrize(
    ("rule", "account", "status"),
    [
        ("readable_line", {"_raw_base64": "eA=="}, FAIL),
        ("known_source_system", {"source_system": "X!", "customer_id": "1"}, FAIL),
        ("account_exists", {"source_system": "crm", "customer_id": " "}, FAIL),
        ("account_exists", {"source_system": "crm", "customer_id": "nobody-0000"}, PASS),
        ("readable_event_ts", {"source_system": "crm", "customer_id": "1"}, PASS),
    ],
)
def test_a_consent_row_of_nobody_fails(
    rule: str, account: dict[str, str], status: str, folder: Path, record: dict[str, Any]
) -> None:
    """Whom an unusable consent row blocks must be known; an account that is named and missing has no profile."""
    row = json.dumps({"event_id": "e", "purpose": "marketing", "channel": "email", **account})
    bad = {"source": "consent_events", "row_number": "9", "rule": rule, "detail": "", "row": row}
    other = {**bad, "source": "orders"}
    doctor(folder, "silver/quarantine", lambda rows: [*rows, bad, other])
    assert status == measured(folder, record)["unattributable_consent_events_rows"].status


def test_the_consent_rate_has_no_threshold(folder: Path, record: dict[str, Any]) -> None:
    """It is told and never judged, however low."""
    doctor(folder, "gold/customer_360", lambda rows: [{**row, "consent_marketing": "false"} for row in rows])
    assert ("0", INFO) == verdict(measured(folder, record), "marketing_consent_rate")


# --- sources ----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("source", RAW)
def test_a_row_that_vanished_fails(source: str, folder: Path, record: dict[str, Any]) -> None:
    """Rows in must be the sum of the dispositions, one too many or too few fails."""
    name = f"{source}_rows_unaccounted"
    for lost in (1, -1):
        changed = copy.deepcopy(record)
        changed["sources"][source]["rows"] += lost
        assert (str(lost), FAIL) == verdict(measured(folder, changed), name)
    assert ("0", PASS) == verdict(measured(folder, record), name)


@pytest.mark.parametrize(("bad", "status"), [(0, PASS), (5, PASS), (6, WARN), (99, WARN), (100, FAIL)])
def test_quarantine_warns_past_its_share_and_fails_when_nothing_is_left(
    bad: int, status: str, folder: Path, record: dict[str, Any]
) -> None:
    """Five in a hundred are tolerated; a source of which no row is usable stops the release."""
    record["sources"]["orders"] |= {"rows": 100, "dispositions": {"current": 100 - bad, "quarantined": bad}}
    assert status == measured(folder, record)["orders_quarantine_rate"].status


def test_what_a_source_lacks_or_has_too_much_warns(folder: Path, record: dict[str, Any]) -> None:
    """Columns outside the contract, optional ones that are absent, a file without rows, no file."""
    nothing = {"rows": 0, "dispositions": {}, "latest_ingest_ts": None}
    record["sources"]["orders"]["extra_columns"] = ["favourite_colour", "size"]
    record["sources"]["customers"]["absent_columns"] = ["street"]
    record["sources"]["clickstream"] |= {"present": False, **nothing}
    record["sources"]["campaign_events"] |= nothing
    measures = measured(folder, record)
    assert ("favourite_colour, size", WARN) == verdict(measures, "orders_extra_columns")
    assert ("street", WARN) == verdict(measures, "customers_absent_columns")
    assert ("1", WARN) == verdict(measures, "clickstream_missing_source")
    assert ("1", WARN) == verdict(measures, "campaign_events_empty_source")
    assert ("0", PASS) == verdict(measures, "clickstream_rows_unaccounted")
    assert WARN == quality.status(measures.values())
    assert not {"clickstream_freshness_hours", "clickstream_empty_source", "orders_missing_source"} & set(measures)


def test_unreadable_cells_are_counted(folder: Path, record: dict[str, Any]) -> None:
    """One measure for each source that has any."""
    issue = {"source": "orders", "row_number": "1", "column": "ordered_ts", "rule": "valid_ordered_ts", "value": "?"}
    doctor(folder, "silver/field_issues", lambda rows: [issue, {**issue, "row_number": "2"}])
    measures = measured(folder, record)
    assert ("2", INFO) == verdict(measures, "orders_field_issues")
    assert "customers_field_issues" not in measures


def test_unusable_steward_decisions_warn(folder: Path, record: dict[str, Any]) -> None:
    """A decision that cannot be read decides nothing, and somebody should know."""
    record["unusable_decisions"] = 2
    assert ("2", WARN) == verdict(measured(folder, record), "unusable_steward_decisions")


@pytest.mark.parametrize("source", rules.MAX_FRESHNESS_HOURS)
def test_old_data_warn(source: str, folder: Path, record: dict[str, Any]) -> None:
    """At the limit it passes, an hour past it warns; it never fails, and arrivals after as_of are not negative age."""
    limit = rules.MAX_FRESHNESS_HOURS[source]
    for hours, status in ((limit, PASS), (limit + 1, WARN), (10_000, WARN), (-5, PASS)):
        latest = moments.moment_text((moments.seconds_or_none(record["as_of"]) or 0) - hours * 3600)
        record["sources"][source]["latest_ingest_ts"] = latest
        assert (str(max(0, hours)), status) == verdict(measured(folder, record), f"{source}_freshness_hours")


# --- identity ---------------------------------------------------------------------------------------------------------
def test_identity_is_told(folder: Path, record: dict[str, Any]) -> None:
    """Refused edges, overruled stewards and blocked keys are counted; only the overruled warn."""
    edge = dict.fromkeys(("left_record_id", "right_record_id", "match_probability", "evidence"), "0")
    steward = {**edge, "match_rule": rules.STEWARD_RULE, "reason": "cannot_link"}
    put(folder, "silver/identity_review_queue", [steward, {**edge, "match_rule": "x", "reason": "two_birth_dates"}])
    put(folder, "silver/blocked_keys", [{"kind": "device", "key": "d", "account_count": "9", "account_limit": "5"}])
    pairs = [("a", "P"), ("b", "P"), ("c", "P"), ("d", "Q")]
    put(folder, "silver/customer_identity", [{"record_id": r, "profile_id": p, "is_deleted": "true"} for r, p in pairs])
    measures = measured(folder, record)
    assert ("2", INFO) == verdict(measures, "edges_for_review")
    assert ("1", WARN) == verdict(measures, "steward_links_overruled")
    assert ("1", INFO) == verdict(measures, "blocked_keys")
    assert ("200", INFO) == verdict(measures, "accounts_per_profile_x100")


LABELS = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), max_size=14)


@given(LABELS)
def test_pairs_are_counted_as_if_they_were_listed(labels: list[tuple[int, int]]) -> None:
    """Every pair of accounts, looked at one by one, gives the same counts."""
    pairs = list(combinations(labels, 2))
    expected = metrics.Pairwise(
        sum(a[0] == b[0] for a, b in pairs),
        sum(a == b for a, b in pairs),
        sum(a[1] == b[1] for a, b in pairs),
    )
    found = metrics.pairwise((p for p, _ in labels), (t for _, t in labels))
    assert expected == found
    assert 0 <= found.precision <= 1
    assert 0 <= found.recall <= 1


def test_precision_and_recall_where_there_is_nothing_to_find() -> None:
    """No predicted pair is a wrong one; no true pair is a missed one."""
    assert (1.0, 0.0) == (metrics.pairwise("abc", "xxx").precision, metrics.pairwise("abc", "xxx").recall)
    assert (0.0, 1.0) == (metrics.pairwise("aaa", "xyz").precision, metrics.pairwise("aaa", "xyz").recall)


@given(LABELS, st.integers(0, 14))
def test_accounts_are_measured_against_truth_by_record_id(labels: list[tuple[int, int]], unknown: int) -> None:
    """Order does not matter, and accounts that truth does not know, or the release does not have, do not count."""
    accounts = pa.table(
        {
            "record_id": pa.array([f"crm:{n}" for n in range(len(labels))], pa.string()),
            "profile_id": pa.array([f"P{p}" for p, _ in labels], pa.string()),
        }
    )
    known = list(range(unknown, len(labels)))[::-1]
    truth = pa.table(
        {
            "source_system": pa.array(["crm"] * (len(known) + 1), pa.string()),
            "customer_id": pa.array([*map(str, known), "elsewhere"], pa.string()),
            "person_id": pa.array([*(str(labels[n][1]) for n in known), "0"], pa.string()),
        }
    )
    counts = metrics.pairwise((labels[n][0] for n in known), (labels[n][1] for n in known))
    expected = [f"{counts.precision:.6f}", f"{counts.recall:.6f}"]
    assert expected == [measure.value for measure in identity_accuracy(accounts, truth)]


def test_identity_is_measured_where_truth_is_at_hand(published: Workspace) -> None:
    """Precision and recall stand in the audit with truth, and not without; people put together are one person."""
    folder, record = published.current_release(), published.manifest()
    names = {"identity_pairwise_precision", "identity_pairwise_recall"}
    with_truth = measured(folder, record, published.truth())
    assert names == set(with_truth) - set(measured(folder, record))
    assert 0.999 <= float(with_truth["identity_pairwise_precision"].value)
    assert 0.7 <= float(with_truth["identity_pairwise_recall"].value) < 1


# --- the report -------------------------------------------------------------------------------------------------------
def cells_of(line: str) -> list[str]:
    """The cells of a row of a Markdown table."""
    return [cell.strip() for cell in line.strip().strip("|").split("|")]


def told(lines: Iterable[str]) -> list[list[str]]:
    """The rows of the only table of a Markdown text."""
    return [cells_of(line) for line in lines if line.startswith("|")]


def test_both_reports_hold_the_same_measures(published: Workspace) -> None:
    """Markdown and JSON, as they are published, tell what an audit of the published files finds."""
    reports = published.opened_folder("reports")
    written = json.loads((reports / f"{report.NAME}.json").read_text("utf-8"))
    header, _, *rows = told((reports / f"{report.NAME}.md").read_text("utf-8").splitlines())
    measures = quality.audit(published.current_release(), published.manifest(), published.truth())
    assert ["measure", "value", "threshold", "status", "meaning"] == header
    assert [list(m._replace(threshold=m.threshold or "none")) for m in measures] == rows
    assert [m._asdict() for m in measures] == written["measures"]
    assert quality.status(measures) == written["status"]
    assert published.current() == written["release"]


def test_the_report_says_why_consent_is_no_target(published: Workspace) -> None:
    """The one rate without a threshold is explained where people read it."""
    text = (published.opened_folder("reports") / f"{report.NAME}.md").read_text("utf-8")
    assert "Why marketing_consent_rate has no threshold" in text


def test_the_worst_status_is_that_of_the_release() -> None:
    """Fail beats warn beats pass; info says nothing."""

    def of(*found: str) -> str:
        return quality.status([Measure("m", "", "", status, "") for status in found])

    assert [PASS, PASS, PASS, WARN, FAIL] == [of(), of(INFO), of(PASS, INFO), of(PASS, WARN), of(WARN, FAIL, PASS)]


def test_parquet_is_measured_like_csv(published: Workspace, tmp_path: Path) -> None:
    """The same data published in the other format give the same measures, leaks and nulls included."""
    ours = Workspace(tmp_path)
    shutil.copytree(published.raw, ours.raw)
    shutil.copytree(published.truth_file.parent, ours.truth_file.parent)
    result = build(ours, "polars", suffix="parquet")
    expected = quality.audit(published.current_release(), published.manifest(), published.truth())
    assert expected == result.measures


def test_an_empty_critical_cell_fails_in_parquet_too(published: Workspace, tmp_path: Path) -> None:
    """There an absent cell is null, not empty text."""
    import pyarrow.parquet as pq

    (tmp_path / "gold").mkdir()
    rows = rows_of(published.current_release(), "gold/customer_360")
    table = pa.table({name: pa.array([row[name] for row in rows]) for name in CRITICAL})
    doctored = table.set_column(1, "as_of", pa.array([None] + [row["as_of"] for row in rows[1:]], pa.string()))
    pq.write_table(doctored, tmp_path / "gold" / "customer_360.parquet")
    record = read_json(published.current_release() / "manifest.json")
    assert FAIL == measured(tmp_path, record)["critical_null_rate"].status
