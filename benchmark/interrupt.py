"""Ctrl-C and SIGTERM end a run in order: never within a write, and never unnoticed."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_asked = False
_pending = False
_deferred = 0


def install() -> None:
    """From now on both signals raise KeyboardInterrupt and are remembered."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _interrupted)


def check() -> None:
    """Raise KeyboardInterrupt if a signal came and its exception was lost.

    An exception raised while native code or a finaliser calls back into Python is printed and
    dropped; without this check such a run would go on to its end.
    """
    global _asked
    if _asked:
        _asked = False
        raise KeyboardInterrupt


@contextmanager
def deferred() -> Iterator[None]:
    """Hold a signal back to the end of the block: a write cut in half leaves a database locked."""
    global _deferred, _pending
    _deferred += 1
    try:
        yield
    finally:
        _deferred -= 1
    if _pending and not _deferred:
        _pending = False
        raise KeyboardInterrupt


def _interrupted(number: int, frame: FrameType | None) -> None:
    global _asked, _pending
    if _deferred:
        _pending = True
        return
    _asked = True
    raise KeyboardInterrupt
