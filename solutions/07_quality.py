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
# # 07 Quality: what may go out
#
# *45 minutes · after lesson 06 · you need: pandas filter, groupby, merge*
#
# ## What you will do
#
# 1. compute a rate that falls when rows vanish
# 2. count what is empty where nothing may be
# 3. tell from the report what passes, what warns and what fails
# 4. write the gate that holds a release back
# 5. judge a threshold by history, and count what is left of an error budget
#
# ## In production
#
# | here | in production |
# |---|---|
# | the quality report | SLO report of the data product, read by its consumers too |
# | the gate in `c360 build` | a release gate: the audit runs on staged tables, and one commit publishes them |
# | a measure that warns | a ticket for the morning |
# | a measure that fails | somebody is called, and the old release stays |
# | `data/failed` | the staged tables, kept to look at |
#
# ## The story so far
#
# Six lessons have built a product: people, their value, their consent. This morning's build is finished. Anton's orders
# add up, Simone's choices are honoured, Ida is there although she never bought anything. Or so you think, since you
# have looked at three of a thousand people. Other teams will read these tables at eight o'clock, and none of them will
# look. Who says that they may?

# %% tags=["setup"]
import pandas as pd

from c360lib import plots
from c360lib.course import check, hint, lesson_workspace, show, solution
from c360lib.quality.measures import CRITICAL
from c360lib.rules import MAX_FRESHNESS_HOURS

# %% [markdown]
# ## The report
#
# > **measure**: a number about the tables that a machine computes the same way every day, with a name and a meaning.
#
# > **threshold**: the value up to which, or from which, a measure counts as good; written down before you look.
#
# Every build writes a report, one row per measure. Here are the ones that carry most of the weight.

# %%
ws = lesson_workspace("gold")
report = ws.report()
report[["name", "value", "threshold", "status"]].head(8)

# %% [markdown]
# Four words can stand under status, and they differ in what happens next:
#
# | status | means | what happens |
# |---|---|---|
# | pass | within the threshold | nothing |
# | warn | past it, and the tables are still true | they are published, and somebody looks |
# | fail | past it, and somebody could be harmed or misled | nothing is published; the old release stays |
# | info | there is no threshold | a person reads it |
#
# So the question for each measure is not how bad a number looks. It is: *which is worse, yesterday's tables or
# these?* A customer who is in the mart twice is worse than yesterday's mart. Orders that are a few hours late are
# not.

# %%
report["status"].value_counts()

# %% [markdown]
# ## A rate that cannot see what is missing
#
# Ida Ferrara has three accounts and no orders. In a mart built with an inner join on orders she does not exist. Build
# that mart, and ask a colleague's measure how good it is: people who are in both tables, over people in the mart.

# %%
accounts, customer_360 = ws.table("customer_identity"), ws.table("customer_360")
buyers = customer_360[customer_360["order_count"] > 0]
both = accounts.merge(buyers, on="profile_id")
both["profile_id"].nunique() / buyers["profile_id"].nunique(), "P-app:2474943722" in set(buyers["profile_id"])

# %% [markdown]
# The measure says 1.0, and Ida is not there. It always says 1.0: whoever vanishes from the mart vanishes from the top
# and from the bottom of the fraction. A rate is only as good as its denominator, and that must come from *outside* the
# table that is measured: from what should be there.
#
# ### Exercise 1: coverage (8 minutes)
#
# Write `profile_coverage_rate`: of the live accounts, how many have a profile in `customer_360`? `accounts` is
# `customer_identity`, one row per account; an account whose `is_deleted` is true is not live. Count *accounts*, on
# the top and on the bottom: a lost person with four accounts is four times as visible. `customer_360` may be empty, or
# hold a profile twice. If there is no live account at all, nothing is missing: 1.0.

# %% exercise="quality.coverage_rate" objective="1" criterion="quality"
def coverage_rate(accounts, customer_360):
    live = accounts[~accounts["is_deleted"]]
    if len(live) == 0:
        return 1.0
    return live["profile_id"].isin(customer_360["profile_id"]).sum() / len(live)

# %% stub="quality.coverage_rate"
def coverage_rate(accounts, customer_360):
    """Live accounts with a profile in customer_360 / live accounts; 1.0 where there are none."""
    ...

# %% check="quality.coverage_rate"
check("quality.coverage_rate", coverage_rate)

# %% [markdown]
# Stuck? `hint("quality.coverage_rate")` gives one hint at a time; after an attempt
# `solution("quality.coverage_rate")` shows one answer.

# %% [markdown] hint="quality.coverage_rate"
# Start from the accounts that should be covered, and never let that table get shorter. How many are they?

# %% [markdown] hint="quality.coverage_rate"
# Ask of each live account whether its profile_id is one of those in customer_360: `isin` answers yes or no once for each account, however often the profile stands there.

