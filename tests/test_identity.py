"""Identity: who is one person, by which evidence, and what no evidence may join."""

from __future__ import annotations

import itertools
import random
import re
from typing import Any

import networkx as nx
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from c360lib.engines.base import Engine
from c360lib.identity import clusters
from c360lib.rules import MATCH_RULES, MAX_CLUSTER_ACCOUNTS, RULES_VERSION
from c360lib.sources import match_keys
from tests.support import UNSHRUNK, Row, Scene, World, account, decision, erasure, made_fast, picked

scene = Scene("customer_identity", "customer_profile_base", "identity_edges", "identity_review_queue", "blocked_keys")


@pytest.fixture
def made(engine: Engine, request: pytest.FixtureRequest) -> World:
    """The tables of the test's own rows."""
    return scene.world(engine, request.node.originalname)


def profiles(made: World) -> dict[str, str]:
    """The profile of each account, both by their bare ids."""
    return {
        record.removeprefix("crm:"): profile.removeprefix("P-crm:")
        for record, profile in made("customer_identity", "record_id", "profile_id")
    }


# --- rules ------------------------------------------------------------------------------------------------------------
DAY = "1980-01-02"


@scene.of(
    account("a", loyalty_id="L1", date_of_birth=DAY), account("b", "2026-02-01", loyalty_id=" l1", date_of_birth=DAY)
)
def test_a_loyalty_card_and_a_birth_date_match(made: World) -> None:
    """The strongest rule; the older account names the profile; the match is certain."""
    expected = [
        ("crm:a", "P-crm:a", "loyalty_and_birth_date", 1.0),
        ("crm:b", "P-crm:a", "loyalty_and_birth_date", 1.0),
    ]
    assert expected == made("customer_identity", "record_id", "profile_id", "match_rule", "match_probability")
    edge = [
        ("crm:a", "crm:b", "loyalty_and_birth_date", RULES_VERSION, 60, 1.0, "loyalty_key + date_of_birth", "accepted")
    ]
    columns = (
        "left_record_id",
        "right_record_id",
        "match_rule",
        "rule_version",
        "weight",
        "match_probability",
        "evidence",
        "outcome",
    )
    assert edge == made("identity_edges", *columns)


@scene.of(
    account("a", email="Ada@x.y", first_name="Betty", date_of_birth=DAY),
    account("b", email="ada@x.y", first_name="ELISABETH", date_of_birth=DAY),
)
def test_an_email_a_first_name_and_a_birth_date_match(made: World) -> None:
    """Case does not matter, and a nickname is its formal name."""
    assert {"a": "a", "b": "a"} == profiles(made)
    assert ["email_first_name_and_birth_date"] == made("identity_edges", "match_rule")


@scene.of(
    account("a", phone="+49 (30) 555-1234", first_name="Ada2", date_of_birth=DAY),
    account("b", phone="030 5551234", first_name="ada2", date_of_birth=DAY),
)
def test_a_phone_number_a_first_name_and_a_birth_date_match(made: World) -> None:
    """Digits alone count, and neither country nor trunk prefix."""
    assert ["phone_first_name_and_birth_date"] == made("identity_edges", "match_rule")


@scene.of(
    account("a", first_name="Ada", last_name="Großmann-1", date_of_birth=DAY),
    account("b", first_name="ada ", last_name="GROSSMANN-1", date_of_birth=DAY),
)
def test_a_full_name_and_a_birth_date_match(made: World) -> None:
    """Folded: sharp s and ss are one."""
    assert ["full_name_and_birth_date"] == made("identity_edges", "match_rule")


@scene.of(
    account("a", first_name="Ada4", street="Am  Wall 1", date_of_birth=DAY),
    account("b", first_name="Ada4", street="am wall\u00a01", date_of_birth=DAY),
)
def test_a_street_a_first_name_and_a_birth_date_match(made: World) -> None:
    """Inner space is single, of whatever kind."""
    assert ["address_first_name_and_birth_date"] == made("identity_edges", "match_rule")


