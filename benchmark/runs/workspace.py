"""The networks that runs load, and what the runs of one process share."""

import inspect
from copy import copy
from dataclasses import replace
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

from backbones import Backbone, BackboneCache, BackboneError
from benchmark.config.compose import composed
from benchmark.config.errors import ConfigError
from benchmark.config.paths import ROOT
from benchmark.config.registry import check_variant
from benchmark.config.schema import Config
from benchmark.config.signatures import arguments_of, function_of
from benchmark.metrics.kept import KeptFeatures, OnExtracted
from benchmark.runs.classifiers import Classifiers
from benchmark.runs.masks import load_masks
from benchmark.runs.style_sets import group_features
from benchmark.runs.variants import check_works
from benchmark.runtime.disk_cache import DiskCache
from benchmark.runtime.memo import Memo
from benchmark.transfer.step import Optimizer
from benchmark.transfer.style_transfer import Session

NOT_OF_NETWORK = ("loss", "layer_weights", "content_weights")
"""Keys of a backbone's YAML that are of the loss."""


def load_backbone(config: Config, cache: BackboneCache) -> Backbone:
    """The backbone of a run."""
    function = function_of("backbone", config.backbone)
    own: dict[str, Any] = {
        "name": config.backbone["name"],
        "image_size": config.image_size,
        "precision": config.precision.value,
        "seed": config.seed,
    }
    if "cache" in inspect.signature(function).parameters:
        own["cache"] = cache
    arguments = arguments_of("backbone", config.backbone, without=NOT_OF_NETWORK, named=own)
    backbone: Backbone = function(**arguments, **own)
    return backbone


def disk_cache(config: Config) -> DiskCache:
    """Where a run keeps pictures and their features for others."""
    return DiskCache(ROOT / Path(config.cache).expanduser() if config.cache else None)


class Workspace:
    """Caches of what runs load, extract and compile; of each the least recently used go first.

    Whoever does or checks several runs owns one and passes it to them.
    """

    def __init__(self) -> None:
        """With nothing in it."""
        self.session = Session()
        self.backbones = BackboneCache()
        self.evaluator = lru_cache(maxsize=32)(self._evaluator)
        self.kept = KeptFeatures()
        self._checked = Memo(64)
        self.classifiers = Classifiers(partial(load_backbone, cache=self.backbones), self.kept)
        self.masks = lru_cache(maxsize=16)(load_masks)
        self.group_features = lru_cache(maxsize=64)(group_features)

    def watched(self, on_extracted: OnExtracted) -> "Workspace":
        """The same with features of its own, of whose extraction a function is told."""
        other = copy(self)
        other.kept = KeptFeatures(on_extracted)
        return other

    def check_optimizer(self, choice: Optimizer, target: str) -> None:
        """`check_works`, once: of each variable it makes TensorFlow keeps 11 kB for good."""
        self._checked((repr(choice), target), partial(check_works, choice, target))

    def _evaluator(self, name: str, weights: str, image_size: int) -> Backbone | str:
        """A backbone that scores results, or with weights="auto" why not; else ConfigError.

        An evaluator without trained weights says nothing, so "auto" does not end in random ones.
        """
        check_variant("evaluation.evaluators", name, "backbone")
        chosen = composed([f"backbone={name}", f"image_size={image_size}"])
        if weights == "auto" and "model" in chosen.backbone:
            weights, missing = self.backbones.best_available(chosen.backbone["model"])
            if missing:
                return missing
        try:
            variant = {**chosen.backbone, "weights": weights}
            return load_backbone(replace(chosen, backbone=variant), self.backbones)
        except BackboneError as error:
            reason = f"with evaluation.weights={weights}: {error.reason}"
            raise ConfigError(reason, "evaluation.evaluators", name) from error
