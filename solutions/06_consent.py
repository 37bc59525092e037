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
# # 06 Consent: who may be reached, and for what
#
# *60 minutes · after lesson 05 · you need: pandas filter, groupby, merge*
#
# ## What you will do
#
# 1. spell out what one choice covers, channel by channel
# 2. find the choice that holds at a given moment, whatever order the choices arrived in
# 3. decide who may be reached, and give the reason for everybody who may not
# 4. find the leaks in a small export and close them
# 5. predict what merging two profiles does to their consent
#
# ## In production
#
# | here | in production |
# |---|---|
# | `consent_events` | consent stream: a governance input, not a marketing attribute |
# | an `unsubscribed` touch in `campaign_events` | feedback from the sending tool, joined into the same stream |
# | `activation_candidates` | the only door to campaign tools, tested again at the moment of sending |
# | `consent_leak_count` in the quality report | a release gate: one leak, and nothing is published |
#
# A marketing attribute is something you would like to know about a person. Consent is what the person allows you to do.
# So it does not sit in a profile as one more yes-or-no column: it decides, per use, whether a row may leave the house.
#
# ## The story so far
#
# Gold knows that Simone Jansen has lapsed, and a win-back campaign is planned for people like her. May it reach her?
# She agreed to marketing in April 2025, took that back in January 2026, and agreed again in March 2026. Ayşe Rossi
# said yes twice in the shop and no once in the loyalty scheme. Anton Schneider has four accounts; one of them spoke.
# And Ida Ferrara, who never ordered, said yes to one thing and no to another.

# %% tags=["setup"]
import pandas as pd

from c360lib import plots
from c360lib.course import check, hint, lesson_workspace, show, solution
from c360lib.rules import CHANNELS

# %% [markdown]
# The lesson starts from silver. It also looks at one gold table, to compare with.

# %%
ws = lesson_workspace("gold")
consents = ws.table("consent_events")
consents[["purpose", "channel", "status"]].value_counts(dropna=False).head(6)

# %% [markdown]
# ## One person, day by day
#
# Each row of `consent_events` is one choice of one person. These are Simone's. (`event_ts` is when she chose,
# `ingest_ts` is when we received it, and `NaT` in `expires_ts` means that the choice has no end.)

# %%
simone = consents[consents["profile_id"] == "P-shop:5262075482"].sort_values("event_ts")
simone[["purpose", "channel", "status", "event_ts", "ingest_ts", "expires_ts"]]

# %% [markdown]
# The words of such a row:
#
# > **purpose**: what the data may be used for: marketing, personalization or analytics; a yes to one is never a yes to another.
#
# > **channel**: the way a person is reached: e-mail, SMS or push; a choice may name one, or `any`.
#
# > **withdrawal**: a choice that takes an earlier grant back; nobody has to give a reason for it, and it works at once.
#
# > **expiry**: the moment at which a grant ends by itself, `expires_ts`; refusals do not end.
#
# > **consent state**: what may be done with one person's data, for one purpose, on one channel, at one moment.
#
# > **proof**: the one event that a consent state rests on, by its id, so that the answer can be shown to whoever asks.
#
# > **activation**: using a profile to reach its person; here, leaving through `activation_candidates`.
#
# Now walk through Simone's marketing choices. On some days, in the evening, ask: what had she chosen by then, as far as
# we knew? Only choices that had happened *and* arrived can be known.

# %%
dates = ["2025-03-31", "2025-04-01", "2026-01-12", "2026-01-13", "2026-03-17", "2026-03-20", "2026-06-30"]
days = pd.DataFrame({"evening": [pd.Timestamp(f"{date} 23:59:59", tz="UTC") for date in dates]})
told = days.merge(simone[simone["purpose"] == "marketing"], how="cross")
known = told[(told["event_ts"] <= told["evening"]) & (told["ingest_ts"] <= told["evening"])]
known.groupby("evening")[["status", "event_ts", "event_id"]].last()

# %% [markdown]
# Seven days were asked, and six are in the answer. On 31 March 2025 nothing was known of her, and unknown is not a
# weak yes: it blocks. On 17 March 2026 she had clicked yes the night before, but the click reached us on the 20th.
# Until then the withdrawal held, although she had changed her mind. That cost us a few days. The opposite mistake,
# writing to somebody who has said no, costs the other person.
#
# Her whole history as a picture. Each lane is a purpose; she always spoke for every channel.

# %%
lanes = simone.assign(lane=simone["purpose"] + ",\nany channel").sort_values("purpose", ascending=False)
title = "Simone Jansen: granted, withdrawn, granted again; and a grant that ended by itself"
show(
    plots.consent.timeline(lanes, ws.as_of, title),
    alt="Timeline of Simone Jansen's consent: marketing granted April 2025, withdrawn January 2026, granted again March 2026; analytics denied, then granted, then expired in June 2026.",
)

# %% [markdown]
# The analytics grant ended on 2 June 2026. It does not matter that it is the newest choice, nor what she had said
# before it: an ended grant is an end, not a return to the choice before. And the days in March, closer:

# %%
march = pd.to_datetime(["2026-03-14", "2026-03-24"], utc=True)
title = "March 2026: for almost four days she had agreed and we could not know"
show(
    plots.consent.late_choice(simone[simone["purpose"] == "marketing"], *march, title),
    alt="Ten days in March 2026, twice: by event time Simone's marketing is granted from late on 16 March, by arrival only from the evening of 20 March.",
)

# %% [markdown]
# Both times are needed, for different questions. *Which choice is later?* is asked of `event_ts`, because that is the
# order in which she chose. *May we act on it yet?* is asked of `ingest_ts` too. Whoever lets `ingest_ts` answer the
# first question lets a slow line overrule a person.
#
# ## What a choice covers
#
# Not every choice comes from the consent page. Who unsubscribes from a campaign has withdrawn marketing on that
# channel. So these touches join the choices, with a proof that says where they come from.

# %%
touches = ws.table("campaign_events")
left = touches[touches["event_name"] == "unsubscribed"].assign(purpose="marketing", status="withdrawn")
left["event_id"] = "campaign_events:" + left["event_id"]
choices = pd.concat([consents, left])[consents.columns.drop("policy_version")]
len(consents), len(left), len(choices)

# %% [markdown]
# And not every choice names a channel. Here are the channels as they stand, for three people of the story.

# %%
names = {"P-shop:8784469783": "Ayşe", "P-crm:2860240824": "Anton", "P-app:2474943722": "Ida"}
story = choices.assign(name=choices["profile_id"].map(names)).dropna(subset="name").sort_values(["name", "event_ts"])
story[["name", "record_id", "purpose", "channel", "status", "event_ts"]]

# %% [markdown]
# `any` means every channel. So does a channel that is not given: the form had no such question, and the person answered
# for all. Ayşe's marketing choices are about e-mail and nothing else; about SMS she has not said a word.
#
# ### Exercise 1: what a choice covers (7 minutes)
#
# Before choices can be compared, each must stand in every channel that it speaks for. Write `expand(choices)`. It gets
# choices as above (a channel is `email`, `sms`, `push`, `any` or null) and returns the same columns, one row for each
# choice and channel that it covers; `channel` is then always one of `CHANNELS`, which is imported. Rows may stand in
# any order. The table `story` is a good one to try it on.

# %% exercise="consent.expand" objective="1" criterion="consent"
def expand(choices):
    is_any = choices["channel"].isna() | (choices["channel"] == "any")
    copies = [choices[is_any].assign(channel=channel) for channel in CHANNELS]
    return pd.concat([choices[~is_any], *copies])

# %% stub="consent.expand"
def expand(choices):
    """Choices, one row for each channel that they cover; the channel is email, sms or push."""
    ...

# %% check="consent.expand"
check("consent.expand", expand)

# %% [markdown]
# Stuck? `hint("consent.expand")` gives one hint at a time; after an attempt `solution("consent.expand")` shows one
# answer.

# %% [markdown] hint="consent.expand"
# Part the rows in two: those that name one channel, and those that speak for all. Which of the two holds a null channel?

# %% [markdown] hint="consent.expand"
# A row that names one channel stays as it is. A row that speaks for all is needed three times, each time with another channel.

# %% [markdown] hint="consent.expand"
# `table.assign(channel="sms")` gives a copy of a table with that channel in every row; `pd.concat` puts tables under each other.

# %% cases="consent.expand" key="event_id, channel"
def cases(workspace):
    columns = ["event_id", "profile_id", "purpose", "channel", "status"]
    rows = workspace.table("consent_events")[columns]
    made = pd.DataFrame(
        [
            ("C1", "P-a:1", "marketing", "email", "granted"),
            ("C2", "P-a:1", "marketing", "any", "withdrawn"),
            ("C3", "P-a:1", "marketing", None, "granted"),
            ("C4", "P-a:2", "analytics", "push", "denied"),
            ("C5", "P-a:2", "analytics", None, "denied"),
            ("C6", "P-a:3", "marketing", "sms", "granted"),
        ],
        columns=columns,
        index=[4, 0, 5, 1, 3, 2],
    )
    return [(made,), (made[made["channel"] == "sms"],), (rows,)]

