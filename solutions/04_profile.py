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
# # 04 Profile: one row per person
#
# *60 minutes · after lesson 03 · you need: pandas filter, groupby, sort_values, drop_duplicates*
#
# ## What you will do
#
# 1. turn text into typed values without losing a row, and list what could not be read
# 2. give every row of a change log exactly one disposition
# 3. choose which account's values survive in the profile
# 4. say how many accounts stand behind a profile, and who answers for it
#
# ## In production
#
# | here | in production |
# |---|---|
# | `orders`, `support_tickets`, ... in silver | conformed lakehouse tables, merged from CDC topics by key and log position |
# | `quarantine`, `field_issues` | dead-letter table and data-quality log, with an owner who looks at them |
# | `customer_profile_base` | conformed, auditable customer entity: the golden record of a master-data system |
#
# ## The story so far
#
# Lesson 03 decided who is who: Anton Schneider's four accounts are one person, İpek Mayer's four another. But four
# accounts may hold several phone numbers, e-mail addresses and spellings of one street, and gaps where a source never
# asked. And every cell is still text. In this lesson the text becomes values, every row is accounted for, and four
# accounts become one row that somebody answers for.

# %% tags=["setup"]
import pandas as pd

from c360lib import plots
from c360lib.course import check, hint, lesson_workspace, show, solution

# %% [markdown]
# The lesson starts from silver, so you can compare what you build with what the product made.

# %%
ws = lesson_workspace("silver")
ws

# %% [markdown]
# ## From text to values
#
# > **silver**: the layer of typed, deduplicated tables in which every row says which person it belongs to.
#
# > **conformed**: brought to the same names, types, units and ids, whichever source it comes from.
#
# In bronze a time is text, an amount is text, and even a row's place in its log is text. That was right there: text can
# be kept without being understood. To sort, add and compare, it has to become a value.

# %%
raw_orders = ws.bronze("orders")
raw_orders.loc[:2, ["order_id", "lsn", "status", "ordered_ts", "net_amount_cents"]]

# %% [markdown]
# In silver the same columns have types. Sorted as text, an `lsn` of `10` comes before `9`; as numbers it does not.

# %%
ws.table("orders")[["order_id", "status", "ordered_ts", "net_amount_cents"]].dtypes.astype(str)

# %% [markdown]
# Text that is not what its column says cannot become a value. What then? There are two answers, and choosing the wrong
# one loses data.
#
# > **field issue**: a cell that cannot be read. It becomes null and is listed; its row is kept.
#
# > **quarantine**: where a row goes that cannot be used at all, whole, with the rule that it breaks.
#
# The question to ask is: *can the row do its work without this cell?* An account without a date of birth is still an
# account. A change without a place in its log cannot be put in order, so nobody knows what it changed.
#
# ### Exercise 1: the cell or the row (4 minutes)
#
# The sample is clean, so the lesson spoils a copy of it. Five faults go in:
#
# 1. customers with the date of birth `2026-02-30`
# 2. customers whose e-mail address has no `@`
# 3. support tickets with a satisfaction score of `9`, where 1 to 5 are allowed
# 4. orders with an amount of `-500` cents
# 5. orders whose `event_ts` is `30/06/2026 12:00`
#
# Predict for each whether the product gives up only the `"cell"` or the whole `"row"`. Write a list of five words, in
# this order.

# %% exercise="profile.given_up" objective="1" criterion="quality"
given_up = ["cell", "cell", "cell", "row", "row"]

# %% stub="profile.given_up"
given_up = ...

# %% check="profile.given_up"
check("profile.given_up", given_up)

# %% [markdown]
# Stuck? `hint("profile.given_up")` gives one hint at a time; after an attempt `solution("profile.given_up")` shows one
# answer.

# %% [markdown] hint="profile.given_up"
# Take each row with that one cell empty. Is there still something useful that it says?

# %% [markdown] hint="profile.given_up"
# A ticket without a score still tells that somebody wrote, and when. What does an order tell without an amount? What does any change tell if nobody knows when it happened?

# %% truth="profile.given_up"
def truth(workspace):
    faults = "impossible_date,unreadable_email,impossible_score,negative_amount,malformed_timestamp"
    spoiled = lesson_workspace("silver", faults=faults)
    rows, cells = set(spoiled.table("quarantine")["rule"]), set(spoiled.table("field_issues")["rule"])
    rules = ["valid_date_of_birth", "valid_email", "valid_csat", "amount_not_negative", "readable_event_ts"]
    return ["row" if rule in rows else "cell" if rule in cells else "neither" for rule in rules]

# %% wrong="profile.given_up" misconception="any-bad-cell-loses-the-row" says="You give up every row with a bad cell. A customer with an impossible date of birth is still a customer, with orders and with consent. Only what a row cannot do without costs the row."
given_up = ["row", "row", "row", "row", "row"]

# %% wrong="profile.given_up" misconception="every-bad-cell-becomes-null" says="You keep every row and empty the cell. An order without an amount would count as an order worth nothing, and a change without a time cannot be placed. Those rows have to wait in quarantine."
given_up = ["cell", "cell", "cell", "cell", "cell"]

# %% wrong="profile.given_up" misconception="a-bad-date-loses-the-row" says="Most of it is right. But a date of birth is one fact about a customer: public data are full of impossible ones, and the customer is there all the same."
given_up = ["row", "cell", "cell", "row", "row"]

# %% wrong="profile.given_up" misconception="out-of-range-loses-the-row" says="Most of it is right. But a ticket with an unreadable score is still a ticket: somebody wrote, and waits for an answer."
given_up = ["cell", "cell", "row", "row", "row"]

# %% wrong="profile.given_up" misconception="an-amount-can-be-null" says="Most of it is right. But an order is there to say how much: with a null amount it would silently lower every sum and average."
given_up = ["cell", "cell", "cell", "cell", "row"]

# %% wrong="profile.given_up" misconception="a-time-can-be-null" says="Most of it is right. But without event_ts nobody knows whether the change had happened by as_of, so it may not be used."
given_up = ["cell", "cell", "cell", "row", "cell"]

# %% wrong="profile.given_up" misconception="an-email-identifies-the-row" says="Most of it is right. But the e-mail is not the key of a customer row; source_system and customer_id are. An account without an e-mail is an account."
given_up = ["cell", "row", "cell", "row", "row"]

# %% [markdown]
# Now look. The spoiled copy takes a few seconds to build. These cells were given up, one line per cell, with the rule and
# with what stood there:

# %%
faults = "impossible_date,unreadable_email,impossible_score,negative_amount,malformed_timestamp"
spoiled = lesson_workspace("silver", faults=faults)
spoiled.table("field_issues")

# %% [markdown]
# And these rows. `quarantine` also keeps the whole row, so that it can be put right at the source and come back.

# %%
quarantine = spoiled.table("quarantine")
quarantine[["source", "row_number", "rule", "detail"]]

# %% [markdown]
# Six rows are gone. Are six orders gone? An order has several rows, one for each change. Look at the order of the first
# quarantined row: first as it stands in bronze, then as silver has it.

# %%
spoiled_orders = spoiled.bronze("orders")
order_id = spoiled_orders.loc[spoiled_orders["_row_number"] == "24", "order_id"].iloc[0]
spoiled_orders.loc[spoiled_orders["order_id"] == order_id, ["order_id", "lsn", "status", "net_amount_cents"]]

