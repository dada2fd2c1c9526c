"""A sweep that is killed at random moments and taken up again ends as if nothing had happened."""

import os
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from mlflow import MlflowClient
from mlflow.entities import Run, ViewType

from tests.commands import ROOT, TINY, command, store

NAME = "faulty"

CLOCKED = ("seconds_per_step", "examples_per_second", "seconds")
"""Metrics whose values are times."""


def sweep_arguments(folder: Path, epochs: int) -> list[str]:
    return [
        *("-m", "backbone=mobilenet", "agg=simple,squared", "keep=last,best", *TINY),
        *(f"epochs={epochs}", "early_stopping.patience=null", "snapshots=[0,2,7]"),
        *(f"tracking.sweep={NAME}", store(folder), f"checkpoint.folder={folder / 'checkpoints'}"),
        *("checkpoint.every_epochs=3", "optimizer=adam"),
    ]


def resume_arguments(folder: Path) -> list[str]:
    return [NAME, "--tracking-uri", f"sqlite:///{folder / 'mlflow.db'}"]


class Cell(NamedTuple):
    """All that a run left in the store and that is the same whenever it is run again."""

    status: str
    points: dict[str, list[tuple[int, float | None]]]
    params: dict[str, str]
    inputs: list[tuple[str, str]]
    files: Counter[str]
    contents: dict[str, bytes]


def cells(folder: Path) -> dict[str, Cell]:
    """Every run of a store by its cell; deleted ones too, so that none can hide."""
    client = MlflowClient(f"sqlite:///{folder / 'mlflow.db'}")
    experiment = client.get_experiment_by_name("style-transfer")
    assert experiment is not None
    found: dict[str, Cell] = {}
    for run in client.search_runs([experiment.experiment_id], run_view_type=ViewType.ALL):
        name = run.data.tags.get("number", "parent")
        assert name not in found, f"two runs of cell {name}"
        found[name] = cell(client, run, folder / "artifacts" / run.info.run_id / "artifacts")
    return found


def cell(client: MlflowClient, run: Run, artifacts: Path) -> Cell:
    points = {
        metric: [
            (point.step, None if metric in CLOCKED else point.value)
            for point in client.get_metric_history(run.info.run_id, metric)
        ]
        for metric in run.data.metrics
    }
    files = {path: path.relative_to(artifacts) for path in artifacts.rglob("*") if path.is_file()}
    # MLflow puts the time and a random number into the names of a series.
    plain = {p: re.sub(r"\+timestamp\+.*(\.\w+)$", r"\1", str(name)) for p, name in files.items()}
    kept = (".png", ".jpg", "data.json", "examples.json", "scores.csv", "measures.json")
    inputs = run.inputs.dataset_inputs if run.inputs else []
    return Cell(
        run.info.status,
        points,
        {k: v for k, v in run.data.params.items() if not k.startswith("tracking.")},
        sorted((i.dataset.name, i.dataset.digest) for i in inputs),
        Counter(plain.values()),
        {
            name: re.sub(rb'"seconds": [\d.]+', b"", path.read_bytes())
            for path, name in plain.items()
            if name.endswith(kept) and "sheet" not in name
        },
    )


class Disturbed(NamedTuple):
    """What it took to bring a sweep to its end."""

    kills: int
    resumes: int
    output: str


def disturbed(folder: Path, epochs: int, kills: int, seed: int) -> Disturbed:
    """Run a sweep, killing it at random moments and taking it up again until it is done."""
    random = np.random.default_rng(seed)
    resumes, output = 0, ""
    for kill in range(kills + 1):
        recorded = any(folder.glob("artifacts/*/artifacts/sweep.json"))
        resumes += recorded
        module = "benchmark.resume" if recorded else "benchmark"
        arguments = resume_arguments(folder) if recorded else sweep_arguments(folder, epochs)
        log = folder.with_suffix(f".{kill}.txt")
        with log.open("w") as opened:
            process = subprocess.Popen(
                [sys.executable, "-m", module, *arguments],
                cwd=ROOT,
                stdout=opened,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        if kill == kills:
            assert process.wait(timeout=900) == 0, log.read_text()
        else:
            wait(process, log, random)
            os.killpg(process.pid, signal.SIGKILL)
            assert process.wait() == -signal.SIGKILL, f"done before kill {kill}: {log.read_text()}"
        output += log.read_text()
    return Disturbed(kills, resumes, output)


def wait(process: "subprocess.Popen[bytes]", log: Path, random: np.random.Generator) -> None:
    """Until a random moment: one in four from the start, the others while runs are under way."""
    if random.random() < 0.25:
        time.sleep(random.uniform(0, 8))
        return
    while "Run " not in log.read_text():
        assert process.poll() is None, log.read_text()
        time.sleep(0.05)
    time.sleep(random.uniform(0, 6))


def check_same(folder: Path, undisturbed: Path) -> None:
    """Compare a store with another, cell by cell, and look for what should not be there."""
    found, wanted = cells(folder), cells(undisturbed)
    assert found.keys() == wanted.keys()
    for name, one in found.items():
        for part in Cell._fields:
            assert getattr(one, part) == getattr(wanted[name], part), (name, part)
        assert one.status == "FINISHED"
    top = {path.name for path in folder.iterdir()}
    assert top <= {"mlflow.db", "artifacts", "checkpoints"}
    assert not list((folder / "checkpoints").rglob("*"))
    assert len(list((folder / "artifacts").iterdir())) == len(found)


@pytest.mark.parametrize(
    ("kills", "epochs"), [(3, 60), pytest.param(30, 500, marks=pytest.mark.faults)]
)
def test_a_killed_sweep_ends_as_an_undisturbed_one(
    kills: int, epochs: int, tmp_path: Path, record_property: Any
) -> None:
    folder, undisturbed = tmp_path / "disturbed", tmp_path / "undisturbed"
    folder.mkdir()
    undisturbed.mkdir()
    done = command("benchmark", *sweep_arguments(undisturbed, epochs))
    assert done.returncode == 0, done.stdout + done.stderr
    result = disturbed(folder, epochs, kills, seed=kills)
    check_same(folder, undisturbed)
    print(f"{result.kills} kills, {result.resumes} resumes, all losses equal")