# %% wrong="consent.expand" misconception="one-channel-is-every-channel" says="You let a choice for one channel speak for all three. A yes to e-mail is then a yes to SMS as well, which nobody has said: the any-channel leak."
def expand(choices):
    return pd.concat([choices.assign(channel=channel) for channel in CHANNELS])

# %% wrong="consent.expand" misconception="empty-channel-vanishes" says="Choices without a channel are lost. A withdrawal may be among them, and then an older grant seems to hold. No channel given means every channel."
def expand(choices):
    is_any = choices["channel"] == "any"
    copies = [choices[is_any].assign(channel=channel) for channel in CHANNELS]
    return pd.concat([choices[choices["channel"].isin(CHANNELS)], *copies])

# %% wrong="consent.expand" misconception="empty-channel-stays-empty" says="You spell out any, but choices without a channel keep their null. Nobody looks for consent under null, so these choices no longer count. They mean every channel too."
def expand(choices):
    is_any = choices["channel"] == "any"
    copies = [choices[is_any].assign(channel=channel) for channel in CHANNELS]
    return pd.concat([choices[~is_any], *copies])

# %% wrong="consent.expand" misconception="any-is-a-fourth-channel" says="The rows that speak for all are still there under any, beside their copies. any is not a fourth channel: it has to be gone."
def expand(choices):
    is_any = choices["channel"].isna() | (choices["channel"] == "any")
    copies = [choices[is_any].assign(channel=channel) for channel in CHANNELS]
    return pd.concat([choices, *copies])

# %% wrong="consent.expand" misconception="any-means-email" says="You read any, or no channel, as e-mail. Somebody who withdrew everything then goes on getting SMS."
def expand(choices):
    channel = choices["channel"].fillna("email").replace("any", "email")
    return choices.assign(channel=channel)

# %% wrong="consent.expand" misconception="only-empty-is-every-channel" says="You spell out the choices without a channel, but any stays as it is. Both mean every channel."
def expand(choices):
    is_any = choices["channel"].isna()
    copies = [choices[is_any].assign(channel=channel) for channel in CHANNELS]
    return pd.concat([choices[~is_any], *copies])

# %% wrong="consent.expand" misconception="only-grants-are-spelled-out" says="You spell out grants only. A withdrawal for any channel covers every channel just as a grant does; if it does not, the grants stay open."
def expand(choices):
    is_any = choices["channel"].isna() | (choices["channel"] == "any")
    copies = [choices[is_any & (choices["status"] == "granted")].assign(channel=channel) for channel in CHANNELS]
    return pd.concat([choices[~is_any], *copies])

# %% right="consent.expand"
def expand(choices):
    pairs = [(channel, channel) for channel in CHANNELS] + [("any", channel) for channel in CHANNELS]
    covers = pd.DataFrame(pairs, columns=["said", "covered"])
    rows = choices.assign(said=choices["channel"].fillna("any")).merge(covers, on="said")
    return rows.drop(columns=["channel", "said"]).rename(columns={"covered": "channel"})[choices.columns]

# %% right="consent.expand"
def expand(choices):
    covered = [[channel] if channel in CHANNELS else list(CHANNELS) for channel in choices["channel"]]
    return choices.assign(channel=covered).explode("channel").reset_index(drop=True)

# %% right="consent.expand"
def expand(choices):
    said = choices["channel"].where(choices["channel"].notna(), "any")
    parts = [choices[said.isin([channel, "any"])].assign(channel=channel) for channel in reversed(CHANNELS)]
    return pd.concat(parts, ignore_index=True)

# %% [markdown]
# The rest of the lesson asks from the other side: for every person, purpose and channel, which choices speak for it?
# The gold table `activation_candidates` has exactly one row for each of those. Call such a place a *slot*.

# %%
slot = ["profile_id", "purpose", "channel"]
candidates = ws.table("activation_candidates")
slots = candidates[slot].merge(choices, on=["profile_id", "purpose"], suffixes=("", "_said"))
said = slots["channel_said"].fillna("any")
slots = slots[(said == "any") | (said == slots["channel"])].drop(columns="channel_said")

# %% [markdown]
# How many slots are there, and for how many of them has anybody ever said anything?

# %%
len(candidates), len(slots[slot].drop_duplicates())

# %% [markdown]
# ## Which choice holds
#
# The rule, in the order in which it is applied:
#
# 1. A choice belongs to the *person*, whichever account made it. Ayşe agreed in the shop and withdrew in the loyalty
#    scheme; the withdrawal is the later choice, so it holds.
# 2. What counts at `as_of`: a grant when it has happened *and* arrived; a refusal (`denied`, `withdrawn`) as soon as
#    it has arrived, even if its `event_ts` lies ahead. In doubt, on the safe side.
# 3. The latest by `event_ts` holds. At the same second a refusal beats a grant, before any id is looked at.
# 4. Between two of one kind at the same second, the larger `event_id`. That names the proof; it changes nothing else.
# 5. Whether the choice has expired is *not* asked here. First pick, then test.
#
# The same second is not far-fetched: a double click, a form that sends "all off" and "newsletter on" together. How
# often does one slot hold a grant and a refusal of the same second?

# %%
same_second = slots.groupby([*slot, "event_ts"])["status"].agg(grants=lambda s: (s == "granted").sum(), rows="size")
ties = same_second[(same_second["grants"] > 0) & (same_second["grants"] < same_second["rows"])]
len(ties), ties.reset_index()["profile_id"].nunique()

# %% [markdown]
# ### Exercise 2: the latest choice (12 minutes)
#
# Write `latest_choice(slots, as_of)`. It gets rows such as `slots`, in any order, with the columns `profile_id`,
# `purpose`, `channel`, `event_id`, `record_id`, `status`, `expires_ts`, `event_ts`, `ingest_ts`, and a moment. It
# returns the row that holds for each slot at that moment, with the same columns. A slot for which nothing counts yet
# has no row.

# %% exercise="consent.latest_choice" objective="2" criterion="consent"
def latest_choice(slots, as_of):
    is_grant = slots["status"] == "granted"
    is_known = (slots["ingest_ts"] <= as_of) & (~is_grant | (slots["event_ts"] <= as_of))
    rows = slots.assign(is_block=~is_grant)[is_known].sort_values(["event_ts", "is_block", "event_id"])
    return rows.drop_duplicates(["profile_id", "purpose", "channel"], keep="last").drop(columns="is_block")

# %% stub="consent.latest_choice"
def latest_choice(slots, as_of):
    """The choice that holds at `as_of`, one row for each profile_id, purpose and channel that has one."""
    ...

# %% check="consent.latest_choice"
check("consent.latest_choice", latest_choice)

# %% [markdown] hint="consent.latest_choice"
# Two steps: keep what counts at `as_of`, then take the last row of each slot. What must the rows be sorted by, first, second and third?

# %% [markdown] hint="consent.latest_choice"
# No column says yet that a refusal comes after a grant. Make one that is true for refusals: False sorts before True.

# %% [markdown] hint="consent.latest_choice"
# Both kinds of choice need `ingest_ts <= as_of`; only grants also need `event_ts <= as_of`. After sorting, `drop_duplicates` with `keep="last"` on the three columns of a slot gives the answer; take your helping column away again.

# %% cases="consent.latest_choice" key="profile_id, purpose, channel"
def cases(workspace):
    slot = ["profile_id", "purpose", "channel"]
    consents = workspace.table("consent_events")
    touches = workspace.table("campaign_events")
    left = touches[touches["event_name"] == "unsubscribed"].assign(purpose="marketing", status="withdrawn")
    left["event_id"] = "campaign_events:" + left["event_id"]
    told = pd.concat([consents, left])
    told = told[told["purpose"] == "marketing"]
    parts = [told[told["channel"].fillna("any").isin(["any", c])].assign(channel=c) for c in ("email", "sms")]
    columns = [*slot, "event_id", "record_id", "status", "expires_ts", "event_ts", "ingest_ts"]
    rows = pd.concat(parts).sort_values("event_id", ascending=False).reset_index(drop=True)[columns]

    def at(text):
        return pd.Timestamp(text, tz="UTC") if text else pd.NaT

    made = pd.DataFrame(
        [
            # profile, channel, id, status, expires, event, ingest
            ("P-a:1", "email", "C9", "granted", "", "2025-01-01 10:00", "2025-03-05 08:00"),  # old grant, arrives late
            ("P-a:1", "email", "C1", "withdrawn", "", "2025-02-01 10:00", "2025-02-01 10:01"),
            ("P-a:1", "sms", "C8", "granted", "", "2025-01-01 10:00", "2025-01-01 10:01"),
            ("P-a:2", "email", "C2", "withdrawn", "", "2025-02-02 10:00", "2025-02-02 10:05"),  # tie, grant has larger id
            ("P-a:2", "email", "C7", "granted", "", "2025-02-02 10:00", "2025-02-02 10:06"),
            ("P-a:3", "email", "C3", "granted", "", "2024-05-01 10:00", "2024-05-01 10:01"),  # newer grant has expired
            ("P-a:3", "email", "C4", "granted", "2025-01-01 00:00", "2024-07-01 10:00", "2024-07-01 10:01"),
            ("P-a:4", "push", "C5", "granted", "", "2025-03-30 10:00", "2025-04-02 10:00"),  # not arrived yet
            ("P-a:4", "push", "C0", "denied", "", "2025-03-01 10:00", "2025-03-01 10:01"),
            ("P-a:5", "email", "D1", "withdrawn", "", "2025-04-01 00:03", "2025-03-31 23:58"),  # clock ahead: still blocks
            ("P-a:5", "email", "D2", "granted", "", "2025-03-01 10:00", "2025-03-01 10:01"),
            ("P-a:6", "sms", "D3", "granted", "", "2025-04-01 00:03", "2025-03-31 23:58"),  # clock ahead: not yet
            ("P-a:7", "email", "D5", "denied", "", "2025-02-02 10:00", "2025-02-02 10:01"),  # ids only name the proof
            ("P-a:7", "email", "D4", "withdrawn", "", "2025-02-02 10:00", "2025-02-02 10:02"),
            ("P-a:8", "email", "D6", "granted", "", "2025-02-02 10:00", "2025-02-02 10:01"),
            ("P-a:8", "email", "D7", "denied", "", "2025-02-02 10:00", "2025-02-02 10:02"),
        ],
        columns=["profile_id", "channel", "event_id", "status", "expires_ts", "event_ts", "ingest_ts"],
        index=[3, 1, 2, 12, 15, 6, 8, 5, 4, 0, 9, 10, 11, 14, 13, 7],
    )
    for name in ("expires_ts", "event_ts", "ingest_ts"):
        made[name] = pd.Series([at(text) for text in made[name]], index=made.index, dtype="datetime64[s, UTC]")
    made = made.assign(purpose="marketing", record_id=made["profile_id"].str[2:])[columns]
    other = made[made["profile_id"] == "P-a:1"].assign(purpose="analytics")
    other = other[other["status"] == "granted"].assign(event_id="E" + other["event_id"])
    made = pd.concat([made, other])
    evening = pd.Timestamp("2025-03-31 23:59:59", tz="UTC")
    march = pd.Timestamp("2026-03-18 23:59:59", tz="UTC")
    return [(made, evening), (rows, workspace.as_of), (rows, march)]

