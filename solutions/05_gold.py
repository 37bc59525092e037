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
# # 05 Gold: numbers that people act on
#
# *60 minutes · after lesson 04 · you need: pandas filter, groupby, merge, dates*
#
# ## What you will do
#
# 1. compute what each person is worth, without losing those who never bought
# 2. measure recency, frequency and age in calendar days, as of one moment
# 3. score with bands that depend on a person's own rows only
# 4. explain a churn score, point by point
# 5. label what happened next without letting the future leak
#
# ## In production
#
# | here | in production |
# |---|---|
# | `customer_360` | serving mart; the table behind the profile API |
# | `customer_features`, `customer_labels` | feature store with point-in-time joins; training set |
# | `segment_summary` | reporting mart, small groups suppressed |
# | `rules.py` | versioned business rules with an owner, reviewed like code |
#
# ## The story so far
#
# Silver has one row for each person and one typed row for each order, visit and ticket. Three people will be with you in
# this lesson. Ayşe Rossi placed eleven orders and then went quiet. Anton Schneider buys little and often. Ida Ferrara has
# three accounts and has never ordered anything, and it will be surprisingly easy to lose her.

# %% tags=["setup"]
import pandas as pd

from c360lib import plots, rules
from c360lib.course import check, hint, lesson_workspace, show, solution

# %% [markdown]
# The lesson starts from silver. `as_of` is the moment for which everything in it is true.

# %%
ws = lesson_workspace("silver")
ws

# %%
orders = ws.table("orders")
base = ws.table("customer_profile_base")
customers = base.loc[base["live_record_count"] > 0, ["profile_id", "first_name", "last_name"]]
pd.Series({"people in silver": len(base), "with a live account": len(customers)})

# %% [markdown]
# > **gold**: the layer of tables that people and systems read: one row for what they ask about, with names they know.
#
# > **mart**: a gold table made for one kind of question. `customer_360` answers "who is this person to us?".
#
# Those with a live account, one that is not deleted, are who `customer_360` is about: each has a row, whether or not
# they ever ordered, clicked or wrote.
#
# ## What a person is worth
#
# An order has a status, and silver keeps its latest. Only one of the four means that the shop has the money.

# %%
orders.groupby("status")["net_amount_cents"].agg(["count", "sum"])

# %% [markdown]
# Amounts are whole cents. Floating-point sums differ in their last digits from machine to machine, and sooner or later
# one such digit moves somebody over the edge of a band. For the same reason an average is rounded by whole-number
# arithmetic, half up: `(2 * total + count) // (2 * count)`. Python's own `round` goes to the even neighbour:

# %%
total, count = 201, 2
total / count, round(total / count), (2 * total + count) // (2 * count)

# %% [markdown]
# ### Exercise 1: four faults in a value table (12 minutes)
#
# A colleague wrote the value part of `customer_360`:
#
# ```python
# def value(customers, orders):
#     table = customers.merge(orders, on="profile_id")
#     amounts = table.groupby("profile_id")["net_amount_cents"]
#     result = amounts.agg(order_count="count", lifetime_value_cents="sum", average_order_value_cents="mean")
#     return result.round().reset_index()
# ```
#
# Marketing asks where Ida Ferrara is, and finance says that the total is far too high. There are four faults. Write the
# function without them. Of `orders` use the columns `profile_id`, `status`, `net_amount_cents` and `is_deleted`. Return
# one row for every profile of `customers`, with
#
# - `profile_id`
# - `order_count`: orders of any status that are not deleted (`is_deleted`); 0 if there are none
# - `lifetime_value_cents`: the sum of those of them that are `paid`; 0 if there are none
# - `average_order_value_cents`: value divided by the number of paid orders, rounded half up; null without a paid order

# %% exercise="gold.value" objective="1" criterion="quality"
def value(customers, orders):
    living = orders[~orders["is_deleted"]]
    paid = living[living["status"] == "paid"].groupby("profile_id")["net_amount_cents"]
    table = customers[["profile_id"]].set_index("profile_id")
    table["order_count"] = living.groupby("profile_id").size().reindex(table.index, fill_value=0)
    total, count = paid.sum().reindex(table.index), paid.count().reindex(table.index).astype("Int64")
    table["lifetime_value_cents"] = total.fillna(0)
    table["average_order_value_cents"] = (2 * total + count) // (2 * count)
    return table.reset_index()

# %% stub="gold.value"
def value(customers, orders):
    """(profile_id, order_count, lifetime_value_cents, average_order_value_cents), a row for each of `customers`."""
    ...

# %% check="gold.value"
check("gold.value", value)

# %% [markdown]
# Stuck? `hint("gold.value")` gives one hint at a time; after an attempt `solution("gold.value")` shows one answer.

# %% [markdown] hint="gold.value"
# Which people does a plain `merge` keep? Start from `customers` and make sure that everybody is still there at the end.

# %% [markdown] hint="gold.value"
# Two different sets of orders are needed: those that are not deleted, for the count, and the paid ones among them, for the money. Aggregate each on its own.

# %% [markdown] hint="gold.value"
# After joining the two results to `customers` with `how="left"`, absent counts and sums become 0, but an average without orders stays null. Compute the average from the sum and the count of paid orders with the formula above.

# %% cases="gold.value" key="profile_id"
def cases(workspace):
    silver = workspace.table("customer_profile_base")
    people = silver.loc[silver["live_record_count"] > 0, ["profile_id", "first_name"]]
    made = pd.DataFrame(
        [
            ("P-a:1", "paid", 100, False),
            ("P-a:1", "paid", 101, False),  # 100.5
            ("P-a:2", "placed", 500, False),
            ("P-a:4", "paid", 1000, False),
            ("P-a:4", "refunded", 7000, False),
            ("P-a:4", "cancelled", 300, False),
            ("P-a:5", "paid", 900, True),  # deleted
            ("P-a:6", "paid", 0, False),
            ("P-a:7", "paid", 100, False),
            ("P-a:7", "paid", 50, False),
            ("P-a:7", "paid", 50, False),  # 66.67
            ("P-a:7", "paid", 8000, True),
            ("P-gone:1", "paid", 4000, False),  # a person without a live account
            ("P-a:8", "placed", 10, False),
            ("P-a:8", "paid", 20, False),
        ],
        columns=["profile_id", "status", "net_amount_cents", "is_deleted"],
    )
    made = made.astype({"net_amount_cents": "Int64", "is_deleted": "boolean"})
    known = pd.DataFrame({"profile_id": [f"P-a:{n}" for n in (3, 1, 2, 8, 7, 6, 5, 4)]}, index=range(8, 0, -1))
    return [(known, made), (people, workspace.table("orders")), (known, made.iloc[:0])]

# %% wrong="gold.value" misconception="nothing-mended" says="This still behaves as the colleague's version. Look for Ida in it, and for orders that were refunded."
def value(customers, orders):
    amounts = customers.merge(orders, on="profile_id").groupby("profile_id")["net_amount_cents"]
    result = amounts.agg(order_count="count", lifetime_value_cents="sum", average_order_value_cents="mean")
    return result.round().reset_index()

# %% wrong="gold.value" misconception="inner-join-loses-the-inactive" says="People without an order are missing. Who has not bought is still a customer, and often the one the campaign is for. Keep every row of customers."
def value(customers, orders):
    living = orders[~orders["is_deleted"]]
    paid = living[living["status"] == "paid"].groupby("profile_id")["net_amount_cents"]
    table = living.groupby("profile_id").size().rename("order_count").reset_index()
    table = customers[["profile_id"]].merge(table).set_index("profile_id")
    total, count = paid.sum().reindex(table.index), paid.count().reindex(table.index).astype("Int64")
    table["lifetime_value_cents"] = total.fillna(0)
    table["average_order_value_cents"] = (2 * total + count) // (2 * count)
    return table.reset_index()

# %% wrong="gold.value" misconception="every-order-is-income" says="You add up orders of every status. Placed is not paid yet, refunded was given back, cancelled never was: only paid counts as value."
def value(customers, orders):
    living = orders[~orders["is_deleted"]]
    paid = living.groupby("profile_id")["net_amount_cents"]
    table = customers[["profile_id"]].set_index("profile_id")
    table["order_count"] = living.groupby("profile_id").size().reindex(table.index, fill_value=0)
    total, count = paid.sum().reindex(table.index), paid.count().reindex(table.index).astype("Int64")
    table["lifetime_value_cents"] = total.fillna(0)
    table["average_order_value_cents"] = (2 * total + count) // (2 * count)
    return table.reset_index()

# %% wrong="gold.value" misconception="deleted-orders-count" says="You count deleted orders. Silver keeps them so that nothing is lost, with is_deleted true; gold leaves them out."
def value(customers, orders):
    paid = orders[orders["status"] == "paid"].groupby("profile_id")["net_amount_cents"]
    table = customers[["profile_id"]].set_index("profile_id")
    table["order_count"] = orders.groupby("profile_id").size().reindex(table.index, fill_value=0)
    total, count = paid.sum().reindex(table.index), paid.count().reindex(table.index).astype("Int64")
    table["lifetime_value_cents"] = total.fillna(0)
    table["average_order_value_cents"] = (2 * total + count) // (2 * count)
    return table.reset_index()

# %% wrong="gold.value" misconception="half-to-even" says="Halves go to the even neighbour: 100.5 becomes 100. The rule is half up, in whole numbers, so that every engine gives the same cent."
def value(customers, orders):
    living = orders[~orders["is_deleted"]]
    paid = living[living["status"] == "paid"].groupby("profile_id")["net_amount_cents"]
    table = customers[["profile_id"]].set_index("profile_id")
    table["order_count"] = living.groupby("profile_id").size().reindex(table.index, fill_value=0)
    total, count = paid.sum().reindex(table.index), paid.count().reindex(table.index).astype("Int64")
    table["lifetime_value_cents"] = total.fillna(0)
    table["average_order_value_cents"] = (total / count).round()
    return table.reset_index()

