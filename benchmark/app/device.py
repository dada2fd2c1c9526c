"""One thread that does all work with the network, for one picture is painted at a time."""

from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from queue import Empty, SimpleQueue
from threading import Event, Thread
from time import monotonic
from typing import Generic, TypeVar

Made = TypeVar("Made")

ABANDONED_SECONDS = 30.0
"""After which a job that nobody looks at is stopped: its page was closed."""


class Job(Generic[Made]):
    """Work that shows what it has made on its way, and that can be stopped."""

    def __init__(self, most_seconds: float) -> None:
        self._shown: SimpleQueue[Made] = SimpleQueue()
        self._stopped = Event()
        self._seen = monotonic()
        self._ends = monotonic() + most_seconds
        self.result: Future[Made] = Future()

    def stop(self) -> None:
        """End it at the next opportunity; what is there is its result."""
        self._stopped.set()

    @property
    def is_late(self) -> bool:
        """Whether it has taken all the time that it may."""
        return monotonic() > self._ends

    def show(self, made: Made) -> bool:
        """Show what there is now; whether to go on."""
        self._shown.put(made)
        is_abandoned = monotonic() - self._seen > ABANDONED_SECONDS
        return not (self._stopped.is_set() or is_abandoned or self.is_late)

    def newest(self, seconds: float) -> Made | None:
        """The last that was shown since the last call, waited for so long; None: nothing."""
        self._seen = monotonic()
        shown = None
        with suppress(Empty):
            shown = self._shown.get(timeout=seconds)
            while True:
                shown = self._shown.get_nowait()
        return shown


class Device:
    """Does work in the order in which it comes, and when there is none, what was put aside."""

    def __init__(self, aside: Sequence[Callable[[], object]] = ()) -> None:
        self._work: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._aside = deque(aside)
        self._thread = Thread(target=self._run, name="device", daemon=True)
        self._thread.start()

    def do(self, job: Job[Made], work: Callable[[], Made]) -> None:
        """Do some work; what it returns or raises is the job's result."""

        def done() -> None:
            try:
                job.result.set_result(work())
            except BaseException as error:
                job.result.set_exception(error)

        self._work.put(done)

    def do_aside(self, work: Callable[[], object]) -> None:
        """Do this before all else that is put aside, when there is nothing to do."""
        self._aside.appendleft(work)
        self._work.put(lambda: None)

    def close(self) -> None:
        """End the thread when its work is done."""
        self._aside.clear()
        self._work.put(None)
        self._thread.join()

    def _run(self) -> None:
        while True:
            try:
                work = self._work.get_nowait() if self._aside else self._work.get()
            except Empty:
                with suppress(Exception):  # What was put aside saves time and no more.
                    self._aside.popleft()()
                continue
            if work is None:
                return
            work()
