"""Typed rows to conformed tables: every row gets exactly one disposition, and what is current moves on.

Inside the layers an account is an integer `node` (a row number that is unique to it) and a person is an integer
`person` (the node of its oldest account): sorting and grouping integers is many times cheaper than text. The text ids
come back when a table is written.
"""

from __future__ import annotations

import narwhals as nw

from c360lib.engines.base import Frame
from c360lib.engines.kernels import (
    in_order,
    named,
    null_of,
    one_each,
    rows_of,
    with_cells_of,
    with_columns_of,
    with_most,
    with_runs,
)
from c360lib.rules import MAX_ACCOUNTS_PER_DEVICE, SESSION_GAP_SECONDS
from c360lib.schemas import RAW, SILVER, Table
from c360lib.sources.match_keys import KEYS

DISPOSITIONS = ("current", "superseded", "duplicate", "quarantined", "not_yet", "erased")
CURRENT, SUPERSEDED, DUPLICATE, QUARANTINED, NOT_YET, ERASED = range(len(DISPOSITIONS))  # rows carry the number
CONFLICT, ORPHAN = 6, 7  # quarantined for what other rows say; QUARANTINED is a row's own fault
ALL_QUARANTINED = (QUARANTINED, CONFLICT, ORPHAN)
_BAR = "\x1f"
_TEXT = nw.String()


# --- dispositions -----------------------------------------------------------------------------------------------------
def erased_accounts(requests: Frame, as_of: int) -> Frame:
    """Accounts that a request names, one row (_account, is_erased, request_row): a request counts once it has arrived.

    A request whose own times cannot be read counts too: to erase late is worse than to erase.
    """
    arrived = nw.col("ingest_ts").is_null() | (nw.col("ingest_ts") <= as_of)
    named = requests.filter(arrived & ~nw.col("_account").is_null()).select("_account", request_row="_row_number")
    return named.unique("_account", keep="first", order_by=["request_row"]).with_columns(is_erased=nw.lit(True))


def marked(rows: Frame, directory: Frame, table: Table, as_of: int) -> Frame:
    """Rows with what `directory` knows of the account they name, and the `disposition` of each, a number as above.

    A row alone decides nearly all of it. The few that share a key or name an account that does not exist are judged
    apart, and only the verdicts brought back, so that the rows themselves are never copied.
    """
    if table.is_cdc and table.name != "customers":
        rows = _with_account_of_last_state(rows, as_of)
    rows = with_columns_of(rows, _asked(directory, table), "_account")
    rows = rows.with_columns(disposition=_disposition(table, as_of))
    orphan = _is_orphan(table)
    few = rows.filter((nw.col("disposition") == CURRENT) & (nw.col("_is_repeated") | orphan))
    judged = _marked_orphans(_judged_repeats(few, table, _key(table)), orphan)
    rows = with_cells_of(rows, judged.select("_row_number", "disposition"), "_row_number")
    rows = rows.drop("_is_usable", "_is_repeated", "is_erased")
    return _with_last_states(rows) if table.is_cdc else rows


def _asked(directory: Frame, table: Table) -> Frame:
    """What rows of a source ask of `directory`: whose choice it is matters down to the account."""
    wanted = {"_account", "person", "is_erased"}
    if table.name in ("campaign_events", "consent_events"):
        wanted |= {"node", "is_account_deleted"}
    return directory.select([name for name in directory.collect_schema().names() if name in wanted])


def _key(table: Table) -> list[str]:
    """What is unique to a row: its entity, and of a changing one the lsn."""
    return ["_entity", "lsn"] if table.is_cdc else ["_entity"]


def _with_account_of_last_state(rows: Frame, as_of: int) -> Frame:
    """A delete may leave the account out; it is then that of the last state before it that has arrived.

    Where two rows of one lsn name different accounts, neither tells.
    """
    deletes = rows.filter(nw.col("_account").is_null() & (nw.col("op") == "d")).select("_row_number", "_entity", "lsn")
    arrived = (nw.col("ingest_ts") <= as_of) & (nw.col("event_ts") <= as_of) & nw.col("_is_usable")
    states = rows_of(rows, deletes, "_entity").filter(arrived & (nw.col("op") != "d"))
    told = [name for name in ("record_id", "_account") if name in rows.collect_schema().names()]
    states = states.select("_entity", *told, _lsn="lsn").with_columns(
        _least=nw.col("_account").min().over("_entity", "_lsn"), _most=nw.col("_account").max().over("_entity", "_lsn")
    )
    states = states.filter(nw.col("_least") == nw.col("_most")).unique(["_entity", "_lsn"])
    before = deletes.join(states, on="_entity", how="inner").filter(nw.col("_lsn") < nw.col("lsn"))
    last = before.unique("_row_number", keep="last", order_by=["_lsn"])
    return with_cells_of(rows, last.select("_row_number", *told), "_row_number")


