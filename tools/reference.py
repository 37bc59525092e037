"""Write docs/data-dictionary.md and docs/faults.md from what the library declares.

    .venv/bin/python tools/reference.py [--check]

With --check nothing is written; the exit status is 1 where a page is not what would be written.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path

from c360lib import rules, schemas
from c360lib.generate.faults import FAULTS
from c360lib.layers.dispositions import DISPOSITIONS
from c360lib.rules import MATCH_RULES, Band
from c360lib.schemas import Column, Table

ROOT = Path(__file__).resolve().parent.parent
MADE = "<!-- Made by tools/reference.py from the library; change it there, then run that script. -->"

WHOLE_ROW_RULES = {
    "readable_line": "the line parses as CSV, decodes as UTF-8 and has as many cells as the header",
    "event_before_arrival": f"`event_ts` is at most {rules.CLOCK_SKEW_SECONDS} seconds after `ingest_ts`",
    "one_content_per_key": "rows of one key have one content; of a consent event each refusal still counts, and "
    "a grant that all of them give",
    "account_exists": "the account that the row names is in customers.csv; the row is used once the account arrives",
}
DISPOSITION_MEANINGS = {
    "current": "it is used, and is the last state of what it tells about",
    "superseded": "it is used as history: a later change of the same entity holds",
    "duplicate": "equal to another row but for `ingest_ts`; the earliest arrival is kept",
    "quarantined": "it cannot be used; it stands in quarantine with the rule that it breaks",
    "not_yet": "it arrived after `as_of`, or happened after it (a refusal of consent counts once it has arrived)",
    "erased": "its account is named by an erasure request",
}
BLOCK_MEANINGS = {
    "no_consent": "nothing is known for this purpose and channel",
    "denied": "the latest choice says no",
    "withdrawn": "the latest choice takes a grant back, or an `unsubscribed` touch does",
    "expired": "the latest choice is a grant that has ended",
    "account_deleted": "the account that granted is deleted, or a delete of it cannot be used",
    "consent_unreadable": "a consent row of this person that cannot be used arrived with the latest grant or after it, "
    "and may have said no",
    "no_identifier": "the account that granted has no address for the channel, or a change of it cannot be used",
}
CONSENT_RULES = f"""
The choice that holds is the latest of all accounts of a person. How rows of consent and unsubscribes count:

- A grant is dated by its `event_ts` or its `ingest_ts`, whichever is earlier.
- A refusal is dated by its `event_ts`, where that can be: readable, not before {rules.EARLIEST_CHOICE[:10]}, at most
  {rules.CLOCK_SKEW_SECONDS} seconds after `ingest_ts`. Else it is dated by its `ingest_ts`.
- A refusal that arrived more than {rules.MAX_CHOICE_DELAY_DAYS} days after it was made also shuts what was granted
  until it arrived.
- A consent row that cannot be used counts as a refusal for its account, purpose and channel (all of them, where
  unreadable), dated by its `ingest_ts`; a later grant opens again. Where `ingest_ts` is unreadable, or
  too early as well, it blocks until it is mended. A touch whose `event_name` is unreadable counts as an unsubscribe.
- At one moment a refusal beats a grant; `event_id` only decides which of equal refusals is named as the proof.
- An `event_id` that stands with several contents: each refusal counts; a purpose and channel is granted only where
  every content grants it to the same account, dated and ended by the earliest. Otherwise it changes nothing.
- Where a row of consent_events, campaign_events or erasure_requests cannot be used and its account cannot be read, the
  release fails (`unattributable_<source>_rows`): nobody knows whom it would block.
- A change of an account that cannot be used, with an `lsn` not readably below that of the current state, puts the
  account in doubt: a delete shuts what the account granted; any other change shuts the channels whose address it does
  not repeat; one whose `op` is unreadable shuts every channel.
- Erasing an account takes no refusal back. Who is who is worked out once more with the erased accounts; each refusal of
  such a larger person counts for each account that remains of it until that account grants later, and what was shut
  there is not opened by an older grant.
- What the release before had shut, for another reason than `no_identifier`, may be open only with a grant or a
  steward's decision that is new; else the release fails (`opened_without_grant`).
