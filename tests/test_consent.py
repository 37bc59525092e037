"""Consent: what is known at a moment, and who may be reached how. What is in doubt, blocks."""

from __future__ import annotations

import random
from itertools import product
from typing import Any, NamedTuple

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from c360lib.engines.base import Engine
from c360lib.layers import consent as consent_layers
from c360lib.layers.dispositions import CURRENT
from c360lib.rules import CHANNELS, PURPOSES
from c360lib.sources import moments
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
    "its arrival, long ago": {"ingest_ts": "0001-01-01T00:00:00Z"},
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
    """Its purpose and channel, from its arrival on, whatever it meant to say; the rest stays as it is."""
    rows = [
        A,
        consent("1", "a", "granted", channel="any"),
        consent("2", "a", "granted", "2026-06-02").but(**cells),
    ]
    found = made_fast(rows, "activation_candidates")
    reasons = {row["channel"]: row["block_reason"] for row in found if row["purpose"] == "marketing"}
    assert {"email": "consent_unreadable", "push": None, "sms": None} == reasons


@pytest.mark.parametrize("cells", UNREADABLE.values(), ids=UNREADABLE)
def test_a_later_choice_opens_what_an_unusable_row_shut(cells: dict[str, str]) -> None:
    """Unless nobody can tell when the row arrived: then it blocks until it is mended."""
    rows = [A, FRESH_GRANT, consent("2", "a", "granted", "2026-06-02").but(**cells)]
    expected = ["consent_unreadable"] if cells.get("ingest_ts") in ("soon", "0001-01-01T00:00:00Z") else [None]
    found = made_fast(rows, "activation_candidates")
    assert expected == [r["block_reason"] for r in found if (r["purpose"], r["channel"]) == ("marketing", "email")]


@scene.of(A, consent("1", "a", "granted", "2026-06-02"), consent("2", "a", "maybe", "2026-06-01", arrived="2026-06-02"))
def test_at_one_moment_a_row_that_cannot_be_used_beats_a_grant(made: World) -> None:
    """It is dated by its arrival, and may have been a refusal."""
    assert [("P-crm:a", "consent_unreadable", "1")] == state(made)


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


@scene.of(*pair(), consent("zz", "a", "granted"), consent("2", "b", "maybe", "2026-06-29"))
def test_an_unusable_row_blocks_the_person_not_the_account(made: World) -> None:
    """An older grant of another account of the person leaves the door shut."""
    assert [("P-crm:a", "consent_unreadable", "zz")] == state(made)


@scene.of(A, consent("1", "a", "withdrawn"), consent("2", "a", "maybe"))
def test_a_readable_block_is_the_reason_that_is_given(made: World) -> None:
    """It says more than that something could not be read."""
    assert [("P-crm:a", "withdrawn", "1")] == state(made)


@scene.of(A, FRESH_GRANT, touch("2", "a", "unsubscribed", at="soon"))
def test_an_unsubscribe_whose_times_are_unreadable_blocks_until_it_is_mended(made: World) -> None:
    """When it was said cannot be known, that it was said can."""
    assert [("P-crm:a", "withdrawn", "campaign_events:2")] == state(made)


@scene.of(
    A,
    consent("1", "a", "granted", "2026-06-10", channel="any"),
    touch("2", "a", "gone away?", at="2026-06-11"),
    consent("3", "a", "granted", "2026-06-12", channel="sms"),
    touch("4", "a", "?", "sms", at="2026-06-11"),
)
def test_a_touch_that_may_have_been_an_unsubscribe_is_one(made: World) -> None:
    """On its channel, when it was made; a later grant opens again."""
    assert [("P-crm:a", "withdrawn", "campaign_events:2")] == state(made)
    assert [("P-crm:a", True, "3")] == state(made, channel="sms")


