"""The bench: its baseline computes the same losses, its table and files are whole.

Nothing about time is asserted: that is the bench's own business, on a quiet machine.
"""

import json
import math
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest
from PIL import Image

from benchmark.bench.figures import Figure, alternately, markdown
from benchmark.bench.growth import slope
from benchmark.transfer.aggregation import power_mean
from benchmark.transfer.step import Aggregation
from tests.commands import command

if keras.backend.backend() == "tensorflow":
    from benchmark.bench.baseline import Transfer
    from benchmark.bench.workload import QUICK, baseline_network, configured, workload


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="it is TensorFlow's tutorial")
@pytest.mark.parametrize(("agg", "p"), [("simple", 1.0), ("squared", 2.0), ("logged", 0.0)])
def test_the_baseline_has_the_same_losses(agg: str, p: float) -> None:
    """Code that shares nothing with ours, so it checks our losses and gradients too."""
    adam = ["optimizer.learning_rate=0.02", "optimizer.beta_1=0.99", "optimizer.epsilon=0.1"]
    config = configured(QUICK, *adam)
    ours = workload(config)
    transfer = Transfer(
        baseline_network(config, ours.backbone),
        ours.contents[0],
        ours.paintings,
        content_weight=ours.loss.weights.content,
        style_weight=ours.loss.weights.style,
        agg=agg,
    )
    mean = Aggregation(power_mean, {"p": p})
    optimization = replace(ours, aggregation=mean).optimization(1)
    theirs = [transfer.step() for _ in range(5)]
    found = [optimization.run()[0, 0] for _ in range(5)]
    np.testing.assert_allclose(found, theirs, rtol=1e-3)
    assert theirs[4] < theirs[0]
    # Pixels whose gradient is next to nothing may go either way, for Adam sees little but signs.
    apart = np.abs(np.asarray(optimization.pictures)[0] - transfer.picture).mean()
    assert apart < 0.1 * np.abs(transfer.picture - ours.contents[0]).mean()


def test_the_bench_writes_its_table_and_files(tmp_path: Path) -> None:
    wanted = ["step", "matrix", "paintings", "memory", "growth"]
    done = command("benchmark.bench", "--quick", "--only", *wanted, "--output", str(tmp_path))
    assert done.returncode in (0, 1), done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    report = json.loads((tmp_path / "bench.json").read_text())
    assert [one["name"] for one in report["figures"]] == ["step", "matrix", "paintings", "memory"]
    for one in report["figures"]:
        assert math.isfinite(one["value"])
        assert one["value"] > 0
        assert one["title"][:40] in done.stdout
        assert one["reached"] in (True, False)
    assert done.returncode == (0 if all(one["reached"] for one in report["figures"]) else 1)
    assert report["processor"]
    assert set(report["growth"]) >= {"paintings", "examples", "steps", "pixels a side"}
    assert len((tmp_path / "bench.md").read_text().splitlines()) == 2 + 4
    with Image.open(tmp_path / "growth.png") as plot:
        assert plot.size[0] > 300


def test_a_sweep_and_its_baseline_run_to_their_end(tmp_path: Path) -> None:
    done = command(
        "benchmark.bench", "--quick", "--only", "sweep", "cache", "--output", str(tmp_path)
    )
    assert done.returncode in (0, 1), done.stdout + done.stderr
    figures = {
        one["name"]: one for one in json.loads((tmp_path / "bench.json").read_text())["figures"]
    }
    assert set(figures) == {"sweep", "cache"}
    assert min(figures["sweep"]["measured"]["baseline"]) > 1
    assert min(figures["cache"]["measured"]["second"]) > 0


def test_the_script_for_gpus_runs_on_any_machine(tmp_path: Path) -> None:
    done = command("benchmark.bench", "--gpu", "--quick", "--output", str(tmp_path), backend="jax")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "no accelerator is seen" in done.stdout
    report = json.loads((tmp_path / "gpu.json").read_text())
    assert report["backend"] == "jax"
    figures = report["bfloat16"]
    assert len(figures["study"]) == 3 * 2
    assert {run["epochs"] for run in figures["study"].values()} == {2}
    assert figures["examples_in_a_step"] == 4  # both artists in one batch
    assert figures["matrix_rate"] > 1e8
    assert figures["large_seconds"] > 0
    assert figures["logging_seconds"] > 0


def test_wrong_arguments_are_told(tmp_path: Path) -> None:
    wrong = command("benchmark.bench", "--only", "stepp")
    assert wrong.returncode == 2
    assert "invalid choice: 'stepp'" in wrong.stderr


def test_sides_are_measured_in_turn_and_the_warm_up_does_not_count() -> None:
    calls: list[str] = []
    times = iter([100.0, 100.0, 1.0, 2.0, 3.0, 4.0])

    def side(name: str) -> float:
        calls.append(name)
        return next(times)

    found = alternately({"a": lambda: side("a"), "b": lambda: side("b")}, repeats=2)
    assert calls == ["b", "a", "a", "b", "b", "a"]
    assert found == {"a": [1.0, 4.0], "b": [2.0, 3.0]}


@pytest.mark.parametrize(
    ("value", "least", "most", "reached"),
    [
        (1.0, None, 1.0, True),
        (1.01, None, 1.0, False),
        (0.9, 0.8, 1.2, True),
        (0.7, 0.8, None, False),
        (math.nan, None, 1.0, False),
    ],
)
def test_a_figure_is_within_its_bounds(
    value: float, least: float | None, most: float | None, reached: bool
) -> None:
    figure = Figure("f", "title", value, least, most)
    assert figure.reached is reached
    assert ("**" in markdown([figure])) is not reached


def test_the_slope_of_a_power_law() -> None:
    assert slope({x: 3.0 * x**1.5 for x in (1, 2, 8, 32)}) == pytest.approx(1.5)
