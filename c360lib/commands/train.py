"""A model that is kept: trained on the accounts of a workspace, written beside its data, told in words."""

from __future__ import annotations

import math
from typing import Any

from c360lib.engines.open import open_engine
from c360lib.errors import UsageError
from c360lib.identity.model import prepare, score
from c360lib.identity.model import train as training
from c360lib.layers.layer import Moment
from c360lib.layers.run import run_layers
from c360lib.sources.load import Loader
from c360lib.sources.moments import end_of_day, moment_text
from c360lib.storage.files import write_json
from c360lib.storage.workspace import Workspace

SOURCES = ("customers", "erasure_requests")


def train(workspace: Workspace, force: bool = False) -> str:
    """Train on ROOT's raw files and write data/models/identity.json; gives the model in words.

    UsageError where a model stands there already, unless forced, or where Splink is not installed.
    """
    if not score.is_installed():
        raise UsageError("train: Splink is not installed; install it with: pip install 'c360[identity]'")
    file = workspace.model_file
    with workspace.locked():
        if file.exists() and not force:
            raise UsageError(
                f"{file}: a model stands here already; keep it, or train it anew with `c360 train --force`"
            )
        with prepare.prepared(_fields(workspace)) as connection:
            made = training.train(connection)
            fitted = score.fitted(connection, made)
        write_json(file, made)
    return "\n".join([*in_words(fitted), f"written to {file}; `c360 build --identity probabilistic` uses it"])


def _fields(workspace: Workspace) -> Any:
    """What is compared of each account that the raw files hold."""
    with open_engine("duckdb") as engine:
        loader = Loader(engine, workspace)
        inputs: dict[str, Any] = {f"{name}_rows": loader.source(name) for name in SOURCES}
        asked = score.asked("train")
        inputs["model_asked"] = engine.load_table(asked)
        end = end_of_day(moment_text(loader.loaded.reach))
        return next(engine.table(frame) for _, frame in run_layers(engine, inputs, Moment(end, end), ("match_fields",)))


def in_words(made: dict[str, Any]) -> list[str]:
    """A model as lines: what it was trained on, how much each finding weighs, and what it could not use."""
    drawn, accounts = made["trained_on"]["drawn"], made["trained_on"]["accounts"]
    prior = made["settings"].get("probability_two_random_records_match")
    lines = [
        f"trained on {drawn:,} of {accounts:,} accounts, by Splink {made['splink']}, rules {made['rules_version']}"
    ]
    if prior:
        bits = math.log2(prior / (1 - prior))
        lines += [f"two accounts at random are one person once in {round(1 / prior):,} ({bits:+.1f} bits)", ""]
        lines += [f"{'comparison':14}{'finding':14}{'m':>9}{'u':>10}{'bits':>7}"]
    for comparison in made["settings"]["comparisons"]:
        for level in comparison["comparison_levels"]:
            if not level.get("is_null_level"):
                m, u = level["m_probability"], level["u_probability"]
                names = f"{comparison['output_column_name']:14}{level['label_for_charts']:14}"
                lines += [f"{names}{m:9.6f}{u:10.6f}{math.log2(m / u):+7.1f}"]
    told = {
        "columns left out, empty or constant": made["left_out"],
        "training rules that taught nothing": made["untrained"],
        "blocking rules that are too wide for these accounts": made["too_wide"],
    }
    return [*lines, "", *(f"{what}: {', '.join(names) or 'none'}" for what, names in told.items())]
