"""Sweeps into a tracking server over HTTP alone: on SQLite, and of four processes on PostgreSQL."""

import socket
import time
from collections.abc import Iterator
from contextlib import nullcontext
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import numpy as np
import pandas as pd
import pytest
from mlflow import MlflowClient
from mlflow.entities import Run
from PIL import Image

from benchmark import evaluate, export
from benchmark.report import __main__ as report
from tests.commands import TINY, Process, command, inside, started
from tests.servers import Server, missing_for_server, mlflow_server, postgresql

NEVER_STOP = [*TINY, "backbone=vgg_shallow", "early_stopping.patience=null"]

AGGREGATIONS = ("simple", "squared")

OPTIMIZERS = {"sqlite": ("adam",), "postgresql": ("adam", "sgd")}
"""Of the sweep into a server on each database; with Joblib's processes on PostgreSQL."""

MISSING = missing_for_server()

ON_POSTGRESQL = pytest.param(
    "postgresql",
    marks=[
        pytest.mark.cluster,
        pytest.mark.skipif(MISSING is not None, reason=str(MISSING)),
        pytest.mark.skipif(find_spec("joblib") is None, reason="joblib is not installed"),
    ],
)


@pytest.fixture(scope="module", params=["sqlite", ON_POSTGRESQL])
def database(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def server(database: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("server")
    sqlite = nullcontext(f"sqlite:///{folder / 'mlflow.db'}")
    with (
        postgresql() if database == "postgresql" else sqlite as store,
        mlflow_server(store, folder / "artifacts") as started,
    ):
        yield started


class Sweep(NamedTuple):
    """A sweep that was really run, and what the server has of it."""

    client: MlflowClient
    parent: Run
    runs: list[Run]
    cells: set[tuple[str, str]]


@pytest.fixture(scope="module")
def sweep(database: str, server: Server) -> Sweep:
    launcher = ["hydra/launcher=joblib", "hydra.launcher.n_jobs=4"]
    several = database == "postgresql"
    done = (partial(command, fresh=True) if several else inside)(
        "benchmark",
        "-m",
        *(launcher if several else []),
        f"agg={','.join(AGGREGATIONS)}",
        f"optimizer={','.join(OPTIMIZERS[database])}",
        "snapshots=[0,2]",
        *NEVER_STOP,
        f"tracking.uri={server.uri}",
    )
    assert done.returncode == 0, done.stdout + done.stderr
    client, runs = runs_at(server)
    [parent] = [run for run in runs if run.data.tags["kind"] == "sweep"]
    cells = {(agg, optimizer) for agg in AGGREGATIONS for optimizer in OPTIMIZERS[database]}
    return Sweep(client, parent, [run for run in runs if run.data.tags["kind"] == "run"], cells)


def runs_at(server: Server, name: str = "style-transfer") -> tuple[MlflowClient, list[Run]]:
    """All runs of an experiment, read with MLflow's own client."""
    client = MlflowClient(server.uri)
    experiment = client.get_experiment_by_name(name)
    return client, list(client.search_runs([experiment.experiment_id])) if experiment else []


def test_each_cell_is_there_once_and_whole(sweep: Sweep) -> None:
    assert sweep.parent.info.status == "FINISHED"
    cells = [(run.data.tags["agg"], run.data.tags["optimizer"]) for run in sweep.runs]
    assert len(cells) == len(sweep.cells)
    assert set(cells) == sweep.cells
    for run in sweep.runs:
        assert run.info.status == "FINISHED"
        assert run.data.tags["mlflow.parentRunId"] == sweep.parent.info.run_id
        for name in ("total_loss", "style_loss", "content_loss"):
            points = sweep.client.get_metric_history(run.info.run_id, name)
            assert [point.step for point in points] == [0, 1, 2, 3]
        assert run.data.metrics["loss_ratio"] < 1
        series = sweep.client.list_artifacts(run.info.run_id, "images")
        assert len({item.path for item in series if item.path.endswith(".png")}) == 3 * 4


@pytest.mark.parametrize("database", [ON_POSTGRESQL], indirect=True)
def test_several_processes_took_part(sweep: Sweep) -> None:
    assert len({run.data.tags["process.process"] for run in sweep.runs}) > 1


def test_pictures_come_from_the_server_alone(sweep: Sweep, server: Server) -> None:
    for run in sweep.runs:
        place = run.info.artifact_uri
        assert place.startswith("mlflow-artifacts:/")  # No path of this machine.
        path = place.removeprefix("mlflow-artifacts:/")
        file = f"{path}/results/amber_nocturne/coffee.png"
        with urlopen(f"{server.uri}/api/2.0/mlflow-artifacts/artifacts/{file}") as answer:
            picture = np.asarray(Image.open(answer))
        assert picture.shape == (48, 48, 3)
        assert picture.std() > 10


def test_export_report_and_evaluation_work_on_it(
    sweep: Sweep, server: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    chosen = ["--sweep", sweep.parent.data.tags["sweep"], "--tracking-uri", server.uri]
    assert export.main([*chosen, "--output", str(tmp_path)]) == 0
    results = pd.read_csv(tmp_path / "results.csv")
    assert set(zip(results["agg"], results["optimizer"], strict=True)) == sweep.cells
    assert len(pd.read_csv(tmp_path / "examples.csv")) == 4 * len(sweep.cells)
    page = tmp_path / "report.html"
    assert report.main([*chosen, "--output", str(page)]) == 0
    assert page.stat().st_size > 10_000
    # A run's own settings, but these: what was scored before is kept, and the rest added.
    assert evaluate.main([*chosen, "metrics=[ssim,grain]"]) == 0, capsys.readouterr().out
    assert capsys.readouterr().out.count("ssim") >= len(sweep.cells)


def test_only_this_machine_reaches_it(server: Server) -> None:
    # It was started without a host. One that listens everywhere would answer here too.
    with pytest.raises(OSError, match="refused"):
        socket.create_connection(("127.0.0.2", server.port), timeout=5).close()
    # No page of somebody else's reads it through a name of its own for this address.
    asked = Request(f"{server.uri}/api/2.0/mlflow/experiments/search")
    asked.add_header("Host", "somewhere.example")
    with pytest.raises(HTTPError, match="403"):
        urlopen(asked)


@pytest.mark.parametrize("database", [ON_POSTGRESQL], indirect=True)
@pytest.mark.parametrize("seconds", [4, pytest.param(60, marks=pytest.mark.faults)])
def test_a_server_that_was_away_misses_nothing(
    seconds: int, server: Server, tmp_path: Path
) -> None:
    name = f"away-{seconds}"
    overrides = [*NEVER_STOP, "epochs=200", "snapshots=[0,100]", f"tracking.uri={server.uri}"]
    log = tmp_path / "log"
    process = started("benchmark", *overrides, f"tracking.experiment={name}", output=log)
    try:
        client, [run] = until_epoch(20, server, name, process, log)
        server.stop()
        time.sleep(seconds)
        server.start()
        assert process.wait(timeout=240) == 0, log.read_text()
    finally:
        process.kill()
    assert "reconnected after" in log.read_text()
    assert "Traceback" not in log.read_text()
    _, [run] = runs_at(server, name)  # And no second one.
    assert run.info.status == "FINISHED"
    points = client.get_metric_history(run.info.run_id, "total_loss")
    assert [point.step for point in points] == list(range(201))
    series = client.list_artifacts(run.info.run_id, "images")
    assert len([item for item in series if item.path.endswith(".png")]) == 3 * 4


def until_epoch(
    epoch: int, server: Server, name: str, process: Process, log: Path
) -> tuple[MlflowClient, list[Run]]:
    """Wait until a run has come so far; the client, and all runs."""
    while process.poll() is None:
        client, runs = runs_at(server, name)
        if any(len(client.get_metric_history(r.info.run_id, "total_loss")) > epoch for r in runs):
            return client, runs
        time.sleep(0.1)
    raise AssertionError(log.read_text())
