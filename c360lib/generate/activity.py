"""What people do: they order until they silently leave, and visit the site in the last half year."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from c360lib.generate import texts
from c360lib.generate.accounts import Accounts, account_cells, transaction
from c360lib.generate.arrival import Rows
from c360lib.generate.draws import Draws, Flags, Ints, scramble
from c360lib.generate.people import GROUP, NEVER, PACES_DAYS, SHARE_A_HOME, People, Span
from c360lib.generate.texts import SECONDS_PER_DAY, Text
from c360lib.rules import CURRENCY, SESSION_GAP_SECONDS

MOST_ORDERS, ORDER_STEPS = 56, 8
# What follows an order, per ten thousand, and how often the row is deleted at last.
PAID, CANCELLED, REFUNDED, STAYS_PLACED = 8_500, 500, 450, 550
ORDER_DELETED = 60
PLACED, ORDER_PAID, ORDER_CANCELLED, ORDER_REFUNDED = range(4)
ORDER_STATUSES = ("placed", "paid", "cancelled", "refunded")
# Typical amounts in cents, most common in the middle; a person's class scales them by percent.
AMOUNTS_CENTS = (
    490, 990, 1_290, 1_490, 1_990, 2_490, 2_990, 3_490, 3_990, 4_990, 5_990, 7_990, 9_990, 14_990, 24_900, 59_900,
)  # fmt: skip
AMOUNT_WEIGHTS = (4, 7, 8, 9, 11, 11, 10, 8, 8, 7, 5, 4, 3, 2, 2, 1)
PURSES_PERCENT, PURSE_WEIGHTS = (60, 100, 160, 350), (30, 45, 20, 5)

CLICK_DAYS = 180
MOST_VISITS, MOST_EVENTS = 40, 12
VISIT_GAP_PERCENT = 40
EVENT_WEIGHTS = (12, 18, 18, 15, 11, 8, 6, 4, 3, 2, 2, 1)
# Per ten thousand gaps inside a visit: exactly at the limit of a session, and one second past it.
GAP_AT_LIMIT, GAP_PAST_LIMIT = 40, 40
KNOWN_FROM = (0, 1, 2, 3, MOST_EVENTS)
KNOWN_WEIGHTS = (15, 25, 15, 10, 35)
DEVICES, HOUSEHOLD_DEVICE, NO_DEVICE = (60, 28, 12), 1_500, 60
DEVICE_SLOTS = 4
# Visits by hour of the day, UTC, from midnight.
HOURS = (14, 7, 4, 3, 3, 5, 12, 24, 36, 44, 48, 50, 54, 50, 46, 46, 50, 58, 68, 78, 84, 76, 58, 34)
PAGES = (
    ("page_view", "/"), ("page_view", "/sale"), ("page_view", "/new"), ("search", "/search"), ("page_view", "/help"),
    ("login", "/account"), ("add_to_cart", "/cart"), ("checkout", "/checkout"),
    *(("product_view", f"/p/{100 + 7 * place}") for place in range(60)),
)  # fmt: skip
PAGE_WEIGHTS = (60, 20, 15, 30, 8, 14, 22, 10, *(max(1, 12 - place // 4) for place in range(60)))
REFERRERS, REFERRER_WEIGHTS = ("", "search", "newsletter", "social", "affiliate"), (40, 30, 15, 10, 5)
ID_HALF, ID_DIGITS = 1_000_000, 12


@dataclass(frozen=True)
class World:
    """Everything that the rows of a block are made from."""

    seed: int
    span: Span
    people: People
    accounts: Accounts

    def draws(self, number: Ints) -> Draws:
        """Draws for numbered things of this world."""
        return Draws(self.seed, number)

    def account_at(self, person: Ints, thing: Ints, when: Ints) -> Ints:
        """One of the person's accounts for each numbered thing: the first one if the drawn one is not open yet.

        -1 where the account is deleted by then, or the person has none.
        """
        accounts = self.accounts
        slot = self.draws(thing).below("slot", (accounts.at[person] >= 0).sum(axis=1))
        drawn = accounts.at[person, slot]
        account = np.where(accounts.opened[drawn] <= when, drawn, accounts.at[person, 0])
        return np.where((account < 0) | (accounts.deleted[account] <= when), -1, account)

    def ids(self, letter: str, purpose: str, number: Ints) -> tuple[Text, Ints]:
        """Unique ids such as `E048817205518`, and the same as integers in the order of the text."""
        values = scramble(self.seed, purpose, number, ID_HALF)
        return texts.join(letter, texts.digits(values, ID_DIGITS)), values


def orders(world: World) -> Rows:
    """Rows of orders: placed, then paid, cancelled or refunded, or nothing more; a few are deleted."""
    person, number, account, placed = _placed_orders(world)
    draws = world.draws(number)
    outcome = draws.pick("outcome", (PAID, CANCELLED, REFUNDED, STAYS_PLACED))
    settled = placed + 30 + draws.wait("settles", SECONDS_PER_DAY // 4)
    refunded = settled + SECONDS_PER_DAY + draws.wait("refunds", 9 * SECONDS_PER_DAY)
    deleted = np.maximum(settled, refunded) + draws.wait("deletes", 20 * SECONDS_PER_DAY)
    times = np.stack(
        [
            placed,
            np.where(outcome == 3, NEVER, settled),
            np.where(outcome == 2, refunded, NEVER),
            np.where(draws.chance("order deleted", ORDER_DELETED), deleted, NEVER),
        ],
        axis=1,
    )
    order, step = np.nonzero(times <= world.span.end)
    after_placed = np.where(outcome == 1, ORDER_CANCELLED, ORDER_PAID)[order]
    status = np.select([step == 0, step == 1], [np.full(len(step), PLACED), after_placed], ORDER_REFUNDED)
    cents = _amounts(world, person, draws)[order]
    return _order_rows(world, number[order], account[order], step, status, times[order, step], placed[order], cents)


def _placed_orders(world: World) -> tuple[Ints, Ints, Ints, Ints]:
    """Person row, order number, account and second of each order: waits of the person's pace until they leave."""
    people, span = world.people, world.span
    grid = people.number[:, None] * 64 + np.arange(MOST_ORDERS)
    pace = np.array(PACES_DAYS)[people.pace][:, None] * SECONDS_PER_DAY
    waits = world.draws(grid).wait("orders again", pace) + world.draws(grid).below("order second", SECONDS_PER_DAY)
    waits[:, 0] //= 4  # who joins mostly comes to buy
    when = people.joined[:, None] + np.cumsum(waits, axis=1)
    person, turn = np.nonzero((when <= span.end) & (when <= people.left[:, None]))
    number, second = grid[person, turn], when[person, turn]
    account = world.account_at(person, number, second)
    kept = account >= 0
    return person[kept], number[kept], account[kept], second[kept]


