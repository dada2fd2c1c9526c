"""Colours of a photograph, kept while its style changes: two ways of Gatys et al. 2016.

Pictures are (H, W, 3), uint8, or floats in [0, 1], of any sizes; those returned are float32 in
[0, 1], and all is computed in float64.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from benchmark.images.pixels import luma, to_float
from benchmark.images.upscale import GREY_LEVEL, resized_to


def matched(values: np.ndarray, target: np.ndarray) -> np.ndarray:
    """A picture's values moved linearly to the mean and covariance of another picture's.

    x ↦ Σ_t^{1/2} Σ^{−1/2} (x − μ) + μ_t, of (…, d) to the same shape, float64 and not clipped;
    with d = 1 it is σ_t/σ · (x − μ) + μ_t. Roots are the symmetric ones. In directions in which
    the values deviate by less than a grey level, such as all chroma of a grey picture, the inverse
    is 0: what does not vary is not made to, and the covariance is the target's as far as that
    allows.

    Source: Gatys, Bethge, Hertzmann, Shechtman, Preserving color in neural artistic style transfer,
    arXiv 1606.05897: of its two solutions that of Image Analogies (Hertzmann et al. 2001), which it
    found better than Cholesky's.
    """
    (mean, covariance), (new_mean, new_covariance) = moments(values), moments(target)
    root = symmetric_power(new_covariance, 0.5, least=0.0)
    transform = root @ symmetric_power(covariance, -0.5, least=GREY_LEVEL**2)
    return np.asarray((values - mean) @ transform.T + new_mean)


def moments(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean (d,) and covariance (d, d) of values (…, d), over their number, not one less."""
    rows = np.reshape(values, (-1, values.shape[-1])).astype("float64")
    return rows.mean(axis=0), np.atleast_2d(np.cov(rows, rowvar=False, bias=True))


def symmetric_power(covariance: np.ndarray, exponent: float, least: float) -> np.ndarray:
    """Σ λᵉ v vᵀ over the eigenvalues λ of a symmetric matrix that are above the least, (d, d)."""
    eigenvalues, vectors = np.linalg.eigh(covariance)
    known = eigenvalues > least
    powers = np.where(known, eigenvalues, 1.0) ** exponent * known
    return np.asarray((vectors * powers) @ vectors.T)


def grey(picture: np.ndarray) -> np.ndarray:
    """A picture's luma in all three channels."""
    return grey_of(luma(to_float(picture)))


def grey_matched(painting: np.ndarray, photograph: np.ndarray) -> np.ndarray:
    """A painting's luma, moved to the mean and deviation of a photograph's, in all channels.

    Source: as `matched`, the part on luminance-only transfer; clipped to [0, 1].
    """
    own, other = (luma(to_float(picture))[..., None] for picture in (painting, photograph))
    return grey_of(matched(own, other)[..., 0])


def grey_of(lumas: np.ndarray) -> np.ndarray:
    """A picture of lumas (H, W), clipped."""
    return np.stack([lumas.clip(0.0, 1.0).astype("float32")] * 3, axis=-1)


def colours_matched(painting: np.ndarray, photograph: np.ndarray) -> np.ndarray:
    """A painting with the mean and covariance of a photograph's RGB, then clipped to [0, 1]."""
    moved = matched(to_float(painting), to_float(photograph))
    return moved.clip(0.0, 1.0).astype("float32")


def with_chroma(picture: np.ndarray, photograph: np.ndarray) -> np.ndarray:
    """A picture's luma Y with a photograph's chroma, of YIQ or YUV alike.

    X = Y + t (C − Y_C): grey has no I, Q, U or V, and the others are linear in C − Y_C, of a
    photograph C with the luma Y_C, resized where need be. t is 1, and at a pixel where X would
    leave [0, 1] the largest number for which it does not, so that its luma is Y and its hue the
    photograph's; the paper does not say what to do there.

    Source: as `matched`, the part on luminance-only transfer.
    """
    colours = resized_to(to_float(photograph), picture.shape[:2]).astype("float64")
    grey, chroma = luma(to_float(picture))[..., None], colours - luma(colours)[..., None]
    room = np.where(chroma > 0, 1.0 - grey, grey).clip(0.0, 1.0)
    size = np.abs(chroma)
    # 1 where it is smaller than the room, which is never 0 / 0.
    share = np.where(size > room, room / np.where(size > room, size, 1.0), 1.0)
    found = grey + share.min(axis=-1, keepdims=True) * chroma
    return np.asarray(found.clip(0.0, 1.0).astype("float32"))


class ColourPreservation(NamedTuple):
    """What a photograph's colours are kept by."""

    image: Callable[[np.ndarray], np.ndarray]  # what a photograph, or a start, is optimised as
    painting: Callable[[np.ndarray, np.ndarray], np.ndarray]  # of a painting and the photograph
    result: Callable[[np.ndarray, np.ndarray], np.ndarray]  # of what is optimised, and of it


PRESERVATIONS = {
    "luminance": ColourPreservation(grey, grey_matched, with_chroma),
    "linear": ColourPreservation(to_float, colours_matched, lambda image, photograph: image),
}
"""By their names in options."""
