"""The jobs of a sweep in other processes, as the driver sees them: the process that was started."""

import shutil
from abc import abstractmethod
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from time import sleep

import psutil

from benchmark.runtime import slurm

# What is known of joblib and submitit beyond their documentation: neither says which processes and
# files belong to its jobs, and both kill their jobs, or leave them, when the program is
# interrupted. Checked with joblib 1.5.3 and submitit 1.5.4; `tests/test_sweeps.py` fails where
# another version differs.

JOB_MODULES = ("joblib.externals.loky.backend.popen_loky_posix", "submitit.core._submit")
"""Modules that joblib's and submitit's processes run for a job, as their command lines show."""

CONTROLLER_MODULE = "submitit.local._local"
"""The same of the process that submitit starts, on this machine, to watch over a job."""

SUBMITTED_FILE = "*_submitted.pkl"
"""What submitit writes into a job's folder at its submission, as a pattern."""

RESULT_FILE = "{job}_0_result.pkl"
"""What it writes there at its end."""

PATIENCE = 15.0
"""Seconds that jobs have to end in order when the driver is interrupted."""


class Jobs:
    """The jobs of a launcher, each a run in another process: here joblib's."""

    output = ""
    """Where the runs' output goes; empty where they write into the terminal."""

    def stop(self) -> None:
        """Ask the jobs among this process's children to end; kill those that do not.

        A launcher that is interrupted kills its jobs at once, or leaves them.
        """
        children = psutil.Process().children(recursive=True)
        jobs = [child for child in children if _runs(child, *JOB_MODULES)]
        for job in jobs:
            with suppress(psutil.Error):
                job.terminate()
        _, stuck = psutil.wait_procs(jobs, timeout=PATIENCE)
        for job in stuck:
            with suppress(psutil.Error):
                job.kill()

    def wait(self, say: Callable[[str], None]) -> None:
        """Wait for jobs that outlive their launcher, and say so if there are any."""

    def release(self) -> None:
        """Release what a driver holds that another program is about to replace."""


class SubmititJobs(Jobs):
    """Jobs that submitit started, for this driver or an earlier one of the same sweep."""

    interval = 1.0
    """Seconds after which one that runs is looked at again."""

    def __init__(self, folder: Path) -> None:
        """Of the sweep with this folder."""
        self._folder = folder / ".submitit"
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
            sleep(self.interval)

    def submitted(self) -> list[str]:
        """The names of all jobs of the sweep."""
        return sorted({path.parent.name for path in self._folder.glob(f"*/{SUBMITTED_FILE}")})


class LocalJobs(SubmititJobs):
    """Submitit's jobs on this machine; their names are the numbers of their controllers."""

    def has_ended(self, job: str) -> bool:
        """Whether the controller is no more."""
        try:
            controller = psutil.Process(int(job))
            ended = controller.status() == psutil.STATUS_ZOMBIE
            return ended or not _runs(controller, CONTROLLER_MODULE)
        except (psutil.Error, ValueError):
            return True


class SlurmJobs(SubmititJobs):
    """Jobs on a SLURM cluster."""

    interval = 5.0

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


def _runs(process: psutil.Process, *modules: str) -> bool:
    """Whether a process was started to run one of some modules."""
    try:
        command = " ".join(process.cmdline())
    except psutil.Error:
        return False
    return any(module in command for module in modules)
