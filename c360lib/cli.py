"""The command line. Heavy modules are imported inside the verbs, so that `c360 --help` answers at once."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click

from c360lib import __version__
from c360lib.errors import C360Error
from c360lib.rules import DEFAULT_AS_OF, DEFAULT_CUSTOMERS, DEFAULT_ENGINE, DEFAULT_IDENTITY, DEFAULT_SEED

ENGINES = ("polars", "duckdb", "spark")
MODES = ("deterministic", "probabilistic")


class _Group(click.Group):
    """Verbs in the order of work, and errors as one sentence."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click passes it
        return list(self.commands)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except C360Error as error:
            raise _Told(str(error)) from None


class _Told(click.ClickException):
    exit_code = 2

    def show(self, file: Any = None) -> None:  # noqa: ARG002 - click passes it
        click.echo(f"c360: {self.format_message()}", err=True)


class _Failed(_Told):
    exit_code = 1


@contextlib.contextmanager
def _bar(length: int, label: str) -> Iterator[Callable[[Any], Any]]:
    """A progress bar as a context that gives a function to pass each thing through; silent unless on a terminal."""
    if not sys.stderr.isatty():
        yield lambda thing: thing
        return
    with click.progressbar(length=length, label=label, file=sys.stderr) as bar:

        def step(thing: Any) -> Any:
            bar.update(1)
            return thing

        yield step


def _has_terminal() -> bool:
    return sys.stdin.isatty()


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="c360")
def main() -> None:
    """A Customer 360 data product, end to end, on a laptop.

    ROOT is the folder that holds data/ and reports/; it is the current folder unless you name one.

    \b
    First time:      c360 run
    Your own files:  put them in ROOT/data/raw, then c360 build ROOT
    """


_root = click.argument("root", type=click.Path(file_okay=False, path_type=Path), default=".")


_engine = click.option(
    "--engine", type=click.Choice(ENGINES), default=DEFAULT_ENGINE, show_default=True, help="What runs the layers."
)


def _options(*options: Callable[..., Any]) -> Callable[..., Any]:
    """Options that several verbs have, as one decorator."""

    def decorated(command: Callable[..., Any]) -> Callable[..., Any]:
        for option in reversed(options):
            command = option(command)
        return command

    return decorated


_generating = _options(
    click.option("--customers", type=int, default=DEFAULT_CUSTOMERS, show_default=True, help="How many people."),
    click.option("--seed", type=int, default=DEFAULT_SEED, show_default=True, help="Another seed, another population."),
    click.option(
        "--faults",
        default="",
        metavar="NAMES",
        help="Named defects to inject, with commas; `list` shows them; `all` is each that stops nothing.",
    ),
)
_building = _options(
    _engine,
    click.option(
        "--format",
        "suffix",
        type=click.Choice(["csv", "parquet"]),
        default="csv",
        show_default=True,
        help="How tables are stored.",
    ),
    click.option(
        "--identity",
        type=click.Choice(MODES),
        default=DEFAULT_IDENTITY,
        show_default=True,
        help="Who is who: by declared rules alone, or pairs they leave open weighed by a model too.",
    ),
    click.option("--memory-limit", metavar="SIZE", help="For duckdb: stay within, such as 2GB, and spill to disk."),
)


