"""The typed schema of a run's configuration, and the checks that types alone cannot make."""

import math
import os
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, fields, is_dataclass
from enum import Enum
from functools import lru_cache
from pathlib import Path
from typing import Any

from hydra import compose, initialize_config_dir
from hydra.core.config_store import ConfigStore
from hydra.core.global_hydra import GlobalHydra
from omegaconf import MISSING, DictConfig, OmegaConf

from benchmark.errors import CompositionError, ConfigError, nearest, one_line

ROOT = Path(__file__).resolve().parent.parent
"""The folder of the application, which holds `conf/` and `mlruns/`."""

BEYOND_ASCII = re.compile(r"[^\[\]{},:=]*[^\x00-\x7f][^\[\]{},:=]*")

SWEEP_NAME = re.compile(r"\w[\w.+-]{,79}")
"""It is a folder's name too: none that is hidden, leads out of its place, or is too long."""

LARGEST_SIZE = 8192
"""Pixels a side; beyond it no machine has the memory, and a typo is likelier."""

LARGEST_COUNT = 2**31 - 1
"""Of epochs and the like, and of the seed, which other libraries take as 32 bits."""

LARGEST_FLOAT = 3.4e38
"""What float32, in which all losses are, can hold."""

STORES = ("sqlite", "http", "https", "postgresql", "mysql", "mssql", "databricks")
"""Where MLflow can keep runs, by the beginning of the address."""

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
        ConfigError: a value is out of its range, or an option unknown or without a value.
    """
    for option in sorted(OmegaConf.missing_keys(config)):
        raise ConfigError(f"{option} must be given: add {option}=… to the command")
    plain = OmegaConf.to_object(config)
    assert isinstance(plain, Config)
    check_known(plain)
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
    check_choices(overrides)
    given = [quoted(override) for override in overrides]
    if GlobalHydra.instance().is_initialized():
        return typed(_composed(given))
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3", job_name="benchmark"):
        return typed(_composed(given))


def _composed(overrides: list[str]) -> DictConfig:
    """What Hydra makes of overrides; its errors of other kinds are for bad ones too."""
    try:
        return compose("config", overrides=overrides)
    except CompositionError:
        raise
    except Exception as error:
        raise ConfigError(f"{' '.join(overrides)}: cannot be read: {error}") from error


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
    print(f"error: {one_line(error, known_options(), owners())}", file=sys.stderr)
    return 2


@lru_cache(maxsize=1)
def known_options() -> Sequence[str]:
    """The dotted names of all options, for suggestions; none where the defaults are broken."""
    try:
        return list(flat(composed([])))
    except (ConfigError, *CompositionError):
        return []  # That is what the error to be told says.


@lru_cache(maxsize=1)
def owners() -> dict[str, list[str]]:
    """For every option in a variant's YAML, `group.key`, the variants that have it."""
    found: dict[str, list[str]] = {}
    for path in sorted((ROOT / "conf").glob("*/*.yaml")):
        try:
            keys = OmegaConf.to_container(OmegaConf.load(path)) or {}
        except Exception:  # A broken YAML is told where it is chosen.
            continue
        for key in keys:
            found.setdefault(f"{path.parent.name}.{key!s}", []).append(path.stem)
    return found


def check_choices(overrides: Sequence[str]) -> None:
    """Check what Hydra would mix, or take badly: the choice of variants.

    Raises:
        ConfigError: what is chosen can be no name, or there are several of what a run has one.
    """
    for override in overrides:
        group, equals, choice = override.partition("=")
        if equals and not group.strip("+~ "):
            raise ConfigError(f"'{override}': cannot be read as option=value")
        if group not in (*SINGLE_GROUPS, "metrics"):
            continue
        if group in SINGLE_GROUPS and choice.startswith("["):
            raise ConfigError(
                f"{override}: a run has one {group}; several make a sweep: -m {group}=A,B"
            )
        if re.fullmatch(r"null|true|false|[\d.-].*", choice):
            raise ConfigError(f"{override}: no such option. Options: {', '.join(variants(group))}.")


def variants(group: str) -> list[str]:
    """The names of the YAMLs of a group."""
    return sorted(path.stem for path in (ROOT / "conf" / group).glob("*.yaml"))


def check_variant(option: str, name: str, group: str) -> None:
    """Check that a variant that an option names is there.

    Raises:
        ConfigError: it is not; names the nearest.
    """
    known = variants(group)
    if name not in known:
        raise ConfigError(
            f"{option}: there is no {group} '{name}'.{nearest(name, known)} "
            f"Known: {', '.join(known)}"
        )


