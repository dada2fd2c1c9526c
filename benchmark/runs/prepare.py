"""From a configuration to loaded, checked inputs; the configuration is not seen below this."""

import inspect
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, Field, PositiveInt, TypeAdapter, ValidationError

import datasets
from backbones import Backbone
from benchmark.config.checks import LARGEST_FLOAT
from benchmark.config.errors import ConfigError
from benchmark.config.paths import ROOT
from benchmark.config.schema import Config, Init, Keep
from benchmark.config.variants import arguments_of, check_call, function_of
from benchmark.metrics import references
from benchmark.metrics.description import MetricDescription
from benchmark.metrics.scoring import INPUTS, EvaluationSetup, Metric
from benchmark.runs import style_sets as choose
from benchmark.runs.checkpoint import Checkpoint
from benchmark.runs.networks import load_backbone
from benchmark.runs.style_sets import Selection
from benchmark.runs.workspace import Workspace
from benchmark.transfer.aggregation import Aggregation
from benchmark.transfer.losses import Loss, LossFunctions, LossWeights
from benchmark.transfer.optimizers import OptimizerChoice
from benchmark.transfer.stopping import Stopping
from benchmark.transfer.style_transfer import StyleTransfer
from datasets import ImageSet, LoadedImages, contents

STUDY_ORDERS = {"simple": 1.0, "squared": 2.0, "logged": 0.0}
"""The orders p of the study's aggregations, so that these names always mean the same."""

DECAYS = ("beta_1", "beta_2", "rho", "momentum", "ema_momentum")
"""Arguments of optimisers that are shares, of which Keras checks few."""

PaintingWeights = list[Annotated[float, Field(gt=0, le=LARGEST_FLOAT)]]

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
    count: PositiveInt = 2
    train: PositiveInt = 10
    test: PositiveInt = 5


@dataclass(frozen=True)
class Prepared:
    """All that a run needs.

    Attributes:
        paintings: one set an artist.
        content: the content pictures.
        backbone: the network.
        aggregation: over the paintings.
        optimizer: Keras's.
        loss: the total of an example.
        stopping: when to end.
        batch: most examples to optimise together.
        from_noise: whether pictures start from noise instead of their content.
        seed: of that noise.
        keep_best: whether each example's picture of lowest total loss is kept, not the last.
        snapshots: epochs whose pictures are logged.
        original_size: whether results are also logged at their content pictures' own sizes.
        cache: folder for style targets.
        evaluation_setup: with what the results are scored.
        workspace: what it shares with the other runs of the process.
    """

    paintings: Sequence[LoadedImages]
    content: LoadedImages
    backbone: Backbone
    aggregation: Aggregation
    optimizer: OptimizerChoice
    loss: Loss
    stopping: Stopping
    batch: int
    from_noise: bool
    seed: int
    keep_best: bool
    snapshots: Sequence[int]
    original_size: bool
    cache: Path | None
    evaluation_setup: EvaluationSetup
    workspace: Workspace

    @property
    def transfer(self) -> StyleTransfer:
        """What is optimised, apart from the images."""
        return StyleTransfer(
            self.backbone, self.aggregation, self.loss, self.optimizer, self.workspace.session
        )

    @property
    def examples(self) -> list[tuple[str, str]]:
        """(artist, content) of each example, artist by artist."""
        return [(p.name, content) for p in self.paintings for content in self.content.names]

    @property
    def style_digest(self) -> str:
        """SHA-256 over the digests of the style sets, in order."""
        return datasets.digest_of(self.paintings)


def prepare(config: Config, workspace: Workspace) -> Prepared:
    """Load and check all that a run needs, or take it from the workspace.

    Raises:
        InputError: an option, a picture or a weight file is wrong.
    """
    # The backbone comes last, so that a wrong number is told before a download.
    optimizer = optimizer_choice(config.optimizer)
    loss = loss_of(config)
    content = load_content(config, workspace)
    metrics = [metric_of(variant) for variant in config.metrics.values()]
    groups, paintings = load_paintings(config, workspace)
    combined = aggregation(config.agg, [len(one.names) for one in paintings])
    backbone = load_backbone(config, workspace.backbones)
    return Prepared(
        paintings=paintings,
        content=content,
        aggregation=combined,
        backbone=backbone,
        optimizer=optimizer,
        loss=loss,
        stopping=Stopping(
            config.epochs,
            config.steps_per_epoch,
            config.early_stopping.min_improvement,
            config.early_stopping.patience,
            config.divergence_factor,
        ),
        batch=batch_size(config, backbone, paintings, content, workspace),
        from_noise=config.init is Init.noise,
        seed=config.seed,
        keep_best=config.keep is Keep.best,
        snapshots=config.snapshots,
        original_size=config.original_size,
        cache=ROOT / Path(config.cache).expanduser() / "style_targets" if config.cache else None,
        evaluation_setup=evaluation_setup(config, metrics, groups, paintings, workspace),
        workspace=workspace,
    )