# %% wrong="consent.latest_choice" misconception="latest-by-load-time" says="You take the choice that arrived last. An old grant on a slow line then overrules a withdrawal that was made after it. What the person chose last is told by event_ts."
def latest_choice(slots, as_of):
    is_grant = slots["status"] == "granted"
    is_known = (slots["ingest_ts"] <= as_of) & (~is_grant | (slots["event_ts"] <= as_of))
    rows = slots.assign(is_block=~is_grant)[is_known].sort_values(["ingest_ts", "is_block", "event_id"])
    return rows.drop_duplicates(["profile_id", "purpose", "channel"], keep="last").drop(columns="is_block")

# %% wrong="consent.latest_choice" misconception="last-row-holds" says="You take the last row as the table happens to stand. The order of rows means nothing; sort first."
def latest_choice(slots, as_of):
    is_grant = slots["status"] == "granted"
    is_known = (slots["ingest_ts"] <= as_of) & (~is_grant | (slots["event_ts"] <= as_of))
    return slots[is_known].drop_duplicates(["profile_id", "purpose", "channel"], keep="last")

# %% wrong="consent.latest_choice" misconception="grant-beats-refusal" says="At the same second you let the grant win. Nobody can say which of the two was meant last, so the refusal holds."
def latest_choice(slots, as_of):
    is_grant = slots["status"] == "granted"
    is_known = (slots["ingest_ts"] <= as_of) & (~is_grant | (slots["event_ts"] <= as_of))
    rows = slots.assign(is_grant=is_grant)[is_known].sort_values(["event_ts", "is_grant", "event_id"])
    return rows.drop_duplicates(["profile_id", "purpose", "channel"], keep="last").drop(columns="is_grant")

# %% wrong="consent.latest_choice" misconception="id-settles-ties" says="At the same second you let the event_id decide between a grant and a refusal. An id is drawn by chance: every second such grant would open a door. The refusal comes first, the id only between two of one kind."
def latest_choice(slots, as_of):
    is_grant = slots["status"] == "granted"
    is_known = (slots["ingest_ts"] <= as_of) & (~is_grant | (slots["event_ts"] <= as_of))
    rows = slots[is_known].sort_values(["event_ts", "event_id"])
    return rows.drop_duplicates(["profile_id", "purpose", "channel"], keep="last")

# %% wrong="consent.latest_choice" misconception="falls-back-after-expiry" says="You drop expired grants before you pick, so an older grant without an end comes back to life. The newer grant replaced it; when that ends, nothing is left. Pick first, test expiry afterwards."
def latest_choice(slots, as_of):
    slots = slots[slots["expires_ts"].isna() | (slots["expires_ts"] > as_of)]
    is_grant = slots["status"] == "granted"
    is_known = (slots["ingest_ts"] <= as_of) & (~is_grant | (slots["event_ts"] <= as_of))
    rows = slots.assign(is_block=~is_grant)[is_known].sort_values(["event_ts", "is_block", "event_id"])
    return rows.drop_duplicates(["profile_id", "purpose", "channel"], keep="last").drop(columns="is_block")

# %% wrong="consent.latest_choice" misconception="grant-counts-before-it-arrives" says="You ask whether a choice had happened by as_of, not whether it had arrived. Nobody could act on it yet, and the same question asked again would get another answer."
def latest_choice(slots, as_of):
    rows = slots[slots["event_ts"] <= as_of]
    rows = rows.assign(is_block=rows["status"] != "granted").sort_values(["event_ts", "is_block", "event_id"])
    return rows.drop_duplicates(["profile_id", "purpose", "channel"], keep="last").drop(columns="is_block")

# %% wrong="consent.latest_choice" misconception="refusal-waits-for-its-event-time" says="You make a refusal wait until its event_ts, as a grant has to. Its clock may be ahead of ours, but the person has said no and we have it: a refusal counts as soon as it has arrived."
def latest_choice(slots, as_of):
    rows = slots[(slots["ingest_ts"] <= as_of) & (slots["event_ts"] <= as_of)]
    rows = rows.assign(is_block=rows["status"] != "granted").sort_values(["event_ts", "is_block", "event_id"])
    return rows.drop_duplicates(["profile_id", "purpose", "channel"], keep="last").drop(columns="is_block")

# %% wrong="consent.latest_choice" misconception="grant-counts-ahead-of-its-time" says="You count every choice that has arrived. A grant whose event_ts lies after as_of has not been given yet; only refusals count ahead of their time."
def latest_choice(slots, as_of):
    rows = slots[slots["ingest_ts"] <= as_of]
    rows = rows.assign(is_block=rows["status"] != "granted").sort_values(["event_ts", "is_block", "event_id"])
    return rows.drop_duplicates(["profile_id", "purpose", "channel"], keep="last").drop(columns="is_block")

# %% wrong="consent.latest_choice" misconception="as-of-ignored" says="You never look at as_of, so choices count that nobody knew of at that moment."
def latest_choice(slots, as_of):
    rows = slots.assign(is_block=slots["status"] != "granted").sort_values(["event_ts", "is_block", "event_id"])
    return rows.drop_duplicates(["profile_id", "purpose", "channel"], keep="last").drop(columns="is_block")

# %% wrong="consent.latest_choice" misconception="one-choice-a-person" says="You keep one choice for each person. Purposes and channels are asked separately: take the last row of each profile_id, purpose and channel."
def latest_choice(slots, as_of):
    is_grant = slots["status"] == "granted"
    is_known = (slots["ingest_ts"] <= as_of) & (~is_grant | (slots["event_ts"] <= as_of))
    rows = slots.assign(is_block=~is_grant)[is_known].sort_values(["event_ts", "is_block", "event_id"])
    return rows.drop_duplicates("profile_id", keep="last").drop(columns="is_block")

# %% wrong="consent.latest_choice" misconception="one-choice-for-all-purposes" says="You keep one choice for each person and channel. A no to analytics is then taken for a no to marketing, and a yes for a yes: the purpose belongs to the slot."
def latest_choice(slots, as_of):
    is_grant = slots["status"] == "granted"
    is_known = (slots["ingest_ts"] <= as_of) & (~is_grant | (slots["event_ts"] <= as_of))
    rows = slots.assign(is_block=~is_grant)[is_known].sort_values(["event_ts", "is_block", "event_id"])
    return rows.drop_duplicates(["profile_id", "channel"], keep="last").drop(columns="is_block")

# %% wrong="consent.latest_choice" misconception="refusals-dropped" says="You look at grants only. A withdrawal that is not looked at is a withdrawal that never happened."
def latest_choice(slots, as_of):
    rows = slots[(slots["status"] == "granted") & (slots["ingest_ts"] <= as_of) & (slots["event_ts"] <= as_of)]
    rows = rows.sort_values(["event_ts", "event_id"])
    return rows.drop_duplicates(["profile_id", "purpose", "channel"], keep="last")

# %% right="consent.latest_choice"
def latest_choice(slots, as_of):
    grants = slots[(slots["status"] == "granted") & (slots["ingest_ts"] <= as_of) & (slots["event_ts"] <= as_of)]
    refusals = slots[(slots["status"] != "granted") & (slots["ingest_ts"] <= as_of)]
    rows = pd.concat([refusals.sort_values("event_id"), grants.sort_values("event_id")])
    rows["severity"] = rows["status"].map({"granted": 0, "denied": 1, "withdrawn": 1})
    rows = rows.sort_values(["event_ts", "severity", "event_id"], ascending=False)
    return rows.groupby(["profile_id", "purpose", "channel"]).head(1).drop(columns="severity").reset_index(drop=True)

