"""A learner's own copies of notebooks; nothing here ever writes over one."""

from __future__ import annotations

import itertools
import shutil
from pathlib import Path

from c360lib.course import source
from c360lib.errors import UsageError


def fresh_copy(number: str, into: Path | None = None, home: Path | None = None) -> Path:
    """Copy the notebook with that number into the learner's folder, under a new name where it is there already.

    UsageError where no notebook has that number.
    """
    home = source.FOLDER.parent if home is None else home
    into = home / "work" if into is None else into
    wanted = number.zfill(2)
    known = sorted((home / "notebooks").glob("[0-9][0-9]_*.ipynb"))
    found = [path for path in known if path.name.startswith(f"{wanted}_")]
    if not found:
        numbers = ", ".join(path.name[:2] for path in known) or "none"
        raise UsageError(f"there is no notebook {number!r} in {home / 'notebooks'}; there are {numbers}")
    into.mkdir(parents=True, exist_ok=True)
    names = (f"{found[0].stem}{tail}.ipynb" for tail in itertools.chain([""], (f"-{n}" for n in itertools.count(2))))
    target = next(into / name for name in names if not (into / name).exists())
    shutil.copyfile(found[0], target)
    return target
