"""Every row gets exactly one disposition, and what is current moves on.

Inside the layers an account is an integer `node` (a row number that is unique to it) and a person is an integer
`person` (the node of its oldest account): sorting and grouping integers is many times cheaper than text. The text ids
come back when a table is written.
"""

from __future__ import annotations

import narwhals as nw

from c360lib.engines.base import Frame
from c360lib.engines.kernels import named, rows_of, with_cells_of, with_columns_of, with_most
from c360lib.schemas import Table

DISPOSITIONS = ("current", "superseded", "duplicate", "quarantined", "not_yet", "erased")
CURRENT, SUPERSEDED, DUPLICATE, QUARANTINED, NOT_YET, ERASED = range(len(DISPOSITIONS))  # rows carry the number
CONFLICT, ORPHAN = 6, 7  # quarantined for what other rows say; QUARANTINED is a row's own fault
ALL_QUARANTINED = (QUARANTINED, CONFLICT, ORPHAN)
_BAR = "\x1f"
_TEXT = nw.String()


# --- dispositions -----------------------------------------------------------------------------------------------------
def erased_accounts(requests: Frame, as_of: int) -> Frame:
    """Accounts that a request names, one row (_account, is_erased, request_row): a request counts once it has arrived.

    A request whose own times cannot be read counts too: to erase late is worse than to erase.
    """
    arrived = nw.col("ingest_ts").is_null() | (nw.col("ingest_ts") <= as_of)
    named = requests.filter(arrived & ~nw.col("_account").is_null()).select("_account", request_row="_row_number")
    return named.unique("_account", keep="first", order_by=["request_row"]).with_columns(is_erased=nw.lit(True))


def marked(rows: Frame, directory: Frame, table: Table, as_of: int) -> Frame:
    """Rows with what `directory` knows of the account they name, and the `disposition` of each, a number as above.

    A row alone decides nearly all of it. The few that share a key or name an account that does not exist are judged
    apart, and only the verdicts brought back, so that the rows themselves are never copied.
    """
    if table.is_cdc and table.name != "customers":
        rows = _with_account_of_last_state(rows, as_of)
    rows = with_columns_of(rows, _asked(directory, table), "_account")
    rows = rows.with_columns(disposition=_disposition(table, as_of))
    orphan = _is_orphan(table)
    few = rows.filter((nw.col("disposition") == CURRENT) & (nw.col("_is_repeated") | orphan))
    judged = _marked_orphans(_judged_repeats(few, table, _key(table)), orphan)
    rows = with_cells_of(rows, judged.select("_row_number", "disposition"), "_row_number")
    rows = rows.drop("_is_usable", "_is_repeated", "is_erased")
    return _with_last_states(rows) if table.is_cdc else rows


def _asked(directory: Frame, table: Table) -> Frame:
    """What rows of a source ask of `directory`: whose choice it is matters down to the account."""
    wanted = {"_account", "person", "is_erased"}
    if table.name in ("campaign_events", "consent_events"):
        wanted |= {"node", "is_account_deleted"}
    return directory.select([name for name in directory.collect_schema().names() if name in wanted])


def _key(table: Table) -> list[str]:
    """What is unique to a row: its entity, and of a changing one the lsn."""
    return ["_entity", "lsn"] if table.is_cdc else ["_entity"]


def _with_account_of_last_state(rows: Frame, as_of: int) -> Frame:
    """A delete may leave the account out; it is then that of the last state before it that has arrived.

    Where two rows of one lsn name different accounts, neither tells.
    """
    deletes = rows.filter(nw.col("_account").is_null() & (nw.col("op") == "d")).select("_row_number", "_entity", "lsn")
    arrived = (nw.col("ingest_ts") <= as_of) & (nw.col("event_ts") <= as_of) & nw.col("_is_usable")
    states = rows_of(rows, deletes, "_entity").filter(arrived & (nw.col("op") != "d"))
    told = [name for name in ("record_id", "_account") if name in rows.collect_schema().names()]
    states = states.select("_entity", *told, _lsn="lsn").with_columns(
        _least=nw.col("_account").min().over("_entity", "_lsn"), _most=nw.col("_account").max().over("_entity", "_lsn")
    )
    states = states.filter(nw.col("_least") == nw.col("_most")).unique(["_entity", "_lsn"])
    before = deletes.join(states, on="_entity", how="inner").filter(nw.col("_lsn") < nw.col("lsn"))
    last = before.unique("_row_number", keep="last", order_by=["_lsn"])
    return with_cells_of(rows, last.select("_row_number", *told), "_row_number")


