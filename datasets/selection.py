"""Which paintings of a group make its style set: pure functions of numbers, features and seeds.

Each returns indices into the group; `features` has one row per painting, in a space whose
Euclidean distance means dissimilarity.
"""

from typing import Literal

import numpy as np
from sklearn.cluster import KMeans
from sklearn.metrics import pairwise_distances

Method = Literal["first", "random", "nearest", "diverse", "cluster"]


def first_places(count: int) -> list[int]:
    """The first paintings in natural order of their numbers (the study, section 1)."""
    return list(range(count))


def random_places(available: int, count: int, seed: list[int]) -> list[int]:
    """A seeded draw without repetition, in the group's order."""
    return sorted(np.random.default_rng(seed).choice(available, count, replace=False).tolist())


def nearest_places(features: np.ndarray, count: int) -> list[int]:
    """The medoid, argmin_i Σ_j ‖f_i − f_j‖, and the paintings nearest to it, nearest first.

    Source: the genre variant in the study's reference, section 2, where sets of neighbours worked
    and random ones failed; it starts from a classifier's most certain painting instead.
    """
    distances = pairwise_distances(features)
    return _order(distances[_medoid(distances)])[:count]


def diverse_places(features: np.ndarray, count: int) -> list[int]:
    """The medoid, then repeatedly the painting farthest from all chosen so far.

    Source: Gonzalez, Clustering to minimize the maximum intercluster distance, 1985.
    """
    distances = pairwise_distances(features)
    chosen = [_medoid(distances)]
    while len(chosen) < count:
        to_nearest_chosen = distances[:, chosen].min(axis=1)
        to_nearest_chosen[chosen] = -1.0
        chosen.append(int(np.argmax(to_nearest_chosen)))
    return chosen


def cluster_places(features: np.ndarray, number: int, count: int, seed: int) -> list[list[int]]:
    """For each k-means cluster its paintings nearest to its centre, at most `count` of them.

    Clusters are in the order of their first painting.
    """
    kmeans = KMeans(number, n_init=10, random_state=seed).fit(features)
    chosen = []
    for cluster, centre in enumerate(kmeans.cluster_centers_):
        rows = np.flatnonzero(kmeans.labels_ == cluster)
        nearest = _order(np.linalg.norm(features[rows] - centre, axis=1))
        chosen.append(rows[nearest[:count]].tolist())
    return sorted(filter(None, chosen), key=min)


def _medoid(distances: np.ndarray) -> int:
    return int(np.argmin(distances.sum(axis=1)))


def _order(distances: np.ndarray) -> list[int]:
    """Indices from the nearest on; of equal ones the earlier first."""
    return [int(index) for index in np.argsort(distances, kind="stable")]
