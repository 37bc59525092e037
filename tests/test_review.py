"""`c360 review`: what a steward sees is what a build would make, and every answer is kept."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from c360lib import cli
from c360lib.commands import review as reviewing
from c360lib.commands import steward
from c360lib.identity.model import score
from c360lib.release.build import build
from c360lib.rules import CHANNELS, PURPOSES
from c360lib.storage.files import read_csv
from c360lib.storage.workspace import Workspace
from tests.support import account, consent, order
from tests.test_steward import ROWS, homes, pairs, put

MORE = (
    *ROWS,
    order("2", "b", "99950"),
    consent("1", "a", "granted", "2026-05-01"),
    consent("2", "b", "withdrawn", "2026-05-02"),
    consent("3", "a", "granted", "2026-05-01", "analytics", "any"),
    consent("4", "c", "granted", "2026-05-01", channel="sms"),
    consent("5", "d", "granted", "2026-05-02", channel="sms"),
    account("g", "2026-04-01", first_name="\x1b[2J", last_name="Ng", email="n@x.y", phone="0305559999"),
)
NOW = 1_795_595_000  # 2026-11-25, after the data end


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A root whose queue holds two questions."""
    root = tmp_path_factory.mktemp("review")
    build(put(root, MORE), "polars")
    return root


@pytest.fixture
def ours(published: Path, tmp_path: Path) -> Workspace:
    """A copy that a test may change."""
    return Workspace(shutil.copytree(published, tmp_path / "copy"))


@pytest.fixture(autouse=True)
def _clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cli.time, "time", lambda: NOW)


def review(ours: Workspace, *words: str, typed: str = "", monkeypatch: pytest.MonkeyPatch | None = None) -> Result:
    """The verb with what a person types; at a terminal if there is a monkeypatch to make one."""
    if monkeypatch:
        monkeypatch.setattr(cli, "_has_terminal", lambda: True)
    return CliRunner().invoke(cli.main, ["review", str(ours.root), *words], input=typed)


