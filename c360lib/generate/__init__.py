"""Source data of a made-up company, the same to the last byte for the same arguments, on every machine.

`generate(customers, seed, as_of)` gives the seven raw sources and the truth about identity, in blocks of people.

People open 1 to 4 accounts in four systems; accounts write the same facts differently (typos, nicknames, letter case,
phone formats, old addresses) and lack some. About one person in ten is a hard case for matching, said in the truth:
twins, a parent and child of one name, a household that shares an e-mail or phone, a phone number that now belongs to
somebody else, a wrong key. History is three years that end at `as_of`; clicks are kept for half a year.

Rates stand as named constants where they are used. Those of arrival (`arrival.py`), in rows per ten thousand: late by
hours or days 200 (consent 500), overtaken by later rows 100, source clock ahead by at most five minutes 50, delivered
twice 100. Changes of an account whose event_ts runs against its lsn: 100. Two consent choices of one second: 150.

Nothing here has a state or a float: each value is a mix of (seed, question, number), so person 17 is the same person
in a run of 1,000 and in a run of 1,000,000.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date

import pyarrow as pa

from c360lib.errors import UsageError
from c360lib.generate import accounts, activity, relations
from c360lib.generate.arrival import deliver
from c360lib.generate.people import GROUP, Span, population
from c360lib.generate.texts import SECONDS_PER_DAY
from c360lib.rules import DEFAULT_AS_OF, DEFAULT_CUSTOMERS, DEFAULT_SEED

BLOCK_PEOPLE = 5_000
MOST_CUSTOMERS = 100_000_000
SEEDS = 1 << 63
FIRST_YEAR, LAST_YEAR = 2010, 2100
HISTORY_DAYS = 3 * 365
IDENTITY = "identity"


def generate(
    customers: int = DEFAULT_CUSTOMERS, seed: int = DEFAULT_SEED, as_of: str = DEFAULT_AS_OF
) -> Iterator[dict[str, pa.Table]]:
    """Blocks of tables for `customers` people: the seven of `schemas.RAW` by name, and `identity` (schemas.TRUTH).

    Every column is text, '' where empty. Rows of a block stand in order of arrival (ingest_ts, then key), `identity` in
    key order; a block holds at most BLOCK_PEOPLE people. No ingest_ts is after `as_of`, the latest is on its day.

    Raises UsageError for customers outside 1 to 100,000,000, a seed outside 0 to 2**63 - 1, or an `as_of` that is not
    the last second of a day from 2010 to 2100. The check is made at the call, before the first block is asked for.
    """
    _check_number("customers", customers, 1, MOST_CUSTOMERS)
    _check_number("seed", seed, 0, SEEDS - 1)
    return _blocks(customers, seed, _span(as_of))


def _blocks(customers: int, seed: int, span: Span) -> Iterator[dict[str, pa.Table]]:
    for first in range(0, customers, BLOCK_PEOPLE):
        yield block(first, min(BLOCK_PEOPLE, customers - first), seed, span)


def block(first: int, count: int, seed: int, span: Span) -> dict[str, pa.Table]:
    """The tables of people `first` to `first + count - 1`; `first` must be a multiple of GROUP."""
    whole = population(seed, first, -(-count // GROUP) * GROUP, span)
    opened = accounts.open_accounts(whole, span, count)
    world = activity.World(seed, span, whole, opened)
    sources = (
        accounts.customers(whole, opened, span),
        activity.orders(world),
        activity.clickstream(world),
        relations.support_tickets(world),
        relations.campaign_events(world),
        relations.consent_events(world),
        relations.erasure_requests(world),
    )
    tables = {rows.source: deliver(rows, seed, span) for rows in sources}
    return {**tables, IDENTITY: accounts.truth(whole, opened)}


def _check_number(name: str, value: object, least: int, most: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise UsageError(
            f"{name}: expected a whole number from {least:,} to {most:,}, got {value!r}. Give one in that range."
        )


def _span(as_of: str) -> Span:
    """History that ends at `as_of`."""
    day = _day(as_of) if re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T23:59:59Z", str(as_of)) else None
    if day is None or not FIRST_YEAR <= day.year <= LAST_YEAR:
        raise UsageError(
            f"as_of: expected the last second of a real day from {FIRST_YEAR} to {LAST_YEAR}, such as {DEFAULT_AS_OF}, "
            f"got {as_of!r}. Give a date of that form."
        )
    end = (day - date(1970, 1, 1)).days * SECONDS_PER_DAY + SECONDS_PER_DAY - 1
    return Span(end + 1 - HISTORY_DAYS * SECONDS_PER_DAY, end)


def _day(as_of: str) -> date | None:
    try:
        return date.fromisoformat(as_of[:10])
    except ValueError:
        return None
