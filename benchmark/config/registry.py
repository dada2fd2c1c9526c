"""The variants and options that the YAMLs of `conf/` define."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from benchmark.config.errors import ConfigError
from benchmark.config.paths import ROOT
from benchmark.config.schema import leaves
from benchmark.user_input import did_you_mean

CONF = ROOT / "conf"

KINDS = {"metrics": "metric", "agg": "aggregation", "content": "content dataset"}
"""What a variant of a group is called, where not as the group."""


def variants(group: str) -> list[str]:
    """The names of the YAMLs of a group, without those that others only build on, `_*.yaml`."""
    return sorted(path.stem for path in (CONF / group).glob("[!_]*.yaml"))


def groups(sources: Sequence[Mapping[str, str]]) -> str:
    """For help, every group in Hydra's sources of configuration with its variants, a line each."""
    folders = [Path(source["path"]) for source in sources if source["schema"] == "file"]
    by_group = defaultdict(list)
    for file in sorted(path for folder in folders for path in folder.glob("*/[!_]*.yaml")):
        by_group[file.parent.name].append(file.stem)
    lines = (f"{name}: {', '.join(sorted(names))}" for name, names in sorted(by_group.items()))
    return "\n".join(lines)


# For conf/hydra/help, because Hydra's own $APP_CONFIG_GROUPS lists the parts too.
OmegaConf.register_new_resolver("groups", groups, replace=True)


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
        container = OmegaConf.to_container(OmegaConf.load(path))
    except Exception:  # OmegaConf and PyYAML raise errors of many kinds.
        return {}
    return dict(container) if isinstance(container, dict) else {}  # type: ignore[arg-type]
