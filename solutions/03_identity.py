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
# # 03 Identity: who is who
#
# *60 minutes · after lesson 02 · you need: pandas filter, groupby, merge*
#
# ## What you will do
#
# 1. write a match key that sees through spelling and never matches what is absent
# 2. predict which accounts a loose rule puts together wrongly
# 3. join linked accounts into people, however long the chain
# 4. measure the result against the truth, pair by pair
# 5. name each person by an account that will not change
#
# ## In production
#
# | here | in production |
# |---|---|
# | `customer_identity` | identity table or graph: deterministic, probabilistic, steward-reviewed |
# | `identity_edges` | edge store: every pair, with the rule, its version and the outcome |
# | `identity_review_queue`, `data/steward/decisions.csv` | a review tool, and the log of what was decided in it |
#
# A production identity service works on the change feed of lesson 01 and resolves again what a change touches. What
# you build here is its deterministic part: two values are equal or they are not. Weighing values that are nearly equal
# is another method, which this lesson leaves out.
#
# ## The story so far
#
# In bronze, every row stands as it came. But those rows are about *accounts*: the shop, the app, the CRM and the loyalty
# scheme each number their customers for themselves. Anton Schneider has four accounts. İpek Mayer has four as well, and
# her twin sister Marisol has two. If you count accounts as people, Anton gets four letters. If you join accounts too
# eagerly, the twins become one woman, and one sister's "no" to marketing is mixed up with the other's "yes".

# %% tags=["setup"]
import pandas as pd

from c360lib import plots
from c360lib.course import check, hint, lesson_workspace, show, solution
from c360lib.identity.metrics import pairwise
from c360lib.names import NICKNAMES
from c360lib.rules import MATCH_RULES

# %% [markdown]
# The lesson starts from silver: `customer_identity`, the answer of the product, is there to compare with. You also get
# the truth, because generated data know who really is who.

# %%
ws = lesson_workspace("silver")
ws

# %% [markdown]
# ## From changes to accounts
#
# > **identity resolution**: deciding which accounts, of whatever source, belong to one person.
#
# Bronze holds the changes of each account. Matching uses an account's current values, so take the last change of each,
# by `lsn`. A delete (`d`) brings no values; the change before it still says who that was.

# %%
changes = ws.bronze("customers")
changes["record_id"] = changes["source_system"] + ":" + changes["customer_id"]
changes["lsn"] = changes["lsn"].astype(int)
known = changes[changes["op"] != "d"].sort_values(["record_id", "lsn"])
accounts = known.drop_duplicates("record_id", keep="last")

# %% [markdown]
# Add when each account was first heard of, and the `profile_id` that the product gave it. The second merge also leaves
# out the accounts that an erasure request names: they are not in silver.

# %%
first_seen = changes.groupby("record_id")["event_ts"].min().rename("first_event_ts").reset_index()
identity = ws.table("customer_identity")[["record_id", "profile_id", "match_rule"]]
accounts = accounts.merge(first_seen, on="record_id").merge(identity, on="record_id")
accounts["record_id"].nunique(), accounts["profile_id"].nunique()

# %% [markdown]
# So the product sees this many accounts, and this many people behind them. Here are the accounts of everybody named
# Mayer. Before you read on, try to say which of them are İpek's, and on what evidence.

# %%
shown = ["record_id", "first_name", "email", "phone", "date_of_birth", "street"]
accounts.loc[accounts["last_name"] == "Mayer", shown]

# %% [markdown]
# One of İpek's accounts has her e-mail in capitals, one has another address, one has no street. Her phone number stands
# in two of the four. Tobias is somebody else. Marisol shares last name, date of birth and street with her sister, and
# that is the trouble of this lesson.
#
# ## Values as they are compared
#
# Computers compare characters; you compared people. *Normalising* takes away what does not matter: letter case, spaces
# at the ends, how a phone number is written, a nickname instead of the full name. How much does it change? Count the
# different values before and after, for e-mail and phone.

# %%
email = accounts["email"].str.strip().str.lower()
phone = accounts["phone"].str.replace("[^0-9]", "", regex=True).str[-9:]
pd.DataFrame(
    {"as written": accounts[["email", "phone"]].nunique(), "as compared": [email.nunique(), phone.nunique()]}
)

# %% [markdown]
# The last nine digits are kept because `+49 151 …`, `0049 151 …` and `0151 …` are one number. First names have
# nicknames, which the course keeps as a list. Turn it into a dict from nickname to full name, in small letters.

# %%
nicknames = {nick.lower(): full.lower() for full, nicks in NICKNAMES.items() for nick in nicks}
nicknames["tom"], nicknames["gitti"], nicknames["maxi"]

# %% [markdown]
# Folding loses something too: a woman whose full name is Kim is now taken for a Kimberly. That is why a name is never
# evidence alone. And one value deserves suspicion above all others: the one that is not there. Bronze writes it `''`.

# %%
accounts["loyalty_id"].value_counts().head(1)

# %% [markdown]
# More than a thousand accounts have the same loyalty id, namely none. A `merge` of that column with itself gives every
# pair of them, over a million "matches". Absent is not a value; it equals nothing, not even another absent.
#
# It need not be that many to do harm. Two men are named Anthony Delgado, father and son, and use one mailbox. The
# accounts `app` and `shop` are of different men, as the phone numbers suggest, and neither gives a date of birth.

# %%
anthony = (accounts["first_name"] == "Anthony") & (accounts["last_name"] == "Delgado")
accounts.loc[anthony, ["record_id", "first_name", "email", "phone", "date_of_birth"]]

# %% [markdown]
# ### Exercise 1: three faults in a key (12 minutes)
#
# A match key is one text: two accounts with the same key are taken for one person. A colleague wrote this one, for the
# rule "same e-mail, same first name, same date of birth":
#
# ```python
# def match_key(table, short_names):
#     mail = table["email"].str.lower()
#     name = table["first_name"].replace(short_names).str.lower()
#     return mail + "|" + name + "|" + table["date_of_birth"]
# ```
#
# It joins these two Anthonys, and it misses pairs that you would have joined at a glance. There are three faults. Write
# the function without them.
#
# `accounts` has text columns, absent is `''`, and a cell of nothing but spaces is absent too. `nicknames` is a dict
# like the one above. Return a column aligned with `accounts`: `email|first name|date of birth`, folded, and null where
# the account has no key.

# %% exercise="identity.match_key" objective="1" criterion="identity"
def match_key(accounts, nicknames):
    email = accounts["email"].str.strip().str.lower()
    first_name = accounts["first_name"].str.strip().str.lower().replace(nicknames)
    born = accounts["date_of_birth"].str.strip()
    is_whole = (email != "") & (first_name != "") & (born != "")
    return (email + "|" + first_name + "|" + born).where(is_whole)

# %% stub="identity.match_key"
def match_key(accounts, nicknames):
    """The key `email|first name|date of birth` of each account; null where one of the three is absent."""
    ...

# %% check="identity.match_key"
check("identity.match_key", match_key)

# %% [markdown]
# Stuck? `hint("identity.match_key")` gives one hint at a time; after an attempt `solution("identity.match_key")` shows
# one answer.

