"""Which images a run takes of those available.

Rules for the paintings of a group are pure functions of numbers, features and seeds. Each returns
indices into the group; `features` has one row per painting, in a space whose Euclidean distance
means dissimilarity.
"""

import zlib
from collections import Counter
from collections.abc import Sequence
from typing import Literal

import numpy as np

from datasets.images import DatasetError, ImageSet, LazyImage
from datasets.names import chosen_names

Method = Literal["first", "random", "nearest", "diverse", "cluster", "top", "top_nearest"]


def random_places(available: int, count: int, seed: list[int]) -> list[int]:
    """A seeded draw without repetition, in the group's order."""
    return sorted(np.random.default_rng(seed).choice(available, count, replace=False).tolist())


def nearest_places(features: np.ndarray, count: int) -> list[int]:
    """The medoid, argmin_i Σ_j ‖f_i − f_j‖, and the paintings nearest to it, nearest first.

    Source: the genre variant in the study's reference, section 2, where sets of neighbours worked
    and random ones failed; it starts from a classifier's most certain painting instead.
    """
    distances = _distances(features)
    return [int(i) for i in np.argsort(distances[_medoid(distances)], kind="stable")[:count]]


def diverse_places(features: np.ndarray, count: int) -> list[int]:
    """The medoid, then repeatedly the painting farthest from all chosen so far.

    Source: Gonzalez, Clustering to minimize the maximum intercluster distance, 1985.
    """
    distances = _distances(features)
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
    from sklearn.cluster import KMeans

    kmeans = KMeans(number, n_init=10, random_state=seed).fit(features)
    chosen = []
    for cluster, centre in enumerate(kmeans.cluster_centers_):
        rows = np.flatnonzero(kmeans.labels_ == cluster)
        nearest = np.argsort(np.linalg.norm(features[rows] - centre, axis=1), kind="stable")
        chosen.append(rows[nearest[:count]].tolist())
    return sorted(filter(None, chosen), key=min)


def top_places(probabilities: np.ndarray, count: int) -> list[int]:
    """The pictures that a classifier is surest of, by their group's probability (n,), surest first.

    Source: the study's reference, section 2, where such sets of five failed.
    """
    return [int(i) for i in np.argsort(-probabilities, kind="stable")[:count]]


def top_nearest_places(probabilities: np.ndarray, encoded: np.ndarray, count: int) -> list[int]:
    """The picture that a classifier is surest of, and its nearest in what it encodes, (n, D).

    By Euclidean distance ‖e_i − e_top‖, nearest first.

    Source: the study's reference, section 2, where D = 128 and such sets worked.
    """
    top = int(np.argmax(probabilities))
    distances = np.linalg.norm(encoded - encoded[top], axis=1)
    distances[top] = -1.0  # before pictures that equal it
    return [int(i) for i in np.argsort(distances, kind="stable")[:count]]


def _distances(features: np.ndarray) -> np.ndarray:
    from sklearn.metrics import pairwise_distances  # It takes a second, which few runs need.

    return np.asarray(pairwise_distances(features))


def _medoid(distances: np.ndarray) -> int:
    return int(np.argmin(distances.sum(axis=1)))


def named_or_first(available: ImageSet, names: Sequence[str] | None, count: int) -> ImageSet:
    """The content images of some names, in any spelling or patterns; None: the first `count`.

    Raises:
        DatasetError: no image of a name, two of one name, or too few.
    """
    by_name = _by_name(available)
    if names is not None:
        aliases = {name: (image.file_name,) for name, image in by_name.items()}
        wanted = chosen_names("content.names", aliases, names)
    elif count <= len(by_name):
        wanted = list(by_name)[:count]
    else:
        most = len(by_name)
        reason = f"only {most} content images are available: set content.count={most} or add images"
        raise DatasetError(reason, "content.count", count)
    return ImageSet(available.name, tuple(by_name[name] for name in wanted))


def random_split(
    available: ImageSet, split: Literal["train", "test"], train: int, test: int, seed: int
) -> ImageSet:
    """A seeded draw of `train` content images for training, or of `test` others for testing.

    All images are shuffled; training takes from the front, testing from the back, so that the
    two share none, and how many either takes does not change which the other does.

    Raises:
        DatasetError: fewer than both together, or two of one name.

    Source: the study, section 1.
    """
    count = len(available.images)
    if count < train + test:
        reason = (
            f"content.train={train} and content.test={test} others need {train + test} content "
            f"images, only {count} are available: lower them or add images"
        )
        raise DatasetError(reason, "split", split)
    in_order = [image for _, image in sorted(_by_name(available).items())]
    shuffled = np.random.default_rng([seed, zlib.crc32(b"content")]).permutation(count)
    places = shuffled[:train] if split == "train" else shuffled[-test:]
    return ImageSet(available.name, tuple(in_order[place] for place in sorted(places)))


def _by_name(available: ImageSet) -> dict[str, LazyImage]:
    names = Counter(image.name for image in available.images)
    for name, count in names.items():
        if count > 1:
            raise DatasetError(f"two images are called '{name}'; rename one", option="content")
    return dict(zip(names, available.images, strict=True))
