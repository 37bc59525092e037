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
# # 02 Bronze: keep what came
#
# *60 minutes · after lesson 01 · you need: pandas filter, groupby, merge; try/except, csv*
#
# ## What you will do
#
# 1. prove cell by cell that bronze holds what the sources sent
# 2. repair a loader that cleans on the way in
# 3. reconcile the rows that came in with what became of them
# 4. load the same delivery twice without doubling a row
#
# ## In production
#
# | here | in production |
# |---|---|
# | `data/raw/*.csv` | topics of a broker, and files that partners drop |
# | bronze | raw lakehouse tables: fidelity and replay, partitioned by arrival, kept as long as the law allows |
# | `_source_file`, `_row_number` | topic, partition and offset of a message |
# | `_raw_base64` | the dead-letter topic, with the bytes that no parser could read |
# | `docs/faults.md`, `lesson_workspace(..., faults=...)` | an ordinary Tuesday |
#
# A topic forgets after days or weeks, and a partner's file is overwritten the next night. Bronze is the only place
# where last year's rows still stand as they came, so everything above it can be built again: after a bug, with a better
# rule, or for an auditor who asks what you knew in March.
#
# ## The story so far
#
# In lesson 01 you read the seven sources. Now somebody has to store them. It looks like the dullest job in the
# company, and it is the one where a helpful person does the most damage. İpek Mayer's shop account is number
# `0191436205`. Hannes Baumann lives in Swakopmund, and his country code is `NA`. Both will be lost in a moment, by
# one line of pandas that you have written a hundred times.

# %% tags=["setup"]
import base64
import csv

import pandas as pd

from c360lib import plots
from c360lib.course import check, hint, lesson_workspace, show, solution

# %% [markdown]
# The workspace has raw and bronze. `ws.raw(...)` and `ws.bronze(...)` give every column as text, exactly as it stands;
# a cell without a value is `''`. Keep the names of the six busy sources at hand; the seventh, `erasure_requests`, has
# five rows.

# %%
ws = lesson_workspace("bronze")
sources = ["customers", "orders", "clickstream", "support_tickets", "campaign_events", "consent_events"]
ws

# %% [markdown]
# ## One harmless line
#
# > **bronze**: the first layer: every row of every source as it came, every cell as text, and where it came from.
#
# Read the customers as you would read any file, and look for İpek's shop account and for Hannes.

# %%
careless = pd.read_csv(ws.raw_path("customers"))
shown = ["first_name", "last_name", "city", "source_system", "customer_id", "country"]
careless.loc[careless["last_name"].isin(["Mayer", "Baumann"]), shown].head(5)

# %% [markdown]
# İpek's `0191436205` has become the number 191436205, and Hannes has no country. Nothing was reported. `read_csv` took
# an id for a number because it looked like one, and Namibia's code for "not available" because it looked like that. How
# often does that happen? Compare each cell that has a value with the text that stands in the file.

# %%
changed = []
for source in sources:
    raw, read = ws.raw(source), pd.read_csv(ws.raw_path(source)).astype(str)
    cells = ((read != raw) & (raw != "")).sum().rename("cells").rename_axis("column").reset_index()
    changed.append(cells.assign(source=source))
changed = pd.concat(changed).query("cells > 0").sort_values("cells", ascending=False)

# %%
show(
    plots.bronze.changed_by_reading(changed),
    alt="Bars of cells that read_csv changes, by source and column: over 5,000 ids and 5,000 amounts of orders, over 3,000 ids in clickstream, and 33 country codes of customers.",
)

# %% [markdown]
# The long bars are a second accident. Where a column of whole numbers has a gap, pandas makes it decimal, so that
# `2860240824` reads `2860240824.0`: an account that does not exist. The shortest bar is Namibia. It is the one nobody
# would ever find, because 33 rows, of 29 accounts, without a country look like any other gap.
#
# ## What fidelity means
#
# > **fidelity**: dropping what bronze added gives back the cells of the source, exactly as they stood.
#
# Bronze does not know what an id, an amount or a country is. It adds four columns, whose names begin with `_`, and
# changes nothing else. So fidelity can be proven: drop the four, and compare.

# %%
lineage = ["_source_file", "_row_number", "_row_hash", "_raw_base64"]
pd.Series(
    {source: ws.bronze(source).drop(columns=lineage).equals(ws.raw(source)) for source in sources}, name="equal"
)

# %% [markdown]
# Equal, to the last cell. A proof that says only yes or no is enough for a machine. When it says no, a person wants to
# know *where*. Comparing is easy once a table is turned so that each cell has a row of its own, which `melt` does:

# %%
customers = ws.bronze("customers")
customers.head(2).melt("_row_number", ["first_name", "city", "country"], "column", "bronze")

# %% [markdown]
# `melt` keeps `_row_number` beside each cell, takes the columns listed, and names the two new ones. Two melted tables
# can be merged on row number and column, and then every cell of the one stands beside the same cell of the other.
#
# ### Exercise 1: which cells are not what they were? (10 minutes)
#
# Another team loads the same files with its own tool. Write the audit that finds what the tool changed.
#
# `raw` has the rows of the file, in the order of the file, all text; trust that order, not its index. `bronze` has the
# same columns and `_row_number`, which is text too and counts the rows of the file from 1. Its rows come in any order. Give a row for each cell that is
# not exactly what it was: `_row_number` (a whole number), `column`, `raw`, `bronze`. An empty cell (`''`) that became
# null has changed as well. A row that bronze has lost has changed in every cell: its `bronze` is null.

# %% exercise="bronze.changed_cells" objective="1" criterion="quality"
def changed_cells(raw, bronze):
    numbered = raw.assign(_row_number=range(1, len(raw) + 1))
    stood = numbered.melt("_row_number", var_name="column", value_name="raw")
    loaded = bronze.assign(_row_number=bronze["_row_number"].astype(int))
    kept = loaded.melt("_row_number", list(raw.columns), "column", "bronze")
    cells = stood.merge(kept, on=["_row_number", "column"], how="left")
    return cells[(cells["raw"] != cells["bronze"]) | cells["bronze"].isna()]

