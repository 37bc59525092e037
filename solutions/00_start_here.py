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
# # 00 Start here: one company, a thousand people
#
# *35 minutes · the first lesson · you need: pandas filter, groupby, merge*
#
# ## What you will do
#
# 1. say what becomes of 1,000 people on their way through the product, and why
# 2. find who may be reached, in the only table that knows
# 3. bring back the people whom a join loses
# 4. read a quality report: pass, warn, fail, info
#
# ## In production
#
# | here | in production |
# |---|---|
# | seven CSV files | topics of a broker: changes of accounts, orders and tickets; clicks; consent |
# | bronze, silver, gold | tables of a lakehouse, each with an owner |
# | `customer_360` | serving mart, feature table, backing table of a profile API |
# | quality report | report of service levels, tied to release gates |
#
# Everything here fits on a laptop, but the parts, their order and their rules are those of the large systems. Each
# lesson begins with such a table.
#
# ## The story so far
#
# A company sells things in a shop, in an app, and by phone, where clerks write into a CRM. It also has a loyalty card.
# Each of the four systems numbers its customers for itself, and none knows of the others. Now marketing wants to write
# to "our customers", support wants to see "the whole customer", and nobody can say how many customers there are.
#
# All people in this course are made up, and so are their orders and choices. A program draws them from a seed, so they
# are the same on your computer as here. Some of them you will meet in every lesson.

# %% tags=["setup"]
import pandas as pd

from c360lib import plots
from c360lib.course import check, hint, lesson_workspace, show, solution

# %% [markdown]
# ## How a lesson works
#
# Run the cells from top to bottom with Shift+Enter. Where a cell has `...`, you put your answer, and the cell below checks it:
#
# - `check("lesson.exercise", answer)` says *passed*, *not yet* with what differs, *not attempted*, or *raised an error*.
#   It tries your function on the data of the lesson, on small tables made by hand for the awkward cases, and on other
#   people's data. So do not wonder if it names a row that you cannot find.
# - `hint("lesson.exercise")` gives one hint at a time.
# - `solution("lesson.exercise")` shows one answer, after you have checked one of your own.
#
# You cannot break anything. `make lab` has copied the notebooks to `work/`, and that copy is yours. If you want to begin
# again, `c360 start 00` in a terminal puts a fresh copy beside the old one. If something in your set-up seems wrong,
# `c360 doctor` looks at it line by line. (If your terminal does not know `c360`: it stands in `.venv/bin`, on Windows in
# `.venv\Scripts`.)
#
# The whole product runs with one command, `c360 run`: it makes the sources, builds all layers, measures them and
# publishes. A lesson does the same for you. The first time that takes a few seconds.

# %%
ws = lesson_workspace("gold")
ws

# %% [markdown]
# Everything in this course is told as of the end of 30 June 2026. No layer ever looks at the clock on the wall, so the
# answers are the same whenever you run it.
#
# ## The map
#
# > **Customer 360**: one view of each customer, put together from all systems that know something about them.
#
# > **data product**: data that somebody owns, with a contract, measured quality and known users; not merely a table that exists.
#
# > **layer**: a step on the way from sources to users; each is made only from the layers before it.
#
# The product has three layers. *Bronze* keeps every source row as it came. *Silver* finds out who is who, and makes one
# clean, typed table of each source. *Gold* answers the questions of users. Then a *quality report* decides whether any of
# it may be published. Data flow one way: sources, bronze, silver, gold, report.
#
# How many people come out at the end? The sources were made from 1,000 people, who opened 1,508 accounts. Because the
# data are made up, the truth is known too.
#
# > **truth**: a file that says which account belongs to which person. Only measures and lessons read it; a layer that did would be cheating.
#
# A real company has no such file, and neither do its layers. They have names that are typed differently, old addresses,
# shared mailboxes, and rules that say when two accounts are one person.
#
# ### Exercise 1: what becomes of 1,000 people? (3 minutes)
#
# How many profiles, rows of `customer_360`, would you expect, and why? The rules are careful: they join two accounts
# only if strong evidence agrees exactly. Put a letter into the cell.
#
# - `"A"`: exactly 1,000, because every person has a name, an e-mail and a date of birth
# - `"B"`: well below 1,000, because people with the same name or household flow together
# - `"C"`: a little above 1,000, because a person whose accounts disagree stays in two parts
# - `"D"`: about 1,500, because every account has its own number

# %% exercise="start_here.profiles" objective="1" criterion="identity"
profiles = "C"

# %% stub="start_here.profiles"
profiles = ...

# %% check="start_here.profiles"
check("start_here.profiles", profiles)