def _disposition(table: Table, as_of: int) -> nw.Expr:
    """What becomes of a row by itself; CURRENT unless something speaks against it."""
    late, ahead, erased = nw.col("ingest_ts") > as_of, nw.col("event_ts") > as_of, nw.col("is_erased").fill_null(False)
    if table.name == "consent_events":
        ahead = ahead & (nw.col("status") == "granted")  # a block counts as soon as it has arrived
    if table.name == "campaign_events":
        ahead = ahead & ~(nw.col("event_name") == "unsubscribed").fill_null(False)
    if table.name == "erasure_requests":
        ahead = erased = nw.col("_row_number") < 0  # so does a request, and it is the record of what was erased
    return (
        nw.when(late.fill_null(False))
        .then(_number(NOT_YET))
        .when(erased)
        .then(_number(ERASED))
        .when(~nw.col("_is_usable"))
        .then(_number(QUARANTINED))
        .when(ahead.fill_null(False))
        .then(_number(NOT_YET))
        .otherwise(_number(CURRENT))
    )


def _number(disposition: int) -> nw.Expr:
    return nw.lit(disposition).cast(nw.Int8())


def _judged_repeats(rows: Frame, table: Table, key: list[str]) -> Frame:
    """Rows that share a key: equal content is a duplicate (the earliest arrival stays), other content a conflict."""
    columns = rows.collect_schema().names()
    names = [n for n in columns if n in (*table.column_names, "record_id", "_account") and n != "ingest_ts"]
    cells = [nw.col(n).cast(_TEXT).fill_null("").str.replace_all(_BAR, _BAR * 2, literal=True) for n in names]
    content = nw.concat_str(cells, separator=f" {_BAR} ")
    rows = rows.with_columns(_content=content)
    rows = rows.with_columns(
        _least=nw.col("_content").min().over(*key),
        _most=nw.col("_content").max().over(*key),
        _first=nw.col("ingest_ts").min().over(*key),
    )
    rows = rows.with_columns(_candidate=nw.when(nw.col("ingest_ts") == nw.col("_first")).then(nw.col("_row_number")))
    rows = rows.with_columns(_kept=nw.col("_candidate").min().over(*key))
    conflict = nw.col("_least") != nw.col("_most")
    stays = ~conflict & (nw.col("_row_number") == nw.col("_kept"))
    other = nw.when(conflict).then(_number(CONFLICT)).otherwise(_number(DUPLICATE))
    return rows.with_columns(disposition=nw.when(stays).then(_number(CURRENT)).otherwise(other)).select(columns)


def _is_orphan(table: Table) -> nw.Expr:
    """Rows that name an account that does not exist: they are quarantined until it arrives."""
    if table.name in ("customers", "erasure_requests"):
        return nw.col("_row_number") < 0
    orphan = nw.col("person").is_null()
    return orphan if table.column("customer_id").needed else orphan & ~nw.col("_account").is_null()


def _marked_orphans(rows: Frame, orphan: nw.Expr) -> Frame:
    """Of rows that are still usable, orphans are quarantined."""
    orphan = (nw.col("disposition") == CURRENT) & orphan
    return rows.with_columns(disposition=nw.when(orphan).then(_number(ORPHAN)).otherwise(nw.col("disposition")))


def _with_last_states(rows: Frame) -> Frame:
    """Of what is current of a changing entity only its last state stays so."""
    current = nw.col("disposition") == CURRENT
    rows = with_most(rows.with_columns(_current_lsn=nw.when(current).then(nw.col("lsn"))), "_current_lsn", "_entity")
    state = nw.when(current & (nw.col("lsn") != nw.col("_most"))).then(_number(SUPERSEDED))
    return rows.with_columns(disposition=state.otherwise(nw.col("disposition"))).drop("_current_lsn", "_most")


