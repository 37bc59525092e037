# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 12 Capstone: design the production system
#
# *60 minutes · after lesson 07 · you need: pandas filter, groupby, merge*
#
# You have carried one company from seven files to a profile, with consent and a gate. Now you design the system that
# does this every day for ten million people, and write it down so that somebody else can build and run it. The 60
# minutes are for the guided work. The design itself takes as long as you give it: two hours is usual.

# %% [markdown]
# ## What you will do
#
# 1. complete an architecture map and find what contradicts itself in it
# 2. set a late-event policy under which no event is lost
# 3. size the state of a stream, and how long history must be kept for a replay
# 4. judge a schema change before it is made
# 5. choose the release to serve when the newest one is bad, and write the runbook for it

# %% tags=["setup"]
import pandas as pd

from c360lib import plots
from c360lib.course import check, hint, lesson_workspace, show, solution

# %% [markdown]
# The lesson starts from the published product: every layer can be read.

# %%
ws = lesson_workspace("gold")
clicks = ws.table("clickstream")
clicks[["event_id", "event_ts", "ingest_ts"]].sort_values("event_id").head(3)

# %% [markdown]
# ## In production
#
# This lesson is about nothing else, so here is the whole table once more. In your map, every row of it gets an owner, a
# contract, a key, an order and a retention.
#
# | here | in production |
# | --- | --- |
# | customers.csv, orders.csv, support_tickets.csv | CDC topics: ordered changes with primary key, operation, transaction metadata, source timestamp |
# | clickstream.csv, campaign_events.csv | behavioural topics, append only, event-time semantics |
# | consent_events.csv | consent stream: a governance input, not a marketing attribute |
# | bronze | raw lakehouse tables: fidelity and replay |
# | customer_identity | identity table or graph: deterministic, probabilistic, steward-reviewed |
# | customer_profile_base | conformed, auditable customer entity |
# | customer_360 | serving mart, feature table, profile API backing table |
# | activation_candidates | the only door to campaign tools, tested again at the moment of sending |
# | quality report | data-product SLO report, tied to release gates |
#
# Four words of this lesson:
#
# > **runbook**: the page that somebody follows at night when an alarm rings: what it means, what to look at, what to do, and whom to call.
#
# > **backfill**: making results for a stretch of the past that has none, or has wrong ones, from history that was kept.
#
# > **rollback**: serving an earlier release again, because the newest one is bad.
#
# > **serving contract**: what readers of a product may rely on: columns, types, key, freshness, who may read it and for which purpose, and how long a change is announced beforehand.

# %% [markdown]
# ## The story so far
#
# Three people test your design.
#
# - **Simone Jansen** (P-shop:5262075482) granted marketing, withdrew it, and granted it again on 2026-03-16. That last
#   choice arrived on 2026-03-20. A design that waits 48 hours and then closes the books must still hear her.
# - **Ida Ferrara** (P-app:2474943722) has three accounts and never ordered. A design whose mart starts from orders does
#   not know her.
# - **Anton Schneider** (P-crm:2860240824) is four accounts. Whoever owns only one source sees a quarter of him, so
#   somebody must own the question of who he is.

# %%
people = ws.table("customer_360").set_index("profile_id")
names = ["P-shop:5262075482", "P-app:2474943722", "P-crm:2860240824"]
people.loc[names, ["first_name", "source_record_count", "order_count", "segment", "consent_marketing"]]

# %% [markdown]
# ## The architecture map
#
# A map is a table with one row for each part of the product. A drawing can leave out who owns a part; a table shows the
# hole.
#
# | column | what goes in |
# | --- | --- |
# | part | the name that other rows use; leave it as it is |
# | here | the file, table or module of this course |
# | production | what it would be: a topic, a lakehouse table, a mart, an API |
# | owner | the team that is called when it breaks |
# | contract | name and version of what its readers may rely on |
# | kind | `cdc`, `events`, `governance`, `table`, `report` or `api` |
# | key | the columns that name one row |
# | order_by | what decides which of two rows of one key is later: `lsn`, `event_ts`, `decided_ts`, `as_of` |
# | state | `every row` (only ever added to), `latest` (older rows of a key are removed), `rebuilt` (made again from what it reads) |
# | reads | the parts that it reads, separated by commas; empty for a source |
# | retention | how long it is kept, and why |
#
# Below is the first draft of a colleague. It has holes, and some of what is filled in contradicts what the course
# taught. You will mend it, so these four cells are yours to change. A row is one line with ten bars `|`.
#
# First, the sources that send changes or behaviour.

# %%
sources = """\
customers | customers.csv | CDC topic | CRM | customers 1.0 | cdc | source_system, customer_id | lsn | latest | | 90 d
orders | orders.csv | CDC topic | shop team | orders 1.0 | cdc | source_system, order_id | lsn | latest | | 90 d
support | support_tickets.csv | | | | cdc | source_system, ticket_id | lsn | | |
clickstream | clickstream.csv | event topic | web team | clicks 1.0 | cdc | event_id | ingest_ts | latest | | 7 d
campaigns | campaign_events.csv | | | | | | | | |"""

# %% [markdown]
# Then what governs all the rest: consent, erasure, and what stewards decided.

# %%
governance = """\
consent | consent_events.csv | compacted topic | | consent 1.0 | table | event_id | event_ts | latest | |
erasure | erasure_requests.csv | | | | governance | request_id | | | |
steward | data/steward | | | | governance | | decided_ts | | |"""

# %% [markdown]
# Then the layers.

# %%
layers = """\
bronze | data/bronze | | | | table | | | latest | customers, orders, support, clickstream, campaigns, consent, erasure |
identity | customer_identity | | | | table | | | rebuilt | bronze |
profile_base | customer_profile_base | | | | table | profile_id | | rebuilt | bronze, identity |
consent_state | c360lib/layers/consent.py | | | | table | | | rebuilt | bronze, identity |
customer_360 | gold | | | | table | profile_id | as_of | rebuilt | bronze, identity, profile_base, consent_state |"""

# %% [markdown]
# And the doors through which the product leaves.

# %%
doors = """\
activation | activation_candidates | campaign export | | | table | | as_of | rebuilt | profile_base, customer_360 |
quality_report | reports/ | SLO report | | | report | | as_of | every row | identity, customer_360, activation |
api | lesson 10 | profile API | web team | | api | profile_id | | | customer_360 |"""

# %% [markdown]
# This puts the four together. If it complains about the number of columns, a line has too few or too many bars.

# %%
lines = "\n".join([sources, governance, layers, doors]).splitlines()
columns = "part here production owner contract kind key order_by state reads retention".split()
architecture_map = pd.DataFrame([[cell.strip() for cell in line.split("|")] for line in lines], columns=columns)
architecture_map[["part", "owner", "kind", "order_by", "state"]]

# %% [markdown]
# Drawn from the table: a line goes from a part to whoever reads it; a grey one skips a step. A dashed box has no owner.
# Follow the lines from `consent` to `activation`. Then look for one from `quality_report` to `api`.

# %%
picture = plots.capstone.map_drawing(architecture_map)
show(picture, alt="Parts of the map, sources left, doors right; parts without an owner are dashed.")

# %% [markdown]
# ### Exercise 1: what contradicts itself (15 minutes)
#
# A map of sixteen rows is read once and then trusted. So let a function read it. Write `contradictions`: it takes a map
# and gives a table with the columns `part` and `problem`, one row for each problem found; no rows if all is well.
#
# | problem | which part | when |
# | --- | --- | --- |
# | no_owner | any | `owner` is empty |
# | consent_as_attribute | consent | `kind` is something else than `governance` |
# | consent_without_history | consent | `state` is something else than `every row` |
# | behaviour_as_changes | clickstream, campaigns | `kind` is something else than `events` |
# | counted_by_arrival | any | `order_by` is `ingest_ts` |
# | bronze_rewritten | bronze | `state` is something else than `every row` |
# | identity_without_steward | identity | `reads` does not name `steward` |
# | activation_reads_mart | activation | `reads` names `customer_360` |
# | activation_without_consent | activation | `reads` does not name `consent_state` |
# | served_unproven | api | `reads` does not name `quality_report` |
#
# Two things to mind. A cell that holds only spaces is empty. And an empty `kind` or `state` is a hole, not a
# contradiction: the author has not said anything wrong yet. (An empty `reads` does not name anything.)


# %% exercise="capstone.contradictions" objective="1" criterion="architecture"
def contradictions(architecture_map):
    found = []
    for row in architecture_map.to_dict("records"):
        row = {name: str(value).strip() for name, value in row.items()}
        reads = [name.strip() for name in row["reads"].split(",")]
        part = row["part"]
        tests = {
            "no_owner": row["owner"] == "",
            "consent_as_attribute": part == "consent" and row["kind"] not in ("", "governance"),
            "consent_without_history": part == "consent" and row["state"] not in ("", "every row"),
            "behaviour_as_changes": part in ("clickstream", "campaigns") and row["kind"] not in ("", "events"),
            "counted_by_arrival": row["order_by"] == "ingest_ts",
            "bronze_rewritten": part == "bronze" and row["state"] not in ("", "every row"),
            "identity_without_steward": part == "identity" and "steward" not in reads,
            "activation_reads_mart": part == "activation" and "customer_360" in reads,
            "activation_without_consent": part == "activation" and "consent_state" not in reads,
            "served_unproven": part == "api" and "quality_report" not in reads,
        }
        found += [(part, problem) for problem, is_wrong in tests.items() if is_wrong]
    return pd.DataFrame(found, columns=["part", "problem"])


