"""Consent: what is known at a moment, and who may be reached how. What is in doubt, blocks."""

from __future__ import annotations

import random
from itertools import product
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from c360lib import consent as consent_layers
from c360lib.engine import Engine
from c360lib.rules import CHANNELS, PURPOSES
from c360lib.silver import CURRENT
from tests.support import (
    AS_OF,
    UNSHRUNK,
    Row,
    Scene,
    World,
    account,
    consent,
    decision,
    erasure,
    made_fast,
    order,
    picked,
    seconds,
    touch,
)

scene = Scene("activation_candidates", "customer_360", "consent_events", "quarantine")


@pytest.fixture
def made(engine: Engine, request: pytest.FixtureRequest) -> World:
    """The tables of the test's own rows."""
    return scene.world(engine, request.node.originalname)


def state(made: World, purpose: str = "marketing", channel: str = "email") -> list[Any]:
    """What is said of one purpose and channel: (profile_id, eligible or why not, proof)."""
    rows = made(
        "activation_candidates", "profile_id", "purpose", "channel", "eligible", "block_reason", "consent_event_id"
    )
    return [(p, r or e, proof) for p, u, c, e, r, proof in rows if (u, c) == (purpose, channel)]


A = account("a", email="a@x.y", phone="030 1234567")


@scene.of(A)
def test_nobody_has_consented_to_begin_with(made: World) -> None:
    """One row for each purpose and channel, none eligible, nothing to prove and no identifier."""
    expected = [
        ("P-crm:a", p, c, False, "no_consent", None, None, AS_OF)
        for p, c in product(sorted(PURPOSES), sorted(CHANNELS))
    ]
    columns = (
        "profile_id",
        "purpose",
        "channel",
        "eligible",
        "block_reason",
        "consent_event_id",
        "identifier",
        "evaluated_at",
    )
    assert expected == made("activation_candidates", *columns)


@scene.of(A, consent("1", "a", "granted", channel="any"))
def test_a_grant_opens_exactly_its_purpose_and_each_channel_has_its_identifier(made: World) -> None:
    """E-mail for email, phone for sms, the account for push; other purposes stay shut."""
    expected = [("marketing", "email", "a@x.y"), ("marketing", "push", "crm:a"), ("marketing", "sms", "030 1234567")]
    rows = made("activation_candidates", "purpose", "channel", "identifier", "eligible")
    assert expected == [row[:3] for row in rows if row[3]]


@scene.of(A, consent("1", "a", "granted", channel="email"))
def test_a_grant_for_one_channel_opens_no_other(made: World) -> None:
    """Neither another channel nor another purpose."""
    assert [("marketing", "email")] == [
        row[:2] for row in made("activation_candidates", "purpose", "channel", "eligible") if row[2]
    ]


@scene.of(A, consent("1", "a", "granted", channel="any"), consent("2", "a", "withdrawn", "2026-06-02", channel=""))
def test_an_empty_channel_is_every_channel(made: World) -> None:
    """As is `any`."""
    assert [[("P-crm:a", "withdrawn", "2")]] * 3 == [state(made, channel=channel) for channel in CHANNELS]


@scene.of(A, consent("1", "a", "granted", "2026-06-02"), consent("2", "a", "denied", "2026-06-01"))
def test_the_latest_choice_holds(made: World) -> None:
    """By event_ts."""
    assert [("P-crm:a", True, "1")] == state(made)


@scene.of(
    A, consent("1", "a", "granted", "2026-06-01", arrived="2026-06-20"), consent("2", "a", "withdrawn", "2026-06-02")
)
def test_load_time_decides_nothing(made: World) -> None:
    """A grant that arrived after the withdrawal was given before it."""
    assert [("P-crm:a", "withdrawn", "2")] == state(made)


@scene.of(
    account("a"),
    consent("9", "a", "granted"),
    consent("1", "a", "denied"),
    account("b"),
    consent("8", "b", "granted"),
    consent("2", "b", "withdrawn"),
)
def test_at_one_moment_a_block_beats_a_grant(made: World) -> None:
    """Whatever their ids."""
    assert [("P-crm:a", "denied", "1"), ("P-crm:b", "withdrawn", "2")] == state(made)