# %% stub="bronze.changed_cells"
def changed_cells(raw, bronze):
    """Each cell that bronze has not kept as it stood in raw: (_row_number, column, raw, bronze)."""
    ...

# %% check="bronze.changed_cells"
check("bronze.changed_cells", changed_cells)

# %% [markdown]
# Stuck? `hint("bronze.changed_cells")` gives one hint at a time; after an attempt `solution("bronze.changed_cells")`
# shows one answer.

# %% [markdown] hint="bronze.changed_cells"
# Give raw a column `_row_number` first: 1 for its first row, 2 for the next. Then both tables have something in common to match rows by. Is it the same type in both?

# %% [markdown] hint="bronze.changed_cells"
# Melt both, so that each cell is a row, and merge on row number and column. Which kind of merge keeps the cells of a row that bronze has lost?

# %% [markdown] hint="bronze.changed_cells"
# After a left merge, a cell of a lost row is null in `bronze`. Keep the rows where the two texts differ or where `bronze` is null.

# %% cases="bronze.changed_cells" key="_row_number,column"
def cases(workspace):
    raw, kept = workspace.raw("customers").head(300), workspace.bronze("customers").head(300)
    names = [*raw.columns, "_row_number"]
    careless = kept[names].copy()
    careless["customer_id"] = careless["customer_id"].str.lstrip("0")
    careless["country"] = careless["country"].mask(careless["country"].isin(["NA", ""]))
    careless = careless.drop(index=[4, 120]).sort_values(["email", "_row_number"])
    small = pd.DataFrame(
        {"id": [f"0{n}" for n in range(12)], "city": ["Ulm", " Ulm", "Ulm ", "", "NA", "ulm", "", "Bonn", "NA", "", "Bern", "Graz"]},
        index=[5, 3, 9, 0, 1, 2, 4, 6, 7, 8, 11, 10],
    )
    other = small.reset_index(drop=True).assign(_row_number=[str(n) for n in range(1, 13)])
    other["city"] = ["Ulm", "Ulm", "Ulm ", None, None, "Ulm", "", "Bonn", "NA", "", "Bern", "Graz"]
    other = other.drop(index=[6, 10]).iloc[::-1]
    same = small.reset_index(drop=True).assign(_row_number=[str(n) for n in range(1, 13)])
    return [(small, other), (small, same.iloc[::-1]), (small, same.head(0)), (raw, kept), (raw, careless)]

# %% wrong="bronze.changed_cells" misconception="matched-by-position" says="You lay the rows side by side as they happen to stand. Bronze may come in any order and may have lost a row; match each row by its number."
def changed_cells(raw, bronze):
    stood = raw.assign(_row_number=range(1, len(raw) + 1)).melt("_row_number", var_name="column", value_name="raw")
    loaded = bronze.assign(_row_number=range(1, len(bronze) + 1))
    kept = loaded.melt("_row_number", list(raw.columns), "column", "bronze")
    cells = stood.merge(kept, on=["_row_number", "column"], how="left")
    return cells[(cells["raw"] != cells["bronze"]) | cells["bronze"].isna()]

# %% wrong="bronze.changed_cells" misconception="numbers-sorted-as-text" says="You sort by the row number while it is text, and as text 10 comes before 2. Turn it into a whole number first, and match by it."
def changed_cells(raw, bronze):
    stood = raw.assign(_row_number=range(1, len(raw) + 1)).melt("_row_number", var_name="column", value_name="raw")
    loaded = bronze.sort_values("_row_number").assign(_row_number=range(1, len(bronze) + 1))
    kept = loaded.melt("_row_number", list(raw.columns), "column", "bronze")
    cells = stood.merge(kept, on=["_row_number", "column"], how="left")
    return cells[(cells["raw"] != cells["bronze"]) | cells["bronze"].isna()]

# %% wrong="bronze.changed_cells" misconception="lost-rows-unseen" says="A row that bronze has lost does not show at all: an inner merge keeps only what both sides have. Start from raw and keep all of it."
def changed_cells(raw, bronze):
    stood = raw.assign(_row_number=range(1, len(raw) + 1)).melt("_row_number", var_name="column", value_name="raw")
    loaded = bronze.assign(_row_number=bronze["_row_number"].astype(int))
    kept = loaded.melt("_row_number", list(raw.columns), "column", "bronze")
    cells = stood.merge(kept, on=["_row_number", "column"])
    return cells[(cells["raw"] != cells["bronze"]) | cells["bronze"].isna()]

# %% wrong="bronze.changed_cells" misconception="null-taken-for-empty" says="You treat null and empty text as the same. The file says empty; null is already an interpretation, and a lost row is null in every cell."
def changed_cells(raw, bronze):
    stood = raw.assign(_row_number=range(1, len(raw) + 1)).melt("_row_number", var_name="column", value_name="raw")
    loaded = bronze.assign(_row_number=bronze["_row_number"].astype(int))
    kept = loaded.melt("_row_number", list(raw.columns), "column", "bronze")
    cells = stood.merge(kept, on=["_row_number", "column"], how="left")
    return cells[cells["raw"] != cells["bronze"].fillna("")]

# %% wrong="bronze.changed_cells" misconception="nulls-dropped" says="You leave out the cells that are null in bronze. Those are the ones that lost the most: a value became nothing, or a whole row is gone."
def changed_cells(raw, bronze):
    stood = raw.assign(_row_number=range(1, len(raw) + 1)).melt("_row_number", var_name="column", value_name="raw")
    loaded = bronze.assign(_row_number=bronze["_row_number"].astype(int))
    kept = loaded.melt("_row_number", list(raw.columns), "column", "bronze")
    cells = stood.merge(kept, on=["_row_number", "column"], how="left")
    return cells[(cells["raw"] != cells["bronze"]) & cells["bronze"].notna()]

