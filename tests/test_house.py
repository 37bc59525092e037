"""The house: which folder may use which. Every import of the library is read, however it is spelt."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
LIBRARY = ROOT / "c360lib"
# From the ground up: a room may use what stands before it, never what stands after it.
ROOMS = (
    *("rules", "schemas", "errors", "plots", "engines", "storage", "sources", "identity", "layers", "quality"),
    *("release", "generate", "commands", "course", "cli", "__main__"),
)
ENGINES = {"pandas", "polars", "duckdb", "pyspark"}
HAND_OUT_PANDAS = {"course", "plots"}  # learners work on pandas tables
FORBIDDEN = {
    "layers": {"storage", "release", "commands"},
    "identity": {"storage", "release", "commands", "layers"},
    "sources": {"release", "layers"},
    "generate": {"layers", "release", "storage"},
}


def modules() -> dict[str, ast.Module]:
    """Every module of the library by its dotted name below c360lib."""
    found = {}
    for path in sorted(LIBRARY.rglob("*.py")):
        parts = path.relative_to(LIBRARY).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        found[name] = ast.parse(path.read_text(encoding="utf-8"))
    return found


def imported(tree: ast.Module) -> Iterator[str]:
    """Every name that a module imports, dotted: by a statement, by import_module or by __import__."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, "imports are absolute"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Call) and _name(node.func) in ("import_module", "__import__", "import_engine"):
            told = node.args[0] if node.args else None
            yield str(told.value) if isinstance(told, ast.Constant) else "?"


def _name(function: ast.expr) -> str:
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")


MODULES = modules()
USES = {name: set(imported(tree)) for name, tree in MODULES.items()}


def room(module: str) -> str:
    """The folder or file at the top that a module stands in."""
    return module.split(".")[0]


def ours(name: str) -> str:
    """The module of the library that an import names; "" where it is another's, or the library itself."""
    rest = name.removeprefix("c360lib.") if name.startswith("c360lib.") else ""
    while rest and rest not in MODULES:
        rest = rest.rpartition(".")[0]
    return rest


ARROWS = {name: {ours(used) for used in uses} - {""} for name, uses in USES.items()}


def test_every_room_has_its_place() -> None:
    """No file and no folder at the top but those that the house names."""
    assert {room(name) for name in MODULES if name} == set(ROOMS)


@pytest.mark.parametrize("name", MODULES)
def test_nothing_is_imported_upwards(name: str) -> None:
    """A module uses its own room and those below."""
    places = [(used, ROOMS.index(room(used))) for used in ARROWS[name] if name]
    assert [] == [used for used, place in places if place > ROOMS.index(room(name))]


def test_there_is_no_circle() -> None:
    """Not between rooms and not within one."""
    try:
        TopologicalSorter({name: used - {name} for name, used in ARROWS.items()}).prepare()
    except CycleError as error:
        raise AssertionError(f"a circle of imports: {' -> '.join(error.args[1])}") from None


@pytest.mark.parametrize("name", MODULES)
def test_only_the_engines_import_an_engine(name: str) -> None:
    """By whatever spelling; the course hands out pandas tables, which is what people know."""
    found = {used.split(".")[0] for used in USES[name]} & ENGINES
    allowed = ENGINES if room(name) == "engines" else {"pandas"} if room(name) in HAND_OUT_PANDAS else set()
    assert set() == found - allowed - (WITH_DUCKDB if name in BESIDE else set())


# Splink runs on a database of its own, which is no engine of the layers.
BESIDE, WITH_DUCKDB = {"identity.model.prepare"}, {"duckdb"}


@pytest.mark.parametrize(("name", "forbidden"), FORBIDDEN.items())
def test_some_rooms_do_not_know_others(name: str, forbidden: set[str]) -> None:
    """Layers and identity know no file, no workspace and no release; sources know no release."""
    found = {(module, used) for module, arrows in ARROWS.items() if room(module) == name for used in arrows}
    assert set() == {(module, used) for module, used in found if room(used) in forbidden}


def test_nothing_imports_the_command_line() -> None:
    """But the module that starts it."""
    assert ["__main__"] == [name for name, used in ARROWS.items() if "cli" in used]


@pytest.mark.parametrize("page", ["CONTRIBUTING.md", "docs/architecture.md"])
def test_the_map_shows_the_house_as_it_is(page: str) -> None:
    """Each file and folder of the library that a page names is there, and each room is named."""
    text = (ROOT / page).read_text(encoding="utf-8")
    named = set(re.findall(r"`(?:c360lib/)?((?:" + "|".join(ROOMS) + r")(?:\.py|/[\w/]*(?:\.py)?))`", text))
    assert [] == sorted(path for path in named if not (LIBRARY / path).exists())
    rooms = {name for name in ROOMS if name != "__main__"}
    assert set() == rooms - {re.split(r"[/.]", path)[0] for path in named}
