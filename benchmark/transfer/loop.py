"""The optimisation loop: epochs over batches until a stopping criterion is met."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np

from benchmark.images.pixels import Pictures, gathered, to_float
from benchmark.transfer.batch import Batch, Optimization, make_batches
from benchmark.transfer.features import StyleTargets, check_images
from benchmark.transfer.losses import Tensor
from benchmark.transfer.stopping import Stopping, StopReason, stopping_reason
from benchmark.transfer.style_transfer import StyleTransfer

BLOCK_SECONDS = 0.5
"""For which steps are done in one go: longer, and neither progress nor Ctrl-C would be prompt."""


@dataclass(frozen=True)
class Epoch:
    """The state after an epoch; number 0 is that before the first update.

    `seconds_per_step` is the time of one step over all examples, without compilation and callbacks,
    a mean over the epochs done in one go with the one before; NaN at number 0.
    """

    number: int
    losses: np.ndarray  # rows as in `LOSS_NAMES`, one column an example: (3, N)
    images: Callable[[], Pictures]  # fetches those of the losses, N of (H, W, 3), float32 in [0, 1]
    seconds_per_step: float
    scale: int = 0  # at which of the scales of `optimize_scales`, from 0


class KeptImages(NamedTuple):
    """The images that an optimisation would return now, their losses (3, N) and epochs (N,)."""

    images: Callable[[], Pictures]
    losses: np.ndarray
    epochs: np.ndarray


@dataclass(frozen=True)
class LoopState:
    """All that an optimisation needs to be resumed after an epoch and to end the same.

    There is no random state in it: all randomness is used up before the first step.
    """

    history: np.ndarray  # losses of every epoch so far, as in `Result`
    kept: KeptImages  # what it would return now
    batches: Sequence[Sequence[Tensor]]  # each batch's images and optimiser's variables, in order
    seconds: tuple[float, float]  # spent in steps, and of these in the last epoch
    scale: int = 0  # the number of the scale that it is of
    before: int = 0  # epochs of the scales before it


@dataclass(frozen=True)
class Result:
    """How an optimisation ended."""

    images: Pictures  # the images kept, N of (H, W, 3), float32 in [0, 1]
    losses: np.ndarray  # their losses, rows as in `LOSS_NAMES`, (3, N)
    kept_epochs: np.ndarray  # the epoch of each image kept, (N,)
    history: np.ndarray  # losses of every epoch, rows as in `LOSS_NAMES`, (epochs + 1, 3, N)
    stop_reason: StopReason  # why it ended; with advice where it diverged
    seconds: float  # spent in steps, without compilation and callbacks
    first_epoch: int = 0  # at which the last scale began

    @property
    def first_losses(self) -> np.ndarray:
        """The losses before the first update, at the last scale, (3, N)."""
        return np.asarray(self.history[self.first_epoch])

    @property
    def status(self) -> Literal["finished", "diverged"]:
        """Whether it diverged."""
        return "diverged" if self.stop_reason.stopped_by == "diverged" else "finished"

    @property
    def epochs(self) -> int:
        """Epochs done when it ended."""
        return len(self.history) - 1


def stylize(
    transfer: StyleTransfer,
    contents: np.ndarray,
    targets: StyleTargets,
    stopping: Stopping = Stopping(epochs=100),  # noqa: B008 - a frozen value
    *,
    start: np.ndarray | None = None,
    masks: np.ndarray | None = None,
    batch_size: int = 4,
    keep_best: bool = False,
    on_epoch: Callable[[Epoch], None] | None = None,
) -> Result:
    """Optimise images towards the content of some images and the style of an artist.

    `contents`, and the images to `start` from in their place, are (N, S, S, 3), uint8, or floats
    in [0, 1]; the targets are of `extract_targets` with the same backbone; `masks`, (N, S, S) in
    [0, 1], say where the style acts; `batch_size` images are optimised at a time; `keep_best` and
    `on_epoch` are those of `optimize`.

    Raises:
        ValueError: an array has another shape, type or range.
        MemoryError: a single image does not fit into memory.
    """
    starts = None
    if start is not None:
        check_images(transfer.backbone, start)
        if len(start) != len(contents):
            raise ValueError(f"{len(start)} images to start from, for {len(contents)} contents")
        starts = to_float(start)
    where = None
    if masks is not None:
        if masks.shape != np.shape(contents)[:3]:
            raise ValueError(f"masks must have shape {np.shape(contents)[:3]}, not {masks.shape}")
        if masks.min() < 0 or masks.max() > 1 or not masks.any(axis=(1, 2)).all():
            raise ValueError("masks must be in [0, 1], and each somewhere above 0")
        where = [np.asarray(mask[None], "float32") for mask in masks]
    batches = make_batches(transfer.backbone, contents, [targets], batch_size, starts, masks=where)
    return optimize(
        transfer,
        batches,
        stopping,
        keep_best=keep_best,
        begins_block=lambda epoch: on_epoch is not None,  # It may want the images.
        on_epoch=on_epoch or (lambda epoch: None),
    )


def optimize(
    transfer: StyleTransfer,
    batches: Sequence[Batch],
    stopping: Stopping,
    *,
    keep_best: bool = False,
    resume: LoopState | None = None,
    before: np.ndarray | None = None,
    begins_block: Callable[[int], bool] = lambda epoch: True,
    on_epoch: Callable[[Epoch], None] = lambda epoch: None,
    on_state: Callable[[LoopState], None] = lambda state: None,
    on_smaller_batch: Callable[[int], None] = lambda batch_size: None,
) -> Result:
    """Optimise the images of all batches, epoch by epoch, until `stopping` ends it.

    Args:
        transfer: the backbone must be the one that made the batches' targets.
        batches: what to optimise; the results keep their order.
        stopping: when to end.
        keep_best: keep each example's image of lowest total loss instead of the last.
        resume: continue from this state; the batches must be those that it came from.
        before: the history of a smaller scale, which this one follows: its epochs count on.
        begins_block: whether an epoch's images, or the state before it, are needed; others are done
            in one go, except with `keep_best`, and their images, if asked for, by steps again.
        on_epoch: called after each epoch, from 0 on.
        on_state: called between blocks, when all of an epoch is done and another will follow.
        on_smaller_batch: called when batches were halved, with the new batch size.

    Raises:
        MemoryError: a single example does not fit into memory.
        ValueError: `resume` came from other batches.
    """
    optimization = Optimization(transfer, batches, on_smaller_batch)
    if resume:
        optimization.resume(resume.batches)
    history, first, kept, (seconds, epoch_seconds) = _beginning(resume, before)
    means = [float(np.mean(losses[0])) for losses in history[first:]]
    steps, last = stopping.steps_per_epoch, first + stopping.epochs
    while True:
        number = len(history)
        steps_each = steps if number < last else 1  # Of the last, only the losses are needed.
        epochs = _block_length(number, last, begins_block, epoch_seconds)
        block = optimization.run_block(1 if keep_best else epochs, steps_each)
        seconds += block.seconds
        for index, losses in enumerate(block.losses):
            epoch = Epoch(number + index, losses, block.images(index), epoch_seconds / steps)
            epoch_seconds = block.seconds / len(block.losses)
            history.append(losses)
            means.append(float(np.mean(losses[0])))
            reason = stopping_reason(means, stopping)
            # Nothing of an epoch that diverged, unless it is the first.
            if kept is None or reason is None or reason.stopped_by != "diverged":
                kept = _updated(kept if keep_best else None, epoch)
            on_epoch(epoch)
            if reason is not None:
                return Result(kept.images(), *kept[1:], np.stack(history), reason, seconds, first)
        assert kept is not None  # Since the first epoch.
        del block  # What it holds would be in memory during the next.
        times = seconds, epoch_seconds
        on_state(LoopState(np.stack(history), kept, optimization.states, times, before=first))


def _beginning(
    resume: LoopState | None, before: np.ndarray | None
) -> tuple[list[np.ndarray], int, KeptImages | None, tuple[float, float]]:
    """The losses so far, the first epoch of this scale, images kept and seconds as in a state."""
    if resume:
        return list(resume.history), resume.before, resume.kept, resume.seconds
    # The last epoch of the scale before is the first here, at another size.
    history = [] if before is None else list(before[:-1])
    return history, len(history), None, (0.0, float("nan"))


def _block_length(
    number: int, epochs: int, begins_block: Callable[[int], bool], epoch_seconds: float
) -> int:
    """Epochs to be done in one go from an epoch on: as many as take about half a second.

    At least one; up to the next that begins a block; of the last, number `epochs`, no others.
    """
    # Before the first, and where a backend returned too soon, nothing is known.
    wanted = int(BLOCK_SECONDS / epoch_seconds) if epoch_seconds > 0 else 1
    end = min(number + max(wanted, 1), max(epochs, number + 1))
    return next((n for n in range(number + 1, end) if begins_block(n)), end) - number


def _updated(kept: KeptImages | None, epoch: Epoch) -> KeptImages:
    """An epoch's images, or for each example that of lower total loss; where equal, the kept."""
    numbers = np.full(epoch.losses.shape[1], epoch.number)
    if kept is None:
        return KeptImages(epoch.images, epoch.losses, numbers)
    better = epoch.losses[0] < kept.losses[0]
    if not better.any():
        return kept
    choices = zip(better, epoch.images(), kept.images(), strict=True)
    images = gathered([new if is_better else old for is_better, new, old in choices])
    return KeptImages(
        lambda: images,
        np.where(better, epoch.losses, kept.losses),
        np.where(better, numbers, kept.epochs),
    )
