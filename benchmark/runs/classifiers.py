"""Fitted classifiers by the run or the folder that a user names, and what they choose."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import numpy as np

from backbones import Backbone
from benchmark.config.compose import composed
from benchmark.config.errors import ConfigError
from benchmark.config.registry import check_variant
from benchmark.config.schema import Config
from benchmark.metrics.classifier import (
    ARRAYS,
    CHOOSER,
    JUDGE,
    RECORD,
    Classifier,
    Judge,
    Judgement,
    check_groups,
)
from benchmark.metrics.kept import KeptFeatures
from benchmark.runtime.disk_cache import DiskCache
from benchmark.tracking.records import ChosenPainting
from benchmark.tracking.tracker import Tracker
from benchmark.user_input import InputError
from datasets import ImageSet, LoadedImages

LAST = "last"
"""In place of a run: the one fitted last."""


def read_classifier(option: str, value: str, uri: str | None) -> Classifier:
    """The classifier of a folder, or of an MLflow run, its id or `last`.

    Raises:
        ConfigError: names the option; there is none, or its files are not a classifier's.
    """
    path = Path(value).expanduser()
    try:
        if path.exists():
            folder = path if path.is_dir() else path.parent
            return Classifier.from_files(*((folder / f).read_bytes() for f in (RECORD, ARRAYS)))
        tracker = Tracker(uri, None, create=False)
        run = tracker.classifier(None if value == LAST else value, option)
        return Classifier.from_files(*(tracker.read_bytes(run.run_id, f) for f in (RECORD, ARRAYS)))
    except ConfigError as error:
        hint = "" if path.exists() or error.option == option else f" ({error})"
        reason = error.reason if not hint else f"is no folder, and no run of a store{hint}"
        raise ConfigError(reason, option, value) from error
    except Exception as error:  # A damaged file raises errors of many kinds.
        reason = f"is no classifier: {type(error).__name__}: {error}"
        raise ConfigError(reason, option, value) from error


class Classifiers:
    """The classifiers that a process has read, and their networks."""

    def __init__(self, load: Callable[[Config], Backbone], kept: KeptFeatures) -> None:
        """`load` gives the backbone of a configuration."""
        self._load, self.kept = load, kept
        self.read = lru_cache(maxsize=8)(read_classifier)
        self.judges = lru_cache(maxsize=8)(self._judges)

    def network(self, name: str, layer: str | None, weights: str, size: int) -> Backbone:
        """A variant's network up to one layer, None: its content layer; else InputError."""
        check_variant("backbone", name, "backbone")
        chosen = composed([f"backbone={name}", f"image_size={size}"])
        deepest = chosen.backbone["content_layer"]
        layer = layer or (deepest if isinstance(deepest, str) else deepest[-1])
        own = {"style_layers": [layer], "content_layer": layer, "weights": weights}
        return self._load(replace(chosen, backbone={**chosen.backbone, **own}))

    def _judges(self, classifier: Classifier, option: str, value: str) -> dict[str, Judge]:
        """A classifier's networks by name, ready for pictures.

        Raises:
            ConfigError: the weights that a network was fitted with are not there any more.
        """
        judges, record = {}, classifier.record
        for name, fitted in record.networks.items():
            try:
                backbone = self.network(fitted.backbone, fitted.layer, fitted.weights, record.size)
            except InputError as error:
                reason = f"its network {fitted.backbone} cannot be loaded: {error}"
                raise ConfigError(reason, option, value) from error
            if backbone.digest != fitted.weights_digest:
                reason = (
                    f"its network {fitted.backbone} was fitted with other weights than "
                    f"backbone.weights={fitted.weights} gives now: fit it anew"
                )
                raise ConfigError(reason, option, value)
            about, head = f"{fitted.backbone}, {backbone.weights}", classifier.heads[name]
            judges[name] = Judge(backbone, head, record.labels, classifier.digest, about)
        return judges


@dataclass(frozen=True)
class Chooser:
    """A classifier that chooses style sets, among pictures that its judge was not fitted on."""

    classifier: Classifier
    judge: Judge  # its own network, not the independent one
    kept: KeptFeatures
    disk: DiskCache

    def pictures(self, group: ImageSet) -> LoadedImages:
        """A group's pictures as it sees them: squares of their middle."""
        return self.kept.squares(group, self.classifier.record.size, self.disk)

    def judgement(self, group: ImageSet) -> Judgement:
        """What it makes of the pictures of a group."""
        return self.judge.judgement(self.pictures(group).pixels, self.disk)

    def parted(self, group: ImageSet) -> tuple[ImageSet, ImageSet]:
        """Those that may be chosen, and the group with these first and the judge's own last."""
        parts = self.classifier.parts
        digests = self.pictures(group).digests
        is_judges = [parts.get(digest) == JUDGE for digest in digests]
        pairs = list(zip(group.images, is_judges, strict=True))
        open_ones = tuple(image for image, of_judge in pairs if not of_judge)
        closed = tuple(image for image, of_judge in pairs if of_judge)
        return ImageSet(group.name, open_ones), ImageSet(group.name, (*open_ones, *closed))

    def described(self, group: str, chosen: ImageSet) -> list[ChosenPainting]:
        """The chosen pictures with their probability and distance, as they are recorded."""
        loaded = self.pictures(chosen)
        judgement = self.judge.judgement(loaded.pixels, self.disk)
        distances = np.linalg.norm(judgement.encoded - judgement.encoded[0], axis=1)
        parts = self.classifier.parts
        rows = zip(chosen.images, loaded.digests, judgement.of_group(group), distances, strict=True)
        return [
            ChosenPainting(
                artist=chosen.name,
                painting=image.name,
                source=image.source,
                probability=float(probability),
                distance=float(distance),
                fitted=parts.get(digest) == CHOOSER,
            )
            for image, digest, probability, distance in rows
        ]


def chooser_of(
    value: str, groups: Sequence[ImageSet], uri: str | None, known: Classifiers, disk: DiskCache
) -> Chooser:
    """The chooser that `dataset.classifier` names; ConfigError if it was fitted on other groups."""
    option = "dataset.classifier"
    classifier = known.read(option, value, uri)
    check_groups(classifier.record.labels, [group.name for group in groups], option, value)
    return Chooser(classifier, known.judges(classifier, option, value)[CHOOSER], known.kept, disk)
