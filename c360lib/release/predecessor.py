"""What a build takes over from the release published before: who was who, what became of profiles until then, and
what was shut, which the gate asks about.

It is an input: a hash of it goes into the release id. A build of the inputs that the published release was made from
takes what that release took, so it is the same release again.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from c360lib.errors import IntegrityError
from c360lib.identity.history import EVENTS_SCHEMA, PROFILES_SCHEMA
from c360lib.schemas import SILVER
from c360lib.sources import cells
from c360lib.storage.files import Files, file_sha256, read_json
from c360lib.storage.workspace import Workspace

_READ = ("customer_identity", "identity_events", "activation_candidates", "consent_events", "decisions")


class Predecessor(NamedTuple):
    """Accounts and ledger of an earlier release, and what tells it from others; the empty one stands for none."""

    release: str = ""
    sha256: str = ""
    profiles: pa.Table = PROFILES_SCHEMA.empty_table()
    events: pa.Table = EVENTS_SCHEMA.empty_table()

    def told(self) -> dict[str, Any] | None:
        """What the manifest says of it; None: there was none."""
        if not self.release:
            return None
        counts = {"profiles": pc.count_distinct(self.profiles["profile_id"]).as_py(), "events": len(self.events)}
        return {"release": self.release, "sha256": self.sha256, **counts}


def find(workspace: Workspace, inputs_sha256: str) -> Predecessor:
    """The release that a build of these inputs follows: the published one or, where that was made from the same inputs,
    the one that it followed.

    A release of which a file that is read is damaged or gone is passed over for the one published before it.
    """
    kept = [(folder, manifest) for folder in workspace.kept() if (manifest := _manifest(folder))]
    if kept and kept[0][1].get("inputs_sha256") == inputs_sha256:
        followed = kept[0][1]["predecessor"]
        if followed is None:
            return Predecessor()
        kept.sort(key=lambda each: _digest(each[1]) != followed["sha256"])
    for folder, manifest in kept:
        promised = _promised(manifest)
        if promised and all((folder / n).exists() and file_sha256(folder / n) == s for n, s in promised.items()):
            return _read(folder, _digest(manifest))
    return Predecessor()


def _manifest(folder: Path) -> dict[str, Any]:
    """The manifest of a release; empty where it is gone or damaged."""
    with contextlib.suppress(IntegrityError):
        return read_json(folder / "manifest.json")
    return {}


def _promised(manifest: dict[str, Any]) -> dict[str, str]:
    """The SHA-256 that each file of a release which is read must have."""
    return {name: e["sha256"] for name, e in manifest.get("files", {}).items() if Path(name).stem in _READ}


def _digest(manifest: dict[str, Any]) -> str:
    """What tells a release from others as far as it is read: those files, and what they were generated from."""
    parts = [sorted(_promised(manifest).values()), manifest.get("recipe")]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def _read(folder: Path, digest: str) -> Predecessor:
    files, table = Files(folder), SILVER["identity_events"]
    texts = files.read(table.name, table.column_names)
    events = pa.table([cells.restored(texts[c.name], c) for c in table.columns], schema=EVENTS_SCHEMA)
    return Predecessor(folder.name, digest, files.read("customer_identity", PROFILES_SCHEMA.names), events)