# --- clocks -----------------------------------------------------------------------------------------------------------
@scene.of(
    A,
    consent("1", "a", "granted", "2026-06-10"),
    consent("2", "a", "withdrawn", "1970-01-01", arrived="2026-06-11"),
    consent("3", "a", "granted", "2026-06-12", purpose="analytics"),
    consent("4", "a", "withdrawn", "1970-01-01", arrived="2026-06-11", purpose="analytics"),
)
def test_a_refusal_before_any_choice_could_be_made_is_dated_by_its_arrival(made: World) -> None:
    """The clock of the device stood at 1970: what was granted until it arrived is shut, a later grant opens again."""
    assert [("P-crm:a", "withdrawn", "2")] == state(made)
    assert [("P-crm:a", True, "3")] == state(made, "analytics")


@scene.of(
    A,
    consent("1", "a", "granted", "2026-06-10", channel="any"),
    touch("2", "a", "unsubscribed", at="2001-12-31T23:59:59Z", arrived="2026-06-11"),
    touch("3", "a", "unsubscribed", "sms", at="2026-06-11T00:05:01Z", arrived="2026-06-11"),
    touch("4", "a", "unsubscribed", "push", at="2002-01-01", arrived="2002-01-02"),
)
def test_an_unsubscribe_with_a_wrong_clock_is_dated_by_its_arrival(made: World) -> None:
    """A second before 2002, and 301 seconds after it arrived; the first moment of 2002 is a time like any other."""
    assert [("P-crm:a", "withdrawn", "campaign_events:2")] == state(made)
    assert [("P-crm:a", "withdrawn", "campaign_events:3")] == state(made, channel="sms")
    assert [("P-crm:a", True, "1")] == state(made, channel="push")


@scene.of(
    A,
    consent("1", "a", "granted", "2026-06-10T10:04:00Z", arrived="2026-06-10T10:00:00Z"),
    consent("2", "a", "withdrawn", "2026-06-10T10:02:00Z"),
    consent("3", "a", "granted", "2026-06-10T10:04:00Z", arrived="2026-06-10T10:03:00Z", purpose="analytics"),
    consent("4", "a", "withdrawn", "2026-06-10T10:02:00Z", purpose="analytics"),
)
def test_a_grant_is_not_dated_after_its_arrival(made: World) -> None:
    """It was there at 10:00, so it cannot take back a refusal of 10:02."""
    assert [("P-crm:a", "withdrawn", "2")] == state(made)
    assert [("P-crm:a", True, "3")] == state(made, "analytics")


@scene.of(
    A,
    consent("1", "a", "granted", "2026-05-01"),
    consent("2", "a", "withdrawn", "2026-04-01", arrived="2026-05-01T00:00:01Z"),
    consent("3", "a", "granted", "2026-05-01", purpose="analytics"),
    consent("4", "a", "withdrawn", "2026-04-01", arrived="2026-05-01", purpose="analytics"),
    consent("5", "a", "granted", "2026-05-01", arrived="2026-06-02", purpose="personalization"),
    consent("6", "a", "denied", "2026-04-01", arrived="2026-06-02", purpose="personalization"),
)
def test_a_refusal_that_came_very_late_shuts_what_was_granted_until_it_came(made: World) -> None:
    """After 30 days and a second, not after 30 days; what arrived with it or after it stays open."""
    assert [("P-crm:a", "withdrawn", "2")] == state(made)
    assert [("P-crm:a", True, "3")] == state(made, "analytics")
    assert [("P-crm:a", True, "5")] == state(made, "personalization")


@scene.of(
    A,
    consent("1", "a", "granted", "2026-05-20", arrived="2026-05-20"),
    consent("2", "a", "granted", "2026-05-10", arrived="2026-06-20"),
    consent("3", "a", "withdrawn", "2026-01-01", arrived="2026-06-01"),
)
def test_no_older_grant_steps_in_for_one_that_a_late_refusal_shut(made: World) -> None:
    """The latest choice is picked first."""
    assert [("P-crm:a", "withdrawn", "3")] == state(made)