@main.command()
@_root
@_generating
@click.option(
    "--as-of",
    default=DEFAULT_AS_OF,
    show_default=True,
    metavar="TIME",
    help="Where the data end: the end of a UTC day.",
)
def generate(root: Path, customers: int, seed: int, faults: str, as_of: str) -> None:
    """Make source data below ROOT/data, the same for the same options."""
    from c360lib.generate import BLOCK_PEOPLE
    from c360lib.generate import faults as known
    from c360lib.generate import generate as make
    from c360lib.schemas import RAW
    from c360lib.storage.workspace import Workspace

    if faults == "list":
        for fault in known.FAULTS:
            click.echo(f"{fault.name:45} {fault.source:18} {fault.does}; detected by {fault.detected_by}")
        sys.exit(0)
    names = known.chosen(faults)
    recipe = {"customers": customers, "seed": seed, "as_of": as_of, "faults": list(names)}
    injected: list[str] = []

    def spoil(raw: Path) -> None:
        injected.extend(known.inject(raw, names, seed) if names else ())

    workspace = Workspace(root)
    blocks = make(customers, seed, as_of)
    with workspace.locked(), _bar(-(-customers // BLOCK_PEOPLE), "generate") as step:
        rows = workspace.generated.write(map(step, blocks), recipe, spoil)
    for line in injected:
        click.echo(line)
    click.echo(f"generated {sum(rows[name] for name in RAW):,} rows of {customers:,} people below {workspace.raw}")


@main.command()
@_root
@_building
@click.option("--as-of", metavar="DAY", help="The day to build for.  [default: the day of the latest arrival]")
def build(root: Path, engine: str, suffix: str, identity: str, memory_limit: str | None, as_of: str | None) -> None:
    """Build bronze, silver, gold and the report from ROOT/data/raw, and publish them if nothing fails."""
    from c360lib.release.build import STEPS
    from c360lib.release.build import build as make
    from c360lib.storage.workspace import Workspace

    with _bar(STEPS, f"build on {engine}") as step:
        result = make(Workspace(root), engine, as_of, suffix, memory_limit, int(time.time()), step, identity)
    for layer in ("bronze", "silver", "gold"):
        told = ", ".join(f"{name} {count:,}" for name, count in result.rows[layer].items())
        click.echo(f"{layer}: {told}")
    if result.kept is not None:
        for m in result.measures:
            if m.status == "fail":
                click.echo(f"fail: {m.name} is {m.value}, expected {m.threshold}: {m.meaning}", err=True)
        raise _Failed(f"not published; what stood before still stands, and the failed release is kept in {result.kept}")
    click.echo(f"published release {result.release}, as of {result.as_of}")


@main.command()
@_root
@click.option("--force", is_flag=True, help="In place of a model that stands there already.")
def train(root: Path, force: bool) -> None:
    """Train a matching model on ROOT/data/raw and keep it in ROOT/data/models."""
    from c360lib.commands.train import train as keep
    from c360lib.storage.workspace import Workspace

    click.echo(keep(Workspace(root), force))


@main.command()
@_root
def validate(root: Path) -> None:
    """Measure what is published; exit 0 on pass or warn, 1 on fail."""
    from c360lib.quality import measures as quality
    from c360lib.quality import report as reports
    from c360lib.storage.workspace import Workspace

    workspace = Workspace(root)
    workspace.repair()
    manifest = workspace.manifest()
    before = workspace.release_before(manifest)
    measures = quality.audit(workspace.current_release(), manifest, workspace.truth(), before)
    width = max(len(m.name) for m in measures)
    values = max(len(m.value) for m in measures)
    click.echo(f"{'measure':{width}}  {'value':>{values}}  {'threshold':>18}  status")
    for m in measures:
        click.echo(f"{m.name:{width}}  {m.value:>{values}}  {m.threshold or 'none':>18}  {m.status}")
    status = quality.status(measures)
    click.echo(f"quality: {status}; the report is {workspace.opened_folder('reports') / f'{reports.NAME}.md'}")
    sys.exit(int(status == quality.FAIL))


@main.command()
@_root
@_generating
@_building
@click.option(
    "--as-of",
    default=DEFAULT_AS_OF,
    show_default=True,
    metavar="TIME",
    help="Where the data end and what is built for.",
)
@click.pass_context
def run(ctx: click.Context, /, **options: Any) -> None:
    """Generate, build and validate, in one go."""
    for verb in (generate, build, validate):
        ctx.invoke(verb, **{str(each.name): options[str(each.name)] for each in verb.params})


@main.command()
@_root
def verify(root: Path) -> None:
    """Check every published file against its manifest; exit 1 where one differs."""
    from c360lib.storage.workspace import Workspace

    workspace = Workspace(root)
    found = workspace.verify()
    for line in found:
        click.echo(line)
    if found:
        click.echo(
            f"{len(found)} of the published files are not as they were written; build again to put them right", err=True
        )
        sys.exit(1)
    manifest = workspace.manifest()
    click.echo(f"release {manifest['release']}: all {len(manifest['files'])} files are as they were written")


@main.command()
@click.argument("query")
@_root
def sql(query: str, root: Path) -> None:
    """Ask any layer in SQL, by table name.

    For example: c360 sql "select segment, count(*) from customer_360 group by all". Names stand alone, or with their
    layer: raw.orders, bronze.orders_bronze, silver.orders, gold.customer_360.
    """
    from c360lib.commands import sql as ask

    click.echo(ask.answer(root, query))


@main.command()
@click.argument("profile_id")
@_root
def explain(profile_id: str, root: Path) -> None:
    """Show which source rows and rules made each cell of one profile, or where an id that is no more went."""
    from c360lib.commands import explain as explaining

    click.echo(explaining.explain(root, profile_id))


@main.command()
@_root
@click.option("--list", "is_list", is_flag=True, help="Only print what waits.")
@click.option("--limit", type=click.IntRange(1), metavar="N", help="At most so many pairs.")
@click.option("--role", help="Who decides, such as data-steward; asked for if you leave it out.")
@click.option("--pair", nargs=2, metavar="LEFT RIGHT", help="Decide on these two accounts, without being asked.")
@click.option("--same", is_flag=True, help="With --pair: they are one person.")
@click.option("--different", is_flag=True, help="With --pair: they are two, whatever the rules say.")
@click.option("--reason", help="With --pair: why, for whoever reads it later.")
@click.option("--at", metavar="TIME", help="When it was decided.  [default: within the day that was built for]")
def review(
    root: Path,
    is_list: bool,
    limit: int | None,
    role: str | None,
    pair: tuple[str, str] | None,
    same: bool,
    different: bool,
    reason: str | None,
    at: str | None,
) -> None:
    """Decide about pairs of accounts that the rules or the model leave open.

    Shows pair by pair what speaks for and against one person and what a merge would do, and keeps your answer in
    ROOT/data/steward/decisions.csv; it counts from the next build on. A later answer on a pair replaces an earlier.
    """
    if (same == different) if pair else (same or different or reason is not None):
        raise _Told("review: --pair LEFT RIGHT goes with --reason and one of --same and --different, and they with it")
    if is_list and pair:
        raise _Told("review: --list prints what waits and --pair decides; choose one")
    from c360lib.commands import review as reviewing
    from c360lib.storage.workspace import Workspace

    workspace = Workspace(root)
    workspace.repair()
    when = reviewing.decided_at(workspace, at, int(time.time()))
    if is_list:
        for line in reviewing.listed(workspace, limit):
            click.echo(line)
    elif pair:
        answer = reviewing.ANSWERS["same" if same else "different"]
        click.echo(reviewing.record(workspace, pair, answer, role or "", reason or "", when))
        click.echo(reviewing.next_step(workspace))
    elif _has_terminal():
        reviewing.walk(workspace, role, limit, when)
    else:
        raise _Told(
            "review: this asks a person, and no terminal is there to answer; use --list, or --pair LEFT RIGHT with "
            "--same or --different"
        )


@main.command()
@_root
@_engine
@click.option(
    "--identity",
    type=click.Choice(MODES),
    help="Try thresholds and reviews as if built so.  [default: as it was built]",
)
@click.option(
    "--reviews",
    type=click.IntRange(min=0),
    default=200,
    show_default=True,
    help="How many pairs a simulated steward answers.",
)
@click.option("--no-curve", is_flag=True, help="Leave out what each link threshold would give.")
@click.option("--no-costs", is_flag=True, help="Leave out what wrong merges cost.")
def evaluate(root: Path, engine: str, identity: str | None, reviews: int, no_curve: bool, no_costs: bool) -> None:
    """Measure who is who against ROOT/data/truth: accuracy, thresholds, reviews, costs."""
    from c360lib.commands.evaluate import evaluate as evaluation
    from c360lib.commands.evaluate import scorecard
    from c360lib.storage.workspace import Workspace

    found = evaluation.evaluate(root, engine, identity, reviews, not no_curve, not no_costs)
    click.echo(scorecard.text(found))
    files, lacking = scorecard.write(found, Workspace(root))
    click.echo(f"\nthe report is {files[0]}, beside it {', '.join(file.name for file in files[1:])}")
    if lacking:
        click.echo(lacking)


@main.command()
@click.argument("number")
@click.option(
    "--into",
    type=click.Path(file_okay=False, path_type=Path),
    help="Where your copies stand.  [default: work/ in the folder of the course]",
)
def start(number: str, into: Path | None) -> None:
    """Give a fresh copy of the notebook with this NUMBER, such as 03, beside an old one."""
    from c360lib.course.copies import fresh_copy

    click.echo(f"a fresh notebook for you: {fresh_copy(number, into)}")


@main.command()
@_root
@click.option("--spark", "with_spark", is_flag=True, help="Look for what Spark needs too (lesson 11).")
def doctor(root: Path, with_spark: bool) -> None:
    """Look at your set-up, line by line, and say what to do; exit 1 where something needed is missing."""
    from c360lib.commands.doctor import examine

    findings = examine(root, with_spark)
    for finding in findings:
        click.echo(finding.line)
    sys.exit(int(any(finding.is_needed and not finding.is_well for finding in findings)))


@main.command()
@_root
@click.option("--yes", is_flag=True, help="Do not ask.")
def reset(root: Path, yes: bool) -> None:
    """Remove what c360 made below ROOT, and nothing else."""
    from c360lib.storage.workspace import Workspace

    if not yes and sys.stdin.isatty():
        click.confirm(f"Remove the generated data and every release below {root.resolve()}?", abort=True)
    workspace = Workspace(root)
    with workspace.locked():
        removed = workspace.reset()
    workspace.unlock_for_good()
    click.echo(f"removed {len(removed)} files and folders" if removed else "nothing to remove")
