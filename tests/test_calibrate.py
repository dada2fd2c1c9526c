"""The search for loss weights, on an invented backbone whose answer is known."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmark import calibrate as command
from benchmark.analysis import calibration as calibrate
from benchmark.analysis.calibration import SHARE, STEP, TOLERANCE, Trial
from benchmark.config.errors import ConfigError
from benchmark.runs.prepare import Prepared
from benchmark.transfer.losses import PaintingGrams
from tests.commands import TINY
from tests.workspace import prepared_run

OVERRIDES = ["backbone=mobilenet", *TINY, *command.TRIAL, "epochs=2", "content.train=2"]


@pytest.fixture(scope="module")
def prepared() -> Prepared:
    return prepared_run(*OVERRIDES)


@pytest.mark.parametrize("half", [1e-3, 40.0, 1e9])
def test_the_weight_found_is_the_least_that_drops_far_enough(
    half: float, prepared: Prepared, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A drop of 2·w / (w + half) reaches SHARE of its most, 2, at w = half·SHARE / (1 − SHARE)."""

    def invented(_: Prepared, weight: float) -> Trial:
        share = 1.0 if np.isinf(weight) else weight / (weight + half)
        return Trial(weight, float(np.exp(-2 * share)), 0.5, 1.0, np.zeros((1, 2, 2, 3)))

    monkeypatch.setattr(calibrate, "trial", invented)
    found = calibrate.chosen(list(calibrate.search(prepared)))
    expected = half * SHARE / (1 - SHARE)
    assert 0 <= np.log10(found.style_weight / expected) <= TOLERANCE


def test_a_style_loss_that_never_falls_is_told(
    prepared: Prepared, monkeypatch: pytest.MonkeyPatch
) -> None:
    rose = Trial(float("inf"), 1.2, 0.5, 1.0, np.zeros((1, 2, 2, 3)))
    monkeypatch.setattr(calibrate, "trial", lambda *_: rose)
    with pytest.raises(ConfigError, match="does not fall even without a content loss"):
        list(calibrate.search(prepared))


def test_the_command_really_calibrates(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(command, "FOLDER", tmp_path)
    assert {f"by {SHARE:.0%}", f"by {STEP:g}"} <= {*re.findall(r"by [\d.]+%?", command.USAGE)}
    assert command.main([*OVERRIDES, "-m"]) == 0
    told = capsys.readouterr().out
    assert "trial 1: inf" in told
    assert "mobilenet with weights random, loss=study:" in told
    assert (tmp_path / "mobilenet.png").is_file()
    with pytest.raises(SystemExit, match="2"):
        command.main([*OVERRIDES, "init=noise"])
    assert "calibration starts at the content pictures" in capsys.readouterr().err
    with pytest.raises(SystemExit, match="2"):
        command.main([*OVERRIDES, "preserve_color=linear"])
    assert "preserve_color=linear" in capsys.readouterr().err


def test_a_layers_share_is_its_part_of_the_style_loss(prepared: Prepared) -> None:
    """With C for the loss of a layer of C channels, whatever the pictures."""

    def channels(grams: np.ndarray, _: PaintingGrams) -> np.ndarray:
        return np.full((len(grams), 1), grams.shape[-1])

    transfer = prepared.transfer
    counting = replace(transfer, loss=transfer.loss._replace(style=channels))
    shares = calibrate.layer_shares(replace(prepared, transfer=counting))
    # Channels of MobileNet's layers, from its paper (arXiv 1704.04861, table 1).
    known = {"conv1": 32, "conv_pw_1": 64, "conv_pw_2": 128, "conv_pw_4": 256, "conv_pw_6": 512}
    expected = {layer: known[layer] / sum(known[name] for name in shares) for layer in shares}
    assert shares == pytest.approx(expected)


def test_shares_are_those_of_the_style_layers_alone() -> None:
    layers = "backbone.content_layer=[conv_pw_2,conv_pw_4]"
    shares = calibrate.layer_shares(prepared_run(*OVERRIDES, layers))
    assert sum(shares.values()) == pytest.approx(1)


def test_the_first_step_of_sgd_follows_the_weights(prepared: Prepared) -> None:
    """The gradient is linear in the weights, so half of both halves a step that clips nothing."""
    step = calibrate.first_step(prepared)
    transfer = prepared.transfer
    weights = transfer.loss.weights
    tiny = weights._replace(content=weights.content / 2, style=weights.style / 2)
    lighter = replace(transfer, loss=transfer.loss._replace(weights=tiny))
    halved = calibrate.first_step(replace(prepared, transfer=lighter))
    assert halved == pytest.approx(step / 2, rel=0.05)
