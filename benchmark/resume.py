"""Go on with a sweep that was cut short: `python -m benchmark.resume --help`."""

import argparse
import os
import sys
from collections.abc import Sequence

from benchmark.config.arguments import Parser
from benchmark.config.compose import refuse
from benchmark.runs.progress import console
from benchmark.runtime import launchers
from benchmark.sweeps.resume import USAGE, resume_sweep
from benchmark.sweeps.sweep import (
    SweepCallback,
    conclude,
    end_lost_runs,
    is_done,
)
from benchmark.tracking.store import error_summary
from user_input import InputError


def main(arguments: Sequence[str] | None = None) -> int:
    """Start what is left of a sweep in this process's place; the exit code if nothing is."""
    options = parser().parse_args(arguments)
    try:
        found = resume_sweep(options)
    except InputError as error:
        return refuse(error)
    if isinstance(found, list):
        sys.stdout.flush()
        os.execv(found[0], found)
    return found


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
        "--force",
        action="store_true",
        help="take up what another machine seems to be at, because you know that it is not",
    )
    return found


if __name__ == "__main__":
    sys.exit(main())


def after_break(error: Exception) -> int:
    """Take up what is left of this process's sweep after its launcher broke, while that helps.

    A worker process that dies, for want of memory say, breaks some launchers with all that runs
    under them. Returns the exit code if it does not help.
    """
    assert SweepCallback.open is not None
    tracker, name = SweepCallback.open
    output = console()
    reason = error_summary(error).partition(" ----")[0]  # Without the logs that submitit quotes.
    output.print(f"The launcher broke: {reason}", style="red", soft_wrap=True)
    launchers.wait_for_jobs(output.print)
    launchers.release()
    end_lost_runs(tracker, name)
    runs = tracker.runs_of(name)
    over = sum(is_done(run) for run in runs)
    fresh = any(run.times_lost == 1 for run in runs if not is_done(run))
    SweepCallback.open = None
    if over == SweepCallback.done and not fresh:
        conclude(tracker, name, output)
        return 1
    return main([name, "--tracking-uri", tracker.uri])
