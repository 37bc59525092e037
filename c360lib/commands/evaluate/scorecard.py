"""An evaluation as tables that people read, as JSON for machines, and as charts."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa

from c360lib import rules
from c360lib.commands.evaluate.costs import MEASURES, Cost
from c360lib.commands.evaluate.evaluate import Evaluation
from c360lib.identity import metrics
from c360lib.storage.files import replace_bytes, unlink, write_json
from c360lib.storage.workspace import EVALUATION_FILES, Workspace

LINK_BITS = rules.MODEL_LINK_WEIGHT_MILLIBITS / 1000
REVIEW_BITS = rules.MODEL_REVIEW_WEIGHT_MILLIBITS / 1000
MOST_MERGES_LISTED = 20
_MEANING = {
    "moved_cents": "lifetime value of accounts that are not with the most of their group (cents)",
    "opened": "person, purpose and channel that may be contacted against the person's own consent",
    "closed": "person, purpose and channel that may not be contacted though the person allows it",
    "redirected": "person, purpose and channel that may be contacted, but at another person's identifier",
    "churn_risk": "persons who have a wrong churn_risk in a profile (each profile counts)",
    "segment": "persons who have a wrong segment in a profile (each profile counts)",
    "value_tier": "persons who have a wrong value_tier in a profile (each profile counts)",
}


class Section(NamedTuple):
    """A title, sentences, and a table: names of its columns and rows of text; no columns: no table."""

    title: str
    sentences: tuple[str, ...]
    columns: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()


def sections(found: Evaluation) -> Iterator[Section]:
    """What was measured, in the order in which it is read."""
    yield _accuracy(found)
    yield Section(
        "By hard case",
        ("Over-merged: in a profile with another person. Under-merged: apart from an account of the same person.",),
        ("hard case", "accounts", "over-merged", "under-merged"),
        tuple((case or "none", *(f"{count:,}" for count in wrong)) for case, wrong in found.by_case.items()),
    )
    if found.curve or "curve" in found.notes:
        yield _curve(found)
    if found.reviews or "reviews" in found.notes:
        yield _reviews(found)
    if found.costs is not None:
        yield _costs(*found.costs)
        if found.costs[0]:
            yield _bad_merges(found.costs[0])


def _accuracy(found: Evaluation) -> Section:
    pairs, (precision, recall) = found.accuracy.pairs, found.accuracy.b_cubed
    shares = found.accuracy.shares
    rows = [(name, f"{count:,}", "") for name, count in found.counts.items()]
    rows += [
        ("pairwise precision", _share(shares["precision"]), f"{pairs.correct:,} of {pairs.predicted:,} joined pairs"),
        ("pairwise recall", _share(shares["recall"]), f"{pairs.correct:,} of {pairs.true:,} true pairs"),
        ("pairwise F1", _share(shares["f1"]), ""),
        ("B-cubed precision", _share(precision), "mean over accounts"),
        ("B-cubed recall", _share(recall), "mean over accounts"),
        ("B-cubed F1", _share(metrics.f1(precision, recall)), ""),
    ]
    told = f"Release {found.release}, as of {found.as_of}, identity {found.mode}."
    return Section("The published release", (told,), ("measure", "value", "of"), tuple(rows))


def _share(value: float) -> str:
    return f"{value:.6f}"


def _curve(found: Evaluation) -> Section:
    told = found.notes.get("curve") or (
        "Precision, recall and F1 of the profiles that would be. Thresholds that change nothing are left out."
    )
    marks = {LINK_BITS: "links from here", REVIEW_BITS: "is reviewed from here"}
    rows, before = [], None
    for point in found.curve:
        values = [f"{point['profiles']:,}", *(_share(point[name]) for name in ("precision", "recall", "f1"))]
        mark = marks.get(point["weight_bits"], "")
        if values != before or mark:
            rows.append((f"{point['weight_bits']:g}", *values, mark))
        before = values
    columns = ("link threshold (bits)", "profiles", "precision", "recall", "F1", "rules.py") if rows else ()
    return Section("By link threshold", (_weighed(found) + told,), columns, tuple(rows))


def _weighed(found: Evaluation) -> str:
    """What stands before figures of another matching than the release's."""
    return "" if found.weighed == found.mode else f"As a build with --identity {found.weighed} would stand. "


def _reviews(found: Evaluation) -> Section:
    told = [_weighed(found) + "A simulated steward answers the review queue from the truth, highest priority first."]
    if found.notes.get("reviews"):
        told.append(f"{found.notes['reviews'][:1].upper()}{found.notes['reviews'][1:]}.")
    hundred = [point for point in found.reviews if 0 < point["reviews"] <= 100]
    if hundred:
        gain = hundred[-1]["f1"] - found.reviews[0]["f1"]
        told.append(f"The first {hundred[-1]['reviews']} answers add {gain:.6f} to F1.")
    rows = tuple(
        (f"{p['reviews']}", f"{p['queue']:,}", *(_share(p[name]) for name in ("precision", "recall", "f1")))
        for p in found.reviews
    )
    columns = ("answers", "pairs still waiting", "precision", "recall", "F1") if rows else ()
    return Section("By steward reviews", tuple(told), columns, rows)