# %% [markdown]
# Stuck? `hint("start_here.profiles")` gives one hint at a time; after an attempt `solution("start_here.profiles")` shows one answer.

# %% [markdown] hint="start_here.profiles"
# There are two ways to be wrong about two accounts: to join those of two people, and to leave those of one person apart. Which of them do careful rules prefer?

# %% [markdown] hint="start_here.profiles"
# Most accounts of one person do agree on something strong. So few people are left in parts, but some are, and almost nobody is joined with a stranger.

# %% truth="start_here.profiles"
def truth(workspace):
    people = workspace.truth()["person_id"].nunique()
    accounts, found = len(workspace.truth()), len(workspace.table("customer_360"))
    if found == people:
        return "A"
    if found < people:
        return "B"
    return "C" if found < people + (accounts - people) / 4 else "D"

# %% wrong="start_here.profiles" misconception="everybody-is-complete" says="Not every account has an e-mail or a date of birth, and people type them differently each time. No rule that works with what is there comes out at exactly the right number."
profiles = "A"

# %% wrong="start_here.profiles" misconception="rules-merge-whoever-is-alike" says="A careless rule would do that. These rules are careful: a shared name or mailbox alone joins nobody, so strangers do not flow together. Think of the other error."
profiles = "B"

# %% wrong="start_here.profiles" misconception="accounts-are-people" says="That would be counting accounts, which is what the four systems do. Most accounts of one person share an e-mail or a phone number, and the rules find those."
profiles = "D"

# %% [markdown]
# Now count. One after the other: accounts in the truth, people in the truth, profiles in `customer_360`.

# %%
identity, truth, customers = ws.table("customer_identity"), ws.truth(), ws.table("customer_360")
len(truth), truth["person_id"].nunique(), len(customers)

# %% [markdown]
# A number is explained when you can account for the whole difference. Bring the truth to the accounts that silver
# knows, and count people three times: all of them, those with an account that is not deleted, and those who ended up in
# two profiles.

# %%
known = identity.merge(truth, on=["source_system", "customer_id"])
live = known[~known["is_deleted"]]
parts = live.groupby("person_id")["profile_id"].nunique()
known["person_id"].nunique(), live["person_id"].nunique(), int((parts == 2).sum())

# %% [markdown]
# So: 1,000 people, 2 of whom asked to be erased and are gone. 15 more have only accounts that were deleted. Of the 983 who
# are left, 49 stand there in two parts, and 983 + 49 = 1,032. Nobody was joined with a stranger. Here is one of the 49.

# %%
twice = known[known["person_id"] == "H000000003"]
base = ws.table("customer_profile_base")
twice[["profile_id"]].merge(base[["profile_id", "first_name", "last_name", "date_of_birth"]], on="profile_id")

# %% [markdown]
# You see at once that this is one man whose name was typed badly. An exact rule does not. Lesson 03 is about this.
#
# ### The map with its rows
#
# Now all of it in one picture. Count the rows of each table, the sources and bronze first:

# %%
sources = ["customers", "orders", "clickstream", "support_tickets", "campaign_events", "consent_events"]
counts = [("sources", name, len(ws.raw(name))) for name in sources]
counts += [("bronze", f"{name}_bronze", len(ws.bronze(name))) for name in sources]

# %% [markdown]
# Then silver, gold and the report. (A seventh source, `erasure_requests`, has five rows and is left out of the drawing.)

# %%
silver = ["customer_identity", "customer_profile_base", *sources[1:], "quarantine"]
gold = ["customer_360", "activation_candidates", "segment_summary", "customer_features", "customer_labels"]
counts += [(layer, name, len(ws.table(name))) for layer, names in (("silver", silver), ("gold", gold)) for name in names]
counts += [("report", "quality report", len(ws.report()))]
layers = pd.DataFrame(counts, columns=["layer", "table", "rows"])
show(plots.start_here.product_map(layers), alt="Boxes in five columns, from left to right: six sources, the same six in bronze with equal rows, eight tables in silver, five in gold, and the quality report.")

# %% [markdown]
# Bronze has as many rows as the sources, because it only keeps. Silver has half the rows of orders, because it holds an
# order once and not once for each change. Gold speaks of people: one row for each, or one for each person, purpose and
# channel. Quarantine is where rows go that cannot be used. Today it is empty.
#
# Whatever stands between a row of a source and a cell of gold can be looked at by its name. `orders_marked`, for one,
# is every row of orders with what became of it. These are the rows of one order; silver keeps the second.

# %%
marked = ws.layer("orders_marked")
marked.loc[marked["order_id"] == "O900903137676", ["_row_number", "order_id", "status", "event_ts", "disposition"]]

