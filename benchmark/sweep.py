"""A sweep: its runs checked before the first starts, its summary after the last."""

import os
from collections.abc import Sequence
from typing import Any, ClassVar

from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.experimental.callback import Callback
from omegaconf import DictConfig
from rich.console import Console

from benchmark import record
from benchmark.config import ROOT, Config, composed, flat, refuse
from benchmark.errors import CompositionError, ConfigError
from benchmark.export import results_table
from benchmark.prepare import InputError, prepare
from benchmark.progress import console
from benchmark.run import run
from benchmark.summary import SHEET, announce_weights, summarise, sweep_sheet
from benchmark.tracking import RunRecord, Tracker

RUNS_VARIABLE = "BENCHMARK_SWEEP_RUNS"
"""Environment variable that tells the runs of a sweep, in whatever process, how many there are."""


def tracker_of(config: Config) -> Tracker:
    """The MLflow store of a configuration."""
    return Tracker(config.tracking.uri, config.tracking.experiment, ROOT)


def run_alone(config: Config, overrides: Sequence[str]) -> bool:
    """Do a single run; whether it finished. Wrong input ends the program before a run begins."""
    output = console()
    try:
        prepared = prepare(config)
        tracker = tracker_of(config)
        refuse_known(tracker, config.tracking.sweep or "")
    except InputError as error:
        raise SystemExit(refuse(error)) from error
    announce_weights(output, [prepared])
    finished = attempt(config, overrides, tracker, None, output)
    summarise(output, tracker, tracker.runs_of(config.tracking.sweep or ""))
    return finished


def run_in_sweep(config: Config, overrides: Sequence[str], number: int) -> bool:
    """Do one run of a sweep, in whatever process; whether it finished."""
    output = console()
    output.print(
        f"Run {number + 1} of {os.environ.get(RUNS_VARIABLE, '?')}: {record.title(config)}"
    )
    tracker = tracker_of(config)
    parent = tracker.sweep_run(config.tracking.sweep or "")
    return attempt(config, overrides, tracker, parent.run_id if parent else None, output)


def attempt(
    config: Config,
    overrides: Sequence[str],
    tracker: Tracker,
    parent: str | None,
    output: Console,
) -> bool:
    """Do a run; a failure is recorded in it and told in a line, never raised."""
    pairs = dict(override.lstrip("+~").partition("=")[::2] for override in overrides)
    try:
        status, ending = run(config, tracker, parent, pairs, output)
        output.print(f"  {status}: {ending}", style="red" if status == "diverged" else None)
        return status == "finished"
    except Exception as error:
        kind = "" if isinstance(error, InputError) else f"{type(error).__name__}: "
        output.print(f"  failed: {kind}{' '.join(str(error).split())}", style="red", markup=False)
        return False


class SweepCallback(Callback):
    """What Hydra calls around a sweep."""

    open: ClassVar[tuple[Tracker, str] | None] = None
    """The sweep under way in this process, so that an interrupt can close it."""

    def on_multirun_start(self, config: DictConfig, **_: Any) -> None:
        """Check every run, then open the sweep's parent run in MLflow."""
        output = console()
        try:
            configs = [composed(overrides) for overrides in jobs_of(config)]
            output.print(f"Preparing {len(configs)} runs …")
            prepared = [prepare(job) for job in configs]
            tracker = tracker_of(configs[0])
            begin(tracker, configs)
        except (*InputError, *CompositionError) as error:
            # Hydra turns a callback's exceptions into warnings, but not this one.
            raise SystemExit(refuse(error)) from error
        name = configs[0].tracking.sweep or ""
        SweepCallback.open = (tracker, name)
        os.environ[RUNS_VARIABLE] = str(len(configs))
        examples = sum(len(one.examples) for one in prepared)
        output.print(
            f"Sweep {name}: {len(configs)} runs, {examples} pictures, MLflow {tracker.uri}"
        )
        announce_weights(output, prepared)

    def on_multirun_end(self, config: DictConfig, **_: Any) -> None:
        """Summarise the sweep; exit code 1 if a run did not finish."""
        assert SweepCallback.open is not None
        tracker, name = SweepCallback.open
        runs = tracker.runs_of(name)
        expected = int(os.environ.pop(RUNS_VARIABLE, len(runs)))
        complete = len(runs) == expected and all(run.status == "FINISHED" for run in runs)
        close(tracker, name, runs, "finished" if complete else "failed")
        SweepCallback.open = None
        summarise(console(), tracker, runs, sweep=name)
        if not complete:
            raise SystemExit(1)


def jobs_of(config: DictConfig) -> list[list[str]]:
    """The overrides of each run that Hydra's basic sweeper will start.

    Other sweepers choose theirs as they go; of those only the common part can be checked.
    """
    task = list(config.hydra.overrides.task)
    parsed = OverridesParser.create().parse_overrides(task)
    if not config.hydra.sweeper._target_.endswith(".BasicSweeper"):
        return [[o.input_line or "" for o in parsed if not o.is_sweep_override()]]
    listed = [f"{key}={value}" for key, value in (config.hydra.sweeper.params or {}).items()]
    overrides = OverridesParser.create().parse_overrides([*listed, *task])
    [jobs] = BasicSweeper.split_arguments(overrides, None)
    return jobs


def begin(tracker: Tracker, configs: Sequence[Config]) -> None:
    """Open the parent run of a sweep, with what all its runs have in common."""
    name = configs[0].tracking.sweep or ""
    refuse_known(tracker, name)
    log = tracker.start(name, {"kind": "sweep", "sweep": name, "runs": str(len(configs))})
    options = [flat(config) for config in configs]
    log.params({k: v for k, v in options[0].items() if all(o.get(k) == v for o in options)})


def refuse_known(tracker: Tracker, name: str) -> None:
    """Keep two sweeps from sharing a name.

    Raises:
        ConfigError: one of this name was begun before.
    """
    if tracker.sweep_run(name) or tracker.runs_of(name):
        raise ConfigError(f"tracking.sweep={name}: a sweep of this name exists; choose another")


def close(tracker: Tracker, name: str, runs: Sequence[RunRecord], status: str) -> None:
    """Give the parent run the table and the sheet of all cells, and end it."""
    parent = tracker.sweep_run(name)
    if parent is None:
        return
    log = tracker.log_of(parent.run_id)
    if runs:
        log.table("results.json", results_table(runs))
        sheet = sweep_sheet(tracker, runs)
        if sheet is not None:
            log.picture(SHEET, sheet)
    missing = [f"{run.name} ({run.tags.get('status')})" for run in runs if run.status != "FINISHED"]
    reason = f"not finished: {', '.join(missing)}" if missing else f"{len(runs)} runs finished"
    log.end(status, {"finished": "complete", "killed": "interrupted"}.get(status, "error"), reason)


def interrupt() -> None:
    """Close the sweep under way, if there is one, as killed."""
    if SweepCallback.open is not None:
        tracker, name = SweepCallback.open
        SweepCallback.open = None
        runs = tracker.runs_of(name)
        close(tracker, name, runs, "killed")
        summarise(console(), tracker, runs, sweep=name)
