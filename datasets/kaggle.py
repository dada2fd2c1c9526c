"""Archives from Kaggle: downloaded once, with what a download that nobody watches needs.

The disk is checked before, a busy server or a lost connection is retried, what was interrupted
resumes, a damaged archive is downloaded again, and what is left of errors ends in one line.
"""

import errno
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from datasets import kaggle_client
from datasets.errors import DatasetError, unknown_name
from datasets.images import existing_folder
from datasets.kaggle_client import Destination, TransferError

ARCHIVES = {
    "best_artworks": "ikarus777/best-artworks-of-all-time/versions/1",
    "imagenet_mini": "ifigotin/imagenetmini-1000/versions/1",
}
"""Kaggle's handles; only with its version pinned can an archive be found without a network."""

GROUPS = {"best_artworks": "dataset", "imagenet_mini": "content"}
"""The option that chooses an archive; with `.root`, the one that takes an unpacked copy."""

ATTEMPTS = 5
"""Failures in a row, none of which brought more of the archive, after which to give up."""

DAMAGED_ATTEMPTS = 3
"""Damaged archives after which to give up: each costs the whole download."""

FIRST_DELAY = 5.0
"""Seconds before the second attempt, doubled before each further one, if Kaggle names no time."""

LONGEST_DELAY = 600.0
"""Seconds that Kaggle may ask to wait for; if it asks for more, the download ends with an error."""

Say = Callable[[str], None]


def cached(name: str) -> Path | None:
    """The unpacked folder of an archive in kagglehub's cache, None unless it is complete.

    Never uses the network.

    Raises:
        DatasetError: there is no such archive.
    """
    destination = _destination(name)
    return destination.folder if destination.is_complete() else None


def unpacked(name: str, root: str | None) -> Path:
    """The folder `root` of an unpacked archive; None: the one in the cache, downloaded if need be.

    Raises:
        DatasetError: there is no such folder, or it cannot be downloaded.
    """
    if root is None:
        return fetch(name)
    if _destination(name, Path(root).expanduser()).archive.exists():
        raise DatasetError(
            f"its download was interrupted; resume with `python -m datasets.fetch {name} --root "
            f"{root}`",
            option=f"{GROUPS[name]}.root",
            value=root,
        )
    return existing_folder(f"{GROUPS[name]}.root", root)


def not_the_archive(name: str, folder: Path, parts: str) -> DatasetError:
    """The error for a folder without an archive's images; `parts` of it can be given too."""
    return DatasetError(
        f"no images of {name}: give the unpacked archive's root, {parts}, or download it into a "
        f"new folder with `python -m datasets.fetch {name} --root PATH`",
        option=f"{GROUPS[name]}.root",
        value=folder,
    )


def fetch(name: str, root: Path | None = None, say: Say = print) -> Path:
    """The unpacked folder of an archive, downloaded if need be, resuming an interrupted download.

    Args:
        name: of the archive.
        root: a new or empty folder that receives the files; None takes kagglehub's cache
            (KAGGLEHUB_CACHE, else ~/.cache/kagglehub).
        say: takes lines that report what happens; progress goes to stderr.

    Raises:
        DatasetError: it cannot be downloaded; says why and what to do. What has arrived is kept.
    """
    destination = _destination(name, root.expanduser() if root else None)
    if destination.is_complete():
        return destination.folder
    with _errors_explained(name, destination):
        if root:
            _refuse_used(destination.folder)
        lock = destination.archive.with_suffix(".lock")
        with _locked(lock, say):
            if not destination.is_complete():
                _download(name, destination, say)
        lock.unlink(missing_ok=True)  # whoever waits for it finds all complete
    return destination.folder


def _destination(name: str, root: Path | None = None) -> Destination:
    if name not in ARCHIVES:
        raise unknown_name("archive", name, list(ARCHIVES))
    return Destination(ARCHIVES[name], root)


def _refuse_used(folder: Path) -> None:
    """Refuse a folder that is not empty; an empty one is removed, to be replaced by a rename."""
    if folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()
    elif folder.exists():
        raise DatasetError(
            f"{folder} is not an empty folder, and nothing in it is changed: name a new one (if it "
            "holds the images already, give it to the benchmark)"
        )


@contextmanager
def _locked(lock: Path, say: Say) -> Iterator[None]:
    """Let one process in at a time: two that append to one archive spoil it for both."""
    lock.parent.mkdir(parents=True, exist_ok=True)
    try:
        held = FileLock(lock).acquire(timeout=0)
    except Timeout:
        say(f"waiting for another process that downloads into {lock.parent}")
        held = FileLock(lock).acquire()
    with held:
        yield