# --- one event_id, several contents -----------------------------------------------------------------------------------
@scene.of(
    A,
    consent("1", "a", "granted", "2026-06-05"),
    consent("1", "a", "withdrawn", "2026-06-03"),
    consent("0", "a", "granted", "2026-06-04", purpose="analytics"),
)
def test_a_refusal_in_any_content_of_an_event_counts(made: World) -> None:
    """Its grants do not; all of its rows are quarantined."""
    assert [("P-crm:a", "withdrawn", "1")] == state(made)
    assert [("P-crm:a", True, "0")] == state(made, "analytics")
    expected = [("consent_events", 1, "one_content_per_key"), ("consent_events", 2, "one_content_per_key")]
    assert expected == made("quarantine", "source", "row_number", "rule")


@scene.of(
    A,
    consent("1", "a", "granted", expires="2026-06-10"),
    consent("1", "a", "granted"),
    consent("1", "a", "granted", expires="2027-01-01"),
)
def test_a_grant_of_several_contents_ends_with_the_first_of_them(made: World) -> None:
    """A grant that never ends is the least restrictive."""
    assert [("P-crm:a", "expired", "1")] == state(made)


@scene.of(
    A,
    consent("1", "a", "granted", "2026-06-09", policy_version="v1"),
    consent("1", "a", "granted", "2026-06-03", policy_version="v2"),
    consent("2", "a", "withdrawn", "2026-06-05"),
    consent("3", "a", "granted", "2026-06-09", purpose="analytics", policy_version="v1"),
    consent("3", "a", "granted", "2026-06-09", purpose="analytics", policy_version="v2"),
)
def test_a_grant_of_several_contents_is_dated_by_the_earliest(made: World) -> None:
    """That all of them give, it opens what it names."""
    assert [("P-crm:a", "withdrawn", "2")] == state(made)
    assert [("P-crm:a", True, "3")] == state(made, "analytics")


@scene.of(
    A,
    consent("1", "a", "granted", channel="any"),
    consent("1", "a", "granted", channel="email"),
    consent("0", "a", "granted", "2026-05-01", channel="push"),
)
def test_an_event_opens_only_what_every_content_of_it_grants(made: World) -> None:
    """Not the wider of the two; and it takes nothing from what was granted before."""
    assert [("P-crm:a", True, "1")] == state(made)
    assert [("P-crm:a", "no_consent", None)] == state(made, channel="sms")
    assert [("P-crm:a", True, "0")] == state(made, channel="push")


@scene.of(
    A,
    consent("1", "a", "withdrawn", "2026-06-01"),
    consent("1", "a", "withdrawn", "2026-06-09"),
    consent("2", "a", "granted", "2026-06-05"),
)
def test_of_several_withdrawals_the_latest_counts(made: World) -> None:
    """It blocks longer."""
    assert [("P-crm:a", "withdrawn", "1")] == state(made)


@scene.of(*pair(), consent("1", "a", "granted"), consent("1", "b", "granted"))
def test_one_id_for_two_accounts_opens_none_of_them(made: World) -> None:
    """Somebody's id is wrong, also where both accounts are one person."""
    assert [("P-crm:a", "no_consent", None)] == state(made)


@scene.of(A, account("b", email="b@x.y"), consent("1", "a", "granted"), consent("1", "b", "granted"), erasure("r", "b"))
def test_erasing_one_of_two_contents_opens_nothing(made: World) -> None:
    """What the erased account had contradicted stays in doubt."""
    assert [("P-crm:a", "no_consent", None)] == state(made)


@scene.of(
    A,
    consent("1", "a", "granted"),
    consent("1", "a", "denied", purpose="analytics"),
    consent("2", "a", "granted", "2026-05-29"),
)
def test_a_grant_that_another_content_displaced_says_nothing(made: World) -> None:
    """The denial counts for its own purpose; what was granted before stays."""
    assert [("P-crm:a", "denied", "1")] == state(made, "analytics")
    assert [("P-crm:a", True, "2")] == state(made)


# --- changes of an account that cannot be used ------------------------------------------------------------------------
GRANT = consent("1", "a", "granted", channel="any")
BAD_DAY = "2026-02-30T00:00:00Z"