# %% right="consent.latest_choice"
def latest_choice(slots, as_of):
    best = {}
    for row in slots.to_dict("records"):
        is_block = row["status"] != "granted"
        if row["ingest_ts"] > as_of or (not is_block and row["event_ts"] > as_of):
            continue
        key = (row["profile_id"], row["purpose"], row["channel"])
        rank = (row["event_ts"], is_block, row["event_id"])
        if key not in best or rank > best[key][0]:
            best[key] = (rank, row)
    return pd.DataFrame([row for _, row in best.values()], columns=slots.columns)

# %% right="consent.latest_choice"
def latest_choice(slots, as_of):
    slot = ["profile_id", "purpose", "channel"]
    rows = slots[(slots["ingest_ts"] <= as_of) & ((slots["status"] != "granted") | (slots["event_ts"] <= as_of))]
    rows = rows[rows["event_ts"] == rows.groupby(slot)["event_ts"].transform("max")]
    refused = (rows["status"] != "granted").groupby([rows[name] for name in slot]).transform("any")
    rows = rows[~refused | (rows["status"] != "granted")]
    return rows[rows["event_id"] == rows.groupby(slot)["event_id"].transform("max")]

# %% [markdown]
# ## From a choice to a decision
#
# A latest choice that is a grant is not enough. Three more questions stand between it and a message. Has it ended? Is
# the account that granted still there? And has that account an address for this channel? Here are Anton's four accounts.

# %%
changes = ws.bronze("customers").astype({"lsn": int}).sort_values("lsn")
changes["record_id"] = changes["source_system"] + ":" + changes["customer_id"]
current = changes[changes["op"] != "d"].drop_duplicates("record_id", keep="last").replace("", None)
identity = ws.table("customer_identity")[["record_id", "profile_id", "is_deleted"]]
accounts = identity.merge(current[["record_id", "email", "phone"]], on="record_id", how="left")
accounts[accounts["profile_id"] == "P-crm:2860240824"]

# %% [markdown]
# Anton agreed to personalization on any channel, through `crm:2860240824`. That account has no e-mail. His three other
# accounts have one, but none of them said yes. What does the product do?

# %%
anton = (candidates["profile_id"] == "P-crm:2860240824") & (candidates["purpose"] == "personalization")
candidates.loc[anton, ["channel", "eligible", "block_reason", "consent_event_id", "identifier"]]

# %% [markdown]
# It gives out the address of the account that granted, or none. A merge of accounts is our guess about who is who; with
# this rule, a wrong guess never sends anything to an address whose owner did not agree.
#
# ### Exercise 3: eligible, or the reason why not (14 minutes)
#
# Write `eligibility(wanted, latest, accounts, as_of)`.
#
# - `wanted`: `profile_id`, `purpose`, `channel`, a row for each slot that needs a decision
# - `latest`: what `latest_choice` gives (`profile_id`, `purpose`, `channel`, `event_id`, `record_id`, `status`,
#   `expires_ts`)
# - `accounts`: `record_id`, `email`, `phone` (null if there is none), `is_deleted`
#
# Return `profile_id`, `purpose`, `channel`, `block_reason`, `identifier`, one row for each row of `wanted`. Every *no* gets
# a reason, so that whoever asks can be answered. It is null where the person may be reached; if several reasons apply,
# the first of this list counts:
#
# | `block_reason` | when |
# |---|---|
# | `no_consent` | there is no choice for this slot |
# | `denied`, `withdrawn` | the choice says so, whatever its `expires_ts`, and even if its account is deleted |
# | `expired` | it is a grant, and `expires_ts` is `as_of` or earlier |
# | `account_deleted` | it is a grant, and the account that granted is deleted |
# | `no_identifier` | that account has no address for the channel |
#
# The identifier is, for `email`, the account's `email`; for `sms`, its `phone`; for `push`, its `record_id`. It is null
# where there is a reason.
#
# If you have done exercise 2, try it on everybody: `candidates[slot]`, `latest_choice(slots, ws.as_of)`,
# `accounts.drop(columns="profile_id")` and `ws.as_of`. The result should agree with `candidates`.

# %% exercise="consent.eligibility" objective="3" criterion="consent"
def eligibility(wanted, latest, accounts, as_of):
    slot = ["profile_id", "purpose", "channel"]
    rows = wanted[slot].merge(latest, on=slot, how="left").merge(accounts, on="record_id", how="left")
    address = rows["record_id"].where(rows["channel"] == "push", rows["email"])
    address = address.where(rows["channel"] != "sms", rows["phone"])
    reason = pd.Series(None, index=rows.index, dtype="object")  # weakest reason first: the later ones overwrite it
    reason = reason.mask(address.isna(), "no_identifier")
    reason = reason.mask(rows["is_deleted"].fillna(False).astype(bool), "account_deleted")
    reason = reason.mask(rows["expires_ts"] <= as_of, "expired")
    reason = reason.mask(rows["status"].isin(["denied", "withdrawn"]), rows["status"])
    reason = reason.mask(rows["status"].isna(), "no_consent")
    return rows[slot].assign(block_reason=reason, identifier=address.where(reason.isna()))

# %% stub="consent.eligibility"
def eligibility(wanted, latest, accounts, as_of):
    """For each wanted slot the reason why not (null: eligible) and the identifier that may be used."""
    ...

# %% check="consent.eligibility"
check("consent.eligibility", eligibility)

# %% [markdown] hint="consent.eligibility"
# Begin with `wanted` and bring the other two tables to it. Which kind of merge keeps the slots about which nothing is known?

# %% [markdown] hint="consent.eligibility"
# The list of reasons goes from strongest to weakest. Write them into one column from the bottom up, and each stronger reason overwrites the weaker one.

# %% [markdown] hint="consent.eligibility"
# `reason.mask(condition, value)` writes a value where a condition holds. Build the address column first: `where` chooses between `record_id`, `email` and `phone` by channel. At the end the address stays only where the reason is null.

# %% cases="consent.eligibility" key="profile_id, purpose, channel"
def cases(workspace):
    slot = ["profile_id", "purpose", "channel"]
    consents = workspace.table("consent_events").sort_values("event_ts", kind="stable")
    consents = consents[consents["purpose"] == "marketing"]
    parts = [consents[consents["channel"].fillna("any").isin(["any", c])].assign(channel=c) for c in CHANNELS]
    columns = [*slot, "event_id", "record_id", "status", "expires_ts"]
    latest = pd.concat(parts).drop_duplicates(slot, keep="last")[columns].reset_index(drop=True)
    wanted = workspace.table("activation_candidates")[slot]
    wanted = wanted[wanted["purpose"] == "marketing"].sort_values("channel").reset_index(drop=True)
    changes = workspace.bronze("customers").astype({"lsn": int}).sort_values("lsn")
    changes["record_id"] = changes["source_system"] + ":" + changes["customer_id"]
    held = changes[changes["op"] != "d"].drop_duplicates("record_id", keep="last").replace("", None)
    accounts = workspace.table("customer_identity")[["record_id", "is_deleted"]]
    accounts = accounts.merge(held[["record_id", "email", "phone"]], on="record_id")

    as_of = pd.Timestamp("2026-06-30 23:59:59", tz="UTC")
    day = pd.Timedelta(days=1)
    choices = [
        # person, channel, account, status, expires_ts
        (1, "email", "a:1", "granted", None),
        (1, "sms", "a:1", "granted", as_of),  # ends at this very second
        (1, "push", "a:1", "granted", as_of + pd.Timedelta(seconds=1)),
        (2, "email", "a:2", "granted", None),  # a:2 has no e-mail, a:3 of the same person has one
        (2, "sms", "a:2", "granted", None),
        (2, "push", "a:2", "granted", None),
        (4, "email", "a:4", "withdrawn", as_of - day),  # refusals do not expire
        (4, "sms", "a:4", "denied", None),
        (5, "email", "a:5", "granted", None),  # deleted account
        (5, "sms", "a:5", "withdrawn", None),
        (5, "push", "a:5", "granted", as_of - day),
        (6, "sms", "a:6", "granted", as_of - day),  # no phone, and expired
        (7, "email", "a:7", "denied", as_of + day),
        (7, "sms", "a:7", "granted", None),  # deleted, and no phone
    ]
    made = pd.DataFrame(choices, columns=["person", "channel", "record_id", "status", "expires_ts"])
    made["expires_ts"] = pd.Series(list(made["expires_ts"]), dtype="datetime64[s, UTC]")
    made["profile_id"], made["purpose"] = "P-a:" + made.pop("person").astype(str), "marketing"
    made["event_id"] = [f"C{number}" for number in range(len(made))]
    asked = [(f"P-a:{n}", "marketing", c) for c in ("sms", "email", "push") for n in (7, 1, 2, 4, 5, 6, 8)]
    asked = pd.DataFrame(asked + [("P-a:1", "analytics", "email")], columns=slot)
    known = pd.DataFrame(
        [
            ("a:1", False, "one@post.example", "+491"),
            ("a:2", False, None, "+492"),
            ("a:3", False, "two@post.example", "+493"),
            ("a:4", False, "four@post.example", "+494"),
            ("a:5", True, "five@post.example", "+495"),
            ("a:6", False, "six@post.example", None),
            ("a:7", True, "seven@post.example", None),
            ("a:8", False, "eight@post.example", "+498"),
        ],
        columns=["record_id", "is_deleted", "email", "phone"],
    ).astype({"is_deleted": "boolean"})
    return [(asked, made[columns], known, as_of), (wanted, latest, accounts, workspace.as_of)]

