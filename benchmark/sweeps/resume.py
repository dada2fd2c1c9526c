"""What is left of a sweep, and how to run it."""

import argparse
import sys
from collections.abc import Iterable, Sequence

from benchmark.config.checks import SWEEP_NAME
from benchmark.config.errors import ConfigError, nearest
from benchmark.config.paths import ROOT
from benchmark.runs.prepare import checkpoint_of
from benchmark.runs.progress import console
from benchmark.runtime import launchers
from benchmark.sweeps.plan import Plan
from benchmark.sweeps.sweep import (
    conclude,
    is_done,
    is_running,
    mark_lost_runs,
)
from benchmark.tracking.records import AnyRecord, RunRecord, SweepRecord
from benchmark.tracking.tracker import Tracker

USAGE = """\
Goes on with a sweep, or a single run, that did not come to its end, whatever the reason: Ctrl-C,
a killed process, a machine that went down, a full disk, a lost server, a run that failed.

    python -m benchmark.resume                   the last one
    python -m benchmark.resume NAME              a named one; python -m benchmark prints the name
    python -m benchmark.resume NAME hydra/launcher=joblib hydra.launcher.n_jobs=2

Runs that finished or diverged stay as they are. One that was cut short goes on from its last
checkpoint, in the same MLflow run and to the same numbers; those that never began begin. The
options are those that the sweep was started with, and so is the launcher, unless another is given.
"""


def resume_sweep(options: argparse.Namespace) -> list[str] | int:
    """The command that runs what is left of a sweep, or the exit code where nothing is.

    Raises:
        ConfigError: there is no such sweep, or it is under way.
    """
    check(options)
    Tracker.check_reachable(options.tracking_uri)
    tracker = Tracker(options.tracking_uri, None, ROOT, create=False)
    name = named(tracker, options.sweep)
    output = console()
    mark_lost_runs(tracker, output, tell=False)
    plan = Plan.read(tracker, name)
    launchers.wait_for_others(plan.hydra, name, output.print)
    runs = {run.number: run for run in tracker.runs_of(name)}
    parent = tracker.sweep_run(name)
    check_free([*([parent] if parent else []), *runs.values()], force=options.force)
    if options.force:
        release(tracker, runs.values())
    over = {number for number, run in runs.items() if is_done(run)}
    for number in over:
        checkpoint_of(plan.config(number), number).remove()
    left = [number for number in range(len(plan.settings)) if number not in over]
    # Last those at which processes died, for they may take others with them.
    left.sort(key=lambda number: runs[number].times_lost if number in runs else 0)
    if not left:
        return settle(tracker, name, list(runs.values()))
    done = len(plan.settings) - len(left)
    output.print(
        f"Sweep {name}: {done} of {len(plan.settings)} runs are done, {len(left)} are left"
    )
    command = [sys.executable, "-m", "benchmark", *(["-m"] if parent else [])]
    command += [f"tracking.run={','.join(map(str, left))}", *placed(tracker, plan, name)]
    return [*command, *((options.overrides or plan.hydra) if parent else [])]


def check(options: argparse.Namespace) -> None:
    """Check the arguments.

    Raises:
        ConfigError: one cannot be.
    """
    if options.sweep and not SWEEP_NAME.fullmatch(options.sweep):
        raise ConfigError(f"{options.sweep}: no sweep can have this name")
    for override in options.overrides:
        if "launcher" not in override.partition("=")[0]:
            raise ConfigError(
                f"{override}: a sweep goes on with the options it was started with; only "
                "hydra/launcher=… and hydra.launcher.… can be given"
            )


def named(tracker: Tracker, wanted: str | None) -> str:
    """The sweep that is meant: the one of this name, or the last.

    Raises:
        ConfigError: there is none.
    """
    name = wanted or tracker.last_sweep()
    if name is None:
        raise ConfigError(f"{tracker.uri} has no sweeps yet")
    if tracker.sweep_run(name) is None and not tracker.runs_of(name):
        known = sorted({run.sweep for run in tracker.all_runs()})
        raise ConfigError(
            f"no sweep '{name}' in {tracker.uri}.{nearest(name, known)} "
            f"Known: {', '.join(known[-8:])}"
        )
    return name


def check_free(records: Sequence[AnyRecord], *, force: bool) -> None:
    """Keep a sweep from being taken up while it is under way.

    Raises:
        ConfigError: it is.
    """
    for one in records:
        owner = one.owner
        if not is_running(one) or owner is None:
            continue
        if owner.state() == "alive":
            raise ConfigError(
                f"{one.name} is under way, in process {owner.process} of this machine: wait for "
                "it, or end it"
            )
        if isinstance(one, SweepRecord) and not force:
            raise ConfigError(
                f"{one.name} is under way on {owner.host}, as far as this machine can tell: go on "
                "there, or add --force if nothing of it runs there any more"
            )


def release(tracker: Tracker, runs: Iterable[RunRecord]) -> None:
    """End the runs that other machines left running, on their user's word."""
    for run in runs:
        if run.status == "running":
            tracker.log(run.run_id).end("killed", "lost", "taken up with --force")


def placed(tracker: Tracker, plan: Plan, name: str) -> list[str]:
    """The overrides that say where a sweep is."""
    tracking = plan.config(0).tracking
    given = {"sweep": name, "experiment": tracking.experiment, "uri": tracker.uri}
    quoted = {key: value.replace("'", r"\'") for key, value in given.items()}
    return [f"tracking.{key}='{value}'" for key, value in quoted.items()]


def settle(tracker: Tracker, name: str, runs: Sequence[RunRecord]) -> int:
    """Close a sweep of which nothing is left; returns the exit code."""
    finished = all(run.status == "finished" for run in runs)
    parent = tracker.sweep_run(name)
    if parent and parent.status not in ("finished", "failed"):
        return 0 if conclude(tracker, name, console()) else 1
    print(f"Sweep {name}: nothing is left; {'all' if finished else 'not all'} runs finished")
    return 0 if finished else 1
