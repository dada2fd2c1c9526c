"""The variants that the YAMLs of `conf/` define; files such as `_base.yaml` are parts of others."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path

from omegaconf import OmegaConf

from benchmark.config.errors import ConfigError, nearest
from benchmark.config.paths import ROOT


@lru_cache(maxsize=1)
def owners() -> dict[str, list[str]]:
    """For every option in a variant's YAML, `group.key`, the variants that have it."""
    found: dict[str, list[str]] = {}
    for path in sorted((ROOT / "conf").glob("*/[!_]*.yaml")):
        try:
            keys = OmegaConf.to_container(OmegaConf.load(path)) or {}
        except Exception:  # A broken YAML is told where it is chosen.
            continue
        for key in keys:
            found.setdefault(f"{path.parent.name}.{key!s}", []).append(path.stem)
    return found


def variants(group: str) -> list[str]:
    """The names of the YAMLs of a group."""
    return sorted(path.stem for path in (ROOT / "conf" / group).glob("[!_]*.yaml"))


def groups(sources: Sequence[Mapping[str, str]]) -> str:
    """For help, every group in Hydra's sources of configuration with its variants, a line each."""
    folders = [Path(source["path"]) for source in sources if source["schema"] == "file"]
    by_group = defaultdict(list)
    for file in sorted(path for folder in folders for path in folder.glob("*/[!_]*.yaml")):
        by_group[file.parent.name].append(file.stem)
    return "\n".join(
        f"{name}: {', '.join(sorted(names))}" for name, names in sorted(by_group.items())
    )


# For conf/hydra/help, because Hydra's own $APP_CONFIG_GROUPS lists the parts too.
OmegaConf.register_new_resolver("groups", groups, replace=True)


def check_variant(option: str, name: str, group: str) -> None:
    """Check that a variant that an option names is there.

    Raises:
        ConfigError: it is not; names the nearest.
    """
    known = variants(group)
    if name not in known:
        raise ConfigError(
            f"{option}: there is no {group} '{name}'.{nearest(name, known)} "
            f"Known: {', '.join(known)}"
        )
