"""An MLflow store and an experiment in it: opening runs, finding them, reading their artifacts."""

import os
import ssl
import tempfile
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext, suppress
from http.client import HTTPException
from pathlib import Path
from urllib.error import HTTPError
from urllib.parse import urlparse
from urllib.request import url2pathname, urlopen

import mlflow
import numpy as np
import pandas as pd
from mlflow.entities import (
    Experiment,
    ViewType,
)
from mlflow.exceptions import MlflowException
from PIL import Image

from benchmark.config.errors import ConfigError
from benchmark.config.paths import check_store, local_file, nearest_there
from benchmark.runtime import interrupt
from benchmark.tracking import database
from benchmark.tracking.log import ContinuedLog, RunLog
from benchmark.tracking.outage import OutageError
from benchmark.tracking.records import RunRecord, _record
from benchmark.tracking.store import ANSWER_WITHIN, Store, _is_server, in_short, refusal

PAGE = 100
"""Runs asked for at a time: each takes a server 4 ms and more, and a page must come in time."""


class NotThereError(ConfigError):
    """A store or an experiment to be read does not exist."""


class Tracker:
    """One MLflow store and one experiment in it."""

    def __init__(
        self, uri: str | None, experiment: str | None, root: Path, *, create: bool = True
    ) -> None:
        """Open a store.

        Args:
            uri: `sqlite:///…` or any tracking server; None: `mlruns/mlflow.db` under `root`.
            experiment: name; None: all there are, to read.
            root: folder of the application.
            create: create a local store, and the experiment, where they are not there.

        Raises:
            ConfigError: the store cannot be reached or used.
        """
        self.uri = uri or self.default_uri(root)
        self.experiment = experiment
        file = local_file(self.uri)
        if file and not create and nearest_there(file) != file:
            raise NotThereError(f"{self.uri}: there is no such store; nothing was run into it yet")
        try:
            if file:
                tables = Path(mlflow.__file__).parent / "store" / "db_migrations"
                database.check(self.uri, file, tables, mlflow.__version__, write=create)
            with database.first_in(file) if file else nullcontext():
                self._client = Store(self.uri)
            if experiment is None:
                self._experiment_ids = [e.experiment_id for e in self._client.search_experiments()]
                return
            location = (file.parent / "artifacts").as_uri() if file else None
            found: Experiment | None = (
                self._client.named_experiment(experiment, location)
                if create
                else self._client.get_experiment_by_name(experiment)
            )
        except ConfigError:
            raise
        except Exception as error:
            reason = refusal(error) or in_short(error)
            raise ConfigError(f"tracking.uri={self.uri}: cannot be used: {reason}") from error
        if found is None:
            known = ", ".join(e.name for e in self._client.search_experiments())
            raise NotThereError(f"{self.uri} has no experiment '{experiment}'. It has: {known}")
        self._experiment_ids = [found.experiment_id]

    @staticmethod
    def check_reachable(uri: str | None) -> None:
        """Ask a server for a sign of life, for MLflow itself tries for minutes.

        Raises:
            ConfigError: nothing answers there, or it is no address of a store.
        """
        if uri:
            check_store("tracking.uri", uri)
        if uri and _is_server(uri):
            # As MLflow does it, which does not look where Python itself does.
            known = os.environ.get("MLFLOW_TRACKING_SERVER_CERT_PATH")
            trusted = ssl.create_default_context(cafile=known)
            address = f"{uri.rstrip('/')}/health"
            try:
                urlopen(address, timeout=ANSWER_WITHIN, context=trusted).close()
            except HTTPError:
                return  # Something answers, if not as MLflow does without authentication.
            except (OSError, ValueError, HTTPException) as error:
                raise ConfigError(f"tracking.uri={uri}: no server answers ({error})") from error

    @staticmethod
    def hurry() -> None:
        """The program was asked to end: from now on wait for no store."""
        Store.hurried = True
        os.environ["MLFLOW_HTTP_REQUEST_TIMEOUT"] = "1"  # MLflow looks it up at each call.

    @staticmethod
    def default_uri(root: Path) -> str:
        """The store under the application's folder."""
        return f"sqlite:///{root / 'mlruns' / 'mlflow.db'}"

    def start(self, name: str, tags: Mapping[str, str], parent: str | None = None) -> RunLog:
        """Open a run, under a parent where one is given.

        Raises:
            ConfigError: the server does not let us.
        """
        nested = {"mlflow.parentRunId": parent} if parent else {}
        begun = {**tags, **nested, "status": "running"}
        try:
            run_id = self._client.new_run(self._experiment_ids[0], name, begun)
        except MlflowException as error:
            if refusal(error):
                raise ConfigError(f"tracking.uri={self.uri}: {refusal(error)}") from error
            raise
        return RunLog(self._client, run_id)

    @contextmanager
    def run(
        self,
        name: str,
        tags: Mapping[str, str],
        parent: str | None,
        earlier: RunRecord | None = None,
        before_end: Callable[[], None] = lambda: None,
    ) -> Iterator[RunLog]:
        """Open a run, or an earlier one again; what ends the block early, ends the run as that.

        Args:
            name: the run's.
            tags: what is known of it.
            parent: MLflow's id of the sweep's run, if there is one.
            earlier: go on with this run.
            before_end: called first when the block is ended early; must not raise.
        """
        log = self.continued(earlier, tags) if earlier else self.start(name, tags, parent)

        def kill() -> None:
            self.hurry()
            before_end()
            log.end("killed", "interrupted", "interrupted")

        try:
            with interrupt.on_forced_exit(kill):
                yield log
        except Exception as error:
            before_end()
            with suppress(Exception), self._in_a_hurry(error):
                log.text("error.txt", traceback.format_exc())
                log.end("failed", "error", in_short(error))
            raise
        except BaseException:
            interrupt.reached()
            with suppress(Exception):
                kill()
            raise

    @contextmanager
    def _in_a_hurry(self, error: Exception) -> Iterator[None]:
        """Wait for the store no longer where it is what failed."""
        patience = self._client.patience
        if isinstance(error, OutageError):
            self._client.patience = 0.0
        try:
            yield
        finally:
            self._client.patience = patience

    def continued(self, earlier: RunRecord, tags: Mapping[str, str]) -> ContinuedLog:
        """Go on with a run that was ended before its time."""
        log = ContinuedLog(self._client, earlier.run_id)
        times = int(earlier.tags.get("resumed", "0")) + 1
        log.reopen({**tags, "resumed": str(times)})
        return log

    def discard(self, run_id: str) -> None:
        """Mark a run as deleted; MLflow hides it, and keeps it until somebody runs `mlflow gc`."""
        self._client.delete_run(run_id)

    def log_of(self, run_id: str) -> RunLog:
        """Go on writing an existing run."""
        return RunLog(self._client, run_id)

    def sweep_run(self, sweep: str) -> RunRecord | None:
        """The parent run of a sweep, by the sweep's name."""
        found = self._search(f"tags.kind = 'sweep' AND tags.sweep = '{sweep}'", 1)
        return next(iter(found), None)

    def last_sweep(self) -> str | None:
        """Name of the sweep, or of the single run, that started last."""
        found = self._search("tags.sweep != ''", most=1)
        return found[0].tags["sweep"] if found else None

    def runs_of(self, sweep: str) -> list[RunRecord]:
        """The runs of a sweep, in its order."""
        found = self._search(f"tags.kind = 'run' AND tags.sweep = '{sweep}'")[::-1]
        return sorted(found, key=lambda run: int(run.tags.get("number", "0")))

    def run_of(self, sweep: str, number: int) -> RunRecord | None:
        """A run of a sweep by its place there, from 0."""
        condition = f"tags.kind = 'run' AND tags.sweep = '{sweep}' AND tags.number = '{number}'"
        return next(iter(self._search(condition, 1)), None)

    def is_running(self) -> list[RunRecord]:
        """All runs, and runs of sweeps, that no one has ended."""
        return self._search("attributes.status = 'RUNNING'")

    def all_runs(self) -> list[RunRecord]:
        """All runs of the experiment, in the order of their start."""
        return self._search("tags.kind = 'run'")[::-1]

    def run_record(self, run_id: str) -> RunRecord:
        """One run.

        Raises:
            ConfigError: there is none with this id.
        """
        try:
            return _record(self._client.get_run(run_id))
        except MlflowException as error:
            raise ConfigError(f"--run {run_id}: {self.uri} has no such run") from error

    def history(self, run_id: str, metric: str) -> tuple[np.ndarray, np.ndarray]:
        """Steps and values of a metric, in order of the steps."""
        points = self._client.get_metric_history(run_id, metric)
        in_order = sorted((point.step, point.value) for point in points)
        return np.array([s for s, _ in in_order], int), np.array([v for _, v in in_order], float)

    def first_logged(self, run_id: str, metric: str) -> float:
        """When the first value of a metric was logged, in seconds since the epoch."""
        points = self._client.get_metric_history(run_id, metric)
        return min(float(point.timestamp) for point in points) / 1000

    def read_picture(self, run_id: str, file: str) -> np.ndarray:
        """A picture artifact as uint8, (H, W, 3)."""
        with tempfile.TemporaryDirectory() as folder:
            path = self._client.download(run_id, file, folder)
            with Image.open(path) as image:
                return np.asarray(image.convert("RGB"))

    def read_text(self, run_id: str, file: str) -> str:
        """A text artifact."""
        with tempfile.TemporaryDirectory() as folder:
            path = self._client.download(run_id, file, folder)
            return path.read_text(encoding="utf-8")

    def read_table(self, run_id: str, file: str) -> pd.DataFrame:
        """A table artifact."""
        with tempfile.TemporaryDirectory() as folder:
            path = self._client.download(run_id, file, folder)
            # Names that look like numbers stay names.
            return pd.read_json(path, orient="split", dtype=False)

    def has_artifact(self, run_id: str, file: str) -> bool:
        """Whether a run has an artifact of this name at its top level."""
        return file in self.artifacts(run_id)

    def artifacts(self, run_id: str, folder: str | None = None) -> set[str]:
        """The files of a run in a folder, or at its top level, and the folders there."""
        return {item.path for item in self._client.list_artifacts(run_id, folder)}

    def where(self, run_id: str, file: str) -> str:
        """Where a person finds an artifact: a local path if it is one, else its address."""
        run = self._client.get_run(run_id).info
        if run.artifact_uri.startswith("file:"):
            return url2pathname(urlparse(f"{run.artifact_uri}/{file}").path)
        if _is_server(self.uri):  # The UI's page on it.
            page = f"#/experiments/{run.experiment_id}/runs/{run_id}/artifacts/{file}"
            return f"{self.uri.rstrip('/')}/{page}"
        return f"{run.artifact_uri}/{file}"

    def _search(self, condition: str, most: int | None = None) -> list[RunRecord]:
        """The runs under a condition, the last first; so many at most."""
        found: list[RunRecord] = []
        token = None
        while True:
            page = self._client.search_runs(
                self._experiment_ids,
                condition,
                ViewType.ACTIVE_ONLY,
                max_results=most or PAGE,
                order_by=["attributes.start_time DESC"],
                page_token=token,
            )
            found += [_record(run) for run in page]
            token = page.token
            if not token or most:
                return found

    def _local_file(self) -> Path | None:
        """The database file of a local store."""
        if not self.uri.startswith("sqlite:///"):
            return None
        return Path(self.uri.removeprefix("sqlite:///")).resolve()