# %% wrong="gold.value" misconception="average-cut-off" says="Your average is cut off, not rounded: 66.67 becomes 66. Add half of the divisor before dividing."
def value(customers, orders):
    living = orders[~orders["is_deleted"]]
    paid = living[living["status"] == "paid"].groupby("profile_id")["net_amount_cents"]
    table = customers[["profile_id"]].set_index("profile_id")
    table["order_count"] = living.groupby("profile_id").size().reindex(table.index, fill_value=0)
    total, count = paid.sum().reindex(table.index), paid.count().reindex(table.index).astype("Int64")
    table["lifetime_value_cents"] = total.fillna(0)
    table["average_order_value_cents"] = total // count
    return table.reset_index()

# %% wrong="gold.value" misconception="average-over-unpaid-orders" says="You divide the paid sum by all orders, so an open or refunded order lowers the average. Divide by the number of paid orders."
def value(customers, orders):
    living = orders[~orders["is_deleted"]]
    paid = living[living["status"] == "paid"].groupby("profile_id")["net_amount_cents"]
    table = customers[["profile_id"]].set_index("profile_id")
    table["order_count"] = living.groupby("profile_id").size().reindex(table.index, fill_value=0)
    total = paid.sum().reindex(table.index)
    count = table["order_count"].astype("Int64").mask(total.isna())
    table["lifetime_value_cents"] = total.fillna(0)
    table["average_order_value_cents"] = (2 * total + count) // (2 * count)
    return table.reset_index()

# %% wrong="gold.value" misconception="order-count-counts-paid-only" says="order_count counts orders of every status, deleted ones left out. Yours counts paid orders only."
def value(customers, orders):
    living = orders[~orders["is_deleted"]]
    paid = living[living["status"] == "paid"].groupby("profile_id")["net_amount_cents"]
    table = customers[["profile_id"]].set_index("profile_id")
    total, count = paid.sum().reindex(table.index), paid.count().reindex(table.index).astype("Int64")
    table["order_count"] = count.fillna(0)
    table["lifetime_value_cents"] = total.fillna(0)
    table["average_order_value_cents"] = (2 * total + count) // (2 * count)
    return table.reset_index()

# %% wrong="gold.value" misconception="no-orders-means-null" says="Who never bought has a null count or value. Nothing bought is a known fact: the count is 0 and the value is 0. Only the average has no meaning."
def value(customers, orders):
    living = orders[~orders["is_deleted"]]
    paid = living[living["status"] == "paid"].groupby("profile_id")["net_amount_cents"]
    table = customers[["profile_id"]].set_index("profile_id")
    table["order_count"] = living.groupby("profile_id").size().reindex(table.index)
    total, count = paid.sum().reindex(table.index), paid.count().reindex(table.index).astype("Int64")
    table["lifetime_value_cents"] = total
    table["average_order_value_cents"] = (2 * total + count) // (2 * count)
    return table.reset_index()

