"""How a step's cost grows with paintings, examples, picture size and number of steps."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from benchmark.bench.size import Size
from benchmark.bench.timing import median_step_seconds
from benchmark.bench.workload import repeated, sample_workload
from benchmark.transfer.style_transfer import bytes_per_example

Curve = Mapping[int, float]


def growth_curves(size: Size) -> dict[str, Curve]:
    """Seconds of a step (of all steps, for those) and estimated bytes, by what is varied."""
    workload = sample_workload(size.pixels, size.paintings)

    def seconds(examples: int = 1, paintings: int | None = None, steps: int = 1) -> float:
        targets = repeated(workload.targets[0], paintings) if paintings else workload.targets[0]
        optimization = workload.optimization(workload.batch(examples, targets))
        return steps * median_step_seconds(optimization, steps)

    curves: dict[str, Curve] = {
        "paintings": {n: seconds(paintings=n) for n in size.sets},
        "examples": {n: seconds(examples=n) for n in size.examples},
        "steps": {n: seconds(steps=n) for n in size.lengths},
    }
    pixels, bytes_ = {}, {}
    for side in size.sides:
        workload = sample_workload(side, min(size.paintings, 5))
        pixels[side] = seconds()
        bytes_[side] = float(bytes_per_example(workload.transfer.backbone))
    return {
        **curves,
        "pixels a side": pixels,
        "memory of an example (bytes), by pixels a side": bytes_,
    }


def slope(curve: Curve) -> float:
    """The exponent with which a cost grows, by least squares on logarithms."""
    return float(np.polyfit(np.log(list(curve)), np.log(list(curve.values())), 1)[0])


def curve_lines(curves: Mapping[str, Curve]) -> list[str]:
    """The curves for people."""
    return [
        f"cost ~ {name} to the {slope(curve):.2f}: "
        + ", ".join(f"{x} → {y:.3g}" for x, y in curve.items())
        for name, curve in curves.items()
    ]


def plot_curves(curves: Mapping[str, Curve], file: Path) -> None:
    """Draw the curves of time, log-log, each relative to its first value."""
    figure, axes = plt.subplots(figsize=(7, 5), layout="constrained")
    for name, curve in curves.items():
        if "bytes" not in name:
            xs, ys = _relative(list(curve)), _relative(list(curve.values()))
            label = f"{name}, from {min(curve)}: slope {slope(curve):.2f}"
            axes.plot(xs, ys, marker="o", label=label)
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
