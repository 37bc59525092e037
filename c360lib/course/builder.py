"""From the one source of a lesson to its two notebooks: `python -m c360lib.course.builder [NN ...] [--check]`.

`solutions/NN_topic.ipynb` is executed, with its outputs; `notebooks/NN_topic.ipynb` has the answers blanked. The same
source gives the same bytes every time.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import click

from c360lib.course import catalogue, gate, proof, source
from c360lib.course.source import Cell, Lesson
from c360lib.errors import C360Error

SECONDS_PER_CELL = 120
_HIDDEN = ("hint", "cases", "truth", "wrong", "right")
_ABOUT = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}


def solved_cells(lesson: Lesson) -> Iterator[Cell]:
    """The cells of the solution notebook."""
    return (cell for cell in lesson.cells if cell.role not in (*_HIDDEN, "stub"))


def blank_cells(lesson: Lesson) -> Iterator[Cell]:
    """The cells of the learner's notebook: each solution gives way to its stub."""
    return (cell for cell in lesson.cells if cell.role not in (*_HIDDEN, "exercise"))


def notebook_of(cells: Iterator[Cell]) -> Any:
    """A notebook, not executed; cells are named by their index."""
    import nbformat.v4

    v4: Any = nbformat.v4

    made = []
    for number, cell in enumerate(cells):
        role = {"c360": {cell.role: cell.exercise}} if cell.role else {}
        about = {"id": f"cell-{number:03d}", "metadata": role}
        made.append(v4.new_code_cell(cell.text, **about) if cell.is_code else v4.new_markdown_cell(cell.text, **about))
    return v4.new_notebook(cells=made, metadata=_ABOUT)


def run(notebook: Any, folder: Path) -> Any:
    """The notebook with the outputs of a fresh kernel that starts in `folder`."""
    from nbclient import NotebookClient

    client = NotebookClient(
        notebook,
        timeout=SECONDS_PER_CELL,
        kernel_name="python3",
        resources={"metadata": {"path": str(folder)}},
        record_timing=False,
        coalesce_streams=True,
    )
    done = client.execute()
    done.metadata = _ABOUT
    return done


def text_of(notebook: Any) -> str:
    """A notebook as it is written to its file."""
    import nbformat

    nbf: Any = nbformat
    nbf.validate(notebook)
    return str(nbf.writes(notebook, indent=1, ensure_ascii=False)).rstrip("\n") + "\n"


def built(lesson: Lesson) -> dict[str, str]:
    """The text of both notebooks of a lesson, by folder."""
    solved = run(notebook_of(solved_cells(lesson)), lesson.path.parent)
    return {"solutions": text_of(solved), "notebooks": text_of(notebook_of(blank_cells(lesson)))}


def write(lesson: Lesson, home: Path | None = None) -> None:
    """Write both notebooks of a lesson."""
    home = lesson.path.parent.parent if home is None else home
    for folder, text in built(lesson).items():
        (home / folder).mkdir(parents=True, exist_ok=True)
        (home / folder / f"{lesson.name}.ipynb").write_text(text, encoding="utf-8", newline="\n")


def faults_of(lesson: Lesson) -> list[str]:
    """Say what is wrong with a lesson, and print the score of its checkers."""
    found = gate.structure(lesson)
    scores = proof.scores(lesson)
    click.echo(proof.table(scores))
    return [*found, *(f"{score.exercise}: {fault}" for score in scores for fault in score.faults)]


def seconds_over_floor(lessons: Sequence[Lesson], seconds: float) -> str:
    """How long executing took, beside its floor: a kernel that starts and imports, once per lesson."""
    start = time.perf_counter()
    run(notebook_of(iter([cell for cell in lessons[0].cells if cell.is_setup])), lessons[0].path.parent)
    floor = (time.perf_counter() - start) * len(lessons)
    return f"executed {len(lessons)} lessons in {seconds:.1f} s; kernels and imports alone take {floor:.1f} s"


@click.command()
@click.argument("numbers", nargs=-1)
@click.option("--check", "only_check", is_flag=True, help="Look at the lessons; execute and write nothing.")
def main(numbers: Sequence[str], only_check: bool) -> None:
    """Build the notebooks of the lessons with these NUMBERS (none: of all, and the pages made of them)."""
    try:
        every = source.lessons()
    except C360Error as error:
        raise click.ClickException(str(error)) from None
    chosen = [lesson for lesson in every if not numbers or lesson.name[:2] in numbers]
    if not chosen:
        raise click.ClickException(f"no lesson has the number {', '.join(numbers)}")
    faults = [fault for lesson in chosen for fault in _told(lesson)]
    if not only_check:
        start = time.perf_counter()
        for lesson in chosen:
            write(lesson)
        click.echo(seconds_over_floor(chosen, time.perf_counter() - start))
    if not numbers and not only_check:
        catalogue.write(every, source.FOLDER.parent / "docs")
    if faults:
        raise click.ClickException(f"{len(faults)} faults, see above")


def _told(lesson: Lesson) -> list[str]:
    """The faults of a lesson, printed."""
    click.echo(f"== {lesson.name}")
    faults = faults_of(lesson)
    for fault in faults:
        click.echo(f"  fault: {fault}")
    return faults


if __name__ == "__main__":
    main()