# %% [markdown] hint="identity.match_key"
# What is the key of an account without a date of birth? Which other account gets the same?

# %% [markdown] hint="identity.match_key"
# The dict knows `tom`. Does it know `Tom`, or `tom` with a space behind it? In which order must the three steps on a first name come?

# %% [markdown] hint="identity.match_key"
# Fold each part on its own first. Then say for which rows all three parts are there, and keep the key of those rows only: a column's `where` does that.

# %% cases="identity.match_key"
def cases(workspace):
    rows = workspace.bronze("customers")
    rows = rows[rows["op"] != "d"].reset_index(drop=True)
    rows["first_name"] = rows["first_name"].str.replace("İ", "I")  # lower() of this letter differs: pandas, Python
    names = {nick.lower(): full.lower() for full, nicks in NICKNAMES.items() for nick in nicks}
    made = pd.DataFrame(
        [
            ("a:1", " Tom ", "TOM@post.example", "1990-01-01"),
            ("a:2", "thomas", "tom@post.example ", "1990-01-01"),
            ("a:3", "Anthony", "a@post.example", ""),
            ("a:4", "Anthony", "a@post.example", ""),
            ("a:5", "Ida", "", "1977-11-14"),
            ("a:6", "Ida", "   ", "1977-11-14"),
            ("a:7", "", "b@post.example", "1980-02-29"),
            ("a:8", "  ", "b@post.example", "1980-02-29"),
            ("a:9", "", "", ""),
            ("b:1", "GITTI", "c@post.example", "1961-05-05"),
            ("b:2", "Brigitte", "c@post.example", " "),
            ("b:3", "tom", "d@post.example", "1990-01-01"),
        ],
        columns=["record_id", "first_name", "email", "date_of_birth"],
        index=[7, 3, 11, 0, 2, 9, 5, 4, 8, 1, 6, 10],
    )
    return [(made, {"tom": "thomas", "gitti": "brigitte"}), (rows, names)]

# %% wrong="identity.match_key" misconception="absent-matches-absent" says="Where a part is absent you still make a key, so two accounts that both lack it get the same key and are joined. What is absent equals nothing: such an account has no key."
def match_key(accounts, nicknames):
    email = accounts["email"].str.strip().str.lower()
    first_name = accounts["first_name"].str.strip().str.lower().replace(nicknames)
    return email + "|" + first_name + "|" + accounts["date_of_birth"].str.strip()

# %% wrong="identity.match_key" misconception="nickname-before-folding" says="You look up the nickname before spaces and capitals are gone, so Tom is not found under tom. Fold first, then look up."
def match_key(accounts, nicknames):
    email = accounts["email"].str.strip().str.lower()
    first_name = accounts["first_name"].replace(nicknames).str.strip().str.lower()
    born = accounts["date_of_birth"].str.strip()
    is_whole = (email != "") & (first_name != "") & (born != "")
    return (email + "|" + first_name + "|" + born).where(is_whole)

# %% wrong="identity.match_key" misconception="spaces-kept" says="Spaces at the ends are still there: a nickname with a space behind it is not found, and a cell of nothing but spaces counts as a value."
def match_key(accounts, nicknames):
    email, born = accounts["email"].str.lower(), accounts["date_of_birth"]
    first_name = accounts["first_name"].str.lower().replace(nicknames)
    is_whole = (email != "") & (first_name != "") & (born != "")
    return (email + "|" + first_name + "|" + born).where(is_whole)

# %% wrong="identity.match_key" misconception="spaces-kept-but-dates" says="Dates are tested for being absent after their spaces are gone, e-mails and first names before. Take the spaces away first, on all three."
def match_key(accounts, nicknames):
    email, first_name, born = (accounts[name].str.strip() for name in ("email", "first_name", "date_of_birth"))
    is_whole = (accounts["email"] != "") & (accounts["first_name"] != "") & (born != "")
    return (email.str.lower() + "|" + first_name.str.lower().replace(nicknames) + "|" + born).where(is_whole)

# %% wrong="identity.match_key" misconception="only-the-email-must-be-there" says="You ask that the e-mail is there, but an absent date of birth or first name still matches another absent one. All three parts must be there."
def match_key(accounts, nicknames):
    email = accounts["email"].str.strip().str.lower()
    first_name = accounts["first_name"].str.strip().str.lower().replace(nicknames)
    return (email + "|" + first_name + "|" + accounts["date_of_birth"].str.strip()).where(email != "")

# %% wrong="identity.match_key" misconception="only-all-absent-is-absent" says="You take the key away only where everything is absent. One absent part is enough: the other two are not the evidence that the rule asks for."
def match_key(accounts, nicknames):
    email = accounts["email"].str.strip().str.lower()
    first_name = accounts["first_name"].str.strip().str.lower().replace(nicknames)
    born = accounts["date_of_birth"].str.strip()
    is_whole = (email != "") | (first_name != "") | (born != "")
    return (email + "|" + first_name + "|" + born).where(is_whole)

# %% wrong="identity.match_key" misconception="nicknames-forgotten" says="Nicknames are not turned into full names, so Gitti and Brigitte get different keys."
def match_key(accounts, nicknames):
    email = accounts["email"].str.strip().str.lower()
    first_name = accounts["first_name"].str.strip().str.lower()
    born = accounts["date_of_birth"].str.strip()
    is_whole = (email != "") & (first_name != "") & (born != "")
    return (email + "|" + first_name + "|" + born).where(is_whole)

# %% wrong="identity.match_key" misconception="names-without-nickname-lost" says="A first name that is no nickname comes out as null, because map knows only what is in the dict. Keep the name itself where the dict has nothing."
def match_key(accounts, nicknames):
    email = accounts["email"].str.strip().str.lower()
    first_name = accounts["first_name"].str.strip().str.lower().map(nicknames)
    born = accounts["date_of_birth"].str.strip()
    is_whole = (email != "") & (first_name != "") & (born != "")
    return (email + "|" + first_name + "|" + born).where(is_whole)

# %% wrong="identity.match_key" misconception="empty-text-for-null" says="An account without a key gets empty text. Empty text equals empty text, so all of these accounts would be one person; null is what matches nothing."
def match_key(accounts, nicknames):
    email = accounts["email"].str.strip().str.lower()
    first_name = accounts["first_name"].str.strip().str.lower().replace(nicknames)
    born = accounts["date_of_birth"].str.strip()
    is_whole = (email != "") & (first_name != "") & (born != "")
    return (email + "|" + first_name + "|" + born).where(is_whole, "")

# %% wrong="identity.match_key" misconception="nothing-mended" says="This still behaves as the colleague's version. Look at the first name: in which order are spaces, capitals and nicknames dealt with? And at what happens where a part is absent."
def match_key(accounts, nicknames):
    email = accounts["email"].str.lower()
    first_name = accounts["first_name"].replace(nicknames).str.lower()
    return email + "|" + first_name + "|" + accounts["date_of_birth"]

# %% right="identity.match_key"
def match_key(accounts, nicknames):
    keys = []
    for email, first, born in zip(accounts["email"], accounts["first_name"], accounts["date_of_birth"]):
        email, first, born = email.strip().lower(), first.strip().lower(), born.strip()
        keys.append(f"{email}|{nicknames.get(first, first)}|{born}" if email and first and born else None)
    return pd.Series(keys, index=accounts.index)

