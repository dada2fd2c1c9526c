"""Ctrl-C and SIGTERM end a run in order, also where Python would lose the exception."""

import signal
from types import FrameType

_asked = False


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


def _interrupted(number: int, frame: FrameType | None) -> None:
    global _asked
    _asked = True
    raise KeyboardInterrupt
