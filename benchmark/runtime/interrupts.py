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

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interrupts:
    """The signals that a process received, and what it does about them.

    One object per process; without `install` nothing ever happens to it, so that code which only
    reads can be given a fresh one.
    """

    def __init__(self) -> None:
        # The main thread has noticed a signal and is ending what it does.
        self.is_shutting_down = False
        # Held by a thread that ends the program: another would end the process within its writes.
        self.ending = threading.RLock()
        # What the first signal does before it raises; a second signal does not wait for it.
        self.before_interrupt: Callable[[], None] | None = None
        self._raised = False
        self._pending = False
        self._deferrals = 0
        self._exit_actions: list[Callable[[], None]] = []

    def install(self) -> None:
        """From now on both signals raise KeyboardInterrupt in the main thread."""
        if threading.current_thread() is not threading.main_thread():
            return
        for number in SIGNALS:
            signal.signal(number, self.handle_signal)
        report = sys.unraisablehook

        def unless_interrupt(dropped: "sys.UnraisableHookArgs") -> None:
            # `check` raises it again.
            if dropped.exc_type is not KeyboardInterrupt:
                report(dropped)

        sys.unraisablehook = unless_interrupt
        reader, writer = os.pipe()
        os.set_blocking(writer, False)
        signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
        threading.Thread(target=self._watch, args=(reader,), name="interrupts", daemon=True).start()

    def handle_signal(self, number: int, frame: FrameType | None) -> None:
        """Raise KeyboardInterrupt, within a write at its end."""
        if self._deferrals:
            self._pending = True
        else:
            self._raise()

    def check(self) -> None:
        """Raise KeyboardInterrupt in the main thread if a signal came and its exception was lost.

        An exception raised while native code or a finaliser calls back into Python is dropped;
        without this check such a run would continue to its end.
        """
        in_main_thread = threading.current_thread() is threading.main_thread()
        if self._raised and not self.is_shutting_down and in_main_thread:
            raise KeyboardInterrupt

    @contextmanager
    def deferred(self) -> Iterator[None]:
        """Hold signals back to the end of the block: half a write leaves a database locked.

        Signals interrupt the main thread alone, so that in another there is nothing to do.
        """
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        self._deferrals += 1
        try:
            yield
        finally:
            self._deferrals -= 1
        if self._pending and not self._deferrals:
            self._pending = False
            self._raise()

    @contextmanager
    def on_forced_exit(self, action: Callable[[], None]) -> Iterator[None]:
        """What another thread does in the block's place if a signal finds the main thread stuck."""
        self._exit_actions.append(action)
        try:
            yield
        except KeyboardInterrupt:  # The main thread is not stuck: it ends the program itself.
            self.is_shutting_down = True
            raise
        finally:
            self._exit_actions.remove(action)

    def _raise(self) -> None:
        action, self.before_interrupt = self.before_interrupt, None
        if action is not None:
            self.is_shutting_down = True
            action()
        self._raised = True
        raise KeyboardInterrupt

    def _watch(self, reader: int) -> None:
        """Wait for a signal, then for the main thread; where that is stuck, end the program.

        A signal's Python code waits for the main thread to return from native code, and a step of a
        large network, or its compilation, may take minutes.
        """
        while number := os.read(reader, 1):
            if number[0] not in SIGNALS:
                continue
            began = monotonic()
            # Longer within a write; and a launcher that waits for its jobs looks for signals now
            # and then.
            while monotonic() - began < (10 if self._deferrals or self.before_interrupt else 1):
                if self.is_shutting_down:
                    return
                sleep(0.02)
            with self.ending:
                # Taken first: the main thread says that it noticed before it takes its own away.
                actions = self._exit_actions[::-1]
                if self.is_shutting_down:
                    return
                for action in actions:
                    with suppress(Exception):
                        action()
                sys.stdout.flush()
                os._exit(EXIT_CODE)
