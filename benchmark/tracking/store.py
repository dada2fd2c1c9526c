"""MLflow's client, with outages retried and signals held back until a call is done.

A local store is checked before MLflow opens it: MLflow tries for minutes to open what cannot be
opened, migrates an older store to its own version unasked, and creates its tables in any database.
"""

import os
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlparse
from urllib.request import url2pathname

import mlflow
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from filelock import FileLock
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository
from sqlalchemy import Connection, event
from sqlalchemy.engine import Engine, make_url

from benchmark.config.errors import ConfigError
from benchmark.config.paths import check_store, local_file, nearest_there
from benchmark.runtime.interrupts import Interrupts
from benchmark.tracking.outage import RETRY_SECONDS, OutageError, Returned, retry_until_available

LOCK_MILLISECONDS = 500
"""For which SQLite waits for a lock within a call; longer ones are retried by `outage`.

MLflow's own 20 s are spent in native code, where no signal is heard.
"""


class Store:
    """An MLflow store of which each operation is done as a whole, and again after an outage."""

    def __init__(
        self, uri: str, interrupts: Interrupts | None = None, *, write: bool = True
    ) -> None:
        """Open the store at an address, to be written or only read.

        Raises:
            ConfigError: a local one cannot be, or is not the installed MLflow's.
            OutageError: it did not become available in time.
        """
        self.uri = uri
        self._interrupts = interrupts or Interrupts()
        self._limit_seconds = RETRY_SECONDS
        self._shutting_down = self._unreachable = False
        self._folders: dict[str, Path | None] = {}
        file = local_file(uri)
        if file:
            _check_database(uri, file, write=write)
        with _created_once(file) as is_new, _connected(uri, is_new=is_new):
            self._client: MlflowClient = self._retry(lambda: MlflowClient(uri))

    def shut_down(self) -> None:
        """From now on each call has a single, short attempt, because the program is ending.

        After the first that fails there are no more.
        """
        self._shutting_down, self._limit_seconds = True, 0.0
        os.environ["MLFLOW_HTTP_REQUEST_TIMEOUT"] = "1"  # Its only setting; read at each call.

    @contextmanager
    def single_attempts(self) -> Iterator[None]:
        """Retry nothing within the block."""
        limit, self._limit_seconds = self._limit_seconds, 0.0
        try:
            yield
        finally:
            self._limit_seconds = 0.0 if self._shutting_down else limit

    def call(self, operation: Callable[[MlflowClient], Returned]) -> Returned:
        """The result of an operation that may be done again; OutageError if that takes too long."""
        return self._retry(lambda: operation(self._client))

    def folder(self, run_id: str) -> Path | None:
        """The folder of a run's artifacts, where it is one of this machine's."""
        if run_id not in self._folders:
            uri = self.call(lambda client: client.get_run(run_id)).info.artifact_uri
            is_local = uri.startswith("file:")
            self._folders[run_id] = Path(url2pathname(urlparse(uri).path)) if is_local else None
        return self._folders[run_id]

    def files(self, run_id: str, folder: str | None) -> set[str]:
        """The files and folders of a run in a folder, or at its top level."""
        if own := self.folder(run_id):
            return {str(path.relative_to(own)) for path in (own / (folder or "")).glob("*")}
        return {item.path for item in self.call(lambda c: c.list_artifacts(run_id, folder))}

    def read(self, run_id: str, file: str) -> bytes:
        """The content of an artifact."""
        # MLflow asks its database for the run and copies the file, each time.
        if (own := self.folder(run_id)) and ".." not in file and (own / file).is_file():
            return (own / file).read_bytes()

        def download(client: MlflowClient) -> bytes:
            with tempfile.TemporaryDirectory() as folder:
                return Path(client.download_artifacts(run_id, file, folder)).read_bytes()

        try:
            return self.call(download)
        except MlflowException:
            # MLflow says that there is no such file also where there is no server.
            if not self.call(lambda client: _exists(client, run_id, file)):
                raise
            return self.call(download)

    def _retry(self, action: Callable[[], Returned]) -> Returned:
        def undisturbed() -> Returned:
            # An interrupted request does no harm: the server does all of it or nothing.
            with nullcontext() if is_server(self.uri) else self._interrupts.deferred():
                return action()

        def announce(line: str) -> None:
            print(f"  {line}", file=sys.stderr, flush=True)

        self._interrupts.check()
        if self._unreachable:
            raise OutageError(f"MLflow {self.uri} does not answer")
        start = time.monotonic()
        try:
            limit = self._limit_seconds
            return retry_until_available(undisturbed, announce, limit, wait=self._wait)
        except OutageError:
            self._unreachable = self._shutting_down
            raise
        except KeyboardInterrupt:
            # An interrupted call that took longer than a second is taken not to have arrived.
            self._unreachable = time.monotonic() - start > 1
            raise

    def _wait(self, seconds: float) -> None:
        """Wait until the next attempt; OutageError where there is none, for the program ends."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            if self._shutting_down:
                raise OutageError(f"MLflow {self.uri} does not answer")
            time.sleep(min(left, 0.1))


def remove_artifact(client: MlflowClient, run_id: str, file: str) -> None:
    """Remove an artifact if it exists."""
    if _exists(client, run_id, file):
        uri = client.get_run(run_id).info.artifact_uri
        artifacts: Any = get_artifact_repository(uri, tracking_uri=client.tracking_uri)
        artifacts.delete_artifacts(file)


def is_server(uri: str) -> bool:
    """Whether a store is reached over HTTP."""
    return uri.startswith(("http://", "https://"))


def _exists(client: MlflowClient, run_id: str, file: str) -> bool:
    folder = file.rpartition("/")[0] or None
    return any(item.path == file for item in client.list_artifacts(run_id, folder))


@contextmanager
def _connected(uri: str, *, is_new: bool) -> Iterator[None]:
    """Make the engine that MLflow opens for an SQLite store wait briefly for locks.

    MLflow has no setting for this and creates the engine itself, so that SQLAlchemy's event of a
    first connection is where it can be caught; later connections are caught on the engine alone.
    While MLflow creates a store, in hundreds of writes, it does not wait for the disk.
    """
    engines: set[Engine] = set()

    def limit(connection: Connection) -> None:
        engine = connection.engine
        if engine.url != make_url(uri):
            return
        engines.add(engine)
        if not event.contains(engine, "connect", _set_lock_wait):
            event.listen(engine, "connect", _set_lock_wait)
            event.listen(engine, "before_cursor_execute", _limit_lock_wait, retval=True)
            _set_lock_wait(connection.connection.dbapi_connection)
        if is_new:
            connection.connection.cursor().execute("PRAGMA synchronous = OFF")

    if not uri.startswith("sqlite"):
        yield
        return
    event.listen(Engine, "engine_connect", limit)
    try:
        yield
    finally:
        event.remove(Engine, "engine_connect", limit)
        for engine in engines if is_new else ():
            engine.dispose()  # These connections; the next ones do wait for the disk.


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


@contextmanager
def _created_once(file: Path | None) -> Iterator[bool]:
    """Create a store alone: of several processes at a new one, MLflow fails in all but one.

    Gives whether it is new.
    """
    if file is None or (file.exists() and file.stat().st_size):
        yield False
        return
    file.parent.mkdir(parents=True, exist_ok=True)
    lock = file.with_name(f".{file.name}.lock")
    with FileLock(lock):
        yield not file.exists() or not file.stat().st_size
    lock.unlink(missing_ok=True)


def _check_database(uri: str, file: Path, *, write: bool) -> None:
    """Raise ConfigError unless a local store can be read, or written, by the installed MLflow."""
    check_store("tracking.uri", uri)
    wrong = partial(ConfigError, option="tracking.uri", value=uri)
    nearest = nearest_there(file)
    mode, verb = (os.W_OK, "written") if write else (os.R_OK, "read")
    # SQLite writes a journal beside the file.
    for path in {nearest, nearest if nearest.is_dir() else nearest.parent} if write else {nearest}:
        if not os.access(path, mode):
            raise wrong(f"{path} cannot be {verb}: change its permissions, or give another")
    if not file.exists() or not file.stat().st_size:
        return
    scripts = ScriptDirectory(str(Path(mlflow.__file__).parent / "store" / "db_migrations"))
    newest = scripts.get_current_head()
    try:
        revision = _revision(file, newest)
    except sqlite3.OperationalError:
        return  # Locked, which passes; or MLflow will say what it is.
    except sqlite3.DatabaseError as error:
        raise wrong(f"{error}; give another, or restore a backup") from error
    if revision is None:
        raise wrong("is a database, but not MLflow's; give another")
    if revision == newest:
        return
    installed = f"MLflow than the installed {mlflow.__version__}"
    try:
        scripts.get_revision(revision)
    except CommandError as error:
        update = "update with `pip install --upgrade mlflow`, or give another"
        raise wrong(f"was written by a newer {installed}; {update}") from error
    raise wrong(
        f"was written by an older {installed}; make a copy of the file, then migrate it with "
        f"`mlflow db upgrade {uri}`"
    )


def _revision(file: Path, newest: str | None) -> str | None:
    """The version of MLflow's tables that a database has, if any; sqlite3's error if unreadable."""
    end = time.monotonic() + 60
    while True:
        with closing(sqlite3.connect(f"{file.as_uri()}?mode=ro", uri=True)) as database:
            tables = "SELECT name FROM sqlite_master WHERE name = 'alembic_version'"
            versions = "SELECT version_num FROM alembic_version"
            row = database.execute(tables).fetchone() and database.execute(versions).fetchone()
        revision: str | None = row[0] if row else None
        # Another process may be creating it: MLflow then goes through all its versions, each in
        # less than 3 s.
        changing = abs(time.time() - file.stat().st_mtime) < 3
        if revision == newest or not changing or time.monotonic() > end:
            return revision
        time.sleep(0.1)