def _disposition(table: Table, as_of: int) -> nw.Expr:
    """What becomes of a row by itself; CURRENT unless something speaks against it."""
    late, ahead, erased = nw.col("ingest_ts") > as_of, nw.col("event_ts") > as_of, nw.col("is_erased").fill_null(False)
    if table.name == "consent_events":
        ahead = ahead & (nw.col("status") == "granted")  # a block counts as soon as it has arrived
    if table.name == "campaign_events":
        ahead = ahead & ~(nw.col("event_name") == "unsubscribed").fill_null(False)
    if table.name == "erasure_requests":
        ahead = erased = nw.col("_row_number") < 0  # so does a request, and it is the record of what was erased
    return (
        nw.when(late.fill_null(False))
        .then(_number(NOT_YET))
        .when(erased)
        .then(_number(ERASED))
        .when(~nw.col("_is_usable"))
        .then(_number(QUARANTINED))
        .when(ahead.fill_null(False))
        .then(_number(NOT_YET))
        .otherwise(_number(CURRENT))
    )


def _number(disposition: int) -> nw.Expr:
    return nw.lit(disposition).cast(nw.Int8())


def _judged_repeats(rows: Frame, table: Table, key: list[str]) -> Frame:
    """Rows that share a key: equal content is a duplicate (the earliest arrival stays), other content a conflict."""
    columns = rows.collect_schema().names()
    names = [n for n in columns if n in (*table.column_names, "record_id", "_account") and n != "ingest_ts"]
    cells = [nw.col(n).cast(_TEXT).fill_null("").str.replace_all(_BAR, _BAR * 2, literal=True) for n in names]
    content = nw.concat_str(cells, separator=f" {_BAR} ")
    rows = rows.with_columns(_content=content)
    rows = rows.with_columns(
        _least=nw.col("_content").min().over(*key),
        _most=nw.col("_content").max().over(*key),
        _first=nw.col("ingest_ts").min().over(*key),
    )
    rows = rows.with_columns(_candidate=nw.when(nw.col("ingest_ts") == nw.col("_first")).then(nw.col("_row_number")))
    rows = rows.with_columns(_kept=nw.col("_candidate").min().over(*key))
    conflict = nw.col("_least") != nw.col("_most")
    stays = ~conflict & (nw.col("_row_number") == nw.col("_kept"))
    other = nw.when(conflict).then(_number(CONFLICT)).otherwise(_number(DUPLICATE))
    return rows.with_columns(disposition=nw.when(stays).then(_number(CURRENT)).otherwise(other)).select(columns)


def _is_orphan(table: Table) -> nw.Expr:
    """Rows that name an account that does not exist: they are quarantined until it arrives."""
    if table.name in ("customers", "erasure_requests"):
        return nw.col("_row_number") < 0
    orphan = nw.col("person").is_null()
    return orphan if table.column("customer_id").needed else orphan & ~nw.col("_account").is_null()


def _marked_orphans(rows: Frame, orphan: nw.Expr) -> Frame:
    """Of rows that are still usable, orphans are quarantined."""
    orphan = (nw.col("disposition") == CURRENT) & orphan
    return rows.with_columns(disposition=nw.when(orphan).then(_number(ORPHAN)).otherwise(nw.col("disposition")))


def _with_last_states(rows: Frame) -> Frame:
    """Of what is current of a changing entity only its last state stays so.

    >>> rows = {"_entity": [7, 7, 8], "lsn": [1, 2, 1], "disposition": [CURRENT, CURRENT, DUPLICATE]}
    >>> rows = _with_last_states(nw.from_dict(rows, backend="polars").lazy()).collect()
    >>> [told(number) for number in rows["disposition"].to_list()]
    ['superseded', 'current', 'duplicate']
    """
    current = nw.col("disposition") == CURRENT
    rows = with_most(rows.with_columns(_current_lsn=nw.when(current).then(nw.col("lsn"))), "_current_lsn", "_entity")
    state = nw.when(current & (nw.col("lsn") != nw.col("_most"))).then(_number(SUPERSEDED))
    return rows.with_columns(disposition=state.otherwise(nw.col("disposition"))).drop("_current_lsn", "_most")


