"""The accounts that people open in source systems, what each system knows, and how that changes (CDC)."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import permutations

import numpy as np
import pyarrow as pa

from c360lib.generate import texts, wording
from c360lib.generate.arrival import Rows
from c360lib.generate.draws import Draws, Flags, Ints, scramble
from c360lib.generate.people import FAMILY, GROUP, KEY_TYPO, KINDS, NEVER, STRANGERS, People, Span
from c360lib.generate.texts import SECONDS_PER_DAY, Text
from c360lib.schemas import TRUTH

# In alphabetical order, so that the order of indices is the order of names.
SYSTEMS = ("app", "crm", "loyalty", "shop")
LOYALTY = SYSTEMS.index("loyalty")
ACCOUNTS_PER_PERSON = (62, 27, 8, 3)
MOST_ACCOUNTS = len(ACCOUNTS_PER_PERSON)
_ORDERS = tuple(permutations(range(len(SYSTEMS))))
_FIRST_SYSTEM_WEIGHT = (20, 30, 15, 40)
SAME_SYSTEM_TWICE = 600
ID_HALF, ID_DIGITS = 100_000, 10

# Cells that a system does not have, per ten thousand accounts, in order of SYSTEMS.
NO_EMAIL, NO_PHONE = (300, 1_200, 2_500, 200), (3_000, 1_800, 2_500, 3_500)
NO_BIRTH_DATE, NO_ADDRESS = (1_100, 700, 500, 1_000), (6_000, 400, 1_500, 700)
NO_LOYALTY_ID = (8_000, 7_500, 0, 8_500)

# How accounts write one fact differently, per ten thousand.
FIRST_NAME_SLIP, LAST_NAME_SLIP, WRONG_BIRTH_DATE, WITH_NICKNAME, IN_ASCII = 250, 300, 150, 900, 300
IN_CAPITALS, IN_SMALL_LETTERS, AS_TOLD = 350, 350, 9_000
BIRTH_DATE_SLIPS_DAYS = (1, -1, 10, -10, 365, -365, 30, -30)
EMAIL_FORM_WEIGHTS, ADDRESS_FORM_WEIGHTS = (88, 5, 7), (84, 12, 4)

# How accounts change, per ten thousand: a life event becomes known; a clerk corrects; the source deletes.
HEARS_OF_CHANGE, IS_CORRECTED, IS_DELETED, FROM_SNAPSHOT, EVENT_AGAINST_LSN = 6_000, 900, 200, 1_500, 100
CORRECTED_SOON = 6_000
OPEN, MOVE, EMAIL, PHONE, CORRECT, DELETE = range(6)
KEY_MISTAKES = ("loyalty id slip", "loyalty id of the neighbour", "e-mail slip", "e-mail of the neighbour")


@dataclass(frozen=True)
class Accounts:
    """One entry for each account; `person` is the row in People, `at` finds accounts by person and slot (-1: none)."""

    person: Ints
    slot: Ints
    number: Ints
    system: Ints
    customer_id: Text
    opened: Ints
    times: Ints
    mistake: Ints
    at: Ints

    @property
    def deleted(self) -> Ints:
        """When the source deletes the account, in seconds; NEVER where it stays."""
        return np.asarray(self.times[:, DELETE])


def open_accounts(people: People, span: Span, count: int) -> Accounts:
    """The accounts of the first `count` people: one when the person joins, the others any time after."""
    own = Draws(people.seed, people.number)
    wanted = 1 + own.pick("accounts", ACCOUNTS_PER_PERSON)
    has_mistake = (people.kind == KEY_TYPO) & (people.number % GROUP == 0)
    wanted = np.where(has_mistake, np.maximum(wanted, 2), wanted)
    wanted[count:] = 0
    person, slot = np.nonzero(np.arange(MOST_ACCOUNTS) < wanted[:, None])
    number = people.number[person] * MOST_ACCOUNTS + slot
    draws = Draws(people.seed, number)
    later = people.joined[person] + 1 + draws.below("opened", span.end - people.joined[person] - 1)
    opened = np.where(slot == 0, people.joined[person], later)
    at = np.full((len(people.number), MOST_ACCOUNTS), -1, dtype=np.int64)
    at[person, slot] = np.arange(len(person))
    return Accounts(
        person=person,
        slot=slot,
        number=number,
        system=_systems(own)[person, slot],
        customer_id=texts.digits(scramble(people.seed, "customer_id", number, ID_HALF), ID_DIGITS),
        opened=opened,
        times=_change_times(people, person, draws, opened, span),
        mistake=np.where(has_mistake[person] & (slot == 1), draws.below("mistake", len(KEY_MISTAKES)), -1),
        at=at,
    )


def _systems(own: Draws) -> Ints:
    """Places in SYSTEMS by person and slot: all different, but for some people the first system twice."""
    weights = [_FIRST_SYSTEM_WEIGHT[order[0]] ** 2 * _FIRST_SYSTEM_WEIGHT[order[1]] for order in _ORDERS]
    systems = np.array(_ORDERS, dtype=np.int64)[own.pick("systems", weights)]
    systems[:, 1] = np.where(own.chance("same system twice", SAME_SYSTEM_TWICE), systems[:, 0], systems[:, 1])
    return systems


def _change_times(people: People, person: Ints, draws: Draws, opened: Ints, span: Span) -> Ints:
    """By account and kind of change (OPEN to DELETE) the time it is made, NEVER where it is not."""
    times = np.full((len(person), 6), NEVER, dtype=np.int64)
    times[:, OPEN] = opened
    for kind, event in ((MOVE, people.moved), (EMAIL, people.email_changed), (PHONE, people.phone_changed)):
        when = event[person] + draws.wait(f"hears {kind} when", 10 * SECONDS_PER_DAY)
        hears = (event[person] > opened) & draws.chance(f"hears {kind}", HEARS_OF_CHANGE)
        times[:, kind] = np.where(hears, when, NEVER)
    for kind, rate in ((CORRECT, IS_CORRECTED), (DELETE, IS_DELETED)):
        when = opened + 1 + draws.below(f"change {kind} when", np.maximum(span.end - opened - 1, 1))
        # Many mistakes are seen at once, so the correction may overtake the creation on its way.
        is_soon = (kind == CORRECT) & draws.chance("corrected soon", CORRECTED_SOON)
        when = np.where(is_soon, opened + 60 + draws.wait("corrected after", 1_800), when)
        times[:, kind] = np.where(draws.chance(f"change {kind}", rate), when, NEVER)
    is_over = (times > span.end) | (times > times[:, [DELETE]])
    times[:, OPEN + 1 :][is_over[:, OPEN + 1 :]] = NEVER
    return times


@dataclass(frozen=True)
class State:
    """What accounts say at some moments: one entry for each (account, moment). A generation is 0 before a change.

    An owner is the person number whose fact it is; -1 where the cell is empty.
    """

    account: Ints
    person: Ints
    has_moved: Ints
    email_owner: Ints
    email_generation: Ints
    email_form: Ints
    phone_owner: Ints
    phone_generation: Ints
    is_corrected: Flags


def state(people: People, accounts: Accounts, account: Ints, when: Ints) -> State:
    """What each `account` (a row in Accounts) says at each moment `when`."""
    draws = Draws(people.seed, accounts.number[account])
    person, system, times = accounts.person[account], accounts.system[account], accounts.times[account]
    lacks_birth_date = draws.chance("no birth date", np.array(NO_BIRTH_DATE)[system])
    # An account without a good birth date keeps its e-mail and phone, or nothing could tell whose it is.
    is_weak = lacks_birth_date | draws.chance("wrong birth date", WRONG_BIRTH_DATE)
    has_email = is_weak | ~draws.chance("no e-mail", np.array(NO_EMAIL)[system])
    has_phone = is_weak | ~draws.chance("no phone", np.array(NO_PHONE)[system])
    mistake, neighbour = accounts.mistake[account], people.number[person] + 1
    email_owner = np.where(mistake == 3, neighbour, people.mailbox[person])
    form = draws.pick("e-mail form", EMAIL_FORM_WEIGHTS)
    return State(
        account=account,
        person=person,
        has_moved=_knows(people.moved, person, accounts.opened[account], times[:, MOVE], when),
        email_owner=np.where(has_email | (mistake == 3), email_owner, -1),
        email_generation=np.where(
            mistake == 3, 0, _knows(people.email_changed, person, accounts.opened[account], times[:, EMAIL], when)
        ),
        email_form=np.where(mistake == 2, wording.EMAIL_SLIP, form),
        phone_owner=np.where(has_phone, people.line[person], -1),
        phone_generation=_knows(people.phone_changed, person, accounts.opened[account], times[:, PHONE], when),
        is_corrected=times[:, CORRECT] <= when,
    )


def _knows(changed: Ints, person: Ints, opened: Ints, heard: Ints, when: Ints) -> Ints:
    """1 where an account knows the person's new fact: opened after the change, or told of it by now; else 0."""
    return ((changed[person] <= opened) | (heard <= when)).astype(np.int64)