def states(rows: Frame) -> Frame:
    """One row an entity: its last state, with `is_deleted`; a deleted entity keeps the values it had last."""
    current = nw.col("disposition") == CURRENT
    alive = rows.filter(current & (nw.col("op") != "d")).with_columns(is_deleted=nw.lit(False))
    deletes = rows.filter(current & (nw.col("op") == "d"))
    before = rows_of(rows, deletes, "_entity")
    before = before.filter((nw.col("disposition") == SUPERSEDED) & (nw.col("op") != "d"))
    before = before.unique("_entity", keep="last", order_by=["lsn"])
    times = deletes.select("_entity", _event="event_ts", _ingest="ingest_ts")
    gone = before.join(times, on="_entity", how="inner")
    gone = gone.with_columns(event_ts=nw.col("_event"), ingest_ts=nw.col("_ingest"))
    never = deletes.join(before.select("_entity"), on="_entity", how="anti")
    columns = rows.collect_schema().names()
    gone = nw.concat([gone.select(columns), never.select(columns)]).with_columns(is_deleted=nw.lit(True))
    return nw.concat([alive, gone])


# --- accounts and people ----------------------------------------------------------------------------------------------
def account_states(rows: Frame) -> Frame:
    """One row an account that is not erased: `node`, current values, match keys, first_event_ts, last_ingest_ts.

    Most accounts have one row, which tells both times; only superseded rows are grouped.
    """
    superseded = rows.filter(nw.col("disposition") == SUPERSEDED)
    before = superseded.group_by("_entity").agg(_first=nw.col("event_ts").min(), _last=nw.col("ingest_ts").max())
    last = with_columns_of(states(rows).drop("disposition", "op", "lsn"), before, on="_entity")
    earlier = (nw.col("_first") < nw.col("event_ts")).fill_null(False)
    later = (nw.col("_last") > nw.col("ingest_ts")).fill_null(False)
    last = last.with_columns(
        first_event_ts=nw.when(earlier).then(nw.col("_first")).otherwise(nw.col("event_ts")),
        last_ingest_ts=nw.when(later).then(nw.col("_last")).otherwise(nw.col("ingest_ts")),
    )
    return last.drop("_entity", "_first", "_last").rename({"_row_number": "node"})


def erased_rows(rows: Frame, erased: Frame, as_of: int) -> Frame:
    """Rows of customers of the accounts that a request names, marked as if there were none."""
    nobody = erased.with_columns(is_erased=nw.lit(False))
    return marked(rows_of(rows, erased, "_account"), nobody, RAW["customers"], as_of)


def accounts(account_states: Frame) -> Frame:
    """Accounts without the match keys that only identity reads, so that those are freed when it is done."""
    return account_states.drop(*(key for key in KEYS if key != "email_key"))


def doubts(rows: Frame, account_states: Frame) -> Frame:
    """Accounts that a row which cannot be used may have changed since: (node, is_gone, no_email, no_phone, no_push).

    A row counts where its lsn is not readably below that of the current state. A delete may mean that the account
    `is_gone`; any other change, that the addresses it does not repeat are old; a row whose op is unreadable, either.
    """
    current = rows.filter(nw.col("disposition") == CURRENT).select("_account", _lsn="lsn")
    states = account_states.select("node", "_account", *(nw.col(n).alias(f"_{n}") for n in _ADDRESSES))
    unusable = rows.filter(nw.col("disposition").is_in([QUARANTINED, CONFLICT])).select(
        "_account", "op", "lsn", *_ADDRESSES
    )
    unusable = unusable.join(current.join(states, on="_account", how="inner"), on="_account", how="inner")
    unusable = unusable.filter(nw.col("lsn").is_null() | (nw.col("lsn") >= nw.col("_lsn")))
    is_unknown, is_change = nw.col("op").is_null(), nw.col("op") != "d"
    found = unusable.select(
        "node",
        is_gone=_one_where(nw.col("op") == "d"),
        no_email=_one_where(is_unknown | (is_change & ~_is_same("email"))),
        no_phone=_one_where(is_unknown | (is_change & ~_is_same("phone"))),
        no_push=_one_where(is_unknown),
    )
    kinds = ("is_gone", "no_email", "no_phone", "no_push")
    found = found.group_by("node").agg(nw.col(name).max() for name in kinds)
    return found.with_columns(nw.col(name) == 1 for name in kinds)


