"""Several sweeps in turn, each in a process of its own."""

import signal
import subprocess
import sys
import threading
from collections.abc import Sequence

from benchmark.config.paths import ROOT


def sweep_in_turn(title: str, names: Sequence[str], overrides: Sequence[str]) -> tuple[int, bool]:
    """Run overlays of `conf/experiment/`; the exit code, and whether all came to their end."""
    worst = 0
    for number, name in enumerate(names, start=1):
        print(f"{title}, sweep {number} of {len(names)}: {name}", flush=True)
        command = [sys.executable, "-m", "benchmark", "-m", f"experiment={name}", *overrides]
        code = exit_code(command)
        if code not in (0, 1):
            return code, False
        worst = max(worst, code)
    return worst, True


def exit_code(command: Sequence[str]) -> int:
    """The exit code of a process at the root, which ends in order where this one is interrupted.

    Ctrl-C reaches both; SIGTERM, which reaches this one alone, is passed on.
    """
    with subprocess.Popen(command, cwd=ROOT) as process:
        if threading.current_thread() is not threading.main_thread():
            return process.wait()
        handlers = {
            signal.SIGINT: lambda number, frame: None,
            signal.SIGTERM: lambda number, frame: process.send_signal(number),
        }
        before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
        try:
            return process.wait()
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def given_store(overrides: Sequence[str]) -> str | None:
    """The store that overrides name, None for the default one."""
    return dict(o.split("=", 1) for o in overrides if "=" in o).get("tracking.uri")
