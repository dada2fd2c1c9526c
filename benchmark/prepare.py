"""From a configuration to loaded, checked inputs; the configuration is not seen below this."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import datasets
from backbones import Backbone, BackboneError, LayerReport, describe
from benchmark.config import Config, Init
from benchmark.errors import ConfigError
from benchmark.step import Aggregation, LossWeights, OptimizerChoice
from benchmark.stylize import Stopping
from benchmark.variants import arguments_of, function_of
from datasets import DatasetError, Loaded, PictureSet, folder, sample

InputError = (ConfigError, BackboneError, DatasetError)
"""What a user can put right, as opposed to a defect of the program."""

STUDY_ORDERS = {"simple": 1.0, "squared": 2.0, "logged": 0.0}
"""The orders p of the study's aggregations, so that these names always mean the same."""


@dataclass(frozen=True)
class Prepared:
    """All that a run needs.

    Attributes:
        paintings: one set an artist.
        content: the content pictures.
        backbone: the network.
        aggregation: over the paintings.
        optimizer: Keras's.
        loss_weights: of the total.
        stopping: when to end.
        batch: most examples to optimise together.
        from_noise: whether pictures start from noise instead of their content.
        seed: of that noise.
    """

    paintings: Sequence[Loaded]
    content: Loaded
    backbone: Backbone
    aggregation: Aggregation
    optimizer: OptimizerChoice
    loss_weights: LossWeights
    stopping: Stopping
    batch: int
    from_noise: bool
    seed: int

    @property
    def examples(self) -> list[tuple[str, str]]:
        """(artist, content) of each example, artist by artist."""
        return [(p.name, content) for p in self.paintings for content in self.content.names]


def prepare(config: Config) -> Prepared:
    """Load and check all that a run needs; costs nothing where an earlier run needed the same.

    Raises:
        InputError: an option, a picture or a weight file is wrong.
    """
    optimizer = optimizer_choice(config.optimizer)
    paintings = load_paintings(config)
    return Prepared(
        paintings=paintings,
        content=load_content(config),
        # Before the backbone, so that a wrong number is told before a download.
        aggregation=aggregation(config.agg, paintings=len(paintings[0].names)),
        backbone=load_backbone(config),
        optimizer=optimizer,
        loss_weights=LossWeights(
            config.loss.content_weight, config.loss.style_weight, config.loss.variation_weight
        ),
        stopping=Stopping(
            config.epochs,
            config.steps_per_epoch,
            config.early_stopping.min_improvement,
            config.early_stopping.patience,
            config.explosion_factor,
        ),
        batch=config.batch,
        from_noise=config.init is Init.noise,
        seed=config.seed,
    )


def load_backbone(config: Config) -> Backbone:
    """The backbone of a run; its YAML's function keeps what it loaded before."""
    function = function_of("backbone", config.backbone)
    arguments = arguments_of("backbone", config.backbone, without=("loss",))
    backbone: Backbone = function(
        **arguments,
        name=config.backbone["name"],
        image_size=config.image_size,
        precision=config.precision.value,
        seed=config.seed,
    )
    return backbone


def load_layers(config: Config) -> list[LayerReport]:
    """All layers of a run's backbone, to choose from."""
    return describe(
        name=config.backbone["name"], model=config.backbone["model"], image_size=config.image_size
    )


def load_paintings(config: Config) -> list[Loaded]:
    """The paintings of a run, one set an artist."""
    function = function_of("dataset", config.dataset)
    groups: list[PictureSet] = function(**arguments_of("dataset", config.dataset))
    return [datasets.load(group, config.image_size) for group in groups]


def load_content(config: Config) -> Loaded:
    """The content pictures of a run."""
    root, names, count = config.content.root, config.content.names, config.content.count
    found = sample.content(names, count) if root is None else folder.content(root, names, count)
    return datasets.load(found, config.image_size)


def aggregation(variant: dict[str, Any], paintings: int) -> Aggregation:
    """The aggregation that a YAML of `conf/agg/` describes.

    Raises:
        ConfigError: an argument is wrong, or the weights do not fit the number of paintings.
    """
    weights = variant.get("weights")
    if weights is not None:
        if len(weights) != paintings:
            raise ConfigError(
                f"agg.weights has {len(weights)} numbers for {paintings} paintings: give one each"
            )
        if not all(isinstance(w, (int, float)) and 0 < w < float("inf") for w in weights):
            raise ConfigError(f"agg.weights={weights}: every weight must be a positive number")
    numbers = arguments_of("agg", variant, without=("weights",))
    for name, value in numbers.items():
        if value != value:
            raise ConfigError(f"agg.{name}={value}: must be a number")
    order = STUDY_ORDERS.get(variant["name"])
    if order is not None and numbers.get("p", order) != order:
        raise ConfigError(
            f"agg.p={numbers['p']}: agg={variant['name']} has its own p; use agg=power"
        )
    return Aggregation(function_of("agg", variant), numbers, tuple(weights) if weights else None)


def optimizer_choice(variant: dict[str, Any]) -> OptimizerChoice:
    """The optimiser that a YAML of `conf/optimizer/` describes.

    Raises:
        ConfigError: an argument is wrong.
    """
    arguments = arguments_of("optimizer", variant)
    constructor = function_of("optimizer", variant)
    rate = arguments.pop("learning_rate", None)
    if rate is None:
        raise ConfigError(f"optimizer={variant['name']}: its YAML must give a learning_rate")
    for norm in ("clipnorm", "global_clipnorm"):
        if arguments.get(norm) is not None:
            raise ConfigError(f"optimizer.{norm}: would tie the examples of a batch together")
    if not 0 < rate < float("inf"):
        raise ConfigError(f"optimizer.learning_rate={rate}: must be a positive number")
    try:
        constructor(learning_rate=rate, **arguments)
    except (TypeError, ValueError) as error:
        raise ConfigError(f"optimizer={variant['name']}: {error}") from error
    return OptimizerChoice(constructor, rate, tuple(arguments.items()))
