"""The tables that lessons start from."""

from __future__ import annotations

import pandas as pd
import pytest

from c360lib.course import lesson_workspace
from c360lib.course.tables import LessonWorkspace
from c360lib.errors import UsageError
from c360lib.schemas import GOLD, RAW, SILVER
from c360lib.storage.files import read_table

pytest.importorskip("jupytext", reason="needs the extra `course`")


@pytest.mark.parametrize("name", [*SILVER, *GOLD])
def test_every_table_has_the_rows_and_columns_of_its_file(name: str) -> None:
    """Typing loses nothing: as many rows, the same columns, a null where the file has an empty cell."""
    ws = lesson_workspace("gold", customers=150, seed=361)
    table = ws.table(name)
    layer = (SILVER.get(name) or GOLD[name]).layer
    file = read_table(ws.release / layer / f"{name}.csv")

    assert file.column_names == list(table.columns)
    assert len(file) == len(table)
    empty = {column: sum(cell == "" for cell in file[column].to_pylist()) for column in file.column_names}
    assert empty == {column: int(table[column].isna().sum()) for column in table.columns}


def test_cells_have_the_types_that_pandas_users_expect() -> None:
    """Times are times, money is whole numbers, text is text."""
    ws = lesson_workspace("silver")
    orders = ws.table("orders")

    kinds = {name: str(kind) for name, kind in orders.dtypes.items()}
    assert "datetime64[s, UTC]" == kinds["ordered_ts"]
    assert "Int64" == kinds["net_amount_cents"]
    assert "boolean" == kinds["is_deleted"]
    assert pd.Timestamp("2026-06-30T23:59:59Z") == ws.as_of


@pytest.mark.parametrize("source", RAW)
def test_raw_and_bronze_hold_the_same_text(source: str) -> None:
    """Bronze without its lineage is raw."""
    ws = lesson_workspace("bronze", customers=150, seed=361)
    raw, bronze = ws.raw(source), ws.bronze(source)

    pd.testing.assert_frame_equal(raw, bronze[list(raw.columns)])
    assert not raw.isna().any().any()


def test_a_layer_that_the_lesson_has_not_reached_is_refused() -> None:
    """The message says where the table is and how to get there."""
    with pytest.raises(UsageError, match=r"customer_360 is in gold, which this lesson has not reached"):
        lesson_workspace("silver").table("customer_360")
    with pytest.raises(UsageError, match="lesson has not reached"):
        lesson_workspace("raw").bronze("orders")
    with pytest.raises(UsageError, match="no silver or gold table 'nobody'"):
        lesson_workspace().table("nobody")
    with pytest.raises(UsageError, match="expected one of raw, bronze, silver, gold, got 'platinum'"):
        lesson_workspace("platinum")


SMALL = {"customers": 150, "seed": 361}


def assert_layers_are_tables(ws: LessonWorkspace, names: tuple[str, ...]) -> None:
    """Layers that are published hold the cells of their files."""
    for name in names:
        key, layer = list((SILVER.get(name) or GOLD[name]).key), ws.layer(name)
        table = ws.table(name)[list(layer.columns)]  # but what bronze adds to quarantine

        expected, actual = (rows.sort_values(key, ignore_index=True) for rows in (table, layer))
        pd.testing.assert_frame_equal(expected, actual)


def test_a_published_layer_is_its_table() -> None:
    """With the same types, in silver and in gold."""
    names = ("customer_profile_base", "orders", "clickstream", "identity_edges", "identity_review_queue")
    assert_layers_are_tables(lesson_workspace(**SMALL), (*names, "customer_360", "activation_candidates"))


def test_layers_of_spoilt_sources_are_those_of_their_release() -> None:
    """Findings are told again, even where nothing was published."""
    ws = lesson_workspace(**SMALL, faults="impossible_date,consent_of_nobody,orphan_reference")
    assert "failed" == ws.release.parent.name
    assert {"account_exists"} <= set(ws.layer("quarantine")["rule"])
    assert_layers_are_tables(ws, ("quarantine", "field_issues", "customer_identity", "consent_events"))


def test_layers_of_weighed_pairs_are_those_of_their_release() -> None:
    """The same model is asked for."""
    pytest.importorskip("splink", reason="needs the extra `identity`")
    ws = lesson_workspace(**SMALL, identity="probabilistic")
    assert len(ws.layer("match_scores")) > 0
    assert_layers_are_tables(ws, ("identity_edges", "identity_review_queue"))


