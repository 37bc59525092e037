"""How rows arrive: most within minutes, some late, some overtaken, some twice.

Rates are rows per ten thousand. Nothing arrives after the end of history, and nothing arrives more than
`EARLIEST_SECONDS` before it happened: source clocks differ by that much at most.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from c360lib.generate import texts
from c360lib.generate.draws import Draws, Ints
from c360lib.generate.people import Span
from c360lib.generate.texts import SECONDS_PER_DAY, Text
from c360lib.schemas import RAW

LATE, LATE_CONSENT, OVERTAKEN, CLOCK_AHEAD, DUPLICATED = 200, 500, 100, 50, 100
USUAL_SECONDS, OVERTAKEN_SECONDS, EARLIEST_SECONDS = 240, 3_600, 300
LATE_FROM_SECONDS, LATE_MEAN_SECONDS = 2 * 3_600, SECONDS_PER_DAY
AGAIN_WITHIN_SECONDS = 2 * SECONDS_PER_DAY


@dataclass(frozen=True)
class Rows:
    """Rows of one source before they travel.

    `number` names each row for its draws, `happened` orders its arrival, `event` is the time that the source writes
    (almost always the same), `ties` are sort keys among rows of one ingest_ts, most important last.
    """

    source: str
    number: Ints
    happened: Ints
    event: Ints
    ties: tuple[Ints, ...]
    cells: Mapping[str, Text]


def delays(draws: Draws, source: str) -> Ints:
    """Seconds from happening to arrival; negative where the source's clock is ahead."""
    late = LATE_CONSENT if source == "consent_events" else LATE
    kind = draws.pick("delay", (late, OVERTAKEN, CLOCK_AHEAD, 10_000 - late - OVERTAKEN - CLOCK_AHEAD))
    return np.select(
        [kind == 0, kind == 1, kind == 2],
        [
            LATE_FROM_SECONDS + draws.wait("late", LATE_MEAN_SECONDS),
            USUAL_SECONDS + draws.below("overtaken", OVERTAKEN_SECONDS),
            -draws.below("ahead", EARLIEST_SECONDS + 1),
        ],
        1 + draws.below("usual", USUAL_SECONDS),
    )


def deliver(rows: Rows, seed: int, span: Span) -> pa.Table:
    """The rows as the raw table of their source, in order of arrival, some of them twice.

    A row delivered twice is equal in every cell but `ingest_ts`, which is later the second time.
    """
    draws = Draws(seed, rows.number)
    delay = delays(draws, rows.source)
    usual = 1 + draws.below("usual", USUAL_SECONDS)
    ingest = np.minimum(rows.happened + np.where(rows.happened + delay > span.end, usual, delay), span.end)
    again = ingest + 1 + draws.below("again", AGAIN_WITHIN_SECONDS)
    twice = np.flatnonzero(draws.chance("twice", DUPLICATED) & (again <= span.end))
    place = np.concatenate([np.arange(len(ingest)), twice])
    ingest = np.concatenate([ingest, again[twice]])
    order = np.lexsort((*(tie[place] for tie in rows.ties), ingest))
    cells = {**rows.cells, "event_ts": texts.timestamp(rows.event)}
    taken = pa.array(place[order])
    columns = {name: cells[name].take(taken) for name in RAW[rows.source].column_names if name != "ingest_ts"}
    columns["ingest_ts"] = texts.timestamp(ingest[order])
    return pa.table({name: columns[name] for name in RAW[rows.source].column_names})