# %% wrong="bronze.changed_cells" misconception="cleaned-before-compared" says="You strip or fold the cells before you compare them, so a space or a capital that was lost goes unseen. Fidelity means exactly equal."
def changed_cells(raw, bronze):
    stood = raw.assign(_row_number=range(1, len(raw) + 1)).melt("_row_number", var_name="column", value_name="raw")
    loaded = bronze.assign(_row_number=bronze["_row_number"].astype(int))
    kept = loaded.melt("_row_number", list(raw.columns), "column", "bronze")
    cells = stood.merge(kept, on=["_row_number", "column"], how="left")
    return cells[(cells["raw"].str.strip() != cells["bronze"].str.strip()) | cells["bronze"].isna()]

# %% wrong="bronze.changed_cells" misconception="rows-numbered-from-nought" says="You number the rows of raw from 0, but the first row of the file is number 1. Every row is compared with its neighbour."
def changed_cells(raw, bronze):
    stood = raw.assign(_row_number=range(len(raw))).melt("_row_number", var_name="column", value_name="raw")
    loaded = bronze.assign(_row_number=bronze["_row_number"].astype(int))
    kept = loaded.melt("_row_number", list(raw.columns), "column", "bronze")
    cells = stood.merge(kept, on=["_row_number", "column"], how="left")
    return cells[(cells["raw"] != cells["bronze"]) | cells["bronze"].isna()]

# %% wrong="bronze.changed_cells" misconception="raw-index-taken-for-row-number" says="You take the index of raw for the row number. An index says how pandas holds the rows; the place in the file is what counts, from 1."
def changed_cells(raw, bronze):
    stood = raw.assign(_row_number=raw.index + 1).melt("_row_number", var_name="column", value_name="raw")
    loaded = bronze.assign(_row_number=bronze["_row_number"].astype(int))
    kept = loaded.melt("_row_number", list(raw.columns), "column", "bronze")
    cells = stood.merge(kept, on=["_row_number", "column"], how="left")
    return cells[(cells["raw"] != cells["bronze"]) | cells["bronze"].isna()]

# %% right="bronze.changed_cells"
def changed_cells(raw, bronze):
    loaded = bronze.set_index(bronze["_row_number"].astype(int)).reindex(range(1, len(raw) + 1))
    found = []
    for column in raw.columns:
        pairs = pd.DataFrame({"raw": raw[column].tolist(), "bronze": loaded[column].tolist()}, index=loaded.index)
        pairs = pairs[[type(b) is not str or a != b for a, b in zip(pairs["raw"], pairs["bronze"])]]
        found.append(pairs.assign(column=column).rename_axis("_row_number").reset_index())
    return pd.concat(found)[["_row_number", "column", "raw", "bronze"]]

# %% right="bronze.changed_cells"
def changed_cells(raw, bronze):
    kept = {int(row["_row_number"]): row for row in bronze.to_dict("records")}
    found = []
    for number, row in enumerate(raw.to_dict("records"), 1):
        for column, text in row.items():
            other = kept.get(number, {}).get(column)
            if not isinstance(other, str) or other != text:
                found.append((number, column, text, other))
    return pd.DataFrame(found, columns=["_row_number", "column", "raw", "bronze"])

# %% right="bronze.changed_cells"
def changed_cells(raw, bronze):
    numbered = raw.assign(_row_number=[str(n) for n in range(1, len(raw) + 1)])
    both = numbered.merge(bronze, on="_row_number", how="left", suffixes=("", " in bronze"))
    parts = []
    for name in raw.columns:
        part = both[["_row_number", name, f"{name} in bronze"]].set_axis(["_row_number", "raw", "bronze"], axis=1)
        parts.append(part[~(part["raw"] == part["bronze"]).fillna(False).astype(bool)].assign(column=name))
    return pd.concat(parts).astype({"_row_number": "int64"})

# %% [markdown]
# ## Where a row came from
#
# > **lineage**: what tells for each row which file it came from, at which place, and what stood there.
#
# Here is Ida Ferrara in bronze. She has three accounts and has never ordered anything. The file and the row number say
# where to look; the row number is text, like all of bronze.

# %%
ida = (customers["first_name"] == "Ida") & (customers["last_name"] == "Ferrara")
customers.loc[ida, ["customer_id", "country", *lineage[:3]]]

# %% [markdown]
# `_row_hash` is a fingerprint of the cells, `ingest_ts` left out. So the same change delivered twice has the same hash
# twice. The order below came at 07:44 and again the next day, and bronze keeps both rows: deciding that the second is a
# duplicate is a judgement, and judgements are made above bronze, where they can be corrected.

# %%
orders = ws.bronze("orders")
twice = orders[orders["_row_hash"].duplicated(keep=False)].sort_values(["_row_hash", "_row_number"])
twice[["order_id", "lsn", "ingest_ts", "_row_number", "_row_hash"]].head(2)

# %% [markdown]
# Lineage also shows how each source arrives. Count the rows by day of arrival in the last quarter. No rule of the
# product says when campaigns go out or that the shop never sleeps; the bars say it. And if a source went silent, you
# would see the gap here before anybody missed the numbers.

# %%
arrivals = pd.concat([ws.bronze(source)[["ingest_ts"]].assign(source=source) for source in sources])
arrivals["day"] = pd.to_datetime(arrivals["ingest_ts"].str[:10])
by_day = arrivals[arrivals["day"] >= "2026-04-01"].groupby(["source", "day"]).size().rename("rows").reset_index()

# %%
show(
    plots.bronze.arrivals_by_day(by_day),
    alt="Strips of bars for each source, one bar per day from April to June 2026: orders and clickstream arrive every day, campaign events in one burst every second week and hardly at all in between.",
)

