"""Style transfer of images given as arrays."""

from collections.abc import Callable

import numpy as np

from benchmark.images.pixels import to_float
from benchmark.transfer.batch import make_batches
from benchmark.transfer.features import check_images
from benchmark.transfer.loop import Epoch, Result, optimize
from benchmark.transfer.stopping import Stopping
from benchmark.transfer.style_transfer import StyleTransfer
from benchmark.transfer.targets import StyleTargets


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

    Args:
        transfer: network, aggregation, loss and optimiser.
        contents: shape (N, S, S, 3), uint8, or floats in [0, 1].
        targets: the artist's, from `extract_targets` with the same backbone.
        stopping: when to end.
        start: where to start, like `contents`; None: at these.
        batch_size: images optimised at a time.
        keep_best: keep each example's image of lowest total loss instead of the last.
        on_epoch: called after each epoch, from 0 on.

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