# %% [markdown]
# The list of all such names is `LAYERS`, in [`c360lib/layers/pipeline.py`](../c360lib/layers/pipeline.py). You need none
# of them for the exercises. They are there for the day when you want to know where a number comes from.
#
# ## The people you will meet

# %%
met = ["P-crm:2860240824", "P-app:4501936024", "P-crm:3893826915", "P-shop:5262075482", "P-app:2474943722", "P-shop:8784469783"]
cast = customers[customers["profile_id"].isin(met)]
cast[["profile_id", "first_name", "last_name", "source_record_count", "order_count", "segment"]]

# %% [markdown]
# - **Anton Schneider** has an account in each of the four systems, and orders through three of them. Loyal.
# - **İpek and Marisol Mayer** are twins: same last name, same date of birth, same street. They must not become one.
# - **Simone Jansen** agreed to marketing, took it back, and agreed again. She bought once, long ago.
# - **Ida Ferrara** has three accounts and has never ordered. Watch her: she likes to vanish.
# - **Ayşe Rossi** ordered eleven times, and then no more.
#
# ## One table for everything
#
# The quick way to a Customer 360 is one big table: join everything to the customers, put a column for each wish, call it
# `customers_final`. You may have met one. It works on the day it is made. These are the questions that it cannot answer:
#
# | question | one big table | this product |
# |---|---|---|
# | Who owns it, and whom do I ask? | whoever made it | `data_owner` and `contract_version` on each profile |
# | May we write to her? | a yes/no column, from whenever | `activation_candidates`: per purpose and channel, with the proof |
# | Are these two accounts one person? | whatever the join did | match rules with names and versions; each link is kept |
# | How old is this? | unknown | `freshness_ts`, and hours per source in the report |
# | Is it good enough to use? | it is there, so yes | thresholds, and a gate that can say no |
#
# A table without owner, consent, identity rules, freshness and thresholds is the failure that this course teaches
# against. The next two exercises show how quietly it fails.
#
# ### Exercise 2: who may get our letter? (7 minutes)
#
# `customer_360` has a column `consent_marketing` and a column `email`. It looks as if that were all you need. Compare
# what the two tables say of İpek:

# %%
activation = ws.table("activation_candidates")
customers.loc[customers["profile_id"] == "P-app:4501936024", ["profile_id", "email", "consent_marketing"]]

# %% [markdown]
# And in the table that was made for the question:

# %%
ipek = activation[(activation["profile_id"] == "P-app:4501936024") & (activation["purpose"] == "marketing")]
ipek[["purpose", "channel", "eligible", "block_reason", "identifier"]]

# %% [markdown]
# `activation_candidates` has a row for each person, purpose and channel. `identifier` is the address of the account that
# agreed, and İpek agreed in the app, under another e-mail than the one that her profile shows. `consent_marketing` is no
# more than a summary: true if *every* channel is granted. Somebody who agreed to e-mail and nothing else is false there.
#
# Write `reachable_by_email(customer_360, activation, purpose)`: who may get an e-mail for that purpose, with the
# columns `profile_id` and `identifier`, one row per person. The campaign tool hands you both tables and a purpose, such as
# `"marketing"`; use what you need.

# %% exercise="start_here.reachable_by_email" objective="2" criterion="consent"
def reachable_by_email(customer_360, activation, purpose):
    may = activation["eligible"] & (activation["purpose"] == purpose) & (activation["channel"] == "email")
    return activation.loc[may, ["profile_id", "identifier"]]

# %% stub="start_here.reachable_by_email"
def reachable_by_email(customer_360, activation, purpose):
    """Who may get an e-mail for the purpose, a row each: profile_id, identifier."""
    ...

# %% check="start_here.reachable_by_email"
check("start_here.reachable_by_email", reachable_by_email)

# %% [markdown] hint="start_here.reachable_by_email"
# One of the two tables was made for this question and has its answer in a column. Which one?

# %% [markdown] hint="start_here.reachable_by_email"
# A row of `activation` counts if three things hold: its purpose, its channel, and what it says about eligibility. Combine the three with `&`; comparisons need brackets around them.

