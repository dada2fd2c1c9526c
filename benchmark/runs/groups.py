"""The groups of a run's dataset, and the style sets chosen from them."""

from collections.abc import Sequence
from functools import cache, partial

import numpy as np

from benchmark.config.errors import ConfigError
from benchmark.config.schema import Config
from benchmark.config.signatures import arguments_of, function_of
from benchmark.runs.classifiers import Chooser, chooser_of
from benchmark.runs.style_sets import Selection, as_one, blended_artists, choose_sets
from benchmark.runs.variants import keys_of
from benchmark.runs.workspace import Workspace, disk_cache, load_backbone
from benchmark.tracking.records import ChosenPainting
from datasets import ImageSet, LoadedImages


def load_paintings(
    config: Config, workspace: Workspace
) -> tuple[list[ImageSet], list[LoadedImages]]:
    """The groups, one an artist or genre, that a run's style sets are chosen from, and these sets.

    With a classifier, sets are chosen from pictures that its judge was not fitted on; these are the
    last of each group.

    Raises:
        InputError: the dataset has no such groups, or one has too few paintings.
    """
    choice = keys_of("dataset", config.dataset, Selection)
    groups = available_paintings(config)
    backbone = cache(partial(load_backbone, config, workspace.backbones))
    disk = disk_cache(config)
    chooser = chooser_of_run(config, groups, workspace)
    choices = groups
    if chooser:
        choices, groups = map(list, zip(*map(chooser.parted, groups), strict=True))

    def features(group: ImageSet) -> np.ndarray:
        return workspace.group_features(backbone(), group, config.image_size, disk)

    judgement = chooser.judgement if chooser else None
    sets = choose_sets(choices, choice, config.seed, features, judgement)
    if choice.blend:
        weights = zip(sets, choice.shares.values(), strict=True)
        name = " + ".join(f"{one.name} {share:.3g}" for one, share in weights)
        whole, blend = as_one(name, groups, sets)
        groups, sets = [whole], [blend]
    return groups, [workspace.kept.images(one, config.image_size, disk) for one in sets]


def chooser_of_run(
    config: Config, groups: Sequence[ImageSet], workspace: Workspace
) -> Chooser | None:
    """What a run's style sets are chosen or described by, if anything is; else InputError."""
    value, disk = keys_of("dataset", config.dataset, Selection).classifier, disk_cache(config)
    if value is None:
        return None
    return chooser_of(value, groups, config.tracking.uri, workspace.classifiers, disk)


def available_paintings(config: Config) -> list[ImageSet]:
    """The groups that a run's style sets are chosen from, all their paintings.

    Raises:
        InputError: the dataset has no such groups.
    """
    choice = keys_of("dataset", config.dataset, Selection)
    function = function_of("dataset", config.dataset)
    arguments = arguments_of("dataset", config.dataset, without=Selection.model_fields)
    groups: list[ImageSet] = (
        blended_artists(choice, function, arguments) if choice.blend else function(**arguments)
    )
    if not (isinstance(groups, list) and all(isinstance(one, ImageSet) for one in groups)):
        raise ConfigError(
            "must return list[ImageSet]", "dataset._target_", config.dataset["_target_"]
        )
    return groups


def chosen_paintings(
    config: Config,
    groups: Sequence[ImageSet],
    sets: Sequence[LoadedImages],
    workspace: Workspace,
) -> list[ChosenPainting]:
    """How a run's classifier sees its style sets; nothing without one, or of a blend."""
    choice = keys_of("dataset", config.dataset, Selection)
    chooser = None if choice.blend else chooser_of_run(config, groups, workspace)
    if chooser is None:
        return []
    by_source = {image.source: group.name for group in groups for image in group.images}
    described = [
        chooser.described(by_source[one.image_set.images[0].source], one.image_set) for one in sets
    ]
    return [row for rows in described for row in rows]
