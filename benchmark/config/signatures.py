"""A variant's arguments: its YAML against the signature of the function that `_target_` names.

The signature is the schema. So a new aggregation, metric, optimiser, dataset or backbone needs no
entry anywhere else, and a wrong argument is still one clear line.
"""

import inspect
from collections.abc import Callable, Collection, Mapping
from typing import Any, get_type_hints

from pydantic import TypeAdapter
from pydantic.errors import PydanticUserError

from benchmark.config.errors import ConfigError, validated
from benchmark.user_input import did_you_mean, import_callable

Function = Callable[..., Any]


def function_of(group: str, variant: Mapping[str, Any], key: str = "_target_") -> Function:
    """The function or class that a variant names under some key; InputError if it is neither."""
    return import_callable(str(variant.get(key)), f"{group}.{key}")


def check_call(option: str, target: str, function: Function, *given: str, **named: Any) -> None:
    """Raise ConfigError unless a function, an option's `target`, can be called with arguments."""
    try:
        inspect.signature(function).bind(*given, **named)
    except TypeError as error:
        names = ", ".join([*given, *named])
        raise ConfigError(f"cannot be called with {names}: {error}", option, target) from error
    except ValueError:  # Compiled functions need not have a signature.
        return


def arguments_of(
    group: str,
    variant: Mapping[str, Any],
    *,
    without: Collection[str] = (),
    given: Collection[str] = (),
    named: Collection[str] = (),
) -> dict[str, Any]:
    """A variant's arguments, each converted to the type that the function's signature states.

    Keys in `without` are not for the function, which the program gives the first arguments `given`
    and, by name, `named`.

    Raises:
        InputError: the function has no such argument, or not of that type, or lacks one.
    """
    function, target = function_of(group, variant), str(variant["_target_"])
    try:
        types = argument_types(function)
    except Exception as error:  # Of a compiled function, or of hints that mean nothing.
        reason = f"its arguments cannot be determined ({error})"
        raise ConfigError(reason, f"{group}._target_", target) from error
    arguments = {}
    for key, value in variant.items():
        option = f"{group}.{key}"
        if key in ("name", "_target_", *without):
            continue
        if key in named:
            raise ConfigError("is given by the program, not by the YAML", option)
        if key not in types:
            raise ConfigError(f"{target} has no such argument.{did_you_mean(key, types)}", option)
        try:
            kind = TypeAdapter(types[key])
        except PydanticUserError as error:
            raise ConfigError(f"a YAML cannot give a {types[key]}", option, value) from error
        arguments[key] = validated(kind, value, option)
    taken = dict.fromkeys(named) | arguments
    check_call(f"{group}._target_", target, function, *given, **taken)
    return arguments


def argument_types(function: Function) -> dict[str, Any]:
    """The type of each argument: annotated, or that of its default; a None tells nothing.

    Keras annotates nothing, but its defaults tell numbers, which may be whole, from switches.
    """
    annotated = function.__init__ if inspect.isclass(function) else function
    hinted = get_type_hints(annotated, include_extras=True)
    types: dict[str, Any] = {}
    for name, parameter in inspect.signature(function).parameters.items():
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            continue
        kind = type(parameter.default)
        if parameter.default is parameter.empty or kind is type(None):
            kind = Any
        types[name] = hinted.get(name, {float: float, int: float | int}.get(kind, kind))
    return types
