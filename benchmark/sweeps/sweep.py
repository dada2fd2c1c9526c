"""A sweep: its runs checked before the first starts, its summary after the last."""

import traceback
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.experimental.callback import Callback
from omegaconf import DictConfig, OmegaConf
from rich.console import Console

from benchmark.analysis.model_selection import check_data, with_winners
from benchmark.analysis.tables import results_table
from benchmark.config.compose import composed, refuse
from benchmark.config.errors import CompositionError, ConfigError
from benchmark.config.paths import ROOT, check_folder
from benchmark.config.schema import Config, Estimate
from benchmark.runs.checkpoint import BusyError
from benchmark.runs.fingerprint import fingerprint_of
from benchmark.runs.log import command_line, logged_options, outcome_line, run_title
from benchmark.runs.notices import announce_evaluators, announce_weights, missing_weights
from benchmark.runs.prepare import Prepared, checkpoint_of, prepare
from benchmark.runs.progress import console
from benchmark.runs.run import RunContext, tracked_run
from benchmark.runs.workspace import Workspace
from benchmark.runtime import launchers, processes
from benchmark.sweeps import cost as estimates
from benchmark.sweeps.plan import Plan
from benchmark.sweeps.summary import resume_command, summarise, sweep_sheet
from benchmark.tracking.outage import OutageError
from benchmark.tracking.records import (
    PLAN_FILE,
    SWEEP_SHEET,
    SWEEP_TABLE,
    AnyRecord,
    Facts,
    RunRecord,
    Status,
    SweepFacts,
    SweepRecord,
)
from benchmark.tracking.store import error_summary
from benchmark.tracking.tracker import Tracker
from user_input import InputError

WORKSPACE = Workspace()
"""What the runs of this process share."""


def tracker_of(config: Config) -> Tracker:
    """The MLflow store of a configuration."""
    return Tracker(config.tracking.uri, config.tracking.experiment, ROOT)


def run_alone(config: Config, overrides: Sequence[str]) -> bool:
    """Do a single run; whether it finished. Wrong input ends the program before a run begins."""
    output = console()
    name = config.tracking.sweep or ""
    try:
        Tracker.check_reachable(config.tracking.uri)
        if config.tracking.run is None:
            [config] = with_winners([config], [overrides])
        else:
            number = config.tracking.run
            config, overrides = planned(Plan.read(tracker_of(config), name), number, config)
        prepared = prepare(config, WORKSPACE)
        check_data(config, prepared)
        announce_weights(output, missing_weights(prepared))
        announce_evaluators(output, prepared.evaluation_setup.unavailable)
        if config.estimate is Estimate.only:
            print_estimate([config], output)
            return True
        tracker = tracker_of(config)
        if config.tracking.run is None:
            refuse_known(tracker, name)
        mark_lost_runs(tracker, output)
    except InputError as error:
        raise SystemExit(refuse(error)) from error
    if config.estimate is Estimate.show:
        print_estimate([config], output)
    place = RunContext(run_title(config), pairs_of(overrides))
    finished = attempt(config, lambda: prepared, tracker, place, output)
    summarise(output, tracker, tracker.runs_of(name))
    return finished


def run_in_sweep(config: Config, overrides: Sequence[str], number: int) -> bool:
    """Do one run of a sweep, in whatever process, if it is not done yet; whether it finished."""
    output = console()
    name = config.tracking.sweep or ""
    title = f"run {number + 1}"
    try:
        tracker = SweepCallback.open[0] if SweepCallback.open else tracker_of(config)
        parent = tracker.sweep_run(name)
        if config.tracking.run is None:
            [config] = with_winners([config], [overrides])
        else:
            number = config.tracking.run
            plan = SweepCallback.plan or Plan.read(tracker, name)
            config, overrides = planned(plan, number, config)
        swept = parent.swept if parent else ()
        pairs = {key: value for key, value in pairs_of(overrides).items() if key in swept}
        title = run_title(config, pairs)
    except Exception as error:
        # The store is gone; the runs after this one may find it again.
        output.print(f"Run {number + 1}: {title}")
        print_failure(output, error)
        return False
    output.print(f"Run {number + 1} of {parent.runs if parent else '?'}: {title}")
    place = RunContext(title, pairs_of(overrides), number, parent.run_id if parent else "")
    finished = attempt(config, partial(prepare, config, WORKSPACE), tracker, place, output)
    if SweepCallback.estimate is not None:
        output.print(f"  {SweepCallback.estimate.after(number + 1)}", soft_wrap=True)
    return finished