# %% wrong="consent.eligibility" misconception="unknown-is-yes" says="A slot without any choice comes out as eligible, or nearly so. Unknown blocks: the reason is no_consent, whatever else is missing."
def eligibility(wanted, latest, accounts, as_of):
    slot = ["profile_id", "purpose", "channel"]
    rows = wanted[slot].merge(latest, on=slot, how="left").merge(accounts, on="record_id", how="left")
    address = rows["record_id"].where(rows["channel"] == "push", rows["email"])
    address = address.where(rows["channel"] != "sms", rows["phone"])
    reason = pd.Series(None, index=rows.index, dtype="object")
    reason = reason.mask(address.isna(), "no_identifier")
    reason = reason.mask(rows["is_deleted"].fillna(False).astype(bool), "account_deleted")
    reason = reason.mask(rows["expires_ts"] <= as_of, "expired")
    reason = reason.mask(rows["status"].isin(["denied", "withdrawn"]), rows["status"])
    reason = reason.mask(rows["status"].isna())
    return rows[slot].assign(block_reason=reason, identifier=address.where(reason.isna()))

# %% wrong="consent.eligibility" misconception="unknown-vanishes" says="Slots about which nothing is known are missing from your table. Nobody can then tell a person who was blocked from one who was forgotten: each wanted slot needs its row."
def eligibility(wanted, latest, accounts, as_of):
    slot = ["profile_id", "purpose", "channel"]
    rows = wanted[slot].merge(latest, on=slot).merge(accounts, on="record_id", how="left")
    address = rows["record_id"].where(rows["channel"] == "push", rows["email"])
    address = address.where(rows["channel"] != "sms", rows["phone"])
    reason = pd.Series(None, index=rows.index, dtype="object")
    reason = reason.mask(address.isna(), "no_identifier")
    reason = reason.mask(rows["is_deleted"].fillna(False).astype(bool), "account_deleted")
    reason = reason.mask(rows["expires_ts"] <= as_of, "expired")
    reason = reason.mask(rows["status"].isin(["denied", "withdrawn"]), rows["status"])
    return rows[slot].assign(block_reason=reason, identifier=address.where(reason.isna()))

# %% wrong="consent.eligibility" misconception="expiry-ignored" says="You never test expires_ts, so a grant that has ended still opens the door."
def eligibility(wanted, latest, accounts, as_of):
    slot = ["profile_id", "purpose", "channel"]
    rows = wanted[slot].merge(latest, on=slot, how="left").merge(accounts, on="record_id", how="left")
    address = rows["record_id"].where(rows["channel"] == "push", rows["email"])
    address = address.where(rows["channel"] != "sms", rows["phone"])
    reason = pd.Series(None, index=rows.index, dtype="object")
    reason = reason.mask(address.isna(), "no_identifier")
    reason = reason.mask(rows["is_deleted"].fillna(False).astype(bool), "account_deleted")
    reason = reason.mask(rows["status"].isin(["denied", "withdrawn"]), rows["status"])
    reason = reason.mask(rows["status"].isna(), "no_consent")
    return rows[slot].assign(block_reason=reason, identifier=address.where(reason.isna()))

# %% wrong="consent.eligibility" misconception="expiry-a-second-late" says="A grant that ends exactly at as_of has ended. You let it live one second longer."
def eligibility(wanted, latest, accounts, as_of):
    slot = ["profile_id", "purpose", "channel"]
    rows = wanted[slot].merge(latest, on=slot, how="left").merge(accounts, on="record_id", how="left")
    address = rows["record_id"].where(rows["channel"] == "push", rows["email"])
    address = address.where(rows["channel"] != "sms", rows["phone"])
    reason = pd.Series(None, index=rows.index, dtype="object")
    reason = reason.mask(address.isna(), "no_identifier")
    reason = reason.mask(rows["is_deleted"].fillna(False).astype(bool), "account_deleted")
    reason = reason.mask(rows["expires_ts"] < as_of, "expired")
    reason = reason.mask(rows["status"].isin(["denied", "withdrawn"]), rows["status"])
    reason = reason.mask(rows["status"].isna(), "no_consent")
    return rows[slot].assign(block_reason=reason, identifier=address.where(reason.isna()))

# %% wrong="consent.eligibility" misconception="refusals-expire" says="You let a refusal expire. It blocks either way, but the reason is wrong, and the next step from there is to ask the person again: a no has no end."
def eligibility(wanted, latest, accounts, as_of):
    slot = ["profile_id", "purpose", "channel"]
    rows = wanted[slot].merge(latest, on=slot, how="left").merge(accounts, on="record_id", how="left")
    address = rows["record_id"].where(rows["channel"] == "push", rows["email"])
    address = address.where(rows["channel"] != "sms", rows["phone"])
    reason = pd.Series(None, index=rows.index, dtype="object")
    reason = reason.mask(address.isna(), "no_identifier")
    reason = reason.mask(rows["is_deleted"].fillna(False).astype(bool), "account_deleted")
    reason = reason.mask(rows["status"].isin(["denied", "withdrawn"]), rows["status"])
    reason = reason.mask(rows["expires_ts"] <= as_of, "expired")
    reason = reason.mask(rows["status"].isna(), "no_consent")
    return rows[slot].assign(block_reason=reason, identifier=address.where(reason.isna()))

# %% wrong="consent.eligibility" misconception="deleted-accounts-still-grant" says="A grant still counts after its account has been deleted. Who closes the account has left; whatever it granted goes with it."
def eligibility(wanted, latest, accounts, as_of):
    slot = ["profile_id", "purpose", "channel"]
    rows = wanted[slot].merge(latest, on=slot, how="left").merge(accounts, on="record_id", how="left")
    address = rows["record_id"].where(rows["channel"] == "push", rows["email"])
    address = address.where(rows["channel"] != "sms", rows["phone"])
    reason = pd.Series(None, index=rows.index, dtype="object")
    reason = reason.mask(address.isna(), "no_identifier")
    reason = reason.mask(rows["expires_ts"] <= as_of, "expired")
    reason = reason.mask(rows["status"].isin(["denied", "withdrawn"]), rows["status"])
    reason = reason.mask(rows["status"].isna(), "no_consent")
    return rows[slot].assign(block_reason=reason, identifier=address.where(reason.isna()))

# %% wrong="consent.eligibility" misconception="deleted-accounts-no-longer-refuse" says="You call a refusal account_deleted because its account is gone. The refusal outlives the account and is the reason that counts."
def eligibility(wanted, latest, accounts, as_of):
    slot = ["profile_id", "purpose", "channel"]
    rows = wanted[slot].merge(latest, on=slot, how="left").merge(accounts, on="record_id", how="left")
    address = rows["record_id"].where(rows["channel"] == "push", rows["email"])
    address = address.where(rows["channel"] != "sms", rows["phone"])
    reason = pd.Series(None, index=rows.index, dtype="object")
    reason = reason.mask(address.isna(), "no_identifier")
    reason = reason.mask(rows["expires_ts"] <= as_of, "expired")
    reason = reason.mask(rows["status"].isin(["denied", "withdrawn"]), rows["status"])
    reason = reason.mask(rows["is_deleted"].fillna(False).astype(bool), "account_deleted")
    reason = reason.mask(rows["status"].isna(), "no_consent")
    return rows[slot].assign(block_reason=reason, identifier=address.where(reason.isna()))

# %% wrong="consent.eligibility" misconception="weak-reason-hides-strong-one" says="You say no_identifier where a stronger reason applies. Whoever then finds an address believes that nothing else stands in the way. The reasons have an order."
def eligibility(wanted, latest, accounts, as_of):
    slot = ["profile_id", "purpose", "channel"]
    rows = wanted[slot].merge(latest, on=slot, how="left").merge(accounts, on="record_id", how="left")
    address = rows["record_id"].where(rows["channel"] == "push", rows["email"])
    address = address.where(rows["channel"] != "sms", rows["phone"])
    reason = pd.Series(None, index=rows.index, dtype="object")
    reason = reason.mask(rows["is_deleted"].fillna(False).astype(bool), "account_deleted")
    reason = reason.mask(rows["expires_ts"] <= as_of, "expired")
    reason = reason.mask(rows["status"].isin(["denied", "withdrawn"]), rows["status"])
    reason = reason.mask(address.isna(), "no_identifier")
    reason = reason.mask(rows["status"].isna(), "no_consent")
    return rows[slot].assign(block_reason=reason, identifier=address.where(reason.isna()))