# %%
in_silver = spoiled.table("orders")
in_silver.loc[in_silver["order_id"] == order_id, ["order_id", "status", "net_amount_cents"]]

# %% [markdown]
# The change to `paid` is in quarantine, so the order has fallen back to the state before: `placed`. Nothing crashed, no
# order is missing, and yet this customer's value has gone down. This is why quarantine is counted and looked at, and why
# a dead-letter table that nobody opens is a slow leak.
#
# ### Exercise 2: dates, safely (10 minutes)
#
# One impossible date makes `pd.to_datetime` raise for a whole column. Write `typed_dates(column)`. It takes a column of
# text and returns a table with the same rows in the same order, and two columns:
#
# - `date`: the date as pandas' `datetime64` (what `pd.to_datetime` gives), or null where there is none. Only
#   `YYYY-MM-DD` is a date, with all its digits; spaces at the ends do not matter.
# - `is_issue`: true where something stands that is not a date. A cell with nothing in it, or only spaces, is absent, and
#   absent is no issue.
#
# So `" 1961-08-23"` gives a date and no issue, `"1961-02-30"`, `"23/08/1961"` and `"1961-8-23"` give null and an issue,
# and `""` gives null and no issue.

# %% exercise="profile.typed_dates" objective="1" criterion="quality"
def typed_dates(column):
    text = column.str.strip()
    date = pd.to_datetime(text, format="%Y-%m-%d", errors="coerce")
    date = date.where(text.str.fullmatch("[0-9]{4}-[0-9]{2}-[0-9]{2}"))
    return pd.DataFrame({"date": date, "is_issue": date.isna() & (text != "")})

# %% stub="profile.typed_dates"
def typed_dates(column):
    """A table (date, is_issue) with a row for each cell of `column`."""
    ...

# %% check="profile.typed_dates"
check("profile.typed_dates", typed_dates)

# %% [markdown] hint="profile.typed_dates"
# `pd.to_datetime` has an argument `errors` that says what to do with text it cannot read, and an argument `format`.

# %% [markdown] hint="profile.typed_dates"
# Even with a format, pandas reads `1961-8-23`. Ask the text itself how many digits stand where: `str.fullmatch` with `[0-9]{4}` and so on.

# %% [markdown] hint="profile.typed_dates"
# An issue is a date that is null although the text, without its spaces, is not empty.

# %% cases="profile.typed_dates"
def cases(workspace):
    made = pd.Series(
        ["1961-08-23", " 1977-11-14 ", "", "   ", "1961-02-30", "2000-02-29", "1900-02-29", "23/08/1961", "1961-8-23"]
        + ["19610823", "1961", "1961-08-23T00:00:00Z", "unknown", "1961-13-01", "2026-06-31", "1999-12-31", "10/11/1985"],
        index=range(40, 57),
    )
    clean = pd.Series(["1961-08-23", "1999-04-23"])
    born = workspace.bronze("customers")["date_of_birth"]
    spoiled = born.mask(born.index % 7 == 3, "2026-02-30").mask(born.index % 11 == 5, born + " ")
    return [(made,), (clean,), (spoiled,), (made.iloc[:0],)]

# %% wrong="profile.typed_dates" misconception="bad-rows-dropped" says="You drop rows whose date cannot be read. The row is a customer; only its date is in doubt. Keep as many rows as you got."
def typed_dates(column):
    text = column.str.strip()
    date = pd.to_datetime(text, format="%Y-%m-%d", errors="coerce")
    date = date.where(text.str.fullmatch("[0-9]{4}-[0-9]{2}-[0-9]{2}"))
    table = pd.DataFrame({"date": date, "is_issue": date.isna() & (text != "")})
    return table[~table["is_issue"]]

# %% wrong="profile.typed_dates" misconception="absent-is-an-issue" says="You list absent dates as issues. Many people never gave one; a list that holds all of them hides the few that are broken."
def typed_dates(column):
    text = column.str.strip()
    date = pd.to_datetime(text, format="%Y-%m-%d", errors="coerce")
    date = date.where(text.str.fullmatch("[0-9]{4}-[0-9]{2}-[0-9]{2}"))
    return pd.DataFrame({"date": date, "is_issue": date.isna()})

# %% wrong="profile.typed_dates" misconception="any-spelling-guessed" says="You let pandas guess other spellings. 10/11/1985 is October to one reader and November to another; a guess is not a date that the source sent. Only YYYY-MM-DD counts."
def typed_dates(column):
    text = column.str.strip()
    date = pd.to_datetime(text, format="mixed", errors="coerce", utc=True).dt.tz_localize(None).dt.normalize()
    return pd.DataFrame({"date": date, "is_issue": date.isna() & (text != "")})

# %% wrong="profile.typed_dates" misconception="digits-not-counted" says="You let 1961-8-23 pass: a format of year, month and day also reads single digits. The contract asks for all ten characters."
def typed_dates(column):
    text = column.str.strip()
    date = pd.to_datetime(text, format="%Y-%m-%d", errors="coerce")
    return pd.DataFrame({"date": date, "is_issue": date.isna() & (text != "")})

# %% wrong="profile.typed_dates" misconception="impossible-date-rolled-over" says="You turn an impossible date into a nearby one: 30 February becomes 2 March. That is an invented birthday, and nobody can tell it from a real one later."
def typed_dates(column):
    text = column.str.strip()
    parts = text.str.extract("^([0-9]{4})-([0-9]{2})-([0-9]{2})$")
    first = pd.to_datetime(parts[0] + "-01-01", format="%Y-%m-%d", errors="coerce")
    months = pd.to_numeric(parts[1]).fillna(1).astype(int) - 1
    starts = [day + pd.DateOffset(months=n) if not pd.isna(day) else day for day, n in zip(first, months)]
    date = pd.Series(starts, index=column.index, dtype="datetime64[s]")
    date = date + pd.to_timedelta(pd.to_numeric(parts[2]) - 1, unit="D")
    return pd.DataFrame({"date": date, "is_issue": date.isna() & (text != "")})

# %% wrong="profile.typed_dates" misconception="default-date-filled-in" says="You put a made-up date where none can be read. It will be matched on, counted in ages, and greeted on its birthday. Null says honestly that nobody knows."
def typed_dates(column):
    text = column.str.strip()
    date = pd.to_datetime(text, format="%Y-%m-%d", errors="coerce")
    date = date.where(text.str.fullmatch("[0-9]{4}-[0-9]{2}-[0-9]{2}"))
    return pd.DataFrame({"date": date.fillna(pd.Timestamp("1900-01-01")), "is_issue": date.isna() & (text != "")})

# %% wrong="profile.typed_dates" misconception="spaces-kept" says="A date with a space behind it is lost, or spaces alone count as an issue. Take the spaces at the ends away before you look."
def typed_dates(column):
    date = pd.to_datetime(column, format="%Y-%m-%d", errors="coerce")
    date = date.where(column.str.fullmatch("[0-9]{4}-[0-9]{2}-[0-9]{2}"))
    return pd.DataFrame({"date": date, "is_issue": date.isna() & (column != "")})

