"""Losses of neural style transfer, per example, as pure functions of feature maps and pictures."""

from typing import Any, NamedTuple

from keras import ops

Tensor = Any
"""A tensor of the active Keras backend, or anything `keras.ops` turns into one."""


def gram_matrix(features: Tensor) -> Tensor:
    """Gram matrix of a feature map, scaled as the style loss needs it.

    A_cd = Σ_hw F_hwc F_hwd / (2·H·W·C), so that the squared distance of two such matrices is
    one layer's style loss.

    Args:
        features: activations F, shape (N, H, W, C), of any float type.

    Returns:
        Shape (N, C, C), float32: sums over positions lose too much in a shorter type.

    Source: Gatys, Ecker, Bethge, arXiv 1508.06576, equations 3 and 4.
    """
    _, height, width, channels = ops.shape(features)
    columns = ops.reshape(ops.cast(features, "float32"), (-1, height * width, channels))
    # Scaling before the sum keeps the squares of large activations inside float32's range.
    columns = columns * (2.0 * height * width * channels) ** -0.5
    return ops.matmul(ops.transpose(columns, (0, 2, 1)), columns)


class PaintingGrams(NamedTuple):
    """Gram matrices of n paintings at one layer, centred on their mean.

    Attributes:
        mean: mean matrix Ā, shape (C, C).
        deviations: A_i − Ā, flattened, shape (n, C·C).
        squared_norms: ‖A_i − Ā‖², shape (n,).
    """

    mean: Tensor
    deviations: Tensor
    squared_norms: Tensor


def centre(grams: Tensor) -> PaintingGrams:
    """Centre the Gram matrices of n paintings, shape (n, C, C), on their mean."""
    mean = ops.mean(grams, axis=0)
    deviations = ops.reshape(grams - mean, (ops.shape(grams)[0], -1))
    return PaintingGrams(mean, deviations, ops.sum(ops.square(deviations), axis=1))


def style_losses(grams: Tensor, paintings: PaintingGrams) -> Tensor:
    """Style loss of every example against every painting at one layer.

    L_ji = ‖G_j − A_i‖² = ‖G_j − Ā‖² − 2⟨G_j − Ā, A_i − Ā⟩ + ‖A_i − Ā‖²

    The right side costs one matrix product, whatever the number of paintings, and subtracting
    the mean first keeps its terms small; the nearest painting's distance, which could still
    cancel and which low powers weigh most, is taken from the left side.

    Args:
        grams: `gram_matrix` of N examples, shape (N, C, C).
        paintings: the n paintings' matrices, centred.

    Returns:
        Shape (N, n), each ≥ 0.

    Source: Gatys, Ecker, Bethge, arXiv 1508.06576, equation 4.
    """
    offset = ops.reshape(grams - paintings.mean, (ops.shape(grams)[0], -1))
    products = ops.matmul(offset, ops.transpose(paintings.deviations))
    squared_offset = ops.sum(ops.square(offset), axis=1, keepdims=True)
    expanded = ops.maximum(squared_offset - 2.0 * products + paintings.squared_norms, 0.0)
    nearest = ops.argmin(expanded, axis=1)
    difference = offset - ops.take(paintings.deviations, nearest, axis=0)
    exact = ops.sum(ops.square(difference), axis=1, keepdims=True)
    columns = ops.arange(ops.shape(expanded)[1])
    return ops.where(columns == ops.expand_dims(nearest, 1), exact, expanded)


def content_loss(features: Tensor, target: Tensor) -> Tensor:
    """Content loss ½ Σ (F − P)² of each example.

    Args:
        features: activations F of the pictures, shape (N, H, W, C).
        target: activations P of the content pictures, same shape.

    Returns:
        Shape (N,), float32, ≥ 0.

    Source: Gatys, Ecker, Bethge, arXiv 1508.06576, equation 1.
    """
    difference = ops.cast(features, "float32") - ops.cast(target, "float32")
    return 0.5 * ops.sum(ops.square(difference), axis=(1, 2, 3))


def total_variation(pictures: Tensor) -> Tensor:
    """Anisotropic total variation: Σ |right neighbour − pixel| + Σ |lower neighbour − pixel|.

    Args:
        pictures: shape (N, H, W, channels), values in [0, 1].

    Returns:
        Shape (N,), ≥ 0. A sum, not a mean, as in TensorFlow's style-transfer tutorial.
    """
    vertical = ops.abs(pictures[:, 1:] - pictures[:, :-1])
    horizontal = ops.abs(pictures[:, :, 1:] - pictures[:, :, :-1])
    return ops.sum(vertical, axis=(1, 2, 3)) + ops.sum(horizontal, axis=(1, 2, 3))
