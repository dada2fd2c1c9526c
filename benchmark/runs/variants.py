"""Variants as values: what the YAMLs of `conf/` describe, checked against their functions."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Annotated, Any, TypeVar

import keras
from pydantic import BaseModel, Field, TypeAdapter

from benchmark.config.errors import ConfigError, validated
from benchmark.config.schema import LARGEST_FLOAT, LossOptions, LossWeight
from benchmark.config.signatures import arguments_of, check_call, function_of
from benchmark.metrics.scoring import INPUTS, Metric
from benchmark.metrics.table import MetricDescription
from benchmark.transfer.aggregation import Aggregation
from benchmark.transfer.losses import Loss, LossWeights
from benchmark.transfer.step import Optimizer, OptimizerChoice

STUDY_ORDERS = {"simple": 1.0, "squared": 2.0, "logged": 0.0}
"""The orders p of the study's aggregations, so that these names always mean the same."""

DECAYS = ("beta_1", "beta_2", "rho", "momentum", "ema_momentum")
"""Arguments of optimisers that are shares, of which Keras checks few."""

PositiveFloat = Annotated[float, Field(gt=0, le=LARGEST_FLOAT, allow_inf_nan=False)]
PAINTING_WEIGHTS = TypeAdapter(list[PositiveFloat])
LAYER_WEIGHTS = TypeAdapter(list[LossWeight])

Model = TypeVar("Model", bound=BaseModel)


def keys_of(group: str, variant: Mapping[str, Any], kind: type[Model]) -> Model:
    """The keys that all of a group have, not for its function; ConfigError if one is wrong."""
    given = {key: variant[key] for key in kind.model_fields if key in variant}
    return validated(TypeAdapter(kind), given, group)


def metric_of(name: str, variant: Mapping[str, Any]) -> Metric:
    """The metric that a YAML of `conf/metrics/` describes; InputError if an argument is wrong."""
    group, target = f"metrics.{name}", variant["_target_"]
    description = keys_of(group, variant, MetricDescription)
    metric = Metric(name, function_of(group, variant), {}, description)
    if not metric.inputs:
        reason = f"is not a metric; it accepts none of {', '.join(INPUTS)}"
        raise ConfigError(reason, f"{group}._target_", target)
    if description.reference is None and metric.inputs & {"reference", "reference_features"}:
        raise ConfigError("must be style_set, held_out or others", f"{group}.reference")
    keys = MetricDescription.model_fields
    arguments = arguments_of(group, variant, without=keys, named=metric.inputs)
    first_line = (inspect.getdoc(metric.function) or "").partition("\n")[0]
    about = description.about or first_line.rstrip(".")
    description = description.model_copy(update={"about": about})
    return replace(metric, arguments=arguments, description=description)


def aggregation(
    variant: Mapping[str, Any], paintings: Sequence[int], blend: Sequence[float] | None = None
) -> Aggregation:
    """The aggregation of a YAML of `conf/agg/`, for sets of so many paintings; else InputError.

    `blend` are the paintings' weights where `dataset.blend` gives them.
    """
    weights = variant.get("weights")
    if weights is not None and blend is not None:
        reason = "dataset.blend weights the paintings too: leave one of them out"
        raise ConfigError(reason, "agg.weights", weights)
    if weights is not None:
        weights = validated(PAINTING_WEIGHTS, weights, "agg.weights")
        for number in paintings:
            if len(weights) != number:
                raise ConfigError(
                    f"{len(weights)} weights for the {number} paintings of a set: give one each",
                    "agg.weights",
                    variant["weights"],
                )
    arguments = arguments_of("agg", variant, without=("weights",), given=("losses", "weights"))
    for name, value in arguments.items():
        if value != value:
            raise ConfigError("must be a number", f"agg.{name}", value)
    order = STUDY_ORDERS.get(variant["name"])
    if order is not None and arguments.get("p", order) != order:
        raise ConfigError(
            f"agg={variant['name']} has its own p; use agg=power", "agg.p", arguments["p"]
        )
    check_hashable("agg", arguments)
    weights = weights or blend
    return Aggregation(function_of("agg", variant), arguments, tuple(weights) if weights else None)