# %% cases="quality.coverage_rate"
def cases(workspace):
    accounts, gold = workspace.table("customer_identity"), workspace.table("customer_360")
    names = ["record_id", "profile_id", "is_deleted"]
    made = pd.DataFrame(
        [
            ("a:1", "P-a:1", False),
            ("b:1", "P-a:1", False),
            ("c:1", "P-a:1", True),
            ("a:2", "P-a:2", False),
            ("b:2", "P-a:2", False),
            ("c:2", "P-a:2", False),
            ("a:3", "P-a:3", True),
            ("a:4", "P-a:4", False),
        ],
        columns=names,
    ).astype({"is_deleted": "boolean"})
    mart = pd.DataFrame({"profile_id": ["P-a:1", "P-a:4", "P-a:4"]})
    return [
        (made, mart),
        (made, pd.DataFrame({"profile_id": ["P-a:3", "P-a:2", "P-a:1", "P-a:4"]})),
        (made, mart.head(0)),
        (made[made["is_deleted"]].reset_index(drop=True), mart),
        (accounts, gold),
        (accounts, gold[gold["order_count"] > 0]),
        (accounts, pd.concat([gold.iloc[10:], gold.tail(40)])),
    ]

# %% wrong="quality.coverage_rate" misconception="measured-against-itself" says="You divide by what is in customer_360, so whoever is missing there is missing from the bottom too, and the rate is 1 whatever happens. Divide by the live accounts."
def coverage_rate(accounts, customer_360):
    both = accounts.merge(customer_360, on="profile_id")
    return both["profile_id"].nunique() / customer_360["profile_id"].nunique()

# %% wrong="quality.coverage_rate" misconception="joined-before-counted" says="You join first and count afterwards, top and bottom, so accounts without a profile are gone before anybody counts them. Count the live accounts before you join."
def coverage_rate(accounts, customer_360):
    both = accounts[~accounts["is_deleted"]].merge(customer_360, on="profile_id")
    return both["profile_id"].isin(customer_360["profile_id"]).sum() / len(both) if len(both) else 1.0

# %% wrong="quality.coverage_rate" misconception="deleted-accounts-counted" says="Deleted accounts are counted as well. They need no profile, so the rate falls although nothing is missing, or hides what is."
def coverage_rate(accounts, customer_360):
    if len(accounts) == 0:
        return 1.0
    return accounts["profile_id"].isin(customer_360["profile_id"]).sum() / len(accounts)

# %% wrong="quality.coverage_rate" misconception="people-instead-of-accounts" says="You count people: a lost person with four accounts weighs as much as one with a single account. The measure counts accounts."
def coverage_rate(accounts, customer_360):
    live = set(accounts.loc[~accounts["is_deleted"], "profile_id"])
    return len(live & set(customer_360["profile_id"])) / len(live) if live else 1.0

# %% wrong="quality.coverage_rate" misconception="rows-of-the-mart-counted" says="You put the number of rows of customer_360 on top. A row there is a person, not an account, and a row too many would make up for one that is missing."
def coverage_rate(accounts, customer_360):
    live = accounts[~accounts["is_deleted"]]
    return len(customer_360) / len(live) if len(live) else 1.0

# %% wrong="quality.coverage_rate" misconception="profile-twice-counts-twice" says="A profile that stands twice in customer_360 covers its accounts twice, so doubles make up for gaps. Ask for each account whether its profile is there, yes or no."
def coverage_rate(accounts, customer_360):
    live = accounts[~accounts["is_deleted"]]
    return len(live.merge(customer_360, on="profile_id")) / len(live) if len(live) else 1.0

# %% wrong="quality.coverage_rate" misconception="nothing-live-forgotten" says="Without a live account there is nothing to divide by, and your rate is no number. Nothing is missing then: 1.0."
def coverage_rate(accounts, customer_360):
    live = accounts[~accounts["is_deleted"]]
    return live["profile_id"].isin(customer_360["profile_id"]).astype(float).mean()

# %% right="quality.coverage_rate"
def coverage_rate(accounts, customer_360):
    live = accounts[accounts["is_deleted"] == False]  # noqa: E712
    marked = live.merge(customer_360[["profile_id"]].drop_duplicates(), how="left", on="profile_id", indicator=True)
    return float((marked["_merge"] == "both").mean()) if len(marked) else 1

# %% right="quality.coverage_rate"
def coverage_rate(accounts, customer_360):
    there = set(customer_360["profile_id"])
    live = [p for p, is_deleted in zip(accounts["profile_id"], accounts["is_deleted"], strict=True) if not is_deleted]
    return sum(p in there for p in live) / len(live) if live else 1.0

# %% [markdown]
# `duplicate_profile_count` is the other half: rows of `customer_360` minus distinct `profile_id`. Coverage asks whether
# everybody is there, this one whether anybody is there twice. Either alone can be met by a table that is wrong.
#
# ## What is empty
#
# A profile without a phone number is an ordinary profile. A profile without `consent_marketing` is not: somebody will
# read the gap as they please. The product names the columns that nobody can do without.

