"""Archives from Kaggle, through its own client kagglehub.

kagglehub resumes a partial archive, compares its MD5 sum where the server tells one, and marks a
folder as complete only when everything is unpacked. This module adds what a run without anybody
watching needs: the disk is checked before, a busy server or a lost connection is waited for, a
damaged archive is fetched again, and what cannot be helped ends in one line.

kagglehub is imported where it is used, because that takes a third of a second.
"""

import errno
import os
import shutil
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock
from filelock import Timeout as LockTimeout
from tenacity import RetryCallState, Retrying, retry_if_exception

from datasets.errors import DatasetError, unknown_name
from datasets.kaggle_client import DamagedError, Say, environment, is_busy, prepared

if TYPE_CHECKING:
    from requests import HTTPError

ARCHIVES = {
    "best_artworks": "ikarus777/best-artworks-of-all-time/versions/1",
    "imagenet_mini": "ifigotin/imagenetmini-1000/versions/1",
}
"""Kaggle's handles; only with its version pinned can an archive be found without a network."""

ROOTS = {"best_artworks": "dataset.root", "imagenet_mini": "content.root"}
"""The options of the benchmark that take an unpacked copy."""

STORE = ".kagglehub"
"""What is not complete yet of a download into a folder of the user's choice."""

MARK = ".fetched"
"""Holds the handle of the archive that a folder was completely fetched from."""

ATTEMPTS = 5
"""Failures in a row, none of which brought more of the archive, after which to give up."""

DAMAGED = 3
"""Damaged archives after which to give up: each costs the whole download."""

FIRST_WAIT = 5.0
"""Seconds before the second attempt, doubled before each further one, if Kaggle names no time."""

LONGEST_WAIT = 600.0
"""Seconds that Kaggle may ask to wait for; the user is told if it is more."""


@dataclass(frozen=True)
class _Place:
    """Where kagglehub keeps an archive, in the cache that the environment names at the moment.

    Attributes:
        name: ours.
        handle: kagglehub's DatasetHandle.
        archive: the file, while it is downloaded and unpacked.
        folder: what is unpacked of it.
    """

    name: str
    handle: Any
    archive: Path
    folder: Path

    @property
    def page(self) -> str:
        """Where a browser finds it."""
        return f"https://www.kaggle.com/datasets/{self.handle.owner}/{self.handle.dataset}"


def cached(name: str) -> Path | None:
    """The unpacked folder of an archive in kagglehub's cache, None unless it is complete.

    Never uses the network.

    Raises:
        DatasetError: there is no such archive.
    """
    folder = _complete(_place(name))
    return folder if folder and any(folder.iterdir()) else None


def unfinished(root: Path) -> bool:
    """Whether a download into a folder was begun and not completed."""
    return (root.expanduser() / STORE).is_dir()


def fetch(name: str, root: Path | None = None, say: Say = print) -> Path:
    """The unpacked folder of an archive, downloaded unless it is there; resumes what was begun.

    Args:
        name: of the archive.
        root: a new, empty or unfinished folder that receives the files; None takes kagglehub's
            cache (KAGGLEHUB_CACHE, else ~/.cache/kagglehub).
        say: takes lines that tell what goes on; a progress bar goes to stderr.

    Raises:
        DatasetError: it cannot be had; says why and what to do. What has arrived is kept.
    """
    if root is not None:
        return _fetch_into(root.expanduser(), name, say)
    place = _place(name)
    with _one_line(place, place.archive.parent):
        if found := cached(name):
            return found
        with _alone(place.archive.with_suffix(".lock"), say):
            return cached(name) or _download(place, place.folder, say)


def _fetch_into(root: Path, name: str, say: Say) -> Path:
    """Download into a folder: below it first, then everything moves up, then it is marked."""
    store = root / STORE
    # kagglehub's own output_dir cannot resume: it refuses a folder that is not empty.
    with environment(KAGGLEHUB_CACHE=str(store.absolute())):
        place = _place(name)
        with _one_line(place, root):
            if _was_fetched(root, place) and not store.exists():
                return root
            _refuse_foreign(root, place)
            try:
                with _alone(store / "lock", say):
                    if not _was_fetched(root, place):
                        _move_up(_complete(place) or _download(place, root, say), root)
                        (root / MARK).write_text(str(place.handle))
            finally:
                begun = _size(place.archive) > 0 or place.folder.exists()
                if _was_fetched(root, place) or not begun:
                    shutil.rmtree(store, ignore_errors=True)
    return root


