"""The one place that knows Hydra's launchers apart: what each needs of the driver and of its jobs.

The driver is the process that was started; its launcher does the jobs in others. Joblib, submitit
and Ray are imported only where one of them was chosen.
"""

import importlib
import itertools
import logging
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, sleep
from types import FrameType
from typing import Any, Literal

import psutil
from filelock import FileLock, Timeout

from benchmark.config.errors import ConfigError
from benchmark.runtime import interrupt

Kind = Literal["basic", "joblib", "local", "slurm", "ray"]

KINDS: Mapping[str, Kind] = {
    "JoblibLauncher": "joblib",
    "LocalLauncher": "local",
    "SlurmLauncher": "slurm",
    "RayLauncher": "ray",
}
"""Launchers by the class that Hydra makes of them; all others do their jobs in this process."""

PATIENCE = 15.0
"""Seconds that jobs have to end in order when the driver is interrupted."""

ANSWER_WITHIN = 10.0
"""Seconds in which a Ray cluster must take a connection."""

BETWEEN_LOOKS = 5.0
"""Seconds between two looks at a cluster's queue."""

FOLLOWED = ("KERAS_BACKEND",)
"""Variables of the driver without which a job on a Ray cluster would compute something else."""

OBJECT_STORE = 78_643_200
"""Bytes, Ray's least: jobs share nothing through it."""

JOB_MARKS = ("popen_loky_posix", "submitit.core._submit")
"""What the command lines of joblib's and submitit's local jobs contain."""


def kind_of(launcher: Mapping[str, Any]) -> Kind:
    """Which launcher a configuration, that of `hydra.launcher`, makes."""
    return KINDS.get(str(launcher.get("_target_")).rpartition(".")[2], "basic")


# In the driver.


@dataclass(frozen=True)
class Driver:
    """What the driver knows of its jobs: the launcher, and the sweep's folder."""

    kind: Kind
    folder: Path


_driver = Driver("basic", Path())
_tasks: list[Any] = []


def drive(launcher: Mapping[str, Any], folder: Path) -> None:
    """Prepare for jobs in other processes.

    Raises:
        ConfigError: the launcher cannot be used.
    """
    global _driver
    _driver = Driver(kind_of(launcher), folder)
    if _driver.kind == "slurm" and shutil.which("srun") is None:
        raise ConfigError(
            "hydra/launcher=submitit_slurm: this machine has no srun; start it on one of the "
            "cluster's, or try it with hydra/launcher=submitit_local"
        )
    if _driver.kind == "joblib":
        # What a killed worker held, loky cleans up, and warns of it in a process of its own.
        os.environ.setdefault("PYTHONWARNINGS", "ignore:resource_tracker")
    if _driver.kind == "ray":
        start_ray(launcher["ray"]["init"])
    if _driver.kind != "basic":
        interrupt.first(stop_jobs)


def where_output_goes() -> str:
    """A line that says where the jobs' output is; empty where they write into the terminal."""
    if _driver.kind in ("local", "slurm"):
        return f"What the runs say is in {_driver.folder}/.submitit/*/*_log.out"
    return ""


