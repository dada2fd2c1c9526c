"""Figures of single steps, ours and the baseline's in turn."""

from collections.abc import Callable, Iterator
from functools import partial

import numpy as np

from benchmark.bench.arithmetic import matrix_timer, operations, seconds_of
from benchmark.bench.baseline import Transfer
from benchmark.bench.figures import Figure, alternately, medians
from benchmark.bench.workload import Size, Workload, baseline_network, configured, workload
from benchmark.runs.prepare import optimizer_choice
from benchmark.transfer.batch import BatchOptimization
from benchmark.transfer.optimizers import OptimizerChoice

BATCH = 4
"""Examples in a batch here: the default of a run."""

MATRIX = 4096
"""Rows and columns of the square matrices whose product shows what the machine can do."""

FAST_RATE = 0.03
"""Adam's learning rate where time to a loss counts; the study's default is 0.01."""


def step_figures(size: Size, wanted: set[str]) -> Iterator[Figure]:
    """Those of the figures below that are wanted."""
    if wanted & {"step", "batch", "bfloat16", "matrix", "matrix_bfloat16"}:
        yield from times(size)
    if "paintings" in wanted:
        yield paintings(size)
    if "bfloat16_loss" in wanted:
        yield bfloat16_loss(size)
    if "descent" in wanted:
        yield descent(size)


def times(size: Size) -> Iterator[Figure]:
    """A step beside the baseline's, and beside what the machine's arithmetic would allow."""
    exact = workload(configured(size))
    rough = workload(configured(size, "precision=bfloat16"))
    transfer = baseline(size, exact)
    sides = {
        "baseline": lambda: (
            seconds_of(lambda: [transfer.step() for _ in range(size.steps)]) / size.steps
        ),
        "step": step_timer(exact.optimization(1), size.steps),
        "batch": step_timer(exact.optimization(BATCH), size.steps),
        "bfloat16": step_timer(rough.optimization(BATCH), size.steps),
        "matrix": matrix_timer(MATRIX, "float32"),
        "matrix_bfloat16": matrix_timer(MATRIX, "bfloat16"),
    }
    measured = alternately(sides, size.repeats)
    typical = medians(measured)
    arithmetic = operations(exact.backbone)

    def against_baseline(name: str, title: str, most: float, aim: str) -> Figure:
        detail = f"{typical[name]:.3f} s / {typical['baseline']:.3f} s"
        raw = {name: measured[name], "baseline": measured["baseline"]}
        ratio = typical[name] / typical["baseline"]
        return Figure(name, title, ratio, most=most, aim=aim, detail=detail, measured=raw)

    def share(name: str, step: str, precision: str) -> Figure:
        rate, best = arithmetic / typical[step], 2 * MATRIX**3 / typical[name]
        return Figure(
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


def paintings(size: Size) -> Figure:
    """What more paintings cost."""
    exact = workload(configured(size))
    most = max(100, size.paintings)
    sides = {
        "1": step_timer(exact.optimization(BATCH, paintings=1), size.steps),
        "many": step_timer(exact.optimization(BATCH, paintings=most), size.steps),
    }
    measured = alternately(sides, size.repeats)
    typical = medians(measured)
    return Figure(
        "paintings",
        f"time of a step at {most} paintings / at 1, batch of {BATCH}",
        typical["many"] / typical["1"],
        most=1.1,
        aim="1.03",
        detail=f"{typical['many']:.3f} s / {typical['1']:.3f} s an example",
        measured=measured,
    )


def bfloat16_loss(size: Size) -> Figure:
    """How far bfloat16's results are from float32's, by their losses in float32."""
    exact = workload(configured(size))
    rough = workload(configured(size, "precision=bfloat16"))
    finals = []
    for side in (exact, rough):
        optimization = side.optimization(len(side.contents))
        optimization.run(size.descent)
        finals.append(total_losses(exact, np.asarray(optimization.pictures)))
    ratios = finals[1] / finals[0]
    return Figure(
        "bfloat16_loss",
        f"loss after {size.descent} steps in bfloat16 / in float32, both evaluated in float32",
        float(ratios[np.argmax(np.abs(ratios - 1))]),
        least=0.99,
        most=1.01,
        detail=f"the farthest of {len(ratios)} examples",
        measured={"float32": finals[0].tolist(), "bfloat16": finals[1].tolist()},
    )


def descent(size: Size) -> Figure:
    """Time until the baseline's loss after so many steps is reached, set-up apart on both sides.

    One long measurement of each side, not several in turn.
    Ours: Adam as well, from the same start, with options that the study's default leaves off.
    Ours counts as there when the loss in float32 is; how often that is looked at costs nothing.
    """
    exact = workload(configured(size))
    rough = workload(configured(size, "precision=bfloat16"))
    transfer = baseline(size, exact)
    transfer.step()
    seconds = seconds_of(lambda: [transfer.step() for _ in range(size.descent - 1)])
    theirs = seconds * size.descent / (size.descent - 1)
    goal = transfer.step()
    fast = optimizer_choice(configured(size, f"optimizer.learning_rate={FAST_RATE}").optimizer)
    found = {
        name: reach(exact, side, goal, size.descent, optimizer)
        for name, side, optimizer in (
            ("default", exact, exact.optimizer),
            (f"learning rate {FAST_RATE}", exact, fast),
            (f"learning rate {FAST_RATE}, bfloat16", rough, fast),
        )
    }
    best = list(found)[-1]
    steps, ours = found[best]
    others = "; ".join(f"{name}: {one[1] / theirs:.2f}" for name, one in found.items())
    return Figure(
        "descent",
        f"time to the baseline's loss after {size.descent} steps, {best}",
        ours / theirs,
        most=0.5,
        aim="0.2",
        detail=f"{ours:.1f} s ({steps} steps) / {theirs:.1f} s; {others}",
        measured={**{name: list(one) for name, one in found.items()}, "baseline": theirs},
    )


def reach(
    exact: Workload, side: Workload, goal: float, most: int, optimizer: OptimizerChoice
) -> tuple[int, float]:
    """Steps and seconds until a loss is reached; infinitely many seconds where it is not."""
    optimization = side.optimization(1, optimizer=optimizer)
    optimization.begin()
    seconds = 0.0
    for step in range(1, 2 * most + 1):
        seconds += seconds_of(optimization.run)
        if total_losses(exact, np.asarray(optimization.pictures))[0] <= goal:
            return step, seconds
    return 2 * most, float("inf")


def total_losses(exact: Workload, pictures: np.ndarray) -> np.ndarray:
    """Total loss of each picture, in float32."""
    return np.asarray(exact.optimization(len(pictures), start=pictures).run()[0], float)


def baseline(size: Size, like: Workload) -> Transfer:
    """The baseline on the first content picture, with the same weights."""
    return Transfer(
        baseline_network(configured(size), like.backbone),
        like.contents[0],
        like.paintings,
        content_weight=like.loss.weights.content,
        style_weight=like.loss.weights.style,
    )


def step_timer(optimization: BatchOptimization, steps: int) -> Callable[[], float]:
    """Metrics seconds of a step and example."""
    optimization.begin()
    return partial(_step_seconds, optimization, steps)


def _step_seconds(optimization: BatchOptimization, steps: int) -> float:
    return seconds_of(lambda: optimization.run(steps)) / steps / optimization.examples
