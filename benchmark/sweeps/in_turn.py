"""Several sweeps in turn, each in a process of its own."""

import subprocess
import sys
from collections.abc import Sequence

from benchmark.config.paths import ROOT


def sweep_in_turn(title: str, names: Sequence[str], overrides: Sequence[str]) -> tuple[int, bool]:
    """Run overlays of `conf/experiment/`; the exit code, and whether all came to their end."""
    worst = 0
    for number, name in enumerate(names, start=1):
        print(f"{title}, sweep {number} of {len(names)}: {name}", flush=True)
        command = [sys.executable, "-m", "benchmark", "-m", f"experiment={name}", *overrides]
        code = subprocess.run(command, cwd=ROOT, check=False).returncode
        if code not in (0, 1):
            return code, False
        worst = max(worst, code)
    return worst, True


def given_store(overrides: Sequence[str]) -> str | None:
    """The store that overrides name, None for the default one."""
    return dict(o.split("=", 1) for o in overrides if "=" in o).get("tracking.uri")
