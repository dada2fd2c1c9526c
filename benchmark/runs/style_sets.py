"""Which paintings of each group a run matches; the rules themselves are in `datasets.selection`."""

import zlib
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from pydantic import BaseModel, ConfigDict, PositiveInt

import datasets
from backbones import Backbone
from benchmark.images.pixels import to_float
from benchmark.transfer.features import channel_energies
from datasets import DatasetError, ImageSet
from datasets import selection as rules

MEASURED_TOGETHER = 30
"""Paintings in memory at a time while a large group is measured."""


class Selection(BaseModel):
    """The keys of `dataset` that say which paintings make a set.

    Attributes:
        selection: the rule.
        paintings: how many make a set; with `cluster`, at most.
        clusters: how many clusters a group is parted into.
    """

    model_config = ConfigDict(frozen=True)

    selection: rules.Method = "first"
    paintings: PositiveInt = 30
    clusters: PositiveInt = 3

    @property
    def uses_features(self) -> bool:
        """Whether the paintings must be looked at, through a backbone."""
        return self.selection in ("nearest", "diverse", "cluster")


def check_numbers(groups: Sequence[ImageSet], choice: Selection) -> None:
    """Check that every group has paintings enough.

    Raises:
        DatasetError: one has fewer; says how many and how to go on.
    """
    needed = choice.clusters if choice.selection == "cluster" else choice.paintings
    option = "clusters" if choice.selection == "cluster" else "paintings"
    for group in groups:
        there = len(group.images)
        if there < needed:
            advice = f"set dataset.{option}={there}, or choose others" if there else "choose others"
            raise DatasetError(
                f"'{group.name}' has {there} paintings, dataset.{option}={needed} asks for more: "
                f"{advice}"
            )


def select_by_position(groups: Sequence[ImageSet], choice: Selection, seed: int) -> list[ImageSet]:
    """The sets of the rules `first` and `random`."""
    return [
        _subset(
            group,
            rules.first_places(choice.paintings)
            if choice.selection == "first"
            else rules.random_places(len(group.images), choice.paintings, _own(seed, group)),
        )
        for group in groups
    ]


def select_by_features(
    groups: Sequence[ImageSet], choice: Selection, backbone: Backbone, size: int, seed: int
) -> list[ImageSet]:
    """The sets of the rules `nearest`, `diverse` and `cluster`, as one backbone sees them."""
    found = []
    for group in groups:
        features = features_of(backbone, group, size)
        if choice.selection == "nearest":
            found.append(_subset(group, rules.nearest_places(features, choice.paintings)))
        elif choice.selection == "diverse":
            found.append(_subset(group, rules.diverse_places(features, choice.paintings)))
        else:
            own_seed = int(np.random.default_rng(_own(seed, group)).integers(2**31))
            parts = rules.cluster_places(features, choice.clusters, choice.paintings, own_seed)
            found += [
                _subset(group, places, f"{group.name} cluster {number}")
                for number, places in enumerate(parts, start=1)
            ]
    return found


@lru_cache(maxsize=64)
def features_of(backbone: Backbone, group: ImageSet, size: int) -> np.ndarray:
    """Each painting of a group as a point of the backbone's feature space, (n, D).

    The root mean square of every channel of the style layers and of the content layer; each
    layer's part has mean norm 1, so that all layers count alike.
    """
    parts = []
    for start in range(0, len(group.images), MEASURED_TOGETHER):
        part = ImageSet(group.name, group.images[start : start + MEASURED_TOGETHER])
        pixels = datasets.load_images(part, size).pixels
        parts.append(channel_energies(backbone, to_float(pixels)))
    layers = [np.concatenate(layer) for layer in zip(*parts, strict=True)]
    norms = [max(float(np.linalg.norm(layer, axis=1).mean()), 1e-12) for layer in layers]
    return np.concatenate([a / norm for a, norm in zip(layers, norms, strict=True)], axis=1)


def _subset(group: ImageSet, places: Sequence[int], name: str | None = None) -> ImageSet:
    return ImageSet(name or group.name, tuple(group.images[place] for place in places))


def _own(seed: int, group: ImageSet) -> list[int]:
    return [seed, zlib.crc32(group.name.encode())]
