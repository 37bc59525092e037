"""Copy the notebooks to work/, never over a learner's file, and open JupyterLab there.

    python tools/lab.py [--copy-only]

With CI or NO_BROWSER set, JupyterLab starts without opening a browser.
"""

from __future__ import annotations

import filecmp
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def main(arguments: list[str], root: Path = ROOT) -> int:
    """Copy, say what was copied, then open JupyterLab unless told not to; the exit status."""
    if arguments not in ([], ["--copy-only"]):
        print(f"c360: expected [--copy-only], got: {' '.join(arguments)}", file=sys.stderr)
        return 2
    copied, same, yours = copy_notebooks(root / "notebooks", root / "work")
    for line in summary(copied, same, yours):
        print(line)
    if arguments:
        return 0
    sys.stdout.flush()
    is_root = hasattr(os, "geteuid") and os.geteuid() == 0
    try:
        return subprocess.call(lab_command(root / "work", os.environ, is_root), cwd=root / "work")
    except KeyboardInterrupt:
        return 0


def copy_notebooks(source: Path, target: Path) -> tuple[list[str], list[str], list[str]]:
    """Copy each file that is not in `target` yet; names copied, already there and the same, there and different."""
    target.mkdir(parents=True, exist_ok=True)
    copied, same, yours = [], [], []
    for path in sorted(source.rglob("*")):
        name = path.relative_to(source).as_posix()
        if not path.is_file() or ".ipynb_checkpoints" in name:
            continue
        copy = target / name
        if not os.path.lexists(copy):
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, copy)
            copied.append(name)
        elif copy.is_file() and filecmp.cmp(path, copy, shallow=False):
            same.append(name)
        else:
            yours.append(name)
    return copied, same, yours


def summary(copied: list[str], same: list[str], yours: list[str]) -> list[str]:
    r"""What was copied and what was left, in lines for a person.

    >>> print(*summary(["01.ipynb"], [], ["00.ipynb"]), sep="\n")
    c360: copied to work/: 01.ipynb
    c360: left as they are in work/, because they are yours: 00.ipynb
    c360: to start one afresh, rename yours and run `make lab` again
    >>> summary([], [], [])
    ['c360: there are no notebooks to copy yet']
    """
    if not copied + same + yours:
        return ["c360: there are no notebooks to copy yet"]
    lines = [f"c360: copied to work/: {', '.join(copied)}"] if copied else []
    if same:
        lines.append(f"c360: in work/ already: {', '.join(same)}")
    if yours:
        lines.append(f"c360: left as they are in work/, because they are yours: {', '.join(yours)}")
        lines.append("c360: to start one afresh, rename yours and run `make lab` again")
    return lines


def lab_command(folder: Path, environment: Mapping[str, str], is_root: bool) -> list[str]:
    """The command that opens JupyterLab on that folder; root, as in a container, must be let in by name.

    >>> lab_command(Path("work"), {"CI": "true"}, is_root=True)[3:]
    ['--ServerApp.root_dir=work', '--no-browser', '--allow-root']
    """
    command = [sys.executable, "-m", "jupyterlab", f"--ServerApp.root_dir={folder}"]
    if environment.get("CI") or environment.get("NO_BROWSER"):
        command.append("--no-browser")
    if is_root:
        command.append("--allow-root")
    return command


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
