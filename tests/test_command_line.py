"""The real command line, end to end, with MLflow's real SQLite store."""

import json
import re
import signal
import time
from pathlib import Path
from typing import NamedTuple
from urllib.parse import parse_qs, urlparse

import numpy as np
import pandas as pd
import pytest
from mlflow import MlflowClient
from mlflow.entities import Run
from PIL import Image

from benchmark import export, layers
from tests.commands import TINY, command, inside, runs_in, started, store, until

EXAMPLES = [
    f"{artist}/{content}"
    for artist in ("amber_nocturne", "cathedral_glass")
    for content in ("chelsea", "coffee")
]


class Sweep(NamedTuple):
    """A small sweep that was really run."""

    folder: Path
    output: str
    client: MlflowClient
    parent: Run
    runs: list[Run]


@pytest.fixture(scope="module")
def sweep(recorded: Path) -> Sweep:
    client, [parent, *runs] = runs_in(recorded)
    return Sweep(recorded, (recorded / "output.txt").read_text(), client, parent, runs)


def artifacts(client: MlflowClient, run: Run, path: str | None = None) -> set[str]:
    found: set[str] = set()
    for item in client.list_artifacts(run.info.run_id, path):
        found |= artifacts(client, run, item.path) if item.is_dir else {item.path}
    return found


def test_a_sweep_is_a_parent_with_a_child_per_job(sweep: Sweep) -> None:
    assert sweep.parent.data.tags["kind"] == "sweep"
    assert sweep.parent.info.status == "FINISHED"
    cells = [(run.data.tags["backbone"], run.data.tags["agg"]) for run in sweep.runs]
    assert cells == [(b, a) for b in ("vgg_shallow", "mobilenet") for a in ("simple", "squared")]
    for run in sweep.runs:
        assert run.info.status == "FINISHED"
        assert run.data.tags["mlflow.parentRunId"] == sweep.parent.info.run_id
        assert run.data.tags["status"] == "finished"
        assert run.data.tags["stopped_by"] == "epochs"
        assert run.data.tags["weights"] == "random"
        assert run.data.tags["hardware.processor"]
        assert run.data.tags["version.keras"]


def test_params_are_the_resolved_configuration(sweep: Sweep) -> None:
    params = sweep.runs[1].data.params
    assert params["agg.p"] == "2.0"
    assert params["epochs"] == "3"
    assert params["loss.style_weight"] == "0.087"
    assert params["optimizer._target_"] == "keras.optimizers.Adam"


def test_metrics_have_a_point_per_epoch(sweep: Sweep) -> None:
    for run in sweep.runs:
        for name in ("total_loss", "style_loss", "content_loss"):
            points = sweep.client.get_metric_history(run.info.run_id, name)
            assert [point.step for point in points] == [0, 1, 2, 3]
            assert all(np.isfinite(point.value) for point in points)
        content = sweep.client.get_metric_history(run.info.run_id, "content_loss")
        assert content[0].value == 0.0
        steps = sweep.client.get_metric_history(run.info.run_id, "seconds_per_step")
        assert [point.step for point in steps] == [1, 2, 3]
        assert run.data.metrics["loss_ratio"] < 1


def test_inputs_have_digests(sweep: Sweep) -> None:
    inputs = [
        {(i.dataset.name, i.dataset.digest) for i in run.inputs.dataset_inputs}
        for run in sweep.runs
        if run.inputs
    ]
    assert {name for name, _ in inputs[0]} == {"amber_nocturne", "cathedral_glass", "content"}
    assert all(same == inputs[0] for same in inputs)


def test_without_evaluators_the_rest_is_measured_and_that_is_said(
    sweep: Sweep, tmp_path: Path
) -> None:
    for run in sweep.runs:
        file = sweep.client.download_artifacts(run.info.run_id, "scores.csv", str(tmp_path))
        measured = set(pd.read_csv(file)["metric"])
        assert measured == {"ssim", "ms_ssim", "change", "colour_distance", "grain"}
        reasons = json.loads(run.data.tags["skipped_metrics"])
        assert set(reasons) == {
            *("style_distance", "held_out_distance", "nearest_distance", "others_distance"),
            *("content_distance", "kid", "recognition", "classifier_accuracy"),
        }
        assert "evaluation.evaluators=[]" in reasons["kid"]


