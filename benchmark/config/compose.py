"""From a command line to a typed, checked configuration, or to one line about what is wrong."""

import re
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from typing import Any

from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.errors import (
    HydraException,
    InstantiationException,
    MissingConfigException,
    OverrideParseException,
)
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import (
    ConfigAttributeError,
    ConfigKeyError,
    MissingMandatoryValue,
    OmegaConfBaseException,
)

from benchmark.config.command_line import check_choices
from benchmark.config.errors import ConfigError, validated
from benchmark.config.paths import check_folder, check_store, local_file, may_write
from benchmark.config.quoting import quoted
from benchmark.config.registry import (
    BY_NAMES,
    CONF,
    check_variant,
    unknown_option,
    unknown_variant,
    variant_yaml,
    variants,
)
from benchmark.config.schema import SCHEMA, Config, flat
from benchmark.user_input import InputError, as_override, in_one_line

CompositionError = (HydraException, OmegaConfBaseException)
"""What Hydra and OmegaConf raise for a bad override."""

PLAIN_OMEGACONF_ERRORS = (
    (r"Value '.*' of type '\w+' could not be converted to Integer", "must be an integer"),
    (r"Value '.*' of type '\w+' could not be converted to Float", "must be a number"),
    (r"Value '.*' is not a valid bool.*", "must be true or false"),
    (r"Invalid value '.*', expected one of \[(.*)\]", r"must be one of \1"),
    (r"field '.*' is not Optional", "must not be null"),
    (r"Invalid value assigned: .* is not a ListConfig.*", "must be a list, such as [a,b]"),
    (r"Invalid type assigned: .* is not a subclass of .*", "has options of its own: set those"),
    (r"Cannot convert '(?:list|dict)' to string.*", "must be a text"),
)
"""What OmegaConf says, as patterns, and the same for people who do not know it."""


def typed(config: DictConfig) -> Config:
    """The run's configuration as plain dataclasses; ConfigError if an option or value is wrong."""
    try:
        container = OmegaConf.to_container(config, resolve=True, throw_on_missing=True)
    except OmegaConfBaseException as error:
        raise as_input_error(error) from error
    plain = validated(SCHEMA, with_own_values(container))
    check_config(plain)
    return plain


def with_own_values(container: Any) -> Any:
    """A configuration with its variants' own values of the options that give one by name.

    `dataset.root={folder:A}` becomes `dataset.root=A` in runs of dataset=folder, and in runs of
    another dataset what its YAML says, so that variants in one sweep can differ in more than their
    names.

    Raises:
        ConfigError: an option gives values for variants, but none for the run's, which needs one.
    """
    for group in ("dataset", "content", "optimizer", "backbone"):
        variant = container.get(group)
        for key, value in list(variant.items()) if isinstance(variant, dict) else ():
            name, option = variant.get("name"), f"{group}.{key}"
            if not isinstance(value, dict) or option in BY_NAMES:
                continue
            if name in value:
                variant[key] = value[name]
            elif set(value) & {*variants(group)}:
                yaml = variant_yaml(group, str(name))
                if yaml.get(key) == "???" or not yaml:
                    reason = f"has no value for {group}={name}: add {name}:…"
                    raise ConfigError(reason, option, value)
                del variant[key]
                variant |= {key: yaml[key]} if key in yaml else {}
    return container


def composed(overrides: Sequence[str]) -> Config:
    """What a command line's overrides mean, outside of a Hydra application; else ConfigError."""
    check_choices(overrides)
    given = [quoted(override) for override in overrides]
    with ExitStack() as stack:
        if not GlobalHydra.instance().is_initialized():
            stack.enter_context(initialize_config_dir(str(CONF), "benchmark", version_base="1.3"))
        try:
            config = compose("config", overrides=given)
        except (*CompositionError, RecursionError, UnicodeDecodeError) as error:
            raise as_input_error(error) from error
        except Exception as error:  # Hydra's errors of other kinds are for bad overrides too.
            raise ConfigError(f"{' '.join(given)}: cannot be read: {error}") from error
        return typed(config)


