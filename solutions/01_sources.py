# ---
# jupyter:
#   jupytext:
#     formats: py:percent
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 01 Sources: what happened, and when did we hear of it?
#
# *45 minutes · after lesson 00 · you need: pandas filter, groupby, merge*
#
# ## What you will do
#
# 1. tell a snapshot from a log of changes, and say what the snapshot never shows
# 2. rebuild the latest state of each order from its changes
# 3. count what arrives late, with two clocks
# 4. tell a second delivery from a real change
# 5. say what was known at a moment, and what was not
#
# ## In production
#
# | here | in production |
# |---|---|
# | `customers.csv`, `orders.csv`, `support_tickets.csv` | CDC topics: ordered changes with primary key, operation, transaction and source timestamp, read from the database's own log |
# | `clickstream.csv`, `campaign_events.csv` | behavioural topics: append only, with event time |
# | `consent_events.csv`, `erasure_requests.csv` | governance inputs, on topics of their own |
#
# A broker promises to deliver each row *at least once*, and in order only within one key of one topic. Late, doubled
# and overtaking rows are therefore no accident to be surprised by; they are what a source looks like.
#
# ## The story so far
#
# In lesson 00 you saw the finished product. Now stand at its front door. Anton Schneider orders in the app, in the shop
# and by phone through the CRM. Ayşe Rossi orders with her loyalty card. Each of those systems tells us what happened in
# its own way and in its own time. In June 2025, Ayşe's payment reached us six hours before the order that she paid.

# %% tags=["setup"]
import pandas as pd

from c360lib import plots
from c360lib.course import check, hint, lesson_workspace, show, solution

# %% [markdown]
# This lesson starts from the raw files. `ws.raw(name)` gives one as it stands: every column is text, and what is absent
# is `''`.

# %%
ws = lesson_workspace("raw")
orders = ws.raw("orders")
orders.head(3).T

# %% [markdown]
# ## Three ways to say what happened
#
# > **snapshot**: a copy of a whole table at one moment; each copy replaces the one before.
#
# > **CDC**: change data capture; a log with one row for each change of a row in a source's database.
#
# > **behavioural event**: something that somebody did, told once and never changed: a click, an opened mail.
#
# The columns tell which is which. A log of changes says what was done (`op`) and in which order (`lsn`). An event has a
# name of its own (`event_id`) and nothing that could be updated.

# %%
names = ["customers", "orders", "support_tickets", "clickstream", "campaign_events", "consent_events"]
told = {name: ws.raw(name) for name in names}
about = [(name, len(rows), "op" in rows, "lsn" in rows, "event_id" in rows) for name, rows in told.items()]
pd.DataFrame(about, columns=["source", "rows", "has op", "has lsn", "has event_id"])

# %% [markdown]
# Three sources are logs of changes and three are events. The seventh, `erasure_requests.csv`, holds events too, with a
# `request_id`. Here are three orders of Anton's, as the log has them. An order starts as `placed`, then it is `paid` or
# `cancelled`, and one that is paid may be `refunded`.

# %%
three = ["O193950122297", "O307946385660", "O744485624151"]
shown = ["order_id", "op", "lsn", "status", "event_ts", "ingest_ts"]
anton = orders[orders["order_id"].isin(three)].sort_values(["order_id", "lsn"])
anton[shown]

# %% [markdown]
# ### Exercise 1: what the nightly copy saw (4 minutes)
#
# Suppose that the shops sent no log. Instead, each of them copies its orders table at the end of every day (UTC, going
# by `event_ts`), until 30 June 2026.
#
# Predict for each of the three orders: in how many *different statuses* does it appear in all those copies together?
# Give a list of three whole numbers, in the order of the table: `O193950122297`, `O307946385660`, `O744485624151`.

# %% exercise="sources.statuses_seen" objective="1" criterion="architecture"
statuses_seen = [2, 1, 1]

# %% stub="sources.statuses_seen"
statuses_seen = ...

# %% check="sources.statuses_seen"
check("sources.statuses_seen", statuses_seen)

# %% [markdown]
# Stuck? `hint("sources.statuses_seen")` gives one hint at a time; after an attempt `solution("sources.statuses_seen")` shows one answer.

# %% [markdown] hint="sources.statuses_seen"
# A copy holds an order as it is at the end of that day. For each order, write down its status at the end of each day on which something happened.

# %% [markdown] hint="sources.statuses_seen"
# Two changes on one day leave one status in the copy of that day. An order that nobody touches stays in every later copy.

# %% truth="sources.statuses_seen"
def truth(workspace):
    rows = workspace.raw("orders").assign(lsn=lambda table: table["lsn"].astype(int), day=lambda table: table["event_ts"].str[:10])
    nightly = rows.sort_values("lsn").drop_duplicates(["source_system", "order_id", "day"], keep="last")
    seen = nightly.groupby("order_id")["status"].nunique()
    return [int(seen[name]) for name in ["O193950122297", "O307946385660", "O744485624151"]]

# %% wrong="sources.statuses_seen" misconception="a-snapshot-shows-every-change" says="That counts the changes in the log. A copy shows only what is there when it is made: where an order changes twice on one day, the first of the two states is gone by night."
statuses_seen = [2, 2, 1]

# %% wrong="sources.statuses_seen" misconception="only-the-last-copy" says="That is what the last copy alone shows. There is one each night: look at what each order was at the end of the day on which it was placed."
statuses_seen = [1, 1, 1]

# %% wrong="sources.statuses_seen" misconception="a-copy-holds-only-changes" says="A copy holds the whole table, also the orders that did not change. The order that was placed and never paid is in every copy from then on."
statuses_seen = [2, 1, 0]

# %% wrong="sources.statuses_seen" misconception="differences-instead-of-states" says="You count how often a copy differs from the one before. The question asks in how many statuses the order appears, and the first one counts too."
statuses_seen = [1, 0, 0]

# %% wrong="sources.statuses_seen" misconception="copied-by-arrival" says="You seem to go by when changes reached us. The shop copies its own table, so look at event_ts. And was the third order ever anything but placed?"
statuses_seen = [2, 2, 2]