@scene.of(
    account("a", email="k@x.y", phone="0305551111", first_name="Bob", last_name="King-5"),
    account("b", email="k@x.y", phone="0305551111", first_name="Robert", last_name="king-5"),
)
def test_email_phone_and_full_name_match_without_a_birth_date(made: World) -> None:
    """The one rule that needs no date."""
    assert ["email_phone_and_full_name"] == made("identity_edges", "match_rule")


@scene.of(
    account("a", email="fam@x.y", phone="0305552222", first_name="Ada", date_of_birth=DAY),
    account("b", email="fam@x.y", phone="0305552222", first_name="Ben", date_of_birth=DAY),
    account("c", email="fam@x.y", phone="0305552222", first_name="Ada"),
    account("d", first_name="Ada", date_of_birth=DAY),
)
def test_part_of_a_key_is_no_evidence(made: World) -> None:
    """A household shares an e-mail and a phone; an absent cell equals nothing, not even another absent cell."""
    assert {"a": "a", "b": "b", "c": "c", "d": "d"} == profiles(made)
    assert [(None, None)] * 4 == made("customer_identity", "match_rule", "match_probability")


@scene.of(
    account("a", loyalty_id="L2", date_of_birth=DAY),
    account("b", loyalty_id="L2", date_of_birth=DAY, email="b@x.y", first_name="Bea"),
    account("c", email="b@x.y", first_name="Bea", date_of_birth=DAY),
)
def test_evidence_chains(made: World) -> None:
    """A is b and b is c, so a is c; the rule of an account is its own strongest."""
    assert {"a": "a", "b": "a", "c": "a"} == profiles(made)
    assert ["loyalty_and_birth_date", "loyalty_and_birth_date", "email_first_name_and_birth_date"] == made(
        "customer_identity", "match_rule"
    )


@scene.of(
    account("a", loyalty_id="L3", date_of_birth=DAY),
    account("b", loyalty_id="L9", date_of_birth=DAY),
    account("b", lsn="2", op="u", loyalty_id="L3", date_of_birth=DAY),
    account("a", lsn="2", op="u", loyalty_id="L4", date_of_birth=DAY),
)
def test_current_values_are_compared(made: World) -> None:
    """What an account said before is no evidence."""
    assert {"a": "a", "b": "b"} == profiles(made)


@scene.of(
    account("a", loyalty_id="L5", date_of_birth="1980-02-30"), account("b", loyalty_id="L5", date_of_birth="1980-02-30")
)
def test_an_impossible_date_is_no_evidence(made: World) -> None:
    """It was nulled on the way in."""
    assert {"a": "a", "b": "b"} == profiles(made)


@scene.of(
    account("a", email="tw@x.y", first_name="Tim", last_name="Twin", street="Wall 9", date_of_birth=DAY),
    account("b", email="tw@x.y", first_name="Tom", last_name="Twin", street="Wall 9", date_of_birth=DAY),
)
def test_twins_are_two(made: World) -> None:
    """One birth date, one family name, one address, one e-mail, two first names."""
    assert 2 == len(set(profiles(made).values()))


def test_phone_digits_and_short_numbers() -> None:
    """The last nine digits; a number of fewer than seven is none."""
    texts = ["+49 30 1234567", "030/1234567", "0049301234567", "123456", "1234567", "12", None]
    assert ["301234567", "301234567", "301234567", None, "1234567", None, None] == match_keys.phone_digits(
        pa.array(texts, pa.string())
    ).to_pylist()


@settings(deadline=None)
@given(st.lists(st.one_of(st.none(), st.text("0189 +-()é٣x", max_size=24))), st.integers(0, 3), st.integers(0, 9))
def test_phone_digits_are_those_of_each_number_alone(texts: list[str | None], skip: int, length: int) -> None:
    """Whatever stands between them and in the other cells, in a slice as in the whole."""
    array = pa.array(texts, pa.string()).slice(skip, length)
    digits = [re.sub("[^0-9]", "", text or "")[-9:] for text in texts[skip : skip + length]]
    found = match_keys.phone_digits(array)
    found.validate(full=True)
    assert [number if len(number) >= 7 else None for number in digits] == found.to_pylist()