def check_known(config: Config) -> None:
    """Check that nothing was added to the schema or taken from it, as Hydra's `++` and `~` do.

    Raises:
        ConfigError: an option is unknown, or has no value.
    """
    parts = {"": config} | {f"{k}.": v for k, v in vars(config).items() if is_dataclass(v)}
    for prefix, part in parts.items():
        known = [one.name for one in fields(part)]
        for name, value in vars(part).items():
            if name not in known:
                raise ConfigError(f"{prefix}{name}: no such option.{nearest(name, known)}")
            if value == MISSING:
                raise ConfigError(f"{prefix}{name} must be given: add {prefix}{name}=…")


def check(config: Config) -> None:
    """Check the ranges that types do not express.

    Raises:
        ConfigError: names the first option out of range, its value, and the range.
    """
    check_texts(config)
    check_ranges(config)
    if isinstance(config.batch, str) and config.batch != "auto":
        raise ConfigError(f"batch={config.batch}: must be a number from 1 up, or auto")
    if config.memory_gb is not None and config.batch != "auto":
        raise ConfigError(
            f"memory_gb={config.memory_gb}: needs batch=auto, for batch={config.batch} is fixed"
        )
    if config.memory_gb is not None and not 0 < config.memory_gb < math.inf:
        raise ConfigError(f"memory_gb={config.memory_gb}: must be a positive number of gigabytes")
    patience = config.early_stopping.patience
    if patience is not None and patience < 1:
        raise ConfigError(
            f"early_stopping.patience={patience}: must be 1 or more, or null to never stop"
        )
    check_checkpoint(config.checkpoint)
    weights = config.loss
    if weights.content_weight == weights.style_weight == weights.variation_weight == 0:
        raise ConfigError("all loss weights are 0: raise loss.style_weight or loss.content_weight")
    for name in config.evaluation.evaluators:
        check_variant("evaluation.evaluators", name, "backbone")
    for name in config.winner.optimizers:
        check_variant("winner.optimizers", name, "optimizer")
    if config.winner.overlay is not None:
        check_variant("winner.overlay", config.winner.overlay, "experiment")
    check_tracking(config.tracking)
    check_folder("cache", config.cache)


def check_texts(config: Config) -> None:
    """Check that every variant has its labels, and that every text is one.

    Raises:
        ConfigError: a label is missing or no text, or an option is not UTF-8.
    """
    named = {group: getattr(config, group) for group in SINGLE_GROUPS if group != "loss"}
    named |= {f"metrics.{name}": variant for name, variant in config.metrics.items()}
    for group, variant in named.items():
        labels = variant if isinstance(variant, dict) else {}
        for label in ("name", "_target_"):
            if not (isinstance(labels.get(label), str) and labels[label]):
                raise ConfigError(
                    f"{group}.{label}={labels.get(label)}: must be a text; it comes from the YAML "
                    f"in conf/{group.partition('.')[0]}/"
                )
    for option, value in flat(config).items():
        for text in value if isinstance(value, list) else [value]:
            if isinstance(text, str) and not _is_utf8(text):
                raise ConfigError(
                    f"{option}={text}: is not UTF-8, and MLflow keeps nothing else: rename it, or "
                    "give a link to it that has a plain name"
                )


def _is_utf8(text: str) -> bool:
    """Whether a text has no bytes that Python could not decode, from an argument or a file name."""
    return not any("\ud800" <= character <= "\udfff" for character in text)


def check_ranges(config: Config) -> None:
    """Check the numbers that have two bounds.

    Raises:
        ConfigError: one is not between them.
    """
    ranges: list[tuple[str, float, float, float]] = [
        ("image_size", config.image_size, 32, LARGEST_SIZE),
        ("epochs", config.epochs, 1, LARGEST_COUNT),
        ("steps_per_epoch", config.steps_per_epoch, 1, LARGEST_COUNT),
        *([("batch", config.batch, 1, LARGEST_COUNT)] if isinstance(config.batch, int) else []),
        ("seed", config.seed, 0, LARGEST_COUNT),
        ("evaluation.held_out", config.evaluation.held_out, 0, LARGEST_COUNT),
        ("evaluation.others", config.evaluation.others, 0, LARGEST_COUNT),
        ("loss.content_weight", config.loss.content_weight, 0, LARGEST_FLOAT),
        ("loss.style_weight", config.loss.style_weight, 0, LARGEST_FLOAT),
        ("loss.variation_weight", config.loss.variation_weight, 0, LARGEST_FLOAT),
        ("early_stopping.min_improvement", config.early_stopping.min_improvement, 0, 1),
        ("explosion_factor", config.explosion_factor, 1, LARGEST_FLOAT),
        *(("snapshots", epoch, 0, LARGEST_COUNT) for epoch in config.snapshots),
    ]
    for option, value, least, most in ranges:
        if not least <= value <= most:  # NaN is in no range
            bound = f"at most {most}" if value > most else f"a number from {least} up"
            raise ConfigError(f"{option}={value}: must be {bound}")


