"""Which paintings matter to a result: their losses, their shares of the gradient, the record."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from keras import ops

from benchmark.config.compose import composed
from benchmark.images import sheets
from benchmark.sweeps import execution
from benchmark.sweeps.application import Application
from benchmark.tracking.records import Artifact, RunRecord, painting_file
from benchmark.tracking.tracker import Tracker
from benchmark.transfer import (
    Aggregation,
    Stopping,
    extract_targets,
    painting_losses,
    power_mean,
    stylize,
)
from benchmark.transfer.losses import Tensor
from benchmark.transfer.painting_losses import gradient_shares
from tests.commands import TINY, store
from tests.workspace import WORKSPACE, prepared_run

# MLflow's log_table, with pandas 3.
pytestmark = pytest.mark.filterwarnings("ignore:For backward compatibility, 'str' dtypes")

MODEL = ["backbone=vgg_shallow", *TINY, "metrics=[]"]


def shares(
    aggregate: Callable[..., Tensor],
    losses: np.ndarray,
    weights: tuple[float, ...] | None = None,
    **arguments: Any,
) -> np.ndarray:
    scaled = Aggregation(aggregate, weights=weights).painting_weights(losses.shape[1])
    named = partial(aggregate, **arguments)
    return np.asarray(gradient_shares(named, losses, ops.convert_to_tensor(scaled)))


@pytest.mark.backends
@pytest.mark.parametrize("p", [-3.0, 0.0, 0.5, 1.0, 2.0, 7.0])
@pytest.mark.parametrize("weights", [None, (1.0, 3.0, 0.5, 2.0)])
def test_shares_of_a_power_mean_are_those_of_its_formula(
    random: np.random.Generator, p: float, weights: tuple[float, ...] | None
) -> None:
    """w_i (L_i/M)^(p-1), scaled to sum to 1, so without M: in float64 from logarithms."""
    losses = random.lognormal(10, 1.5, (3, 4)).astype("float32")
    found = shares(power_mean, losses, weights, p=p)
    pulls = np.array(weights or [1.0] * 4) * np.exp((p - 1) * np.log(losses.astype("float64")))
    np.testing.assert_allclose(found, pulls / pulls.sum(axis=1, keepdims=True), rtol=2e-4)


@pytest.mark.backends
def test_with_the_mean_all_pull_alike_and_with_the_minimum_the_nearest_alone(
    random: np.random.Generator,
) -> None:
    losses = random.lognormal(10, 1.5, (3, 30)).astype("float32")
    mean = shares(power_mean, losses, p=1.0)
    np.testing.assert_allclose(mean, 1 / 30, rtol=1e-5)
    nearest = shares(power_mean, losses, p=-np.inf)
    np.testing.assert_array_equal(nearest, np.eye(30)[losses.argmin(axis=1)])


def first_of(losses: Tensor, weights: Tensor, scale: float, number: int) -> Tensor:
    """Somebody's own aggregation, with arguments of two kinds."""
    return scale * ops.mean(ops.square(losses[:, :number]), axis=1)


@pytest.mark.backends
def test_shares_of_any_aggregation(random: np.random.Generator) -> None:
    """d/dL of c mean(L₁², L₂²) is c L: shares L₁/(L₁+L₂), L₂/(L₁+L₂), 0. Else unknown."""
    losses = random.uniform(1, 2, (2, 3)).astype("float32")
    found = shares(first_of, losses, scale=5.0, number=2)
    expected = losses * [1, 1, 0]
    np.testing.assert_allclose(found, expected / expected.sum(axis=1, keepdims=True), rtol=1e-5)
    assert np.isnan(shares(first_of, losses, scale=0.0, number=2)).all()
    losses[0, 1] = np.nan
    found = shares(power_mean, losses, p=2.0)
    assert np.isnan(found[0]).all()
    assert found[1].sum() == pytest.approx(1)


