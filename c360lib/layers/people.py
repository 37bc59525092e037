"""Accounts, and the people that they are."""

from __future__ import annotations

import narwhals as nw

from c360lib import rules
from c360lib.engines.base import Frame
from c360lib.engines.kernels import first_per, null_of, rows_of, with_columns_of
from c360lib.layers.dispositions import CONFLICT, CURRENT, QUARANTINED, SUPERSEDED, marked, states
from c360lib.rules import SURVIVING_GROUPS
from c360lib.schemas import RAW
from c360lib.sources.match_keys import KEYS


# --- accounts and people ----------------------------------------------------------------------------------------------
def account_states(rows: Frame) -> Frame:
    """One row per account that is not erased: `node`, current values, match keys, first_event_ts, last_ingest_ts.

    Most accounts have one row, which tells both times; only superseded rows are grouped.
    """
    superseded = rows.filter(nw.col("disposition") == SUPERSEDED)
    before = superseded.group_by("_entity").agg(_first=nw.col("event_ts").min(), _last=nw.col("ingest_ts").max())
    last = with_columns_of(states(rows).drop("disposition", "op", "lsn"), before, on="_entity")
    earlier = (nw.col("_first") < nw.col("event_ts")).fill_null(False)
    later = (nw.col("_last") > nw.col("ingest_ts")).fill_null(False)
    last = last.with_columns(
        first_event_ts=nw.when(earlier).then(nw.col("_first")).otherwise(nw.col("event_ts")),
        last_ingest_ts=nw.when(later).then(nw.col("_last")).otherwise(nw.col("ingest_ts")),
    )
    return last.drop("_entity", "_first", "_last").rename({"_row_number": "node"})


def erased_rows(rows: Frame, erased: Frame, as_of: int) -> Frame:
    """Rows of customers of the accounts that a request names, marked as if there were none."""
    nobody = erased.with_columns(is_erased=nw.lit(False))
    return marked(rows_of(rows, erased, "_account"), nobody, RAW["customers"], as_of)


def doubts(rows: Frame, account_states: Frame) -> Frame:
    """Accounts that a row which cannot be used may have changed since: (node, is_gone, no_email, no_phone, no_push).

    A row counts where its lsn is not readably below that of the current state. A delete may mean that the account
    `is_gone`; any other change, that the addresses it does not repeat are old; a row whose op is unreadable, either.
    """
    current = rows.filter(nw.col("disposition") == CURRENT).select("_account", _lsn="lsn")
    states = account_states.select("node", "_account", *(nw.col(n).alias(f"_{n}") for n in _ADDRESSES))
    unusable = rows.filter(nw.col("disposition").is_in([QUARANTINED, CONFLICT])).select(
        "_account", "op", "lsn", *_ADDRESSES
    )
    unusable = unusable.join(current.join(states, on="_account", how="inner"), on="_account", how="inner")
    unusable = unusable.filter(nw.col("lsn").is_null() | (nw.col("lsn") >= nw.col("_lsn")))
    is_unknown, is_change = nw.col("op").is_null(), nw.col("op") != "d"
    found = unusable.select(
        "node",
        is_gone=_one_where(nw.col("op") == "d"),
        no_email=_one_where(is_unknown | (is_change & ~_is_same("email"))),
        no_phone=_one_where(is_unknown | (is_change & ~_is_same("phone"))),
        no_push=_one_where(is_unknown),
    )
    kinds = ("is_gone", "no_email", "no_phone", "no_push")
    found = found.group_by("node").agg(nw.col(name).max() for name in kinds)
    return found.with_columns(nw.col(name) == 1 for name in kinds)


_ADDRESSES = ("email", "email_key", "phone", "phone_key")


def _one_where(true: nw.Expr) -> nw.Expr:
    return nw.when(true.fill_null(False)).then(1).otherwise(0)


def _is_same(name: str) -> nw.Expr:
    """Whether a row repeats an address of the current state, however it is written, or both have none."""
    alike = [nw.col(n) == nw.col(f"_{n}") for n in (name, f"{name}_key")]
    return (
        alike[0].fill_null(False) | alike[1].fill_null(False) | (nw.col(name).is_null() & nw.col(f"_{name}").is_null())
    )


def directory(identified: Frame, erased: Frame, doubts: Frame) -> Frame:
    """What a row may learn from the account it names: (_account, node, person, is_account_deleted, is_erased)."""
    living = in_directory(identified, doubts)
    number = null_of(nw.col("request_row"))
    gone = erased.with_columns(node=number, person=number, is_account_deleted=null_of(nw.col("is_erased")))
    return nw.concat([living, gone.select(living.collect_schema().names())])


