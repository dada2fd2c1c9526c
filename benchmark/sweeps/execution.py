"""One run, alone or of a sweep."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from benchmark.analysis.model_selection import check_training_data, with_best_optimizers
from benchmark.config.errors import ConfigError
from benchmark.config.schema import Config, Estimate, nested
from benchmark.runs.checkpoint import BusyError, Checkpoint
from benchmark.runs.fingerprint import fingerprint_of
from benchmark.runs.log import (
    check_unchanged,
    command_line,
    git_commit,
    logged_options,
    run_title,
)
from benchmark.runs.prepare import Prepared, checkpoint_of, prepare
from benchmark.runs.progress import Output, announce_evaluators, announce_weights
from benchmark.runs.run import run
from benchmark.runs.workspace import Workspace
from benchmark.runtime.processes import current_process
from benchmark.sweeps.application import Application
from benchmark.sweeps.cost import CostEstimate, print_estimate
from benchmark.sweeps.plan import SweepPlan, pairs_of
from benchmark.sweeps.summary import summarise
from benchmark.sweeps.sweep import is_done, is_running, mark_lost_runs, refuse_known
from benchmark.tracking.outage import error_summary
from benchmark.tracking.records import Artifact, RunFacts, RunRecord
from benchmark.tracking.tracker import Tracker
from benchmark.transfer import backend
from benchmark.transfer.loop import Epoch, Result
from benchmark.user_input import InputError
from benchmark.user_input.refusal import refusing


@dataclass(frozen=True)
class RunContext:
    """A run's place in MLflow."""

    title: str
    overrides: Mapping[str, str]  # the command line's, which tell the runs of a sweep apart
    number: int = 0  # of the run in its sweep, from 0
    parent: str = ""  # MLflow's id of the sweep's run; empty for a single run


def tracker_of(config: Config, application: Application) -> Tracker:
    """The MLflow store of the sweep in progress, or else of a configuration, to be written."""
    if application.sweep:
        return application.sweep.tracker
    tracking = config.tracking
    return Tracker(tracking.uri, tracking.experiment, interrupts=application.interrupts)


def workspace_of(application: Application) -> Workspace:
    """What the runs of this process share."""
    application.workspace = application.workspace or Workspace()
    return application.workspace


def checked(configs: Sequence[Config], workspace: Workspace, output: Output) -> Iterator[Prepared]:
    """Prepare every run, and warn of missing weights; InputError if something is wrong in one."""
    if any(config.tracking != configs[0].tracking for config in configs):
        raise ConfigError("cannot be swept: the runs of a sweep share one store", "tracking")
    weights: dict[str, None] = {}
    random_weights: dict[str, str] = {}
    unavailable: dict[str, str] = {}
    for config in configs:
        prepared = prepare(config, workspace)
        digests = prepared.style_digest, prepared.backbone.digest
        check_training_data(config, *digests, prepared.content.names)
        weights[f"{prepared.backbone.name}: {prepared.backbone.weights}"] = None
        random_weights |= prepared.missing_weights
        unavailable |= prepared.evaluation_setup.unavailable
        yield prepared
    output.print(f"Weights: {'; '.join(weights)}", soft_wrap=True)
    announce_weights(output, random_weights)
    announce_evaluators(output, unavailable)


def opened(
    config: Config, runs: Iterable[Prepared], application: Application, output: Output
) -> tuple[Tracker, CostEstimate | None]:
    """The store that runs, checked and of this configuration, begin in; their cost, if wanted.

    Raises:
        ConfigError: the store has a sweep of this name.
        SystemExit: only the estimate was wanted.
    """
    if config.estimate is Estimate.only:
        print_estimate(runs, output)
        raise SystemExit(0)
    tracker = tracker_of(config, application)
    if config.tracking.run is None:
        refuse_known(tracker, config.tracking.sweep or "")
    mark_lost_runs(tracker, output)
    return tracker, print_estimate(runs, output) if config.estimate is Estimate.show else None


def settled(
    config: Config, overrides: Sequence[str], application: Application
) -> tuple[Config, Sequence[str]]:
    """A run's own configuration and overrides: where it is resumed, those that it began with.

    Raises:
        ConfigError: there is no such run, or no training that a test needs.
    """
    tracking = config.tracking
    if tracking.run is None:
        return with_best_optimizers([config], [overrides])[0], overrides
    sweep = application.sweep
    tracker = tracker_of(config, application)
    plan = sweep.plan if sweep else SweepPlan.read(tracker, tracking.sweep or "")
    return plan.run(tracking.run, tracking)


def run_alone(config: Config, overrides: Sequence[str], application: Application) -> bool:
    """Do a single run; whether it finished. Wrong input ends the program before a run begins."""
    output = Output()
    with refusing():
        Tracker.check_reachable(config.tracking.uri)
        config, overrides = settled(config, overrides, application)
        [prepared] = checked([config], workspace_of(application), output)
        tracker, _ = opened(config, [prepared], application, output)
    context = RunContext(run_title(config), pairs_of(overrides))
    finished = attempt(config, lambda: prepared, tracker, context, output)
    summarise(output, tracker, tracker.runs_of(config.tracking.sweep or ""))
    return finished