@contextmanager
def _alone(lock: Path, say: Say) -> Iterator[None]:
    """Let one process in at a time: two that append to one archive spoil it for both."""
    lock.parent.mkdir(parents=True, exist_ok=True)
    one = FileLock(lock)
    try:
        one.acquire(timeout=0)
    except LockTimeout:
        say(f"waiting for another process that downloads into {lock.parent}")
        one.acquire()
    try:
        yield
    finally:
        one.release()


def _place(name: str) -> _Place:
    """Where an archive is.

    Raises:
        DatasetError: there is no such archive.
    """
    if name not in ARCHIVES:
        raise unknown_name("archive", name, list(ARCHIVES))
    from kagglehub.cache import get_cached_archive_path, get_cached_path
    from kagglehub.handle import parse_dataset_handle

    handle = parse_dataset_handle(ARCHIVES[name])
    archive, folder = get_cached_archive_path(handle), get_cached_path(handle)
    return _Place(name, handle, Path(archive), Path(folder))


def _complete(place: _Place) -> Path | None:
    """The unpacked folder if kagglehub marked it as complete."""
    from kagglehub.cache import Cache

    return place.folder if Cache().load_from_cache(place.handle) else None


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _gigabytes(size: float) -> str:
    return f"{size / 1e9:.2f} GB"


# A folder of the user's choice


def _was_fetched(root: Path, place: _Place) -> bool:
    mark = root / MARK
    return mark.is_file() and mark.read_text() == str(place.handle)


def _refuse_foreign(root: Path, place: _Place) -> None:
    """Refuse a folder that holds anything but an unfinished download of this archive.

    Raises:
        DatasetError: says what it holds.
    """
    if root.exists() and not root.is_dir():
        raise DatasetError(f"{root} is a file: name a new or an empty folder")
    store = root / STORE
    begun = {"/".join(path.parts[-2:]) for path in (store / "datasets").glob("*/*")}
    if others := begun - {f"{place.handle.owner}/{place.handle.dataset}"}:
        raise DatasetError(
            f"{root} holds an unfinished download of {', '.join(sorted(others))}: name another "
            f"folder, or delete {store}"
        )
    if root.exists() and not store.exists() and any(root.iterdir()):
        raise DatasetError(
            f"{root} is not empty and no download was begun there, so nothing in it is touched: "
            "name a new or an empty folder (if the pictures are in it already, nothing need be "
            "fetched: give the folder to the benchmark)"
        )


def _move_up(folder: Path, root: Path) -> None:
    """Move the entries of the unpacked folder to the root; those moved earlier are gone from it.

    Raises:
        DatasetError: the user has put something of the same name there meanwhile.
    """
    for entry in sorted(folder.iterdir()):
        target = root / entry.name
        # A rename would replace a file of the user's without a word.
        if os.path.lexists(target):
            raise DatasetError(f"{target} is in the way: move it elsewhere, then fetch again")
        entry.rename(target)


# The download


def _download(place: _Place, target: Path, say: Say) -> Path:
    """Download and unpack an archive, with as many attempts as make sense."""
    place.archive.parent.mkdir(parents=True, exist_ok=True)
    with prepared(say):
        total = _total_bytes(place)
        present = _size(place.archive)
        _check_disk(place, total, present)
        sizes = [_gigabytes(total)] if total else []
        sizes += [f"{_gigabytes(present)} of it here already"] if present else []
        size = f" ({', '.join(sizes)})" if sizes else ""
        say(f"{place.name}: downloading {place.page} to {target}{size}")
        patience = _Patience(place.archive, present)
        attempts = Retrying(
            retry=retry_if_exception(_may_pass),
            wait=patience.wait,
            stop=patience.is_done,
            before_sleep=lambda state: say(
                f"{place.name}: {_reason(_error_of(state))}; "
                f"trying again in {state.upcoming_sleep:.0f} s"
            ),
            reraise=True,
        )
        try:
            return attempts(_attempt, place)
        finally:
            # What is half unpacked is of no use and takes the place of what is to come.
            if not _complete(place):
                shutil.rmtree(place.folder, ignore_errors=True)