def start_ray(options: Mapping[str, Any]) -> None:
    """Start Ray or join a cluster, in Hydra's place, which would take a cluster's for its own.

    Raises:
        ConfigError: there is no such cluster, or it refuses.
    """
    # Read at the import: otherwise what several jobs say alike would be shown once.
    os.environ.setdefault("RAY_DEDUP_LOGS", "0")
    os.environ.setdefault("RAY_COLOR_PREFIX", "1" if sys.stdout.isatty() else "0")
    import ray

    wanted = {"logging_level": logging.ERROR, **options}
    address = wanted.get("address") or os.environ.get("RAY_ADDRESS")
    if address:
        check_answers(address)
        # Hydra's launcher sets it to a default, which Ray refuses for a cluster that is there.
        wanted.pop("object_store_memory", None)
    else:
        # Named, for otherwise Ray joins any cluster that it finds traces of on this machine.
        wanted = {"object_store_memory": OBJECT_STORE, "include_dashboard": False, **wanted}
        wanted["address"] = "local"
    followed = {name: os.environ[name] for name in FOLLOWED if name in os.environ}
    if followed and "runtime_env" not in wanted:
        wanted["runtime_env"] = {"env_vars": followed}
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        ray.init(**wanted)
    except Exception as error:
        reason = next(iter(str(error).strip().splitlines()), type(error).__name__)
        raise ConfigError(f"hydra.launcher.ray.init: Ray cannot be used: {reason}") from error
    for number, handler in handlers.items():
        signal.signal(number, handler)  # Ray puts one of its own there.
    # Hydra keeps the tasks in a local variable; they are needed to cancel them, or wait for them.
    core: Any = importlib.import_module("hydra_plugins.hydra_ray_launcher._core")
    launch = core.launch_job_on_ray

    def remembered(*arguments: Any, **named: Any) -> Any:
        _tasks.append(launch(*arguments, **named))
        return _tasks[-1]

    core.launch_job_on_ray = remembered


def check_answers(address: str) -> None:
    """Ask a Ray cluster for a sign of life, for Ray itself tries for many minutes.

    Raises:
        ConfigError: nothing answers there.
    """
    found = re.fullmatch(r"(?:ray://)?\[?([^/]+?)\]?:(\d+)", address)
    if found is None:
        return  # "auto" and the like.
    try:
        socket.create_connection((found[1], int(found[2])), timeout=ANSWER_WITHIN).close()
    except OSError as error:
        raise ConfigError(
            f"hydra.launcher.ray.init.address={address}: no Ray cluster answers ({error})"
        ) from error


def stop_jobs() -> None:
    """End the driver's jobs in order, which a launcher that is interrupted kills, or leaves."""
    if _driver.kind in ("joblib", "local"):
        stop_processes(psutil.Process().children(recursive=True))
    elif _driver.kind == "slurm":
        stop_slurm(_driver.folder)
    elif _driver.kind == "ray":
        stop_ray()


def stop_processes(children: Iterable[psutil.Process]) -> None:
    """Ask the jobs among some processes to end; kill those that do not."""
    jobs = [child for child in children if is_job(child)]
    for job in jobs:
        with suppress(psutil.Error):
            job.terminate()
    _, stuck = psutil.wait_procs(jobs, timeout=PATIENCE)
    for job in stuck:
        with suppress(psutil.Error):
            job.kill()


def is_job(process: psutil.Process) -> bool:
    """Whether a process does joblib's or submitit's jobs."""
    try:
        line = " ".join(process.cmdline())
    except psutil.Error:
        return False
    return any(mark in line for mark in JOB_MARKS)


def stop_slurm(folder: Path) -> None:
    """Take a sweep's jobs out of SLURM's queue, and ask those that run to end."""
    jobs = submitted(folder)
    if not jobs:
        return
    scancel("--state=PENDING", *jobs)
    scancel("--signal=INT", *jobs)  # SIGTERM would be what a job gets before it is put back.
    began = monotonic()
    while monotonic() - began < PATIENCE and any(is_queued(job) for job in jobs):
        sleep(1)
    scancel(*jobs)


def scancel(*arguments: str) -> None:
    """Call scancel; of jobs that are over it complains."""
    subprocess.run(["scancel", *arguments], capture_output=True, check=False)


def stop_ray() -> None:
    """Cancel the jobs on Ray and wait for their ends; it would kill them after 0.1 s."""
    import ray

    for task in _tasks:
        ray.cancel(task)
    ray.wait(_tasks, num_returns=len(_tasks), timeout=PATIENCE)