# %% stub="capstone.contradictions"
def contradictions(architecture_map):
    """Takes a map, one row per part; gives one row (part, problem) for each problem."""
    ...


# %% check="capstone.contradictions"
check("capstone.contradictions", contradictions)

# %% [markdown]
# Stuck? `hint("capstone.contradictions")` gives one hint at a time; after an attempt
# `solution("capstone.contradictions")` shows one answer.

# %% [markdown] hint="capstone.contradictions"
# Go row by row: `architecture_map.to_dict("records")` gives each row as a dict. Collect pairs (part, problem) in a
# list, and make the table from the list at the end, naming its columns, so that an empty list gives an empty table.

# %% [markdown] hint="capstone.contradictions"
# `reads` is text with commas. Split it into a list of names without spaces before you ask whether a name is in it:
# `customer_360` is also found inside `customer_360_archive`, which is another part.

# %% [markdown] hint="capstone.contradictions"
# One row may have several problems: use one test for each problem, not a chain of `elif`. For `kind` and `state`, test
# against two values that are fine: the right one, and the empty one.


# %% cases="capstone.contradictions" key="part, problem"
def cases(workspace):
    names = "part owner kind order_by state reads".split()
    good = [
        ["customers", "crm team", "cdc", "lsn", "latest", ""],
        ["clickstream", "web team", "events", "event_ts", "every row", ""],
        ["campaigns", "mail team", "events", "event_ts", "every row", ""],
        ["consent", "privacy office", "governance", "event_ts", "every row", ""],
        ["steward", "identity team", "governance", "decided_ts", "every row", ""],
        ["bronze", "platform", "table", "", "every row", "customers, clickstream, campaigns, consent"],
        ["identity", "identity team", "table", "", "rebuilt", "bronze, steward"],
        ["consent_state", "privacy office", "table", "event_ts", "rebuilt", "bronze, identity"],
        ["customer_360", "profile team", "table", "as_of", "rebuilt", "bronze,identity,consent_state"],
        ["activation", "privacy office", "table", "as_of", "rebuilt", "identity , consent_state"],
        ["quality_report", "profile team", "report", "as_of", "every row", "customer_360, activation"],
        ["api", "profile team", "api", "as_of", "rebuilt", "customer_360, quality_report"],
    ]

    def changed(**cells):
        table = pd.DataFrame(good, columns=names)
        for place, value in cells.items():
            part, column = place.split("__")
            table.loc[table["part"] == part, column] = value
        return (table,)

    return [
        changed(),
        changed(customers__owner="", api__owner="   "),
        changed(consent__kind="table", consent__state="latest"),
        changed(consent__kind="", consent__state=" ", bronze__state="", clickstream__kind="", campaigns__kind=""),
        changed(clickstream__kind="cdc", clickstream__order_by="ingest_ts", campaigns__kind="table"),
        changed(bronze__state="latest", orders__owner="x", customer_360__order_by="ingest_ts"),
        changed(identity__reads="bronze", activation__reads="customer_360"),
        changed(identity__reads="bronze, steward_inbox", activation__reads="consent_state, customer_360"),
        changed(activation__reads="consent_state, customer_360_archive", api__reads="customer_360"),
        changed(activation__reads="identity, consent_state_copy", api__reads="", identity__owner=""),
        (pd.DataFrame(good, columns=names).head(0),),
    ]


# %% wrong="capstone.contradictions" misconception="part-of-a-name" says="You look for a name inside the text of reads, so customer_360_archive counts as customer_360 and steward_inbox as steward. Split the text at its commas first."
def contradictions(architecture_map):
    found = []
    for row in architecture_map.to_dict("records"):
        row = {name: str(value).strip() for name, value in row.items()}
        reads, part = row["reads"], row["part"]
        tests = {
            "no_owner": row["owner"] == "",
            "consent_as_attribute": part == "consent" and row["kind"] not in ("", "governance"),
            "consent_without_history": part == "consent" and row["state"] not in ("", "every row"),
            "behaviour_as_changes": part in ("clickstream", "campaigns") and row["kind"] not in ("", "events"),
            "counted_by_arrival": row["order_by"] == "ingest_ts",
            "bronze_rewritten": part == "bronze" and row["state"] not in ("", "every row"),
            "identity_without_steward": part == "identity" and "steward" not in reads,
            "activation_reads_mart": part == "activation" and "customer_360" in reads,
            "activation_without_consent": part == "activation" and "consent_state" not in reads,
            "served_unproven": part == "api" and "quality_report" not in reads,
        }
        found += [(part, problem) for problem, is_wrong in tests.items() if is_wrong]
    return pd.DataFrame(found, columns=["part", "problem"])


# %% wrong="capstone.contradictions" misconception="one-problem-a-part" says="You stop at the first problem of a part. A part can be wrong in several ways, and each needs its own repair: report them all."
def contradictions(architecture_map):
    found = []
    for row in architecture_map.to_dict("records"):
        row = {name: str(value).strip() for name, value in row.items()}
        reads = [name.strip() for name in row["reads"].split(",")]
        part = row["part"]
        tests = {
            "no_owner": row["owner"] == "",
            "consent_as_attribute": part == "consent" and row["kind"] not in ("", "governance"),
            "consent_without_history": part == "consent" and row["state"] not in ("", "every row"),
            "behaviour_as_changes": part in ("clickstream", "campaigns") and row["kind"] not in ("", "events"),
            "counted_by_arrival": row["order_by"] == "ingest_ts",
            "bronze_rewritten": part == "bronze" and row["state"] not in ("", "every row"),
            "identity_without_steward": part == "identity" and "steward" not in reads,
            "activation_reads_mart": part == "activation" and "customer_360" in reads,
            "activation_without_consent": part == "activation" and "consent_state" not in reads,
            "served_unproven": part == "api" and "quality_report" not in reads,
        }
        found += [(part, problem) for problem, is_wrong in tests.items() if is_wrong][:1]
    return pd.DataFrame(found, columns=["part", "problem"])


# %% wrong="capstone.contradictions" misconception="mart-beside-consent-is-fine" says="You accept an activation that reads customer_360 as long as it reads the consent state too. The mart holds one yes or no a purpose, as of last night: an export that can see it will use it. Reading it at all is the problem."
def contradictions(architecture_map):
    found = []
    for row in architecture_map.to_dict("records"):
        row = {name: str(value).strip() for name, value in row.items()}
        reads = [name.strip() for name in row["reads"].split(",")]
        part = row["part"]
        tests = {
            "no_owner": row["owner"] == "",
            "consent_as_attribute": part == "consent" and row["kind"] not in ("", "governance"),
            "consent_without_history": part == "consent" and row["state"] not in ("", "every row"),
            "behaviour_as_changes": part in ("clickstream", "campaigns") and row["kind"] not in ("", "events"),
            "counted_by_arrival": row["order_by"] == "ingest_ts",
            "bronze_rewritten": part == "bronze" and row["state"] not in ("", "every row"),
            "identity_without_steward": part == "identity" and "steward" not in reads,
            "activation_reads_mart": part == "activation" and "customer_360" in reads and "consent_state" not in reads,
            "activation_without_consent": part == "activation" and "consent_state" not in reads,
            "served_unproven": part == "api" and "quality_report" not in reads,
        }
        found += [(part, problem) for problem, is_wrong in tests.items() if is_wrong]
    return pd.DataFrame(found, columns=["part", "problem"])


# %% wrong="capstone.contradictions" misconception="hole-is-contradiction" says="You report an empty kind or state as a contradiction. Nothing wrong has been said there yet: it is a hole, and the list of holes shows it."
def contradictions(architecture_map):
    found = []
    for row in architecture_map.to_dict("records"):
        row = {name: str(value).strip() for name, value in row.items()}
        reads = [name.strip() for name in row["reads"].split(",")]
        part = row["part"]
        tests = {
            "no_owner": row["owner"] == "",
            "consent_as_attribute": part == "consent" and row["kind"] != "governance",
            "consent_without_history": part == "consent" and row["state"] != "every row",
            "behaviour_as_changes": part in ("clickstream", "campaigns") and row["kind"] != "events",
            "counted_by_arrival": row["order_by"] == "ingest_ts",
            "bronze_rewritten": part == "bronze" and row["state"] != "every row",
            "identity_without_steward": part == "identity" and "steward" not in reads,
            "activation_reads_mart": part == "activation" and "customer_360" in reads,
            "activation_without_consent": part == "activation" and "consent_state" not in reads,
            "served_unproven": part == "api" and "quality_report" not in reads,
        }
        found += [(part, problem) for problem, is_wrong in tests.items() if is_wrong]
    return pd.DataFrame(found, columns=["part", "problem"])


