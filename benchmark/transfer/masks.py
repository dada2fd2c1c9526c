"""Masks: where styles act in pictures, at the pictures' sizes and at a network's layers'."""

from collections.abc import Sequence

import numpy as np
from keras import ops

from backbones import Backbone
from backbones.any_size import continued
from benchmark.images.pixels import Pictures
from benchmark.transfer.features import gram_outputs, outputs_of
from benchmark.transfer.losses import masked_gram_matrices


def area_weights(size: int, into: int) -> np.ndarray:
    """The matrix (into, size) that averages so many values over `into` intervals of equal length.

    Entry (i, k) is the share of interval i that value k covers; rows sum to 1.
    """
    edges, places = np.arange(into + 1) * size / into, np.arange(size)
    last = np.minimum(edges[1:, None], places + 1)
    covered = last - np.maximum(edges[:-1, None], places)
    return np.asarray(np.maximum(covered, 0.0) * into / size)


def area_resized(masks: np.ndarray, size: Sequence[int]) -> np.ndarray:
    """Masks (…, H, W) in [0, 1] at another (H, W), float32: each value is the mean over its area.

    So a region keeps its share of the picture, is never lost, and does not ring at its border.
    """
    down, across = (area_weights(n, into) for n, into in zip(masks.shape[-2:], size, strict=True))
    return np.asarray((down @ masks @ across.T).clip(0.0, 1.0), "float32")


def without_overlap(masks: np.ndarray) -> np.ndarray:
    """Masks (R, H, W) in [0, 1], divided by their sum where it is more than 1."""
    return np.asarray(masks / np.maximum(masks.sum(axis=0), 1.0))


def areas_of(masks: np.ndarray) -> np.ndarray:
    """The mean of each of some masks (…, H, W), float32, (…)."""
    return np.asarray(masks.mean(axis=(-2, -1), dtype="float64"), "float32")


def at_layers(backbone: Backbone, masks: np.ndarray) -> list[np.ndarray]:
    """Masks (R, N, H, W) of images at the size of each style layer, each (R, N, H', W').

    They are continued beyond the images as the images are.
    """
    whole = backbone.shared.padded(_continued(backbone, masks.reshape(-1, *masks.shape[2:], 1)))
    values = ops.convert_to_numpy(whole).reshape(*masks.shape[:2], *whole.shape[1:3])
    shapes = backbone.shared.cut.compute_output_shape((1, *whole.shape[1:3], 3))
    return [area_resized(values, shape[1:3]) for shape in shapes[: len(backbone.style_layers)]]


def _continued(backbone: Backbone, images: np.ndarray) -> np.ndarray:
    return continued(images) if backbone.shared.architecture.image_size is None else images


def extract_masked_grams(
    backbone: Backbone, pictures: Pictures, masks: Sequence[np.ndarray]
) -> list[np.ndarray]:
    """The scaled Gram matrices (R·n, C, C) of each style layer, in each of R regions, in turn.

    Of pictures such as those of `extract_grams`, and the masks (R, H, W) of each.
    """
    by_picture = []
    for picture, mask in zip(pictures, masks, strict=True):
        activations = outputs_of(backbone, picture[None], gram_outputs(0))
        layers = at_layers(backbone, mask[:, None])
        pairs = zip(activations[: len(layers)], layers, strict=True)
        grams = [ops.convert_to_numpy(masked_gram_matrices(*pair)) for pair in pairs]
        by_picture.append(grams)
    return [
        np.stack(layer, axis=1).reshape(-1, *layer[0].shape[1:])
        for layer in zip(*by_picture, strict=True)
    ]
