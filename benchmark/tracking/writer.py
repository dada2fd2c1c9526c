"""Writing beside the work: one thread that does what it is given, in order."""

from collections.abc import Callable, Sequence
from queue import Empty, SimpleQueue
from threading import Thread
from time import monotonic, sleep
from typing import Any, NamedTuple

MOST_BYTES = 200_000_000
"""That wait to be written; then who gives more waits: 330 pictures of 448 px, or 400,000 points."""

GATHER_SECONDS = 0.5
"""For which points wait for more, to be written in one call; a call costs as much as a step."""

STALLED_SECONDS = 5.0
"""After which a write that does not end is given up where the program is ending."""

Write = Callable[[Sequence[Any]], None]


class _Entry(NamedTuple):
    write: Write
    items: list[Any]
    size: int


class Writer:
    """Does what it is given in a thread of its own, in order, until something fails.

    The error is raised where the next thing is given, or waited for; nothing after it is done.
    There is no lock, which the exception of a signal could leave locked: the queue needs none,
    and each other attribute is changed by one thread alone.
    """

    def __init__(self, check: Callable[[], None]) -> None:
        """`check` is called while somebody waits, and may raise KeyboardInterrupt."""
        self._check = check
        self._entries: SimpleQueue[_Entry] = SimpleQueue()
        self._given = self._done = 0  # Bytes.
        self._last_end = monotonic()
        self._error: BaseException | None = None
        self._closed = False
        Thread(target=self._work, name="writer", daemon=True).start()

    def put(self, write: Write, items: Sequence[Any] = (), size: int = 0) -> None:
        """Have `write(items)` called; entries of one `write` in a row are done in one call.

        The items must not change from now on. Waits while too much waits to be written.
        """
        self._check()
        while self._given - self._done > MOST_BYTES and self._error is None:
            sleep(0.05)
            self._check()
        self._raise()
        self._given += size
        self._entries.put(_Entry(write, list(items), size))

    def flush(self, seconds: float | None = None) -> None:
        """Wait until all that was given is done; TimeoutError if that takes, or stalls, too long.

        `seconds` is how long it may take; None: any time.
        """
        reached: SimpleQueue[None] = SimpleQueue()
        self._entries.put(_Entry(lambda _: reached.put(None), [], 0))
        start = monotonic()
        while self._error is None and not self._closed:
            try:
                reached.get(timeout=0.1)
                return
            except Empty:
                self._check()
            now = monotonic()
            stalled = now - max(start, self._last_end) > STALLED_SECONDS
            if seconds is not None and (stalled or now - start > seconds):
                raise TimeoutError("what was logged could not all be written in time")
        self._raise()

    def close(self) -> None:
        """Do nothing more than what is being done."""
        self._closed = True
        self._entries.put(_Entry(lambda _: None, [], 0))

    def _raise(self) -> None:
        if self._error is not None:
            raise self._error

    def _work(self) -> None:
        entry = self._entries.get()
        while not self._closed:
            entry, following = self._gathered(entry)
            try:
                entry.write(entry.items)
            except BaseException as error:
                self._error = error
                return
            self._last_end = monotonic()
            self._done += entry.size
            entry = following or self._entries.get()

    def _gathered(self, entry: _Entry) -> tuple[_Entry, _Entry | None]:
        """An entry with those of the same kind after it, and the one after those if it is there."""
        end = monotonic() + GATHER_SECONDS
        while entry.items:
            try:
                following = self._entries.get(timeout=max(0.0, end - monotonic()))
            except Empty:
                break
            if following.write != entry.write:
                return entry, following
            entry.items.extend(following.items)
            entry = entry._replace(size=entry.size + following.size)
        return entry, None
