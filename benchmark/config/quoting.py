"""Paths and names as people write them, in quotes where Hydra's grammar would read something else.

An option that holds a path or a text takes what the shell hands over as that text; only what is
already in Hydra's quotes, null, a function of Hydra's and, for variants, values by name are left
as they are. With `-m`, commas without a space after them separate the values of a sweep. Imports
nothing of Hydra.
"""

import re

TEXTS = {
    *("backbone.weights", "best_optimizer.experiment", "cache", "checkpoint.folder", "init"),
    *("content.masks", "content.root", "dataset.classifier", "dataset.masks", "dataset.root"),
    *("evaluation.classifier", "evaluation.weights"),
    *("tracking.experiment", "tracking.sweep", "tracking.uri"),
}
"""Options that hold one path or text."""

NAMES = {
    *("best_optimizer.optimizers", "evaluation.evaluators", "content.names", "content.paths"),
    *("dataset.artists", "dataset.genre", "dataset.genres", "dataset.nationality", "dataset.paths"),
    "dataset.styles",
}
"""Options that hold names or paths in a list."""

QUOTED = r"""(?:'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")"""
PLAIN = r"[a-zA-Z_/.*?-][\w/.*?@%+-]*"
"""What Hydra neither refuses nor escapes when it hands it on to the runs of a sweep."""

LEFT = (
    rf"null|(?:choice|glob|interval|range|shuffle|sort|str|tag)\(.*\)|{QUOTED}(?:\s*,\s*{QUOTED})*"
)
BY_NAME = rf"\{{\s*[\w-]+\s*:(?>{QUOTED}|[^{{}}])*+\}}"


def in_quotes(text: str) -> str:
    """A text as a quoted string of Hydra's grammar."""
    doubled = re.sub(r"\\+(?='|$)", lambda backslashes: 2 * backslashes[0], text)
    return "'" + doubled.replace("'", r"\'") + "'"


def quoted(override: str, is_sweep: bool = False) -> str:
    """An override whose paths and names need no quotes; nor do names with accents anywhere.

    `is_sweep`: whether several values of an option are several runs.
    """
    option, equals, value = override.partition("=")
    name = option.lstrip("+")
    if name in TEXTS | NAMES and value:
        return option + equals + _texts(name, value, is_sweep)
    if override.isascii() or "'" in override or '"' in override:
        return override
    beyond_ascii = r"[^\[\]{},:=]*[^\x00-\x7f][^\[\]{},:=]*"
    return option + equals + re.sub(beyond_ascii, lambda part: f"'{part[0].strip()}'", value)


def _texts(option: str, value: str, is_sweep: bool) -> str:
    """The value of an option of texts, those in quotes that need them."""
    if re.fullmatch(LEFT, value, re.DOTALL):
        return value
    is_variants = option.startswith(("backbone.", "content.", "dataset."))
    if is_variants and re.fullmatch(f"{BY_NAME}(?:,{BY_NAME})*", value):
        return re.sub(BY_NAME, lambda pairs: f"{{{_by_name(pairs[0][1:-1])}}}", value)
    if option in NAMES and value.startswith("["):
        return _listed(value)
    if is_sweep:
        several = rf"{QUOTED}(?=,|$)|(?:,(?= )|[^,])+"
        return re.sub(several, lambda one: _text_or_null(one[0]), value)
    return quoted_text(value)


def _by_name(pairs: str) -> str:
    """`name:value` pairs, the values in quotes where they need them."""
    each = (pair.partition(":") for pair in re.split(r",(?=\s*[\w-]+\s*:)", pairs))
    return ",".join(
        f"{name}:{_listed(value) if value.startswith('[') else _text_or_null(value.strip())}"
        for name, _, value in each
    )


def _listed(value: str) -> str:
    """A list of names, or several; a name with a comma or a bracket brings its own quotes."""
    name = rf"\s*{QUOTED}\s*(?=[\],])|[^\[\],]+"
    return re.sub(name, lambda one: quoted_text(one[0].strip()), value)


def _text_or_null(text: str) -> str:
    return text if text == "null" else quoted_text(text)


def quoted_text(text: str) -> str:
    """A text as it stands where Hydra reads it as that text, else in quotes."""
    if re.fullmatch(QUOTED, text, re.DOTALL) or (is_plain(text) and text.isascii()):
        return text
    return in_quotes(text)


def is_plain(text: str) -> bool:
    """Whether Hydra reads a text as it stands, not as a number or a word of its own."""
    number = r"[+-]?(?:[\d_]*\.?[\d_]+(?:e[+-]?[\d_]+)?|[\d_]+\.|inf|nan)|true|false|null"
    is_word = re.fullmatch(number, text, re.IGNORECASE) is None
    return is_word and re.fullmatch(PLAIN, text, re.ASCII) is not None
