"""A run's examples in batches, with their targets and the images that they start from."""

import zlib

import numpy as np

from benchmark.runs.prepare import Prepared
from benchmark.transfer.batch import Batch, BatchPlan, make_batches, plan_batches


def batches_of(prepared: Prepared) -> list[Batch]:
    """All examples in batches."""
    targets = [
        prepared.workspace.style_targets(prepared.backbone, paintings, prepared.cache)
        for paintings in prepared.paintings
    ]
    start = noise(prepared) if prepared.from_noise else None
    return make_batches(prepared.backbone, prepared.content.pixels, targets, prepared.batch, start)


def plans_of(prepared: Prepared) -> list[BatchPlan]:
    """Which examples each of these batches has."""
    paintings = [len(images.names) for images in prepared.paintings]
    return plan_batches(paintings, len(prepared.content.names), prepared.batch)


def noise(prepared: Prepared) -> np.ndarray:
    """Uniform noise to start from, (artists, contents, S, S, 3) in [0, 1].

    An example's depends on the seed and its names alone, not on its place in a batch or sweep.
    """

    def generator(*names: str) -> np.random.Generator:
        return np.random.default_rng([prepared.seed, *(zlib.crc32(n.encode()) for n in names)])

    shape = prepared.content.pixels.shape[1:]
    drawn = [generator(*names).random(shape, dtype=np.float32) for names in prepared.examples]
    return np.reshape(drawn, (len(prepared.paintings), -1, *shape))