# %% cases="start_here.reachable_by_email" key="profile_id, identifier"
def cases(workspace):
    customers, rows = workspace.table("customer_360"), workspace.table("activation_candidates")
    made_customers = pd.DataFrame(
        [
            ("P-a:1", "old1@post.example", False, True),
            ("P-a:2", "two@post.example", True, True),
            ("P-a:3", "three@post.example", True, False),
            ("P-a:4", "four@post.example", False, False),
            ("P-a:5", "five@post.example", False, True),
        ],
        columns=["profile_id", "email", "consent_marketing", "consent_analytics"],
    )
    made = pd.DataFrame(
        [
            ("P-a:1", "marketing", "email", True, None, "new1@post.example"),
            ("P-a:1", "marketing", "sms", False, "denied", None),
            ("P-a:1", "analytics", "email", False, "denied", None),
            ("P-a:2", "marketing", "email", False, "expired", None),
            ("P-a:2", "marketing", "sms", True, None, "+49 151 2"),
            ("P-a:2", "analytics", "email", True, None, "two@post.example"),
            ("P-a:3", "marketing", "email", True, None, "three@post.example"),
            ("P-a:3", "marketing", "sms", True, None, "+49 151 3"),
            ("P-a:4", "marketing", "email", False, "no_consent", None),
            ("P-a:5", "marketing", "email", False, "denied", None),
            ("P-a:5", "analytics", "email", True, None, "five@post.example"),
        ],
        columns=["profile_id", "purpose", "channel", "eligible", "block_reason", "identifier"],
        index=[5, 3, 8, 0, 1, 7, 2, 10, 4, 9, 6],
    )
    given = [(made_customers, made, "marketing"), (made_customers, made, "analytics")]
    real = [(customers, rows, "marketing"), (customers, rows, "analytics")]
    return [*real, *given, (made_customers, made, "personalization")]

# %% wrong="start_here.reachable_by_email" misconception="summary-flag-for-consent" says="You take consent and e-mail from customer_360. Its consent column is a summary of every channel and its e-mail is the profile's latest, so you miss people who agreed to e-mail only, and write to addresses that never agreed."
def reachable_by_email(customer_360, activation, purpose):
    column = "consent_" + purpose
    agreed = customer_360[customer_360[column]] if column in customer_360 else customer_360.iloc[:0]
    return agreed.dropna(subset=["email"])[["profile_id", "email"]].rename(columns={"email": "identifier"})

# %% wrong="start_here.reachable_by_email" misconception="any-channel-will-do" says="You leave out the channel, so phone numbers for SMS are among the addresses. Consent to one channel is no consent to another."
def reachable_by_email(customer_360, activation, purpose):
    may = activation["eligible"] & (activation["purpose"] == purpose)
    return activation.loc[may, ["profile_id", "identifier"]]

# %% wrong="start_here.reachable_by_email" misconception="agreed-somewhere-written-everywhere" says="Whoever agreed on any channel gets an e-mail from you, at the profile's address. Somebody who agreed to SMS and refused e-mail is written to against their word."
def reachable_by_email(customer_360, activation, purpose):
    agreed = activation.loc[activation["eligible"] & (activation["purpose"] == purpose), "profile_id"]
    rows = customer_360[customer_360["profile_id"].isin(agreed)].dropna(subset=["email"])
    return rows[["profile_id", "email"]].rename(columns={"email": "identifier"})

# %% wrong="start_here.reachable_by_email" misconception="any-purpose-will-do" says="You leave out the purpose. Somebody who agreed to analytics has not agreed to marketing."
def reachable_by_email(customer_360, activation, purpose):
    may = activation["eligible"] & (activation["channel"] == "email")
    return activation.loc[may, ["profile_id", "identifier"]]

# %% wrong="start_here.reachable_by_email" misconception="listed-is-allowed" says="Being in the table is not being allowed: it has a row for everybody. Keep the rows that are eligible."
def reachable_by_email(customer_360, activation, purpose):
    asked = (activation["purpose"] == purpose) & (activation["channel"] == "email")
    return activation.loc[asked, ["profile_id", "identifier"]]

# %% wrong="start_here.reachable_by_email" misconception="address-of-the-profile" says="The right people, but at the wrong address: you take the e-mail of the profile. The identifier in activation is that of the account that agreed, and it alone may be used."
def reachable_by_email(customer_360, activation, purpose):
    may = activation["eligible"] & (activation["purpose"] == purpose) & (activation["channel"] == "email")
    rows = customer_360[customer_360["profile_id"].isin(activation.loc[may, "profile_id"])]
    return rows[["profile_id", "email"]].rename(columns={"email": "identifier"})

# %% wrong="start_here.reachable_by_email" misconception="flag-on-top-of-eligibility" says="You ask for eligibility and for the summary column too. That column is false for whoever refused a single channel, so people who said yes to e-mail are left out."
def reachable_by_email(customer_360, activation, purpose):
    may = activation["eligible"] & (activation["purpose"] == purpose) & (activation["channel"] == "email")
    column = "consent_" + purpose
    agreed = customer_360.loc[customer_360[column], "profile_id"] if column in customer_360 else []
    return activation.loc[may & activation["profile_id"].isin(agreed), ["profile_id", "identifier"]]