def check_tracking(tracking: Tracking) -> None:
    """Check where the runs of a sweep are to go, and its name.

    Raises:
        ConfigError: there can be no such store, experiment, sweep or run.
    """
    if tracking.uri is not None:
        check_store("tracking.uri", tracking.uri)
        file = local_file(tracking.uri)
        if file and not may_write(file):
            raise ConfigError(f"tracking.uri={tracking.uri}: {file} may not be written to")
    if not tracking.experiment.strip():
        raise ConfigError("tracking.experiment: must not be blank")
    if tracking.sweep is not None and not SWEEP_NAME.fullmatch(tracking.sweep):
        raise ConfigError(
            f"tracking.sweep={tracking.sweep}: use letters, digits, '.', '_', '+' and '-', at most "
            "80, of which the first is a letter or a digit"
        )
    if tracking.run is not None and tracking.run < 0:
        raise ConfigError(f"tracking.run={tracking.run}: must be a number from 0 up")


def check_store(option: str, uri: str) -> None:
    """Check the address of a store, as far as can be told without opening it.

    Raises:
        ConfigError: MLflow keeps nothing there; it would find that out by trying for minutes.
    """
    scheme, separator, place = uri.partition("://")
    known = separator and scheme.partition("+")[0] in STORES
    if not known or (scheme == "sqlite" and len(place) < 2):
        raise ConfigError(
            f"{option}={uri}: give sqlite:///PATH.db or the http(s):// address of an MLflow server"
        )
    file = local_file(uri)
    if file and os.path.lexists(file) and not file.is_file():
        raise ConfigError(f"{option}={uri}: is no file; give that of a database, PATH.db")
    check_folder(option, str(file.parent) if file else None)


def local_file(uri: str) -> Path | None:
    """The database file of a local store, from a URI as SQLAlchemy takes it; None: a server's."""
    # Unlike Path.resolve, this goes no circles.
    return Path(os.path.realpath(uri[10:])) if uri.startswith("sqlite:///") else None


def check_folder(option: str, folder: str | None) -> None:
    """Check that a folder is there or can be made.

    Raises:
        ConfigError: a file is in its way, or it would be where nothing may be written.
    """
    if folder is None:
        return
    place = ROOT / Path(folder).expanduser()
    there = nearest_there(place)
    if not os.path.isdir(there):  # noqa: PTH112
        raise ConfigError(f"{option}={folder}: {there} is not a folder; name another place")
    if there != place and not may_write(there):
        raise ConfigError(f"{option}={folder}: cannot be made, for {there} may not be written to")


def nearest_there(place: Path) -> Path:
    """A file or folder, or what is there of the folders above it."""
    # os.path takes what may not be looked at for what is not there; pathlib raises.
    return next(path for path in (place, *place.parents) if os.path.lexists(path))


def may_write(place: Path) -> bool:
    """Whether this process may write a file or folder, or make it where it is not there."""
    return os.access(
        nearest_there(place), os.W_OK, effective_ids=os.access in os.supports_effective_ids
    )


def check_checkpoint(checkpoint: Checkpoint) -> None:
    """Check where checkpoints are written, and how often.

    Raises:
        ConfigError: there can be no such folder, or a number is out of its range.
    """
    check_folder("checkpoint.folder", checkpoint.folder)
    seconds, epochs = checkpoint.every_seconds, checkpoint.every_epochs
    if seconds is not None and not 0 <= seconds < math.inf:
        raise ConfigError(
            f"checkpoint.every_seconds={seconds}: must be a number from 0 up, or null"
        )
    if epochs is not None and epochs < 1:
        raise ConfigError(f"checkpoint.every_epochs={epochs}: must be 1 or more, or null")
