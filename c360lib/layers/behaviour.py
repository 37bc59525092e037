"""What people did: visits, and the tickets that are theirs."""

from __future__ import annotations

import narwhals as nw

from c360lib.engines.base import Frame
from c360lib.engines.kernels import rows_of, sessionize, with_cells_of, with_columns_of
from c360lib.layers.dispositions import CURRENT, states
from c360lib.rules import MAX_ACCOUNTS_PER_DEVICE, SESSION_GAP_SECONDS


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
    device = nw.when(nw.col("is_shared").is_null()).then(_visitor("_device"))
    account, alone = _visitor("_account"), _visitor("_row_number")
    visitor = nw.when(nw.col("disposition") == CURRENT).then(nw.coalesce(device, account, alone)).otherwise(alone)
    events = events.with_columns(_visitor=visitor, event_ts=nw.col("event_ts").fill_null(0))
    events = events.drop("_device", "_account", "is_shared")
    return sessionize(events, "_visitor", "event_ts", "_row_number", SESSION_GAP_SECONDS, "visit")


_VISITORS = ("_device", "_account", "_row_number")


def _visitor(name: str) -> nw.Expr:
    """One number for who a visit is of, from that of a device, an account or a row: no two kinds share one.

    >>> rows = nw.from_dict({"_device": [7], "_account": [7], "_row_number": [7]}, backend="polars")
    >>> rows.select(**{name: _visitor(name) for name in _VISITORS}).rows()
    [(21, 22, 23)]
    """
    return nw.col(name) * len(_VISITORS) + _VISITORS.index(name)


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
