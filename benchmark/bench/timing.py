"""How times are taken: several steps in a row, sides in turn, commands as processes."""

import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import TypeVar

from benchmark.transfer.batch import BatchOptimization

ROOT = Path(__file__).resolve().parents[2]
"""The folder of the application; not from `config`, whose libraries a GPU machine may lack."""

Timed = TypeVar("Timed")


def seconds_of(action: Callable[[], object]) -> float:
    """Wall-clock seconds of a call."""
    began = perf_counter()
    action()
    return perf_counter() - began


def step_seconds(optimization: BatchOptimization, steps: int) -> float:
    """Mean seconds of a step of a batch, over some steps in a row."""
    return seconds_of(lambda: optimization.run(steps)) / steps


def median_step_seconds(optimization: BatchOptimization, steps: int = 1) -> float:
    """Seconds of a step of a batch: the median of five measurements, compilation apart."""
    optimization.run()
    return median(step_seconds(optimization, steps) for _ in range(5))


def alternately(
    sides: Mapping[str, Callable[[], Timed]], repeats: int, *, warm_up: bool = True
) -> dict[str, list[Timed]]:
    """Measurements of all sides in turn, so that load on the machine meets all of them alike.

    The order is reversed after each turn; with `warm_up` an additional first turn is discarded.
    """
    measured: dict[str, list[Timed]] = {name: [] for name in sides}
    for turn in range(-warm_up, repeats):
        for name, measure in list(sides.items())[:: -1 if turn % 2 else 1]:
            measurement = measure()
            if turn >= 0:
                measured[name].append(measurement)
    return measured


def medians(measured: Mapping[str, Sequence[float]]) -> dict[str, float]:
    """The median of each side."""
    return {name: median(values) for name, values in measured.items()}


def run_module(
    module: str,
    *arguments: object,
    checkout: Path = ROOT,
    exit_codes: Sequence[int] = (0,),
    show_progress: bool = False,
) -> str:
    """Run `python -m MODULE ARGUMENTS` in a checkout; what it prints on standard output.

    Raises:
        RuntimeError: it ended with another exit code; with its standard error, unless shown.
    """
    process = subprocess.run(
        [sys.executable, "-m", module, *map(str, arguments)],
        cwd=checkout,
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
        stdout=subprocess.PIPE,
        stderr=None if show_progress else subprocess.PIPE,
        text=True,
        check=False,
    )
    if process.returncode not in exit_codes:
        command = " ".join(["python -m", module, *map(str, arguments)])
        raise RuntimeError(
            f"{command} in {checkout}: exit code {process.returncode}: "
            f"{(process.stderr or '')[-2000:]}"
        )
    return process.stdout