"""
# In the order in which they are tried; the tests evaluate these words against the layer.
SEGMENT_RULES = {
    "prospect": "rfm_frequency == 0",
    "new": f"clv_age_days <= {rules.NEW_CUSTOMER_DAYS}",
    "champion": "R >= 4 and F >= 4 and M >= 4",
    "loyal": "R >= 3 and F >= 3",
    "lapsed": "R == 1",
    "at_risk": "R <= 2 and F >= 2",
    "regular": "True",
}
CONSTANT_MEANINGS = {
    "RULES_VERSION": "version of this page's rules; part of every release id",
    "CONTRACT_VERSION": "version of the tables; stands in customer_360",
    "DATA_OWNER": "who answers for customer_profile_base",
    "PII_CLASS": "how personal its rows are",
    "CURRENCY": "the one currency; an order in another is quarantined",
    "SECONDS_PER_DAY": "days are UTC calendar days",
    "CLOCK_SKEW_SECONDS": "how far a source's clock may run ahead of the arrival",
    "SESSION_GAP_SECONDS": "longest gap inside a visit",
    "ACTIVITY_WINDOW_DAYS": "window of sessions_30d and events_30d",
    "TICKET_WINDOW_DAYS": "window of tickets_90d",
    "LABEL_WINDOW_DAYS": "window of churned_90d",
    "STEWARD_RULE": "match_rule of a steward's must_link",
    "DECLARED_PRIORITY_MILLIBITS": "review priority of a declared rule's edge; its weight is added",
    "STEWARD_WEIGHT": "weight of a steward's must_link",
    "MODEL_RULE": "match_rule of a link that the model weighed",
    "MODEL_SEED": "seed of the pairs that the model's u is estimated on",
    "MODEL_FORMAT": "version of the model file",
    "MODEL_DECIMALS": "decimals that m and u are kept with",
    "LEAST_PROBABILITY": "least m or u: what was never seen is not impossible",
    "LEAST_M_PROBABILITY": "least m: two accounts of one person may differ in anything",
    "CONTRADICTION_BELOW_MILLIBITS": "a personal finding below this weight speaks against a link",
    "MODEL_LINK_WEIGHT_MILLIBITS": "weight (1,000 times log2 of the odds) from which the model links",
    "MODEL_REVIEW_WEIGHT_MILLIBITS": "weight from which the model asks a steward; below it drops",
    "MAX_PAIRS_PER_ACCOUNT_AND_BLOCKING_RULE": "a blocking rule that gives more pairs is left out",
    "MIN_PAIRS_PER_BLOCKING_RULE": "pairs that a blocking rule may give however few accounts there are",
    "MAX_PAIRS_PER_ACCOUNT": "pairs of all blocking rules together above which the widest is left out",
    "MIN_PAIRS": "pairs that all of them may give however few accounts there are",
    "MAX_TRAINING_ACCOUNTS": "most accounts that prior and u are estimated on",
    "MAX_TRAINING_PAIRS": "most pairs for each estimate of m or u",
    "ASSUMED_DETERMINISTIC_RECALL": "share of true pairs that the declared rules are taken to find, for the prior",
    "MAX_CLUSTER_ACCOUNTS": "most accounts that rules may put together",
    "MAX_ACCOUNTS_PER_DEVICE": "accounts above which a device says nothing about its user",
    "MAX_LABEL_ROUNDS": "rounds after which the search for components stops with an error",
    "EARLIEST_CHOICE": "a refusal with an earlier `event_ts` has a wrong clock: it is dated by its arrival",
    "MAX_CHOICE_DELAY_DAYS": "a refusal that arrives later than this after it was made also shuts what was granted "
    "until it arrived",
    "UNSUBSCRIBE_PURPOSE": "what an `unsubscribed` touch withdraws, on its channel",
    "RFM_SCORE_WITHOUT_ORDER": "rfm_score of a person without a paid order",
    "CHURN_POINTS_WITHOUT_ORDER": "churn points of a person without a paid order",
    "CHURN_LOW_CSAT_POINTS": "churn points of an unhappy person",
    "LOW_CSAT_BELOW_X100": "csat_avg_x100 below which a person is unhappy",
    "CHURN_MEDIUM_FROM_SCORE": "churn_score from which the risk is medium",
    "CHURN_HIGH_FROM_SCORE": "churn_score from which the risk is high",
    "NEW_CUSTOMER_DAYS": "days after the first purchase for which a person is new",
    "SMALLEST_SEGMENT_PROFILES": "smaller segments show no figures in segment_summary",
    "MIN_PROFILE_COVERAGE_RATE": "below: fail",
    "MAX_DUPLICATE_PROFILES": "above: fail",
    "MAX_CRITICAL_NULL_RATE": "above: fail",
    "MAX_CONSENT_LEAKS": "above: fail",
    "MAX_UNATTRIBUTABLE_ROWS": "of consent_events, campaign_events and erasure_requests, each; above: fail",
    "MAX_OPENED_WITHOUT_GRANT": "above: fail",
    "MAX_QUARANTINE_RATE": "of a source; above: warn; 1: fail",
}
DETECTORS = {
    "quarantine": "the row is in quarantine.csv under this rule",
    "field_issues": "the cell is in field_issues.csv under this rule; its row is kept",
    "report": "the quality report has the measure `<source>_<name>`, and it warns",
    "gate": "the measure of this name fails, and nothing is published",
    "stop": "the run ends with this error and exit status 2 before anything is built",
    "blocked_keys": "the key or device is in blocked_keys.csv and links nobody",
    "unchanged": "nothing is wrong with such a file: gold is the same as without it",
}

DICTIONARY_NOTE = """\
Every table with its grain, key and columns, and every rule and threshold. [Architecture](architecture.md) says how the
tables come about, [faults](faults.md) how bad input is found."""
RAW_NOTE = """\
What you provide. Only `customers.csv` must be there. A *needed* column must be in the header, and a row whose cell is
empty is quarantined (on `op` d only the key, `op`, `lsn` and the two times are needed, and other values do not count).
*A bad cell* holds something else than its column says: either its row is quarantined under the rule named here, or the
cell becomes empty and is listed in `field_issues` under that rule, with its row kept. A bad row of `decisions.csv`
decides nothing; the report counts such rows. Files are UTF-8 with commas; column order is free."""
BRONZE_NOTE = """\
Files in `data/bronze/`, one for each raw file: every row with every column as text, in file order, and the lineage
beside it. A column outside the contract is kept here too, and ignored above."""
MATCHING_NOTE = """\
Accounts that agree on every column of a rule are one person, unless a constraint forbids it. Strongest first. A column
that ends in `_key` is compared without case and double spaces, first names by their formal name (Bob is Robert), phones
by their last nine digits."""
FAULTS_NOTE = """\
Named defects that `c360 generate` and `c360 run` put into the files they make, so that you can watch each of them being
found. `c360 run --faults orphan_reference,clock_skew` puts in two and says which rows they went to;
`c360 generate --faults list` prints the table below; `--faults all` takes every fault that does not stop the run, and a
later one may then hide an earlier one. The tests hold this table: each fault is found by what it names here, no row is
lost, and none is changed in silence. Rules are explained in the [data dictionary](data-dictionary.md)."""


def main(arguments: list[str]) -> int:
    """Write the pages, or compare them; the exit status."""
    if arguments not in ([], ["--check"]):
        print(f"expected [--check], got: {' '.join(arguments)}", file=sys.stderr)
        return 2
    stale = [path for path, text in pages().items() if not path.exists() or path.read_text("utf-8") != text]
    for path in stale:
        if arguments:
            print(f"{path.relative_to(ROOT)} is out of date: run .venv/bin/python tools/reference.py")
        else:
            path.write_text(pages()[path], encoding="utf-8", newline="\n")
            print(f"wrote {path.relative_to(ROOT)}")
    return 1 if stale and arguments else 0


def pages() -> dict[Path, str]:
    """The text of each page by its path."""
    docs = ROOT / "docs"
    return {docs / "data-dictionary.md": "\n".join(dictionary()), docs / "faults.md": "\n".join(faults())}


# --- Markdown ---------------------------------------------------------------------------------------------------------
def grid(head: Sequence[str], rows: Iterable[Sequence[object]]) -> Iterator[str]:
    r"""A table, without the columns that no row fills.

    >>> print(*grid(("a", "b", "c"), [("1|2", "", 3)]), sep="\n")
    | a | c |
    | --- | --- |
    | 1\|2 | 3 |
    """
    cells = [[str(cell).replace("|", "\\|") for cell in row] for row in rows]
    filled = [at for at in range(len(head)) if any(row[at] for row in cells)]
    for row in (list(head), ["---"] * len(head), *cells):
        yield f"| {' | '.join(row[at] for at in filled)} |"


def code(words: Iterable[str]) -> str:
    """Words as code, with commas.

    >>> code(["a", "b"])
    '`a`, `b`'
    """
    return ", ".join(f"`{word}`" for word in words)


def span(bands: Sequence[Band], at: int) -> str:
    """The values that a band holds.

    >>> [span((Band(10, 1), Band(0, 5)), at) for at in (0, 1)]
    ['10 or more', '0 to 9']
    """
    low = bands[at].at_least
    if at == 0:
        return f"{low:,} or more"
    high = bands[at - 1].at_least - 1
    return f"{low:,}" if low == high else f"{low:,} to {high:,}"


# --- the dictionary ---------------------------------------------------------------------------------------------------
def dictionary() -> Iterator[str]:
    """The lines of docs/data-dictionary.md."""
    yield from (MADE, "", "# Data dictionary", "", DICTIONARY_NOTE)
    yield from part("## Kinds", "", *kinds())
    yield "\nAn empty cell of a CSV file means that there is no value. Days are UTC."
    yield from part(
        "## What becomes of a row",
        "Every raw row has exactly one disposition:",
        ("disposition", "what it means"),
        ((f"`{name}`", DISPOSITION_MEANINGS[name]) for name in DISPOSITIONS),
    )
    yield from part(
        "",
        "Rules of whole rows; a row that breaks one is quarantined. Rules of single cells stand in the tables below.",
        ("rule", "the truth it asserts"),
        ((f"`{name}`", text) for name, text in WHOLE_ROW_RULES.items()),
    )
    raw = (*schemas.RAW.values(), schemas.STEWARD, schemas.TRUTH)
    yield from part("## Raw", RAW_NOTE)
    yield from (line for table in raw for line in described(table, f"data/{table.layer}/{table.name}.csv"))
    bronze = ((f"`{table.name}`", table.grain, code(table.key)) for table in schemas.BRONZE.values())
    yield from part("## Bronze", BRONZE_NOTE, ("table", "a row is", "key"), bronze)
    lineage = ((f"`{column.name}`", column.kind, column.meaning) for column in schemas.LINEAGE)
    yield from part("### lineage", "", ("column", "kind", "meaning"), lineage)
    for layer in (schemas.SILVER, schemas.GOLD):
        name = next(iter(layer.values())).layer
        yield from part(f"## {name.title()}", f"Files in `data/{name}/`, in key order.")
        yield from (line for table in layer.values() for line in described(table, table.name))
    yield from (*matching_and_consent(), *value_churn_segments(), *thresholds(), "")


def part(title: str, text: str, head: Sequence[str] = (), rows: Iterable[Sequence[object]] = ()) -> Iterator[str]:
    """A heading, a paragraph and a table, of which any may be missing.

    >>> list(part("## Kinds", "Two."))
    ['', '## Kinds', '', 'Two.']
    """
    for piece in (title, text):
        if piece:
            yield from ("", piece)
    if head:
        yield from ("", *grid(head, rows))


def kinds() -> tuple[list[str], list[list[str]]]:
    """Head and rows of the table of kinds, from the docstring of schemas."""
    lines = (schemas.__doc__ or "").splitlines()
    first, second, third = (at for at, line in enumerate(lines) if line.startswith("===="))
    starts = [found.start() for found in re.finditer("=+", lines[first])]
    cut = [[line[a:b].strip() for a, b in pairwise([*starts, None])] for line in lines[first:third]]
    return cut[1], cut[second - first + 1 :]


def described(table: Table, title: str) -> Iterator[str]:
    """The section of one table."""
    head = ("column", "kind", "unit", "needed", "allowed", "a bad cell", "meaning")
    rows = (column_row(column, table) for column in table.columns)
    yield from part(f"### {title}", f"A row is {table.grain}. Key: {code(table.key)}.", head, rows)


def column_row(column: Column, table: Table) -> tuple[str, ...]:
    """What is said of one column."""
    allowed = code(column.allowed or (column.pattern,) * bool(column.pattern))
    needed = "yes" if column.needed else ""
    return (f"`{column.name}`", column.kind, unit(column), needed, allowed, bad_cell(column, table), column.meaning)


def unit(column: Column) -> str:
    """The unit of a column, from its kind and the end of its name.

    >>> [unit(Column(n, k, "")) for n, k in (("a_ts", "ts"), ("b_cents", "cents"), ("c_days", "int"), ("lsn", "int"))]
    ['UTC second', 'EUR cent', 'day', '']
    """
    of_kind = {"ts": "UTC second", "date": "day", "cents": f"{rules.CURRENCY} cent"}.get(column.kind)
    return of_kind or ("day" if column.name.endswith("_days") else "1/100" if column.name.endswith("_x100") else "")


def bad_cell(column: Column, table: Table) -> str:
    """What an unreadable cell leads to; empty where any text will do, or where nobody but us writes the table."""
    if table.layer not in ("raw", "steward"):
        return ""
    if column.rule:
        return f"row: `{column.rule}`"
    is_any_text = column.kind == "text" and not column.allowed and not column.pattern
    return "" if is_any_text else f"cell: `valid_{column.name}`"


# --- rules and thresholds ---------------------------------------------------------------------------------------------
def matching_and_consent() -> Iterator[str]:
    """What makes two accounts one person, and what blocks a channel."""
    head = ("rule", "columns that agree", "weight", "ignored above (accounts)")
    yield from part(
        "## Matching", MATCHING_NOTE, head, ((f"`{r.name}`", code(r.columns), r.weight, r.limit) for r in MATCH_RULES)
    )
    yield from part(
        "## Consent",
        f"Purposes: {code(rules.PURPOSES)}. Channels, and the identifier that is exported for each:",
        ("channel", "identifier"),
        ((f"`{channel}`", f"`{name}`") for channel, name in rules.CHANNEL_IDENTIFIER.items()),
    )
    yield CONSENT_RULES.rstrip()
    reasons = schemas.GOLD["activation_candidates"].column("block_reason").allowed
    yield from part(
        "",
        "Why a person may not be reached for a purpose on a channel:",
        ("block_reason", "meaning"),
        ((f"`{reason}`", BLOCK_MEANINGS[reason]) for reason in reasons),
    )


def value_churn_segments() -> Iterator[str]:
    """The fixed bands."""
    yield from part(
        "## Value, churn, segments",
        "`rfm_score` is three digits, R, F and M:",
        ("digit", "R: days since the last paid order", "F: paid orders", "M: value in cents"),
        rfm_rows(),
    )
    yield from part(
        "", "`churn_score` is the sum of these points; `churn_risk` is its band.", ("where", "points"), churn_rows()
    )
    yield from part(
        "",
        "`value_tier` is the first that holds:",
        ("tier", "lifetime value in cents"),
        ((f"`{name}`", f"{cents:,} or more") for cents, name in rules.VALUE_TIERS_CENTS),
    )
    yield from part(
        "",
        "`segment` is the first that holds:",
        ("segment", "rule"),
        ((f"`{name}`", "everybody else" if rule == "True" else f"`{rule}`") for name, rule in SEGMENT_RULES.items()),
    )


def thresholds() -> Iterator[str]:
    """Freshness, and every single value of rules.py."""
    yield from part(
        "## Thresholds and constants",
        "Hours from the latest arrival of a source to `as_of`, above which the report warns:",
        ("source", "hours"),
        ((f"`{name}`", hours) for name, hours in rules.MAX_FRESHNESS_HOURS.items()),
    )
    yield from part("", "Single values of `rules.py`:", ("constant", "value", "meaning"), constant_rows())


def rfm_rows() -> Iterator[tuple[str, ...]]:
    """One row a digit, from 5 down."""
    bands = (rules.RFM_RECENCY_BANDS_DAYS, rules.RFM_FREQUENCY_BANDS_ORDERS, rules.RFM_MONETARY_BANDS_CENTS)
    for digit in range(5, 0, -1):
        yield (str(digit), *(span(b, at) for b in bands for at in range(len(b)) if b[at].score == digit))


def churn_rows() -> Iterator[tuple[str, str]]:
    """One row a condition."""
    for said, bands in (
        ("days since the last paid order", rules.CHURN_RECENCY_POINTS_DAYS),
        ("visits in 30 days", rules.CHURN_SESSIONS_POINTS),
        ("open tickets", rules.CHURN_OPEN_TICKET_POINTS),
    ):
        yield from ((f"{said}: {span(bands, at)}", str(bands[at].score)) for at in range(len(bands)))
    yield ("no paid order (instead of days)", str(rules.CHURN_POINTS_WITHOUT_ORDER))
    yield (f"`csat_avg_x100` below {rules.LOW_CSAT_BELOW_X100}", str(rules.CHURN_LOW_CSAT_POINTS))


def constant_rows() -> Iterator[tuple[str, str, str]]:
    """One row for each single value of rules.py, in its order, but for defaults: the help of `c360` names them."""
    for name, value in vars(rules).items():
        if name.isupper() and not name.startswith("DEFAULT_") and isinstance(value, (int, float, str)):
            told = f"{value:,}" if isinstance(value, int) else str(value)
            yield (f"`{name}`", told, CONSTANT_MEANINGS[name])


# --- faults -----------------------------------------------------------------------------------------------------------
def faults() -> Iterator[str]:
    """The lines of docs/faults.md."""
    yield from (MADE, "", "# Faults", "", FAULTS_NOTE, "")
    head = ("fault", "source", "what it does", "must be detected by", "stops the run")
    yield from grid(
        head,
        ((f"`{f.name}`", f"`{f.source}`", f.does, f"`{f.detected_by}`", "yes" if f.stops_run else "") for f in FAULTS),
    )
    yield from ("", "What the detectors mean:", "")
    yield from grid(("detector", "meaning"), ((f"`{name}`", text) for name, text in DETECTORS.items()))
    yield ""


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
