"""A sweep that is disturbed, and its store, compared with that of an undisturbed one."""

import re
from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

from mlflow import MlflowClient
from mlflow.entities import Run, ViewType

from tests.commands import TINY, Process, started, store

NAME = "faulty"

CLOCKED = ("seconds_per_step", "examples_per_second", "seconds")
"""Metrics whose values are times."""


def sweep_arguments(folder: Path, epochs: int, agg: str = "simple,squared") -> list[str]:
    """The overrides of a sweep of two runs for each aggregation, in a store of its own."""
    return [
        *("-m", "backbone=vgg_shallow", f"agg={agg}", "keep=last,best", *TINY),
        *(f"epochs={epochs}", "early_stopping.patience=null", "snapshots=[0,2,7]"),
        *(f"tracking.sweep={NAME}", store(folder), f"checkpoint.folder={folder / 'checkpoints'}"),
        *("checkpoint.every_epochs=3", "optimizer=adam"),
    ]


def resume_arguments(folder: Path) -> list[str]:
    """The arguments that resume it."""
    return [NAME, "--tracking-uri", f"sqlite:///{folder / 'mlflow.db'}"]


def start(
    folder: Path, epochs: int, log: Path, agg: str = "simple,squared", **options: Any
) -> Process:
    """The sweep's process, or one that takes up what there is of it; its output goes to a file."""
    if is_recorded(folder):
        return started("benchmark.resume", *resume_arguments(folder), output=log, **options)
    return started("benchmark", *sweep_arguments(folder, epochs, agg), output=log, **options)


def is_recorded(folder: Path) -> bool:
    """Whether the sweep got so far that it can be resumed."""
    return any(folder.glob("artifacts/*/artifacts/sweep.json"))


class Cell(NamedTuple):
    """What a run leaves in the store, as far as it is the same at each repetition."""

    status: str
    points: dict[str, list[tuple[int, float]]]
    params: dict[str, str]
    inputs: list[tuple[str, str]]
    files: Counter[str]
    contents: dict[str, bytes]


def cells(folder: Path) -> dict[str, Cell]:
    """Every run of a store by its cell; deleted ones too, so that none can hide."""
    client = MlflowClient(f"sqlite:///{folder / 'mlflow.db'}")
    experiment = client.get_experiment_by_name("style-transfer")
    assert experiment is not None
    by_number: dict[str, Cell] = {}
    for run in client.search_runs([experiment.experiment_id], run_view_type=ViewType.ALL):
        name = run.data.tags.get("number", "parent")
        assert name not in by_number, f"two runs of cell {name}"
        by_number[name] = cell(client, run, folder / "artifacts" / run.info.run_id / "artifacts")
    return by_number


def cell(client: MlflowClient, run: Run, artifacts: Path) -> Cell:
    points = {
        metric: sorted(
            (point.step, 0.0 if metric in CLOCKED else point.value)
            for point in client.get_metric_history(run.info.run_id, metric)
        )
        for metric in run.data.metrics
    }
    files = {path: path.relative_to(artifacts) for path in artifacts.rglob("*") if path.is_file()}
    # MLflow puts the time and a random number into the names of a series.
    plain = {p: re.sub(r"\+timestamp\+.*(\.\w+)$", r"\1", str(name)) for p, name in files.items()}
    kept = (".png", ".jpg", "data.json", "examples.json", "scores.csv", "metrics.json")
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


def check_same(folder: Path, undisturbed: Path) -> None:
    """Compare a store with another, cell by cell, and check that nothing else is left."""
    disturbed, wanted = cells(folder), cells(undisturbed)
    assert disturbed.keys() == wanted.keys()
    for name, run in disturbed.items():
        for part in Cell._fields:
            assert getattr(run, part) == getattr(wanted[name], part), (name, part)
        assert run.status == "FINISHED"
    top = {path.name for path in folder.iterdir()}
    assert top <= {"mlflow.db", "artifacts", "checkpoints"}
    assert not list((folder / "checkpoints").rglob("*"))
    assert len(list((folder / "artifacts").iterdir())) == len(disturbed)
