"""The second opinion on consent: what the layers say it proves, and whatever is forged it sees."""

from __future__ import annotations

import csv
import random
import shutil
from collections.abc import Iterable
from pathlib import Path

import pytest

from c360lib.quality import leaks
from c360lib.quality.measures import FAIL, INFO, PASS, Measure
from c360lib.release.build import Result, build
from c360lib.schemas import RAW, STEWARD
from c360lib.storage.files import Files
from c360lib.storage.workspace import Workspace
from tests.support import AS_OF, Row, account, consent, decision, erasure, touch
from tests.test_doors import damaged, is_published, people

A = account("a", email="a@x.y", phone="030 1234567")
GRANT = consent("1", "a", "granted", "2026-06-10", channel="any")


def put(ours: Workspace, rows: Iterable[Row], bad: dict[str, bytes] | None = None) -> None:
    """Write rows as the raw files of a workspace; `bad` are whole lines to add to a source."""
    tables = {**{name: RAW[name] for name in RAW}, STEWARD.name: STEWARD}
    by_source: dict[str, list[Row]] = {name: [] for name in tables}
    for row in rows:
        by_source[row.source].append(row)
    for name, table in tables.items():
        path = ours.steward_file if name == STEWARD.name else ours.raw_file(name)
        path.unlink(missing_ok=True)
        lines = (bad or {}).get(name, b"")
        if by_source[name] or lines:
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("w", encoding="utf-8", newline="") as stream:
                writer = csv.DictWriter(stream, table.column_names, extrasaction="ignore", restval="")
                writer.writeheader()
                writer.writerows(row.cells for row in by_source[name])
            path.write_bytes(path.read_bytes() + lines)


def built(ours: Workspace, *rows: Row, bad: dict[str, bytes] | None = None, as_of: str = AS_OF) -> Result:
    """Build a workspace of these rows, after others that it may have held."""
    put(ours, rows, bad)
    return build(ours, "polars", as_of)


def measure(result: Result, name: str) -> Measure:
    """A measure of a build by its name."""
    return {each.name: each for each in result.measures}[name]


@pytest.fixture
def ours(tmp_path: Path) -> Workspace:
    """An empty workspace."""
    return Workspace(tmp_path)


# --- what is forged ---------------------------------------------------------------------------------------------------
def forged(folder: Path, proof: str) -> list[str]:
    """Leaks of a copy of a release in which every person can be reached by everything, by this proof."""
    copy = Path(shutil.copytree(folder, folder.parent / "forged", copy_function=shutil.copyfile))
    path = copy / "gold" / "activation_candidates.csv"
    with path.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, rows[0])
        writer.writeheader()
        writer.writerows({**row, "eligible": "true", "consent_event_id": proof} for row in rows)
    return leaks.consent_leaks(Files(copy), AS_OF)


BAD_DAY = "2026-02-30T00:00:00Z"
SHUT = {
    "a wrong clock": [consent("2", "a", "withdrawn", "1970-01-01", arrived="2026-06-11")],
    "an unsubscribe with a wrong clock": [touch("2", "a", "unsubscribed", "any", "1999-01-01", "2026-06-11")],
    "a refusal that came very late": [consent("2", "a", "denied", "2026-01-01", channel="any", arrived="2026-06-11")],
    "a choice that cannot be used": [consent("2", "a", "maybe", "2026-06-10", channel="any")],
    "an unsubscribe that may be one": [touch("2", "a", "?", "any", "2026-06-11")],
    "a refusal in another content": [
        consent("3", "a", "granted", "2026-06-01"),
        consent("3", "a", "denied", "2026-06-11", channel="any"),
    ],
    "a delete that cannot be used": [account("a", BAD_DAY, arrived="2026-06-01", op="d", lsn="2")],
    "a change of an unknown kind": [account("a", op="x", lsn="2", email="a@x.y", phone="030 1234567")],
}


@pytest.mark.parametrize("rows", SHUT.values(), ids=SHUT)
def test_a_door_that_is_shut_and_made_open_is_seen(rows: list[Row], ours: Workspace) -> None:
    """The layers themselves leave nothing to see."""
    result = built(ours, A, GRANT, touch("t", "a", "sent"), *rows)
    assert ("0", PASS) == measure(result, "consent_leak_count")[1:4:2]
    assert "P-crm:a|marketing|email" in forged(ours.current_release(), "1")