# %% wrong="profile.typed_dates" misconception="one-bad-cell-empties-the-column" says="One bad cell makes you give up the whole column. Each cell is judged for itself."
def typed_dates(column):
    text = column.str.strip()
    try:
        date = pd.to_datetime(text.mask(text == ""), format="%Y-%m-%d")
    except ValueError:
        date = pd.Series(pd.NaT, index=column.index)
    return pd.DataFrame({"date": date, "is_issue": date.isna() & (text != "")})

# %% right="profile.typed_dates"
def typed_dates(column):
    dates, issues = [], []
    for cell in column:
        parts = cell.strip().split("-")
        date = pd.NaT
        if [len(part) for part in parts] == [4, 2, 2] and all(part.isdigit() for part in parts):
            try:
                date = pd.Timestamp(int(parts[0]), int(parts[1]), int(parts[2]))
            except ValueError:
                pass
        dates.append(date)
        issues.append(date is pd.NaT and cell.strip() != "")
    return pd.DataFrame({"date": pd.Series(dates, dtype="datetime64[s]"), "is_issue": pd.Series(issues, dtype=bool)})

# %% right="profile.typed_dates"
def typed_dates(column):
    text = column.str.strip()
    table = text.str.extract("^([0-9]{4})-([0-9]{2})-([0-9]{2})$").set_axis(["year", "month", "day"], axis=1)
    table = table.apply(pd.to_numeric)
    date = pd.to_datetime(table, errors="coerce")
    return pd.DataFrame({"is_issue": date.isna() & text.ne(""), "date": date})

# %% right="profile.typed_dates"
def typed_dates(column):
    text = column.str.strip()
    date = pd.to_datetime(text, format="%Y-%m-%d", errors="coerce")
    is_same = date.dt.strftime("%Y-%m-%d") == text
    table = pd.DataFrame({"date": date.mask(~is_same)})
    table["is_issue"] = (~is_same & (text.str.len() > 0)).astype("boolean")
    return table

# %% [markdown]
# ## Every row has one disposition
#
# > **disposition**: what became of a raw row. Every row has exactly one.
#
# | disposition | what it means |
# |---|---|
# | `current` | used, and the last state of what it tells about |
# | `superseded` | used as history: a later change of the same order, ticket or account holds |
# | `duplicate` | the same as another row but for `ingest_ts`; the earliest arrival is kept |
# | `quarantined` | cannot be used |
# | `not_yet` | arrived or happened after `as_of` |
# | `erased` | its account is named by an erasure request |
#
# Two words in that table are mixed up easily. A **duplicate** is the same row delivered twice, which every queue does
# now and then. A **conflict** is one key with two contents: two rows say that they are change 7 of order X, and one of
# them says 20 euros, the other 25. One of them is wrong and nothing in them says which, so both go to quarantine.
#
# A release records how many rows of each source had which disposition. Draw those of the spoiled copy.

# %%
sources = spoiled.manifest()["sources"]
counts = pd.DataFrame({name: about["dispositions"] for name, about in sources.items()}).fillna(0).astype(int)
counts = counts.rename_axis("disposition").reset_index()
counts = counts.melt("disposition", var_name="source", value_name="row_count").sort_values(["source", "disposition"])

# %%
show(
    plots.profile.dispositions(counts[counts["row_count"] > 0]),
    alt="Bars of 100 percent, one per source: event sources are nearly all current, orders and tickets about half superseded",
)

# %% [markdown]
# About half of the order rows are superseded: most orders are `placed` once and then `paid`, and the first change is
# history. Events have no such part, because an event is never changed. Duplicates come in every source but one.
#
# The bars are whole because the counts add up. That sum is the simplest check of a data product, and the quality report
# makes it for each source: rows in = the sum of all dispositions.

# %%
rows_in = pd.Series({name: about["rows"] for name, about in sources.items()})
(rows_in - counts.groupby("source")["row_count"].sum()).rename("rows unaccounted for")

# %% [markdown]
# The product marks the rows of a source before it makes anything else of them, and `layer` shows that step. Here is the
# order again that fell back to `placed`: with the row of `paid` in quarantine, the one before it is `current`.

# %%
marked = spoiled.layer("orders_marked")
marked.loc[marked["order_id"] == order_id, ["_row_number", "lsn", "status", "net_amount_cents", "disposition"]]

# %% [markdown]
# ### Exercise 3: the disposition of a row (20 minutes)
#
# Write `dispositions(rows, as_of)` for a log of orders. `rows` has the columns `row_number`, `order_id`, `lsn`, `status`,
# `net_amount_cents`, `event_ts` and `ingest_ts`, already typed; an `lsn` or amount that could not be read is null.
# `as_of` is a `pd.Timestamp` in UTC, as both times are. Return a column aligned with `rows` that holds one of five
# words. Decide in this order:
#
# 1. `not_yet`: it arrived or happened after `as_of`. Such a row does not exist yet, so it has no say in what follows.
# 2. `quarantined`: its `lsn` or its amount is null. It too has no say in what follows.
# 3. Rows of one `order_id` and `lsn`: if they agree in `status`, `net_amount_cents` and `event_ts`, the one that arrived
#    first stays and the others are `duplicate` (at the same `ingest_ts`, the smallest `row_number` stays). If they do not
#    all agree, every one of them is `quarantined`.
# 4. Of what is left, the highest `lsn` of each order is `current`, the others are `superseded`.
#
# The order of the rows in the table means nothing.

# %% exercise="profile.dispositions" objective="2" criterion="quality"
def dispositions(rows, as_of):
    is_late = (rows["event_ts"] > as_of) | (rows["ingest_ts"] > as_of)
    is_broken = rows["lsn"].isna() | rows["net_amount_cents"].isna()
    disposition = pd.Series("current", index=rows.index)
    disposition[is_broken] = "quarantined"
    disposition[is_late] = "not_yet"

    usable = rows[~is_late & ~is_broken].sort_values(["ingest_ts", "row_number"])
    is_copy = usable.duplicated(["order_id", "lsn", "status", "net_amount_cents", "event_ts"])
    contents = (~is_copy).groupby([usable["order_id"], usable["lsn"]]).transform("sum")
    disposition[usable.index[is_copy]] = "duplicate"
    disposition[usable.index[contents > 1]] = "quarantined"

    left = usable[~is_copy & (contents == 1)]
    is_last = left["lsn"] == left.groupby("order_id")["lsn"].transform("max")
    disposition[left.index[~is_last]] = "superseded"
    return disposition

# %% stub="profile.dispositions"
def dispositions(rows, as_of):
    """One of not_yet, quarantined, duplicate, superseded, current for each row."""
    ...

# %% check="profile.dispositions"
check("profile.dispositions", dispositions)

# %% [markdown] hint="profile.dispositions"
# Begin with a column that says `current` everywhere, and overwrite. After steps 1 and 2, go on with the usable rows only, sorted by arrival.

# %% [markdown] hint="profile.dispositions"
# On rows sorted by `ingest_ts` and `row_number`, `duplicated` with the columns of the content marks all copies but the first to arrive. A key is in conflict if more than one row of it is *not* a copy.

# %% [markdown] hint="profile.dispositions"
# Count the rows that are no copies for each order and lsn, with `groupby(...).transform("sum")`. More than 1: all rows of that key are quarantined, its copies too. Take the highest lsn only among rows that are still `current`.

