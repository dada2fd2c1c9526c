"""Figures of single steps, ours and the baseline's in turn."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from backbones import Backbone
from benchmark.bench.arithmetic import matrix_timer, operations
from benchmark.bench.baseline import BaselineNetwork, Transfer
from benchmark.bench.figures import Measurement
from benchmark.bench.size import Size
from benchmark.bench.timing import alternately, medians, seconds_of, step_seconds
from benchmark.bench.workload import Workload, repeated, sample_workload
from benchmark.transfer.batch import Batch
from benchmark.transfer.step import ADAM, OptimizerChoice
from benchmark.user_input import import_callable

BATCH = 4
"""Examples in a batch here: the default of a run."""

FAST_RATE = 0.03
"""Adam's learning rate where time to a loss counts; the study's default is 0.01."""


def step_times(size: Size) -> Iterator[Measurement]:
    """A step beside the baseline's, and beside what the machine's arithmetic would allow."""
    float32 = sample_workload(size.pixels, size.paintings)
    bfloat16 = sample_workload(size.pixels, size.paintings, "bfloat16")
    transfer = baseline_transfer(float32)
    sides = {
        "baseline": lambda: (
            seconds_of(lambda: [transfer.step() for _ in range(size.steps)]) / size.steps
        ),
        "step": example_timer(float32, float32.batch(1), size.steps),
        "batch": example_timer(float32, float32.batch(BATCH), size.steps),
        "bfloat16": example_timer(bfloat16, bfloat16.batch(BATCH), size.steps),
        "matrix": matrix_timer(size.matrix, "float32"),
        "matrix_bfloat16": matrix_timer(size.matrix, "bfloat16"),
    }
    measured = alternately(sides, size.repeats)
    typical = medians(measured)
    step_operations = operations(float32.transfer.backbone)

    def against_baseline(name: str, title: str, most: float, aim: str) -> Measurement:
        detail = f"{typical[name]:.3f} s / {typical['baseline']:.3f} s"
        raw = {name: measured[name], "baseline": measured["baseline"]}
        ratio = typical[name] / typical["baseline"]
        return Measurement(name, title, ratio, most=most, aim=aim, detail=detail, measured=raw)

    def share(name: str, step: str, precision: str) -> Measurement:
        rate, best = step_operations / typical[step], 2 * size.matrix**3 / typical[name]
        return Measurement(
            name,
            f"share of the matrix-product rate, batch of {BATCH}, {precision}",
            rate / best,
            least=0.8,
            aim="0.9",
            detail=f"{rate / 1e9:.0f} GF/s / {best / 1e9:.0f} GF/s",
            measured={step: measured[step], name: measured[name]},
        )

    yield from (
        against_baseline("step", "time of a step, one example, float32", 1.0, "0.95"),
        against_baseline("batch", f"… and example, batch of {BATCH}, float32", 0.95, "0.85"),
        against_baseline("bfloat16", f"… and example, batch of {BATCH}, bfloat16", 0.55, "0.45"),
        share("matrix", "batch", "float32"),
        share("matrix_bfloat16", "bfloat16", "bfloat16"),
    )


def step_by_paintings(size: Size) -> Iterator[Measurement]:
    """What more paintings cost."""
    workload = sample_workload(size.pixels, size.paintings)
    many = max(100, size.paintings)
    timers = {
        str(number): example_timer(
            workload, workload.batch(BATCH, repeated(workload.targets[0], number)), size.steps
        )
        for number in (1, many)
    }
    measured = alternately(timers, size.repeats)
    typical = medians(measured)
    yield Measurement(
        "paintings",
        f"time of a step at {many} paintings / at 1, batch of {BATCH}",
        typical[str(many)] / typical["1"],
        most=1.1,
        aim="1.03",
        detail=f"{typical[str(many)]:.3f} s / {typical['1']:.3f} s an example",
        measured=measured,
    )


def bfloat16_loss(size: Size) -> Iterator[Measurement]:
    """How far bfloat16's results are from float32's, by their losses in float32."""
    float32 = sample_workload(size.pixels, size.paintings)
    final = {}
    for precision in ("float32", "bfloat16"):
        workload = sample_workload(size.pixels, size.paintings, precision)
        optimization = workload.optimization(workload.batch(len(workload.contents)))
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
    transfer.step()
    seconds = seconds_of(lambda: [transfer.step() for _ in range(size.descent - 1)])
    baseline_seconds = seconds * size.descent / (size.descent - 1)
    goal = transfer.step()
    fast = replace(ADAM, learning_rate=FAST_RATE)
    reached = {
        name: steps_to_loss(float32, workload, goal, size.descent, optimizer)
        for name, workload, optimizer in (
            ("default", float32, ADAM),
            (f"learning rate {FAST_RATE}", float32, fast),
            (f"learning rate {FAST_RATE}, bfloat16", bfloat16, fast),
        )
    }
    best = list(reached)[-1]
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
        measured={
            **{name: list(values) for name, values in reached.items()},
            "baseline": baseline_seconds,
        },
    )


def steps_to_loss(
    float32: Workload, workload: Workload, goal: float, expected: int, optimizer: OptimizerChoice
) -> tuple[int, float]:
    """Steps and seconds until a loss is reached; infinite seconds if not in twice as expected."""
    optimization = workload.optimization(workload.batch(1), optimizer=optimizer)
    optimization.begin()
    seconds = 0.0
    for step in range(1, 2 * expected + 1):
        seconds += seconds_of(optimization.run)
        if total_losses(float32, np.asarray(optimization.images))[0] <= goal:
            return step, seconds
    return 2 * expected, float("inf")


def total_losses(float32: Workload, pictures: np.ndarray) -> np.ndarray:
    """Total loss of each picture (N, S, S, 3), in float32."""
    batch = replace(float32.batch(len(pictures)), start=pictures)
    return np.asarray(float32.optimization(batch).run()[0], float)


def example_timer(workload: Workload, batch: Batch, steps: int) -> Callable[[], float]:
    """A function that measures the seconds of a step, divided by the examples in the batch."""
    optimization = workload.optimization(batch)
    optimization.begin()
    return lambda: step_seconds(optimization, steps) / optimization.examples


def baseline_transfer(workload: Workload, agg: str = "simple") -> Transfer:
    """The baseline on the first content picture and artist, with the same weights."""
    return Transfer(
        baseline_network(workload.transfer.backbone),
        workload.contents[0],
        workload.paintings[0],
        content_weight=workload.transfer.loss.weights.content,
        style_weight=workload.transfer.loss.weights.style,
        agg=agg,
    )


def baseline_network(backbone: Backbone) -> BaselineNetwork:
    """A backbone, weights and all, as the baseline takes it."""
    architecture = backbone.shared.architecture
    shape = (architecture.image_size, architecture.image_size, 3)

    def build() -> Any:
        model: Any = import_callable(architecture.model)(
            include_top=False, weights=None, input_shape=shape
        )
        backbone.shared.holding(backbone.arrays)
        for layer in backbone.shared.cut.layers:
            if layer.weights:
                model.get_layer(layer.name).set_weights(layer.get_weights())
        return model

    preprocess = import_callable(architecture.preprocessing)
    return BaselineNetwork(build, preprocess, backbone.style_layers, backbone.content_layer)