# %% right="start_here.reachable_by_email"
def reachable_by_email(customer_360, activation, purpose):
    rows = activation.query("purpose == @purpose and channel == 'email' and eligible")
    return rows[["identifier", "profile_id"]].sort_values("identifier").reset_index(drop=True)

# %% right="start_here.reachable_by_email"
def reachable_by_email(customer_360, activation, purpose):
    found = []
    for row in activation.to_dict("records"):
        if row["eligible"] and row["purpose"] == purpose and row["channel"] == "email":
            found.append({"profile_id": row["profile_id"], "identifier": row["identifier"]})
    return pd.DataFrame(found, columns=["profile_id", "identifier"])

# %% right="start_here.reachable_by_email"
def reachable_by_email(customer_360, activation, purpose):
    wanted = pd.DataFrame({"purpose": [purpose], "channel": ["email"], "eligible": [True]})
    return activation.merge(wanted, on=["purpose", "channel", "eligible"]).set_index("profile_id")[["identifier"]]

# %% [markdown]
# How far off would the big table have been? Whom its column allows, against whom `activation_candidates` allows, for
# marketing by e-mail:

# %%
letter = activation[(activation["purpose"] == "marketing") & (activation["channel"] == "email")]
both = letter.merge(customers[["profile_id", "consent_marketing"]], on="profile_id")
both.groupby(["consent_marketing", "eligible"]).size()

# %% [markdown]
# The column leaves out 174 people who said yes to e-mail, and names 17 who cannot be reached by e-mail at all. And of those
# who may be reached, how many agreed with another address than the one that their profile shows, letter case aside?

# %%
may = letter[letter["eligible"]].merge(customers[["profile_id", "email"]], on="profile_id")
int((may["email"].str.lower() != may["identifier"].str.lower()).sum()), len(may)

# %% [markdown]
# İpek is one of the three. Here is the whole way, from accounts to people whom you may write to. It begins at 1,503
# accounts, the 1,508 without the 5 that erasure requests name. They make 1,051 profiles, 19 of which have no live
# account: the 15 people from above, and one half each of 4 people who stand there in two parts.

# %%
marketing = activation[activation["eligible"] & (activation["purpose"] == "marketing")]
steps = [("accounts not erased", len(identity)), ("profiles in silver", len(base)), ("profiles with a live account", len(customers))]
steps += [("reachable for marketing, any channel", marketing["profile_id"].nunique())]
steps += [("reachable for marketing by e-mail", len(marketing[marketing["channel"] == "email"]))]
show(plots.start_here.from_accounts_to_reach(pd.DataFrame(steps, columns=["step", "count"])), alt="Bars that get shorter: 1,503 accounts, 1,051 profiles, 1,032 with a live account, 514 reachable for marketing on some channel, 394 by e-mail.")

# %% [markdown]
# ### Exercise 3: where is Ida? (7 minutes)
#
# A colleague makes a customer table with the number of orders:
#
# ```python
# def customer_table(people, orders):
#     counts = orders.groupby("profile_id").size().rename("order_count").reset_index()
#     return people.merge(counts, on="profile_id")
# ```
#
# Run her lines on the real tables, and look for Ida Ferrara. Deleted orders are left out first, so your function gets
# none of them.

# %%
orders = ws.table("orders")
orders = orders.loc[~orders["is_deleted"], ["order_id", "profile_id"]]
people = customers[["profile_id", "first_name", "last_name"]]
joined = people.merge(orders.groupby("profile_id").size().rename("order_count").reset_index(), on="profile_id")
len(people), len(joined), int((joined["profile_id"] == "P-app:2474943722").sum())

# %% [markdown]
# No error, no warning, and 235 people fewer. A `merge` keeps only what both sides have unless you say otherwise. Nobody
# misses a row that is not there.
#
# Write `customer_table(people, orders)` so that everybody in `people` has exactly one row: `profile_id`, `first_name`,
# `last_name`, `order_count`. Who has no order has the count 0. An order whose `profile_id` is absent, or is not in
# `people`, adds no row.

# %% exercise="start_here.customer_table" objective="3" criterion="architecture"
def customer_table(people, orders):
    counts = orders.groupby("profile_id").size().rename("order_count").reset_index()
    table = people.merge(counts, on="profile_id", how="left")
    return table.assign(order_count=table["order_count"].fillna(0).astype(int))

# %% stub="start_here.customer_table"
def customer_table(people, orders):
    """Everybody in `people`, a row each: profile_id, first_name, last_name, order_count."""
    ...