# %% wrong="consent.eligibility" misconception="address-without-permission" says="The reasons are right, but you give out addresses of people who are blocked. What stands in an export gets used: no reason, no address the other way round."
def eligibility(wanted, latest, accounts, as_of):
    slot = ["profile_id", "purpose", "channel"]
    rows = wanted[slot].merge(latest, on=slot, how="left").merge(accounts, on="record_id", how="left")
    address = rows["record_id"].where(rows["channel"] == "push", rows["email"])
    address = address.where(rows["channel"] != "sms", rows["phone"])
    reason = pd.Series(None, index=rows.index, dtype="object")
    reason = reason.mask(address.isna(), "no_identifier")
    reason = reason.mask(rows["is_deleted"].fillna(False).astype(bool), "account_deleted")
    reason = reason.mask(rows["expires_ts"] <= as_of, "expired")
    reason = reason.mask(rows["status"].isin(["denied", "withdrawn"]), rows["status"])
    reason = reason.mask(rows["status"].isna(), "no_consent")
    return rows[slot].assign(block_reason=reason, identifier=address)

# %% wrong="consent.eligibility" misconception="one-address-for-every-channel" says="You give out the e-mail address for every channel. A text message needs the phone, a push message the account; and an e-mail address has no business in an SMS list."
def eligibility(wanted, latest, accounts, as_of):
    slot = ["profile_id", "purpose", "channel"]
    rows = wanted[slot].merge(latest, on=slot, how="left").merge(accounts, on="record_id", how="left")
    address = rows["email"]
    reason = pd.Series(None, index=rows.index, dtype="object")
    reason = reason.mask(address.isna(), "no_identifier")
    reason = reason.mask(rows["is_deleted"].fillna(False).astype(bool), "account_deleted")
    reason = reason.mask(rows["expires_ts"] <= as_of, "expired")
    reason = reason.mask(rows["status"].isin(["denied", "withdrawn"]), rows["status"])
    reason = reason.mask(rows["status"].isna(), "no_consent")
    return rows[slot].assign(block_reason=reason, identifier=address.where(reason.isna()))

# %% right="consent.eligibility"
def eligibility(wanted, latest, accounts, as_of):
    told = {(r["profile_id"], r["purpose"], r["channel"]): r for r in latest.to_dict("records")}
    held = {r["record_id"]: r for r in accounts.to_dict("records")}
    column = {"email": "email", "sms": "phone", "push": "record_id"}
    rows = []
    for person, purpose, channel in zip(wanted["profile_id"], wanted["purpose"], wanted["channel"]):
        choice, reason, address = told.get((person, purpose, channel)), None, None
        if choice is None:
            reason = "no_consent"
        elif choice["status"] != "granted":
            reason = choice["status"]
        elif pd.notna(choice["expires_ts"]) and choice["expires_ts"] <= as_of:
            reason = "expired"
        elif held[choice["record_id"]]["is_deleted"]:
            reason = "account_deleted"
        else:
            address = held[choice["record_id"]][column[channel]]
            address = None if pd.isna(address) else address
            reason = None if address else "no_identifier"
        rows.append((person, purpose, channel, reason, address))
    return pd.DataFrame(rows, columns=["profile_id", "purpose", "channel", "block_reason", "identifier"])

# %% right="consent.eligibility"
def eligibility(wanted, latest, accounts, as_of):
    slot = ["profile_id", "purpose", "channel"]
    account = accounts.assign(push=accounts["record_id"]).set_index("record_id")
    addresses = account.rename(columns={"phone": "sms"})[["email", "sms", "push"]].stack().rename("identifier")
    addresses = addresses.rename_axis(["record_id", "channel"]).reset_index().dropna(subset="identifier")
    rows = wanted[slot].merge(latest, how="left", on=slot).merge(addresses, how="left", on=["record_id", "channel"])
    gone = rows["record_id"].isin(account.index[account["is_deleted"].astype(bool)])
    rows["block_reason"] = None
    rows.loc[rows["identifier"].isna(), "block_reason"] = "no_identifier"
    rows.loc[gone, "block_reason"] = "account_deleted"
    rows.loc[(rows["status"] == "granted") & (rows["expires_ts"] <= as_of), "block_reason"] = "expired"
    for status in ("denied", "withdrawn"):
        rows.loc[rows["status"] == status, "block_reason"] = status
    rows.loc[rows["event_id"].isna(), "block_reason"] = "no_consent"
    rows.loc[rows["block_reason"].notna(), "identifier"] = None
    return rows[[*slot, "block_reason", "identifier"]]

# %% [markdown]
# The product writes the result into `activation_candidates`, with the proof beside it. This is all of it in one
# picture. (`account_deleted` is there too, three people wide: too thin to see.)

# %%
show(
    plots.consent.eligible_share(candidates),
    alt="Stacked bars for nine pairs of purpose and channel: between 12 and 38 percent of people are eligible; no_consent is the largest reason in every bar, and marketing by e-mail has the most refusals.",
)

# %% [markdown]
# Two things to read in it. The commonest reason is `no_consent`: silence, not refusal. And marketing by e-mail is
# another matter than marketing by SMS, among the same people, so "has consented to marketing" is a sentence without a
# meaning.
#
# The data dictionary knows one reason more, `consent_unreadable`: a row that cannot be used, of a person who is known.
# It may have been a refusal, so it shuts what was granted until it arrived. This sample has none.
#
# The blue part is nobody's target, either. The quality report shows a `marketing_consent_rate`, without a threshold: a
# target would reward whoever asks until people give in.
#
# ## Where it leaks
#
# A colleague writes the export that hands people to the campaign tool. `people` is `customer_profile_base`.
#
# ```python
# def export(candidates, people, purpose):
#     willing = candidates[candidates["eligible"] & (candidates["purpose"] == purpose)]
#     reached = people[people["profile_id"].isin(willing["profile_id"])]
#     return reached[["profile_id", "email", "phone"]]
# ```
#
# It reads the right table, it looks at `eligible`, it asks for the purpose. Run it, for personalization:

# %%
people = ws.table("customer_profile_base")
willing = candidates[candidates["eligible"] & (candidates["purpose"] == "personalization")]
reached = people[people["profile_id"].isin(willing["profile_id"])]
reached.loc[reached["profile_id"] == "P-crm:2860240824", ["profile_id", "email", "phone"]]

# %% [markdown]
# There is Anton, with an e-mail address and a phone number. Compare with what `activation_candidates` said about him
# above.
#
# ### Exercise 4: close the leaks (10 minutes)
#
# Three things are wrong with this export. Which channel is it for? Whose address does it give out? And when is the
# message sent: the table was decided at the end of 30 June, the campaign may go out two weeks later.
#
# Write `export(candidates, consents, purpose, channel, sent_at)`. `candidates` is `activation_candidates`, `consents`
# is `consent_events` (its `event_id` is what `consent_event_id` refers to). Return `profile_id` and `identifier` of
# the people who may be reached for this purpose, on this channel, at `sent_at`.

# %% exercise="consent.export" objective="4" criterion="consent"
def export(candidates, consents, purpose, channel, sent_at):
    is_ours = (candidates["purpose"] == purpose) & (candidates["channel"] == channel)
    rows = candidates[is_ours & candidates["eligible"]]
    ends = rows["consent_event_id"].map(consents.set_index("event_id")["expires_ts"])
    return rows.loc[ends.isna() | (ends > sent_at), ["profile_id", "identifier"]]

# %% stub="consent.export"
def export(candidates, consents, purpose, channel, sent_at):
    """Who may be reached for a purpose, on a channel, at `sent_at`: profile_id and identifier."""
    ...

# %% check="consent.export"
check("consent.export", export)

# %% [markdown] hint="consent.export"
# Which columns of `candidates` name the slot? The export above looks at two of the three.

# %% [markdown] hint="consent.export"
# `candidates` already holds the one address that may be used. No other table is needed for that.

# %% [markdown] hint="consent.export"
# The proof knows when it ends: find the `expires_ts` of each row's `consent_event_id` in `consents`, and keep the rows that have no end or end after `sent_at`.

# %% cases="consent.export" key="profile_id"
def cases(workspace):
    candidates = workspace.table("activation_candidates").sample(frac=1, random_state=6)
    candidates = candidates[["profile_id", "purpose", "channel", "eligible", "consent_event_id", "identifier"]]
    consents = workspace.table("consent_events")[["event_id", "status", "expires_ts"]]
    now = pd.Timestamp("2026-06-30 23:59:59", tz="UTC")
    later = pd.Timestamp("2026-07-14 09:00:00", tz="UTC")
    made = pd.DataFrame(
        [
            ("P-a:1", "marketing", "email", True, "C1", "one@post.example"),
            ("P-a:1", "marketing", "sms", False, None, None),
            ("P-a:2", "marketing", "sms", True, "C2", "+492"),  # the other channel only
            ("P-a:2", "marketing", "email", False, "C3", None),
            ("P-a:3", "analytics", "email", True, "C4", "three@post.example"),  # the other purpose only
            ("P-a:3", "marketing", "email", False, None, None),
            ("P-a:4", "marketing", "email", True, "C5", "four@post.example"),  # ends before
            ("P-a:5", "marketing", "email", True, "C6", "five@post.example"),  # ends at the very second
            ("P-a:6", "marketing", "email", True, "C7", "six@post.example"),  # ends a second later
            ("P-a:7", "marketing", "email", False, "C8", "seven@post.example"),  # an address where none should be
        ],
        columns=candidates.columns,
    ).astype({"eligible": "boolean"})
    proofs = pd.DataFrame(
        {
            "event_id": ["C8", "C7", "C6", "C5", "C4", "C3", "C2", "C1"],
            "status": ["granted", "granted", "granted", "granted", "granted", "withdrawn", "granted", "granted"],
        }
    )
    ends = {"C5": later - pd.Timedelta(days=3), "C6": later, "C7": later + pd.Timedelta(seconds=1)}
    moments = [ends.get(name, pd.NaT) for name in proofs["event_id"]]
    proofs["expires_ts"] = pd.Series(moments, dtype="datetime64[s, UTC]")
    return [
        (made, proofs, "marketing", "email", later),
        (candidates, consents, "marketing", "email", later),
        (candidates, consents, "personalization", "sms", now),
    ]

