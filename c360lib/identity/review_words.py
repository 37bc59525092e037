"""What speaks for and against a pair of accounts, in words that a data steward understands.

An account here is a row as `review.records` gives it: values as they stand, and the keys that they are compared by.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from c360lib.identity.clusters import MODEL, STEWARD
from c360lib.rules import (
    CONTRADICTION_BELOW_MILLIBITS,
    MATCH_RULES,
    MAX_CLUSTER_ACCOUNTS,
    MODEL_LINK_WEIGHT_MILLIBITS,
    PERSONAL_COMPARISONS,
)
from c360lib.sources import cells

Account = Mapping[str, Any]


class Subject(NamedTuple):
    """Something two accounts are compared by: the comparison's name, what a person calls it, its value, its key."""

    name: str
    label: str
    value: str
    key: str


SUBJECTS = (
    Subject("first_name", "first name", "first_name", "first_name_key"),
    Subject("last_name", "last name", "last_name", "last_name_key"),
    Subject("date_of_birth", "date of birth", "date_of_birth", "date_of_birth"),
    Subject("email", "e-mail", "email", "email_key"),
    Subject("phone", "phone", "phone", "phone_key"),
    Subject("loyalty", "loyalty id", "loyalty_id", "loyalty_key"),
    Subject("street", "street", "street", "street_key"),
    Subject("city", "city", "city", "city"),
    Subject("postcode", "postcode", "postcode", "postcode"),
)
CONSTRAINTS = {
    "cannot_link": "that would bring together two accounts that a steward has kept apart",
    "two_birth_dates": "together they would hold two dates of birth, and only a steward may join those",
    "cluster_too_large": f"together they would be more than {MAX_CLUSTER_ACCOUNTS} accounts",
}
_TYPED_WRONG = {1: "one typed character", 2: "two typed characters"}
_BITS = re.compile(r"(\w+) ([+-][0-9]+\.[0-9])")


def typed_wrong(one: str, other: str, most: int = 2) -> int | None:
    """The fewest typing errors (a character more, less or other, two neighbours swapped) between texts; None: more
    than `most`.

    >>> typed_wrong("19870203", "19870213"), typed_wrong("meyer", "emyers"), typed_wrong("anna", "bert")
    (1, 2, None)
    """
    if one == other:
        return 0
    if most == 0:
        return None
    same = next((n for n, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
    one, other = one[same:], other[same:]
    rest = [(one[1:], other[1:]), (one[1:], other), (one, other[1:])]
    if len(one) > 1 and one[:2] == other[1::-1]:
        rest.append((one[2:], other[2:]))
    found = [n for pair in rest if (n := typed_wrong(*pair, most - 1)) is not None]
    return 1 + min(found) if found else None


def evidence(left: Account, right: Account, findings: str | None) -> str:
    """What comparing the accounts finds, with the bits that the model's `findings` give it (+ for, - against)."""
    bits = weighed(findings)
    parts = []
    for subject in SUBJECTS:
        found = _compared(subject, left, right)
        if found and subject.name in bits:
            found += f" ({bits[subject.name]:+.1f} bits)"
        parts += [found] if found else []
    return "; ".join(parts) or "nothing to compare"


def weighed(findings: str | None) -> dict[str, float]:
    """Bits by comparison, from the model's text.

    >>> weighed("first_name +8.1 email -4.1")
    {'first_name': 8.1, 'email': -4.1}
    """
    return {name: float(bits) for name, bits in _BITS.findall(findings or "")}


def _compared(subject: Subject, left: Account, right: Account) -> str:
    """The finding for one subject; empty where neither account tells it."""
    one, other = _key(left, subject), _key(right, subject)
    if one is None or other is None:
        return "" if one == other else f"{subject.label} on one side only"
    if one == other:
        written = "" if left[subject.value] == right[subject.value] else ", written differently"
        return f"same {subject.label}{written}"
    if subject.name in ("first_name", "last_name") and _are_names_swapped(left, right):
        return f"{subject.label} is the other's {'last' if subject.name == 'first_name' else 'first'} name"
    errors = typed_wrong(one, other)
    return f"different {subject.label}" if errors is None else f"{subject.label} differs by {_TYPED_WRONG[errors]}"


def _key(account: Account, subject: Subject) -> str | None:
    """What is compared, as text; null where the account does not tell it."""
    value = account[subject.key]
    if value is None:
        return None
    if subject.name == "date_of_birth":
        return (datetime.date(1970, 1, 1) + datetime.timedelta(days=value)).strftime("%Y%m%d")
    folded = cells.fold(value)
    return folded.replace(" ", "") if subject.name == "postcode" else folded


def _are_names_swapped(left: Account, right: Account) -> bool:
    first, last = "first_name_key", "last_name_key"
    return bool(left[first] == right[last] and left[last] == right[first])


def question(rule: int, reason: str, millibits: int | None, findings: str | None) -> str:
    """Why a person must look at the pair."""
    if reason != "unsure":
        return f"{_claim(rule, millibits)}, but {CONSTRAINTS[reason]}"
    weight, enough = _bits(millibits), _bits(MODEL_LINK_WEIGHT_MILLIBITS)
    if (millibits or 0) < MODEL_LINK_WEIGHT_MILLIBITS:
        return f"the model weighs them at {weight} bits, and links without being asked from {enough}"
    against = ", ".join(_against(weighed(findings))) or "something personal"
    return f"the model weighs them at {weight} bits, enough to link, but speaking against it: {against}"


def _bits(millibits: int | None) -> str:
    return f"{(millibits or 0) / 1000:+.1f}"


def _against(bits: Mapping[str, float]) -> Iterator[str]:
    """Personal comparisons that count against the pair so much that the model does not link it."""
    for subject in SUBJECTS:
        if subject.name in PERSONAL_COMPARISONS and bits.get(subject.name, 0) <= CONTRADICTION_BELOW_MILLIBITS / 1000:
            yield subject.label


def _claim(rule: int, millibits: int | None) -> str:
    """What says that the two are one."""
    if rule == STEWARD:
        return "a steward has linked them"
    if rule == MODEL:
        return f"the model would link them at {_bits(millibits)} bits"
    labels = {subject.key: subject.label for subject in SUBJECTS}
    *first, last = (labels[column] for column in MATCH_RULES[rule].columns)
    return f"the rule {MATCH_RULES[rule].name} would link them (same {', '.join(first)} and {last})"
