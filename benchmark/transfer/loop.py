"""The optimisation loop: epochs over batches until a stopping criterion is met."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from time import perf_counter
from typing import Literal, NamedTuple, Self

import numpy as np
from keras import ops

from benchmark.transfer.batch import Batch, BatchOptimization, map_halving_on_oom, resume_from
from benchmark.transfer.losses import Tensor
from benchmark.transfer.stopping import Stopping, StopReason, stopping_reason
from benchmark.transfer.style_transfer import StyleTransfer


@dataclass(frozen=True)
class Epoch:
    """The state after an epoch; number 0 is that before the first update.

    Attributes:
        number: epochs done.
        losses: rows as in `LOSS_NAMES`, one column an example: (3, N).
        images: fetches the images that these are the losses of, (N, S, S, 3) float32 in [0, 1].
        seconds_per_step: time of one step over all examples in the epoch before, without
            compilation and callbacks; NaN at number 0.
    """

    number: int
    losses: np.ndarray
    images: Callable[[], np.ndarray]
    seconds_per_step: float


class KeptImages(NamedTuple):
    """The images that an optimisation would return now, their losses (3, N) and epochs (N,)."""

    images: Callable[[], np.ndarray]
    losses: np.ndarray
    epochs: np.ndarray

    @classmethod
    def of(cls, epoch: Epoch) -> Self:
        """All images of one epoch."""
        return cls(epoch.images, epoch.losses, np.full(epoch.losses.shape[1], epoch.number))

    def fetched(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The images themselves, (N, S, S, 3), their losses and epochs."""
        return self.images(), self.losses, self.epochs

    def lower_loss(self, later: Self) -> "KeptImages":
        """For each example the image of lower total loss; these where both are equal."""
        better = later.losses[0] < self.losses[0]
        if not better.any():
            return self
        images = np.where(better[:, None, None, None], later.images(), self.images())
        return KeptImages(
            lambda: images,
            np.where(better, later.losses, self.losses),
            np.where(better, later.epochs, self.epochs),
        )


@dataclass(frozen=True)
class LoopState:
    """All that an optimisation needs to be resumed after an epoch and to end the same.

    There is no random state in it: all randomness is used up before the first step.

    Attributes:
        history: losses of every epoch so far, rows as in `LOSS_NAMES`, (epochs + 1, 3, N).
        kept: what it would return now.
        batches: of each batch in order, its images and its optimiser's variables.
        seconds: spent in steps, and of these in the last epoch.
    """

    history: np.ndarray
    kept: KeptImages
    batches: Sequence[Sequence[Tensor]]
    seconds: tuple[float, float]


@dataclass(frozen=True)
class Result:
    """How an optimisation ended.

    Attributes:
        images: the images kept, (N, S, S, 3) float32 in [0, 1].
        losses: their losses, rows as in `LOSS_NAMES`, (3, N).
        kept_epochs: the epoch of each image kept, (N,).
        history: losses of every epoch, (epochs + 1, 3, N).
        stop_reason: why it ended; with advice where it diverged.
        seconds: spent in steps, without compilation and callbacks.
    """

    images: np.ndarray
    losses: np.ndarray
    kept_epochs: np.ndarray
    history: np.ndarray
    stop_reason: StopReason
    seconds: float

    @property
    def first_losses(self) -> np.ndarray:
        """The losses before the first update, (3, N)."""
        return np.asarray(self.history[0])

    @property
    def status(self) -> Literal["finished", "diverged"]:
        """Whether it diverged."""
        return "diverged" if self.stop_reason.stopped_by == "diverged" else "finished"

    @property
    def epochs(self) -> int:
        """Epochs done when it ended."""
        return len(self.history) - 1


def optimize(
    transfer: StyleTransfer,
    batches: Sequence[Batch],
    stopping: Stopping,
    *,
    keep_best: bool = False,
    resume: LoopState | None = None,
    on_epoch: Callable[[Epoch], None] = lambda epoch: None,
    on_state: Callable[[LoopState], None] = lambda state: None,
    on_smaller_batch: Callable[[int], None] = lambda batch_size: None,
) -> Result:
    """Optimise the images of all batches, epoch by epoch, until `stopping` ends it.

    The loss is a sum over examples and Adam, SGD and RMSProp act on each pixel alone, so how
    the examples are batched changes none of their results. A batch that does not fit into memory
    is halved, and continues from where it was.

    Args:
        transfer: the backbone must be the one that made the batches' targets.
        batches: what to optimise; the results keep their order.
        stopping: when to end.
        keep_best: keep each example's image of lowest total loss instead of the last.
        resume: continue from this state; the batches must be those that it came from.
        on_epoch: called after each epoch, from 0 on.
        on_state: called when everything of an epoch is done and another will follow.
        on_smaller_batch: called when batches were halved, with the new batch size.

    Raises:
        MemoryError: a single example does not fit into memory.
        ValueError: `resume` came from other batches.
    """
    optimizations = [BatchOptimization(transfer, batch) for batch in batches]
    history: list[np.ndarray] = []
    kept, seconds, epoch_seconds = None, 0.0, float("nan")
    if resume:
        optimizations = resume_from(optimizations, resume.batches)
        history, kept, (seconds, epoch_seconds) = list(resume.history), resume.kept, resume.seconds
    means = [float(np.mean(losses[0])) for losses in history]
    run = partial(_run, optimizations, on_smaller_batch)
    while True:
        images = partial(_to_numpy, [optimization.images for optimization in optimizations])
        seconds_per_step = epoch_seconds / stopping.steps_per_epoch
        # The losses of these images come with the step that moves on from them.
        losses, epoch_seconds = run(1)
        epoch = Epoch(len(history), losses, images, seconds_per_step)
        history.append(losses)
        means.append(float(np.mean(losses[0])))
        stop_reason = stopping_reason(means, stopping)
        kept = _updated(kept, epoch, stop_reason, keep_best)
        on_epoch(epoch)
        if stop_reason is not None:
            return Result(*kept.fetched(), np.stack(history), stop_reason, seconds + epoch_seconds)
        if stopping.steps_per_epoch > 1:
            epoch_seconds += run(stopping.steps_per_epoch - 1)[1]
        seconds += epoch_seconds
        states = [optimization.state for optimization in optimizations]
        on_state(LoopState(np.stack(history), kept, states, (seconds, epoch_seconds)))


def _run(
    optimizations: list[BatchOptimization], on_smaller_batch: Callable[[int], None], steps: int
) -> tuple[np.ndarray, float]:
    """Do some steps of all batches; the losses (3, N) before the last, and the seconds it took.

    Compilation is not part of these.
    """

    def timed(optimization: BatchOptimization) -> tuple[np.ndarray, float]:
        optimization.begin()
        began = perf_counter()
        losses = optimization.run(steps)
        return losses, perf_counter() - began

    results = map_halving_on_oom(optimizations, on_smaller_batch, timed)
    losses = np.concatenate([part for part, _ in results], axis=1)
    return losses, sum(seconds for _, seconds in results)


def _updated(
    kept: KeptImages | None, epoch: Epoch, stop_reason: StopReason | None, keep_best: bool
) -> KeptImages:
    """What is kept after an epoch: nothing of one that diverged, unless it is the first."""
    current = KeptImages.of(epoch)
    if kept is None:
        return current
    if stop_reason is not None and stop_reason.stopped_by == "diverged":
        return kept
    return kept.lower_loss(current) if keep_best else current


def _to_numpy(images: Sequence[Tensor]) -> np.ndarray:
    return np.concatenate([ops.convert_to_numpy(part) for part in images])
