"""The one closure: which rows can change what becomes of some accounts, so that LAYERS on them alone are right.

Rows are tied by what they name: an account, an entity that several accounts may have named, an identity key, a device,
the e-mail that a ticket came from; accounts also by a steward, by published evidence and by the profile that they were
in. A tie that is blocked (a key or device of too many) ties nothing. Everything that a chain of ties reaches is in.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from c360lib.rules import MATCH_RULES
from c360lib.schemas import RAW

DEVICE = "device"
Ints = npt.NDArray[np.int64]


def reachable(
    rows: Mapping[str, pa.Table],
    accounts: Iterable[str],
    blocked: Collection[tuple[str, str]] = (),
    pairs: Iterable[tuple[str, str]] = (),
    profiles: Iterable[tuple[str, str]] = (),
) -> dict[str, pa.Table]:
    """The rows of each raw source, typed, that what becomes of the accounts (record_ids) can depend on.

    `blocked` are (kind, key) as in blocked_keys; `pairs` are accounts that a steward decided about or evidence ties;
    `profiles` are (record_id, profile_id), who was with whom.
    """
    links = _Links(rows)
    named = {name: table["record_id"] for name, table in rows.items()}
    ties = links.beside([*pairs]), links.beside([*profiles])
    account = links.tie([*named.items(), ("pairs", ties[0][0]), ("pairs", ties[0][1]), ("profiles", ties[1][0])])
    links.tie([("profiles", ties[1][1])])
    for name, table in rows.items():
        if name != "customers":
            links.tie([(name, _key(table, RAW[name].entity))])
    customers, tickets = rows["customers"], rows["support_tickets"]
    for rule in MATCH_RULES:
        links.tie([("customers", _unblocked(_key(customers, rule.columns, "|"), rule.name, blocked))])
    links.tie([("clickstream", _unblocked(rows["clickstream"]["anonymous_id"], DEVICE, blocked))])
    links.tie([("support_tickets", tickets["email_key"]), ("customers", customers["email_key"])], only_with=0)
    return links.reached(account, accounts)


def _key(table: pa.Table, columns: Iterable[str], bar: str = "\x1f") -> Any:
    """Columns of rows as one text; null where one of them is."""
    return pc.binary_join_element_wise(*(table[name].cast(pa.string()) for name in columns), bar)


def _unblocked(keys: Any, kind: str, blocked: Collection[tuple[str, str]]) -> Any:
    ignored = pa.array(sorted(key for of, key in blocked if of == kind), pa.string())
    return pc.if_else(pc.is_in(keys, ignored), pa.scalar(None, pa.string()), keys)


class _Links:
    """Rows by number, source after source, and the ties that they hold, by number too."""

    def __init__(self, rows: Mapping[str, pa.Table]) -> None:
        self._rows = rows
        self._first: dict[str, int] = {}
        self._count = self._ties = 0
        self._links: list[tuple[Ints, Ints]] = []
        for name, table in rows.items():
            self._place(name, len(table))

    def _place(self, name: str, count: int) -> None:
        self._first[name], self._count = self._count, self._count + count

    def beside(self, pairs: list[tuple[str, str]]) -> tuple[Any, Any]:
        """Pairs as rows beside those of the sources: both ends, to be tied."""
        self._place("pairs" if "pairs" not in self._first else "profiles", len(pairs))
        left, right = (pa.chunked_array([[pair[end] for pair in pairs]], pa.string()) for end in (0, 1))
        return left, right

    def tie(self, columns: list[tuple[str, Any]], only_with: int | None = None) -> tuple[int, pa.Array]:
        """Tie rows that hold the same text, in one column or several; gives the first tie's number and all texts.

        `only_with`: a text that this one of the columns does not hold ties nothing.
        """
        coded = pa.chunked_array([chunk for _, texts in columns for chunk in texts.chunks], pa.string())
        coded = coded.dictionary_encode()
        known = coded.chunks[-1].dictionary if coded.chunks else pa.array([], pa.string())
        number = pa.concat_arrays([pa.array([], pa.int32()), *(chunk.indices for chunk in coded.chunks)])
        row = np.concatenate([np.arange(len(texts)) + self._first[name] for name, texts in columns])
        held = np.flatnonzero(np.asarray(pc.is_valid(number)))
        at = number.to_numpy(zero_copy_only=False)[held].astype(np.int64)
        if only_with is not None:
            first = self._first[columns[only_with][0]]
            theirs = np.unique(at[(row[held] >= first) & (row[held] < first + len(columns[only_with][1]))])
            held, at = held[np.isin(at, theirs)], at[np.isin(at, theirs)]
        self._links.append((row[held], at + self._ties))
        self._ties += len(known)
        return self._ties - len(known), known

    def reached(self, account: tuple[int, pa.Array], accounts: Iterable[str]) -> dict[str, pa.Table]:
        """The rows of each source that a chain of ties reaches from the accounts."""
        row, tie = (np.concatenate([link[end] for link in self._links]) for end in (0, 1))
        is_in, is_held = np.zeros(self._count, bool), np.zeros(self._ties, bool)
        first, known = account
        seeds = pc.is_in(known, pa.array(sorted(accounts), pa.string()))
        is_held[first : first + len(known)] = np.asarray(seeds)
        count = -1
        while count != (count := int(is_in.sum()) + int(is_held.sum())):
            is_in[row[is_held[tie]]] = True
            is_held[tie[is_in[row]]] = True
        return {
            name: table.filter(pa.array(is_in[self._first[name] : self._first[name] + len(table)]))
            for name, table in self._rows.items()
        }
