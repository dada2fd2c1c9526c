"""Style transfer from many paintings: its targets, the optimisation loop, and how that ends."""

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from time import perf_counter
from types import TracebackType
from typing import NamedTuple, Self, TypeVar

import numpy as np
from keras import ops

from backbones import Backbone
from benchmark import backend
from benchmark.losses import PaintingGrams, Tensor, of_artists
from benchmark.step import (
    Aggregation,
    Loss,
    OptimizerChoice,
    StepInputs,
    Stylization,
    compiled_step,
    measurer,
    step_inputs,
)

ADVICE = "lower optimizer.learning_rate, or loss.style_weight if it was raised"

Result = TypeVar("Result")

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
    ending: Ending
    seconds: float

    @property
    def first_losses(self) -> np.ndarray:
        """The losses before the first update, (3, N)."""
        first: np.ndarray = self.history[0]
        return first

    @property
    def epochs(self) -> int:
        """Epochs done when it ended."""
        return len(self.history) - 1


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
    return energies_of(grams, content)


def energies_of(grams: Sequence[np.ndarray], content: np.ndarray) -> list[np.ndarray]:
    """The same from what `measure` gives."""
    # The diagonal of a scaled Gram matrix is a channel's mean square over 2C.
    style = [np.sqrt(2 * gram.shape[-1] * np.einsum("ncc->nc", gram)) for gram in grams]
    return [*style, np.sqrt(np.mean(np.square(content, dtype="float32"), axis=(1, 2)))]


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
    trajectories = [Trajectory(backbone, batch, aggregation, loss, optimizer) for batch in batches]
    clock, history = Clock(), []
    if after is not None:
        trajectories = at_states(trajectories, after.states)
        clock, history, kept = Clock(*after.clock), list(after.history), after.kept
    in_each = partial(each, trajectories, on_smaller_batch)
    in_each(Trajectory.begin)
    means = [float(np.mean(losses[0])) for losses in history]
    while True:
        number = len(history)
        pictures = partial(_to_numpy, [trajectory.pictures for trajectory in trajectories])
        step_seconds = clock.lap() / stopping.steps_per_epoch if number else float("nan")
        # The losses of these pictures come with the step that moves on from them.
        all_losses = np.concatenate(in_each(partial(Trajectory.run, clock=clock)), axis=1)
        epoch = Epoch(number, all_losses, pictures, step_seconds)
        history.append(all_losses)
        means.append(float(np.mean(all_losses[0])))
        ending = judge(means, stopping)
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
            in_each(partial(Trajectory.run, steps=steps, clock=clock))
        states = [trajectory.state for trajectory in trajectories]
        on_progress(Progress(np.stack(history), kept, states, clock.stands()))


def at_states(
    trajectories: "Sequence[Trajectory]", states: Sequence[Sequence[Tensor]]
) -> "list[Trajectory]":
    """Trajectories at the states of earlier ones, in halves where those were halved.

    Raises:
        ValueError: the states are not of these trajectories.
    """
    left = list(states)

    def taken(one: "Trajectory") -> "list[Trajectory]":
        if not left or len(left[0][0]) > one.examples:
            raise ValueError("these states are of other batches")
        if len(left[0][0]) == one.examples:
            one.state = left.pop(0)
            return [one]
        return [part for half in one.halves() for part in taken(half)]

    found = [part for one in trajectories for part in taken(one)]
    if left:
        raise ValueError("these states are of more batches")
    return found


def each(
    trajectories: "list[Trajectory]",
    on_smaller_batch: Callable[[int], None],
    action: "Callable[[Trajectory], Result]",
) -> list[Result]:
    """Results of an action on each trajectory; in the list, halves replace what did not fit.

    Raises:
        MemoryError: a single example does not fit into memory.
    """
    results: list[Result] = []
    while len(results) < len(trajectories):
        place = len(results)
        try:
            results.append(action(trajectories[place]))
            continue
        except Exception as error:
            if not backend.out_of_memory(error):
                raise
            if trajectories[place].examples == 1:
                raise MemoryError(
                    "out of memory with a single picture: lower image_size, use "
                    "precision=bfloat16, or choose fewer or shallower layers"
                ) from error
        # Here, and without a name for what is replaced, so that nothing keeps it in memory; nor
        # is a step used again that failed halfway.
        compiled_step.cache_clear()
        most = max(half.examples for half in trajectories[place].halves())
        trajectories[place:] = [part for one in trajectories[place:] for part in one.at_most(most)]
        on_smaller_batch(most)
    return results


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
            style = [of_artists(layer) for layer in zip(*batch.style, strict=True)]
            inputs = step_inputs(style, batch.content, self._aggregation, self._loss.weights)
            artists, paintings = style[0].squared_norms.shape
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

    def halves(self) -> "list[Trajectory]":
        """Two that go on from here, each with half of the examples."""
        return [self._part(part, batch) for part, batch in self._batch.halves()]

    def at_most(self, examples: int) -> "list[Trajectory]":
        """Itself, or halves of it, and so on, until none has more examples."""
        if self.examples <= examples:
            return [self]
        return [part for half in self.halves() for part in half.at_most(examples)]

    def _part(self, part: slice, batch: Batch) -> "Trajectory":
        half = Trajectory(self._backbone, batch, self._aggregation, self._loss, self._optimizer)
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