# %% wrong="capstone.contradictions" misconception="spaces-are-an-owner" says="A cell that holds only spaces passes as filled. Nobody is called when that part breaks: strip the spaces before you test."
def contradictions(architecture_map):
    found = []
    for row in architecture_map.to_dict("records"):
        reads = [name.strip() for name in row["reads"].split(",")]
        part, kind, state = row["part"], row["kind"].strip(), row["state"].strip()
        tests = {
            "no_owner": row["owner"] == "",
            "consent_as_attribute": part == "consent" and kind not in ("", "governance"),
            "consent_without_history": part == "consent" and state not in ("", "every row"),
            "behaviour_as_changes": part in ("clickstream", "campaigns") and kind not in ("", "events"),
            "counted_by_arrival": row["order_by"] == "ingest_ts",
            "bronze_rewritten": part == "bronze" and state not in ("", "every row"),
            "identity_without_steward": part == "identity" and "steward" not in reads,
            "activation_reads_mart": part == "activation" and "customer_360" in reads,
            "activation_without_consent": part == "activation" and "consent_state" not in reads,
            "served_unproven": part == "api" and "quality_report" not in reads,
        }
        found += [(part, problem) for problem, is_wrong in tests.items() if is_wrong]
    return pd.DataFrame(found, columns=["part", "problem"])


# %% wrong="capstone.contradictions" misconception="arrival-only-matters-for-clicks" says="You look for ingest_ts as the order of clicks and touches only. Any part that is ordered by arrival gives another result after a replay."
def contradictions(architecture_map):
    found = []
    for row in architecture_map.to_dict("records"):
        row = {name: str(value).strip() for name, value in row.items()}
        reads = [name.strip() for name in row["reads"].split(",")]
        part = row["part"]
        tests = {
            "no_owner": row["owner"] == "",
            "consent_as_attribute": part == "consent" and row["kind"] not in ("", "governance"),
            "consent_without_history": part == "consent" and row["state"] not in ("", "every row"),
            "behaviour_as_changes": part in ("clickstream", "campaigns") and row["kind"] not in ("", "events"),
            "counted_by_arrival": part in ("clickstream", "campaigns") and row["order_by"] == "ingest_ts",
            "bronze_rewritten": part == "bronze" and row["state"] not in ("", "every row"),
            "identity_without_steward": part == "identity" and "steward" not in reads,
            "activation_reads_mart": part == "activation" and "customer_360" in reads,
            "activation_without_consent": part == "activation" and "consent_state" not in reads,
            "served_unproven": part == "api" and "quality_report" not in reads,
        }
        found += [(part, problem) for problem, is_wrong in tests.items() if is_wrong]
    return pd.DataFrame(found, columns=["part", "problem"])


# %% right="capstone.contradictions"
def contradictions(architecture_map):
    table = architecture_map.apply(lambda column: column.astype("str").str.strip())
    part, reads = table["part"], "," + table["reads"].str.replace(r"\s*,\s*", ",", regex=True) + ","
    masks = {
        "served_unproven": part.eq("api") & ~reads.str.contains(",quality_report,"),
        "activation_without_consent": part.eq("activation") & ~reads.str.contains(",consent_state,"),
        "activation_reads_mart": part.eq("activation") & reads.str.contains(",customer_360,"),
        "identity_without_steward": part.eq("identity") & ~reads.str.contains(",steward,"),
        "bronze_rewritten": part.eq("bronze") & ~table["state"].isin(["", "every row"]),
        "counted_by_arrival": table["order_by"].eq("ingest_ts"),
        "behaviour_as_changes": part.isin(["clickstream", "campaigns"]) & ~table["kind"].isin(["", "events"]),
        "consent_without_history": part.eq("consent") & ~table["state"].isin(["", "every row"]),
        "consent_as_attribute": part.eq("consent") & ~table["kind"].isin(["", "governance"]),
        "no_owner": table["owner"].eq(""),
    }
    return pd.concat([table.loc[mask, ["part"]].assign(problem=name) for name, mask in masks.items()])


# %% right="capstone.contradictions"
def contradictions(architecture_map):
    table = architecture_map.copy()
    for name in table.columns:
        table[name] = table[name].str.strip()
    fixed = [
        ("consent_as_attribute", ["consent"], "kind", "governance"),
        ("consent_without_history", ["consent"], "state", "every row"),
        ("behaviour_as_changes", ["clickstream", "campaigns"], "kind", "events"),
        ("bronze_rewritten", ["bronze"], "state", "every row"),
    ]
    needed = [
        ("identity_without_steward", "identity", "steward", False),
        ("activation_reads_mart", "activation", "customer_360", True),
        ("activation_without_consent", "activation", "consent_state", False),
        ("served_unproven", "api", "quality_report", False),
    ]
    rows = [{"part": p, "problem": "no_owner"} for p in table.loc[table["owner"] == "", "part"]]
    rows += [{"part": p, "problem": "counted_by_arrival"} for p in table.loc[table["order_by"] == "ingest_ts", "part"]]
    for problem, parts, column, value in fixed:
        bad = table[table["part"].isin(parts) & (table[column] != "") & (table[column] != value)]
        rows += [{"problem": problem, "part": p} for p in bad["part"]]
    for problem, part, name, is_bad in needed:
        for reads in table.loc[table["part"] == part, "reads"]:
            if (name in {word.strip() for word in reads.split(",")}) == is_bad:
                rows.append({"problem": problem, "part": part})
    return pd.DataFrame(rows, columns=["problem", "part"])


# %% [markdown]
# Most of these ten have a story in earlier lessons. A compacted consent topic forgets the "no" that a later "yes" replaced,
# and with it the proof. A mart that activation can read will be read, and its flag is one night old. Identity without a
# steward has nobody who can say that the Mayer twins are two. The short rule behind all ten: whoever decides something
# must be named, and must be able to see what it rests on.
#
# ## Your map
#
# Two questions to your map. First its holes: how many cells of each part are still empty. (`reads` may be empty for a
# source, so it is left out.)

# %%
holes = architecture_map.set_index("part").drop(columns="reads").eq("")
holes.map(lambda is_empty: "empty" if is_empty else "").loc[holes.any(axis=1), holes.any()]

# %% [markdown]
# Then its contradictions, found by your function. Until exercise 1 is solved, this shows nothing.

# %%
contradictions(architecture_map)

# %% [markdown]
# Now mend the four cells of the draft, run them again, and come back here until both tables are empty. Then read your
# map once more for what no function can see: does the owner exist, does the contract say what readers need, is the
# retention long enough for exercise 3 and no longer than the law allows? A strong map, row by row, stands in the
# [rubric](../docs/rubric.md); look at it when yours is done.

# %% [markdown]
# ## Late events
#
# A stream closes an hour when it believes that the hour is complete. It cannot know; it can only wait.
#
# > **watermark**: the time up to which a stream believes that it has seen everything: the latest event time it has seen, less the time it is willing to wait.
#
# How long is a good wait? Ask the data: how far behind its event does a click arrive?

# %%
lag_hours = (clicks["ingest_ts"] - clicks["event_ts"]).dt.total_seconds() / 3600
choices = pd.DataFrame({"wait_hours": [1, 6, 12, 24, 48, 72, 96, 120]})
choices["late_events"] = [int((lag_hours > hours).sum()) for hours in choices["wait_hours"]]
show(plots.capstone.late_against_wait(choices), alt="Late events fall as the wait grows from 1 to 120 hours.")

# %% [markdown]
# Most clicks arrive within minutes, and the tail is long: going from one day to two rescues a few dozen events of more
# than seven thousand, and every result is a day older. Only the longest wait leaves nothing behind. So the policy must
# say what happens to the rest: late events stay in bronze, and a nightly replay counts them. (The chart takes every lag
# that is longer than the wait; exercise 2 looks closer.)
#
# For consent the tail decides. These are the choices that took more than 48 hours to arrive:

# %%
consent = ws.table("consent_events")
late_consent = consent[consent["ingest_ts"] - consent["event_ts"] > pd.Timedelta(hours=48)]
late_consent.groupby("status").size().rename("choices").reset_index()

# %% [markdown]
# Each refusal among them is a person who said no. Therefore a consent stream has no watermark: a choice counts
# whenever it arrives, in its place by event time.

# %% [markdown]
# ### Exercise 2: on time, late or unusable (12 minutes)
#
# Write `treatment(events, wait_hours)`: for each click one row `event_id, treatment`, where treatment is
#
# - `dead letter`: the event time is missing, or more than 5 minutes after `ingest_ts` (nobody clicks in the future:
#   that clock is wrong). It is kept with its reason, and somebody looks at it.
# - `replayed`: its event time is before the watermark. The stream passes it by; the nightly replay counts it.
# - `counted`: everything else.
#
# Events arrive in the order of `ingest_ts`, ties in the order of `event_id`. The watermark that an event meets is the
# latest event time among the events *that arrived before it* and are no dead letters, less `wait_hours`. The first
# event meets no watermark.
#
# Before you write: can an event with a lag of 60 hours be counted on time, with a wait of 48?