# %% cases="profile.dispositions"
def cases(workspace):
    names = ["order_id", "lsn", "status", "net_amount_cents", "event_ts", "ingest_ts"]
    made = [
        ("A", 1, "placed", 2000, "06-01 10:00", "06-01 10:01"),
        ("A", 2, "paid", 2000, "06-01 11:00", "06-01 11:01"),
        ("B", 5, "placed", 900, "06-02 10:00", "06-02 10:30"),  # the copy that came later stands first
        ("B", 5, "placed", 900, "06-02 10:00", "06-02 10:05"),
        ("C", 1, "placed", 100, "06-03 10:00", "06-03 10:01"),
        ("C", 2, "paid", 100, "06-03 11:00", "06-03 11:01"),  # a conflict, so C falls back to lsn 1
        ("C", 2, "paid", 250, "06-03 11:00", "06-03 11:02"),
        ("D", 1, "placed", 300, "06-04 10:00", "06-04 10:01"),
        ("D", None, "paid", 300, "06-04 11:00", "06-04 11:01"),
        ("E", 1, "placed", 400, "06-05 12:00", "06-05 12:01"),
        ("E", 2, "paid", 400, "06-05 11:00", "06-05 12:02"),  # the log, not the clock, decides
        ("F", 1, "placed", 500, "06-30 10:00", "06-30 10:01"),
        ("F", 2, "paid", 500, "06-30 23:00", "07-01 00:10"),  # arrives after as_of
        ("G", 1, "placed", 600, "06-29 10:00", "06-29 10:01"),
        ("G", 1, "placed", 600, "06-29 10:00", "07-02 10:01"),  # a copy that is not there yet
        ("H", 1, "placed", 700, "06-29 10:00", "06-29 10:01"),
        ("H", 1, "placed", 750, "06-29 10:00", "07-02 10:01"),  # a conflict that is not there yet
        ("I", None, "paid", 800, "07-01 10:00", "07-01 10:01"),
        ("J", 1, "placed", 100, "06-07 10:00", "06-07 10:01"),
        ("J", 1, "placed", 100, "06-07 10:00", "06-07 10:02"),
        ("J", 1, "placed", 900, "06-07 10:00", "06-07 10:03"),  # two equal and one other: all three
        ("K", 1, "placed", 100, "06-08 10:00", "06-08 10:09"),
        ("K", 1, "placed", 100, "06-08 10:00", "06-08 10:01"),
        ("K", 2, "paid", 100, "06-08 11:00", "06-08 11:01"),
        ("L", 3, "paid", 100, "06-09 10:00", "06-09 10:01"),
        ("L", 3, "paid", None, "06-09 10:00", "06-09 10:02"),  # broken, so no conflict
        ("M", 1, "paid", 100, "06-10 10:00", "06-10 10:01"),
        ("M", 1, "paid", 100, "06-10 10:00", "06-10 10:01"),  # same arrival
        ("N", 9, "placed", 100, "06-11 10:00", "06-11 10:01"),
        ("N", 10, "refunded", 100, "06-12 10:00", "06-12 10:01"),
        ("O", 1, "placed", 100, "07-01 00:00", "06-30 23:58"),  # the source's clock runs ahead
        ("P", 4, "placed", 100, "06-13 10:00", "06-13 10:01"),
        ("P", 4, "cancelled", 100, "06-13 10:00", "06-13 10:01"),
    ]
    table = pd.DataFrame(made, columns=names)
    table[["event_ts", "ingest_ts"]] = "2026-" + table[["event_ts", "ingest_ts"]] + ":00Z"
    table.insert(0, "row_number", range(1, len(table) + 1))
    mixed = table.iloc[[(place * 7 + 3) % len(table) for place in range(len(table))]]
    log = workspace.bronze("orders").rename(columns={"_row_number": "row_number"})[["row_number", *names]]
    log = log[log["order_id"].isin(sorted(set(log["order_id"]))[:400])]
    found = []
    for rows, moment in [(table, ""), (mixed, ""), (log, ""), (log, "2025-12-31 23:59:59"), (table.iloc[:0], "")]:
        rows = rows.copy()
        for name in ("row_number", "lsn", "net_amount_cents"):
            rows[name] = pd.to_numeric(rows[name]).astype("Int64")
        for name in ("event_ts", "ingest_ts"):
            rows[name] = pd.to_datetime(rows[name], utc=True)
        found.append((rows, pd.Timestamp(moment, tz="UTC") if moment else workspace.as_of))
    return found

# %% wrong="profile.dispositions" misconception="file-order-decides" says="Of two copies you keep the one that stands first in the table. Keep the one that arrived first: after a replay the table may come in any order."
def dispositions(rows, as_of):
    is_late = (rows["event_ts"] > as_of) | (rows["ingest_ts"] > as_of)
    is_broken = rows["lsn"].isna() | rows["net_amount_cents"].isna()
    disposition = pd.Series("current", index=rows.index)
    disposition[is_broken] = "quarantined"
    disposition[is_late] = "not_yet"
    usable = rows[~is_late & ~is_broken]
    is_copy = usable.duplicated(["order_id", "lsn", "status", "net_amount_cents", "event_ts"])
    contents = (~is_copy).groupby([usable["order_id"], usable["lsn"]]).transform("sum")
    disposition[usable.index[is_copy]] = "duplicate"
    disposition[usable.index[contents > 1]] = "quarantined"
    left = usable[~is_copy & (contents == 1)]
    is_last = left["lsn"] == left.groupby("order_id")["lsn"].transform("max")
    disposition[left.index[~is_last]] = "superseded"
    return disposition

# %% wrong="profile.dispositions" misconception="event-time-decides-the-last-state" says="You take the latest event_ts as the last state. Clocks of a source can disagree; the lsn is the order in which its database made the changes."
def dispositions(rows, as_of):
    is_late = (rows["event_ts"] > as_of) | (rows["ingest_ts"] > as_of)
    is_broken = rows["lsn"].isna() | rows["net_amount_cents"].isna()
    disposition = pd.Series("current", index=rows.index)
    disposition[is_broken] = "quarantined"
    disposition[is_late] = "not_yet"
    usable = rows[~is_late & ~is_broken].sort_values(["ingest_ts", "row_number"])
    is_copy = usable.duplicated(["order_id", "lsn", "status", "net_amount_cents", "event_ts"])
    contents = (~is_copy).groupby([usable["order_id"], usable["lsn"]]).transform("sum")
    disposition[usable.index[is_copy]] = "duplicate"
    disposition[usable.index[contents > 1]] = "quarantined"
    left = usable[~is_copy & (contents == 1)]
    is_last = left["event_ts"] == left.groupby("order_id")["event_ts"].transform("max")
    disposition[left.index[~is_last]] = "superseded"
    return disposition

# %% wrong="profile.dispositions" misconception="a-conflict-is-a-duplicate" says="Where one key has two contents you keep the first and call the other a duplicate. Nothing says that the first is right; both have to be quarantined."
def dispositions(rows, as_of):
    is_late = (rows["event_ts"] > as_of) | (rows["ingest_ts"] > as_of)
    is_broken = rows["lsn"].isna() | rows["net_amount_cents"].isna()
    disposition = pd.Series("current", index=rows.index)
    disposition[is_broken] = "quarantined"
    disposition[is_late] = "not_yet"
    usable = rows[~is_late & ~is_broken].sort_values(["ingest_ts", "row_number"])
    is_copy = usable.duplicated(["order_id", "lsn"])
    disposition[usable.index[is_copy]] = "duplicate"
    left = usable[~is_copy]
    is_last = left["lsn"] == left.groupby("order_id")["lsn"].transform("max")
    disposition[left.index[~is_last]] = "superseded"
    return disposition

