"""A steward's decisions: written whole or not at all, dated so that they count, and kept through every rebuild."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from c360lib.commands import steward
from c360lib.errors import BusyError, ContractError, UsageError
from c360lib.generate import generate
from c360lib.release.build import build
from c360lib.schemas import RAW
from c360lib.storage import files
from c360lib.storage.files import read_csv
from c360lib.storage.workspace import Workspace
from tests.support import Row, account, order

TWINS = {"email": "j@x.y", "phone": "0305553333", "first_name": "Jo", "last_name": "Clash"}
OTHERS = {"email": "k@x.y", "phone": "0305554444", "first_name": "Al", "last_name": "Lang"}
ROWS = (
    account("a", **TWINS, date_of_birth="1950-01-01"),
    account("b", **TWINS, date_of_birth="1980-01-01"),
    account("c", **OTHERS, date_of_birth="1960-01-01"),
    account("d", "2026-02-01", **OTHERS, date_of_birth="1960-01-11"),
    account("e", "2026-03-01", "2026-06-30", **OTHERS, date_of_birth="1960-01-11", street="X 1"),
    order("1", "a"),
)
HEADER = "left_record_id,right_record_id,decision,reviewer_role,reason,decided_ts\n"


def put(root: Path, rows: Iterable[Row] = ROWS) -> Workspace:
    """A workspace whose raw files hold these rows."""
    ours = Workspace(root)
    ours.raw.mkdir(parents=True)
    for name in {row.source for row in rows}:
        with ours.raw_file(name).open("w", encoding="utf-8", newline="") as stream:
            writer = csv.DictWriter(stream, RAW[name].column_names)
            writer.writeheader()
            writer.writerows(row.cells for row in rows if row.source == name)
    return ours


def homes(ours: Workspace) -> dict[str, str]:
    """The profile of each account."""
    rows = read_csv(ours.table_file("silver", "customer_identity")).to_pylist()
    return {row["record_id"]: row["profile_id"] for row in rows}


def pairs(ours: Workspace) -> list[str]:
    """The pairs that wait."""
    return [f"{row['left_record_id']} {row['right_record_id']}" for row in steward.queue(ours)]


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A root whose queue holds two questions."""
    root = tmp_path_factory.mktemp("steward")
    build(put(root), "polars")
    return root


@pytest.fixture
def ours(published: Path, tmp_path: Path) -> Workspace:
    """A copy that a test may change."""
    return Workspace(shutil.copytree(published, tmp_path / "copy"))


def decide(ours: Workspace, what: str, left: str = "crm:a", right: str = "crm:b", at: int | None = None) -> str:
    """A decision by a data steward for a reason."""
    return steward.decide(ours, left, right, what, "data-steward", "asked them", at)


# --- the queue --------------------------------------------------------------------------------------------------------
def test_one_question_for_each_two_persons(ours: Workspace) -> None:
    """Accounts d and e are one person, so what holds for c and d holds for c and e."""
    assert 3 == len(read_csv(ours.table_file("silver", "identity_review_queue")))
    assert ["crm:a crm:b", "crm:c crm:d"] == pairs(ours)


