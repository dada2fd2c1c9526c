"""Which process something belongs to, and whether that process still runs."""

import os
import socket
from typing import Literal, NamedTuple

import psutil

from benchmark.runtime import slurm

State = Literal["current", "alive", "dead", "remote"]


class Owner(NamedTuple):
    """A process of a machine."""

    host: str
    process: int
    started: float  # seconds from the machine's start to its own, whatever the clock is set to
    job: str = ""  # SLURM's number of the job that it does; empty without one
    restarts: int = 0  # how often SLURM had requeued that job

    def state(self) -> State:
        """This process itself, another that runs, one that ended, or one on another machine."""
        current = current_process()
        if self == current:
            return "current"
        if self.job and self.job == current.job and self.restarts < current.restarts:
            return "dead"
        if self.host != current.host:
            ended = self.job and slurm.is_queued(self.job) is False
            return "dead" if ended else "remote"
        return "alive" if _started(self.process) == self.started else "dead"


def current_process() -> Owner:
    """This process."""
    process = os.getpid()
    # A job that SLURM requeues starts again, on any machine, under the same number.
    job = os.environ.get("SLURM_JOB_ID", "")
    restarts = int(os.environ.get("SLURM_RESTART_COUNT") or 0)
    return Owner(socket.gethostname(), process, _started(process) or 0.0, job, restarts)


def _started(process: int) -> float | None:
    """Seconds from the machine's start to a process's; None where there is no such process."""
    try:
        known = psutil.Process(process)
        if known.status() == psutil.STATUS_ZOMBIE:
            return None
        # psutil computes both from the same reading of the clock, which cancels out.
        return round(known.create_time() - psutil.boot_time(), 2)
    except psutil.Error:
        return None
