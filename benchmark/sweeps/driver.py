"""What the driver of a sweep does: before its first run, after its last, and when it is ended."""

import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from benchmark.analysis.model_selection import with_best_optimizers
from benchmark.analysis.pages import with_noun
from benchmark.config.compose import CompositionError, as_input_error, composed
from benchmark.config.paths import check_folder
from benchmark.config.schema import Config, Estimate
from benchmark.runs.prepare import prepare
from benchmark.runs.progress import Output
from benchmark.runtime.jobs import prepare_jobs
from benchmark.sweeps.application import Application
from benchmark.sweeps.execution import checked, opened, reason_of, tracker_of, workspace_of
from benchmark.sweeps.plan import SweepPlan, jobs_of, pairs_of
from benchmark.sweeps.resume import resume_sweep
from benchmark.sweeps.sweep import Sweep, end_lost_runs, is_done
from benchmark.tracking.outage import error_summary
from benchmark.tracking.tracker import Tracker
from benchmark.user_input import InputError
from benchmark.user_input.refusal import refuse


def start(hydra_config: DictConfig, application: Application) -> None:
    """Check every run of a sweep, new or resumed, and open it in MLflow.

    Raises:
        SystemExit: something is wrong, or only an estimate was wanted; nothing was begun.
    """
    output = Output()
    try:
        jobs = jobs_of(hydra_config)
        folder = Path(hydra_config.hydra.sweep.dir).absolute()
        check_folder("hydra.sweep.dir", str(folder))  # Hydra makes it only after this.
        first = composed(jobs[0])
        Tracker.check_reachable(first.tracking.uri)
        if first.estimate is not Estimate.only:
            launcher: Any = OmegaConf.to_container(hydra_config.hydra.launcher, resolve=True)
            application.jobs = prepare_jobs(launcher, folder.resolve())
            if application.jobs:
                application.interrupts.before_interrupt = application.jobs.stop
        if first.tracking.run is None:
            application.sweep = _new_sweep(jobs, hydra_config, application, output)
        else:
            application.sweep = _resumed_sweep(first, jobs, application, output)
        if application.jobs and application.jobs.output:
            output.print(application.jobs.output, soft_wrap=True)
    except (InputError, *CompositionError) as error:
        # Hydra turns a callback's exceptions into warnings, but not SystemExit.
        raise SystemExit(refuse(as_input_error(error))) from error
    except Exception as error:
        traceback.print_exc()
        raise SystemExit(1) from error


def _new_sweep(
    jobs: Sequence[Sequence[str]],
    hydra_config: DictConfig,
    application: Application,
    output: Output,
) -> Sweep:
    configs = with_best_optimizers([composed(overrides) for overrides in jobs], jobs)
    output.print(f"Preparing {with_noun(len(configs), 'run')} …")
    workspace = workspace_of(application)
    examples = sum(len(run.examples) for run in checked(configs, workspace, output))
    runs = (prepare(config, workspace) for config in configs)
    tracker, estimate = opened(configs[0], runs, application, output)
    sweep = Sweep.begin(tracker, configs, jobs, hydra_config)
    sweep.estimate = estimate
    output.print(
        f"Sweep {sweep.name}: {with_noun(len(configs), 'run')}, "
        f"{with_noun(examples, 'picture')}, MLflow {tracker.uri}",
        soft_wrap=True,
    )
    return sweep


def _resumed_sweep(
    first: Config, jobs: Sequence[Sequence[str]], application: Application, output: Output
) -> Sweep:
    tracker, name = tracker_of(first, application), first.tracking.sweep or ""
    plan = SweepPlan.read(tracker, name)
    numbers = [int(pairs_of(overrides)["tracking.run"]) for overrides in jobs]
    configs = [plan.run(number, first.tracking)[0] for number in numbers]
    for _ in checked(configs, workspace_of(application), output):
        pass
    return Sweep.reopen(tracker, name, plan)


def finish_sweep(application: Application) -> None:
    """Close and summarise the sweep; SystemExit if a run did not finish."""
    sweep, application.sweep = application.sweep, None
    if sweep is None:
        raise SystemExit(1)
    try:
        complete = sweep.conclude(Output())
    except Exception as error:
        # Hydra would turn it into a warning, and the exit code into 0.
        Output().print(f"failed: {reason_of(error)}", style="red", soft_wrap=True)
        raise SystemExit(1) from error
    if not complete:
        raise SystemExit(1)


def recover(application: Application, error: Exception) -> int:
    """Resume the sweep after its launcher failed, while that helps; the exit code if it does not.

    A worker process that is killed, for example out of memory, makes some launchers fail with all
    their other runs.
    """
    sweep = application.sweep
    assert sweep is not None
    output = Output()
    reason = error_summary(error).partition(" ----")[0]  # Without the logs that submitit quotes.
    output.print(f"The launcher failed: {reason}", style="red", soft_wrap=True)
    if application.jobs:
        application.jobs.wait(output.print)
        application.jobs.release()
    end_lost_runs(sweep.tracker, sweep.name)
    application.sweep = None
    runs = sweep.tracker.runs_of(sweep.name)
    done = sum(is_done(run) for run in runs)
    lost_once = any(run.times_lost == 1 for run in runs if not is_done(run))
    if done == sweep.done_before and not lost_once:
        sweep.conclude(output)
        return 1
    try:
        return resume_sweep(sweep.tracker.uri, sweep.name)
    except InputError as problem:
        return refuse(problem)