# %% right="identity.match_key"
def match_key(accounts, nicknames):
    parts = [accounts[name].str.strip().str.casefold() for name in ("email", "first_name", "date_of_birth")]
    parts[1] = parts[1].map(lambda name: nicknames.get(name, name))
    parts = [part.mask(part == "") for part in parts]
    return parts[0].str.cat(parts[1:], sep="|")

# %% right="identity.match_key"
def match_key(accounts, nicknames):
    table = accounts[["email", "first_name", "date_of_birth"]].apply(lambda column: column.str.strip().str.lower())
    table["first_name"] = table["first_name"].replace(nicknames)
    table = table[(table != "").all(axis=1)]
    return table.agg("|".join, axis=1).reindex(accounts.index)

# %% [markdown]
# From here on, the lesson uses columns made the same way for every value: folded, null where absent. They are for
# comparing only and nobody ever gets to see them.
#
# One warning from the name İpek: plain Python's `lower()` and that of some table engines turn its first letter into
# different characters, so texts that look equal are not. Fold in one place, with one function. The product does so
# in `c360lib.cells.fold`.

# %%
keys = accounts[["record_id", "profile_id"]].copy()
keys["first_name_key"] = accounts["first_name"].str.strip().str.lower().replace(nicknames)
keys["last_name_key"] = accounts["last_name"].str.strip().str.lower()
keys["email_key"], keys["phone_key"], keys["date_of_birth"] = email, phone, accounts["date_of_birth"]
keys = keys.mask(keys == "")

# %% [markdown]
# The Mayers again, as they are compared:

# %%
keys.loc[keys["last_name_key"] == "mayer", ["record_id", "email_key", "phone_key", "date_of_birth"]]

# %% [markdown]
# And the truth, kept apart until it is time to measure: `person_id` says whose account it is, `hard_case` why it is
# hard to match. A layer that read this file would be cheating; only measures and lessons do.

# %%
truth = ws.truth()
truth["record_id"] = truth["source_system"] + ":" + truth["customer_id"]
keys = keys.merge(truth[["record_id", "person_id", "hard_case"]], on="record_id")
keys["hard_case"].value_counts()

# %% [markdown]
# ## Rules are data
#
# > **match rule**: columns that must all be present and all be equal for two accounts to count as one person.
#
# A rule is nothing but a tuple of columns, so it can be read, versioned and argued about without reading code. These
# are the six rules of the product, strongest first. Five of the six ask for the date of birth, and none does without
# either the first name or a loyalty card. The *limit* you will meet below.

# %%
rules = pd.DataFrame(MATCH_RULES)
rules["columns that must agree"] = rules["columns"].map(" + ".join).str.replace("_key", "")
rules[["columns that must agree", "weight", "limit"]]

# %% [markdown]
# > **over-merge**: accounts of different people end up as one person.
#
# > **under-merge**: accounts of one person end up as several people.
#
# The two errors pull against each other, and they do not cost the same. Under-merged, Anton gets two letters and looks
# like two small customers. Over-merged, one person reads another's orders, and a consent is used that its owner never
# gave. When in doubt, a customer platform leaves accounts apart.
#
# ### Exercise 2: what a loose rule does to the twins (5 minutes)
#
# Somebody proposes a seventh rule: `("last_name_key", "date_of_birth")`. "Who shares both is surely one person, and we
# would find people who type their first name differently." Look again at the table of the Mayers: İpek has four
# accounts, Marisol two.
#
# Predict: among the accounts of these twins, how many *pairs of accounts* would the new rule put together that are not
# one person? A pair counts once, whichever comes first. Give a whole number, before you run anything.

# %% exercise="identity.wrong_pairs" objective="2" criterion="identity"
wrong_pairs = 8

# %% stub="identity.wrong_pairs"
wrong_pairs = ...

# %% check="identity.wrong_pairs"
check("identity.wrong_pairs", wrong_pairs)

# %% [markdown] hint="identity.wrong_pairs"
# Take one of Marisol's accounts. With how many accounts that are not hers would the rule join it?

# %% [markdown] hint="identity.wrong_pairs"
# A wrong pair takes one account of each sister. Pairs within İpek's four, or within Marisol's two, are right.

# %% truth="identity.wrong_pairs"
def truth(workspace):
    rows = workspace.bronze("customers")
    rows = rows[rows["op"] != "d"].assign(lsn=lambda table: table["lsn"].astype(int)).sort_values("lsn")
    rows = rows.drop_duplicates(["source_system", "customer_id"], keep="last")
    rows = rows.merge(workspace.truth(), on=["source_system", "customer_id"])
    born = rows.loc[(rows["first_name"] == "Marisol") & (rows["last_name"] == "Mayer"), "date_of_birth"].iloc[0]
    twins = rows[(rows["last_name"].str.lower() == "mayer") & (rows["date_of_birth"] == born)]
    people = twins["person_id"].tolist()
    return sum(a != b for place, a in enumerate(people) for b in people[:place])

# %% wrong="identity.wrong_pairs" misconception="all-pairs-counted" says="That is every pair among the six accounts. The pairs within one sister's accounts are right; count only those that take one account of each."
wrong_pairs = 15

# %% wrong="identity.wrong_pairs" misconception="accounts-instead-of-pairs" says="That is the number of accounts in the merged cluster. The question asks for pairs: each account of the one sister with each account of the other."
wrong_pairs = 6

# %% wrong="identity.wrong_pairs" misconception="one-merge-is-one-error" says="It is one merge of two people, but every account of the one now counts as the same person as every account of the other. Count the pairs."
wrong_pairs = 1

# %% wrong="identity.wrong_pairs" misconception="right-pairs-counted" says="Those are the pairs that are right: within İpek's four accounts and within Marisol's two. The rule joins these too, but the question is about the others."
wrong_pairs = 7

# %% wrong="identity.wrong_pairs" misconception="people-instead-of-pairs" says="Two people are merged, but the harm is counted in pairs of accounts: each account of the one with each account of the other."
wrong_pairs = 2

# %% wrong="identity.wrong_pairs" misconception="a-pair-counted-twice" says="You count each pair from both ends. A pair counts once, whichever account comes first."
wrong_pairs = 16

# %% [markdown]
# See it as a graph: each mark is an account, each line a pair that a rule links. `identity_edges` has a row for each
# pair and rule; take the strongest rule of each pair.

# %%
twins = accounts[(accounts["last_name"] == "Mayer") & (accounts["date_of_birth"] == "1999-04-23")]
twins = twins.merge(truth[["record_id", "person_id"]], on="record_id").sort_values(["person_id", "record_id"])
edges = ws.table("identity_edges").sort_values("weight", ascending=False)
edges = edges.drop_duplicates(["left_record_id", "right_record_id"])
edges = edges[edges["left_record_id"].isin(twins["record_id"])].sort_values(["left_record_id", "right_record_id"])

# %% [markdown]
# The links of the loose rule that cross between the sisters pair each account of the one with each of the other.

