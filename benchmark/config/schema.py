"""The typed schema of a run's configuration, with its ranges as pydantic's constraints."""

import re
from dataclasses import asdict, dataclass, field
from enum import Enum, StrEnum
from typing import Annotated, Any

from hydra.core.config_store import ConfigStore
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    TypeAdapter,
    WithJsonSchema,
)

from benchmark.config.errors import validated
from benchmark.config.registry import leaves

SWEEP_NAME = re.compile(r"\w[\w.+-]{,79}")
"""It is a folder's name too: none that is hidden, leads out of its place, or is too long."""

LARGEST_COUNT = 2**31 - 1
"""Of epochs and the like, and of the seed, which other libraries take as 32 bits."""

LARGEST_FLOAT = 3.4e38
"""What float32, in which all losses are, can hold."""


def batch_number(value: int | str) -> int | str:
    """A batch size, or "auto"."""
    if value != "auto" and not (isinstance(value, int) and 1 <= value <= LARGEST_COUNT):
        raise ValueError("must be an integer ≥ 1, or auto")
    return value


def scale_list(value: Any) -> Any:
    """Sizes of a picture on the way, over its own; or "auto"."""
    numbers = value if isinstance(value, list) else []
    are_numbers = all(isinstance(n, int | float) and 0 < n <= 1 for n in numbers)
    if value != "auto" and not (numbers and are_numbers and numbers == sorted({*numbers, 1})):
        raise ValueError("must be numbers from small to large that end with 1, or auto")
    return value


SHARE = {"type": "number", "exclusiveMinimum": 0, "maximum": 1}
SCALES = {"anyOf": [{"type": "array", "items": SHARE}, {"const": "auto"}]}
BATCH = {"anyOf": [{"type": "integer", "minimum": 1}, {"const": "auto"}]}
"""What the two above allow, for the reference."""


def sweep_name(name: str) -> str:
    """A sweep's name that can be a folder's too."""
    if not SWEEP_NAME.fullmatch(name):
        raise ValueError(
            "use at most 80 letters, digits, '.', '_', '+' and '-', first a letter or digit"
        )
    return name


Text = Annotated[str, Field(pattern=r"\S")]
"""With more than spaces."""


class Target(BaseModel):
    """What a metric's YAML has besides the arguments of the function that it names."""

    target: Text = Field(alias="_target_")

    @classmethod
    def check(cls, variant: Any) -> Any:
        """The variant itself, which has these keys."""
        cls.model_validate(variant)
        return variant


class NamedTarget(Target):
    """What another variant's YAML has besides the arguments of the function that it names."""

    name: Text


MetricVariant = Annotated[dict[str, Any], BeforeValidator(Target.check)]
Variant = Annotated[dict[str, Any], BeforeValidator(NamedTarget.check)]
"""One YAML of a group: `name`, `_target_` (a function's dotted name), and its arguments."""

Count = Annotated[int, Field(ge=1, le=LARGEST_COUNT)]
NonNegativeInt = Annotated[int, Field(ge=0, le=LARGEST_COUNT)]
LossWeight = Annotated[float, Field(ge=0, le=LARGEST_FLOAT, allow_inf_nan=False)]


Precision = StrEnum("Precision", ["float32", "float32_strict", "bfloat16"])
"""Type of the backbone's activations; losses are float32 in either."""

Shape = StrEnum("Shape", ["square", "native"])
"""Whether all pictures become squares, as in the study, or keep their aspect ratio."""

PreserveColor = StrEnum("PreserveColor", ["none", "luminance", "linear"])
"""How results keep their photographs' colours: see `benchmark.images.colour`."""

Keep = StrEnum("Keep", ["last", "best"])
"""Which picture of each example is kept: the last, or that of lowest total loss."""


Consistency = StrEnum("Consistency", ["none", "warm", "flow"])
"""What a frame of a film has of the one before: nothing, its start, or also a temporal loss."""


class Split(StrEnum):
    """Which draw of content pictures a run takes: that for training, or the others."""

    train = "train"
    test = "test"


Estimate = StrEnum("Estimate", ["skip", "show", "only"])
"""Whether a sweep's cost is measured and shown before it starts, or only that is done."""


@dataclass
class LossOptions:
    """Total = content_weight·content_loss + style_weight·style_loss + variation_weight·variation.

    `style` and `content` are dotted names of functions: `benchmark.transfer.losses.Loss`.
    """

    name: str
    style: str
    content: str
    content_weight: LossWeight
    style_weight: LossWeight
    variation_weight: LossWeight


