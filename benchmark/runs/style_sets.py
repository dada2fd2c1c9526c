"""Which paintings of each group a run matches; the rules themselves are in `datasets.selection`."""

import zlib
from collections.abc import Callable, Sequence

import numpy as np
from pydantic import BaseModel, PositiveInt

from backbones import Backbone
from benchmark.metrics.kept import kept_arrays, load_images
from benchmark.runtime.disk_cache import DiskCache
from datasets import DatasetError, ImageSet
from datasets import selection as rules


class Selection(BaseModel, frozen=True):
    """The keys of `dataset` for choosing sets of so many paintings, with `cluster` at most."""

    selection: rules.Method = "first"
    paintings: PositiveInt = 30
    clusters: PositiveInt = 3


def choose_sets(
    groups: Sequence[ImageSet],
    choice: Selection,
    seed: int,
    features: Callable[[ImageSet], np.ndarray],
) -> list[ImageSet]:
    """The style set of each group; with `cluster` several of each.

    The rules that compare paintings call `features`, (n, D), of a group's.

    Raises:
        DatasetError: a group has too few paintings.
    """
    option = "clusters" if choice.selection == "cluster" else "paintings"
    needed = getattr(choice, option)
    for group in groups:
        number = len(group.images)
        if number < needed:
            lower = f"set dataset.{option}={number}, or " if number else ""
            raise DatasetError(
                f"'{group.name}' has only {number} paintings: {lower}choose others",
                option=f"dataset.{option}",
                value=needed,
            )
    sets = []
    for group in groups:
        own_seed = [seed, zlib.crc32(group.name.encode())]
        parts: Sequence[Sequence[int]]
        match choice.selection:
            case "first":  # in natural order of their numbers (the study, section 1)
                parts = [range(choice.paintings)]
            case "random":
                parts = [rules.random_places(len(group.images), choice.paintings, own_seed)]
            case "nearest":
                parts = [rules.nearest_places(features(group), choice.paintings)]
            case "diverse":
                parts = [rules.diverse_places(features(group), choice.paintings)]
            case "cluster":
                drawn = int(np.random.default_rng(own_seed).integers(2**31))
                points, clusters = features(group), choice.clusters
                parts = rules.cluster_places(points, clusters, choice.paintings, drawn)
        for number, places in enumerate(parts, start=1):
            cluster = f" cluster {number}" if choice.selection == "cluster" else ""
            images = tuple(group.images[place] for place in places)
            sets.append(ImageSet(group.name + cluster, images))
    return sets


def group_features(backbone: Backbone, group: ImageSet, size: int, disk: DiskCache) -> np.ndarray:
    """Each painting of a group as a point of the backbone's feature space, (n, D).

    The root mean square of every channel of the style layers and of the content layer; each
    layer's part has mean norm 1, so that all layers count alike.
    """
    parts = []
    for start in range(0, len(group.images), 30):  # so many in memory at a time
        part = load_images(ImageSet(group.name, group.images[start : start + 30]), size, disk)
        parts.append(kept_arrays(backbone, part, disk).statistics)
    widths = [layer.shape[-1] for layer in backbone.shared.cut.outputs]
    layers = np.split(np.concatenate(parts), np.cumsum(widths)[:-1], axis=1)
    norms = [max(float(np.linalg.norm(layer, axis=1).mean()), 1e-12) for layer in layers]
    return np.concatenate([a / norm for a, norm in zip(layers, norms, strict=True)], axis=1)
