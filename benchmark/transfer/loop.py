"""The optimisation loop: epochs over batches until a stopping criterion is met."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal, NamedTuple, Self

import numpy as np

from backbones import Backbone
from benchmark.transfer.batch import (
    Batch,
    BatchOptimization,
    Clock,
    _to_numpy,
    at_states,
    map_halving_on_oom,
)
from benchmark.transfer.losses import Tensor
from benchmark.transfer.optimizers import OptimizerChoice
from benchmark.transfer.step import (
    Aggregation,
    Loss,
)
from benchmark.transfer.stopping import Stopping, StopReason, stopping_reason


@dataclass(frozen=True)
class Epoch:
    """What a listener is told after each epoch; number 0 is the state before the first update.

    Attributes:
        number: epochs done.
        losses: rows as in `LOSS_NAMES`, one column an example: (3, N).
        pictures: fetches the pictures these losses belong to, (N, S, S, 3) float32 in [0, 1].
        seconds_per_step: time of one step over all examples in the epoch before, without
            compilation and listeners; NaN at number 0.
    """

    number: int
    losses: np.ndarray
    pictures: Callable[[], np.ndarray]
    seconds_per_step: float


class Kept(NamedTuple):
    """The pictures that a run keeps so far, their losses (3, N) and their epochs (N,)."""

    pictures: Callable[[], np.ndarray]
    losses: np.ndarray
    epochs: np.ndarray

    @classmethod
    def of(cls, epoch: Epoch) -> Self:
        """All pictures of one epoch."""
        return cls(epoch.pictures, epoch.losses, np.full(epoch.losses.shape[1], epoch.number))


@dataclass(frozen=True)
class Progress:
    """Where an optimisation stands after an epoch; going on from it leads to the same end.

    There is no random state in it: all randomness is used up before the first step.

    Attributes:
        history: losses of every epoch so far, rows as in `LOSS_NAMES`, (epochs + 1, 3, N).
        kept: what is kept so far.
        states: of each batch in order, its pictures and all that its optimiser remembers.
        clock: seconds in the algorithm until now, and until the epoch before.
    """

    history: np.ndarray
    kept: Kept
    states: Sequence[Sequence[Tensor]]
    clock: tuple[float, float]


@dataclass(frozen=True)
class Outcome:
    """How an optimisation ended.

    Attributes:
        pictures: the pictures kept, (N, S, S, 3) float32 in [0, 1].
        losses: their losses, rows as in `LOSS_NAMES`, (3, N).
        kept_epochs: the epoch of each kept picture, (N,).
        history: losses of every epoch, (epochs + 1, 3, N).
        ending: why it ended; with advice where it diverged.
        seconds: time in the algorithm, without compilation and listeners.
    """

    pictures: np.ndarray
    losses: np.ndarray
    kept_epochs: np.ndarray
    history: np.ndarray
    ending: StopReason
    seconds: float

    @property
    def first_losses(self) -> np.ndarray:
        """The losses before the first update, (3, N)."""
        first: np.ndarray = self.history[0]
        return first

    @property
    def status(self) -> Literal["finished", "diverged"]:
        """What the run is marked as, "finished" or "diverged"."""
        return "diverged" if self.ending.stopped_by == "diverged" else "finished"

    @property
    def epochs(self) -> int:
        """Epochs done when it ended."""
        return len(self.history) - 1


def stylize(
    backbone: Backbone,
    batches: Sequence[Batch],
    aggregation: Aggregation,
    loss: Loss,
    optimizer: OptimizerChoice,
    stopping: Stopping,
    *,
    keep_best: bool = False,
    after: Progress | None = None,
    on_epoch: Callable[[Epoch], None] = lambda epoch: None,
    on_progress: Callable[[Progress], None] = lambda progress: None,
    on_smaller_batch: Callable[[int], None] = lambda examples: None,
) -> Outcome:
    """Optimise the pictures of all batches, epoch by epoch, until `stopping` ends it.

    The loss is a sum over examples and Adam, SGD and RMSProp act on each pixel alone, so how
    the examples are batched changes none of their results. A batch that does not fit into memory
    is halved, and goes on from where it was.

    Args:
        backbone: the network that made the batches' targets.
        batches: what to optimise; the results keep their order.
        aggregation: over the paintings, after the sum over layers (the study, section 1).
        loss: of content, style and total variation.
        optimizer: every batch has its own state of it.
        stopping: when to end.
        keep_best: keep each example's picture of lowest total loss instead of the last.
        after: go on from there; the batches must be those that it came from.
        on_epoch: called after each epoch, from 0 on; not part of the time measured.
        on_progress: called when everything of an epoch is done and another will follow.
        on_smaller_batch: called when batches were halved, with the examples now in one at most.

    Raises:
        MemoryError: a single example does not fit into memory.
        ValueError: `after` came from other batches.
    """
    optimizations = [
        BatchOptimization(backbone, batch, aggregation, loss, optimizer) for batch in batches
    ]
    clock, history = Clock(), []
    if after is not None:
        optimizations = at_states(optimizations, after.states)
        clock, history, kept = Clock(*after.clock), list(after.history), after.kept
    in_each = partial(map_halving_on_oom, optimizations, on_smaller_batch)
    in_each(BatchOptimization.begin)
    means = [float(np.mean(losses[0])) for losses in history]
    while True:
        number = len(history)
        pictures = partial(_to_numpy, [optimization.pictures for optimization in optimizations])
        step_seconds = clock.lap() / stopping.steps_per_epoch if number else float("nan")
        # The losses of these pictures come with the step that moves on from them.
        all_losses = np.concatenate(in_each(partial(BatchOptimization.run, clock=clock)), axis=1)
        epoch = Epoch(number, all_losses, pictures, step_seconds)
        history.append(all_losses)
        means.append(float(np.mean(all_losses[0])))
        ending = stopping_reason(means, stopping)
        if number == 0:
            kept = Kept.of(epoch)
        elif ending is None or ending.stopped_by != "diverged":
            kept = best_of(kept, epoch) if keep_best else Kept.of(epoch)
        on_epoch(epoch)
        if ending is not None:
            return Outcome(
                kept.pictures(),
                kept.losses,
                kept.epochs,
                np.stack(history),
                ending,
                clock.seconds,
            )
        if stopping.steps_per_epoch > 1:
            steps = stopping.steps_per_epoch - 1
            in_each(partial(BatchOptimization.run, steps=steps, clock=clock))
        states = [optimization.state for optimization in optimizations]
        on_progress(Progress(np.stack(history), kept, states, clock.stands()))


def best_of(kept: Kept, epoch: Epoch) -> Kept:
    """For each example, the picture with the lower total loss; the older one on a tie."""
    better = epoch.losses[0] < kept.losses[0]
    if not better.any():
        return kept
    pictures = np.where(better[:, None, None, None], epoch.pictures(), kept.pictures())
    return Kept(
        lambda: pictures,
        np.where(better, epoch.losses, kept.losses),
        np.where(better, epoch.number, kept.epochs),
    )
