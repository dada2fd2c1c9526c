"""The only module that talks to MLflow: writing runs, and reading them back."""

import logging
import os
import re
import sqlite3
import ssl
import sys
import tempfile
import time
import traceback
import unicodedata
import zlib
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from functools import wraps
from http.client import HTTPException
from pathlib import Path
from typing import Any, ClassVar, TypeVar
from urllib.error import HTTPError
from urllib.parse import urlparse
from urllib.request import url2pathname, urlopen
from uuid import uuid4

os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("MLFLOW_DISABLE_AGENT_HINT", "true")
os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")
# A server that is away is waited for here, where Ctrl-C is heard, and not inside MLflow.
os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "60")

import mlflow
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from mlflow import MlflowClient
from mlflow.entities import (
    Dataset,
    DatasetInput,
    Experiment,
    InputTag,
    Metric,
    Param,
    Run,
    RunTag,
    ViewType,
)
from mlflow.exceptions import MlflowException
from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository
from PIL import Image
from sqlalchemy import event
from sqlalchemy.engine import Engine

from benchmark import database, interrupt
from benchmark.config import check_store, local_file, nearest_there
from benchmark.errors import ConfigError
from benchmark.outage import LIMIT, OutageError, in_words, patiently

for _noisy in ("mlflow", "alembic"):
    logging.getLogger(_noisy).setLevel(logging.CRITICAL)

Result = TypeVar("Result")

ANSWER_WITHIN = 10.0
"""Seconds in which a tracking server must give its first answer."""

LOCK_MILLISECONDS = 500
"""For which SQLite waits for a lock within a call; longer ones are waited for between calls.

MLflow's own 20 s are spent in native code, where no signal is heard.
"""

LONG = 1.0
"""Seconds after which a call that is then interrupted is taken for one that found no store."""

REFUSALS = {
    "UNAUTHENTICATED": "the server wants to know who you are: set MLFLOW_TRACKING_USERNAME and "
    "MLFLOW_TRACKING_PASSWORD",
    "PERMISSION_DENIED": "the server does not let you: ask whoever runs it, or write into an "
    "experiment of your own with tracking.experiment=NAME",
}
"""What to do about some of MLflow's error codes."""

PARAM_LIMIT = 6000
"""Characters of a parameter's value that MLflow stores."""

PAGE = 100
"""Runs asked for at a time: each takes a server 4 ms and more, and a page must come in time."""

DIGEST_LIMIT = 36
"""Characters of a data digest that MLflow stores."""

LONGEST_KEY = 100
"""Characters of a name in keys; MLflow makes names of files of them and adds as many of its own."""

SNAPSHOT = re.compile(r"images/[^%+]*[%+]step[%+](\d+)[%+]")
"""How MLflow names the pictures of a series."""


class NotThereError(ConfigError):
    """A store or an experiment to be read does not exist."""


@dataclass(frozen=True)
class RunRecord:
    """A run as the store has it.

    Attributes:
        run_id: MLflow's.
        name: shown in the UI.
        status: MLflow's: RUNNING, FINISHED, FAILED or KILLED.
        started: milliseconds since the epoch.
        params: the resolved configuration, flat.
        metrics: last values.
        tags: all tags.
    """

    run_id: str
    name: str
    status: str
    started: int
    params: Mapping[str, str]
    metrics: Mapping[str, float]
    tags: Mapping[str, str]


def _is_server(uri: str) -> bool:
    return uri.startswith(("http://", "https://"))


@event.listens_for(Engine, "connect")
def _wait_briefly_to_open(connection: Any, _: Any) -> None:
    """MLflow reads a database before it says how long to wait for a lock."""
    if isinstance(connection, sqlite3.Connection):
        connection.execute(f"PRAGMA busy_timeout = {LOCK_MILLISECONDS}")


