"""Identity against the truth, beside counting pairs and beside real builds with that threshold or decisions."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from itertools import combinations
from pathlib import Path

import pytest

pytest.importorskip("splink", reason="needs the extra `identity`")

from click.testing import CliRunner

from c360lib import rules
from c360lib.cli import main
from c360lib.commands import steward
from c360lib.commands.evaluate import evaluate as evaluation
from c360lib.commands.evaluate import scorecard
from c360lib.commands.evaluate.evaluate import Evaluation, evaluate
from c360lib.errors import UsageError
from c360lib.generate import generate
from c360lib.identity.model import score
from c360lib.release.build import build
from c360lib.storage.files import read_csv, read_json
from c360lib.storage.workspace import EVALUATION_FILES, Workspace
from tests.support import FAST

SHARES = ("precision", "recall", "f1")


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A release of 300 people, weighed by a model that stands in data/models."""
    ours = Workspace(tmp_path_factory.mktemp("evaluation"))
    ours.generated.write(generate(300, 7), {})
    build(ours, FAST, identity="probabilistic")
    model = ours.current_release() / "identity" / "model.json"
    (ours.data / "models").mkdir()
    shutil.copy(model, ours.data / "models" / "identity.json")
    return ours.root


@pytest.fixture(scope="module")
def found(root: Path) -> Evaluation:
    """What is measured of it."""
    return evaluate(root, FAST)


@pytest.fixture
def copy(root: Path, tmp_path: Path) -> Workspace:
    """A copy that a test may change."""
    return Workspace(shutil.copytree(root, tmp_path / "copy"))


def shares_of(workspace: Workspace) -> dict[str, float]:
    """Precision, recall and F1 of a published release, by looking at every pair of accounts."""
    person = {
        f"{row['source_system']}:{row['customer_id']}": row["person_id"]
        for row in read_csv(workspace.truth_file).to_pylist()
    }
    rows = read_csv(workspace.table_file("silver", "customer_identity")).to_pylist()
    pairs = list(combinations([(row["profile_id"], person[row["record_id"]]) for row in rows], 2))
    both = sum(a == b for a, b in pairs)
    joined, true = (sum(a[end] == b[end] for a, b in pairs) for end in (0, 1))
    precision, recall = both / joined, both / true
    f1 = 2 * precision * recall / (precision + recall)
    return {name: round(value, 6) for name, value in zip(SHARES, (precision, recall, f1), strict=True)}


def test_the_release_is_measured_as_counting_every_pair_measures_it(root: Path, found: Evaluation) -> None:
    """Pairwise shares, and the counts of accounts, profiles and persons."""
    ours = Workspace(root)
    rows = read_csv(ours.table_file("silver", "customer_identity")).to_pylist()
    known = {f"{r['source_system']}:{r['customer_id']}": r["person_id"] for r in read_csv(ours.truth_file).to_pylist()}
    accounts = [row["record_id"] for row in rows]
    expected = [len(rows), len(rows), len({r["profile_id"] for r in rows}), len({known[a] for a in accounts})]
    assert expected == list(found.counts.values())
    assert shares_of(ours) == found.accuracy.shares
    assert sum(wrong.accounts for wrong in found.by_case.values()) == len(rows)


def point_at(found: Evaluation, bits: float) -> dict[str, float]:
    """The shares of the curve at a threshold."""
    [point] = [point for point in found.curve if point["weight_bits"] == bits]
    return {name: point[name] for name in SHARES}