# %% [markdown]
# ## Lines that nobody can read
#
# Real files are worse than our sample. The workspace below has named faults in it: a city in bytes that are not
# UTF-8, a line end and quotes inside a cell, spaces around a city, and a last line cut in half. Which rows did the
# parser give up on?

# %%
names = "broken_encoding,embedded_newlines_and_quotes,edge_spaces,truncated_file"
mess = lesson_workspace("bronze", faults=names)
people, bought = mess.bronze("customers"), mess.bronze("orders")
unread = pd.concat([people[people["_raw_base64"] != ""], bought[bought["_raw_base64"] != ""]])
unread[["event_ts", "customer_id", "_source_file", "_row_number", "_raw_base64"]]

# %% [markdown]
# Four rows have empty cells and something in `_raw_base64`: the bytes of the line, written with letters and digits so
# that they fit into a text table. Nothing is lost, it is only not understood yet. Turn the first and the last back:

# %%
[base64.b64decode(text) for text in unread["_raw_base64"].iloc[[0, 3]]]

# %% [markdown]
# You can read more than the parser dared to. In the first, `M\xfcnchen` is München with an ü that is one byte, as in
# Latin-1; UTF-8 writes it with two. The second stops in the middle. The spaces and the embedded line ends are not
# in this table at all: such cells are legal, so they were read, and bronze holds them as they stand.

# %%
spaced = people[people["city"] != people["city"].str.strip()]
clicks = mess.bronze("clickstream")
[*spaced["city"], *clicks.loc[clicks["page"].str.contains("\n"), "page"]]

# %% [markdown]
# ### Exercise 2: a loader that means well (15 minutes)
#
# A colleague wrote this loader. `records` is a list of the records of a file, as bytes, without the header and without
# line ends; `columns` are their names.
#
# ```python
# def load(records, columns):
#     rows = []
#     for record in records:
#         try:
#             cells = next(csv.reader([record.decode()]))
#         except UnicodeDecodeError:
#             continue
#         if len(cells) == len(columns):
#             rows.append([cell.strip() for cell in cells])
#     table = pd.DataFrame(rows, columns=columns).replace("NA", None).drop_duplicates()
#     table["_row_number"] = range(1, len(table) + 1)
#     return table
# ```
#
# It cleans on the way in: count in how many ways before you change a line. Three tools you need are in it or in the setup
# cell: `csv.reader` turns a line of text into cells, `try` and `except UnicodeDecodeError` catch bytes that are not UTF-8,
# and `base64.b64encode(record).decode()` writes bytes as text.
#
# Write the loader that keeps everything. Each record gives one row:
# the `columns` as text, `_row_number` (the place of the record, from 1), and `_raw_base64`. A record that cannot be
# decoded as UTF-8, or that has too few or too many cells, gets `''` in every column, and its bytes, unchanged, in
# `_raw_base64` (as text). For a record that can be read, `_raw_base64` is `''`.

# %% exercise="bronze.load" objective="2" criterion="quality"
def load(records, columns):
    rows = []
    for number, record in enumerate(records, 1):
        try:
            cells = next(csv.reader([record.decode()]))
        except UnicodeDecodeError:
            cells = []
        if len(cells) == len(columns):
            rows.append([*cells, number, ""])
        else:
            rows.append([*[""] * len(columns), number, base64.b64encode(record).decode()])
    return pd.DataFrame(rows, columns=[*columns, "_row_number", "_raw_base64"])

# %% stub="bronze.load"
def load(records, columns):
    """One row per record: its cells as they stand, `_row_number`, and `_raw_base64` for what cannot be read."""
    ...

# %% check="bronze.load"
check("bronze.load", load)

# %% [markdown] hint="bronze.load"
# Go through the colleague's lines and ask of each: can a record vanish here, or a cell change? There is one line that does both.

# %% [markdown] hint="bronze.load"
# `enumerate(records, 1)` gives the place and the record. The place must be known before you find out whether the record can be read.

# %% [markdown] hint="bronze.load"
# There are two ways of being unreadable: the bytes do not decode, or the number of cells is wrong. Let both lead to the same branch, which fills the columns with `''` and keeps the bytes as text.

# %% cases="bronze.load" key="_row_number"
def cases(workspace):
    columns = ["id", "city", "country"]
    made = [
        b"01,Ulm,DE",
        b"02, Swakopmund ,NA",
        "03,Malmö,SE".encode("latin-1"),
        b"04,Gra",
        b'05,"Bonn, am ""Rhein""\nNord",DE',
        b"01,Ulm,DE",
        b"06,Bern,CH,extra",
        b"07,,",
        "08,Zürich,CH".encode(),
        b"09,\xff\xfe,AT",
    ]
    lines = workspace.raw_path("customers").read_bytes().splitlines()
    header, rows = lines[0].decode().split(","), lines[1:41]
    rows[7], rows[20] = rows[7][:60], rows[20] + b",more"
    rows[11] = rows[11] + b"\xe9"
    return [(made, columns), ([], columns), ([*rows, rows[3], rows[11]], header)]

# %% wrong="bronze.load" misconception="nothing-mended" says="This still behaves as the colleague's loader: unreadable records are skipped, cells are stripped, NA becomes null, a second equal record is dropped, and the rows are numbered only after that."
def load(records, columns):
    rows = []
    for record in records:
        try:
            cells = next(csv.reader([record.decode()]))
        except UnicodeDecodeError:
            continue
        if len(cells) == len(columns):
            rows.append([cell.strip() for cell in cells])
    table = pd.DataFrame(rows, columns=columns).replace("NA", None).drop_duplicates()
    table["_row_number"] = range(1, len(table) + 1)
    return table.assign(_raw_base64="")