@event.listens_for(Engine, "before_cursor_execute", retval=True)
def _wait_briefly(*given: Any) -> tuple[str, Any]:
    """MLflow says it in a statement, and has no setting for it."""
    _, _, statement, parameters, _, _ = given
    if statement.startswith("PRAGMA busy_timeout"):
        statement = f"PRAGMA busy_timeout = {LOCK_MILLISECONDS}"
    return statement, parameters


class Store:
    """MLflow's client, made patient: no signal ends a call halfway, and an outage is waited out.

    Attributes:
        uri: of the store.
        patience: seconds for which an outage is waited out.
        hurried: the program was asked to end: each call is tried once, and briefly.
        lost: and one of them found no store, so that no other is tried.
    """

    hurried: ClassVar[bool] = False
    lost: ClassVar[bool] = False

    def __init__(self, uri: str) -> None:
        """Of a store's address."""
        self.uri = uri
        self.patience = LIMIT
        self._client: MlflowClient = self.whole(lambda: MlflowClient(uri))

    def whole(self, action: Callable[[], Result]) -> Result:
        """Do something that may be done again where its answer got lost, and only as a whole.

        Raises:
            OutageError: the store was away for too long.
            Exception: whatever else is wrong with it.
        """

        def undisturbed() -> Result:
            # A request that is cut short harms no one: the server does all of it or nothing.
            with nullcontext() if _is_server(self.uri) else interrupt.deferred():
                return action()

        def say(line: str) -> None:
            print(f"  {line}", file=sys.stderr, flush=True)

        if Store.lost:
            raise OutageError(f"MLflow {self.uri} does not answer")
        began = time.monotonic()
        try:
            return patiently(undisturbed, say, 0.0 if Store.hurried else self.patience)
        except OutageError:
            Store.lost = Store.hurried
            raise
        except KeyboardInterrupt:
            Store.lost = time.monotonic() - began > LONG
            raise

    def __getattr__(self, name: str) -> Callable[..., Any]:
        """A method of the client."""
        method = getattr(self._client, name)

        @wraps(method)
        def patient(*arguments: Any, **named: Any) -> Any:
            return self.whole(lambda: method(*arguments, **named))

        return patient

    def named_experiment(self, name: str, location: str | None) -> Experiment:
        """An experiment, made where it is not there."""

        def found_or_made() -> Experiment:
            found: Experiment | None = self._client.get_experiment_by_name(name)
            if found:
                return found
            try:
                return self._client.get_experiment(self._client.create_experiment(name, location))
            except MlflowException:
                found = self._client.get_experiment_by_name(name)
                if found is None:  # Else another process made it meanwhile.
                    raise
                return found

        return self.whole(found_or_made)

    def new_run(self, experiment: str, name: str, tags: Mapping[str, str]) -> str:
        """Open a run, and no second one where the answer to the first attempt got lost."""
        mark = {"creation": uuid4().hex}

        def found_or_made() -> Run:
            condition = f"tags.creation = '{mark['creation']}'"
            for found in self._client.search_runs([experiment], condition):
                return found
            return self._client.create_run(experiment, run_name=name, tags={**tags, **mark})

        return str(self.whole(found_or_made).info.run_id)

    def add_input(self, run_id: str, one: DatasetInput) -> None:
        """Log an input, which another process may be logging of another run at this moment."""

        def added() -> None:
            try:
                self._client.log_inputs(run_id, [one])
            except MlflowException:
                # Both found that the experiment does not know it, and one was late to tell it.
                self._client.log_inputs(run_id, [one])

        self.whole(added)

    def add_picture(self, run_id: str, picture: Image.Image, key: str, step: int) -> None:
        """Add a picture to a series, in place of what an attempt before left of it."""
        tried = False

        def added() -> None:
            nonlocal tried
            if tried:
                start = f"images/{key.replace('/', '~')}+step+{step}+"
                for item in self._client.list_artifacts(run_id, "images"):
                    if item.path.startswith(start):
                        self._delete(run_id, item.path)
            tried = True
            self._client.log_image(run_id, picture, key=key, step=step, synchronous=True)

        self.whole(added)

    def replace_table(self, run_id: str, table: pd.DataFrame, file: str) -> None:
        """Save a table, also in place of one that is there, to which MLflow would add its rows."""

        def replaced() -> None:
            if self._has(run_id, file):
                self._delete(run_id, file)
            self._client.log_table(run_id, table, file)

        self.whole(replaced)

    def download(self, run_id: str, file: str, folder: str) -> Path:
        """Bring an artifact into a local folder."""
        try:
            return Path(self.download_artifacts(run_id, file, folder))
        except MlflowException:
            # It says that there is no such file also where there is no server.
            if not self.whole(lambda: self._has(run_id, file)):
                raise
            return Path(self.download_artifacts(run_id, file, folder))

    def remove(self, run_id: str, file: str) -> None:
        """Remove an artifact, where it is there."""

        def removed() -> None:
            if self._has(run_id, file):
                self._delete(run_id, file)

        self.whole(removed)

    def _has(self, run_id: str, file: str) -> bool:
        folder = file.rpartition("/")[0] or None
        return any(item.path == file for item in self._client.list_artifacts(run_id, folder))

    def _delete(self, run_id: str, file: str) -> None:
        uri = self._client.get_run(run_id).info.artifact_uri
        artifacts: Any = get_artifact_repository(uri, tracking_uri=self.uri)
        artifacts.delete_artifacts(file)


