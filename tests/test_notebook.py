"""The method alone, as docs/notebook.md shows it."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmark.config.paths import ROOT
from benchmark.images.pixels import to_float
from benchmark.transfer import (
    Epoch,
    OptimizerChoice,
    Stopping,
    StyleTransfer,
    extract_targets,
    stylize,
)
from tests.commands import TINY
from tests.workspace import prepared_run

TWO_EPOCHS = Stopping(epochs=2, patience=None)

NOT_NEEDED = ("hydra", "omegaconf", "mlflow", "pandas", "matplotlib", "sklearn", "skimage")
"""Libraries of the benchmark that the method must do without; Keras imports some where it can."""


def test_the_lines_of_the_document_run(tmp_path: Path) -> None:
    """In a new interpreter that has none of the other libraries, and no network for weights."""
    [lines] = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "notebook.md").read_text(), re.S)
    assert len([line for line in lines.splitlines() if line]) <= 17
    random = np.random.default_rng(3)
    (tmp_path / "paintings").mkdir()
    for name in ("photo.jpg", "paintings/one.jpg", "paintings/two.jpg"):
        pixels = random.integers(0, 256, (30, 40, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / name)
    without = f"import sys; sys.modules.update(dict.fromkeys({NOT_NEEDED}))\n"
    nowhere = {"https_proxy": "http://127.0.0.1:9", "KERAS_HOME": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", without + lines],
        cwd=tmp_path,
        env={**os.environ, **nowhere, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "the average total loss" in done.stdout or "all 100 epochs" in done.stdout
    with Image.open(tmp_path / "result.png") as result:
        assert result.size == (128, 128)


@pytest.fixture(scope="module")
def transfer() -> StyleTransfer:
    return prepared_run("backbone=vgg_shallow", *TINY, "metrics=[]").transfer


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    return np.random.default_rng(3).integers(0, 256, (3, 48, 48, 3), dtype=np.uint8)


def test_uint8_and_float_images_are_the_same(transfer: StyleTransfer, images: np.ndarray) -> None:
    results = []
    for arrays in (images, images.astype("float64") / 255):
        targets = extract_targets(transfer.backbone, arrays[:2])
        results.append(stylize(transfer, arrays[1:], targets, TWO_EPOCHS))
    np.testing.assert_array_equal(results[0].history, results[1].history)
    assert results[0].images.shape == (2, 48, 48, 3)
    np.testing.assert_array_equal(results[0].first_losses[2], 0.0)


def test_it_starts_where_it_is_told_and_calls_back(
    transfer: StyleTransfer, images: np.ndarray
) -> None:
    targets = extract_targets(transfer.backbone, images[:2])
    epochs: list[Epoch] = []
    stylize(transfer, images[:1], targets, TWO_EPOCHS, start=images[2:], on_epoch=epochs.append)
    assert [epoch.number for epoch in epochs] == [0, 1, 2]
    np.testing.assert_array_equal(epochs[0].images(), to_float(images[2:]))
    with pytest.raises(ValueError, match="2 images to start from, for 1 contents"):
        stylize(transfer, images[:1], targets, start=images[:2])


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (np.zeros((48, 48, 3), "uint8"), r"must have shape \(n, 48, 48, 3\), not \(48, 48, 3\)"),
        (np.zeros((1, 64, 64, 3), "uint8"), r"not \(1, 64, 64, 3\)"),
        (np.zeros((0, 48, 48, 3), "uint8"), r"not \(0, 48, 48, 3\)"),
        (np.full((1, 48, 48, 3), 255.0), r"must be uint8, or floats in \[0, 1\]"),
        (np.full((1, 48, 48, 3), np.nan), r"must be uint8, or floats in \[0, 1\]"),
        (np.zeros((1, 48, 48, 3), "int64"), r"must be uint8, or floats in \[0, 1\]"),
    ],
)
def test_other_arrays_are_refused(transfer: StyleTransfer, wrong: np.ndarray, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        extract_targets(transfer.backbone, wrong)


def test_defaults_are_those_of_a_run() -> None:
    small = ["image_size=48", "backbone.weights=random", "dataset.paintings=3", "metrics=[]"]
    run = prepared_run(*small).transfer
    default = StyleTransfer(run.backbone)
    assert default.aggregation == run.aggregation
    assert default.loss == run.loss
    # Keras's own defaults are the options of `conf/optimizer/adam.yaml`.
    choices = run.optimizer, default.optimizer
    adam, own = (c.build().get_config() for c in choices if isinstance(c, OptimizerChoice))
    assert {k: v for k, v in adam.items() if k != "name"} == {
        k: v for k, v in own.items() if k != "name"
    }
    assert default.optimizer.learning_rate == run.optimizer.learning_rate


def test_the_cells_of_the_stylize_notebook_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """In order, on a small picture; the last line of a cell is shown."""
    document = json.loads((ROOT / "docs" / "stylize.ipynb").read_text(encoding="utf-8"))
    cells = ["".join(c["source"]) for c in document["cells"] if c["cell_type"] == "code"]
    assert len(cells) == 5
    small = "backbone=vgg_shallow backbone__weights=random epochs=1 scales=[1] dataset__paintings=1"
    environment = {"BENCHMARK_ROOT": str(ROOT), "SIZE": "48", "OPTIONS": f"{small} cache=null"}
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys, "path", [*sys.path])  # A cell adds to it.
    monkeypatch.chdir(tmp_path)
    exec("\n".join(cells), {"__name__": "__main__"})
    assert "GPU:" in capfd.readouterr().out
    with Image.open(tmp_path / "painted.png") as result:
        assert max(result.size) == 48