def test_first_names() -> None:
    """Nicknames become formal names whatever their case and space; other names stay."""
    texts = ["Bob", " BOB ", "Robert", "Bobby", "Zaphod", "", None]
    assert ["robert", "robert", "robert", "robert", "zaphod", None, None] == match_keys.first_names(
        pa.array(texts, pa.string())
    ).to_pylist()


# --- limits -----------------------------------------------------------------------------------------------------------
def crowd(name: str, size: int) -> list[Row]:
    """So many accounts of one card."""
    return [
        account(f"{name}{n:02d}", f"2026-01-{n + 1:02d}", loyalty_id=f"card-{name}", date_of_birth=DAY)
        for n in range(size)
    ]


@scene.of(*crowd("k", 10))
def test_a_key_of_ten_accounts_is_evidence(made: World) -> None:
    """The limit is the most that may hold it."""
    assert {"k00"} == set(profiles(made).values())
    assert 45 == len(made("identity_edges", "match_rule"))


@scene.of(*crowd("m", 11))
def test_a_key_of_eleven_accounts_is_ignored_and_reported(made: World) -> None:
    """No account is joined by it."""
    assert 11 == len(set(profiles(made).values()))
    assert [] == made("identity_edges")
    assert [("loyalty_and_birth_date", "card-m|3653", 11, 10)] == made(
        "blocked_keys", "kind", "key", "account_count", "account_limit"
    )


@scene.of(
    *crowd("n", 11),
    account("x", email="x@x.y", first_name="X", date_of_birth=DAY),
    account("n00", lsn="2", op="u", loyalty_id="card-n", email="x@x.y", first_name="X", date_of_birth=DAY),
)
def test_other_keys_of_a_holder_still_count(made: World) -> None:
    """Only the crowded key is ignored."""
    assert profiles(made)["x"] == profiles(made)["n00"]


# --- dates of birth ---------------------------------------------------------------------------------------------------
CLASH = {"email": "j@x.y", "phone": "0305553333", "first_name": "Jo", "last_name": "Clash"}


@scene.of(account("a", **CLASH, date_of_birth="1950-01-01"), account("b", **CLASH, date_of_birth="1980-01-01"))
def test_two_birth_dates_are_never_joined_by_rules(made: World) -> None:
    """Parent and child of one name who share everything else; the edge is queued for review."""
    assert {"a": "a", "b": "b"} == profiles(made)
    assert [("crm:a", "crm:b", "email_phone_and_full_name", "refused")] == made(
        "identity_edges", "left_record_id", "right_record_id", "match_rule", "outcome"
    )
    assert [("crm:a", "crm:b", "two_birth_dates")] == made(
        "identity_review_queue", "left_record_id", "right_record_id", "reason"
    )


CHAIN = {"email": "ch@x.y", "phone": "0305554444", "first_name": "Jo", "last_name": "Chain"}


@scene.of(
    account("a", **CHAIN, date_of_birth="1950-01-01"),
    account("b", **CHAIN),
    account("c", **CHAIN, date_of_birth="1980-01-01"),
)
def test_two_birth_dates_are_not_joined_through_a_third_account(made: World) -> None:
    """The account without a date goes to the first pair in order; the other edges are refused."""
    assert {"a": "a", "b": "a", "c": "c"} == profiles(made)
    assert [("crm:a", "crm:c"), ("crm:b", "crm:c")] == made(
        "identity_review_queue", "left_record_id", "right_record_id"
    )


STRONG = {"email": "st@x.y", "phone": "0305555555", "first_name": "Jo", "last_name": "Strong"}


@scene.of(
    account("a", **STRONG, date_of_birth="1950-01-01"),
    account("b", **STRONG),
    account("c", **STRONG, date_of_birth="1980-01-01"),
    decision("crm:b", "crm:c", "must_link"),
)
def test_the_strongest_edges_are_taken_first(made: World) -> None:
    """A steward's must_link is the strongest, so the account without a date goes to c."""
    assert {"a": "a", "b": "b", "c": "b"} == profiles(made)


