"""A batch of examples, its optimisation, and its halves where memory is short."""

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from time import perf_counter
from types import TracebackType
from typing import TypeVar

import numpy as np
from keras import ops

from backbones import Backbone
from benchmark.transfer import backend
from benchmark.transfer.losses import PaintingGrams, Tensor, stack_artists
from benchmark.transfer.optimizers import OptimizerChoice
from benchmark.transfer.step import (
    Aggregation,
    Loss,
    StepInputs,
    Stylization,
    compiled_step,
    step_inputs,
)

Result = TypeVar("Result")


@dataclass(frozen=True)
class Batch:
    """Examples that are optimised together, artist by artist, equally many of each.

    Attributes:
        style: for each artist the paintings' Gram matrices, one entry a style layer.
        content: the content layer's activations of the content pictures, (N, H, W, C).
        start: the pictures to start from, (N, S, S, 3) in [0, 1].
    """

    style: Sequence[Sequence[PaintingGrams]]
    content: np.ndarray
    start: np.ndarray

    def halves(self) -> "list[tuple[slice, Batch]]":
        """Two batches in its place, and which of its examples each has; one example has none."""
        artists, examples = len(self.style), len(self.start)
        if examples == 1:
            return []
        styles, middle = [self.style, self.style], examples // 2
        if artists > 1:
            styles = [self.style[: artists // 2], self.style[artists // 2 :]]
            middle = examples // artists * (artists // 2)
        parts = [slice(0, middle), slice(middle, examples)]
        return [
            (part, Batch(style, self.content[part], self.start[part]))
            for part, style in zip(parts, styles, strict=True)
        ]


def at_states(
    optimizations: "Sequence[BatchOptimization]", states: Sequence[Sequence[Tensor]]
) -> "list[BatchOptimization]":
    """Trajectories at the states of earlier ones, in halves where those were halved.

    Raises:
        ValueError: the states are not of these optimizations.
    """
    left = list(states)

    def taken(one: "BatchOptimization") -> "list[BatchOptimization]":
        if not left or len(left[0][0]) > one.examples:
            raise ValueError("these states are of other batches")
        if len(left[0][0]) == one.examples:
            one.state = left.pop(0)
            return [one]
        return [part for half in one.halves() for part in taken(half)]

    found = [part for one in optimizations for part in taken(one)]
    if left:
        raise ValueError("these states are of more batches")
    return found


def map_halving_on_oom(
    optimizations: "list[BatchOptimization]",
    on_smaller_batch: Callable[[int], None],
    action: "Callable[[BatchOptimization], Result]",
) -> list[Result]:
    """Results of an action on each optimization; in the list, halves replace what did not fit.

    Raises:
        MemoryError: a single example does not fit into memory.
    """
    results: list[Result] = []
    while len(results) < len(optimizations):
        place = len(results)
        try:
            results.append(action(optimizations[place]))
            continue
        except Exception as error:
            if not backend.out_of_memory(error):
                raise
            if optimizations[place].examples == 1:
                raise MemoryError(
                    "out of memory with a single picture: lower image_size, use "
                    "precision=bfloat16, or choose fewer or shallower layers"
                ) from error
        # Here, and without a name for what is replaced, so that nothing keeps it in memory; nor
        # is a step used again that failed halfway.
        compiled_step.cache_clear()
        most = max(half.examples for half in optimizations[place].halves())
        optimizations[place:] = [
            part for one in optimizations[place:] for part in one.at_most(most)
        ]
        on_smaller_batch(most)
    return results


class BatchOptimization:
    """One batch on its way: its own state, and the compiled step that it shares with others.

    Attributes:
        state: the pictures now and all that the optimiser remembers; empty before the beginning.
    """

    def __init__(
        self,
        backbone: Backbone,
        batch: Batch,
        aggregation: Aggregation,
        loss: Loss,
        optimizer: OptimizerChoice,
    ) -> None:
        """Of a batch at its start."""
        self._backbone = backbone
        self._batch = batch
        self._aggregation = aggregation
        self._loss = loss
        self._optimizer = optimizer
        self.state: Sequence[Tensor] = ()
        self._begun: tuple[Stylization, StepInputs] | None = None

    @property
    def examples(self) -> int:
        """How many it optimises."""
        return len(self._batch.start)

    @property
    def pictures(self) -> Tensor:
        """The pictures now, (N, S, S, 3) in [0, 1]."""
        return self.state[0] if self.state else self._batch.start

    def begin(self) -> tuple[Stylization, StepInputs]:
        """The step, compiled if this process never did, and its inputs."""
        if self._begun is None:
            batch, optimizer = self._batch, self._optimizer
            style = [stack_artists(layer) for layer in zip(*batch.style, strict=True)]
            inputs = step_inputs(style, batch.content, self._aggregation, self._loss.weights)
            artists, paintings = style[0].squared_deviations.shape
            step = compiled_step(
                self._backbone.network,
                self._loss.functions,
                self._aggregation.function,
                optimizer.constructor,
                optimizer.arguments,
                examples=self.examples,
                paintings=(artists, paintings),
            )
            step.begin(batch.start, optimizer.learning_rate, inputs)
            self.state = self.state or step.state()
            self._begun = step, inputs
        return self._begun

    def run(self, steps: int = 1, clock: "Clock | None" = None) -> np.ndarray:
        """Do some steps; the losses (3, N) of the pictures before the last of them.

        The clock runs meanwhile, but not for compilation.
        """
        step, inputs = self.begin()
        with clock or nullcontext():
            step.restore(self.state)
            for _ in range(steps):
                step.train_on_batch(inputs)
            self.state = step.state()
            return np.asarray(ops.convert_to_numpy(step.example_losses))

    def halves(self) -> "list[BatchOptimization]":
        """Two that go on from here, each with half of the examples."""
        return [self._part(part, batch) for part, batch in self._batch.halves()]

    def at_most(self, examples: int) -> "list[BatchOptimization]":
        """Itself, or halves of it, and so on, until none has more examples."""
        if self.examples <= examples:
            return [self]
        return [part for half in self.halves() for part in half.at_most(examples)]

    def _part(self, part: slice, batch: Batch) -> "BatchOptimization":
        half = BatchOptimization(
            self._backbone, batch, self._aggregation, self._loss, self._optimizer
        )
        if self.state:
            whole = self.state[0].shape
            # What an optimiser remembers is either of each pixel or of the whole batch.
            half.state = [v[part] if v.shape == whole else v for v in self.state]
        return half


class Clock:
    """Adds up the time spent inside `with clock:`, where that succeeded."""

    def __init__(self, seconds: float = 0.0, lap: float = 0.0) -> None:
        """At zero, or where another stood."""
        self.seconds, self._lap, self._entered = seconds, lap, 0.0

    def __enter__(self) -> None:
        self._entered = perf_counter()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is None:
            self.seconds += perf_counter() - self._entered

    def lap(self) -> float:
        """Seconds added since the last lap."""
        lap, self._lap = self.seconds - self._lap, self.seconds
        return lap

    def stands(self) -> tuple[float, float]:
        """Seconds in all, and those until the last lap; another goes on from them."""
        return self.seconds, self._lap


def _to_numpy(pictures: Sequence[Tensor]) -> np.ndarray:
    return np.concatenate([ops.convert_to_numpy(part) for part in pictures])