# %% check="start_here.customer_table"
check("start_here.customer_table", customer_table)

# %% [markdown] hint="start_here.customer_table"
# `merge` takes `how=`. Which of its values keeps every row of the left table and adds none?

# %% [markdown] hint="start_here.customer_table"
# After that join, Ida's count is absent. What should stand there, and how do you put it into that column only?

# %% cases="start_here.customer_table" key="profile_id"
def cases(workspace):
    people = workspace.table("customer_360")[["profile_id", "first_name", "last_name"]]
    orders = workspace.table("orders")
    orders = orders.loc[~orders["is_deleted"], ["order_id", "profile_id"]]
    made = pd.DataFrame(
        [("P-a:1", "Ida", "Ferrara"), ("P-a:2", "Anton", "Schneider"), ("P-a:3", None, None), ("P-a:4", "Ayşe", "Rossi")],
        columns=["profile_id", "first_name", "last_name"],
        index=[3, 0, 2, 1],
    )
    bought = pd.DataFrame(
        [("o1", "P-a:2"), ("o2", "P-a:2"), ("o3", "P-a:4"), ("o4", "P-a:9"), ("o5", None), ("o6", "P-a:2")],
        columns=["order_id", "profile_id"],
    )
    return [(people, orders), (made, bought), (made, bought.iloc[:0]), (made.iloc[:0], bought)]

# %% wrong="start_here.customer_table" misconception="inner-join-loses-the-quiet" says="Whoever never ordered is still missing: the join keeps only people who are on both sides. Keep everybody of the left table."
def customer_table(people, orders):
    counts = orders.groupby("profile_id").size().rename("order_count").reset_index()
    return people.merge(counts, on="profile_id")

# %% wrong="start_here.customer_table" misconception="absent-for-nought" says="Everybody is back, but whoever never ordered has an absent count. You do know how many orders Ida has: none. Write 0."
def customer_table(people, orders):
    counts = orders.groupby("profile_id").size().rename("order_count").reset_index()
    return people.merge(counts, on="profile_id", how="left")

# %% wrong="start_here.customer_table" misconception="a-row-is-taken-for-an-order" says="You join first and count rows afterwards. The join keeps one row for a person without orders, and you count it as an order: Ida gets 1. Count the orders before you join."
def customer_table(people, orders):
    counts = people.merge(orders, on="profile_id", how="left").groupby("profile_id").size()
    return people.assign(order_count=people["profile_id"].map(counts))

# %% wrong="start_here.customer_table" misconception="a-row-is-taken-for-an-order-by-name" says="You join first and count rows afterwards, so a person without orders has one row and counts as one order: Ida gets 1. And because you group by the names too, a person without a name vanishes. Count the orders by profile_id before you join."
def customer_table(people, orders):
    rows = people.merge(orders, on="profile_id", how="left")
    return rows.groupby(["profile_id", "first_name", "last_name"]).size().rename("order_count").reset_index()

# %% wrong="start_here.customer_table" misconception="a-row-is-taken-for-an-order-and-names-lost" says="Two things: the names are gone, because grouping keeps only the column that you group by. And you count rows after the join, where a person without orders has one: Ida gets 1. Count the orders first, then join the counts to people."
def customer_table(people, orders):
    rows = people.merge(orders, on="profile_id", how="left")
    return rows.groupby("profile_id").size().rename("order_count").reset_index()

# %% wrong="start_here.customer_table" misconception="the-nameless-vanish" says="The counts are right, but you group by the names as well, and a group with an absent name is left out: a person without a name vanishes. Group by profile_id alone."
def customer_table(people, orders):
    rows = people.merge(orders, on="profile_id", how="left")
    counts = rows.groupby(["profile_id", "first_name", "last_name"])["order_id"].count()
    return counts.rename("order_count").reset_index()

# %% wrong="start_here.customer_table" misconception="a-row-is-taken-for-an-order-with-order-id" says="You count rows after the join, and a person without orders has one row there: Ida gets 1. And the column order_id should not be in the table. Count the orders before you join."
def customer_table(people, orders):
    rows = people.merge(orders, on="profile_id", how="left")
    rows["order_count"] = rows.groupby("profile_id")["profile_id"].transform("size")
    return rows.drop_duplicates("profile_id")

# %% wrong="start_here.customer_table" misconception="outer-join-invites-strangers" says="Your join keeps everybody of both sides, so an order of somebody who is not in people makes a row of its own, without a name."
def customer_table(people, orders):
    counts = orders.groupby("profile_id").size().rename("order_count").reset_index()
    return people.merge(counts, on="profile_id", how="outer").fillna({"order_count": 0})