# %% wrong="consent.export" misconception="any-channel-will-do" says="You take everybody who agreed to some channel. Who said yes to SMS gets an e-mail: the any-channel leak."
def export(candidates, consents, purpose, channel, sent_at):
    rows = candidates[(candidates["purpose"] == purpose) & candidates["eligible"]]
    ends = rows["consent_event_id"].map(consents.set_index("event_id")["expires_ts"])
    rows = rows[ends.isna() | (ends > sent_at)]
    return rows.drop_duplicates("profile_id")[["profile_id", "identifier"]]

# %% wrong="consent.export" misconception="every-channel-at-once" says="You take people who agreed to some channel, each as often as they agreed. Only the channel that was asked for may be used; the others are leaks."
def export(candidates, consents, purpose, channel, sent_at):
    rows = candidates[(candidates["purpose"] == purpose) & candidates["eligible"]]
    ends = rows["consent_event_id"].map(consents.set_index("event_id")["expires_ts"])
    return rows.loc[ends.isna() | (ends > sent_at), ["profile_id", "identifier"]]

# %% wrong="consent.export" misconception="any-purpose-will-do" says="You do not look at the purpose. Who agreed to analytics gets advertising."
def export(candidates, consents, purpose, channel, sent_at):
    rows = candidates[(candidates["channel"] == channel) & candidates["eligible"]]
    ends = rows["consent_event_id"].map(consents.set_index("event_id")["expires_ts"])
    rows = rows[ends.isna() | (ends > sent_at)]
    return rows.drop_duplicates("profile_id")[["profile_id", "identifier"]]

# %% wrong="consent.export" misconception="judged-once-for-ever" says="You trust what was decided on 30 June. A grant may end between the decision and the message; test it again at the moment of sending."
def export(candidates, consents, purpose, channel, sent_at):
    is_ours = (candidates["purpose"] == purpose) & (candidates["channel"] == channel)
    return candidates.loc[is_ours & candidates["eligible"], ["profile_id", "identifier"]]

# %% wrong="consent.export" misconception="expiry-a-second-late" says="A grant that ends exactly at sent_at has ended. You let it live one second longer."
def export(candidates, consents, purpose, channel, sent_at):
    is_ours = (candidates["purpose"] == purpose) & (candidates["channel"] == channel)
    rows = candidates[is_ours & candidates["eligible"]]
    ends = rows["consent_event_id"].map(consents.set_index("event_id")["expires_ts"])
    return rows.loc[ends.isna() | (ends >= sent_at), ["profile_id", "identifier"]]

# %% wrong="consent.export" misconception="no-end-is-no-consent" says="You keep only grants that have an end. A grant without expires_ts holds until it is withdrawn: a comparison with a null is never true, so ask for the null as well."
def export(candidates, consents, purpose, channel, sent_at):
    is_ours = (candidates["purpose"] == purpose) & (candidates["channel"] == channel)
    rows = candidates[is_ours & candidates["eligible"]]
    ends = rows["consent_event_id"].map(consents.set_index("event_id")["expires_ts"])
    return rows.loc[ends > sent_at, ["profile_id", "identifier"]]

# %% wrong="consent.export" misconception="an-address-is-consent" says="You take every row that has an address, whatever eligible says. Having an address is not having permission."
def export(candidates, consents, purpose, channel, sent_at):
    is_ours = (candidates["purpose"] == purpose) & (candidates["channel"] == channel)
    rows = candidates[is_ours & candidates["identifier"].notna()]
    ends = rows["consent_event_id"].map(consents.set_index("event_id")["expires_ts"])
    return rows.loc[ends.isna() | (ends > sent_at), ["profile_id", "identifier"]]

# %% wrong="consent.export" misconception="eligible-ignored" says="You never look at eligible, so everybody is in the list who has a row, refusals included."
def export(candidates, consents, purpose, channel, sent_at):
    is_ours = (candidates["purpose"] == purpose) & (candidates["channel"] == channel)
    rows = candidates[is_ours]
    ends = rows["consent_event_id"].map(consents.set_index("event_id")["expires_ts"])
    return rows.loc[ends.isna() | (ends > sent_at), ["profile_id", "identifier"]]

# %% right="consent.export"
def export(candidates, consents, purpose, channel, sent_at):
    ended = set(consents.loc[consents["expires_ts"] <= sent_at, "event_id"])
    rows = candidates.query("purpose == @purpose and channel == @channel")
    rows = rows[rows["eligible"].astype(bool) & ~rows["consent_event_id"].isin(ended)]
    return rows[["identifier", "profile_id"]].reset_index(drop=True)

# %% right="consent.export"
def export(candidates, consents, purpose, channel, sent_at):
    proofs = consents[["event_id", "expires_ts"]].rename(columns={"event_id": "consent_event_id"})
    rows = candidates.merge(proofs, on="consent_event_id")
    rows = rows[rows["eligible"].fillna(False) & (rows["purpose"] == purpose) & (rows["channel"] == channel)]
    return rows[~(rows["expires_ts"] <= sent_at)].set_index("profile_id")[["identifier"]]

# %% [markdown]
# What would the colleague's export have done? Count three things: the people it lists for personalization, the
# addresses it hands out with them, and among these the ones on a channel that the person has not opened for this
# purpose.

# %%
listed = reached.melt("profile_id", ["email", "phone"], "column", "identifier").dropna(subset="identifier")
listed["channel"] = listed["column"].map({"email": "email", "phone": "sms"})
opened = willing[["profile_id", "channel", "eligible"]]
listed = listed.merge(opened, on=["profile_id", "channel"], how="left")
len(reached), len(listed), int(listed["eligible"].isna().sum())

# %% [markdown]
# About one address in six. And where the channel is open, the address may still be another account's.
#
# Now more faulty rules, of the kinds that real software has had. Everything else stays right, so what
# `activation_candidates` blocks and a faulty rule lets through is a leak. First, what is blocked, for any reason but a
# missing address, in people.

# %%
blocked = candidates[~candidates["eligible"] & (candidates["block_reason"] != "no_identifier")]
refused = blocked[blocked["block_reason"].isin(["denied", "withdrawn"])]
gone = accounts.loc[accounts["is_deleted"], "record_id"]
reason = blocked.groupby("block_reason")["profile_id"].nunique()
reason

# %% [markdown]
# Four rules pick the wrong choice: the one that arrived last; at the same second, the one with the larger id; the
# latest but without looking at campaigns, where people unsubscribe; or any grant that was ever given.

# %%
by_load = slots.sort_values("ingest_ts", kind="stable").drop_duplicates(slot, keep="last")
by_id = slots.sort_values(["event_ts", "event_id"]).drop_duplicates(slot, keep="last")
pages = slots[~slots["event_id"].str.startswith("campaign_events:")].assign(no=lambda t: t["status"] != "granted")
pages = pages.sort_values(["event_ts", "no"]).drop_duplicates(slot, keep="last")
picked = {"the latest by load time": by_load, "the id settles a tie": by_id, "unsubscribes overlooked": pages}
picked["once granted, always granted"] = slots

# %% [markdown]
# Where such a rule picks a grant that has not ended, of an account that is not deleted, and the person has in truth
# refused, it leaks. Two more rules ask too wide a question: any channel of the same purpose, any purpose at all. Count
# the people.

# %%
wide = {"any channel will do": ["profile_id", "purpose"], "any purpose will do": ["profile_id"]}
opened = candidates[candidates["eligible"]]
live = {n: t[(t["status"] == "granted") & ~(t["expires_ts"] <= ws.as_of)] for n, t in picked.items()}
people_of = {n: refused.merge(t.loc[~t["record_id"].isin(gone), slot], on=slot) for n, t in live.items()}
people_of |= {n: blocked.merge(opened[key].drop_duplicates(), on=key) for n, key in wide.items()}
counts = pd.Series({name: table["profile_id"].nunique() for name, table in people_of.items()})

# %% [markdown]
# Three rules more need no picking, because they simply do not know one of the reasons. All nine in one picture; its
# scale is logarithmic, so each grid line stands for ten times as many people as the one before.

# %%
known = {"no_consent": "unknown is a yes", "expired": "grants never end", "account_deleted": "the deleted still grant"}
counts = pd.concat([counts, reason[list(known)].rename(known)])
show(
    plots.consent.leaks(counts.rename_axis("rule").rename("people").reset_index()),
    alt="Nine faulty rules and the people each would make eligible wrongly, on a log scale: fewer than ten for deleted accounts, ten to a hundred for ties, load time, unsubscribes and expiry, hundreds for any channel and any purpose, almost everybody where unknown is a yes.",
)