# %%
pd.DataFrame({"empty cells": customer_360[list(CRITICAL)].isna().sum(), "of": len(customer_360)})

# %% [markdown]
# ### Exercise 2: critical nulls (6 minutes)
#
# Write `critical_null_rate`: empty cells over all cells of `columns` in `table`. A column that the table does not have
# is empty in every row: a column that got lost must not make the table look better. Where there are no cells, the
# rate is 0.

# %% exercise="quality.critical_null_rate" objective="2" criterion="quality"
def critical_null_rate(table, columns):
    cells = table.reindex(columns=columns)
    return cells.isna().sum().sum() / cells.size if cells.size else 0.0

# %% stub="quality.critical_null_rate"
def critical_null_rate(table, columns):
    """Empty cells / cells of these columns; a column that is not there counts as empty throughout."""
    ...

# %% check="quality.critical_null_rate"
check("quality.critical_null_rate", critical_null_rate)

# %% [markdown] hint="quality.critical_null_rate"
# How many cells are there? Rows times columns: the columns that were asked for, whether the table has them or not.

# %% [markdown] hint="quality.critical_null_rate"
# `table.reindex(columns=columns)` gives exactly these columns, empty ones where the table has none. You may as well go through the columns one by one and add up.

# %% cases="quality.critical_null_rate"
def cases(workspace):
    gold = workspace.table("customer_360")
    columns = list(CRITICAL)
    holed = gold.copy()
    holed.loc[[0, 3, 4], "consent_marketing"] = pd.NA
    holed.loc[[3, 4, 9], "segment"] = None
    made = pd.DataFrame(
        {
            "profile_id": ["P-1", "P-2", "P-3", None],
            "is_loyal": pd.array([True, False, None, False], dtype="boolean"),
            "order_count": pd.array([0, None, None, 3], dtype="Int64"),
            "phone": [None, None, None, "1"],
        }
    )
    return [
        (made, ["profile_id", "is_loyal", "order_count"]),
        (made, ["profile_id", "segment"]),
        (made, ["is_loyal"]),
        (made.head(0), ["profile_id", "segment"]),
        (gold, columns),
        (holed, columns),
        (holed.drop(columns="consent_analytics"), columns),
    ]

# %% wrong="quality.critical_null_rate" misconception="rows-instead-of-cells" says="You count rows with a gap in them. Two gaps in one row are two empty cells, and the bottom is cells as well: rows times columns."
def critical_null_rate(table, columns):
    cells = table.reindex(columns=columns)
    return cells.isna().any(axis=1).sum() / len(cells) if len(cells) else 0.0

# %% wrong="quality.critical_null_rate" misconception="every-column-counted" says="You look at every column of the table. Gaps are normal in most of them; only the columns that were asked for count."
def critical_null_rate(table, columns):
    return table.isna().sum().sum() / table.size if table.size else 0.0

# %% wrong="quality.critical_null_rate" misconception="lost-column-forgiven" says="A column that the table does not have is left out, so losing a whole column makes the rate better. It is empty in every row."
def critical_null_rate(table, columns):
    cells = table[[name for name in columns if name in table.columns]]
    return cells.isna().sum().sum() / cells.size if cells.size else 0.0

# %% wrong="quality.critical_null_rate" misconception="lost-column-stops-it" says="A column that the table does not have stops the measure with an error. A measure must be able to tell of a bad table; count that column as empty."
def critical_null_rate(table, columns):
    cells = table[columns]
    return cells.isna().sum().sum() / cells.size if cells.size else 0.0

# %% wrong="quality.critical_null_rate" misconception="no-and-nought-taken-for-empty" says="You count false and 0 as empty. A no is an answer, and no orders is a number; only what is null is empty."
def critical_null_rate(table, columns):
    cells = table.reindex(columns=columns).astype(object)
    return (cells.isna() | (cells == False)).sum().sum() / cells.size if cells.size else 0.0  # noqa: E712

# %% wrong="quality.critical_null_rate" misconception="columns-with-a-gap-counted" says="You count columns that have a gap. One empty cell among a thousand is then as bad as a column that is empty throughout; count cells."
def critical_null_rate(table, columns):
    cells = table.reindex(columns=columns)
    return cells.isna().any().sum() / len(columns) if cells.size else 0.0

# %% wrong="quality.critical_null_rate" misconception="rates-added-up" says="You add the rates of the columns, so the result can be more than 1. Divide all empty cells by all cells."
def critical_null_rate(table, columns):
    cells = table.reindex(columns=columns)
    return cells.isna().mean().sum() if cells.size else 0.0