def test_a_grant_that_is_stamped_after_its_arrival_proves_nothing_against_what_came_between(ours: Workspace) -> None:
    """It was there at 10:00."""
    early = consent("1", "a", "granted", "2026-06-10T10:04:00Z", arrived="2026-06-10T10:00:00Z")
    built(ours, A, early, consent("2", "a", "withdrawn", "2026-06-10T10:02:00Z"))
    assert "P-crm:a|marketing|email" in forged(ours.current_release(), "1")


def test_an_old_address_that_a_change_may_have_replaced_is_seen(ours: Workspace) -> None:
    """On its channel alone; a phone that is written another way is the same phone."""
    change = account("a", BAD_DAY, arrived="2026-06-01", op="u", lsn="2", email="new@x.y", phone="+49 30 1234567")
    built(ours, A, GRANT, change)
    assert ["P-crm:a|marketing|email"] == [row for row in forged(ours.current_release(), "1") if "|marketing|" in row]


def test_several_contents_of_one_event_prove_what_they_agree_on(ours: Workspace) -> None:
    """The wider of two grants proves nothing more."""
    built(ours, A, GRANT, GRANT.but(channel="email"))
    found = [row for row in forged(ours.current_release(), "1") if "|marketing|" in row]
    assert ["P-crm:a|marketing|push", "P-crm:a|marketing|sms"] == found


@pytest.mark.parametrize("seed", [1, 2])
def test_the_two_opinions_agree_on_damaged_histories(seed: int, ours: Workspace) -> None:
    """What the layers open of random histories, damaged in many ways, the events prove."""
    chance = random.Random(seed)
    world = [[damaged(chance, row) if chance.random() < 0.3 else row for row in rows] for rows in people(chance)]
    result = built(ours, *(row for rows in world if is_published(rows) for row in rows))
    assert ("0", PASS) == measure(result, "consent_leak_count")[1:4:2]
    assert result.kept is None


# --- refusals of nobody knows whom ------------------------------------------------------------------------------------
WHOLE = [A, GRANT, touch("t", "a", "sent"), account("b"), erasure("r", "b")]
LINES = {
    "consent_events": b"2026-06-11T00:00:00Z,2026-06-11T00:00:00Z,2,crm,a,marketing,em\xffail,withdrawn,,\n",
    "campaign_events": b"2026-06-11T00:00:00Z,2026-06-11T00:00:00Z,2,c\xff,crm,a,email,unsubscribed\n",
    "erasure_requests": b"2026-06-11T00:00:00Z,2026-06-11T00:00:00Z,2,crm,a\xff\n",
}


@pytest.mark.parametrize("source", LINES)
def test_one_bad_byte_in_a_source_that_can_say_no_fails(source: str, ours: Workspace) -> None:
    """Nobody can tell who asked for what; the release is held back until the line is mended."""
    assert built(ours, *WHOLE).kept is None
    spoilt = built(ours, *WHOLE, bad={source: LINES[source]})
    failed = [each.name for each in spoilt.measures if each.status == FAIL]
    assert [f"unattributable_{source}_rows"] == failed
    assert "1" == measure(spoilt, failed[0]).value
    assert built(ours, *WHOLE, bad={source: LINES[source].replace(b"\xff", b"")}).kept is None


# --- beside the release before ----------------------------------------------------------------------------------------
def opened(result: Result) -> tuple[str, str]:
    """The value and status of opened_without_grant."""
    return measure(result, "opened_without_grant")[1:4:2]


NO = consent("2", "a", "withdrawn", "2026-06-11", channel="any")


def test_a_first_release_has_nothing_to_compare_with(ours: Workspace) -> None:
    """The measure is not there."""
    assert "opened_without_grant" not in {each.name for each in built(ours, A, GRANT).measures}


