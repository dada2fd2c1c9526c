"""What a user can get wrong, as one clear line each."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from benchmark.user_input import InputError, did_you_mean

if TYPE_CHECKING:  # A command line can be refused without it.
    from pydantic import TypeAdapter

Kind = TypeVar("Kind")

PLAIN = {
    "greater_than": "must be > {gt}",
    "greater_than_equal": "must be ≥ {ge}",
    "less_than": "must be < {lt}",
    "less_than_equal": "must be at most {le}",
    "finite_number": "must be a finite number",
    "literal_error": "must be {expected}",
    "enum": "must be {expected}",
    "value_error": "{error}",
    "unexpected_keyword_argument": "no such option.",
    "missing": "must be given: add {option}=… to the command",
    **dict.fromkeys(("int_type", "int_parsing", "int_from_float"), "must be an integer"),
    **dict.fromkeys(("float_type", "float_parsing"), "must be a number"),
    **dict.fromkeys(("bool_type", "bool_parsing"), "must be true or false"),
    **dict.fromkeys(("list_type", "tuple_type"), "must be a list, such as [a,b]"),
    "dict_type": "must be numbers by name, such as {{A:0.7,B:0.3}}, in quotes for the shell",
    "string_type": "must be a text",
    "string_pattern_mismatch": "must not be blank",
    "string_unicode": "is not UTF-8",
}
"""What pydantic's errors mean, by their type, in words for people who do not know pydantic."""


class ConfigError(InputError):
    """An option has a value that it cannot have."""


def validated(kind: "TypeAdapter[Kind]", value: Any, option: str = "") -> Kind:
    """The value of an option, or of all below it ("": of all there are), converted to a type.

    Raises:
        ConfigError: it is not of that type; names the option, or the one below it.
    """
    from pydantic import ValidationError

    try:
        return kind.validate_python(value)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
    above: Mapping[str, Any] = {}
    for key in first["loc"]:
        if not isinstance(value, Mapping) or not isinstance(key, str):
            break
        above, value, option = value, value.get(key, ...), f"{option}.{key}".lstrip(".")
    reason = first["msg"].replace("Input should be", "must be")
    if first["type"] in PLAIN:
        bounds = {k: f"{v:g}" if type(v) is float else v for k, v in first.get("ctx", {}).items()}
        reason = PLAIN[first["type"]].format(**bounds, option=option).replace("'", "")
    if first["type"] == "unexpected_keyword_argument":
        last, value = option.rpartition(".")[2], ...
        reason += did_you_mean(last, above.keys() - {last})
    raise ConfigError(reason, option or None, value)
