"""The typed schema of a run's configuration."""

from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from hydra.core.config_store import ConfigStore
from omegaconf import MISSING, OmegaConf

SINGLE_GROUPS = ("backbone", "agg", "loss", "optimizer", "dataset", "content")
"""Groups of which a run has one variant."""

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


class Estimate(Enum):
    """Whether a sweep's cost is measured and told before it starts, or only that is done."""

    skip = "skip"
    show = "show"
    only = "only"


@dataclass
class Loss:
    """Total = content_weight·content_loss + style_weight·style_loss + variation_weight·variation.

    `style` and `content` are dotted names of functions: `benchmark.transfer.step.LossFunctions`.
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
    """What the metrics of results look with, and at.

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
    divergence_factor: float = MISSING
    snapshots: list[int] = MISSING
    original_size: bool = MISSING
    winner: Winner = MISSING
    estimate: Estimate = MISSING
    experiment: Any = None


ConfigStore.instance().store(name="schema", node=Config)


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
