"""The processes that do the runs of a sweep, as each of Hydra's launchers wants them."""

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from time import sleep
from types import FrameType

from benchmark.runtime.gpus import claim_gpu
from benchmark.runtime.interrupts import EXIT_CODE, Interrupts
from benchmark.runtime.launchers import LauncherKind


class Worker:
    """A process that does runs for a launcher, one after the other."""

    def __init__(self, kind: LauncherKind, interrupts: Interrupts) -> None:
        """Prepare this process; before Keras is imported, because that looks for GPUs."""
        self._kind = kind
        self._interrupts = interrupts
        self._received: set[int] = set()
        # SLURM and Ray give each job GPUs of its own.
        self._gpu = claim_gpu() if kind in ("joblib", "local") else None
        if kind == "joblib":
            threading.Thread(target=_follow_driver, name="driver", daemon=True).start()

    @contextmanager
    def job(self, cwd: str) -> Iterator[None]:
        """Around a run: after an interrupt, ends this process as its launcher expects.

        Args:
            cwd: the folder that the driver was started in, which relative paths mean.
        """
        with suppress(OSError):
            os.chdir(cwd)
        with self._signals() as requeue:
            try:
                yield
            except KeyboardInterrupt:
                sys.stdout.flush()
                self._end(requeue)
                raise

    @contextmanager
    def _signals(self) -> Iterator[Callable[[], None]]:
        """Let signals end a run in order; yields what puts the job back into SLURM's queue."""
        self._received.clear()
        preemption = _preemption_signal()
        numbers = {signal.SIGINT, signal.SIGTERM}
        if self._kind in ("local", "slurm"):
            numbers.add(preemption)
        before = {number: signal.getsignal(number) for number in numbers}
        for number in numbers:
            signal.signal(number, self._handle_signal)
        if self._kind == "joblib":
            # Ctrl-C reaches the driver too, which then sends SIGTERM.
            signal.signal(signal.SIGINT, signal.SIG_IGN)
        submitits = before.get(preemption)

        def requeue() -> None:
            if callable(submitits):
                submitits(preemption, None)

        try:
            yield requeue
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _handle_signal(self, number: int, frame: FrameType | None) -> None:
        self._received.add(number)
        if not self._interrupts.is_shutting_down:  # A second signal must not cut that short.
            self._interrupts.handle_signal(number, frame)

    def _end(self, requeue: Callable[[], None]) -> None:
        """End the process, or return where its launcher expects KeyboardInterrupt."""
        if self._kind == "joblib":
            os._exit(EXIT_CODE)  # Otherwise it would be given the next run.
        if self._kind in ("local", "slurm"):
            while self._kind == "slurm" and self._received == {signal.SIGTERM}:
                # SLURM takes the machine. A job that ends by itself now would count as done and not
                # be requeued; so it waits to be killed, or for the signal to requeue itself.
                sleep(0.2)
            if _preemption_signal() in self._received:
                requeue()
            sys.exit(EXIT_CODE)


def _preemption_signal() -> signal.Signals:
    """What submitit has SLURM send before it takes a job's machine."""
    return signal.Signals[f"SIG{os.environ.get('SUBMITIT_PREEMPT_SIGNAL', 'USR2')}"]


def _follow_driver() -> None:
    """End this process some seconds after the one that started it, however that ended."""
    driver = os.getppid()
    while os.getppid() == driver:
        sleep(2)
    os.kill(os.getpid(), signal.SIGTERM)