@scene.of(A, consent("1", "a", "withdrawn"), consent("2", "a", "denied"), consent("12", "a", "withdrawn"))
def test_of_equal_blocks_the_largest_id_is_the_proof(made: World) -> None:
    """As text; it names the proof and nothing else."""
    assert [("P-crm:a", "denied", "2")] == state(made)


@scene.of(
    A,
    consent("1", "a", "granted", "2026-06-01", channel="any"),
    consent("2", "a", "withdrawn", "2026-06-02"),
    consent("3", "a", "granted", "2026-06-03", channel="sms"),
)
def test_each_channel_has_its_own_history(made: World) -> None:
    """A withdrawal for e-mail leaves sms and push as they are."""
    assert ["withdrawn", True, True] == [state(made, channel=channel)[0][1] for channel in ("email", "sms", "push")]
    assert ["2", "3", "1"] == [state(made, channel=channel)[0][2] for channel in ("email", "sms", "push")]


# --- expiry -----------------------------------------------------------------------------------------------------------
@scene.of(
    A,
    consent("1", "a", "granted", expires=AS_OF),
    consent("2", "a", "granted", expires="2026-07-01", purpose="analytics"),
    consent("3", "a", "granted", "2026-06-01", expires="2026-05-01", purpose="personalization"),
)
def test_a_grant_has_ended_at_its_expiry(made: World) -> None:
    """At that very second; a second later it would have held; also where it ended before it was given."""
    assert [("P-crm:a", "expired", "1")] == state(made)
    assert [("P-crm:a", True, "2")] == state(made, "analytics")
    assert [("P-crm:a", "expired", "3")] == state(made, "personalization")


@scene.of(
    A, consent("1", "a", "granted", "2026-06-01"), consent("2", "a", "granted", "2026-06-02", expires="2026-06-10")
)
def test_no_older_grant_steps_in_for_an_expired_one(made: World) -> None:
    """The latest choice is picked first, then its expiry is tested."""
    assert [("P-crm:a", "expired", "2")] == state(made)


@scene.of(
    A, consent("1", "a", "granted", "2026-06-01"), consent("2", "a", "withdrawn", "2026-06-02", expires="2026-06-10")
)
def test_blocks_do_not_expire(made: World) -> None:
    """An expiry on a withdrawal means nothing."""
    assert [("P-crm:a", "withdrawn", "2")] == state(made)


@scene.of(A, consent("1", "a", "granted", expires="9999-12-31T23:59:59Z"))
def test_the_last_day_of_the_calendar_is_a_date(made: World) -> None:
    """9999-12-31 does not overflow into the past."""
    assert [("P-crm:a", True, "1")] == state(made)


# --- as_of ------------------------------------------------------------------------------------------------------------
SKEWED = "2026-07-01T00:03:00Z"


@scene.of(A, consent("1", "a", "granted"), consent("2", "a", "withdrawn", SKEWED, arrived=AS_OF))
def test_a_block_counts_as_soon_as_it_has_arrived(made: World) -> None:
    """Its source's clock may run ahead of as_of."""
    assert [("P-crm:a", "withdrawn", "2")] == state(made)


@scene.of(A, consent("1", "a", "granted"), touch("2", "a", "unsubscribed", at=SKEWED, arrived=AS_OF))
def test_an_unsubscribe_counts_as_soon_as_it_has_arrived(made: World) -> None:
    """It is a withdrawal like any other."""
    assert [("P-crm:a", "withdrawn", "campaign_events:2")] == state(made)


@scene.of(A, consent("1", "a", "granted", SKEWED, arrived=AS_OF))
def test_a_grant_counts_from_the_moment_it_was_given(made: World) -> None:
    """A grant after as_of opens nothing yet."""
    assert [("P-crm:a", "no_consent", None)] == state(made)