def planned(plan: Plan, number: int, config: Config) -> tuple[Config, Sequence[str]]:
    """A run as its sweep planned it, in the store of `config`; and its overrides."""
    return replace(plan.config(number), tracking=config.tracking), plan.overrides[number]


def attempt(
    config: Config,
    prepared: Callable[[], Prepared],
    tracker: Tracker,
    place: RunContext,
    output: Console,
) -> bool:
    """Do what is left of a run; a failure is recorded in it and told in a line, never raised."""
    # Lines of several processes stand among each other.
    mark = f"  {place.title}: " if launchers.in_job() else "  "
    try:
        fingerprint = fingerprint_of(config)
        checkpoint = checkpoint_of(config, place.number, fingerprint)
        with checkpoint.claimed():
            earlier = tracker.run_of(config.tracking.sweep or "", place.number)
            if earlier and is_done(earlier):
                checkpoint.remove()
                output.print(f"{mark}{earlier.status} before")
                return earlier.status == "finished"
            if earlier and is_running(earlier) and not checkpoint.left_by(earlier.owner):
                raise BusyError
            if earlier and earlier.fingerprint != fingerprint:
                output.print(f"{mark}begins anew: its options, or the program, changed since")
                tracker.delete(earlier.run_id)
                earlier = None
            place = replace(place, earlier=earlier)
            outcome = tracked_run(config, prepared, tracker, place, checkpoint, output)
        style = "red" if outcome.status == "diverged" else None
        output.print(
            f"{mark}{outcome.status}: {outcome_line(outcome)}", style=style, soft_wrap=True
        )
        return outcome.status == "finished"
    except BusyError:
        output.print(
            f"{mark}under way in another process, which this one leaves alone", style="yellow"
        )
    except Exception as error:
        print_failure(output, error, mark)
    return False


def is_done(run: RunRecord) -> bool:
    """Whether a run came to its end, good or bad; another try would come to the same."""
    return run.status in ("finished", "diverged")


def is_running(run: AnyRecord) -> bool:
    """Whether another process is at a run, as far as this one can tell."""
    if run.status != "running" or run.owner is None:
        return False
    return run.owner.state() in ("alive", "elsewhere")


def mark_lost_runs(tracker: Tracker, output: Console, *, tell: bool = True) -> None:
    """End the runs in the store whose processes are gone from this machine; tell of sweeps."""
    for one in tracker.running():
        owner = one.owner
        if owner and owner.state() == "gone":
            log = tracker.log(one.run_id)
            log.update(Facts(times_lost=one.times_lost + 1))
            log.end(
                "killed",
                "lost",
                f"its process {owner.process} on {owner.host} ended without a word: killed, out of "
                "memory, or the machine went down",
            )
            if tell and isinstance(one, SweepRecord):
                command = resume_command(tracker, one.sweep)
                output.print(f"Sweep {one.name} was cut short; {command} goes on with it.")


def end_lost_runs(tracker: Tracker, name: str) -> None:
    """End the runs of a sweep whose launcher is over, and with it its jobs on all machines."""
    for one in tracker.runs_of(name):
        owner = one.owner
        if one.status == "running" and owner and owner.state() != "alive":
            log = tracker.log(one.run_id)
            log.update(Facts(times_lost=one.times_lost + 1))
            log.end("killed", "lost", f"its process {owner.process} on {owner.host} was lost")


