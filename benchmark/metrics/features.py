"""Metrics in the features of a fixed evaluator network, the same for all backbones compared."""

from dataclasses import dataclass
from typing import Literal

import numpy as np


class MissingInputError(ValueError):
    """Something that a metric needs does not exist, or too little of it; the message says what."""


class UnsuitableEvaluatorError(MissingInputError):
    """A metric is defined on other networks; no matter where it has one of them too."""


@dataclass(frozen=True, eq=False)
class Features:
    """An evaluator's features of n pictures."""

    grams: tuple[np.ndarray, ...]  # Gram matrices at each style layer, (n, C, C)
    pooled: np.ndarray  # mean activation of each channel of its last content layer, (n, C)
    content: np.ndarray | None  # activations of that layer, (n, H, W, C); None of paintings
    statistics: np.ndarray  # root mean square of each channel of all these layers, (n, D)


def concatenated(parts: list[Features]) -> Features:
    """The features of several sets of paintings as one set's."""
    return Features(
        tuple(np.concatenate(grams) for grams in zip(*(p.grams for p in parts), strict=True)),
        np.concatenate([part.pooled for part in parts]),
        None,
        np.concatenate([part.statistics for part in parts]),
    )


def pooled_alone(features: Features) -> Features:
    """Features that many pictures have room for: without Gram matrices and activations."""
    return Features((), features.pooled, None, features.statistics[:, :0])


def gram_distance(
    features: Features, reference_features: Features, over: Literal["mean", "nearest"] = "mean"
) -> np.ndarray:
    """Normalised Gram distance to the reference's paintings, in [0, 1].

    mean_i or min_i of ‖G − A_i‖² / (‖G‖² + ‖A_i‖²) at each style layer. 0: the same Gram matrix;
    1: orthogonal ones; for Gram matrices ⟨G, A⟩ ≥ 0. Lower: nearer in style. The mean favours what
    lies between the paintings, as the aggregation *simple* aims at; the nearest does not. Shape
    (layers, N).

    Source: the distance of Gatys, Ecker, Bethge, arXiv 1508.06576, equation 4, normalised.
    """
    combine = np.min if over == "nearest" else np.mean
    return np.stack(
        [
            combine(normalised_distances(ours, paintings), axis=1)
            for ours, paintings in zip(features.grams, reference_features.grams, strict=True)
        ]
    )


def normalised_distances(ours: np.ndarray, theirs: np.ndarray) -> np.ndarray:
    """‖a_j − b_i‖² / (‖a_j‖² + ‖b_i‖²) of all pairs, (N, n); 0 where both are 0.

    In the arrays' own precision: in float32 right to about 1e-6.
    """
    a, b = ours.reshape(len(ours), -1), theirs.reshape(len(theirs), -1)
    energies = np.einsum("jk,jk->j", a, a)[:, None] + np.einsum("ik,ik->i", b, b)
    squared = np.maximum(energies - 2.0 * a @ b.T, 0.0)
    return np.asarray(squared / np.where(energies > 0, energies, 1.0))


def content_distance(features: Features, content_features: Features) -> np.ndarray:
    """Normalised distance to the content picture in the evaluator's content layer.

    ‖F − P‖² / (‖F‖² + ‖P‖²): in [0, 1] for activations ≥ 0, at most 2 for others. Lower: more of
    the content is kept.

    Source: the content loss of Gatys, Ecker, Bethge, arXiv 1508.06576, equation 1, normalised.
    """
    ours, theirs = (np.asarray(f.content, "float64") for f in (features, content_features))
    energies = (ours**2 + theirs**2).sum(axis=(1, 2, 3))
    squared = ((ours - theirs) ** 2).sum(axis=(1, 2, 3))
    return np.asarray(squared / np.where(energies > 0, energies, 1.0))


def kid(features: Features, reference_features: Features) -> np.ndarray:
    """Kernel distance between the results and the paintings: each result's share of it, unbiased.

    MMD² = mean_{i≠j} k(x_i, x_j) + mean_{i≠j} k(y_i, y_j) − 2 mean_ij k(x_i, y_j) with
    k(x, y) = (x·y / D + 1)³ on mean activations of the content layer, each picture's over their
    root mean square. A result's share is its row of the first and third term and all of the
    second, so that the mean of the shares is MMD². 0: alike in distribution; unbiased, so small
    negative numbers occur. Lower is better. MissingInputError: there are not two results and two
    paintings.

    Source: Bińkowski, Sutherland, Arbel, Gretton, Demystifying MMD GANs, 2018, section 3; on an
    evaluator's own layer, and divided picture by picture, since evaluators differ in scale: two
    departures.
    """
    x, y = scaled(features.pooled), scaled(reference_features.pooled)
    if min(len(x), len(y)) < 2:
        raise MissingInputError("needs two results of an artist and two held-out paintings")

    def kernel(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return np.asarray((a @ b.T / a.shape[1] + 1.0) ** 3)

    def others(square: np.ndarray) -> np.ndarray:
        return np.asarray((square.sum(1) - np.diag(square)) / (len(square) - 1))

    paintings = others(kernel(y, y)).mean()
    return np.asarray(others(kernel(x, x)) + paintings - 2.0 * kernel(x, y).mean(axis=1))


def scaled(pooled: np.ndarray) -> np.ndarray:
    """Each row over its root mean square; rows of zeros stay."""
    sizes = np.sqrt(np.mean(pooled**2, axis=1, keepdims=True))
    return np.asarray(pooled / np.where(sizes > 0, sizes, 1.0))
