"""Which process something belongs to, and whether that process still runs."""

import os
import socket
from functools import lru_cache
from typing import Literal, NamedTuple

import psutil

from benchmark.runtime import launchers

State = Literal["here", "alive", "gone", "elsewhere"]

JOB, RESTARTS = "SLURM_JOB_ID", "SLURM_RESTART_COUNT"
"""A job that SLURM puts back into its queue starts again, on any machine, under the same number."""


class Owner(NamedTuple):
    """A process.

    Attributes:
        host: its machine.
        process: its number there.
        started: seconds from the machine's start to its own: setting the clock does not change it.
        job: SLURM's number of the job that it does; empty without one.
        restarts: how often SLURM had put that job back into its queue.
    """

    host: str
    process: int
    started: float
    job: str = ""
    restarts: int = 0

    def state(self) -> State:
        """This process itself, another that runs, one that ended, or on another machine."""
        if self == here():
            return "here"
        if self.job and self.job == here().job and self.restarts < here().restarts:
            return "gone"
        if self.host != here().host:
            over = self.job and launchers.is_queued(self.job) is False
            return "gone" if over else "elsewhere"
        return "alive" if _started(self.process) == self.started else "gone"


def here() -> Owner:
    """This process."""
    return _owner(os.getpid())  # By its number, because a fork inherits what is cached.


@lru_cache(maxsize=1)
def _owner(process: int) -> Owner:
    job, restarts = os.environ.get(JOB, ""), int(os.environ.get(RESTARTS) or 0)
    return Owner(socket.gethostname(), process, _started(process) or 0.0, job, restarts)


def _started(process: int) -> float | None:
    """Seconds from the machine's start to a process's; None where there is no such process."""
    try:
        found = psutil.Process(process)
        if found.status() == psutil.STATUS_ZOMBIE:
            return None
        # Both are reckoned from the same reading of the clock, which so falls out.
        return round(found.create_time() - psutil.boot_time(), 2)
    except psutil.Error:
        return None