@scene.of(
    account("a", date_of_birth="1950-01-01"),
    account("b", date_of_birth="1980-01-01"),
    decision("crm:b", "crm:a", "must_link"),
)
def test_a_steward_may_join_two_birth_dates(made: World) -> None:
    """Dates have typos, and somebody looked."""
    assert {"a": "a", "b": "a"} == profiles(made)
    assert ["steward_must_link"] * 2 == made("customer_identity", "match_rule")
    assert [(1000, "accepted", "crm:a", "crm:b")] == made(
        "identity_edges", "weight", "outcome", "left_record_id", "right_record_id"
    )


# --- steward ----------------------------------------------------------------------------------------------------------
SAME = {"loyalty_id": "L6", "date_of_birth": DAY}


@scene.of(account("a", **SAME), account("b", **SAME), decision("crm:a", "crm:b", "cannot_link"))
def test_cannot_link_beats_every_rule(made: World) -> None:
    """The pair stays two; its edge is refused, and nobody is asked again."""
    assert {"a": "a", "b": "b"} == profiles(made)
    assert [("loyalty_and_birth_date", "refused")] == made("identity_edges", "match_rule", "outcome")
    assert [] == made("identity_review_queue")


@scene.of(
    account("a"),
    account("b"),
    account("c"),
    decision("crm:a", "crm:b", "must_link"),
    decision("crm:c", "crm:b", "must_link"),
    decision("crm:c", "crm:a", "cannot_link"),
)
def test_cannot_link_beats_a_chain_of_must_links(made: World) -> None:
    """The link that would complete the chain is refused, in order of the pairs."""
    assert {"a": "a", "b": "a", "c": "c"} == profiles(made)
    assert [("crm:b", "crm:c", "steward_must_link", "cannot_link")] == made(
        "identity_review_queue", "left_record_id", "right_record_id", "match_rule", "reason"
    )


@scene.of(
    account("a"),
    account("b"),
    decision("crm:a", "crm:b", "cannot_link", "2026-06-01"),
    decision("crm:b", "crm:a", "must_link", "2026-06-02"),
)
def test_the_latest_decision_on_a_pair_holds(made: World) -> None:
    """Whichever account is named first."""
    assert {"a": "a", "b": "a"} == profiles(made)


@scene.of(
    account("a"), account("b"), decision("crm:a", "crm:b", "cannot_link"), decision("crm:b", "crm:a", "must_link")
)
def test_at_one_moment_cannot_link_holds(made: World) -> None:
    """Apart is the safer side."""
    assert {"a": "a", "b": "b"} == profiles(made)


@scene.of(
    account("a"),
    account("b"),
    decision("crm:a", "crm:b", "must_link", "2026-07-01"),
    account("c", **SAME),
    account("d", **SAME),
    decision("crm:c", "crm:d", "cannot_link", "2026-07-01"),
)
def test_a_decision_after_as_of_is_not_made_yet(made: World) -> None:
    """It does not look into the future."""
    assert {"a": "a", "b": "b", "c": "c", "d": "c"} == profiles(made)


@scene.of(
    account("a"),
    decision("crm:a", "crm:gone", "must_link"),
    decision("crm:a", "crm:a", "must_link"),
    decision("crm:a", "crm:b", "perhaps"),
    account("b"),
)
def test_decisions_about_nobody_or_nothing_mean_nothing(made: World) -> None:
    """An unknown account, an account and itself, an unknown word."""
    assert {"a": "a", "b": "b"} == profiles(made)


@scene.of(
    account("a"),
    account("b"),
    account("c"),
    decision("crm:a", "crm:b", "must_link"),
    decision("crm:b", "crm:c", "must_link"),
    erasure("r", "b"),
)
def test_an_erased_account_holds_no_chain_together(made: World) -> None:
    """What was known through it is known no more."""
    assert {"a": "a", "c": "c"} == profiles(made)