# %% wrong="start_here.customer_table" misconception="a-row-an-order" says="You have a row for each order, so people who ordered twice stand there twice. Count the orders of each person first; then there is one row to join."
def customer_table(people, orders):
    sizes = orders.groupby("profile_id")["order_id"].transform("size")
    table = people.merge(orders.assign(order_count=sizes), on="profile_id", how="left")
    return table.drop(columns="order_id").fillna({"order_count": 0})

# %% wrong="start_here.customer_table" misconception="has-ordered-for-how-often" says="You give 1 to everybody who has ordered. The question is how often."
def customer_table(people, orders):
    return people.assign(order_count=people["profile_id"].isin(orders["profile_id"]).astype(int))

# %% wrong="start_here.customer_table" misconception="every-gap-filled-with-nought" says="You put 0 into every absent cell, names too. A person without a name is not called 0: fill the count alone."
def customer_table(people, orders):
    counts = orders.groupby("profile_id").size().rename("order_count").reset_index()
    return people.merge(counts, on="profile_id", how="left").fillna(0)

# %% right="start_here.customer_table"
def customer_table(people, orders):
    counts = orders["profile_id"].value_counts()
    return people.assign(order_count=people["profile_id"].map(counts).fillna(0).astype(int))

# %% right="start_here.customer_table"
def customer_table(people, orders):
    counts = orders.groupby("profile_id").size().reindex(people["profile_id"], fill_value=0)
    return people.assign(order_count=counts.to_numpy())

# %% right="start_here.customer_table"
def customer_table(people, orders):
    rows = people.merge(orders, on="profile_id", how="left")
    table = rows.groupby("profile_id").agg(order_count=("order_id", "count")).reset_index()
    return people.merge(table, on="profile_id")[["order_count", "last_name", "first_name", "profile_id"]]

# %% [markdown]
# Who was lost? Only people of one kind: *prospects*, who have an account and no order that is paid. The 60 of them who are
# still there have orders that are open, cancelled or refunded. Ask marketing whether they mind losing the rest.

# %%
has_order = customers["profile_id"].isin(orders["profile_id"])
by_segment = pd.DataFrame({"segment": customers["segment"], "kept": has_order.astype(int), "lost": (~has_order).astype(int)})
by_segment = by_segment.groupby("segment").sum().reset_index()
show(plots.start_here.lost_by_join(by_segment), alt="Bars of people by segment: all segments are kept whole but prospects, of whom 235 are lost and 60 kept.")

# %% [markdown]
# ## The report that may say no
#
# Such a loss is what measures are for. The quality report has a row for each measure: its value, its threshold, its
# status, and what it means. These are six of its rows.

# %%
report = ws.report()
first = ["profile_coverage_rate", "duplicate_profile_count", "consent_leak_count", "marketing_consent_rate"]
first += ["orders_quarantine_rate", "orders_freshness_hours"]
report.loc[report["name"].isin(first), ["name", "value", "threshold", "status"]]

# %% [markdown]
# | status | meaning | what happens |
# |---|---|---|
# | pass | the value is within its threshold | published |
# | warn | something is late, missing or doubtful; what is there is right, but somebody should look | published |
# | fail | publishing could do harm, or be wrong about people | nothing is published, the last good release stays |
# | info | a number without a threshold: good to know, nothing to reach | published |
#
# `profile_coverage_rate` must be 1: every live account has a profile. The colleague's table would have been stopped here.
# `marketing_consent_rate` has no threshold on purpose. If it were a target, somebody would reach it, by asking people
# until they give in.
#
# ### Exercise 4: a bad day (4 minutes)
#
# Here is a small branch of the company, with 150 people, on a bad day. Its campaign file came without rows. Three
# changes of orders name accounts that do not exist, and went to quarantine. And somebody withdrew consent, but the row
# does not say who. The column with the status is left out.

# %%
bad_day = lesson_workspace("gold", customers=150, seed=361, faults="header_only,consent_of_nobody,orphan_reference")
bad = bad_day.report().set_index("name")
asked = ["profile_coverage_rate", "unattributable_consent_events_rows", "marketing_consent_rate", "orders_quarantine_rate"]
asked += ["campaign_events_empty_source"]
bad.loc[asked, ["value", "threshold"]]

# %% [markdown]
# Predict the status of each of the five, in this order: a list of five texts, each `"pass"`, `"warn"`, `"fail"` or
# `"info"`. Think of what would follow if the release went out.

# %% exercise="start_here.statuses" objective="4" criterion="quality"
statuses = ["pass", "fail", "info", "pass", "warn"]

# %% stub="start_here.statuses"
statuses = ...

