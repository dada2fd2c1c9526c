"""The application's folder, and checks of folders and stores that options name."""

import os
from pathlib import Path

from benchmark.config.errors import ConfigError

ROOT = Path(__file__).resolve().parents[2]
"""The folder of the application, which holds `conf/` and `mlruns/`."""

UI_PORT = 5000
"""On which MLflow's UI is opened on this machine."""

STORES = ("sqlite", "http", "https", "postgresql", "mysql", "mssql", "databricks")
"""Where MLflow can keep runs, by the beginning of the address."""


def check_store(option: str, uri: str) -> None:
    """Raise ConfigError where MLflow keeps nothing: it would try for minutes to find that out."""
    scheme, separator, place = uri.partition("://")
    known = separator and scheme.partition("+")[0] in STORES
    if not known or (scheme == "sqlite" and len(place) < 2):
        reason = "give sqlite:///PATH.db or the http(s):// address of an MLflow server"
        raise ConfigError(reason, option, uri)
    file = local_file(uri)
    if file and os.path.lexists(file) and not file.is_file():
        raise ConfigError("is not a file; give that of a database, PATH.db", option, uri)
    check_folder(option, str(file.parent) if file else None, uri)


def local_file(uri: str) -> Path | None:
    """The database file of a local store, from a URI as SQLAlchemy takes it; None: a server's."""
    # Unlike Path.resolve, this goes no circles.
    return Path(os.path.realpath(uri[10:])) if uri.startswith("sqlite:///") else None


def check_folder(option: str, folder: str | None, value: str | None = None) -> None:
    """Check that a folder, None for none, is there or can be made, as an option names it.

    The option's value is the folder itself unless it is given.

    Raises:
        ConfigError: a file is in its way, or it would be where nothing may be written.
    """
    if folder is None:
        return
    value = value or folder
    place = ROOT / Path(folder).expanduser()
    there = nearest_there(place)
    if not os.path.isdir(there):  # noqa: PTH112
        raise ConfigError(f"{there} is not a folder; name another place", option, value)
    if there != place and not may_write(there):
        raise ConfigError(f"cannot be created: no permission to write to {there}", option, value)


def nearest_there(place: Path) -> Path:
    """A file or folder, or what is there of the folders above it."""
    # os.path takes what may not be looked at for what is not there; pathlib raises.
    return next(path for path in (place, *place.parents) if os.path.lexists(path))


def may_write(place: Path) -> bool:
    """Whether this process may write a file or folder, or make it where it is not there."""
    effective = os.access in os.supports_effective_ids
    return os.access(nearest_there(place), os.W_OK, effective_ids=effective)