# %% wrong="bronze.load" misconception="bad-lines-skipped" says="Records that cannot be read are left out. Each of them is a customer or an order that somebody will miss; give it a row with its bytes in _raw_base64."
def load(records, columns):
    rows = []
    for number, record in enumerate(records, 1):
        try:
            cells = next(csv.reader([record.decode()]))
        except UnicodeDecodeError:
            continue
        if len(cells) == len(columns):
            rows.append([*cells, number, ""])
    return pd.DataFrame(rows, columns=[*columns, "_row_number", "_raw_base64"])

# %% wrong="bronze.load" misconception="numbered-after-skipping" says="Records that cannot be read are left out, and the rows that remain are numbered anew, so a row number no longer leads back to its place in the file."
def load(records, columns):
    rows = []
    for record in records:
        try:
            cells = next(csv.reader([record.decode()]))
        except UnicodeDecodeError:
            continue
        if len(cells) == len(columns):
            rows.append([*cells, len(rows) + 1, ""])
    return pd.DataFrame(rows, columns=[*columns, "_row_number", "_raw_base64"])

# %% wrong="bronze.load" misconception="only-undecodable-is-bad" says="A record with too few or too many cells is read as if it were whole: its cells are filled up or cut off, and nobody can tell any more that something was missing."
def load(records, columns):
    rows = []
    for number, record in enumerate(records, 1):
        try:
            cells = next(csv.reader([record.decode()]))
            cells = [*cells, *[""] * len(columns)][: len(columns)]
            rows.append([*cells, number, ""])
        except UnicodeDecodeError:
            rows.append([*[""] * len(columns), number, base64.b64encode(record).decode()])
    return pd.DataFrame(rows, columns=[*columns, "_row_number", "_raw_base64"])

# %% wrong="bronze.load" misconception="broken-bytes-replaced" says="Bytes that are not UTF-8 are replaced while decoding, so the record looks readable and the original bytes are gone for good. Keep such a record as bytes."
def load(records, columns):
    rows = []
    for number, record in enumerate(records, 1):
        cells = next(csv.reader([record.decode(errors="replace")]))
        if len(cells) == len(columns):
            rows.append([*cells, number, ""])
        else:
            rows.append([*[""] * len(columns), number, base64.b64encode(record).decode()])
    return pd.DataFrame(rows, columns=[*columns, "_row_number", "_raw_base64"])

# %% wrong="bronze.load" misconception="encoding-guessed" says="You guess that what is not UTF-8 must be Latin-1, and read it. Latin-1 can read any bytes, wrong ones too; a guess belongs above bronze, where it can be taken back."
def load(records, columns):
    rows = []
    for number, record in enumerate(records, 1):
        try:
            cells = next(csv.reader([record.decode()]))
        except UnicodeDecodeError:
            cells = next(csv.reader([record.decode("latin-1")]))
        if len(cells) == len(columns):
            rows.append([*cells, number, ""])
        else:
            rows.append([*[""] * len(columns), number, base64.b64encode(record).decode()])
    return pd.DataFrame(rows, columns=[*columns, "_row_number", "_raw_base64"])

# %% wrong="bronze.load" misconception="bytes-kept-after-decoding" says="What you keep in _raw_base64 went through a decoder first, so these are not the bytes that stood in the file. Encode the record itself."
def load(records, columns):
    rows = []
    for number, record in enumerate(records, 1):
        try:
            cells = next(csv.reader([record.decode()]))
        except UnicodeDecodeError:
            cells = []
        if len(cells) == len(columns):
            rows.append([*cells, number, ""])
        else:
            text = record.decode(errors="replace")
            rows.append([*[""] * len(columns), number, base64.b64encode(text.encode()).decode()])
    return pd.DataFrame(rows, columns=[*columns, "_row_number", "_raw_base64"])

# %% wrong="bronze.load" misconception="spaces-stripped" says="Spaces at the ends of cells are still taken away. They may be a mistake of the source, but then the source should hear of it; bronze keeps them."
def load(records, columns):
    rows = []
    for number, record in enumerate(records, 1):
        try:
            cells = [cell.strip() for cell in next(csv.reader([record.decode()]))]
        except UnicodeDecodeError:
            cells = []
        if len(cells) == len(columns):
            rows.append([*cells, number, ""])
        else:
            rows.append([*[""] * len(columns), number, base64.b64encode(record).decode()])
    return pd.DataFrame(rows, columns=[*columns, "_row_number", "_raw_base64"])

# %% wrong="bronze.load" misconception="na-taken-for-missing" says="NA still becomes null. It is the country code of Namibia, and bronze is not the place to decide what is missing."
def load(records, columns):
    rows = []
    for number, record in enumerate(records, 1):
        try:
            cells = next(csv.reader([record.decode()]))
        except UnicodeDecodeError:
            cells = []
        if len(cells) == len(columns):
            rows.append([*(None if cell == "NA" else cell for cell in cells), number, ""])
        else:
            rows.append([*[""] * len(columns), number, base64.b64encode(record).decode()])
    return pd.DataFrame(rows, columns=[*columns, "_row_number", "_raw_base64"])

# %% wrong="bronze.load" misconception="duplicates-dropped-on-load" says="A second record with the same cells is dropped. Bronze keeps both: that something was sent twice is a fact about the source, and counts could not be reconciled without it."
def load(records, columns):
    rows = []
    for number, record in enumerate(records, 1):
        try:
            cells = next(csv.reader([record.decode()]))
        except UnicodeDecodeError:
            cells = []
        if len(cells) == len(columns):
            rows.append([*cells, number, ""])
        else:
            rows.append([*[""] * len(columns), number, base64.b64encode(record).decode()])
    table = pd.DataFrame(rows, columns=[*columns, "_row_number", "_raw_base64"])
    return table.drop_duplicates([*columns, "_raw_base64"])

