"""How times are taken; imports no Keras, which takes GPUs."""

from collections.abc import Callable, Mapping
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import TypeVar

Timed = TypeVar("Timed")

# The folder of the application; not from `config`, whose libraries a GPU machine may lack.
ROOT = Path(__file__).resolve().parents[2]


def seconds_of(action: Callable[[], object]) -> float:
    """Wall-clock seconds of a call."""
    began = perf_counter()
    action()
    return perf_counter() - began


def step_seconds(run: Callable[[int], object], steps: int) -> float:
    """Mean seconds of a step, where `run` does so many in a row."""
    return seconds_of(lambda: run(steps)) / steps


def median_step_seconds(run: Callable[[int], object], steps: int) -> float:
    """Seconds of a step: the median of five measurements, compilation apart."""
    run(1)
    return median(step_seconds(run, steps) for _ in range(5))


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
