"""Losses of neural style transfer, per example, as pure functions of feature maps and images."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from keras import ops

Tensor = Any
"""A tensor of the active Keras backend, or anything `keras.ops` turns into one."""

EPSILON = 1e-30
"""Divisors are clamped below at this, so that two blank images are 0 apart."""


def gram_matrix(features: Tensor) -> Tensor:
    """Gram matrix of a feature map, scaled as the style loss needs it.

    A_cd = Σ_hw F_hwc F_hwd / (2·H·W·C), so that the squared distance of two such matrices is
    one layer's style loss. From activations F, (N, H, W, C), of any float type, to (N, C, C),
    float32: sums over positions lose too much in a shorter type. Its gradient holds for losses
    that treat A_cd and A_dc alike, as every distance of two such does.

    Source: Gatys, Ecker, Bethge, arXiv 1508.06576, equations 3 and 4.
    """
    _, height, width, channels = ops.shape(features)
    columns = ops.reshape(ops.cast(features, "float32"), (-1, height * width, channels))
    # By symmetry both factors have the same gradient: left to automatic differentiation it would
    # be computed twice, a third of this function's cost.
    half = ops.matmul(ops.transpose(ops.stop_gradient(columns), (0, 2, 1)), columns)
    return (2.0 * half - ops.stop_gradient(half)) / (2.0 * height * width * channels)


class Regions(NamedTuple):
    """Where each of R styles acts in each of N images; R = 1: the style of each image's artist."""

    masks: Sequence[Tensor]  # at each style layer, (R, N, H, W), in [0, 1]
    areas: Tensor  # mean of each mask over its image, (R, N)


def masked_gram_matrices(features: Tensor, masks: Tensor) -> Tensor:
    """Gram matrices of the masked positions of a feature map, scaled like `gram_matrix`.

    A_cd = Σ_hw m_hw F_hwc F_hwd / (2 C Σ_hw m_hw), so that a mask of ones gives that of
    `gram_matrix`, and one of zeros 0. From activations (N, H, W, C) and R masks of each image,
    (R, N, H, W), ≥ 0, to (R·N, C, C), region by region, float32. Its gradient holds where
    `gram_matrix`'s does.

    Source: Gatys, Ecker, Bethge, Hertzmann, Shechtman, arXiv 1611.07865, guided Gram matrices,
    with the square of a guidance channel for a mask.
    """
    regions, number, height, width = ops.shape(masks)
    channels = ops.shape(features)[-1]
    columns = ops.reshape(ops.cast(features, "float32"), (number, height * width, channels))
    rows = ops.transpose(ops.stop_gradient(columns), (0, 2, 1))
    weights = ops.reshape(masks, (regions, number, 1, height * width))
    weights = weights / ops.maximum(ops.sum(weights, axis=3, keepdims=True), EPSILON)
    # One by one, for TensorFlow 2.21 crashes where one factor of `matmul` is broadcast.
    by_region = [ops.matmul(rows * weights[region], columns) for region in range(regions)]
    half = ops.concatenate(by_region)
    # As in `gram_matrix`.
    return (2.0 * half - ops.stop_gradient(half)) / (2.0 * channels)


def sum_over_regions(losses: Tensor, areas: Tensor) -> Tensor:
    """Σ_r a_r L_r of each image, (N,): from losses (R·N,), region by region, and areas (R, N).

    The mean over the regions where they cover the image. By its area, because a masked Gram matrix
    is a mean over its region: so a style pulls at a pixel as strongly in a small region as in one
    that is the whole image.
    """
    return ops.sum(areas * ops.reshape(losses, ops.shape(areas)), axis=0)


class PaintingGrams(NamedTuple):
    """Gram matrices of artists' paintings at one layer, n each, centred on each artist's mean."""

    mean: Tensor  # mean matrix Ā of each artist, (artists, C, C)
    deviations: Tensor  # A_i − Ā, flattened, (artists, n, C·C)
    squared_deviations: Tensor  # ‖A_i − Ā‖², (artists, n)
    squared_norms: Tensor  # ‖A_i‖², (artists, n)


def centre(grams: Tensor) -> PaintingGrams:
    """Centre the Gram matrices of one artist's n paintings, shape (n, C, C), on their mean."""
    mean = ops.mean(grams, axis=0)
    deviations = ops.reshape(grams - mean, (1, ops.shape(grams)[0], -1))
    norms, sizes = ops.sum(ops.square(deviations), axis=2), ops.sum(ops.square(grams), axis=(1, 2))
    return PaintingGrams(mean[None], deviations, norms, sizes[None])