def states(rows: Frame) -> Frame:
    """One row per entity: its last state, with `is_deleted`; a deleted entity keeps the values it had last."""
    current = nw.col("disposition") == CURRENT
    alive = rows.filter(current & (nw.col("op") != "d")).with_columns(is_deleted=nw.lit(False))
    deletes = rows.filter(current & (nw.col("op") == "d"))
    before = rows_of(rows, deletes, "_entity")
    before = before.filter((nw.col("disposition") == SUPERSEDED) & (nw.col("op") != "d"))
    before = before.unique("_entity", keep="last", order_by=["lsn"])
    times = deletes.select("_entity", _event="event_ts", _ingest="ingest_ts")
    gone = before.join(times, on="_entity", how="inner")
    gone = gone.with_columns(event_ts=nw.col("_event"), ingest_ts=nw.col("_ingest"))
    never = deletes.join(before.select("_entity"), on="_entity", how="anti")
    columns = rows.collect_schema().names()
    gone = nw.concat([gone.select(columns), never.select(columns)]).with_columns(is_deleted=nw.lit(True))
    return nw.concat([alive, gone])


def quarantine(rows: Frame, findings: Frame, table: Table) -> Frame:
    """Quarantined rows of one source: (source, row_number, rule, detail)."""
    bad = rows.select("_row_number", "record_id", "disposition").filter(nw.col("disposition").is_in(ALL_QUARANTINED))
    bad = bad.rename({"_row_number": "row_number"})
    account = nw.concat_str([nw.lit("no account "), nw.col("record_id").fill_null("is named")])
    other = nw.lit(f"{', '.join(table.key)} stands with another content")
    faults = findings.filter(nw.col("column").is_null())
    parts = [
        bad.filter(nw.col("disposition") == QUARANTINED).join(faults, on="row_number", how="inner"),
        bad.filter(nw.col("disposition") == CONFLICT).with_columns(rule=nw.lit("one_content_per_key"), detail=other),
        bad.filter(nw.col("disposition") == ORPHAN).with_columns(rule=nw.lit("account_exists"), detail=account),
    ]
    return nw.concat(
        [part.select(nw.lit(table.name).alias("source"), "row_number", "rule", "detail") for part in parts]
    )


def field_issues(rows: Frame, findings: Frame, table: Table) -> Frame:
    """Unreadable cells of kept rows of one source: (source, row_number, column, rule)."""
    kept = rows.select("disposition", row_number="_row_number")
    kept = kept.filter(nw.col("disposition").is_in([CURRENT, SUPERSEDED]))
    held = findings.filter(~nw.col("column").is_null()).join(kept, on="row_number", how="inner")
    return held.select(nw.lit(table.name).alias("source"), "row_number", "column", "rule")


def told(disposition: int) -> str:
    """The name of a disposition.

    >>> told(ORPHAN), told(CURRENT)
    ('quarantined', 'current')
    """
    return DISPOSITIONS[QUARANTINED if disposition in ALL_QUARANTINED else disposition]


def dispositions(rows: Frame, table: Table) -> Frame:
    """Rows of one source by what became of them: (source, disposition, row_count).

    >>> from c360lib.schemas import RAW
    >>> rows = nw.from_dict({"disposition": [CURRENT, CONFLICT, ORPHAN]}, backend="polars").lazy()
    >>> sorted(dispositions(rows, RAW["orders"]).collect().rows())
    [('orders', 'current', 1), ('orders', 'quarantined', 2)]
    """
    number = nw.col("disposition")
    number = nw.when(number.is_in(ALL_QUARANTINED)).then(_number(QUARANTINED)).otherwise(number)
    counts = rows.select(number=number.cast(nw.Int64())).group_by("number").agg(row_count=nw.len())
    counts = named(counts, "number", DISPOSITIONS, "disposition")
    return counts.select(
        source=nw.lit(table.name), disposition="disposition", row_count=nw.col("row_count").cast(nw.Int64())
    )
