"""Identity over time: what a release tells of profiles that merged, split, moved or went, and that ids stay."""

from __future__ import annotations

import random
import shutil
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from c360lib.commands import explain
from c360lib.engines.base import Engine
from c360lib.errors import UsageError
from c360lib.generate import generate
from c360lib.generate.faults import inject
from c360lib.identity.history import EVENTS_SCHEMA, PROFILES_SCHEMA, follow, identity_events
from c360lib.release import predecessor
from c360lib.release.build import Result, build
from c360lib.storage.files import read_json, read_table, remove_tree, write_json
from c360lib.storage.workspace import Workspace
from tests.support import Row, account, before, decision, erasure, made, picked

Ids = Mapping[str, str]
Event = dict[str, Any]
EDGES = pa.schema([(n, pa.string()) for n in ("left_record_id", "right_record_id", "match_rule", "outcome")]).append(
    pa.field("weight", pa.int64())
)
TOLD = ("event_type", "from_profile_id", "to_profile_id", "account_count")


def profiles(who: Ids) -> pa.Table:
    """Accounts and their profiles as a table."""
    return pa.table([list(who), list(who.values())], schema=PROFILES_SCHEMA)


def ids(text: str) -> dict[str, str]:
    """`"ab c"` is a profile of a and b, made of a, and one of c."""
    return {account: f"P-{part[0]}" for part in text.split() for account in part}


def after(
    old: Ids, new: Ids, edges: Iterable[Event] = (), erased: Iterable[str] = (), ledger: Iterable[Event] = ()
) -> list[Event]:
    """The ledger once `new` has followed `old`."""
    gone = pa.table({"record_id": pa.array(list(erased), pa.string())})
    told = pa.Table.from_pylist(list(ledger), schema=EVENTS_SCHEMA)
    evidence = pa.Table.from_pylist(list(edges), schema=EDGES)
    return list(identity_events(profiles(old), told, profiles(new), evidence, gone, as_of=5).to_pylist())


# --- one step ---------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("ab c", "ab c", []),
        ("", "ab c", []),
        ("ab c", "ab c d", []),
        ("ab c", "abc", [("merge", "P-c", "P-a", 1)]),
        ("abc", "ac b", [("split", "P-a", "P-b", 1)]),
        ("ab", "xab", [("move", "P-a", "P-x", 2)]),
        ("ab c", "xabc", [("merge", "P-a", "P-x", 2), ("merge", "P-c", "P-x", 1)]),
        ("ab c", "c", [("retire", "P-a", None, 2)]),
        ("ab c", "b c", [("move", "P-a", "P-b", 1)]),
        ("abc", "b c", [("split", "P-a", "P-b", 1), ("split", "P-a", "P-c", 1)]),
        ("abc d", "ab dc", [("split", "P-a", "P-d", 1)]),
        ("ab cd", "ac b d", [("split", "P-a", "P-b", 1), ("split", "P-c", "P-a", 1), ("split", "P-c", "P-d", 1)]),
        ("ab", "a", []),
    ],
)
def test_what_became_of_profiles(old: str, new: str, expected: list[tuple[str, str, str | None, int]]) -> None:
    """Split: not all together any more; merge: together with others; move: alone under another id; retire: none left.

    Accounts that are new, or that leave a profile which keeps others, are no event.
    """
    assert expected == picked(after(ids(old), ids(new)), *TOLD)


def test_the_strongest_evidence_that_ties_them_now_is_named() -> None:
    """An accepted edge between the accounts that came and others that are there; not one among themselves."""
    rows = [
        ("c", "d", "among themselves", "accepted", 90),
        ("a", "c", "refused", "refused", 80),
        ("b", "c", "strong", "accepted", 60),
        ("a", "d", "weak", "accepted", 10),
    ]
    edges = [dict(zip((*EDGES.names[:3], "outcome", "weight"), row, strict=True)) for row in rows]
    assert ["strong"] == picked(after(ids("ab cd"), ids("abcd"), edges), "match_rule")
    assert [None] == picked(after(ids("abcd"), ids("ab cd"), edges[:1]), "match_rule")
    assert ["strong"] == picked(after(ids("c"), {"b": "P-b", "c": "P-b"}, edges[1:3]), "match_rule")