def _amounts(world: World, person: Ints, draws: Draws) -> Ints:
    purse = world.draws(world.people.number).pick("purse", PURSE_WEIGHTS)[person]
    typical = np.array(AMOUNTS_CENTS)[draws.pick("amount", AMOUNT_WEIGHTS)]
    return np.asarray(typical * np.array(PURSES_PERCENT)[purse] // 100 + draws.below("cents", 500))


def _order_rows(
    world: World, number: Ints, account: Ints, step: Ints, status: Ints, when: Ints, placed: Ints, cents: Ints
) -> Rows:
    row = number * ORDER_STEPS + step
    draws = world.draws(row)
    order_id, place = world.ids("O", "order_id", number)
    lsn = 1_000 + world.draws(number).below("order lsn", 9_000) + step * 50 + draws.below("order lsn step", 50)
    cells = account_cells(world.accounts, account)
    values = {
        "customer_id": cells["customer_id"],
        "status": texts.choose(ORDER_STATUSES, status),
        "ordered_ts": texts.timestamp(placed),
        "currency": texts.same(CURRENCY, len(row)),
        "net_amount_cents": texts.number(cents),
    }
    is_delete = step == 3
    return Rows(
        source="orders",
        number=row,
        happened=when,
        event=when,
        ties=(lsn, place, world.accounts.system[account]),
        cells={
            "order_id": order_id,
            "op": texts.choose(("c", "u", "u", "d"), step),
            "lsn": texts.number(lsn),
            "tx_id": transaction(draws),
            "source_system": cells["source_system"],
            **{name: texts.where(is_delete, "", text) for name, text in values.items()},
        },
    )


def clickstream(world: World) -> Rows:
    """Rows of clickstream: visits of one device, anonymous at first, then (mostly) naming the account."""
    person, visit, started = _visits(world)
    count = 1 + world.draws(visit).pick("events", EVENT_WEIGHTS)
    which, turn = np.nonzero(np.arange(MOST_EVENTS) < count[:, None])
    number = visit[which] * 16 + turn
    gaps = np.zeros((len(visit), MOST_EVENTS), dtype=np.int64)
    gaps[which, turn] = np.where(turn == 0, 0, _event_gaps(world.draws(number)))
    when = started[which] + np.cumsum(gaps, axis=1)[which, turn]
    kept = when <= world.span.end
    which, turn, number, when = which[kept], turn[kept], number[kept], when[kept]
    return _click_rows(world, person[which], visit[which], turn, number, when)


def _visits(world: World) -> tuple[Ints, Ints, Ints]:
    """Person row, visit number and first second of each visit in the last CLICK_DAYS.

    Person 0 always visits on the last day, so that every run ends on the day of `as_of`.
    """
    people, span = world.people, world.span
    grid = people.number[:, None] * 64 + np.arange(MOST_VISITS)
    draws = world.draws(grid)
    pace = np.array(PACES_DAYS)[people.pace][:, None] * SECONDS_PER_DAY * VISIT_GAP_PERCENT // 100
    first = np.maximum(people.joined, span.end - CLICK_DAYS * SECONDS_PER_DAY)[:, None]
    rough = first + np.cumsum(draws.wait("visits again", pace), axis=1)
    clock = draws.pick("hour", HOURS) * 3_600 + draws.below("second of hour", 3_600)
    when = rough // SECONDS_PER_DAY * SECONDS_PER_DAY + clock
    is_first_person = people.number == 0
    when[is_first_person, 0] = span.last_day * SECONDS_PER_DAY + SECONDS_PER_DAY // 2
    stays = (when <= people.left[:, None]) | is_first_person[:, None]
    stays &= world.accounts.at[:, :1] >= 0
    person, turn = np.nonzero((when >= first) & (when <= span.end) & stays)
    return person, grid[person, turn], when[person, turn]


def _event_gaps(draws: Draws) -> Ints:
    """Seconds between two events of a visit; nearly always far below the session limit."""
    kind = draws.pick("gap kind", (GAP_AT_LIMIT, GAP_PAST_LIMIT, 10_000 - GAP_AT_LIMIT - GAP_PAST_LIMIT))
    usual = 2 + draws.wait("gap", 90)
    return np.select([kind == 0, kind == 1], [SESSION_GAP_SECONDS, SESSION_GAP_SECONDS + 1], usual)


def _click_rows(world: World, person: Ints, visit: Ints, turn: Ints, number: Ints, when: Ints) -> Rows:
    draws, whole = world.draws(number), world.draws(visit)
    known_from = np.array(KNOWN_FROM)[whole.pick("known from", KNOWN_WEIGHTS)]
    account = np.where(turn >= known_from, world.account_at(person, visit, when), -1)
    event_id, place = world.ids("E", "click event_id", number)
    page = draws.pick("page", PAGE_WEIGHTS)
    referrer = np.where(turn == 0, whole.pick("referrer", REFERRER_WEIGHTS), 0)
    has_device = (account < 0) | ~draws.chance("no device", NO_DEVICE)
    return Rows(
        source="clickstream",
        number=number,
        happened=when,
        event=when,
        ties=(place,),
        cells={
            "event_id": event_id,
            "anonymous_id": texts.where(has_device, _devices(world, person, visit), ""),
            **account_cells(world.accounts, account),
            "event_name": texts.choose([name for name, _ in PAGES], page),
            "page": texts.choose([path for _, path in PAGES], page),
            "referrer": texts.choose(REFERRERS, referrer),
        },
    )


def _devices(world: World, person: Ints, visit: Ints) -> Text:
    """The device of each visit: one of the person's one to three, or the one that a household shares."""
    people, draws = world.people, world.draws(visit)
    own = world.draws(people.number).pick("devices", DEVICES)[person]
    number = people.number[person] * DEVICE_SLOTS + draws.below("device", 1 + own)
    leader = people.number - people.number % GROUP
    shared = _shares_device(people)[person] & draws.chance("household device", HOUSEHOLD_DEVICE)
    number = np.where(shared, leader[person] * DEVICE_SLOTS + DEVICE_SLOTS - 1, number)
    return texts.join("D", texts.digits(scramble(world.seed, "device", number, ID_HALF), ID_DIGITS))


def _shares_device(people: People) -> Flags:
    return people.is_paired & np.isin(people.kind, SHARE_A_HOME)
