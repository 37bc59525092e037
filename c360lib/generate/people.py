"""Who the people are: names, homes, what they share with the person next door, and what changes in their lives.

Person numbers come in groups of `GROUP`. The first two of a group may be a pair that is hard to tell apart; the rest
are strangers. A person depends on the seed, the span of history and the numbers of the group, and on nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from c360lib.generate.draws import Draws, Flags, Ints
from c360lib.generate.names import FIRST_NAMES, SURNAMES
from c360lib.generate.texts import SECONDS_PER_DAY

GROUP = 4
NEVER = 1 << 60

# Kinds of group, per ten thousand groups. A pair is two people of four, so 500 here is 2.5 % of people.
KINDS = ("strangers", "family", "twins", "parent_child", "household", "recycled_phone", "key_typo")
KIND_RATES = (5_900, 1_500, 500, 500, 600, 400, 600)
STRANGERS, FAMILY, TWINS, PARENT_CHILD, HOUSEHOLD, RECYCLED_PHONE, KEY_TYPO = range(len(KINDS))
SHARE_A_HOME = (FAMILY, TWINS, PARENT_CHILD, HOUSEHOLD)
SHARE_A_KEY = (PARENT_CHILD, HOUSEHOLD)

# What happens to people, per ten thousand.
MOVES, CHANGES_EMAIL, CHANGES_PHONE, HAS_LOYALTY_CARD, DOUBLE_SURNAME = 2_200, 1_400, 1_400, 4_500, 600

YOUNGEST_DAYS, AGE_RANGE_DAYS, CHILD_AGE_RANGE_DAYS = 18 * 365, 23_000, 12_000
PARENT_GAP_DAYS, PARENT_GAP_RANGE_DAYS = 22 * 365, 18 * 365

# More people joined lately than long ago: weights of equal slices of the span, oldest first.
JOINED = (6, 6, 7, 7, 8, 8, 9, 10, 11, 12, 13, 14)
# Mean days between two orders, how many people have it, and how long they stay before they silently leave.
PACES_DAYS, PACE_WEIGHTS = (400, 200, 100, 50, 25), (37, 31, 19, 9, 4)
STAYS_DAYS, STAY_WEIGHTS = (30, 90, 180, 360, 720, 36_000), (10, 12, 13, 15, 15, 35)


@dataclass(frozen=True)
class Span:
    """History, in seconds since 1970: nothing happens before `start` or after `end`."""

    start: int
    end: int

    @property
    def last_day(self) -> int:
        """Days since 1970 of the last day."""
        return self.end // SECONDS_PER_DAY


@dataclass(frozen=True)
class People:
    """One entry for each person, in order of `number`; times are seconds, NEVER where it does not happen.

    `home`, `mailbox` and `line` are the number of the person whose address, e-mail and phone the person uses.
    """

    seed: int
    number: Ints
    kind: Ints
    is_paired: Flags
    first: Ints
    last: Ints
    second_last: Ints
    born: Ints
    home: Ints
    mailbox: Ints
    line: Ints
    has_card: Flags
    joined: Ints
    left: Ints
    moved: Ints
    email_changed: Ints
    phone_changed: Ints
    pace: Ints

    def row(self, number: Ints) -> Ints:
        """Where these person numbers stand; they must be of this block."""
        return np.asarray(number - self.number[0])


def skewed(size: int) -> Ints:
    """Weights that fall slowly: the first is about five times as common as the four-hundredth.

    >>> skewed(3).tolist()
    [10000, 9900, 9803]
    """
    rank = np.arange(size, dtype=np.int64)
    return np.asarray(1_000_000 // (rank + 100), dtype=np.int64)


def population(seed: int, first: int, count: int, span: Span) -> People:
    """People `first` to `first + count - 1`; both must be multiples of GROUP."""
    number = np.arange(first, first + count, dtype=np.int64)
    leader, member = number - number % GROUP, number % GROUP
    kind = Draws(seed, leader).pick("kind of group", KIND_RATES)
    is_paired = (member < 2) & (kind != STRANGERS)
    second = is_paired & (member == 1)
    home = np.where(second & np.isin(kind, SHARE_A_HOME), leader, number)
    mailbox, line = _shared_keys(seed, number, kind, second)
    joined = _joined(seed, number, span)
    own = Draws(seed, number)
    return People(
        seed=seed,
        number=number,
        kind=kind,
        is_paired=is_paired,
        first=_first_names(seed, number, kind, second),
        last=Draws(seed, home).pick("surname", skewed(len(SURNAMES))),
        second_last=_second_surnames(seed, home),
        born=_births(seed, number, kind, is_paired, span),
        home=home,
        mailbox=mailbox,
        line=line,
        has_card=own.chance("has a card", HAS_LOYALTY_CARD),
        joined=joined,
        left=joined + own.wait("stays", np.array(STAYS_DAYS)[own.pick("stay", STAY_WEIGHTS)] * SECONDS_PER_DAY),
        moved=_life_event(own, "moves", MOVES, span),
        email_changed=np.where(mailbox == number, _life_event(own, "changes e-mail", CHANGES_EMAIL, span), NEVER),
        phone_changed=_phone_changes(own, number == line, is_paired & ~second & (kind == RECYCLED_PHONE), span),
        pace=own.pick("pace", PACE_WEIGHTS),
    )


def _shared_keys(seed: int, number: Ints, kind: Ints, second: Flags) -> tuple[Ints, Ints]:
    """Whose e-mail and whose phone each person uses: the second of some pairs uses the first one's."""
    leader = number - number % GROUP
    shares = second & np.isin(kind, SHARE_A_KEY)
    is_email = Draws(seed, leader).chance("share an e-mail", 5_000)
    has_old_line = second & (kind == RECYCLED_PHONE)
    return np.where(shares & is_email, leader, number), np.where((shares & ~is_email) | has_old_line, leader, number)