# %% wrong="quality.critical_null_rate" misconception="count-instead-of-rate" says="That is the number of empty cells. The rate is that number over all cells, so that it can be compared from day to day."
def critical_null_rate(table, columns):
    return table.reindex(columns=columns).isna().sum().sum()

# %% right="quality.critical_null_rate"
def critical_null_rate(table, columns):
    empty = sum(int(table[name].isna().sum()) if name in table else len(table) for name in columns)
    return empty / max(1, len(table) * len(columns))

# %% right="quality.critical_null_rate"
def critical_null_rate(table, columns):
    rates = [table[name].isna().mean() if name in table.columns else 1.0 for name in columns]
    return 0 if len(table) == 0 else sum(rates) / len(rates)

# %% [markdown]
# ## A number that is not to be reached
#
# One measure has no threshold on purpose.

# %%
report.loc[report["name"] == "marketing_consent_rate", ["value", "threshold", "status", "meaning"]].T

# %% [markdown]
# Suppose the team is told to bring it to 0.3. What can it do? Ask again and again those who said no. Paint the yes
# green and the no grey. Forget a refusal that came late. Each moves the number; each is what lesson 06 forbids. A
# measure of what *people* decide is there to be read. Only what *you* do may have a target.
#
# And it can rise by accident. Below, one defect is in the sources: the file of campaign events has its header and no
# rows.

# %%
silent = lesson_workspace("gold", faults="header_only")
now = silent.report()
now.loc[now["name"] == "marketing_consent_rate", ["name", "value", "status"]]

# %% [markdown]
# The rate has gone up, and nobody has said yes. Who was blocked before and may be written to now?

# %%
candidates, now_candidates = ws.table("activation_candidates"), silent.table("activation_candidates")
opened = candidates.merge(now_candidates, on=["profile_id", "purpose", "channel"])
opened = opened[~opened["eligible_x"] & opened["eligible_y"]]
opened.groupby(["purpose", "channel"]).size().rename("people").reset_index()

# %% [markdown]
# Clicks on *unsubscribe* come with the campaign events. With that file empty, fifteen people who said no by e-mail may
# be mailed again, and the number that somebody wanted to be higher is higher. Keep the case in mind for exercise 3.
#
# ## Read the report of a bad day
#
# Rows that cannot be used are set aside in quarantine, a little of which is normal. The report counts it for each
# source and reconciles every row that came in, as in lesson 02.

# %%
orders_rows = report[report["name"].str.startswith("orders_")]
orders_rows[["name", "value", "threshold", "status"]]

# %%
report.loc[report["name"] == "orders_rows_unaccounted", "meaning"].iloc[0]

# %% [markdown]
# Two noughts that look alike. `rows_unaccounted` fails at a single lost row, because then the product has a bug.
# `quarantine_rate` allows five in a hundred and then warns, because bad rows are the source's doing and are not
# lost; it fails only if no row at all is usable.
#
# ### Exercise 3: four defects (5 minutes)
#
# Four builds, each with one of the defects of [docs/faults.md](../docs/faults.md) in its sources:
#
# 1. `header_only`: the file of campaign events has no rows
# 2. `consent_of_nobody`: a withdrawal of consent does not say whose it is
# 3. `orphan_reference`: three of 5,357 order rows name an account that does not exist
# 4. `extra_column`: customers come with a new column, `favourite_colour`
#
# For each, what is the *worst* status in the report? Give a tuple of four words, in this order, each `"pass"`,
# `"warn"` or `"fail"`. The first you can look up: `now` is its report. For the others, ask each time: can somebody be
# harmed or misled by these tables, or does somebody only have to look, or not even that?

# %% exercise="quality.worst_status" objective="3" criterion="quality"
worst_status = ("warn", "fail", "pass", "warn")

# %% stub="quality.worst_status"
worst_status = ...

# %% check="quality.worst_status"
check("quality.worst_status", worst_status)

# %% [markdown] hint="quality.worst_status"
# Two of the four are about a file that looks unusual, not about a row that is wrong. How would you want to hear of an unusual file?

# %% [markdown] hint="quality.worst_status"
# For the orders, compute three in 5,357 and compare it with the threshold of `orders_quarantine_rate`.

# %% [markdown] hint="quality.worst_status"
# Somebody has said no, and nobody knows who. Whom may you still write to?

# %% truth="quality.worst_status"
def truth(workspace):
    found = []
    for fault in ("header_only", "consent_of_nobody", "orphan_reference", "extra_column"):
        statuses = set(lesson_workspace("gold", faults=fault).report()["status"])
        found.append("fail" if "fail" in statuses else "warn" if "warn" in statuses else "pass")
    return tuple(found)

# %% wrong="quality.worst_status" misconception="every-bad-row-warns" says="Three orphans among 5,357 rows are well below the five in a hundred that the threshold allows. They are in quarantine, counted and kept; nothing warns."
worst_status = ("warn", "fail", "warn", "warn")

