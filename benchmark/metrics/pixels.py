"""Metrics that need no network: what was kept of the content, colours, grain, change.

Of pictures and contents (N, S, S, 3), and reference paintings (n, S, S, 3), in [0, 1]; SSIM needs
S ≥ 11.
"""

from typing import Annotated

import numpy as np
from pydantic import Field
from scipy.ndimage import gaussian_filter
from skimage.metrics import structural_similarity

from benchmark.images.pixels import luma

SCALE_WEIGHTS = np.array([0.0448, 0.2856, 0.3001, 0.2363, 0.1333])
"""Of MS-SSIM's scales, from fine to coarse."""


def ssim(pictures: np.ndarray, contents: np.ndarray) -> np.ndarray:
    """Structural similarity of the luma to the content picture's, in [−1, 1], 1 where alike.

    `luma_ssim` of each pair. Higher: more of the content's structure is kept.
    """
    pairs = zip(luma(pictures), luma(contents), strict=True)
    return np.array([luma_ssim(x, y) for x, y in pairs])


def luma_ssim(x: np.ndarray, y: np.ndarray, **constants: float) -> float:
    """Structural similarity of two lumas (S, S) in [0, 1], S ≥ 11; in [−1, 1], 1 where equal.

    Mean over Gaussian windows, σ = 1.5 in 11 × 11, of
    (2μxμy + C1)(2σxy + C2) / ((μx² + μy² + C1)(σx² + σy² + C2)).

    `constants` are K1 and K2 where C1 = K1² and C2 = K2² are not the source's.

    Source: Wang, Bovik, Sheikh, Simoncelli, Image quality assessment, 2004, equation 13.
    """
    window = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}
    similarity = structural_similarity(x, y, data_range=1.0, **window, **constants)
    return float(similarity)


def ms_ssim(pictures: np.ndarray, contents: np.ndarray) -> np.ndarray:
    """Multi-scale structural similarity of the luma, in [0, 1], 1 where alike.

    Π_j cs_j^w_j · SSIM_M^w_M over M scales, each half the size of the one before; cs is SSIM
    without its luminance term, raised to 0. Higher: more of the content's structure is kept.

    A departure from the source: pictures under 176 pixels have fewer than 5 scales, whose weights
    are made to sum to 1 again.

    Source: Wang, Simoncelli, Bovik, Multi-scale structural similarity, 2003, equation 7.
    """
    scales = min(int(np.log2(pictures.shape[1] / 11)) + 1, len(SCALE_WEIGHTS))  # 11: the window.
    weights = SCALE_WEIGHTS[:scales] / SCALE_WEIGHTS[:scales].sum()
    x, y, found = luma(pictures), luma(contents), np.ones(len(pictures))
    for scale, weight in enumerate(weights, start=1):
        k1 = 0.01 if scale == scales else 1e6  # Makes the luminance term 1.
        terms = [luma_ssim(a, b, K1=k1) for a, b in zip(x, y, strict=True)]
        found *= np.maximum(terms, 0.0) ** weight
        x, y = _halved(x), _halved(y)
    return found


def change(pictures: np.ndarray, contents: np.ndarray) -> np.ndarray:
    """Root mean square of the pixels' difference from the content picture, in [0, 1].

    0: nothing changed; 1/255 is one grey level. Neither high nor low is good.
    """
    difference = np.asarray(pictures, "float64") - contents
    return np.asarray(np.sqrt(np.mean(difference**2, axis=(1, 2, 3))))


def colour_distance(
    pictures: np.ndarray,
    reference: np.ndarray,
    directions: Annotated[int, Field(gt=0, le=10_000)] = 64,
) -> np.ndarray:
    """Sliced Wasserstein distance between a picture's colours and those of all paintings together.

    mean_θ ∫ |F_x^−1(q) − F_y^−1(q)| dq of the colours' projections on directions θ in RGB, drawn
    once and for all, in [0, √3] where a channel is in [0, 1]; at every fourth pixel of every fourth
    row. Lower: more like the paintings' palette.

    Source: Bonneel, Rabin, Peyré, Pfister, Sliced and Radon Wasserstein barycenters, 2015.
    """
    axes = np.random.default_rng(0).standard_normal((3, directions))
    axes /= np.linalg.norm(axes, axis=0)

    def sorted_projections(some: np.ndarray) -> np.ndarray:
        colours = some[..., ::4, ::4, :].reshape(-1, 3)
        return np.sort(np.ascontiguousarray((colours @ axes).T), axis=1)

    each = [sorted_projections(picture) for picture in np.asarray(pictures, "float64")]
    pool = sorted_projections(np.asarray(reference, "float64"))
    # The pool's quantiles at (i + 1/2) / number, without the rounding of `np.quantile` and faster.
    number, count = each[0].shape[1], pool.shape[1]
    quantiles = pool[:, (count * (2 * np.arange(number) + 1) - 1) // (2 * number)]
    return np.array([np.abs(one - quantiles).mean() for one in each])


def grain(
    pictures: np.ndarray, reference: np.ndarray, sigma: Annotated[float, Field(gt=0, le=100)] = 1.0
) -> np.ndarray:
    """High-frequency energy of a picture over that of the artist's median painting, ≥ 0.

    E = mean (Y − g_σ ∗ Y)² of the luma Y, σ in pixels; E(picture) / median_i E(painting_i).
    1: as smooth as the paintings; far above: grainy, "pixel-y"; below: smoother than they are.
    """
    typical = float(np.median(high_frequency(reference, sigma)))
    return high_frequency(pictures, sigma) / max(typical, np.finfo(float).tiny)


def high_frequency(pictures: np.ndarray, sigma: float) -> np.ndarray:
    """Mean square of each picture's luma without its low frequencies, (N,)."""
    return np.array([np.mean((y - gaussian_filter(y, sigma)) ** 2) for y in luma(pictures)])


def _halved(pictures: np.ndarray) -> np.ndarray:
    """Means of 2 × 2 pixels, (N, S, S) → (N, S/2, S/2)."""
    height, width = (side // 2 for side in pictures.shape[1:])
    even = pictures[:, : 2 * height, : 2 * width]
    return np.asarray(even.reshape(len(even), height, 2, width, 2).mean((2, 4)))
