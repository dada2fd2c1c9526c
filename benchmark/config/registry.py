"""The variants and options that the YAMLs of `conf/` define."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from benchmark.config.errors import ConfigError
from benchmark.config.paths import ROOT
from benchmark.user_input import closest, did_you_mean

CONF = ROOT / "conf"

SINGLE_GROUPS = ("backbone", "agg", "loss", "optimizer", "dataset", "content")
"""Groups of which a run has one variant."""

# PyYAML's loader in C, ten times as fast, is there where it was built with it.
Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

BY_NAMES = ("dataset.blend",)
"""Options whose value is a dictionary, of which not all keys could be an option's name."""

KINDS = {"metrics": "metric", "agg": "aggregation", "content": "content dataset"}
"""What a variant of a group is called, where not as the group."""


def variants(group: str) -> list[str]:
    """The names of the YAMLs of a group, without those that others only build on, `_*.yaml`."""
    return sorted(path.stem for path in (CONF / group).glob("[!_]*.yaml"))


def groups(*folders: str) -> str:
    """For help, every group in folders of configuration with its variants, a line each."""
    by_group = defaultdict(list)
    for file in sorted(path for folder in folders for path in Path(folder).glob("*/[!_]*.yaml")):
        by_group[file.parent.name].append(file.stem)
    lines = (f"{name}: {', '.join(sorted(names))}" for name, names in sorted(by_group.items()))
    return "\n".join(lines)


def check_variant(option: str, name: str, group: str) -> None:
    """Raise ConfigError, with the nearest name, unless a variant that an option names is there."""
    if name not in variants(group):
        raise unknown_variant(option, name, group)


def unknown_variant(
    option: str, name: str, group: str, known: Sequence[str] | None = None
) -> ConfigError:
    """The error for a variant that is not there, with the nearest name."""
    known = variants(group) if known is None else known
    reason = f"there is no such {KINDS.get(group, group)}.{did_you_mean(name, known)}"
    return ConfigError(f"{reason} Known: {', '.join(known)}", option, name)


def unknown_option(option: str) -> ConfigError:
    """The error for an option that is not there, with the nearest, or with who has it."""
    group, of = option.partition(".")[0], owners()
    if option in of:
        choices = " or ".join(f"{group}={name}" for name in of[option])
        reason = f"not in the YAML of this {group}: choose {choices}, or write +{option}=… if "
        return ConfigError(reason + "its function has this argument", option)
    known = [name for name in known_options() if not name.endswith((".name", "._target_"))]
    ending = [name for name in known if name.rpartition(".")[2] == option]
    # As it is written, or as its group is called: aggregation is agg.
    spoken = {KINDS.get(group, group): group for group in (*SINGLE_GROUPS, "metrics")}
    spoken |= {group: group for group in SINGLE_GROUPS}
    # By its initials, too: optimizer.lr is optimizer.learning_rate.
    ending += [name for name in known if initials(name) == option]
    nearest = min(ending, key=len) if ending else closest(option, [*spoken, *known])
    hint = f" Did you mean '{spoken.get(nearest, nearest)}'?" if nearest else ""
    return ConfigError(f"no such option.{hint} `python -m benchmark --help` lists them.", option)


def initials(option: str) -> str:
    """A dotted name with its last part as the first letters of its words."""
    group, dot, last = option.rpartition(".")
    return group + dot + "".join(word[:1] for word in last.split("_"))


def owners() -> dict[str, list[str]]:
    """For every option in a variant's YAML, `group.key…`, the variants that have it."""
    names: dict[str, list[str]] = {}
    for group in sorted(path.name for path in CONF.iterdir() if path.is_dir()):
        for name in variants(group):
            for key in leaves(variant_yaml(group, name)):
                names.setdefault(f"{group}.{key}", []).append(name)
    return names


def known_options() -> list[str]:
    """The dotted names of all options."""
    main = leaves(yaml_of(CONF / "config.yaml"))
    return [key for key in main if not key.startswith(("defaults", "hydra."))] + list(owners())


def variant_yaml(group: str, name: str) -> dict[str, Any]:
    """A variant's YAML over those that its defaults list names, as far as they can be read."""
    variant = yaml_of(CONF / group / f"{name}.yaml")
    for base in variant.pop("defaults", None) or []:
        if isinstance(base, str) and base not in ("_self_", name):
            variant = {**variant_yaml(group, base), **variant}
    return variant


def yaml_of(path: Path) -> dict[str, Any]:
    """What a YAML holds; nothing where it is broken, which is reported where it is chosen."""
    try:
        container = Loader(path.read_text(encoding="utf-8")).get_single_data()
    except (OSError, UnicodeDecodeError, yaml.YAMLError):
        return {}
    return container if isinstance(container, dict) else {}


def leaves(node: Mapping[Any, Any], prefix: str = "") -> dict[str, Any]:
    """The values in nested dictionaries by their dotted names."""
    values: dict[str, Any] = {}
    for key, value in node.items():
        name = f"{prefix}{key}"
        nested = isinstance(value, dict) and name not in BY_NAMES
        values |= leaves(value, f"{name}.") if nested else {name: value}
    return values
