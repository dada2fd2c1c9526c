"""The optimisation loop: epochs over batches until a stopping criterion is met."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np

from benchmark.images.pixels import to_float
from benchmark.transfer.batch import Batch, Optimization, make_batches
from benchmark.transfer.features import StyleTargets, check_images
from benchmark.transfer.losses import Tensor
from benchmark.transfer.stopping import Stopping, StopReason, stopping_reason
from benchmark.transfer.style_transfer import StyleTransfer


@dataclass(frozen=True)
class Epoch:
    """The state after an epoch; number 0 is that before the first update.

    `seconds_per_step` is the time of one step over all examples in the epoch before, without
    compilation and callbacks; NaN at number 0.
    """

    number: int
    losses: np.ndarray  # rows as in `LOSS_NAMES`, one column an example: (3, N)
    images: Callable[[], np.ndarray]  # fetches those of the losses, (N, S, S, 3) float32 in [0, 1]
    seconds_per_step: float


class KeptImages(NamedTuple):
    """The images that an optimisation would return now, their losses (3, N) and epochs (N,)."""

    images: Callable[[], np.ndarray]
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


@dataclass(frozen=True)
class Result:
    """How an optimisation ended."""

    images: np.ndarray  # the images kept, (N, S, S, 3) float32 in [0, 1]
    losses: np.ndarray  # their losses, rows as in `LOSS_NAMES`, (3, N)
    kept_epochs: np.ndarray  # the epoch of each image kept, (N,)
    history: np.ndarray  # losses of every epoch, rows as in `LOSS_NAMES`, (epochs + 1, 3, N)
    stop_reason: StopReason  # why it ended; with advice where it diverged
    seconds: float  # spent in steps, without compilation and callbacks

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


def stylize(
    transfer: StyleTransfer,
    contents: np.ndarray,
    targets: StyleTargets,
    stopping: Stopping = Stopping(epochs=100),  # noqa: B008 - a frozen value
    *,
    start: np.ndarray | None = None,
    batch_size: int = 4,
    keep_best: bool = False,
    on_epoch: Callable[[Epoch], None] = lambda epoch: None,
) -> Result:
    """Optimise images towards the content of some images and the style of an artist.

    `contents`, and the images to `start` from in their place, are (N, S, S, 3), uint8, or floats
    in [0, 1]; the targets are of `extract_targets` with the same backbone; `batch_size` images are
    optimised at a time; `keep_best` and `on_epoch` are those of `optimize`.

    Raises:
        ValueError: an array has another shape, type or range.
        MemoryError: a single image does not fit into memory.
    """
    starts = None
    if start is not None:
        check_images(transfer.backbone, start)
        if len(start) != len(contents):
            raise ValueError(f"{len(start)} images to start from, for {len(contents)} contents")
        starts = to_float(start)[None]
    batches = make_batches(transfer.backbone, contents, [targets], batch_size, starts)
    return optimize(transfer, batches, stopping, keep_best=keep_best, on_epoch=on_epoch)


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
    optimization = Optimization(transfer, batches, on_smaller_batch)
    history: list[np.ndarray] = []
    kept, seconds, epoch_seconds = None, 0.0, float("nan")
    if resume:
        optimization.resume(resume.batches)
        history, kept, (seconds, epoch_seconds) = list(resume.history), resume.kept, resume.seconds
    means = [float(np.mean(losses[0])) for losses in history]
    while True:
        images, seconds_per_step = optimization.images, epoch_seconds / stopping.steps_per_epoch
        # The losses of these images come with the step that moves on from them.
        losses, epoch_seconds = optimization.run()
        epoch = Epoch(len(history), losses, images, seconds_per_step)
        history.append(losses)
        means.append(float(np.mean(losses[0])))
        stop_reason = stopping_reason(means, stopping)
        # Nothing of an epoch that diverged, unless it is the first.
        if kept is None or stop_reason is None or stop_reason.stopped_by != "diverged":
            kept = _updated(kept if keep_best else None, epoch)
        on_epoch(epoch)
        if stop_reason is not None:
            seconds += epoch_seconds
            return Result(kept.images(), *kept[1:], np.stack(history), stop_reason, seconds)
        if stopping.steps_per_epoch > 1:
            epoch_seconds += optimization.run(stopping.steps_per_epoch - 1)[1]
        seconds += epoch_seconds
        states = [part.state for part in optimization.parts]
        on_state(LoopState(np.stack(history), kept, states, (seconds, epoch_seconds)))


def _updated(kept: KeptImages | None, epoch: Epoch) -> KeptImages:
    """An epoch's images, or for each example that of lower total loss; where equal, the kept."""
    numbers = np.full(epoch.losses.shape[1], epoch.number)
    if kept is None:
        return KeptImages(epoch.images, epoch.losses, numbers)
    better = epoch.losses[0] < kept.losses[0]
    if not better.any():
        return kept
    images = np.where(better[:, None, None, None], epoch.images(), kept.images())
    return KeptImages(
        lambda: images,
        np.where(better, epoch.losses, kept.losses),
        np.where(better, numbers, kept.epochs),
    )