def test_the_ledger_only_grows() -> None:
    """Earlier events stand as they were; numbers go on; a release that changes nothing adds nothing."""
    first = after(ids("a b"), ids("ab"))
    second = after(ids("ab"), ids("a b"), ledger=first)
    assert [("merge", 1, 1), ("split", 2, 2)] == picked(second, "event_type", "event_number", "step")
    assert first == second[:1]
    assert second == after(ids("a b"), ids("a b"), ledger=reversed(second))


def test_an_erased_account_is_named_nowhere() -> None:
    """Not in this step's event, not in earlier ones; the chain of events stays whole under a number."""
    first = after(ids("a b"), ids("ab"))
    second = after(ids("ab"), ids("b"), erased=["a"], ledger=first)
    expected = [("merge", "P-b", "erased-1", 1), ("move", "erased-1", "P-b", 1)]
    assert expected == picked(second, *TOLD)
    third = after(ids("b d"), ids("d"), erased=["a", "b"], ledger=second)
    expected = [("merge", "erased-2", "erased-1", 1), ("move", "erased-1", "erased-2", 1)]
    assert [*expected, ("retire", "erased-2", None, 1)] == picked(third, *TOLD)


# --- against plain readings -------------------------------------------------------------------------------------------
def drawn(draw: random.Random, accounts: Iterable[str]) -> dict[str, str]:
    """A random partition; the smallest account of a part names it."""
    parts = defaultdict(list)
    for name in sorted(accounts):
        parts[draw.randrange(5)].append(name)
    return {name: f"P-{part[0]}" for part in parts.values() for name in part}


def members(who: Ids) -> dict[str, set[str]]:
    """The accounts of each profile."""
    found: dict[str, set[str]] = defaultdict(set)
    for name, profile in who.items():
        found[profile].add(name)
    return found


def plainly(old: Ids, new: Ids) -> list[tuple[str, str, str | None, int]]:
    """The events of a step, read off the sets of accounts."""
    found = []
    for profile, were in members(old).items():
        left = {a for a in were if a in new}
        homes = {new[a] for a in left}
        if not left:
            found.append(("retire", profile, None, len(were)))
        for home in homes - {profile}:
            others = {old[a] for a in members(new)[home] if a in old} - {profile}
            kind = "split" if len(homes) > 1 else "merge" if others else "move"
            found.append((kind, profile, home, sum(new[a] == home for a in left)))
    return sorted(found, key=lambda event: (event[1], event[2] or ""))


def some(draw: random.Random) -> list[str]:
    """Most of twelve accounts."""
    return draw.sample("abcdefghijkl", 10)


@pytest.mark.parametrize("seed", range(60))
def test_a_step_is_what_the_sets_say(seed: int) -> None:
    """Random partitions of accounts of which some come and some go, in any order of rows."""
    draw = random.Random(seed)
    old, new = drawn(draw, some(draw)), drawn(draw, some(draw))
    shuffled = dict(draw.sample(sorted(old.items()), len(old)))
    assert plainly(old, new) == picked(after(old, new), *TOLD)
    assert after(old, new) == after(shuffled, dict(draw.sample(sorted(new.items()), len(new))))


@pytest.mark.parametrize("seed", range(30))
def test_an_old_id_is_followed_to_where_it_is_today(seed: int) -> None:
    """Through six releases; as when each release's accounts are looked up in the next one."""
    draw = random.Random(seed)
    releases = [drawn(draw, some(draw)) for _ in range(6)]
    ledger: list[Event] = []
    for old, new in pairwise(releases):
        ledger = after(old, new, ledger=ledger)
    today = set(releases[-1].values())

    def home(profile: str) -> set[str]:
        if profile in today:
            return {profile}
        last = max(n for n, release in enumerate(releases) if profile in release.values())
        names = members(releases[last])[profile]
        return {end for name in names if name in releases[last + 1] for end in home(releases[last + 1][name])}

    for profile in {profile for release in releases for profile in release.values()} - today:
        trail = follow(ledger, profile, today)
        assert home(profile) == {event["to_profile_id"] for event in trail} & today


