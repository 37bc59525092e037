"""The gate of lessons: each thing that must not land, in a lesson or notebook that has it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from c360lib.course import gate
from c360lib.course.source import Lesson, read_lesson

pytest.importorskip("jupytext", reason="needs the extra `course`")
nbf = pytest.importorskip("nbformat.v4", reason="needs the extra `course`")

EXERCISE = """
# %% exercise="sound.{name}" objective="1" criterion="quality"
def {name}(t):
    return t

# %% stub="sound.{name}"
def {name}(t):
    ...

# %% check="sound.{name}"
check("sound.{name}", {name})
"""
SOUND = (
    """# %% [markdown]
# # 96 Sound
#
# *30 minutes · after lesson 00 · you need: pandas*
#
# ## What you will do
#
# 1. count
#
# ## In production
#
# ## The story so far
#
# > **sound**: a lesson without
# > a fault
# > **tune**: another term

# %% tags=["setup"]
import pandas as pd

# %%
show(plots.x.y(t), alt="one")

# %%
show(plots.x.y(t), alt="two")
"""
    + "".join(EXERCISE.format(name=name) for name in ("a", "b", "c"))
    + """
# %% [markdown]
# ## What you can now do
#
# ## Common mistakes
#
# ## Further reading
"""
)


def lesson(tmp_path: Path, text: str) -> Lesson:
    """A lesson of that text."""
    path = tmp_path / "96_sound.py"
    path.write_text(text, encoding="utf-8")
    read_lesson.cache_clear()
    return read_lesson(path)


def test_a_sound_lesson_has_no_fault(tmp_path: Path) -> None:
    """The gate is open for it, and its parts are found."""
    sound = lesson(tmp_path, SOUND)

    assert [] == gate.structure(sound)
    assert ["count"] == gate.objectives(sound)
    assert [("sound", "a lesson without a fault"), ("tune", "another term")] == gate.terms(sound)


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("# # 96 Sound", "# ## 96 Sound", "expected one H1, at the top; got 0"),
        ("# ## In production", "# # In production", "expected one H1, at the top; got 2"),
        ("# ## In production", "# #### In production", "heading 'In production' jumps from level 2 to 4"),
        ("# ## Common mistakes", "# ## Mistakes", "section 'Common mistakes' is missing"),
        ("# *30 minutes", "# *some minutes", "the line '*45 minutes · after lesson 02 · you need: ...*' is missing"),
        ("# 1. count", "# - count", "no numbered objectives under 'What you will do'"),
        ("# 1. count", "# 1. count\n# 2. tell", "objective 2 has no exercise"),
        ('objective="1"', 'objective="7"', "objective 7 does not exist"),
        (
            'criterion="quality"',
            'criterion="fun"',
            "sound.a: criterion 'fun', expected one of architecture, identity, consent, quality, production",
        ),
        ('show(plots.x.y(t), alt="two")', "t", "expected at least 2 charts, got 1"),
        ('show(plots.x.y(t), alt="two")', "plots.x.y(t)", "a chart is not shown through show(): plots.x.y(t)"),
        ('show(plots.x.y(t), alt="two")', "show(plots.x.y(t))", "a chart has no alt text: show(plots.x.y(t))"),
        (
            'show(plots.x.y(t), alt="two")',
            "a = 1\nb = 1\nc = 1\nd = 1\ne = 1\nf = 1\ng = 1",
            "a code cell has 7 lines, at most 6: a = 1",
        ),
        (
            'show(plots.x.y(t), alt="two")',
            "def f():\n    return 1",
            "a function is defined outside an exercise: def f():",
        ),
        ('check("sound.a", a)', "check(a)", 'sound.a: the check cell should be check("sound.a", a)'),
        ("> **sound**", "> see [there](nowhere.md) **sound**", "the link nowhere.md leads nowhere"),
        ('# %% tags=["setup"]', "# %%", "expected exactly one cell tagged setup"),
    ],
)
def test_each_fault_of_a_lesson_is_told(tmp_path: Path, old: str, new: str, told: str) -> None:
    """One change, and the gate says which."""
    assert old in SOUND

    assert told in gate.structure(lesson(tmp_path, SOUND.replace(old, new)))


def test_exercises_are_counted_by_part(tmp_path: Path) -> None:
    """Six in one sitting are too many, three in each of two are not, and a second part with none is told."""
    more = "".join(EXERCISE.format(name=name) for name in ("d", "e", "f"))
    end = "\n# %% [markdown]\n# ## What you can now do"
    part = "\n# %% [markdown]\n# ## Part two: more\n"
    told = "expected 3 to 5 exercises in a part, got"

    assert [f"{told} 6"] == gate.structure(lesson(tmp_path, SOUND.replace(end, more + end)))
    assert [] == gate.structure(lesson(tmp_path, SOUND.replace(end, part + more + end)))
    assert [f"{told} 0"] == gate.structure(lesson(tmp_path, SOUND.replace(end, part + end)))


def notebook(**changes: Any) -> Any:
    """A notebook with one executed check cell, changed."""
    output = nbf.new_output("execute_result", {"text/plain": "sound.a: passed"}, execution_count=1)
    cell = nbf.new_code_cell('check("sound.a", a)', execution_count=1, outputs=[output])
    cell.update(changes)
    return nbf.new_notebook(cells=[cell])


def test_an_executed_notebook_passes() -> None:
    """Nothing is told of one that was executed and compared."""
    assert [] == gate.executed(notebook())


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"execution_count": None}, 'not executed: check("sound.a", a)'),
        ({"metadata": {"tags": ["nbval-skip"]}}, 'tagged nbval-skip: check("sound.a", a)'),
        ({"metadata": {"tags": ["raises-exception"]}}, 'tagged raises-exception: check("sound.a", a)'),
        ({"metadata": {"tags": ["nbval-ignore-output"]}}, 'tagged nbval-ignore-output: check("sound.a", a)'),
        ({"source": "# NBVAL_IGNORE_OUTPUT\n1"}, "a comment keeps nbval away: # NBVAL_IGNORE_OUTPUT"),
        ({"outputs": []}, 'a check without a passed outcome: check("sound.a", a)'),
        (
            {"outputs": [nbf.new_output("error", ename="E", evalue="v", traceback=[])]},
            'raised an error: check("sound.a", a)',
        ),
        (
            {"outputs": [nbf.new_output("execute_result", {"text/plain": "sound.a: not yet"})]},
            'a check without a passed outcome: check("sound.a", a)',
        ),
    ],
)
def test_a_notebook_that_strict_nbval_would_wave_through_fails_here(changes: dict[str, Any], told: str) -> None:
    """Unexecuted cells, hushed cells and checks without an outcome are faults."""
    assert told in gate.executed(notebook(**changes))


def test_a_blank_notebook_gives_nothing_away(tmp_path: Path) -> None:
    """An answer or an output in a learner's notebook is a fault."""
    sound = lesson(tmp_path, SOUND.replace("return t", "return t.copy()"))
    leaky = nbf.new_notebook(cells=[nbf.new_code_cell("def a(t):\n    return t.copy()")])
    full = notebook()

    assert ["sound.a: an answer stands in the notebook"] == gate.blanked(leaky, sound)
    assert ['an output is stored: check("sound.a", a)'] == gate.blanked(full, sound)


def test_faulty_code_may_be_shown_but_not_handed_out(tmp_path: Path) -> None:
    """An exercise that asks to mend code shows it as text; as a cell of code it would be a wrong answer given away."""
    faulty = "def a(t):\n    return t.head(1)"
    text = f'{SOUND}\n# %% wrong="sound.a" misconception="first-only" says="Only the first."\n{faulty}\n'
    sound = lesson(tmp_path, text.replace("return t\n", "return t.copy()\n"))

    assert [] == gate.blanked(nbf.new_notebook(cells=[nbf.new_markdown_cell(f"```python\n{faulty}\n```")]), sound)
    given = gate.blanked(nbf.new_notebook(cells=[nbf.new_code_cell(faulty)]), sound)
    assert ["sound.a: an answer stands in the notebook"] == given
