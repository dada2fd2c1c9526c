"""A local MLflow store, looked at before MLflow opens it.

MLflow tries for minutes to open what cannot be opened, turns an older store into one of its own
version unasked, and puts its tables into any database.
"""

import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from alembic.script import ScriptDirectory
from alembic.util import CommandError
from filelock import FileLock

from benchmark.config.errors import ConfigError

SETTLED_AFTER = 3.0
"""Seconds without a change after which a database is not being made any more."""

MADE_WITHIN = 60.0
"""Seconds for which that is waited for."""


@contextmanager
def first_in(file: Path) -> Iterator[None]:
    """Make a store alone: of several processes at a new one, MLflow fails in all but one."""
    if file.exists() and file.stat().st_size:
        yield
        return
    file.parent.mkdir(parents=True, exist_ok=True)
    lock = file.with_name(f".{file.name}.lock")
    with FileLock(lock):
        yield
    lock.unlink(missing_ok=True)


def check(uri: str, file: Path, migrations: Path, version: str, *, write: bool) -> None:
    """Check that a database can be opened, and is one of the installed MLflow's.

    Args:
        uri: of the store, for messages.
        file: the database; need not be there.
        migrations: MLflow's folder of the versions of its tables.
        version: MLflow's own, for messages.
        write: whether it is to be written.

    Raises:
        ConfigError: it is none of this MLflow's, or cannot be read, or written.
    """
    wrong = f"tracking.uri={uri}"
    if file.is_dir():
        raise ConfigError(f"{wrong}: is a folder; give a file in it, such as {uri}/mlflow.db")
    nearest = next(path for path in (file, *file.parents) if path.exists())
    if nearest != file and not nearest.is_dir():
        raise ConfigError(f"{wrong}: {nearest} is a file, so nothing can be in it; give another")
    # SQLite writes a journal beside the file.
    places = {nearest, nearest if nearest.is_dir() else nearest.parent} if write else {nearest}
    for place in places:
        if not os.access(place, os.W_OK if write else os.R_OK):
            verb = "written" if write else "read"
            raise ConfigError(f"{wrong}: {place} cannot be {verb}: change who may, or give another")
    if file.exists() and file.stat().st_size:
        _check_tables(wrong, uri, file, migrations, version)


def _check_tables(wrong: str, uri: str, file: Path, migrations: Path, version: str) -> None:
    here = f"the installed {version}"
    known = ScriptDirectory(str(migrations))
    newest = known.get_current_head()
    try:
        found = _tables_of(file, newest)
    except sqlite3.OperationalError:
        return  # Locked, which passes; or MLflow will say what it is.
    except sqlite3.DatabaseError as error:
        raise ConfigError(f"{wrong}: {error}; give another, or a copy from before") from error
    if found is None:
        raise ConfigError(f"{wrong}: is a database, but not MLflow's; give another")
    if found == newest:
        return
    try:
        known.get_revision(found)
    except CommandError as error:
        raise ConfigError(
            f"{wrong}: a newer MLflow than {here} has written it; update with "
            "`pip install --upgrade mlflow`, or give another"
        ) from error
    raise ConfigError(
        f"{wrong}: an older MLflow than {here} has written it; make a copy of the file, then bring "
        f"it up to date with `mlflow db upgrade {uri}`"
    )


def _tables_of(file: Path, newest: str | None) -> str | None:
    """Which version of MLflow's tables a database has; None: it has none of them.

    Raises:
        sqlite3.DatabaseError: it cannot be read.
    """
    end = time.monotonic() + MADE_WITHIN
    while True:
        with closing(sqlite3.connect(f"{file.as_uri()}?mode=ro", uri=True)) as database:
            named = "SELECT name FROM sqlite_master WHERE name = 'alembic_version'"
            there = database.execute(named).fetchone()
            found = there and database.execute("SELECT version_num FROM alembic_version").fetchone()
        version: str | None = found[0] if found else None
        # Another process may be making it: MLflow then goes through all its versions.
        changing = abs(time.time() - file.stat().st_mtime) < SETTLED_AFTER
        if version == newest or not changing or time.monotonic() > end:
            return version
        time.sleep(0.1)