@pytest.mark.parametrize("seed", range(10))
def test_a_part_is_as_the_whole(seed: int) -> None:
    """The slice law: parts that share no profile, before or now, tell what the whole tells, but for numbers."""
    draw = random.Random(seed)
    worlds = [[drawn(draw, [x + mark for x in some(draw)]) for _ in range(2)] for mark in ("1", "2", "3")]
    whole = after(*(dict(pair for world in worlds for pair in world[n].items()) for n in range(2)))
    parts = [event for old, new in worlds for event in after(old, new)]
    assert picked(whole, *TOLD) == sorted(picked(parts, *TOLD), key=lambda event: (event[1], event[2] or ""))


SAME = {"loyalty_id": "L", "date_of_birth": "1980-01-02"}


def test_every_engine_tells_the_same(engine: Engine) -> None:
    """From raw rows, with an erasure, and with nothing before."""
    rows: list[Row] = [account("a", **SAME), account("b", "2026-02-01", **SAME), account("c"), erasure("r", "c")]
    was = {"crm:a": "P-crm:a", "crm:b": "P-crm:b", "crm:c": "P-crm:c"}
    tables = made(engine, rows, ["identity_events"], given=before(engine, was))
    day = "2026-06-30T23:59:59Z"
    expected = [
        (1, 1, day, "merge", "P-crm:b", "P-crm:a", 1, "loyalty_and_birth_date"),
        (2, 1, day, "retire", "erased-1", None, 1, None),
    ]
    assert expected == picked(tables["identity_events"], *EVENTS_SCHEMA.names)
    assert [] == made(engine, rows, ["identity_events"])["identity_events"]