_ADDRESSES = ("email", "email_key", "phone", "phone_key")


def _one_where(true: nw.Expr) -> nw.Expr:
    return nw.when(true.fill_null(False)).then(1).otherwise(0)


def _is_same(name: str) -> nw.Expr:
    """Whether a row repeats an address of the current state, however it is written, or both have none."""
    alike = [nw.col(n) == nw.col(f"_{n}") for n in (name, f"{name}_key")]
    return (
        alike[0].fill_null(False) | alike[1].fill_null(False) | (nw.col(name).is_null() & nw.col(f"_{name}").is_null())
    )


def directory(identified: Frame, erased: Frame, doubts: Frame) -> Frame:
    """What a row may learn from the account it names: (_account, node, person, is_account_deleted, is_erased)."""
    living = in_directory(identified, doubts)
    number = null_of(nw.col("request_row"))
    gone = erased.with_columns(node=number, person=number, is_account_deleted=null_of(nw.col("is_erased")))
    return nw.concat([living, gone.select(living.collect_schema().names())])


def in_directory(accounts: Frame, doubts: Frame) -> Frame:
    """The entries of accounts, with their `person`. One that may be gone is deleted: what it granted opens nothing."""
    names = ("_account", "node", "person", "is_deleted")
    rows = with_columns_of(accounts.select(*names), doubts.select("node", "is_gone"), "node")
    deleted = nw.col("is_deleted") | nw.col("is_gone").fill_null(False)
    return rows.select("_account", "node", "person", is_account_deleted=deleted, is_erased=nw.lit(False))


def identified(accounts: Frame, clusters: Frame) -> Frame:
    """Accounts with the `person` they belong to and the `rule` that put them there; alone: themselves and null."""
    joined = with_columns_of(accounts, clusters, on="node")
    return joined.with_columns(person=nw.coalesce(nw.col("person"), nw.col("node")))


def people(identified: Frame) -> Frame:
    """One row a person: (person, profile_id, counts, first and last times); the id is that of the oldest account.

    Most accounts are alone and a row each; only the others are grouped.
    """
    ones = identified.select(
        "person",
        "node",
        "rule",
        source_record_count=nw.lit(1).cast(nw.Int64()),
        live_record_count=nw.when(nw.col("is_deleted")).then(nw.lit(0)).otherwise(nw.lit(1)).cast(nw.Int64()),
        first_seen_ts="first_event_ts",
        last_updated_ts="event_ts",
        accounts_ingest_ts="last_ingest_ts",
        profile_id=nw.concat_str([nw.lit("P-"), nw.col("record_id")]),
    )
    alone = nw.col("rule").is_null()
    many = ones.filter(~alone)
    counts = many.group_by("person").agg(
        nw.col("source_record_count").sum(),
        nw.col("live_record_count").sum(),
        nw.col("first_seen_ts").min(),
        nw.col("last_updated_ts").max(),
        nw.col("accounts_ingest_ts").max(),
    )
    ids = many.filter(nw.col("node") == nw.col("person")).select("person", "profile_id")
    whole = [nw.col(name).cast(nw.Int64()) for name in ("source_record_count", "live_record_count")]
    counts = counts.with_columns(whole).join(ids, on="person", how="inner")
    return nw.concat([ones.filter(alone).select(counts.collect_schema().names()), counts])


def live_people(people: Frame) -> Frame:
    """One row a person with a live account: (person, profile_id, place), `place` in the order of profile_id from 0.

    On pandas and polars the rows stand in that order: what is made of them row by row need not be sorted again.
    """
    live = people.filter(nw.col("live_record_count") > 0).select("person", "profile_id")
    return in_order(live, "profile_id", "place")


