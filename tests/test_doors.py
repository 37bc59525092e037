"""Laws of consent over random histories: no damage to a row opens a door, and neither does an erasure.

Every person has three accounts, of which the first may tie the other two together. What must hold is asked of the
layers alone, by comparing a world with the same world damaged or erased; nothing here knows how they decide.
"""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from c360lib.quality.leaks import ATTRIBUTABLE
from c360lib.sources import moments
from tests.support import UNSHRUNK, Row, account, consent, decision, erasure, made_fast, touch

MINUTES = 60
START = moments.seconds_or_none("2026-03-01T00:00:00Z") or 0
CLOCKS = ("1970-01-01T00:00:00Z", "2001-12-31T23:59:59Z", "2003-01-01T00:00:00Z", "2099-01-01T00:00:00Z", "soon")
PEOPLE = 30
BAD_BYTES = "/w=="
Door = tuple[str, str, str]


def at(minutes: int) -> str:
    """A moment of the histories, all different."""
    return moments.moment_text(START + minutes * MINUTES)


def person(chance: random.Random, number: int) -> list[Row]:
    """The rows of one person: accounts, what ties them, and choices that arrive a little after they are made."""
    one, two, three = (f"{number:02d}-{n}" for n in range(3))
    who = {"first_name": f"N{number}", "date_of_birth": "1980-01-01"}
    card, mail = chance.choice([f"L{number}", ""]), chance.choice([f"{one}@x.y", f"{three}@x.y"])
    phones = [chance.choice(["", f"030{number:03d}{n}1234"]) for n in range(3)]
    rows = [
        account(one, at(-3), email=mail, loyalty_id=card, phone=phones[0], **who),
        account(two, at(-2), email=f"{two}@x.y", loyalty_id=card, phone=phones[1], **who),
        account(three, at(-1), email=f"{three}@x.y", phone=phones[2], **who),
    ]
    if chance.random() < 0.2:
        rows.append(decision(f"crm:{one}", f"crm:{three}", chance.choice(["must_link", "cannot_link"])))
    for place in range(chance.randint(1, 6)):
        made, arrived = at(10 * place), at(10 * place + chance.randint(0, 9))
        who_says, event = chance.choice([one, two, three]), f"{number:02d}-{place}"
        channel = chance.choice(["email", "email", "sms", "push", "any"])
        status = chance.choice(["granted", "granted", "granted", "denied", "withdrawn", "unsubscribed"])
        if status == "unsubscribed":
            rows.append(touch(event, who_says, status, channel, made, arrived))
            continue
        if status == "granted":
            arrived = made
        ends = chance.choice(["", "", "", at(10 * place + 5)])
        rows.append(
            consent(event, who_says, status, made, chance.choice(["marketing", "analytics"]), channel, ends, arrived)
        )
    changed = chance.choice([one, two, three])
    if chance.random() < 0.3:
        rows.append(account(changed, at(100), op="u", lsn="2", email=f"{changed}-new@x.y", **who))
    if chance.random() < 0.2:
        rows.append(account(changed, at(101), op="d", lsn="3"))
    return rows


def damaged(chance: random.Random, row: Row) -> Row:
    """The row with a fault that a source can make; a grant's clock is never behind, for nobody could tell."""
    if row.source == "customers":
        return (
            row if row.cells["lsn"] == "1" else row.but(event_ts=chance.choice(["2026-02-30T00:00:00Z", "2099-01-01"]))
        )
    if row.source == "decisions":
        return row
    if chance.random() < 0.1:
        return Row(row.source, {"_raw_base64": BAD_BYTES})
    if row.cells.get("status") == "granted":
        ahead = (moments.seconds_or_none(row.cells["event_ts"]) or 0) + chance.choice([299, 300, 301])
        return row.but(event_ts=moments.moment_text(ahead))
    faults = {"purpose": "?", "channel": "?", "status": "?"} if row.source == "consent_events" else {"event_name": "?"}
    name = chance.choice(["event_ts", "event_ts", "ingest_ts", "event_id", *faults])
    fault = {"event_ts": chance.choice(CLOCKS), "ingest_ts": "soon", "event_id": "", **faults}[name]
    return row.but(**{name: fault})


