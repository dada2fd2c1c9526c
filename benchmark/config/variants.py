"""Variants: a YAML of `conf/<group>/` names a function and gives its arguments.

The function's signature is the schema. So a new aggregation, optimiser, dataset or backbone needs
no entry anywhere else, and a wrong argument is still one clear line.
"""

import inspect
from collections.abc import Callable, Collection, Mapping
from pkgutil import resolve_name
from typing import Any, get_type_hints

from pydantic import TypeAdapter, ValidationError

from benchmark.config.errors import ConfigError, nearest

LABELS = ("name", "_target_")


def function_of(
    group: str, variant: Mapping[str, Any], key: str = "_target_"
) -> Callable[..., Any]:
    """The function or class that a variant names under some key.

    Raises:
        ConfigError: it cannot be imported, or is none.
    """
    target = str(variant.get(key))
    try:
        function: Callable[..., Any] = resolve_name(target)
    except Exception as error:  # Somebody's module may raise anything.
        raise ConfigError(
            f"{group}.{key}={target}: cannot be imported ({type(error).__name__}: {error}); give "
            "the dotted name of a function, package.module.function"
        ) from error
    if not callable(function):
        raise ConfigError(f"{group}.{key}={target}: is not a function or class")
    return function


def check_call(option: str, function: Callable[..., Any], *given: str, **named: Any) -> None:
    """Check that a function can be called with what it is going to be given.

    Args:
        option: that names it, with its value, for messages.
        function: to be called.
        given: what its first arguments will be.
        named: its other arguments.

    Raises:
        ConfigError: it cannot.
    """
    try:
        inspect.signature(function).bind(*given, **named)
    except TypeError as error:
        what = ", ".join([*given, *named])
        raise ConfigError(f"{option}: cannot be called with {what}: {error}") from error
    except ValueError:  # A compiled function may tell nothing of itself.
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

    Args:
        group: for messages.
        variant: the composed YAML.
        without: keys that are not for the function.
        given: what the program gives as its first arguments.
        named: arguments that the program gives it by name.

    Raises:
        ConfigError: the function has no such argument, or not of that type, or lacks one.
    """
    function = function_of(group, variant)
    try:
        types = argument_types(function)
    except Exception as error:  # Of a compiled function, or of hints that mean nothing.
        raise ConfigError(
            f"{group}._target_={variant['_target_']}: its arguments cannot be told ({error})"
        ) from error
    arguments = {}
    for key, value in variant.items():
        if key in LABELS or key in without:
            continue
        if key in named:
            raise ConfigError(f"{group}.{key}: is not for the YAML; the program gives it")
        if key not in types:
            raise ConfigError(
                f"{group}.{key}: {variant['_target_']} has no such argument.{nearest(key, types)}"
            )
        try:
            arguments[key] = TypeAdapter(types[key]).validate_python(value)
        except ValidationError as error:
            reason = error.errors()[0]["msg"].lower()
            raise ConfigError(f"{group}.{key}={value}: {reason}") from error
    taken = dict.fromkeys(named) | arguments
    check_call(f"{group}._target_={variant['_target_']}", function, *given, **taken)
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
            types[name] = float if default is not None else int | float | None
    return types
