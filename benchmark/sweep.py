"""A sweep: its runs checked before the first starts, its summary after the last."""

import os
import traceback
from collections.abc import Sequence
from typing import Any, ClassVar

from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.experimental.callback import Callback
from omegaconf import DictConfig
from rich.console import Console

from benchmark import forecast as forecasts
from benchmark import record
from benchmark.config import ROOT, Config, Forecast, composed, flat, refuse
from benchmark.errors import CompositionError, ConfigError
from benchmark.export import results_table
from benchmark.prepare import InputError, prepare
from benchmark.progress import console
from benchmark.run import run
from benchmark.summary import (
    SHEET,
    announce_evaluators,
    announce_weights,
    missing_weights,
    summarise,
    sweep_sheet,
)
from benchmark.tracking import RunRecord, Tracker
from benchmark.training import check_data, with_winners

RUNS_VARIABLE = "BENCHMARK_SWEEP_RUNS"
"""Environment variable that tells the runs of a sweep, in whatever process, how many there are."""

SWEPT_VARIABLE = "BENCHMARK_SWEPT_OPTIONS"
"""Environment variable that tells them which options differ among them."""


def tracker_of(config: Config) -> Tracker:
    """The MLflow store of a configuration."""
    return Tracker(config.tracking.uri, config.tracking.experiment, ROOT)


def run_alone(config: Config, overrides: Sequence[str]) -> bool:
    """Do a single run; whether it finished. Wrong input ends the program before a run begins."""
    output = console()
    try:
        Tracker.check_reachable(config.tracking.uri)
        [config] = with_winners([config], [overrides])
        prepared = prepare(config)
        check_data(config, prepared)
        announce_weights(output, missing_weights(prepared))
        announce_evaluators(output, prepared.assessment.unavailable)
        if config.forecast is Forecast.only:
            foretell([config], output)
            return True
        tracker = tracker_of(config)
        refuse_known(tracker, config.tracking.sweep or "")
    except InputError as error:
        raise SystemExit(refuse(error)) from error
    if config.forecast is Forecast.show:
        foretell([config], output)
    finished = attempt(record.title(config), config, overrides, tracker, None, output)
    summarise(output, tracker, tracker.runs_of(config.tracking.sweep or ""))
    return finished


def run_in_sweep(config: Config, overrides: Sequence[str], number: int) -> bool:
    """Do one run of a sweep, in whatever process; whether it finished."""
    output = console()
    swept = os.environ.get(SWEPT_VARIABLE, "").split()
    pairs = {key: value for key, value in pairs_of(overrides).items() if key in swept}
    title = record.title(config, pairs)
    try:
        [config] = with_winners([config], [overrides])
        title = record.title(config, pairs)
        tracker = tracker_of(config)
        parent = tracker.sweep_run(config.tracking.sweep or "")
    except Exception as error:
        # The store is gone; the runs after this one may find it again.
        output.print(f"Run {number + 1}: {title}")
        tell_failure(output, error)
        return False
    output.print(f"Run {number + 1} of {os.environ.get(RUNS_VARIABLE, '?')}: {title}")
    finished = attempt(title, config, overrides, tracker, parent.run_id if parent else None, output)
    if SweepCallback.forecast is not None:
        output.print(f"  {SweepCallback.forecast.after(number + 1)}", soft_wrap=True)
    return finished


def attempt(
    title: str,
    config: Config,
    overrides: Sequence[str],
    tracker: Tracker,
    parent: str | None,
    output: Console,
) -> bool:
    """Do a run; a failure is recorded in it and told in a line, never raised."""
    try:
        status, ending = run(title, config, tracker, parent, pairs_of(overrides), output)
        style = "red" if status == "diverged" else None
        output.print(f"  {status}: {ending}", style=style, soft_wrap=True)
        return status == "finished"
    except Exception as error:
        tell_failure(output, error)
        return False


def tell_failure(output: Console, error: Exception) -> None:
    """Say in a line why a run failed."""
    kind = "" if isinstance(error, InputError) else f"{type(error).__name__}: "
    reason = " ".join(str(error).split())
    output.print(f"  failed: {kind}{reason}", style="red", soft_wrap=True)


def pairs_of(overrides: Sequence[str]) -> dict[str, str]:
    """Overrides as option and value."""
    return dict(override.lstrip("+~").partition("=")[::2] for override in overrides)


def swept_options(jobs: Sequence[Sequence[str]]) -> list[str]:
    """The options that differ among the runs of a sweep, besides those in every title."""
    pairs = [pairs_of(job) for job in jobs]
    return [
        key
        for key in dict.fromkeys(key for one in pairs for key in one)
        if key not in ("backbone", "agg", "agg.p", "optimizer")
        and len({one.get(key) for one in pairs}) > 1
    ]


