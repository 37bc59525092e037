"""What holds the ways to install c360 in step, and the two scripts behind `make`."""

from __future__ import annotations

import ast
import importlib.util
import re
import shutil
import subprocess
import tomllib
from pathlib import Path
from types import ModuleType

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
LOCK = (ROOT / "requirements.lock").read_text(encoding="utf-8")
LOCKED_EXTRAS = ("course", "engines", "identity", "test", "dev")


def script(name: str) -> ModuleType:
    """A script of tools/ as a module."""
    spec = importlib.util.spec_from_file_location(name, ROOT / "tools" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


setup_env = script("setup_env")
lab = script("lab")


def declared() -> list[Requirement]:
    """Every requirement of the core and of the extras that the lock covers, but for c360 itself."""
    extras = PYPROJECT["project"]["optional-dependencies"]
    lines = PYPROJECT["project"]["dependencies"] + [line for extra in LOCKED_EXTRAS for line in extras[extra]]
    return [Requirement(line) for line in lines if not line.startswith("c360[")]


def locked() -> dict[str, list[str]]:
    """The versions that the lock pins, by name: more than one where they differ by platform or Python."""
    pins: dict[str, list[str]] = {}
    for line in setup_env.pins_of(LOCK):
        pin = Requirement(line)
        (specifier,) = pin.specifier
        pins.setdefault(canonicalize_name(pin.name), []).append(specifier.version)
    return pins


# --- the declarations ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("requirement", declared(), ids=str)
def test_the_lock_holds_each_dependency_within_its_range(requirement: Requirement) -> None:
    """A dependency that is declared is locked, at versions that its range allows."""
    versions = locked().get(canonicalize_name(requirement.name), [])
    assert versions, f"{requirement} is not in requirements.lock: run `make lock`"
    assert [version for version in versions if version not in requirement.specifier] == []


def test_the_extras_agree_where_they_name_one_package() -> None:
    """Two extras that name one package give it one range; only spark may narrow the core."""
    extras = {name: lines for name, lines in PYPROJECT["project"]["optional-dependencies"].items() if name != "spark"}
    lines = PYPROJECT["project"]["dependencies"] + [line for extra in extras.values() for line in extra]
    ranges: dict[str, set[str]] = {}
    for requirement in map(Requirement, lines):
        ranges.setdefault(requirement.name, set()).add(str(requirement.specifier))
    assert {name: both for name, both in ranges.items() if len(both) > 1} == {}


def test_the_course_takes_in_what_weighs_pairs() -> None:
    """Lesson 03 needs Splink, so who installs the course has it; the lock covers that extra already."""
    assert "c360[identity]" in PYPROJECT["project"]["optional-dependencies"]["course"]
    assert "identity" in LOCKED_EXTRAS


def test_the_lock_names_no_place_to_fetch_from() -> None:
    """The lock says what to install, with hashes, and leaves to the reader where from."""
    assert re.findall(r"\S*://\S*|\S+\.(?:org|com|io|net|example)\b|--(?:extra-)?index-url|--find-links", LOCK) == []
    assert len(re.findall(r"(?m)^[A-Za-z0-9]", LOCK)) == len(re.findall(r"(?m)\\\n    --hash=.*(?<!\\)\n", LOCK))


def test_conda_users_get_this_package_with_the_course() -> None:
    """environment.yml names Python, pip and this package with [course], and nothing that could drift."""
    text = (ROOT / "environment.yml").read_text(encoding="utf-8")
    entries = [line.split("#")[0].strip(" -") for line in text.split("dependencies:")[1].splitlines()]
    python, *others = [entry for entry in entries if entry]
    assert ["pip", "pip:", "e .[course]"] == others
    conda = {str(bound) for bound in SpecifierSet(python.removeprefix("python"))}
    assert PYPROJECT["project"]["requires-python"] in conda


def test_the_oldest_python_is_the_same_everywhere() -> None:
    """pyproject, the linters' targets and the set-up script name one oldest Python."""
    oldest = PYPROJECT["project"]["requires-python"].removeprefix(">=")
    assert oldest == PYPROJECT["tool"]["mypy"]["python_version"]
    assert "py" + oldest.replace(".", "") == PYPROJECT["tool"]["ruff"]["target-version"]
    assert tuple(int(part) for part in oldest.split(".")) == setup_env.OLDEST


def test_every_ignore_has_its_reason_beside_it() -> None:
    """A rule or a warning that is ignored says why, on its own line."""
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    lint = text.split("\nignore = [")[1].split("\n]")[0].splitlines()
    files = text.split("per-file-ignores]")[1].split("\n\n")[0].splitlines()
    warnings = [line for line in text.splitlines() if line.strip().startswith(('"ignore', "'ignore"))]
    assert [line for line in lint + files + warnings if line.strip() and "# " not in line] == []


def test_every_make_target_says_what_it_does() -> None:
    """Each target that is not a file has one line of help."""
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    phony = re.findall(r"(?m)^\.PHONY: (.*)$", text)[0].split()
    assert phony == re.findall(r"(?m)^([a-z-]+):.* ## \w.*$", text)


@pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")
def test_make_alone_prints_the_help() -> None:
    """`make` lists the targets and does nothing else."""
    run = subprocess.run(["make", "--no-print-directory"], cwd=ROOT, capture_output=True, text=True, check=True)
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert re.findall(r"(?m)^\.PHONY: (.*)$", text)[0].split() == [line.split()[1] for line in run.stdout.splitlines()]


# --- tools/setup_env.py --------------------------------------------------------------------------------------------


def test_an_old_python_gets_one_clear_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where no newer Python is to be had, set-up fails and says what is needed, what was found and what to do."""
    monkeypatch.setattr(setup_env, "output_of", lambda command: "")
    assert setup_env.main([], version=(3, 9, 18)) == 1
    (sentence,) = capsys.readouterr().err.splitlines()
    assert "Python 3.11 or newer is needed" in sentence
    assert "3.9.18" in sentence


def test_an_old_python_hands_over_to_the_newest_suitable_one() -> None:
    """The first candidate that answers is used, newest first; one that is there but broken is passed over."""
    answers = {"python3.12": "/opt/python3.12", "python3.11": "/opt/python3.11"}
    assert setup_env.newer_python((3, 9, 18), lambda command: answers.get(command[0], "")) == "/opt/python3.12"


def test_an_old_python_asks_uv_last() -> None:
    """With no suitable interpreter on the path, the one that uv knows is used."""

    def answers(command: list[str]) -> str:
        return {"--version": "uv 1", "python": "/uv/python3.13"}.get(command[1], "") if command[0] == "uv" else ""

    assert setup_env.newer_python((3, 9, 18), answers) == "/uv/python3.13"


def test_any_python_can_read_the_set_up_script() -> None:
    """The script that says "too old" uses no syntax that an old Python cannot read."""
    tree = ast.parse((ROOT / "tools" / "setup_env.py").read_text(encoding="ascii"), feature_version=(3, 6))
    newer = (ast.JoinedStr, ast.AnnAssign, ast.NamedExpr, ast.AsyncFunctionDef, ast.Nonlocal, ast.YieldFrom)
    assert [node for node in ast.walk(tree) if isinstance(node, newer)] == []
    assert [node for node in ast.walk(tree) if isinstance(node, ast.arg) and node.annotation] == []


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout with a path that holds a space, where every environment is usable and no command really runs."""
    root = tmp_path / "a clone"
    (root / ".venv").mkdir(parents=True)
    (root / ".venv" / "pyvenv.cfg").touch()
    for name in ("pyproject.toml", "requirements.lock"):
        shutil.copyfile(ROOT / name, root / name)
    monkeypatch.setattr(setup_env, "output_of", lambda command: "True")
    return root


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The commands that set-up would have run; each succeeds."""
    ran: list[list[str]] = []

    def call(command: list[str], **_: object) -> int:
        ran.append(command)
        return 0

    monkeypatch.setattr(setup_env.subprocess, "call", call)
    return ran


def test_set_up_installs_once(checkout: Path, calls: list[list[str]]) -> None:
    """A second run with nothing changed installs nothing."""
    setup_env.prepare(str(checkout), ".venv", {"test"})
    setup_env.prepare(str(checkout), ".venv", set())
    assert ["-e .[test]"] == [" ".join(call[-2:]) for call in calls]


def test_set_up_keeps_what_was_installed_before(checkout: Path, calls: list[list[str]]) -> None:
    """A new extra is installed together with the extras that are there, so that none of them falls behind."""
    setup_env.prepare(str(checkout), ".venv", {"test"})
    setup_env.prepare(str(checkout), ".venv", {"course"})
    assert ["-e .[test]", "-e .[course,test]"] == [" ".join(call[-2:]) for call in calls]


@pytest.mark.parametrize("name", ["pyproject.toml", "requirements.lock"])
def test_set_up_installs_again_when_a_declaration_changes(checkout: Path, calls: list[list[str]], name: str) -> None:
    """A changed pyproject.toml or lock is noticed."""
    setup_env.prepare(str(checkout), ".venv", set())
    with (checkout / name).open("a", encoding="utf-8") as declaration:
        declaration.write("# changed\n")
    setup_env.prepare(str(checkout), ".venv", set())
    assert len(calls) == 2


def test_a_moved_checkout_gets_a_new_environment(checkout: Path, calls: list[list[str]]) -> None:
    """Scripts in a moved environment point to the old place, so it is made anew."""
    setup_env.prepare(str(checkout), ".venv", set())
    moved = checkout.rename(checkout.with_name("moved"))
    setup_env.prepare(str(moved), ".venv", set())
    assert ["pip", "venv", "pip"] == [call[1] for call in calls]


def test_a_failed_installation_is_not_taken_for_a_finished_one(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When installing fails, set-up says so and the next run tries again."""
    monkeypatch.setattr(setup_env.subprocess, "call", lambda command, **_: 1)
    with pytest.raises(setup_env.SetupError, match="installing failed"):
        setup_env.prepare(str(checkout), ".venv", set())
    assert setup_env.read_stamp(str(checkout / ".venv")) == {}


def test_set_up_never_clears_a_folder_that_is_no_environment(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder of somebody's files in the environment's place stops set-up and stays as it is."""
    kept = checkout / "notes" / "mine.txt"
    kept.parent.mkdir()
    kept.write_text("mine", encoding="utf-8")
    monkeypatch.setattr(setup_env, "usable", lambda folder, uv: False)
    with pytest.raises(setup_env.SetupError, match="no virtual environment"):
        setup_env.prepare(str(checkout), "notes", set())
    assert kept.read_text(encoding="utf-8") == "mine"


def test_spark_is_installed_without_the_lock(checkout: Path, calls: list[list[str]]) -> None:
    """The lock pins pandas 3, which Spark cannot use, so its environment takes ranges alone."""
    setup_env.prepare(str(checkout), ".venv", {"spark", "test"})
    assert [False] == ["--constraint" in call for call in calls]


# --- tools/lab.py --------------------------------------------------------------------------------------------------


def test_the_lab_never_writes_over_a_learners_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A second copy brings what is new, leaves what the learner changed, and says both."""
    source, work = tmp_path / "notebooks", tmp_path / "work"
    source.mkdir()
    (source / "00.ipynb").write_text("first", encoding="utf-8")
    assert lab.main(["--copy-only"], tmp_path) == 0
    (work / "00.ipynb").write_text("my answer", encoding="utf-8")
    (source / "01.ipynb").write_text("second", encoding="utf-8")
    capsys.readouterr()
    assert lab.main(["--copy-only"], tmp_path) == 0
    assert (work / "00.ipynb").read_text(encoding="utf-8") == "my answer"
    assert (work / "01.ipynb").read_text(encoding="utf-8") == "second"
    printed = capsys.readouterr().out
    assert "copied to work/: 01.ipynb" in printed
    assert "they are yours: 00.ipynb" in printed


def test_the_lab_copies_folders_and_leaves_checkpoints(tmp_path: Path) -> None:
    """Pictures beside the notebooks come along; an editor's checkpoints do not."""
    source = tmp_path / "notebooks"
    for name in ("images/map.png", ".ipynb_checkpoints/00-checkpoint.ipynb"):
        (source / name).parent.mkdir(parents=True)
        (source / name).touch()
    assert lab.copy_notebooks(source, tmp_path / "work") == (["images/map.png"], [], [])
    assert lab.copy_notebooks(source, tmp_path / "work") == ([], ["images/map.png"], [])