# %% wrong="quality.worst_status" misconception="every-bad-row-fails" says="Three orphans do not stop a release. They are in quarantine, counted and kept, and yesterday's tables would be worse for everybody else."
worst_status = ("warn", "fail", "fail", "warn")

# %% wrong="quality.worst_status" misconception="lost-refusal-only-warns" says="A withdrawal that nobody can attribute is more than something to look at: any grant in the tables may be the one that was withdrawn. It fails."
worst_status = ("warn", "warn", "pass", "warn")

# %% wrong="quality.worst_status" misconception="quarantined-refusal-passes" says="You treat the withdrawal like the orphans: set aside, few, fine. But setting a refusal aside opens a door, and nobody knows which. It fails."
worst_status = ("warn", "pass", "pass", "warn")

# %% wrong="quality.worst_status" misconception="empty-source-fails" says="An empty source warns in this product, even this one; what it did to fifteen people is a good reason to call that too mild. The question is what the report says today."
worst_status = ("fail", "fail", "pass", "warn")

# %% wrong="quality.worst_status" misconception="empty-source-passes" says="A source that suddenly has no rows is seen: it has a measure of its own, which warns. Without it, a silent source would look like a quiet day."
worst_status = ("pass", "fail", "pass", "warn")

# %% wrong="quality.worst_status" misconception="unknown-column-fails" says="A column that the contract does not know harms nobody: bronze keeps it and the layers above ignore it. It warns, so that somebody asks the source about it."
worst_status = ("warn", "fail", "pass", "fail")

# %% wrong="quality.worst_status" misconception="unknown-column-passes" says="A new column is kept in bronze and ignored above, but not in silence: it warns. It may be a field that you should use, or one that you should not have."
worst_status = ("warn", "fail", "pass", "pass")

# %% wrong="quality.worst_status" misconception="every-defect-fails" says="If everything fails, the old release stays for every trifle, and soon somebody switches the gate off. Fail is for what could harm or mislead."
worst_status = ("fail", "fail", "fail", "fail")

# %% [markdown]
# Put the four into one day. These are the rows that do not pass, and then the report as a picture: how much of what is
# allowed has each measure used? The rows that reconcile are left out of the picture to save room.

# %%
bad_day = lesson_workspace("gold", faults="header_only,consent_of_nobody,orphan_reference,extra_column")
seen = bad_day.report()
seen[seen["status"].isin(["warn", "fail"])][["name", "value", "threshold", "status"]]

# %%
seen = seen[~seen["name"].str.contains("unaccounted|steward|erasure")]
show(
    plots.quality.dashboard(seen),
    alt="Measures of a bad day against their thresholds: unattributable consent rows is a fail beyond the line, an extra column and an empty source are warnings, all others lie left of the line and pass.",
)

# %% [markdown]
# A dashboard earns its place if you find the one mark that matters within a second. Here it is the cross.
#
# Now look at the triangle of the empty source again. On a day when it stands there alone, the release goes out, and
# with it the fifteen people of the last section. For most sources an empty file makes tables poorer, and a warning is
# right. For a source that carries refusals it makes them wrong. If these were your tables, would you let this row
# only warn?
#
# ## The gate
#
# > **release gate**: the place where measures decide, before publishing, whether new tables replace the old ones.
#
# The build stages the new tables, measures them as they stand, and publishes only if nothing failed. Otherwise the
# last release stays, the staged one is kept in `data/failed` to look at, and the exit status says so. Checks that run
# *after* publishing are no gate; they tell you what your readers have already read.
#
# ### Exercise 4: publish or hold (6 minutes)
#
# Write the gate. `report` has `name` and `status` (and more); `required` is a list of measures without which nothing
# may be published. Give `"publish"` or `"hold"`. Warnings do not hold, whatever they are about. And a measure that
# did not run has not passed.

# %% exercise="quality.gate" objective="4" criterion="quality"
def gate(report, required):
    failed = (report["status"] == "fail").any()
    absent = set(required) - set(report["name"])
    return "hold" if failed or absent else "publish"

# %% stub="quality.gate"
def gate(report, required):
    """Either "publish" or "hold"."""
    ...

# %% check="quality.gate"
check("quality.gate", gate)

# %% [markdown] hint="quality.gate"
# What should the gate say to a report with no rows at all? Nothing in it failed.

# %% [markdown] hint="quality.gate"
# There are two reasons to hold: a status is fail, or a name of `required` is not among the names. All else publishes.

