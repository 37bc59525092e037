"""A workspace that an earlier version wrote: each verb reads it, or refuses in a sentence; never a traceback."""

from __future__ import annotations

import importlib.util
import re
import shutil
import stat
from pathlib import Path

import pytest
from click.testing import CliRunner

from c360lib.cli import main
from c360lib.storage.files import read_csv, read_json
from c360lib.storage.workspace import LAYER_FOLDERS, Workspace, damaged_files

REPO = Path(__file__).resolve().parents[1]
YESTERDAY = REPO / "tests" / "data" / "yesterday"
MOST_BYTES = 200_000


@pytest.fixture
def ours(tmp_path: Path) -> Workspace:
    """A copy that a test may change; its release is read-only, as it was when it was published."""
    workspace = Workspace(shutil.copytree(YESTERDAY, tmp_path / "yesterday"))
    for path in workspace.releases.rglob("*"):
        if path.is_file():
            path.chmod(stat.S_IREAD | stat.S_IRGRP | stat.S_IROTH)
    return workspace


def published(root: Path) -> dict[str, bytes]:
    """Every file of the releases below a root with its bytes."""
    releases = root / "data" / "releases"
    return {p.relative_to(releases).as_posix(): p.read_bytes() for p in sorted(releases.rglob("*")) if p.is_file()}


def told(*words: str) -> str:
    """What a verb says; "" where it refuses with exit status 2 and a sentence. Whatever else happens, fails."""
    result = CliRunner().invoke(main, list(words), catch_exceptions=False)
    if result.exit_code == 2:
        assert re.fullmatch(r"c360: \S.+\n", result.stderr), result.stderr
        return ""
    assert (0, "") == (result.exit_code, result.stderr)
    return result.stdout


def is_whole(root: Path) -> bool:
    """Small, a release whose files are as its manifest says, and nothing that `repair` makes again."""
    workspace = Workspace(root)
    size = sum(path.stat().st_size for path in root.rglob("*") if path.is_file())
    opened = [folder for folder in LAYER_FOLDERS if workspace.opened_folder(folder).exists()]
    return size < MOST_BYTES and [] == damaged_files(workspace.current_release()) + opened


def test_no_byte_of_it_was_changed_on_the_way_here() -> None:
    """Git turns no line ending, an archive leaves nothing out."""
    assert is_whole(YESTERDAY)


def test_it_is_as_it_was_written(ours: Workspace) -> None:
    """`c360 verify` links what people open and finds every file as the manifest says."""
    count = len(ours.manifest()["files"])
    expected = f"release {ours.current()}: all {count} files are as they were written\n"
    assert told("verify", str(ours.root)) in ("", expected)


def test_it_can_be_measured(ours: Workspace) -> None:
    """`c360 validate` ends with pass or warn."""
    said = told("validate", str(ours.root))
    assert "" == said or re.match(r"quality: (pass|warn); the report is ", said.splitlines()[-1])


def test_it_can_be_asked_in_sql(ours: Workspace) -> None:
    """The answer is what stands in its files."""
    people = len(read_csv(ours.table_file("gold", "customer_360")))
    said = told("sql", "select 'people: ' || count(*) as told from customer_360", str(ours.root))
    assert "" == said or f"people: {people}" in said


def test_a_profile_of_it_can_be_explained(ours: Workspace) -> None:
    """The layers of this version run on its bronze rows and end in the row of that profile."""
    profile = read_csv(ours.table_file("gold", "customer_360"))["profile_id"][0].as_py()
    said = told("explain", profile, str(ours.root))
    assert "" == said or said.startswith(f"{profile}, release {ours.current()}, as of ")
    assert "" == said or f"\n  profile_id: {profile} (" in said


def test_a_build_follows_it(ours: Workspace) -> None:
    """The next day's release names it as its predecessor; whether it is followed or refused, it keeps its bytes."""
    before = ours.current()
    said = told("build", str(ours.root), "--as-of", "2026-07-01")
    kept = {name: content for name, content in published(ours.root).items() if name.startswith(f"{before}/")}
    assert published(YESTERDAY) == kept
    assert [] == ours.verify()
    if said:
        assert f"published release {ours.current()}, as of 2026-07-01T23:59:59Z" in said
        assert before == ours.manifest()["predecessor"]["release"]
        assert before != ours.current()
    else:
        assert before == ours.current()


def test_the_script_writes_such_a_workspace(tmp_path: Path) -> None:
    """Also over an earlier one, of which nothing stays."""
    spec = importlib.util.spec_from_file_location("yesterdays", REPO / "tools" / "yesterdays_workspace.py")
    assert spec is not None
    assert spec.loader is not None
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    root = tmp_path / "anew"
    (root / "data" / "releases" / "old").mkdir(parents=True)
    release = script.write(root)
    assert is_whole(root)
    assert [release] == [path.name for path in (root / "data" / "releases").iterdir()]
    assert read_json(root / "data" / "CURRENT") == {"release": release, "kept": [release]}
