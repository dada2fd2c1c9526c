"""Which paintings of each group a run matches; the rules themselves are in `datasets.selection`."""

import inspect
import zlib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import zip_longest
from typing import Annotated, Any

import numpy as np
from pydantic import AfterValidator, BaseModel, BeforeValidator, PositiveInt

from backbones import Backbone
from benchmark.config.errors import ConfigError
from benchmark.config.schema import LossWeight, Text
from benchmark.metrics.classifier import Judgement
from benchmark.metrics.kept import kept_arrays, load_images
from benchmark.runtime.disk_cache import DiskCache
from datasets import DatasetError, ImageSet, LoadedImages
from datasets import selection as rules


def not_all_zero(weights: dict[str, float]) -> dict[str, float]:
    """The weights of a blend, of which one at least is positive."""
    if not any(weights.values()):
        raise ValueError("give an artist a weight > 0")
    return weights


def by_place(weights: Any) -> Any:
    """Weights in the order of a dataset's artists as weights by name: `#1` is its first."""
    listed = isinstance(weights, list)
    return {f"#{n}": weight for n, weight in enumerate(weights, 1)} if listed else weights


ByNameOrPlace = dict[str, LossWeight] | list[LossWeight]


class Selection(BaseModel, frozen=True):
    """The keys of `dataset` for choosing sets of so many paintings, with `cluster` at most.

    With `blend`, weights by artist or in their order, there is one set: the sets of these artists
    together. A `classifier`, a run or a folder, is what `top` and `top_nearest` choose by. And the
    place of the `masks` that say where in paintings their style is.
    """

    selection: rules.Method = "first"
    paintings: PositiveInt = 30
    clusters: PositiveInt = 3
    classifier: str | None = None
    blend: (
        Annotated[
            dict[str, LossWeight],
            BeforeValidator(by_place, json_schema_input_type=ByNameOrPlace),
            AfterValidator(not_all_zero),
        ]
        | None
    ) = None
    masks: Text | None = None

    @property
    def shares(self) -> dict[str, float]:
        """Those of the artists of a blend, summing to 1, without artists of weight 0."""
        weights = {name: weight for name, weight in (self.blend or {}).items() if weight}
        return {name: weight / sum(weights.values()) for name, weight in weights.items()}

    @property
    def painting_weights(self) -> list[float] | None:
        """For each painting of a blend its artist's weight over their number: w_a / (n Σ_b w_b)."""
        n = self.paintings
        return [share / n for share in self.shares.values() for _ in range(n)] or None


def blended_artists(
    choice: Selection, function: Callable[..., list[ImageSet]], arguments: Mapping[str, Any]
) -> list[ImageSet]:
    """The paintings of each artist of a blend, from a dataset's function with its arguments.

    Raises:
        InputError: an artist is unknown or named twice, or other arguments choose artists too.
    """
    blend, parameters = choice.blend or {}, inspect.signature(function).parameters
    by_name = "#1" not in blend
    given = blend if by_name else [*blend.values()]
    others = [
        f"dataset.{key}"
        for key, value in arguments.items()
        if value is not None and parameters[key].default is not inspect.Parameter.empty
    ]
    reason = ""
    if by_name and "artists" not in parameters:
        reason = "artists of this dataset cannot be named: give weights in their order, [0.7,0.3]"
    elif by_name and others:
        reason = f"names the artists: leave {' and '.join(others)} out"
    elif choice.selection == "cluster":
        reason = "takes one set of each artist, dataset.selection=cluster makes several: choose one"
    if reason:
        raise ConfigError(reason, "dataset.blend", given)
    try:
        groups = function(**{**arguments, **({"artists": list(blend)} if by_name else {})})
    except DatasetError as error:
        option = "dataset.blend" if error.option == "dataset.artists" else error.option
        raise DatasetError(error.reason, option, error.value) from error
    if len(groups) != len(blend):
        names = ", ".join(group.name for group in groups)
        reason = f"{len(blend)} weights for {len(groups)} artists, {names}: give each of them one"
        raise ConfigError(reason, "dataset.blend", given)
    return [group for group, weight in zip(groups, blend.values(), strict=True) if weight]


def as_one(
    name: str, groups: Sequence[ImageSet], sets: Sequence[ImageSet]
) -> tuple[ImageSet, ImageSet]:
    """Several artists as one: all their paintings, and their style sets, artist by artist.

    All the paintings are in turn from the last of each back to the first, so that the last ones,
    which are held out, are equally many of each. Chosen ones that share a name get their artist's
    before it.
    """
    backwards = zip_longest(*(reversed(group.images) for group in groups))
    everything = [image for images in backwards for image in images if image]
    names = Counter(image.name for one in sets for image in one.images)
    chosen = tuple(
        replace(image, name=f"{one.name} {image.name}") if names[image.name] > 1 else image
        for one in sets
        for image in one.images
    )
    return ImageSet(name, tuple(reversed(everything))), ImageSet(name, chosen)


def painting_together(
    groups: Sequence[ImageSet], sets: Sequence[LoadedImages]
) -> tuple[list[ImageSet], list[LoadedImages]]:
    """As `as_one`, of artists who paint one picture, each where its mask says."""
    name = " + ".join(one.name for one in sets)
    whole, chosen = as_one(name, groups, [one.image_set for one in sets])
    pixels = np.concatenate([one.pixels for one in sets])
    return [whole], [LoadedImages(chosen, pixels, tuple(d for one in sets for d in one.digests))]


def choose_sets(
    groups: Sequence[ImageSet],
    choice: Selection,
    seed: int,
    features: Callable[[ImageSet], np.ndarray],
    judgement: Callable[[ImageSet], Judgement] | None = None,
) -> list[ImageSet]:
    """The style set of each group; with `cluster` several of each.

    The rules that compare paintings call `features`, (n, D), of a group's, those by a classifier
    `judgement`.

    Raises:
        DatasetError: a group has too few paintings.
    """
    option = "clusters" if choice.selection == "cluster" else "paintings"
    needed = getattr(choice, option)
    for group in groups:
        number = len(group.images)
        if number < needed:
            held_out = " (fewer leave some held out)" if option == "paintings" else ""
            lower = f"set dataset.{option}={number}{held_out}, or " if number else ""
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
            case "top" | "top_nearest":
                parts = [_places_by_classifier(group, choice, judgement)]
        for number, places in enumerate(parts, start=1):
            cluster = f" cluster {number}" if choice.selection == "cluster" else ""
            images = tuple(group.images[place] for place in places)
            sets.append(ImageSet(group.name + cluster, images))
    return sets


def _places_by_classifier(
    group: ImageSet, choice: Selection, judgement: Callable[[ImageSet], Judgement] | None
) -> list[int]:
    if judgement is None:
        reason = "needs dataset.classifier=RUN_OR_PATH, from python -m benchmark.genre fit"
        raise ConfigError(reason, "dataset.selection", choice.selection)
    found = judgement(group)
    probabilities = found.of_group(group.name)
    if choice.selection == "top":
        return rules.top_places(probabilities, choice.paintings)
    return rules.top_nearest_places(probabilities, found.encoded, choice.paintings)


def group_features(backbone: Backbone, group: ImageSet, size: int, disk: DiskCache) -> np.ndarray:
    """Each painting of a group as a point of the backbone's feature space, (n, D).

    The root mean square of every channel of the style layers and of the content layers; each
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