# --- releases ---------------------------------------------------------------------------------------------------------
@pytest.fixture
def unbuilt(tmp_path: Path) -> Workspace:
    """Raw files of 150 people; nothing built."""
    workspace = Workspace(tmp_path / "unbuilt")
    workspace.generated.write(generate(150, 5), {})
    return workspace


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same raw files and their first release."""
    workspace = Workspace(tmp_path_factory.mktemp("history"))
    workspace.generated.write(generate(150, 5), {})
    quick(workspace)
    return workspace.root


@pytest.fixture
def ours(published: Path, tmp_path: Path) -> Workspace:
    """A copy of them that a test may change."""
    return Workspace(shutil.copytree(published, tmp_path / "ours"))


def decide(ours: Workspace, *decisions: Row) -> None:
    """Let these be all that stewards decided."""
    columns = ("left_record_id", "right_record_id", "decision", "decided_ts")
    lines = [",".join(columns), *(",".join(row.cells[c] for c in columns) for row in decisions)]
    ours.steward_file.parent.mkdir(exist_ok=True)
    ours.steward_file.write_text("\n".join([*lines, ""]), "utf-8")


def rows(ours: Workspace, name: str, layer: str = "silver") -> list[dict[str, str]]:
    """The rows of a published table, text."""
    return list(read_table(ours.table_file(layer, name)).to_pylist())


def told(ours: Workspace) -> list[tuple[str, ...]]:
    """The published ledger, in short."""
    return [tuple(row[name] for name in TOLD) for row in rows(ours, "identity_events")]


def churn(result: Result) -> tuple[str, str] | None:
    """Value and status of the measure; None where it is not in the report."""
    return next(((m.value, m.status) for m in result.measures if m.name == "profile_id_churn_rate"), None)


def quick(ours: Workspace, **options: Any) -> Result:
    """A build that is published."""
    result = build(ours, "polars", **options)
    assert result.kept is None
    return result


def strangers(ours: Workspace) -> tuple[str, str]:
    """Two accounts that name profiles of different value, segment and consent; the second is alone and the younger."""
    base = {row["profile_id"]: row["first_seen_ts"] for row in rows(ours, "customer_profile_base")}
    people = sorted(rows(ours, "customer_360", "gold"), key=lambda row: base[row["profile_id"]])
    older = next(p for p in people if p["consent_marketing"] == "true")
    rest = people[people.index(older) + 1 :]
    younger = next(
        p for p in rest
        if p["consent_marketing"] == "false" and p["segment"] != older["segment"] and p["source_record_count"] == "1"
        and p["lifetime_value_cents"] > "0" and base[p["profile_id"]] > base[older["profile_id"]]
    )  # fmt: skip
    return older["profile_id"][2:], younger["profile_id"][2:]


def known(ours: Workspace) -> dict[str, bytes]:
    """The bytes of everything that tells who people are and what is known of them."""
    release = ours.current_release()
    names = [
        *(release / "gold").iterdir(),
        *(release / "silver" / f"customer_{n}.csv" for n in ("identity", "profile_base")),
    ]
    return {path.name: path.read_bytes() for path in names}


@pytest.mark.parametrize("undone", ["decided the other way", "withdrawn"])
def test_an_unmerge_restores_every_byte(undone: str, ours: Workspace) -> None:
    """A wrong must_link joins two people, a later cannot_link or its withdrawal parts them; the ledger remembers."""
    first, people = known(ours), {row["profile_id"]: row for row in rows(ours, "customer_360", "gold")}
    one, other = strangers(ours)
    wrong = decision(f"{one}", f"{other}", "must_link", "2026-06-01")
    decide(ours, wrong)
    quick(ours)
    joined = {row["profile_id"]: row for row in rows(ours, "customer_360", "gold")}
    assert f"P-{other}" not in joined
    changed = {n for n, cell in joined[f"P-{one}"].items() if cell != people[f"P-{one}"][n]}
    assert {"lifetime_value_cents", "consent_marketing"} <= changed
    assert [("merge", f"P-{other}", f"P-{one}")] == [event[:3] for event in told(ours)]
    assert ["steward_must_link"] == [row["match_rule"] for row in rows(ours, "identity_events")]

    decide(ours, *([wrong, decision(other, one, "cannot_link", "2026-06-02")] if undone.startswith("decided") else []))
    quick(ours)
    assert first == known(ours)
    count = told(ours)[0][3]
    expected = [("merge", f"P-{other}", f"P-{one}", count), ("split", f"P-{one}", f"P-{other}", count)]
    assert expected == told(ours)


def test_a_first_release_has_no_history_and_no_churn(unbuilt: Workspace) -> None:
    """Nothing stood before."""
    assert churn(quick(unbuilt)) is None
    assert [] == told(unbuilt)
    assert unbuilt.manifest()["predecessor"] is None


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_the_same_inputs_are_the_same_release_again(suffix: str, ours: Workspace) -> None:
    """On any engine and any number of times, though a release stands before it; churn is measured again the same."""
    one, other = strangers(ours)
    decide(ours, decision(one, other, "must_link"))
    second = quick(ours, suffix=suffix)
    files = ours.manifest()["files"]
    profiles = len({row["profile_id"] for row in rows(ours, "customer_identity")}) + 1
    assert (f"{1 / profiles:.6f}", "info") == churn(second)
    for engine in ("duckdb", "polars"):
        again = build(ours, engine, suffix=suffix)
        assert (second.release, churn(second)) == (again.release, churn(again))
        assert files == ours.manifest()["files"]
    assert [] == ours.verify()
    assert 2 == len(list(ours.releases.iterdir()))


def test_back_and_forth_is_remembered(ours: Workspace) -> None:
    """Inputs that come back make another release than the first time, because more has happened."""
    first = ours.current()
    one, other = strangers(ours)
    for _ in range(3):
        decide(ours, decision(one, other, "must_link"))
        quick(ours)
        ours.steward_file.unlink()
        last = quick(ours)
    assert first != last.release
    assert ["merge", "split"] * 3 == [row["event_type"] for row in rows(ours, "identity_events")]
    assert ["1", "2", "3", "4", "5", "6"] == [row["step"] for row in rows(ours, "identity_events")]


def test_a_release_that_was_not_published_is_not_followed(ours: Workspace) -> None:
    """A build that fails leaves no trace in the history."""
    one, other = strangers(ours)
    whole = ours.raw_file("consent_events").read_bytes()
    decide(ours, decision(one, other, "must_link"))
    inject(ours.raw, ["consent_of_nobody"])
    failed = build(ours, "polars")
    assert failed.kept is not None
    assert (failed.release, failed.kept) == (build(ours, "polars").release, failed.kept)
    ours.raw_file("consent_events").write_bytes(whole)
    ours.steward_file.unlink()
    assert quick(ours).release == ours.current()
    assert [] == told(ours)


def test_reset_forgets(ours: Workspace) -> None:
    """The first release after it is the first release ever."""
    first = ours.current()
    one, other = strangers(ours)
    decide(ours, decision(one, other, "must_link"))
    quick(ours)
    ours.reset()
    ours.steward_file.unlink()
    ours.generated.write(generate(150, 5), {})
    assert first == quick(ours).release
    assert [] == told(ours)


@pytest.mark.parametrize("damage", ["identity", "ledger", "manifest", "folder"])
def test_a_damaged_release_is_passed_over(damage: str, ours: Workspace) -> None:
    """The one before it is followed: what can be trusted of the history is carried on."""
    one, other = strangers(ours)
    decide(ours, decision(one, other, "must_link"))
    second = quick(ours).release
    release = ours.current_release()
    names = {"identity": "silver/customer_identity.csv", "ledger": "silver/identity_events.csv"}
    path = release / names.get(damage, "manifest.json")
    path.chmod(0o600)
    path.write_bytes(b"" if damage == "manifest" else path.read_bytes().replace(other.encode(), b"crm:x"))
    if damage == "folder":
        remove_tree(release)
    assert second == quick(ours).release
    assert [("merge", f"P-{other}", f"P-{one}")] == [event[:3] for event in told(ours)]
    assert [] == ours.verify()


def test_a_predecessor_that_is_gone_ends_nothing(ours: Workspace) -> None:
    """Where the release that was followed is no longer there, the published one is: its ledger goes on."""
    first = ours.current()
    one, other = strangers(ours)
    decide(ours, decision(one, other, "must_link"))
    second = quick(ours).release
    remove_tree(ours.releases / first)
    before_ = told(ours)
    third = quick(ours)
    assert second != third.release
    assert before_ == told(ours)
    assert ("0", "info") == churn(third)


def test_an_erasure_hides_the_old_id(ours: Workspace) -> None:
    """Who was an anchor and is erased is in no file above bronze, the ledger included."""
    identity = rows(ours, "customer_identity")
    sizes = members({row["record_id"]: row["profile_id"] for row in identity})
    profile = next(p for p, accounts in sorted(sizes.items()) if len(accounts) == 2)
    alone = next(p for p, accounts in sorted(sizes.items()) if len(accounts) == 1)
    with ours.raw_file("erasure_requests").open("a", encoding="utf-8") as stream:
        for n, record in enumerate((profile[2:], alone[2:])):
            stream.write(f"2026-06-29T00:00:00Z,2026-06-29T00:00:00Z,r{n},{record.replace(':', ',')}\n")
    result = quick(ours)
    [next_one] = sizes[profile] - {profile[2:]}
    assert {("move", f"P-{next_one}", "1"), ("retire", "", "1")} == {(e[0], e[2], e[3]) for e in told(ours)}
    assert {"erased-1", "erased-2"} == {event[1] for event in told(ours)}
    assert (f"{2 / len(sizes):.6f}", "info") == churn(result)
    for layer in ("silver", "gold"):
        for path in (ours.current_release() / layer).iterdir():
            if path.stem != "erasure_requests":
                assert profile[2:] not in path.read_text("utf-8"), path.name


def test_explain_says_where_a_profile_went(ours: Workspace) -> None:
    """An id that a merge made vanish leads to the profile that its accounts are in; an unknown id to none."""
    one, other = strangers(ours)
    decide(ours, decision(one, other, "must_link"))
    quick(ours)
    text = explain.explain(ours.root, f"P-{other}")
    assert f"merge: P-{other}, " in text
    assert f"to P-{one}, by steward_must_link" in text
    assert text.endswith(f"today they are in P-{one}")
    assert f"P-{one}, release" in explain.explain(ours.root, f"P-{one}")
    with pytest.raises(UsageError, match="no such profile"):
        explain.explain(ours.root, "P-nobody")


def test_only_the_release_that_was_published_last_is_followed(unbuilt: Workspace) -> None:
    """Ledger and accounts come from it, with a hash that another content would change."""
    assert predecessor.Predecessor() == predecessor.find(unbuilt, "x")
    quick(unbuilt)
    first = predecessor.find(unbuilt, "x")
    assert (unbuilt.current(), len(rows(unbuilt, "customer_identity"))) == (first.release, len(first.profiles))
    assert predecessor.Predecessor() == predecessor.find(unbuilt, unbuilt.manifest()["inputs_sha256"])
    one, other = strangers(unbuilt)
    decide(unbuilt, decision(one, other, "must_link"))
    quick(unbuilt)
    second = predecessor.find(unbuilt, "x")
    assert (unbuilt.current(), 1) == (second.release, len(second.events))
    assert first == predecessor.find(unbuilt, unbuilt.manifest()["inputs_sha256"])
    assert first.sha256 != second.sha256


# --- ids stay ---------------------------------------------------------------------------------------------------------
def added(ours: Workspace) -> None:
    """New accounts that match people who are there, and people who are not."""
    with ours.raw_file("customers").open(encoding="utf-8") as stream:
        header, *lines = stream.read().splitlines()
    at = {name: n for n, name in enumerate(header.split(","))}
    for number, line in enumerate(lines[:60]):
        cells = line.split(",")
        for name, cell in (("source_system", "extra"), ("customer_id", f"n{number}"), ("lsn", "1"), ("op", "c")):
            cells[at[name]] = cell
        cells[at["event_ts"]] = cells[at["ingest_ts"]] = "2026-06-30T01:00:00Z"
        if number % 3 == 0:
            cells[at["last_name"]], cells[at["email"]], cells[at["phone"]] = f"Newman{number}", f"n{number}@x.y", ""
        lines.append(",".join(cells))
    ours.raw_file("customers").write_text("\n".join([header, *lines, ""]), "utf-8")


def shuffled(ours: Workspace) -> None:
    """Every file in another order."""
    for path in ours.raw.iterdir():
        header, *lines = path.read_bytes().splitlines(keepends=True)
        random.Random(3).shuffle(lines)
        path.write_bytes(b"".join([header, *lines]))


def parted(ours: Workspace) -> None:
    """A steward parts accounts that a rule joined."""
    edges = [row for row in rows(ours, "identity_edges") if row["is_bridge"] == "true"]
    decide(ours, *(decision(e["left_record_id"], e["right_record_id"], "cannot_link") for e in edges[:10]))


@pytest.mark.parametrize(("change", "most"), [(added, 0.0), (shuffled, 0.0), (parted, 0.0)])
def test_no_id_is_lost(change: Callable[[Workspace], None], most: float, ours: Workspace) -> None:
    """By newer accounts, another order of rows or a split: every profile of before is there and holds its account."""
    was = {row["profile_id"] for row in rows(ours, "customer_identity")}
    change(ours)
    result = quick(ours)
    identity = {row["record_id"]: row["profile_id"] for row in rows(ours, "customer_identity")}
    assert [] == [profile for profile in was if identity[profile[2:]] != profile]
    assert (f"{most:.0f}", "info") == churn(result)
    assert {"split"} >= {event[0] for event in told(ours)}
    assert (change is parted) == bool(told(ours))


def test_another_model_keeps_the_ids(ours: Workspace) -> None:
    """A model that weighs every agreement less links fewer pairs; no id is lost or passed on, and churn says so."""
    pytest.importorskip("splink")
    ours.reset()
    ours.generated.write(generate(150, 361), {})
    quick(ours, identity="probabilistic")
    was = {row["record_id"]: row["profile_id"] for row in rows(ours, "customer_identity")}
    model = read_json(ours.current_release() / "identity" / "model.json")
    for level in (level for part in model["settings"]["comparisons"] for level in part["comparison_levels"][1:-1]):
        level["u_probability"] = min(1.0, 16 * level["u_probability"])
    saved = ours.data / "models" / "identity.json"
    write_json(saved, model)
    result = quick(ours, identity="probabilistic")
    now = {row["record_id"]: row["profile_id"] for row in rows(ours, "customer_identity")}
    assert [] == [profile for profile in set(now.values()) if now[profile[2:]] != profile]
    assert [(kind, old, new or "", str(count)) for kind, old, new, count in plainly(was, now)] == told(ours)
    assert {"split"} == {event[0] for event in told(ours)}
    assert set() == set(was.values()) - set(now.values())
    assert ("0", "info") == churn(result)
    again = quick(ours, identity="probabilistic")
    assert (result.release, churn(result)) == (again.release, churn(again))