def _download(name: str, destination: Destination, say: Say) -> None:
    """Download and unpack an archive, with as many attempts as make sense.

    A failure that leaves more of the archive than ever before does not count: even a poor
    connection completes it in the end.
    """
    archive = destination.archive
    most, failures, damaged, reached = _size(archive), 0, 0, False

    def begin(total: int, present: int) -> None:
        nonlocal reached
        reached = True
        _check_disk(name, archive.parent, 2 * total - present)
        size = _gigabytes(total) + (f", {_gigabytes(present)} already here" if present else "")
        say(f"{name}: downloading {_page(name)} to {destination.folder} ({size})")

    while True:
        try:
            kaggle_client.download(destination.handle, archive, begin)
            say(f"{name}: unpacking")
            return destination.unpack()
        except TransferError as error:
            asked, present = error.retry_after, _size(archive)
            delay = FIRST_DELAY * 2**failures if asked is None else asked
            failures = 0 if present > most else failures + 1
            most, damaged = max(most, present), damaged + error.is_damaged
            gives_up = failures >= ATTEMPTS or damaged >= DAMAGED_ATTEMPTS or delay > LONGEST_DELAY
            # Without a network it fails at once.
            if gives_up or not error.is_transient or not (reached or error.status):
                raise
            say(f"{name}: {error.reason}; retrying in {delay:.0f} s")
            time.sleep(delay)


def _check_disk(name: str, folder: Path, needed: int) -> None:
    """Check that the archive and what is unpacked of it have room beside each other.

    Raises:
        DatasetError: they have not.
    """
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise _error(
            name,
            f"the archive and its unpacked files need {_gigabytes(needed)} of disk; {folder} has "
            f"{_gigabytes(free)} free: {_another_place(name)}",
        )


@contextmanager
def _errors_explained(name: str, destination: Destination) -> Iterator[None]:
    """Turn what may go wrong with Kaggle, the network and the disk into one clear line."""
    try:
        yield
    except DatasetError:
        raise
    except TransferError as error:
        raise _error(name, f"{error.reason}. {_remedy(name, error)}") from error
    except ValueError as error:  # of kagglehub's reader of credentials
        raise _error(name, f"{error}: repair or delete it") from error
    except OSError as error:
        what = f"{error}, while downloading to {destination.folder}"
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            what = (
                f"the disk of {destination.folder} is full ({error.strerror}). What has been "
                "downloaded is kept, and the same command resumes"
            )
        raise _error(name, f"{what}: {_another_place(name)}") from error


def _remedy(name: str, error: TransferError) -> str:
    """What to do about a download that failed."""
    page, root = _page(name), f"{GROUPS[name]}.root"
    by_hand = f"download {page} in a browser, unpack it, and set {root}=PATH"
    if error.status in (401, 403):
        wanted = "other credentials" if kaggle_client.has_credentials() else "credentials"
        return (
            f"It asks for {wanted}: create a token at https://www.kaggle.com/settings and set "
            "KAGGLE_API_TOKEN, or KAGGLE_USERNAME and KAGGLE_KEY, or save it as "
            f"~/.kaggle/kaggle.json. Or {by_hand}"
        )
    if error.status == 404:
        return (
            f"The version that this project uses, {ARCHIVES[name]}, was not found. See whether "
            f"{page} has it under another name, or {by_hand}"
        )
    if error.is_damaged:
        return f"It did so {DAMAGED_ATTEMPTS} times: try later, or {by_hand}"
    if error.status is None:
        return f"With a network, the same command resumes; without one, {by_hand}"
    asked = error.retry_after or 0.0
    later = f"in {asked / 60:.0f} minutes" if asked > LONGEST_DELAY else "later"
    return f"Repeat the same command {later}: it resumes. Or {by_hand}"


def _another_place(name: str) -> str:
    return (
        "make room, or choose another place: set KAGGLEHUB_CACHE=PATH, or run `python -m "
        f"datasets.fetch {name} --root PATH` and then set {GROUPS[name]}.root=PATH"
    )


def _error(name: str, reason: str) -> DatasetError:
    return DatasetError(reason, option=GROUPS[name], value=name)


def _page(name: str) -> str:
    """Where a browser finds an archive."""
    return f"https://www.kaggle.com/datasets/{ARCHIVES[name].partition('/versions')[0]}"


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _gigabytes(size: float) -> str:
    return f"{size / 1e9:.2f} GB"