@scene.of(A, GRANT, account("a", BAD_DAY, arrived="2026-03-01", op="d", lsn="2"))
def test_a_delete_that_cannot_be_used_shuts_what_the_account_granted(made: World) -> None:
    """The account may be gone; the profile stays, for nobody knows."""
    assert [[("P-crm:a", "account_deleted", "1")]] * 3 == [state(made, channel=channel) for channel in CHANNELS]
    assert ["P-crm:a"] == made("customer_360", "profile_id")


@scene.of(
    A,
    GRANT,
    account("a", BAD_DAY, arrived="2026-03-01", op="u", lsn="2", email="new@x.y", phone="030 / 1234567"),
)
def test_a_change_of_address_that_cannot_be_used_shuts_the_old_one(made: World) -> None:
    """On the channel whose address it changes; a phone that is only written otherwise is the same."""
    assert [("P-crm:a", "no_identifier", "1")] == state(made)
    assert [True, True] == [state(made, channel=channel)[0][1] for channel in ("sms", "push")]


@scene.of(A, GRANT, account("a", op="u", lsn="2b", email="a@x.y", phone="?"))
def test_a_change_with_an_unreadable_lsn_may_be_the_last_one(made: World) -> None:
    """An address that cannot be read is another than the one that is known."""
    assert [True, "no_identifier", True] == [state(made, channel=c)[0][1] for c in ("email", "sms", "push")]


@scene.of(A, GRANT, account("a", op="x", lsn="2", email="a@x.y", phone="030 1234567"))
def test_a_change_of_an_unknown_kind_shuts_every_channel(made: World) -> None:
    """It may have been a delete."""
    assert [[("P-crm:a", "no_identifier", "1")]] * 3 == [state(made, channel=channel) for channel in CHANNELS]


@scene.of(
    account("a", lsn="5", email="a@x.y", phone="030 1234567"),
    GRANT,
    account("a", BAD_DAY, arrived="2026-03-01", op="d", lsn="4"),
    account("a", BAD_DAY, arrived="2026-03-01", op="u", lsn="3", email="old@x.y"),
)
def test_a_change_before_the_current_state_is_history(made: World) -> None:
    """What came after it says what holds."""
    assert [[("P-crm:a", True, "1")]] * 3 == [state(made, channel=channel) for channel in CHANNELS]


@scene.of(A, GRANT, *(account("a", op="u", lsn="2", email=e, phone="030 1234567") for e in ("b@x.y", "c@x.y")))
def test_two_changes_of_one_lsn_shut_the_address_that_they_dispute(made: World) -> None:
    """Nobody can say which of them holds, but the old one does not."""
    assert ["no_identifier", True, True] == [state(made, channel=c)[0][1] for c in ("email", "sms", "push")]


@scene.of(
    *pair(),
    consent("1", "a", "granted", "2026-06-01"),
    consent("2", "b", "granted", "2026-06-02", channel="any"),
    account("a", BAD_DAY, arrived="2026-03-01", op="d", lsn="2"),
)
def test_a_doubt_about_an_account_is_about_its_own_grants(made: World) -> None:
    """The other account of the person granted later, and can be reached."""
    assert [("P-crm:a", True, "2")] == state(made)


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
    names = ("person", "node", "event_ts", "ingest_ts", "expires_ts", "_entity")
    columns = {name: pa.array([n for n, _ in enumerate(statuses)], pa.int64()) for name in names}
    columns |= {"status": pa.array(statuses), "is_account_deleted": pa.array([False] * len(statuses))}
    fixed = {"disposition": CURRENT, "purpose": "marketing", "channel": "email", "event_name": "sent"}
    columns |= {name: pa.array([text] * len(statuses)) for name, text in {**fixed, "event_id": "C1"}.items()}
    rows = pa.table(columns)
    said = engine.table(
        consent_layers.choices(engine.load_table(rows), engine.load_table(rows.drop_columns(["status", "purpose"])))
    )
    assert [True, False, False, False, False] == [
        r["status"] == "granted" for r in sorted(said.to_pylist(), key=_person)
    ]


def _person(row: dict[str, Any]) -> int:
    person: int = row["person"]
    return person