def test_the_strongest_question_comes_first(ours: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    """By priority as a number, then by record_id."""
    rows = read_csv(ours.table_file("silver", "identity_review_queue"))
    at = rows.column_names.index("priority")
    changed = rows.set_column(at, "priority", [["900", "7", "1000"]])
    monkeypatch.setattr(
        steward, "read_table", lambda path, *c: changed if "queue" in path.name else files.read_table(path, *c)
    )
    assert ["crm:c crm:e", "crm:a crm:b"] == pairs(ours)


@pytest.mark.parametrize("what", steward.DECISIONS)
def test_a_decided_pair_is_not_asked_again_before_the_build_or_after(ours: Workspace, what: str) -> None:
    """Whichever two accounts of the two persons were decided."""
    decide(ours, what, "crm:e", "crm:c")
    assert ["crm:a crm:b"] == pairs(ours)
    build(ours, "polars")
    assert ["crm:a crm:b"] == pairs(ours)
    assert (what == steward.MUST_LINK) == (homes(ours)["crm:c"] == homes(ours)["crm:d"])


# --- the file ---------------------------------------------------------------------------------------------------------
def test_the_first_decision_makes_the_file(ours: Workspace) -> None:
    """With the columns of the contract; cells as they were said, without the space around."""
    stamp = steward.decide(ours, "crm:a", "crm:b", "must_link", " data-steward ", "typo\n")
    assert "2026-06-30T00:00:00Z" == stamp
    assert HEADER + f"crm:a,crm:b,must_link,data-steward,typo,{stamp}\n" == ours.steward_file.read_text("utf-8")


def test_what_stands_there_stays_byte_for_byte(ours: Workspace) -> None:
    """Another order of columns, one column more, one less, other line ends, no end of the last line, a row nobody
    can use: all kept, and the new row follows the header.
    """
    before = b"\xef\xbb\xbfdecided_ts,note,decision,left_record_id,right_record_id,reason\r\nsoon,,x,y,z,\xff"
    ours.steward_file.parent.mkdir()
    ours.steward_file.write_bytes(before)
    decide(ours, "must_link")
    added = b"\n2026-06-30T00:00:00Z,,must_link,crm:a,crm:b,asked them\n"
    assert before + added == ours.steward_file.read_bytes()
    build(ours, "polars")
    assert homes(ours)["crm:a"] == homes(ours)["crm:b"]


@pytest.mark.parametrize("reason", ['one, "two"', "two\nlines", "a\r\nb", '"', "İpek \u2028 ☂", "'; --", "a\rb"])
def test_any_text_of_a_reason_is_read_back(ours: Workspace, reason: str) -> None:
    """Commas, quotes and line ends do not break the row, nor the next one."""
    steward.decide(ours, "crm:a", "crm:b", "must_link", "data-steward", reason)
    decide(ours, "must_link", "crm:c", "crm:d")
    assert [reason, "asked them"] == [row["reason"] for row in steward.decisions(ours)]


def test_a_file_that_would_swallow_the_decision_is_refused(ours: Workspace) -> None:
    """A quote that never closes may end at a quote of the new row; the file is left as it is. A row without quotes
    can be told apart, and is taken.
    """
    ours.steward_file.parent.mkdir()
    ours.steward_file.write_text(HEADER + 'crm:c,crm:d,must_link,"open\n', "utf-8")
    before = ours.steward_file.read_bytes()
    with pytest.raises(ContractError, match="could not be read back"):
        steward.decide(ours, "crm:a", "crm:b", "must_link", "data-steward", ", as I said")
    assert before == ours.steward_file.read_bytes()
    decide(ours, "must_link")
    assert ["crm:a"] == [row["left_record_id"] for row in steward.decisions(ours)]


def test_a_file_without_the_columns_is_refused(ours: Workspace) -> None:
    """The message names the column."""
    ours.steward_file.parent.mkdir()
    ours.steward_file.write_text("left_record_id,right_record_id,decision\n", "utf-8")
    with pytest.raises(ContractError, match="missing required column decided_ts"):
        decide(ours, "must_link")


def test_a_death_while_writing_leaves_what_was_there(ours: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file changes in one step."""
    decide(ours, "must_link")
    before = ours.steward_file.read_bytes()

    def die(_: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(files.os, "fsync", die)
    with pytest.raises(KeyboardInterrupt):
        decide(ours, "cannot_link")
    assert before == ours.steward_file.read_bytes()


def test_reviewers_at_once_lose_no_line(ours: Workspace) -> None:
    """Four of them, ten decisions each, on one pair: every row is there, and no two have one second."""
    with ThreadPoolExecutor(4) as pool:
        stamps = list(pool.map(lambda n: decide(ours, steward.DECISIONS[n % 2]), range(40)))
    assert 40 == len(set(stamps))
    assert sorted(stamps) == [row.rsplit(",", 1)[1] for row in ours.steward_file.read_text("utf-8").splitlines()[1:]]


def test_a_decision_waits_for_a_build_but_not_for_ever(ours: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    """A build must not read half of what is decided while it runs."""
    monkeypatch.setattr(steward, "LOCK_WAIT_SECONDS", 0.1)
    with ours.locked(), pytest.raises(BusyError):
        decide(ours, "must_link")
    assert not ours.steward_file.exists()


# --- time -------------------------------------------------------------------------------------------------------------
DAY_END = 1782863999  # 2026-06-30T23:59:59Z


@pytest.mark.parametrize("order_of_words", [("must_link", "cannot_link"), ("cannot_link", "must_link")])
@pytest.mark.parametrize("at", [None, DAY_END - 5])
def test_the_last_word_holds_also_within_one_second(
    ours: Workspace, order_of_words: tuple[str, str], at: int | None
) -> None:
    """A tie would go to cannot_link, so the second decision is dated a second later; it counts when built again."""
    first, second = (decide(ours, what, at=at) for what in order_of_words)
    assert first < second <= "2026-06-30T23:59:59Z"
    build(ours, "polars", as_of="2026-06-30")
    assert (order_of_words[1] == "must_link") == (homes(ours)["crm:a"] == homes(ours)["crm:b"])


def test_the_order_of_the_two_accounts_does_not_matter(ours: Workspace) -> None:
    """It is one pair."""
    assert decide(ours, "must_link") < decide(ours, "cannot_link", "crm:b", "crm:a")


def test_a_later_time_counts_in_later_builds_only(ours: Workspace) -> None:
    """As the filter of as_of says; a decision for the day itself does not move behind it."""
    assert "2026-07-01T00:00:00Z" == decide(ours, "must_link", at=DAY_END + 1)
    assert "2026-06-30T00:00:00Z" == decide(ours, "cannot_link")
    build(ours, "polars", as_of="2026-06-30")
    assert homes(ours)["crm:a"] != homes(ours)["crm:b"]
    build(ours, "polars", as_of="2026-07-01")
    assert homes(ours)["crm:a"] == homes(ours)["crm:b"]


def test_a_day_whose_last_second_is_taken_is_told(ours: Workspace) -> None:
    """Nothing later would count, and silently not counting is the one thing that must not happen."""
    decide(ours, "must_link", at=DAY_END)
    with pytest.raises(UsageError, match="was decided in the last second of the day 2026-06-30"):
        decide(ours, "cannot_link")


# --- misuse -----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("crm:a", "crm:zz", "must_link", "r", "why"), "crm:zz: no such account in release 2026-06-30-"),
        (("crm:a", "crm:a", "must_link", "r", "why"), "name two accounts"),
        (("crm:a", "crm:b", "same", "r", "why"), "a decision is must_link or cannot_link, got 'same'"),
        (("crm:a", "crm:b", "must_link", " ", "why"), "a decision needs the role of who decides"),
        (("crm:a", "crm:b", "must_link", "r", "\n"), "a decision needs a reason"),
    ],
)
def test_what_cannot_be_used_is_refused(ours: Workspace, words: tuple[str, str, str, str, str], expected: str) -> None:
    """With what is wrong, and nothing is written."""
    with pytest.raises(UsageError, match=expected):
        steward.decide(ours, *words)
    assert not ours.steward_file.exists()


def test_nothing_published_is_told(tmp_path: Path) -> None:
    """And no folder appears."""
    for call in (lambda: steward.queue(Workspace(tmp_path)), lambda: decide(Workspace(tmp_path), "must_link")):
        with pytest.raises(UsageError, match="nothing is published here yet"):
            call()
    assert [] == list(tmp_path.iterdir())


# --- models come and go -----------------------------------------------------------------------------------------------
def test_decisions_survive_another_model_and_none(tmp_path: Path) -> None:
    """Linked stays linked, apart stays apart, and neither is asked again: after a rebuild with the same model, with a
    model trained on other people, and by declared rules alone.
    """
    pytest.importorskip("splink", reason="needs the extra `identity`")
    other = Workspace(tmp_path / "other")
    other.generated.write(generate(150, 3), {})
    build(other, "polars", identity="probabilistic")
    ours = Workspace(tmp_path / "ours")
    ours.generated.write(generate(150, 361), {})
    build(ours, "polars", identity="probabilistic")
    same, different = [row for row in steward.queue(ours) if row["reason"] == "unsure"][:2]
    for row, what in ((same, "must_link"), (different, "cannot_link")):
        decide(ours, what, row["left_record_id"], row["right_record_id"])
    kept = ours.data / "models" / "identity.json"
    for identity in ("probabilistic", "retrained", "deterministic"):
        if identity == "retrained":
            kept.parent.mkdir()
            kept.write_bytes((other.current_release() / "identity" / "model.json").read_bytes())
        result = build(ours, "polars", identity=identity if identity == "deterministic" else "probabilistic")
        assert result.kept is None
        found = homes(ours)
        assert found[same["left_record_id"]] == found[same["right_record_id"]]
        assert found[different["left_record_id"]] != found[different["right_record_id"]]
        queued = read_csv(ours.table_file("silver", "identity_review_queue")).to_pylist()
        asked = {frozenset((row["left_record_id"], row["right_record_id"])) for row in queued}
        assert not asked & {frozenset((row["left_record_id"], row["right_record_id"])) for row in (same, different)}