# %% wrong="profile.dispositions" misconception="late-rows-have-a-say" says="Rows from after as_of still take part: a change that is not there yet supersedes the one that is, or makes a conflict with it. Put them aside before anything else."
def dispositions(rows, as_of):
    is_late = (rows["event_ts"] > as_of) | (rows["ingest_ts"] > as_of)
    is_broken = rows["lsn"].isna() | rows["net_amount_cents"].isna()
    disposition = pd.Series("current", index=rows.index)
    disposition[is_broken] = "quarantined"
    usable = rows[~is_broken].sort_values(["ingest_ts", "row_number"])
    is_copy = usable.duplicated(["order_id", "lsn", "status", "net_amount_cents", "event_ts"])
    contents = (~is_copy).groupby([usable["order_id"], usable["lsn"]]).transform("sum")
    disposition[usable.index[is_copy]] = "duplicate"
    disposition[usable.index[contents > 1]] = "quarantined"
    left = usable[~is_copy & (contents == 1)]
    is_last = left["lsn"] == left.groupby("order_id")["lsn"].transform("max")
    disposition[left.index[~is_last]] = "superseded"
    disposition[is_late] = "not_yet"
    return disposition

# %% wrong="profile.dispositions" misconception="quarantined-rows-supersede" says="A row in quarantine still supersedes the state before it, so its order has no current row at all and vanishes. What cannot be used cannot replace anything either."
def dispositions(rows, as_of):
    is_late = (rows["event_ts"] > as_of) | (rows["ingest_ts"] > as_of)
    is_broken = rows["lsn"].isna() | rows["net_amount_cents"].isna()
    disposition = pd.Series("current", index=rows.index)
    usable = rows[~is_late & ~is_broken].sort_values(["ingest_ts", "row_number"])
    is_copy = usable.duplicated(["order_id", "lsn", "status", "net_amount_cents", "event_ts"])
    contents = (~is_copy).groupby([usable["order_id"], usable["lsn"]]).transform("sum")
    is_last = usable["lsn"] == usable.groupby("order_id")["lsn"].transform("max")
    disposition[usable.index[~is_last]] = "superseded"
    disposition[usable.index[is_copy]] = "duplicate"
    disposition[usable.index[contents > 1]] = "quarantined"
    disposition[is_broken] = "quarantined"
    disposition[is_late] = "not_yet"
    return disposition

# %% wrong="profile.dispositions" misconception="arrival-is-content" says="You compare ingest_ts too, so a row that was delivered twice looks like a conflict. When it arrived is not part of what it says."
def dispositions(rows, as_of):
    is_late = (rows["event_ts"] > as_of) | (rows["ingest_ts"] > as_of)
    is_broken = rows["lsn"].isna() | rows["net_amount_cents"].isna()
    disposition = pd.Series("current", index=rows.index)
    disposition[is_broken] = "quarantined"
    disposition[is_late] = "not_yet"
    usable = rows[~is_late & ~is_broken].sort_values(["ingest_ts", "row_number"])
    is_copy = usable.duplicated(["order_id", "lsn", "status", "net_amount_cents", "event_ts", "ingest_ts"])
    contents = (~is_copy).groupby([usable["order_id"], usable["lsn"]]).transform("sum")
    disposition[usable.index[is_copy]] = "duplicate"
    disposition[usable.index[contents > 1]] = "quarantined"
    left = usable[~is_copy & (contents == 1)]
    is_last = left["lsn"] == left.groupby("order_id")["lsn"].transform("max")
    disposition[left.index[~is_last]] = "superseded"
    return disposition

# %% wrong="profile.dispositions" misconception="copies-of-a-conflict-stay-duplicates" says="Where three rows share a key and two of them are equal, you call one a duplicate. They do not all agree, so all three are quarantined: a row delivered twice is not more true."
def dispositions(rows, as_of):
    is_late = (rows["event_ts"] > as_of) | (rows["ingest_ts"] > as_of)
    is_broken = rows["lsn"].isna() | rows["net_amount_cents"].isna()
    disposition = pd.Series("current", index=rows.index)
    disposition[is_broken] = "quarantined"
    disposition[is_late] = "not_yet"
    usable = rows[~is_late & ~is_broken].sort_values(["ingest_ts", "row_number"])
    is_copy = usable.duplicated(["order_id", "lsn", "status", "net_amount_cents", "event_ts"])
    firsts = usable[~is_copy]
    is_conflict = firsts.duplicated(["order_id", "lsn"], keep=False)
    disposition[usable.index[is_copy]] = "duplicate"
    disposition[firsts.index[is_conflict]] = "quarantined"
    left = firsts[~is_conflict]
    is_last = left["lsn"] == left.groupby("order_id")["lsn"].transform("max")
    disposition[left.index[~is_last]] = "superseded"
    return disposition

# %% wrong="profile.dispositions" misconception="only-arrival-is-late" says="You look at the arrival only. A row whose event_ts is after as_of has not happened yet either, even if a clock that runs ahead has sent it early."
def dispositions(rows, as_of):
    is_late = rows["ingest_ts"] > as_of
    is_broken = rows["lsn"].isna() | rows["net_amount_cents"].isna()
    disposition = pd.Series("current", index=rows.index)
    disposition[is_broken] = "quarantined"
    disposition[is_late] = "not_yet"
    usable = rows[~is_late & ~is_broken].sort_values(["ingest_ts", "row_number"])
    is_copy = usable.duplicated(["order_id", "lsn", "status", "net_amount_cents", "event_ts"])
    contents = (~is_copy).groupby([usable["order_id"], usable["lsn"]]).transform("sum")
    disposition[usable.index[is_copy]] = "duplicate"
    disposition[usable.index[contents > 1]] = "quarantined"
    left = usable[~is_copy & (contents == 1)]
    is_last = left["lsn"] == left.groupby("order_id")["lsn"].transform("max")
    disposition[left.index[~is_last]] = "superseded"
    return disposition

# %% right="profile.dispositions"
def dispositions(rows, as_of):
    disposition, by_key, by_order = {}, {}, {}
    for index, row in rows.iterrows():
        if row["event_ts"] > as_of or row["ingest_ts"] > as_of:
            disposition[index] = "not_yet"
        elif pd.isna(row["lsn"]) or pd.isna(row["net_amount_cents"]):
            disposition[index] = "quarantined"
        else:
            by_key.setdefault((row["order_id"], row["lsn"]), []).append((row["ingest_ts"], row["row_number"], index))
    for (order_id, lsn), members in by_key.items():
        members.sort()
        names = ["status", "net_amount_cents", "event_ts"]
        said = {tuple(rows.loc[index, names]) for _, _, index in members}
        for _, _, index in members:
            disposition[index] = "quarantined" if len(said) > 1 else "duplicate"
        if len(said) == 1:
            by_order.setdefault(order_id, []).append((lsn, members[0][2]))
    for states in by_order.values():
        last = max(states)
        for state in states:
            disposition[state[1]] = "current" if state == last else "superseded"
    return pd.Series(disposition, dtype="object").reindex(rows.index)