def emails(people: People, now: State) -> Text:
    """The e-mail that goes with each entry: the account's, or its person's where the account has none."""
    owner = np.where(now.email_owner < 0, people.mailbox[now.person], now.email_owner)
    return wording.email(people, owner, now.email_generation, now.email_form)


def customers(people: People, accounts: Accounts, span: Span) -> Rows:
    """Rows of customers: for each account its creation, its changes in order, and perhaps its deletion."""
    order = np.argsort(accounts.times, axis=1, kind="stable")
    times = np.take_along_axis(accounts.times, order, axis=1)
    account, rank = np.nonzero(times <= span.end)
    when, kind = times[account, rank], order[account, rank]
    number = accounts.number[account] * 8 + rank
    draws, lsn = Draws(people.seed, number), _lsn(people.seed, accounts.number[account], rank)
    against = (rank > 0) & (kind != DELETE) & draws.chance("event against lsn", EVENT_AGAINST_LSN)
    before = times[account, np.maximum(rank - 1, 0)] - 1 - draws.below("against by", 3_000)
    known = person_cells(people, accounts, state(people, accounts, account, when))
    is_read = Draws(people.seed, accounts.number[account]).chance("from snapshot", FROM_SNAPSHOT)
    op = np.where(kind == OPEN, np.where(is_read, 3, 0), np.where(kind == DELETE, 2, 1))
    return Rows(
        source="customers",
        number=number,
        happened=when,
        event=np.where(against, before, when),
        ties=(lsn, account_order(people, accounts)[account]),
        cells={
            **account_cells(accounts, account),
            "op": texts.choose(("c", "u", "d", "r"), op),
            "lsn": texts.number(lsn),
            "tx_id": transaction(draws),
            **{name: texts.where(kind == DELETE, "", text) for name, text in known.items()},
        },
    )