# %% wrong="bronze.load" misconception="every-record-kept-as-bytes" says="You fill _raw_base64 for records that can be read as well. It marks what could not be read; if it is never empty, nobody can find those."
def load(records, columns):
    rows = []
    for number, record in enumerate(records, 1):
        try:
            cells = next(csv.reader([record.decode()]))
        except UnicodeDecodeError:
            cells = []
        cells = cells if len(cells) == len(columns) else [""] * len(columns)
        rows.append([*cells, number, base64.b64encode(record).decode()])
    return pd.DataFrame(rows, columns=[*columns, "_row_number", "_raw_base64"])

# %% right="bronze.load"
def load(records, columns):
    def cells_of(record):
        try:
            cells = next(csv.reader([str(record, "utf-8")]), None)
        except ValueError:
            return None
        return cells if cells is not None and len(cells) == len(columns) else None

    found = [cells_of(record) for record in records]
    table = pd.DataFrame([cells or [""] * len(columns) for cells in found], columns=columns)
    table["_row_number"] = [str(place + 1) for place in range(len(records))]
    kept = [str(base64.b64encode(r), "ascii") if c is None else "" for r, c in zip(records, found)]
    return table.assign(_raw_base64=kept).astype({"_row_number": "int64"})

# %% right="bronze.load"
def load(records, columns):
    rows = []
    for number, record in enumerate(records, 1):
        row = {**dict.fromkeys(columns, ""), "_row_number": float(number), "_raw_base64": ""}
        try:
            cells = list(csv.reader([record.decode("utf-8")]))[0]
            row.update(dict(zip(columns, cells, strict=True)))
        except ValueError:
            row = {**dict.fromkeys(columns, ""), "_row_number": number}
            row["_raw_base64"] = base64.standard_b64encode(record).decode("ascii")
        rows.append(row)
    return pd.DataFrame(rows, columns=["_raw_base64", "_row_number", *columns])[::-1]

# %% [markdown]
# How many ways did you count? There are six: it skips records that do not decode; it skips those with too few or too many
# cells; it strips spaces; it makes null of `NA`; it drops a record that equals another; and it numbers what is left, so
# that a number no longer leads back to its place in the file. (The bytes it never kept at all.)
#
# ## Rows in, rows accounted for
#
# > **reconciliation**: showing that the rows that came in are the rows that are there, each with what became of it.
#
# The first reconciliation is a count: as many rows in bronze as records in the file. Count records, not lines: a page
# with a line end in it is one record on two lines.

# %%
lines = len(mess.raw_path("clickstream").read_bytes().splitlines()) - 1
pd.DataFrame({"clickstream": {"lines below the header": lines, "rows in bronze": len(clicks)}})

# %% [markdown]
# Three lines more than rows: the three pages you saw above. Above bronze, each row is given exactly one of these: its
# *disposition*, which lesson 04 defines.
#
# | disposition | the row |
# |---|---|
# | current | is the last state of its account, order or ticket, or an event that counts |
# | superseded | was a state once; a row with a higher `lsn` has replaced it |
# | duplicate | equals an earlier row in all but its arrival |
# | quarantined | cannot be used, and is kept with the reason |
# | not_yet | arrived or happened after `as_of` |
# | erased | belongs to an account that an erasure request names |
#
# The build counts them, so rows in = current + superseded + duplicate + quarantined + not_yet + erased, for every
# source. Lesson 04 builds this rule; today you read its counts.

# %%
counted = pd.DataFrame({name: known["dispositions"] for name, known in ws.manifest()["sources"].items()}).T
counted = counted.fillna(0).astype(int)[["current", "superseded", "duplicate", "erased"]]
counted["sum"], counted["rows in bronze"] = counted.sum(axis=1), [len(ws.bronze(name)) for name in counted.index]
counted

# %%
became = counted.drop(columns=["sum", "rows in bronze"]).rename_axis("source").reset_index()
show(
    plots.bronze.rows_by_disposition(became.melt("source", var_name="disposition", value_name="rows")),
    alt="Bars of each source's rows by what became of them: about half of all order rows and three fifths of ticket rows are superseded states, event sources have none, duplicates and erased rows are few.",
)

# %% [markdown]
# The change feeds carry their own history: half of the rows of orders say what an order *was*. Sources of events have
# no superseded row, because what happened is not replaced by what happens next. No measure of quality hangs on these
# shares. What must hold is that they add up.
#
# ### Exercise 3: half a line (5 minutes)
#
# In `mess`, the last line of `orders.csv` is cut in half. This is the row that it was:

# %%
orders.loc[orders["order_id"] == orders["order_id"].iloc[-1], ["order_id", "op", "lsn", "status", "_row_number"]]

# %% [markdown]
# The table shows every row of that order. Predict the counts of orders in `mess`, as a tuple of four whole numbers:
# `(rows in bronze, current, superseded, quarantined)`. The table of counts above has the numbers without the fault.

# %% exercise="bronze.half_a_line" objective="3" criterion="quality"
half_a_line = (5357, 2660, 2632, 1)

# %% stub="bronze.half_a_line"
half_a_line = ...

# %% check="bronze.half_a_line"
check("bronze.half_a_line", half_a_line)

# %% [markdown] hint="bronze.half_a_line"
# Is half a line still a row of bronze? Look again at the table of lines that nobody could read.

# %% [markdown] hint="bronze.half_a_line"
# How many rows did that order have before, and what was its only row counted as? It cannot be that any longer.

# %% [markdown] hint="bronze.half_a_line"
# Rows in bronze must equal the sum of the dispositions, before and after. One row has moved from one to another.

# %% truth="bronze.half_a_line"
def truth(workspace):
    names = "broken_encoding,embedded_newlines_and_quotes,edge_spaces,truncated_file"
    cut = lesson_workspace("bronze", faults=names)
    counts = cut.manifest()["sources"]["orders"]["dispositions"]
    return (len(cut.bronze("orders")), counts["current"], counts["superseded"], counts["quarantined"])

# %% wrong="bronze.half_a_line" misconception="bad-line-vanishes" says="You let the line vanish. Bronze keeps it as a row with its bytes, so the rows that came in are as many as before, and one of them is in quarantine."
half_a_line = (5356, 2660, 2632, 0)