# %%
sides = twins[["record_id", "person_id"]].merge(twins[["record_id", "person_id"]], how="cross")
sides = sides[sides["person_id_x"] < sides["person_id_y"]]
bad = sides.rename(columns={"record_id_x": "left_record_id", "record_id_y": "right_record_id"})

# %% [markdown]
# Draw both: the product's links on the left, the loose rule's added on the right.

# %%
show(
    plots.identity.bad_merge(twins, edges, bad),
    alt="Two graphs: six accounts in two clusters by the product's rules; one more rule links all accounts of the twins",
)

# %% [markdown]
# On the left, two clusters: no link crosses between the sisters. Every rule but one asks for the same first name, and
# that one asks for the same loyalty card. On the right the loose rule links everybody with everybody. And it would not
# need all of those lines: *one* of them is enough to make one cluster.
#
# ## From links to people
#
# Links are pairs; people are groups. Not all accounts of a person share something with each other: the first shares an
# e-mail with the second, the second a phone with the third, and the first and the third have nothing in common. They
# are one person all the same. Such groups are called *connected components*: two accounts are in one component if you
# can walk from one to the other along links.
#
# ### Exercise 3: join accounts into people (12 minutes)
#
# Write `link_accounts(record_ids, pairs)`. `record_ids` is a list of all accounts, `pairs` a list of tuples of two
# record_ids, in any order, perhaps with a pair twice. Return a dict that gives for each account the smallest record_id
# of its component. An account without a link stands for itself.
#
# For `["a", "b", "c", "d"]` and `[("c", "b"), ("a", "b")]` the answer is `{"a": "a", "b": "a", "c": "a", "d": "d"}`.

# %% exercise="identity.link_accounts" objective="3" criterion="identity"
def link_accounts(record_ids, pairs):
    smallest = {record_id: record_id for record_id in record_ids}
    moved = True
    while moved:
        moved = False
        for left, right in pairs:
            low = min(smallest[left], smallest[right])
            moved = moved or smallest[left] != smallest[right]
            smallest[left] = smallest[right] = low
    return smallest

# %% stub="identity.link_accounts"
def link_accounts(record_ids, pairs):
    """A dict from each record_id to the smallest record_id that it can be reached from along the pairs."""
    ...

# %% check="identity.link_accounts"
check("identity.link_accounts", link_accounts)

# %% [markdown] hint="identity.link_accounts"
# Start with a dict in which every account stands for itself. What should a pair do to the two entries of its ends?

# %% [markdown] hint="identity.link_accounts"
# Try the pairs `("c", "d")`, `("b", "c")`, `("a", "b")` in this order, on paper. After going through them once, what does `d` say? What if you go through them again?

# %% [markdown] hint="identity.link_accounts"
# Give both ends of each pair the smaller of their two entries, and go through all pairs again and again until a whole round changes nothing.

# %% cases="identity.link_accounts"
def cases(workspace):
    names = list("abcdefghij")
    chain = [("e", "f"), ("c", "d"), ("d", "e"), ("b", "c"), ("a", "b")]
    middle = [("c", "a"), ("d", "b"), ("c", "d"), ("h", "g"), ("g", "h"), ("i", "i")]
    late = [("a", "b"), ("c", "d"), ("e", "f"), ("f", "d"), ("d", "b")]
    identity = workspace.table("customer_identity")["record_id"].tolist()
    edges = workspace.table("identity_edges")
    pairs = list(zip(edges["right_record_id"].tolist(), edges["left_record_id"].tolist()))
    made = [(list(names), chain), (names[::-1], middle), (list(names), late), (list(names), [])]
    return [*made, (identity, pairs[::-1])]

# %% wrong="identity.link_accounts" misconception="direct-neighbours-only" says="An account takes the smallest of its direct neighbours, so a chain of three links breaks into pieces. Whoever can be reached over several links belongs too."
def link_accounts(record_ids, pairs):
    smallest = {record_id: record_id for record_id in record_ids}
    for left, right in pairs:
        smallest[left] = min(smallest[left], right)
        smallest[right] = min(smallest[right], left)
    return smallest

# %% wrong="identity.link_accounts" misconception="one-round-only" says="One walk through the pairs is not enough: what an early pair has settled is not told when a later pair finds something smaller. Repeat until nothing changes."
def link_accounts(record_ids, pairs):
    smallest = {record_id: record_id for record_id in record_ids}
    for left, right in pairs:
        smallest[left] = smallest[right] = min(smallest[left], smallest[right])
    return smallest

# %% wrong="identity.link_accounts" misconception="a-fixed-number-of-rounds" says="Two rounds settle short chains only. How many are needed depends on the data, so go on until a round changes nothing."
def link_accounts(record_ids, pairs):
    smallest = {record_id: record_id for record_id in record_ids}
    for left, right in [*pairs, *pairs]:
        smallest[left] = smallest[right] = min(smallest[left], smallest[right])
    return smallest

# %% wrong="identity.link_accounts" misconception="accounts-alone-vanish" says="Accounts without any link are missing. Each of them is a person of its own, and must not vanish."
def link_accounts(record_ids, pairs):
    smallest = {record_id: record_id for pair in pairs for record_id in pair}
    for _ in pairs:
        for left, right in pairs:
            smallest[left] = smallest[right] = min(smallest[left], smallest[right])
        if all(smallest[left] == smallest[right] for left, right in pairs):
            break
    return smallest

# %% wrong="identity.link_accounts" misconception="links-have-a-direction" says="The right end takes over what the left end says, never the other way round. A link has no direction: both ends get the smaller of the two."
def link_accounts(record_ids, pairs):
    smallest = {record_id: record_id for record_id in record_ids}
    for _ in range(len(smallest)):
        before = dict(smallest)
        for left, right in pairs:
            smallest[right] = min(smallest[left], smallest[right])
        if before == smallest:
            break
    return smallest

# %% wrong="identity.link_accounts" misconception="any-member-names-the-group" says="The groups are right, but they are named by whichever member the pairs happened to bring first. The smallest record_id names them; otherwise another order of the same pairs gives other names."
def link_accounts(record_ids, pairs):
    groups = {record_id: [record_id] for record_id in record_ids}
    for left, right in pairs:
        if groups[left] is not groups[right]:
            groups[left].extend(groups[right])
            for member in groups[right]:
                groups[member] = groups[left]
    return {record_id: group[0] for record_id, group in groups.items()}

# %% right="identity.link_accounts"
def link_accounts(record_ids, pairs):
    parent = {record_id: record_id for record_id in record_ids}

    def root(record_id):
        while parent[record_id] != record_id:
            record_id = parent[record_id]
        return record_id

    for left, right in pairs:
        low, high = sorted([root(left), root(right)])
        parent[high] = low
    return {record_id: root(record_id) for record_id in record_ids}

# %% right="identity.link_accounts"
def link_accounts(record_ids, pairs):
    near = {record_id: set() for record_id in record_ids}
    for left, right in pairs:
        near[left].add(right)
        near[right].add(left)
    found = {}
    for start in sorted(record_ids):
        waiting = [] if start in found else [start]
        while waiting:
            at = waiting.pop()
            if at not in found:
                found[at] = start
                waiting.extend(near[at])
    return found