def _lsn(seed: int, entity: Ints, rank: Ints) -> Ints:
    """Log sequence numbers that rise with `rank` within an entity, with gaps of no meaning."""
    first = 100_000 + Draws(seed, entity).below("first lsn", 800_000)
    return first + rank * 1_000 + Draws(seed, entity * 8 + rank).below("lsn", 1_000)


def transaction(draws: Draws) -> Text:
    """Transaction ids such as `tx04817`."""
    return texts.join("tx", texts.digits(draws.below("transaction", 1_000_000_000), 9))


def account_order(people: People, accounts: Accounts) -> Ints:
    """The rank of each account when they are sorted by (source_system, customer_id)."""
    order = np.lexsort((scramble(people.seed, "customer_id", accounts.number, ID_HALF), accounts.system))
    rank = np.empty(len(order), dtype=np.int64)
    rank[order] = np.arange(len(order))
    return rank


def account_cells(accounts: Accounts, account: Ints) -> dict[str, Text]:
    """The two cells that name an account; empty where `account` is -1."""
    known = np.maximum(account, 0)
    return {
        "source_system": texts.where(account < 0, "", texts.choose(SYSTEMS, accounts.system[known])),
        "customer_id": texts.where(account < 0, "", accounts.customer_id.take(pa.array(known))),
    }


def person_cells(people: People, accounts: Accounts, now: State) -> dict[str, Text]:
    """What accounts say of their persons: name, e-mail, phone, birth date, address, loyalty id."""
    person, draws = now.person, Draws(people.seed, accounts.number[now.account])
    system = accounts.system[now.account]
    first_form, last_form = _name_forms(draws, now.is_corrected)
    owner = np.where(now.phone_owner < 0, people.number[0], now.phone_owner)
    layout = draws.pick("phone format", wording.PHONE_FORMAT_WEIGHTS)
    form = draws.pick("address form", ADDRESS_FORM_WEIGHTS)
    lacks_address = draws.chance("no address", np.array(NO_ADDRESS)[system]) & (now.has_moved == 0)
    address = wording.address(people, people.number[person], now.has_moved, form)
    return {
        "first_name": wording.first_name(people.first[person], first_form),
        "last_name": wording.last_name(people.last[person], people.second_last[person], last_form),
        "email": texts.where(now.email_owner < 0, "", emails(people, now)),
        "phone": texts.where(now.phone_owner < 0, "", wording.phone(people, owner, now.phone_generation, layout)),
        "date_of_birth": _birth_dates(draws, people.born[person], system, now.is_corrected),
        **{name: texts.where(lacks_address, "", text) for name, text in address.items()},
        "loyalty_id": _loyalty_ids(people, draws, person, system, accounts.mistake[now.account]),
    }


