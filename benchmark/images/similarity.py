"""Structural similarity of two pictures, for all that measure it."""

from collections.abc import Callable
from typing import Any

import numpy as np
from skimage.metrics import structural_similarity


def luma_ssim(x: np.ndarray, y: np.ndarray, **constants: float) -> float:
    """Structural similarity of two lumas (S, S) in [0, 1], S ≥ 11; in [−1, 1], 1 where equal.

    Mean over Gaussian windows, σ = 1.5 in 11 × 11, of
    (2μxμy + C1)(2σxy + C2) / ((μx² + μy² + C1)(σx² + σy² + C2)).

    `constants` are K1 and K2 where C1 = K1² and C2 = K2² are not the source's.

    Source: Wang, Bovik, Sheikh, Simoncelli, Image quality assessment, 2004, equation 13.
    """
    similarity: Callable[..., Any] = structural_similarity  # scikit-image leaves it untyped
    window = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}
    return float(similarity(x, y, data_range=1.0, **window, **constants))