# %% right="profile.dispositions"
def dispositions(rows, as_of):
    table = rows.assign(disposition="", content=rows["status"] + "|" + rows["net_amount_cents"].astype("string"))
    table["content"] = table["content"] + "|" + rows["event_ts"].astype("string")
    late = rows[["event_ts", "ingest_ts"]].max(axis=1) > as_of
    table.loc[late, "disposition"] = "not_yet"
    table.loc[~late & rows[["lsn", "net_amount_cents"]].isna().any(axis=1), "disposition"] = "quarantined"
    usable = table[table["disposition"] == ""].sort_values(["ingest_ts", "row_number"], ascending=False)
    key = usable.groupby(["order_id", "lsn"])
    clash = key["content"].transform("nunique") > 1
    table.loc[usable.index[clash], "disposition"] = "quarantined"
    usable = usable[~clash]
    kept = usable.drop_duplicates(["order_id", "lsn"], keep="last")
    table.loc[usable.index.difference(kept.index), "disposition"] = "duplicate"
    newest = kept.sort_values("lsn").drop_duplicates("order_id", keep="last")
    table.loc[kept.index, "disposition"] = "superseded"
    table.loc[newest.index, "disposition"] = "current"
    return table["disposition"].sort_index()

# %% [markdown]
# ## One profile from several accounts
#
# > **grain**: what one row of a table stands for. In `customer_profile_base` it is one person.
#
# To get there, start from the accounts: the last state of each, with the person it belongs to. A delete (`d`) brings no
# values, so a deleted account keeps those it had before.

# %%
changes = ws.bronze("customers").replace("", None)
changes["record_id"] = changes["source_system"] + ":" + changes["customer_id"]
changes["lsn"], changes["event_ts"] = changes["lsn"].astype(int), pd.to_datetime(changes["event_ts"])
last = changes[changes["op"] != "d"].sort_values("lsn").drop_duplicates("record_id", keep="last")
identity = ws.table("customer_identity")[["record_id", "profile_id", "is_deleted"]]
accounts = last.merge(identity, on="record_id")

# %% [markdown]
# Anton Schneider again, one row per account, the latest state last.

# %%
groups = ["last_name", "email", "phone", "date_of_birth", "street", "loyalty_id"]
anton = accounts[accounts["profile_id"] == "P-crm:2860240824"].sort_values("event_ts")
anton[["record_id", "event_ts", "email", "phone"]]

# %% [markdown]
# His whole history, change by change, and beside it which groups of values each account knows today.

# %%
known = anton.set_index("record_id")[groups].notna()
known.columns = ["name", "email", "phone", "birth_date", "address", "card"]
history = changes[changes["record_id"].isin(anton["record_id"])].sort_values(["record_id", "lsn"])
history[["record_id", "op", "event_ts"]]

# %% [markdown]
# Three accounts were created and never touched again. The `app` account was opened before the one in the `shop`, but it
# was updated since, so its state is the later of the two. In a picture:

# %%
show(
    plots.profile.timeline(history, known.reset_index(), ws.as_of, "Anton Schneider: four accounts in 18 months"),
    alt="Four accounts of Anton on a time axis and what each knows: only the loyalty account knows everything",
)

# %% [markdown]
# > **survivorship**: the rule that picks, among the accounts of one person, whose value the profile gets.
#
# The product's rule is short. For each **group** of values: the live account with the latest `event_ts` whose group is
# not null; ties go to the smallest `record_id`. Names are one group, the address (street, city, postcode, country) is
# one group, and every other field is a group alone. Three words of it carry the weight:
#
# - **live**: a deleted account does not speak for its owner any more.
# - **not null**: that a source does not know a phone number does not mean that there is none.
# - **group**: the street of one account and the city of another make an address where nobody lives.
#
# See it at work on İpek, whose latest account is `crm:5542544434` and whose loyalty card only one account knows.

# %%
ipek = accounts[accounts["profile_id"] == "P-app:4501936024"].sort_values("event_ts")
ipek[["record_id", "event_ts", "email", "phone", "street", "loyalty_id"]]

# %%
base = ws.table("customer_profile_base").set_index("profile_id")
base.loc["P-app:4501936024", ["email", "phone", "street", "loyalty_id"]]

# %% [markdown]
# E-mail, phone and street come from the `crm` account. The card number comes from the `loyalty` account, because the
# later one has none to give.
#
# ## Who answers for a profile
#
# A profile says more than who somebody is. Its last columns are for whoever has to trust it.

# %%
governance = ["source_record_count", "live_record_count", "data_owner", "pii_class", "contract_version"]
base.loc[["P-crm:2860240824", "P-app:4501936024", "P-app:2474943722"], governance].T

# %% [markdown]
# - `source_record_count`: how many accounts stand behind the row, deleted ones too. It ties the row to its evidence.
# - `live_record_count`: how many of them are not deleted. At 0 the person is in silver and leaves gold.
# - `data_owner`: the team that answers for the row.
# - `pii_class`: how personal it is. `direct` means that it names a person, so access is limited and logged.
# - `contract_version`: the version of the promise that the columns keep.
#
# A table without these is a pile of names: nobody knows whom to ask, who may read it, or which sources it came from.
#
# ### Exercise 4: Anton deletes his loyalty account (5 minutes)
#
# Suppose a delete of `loyalty:2826228221` arrives tomorrow, and nothing else changes. Look at the picture of Anton and
# predict three things: the `record_id` of the account whose *phone number* his profile then has, his
# `source_record_count`, and his `live_record_count`. Write them as a tuple in this order: a text and two numbers.

# %% exercise="profile.after_delete" objective="3, 4" criterion="identity"
after_delete = ("shop:3768808654", 4, 3)

# %% stub="profile.after_delete"
after_delete = ...

# %% check="profile.after_delete"
check("profile.after_delete", after_delete)

# %% [markdown] hint="profile.after_delete"
# Cover the loyalty account with your hand. Which accounts that are left know a phone number at all?

# %% [markdown] hint="profile.after_delete"
# Of those, take the one whose current state is latest. Then read again what each of the two counts counts.

# %% truth="profile.after_delete"
def truth(workspace):
    rows = workspace.bronze("customers").replace("", None)
    rows["record_id"] = rows["source_system"] + ":" + rows["customer_id"]
    rows["lsn"] = rows["lsn"].astype(int)
    rows = rows[rows["op"] != "d"].sort_values("lsn").drop_duplicates("record_id", keep="last")
    rows = rows.merge(workspace.table("customer_identity")[["record_id", "profile_id", "is_deleted"]], on="record_id")
    rows = rows[rows["profile_id"] == "P-crm:2860240824"]
    live = rows[~rows["is_deleted"] & (rows["record_id"] != "loyalty:2826228221")]
    phone = live[live["phone"].notna()].sort_values("event_ts")["record_id"].iloc[-1]
    return (phone, len(rows), len(live))

# %% wrong="profile.after_delete" misconception="latest-account-wins-even-with-null" says="app:7149027689 is the latest account that is left, but it knows no phone number. A null does not win: go on to the latest account that knows one."
after_delete = ("app:7149027689", 4, 3)

