"""What the documentation says is so: generated pages, links, verbs, outputs, examples, figures, checksums."""

from __future__ import annotations

import ast
import csv
import hashlib
import importlib.util
import re
import shutil
from collections.abc import Iterator
from itertools import product
from pathlib import Path

import narwhals as nw
import pandas as pd
import pytest
from click.testing import CliRunner

from c360lib import cli, rules
from c360lib.generate.faults import FAULTS
from c360lib.layers import gold
from c360lib.schemas import GOLD, RAW

ROOT = Path(__file__).resolve().parent.parent
_SPEC = importlib.util.spec_from_file_location("reference", ROOT / "tools" / "reference.py")
assert _SPEC is not None
assert _SPEC.loader is not None
reference = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(reference)

PAGES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")),
    *(path for folder in ("docs", "notebooks", "solutions") for path in sorted((ROOT / folder).glob("*.md"))),
    *sorted((ROOT / "data").glob("*/README.md")),
]
README, MAKEFILE = ((ROOT / name).read_text(encoding="utf-8") for name in ("README.md", "Makefile"))
FLAT = " ".join(README.split())
FENCED = re.compile(r"(?ms)^```(\w*)\n(.*?)^```$")


def fenced(kind: str, page: str = README) -> list[str]:
    """The fenced blocks of a kind."""
    return [text for found, text in FENCED.findall(page) if found == kind]


def commands(page: str) -> Iterator[str]:
    """Whatever stands as code on a page: spans, and indented or fenced lines."""
    yield from re.findall(r"`([^`\n]+)`", FENCED.sub("", page))
    yield from re.findall(r"(?m)^    (.+)$", page)
    for _, block in FENCED.findall(page):
        yield from block.splitlines()