def print_failure(output: Console, error: Exception, mark: str = "  ") -> None:
    """Say in a line why a run failed."""
    reason = " ".join(str(error).split()) if isinstance(error, InputError) else error_summary(error)
    output.print(f"{mark}failed: {reason}", style="red", soft_wrap=True)


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

    estimate: ClassVar[estimates.Estimate | None] = None
    """Its cost, if that was asked for."""

    plan: ClassVar[Plan | None] = None
    """Its runs, where it was taken up."""

    done: ClassVar[int] = 0
    """How many of them were over when this process began."""

    def on_multirun_start(self, config: DictConfig, **_: Any) -> None:
        """Check every run, then open the sweep's parent run in MLflow."""
        output = console()
        try:
            jobs = jobs_of(config)
            # Hydra makes it only after this, when the sweep is in MLflow already.
            check_folder("hydra.sweep.dir", str(Path(config.hydra.sweep.dir).absolute()))
            first = composed(jobs[0])
            Tracker.check_reachable(first.tracking.uri)
            if first.estimate is not Estimate.only:
                launcher: Any = OmegaConf.to_container(config.hydra.launcher, resolve=True)
                launchers.drive(launcher, Path(config.hydra.sweep.dir).resolve())
            if first.tracking.run is None:
                start(jobs, config, output)
            else:
                resume_sweep(first, [int(pairs_of(job)["tracking.run"]) for job in jobs], output)
            if launchers.where_output_goes():
                output.print(launchers.where_output_goes(), soft_wrap=True)
        except (InputError, *CompositionError) as error:
            # Hydra turns a callback's exceptions into warnings, but not SystemExit.
            raise SystemExit(refuse(error)) from error
        except Exception as error:
            traceback.print_exc()
            raise SystemExit(1) from error

    def on_multirun_end(self, config: DictConfig, **_: Any) -> None:
        """Summarise the sweep; exit code 1 if a run did not finish."""
        if SweepCallback.open is None:
            raise SystemExit(1)
        (tracker, name), SweepCallback.open = SweepCallback.open, None
        try:
            complete = conclude(tracker, name, console())
        except Exception as error:
            # Hydra would turn it into a warning, and the exit code into 0.
            print_failure(console(), error)
            raise SystemExit(1) from error
        if not complete:
            raise SystemExit(1)


def start(jobs: Sequence[Sequence[str]], config: DictConfig, output: Console) -> None:
    """Check all runs of a new sweep and record what they will be.

    Raises:
        InputError, CompositionError: something is wrong in one of them; nothing was begun.
        SystemExit: only a estimate was wanted.
    """
    configs = with_winners([composed(overrides) for overrides in jobs], jobs)
    output.print(f"Preparing {counted(len(configs), 'run')} …")
    examples, fallbacks, unseen = check_all(configs)
    announce_weights(output, fallbacks)
    announce_evaluators(output, unseen)
    if configs[0].estimate is Estimate.only:
        print_estimate(configs, output)
        raise SystemExit(0)
    tracker, name = tracker_of(configs[0]), configs[0].tracking.sweep or ""
    refuse_known(tracker, name)
    mark_lost_runs(tracker, output)
    if configs[0].estimate is Estimate.show:
        SweepCallback.estimate = print_estimate(configs, output)
    begin(tracker, configs, jobs, config)
    SweepCallback.open = (tracker, name)
    output.print(
        f"Sweep {name}: {counted(len(configs), 'run')}, {counted(examples, 'picture')}, "
        f"MLflow {tracker.uri}",
        soft_wrap=True,
    )


def resume_sweep(first: Config, numbers: Sequence[int], output: Console) -> None:
    """Check the runs of a sweep that are left, and open it again.

    Raises:
        InputError: there is no such sweep, or something is wrong in one of its runs.
    """
    tracker, name = tracker_of(first), first.tracking.sweep or ""
    plan = Plan.read(tracker, name)
    check_all([planned(plan, number, first)[0] for number in numbers])
    parent = tracker.sweep_run(name)
    assert parent is not None  # It has the plan.
    tracker.resume(parent, SweepFacts(owner=processes.here()))
    SweepCallback.open, SweepCallback.plan = (tracker, name), plan
    SweepCallback.done = sum(is_done(run) for run in tracker.runs_of(name))


def conclude(tracker: Tracker, name: str, output: Console) -> bool:
    """Close a sweep and tell how it went; whether all its runs finished."""
    runs = tracker.runs_of(name)
    parent = tracker.sweep_run(name)
    expected = parent.runs if parent else 1
    complete = len(runs) == expected and all(run.status == "finished" for run in runs)
    close(tracker, name, runs, "finished" if complete else "failed")
    summarise(output, tracker, runs, sweep=name)
    return complete


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
    if not jobs:
        raise ConfigError(f"{' '.join(task)}: one of these has no values to sweep")
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
        prepared = prepare(config, WORKSPACE)
        check_data(config, prepared)
        examples += len(prepared.examples)
        fallbacks |= missing_weights(prepared)
        unseen |= prepared.evaluation_setup.unavailable
    return examples, fallbacks, unseen


