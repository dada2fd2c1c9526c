"""The networks of a run: the backbone that it optimises with, and its evaluators."""

import inspect
from dataclasses import replace
from typing import Any

from backbones import Backbone, BackboneCache, BackboneError, LayerReport, list_layers
from benchmark.config.compose import composed
from benchmark.config.errors import ConfigError
from benchmark.config.registry import check_variant
from benchmark.config.schema import Config
from benchmark.config.signatures import arguments_of, function_of


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
    arguments = arguments_of("backbone", config.backbone, without=("loss",), named=own)
    backbone: Backbone = function(**arguments, **own)
    return backbone


def load_evaluator(
    cache: BackboneCache, name: str, weights: str, image_size: int
) -> Backbone | str:
    """A backbone that scores results; with weights="auto" perhaps why it cannot be had.

    Raises:
        ConfigError: no such backbone, or not with these weights.
    """
    check_variant("evaluation.evaluators", name, "backbone")
    chosen = composed([f"backbone={name}", f"image_size={image_size}"])
    variant = {**chosen.backbone, "weights": "imagenet" if weights == "auto" else weights}
    try:
        return load_backbone(replace(chosen, backbone=variant), cache)
    except BackboneError as error:
        if weights == "auto":
            return str(error)
        raise ConfigError(
            f"with evaluation.weights={weights}: {error}", "evaluation.evaluators", name
        ) from error


def load_layers(config: Config) -> list[LayerReport]:
    """All layers of a run's backbone, to choose from."""
    return list_layers(model=config.backbone["model"], image_size=config.image_size)
