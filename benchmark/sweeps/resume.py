"""What is left of a sweep, and how to run it."""

import os
import sys
from collections.abc import Sequence

from benchmark.config.errors import ConfigError
from benchmark.config.quoting import in_quotes
from benchmark.config.schema import SWEEP_NAME
from benchmark.runs.prepare import checkpoint_of
from benchmark.runs.progress import Output
from benchmark.runtime.jobs import earlier_jobs
from benchmark.sweeps.plan import SweepPlan, pairs_of
from benchmark.sweeps.sweep import Sweep, is_done, is_running, mark_lost_runs
from benchmark.tracking.records import AnyRecord, SweepRecord
from benchmark.tracking.tracker import Tracker


def resume_sweep(
    uri: str | None, name: str | None, overrides: Sequence[str] = (), *, force: bool = False
) -> int:
    """Start what is left of a sweep, or of the last, in this process's place; else the exit code.

    `overrides` are those of another launcher; `force` ends the runs that other machines left
    running.

    Raises:
        ConfigError: there is no such sweep, it is running, or it is another command's.
    """
    _check_arguments(name, overrides)
    Tracker.check_reachable(uri)
    tracker = Tracker(uri, None, create=False)
    name = name or tracker.last_resumable()
    if name is None:
        raise ConfigError(f"{tracker.uri} has no sweeps yet")
    output = Output()
    mark_lost_runs(tracker, output, announce=False)
    parent, found = tracker.sweep_run(name), tracker.runs_of(name)
    if found and not parent and not any(run.fingerprint for run in found):
        reason = "is no sweep, but pictures or a film: run their own command again"
        raise ConfigError(reason, "NAME", name)
    plan = SweepPlan.read(tracker, name)
    jobs = earlier_jobs(pairs_of(plan.hydra), name)
    if jobs:
        jobs.wait(output.print)
    runs = {run.number: run for run in tracker.runs_of(name) if run.is_ours}
    parent = tracker.sweep_run(name)
    _check_not_running([*([parent] if parent else []), *runs.values()], force=force)
    for run in runs.values():
        if force and run.status == "running":
            tracker.log(run.run_id).end("killed", "lost", "resumed with --force")
    done = {number for number, run in runs.items() if is_done(run)}
    for number in done:
        checkpoint_of(plan.config(number), number).remove()
    left = [number for number in range(len(plan.settings)) if number not in done]
    if left:
        # Last those at which processes were lost, for they may take others with them.
        left.sort(key=lambda number: runs[number].times_lost if number in runs else 0)
        output.print(
            f"Sweep {name}: {len(done)} of {len(plan.settings)} runs are done, {len(left)} are left"
        )
        options = [f"tracking.run={','.join(map(str, left))}", *_store_options(tracker, plan, name)]
        arguments = ["-m", *options, *(overrides or plan.hydra)] if parent else options
        sys.stdout.flush()
        os.execv(sys.executable, [sys.executable, "-m", "benchmark", *arguments])
    if parent and parent.status not in ("finished", "failed"):
        return 0 if Sweep(tracker, name, plan, tracker.log(parent.run_id)).conclude(output) else 1
    finished = all(run.status == "finished" for run in runs.values())
    print(f"Sweep {name}: nothing is left; {'all' if finished else 'not all'} runs finished")
    return 0 if finished else 1


def _check_arguments(name: str | None, overrides: Sequence[str]) -> None:
    if name and not SWEEP_NAME.fullmatch(name):
        raise ConfigError("not a valid name of a sweep", name)
    for override in overrides:
        if "launcher" not in override.partition("=")[0]:
            raise ConfigError(
                "a sweep is resumed with the options it was started with; only hydra/launcher=… "
                "and hydra.launcher.… can be given",
                override,
            )


def _check_not_running(records: Sequence[AnyRecord], *, force: bool) -> None:
    for run in records:
        owner = run.owner
        if not is_running(run) or owner is None:
            continue
        if owner.state() == "alive":
            where = f"process {owner.process} of this machine"
            raise ConfigError(f"{run.name} is running in {where}: wait for it, or end it")
        if isinstance(run, SweepRecord) and not force:
            raise ConfigError(
                f"{run.name} is running on {owner.host}, as far as this machine can know: resume "
                "it there, or add --force if nothing of it runs there any more"
            )


def _store_options(tracker: Tracker, plan: SweepPlan, name: str) -> list[str]:
    """The overrides that say where a sweep is."""
    tracking = plan.config(0).tracking
    values = {"sweep": name, "experiment": tracking.experiment, "uri": tracker.uri}
    return [f"tracking.{key}={in_quotes(value)}" for key, value in values.items()]
