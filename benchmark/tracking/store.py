"""MLflow's client, with outages retried and signals held back until a call is done."""

import os
import sqlite3
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import pandas as pd
from mlflow import MlflowClient
from mlflow.entities import DatasetInput, Experiment, Run
from mlflow.exceptions import MlflowException
from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository
from PIL import Image
from sqlalchemy import Connection, event
from sqlalchemy.engine import Engine, make_url

from benchmark.runtime.interrupts import Interrupts
from benchmark.tracking.outage import (
    RETRY_SECONDS,
    OutageError,
    Returned,
    describe,
    retry_until_available,
)

LOCK_MILLISECONDS = 500
"""For which SQLite waits for a lock within a call; longer ones are retried by `outage`.

MLflow's own 20 s are spent in native code, where no signal is heard.
"""

SLOW_CALL = 1.0
"""Seconds after which a call that is then interrupted is taken for one that reached no store."""

ACCESS_ADVICE = {
    "UNAUTHENTICATED": "the server asks for a login: set MLFLOW_TRACKING_USERNAME and "
    "MLFLOW_TRACKING_PASSWORD",
    "PERMISSION_DENIED": "the server denies you access: ask its administrator, or write into an "
    "experiment of your own with tracking.experiment=NAME",
}
"""What to do, by MLflow's error code."""


@dataclass
class Retries:
    """How the calls to a store are retried; one object for all that a process opens of it.

    Attributes:
        limit_seconds: for which an outage is retried; 0: a single attempt.
        shutting_down: the program is ending: each call has a single, short attempt.
        unreachable: one of those failed, so that there are no more.
    """

    limit_seconds: float = RETRY_SECONDS
    shutting_down: bool = False
    unreachable: bool = False

    def shut_down(self) -> None:
        """From now on wait for no store, because the program is ending."""
        self.shutting_down = True
        self.limit_seconds = 0.0
        os.environ["MLFLOW_HTTP_REQUEST_TIMEOUT"] = "1"  # Its only setting; read at each call.

    @contextmanager
    def single_attempts(self) -> Iterator[None]:
        """Retry nothing within the block."""
        limit, self.limit_seconds = self.limit_seconds, 0.0
        try:
            yield
        finally:
            self.limit_seconds = 0.0 if self.shutting_down else limit


