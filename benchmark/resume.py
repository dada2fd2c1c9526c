"""Go on with a sweep that was cut short: `python -m benchmark.resume --help`."""

import argparse
import os
import sys
from collections.abc import Iterable, Sequence

from benchmark import launchers
from benchmark.arguments import Parser
from benchmark.config import ROOT, SWEEP_NAME, refuse
from benchmark.errors import ConfigError, nearest
from benchmark.plan import Plan
from benchmark.prepare import InputError
from benchmark.processes import Owner
from benchmark.progress import console
from benchmark.run import checkpoint_of
from benchmark.sweep import (
    SweepCallback,
    conclude,
    end_lost,
    is_over,
    mark_lost,
    times_lost,
    under_way,
)
from benchmark.tracking import RunRecord, Tracker, in_short

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


def main(arguments: Sequence[str] | None = None) -> int:
    """Start what is left of a sweep in this process's place; the exit code if nothing is."""
    options = parser().parse_args(arguments)
    try:
        found = take_up(options)
    except InputError as error:
        return refuse(error)
    if isinstance(found, list):
        sys.stdout.flush()
        os.execv(found[0], found)
    return found


def take_up(options: argparse.Namespace) -> list[str] | int:
    """The command that runs what is left of a sweep, or the exit code where nothing is.

    Raises:
        ConfigError: there is no such sweep, or it is under way.
    """
    check(options)
    Tracker.check_reachable(options.tracking_uri)
    tracker = Tracker(options.tracking_uri, None, ROOT, create=False)
    name = named(tracker, options.sweep)
    output = console()
    mark_lost(tracker, output, tell=False)
    plan = Plan.read(tracker, name)
    launchers.wait_for_others(plan.hydra, name, output.print)
    runs = {number_of(run): run for run in tracker.runs_of(name)}
    parent = tracker.sweep_run(name)
    check_free([*([parent] if parent else []), *runs.values()], anyway=options.anyway)
    if options.anyway:
        release(tracker, runs.values())
    over = {number for number, run in runs.items() if is_over(run)}
    for number in over:
        checkpoint_of(plan.config(number), number).remove()
    left = [number for number in range(len(plan.settings)) if number not in over]
    # Last those at which processes died, for they may take others with them.
    left.sort(key=lambda number: times_lost(runs[number]) if number in runs else 0)
    if not left:
        return settle(tracker, name, list(runs.values()))
    done = len(plan.settings) - len(left)
    output.print(
        f"Sweep {name}: {done} of {len(plan.settings)} runs are done, {len(left)} are left"
    )
    command = [sys.executable, "-m", "benchmark", *(["-m"] if parent else [])]
    command += [f"tracking.run={','.join(map(str, left))}", *placed(tracker, plan, name)]
    return [*command, *((options.overrides or plan.hydra) if parent else [])]


def after_break(error: Exception) -> int:
    """Take up what is left of this process's sweep after its launcher broke, while that helps.

    A worker process that dies, for want of memory say, breaks some launchers with all that runs
    under them. Returns the exit code if it does not help.
    """
    assert SweepCallback.open is not None
    tracker, name = SweepCallback.open
    output = console()
    reason = in_short(error).partition(" ----")[0]  # Without the logs that submitit quotes.
    output.print(f"The launcher broke: {reason}", style="red", soft_wrap=True)
    launchers.wait_for_jobs(output.print)
    launchers.release()
    end_lost(tracker, name)
    runs = tracker.runs_of(name)
    over = sum(is_over(run) for run in runs)
    fresh = any(times_lost(run) == 1 for run in runs if not is_over(run))
    SweepCallback.open = None
    if over == SweepCallback.done and not fresh:
        conclude(tracker, name, output)
        return 1
    return main([name, "--tracking-uri", tracker.uri])


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
        known = sorted({run.tags.get("sweep", "") for run in tracker.all_runs()})
        raise ConfigError(
            f"no sweep '{name}' in {tracker.uri}.{nearest(name, known)} "
            f"Known: {', '.join(known[-8:])}"
        )
    return name


def check_free(records: Sequence[RunRecord], *, anyway: bool) -> None:
    """Keep a sweep from being taken up while it is under way.

    Raises:
        ConfigError: it is.
    """
    for one in records:
        owner = Owner.of(one.tags)
        if not under_way(one) or owner is None:
            continue
        if owner.state() == "alive":
            raise ConfigError(
                f"{one.name} is under way, in process {owner.process} of this machine: wait for "
                "it, or end it"
            )
        if one.tags.get("kind") == "sweep" and not anyway:
            raise ConfigError(
                f"{one.name} is under way on {owner.host}, as far as this machine can tell: go on "
                "there, or add --anyway if nothing of it runs there any more"
            )


def release(tracker: Tracker, runs: Iterable[RunRecord]) -> None:
    """End the runs that other machines left running, on their user's word."""
    for run in runs:
        if run.status == "RUNNING":
            tracker.log_of(run.run_id).end("killed", "lost", "taken up with --anyway")


def number_of(run: RunRecord) -> int:
    """A run's place in its sweep."""
    return int(run.tags.get("number", "0"))


def placed(tracker: Tracker, plan: Plan, name: str) -> list[str]:
    """The overrides that say where a sweep is."""
    tracking = plan.config(0).tracking
    given = {"sweep": name, "experiment": tracking.experiment, "uri": tracker.uri}
    quoted = {key: value.replace("'", r"\'") for key, value in given.items()}
    return [f"tracking.{key}='{value}'" for key, value in quoted.items()]


def settle(tracker: Tracker, name: str, runs: Sequence[RunRecord]) -> int:
    """Close a sweep of which nothing is left; returns the exit code."""
    finished = all(run.status == "FINISHED" for run in runs)
    parent = tracker.sweep_run(name)
    if parent and parent.tags.get("status") not in ("finished", "failed"):
        return 0 if conclude(tracker, name, console()) else 1
    print(f"Sweep {name}: nothing is left; {'all' if finished else 'not all'} runs finished")
    return 0 if finished else 1


def parser() -> argparse.ArgumentParser:
    """The command line's."""
    found = Parser(
        prog="python -m benchmark.resume",
        description=USAGE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    found.add_argument("sweep", nargs="?", metavar="NAME", help="of the sweep; by default the last")
    found.add_argument("overrides", nargs="*", help="another launcher: hydra/launcher=… and so on")
    found.add_argument("--tracking-uri", help="the MLflow store; mlruns/mlflow.db without")
    found.add_argument(
        "--anyway",
        action="store_true",
        help="take up what another machine seems to be at, because you know that it is not",
    )
    return found


if __name__ == "__main__":
    sys.exit(main())