class RunLog:
    """Writes one run; what it is given appears in the MLflow UI at once."""

    def __init__(self, client: Store, run_id: str) -> None:
        """For a run that exists."""
        self._client = client
        self.run_id = run_id

    def params(self, params: Mapping[str, Any]) -> None:
        """Log the configuration, flat."""
        self._client.log_batch(
            self.run_id, params=[Param(k, str(v)[:PARAM_LIMIT]) for k, v in params.items()]
        )

    def tags(self, tags: Mapping[str, str]) -> None:
        """Set or replace tags."""
        self._client.log_batch(self.run_id, tags=[RunTag(k, str(v)) for k, v in tags.items()])

    def metrics(self, metrics: Mapping[str, float], step: int = 0) -> None:
        """Log the finite ones of some metrics; MLflow stores others as something else."""
        now = int(time.time() * 1000)
        points = [Metric(k, float(v), now, step) for k, v in metrics.items() if np.isfinite(v)]
        self._client.log_batch(self.run_id, metrics=points)

    def data(self, name: str, context: str, source: str, digest: str, pictures: int) -> None:
        """Log a set of pictures as an input, with its digest."""
        dataset = Dataset(
            name,
            digest[:DIGEST_LIMIT],
            "local",
            source,
            profile=f'{{"pictures": {pictures}}}',
        )
        self._client.add_input(
            self.run_id, DatasetInput(dataset, [InputTag("mlflow.data.context", context)])
        )

    def snapshot(self, key: str, picture: np.ndarray, step: int) -> None:
        """Add a uint8 picture (H, W, 3) to the series that the UI's slider runs through."""
        self._client.add_picture(self.run_id, Image.fromarray(picture), image_key(key), step)

    def picture(self, file: str, picture: np.ndarray | Image.Image) -> None:
        """Save a picture (uint8 where it is an array) as an artifact."""
        self._client.log_image(self.run_id, picture, artifact_file=file)

    def figure(self, file: str, figure: Figure) -> None:
        """Save a figure as an artifact."""
        self._client.log_figure(self.run_id, figure, file)

    def table(self, file: str, table: pd.DataFrame) -> None:
        """Save a table as an artifact that the UI shows as one."""
        self._client.replace_table(self.run_id, table, file)

    def text(self, file: str, text: str) -> None:
        """Save a text as an artifact."""
        self._client.log_text(self.run_id, text, file)

    def json(self, file: str, content: dict[str, Any]) -> None:
        """Save a dictionary as an artifact."""
        self._client.log_dict(self.run_id, content, file)

    def end(self, status: str, stopped_by: str, reason: str) -> None:
        """Record how the run ended and close it.

        Args:
            status: "finished", "diverged", "failed" or "killed".
            stopped_by: "epochs", "converged", "diverged", "error", "interrupted" or "lost".
            reason: a sentence.
        """
        self.tags({"status": status, "stopped_by": stopped_by, "reason": reason})
        states = {"finished": "FINISHED", "killed": "KILLED"}
        self._client.set_terminated(self.run_id, states.get(status, "FAILED"))