def wait_for_jobs(tell: Callable[[str], None]) -> None:
    """Wait for the driver's jobs that outlive their launcher, which fails at the first lost one.

    Args:
        tell: called with a line if there is something to wait for.
    """
    if _driver.kind == "ray":
        import ray

        _, left = ray.wait(_tasks, num_returns=len(_tasks), timeout=0)
        if left:
            tell(f"Waiting for {len(left)} other runs")
            ray.wait(left, num_returns=len(left))
    else:
        wait_for_submitted(_driver, tell)


def wait_for_others(overrides: Sequence[str], sweep: str, tell: Callable[[str], None]) -> None:
    """The same for a sweep whose driver is gone, while its jobs, on SLURM say, are not.

    Args:
        overrides: that chose and set up its launcher.
        sweep: its name.
        tell: called with a line if there is something to wait for.
    """
    given = dict(override.lstrip("+").partition("=")[::2] for override in overrides)
    folder = Path(given.get("hydra.sweep.dir", f"mlruns/sweeps/{sweep}")).resolve()
    kinds: dict[str, Kind] = {"submitit_local": "local", "submitit_slurm": "slurm"}
    kind = kinds.get(given.get("hydra/launcher", ""), "basic")
    wait_for_submitted(Driver(kind, folder), tell)


def wait_for_submitted(driver: Driver, tell: Callable[[str], None]) -> None:
    """Wait for the jobs that were handed to submitit for a sweep, by this driver or another."""
    if driver.kind not in ("local", "slurm"):
        return
    over = is_over_here if driver.kind == "local" else is_over_on_slurm
    told = False
    while left := [job for job in submitted(driver.folder) if not over(driver.folder, job)]:
        if not told:
            tell(f"Waiting for {len(left)} jobs that are queued or running: {', '.join(left)}")
            told = True
        sleep(BETWEEN_LOOKS if driver.kind == "slurm" else 1)


def submitted(folder: Path) -> list[str]:
    """The names of the jobs that were handed to submitit for a sweep."""
    found = folder.glob(".submitit/*/*_submitted.pkl")
    return sorted({path.name.removesuffix("_submitted.pkl") for path in found})


def is_over_here(folder: Path, job: str) -> bool:
    """Whether a job of submitit's local executor has ended; its name is its process's number."""
    try:
        process = psutil.Process(int(job))
        mine = "submitit.local._local" in " ".join(process.cmdline())
        return not mine or process.status() == psutil.STATUS_ZOMBIE
    except (psutil.Error, ValueError):
        return True


def is_over_on_slurm(folder: Path, job: str) -> bool:
    """Whether a job of submitit's has ended on SLURM, and will not be put back into the queue.

    Not as submitit sees it: to that a job which was pre-empted for good, or that SLURM has
    forgotten, is under way for ever.
    """
    if (folder / ".submitit" / job / f"{job}_0_result.pkl").exists():
        return True
    return shutil.which("squeue") is None or is_queued(job) is False