# %% wrong="bronze.half_a_line" misconception="row-counted-twice" says="You count the row twice: it is quarantined, and still current. Each row has exactly one disposition, or the sum no longer equals the rows that came in."
half_a_line = (5357, 2661, 2632, 1)

# %% wrong="bronze.half_a_line" misconception="an-older-state-comes-back" says="You let an older state of the order become current again. That would happen if the order had one; look at how many rows it has."
half_a_line = (5357, 2661, 2631, 1)

# %% wrong="bronze.half_a_line" misconception="quarantine-is-extra" says="You add the quarantined row to the rows that came in. It is one of them: the line was cut, not added."
half_a_line = (5358, 2661, 2632, 1)

# %% wrong="bronze.half_a_line" misconception="half-a-line-is-still-read" says="You take the half line for a usable order. Its amount is missing, so nobody can say what it was worth; it cannot be current."
half_a_line = (5357, 2661, 2632, 0)

# %% wrong="bronze.half_a_line" misconception="skipped-but-quarantined" says="You count the line in quarantine and no longer among the rows that came in. Then more rows have a disposition than ever came."
half_a_line = (5356, 2660, 2632, 1)

# %% [markdown]
# The build of `mess` wrote its own counts. Were you right?

# %%
pd.Series(mess.manifest()["sources"]["orders"]["dispositions"], name="orders in mess")

# %% [markdown]
# ## The same bronze, the same answer
#
# > **replay**: building what stands above again, from the same bronze, by the same rules; it must give the same rows.
#
# Take the last state of each order from bronze, once as bronze stands and once turned upside down. Left out, as silver
# does it, are accounts with an erasure request; and for this comparison, orders whose last change is a delete.

# %%
erased = set(ws.bronze("erasure_requests")["customer_id"])
kept = orders[~orders["customer_id"].isin(erased)].assign(lsn=orders["lsn"].astype(int))
once, again = (  # the same line for both tables: the first result goes to once, the second to again
    rows.sort_values("lsn", kind="stable").drop_duplicates("order_id", keep="last").query("op != 'd'")
    for rows in (kept, kept.iloc[::-1])
)

# %% [markdown]
# Now compare: the first with the orders of silver, which the product built, then the two with each other, by their
# values and by the rows of bronze that they were taken from.

# %%
silver = lesson_workspace("silver").table("orders").query("~is_deleted").astype({"net_amount_cents": str})
told = ["order_id", "status", "net_amount_cents"]
values = [set(found[told].itertuples(index=False, name=None)) for found in (silver, once, again)]
rows = [set(found["_row_number"]) for found in (once, again)]
same = {"values as in silver": values[0] == values[1], "values upside down": values[1] == values[2]}
pd.Series({**same, "rows upside down": rows[0] == rows[1]}, name="the same")

# %% [markdown]
# Built again, bronze gives what silver holds, from whichever end you read it. The third answer may surprise you: not
# every order was taken from the same *row*. Where a last state was delivered twice, whichever copy came last has won.
# The copies differ in arrival alone, so the values agree; still, a rule that leaves anything to the order of a file
# will one day give two answers. That is why the product names the copy that stays: the earliest arrival.
#
# ### Exercise 4: load once, however often you load (8 minutes)
#
# Loads break off in the middle, and a scheduler starts them again. Then part of a file is in bronze already, and the
# whole file comes once more. Write the load that can be repeated safely.
#
# `bronze` and `delivery` have the same columns, among them `_source_file`, `_row_number` (text) and `_row_hash`. Give
# bronze with the rows of the delivery that it did not have. Two rows of one file may be equal in every other cell
# (you have seen such orders); both belong in bronze. The next file counts its rows from 1 again. A row whose file and
# row number are in bronze already has the same hash there: that a file has been rewritten does not occur here.

# %% exercise="bronze.load_once" objective="4" criterion="production"
def load_once(bronze, delivery):
    place = ["_source_file", "_row_number"]
    return pd.concat([bronze, delivery]).drop_duplicates(place, keep="first")

# %% stub="bronze.load_once"
def load_once(bronze, delivery):
    """`bronze` with those rows of `delivery` that it did not have."""
    ...

# %% check="bronze.load_once"
check("bronze.load_once", load_once)

# %% [markdown] hint="bronze.load_once"
# What makes a row *this* row and no other? Two different rows may have equal cells, so the cells cannot tell.

# %% [markdown] hint="bronze.load_once"
# A place in a file is taken once: file and row number together. Put the two tables one below the other, and keep the first of each place.

# %% cases="bronze.load_once" key="_source_file,_row_number"
def cases(workspace):
    rows = workspace.bronze("orders").head(400)
    rows = rows[["order_id", "status", "ingest_ts", "_source_file", "_row_number", "_row_hash"]]
    half = pd.concat([rows.head(150), rows.iloc[[180, 399]]])
    other = rows.head(200).assign(_source_file="orders-2.csv")
    made = pd.DataFrame(
        [
            ("o-1", "placed", "2026-01-01T00:00:00Z", "a.csv", "1", "aa"),
            ("o-1", "placed", "2026-01-01T00:00:00Z", "a.csv", "2", "aa"),
            ("o-2", "placed", "2026-01-02T00:00:00Z", "a.csv", "3", "bb"),
            *((f"o-{n}", "paid", "2026-01-03T00:00:00Z", "a.csv", str(n), f"h{n}") for n in range(4, 13)),
        ],
        columns=rows.columns,
    )
    again = made.head(3).assign(_source_file="b.csv")
    return [
        (made.head(0), made),
        (made, made.iloc[::-1]),
        (made.iloc[[0, 1, 8]], made),
        (made, again),
        (rows, rows),
        (half, rows),
        (rows, other),
    ]