# %% wrong="profile.after_delete" misconception="deleted-account-still-speaks" says="The loyalty account is deleted, so its phone number does not survive: only live accounts speak for their owner."
after_delete = ("loyalty:2826228221", 4, 3)

# %% wrong="profile.after_delete" misconception="oldest-account-wins" says="crm:2860240824 is the oldest account, which gives the profile its id. Values come from the latest live account that knows them."
after_delete = ("crm:2860240824", 4, 3)

# %% wrong="profile.after_delete" misconception="deleted-accounts-are-not-counted" says="The phone is right. But source_record_count counts deleted accounts too: it says how much evidence stands behind the row, and that account was part of it."
after_delete = ("shop:3768808654", 3, 3)

# %% wrong="profile.after_delete" misconception="deleted-accounts-count-as-live" says="The phone is right. But live_record_count leaves deleted accounts out; after the delete it is one less."
after_delete = ("shop:3768808654", 4, 4)

# %% [markdown]
# Nothing about Anton needs to be rebuilt by hand for this. The deleted account is still known, its orders still count,
# and its number is simply not used any more.
#
# ### Exercise 5: an address where nobody lives (10 minutes)
#
# A colleague wrote survivorship for the address:
#
# ```python
# def surviving_address(accounts):
#     newest_first = accounts.sort_values("event_ts", ascending=False)
#     columns = ["street", "city", "postcode", "country"]
#     return newest_first.groupby("profile_id")[columns].first().reset_index()
# ```
#
# A parcel came back: the street was in Lyon, the city on the label was Graz. There are three faults. (pandas' `first()`
# takes the first value of each column that is not null. Think about what that does to a row.)
#
# Write the function without them. `accounts` has `record_id`, `profile_id`, `is_deleted`, `event_ts` and the four
# columns of the address, null where absent. Return `profile_id` and those four columns, one row for every profile in
# `accounts`; where no live account knows an address, the four are null. An account knows an address if any of the four
# is there, and it then gives all four as they are. The rule as above: of the live accounts that know an address, the
# one with the latest `event_ts`; at the same `event_ts`, the one with the smallest `record_id`.

# %% exercise="profile.surviving_address" objective="3" criterion="identity"
def surviving_address(accounts):
    columns = ["street", "city", "postcode", "country"]
    live = accounts[~accounts["is_deleted"]]
    known = live[live[columns].notna().any(axis=1)]
    best = known.sort_values(["event_ts", "record_id"], ascending=[False, True]).drop_duplicates("profile_id")
    return accounts[["profile_id"]].drop_duplicates().merge(best[["profile_id", *columns]], how="left")

# %% stub="profile.surviving_address"
def surviving_address(accounts):
    """The address of each profile: (profile_id, street, city, postcode, country), one row per profile."""
    ...

# %% check="profile.surviving_address"
check("profile.surviving_address", surviving_address)

# %% [markdown] hint="profile.surviving_address"
# An account knows a street but no city, an older one knows both. Which city does `first()` give, and whose is it?

# %% [markdown] hint="profile.surviving_address"
# Pick a whole row for each profile, not a value for each column. Before you pick, leave out the rows that may not win. What decides when two accounts have the same `event_ts`?

# %% [markdown] hint="profile.surviving_address"
# Filter to live accounts with any part of an address, sort by `event_ts` downwards and `record_id` upwards, and keep the first row of each profile. Then give every profile a row, also those that now have none.

# %% cases="profile.surviving_address" key="profile_id"
def cases(workspace):
    columns = ["street", "city", "postcode", "country"]
    rows = workspace.bronze("customers").replace("", None)
    rows["record_id"] = rows["source_system"] + ":" + rows["customer_id"]
    rows["lsn"] = rows["lsn"].astype(int)
    rows = rows[rows["op"] != "d"].sort_values("lsn").drop_duplicates("record_id", keep="last")
    rows = rows.merge(workspace.table("customer_identity")[["record_id", "profile_id", "is_deleted"]], on="record_id")
    rows = rows[["record_id", "profile_id", "is_deleted", "event_ts", *columns]]
    made = [
        ("app:1", "P-app:1", False, "2026-05-01", "Rue Nord 1", None, None, None),  # a street alone
        ("crm:1", "P-app:1", False, "2026-01-01", "Hauptplatz 2", "Graz", "8010", "AT"),
        ("app:2", "P-app:2", True, "2026-06-01", "Alte Gasse 3", "Wien", "1010", "AT"),  # deleted, and latest
        ("crm:2", "P-app:2", False, "2026-02-01", "Neue Gasse 4", "Linz", "4020", "AT"),
        ("shop:3", "P-app:3", False, "2026-03-01", "Zweiter Weg 5", "Bonn", "53111", "DE"),  # a tie
        ("app:3", "P-app:3", False, "2026-03-01", "Erster Weg 6", "Köln", "50667", "DE"),
        ("app:4", "P-app:4", False, "2026-06-02", None, None, None, None),  # latest, and knows nothing
        ("crm:4", "P-app:4", False, "2025-06-02", "Via Roma 7", "Torino", "10121", "IT"),
        ("app:5", "P-app:5", False, "2026-06-03", None, None, None, None),  # nobody knows
        ("app:6", "P-app:6", True, "2026-06-04", "Calle Sol 8", "Madrid", "28001", "ES"),  # all deleted
        ("crm:7", "P-crm:7", False, "2026-04-01", None, None, None, "PT"),  # a country alone
        ("app:7", "P-crm:7", False, "2026-03-01", "Rua Flor 9", "Porto", "4000", "PT"),
        ("loyalty:8", "P-crm:8", False, "2026-02-01", "Rue Sud 1", "Lyon", None, "FR"),
        ("crm:8", "P-crm:8", False, "2026-05-01", None, "Graz", "8010", "AT"),
    ]
    made = pd.DataFrame(made, columns=list(rows.columns), index=range(100, 114))
    found = []
    for table in (made, made.iloc[::-1], rows, made.iloc[:0]):
        table = table.assign(event_ts=pd.to_datetime(table["event_ts"], utc=True))
        found.append((table.assign(is_deleted=table["is_deleted"].astype(bool)),))
    return found

# %% wrong="profile.surviving_address" misconception="nothing-mended" says="This still behaves as the colleague's version: it mixes the columns of several accounts, deleted accounts speak, and a tie is decided by the order of the rows."
def surviving_address(accounts):
    columns = ["street", "city", "postcode", "country"]
    newest_first = accounts.sort_values("event_ts", ascending=False)
    return newest_first.groupby("profile_id")[columns].first().reset_index()

# %% wrong="profile.surviving_address" misconception="fields-of-several-accounts-mixed" says="You still fill each column for itself, so the street of one account meets the city of another. Take all four columns from one account."
def surviving_address(accounts):
    columns = ["street", "city", "postcode", "country"]
    live = accounts[~accounts["is_deleted"]].sort_values(["event_ts", "record_id"], ascending=[False, True])
    best = live.groupby("profile_id")[columns].first().reset_index()
    return accounts[["profile_id"]].drop_duplicates().merge(best, how="left")

