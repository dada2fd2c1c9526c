"""How a run's cost grows with paintings, examples, picture size and steps."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import median

import matplotlib.pyplot as plt
import numpy as np

from benchmark.bench.arithmetic import seconds_of
from benchmark.bench.workload import Size, configured, workload
from benchmark.transfer import memory
from benchmark.transfer.batch import BatchOptimization

Curve = Mapping[int, float]


def growth(size: Size, tell: Callable[[str], None]) -> dict[str, Curve]:
    """Seconds of a step (of all steps, for those) and estimated bytes, by what is varied."""
    found: dict[str, Curve] = {}
    one = workload(configured(size))
    tell("growth: paintings")
    found["paintings"] = {n: seconds(one.optimization(1, paintings=n)) for n in size.sets}
    tell("growth: examples")
    found["examples"] = {n: seconds(one.optimization(n)) for n in size.examples}
    tell("growth: steps")
    found["steps"] = {n: seconds(one.optimization(1), steps=n) for n in size.lengths}
    pixels, bytes_ = {}, {}
    few = min(size.paintings, 5)
    for side in size.sizes:
        tell(f"growth: {side} × {side} pixels")
        small = workload(configured(replace(size, pixels=side, paintings=few), "content.count=1"))
        pixels[side] = seconds(small.optimization(1))
        bytes_[side] = float(memory.bytes_per_example(small.backbone))
    found["pixels a side"] = pixels
    found["memory of an example (bytes), by pixels a side"] = bytes_
    return found


def seconds(optimization: BatchOptimization, steps: int = 1, repeats: int = 5) -> float:
    """The median time of some steps."""
    optimization.run()
    return median(seconds_of(lambda: optimization.run(steps)) for _ in range(repeats))


def slope(curve: Curve) -> float:
    """The exponent with which a cost grows, by least squares on logarithms."""
    return float(np.polyfit(np.log(list(curve)), np.log(list(curve.values())), 1)[0])


def lines(curves: Mapping[str, Curve]) -> list[str]:
    """The curves for people."""
    return [
        f"cost ~ {name} to the {slope(curve):.2f}: "
        + ", ".join(f"{x} → {y:.3g}" for x, y in curve.items())
        for name, curve in curves.items()
    ]


def plot(curves: Mapping[str, Curve], file: Path) -> None:
    """Draw the curves of time, log-log, each relative to its first value."""
    figure, axes = plt.subplots(figsize=(7, 5), layout="constrained")
    shown = {name: curve for name, curve in curves.items() if "bytes" not in name}
    for name, curve in shown.items():
        xs, ys = _relative(list(curve)), _relative(list(curve.values()))
        axes.plot(xs, ys, marker="o", label=f"{name}, from {min(curve)}: slope {slope(curve):.2f}")
    axes.set(
        xscale="log",
        yscale="log",
        xlabel="times the first value",
        ylabel="times the first cost",
        title="How the cost of VGG19's steps grows",
    )
    axes.grid(which="both", alpha=0.3)
    axes.legend()
    figure.savefig(file, dpi=130)
    plt.close(figure)


def _relative(values: Sequence[float]) -> np.ndarray:
    return np.asarray(values, float) / values[0]