@scene.of(
    A,
    consent("1", "a", "granted"),
    consent("2", "a", "withdrawn", arrived="2026-07-01"),
    consent("3", "a", "granted", purpose="analytics", arrived="2026-07-01"),
)
def test_what_has_not_arrived_is_not_known(made: World) -> None:
    """Neither blocks nor grants."""
    assert [("P-crm:a", True, "1")] == state(made)
    assert [("P-crm:a", "no_consent", None)] == state(made, "analytics")


# --- unsubscribing ----------------------------------------------------------------------------------------------------
@scene.of(
    A,
    *(consent(f"{n}", "a", "granted", "2026-06-01", p, "any") for n, p in enumerate(PURPOSES)),
    touch("u", "a", "unsubscribed", at="2026-06-02"),
)
def test_an_unsubscribe_withdraws_marketing_on_its_channel(made: World) -> None:
    """The proof names the campaign event; other purposes and channels stay."""
    assert [("P-crm:a", "withdrawn", "campaign_events:u")] == state(made)
    open_slots = [row[:2] for row in made("activation_candidates", "purpose", "channel", "eligible") if row[2]]
    assert [
        slot for slot in product(sorted(PURPOSES), sorted(CHANNELS)) if slot != ("marketing", "email")
    ] == open_slots


@scene.of(
    A,
    consent("1", "a", "granted", channel="any"),
    touch("u", "a", "unsubscribed", at="2026-06-02", channel="carrier pigeon"),
    touch("v", "a", "clicked", at="2026-06-03"),
)
def test_an_unsubscribe_without_a_readable_channel_is_for_all(made: World) -> None:
    """Other touches say nothing about consent."""
    assert [[("P-crm:a", "withdrawn", "campaign_events:u")]] * 3 == [
        state(made, channel=channel) for channel in CHANNELS
    ]


@scene.of(A, touch("u", "a", "unsubscribed", at="2026-06-02"), consent("1", "a", "granted", "2026-06-03"))
def test_a_later_grant_opens_again(made: World) -> None:
    """It was the person's last word."""
    assert [("P-crm:a", True, "1")] == state(made)


@scene.of(A, touch("u", "a", "unsubscribed", at="2026-06-02"), consent("z", "a", "granted", "2026-06-02"))
def test_an_unsubscribe_beats_a_grant_of_the_same_moment(made: World) -> None:
    """It is a block."""
    assert [("P-crm:a", "withdrawn", "campaign_events:u")] == state(made)


# --- persons of several accounts --------------------------------------------------------------------------------------
def pair() -> tuple[Row, Row]:
    """Two accounts of one person."""
    who = {"first_name": "Ada", "last_name": "King", "date_of_birth": "1980-01-01", "loyalty_id": "L1"}
    return account("a", email="a@x.y", **who), account("b", "2026-02-01", email="b@x.y", **who)


@scene.of(*pair(), consent("1", "a", "granted", "2026-06-01"), consent("2", "b", "withdrawn", "2026-06-02"))
def test_a_choice_on_one_account_counts_for_the_person(made: World) -> None:
    """The history is that of all accounts."""
    assert [("P-crm:a", "withdrawn", "2")] == state(made)


@scene.of(*pair(), consent("1", "b", "granted", "2026-06-01", channel="any"))
def test_the_identifier_is_that_of_the_account_that_granted(made: World) -> None:
    """Never another's, even where the profile knows a newer one."""
    assert [("email", "b@x.y"), ("push", "crm:b")] == [
        row[:2] for row in made("activation_candidates", "channel", "identifier", "eligible") if row[2]
    ]


@scene.of(account("a"), consent("1", "a", "granted", channel="any"), account("a", lsn="2", op="u", email="new@x.y"))
def test_the_identifier_is_the_current_one(made: World) -> None:
    """Not that of the day of the grant; where there is none, nobody can be reached."""
    rows = [
        row
        for row in made("activation_candidates", "channel", "identifier", "block_reason", "purpose")
        if row[3] == "marketing"
    ]
    assert [("email", "new@x.y", None), ("push", "crm:a", None), ("sms", None, "no_identifier")] == [
        row[:3] for row in rows
    ]


