"""Entropy and peak of activations, against hand-computed arrays and by depth."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from benchmark import peakiness as command
from benchmark.analysis import peakiness
from benchmark.config.compose import composed
from benchmark.runs.workspace import load_backbone
from tests.commands import TINY
from tests.workspace import WORKSPACE


@pytest.mark.parametrize(
    ("activations", "entropy", "peak"),
    [
        # All equally large, whatever the sign; all 0 counts as that.
        ([3.0, -3.0, 3.0, 3.0], 1.0, 1.0),
        ([0.0, 0.0, 0.0, 0.0], 1.0, 1.0),
        # One alone: p = (1, 0, 0, 0), and 5 / √(25 / 4).
        ([0.0, -5.0, 0.0, 0.0], 0.0, 2.0),
        # p = (½, ½, 0, 0): log 2 / log 4, and 1 / √(2 / 4).
        ([1.0, 1.0, 0.0, 0.0], 0.5, 2**0.5),
        # p = (½, ¼, ⅛, ⅛): 1.75 log 2 / log 4, and 4 / √(22 / 4).
        ([4.0, -2.0, 1.0, 1.0], 0.875, 4 / 5.5**0.5),
    ],
)
def test_known_activations(activations: list[float], entropy: float, peak: float) -> None:
    both = np.array([activations, [1.0, 1.0, 1.0, 1.0]], "float32").reshape(2, 2, 1, 2)
    np.testing.assert_allclose(peakiness.entropy(both), [entropy, 1.0], atol=1e-12)
    np.testing.assert_allclose(peakiness.peak(both), [peak, 1.0])


@pytest.mark.parametrize("changed", ["smoothing=none", "smoothing=softmax", "padding=8"])
def test_by_depth_is_measured_in_the_backbones_own_layers(changed: str) -> None:
    """Where the network gives a layer's activations itself, they are what was measured."""
    config = composed([*TINY, "backbone=resnet", f"backbone.{changed}"])
    pictures = np.random.default_rng(6).random((2, 48, 48, 3), dtype=np.float32)
    backbone = load_backbone(config, WORKSPACE.backbones)
    table = peakiness.by_depth(backbone, pictures)
    assert list(table.columns) == ["layer", "kind", "depth", "entropy", "peak"]
    assert set(table["kind"]) == {"Conv2D", "Activation", "Add"}
    assert table["depth"].is_monotonic_increasing
    assert table["depth"].iloc[-1] == 1
    assert table["entropy"].between(0, 1).all()
    assert (table["peak"] >= 1).all()
    rows = table.set_index("layer")
    names = [*backbone.style_layers, *backbone.content_layers]
    for name, activations in zip(names, backbone.network(pictures), strict=True):
        found = np.asarray(activations)
        expected = [peakiness.entropy(found).mean(), peakiness.peak(found).mean()]
        np.testing.assert_allclose(list(rows.loc[name, ["entropy", "peak"]]), expected, 1e-4)


def test_the_command_writes_a_table_a_figure_and_numbers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for module in (command, peakiness):
        monkeypatch.setattr(module, "ROOT", tmp_path, raising=False)
    assert command.main(["backbone=vgg_shallow,mobilenet", *TINY]) == 0
    told = capsys.readouterr().out
    assert "vgg_shallow · weights: random" in told
    assert "Conv2D + relu" in told
    written = pd.read_csv(tmp_path / "mlruns" / "peakiness" / "peakiness.csv")
    assert set(written["backbone"]) == {"vgg_shallow (random)", "mobilenet (random)"}
    with Image.open(tmp_path / "mlruns" / "peakiness" / "peakiness.png") as figure:
        assert figure.width > 1500
    with pytest.raises(SystemExit, match="2"):
        command.main(["backbone=resnt"])
    assert "Did you mean 'resnet'?" in capsys.readouterr().err