def in_directory(accounts: Frame, doubts: Frame) -> Frame:
    """The entries of accounts, with their `person`. One that may be gone is deleted: what it granted opens nothing."""
    names = ("_account", "node", "person", "is_deleted")
    rows = with_columns_of(accounts.select(*names), doubts.select("node", "is_gone"), "node")
    deleted = nw.col("is_deleted") | nw.col("is_gone").fill_null(False)
    return rows.select("_account", "node", "person", is_account_deleted=deleted, is_erased=nw.lit(False))


def identified(account_states: Frame, clusters: Frame) -> Frame:
    """Accounts with the `person` they belong to and the `rule` that put them there; alone: themselves and null.

    Who is who is decided, so of the match keys only that of the e-mail is still needed, for tickets.
    """
    accounts = account_states.drop(*(key for key in KEYS if key != "email_key"))
    joined = with_columns_of(accounts, clusters, on="node")
    return joined.with_columns(person=nw.coalesce(nw.col("person"), nw.col("node")))


def people(identified: Frame) -> Frame:
    """One row per person: (person, profile_id, counts, first and last times); the id is that of the oldest account.

    Most accounts are alone and a row each; only the others are grouped.
    """
    ones = identified.select(
        "person",
        "node",
        "rule",
        source_record_count=nw.lit(1).cast(nw.Int64()),
        live_record_count=nw.when(nw.col("is_deleted")).then(nw.lit(0)).otherwise(nw.lit(1)).cast(nw.Int64()),
        first_seen_ts="first_event_ts",
        last_updated_ts="event_ts",
        accounts_ingest_ts="last_ingest_ts",
        profile_id=nw.concat_str([nw.lit("P-"), nw.col("record_id")]),
    )
    alone = nw.col("rule").is_null()
    many = ones.filter(~alone)
    counts = many.group_by("person").agg(
        nw.col("source_record_count").sum(),
        nw.col("live_record_count").sum(),
        nw.col("first_seen_ts").min(),
        nw.col("last_updated_ts").max(),
        nw.col("accounts_ingest_ts").max(),
    )
    ids = many.filter(nw.col("node") == nw.col("person")).select("person", "profile_id")
    whole = [nw.col(name).cast(nw.Int64()) for name in ("source_record_count", "live_record_count")]
    counts = counts.with_columns(whole).join(ids, on="person", how="inner")
    return nw.concat([ones.filter(alone).select(counts.collect_schema().names()), counts])


def live_people(people: Frame) -> Frame:
    """One row per person with a live account: (person, profile_id).

    >>> rows = {"person": [1, 2], "profile_id": ["P-crm:a", "P-crm:b"], "live_record_count": [2, 0]}
    >>> live_people(nw.from_dict(rows, backend="polars").lazy()).collect().rows()
    [(1, 'P-crm:a')]
    """
    return people.filter(nw.col("live_record_count") > 0).select("person", "profile_id")


def profile_base(identified: Frame, people: Frame) -> Frame:
    """One row per person: customer_profile_base. Each group of values is that of the live account that knew it last."""
    live = identified.filter(~nw.col("is_deleted"))
    rows = people
    for group in SURVIVING_GROUPS:
        known = live.filter(~nw.all_horizontal(*(nw.col(n).is_null() for n in group), ignore_nulls=False))
        rows = rows.join(_newest(known).select("person", *group), on="person", how="left")
    return rows.with_columns(
        data_owner=nw.lit(rules.DATA_OWNER),
        pii_class=nw.lit(rules.PII_CLASS),
        contract_version=nw.lit(rules.CONTRACT_VERSION),
    )


def _newest(accounts: Frame) -> Frame:
    """Of each person the account with the latest event_ts; ties go to the smallest record_id.

    >>> rows = {"person": [1, 1, 1], "event_ts": [5, 9, 9], "record_id": ["crm:a", "shop:b", "crm:c"]}
    >>> _newest(nw.from_dict(rows, backend="polars").lazy()).select("record_id").collect().rows()
    [('crm:c',)]
    """
    rows = accounts.with_columns(_last=nw.col("event_ts").max().over("person")).filter(
        nw.col("event_ts") == nw.col("_last")
    )
    return first_per(rows, "person", "record_id")
