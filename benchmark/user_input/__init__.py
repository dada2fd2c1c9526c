"""What a user gives to the program: the error about it, the hint to a near name, dotted names.

And the version of the program, which every command and every run's log tells.

Below `backbones` and `datasets`, which must not import each other and raise the same kind of error.
Imports nothing of ours.
"""

import tomllib
from collections.abc import Callable, Iterable
from difflib import get_close_matches
from enum import Enum
from importlib import import_module
from pathlib import Path
from typing import Any


class InputError(ValueError):
    """A value that a user gave cannot be used; as text `option=value: reason`, in one line.

    Attributes:
        reason: why not, and what to do.
        option: its dotted name, such as `content.count`, or a command's flag, `--run`; None: the
            reason names all.
        value: what was given; `...` where there is nothing to show.
    """

    def __init__(self, reason: str, option: str | None = None, value: object = ...) -> None:
        separator = " " if option and option.startswith("--") else "="
        given = "" if value is ... else f"{separator}{as_override(value)}"
        super().__init__(in_one_line(f"{option}{given}: {reason}" if option else reason))
        self.reason, self.option, self.value = reason, option, value


def program_version() -> str:
    """The version in `pyproject.toml`: of these files, whatever an installation last wrote down."""
    file = Path(__file__).parents[2] / "pyproject.toml"
    return str(tomllib.loads(file.read_text(encoding="utf-8"))["project"]["version"])


def as_override(value: object) -> str:
    """A value as it is written on the command line, without the quotes that it may need."""
    if isinstance(value, (list, tuple)):
        return f"[{','.join(map(as_override, value))}]"
    if isinstance(value, dict):
        plain = {k: f"{one:g}" if isinstance(one, float) else one for k, one in value.items()}
        return f"{{{','.join(f'{key}:{as_override(one)}' for key, one in plain.items())}}}"
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return value.name if isinstance(value, Enum) else str(value)


def in_one_line(text: str) -> str:
    """A text without line breaks and repeated spaces."""
    return " ".join(text.split())


def closest(name: str, known: Iterable[str], cutoff: float = 0.5) -> str | None:
    """The known name most like another; None if none is like it, by `difflib`'s ratio ≥ cutoff."""
    return next(iter(get_close_matches(name, list(known), n=1, cutoff=cutoff)), None)


def did_you_mean(name: str, known: Iterable[str], cutoff: float = 0.5) -> str:
    """The question " Did you mean 'x'?" with the closest known name, or nothing."""
    nearest = closest(name, known, cutoff)
    return f" Did you mean '{nearest}'?" if nearest else ""


def import_callable(dotted_name: str, option: str = "import") -> Callable[..., Any]:
    """The function, class or method that a dotted name such as `package.module.function` means.

    Raises:
        InputError: it cannot be imported, or cannot be called.
    """
    try:
        function: Callable[..., Any] = _attribute(dotted_name)
    except Exception as error:  # Somebody's module may raise anything.
        reason = f"cannot be imported ({type(error).__name__}: {error}); give the dotted name of a "
        reason += "function, package.module.function"
        raise InputError(reason, option, dotted_name) from error
    if not callable(function):
        raise InputError("is not a function or class", option, dotted_name)
    return function


def _attribute(dotted_name: str) -> Any:
    module, _, attribute = dotted_name.rpartition(".")
    try:
        return getattr(import_module(module), attribute)
    except ModuleNotFoundError as error:
        # Only if the owner itself is no module, not if it fails to import another one.
        if error.name != module or "." not in module:
            raise
        return getattr(_attribute(module), attribute)
