"""What happens between people and the company: tickets, campaigns, consent, erasure requests."""

from __future__ import annotations

import numpy as np

from c360lib.generate import texts
from c360lib.generate.accounts import account_cells, emails, state, transaction
from c360lib.generate.activity import World
from c360lib.generate.arrival import Rows
from c360lib.generate.draws import Draws, Flags, Ints
from c360lib.generate.people import NEVER
from c360lib.generate.texts import SECONDS_PER_DAY, Text

TICKETS = (75, 19, 5, 1)
ONLY_EMAIL, PENDS, RESOLVES, CLOSES, SCORES, TICKET_DELETED = 2_500, 4_500, 8_800, 4_500, 4_500, 60
TICKET_STATUSES = ("open", "pending", "resolved", "closed")
CATEGORIES, CATEGORY_WEIGHTS = ("delivery", "billing", "product", "account", "privacy"), (40, 22, 20, 13, 5)
PRIORITIES, PRIORITY_WEIGHTS = ("low", "normal", "high", "urgent"), (20, 60, 15, 5)
CSAT_WEIGHTS = (8, 9, 15, 30, 38)

CAMPAIGN_EVERY_DAYS, CAMPAIGN_HOUR, LAST_CAMPAIGN_DAYS = 14, 9, 3
TOUCHES = (22, 20, 18, 16, 12, 8, 4)
TOUCH_STEPS = 4
BOUNCES, OPENS, CLICKS, UNSUBSCRIBES = 300, 3_800, 3_000, 500
TOUCH_NAMES = ("sent", "bounced", "opened", "clicked", "unsubscribed")
TOUCH_CHANNELS, TOUCH_CHANNEL_WEIGHTS = ("email", "sms", "push"), (70, 12, 18)

TOPICS = 4
TOPIC_RATES = (9_300, 5_500, 3_500, 1_500)
TOPIC_PURPOSES = ("marketing", "personalization", "analytics", "marketing")
TOPIC_CHANNELS = (("any", "email", "sms", "push"),) * 4
TOPIC_CHANNEL_WEIGHTS = ((45, 35, 10, 10), (80, 10, 5, 5), (85, 10, 3, 2), (10, 50, 25, 15))
CHANGES = (70, 20, 7, 3)
MOST_CHOICES = len(CHANGES)
STARTS_GRANTED, SAME_MOMENT, EMPTY_CHANNEL = 7_200, 150, 200
EXPIRY_DAYS, EXPIRY_WEIGHTS = (0, 180, 365, 730, -1), (86, 3, 6, 4, 1)
FOREVER_SECONDS = 253_402_214_400  # 9999-12-31T00:00:00Z
POLICIES, POLICY_EVERY_SECONDS = ("v1", "v2", "v3", "v4"), 365 * SECONDS_PER_DAY

ASKS_ERASURE, ERASURE_DAYS = 40, 60


def support_tickets(world: World) -> Rows:
    """Rows of support_tickets: open, perhaps pending, resolved, closed; some know only the requester's e-mail."""
    people, span = world.people, world.span
    count = world.draws(people.number).pick("tickets", TICKETS)
    person, turn = np.nonzero(np.arange(len(TICKETS) - 1) < count[:, None])
    ticket = people.number[person] * 4 + turn
    draws = world.draws(ticket)
    opened = people.joined[person] + draws.below("ticket opened", span.end - people.joined[person])
    account = world.account_at(person, ticket, opened)
    kept = account >= 0
    ticket, account, opened = ticket[kept], account[kept], opened[kept]
    times = _ticket_times(world.draws(ticket), opened)
    which, step = np.nonzero(times <= span.end)
    return _ticket_rows(world, ticket[which], account[which], step, times[which], np.arange(len(which)))


