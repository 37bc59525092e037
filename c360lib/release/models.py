"""The matching model of a release: asked for, kept, and read again."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa

from c360lib.errors import UsageError
from c360lib.identity.model import score
from c360lib.storage.workspace import Workspace

MODEL_FILE = Path("identity") / "model.json"


def model_asked(workspace: Workspace, identity: str) -> str:
    """What the layers are asked: nothing, "train", or the text of the saved model."""
    if identity not in score.MODES:
        raise UsageError(f"--identity: expected one of {', '.join(score.MODES)}, got {identity!r}")
    if identity != "probabilistic" or not score.is_installed():
        return ""
    saved = workspace.model_file
    return score.checked(saved.read_text(encoding="utf-8"), saved) if saved.exists() else "train"


def write_model(model: pa.Table, path: Path) -> None:
    """Keep the model that the release was scored with, so that it can be read, and used again."""
    for text in model["model"].to_pylist():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text + "\n", encoding="utf-8")


def model(workspace: Workspace) -> str:
    """The text of the model that the release was scored with; "" where declared rules stood alone."""
    file = workspace.current_release() / MODEL_FILE
    if not file.exists():
        return ""
    if not score.is_installed():
        raise UsageError("this release was matched by a model; to weigh its pairs again, install c360[identity]")
    return file.read_text(encoding="utf-8")
