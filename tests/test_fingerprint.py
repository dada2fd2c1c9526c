"""What a run's fingerprint covers: all that shapes its images, and nothing else."""

import shutil
from functools import cache
from pathlib import Path

import pytest

from benchmark.config.compose import composed
from benchmark.config.paths import ROOT
from benchmark.config.schema import Config
from benchmark.runs.fingerprint import SOURCES, fingerprint_of


@pytest.fixture
def sources(tmp_path: Path) -> Path:
    """A copy of the program."""
    for package in ("backbones", "benchmark", "datasets"):
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / package, tmp_path / package, ignore=ignored)
    return tmp_path


@cache
def options(*overrides: str) -> Config:
    return composed(overrides)


def fingerprint(root: Path, *overrides: str) -> str:
    return fingerprint_of(options(*overrides), root)


@pytest.mark.parametrize(
    ("places", "shapes_images"),
    [
        *((place, True) for place in SOURCES),
        *((f"benchmark/{p}", False) for p in ("report", "analysis", "sweeps", "metrics", "bench")),
        *((f"benchmark/{p}", False) for p in ("tracking", "runtime", "evaluate.py")),
        *((f"benchmark/runs/{p}.py", False) for p in ("log", "scores", "progress", "checkpoint")),
    ],
)
def test_a_changed_source_counts_if_it_shapes_images(
    sources: Path, places: str, shapes_images: bool
) -> None:
    before = fingerprint(sources)
    place = sources / places
    assert place.exists(), f"{places} has another place now"
    files = {place} if place.is_file() else {*place.rglob("*.py")}
    for file in files if shapes_images else files - {sources / source for source in SOURCES}:
        file.write_text(file.read_text() + "\n# Another word.\n")
    assert (fingerprint(sources) != before) is shapes_images


def test_a_new_file_in_a_folder_within_counts(sources: Path) -> None:
    before = fingerprint(sources)
    nested = sources / "benchmark" / "transfer" / "nested"
    nested.mkdir()
    (nested / "module.py").write_text("")
    assert fingerprint(sources) != before


def test_a_changed_function_of_the_users_own_counts(
    sources: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    file = tmp_path / "own_aggregation.py"
    file.write_text("def aggregate(losses, weights, p=1.0): ...\n")
    own = "agg._target_=own_aggregation.aggregate"
    before, metric = fingerprint(sources, own), "metrics.ssim._target_=own_aggregation.aggregate"
    scored = fingerprint(sources, metric)
    file.write_text(file.read_text() + "# Another word.\n")
    assert fingerprint(sources, own) != before
    assert fingerprint(sources, metric) == scored


def test_options_count_if_they_shape_images(sources: Path) -> None:
    before = fingerprint(sources)
    for same in ("metrics=[ssim]", "checkpoint.every_seconds=5", "tracking.sweep=other"):
        assert fingerprint(sources, same) == before
    for other in ("seed=1", "agg=squared", "loss.style_weight=3", "optimizer.beta_1=0.5"):
        assert fingerprint(sources, other) != before