@scene.of(account("a"), consent("1", "a", "granted", channel="any"))
def test_the_summary_is_about_consent_not_about_addresses(made: World) -> None:
    """Everything is granted, though there is neither e-mail nor phone."""
    assert [True] == made("customer_360", "consent_marketing")


# --- a reference ------------------------------------------------------------------------------------------------------
# The person i has accounts i-0 and i-1 (linked by a steward), each with its own address; choices are drawn from few
# values, so that ties, expiries, late arrivals, wrong clocks and several contents of one event are common.
TIMES = ["2026-06-01T00:00:00Z", "2026-06-02T00:00:00Z", "2026-06-03T00:00:00Z"]
CLOCKS = ["", "", "", "", "", "1970-01-01T00:00:00Z", "2026-01-01T00:00:00Z", "soon", "2026-06-05T00:05:00Z"]
ARRIVALS = ["", "", "", "2026-06-05T00:00:00Z", "2026-06-04T23:59:59Z", "soon", "0001-01-01T00:00:00Z"]
CHOICES = st.fixed_dictionaries({
    "which": st.integers(0, 1),
    "id": st.integers(0, 6),
    "status": st.sampled_from(["granted", "granted", "granted", "denied", "withdrawn", "unsubscribed", "maybe"]),
    "event_ts": st.sampled_from(TIMES),
    "clock": st.sampled_from(CLOCKS),
    "ingest_ts": st.sampled_from(ARRIVALS),
    "purpose": st.sampled_from(["marketing", "marketing", "analytics", "?"]),
    "channel": st.sampled_from(["email", "email", "sms", "any", ""]),
    "expires_ts": st.sampled_from(["", "", "", AS_OF, "2027-01-01T00:00:00Z"]),
})  # fmt: skip
Choice = dict[str, Any]
HISTORIES = st.lists(st.tuples(st.booleans(), st.lists(CHOICES, max_size=5)), min_size=25, max_size=40)
History = tuple[bool, list[Choice]]


def choice_row(person: int, number: int, choice: Choice) -> Row:
    """A drawn choice as a raw row: a consent event, or a touch that unsubscribes."""
    who = f"{person:02d}-{choice['which']}"
    at, event_id = choice["clock"] or choice["event_ts"], f"{person:02d}-{choice['id']}"
    arrived = choice["ingest_ts"] or choice["event_ts"]
    if choice["status"] == "unsubscribed":
        return touch(f"{person:02d}-{number}", who, "unsubscribed", choice["channel"] or "any", at, arrived)
    rest = choice["purpose"], choice["channel"], choice["expires_ts"], arrived
    return consent(event_id, who, choice["status"], at, *rest)


def world(histories: list[History]) -> list[Row]:
    """Rows of those people; `True` in a history: their second account is deleted in the end."""
    rows: list[Row] = []
    for person, (is_deleted, choices) in enumerate(histories):
        who = [f"{person:02d}-{n}" for n in range(2)]
        rows += [account(one, email=f"{one}@x.y", phone="0301234567") for one in who]
        rows.append(decision(f"crm:{who[0]}", f"crm:{who[1]}", "must_link"))
        if is_deleted:
            rows.append(account(who[1], lsn="2", op="d"))
        rows += [choice_row(person, number, choice) for number, choice in enumerate(choices)]
    return rows


class Said(NamedTuple):
    """What one row says of a slot, in the words of the data dictionary. Sorts as choices are ordered."""

    at: int
    is_refusal: bool
    proof: str
    status: str
    arrived: int
    late: int
    expires: int
    which: int


FOR_GOOD = seconds("9999-12-31")


def reference(histories: list[History]) -> dict[tuple[str, str, str], tuple[str | None, str | None, str | None]]:
    """(profile, purpose, channel) to (block_reason, proof, identifier), one history at a time."""
    found = {}
    for person, (is_deleted, choices) in enumerate(histories):
        rows = [choice_row(person, number, choice).cells for number, choice in enumerate(choices)]
        for purpose, channel in product(PURPOSES, CHANNELS):
            said = [what for row in rows if (what := _alone(row, rows, purpose, channel))]
            said += [what for row in rows if (what := _agreed(row, rows, purpose, channel))]
            found[f"P-crm:{person:02d}-0", purpose, channel] = _judged(said, is_deleted, channel, person)
    return found


