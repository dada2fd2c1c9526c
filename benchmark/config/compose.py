"""From a command line's overrides to a typed, checked configuration."""

import re
import sys
from collections.abc import Iterator, Sequence

from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from benchmark.config.checks import check_config
from benchmark.config.composition_errors import CompositionError, as_input_error
from benchmark.config.errors import ConfigError, validated
from benchmark.config.registry import CONF, unknown_variant
from benchmark.config.schema import SCHEMA, SINGLE_GROUPS, Config

BEYOND_ASCII = re.compile(r"[^\[\]{},:=]*[^\x00-\x7f][^\[\]{},:=]*")


def typed(config: DictConfig) -> Config:
    """The run's configuration as plain dataclasses, checked.

    Raises:
        ConfigError: a value is out of its range, or an option unknown or without a value.
    """
    try:
        for option in sorted(OmegaConf.missing_keys(config)):
            raise ConfigError(f"must be given: add {option}=… to the command", option)
        container = OmegaConf.to_container(config, resolve=True)
    except OmegaConfBaseException as error:
        raise as_input_error(error) from error
    plain = validated(SCHEMA, container)
    check_config(plain)
    return plain


def composed(overrides: Sequence[str]) -> Config:
    """The configuration that a command line's overrides mean, outside of a Hydra application.

    Raises:
        ConfigError: a bad override, or a value out of its range.
    """
    check_choices(overrides)
    given = [quoted(override) for override in overrides]
    if GlobalHydra.instance().is_initialized():
        return typed(_composed(given))
    with initialize_config_dir(str(CONF), version_base="1.3", job_name="benchmark"):
        return typed(_composed(given))


def _composed(overrides: list[str]) -> DictConfig:
    """What Hydra makes of overrides; its errors of other kinds are for bad ones too."""
    try:
        return compose("config", overrides=overrides)
    except (*CompositionError, RecursionError, UnicodeDecodeError) as error:
        raise as_input_error(error) from error
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
    print(f"error: {as_input_error(error)}", file=sys.stderr)
    return 2


def check_choices(overrides: Sequence[str]) -> None:
    """Check what Hydra would mix, or take badly: the choice of variants.

    Raises:
        ConfigError: what is chosen can be no name, or there are several of what a run has one.
    """
    for override in overrides:
        group, equals, choice = override.partition("=")
        if equals and not group.strip("+~ "):
            raise ConfigError(f"'{override}' cannot be read as option=value")
        if group not in (*SINGLE_GROUPS, "metrics"):
            continue
        if group in SINGLE_GROUPS and choice.startswith("["):
            raise ConfigError(
                f"a run has one {group}; several make a sweep: -m {group}=A,B", group, choice
            )
        if re.fullmatch(r"null|true|false|[\d._-].*", choice):
            raise unknown_variant(group, choice, group)
