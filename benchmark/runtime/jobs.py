"""The jobs of a sweep in other processes, by Hydra's launchers, as the driver sees them."""

import logging
import os
import re
import shutil
import signal
import socket
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from time import sleep
from typing import Any, Literal, get_args

import psutil

from benchmark.config.errors import ConfigError
from benchmark.runtime import slurm

LauncherKind = Literal["basic", "joblib", "local", "slurm", "ray"]
"""Launchers as Hydra calls their classes; one that is not here counts as "basic"."""

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
    """Jobs that submitit started, for this driver or an earlier one of the same sweep.

    Here those on this machine; their names are the numbers of their controllers.
    """

    interval = 1.0
    """Seconds after which one that runs is looked at again."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / ".submitit"
        self.output = f"The output of the runs is in {self._folder}/*/*_log.out"

    def has_ended(self, job: str) -> bool:
        """Whether a job has ended for good: its controller is no more."""
        try:
            controller = psutil.Process(int(job))
            ended = controller.status() == psutil.STATUS_ZOMBIE
            return ended or not _runs(controller, CONTROLLER_MODULE)
        except (psutil.Error, ValueError):
            return True

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


class SlurmJobs(SubmititJobs):
    """Those on a SLURM cluster."""

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


class RayJobs(Jobs):
    """Tasks on Ray: references to those submitted. Ray is imported only where it was chosen."""

    def __init__(self, options: Mapping[str, Any]) -> None:
        """Start Ray here, or join a cluster, with options of `ray.init`; else ConfigError."""
        self.tasks: list[Any] = []
        # Ray reads these when it is imported. Otherwise equal lines of several tasks appear once.
        os.environ.setdefault("RAY_DEDUP_LOGS", "0")
        os.environ.setdefault("RAY_COLOR_PREFIX", "1" if sys.stdout.isatty() else "0")
        try:
            import ray
        except ImportError as error:
            reason = f"cannot be used: {error}: pip install -e '.[cluster]'"
            raise ConfigError(reason, "hydra/launcher", "ray") from error
        self._ray = ray
        arguments = _init_options(options)
        handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            ray.init(**arguments)
        except Exception as error:
            reason = next(iter(str(error).strip().splitlines()), type(error).__name__)
            raise ConfigError(f"Ray cannot be used: {reason}", "hydra.launcher.ray.init") from error
        for number, handler in handlers.items():
            signal.signal(number, handler)  # Ray replaces them.

    def stop(self) -> None:
        """Cancel the tasks and wait for their ends; Ray would kill them after 0.1 s."""
        for task in self.tasks:
            self._ray.cancel(task)
        self._ray.wait(self.tasks, num_returns=len(self.tasks), timeout=PATIENCE)

    def wait(self, say: Callable[[str], None]) -> None:
        """Wait for the tasks that are queued or running."""
        _, left = self._ray.wait(self.tasks, num_returns=len(self.tasks), timeout=0)
        if left:
            say(f"Waiting for {len(left)} other runs")
            self._ray.wait(left, num_returns=len(left))

    def release(self) -> None:
        """Disconnect from Ray, and end it where it was started here."""
        self._ray.shutdown()


SUBMITTED = {"local": SubmititJobs, "slurm": SlurmJobs}


def launcher_kind(launcher: Mapping[str, Any]) -> LauncherKind:
    """Which launcher a configuration, that of `hydra.launcher`, makes."""
    name = str(launcher.get("_target_")).rpartition(".")[2].removesuffix("Launcher").lower()
    return next((kind for kind in get_args(LauncherKind) if kind == name), "basic")


def prepare_jobs(launcher: Mapping[str, Any], folder: Path) -> Jobs | None:
    """The jobs of a sweep with this folder; None: the driver does its runs; else ConfigError."""
    kind = launcher_kind(launcher)
    if kind == "slurm" and shutil.which("srun") is None:
        reason = "this machine has no srun; start it on one of the cluster's, or try it with "
        reason += "hydra/launcher=submitit_local"
        raise ConfigError(reason, "hydra/launcher", "submitit_slurm")
    if kind == "joblib":
        # What a killed worker held, loky cleans up, and warns of it in a process of its own.
        os.environ.setdefault("PYTHONWARNINGS", "ignore:resource_tracker")
        return Jobs()
    if kind == "ray":
        return RayJobs(launcher["ray"]["init"])
    return SUBMITTED[kind](folder) if kind in SUBMITTED else None


def earlier_jobs(given: Mapping[str, str], sweep: str) -> Jobs | None:
    """The jobs of a sweep whose driver is dead, by its launcher's options; some may still run."""
    folder = Path(given.get("hydra.sweep.dir", f"mlruns/sweeps/{sweep}")).resolve()
    kind = given.get("hydra/launcher", "").removeprefix("submitit_")
    return SUBMITTED[kind](folder) if kind in SUBMITTED else None


def _init_options(options: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of `ray.init`, with defaults for a sweep; ConfigError if no cluster answers."""
    given = {"logging_level": logging.ERROR, **options}
    address = given.get("address") or os.environ.get("RAY_ADDRESS")
    if address:
        _check_answers(address)
    else:
        # Tasks share nothing through the object store: Ray's least, in bytes.
        given = {"object_store_memory": 78_643_200, "include_dashboard": False, **given}
        # Named, for otherwise Ray joins any cluster that it finds traces of on this machine.
        given["address"] = "local"
    if backend := os.environ.get("KERAS_BACKEND"):  # Without it a task would compute another.
        given.setdefault("runtime_env", {"env_vars": {"KERAS_BACKEND": backend}})
    return given


def _check_answers(address: str) -> None:
    """Raise ConfigError unless a cluster takes connections; Ray itself retries for many minutes."""
    host = re.fullmatch(r"(?:ray://)?\[?([^/]+?)\]?:(\d+)", address)
    if host is None:
        return  # "auto" and the like.
    try:
        socket.create_connection((host[1], int(host[2])), timeout=10.0).close()
    except OSError as error:
        reason = f"no Ray cluster answers ({error})"
        raise ConfigError(reason, "hydra.launcher.ray.init.address", address) from error


def _runs(process: psutil.Process, *modules: str) -> bool:
    """Whether a process was started to run one of some modules."""
    try:
        command = " ".join(process.cmdline())
    except psutil.Error:
        return False
    return any(module in command for module in modules)