# %% wrong="profile.surviving_address" misconception="null-of-the-latest-account-wins" says="You take the latest live account even where it knows no address, so a person whose address is known loses it. Look for the latest account that knows one."
def surviving_address(accounts):
    columns = ["street", "city", "postcode", "country"]
    live = accounts[~accounts["is_deleted"]].sort_values(["event_ts", "record_id"], ascending=[False, True])
    best = live.drop_duplicates("profile_id")[["profile_id", *columns]]
    return accounts[["profile_id"]].drop_duplicates().merge(best, how="left")

# %% wrong="profile.surviving_address" misconception="deleted-account-still-speaks" says="Deleted accounts still give their address. Who has left a source should not get parcels from it."
def surviving_address(accounts):
    columns = ["street", "city", "postcode", "country"]
    known = accounts[accounts[columns].notna().any(axis=1)]
    best = known.sort_values(["event_ts", "record_id"], ascending=[False, True]).drop_duplicates("profile_id")
    return accounts[["profile_id"]].drop_duplicates().merge(best[["profile_id", *columns]], how="left")

# %% wrong="profile.surviving_address" misconception="ties-left-to-row-order" says="At the same event_ts, whichever row comes first wins, so a rerun may give another address. Decide ties by the smallest record_id."
def surviving_address(accounts):
    columns = ["street", "city", "postcode", "country"]
    live = accounts[~accounts["is_deleted"]]
    known = live[live[columns].notna().any(axis=1)]
    best = known.sort_values("event_ts", ascending=False, kind="stable").drop_duplicates("profile_id")
    return accounts[["profile_id"]].drop_duplicates().merge(best[["profile_id", *columns]], how="left")

# %% wrong="profile.surviving_address" misconception="largest-record-id-wins-ties" says="At the same event_ts you take the largest record_id. The rule says the smallest; watch the direction in which each column is sorted."
def surviving_address(accounts):
    columns = ["street", "city", "postcode", "country"]
    live = accounts[~accounts["is_deleted"]]
    known = live[live[columns].notna().any(axis=1)]
    best = known.sort_values(["event_ts", "record_id"], ascending=False).drop_duplicates("profile_id")
    return accounts[["profile_id"]].drop_duplicates().merge(best[["profile_id", *columns]], how="left")

# %% wrong="profile.surviving_address" misconception="only-whole-addresses-count" says="You skip an account whose address has a gap. It knows part of an address and is later than the others, so it wins, gap and all."
def surviving_address(accounts):
    columns = ["street", "city", "postcode", "country"]
    known = accounts[~accounts["is_deleted"]].dropna(subset=columns)
    best = known.sort_values(["event_ts", "record_id"], ascending=[False, True]).drop_duplicates("profile_id")
    return accounts[["profile_id"]].drop_duplicates().merge(best[["profile_id", *columns]], how="left")

# %% wrong="profile.surviving_address" misconception="profile-without-address-vanishes" says="People of whom no live account knows an address are missing from your table. They are still people: give them a row with nulls."
def surviving_address(accounts):
    columns = ["street", "city", "postcode", "country"]
    live = accounts[~accounts["is_deleted"]]
    known = live[live[columns].notna().any(axis=1)]
    best = known.sort_values(["event_ts", "record_id"], ascending=[False, True]).drop_duplicates("profile_id")
    return best[["profile_id", *columns]]

# %% wrong="profile.surviving_address" misconception="oldest-account-wins" says="You take the earliest account that knows an address. People move: the latest one wins."
def surviving_address(accounts):
    columns = ["street", "city", "postcode", "country"]
    live = accounts[~accounts["is_deleted"]]
    known = live[live[columns].notna().any(axis=1)]
    best = known.sort_values(["event_ts", "record_id"]).drop_duplicates("profile_id")
    return accounts[["profile_id"]].drop_duplicates().merge(best[["profile_id", *columns]], how="left")

# %% right="profile.surviving_address"
def surviving_address(accounts):
    columns = ["street", "city", "postcode", "country"]
    best = {}
    for row in accounts.sort_values("record_id", ascending=False).to_dict("records"):
        before = best.setdefault(row["profile_id"], None)
        knows = not row["is_deleted"] and any(not pd.isna(row[name]) for name in columns)
        if knows and (before is None or row["event_ts"] >= before["event_ts"]):
            best[row["profile_id"]] = row
    rows = [[name, *([row[c] for c in columns] if row else [None] * 4)] for name, row in best.items()]
    return pd.DataFrame(rows, columns=["profile_id", *columns])

# %% right="profile.surviving_address"
def surviving_address(accounts):
    columns = ["country", "postcode", "city", "street"]
    known = accounts[~accounts["is_deleted"]].dropna(subset=columns, how="all")
    known = known[known["event_ts"] == known.groupby("profile_id")["event_ts"].transform("max")]
    known = known[known["record_id"] == known.groupby("profile_id")["record_id"].transform("min")]
    return known.set_index("profile_id")[columns].reindex(sorted(set(accounts["profile_id"])))

# %% [markdown]
# What does merging give? Count how often a column is null: among live accounts, and among the profiles made of them.

# %%
columns = ["last_name", "email", "phone", "date_of_birth", "street", "loyalty_id"]
live_accounts, profiles = accounts[~accounts["is_deleted"]], base[base["live_record_count"] > 0]
rates = pd.DataFrame({"accounts": live_accounts[columns].isna().mean(), "profiles": profiles[columns].isna().mean()})
rates = (rates * 100).rename_axis("column").reset_index()

# %%
show(
    plots.profile.null_rates(rates),
    alt="Share of nulls in six columns: for five of them lower in profiles than in accounts; no last name is null",
)

# %% [markdown]
# What one source did not ask, another did. The loyalty card stays rare because most people have none: a null rate is
# not a grade, and forcing it down would mean inventing values.
#
# ## What you can now do
#
# - type a column of text so that a bad cell costs the cell and a bad key costs the row, and both are listed
# - tell duplicate, conflict and superseded state apart, and account for every row of a log
# - pick whole groups of values from the latest live account that knows them
# - read from a profile how many accounts stand behind it, who owns it and how personal it is
#
# ## Common mistakes
#
# - **`errors="coerce"` and nothing else.** The bad values are gone and nobody knows that they were there. Null *and* a
#   line in `field_issues`.
# - **Dropping rows that do not parse.** Counts go down in silence. Rows in = the sum of the dispositions, always.
# - **`drop_duplicates` on the key.** It hides conflicts and lets file order choose the truth.
# - **Coalescing field by field.** Every single value is right and the address as a whole is wrong.
# - **One denormalised table without ownership, consent, identity rules, freshness or thresholds.** The last columns of
#   a profile are not decoration: without them nobody can be asked and nothing can be audited.
# - **Profiles exposed without a contract and a validation report.** `contract_version` names the promise; lesson 07
#   checks that it is kept.
#
# ## Further reading
#
# - [Dispositions and the rules of each column](../docs/data-dictionary.md#what-becomes-of-a-row) in this course, and
#   [every fault and what must find it](../docs/faults.md).
# - The product's own version: [`c360lib/layers/dispositions.py`](../c360lib/layers/dispositions.py) and `profile_base` in
#   [`c360lib/layers/people.py`](../c360lib/layers/people.py).
# - DAMA International: *DAMA-DMBOK: Data Management Body of Knowledge*, second edition, 2017, on reference and master
#   data.
# - Jens Bleiholder, Felix Naumann: *Data Fusion*, ACM Computing Surveys, 2009: what to do when sources disagree.