# %% wrong="gold.value" misconception="average-of-nothing-is-zero" says="An average of nothing is absent, not 0. A 0 would pull down every mean that is taken of it; null says that there is nothing to average."
def value(customers, orders):
    living = orders[~orders["is_deleted"]]
    paid = living[living["status"] == "paid"].groupby("profile_id")["net_amount_cents"]
    table = customers[["profile_id"]].set_index("profile_id")
    table["order_count"] = living.groupby("profile_id").size().reindex(table.index, fill_value=0)
    total, count = paid.sum().reindex(table.index), paid.count().reindex(table.index).astype("Int64")
    table["lifetime_value_cents"] = total.fillna(0)
    table["average_order_value_cents"] = ((2 * total + count) // (2 * count)).fillna(0)
    return table.reset_index()

# %% wrong="gold.value" misconception="people-without-a-live-account-come-back" says="People who are not in customers appear in your table: all their accounts are deleted, and only their orders are left. Join from customers to the left."
def value(customers, orders):
    living = orders[~orders["is_deleted"]]
    paid = living[living["status"] == "paid"].groupby("profile_id")["net_amount_cents"]
    people = sorted(set(customers["profile_id"]) | set(orders["profile_id"]))
    table = pd.DataFrame({"profile_id": people}).set_index("profile_id")
    table["order_count"] = living.groupby("profile_id").size().reindex(table.index, fill_value=0)
    total, count = paid.sum().reindex(table.index), paid.count().reindex(table.index).astype("Int64")
    table["lifetime_value_cents"] = total.fillna(0)
    table["average_order_value_cents"] = (2 * total + count) // (2 * count)
    return table.reset_index()

# %% wrong="gold.value" misconception="only-ida-is-back" says="Ida is back: that is one fault of four. Orders of every status still count as money, deleted orders still count at all, and round takes a half to the even neighbour."
def value(customers, orders):
    table = customers[["profile_id"]].merge(orders, on="profile_id", how="left")
    amounts = table.groupby("profile_id")["net_amount_cents"]
    result = amounts.agg(order_count="count", lifetime_value_cents="sum", average_order_value_cents="mean")
    return result.round().reset_index()

# %% wrong="gold.value" misconception="one-filter-for-both" says="Everybody is there and the value is right. Two faults are left: order_count counts orders of every status, not only paid ones, and round takes a half to the even neighbour, where the rule is half up."
def value(customers, orders):
    paid = orders[(orders["status"] == "paid") & ~orders["is_deleted"]]
    table = customers[["profile_id"]].merge(paid, on="profile_id", how="left")
    amounts = table.groupby("profile_id")["net_amount_cents"]
    result = amounts.agg(order_count="count", lifetime_value_cents="sum", average_order_value_cents="mean")
    return result.round().reset_index()

# %% wrong="gold.value" misconception="one-filter-and-zero-for-everything" says="Three things. order_count counts orders of every status, not only paid ones. An average of nothing is absent, not 0. And round takes a half to the even neighbour, where the rule is half up."
def value(customers, orders):
    paid = orders[(orders["status"] == "paid") & ~orders["is_deleted"]]
    amounts = paid.groupby("profile_id")["net_amount_cents"]
    sums = amounts.agg(order_count="count", lifetime_value_cents="sum", average_order_value_cents="mean")
    return customers[["profile_id"]].merge(sums.round().reset_index(), on="profile_id", how="left").fillna(0)

# %% wrong="gold.value" misconception="paid-count-and-zero-for-everything" says="Two faults are left. order_count counts orders of every status, not only paid ones. And an average of nothing is absent, not 0: fill the count and the value only."
def value(customers, orders):
    paid = orders[(orders["status"] == "paid") & ~orders["is_deleted"]].groupby("profile_id")["net_amount_cents"]
    sums = paid.agg(order_count="count", lifetime_value_cents="sum")
    total, count = sums["lifetime_value_cents"], sums["order_count"]
    sums["average_order_value_cents"] = (2 * total + count) // (2 * count)
    return customers[["profile_id"]].merge(sums.reset_index(), on="profile_id", how="left").fillna(0)

# %% wrong="gold.value" misconception="mean-rounded-and-zero-for-everything" says="Counts and value are right. Two faults are left in the average: an average of nothing is absent, not 0, and round takes a half to the even neighbour, where the rule is half up."
def value(customers, orders):
    living = orders[~orders["is_deleted"]]
    paid = living[living["status"] == "paid"].groupby("profile_id")["net_amount_cents"]
    table = customers[["profile_id"]].set_index("profile_id")
    table["order_count"] = living.groupby("profile_id").size()
    table["lifetime_value_cents"] = paid.sum()
    table["average_order_value_cents"] = paid.mean().round()
    return table.fillna(0).reset_index()

# %% wrong="gold.value" misconception="average-not-rounded" says="Your average has a fraction of a cent. Round it half up to whole cents, in whole numbers, as the formula above does."
def value(customers, orders):
    living = orders[~orders["is_deleted"]]
    paid = living[living["status"] == "paid"].groupby("profile_id")["net_amount_cents"]
    table = customers[["profile_id"]].set_index("profile_id")
    table["order_count"] = living.groupby("profile_id").size().reindex(table.index, fill_value=0)
    table["lifetime_value_cents"] = paid.sum().reindex(table.index).fillna(0)
    table["average_order_value_cents"] = paid.mean().reindex(table.index)
    return table.reset_index()

# %% wrong="gold.value" misconception="mean-rounded-and-nothing-filled" says="Two faults are left. Nothing bought is a known fact: count and value are 0 there, not null. And round takes a half to the even neighbour, where the rule is half up."
def value(customers, orders):
    living = orders[~orders["is_deleted"]]
    paid = living[living["status"] == "paid"].groupby("profile_id")["net_amount_cents"]
    table = customers[["profile_id"]].set_index("profile_id")
    table["order_count"] = living.groupby("profile_id").size()
    table["lifetime_value_cents"] = paid.sum()
    table["average_order_value_cents"] = paid.mean().round()
    return table.reset_index()

# %% wrong="gold.value" misconception="one-filter-and-nothing-filled" says="Three faults are left. order_count counts orders of every status, not only paid ones. Nothing bought is a known fact: count and value are 0 there, not null. And round takes a half to the even neighbour, where the rule is half up."
def value(customers, orders):
    paid = orders[(orders["status"] == "paid") & ~orders["is_deleted"]]
    amounts = paid.groupby("profile_id")["net_amount_cents"]
    sums = amounts.agg(order_count="count", lifetime_value_cents="sum", average_order_value_cents="mean")
    return customers[["profile_id"]].merge(sums.round().reset_index(), on="profile_id", how="left")

# %% right="gold.value"
def value(customers, orders):
    sums = {name: [0, 0, 0] for name in customers["profile_id"]}
    columns = [orders[name].tolist() for name in ("profile_id", "status", "net_amount_cents", "is_deleted")]
    for name, status, cents, is_deleted in zip(*columns):
        if name in sums and not is_deleted:
            sums[name][0] += 1
            if status == "paid":
                sums[name][1] += cents
                sums[name][2] += 1
    rows = [(n, orders, total, (2 * total + k) // (2 * k) if k else None) for n, (orders, total, k) in sums.items()]
    names = ["profile_id", "order_count", "lifetime_value_cents", "average_order_value_cents"]
    return pd.DataFrame(rows, columns=names)

# %% right="gold.value"
def value(customers, orders):
    rows = orders[~orders["is_deleted"].astype(bool)].assign(one=1)
    rows["is_paid"] = (rows["status"] == "paid").astype(int)
    rows["cents"] = rows["net_amount_cents"].astype("int64") * rows["is_paid"]
    sums = rows.groupby("profile_id", as_index=False)[["one", "is_paid", "cents"]].sum()
    table = customers[["profile_id"]].merge(sums, on="profile_id", how="left").fillna(0)
    half_up = (2 * table["cents"] + table["is_paid"]) // (2 * table["is_paid"].where(table["is_paid"] > 0))
    table["average_order_value_cents"] = half_up
    table = table.rename(columns={"one": "order_count", "cents": "lifetime_value_cents"}).drop(columns="is_paid")
    return table.sample(frac=1, random_state=1)

# %% right="gold.value"
def value(customers, orders):
    living = orders.query("is_deleted == False")
    paid = living.query("status == 'paid'")
    table = customers[["profile_id"]].drop_duplicates()
    table = table.merge(living.groupby("profile_id").size().rename("order_count").reset_index(), how="left")
    sums = paid.groupby("profile_id")["net_amount_cents"].agg(lifetime_value_cents="sum", paid="count").reset_index()
    table = table.merge(sums, how="left")
    half = (table["lifetime_value_cents"] * 2 + table["paid"]) // (table["paid"] * 2)
    table = table.drop(columns="paid").fillna(0).assign(average_order_value_cents=half)
    return table.set_index("profile_id")

# %% [markdown]
# From here on, take the numbers of the product, so that what you compare does not depend on your answer. Gold is built
# already; the same workspace gives it. `rfm_frequency` is the number of all of a person's paid orders.

# %%
gold = lesson_workspace("gold")
people = gold.table("customer_360")
no_order, no_paid_order = people["order_count"].eq(0).sum(), people["rfm_frequency"].eq(0).sum()
pd.Series({"people": len(people), "without an order": no_order, "without a paid order": no_paid_order})

# %% [markdown]
# An inner join with orders loses the second number of people, one with paid orders the third. The product takes care of
# them as you did. Its step `value` has a row for whoever has an order, 8 people without a live account among them, and
# `customers`, of which `customer_360` is made, is joined to it from the people with a live account:

# %%
pd.Series({name: len(gold.layer(name)) for name in ("value", "live_people", "customers")}, name="rows")

# %% [markdown]
# And those who did buy are very unequal.

# %%
show(
    plots.gold.value_curve(people),
    alt="Cumulative value by customer share, far above the diagonal: ten percent of profiles bring over half of the value",
)

# %% [markdown]
# Such a curve is called a Pareto curve, and it is why a single wrong merge or a single lost order can matter: if it
# hits one of the first hundred people, the total moves.
#
# ## Days, and the moment they are counted from
#
# > **RFM**: recency, frequency, monetary: how long ago, how often and for how much somebody bought.
#
# > **CLV**: customer lifetime value: what a person is expected to bring in all. Models of it take a few facts on past
# > purchases, which are what this lesson computes.
#
# A well-known family of such models, "buy till you die" (BTYD), asks three things of each buyer: *frequency*, the
# number of distinct purchase days minus one (the first purchase is no repeat); *recency*, the days from the first to
# the last purchase day; *age*, the days from the first purchase day to `as_of`. Beware of two words. RFM's recency is
# counted from the last purchase to `as_of`, BTYD's from the first purchase to the last. And RFM's frequency
# (`rfm_frequency`) counts all paid orders, BTYD's (`clv_frequency`) the purchase days minus one.
#
# Which of an order's three times is the one? Here is Ayşe's last order as it stands in bronze.

# %%
changes = ws.bronze("orders")
changes.loc[changes["order_id"] == "O192469457493", ["status", "ordered_ts", "event_ts", "ingest_ts"]]

# %% [markdown]
# She ordered on the 28th. The payment came through on the 29th, and so `event_ts` of the order's latest state says the
# 29th. A refund three weeks later would move `event_ts` by three weeks. What a *customer did* is timed by `ordered_ts`;
# `event_ts` says when the *source changed its record*.
#
# And what is a day? Not 24 hours. From 22:38 on one day to 00:30 on the day after next there are 26 hours, in which 24
# fit once, but the date has changed twice. Days here are differences of UTC calendar dates, because then a day means
# the same for everybody, wherever and whenever it is computed.

# %%
first, second = pd.Timestamp("2025-08-28 22:38", tz="UTC"), pd.Timestamp("2025-08-30 00:30", tz="UTC")
(second - first).days, (second.normalize() - first.normalize()).days

# %% [markdown]
# Last, *as of when*? A table that is built with `now()` cannot be built again tomorrow: every number in it has moved,
# and nobody can tell a bug from the passing of time. So the moment is an argument, and nothing after it may be used.
#
# ### Exercise 2: purchase days (12 minutes)
#
# Write `purchase_days(orders, as_of)`. `orders` has the columns `profile_id`, `status`, `is_deleted`, `ordered_ts` and
# `event_ts`; `as_of` is any moment, not always the end of a day. Use orders that are paid, not deleted, and whose
# `ordered_ts` is not after `as_of`. Return one row for each profile that has one, with
#
# - `profile_id`
# - `rfm_recency_days`: days from the last purchase day to the day of `as_of`
# - `clv_frequency`: distinct purchase days minus one
# - `clv_recency_days`: days from the first purchase day to the last
# - `clv_age_days`: days from the first purchase day to the day of `as_of`

# %% exercise="gold.purchase_days" objective="2" criterion="production"
def purchase_days(orders, as_of):
    is_used = (orders["status"] == "paid") & ~orders["is_deleted"] & (orders["ordered_ts"] <= as_of)
    paid = orders[is_used].assign(day=orders["ordered_ts"].dt.normalize())
    days = paid.groupby("profile_id")["day"].agg(["nunique", "min", "max"])
    result = pd.DataFrame({"rfm_recency_days": (as_of.normalize() - days["max"]).dt.days})
    result["clv_frequency"] = days["nunique"] - 1
    result["clv_recency_days"] = (days["max"] - days["min"]).dt.days
    result["clv_age_days"] = (as_of.normalize() - days["min"]).dt.days
    return result.reset_index()

# %% stub="gold.purchase_days"
def purchase_days(orders, as_of):
    """(profile_id, rfm_recency_days, clv_frequency, clv_recency_days, clv_age_days), one row per buyer."""
    ...

# %% check="gold.purchase_days"
check("gold.purchase_days", purchase_days)

# %% [markdown] hint="gold.purchase_days"
# Filter first, in one place. Then make a column with the calendar day of `ordered_ts`: `.dt.normalize()` sets a time to midnight.

# %% [markdown] hint="gold.purchase_days"
# All four numbers come from three: the first purchase day, the last one, and how many different ones there are. `groupby(...).agg(["nunique", "min", "max"])` gives them.

# %% [markdown] hint="gold.purchase_days"
# Compare days with days: `as_of.normalize()` is the day of `as_of`. A difference of two columns of days has `.dt.days`.

# %% cases="gold.purchase_days" key="profile_id"
def cases(workspace):
    columns = ["profile_id", "status", "is_deleted", "ordered_ts", "event_ts"]
    made = pd.DataFrame(
        [
            ("P-a:1", "paid", False, "2026-03-01 23:30", "2026-03-02 08:00"),
            ("P-a:1", "paid", False, "2026-03-03 00:30", "2026-03-03 09:00"),  # 25 hours, two days
            ("P-a:2", "paid", False, "2026-03-10 08:00", "2026-03-10 09:00"),
            ("P-a:2", "paid", False, "2026-03-10 20:00", "2026-03-10 21:00"),  # the same day
            ("P-a:3", "paid", False, "2026-03-05 08:00", "2026-03-05 09:00"),
            ("P-a:3", "paid", False, "2026-04-02 08:00", "2026-04-02 09:00"),  # after as_of
            ("P-a:4", "paid", False, "2026-04-03 08:00", "2026-04-03 09:00"),  # only after as_of
            ("P-a:5", "refunded", False, "2026-03-20 08:00", "2026-03-25 09:00"),
            ("P-a:5", "paid", False, "2026-02-20 08:00", "2026-02-20 09:00"),
            ("P-a:6", "paid", True, "2026-03-21 08:00", "2026-03-21 09:00"),
            ("P-a:6", "paid", False, "2026-01-21 08:00", "2026-01-21 09:00"),
            ("P-a:7", "paid", False, "2026-03-31 10:00", "2026-03-31 11:00"),
            ("P-a:8", "placed", False, "2026-03-11 10:00", "2026-03-11 10:00"),
            ("P-a:9", "paid", False, "2026-03-31 12:00", "2026-03-31 13:00"),  # at as_of itself
            ("P-a:9", "paid", False, "2026-03-31 12:01", "2026-03-31 13:00"),
            ("P-b:1", "paid", False, "2026-03-15 22:30", "2026-03-15 22:45"),  # the 15th in UTC
            ("P-b:1", "paid", False, "2026-03-16 22:59", "2026-03-16 23:10"),
        ],
        columns=columns,
    )
    for name in ("ordered_ts", "event_ts"):
        made[name] = pd.to_datetime(made[name], utc=True)
    made = made.astype({"is_deleted": "boolean"})
    table, noon = workspace.table("orders")[columns], pd.Timestamp("2026-03-31 12:00", tz="UTC")
    return [(made, noon), (table, workspace.as_of), (table, noon), (made.iloc[:0], noon)]

# %% wrong="gold.purchase_days" misconception="a-day-is-24-hours" says="You count stretches of 24 hours. From 23:30 to 00:30 on the day after next are two calendar days; take the dates first, then the difference."
def purchase_days(orders, as_of):
    is_used = (orders["status"] == "paid") & ~orders["is_deleted"] & (orders["ordered_ts"] <= as_of)
    paid = orders[is_used].assign(day=orders["ordered_ts"].dt.normalize())
    count = paid.groupby("profile_id")["day"].nunique()
    times = paid.groupby("profile_id")["ordered_ts"].agg(["min", "max"])
    result = pd.DataFrame({"rfm_recency_days": (as_of - times["max"]).dt.days, "clv_frequency": count - 1})
    result["clv_recency_days"] = (times["max"] - times["min"]).dt.days
    result["clv_age_days"] = (as_of - times["min"]).dt.days
    return result.reset_index()

# %% wrong="gold.purchase_days" misconception="record-time-for-order-time" says="You time orders by event_ts, which moves whenever the source touches its record. When the customer bought is ordered_ts."
def purchase_days(orders, as_of):
    is_used = (orders["status"] == "paid") & ~orders["is_deleted"] & (orders["event_ts"] <= as_of)
    paid = orders[is_used].assign(day=orders["event_ts"].dt.normalize())
    days = paid.groupby("profile_id")["day"].agg(["nunique", "min", "max"])
    result = pd.DataFrame({"rfm_recency_days": (as_of.normalize() - days["max"]).dt.days})
    result["clv_frequency"] = days["nunique"] - 1
    result["clv_recency_days"] = (days["max"] - days["min"]).dt.days
    result["clv_age_days"] = (as_of.normalize() - days["min"]).dt.days
    return result.reset_index()

# %% wrong="gold.purchase_days" misconception="now-instead-of-as-of" says="You count to the moment at which your code runs. Run it tomorrow and every number is different. Count to as_of."
def purchase_days(orders, as_of):
    today = pd.Timestamp.now(tz="UTC").normalize()
    is_used = (orders["status"] == "paid") & ~orders["is_deleted"] & (orders["ordered_ts"] <= as_of)
    paid = orders[is_used].assign(day=orders["ordered_ts"].dt.normalize())
    days = paid.groupby("profile_id")["day"].agg(["nunique", "min", "max"])
    result = pd.DataFrame({"rfm_recency_days": (today - days["max"]).dt.days})
    result["clv_frequency"] = days["nunique"] - 1
    result["clv_recency_days"] = (days["max"] - days["min"]).dt.days
    result["clv_age_days"] = (today - days["min"]).dt.days
    return result.reset_index()

# %% wrong="gold.purchase_days" misconception="future-orders-used" says="Orders after as_of are in your numbers. At that moment nobody could know them, and a model that learns from them looks brilliant until it meets the real future."
def purchase_days(orders, as_of):
    is_used = (orders["status"] == "paid") & ~orders["is_deleted"]
    paid = orders[is_used].assign(day=orders["ordered_ts"].dt.normalize())
    days = paid.groupby("profile_id")["day"].agg(["nunique", "min", "max"])
    result = pd.DataFrame({"rfm_recency_days": (as_of.normalize() - days["max"]).dt.days})
    result["clv_frequency"] = days["nunique"] - 1
    result["clv_recency_days"] = (days["max"] - days["min"]).dt.days
    result["clv_age_days"] = (as_of.normalize() - days["min"]).dt.days
    return result.reset_index()

# %% wrong="gold.purchase_days" misconception="the-whole-day-of-as-of-counts" says="You compare dates, so an order later on the day of as_of slips in. as_of is a moment: nothing after it may count, not even a minute."
def purchase_days(orders, as_of):
    days = orders["ordered_ts"].dt.normalize()
    is_used = (orders["status"] == "paid") & ~orders["is_deleted"] & (days < as_of.normalize() + pd.Timedelta(days=1))
    days = orders[is_used].assign(day=days).groupby("profile_id")["ordered_ts"].agg(["size", "min", "max"])
    unique = orders[is_used].assign(day=orders["ordered_ts"].dt.normalize()).groupby("profile_id")["day"].nunique()
    first, last = days["min"].dt.normalize(), days["max"].dt.normalize()
    result = pd.DataFrame({"rfm_recency_days": (as_of.normalize() - last).dt.days, "clv_frequency": unique - 1})
    result["clv_recency_days"] = (last - first).dt.days
    result["clv_age_days"] = (as_of.normalize() - first).dt.days
    return result.reset_index()

# %% wrong="gold.purchase_days" misconception="unpaid-orders-count" says="Orders that were placed, refunded or cancelled count as purchases in your table. Only paid ones do."
def purchase_days(orders, as_of):
    is_used = ~orders["is_deleted"] & (orders["ordered_ts"] <= as_of)
    paid = orders[is_used].assign(day=orders["ordered_ts"].dt.normalize())
    days = paid.groupby("profile_id")["day"].agg(["nunique", "min", "max"])
    result = pd.DataFrame({"rfm_recency_days": (as_of.normalize() - days["max"]).dt.days})
    result["clv_frequency"] = days["nunique"] - 1
    result["clv_recency_days"] = (days["max"] - days["min"]).dt.days
    result["clv_age_days"] = (as_of.normalize() - days["min"]).dt.days
    return result.reset_index()

# %% wrong="gold.purchase_days" misconception="deleted-orders-count" says="Deleted orders count as purchases in your table. Leave them out."
def purchase_days(orders, as_of):
    is_used = (orders["status"] == "paid") & (orders["ordered_ts"] <= as_of)
    paid = orders[is_used].assign(day=orders["ordered_ts"].dt.normalize())
    days = paid.groupby("profile_id")["day"].agg(["nunique", "min", "max"])
    result = pd.DataFrame({"rfm_recency_days": (as_of.normalize() - days["max"]).dt.days})
    result["clv_frequency"] = days["nunique"] - 1
    result["clv_recency_days"] = (days["max"] - days["min"]).dt.days
    result["clv_age_days"] = (as_of.normalize() - days["min"]).dt.days
    return result.reset_index()

# %% wrong="gold.purchase_days" misconception="orders-instead-of-days" says="Your frequency counts orders. Two orders on one day are one purchase day: the models ask how often somebody came back."
def purchase_days(orders, as_of):
    is_used = (orders["status"] == "paid") & ~orders["is_deleted"] & (orders["ordered_ts"] <= as_of)
    paid = orders[is_used].assign(day=orders["ordered_ts"].dt.normalize())
    days = paid.groupby("profile_id")["day"].agg(["size", "min", "max"])
    result = pd.DataFrame({"rfm_recency_days": (as_of.normalize() - days["max"]).dt.days})
    result["clv_frequency"] = days["size"] - 1
    result["clv_recency_days"] = (days["max"] - days["min"]).dt.days
    result["clv_age_days"] = (as_of.normalize() - days["min"]).dt.days
    return result.reset_index()

# %% wrong="gold.purchase_days" misconception="first-purchase-counted-as-repeat" says="Your frequency is one too high for everybody. The first purchase is no repeat: distinct purchase days minus one."
def purchase_days(orders, as_of):
    is_used = (orders["status"] == "paid") & ~orders["is_deleted"] & (orders["ordered_ts"] <= as_of)
    paid = orders[is_used].assign(day=orders["ordered_ts"].dt.normalize())
    days = paid.groupby("profile_id")["day"].agg(["nunique", "min", "max"])
    result = pd.DataFrame({"rfm_recency_days": (as_of.normalize() - days["max"]).dt.days})
    result["clv_frequency"] = days["nunique"]
    result["clv_recency_days"] = (days["max"] - days["min"]).dt.days
    result["clv_age_days"] = (as_of.normalize() - days["min"]).dt.days
    return result.reset_index()

# %% wrong="gold.purchase_days" misconception="the-two-recencies-mixed-up" says="Your clv_recency_days is RFM's recency. In BTYD models recency is the time from the first purchase to the last, not from the last to as_of."
def purchase_days(orders, as_of):
    is_used = (orders["status"] == "paid") & ~orders["is_deleted"] & (orders["ordered_ts"] <= as_of)
    paid = orders[is_used].assign(day=orders["ordered_ts"].dt.normalize())
    days = paid.groupby("profile_id")["day"].agg(["nunique", "min", "max"])
    result = pd.DataFrame({"rfm_recency_days": (as_of.normalize() - days["max"]).dt.days})
    result["clv_frequency"] = days["nunique"] - 1
    result["clv_recency_days"] = result["rfm_recency_days"]
    result["clv_age_days"] = (as_of.normalize() - days["min"]).dt.days
    return result.reset_index()

# %% wrong="gold.purchase_days" misconception="local-days" says="You take dates in a local time zone, so an order at 22:30 UTC falls on the next day, and the result changes with the zone. Days are UTC dates."
def purchase_days(orders, as_of):
    is_used = (orders["status"] == "paid") & ~orders["is_deleted"] & (orders["ordered_ts"] <= as_of)
    local = orders["ordered_ts"].dt.tz_convert("Europe/Berlin").dt.tz_localize(None).dt.normalize()
    days = orders[is_used].assign(day=local).groupby("profile_id")["day"].agg(["nunique", "min", "max"])
    today = as_of.tz_convert("Europe/Berlin").tz_localize(None).normalize()
    result = pd.DataFrame({"rfm_recency_days": (today - days["max"]).dt.days})
    result["clv_frequency"] = days["nunique"] - 1
    result["clv_recency_days"] = (days["max"] - days["min"]).dt.days
    result["clv_age_days"] = (today - days["min"]).dt.days
    return result.reset_index()

# %% wrong="gold.purchase_days" misconception="times-for-days" says="You work on times, not on days: .dt.days of two times counts stretches of 24 hours, and two orders on one day count twice. Take the calendar date of each order first, then count and subtract."
def purchase_days(orders, as_of):
    is_used = (orders["status"] == "paid") & ~orders["is_deleted"] & (orders["ordered_ts"] <= as_of)
    times = orders[is_used].groupby("profile_id")["ordered_ts"].agg(["nunique", "min", "max"])
    result = pd.DataFrame({"rfm_recency_days": (as_of - times["max"]).dt.days, "clv_frequency": times["nunique"] - 1})
    result["clv_recency_days"] = (times["max"] - times["min"]).dt.days
    result["clv_age_days"] = (as_of - times["min"]).dt.days
    return result.reset_index()

# %% wrong="gold.purchase_days" misconception="date-minus-time" says="Only one side of your subtraction is a date: from a time in the day back to midnight some hours are missing, and .dt.days of that is a day short. Both as_of and the orders have to be calendar dates."
def purchase_days(orders, as_of):
    is_used = (orders["status"] == "paid") & ~orders["is_deleted"] & (orders["ordered_ts"] <= as_of)
    paid = orders[is_used].assign(day=orders["ordered_ts"].dt.normalize())
    count = paid.groupby("profile_id")["day"].nunique()
    times = paid.groupby("profile_id")["ordered_ts"].agg(["min", "max"])
    today = as_of.normalize()
    result = pd.DataFrame({"rfm_recency_days": (today - times["max"]).dt.days, "clv_frequency": count - 1})
    result["clv_recency_days"] = (times["max"] - times["min"]).dt.days
    result["clv_age_days"] = (today - times["min"]).dt.days
    return result.reset_index()

# %% right="gold.purchase_days"
def purchase_days(orders, as_of):
    days = {}
    columns = [orders[name].tolist() for name in ("profile_id", "status", "is_deleted", "ordered_ts")]
    for name, status, is_deleted, moment in zip(*columns):
        if status == "paid" and not is_deleted and moment <= as_of:
            days.setdefault(name, set()).add(moment.date())
    today = as_of.date()
    rows = [
        (name, (today - max(d)).days, len(d) - 1, (max(d) - min(d)).days, (today - min(d)).days)
        for name, d in days.items()
    ]
    names = ["profile_id", "rfm_recency_days", "clv_frequency", "clv_recency_days", "clv_age_days"]
    return pd.DataFrame(rows, columns=names)

# %% right="gold.purchase_days"
def purchase_days(orders, as_of):
    rows = orders.query("status == 'paid' and is_deleted == False and ordered_ts <= @as_of")
    rows = rows.assign(day=rows["ordered_ts"].dt.floor("D")).drop_duplicates(["profile_id", "day"])
    grouped = rows.sort_values("day").groupby("profile_id")["day"]
    first, last, today = grouped.first(), grouped.last(), as_of.floor("D")
    one = pd.Timedelta(days=1)
    table = {"clv_age_days": (today - first) // one, "clv_recency_days": (last - first) // one}
    table |= {"rfm_recency_days": (today - last) // one, "clv_frequency": grouped.count() - 1}
    return pd.DataFrame(table)

# %% [markdown]
# ## Bands
#
# A recency of 306 days says little by itself, so each of the three is turned into a digit from 1 to 5. `rfm_score` is
# the three digits in a row: R, F and M. The edges of the bands are numbers in `rules.py`, in each list the highest edge
# first. A value gets the score of the first edge that it reaches. Many days score low, many orders or cents score high:

# %%
edges = {"recency, days": rules.RFM_RECENCY_BANDS_DAYS, "frequency, paid orders": rules.RFM_FREQUENCY_BANDS_ORDERS}
edges["value, cents"] = rules.RFM_MONETARY_BANDS_CENTS
pd.concat({name: pd.DataFrame(bands) for name, bands in edges.items()}, axis=1)

# %% [markdown]
# Many courses cut at quantiles instead: the best fifth of buyers gets a 5, and so on. It needs no numbers to agree on,
# and the bands are always full. Try it: score value by fifths at the end of March and at the end of June, and take only
# people who bought *nothing* in between. Their value is the same on both days, to the cent.

# %%
paid = orders[(orders["status"] == "paid") & ~orders["is_deleted"]]
spring = paid[paid["ordered_ts"] <= pd.Timestamp("2026-03-31 23:59:59", tz="UTC")]
# each buyer's value on both days, and the fifth of all buyers in which it stands
march, june = (t.groupby("profile_id")["net_amount_cents"].sum().astype(int) for t in (spring, paid))
fifth_march, fifth_june = (pd.qcut(value, 5, labels=[1, 2, 3, 4, 5]).astype(int) for value in (march, june))

# %%
same = march.index[march == june[march.index]]
moved = fifth_june[same] != fifth_march[same]
down = fifth_june[same] < fifth_march[same]
pd.Series({"bought nothing since March": len(same), "in another fifth": moved.sum(), "in a lower fifth": down.sum()})

# %% [markdown]
# Some of these people moved to another fifth, and every one of them moved *down*: others bought, so they became worse
# without doing anything. Each such move looks like news about the person: it may start a campaign, and it makes two runs
# impossible to compare. It also has a price for machines. To update one person, a stream would have to look at
# everybody. With fixed bands, a row depends on the person's own rows only.
#
# ### Exercise 3: digits from bands (8 minutes)
#
# Write `digits(values, bands)`. `values` is a column of whole numbers in which some are null. `bands` is a list of pairs
# `(at_least, score)`, the highest `at_least` first, such as the three above. A value gets the score of the first band
# that it reaches; a null (no paid order) gets 1. Return a column of whole numbers aligned with `values`. Nobody's digit
# may depend on anybody else's value.

# %% exercise="gold.digits" objective="3" criterion="architecture"
def digits(values, bands):
    digit = pd.Series(1, index=values.index)
    for at_least, score in reversed(bands):
        digit[(values >= at_least).fillna(False).astype(bool)] = score
    return digit

# %% stub="gold.digits"
def digits(values, bands):
    """The score of the first band that each value reaches; 1 for a null."""
    ...

# %% check="gold.digits"
check("gold.digits", digits)

# %% [markdown] hint="gold.digits"
# Begin with a column of ones. Then go through the bands and overwrite where a value reaches the band. Which band has to come last so that it has the last word?

# %% [markdown] hint="gold.digits"
# For recency the highest edge has the lowest score. Do not count bands; use the score that stands in the pair.

# %% [markdown] hint="gold.digits"
# `values >= at_least` is null where the value is null. `.fillna(False)` makes that a no.

# %% cases="gold.digits"
def cases(workspace):
    rows = workspace.table("orders")
    rows = rows[(rows["status"] == "paid") & ~rows["is_deleted"]]
    people = sorted(set(workspace.table("customer_profile_base")["profile_id"]))
    cents = rows.groupby("profile_id")["net_amount_cents"].sum().reindex(people)
    days = (workspace.as_of - rows.groupby("profile_id")["ordered_ts"].max()).dt.days.astype("Int64").reindex(people)
    recency, money = list(rules.RFM_RECENCY_BANDS_DAYS), list(rules.RFM_MONETARY_BANDS_CENTS)
    edges = pd.Series([0, 30, 31, 90, 91, 180, 181, 365, 366, 9999, None], dtype="Int64", index=range(11, 0, -1))
    sums = pd.Series([4999, 5000, 0, 99999, 100000, 20000, 19999, None, 49999, 50000], dtype="Int64")
    alone = pd.Series([24969], index=["P-crm:2860240824"], dtype="Int64")
    return [(edges, recency), (sums, money), (alone, money), (cents, money), (days, recency), (alone.iloc[:0], money)]

# %% wrong="gold.digits" misconception="quantiles-for-bands" says="Your digits are shares of the group, so a person's digit changes when somebody else buys. Use the fixed edges: a digit may depend on its own value only."
def digits(values, bands):
    share = values.astype("float64").rank(pct=True, method="max")
    fifth = (share * 5).apply(lambda part: 1 if pd.isna(part) else max(1, min(5, -int(-part // 1))))
    rising = not bands or bands[0][1] > bands[-1][1]
    return (fifth if rising else (6 - fifth).where(values.notna(), 1)).astype(int)

# %% wrong="gold.digits" misconception="edge-excluded" says="A value that stands exactly on an edge falls into the band below. at_least means that the edge itself belongs to the band."
def digits(values, bands):
    digit = pd.Series(bands[-1][1], index=values.index)
    digit[values.isna()] = 1
    for at_least, score in reversed(bands):
        digit[(values > at_least).fillna(False).astype(bool)] = score
    return digit

# %% wrong="gold.digits" misconception="the-lowest-band-has-the-last-word" says="Every value reaches the lowest band, and in your loop that band comes last and overwrites the others. Only the first band that a value reaches counts."
def digits(values, bands):
    digit = pd.Series(1, index=values.index)
    for at_least, score in bands:
        digit[(values >= at_least).fillna(False).astype(bool)] = score
    return digit

# %% wrong="gold.digits" misconception="null-is-zero-days" says="You treat no purchase as 0. For recency that is the best band: whoever never bought looks as if they had bought today. A null gets 1."
def digits(values, bands):
    digit = pd.Series(1, index=values.index)
    for at_least, score in reversed(bands):
        digit[values.fillna(0) >= at_least] = score
    return digit

# %% wrong="gold.digits" misconception="null-stays-null" says="People without a value get no digit, so their score has a hole. The rule gives them 1."
def digits(values, bands):
    digit = pd.Series(1, index=values.index, dtype="Int64")
    for at_least, score in reversed(bands):
        digit[(values >= at_least).fillna(False).astype(bool)] = score
    return digit.mask(values.isna())

# %% wrong="gold.digits" misconception="more-is-always-better" says="You number the bands by their place, so many days since the last purchase get a 5. For recency more is worse; use the score that stands in the pair."
def digits(values, bands):
    digit = pd.Series(1, index=values.index)
    for number, (at_least, _) in enumerate(reversed(bands), 1):
        digit[(values >= at_least).fillna(False).astype(bool)] = number
    return digit

# %% wrong="gold.digits" misconception="null-compared" says="You compare a null with a number. The answer is neither yes nor no, so Python refuses: boolean value of NA is ambiguous. A null needs a rule of its own, before the comparison: it gets 1."
def digits(values, bands):
    def of_one(value):
        for at_least, score in bands:
            if value >= at_least:
                return score
        return 1

    return values.apply(of_one)

# %% wrong="gold.digits" misconception="every-edge-excluded" says="A value on an edge, such as 31 days or 5,000 cents, falls into the band below, and 0 days falls out of all of them. at_least means that the edge itself belongs to the band: >=, not >."
def digits(values, bands):
    digit = pd.Series(1, index=values.index)
    for at_least, score in reversed(bands):
        digit[(values > at_least).fillna(False).astype(bool)] = score
    return digit

# %% wrong="gold.digits" misconception="qcut-for-bands" says="qcut cuts at quantiles: it puts equally many people into each band, so a digit changes when somebody else buys, and for one person alone there is nothing to cut. Compare each value with the fixed edges in bands."
def digits(values, bands):
    return pd.qcut(values, 5, labels=[1, 2, 3, 4, 5]).fillna(1).astype(int)

# %% wrong="gold.digits" misconception="qcut-and-null-left" says="qcut cuts at quantiles: it puts equally many people into each band, so a digit changes when somebody else buys, and for one person alone there is nothing to cut. Compare with the fixed edges in bands, and give a null 1."
def digits(values, bands):
    return pd.qcut(values, 5, labels=[1, 2, 3, 4, 5])

# %% wrong="gold.digits" misconception="qcut-with-the-scores-of-the-bands" says="The scores are those of bands, but qcut cuts at quantiles and never looks at the edges, so a digit changes when somebody else buys, and for one person alone there is nothing to cut. Compare each value with at_least."
def digits(values, bands):
    return pd.qcut(values, 5, labels=[score for _, score in reversed(bands)]).fillna(1).astype(int)

# %% wrong="gold.digits" misconception="qcut-of-ranks" says="qcut of ranks shares people out over five bands of equal size, so a digit changes when somebody else buys, and two equal values can get two digits. Compare each value with the fixed edges in bands."
def digits(values, bands):
    return pd.qcut(values.rank(method="first"), 5, labels=[1, 2, 3, 4, 5]).astype("Int64").fillna(1)

# %% wrong="gold.digits" misconception="qcut-numbered" says="qcut cuts at quantiles: it puts equally many people into each band, so a digit changes when somebody else buys, and one person alone always gets the same digit. Compare each value with the fixed edges in bands."
def digits(values, bands):
    return (pd.qcut(values, 5, labels=False, duplicates="drop") + 1).fillna(1).astype(int)

# %% wrong="gold.digits" misconception="zero-falls-out" says="A value on an edge falls into the band below, and a 0 reaches no band at all, so it has no digit. at_least means that the edge itself belongs to the band: >=, not >."
def digits(values, bands):
    def of_one(value):
        return 1 if pd.isna(value) else next((score for at_least, score in bands if value > at_least), None)

    return values.apply(of_one)

# %% right="gold.digits"
def digits(values, bands):
    def of_one(value):
        return 1 if pd.isna(value) else next((score for at_least, score in bands if value >= at_least), 1)

    return pd.Series([of_one(value) for value in values], index=values.index, dtype="int64")

# %% right="gold.digits"
def digits(values, bands):
    rising = sorted(bands)
    edges = [at_least for at_least, _ in rising] + [float("inf")]
    cut = pd.cut(values.astype("float64"), edges, right=False, labels=False)
    return cut.map({place: score for place, (_, score) in enumerate(rising)}).fillna(1).astype("Int64")

# %% [markdown]
# Now look at all buyers at once: recency upwards, frequency to the right, a count in each cell.

# %%
show(
    plots.gold.rfm_heat_map(people),
    alt="Heat map of buyers by recency and frequency band; the cell of one old purchase is fullest",
)

# %% [markdown]
# The column on the left are people who bought once. Up the map are those who bought lately; lower right are those who
# used to buy often and have stopped. Ayşe stands in R2, F5, one of four. A campaign for "our best customers" that sorts
# by frequency writes to her as if nothing had happened; one that sorts by recency never writes to her.
#
# ## A score that can be explained
#
# > **churn**: that a customer leaves. A shop never hears of it; it only sees that somebody does not come back.
#
# `churn_score` is a sum of points from fixed bands: days since the last paid order (up to 60), visits in the last 30 days
# (up to 20), an open ticket (10), satisfaction below 3 on average (10). Whoever has no paid order has no days to count
# and gets 30 points in their place; the other parts count as for everybody. So Ida, who has not visited in 30 days
# either, stands at 30 + 20 = 50.
#
# The score is no model. It is the baseline that a model has to beat, and anybody can explain it on the phone. Here is
# Ayşe's.

# %%
ayse = people[people["profile_id"] == "P-shop:8784469783"].iloc[0]
ayse[["last_order_ts", "rfm_recency_days", "rfm_score", "sessions_30d", "open_tickets", "churn_score", "churn_risk"]]

# %%
bands = (rules.CHURN_RECENCY_POINTS_DAYS, rules.CHURN_SESSIONS_POINTS, rules.CHURN_OPEN_TICKET_POINTS)
values = (ayse["rfm_recency_days"], ayse["sessions_30d"], ayse["open_tickets"])
# for each part of the score: the points of the first band that her value reaches
points = [next(band.score for band in part if value >= band.at_least) for part, value in zip(bands, values)]
parts = ["306 days\nwithout an order", "no visit\nin 30 days", "no open\nticket", "satisfaction\nnot known"]
ayse_points = pd.DataFrame({"part": parts, "points": [*points, 0]})

# %%
levels = (rules.CHURN_MEDIUM_FROM_SCORE, rules.CHURN_HIGH_FROM_SCORE)
show(
    plots.gold.churn_waterfall(ayse_points, "Ayşe Rossi: most of her score is the time since August", *levels),
    alt="Steps that add up to Ayşe Rossi's churn score of 65: 45 for days, 20 for visits, nothing for tickets",
)

# %% [markdown]
# The same for all buyers. Each vertical line is the edge of a recency band.

# %%
show(
    plots.gold.churn_against_recency(people),
    alt="Churn score by days since the last order: five steps that rise to the right, each with a spread of 20 to 30 points",
)

# %% [markdown]
# Within a step, days make no difference, and at an edge fifteen points come in one night. That is the price of bands.
# What you buy with it is that you can say *when* and *why* a score will change.
#
# ### Exercise 4: the day she turns high (5 minutes)
#
# Suppose Ayşe does nothing at all: no order, no visit, no ticket. On which day does her `churn_risk` first become
# `high`? Predict, with the edges in the last chart and the levels in the one before. Write the date as text,
# `"YYYY-MM-DD"`.

# %% exercise="gold.turns_high" objective="4" criterion="quality"
turns_high = "2026-08-29"

# %% stub="gold.turns_high"
turns_high = ...

# %% check="gold.turns_high"
check("gold.turns_high", turns_high)

# %% [markdown] hint="gold.turns_high"
# How many points are missing to `high`? Three of the four parts can no longer rise if she does nothing. Which one can?

# %% [markdown] hint="gold.turns_high"
# The next recency band begins at 366 days. Count from the calendar day of her last order; `pd.Timestamp(...) + pd.Timedelta(days=...)` does the arithmetic.

# %% truth="gold.turns_high"
def truth(workspace):
    table = workspace.table("customer_360").set_index("profile_id")
    row = table.loc["P-shop:8784469783"]
    scores = [band.score for band in rules.CHURN_RECENCY_POINTS_DAYS if row["rfm_recency_days"] >= band.at_least]
    others = row["churn_score"] - scores[0]
    edges = [b.at_least for b in rules.CHURN_RECENCY_POINTS_DAYS if b.score + others >= rules.CHURN_HIGH_FROM_SCORE]
    day = row["last_order_ts"].normalize() + pd.Timedelta(days=min(edges))
    return day.strftime("%Y-%m-%d")

# %% wrong="gold.turns_high" misconception="band-edge-off-by-one" says="That is 365 days after her last order, and 365 is still in the band below: it goes from 181 to 365."
turns_high = "2026-08-28"

# %% wrong="gold.turns_high" misconception="record-time-for-order-time" says="You count from the day on which the payment was recorded. Recency is counted from ordered_ts, the day on which she ordered."
turns_high = "2026-08-30"

# %% wrong="gold.turns_high" misconception="label-window-for-score" says="90 days after as_of is the window of a label, which says what happened next. The score looks back only: which band will her days reach, and when?"
turns_high = "2026-09-28"

# %% wrong="gold.turns_high" misconception="days-counted-from-as-of" says="You count the days from as_of. Recency is counted from her last order, so most of the way is behind her."
turns_high = "2027-07-01"

# %% wrong="gold.turns_high" misconception="score-grows-every-day" says="A few points more do not come with each day: within a band nothing changes. Look for the next edge."
turns_high = "2026-07-05"

# %% [markdown]
# ## Support and segments
#
# Tickets count by the same principles. `tickets_90d` is a window (`as_of` minus 90 days, `as_of`]: open at its start,
# closed at its end, so that two windows that touch share no moment. `csat_avg_x100` is a mean of few small numbers, kept
# as a whole number of hundredths, half up: scores of 2, 3 and 3 make 267.
#
# > **segment**: a named group of people that somebody treats in one way.
#
# A segment is the first rule of this list that holds, from top to bottom, so everybody is in exactly one. R and F are
# the digits of the bands, M is the one for value.
#
# | segment | rule |
# |---|---|
# | `prospect` | no paid order |
# | `new` | the first purchase day is at most 60 days before `as_of` |
# | `champion` | R, F and M are all at least 4 |
# | `loyal` | R and F are at least 3 |
# | `lapsed` | R is 1 |
# | `at_risk` | R is at most 2 and F at least 2 |
# | `regular` | everybody else |

# %%
figures = ["profile_count", "lifetime_value_cents", "average_churn_score_x100", "is_suppressed"]
gold.table("segment_summary").sort_values("profile_count", ascending=False).set_index("segment")[figures]

# %% [markdown]
# A group of fewer than ten people shows no figures, because an average of three people says too much about each of
# them. Here every group is large enough. In a sample of 150 other people, some are not; their rows stand last:

# %%
small = lesson_workspace("gold", customers=150, seed=361).table("segment_summary")
small.sort_values(["profile_count", "segment"], ascending=[False, True]).set_index("segment")[figures]

# %% [markdown]
# Ida is one of the prospects, and Ayşe is `at_risk`: 68 people who bought more than once and have gone quiet for more
# than half a year, but less than a year. If one thing is to be done this week, it is to write to them, where lesson 06
# allows it.
#
# ## The future leaks in
#
# > **leakage (of the future)**: a feature that holds something nobody could know at the moment it claims to describe.
#
# Suppose somebody trains a churn model: features as of the end of March, and as the label whether people bought in the
# 90 days after. They take June's silver and keep orders with `ordered_ts` up to March. Is that what was known in March?
# Build the same from the changes that had *arrived* by then.

# %%
march_end = pd.Timestamp("2026-03-31 23:59:59", tz="UTC")
times = changes[["event_ts", "ingest_ts"]].apply(pd.to_datetime)
# of each order the last change that had happened and arrived by then
then = changes[(times <= march_end).all(axis=1)].assign(lsn=changes["lsn"].astype(int)).sort_values("lsn")
then = then.drop_duplicates("order_id", keep="last")
paid_then = set(then.loc[(then["status"] == "paid") & (then["op"] != "d"), "order_id"])

# %%
filtered = set(paid.loc[paid["ordered_ts"] <= march_end, "order_id"])
later = orders[orders["order_id"].isin(paid_then - filtered)].sort_values("order_id")
later[["order_id", "status", "is_deleted", "ordered_ts", "event_ts"]]

# %% [markdown]
# This order was good money in March. June's silver already knows how it ended, and the filter on `ordered_ts` does not
# hide it. Here it is one order; in a shop where a fifth of all parcels comes back, the features of March would be full
# of what happened in April, and a model would lean on it. The way to get March's features is to build *as of March*:
# give the layers the earlier `as_of`, and they use what had happened and arrived by then.
#
# The label has the opposite duty. It *must* look at the future, all of its 90 days, and where the future has not come yet
# it must not guess. This is why `customer_labels` of the sample is empty of labels:

# %%
gold.table("customer_labels")["churned_90d"].value_counts(dropna=False)

# %% [markdown]
# ### Exercise 5: what happened next (10 minutes)
#
# Write `churned_90d(customers, orders, as_of, data_until)`. `orders` has the columns `profile_id`, `status`, `is_deleted`,
# `ordered_ts` and `event_ts`. Return `profile_id` and `churned_90d` for every profile of `customers`:
#
# - null for everybody if the data do not reach the end of the window, `as_of` + 90 days (`data_until` is the moment up to
#   which `orders` is complete)
# - otherwise false for whoever has a paid, not deleted order with `ordered_ts` in the window (`as_of`, `as_of` + 90 days],
#   and true for everybody else

# %% exercise="gold.churned_90d" objective="5" criterion="production"
def churned_90d(customers, orders, as_of, data_until):
    end = as_of + pd.Timedelta(days=90)
    is_paid = (orders["status"] == "paid") & ~orders["is_deleted"]
    is_next = (orders["ordered_ts"] > as_of) & (orders["ordered_ts"] <= end)
    result = customers[["profile_id"]].copy()
    result["churned_90d"] = (~result["profile_id"].isin(orders.loc[is_paid & is_next, "profile_id"])).astype("boolean")
    if data_until < end:
        result["churned_90d"] = pd.NA
    return result

# %% stub="gold.churned_90d"
def churned_90d(customers, orders, as_of, data_until):
    """(profile_id, churned_90d), a row for each of `customers`."""
    ...

# %% check="gold.churned_90d"
check("gold.churned_90d", churned_90d)

# %% [markdown] hint="gold.churned_90d"
# Find the people who bought in the window first. Everybody in `customers` who is not among them has churned.

# %% [markdown] hint="gold.churned_90d"
# (a, b] means: later than a, up to and including b. `Series.isin` tells who is in a set, and `~` turns it round.

# %% [markdown] hint="gold.churned_90d"
# If `data_until` is before the end of the window, nobody's label is known, not even of those who have bought already: a label that is known for buyers only would be biased. Give everybody `pd.NA`.

# %% cases="gold.churned_90d" key="profile_id"
def cases(workspace):
    columns = ["profile_id", "status", "is_deleted", "ordered_ts", "event_ts"]
    made = pd.DataFrame(
        [
            ("P-a:1", "paid", False, "2026-01-31 23:59:59", "2026-01-31 23:59:59"),  # at as_of: before the window
            ("P-a:2", "paid", False, "2026-02-01 00:00:00", "2026-02-02 09:00:00"),
            ("P-a:3", "paid", False, "2026-05-01 23:59:59", "2026-05-03 09:00:00"),  # the last second of the window
            ("P-a:4", "paid", False, "2026-05-02 00:00:00", "2026-05-02 08:00:00"),
            ("P-a:5", "refunded", False, "2026-03-01 00:00:00", "2026-03-09 10:00:00"),
            ("P-a:6", "paid", True, "2026-03-01 00:00:00", "2026-03-02 10:00:00"),
            ("P-a:8", "placed", False, "2026-03-01 00:00:00", "2026-03-01 00:00:00"),
            ("P-a:9", "paid", False, "2025-12-24 18:00:00", "2026-02-10 09:00:00"),  # paid later
            ("P-gone:1", "paid", False, "2026-03-01 00:00:00", "2026-03-01 10:00:00"),
        ],
        columns=columns,
    )
    for name in ("ordered_ts", "event_ts"):
        made[name] = pd.to_datetime(made[name], utc=True)
    made = made.astype({"is_deleted": "boolean"})
    known = pd.DataFrame({"profile_id": [f"P-a:{n}" for n in (7, 9, 8, 6, 5, 4, 3, 2, 1)]}, index=range(20, 29))
    as_of, second = pd.Timestamp("2026-01-31 23:59:59", tz="UTC"), pd.Timedelta(seconds=1)
    end = pd.Timestamp("2026-05-01 23:59:59", tz="UTC")
    silver = workspace.table("customer_profile_base")
    people = silver.loc[silver["live_record_count"] > 0, ["profile_id"]]
    rows, spring = workspace.table("orders")[columns], pd.Timestamp("2026-03-31 23:59:59", tz="UTC")
    found = [(known, made, as_of, end), (known, made, as_of, end - second), (known, made.iloc[:0], as_of, end)]
    return [*found, (people, rows, spring, workspace.as_of), (people, rows, workspace.as_of, workspace.as_of)]

# %% wrong="gold.churned_90d" misconception="unknown-future-is-churn" says="Where the data do not reach the end of the window you call everybody churned who has not bought yet. Nobody knows that yet: the label is null."
def churned_90d(customers, orders, as_of, data_until):
    end = as_of + pd.Timedelta(days=90)
    is_paid = (orders["status"] == "paid") & ~orders["is_deleted"]
    is_next = (orders["ordered_ts"] > as_of) & (orders["ordered_ts"] <= end)
    buyers = orders.loc[is_paid & is_next, "profile_id"]
    return customers[["profile_id"]].assign(churned_90d=~customers["profile_id"].isin(buyers))

# %% wrong="gold.churned_90d" misconception="buyers-known-early" says="Where the data do not reach far enough you still label those who have bought already. Then only buyers have a label, and whatever is computed from it says that nobody churns. Null for everybody."
def churned_90d(customers, orders, as_of, data_until):
    end = as_of + pd.Timedelta(days=90)
    is_paid = (orders["status"] == "paid") & ~orders["is_deleted"]
    is_next = (orders["ordered_ts"] > as_of) & (orders["ordered_ts"] <= end)
    churned = (~customers["profile_id"].isin(orders.loc[is_paid & is_next, "profile_id"])).astype("boolean")
    if data_until < end:
        churned = churned.mask(churned, pd.NA)
    return customers[["profile_id"]].assign(churned_90d=churned)

# %% wrong="gold.churned_90d" misconception="label-looks-back" says="Your label looks at the 90 days before as_of. That is what the features know already; a model would be asked to predict its own input. Look at the days after."
def churned_90d(customers, orders, as_of, data_until):
    is_paid = (orders["status"] == "paid") & ~orders["is_deleted"]
    is_last = (orders["ordered_ts"] > as_of - pd.Timedelta(days=90)) & (orders["ordered_ts"] <= as_of)
    buyers = orders.loc[is_paid & is_last, "profile_id"]
    churned = (~customers["profile_id"].isin(buyers)).astype("boolean")
    if data_until < as_of + pd.Timedelta(days=90):
        churned[:] = pd.NA
    return customers[["profile_id"]].assign(churned_90d=churned)

# %% wrong="gold.churned_90d" misconception="window-without-end" says="An order after the end of the window counts in yours. With more data, the label of the same day would change; 90 days are 90 days."
def churned_90d(customers, orders, as_of, data_until):
    is_paid = (orders["status"] == "paid") & ~orders["is_deleted"]
    buyers = orders.loc[is_paid & (orders["ordered_ts"] > as_of), "profile_id"]
    churned = (~customers["profile_id"].isin(buyers)).astype("boolean")
    if data_until < as_of + pd.Timedelta(days=90):
        churned[:] = pd.NA
    return customers[["profile_id"]].assign(churned_90d=churned)

# %% wrong="gold.churned_90d" misconception="start-of-window-included" says="An order at as_of itself counts in your window, but the features count it too. One moment must not be both past and future: the window is open at its start: (as_of, as_of + 90 days]."
def churned_90d(customers, orders, as_of, data_until):
    end = as_of + pd.Timedelta(days=90)
    is_paid = (orders["status"] == "paid") & ~orders["is_deleted"]
    is_next = (orders["ordered_ts"] >= as_of) & (orders["ordered_ts"] <= end)
    churned = (~customers["profile_id"].isin(orders.loc[is_paid & is_next, "profile_id"])).astype("boolean")
    if data_until < end:
        churned[:] = pd.NA
    return customers[["profile_id"]].assign(churned_90d=churned)

# %% wrong="gold.churned_90d" misconception="end-of-window-excluded" says="An order in the last second of the window does not count in yours. The window is closed at its end."
def churned_90d(customers, orders, as_of, data_until):
    end = as_of + pd.Timedelta(days=90)
    is_paid = (orders["status"] == "paid") & ~orders["is_deleted"]
    is_next = (orders["ordered_ts"] > as_of) & (orders["ordered_ts"] < end)
    churned = (~customers["profile_id"].isin(orders.loc[is_paid & is_next, "profile_id"])).astype("boolean")
    if data_until < end:
        churned[:] = pd.NA
    return customers[["profile_id"]].assign(churned_90d=churned)

# %% wrong="gold.churned_90d" misconception="any-order-is-a-return" says="Orders that were refunded, cancelled or only placed count as coming back in your label. Only paid ones do."
def churned_90d(customers, orders, as_of, data_until):
    end = as_of + pd.Timedelta(days=90)
    is_next = (orders["ordered_ts"] > as_of) & (orders["ordered_ts"] <= end) & ~orders["is_deleted"]
    churned = (~customers["profile_id"].isin(orders.loc[is_next, "profile_id"])).astype("boolean")
    if data_until < end:
        churned[:] = pd.NA
    return customers[["profile_id"]].assign(churned_90d=churned)

# %% wrong="gold.churned_90d" misconception="deleted-orders-count" says="Deleted orders count as coming back in your label. Leave them out."
def churned_90d(customers, orders, as_of, data_until):
    end = as_of + pd.Timedelta(days=90)
    is_next = (orders["ordered_ts"] > as_of) & (orders["ordered_ts"] <= end) & (orders["status"] == "paid")
    churned = (~customers["profile_id"].isin(orders.loc[is_next, "profile_id"])).astype("boolean")
    if data_until < end:
        churned[:] = pd.NA
    return customers[["profile_id"]].assign(churned_90d=churned)

# %% wrong="gold.churned_90d" misconception="only-buyers-get-a-label" says="People who never ordered have no row in your table. Everybody in customers gets a label, also those who did not buy before and did not buy after."
def churned_90d(customers, orders, as_of, data_until):
    end = as_of + pd.Timedelta(days=90)
    is_paid = (orders["status"] == "paid") & ~orders["is_deleted"]
    is_next = (orders["ordered_ts"] > as_of) & (orders["ordered_ts"] <= end)
    result = customers.loc[customers["profile_id"].isin(orders["profile_id"]), ["profile_id"]].copy()
    result["churned_90d"] = (~result["profile_id"].isin(orders.loc[is_paid & is_next, "profile_id"])).astype("boolean")
    if data_until < end:
        result["churned_90d"] = pd.NA
    return result

# %% wrong="gold.churned_90d" misconception="label-turned-round" says="Your label is turned round: true should mean that nobody came back."
def churned_90d(customers, orders, as_of, data_until):
    end = as_of + pd.Timedelta(days=90)
    is_paid = (orders["status"] == "paid") & ~orders["is_deleted"]
    is_next = (orders["ordered_ts"] > as_of) & (orders["ordered_ts"] <= end)
    churned = customers["profile_id"].isin(orders.loc[is_paid & is_next, "profile_id"]).astype("boolean")
    if data_until < end:
        churned[:] = pd.NA
    return customers[["profile_id"]].assign(churned_90d=churned)

# %% wrong="gold.churned_90d" misconception="record-time-for-order-time" says="You place orders by event_ts, which says when the source changed its record. An order from before as_of whose payment came later then counts as coming back. When the customer bought is ordered_ts."
def churned_90d(customers, orders, as_of, data_until):
    end = as_of + pd.Timedelta(days=90)
    is_paid = (orders["status"] == "paid") & ~orders["is_deleted"]
    is_next = (orders["event_ts"] > as_of) & (orders["event_ts"] <= end)
    churned = (~customers["profile_id"].isin(orders.loc[is_paid & is_next, "profile_id"])).astype("boolean")
    if data_until < end:
        churned[:] = pd.NA
    return customers[["profile_id"]].assign(churned_90d=churned)

# %% wrong="gold.churned_90d" misconception="both-ends-closed-and-no-unknown" says="Two things. An order at as_of itself counts in your window, but it is open at its start: (as_of, as_of + 90 days]. And where the data do not reach its end, nobody knows the label: it is null for everybody."
def churned_90d(customers, orders, as_of, data_until):
    end = as_of + pd.Timedelta(days=90)
    is_paid = (orders["status"] == "paid") & ~orders["is_deleted"]
    is_next = (orders["ordered_ts"] >= as_of) & (orders["ordered_ts"] <= end)
    buyers = orders.loc[is_paid & is_next, "profile_id"]
    return customers[["profile_id"]].assign(churned_90d=~customers["profile_id"].isin(buyers))

# %% wrong="gold.churned_90d" misconception="record-time-and-no-unknown" says="Two things. You place orders by event_ts, which says when the source changed its record; when the customer bought is ordered_ts. And where the data do not reach the end of the window, the label is null for everybody."
def churned_90d(customers, orders, as_of, data_until):
    end = as_of + pd.Timedelta(days=90)
    is_paid = (orders["status"] == "paid") & ~orders["is_deleted"]
    is_next = (orders["event_ts"] > as_of) & (orders["event_ts"] <= end)
    buyers = orders.loc[is_paid & is_next, "profile_id"]
    return customers[["profile_id"]].assign(churned_90d=~customers["profile_id"].isin(buyers))

# %% wrong="gold.churned_90d" misconception="window-open-at-the-wrong-end" says="Your window is [as_of, as_of + 90 days): closed at its start and open at its end. It is the other way round: an order at as_of itself is known already, and one in the last second still counts."
def churned_90d(customers, orders, as_of, data_until):
    end = as_of + pd.Timedelta(days=90)
    is_paid = (orders["status"] == "paid") & ~orders["is_deleted"]
    is_next = (orders["ordered_ts"] >= as_of) & (orders["ordered_ts"] < end)
    churned = (~customers["profile_id"].isin(orders.loc[is_paid & is_next, "profile_id"])).astype("boolean")
    if data_until < end:
        churned[:] = pd.NA
    return customers[["profile_id"]].assign(churned_90d=churned)

# %% right="gold.churned_90d"
def churned_90d(customers, orders, as_of, data_until):
    end = as_of + pd.Timedelta(90, unit="D")
    if data_until < end:
        return pd.DataFrame({"profile_id": customers["profile_id"], "churned_90d": None})
    columns = [orders[name].tolist() for name in ("profile_id", "status", "is_deleted", "ordered_ts")]
    back = {n for n, status, gone, moment in zip(*columns) if status == "paid" and not gone and as_of < moment <= end}
    return pd.DataFrame([(n, n not in back) for n in customers["profile_id"]], columns=["profile_id", "churned_90d"])

# %% right="gold.churned_90d"
def churned_90d(customers, orders, as_of, data_until):
    end = as_of + pd.Timedelta(days=90)
    rows = orders.query("status == 'paid' and is_deleted == False and @as_of < ordered_ts <= @end")
    rows = rows[["profile_id"]].drop_duplicates().assign(came_back=True)
    table = customers[["profile_id"]].merge(rows, on="profile_id", how="left")
    table["churned_90d"] = table["came_back"].isna().astype("boolean") if data_until >= end else None
    return table.set_index("profile_id")[["churned_90d"]]

# %% [markdown]
# ## What you can now do
#
# - compute value from paid orders only, round it the same way everywhere, and keep everybody in the table
# - measure recency, frequency and age in UTC calendar days from `ordered_ts`, as of any moment
# - score with fixed bands, and say what quantiles do to people who did nothing
# - take a churn score apart into its points, and say when it will change
# - build features from what was known at a moment, and labels from all of what came after, or not at all
#
# ## Common mistakes
#
# - **An inner join with facts.** Whoever has none vanishes. Start from the people, join to the left.
# - **`now()` in a layer.** The result cannot be built again. Time is an argument.
# - **Behaviour aggregated without event time.** Here in two forms: recency from the time at which a record was touched,
#   and features with rows from after `as_of`.
# - **Every order is income.** Placed, refunded and cancelled are not.
# - **Quantile bands in an operational table.** Fine for a chart; in a profile they move people who did nothing.
# - **Two meanings of one word.** Recency in RFM and in BTYD. A definition belongs into the data dictionary, with its unit
#   in the column's name.
# - **Profiles exposed without a contract and a validation report.** `contract_version` stands in each row of
#   `customer_360`; the report is lesson 07.
#
# ## Further reading
#
# - [Bands, churn points, tiers and segments](../docs/data-dictionary.md#value-churn-segments) in this course; the rules
#   as data in [`c360lib/rules.py`](../c360lib/rules.py), the layers in
#   [`c360lib/layers/measures.py`](../c360lib/layers/measures.py) and [`c360lib/layers/gold.py`](../c360lib/layers/gold.py).
# - Peter Fader, Bruce Hardie, Ka Lok Lee: *"Counting Your Customers" the Easy Way: An Alternative to the Pareto/NBD
#   Model*, Marketing Science, 2005.
# - Shachar Kaufman, Saharon Rosset, Claudia Perlich, Ori Stitelman: *Leakage in Data Mining: Formulation, Detection, and
#   Avoidance*, ACM Transactions on Knowledge Discovery from Data, 2012.
# - David Goldberg: *What Every Computer Scientist Should Know About Floating-Point Arithmetic*, ACM Computing Surveys,
#   1991.
