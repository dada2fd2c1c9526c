"""The processes that do the runs of a sweep, as each of Hydra's launchers wants them."""

import itertools
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from time import sleep
from types import FrameType
from typing import Any

from filelock import FileLock, Timeout

from benchmark.runtime.interrupts import EXIT_CODE, Interrupts
from benchmark.runtime.jobs import LauncherKind


class Worker:
    """A process that does runs for a launcher, one after the other."""

    def __init__(self, kind: LauncherKind, interrupts: Interrupts) -> None:
        """Prepare this process; before Keras is imported, because that looks for GPUs."""
        self._kind = kind
        self._interrupts = interrupts
        self._received: set[int] = set()
        # What submitit has SLURM send before it takes a job's machine.
        preemption = os.environ.get("SUBMITIT_PREEMPT_SIGNAL", "USR2")
        self._preemption = signal.Signals[f"SIG{preemption}"]
        # SLURM and Ray give each job GPUs of its own.
        self._gpu = claim_gpu() if kind in ("joblib", "local") else None
        if kind == "joblib":
            threading.Thread(target=_follow_driver, name="driver", daemon=True).start()

    @contextmanager
    def job(self, cwd: str) -> Iterator[None]:
        """Around a run, in the driver's folder: ends this process as its launcher expects."""
        with suppress(OSError):
            os.chdir(cwd)
        self._received.clear()
        numbers = {signal.SIGINT, signal.SIGTERM}
        if self._kind in ("local", "slurm"):
            numbers.add(self._preemption)
        before = {number: signal.signal(number, self._handle_signal) for number in numbers}
        if self._kind == "joblib":
            # Ctrl-C reaches the driver too, which then sends SIGTERM.
            signal.signal(signal.SIGINT, signal.SIG_IGN)
        try:
            yield
        except KeyboardInterrupt:
            sys.stdout.flush()
            self._end(before.get(self._preemption))
            raise
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _handle_signal(self, number: int, frame: FrameType | None) -> None:
        self._received.add(number)
        if not self._interrupts.is_shutting_down:  # A second signal must not cut that short.
            self._interrupts.handle_signal(number, frame)

    def _end(self, requeue: Any) -> None:
        """End the process, or return where its launcher expects KeyboardInterrupt.

        With submitit's handler for pre-emption, if any, the job goes back into SLURM's queue.
        """
        if self._kind == "joblib":
            os._exit(EXIT_CODE)  # Otherwise it would be given the next run.
        if self._kind in ("local", "slurm"):
            while self._kind == "slurm" and self._received == {signal.SIGTERM}:
                # SLURM takes the machine. A job that ends by itself now would count as done and not
                # be requeued; so it waits to be killed, or for the signal to requeue itself.
                sleep(0.2)
            if self._preemption in self._received and callable(requeue):
                requeue(self._preemption, None)
            sys.exit(EXIT_CODE)


def _follow_driver() -> None:
    """End this process some seconds after the one that started it, however that ended."""
    driver = os.getppid()
    while os.getppid() == driver:
        sleep(2)
    os.kill(os.getpid(), signal.SIGTERM)


def claim_gpu() -> FileLock | None:
    """Make the GPU with the fewest claims the only one that this process sees.

    Returns:
        The claim, to be kept as long as the GPU is used; None without GPUs. It is a lock on a file
        of this machine, which the system releases when the process ends.
    """
    gpus = visible_gpus()
    if not gpus:
        return None
    folder = Path(tempfile.gettempdir()) / f"benchmark-gpus-{os.getuid()}"
    folder.mkdir(exist_ok=True)
    for place in itertools.count():
        for gpu in gpus:
            lock = FileLock(folder / f"{re.sub(r'[^A-Za-z0-9-]', '_', gpu)}.{place}")
            with suppress(Timeout):
                lock.acquire(timeout=0)
                os.environ["CUDA_VISIBLE_DEVICES"] = gpu
                return lock
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
