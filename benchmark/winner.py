"""The optimiser and the epochs with which each model won its training, read from MLflow."""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import replace

from omegaconf import OmegaConf

from benchmark.config import ROOT, Config, flat
from benchmark.errors import ConfigError
from benchmark.tracking import RunRecord, Tracker

FREE = (
    "split",
    "optimizer.",
    "epochs",
    "early_stopping.",
    "explosion_factor",
    "keep",
    "batch",
    "snapshots",
    "original_size",
    "forecast",
    "winner.",
    "tracking.",
)
"""Options in which a test may differ from the training that it builds on."""


def with_winner(config: Config, overrides: Sequence[str]) -> Config:
    """A configuration with the optimiser and the epochs that won, if `winner` asks for them.

    The winner of a model (a backbone with an aggregation) is the finished training run with the
    lowest mean total loss over the training examples (the study, section 1); the test does as many
    epochs as it did, whatever the loss does.

    Args:
        config: of a test run.
        overrides: the command line's, to name the command that makes a missing run.

    Raises:
        ConfigError: a training run is missing or unfinished, or all diverged.
    """
    if config.winner.experiment is None:
        return config
    runs = training_runs(config)
    states = {optimizer: _state(config, runs.get(optimizer)) for optimizer in _wanted(config)}
    lacking = {optimizer: state for optimizer, state in states.items() if state}
    model = f"{config.backbone['name']} · {config.agg['name']}"
    if lacking:
        told = "; ".join(f"with {optimizer} {state}" for optimizer, state in lacking.items())
        raise ConfigError(
            f"training run of {model} {told}. Make it with: {_command(config, overrides, lacking)}"
        )
    finished = [run for run in runs.values() if run.status == "FINISHED"]
    if not finished:
        raise ConfigError(
            f"training of {model} diverged with {' and '.join(runs)}: lower "
            f"optimizer.learning_rate and repeat {_command(config, overrides, runs)}"
        )
    best = min(finished, key=lambda run: run.metrics["final_total_loss"])
    return replace(
        config,
        optimizer=_optimizer(best),
        epochs=int(best.metrics["epochs_done"]),
        early_stopping=replace(config.early_stopping, patience=None),
    )


def training_runs(config: Config) -> dict[str, RunRecord]:
    """The last training run of a model with each optimiser that the test asks for."""
    try:
        tracker = Tracker(config.tracking.uri, config.winner.experiment, ROOT, create=False)
    except ConfigError:
        return {}  # no such store or experiment yet, so that every run is missing
    return {
        run.tags["optimizer"]: run
        for run in tracker.all_runs()
        if run.params.get("split") == "train"
        and run.tags.get("backbone") == config.backbone["name"]
        and run.tags.get("agg") == config.agg["name"]
        and run.tags.get("optimizer") in config.winner.optimizers
    }


def _wanted(config: Config) -> list[str]:
    if not config.winner.optimizers:
        raise ConfigError("winner.optimizers=[]: name at least one")
    return config.winner.optimizers


def _state(config: Config, run: RunRecord | None) -> str:
    """What is wrong with a training run; nothing if it can be used, or lost by diverging."""
    if run is None:
        return "is missing"
    if run.status != "FINISHED" and run.tags.get("status") != "diverged":
        return f"is unfinished ({run.tags.get('status', run.status.lower())})"
    for option, value in flat(config).items():
        found = run.params.get(option)
        if not option.startswith(FREE) and found != str(value):
            return f"had {option}={found}, this test has {option}={value}"
    return ""


def _optimizer(run: RunRecord) -> dict[str, object]:
    """The optimiser's YAML as the run had it; MLflow stores every value as text."""
    prefix = "optimizer."
    texts = {k.removeprefix(prefix): v for k, v in run.params.items() if k.startswith(prefix)}
    values = OmegaConf.from_dotlist(
        [f"{k}={'null' if v == 'None' else v}" for k, v in texts.items()]
    )
    return {str(key): values[key] for key in values}


def _command(config: Config, overrides: Sequence[str], optimizers: Mapping[str, object]) -> str:
    """The command that makes some training runs."""
    changed = ("experiment", "backbone", "agg", "optimizer", "tracking.sweep")
    own = [o for o in overrides if o.partition("=")[0] not in changed]
    parts = [
        f"experiment={config.winner.experiment}",
        f"backbone={config.backbone['name']}",
        f"agg={config.agg['name'].partition(' ')[0]}",
        f"optimizer={','.join(optimizers)}",
        *own,
    ]
    return f"python -m benchmark -m {shlex.join(parts)}"