def test_a_refusal_that_is_gone_opens_nothing(ours: Workspace) -> None:
    """The row was lost on the way; the release before stays, and the report names the slots."""
    built(ours, A, GRANT, NO)
    result = built(ours, A, GRANT)
    assert ("3", FAIL) == opened(result)
    assert "P-crm:a|marketing|email" in measure(result, "opened_without_grant").meaning
    assert result.kept is not None
    assert "withdrawn" in (ours.current_release() / "gold" / "activation_candidates.csv").read_text("utf-8")


def test_a_new_grant_opens(ours: Workspace) -> None:
    """What the release before did not know is a reason, though the refusal is gone too."""
    built(ours, A, GRANT, NO)
    again = consent("3", "a", "granted", "2026-06-12", channel="any")
    assert ("0", PASS) == opened(built(ours, A, GRANT, NO, again))
    built(ours, A, GRANT, NO)
    assert ("0", PASS) == opened(built(ours, A, GRANT, again))


def test_a_new_grant_of_another_slot_opens_nothing(ours: Workspace) -> None:
    """Neither of another channel nor of another purpose."""
    built(ours, A, GRANT, NO)
    others = [
        consent("3", "a", "granted", "2026-06-12"),
        consent("4", "a", "granted", "2026-06-12", "analytics", "any"),
    ]
    assert ("2", FAIL) == opened(built(ours, A, GRANT, *others))


def test_an_address_that_is_there_now_opens(ours: Workspace) -> None:
    """That there was none is no refusal."""
    built(ours, account("a"), GRANT)
    assert ("0", PASS) == opened(built(ours, account("a"), GRANT, account("a", op="u", lsn="2", email="a@x.y")))


PAIR = [account("a", email="a@x.y"), account("b", "2026-01-02", email="b@x.y")]
MUST = decision("crm:a", "crm:b", "must_link")


def test_a_decision_of_a_steward_opens_and_so_does_taking_it_back(ours: Workspace) -> None:
    """They were never one person: the refusal of the one no longer binds the other."""
    said = [GRANT, consent("2", "b", "withdrawn", "2026-06-11", channel="any")]
    built(ours, *PAIR, *said, MUST)
    assert ("0", PASS) == opened(
        built(ours, *PAIR, *said, MUST, decision("crm:a", "crm:b", "cannot_link", "2026-06-02"))
    )
    built(ours, *PAIR, *said, MUST, decision("crm:a", "crm:b", "must_link", "2026-06-03"))
    assert ("0", PASS) == opened(built(ours, *PAIR, *said))


def test_a_tie_that_is_gone_opens_nothing(ours: Workspace) -> None:
    """An account that held two others together left the file without a request, and one of them had refused."""
    who = {"first_name": "Ada", "date_of_birth": "1980-01-01"}
    ends = [account("b", loyalty_id="L1", email="b@x.y", **who), account("c", "2026-01-03", email="c@x.y", **who)]
    tie = account("a", "2026-01-02", email="c@x.y", loyalty_id="L1", **who)
    said = [consent("1", "b", "granted", "2026-06-10"), consent("2", "c", "withdrawn", "2026-06-11")]
    built(ours, *ends, tie, *said)
    assert ("1", FAIL) == opened(built(ours, *ends, *said))


def test_an_earlier_day_over_a_later_release_opens_nothing(ours: Workspace) -> None:
    """Somebody has refused in between."""
    built(ours, A, GRANT, NO)
    assert ("3", FAIL) == opened(built(ours, A, GRANT, NO, as_of="2026-06-10"))


def test_other_generated_data_are_not_compared(ours: Workspace) -> None:
    """A learner's second company is another one; the report says so in a line."""
    built(ours, A, GRANT, NO)
    ours.generated.record_file.write_text('{"customers": 2, "seed": 7, "files": {}}', "utf-8")
    result = built(ours, A, GRANT)
    assert ("none", INFO) == opened(result)
    assert result.kept is None


def test_the_same_inputs_are_compared_with_the_same_release_again(ours: Workspace) -> None:
    """A build that is repeated is the same release, by itself and from the files."""
    built(ours, A, GRANT)
    first = built(ours, A, GRANT, NO)
    assert first.release == built(ours, A, GRANT, NO).release
    before = ours.release_before(ours.manifest())
    assert before is not None
    assert [] == leaks.opened_without_grant(Files(ours.current_release()), Files(before))
