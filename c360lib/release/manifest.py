"""The manifest of a release, and its id."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pyarrow as pa

import c360lib
from c360lib import rules
from c360lib.layers.layer import Moment
from c360lib.sources import moments
from c360lib.sources.load import Loaded
from c360lib.storage.files import file_sha256, write_json
from c360lib.storage.workspace import Workspace


def inputs_sha256(loaded: Loaded, workspace: Workspace, at: Moment, suffix: str, model: str) -> str:
    """Files, moment, rules and code, hashed: the same of all gives the same answer. The engine does not count."""
    beside = {path.name: file_sha256(path) for path in (workspace.steward_file, workspace.truth_file) if path.exists()}
    parts = {
        "inputs": {name: source.sha256 for name, source in loaded.sources.items()},
        "beside": beside,
        "as_of": at.as_of,
        "format": suffix,
        "model": model,
        "recipe": workspace.generated.recipe(),
        "rules": rules.RULES_VERSION,
        "code": code_fingerprint(),
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def release_id(at: Moment, inputs_sha256: str, predecessor_sha256: str) -> str:
    """The day, and a hash of the inputs and of who was who in the release before."""
    digest = hashlib.sha256(f"{inputs_sha256} {predecessor_sha256}".encode()).hexdigest()
    return f"{moments.moment_text(at.as_of)[:10]}-{digest[:12]}"


def code_fingerprint() -> str:
    """SHA-256 over the source of the data product, so that a changed rule makes another release (a lesson does not)."""
    digest = hashlib.sha256()
    folder = Path(c360lib.__file__).parent
    for path in sorted(folder.rglob("*.py")):
        if path.relative_to(folder).parts[0] in ("course", "plots"):
            continue
        digest.update(path.relative_to(folder).as_posix().encode() + b"\0" + path.read_bytes().replace(b"\r\n", b"\n"))
    return digest.hexdigest()


# --- the record -------------------------------------------------------------------------------------------------------
def record_of(loaded: Loaded, at: Moment, dispositions: pa.Table, engine: str, suffix: str) -> dict[str, Any]:
    """What the manifest of a release says of its sources, rules and versions."""
    sources = {
        name: {
            "present": source.present,
            "rows": source.rows,
            "sha256": source.sha256,
            "extra_columns": list(source.extra_columns),
            "absent_columns": list(source.absent_columns),
            "latest_ingest_ts": None if source.latest_ingest is None else moments.moment_text(source.latest_ingest),
            "dispositions": {
                row["disposition"]: row["row_count"] for row in dispositions.to_pylist() if row["source"] == name
            },
        }
        for name, source in loaded.sources.items()
    }
    packages = ("narwhals", "polars", "pyarrow")
    return {
        "as_of": moments.moment_text(at.as_of),
        "engine": engine,
        "format": suffix,
        "rules_version": rules.RULES_VERSION,
        "contract_version": rules.CONTRACT_VERSION,
        "versions": {"c360": c360lib.__version__, **{name: version(name) for name in packages}},
        "sources": sources,
        "unusable_decisions": loaded.unusable_decisions,
    }


def finish_manifest(stage: Path, record: dict[str, Any], counts: Mapping[str, int]) -> dict[str, dict[str, int]]:
    """Write the manifest with rows and SHA-256 of every file; gives rows per layer and table."""
    rows: dict[str, dict[str, int]] = {}
    files = {}
    for path in sorted(p for p in stage.rglob("*") if p.is_file()):
        layer = path.parent.name
        count = counts.get(path.stem)
        files[path.relative_to(stage).as_posix()] = {"rows": count, "sha256": file_sha256(path)}
        if count is not None:
            rows.setdefault(layer, {})[path.stem] = count
    write_json(stage / "manifest.json", {**record, "files": files})
    return rows