def stack_artists(targets: Sequence[PaintingGrams]) -> PaintingGrams:
    """The matrices of several artists with equally many paintings, in one."""
    if len(targets) == 1:
        return targets[0]
    return PaintingGrams(*(ops.concatenate(parts) for parts in zip(*targets, strict=True)))


def style_losses(grams: Tensor, paintings: PaintingGrams) -> Tensor:
    """Style loss of every example against every painting of its artist at one layer.

    L_ji = ‖G_j − A_i‖² = ‖G_j − Ā‖² − 2⟨G_j − Ā, A_i − Ā⟩ + ‖A_i − Ā‖²

    The right side costs one matrix product, whatever the number of paintings, and subtracting
    the mean first keeps its terms small; the nearest painting's distance, which could still
    cancel and which low powers weigh most, is taken from the left side.

    From `gram_matrix` of N examples, (N, C, C), artist by artist, equally many of each, and the
    artists' n paintings each, to (N, n), each ≥ 0.

    Source: Gatys, Ecker, Bethge, arXiv 1508.06576, equation 4.
    """
    artists, number, size = ops.shape(paintings.deviations)
    offset = ops.reshape(grams, (artists, -1, size)) - ops.reshape(paintings.mean, (artists, 1, -1))
    # In this order only the small factor is ever copied to be transposed.
    products = ops.matmul(paintings.deviations, ops.transpose(offset, (0, 2, 1)))
    squared_offset = ops.sum(ops.square(offset), axis=2, keepdims=True)
    squared_deviations = ops.expand_dims(paintings.squared_deviations, 1)
    expanded = squared_offset - 2.0 * ops.transpose(products, (0, 2, 1)) + squared_deviations
    expanded = ops.maximum(expanded, 0.0)
    nearest = ops.argmin(expanded, axis=2)
    rows = nearest + number * ops.arange(artists, dtype=nearest.dtype)[:, None]
    closest = ops.take(ops.reshape(paintings.deviations, (-1, size)), rows, axis=0)
    exact = ops.sum(ops.square(offset - closest), axis=2, keepdims=True)
    is_nearest = ops.arange(number, dtype=nearest.dtype) == ops.expand_dims(nearest, 2)
    return ops.reshape(ops.where(is_nearest, exact, expanded), (-1, number))


def losses_by_painting(
    style_loss: Callable[[Tensor, PaintingGrams], Tensor],
    grams: Sequence[Tensor],
    targets: Sequence[PaintingGrams],
    layer_weights: Tensor | None = None,
) -> Tensor:
    """Style loss of every example against every painting of its artist, (N, n): the layers' mean.

    `style_loss` is that of `Loss`; Gram matrices and targets have one entry a style layer, whose
    weights in the mean are those of `mean_over_layers`.
    """
    by_layer = [style_loss(gram, paintings) for gram, paintings in zip(grams, targets, strict=True)]
    return mean_over_layers(by_layer, layer_weights)


def mean_over_layers(losses: Sequence[Tensor], weights: Tensor | None) -> Tensor:
    """Σ_l w_l L_l, for weights (layers,) that sum to 1; None: the plain mean of the layers."""
    if weights is None:
        return losses[0] if len(losses) == 1 else sum(losses) / len(losses)
    return sum(weights[index] * loss for index, loss in enumerate(losses))


def content_loss(features: Tensor, target: Tensor) -> Tensor:
    """Content loss ½ Σ (F − P)² of each example, (N,), float32, ≥ 0.

    F are the activations of the images, P those of the content images, both (N, H, W, C).

    Source: Gatys, Ecker, Bethge, arXiv 1508.06576, equation 1.
    """
    difference = ops.cast(features, "float32") - ops.cast(target, "float32")
    return 0.5 * ops.sum(ops.square(difference), axis=(1, 2, 3))


def normalised_style_losses(grams: Tensor, paintings: PaintingGrams) -> Tensor:
    """Normalised Gram distance of every example to every painting of its artist at one layer.

    D_ji = ‖G_j − A_i‖² / (‖G_j‖² + ‖A_i‖²), which no factor common to all activations changes.
    0 for equal matrices; at most 1, because Gram matrices have ⟨G, A⟩ ≥ 0, but for rounding.
    Shapes are those of `style_losses`.
    """
    artists, number = ops.shape(paintings.squared_norms)
    own = ops.reshape(ops.sum(ops.square(grams), axis=(1, 2)), (artists, -1, 1))
    sizes = ops.reshape(own + ops.expand_dims(paintings.squared_norms, 1), (-1, number))
    return style_losses(grams, paintings) / ops.maximum(sizes, EPSILON)