def counted(number: int, what: str) -> str:
    """A number with its noun."""
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


class SweepCallback(Callback):
    """What Hydra calls around a sweep."""

    open: ClassVar[tuple[Tracker, str] | None] = None
    """The sweep under way in this process, so that an interrupt can close it."""

    forecast: ClassVar[forecasts.Forecast | None] = None
    """Its cost, if that was asked for."""

    def on_multirun_start(self, config: DictConfig, **_: Any) -> None:
        """Check every run, then open the sweep's parent run in MLflow."""
        output = console()
        try:
            jobs = jobs_of(config)
            configs = [composed(overrides) for overrides in jobs]
            Tracker.check_reachable(configs[0].tracking.uri)
            configs = with_winners(configs, jobs)
            output.print(f"Preparing {counted(len(configs), 'run')} …")
            examples, fallbacks, unseen = check_all(configs)
            announce_weights(output, fallbacks)
            announce_evaluators(output, unseen)
            if configs[0].forecast is Forecast.only:
                foretell(configs, output)
                raise SystemExit(0)
            tracker = tracker_of(configs[0])
            refuse_known(tracker, configs[0].tracking.sweep or "")
            if configs[0].forecast is Forecast.show:
                SweepCallback.forecast = foretell(configs, output)
            begin(tracker, configs, list(config.hydra.overrides.task))
        except (*InputError, *CompositionError) as error:
            # Hydra turns a callback's exceptions into warnings, but not SystemExit.
            raise SystemExit(refuse(error)) from error
        except Exception as error:
            traceback.print_exc()
            raise SystemExit(1) from error
        name = configs[0].tracking.sweep or ""
        SweepCallback.open = (tracker, name)
        os.environ[RUNS_VARIABLE] = str(len(configs))
        os.environ[SWEPT_VARIABLE] = " ".join(swept_options(jobs))
        output.print(
            f"Sweep {name}: {counted(len(configs), 'run')}, {counted(examples, 'picture')}, "
            f"MLflow {tracker.uri}",
            soft_wrap=True,
        )

    def on_multirun_end(self, config: DictConfig, **_: Any) -> None:
        """Summarise the sweep; exit code 1 if a run did not finish."""
        if SweepCallback.open is None:
            raise SystemExit(1)
        (tracker, name), SweepCallback.open = SweepCallback.open, None
        complete = False
        try:
            runs = tracker.runs_of(name)
            expected = int(os.environ.pop(RUNS_VARIABLE))
            complete = len(runs) == expected and all(run.status == "FINISHED" for run in runs)
            close(tracker, name, runs, "finished" if complete else "failed")
            summarise(console(), tracker, runs, sweep=name)
        except Exception as error:
            # Hydra would turn it into a warning, and the exit code into 0.
            traceback.print_exc()
            raise SystemExit(1) from error
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


def check_all(configs: Sequence[Config]) -> tuple[int, dict[str, str], dict[str, str]]:
    """Prepare every run once, keeping nothing.

    Returns:
        How many examples there are in all, and why backbones and evaluators lack their weights.

    Raises:
        InputError: something is wrong in one of them.
    """
    if any(config.tracking != configs[0].tracking for config in configs):
        raise ConfigError("tracking.* cannot be swept: the runs of a sweep share one store")
    examples = 0
    fallbacks: dict[str, str] = {}
    unseen: dict[str, str] = {}
    for config in configs:
        prepared = prepare(config)
        check_data(config, prepared)
        examples += len(prepared.examples)
        fallbacks |= missing_weights(prepared)
        unseen |= prepared.assessment.unavailable
    return examples, fallbacks, unseen


def foretell(configs: Sequence[Config], output: Console) -> forecasts.Forecast:
    """Measure and print what the runs will cost."""
    output.print("Measuring a few steps of each backbone …")
    found = forecasts.forecast([prepare(config) for config in configs])
    output.print(*found.lines(), sep="\n", soft_wrap=True)
    return found


def begin(tracker: Tracker, configs: Sequence[Config], overrides: Sequence[str]) -> None:
    """Open the parent run of a sweep, with what all its runs have in common."""
    name = configs[0].tracking.sweep or ""
    tags = {"kind": "sweep", "sweep": name, "runs": str(len(configs))}
    log = tracker.start(name, tags | {"command": record.command(overrides, sweep=True)})
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


def close_interrupted() -> None:
    """Close the sweep under way, if there is one, as killed."""
    if SweepCallback.open is not None:
        (tracker, name), SweepCallback.open = SweepCallback.open, None
        runs = tracker.runs_of(name)
        close(tracker, name, runs, "killed")
        summarise(console(), tracker, runs, sweep=name)