# %% cases="quality.gate"
def cases(workspace):
    report = workspace.report()
    required = ["profile_coverage_rate", "consent_leak_count"]
    warned = report.assign(status=report["status"].mask(report["name"] == "orders_freshness_hours", "warn"))
    failed = warned.assign(status=warned["status"].mask(warned["name"] == "critical_null_rate", "fail"))
    last = report.assign(status=[*report["status"].iloc[:-1], "fail"])
    soft = report.assign(status=report["status"].mask(report["name"] == "consent_leak_count", "warn"))
    absent = report[report["name"] != "consent_leak_count"]
    plain = report[report["status"] == "pass"]
    return [
        (report, required),
        (plain, required),
        (warned, required),
        (failed, required),
        (last, required),
        (soft, required),
        (absent, required),
        (absent, []),
        (report.head(0), required),
        (failed, []),
        (report.assign(status=report["status"].mask(report["name"] == "profile_coverage_rate", "fail")), required),
    ]

# %% wrong="quality.gate" misconception="warnings-hold" says="A warning holds your release back. Then late orders would keep a week of good tables from everybody; a warning is for somebody to look at."
def gate(report, required):
    bad = report["status"].isin(["warn", "fail"]).any()
    return "hold" if bad or set(required) - set(report["name"]) else "publish"

# %% wrong="quality.gate" misconception="did-not-run-means-passed" says="A required measure that is not in the report goes through, and so does an empty report. What did not run has not passed: hold."
def gate(report, required):
    return "hold" if (report["status"] == "fail").any() else "publish"

# %% wrong="quality.gate" misconception="everything-must-pass" says="You ask that every row says pass. Measures of status info have no threshold and never will, and warnings do not hold."
def gate(report, required):
    fine = (report["status"] == "pass").all() and set(required) <= set(report["name"])
    return "publish" if fine else "hold"

# %% wrong="quality.gate" misconception="only-required-can-fail" says="You look only at the required measures. They must be there, but any measure that fails holds; that is what fail means."
def gate(report, required):
    known = report[report["name"].isin(required)]
    return "hold" if (known["status"] == "fail").any() or len(known) < len(required) else "publish"

# %% wrong="quality.gate" misconception="required-must-pass" says="A required measure that warns holds your release back. Required means that it must have run; a warning does not hold, whatever it is about."
def gate(report, required):
    passed = report.loc[report["status"] == "pass", "name"]
    failed = (report["status"] == "fail").any()
    return "hold" if failed or set(required) - set(passed) else "publish"

# %% wrong="quality.gate" misconception="most-must-pass" says="You let the majority decide: a failure is outweighed by many passes. One wrong table is enough to mislead; a single fail holds."
def gate(report, required):
    good = (report["status"] == "fail").sum() <= (report["status"] == "pass").sum()
    return "publish" if good and set(required) <= set(report["name"]) else "hold"

# %% wrong="quality.gate" misconception="only-the-first-rows" says="You look at the first rows only. The report goes on, and a failure in its last row holds as well."
def gate(report, required):
    failed = (report["status"].head(25) == "fail").any()
    return "hold" if failed or set(required) - set(report["name"]) else "publish"

# %% right="quality.gate"
def gate(report, required):
    statuses = dict(zip(report["name"], report["status"], strict=True))
    if any(name not in statuses for name in required):
        return "hold"
    return "hold" if "fail" in statuses.values() else "publish"

# %% right="quality.gate"
def gate(report, required):
    wanted = pd.DataFrame({"name": required}, dtype="str")
    joined = wanted.merge(report.astype({"name": "str"}), on="name", how="left")
    has_failed = (report["status"] == "fail").sum() > 0
    return {True: "hold", False: "publish"}[bool(has_failed or joined["status"].isna().any())]

# %% [markdown]
# ## Thresholds from history
#
# > **freshness**: how old the newest row of a source is at the moment that is measured, here in hours.
#
# Where does a threshold such as "at most 48 hours" come from? Not from a wish. Take the last months, ask how old the
# source was at the end of each day, and look at where ordinary days end. `merge_asof` finds for each day the latest
# arrival before its end.

# %%
days = pd.DataFrame({"day_end": pd.date_range("2026-01-03 23:59:59", periods=179, tz="UTC").as_unit("s")})
ages = []
for source in MAX_FRESHNESS_HOURS:
    arrived = pd.DataFrame({"latest": pd.to_datetime(ws.bronze(source)["ingest_ts"])}).sort_values("latest")
    found = pd.merge_asof(days, arrived.astype("datetime64[s, UTC]"), left_on="day_end", right_on="latest")
    ages.append(found.assign(source=source, hours=(found["day_end"] - found["latest"]).dt.total_seconds() / 3600))

# %%
ages = pd.concat(ages, ignore_index=True)
ages.groupby("source")["hours"].describe(percentiles=[0.5, 0.95])[["50%", "95%", "max"]].round(1)

# %% [markdown]
# Half of all days, orders are less than two hours old. On nearly all days they are younger than half a day. Put the
# product's thresholds beside each source's own history:

# %%
limits = pd.DataFrame({"source": list(MAX_FRESHNESS_HOURS), "hours": list(MAX_FRESHNESS_HOURS.values())})
show(
    plots.quality.freshness(ages, limits),
    alt="Ages of six sources at the end of 179 days on a log scale with their thresholds: five sources stay almost always below, campaign events lie above theirs of 168 hours on 69 days.",
)

