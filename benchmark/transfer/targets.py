"""Style targets: the Gram matrices of an artist's paintings at each style layer."""

from collections.abc import Sequence

import numpy as np
from keras import ops

from backbones import Backbone
from benchmark.transfer.features import extract_features
from benchmark.transfer.losses import PaintingGrams, centre

StyleTargets = Sequence[PaintingGrams]
"""An artist's, one entry a style layer."""


def extract_targets(backbone: Backbone, images: np.ndarray) -> StyleTargets:
    """The style targets of an artist's n paintings, (n, S, S, 3), uint8, or floats in [0, 1]."""
    return from_triangles(gram_triangles(backbone, images))


def gram_triangles(backbone: Backbone, images: np.ndarray) -> list[np.ndarray]:
    """Upper triangles, (n, C·(C+1)/2), of the scaled Gram matrices at each style layer.

    Args:
        backbone: the network.
        images: shape (n, S, S, 3), uint8, or floats in [0, 1].
    """
    *grams, _ = extract_features(backbone, images)
    return [gram[(slice(None), *np.triu_indices(gram.shape[-1]))] for gram in grams]


def from_triangles(triangles: Sequence[np.ndarray]) -> StyleTargets:
    """The style targets whose Gram matrices have these upper triangles."""
    return [_from_triangle(triangle) for triangle in triangles]


def _from_triangle(triangle: np.ndarray) -> PaintingGrams:
    channels = int((2 * triangle.shape[1]) ** 0.5)
    rows, columns = np.triu_indices(channels)
    grams = np.empty((len(triangle), channels, channels), "float32")
    grams[:, rows, columns] = grams[:, columns, rows] = triangle
    return centre(ops.convert_to_tensor(grams))