# --- the walk ---------------------------------------------------------------------------------------------------------
def test_a_walk_from_first_pair_to_a_build_that_heeds_it(ours: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    """Role, same with a reason, different with a reason; the end says what to run, and that run heeds both."""
    typed = "data-steward\nsame\nasked, both\nd\n\ntwins\n"
    told = review(ours, typed=typed, monkeypatch=monkeypatch)
    assert 0 == told.exit_code, told.output
    rows = [(row["decision"], row["reviewer_role"], row["reason"]) for row in steward.decisions(ours)]
    assert [("must_link", "data-steward", "asked, both"), ("cannot_link", "data-steward", "twins")] == rows
    assert "recorded: crm:a must_link crm:b, dated 2026-06-30T00:00:00Z" in told.stdout
    assert "2 decided, 0 wait" in told.stdout
    command = re.search(r"c360 (build .*)$", told.stdout.splitlines()[-1])
    assert command
    assert 0 == CliRunner().invoke(cli.main, command[1].split()).exit_code
    found = homes(ours)
    assert (found["crm:a"], found["crm:c"]) == (found["crm:b"], "P-crm:c")
    assert found["crm:d"] != found["crm:c"]
    assert "nothing waits for review" in review(ours, monkeypatch=monkeypatch).stdout


@pytest.mark.parametrize(
    ("typed", "decided"),
    [
        ("quit\n", 0),
        ("skip\nquit\n", 0),
        ("", 0),
        ("skip\n", 0),
        ("same\n", 0),
        ("same\nbecause\n", 1),
        ("s\nwhat?\nSAME\nbecause\nsk\n", 1),
    ],
)
def test_a_walk_may_end_at_any_prompt(
    ours: Workspace, typed: str, decided: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By quit or the end of input; what was answered before stays, what was not is asked again."""
    told = review(ours, "--role", "dpo", typed=typed, monkeypatch=monkeypatch)
    assert 0 == told.exit_code, told.output
    assert decided == len(steward.decisions(ours))
    assert f"{decided} decided, {2 - decided} wait" in told.stdout
    assert 2 - decided == len(pairs(ours))


def test_a_limit_ends_the_walk(ours: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    """After so many pairs, skipped ones too."""
    told = review(ours, "--role", "dpo", "--limit", "1", typed="skip\n", monkeypatch=monkeypatch)
    assert "Pair 1, 1 more wait" in told.stdout
    assert "Pair 2" not in told.stdout


def test_what_a_pair_looks_like(ours: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both accounts, a word where they differ, why, the evidence, and what a merge would do."""
    shown = review(ours, "--role", "dpo", typed="quit\n", monkeypatch=monkeypatch).stdout.splitlines()
    for line in (
        "               left        right",
        "record id      crm:a       crm:b",
        "date of birth  1950-01-01  1980-01-01  DIFFERENT",
        "street         -           -",
        "Evidence: same first name; same last name; date of birth differs by one typed character; same e-mail; "
        "same phone",
        "If you say same:",
        "  person: P-crm:a and P-crm:b become P-crm:a",
        "  value: 10.00 and 999.50 become 1,009.50 EUR",
        "  marketing by email: left open (granted), right closed (withdrawn); together closed (withdrawn)",
        "  analytics by sms: left open (granted), right closed (no_consent); together open (granted)",
    ):
        assert line in shown
    assert not [line for line in shown if line.startswith("  marketing by sms")]


def test_one_side_only_and_letters_that_steer_a_terminal() -> None:
    """Both are told in plain text."""
    row = {f"{side}_{name}": "" for side in ("left", "right") for name in reviewing.SHOWN}
    row |= {"left_city": "Bonn\x1b[31m", "question": "why", "evidence": "what"}
    assert "city           Bonn?[31m  -      ONE SIDE ONLY" in list(reviewing.side_by_side(row))


# --- the effect -------------------------------------------------------------------------------------------------------
def channels(ours: Workspace, profile: str) -> dict[tuple[str, str], bool]:
    """What is open for a person."""
    rows = read_csv(ours.table_file("gold", "activation_candidates")).to_pylist()
    return {(r["purpose"], r["channel"]): r["eligible"] == "true" for r in rows if r["profile_id"] == profile}


def test_the_effect_that_is_told_is_what_a_build_makes(ours: Workspace) -> None:
    """Person, value and each channel, for every pair of the queue: against the release that the decision leads to."""
    closed = dict.fromkeys([(p, c) for p in PURPOSES for c in CHANNELS], False)
    for row in steward.queue(ours):
        told = list(reviewing.effect(ours, row))
        both = [channels(ours, row[f"{side}_profile_id"]) or closed for side in ("left", "right")]
        steward.decide(ours, row["left_record_id"], row["right_record_id"], "must_link", "r", "why")
        build(ours, "polars")
        [person] = {homes(ours)[row["left_record_id"]], homes(ours)[row["right_record_id"]]}
        gold = read_csv(ours.table_file("gold", "customer_360")).to_pylist()
        cents = next(int(r["lifetime_value_cents"]) for r in gold if r["profile_id"] == person)
        assert [told[1].rsplit(" ", 1)[1], told[2].rsplit(" ", 2)[1]] == [person, f"{cents // 100:,}.{cents % 100:02}"]
        after = channels(ours, person)
        changed = {slot: after[slot] for slot in after if {b[slot] for b in both} != {after[slot]}}
        found = [re.fullmatch(r"  (\w+) by (\w+): .*; together (open|closed) \(\w+\)", line) for line in told[3:]]
        assert changed == {(m[1], m[2]): m[3] == "open" for m in found if m}


def test_a_merge_that_another_decision_forbids_is_told(ours: Workspace) -> None:
    """Before it is decided: saying same would change nothing."""
    [*_, row] = steward.queue(ours)
    steward.decide(ours, "crm:a", "crm:d", "must_link", "r", "why")
    steward.decide(ours, "crm:a", "crm:c", "cannot_link", "r", "why")
    [told] = reviewing.effect(ours, row)
    assert "they stay two, because another decision keeps two of their accounts apart" in told


def test_an_account_that_a_merge_drives_out_is_told(ours: Workspace) -> None:
    """Where c and e are kept apart and c and d become one, e leaves d; a build does just that."""
    [*_, row] = steward.queue(ours)
    steward.decide(ours, "crm:c", "crm:e", "cannot_link", "r", "why")
    told = list(reviewing.effect(ours, row))
    assert "  account: crm:e leaves them and is P-crm:e, because another decision keeps it apart" in told
    steward.decide(ours, "crm:c", "crm:d", "must_link", "r", "why")
    build(ours, "polars")
    assert ("P-crm:c", "P-crm:e") == (homes(ours)["crm:d"], homes(ours)["crm:e"])


def test_a_release_of_a_model_is_reviewed_without_splink(ours: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    """The pair is shown; what a merge would do is said to be unknown, and why."""
    (ours.current_release() / "identity").mkdir()
    (ours.current_release() / "identity" / "model.json").write_text("{}", "utf-8")
    monkeypatch.setattr(score, "find_spec", lambda _: None)
    told = review(ours, "--role", "dpo", typed="same\nsure\nquit\n", monkeypatch=monkeypatch)
    assert "What a merge would do is not known: this release was matched by a model" in told.stdout
    assert "c360[identity]" in told.stdout
    assert 1 == len(steward.decisions(ours))


# --- without a person -------------------------------------------------------------------------------------------------
def test_the_queue_as_a_list(ours: Workspace) -> None:
    """Each pair with its question and evidence, then how many wait in which release."""
    lines = review(ours, "--list").stdout.splitlines()
    assert lines[0].startswith("crm:a crm:b (two_birth_dates): the rule email_phone_and_full_name would link them")
    assert lines[1].startswith("  same first name; ")
    assert f"2 wait for review in release {ours.current()}" == lines[-1]
    assert 3 == len(review(ours, "--list", "--limit", "1").stdout.splitlines())
    assert not ours.steward_file.exists()


def test_a_script_decides_and_undoes(ours: Workspace) -> None:
    """The later word holds, though both came in one second."""
    words = ("--pair", "crm:a", "crm:b", "--role", "data-steward", "--reason", "a call")
    for answer in ("--different", "--same"):
        told = review(ours, *words, answer)
        assert 0 == told.exit_code, told.output
    assert "dated 2026-06-30T00:00:01Z" in told.stdout
    assert f"c360 build {ours.root} --as-of 2026-06-30" in told.stdout
    build(ours, "polars", as_of="2026-06-30")
    assert homes(ours)["crm:a"] == homes(ours)["crm:b"]
    assert ["crm:c crm:d"] == pairs(ours)


def test_contradicting_decisions_are_listed(ours: Workspace) -> None:
    """After the build that could not heed them all."""
    for left, right, what in (("a", "b", "must_link"), ("b", "c", "must_link"), ("a", "c", "cannot_link")):
        steward.decide(ours, f"crm:{left}", f"crm:{right}", what, "r", "why")
    build(ours, "polars")
    lines = review(ours, "--list").stdout.splitlines()
    assert lines[-1].startswith("crm:b crm:c: a steward has linked them, but that would bring together")


def test_the_time_is_told_and_when_it_counts(ours: Workspace) -> None:
    """A time after the day that was built for counts later only, and the answer says so."""
    words = ("--pair", "crm:a", "crm:b", "--role", "r", "--reason", "w", "--same")
    told = review(ours, *words, "--at", "2026-07-02T10:00:00Z").stdout
    assert "dated 2026-07-02T10:00:00Z; that is after 2026-06-30T23:59:59Z, so it counts only in builds for" in told
    assert reviewing.decided_at(ours, None, 1_782_800_000) == 1_782_800_000  # on the day itself the clock holds


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ((), "no terminal is there to answer; use --list, or --pair LEFT RIGHT"),
        (("--same",), "--pair LEFT RIGHT goes with --reason and one of --same and --different"),
        (("--reason", "x"), "--pair LEFT RIGHT goes with --reason"),
        (("--pair", "crm:a", "crm:b"), "one of --same and --different"),
        (("--pair", "crm:a", "crm:b", "--same", "--different"), "one of --same and --different"),
        (("--pair", "crm:a", "crm:b", "--same", "--list"), "choose one"),
        (("--pair", "crm:a", "crm:b", "--same", "--reason", "x"), "a decision needs the role"),
        (("--pair", "crm:a", "crm:b", "--same", "--role", "x"), "a decision needs a reason"),
        (("--pair", "crm:a", "x", "--same", "--role", "x", "--reason", "x"), "x: no such account in release"),
        (("--list", "--at", "now"), "--at: expected a time such as 2026-06-30T10:00:00Z, got 'now'"),
    ],
)
def test_misuse_is_told_in_a_sentence(ours: Workspace, words: tuple[str, ...], expected: str) -> None:
    """Exit status 2, nothing written."""
    told = review(ours, *words)
    assert (2, "") == (told.exit_code, told.stdout)
    assert expected in told.stderr
    assert not ours.steward_file.exists()


def test_nothing_published_is_told(tmp_path: Path) -> None:
    """And what to run."""
    told = review(Workspace(tmp_path), "--list")
    assert 2 == told.exit_code
    assert "nothing is published here yet; run `c360 run` or `c360 build` first" in told.stderr


def test_the_next_step_builds_as_before(ours: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    """Day, way of matching and format are those of the release; a folder with a space is quoted."""
    manifest = {"as_of": "2026-01-31T23:59:59Z", "identity": {"asked": "probabilistic"}, "format": "parquet"}
    elsewhere = Workspace("a b")
    monkeypatch.setattr(Workspace, "manifest", lambda _: manifest)
    expected = "c360 build 'a b' --as-of 2026-01-31 --identity probabilistic --format parquet"
    assert reviewing.next_step(elsewhere).endswith(expected)