def _is_usable(row: dict[str, str]) -> bool:
    event, ingest = (moments.seconds_or_none(row[name]) for name in ("event_ts", "ingest_ts"))
    is_known = row.get("purpose") != "?" and row.get("status") != "maybe"
    return event is not None and ingest is not None and event <= ingest + 300 and is_known


def _covers(row: dict[str, str], purpose: str, channel: str) -> bool:
    about = row.get("purpose", "marketing")
    return about in (purpose, "?") and row["channel"] in (channel, "any", "")


def _contents(row: dict[str, str], rows: list[dict[str, str]]) -> list[dict[str, str]]:
    """Usable rows of the same consent event, one of each content: the one that arrived first."""
    same = [other for other in rows if "status" in other and other["event_id"] == row["event_id"] and _is_usable(other)]
    same.sort(key=lambda other: other["ingest_ts"], reverse=True)
    return list({tuple({**other, "ingest_ts": ""}.items()): other for other in same}.values())


def _alone(row: dict[str, str], rows: list[dict[str, str]], purpose: str, channel: str) -> Said | None:
    """What a row says by itself: a refusal, a grant that no other row contradicts, or something unreadable."""
    if not _covers(row, purpose, channel):
        return None
    event, ingest = (moments.seconds_or_none(row[name]) for name in ("event_ts", "ingest_ts"))
    status, which = row.get("status", "withdrawn"), int(row["customer_id"][-1])
    proof = row["event_id"] if "status" in row else f"campaign_events:{row['event_id']}"
    arrived = FOR_GOOD if ingest is None or ingest < seconds("2002-01-01") else ingest
    if "status" in row and _is_usable(row) and status == "granted":
        contents = _contents(row, rows)
        if len(contents) > 1 or event is None or row is not contents[0]:
            return None
        return Said(
            min(event, arrived),
            False,
            proof,
            status,
            arrived,
            0,
            moments.seconds_or_none(row["expires_ts"]) or FOR_GOOD,
            which,
        )
    if status in ("granted", "maybe"):
        return Said(arrived, True, "", "consent_unreadable", arrived, 0, 0, which)
    is_possible = event is not None and seconds("2002-01-01") <= event <= arrived + 300 and arrived < FOR_GOOD
    if event is None or not is_possible or ("status" in row and not _is_usable(row)):
        return Said(arrived, True, proof, status, arrived, 0, 0, which)
    return Said(event, True, proof, status, arrived, arrived if arrived - event > 30 * 86_400 else 0, 0, which)


def _agreed(row: dict[str, str], rows: list[dict[str, str]], purpose: str, channel: str) -> Said | None:
    """What all contents of a consent event grant, told once: by the first of them."""
    contents = _contents(row, rows) if "status" in row and _is_usable(row) else []
    if len(contents) < 2 or row is not contents[0] or len({c["customer_id"] for c in contents}) > 1:
        return None
    if not all(c["status"] == "granted" and _covers(c, purpose, channel) for c in contents):
        return None
    arrived = min(seconds(c["ingest_ts"]) for c in contents)
    at = min(min(seconds(c["event_ts"]), seconds(c["ingest_ts"])) for c in contents)
    ends = min(moments.seconds_or_none(c["expires_ts"]) or FOR_GOOD for c in contents)
    return Said(at, False, row["event_id"], "granted", arrived, 0, ends, int(row["customer_id"][-1]))


def _judged(said: list[Said], is_deleted: bool, channel: str, person: int) -> tuple[str | None, str | None, str | None]:
    readable = [what for what in said if what.status != "consent_unreadable"]
    doubt = max((what.at for what in said if what.status == "consent_unreadable"), default=-1)
    if not readable:
        return ("no_consent" if doubt < 0 else "consent_unreadable"), None, None
    last = max(readable)
    late = [what for what in readable if what.late > last.arrived]
    if last.is_refusal or late:
        refusal = last if last.is_refusal else max(late)
        return refusal.status, refusal.proof, None
    if doubt >= last.at:
        return "consent_unreadable", last.proof, None
    if last.expires <= seconds(AS_OF):
        return "expired", last.proof, None
    if is_deleted and last.which == 1:
        return "account_deleted", last.proof, None
    one = f"{person:02d}-{last.which}"
    return None, last.proof, {"email": f"{one}@x.y", "sms": "0301234567", "push": f"crm:{one}"}[channel]


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


