"""Erasing an account takes no refusal back, though it was the only tie between the accounts that remain."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from c360lib.commands.explain import explain
from c360lib.engines.base import Engine
from c360lib.storage.workspace import Workspace
from tests.support import Scene, World, account, consent, decision, erasure, order, touch
from tests.test_leaks import built

scene = Scene("activation_candidates", "customer_identity", "consent_events", "identity_edges")
WHO = {"first_name": "Ada", "date_of_birth": "1980-01-01"}
# a ties b (by the card) to c (by the e-mail); b and c have nothing in common
B = account("b", email="b@x.y", loyalty_id="L1", **WHO)
A = account("a", "2026-01-02", email="c@x.y", loyalty_id="L1", **WHO)
C = account("c", "2026-01-03", email="c@x.y", **WHO)
ERASED = erasure("r", "a")


@pytest.fixture
def made(engine: Engine, request: pytest.FixtureRequest) -> World:
    """The tables of the test's own rows."""
    return scene.world(engine, request.node.originalname)


def state(made: World, channel: str = "email") -> dict[str, Any]:
    """What is said of marketing on a channel, by profile: true, or why not, and the proof."""
    columns = ("profile_id", "purpose", "channel", "eligible", "block_reason", "consent_event_id")
    rows = made("activation_candidates", *columns)
    return {p: (r or e, proof) for p, u, c, e, r, proof in rows if (u, c) == ("marketing", channel)}


@scene.of(B, A, C, consent("1", "b", "granted"), consent("2", "c", "withdrawn", "2026-06-02"))
def test_the_three_are_one_person_before(made: World) -> None:
    """What the one account refused binds the others."""
    assert {"P-crm:b": ("withdrawn", "2")} == state(made)


@scene.of(B, A, C, ERASED, consent("1", "b", "granted"), consent("2", "c", "withdrawn", "2026-06-02"))
def test_a_refusal_of_the_larger_person_stays_when_the_tie_is_erased(made: World) -> None:
    """They are two persons then, and both are shut."""
    assert {"P-crm:b": ("withdrawn", "2"), "P-crm:c": ("withdrawn", "2")} == state(made)
    assert [("crm:b", "P-crm:b"), ("crm:c", "P-crm:c")] == made("customer_identity", "record_id", "profile_id")


@scene.of(
    B,
    A,
    C,
    ERASED,
    consent("1", "b", "granted"),
    consent("2", "a", "denied", "2026-06-02"),
    touch("3", "a", "unsubscribed", "sms", at="2026-06-03"),
    consent("4", "c", "granted", "2026-06-04"),
    consent("5", "b", "granted", channel="sms"),
)
def test_what_the_erased_account_refused_counts_and_is_not_named(made: World) -> None:
    """Each account that remains opens again with a later grant of its own, and only for itself."""
    assert {"P-crm:b": ("denied", None), "P-crm:c": (True, "4")} == state(made)
    assert {"P-crm:b": ("withdrawn", None), "P-crm:c": ("withdrawn", None)} == state(made, "sms")
    assert ["1", "4", "5"] == made("consent_events", "event_id")


@scene.of(B, A, C, ERASED, consent("1", "c", "withdrawn"), consent("2", "b", "granted", "2026-06-02"))
def test_a_later_grant_of_an_account_that_remains_opens_it(made: World) -> None:
    """As it did before; the other account stays shut."""
    assert {"P-crm:b": (True, "2"), "P-crm:c": ("withdrawn", "1")} == state(made)


@scene.of(
    B,
    A,
    C,
    ERASED,
    consent("1", "b", "granted"),
    consent("2", "c", "withdrawn", "2026-06-02"),
    consent("3", "a", "granted", "2026-06-03"),
)
def test_a_later_grant_of_the_erased_account_opens_nothing(made: World) -> None:
    """It had opened the person; what remains has the refusal."""
    assert {"P-crm:b": ("withdrawn", "2"), "P-crm:c": ("withdrawn", "2")} == state(made)


