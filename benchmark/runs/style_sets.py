"""Which paintings of each group a run matches; the rules themselves are in `datasets.selection`."""

import zlib
from collections.abc import Callable, Sequence

import numpy as np
from pydantic import BaseModel, ConfigDict, PositiveInt

import datasets
from backbones import Backbone
from benchmark.transfer.features import channel_energies, extract_features
from datasets import DatasetError, ImageSet
from datasets import selection as rules

PAINTINGS_AT_ONCE = 30
"""Paintings of a large group that are in memory at a time."""


class Selection(BaseModel):
    """The keys of `dataset` that say which paintings make a set.

    Attributes:
        selection: the rule.
        paintings: how many make a set; with `cluster`, at most.
        clusters: into how many clusters a group is divided.
    """

    model_config = ConfigDict(frozen=True)

    selection: rules.Method = "first"
    paintings: PositiveInt = 30
    clusters: PositiveInt = 3


def check_sizes(groups: Sequence[ImageSet], choice: Selection) -> None:
    """Check that every group has enough paintings.

    Raises:
        DatasetError: one has fewer.
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


def style_sets_of(
    group: ImageSet, choice: Selection, seed: int, features_of: Callable[[ImageSet], np.ndarray]
) -> list[ImageSet]:
    """The style set of a group, or with `cluster` several.

    Args:
        group: to select from.
        choice: the rule.
        seed: of all groups; each one's own depends on its name too.
        features_of: a group's features (n, D), for the rules that compare paintings.
    """
    count, own_seed = choice.paintings, [seed, zlib.crc32(group.name.encode())]
    if choice.selection == "first":  # In the order of their numbers (the study, section 1).
        return [_subset(group, range(count))]
    if choice.selection == "random":
        return [_subset(group, rules.random_places(len(group.images), count, own_seed))]
    features = features_of(group)
    if choice.selection == "nearest":
        return [_subset(group, rules.nearest_places(features, count))]
    if choice.selection == "diverse":
        return [_subset(group, rules.diverse_places(features, count))]
    random_state = int(np.random.default_rng(own_seed).integers(2**31))
    clusters = rules.cluster_places(features, choice.clusters, count, random_state)
    return [
        _subset(group, places, f" cluster {number}") for number, places in enumerate(clusters, 1)
    ]


def _subset(group: ImageSet, places: Sequence[int], suffix: str = "") -> ImageSet:
    return ImageSet(group.name + suffix, tuple(group.images[place] for place in places))


def group_features(backbone: Backbone, group: ImageSet, size: int) -> np.ndarray:
    """Each painting of a group as a point of the backbone's feature space, (n, D).

    The root mean square of every channel of the style layers and of the content layer; each
    layer's part has mean norm 1, so that all layers count alike.
    """
    parts = []
    for start in range(0, len(group.images), PAINTINGS_AT_ONCE):
        part = ImageSet(group.name, group.images[start : start + PAINTINGS_AT_ONCE])
        *grams, content = extract_features(backbone, datasets.load_images(part, size).pixels)
        parts.append(channel_energies(grams, content))
    layers = [np.concatenate(layer) for layer in zip(*parts, strict=True)]
    norms = [max(float(np.linalg.norm(layer, axis=1).mean()), 1e-12) for layer in layers]
    return np.concatenate([a / norm for a, norm in zip(layers, norms, strict=True)], axis=1)