# %% [markdown]
# Five thresholds stand to the right of nearly all days. That is what *lenient* means: they speak up when something is
# out of the ordinary. Tickets passed theirs on five days in January, in two stretches, and each was worth a look.
#
# The sixth is wrong. Campaigns go out every second week, 336 hours apart, and the threshold of 168 is one for weekly
# campaigns. It would have warned on 69 of 179 days, and by the third week nobody would have read it. A warning that
# comes on ordinary days teaches people to ignore warnings. Above the longest ordinary gap, at 360 hours, it would
# have been silent all half-year and would have told of the first campaign that did not come.
#
# And why does age only warn? Because late rows are not wrong rows. If nothing has come since Friday, Friday's tables
# built again are as true as before, and holding them back would make them older still.
#
# ## A promise and its budget
#
# > **SLO**: service-level objective: a promise about a measure over time, such as "at most 12 hours on 95 % of days".
#
# > **error budget**: what the promise leaves you: the days on which it may be missed before it is broken.
#
# Nobody can promise 100 %, and who promises it never dares to change anything. An SLO of 95 % over 90 days leaves
# 4.5 days. A day that misses costs one. While budget is left, you may take risks: a migration, a new source. When it is
# spent, what comes next is repair.
#
# ### Exercise 5: what is left (8 minutes)
#
# `ages` is a column of ages in hours, one per day; null where nobody could measure. `limit_hours` is the oldest that
# still keeps the promise ("at most"). `target` is the promised share of days, such as 0.95. Give the days of budget
# that are left, as a number; negative if more was spent than there was. A day that was not measured has not kept the
# promise.

# %% exercise="quality.budget_left" objective="5" criterion="production"
def budget_left(ages, limit_hours, target):
    kept = (ages <= limit_hours).fillna(False).sum()
    return (1 - target) * len(ages) - (len(ages) - kept)

# %% stub="quality.budget_left"
def budget_left(ages, limit_hours, target):
    """Days of error budget that are left; negative where the promise is broken."""
    ...

# %% check="quality.budget_left"
check("quality.budget_left", budget_left)

# %% [markdown] hint="quality.budget_left"
# Two numbers: how many days may miss, and how many did. How many may miss follows from the target and the number of all days.

# %% [markdown] hint="quality.budget_left"
# Count the days that kept the promise, at most the limit; all others are spent. What does a comparison say to a null: yes or no?

# %% cases="quality.budget_left"
def cases(workspace):
    found = []
    for source, limit in (("orders", 12), ("consent_events", 24), ("campaign_events", 168)):
        arrived = pd.to_datetime(workspace.bronze(source)["ingest_ts"]).sort_values()
        ends = pd.date_range("2026-04-02 23:59:59", periods=90, tz="UTC")
        latest = [arrived[arrived <= end].max() for end in ends]
        hours = pd.Series([(end - at).total_seconds() / 3600 for end, at in zip(ends, latest, strict=True)])
        found.append((hours, limit, 0.95))
    made = pd.Series([1.0, 24.0, 24.5, None, 3.0, 300.0, 24.0, 0.0, 5.0, 6.0], index=range(10, 20))
    return [
        (made, 24, 0.9),
        (made, 24, 0.5),
        (made, 1000, 0.99),
        (pd.Series([1.0, 2.0, 3.0]), 24, 0.95),
        (pd.Series([None, None], dtype="float64"), 24, 0.5),
        *found,
    ]

# %% wrong="quality.budget_left" misconception="unmeasured-taken-for-kept" says="A day without a measurement costs nothing in your count, because a comparison with null is never true. If nobody could measure, nobody can say that the promise was kept."
def budget_left(ages, limit_hours, target):
    return (1 - target) * len(ages) - (ages > limit_hours).fillna(False).sum()

# %% wrong="quality.budget_left" misconception="unmeasured-days-left-out" says="Days without a measurement drop out of your count altogether, of the budget as well. Then the best way to keep a promise is not to measure."
def budget_left(ages, limit_hours, target):
    known = ages.dropna()
    return (1 - target) * len(known) - (known > limit_hours).sum()

# %% wrong="quality.budget_left" misconception="at-the-limit-counted-as-missed" says="A day exactly at the limit costs budget in your count. At most 24 hours includes 24 hours."
def budget_left(ages, limit_hours, target):
    kept = (ages < limit_hours).fillna(False).sum()
    return (1 - target) * len(ages) - (len(ages) - kept)

# %% wrong="quality.budget_left" misconception="share-instead-of-days" says="That is a share of days. The budget is asked for in days: a share says little to somebody who plans the next week."
def budget_left(ages, limit_hours, target):
    kept = (ages <= limit_hours).fillna(False).sum()
    return (1 - target) - (len(ages) - kept) / len(ages)

