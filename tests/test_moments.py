"""Times of a manifest: read as seconds, or a sentence where they cannot be read; never 1970."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from c360lib.cli import main
from c360lib.commands import steward
from c360lib.errors import IntegrityError
from c360lib.layers.layer import Moment
from c360lib.release import replay
from c360lib.release.build import build
from c360lib.sources import moments
from c360lib.storage.files import read_json, unlink, write_json
from c360lib.storage.workspace import Workspace
from tests.support import account
from tests.test_steward import put

MANIFEST: dict[str, Any] = {
    "release": "r1",
    "as_of": "1970-01-02T23:59:59Z",
    "sources": {
        "customers": {"latest_ingest_ts": "1970-01-01T00:00:07Z"},
        "orders": {"latest_ingest_ts": "1970-01-01T00:00:09Z"},
        "erasure_requests": {"latest_ingest_ts": None},
    },
}
UNREADABLE = [None, "", "soon", "1970-01-01", "1970-02-30T00:00:00Z", 0, 1_782_863_999, True, ["1970-01-01T00:00:00Z"]]


@pytest.mark.parametrize("text", UNREADABLE, ids=repr)
def test_a_time_that_cannot_be_read_raises(text: object) -> None:
    """The message says what it should be, what a time looks like, what was found and what to do."""
    with pytest.raises(IntegrityError) as told:
        moments.promised_seconds(text, "the manifest of release r1, as_of")
    expected = "the manifest of release r1, as_of: expected a time such as 2026-06-30T23:59:59Z, got "
    assert f"{expected}{text!r}; run `c360 reset`, then build again" == str(told.value)


def test_the_moment_of_a_release() -> None:
    """The end of its day, and the latest arrival of any source that has one."""
    assert Moment(172_799, 9) == replay.moment(MANIFEST)


@pytest.mark.parametrize("text", [*UNREADABLE, "left out"], ids=repr)
def test_a_manifest_without_a_readable_as_of_has_no_moment(text: object) -> None:
    """It is not 1970."""
    manifest = {name: value for name, value in MANIFEST.items() if name != "as_of"}
    manifest |= {} if text == "left out" else {"as_of": text}
    with pytest.raises(IntegrityError, match="the manifest of release r1, as_of: expected a time such as"):
        replay.moment(manifest)


def test_an_arrival_that_cannot_be_read_is_named_with_its_source() -> None:
    """Leaving it out would let the data reach less far."""
    manifest = {**MANIFEST, "sources": {**MANIFEST["sources"], "orders": {"latest_ingest_ts": "soon"}}}
    with pytest.raises(IntegrityError, match="release r1, latest_ingest_ts of orders: expected a time such as"):
        replay.moment(manifest)


# --- a release whose manifest was damaged -----------------------------------------------------------------------------
@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A release of two accounts."""
    root = tmp_path_factory.mktemp("moments")
    build(put(root, [account("a"), account("b")]))
    return root


@pytest.fixture
def damaged(published: Path, tmp_path: Path) -> Workspace:
    """A copy whose manifest has no readable as_of."""
    ours = Workspace(shutil.copytree(published, tmp_path / "copy"))
    file = ours.current_release() / "manifest.json"
    manifest = read_json(file)
    unlink(file)
    write_json(file, {**manifest, "as_of": "soon"})
    return ours


@pytest.mark.parametrize(
    "words",
    [
        ("validate",),
        ("explain", "P-crm:a"),
        ("review", "--list"),
        ("review", "--pair", "crm:a", "crm:b", "--same", "--role", "r", "--reason", "why"),
    ],
    ids=lambda words: words[0],
)
def test_verbs_refuse_it_in_a_sentence(words: tuple[str, ...], damaged: Workspace) -> None:
    """Exit status 2, nothing on standard output, no decision written."""
    told = CliRunner().invoke(main, [*words, str(damaged.root)])
    assert (2, "") == (told.exit_code, told.stdout)
    release = f"c360: the manifest of release {damaged.current()}, as_of: expected a time such as 2026-06-30T23:59:59Z"
    assert f"{release}, got 'soon'; run `c360 reset`, then build again\n" == told.stderr
    assert not damaged.steward_file.exists()


def test_a_decision_is_not_dated_to_1969(damaged: Workspace) -> None:
    """Without as_of nobody knows which day it counts for: written or only tried, it is refused."""
    with pytest.raises(IntegrityError, match="as_of: expected a time"):
        steward.decide(damaged, "crm:a", "crm:b", "must_link", "data-steward", "asked them")
    with pytest.raises(IntegrityError, match="as_of: expected a time"):
        steward.typed_decision(damaged, "crm:a", "crm:b", "must_link")
    assert not damaged.steward_file.exists()