def test_a_point_of_the_curve_is_a_build_with_that_threshold(
    found: Evaluation, copy: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The threshold in use gives the release; another one gives what building with it gives."""
    assert found.accuracy.shares == point_at(found, rules.MODEL_LINK_WEIGHT_MILLIBITS / 1000)
    recalls = [point["recall"] for point in found.curve]
    changed = next(p["weight_bits"] for p in found.curve if p["recall"] < recalls[0] - 0.01)
    monkeypatch.setattr(score.scores, "__defaults__", (int(changed) * 1000, 0))
    shutil.rmtree(copy.releases)
    build(copy, FAST, identity="probabilistic")
    assert shares_of(copy) == point_at(found, changed)


def test_the_curve_ends_where_declared_rules_stand_alone(found: Evaluation, copy: Workspace) -> None:
    """Above every weight the model links nothing; a higher threshold never finds more."""
    build(copy, FAST, identity="deterministic")
    assert shares_of(copy) == {name: found.curve[-1][name] for name in SHARES}
    profiles = [point["profiles"] for point in found.curve]
    assert sorted(profiles) == profiles


def test_simulated_answers_give_what_the_same_decisions_give_in_a_build(
    root: Path, copy: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first answers in the order of the queue, written as a steward would, and built."""
    monkeypatch.setattr(evaluation, "REVIEW_STEP", 5)
    found = evaluate(root, FAST, reviews=5, with_curve=False, with_costs=False)
    assert [0, 5] == [point["reviews"] for point in found.reviews]
    person = {f"{r['source_system']}:{r['customer_id']}": r["person_id"] for r in read_csv(copy.truth_file).to_pylist()}
    for row in steward.queue(copy)[:5]:
        left, right = row["left_record_id"], row["right_record_id"]
        what = "must_link" if person[left] == person[right] else "cannot_link"
        steward.decide(copy, left, right, what, "test", "from the truth")
    build(copy, FAST, identity="probabilistic")
    assert found.accuracy.shares != shares_of(copy)
    assert shares_of(copy) == {name: found.reviews[-1][name] for name in SHARES}


def test_reviews_find_what_is_missed_and_break_nothing(root: Path, found: Evaluation) -> None:
    """F1 does not fall, steps are of 25 answers, the queue empties; decisions of the user are neither made nor lost."""
    f1 = [point["f1"] for point in found.reviews]
    assert sorted(f1) == f1
    assert found.reviews[-1]["f1"] > found.accuracy.shares["f1"]
    answers = [int(point["reviews"]) for point in found.reviews]
    assert list(range(0, answers[-1], 25)) == [n for n in answers if n % 25 == 0 and n != answers[-1]]
    assert 0 == found.reviews[-1]["queue"]
    assert re.fullmatch(r"the queue was empty after \d+ of 200 answers", found.notes["reviews"])
    assert not Workspace(root).steward_file.exists()


def test_the_engine_does_not_count(root: Path, found: Evaluation) -> None:
    """The default one gives the same reviews and costs."""
    again = evaluate(root, reviews=25, with_curve=False)
    assert (found.reviews[:2], found.costs) == (again.reviews, again.costs)


def test_no_reviews_are_no_reviews(root: Path) -> None:
    """Nothing is tried out where nothing is asked for."""
    plain = evaluate(root, FAST, reviews=0, with_curve=False, with_costs=False)
    assert ([], [], None, {}) == (plain.curve, plain.reviews, plain.costs, plain.notes)


def test_a_planted_bad_merge_is_found_and_told(copy: Workspace) -> None:
    """A wrong must_link is the one bad merge; every account of its profile is over-merged."""
    rows = read_csv(copy.table_file("silver", "customer_identity")).to_pylist()
    alone = [row["record_id"] for row in rows if row["match_rule"] == "" and row["is_deleted"] == "false"][:2]
    steward.decide(copy, *alone, "must_link", "test", "a mistake")
    build(copy, FAST, identity="probabilistic")
    bad = evaluate(copy.root, FAST, reviews=0, with_curve=False)
    assert bad.costs is not None
    [merge] = bad.costs[0]
    assert (2, 2) == (merge.parts, merge.accounts)
    assert 2 == sum(wrong.over_merged for wrong in bad.by_case.values())
    assert f"| {merge.name} | 2 | 2 | {merge.moved_cents:,} |" in scorecard.markdown(bad)


# --- a deterministic release ------------------------------------------------------------------------------------------
def test_declared_rules_have_no_threshold(copy: Workspace, found: Evaluation) -> None:
    """It is said, with the option that weighs now; that gives the curve of a probabilistic release."""
    build(copy, FAST, identity="deterministic")
    plain = evaluate(copy.root, FAST, with_costs=False)
    assert "deterministic" == plain.mode
    assert [] == plain.curve
    assert "declared rules alone decided" in plain.notes["curve"]
    weighed = evaluate(copy.root, FAST, "probabilistic", with_costs=False)
    assert (found.curve, found.reviews) == (weighed.curve, weighed.reviews)
    assert plain.accuracy == weighed.accuracy
    assert "As a build with --identity probabilistic would stand." in scorecard.text(weighed)


def test_without_splink_the_rest_is_measured(root: Path, found: Evaluation, monkeypatch: pytest.MonkeyPatch) -> None:
    """The release as it stands and what its mistakes cost need no Splink; who asks for weighing is told what to do."""
    monkeypatch.setattr(score, "is_installed", lambda: False)
    without = evaluate(root, FAST)
    assert (found.accuracy, found.costs) == (without.accuracy, without.costs)
    assert ([], []) == (without.curve, without.reviews)
    assert "install c360[identity]" in scorecard.text(without)
    with pytest.raises(UsageError, match=r"Splink is not installed; install c360\[identity\]"):
        evaluate(root, FAST, "probabilistic")


# --- what cannot be measured ------------------------------------------------------------------------------------------
def _write(text: str) -> Callable[[Path], object]:
    return lambda path: path.write_text(text, "utf-8")


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (Path.unlink, "not found; to evaluate identity it must be known who really is who"),
        (_write(""), "empty; to evaluate identity"),
        (_write("customer_id,person_id\n1,2\n"), "got none named source_system"),
        (_write("source_system,customer_id,person_id\ncrm,nobody,1\n"), r"none of its 1 accounts is in release"),
        (_write("source_system,customer_id,person_id\na,1,x\na,1,y\n"), "a:1: expected one person, got x and y"),
    ],
)
def test_a_truth_that_cannot_be_used_is_told(change: Callable[[Path], object], expected: str, copy: Workspace) -> None:
    """The file, what was expected, what was found."""
    change(copy.truth_file)
    with pytest.raises(UsageError, match=expected) as told:
        evaluate(copy.root, FAST)
    assert str(copy.truth_file) in str(told.value)


