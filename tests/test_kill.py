"""kill -9 at any moment leaves the old release or the new one, whole, and the next build works."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

import pytest

from c360lib.generate import generate
from c360lib.release.build import build
from c360lib.storage.files import file_sha256, read_json, remove_tree, write_json
from c360lib.storage.workspace import LAYER_FOLDERS, Workspace

MOMENTS, MANY_MOMENTS = 6, 50
SEED = 360


class Input(NamedTuple):
    """A workspace with raw files and truth, the release that they make and the SHA-256 of each of its files."""

    ours: Workspace
    release: str
    files: dict[str, str]


def command(root: Path) -> list[str]:
    """The build that is killed."""
    return [sys.executable, "-m", "c360lib", "build", str(root), "--engine", "polars"]


def give(ours: Workspace, given: Input) -> None:
    """Let the raw files and the truth be these."""
    for target, source in ((ours.raw, given.ours.raw), (ours.truth_file.parent, given.ours.truth_file.parent)):
        remove_tree(target)
        shutil.copytree(source, target)


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Input, Input]:
    """Two inputs and what comes of each when nothing happens."""
    made = []
    for seed in (1, 2):
        ours = Workspace(tmp_path_factory.mktemp(f"input_{seed}"))
        ours.generated.write(generate(80, seed), {})
        result = build(ours, "polars")
        files = {name: entry["sha256"] for name, entry in ours.manifest()["files"].items()}
        made.append(Input(ours, result.release, files))
    return made[0], made[1]


def timed(call: list[str]) -> float:
    """How many seconds a command takes when nothing happens."""
    started = time.perf_counter()
    subprocess.run(call, check=True, capture_output=True)
    return time.perf_counter() - started


def moments(seconds: float, count: int) -> list[float]:
    """Seconds into a run that takes so long: one at random in each of `count` equal parts from a third to its end."""
    chance = random.Random(SEED)
    return [seconds * (0.3 + 0.75 * (part + chance.random()) / count) for part in range(count)]


def is_killed(call: list[str], seconds: float) -> bool:
    """Start a command and kill it after so many seconds; gives whether it was still at work. If not, it went well."""
    with subprocess.Popen(call, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        time.sleep(seconds)
        status = process.poll()
        process.kill()
    assert status in (None, 0)
    return status is None


def opened_files(ours: Workspace) -> dict[str, str]:
    """SHA-256 of what people open, named as in a manifest."""
    return {
        f"{folder}/{path.name}": file_sha256(path)
        for folder in LAYER_FOLDERS
        for path in ours.opened_folder(folder).iterdir()
        if not path.name.startswith(".")
    }


def answer(files: dict[str, str]) -> dict[str, str]:
    """What depends on the input alone: the ledger, the report and the release's id also tell what stood before."""
    return {
        name: sha256 for name, sha256 in files.items() if not name.startswith(("reports/", "silver/identity_events"))
    }


def kill_at_moments(ours: Workspace, inputs: tuple[Input, Input], count: int) -> list[bool]:
    """Build one input and the other by turns, each build killed at some moment; gives which were still at work.

    Whatever the moment, what stands is whole, and is the answer to one of the inputs.
    """
    give(ours, inputs[0])
    killed = []
    for turn, seconds in enumerate(moments(timed(command(ours.root)), count)):
        give(ours, inputs[(turn + 1) % 2])
        killed.append(is_killed(command(ours.root), seconds))
        assert [] == ours.verify()
        files = {n: e["sha256"] for n, e in ours.manifest()["files"].items()}
        assert files == opened_files(ours)
        assert answer(files) in [answer(each.files) for each in inputs]
    return killed


def then_build(ours: Workspace, inputs: tuple[Input, Input]) -> None:
    """Whatever was left behind, both inputs build and nothing unfinished remains."""
    for given in inputs:
        give(ours, given)
        release = build(ours, "polars").release
        assert release == build(ours, "polars").release
        assert [] == ours.verify()
        assert answer(given.files) == answer(opened_files(ours))
    assert set(ours.kept()) == set(ours.releases.iterdir())
    assert not ours.staging.exists()


def test_a_killed_build_leaves_a_whole_release(inputs: tuple[Input, Input], tmp_path: Path) -> None:
    """Six moments: what stands verifies, and is the old release or the new; some builds were killed at work."""
    ours = Workspace(tmp_path)
    killed = kill_at_moments(ours, inputs, MOMENTS)
    assert MOMENTS == len(killed)
    assert any(killed)
    then_build(ours, inputs)


@pytest.mark.slow
def test_fifty_killed_builds_leave_a_whole_release(inputs: tuple[Input, Input], tmp_path: Path) -> None:
    """Fifty moments, among them some before and some after the commit."""
    ours = Workspace(tmp_path)
    killed = kill_at_moments(ours, inputs, MANY_MOMENTS)
    assert MANY_MOMENTS == len(killed)
    assert any(killed)
    then_build(ours, inputs)