def normalised_content_loss(features: Tensor, target: Tensor) -> Tensor:
    """Normalised content distance ‖F − P‖² / (‖F‖² + ‖P‖²) of each example.

    No factor common to all activations changes it. 0 for equal activations, about 1 for unrelated
    ones, at most 2, for activations before a ReLU may be opposite; after one at most 1; all but
    for rounding. Shapes are those of `content_loss`.
    """
    sizes = sum(
        ops.sum(ops.square(ops.cast(one, "float32")), axis=(1, 2, 3)) for one in (features, target)
    )
    return 2.0 * content_loss(features, target) / ops.maximum(sizes, EPSILON)


def total_variation(images: Tensor) -> Tensor:
    """Anisotropic total variation: Σ |right neighbour − pixel| + Σ |lower neighbour − pixel|.

    From images (N, H, W, channels) to (N,), ≥ 0. A sum, not a mean, as in TensorFlow's
    style-transfer tutorial.
    """
    images = ops.convert_to_tensor(images)
    number, height, width, channels = ops.shape(images)

    def differences(size: tuple[int, ...], step: tuple[int, ...]) -> Tensor:
        # `ops.slice`, because TensorFlow's gradient of Python's slices is ten times slower.
        moved = ops.slice(images, step, size)
        return ops.abs(moved - ops.slice(images, (0, 0, 0, 0), size))

    vertical = differences((number, height - 1, width, channels), (0, 1, 0, 0))
    horizontal = differences((number, height, width - 1, channels), (0, 0, 1, 0))
    return ops.sum(vertical, axis=(1, 2, 3)) + ops.sum(horizontal, axis=(1, 2, 3))


class Temporal(NamedTuple):
    """What frames of a film should look like, by the frames before them; see `temporal_loss`."""

    expected: Tensor  # (N, H, W, 3), in [0, 1]
    weights: Tensor  # how much each pixel should, (N, H, W), ≥ 0


def temporal_loss(images: Tensor, temporal: Temporal) -> Tensor:
    """Temporal loss 1/D Σ_k c_k (x_k − ω_k)² of each image, (N,), float32, ≥ 0.

    x are the values of the images, (N, H, W, 3), ω the expected ones, c the weights of their
    pixels, and D = H·W·3.

    Source: Ruder, Dosovitskiy, Brox, arXiv 1604.08610, section 4.2, whose c is 0 or 1.
    """
    squares = ops.mean(ops.square(images - temporal.expected), axis=3)
    return ops.mean(temporal.weights * squares, axis=(1, 2))


class LossWeights(NamedTuple):
    """Weights in total = content·content_loss + style·style_loss + variation·total_variation."""

    content: float
    style: float
    variation: float


class Loss(NamedTuple):
    """The total loss of an example; its weights are inputs of the compiled step.

    Attributes:
        style: `(grams (N, C, C), PaintingGrams) -> (N, n)` at one layer; layers are averaged.
        content: `(features (N, H, W, C), target (N, H, W, C)) -> (N,)`, likewise.
        layer_weights: those of the style layers in their mean, ≥ 0, not all 0; None: all alike.
        content_weights: the same of the content layers.
    """

    style: Callable[[Tensor, PaintingGrams], Tensor]
    content: Callable[[Tensor, Tensor], Tensor]
    weights: LossWeights
    layer_weights: tuple[float, ...] | None = None
    content_weights: tuple[float, ...] | None = None

    @property
    def layer_shares(self) -> np.ndarray | None:
        """The weights of the style layers, scaled to sum to 1, (layers,), float32."""
        return _shares(self.layer_weights)

    @property
    def content_shares(self) -> np.ndarray | None:
        """The same of the content layers."""
        return _shares(self.content_weights)


def _shares(weights: Sequence[float] | None) -> np.ndarray | None:
    if weights is None:
        return None
    exact = np.asarray(weights, "float64")
    return np.asarray(exact / exact.sum(), "float32")


STUDY_LOSS = Loss(style_losses, content_loss, LossWeights(5.1e-3, 4.2e-4, variation=0.0))
"""With the balance that suits `backbone=vgg`, as its YAML has it."""
