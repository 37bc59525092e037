"""Declared rules to evidence: which accounts share which key. Works on accounts as `people.account_states` gives them.

A key is the tuple of a rule's columns; an account that lacks one of them has no key of that rule.
"""

from __future__ import annotations

import narwhals as nw

from c360lib.engines.base import Frame
from c360lib.rules import MATCH_RULES

_INT = nw.Int64()


def shared_keys(accounts: Frame) -> Frame:
    """Who holds which key that another account holds too: (rule, root, node, account_count).

    `rule` counts from 0, the strongest; `root`, the smallest node, names the key.
    """
    parts = []
    for number, rule in enumerate(MATCH_RULES):
        whole = accounts.filter(*(~nw.col(name).is_null() for name in rule.columns)).select("node", *rule.columns)
        shared = whole.with_columns(account_count=nw.len().over(*rule.columns).cast(_INT))
        shared = shared.filter(nw.col("account_count") > 1)
        shared = shared.with_columns(root=nw.col("node").min().over(*rule.columns))
        parts.append(shared.select(nw.lit(number).cast(_INT).alias("rule"), "root", "node", "account_count"))
    return nw.concat(parts)


def _with_key(keys: Frame, accounts: Frame, number: int) -> Frame:
    """One row per key of a rule, with its text: (root, key, account_count)."""
    rule = MATCH_RULES[number]
    roots = keys.filter((nw.col("rule") == number) & (nw.col("root") == nw.col("node"))).select("root", "account_count")
    key = nw.concat_str([nw.col(name).cast(nw.String()) for name in rule.columns], separator="|")
    values = accounts.select(nw.col("node").alias("root"), *rule.columns)
    return roots.join(values, on="root", how="inner").select("root", "account_count", key=key)


def blocked_keys(keys: Frame, accounts: Frame) -> Frame:
    """Keys that more accounts hold than their rule's limit: (kind, key, account_count, account_limit)."""
    parts = []
    for number, rule in enumerate(MATCH_RULES):
        many = _with_key(keys.filter(nw.col("account_count") > rule.limit), accounts, number)
        limit = nw.lit(rule.limit).cast(_INT)
        parts.append(many.select(kind=nw.lit(rule.name), key="key", account_count="account_count", account_limit=limit))
    return nw.concat(parts)


def key_holders(keys: Frame, accounts: Frame, blocked: Frame) -> Frame:
    """Who holds which usable key: (rule, root, node)."""
    parts = []
    for number, rule in enumerate(MATCH_RULES):
        ignored = blocked.filter(nw.col("kind") == rule.name).select("key")
        usable = _with_key(keys, accounts, number).join(ignored, on="key", how="anti").select("root")
        held = keys.filter(nw.col("rule") == number).select("rule", "root", "node")
        parts.append(held.join(usable, on="root", how="semi"))
    return nw.concat(parts)


def linked_accounts(accounts: Frame, holders: Frame, pairs: Frame, scores: Frame) -> Frame:
    """Accounts that evidence touches, with what constraints need: (node, record_id, date_of_birth, first_event_ts)."""
    touched = nw.concat([holders.select("node"), ends(pairs, scores)]).unique("node")
    return accounts.join(touched, on="node", how="semi").select("node", "record_id", "date_of_birth", "first_event_ts")


def ends(*pairs: Frame) -> Frame:
    """The nodes that pairs name, each once: (node)."""
    return nw.concat([part.select(node=end) for part in pairs for end in ("left", "right")]).unique("node")


def steward_pairs(decisions: Frame, accounts: Frame, as_of: int) -> Frame:
    """The latest decision on each pair of known accounts: (left, right, is_link), left record_id the smaller.

    Ties go to cannot_link. Decisions made after as_of do not count yet.
    """
    usable = decisions.filter(nw.col("_is_usable") & (nw.col("decided_ts") <= as_of))
    usable = usable.filter(nw.col("left_record_id") != nw.col("right_record_id"))
    swap = nw.col("left_record_id") > nw.col("right_record_id")
    pair = usable.with_columns(
        _a=nw.when(swap).then(nw.col("right_record_id")).otherwise(nw.col("left_record_id")),
        _b=nw.when(swap).then(nw.col("left_record_id")).otherwise(nw.col("right_record_id")),
        is_cannot_link=nw.col("decision") == "cannot_link",
    )
    last = pair.unique(["_a", "_b"], keep="last", order_by=["decided_ts", "is_cannot_link", "_row_number"])
    nodes = accounts.select("record_id", "node")
    last = last.join(nodes.rename({"record_id": "_a", "node": "left"}), on="_a", how="inner")
    last = last.join(nodes.rename({"record_id": "_b", "node": "right"}), on="_b", how="inner")
    return last.select("left", "right", is_link=nw.col("decision") == "must_link")