# --- profile_id -------------------------------------------------------------------------------------------------------
@scene.of(
    account("z", "2026-01-01", **SAME | {"loyalty_id": "L7"}), account("a", "2026-01-02", **SAME | {"loyalty_id": "L7"})
)
def test_the_oldest_account_names_the_profile(made: World) -> None:
    """By its first event, not by its id."""
    assert {"a": "z", "z": "z"} == profiles(made)


@scene.of(
    account("b", "2026-01-01", **SAME | {"loyalty_id": "L8"}), account("a", "2026-01-01", **SAME | {"loyalty_id": "L8"})
)
def test_of_equally_old_accounts_the_smallest_record_id_names_it(made: World) -> None:
    """As text."""
    assert {"a": "a", "b": "a"} == profiles(made)


@scene.of(
    account("a", "2026-03-01", **SAME | {"loyalty_id": "L9"}),
    account("b", "2026-02-01", lsn="1"),
    account("b", "2026-05-01", lsn="2", op="u", **SAME | {"loyalty_id": "L9"}),
)
def test_age_is_that_of_the_first_event_not_of_the_current_state(made: World) -> None:
    """An update makes no account younger."""
    assert {"a": "b", "b": "b"} == profiles(made)


@scene.of(
    account("a", "2026-03-01", lsn="1", **SAME | {"loyalty_id": "L10"}),
    account("b", "2026-02-01", lsn="1", **SAME | {"loyalty_id": "L10"}),
    account("a", "2026-01-01", lsn="2", op="u", **SAME | {"loyalty_id": "L10"}),
)
def test_the_first_event_is_the_earliest_whatever_its_lsn(made: World) -> None:
    """Event time runs against lsn in real sources."""
    assert {"a": "a", "b": "a"} == profiles(made)


@scene.of(
    account("a", "2026-01-01", **SAME | {"loyalty_id": "L11"}),
    account("b", "2026-02-01", **SAME | {"loyalty_id": "L11"}),
    account("a", "2026-03-01", op="d", lsn="2"),
)
def test_a_deleted_account_still_names_its_profile(made: World) -> None:
    """It keeps its last values, so it still matches; the profile has one live account left."""
    assert {"a": "a", "b": "a"} == profiles(made)
    assert [("P-crm:a", 2, 1, "2026-01-01T00:00:00Z", "2026-03-01T00:00:00Z")] == made(
        "customer_profile_base",
        "profile_id",
        "source_record_count",
        "live_record_count",
        "first_seen_ts",
        "last_updated_ts",
    )


@scene.of(
    account("a", "2026-01-01", **SAME | {"loyalty_id": "L12"}),
    account("b", "2026-02-01", **SAME | {"loyalty_id": "L12"}),
    account("c", "2026-03-01", **SAME | {"loyalty_id": "L12"}),
    erasure("r", "a"),
)
def test_the_next_oldest_account_names_the_profile_of_an_erased_one(made: World) -> None:
    """The old name is gone with the account."""
    assert {"b": "b", "c": "b"} == profiles(made)


def test_an_older_account_that_arrives_late_takes_the_name_over() -> None:
    """One of the two ways in which a profile_id changes."""
    rows = [
        account("new", "2026-02-01", loyalty_id="L", date_of_birth=DAY),
        account("old", "2026-01-01", "2026-06-20", loyalty_id="L", date_of_birth=DAY),
    ]
    assert ["P-crm:new"] == picked(made_fast(rows, "customer_identity", as_of="2026-06-19T23:59:59Z"), "profile_id")
    assert ["P-crm:old", "P-crm:old"] == picked(made_fast(rows, "customer_identity"), "profile_id")


