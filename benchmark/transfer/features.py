"""What a backbone extracts from images: Gram matrices, content activations, channel energies."""

from collections.abc import Sequence
from functools import lru_cache

import keras
import numpy as np

from backbones import Backbone
from benchmark.transfer import losses

PREDICTION_BATCH = 5
"""Pictures measured at a time; 30, 25 and 10 are multiples, so that only one shape is compiled."""


def extract_features(backbone: Backbone, pictures: np.ndarray) -> list[np.ndarray]:
    """Scaled Gram matrices (N, C, C) of each style layer, then content activations (N, H, W, C).

    Args:
        backbone: the network.
        pictures: shape (N, S, S, 3), values in [0, 1].
    """
    model = feature_extractor(backbone.network)
    parts = [
        model.predict_on_batch(pictures[start : start + PREDICTION_BATCH])
        for start in range(0, len(pictures), PREDICTION_BATCH)
    ]
    return [np.concatenate(arrays) for arrays in zip(*parts, strict=True)]


def channel_energies(backbone: Backbone, pictures: np.ndarray) -> list[np.ndarray]:
    """Root mean square of each channel, (N, C), at each style layer, then the content layer.

    Args:
        backbone: the network.
        pictures: shape (N, S, S, 3), values in [0, 1].
    """
    *grams, content = extract_features(backbone, pictures)
    return energies_of(grams, content)


def energies_of(grams: Sequence[np.ndarray], content: np.ndarray) -> list[np.ndarray]:
    """The same from what `metric` gives."""
    # The diagonal of a scaled Gram matrix is a channel's mean square over 2C.
    style = [np.sqrt(2 * gram.shape[-1] * np.einsum("ncc->nc", gram)) for gram in grams]
    return [*style, np.sqrt(np.mean(np.square(content, dtype="float32"), axis=(1, 2)))]


@lru_cache(maxsize=8)
def feature_extractor(network: keras.Model) -> keras.Model:
    """A model from pictures to the scaled Gram matrix of each style layer, then the content."""
    *style, content = network.outputs
    grams = [losses.gram_matrix(features) for features in style]
    return keras.Model(network.input, [*grams, content])
