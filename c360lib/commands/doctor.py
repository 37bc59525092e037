"""Whether a learner's set-up can run the course: one line per thing, with what to do where it cannot."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from typing import NamedTuple

OLDEST_PYTHON = (3, 11)
NEEDED_DISK_MB = 1_000
NEEDED_JAVA = 17
CPUINFO = Path("/proc/cpuinfo")
_NAME = re.compile(r"^[A-Za-z0-9._-]+")


class Finding(NamedTuple):
    """One thing that was looked at. `is_needed`: the course does not run without it."""

    name: str
    is_well: bool
    found: str
    advice: str = ""
    is_needed: bool = True

    @property
    def line(self) -> str:
        """The finding as a line for a person.

        >>> Finding("disk", False, "10 MB free", "free some space").line
        'NOT OK  disk: 10 MB free; free some space'
        """
        mark = "ok" if self.is_well else "NOT OK" if self.is_needed else "absent"
        return f"{mark:6}  {self.name}: {self.found}{'' if self.is_well or not self.advice else '; ' + self.advice}"


def examine(
    root: Path,
    with_spark: bool = False,
    python: Sequence[int] = tuple(sys.version_info[:3]),
    installed: Callable[[str], str | None] = lambda name: _version(name),
    cpuinfo: Path = CPUINFO,
) -> list[Finding]:
    """Everything that the course stands on, the needed things first."""
    found = [_python(python), _packages("", installed), _packages("course", installed), _folder(root), _disk(root)]
    found += _processor(cpuinfo, installed)
    found.append(_packages("engines", installed, is_needed=False))
    if with_spark:
        found += [_packages("spark", installed), _java()]
    return found


def _python(python: Sequence[int]) -> Finding:
    told = ".".join(str(part) for part in python[:3])
    advice = f"install Python {OLDEST_PYTHON[0]}.{OLDEST_PYTHON[1]} or newer, remove .venv, then set up again"
    return Finding("Python", tuple(python[:2]) >= OLDEST_PYTHON, told, advice)


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _packages(extra: str, installed: Callable[[str], str | None], is_needed: bool = True) -> Finding:
    """The packages of the core ('') or of an extra."""
    missing = [name for name in _declared(extra) if installed(name) is None]
    name = f"packages of the extra {extra}" if extra else "packages of the core"
    advice = _to_install(extra)
    if extra == "spark":  # which cannot share an environment with the notebooks
        advice = "in the folder of the course: python3 tools/setup_env.py --env .venv-spark spark"
    found = f"missing {', '.join(missing)}" if missing else "all there"
    return Finding(name, not missing, found, advice, is_needed)


def _to_install(extra: str) -> str:
    target = f".[{extra}]" if extra else "."
    return f'in the folder of the course: "{sys.executable}" -m pip install -e "{target}"'


def _declared(extra: str) -> Iterator[str]:
    """Names of the packages that c360 declares for the core ('') or for an extra, with those of extras in it."""
    for line in requires("c360") or ():
        marked = re.search(r"extra == ['\"]([\w-]+)['\"]", line)
        name = _NAME.match(line)
        if name is None or (marked[1] if marked else "") != extra:
            continue
        if name[0] != "c360":
            yield name[0]
        else:
            for other in re.findall(r"[\w-]+", line[line.index("[") : line.index("]")]):
                yield from _declared(other)


def _folder(root: Path) -> Finding:
    """Whether files can be made where the course works."""
    probe = root / ".c360-doctor"
    try:
        probe.write_text("", encoding="utf-8")
        probe.unlink()
    except OSError as error:
        reason = error.strerror or "cannot be written"
        return Finding("folder", False, f"{root.resolve()}: {reason}", "work in a folder that is yours")
    return Finding("folder", True, "can be written")


def _disk(root: Path) -> Finding:
    free = shutil.disk_usage(root).free // 1_000_000
    return Finding("disk", free >= NEEDED_DISK_MB, f"{free:,} MB free", f"the course needs {NEEDED_DISK_MB:,} MB")


def _processor(cpuinfo: Path, installed: Callable[[str], str | None]) -> Iterator[Finding]:
    """Whether polars runs on this processor; nothing where Linux does not tell the flags of an x86 one."""
    told = cpuinfo.read_text(encoding="utf-8", errors="replace") if cpuinfo.exists() else ""
    flags = re.search(r"^flags\s*:(.*)$", told, re.MULTILINE)
    if flags is None:
        return
    if "avx2" in flags[1].split():
        yield Finding("processor", True, "has AVX2")
    else:
        is_well = installed("polars-runtime-compat") is not None
        yield Finding("processor", is_well, "has no AVX2, which polars needs without rtcompat", _to_install("rtcompat"))


def _java() -> Finding:
    """Java for Spark; `java -version` writes to standard error."""
    advice = f"install a Java {NEEDED_JAVA} runtime (Temurin, for example) and put it on PATH"
    path = shutil.which("java")
    if path is None:
        return Finding("Java", False, "not found", advice)
    done = subprocess.run([path, "-version"], capture_output=True, text=True, check=False)
    found = re.search(r'version "(\d+)', done.stderr + done.stdout)
    number = int(found[1]) if found else 0
    return Finding("Java", number >= NEEDED_JAVA, f"version {number}" if number else "does not answer", advice)