def _attempt(place: _Place) -> Path:
    """Let kagglehub download or resume, and unpack.

    Raises:
        DamagedError: the archive was not right; it is gone.
        OSError: of requests, if Kaggle or the network fails; else of the disk.
    """
    import kagglehub
    from kagglehub.cache import Cache
    from kagglehub.exceptions import DataCorruptionError

    # Files of an earlier, damaged archive would stay among those of this one.
    Cache().delete_from_cache(place.handle)
    try:
        return Path(kagglehub.dataset_download(str(place.handle)))
    except DataCorruptionError as error:
        raise DamagedError("its checksum is wrong") from error
    except DamagedError:
        place.archive.unlink(missing_ok=True)
        raise
    except Exception as error:
        if not (place.archive.exists() and _comes_from_archive(error)):
            raise
        place.archive.unlink()
        raise DamagedError(f"it cannot be unpacked: {error or type(error).__name__}") from error


def _comes_from_archive(error: Exception) -> bool:
    """Whether unpacking fails like this; the types were found by unpacking damaged archives."""
    from requests import RequestException

    if isinstance(error, OSError):  # gzip's and bz2's own have no number; a wild seek is EINVAL
        return not isinstance(error, RequestException) and error.errno in (None, errno.EINVAL)
    archive_errors = (zipfile.BadZipFile, tarfile.TarError, zlib.error, EOFError)
    return isinstance(error, (*archive_errors, ValueError, RuntimeError))


def _total_bytes(place: _Place) -> int | None:
    """The size of the dataset, None where Kaggle does not tell it.

    Raises:
        DatasetError: the user's credentials cannot be read.
        OSError: of requests, if Kaggle cannot be reached.
    """
    from kagglehub.clients import build_kaggle_client
    from kagglesdk.datasets.types.dataset_api_service import ApiGetDatasetRequest
    from requests import HTTPError

    request = ApiGetDatasetRequest()
    request.owner_slug, request.dataset_slug = place.handle.owner, place.handle.dataset
    try:
        client = build_kaggle_client()
    except ValueError as error:
        raise DatasetError(f"{error}: repair or delete it") from error
    try:
        with client:
            return int(client.datasets.dataset_api_client.get_dataset(request).total_bytes) or None
    except (HTTPError, ValueError):  # a refusal, or no JSON: the download itself will tell
        return None


def _check_disk(place: _Place, total: int | None, present: int) -> None:
    """Check that the archive and what is unpacked of it have room beside each other.

    Raises:
        DatasetError: they have not.
    """
    needed = 2 * (total or 0) - present
    free = shutil.disk_usage(place.archive.parent).free
    if free < needed:
        raise DatasetError(
            f"{place.name} needs {_gigabytes(needed)} of disk (the archive and what is unpacked of "
            f"it); {place.archive.parent} has {_gigabytes(free)} free: {_elsewhere(place)}"
        )


# When it fails


@dataclass
class _Patience:
    """How long to go on with a download that keeps failing.

    A failure that leaves more of the archive than ever before does not count: a poor connection
    gets there in the end.
    """

    archive: Path
    most: int
    fruitless: int = 0
    damaged: int = 0

    def wait(self, state: RetryCallState) -> float:
        """Seconds until the next attempt: what Kaggle asks for, else ever longer."""
        asked = _retry_after(_error_of(state))
        return FIRST_WAIT * 2**self.fruitless if asked is None else asked

    def is_done(self, state: RetryCallState) -> bool:
        """Count a failure; whether it was the last."""
        present = _size(self.archive)
        self.fruitless = 0 if present > self.most else self.fruitless + 1
        self.most = max(self.most, present)
        self.damaged += isinstance(_error_of(state), DamagedError)
        too_long = state.upcoming_sleep > LONGEST_WAIT
        return self.fruitless >= ATTEMPTS or self.damaged >= DAMAGED or too_long


def _error_of(state: RetryCallState) -> BaseException | None:
    return state.outcome.exception() if state.outcome else None


