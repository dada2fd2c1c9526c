"""Running the project's commands as a user does, and reading what they left in MLflow."""

import io
import os
import runpy
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Mapping, Sequence
from contextlib import redirect_stderr, redirect_stdout
from functools import cache
from pathlib import Path
from unittest.mock import patch

import keras
from hydra.core.global_hydra import GlobalHydra
from keras import ops
from mlflow import MlflowClient
from mlflow.entities import Run

from tests import workspace
from tests.forked import Forked

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


Process = Forked | subprocess.Popen[bytes]


def started(
    module: str,
    *arguments: str,
    output: Path,
    errors: Path | None = None,
    before: Sequence[str] = (),
    environment: Mapping[str, str] | None = None,
    fresh: bool = False,
) -> Process:
    """Start `python -m module arguments` from the repository's root, in a session of its own.

    Args:
        module: its name.
        arguments: what follows.
        output: the file that takes what it prints; is emptied.
        errors: the same for its second stream; by default it shares the first one's.
        before: a command that runs it, such as `faketime`.
        environment: variables beside this process's.
        fresh: whether by an interpreter that imports everything anew, not by a fork.
    """
    given = {**os.environ, "MLFLOW_DISABLE_TELEMETRY": "true", **(environment or {})}
    backend = given.setdefault("KERAS_BACKEND", keras.backend.backend())
    errors = errors or output
    for file in {output, errors}:
        file.write_bytes(b"")
    # The frameworks of macOS do not survive a fork.
    if not (fresh or before or backend != keras.backend.backend() or sys.platform == "darwin"):
        return Forked(module, arguments, ROOT, output, errors, given)
    with output.open("ab") as first, errors.open("ab") as second:
        return subprocess.Popen(
            [*before, sys.executable, "-m", module, *arguments],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=first,
            stderr=second,
            start_new_session=True,
            env=given,
        )


def command(
    module: str,
    *arguments: str,
    backend: str = "tensorflow",
    fresh: bool = False,
    environment: Mapping[str, str] | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run `python -m module arguments` to its end."""
    with tempfile.TemporaryDirectory() as folder:
        output, errors = Path(folder, "output"), Path(folder, "errors")
        process = started(
            module,
            *arguments,
            output=output,
            errors=errors,
            environment={"KERAS_BACKEND": backend, **(environment or {})},
            fresh=fresh,
        )
        try:
            code = process.wait(timeout=600)
        finally:
            process.kill()
        return subprocess.CompletedProcess(
            process.args, code, output.read_text(), errors.read_text()
        )


def until(process: Process, log: Path, text: str) -> None:
    """Wait for a process to say something, or to end well."""
    while text not in log.read_text() and process.poll() != 0:
        assert process.poll() is None, log.read_text()
        time.sleep(0.05)


def here(module: str, *arguments: str) -> int:
    """The same in this process, which takes a tenth of the time; returns the exit code.

    What escapes as an exception, the interpreter would print as a traceback.
    """
    GlobalHydra.instance().clear()
    with (
        patch.object(sys, "argv", [module, *arguments]),
        patch("benchmark.sweeps.execution.Workspace", return_value=workspace.WORKSPACE),
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


def inside(module: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """As `command`, but in this process: where it is not the process that is tested."""
    with redirect_stdout(io.StringIO()) as output, redirect_stderr(io.StringIO()) as errors:
        code = here(module, *arguments)
    return subprocess.CompletedProcess(
        [module, *arguments], code, output.getvalue(), errors.getvalue()
    )


def store(folder: Path, new: bool = False) -> str:
    """The override that sends a run to a store of the test's own.

    Args:
        folder: where its database is.
        new: whether the command creates the database; otherwise an empty one is put there, for
            MLflow's migrations take a second or more.
    """
    file = folder / "mlflow.db"
    if not new and not file.exists():
        file.write_bytes(_empty_database())
    return f"tracking.uri=sqlite:///{file}"


@cache
def _empty_database() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "mlflow.db")
        MlflowClient(f"sqlite:///{file}").search_experiments()
        return file.read_bytes()


def runs_in(folder: Path, name: str = "style-transfer") -> tuple[MlflowClient, list[Run]]:
    """All runs of a test's store, oldest first, read with MLflow's own client."""
    client = MlflowClient(f"sqlite:///{folder / 'mlflow.db'}")
    experiment = client.get_experiment_by_name(name)
    assert experiment is not None
    found = client.search_runs([experiment.experiment_id], order_by=["start_time ASC"])
    return client, list(found)