# %% exercise="capstone.treatment" objective="2" criterion="production"
def treatment(events, wait_hours):
    rows = events.sort_values(["ingest_ts", "event_id"])
    is_usable = rows["event_ts"] <= rows["ingest_ts"] + pd.Timedelta(minutes=5)
    seen = rows["event_ts"].where(is_usable).cummax().ffill().shift()
    is_late = rows["event_ts"] < seen - pd.Timedelta(hours=wait_hours)
    rows["treatment"] = "counted"
    rows.loc[is_late, "treatment"] = "replayed"
    rows.loc[~is_usable, "treatment"] = "dead letter"
    return rows[["event_id", "treatment"]]


# %% stub="capstone.treatment"
def treatment(events, wait_hours):
    """Takes clicks (event_id, event_ts, ingest_ts); gives a row (event_id, treatment) for each."""
    ...


# %% check="capstone.treatment"
check("capstone.treatment", treatment)

# %% [markdown] hint="capstone.treatment"
# First find the dead letters. A comparison with a missing time is false, so test for what is usable rather than for
# what is not.

# %% [markdown] hint="capstone.treatment"
# Sort by arrival. "The latest so far" is `cummax`, and "before this one" is `shift`. Dead letters must not take part:
# `where` blanks them out.

# %% [markdown] hint="capstone.treatment"
# `cummax` leaves a blank where the input is blank, so the event right after a dead letter would meet no watermark:
# carry the last value on with `ffill` before you `shift`.


# %% cases="capstone.treatment" key="event_id"
def cases(workspace):
    clicks = workspace.table("clickstream")[["event_id", "event_ts", "ingest_ts"]]

    def made(rows):
        table = pd.DataFrame(rows, columns=["event_id", "event_ts", "ingest_ts"])
        for name in ("event_ts", "ingest_ts"):
            table[name] = pd.to_datetime(table[name], utc=True).astype("datetime64[s, UTC]")
        return table

    edges = [
        ["b-on-time", "2026-06-10T10:00:00Z", "2026-06-10T10:01:00Z"],
        ["k-broken-clock", "2026-06-20T10:00:00Z", "2026-06-10T10:05:00Z"],
        ["d-no-time", None, "2026-06-10T10:06:00Z"],
        ["e-before", "2026-06-08T09:59:59Z", "2026-06-10T10:07:00Z"],
        ["f-just-in", "2026-06-08T10:00:00Z", "2026-06-10T10:08:00Z"],
        ["g-five-minutes-ahead", "2026-06-10T10:14:00Z", "2026-06-10T10:09:00Z"],
        ["a-late", "2026-06-08T10:13:00Z", "2026-06-10T10:10:00Z"],
        ["h-same-second", "2026-06-10T12:00:00Z", "2026-06-10T12:00:00Z"],
        ["i-same-second", "2026-06-08T11:00:00Z", "2026-06-10T12:00:00Z"],
    ]
    quiet = [
        ["a", "2026-06-01T00:00:00Z", "2026-06-01T00:00:10Z"],
        ["b", "2026-06-02T00:00:00Z", "2026-06-05T00:00:00Z"],
        ["c", "2026-06-05T00:00:00Z", "2026-06-05T00:00:01Z"],
        ["d", "2026-06-02T12:00:00Z", "2026-06-05T00:00:02Z"],
    ]
    first_is_dead = [["a", None, "2026-06-01T00:00:00Z"], ["b", "2026-05-01T00:00:00Z", "2026-06-01T00:01:00Z"]]
    return [
        (clicks, 48),
        (made(edges), 48),
        (made(edges[::-1]), 24),
        (made(quiet), 48),
        (made(first_is_dead), 1),
        (clicks.head(400), 0),
        (made([]), 48),
    ]


# %% wrong="capstone.treatment" misconception="lag-for-watermark" says="You compare each event's own lag with the wait. The watermark moves with the events that have been seen: in a quiet night nothing newer has come, and an event with a long lag is still on time."
def treatment(events, wait_hours):
    rows = events.copy()
    is_usable = rows["event_ts"] <= rows["ingest_ts"] + pd.Timedelta(minutes=5)
    rows["treatment"] = "counted"
    rows.loc[rows["ingest_ts"] - rows["event_ts"] > pd.Timedelta(hours=wait_hours), "treatment"] = "replayed"
    rows.loc[~is_usable, "treatment"] = "dead letter"
    return rows[["event_id", "treatment"]]


# %% wrong="capstone.treatment" misconception="broken-clock-moves-watermark" says="An event from a broken clock moves your watermark into the future, and from then on everything looks late. A dead letter must not take part in the watermark."
def treatment(events, wait_hours):
    rows = events.sort_values(["ingest_ts", "event_id"])
    is_usable = rows["event_ts"] <= rows["ingest_ts"] + pd.Timedelta(minutes=5)
    seen = rows["event_ts"].cummax().ffill().shift()
    rows["treatment"] = "counted"
    rows.loc[rows["event_ts"] < seen - pd.Timedelta(hours=wait_hours), "treatment"] = "replayed"
    rows.loc[~is_usable, "treatment"] = "dead letter"
    return rows[["event_id", "treatment"]]


# %% wrong="capstone.treatment" misconception="late-is-lost" says="You send late events to the dead letters. There is nothing wrong with them: they are in bronze, and the replay can count them. A dead letter is an event that cannot be used."
def treatment(events, wait_hours):
    rows = events.sort_values(["ingest_ts", "event_id"])
    is_usable = rows["event_ts"] <= rows["ingest_ts"] + pd.Timedelta(minutes=5)
    seen = rows["event_ts"].where(is_usable).cummax().ffill().shift()
    is_late = rows["event_ts"] < seen - pd.Timedelta(hours=wait_hours)
    rows["treatment"] = "counted"
    rows.loc[is_late | ~is_usable, "treatment"] = "dead letter"
    return rows[["event_id", "treatment"]]


# %% wrong="capstone.treatment" misconception="event-time-order" says="You read the events in the order in which they happened, and in that order nothing is ever late. A stream sees them in the order in which they arrive."
def treatment(events, wait_hours):
    rows = events.sort_values(["event_ts", "event_id"])
    is_usable = rows["event_ts"] <= rows["ingest_ts"] + pd.Timedelta(minutes=5)
    rows["treatment"] = "counted"
    rows.loc[~is_usable, "treatment"] = "dead letter"
    return rows[["event_id", "treatment"]]


# %% wrong="capstone.treatment" misconception="blank-after-dead-letter" says="The event right after a dead letter meets no watermark in your function, because the running maximum is blank there. Carry the last value on."
def treatment(events, wait_hours):
    rows = events.sort_values(["ingest_ts", "event_id"])
    is_usable = rows["event_ts"] <= rows["ingest_ts"] + pd.Timedelta(minutes=5)
    seen = rows["event_ts"].where(is_usable).cummax().shift()
    rows["treatment"] = "counted"
    rows.loc[rows["event_ts"] < seen - pd.Timedelta(hours=wait_hours), "treatment"] = "replayed"
    rows.loc[~is_usable, "treatment"] = "dead letter"
    return rows[["event_id", "treatment"]]


# %% wrong="capstone.treatment" misconception="the-future-is-counted" says="You count events whose time is after their arrival. Nobody clicks in the future: more than 5 minutes ahead is a broken clock, and a dead letter."
def treatment(events, wait_hours):
    rows = events.sort_values(["ingest_ts", "event_id"])
    is_usable = rows["event_ts"].notna()
    seen = rows["event_ts"].where(is_usable).cummax().ffill().shift()
    is_late = rows["event_ts"] < seen - pd.Timedelta(hours=wait_hours)
    rows["treatment"] = "counted"
    rows.loc[is_late, "treatment"] = "replayed"
    rows.loc[~is_usable, "treatment"] = "dead letter"
    return rows[["event_id", "treatment"]]


# %% wrong="capstone.treatment" misconception="on-the-watermark-is-late" says="An event whose time is exactly that of the watermark comes out as late. Late is before the watermark."
def treatment(events, wait_hours):
    rows = events.sort_values(["ingest_ts", "event_id"])
    is_usable = rows["event_ts"] <= rows["ingest_ts"] + pd.Timedelta(minutes=5)
    seen = rows["event_ts"].where(is_usable).cummax().ffill().shift()
    is_late = rows["event_ts"] <= seen - pd.Timedelta(hours=wait_hours)
    rows["treatment"] = "counted"
    rows.loc[is_late, "treatment"] = "replayed"
    rows.loc[~is_usable, "treatment"] = "dead letter"
    return rows[["event_id", "treatment"]]


# %% wrong="capstone.treatment" misconception="no-clock-is-trusted" says="Your clocks must agree to the second: an event that is a little ahead of its arrival is a dead letter. Clocks differ, so up to 5 minutes are allowed."
def treatment(events, wait_hours):
    rows = events.sort_values(["ingest_ts", "event_id"])
    is_usable = rows["event_ts"] <= rows["ingest_ts"]
    seen = rows["event_ts"].where(is_usable).cummax().ffill().shift()
    is_late = rows["event_ts"] < seen - pd.Timedelta(hours=wait_hours)
    rows["treatment"] = "counted"
    rows.loc[is_late, "treatment"] = "replayed"
    rows.loc[~is_usable, "treatment"] = "dead letter"
    return rows[["event_id", "treatment"]]