def _may_pass(error: BaseException) -> bool:
    """Whether another attempt may succeed."""
    from requests import ConnectionError, HTTPError, Timeout
    from requests.exceptions import ChunkedEncodingError

    if isinstance(error, HTTPError):
        return is_busy(_status(error))
    return isinstance(error, (DamagedError, ConnectionError, Timeout, ChunkedEncodingError))


def _status(error: "HTTPError") -> int:
    response = error.response
    assert response is not None, "kagglehub and requests give each HTTPError its response"
    # Kaggle may answer 200 with the status in the body.
    return response.status_code if response.status_code >= 400 else int(response.json()["code"])


def _retry_after(error: BaseException | None) -> float | None:
    """Seconds that the server asks to wait, from its Retry-After header in either form."""
    from requests import HTTPError

    if not isinstance(error, HTTPError) or error.response is None:
        return None
    asked = error.response.headers.get("Retry-After", "").strip()
    if asked.isdecimal():
        return float(asked)
    try:
        return max(0.0, (parsedate_to_datetime(asked) - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError):  # no date, or one without a time zone
        return None


def _reason(error: BaseException | None) -> str:
    """What happened, in a few words."""
    from requests import HTTPError

    if isinstance(error, HTTPError):
        phrase = error.response.reason if error.response is not None else ""
        return f"Kaggle answers {_status(error)} {phrase}".strip()
    if isinstance(error, DamagedError):
        return f"the archive arrived damaged ({error})"
    return f"the connection to Kaggle failed ({_innermost(error)})"


def _innermost(error: object) -> object:
    """What requests and urllib3 wrapped, in any of their three ways."""
    while isinstance(error, BaseException):
        wrapped = error.__cause__ or getattr(error, "reason", None) or next(iter(error.args), None)
        if not isinstance(wrapped, BaseException):
            break
        error = wrapped
    return error


def _elsewhere(place: _Place) -> str:
    return (
        "make room, or choose another place: set KAGGLEHUB_CACHE=PATH, or run `python -m "
        f"datasets.fetch {place.name} --root PATH` and then use {ROOTS[place.name]}=PATH"
    )


@contextmanager
def _one_line(place: _Place, target: Path) -> Iterator[None]:
    """Turn what may go wrong with Kaggle, the network and the disk into one clear line."""
    try:
        yield
    except (DamagedError, OSError) as error:
        raise DatasetError(f"{place.name}: {_explained(place, target, error)}") from error


def _explained(place: _Place, target: Path, error: Exception) -> str:
    """What is wrong and what to do."""
    from requests import HTTPError, RequestException

    copy = f"unpack it, and give its folder: {ROOTS[place.name]}=PATH"
    by_hand = f"download {place.page} in a browser, {copy}"
    if isinstance(error, HTTPError):
        return _refusal(place, error, by_hand)
    if isinstance(error, DamagedError):
        return f"{_reason(error)} again and again. Try later, or {by_hand}"
    if isinstance(error, RequestException):
        return (
            f"{_reason(error)}. With a network, the same command goes on where it stopped; "
            f"without one, {by_hand}"
        )
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return (
            f"the disk of {target} is full ({error.strerror}). What has been downloaded is kept, "
            f"and the same command goes on from there: {_elsewhere(place)}"
        )
    return f"{error}. It belongs to the download to {target}: {_elsewhere(place)}"


def _refusal(place: _Place, error: "HTTPError", by_hand: str) -> str:
    """What to do about an answer that is an error."""
    from kagglehub.config import get_kaggle_credentials

    status = _status(error)
    if status in (401, 403):
        wants = "others than those given" if get_kaggle_credentials() else "credentials"
        return (
            f"{_reason(error)} for {place.handle}: it wants {wants}. Create a token at "
            "https://www.kaggle.com/settings and set KAGGLE_API_TOKEN, or KAGGLE_USERNAME and "
            f"KAGGLE_KEY, or save it as ~/.kaggle/kaggle.json. Or {by_hand}"
        )
    if status == 404:
        return (
            f"{_reason(error)}: {place.handle}, the version that this project uses, was not found. "
            f"See whether {place.page} has it under another name, or {by_hand}"
        )
    asked = _retry_after(error) or 0.0
    later = f"in {asked / 60:.0f} minutes" if asked > LONGEST_WAIT else "later"
    return f"{_reason(error)}. Repeat the same command {later}: it resumes. Or {by_hand}"
