"""Which painting of an artist is how near to each result of a run."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from PIL import Image

from benchmark.images.pixels import Pictures
from benchmark.runs.prepare import Prepared
from benchmark.tracking.log import RunLog
from benchmark.tracking.records import Artifact, PaintingLoss, painting_file
from benchmark.transfer.painting_losses import painting_losses


def compare_with_paintings(prepared: Prepared, results: Pictures) -> list[PaintingLoss]:
    """Results, N of (H, W, 3) in [0, 1], against each painting of their artists."""
    contents, targets = prepared.content.names, prepared.style_targets()
    rows: list[PaintingLoss] = []
    for number, (paintings, of_artist) in enumerate(zip(prepared.paintings, targets, strict=True)):
        first = number * len(contents)
        images = results[first : first + len(contents)]
        compared = painting_losses(prepared.transfer, images, of_artist)
        for content, losses, shares in zip(contents, *compared, strict=True):
            nearest = np.nanargmin(losses) if np.isfinite(losses).any() else None
            rows += [
                PaintingLoss(
                    artist=paintings.name,
                    content=content,
                    painting=painting,
                    style_loss=float(losses[place]),
                    gradient_share=float(shares[place]),
                    nearest=place == nearest,
                )
                for place, painting in enumerate(paintings.names)
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
