"""What `c360 doctor` finds on a sound set-up and on broken ones."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from c360lib.commands import doctor
from c360lib.commands.doctor import Finding, examine


def found(findings: list[Finding], name: str) -> Finding:
    """The finding of that name."""
    return next(finding for finding in findings if finding.name == name)


def test_a_sound_set_up_is_all_well(tmp_path: Path) -> None:
    """Every needed thing is there."""
    findings = examine(tmp_path, python=(3, 12, 1), installed=lambda name: "1.0")

    assert [] == [f.line for f in findings if not f.is_well]
    assert ["Python", "packages of the core", "packages of the extra course"] == [f.name for f in findings[:3]]


def test_an_old_python_is_told_with_what_to_do(tmp_path: Path) -> None:
    """The line names the version that was found."""
    line = found(examine(tmp_path, python=(3, 10, 4), installed=lambda name: "1.0"), "Python").line

    assert "NOT OK  Python: 3.10.4; install Python 3.11 or newer, remove .venv, then set up again" == line


def test_missing_packages_are_named_with_the_command_that_brings_them(tmp_path: Path) -> None:
    """What the course needs is needed; an engine is not."""
    lacking = {"jupyterlab", "duckdb"}
    findings = examine(tmp_path, installed=lambda name: None if name in lacking else "1.0")

    course, engines = (found(findings, f"packages of the extra {extra}") for extra in ("course", "engines"))
    assert (False, True, "missing duckdb, jupyterlab") == (course.is_well, course.is_needed, course.found)
    assert '-m pip install -e ".[course]"' in course.advice
    assert engines.line.startswith("absent  packages of the extra engines: missing duckdb")


def test_an_extra_that_takes_in_another_needs_its_packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The course takes in identity, so Splink is looked for too."""
    lines = ['jupyterlab>=4; extra == "course"', 'c360[identity]; extra == "course"', 'splink>=5; extra == "identity"']
    monkeypatch.setattr(doctor, "requires", lambda name: lines)
    findings = examine(tmp_path, installed=lambda name: None if name == "splink" else "1.0")

    assert "missing splink" == found(findings, "packages of the extra course").found


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    """The learner must be able to work there."""
    assert found(examine(tmp_path), "folder").is_well
    assert [] == list(tmp_path.iterdir())

    probe = doctor._folder(tmp_path / "nowhere")
    assert (False, "work in a folder that is yours") == (probe.is_well, probe.advice)


@pytest.mark.parametrize(
    ("cpuinfo", "is_installed", "lines"),
    [
        ("processor\t: 0\nflags\t\t: fpu sse4_2 avx avx2 bmi1\n", False, ["ok      processor: has AVX2"]),
        (
            "processor\t: 0\nflags\t\t: fpu sse4_2 avx\nbugs\t\t: avx2\n",
            False,
            [
                "NOT OK  processor: has no AVX2, which polars needs without rtcompat; in the folder of the course: "
                f'"{sys.executable}" -m pip install -e ".[rtcompat]"'
            ],
        ),
        (
            "flags\t\t: fpu avx\n",
            True,
            ["ok      processor: has no AVX2, which polars needs without rtcompat"],
        ),
        ("processor\t: 0\nFeatures\t: fp asimd\n", False, []),
        ("", False, []),
    ],
)
def test_an_old_processor_is_told_which_polars_to_install(
    cpuinfo: str, is_installed: bool, lines: list[str], tmp_path: Path
) -> None:
    """An x86 one without AVX2; of any other kind, or where nobody can know, nothing is said."""
    path = tmp_path / "cpuinfo"
    path.write_text(cpuinfo, encoding="utf-8")
    findings = examine(tmp_path, installed=lambda name: "2.1.0" if is_installed else None, cpuinfo=path)

    assert lines == [finding.line for finding in findings if finding.name == "processor"]
    assert [] == [f for f in examine(tmp_path, cpuinfo=tmp_path / "nowhere") if f.name == "processor"]


@pytest.mark.parametrize(
    ("told", "is_well", "words"),
    [
        ('openjdk version "17.0.15" 2025-04-15', True, "version 17"),
        ('java version "1.8.0_202"', False, "version 1"),
        ("", False, "does not answer"),
    ],
)
def test_java_is_asked_for_where_spark_is_wanted(
    told: str, is_well: bool, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only then; and it must be new enough."""

    class Done:
        stderr, stdout = told, ""

    monkeypatch.setattr(doctor.shutil, "which", lambda name: "java")
    monkeypatch.setattr(doctor.subprocess, "run", lambda *_, **__: Done())

    java = found(examine(tmp_path, with_spark=True), "Java")
    assert (is_well, words) == (java.is_well, java.found)
    assert [] == [f for f in examine(tmp_path) if f.name == "Java"]


def test_no_java_at_all_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not found, and what to install."""
    monkeypatch.setattr(doctor.shutil, "which", lambda name: None)

    assert "NOT OK  Java: not found; install a Java 17 runtime" in found(examine(tmp_path, True), "Java").line