def run_in_sweep(
    config: Config, overrides: Sequence[str], number: int, application: Application
) -> bool:
    """Do one run of a sweep unless it is already done; whether it finished."""
    output = Output(shared=application.worker is not None)
    number = number if config.tracking.run is None else config.tracking.run
    title = f"run {number + 1}"
    try:
        tracker = tracker_of(config, application)
        config, overrides = settled(config, overrides, application)
        parent = tracker.sweep_run(config.tracking.sweep or "")
        swept = parent.swept if parent else ()
        pairs = pairs_of(overrides)
        title = run_title(config, {key: pairs[key] for key in pairs if key in swept})
    except Exception as error:
        # The store is away; the runs after this one may reach it again.
        output.print(f"Run {number + 1}: {title}")
        output.print_of_run(title, f"failed: {reason_of(error)}", "red")
        return False
    output.print(f"Run {number + 1} of {parent.runs if parent else '?'}: {title}")
    context = RunContext(title, pairs, number, parent.run_id if parent else "")
    prepared = partial(prepare, config, workspace_of(application))
    finished = attempt(config, prepared, tracker, context, output)
    if application.sweep and application.sweep.estimate:
        progress = application.sweep.estimate.progress(number + 1)
        output.print(f"  {progress}", soft_wrap=True)
    return finished


def attempt(
    config: Config,
    prepare: Callable[[], Prepared],
    tracker: Tracker,
    context: RunContext,
    output: Output,
) -> bool:
    """Do what is left of a run; a failure is recorded in it and printed, never raised."""
    say = partial(output.print_of_run, context.title)
    try:
        fingerprint = fingerprint_of(config)
        checkpoint = checkpoint_of(config, context.number, fingerprint)
        with checkpoint.claimed():
            earlier = tracker.run_of(config.tracking.sweep or "", context.number)
            if earlier and is_done(earlier):
                checkpoint.remove()
                say(f"already {earlier.status}")
                return earlier.status == "finished"
            if earlier and is_running(earlier) and not checkpoint.left_by(earlier.owner):
                raise BusyError
            if earlier and earlier.fingerprint != fingerprint:
                say("restarting (its options or the program changed)")
                tracker.delete(earlier.run_id)
                earlier = None
            result = tracked_run(config, prepare, tracker, context, checkpoint, output, earlier)
        first, last = result.first_losses[0].mean(), result.losses[0].mean()
        losses, style = f"total loss {first:.4g} → {last:.4g}", None
        if (
            result.status == "diverged"
        ):  # whose reason has the loss, which is not that of what is kept
            losses, style = f"kept are the pictures of epoch {result.kept_epochs.max()}", "red"
        say(
            f"{result.status}: {result.stop_reason.message}; {losses}, {result.seconds:.1f} s",
            style,
        )
        return result.status == "finished"
    except BusyError:
        say("already running in another process; skipped", "yellow")
    except Exception as error:
        say(f"failed: {reason_of(error)}", "red")
    return False


def tracked_run(
    config: Config,
    prepare: Callable[[], Prepared],
    tracker: Tracker,
    context: RunContext,
    checkpoint: Checkpoint,
    output: Output,
    earlier: RunRecord | None = None,
    watch: Callable[[Epoch], None] = lambda epoch: None,
    painted: Result | None = None,
) -> Result:
    """Open a run in MLflow, or resume it, prepare it and do it; errors are recorded, and raised.

    One that is `painted` is only logged.
    """
    facts = facts_of(config, context, checkpoint.fingerprint)
    with tracker.run(context.title, facts, earlier, checkpoint.flush) as log:
        log.params(logged_options(config))
        log.json(Artifact.CONFIG, nested(config))
        prepared = prepare()
        if earlier:
            check_unchanged(earlier, prepared)
        result = run(prepared, log, checkpoint, context.title, output, watch, painted)
    checkpoint.remove()
    return result


def facts_of(config: Config, context: RunContext, fingerprint: str) -> RunFacts:
    """What is recorded of a run when it begins."""
    overrides = context.overrides
    return RunFacts(
        sweep=config.tracking.sweep or "",
        number=context.number,
        parent=context.parent,
        fingerprint=fingerprint,
        backbone=config.backbone["name"],
        agg=config.agg["name"],
        optimizer=config.optimizer["name"],
        overrides=overrides,
        command=command_line([f"{key}={value}" for key, value in overrides.items()], sweep=False),
        commit=git_commit(),
        owner=current_process(),
        versions=backend.versions(),
        hardware=backend.hardware(),
    )


def reason_of(error: Exception) -> str:
    """Why a run failed, in one line."""
    return str(error) if isinstance(error, InputError) else error_summary(error)
