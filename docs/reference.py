"""The tables of options and metrics in docs/: `python -m docs.reference` writes them anew.

Options have their names and meanings from conf/options.yaml, defaults from conf/, types and ranges
from the schema and the functions that the variants name. Metrics are as their files in conf/metrics
say. A test compares.
"""

import re
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, Field, TypeAdapter

from benchmark.config.options import described_options, option_defaults, written
from benchmark.config.registry import CONF, SINGLE_GROUPS, variant_yaml, variants, yaml_of
from benchmark.config.schema import LARGEST_COUNT, SCHEMA, LossWeight
from benchmark.config.signatures import argument_types, function_of
from benchmark.runs.contents import ContentChoice
from benchmark.runs.style_sets import Selection
from benchmark.runs.variants import DECAYS, PositiveFloat, metric_of

PAGES = [Path(__file__).with_name(name) for name in ("options.md", "metrics.md")]
TABLE = re.compile(r"(<!-- options: (.*?) -->\n).*?(<!-- end -->)", re.DOTALL)

Schema = dict[str, Any]

CHOICES: dict[str, type[BaseModel]] = {"dataset": Selection, "content": ContentChoice}
"""Groups with keys that choose among the pictures, not for the variant's function."""


def with_tables(page: str) -> str:
    """The page with each table made anew."""
    others = {"Variants": groups, "All metrics": metrics}

    def made(found: re.Match[str]) -> str:
        section = found[2]
        return found[1] + (others[section]() if section in others else table(section)) + found[3]

    return TABLE.sub(made, page)


def metrics() -> str:
    """The metrics as a table in Markdown, each with a link to its function."""
    rows = ["| metric | better | range | what it says |", "| --- | --- | --- | --- |"]
    for name in variants("metrics"):
        variant = variant_yaml("metrics", name)[name]
        metric, path = metric_of(name, variant).description, variant["_target_"]
        better = {"one": "near 1", "none": ""}.get(metric.better, metric.better)
        link = f"[`{name}`](api.md#{path})"
        rows.append(f"| {link} | {better} | {metric.range} | {plain(metric.about)} |")
    return "\n".join(rows) + "\n"


def groups() -> str:
    """The groups, with their variants, as a table in Markdown."""
    chosen = {key: name for one in defaults_list() for key, name in one.items()}
    rows = ["| option | default | variants |", "| --- | --- | --- |"]
    for group in SINGLE_GROUPS:
        names = ", ".join(f"`{name}`" for name in variants(group))
        rows.append(f"| `{group}` | `{chosen[group]}` | {names} |")
    return "\n".join(rows) + "\n"


def defaults_list() -> list[dict[str, Any]]:
    """Which variant a run has of each group, as conf/config.yaml says."""
    return [one for one in yaml_of(CONF / "config.yaml")["defaults"] if isinstance(one, dict)]


def table(section: str) -> str:
    """The options of a section as a table in Markdown."""
    kinds, defaults = option_kinds(), option_defaults()
    rows = ["| option | meaning | values | default |", "| --- | --- | --- | --- |"]
    for option, meaning in described_options()[section].items():
        cells = (f"`{option}`", plain(meaning), kinds[option], default(defaults[option]))
        rows.append(f"| {' | '.join(cells)} |")
    return "\n".join(rows) + "\n"


def plain(meaning: str) -> str:
    """A meaning with nothing in it that Markdown reads otherwise."""
    return re.sub(r"([*<|]|\[(?=.*\]))", r"\\\1", " ".join(meaning.split()))


def default(values: dict[str, Any]) -> str:
    """A default, or those of the variants that differ; "…" for many."""
    by_text: dict[str, list[str]] = {}
    for name, value in values.items():
        by_text.setdefault(written(value), []).append(name)
    if len(by_text) > 4:
        return "of the variant"
    few = {text: f" ({', '.join(names)})" for text, names in by_text.items() if len(names) < 5}
    texts = (f"`{text}`{few.get(text, '')}" for text in by_text)
    return f"`{next(iter(by_text))}`" if len(by_text) == 1 else "; ".join(texts)


def option_kinds() -> dict[str, str]:
    """The values that each option takes, in words, by its dotted name."""
    described = {option for options in described_options().values() for option in options}
    schema = SCHEMA.json_schema()
    kinds: dict[str, str] = {}
    for name, one in schema["properties"].items():
        part = schema["$defs"].get(one.get("$ref", "").rpartition("/")[2], {})
        for key, nested in part.get("properties", {}).items():
            kinds[f"{name}.{key}"] = values(nested, schema["$defs"])
        kinds[name] = values(one, schema["$defs"])
    for group in SINGLE_GROUPS:
        for name in variants(group):
            for key, kind in variant_types(group, name).items():
                if (option := f"{group}.{key}") in described - kinds.keys():
                    own = TypeAdapter(kind).json_schema()
                    kinds[option] = values(own, own.get("$defs", {}))
    return kinds


def variant_types(group: str, name: str) -> dict[str, Any]:
    """The types of the keys of a variant: of the choice among its pictures, or of its function."""
    known: dict[str, Any] = {}
    if group in CHOICES:
        fields = CHOICES[group].model_fields.items()
        known |= {key: field.rebuild_annotation() for key, field in fields}
    if group == "backbone":
        known |= dict.fromkeys(("layer_weights", "content_weights"), list[LossWeight] | None)
    if group == "optimizer":
        known["learning_rate"] = PositiveFloat
        known |= dict.fromkeys(DECAYS, Annotated[float, Field(ge=0, lt=1)])
    if group == "agg":
        known["weights"] = list[PositiveFloat] | None
    variant = variant_yaml(group, name)
    return known if group == "loss" else argument_types(function_of(group, variant)) | known


def values(schema: Schema, shared: Schema) -> str:
    """What a JSON schema allows, in words."""
    if "$ref" in schema:
        return values(shared[schema["$ref"].rpartition("/")[2]], shared)
    if "anyOf" in schema:
        return ", ".join(dict.fromkeys(values(one, shared) for one in schema["anyOf"]))
    if "enum" in schema:
        return ", ".join(f"`{one}`" for one in schema["enum"])
    if "const" in schema:
        return f"`{schema['const']}`"
    kind = schema.get("type")
    if kind == "array":
        items = values(schema.get("items", {}), shared)
        return f"list of: {items}" if items else "list"
    if kind == "object":
        inner = schema.get("additionalProperties")
        return f"{{name: {values(inner, shared) if isinstance(inner, dict) else 'any'}}}"
    words = {"null": "`null`", "string": "text", "boolean": "`true`, `false`", None: "any"}
    return words.get(kind) or f"{kind}{bounds(schema)}"


def bounds(schema: Schema) -> str:
    """The range of a number, but for limits that are those of its type."""
    low, high = schema.get("minimum"), schema.get("maximum")
    above, below = schema.get("exclusiveMinimum"), schema.get("exclusiveMaximum")
    least, most = above if low is None else low, below if high is None else high
    if most is not None and most < LARGEST_COUNT:
        return f" in {'(' if low is None else '['}{least:g}, {most:g}{')' if high is None else ']'}"
    return "" if least is None else f" {'>' if low is None else '≥'} {least:g}"


if __name__ == "__main__":
    for path in PAGES:
        path.write_text(with_tables(path.read_text(encoding="utf-8")), encoding="utf-8")