class Store:
    """An MLflow store of which each operation is done as a whole, and again after an outage."""

    def __init__(self, uri: str, retries: Retries, interrupts: Interrupts | None = None) -> None:
        """Open the store at an address.

        Raises:
            OutageError: it did not become available in time.
            Exception: whatever else is wrong with it.
        """
        self.uri = uri
        self.retries = retries
        self._interrupts = interrupts or Interrupts()
        with _short_lock_waits(uri):
            self._client: MlflowClient = self._retry(lambda: MlflowClient(uri))

    def call(self, operation: Callable[[MlflowClient], Returned]) -> Returned:
        """The result of an operation that may be done again where its answer got lost.

        Raises:
            OutageError: the store was unavailable for too long.
            Exception: whatever else is wrong with it.
        """
        return self._retry(lambda: operation(self._client))

    def experiment(self, name: str, location: str | None) -> Experiment:
        """An experiment, created where it does not exist."""

        def find_or_create(client: MlflowClient) -> Experiment:
            existing: Experiment | None = client.get_experiment_by_name(name)
            if existing:
                return existing
            try:
                return client.get_experiment(client.create_experiment(name, location))
            except MlflowException:
                existing = client.get_experiment_by_name(name)
                if existing is None:  # Else another process created it meanwhile.
                    raise
                return existing

        return self.call(find_or_create)

    def create_run(self, experiment_id: str, name: str, tags: Mapping[str, str]) -> str:
        """Create a run, and no second one where the answer to the first attempt got lost."""
        creation = uuid4().hex

        def find_or_create(client: MlflowClient) -> Run:
            runs = client.search_runs([experiment_id], f"tags.creation = '{creation}'")
            if runs:
                return runs[0]
            all_tags = {**tags, "creation": creation}
            return client.create_run(experiment_id, run_name=name, tags=all_tags)

        return str(self.call(find_or_create).info.run_id)

    def add_input(self, run_id: str, dataset: DatasetInput) -> None:
        """Log an input, which another process may be logging for another run at this moment."""

        def add(client: MlflowClient) -> None:
            try:
                client.log_inputs(run_id, [dataset])
            except MlflowException:
                # Both saw that the experiment lacks it, and the other one was first to add it.
                client.log_inputs(run_id, [dataset])

        self.call(add)

    def add_picture(self, run_id: str, picture: Image.Image, key: str, step: int) -> None:
        """Add a picture to a series, in place of what an earlier attempt left of it."""
        attempted = False

        def add(client: MlflowClient) -> None:
            nonlocal attempted
            if attempted:
                prefix = f"images/{key.replace('/', '~')}+step+{step}+"
                for item in client.list_artifacts(run_id, "images"):
                    if item.path.startswith(prefix):
                        self._delete(run_id, item.path)
            attempted = True
            client.log_image(run_id, picture, key=key, step=step, synchronous=True)

        self.call(add)

    def replace_table(self, run_id: str, table: pd.DataFrame, file: str) -> None:
        """Save a table; MLflow alone would add its rows to one of this name."""

        def replace(client: MlflowClient) -> None:
            self._delete_if_exists(run_id, file)
            client.log_table(run_id, table, file)

        self.call(replace)

    def download(self, run_id: str, file: str, folder: str) -> Path:
        """Copy an artifact into a local folder."""

        def download(client: MlflowClient) -> Path:
            return Path(client.download_artifacts(run_id, file, folder))

        try:
            return self.call(download)
        except MlflowException:
            # MLflow says that there is no such file also where there is no server.
            if not self.call(lambda _: self._exists(run_id, file)):
                raise
            return self.call(download)

    def remove(self, run_id: str, file: str) -> None:
        """Remove an artifact if it exists."""
        self.call(lambda _: self._delete_if_exists(run_id, file))

    def _retry(self, action: Callable[[], Returned]) -> Returned:
        def undisturbed() -> Returned:
            # An interrupted request does no harm: the server does all of it or nothing.
            with nullcontext() if is_server(self.uri) else self._interrupts.deferred():
                return action()

        def announce(line: str) -> None:
            print(f"  {line}", file=sys.stderr, flush=True)

        self._interrupts.check()
        if self.retries.unreachable:
            raise OutageError(f"MLflow {self.uri} does not answer")
        start = time.monotonic()
        try:
            return retry_until_available(undisturbed, announce, self.retries.limit_seconds)
        except OutageError:
            self.retries.unreachable = self.retries.shutting_down
            raise
        except KeyboardInterrupt:
            self.retries.unreachable = time.monotonic() - start > SLOW_CALL
            raise

    def _exists(self, run_id: str, file: str) -> bool:
        folder = file.rpartition("/")[0] or None
        return any(item.path == file for item in self._client.list_artifacts(run_id, folder))

    def _delete_if_exists(self, run_id: str, file: str) -> None:
        if self._exists(run_id, file):
            self._delete(run_id, file)

    def _delete(self, run_id: str, file: str) -> None:
        uri = self._client.get_run(run_id).info.artifact_uri
        artifacts: Any = get_artifact_repository(uri, tracking_uri=self.uri)
        artifacts.delete_artifacts(file)


def is_server(uri: str) -> bool:
    """Whether a store is reached over HTTP."""
    return uri.startswith(("http://", "https://"))


def error_summary(error: Exception) -> str:
    """An error in one line; of an error of the store only its cause."""
    of_store = type(error).__module__.split(".")[0] in ("mlflow", "sqlalchemy")
    text = f"MLflow: {describe(error)}" if of_store else f"{type(error).__name__}: {error}"
    return " ".join(text.split())


def access_advice(error: Exception) -> str | None:
    """What to do where a server denies access; None where that is not what is wrong."""
    return ACCESS_ADVICE.get(getattr(error, "error_code", ""))


@contextmanager
def _short_lock_waits(uri: str) -> Iterator[None]:
    """Make the engine that MLflow opens for an SQLite store wait briefly for locks.

    MLflow has no setting for this and creates the engine itself, so that SQLAlchemy's event of a
    first connection is where it can be caught; later connections are caught on the engine alone.
    """

    def limit(connection: Connection) -> None:
        engine = connection.engine
        if engine.url == make_url(uri) and not event.contains(engine, "connect", _set_lock_wait):
            event.listen(engine, "connect", _set_lock_wait)
            event.listen(engine, "before_cursor_execute", _limit_lock_wait, retval=True)
            _set_lock_wait(connection.connection.dbapi_connection)

    if not uri.startswith("sqlite"):
        yield
        return
    event.listen(Engine, "engine_connect", limit)
    try:
        yield
    finally:
        event.remove(Engine, "engine_connect", limit)


def _set_lock_wait(connection: Any, _: Any = None) -> None:
    """MLflow reads a database before it sets how long to wait for a lock."""
    if isinstance(connection, sqlite3.Connection):
        connection.execute(f"PRAGMA busy_timeout = {LOCK_MILLISECONDS}")


def _limit_lock_wait(*event_arguments: Any) -> tuple[str, Any]:
    """MLflow sets it by a statement at the start of each session."""
    _, _, statement, parameters, _, _ = event_arguments
    if statement.startswith("PRAGMA busy_timeout"):
        statement = f"PRAGMA busy_timeout = {LOCK_MILLISECONDS}"
    return statement, parameters
