"""The typed schema of a run's configuration, and the checks that types alone cannot make."""

import math
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any

from hydra import compose, initialize_config_dir
from hydra.core.config_store import ConfigStore
from hydra.core.global_hydra import GlobalHydra
from omegaconf import MISSING, DictConfig, OmegaConf

from benchmark.errors import CompositionError, ConfigError, one_line

ROOT = Path(__file__).resolve().parent.parent
"""The folder of the application, which holds `conf/` and `mlruns/`."""

BEYOND_ASCII = re.compile(r"[^\[\]{},:=]*[^\x00-\x7f][^\[\]{},:=]*")

SWEEP_NAME = re.compile(r"[\w.+-]+")

LARGEST_SIZE = 8192
"""Pixels a side; beyond it no machine has the memory, and a typo is likelier."""

Variant = dict[str, Any]
"""One YAML of a group: `name`, `_target_` (a function's dotted name), and its arguments."""


class Precision(Enum):
    """Type of the backbone's activations; losses are float32 in either."""

    float32 = "float32"
    bfloat16 = "bfloat16"


class Init(Enum):
    """Where a picture starts: at its content picture, or at uniform noise."""

    content = "content"
    noise = "noise"


class Keep(Enum):
    """Which picture of each example is kept: the last, or that of lowest total loss."""

    last = "last"
    best = "best"


class Split(Enum):
    """Which draw of content pictures a run takes: that for training, or the others."""

    train = "train"
    test = "test"


class Forecast(Enum):
    """Whether a sweep's cost is measured and told before it starts, or only that is done."""

    skip = "skip"
    show = "show"
    only = "only"


@dataclass
class Loss:
    """Total = content_weight·content_loss + style_weight·style_loss + variation_weight·variation.

    `style` and `content` are dotted names of functions, see `benchmark.step.LossFunctions`.
    """

    name: str = MISSING
    style: str = MISSING
    content: str = MISSING
    content_weight: float = MISSING
    style_weight: float = MISSING
    variation_weight: float = MISSING


@dataclass
class EarlyStopping:
    """Relative improvement of the average total loss per epoch, and epochs without it."""

    min_improvement: float = MISSING
    patience: int | None = MISSING


@dataclass
class Evaluation:
    """What the measures of results look with, and at.

    `evaluators` are backbones, the same for all runs; `weights` theirs (auto: ImageNet's, and
    without them what needs them is left out); `held_out` paintings at most of each artist outside
    the style sets, and so many `others`, artists who are not in the run.
    """

    evaluators: list[str] = MISSING
    weights: str = MISSING
    held_out: int = MISSING
    others: int = MISSING


@dataclass
class Winner:
    """Takes each model's optimiser and epochs from its best training run in an experiment.

    `experiment` (None: they are as configured) is that of MLflow, `overlay` the one of
    `conf/experiment/` that makes its runs; `optimizers` must all have been tried.
    """

    experiment: str | None = MISSING
    overlay: str | None = MISSING
    optimizers: list[str] = MISSING


@dataclass
class Tracking:
    """MLflow store (None: `mlruns/mlflow.db`), experiment, and the name of this sweep.

    `run` is the number of a run that this sweep has already, to be taken up or begun.
    """

    uri: str | None = MISSING
    experiment: str = MISSING
    sweep: str | None = MISSING
    run: int | None = MISSING


@dataclass
class Checkpoint:
    """Folder of the checkpoints (None: none are written), and how often one is written."""

    folder: str | None = MISSING
    every_seconds: float | None = MISSING
    every_epochs: int | None = MISSING


@dataclass
class Config:
    """One run; `conf/config.yaml` holds the defaults, `python -m benchmark --help` the meanings."""

    backbone: Variant = MISSING
    agg: Variant = MISSING
    optimizer: Variant = MISSING
    dataset: Variant = MISSING
    content: Variant = MISSING
    metrics: dict[str, Any] = field(default_factory=dict)
    evaluation: Evaluation = MISSING
    split: Split | None = MISSING
    loss: Loss = MISSING
    early_stopping: EarlyStopping = MISSING
    tracking: Tracking = MISSING
    checkpoint: Checkpoint = MISSING
    seed: int = MISSING
    image_size: int = MISSING
    epochs: int = MISSING
    steps_per_epoch: int = MISSING
    batch: int | str = MISSING
    memory_gb: float | None = MISSING
    cache: str | None = MISSING
    precision: Precision = MISSING
    init: Init = MISSING
    keep: Keep = MISSING
    explosion_factor: float = MISSING
    snapshots: list[int] = MISSING
    original_size: bool = MISSING
    winner: Winner = MISSING
    forecast: Forecast = MISSING
    experiment: Any = None


ConfigStore.instance().store(name="schema", node=Config)


def typed(config: DictConfig) -> Config:
    """The run's configuration as plain dataclasses, checked.

    Raises:
        ConfigError: a value is out of its range.
    """
    plain = OmegaConf.to_object(config)
    assert isinstance(plain, Config)
    check(plain)
    return plain


def flat(config: Config) -> dict[str, Any]:
    """Every resolved option by its dotted name, lists as they are."""

    def leaves(prefix: str, node: Any) -> dict[str, Any]:
        if not isinstance(node, dict):
            return {prefix: node}
        found: dict[str, Any] = {}
        for key, value in node.items():
            found |= leaves(f"{prefix}.{key}" if prefix else str(key), value)
        return found

    return {key: value for key, value in leaves("", nested(config)).items() if key != "experiment"}


def nested(config: Config) -> dict[str, Any]:
    """The resolved configuration as plain dictionaries, from which `restored` makes it again."""
    container = OmegaConf.to_container(OmegaConf.structured(config), enum_to_str=True)
    assert isinstance(container, dict)
    return {str(key): value for key, value in container.items()}