def test_what_stands_before_gold_leads_to_it() -> None:
    """The value of a person is that of the profile, and each row of a source has its disposition as a word."""
    ws = lesson_workspace(**SMALL)
    value = ws.layer("live_people").merge(ws.layer("value"), on="person")
    gold = ws.table("customer_360").query("order_count > 0")
    asked = ["profile_id", "order_count", "lifetime_value_cents", "last_order_ts"]
    expected, actual = (rows[asked].sort_values("profile_id", ignore_index=True) for rows in (gold, value))
    pd.testing.assert_frame_equal(expected, actual)

    told = ws.manifest()["sources"]["orders"]["dispositions"]
    found = ws.layer("orders_marked")["disposition"].value_counts().to_dict()
    assert {word: count for word, count in told.items() if count} == found


def test_a_layer_comes_sorted_by_its_columns() -> None:
    """From the first column on, so each run gives the same table."""
    layer = lesson_workspace(**SMALL).layer("key_holders")

    pd.testing.assert_frame_equal(layer.sort_values(list(layer.columns), ignore_index=True), layer)


def test_a_layer_that_there_is_not_is_refused() -> None:
    """The message names near ones and says where the list stands, or what the lesson has to reach."""
    with pytest.raises(UsageError, match=r"no layer 'visit'; did you mean visits, .*\? LAYERS in c360lib/layers/pipel"):
        lesson_workspace(**SMALL).layer("visit")
    with pytest.raises(UsageError, match=r"visits is in silver, which this lesson has not reached: it starts from raw"):
        lesson_workspace("raw", **SMALL).layer("visits")
    with pytest.raises(UsageError, match="segment_summary is in gold, which this lesson has not reached"):
        lesson_workspace("silver", **SMALL).layer("segment_summary")
    with pytest.raises(UsageError, match="later_orders has no table here: the data do not reach far enough"):
        lesson_workspace(**SMALL).layer("later_orders")


def test_named_faults_stand_in_the_raw_rows() -> None:
    """A lesson may start from spoilt sources; even a release that was not published can be read."""
    ws = lesson_workspace("gold", customers=150, seed=361, faults="orphan_reference")

    assert "account_exists" in set(ws.table("quarantine")["rule"])
    assert len(ws.raw("orders")) == len(ws.bronze("orders"))


def test_a_message_of_the_library_stands_without_a_traceback() -> None:
    """IPython shows what `_render_traceback_` gives."""
    assert ["UsageError: what to do"] == UsageError("what to do")._render_traceback_()


def test_weighing_without_splink_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """One sentence, before anything is built."""
    monkeypatch.setattr("c360lib.identity.model.score.is_installed", lambda: False)
    with pytest.raises(UsageError, match=r'needs Splink, .*pip install -e "\.\[identity\]"'):
        lesson_workspace("silver", identity="probabilistic")


def test_without_weighing_there_is_no_model() -> None:
    """The message says how to get one; a wrong word for the mode is told too."""
    with pytest.raises(UsageError, match='identity="probabilistic"'):
        lesson_workspace("silver", customers=150, seed=361).model()
    with pytest.raises(UsageError, match="expected one of deterministic, probabilistic, got 'both'"):
        lesson_workspace("silver", identity="both")


def test_other_data_are_weighed_by_the_model_of_the_lessons() -> None:
    """One model, trained on the default data, and kept: a pair's weight can be compared across workspaces."""
    pytest.importorskip("splink", reason="needs the extra `identity`")
    other = lesson_workspace("silver", customers=150, seed=361, identity="probabilistic")

    assert lesson_workspace("silver", identity="probabilistic").model() == other.model()
    assert (150, 361) == (other.customers, other.seed)
    assert (other.table("identity_review_queue")["match_rule"] == "probabilistic").any()


def test_decisions_of_a_steward_are_built_in() -> None:
    """A forbidden pair is two people; without a column of the contract nothing is built."""
    plain = lesson_workspace("silver", customers=150, seed=361)
    edge = plain.table("identity_edges").iloc[0]
    row = {"left_record_id": edge["left_record_id"], "right_record_id": edge["right_record_id"]}
    said = {"decision": "cannot_link", "reviewer_role": "steward", "reason": "no, not so"}
    decisions = pd.DataFrame([{**row, **said, "decided_ts": "2026-06-30T10:00:00Z"}])
    ruled = lesson_workspace("silver", customers=150, seed=361, decisions=decisions)
    home = ruled.table("customer_identity").set_index("record_id")["profile_id"]

    assert home[row["left_record_id"]] != home[row["right_record_id"]]
    assert_layers_are_tables(ruled, ("customer_identity", "identity_events"))
    with pytest.raises(UsageError, match="decisions: missing column reason, decided_ts"):
        lesson_workspace("silver", decisions=decisions.drop(columns=["reason", "decided_ts"]))
