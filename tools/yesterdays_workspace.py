"""Write tests/data/yesterday anew: a small workspace as this version leaves it, which every later version is tested on.

    .venv/bin/python tools/yesterdays_workspace.py

Run it when a version is released. What `repair` makes again (the folders that people open) and the lock are left out.
"""

from __future__ import annotations

from pathlib import Path

from c360lib.generate import generate
from c360lib.release.build import build
from c360lib.rules import DEFAULT_AS_OF, DEFAULT_SEED
from c360lib.storage.files import remove_tree, unlink
from c360lib.storage.workspace import LAYER_FOLDERS, Workspace

YESTERDAY = Path(__file__).resolve().parent.parent / "tests" / "data" / "yesterday"
PEOPLE = 12


def write(root: Path) -> str:
    """Write the workspace in place of what stands there; gives the id of its release."""
    remove_tree(root)
    workspace = Workspace(root)
    recipe = {"customers": PEOPLE, "seed": DEFAULT_SEED, "as_of": DEFAULT_AS_OF, "faults": []}
    workspace.generated.write(generate(PEOPLE), recipe)
    release = build(workspace, as_of=DEFAULT_AS_OF).release
    for folder in LAYER_FOLDERS:
        remove_tree(workspace.opened_folder(folder))
    unlink(workspace.data / ".lock")
    return release


if __name__ == "__main__":
    print(f"{YESTERDAY} holds release {write(YESTERDAY)}")
