"""What a sweep will cost on this machine, estimated from a few measured steps."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from time import perf_counter
from typing import NamedTuple

import numpy as np
from rich.console import Console

from benchmark.analysis.pages import with_noun
from benchmark.runs.prepare import Prepared
from benchmark.transfer import backend
from benchmark.transfer.batch import Batch, Optimization
from benchmark.transfer.style_transfer import StyleTransfer


class StepCost(NamedTuple):
    """What a step of a backbone costs with a batch of so many examples, and compiling it."""

    backbone: str
    batch: int
    step_seconds: float
    compile_seconds: float


@dataclass(frozen=True)
class CostEstimate:
    """How long each run's optimisation takes if none stops early; logging comes on top."""

    seconds: Sequence[float]
    began: float = field(default_factory=perf_counter)  # when the sweep started

    def progress(self, done: int) -> str:
        """How long the first runs of a sweep took, and about how long the others will take."""
        passed = perf_counter() - self.began
        estimated = sum(self.seconds[:done])
        left = sum(self.seconds[done:]) * (passed / estimated if estimated else 1.0)
        line = f"{done} of {len(self.seconds)} runs done in {duration(passed)}"
        if done == len(self.seconds):
            return f"{line}, estimated: {duration(estimated)} for the steps"
        return f"{line}, about {duration(left)} left"


def print_estimate(runs: Iterable[Prepared], output: Console) -> CostEstimate:
    """Measure a few steps of each backbone, count those of all runs, and print what these cost."""
    output.print("Measuring a few steps of each backbone …")
    costs: dict[tuple[object, ...], StepCost] = {}
    compiled = set()
    seconds = []
    examples = steps = 0
    for run in runs:
        plans, transfer = run.plans(), run.transfer
        examples_at_once = max(plan.examples for plan in plans)
        # Those of Keras take the same time.
        batch = (run.backbone.shared, examples_at_once, type(transfer.optimizer))
        kind = (
            *batch,
            transfer.loss.style,
            transfer.loss.content,
            transfer.aggregation.function,
            transfer.aggregation.constants,
            transfer.optimizer.compiled_form(),
            len(run.paintings[0].names),
            len(plans[0].artists),
        )
        if batch not in costs:
            costs[batch] = measure_step(run)
            compiled.add(kind)
        cost = costs[batch]
        updates = run.epochs * run.stopping.steps_per_epoch
        # A step of a smaller scale costs as much less as it has fewer pixels.
        shares = np.square(np.divide(run.sizes, run.sizes[-1]))
        share = float(np.average(shares, weights=run.epochs_each))
        run_seconds = updates * share * cost.step_seconds * len(run.examples) / cost.batch
        seconds.append(run_seconds + (0.0 if kind in compiled else cost.compile_seconds))
        compiled.add(kind)
        steps += updates * len(run.examples)
        examples += len(run.examples)
    peak = backend.peak_memory()  # in bytes, after a step of every backbone
    memory = f"; {peak / 2**30:.1f} GiB of main memory" if peak else ""
    each = (f"{c.backbone} {c.step_seconds / c.batch:.3g} s" for c in costs.values())
    output.print(
        f"Estimated: {with_noun(len(seconds), 'run')}, {with_noun(examples, 'example')}, at most "
        f"{steps:,} steps of one example; the steps take about {duration(sum(seconds))} on this "
        f"machine if no run converges early, pictures and metrics come on top{memory}\n"
        f"  measured per step of one example: {', '.join(each)}",
        soft_wrap=True,
    )
    return CostEstimate(seconds)


def measure_step(run: Prepared) -> StepCost:
    """The cost of a step of a run's largest batch."""
    return step_cost(run.transfer, max(run.batches(), key=lambda batch: len(batch.start)))


def step_cost(transfer: StyleTransfer, batch: Batch) -> StepCost:
    """The cost of a step of a batch."""
    began = perf_counter()
    optimization = Optimization(transfer, [batch])
    optimization.run_block(epochs=1, steps_per_epoch=1)
    compiled = perf_counter()
    part, steps = optimization.parts[0], 3
    part.run(steps=steps)
    step_seconds = (perf_counter() - compiled) / steps
    return StepCost(transfer.backbone.name, part.examples, step_seconds, compiled - began)


def duration(seconds: float) -> str:
    """Seconds in the units that people use."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes // 60} h {minutes % 60:02d} min" if minutes >= 60 else f"{minutes} min"