def restored(container: dict[str, Any]) -> Config:
    """A configuration from what `nested` made of it.

    Raises:
        omegaconf.errors.OmegaConfBaseException: it has options that this version does not know.
    """
    plain = OmegaConf.to_object(OmegaConf.merge(OmegaConf.structured(Config), container))
    assert isinstance(plain, Config)
    return plain


def composed(overrides: Sequence[str]) -> Config:
    """The configuration that a command line's overrides mean, outside of a Hydra application.

    Raises:
        hydra.errors.HydraException, omegaconf.errors.OmegaConfBaseException: a bad override.
        ConfigError: a value out of its range.
    """
    given = [quoted(override) for override in overrides]
    if GlobalHydra.instance().is_initialized():
        return typed(compose("config", overrides=given))
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3", job_name="benchmark"):
        return typed(compose("config", overrides=given))


def one_by_one(arguments: Sequence[str]) -> Iterator[list[str]]:
    """The overrides of each backbone in turn."""
    others = [a for a in arguments if not a.startswith("backbone=") and a != "-m"]
    chosen = [a.removeprefix("backbone=") for a in arguments if a.startswith("backbone=")]
    for backbone in (chosen or ["vgg"])[-1].split(","):
        yield [f"backbone={backbone}", *others]


def quoted(override: str) -> str:
    """An override whose names with accents need no quotes: Hydra's grammar knows only ASCII."""
    if override.isascii() or "'" in override or '"' in override:
        return override
    option, equals, value = override.partition("=")
    return option + equals + BEYOND_ASCII.sub(lambda name: f"'{name[0].strip()}'", value)


def refuse(error: BaseException) -> int:
    """Print what is wrong with the input as one line; returns the exit code for it, 2."""
    GlobalHydra.instance().clear()
    try:
        known = list(flat(composed([])))
    except (ConfigError, *CompositionError):
        known = []  # The defaults themselves are broken, and that is what `error` says.
    print(f"error: {one_line(error, known, owners())}", file=sys.stderr)
    return 2


def owners() -> dict[str, list[str]]:
    """For every option in a variant's YAML, `group.key`, the variants that have it."""
    found: dict[str, list[str]] = {}
    for path in sorted((ROOT / "conf").glob("*/*.yaml")):
        for key in OmegaConf.to_container(OmegaConf.load(path)) or {}:
            found.setdefault(f"{path.parent.name}.{key!s}", []).append(path.stem)
    return found


def check(config: Config) -> None:
    """Check the ranges that types do not express.

    Raises:
        ConfigError: names the first option out of range, its value, and the range.
    """
    positive: list[tuple[str, float, float]] = [
        ("image_size", config.image_size, 32),
        ("epochs", config.epochs, 1),
        ("steps_per_epoch", config.steps_per_epoch, 1),
        *([("batch", config.batch, 1)] if isinstance(config.batch, int) else []),
        ("seed", config.seed, 0),
        ("evaluation.held_out", config.evaluation.held_out, 0),
        ("evaluation.others", config.evaluation.others, 0),
        ("loss.content_weight", config.loss.content_weight, 0),
        ("loss.style_weight", config.loss.style_weight, 0),
        ("loss.variation_weight", config.loss.variation_weight, 0),
        ("early_stopping.min_improvement", config.early_stopping.min_improvement, 0),
        ("explosion_factor", config.explosion_factor, 1),
        *(("snapshots", epoch, 0) for epoch in config.snapshots),
    ]
    for option, value, least in positive:
        if not (value >= least and math.isfinite(value)):
            raise ConfigError(f"{option}={value}: must be a number from {least} up")
    if isinstance(config.batch, str) and config.batch != "auto":
        raise ConfigError(f"batch={config.batch}: must be a number from 1 up, or auto")
    if config.memory_gb is not None and config.batch != "auto":
        raise ConfigError(
            f"memory_gb={config.memory_gb}: needs batch=auto, for batch={config.batch} is fixed"
        )
    if config.memory_gb is not None and not 0 < config.memory_gb < math.inf:
        raise ConfigError(f"memory_gb={config.memory_gb}: must be a positive number of gigabytes")
    if config.image_size > LARGEST_SIZE:
        raise ConfigError(f"image_size={config.image_size}: must be at most {LARGEST_SIZE}")
    patience = config.early_stopping.patience
    if patience is not None and patience < 1:
        raise ConfigError(
            f"early_stopping.patience={patience}: must be 1 or more, or null to never stop"
        )
    check_checkpoint(config.checkpoint)
    weights = config.loss
    if weights.content_weight == weights.style_weight == weights.variation_weight == 0:
        raise ConfigError("all loss weights are 0: raise loss.style_weight or loss.content_weight")
    if config.tracking.uri is not None and "://" not in config.tracking.uri:
        raise ConfigError(
            f"tracking.uri={config.tracking.uri}: give sqlite:///PATH.db or the http(s):// address "
            "of an MLflow server"
        )
    if not SWEEP_NAME.fullmatch(config.tracking.sweep or "-"):
        raise ConfigError(
            f"tracking.sweep={config.tracking.sweep}: use letters, digits, '.', '_', '+' and '-'"
        )


def check_checkpoint(checkpoint: Checkpoint) -> None:
    """Check how often checkpoints are written.

    Raises:
        ConfigError: a number is out of its range.
    """
    seconds, epochs = checkpoint.every_seconds, checkpoint.every_epochs
    if seconds is not None and not 0 <= seconds < math.inf:
        raise ConfigError(
            f"checkpoint.every_seconds={seconds}: must be a number from 0 up, or null"
        )
    if epochs is not None and epochs < 1:
        raise ConfigError(f"checkpoint.every_epochs={epochs}: must be 1 or more, or null")
