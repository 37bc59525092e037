"""The folder that holds `data/` and `reports/`: the only reader and writer of layer files.

A release is immutable and lives in `data/releases/<id>`. `data/CURRENT` names the one that holds, and replacing that
file is the only commit: whatever moment a run is killed at, the old release stands or the new one. What people open
(`data/bronze`, `data/silver`, `data/gold`, `reports`) are links into it, put right by every verb.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
from filelock import FileLock, Timeout

from c360lib.errors import BusyError, IntegrityError, UsageError
from c360lib.schemas import RAW, STEWARD, TRUTH
from c360lib.storage.files import FORMATS, file_sha256, read_csv, read_json, remove_tree, unlink, write_json
from c360lib.storage.generated import Generated

LAYER_FOLDERS = ("bronze", "silver", "gold", "reports")
EVALUATION = "identity_evaluation"
EVALUATION_FILES = (".md", ".json", "_threshold_curve.png", "_f1_by_reviews.png")
KEPT_RELEASES = 3


class Workspace:
    """One ROOT. Paths, reading, staging, publishing; it holds no tables and no state but its path."""

    def __init__(self, root: str | os.PathLike[str] = ".") -> None:
        self.root = Path(root)
        self.data = self.root / "data"
        self.raw = self.data / "raw"
        self.releases = self.data / "releases"
        self.staging = self.data / ".staging"
        self.failed = self.data / "failed"
        self.lessons = self.data / "lessons"  # workspaces of notebooks, made again when they are missing
        self.current_file = self.data / "CURRENT"
        self.truth_file = self.data / "truth" / f"{TRUTH.name}.csv"
        self.model_file = self.data / "models" / "identity.json"  # yours: only `c360 train` writes it, reset leaves it
        self.steward_file = self.data / "steward" / f"{STEWARD.name}.csv"
        self.generated = Generated(self.root, {**{n: self.raw_file(n) for n in RAW}, TRUTH.name: self.truth_file})

    # --- one at a time ------------------------------------------------------------------------------------------------
    @contextlib.contextmanager
    def locked(self, wait_seconds: float = 0) -> Iterator[None]:
        """Hold the workspace; BusyError where another run still does after the wait. The operating system frees it if
        we die.
        """
        self.data.mkdir(parents=True, exist_ok=True)
        lock = FileLock(self.data / ".lock")
        try:
            lock.acquire(timeout=wait_seconds)
        except Timeout:
            raise BusyError(
                f"{self.root}: another c360 run holds this folder; wait until it ends, then try again"
            ) from None
        try:
            yield
        finally:
            lock.release()

    def unlock_for_good(self) -> None:
        """Remove the lock file too, and the data folder if nothing else is in it."""
        with contextlib.suppress(OSError):
            unlink(self.data / ".lock")
            self.data.rmdir()

    # --- raw ----------------------------------------------------------------------------------------------------------
    def raw_file(self, source: str) -> Path:
        """Where the raw file of a source stands or would stand."""
        return self.raw / f"{source}.csv"

    def truth(self) -> pa.Table | None:
        """The truth table where it is at hand, all columns text."""
        return read_csv(self.truth_file) if self.truth_file.exists() else None

    # --- releases -----------------------------------------------------------------------------------------------------
    def current(self) -> str | None:
        """The id of the published release; None where there is none."""
        return str(read_json(self.current_file)["release"]) if self.current_file.exists() else None

    def kept(self) -> list[Path]:
        """The folders of the releases that are kept, the published one first, then by when they last were it."""
        names = read_json(self.current_file)["kept"] if self.current_file.exists() else []
        return [self.releases / name for name in names]

    def current_release(self) -> Path:
        """The folder of the published release; UsageError where nothing is published."""
        release = self.current()
        if release is None:
            raise UsageError(f"{self.root}: nothing is published here yet; run `c360 run` or `c360 build` first")
        folder = self.releases / release
        if not (folder / "manifest.json").exists():
            raise IntegrityError(
                f"{folder}: data/CURRENT names this release, but it is not there; run `c360 build` again"
            )
        return folder

    def manifest(self) -> dict[str, Any]:
        """The manifest of the published release."""
        return read_json(self.current_release() / "manifest.json")

    def release_before(self, manifest: dict[str, Any]) -> Path | None:
        """The folder of the release that another follows; None where there was none or it is no longer kept."""
        followed = manifest.get("predecessor")
        folder = self.releases / followed["release"] if followed else self.releases
        return folder if followed and (folder / "manifest.json").exists() else None

    @contextlib.contextmanager
    def staged(self) -> Iterator[Path]:
        """A staging folder with one folder a layer, after what a killed run left is put right; gone afterwards."""
        self._drop_old()
        with contextlib.suppress(IntegrityError):  # a release that is gone is put right by this build
            self.repair()
        remove_tree(self.staging)
        for folder in LAYER_FOLDERS:
            (self.staging / folder).mkdir(parents=True)
        try:
            yield self.staging
        finally:
            remove_tree(self.staging)

    def keep_failed(self, release: str) -> Path:
        """Set a staged release that must not be published aside; gives its path."""
        target = self.failed / release
        remove_tree(target)
        self.failed.mkdir(exist_ok=True)
        self.staging.replace(target)
        return target

    def publish(self, release: str) -> None:
        """Make the staged release the published one; the last KEPT_RELEASES are kept."""
        target = self.releases / release
        self.releases.mkdir(exist_ok=True)
        if target.exists():
            self._replace_or_keep(target)
        else:
            _seal(self.staging)
            self.staging.replace(target)
        kept = [release, *(path.name for path in self.kept() if path.name != release)][:KEPT_RELEASES]
        write_json(self.current_file, {"release": release, "kept": kept})
        self._drop_old()
        self.repair()

    def _replace_or_keep(self, target: Path) -> None:
        """The same inputs must give the same files; a stored release that is damaged is replaced."""
        new, old = read_json(self.staging / "manifest.json")["files"], dict[str, Any]()
        with contextlib.suppress(OSError, ValueError, KeyError, IntegrityError):
            old = read_json(target / "manifest.json")["files"] if not damaged_files(target) else {}
        if new == old:
            remove_tree(self.staging)
            return
        if old:
            raise IntegrityError(
                f"{target}: the same inputs and rules gave another answer than before; the new one is kept in "
                f"{self.keep_failed(target.name)}; compare the two, or start afresh with `c360 reset`"
            )
        remove_tree(target)
        _seal(self.staging)
        self.staging.replace(target)

    def repair(self) -> None:
        """Put the links right that a killed run or a person changed; safe beside a build that is going on."""
        if not self.current_file.exists():
            return
        release = self.current_release()
        for folder in LAYER_FOLDERS:
            self._link_folder(release / folder, self.opened_folder(folder))

    def _drop_old(self) -> None:
        """Remove releases that are no longer kept; only for who holds the workspace."""
        kept = self.kept()
        for path in self.releases.iterdir() if self.releases.exists() else ():
            if path not in kept:
                remove_tree(path)

    def opened_folder(self, folder: str) -> Path:
        """The folder of a layer that people open."""
        return self.root / "reports" if folder == "reports" else self.data / folder

    def evaluation_file(self, ending: str) -> Path:
        """A file of `c360 evaluate`, by one of EVALUATION_FILES. It measures a release and is no part of one."""
        return self.opened_folder("reports") / f"{EVALUATION}{ending}"

    def _link_folder(self, source: Path, target: Path) -> None:
        target.mkdir(parents=True, exist_ok=True)
        names = set()
        for path in sorted(source.iterdir()):
            names.add(path.name)
            _link(path, target / path.name)
        for path in target.iterdir():  # the same table in the other format is an older release's
            if path.name not in names and any(path.with_suffix(f".{f}").name in names for f in FORMATS):
                unlink(path)

    def verify(self) -> list[str]:
        """What differs between the published files and their manifest, in words; empty: nothing."""
        self.repair()
        release = self.current_release()
        found = damaged_files(release)
        for folder in LAYER_FOLDERS:
            for path in sorted((release / folder).iterdir()):
                opened = self.opened_folder(folder) / path.name
                if not opened.exists() or not (opened.samefile(path) or file_sha256(opened) == file_sha256(path)):
                    found.append(f"{opened}: differs from the release")
        return found

    def reset(self) -> list[Path]:
        """Remove what c360 made here and nothing else; gives what was removed."""
        removed: list[Path] = []
        if self.current_file.exists():
            release = self.releases / str(self.current())
            for folder in LAYER_FOLDERS:
                names = [path.name for path in (release / folder).iterdir()] if (release / folder).exists() else []
                removed += [self.opened_folder(folder) / name for name in names]
        removed += self.generated.as_generated()
        removed += [self.generated.record_file, self.current_file, *map(self.evaluation_file, EVALUATION_FILES)]
        removed = [path for path in removed if path.exists()]
        for path in removed:
            unlink(path)
        for tree in (self.releases, self.staging, self.generated.drafts, self.failed, self.lessons):
            if tree.exists():
                remove_tree(tree)
                removed.append(tree)
        for emptied in (self.raw, self.truth_file.parent, *(self.opened_folder(f) for f in LAYER_FOLDERS)):
            with contextlib.suppress(OSError):
                emptied.rmdir()
        return removed

    def table_file(self, layer: str, name: str, folder: Path | None = None) -> Path:
        """The file of a published table (or of one in a given release folder); UsageError where there is none."""
        base = (folder or self.current_release()) / layer
        for suffix in FORMATS:
            if (base / f"{name}.{suffix}").exists():
                return base / f"{name}.{suffix}"
        raise UsageError(f"no table {name} in {layer} of {base.parent.name}")


def damaged_files(release: Path) -> list[str]:
    """Files of a release that are missing, changed or not listed in its manifest, in words."""
    manifest = read_json(release / "manifest.json")["files"]
    found = []
    for name, entry in manifest.items():
        path = release / name
        if not path.exists():
            found.append(f"{path}: missing")
        elif file_sha256(path) != entry["sha256"]:
            found.append(f"{path}: its content is not what the manifest promises")
    present = {p.relative_to(release).as_posix() for p in release.rglob("*") if p.is_file()} - {"manifest.json"}
    return found + [f"{release / name}: not in the manifest" for name in sorted(present - set(manifest))]


def _seal(release: Path) -> None:
    """Make the files of a release read-only, so that an editor on a link cannot change it unnoticed."""
    for path in release.rglob("*"):
        if path.is_file():
            path.chmod(stat.S_IREAD | stat.S_IRGRP | stat.S_IROTH)


def _link(source: Path, target: Path) -> None:
    """Let `target` be `source`: a hard link, or a copy where the file system has none."""
    if target.exists():
        if source.samefile(target):
            return
        here, there = source.stat(), target.stat()
        if (here.st_size, here.st_mtime_ns) == (there.st_size, there.st_mtime_ns):
            return
    draft = target.with_name(f".{target.name}.part")
    unlink(draft)
    try:
        os.link(source, draft)
    except OSError:
        shutil.copy2(source, draft)
    if target.exists():
        target.chmod(stat.S_IWRITE | stat.S_IREAD) if os.name == "nt" else None
    draft.replace(target)
