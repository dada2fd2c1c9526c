"""A run's examples in batches, with their targets and where they start."""

import zlib

import numpy as np

from benchmark.images.pixels import to_float
from benchmark.runs.prepare import Prepared
from benchmark.runs.target_cache import style_targets
from benchmark.transfer.batch import Batch
from benchmark.transfer.features import extract_features
from datasets import LoadedImages


def batches_of(prepared: Prepared) -> list[Batch]:
    """The examples in batches: an artist's contents a few at a time, or several artists at once."""
    contents = to_float(prepared.content.pixels)
    *_, activations = extract_features(prepared.backbone, contents)
    parts = np.array_split(np.arange(len(contents)), -(-len(contents) // prepared.batch))
    return [
        Batch(
            [style_targets(prepared.backbone, one, prepared.cache) for one in artists],
            np.concatenate([activations[part]] * len(artists)),
            np.concatenate(
                [
                    noise(prepared, paintings.name, part) if prepared.from_noise else contents[part]
                    for paintings in artists
                ]
            ),
        )
        for artists in artists_together(prepared)
        for part in parts
    ]


def largest_batch(prepared: Prepared) -> int:
    """Examples in the largest of a run's batches."""
    contents = len(prepared.content.names)
    artists = max(len(group) for group in artists_together(prepared))
    return artists * -(-contents // -(-contents // prepared.batch))


def artists_together(prepared: Prepared) -> list[list[LoadedImages]]:
    """The artists in order, as many together as a batch has room for all their examples.

    Only neighbours with equally many paintings: their Gram matrices are stacked.
    """
    room = max(prepared.batch // len(prepared.content.names), 1)
    groups: list[list[LoadedImages]] = []
    for paintings in prepared.paintings:
        if groups and len(groups[-1]) < room and len(groups[-1][0].names) == len(paintings.names):
            groups[-1].append(paintings)
        else:
            groups.append([paintings])
    return groups


def noise(prepared: Prepared, artist: str, part: np.ndarray) -> np.ndarray:
    """Uniform noise to start from; an example's own, wherever it stands in a batch or sweep."""
    names = [prepared.content.names[index] for index in part]
    return np.stack(
        [
            np.random.default_rng(
                [prepared.seed, zlib.crc32(artist.encode()), zlib.crc32(content.encode())]
            ).random(prepared.content.pixels.shape[1:], dtype=np.float32)
            for content in names
        ]
    )