def loss_of(options: LossOptions, backbone: Mapping[str, Any]) -> Loss:
    """The loss that a YAML of `conf/loss/` describes, with a backbone's weights of its layers.

    InputError: its functions are not such, or a weight is wrong.
    """
    chosen = vars(options)
    style, content = (function_of("loss", chosen, key) for key in ("style", "content"))
    for key, function in (("style", style), ("content", content)):
        check_call(f"loss.{key}", chosen[key], function, "features", "target")
    weights = LossWeights(*(chosen[f"{key}_weight"] for key in LossWeights._fields))
    return Loss(
        style,
        content,
        weights,
        layer_weights=layer_weights(backbone, "layer_weights", "style_layers"),
        content_weights=layer_weights(backbone, "content_weights", "content_layer"),
    )


def layer_weights(backbone: Mapping[str, Any], key: str, layers: str) -> tuple[float, ...] | None:
    """The weights that a key of a YAML of `conf/backbone/` gives some layers; else ConfigError."""
    option, given = f"backbone.{key}", backbone.get(key)
    if given is None:
        return None
    weights, named = validated(LAYER_WEIGHTS, given, option), backbone[layers]
    number = 1 if isinstance(named, str) else len(named)
    if len(weights) != number:
        reason = f"{len(weights)} weights for the {number} of backbone.{layers}: give one each"
        raise ConfigError(reason, option, given)
    if not any(weights):
        raise ConfigError("give a layer a weight > 0", option, given)
    return tuple(weights)


def check_works(choice: Optimizer, target: str) -> None:
    """Raise what an optimiser's wrong arguments make it raise; a step is tried on a number."""
    if isinstance(choice, OptimizerChoice):
        check_is_optimizer(type(choice.build()), target)
    choice.try_out()


def optimizer_choice(
    variant: Mapping[str, Any], check: Callable[[Optimizer, str], None] = check_works
) -> Optimizer:
    """The optimiser of a YAML of `conf/optimizer/`, checked to work; else InputError."""
    constructor, name = function_of("optimizer", variant), variant["name"]
    is_ours = inspect.isclass(constructor) and issubclass(constructor, Optimizer)
    if not is_ours:
        check_is_optimizer(constructor, variant["_target_"])
    arguments = arguments_of("optimizer", variant)
    rate = arguments.pop("learning_rate", None)
    if rate is None:
        raise ConfigError("its YAML must give a learning_rate", "optimizer", name)
    if not (type(rate) in (int, float) and 0 < rate <= LARGEST_FLOAT):
        raise ConfigError("must be a number > 0", "optimizer.learning_rate", rate)
    if not is_ours:
        check_keras_arguments(arguments)
    check_hashable("optimizer", arguments)
    hashable = {k: tuple(v) if isinstance(v, list) else v for k, v in arguments.items()}
    try:
        if is_ours:
            choice: Optimizer = constructor(float(rate), **hashable)
        else:
            choice = OptimizerChoice(constructor, float(rate), tuple(hashable.items()))
        check(choice, variant["_target_"])
    except ConfigError:
        raise
    except Exception as error:  # Keras raises errors of several kinds, somebody's class any.
        raise ConfigError(f"{type(error).__name__}: {error}", "optimizer", name) from error
    return choice


def check_keras_arguments(arguments: Mapping[str, Any]) -> None:
    """Raise ConfigError if an argument is one that Keras's optimisers accept and should not."""
    for norm in ("clipnorm", "global_clipnorm"):
        if arguments.get(norm) is not None:
            raise ConfigError(
                "would make the examples of a batch depend on each other", f"optimizer.{norm}"
            )
    for key, value in arguments.items():
        most = 1.0 if key in DECAYS else LARGEST_FLOAT
        if type(value) in (int, float) and not 0 <= value < most:
            below = " and < 1" if key in DECAYS else ""
            raise ConfigError(f"must be ≥ 0{below}", f"optimizer.{key}", value)


def check_is_optimizer(constructor: Callable[..., Any], target: str) -> None:
    """Raise ConfigError unless a class, or what a function returns, is an optimiser of Keras."""
    made: Any = constructor
    if not inspect.isclass(constructor):
        made = getattr(constructor, "__annotations__", {}).get("return", keras.optimizers.Optimizer)
    if not (inspect.isclass(made) and issubclass(made, keras.optimizers.Optimizer)):
        raise ConfigError(
            "is not an optimiser of Keras: name a subclass of keras.optimizers.Optimizer",
            "optimizer._target_",
            target,
        )


def check_hashable(group: str, arguments: Mapping[str, Any]) -> None:
    """Raise ConfigError unless arguments can tell one compiled step from another."""
    for name, value in arguments.items():
        try:
            hash(tuple(value) if isinstance(value, list) else value)
        except TypeError as error:
            reason = "must be a number, a text, a switch, or a list of these"
            raise ConfigError(reason, f"{group}.{name}", value) from error
