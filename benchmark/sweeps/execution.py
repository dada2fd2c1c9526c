"""One run, alone or of a sweep."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

from benchmark.analysis.model_selection import check_training_data, with_best_optimizers
from benchmark.config.compose import refuse
from benchmark.config.errors import ConfigError
from benchmark.config.schema import Config, Estimate
from benchmark.runs.checkpoint import BusyError
from benchmark.runs.fingerprint import fingerprint_of
from benchmark.runs.log import outcome_line, run_title
from benchmark.runs.prepare import Prepared, checkpoint_of, prepare
from benchmark.runs.progress import Output, announce_evaluators, announce_weights
from benchmark.runs.tracked_run import RunContext, tracked_run
from benchmark.runs.workspace import Workspace
from benchmark.runtime.interrupts import Interrupts
from benchmark.sweeps.application import Application
from benchmark.sweeps.cost import print_estimate
from benchmark.sweeps.lost_runs import is_done, is_running, mark_lost_runs
from benchmark.sweeps.overrides import pairs_of
from benchmark.sweeps.plan import SweepPlan
from benchmark.sweeps.summary import summarise
from benchmark.sweeps.sweep import refuse_known
from benchmark.tracking.outage import error_summary
from benchmark.tracking.tracker import Tracker
from benchmark.user_input import InputError


def tracker_of(config: Config, interrupts: Interrupts) -> Tracker:
    """The MLflow store of a configuration, to be written."""
    return Tracker(config.tracking.uri, config.tracking.experiment, interrupts=interrupts)


def workspace_of(application: Application) -> Workspace:
    """What the runs of this process share."""
    application.workspace = application.workspace or Workspace()
    return application.workspace


def validate(configs: Sequence[Config], workspace: Workspace, output: Output) -> int:
    """Prepare every run once, keeping nothing, and warn of missing weights.

    Returns:
        How many examples there are in all.

    Raises:
        InputError: something is wrong in one of them.
    """
    if any(config.tracking != configs[0].tracking for config in configs):
        raise ConfigError("cannot be swept: the runs of a sweep share one store", "tracking")
    examples = 0
    random_weights: dict[str, str] = {}
    unavailable: dict[str, str] = {}
    for config in configs:
        prepared = _prepare_checked(config, workspace)
        examples += len(prepared.examples)
        random_weights |= prepared.missing_weights
        unavailable |= prepared.evaluation_setup.unavailable
    announce_weights(output, random_weights)
    announce_evaluators(output, unavailable)
    return examples


def run_alone(config: Config, overrides: Sequence[str], application: Application) -> bool:
    """Do a single run; whether it finished. Wrong input ends the program before a run begins."""
    output = Output()
    name = config.tracking.sweep or ""
    try:
        Tracker.check_reachable(config.tracking.uri)
        if config.tracking.run is None:
            [config] = with_best_optimizers([config], [overrides])
        else:
            plan = SweepPlan.read(tracker_of(config, application.interrupts), name)
            config, overrides = plan.run(config.tracking.run, config.tracking)
        prepared = _prepare_checked(config, workspace_of(application))
        announce_weights(output, prepared.missing_weights)
        announce_evaluators(output, prepared.evaluation_setup.unavailable)
        if config.estimate is Estimate.only:
            print_estimate([prepared], output)
            return True
        tracker = tracker_of(config, application.interrupts)
        if config.tracking.run is None:
            refuse_known(tracker, name)
        mark_lost_runs(tracker, output)
    except InputError as error:
        raise SystemExit(refuse(error)) from error
    if config.estimate is Estimate.show:
        print_estimate([prepared], output)
    context = RunContext(run_title(config), pairs_of(overrides))
    finished = attempt(config, lambda: prepared, tracker, context, output)
    summarise(output, tracker, tracker.runs_of(name))
    return finished


def run_in_sweep(
    config: Config, overrides: Sequence[str], number: int, application: Application
) -> bool:
    """Do one run of a sweep unless it is already done; whether it finished."""
    output = Output(shared=application.worker is not None)
    title = f"run {number + 1}"
    sweep = application.sweep
    try:
        tracker = sweep.tracker if sweep else tracker_of(config, application.interrupts)
        name = config.tracking.sweep or ""
        if config.tracking.run is None:
            [config] = with_best_optimizers([config], [overrides])
        else:
            number = config.tracking.run
            plan = sweep.plan if sweep else SweepPlan.read(tracker, name)
            config, overrides = plan.run(number, config.tracking)
        parent = tracker.sweep_run(name)
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
    if sweep and sweep.estimate:
        output.print(f"  {sweep.estimate.progress(number + 1)}", soft_wrap=True)
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
            context = replace(context, earlier=earlier)
            result = tracked_run(config, prepare, tracker, context, checkpoint, output)
        style = "red" if result.status == "diverged" else None
        say(f"{result.status}: {outcome_line(result)}", style)
        return result.status == "finished"
    except BusyError:
        say("already running in another process; skipped", "yellow")
    except Exception as error:
        say(f"failed: {reason_of(error)}", "red")
    return False


def reason_of(error: Exception) -> str:
    """Why a run failed, in one line."""
    return str(error) if isinstance(error, InputError) else error_summary(error)


def _prepare_checked(config: Config, workspace: Workspace) -> Prepared:
    """Prepare a run, and check a test's data against its training."""
    prepared = prepare(config, workspace)
    digests = prepared.style_digest, prepared.backbone.digest
    check_training_data(config, *digests, prepared.content.names)
    return prepared