def _costs(bad: Sequence[Cost], missed: Sequence[Cost]) -> Section:
    rows = [("how many", f"{len(bad):,}", "", f"{len(missed):,}", "")]
    rows += [("accounts in them", *_both("accounts", bad, missed))]
    rows += [(_MEANING[name], *_both(name, bad, missed)) for name in MEASURES]
    return Section(
        "What wrong merges cost",
        (
            "The marts as published, beside those that the true clusters give. A bad merge is a profile with accounts "
            "of two or more persons; a missed merge is a person in two or more profiles.",
        ),
        ("measure", "bad merges", "each", "missed merges", "each"),
        tuple(rows),
    )


def _both(name: str, bad: Sequence[Cost], missed: Sequence[Cost]) -> tuple[str, str, str, str]:
    """Totals and means of a measure; what is not counted of missed merges is empty."""
    totals = [sum(getattr(cost, name) for cost in found) for found in (bad, missed)]
    means = [f"{total / len(found):.2f}" if found else "0" for total, found in zip(totals, (bad, missed), strict=True)]
    apart = ("", "") if name == "redirected" else (f"{totals[1]:,}", means[1])
    return f"{totals[0]:,}", means[0], *apart


def _bad_merges(bad: Sequence[Cost]) -> Section:
    most = sorted(bad, key=lambda cost: (-cost.moved_cents, cost.name))[:MOST_MERGES_LISTED]
    told = f"The {len(most)} with most value moved, of {len(bad):,}. Consent counts persons, purposes and channels."
    rows = tuple((cost.name, *(f"{value:,}" for value in cost[1:])) for cost in most)
    columns = ("profile", "persons", "accounts", *(name.replace("_", " ") for name in MEASURES))
    return Section("Bad merges", (told,), columns, rows)


# --- as text ----------------------------------------------------------------------------------------------------------
def text(found: Evaluation) -> str:
    """The evaluation for a terminal."""
    parts = []
    for section in sections(found):
        columns = [_aligned(cells) for cells in zip(section.columns, *section.rows, strict=True)]
        table = ["  ".join(row).rstrip() for row in zip(*columns, strict=True)]
        parts.append("\n".join([section.title, *section.sentences, *table]))
    return "\n\n".join(parts)


def _aligned(cells: Sequence[str]) -> list[str]:
    """A column of cells in one width, its name first; to the right where all are numbers.

    >>> _aligned(["name", "a"]), _aligned(["count", "7", "1,200"])
    (['name', 'a   '], ['count', '    7', '1,200'])
    """
    width = max(map(len, cells))
    is_number = all(re.fullmatch(r"-?[0-9][0-9,.]*|", cell) for cell in cells[1:])
    return [cell.rjust(width) if is_number else cell.ljust(width) for cell in cells]


def markdown(found: Evaluation) -> str:
    """The evaluation as a page."""
    lines = ["# Identity measured against the truth", ""]
    for section in sections(found):
        lines += [f"## {section.title}", "", *(part for told in section.sentences for part in (told, ""))]
        if section.columns:
            for row in (section.columns, ("---",) * len(section.columns), *section.rows):
                lines.append(f"| {' | '.join(row)} |")
            lines.append("")
    return "\n".join(lines)


def as_json(found: Evaluation) -> dict[str, Any]:
    """Everything that was measured, each point and each wrong merge."""
    pairs, (precision, recall) = found.accuracy.pairs, found.accuracy.b_cubed
    bad, missed = found.costs or ([], [])
    return {
        "release": found.release,
        "as_of": found.as_of,
        "identity": found.mode,
        "weighed": found.weighed,
        "counts": found.counts,
        "pairs": {**pairs._asdict(), **found.accuracy.shares},
        "b_cubed": {"precision": round(precision, 6), "recall": round(recall, 6)},
        "by_hard_case": {case: wrong._asdict() for case, wrong in found.by_case.items()},
        "thresholds_bits": {"link": LINK_BITS, "review": REVIEW_BITS},
        "curve": found.curve,
        "reviews": found.reviews,
        "notes": found.notes,
        "bad_merges": [cost._asdict() for cost in bad],
        "missed_merges": [cost._asdict() for cost in missed],
    }


def write(found: Evaluation, workspace: Workspace) -> tuple[list[Path], str]:
    """Write the report and its charts, in place of those of an earlier evaluation; gives the files, and a sentence
    where matplotlib is lacking.
    """
    page, record, *charts = map(workspace.evaluation_file, EVALUATION_FILES)
    replace_bytes(page, markdown(found).encode())
    write_json(record, as_json(found))
    for chart in charts:
        unlink(chart)
    if find_spec("matplotlib") is None:
        return [page, record], "no charts: matplotlib is not installed; install c360[course] to have them drawn"
    return [page, record, *_drawn(found, *charts)], ""


def _drawn(found: Evaluation, curve: Path, reviews: Path) -> Iterator[Path]:
    """Draw what has at least two points; gives the files."""
    from c360lib.plots import matching

    if len(found.curve) > 1:
        axes = matching.threshold_curve(pa.Table.from_pylist(found.curve).to_pandas(), LINK_BITS, REVIEW_BITS)
        matching.save(axes, curve)
        yield curve
    if len(found.reviews) > 1:
        matching.save(matching.f1_by_reviews(pa.Table.from_pylist(found.reviews).to_pandas()), reviews)
        yield reviews