@pytest.mark.backends
@pytest.mark.parametrize("loss", ["study", "normalised"])
def test_losses_are_those_of_the_steps(random: np.random.Generator, loss: str) -> None:
    """A step with one painting alone has its loss; one with all has their aggregated loss."""
    transfer = prepared_run(*MODEL, f"loss={loss}", "agg=squared").transfer
    images = random.integers(0, 256, (6, 48, 48, 3), dtype=np.uint8)
    paintings, contents = images[:4], images[4:]
    both = stylize(
        transfer,
        contents,
        extract_targets(transfer.backbone, paintings),
        Stopping(2, patience=None),
    )
    compared = painting_losses(transfer, both.images, extract_targets(transfer.backbone, paintings))
    means = np.sqrt(np.mean(np.square(compared.style_losses, dtype="float64"), axis=1))
    np.testing.assert_allclose(means, both.losses[1], rtol=1e-3)

    def alone(painting: np.ndarray) -> np.ndarray:
        targets = extract_targets(transfer.backbone, painting[None])
        one_step = Stopping(1, patience=None)
        result = stylize(transfer, contents, targets, one_step, start=both.images)
        return np.asarray(result.first_losses[1])

    expected = np.stack([alone(painting) for painting in paintings], axis=1)
    np.testing.assert_allclose(compared.style_losses, expected, rtol=1e-3)
    np.testing.assert_array_equal(compared.style_losses.argmin(1), expected.argmin(1))


def finished(folder: Path, *overrides: str) -> tuple[Tracker, RunRecord]:
    given = [*MODEL, store(folder), "tracking.sweep=run", *overrides]
    execution.run_alone(composed(given), given, Application(workspace=WORKSPACE))
    tracker = Tracker(f"sqlite:///{folder / 'mlflow.db'}", None, create=False)
    [record] = tracker.runs_of("run")
    return tracker, record


@pytest.mark.parametrize("keep", ["best", pytest.param("last", marks=pytest.mark.faults)])
def test_a_run_logs_every_result_against_every_painting(tmp_path: Path, keep: str) -> None:
    tracker, record = finished(tmp_path, "agg=logged", f"keep={keep}")
    rows = tracker.painting_losses(record.run_id)
    examples = tracker.read_table(record.run_id, Artifact.EXAMPLES)
    results = list(zip(examples["artist"], examples["content"], strict=True))
    assert list(dict.fromkeys((row.artist, row.content) for row in rows)) == results
    for example, style_loss in zip(results, examples["style_loss"], strict=True):
        own = [row for row in rows if (row.artist, row.content) == example]
        losses = np.array([row.style_loss for row in own])
        assert len({row.painting for row in own}) == 3
        # agg=logged is the geometric mean, whose derivative is M / (n L).
        assert np.exp(np.log(losses).mean()) == pytest.approx(style_loss, rel=1e-3)
        found = [row.gradient_share for row in own]
        np.testing.assert_allclose(found, 1 / losses / (1 / losses).sum(), rtol=1e-4)
        [nearest] = [row for row in own if row.nearest]
        assert nearest.style_loss == losses.min()
        assert tracker.read_picture(
            record.run_id, painting_file(nearest.artist, nearest.painting)
        ).shape == (48, 48, 3)


def test_a_sheet_shows_the_nearest_painting_beside_a_result() -> None:
    """Half as large at the upper right, over its name; where there is none, paper."""
    result, painting = (np.full((64, 64, 3), value, "uint8") for value in (10, 200))
    shown = sheets.beside(result, painting, "a name that takes two lines")
    assert shown.shape == (64, 64 + sheets.GAP + 96, 3)
    np.testing.assert_array_equal(shown[:, :64], result)
    np.testing.assert_array_equal(shown[:32, 64 + sheets.GAP :][:, :32], 200)
    assert shown[36:, 64 + sheets.GAP :].min() < 100
    without = sheets.beside(result, None, "")
    assert without.shape == shown.shape
    assert (without[:, 64:] == 255).all()


def not_a_number(losses: Tensor, weights: Tensor, p: float) -> Tensor:
    """An aggregation with which a run diverges at once."""
    return p * ops.log(-ops.mean(losses, axis=-1))


def test_a_run_that_diverged_says_which_shares_are_unknown(tmp_path: Path) -> None:
    """At epoch 0: what is kept is the content images, whose losses are numbers."""
    target = "agg._target_=tests.test_painting_losses.not_a_number"
    tracker, record = finished(tmp_path, "agg=power", target)
    assert record.status == "diverged"
    rows = tracker.painting_losses(record.run_id)
    assert len(rows) == 3 * 4
    assert all(np.isfinite(row.style_loss) and np.isnan(row.gradient_share) for row in rows)
    assert sum(row.nearest for row in rows) == 4