@dataclass
class EarlyStopping:
    """Relative improvement of the average total loss per epoch, and epochs without it."""

    min_improvement: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
    patience: Count | None


@dataclass
class Evaluation:
    """What the metrics of results look with, and at.

    `evaluators` are backbones, the same for all runs; `weights` theirs (auto: ImageNet's, and
    without them what needs them is left out); `held_out` paintings at most of each artist outside
    the style sets, and so many `others`, artists who are not in the run. `classifier`, a run or a
    folder, judges results (None: that of the dataset).
    """

    evaluators: list[str]
    weights: str
    held_out: NonNegativeInt
    others: NonNegativeInt
    classifier: str | None


@dataclass
class BestOptimizer:
    """Takes each model's optimiser and epochs from its best training run in an experiment.

    `experiment` (None: they are as configured) is that of MLflow, `overlay` the one of
    `conf/experiment/` that makes its runs; `optimizers` must all have been tried.
    """

    experiment: str | None
    overlay: str | None
    optimizers: list[str]


@dataclass
class Tracking:
    """MLflow store (None: `mlruns/mlflow.db`), experiment, and the name of this sweep.

    `run` is the number of a run of this sweep that is to be resumed or started.
    """

    uri: str | None
    experiment: Text
    sweep: Annotated[str, AfterValidator(sweep_name)] | None
    run: NonNegativeInt | None


@dataclass
class CheckpointOptions:
    """Folder of the checkpoints (None: none are written), and how often one is written."""

    folder: str | None
    every_seconds: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None
    every_epochs: Count | None


@dataclass
class VideoOptions:
    """How the frames of a film are painted, by `benchmark.video` alone.

    `temporal_weight` is that of the temporal loss in the total, `epochs_after` are those of frames
    that start from the one before (None: `epochs`), and from `cut_share` of pixels on that were not
    seen before, a frame begins anew.
    """

    temporal_weight: LossWeight
    epochs_after: Count | None
    cut_share: Annotated[float, Field(gt=0, le=1, allow_inf_nan=False)]


@dataclass
class Config:
    """One run; `conf/config.yaml` holds the defaults, `python -m benchmark --help` the meanings."""

    backbone: Variant
    agg: Variant
    optimizer: Variant
    dataset: Variant
    content: Variant
    evaluation: Evaluation
    split: Split | None
    loss: LossOptions
    early_stopping: EarlyStopping
    tracking: Tracking
    checkpoint: CheckpointOptions
    seed: NonNegativeInt
    # Beyond it no machine has the memory, and a typo is likelier.
    image_size: Annotated[int, Field(ge=32, le=8192)]
    shape: Shape
    scales: Annotated[Any, AfterValidator(scale_list), WithJsonSchema(SCALES)]
    style_scale: Annotated[float, Field(gt=0, le=8, allow_inf_nan=False)]
    preserve_color: PreserveColor
    epochs: Count
    total_epochs: Count | None
    steps_per_epoch: Count
    batch: Annotated[int | str, AfterValidator(batch_number), WithJsonSchema(BATCH)]
    memory_gb: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None
    cache: str | None
    precision: Precision
    init: Text  # content, noise, blend, or a path
    init_noise: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
    same_noise: bool
    keep: Keep
    divergence_factor: Annotated[float, Field(ge=1, le=LARGEST_FLOAT, allow_inf_nan=False)]
    snapshots: list[NonNegativeInt]
    original_size: bool
    best_optimizer: BestOptimizer
    estimate: Estimate
    consistency: Consistency
    video: VideoOptions
    metrics: dict[str, MetricVariant] = field(default_factory=dict)
    experiment: Any = None

    __pydantic_config__ = ConfigDict(extra="forbid")


SCHEMA = TypeAdapter(Config)

ConfigStore.instance().store(name="schema", node=Config)


def flat(config: Config) -> dict[str, Any]:
    """Every resolved option by its dotted name, lists as they are."""
    return {key: value for key, value in leaves(nested(config)).items() if key != "experiment"}


def nested(config: Config) -> dict[str, Any]:
    """The resolved configuration as plain dictionaries, from which `restored` makes it again."""

    def named(items: list[tuple[str, Any]]) -> dict[str, Any]:
        return {key: one.name if isinstance(one, Enum) else one for key, one in items}

    return asdict(config, dict_factory=named)


def restored(container: dict[str, Any]) -> Config:
    """A configuration from what `nested` made of it; ConfigError if an option is wrong."""
    return validated(SCHEMA, container)
