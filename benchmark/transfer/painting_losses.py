"""Which of an artist's paintings matter to an image: the style loss and the pull of each."""

from collections.abc import Callable, Hashable, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np
from keras import ops

from benchmark.images.pixels import Pictures
from benchmark.transfer import backend
from benchmark.transfer.features import StyleTargets, extract_grams
from benchmark.transfer.losses import (
    PaintingGrams,
    Tensor,
    losses_by_painting,
    sum_over_regions,
)
from benchmark.transfer.masks import areas_of, extract_masked_grams
from benchmark.transfer.style_transfer import StyleTransfer


class PaintingLosses(NamedTuple):
    """N images against each of an artist's n paintings, both (N, n), float32."""

    style_losses: np.ndarray  # before they are aggregated
    gradient_shares: np.ndarray  # see `gradient_shares`


def painting_losses(
    transfer: StyleTransfer,
    images: Pictures,
    targets: StyleTargets,
    masks: Sequence[np.ndarray] | None = None,
) -> PaintingLosses:
    """The style loss of images against each painting of their artist, as a transfer's steps see it.

    Images are N of (H, W, 3) in [0, 1]; it costs one pass of the network. The targets are those of
    `extract_targets` with the same backbone; or with masks, (R, H, W) of each image, those of R
    artists stacked, whose n paintings in turn make R·n: each is compared with its artist's region,
    NaN where that is empty.
    """
    if masks is None:
        grams, areas = extract_grams(transfer.backbone, images), None
    else:
        grams = extract_masked_grams(transfer.backbone, images, masks)
        areas = np.stack([areas_of(mask) for mask in masks], axis=1)
    loss, aggregation = transfer.loss, transfer.aggregation
    compared = backend.compiled_on_jax(_compared, constants=3)(
        loss.style,
        aggregation.function,
        aggregation.constants,
        grams,
        targets,
        aggregation.painting_weights(targets[0].deviations.shape[1]),
        {name: np.float32(number) for name, number in aggregation.numbers.items()},
        loss.layer_shares,
        areas,
    )
    return PaintingLosses(*map(ops.convert_to_numpy, compared))


def gradient_shares(
    aggregate: Callable[[Tensor, Tensor], Tensor], losses: Tensor, weights: Tensor
) -> Tensor:
    """The weight of each painting in the gradient of the aggregated style loss M, (N, n).

    share_i = (∂M/∂L_i) / Σ_j (∂M/∂L_j), at losses L, (N, n). A step moves an image along
    ∇M = Σ_i (∂M/∂L_i) ∇L_i, so that the share says how strongly painting i pulls. Of a power mean
    it is w_i L_i^(p−1) / Σ_j w_j L_j^(p−1): with p = 1 the paintings' weights, whatever the losses.

    Shares sum to 1, and lie in [0, 1] where M, as every mean, never falls as a loss rises. NaN for
    an image whose M is not finite or depends on no loss.
    """

    def aggregated(losses: Tensor) -> tuple[Tensor, Tensor]:
        styles = aggregate(losses, weights)
        return ops.sum(styles), styles

    derivatives, styles = backend.gradient(aggregated, ops.convert_to_tensor(losses))
    totals = ops.sum(derivatives, axis=1)
    known = ops.isfinite(styles) & ops.isfinite(totals) & (totals != 0)
    return derivatives / ops.where(known, totals, np.nan)[:, None]


def _compared(
    style_loss: Callable[[Tensor, PaintingGrams], Tensor],
    aggregate: Callable[..., Tensor],
    constants: tuple[tuple[str, Hashable], ...],
    grams: Sequence[Tensor],
    targets: StyleTargets,
    weights: Tensor,
    numbers: dict[str, Tensor],
    layer_weights: Tensor | None,
    areas: Tensor | None,
) -> tuple[Tensor, Tensor]:
    losses = losses_by_painting(style_loss, grams, targets, layer_weights)
    numbers = {name: ops.convert_to_tensor(number) for name, number in numbers.items()}
    named = partial(aggregate, **dict(constants), **numbers)
    if areas is None:
        return losses, gradient_shares(named, losses, ops.convert_to_tensor(weights))
    regions, number = ops.shape(areas)

    def exchanged(losses: Tensor, first: int, second: int) -> Tensor:
        """(first, second, n) as (second, first, n)."""
        return ops.transpose(ops.reshape(losses, (first, second, -1)), (1, 0, 2))

    def over_regions(by_image: Tensor, weights: Tensor) -> Tensor:
        by_region = ops.reshape(exchanged(by_image, number, regions), losses.shape)
        return sum_over_regions(named(by_region, weights), areas)

    by_image = exchanged(losses, regions, number)
    flat = ops.reshape(by_image, (number, -1))
    shares = gradient_shares(over_regions, flat, ops.convert_to_tensor(weights))
    known = ops.where(ops.transpose(areas)[:, :, None] > 0, by_image, np.nan)
    return ops.reshape(known, flat.shape), shares
