"""Evidence that is weighed: trained the same twice, told what it left out, and added to clusters in order."""

from __future__ import annotations

import json
import random
from pathlib import Path

import networkx as nx
import pyarrow as pa
import pytest

pytest.importorskip("splink", reason="needs the extra `identity`")

from c360lib import explaining, rules
from c360lib.build import build
from c360lib.errors import ContractError, UsageError
from c360lib.files import read_csv
from c360lib.generate import generate
from c360lib.identity import clusters, metrics, probabilistic
from c360lib.workspace import Workspace

ROOT = Path(__file__).resolve().parent.parent
SAMPLE = ROOT / "data" / "sample"
NO_HOLDERS = pa.table({n: pa.array([], pa.int64()) for n in ("rule", "root", "node")})
NO_PAIRS = pa.table(
    {"left": pa.array([], pa.int64()), "right": pa.array([], pa.int64()), "is_link": pa.array([], pa.bool_())}
)


def people(count: int, **constant: str) -> pa.Table:
    """Two accounts of each of so many people; the second has the last name typed wrong."""
    draw, rows = random.Random(7), []
    for n in range(count):
        first, last = ("".join(draw.choices("abcdefghij", k=7)) for _ in range(2))
        for copy, name in enumerate((last, last[:-1] + "z")):
            row = {"node": 2 * n + copy, "record_id": f"crm:{n:04}{copy}", "date_of_birth": draw.randrange(9000)}
            row |= {"date_of_birth": n * 31 % 9000, "city": "x", "postcode": str(n % 97)}
            row |= {"first_name_key": first, "last_name_key": name, "email_key": None, "phone_key": None}
            rows.append({**row, "loyalty_key": None, "street_key": f"{first[:3]} {n}", **constant})
    text = pa.string()
    kinds = {n: pa.int64() if n in ("node", "date_of_birth") else text for n in rows[0]}
    return pa.Table.from_pylist(rows, schema=pa.schema(kinds.items()))


def linked(count: int) -> pa.Table:
    """That many accounts without a date, each first seen a second after the one before."""
    dates = pa.array([None] * count, pa.int64())
    ids = [f"crm:{n:03}" for n in range(count)]
    return pa.table({"node": range(count), "record_id": ids, "date_of_birth": dates, "first_event_ts": range(count)})


def scored(*edges: tuple[int, int, int]) -> pa.Table:
    """Links of the model: left, right, weight."""
    rows = [
        {"left": a, "right": b, "is_link": True, "millibits": w, "probability": 0.9, "findings": ""}
        for a, b, w in edges
    ]
    return pa.Table.from_pylist(rows, schema=probabilistic.SCORES_SCHEMA)


def test_two_trainings_give_one_text_whatever_the_row_order() -> None:
    """To the last character."""
    fields = people(300)
    order = random.Random(3).sample(range(len(fields)), len(fields))
    assert probabilistic.train(fields) == probabilistic.train(fields.take(order))


def test_columns_that_tell_nothing_are_left_out_and_named() -> None:
    """Empty (e-mail, phone, card) and constant (city) columns carry no evidence."""
    made = json.loads(probabilistic.train(people(300)))
    assert ["city_key", "email_key", "loyalty_key", "phone_key"] == made["left_out"]
    kept = [c["output_column_name"] for c in made["settings"]["comparisons"]]
    assert ["first_name", "last_name", "date_of_birth", "street", "postcode"] == kept


def test_every_typed_wrong_pair_is_linked_and_no_other() -> None:
    """The truth of `people` is that 2n and 2n + 1 are one person."""
    fields = people(300)
    model = pa.table({"model": [probabilistic.train(fields)]})
    found = probabilistic.scores(fields, model, NO_HOLDERS)
    links = [(r["left"], r["right"]) for r in found.to_pylist() if r["is_link"]]
    assert [(2 * n, 2 * n + 1) for n in range(300)] == sorted(links)


def test_a_score_depends_on_its_pair_alone_given_the_model() -> None:
    """The slice law: two accounts alone score as they do among all."""
    fields = people(300)
    model = pa.table({"model": [probabilistic.train(fields)]})
    whole = probabilistic.scores(fields, model, NO_HOLDERS).to_pylist()
    assert [r for r in whole if r["left"] == 10] == probabilistic.scores(
        fields.slice(10, 2), model, NO_HOLDERS
    ).to_pylist()


def test_a_pair_that_shares_a_declared_key_is_not_weighed() -> None:
    """It is decided already."""
    fields = people(300)
    model = pa.table({"model": [probabilistic.train(fields)]})
    holders = pa.table({"rule": [3, 3], "root": [10, 10], "node": [10, 11]})
    assert (10, 11) not in [(r["left"], r["right"]) for r in probabilistic.scores(fields, model, holders).to_pylist()]


def test_a_blocking_rule_that_gives_too_many_pairs_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """Everybody has one street: comparing all with all is refused, and told."""
    monkeypatch.setattr(rules, "MIN_PAIRS_PER_BLOCKING_RULE", 1_000)
    monkeypatch.setattr(rules, "MAX_PAIRS_PER_ACCOUNT_AND_BLOCKING_RULE", 2)
    fields = people(300)
    streets = pa.array(["wall 1"] * 500 + ["wall 2"] * 100)
    made = json.loads(
        probabilistic.train(fields.set_column(fields.column_names.index("street_key"), "street_key", streets))
    )
    assert "street_key" in made["too_wide"]


