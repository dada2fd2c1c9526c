"""What a backbone extracts from images: Gram matrices, content activations, style targets."""

from collections.abc import Sequence
from functools import cache

import numpy as np
from keras import ops

from backbones import Backbone
from backbones.any_size import STRIDE, Head
from benchmark.images.pixels import Pictures, same_shape, to_float
from benchmark.transfer.losses import PaintingGrams, Tensor, centre, gram_matrix

IMAGES_AT_ONCE = 5
"""Most images in one prediction; 30, 25 and 10 are multiples: one shape is compiled for all."""

PIXELS_AT_ONCE = IMAGES_AT_ONCE * 224**2
"""Pixels of images of any size in one prediction, where there is more than one image."""

StyleTargets = Sequence[PaintingGrams]
"""The Gram matrices of an artist's paintings, one entry a style layer."""


def extract_features(backbone: Backbone, images: np.ndarray) -> list[np.ndarray]:
    """Scaled Gram matrices (n, C, C) of each style layer, then activations of the content layers.

    Images are (n, S, S, 3), uint8, or floats in [0, 1]; S is the backbone's image size, or, with a
    backbone of any size, (n, H, W, 3). Activations are (n, H', W', C).

    Raises:
        ValueError: they are not like that.
    """
    return outputs_of(backbone, images, gram_outputs(len(backbone.style_layers)))


def outputs_of(
    backbone: Backbone, images: np.ndarray, head: Head, most: int | None = None
) -> list[np.ndarray]:
    """What a head makes of a network's activations for images; else as `extract_features`.

    All of its outputs, or at most the first so many.
    """
    check_images(backbone, images)
    network = backbone.network_with(head)
    extract = getattr(network, "predict_on_batch", network)
    parts = [extract(to_float(images[part])) for part in _parts(backbone, images)]
    # Keras gives an only output without a list.
    parts = [arrays[:most] if isinstance(arrays, list) else [arrays] for arrays in parts]
    return [
        np.concatenate([ops.convert_to_numpy(array) for array in arrays])
        for arrays in zip(*parts, strict=True)
    ]


def _parts(backbone: Backbone, images: Pictures) -> list[np.ndarray]:
    """The indices of images of one shape by the parts that pass a network together."""
    at_once = IMAGES_AT_ONCE
    if backbone.shared.architecture.image_size is None:
        # Not compiled, which every size would need once more, it holds all layers at a time.
        height, width = images[0].shape[:2]
        at_once = max(PIXELS_AT_ONCE // (height * width), 1)
    # As equal as can be: to compile one more shape takes longer than a few images.
    return np.array_split(np.arange(len(images)), -(-len(images) // at_once))


def parts_at_once(backbone: Backbone, pictures: Pictures) -> list[list[int]]:
    """The indices of pictures by the parts in which `extract_grams` passes them on."""
    return [
        [group[index] for index in part]
        for group in same_shape(pictures)
        for part in _parts(backbone, [pictures[index] for index in group])
    ]


def extract_grams(backbone: Backbone, pictures: Pictures) -> list[np.ndarray]:
    """The scaled Gram matrices (n, C, C) of each style layer, of pictures of any sizes.

    Each picture is (H, W, 3), uint8, or floats in [0, 1].
    """
    if len(pictures) == 0:
        check_images(backbone, np.asarray(pictures))
    groups, styles = same_shape(pictures), len(backbone.style_layers)
    is_compiled = backbone.shared.architecture.image_size is not None
    # One of any size is not, and of many large paintings the content layers may fill the memory.
    head = gram_outputs(styles) if is_compiled else grams_alone(styles)
    parts = [
        outputs_of(backbone, np.stack([pictures[i] for i in group]), head, styles)
        for group in groups
    ]
    order = np.argsort(np.concatenate(groups))
    return [np.concatenate(arrays)[order] for arrays in zip(*parts, strict=True)]


def check_images(backbone: Backbone, images: np.ndarray) -> None:
    """Raise ValueError unless images are such as `extract_features` takes."""
    size = backbone.shared.architecture.image_size
    shape = f"(n, {size}, {size}, 3)" if size else f"(n, H, W, 3) from {STRIDE} pixels a side on"
    is_large = min(images.shape[1:3], default=0) >= STRIDE
    fits = images.shape[1:3] == (size, size) if size else is_large
    if images.ndim != 4 or len(images) == 0 or images.shape[3] != 3 or not fits:
        raise ValueError(f"images must have shape {shape}, not {images.shape}")
    in_range = images.dtype.kind == "f" and images.min() >= 0 and images.max() <= 1
    if images.dtype != np.uint8 and not in_range:
        raise ValueError("images must be uint8, or floats in [0, 1]")


@cache
def gram_outputs(styles: int) -> Head:
    """The head that puts Gram matrices in place of the activations of so many style layers."""

    def outputs(activations: Sequence[Tensor]) -> list[Tensor]:
        return [*(gram_matrix(layer) for layer in activations[:styles]), *activations[styles:]]

    return outputs


@cache
def grams_alone(styles: int) -> Head:
    """The head of Gram matrices only."""
    outputs = gram_outputs(styles)
    return lambda activations: outputs(activations)[:styles]


def channel_energies(
    grams: Sequence[np.ndarray], contents: Sequence[np.ndarray]
) -> list[np.ndarray]:
    """Root mean square of each channel, (n, C), at each layer that `extract_features` gives."""
    # The diagonal of a scaled Gram matrix is a channel's mean square over 2C.
    style = [np.sqrt(2 * gram.shape[-1] * np.einsum("ncc->nc", gram)) for gram in grams]
    return [
        *style,
        *(np.sqrt(np.mean(np.square(c, dtype="float32"), axis=(1, 2))) for c in contents),
    ]


def extract_targets(backbone: Backbone, images: Pictures) -> StyleTargets:
    """The style targets of an artist's n paintings, each (S, S, 3), uint8, or floats in [0, 1].

    With a backbone of any size each (H, W, 3), of its own size.
    """
    grams = extract_grams(backbone, images)
    return from_triangles([upper_triangles(gram) for gram in grams])


def upper_triangles(grams: np.ndarray) -> np.ndarray:
    """What Gram matrices (n, C, C) need on disk, (n, C·(C+1)/2), for they are symmetric."""
    return np.asarray(grams[(slice(None), *np.triu_indices(grams.shape[-1]))])


def full_grams(triangles: np.ndarray) -> np.ndarray:
    """The Gram matrices (n, C, C) with these upper triangles."""
    channels = int((2 * triangles.shape[1]) ** 0.5)
    rows, columns = np.triu_indices(channels)
    places = np.empty((channels, channels), np.intp)
    places[rows, columns] = places[columns, rows] = np.arange(len(rows))
    return np.take(triangles, places, axis=1)


def from_triangles(triangles: Sequence[np.ndarray]) -> StyleTargets:
    """The style targets whose Gram matrices have these upper triangles."""
    return [centre(ops.convert_to_tensor(full_grams(triangle))) for triangle in triangles]
