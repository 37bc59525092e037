"""Declared rules to evidence: which accounts share which key. Works on accounts as `silver.accounts` gives them."""

from __future__ import annotations

import narwhals as nw

from c360lib.engine import Frame
from c360lib.rules import MATCH_RULES, MatchRule

_INT = nw.Int64()


def _holders(accounts: Frame, rule: MatchRule) -> Frame:
    """Accounts that hold a whole key which another one holds too: (node, root, account_count, key)."""
    columns = list(rule.columns)
    whole = accounts.filter(*(~nw.col(name).is_null() for name in columns)).select("node", *columns)
    shared = whole.with_columns(account_count=nw.len().over(*columns), root=nw.col("node").min().over(*columns))
    shared = shared.filter(nw.col("account_count") > 1)
    key = nw.concat_str([nw.col(name).cast(nw.String()) for name in columns], separator="|")
    return shared.select("node", "root", nw.col("account_count").cast(_INT), key=key)


def blocked_keys(accounts: Frame) -> Frame:
    """Keys that more accounts hold than their rule's limit: (kind, key, account_count, account_limit)."""
    parts = []
    for rule in MATCH_RULES:
        many = _holders(accounts, rule).filter(nw.col("account_count") > rule.limit)
        many = many.select("key", "account_count").unique("key")
        parts.append(
            many.select(
                kind=nw.lit(rule.name),
                key="key",
                account_count="account_count",
                account_limit=nw.lit(rule.limit).cast(_INT),
            )
        )
    return nw.concat(parts)


def key_holders(accounts: Frame, blocked: Frame) -> Frame:
    """Who holds which usable key: (rule, root, node); rule counts from 0, the strongest; root names the key."""
    parts = []
    for number, rule in enumerate(MATCH_RULES):
        ignored = blocked.filter(nw.col("kind") == rule.name).select("key")
        usable = _holders(accounts, rule).join(ignored, on="key", how="anti")
        parts.append(usable.select(rule=nw.lit(number).cast(_INT), root="root", node="node"))
    return nw.concat(parts)


def linked_accounts(accounts: Frame, holders: Frame, pairs: Frame) -> Frame:
    """Accounts that evidence touches, with what constraints need: (node, record_id, date_of_birth, first_event_ts)."""
    touched = nw.concat([holders.select("node"), pairs.select(node="left"), pairs.select(node="right")]).unique("node")
    return accounts.join(touched, on="node", how="semi").select("node", "record_id", "date_of_birth", "first_event_ts")


def steward_pairs(decisions: Frame, accounts: Frame, as_of: int) -> Frame:
    """The latest decision on each pair of known accounts: (left, right, is_link), left record_id the smaller.

    Ties go to cannot_link. Decisions made after as_of do not count yet.
    """
    usable = decisions.filter(nw.col("_fault").is_null() & (nw.col("decided_ts") <= as_of))
    usable = usable.filter(nw.col("left_record_id") != nw.col("right_record_id"))
    swap = nw.col("left_record_id") > nw.col("right_record_id")
    pair = usable.with_columns(
        _a=nw.when(swap).then(nw.col("right_record_id")).otherwise(nw.col("left_record_id")),
        _b=nw.when(swap).then(nw.col("left_record_id")).otherwise(nw.col("right_record_id")),
        _order=nw.col("decided_ts") * 2 + nw.when(nw.col("decision") == "cannot_link").then(1).otherwise(0),
    )
    last = pair.unique(["_a", "_b"], keep="last", order_by=["_order", "_row_number"])
    nodes = accounts.select("record_id", "node")
    last = last.join(nodes.rename({"record_id": "_a", "node": "left"}), on="_a", how="inner")
    last = last.join(nodes.rename({"record_id": "_b", "node": "right"}), on="_b", how="inner")
    return last.select("left", "right", is_link=nw.col("decision") == "must_link")
