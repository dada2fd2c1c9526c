"""Style transfer from many paintings: its targets, the optimisation loop, and how that ends."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from time import perf_counter
from types import TracebackType
from typing import NamedTuple, Self

import numpy as np
from keras import ops

from backbones import Backbone
from benchmark import losses
from benchmark.losses import PaintingGrams, Tensor
from benchmark.step import (
    Aggregation,
    LossWeights,
    OptimizerChoice,
    compiled_step,
    measurer,
    step_inputs,
)

ADVICE = "lower optimizer.learning_rate, or loss.style_weight if it was raised"

PREDICTION_BATCH = 5
"""Pictures measured at a time; 30, 25 and 10 are multiples, so that only one shape is compiled."""


@dataclass(frozen=True)
class Stopping:
    """When the optimisation ends.

    Attributes:
        epochs: at the latest after so many.
        steps_per_epoch: optimisation steps in one.
        min_improvement: relative improvement of the average total loss under which an epoch
            counts as no progress.
        patience: epochs without progress, one after the other, that end the run; None: never.
        explosion_factor: multiple of the first average total loss that counts as divergence.
    """

    epochs: int
    steps_per_epoch: int = 1
    min_improvement: float = 0.001
    patience: int | None = 1
    explosion_factor: float = 100.0


class Ending(NamedTuple):
    """Why an optimisation ended: "epochs", "converged" or "diverged", and that in a sentence."""

    stopped_by: str
    message: str


@dataclass(frozen=True)
class Batch:
    """Examples that are optimised together: one artist's paintings, several content pictures.

    Attributes:
        style: the paintings' Gram matrices, one entry a style layer.
        content: the content layer's activations of the content pictures, (N, H, W, C).
        start: the pictures to start from, (N, S, S, 3) in [0, 1].
    """

    style: Sequence[PaintingGrams]
    content: np.ndarray
    start: np.ndarray


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
class Outcome:
    """How an optimisation ended.

    Attributes:
        pictures: the pictures kept, (N, S, S, 3) float32 in [0, 1].
        losses: their losses, rows as in `LOSS_NAMES`, (3, N).
        kept_epochs: the epoch of each kept picture, (N,).
        first_losses: the losses before the first update, (3, N).
        epochs: epochs done when it ended.
        ending: why it ended; with advice where it diverged.
        seconds: time in the algorithm, without compilation and listeners.
    """

    pictures: np.ndarray
    losses: np.ndarray
    kept_epochs: np.ndarray
    first_losses: np.ndarray
    epochs: int
    ending: Ending
    seconds: float


def measure(backbone: Backbone, pictures: np.ndarray) -> list[np.ndarray]:
    """Scaled Gram matrices (N, C, C) of each style layer, then content activations (N, H, W, C).

    Args:
        backbone: the network.
        pictures: shape (N, S, S, 3), values in [0, 1].
    """
    model = measurer(backbone.network)
    parts = [
        model.predict_on_batch(pictures[start : start + PREDICTION_BATCH])
        for start in range(0, len(pictures), PREDICTION_BATCH)
    ]
    return [np.concatenate(arrays) for arrays in zip(*parts, strict=True)]


def channel_energies(backbone: Backbone, pictures: np.ndarray) -> list[np.ndarray]:
    """Root mean square of each channel, (N, C), at each style layer, then the content layer.

    Args:
        backbone: the network.
        pictures: shape (N, S, S, 3), values in [0, 1].
    """
    *grams, content = measure(backbone, pictures)
    # The diagonal of a scaled Gram matrix is a channel's mean square over 2C.
    style = [np.sqrt(2 * gram.shape[-1] * np.einsum("ncc->nc", gram)) for gram in grams]
    return [*style, np.sqrt(np.mean(np.square(content, dtype="float32"), axis=(1, 2)))]


def style_targets(backbone: Backbone, paintings: np.ndarray) -> list[PaintingGrams]:
    """The Gram matrices of n paintings, (n, S, S, 3) in [0, 1], at each style layer."""
    *grams, _ = measure(backbone, paintings)
    return [losses.centre(ops.convert_to_tensor(layer)) for layer in grams]


def stylize(
    backbone: Backbone,
    batches: Sequence[Batch],
    aggregation: Aggregation,
    loss_weights: LossWeights,
    optimizer: OptimizerChoice,
    stopping: Stopping,
    *,
    keep_best: bool = False,
    on_epoch: Callable[[Epoch], None] = lambda epoch: None,
) -> Outcome:
    """Optimise the pictures of all batches, epoch by epoch, until `stopping` ends it.

    The loss is a sum over examples and Adam, SGD and RMSProp act on each pixel alone, so how
    the examples are batched changes none of their results.

    Args:
        backbone: the network that made the batches' targets.
        batches: what to optimise; the results keep their order.
        aggregation: over the paintings, after the sum over layers (the study, section 1).
        loss_weights: of content, style and total variation.
        optimizer: every batch has its own state of it.
        stopping: when to end.
        keep_best: keep each example's picture of lowest total loss instead of the last.
        on_epoch: called after each epoch, from 0 on; not part of the time measured.
    """
    trajectories = [
        Trajectory(backbone, batch, aggregation, loss_weights, optimizer) for batch in batches
    ]
    clock = Clock()
    history: list[float] = []
    while True:
        number = len(history)
        pictures = partial(_to_numpy, [trajectory.pictures for trajectory in trajectories])
        step_seconds = clock.lap() / stopping.steps_per_epoch if number else float("nan")
        # The losses of these pictures come with the step that moves on from them.
        with clock:
            all_losses = np.concatenate([t.run(steps=1) for t in trajectories], axis=1)
        epoch = Epoch(number, all_losses, pictures, step_seconds)
        history.append(float(np.mean(all_losses[0])))
        ending = judge(history, stopping)
        if number == 0:
            first_losses, kept = all_losses, Kept.of(epoch)
        elif ending is None or ending.stopped_by != "diverged":
            kept = best_of(kept, epoch) if keep_best else Kept.of(epoch)
        on_epoch(epoch)
        if ending is not None:
            return Outcome(
                kept.pictures(),
                kept.losses,
                kept.epochs,
                first_losses,
                number,
                ending,
                clock.seconds,
            )
        if stopping.steps_per_epoch > 1:
            with clock:
                for trajectory in trajectories:
                    trajectory.run(stopping.steps_per_epoch - 1)


def judge(history: Sequence[float], stopping: Stopping) -> Ending | None:
    """Whether an optimisation ends, given its average total losses from epoch 0 to now.

    Diverged: not finite, or above `explosion_factor` times the first, or above the first at the
    end: pixels that are clipped keep most losses from exploding further. Converged: each of the
    last `patience` epochs improved by less than `min_improvement`, (before − now) / before.
    """
    ending = _ending(history, stopping)
    if ending and ending.stopped_by != "diverged" and history[-1] > history[0]:
        return Ending(
            "diverged",
            f"the average total loss ended at {history[-1]:.4g} after {len(history) - 1} epochs, "
            f"above the {history[0]:.4g} it began with; {ADVICE}",
        )
    return ending


def _ending(history: Sequence[float], stopping: Stopping) -> Ending | None:
    epoch, now = len(history) - 1, history[-1]
    if not np.isfinite(now):
        return Ending("diverged", f"the average total loss became {now} at epoch {epoch}; {ADVICE}")
    if now > stopping.explosion_factor * history[0]:
        return Ending(
            "diverged",
            f"the average total loss grew from {history[0]:.4g} to {now:.4g} by epoch {epoch}, "
            f"over {stopping.explosion_factor:g} times; {ADVICE}",
        )
    if stopping.patience is not None and epoch >= stopping.patience:
        recent = history[-stopping.patience - 1 :]
        progress = [
            before - after >= stopping.min_improvement * before
            for before, after in pairwise(recent)
        ]
        if not any(progress):
            rose = "; it rose at the end, so a lower optimizer.learning_rate may go further"
            epochs = "an epoch" if stopping.patience == 1 else f"{stopping.patience} epochs"
            return Ending(
                "converged",
                f"the average total loss improved by less than {stopping.min_improvement:.2%} "
                f"in {epochs}{rose if now > history[-2] else ''}",
            )
    if epoch == stopping.epochs:
        return Ending("epochs", f"all {epoch} epochs were done")
    return None


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


class Trajectory:
    """One batch on its way: its own state, and the compiled step that it shares with others."""

    def __init__(
        self,
        backbone: Backbone,
        batch: Batch,
        aggregation: Aggregation,
        loss_weights: LossWeights,
        optimizer: OptimizerChoice,
    ) -> None:
        """Put the batch at its start; compiles the step if this process never did."""
        paintings = len(batch.style[0].deviations)
        self._inputs = step_inputs(batch.style, batch.content, aggregation, loss_weights)
        self._step = compiled_step(
            backbone.network,
            aggregation.function,
            optimizer.constructor,
            optimizer.arguments,
            examples=len(batch.start),
            paintings=paintings,
        )
        self._step.begin(batch.start, optimizer.learning_rate, self._inputs)
        self._state = self._step.state()

    @property
    def pictures(self) -> Tensor:
        """The pictures now, (N, S, S, 3) in [0, 1]."""
        return self._state[0]

    def run(self, steps: int) -> np.ndarray:
        """Do some steps; the losses (3, N) of the pictures before the last of them."""
        self._step.restore(self._state)
        for _ in range(steps):
            self._step.train_on_batch(self._inputs)
        self._state = self._step.state()
        return np.asarray(ops.convert_to_numpy(self._step.example_losses))


class Clock:
    """Adds up the time spent inside `with clock:`."""

    def __init__(self) -> None:
        """At zero."""
        self.seconds = self._lap = self._entered = 0.0

    def __enter__(self) -> None:
        self._entered = perf_counter()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.seconds += perf_counter() - self._entered

    def lap(self) -> float:
        """Seconds added since the last lap."""
        lap, self._lap = self.seconds - self._lap, self.seconds
        return lap


def _to_numpy(pictures: Sequence[Tensor]) -> np.ndarray:
    return np.concatenate([ops.convert_to_numpy(part) for part in pictures])
