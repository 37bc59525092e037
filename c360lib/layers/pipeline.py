"""LAYERS, the one definition of every table.

A layer is `(moment, tables) -> table`. The batch build, the incremental stream and Spark read the same literal.
Inputs of the first layers are typed rows of the raw sources, named `<source>_rows`, what was found wrong with them,
`<source>_findings`, the stewards' decisions, and who was who in the release published before.
"""

from __future__ import annotations

from collections.abc import Callable

import narwhals as nw

from c360lib.engines.base import Frame
from c360lib.identity import clusters, deterministic, erased, evidence, history, review
from c360lib.identity.model import score
from c360lib.layers import behaviour, carried, consent, dispositions, gold, measures, people, silver
from c360lib.layers.layer import Layer, Moment, from_tables, from_tables_at
from c360lib.rules import LABEL_WINDOW_DAYS, SECONDS_PER_DAY
from c360lib.schemas import GOLD, RAW, SILVER, Table


def _source(name: str, directory: str = "directory") -> Layer:
    """The layer that gives every row of a raw source its disposition."""
    marked = from_tables_at(dispositions.marked, table=RAW[name])
    return Layer(f"{name}_marked", marked, (f"{name}_rows", directory))


def _each_source(function: Callable[..., Frame]) -> Callable[..., Frame]:
    """A layer that tells the same of every source, of one table of each or several: all of a kind, then the next."""
    return lambda at, *tables: nw.concat(
        [function(*tables[number :: len(RAW)], table) for number, table in enumerate(RAW.values())]
    )


def _current(rows: Frame) -> Frame:
    return rows.filter(nw.col("disposition") == dispositions.CURRENT)


def _later_orders(at: Moment, rows: Frame, directory: Frame) -> Frame | None:
    """Orders as they will stand when the label window is over; None while the data do not reach that far."""
    later = at.as_of + LABEL_WINDOW_DAYS * SECONDS_PER_DAY
    if at.reach < later:
        return None
    return dispositions.states(dispositions.marked(rows, directory, RAW["orders"], later))


def _columns(rows: Frame, table: Table) -> Frame:
    return rows.select(table.column_names)