# %% right="capstone.treatment"
def treatment(events, wait_hours):
    latest, found = None, []
    for row in events.sort_values(["ingest_ts", "event_id"]).itertuples():
        if pd.isna(row.event_ts) or row.event_ts - row.ingest_ts > pd.Timedelta(minutes=5):
            found.append((row.event_id, "dead letter"))
            continue
        is_late = latest is not None and row.event_ts < latest - pd.Timedelta(hours=wait_hours)
        found.append((row.event_id, "replayed" if is_late else "counted"))
        latest = row.event_ts if latest is None else max(latest, row.event_ts)
    return pd.DataFrame(found, columns=["event_id", "treatment"])


# %% right="capstone.treatment"
def treatment(events, wait_hours):
    is_dead = events["event_ts"].isna() | (events["event_ts"] - events["ingest_ts"] > pd.Timedelta(minutes=5))
    dead = events.loc[is_dead, ["event_id"]].assign(treatment="dead letter")
    live = events[~is_dead].sort_values(["ingest_ts", "event_id"])
    behind = live["event_ts"].cummax() - live["event_ts"] > pd.Timedelta(hours=wait_hours)
    named = live[["event_id"]].assign(treatment=behind.map({True: "replayed", False: "counted"}))
    return pd.concat([dead, named]).set_index("event_id").reset_index()


# %% [markdown]
# ## State and replay
#
# A stream that counts visits holds every visit open until it can be sure that no more of it will come. It is sure when
# the watermark has passed the last click by the gap of 30 minutes. Until then the visit is state: it takes memory, and
# it must survive a crash. How long is a visit in the sample?

# %%
visits = clicks.groupby("session_id")["event_ts"].agg(["min", "max"])
minutes = (visits["max"] - visits["min"]).dt.total_seconds() / 60
minutes.describe()[["count", "mean", "max"]].round(1)

# %% [markdown]
# A replay is the other half. Somebody finds that the product has been wrong since Tuesday. History is read again from
# bronze, faster than it happened, while new events keep coming in. If the oldest event that the replay needs has been
# deleted, there is no replay.
#
# ### Exercise 3: explain the size (12 minutes)
#
# Three plans for the stream of visits, from a pilot to a group of companies:

# %%
names = "plan visits_per_minute visit_minutes gap_minutes wait_hours visit_bytes"
names += " lookback_days found_days repair_days speed"
rows = ["pilot 20 5 30 0 400 30 2 1 12", "company 2000 5 30 48 400 30 3 2 8", "group 9000 6 30 24 650 90 5 3 3"]
plans = pd.DataFrame([row.split() for row in rows], columns=names.split())
plans = plans.astype({name: "int64" for name in plans.columns if name != "plan"})
plans.T

# %% [markdown]
# Write `capacity(plans)`: one row per plan with `plan, state_bytes, replay_days, retention_days`, all whole numbers.
#
# - `state_bytes`: on average, as many visits are open as begin while one is open. A visit is open from its first click
#   to its last (`visit_minutes`), then for the gap, then for as long as the stream waits (`wait_hours`). Each takes
#   `visit_bytes`.
# - `replay_days`: the replay starts at the oldest event it needs. That is `lookback_days` before the first wrong day
#   (a number such as `sessions_30d` needs the 30 days before), and the fault was found `found_days` after that day and
#   repaired `repair_days` later. The replay reads `speed` days of events in a day, and each day one more day of events
#   comes in. Round up.
# - `retention_days`: how long events must be kept, so that the oldest one is still there when the replay starts, and
#   still there if the replay breaks just before its end and has to start again.