def _first_names(seed: int, number: Ints, kind: Ints, second: Flags) -> Ints:
    """Places in FIRST_NAMES: the child is called as the parent, the second twin never as the first."""
    names = len(FIRST_NAMES)
    leader = number - number % GROUP
    own = Draws(seed, number).pick("first name", skewed(names))
    leaders = Draws(seed, leader).pick("first name", skewed(names))
    other = (leaders + 1 + Draws(seed, leader).below("other first name", names - 1)) % names
    return np.where(second & (kind == TWINS), other, np.where(second & (kind == PARENT_CHILD), leaders, own))


def _second_surnames(seed: int, home: Ints) -> Ints:
    """The second half of a double surname, as an index into SURNAMES; -1 where there is none."""
    draws = Draws(seed, home)
    return np.where(draws.chance("double surname", DOUBLE_SURNAME), draws.below("second surname", len(SURNAMES)), -1)


def _births(seed: int, number: Ints, kind: Ints, is_paired: Flags, span: Span) -> Ints:
    """Days since 1970: twins share the day, a parent is 22 to 40 years older than the child."""
    group = Draws(seed, number - number % GROUP)
    youngest = span.last_day - YOUNGEST_DAYS
    own = youngest - Draws(seed, number).below("age", AGE_RANGE_DAYS)
    twins = youngest - group.below("age of twins", AGE_RANGE_DAYS)
    child = youngest - group.below("age of child", CHILD_AGE_RANGE_DAYS)
    parent = child - PARENT_GAP_DAYS - group.below("years between", PARENT_GAP_RANGE_DAYS)
    family = np.where(number % GROUP == 0, parent, child)
    return np.where(is_paired & (kind == TWINS), twins, np.where(is_paired & (kind == PARENT_CHILD), family, own))


def _joined(seed: int, number: Ints, span: Span) -> Ints:
    """When each person opens the first account: at least an hour after the start, a day before the end."""
    own = Draws(seed, number)
    room = span.end - span.start - SECONDS_PER_DAY - 3_600
    part = room // len(JOINED)
    return span.start + 3_600 + own.pick("quarter joined", JOINED) * part + own.below("second joined", part)


def _life_event(own: Draws, what: str, rate: int, span: Span) -> Ints:
    """When it happens, anywhere in the span; it may be before the person joins."""
    when = span.start + own.below(f"{what} when", span.end - span.start)
    return np.where(own.chance(what, rate), when, NEVER)


def _phone_changes(own: Draws, owns_line: Flags, gave_up: Flags, span: Span) -> Ints:
    """As _life_event; whoever gave up a number that somebody else now has surely changed it."""
    when = span.start + own.below("changes phone when", span.end - span.start)
    changes = gave_up | (owns_line & own.chance("changes phone", CHANGES_PHONE))
    return np.where(changes, when, NEVER)
