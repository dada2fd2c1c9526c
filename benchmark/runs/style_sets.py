"""Which paintings of each group a run matches; the rules themselves are in `datasets.selection`."""

import zlib
from collections.abc import Sequence

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

    @property
    def uses_features(self) -> bool:
        """Whether the rule needs features of the paintings."""
        return self.selection in ("nearest", "diverse", "cluster")


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


def select_by_position(groups: Sequence[ImageSet], choice: Selection, seed: int) -> list[ImageSet]:
    """The sets of the rules `first` and `random`."""
    return [
        _subset(
            group,
            range(choice.paintings)  # in natural order of their numbers (the study, section 1)
            if choice.selection == "first"
            else rules.random_places(len(group.images), choice.paintings, _own(seed, group)),
        )
        for group in groups
    ]


def select_by_features(
    groups: Sequence[ImageSet], features: Sequence[np.ndarray], choice: Selection, seed: int
) -> list[ImageSet]:
    """The sets of the rules `nearest`, `diverse` and `cluster`, by each group's features (n, D)."""
    sets = []
    for group, points in zip(groups, features, strict=True):
        if choice.selection == "nearest":
            sets.append(_subset(group, rules.nearest_places(points, choice.paintings)))
        elif choice.selection == "diverse":
            sets.append(_subset(group, rules.diverse_places(points, choice.paintings)))
        else:
            own_seed = int(np.random.default_rng(_own(seed, group)).integers(2**31))
            parts = rules.cluster_places(points, choice.clusters, choice.paintings, own_seed)
            sets += [
                _subset(group, places, f"{group.name} cluster {number}")
                for number, places in enumerate(parts, start=1)
            ]
    return sets


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


def _subset(group: ImageSet, places: Sequence[int], name: str | None = None) -> ImageSet:
    return ImageSet(name or group.name, tuple(group.images[place] for place in places))


def _own(seed: int, group: ImageSet) -> list[int]:
    return [seed, zlib.crc32(group.name.encode())]