def checkpoint_of(config: Config, number: int, fingerprint: str = "") -> Checkpoint:
    """The checkpoint of a run of a sweep."""
    wanted = config.checkpoint
    folder = None
    if wanted.folder is not None and config.tracking.sweep:
        place = ROOT / Path(wanted.folder).expanduser()
        folder = place / config.tracking.sweep / str(number)
    return Checkpoint(folder, fingerprint, wanted.every_seconds, wanted.every_epochs)


def load_paintings(
    config: Config, workspace: Workspace
) -> tuple[list[ImageSet], list[LoadedImages]]:
    """The groups that a run's style sets are chosen from, and these sets."""
    choice, groups = painting_groups(config)
    if choice.uses_features:
        backbone, size = load_backbone(config, workspace.backbones), config.image_size
        features = [workspace.group_features(backbone, group, size) for group in groups]
        sets = choose.select_by_features(groups, features, choice, config.seed)
    else:
        sets = choose.select_by_position(groups, choice, config.seed)
    return groups, [workspace.load_images(style_set, config.image_size) for style_set in sets]


def evaluation_setup(
    config: Config,
    metrics: Sequence[Metric],
    groups: Sequence[ImageSet],
    paintings: Sequence[LoadedImages],
    workspace: Workspace,
) -> EvaluationSetup:
    """With what the results of a run are scored.

    Raises:
        InputError: no such evaluator, or not with these weights.
    """
    wanted = config.evaluation
    found = {
        name: workspace.evaluator(name, wanted.weights, config.image_size)
        for name in (wanted.evaluators if any(one.needs_evaluator for one in metrics) else [])
    }
    other_artists = all_artists(config) if wanted.others and found else []
    sets = [images.image_set for images in paintings]
    return EvaluationSetup(
        metrics=metrics,
        evaluators={name: one for name, one in found.items() if isinstance(one, Backbone)},
        unavailable={name: one for name, one in found.items() if isinstance(one, str)},
        held_out=references.held_out(sets, groups, wanted.held_out),
        others=references.others(groups, other_artists, wanted.others, wanted.held_out),
        size=config.image_size,
        cache=workspace.evaluation,
    )


def all_artists(config: Config) -> list[ImageSet]:
    """All artists of a run's dataset, where its function can name them."""
    function = function_of("dataset", config.dataset)
    parameters = inspect.signature(function).parameters
    if "artists" not in parameters:
        return []
    arguments = arguments_of("dataset", config.dataset, without=Selection.model_fields)
    place = {k: v for k, v in arguments.items() if parameters[k].default is inspect.Parameter.empty}
    groups: list[ImageSet] = function(**place, artists=["*"])
    return groups


def metric_of(variant: dict[str, Any]) -> Metric:
    """The metric that a YAML of `conf/metrics/` describes.

    Raises:
        ConfigError: an argument is wrong.
    """
    group = f"metrics.{variant['name']}"
    description = keys_of(group, variant, MetricDescription)
    function = function_of(group, variant)
    found = Metric(variant["name"], function, {}, description)
    if not found.inputs:
        raise ConfigError(
            f"{group}._target_={variant['_target_']}: is no metric; it takes none of "
            f"{', '.join(INPUTS)}"
        )
    keys = MetricDescription.model_fields
    numbers = arguments_of(group, variant, without=keys, named=found.inputs)
    found = replace(found, arguments=numbers)
    if description.reference is None and found.inputs & {"reference", "reference_features"}:
        raise ConfigError(f"{group}.reference: must be style_set, held_out or others")
    return found


def batch_size(
    config: Config,
    backbone: Backbone,
    paintings: Sequence[LoadedImages],
    content: LoadedImages,
    workspace: Workspace,
) -> int:
    """Most examples to optimise together: as configured, or what the memory holds."""
    if isinstance(config.batch, int):
        return workspace.session.fitting(backbone, config.batch)
    return workspace.session.largest_batch(
        backbone,
        config.memory_gb,
        artists=len(paintings),
        paintings=max(len(one.names) for one in paintings),
        contents=len(content.names),
    )