# %% right="identity.link_accounts"
def link_accounts(record_ids, pairs):
    group = {record_id: {record_id} for record_id in record_ids}
    for left, right in pairs:
        both = group[left] | group[right]
        group.update(dict.fromkeys(both, both))
    return {record_id: min(members) for record_id, members in group.items()}

# %% [markdown]
# With keys instead of pairs it goes the same way: everybody who holds a key takes the smallest label among its holders,
# over and over. pandas leaves null keys out of a `groupby`, so absent matches nothing here either. Resolve all accounts
# by four sets of rules; the last one is what the product has in silver.

# %%
rule_sets = {
    "one strict rule": [("email_key", "first_name_key", "date_of_birth")],
    "last name, birth date": [("last_name_key", "date_of_birth")],
    "e-mail or phone": [("email_key",), ("phone_key",)],
}

# %% [markdown]
# Four rounds are plenty for chains as short as these; the product goes on until nothing moves.

# %%
resolved = keys[["record_id", "person_id", "hard_case"]].copy()
for name, columns in rule_sets.items():
    label = keys["record_id"]
    for rule in columns * 4:
        label = label.groupby([keys[one] for one in rule]).transform("min").fillna(label)
    resolved[name] = label

# %% [markdown]
# Into how many people does each of them put the accounts?

# %%
resolved["the product"] = keys["profile_id"]
resolved.drop(columns=["record_id", "hard_case"]).nunique()

# %% [markdown]
# `person_id` counts the true ones, and "e-mail or phone" comes nearest. That proves nothing: over-merges and
# under-merges cancel out in a count. To judge a rule set you have to look inside.
#
# ## Against the truth, pair by pair
#
# > **precision**: of the pairs of accounts that were put together, the share that truly belongs together.
#
# > **recall**: of the pairs of accounts that truly belong together, the share that was put together.
#
# Both count *pairs*. A cluster of 6 accounts makes 15 pairs, and nobody has to list them: a group of n accounts holds
# n (n - 1) / 2. Count the groups of the result, the groups of the truth, and the groups of accounts that agree in
# both.
#
# ### Exercise 4: precision and recall (10 minutes)
#
# Write `precision_recall(predicted, true)`. Both are columns with one label an account, aligned: accounts with the same
# label are one person, in the result and in the truth. Return the tuple `(precision, recall)`, not rounded. Where no
# pair was put together, nothing was put together wrongly: precision is 1.0. Where there is no true pair, recall is 1.0.
#
# For the labels `["a", "a", "a", "b"]` and, in truth, `["x", "x", "y", "y"]`: three pairs are put together, one of them
# is right, and two pairs are true. That makes `(1 / 3, 1 / 2)`.

