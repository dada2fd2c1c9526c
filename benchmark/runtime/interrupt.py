"""Ctrl-C and SIGTERM end a run in order: never within a write, never unnoticed, and soon."""

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from time import monotonic, sleep
from types import FrameType

EXIT_CODE = 130

GRACE = 1.0
"""Seconds in which the main thread must begin to end; then another thread ends the program.

A signal's Python code waits for the main thread to come back from native code, and a step of a
large network, or its compilation, may take minutes.
"""

LONGEST_WRITE = 10.0
"""Seconds for which a write under way is waited for all the same."""

SIGNALS = (signal.SIGINT, signal.SIGTERM)

_before: Callable[[], None] | None = None
_asked = False
_pending = False
_deferred = 0
_ending = False
_last_words: list[Callable[[], None]] = []


def install() -> None:
    """From now on both signals raise KeyboardInterrupt in the main thread and are remembered."""
    if threading.current_thread() is not threading.main_thread():
        return
    for number in SIGNALS:
        signal.signal(number, now)
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    threading.Thread(target=_watch, args=(reader,), name="interrupts", daemon=True).start()


def first(action: Callable[[], None]) -> None:
    """What a signal does before it raises KeyboardInterrupt; a second one does not wait for it."""
    global _before
    _before = action


def now(number: int, frame: FrameType | None) -> None:
    """A signal's handler: raises KeyboardInterrupt, within a write at its end."""
    global _pending
    if _deferred:
        _pending = True
    else:
        _raise()


def is_shutting_down() -> bool:
    """Whether the main thread has noticed a signal."""
    return _ending


def check() -> None:
    """Raise KeyboardInterrupt if a signal came and its exception was lost.

    An exception raised while native code or a finaliser calls back into Python is printed and
    dropped; without this check such a run would go on to its end.
    """
    global _asked
    if _asked:
        _asked = False
        raise KeyboardInterrupt


def reached() -> None:
    """Tell that the main thread has noticed and is ending what it does."""
    global _ending
    _ending = True


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
        _raise()


@contextmanager
def on_forced_exit(action: Callable[[], None]) -> Iterator[None]:
    """What another thread is to do in the block's place if a signal finds the main thread stuck."""
    _last_words.append(action)
    try:
        yield
    finally:
        _last_words.remove(action)


def _raise() -> None:
    global _asked, _before
    action, _before = _before, None
    if action is not None:
        reached()
        action()
    _asked = True
    raise KeyboardInterrupt


def _watch(reader: int) -> None:
    """Wait for a signal, then for the main thread; where that is stuck, end the program."""
    while number := os.read(reader, 1):
        if number[0] not in SIGNALS:
            continue
        began = monotonic()
        # A launcher that waits for its jobs looks for signals now and then.
        while monotonic() - began < (LONGEST_WRITE if _deferred or _before else GRACE):
            if _ending:
                return
            sleep(0.02)
        for action in reversed(_last_words):
            with suppress(Exception):
                action()
        sys.stdout.flush()
        os._exit(EXIT_CODE)