# %% [markdown]
# Ida is one of those whom "any purpose" would reach: her yes was to analytics, her no to marketing.
#
# The long lines are found by anybody who looks at totals. The short ones are worse in one way: ten people in a thousand
# change no total, and no test on averages will see them. That is why the report counts leaks one by one, by another way
# than the layer takes, and why the threshold is nought.
#
# ## When two profiles become one
#
# Identity is never finished. Frank Hofman-Sjöberg is two profiles, because his name and date of birth are written
# differently in shop and CRM: an under-merge of lesson 03. Sooner or later a steward joins them. These are his
# marketing choices; none of the grants has an end.

# %%
franks = ["P-shop:6071678384", "P-crm:7912592159"]
of_frank = choices[choices["profile_id"].isin(franks) & (choices["purpose"] == "marketing")].sort_values("event_ts")
of_frank[["record_id", "channel", "status", "event_ts", "ingest_ts"]]

# %% [markdown]
# And this is on file for the two accounts:

# %%
accounts[accounts["profile_id"].isin(franks)]

# %% [markdown]
# ### Exercise 5: predict the merge (8 minutes)
#
# Say that the two are one profile. On which channels may he be reached for marketing, at the end of each of these days?
#
# 1. 28 February 2025
# 2. 31 August 2025
# 3. 30 June 2026
#
# Work it out by hand, channel by channel, with the rules of exercises 2 and 3. Give a list of three lists, one per day,
# each with the channels in alphabetical order (`"email"`, `"push"`, `"sms"`); a day on which he may not be reached is
# `[]`.

# %% exercise="consent.after_merge" objective="5" criterion="identity"
after_merge = [["email", "push", "sms"], [], ["email", "push"]]

# %% stub="consent.after_merge"
after_merge = ...

# %% check="consent.after_merge"
check("consent.after_merge", after_merge)

# %% [markdown] hint="consent.after_merge"
# Treat the table above as one history. For each day, cover the rows that come after it, then ask for each channel: which row is the last that speaks for it?

# %% [markdown] hint="consent.after_merge"
# On the second day every channel has a last row, and it is not the same row for all of them. Is any of these rows a grant?

# %% [markdown] hint="consent.after_merge"
# On the third day look at the account that granted, and at what is on file for it. Another account's address does not count.

# %% truth="consent.after_merge"
def truth(workspace):
    franks = ["P-shop:6071678384", "P-crm:7912592159"]
    consents, touches = workspace.table("consent_events"), workspace.table("campaign_events")
    left = touches[touches["event_name"] == "unsubscribed"].assign(purpose="marketing", status="withdrawn")
    told = pd.concat([consents, left])
    told = told[told["profile_id"].isin(franks) & (told["purpose"] == "marketing")]
    told = told.assign(is_block=told["status"] != "granted").sort_values(["event_ts", "is_block"])
    changes = workspace.bronze("customers").astype({"lsn": int}).sort_values("lsn")
    changes["record_id"] = changes["source_system"] + ":" + changes["customer_id"]
    account = changes[changes["op"] != "d"].drop_duplicates("record_id", keep="last").set_index("record_id")
    found = []
    for day in ("2025-02-28", "2025-08-31", "2026-06-30"):
        evening = pd.Timestamp(f"{day} 23:59:59", tz="UTC")
        known = told[(told["event_ts"] <= evening) & (told["ingest_ts"] <= evening)]
        usable = []
        for channel, column in (("email", "email"), ("push", "customer_id"), ("sms", "phone")):
            rows = known[known["channel"].fillna("any").isin(["any", channel])]
            last = rows.iloc[-1] if len(rows) else None
            if last is not None and not last["is_block"] and not last["expires_ts"] <= evening:
                usable += [channel] if account.loc[last["record_id"], column] else []
        found.append(usable)
    return found

# %% wrong="consent.after_merge" misconception="consent-resurrected-by-merge" says="You let a grant of one profile survive the withdrawal in the other. On the CRM side marketing was withdrawn in June 2025, later than the grant in the shop: together they are one history, and the withdrawal is the later choice. Software that forgets withdrawals brings grants back to life in just this way."
after_merge = [["email", "push", "sms"], ["push", "sms"], ["email", "push", "sms"]]

# %% wrong="consent.after_merge" misconception="grants-are-united" says="On the second day you let the shop's grant survive the withdrawal in the CRM, which came later. The third day is right."
after_merge = [["email", "push", "sms"], ["push", "sms"], ["email", "push"]]

# %% wrong="consent.after_merge" misconception="withdrawal-for-any-channel-overlooked" says="You let the shop's grant survive for SMS. The unsubscribes closed e-mail and push, but the withdrawal in June 2025 was for any channel, and it is later than the grant."
after_merge = [["email", "push", "sms"], ["sms"], ["email", "push"]]

# %% wrong="consent.after_merge" misconception="address-of-another-account" says="On the third day you use the phone number of the shop account. The grant that holds is the CRM account's, and that has no phone; the shop's own grant was overtaken. Merging can close a channel."
after_merge = [["email", "push", "sms"], [], ["email", "push", "sms"]]

# %% wrong="consent.after_merge" misconception="a-refusal-wins-for-ever" says="You let a refusal win whatever comes later. It wins at the same second; in December 2025 he agreed again, and that is the later choice."
after_merge = [["email", "push", "sms"], [], []]

# %% wrong="consent.after_merge" misconception="the-older-profile-wins" says="You kept what the shop profile says and forgot the CRM profile's choices. A merge joins histories; no side wins."
after_merge = [["email", "push", "sms"], ["push", "sms"], ["push", "sms"]]

# %% wrong="consent.after_merge" misconception="the-newer-profile-wins" says="You kept what the CRM profile says. In February 2025 it knew of no choice yet, but the person had made one, in the shop."
after_merge = [[], [], ["email", "push"]]

# %% wrong="consent.after_merge" misconception="both-must-agree" says="You ask that both profiles agree. That is on the safe side, but it is not the rule: after the merge there is one person with one history, and the latest choice in it holds."
after_merge = [[], [], ["push"]]

# %% [markdown]
# The merged history, spelled out by channel. Compare it with your prediction, day by day. (The picture shows what was
# chosen. It does not know who has a phone.)

# %%
said = of_frank["channel"].fillna("any")
lanes = pd.concat([of_frank[said.isin(["any", name])].assign(lane=f"marketing, {name}") for name in CHANNELS])
show(
    plots.consent.timeline(lanes, ws.as_of, "Frank Hofman-Sjöberg as one person: refused from June to December 2025"),
    alt="Timeline of the merged profile for e-mail, SMS and push: granted from September 2024, refused from June 2025, granted again from December 2025.",
)

# %% [markdown]
# Software that stores only the current yes, and deletes it on withdrawal, has nothing to set against the shop's old
# grant when the profiles meet: the merge copies it, and consent has come back from the dead. Software that lets the
# last profile in a list win depends on the order of a list. A merge of *histories* can only give what somebody chose
# last.
#
# This is why silver keeps every choice for good and no flag: it can be asked again, for any day, after any merge or
# split.
#
# ## What you can now do
#
# - spell out a choice for `any`, or for no channel at all, without letting a choice for one channel leak into the
#   others
# - find the choice that holds at a moment, by when it was made, whatever order the rows arrived in
# - decide for each person, purpose and channel, with a reason for everybody who is blocked and the one address that
#   may be used for everybody else
# - read an export for leaks: channel, purpose, whose address, and the time between deciding and sending
# - say what a merge of two profiles does to consent, and recognise consent that a merge has brought back to life
#
# ## Common mistakes
#
# - **One denormalised table without ownership, consent, identity rules, freshness or thresholds.** A column `consent =
#   true` has no purpose, no channel, no moment and no proof. In `customer_360` the `consent_` columns are true only if
#   every channel is granted, and activation never reads them.
# - **Behaviour aggregated without event time.** A choice is behaviour too: order by load time, and a slow line
#   decides.
# - **Profiles exposed without a contract and a validation report.** An export that takes any profile is such a door.
# - **Unknown taken for yes.** Nobody writes that rule; a left join and a `!= "denied"` do.
# - **Expiry tested first.** Dropping ended grants before picking brings back the ones before them.
# - **The freshest address of the person.** The account that granted names its address; no other account's may stand
#   in.
# - **A consent rate as a target.** It is a fact about people, not about the quality of the data.
#
# ## Further reading
#
# - [Purposes, channels and block reasons](../docs/data-dictionary.md#consent) and
#   [how consent is built](../docs/architecture.md#consent) in this course.
# - The layer, [`c360lib/layers/consent.py`](../c360lib/layers/consent.py), and the second opinion that counts leaks,
#   [`c360lib/quality/leaks.py`](../c360lib/quality/leaks.py).
# - Regulation (EU) 2016/679 (General Data Protection Regulation), 2016: article 4 (11) on what consent is, article 7 on
#   proof and withdrawal.
# - European Data Protection Board: *Guidelines 05/2020 on consent under Regulation 2016/679*, 2020.
# - ISO/IEC TS 27560: *Consent record information structure*, 2023.
