"""Errors of Hydra and OmegaConf as one clear line each."""

import re
from collections.abc import Callable

from hydra.errors import (
    HydraException,
    InstantiationException,
    MissingConfigException,
    OverrideParseException,
)
from omegaconf.errors import (
    ConfigAttributeError,
    ConfigKeyError,
    MissingMandatoryValue,
    OmegaConfBaseException,
)

from benchmark.config.errors import ConfigError
from benchmark.config.registry import known_options, owners, unknown_variant
from benchmark.user_input import InputError, did_you_mean, in_one_line

CompositionError = (HydraException, OmegaConfBaseException)
"""What Hydra and OmegaConf raise for a bad override."""

LAUNCHERS = ("joblib", "ray", "submitit_local", "submitit_slurm")
"""What Hydra's launchers that come with the extra `cluster` are called."""

PLAIN_HYDRA_ERRORS = (
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


def as_input_error(error: BaseException) -> InputError:
    """An error of Hydra, OmegaConf or our own as one line that says what to do."""
    if isinstance(error, InputError):
        return error
    lines = (matcher(error) for matcher in MATCHERS)
    return next((line for line in lines if line), ConfigError(str(error)))


def _failed_callback(error: BaseException) -> ConfigError | None:
    """Something that Hydra was to make could not be made: the error at the root of it."""
    if not isinstance(error, InstantiationException):
        return None
    root: BaseException = error
    while root.__cause__ or root.__context__:
        root = root.__cause__ or root.__context__ or root
    return ConfigError(f"{type(root).__name__}: {root}")


def _sweep_without_flag(error: BaseException) -> ConfigError | None:
    argument = re.match(r"Ambiguous value for argument '(.+?)=(.*?)'", str(error))
    reason = "several values make a sweep, which needs -m; a list is written option=[a,b]"
    return ConfigError(reason, *argument.groups()) if argument else None


def _unreadable_yaml(error: BaseException) -> ConfigError | None:
    if isinstance(error, RecursionError):
        return ConfigError("the defaults lists of YAMLs in conf/ include each other in a circle")
    if isinstance(error, UnicodeDecodeError):
        return ConfigError(f"a YAML in conf/ is not UTF-8: {error}")
    return None


def _unknown_choice(error: BaseException) -> ConfigError | None:
    # Of a list of choices, as of metrics, Hydra has only the text.
    in_list = re.search(r"Could not load '(\w+)/([^']*)'", str(error))
    if in_list:
        return unknown_variant(in_list[1], in_list[2], in_list[1])
    if not isinstance(error, MissingConfigException) or error.options is None:
        return None
    group, _, choice = str(error.missing_cfg_file).removesuffix(".yaml").rpartition("/")
    if group == "hydra/launcher" and choice in LAUNCHERS:
        return ConfigError("is not installed: pip install -e '.[cluster]'", group, choice)
    return unknown_variant(group, choice, group, [n for n in error.options if n[0] != "_"])


def _unknown_option(error: BaseException) -> ConfigError | None:
    cause = _of_omegaconf(error)
    if not isinstance(cause, (ConfigAttributeError, ConfigKeyError)):
        return None
    quoted = re.search(r"'([^']+)'", str(error))
    option = str(cause.full_key or (quoted[1] if quoted else error))
    group, of = option.partition(".")[0], owners()
    if option in of:
        choices = " or ".join(f"{group}={name}" for name in of[option])
        return ConfigError(
            f"not in the YAML of this {group}: choose {choices}, or write +{option}=… if "
            "its function has this argument",
            option,
        )
    known = known_options()
    ending = [name for name in known if name.rpartition(".")[2] == option]
    hint = f" Did you mean '{min(ending, key=len)}'?" if ending else did_you_mean(option, known)
    return ConfigError(f"no such option.{hint} `python -m benchmark --help` lists them.", option)


def _required(error: BaseException) -> ConfigError | None:
    cause = _of_omegaconf(error)
    if not isinstance(cause, MissingMandatoryValue):
        return None
    option = str(cause.full_key)
    return ConfigError(f"must be given: add {option}=… to the command", option)


def _unreadable_override(error: BaseException) -> ConfigError | None:
    if not isinstance(error, OverrideParseException):
        return None
    return ConfigError(
        f"'{in_one_line(error.override)}' cannot be read as option=value; a value with spaces, "
        "quotes, commas or brackets goes into quotes of its own: 'option=\"…\"'"
    )


def _wrong_type(error: BaseException) -> ConfigError | None:
    cause = _of_omegaconf(error)
    if cause is None or not cause.full_key:
        return None
    reason = str(cause.msg or cause).splitlines()[0]
    reason = re.sub(r"While dereferencing interpolation '.*?': ", "", reason)
    for pattern, words in PLAIN_HYDRA_ERRORS:
        match = re.fullmatch(pattern, reason)
        if match:
            return ConfigError(match.expand(words), str(cause.full_key), cause.value)
    return ConfigError(reason, str(cause.full_key))


def _of_omegaconf(error: BaseException) -> OmegaConfBaseException | None:
    """The error of OmegaConf that an error is, or is due to."""
    cause = error if isinstance(error, OmegaConfBaseException) else error.__cause__
    return cause if isinstance(cause, OmegaConfBaseException) else None


MATCHERS: tuple[Callable[[BaseException], ConfigError | None], ...] = (
    _failed_callback,
    _sweep_without_flag,
    _unreadable_yaml,
    _unknown_choice,
    _unknown_option,
    _required,
    _unreadable_override,
    _wrong_type,
)
"""In order; the first that knows an error says what it means."""