# --- behaviour --------------------------------------------------------------------------------------------------------
def shared_devices(rows: Frame) -> Frame:
    """Devices that more accounts use than a device may: (_device, account_count)."""
    used = rows.select("_device", "_account", "disposition").filter(
        (nw.col("disposition") == CURRENT) & ~nw.col("_account").is_null() & ~nw.col("_device").is_null()
    )
    pairs = used.select("_device", "_account").unique(["_device", "_account"])
    counts = pairs.group_by("_device").agg(account_count=nw.len())
    counts = counts.with_columns(nw.col("account_count").cast(nw.Int64()))
    return counts.filter(nw.col("account_count") > MAX_ACCOUNTS_PER_DEVICE)


def blocked_devices(shared_devices: Frame, rows: Frame) -> Frame:
    """The same devices by their ids, which any of their rows tells: (kind, key, account_count, account_limit)."""
    ids = rows_of(rows.select("_device", "anonymous_id"), shared_devices, "_device")
    return shared_devices.join(ids.unique("_device"), on="_device", how="inner").select(
        kind=nw.lit("device"),
        key=nw.col("anonymous_id"),
        account_count="account_count",
        account_limit=nw.lit(MAX_ACCOUNTS_PER_DEVICE).cast(nw.Int64()),
    )


def shared_devices_among(rows: Frame, blocked_devices: Frame) -> Frame:
    """What `shared_devices` gives for some of the rows, from the `blocked_devices` of all of them."""
    counts = blocked_devices.select("account_count", anonymous_id="key")
    ids = rows.select("_device", "anonymous_id").unique("_device")
    return ids.join(counts, on="anonymous_id", how="inner").select("_device", "account_count")


def visits(rows: Frame, shared_devices: Frame) -> Frame:
    """Events with `visit`, a number that the events of one visit share, and the `person` they name, if any.

    A visit is a run of one visitor's events with gaps of at most 30 minutes. The visitor is the device; where there is
    none, or too many accounts use it, the account; else the event stands alone, as does every event that is not
    current: to leave those out would copy all the others.
    """
    shared = shared_devices.select("_device").with_columns(is_shared=nw.lit(True))
    events = rows.select("_row_number", "event_ts", "ingest_ts", "person", "_device", "_account", "disposition")
    events = with_columns_of(events, shared, "_device")
    device = nw.when(nw.col("is_shared").is_null()).then(nw.col("_device") * 3)
    account, nobody = nw.col("_account") * 3 + 1, nw.col("_row_number") * 3 + 2
    visitor = nw.when(nw.col("disposition") == CURRENT).then(nw.coalesce(device, account, nobody)).otherwise(nobody)
    events = events.with_columns(_visitor=visitor, event_ts=nw.col("event_ts").fill_null(0))
    events = events.drop("_device", "_account", "is_shared")
    return with_runs(events, "_visitor", "event_ts", "_row_number", SESSION_GAP_SECONDS, "visit")


def stitched(visits: Frame, rows: Frame) -> Frame:
    """Current events with their visit and the `person` they are given to.

    An event without an account takes the next identified event's person in its visit, else the previous one's, in the
    order of (event_ts, event_id). On a blocked device it has a visit of its own, so it stays unassigned.
    """
    named = visits.filter(~nw.col("person").is_null()).select("visit", "person")
    groups = named.group_by("visit").agg(_least=nw.col("person").min(), _most=nw.col("person").max())
    is_mixed = nw.col("_least") != nw.col("_most")
    only = nw.when(~is_mixed).then(nw.col("_least"))
    events = with_columns_of(visits, groups.select("visit", _only=only, _is_mixed=is_mixed), "visit")
    of_many = events.filter(nw.col("_is_mixed")).drop("_only", "_is_mixed")
    events = events.with_columns(person=nw.coalesce("person", "_only")).drop("_only", "_is_mixed")
    events = with_cells_of(events, _nearest_persons(of_many, rows), "_row_number")
    return events.filter(nw.col("disposition") == CURRENT).drop("disposition")


def _nearest_persons(events: Frame, rows: Frame) -> Frame:
    """Of events of visits that name several people: (_row_number, person), their own, else the next, else the last."""
    ids = rows_of(rows.select("_row_number", "event_id"), events, "_row_number")
    events, order = events.join(ids, on="_row_number", how="inner"), ["event_ts", "event_id"]
    events = events.with_columns(
        _next=nw.col("person").fill_null(strategy="backward").over("visit", order_by=order),
        _last=nw.col("person").fill_null(strategy="forward").over("visit", order_by=order),
    )
    return events.select("_row_number", person=nw.coalesce("_next", "_last"))