class ContinuedLog(RunLog):
    """Goes on writing a run that was ended before its time; nothing of it is there twice.

    What a run computes again, from its last checkpoint on, comes out the same. So of metrics only
    the points that are missing are added, and files are written again, whole.
    """

    def __init__(self, client: Store, run_id: str) -> None:
        """For a run that exists."""
        super().__init__(client, run_id)
        self._steps: dict[str, set[int]] = {}

    def reopen(self, tags: Mapping[str, str]) -> None:
        """Set it running again, under these tags."""
        self._client.update_run(self.run_id, status="RUNNING")
        begun = {"status": "running", "stopped_by": "", "reason": ""}
        self.tags({**tags, **begun})
        self._client.remove(self.run_id, "error.txt")

    def keep_snapshots(self, steps: Collection[int]) -> None:
        """Remove the pictures of other epochs than these; they will be logged again."""
        for item in self._client.list_artifacts(self.run_id, "images"):
            found = SNAPSHOT.match(item.path)
            if found and int(found[1]) not in steps:
                self._client.remove(self.run_id, item.path)

    def metrics(self, metrics: Mapping[str, float], step: int = 0) -> None:
        """Log the finite metrics that have no point at this step yet."""
        super().metrics({k: v for k, v in metrics.items() if step not in self._known(k)}, step)

    def data(self, name: str, context: str, source: str, digest: str, pictures: int) -> None:
        """Log a set of pictures as an input, if it is not there yet."""
        there = self._client.get_run(self.run_id).inputs.dataset_inputs
        known = {(one.dataset.name, one.dataset.digest) for one in there}
        if (name, digest[:DIGEST_LIMIT]) not in known:
            super().data(name, context, source, digest, pictures)

    def _known(self, metric: str) -> set[int]:
        if metric not in self._steps:
            points = self._client.get_metric_history(self.run_id, metric)
            self._steps[metric] = {point.step for point in points}
        return self._steps[metric]


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
            with interrupt.last_words(kill):
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

    def under_way(self) -> list[RunRecord]:
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


def in_short(error: Exception) -> str:
    """An error in a line, of a store only what is at the bottom of it."""
    of_store = type(error).__module__.split(".")[0] in ("mlflow", "sqlalchemy")
    told = f"MLflow: {in_words(error)}" if of_store else f"{type(error).__name__}: {error}"
    return " ".join(told.split())


def refusal(error: Exception) -> str | None:
    """What to do where a server refuses a person; None where that is not what is wrong."""
    return REFUSALS.get(getattr(error, "error_code", ""))


def image_key(name: str) -> str:
    """A name in the letters that MLflow allows in keys; others leave a mark of what they were."""
    folded = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    allowed = "".join(c if c.isalnum() or c in "_-./ " else "_" for c in folded)
    allowed = allowed[:LONGEST_KEY].strip(" .")
    return name if allowed == name else f"{allowed}-{zlib.crc32(name.encode()):08x}"


def _record(run: Run) -> RunRecord:
    return RunRecord(
        run.info.run_id,
        run.info.run_name or "",
        run.info.status,
        run.info.start_time or 0,
        dict(run.data.params),
        dict(run.data.metrics),
        dict(run.data.tags),
    )