@settings(UNSHRUNK, max_examples=6)
@given(HISTORIES)
def test_the_state_is_that_of_a_plain_reading_of_the_history(histories: list[History]) -> None:
    """For random histories of two accounts, every purpose and channel equals a reference in plain Python."""
    assert reference(histories) == answer(world(histories))


@settings(UNSHRUNK, max_examples=2)
@given(HISTORIES, st.randoms(use_true_random=False))
def test_order_and_repetition_decide_nothing(histories: list[History], chance: random.Random) -> None:
    """Shuffled rows and usable rows delivered twice (by as_of) give the same answer."""
    rows = world(histories)
    movable = [row for row in rows if row.source != "decisions" and _is_usable(row.cells)]
    changed = [*rows, *(row.but(ingest_ts=AS_OF) for row in chance.choices(movable, k=20) if row.source != "customers")]
    chance.shuffle(changed)
    assert answer(rows) == answer(changed)


SOUND = {"clock": "", "ingest_ts": ""}


def sound(histories: list[History]) -> list[History]:
    """The same with clocks that are right, rows that can be used and ids of their own."""
    return [
        (is_deleted, [{**c, **SOUND, "id": n, "purpose": c["purpose"].replace("?", "marketing"),
                       "status": c["status"].replace("maybe", "denied")} for n, c in enumerate(choices)])
        for is_deleted, choices in histories
    ]  # fmt: skip


@settings(UNSHRUNK, max_examples=2)
@given(HISTORIES, st.randoms(use_true_random=False))
def test_a_delay_decides_nothing(histories: list[History], chance: random.Random) -> None:
    """Rows that arrive days later, and by as_of, give the same answer."""
    rows = world(sound(histories))
    late = [row.but(ingest_ts="2026-06-29T00:00:00Z") if chance.random() < 0.5 else row for row in rows]
    late = [new if row.source != "decisions" else row for row, new in zip(rows, late, strict=True)]
    assert answer(rows) == answer(late)


@settings(UNSHRUNK, max_examples=2)
@given(HISTORIES, st.randoms(use_true_random=False))
def test_which_account_of_a_person_spoke_decides_only_the_address(
    histories: list[History], chance: random.Random
) -> None:
    """Choices moved to the person's other account give the same reasons and proofs, while both accounts live."""
    alive = [(False, choices) for _, choices in sound(histories)]
    moved = [(False, [{**choice, "which": chance.randint(0, 1)} for choice in choices]) for _, choices in alive]
    assert {slot: what[:2] for slot, what in answer(world(alive)).items()} == {
        slot: what[:2] for slot, what in answer(world(moved)).items()
    }


def test_the_reference_meets_every_reason() -> None:
    """The histories that are drawn lead to each state, so that equality means something."""
    chance = random.Random(7)
    drawn = {
        "which": [0, 1], "id": range(4), "status": ["granted", "granted", "denied", "withdrawn", "maybe"],
        "event_ts": TIMES, "clock": CLOCKS, "ingest_ts": ARRIVALS, "purpose": ["marketing"], "channel": ["email"],
        "expires_ts": ["", AS_OF],
    }  # fmt: skip
    histories: list[History] = [
        (
            chance.random() < 0.5,
            [{name: chance.choice(values) for name, values in drawn.items()} for _ in range(chance.randint(0, 3))],
        )
        for _ in range(100)
    ]
    found = answer(world(histories))
    assert reference(histories) == found
    assert {None, "no_consent", "denied", "withdrawn", "expired", "account_deleted", "consent_unreadable"} == set(
        picked([{"reason": reason} for reason, _, _ in found.values()], "reason")
    )
