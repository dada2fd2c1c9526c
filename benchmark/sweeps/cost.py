"""What a sweep will cost on this machine, from a short measurement, and how far it has come."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from time import perf_counter

from benchmark.runs.batches import batches_of, plans_of
from benchmark.runs.prepare import Prepared
from benchmark.transfer import backend
from benchmark.transfer.batch import BatchOptimization, map_halving_on_oom

MEASURED_STEPS = 3


@dataclass(frozen=True)
class Cost:
    """What was measured of one backbone with one batch of examples.

    Attributes:
        backbone: its name.
        batch: examples in the batch.
        step_seconds: of one step of that batch.
        compile_seconds: before the first step of a new kind.
    """

    backbone: str
    batch: int
    step_seconds: float
    compile_seconds: float


@dataclass
class Estimate:
    """A sweep's estimated cost, and what became of it.

    Attributes:
        costs: the measurements.
        examples: in all runs together.
        steps: picture updates at most, one example one step.
        seconds: of each run's optimisation, if none stops early; logging comes on top.
        memory: peak of this process's main memory in bytes, after a step of every backbone.
        began: when the sweep started.
        done: estimated seconds of the runs that are over.
    """

    costs: Sequence[Cost]
    examples: int
    steps: int
    seconds: Sequence[float]
    memory: int | None
    began: float = field(default_factory=perf_counter)
    done: float = 0.0

    def lines(self) -> list[str]:
        """The estimate for people."""
        measured = ", ".join(f"{c.backbone} {c.step_seconds / c.batch:.3g} s" for c in self.costs)
        memory = f", {self.memory / 2**30:.1f} GiB of main memory" if self.memory else ""
        return [
            f"Estimated: {len(self.seconds)} runs, {self.examples} examples, at most "
            f"{self.steps:,} steps of an example: about {duration(sum(self.seconds))} here if none "
            f"converges early, logging apart{memory}",
            f"  measured for a step of one example: {measured}",
        ]

    def after(self, number: int) -> str:
        """How far the sweep is after so many runs, and how long the others will take."""
        passed = perf_counter() - self.began
        self.done = sum(self.seconds[:number])
        left = sum(self.seconds[number:]) * (passed / self.done if self.done else 1.0)
        whole = f"{number} of {len(self.seconds)} runs done in {duration(passed)}"
        if number == len(self.seconds):
            return f"{whole}, estimated: {duration(sum(self.seconds))}, logging apart"
        return f"{whole}, about {duration(left)} left"


def estimate(runs: Sequence[Prepared]) -> Estimate:
    """Measure a few steps of each backbone, and count the steps of all runs.

    What is built and compiled for it, the runs use afterwards as far as the caches hold it.
    """
    costs: dict[tuple[object, int], Cost] = {}
    kinds = set()
    seconds = []
    steps = 0
    for run in runs:
        plans = plans_of(run)
        place = (run.backbone.shared, max(plan.examples for plan in plans))
        kind = (
            *place,
            run.loss.functions,
            run.aggregation.function,
            run.aggregation.constants,
            run.optimizer.constructor,
            run.optimizer.arguments,
            len(run.paintings[0].names),
            len(plans[0].artists),
        )
        if place not in costs:
            costs[place] = measured(run)
            kinds.add(kind)
        cost = costs[place]
        updates = run.stopping.epochs * run.stopping.steps_per_epoch
        run_seconds = updates * cost.step_seconds * len(run.examples) / cost.batch
        seconds.append(run_seconds + (0.0 if kind in kinds else cost.compile_seconds))
        kinds.add(kind)
        steps += updates * len(run.examples)
    examples = sum(len(run.examples) for run in runs)
    return Estimate(list(costs.values()), examples, steps, seconds, backend.peak_memory())


def measured(run: Prepared) -> Cost:
    """The cost of a step of a run's first batch."""
    batch = max(batches_of(run), key=lambda one: len(one.start))
    began = perf_counter()
    optimizations = [BatchOptimization(run.transfer, batch)]
    map_halving_on_oom(optimizations, lambda examples: None, BatchOptimization.run)
    compiled = perf_counter()
    optimizations[0].run(steps=MEASURED_STEPS)
    step_seconds = (perf_counter() - compiled) / MEASURED_STEPS
    return Cost(run.backbone.name, optimizations[0].examples, step_seconds, compiled - began)


def duration(seconds: float) -> str:
    """Seconds in the units that people use."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes // 60} h {minutes % 60:02d} min" if minutes >= 60 else f"{minutes} min"