# %% [markdown]
# How much would be lost over all orders? Count the changes that are followed by another change of the same order on the
# same day: no nightly copy ever held their state.

# %%
log = orders.drop_duplicates(["source_system", "order_id", "lsn"]).astype({"lsn": int})
log = log.sort_values(["source_system", "order_id", "lsn"])
next_day = log.groupby(["source_system", "order_id"])["event_ts"].shift(-1).str[:10]
int((next_day == log["event_ts"].str[:10]).sum()), len(log)

# %% [markdown]
# More than a third of what happened would never have been seen. A snapshot has its place all the same: it is how a log
# begins. When a connector is switched on, it first reads the table as it is and writes each row as op `r`, "read". These
# two accounts were read so: their first change does not say when they were created, only that they were there.

# %%
customers = told["customers"]
customers.loc[customers["op"] == "r", ["source_system", "customer_id", "op", "lsn", "event_ts"]].head(2)

# %% [markdown]
# ## How to read a change
#
# | column | what it says |
# |---|---|
# | `op` | `c` created, `u` updated, `d` deleted, `r` read from a snapshot |
# | `lsn` | the place of the change in the source's log |
# | `tx_id` | the transaction that made it; its changes belong together, all or none |
#
# > **LSN**: log sequence number; a whole number that a source gives to each change, in the order in which it made them.
#
# The `lsn` is the source's own word on what came after what. It is not a time, it has gaps, and it is compared only within
# one *entity*: one account, one order, one ticket. Within one order, the change with the largest `lsn` is the latest.
# (A transaction may change many rows. In this sample each changes one.)
#
# What does a delete look like?

# %%
orders.loc[orders["order_id"] == "O977156501534", ["op", "lsn", "status", "customer_id", "net_amount_cents", "event_ts"]]

# %% [markdown]
# A delete carries its key, `op`, `lsn` and the two times, and nothing else. It says "this order is no more", not what the
# order was. If you need that, it stands in the change before.
#
# Now the values. All is text in a raw file, so ask yourself what `sort_values` makes of a number that is text.

# %%
pd.Series(["9722", "10091", "958"]).sort_values().tolist()

# %% [markdown]
# ### Exercise 2: the latest state (9 minutes)
#
# A colleague wrote this, to get the orders as they are now:
#
# ```python
# def latest_state(changes):
#     known = changes[changes["op"] != "d"]
#     newest = known.sort_values("ingest_ts").drop_duplicates("order_id", keep="last")
#     return newest[["source_system", "order_id", "status"]]
# ```
#
# It gives Ayşe's order of 27 June 2025 as `placed`, although she has paid. It brings deleted orders back to life. A third
# fault will show on the day when two systems happen to number their orders alike. Write the function without them.
#
# `changes` has the raw columns of orders, all text, in any order of rows, with some rows delivered twice. Return one row
# for each order that still exists: `source_system`, `order_id`, `status`. An order is named by `source_system` and
# `order_id` together.

# %% exercise="sources.latest_state" objective="2" criterion="architecture"
def latest_state(changes):
    ordered = changes.assign(place=changes["lsn"].astype(int)).sort_values("place")
    latest = ordered.drop_duplicates(["source_system", "order_id"], keep="last")
    return latest.loc[latest["op"] != "d", ["source_system", "order_id", "status"]]

# %% stub="sources.latest_state"
def latest_state(changes):
    """The orders that still exist, a row each: source_system, order_id, status after the latest change."""
    ...

# %% check="sources.latest_state"
check("sources.latest_state", latest_state)

# %% [markdown] hint="sources.latest_state"
# Which column is the source's own word on order? Neither of the two times is. And what is its type?

# %% [markdown] hint="sources.latest_state"
# When do you leave out the deletes: before you look for the latest change of an order, or after? Try both on an order with `c`, `u`, `d`.

# %% [markdown] hint="sources.latest_state"
# Make the lsn a number, sort by it, keep the last row for each pair of system and order id, and only then drop those whose last row is a delete.

# %% cases="sources.latest_state" key="source_system, order_id"
def cases(workspace):
    columns = ["event_ts", "ingest_ts", "source_system", "order_id", "op", "lsn", "status", "customer_id", "net_amount_cents"]
    made = pd.DataFrame(
        [
            ("2026-01-01T10:00:00Z", "2026-01-01T10:01:00Z", "shop", "O1", "c", "998", "placed", "7", "100"),
            ("2026-01-01T11:00:00Z", "2026-01-01T11:01:00Z", "shop", "O1", "u", "1002", "paid", "7", "100"),
            ("2026-01-02T10:00:00Z", "2026-01-02T10:01:00Z", "app", "O1", "c", "20", "placed", "8", "300"),
            ("2026-01-03T09:00:00Z", "2026-01-03T20:00:00Z", "shop", "O2", "c", "1100", "placed", "7", "250"),
            ("2026-01-03T12:00:00Z", "2026-01-03T12:01:00Z", "shop", "O2", "u", "1150", "paid", "7", "250"),
            ("2026-01-04T12:00:00Z", "2026-01-04T12:01:00Z", "crm", "O3", "c", "50", "placed", "9", "400"),
            ("2026-01-04T11:58:00Z", "2026-01-04T13:01:00Z", "crm", "O3", "u", "61", "cancelled", "9", "400"),
            ("2026-01-05T08:00:00Z", "2026-01-05T08:01:00Z", "crm", "O4", "c", "70", "placed", "9", "120"),
            ("2026-01-06T08:00:00Z", "2026-01-06T08:01:00Z", "crm", "O4", "d", "80", "", "", ""),
            ("2026-01-07T08:00:00Z", "2026-01-07T08:01:00Z", "crm", "O5", "r", "90", "paid", "9", "120"),
            ("2026-01-07T08:00:00Z", "2026-01-09T08:01:00Z", "crm", "O5", "r", "90", "paid", "9", "120"),
            ("2026-01-08T08:00:00Z", "2026-01-08T08:01:00Z", "app", "O6", "d", "30", "", "", ""),
            ("2026-01-07T08:00:00Z", "2026-01-08T09:01:00Z", "app", "O6", "c", "22", "placed", "8", "90"),
            ("2026-01-10T08:00:00Z", "2026-01-10T08:01:00Z", "app", "O7", "u", "34", "paid", "8", "90"),
            ("2026-01-10T07:00:00Z", "2026-01-10T07:01:00Z", "app", "O7", "c", "33", "placed", "8", "90"),
        ],
        columns=columns,
    )
    rows = workspace.raw("orders")
    return [(rows,), (made,), (made.iloc[::-1],), (made.iloc[:0],), (rows.iloc[::-1].reset_index(drop=True),)]