def assigned_tickets(rows: Frame, identified: Frame) -> Frame:
    """Last states of tickets with their `person`: the account named, else the only person who holds the e-mail."""
    tickets = states(rows)
    holders = identified.filter(~nw.col("is_deleted") & ~nw.col("email_key").is_null())
    holders = holders.group_by("email_key").agg(_least=nw.col("person").min(), _most=nw.col("person").max())
    single = holders.filter(nw.col("_least") == nw.col("_most")).select("email_key", _holder="_least")
    tickets = tickets.join(single, on="email_key", how="left")
    named = nw.when(nw.col("record_id").is_null()).then(nw.col("_holder")).otherwise(nw.col("person"))
    return tickets.with_columns(person=named).drop("_holder")


# --- what is written --------------------------------------------------------------------------------------------------
def conformed(rows: Frame, people: Frame, table: Table) -> Frame:
    """Rows with `person` as the silver table: the text profile_id in its place, the table's columns in order."""
    ids = people.select("person", "profile_id")
    return rows.join(ids, on="person", how="left").select(table.column_names)


def clickstream(rows: Frame, visits: Frame, people: Frame) -> Frame:
    """Events with their person and session_id: the visit's first event by (event_ts, event_id)."""
    current = rows.filter(nw.col("disposition") == CURRENT).drop("person")
    given = visits.select("_row_number", "visit", "person")
    events = current.join(given, on="_row_number", how="inner")
    first = events.with_columns(_start=nw.col("event_ts").min().over("visit"))
    first = first.filter(nw.col("event_ts") == nw.col("_start")).select("visit", session_id="event_id")
    first = one_each(first, "visit", "session_id")
    return conformed(events.join(first, on="visit", how="inner"), people, SILVER["clickstream"])


def quarantine(rows: Frame, findings: Frame, table: Table) -> Frame:
    """Quarantined rows of one source: (source, row_number, rule, detail)."""
    bad = rows.select("_row_number", "record_id", "disposition").filter(nw.col("disposition").is_in(ALL_QUARANTINED))
    bad = bad.rename({"_row_number": "row_number"})
    account = nw.concat_str([nw.lit("no account "), nw.col("record_id").fill_null("is named")])
    other = nw.lit(f"{', '.join(table.key)} stands with another content")
    faults = findings.filter(nw.col("column").is_null())
    parts = [
        bad.filter(nw.col("disposition") == QUARANTINED).join(faults, on="row_number", how="inner"),
        bad.filter(nw.col("disposition") == CONFLICT).with_columns(rule=nw.lit("one_content_per_key"), detail=other),
        bad.filter(nw.col("disposition") == ORPHAN).with_columns(rule=nw.lit("account_exists"), detail=account),
    ]
    return nw.concat(
        [part.select(nw.lit(table.name).alias("source"), "row_number", "rule", "detail") for part in parts]
    )


def field_issues(rows: Frame, findings: Frame, table: Table) -> Frame:
    """Unreadable cells of kept rows of one source: (source, row_number, column, rule)."""
    kept = rows.select("disposition", row_number="_row_number")
    kept = kept.filter(nw.col("disposition").is_in([CURRENT, SUPERSEDED]))
    held = findings.filter(~nw.col("column").is_null()).join(kept, on="row_number", how="inner")
    return held.select(nw.lit(table.name).alias("source"), "row_number", "column", "rule")


def told(disposition: int) -> str:
    """The name of a disposition.

    >>> told(ORPHAN), told(CURRENT)
    ('quarantined', 'current')
    """
    return DISPOSITIONS[QUARANTINED if disposition in ALL_QUARANTINED else disposition]


def dispositions(rows: Frame, table: Table) -> Frame:
    """Rows of one source by what became of them: (source, disposition, row_count)."""
    number = nw.col("disposition")
    number = nw.when(number.is_in(ALL_QUARANTINED)).then(_number(QUARANTINED)).otherwise(number)
    counts = rows.select(number=number.cast(nw.Int64())).group_by("number").agg(row_count=nw.len())
    counts = named(counts, "number", DISPOSITIONS, "disposition")
    return counts.select(
        source=nw.lit(table.name), disposition="disposition", row_count=nw.col("row_count").cast(nw.Int64())
    )
