"""What tests share: where the real data lies, a recorded sweep, and tiny inputs."""

import gc
import os
import sys
from collections.abc import Iterator
from functools import cache, wraps
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pytest
from filelock import FileLock
from PIL import Image

from benchmark.runtime.interrupts import Interrupts
from datasets import painters
from tests import fast_hydra
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
    """Full garbage collections took a twentieth of the time: a tenth as many, without libraries."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*gc.get_threshold()[:2], 100)


@pytest.fixture(autouse=True, scope="session")
def compositions_are_fast() -> Iterator[None]:
    """The tests make a thousand configurations, at a fifth of a second each."""
    with fast_hydra.installed():
        yield


@pytest.fixture(autouse=True, scope="session")
def migrations_are_read_once() -> Iterator[None]:
    """MLflow reads all scripts of its databases' migrations for each store that it opens."""
    if "mlflow" not in sys.modules:  # No test that was collected opens a store.
        yield
        return
    from mlflow.store.db import utils

    newest = cache(utils._get_latest_schema_revision)
    with patch.object(utils, "_get_latest_schema_revision", newest):
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