def test_pictures_are_kept(sweep: Sweep) -> None:
    for run in sweep.runs:
        found = artifacts(sweep.client, run)
        assert {f"results/{example}.png" for example in EXAMPLES} <= found
        assert {"contact_sheet.png", "loss_curves.png", "examples.json", "data.json"} <= found
        series = {
            (match[1], int(match[2]))
            for match in (re.match(r"images/(.+?)\+step\+(\d+)\+.*\.png", f) for f in found)
            if match
        }
        expected = {(e.replace("/", "~"), step) for e in EXAMPLES for step in (0, 2, 3)}
        assert series == expected
    assert {"sheet.png", "results.json"} <= artifacts(sweep.client, sweep.parent)


def test_pictures_are_pictures(sweep: Sweep, tmp_path: Path) -> None:
    finals = []
    for run in sweep.runs:
        file = f"results/{EXAMPLES[0]}.png"
        path = sweep.client.download_artifacts(run.info.run_id, file, str(tmp_path))
        finals.append(np.asarray(Image.open(path)))
        assert finals[-1].shape == (48, 48, 3)
        assert finals[-1].std() > 10
    assert not np.array_equal(finals[0], finals[2])


def test_the_end_tells_what_to_look_at(sweep: Sweep) -> None:
    lines = sweep.output.splitlines()
    assert sum("mobilenet" in line and "squared" in line and "│" in line for line in lines) == 1
    sheets = [
        Path(line.partition("/")[1] + line.partition("/")[2]) for line in lines if ".png" in line
    ]
    assert len(sheets) == 5
    assert all(path.is_file() for path in sheets)
    assert re.match(
        r"MLflow UI: (make ui URI=|python -m benchmark.ui --tracking-uri )sqlite:///", lines[-2]
    )
    page = urlparse(urlparse(lines[-1].split()[-1]).fragment)
    query = parse_qs(page.query)
    shown = sweep.client.search_runs([page.path.split("/")[2]], query["searchFilter"][0])
    assert {run.info.run_id for run in shown} == {run.info.run_id for run in sweep.runs}
    assert query["workflowType"] == ["machine_learning"]
    assert "\r" not in sweep.output


