"""One thread that does all work with the network, for one picture is painted at a time."""

from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from queue import Empty, SimpleQueue
from threading import Event, Thread
from time import monotonic
from typing import Any, Generic, TypeVar

Made = TypeVar("Made")

ABANDONED_SECONDS = 30.0
"""After which a job that nobody looks at is stopped: its page was closed."""


class Job(Generic[Made]):
    """Work that shows what it has made on its way, and that can be stopped."""

    def __init__(self, most_seconds: float) -> None:
        self.doing = "Waiting for the program's own work to pause …"  # before there is a picture
        self.has_shown = False
        self._shown: SimpleQueue[Made] = SimpleQueue()
        self._stopped = Event()
        self._left = Event()
        self._seen = monotonic()
        self._ends = monotonic() + most_seconds
        self.result: Future[Made] = Future()

    def stop(self) -> None:
        """End it at the next opportunity; what is there is its result."""
        self._stopped.set()

    def leave(self) -> None:
        """End it as soon as possible, for nobody wants what is there."""
        self._left.set()
        self._stopped.set()

    @property
    def is_left(self) -> bool:
        """Whether nobody looks at it any more: its page was closed."""
        return self._left.is_set() or monotonic() - self._seen > ABANDONED_SECONDS

    @property
    def is_stopped(self) -> bool:
        """Whether to end it."""
        return self._stopped.is_set() or self.is_left or self.is_late

    @property
    def is_late(self) -> bool:
        """Whether it has taken all the time that it may."""
        return monotonic() > self._ends

    def show(self, made: Made) -> bool:
        """Show what there is now; whether to go on."""
        self._shown.put(made)
        self.has_shown = True
        return not self.is_stopped

    def newest(self, seconds: float) -> Made | None:
        """The last that was shown since the last call, waited for so long; None: nothing."""
        self._seen = monotonic()
        shown = None
        with suppress(Empty):
            shown = self._shown.get(timeout=seconds)
            while True:
                shown = self._shown.get_nowait()
        return shown


class PostponedError(Exception):
    """Work that was put aside gives way to other work, and is begun again after it."""


class Device:
    """Does work in the order in which it comes, and when there is none, what was put aside."""

    def __init__(self, aside: Sequence[Callable[[], object]] = ()) -> None:
        self._work: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._aside = deque(aside)
        self.job: Job[Any] | None = None  # whose work is being done
        self._thread = Thread(target=self._run, name="device", daemon=True)
        self._thread.start()

    def do(self, job: Job[Made], work: Callable[[], Made]) -> None:
        """Do some work; what it returns or raises is the job's result."""

        def done() -> None:
            self.job = job
            try:
                job.result.set_result(work())
            except BaseException as error:
                job.result.set_exception(error)
            finally:
                self.job = None

        self._work.put(done)

    def do_aside(self, work: Callable[[], object]) -> None:
        """Do this before all else that is put aside, when there is nothing to do.

        It may ask `is_wanted` on its way and raise PostponedError.
        """
        self._aside.appendleft(work)
        self._work.put(lambda: None)

    @property
    def is_wanted(self) -> bool:
        """Whether there is work for it."""
        return not self._work.empty()

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
                self._do_aside()
                continue
            if work is None:
                return
            work()

    def _do_aside(self) -> None:
        work, others = self._aside.popleft(), len(self._aside)
        try:
            work()
        except PostponedError:
            self._aside.insert(len(self._aside) - others, work)
        except Exception:  # What was put aside saves time and no more.
            return
