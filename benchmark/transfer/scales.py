"""From coarse to fine: one optimisation after the other, each of the enlarged pictures before."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from benchmark.images.pixels import Pictures, gathered
from benchmark.transfer.batch import Batch
from benchmark.transfer.loop import Epoch, LoopState, Result, optimize
from benchmark.transfer.stopping import Stopping
from benchmark.transfer.style_transfer import StyleTransfer


@dataclass(frozen=True)
class Scale:
    """One of the sizes at which pictures are optimised."""

    batches: Callable[[Pictures | None], list[Batch]]  # from images of any size; None: the first
    stopping: Stopping


def optimize_scales(
    transfer: StyleTransfer,
    scales: Sequence[Scale],
    *,
    resume: LoopState | None = None,
    on_state: Callable[[LoopState], None] = lambda state: None,
    on_epoch: Callable[[Epoch], None] = lambda epoch: None,
    **arguments: Any,
) -> Result:
    """Optimise at each of some scales, which are in order, until its `stopping` ends it.

    The optimiser begins anew at each. The result is the last scale's, with all epochs in its
    history; one that diverged is the last. Other arguments are those of `optimize`.

    Raises:
        MemoryError: a single example does not fit into memory.
        ValueError: `resume` came from other batches.
    """
    images: Pictures | None = None
    history: np.ndarray | None = None
    seconds = 0.0
    for number, scale in enumerate(scales):
        if resume and resume.scale > number:
            continue

        def on_state_here(state: LoopState, number: int = number, earlier: float = seconds) -> None:
            total, last_epoch = state.seconds
            on_state(replace(state, scale=number, seconds=(earlier + total, last_epoch)))

        def on_epoch_here(epoch: Epoch, number: int = number) -> None:
            on_epoch(replace(epoch, scale=number))

        result = optimize(
            transfer,
            scale.batches(images),
            scale.stopping,
            resume=resume,
            before=history,
            on_state=on_state_here,
            on_epoch=on_epoch_here,
            **arguments,
        )
        seconds += result.seconds
        images, history, resume = result.images, result.history, None
        if result.status == "diverged":
            break
    return replace(result, seconds=seconds)


def enlarged(images: Pictures, contents: Pictures) -> Pictures:
    """Images in [0, 1], artist by artist, at the sizes of the contents in turn, with Lanczos."""
    # Here, for a GPU machine may lack the libraries that it needs.
    from benchmark.images.upscale import resized_to

    sizes = [contents[index % len(contents)].shape[:2] for index in range(len(images))]
    pairs = zip(images, sizes, strict=True)
    return gathered([resized_to(image, size) for image, size in pairs])