def painting_groups(config: Config) -> tuple[Selection, list[ImageSet]]:
    """How paintings are chosen, and the groups, one an artist or genre, to choose them from."""
    choice = keys_of("dataset", config.dataset, Selection)
    function = function_of("dataset", config.dataset)
    arguments = arguments_of("dataset", config.dataset, without=Selection.model_fields)
    groups: list[ImageSet] = function(**arguments)
    if not (isinstance(groups, list) and all(isinstance(one, ImageSet) for one in groups)):
        raise ConfigError(f"dataset._target_={config.dataset['_target_']}: gives no list of sets")
    choose.check_sizes(groups, choice)
    return choice, groups


def load_content(config: Config, workspace: Workspace) -> LoadedImages:
    """The content pictures of a run."""
    wanted = keys_of("content", config.content, ContentChoice)
    function = function_of("content", config.content)
    available: ImageSet = function(
        **arguments_of("content", config.content, without=ContentChoice.model_fields)
    )
    if not isinstance(available, ImageSet):
        raise ConfigError(f"content._target_={config.content['_target_']}: gives no set")
    if config.split is None:
        found = contents.named_or_first(available, wanted.names, wanted.count)
    elif wanted.names is not None:
        raise ConfigError(
            f"split={config.split.name} draws the content pictures, content.names names them: "
            "leave one out"
        )
    else:
        split: Literal["train", "test"] = config.split.value
        found = contents.random_split(available, split, wanted.train, wanted.test, config.seed)
    return workspace.load_images(found, config.image_size)


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
        given_as = f"={variant[key]}" if key in variant else ""
        raise ConfigError(f"{group}.{key}{given_as}: {first['msg'].lower()}") from error


def aggregation(variant: dict[str, Any], paintings: Sequence[int]) -> Aggregation:
    """The aggregation that a YAML of `conf/agg/` describes, for sets of so many paintings.

    Raises:
        ConfigError: an argument is wrong, or the weights do not fit the number of paintings.
    """
    weights = variant.get("weights")
    if weights is not None:
        try:
            weights = TypeAdapter(PaintingWeights).validate_python(weights)
        except ValidationError as error:
            raise ConfigError(
                f"agg.weights={weights}: must be a list in which every weight must be a positive "
                "number"
            ) from error
        for number in paintings:
            if len(weights) != number:
                raise ConfigError(
                    f"agg.weights has {len(weights)} numbers for {number} paintings of a set: give "
                    "one each"
                )
    numbers = arguments_of("agg", variant, without=("weights",), given=("losses", "weights"))
    for name, value in numbers.items():
        if value != value:
            raise ConfigError(f"agg.{name}={value}: must be a number")
    order = STUDY_ORDERS.get(variant["name"])
    if order is not None and numbers.get("p", order) != order:
        raise ConfigError(
            f"agg.p={numbers['p']}: agg={variant['name']} has its own p; use agg=power"
        )
    return Aggregation(function_of("agg", variant), numbers, tuple(weights) if weights else None)


def loss_of(config: Config) -> Loss:
    """The loss that a YAML of `conf/loss/` describes.

    Raises:
        ConfigError: one of its functions cannot be imported.
    """
    chosen = vars(config.loss)
    functions = {key: function_of("loss", chosen, key) for key in LossFunctions._fields}
    for key, function in functions.items():
        check_call(f"loss.{key}={chosen[key]}", function, "what is there", "what is wanted")
    return Loss(
        LossFunctions(**functions),
        LossWeights(*(chosen[f"{key}_weight"] for key in LossWeights._fields)),
    )


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
    if not 0 < rate <= LARGEST_FLOAT:
        raise ConfigError(f"optimizer.learning_rate={rate}: must be a positive number")
    for name, value in arguments.items():
        most = 1.0 if name in DECAYS else LARGEST_FLOAT
        if type(value) in (int, float) and not 0 <= value < most:
            below = ", below 1" if name in DECAYS else ""
            raise ConfigError(f"optimizer.{name}={value}: must be a number from 0 up{below}")
    try:
        constructor(learning_rate=rate, **arguments)
    except Exception as error:  # Keras raises errors of several kinds.
        raise ConfigError(f"optimizer={variant['name']}: {error}") from error
    return OptimizerChoice(constructor, rate, tuple(arguments.items()))
