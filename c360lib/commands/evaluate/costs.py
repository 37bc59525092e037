"""What wrong merges cost: the marts as identity was resolved, beside those that the true clustering gives.

A *part* is the accounts of one person in one profile. A profile with parts of two or more persons is a bad merge; a
person with parts in two or more profiles is a missed merge. Parts in a bad merge are counted there only.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from c360lib.identity.clusters import STEWARD

SCORES = ("churn_risk", "segment", "value_tier")


class Marts(NamedTuple):
    """What one clustering gives, Arrow tables.

    - accounts: (record_id, profile_id, is_deleted)
    - customers: (profile_id, churn_risk, segment, value_tier), profiles with a live account
    - candidates: (profile_id, purpose, channel, eligible, identifier), the same profiles
    """

    accounts: pa.Table
    customers: pa.Table
    candidates: pa.Table


class Cost(NamedTuple):
    """What one bad merge (`name` is the profile) or missed merge (`name` is the true profile) costs.

    `moved_cents`: lifetime value of the accounts that are not with the most (of the main person, or profile). The rest
    counts for each person with a live account in the profile, against the person's true profile. `opened`: purposes and
    channels that may be contacted though the person's own consent does not allow it; `closed`: that may not though it
    does; `redirected`: that may either way, but at an identifier that is not the person's own (bad merges only). Then
    the persons whose churn_risk, segment or value_tier is another one.
    """

    name: str
    parts: int
    accounts: int
    moved_cents: int
    opened: int
    closed: int
    redirected: int
    churn_risk: int
    segment: int
    value_tier: int


MEASURES = Cost._fields[3:]


def true_clusters(accounts: pa.Table, person_of: Mapping[str, str]) -> pa.Table:
    """The table of the layer `clusters` that the truth gives, from accounts (node, record_id, first_event_ts)."""
    members: dict[str, list[tuple[int, str, int]]] = defaultdict(list)
    rows = (accounts[name].to_pylist() for name in ("first_event_ts", "record_id", "node"))
    for first, record_id, node in zip(*rows, strict=True):
        members[person_of[record_id]].append((first, record_id, node))
    found = [(node, min(group)[2]) for group in members.values() if len(group) > 1 for _, _, node in group]
    nodes, persons = ([row[end] for row in found] for end in (0, 1))
    return pa.table(
        {
            "node": pa.array(nodes, pa.int64()),
            "person": pa.array(persons, pa.int64()),
            "rule": pa.array([STEWARD] * len(found), pa.int64()),
            "probability": pa.array([1.0] * len(found), pa.float64()),
        }
    )


def whole_truth(profile_of: Mapping[str, str], known: Mapping[str, str]) -> dict[str, str]:
    """The person of every account. One that the truth does not name goes with most of its profile, so it costs nothing.

    >>> whole_truth({"a": "P-a", "b": "P-a", "c": "P-c"}, {"a": "ada"})
    {'a': 'ada', 'b': 'ada', 'c': 'P-c'}
    """
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for record_id, profile in profile_of.items():
        if record_id in known:
            counts[profile][known[record_id]] += 1
    main = {profile: _most(found) for profile, found in counts.items()}
    return {record_id: known.get(record_id, main.get(profile, profile)) for record_id, profile in profile_of.items()}


def _most(counts: Mapping[str, int]) -> str:
    """The name with the highest count, the smaller name on a tie."""
    return min(counts, key=lambda name: (-counts[name], name))


def costs(resolved: Marts, true: Marts, cents_of: Mapping[str, int]) -> tuple[list[Cost], list[Cost]]:
    """Bad merges and missed merges, each in the order of its name.

    `cents_of` is the lifetime value that each account brings, by record_id.
    """
    accounts = list(_joined(resolved.accounts, true.accounts))
    persons, profiles = defaultdict[str, set[str]](set), defaultdict[str, set[str]](set)
    for _, profile, person, _ in accounts:
        persons[profile].add(person)
        profiles[person].add(profile)
    mixed = {profile for profile, found in persons.items() if len(found) > 1}
    torn = {person for person, found in profiles.items() if len(found) > 1}
    touched = [row for row in accounts if row[1] in mixed or row[2] in torn]
    live = {(profile, person) for _, profile, person, is_deleted in touched if not is_deleted}
    wrong = _Wrong(resolved, true, {profile for profile, _ in live}, {person for _, person in live})
    bad = [wrong.cost(name, rows, 2, live, cents_of) for name, rows in _groups(touched, 1, mixed)]
    apart = {part for part in live if part[0] not in mixed}
    missed = [wrong.cost(name, rows, 1, apart, cents_of) for name, rows in _groups(touched, 2, torn)]
    return bad, missed


Row = tuple[str, str, str, bool]


def _joined(resolved: pa.Table, true: pa.Table) -> Iterator[Row]:
    """Accounts with their profile, their true profile and whether they are deleted."""
    home = dict(zip(true["record_id"].to_pylist(), true["profile_id"].to_pylist(), strict=True))
    rows = (resolved[name].to_pylist() for name in ("record_id", "profile_id", "is_deleted"))
    for record_id, profile, is_deleted in sorted(zip(*rows, strict=True)):
        yield record_id, profile, home[record_id], is_deleted


def _groups(rows: Iterable[Row], end: int, names: set[str]) -> Iterator[tuple[str, list[Row]]]:
    """The rows of each of these profiles (`end` 1) or persons (`end` 2), by name."""
    found: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        if row[end] in names:
            found[str(row[end])].append(row)
    yield from sorted(found.items())


class _Wrong:
    """Rows of the marts of profiles that hold a wrong merge, and of the true profiles of their accounts."""

    def __init__(self, resolved: Marts, true: Marts, profiles: set[str], persons: set[str]) -> None:
        self.scores, self.doors = _scores(resolved.customers, profiles), _doors(resolved.candidates, profiles)
        self.true_scores, self.true_doors = _scores(true.customers, persons), _doors(true.candidates, persons)

    def cost(
        self, name: str, rows: list[Row], other: int, live: set[tuple[str, str]], cents_of: Mapping[str, int]
    ) -> Cost:
        """The cost of one group of accounts; `other` is the place in a row of what should be one and is not."""
        counts = Counter(str(row[other]) for row in rows)
        main = _most(counts)
        moved = sum(cents_of.get(row[0], 0) for row in rows if row[other] != main)
        total = Counter[str]()
        for part in sorted({(row[1], row[2]) for row in rows} & live):
            total.update(self._of_part(*part))
        if other == 1:
            total["redirected"] = 0
        return Cost(name, len(counts), len(rows), moved, *(total[measure] for measure in MEASURES[1:]))

    def _of_part(self, profile: str, person: str) -> Iterator[str]:
        """The name of a measure for each thing that is wrong with a person in a profile."""
        for door, (is_open, identifier) in self.doors[profile].items():
            should, own = self.true_doors[person][door]
            if is_open != should:
                yield "opened" if is_open else "closed"
            elif is_open and identifier != own:
                yield "redirected"
        for name, got, expected in zip(SCORES, self.scores[profile], self.true_scores[person], strict=True):
            if got != expected:
                yield name


def _scores(customers: pa.Table, profiles: set[str]) -> dict[str, tuple[str, ...]]:
    rows = _columns(customers, profiles, ("profile_id", *SCORES))
    return {name: tuple(values) for name, *values in rows}


def _doors(candidates: pa.Table, profiles: set[str]) -> dict[str, dict[tuple[str, str], tuple[bool, str | None]]]:
    found: dict[str, dict[tuple[str, str], tuple[bool, str | None]]] = defaultdict(dict)
    rows = _columns(candidates, profiles, ("profile_id", "purpose", "channel", "eligible", "identifier"))
    for profile, purpose, channel, is_open, identifier in rows:
        found[profile][purpose, channel] = (is_open, identifier or None)
    return found


def _columns(rows: pa.Table, profiles: set[str], names: tuple[str, ...]) -> Iterator[tuple[Any, ...]]:
    """These columns of the rows of these profiles."""
    chosen = rows.filter(pc.is_in(rows["profile_id"], pa.array(sorted(profiles), pa.string())))
    return zip(*(chosen[name].to_pylist() for name in names), strict=True)