def test_links_of_the_model_make_the_components_that_networkx_makes() -> None:
    """Random graphs small enough that no limit is met; row order does not matter."""
    draw = random.Random(11)
    for _ in range(20):
        edges = [(*sorted(draw.sample(range(40), 2)), draw.randrange(5_000, 9_000)) for _ in range(25)]
        for _ in range(2):
            draw.shuffle(edges)
            scores = scored(*edges)
            refused = clusters.refused_edges(NO_HOLDERS, linked(40), NO_PAIRS, scores)
            made = clusters.clusters(NO_HOLDERS, linked(40), NO_PAIRS, scores, refused).to_pylist()
            graph = nx.Graph([(a, b) for a, b, _ in edges])
            expected = {n: min(part) for part in nx.connected_components(graph) for n in part}
            assert expected == {r["node"]: r["person"] for r in made}


def test_the_weakest_link_to_a_forbidden_pair_is_refused() -> None:
    """0-1-2 chain, 0 and 2 must not meet: the weaker of the two links gives way, whichever it is."""
    cannot = pa.table({"left": [0], "right": [2], "is_link": [False]})
    for weights, expected in (((9_000, 6_000), (1, 2)), ((6_000, 9_000), (0, 1))):
        scores = scored((0, 1, weights[0]), (1, 2, weights[1]))
        [row] = clusters.refused_edges(NO_HOLDERS, linked(3), cannot, scores).to_pylist()
        assert (*expected, "cannot_link") == (row["left"], row["right"], row["reason"])


@pytest.mark.parametrize("engine", ["pandas", "duckdb"])
def test_the_sample_is_resolved_within_its_targets(engine: str, tmp_path: Path) -> None:
    """Precision at least 0.999 and recall at least 0.97 after the automatic bands, with the model kept beside."""
    (tmp_path / "data").mkdir()
    for part in ("raw", "truth"):
        (tmp_path / "data" / part).symlink_to(SAMPLE / "data" / part)
    workspace = Workspace(tmp_path)
    build(workspace, engine, identity="probabilistic")
    found = {
        m.name: m.value
        for m in metrics.measures(
            read_csv(workspace.table_file("silver", "customer_identity")), read_csv(workspace.truth_file)
        )
    }
    assert float(found["identity_pairwise_precision"]) >= 0.999
    assert float(found["identity_pairwise_recall"]) >= 0.97
    model = workspace.current_release() / "identity" / "model.json"
    assert [] == json.loads(model.read_text(encoding="utf-8"))["left_out"]
    assert [] == workspace.verify()


def test_a_model_of_another_format_is_refused() -> None:
    """By name, before anything is scored."""
    with pytest.raises(ContractError, match="expected a model of format 1, got 99"):
        probabilistic.checked('{"format": 99}', Path("identity.json"))
    with pytest.raises(ContractError, match="no JSON object"):
        probabilistic.checked("[]", Path("identity.json"))


def test_an_unknown_way_of_matching_is_refused(tmp_path: Path) -> None:
    """The message names the two there are."""
    with pytest.raises((UsageError, ContractError)):
        build(Workspace(tmp_path), identity="guess")


def test_the_report_says_that_splink_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The declared rules stand alone, with a warning, and no model is kept."""
    monkeypatch.setattr(probabilistic, "find_spec", lambda _: None)
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "raw").symlink_to(SAMPLE / "data" / "raw")
    result = build(Workspace(tmp_path), identity="probabilistic")
    [measure] = [m for m in result.measures if m.name == "identity_model"]
    assert ("none", "warn") == (measure.value, measure.status)
    assert not (Workspace(tmp_path).current_release() / "identity").exists()


def test_the_report_names_what_the_model_left_out(tmp_path: Path) -> None:
    """The FEBRL records have no e-mail, phone or card."""
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "raw").symlink_to(ROOT / "data" / "febrl3" / "data" / "raw")
    result = build(Workspace(tmp_path), identity="probabilistic")
    [measure] = [m for m in result.measures if m.name == "identity_model"]
    assert "columns left out, empty or constant: email_key, loyalty_key, phone_key;" in measure.meaning


def test_a_profile_is_explained_with_the_model_of_its_release(tmp_path: Path) -> None:
    """The link of the model stands in the story with its evidence, and the row is the published one."""
    workspace = Workspace(tmp_path)
    workspace.write_generated(generate(150, 361), {}, lambda raw: None)
    build(workspace, identity="probabilistic")
    release = workspace.current_release()
    edges = read_csv(release / "silver" / "identity_edges.csv").to_pylist()
    edge = next(e for e in edges if e["match_rule"] == rules.MODEL_RULE and e["outcome"] == "accepted")
    identity = read_csv(release / "silver" / "customer_identity.csv").to_pylist()
    profile = next(row["profile_id"] for row in identity if row["record_id"] == edge["left_record_id"])

    told = explaining.explain(tmp_path, profile)

    pair = f"{edge['left_record_id']} = {edge['right_record_id']}: probabilistic ({edge['evidence']}), accepted"
    assert pair in told
    gold = read_csv(release / "gold" / "customer_360.csv").to_pylist()
    count = next(row["source_record_count"] for row in gold if row["profile_id"] == profile)
    assert f"source_record_count: {count}" in told