def _ticket_times(draws: Draws, opened: Ints) -> Ints:
    """By ticket and step (open, pending, resolved, closed, deleted) the second it happens; NEVER where it does not."""
    pending = opened + 600 + draws.wait("pends", SECONDS_PER_DAY // 2)
    resolved = np.maximum(pending, opened) + 600 + draws.wait("resolves", 2 * SECONDS_PER_DAY)
    closed = resolved + 600 + draws.wait("closes", 5 * SECONDS_PER_DAY)
    is_resolved = draws.chance("resolves", RESOLVES)
    return np.stack(
        [
            opened,
            np.where(draws.chance("pends", PENDS), pending, NEVER),
            np.where(is_resolved, resolved, NEVER),
            np.where(is_resolved & draws.chance("closes", CLOSES), closed, NEVER),
            np.where(draws.chance("ticket deleted", TICKET_DELETED), closed + 30 * SECONDS_PER_DAY, NEVER),
        ],
        axis=1,
    )


def _ticket_rows(world: World, ticket: Ints, account: Ints, step: Ints, times: Ints, row: Ints) -> Rows:
    number, draws = ticket * 8 + step, world.draws(ticket)
    ticket_id, place = world.ids("T", "ticket_id", ticket)
    lsn = 500 + draws.below("ticket lsn", 500) + step * 20 + world.draws(number).below("ticket lsn step", 20)
    system = account_cells(world.accounts, account)["source_system"]
    known = np.where(draws.chance("only e-mail", ONLY_EMAIL), -1, account)
    is_delete, is_resolved = step == 4, (step == 2) | (step == 3)
    score = texts.number(1 + draws.pick("csat", CSAT_WEIGHTS))
    values = {
        "requester_email": _requester_emails(world, account, times[:, 0]),
        "customer_id": account_cells(world.accounts, known)["customer_id"],
        "category": texts.choose(CATEGORIES, draws.pick("category", CATEGORY_WEIGHTS)),
        "priority": texts.choose(PRIORITIES, draws.pick("priority", PRIORITY_WEIGHTS)),
        "status": texts.choose((*TICKET_STATUSES, ""), step),
        "opened_ts": texts.timestamp(times[:, 0]),
        "resolved_ts": texts.where(is_resolved, texts.timestamp(np.where(is_resolved, times[:, 2], 0)), ""),
        "csat": texts.where(is_resolved & draws.chance("scores", SCORES), score, ""),
    }
    return Rows(
        source="support_tickets",
        number=number,
        happened=times[row, step],
        event=times[row, step],
        ties=(lsn, place, world.accounts.system[account]),
        cells={
            "ticket_id": ticket_id,
            "op": texts.choose(("c", "u", "u", "u", "d"), step),
            "lsn": texts.number(lsn),
            "tx_id": transaction(world.draws(number)),
            "source_system": system,
            **{name: texts.where(is_delete, "", text) for name, text in values.items()},
        },
    )


def _requester_emails(world: World, account: Ints, when: Ints) -> Text:
    """The e-mail of the account at that moment; of the person, where the account has none."""
    return emails(world.people, state(world.people, world.accounts, account, when))


def campaign_events(world: World) -> Rows:
    """Rows of campaign_events: sent, then perhaps bounced, or opened, clicked and unsubscribed."""
    people, span = world.people, world.span
    own = world.draws(people.number)
    # Campaigns since the person joined, counted back from the last one; nobody gets one campaign twice.
    days = span.last_day - LAST_CAMPAIGN_DAYS - people.joined // SECONDS_PER_DAY
    seen = np.maximum(0, days - 1) // CAMPAIGN_EVERY_DAYS + 1
    touches = np.minimum(own.pick("touches", TOUCHES), seen)
    person, turn = np.nonzero(np.arange(len(TOUCHES) - 1) < touches[:, None])
    touch = people.number[person] * 8 + turn
    draws = world.draws(touch)
    campaign = (own.below("first campaign", seen)[person] + turn) % seen[person]
    day = span.last_day - LAST_CAMPAIGN_DAYS - campaign * CAMPAIGN_EVERY_DAYS
    sent = day * SECONDS_PER_DAY + CAMPAIGN_HOUR * 3_600 + draws.below("sent", 3_600)
    account = world.account_at(person, touch, sent)
    kept = (account >= 0) & (people.joined[person] <= sent)
    touch, account, day = touch[kept], account[kept], day[kept]
    times = _touch_times(world.draws(touch), sent[kept])
    which, step = np.nonzero(times <= span.end)
    return _touch_rows(world, touch[which], account[which], day[which], step, times[which, step])


def _touch_times(draws: Draws, sent: Ints) -> Ints:
    """By touch and step (as TOUCH_NAMES) the second it happens; NEVER where it does not."""
    bounces = draws.chance("bounces", BOUNCES)
    opens = ~bounces & draws.chance("opens", OPENS)
    opened = sent + 60 + draws.wait("opens", SECONDS_PER_DAY // 3)
    return np.stack(
        [
            sent,
            np.where(bounces, sent + 5, NEVER),
            np.where(opens, opened, NEVER),
            np.where(opens & draws.chance("clicks", CLICKS), opened + 20, NEVER),
            np.where(opens & draws.chance("unsubscribes", UNSUBSCRIBES), opened + 45, NEVER),
        ],
        axis=1,
    )


def _touch_rows(world: World, touch: Ints, account: Ints, day: Ints, step: Ints, when: Ints) -> Rows:
    number = touch * 8 + step
    event_id, place = world.ids("M", "campaign event_id", number)
    return Rows(
        source="campaign_events",
        number=number,
        happened=when,
        event=when,
        ties=(place,),
        cells={
            "event_id": event_id,
            "campaign_id": texts.join("campaign-", texts.date(day)),
            **account_cells(world.accounts, account),
            "channel": texts.choose(TOUCH_CHANNELS, world.draws(touch).pick("touch channel", TOUCH_CHANNEL_WEIGHTS)),
            "event_name": texts.choose(TOUCH_NAMES, step),
        },
    )


def consent_events(world: World) -> Rows:
    """Rows of consent_events: first choices, later changes of mind, and a few second choices at the same second."""
    people, span = world.people, world.span
    topics = people.number[:, None] * TOPICS + np.arange(TOPICS)
    draws = world.draws(topics)
    changes = np.where(draws.chance("has topic", np.array(TOPIC_RATES)), 1 + draws.pick("changes of mind", CHANGES), 0)
    person, topic, turn = np.nonzero(np.arange(MOST_CHOICES) < changes[:, :, None])
    number = topics[person, topic] * 8 + turn
    when = _choice_times(world, person, topics[person, topic], turn)
    kept = when <= span.end
    person, topic, turn, number, when = person[kept], topic[kept], turn[kept], number[kept], when[kept]
    again = np.flatnonzero(world.draws(number).chance("same moment", SAME_MOMENT))
    place = np.concatenate([np.arange(len(number)), again])
    number = np.concatenate([number, number[again] + MOST_CHOICES])
    turn = np.concatenate([turn, turn[again] + 1])
    person, topic, when = person[place], topic[place], when[place]
    account = world.account_at(person, number, when)
    kept = account >= 0
    return _consent_rows(world, account[kept], number[kept], topic[kept], turn[kept], when[kept])


def _choice_times(world: World, person: Ints, topic: Ints, turn: Ints) -> Ints:
    """The first choice comes within days of joining, each later one after a wait that depends on the turn."""
    joined = world.people.joined[person]
    when = joined + world.draws(topic).below("first choice", 3 * SECONDS_PER_DAY)
    for later in range(1, MOST_CHOICES):
        wait = SECONDS_PER_DAY + world.draws(topic).wait(f"choice {later}", 150 * SECONDS_PER_DAY)
        when = when + np.where(turn >= later, wait, 0)
    return when


def _consent_rows(world: World, account: Ints, number: Ints, topic: Ints, turn: Ints, when: Ints) -> Rows:
    draws, whole = world.draws(number), world.draws(number // 8)
    event_id, place = world.ids("C", "consent event_id", number)
    starts_granted = whole.chance("starts granted", STARTS_GRANTED)
    is_grant = (turn % 2 == 0) == starts_granted
    status = np.where(is_grant, 0, np.where(turn == 0, 1, 2))
    return Rows(
        source="consent_events",
        number=number,
        happened=when,
        event=when,
        ties=(place,),
        cells={
            "event_id": event_id,
            **account_cells(world.accounts, account),
            "purpose": texts.choose(TOPIC_PURPOSES, topic),
            "channel": _consent_channels(whole, draws, topic),
            "status": texts.choose(("granted", "denied", "withdrawn"), status),
            "expires_ts": _expiries(draws, is_grant, when),
            "policy_version": texts.choose(POLICIES, np.minimum((when - world.span.start) // POLICY_EVERY_SECONDS, 3)),
        },
    )


def _consent_channels(whole: Draws, draws: Draws, topic: Ints) -> Text:
    """A topic keeps its channel; `any` is sometimes left empty, which means the same."""
    picks = np.stack([whole.pick("consent channel", weights) for weights in TOPIC_CHANNEL_WEIGHTS], axis=1)
    channel = picks[np.arange(len(topic)), topic]
    is_empty = (channel == 0) & draws.chance("empty channel", EMPTY_CHANNEL)
    return texts.where(is_empty, "", texts.choose(TOPIC_CHANNELS[0], channel))


def _expiries(draws: Draws, is_grant: Flags, when: Ints) -> Text:
    days = np.array(EXPIRY_DAYS)[draws.pick("expiry", EXPIRY_WEIGHTS)]
    until = np.where(days < 0, FOREVER_SECONDS, when + days * SECONDS_PER_DAY)
    return texts.where(is_grant & (days != 0), texts.timestamp(until), "")


def erasure_requests(world: World) -> Rows:
    """Rows of erasure_requests: a few people ask, for one of their accounts, in the last weeks."""
    people, span = world.people, world.span
    own = world.draws(people.number)
    person = np.flatnonzero(own.chance("asks to be erased", ASKS_ERASURE))
    number = people.number[person]
    draws = world.draws(number)
    from_second = np.maximum(people.joined[person], span.end - ERASURE_DAYS * SECONDS_PER_DAY)
    when = from_second + 1 + draws.below("asks when", span.end - from_second)
    account = world.account_at(person, number, when)
    kept = account >= 0
    number, account, when = number[kept], account[kept], when[kept]
    request_id, place = world.ids("R", "request_id", number)
    cells = {"request_id": request_id, **account_cells(world.accounts, account)}
    return Rows(source="erasure_requests", number=number, happened=when, event=when, ties=(place,), cells=cells)
