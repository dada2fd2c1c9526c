"""FID's formula on an evaluator's features, of all results of a run together, and ArtFID's product.

Every result has the same value, that of all.
"""

import numpy as np

from backbones import Backbone
from benchmark.metrics.features import Features, scaled
from benchmark.metrics.perceptual import perceptual_distance


def frechet_distance(features: Features, reference_features: Features) -> np.ndarray:
    """Fréchet distance between normal distributions of the results and of the paintings.

    `frechet` of mean activations of the content layer, each picture's over their length: in [0, 4],
    at most 2 for activations ≥ 0, up to a factor n / (n − 1). 0: the same mean and covariance.
    Lower is better. Biased upwards, more so the fewer the pictures.

    No published FID, which is of the last layer of one Inception, as it is: two departures.

    Source: Heusel, Ramsauer, Unterthiner, Nessler, Hochreiter, arXiv 1706.08500, equation 6.
    """
    # Rows of root mean square 1 have the length √C.
    x, y = (
        scaled(one.pooled) / one.pooled.shape[1] ** 0.5 for one in (features, reference_features)
    )
    return np.full(len(x), frechet(x, y))


def frechet(x: np.ndarray, y: np.ndarray) -> float:
    """‖μ_x − μ_y‖² + tr(Σ_x + Σ_y − 2 (Σ_x Σ_y)^½) of the rows x (n, D) and y (m, D), ≥ 0.

    Σ = AᵀA with A the centred rows over √(n − 1); Σ_x Σ_y = AᵀA BᵀB has the eigenvalues of
    (A Bᵀ)(A Bᵀ)ᵀ, so that the trace of its root is the sum of the singular values of A Bᵀ: no root
    of a matrix, which would be singular with fewer pictures than channels.

    Source: as `frechet_distance`.
    """
    x, y = (np.asarray(one, "float64") for one in (x, y))
    a, b = ((one - one.mean(axis=0)) / np.sqrt(len(one) - 1) for one in (x, y))
    shift = np.sum((x.mean(axis=0) - y.mean(axis=0)) ** 2)
    roots = np.linalg.svd(a @ b.T, compute_uv=False).sum()
    return max(float(shift + np.sum(a**2) + np.sum(b**2) - 2.0 * roots), 0.0)


def art_frechet_distance(
    features: Features,
    reference_features: Features,
    pictures: np.ndarray,
    contents: np.ndarray,
    evaluator: Backbone,
) -> np.ndarray:
    """ArtFID's product (1 + content) · (1 + style) of this evaluator's distances, ≥ 1.

    Content is the mean `perceptual_distance`, style `frechet_distance`: 1 where both are 0. Lower
    is better. No published ArtFID, which has LPIPS and an Inception that was trained on art.

    Source: Wright, Ommer, ArtFID, arXiv 2207.12280.
    """
    content = float(perceptual_distance(pictures, contents, evaluator).mean())
    return (1.0 + content) * (1.0 + frechet_distance(features, reference_features))