# %% wrong="bronze.load_once" misconception="appended-blindly" says="A delivery that comes a second time is added a second time, so every order in it counts twice. Leave out what is there already."
def load_once(bronze, delivery):
    return pd.concat([bronze, delivery])

# %% wrong="bronze.load_once" misconception="hash-taken-for-identity" says="You tell rows apart by their hash, so of two equal rows in one file only one is kept. That is deduplication on load; a row is named by its file and its row number."
def load_once(bronze, delivery):
    return pd.concat([bronze, delivery]).drop_duplicates("_row_hash")

# %% wrong="bronze.load_once" misconception="hash-within-file-taken-for-identity" says="You tell the rows of a file apart by their hash, so of two equal rows in one file only one is kept. Use the place in the file: it is taken once."
def load_once(bronze, delivery):
    return pd.concat([bronze, delivery]).drop_duplicates(["_source_file", "_row_hash"])

# %% wrong="bronze.load_once" misconception="row-number-alone" says="You match by row number alone. The next file counts from 1 again, so its rows are taken for rows that are already there, and are lost."
def load_once(bronze, delivery):
    return pd.concat([bronze, delivery]).drop_duplicates("_row_number")

# %% wrong="bronze.load_once" misconception="file-seen-means-file-loaded" says="A file of which any row is there counts as loaded. After a load that broke off, the rest of it never comes."
def load_once(bronze, delivery):
    return pd.concat([bronze, delivery[~delivery["_source_file"].isin(bronze["_source_file"])]])

# %% wrong="bronze.load_once" misconception="only-rows-after-the-last" says="You load only rows with a number above the highest that is there. Whatever was left out below it, when the last load broke off, never comes."
def load_once(bronze, delivery):
    last = bronze["_row_number"].astype(int).groupby(bronze["_source_file"]).max()
    known = delivery["_source_file"].map(last).fillna(0)
    return pd.concat([bronze, delivery[delivery["_row_number"].astype(int) > known]])

# %% wrong="bronze.load_once" misconception="equal-cells-taken-for-one-row" says="You drop rows whose cells are equal, lineage aside. Two equal rows of one file are two facts, and the count of the file would no longer come out."
def load_once(bronze, delivery):
    return pd.concat([bronze, delivery]).drop_duplicates(["order_id", "status", "ingest_ts"])

# %% wrong="bronze.load_once" misconception="bronze-replaced" says="You give only the delivery, so whatever else was in bronze is gone. Bronze is added to and never replaced."
def load_once(bronze, delivery):
    return delivery

# %% wrong="bronze.load_once" misconception="only-the-new-rows" says="You give the rows that are new and leave out those that were there. The result is to be all of bronze after the load."
def load_once(bronze, delivery):
    known = set(zip(bronze["_source_file"], bronze["_row_number"]))
    return delivery[[row not in known for row in zip(delivery["_source_file"], delivery["_row_number"])]]

# %% right="bronze.load_once"
def load_once(bronze, delivery):
    place = ["_source_file", "_row_number"]
    marked = delivery.merge(bronze[place].assign(is_there=True), on=place, how="left")
    return pd.concat([bronze, marked[marked["is_there"].isna()].drop(columns="is_there")], ignore_index=True)

# %% right="bronze.load_once"
def load_once(bronze, delivery):
    others = bronze[~bronze["_source_file"].isin(delivery["_source_file"])]
    return pd.concat([delivery, others])

# %% right="bronze.load_once"
def load_once(bronze, delivery):
    known = set(bronze["_source_file"] + "#" + bronze["_row_number"])
    is_new = ~(delivery["_source_file"] + "#" + delivery["_row_number"]).isin(known)
    return pd.concat([delivery[is_new], bronze]).sort_values(["_source_file", "_row_hash"])

# %% [markdown]
# A load of this kind is called *idempotent*: once or ten times, the result is the same. It also makes a corrected
# file visible, the case that the exercise left out. If a place that is taken comes with another hash, somebody has
# rewritten the file; stop there and ask, because what was built from it may have to be built again.
#
# ## What you can now do
#
# - prove cell by cell that bronze holds what the sources sent, and name each cell that it does not hold
# - spot a loader that cleans on the way in, and keep what cannot be read as bytes
# - reconcile rows in with current, superseded, duplicate, quarantined, not yet and erased
# - load a delivery as often as you like without doubling or losing a row
#
# ## Common mistakes
#
# - **Letting the reader guess.** Types, missing words and encodings are decisions. Read text; decide in silver, where a
#   decision is a rule with a name and can be taken back.
# - **Skipping bad lines.** Options such as `on_bad_lines="skip"` make a load green and a count wrong. An unreadable
#   line is a row.
# - **Deduplicating on load.** What was sent twice is a fact about the source. Drop it above bronze and count it.
# - **Comparing counts only.** Two tables with equal counts may differ in every cell. Fidelity is about cells.
# - **One denormalised table** without ownership, consent, identity rules, freshness or thresholds: the first of the
#   three mistakes of this course begins here, where sources are joined and tidied before they are stored, so that
#   nobody can go back.
# - **Behaviour aggregated without event time**: row numbers and arrival say when you heard of something, not when it
#   happened. Bronze keeps both times; do not let either go.
# - **Keeping for ever what must be erased.** Fidelity does not overrule an erasure request. Erasing means rewriting
#   raw and bronze too, and keeping a mark that it was done.
#
# ## Further reading
#
# - [Faults](../docs/faults.md): every named defect, and what must find it; try others with `faults=...`
# - [Data dictionary](../docs/data-dictionary.md): the raw columns, and the lineage columns
# - [Architecture](../docs/architecture.md): how a file is read block by block so that one bad line spoils only itself
# - Y. Shafranovich: *RFC 4180, Common Format and MIME Type for CSV Files*, 2005
# - M. Kleppmann: *Designing Data-Intensive Applications*, 2017, chapters 10 and 11, on replay and idempotence
