"""Measures as the report that people read, and as JSON for machines."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from c360lib.quality.measures import Measure, status
from c360lib.storage.files import write_json

NAME = "customer360_quality_report"


def write(folder: Path, record: dict[str, Any], measures: Sequence[Measure]) -> None:
    """Write the report as Markdown and JSON."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{NAME}.md").write_text(markdown(record, measures), encoding="utf-8", newline="\n")
    write_json(
        folder / f"{NAME}.json",
        {
            "release": record["release"],
            "as_of": record["as_of"],
            "status": status(measures),
            "measures": [measure._asdict() for measure in measures],
        },
    )


def markdown(record: dict[str, Any], measures: Sequence[Measure]) -> str:
    """The report as people read it."""
    lines = [
        "# Customer 360 quality report",
        "",
        f"Release `{record['release']}`, as of {record['as_of']}. Status: **{status(measures)}**.",
        "",
        "A measure that fails keeps the release from being published; one that warns does not. "
        "`info` has no threshold: it is there to be read.",
        "",
        "| measure | value | threshold | status | meaning |",
        "| --- | --- | --- | --- | --- |",
        *(f"| {m.name} | {m.value} | {m.threshold or 'none'} | {m.status} | {m.meaning} |" for m in measures),
        "",
        "Why marketing_consent_rate has no threshold: consent belongs to the person. A rate that a team must reach "
        "turns into pressure on the people who are asked, so it is reported and never aimed at.",
        "",
    ]
    return "\n".join(lines)