# %% wrong="sources.latest_state" misconception="nothing-mended" says="This still behaves as the colleague's version: it goes by arrival, drops deletes before it looks for the latest change, and takes equal order numbers of two systems for one order."
def latest_state(changes):
    known = changes[changes["op"] != "d"]
    newest = known.sort_values("ingest_ts").drop_duplicates("order_id", keep="last")
    return newest[["source_system", "order_id", "status"]]

# %% wrong="sources.latest_state" misconception="arrival-decides" says="You take the change that arrived last. Changes overtake each other on the way: the payment of Ayşe's order arrived before the order. The lsn says what came after what at the source."
def latest_state(changes):
    newest = changes.sort_values("ingest_ts").drop_duplicates(["source_system", "order_id"], keep="last")
    return newest.loc[newest["op"] != "d", ["source_system", "order_id", "status"]]

# %% wrong="sources.latest_state" misconception="arrival-decides-and-deletes-dropped" says="Two faults are left: you take the change that arrived last, and you drop the deletes first, which brings deleted orders back."
def latest_state(changes):
    known = changes[changes["op"] != "d"]
    newest = known.sort_values("ingest_ts").drop_duplicates(["source_system", "order_id"], keep="last")
    return newest[["source_system", "order_id", "status"]]

# %% wrong="sources.latest_state" misconception="event-time-decides" says="You take the change with the latest event_ts. Mostly that is right, which makes it dangerous: a source's clock can be set back, and then a later change has an earlier time. Only the lsn orders the changes of one entity."
def latest_state(changes):
    newest = changes.sort_values("event_ts", kind="stable").drop_duplicates(["source_system", "order_id"], keep="last")
    return newest.loc[newest["op"] != "d", ["source_system", "order_id", "status"]]

# %% wrong="sources.latest_state" misconception="file-order-decides" says="You take the last row in the file. Where a row stands in a file says nothing: the same rows in another order must give the same state."
def latest_state(changes):
    newest = changes.drop_duplicates(["source_system", "order_id"], keep="last")
    return newest.loc[newest["op"] != "d", ["source_system", "order_id", "status"]]

# %% wrong="sources.latest_state" misconception="lsn-as-text" says="The lsn is sorted as text, and as text 10091 comes before 9722. Make it a number first."
def latest_state(changes):
    newest = changes.sort_values("lsn").drop_duplicates(["source_system", "order_id"], keep="last")
    return newest.loc[newest["op"] != "d", ["source_system", "order_id", "status"]]

# %% wrong="sources.latest_state" misconception="lsn-as-text-and-deletes-dropped" says="Two faults are left: the lsn is sorted as text, in which 10091 comes before 9722, and deletes are dropped before you know the latest change."
def latest_state(changes):
    known = changes[changes["op"] != "d"]
    newest = known.sort_values("lsn").drop_duplicates(["source_system", "order_id"], keep="last")
    return newest[["source_system", "order_id", "status"]]

# %% wrong="sources.latest_state" misconception="deletes-dropped-first" says="You drop the deletes before you look for the latest change. A deleted order then appears as it was before, back from the dead. Find the latest change first; if it is a delete, the order is gone."
def latest_state(changes):
    known = changes[changes["op"] != "d"].assign(place=lambda table: table["lsn"].astype(int))
    newest = known.sort_values("place").drop_duplicates(["source_system", "order_id"], keep="last")
    return newest[["source_system", "order_id", "status"]]

# %% wrong="sources.latest_state" misconception="deleted-orders-kept" says="Deleted orders are still in your table, with an empty status. A delete means that the order is no more."
def latest_state(changes):
    ordered = changes.assign(place=changes["lsn"].astype(int)).sort_values("place")
    return ordered.drop_duplicates(["source_system", "order_id"], keep="last")[["source_system", "order_id", "status"]]

# %% wrong="sources.latest_state" misconception="order-id-alone-is-the-key" says="Two systems may give the same number to different orders. You keep only one of them, because you look at order_id alone: an order is named by source_system and order_id together."
def latest_state(changes):
    ordered = changes.assign(place=changes["lsn"].astype(int)).sort_values("place")
    latest = ordered.drop_duplicates("order_id", keep="last")
    return latest.loc[latest["op"] != "d", ["source_system", "order_id", "status"]]

# %% right="sources.latest_state"
def latest_state(changes):
    numbered = changes.assign(lsn=pd.to_numeric(changes["lsn"]))
    last = numbered.groupby(["source_system", "order_id"], as_index=False)["lsn"].max()
    latest = numbered.merge(last, on=["source_system", "order_id", "lsn"])
    latest = latest[latest["op"] != "d"].drop_duplicates(["source_system", "order_id"])
    return latest[["order_id", "status", "source_system"]]

# %% right="sources.latest_state"
def latest_state(changes):
    state = {}
    for row in changes.to_dict("records"):
        name = (row["source_system"], row["order_id"])
        if name not in state or int(row["lsn"]) > int(state[name]["lsn"]):
            state[name] = row
    kept = [(*name, row["status"]) for name, row in state.items() if row["op"] != "d"]
    return pd.DataFrame(kept, columns=["source_system", "order_id", "status"])

# %% right="sources.latest_state"
def latest_state(changes):
    key = ["source_system", "order_id"]
    rank = changes["lsn"].astype(int).groupby([changes[name] for name in key]).rank(method="dense", ascending=False)
    latest = changes[(rank == 1) & (changes["op"] != "d")]
    return latest.drop_duplicates(key).set_index(key)[["status"]].reset_index()

