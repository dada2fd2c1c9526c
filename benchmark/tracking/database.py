"""A local MLflow store, checked before MLflow opens it.

MLflow tries for minutes to open what cannot be opened, migrates an older store to its own version
unasked, and creates its tables in any database.
"""

import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path

import mlflow
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from filelock import FileLock

from benchmark.config.errors import ConfigError
from benchmark.config.paths import check_store, nearest_there

SETTLED_AFTER = 3.0
"""Seconds without a change after which no process is creating the tables of a database."""

CREATED_WITHIN = 60.0
"""Seconds for which that is waited for."""


@contextmanager
def created_once(file: Path | None) -> Iterator[None]:
    """Create a store alone: of several processes at a new one, MLflow fails in all but one."""
    if file is None or (file.exists() and file.stat().st_size):
        yield
        return
    file.parent.mkdir(parents=True, exist_ok=True)
    lock = file.with_name(f".{file.name}.lock")
    with FileLock(lock):
        yield
    lock.unlink(missing_ok=True)


def check_database(uri: str, file: Path, *, write: bool) -> None:
    """Check that a local store can be read, or written, and is the installed MLflow's if it exists.

    Raises:
        ConfigError: it cannot, or its tables are of another version, or none of MLflow's.
    """
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
    """The version of MLflow's tables that a database has; None: it has none of them.

    Raises:
        sqlite3.DatabaseError: it cannot be read.
    """
    end = time.monotonic() + CREATED_WITHIN
    while True:
        with closing(sqlite3.connect(f"{file.as_uri()}?mode=ro", uri=True)) as database:
            tables = "SELECT name FROM sqlite_master WHERE name = 'alembic_version'"
            versions = "SELECT version_num FROM alembic_version"
            row = database.execute(tables).fetchone() and database.execute(versions).fetchone()
        revision: str | None = row[0] if row else None
        # Another process may be creating it: MLflow then goes through all its versions.
        changing = abs(time.time() - file.stat().st_mtime) < SETTLED_AFTER
        if revision == newest or not changing or time.monotonic() > end:
            return revision
        time.sleep(0.1)
