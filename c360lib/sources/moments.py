"""Moments: seconds since 1970 and the text that stands for them."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import Any

import pyarrow as pa

from c360lib import rules
from c360lib.errors import IntegrityError, UsageError
from c360lib.sources.cells import seconds


def seconds_or_none(text: str) -> int | None:
    """One timestamp as seconds since 1970; None where it cannot be read.

    >>> seconds_or_none("1970-01-01T00:01:00Z"), seconds_or_none("soon")
    (60, None)
    """
    value: int | None = seconds(pa.array([text]))[0].as_py()
    return value


def promised_seconds(text: object, what: str) -> int:
    """One timestamp of a manifest as seconds since 1970; IntegrityError, which says `what`, where it cannot be read.

    >>> promised_seconds("1970-01-01T00:01:00Z", "as_of")
    60
    """
    found = seconds_or_none(text) if isinstance(text, str) else None
    if found is None:
        raise IntegrityError(
            f"{what}: expected a time such as 2026-06-30T23:59:59Z, got {text!r}; run `c360 reset`, then build again"
        )
    return found


def as_of(manifest: Mapping[str, Any]) -> int:
    """The as_of of a release, from its manifest, as seconds since 1970; IntegrityError where it cannot be read."""
    return promised_seconds(manifest.get("as_of"), f"the manifest of release {manifest['release']}, as_of")


def latest_arrival(manifest: Mapping[str, Any], source: str) -> int | None:
    """The latest arrival in a source of a release, likewise; None where the source has no row."""
    text = manifest["sources"][source]["latest_ingest_ts"]
    what = f"the manifest of release {manifest['release']}, latest_ingest_ts of {source}"
    return None if text is None else promised_seconds(text, what)


def moment_text(at: int) -> str:
    """Seconds since 1970 as a timestamp.

    >>> moment_text(60)
    '1970-01-01T00:01:00Z'
    """
    return (datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC) + datetime.timedelta(seconds=at)).isoformat()[:19] + "Z"


def end_of_day(text: str) -> int:
    """The last second of a UTC day, from a date or a timestamp; UsageError for anything else.

    >>> end_of_day("1970-01-01"), end_of_day("1970-01-01T10:00:00Z")
    (86399, 86399)
    """
    at = seconds_or_none(f"{text}T00:00:00Z" if len(text) == len("2026-01-31") else text)
    if at is None:
        raise UsageError(f"--as-of: expected a day such as 2026-06-30 or 2026-06-30T23:59:59Z, got {text!r}")
    return at - at % rules.SECONDS_PER_DAY + rules.SECONDS_PER_DAY - 1