# %% [markdown]
# Does it matter? Ask for the latest change of each order in three ways: by `lsn`, by arrival, by event time. How many
# orders end elsewhere than the `lsn` says, first by arrival, then by event time?

# %%
key = ["source_system", "order_id"]
by_lsn = log.sort_values("lsn").drop_duplicates(key, keep="last").set_index(key)["lsn"].sort_index()
by_arrival = log.sort_values("ingest_ts").drop_duplicates(key, keep="last").set_index(key)["lsn"].sort_index()
by_event = log.sort_values("event_ts").drop_duplicates(key, keep="last").set_index(key)["lsn"].sort_index()
int((by_arrival != by_lsn).sum()), int((by_event != by_lsn).sum())

# %% [markdown]
# The same for the accounts in `customers`:

# %%
key = ["source_system", "customer_id"]
log_c = customers.drop_duplicates([*key, "lsn"]).astype({"lsn": int})
by_lsn = log_c.sort_values("lsn").drop_duplicates(key, keep="last").set_index(key)["lsn"].sort_index()
by_arrival = log_c.sort_values("ingest_ts").drop_duplicates(key, keep="last").set_index(key)["lsn"].sort_index()
by_event = log_c.sort_values("event_ts").drop_duplicates(key, keep="last").set_index(key)["lsn"].sort_index()
int((by_arrival != by_lsn).sum()), int((by_event != by_lsn).sum())

# %% [markdown]
# Sorting by arrival gets orders wrong. Sorting by event time gets every order right, so a test on orders would let it
# pass, and then it gets accounts wrong. This is one of them: somebody moved to a new phone number in 2025, and the app
# wrote a time from 2023.

# %%
angelika = log_c[log_c["customer_id"] == "1982405987"].sort_values("lsn")
angelika[["op", "lsn", "phone", "event_ts", "ingest_ts"]]

# %% [markdown]
# ## Two clocks
#
# > **event time**: when something happened, by the clock of the source; here `event_ts`.
#
# > **ingest time**: when we received the news of it, by our own clock; here `ingest_ts`.
#
# The `lsn` orders the changes of *one* entity. For everything else you need time, and there are two of them. Event time
# is the one that means something: a visit, a choice, a day's revenue belong to when they happened. Ingest time says what
# we could have known. The difference is how long a row travelled. In seconds, for the orders:

# %%
happened, arrived = pd.to_datetime(orders["event_ts"]), pd.to_datetime(orders["ingest_ts"])
lag = arrived - happened
lag.dt.total_seconds().describe()[["min", "50%", "max"]]

# %% [markdown]
# Half of the order rows take about two minutes or less. One took almost five days. And the smallest is negative: that
# row arrived before it happened. Clocks of sources run ahead a little; up to five minutes the contract accepts, anything more
# is a broken time.
#
# All sources together, on a log scale, because seconds and days must fit into one picture:

# %%
rows = pd.concat([table[["event_ts", "ingest_ts"]].assign(source=name) for name, table in told.items()])
rows = rows.assign(event_ts=pd.to_datetime(rows["event_ts"]), ingest_ts=pd.to_datetime(rows["ingest_ts"]))
rows["lag_seconds"] = (rows["ingest_ts"] - rows["event_ts"]).dt.total_seconds()
show(plots.sources.lag_histogram(rows), alt="A histogram on log scales: a tall heap of rows that arrive within four minutes, a low one around an hour, and another low one from two hours to days.")

# %% [markdown]
# Three groups: the usual ones, within four minutes; a few that were overtaken, within an hour or so; and late ones, by
# hours or days. In these made-up data the shares are known: 2 rows in 100 are late (5 in 100 for consent), 1 in 100 is
# overtaken, 1 in 200 has a clock that is ahead. A real source does not tell you its shares, so you measure them.
#
# Four rows are off the chart: changes of accounts for which the source wrote a time from weeks or years before. So are
# the rows whose clock ran ahead, because a log scale has no place below nought.
#
# The next chart shows three weeks of clicks and consent choices, with a clock on each axis. The line is where rows would
# stand that arrive at once.

# %%
june = pd.concat([told["clickstream"], told["consent_events"]])[["event_id", "event_ts", "ingest_ts"]]
june = june[june["event_ts"] >= "2026-06-10"].sort_values("ingest_ts")
june = june.assign(event_ts=pd.to_datetime(june["event_ts"]), ingest_ts=pd.to_datetime(june["ingest_ts"]))
june["kind"] = (june["ingest_ts"] - june["event_ts"] > pd.Timedelta(hours=2)).map({True: "late", False: "on time"})
june.loc[june.duplicated("event_id"), "kind"] = "delivered again"
show(plots.sources.two_clocks(june), alt="Event time across, ingest time up: nearly all points lie on the diagonal; some late ones, and some that were delivered again, lie above it by up to five days.")

# %% [markdown]
# Read the chart along a vertical line and you see one day of life reach us over several days. Read it along a
# horizontal line and you see what one day's delivery holds: mostly today, and some of the week before.
#
# ### Exercise 3: how many come late? (5 minutes)
#
# Before you can choose how long to wait for late rows, you have to count them. Write `late_rows(rows, hours)`: how many
# rows arrived *more than* `hours` hours after they happened. `rows` has the text columns `event_ts` and `ingest_ts`;
# `hours` may be a fraction, such as 0.5. A row that arrived before it happened is not late. Count rows as they stand, a
# second delivery too. Return a whole number.

# %% exercise="sources.late_rows" objective="3" criterion="production"
def late_rows(rows, hours):
    lag = pd.to_datetime(rows["ingest_ts"]) - pd.to_datetime(rows["event_ts"])
    return int((lag > pd.Timedelta(hours=hours)).sum())

# %% stub="sources.late_rows"
def late_rows(rows, hours):
    """How many rows arrived more than `hours` hours after they happened."""
    ...

# %% check="sources.late_rows"
check("sources.late_rows", late_rows)