# %% exercise="capstone.capacity" objective="3" criterion="production"
def capacity(plans):
    table = plans[["plan"]].copy()
    open_minutes = plans["visit_minutes"] + plans["gap_minutes"] + 60 * plans["wait_hours"]
    table["state_bytes"] = plans["visits_per_minute"] * open_minutes * plans["visit_bytes"]
    behind = plans["lookback_days"] + plans["found_days"] + plans["repair_days"]
    table["replay_days"] = -(-behind // (plans["speed"] - 1))
    table["retention_days"] = behind + table["replay_days"]
    return table


# %% stub="capstone.capacity"
def capacity(plans):
    """Takes plans, a row each; gives (plan, state_bytes, replay_days, retention_days), a row each."""
    ...


# %% check="capstone.capacity"
check("capstone.capacity", capacity)

# %% [markdown] hint="capstone.capacity"
# State: how many minutes is one visit held? Bring all three times to minutes. Visits that begin in a minute, times the
# minutes that each is held, is the number held at once.

# %% [markdown] hint="capstone.capacity"
# Replay: how many days lie between the oldest event it needs and today? By how many days does the replay come nearer to
# today in one day, if today moves on by one?

# %% [markdown] hint="capstone.capacity"
# `-(-a // b)` rounds a division of whole numbers up. For the retention: how old is the oldest event when the replay
# starts, and how much older when a second try starts?


# %% cases="capstone.capacity" key="plan"
def cases(workspace):
    names = "plan visits_per_minute visit_minutes gap_minutes wait_hours visit_bytes".split()
    names += "lookback_days found_days repair_days speed".split()
    clicks = workspace.table("clickstream")
    visits = int(clicks["session_id"].nunique())
    lesson = [
        ["pilot", 20, 5, 30, 0, 400, 30, 2, 1, 12],
        ["company", 2000, 5, 30, 48, 400, 30, 3, 2, 8],
        ["group", 9000, 6, 30, 24, 650, 90, 5, 3, 3],
    ]
    seeded = [["measured", visits, 5, 30, 12, 350, 30, visits % 7, 2, 4], ["night", visits, 4, 15, 6, 90, 7, 0, 1, 5]]
    edges = [
        ["even", 1, 1, 1, 0, 1, 8, 1, 1, 6],
        ["twice", 3, 2, 30, 1, 10, 0, 1, 0, 2],
        ["none", 0, 5, 30, 48, 400, 0, 0, 0, 9],
    ]
    return [(pd.DataFrame(rows, columns=names),) for rows in (lesson, seeded, edges)]


# %% wrong="capstone.capacity" misconception="gap-only-state" says="Your state ends with the gap of 30 minutes. A late click may still belong to the visit, so it stays open for as long as the stream waits: the wait, not the gap, decides the size."
def capacity(plans):
    table = plans[["plan"]].copy()
    open_minutes = plans["visit_minutes"] + plans["gap_minutes"]
    table["state_bytes"] = plans["visits_per_minute"] * open_minutes * plans["visit_bytes"]
    behind = plans["lookback_days"] + plans["found_days"] + plans["repair_days"]
    table["replay_days"] = -(-behind // (plans["speed"] - 1))
    table["retention_days"] = behind + table["replay_days"]
    return table


# %% wrong="capstone.capacity" misconception="replay-without-lookback" says="Your replay starts at the first wrong day. A number that looks 30 days back is wrong again if the 30 days before are missing: the lookback must be read, and kept, too."
def capacity(plans):
    table = plans[["plan"]].copy()
    open_minutes = plans["visit_minutes"] + plans["gap_minutes"] + 60 * plans["wait_hours"]
    table["state_bytes"] = plans["visits_per_minute"] * open_minutes * plans["visit_bytes"]
    behind = plans["found_days"] + plans["repair_days"]
    table["replay_days"] = -(-behind // (plans["speed"] - 1))
    table["retention_days"] = behind + table["replay_days"]
    return table


# %% wrong="capstone.capacity" misconception="world-stands-still" says="You divide by the full speed, as if no new events came in during the replay. Each day of replay puts one more day behind it: it gains speed less one."
def capacity(plans):
    table = plans[["plan"]].copy()
    open_minutes = plans["visit_minutes"] + plans["gap_minutes"] + 60 * plans["wait_hours"]
    table["state_bytes"] = plans["visits_per_minute"] * open_minutes * plans["visit_bytes"]
    behind = plans["lookback_days"] + plans["found_days"] + plans["repair_days"]
    table["replay_days"] = -(-behind // plans["speed"])
    table["retention_days"] = behind + table["replay_days"]
    return table


# %% wrong="capstone.capacity" misconception="no-second-try" says="Your retention lasts for one replay that goes well. If it breaks near its end, the oldest events are deleted before the second try: keep them for the length of the replay longer."
def capacity(plans):
    table = plans[["plan"]].copy()
    open_minutes = plans["visit_minutes"] + plans["gap_minutes"] + 60 * plans["wait_hours"]
    table["state_bytes"] = plans["visits_per_minute"] * open_minutes * plans["visit_bytes"]
    behind = plans["lookback_days"] + plans["found_days"] + plans["repair_days"]
    table["replay_days"] = -(-behind // (plans["speed"] - 1))
    table["retention_days"] = behind
    return table


# %% wrong="capstone.capacity" misconception="rounded-down" says="You round the replay down, so it ends before it has caught up. A begun day is a day: round up."
def capacity(plans):
    table = plans[["plan"]].copy()
    open_minutes = plans["visit_minutes"] + plans["gap_minutes"] + 60 * plans["wait_hours"]
    table["state_bytes"] = plans["visits_per_minute"] * open_minutes * plans["visit_bytes"]
    behind = plans["lookback_days"] + plans["found_days"] + plans["repair_days"]
    table["replay_days"] = behind // (plans["speed"] - 1)
    table["retention_days"] = behind + table["replay_days"]
    return table


# %% wrong="capstone.capacity" misconception="hours-added-to-minutes" says="You add hours to minutes. The wait is given in hours; bring it to minutes first."
def capacity(plans):
    table = plans[["plan"]].copy()
    open_minutes = plans["visit_minutes"] + plans["gap_minutes"] + plans["wait_hours"]
    table["state_bytes"] = plans["visits_per_minute"] * open_minutes * plans["visit_bytes"]
    behind = plans["lookback_days"] + plans["found_days"] + plans["repair_days"]
    table["replay_days"] = -(-behind // (plans["speed"] - 1))
    table["retention_days"] = behind + table["replay_days"]
    return table


# %% wrong="capstone.capacity" misconception="state-of-one-minute" says="You count the visits that begin in one minute. Those that began before and are still open are state as well: multiply by the minutes that each is held."
def capacity(plans):
    table = plans[["plan"]].copy()
    table["state_bytes"] = plans["visits_per_minute"] * plans["visit_bytes"]
    behind = plans["lookback_days"] + plans["found_days"] + plans["repair_days"]
    table["replay_days"] = -(-behind // (plans["speed"] - 1))
    table["retention_days"] = behind + table["replay_days"]
    return table


# %% right="capstone.capacity"
def capacity(plans):
    rows = []
    for p in plans.to_dict("records"):
        held = p["visit_minutes"] + p["gap_minutes"] + p["wait_hours"] * 60
        behind, replay = p["lookback_days"] + p["found_days"] + p["repair_days"], 0
        while replay * (p["speed"] - 1) < behind:
            replay += 1
        rows.append((p["plan"], replay, behind + replay, p["visits_per_minute"] * held * p["visit_bytes"]))
    return pd.DataFrame(rows, columns=["plan", "replay_days", "retention_days", "state_bytes"])


# %% right="capstone.capacity"
def capacity(plans):
    behind = plans[["lookback_days", "found_days", "repair_days"]].sum(axis=1)
    gain = plans["speed"] - 1.0
    days = (behind / gain).round(6)
    days = days.astype("int64") + (days % 1 > 0).astype("int64")
    hours = (plans["visit_minutes"] + plans["gap_minutes"]) / 60 + plans["wait_hours"]
    size = (plans["visits_per_minute"] * 60 * hours * plans["visit_bytes"]).round()
    return pd.DataFrame(
        {"plan": plans["plan"], "state_bytes": size, "replay_days": days, "retention_days": behind + days}
    )


# %% [markdown]
# Your numbers for the three plans. Until the exercise is solved, this shows nothing.

# %%
capacity(plans)

# %% [markdown]
# Look at the state of `pilot` and `company` per visit: the one does not wait at all, the other waits 48 hours. And
# look at the retention of `group`: could its owner keep clicks for that long, if people have been promised that they
# are deleted after 90 days? A plan may be impossible, and it is cheap to learn that from a table.

# %% [markdown]
# ## When a source changes its columns
#
# > **schema evolution**: changing the columns of data that others read, in steps that keep both old rows and old readers working.
#
# Two tests decide. **Old readers, new rows:** can a reader that has not been changed read what the source will send?
# **New readers, old rows:** can a changed reader still read what is in bronze, as a replay must? Together they give
# the verdict:
#
# | old readers read new rows | new readers read old rows | verdict |
# | --- | --- | --- |
# | yes | yes | `go`: announce it, then do it |
# | no | yes | `readers first`: every reader is changed, and then the source |
# | either | no | `new version`: a second topic or table beside the first, until the last reader has moved |
#
# A reader looks columns up by name. It stops at a row that lacks a required column, takes a missing optional column as
# empty, ignores columns it does not know, and stops at a value that does not fit the type.
#
# ### Exercise 4: predict the verdict (8 minutes)
#
# Six changes that were asked for last quarter. Give `verdicts` as a tuple of six texts in this order, each `"go"`,
# `"readers first"` or `"new version"`.
#
# 1. orders get a new optional column `gift_note`
# 2. the required column `status` of orders is called `order_status` from now on
# 3. the required column `net_amount_cents` grows from 32 to 64 bits, because an order was larger than 21 million EUR
# 4. the required column `currency` is dropped from orders, all amounts being in EUR
# 5. clicks get a new required column `device_type`
# 6. the optional column `csat` is dropped from support tickets

# %% exercise="capstone.verdicts" objective="4" criterion="production"
verdicts = ("go", "new version", "readers first", "readers first", "new version", "go")

# %% stub="capstone.verdicts"
verdicts = ...

# %% check="capstone.verdicts"
check("capstone.verdicts", verdicts)

# %% [markdown] hint="capstone.verdicts"
# Ask both questions of each change, one after the other, and write down yes or no. Do not think of what the change is
# called; think of a row and a reader.

# %% [markdown] hint="capstone.verdicts"
# For the second question, take a row of last year out of bronze. Which of the six new readers stops at it?

# %% [markdown] hint="capstone.verdicts"
# A dropped column is no trouble for a reader that no longer asks for it. A new required column is no trouble for a
# reader that does not know it, but for the new reader last year's row lacks it.


# %% truth="capstone.verdicts"
def truth(workspace):
    largest = {"int32": 2**31 - 1, "int64": 2**63 - 1}
    changes = [
        ({}, {"gift_note": ("text", False)}),
        ({"status": ("text", True)}, {"order_status": ("text", True)}),
        ({"net_amount_cents": ("int32", True)}, {"net_amount_cents": ("int64", True)}),
        ({"currency": ("text", True)}, {}),
        ({}, {"device_type": ("text", True)}),
        ({"csat": ("int32", False)}, {}),
    ]

    def writes(contract):
        full = {name: largest.get(kind, "x") for name, (kind, _) in contract.items()}
        return [full, {name: full[name] for name, (_, is_required) in contract.items() if is_required}]

    def reads(contract, row):
        return all(
            (name in row or not is_required) and (kind not in largest or row.get(name, 0) <= largest[kind])
            for name, (kind, is_required) in contract.items()
        )

    found = []
    for before, after in changes:
        old_reads_new = all(reads(before, row) for row in writes(after))
        new_reads_old = all(reads(after, row) for row in writes(before))
        found.append("new version" if not new_reads_old else "go" if old_reads_new else "readers first")
    return tuple(found)


# %% wrong="capstone.verdicts" misconception="added-is-harmless" says="Change 5: a new required column is no trouble today, but last year's clicks do not have it. The new reader stops at the first old row, so the replay is lost."
verdicts = ("go", "new version", "readers first", "readers first", "go", "go")

# %% wrong="capstone.verdicts" misconception="wider-is-always-fine" says="Change 3: a wider type holds every old value, but an old reader meets the first amount that does not fit, and stops. The readers must be changed before the source."
verdicts = ("go", "new version", "go", "readers first", "new version", "go")

# %% wrong="capstone.verdicts" misconception="rename-is-cosmetic" says="Change 2: for whoever reads by name, a renamed column is one that vanished and one that appeared. The new reader finds no order_status in any old row."
verdicts = ("go", "readers first", "readers first", "readers first", "new version", "go")

# %% wrong="capstone.verdicts" misconception="dropped-is-always-breaking" says="Changes 4 and 6: a dropped column hurts only readers that still ask for it. Who no longer asks can read old rows and new ones; and an optional column that is missing is only empty."
verdicts = ("go", "new version", "readers first", "new version", "new version", "new version")

# %% wrong="capstone.verdicts" misconception="unused-is-unrequired" says="Change 4: that all amounts are in EUR does not help a reader whose contract requires the column. It stops at the first new row; the readers must be changed first."
verdicts = ("go", "new version", "readers first", "go", "new version", "go")

# %% wrong="capstone.verdicts" misconception="judged-by-its-name" says="You judge a change by what it is called: added and wider are fine, dropped and renamed are not. Ask both questions of each change instead: what does an old reader do with a new row, and a new reader with an old row?"
verdicts = ("go", "new version", "go", "new version", "go", "new version")

# %% wrong="capstone.verdicts" misconception="optional-is-required" says="Change 6: a reader takes a missing optional column as empty, so neither old nor new readers stop. There is nothing to wait for."
verdicts = ("go", "new version", "readers first", "readers first", "new version", "readers first")

# %% wrong="capstone.verdicts" misconception="two-sides-swapped" says="Changes 3, 4 and 5: you have the two questions the wrong way round. Who stops at a wider value or a dropped column is the old reader; who stops at last year's click is the new one."
verdicts = ("go", "new version", "new version", "new version", "readers first", "go")

# %% [markdown]
# One warning about change 2. Had `status` been optional, no test would fail: old readers would find it missing and
# take it as empty. A rename of an optional column breaks nothing and loses everything. That is why a contract has an
# owner who reads the request, and why the null rate of a column is watched.

# %% [markdown]
# ## When the newest release is bad
#
# At 07:40 somebody runs `c360 validate` and a consent leak shows up in what was published in the night. The first step
# is always the same: make it stop. `CURRENT` is one pointer, so serving an earlier release takes a second. The
# question is which. A colleague's runbook says:
#
# > If the newest release fails its audit, point CURRENT to the release before it.
#
# ### Exercise 5: mend the runbook (13 minutes)
#
# The sentence has three faults. The release before may fail too. It may be of another major contract version, which
# readers cannot read. And it may be from before an erasure request: then a rollback brings back a person who had been
# erased.
#
# Write `release_to_serve(audits, erasures, contract)`: the name of the release to point CURRENT to.
#
# - `audits` has a row for each release and measure: `release, as_of, contract_version, name, status`. Names of
#   releases have no order; `as_of` has. Rows come in any order.
# - `erasures` has a row for each erasure request: `request_id, ingest_ts`. A release can be served only if its `as_of`
#   is not before the latest of them.
# - `contract` is the version that readers use, such as `"1.2.0"`. A release fits if the number before the first point
#   is the same.
# - `fail` in any measure rules a release out. `warn` does not: warnings are for people to read.
#
# Take the latest release that is left. If none is left, the answer is `""`: stop serving.
#
# To try it on: the audits of the last three releases. `c41f` is the one of last night, `07be` of the night before, and
# `9d20` is two days older still.

# %%
days = {"c41f": 0, "07be": 1, "9d20": 3}
measures = ws.report()[["name", "status"]].assign(contract_version="1.0.0")
audits = pd.concat([measures.assign(release=r, as_of=ws.as_of - pd.Timedelta(days=d)) for r, d in days.items()])
audits.loc[audits["release"].eq("c41f") & audits["name"].eq("consent_leak_count"), "status"] = "fail"
audits.loc[audits["release"].eq("07be") & audits["name"].eq("orders_freshness_hours"), "status"] = "warn"
audits.groupby(["release", "as_of", "status"]).size().unstack(fill_value=0).reset_index()


# %% [markdown]
# And the erasure requests. Which of the three releases are from before the last one?

# %%
erasures = ws.table("erasure_requests")[["request_id", "ingest_ts"]].sort_values("ingest_ts")
erasures


# %% exercise="capstone.release_to_serve" objective="5" criterion="quality"
def release_to_serve(audits, erasures, contract):
    failed = audits.loc[audits["status"] == "fail", "release"]
    left = audits[~audits["release"].isin(failed)]
    left = left[left["contract_version"].str.split(".").str[0] == contract.split(".")[0]]
    if len(erasures):
        left = left[left["as_of"] >= erasures["ingest_ts"].max()]
    return left.sort_values("as_of")["release"].iloc[-1] if len(left) else ""


# %% stub="capstone.release_to_serve"
def release_to_serve(audits, erasures, contract):
    """Takes audits and erasure requests as tables, and a version; gives the name of a release, or ""."""
    ...


# %% check="capstone.release_to_serve"
check("capstone.release_to_serve", release_to_serve)

# %% [markdown] hint="capstone.release_to_serve"
# Take away, do not pick: first every release that has a `fail` anywhere, then those of another major version, then
# those that are too old. Only then look for the latest.

# %% [markdown] hint="capstone.release_to_serve"
# A release has many rows. It is not enough to drop its failed rows: drop all rows of each release that has one.

# %% [markdown] hint="capstone.release_to_serve"
# Versions are text: `"10.0.0"` begins with `"1"` and is not major version 1. Mind the two empty cases: no erasure
# request at all, and no release left.


# %% cases="capstone.release_to_serve"
def cases(workspace):
    names = ["release", "as_of", "contract_version", "name", "status"]
    base = workspace.report()[["name", "status"]]
    requests = workspace.raw("erasure_requests")
    erasures = pd.DataFrame(
        {"request_id": requests["request_id"], "ingest_ts": pd.to_datetime(requests["ingest_ts"], utc=True)}
    )
    as_of = workspace.as_of

    def audit(*releases):
        tables = []
        for release, days, version, measure, status in releases:
            table = base.assign(release=release, as_of=as_of - pd.Timedelta(days=days), contract_version=version)
            table.loc[table["name"] == measure, "status"] = status
            tables.append(table[names])
        return pd.concat(tables, ignore_index=True)

    def request(days):
        return pd.DataFrame({"request_id": ["R1"], "ingest_ts": [as_of - pd.Timedelta(days=days)]})

    leak, stale = ("consent_leak_count", "fail"), ("orders_freshness_hours", "warn")
    none = request(9).head(0)
    newest = ("c41f", 0, "1.0.0", *leak)
    return [
        (audit(newest, ("07be", 1, "1.0.0", *stale), ("9d20", 3, "1.0.0", "", "")), erasures, "1.0.0"),
        (audit(("9d20", 2, "1.0.0", "", ""), newest, ("07be", 1, "1.0.0", *leak)), none, "1.2.0"),
        (audit(("9d20", 3, "1.0.0", "", ""), ("ffff", 5, "1.0.0", "", ""), newest), request(4), "1.0.0"),
        (audit(newest, ("07be", 3, "1.0.0", "", ""), ("9d20", 4, "1.0.0", "", "")), request(2), "1.0.0"),
        (audit(newest, ("07be", 1, "2.0.0", "", ""), ("9d20", 2, "1.4.0", "", "")), none, "1.0.0"),
        (audit(newest, ("07be", 1, "10.0.0", "", ""), ("9d20", 2, "1.0.0", "", "")), none, "1.0.0"),
        (audit(newest, ("07be", 1, "1.0.0", "", ""), ("9d20", 2, "1.0.0", "", "")), request(1), "1.0.0"),
        (audit(newest, ("07be", 1, "1.0.0", *stale), ("9d20", 2, "1.0.0", "", "")), none, "1.0.0"),
        (audit(("c41f", 0, "1.0.0", "", ""), ("07be", 1, "1.0.0", "", "")), none, "1.0.0"),
        (audit(newest), none, "1.0.0"),
        (audit(newest).head(0), none, "1.0.0"),
    ]


# %% wrong="capstone.release_to_serve" misconception="one-back" says="You take the release before the newest, as the runbook does. That one may have failed too, be from before an erasure, or have columns that readers do not know."
def release_to_serve(audits, erasures, contract):
    order = audits.drop_duplicates("release").sort_values("as_of")["release"].tolist()
    failed = set(audits.loc[audits["status"] == "fail", "release"])
    if order and order[-1] not in failed:
        return order[-1]
    return order[-2] if len(order) > 1 else ""


# %% wrong="capstone.release_to_serve" misconception="erased-come-back" says="You do not look at the erasure requests. A release from before a request still holds that person: serving it again brings back somebody who has been erased."
def release_to_serve(audits, erasures, contract):
    failed = audits.loc[audits["status"] == "fail", "release"]
    left = audits[~audits["release"].isin(failed)]
    left = left[left["contract_version"].str.split(".").str[0] == contract.split(".")[0]]
    return left.sort_values("as_of")["release"].iloc[-1] if len(left) else ""


# %% wrong="capstone.release_to_serve" misconception="warning-is-failure" says="You rule out releases that only warn. A warning is for a person to read; stale but correct data is better than data that is older still."
def release_to_serve(audits, erasures, contract):
    failed = audits.loc[audits["status"].isin(["fail", "warn"]), "release"]
    left = audits[~audits["release"].isin(failed)]
    left = left[left["contract_version"].str.split(".").str[0] == contract.split(".")[0]]
    if len(erasures):
        left = left[left["as_of"] >= erasures["ingest_ts"].max()]
    return left.sort_values("as_of")["release"].iloc[-1] if len(left) else ""


# %% wrong="capstone.release_to_serve" misconception="any-contract" says="You do not look at the contract version. A release of another major version is correct and of no use: readers look for columns that are not there."
def release_to_serve(audits, erasures, contract):
    failed = audits.loc[audits["status"] == "fail", "release"]
    left = audits[~audits["release"].isin(failed)]
    if len(erasures):
        left = left[left["as_of"] >= erasures["ingest_ts"].max()]
    return left.sort_values("as_of")["release"].iloc[-1] if len(left) else ""


# %% wrong="capstone.release_to_serve" misconception="failed-rows-not-releases" says="You drop the rows that failed and keep the rest of the same release. One failed measure rules out the whole release."
def release_to_serve(audits, erasures, contract):
    left = audits[audits["status"] != "fail"]
    left = left[left["contract_version"].str.split(".").str[0] == contract.split(".")[0]]
    if len(erasures):
        left = left[left["as_of"] >= erasures["ingest_ts"].max()]
    return left.sort_values("as_of")["release"].iloc[-1] if len(left) else ""


# %% wrong="capstone.release_to_serve" misconception="name-is-order" says="You take the release whose name sorts last. Names are made of a hash and have no order; as_of has."
def release_to_serve(audits, erasures, contract):
    failed = audits.loc[audits["status"] == "fail", "release"]
    left = audits[~audits["release"].isin(failed)]
    left = left[left["contract_version"].str.split(".").str[0] == contract.split(".")[0]]
    if len(erasures):
        left = left[left["as_of"] >= erasures["ingest_ts"].max()]
    return left["release"].max() if len(left) else ""


# %% wrong="capstone.release_to_serve" misconception="version-begins-alike" says="You compare the first characters, so 10.0.0 passes for major version 1. Compare what stands before the first point, whole."
def release_to_serve(audits, erasures, contract):
    failed = audits.loc[audits["status"] == "fail", "release"]
    left = audits[~audits["release"].isin(failed)]
    left = left[left["contract_version"].str.startswith(contract.split(".")[0])]
    if len(erasures):
        left = left[left["as_of"] >= erasures["ingest_ts"].max()]
    return left.sort_values("as_of")["release"].iloc[-1] if len(left) else ""


# %% wrong="capstone.release_to_serve" misconception="only-the-same-version" says="You take only releases with exactly the version of the readers. Within a major version columns are added and nothing is taken away, so 1.4.0 serves a reader of 1.0.0."
def release_to_serve(audits, erasures, contract):
    failed = audits.loc[audits["status"] == "fail", "release"]
    left = audits[~audits["release"].isin(failed)]
    left = left[left["contract_version"] == contract]
    if len(erasures):
        left = left[left["as_of"] >= erasures["ingest_ts"].max()]
    return left.sort_values("as_of")["release"].iloc[-1] if len(left) else ""


# %% right="capstone.release_to_serve"
def release_to_serve(audits, erasures, contract):
    best = ("", None)
    for release, rows in audits.groupby("release"):
        as_of, version = rows["as_of"].iloc[0], rows["contract_version"].iloc[0]
        is_fit = version.partition(".")[0] == contract.partition(".")[0] and not (rows["status"] == "fail").any()
        is_fit = is_fit and all(moment <= as_of for moment in erasures["ingest_ts"])
        if is_fit and (best[1] is None or as_of > best[1]):
            best = (release, as_of)
    return best[0]


# %% right="capstone.release_to_serve"
def release_to_serve(audits, erasures, contract):
    table = audits.assign(is_failed=audits["status"].eq("fail"))
    table = table.groupby(["release", "as_of", "contract_version"], as_index=False)["is_failed"].sum()
    table = table[table["is_failed"].eq(0) & table["contract_version"].str.startswith(contract.split(".")[0] + ".")]
    since = erasures["ingest_ts"].max()
    table = table if pd.isna(since) else table[~(table["as_of"] < since)]
    return "" if table.empty else table.loc[table["as_of"].idxmax(), "release"]


# %% [markdown]
# What your function says for tonight. Until the exercise is solved, this shows nothing.

# %%
release_to_serve(audits, erasures, "1.0.0")

# %% [markdown]
# ## What to watch
#
# A gate looks at a release before it is published. Monitoring looks at what is being served, all the time. Say that
# clicks should be no older than 8 hours, in 95 of 100 hours: then a month of 720 hours has a budget of 36 hours out of
# target.

# %%
ends = pd.date_range(end=ws.as_of.floor("h"), periods=720, freq="h").astype("datetime64[s, UTC]")
hours = pd.DataFrame({"hour": ends})
burn = pd.merge_asof(hours, clicks[["ingest_ts"]].sort_values("ingest_ts"), left_on="hour", right_on="ingest_ts")
burn["bad_hours"] = (burn["hour"] - burn["ingest_ts"] > pd.Timedelta(hours=8)).cumsum()
show(plots.capstone.budget_spent(burn, 36), alt="Hours out of target add up through June and cross 36 hours.")

# %% [markdown]
# The line tells more than an alarm on a single bad hour. An alarm at each step would ring on more than half of the days,
# mostly in the morning after a quiet night. The slope in the middle of the month says that the budget will not last,
# while there is time to talk about it. What do you do when it is spent? That is a decision for people, and it belongs in
# the plan before the day comes: for instance, no new features on this stream until it has held its target for two weeks.
# Or the target was wrong for a shop that sleeps.

# %% [markdown]
# ## Your design
#
# Four texts, each with a template. Fill in the cell (double-click it), replace what stands in brackets, and be
# concrete: a number, a name, a command. Nobody grades these by machine. The [rubric](../docs/rubric.md) says what is
# looked for.

# %% [markdown]
# ### State and replay
#
# - The streams that keep state, and what one entry of it is: [...]
# - How long an entry is kept, and how large the state gets at ten times today's load: [...]
# - Where the state is saved, how often, and what is lost if the machine is: [...]
# - What bronze keeps, for how long, and the replay that sets this number: [...]
# - How a replay runs beside the live stream, and how its result takes over: [...]
# - How people who were erased stay erased through a replay: [...]

# %% [markdown]
# ### Late-event policy
#
# | source | wait | what happens to an event behind the watermark | what is a dead letter, and who looks at it |
# | --- | --- | --- | --- |
# | customers, orders, support | [...] | [...] | [...] |
# | clickstream, campaigns | [...] | [...] | [...] |
# | consent, erasure | [...] | [...] | [...] |
#
# - How often numbers that were shown may still change, and how readers learn of it: [...]

# %% [markdown]
# ### Schema change and rollback plan
#
# - How a source asks for a change, who decides, and within how many days: [...]
# - What is done for `go`, `readers first` and `new version`: [...]
# - How long an old version is kept beside the new: [...]
# - When CURRENT is moved back, by whom, to which release, and within how many minutes: [...]
# - What a rollback cannot undo (a message that was sent), and what is done then: [...]

# %% [markdown]
# ### Monitoring and runbook
#
# | what is watched | target and budget | who is called | first step | when to stop serving |
# | --- | --- | --- | --- | --- |
# | consent leaks | [...] | [...] | [...] | [...] |
# | freshness, by source | [...] | [...] | [...] | [...] |
# | coverage, duplicates, rows unaccounted for | [...] | [...] | [...] | [...] |
# | links waiting for a steward | [...] | [...] | [...] | [...] |
# | answers of the API: errors, time taken | [...] | [...] | [...] | [...] |

# %% [markdown]
# ## How it is graded
#
# Five criteria, each from 0 to 4. The [rubric](../docs/rubric.md) has them in full, with two sample answers graded
# with reasons.
#
# | criterion | strong evidence | weak evidence |
# | --- | --- | --- |
# | architecture mapping | each part has an owner, a contract, a key, an order and a retention, and none contradicts another | a drawing of products by name; one table that holds everything |
# | identity | rules are named, errors in both directions are measured, a steward decides, and a link can be undone | "we match on e-mail" |
# | consent | a stream with history; state at the moment of use; refusals always count; erasure survives a replay | a column of the mart |
# | quality controls | measures with thresholds, owners and actions; fail and warn differ; a gate | "we monitor data quality" |
# | production readiness | state, replay, late events, schema change and rollback with numbers; a runbook that a stranger can follow | technology without numbers |
#
# Here are two answers to "what happens to late consent?", shortened.
#
# **Strong (4 of 4).** "Consent has no watermark. A choice is put in its place by event_ts whenever it comes; a refusal
# counts from the second it arrives, and every export asks the state again at the moment of sending. We watch the age
# of choices on arrival: if more than 1 in 200 takes over 48 hours, the privacy office calls the owner of the channel.
# Simone's grant of 16 March would count from the 20th." *It says what happens, when, who acts and on what number, and
# tests itself on a case.*
#
# **Weak (0 of 4).** "We use a streaming engine with a watermark of two days, so late events are handled. Consent is
# joined into customer_360 every night and marketing filters on consent_marketing." *A refusal that takes three days is
# lost, the export reads last night's mart, and nobody owns either. Somebody who said no is contacted, and that alone
# makes it 0.*

# %% [markdown]
# ## What you can now do
#
# - complete an architecture map, and let a function look for its holes and contradictions
# - set a late-event policy: what is counted, what is replayed, what is a dead letter, and where no watermark is allowed
# - work out the state of a stream, the length of a replay and the retention it needs
# - judge a schema change by two tests: old readers with new rows, new readers with old rows
# - choose a release to go back to without serving an error, an unreadable table or an erased person

# %% [markdown]
# ## Common mistakes
#
# The three that cost most, in this course and outside:
#
# 1. **One denormalised table** without ownership, consent, identity rules, freshness or thresholds. It looks finished
#    on the first day, and nobody can say what it promises.
# 2. **Behaviour aggregated without event time.** Counts change with the hour of the load, and a replay gives other
#    numbers.
# 3. **Profiles exposed without a contract and a validation report.** Readers build on columns that nobody promised,
#    and errors are found by customers.
#
# And three of this lesson:
#
# - Sizing state by the gap and forgetting the wait.
# - Keeping history for as long as the last replay took, not the next one.
# - Rolling back to a release from before an erasure.

# %% [markdown]
# ## Further reading
#
# - [Rubric](../docs/rubric.md): criteria, evidence, a strong map, and two sample answers graded with reasons
# - [Architecture](../docs/architecture.md): how this course's product is built, and what each part would be in
#   production
# - [Data dictionary](../docs/data-dictionary.md): the contract in full
# - Tyler Akidau and others, *The Dataflow Model*, Proceedings of the VLDB Endowment, 2015: watermarks and late data
# - Martin Kleppmann, *Designing Data-Intensive Applications*, 2017: chapter 4 on evolving schemas, chapter 11 on
#   streams
# - Betsy Beyer and others, *Site Reliability Engineering*, 2016: service levels, error budgets, runbooks