_MARKED = tuple(f"{source}_marked" for source in RAW)
_FINDINGS = tuple(f"{source}_findings" for source in RAW)
LAYERS: tuple[Layer, ...] = (
    # who is who
    Layer("erased", from_tables_at(dispositions.erased_accounts), ("erasure_requests_rows",)),
    Layer("erased_marked", from_tables_at(people.erased_rows), ("customers_rows", "erased")),
    Layer("erased_states", from_tables(people.account_states), ("erased_marked",)),
    Layer("erased_doubts", from_tables(people.doubts), ("erased_marked", "erased_states")),
    _source("customers", "erased"),
    Layer("account_states", from_tables(people.account_states), ("customers_marked",)),
    Layer("doubts", from_tables(people.doubts), ("customers_marked", "account_states")),
    Layer("steward_pairs", from_tables_at(deterministic.steward_pairs), ("decisions_rows", "account_states")),
    Layer("shared_keys", from_tables(deterministic.shared_keys), ("account_states",)),
    Layer("blocked_identity_keys", from_tables(deterministic.blocked_keys), ("shared_keys", "account_states")),
    Layer(
        "key_holders",
        from_tables(deterministic.key_holders),
        ("shared_keys", "account_states", "blocked_identity_keys"),
    ),
    Layer("model_asked", from_tables(score.asked), ()),
    Layer("match_fields", from_tables(score.fields), ("account_states", "model_asked")),
    Layer("identity_model", from_tables(score.model), ("match_fields", "model_asked")),
    Layer("match_scores", from_tables(score.scores), ("match_fields", "identity_model", "key_holders")),
    Layer(
        "linked",
        from_tables(deterministic.linked_accounts),
        ("account_states", "key_holders", "steward_pairs", "match_scores"),
    ),
    Layer("refused", from_tables(clusters.refused_edges), ("key_holders", "linked", "steward_pairs", "match_scores")),
    Layer("review_keys", from_tables(review.keys), ("account_states", "refused", "match_scores")),
    Layer(
        "accepted",
        from_tables(clusters.accepted),
        ("key_holders", "linked", "steward_pairs", "match_scores", "refused"),
    ),
    Layer("clusters", from_tables(clusters.clusters), ("accepted", "linked", "match_scores")),
    # who is who with the accounts that are erased
    Layer("erased_pairs", from_tables_at(erased.pairs), ("decisions_rows", "account_states", "erased_states")),
    Layer("erased_fields", from_tables(erased.fields), ("match_fields", "erased_states", "model_asked")),
    Layer("erased_scores", from_tables(erased.scores), ("erased_fields", "erased_states", "identity_model")),
    Layer(
        "near_erased", from_tables(erased.near), ("account_states", "erased_states", "erased_pairs", "erased_scores")
    ),
    Layer("keys_near_erased", from_tables(erased.holders), ("near_erased", "blocked_identity_keys")),
    Layer(
        "larger",
        from_tables(erased.larger),
        (
            *("near_erased", "erased_states", "keys_near_erased", "key_holders", "linked"),
            *("steward_pairs", "erased_pairs", "match_scores", "erased_scores"),
        ),
    ),
    # who is who
    Layer("identified", from_tables(people.identified), ("account_states", "clusters")),
    Layer("people", from_tables(people.people), ("identified",)),
    Layer("live_people", from_tables(people.live_people), ("people",)),
    Layer("directory", from_tables(people.directory), ("identified", "erased", "doubts")),
    Layer("contacts", from_tables(consent.contacts), ("account_states", "doubts")),
    Layer("erased_directory", from_tables(carried.directory), ("erased_states", "erased_doubts")),
    Layer("erased_contacts", from_tables(consent.contacts), ("erased_states", "erased_doubts")),
    # what is published of that
    Layer("customer_identity", from_tables(evidence.customer_identity), ("identified", "people")),
    Layer("bridge_pairs", from_tables(clusters.bridge_pairs), ("accepted", "linked")),
    Layer(
        "identity_edges",
        from_tables(evidence.edges),
        ("key_holders", "account_states", "steward_pairs", "match_scores", "refused", "bridge_pairs"),
    ),
    Layer("erased_ids", from_tables(history.erased_ids), ("erased", "erasure_requests_rows")),
    Layer(
        "identity_events",
        from_tables_at(history.identity_events),
        ("profiles_before", "events_before", "customer_identity", "identity_edges", "erased_ids"),
    ),
    Layer("review_pairs", from_tables(review.pairs), ("refused", "match_scores", "clusters", "steward_pairs")),
    # what they did and what they are worth, source by source
    _source("orders"),
    Layer("order_states", from_tables(dispositions.states), ("orders_marked",)),
    Layer("value", from_tables_at(measures.value), ("order_states",)),
    _source("clickstream"),
    Layer("shared_devices", from_tables(behaviour.shared_devices), ("clickstream_marked",)),
    Layer("blocked_devices", from_tables(behaviour.blocked_devices), ("shared_devices", "clickstream_marked")),
    Layer("visits", from_tables(behaviour.visits), ("clickstream_marked", "shared_devices")),
    Layer("stitched", from_tables(behaviour.stitched), ("visits", "clickstream_marked")),
    Layer("activity", from_tables_at(measures.activity), ("stitched",)),
    _source("support_tickets"),
    Layer("tickets", from_tables(behaviour.assigned_tickets), ("support_tickets_marked", "identified")),
    Layer("support", from_tables_at(measures.support), ("tickets",)),
    _source("campaign_events"),
    Layer("campaign_touches", from_tables(_current), ("campaign_events_marked",)),
    _source("consent_events"),
    Layer("consent_choices", from_tables(_current), ("consent_events_marked",)),
    _source("erasure_requests"),
    # what they allow
    Layer("choices", from_tables(consent.choices), ("consent_events_marked", "campaign_events_marked")),
    Layer(
        "erased_choices",
        from_tables_at(carried.said),
        ("consent_events_rows", "campaign_events_rows", "erased_directory"),
    ),
    Layer("larger_choices", from_tables(carried.of_larger), ("larger", "choices", "erased_choices")),
    Layer("larger_shut", from_tables_at(carried.shut), ("larger_choices", "contacts", "erased_contacts")),
    Layer("carried", from_tables(carried.carried), ("larger", "larger_choices", "identified")),
    Layer("held", from_tables(carried.held), ("larger", "larger_shut", "identified")),
    Layer("consent_spoken", lambda at, *said: consent.spoken(nw.concat(said)), ("choices", "carried")),
    Layer("consent_latest", from_tables(consent.latest), ("consent_spoken",)),
    Layer("consent_own", from_tables_at(consent.state), ("consent_latest", "consent_spoken")),
    Layer("consent_state", from_tables(consent.held_back), ("consent_own", "held")),
    Layer("consent_summary", from_tables(consent.summary), ("people", "consent_state")),
    # what is known of a person
    Layer(
        "used",
        from_tables(measures.freshness),
        ("order_states", "stitched", "tickets", "campaign_touches", "consent_choices"),
    ),
    Layer("profile_base", from_tables(people.profile_base), ("identified", "people")),
    Layer(
        "customers",
        from_tables_at(gold.customer_360),
        ("profile_base", "value", "activity", "support", "consent_summary", "used"),
    ),
    Layer("later_orders", _later_orders, ("orders_rows", "directory")),
    # what is published: silver
    Layer("customer_profile_base", from_tables(_columns, table=SILVER["customer_profile_base"]), ("profile_base",)),
    Layer("orders", from_tables(silver.conformed, table=SILVER["orders"]), ("order_states", "people")),
    Layer("clickstream", from_tables(silver.clickstream), ("clickstream_marked", "stitched", "people")),
    Layer("support_tickets", from_tables(silver.conformed, table=SILVER["support_tickets"]), ("tickets", "people")),
    Layer(
        "campaign_events",
        from_tables(silver.conformed, table=SILVER["campaign_events"]),
        ("campaign_touches", "people"),
    ),
    Layer(
        "consent_events", from_tables(silver.conformed, table=SILVER["consent_events"]), ("consent_choices", "people")
    ),
    Layer(
        "erasure_requests",
        lambda at, rows: _columns(_current(rows), SILVER["erasure_requests"]),
        ("erasure_requests_marked",),
    ),
    Layer(
        "review_records", from_tables(review.records), ("review_pairs", "review_keys", "identified", "people", "value")
    ),
    Layer("identity_review_queue", from_tables(review.queue), ("review_pairs", "review_records")),
    Layer("blocked_keys", lambda at, *tables: nw.concat(tables), ("blocked_identity_keys", "blocked_devices")),
    Layer("field_issues", _each_source(dispositions.field_issues), (*_MARKED, *_FINDINGS)),
    Layer("quarantine", _each_source(dispositions.quarantine), (*_MARKED, *_FINDINGS)),
    Layer("dispositions", _each_source(dispositions.dispositions), _MARKED),
    # what is published: gold
    Layer("customer_360", from_tables(_columns, table=GOLD["customer_360"]), ("customers",)),
    Layer("activation_candidates", from_tables_at(consent.activation), ("live_people", "consent_state", "contacts")),
    Layer("segment_summary", from_tables(gold.segment_summary), ("customers",)),
    Layer("customer_features", from_tables(gold.features), ("customers",)),
    Layer("customer_labels", from_tables_at(gold.labels), ("customers", "later_orders")),
)
INPUTS = (*(f"{source}_rows" for source in RAW), *_FINDINGS, "decisions_rows", "profiles_before", "events_before")
PUBLISHED = (*SILVER, *GOLD, "dispositions")