@scene.of(*pair(), consent("1", "b", "granted"), account("b", op="d", lsn="2"))
def test_a_grant_from_a_deleted_account_blocks(made: World) -> None:
    """Nobody's address is left to use."""
    assert [("P-crm:a", "account_deleted", "1")] == state(made)


@scene.of(
    *pair(),
    consent("1", "a", "granted", "2026-06-01"),
    consent("2", "b", "granted", "2026-06-02"),
    account("b", op="d", lsn="2"),
)
def test_no_other_account_steps_in_for_a_deleted_one(made: World) -> None:
    """The latest choice is the one that counts, and it blocks."""
    assert [("P-crm:a", "account_deleted", "2")] == state(made)


@scene.of(
    *pair(),
    consent("1", "a", "granted", "2026-06-01"),
    consent("2", "b", "withdrawn", "2026-06-02"),
    account("b", op="d", lsn="2"),
)
def test_blocks_of_a_deleted_account_still_count(made: World) -> None:
    """Deleting an account takes no withdrawal back."""
    assert [("P-crm:a", "withdrawn", "2")] == state(made)


@scene.of(A, consent("1", "a", "granted"), account("a", op="d", lsn="2"))
def test_a_person_without_a_live_account_is_no_candidate(made: World) -> None:
    """Such a profile is in silver only."""
    assert [] == made("activation_candidates")
    assert ["1"] == made("consent_events", "event_id")


@scene.of(A, account("b", email="b@x.y"), consent("1", "b", "granted"), erasure("r", "b"))
def test_consent_of_an_erased_account_is_gone(made: World) -> None:
    """With its account."""
    assert [("P-crm:a", "no_consent", None)] == state(made)


# --- rows that cannot be used -----------------------------------------------------------------------------------------
UNREADABLE = {
    "its time": {"event_ts": "soon"},
    "its arrival": {"ingest_ts": "soon"},
    "its id": {"event_id": ""},
    "its choice": {"status": "maybe"},
    "its expiry": {"expires_ts": "soon"},
    "its clock": {"event_ts": "2026-06-02T00:05:01Z", "ingest_ts": "2026-06-02T00:00:00Z"},
}
FRESH_GRANT = consent("zz", "a", "granted", "2026-06-29")


@pytest.mark.parametrize("cells", UNREADABLE.values(), ids=UNREADABLE)
def test_an_unusable_row_blocks_what_it_names(cells: dict[str, str]) -> None:
    """Its purpose and channel, for good, whatever it meant to say; the rest of the profile stays as it is."""
    rows = [
        A,
        consent("1", "a", "granted", channel="any"),
        FRESH_GRANT,
        consent("2", "a", "granted", "2026-06-02").but(**cells),
    ]
    found = made_fast(rows, "activation_candidates")
    reasons = {row["channel"]: row["block_reason"] for row in found if row["purpose"] == "marketing"}
    assert {"email": "consent_unreadable", "push": None, "sms": None} == reasons


@scene.of(
    A,
    *(consent(f"{n}", "a", "granted", purpose=p, channel="any") for n, p in enumerate(PURPOSES)),
    consent("8", "a", "granted", "2026-06-02", purpose="?"),
)
def test_an_unusable_row_without_a_readable_purpose_blocks_them_all(made: World) -> None:
    """On the channel that it names."""
    expected = [(p, "email", "consent_unreadable") for p in sorted(PURPOSES)]
    assert expected == [row for row in made("activation_candidates", "purpose", "channel", "block_reason") if row[2]]


@scene.of(
    A,
    *(consent(f"{n}", "a", "granted", purpose=p, channel="any") for n, p in enumerate(PURPOSES)),
    consent("8", "a", "granted", "2026-06-02", channel="fax"),
)
def test_an_unusable_row_without_a_readable_channel_blocks_them_all(made: World) -> None:
    """For the purpose that it names."""
    expected = [("marketing", c, "consent_unreadable") for c in sorted(CHANNELS)]
    assert expected == [row for row in made("activation_candidates", "purpose", "channel", "block_reason") if row[2]]


