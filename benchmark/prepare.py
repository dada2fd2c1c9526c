"""From a configuration to loaded, checked inputs; the configuration is not seen below this."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ValidationError

import datasets
from backbones import Backbone, BackboneError, LayerReport, describe
from benchmark import choose, memory
from benchmark.choose import Selection
from benchmark.config import ROOT, Config, Init
from benchmark.errors import ConfigError
from benchmark.step import Aggregation, LossWeights, OptimizerChoice
from benchmark.stylize import Stopping
from benchmark.variants import arguments_of, function_of
from datasets import DatasetError, Loaded, PictureSet, contents

InputError = (ConfigError, BackboneError, DatasetError)
"""What a user can put right, as opposed to a defect of the program."""

STUDY_ORDERS = {"simple": 1.0, "squared": 2.0, "logged": 0.0}
"""The orders p of the study's aggregations, so that these names always mean the same."""


Model = TypeVar("Model", bound=BaseModel)


class ContentChoice(BaseModel):
    """The keys of `content` that say which pictures are taken of those it has.

    Attributes:
        names: by name; None: the first `count`.
        count: how many without names.
        train: how many are drawn with split=train.
        test: how many others are drawn with split=test.
    """

    names: list[str] | None = None
    count: int = 2
    train: int = 10
    test: int = 5


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
        cache: folder for style targets.
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
    cache: Path | None

    @property
    def examples(self) -> list[tuple[str, str]]:
        """(artist, content) of each example, artist by artist."""
        return [(p.name, content) for p in self.paintings for content in self.content.names]

    @property
    def style_digest(self) -> str:
        """SHA-256 over the digests of the style sets, in order."""
        return hashlib.sha256("".join(one.digest for one in self.paintings).encode()).hexdigest()


def prepare(config: Config) -> Prepared:
    """Load and check all that a run needs; costs nothing where an earlier run needed the same.

    Raises:
        InputError: an option, a picture or a weight file is wrong.
    """
    # The backbone comes last, so that a wrong number is told before a download.
    optimizer = optimizer_choice(config.optimizer)
    content = load_content(config)
    choice, groups = painting_groups(config)
    sets = (
        choose.by_looks(groups, choice, load_backbone(config), config.image_size, config.seed)
        if choice.looks
        else choose.without_looking(groups, choice, config.seed)
    )
    paintings = [datasets.load(one, config.image_size) for one in sets]
    combine = aggregation(config.agg, [len(one.names) for one in paintings])
    backbone = load_backbone(config)
    return Prepared(
        paintings=paintings,
        content=content,
        aggregation=combine,
        backbone=backbone,
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
        batch=batch_size(config, backbone, paintings, content),
        from_noise=config.init is Init.noise,
        seed=config.seed,
        cache=ROOT / config.cache / "style_targets" if config.cache else None,
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


def batch_size(
    config: Config, backbone: Backbone, paintings: Sequence[Loaded], content: Loaded
) -> int:
    """Most examples to optimise together: as configured, or what the memory holds."""
    if isinstance(config.batch, int):
        return memory.fitting(backbone, config.batch)
    most = memory.largest_batch(
        backbone,
        config.memory_gb,
        artists=len(paintings),
        paintings=max(len(one.names) for one in paintings),
        contents=len(content.names),
    )
    return memory.fitting(backbone, most)


def load_layers(config: Config) -> list[LayerReport]:
    """All layers of a run's backbone, to choose from."""
    return describe(
        name=config.backbone["name"], model=config.backbone["model"], image_size=config.image_size
    )


def painting_groups(config: Config) -> tuple[Selection, list[PictureSet]]:
    """How paintings are chosen, and the groups, one an artist or genre, to choose them from."""
    choice = keys_of("dataset", config.dataset, Selection)
    function = function_of("dataset", config.dataset)
    arguments = arguments_of("dataset", config.dataset, without=Selection.model_fields)
    groups: list[PictureSet] = function(**arguments)
    choose.check_numbers(groups, choice)
    return choice, groups


def load_content(config: Config) -> Loaded:
    """The content pictures of a run."""
    wanted = keys_of("content", config.content, ContentChoice)
    function = function_of("content", config.content)
    available: PictureSet = function(
        **arguments_of("content", config.content, without=ContentChoice.model_fields)
    )
    if config.split is None:
        found = contents.named_or_first(available, wanted.names, wanted.count)
    elif wanted.names is not None:
        raise ConfigError(
            f"split={config.split.name} draws the content pictures, content.names names them: "
            "leave one out"
        )
    else:
        split: Literal["train", "test"] = config.split.value
        found = contents.drawn(available, split, wanted.train, wanted.test, config.seed)
    return datasets.load(found, config.image_size)


def keys_of(group: str, variant: dict[str, Any], kind: type[Model]) -> Model:
    """The keys of a variant that are not for its function but the same in all its group.

    Raises:
        ConfigError: one has a wrong type or value.
    """
    given = {key: variant[key] for key in kind.model_fields if key in variant}
    try:
        return kind.model_validate(given)
    except ValidationError as error:
        first = error.errors()[0]
        key = str(first["loc"][0])
        raise ConfigError(f"{group}.{key}={variant[key]}: {first['msg'].lower()}") from error


def aggregation(variant: dict[str, Any], paintings: Sequence[int]) -> Aggregation:
    """The aggregation that a YAML of `conf/agg/` describes, for sets of so many paintings.

    Raises:
        ConfigError: an argument is wrong, or the weights do not fit the number of paintings.
    """
    weights = variant.get("weights")
    if weights is not None:
        for number in paintings:
            if len(weights) != number:
                raise ConfigError(
                    f"agg.weights has {len(weights)} numbers for {number} paintings of a set: give "
                    "one each"
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