# Publishing, killed just before its n-th change of the file system: n is counted up until publishing gets through.
EVERY_STEP = """
import os, shutil, signal, sys
from pathlib import Path
from c360lib.storage.files import file_sha256, write_json
from c360lib.storage.workspace import LAYER_FOLDERS, Workspace

CHANGES = {"os.rename", "os.link", "os.remove", "os.rmdir", "os.mkdir", "os.chmod", "shutil.rmtree"}
template, root = Path(sys.argv[1]), Path(sys.argv[2])

def publish(ours, text, staged=lambda: None):
    with ours.staged() as folder:
        for layer in LAYER_FOLDERS:
            (folder / layer / "t.csv").write_text(text + layer)
        files = {p.relative_to(folder).as_posix(): {"sha256": file_sha256(p)} for p in folder.rglob("*") if p.is_file()}
        write_json(folder / "manifest.json", {"files": files})
        staged()
        ours.publish(text)

def die_after(steps):
    left = [steps]
    def hook(event, args):
        writes = event == "open" and isinstance(args[1], str) and set(args[1]) & set("wax+")
        if event in CHANGES or writes:
            if left[0] == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            left[0] -= 1
    publish(Workspace(root), sys.argv[3], lambda: sys.addaudithook(hook))
    os._exit(0)

for steps in range(1000):
    shutil.rmtree(root, ignore_errors=True)
    shutil.copytree(template, root, symlinks=True)
    child = os.fork()
    if child == 0:
        die_after(steps)
    _, status = os.waitpid(child, 0)
    ours = Workspace(root)
    found, current = ours.verify(), ours.current()
    opened = {ours.opened_folder(layer).joinpath("t.csv").read_text() for layer in LAYER_FOLDERS}
    assert not found, (steps, found)
    assert opened == {current + layer for layer in LAYER_FOLDERS}, (steps, current, opened)
    print(current)
    publish(ours, sys.argv[3])
    assert (ours.current(), ours.verify()) == (sys.argv[3], []), steps
    if os.waitstatus_to_exitcode(status) == 0:
        break
"""


def publish_in(root: Path, release: str) -> None:
    """A published release of one line per layer, as the script above makes them."""
    ours = Workspace(root)
    with ours.staged() as stage:
        for layer in LAYER_FOLDERS:
            (stage / layer / "t.csv").write_text(release + layer)
        files = {p.relative_to(stage).as_posix(): {"sha256": file_sha256(p)} for p in stage.rglob("*") if p.is_file()}
        write_json(stage / "manifest.json", {"files": files})
        ours.publish(release)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="a process is forked for each step")
@pytest.mark.parametrize("release", ["new", "old"])
def test_publishing_killed_at_every_step(release: str, tmp_path: Path) -> None:
    """Old stands until one step, new from then on; an older release published again comes back the same way."""
    template = tmp_path / "template"
    for name in ("oldest", "old", "older"):
        publish_in(template, name)
    script = [sys.executable, "-c", EVERY_STEP, str(template), str(tmp_path / "root"), release]
    told = subprocess.run(script, capture_output=True, text=True, check=False)
    assert "" == told.stderr
    standing = told.stdout.split()
    before = standing.index(release)
    assert 3 <= before
    assert 5 <= len(standing) - before
    assert ["older"] * before + [release] * (len(standing) - before) == standing


def test_a_killed_generate_leaves_no_half_of_a_file(tmp_path: Path) -> None:
    """Raw files are put in place whole: each is the first data's or the second's, and a later generate works."""
    ours, other = Workspace(tmp_path / "ours"), Workspace(tmp_path / "other")
    ours.generated.write(generate(300, 1), {})
    other.generated.write(generate(300, 2), {})
    wanted = {p.name: {p.read_bytes(), (ours.raw / p.name).read_bytes()} for p in other.raw.iterdir()}

    def call(root: Path) -> list[str]:
        return [sys.executable, "-m", "c360lib", "generate", str(root), "--customers", "300", "--seed", "2"]

    killed = []
    for seconds in moments(timed(call(tmp_path / "timed")), 3):
        killed.append(is_killed(call(ours.root), seconds))
        assert [] == [name for name, contents in wanted.items() if (ours.raw / name).read_bytes() not in contents]
    assert any(killed)
    subprocess.run(call(ours.root), check=True, capture_output=True)
    assert {p.name: p.read_bytes() for p in other.raw.iterdir()} == {p.name: p.read_bytes() for p in ours.raw.iterdir()}
    recorded = read_json(ours.generated.record_file)["files"]
    assert recorded == {name: file_sha256(ours.root / name) for name in recorded}
