"""Style targets: the Gram matrices of an artist's paintings at each style layer."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from keras import ops

from backbones import Backbone
from benchmark.transfer.features import extract_features
from benchmark.transfer.losses import PaintingGrams, centre

if TYPE_CHECKING:  # Computing needs no library that reads pictures.
    pass


def extract_targets(backbone: Backbone, pictures: np.ndarray) -> list[PaintingGrams]:
    """The Gram matrices of n pictures, (n, S, S, 3) in [0, 1], at each style layer."""
    return from_triangles(gram_triangles(backbone, pictures))


def gram_triangles(backbone: Backbone, pictures: np.ndarray) -> list[np.ndarray]:
    """Upper triangles, (n, C·(C+1)/2), of the scaled Gram matrices at each style layer.

    Args:
        backbone: the network.
        pictures: shape (n, S, S, 3), values in [0, 1].
    """
    *grams, _ = extract_features(backbone, pictures)
    return [gram[(slice(None), *np.triu_indices(gram.shape[-1]))] for gram in grams]


def from_triangles(triangles: Sequence[np.ndarray]) -> list[PaintingGrams]:
    """The whole symmetric matrices, centred."""
    found = []
    for triangle in triangles:
        channels = int((2 * triangle.shape[1]) ** 0.5)
        rows, columns = np.triu_indices(channels)
        grams = np.empty((len(triangle), channels, channels), "float32")
        grams[:, rows, columns] = grams[:, columns, rows] = triangle
        found.append(centre(ops.convert_to_tensor(grams)))
    return found
