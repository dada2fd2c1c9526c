"""SLURM's queue, through its own commands."""

import subprocess
from collections.abc import Collection
from time import monotonic, sleep


def is_queued(job: str) -> bool | None:
    """Whether SLURM has a job, queued or running; None if SLURM cannot be asked."""
    command = ["squeue", "--noheader", "--format=%T", f"--jobs={job}"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    if done.returncode != 0:
        return False if "Invalid job id" in done.stderr else None
    return bool(done.stdout.strip())


def cancel(jobs: Collection[str], patience: float) -> None:
    """Remove jobs from the queue, and ask those that run to end; kill them after `patience` s."""
    if not jobs:
        return
    _scancel("--state=PENDING", *jobs)
    _scancel("--signal=INT", *jobs)  # SIGTERM would be what a job gets before it is requeued.
    began = monotonic()
    while monotonic() - began < patience and any(is_queued(job) for job in jobs):
        sleep(1)
    _scancel(*jobs)


def _scancel(*arguments: str) -> None:
    # It complains of jobs that have ended.
    subprocess.run(["scancel", *arguments], capture_output=True, check=False)