@scene.of(*pair(), FRESH_GRANT, consent("2", "b", "maybe"))
def test_an_unusable_row_blocks_the_person_not_the_account(made: World) -> None:
    """A grant of another account of the person does not open the door."""
    assert [("P-crm:a", "consent_unreadable", "zz")] == state(made)


@scene.of(A, consent("1", "a", "withdrawn"), consent("2", "a", "maybe"))
def test_a_readable_block_is_the_reason_that_is_given(made: World) -> None:
    """It says more than that something could not be read."""
    assert [("P-crm:a", "withdrawn", "1")] == state(made)


@scene.of(A, consent("1", "a", "granted"), touch("2", "a", "unsubscribed", at="soon"))
def test_an_unsubscribe_with_an_unreadable_time_blocks(made: World) -> None:
    """When it was said cannot be known, that it was said can."""
    assert [("P-crm:a", "consent_unreadable", "1")] == state(made)


# --- one event_id, several contents -----------------------------------------------------------------------------------
@scene.of(
    A,
    consent("1", "a", "granted", "2026-06-05"),
    consent("1", "a", "withdrawn", "2026-06-03"),
    consent("0", "a", "granted", "2026-06-04", purpose="analytics"),
)
def test_of_several_contents_the_most_restrictive_counts(made: World) -> None:
    """A block before a grant; the others are quarantined."""
    assert [("P-crm:a", "withdrawn", "1")] == state(made)
    assert [("P-crm:a", True, "0")] == state(made, "analytics")
    assert [("consent_events", 1, "one_content_per_key")] == made("quarantine", "source", "row_number", "rule")


@scene.of(
    A,
    consent("1", "a", "granted", expires="2026-06-10"),
    consent("1", "a", "granted"),
    consent("1", "a", "granted", expires="2027-01-01"),
)
def test_of_several_grants_the_one_that_ends_first_counts(made: World) -> None:
    """A grant that never ends is the least restrictive."""
    assert [("P-crm:a", "expired", "1")] == state(made)


@scene.of(
    A,
    consent("1", "a", "withdrawn", "2026-06-01"),
    consent("1", "a", "withdrawn", "2026-06-09"),
    consent("2", "a", "granted", "2026-06-05"),
)
def test_of_several_withdrawals_the_latest_counts(made: World) -> None:
    """It blocks longer."""
    assert [("P-crm:a", "withdrawn", "1")] == state(made)


@scene.of(A, account("b", email="b@x.y"), consent("1", "a", "granted"), consent("1", "b", "granted"))
def test_one_id_for_two_accounts_opens_at_most_one_of_them(made: World) -> None:
    """Somebody's id is wrong; the row that does not count blocks its own profile."""
    assert 1 >= sum(what is True for _, what, _ in state(made))
    assert 1 == sum(what == "consent_unreadable" for _, what, _ in state(made))


@scene.of(
    A,
    consent("1", "a", "granted"),
    consent("1", "a", "denied", purpose="analytics"),
    consent("2", "a", "granted", "2026-06-29"),
)
def test_a_rival_for_another_purpose_blocks_what_it_named(made: World) -> None:
    """The denial counts; the grant that it displaced is unusable, so its slot is in doubt."""
    assert [("P-crm:a", "denied", "1")] == state(made, "analytics")
    assert [("P-crm:a", "consent_unreadable", "2")] == state(made)


# --- the summary ------------------------------------------------------------------------------------------------------
@scene.of(
    account("a", phone="030 1234567", email="a@x.y"),
    consent("1", "a", "granted", channel="any"),
    consent("2", "a", "granted", purpose="analytics"),
    consent("3", "a", "granted", purpose="personalization", channel="any"),
    consent("4", "a", "withdrawn", "2026-06-02", "personalization", "push"),
    order("o", "a"),
)
def test_the_summary_is_true_only_where_every_channel_is_granted(made: World) -> None:
    """One channel missing or withdrawn makes it false."""
    assert [(True, False, False)] == made(
        "customer_360", "consent_marketing", "consent_analytics", "consent_personalization"
    )


