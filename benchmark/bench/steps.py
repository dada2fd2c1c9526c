"""Figures of single steps, ours and the baseline's in turn, and how a step's cost grows."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from statistics import median

import numpy as np
from matplotlib.figure import Figure

from benchmark.bench.baseline import Transfer
from benchmark.bench.figures import Measurement, ratio_of_medians
from benchmark.bench.size import Size
from benchmark.bench.timing import alternately, median_step_seconds, seconds_of, step_seconds
from benchmark.bench.workload import (
    Workload,
    matrix_timer,
    operations,
    read_variant,
    sample_workload,
)
from benchmark.transfer.step import ADAM, OptimizerChoice
from benchmark.transfer.style_transfer import bytes_per_example

Curve = Mapping[int, float]

BATCH = 4  # examples in a batch here: the default of a run
FAST_RATE = 0.03  # Adam's learning rate where time to a loss counts; the study's default is 0.01


def step_times(size: Size) -> Iterator[Measurement]:
    """A step beside the baseline's, and beside what the machine's arithmetic would allow."""
    float32 = sample_workload(size.pixels, size.paintings)
    bfloat16 = sample_workload(size.pixels, size.paintings, "bfloat16")
    transfer = baseline_transfer(float32)
    timers = {
        "baseline": lambda: step_seconds(transfer.run, size.steps),
        "step": example_timer(float32, 1, size.steps),
        "batch": example_timer(float32, BATCH, size.steps),
        "bfloat16": example_timer(bfloat16, BATCH, size.steps),
        "matrix": matrix_timer(size.matrix, "float32"),
        "matrix_bfloat16": matrix_timer(size.matrix, "bfloat16"),
    }
    measured = alternately(timers, size.repeats)
    for name, title, most, aim in (
        ("step", "time of a step, one example, float32", 1.0, "0.95"),
        ("batch", f"… and example, batch of {BATCH}, float32", 0.95, "0.85"),
        ("bfloat16", f"… and example, batch of {BATCH}, bfloat16", 0.55, "0.45"),
    ):
        sides = {side: measured[side] for side in (name, "baseline")}
        yield ratio_of_medians(name, title, sides, most=most, aim=aim)
    for name, step, precision in (
        ("matrix", "batch", "float32"),
        ("matrix_bfloat16", "bfloat16", "bfloat16"),
    ):
        rate = operations(float32.transfer.backbone) / median(measured[step])
        best = 2 * size.matrix**3 / median(measured[name])
        yield Measurement(
            name,
            f"share of the matrix-product rate, batch of {BATCH}, {precision}",
            rate / best,
            least=0.8,
            aim="0.9",
            detail=f"{rate / 1e9:.0f} GF/s / {best / 1e9:.0f} GF/s",
            measured={side: measured[side] for side in (step, name)},
        )


def step_by_paintings(size: Size) -> Iterator[Measurement]:
    """What more paintings cost."""
    workload, many = sample_workload(size.pixels, size.paintings), max(100, size.paintings)
    timers = {str(n): example_timer(workload, BATCH, size.steps, n) for n in (many, 1)}
    title = f"time of a step at {many} paintings / at 1, batch of {BATCH}"
    sides = alternately(timers, size.repeats)
    figure = ratio_of_medians("paintings", title, sides, most=1.1, aim="1.03")
    yield replace(figure, detail=f"{figure.detail} an example")


def bfloat16_loss(size: Size) -> Iterator[Measurement]:
    """How far bfloat16's results are from float32's, by their losses in float32."""
    float32 = sample_workload(size.pixels, size.paintings)
    final = {}
    for precision in ("float32", "bfloat16"):
        workload = sample_workload(size.pixels, size.paintings, precision)
        optimization = workload.optimization(len(workload.contents))
        optimization.run(size.descent)
        final[precision] = total_losses(float32, np.asarray(optimization.images))
    ratios = final["bfloat16"] / final["float32"]
    yield Measurement(
        "bfloat16_loss",
        f"loss after {size.descent} steps in bfloat16 / in float32, both evaluated in float32",
        float(ratios[np.argmax(np.abs(ratios - 1))]),
        least=0.99,
        most=1.01,
        detail=f"the farthest of {len(ratios)} examples",
        measured={precision: losses.tolist() for precision, losses in final.items()},
    )


def descent(size: Size) -> Iterator[Measurement]:
    """Time until the baseline's loss after so many steps is reached, set-up apart on both sides.

    One long measurement of each side, not several in turn. Ours is Adam as well, from the same
    start, with options that the study's default leaves off. The loss that counts is evaluated in
    float32 after each step, outside the time measured.
    """
    float32 = sample_workload(size.pixels, size.paintings)
    bfloat16 = sample_workload(size.pixels, size.paintings, "bfloat16")
    transfer = baseline_transfer(float32)
    transfer.run(1)
    baseline_seconds = step_seconds(transfer.run, size.descent - 1) * size.descent
    [goal] = transfer.run(1)
    fast = replace(ADAM, learning_rate=FAST_RATE)
    best = f"learning rate {FAST_RATE}, bfloat16"
    reached = {
        name: steps_to_loss(float32, workload, goal, size.descent, optimizer)
        for name, workload, optimizer in (
            ("default", float32, ADAM),
            (f"learning rate {FAST_RATE}", float32, fast),
            (best, bfloat16, fast),
        )
    }
    steps, best_seconds = reached[best]
    ratios = (f"{name}: {time / baseline_seconds:.2f}" for name, (_, time) in reached.items())
    yield Measurement(
        "descent",
        f"time to the baseline's loss after {size.descent} steps, {best}",
        best_seconds / baseline_seconds,
        most=0.5,
        aim="0.2",
        detail=f"{best_seconds:.1f} s ({steps} steps) / {baseline_seconds:.1f} s; "
        + "; ".join(ratios),
        measured={**reached, "baseline": baseline_seconds},
    )


def steps_to_loss(
    float32: Workload, workload: Workload, goal: float, expected: int, optimizer: OptimizerChoice
) -> tuple[int, float]:
    """Steps and seconds until a loss is reached; infinite seconds if not in twice as expected."""
    optimization = workload.optimization(1, optimizer=optimizer)
    optimization.begin()
    seconds = 0.0
    for step in range(1, 2 * expected + 1):
        seconds += seconds_of(optimization.run)
        if total_losses(float32, np.asarray(optimization.images))[0] <= goal:
            return step, seconds
    return 2 * expected, float("inf")


def total_losses(float32: Workload, pictures: np.ndarray) -> np.ndarray:
    """Total loss of each picture (N, S, S, 3), in float32."""
    return np.asarray(float32.optimization(len(pictures), start=pictures).run()[0, 0], float)


def example_timer(
    workload: Workload, examples: int, steps: int, paintings: int = 0
) -> Callable[[], float]:
    """A function that measures the seconds of a step of a batch, divided by its examples."""
    optimization = workload.optimization(examples, paintings)
    optimization.begin()
    return lambda: step_seconds(optimization.run, steps) / examples


def baseline_transfer(workload: Workload, agg: str = "simple") -> Transfer:
    """The baseline on the first content picture and artist, with the same weights."""
    backbone = workload.transfer.backbone
    backbone.shared.holding(backbone.arrays)
    layers = [layer for layer in backbone.shared.cut.layers if layer.weights]
    weights = {layer.name: layer.get_weights() for layer in layers}
    settings = read_variant("backbone", backbone.name)
    return Transfer(settings, workload.contents[0], workload.paintings[0], agg, weights)


def growth_curves(size: Size) -> dict[str, Curve]:
    """Seconds of a step (of all steps, for those) and estimated bytes, by what is varied."""
    workload = sample_workload(size.pixels, size.paintings)

    def seconds(on: Workload, examples: int = 1, paintings: int = 0, steps: int = 1) -> float:
        return steps * median_step_seconds(on.optimization(examples, paintings).run, steps)

    by_side = {side: sample_workload(side, min(size.paintings, 5)) for side in size.sides}
    return {
        "paintings": {n: seconds(workload, paintings=n) for n in size.sets},
        "examples": {n: seconds(workload, examples=n) for n in size.examples},
        "steps": {n: seconds(workload, steps=n) for n in size.lengths},
        "pixels a side": {side: seconds(sized) for side, sized in by_side.items()},
        "memory of an example (bytes), by pixels a side": {
            side: float(bytes_per_example(sized.transfer.backbone))
            for side, sized in by_side.items()
        },
    }


def slope(curve: Curve) -> float:
    """The exponent with which a cost grows, by least squares on logarithms."""
    return float(np.polyfit(np.log(list(curve)), np.log(list(curve.values())), 1)[0])


def plot_curves(curves: Mapping[str, Curve], file: Path) -> None:
    """Draw the curves of time, log-log, each relative to its first value."""
    figure = Figure(figsize=(7, 5), layout="constrained")
    axes = figure.subplots()
    for name, curve in curves.items():
        if "bytes" not in name:
            points = np.array(list(curve.items()))
            label = f"{name}, from {min(curve)}: slope {slope(curve):.2f}"
            axes.loglog(*(points / points[0]).T, marker="o", label=label)
    axes.set(xlabel="times the first value", ylabel="times the first cost")
    axes.set_title("How the cost of VGG19's steps grows")
    axes.grid(which="both", alpha=0.3)
    axes.legend()
    figure.savefig(file, dpi=130)