# %% [markdown] hint="sources.late_rows"
# Text cannot be subtracted. `pd.to_datetime` makes times of both columns; their difference is a column of durations.

# %% [markdown] hint="sources.late_rows"
# A duration of 2 days and 3 hours has a part called seconds, which is only the 3 hours. Compare the whole duration: with a `pd.Timedelta`, or as total seconds.

# %% cases="sources.late_rows"
def cases(workspace):
    made = pd.DataFrame(
        [
            ("2026-01-01T10:00:00Z", "2026-01-01T10:01:00Z"),
            ("2026-01-01T10:00:00Z", "2026-01-01T12:00:00Z"),
            ("2026-01-01T10:00:00Z", "2026-01-01T12:00:01Z"),
            ("2026-01-01T10:00:00Z", "2026-01-01T12:40:00Z"),
            ("2026-01-01T10:00:00Z", "2026-01-03T10:00:30Z"),
            ("2026-01-01T23:59:00Z", "2026-01-02T00:01:00Z"),
            ("2026-01-01T10:04:30Z", "2026-01-01T10:00:00Z"),
            ("2026-01-01T10:00:00Z", "2026-01-01T10:00:00Z"),
            ("2026-01-01T10:00:00Z", "2026-01-05T09:00:00Z"),
        ],
        columns=["event_ts", "ingest_ts"],
    )
    orders, consent = workspace.raw("orders"), workspace.raw("consent_events")
    made_cases = [(made, 2), (made, 0.05), (made, 2.5), (made, 24), (made.iloc[:0], 1)]
    return [(orders, 2), (orders, 24), (consent, 0.5), (consent, 0), *made_cases]

# %% wrong="sources.late_rows" misconception="seconds-part-only" says="The seconds of a duration are what is left after whole days: a row that travelled two days and one minute counts as one minute, and a clock that is ahead counts as almost a day. Compare the whole duration."
def late_rows(rows, hours):
    lag = pd.to_datetime(rows["ingest_ts"]) - pd.to_datetime(rows["event_ts"])
    return int((lag.dt.seconds > hours * 3600).sum())

# %% wrong="sources.late_rows" misconception="hours-part-only" says="The hours among the components of a duration are what is left after whole days: a row that travelled two days counts as none. Compare the whole duration."
def late_rows(rows, hours):
    lag = pd.to_datetime(rows["ingest_ts"]) - pd.to_datetime(rows["event_ts"])
    return int((lag.dt.components["hours"] > hours).sum())

# %% wrong="sources.late_rows" misconception="exactly-counts-as-late" says="You count a row that arrived exactly at the limit. More than two hours does not include two hours."
def late_rows(rows, hours):
    lag = pd.to_datetime(rows["ingest_ts"]) - pd.to_datetime(rows["event_ts"])
    return int((lag >= pd.Timedelta(hours=hours)).sum())

# %% wrong="sources.late_rows" misconception="early-counts-as-late" says="You drop the sign of the difference, so a row whose source clock ran ahead counts as late. It arrived early."
def late_rows(rows, hours):
    lag = pd.to_datetime(rows["ingest_ts"]) - pd.to_datetime(rows["event_ts"])
    return int((lag.abs() > pd.Timedelta(hours=hours)).sum())

# %% wrong="sources.late_rows" misconception="clocks-swapped" says="You take event time minus ingest time. A row arrives after it happens, so the travel time is ingest minus event."
def late_rows(rows, hours):
    lag = pd.to_datetime(rows["event_ts"]) - pd.to_datetime(rows["ingest_ts"])
    return int((lag > pd.Timedelta(hours=hours)).sum())