def _name_forms(draws: Draws, is_corrected: Flags) -> tuple[Ints, Ints]:
    """Forms of first name and surname (see wording); a correction takes away slips, nicknames and odd letter case."""
    style = draws.pick("style", (IN_CAPITALS, IN_SMALL_LETTERS, IN_ASCII, AS_TOLD))
    common = np.array([wording.CAPITALS, wording.SMALL, wording.ASCII, wording.AS_IS])[style]
    slip = wording.FIRST_SLIP + draws.below("slip", wording.SLIPS)
    nickname = wording.NICKNAME + draws.below("nickname", wording.NICKNAMES_MOST)
    kind = draws.pick("first name form", (FIRST_NAME_SLIP, WITH_NICKNAME, 10_000 - FIRST_NAME_SLIP - WITH_NICKNAME))
    first = np.where(kind == 0, slip, np.where(kind == 1, nickname, common))
    last = np.where(draws.chance("surname slip", LAST_NAME_SLIP), slip, common)
    return np.where(is_corrected, wording.AS_IS, first), np.where(is_corrected, wording.AS_IS, last)


def _birth_dates(draws: Draws, born: Ints, system: Ints, is_corrected: Flags) -> Text:
    lacks = draws.chance("no birth date", np.array(NO_BIRTH_DATE)[system])
    slip = np.array(BIRTH_DATE_SLIPS_DAYS)[draws.below("birth date slip", len(BIRTH_DATE_SLIPS_DAYS))]
    is_wrong = draws.chance("wrong birth date", WRONG_BIRTH_DATE) & ~is_corrected
    return texts.where(lacks & ~is_corrected, "", texts.date(np.where(is_wrong, born + slip, born)))


def _loyalty_ids(people: People, draws: Draws, person: Ints, system: Ints, mistake: Ints) -> Text:
    """Card numbers. A slip changes one digit; cards are so sparse that it hardly ever hits another card."""
    has_card = people.has_card[person] & ~draws.chance("no loyalty id", np.array(NO_LOYALTY_ID)[system])
    owner = np.where(mistake == 1, people.number[person] + 1, people.number[person])
    card = scramble(people.seed, "loyalty id", owner, ID_HALF)
    place = 10 ** (1 + draws.below("loyalty slip place", 7))
    digit = card // place % 10
    slipped = card + ((digit + 1 + draws.below("loyalty slip", 9)) % 10 - digit) * place
    is_mistaken = (people.kind == KEY_TYPO)[person] & (people.number[person] % GROUP == 0)
    shown = has_card | (system == LOYALTY) | is_mistaken
    return texts.where(shown, texts.join("L", texts.digits(np.where(mistake == 0, slipped, card), ID_DIGITS)), "")


def truth(people: People, accounts: Accounts) -> pa.Table:
    """Rows of (source_system, customer_id, person_id, hard_case), by account, in key order.

    `hard_case` is the kind of the pair for its accounts; `key_typo` is said only of the account with the wrong key.
    """
    kind = people.kind[accounts.person]
    is_hard = people.is_paired[accounts.person] & (kind != FAMILY) & (kind != STRANGERS)
    is_hard &= (kind != KEY_TYPO) | (accounts.mistake >= 0)
    cells = {
        **account_cells(accounts, np.arange(len(accounts.number))),
        "person_id": texts.join("H", texts.digits(people.number[accounts.person], 9)),
        "hard_case": texts.where(is_hard, texts.choose(KINDS, kind), ""),
    }
    order = pa.array(np.argsort(account_order(people, accounts)))
    return pa.table({name: cells[name] for name in TRUTH.column_names}).take(order)
