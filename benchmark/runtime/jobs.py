"""The jobs of a sweep in other processes, as the driver sees them: the process that was started."""

import shutil
from abc import abstractmethod
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from time import sleep

import psutil

from benchmark.runtime import slurm
from benchmark.runtime.library_internals import (
    CONTROLLER_MODULE,
    JOB_MODULES,
    RESULT_FILE,
    SUBMITTED_FILE,
)

PATIENCE = 15.0
"""Seconds that jobs have to end in order when the driver is interrupted."""


class Jobs:
    """The jobs of a launcher, each a run in another process.

    Attributes:
        output: where the runs' output goes; empty where they write into the terminal.
    """

    output = ""

    @abstractmethod
    def stop(self) -> None:
        """End the jobs in order; a launcher that is interrupted kills them, or leaves them."""

    def wait(self, say: Callable[[str], None]) -> None:
        """Wait for jobs that outlive their launcher, which fails when it loses one of them.

        Args:
            say: called with a line if there is something to wait for.
        """

    def release(self) -> None:
        """Release what a driver holds that another program is about to replace."""


class JoblibJobs(Jobs):
    """Joblib's processes."""

    def stop(self) -> None:
        """Stop the driver's own processes."""
        stop_children()


class SubmititJobs(Jobs):
    """Jobs that submitit started, for this driver or an earlier one of the same sweep."""

    def __init__(self, folder: Path, interval: float) -> None:
        """Of the sweep with this folder; polled every `interval` seconds."""
        self._folder = folder / ".submitit"
        self._interval = interval
        self.output = f"The output of the runs is in {self._folder}/*/*_log.out"

    @abstractmethod
    def has_ended(self, job: str) -> bool:
        """Whether a job has ended for good."""

    def wait(self, say: Callable[[str], None]) -> None:
        """Wait for the jobs that are queued or running."""
        announced = False
        while waiting := [job for job in self.submitted() if not self.has_ended(job)]:
            if not announced:
                say(f"Waiting for {len(waiting)} queued or running jobs: {', '.join(waiting)}")
                announced = True
            sleep(self._interval)

    def submitted(self) -> list[str]:
        """The names of all jobs of the sweep."""
        return sorted({path.parent.name for path in self._folder.glob(f"*/{SUBMITTED_FILE}")})


class LocalJobs(SubmititJobs):
    """Submitit's jobs on this machine; their names are the numbers of their controllers."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, interval=1.0)

    def stop(self) -> None:
        """Stop the driver's own processes."""
        stop_children()

    def has_ended(self, job: str) -> bool:
        """Whether the controller is no more."""
        try:
            controller = psutil.Process(int(job))
            ended = controller.status() == psutil.STATUS_ZOMBIE
            return ended or not _runs(controller, [CONTROLLER_MODULE])
        except (psutil.Error, ValueError):
            return True


class SlurmJobs(SubmititJobs):
    """Jobs on a SLURM cluster."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, interval=5.0)

    def stop(self) -> None:
        """Cancel the jobs."""
        slurm.cancel(self.submitted(), PATIENCE)

    def has_ended(self, job: str) -> bool:
        """Whether a job has ended and will not be requeued.

        Not as submitit sees it, for which a job that was pre-empted for good, or that SLURM has
        forgotten, runs for ever.
        """
        if (self._folder / job / RESULT_FILE.format(job=job)).exists():
            return True
        return shutil.which("squeue") is None or slurm.is_queued(job) is False


def stop_children() -> None:
    """Ask the jobs among this process's children to end; kill those that do not."""
    jobs = [job for job in psutil.Process().children(recursive=True) if _runs(job, JOB_MODULES)]
    for job in jobs:
        with suppress(psutil.Error):
            job.terminate()
    _, stuck = psutil.wait_procs(jobs, timeout=PATIENCE)
    for job in stuck:
        with suppress(psutil.Error):
            job.kill()


def _runs(process: psutil.Process, modules: Sequence[str]) -> bool:
    """Whether a process was started to run one of some modules."""
    try:
        command = " ".join(process.cmdline())
    except psutil.Error:
        return False
    return any(module in command for module in modules)