def rows_of(page: str, head: str) -> list[list[str]]:
    """The rows of the table whose first line starts with `head`, cells without their code marks."""
    table = page.split(f"\n{head}", 1)[1].split("\n\n", 1)[0].splitlines()[2:]
    return [
        [cell.strip().replace("`", "").replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        for line in table
    ]


def wild(line: str) -> re.Pattern[str]:
    """A line of the documentation as a pattern: an ellipsis stands for anything."""
    return re.compile(".*".join(re.escape(part) for part in line.split("…")))


def c360(*arguments: object) -> tuple[int, str]:
    """Exit status and output of a command."""
    result = CliRunner().invoke(cli.main, [str(argument) for argument in arguments])
    return result.exit_code, result.output


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A folder where `c360 run` ran, and what it printed, as in the folder itself."""
    root = tmp_path_factory.mktemp("run")
    status, printed = c360("run", root)
    assert status == 0
    return root, printed.replace(f"{root}/", "").replace(f"{root}\\", "").replace("\\", "/")


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder where the two example files of the README were built."""
    root = tmp_path_factory.mktemp("own")
    (root / "data" / "raw").mkdir(parents=True)
    for name, text in zip(("customers", "orders"), fenced("csv"), strict=True):
        (root / "data" / "raw" / f"{name}.csv").write_text(text, encoding="utf-8")
    assert c360("build", root, "--engine", "polars")[0] == 0
    return root


def table(root: Path, name: str) -> list[dict[str, str]]:
    """The rows of a published file."""
    with (root / "data" / f"{name}.csv").open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


# --- generated pages --------------------------------------------------------------------------------------------------
def test_the_generated_pages_are_up_to_date(capsys: pytest.CaptureFixture[str]) -> None:
    """The data dictionary and the fault page are what tools/reference.py makes of the library."""
    assert reference.main(["--check"]) == 0, capsys.readouterr().out


def test_the_fault_page_lists_every_fault() -> None:
    """Each fault stands on docs/faults.md with its source, its deed and its detector, in the order of FAULTS."""
    page = (ROOT / "docs" / "faults.md").read_text(encoding="utf-8")
    expected = [[f.name, f.source, f.does, f.detected_by, "yes" if f.stops_run else ""] for f in FAULTS]
    assert expected == rows_of(page, "| fault |")
    assert f"names {len(FAULTS)} defects" in FLAT


def test_the_reference_explains_nothing_that_is_gone() -> None:
    """Each meaning belongs to a constant, a block reason, a rule or a detector that the library has."""
    reasons = GOLD["activation_candidates"].column("block_reason").allowed
    detectors = [fault.detected_by.split(":")[0] for fault in FAULTS]
    quarantined = {fault.detected_by.removeprefix("quarantine:") for fault in FAULTS}
    assert sorted(reference.CONSTANT_MEANINGS) == sorted(row[0].strip("`") for row in reference.constant_rows())
    assert set(reasons) == set(reference.BLOCK_MEANINGS)
    assert set(detectors) == set(reference.DETECTORS)
    assert quarantined >= set(reference.WHOLE_ROW_RULES)


def test_the_segment_rules_say_what_the_layer_does() -> None:
    """The segments as the dictionary words them, tried in that order, are those of gold, on and beside every edge."""
    edges = [{b.at_least + d for b in bands for d in (-1, 0)} for bands in (
        rules.RFM_RECENCY_BANDS_DAYS, rules.RFM_FREQUENCY_BANDS_ORDERS, rules.RFM_MONETARY_BANDS_CENTS)]  # fmt: skip
    ages = (rules.NEW_CUSTOMER_DAYS, rules.NEW_CUSTOMER_DAYS + 1)
    grid = [row for row in product(*edges, ages) if min(row) >= 0]
    columns = ["rfm_recency_days", "rfm_frequency", "rfm_monetary_cents", "clv_age_days"]
    frame = nw.from_native(pd.DataFrame(grid, columns=columns)).with_columns(segment=gold._segment())
    assert [worded(*row) for row in grid] == frame["segment"].to_list()


def worded(recency: int, frequency: int, monetary: int, age: int) -> str:
    """The segment by the words of the dictionary."""
    bands = (rules.RFM_RECENCY_BANDS_DAYS, rules.RFM_FREQUENCY_BANDS_ORDERS, rules.RFM_MONETARY_BANDS_CENTS)
    digits = [
        next(b.score for b in band if value >= b.at_least)
        for band, value in zip(bands, (recency, frequency, monetary), strict=True)
    ]
    known = dict(zip("RFM", digits, strict=True), rfm_frequency=frequency, clv_age_days=age)
    return next(str(name) for name, rule in reference.SEGMENT_RULES.items() if eval(rule, {}, known))


# --- links, verbs, targets --------------------------------------------------------------------------------------------
def anchors(path: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    heads = re.findall(r"(?m)^#+ (.*)$", FENCED.sub("", path.read_text(encoding="utf-8")))
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_link_within_the_project_resolves(page: Path) -> None:
    """A relative link names a file or folder that is there, and a heading that it has."""
    links = re.findall(r"\]\(([^)\s]+)\)", FENCED.sub("", page.read_text(encoding="utf-8")))
    inside = [link.partition("#") for link in links if "://" not in link]
    targets = [
        (link, page.parent / file if file else page, head) for link, (file, _, head) in zip(links, inside, strict=False)
    ]
    assert [str(path) for _, path, _ in targets if not path.exists()] == []
    assert [head for _, path, head in targets if head and head not in anchors(path)] == []


def options_of(verb: str) -> set[str]:
    """The long options of a verb."""
    found = {opt for param in cli.main.commands[verb].params for opt in param.opts if opt.startswith("--")}
    return found | {"--help"}


def test_every_verb_stands_in_the_readme_with_its_options() -> None:
    """The table of verbs has each verb of the command line, in its order, with exactly its options."""
    rows = rows_of(README, "| verb |")
    assert list(cli.main.commands) == [row[0].split()[1] for row in rows]
    told = {row[0].split()[1]: set(re.findall(r"--[a-z-]+", row[2])) for row in rows}
    told["run"] |= told["generate"] | told["build"]
    assert {verb: options_of(verb) - {"--help"} for verb in cli.main.commands} == told


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_command_on_a_page_exists(page: Path) -> None:
    """A page names no verb, option or make target that is not there. `c360 erase` is told of as missing."""
    unknown = []
    for command in commands(page.read_text(encoding="utf-8")):
        for verb, rest in re.findall(r"\bc360 ([a-z]+)([^|;&]*)", command):
            known = options_of(verb) if verb in cli.main.commands else set()
            unknown += [verb] if verb not in (*cli.main.commands, "erase") else []
            unknown += [o for o in re.findall(r"--[a-z-]+", rest) if o not in known]
        targets = re.findall(r"(?:^|\s)make ([a-z][a-z-]*)", command)
        unknown += [t for t in targets if not re.search(f"(?m)^{t}:", MAKEFILE)]
    assert [name for name in unknown if name != "erase"] == []


def test_one_diagram_stands_in_both_places() -> None:
    """The README and the page on architecture draw the same picture."""
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    assert fenced("mermaid") == fenced("mermaid", page)
    assert len(fenced("mermaid")) == 1


# --- what the README shows --------------------------------------------------------------------------------------------
def test_the_readme_shows_what_a_run_prints(sample: tuple[Path, str]) -> None:
    """Each line of the example is a line of the real output, in its order."""
    shown = fenced("text")[0].splitlines()
    printed = iter(sample[1].splitlines())
    assert [] == [line for line in shown if not any(wild(line).fullmatch(real) for real in printed)]


def test_the_readme_explains_the_counts_of_the_sample(sample: tuple[Path, str]) -> None:
    """Accounts, people and people with a live account are those of the release."""
    root = sample[0]
    counts = [
        len(table(root, name))
        for name in ("silver/customer_identity", "silver/customer_profile_base", "gold/customer_360")
    ]
    accounts, people, live = (f"{count:,}" for count in counts)
    assert f"1,000 people have {accounts} accounts" in FLAT
    assert f"as {people} people, {live} of them" in FLAT


def test_the_profile_that_the_readme_asks_about_exists(sample: tuple[Path, str]) -> None:
    """The example of `c360 explain` explains somebody, and that of `c360 sql` lists every segment."""
    (profile,) = re.findall(r"c360 explain (P-\S+)", README)
    (query,) = re.findall(r'c360 sql "(.*)"', README)
    assert c360("explain", profile, sample[0])[0] == 0
    status, answer = c360("sql", query, sample[0])
    assert status == 0
    assert [] == [name for name in rules.SEGMENTS if name not in answer]


def test_the_readme_lists_the_columns_of_the_contract() -> None:
    """The table of files names each source, its needed columns and the others, in the order of the contract."""
    rows = rows_of(README, "| file | columns")
    assert [f"{name}.csv" for name in RAW] == [row[0] for row in rows]
    for source, (_, needed, other) in zip(RAW.values(), rows, strict=True):
        assert [c.name for c in source.columns if c.needed] == needed.split(", ")
        plain = re.sub(r" \(.*?\)", "", other)
        assert [c.name for c in source.columns if not c.needed] == (plain.split(", ") if plain else [])


def test_the_example_of_own_files_gives_what_the_readme_says(own: Path) -> None:
    """The example publishes the people, links and field issues that the text promises."""
    accounts = {row["record_id"]: row for row in table(own, "silver/customer_identity")}
    assert {"P-crm:17", "P-shop:A-12"} == {row["profile_id"] for row in table(own, "gold/customer_360")}
    assert accounts["crm:17"]["profile_id"] == accounts["shop:A-9"]["profile_id"]
    assert accounts["shop:A-9"]["match_rule"] in README
    (tom,) = (row for row in table(own, "gold/customer_360") if row["first_name"] == "Tom")
    assert tom["email"] == ""


def test_the_example_of_bad_rows_gives_what_the_readme_says(own: Path) -> None:
    """Each row of the example orders gets the disposition and the rule that the table gives it."""
    (counted,) = re.findall(r"`(9 rows in = [^`]*)`", README)
    assert counted in (own / "reports" / "customer360_quality_report.md").read_text(encoding="utf-8")
    told = {
        int(number): disposition.split(", ")[1:]
        for numbers, disposition, _ in rows_of(README, "| row |")
        for number in numbers.split(", ")
    }
    quarantined = {int(row["row_number"]): [row["rule"]] for row in table(own, "silver/quarantine")}
    issues = [row["row_number"] for row in table(own, "silver/field_issues") if row["source"] == "orders"]
    assert {number: quarantined.get(number, []) for number in range(1, 10)} == told
    assert issues == ["8"]


def test_the_messages_are_those_of_the_readme(tmp_path: Path) -> None:
    """No rows, only bad rows and a missing column give the sentences of the table, and exit status 2."""
    header, *rows = fenced("csv")[0].splitlines()
    bad = [row.replace("T", " ", 1) for row in rows[:2]]
    files = ([header], [header, *bad], [header.replace("customer_id", "id"), *rows])
    for name, lines, (_, message) in zip("abc", files, rows_of(README, "| customers.csv | message"), strict=True):
        raw = tmp_path / name / "data" / "raw"
        raw.mkdir(parents=True)
        (raw / "customers.csv").write_text("\n".join([*lines, ""]), encoding="utf-8")
        status, printed = c360("build", tmp_path / name)
        assert status == 2
        assert wild(message).search(printed)


# --- data -------------------------------------------------------------------------------------------------------------
def test_the_figures_of_febrl3_are_those_of_a_build(tmp_path: Path) -> None:
    """Precision, recall and the counts behind them stand in the README as the report gives them."""
    shutil.copytree(ROOT / "data" / "febrl3" / "data" / "raw", tmp_path / "data" / "raw")
    shutil.copytree(ROOT / "data" / "febrl3" / "data" / "truth", tmp_path / "data" / "truth")
    assert c360("build", tmp_path, "--engine", "polars")[0] == 0
    report = (tmp_path / "reports" / "customer360_quality_report.md").read_text(encoding="utf-8")
    measured = re.findall(r"\| identity_pairwise_\w+ \| (\S+) .* (\d+) of (\d+) \|", report)
    (precision, correct, predicted), (recall, found, true) = measured
    assert correct == predicted == found
    assert f"join {int(predicted):,} pairs and every one is right: precision {precision}." in FLAT
    assert f"Of the {int(true):,} true pairs they find {recall}." in FLAT


def test_the_sample_is_what_generate_writes(sample: tuple[Path, str]) -> None:
    """data/sample holds the files that the defaults give, byte for byte, and SHA256SUMS tells their sums."""
    shipped = ROOT / "data" / "sample"
    sums = dict(reversed(line.split()) for line in (shipped / "SHA256SUMS").read_text(encoding="utf-8").splitlines())
    made = [path for part in ("raw", "truth") for path in (sample[0] / "data" / part).iterdir()]
    digests = {p.relative_to(sample[0]).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest() for p in made}
    assert digests == sums
    assert digests == {name: hashlib.sha256((shipped / name).read_bytes()).hexdigest() for name in sums}


# --- the tests themselves ---------------------------------------------------------------------------------------------
def test_every_test_says_what_it_holds() -> None:
    """Each test has a docstring that states behaviour: a sentence."""
    silent = [
        f"{path.name}: {node.name}"
        for path in sorted((ROOT / "tests").glob("test_*.py"))
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
        if not (ast.get_docstring(node) or "").rstrip().endswith(".")
    ]
    assert silent == []