def is_queued(job: str) -> bool | None:
    """Whether SLURM has a job, queued or running; None where it does not say."""
    command = ["squeue", "--noheader", "--format=%T", f"--jobs={job}"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    if done.returncode != 0:
        return False if "Invalid job id" in done.stderr else None
    return bool(done.stdout.strip())


def release() -> None:
    """Let go of what a driver holds that is to be replaced by another program."""
    if _driver.kind == "ray":
        import ray

        ray.shutdown()


# In a job.

_in_job = False
_received: set[int] = set()
_gpu: tuple[str, FileLock] | None = None
_following = False


def in_job() -> bool:
    """Whether this process does jobs beside others, whose output shares one terminal or file."""
    return _in_job


@contextmanager
def job(kind: Kind, cwd: str) -> Iterator[None]:
    """Around a job: prepares its process, and ends it after an interrupt as its launcher expects.

    To be entered before Keras is imported, because that looks for GPUs.

    Args:
        kind: of the launcher.
        cwd: the folder that the driver was started in, which relative paths mean.
    """
    global _in_job
    if kind == "basic":
        yield
        return
    _in_job = True
    with suppress(OSError):
        os.chdir(cwd)
    if kind in ("joblib", "local"):  # SLURM and Ray give each job GPUs of its own.
        claim_gpu()
    if kind == "joblib":
        follow_driver()
    with _signals(kind) as requeue:
        try:
            yield
        except KeyboardInterrupt:
            sys.stdout.flush()
            _leave(kind, requeue)
            raise


@contextmanager
def _signals(kind: Kind) -> Iterator[Callable[[], None]]:
    """Let signals end a run in order; yields what puts the job back into its queue."""
    _received.clear()
    numbers = {signal.SIGINT, signal.SIGTERM}
    preemption = preemption_signal()
    if kind in ("local", "slurm"):
        numbers.add(preemption)
    before = {number: signal.getsignal(number) for number in numbers}
    for number in numbers:
        signal.signal(number, _on_signal)
    if kind == "joblib":
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the driver, who tells us.
    submitits = before.get(preemption)

    def requeue() -> None:
        if callable(submitits):
            submitits(preemption, None)

    try:
        yield requeue
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _on_signal(number: int, frame: FrameType | None) -> None:
    _received.add(number)
    if (
        not interrupt.is_shutting_down()
    ):  # What ends already is not to be cut short by a second signal.
        interrupt.now(number, frame)


def preemption_signal() -> signal.Signals:
    """What submitit has SLURM send before it takes a job's machine."""
    return signal.Signals[f"SIG{os.environ.get('SUBMITIT_PREEMPT_SIGNAL', 'USR2')}"]


def _leave(kind: Kind, requeue: Callable[[], None]) -> None:
    """End a job's process whose run was interrupted, or return where it is to be raised."""
    if kind == "joblib":
        os._exit(interrupt.EXIT_CODE)  # It would be given the next job.
    if kind in ("local", "slurm"):
        preemption = preemption_signal()
        while kind == "slurm" and _received == {signal.SIGTERM}:
            # SLURM takes the machine. A job that now ends by itself would count as done, and not
            # be put back into the queue; so it waits for its end, or for the word to go there.
            sleep(0.2)
        if preemption in _received:
            requeue()
        sys.exit(interrupt.EXIT_CODE)


def follow_driver() -> None:
    """End this process some seconds after the one that started it, however that ended."""
    global _following
    if _following:
        return
    _following = True
    driver = os.getppid()

    def follow() -> None:
        while os.getppid() == driver:
            sleep(2)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=follow, name="driver", daemon=True).start()


def claim_gpu() -> str | None:
    """Take a GPU for this process's life, the one with the fewest claims; None without any.

    The claims are locks on files of this machine, which the system lifts when a process ends.
    """
    global _gpu
    if _gpu is not None:
        return _gpu[0]
    gpus = visible_gpus()
    if not gpus:
        return None
    folder = Path(tempfile.gettempdir()) / f"benchmark-gpus-{os.getuid()}"
    folder.mkdir(exist_ok=True)
    for place in itertools.count():
        for gpu in gpus:
            lock = FileLock(folder / f"{re.sub(r'[^A-Za-z0-9-]', '_', gpu)}.{place}")
            try:
                lock.acquire(timeout=0)
            except Timeout:
                continue
            _gpu = (gpu, lock)
            os.environ["CUDA_VISIBLE_DEVICES"] = gpu
            return gpu
    raise AssertionError("counting ends")


def visible_gpus() -> list[str]:
    """The GPUs that this process may use, as CUDA names them."""
    given = os.environ.get("CUDA_VISIBLE_DEVICES")
    if given is not None:
        return [gpu.strip() for gpu in given.split(",") if gpu.strip() not in ("", "-1")]
    try:
        listed = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True, check=False)
    except OSError:
        return []
    # By UUID: CUDA counts the fastest first, nvidia-smi by their slots.
    return re.findall(r"^GPU \d+:.*\(UUID: (GPU-[\w-]+)\)", listed.stdout, re.MULTILINE)
