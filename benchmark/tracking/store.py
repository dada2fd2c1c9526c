"""MLflow's client, with outages waited out and interrupts held back during writes."""

import sqlite3
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from functools import wraps
from pathlib import Path
from typing import Any, ClassVar, TypeVar
from uuid import uuid4

import pandas as pd
from mlflow import MlflowClient
from mlflow.entities import (
    DatasetInput,
    Experiment,
    Run,
)
from mlflow.exceptions import MlflowException
from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository
from PIL import Image
from sqlalchemy import event
from sqlalchemy.engine import Engine

from benchmark.runtime import interrupt
from benchmark.tracking.outage import LIMIT, OutageError, in_words, retry_until_available

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
            return retry_until_available(undisturbed, say, 0.0 if Store.hurried else self.patience)
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


def in_short(error: Exception) -> str:
    """An error in a line, of a store only what is at the bottom of it."""
    of_store = type(error).__module__.split(".")[0] in ("mlflow", "sqlalchemy")
    told = f"MLflow: {in_words(error)}" if of_store else f"{type(error).__name__}: {error}"
    return " ".join(told.split())


def refusal(error: Exception) -> str | None:
    """What to do where a server refuses a person; None where that is not what is wrong."""
    return REFUSALS.get(getattr(error, "error_code", ""))