def check_config(config: Config) -> None:
    """Check what the schema cannot express: other options, `conf/`, the disk; else ConfigError."""
    for option, value in flat(config).items():
        try:
            as_override(value).encode()
        except UnicodeEncodeError as error:  # Python could not decode an argument or file name.
            reason = "is not UTF-8, and MLflow stores nothing else: rename it, or give a link to it"
            raise ConfigError(reason, option, value) from error
    if config.memory_gb is not None and config.batch != "auto":
        reason = f"needs batch=auto, not batch={config.batch}"
        raise ConfigError(reason, "memory_gb", config.memory_gb)
    weights = config.loss
    if weights.content_weight == weights.style_weight == weights.variation_weight == 0:
        raise ConfigError("all loss weights are 0: raise loss.style_weight or loss.content_weight")
    for name in config.evaluation.evaluators:
        check_variant("evaluation.evaluators", name, "backbone")
    for name in config.best_optimizer.optimizers:
        check_variant("best_optimizer.optimizers", name, "optimizer")
    if config.best_optimizer.overlay is not None:
        check_variant("best_optimizer.overlay", config.best_optimizer.overlay, "experiment")
    uri = config.tracking.uri
    if uri is not None:
        check_store("tracking.uri", uri)
        file = local_file(uri)
        if file and not may_write(file):
            raise ConfigError(f"no permission to write to {file}", "tracking.uri", uri)
    check_folder("checkpoint.folder", config.checkpoint.folder)
    check_folder("cache", config.cache)


def one_by_one(arguments: Sequence[str]) -> Iterator[list[str]]:
    """The overrides of each backbone in turn."""
    others = [a for a in arguments if not a.startswith("backbone=") and a != "-m"]
    chosen = [a.removeprefix("backbone=") for a in arguments if a.startswith("backbone=")]
    for backbone in (chosen or ["vgg"])[-1].split(","):
        yield [f"backbone={backbone}", *others]


def as_input_error(error: BaseException) -> InputError:
    """An error of Hydra, OmegaConf or our own as one line that says what to do."""
    text, cause = str(error), error
    if isinstance(error, InputError):
        return error
    if isinstance(error, InstantiationException):
        # Something that Hydra was to make could not be made: the error at the root of it.
        while cause.__cause__ or cause.__context__:
            cause = cause.__cause__ or cause.__context__ or cause
        return ConfigError(f"{type(cause).__name__}: {cause}")
    if several := re.match(r"Ambiguous value for argument '(.+?)=(.*?)'", text):
        reason = "several values make a sweep, which needs -m; a list is written option=[a,b]"
        return ConfigError(reason, *several.groups())
    if isinstance(error, RecursionError):
        return ConfigError("the defaults lists of YAMLs in conf/ include each other in a circle")
    if isinstance(error, UnicodeDecodeError):
        return ConfigError(f"a YAML in conf/ is not UTF-8: {error}")
    # Of a list of choices, as of metrics, Hydra has only the text.
    if in_list := re.search(r"Could not load '(\w+)/([^']*)'", text):
        return unknown_variant(in_list[1], in_list[2], in_list[1])
    if isinstance(error, MissingConfigException) and error.options is not None:
        group, _, choice = str(error.missing_cfg_file).removesuffix(".yaml").rpartition("/")
        launchers = ("joblib", "ray", "submitit_local", "submitit_slurm")
        if group == "hydra/launcher" and choice in launchers:
            return ConfigError("is not installed: pip install -e '.[cluster]'", group, choice)
        return unknown_variant(group, choice, group, [n for n in error.options if n[0] != "_"])
    if isinstance(error, OverrideParseException):
        return ConfigError(
            f"'{in_one_line(error.override)}' cannot be read as option=value; a value with "
            "spaces, quotes, commas or brackets goes into quotes of its own: 'option=\"…\"'"
        )
    if not isinstance(error, OmegaConfBaseException):
        cause = error.__cause__ or error
    if isinstance(cause, (ConfigAttributeError, ConfigKeyError)):
        name = re.search(r"'([^']+)'", text)
        return unknown_option(str(cause.full_key or (name[1] if name else error)))
    if isinstance(cause, MissingMandatoryValue):
        option = str(cause.full_key)
        return ConfigError(f"must be given: add {option}=… to the command", option)
    if isinstance(cause, OmegaConfBaseException) and cause.full_key:
        return _wrong_type(cause)
    return ConfigError(text)


def _wrong_type(error: OmegaConfBaseException) -> ConfigError:
    reason = str(error.msg or error).splitlines()[0]
    reason = re.sub(r"While dereferencing interpolation '.*?': ", "", reason)
    for pattern, words in PLAIN_OMEGACONF_ERRORS:
        match = re.fullmatch(pattern, reason)
        if match:
            return ConfigError(match.expand(words), str(error.full_key), error.value)
    return ConfigError(reason, str(error.full_key))
