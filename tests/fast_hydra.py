"""Hydra's composition for tests that make a thousand configurations of the same files.

What depends on the files of `conf/` and on the variants chosen alone is made once a process; each
configuration's own overrides are applied to a copy of it. Other files, such as a variant that a
test writes, are read again when they change. It takes private functions of Hydra 1.3 for granted.
"""

import pickle
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.config_repository import ConfigRepository, IConfigRepository
from hydra._internal.defaults_list import DefaultsList, create_defaults_list
from hydra._internal.hydra import Hydra
from hydra.core.default_element import ResultDefault
from hydra.core.object_type import ObjectType
from hydra.core.override_parser.types import Override
from hydra.plugins.config_source import ConfigResult
from omegaconf import DictConfig

from benchmark.config.registry import CONF

MERGE = ConfigLoaderImpl._compose_config_from_defaults_list
LOAD = ConfigRepository.load_config
MODE = Hydra.get_mode


@contextmanager
def composing(choose: Any, merge: Any, load: Any, mode: Any) -> Iterator[None]:
    """Hydra with these four of its functions, within the block."""
    with (
        patch("hydra._internal.config_loader_impl.create_defaults_list", choose),
        patch.object(ConfigLoaderImpl, "_compose_config_from_defaults_list", merge),
        patch.object(ConfigRepository, "load_config", load),
        patch.object(Hydra, "get_mode", mode),
    ):
        yield


def removed() -> AbstractContextManager[None]:
    """Compose as Hydra does, within the block."""
    return composing(create_defaults_list, MERGE, LOAD, MODE)


def only_conf(repo: IConfigRepository) -> bool:
    """Whether a configuration is made of the files of `conf/` alone."""
    return {one.path for one in repo.get_sources() if one.scheme() == "file"} == {str(CONF)}


def installed() -> AbstractContextManager[None]:
    """Compose like that, within the block."""
    chosen: dict[tuple[Any, ...], DefaultsList] = {}

    def choose(
        repo: IConfigRepository, config_name: str | None, overrides_list: list[Override], **how: Any
    ) -> DefaultsList:
        fixed = [override for override in overrides_list if not override.is_sweep_override()]
        values = [override for override in fixed if not repo.group_exists(override.key_or_group)]
        groups = [override for override in fixed if override not in values]
        if not only_conf(repo) or any(isinstance(override.value(), dict) for override in groups):
            return create_defaults_list(repo, config_name, overrides_list, **how)
        key = (config_name, *(override.input_line for override in groups), *how.items())
        if key not in chosen:
            chosen[key] = create_defaults_list(repo, config_name, groups, **how)
        return replace(chosen[key], config_overrides=values)

    merged: dict[str, bytes] = {}

    def compose(
        loader: ConfigLoaderImpl, defaults: list[ResultDefault], repo: IConfigRepository
    ) -> DictConfig:
        if not only_conf(repo):
            return MERGE(loader, defaults, repo)
        files = repr(defaults)
        if files not in merged:
            merged[files] = pickle.dumps(MERGE(loader, defaults, repo))
        result: DictConfig = pickle.loads(merged[files])
        return result

    read: dict[tuple[str, str, int], bytes] = {}

    def load_config(repository: ConfigRepository, config_path: str) -> ConfigResult | None:
        """As `FileConfigSource`, which Hydra makes anew when it looks for plugins."""
        source = repository._find_object_source(config_path, ObjectType.CONFIG)
        if source is None:
            return LOAD(repository, config_path)
        file = Path(source.path, f"{config_path.removesuffix('.yaml')}.yaml")
        written = file.stat().st_mtime_ns if source.scheme() == "file" and file.is_file() else 0
        key = source.path, config_path, written
        if key not in read:
            read[key] = pickle.dumps(LOAD(repository, config_path))
        result: ConfigResult = pickle.loads(read[key])
        return result

    def mode(hydra: Hydra, config_name: str | None, overrides: list[str]) -> Any:
        """Hydra composes everything for it once more; in `conf/` only experiments say it."""
        may_say = any(one.lstrip("+").startswith(("experiment", "hydra")) for one in overrides)
        return MODE(hydra, config_name, overrides) if may_say else None

    return composing(choose, compose, load_config, mode)