def doors(rows: list[Row]) -> set[Door]:
    """What is open: (purpose, channel, address)."""
    found = made_fast(rows, "activation_candidates")
    return {(row["purpose"], row["channel"], row["identifier"]) for row in found if row["eligible"]}


def is_published(rows: list[Row]) -> bool:
    """False where a row of a source that can say no names nobody: then the gate holds the release back."""
    return not any(row.source in ATTRIBUTABLE and not row.cells.get("customer_id") for row in rows)


def people(chance: random.Random) -> list[list[Row]]:
    """The rows of everybody, person by person."""
    return [person(chance, number) for number in range(PEOPLE)]


@settings(UNSHRUNK, max_examples=6)
@given(st.randoms(use_true_random=False))
def test_no_damage_opens_a_door(chance: random.Random) -> None:
    """Bad bytes, wrong clocks, changes and choices that cannot be used: nobody is reached who was not before."""
    world = people(chance)
    spoilt = [[damaged(chance, row) if chance.random() < 0.25 else row for row in rows] for rows in world]
    published = [rows for rows in spoilt if is_published(rows)]
    assert doors([r for rows in published for r in rows]) <= doors([r for rows in world for r in rows])


@settings(UNSHRUNK, max_examples=6)
@given(st.randoms(use_true_random=False))
def test_no_erasure_opens_a_door(chance: random.Random) -> None:
    """For each person, purpose and channel: nobody is reached where nobody of that person was before."""
    world = [row for rows in people(chance) for row in rows]
    requests = [
        erasure(f"{number}-{n}", f"{number:02d}-{n}", at(200))
        for number in range(PEOPLE)
        for n in range(3)
        if chance.random() < (0.6, 0.1, 0.1)[n]
    ]
    assert people_reached(made_fast([*world, *requests], "activation_candidates")) <= people_reached(
        made_fast(world, "activation_candidates")
    )


def people_reached(rows: list[dict[str, Any]]) -> set[Door]:
    """(person, purpose, channel) where somebody is reached; the person is the number that their ids begin with."""
    return {(row["profile_id"][:8], row["purpose"], row["channel"]) for row in rows if row["eligible"]}


def test_the_histories_meet_what_the_laws_are_about() -> None:
    """Among those drawn are people who are open, shut by damage, and shut though only an erased account tied them."""
    chance = random.Random(360)
    world = [row for rows in people(chance) for row in rows]
    firsts = [erasure(f"{number}", f"{number:02d}-0", at(200)) for number in range(PEOPLE)]
    found = made_fast([*world, *firsts], "activation_candidates", "carried", "larger")
    assert 10 < len(people_reached(found["activation_candidates"]))
    assert 5 < len({row["larger"] for row in found["larger"]})
    assert 5 < len(found["carried"])
    spoilt = [damaged(chance, row) for row in world]
    reasons = {
        row["block_reason"] for row in made_fast([r for r in spoilt if is_published([r])], "activation_candidates")
    }
    assert {"consent_unreadable", "account_deleted", "no_identifier", "withdrawn"} <= reasons


@pytest.mark.slow
@settings(UNSHRUNK, max_examples=150)
@given(st.randoms(use_true_random=False))
def test_no_damage_and_no_erasure_opens_a_door_at_length(chance: random.Random) -> None:
    """Both laws, together, on many more histories: damage first, then erasure."""
    world = people(chance)
    spoilt = [[damaged(chance, row) if chance.random() < 0.25 else row for row in rows] for rows in world]
    published = [row for rows in spoilt if is_published(rows) for row in rows]
    reached = made_fast(published, "activation_candidates")
    assert doors(published) <= doors([r for rows in world for r in rows])
    requests = [erasure(f"{n}", f"{n:02d}-{chance.randint(0, 2)}", at(200)) for n in range(PEOPLE)]
    erased = made_fast([*published, *requests], "activation_candidates")
    assert people_reached(erased) <= people_reached(reached)
