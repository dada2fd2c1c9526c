"""Running the project's commands as a user does, and reading what they left in MLflow."""

import os
import runpy
import subprocess
import sys
import warnings
from pathlib import Path
from unittest.mock import patch

from hydra.core.global_hydra import GlobalHydra
from keras import ops
from mlflow import MlflowClient
from mlflow.entities import Run

ROOT = Path(__file__).resolve().parents[1]

TINY = [
    "image_size=48",
    "epochs=3",
    "dataset.paintings=3",
    "backbone.weights=random",
    "cache=null",
    "evaluation.evaluators=[]",
    "evaluation.held_out=0",
]
"""Overrides that make a run a matter of seconds."""


def broken_aggregation(losses: object, weights: object) -> object:
    """An aggregation with a defect, for a run that fails."""
    raise RuntimeError("this aggregation is broken")


def mean_aggregation(losses: object, weights: object) -> object:
    """An aggregation of somebody's own."""
    return ops.mean(losses, axis=-1)


def vanishing_aggregation(losses: object, weights: object) -> object:
    """An aggregation during whose compilation a picture file vanishes."""
    if "VANISHING_PICTURE" in os.environ and Path(os.environ["VANISHING_PICTURE"]).exists():
        Path(os.environ["VANISHING_PICTURE"]).rename(os.environ["VANISHES_TO"])
    return ops.mean(losses, axis=-1)


def command(
    module: str, *arguments: str, backend: str = "tensorflow"
) -> subprocess.CompletedProcess[str]:
    """Run `python -m module arguments` from the repository's root."""
    return subprocess.run(
        [sys.executable, "-m", module, *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
        env={**os.environ, "KERAS_BACKEND": backend, "MLFLOW_DISABLE_TELEMETRY": "true"},
    )


def here(module: str, *arguments: str) -> int:
    """The same in this process, which takes a tenth of the time; returns the exit code.

    What escapes as an exception, the interpreter would print as a traceback.
    """
    GlobalHydra.instance().clear()
    with (
        patch.object(sys, "argv", [module, *arguments]),
        patch("benchmark.runtime.interrupt.install"),
        warnings.catch_warnings(),
    ):
        # As the interpreter has it, not pytest.
        warnings.simplefilter("default")
        for category in (DeprecationWarning, PendingDeprecationWarning, ResourceWarning):
            warnings.simplefilter("ignore", category)
        # Modules that other modules import are run once more here, as -m runs them.
        warnings.filterwarnings("ignore", ".* found in sys.modules", RuntimeWarning)
        try:
            runpy.run_module(module, run_name="__main__", alter_sys=True)
        except SystemExit as end:
            return end.code if isinstance(end.code, int) else int(end.code is not None)
    return 0


def store(folder: Path) -> str:
    """The override that sends a run to a store of the test's own."""
    return f"tracking.uri=sqlite:///{folder / 'mlflow.db'}"


def runs_in(folder: Path, name: str = "style-transfer") -> tuple[MlflowClient, list[Run]]:
    """All runs of a test's store, oldest first, read with MLflow's own client."""
    client = MlflowClient(f"sqlite:///{folder / 'mlflow.db'}")
    experiment = client.get_experiment_by_name(name)
    assert experiment is not None
    found = client.search_runs([experiment.experiment_id], order_by=["start_time ASC"])
    return client, list(found)
