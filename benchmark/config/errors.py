"""What a user can get wrong, as one clear line each."""

import re
from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches

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

from user_input import InputError


class ConfigError(InputError):
    """An option has a value that it cannot have."""


LAUNCHERS = ("joblib", "ray", "submitit_local", "submitit_slurm")
"""What Hydra's launchers that come with the extra `cluster` are called."""

CompositionError = (HydraException, OmegaConfBaseException)
"""What Hydra and OmegaConf raise for a bad override."""

PLAINER = (
    (r"field '.*' is not Optional", "must not be null"),
    (r"Invalid value assigned: .* is not a ListConfig.*", "must be a list, such as [a,b]"),
    (r"Invalid type assigned: .* is not a subclass of .*", "has options of its own: set those"),
    (r"Cannot convert '(list|dict)' to string.*", "must be one text"),
)
"""What OmegaConf says, as patterns, and the same for people who do not know it."""


def nearest(name: str, known: Iterable[str]) -> str:
    """A question " Did you mean …?" with the nearest known name, or nothing."""
    found = get_close_matches(name, list(known), n=1, cutoff=0.5)
    return f" Did you mean '{found[0]}'?" if found else ""


def error_line(
    error: BaseException, known_options: Sequence[str], owners: Mapping[str, Sequence[str]]
) -> str:
    """An error of Hydra, OmegaConf or our own as one line that says what to do.

    Args:
        error: what was raised.
        known_options: the dotted names of all options, for suggestions.
        owners: for options that only some variants have, these variants.
    """
    if isinstance(error, InstantiationException):
        root: BaseException = error
        while root.__cause__ or root.__context__:
            root = root.__cause__ or root.__context__ or root
        return f"{type(root).__name__}: {' '.join(str(root).split())}"
    ambiguous = re.match(r"Ambiguous value for argument '(.+?)'", str(error))
    if ambiguous:
        return (
            f"{ambiguous[1]}: several values make a sweep, which needs -m: "
            "python -m benchmark -m …; a list is written option=[a,b]"
        )
    if isinstance(error, RecursionError):
        return "the defaults lists of YAMLs in conf/ go round in circles"
    if isinstance(error, UnicodeDecodeError):
        return f"a YAML in conf/ is not UTF-8: {error}"
    cause = error if isinstance(error, OmegaConfBaseException) else error.__cause__
    if isinstance(error, MissingConfigException) and error.options is not None:
        group, _, choice = str(error.missing_cfg_file).removesuffix(".yaml").rpartition("/")
        if group == "hydra/launcher" and choice in LAUNCHERS:
            return f"{group}={choice}: is not installed: pip install -e '.[cluster]'"
        names = [name for name in error.options if not name.startswith("_")]
        return (
            f"{group}={choice}: no such option.{nearest(choice, names)} "
            f"Options: {', '.join(names)}."
        )
    unknown = re.search(r"Could not load '(\w+)/([^']*)'", str(error))
    if unknown:  # One of a list of choices, for which Hydra does not say what there is.
        group, choice = unknown.groups()
        there = owners.get(f"{group}.name", [])
        return (
            f"{group}=[{choice}]: no such option.{nearest(choice, there)} "
            f"Options: {', '.join(there)}."
        )
    if isinstance(cause, (ConfigAttributeError, ConfigKeyError)):
        option = str(cause.full_key or _quoted(str(error)))
        if option in owners:
            choices = " or ".join(f"{option.partition('.')[0]}={name}" for name in owners[option])
            return f"{option}: no such option here; it belongs to {choices}."
        leaf = [known for known in known_options if known.rpartition(".")[2] == option]
        hint = f" Did you mean '{min(leaf, key=len)}'?" if leaf else nearest(option, known_options)
        return f"{option}: no such option.{hint} `python -m benchmark --help` lists them."
    if isinstance(cause, MissingMandatoryValue):
        return f"{cause.full_key} must be given: add {cause.full_key}=… to the command."
    if isinstance(error, OverrideParseException):
        return (
            f"'{flat(error.override)}': cannot be read as option=value; a value with spaces, "
            "quotes, commas or brackets goes into quotes of its own: 'option=\"…\"'"
        )
    if isinstance(cause, OmegaConfBaseException) and cause.full_key:
        reason = str(cause.msg if cause.msg else cause).splitlines()[0]
        return f"{cause.full_key}: {in_plain_words(reason)}."
    return flat(str(error))


def in_plain_words(reason: str) -> str:
    """A reason of OmegaConf's in plain words, where there are such."""
    for pattern, words in PLAINER:
        if re.fullmatch(pattern, reason):
            return words
    return reason


def flat(text: str) -> str:
    """A text as one line."""
    return " ".join(text.split())


def _quoted(text: str) -> str:
    found = re.search(r"'([^']+)'", text)
    return found[1] if found else text