def test_a_status_that_is_not_a_grant_blocks(engine: Engine) -> None:
    """Rows with another word are quarantined before; should one come through, it opens nothing."""
    statuses = ["granted", "denied", "withdrawn", "Granted", "maybe"]
    names = ("person", "node", "event_ts", "expires_ts")
    columns = {name: pa.array([n for n, _ in enumerate(statuses)], pa.int64()) for name in names}
    columns |= {"status": pa.array(statuses), "is_account_deleted": pa.array([False] * len(statuses))}
    fixed = {"disposition": CURRENT, "purpose": "marketing", "channel": "email", "event_name": "sent"}
    columns |= {name: pa.array([text] * len(statuses)) for name, text in {**fixed, "event_id": "C1"}.items()}
    rows = pa.table(columns)
    said = engine.table(
        consent_layers.choices(engine.load_table(rows), engine.load_table(rows.drop_columns(["status", "purpose"])))
    )
    assert [True, False, False, False, False] == [r["reason"] < 0 for r in sorted(said.to_pylist(), key=_person)]


def _person(row: dict[str, Any]) -> int:
    person: int = row["person"]
    return person


@scene.of(account("a"), consent("1", "a", "granted", channel="any"))
def test_the_summary_is_about_consent_not_about_addresses(made: World) -> None:
    """Everything is granted, though there is neither e-mail nor phone."""
    assert [True] == made("customer_360", "consent_marketing")


# --- a reference ------------------------------------------------------------------------------------------------------
# The person i has accounts i-0 and i-1 (linked by a steward), each with its own address; choices are drawn from few
# values, so that ties, expiries and rivals are common.
TIMES = ["2026-06-01T00:00:00Z", "2026-06-02T00:00:00Z", "2026-06-03T00:00:00Z"]
CHOICES = st.tuples(
    st.integers(0, 1),
    st.sampled_from(["granted", "granted", "granted", "denied", "withdrawn", "unsubscribed", "maybe"]),
    st.sampled_from(TIMES),
    st.sampled_from(["marketing", "marketing", "analytics"]),
    st.sampled_from(["email", "email", "sms", "any", ""]),
    st.sampled_from(["", "", "", AS_OF, "2027-01-01T00:00:00Z"]),
)
HISTORIES = st.lists(st.tuples(st.booleans(), st.lists(CHOICES, max_size=5)), min_size=25, max_size=40)
History = tuple[bool, list[tuple[int, str, str, str, str, str]]]


def world(histories: list[History]) -> list[Row]:
    """Rows of those people; `True` in a history: their second account is deleted in the end."""
    rows: list[Row] = []
    for person, (is_deleted, choices) in enumerate(histories):
        who = [f"{person:02d}-{n}" for n in range(2)]
        rows += [account(one, email=f"{one}@x.y", phone="0301234567") for one in who]
        rows.append(decision(f"crm:{who[0]}", f"crm:{who[1]}", "must_link"))
        if is_deleted:
            rows.append(account(who[1], lsn="2", op="d"))
        for number, (which, status, at, purpose, channel, expires) in enumerate(choices):
            event_id = f"{person:02d}-{number}"
            if status == "unsubscribed":
                rows.append(touch(event_id, who[which], status, channel or "any", at))
            else:
                rows.append(consent(event_id, who[which], status, at, purpose, channel, expires))
    return rows


def reference(histories: list[History]) -> dict[tuple[str, str, str], tuple[str | None, str | None, str | None]]:
    """(profile, purpose, channel) to (block_reason, proof, identifier), one history at a time."""
    found = {}
    for person, (is_deleted, choices) in enumerate(histories):
        for purpose, channel in product(PURPOSES, CHANNELS):
            spoken, unreadable = [], False
            for number, (which, status, at, about, on, expires) in enumerate(choices):
                proof = f"{person:02d}-{number}"
                if status == "unsubscribed":
                    status, about, expires, proof = "withdrawn", "marketing", "", f"campaign_events:{proof}"
                if about == purpose and on in (channel, "any", ""):
                    unreadable |= status == "maybe"
                    if status != "maybe":
                        spoken.append((at, status != "granted", proof, status, expires, which))
            found[f"P-crm:{person:02d}-0", purpose, channel] = _judged(spoken, unreadable, is_deleted, channel, person)
    return found