def test_nothing_published_is_told(tmp_path: Path) -> None:
    """How to get a release."""
    told = CliRunner().invoke(main, ["evaluate", str(tmp_path)])
    assert (2, "") == (told.exit_code, told.stdout)
    assert "nothing is published here yet; run `c360 run` or `c360 build` first" in told.stderr


def test_decisions_made_since_the_build_are_told(copy: Workspace) -> None:
    """What is tried out must begin at the release; the release itself can still be measured."""
    [row, *_] = steward.queue(copy)
    steward.decide(copy, row["left_record_id"], row["right_record_id"], "must_link", "test", "since")
    with pytest.raises(UsageError, match="run `c360 build` first"):
        evaluate(copy.root, FAST)
    assert evaluate(copy.root, FAST, reviews=0, with_curve=False, with_costs=False).curve == []


# --- the report -------------------------------------------------------------------------------------------------------
def test_the_report_stands_beside_the_release_and_is_the_same_twice(copy: Workspace, found: Evaluation) -> None:
    """Printed and written; the published files stay whole, and reset takes the report away."""
    before = {path.name for path in (copy.root / "reports").iterdir()}
    told = CliRunner().invoke(main, ["evaluate", str(copy.root), "--engine", FAST])
    assert (0, "") == (told.exit_code, told.stderr)
    assert told.stdout.startswith(scorecard.text(found))
    files = [copy.evaluation_file(ending) for ending in EVALUATION_FILES]
    first = [path.read_bytes() for path in files if path.exists()]
    assert scorecard.markdown(found).encode() == first[0]
    assert json.loads(json.dumps(scorecard.as_json(found))) == read_json(files[1])
    assert 0 == CliRunner().invoke(main, ["evaluate", str(copy.root), "--engine", FAST]).exit_code
    assert first == [path.read_bytes() for path in files if path.exists()]
    assert [] == copy.verify()
    (copy.root / "reports" / "identity_evaluation_notes.md").write_text("mine", "utf-8")
    copy.reset()
    left = {path.name for path in (copy.root / "reports").iterdir()}
    assert {"identity_evaluation_notes.md"} == left
    assert not before & left


def test_charts_that_no_longer_hold_are_removed(copy: Workspace) -> None:
    """An evaluation without a curve leaves none of an earlier one; without matplotlib the extra is named."""
    pytest.importorskip("matplotlib", reason="needs the extra `course`")
    curve = copy.evaluation_file("_threshold_curve.png")
    curve.write_bytes(b"old")
    plain = evaluate(copy.root, FAST, reviews=0, with_curve=False, with_costs=False)
    files, lacking = scorecard.write(plain, copy)
    assert ([".md", ".json"], "") == ([path.suffix for path in files], lacking)
    assert not curve.exists()


def test_without_matplotlib_the_extra_is_named(
    copy: Workspace, found: Evaluation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The tables are written all the same."""
    monkeypatch.setattr(scorecard, "find_spec", lambda name: None)
    files, lacking = scorecard.write(found, copy)
    assert [".md", ".json"] == [path.suffix for path in files]
    assert "no charts: matplotlib is not installed; install c360[course] to have them drawn" == lacking
