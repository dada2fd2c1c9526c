"""Variants: a YAML of `conf/<group>/` names a function and gives its arguments.

The function's signature is the schema. So a new aggregation, optimiser, dataset or backbone needs
no entry anywhere else, and a wrong argument is still one clear line.
"""

import inspect
from collections.abc import Callable, Collection, Mapping
from pkgutil import resolve_name
from typing import Any, get_type_hints

from pydantic import TypeAdapter, ValidationError

from benchmark.errors import ConfigError, nearest

LABELS = ("name", "_target_")


def function_of(
    group: str, variant: Mapping[str, Any], key: str = "_target_"
) -> Callable[..., Any]:
    """The function or class that a variant names under some key.

    Raises:
        ConfigError: it cannot be imported.
    """
    target = str(variant[key])
    try:
        function: Callable[..., Any] = resolve_name(target)
    except (ImportError, AttributeError, ValueError) as error:
        raise ConfigError(f"{group}.{key}={target}: cannot be imported ({error})") from error
    if not callable(function):
        raise ConfigError(f"{group}.{key}={target}: is not a function or class")
    return function


def arguments_of(
    group: str, variant: Mapping[str, Any], *, without: Collection[str] = ()
) -> dict[str, Any]:
    """A variant's arguments, each converted to the type that the function's signature states.

    Args:
        group: for messages.
        variant: the composed YAML.
        without: keys that are not for the function.

    Raises:
        ConfigError: the function has no such argument, or not of that type.
    """
    function = function_of(group, variant)
    types = argument_types(function)
    arguments = {}
    for key, value in variant.items():
        if key in LABELS or key in without:
            continue
        if key not in types:
            raise ConfigError(
                f"{group}.{key}: {variant['_target_']} has no such argument.{nearest(key, types)}"
            )
        try:
            arguments[key] = TypeAdapter(types[key]).validate_python(value)
        except ValidationError as error:
            reason = error.errors()[0]["msg"].lower()
            raise ConfigError(f"{group}.{key}={value}: {reason}") from error
    return arguments


def argument_types(function: Callable[..., Any]) -> dict[str, Any]:
    """The type of each argument: annotated, or that of its default; numbers may be whole.

    Keras annotates nothing, but its defaults tell numbers from switches.
    """
    annotated = function.__init__ if inspect.isclass(function) else function
    hinted = get_type_hints(annotated, include_extras=True)
    types: dict[str, Any] = {}
    for name, parameter in inspect.signature(function).parameters.items():
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            continue
        default = parameter.default
        if name in hinted:
            types[name] = hinted[name]
        elif isinstance(default, bool) or not isinstance(default, (int, float, type(None))):
            types[name] = Any if default is parameter.empty else type(default)
        else:
            types[name] = float if default is not None else float | None
    return types