# %% exercise="identity.precision_recall" objective="4" criterion="quality"
def precision_recall(predicted, true):
    labels = pd.DataFrame({"predicted": predicted, "true": true})
    pairs = []
    for columns in (["predicted"], ["true"], ["predicted", "true"]):
        sizes = labels.groupby(columns).size()
        pairs.append((sizes * (sizes - 1) // 2).sum())
    put, belong, both = pairs
    return (both / put if put else 1.0, both / belong if belong else 1.0)

# %% stub="identity.precision_recall"
def precision_recall(predicted, true):
    """(precision, recall) of one label an account against the truth, counted in pairs of accounts."""
    ...

# %% check="identity.precision_recall"
check("identity.precision_recall", precision_recall)

# %% [markdown] hint="identity.precision_recall"
# You need three numbers: pairs put together, pairs that belong together, and pairs that are both. Which two shares do they make?

# %% [markdown] hint="identity.precision_recall"
# Put the labels into one table with two columns. Group by the first, by the second, and by both, take the sizes, and turn each size into a number of pairs.

# %% [markdown] hint="identity.precision_recall"
# A group of one holds no pair. Check yours with the example: sizes 3 and 1 give 3 + 0 pairs.

# %% cases="identity.precision_recall"
def cases(workspace):
    rows = workspace.table("customer_identity")
    truth = workspace.truth()
    truth["record_id"] = truth["source_system"] + ":" + truth["customer_id"]
    rows = rows.merge(truth, on="record_id")
    first = rows["record_id"].str.slice(0, 6)

    def made(predicted, true):
        return (pd.Series(list(predicted), dtype="str"), pd.Series(list(true), dtype="str"))

    found = [made("aaab", "xxyy"), made("abcd", "xxyy"), made("aabb", "wxyz"), made("aaaaa", "vvwwz")]
    found += [made("aabbcc", "xxyyzz"), made("aaaabc", "xxxxxx")]
    return [*found, (rows["profile_id"], rows["person_id"]), (first, rows["person_id"])]

# %% wrong="identity.precision_recall" misconception="swapped" says="The two are swapped: precision divides by what was put together, recall by what belongs together."
def precision_recall(predicted, true):
    labels = pd.DataFrame({"predicted": predicted, "true": true})
    pairs = []
    for columns in (["predicted"], ["true"], ["predicted", "true"]):
        sizes = labels.groupby(columns).size()
        pairs.append((sizes * (sizes - 1) // 2).sum())
    put, belong, both = pairs
    return (both / belong if belong else 1.0, both / put if put else 1.0)

# %% wrong="identity.precision_recall" misconception="accounts-instead-of-pairs" says="You count accounts whose cluster is clean. In a cluster of six a single stranger makes five wrong pairs; count pairs of accounts, so that large bad merges weigh what they cost."
def precision_recall(predicted, true):
    labels = pd.DataFrame({"predicted": predicted, "true": true})
    is_clean = labels.groupby("predicted")["true"].transform("nunique") == 1
    is_whole = labels.groupby("true")["predicted"].transform("nunique") == 1
    return (is_clean.mean(), is_whole.mean())

# %% wrong="identity.precision_recall" misconception="groups-instead-of-pairs" says="You count clusters that are exactly right. A large cluster and an account that stands alone weigh the same then; count pairs of accounts."
def precision_recall(predicted, true):
    labels = pd.DataFrame({"predicted": predicted, "true": true})
    clean = labels.groupby("predicted")["true"].nunique() == 1
    whole = labels.groupby("true")["predicted"].nunique() == 1
    return (clean.mean(), whole.mean())

# %% wrong="identity.precision_recall" misconception="an-account-pairs-with-itself" says="You count each account as a pair with itself, so accounts that stand alone count as successes and everything looks better. A group of n holds n (n - 1) / 2 pairs; a group of one holds none."
def precision_recall(predicted, true):
    labels = pd.DataFrame({"predicted": predicted, "true": true})
    put, belong, both = ((labels.groupby(c).size() ** 2).sum() for c in ("predicted", "true", ["predicted", "true"]))
    return (both / put, both / belong)

# %% wrong="identity.precision_recall" misconception="nothing-joined-is-nothing-right" says="Where no pair was put together you say 0. Nothing was put together wrongly, so precision is 1 there; it is recall that pays for joining nobody."
def precision_recall(predicted, true):
    labels = pd.DataFrame({"predicted": predicted, "true": true})
    pairs = []
    for columns in (["predicted"], ["true"], ["predicted", "true"]):
        sizes = labels.groupby(columns).size()
        pairs.append((sizes * (sizes - 1) // 2).sum())
    put, belong, both = pairs
    return (both / put if put else 0.0, both / belong if belong else 0.0)

# %% wrong="identity.precision_recall" misconception="accuracy-over-all-pairs" says="You divide by all pairs there are. Nearly all pairs of accounts are strangers that nobody would join, so this is close to 1 whatever the rules do. Divide by the pairs put together, and by the pairs that belong together."
def precision_recall(predicted, true):
    labels = pd.DataFrame({"predicted": predicted, "true": true})
    pairs = []
    for columns in (["predicted"], ["true"], ["predicted", "true"]):
        sizes = labels.groupby(columns).size()
        pairs.append((sizes * (sizes - 1) // 2).sum())
    every = len(labels) * (len(labels) - 1) // 2
    return (1 - (pairs[0] - pairs[2]) / every, 1 - (pairs[1] - pairs[2]) / every)

# %% right="identity.precision_recall"
def precision_recall(predicted, true):
    from collections import Counter

    counts = [Counter(predicted), Counter(true), Counter(zip(predicted, true))]
    put, belong, both = (sum(n * (n - 1) for n in count.values()) for count in counts)
    return [both / put if put else 1, both / belong if belong else 1]

# %% right="identity.precision_recall"
def precision_recall(predicted, true):
    labels = pd.DataFrame({"predicted": predicted.to_numpy(), "true": true.to_numpy()}).reset_index()
    together = labels.merge(labels, on="predicted").query("index_x < index_y")
    belong = labels.merge(labels, on="true").query("index_x < index_y")
    both = (together["true_x"] == together["true_y"]).sum()
    return (both / len(together) if len(together) else 1.0, both / len(belong) if len(belong) else 1.0)

# %% [markdown]
# The product counts the same way for its quality report (`pairwise`, which also keeps the counts). Measure the four rule
# sets.

# %%
counts = {name: pairwise(resolved[name], resolved["person_id"]) for name in [*rule_sets, "the product"]}
scores = pd.DataFrame.from_dict(counts, orient="index").rename_axis("rule_set").reset_index()
scores["precision"] = (scores["correct"] / scores["predicted"]).round(3)
scores["recall"] = (scores["correct"] / scores["true"]).round(3)
scores

# %% [markdown]
# In a picture, with recall to the right and precision upwards:

# %%
show(
    plots.identity.precision_recall(scores),
    alt="Four rule sets by recall and precision: two have no wrong pair, of these the product finds far more",
)

# %% [markdown]
# Top right is where you want to be. One strict rule is never wrong here and finds less than two pairs in three. A shared
# e-mail or phone finds most pairs, and joins people who merely live together. Last name and birth date is worse than
# the product in *both* ways: rules are not simply strict or loose, they can be better chosen. And a precision of 1 on
# some hundred pairs does not promise 1 on millions, where every coincidence happens to somebody.
#
# ### Where it goes wrong
#
# A single number hides who suffers. Mark each account whose cluster holds a stranger, and each whose person is split
# over several clusters, then count by hard case.

# %%
marked = []
for name in [*rule_sets, "the product"]:
    over = resolved.groupby(name)["person_id"].transform("nunique") > 1
    under = resolved.groupby("person_id")[name].transform("nunique") > 1
    marked.append(resolved[["hard_case"]].assign(rule_set=name, over_merged=over, under_merged=under))
marked = pd.concat(marked)

# %% [markdown]
# The chart counts accounts, not pairs: how many customers of each kind would be hit.

# %%
hard = marked[marked["hard_case"] != ""]
by_case = hard.groupby(["rule_set", "hard_case"], sort=False)[["over_merged", "under_merged"]].sum().reset_index()
show(
    plots.identity.merges_by_case(by_case),
    alt="Accounts over- and under-merged, by hard case: each loose rule over-merges other cases, the product none",
)

# %% [markdown]
# - **Twins** share last name, birth date and often the home. What tells them apart is the first name.
# - **Parent and child** of one name share a mailbox or a number. What tells them apart is the date of birth.
# - **Household**: two people and one mailbox, or one phone. First name and date of birth tell them apart.
# - **Key typo**: a mistyped card number or e-mail, or somebody else's entered by mistake. A second column that must
#   agree keeps it from joining strangers.
# - **Recycled phone**: a number that its provider gave to the next person. In this small sample no two accounts show
#   such a number, so no rule set trips over one; among more people some would. First name and date of birth beside the
#   phone are the guard.
#
# No single column tells everybody apart. That is why a rule asks for several columns at once, and why there are several
# rules.
#
# A cheap alarm needs no truth at all: the sizes of the clusters.

# %%
tall = resolved.rename(columns={"person_id": "in truth"}).melt(
    id_vars=["record_id", "hard_case"], var_name="rule_set", value_name="cluster"
)
members = tall.groupby(["rule_set", "cluster"], sort=False).size().rename("accounts").reset_index()
sizes = members.groupby(["rule_set", "accounts"], sort=False).size().rename("people").reset_index()

# %% [markdown]
# The grey bars are the truth, the marks are the rule sets. One step up the side is ten times as many.

# %%
show(
    plots.identity.cluster_sizes(sizes),
    alt="Clusters by number of accounts: nobody in truth has more than four, last name and birth date makes five and six",
)

# %% [markdown]
# In truth nobody has more than four accounts. The rule on last name and birth date has a cluster of five and one of
# six; the six you have met. In production you do not know the truth, but a cluster far larger than yesterday's largest
# should wake somebody. The alarm is cheap and rough: "e-mail or phone" has bad merges too, and none of them stands out.
#
# ## Keys that hundreds share
#
# > **blocked key**: a key that more accounts hold than its limit; it stops being evidence, links nobody, and is listed.
#
# Imagine that a shop's till sends every walk-in customer under the same made-up e-mail, name and date of birth. Here is
# a small workspace with such a fault put in.

# %%
shared = lesson_workspace("silver", customers=150, faults="key_shared_by_hundreds").table("blocked_keys")
shared.assign(pairs=shared["account_count"] * (shared["account_count"] - 1) // 2)

# %% [markdown]
# One key, and all those pairs: if it counted, hundreds of strangers would be one customer. The product ignores a key
# that more than ten accounts hold, and says so in `blocked_keys`. The accounts may still be joined by another rule;
# only this piece of evidence is gone.
#
# ## One bad link
#
# A component trusts every link. So a single wrong one merges two people with all that they have: a *chain error*. Look
# at what "e-mail or phone" does to Carlos Gómez and Matteo Herrmann.

# %%
linked = resolved["e-mail or phone"]
carlos = linked[resolved["record_id"] == "crm:3317996247"].iloc[0]
in_chain = accounts["record_id"].isin(resolved.loc[linked == carlos, "record_id"])
accounts.loc[in_chain, ["record_id", "first_name", "last_name", "email", "phone", "date_of_birth"]]

# %% [markdown]
# Two accounts are Matteo's: the phone numbers agree. In one of them a clerk has entered Carlos's e-mail address by
# mistake, and that account ties everything together. Matteo's other account has nothing in common with Carlos, and yet
# they are now one.
#
# The remedy is a *constraint*, something that must never be true of a cluster, whatever the links say. The product has
# three: no two dates of birth, no pair that somebody has forbidden, no more than 50 accounts. How good is the first?
# Take all pairs that "e-mail or phone" puts together.

# %%
wide = keys[["record_id", "person_id", "date_of_birth"]].assign(cluster=linked)
pairs = wide.merge(wide, on="cluster", suffixes=("", "_other")).query("record_id < record_id_other")
len(pairs)

# %% [markdown]
# Do their dates of birth agree, and are they one person?

# %%
absent = pairs["date_of_birth"].isna() | pairs["date_of_birth_other"].isna()
dates = (pairs["date_of_birth"] == pairs["date_of_birth_other"]).map({True: "same date", False: "two dates"})
one_person = (pairs["person_id"] == pairs["person_id_other"]).map({True: "yes", False: "no"}).rename("one person")
pd.crosstab(one_person, dates.mask(absent, "a date is absent").rename("dates of birth"))

# %% [markdown]
# Two different dates mean two people in two cases of three. In the third a date was mistyped, and the constraint parts
# what belongs together: that is its price, recall given for precision. And the pairs with an absent date show its
# limit: it cannot object to what it does not know.
#
# A component that breaks a constraint is not thrown away. The product takes its links from the strongest rule to the
# weakest, refuses each one that would break something, and keeps the rest. That is what the weights of the rules are
# for. What was refused is listed for a person to look at.
#
# ## When a person decides
#
# > **steward**: a person who decides, on record, about pairs of accounts that the rules cannot settle.
#
# What the product has refused is in the review queue. Put the dates of birth beside it.

# %%
queue = ws.table("identity_review_queue")
born = accounts.set_index("record_id")["date_of_birth"]
queue["left_born"], queue["right_born"] = queue["left_record_id"].map(born), queue["right_record_id"].map(born)
queue[["left_record_id", "right_record_id", "reason", "left_born", "right_born"]]

# %% [markdown]
# Same e-mail, same phone, same full name, and two dates of birth that differ by a day, ten days, a month or a year.
# What would you decide? A steward's decision is a row in `data/steward/decisions.csv`:
#
# ```csv
# left_record_id,right_record_id,decision,reviewer_role,reason,decided_ts
# app:6207863254,crm:5103063371,must_link,data steward,date mistyped by ten days,2026-06-30T10:00:00Z
# app:4501936024,crm:3893826915,cannot_link,data steward,twins; asked both,2026-06-30T10:05:00Z
# ```
#
# - `must_link` joins, and may join two dates of birth, because a person has looked.
# - `cannot_link` parts, and beats any chain of links, `must_link` included.
# - The latest `decided_ts` on a pair holds; at the same second `cannot_link` does.
#
# Say that the steward links all pairs in the queue. What does it change?

# %%
home = keys.set_index("record_id")["profile_id"]
joined = dict(zip(queue["right_record_id"].map(home), queue["left_record_id"].map(home)))
decided = pairwise(keys["profile_id"].replace(joined), keys["person_id"])
more = decided.correct - counts["the product"].correct
pd.Series({"true pairs gained": more, "precision": round(decided.precision, 3), "recall": round(decided.recall, 3)})

# %% [markdown]
# No wrong pair comes with them, and nine decisions bring back more than nine pairs, because a decision joins whole
# clusters. The pairs that are still missed agree in no rule's columns: a date is absent here, a name mistyped there.
# Looser rules would find most of them, and the strangers along with them.
#
# ## A name that stays
#
# A person needs an id that orders, consents and campaigns can refer to, this year and next. People come and go in
# clusters, so which member names the cluster matters. Here are İpek's accounts by age.

# %%
by_age = accounts.sort_values(["first_event_ts", "record_id"])
of_ipek = by_age["profile_id"] == "P-app:4501936024"
by_age.loc[of_ipek, ["record_id", "first_event_ts", "loyalty_id", "email", "profile_id"]]

# %% [markdown]
# > **anchor**: the account that names a person: the oldest one of the cluster, by first event, then by record_id.
#
# ### Exercise 5: choose the anchor (8 minutes)
#
# Two proposals are on the table. One: name a person by the newest account, "it has the freshest data". Two: by the
# strongest identifier, the loyalty id, if there is one. Look at the table above and say what each would have done to
# İpek's id in March and April 2026, and to everything that refers to it. Then write the rule that does not.
#
# `profile_ids(accounts)` gets the columns `record_id`, `cluster`, `first_event_ts`, `last_event_ts` and `loyalty_id`
# (all text but `cluster`), in any order of rows. Timestamps have one form, so as text they sort like time. Return a
# column aligned with `accounts`: `P-` and the record_id of the cluster's oldest account by `first_event_ts`; of equally
# old ones, the smallest record_id.

# %% exercise="identity.profile_ids" objective="5" criterion="production"
def profile_ids(accounts):
    by_age = accounts.sort_values(["first_event_ts", "record_id"])
    return "P-" + by_age.groupby("cluster")["record_id"].transform("first")

# %% stub="identity.profile_ids"
def profile_ids(accounts):
    """The profile_id of each account, `P-` and the record_id of its cluster's oldest account."""
    ...

# %% check="identity.profile_ids"
check("identity.profile_ids", profile_ids)

# %% [markdown] hint="identity.profile_ids"
# Which of the columns can never change, whatever a customer does tomorrow?

# %% [markdown] hint="identity.profile_ids"
# Sort by two columns, so that ties are settled before you pick. Then the account you want is the first of its cluster.

# %% [markdown] hint="identity.profile_ids"
# Every account needs the id, not just the anchor: `transform` gives each row the value of its group, or make a small table of anchors and map it by cluster.

# %% cases="identity.profile_ids"
def cases(workspace):
    changes = workspace.bronze("customers")
    changes["record_id"] = changes["source_system"] + ":" + changes["customer_id"]
    times = changes.groupby("record_id")["event_ts"].agg(first_event_ts="min", last_event_ts="max").reset_index()
    cards = changes.groupby("record_id")["loyalty_id"].max().reset_index()
    rows = workspace.table("customer_identity").merge(times, on="record_id").merge(cards, on="record_id")
    rows["cluster"] = rows.groupby("profile_id").ngroup()
    rows = rows.sort_values(["last_event_ts", "record_id"], ascending=[False, True])
    columns = ["record_id", "cluster", "first_event_ts", "last_event_ts", "loyalty_id"]
    made = pd.DataFrame(
        [
            ("shop:5", 1, "2025-03-01T10:00:00Z", "2025-03-01T10:00:00Z", ""),
            ("crm:9", 1, "2024-01-01T00:00:00Z", "2026-05-01T00:00:00Z", ""),
            ("app:7", 1, "2026-02-02T08:00:00Z", "2026-02-02T08:00:00Z", "L001"),
            ("shop:2", 2, "2025-01-01T00:00:00Z", "2025-06-01T00:00:00Z", "L002"),
            ("shop:1", 2, "2025-01-01T00:00:00Z", "2025-07-01T00:00:00Z", ""),
            ("loyalty:8", 2, "2025-01-01T00:00:01Z", "2025-05-01T00:00:00Z", "L003"),
            ("crm:3", 3, "2026-06-01T00:00:00Z", "2026-06-01T00:00:00Z", ""),
        ],
        columns=columns,
        index=[4, 2, 6, 0, 5, 1, 3],
    )
    return [(made,), (rows[columns],)]

# %% wrong="identity.profile_ids" misconception="newest-names-the-person" says="You name the person by the newest account, so the id changes every time somebody opens another one, and whatever refers to the old id is lost."
def profile_ids(accounts):
    by_age = accounts.sort_values(["first_event_ts", "record_id"])
    return "P-" + by_age.groupby("cluster")["record_id"].transform("last")

# %% wrong="identity.profile_ids" misconception="strongest-identifier-names-the-person" says="You let an account with a loyalty id go first. On the day somebody gets a card the id changes, although the person has not."
def profile_ids(accounts):
    by_age = accounts.assign(no_card=accounts["loyalty_id"] == "")
    by_age = by_age.sort_values(["no_card", "first_event_ts", "record_id"])
    return "P-" + by_age.groupby("cluster")["record_id"].transform("first")

# %% wrong="identity.profile_ids" misconception="smallest-record-id-names-the-person" says="You take the smallest record_id of all. Then a new account in the app renames a person known to the shop for years, because app comes before shop. Age decides; record_id only settles ties."
def profile_ids(accounts):
    return "P-" + accounts.groupby("cluster")["record_id"].transform("min")

# %% wrong="identity.profile_ids" misconception="last-event-instead-of-first" says="You go by the last event of an account. It moves with every change, so the oldest account today may not be the oldest tomorrow; its first event never moves."
def profile_ids(accounts):
    by_age = accounts.sort_values(["last_event_ts", "record_id"])
    return "P-" + by_age.groupby("cluster")["record_id"].transform("first")

# %% wrong="identity.profile_ids" misconception="row-order-settles-ties" says="Two accounts are equally old, and you take whichever stands first in the table. Another order of the same rows gives another id; let the smallest record_id settle it."
def profile_ids(accounts):
    by_age = accounts.sort_values("first_event_ts", kind="stable")
    return "P-" + by_age.groupby("cluster")["record_id"].transform("first")

# %% wrong="identity.profile_ids" misconception="first-row-names-the-person" says="You take the first row of each cluster as the table happens to stand. The order of rows means nothing; sort by age first."
def profile_ids(accounts):
    return "P-" + accounts.groupby("cluster")["record_id"].transform("first")

# %% wrong="identity.profile_ids" misconception="the-bare-record-id" says="The anchors are right, but you give the bare record_id. A profile_id begins with P-, so that nobody takes a person for an account."
def profile_ids(accounts):
    by_age = accounts.sort_values(["first_event_ts", "record_id"])
    return by_age.groupby("cluster")["record_id"].transform("first")

# %% right="identity.profile_ids"
def profile_ids(accounts):
    anchors = accounts.sort_values(["cluster", "first_event_ts", "record_id"]).drop_duplicates("cluster")
    names = anchors.set_index("cluster")["record_id"]
    return accounts["cluster"].map("P-" + names)

# %% right="identity.profile_ids"
def profile_ids(accounts):
    oldest = {}
    for cluster, first, record_id in zip(accounts["cluster"], accounts["first_event_ts"], accounts["record_id"]):
        oldest[cluster] = min(oldest.get(cluster, (first, record_id)), (first, record_id))
    return pd.Series([f"P-{oldest[cluster][1]}" for cluster in accounts["cluster"]], index=accounts.index)

# %% right="identity.profile_ids"
def profile_ids(accounts):
    age = pd.to_datetime(accounts["first_event_ts"])
    oldest = accounts[age == age.groupby(accounts["cluster"]).transform("min")]
    anchors = oldest.groupby("cluster", as_index=False).agg(anchor=("record_id", "min"))
    named = accounts[["cluster"]].reset_index().merge(anchors, on="cluster", how="left").set_index("index")
    return "P-" + named["anchor"]

# %% [markdown]
# How much does it matter? Take the people known at the end of March, name them by both rules, and name them again at
# the end of June, when more accounts have come. Count the ids that changed.

# %%
in_march = by_age[by_age["first_event_ts"] <= "2026-03-31T23:59:59Z"].groupby("profile_id")["record_id"]
in_june = by_age.groupby("profile_id")["record_id"]
newest, oldest = in_march.last(), in_march.first()
changed_newest = (in_june.last()[newest.index] != newest).sum()
changed_oldest = (in_june.first()[oldest.index] != oldest).sum()

# %% [markdown]
# Three months, and this many people would have got another id:

# %%
pd.Series(
    {"people": len(oldest), "ids changed (newest)": changed_newest, "ids changed (oldest)": changed_oldest}
)

# %% [markdown]
# The anchor's id still changes in rare cases: an older account arrives late, or the anchor leaves (an erasure, a
# `cannot_link`). Each of these is an event about identity that whoever stores profile_ids has to hear of. Where two
# people turn out to be one, the id of the older anchor stays.
#
# ## What you can now do
#
# - write a match key that folds case, spaces and nicknames, and gives no key to an account that lacks a part
# - say before running it what a loose rule does to twins, parents and households, in pairs
# - join links into people with connected components, and tell why one bad link is enough to merge two of them
# - count precision and recall in pairs, and look behind them by hard case and by cluster size
# - choose an anchor, so that new accounts leave a profile_id alone
#
# ## Common mistakes
#
# - **Null equals null.** A `merge` or an empty text joins all accounts that lack a value.
# - **One rule on one column.** Each column alone is shared by somebody: twins, families, colleagues, the next owner of
#   a number.
# - **A merge without a way back.** Keep links with their rule and version, refused ones too, and let a person forbid a
#   pair. Who stores only the merged result cannot part it again.
# - **Ids from whatever looks best today.** Newest record, strongest identifier, cluster number of the last run: all of
#   them change while the person does not.
# - **Good-looking averages.** Share of accounts or of all pairs is near 1 for any rule. Pairwise precision and recall
#   are not, and a count of people proves nothing.
# - **One denormalised table without ownership, consent, identity rules, freshness or thresholds.** If nobody can say by
#   which rules its rows became people, nobody can say whose consent a row carries.
# - **Profiles exposed without a contract and a validation report.** `profile_id` is part of that contract, and precision
#   and recall belong into that report.
#
# ## Further reading
#
# - [Matching rules, weights and limits](../docs/data-dictionary.md#matching) and
#   [how identity is built](../docs/architecture.md#identity) in this course.
# - The rules as data, [`c360lib/rules.py`](../c360lib/rules.py), and the cut in
#   [`c360lib/identity/clusters.py`](../c360lib/identity/clusters.py).
# - David Menestrina, Steven Whang, Hector Garcia-Molina: *Evaluating Entity Resolution Results*, PVLDB 2010.
# - Peter Christen: *Data Matching*, Springer 2012.
# - Ivan Fellegi, Alan Sunter: *A Theory for Record Linkage*, Journal of the American Statistical Association, 1969: how
#   to weigh values that are nearly equal. The probabilistic half of identity, which this lesson leaves out, begins here.
