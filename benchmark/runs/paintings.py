"""Which painting of an artist is how near to each result of a run."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from PIL import Image

from benchmark.images.pixels import Pictures, gathered
from benchmark.runs.prepare import Prepared
from benchmark.tracking.log import RunLog
from benchmark.tracking.records import Artifact, PaintingLoss, painting_file
from benchmark.transfer.losses import stack_artists
from benchmark.transfer.painting_losses import painting_losses


def compare_with_paintings(prepared: Prepared, images: Pictures) -> list[PaintingLoss]:
    """Optimised images, N of (H, W, 3) in [0, 1], against each painting of their artists."""
    found: dict[int, tuple[np.ndarray, np.ndarray]] = {}
    contents = len(prepared.content.names)
    masks = prepared.masks.at(prepared.contents()) if prepared.masks else None
    for group, targets in zip(prepared.content_groups, prepared.style_targets(), strict=True):
        of_group_masks = [masks[index] for index in group] if masks else None
        if prepared.together:
            targets = [[stack_artists(layer) for layer in zip(*targets, strict=True)]]
        for number, of_artist in enumerate(targets):
            places = [number * contents + index for index in group]
            of_group = gathered([images[place] for place in places])
            compared = painting_losses(prepared.transfer, of_group, of_artist, of_group_masks)
            found |= zip(places, zip(*compared, strict=True), strict=True)
    rows: list[PaintingLoss] = []
    for place, (artist, content) in enumerate(prepared.examples):
        losses, shares = found[place]
        nearest = np.nanargmin(losses) if np.isfinite(losses).any() else None
        rows += [
            PaintingLoss(
                artist=artist,
                content=content,
                painting=painting,
                style_loss=float(losses[index]),
                gradient_share=float(shares[index]),
                nearest=index == nearest,
            )
            for index, painting in enumerate(prepared.paintings[place // contents].names)
        ]
    return rows


def log_painting_losses(log: RunLog, prepared: Prepared, rows: Sequence[PaintingLoss]) -> None:
    """Log a run's table of them, and the paintings that are some result's nearest."""
    table = pd.DataFrame([row.model_dump() for row in rows], columns=[*PaintingLoss.model_fields])
    log.table(Artifact.PAINTING_LOSSES, table)
    nearest = {(row.artist, row.painting) for row in rows if row.nearest}
    for paintings in prepared.paintings:
        for name, pixels in zip(paintings.names, paintings.pixels, strict=True):
            if (paintings.name, name) in nearest:
                log.picture(painting_file(paintings.name, name), Image.fromarray(pixels))