# %% wrong="sources.late_rows" misconception="rounded-to-whole-hours" says="You round the travel time down to whole hours before you compare. Two hours and one second is more than two hours."
def late_rows(rows, hours):
    lag = pd.to_datetime(rows["ingest_ts"]) - pd.to_datetime(rows["event_ts"])
    return int((lag.dt.total_seconds() // 3600 > hours).sum())

# %% wrong="sources.late_rows" misconception="another-day-is-late" says="You compare days. A row from one minute before midnight that arrives two minutes later is not late, and one that takes fourteen hours of the same day is."
def late_rows(rows, hours):
    return int((rows["ingest_ts"].str[:10] > rows["event_ts"].str[:10]).sum())

# %% wrong="sources.late_rows" misconception="share-for-count" says="That is a share. The question asks how many rows, a whole number."
def late_rows(rows, hours):
    lag = pd.to_datetime(rows["ingest_ts"]) - pd.to_datetime(rows["event_ts"])
    return float((lag > pd.Timedelta(hours=hours)).mean())

# %% right="sources.late_rows"
def late_rows(rows, hours):
    travel = (pd.to_datetime(rows["ingest_ts"]) - pd.to_datetime(rows["event_ts"])).dt.total_seconds()
    return len(travel[travel > 3600 * hours])

# %% right="sources.late_rows"
def late_rows(rows, hours):
    pairs = zip(rows["event_ts"], rows["ingest_ts"])
    return sum(pd.Timestamp(came) - pd.Timestamp(was) > pd.Timedelta(hours=hours) for was, came in pairs)

# %% right="sources.late_rows"
def late_rows(rows, hours):
    due = pd.to_datetime(rows["event_ts"]) + pd.Timedelta(seconds=hours * 3600)
    return (pd.to_datetime(rows["ingest_ts"]) > due).sum()

# %% [markdown]
# Late rows are also overtaken rows. This is Ayşe's order of 27 June 2025: placed at twelve past eight, paid at three. The
# news that she had ordered came after nine in the evening.

# %%
ayse = orders[orders["order_id"] == "O780916325853"].sort_values("lsn")
ayse[shown]

# %% [markdown]
# Drawn on the two clocks, the lines cross. Wherever lines cross, whoever goes by arrival has the wrong order of things.

# %%
hours = ayse[["status"]].copy()
hours["event_hour"] = pd.to_datetime(ayse["event_ts"]).dt.hour + pd.to_datetime(ayse["event_ts"]).dt.minute / 60
hours["ingest_hour"] = pd.to_datetime(ayse["ingest_ts"]).dt.hour + pd.to_datetime(ayse["ingest_ts"]).dt.minute / 60
show(plots.sources.overtaking(hours), alt="Two lines between the clocks cross: the order was placed at 8:12 and arrived at 21:12, it was paid at 15:02 and arrived at 15:06.")

# %% [markdown]
# ## The same thing twice
#
# *At least once* means: sometimes twice. When a sender gets no receipt, it sends again, and the second delivery is equal
# in every cell but `ingest_ts`. Here is one of the doubled changes of an order.

# %%
key = ["source_system", "order_id", "lsn"]
twice = orders[orders.duplicated(key, keep=False)].sort_values([*key, "ingest_ts"])
twice[twice["order_id"] == "O617637201069"][shown]

# %% [markdown]
# Count this payment twice and revenue is wrong. But do not throw away too much either. Two page views of the same page
# are two events if they have two `event_id`s, and two changes of an order with two `lsn`s are two changes, even if every
# other cell is equal. Worst is one key with *two different* contents: nobody can say which is right, so neither may be
# used.
#
# ### Exercise 4: first, again, or in conflict (9 minutes)
#
# Write `deliveries(rows, key)`. `rows` is a raw table with `ingest_ts` and other columns, all text; `key` is the list of
# columns that name a row, such as `["event_id"]` or `["source_system", "order_id", "lsn"]`. Return a column aligned with
# `rows`:
#
# - `conflict` for every row of a key that has more than one content; the content is all columns but `ingest_ts`
# - `first` for the earliest arrival of any other key
# - `again` for its later arrivals
#
# No two rows of a key arrive in the same second.

# %% exercise="sources.deliveries" objective="4" criterion="quality"
def deliveries(rows, key):
    content = [name for name in rows.columns if name != "ingest_ts"]
    kind = rows.sort_values("ingest_ts").duplicated(content).map({True: "again", False: "first"})
    same_key = rows.groupby(key)["ingest_ts"].transform("size")
    same_content = rows.groupby(content)["ingest_ts"].transform("size")
    return kind.reindex(rows.index).mask(same_key > same_content, "conflict")

# %% stub="sources.deliveries"
def deliveries(rows, key):
    """`first`, `again` or `conflict` for each row, aligned with `rows`."""
    ...

# %% check="sources.deliveries"
check("sources.deliveries", deliveries)

# %% [markdown] hint="sources.deliveries"
# `duplicated` over all columns finds nothing, because `ingest_ts` differs. Over which columns are a first and a second delivery equal?

# %% [markdown] hint="sources.deliveries"
# Sort by arrival before you ask which of two equal rows is the first; `reindex` afterwards puts the column back into the order of `rows`.

# %% [markdown] hint="sources.deliveries"
# For the conflicts: count for each row how many rows have its key, and how many have its whole content. When do the two numbers differ?

# %% cases="sources.deliveries"
def cases(workspace):
    made = pd.DataFrame(
        [
            ("e1", "view", "/p/1", "2026-01-01T10:00:00Z", "2026-01-01T10:05:00Z"),
            ("e1", "view", "/p/1", "2026-01-01T10:00:00Z", "2026-01-01T10:01:00Z"),
            ("e2", "view", "/p/1", "2026-01-01T10:00:00Z", "2026-01-01T10:02:00Z"),
            ("e3", "view", "/p/3", "2026-01-01T11:00:00Z", "2026-01-01T11:01:00Z"),
            ("e3", "buy", "/p/3", "2026-01-01T11:00:00Z", "2026-01-01T11:02:00Z"),
            ("e3", "view", "/p/3", "2026-01-01T11:00:00Z", "2026-01-01T11:03:00Z"),
            ("e4", "view", "", "2026-01-01T12:00:00Z", "2026-01-01T12:01:00Z"),
            ("e5", "view", "", "2026-01-01T12:00:00Z", "2026-01-02T12:01:00Z"),
            ("e5", "view", "", "2026-01-01T12:00:00Z", "2026-01-03T12:01:00Z"),
            ("e5", "view", "", "2026-01-01T12:00:00Z", "2026-01-01T12:09:00Z"),
            ("e6", "view", "/p/6", "2026-01-01T13:00:00Z", "2026-01-01T13:01:00Z"),
            ("e6", "view", "/p/6", "2026-01-01T13:00:01Z", "2026-01-01T13:02:00Z"),
        ],
        columns=["event_id", "event_name", "page", "event_ts", "ingest_ts"],
        index=[4, 9, 1, 0, 7, 2, 11, 3, 10, 5, 8, 6],
    )
    orders = workspace.raw("orders")
    key = ["source_system", "order_id", "lsn"]
    orders = orders.drop_duplicates([*key, "ingest_ts"]).iloc[::-1].reset_index(drop=True)
    other = orders.iloc[[0, 60, len(orders) - 1]].assign(net_amount_cents="1", ingest_ts="2026-07-01T00:00:00Z")
    change = orders[(orders["op"] == "u")].iloc[[3]].assign(lsn="99999999", ingest_ts="2026-07-02T00:00:00Z")
    clicks = workspace.raw("clickstream").drop_duplicates(["event_id", "ingest_ts"])
    return [(clicks, ["event_id"]), (made, ["event_id"]), (pd.concat([orders, other, change], ignore_index=True), key)]

# %% wrong="sources.deliveries" misconception="whole-row-compared" says="You compare whole rows, ingest_ts among them. A second delivery arrives at another time, so no two rows are ever equal, and what was delivered again looks like a conflict."
def deliveries(rows, key):
    kind = rows.duplicated().map({True: "again", False: "first"})
    return kind.mask(rows.drop_duplicates().duplicated(key, keep=False).reindex(rows.index, fill_value=False), "conflict")

# %% wrong="sources.deliveries" misconception="whole-row-compared-and-no-conflict" says="You compare whole rows, ingest_ts among them. A second delivery arrives at another time, so it is never found; nor is a conflict looked for."
def deliveries(rows, key):
    return rows.duplicated().map({True: "again", False: "first"})

# %% wrong="sources.deliveries" misconception="key-alone-compared" says="You look at the key alone, so a row of the same key with other content counts as delivered again. It is a conflict: nobody can say which of the two is right."
def deliveries(rows, key):
    return rows.sort_values("ingest_ts").duplicated(key).map({True: "again", False: "first"}).reindex(rows.index)

# %% wrong="sources.deliveries" misconception="key-alone-compared-in-file-order" says="You look at the key alone, and at the order of the table. Rows of one key with other content are in conflict, and the first delivery is the one with the earliest ingest_ts."
def deliveries(rows, key):
    return rows.duplicated(key).map({True: "again", False: "first"})

# %% wrong="sources.deliveries" misconception="conflicts-not-looked-for" says="Second deliveries are found, but one key with two contents is not: both contents come out as first. All rows of such a key are in conflict."
def deliveries(rows, key):
    content = [name for name in rows.columns if name != "ingest_ts"]
    return rows.sort_values("ingest_ts").duplicated(content).map({True: "again", False: "first"}).reindex(rows.index)

# %% wrong="sources.deliveries" misconception="file-order-is-arrival" says="You take the row that stands first in the table for the first delivery. The earliest ingest_ts is the first, wherever the row stands."
def deliveries(rows, key):
    content = [name for name in rows.columns if name != "ingest_ts"]
    kind = rows.duplicated(content).map({True: "again", False: "first"})
    counts = rows.drop_duplicates(content).groupby(key).size().rename("contents").reset_index()
    contents = rows[key].merge(counts, on=key, how="left")["contents"].to_numpy()
    return kind.mask(contents > 1, "conflict")

# %% wrong="sources.deliveries" misconception="first-content-is-right" says="Of a key with two contents you trust the one that came first and call only the other a conflict. Arriving first is no proof: every row of that key is in conflict."
def deliveries(rows, key):
    content = [name for name in rows.columns if name != "ingest_ts"]
    arrived = rows.sort_values("ingest_ts")
    kind = arrived.duplicated(content).map({True: "again", False: "first"})
    return kind.mask(arrived.duplicated(key) & (kind == "first"), "conflict").reindex(rows.index)

# %% wrong="sources.deliveries" misconception="every-delivery-is-again" says="You mark every row of a doubled key as again, the first one too. One of them is the delivery that counts: the earliest."
def deliveries(rows, key):
    content = [name for name in rows.columns if name != "ingest_ts"]
    kind = rows.duplicated(content, keep=False).map({True: "again", False: "first"})
    counts = rows.drop_duplicates(content).groupby(key).size().rename("contents").reset_index()
    return kind.mask(rows[key].merge(counts, on=key, how="left")["contents"].to_numpy() > 1, "conflict")

# %% wrong="sources.deliveries" misconception="key-not-in-content" says="You compare the content without the key, so two events that merely look alike count as one delivered twice. Another key is another event, or another change."
def deliveries(rows, key):
    content = [name for name in rows.columns if name != "ingest_ts"]
    rest = [name for name in content if name not in key]
    kind = rows.sort_values("ingest_ts").duplicated(rest).map({True: "again", False: "first"}).reindex(rows.index)
    counts = rows.drop_duplicates(content).groupby(key).size().rename("contents").reset_index()
    return kind.mask(rows[key].merge(counts, on=key, how="left")["contents"].to_numpy() > 1, "conflict")

# %% right="sources.deliveries"
def deliveries(rows, key):
    content = rows.drop(columns="ingest_ts").apply("|".join, axis=1)
    by = [rows[name] for name in key]
    contents = content.groupby(by).transform("nunique")
    earliest = rows.groupby(key)["ingest_ts"].transform("min")
    kind = pd.Series("again", index=rows.index)
    kind[rows["ingest_ts"] == earliest] = "first"
    kind[contents > 1] = "conflict"
    return kind

# %% right="sources.deliveries"
def deliveries(rows, key):
    seen = {}
    for place, row in enumerate(rows.to_dict("records")):
        told = tuple(value for name, value in row.items() if name != "ingest_ts")
        seen.setdefault(tuple(row[name] for name in key), []).append((row["ingest_ts"], place, told))
    kinds = [""] * len(rows)
    for group in seen.values():
        is_torn = len({told for _, _, told in group}) > 1
        for number, (_, place, _) in enumerate(sorted(group)):
            kinds[place] = "conflict" if is_torn else "again" if number else "first"
    return pd.Series(kinds, index=rows.index)

# %% right="sources.deliveries"
def deliveries(rows, key):
    content = [name for name in rows.columns if name != "ingest_ts"]
    arrived = rows.sort_values("ingest_ts")
    kind = arrived.duplicated(content).map({True: "again", False: "first"})
    contents = rows.drop_duplicates(content)
    torn = contents.loc[contents.duplicated(key), key].drop_duplicates()
    is_torn = arrived[key].merge(torn, on=key, how="left", indicator=True)["_merge"] == "both"
    return kind.mask(is_torn.to_numpy(), "conflict").reindex(rows.index)

# %% [markdown]
# How often does it happen here? Second deliveries per source: about one row in a hundred. There is no conflict in this
# sample.

# %%
content = {name: [column for column in rows.columns if column != "ingest_ts"] for name, rows in told.items()}
again = {name: int(rows.duplicated(content[name]).sum()) for name, rows in told.items()}
pd.DataFrame({"delivered again": again, "rows": {name: len(rows) for name, rows in told.items()}})

# %% [markdown]
# ## What was known when
#
# Last, put the pieces together. "The state as of a moment" is the state that you would have reported at that moment, no
# more and no less. It is what lets you repeat a report from March in June and get March's numbers. Four rules:
#
# 1. only rows that had *arrived* by then count: the others nobody knew
# 2. only rows that had *happened* by then count: a clock that runs ahead must not tell the future
# 3. second deliveries change nothing
# 4. among the rows that are left, the largest `lsn` of an order is its state
#
# Two orders of Ayşe's and one of Anton's, with all that was ever delivered about them:

# %%
asked = ["O193950122297", "O780916325853", "O524419600558"]
orders[orders["order_id"].isin(asked)].sort_values(["order_id", "lsn"])[shown]

# %% [markdown]
# ### Exercise 5: the status as of a moment (4 minutes)
#
# Predict what a report would have said. Give a list of five texts, `"placed"` or `"paid"`; `"unknown"` if the order
# would not have been in the report at all.
#
# | | order | as of |
# |---|---|---|
# | 1 | Anton's `O193950122297` | 2026-04-29, 12:00:00 |
# | 2 | the same | 2026-04-29, 19:00:00 |
# | 3 | Ayşe's `O780916325853` | 2025-06-27, 16:00:00 |
# | 4 | the same | 2025-06-27, 22:00:00 |
# | 5 | Ayşe's `O524419600558` | 2025-05-25, 09:29:00 |

# %% exercise="sources.status_then" objective="5" criterion="production"
status_then = ["placed", "paid", "paid", "paid", "placed"]

# %% stub="sources.status_then"
status_then = ...

# %% check="sources.status_then"
check("sources.status_then", status_then)

# %% [markdown] hint="sources.status_then"
# For each line, strike out the rows whose `ingest_ts` or `event_ts` is after the moment. What is left?

# %% [markdown] hint="sources.status_then"
# If two rows are left, take the larger `lsn`, whichever of them came last. If one is left, that is what the report would have said, even if it is not where an order should begin.

# %% truth="sources.status_then"
def truth(workspace):
    rows = workspace.raw("orders").astype({"lsn": int}).sort_values("lsn")
    asked = [
        ("O193950122297", "2026-04-29T12:00:00Z"),
        ("O193950122297", "2026-04-29T19:00:00Z"),
        ("O780916325853", "2025-06-27T16:00:00Z"),
        ("O780916325853", "2025-06-27T22:00:00Z"),
        ("O524419600558", "2025-05-25T09:29:00Z"),
    ]
    found = []
    for order, moment in asked:
        known = rows[(rows["order_id"] == order) & (rows["event_ts"] <= moment) & (rows["ingest_ts"] <= moment)]
        found.append(known["status"].iloc[-1] if len(known) else "unknown")
    return found

# %% wrong="sources.status_then" misconception="ignores-ingest-time" says="You go by event time alone. At noon, Anton's payment had happened, but nobody here had heard of it: a report that counts it could not have been made then."
status_then = ["paid", "paid", "paid", "paid", "placed"]

# %% wrong="sources.status_then" misconception="ignores-event-time" says="You go by ingest time alone. Ayşe's last payment arrived 70 seconds before it happened, because a clock ran ahead; as of 09:29:00 it is still in the future."
status_then = ["placed", "paid", "paid", "paid", "paid"]

# %% wrong="sources.status_then" misconception="arrival-decides" says="On line 4 the order arrives after its payment, but that does not undo the payment. Among the rows that are known, the largest lsn decides, not the last arrival."
status_then = ["placed", "paid", "paid", "placed", "placed"]

# %% wrong="sources.status_then" misconception="no-order-without-its-beginning" says="On line 3 you wait for the row that creates the order. What is known is a payment with all its values, and the largest lsn known is the state; the missing beginning changes nothing."
status_then = ["placed", "paid", "unknown", "paid", "placed"]

# %% wrong="sources.status_then" misconception="neither-clock" says="You give the state of today. As of a moment, a row counts only if it had happened and had arrived by then."
status_then = ["paid", "paid", "paid", "paid", "paid"]

# %% wrong="sources.status_then" misconception="only-what-happened-before-arrives" says="On line 3 the news of the order is still on its way, but that of the payment is there: it happened at 15:02 and arrived at 15:06."
status_then = ["placed", "paid", "placed", "paid", "placed"]

# %% [markdown]
# In the product this filter is applied once, to every source, when rows enter silver, and the moment is called `as_of`.
# No layer ever asks what time it is now. For two of the moments above: how many rows of orders had happened, how many had
# arrived, and how many count, because they had done both?

# %%
moments = ["2026-04-29T12:00:00Z", "2025-05-25T09:29:00Z"]
had = [(orders["event_ts"] <= moment, orders["ingest_ts"] <= moment) for moment in moments]
sums = [(int(happened.sum()), int(arrived.sum()), int((happened & arrived).sum())) for happened, arrived in had]
pd.DataFrame(sums, columns=["had happened", "had arrived", "count"], index=moments)

# %% [markdown]
# Times that are written alike can be compared as text, which is what these lines do. The rows that had happened but not
# arrived will be in any later report about that day. This is why a number may change when you ask again, and why a report
# has to say as of when it speaks.
#
# ## What you can now do
#
# - tell a snapshot from a log of changes and from events, and say what a snapshot never shows
# - rebuild the latest state by `lsn`, with deletes, whatever the order of the rows
# - measure how late a source is, and keep event time and ingest time apart
# - tell a second delivery from a real change, and both from a conflict
# - say what was known at a moment
#
# ## Common mistakes
#
# - Taking the latest by arrival or by file order. It works in every test in which nothing overtakes.
# - Taking the latest by event time. It works until a clock is set back.
# - Dropping deletes first, which brings deleted things back.
# - Sorting numbers that are text.
# - **Behaviour aggregated without event time** (one of the three mistakes that this course teaches against): counting
#   clicks on the day they arrive gives a quiet Sunday and a busy Monday that nobody lived.
# - Removing duplicates by content alone. Two equal clicks are two clicks.
#
# ## Further reading
#
# - [Data dictionary](../docs/data-dictionary.md): every column of the raw files, and what becomes of a row
# - [Architecture](../docs/architecture.md): the flow, and time as an argument
# - [Faults](../docs/faults.md): defects that you can put into the sources yourself
# - Martin Kleppmann, *Designing Data-Intensive Applications* (2017), chapter 11, on logs, change data capture and time
# - Tyler Akidau and others, *The Dataflow Model* (2015), on event time and processing time
# - The documentation of [Debezium](https://debezium.io/documentation/), a widely used reader of database logs
