"""The checks of a configuration that types alone cannot make."""

import math
import re

from benchmark.config.errors import ConfigError
from benchmark.config.paths import check_folder, check_store, local_file, may_write
from benchmark.config.registry import check_variant
from benchmark.config.schema import SINGLE_GROUPS, Checkpoint, Config, Tracking, flat

SWEEP_NAME = re.compile(r"\w[\w.+-]{,79}")
"""It is a folder's name too: none that is hidden, leads out of its place, or is too long."""

LARGEST_SIZE = 8192
"""Pixels a side; beyond it no machine has the memory, and a typo is likelier."""

LARGEST_COUNT = 2**31 - 1
"""Of epochs and the like, and of the seed, which other libraries take as 32 bits."""

LARGEST_FLOAT = 3.4e38
"""What float32, in which all losses are, can hold."""


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
        ("divergence_factor", config.divergence_factor, 1, LARGEST_FLOAT),
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
