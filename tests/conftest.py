"""What tests share: where the real data lies, a recorded sweep, and tiny inputs."""

import gc
import os
import pickle
from collections.abc import Iterator
from functools import cache, wraps
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
from filelock import FileLock
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.config_repository import ConfigRepository, IConfigRepository
from hydra._internal.hydra import Hydra
from hydra.core.default_element import ResultDefault
from hydra.core.object_type import ObjectType
from hydra.plugins.config_source import ConfigResult
from omegaconf import DictConfig
from PIL import Image

from benchmark.config.registry import CONF
from benchmark.runtime.interrupts import Interrupts
from datasets import painters
from tests.archive import make_archive, make_films

SHARED = Path(__file__).resolve().parents[2] / "shared"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what needs the real data where they are not, and say so."""
    if SHARED.is_dir():
        return
    for item in items:
        if "real_data" in item.keywords:
            item.add_marker(pytest.mark.skip(reason=f"no real data: {SHARED} is absent"))


def pytest_collection_finish() -> None:
    """The collector of garbage need not look at the libraries again and again."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True, scope="session")
def each_yaml_is_parsed_once() -> Iterator[None]:
    """Hydra parses some 35 for each of the tests' thousand configurations.

    `FileConfigSource` itself cannot be patched: Hydra makes that class anew when it looks for
    plugins.
    """
    parsed: dict[tuple[str, str, int], bytes] = {}
    load = ConfigRepository.load_config

    def load_config(repository: ConfigRepository, config_path: str) -> ConfigResult | None:
        source = repository._find_object_source(config_path, ObjectType.CONFIG)
        if source is None:
            return load(repository, config_path)
        file = Path(source.path, f"{config_path.removesuffix('.yaml')}.yaml")
        written = file.stat().st_mtime_ns if source.scheme() == "file" and file.is_file() else 0
        key = source.path, config_path, written
        if key not in parsed:
            parsed[key] = pickle.dumps(load(repository, config_path))
        result: ConfigResult = pickle.loads(parsed[key])
        return result

    with patch.object(ConfigRepository, "load_config", load_config):
        yield


@pytest.fixture(autouse=True, scope="session")
def the_same_files_are_merged_once() -> Iterator[None]:
    """Those of `conf/`, of which Hydra makes each configuration anew, before its overrides."""
    merged: dict[str, bytes] = {}
    merge = ConfigLoaderImpl._compose_config_from_defaults_list

    def compose(
        loader: ConfigLoaderImpl, defaults: list[ResultDefault], repo: IConfigRepository
    ) -> DictConfig:
        if {one.path for one in repo.get_sources() if one.scheme() == "file"} != {str(CONF)}:
            return merge(loader, defaults, repo)
        files = repr(defaults)
        if files not in merged:
            merged[files] = pickle.dumps(merge(loader, defaults, repo))
        result: DictConfig = pickle.loads(merged[files])
        return result

    with patch.object(ConfigLoaderImpl, "_compose_config_from_defaults_list", compose):
        yield


@pytest.fixture(autouse=True, scope="session")
def modes_are_not_composed() -> Iterator[None]:
    """Before a command Hydra composes everything once more to see whether it says `hydra.mode`.

    Here only experiments do.
    """
    get_mode = Hydra.get_mode

    def mode(hydra: Hydra, config_name: str | None, overrides: list[str]) -> Any:
        may_say = any(one.lstrip("+").startswith(("experiment", "hydra")) for one in overrides)
        return get_mode(hydra, config_name, overrides) if may_say else None

    with patch.object(Hydra, "get_mode", mode):
        yield


@pytest.fixture(autouse=True, scope="session")
def each_sample_is_painted_once() -> Iterator[None]:
    """In every run without a cache they would be painted anew."""
    painted = cache(painters.paint)

    @wraps(painters.paint)
    def paint(painter: str, number: int) -> Image.Image:
        return painted(painter, number).copy()

    with patch.object(painters, "paint", paint):
        yield


@pytest.fixture(autouse=True, scope="session")
def no_signal_is_watched() -> Iterator[None]:
    """A command in this process leaves it as it was: what watches signals would end the tests."""
    with patch.object(Interrupts, "install"):
        yield


@pytest.fixture(scope="session")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a store with a sweep that was really run, and of its output; only to be read.

    Under pytest-xdist the first worker that needs it makes it for all.
    """
    # Imported late: the process that only gives tests to workers needs no TensorFlow.
    from tests.commands import TINY, command, store

    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "recorded"
    with FileLock(f"{folder}.lock"):
        if not (folder / "output.txt").exists():
            folder.mkdir(exist_ok=True)
            done = command(
                *("benchmark", "-m", "backbone=vgg_shallow,mobilenet", "agg=simple,squared"),
                *("snapshots=[0,2]", "early_stopping.patience=null", *TINY),
                store(folder, new=True),
            )
            assert done.returncode == 0, done.stdout + done.stderr
            (folder / "output.txt").write_text(done.stdout)
    return folder


@pytest.fixture
def random() -> np.random.Generator:
    return np.random.default_rng(7)


@pytest.fixture
def picture_folder(tmp_path: Path, random: np.random.Generator) -> Path:
    """Two artists, 12 and 3 small pictures, numbered so that natural and text order differ."""
    root = tmp_path / "paintings"
    for artist, count in (("Ada", 12), ("Bruno", 3)):
        (root / artist).mkdir(parents=True)
        for number in range(1, count + 1):
            pixels = random.integers(0, 256, (20 + number, 30, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(root / artist / f"{artist}_{number}.png")
    return root


@pytest.fixture
def archive(tmp_path: Path, random: np.random.Generator) -> Path:
    """A copy of Kaggle's archive in small, with its quirks: see tests/archive.py."""
    return make_archive(tmp_path / "archive", random)


@pytest.fixture
def films(tmp_path: Path, random: np.random.Generator, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of Kaggle's archive of films in small, whose posters TMDB need not be asked for."""
    monkeypatch.delenv("TMDB_API_KEY", raising=False)
    monkeypatch.setenv("TMDB_CACHE", str(tmp_path / "films" / "tmdb"))
    return make_films(tmp_path / "films", random)


@pytest.fixture
def photographs(tmp_path: Path, random: np.random.Generator) -> Path:
    """Seven photographs in the layout of Kaggle's small ImageNet."""
    root = tmp_path / "imagenet"
    for number in range(7):
        folder = root / "imagenet-mini" / "val" / f"n0{number % 3}"
        folder.mkdir(parents=True, exist_ok=True)
        pixels = random.integers(0, 256, (20, 30 + number, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"ILSVRC2012_val_{number:08}.JPEG")
    return root