@scene.of(
    B.but(phone="030 1234567"),
    A,
    C,
    ERASED,
    consent("1", "b", "granted"),
    consent("2", "a", "granted", "2026-06-02", expires="2026-06-10"),
    consent("3", "b", "granted", channel="sms"),
    consent("4", "a", "granted", "2026-06-02", channel="sms"),
)
def test_an_older_grant_does_not_step_in_for_the_latest_choice_that_is_erased(made: World) -> None:
    """One that had ended, or that nobody could be reached by, shut the person; erasing it opens nobody."""
    assert {"P-crm:b": ("expired", "1"), "P-crm:c": ("no_consent", None)} == state(made)
    assert {"P-crm:b": ("no_identifier", "3"), "P-crm:c": ("no_consent", None)} == state(made, "sms")


@scene.of(B, A, C, ERASED, consent("1", "b", "granted", "2026-06-01"), consent("2", "a", "granted", "2026-06-02"))
def test_a_person_who_was_open_stays_open(made: World) -> None:
    """Nobody refused anything: the grant of the account that remains is its own."""
    assert {"P-crm:b": (True, "1"), "P-crm:c": ("no_consent", None)} == state(made)


@scene.of(B, A, C, ERASED, consent("1", "b", "granted"), consent("2", "c", "maybe", "2026-06-02"))
def test_a_row_that_cannot_be_used_binds_the_larger_person_too(made: World) -> None:
    """It may have been a refusal."""
    assert {"P-crm:b": ("consent_unreadable", "1"), "P-crm:c": ("consent_unreadable", None)} == state(made)


@scene.of(
    B,
    A,
    C,
    ERASED,
    decision("crm:b", "crm:c", "cannot_link"),
    consent("1", "b", "granted"),
    consent("2", "c", "withdrawn", "2026-06-02"),
)
def test_what_a_steward_set_apart_is_not_one_larger_person(made: World) -> None:
    """The erased account belonged to one of the two, and ties them no more."""
    assert {"P-crm:b": (True, "1"), "P-crm:c": ("withdrawn", "2")} == state(made)


@scene.of(
    account("p", email="p@x.y"),
    account("q", email="q@x.y"),
    account("o"),
    decision("crm:p", "crm:o", "must_link"),
    decision("crm:q", "crm:o", "must_link"),
    erasure("r", "o"),
    consent("1", "p", "granted"),
    consent("2", "q", "withdrawn", "2026-06-02"),
)
def test_a_steward_may_have_tied_them(made: World) -> None:
    """Decisions about the erased account are evidence like any other."""
    assert {"P-crm:p": ("withdrawn", "2"), "P-crm:q": ("withdrawn", "2")} == state(made)


CHAIN = [
    account("1", email="1@x.y", loyalty_id="L1", **WHO),
    account("2", email="2@x.y", loyalty_id="L1", **WHO),
    account("3", email="2@x.y", loyalty_id="L3", **WHO),
    account("4", email="4@x.y", loyalty_id="L3", **WHO),
]


@scene.of(
    *CHAIN,
    erasure("r", "2"),
    erasure("s", "3"),
    consent("1", "1", "granted"),
    consent("2", "4", "withdrawn", "2026-06-02"),
    order("o", "2"),
)
def test_several_erased_accounts_may_have_been_the_tie(made: World) -> None:
    """One held by the other."""
    assert {"P-crm:1": ("withdrawn", "2"), "P-crm:4": ("withdrawn", "2")} == state(made)


@scene.of(B, A, C, account("a", op="d", lsn="2"), ERASED, consent("1", "b", "granted"), consent("2", "c", "denied"))
def test_an_account_that_was_deleted_before_it_was_erased_tied_them_too(made: World) -> None:
    """A deleted account still belongs to its person."""
    assert {"P-crm:b": ("denied", "2"), "P-crm:c": ("denied", "2")} == state(made)


def test_what_is_explained_of_it_is_what_gold_says(tmp_path: Path) -> None:
    """The erased account is no part of the profile, and still a tie that the slice follows."""
    ours = Workspace(tmp_path)
    built(ours, B, A, C, ERASED, consent("1", "b", "granted"), consent("2", "c", "withdrawn", "2026-06-02"))
    for profile in ("P-crm:b", "P-crm:c"):
        assert "marketing by email: blocked: withdrawn, proof 2" in explain(tmp_path, profile)