def test_export_reads_the_store_alone(
    sweep: Sweep, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    uri = f"sqlite:///{sweep.folder / 'mlflow.db'}"
    assert export.main(["--tracking-uri", uri, "--output", str(tmp_path)]) == 0
    results = pd.read_csv(tmp_path / "results.csv")
    wanted = (
        "backbone agg optimizer weights artists examples epochs stopped_by total_loss style_loss "
        "content_loss loss_ratio seconds run_id"
    )
    assert set(wanted.split()) <= set(results.columns)
    assert list(results["run_id"]) == [run.info.run_id for run in sweep.runs]
    for row, run in zip(results.itertuples(), sweep.runs, strict=True):
        history = sweep.client.get_metric_history(run.info.run_id, "total_loss")
        assert row.total_loss == pytest.approx(history[-1].value, rel=1e-6)
        assert row.loss_ratio == pytest.approx(history[-1].value / history[0].value, rel=1e-6)
        assert (row.examples, row.epochs) == (4, 3)
    examples = pd.read_csv(tmp_path / "examples.csv")
    assert len(examples) == 16
    means = examples.groupby("run_id")["total_loss"].mean()
    np.testing.assert_allclose(means[results["run_id"]], results["total_loss"], rtol=1e-6)
    assert len(json.loads((tmp_path / "results.json").read_text())) == 4
    assert (tmp_path / "results.md").read_text().count("\n| ") == 4 + 1  # the untouched photographs
    assert r"\toprule" in (tmp_path / "results.tex").read_text()
    capsys.readouterr()
    with pytest.raises(SystemExit, match="2"):
        export.main(["--tracking-uri", uri, "--sweep", "2026"])
    assert capsys.readouterr().err.startswith("error: no runs of sweep '2026'.")


def losses_of(client: MlflowClient, run: Run) -> np.ndarray:
    """The history of a run's mean losses, (epochs + 1, 3)."""
    names = ("total_loss", "style_loss", "content_loss")
    histories = [client.get_metric_history(run.info.run_id, name) for name in names]
    return np.array([[point.value for point in history] for history in histories]).T


NEVER_STOP = [*TINY, "early_stopping.patience=null", "metrics=[]"]


def test_a_run_does_not_depend_on_what_ran_before(sweep: Sweep, tmp_path: Path) -> None:
    done = inside("benchmark", "backbone=mobilenet", "agg=squared", *NEVER_STOP, store(tmp_path))
    assert done.returncode == 0, done.stdout + done.stderr
    client, [alone] = runs_in(tmp_path)
    in_sweep = losses_of(sweep.client, sweep.runs[3])
    np.testing.assert_array_equal(in_sweep, losses_of(client, alone))


def test_jax_gives_the_same_losses(sweep: Sweep, tmp_path: Path) -> None:
    """L-BFGS takes the same gradients; that its iterates are SciPy's is tested in `test_lbfgs`."""
    overrides = ["backbone=vgg_shallow", "agg=squared", *NEVER_STOP, store(tmp_path)]
    done = command("benchmark", *overrides, backend="jax")
    assert done.returncode == 0, done.stdout + done.stderr
    client, [found] = runs_in(tmp_path)
    # At the start the content loss is 0 but for rounding: JAX sums otherwise in batches of another
    # size, as the contents alone are one; a step later it is about 100.
    wanted = losses_of(sweep.client, sweep.runs[1])
    np.testing.assert_allclose(losses_of(client, found), wanted, rtol=1e-3, atol=1e-6)


def test_a_diverged_run_is_recorded_and_the_sweep_goes_on(tmp_path: Path) -> None:
    done = inside(
        "benchmark",
        "-m",
        "backbone=vgg_shallow",
        "optimizer=sgd",
        "optimizer.learning_rate=1e3,1e-8",
        "divergence_factor=1.01",
        *NEVER_STOP,
        store(tmp_path),
    )
    assert done.returncode == 1, done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    _, [parent, wild, tame] = runs_in(tmp_path)
    assert (parent.info.status, wild.info.status, tame.info.status) == (
        "FAILED",
        "FAILED",
        "FINISHED",
    )
    assert wild.data.tags["status"] == wild.data.tags["stopped_by"] == "diverged"
    assert re.search(r"by epoch \d.*lower optimizer.learning_rate", wild.data.tags["reason"])
    assert np.isfinite(list(wild.data.metrics.values())).all()
    assert re.search(r"sgd · optimizer.learning_rate=1000.0: diverged", done.stdout)


def test_a_failing_run_is_recorded_and_the_sweep_goes_on(tmp_path: Path) -> None:
    targets = "tests.commands.broken_aggregation,tests.commands.mean_aggregation"
    done = inside(
        "benchmark",
        "-m",
        "backbone=vgg_shallow",
        f"agg._target_={targets}",
        "~agg.p",
        *NEVER_STOP,
        store(tmp_path),
    )
    assert done.returncode == 1, done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    assert "this aggregation is broken" in done.stdout
    client, [parent, broken, whole] = runs_in(tmp_path)
    states = (parent.info.status, broken.info.status, whole.info.status)
    assert states == ("FAILED", "FAILED", "FINISHED")
    assert "this aggregation is broken" in broken.data.tags["reason"]
    assert "error.txt" in artifacts(client, broken)


def test_sigterm_ends_a_run_as_killed(tmp_path: Path) -> None:
    overrides = ["backbone=vgg_shallow", "agg=simple,squared", *NEVER_STOP, "epochs=100000"]
    log = tmp_path / "log"
    process = started("benchmark", "-m", *overrides, store(tmp_path), output=log)
    try:
        until(process, log, "Run 1 of 2")
        time.sleep(2)
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=60) == 130, log.read_text()
    finally:
        process.kill()
    assert "Traceback" not in log.read_text()
    _, [parent, run] = runs_in(tmp_path)
    assert (parent.info.status, run.info.status) == ("KILLED", "KILLED")


def test_help_names_every_option_and_config_shows_the_resolved_one() -> None:
    shown = command("benchmark", "--help").stdout
    for option in ("style_layers", "patience", "snapshots", "agg.p", "keep=", "tracking.uri"):
        assert option in shown
    config = command("benchmark", "--cfg", "job", "--resolve", "backbone=resnet").stdout
    assert "content_weight: 940.0" in config


def test_layers_lists_what_can_be_chosen(capsys: pytest.CaptureFixture[str]) -> None:
    assert layers.main(["backbone=resnet"]) == 0
    shown = capsys.readouterr().out
    assert re.search(r"conv1_conv +│ Conv2D +│ 112 × 112 × 64 +│ 9,472 +│ style", shown)
    with pytest.raises(SystemExit, match="2"):
        layers.main(["backbone=restnet"])
    assert "Did you mean 'resnet'?" in capsys.readouterr().err