# %% check="start_here.statuses"
check("start_here.statuses", statuses)

# %% [markdown] hint="start_here.statuses"
# Begin with the rows that have no threshold, then those that keep within theirs. Two are left, and one of them is worse than the other.

# %% [markdown] hint="start_here.statuses"
# Somebody said no and we do not know who. Whom may we still write to? And of an empty campaign file: is anything that we would publish wrong, or is it only less?

# %% truth="start_here.statuses"
def truth(workspace):
    bad = lesson_workspace("gold", customers=150, seed=361, faults="header_only,consent_of_nobody,orphan_reference")
    asked = ["profile_coverage_rate", "unattributable_consent_events_rows", "marketing_consent_rate", "orders_quarantine_rate"]
    found = bad.report().set_index("name")["status"]
    return [found[name] for name in [*asked, "campaign_events_empty_source"]]

# %% wrong="start_here.statuses" misconception="every-miss-fails" says="An empty campaign file misses its threshold, but what would be published is right, only less complete. That is a warning: somebody should look, and nobody is harmed."
statuses = ["pass", "fail", "info", "pass", "fail"]

# %% wrong="start_here.statuses" misconception="one-row-is-harmless" says="One row in hundreds, but it is somebody's no. As long as nobody knows whose, every yes in the release is in doubt. This one fails."
statuses = ["pass", "warn", "info", "pass", "warn"]

# %% wrong="start_here.statuses" misconception="quarantine-is-a-warning" says="Rows went to quarantine, but far fewer than the threshold allows. A row in quarantine is not lost; it stands there with its reason. Within the threshold means pass."
statuses = ["pass", "fail", "info", "warn", "warn"]

# %% wrong="start_here.statuses" misconception="whatever-is-not-perfect-warns" says="Three of yours are warnings. Rows in quarantine are far below the threshold: that passes. And the withdrawal without a name is more than a warning: as long as nobody knows whose no it is, every yes is in doubt."
statuses = ["pass", "warn", "info", "warn", "warn"]

# %% wrong="start_here.statuses" misconception="quarantine-warns-and-every-miss-fails" says="Two are off. Rows in quarantine are far below the threshold: within it means pass. And an empty campaign file makes the release less complete, not wrong: that is a warning."
statuses = ["pass", "fail", "info", "warn", "fail"]

# %% wrong="start_here.statuses" misconception="quarantine-warns-and-no-threshold-passes" says="Two are off. Without a threshold there is nothing to pass, so that measure is info. And rows in quarantine are far below theirs: that passes."
statuses = ["pass", "fail", "pass", "warn", "warn"]

# %% wrong="start_here.statuses" misconception="low-consent-warns" says="Few people granting every channel is no fault of the data. The measure has no threshold, so it is info."
statuses = ["pass", "fail", "warn", "pass", "warn"]

# %% wrong="start_here.statuses" misconception="no-threshold-passes" says="Without a threshold there is nothing to pass. Such a measure is info."
statuses = ["pass", "fail", "pass", "pass", "warn"]

# %% wrong="start_here.statuses" misconception="harm-and-incompleteness-swapped" says="You have the two the wrong way round. A missing campaign file makes the release less complete; a no without a name puts every yes in doubt."
statuses = ["pass", "warn", "info", "pass", "fail"]

# %% [markdown]
# One measure that fails is enough. The build of that day is set aside for somebody to look at, and what was published
# before stays. A measure is worth something only if it can stop you.
#
# ## What you can now do
#
# - say what becomes of 1,000 people on their way through the product, and account for the difference
# - find who may be reached for a purpose on a channel, and under which address
# - see when a join loses people, and keep them
# - read a quality report, and tell a warning from a failure
#
# ## Common mistakes
#
# The three that this course teaches against, by name:
#
# - **One denormalised table without ownership, consent, identity rules, freshness or thresholds.** You have met it above.
# - **Behaviour aggregated without event time**: counting what arrived today as what happened today. Lesson 01.
# - **Profiles exposed without a contract and a validation report**: users find out what is wrong before you do. Lesson 07.
#
# And two small ones of this lesson: an inner join where everybody should stay, and a summary column where a decision is
# needed.
#
# ## Further reading
#
# - [Architecture](../docs/architecture.md): how the parts work and why they are built so
# - [Data dictionary](../docs/data-dictionary.md): every table, column, rule and threshold
# - [README](../README.md): the commands, and how to bring your own files
# - Zhamak Dehghani, *Data Mesh* (2022), on data as a product with an owner
# - Ralph Kimball and Margy Ross, *The Data Warehouse Toolkit* (3rd edition, 2013), on the grain of a table