# --- size -------------------------------------------------------------------------------------------------------------
def test_a_cluster_holds_at_most_so_many_accounts() -> None:
    """A chain of cards and e-mails that goes on and on is cut where the limit is reached; the rest is queued."""
    count = MAX_CLUSTER_ACCOUNTS + 10
    rows = [
        account(f"{n:03d}", loyalty_id=f"L{n // 2}", email=f"{(n + 1) // 2}@x.y", first_name="Ada", date_of_birth=DAY)
        for n in range(count)
    ]
    tables = made_fast(rows, "customer_identity", "identity_review_queue")
    sizes = [
        len(list(group)) for _, group in itertools.groupby(sorted(picked(tables["customer_identity"], "profile_id")))
    ]
    assert count == sum(sizes)
    assert MAX_CLUSTER_ACCOUNTS >= max(sizes)
    assert {"cluster_too_large"} == set(picked(tables["identity_review_queue"], "reason"))


# --- against independent references -----------------------------------------------------------------------------------
GRAPHS = st.integers(1, 40).flatmap(
    lambda n: st.tuples(st.just(n), st.lists(st.tuples(st.integers(0, n - 1), st.integers(0, n - 1)), max_size=60))
)


@settings(deadline=None, max_examples=200)
@given(GRAPHS)
def test_components_are_those_of_a_graph_library(graph: tuple[int, list[tuple[int, int]]]) -> None:
    """Every member gets the smallest member of its connected component."""
    count, edges = graph
    other = nx.Graph()
    other.add_nodes_from(range(count))
    other.add_edges_from(edges)
    expected = {node: min(found) for found in nx.connected_components(other) for node in found}
    ends = np.array(edges, dtype=np.int64).reshape(-1, 2)
    assert [expected[node] for node in range(count)] == clusters.components(count, ends[:, 0], ends[:, 1]).tolist()


@pytest.mark.parametrize("seed", range(3))
def test_a_long_chain_in_any_order_is_one_component(seed: int) -> None:
    """20,000 links are no reason to stop."""
    order = np.random.default_rng(seed).permutation(20_000)
    assert {0} == set(clusters.components(20_000, order[:-1], order[1:]).tolist())


# People in small worlds: few values, so that keys are shared, dates clash and stewards contradict each other.
ACCOUNTS = st.tuples(
    st.sampled_from(["", "L1", "L2"]),
    st.sampled_from(["", "e1@x.y", "e2@x.y"]),
    st.sampled_from(["Ada", "Ben"]),
    st.sampled_from(["", "Kay", "Lee"]),
    st.sampled_from(["", "0301111111"]),
    st.sampled_from(["", "1980-01-01", "1990-01-01"]),
    st.integers(1, 3),
)
DECISIONS = st.tuples(st.integers(0, 5), st.integers(0, 5), st.booleans(), st.integers(1, 3))
GROUP = st.tuples(st.lists(ACCOUNTS, min_size=2, max_size=6), st.lists(DECISIONS, max_size=3))
GROUPS = st.lists(GROUP, min_size=15, max_size=30)
Group = tuple[list[tuple[str, str, str, str, str, str, int]], list[tuple[int, int, bool, int]]]


def rows_of(number: int, group: Group) -> list[Row]:
    """A group's rows; nothing that is compared is shared with another group."""
    people, decisions = group
    mark = f"{number:02d}"
    rows = [
        account(
            f"{mark}-{n}",
            f"2026-01-0{day}",
            loyalty_id=card and card + mark,
            email=email and mark + email,
            first_name=f"{first}{mark}",
            last_name=last and last + mark,
            phone=phone and phone[:-2] + mark,
            date_of_birth=birth,
        )
        for n, (card, email, first, last, phone, birth, day) in enumerate(people)
    ]
    return rows + [
        decision(f"crm:{mark}-{a}", f"crm:{mark}-{b}", "must_link" if is_link else "cannot_link", f"2026-02-0{day}")
        for a, b, is_link, day in decisions
    ]


