"""Published files and thresholds to measures, a report and a gate.

Everything is measured on the files as they stand, not on what the build believes it wrote: the audit before a release
is published and `c360 validate` are the same code.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from c360lib import rules
from c360lib.identity.metrics import pairwise
from c360lib.quality.leaks import consent_leaks, opened_without_grant, unattributable
from c360lib.rules import PURPOSES
from c360lib.schemas import RAW
from c360lib.sources import moments
from c360lib.storage.files import Files, read_json

PASS, WARN, FAIL, INFO = "pass", "warn", "fail", "info"
CRITICAL = (
    "profile_id",
    "as_of",
    "source_record_count",
    "segment",
    "value_tier",
    "churn_risk",
    *(f"consent_{purpose}" for purpose in PURPOSES),
)


class Measure(NamedTuple):
    """One row of the report. `threshold` is empty where there is none, and the status is then info."""

    name: str
    value: str
    threshold: str
    status: str
    meaning: str


def status(measures: Iterable[Measure]) -> str:
    """The worst status of the measures: fail, warn or pass."""
    found = {measure.status for measure in measures}
    return FAIL if FAIL in found else WARN if WARN in found else PASS


def audit(folder: Path, record: dict[str, Any], truth: pa.Table | None, before: Path | None = None) -> list[Measure]:
    """Every measure of a release folder; `record` is its manifest, `truth` the true identity where it is at hand.

    `before` is the folder of the release that it follows; None where there was none or it is no longer kept.
    """
    files = Files(folder)
    return [
        *_profile_measures(files),
        *_consent_measures(files, record),
        *_opened_measures(files, record, before),
        _untimed_orders(files),
        *_source_measures(record, files),
        *_freshness_measures(record),
        *_identity_measures(files, truth),
        *_churn_measures(files, record.get("predecessor")),
        *_model_measures(record.get("identity", {})),
    ]


def _at_most(name: str, value: float, limit: float, meaning: str, otherwise: str = FAIL) -> Measure:
    return Measure(name, _number(value), f"at most {_number(limit)}", PASS if value <= limit else otherwise, meaning)


def _number(value: float) -> str:
    return str(int(value)) if float(value).is_integer() else f"{value:.6f}"


def _rate(part: int, whole: int) -> float:
    return part / whole if whole else 0.0


# --- profiles ---------------------------------------------------------------------------------------------------------
def _profile_measures(files: Files) -> list[Measure]:
    gold = files.read("customer_360", CRITICAL)
    accounts = files.read("customer_identity", ["profile_id", "is_deleted"])
    live = accounts.filter(pc.equal(accounts["is_deleted"], "false"))
    covered = pc.sum(pc.is_in(live["profile_id"], gold["profile_id"].unique())).as_py() or 0
    coverage = _rate(covered, len(live)) if len(live) else 1.0
    empty = sum(pc.sum(pc.equal(gold[name], "")).as_py() or 0 for name in CRITICAL)
    return [
        Measure(
            "profile_coverage_rate",
            _number(coverage),
            f"at least {_number(rules.MIN_PROFILE_COVERAGE_RATE)}",
            PASS if coverage >= rules.MIN_PROFILE_COVERAGE_RATE else FAIL,
            "live accounts with a profile in customer_360 / live accounts",
        ),
        _at_most(
            "duplicate_profile_count",
            len(gold) - pc.count_distinct(gold["profile_id"]).as_py(),
            rules.MAX_DUPLICATE_PROFILES,
            "rows of customer_360 minus distinct profile_id",
        ),
        _at_most(
            "critical_null_rate",
            _rate(empty, len(gold) * len(CRITICAL)),
            rules.MAX_CRITICAL_NULL_RATE,
            "empty cells / cells of the columns nobody can do without",
        ),
    ]


# --- consent ----------------------------------------------------------------------------------------------------------
def _consent_measures(files: Files, record: dict[str, Any]) -> list[Measure]:
    leaks = consent_leaks(files, record["as_of"])
    gold = files.read("customer_360", ["consent_marketing"])
    consenting = pc.sum(pc.equal(gold["consent_marketing"], "true")).as_py() or 0
    return [
        _at_most(
            "consent_leak_count",
            len(leaks),
            rules.MAX_CONSENT_LEAKS,
            "eligible rows that the consent events do not prove, looked for a second time and another way",
        ),
        *(
            _at_most(
                f"unattributable_{source}_rows",
                count,
                rules.MAX_UNATTRIBUTABLE_ROWS,
                f"unusable rows of {source} whose account cannot be read: nobody knows whom they would block",
            )
            for source, count in unattributable(files).items()
        ),
        Measure(
            "marketing_consent_rate",
            _number(_rate(consenting, len(gold))),
            "",
            INFO,
            "people who granted every marketing channel; never a target: a target would reward nagging",
        ),
    ]


def _opened_measures(files: Files, record: dict[str, Any], before: Path | None) -> list[Measure]:
    """What is open that the release before had shut; nothing where there was no release before."""
    name = "opened_without_grant"
    if record.get("predecessor") is None:
        return []
    if before is None:
        told = "not compared: the release before is no longer kept"
        return [Measure(name, "none", "", INFO, told)]
    if read_json(before / "manifest.json").get("recipe") != record.get("recipe"):
        told = "not compared: the release before was made from other generated data"
        return [Measure(name, "none", "", INFO, told)]
    opened = opened_without_grant(files, Files(before))
    first = f": {', '.join(opened[:3])}" if opened else ""
    meaning = (
        "slots that the release before had shut and that are open now without a new grant or a new decision of a "
        f"steward{first}"
    )
    return [_at_most(name, len(opened), rules.MAX_OPENED_WITHOUT_GRANT, meaning)]


def _untimed_orders(files: Files) -> Measure:
    orders = files.read("orders", ["status", "ordered_ts", "is_deleted"])
    live = pc.and_(pc.equal(orders["status"], "paid"), pc.equal(orders["is_deleted"], "false"))
    count = pc.sum(pc.and_(live, pc.equal(orders["ordered_ts"], ""))).as_py() or 0
    return _at_most(
        "paid_orders_without_time", count, 0, "paid orders whose ordered_ts cannot be read: left out of value", WARN
    )


# --- sources ----------------------------------------------------------------------------------------------------------
def _source_measures(record: dict[str, Any], files: Files) -> list[Measure]:
    found = []
    issues = Counter(files.read("field_issues", ["source"])["source"].to_pylist())
    contested = _contested_choices(files)
    for name in RAW:
        found += _one_source(name, record["sources"][name], contested if name == "consent_events" else 0)
        if issues[name]:
            found.append(
                Measure(
                    f"{name}_field_issues",
                    str(issues[name]),
                    "",
                    INFO,
                    "cells that could not be read: null above, listed in field_issues, their rows kept",
                )
            )
    found.append(
        _at_most(
            "unusable_steward_decisions",
            record["unusable_decisions"],
            0,
            "rows of decisions.csv that cannot be read; they decide nothing",
            WARN,
        )
    )
    return found


def _contested_choices(files: Files) -> int:
    """Consent rows that are quarantined for what another one says, and count all the same: each refusal, and every
    grant that all of them give.
    """
    rows = files.read("quarantine", ["source", "rule"])
    contested = pc.and_(pc.equal(rows["source"], "consent_events"), pc.equal(rows["rule"], "one_content_per_key"))
    return pc.sum(contested).as_py() or 0


def _one_source(name: str, source: dict[str, Any], contested: int) -> list[Measure]:
    """What became of the rows of one source, and what is unusual about its file."""
    counts, rows = source["dispositions"], source["rows"]
    told = ", ".join(f"{kind} {counts[kind]}" for kind in sorted(counts)) or "no rows"
    lost, quarantined = rows - sum(counts.values()), _rate(counts.get("quarantined", 0), rows)
    limit = rules.MAX_QUARANTINE_RATE
    state = FAIL if rows and quarantined == 1 and not contested else PASS if quarantined <= limit else WARN
    meaning = "quarantined rows / rows; fails only if no row at all is usable"
    found = [
        ("rows_unaccounted", str(lost), "exactly 0", PASS if lost == 0 else FAIL, f"{rows} rows in = {told}"),
        ("quarantine_rate", _number(quarantined), f"at most {_number(limit)}", state, meaning),
        *_unusual(name, source),
    ]
    return [Measure(f"{name}_{suffix}", *rest) for suffix, *rest in found]


def _unusual(name: str, source: dict[str, Any]) -> Iterator[tuple[str, str, str, str, str]]:
    """What warns about the file of a source: (suffix, value, threshold, status, meaning)."""
    if not source["present"]:
        told = f"{name}.csv is not there or has no bytes; taken as an empty table"
        yield "missing_source", "1", "exactly 0", WARN, told
    elif source["rows"] == 0 and name != "erasure_requests":  # that nobody asks to be erased is no news
        yield "empty_source", "1", "exactly 0", WARN, f"{name}.csv has a header but no rows"
    if extra := source["extra_columns"]:
        told = "columns outside the contract: kept in bronze, ignored above"
        yield "extra_columns", ", ".join(extra), "none", WARN, told
    if absent := source["absent_columns"]:
        told = "optional columns that the file does not have; taken as empty"
        yield "absent_columns", ", ".join(absent), "none", WARN, told


def _freshness_measures(record: dict[str, Any]) -> list[Measure]:
    as_of = moments.as_of(record)
    found = []
    for name, hours in rules.MAX_FRESHNESS_HOURS.items():
        latest = moments.latest_arrival(record, name)
        if latest is None:
            continue
        age = max(0, as_of - latest) // 3600
        found.append(
            _at_most(
                f"{name}_freshness_hours",
                age,
                hours,
                f"hours from the latest arrival, {latest}, to as_of; late data warn",
                WARN,
            )
        )
    return found


# --- identity ---------------------------------------------------------------------------------------------------------
def _identity_measures(files: Files, truth: pa.Table | None) -> list[Measure]:
    accounts = files.read("customer_identity", ["record_id", "profile_id"])
    queue = files.read("identity_review_queue", ["match_rule", "reason"])
    blocked = files.read("blocked_keys", ["kind"])
    overruled = sum(1 for row in queue.to_pylist() if row["match_rule"] == rules.STEWARD_RULE)
    found = [
        Measure(
            "accounts_per_profile_x100",
            _number(100 * len(accounts) // max(1, len(accounts["profile_id"].unique()))),
            "",
            INFO,
            "source accounts for each 100 people",
        ),
        Measure(
            "edges_for_review", str(len(queue)), "", INFO, "pairs that a constraint or the model leaves to a steward"
        ),
        _at_most(
            "steward_links_overruled",
            overruled,
            0,
            "must_link decisions that a cannot_link contradicts; cannot_link holds",
            WARN,
        ),
        Measure(
            "blocked_keys",
            str(len(blocked)),
            "",
            INFO,
            "keys and devices held by more accounts than their limit; ignored as evidence",
        ),
    ]
    if truth is not None:
        found += identity_accuracy(accounts, truth)
    return found


def _churn_measures(files: Files, before: dict[str, Any] | None) -> list[Measure]:
    """How many profile ids of the release before are no more; nothing where there was no release before."""
    if before is None:
        return []
    events = files.read("identity_events", ["event_number", "from_profile_id"])
    fresh = pc.greater(events["event_number"].cast(pa.int64()), before["events"])
    there = files.read("customer_identity", ["profile_id"])["profile_id"]
    left = events.filter(fresh)["from_profile_id"].unique()
    gone = len(left) - (pc.sum(pc.is_in(left, value_set=there.unique())).as_py() or 0)
    meaning = (
        f"profile ids of the release before that are no more (merged, moved, split up, retired) / all of them: {gone} "
        f"of {before['profiles']}; an id that is still there holds the account that it is made of"
    )
    return [Measure("profile_id_churn_rate", _number(_rate(gone, before["profiles"])), "", INFO, meaning)]


def _model_measures(told: dict[str, Any]) -> list[Measure]:
    """What a model that was asked for did; nothing where the declared rules were to stand alone."""
    if told.get("asked") != "probabilistic":
        return []
    if told["used"] != "probabilistic":
        meaning = "Splink is not installed, so the declared rules stand alone; install c360[identity]"
        return [Measure("identity_model", "none", "", WARN, meaning)]
    left_out = ", ".join(told["left_out"]) or "none"
    too_wide = "; ".join(told["too_wide"]) or "none"
    meaning = f"columns left out, empty or constant: {left_out}; blocking rules left out, too many pairs: {too_wide}"
    return [Measure("identity_model", f"splink {told['splink']}", "", INFO, meaning)]


def identity_accuracy(accounts: pa.Table, truth: pa.Table) -> list[Measure]:
    """Precision and recall of (record_id, profile_id) against truth, as rows of the quality report."""
    from c360lib.quality.measures import INFO, Measure

    known = pa.table(
        {
            "record_id": pc.binary_join_element_wise(truth["source_system"], truth["customer_id"], ":"),
            "person_id": truth["person_id"],
        }
    )
    joined = accounts.join(known, "record_id", join_type="inner")
    counts = pairwise(joined["profile_id"].to_pylist(), joined["person_id"].to_pylist())
    return [
        Measure(
            "identity_pairwise_precision",
            f"{counts.precision:.6f}",
            "",
            INFO,
            f"pairs of accounts put together that are one person: {counts.correct} of {counts.predicted}",
        ),
        Measure(
            "identity_pairwise_recall",
            f"{counts.recall:.6f}",
            "",
            INFO,
            f"pairs of accounts of one person that were put together: {counts.correct} of {counts.true}",
        ),
    ]
