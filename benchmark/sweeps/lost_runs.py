"""Which runs of a store are done, running, or lost with their processes."""

from rich.console import Console

from benchmark.sweeps.summary import resume_command
from benchmark.tracking.records import AnyRecord, Facts, RunRecord, SweepRecord
from benchmark.tracking.tracker import Tracker


def is_done(run: RunRecord) -> bool:
    """Whether a run came to its end, good or bad; another attempt would come to the same."""
    return run.status in ("finished", "diverged")


def is_running(run: AnyRecord) -> bool:
    """Whether another process works on a run, as far as this one can know."""
    if run.status != "running" or run.owner is None:
        return False
    return run.owner.state() in ("alive", "remote")


def mark_lost_runs(tracker: Tracker, output: Console, *, announce: bool = True) -> None:
    """End the runs in the store whose processes on this machine are dead; announce sweeps."""
    for run in tracker.running():
        if run.owner and run.owner.state() == "dead":
            _mark_lost(tracker, run, ": it was killed, ran out of memory, or the machine went down")
            if announce and isinstance(run, SweepRecord):
                command = resume_command(tracker, run.sweep)
                output.print(
                    f"Sweep {run.name} was interrupted; resume with: {command}", soft_wrap=True
                )


def end_lost_runs(tracker: Tracker, name: str) -> None:
    """End the runs of a sweep whose launcher has ended, and with it its jobs on all machines."""
    for run in tracker.runs_of(name):
        if run.status == "running" and run.owner and run.owner.state() != "alive":
            _mark_lost(tracker, run)


def _mark_lost(tracker: Tracker, run: AnyRecord, cause: str = "") -> None:
    assert run.owner is not None
    log = tracker.log(run.run_id)
    log.update(Facts(times_lost=run.times_lost + 1))
    log.end("killed", "lost", f"process {run.owner.process} on {run.owner.host} was lost{cause}")