def reference(number: int, group: Group) -> dict[str, str]:
    """The profile of each account by the rules in words: all pairs, strongest first, each against the constraints."""
    people, decisions = group
    mark = f"{number:02d}"
    names = {
        "loyalty_key": 0,
        "email_key": 1,
        "first_name_key": 2,
        "last_name_key": 3,
        "phone_key": 4,
        "date_of_birth": 5,
    }
    latest: dict[tuple[int, int], tuple[int, bool]] = {}
    for a, b, is_link, day in decisions:
        if a != b and max(a, b) < len(people):
            pair = min(a, b), max(a, b)
            latest[pair] = max(latest.get(pair, (0, False)), (day, not is_link))
    cannot = {frozenset(pair) for pair, (_, is_cannot) in latest.items() if is_cannot}
    edges = [(-1, *pair) for pair, (_, is_cannot) in latest.items() if not is_cannot]
    for strength, rule in enumerate(MATCH_RULES):
        if not set(rule.columns) <= set(names):
            continue
        for a, b in itertools.combinations(range(len(people)), 2):
            keys = [tuple(people[n][names[column]] for column in rule.columns) for n in (a, b)]
            if keys[0] == keys[1] and all(keys[0]):
                edges.append((strength, a, b))
    home = {n: frozenset([n]) for n in range(len(people))}
    for strength, a, b in sorted(edges):
        both = home[a] | home[b]
        births = [{people[n][5] for n in side if people[n][5]} for side in (home[a], home[b])]
        apart = any(frozenset(pair) in cannot for pair in itertools.product(home[a], home[b]))
        if not apart and (strength < 0 or births[0] <= births[1] or births[1] <= births[0]):
            home |= dict.fromkeys(both, both)
    oldest = {n: min(home[n], key=lambda m: (people[m][6], m)) for n in home}
    return {f"crm:{mark}-{n}": f"P-crm:{mark}-{m}" for n, m in oldest.items()}


def answer(rows: list[Row]) -> dict[str, str]:
    """The profile of each account by the layers."""
    return dict(picked(made_fast(rows, "customer_identity"), "record_id", "profile_id"))


@settings(UNSHRUNK, max_examples=6)
@given(GROUPS)
def test_clusters_are_those_of_a_plain_reading_of_the_rules(groups: list[Group]) -> None:
    """For random small worlds with clashes and decisions, every account has the profile that a reference gives it."""
    expected = {
        account: profile for number, group in enumerate(groups) for account, profile in reference(number, group).items()
    }
    assert expected == answer([row for number, group in enumerate(groups) for row in rows_of(number, group)])


@settings(UNSHRUNK, max_examples=3)
@given(GROUPS, st.randoms(use_true_random=False))
def test_row_order_never_matters(groups: list[Group], chance: random.Random) -> None:
    """Shuffled rows and decisions give the same identity, edges and review queue."""
    rows = [row for number, group in enumerate(groups) for row in rows_of(number, group)]
    shuffled = chance.sample(rows, len(rows))
    tables = ("customer_identity", "identity_edges", "identity_review_queue", "blocked_keys", "customer_profile_base")
    assert made_fast(rows, *tables) == made_fast(shuffled, *tables)


@settings(UNSHRUNK, max_examples=3)
@given(GROUPS)
def test_no_rule_ever_joins_two_birth_dates(groups: list[Group]) -> None:
    """Without a steward every profile holds one date at most, and every refused pair is in the queue."""
    rows = [row for number, (people, _) in enumerate(groups) for row in rows_of(number, (people, []))]
    tables: dict[str, list[dict[str, Any]]] = made_fast(
        rows, "customer_identity", "identity_edges", "identity_review_queue"
    )
    births: dict[str, set[str]] = {}
    born = {f"crm:{row.cells['customer_id']}": row.cells["date_of_birth"] for row in rows}
    for record_id, profile_id in picked(tables["customer_identity"], "record_id", "profile_id"):
        births.setdefault(profile_id, set()).update({born[record_id]} - {""})
    assert 1 >= max(len(found) for found in births.values())
    pair = ("left_record_id", "right_record_id")
    refused = picked([e for e in tables["identity_edges"] if e["outcome"] == "refused"], *pair)
    assert sorted(set(refused)) == picked(tables["identity_review_queue"], *pair)