def print_estimate(configs: Sequence[Config], output: Console) -> estimates.Estimate:
    """Measure and print what the runs will cost."""
    output.print("Measuring a few steps of each backbone …")
    found = estimates.estimate([prepare(config, WORKSPACE) for config in configs])
    output.print(*found.lines(), sep="\n", soft_wrap=True)
    return found


def begin(
    tracker: Tracker,
    configs: Sequence[Config],
    jobs: Sequence[Sequence[str]],
    config: DictConfig,
) -> None:
    """Open the parent run of a sweep, with what its runs have in common and what each will be."""
    name = configs[0].tracking.sweep or ""
    facts = SweepFacts(
        sweep=name,
        runs=len(configs),
        swept=tuple(swept_options(jobs)),
        command=command_line(list(config.hydra.overrides.task), sweep=True),
        owner=processes.here(),
    )
    log = tracker.start(name, facts)
    options = [logged_options(one) for one in configs]
    log.params({k: v for k, v in options[0].items() if all(o.get(k) == v for o in options)})
    log.json(PLAN_FILE, Plan.of(jobs, configs, launcher_of(config)).packed())


def launcher_of(config: DictConfig) -> list[str]:
    """The overrides that choose and set up Hydra's launcher, and say where its jobs are."""
    kept = ("hydra/launcher", "hydra.launcher", "hydra.sweep.dir", "hydra.job.env_set")
    given = [one for one in config.hydra.overrides.hydra if one.lstrip("+~").startswith(kept)]
    chosen = config.hydra.runtime.choices.get("hydra/launcher", "basic")
    named = any(one.startswith("hydra/launcher=") for one in given)
    return given if named else [f"hydra/launcher={chosen}", *given]


def refuse_known(tracker: Tracker, name: str) -> None:
    """Keep two sweeps from sharing a name.

    Raises:
        ConfigError: one of this name was begun before.
    """
    parent, runs = tracker.sweep_run(name), tracker.runs_of(name)
    idle = parent and not runs and not is_running(parent)
    if parent and idle and not tracker.has_artifact(parent.run_id, PLAN_FILE):
        tracker.delete(parent.run_id)  # Cut short before anything of it was recorded.
    elif parent or runs:
        raise ConfigError(
            f"tracking.sweep={name}: a sweep of this name exists; choose another name, or go on: "
            f"{resume_command(tracker, name)}"
        )


def close(tracker: Tracker, name: str, runs: Sequence[RunRecord], status: Status) -> None:
    """Give the parent run the table and the sheet of all cells, and end it."""
    parent = tracker.sweep_run(name)
    if parent is None:
        return
    log = tracker.log(parent.run_id)
    missing = [f"{run.name} ({run.status})" for run in runs if run.status != "finished"]
    if len(runs) < parent.runs:
        missing.append(f"{parent.runs - len(runs)} never started")
    if runs and status != "killed":  # Whoever interrupts it does not want to wait for pictures.
        log.table(SWEEP_TABLE, results_table(runs))
        sheet = sweep_sheet(tracker, runs)
        if sheet is not None:
            log.picture(SWEEP_SHEET, sheet)
    reason = f"not finished: {', '.join(missing)}" if missing else f"{len(runs)} runs finished"
    log.end(status, {"finished": "complete", "killed": "interrupted"}.get(status, "error"), reason)


def is_open() -> bool:
    """Whether a sweep is under way in this process."""
    return SweepCallback.open is not None


def close_interrupted() -> None:
    """Close the sweep under way, if there is one, as killed."""
    if SweepCallback.open is not None:
        (tracker, name), SweepCallback.open = SweepCallback.open, None
        tracker.shut_down()
        try:
            end_lost_runs(tracker, name)
            runs = tracker.runs_of(name)
            close(tracker, name, runs, "killed")
            summarise(console(), tracker, runs, sweep=name)
        except OutageError as error:
            command = resume_command(tracker, name)
            output = console()
            output.print(f"{error}. What is done is kept: {command} goes on.", soft_wrap=True)
