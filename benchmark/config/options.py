"""What each option means, and its default: for the help, and for the tables of docs/options.md."""

import textwrap
from collections.abc import Mapping
from typing import Any

from benchmark.config.registry import CONF, SINGLE_GROUPS, leaves, variant_yaml, variants, yaml_of

NAME_WIDTH, LINE_WIDTH = 34, 100


def described_options() -> dict[str, dict[str, str]]:
    """The options by their sections, each with its meaning: `conf/options.yaml`."""
    return yaml_of(CONF / "options.yaml")


def option_defaults() -> dict[str, dict[str, Any]]:
    """Every option's values in `conf/`, by the variants that have one; "" is all of them."""
    main = leaves(yaml_of(CONF / "config.yaml"))
    defaults: dict[str, dict[str, Any]] = {key: {"": value} for key, value in main.items()}
    for group in SINGLE_GROUPS:
        for name in variants(group):
            for key, value in leaves(variant_yaml(group, name)).items():
                defaults.setdefault(f"{group}.{key}", {})[name] = value
    return defaults


def option_lines() -> str:
    """For help, every section with `option=default` and meaning; … where variants differ."""
    lines, defaults = [], option_defaults()
    for section, options in described_options().items():
        lines += ["", section.upper()]
        for option, meaning in options.items():
            lines += columns(f"{option}={common(defaults[option])}", " ".join(meaning.split()))
    return "\n".join(lines[1:])


def columns(name: str, meaning: str) -> list[str]:
    """An option and what it means, side by side."""
    width = LINE_WIDTH - NAME_WIDTH
    wrapped = textwrap.wrap(meaning, width, break_long_words=False, break_on_hyphens=False)
    indented = [" " * NAME_WIDTH + part for part in wrapped]
    if len(name) >= NAME_WIDTH:
        return [name, *indented]
    return [name + indented[0][len(name) :], *indented[1:]]


def common(values: Mapping[str, Any]) -> str:
    """The value that all variants have, as it is written on the command line; or "…"."""
    texts = {written(value) for value in values.values()}
    return texts.pop() if len(texts) == 1 else "…"


def written(value: Any) -> str:
    """A default as it is written on the command line; "…" for one that is to be given."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, list):
        return f"[{','.join(map(written, value))}]"
    is_open = isinstance(value, str) and value.startswith(("???", "${"))
    return "…" if is_open else f"{value:g}" if isinstance(value, float) else str(value)