# %% wrong="quality.budget_left" misconception="overspending-hidden" says="You stop at 0. How far a promise was missed is what decides between a repair and another promise; let it go below 0."
def budget_left(ages, limit_hours, target):
    kept = (ages <= limit_hours).fillna(False).sum()
    return max(0, (1 - target) * len(ages) - (len(ages) - kept))

# %% wrong="quality.budget_left" misconception="budget-cut-to-whole-days" says="You cut the budget to whole days before spending it. Keep the fraction; it belongs to the next window and shows how close it was."
def budget_left(ages, limit_hours, target):
    kept = (ages <= limit_hours).fillna(False).sum()
    return int((1 - target) * len(ages) + 1e-9) - (len(ages) - kept)

# %% wrong="quality.budget_left" misconception="target-taken-for-budget" says="You take the target for the budget. The target is the share of days that must keep the promise; the budget is the rest."
def budget_left(ages, limit_hours, target):
    kept = (ages <= limit_hours).fillna(False).sum()
    return target * len(ages) - (len(ages) - kept)

# %% wrong="quality.budget_left" misconception="spent-instead-of-left" says="That is what was spent. What is left is the budget minus that."
def budget_left(ages, limit_hours, target):
    return len(ages) - (ages <= limit_hours).fillna(False).sum()

# %% right="quality.budget_left"
def budget_left(ages, limit_hours, target):
    missed = ages.isna().sum() + (ages > limit_hours).sum()
    return len(ages) * (1 - target) - missed

# %% right="quality.budget_left"
def budget_left(ages, limit_hours, target):
    allowed, spent = len(ages) - target * len(ages), 0
    for age in ages.tolist():
        if not age <= limit_hours:
            spent += 1
    return float(allowed - spent)

# %% [markdown]
# Here are two promises over the last 90 days, both of 95 %: orders at most 12 hours old, and consent events at most 24.
# Each line starts at 4.5 days and loses one with every day that misses.

# %%
promises = pd.DataFrame({"source": ["orders", "consent_events"], "limit": [12, 24]})
spent = ages[ages["day_end"] >= "2026-04-02"].merge(promises, on="source").sort_values(["source", "day_end"])
spent["missed"] = (spent["hours"] > spent["limit"]).astype(int)
spent["days_left"] = 4.5 - spent.groupby("source")["missed"].cumsum()
spent["name"] = spent["source"].str.replace("_", " ") + ": at most " + spent["limit"].astype(str) + " hours"

# %%
show(
    plots.quality.budget(spent.rename(columns={"day_end": "day"})),
    alt="Error budget left over 90 days for two promises: both start at 4.5 days; orders end at plus 0.5, consent events at minus 0.5, below nought.",
)

# %% [markdown]
# One is just kept, one just broken, and the picture says more than the two words: consents lost three days within ten
# in April, and the rest in May. Ask what happened then, while somebody remembers. And ask whether 24 hours is the right
# promise for consent: nobody may write to a person who said no yesterday, so for refusals even one hour can be too much.
#
# ## What you can now do
#
# - compute a rate whose denominator comes from what should be there, so that it falls when rows vanish
# - count empty cells where nothing may be empty, a lost column included
# - read a report and say of each row why it passes, warns, fails or only informs
# - write a gate that holds for what failed and for what did not run, and for nothing else
# - judge a threshold by a source's own history, and say what is left of an error budget
#
# ## Common mistakes
#
# - **A denominator from the table that is measured.** Such a rate is 1 whatever happens.
# - **Everything fails, or nothing does.** A gate that holds for trifles is switched off within a month; one that never
#   holds is a diary. Fail is for what is wrong, warn for what is late or unusual.
# - **What did not run has passed.** An empty report, a skipped check and a null are not a pass.
# - **A target on what people decide.** Consent, complaints and erasures are reported, never aimed at.
# - **Profiles exposed without a contract and a validation report**, one of the three mistakes of this course: if
#   readers cannot see which measures their table has passed, they measure it themselves, each in another way.
# - **One denormalised table** without ownership, consent, identity rules, freshness or thresholds: nobody can say
#   whether it is good, because nobody has said what good would be.
# - **Behaviour aggregated without event time**: arrival tells how fresh a source is. It does not tell when anything
#   happened; counts by arrival make a late day look like a quiet one.
#
# ## Further reading
#
# - [Architecture](../docs/architecture.md): the gate, releases, and why publishing is one step
# - [Faults](../docs/faults.md): every defect with what must detect it; try the others with `faults=...`
# - [Rubric](../docs/rubric.md): what the capstone looks for under quality controls
# - B. Beyer and others: *Site Reliability Engineering*, 2016, chapters 3 and 4, on risk and service-level objectives
# - M. Strathern: *Improving ratings: audit in the British university system*, 1997, on what happens to a measure that
#   becomes a target
