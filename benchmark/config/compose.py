"""From a command line's overrides to a typed, checked configuration."""

import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import fields, is_dataclass
from functools import lru_cache

from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from omegaconf import MISSING, DictConfig, OmegaConf

from benchmark.config.checks import check
from benchmark.config.errors import CompositionError, ConfigError, error_line, nearest
from benchmark.config.paths import ROOT
from benchmark.config.registry import owners, variants
from benchmark.config.schema import SINGLE_GROUPS, Config, flat

BEYOND_ASCII = re.compile(r"[^\[\]{},:=]*[^\x00-\x7f][^\[\]{},:=]*")


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
    print(f"error: {error_line(error, known_options(), owners())}", file=sys.stderr)
    return 2


@lru_cache(maxsize=1)
def known_options() -> Sequence[str]:
    """The dotted names of all options, for suggestions; none where the defaults are broken."""
    try:
        return list(flat(composed([])))
    except (ConfigError, *CompositionError):
        return []  # That is what the error to be told says.


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
        if re.fullmatch(r"null|true|false|[\d._-].*", choice):
            raise ConfigError(f"{override}: no such option. Options: {', '.join(variants(group))}.")


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