def _judged(
    spoken: list[tuple[str, bool, str, str, str, int]], unreadable: bool, is_deleted: bool, channel: str, person: int
) -> tuple[str | None, str | None, str | None]:
    if not spoken:
        return ("consent_unreadable" if unreadable else "no_consent"), None, None
    _, is_block, proof, status, expires, which = max(spoken)
    if is_block:
        return status, proof, None
    if unreadable:
        return "consent_unreadable", proof, None
    if expires and seconds(expires) <= seconds(AS_OF):
        return "expired", proof, None
    if is_deleted and which == 1:
        return "account_deleted", proof, None
    one = f"{person:02d}-{which}"
    return None, proof, {"email": f"{one}@x.y", "sms": "0301234567", "push": f"crm:{one}"}[channel]


def answer(rows: list[Row]) -> dict[tuple[str, str, str], tuple[str | None, str | None, str | None]]:
    """The same from the layers."""
    return {
        (row["profile_id"], row["purpose"], row["channel"]): (
            row["block_reason"],
            row["consent_event_id"],
            row["identifier"],
        )
        for row in made_fast(rows, "activation_candidates")
    }


@settings(UNSHRUNK, max_examples=4)
@given(HISTORIES)
def test_the_state_is_that_of_a_plain_reading_of_the_history(histories: list[History]) -> None:
    """For random histories of two accounts, every purpose and channel equals a reference in plain Python."""
    assert reference(histories) == answer(world(histories))


@settings(UNSHRUNK, max_examples=2)
@given(HISTORIES, st.randoms(use_true_random=False))
def test_order_repetition_and_delay_decide_nothing(histories: list[History], chance: random.Random) -> None:
    """Shuffled rows, rows delivered twice and rows that arrive days later (by as_of) give the same answer."""
    rows = world(histories)
    again = [row if row.source == "decisions" else row.but(ingest_ts=AS_OF) for row in chance.choices(rows, k=20)]
    late = [
        row.but(ingest_ts="2026-06-29T00:00:00Z") if chance.random() < 0.5 and "ingest_ts" in row.cells else row
        for row in rows
    ]
    changed = [*late, *again]
    chance.shuffle(changed)
    assert answer(rows) == answer(changed)


@settings(UNSHRUNK, max_examples=2)
@given(HISTORIES, st.randoms(use_true_random=False))
def test_which_account_of_a_person_spoke_decides_only_the_address(
    histories: list[History], chance: random.Random
) -> None:
    """Choices moved to the person's other account give the same reasons and proofs, while both accounts live."""
    alive = [(False, choices) for _, choices in histories]
    moved = [(False, [(chance.randint(0, 1), *rest) for _, *rest in choices]) for _, choices in alive]
    assert {slot: what[:2] for slot, what in answer(world(alive)).items()} == {
        slot: what[:2] for slot, what in answer(world(moved)).items()
    }


def test_the_reference_meets_every_reason() -> None:
    """The histories that are drawn lead to each state, so that equality means something."""
    chance = random.Random(7)
    histories: list[History] = [
        (
            chance.random() < 0.5,
            [
                (
                    chance.randint(0, 1),
                    chance.choice(["granted", "granted", "denied", "withdrawn", "maybe"]),
                    chance.choice(TIMES),
                    "marketing",
                    "email",
                    chance.choice(["", AS_OF]),
                )
                for _ in range(chance.randint(0, 3))
            ],
        )
        for _ in range(60)
    ]
    found = answer(world(histories))
    assert reference(histories) == found
    assert {None, "no_consent", "denied", "withdrawn", "expired", "account_deleted", "consent_unreadable"} == set(
        picked([{"reason": reason} for reason, _, _ in found.values()], "reason")
    )
