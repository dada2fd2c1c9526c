"""Archives from Kaggle: downloaded once, with what a download that nobody watches needs.

The disk is checked before, a busy server or a lost connection is retried, what was interrupted
resumes, a damaged archive is downloaded again, and other errors end in one line.
"""

import errno
import time
from contextlib import AbstractContextManager
from itertools import count
from pathlib import Path

from filelock import FileLock, Timeout

from datasets.errors import DatasetError
from datasets.images import existing_folder
from datasets.kaggle_client import KaggleArchive, Say, TransferError

ARCHIVES = {
    "best_artworks": "ikarus777/best-artworks-of-all-time/versions/1",
    "imagenet_mini": "ifigotin/imagenetmini-1000/versions/1",
}
"""Kaggle's handles."""

GROUPS = {"best_artworks": "dataset", "imagenet_mini": "content"}
"""The option that chooses an archive; with `.root`, the one that takes an unpacked copy."""

ATTEMPTS = 5  # failures in a row, none of which brought more of the archive, after which to give up
DAMAGED_ATTEMPTS = 3  # damaged archives after which to give up: each costs the whole download
FIRST_DELAY = 5.0
"""Seconds before the second attempt, doubled before each further one, if Kaggle names no time."""

LONGEST_DELAY = 600.0
"""Seconds that Kaggle may ask to wait for; if it asks for more, the download ends with an error."""


def cached(name: str) -> Path | None:
    """The unpacked folder of an archive in kagglehub's cache, None unless it is complete.

    Never uses the network.
    """
    archive = _archive(name)
    return archive.folder if archive.is_complete() else None


def unpacked(name: str, root: str | None) -> Path:
    """The folder `root` of an unpacked archive; None: the one in the cache, downloaded if need be.

    Raises:
        DatasetError: there is no such folder, or it cannot be downloaded.
    """
    if root is None:
        return fetch(name)
    option = f"{GROUPS[name]}.root"
    if _archive(name, Path(root)).file.exists():
        resume = f"python -m datasets.fetch {name} --root {root}"
        raise DatasetError(
            f"its download was interrupted; resume with `{resume}`", option=option, value=root
        )
    return existing_folder(option, root)


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

    It is `root`, a new or empty folder; None: in kagglehub's cache (KAGGLEHUB_CACHE, else
    ~/.cache/kagglehub). `say` takes lines that report what happens; progress goes to stderr.

    Raises:
        DatasetError: it cannot be downloaded; says why and what to do. What has arrived is kept.
    """
    archive = _archive(name, root)
    if archive.is_complete():
        return archive.folder
    try:
        if root:
            _refuse_used(archive.folder)
        lock = archive.file.with_suffix(".lock")
        with _acquired(lock, say):
            if not archive.is_complete():
                _download(archive, lambda line: say(f"{name}: {line}"))
        lock.unlink(missing_ok=True)  # whoever waits for it finds all complete
    except DatasetError:
        raise
    except (TransferError, ValueError, OSError) as error:
        raise DatasetError(_reason(error, name, archive), GROUPS[name], name) from error
    return archive.folder


def _archive(name: str, root: Path | None = None) -> KaggleArchive:
    return KaggleArchive(ARCHIVES[name], root.expanduser() if root else None)


def _refuse_used(folder: Path) -> None:
    """Refuse a folder that is not empty; an empty one is removed, to be replaced by a rename."""
    if folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()
    elif folder.exists():
        raise DatasetError(
            f"{folder} is not an empty folder, and nothing in it is changed: name a new one (if it "
            "holds the images already, give it to the benchmark)"
        )


def _acquired(lock: Path, say: Say) -> AbstractContextManager[object]:
    """Let one process in at a time: two that append to one archive spoil it for both."""
    lock.parent.mkdir(parents=True, exist_ok=True)
    try:
        return FileLock(lock).acquire(timeout=0)
    except Timeout:
        say(f"waiting for another process that downloads into {lock.parent}")
        return FileLock(lock).acquire()


def _download(archive: KaggleArchive, say: Say) -> None:
    """Download and unpack an archive, with as many attempts as make sense.

    A failure that leaves more of the archive than ever before does not count: even a poor
    connection completes it in the end. A first attempt that reaches nobody is the last.
    """
    most, failures, damaged = archive.present, 0, 0
    for attempt in count(1):
        try:
            archive.download(say)
            say("unpacking")
            archive.unpack()
            return
        except TransferError as error:
            delay = error.retry_after
            delay = FIRST_DELAY * 2**failures if delay is None else delay
            grown, damaged = archive.present > most, damaged + error.is_damaged
            most, failures = max(most, archive.present), 0 if grown else failures + 1
            offline = attempt == 1 and not (grown or damaged or error.status)
            gives_up = failures >= ATTEMPTS or damaged >= DAMAGED_ATTEMPTS or delay > LONGEST_DELAY
            if offline or gives_up or not error.is_transient:
                raise
            say(f"{error.reason}; retrying in {delay:.0f} s")
            time.sleep(delay)


def _reason(error: Exception, name: str, archive: KaggleArchive) -> str:
    """What went wrong with Kaggle, the network or the disk, and what to do."""
    root = f"{GROUPS[name]}.root=PATH"
    if isinstance(error, TransferError):
        by_hand = f"download {archive.page} in a browser, unpack it, and set {root}"
        return f"{error.reason}. {_remedy(error)}, or {by_hand}"
    if not isinstance(error, OSError):  # of kagglehub's reader of credentials
        return f"{error}: repair or delete it"
    full = error.errno in (errno.ENOSPC, errno.EDQUOT)
    what = f"the disk is full ({error.strerror})" if full else str(error)
    return (
        f"{what}, while downloading to {archive.folder}: make room, and the same command "
        "resumes, or choose another place: set KAGGLEHUB_CACHE=PATH, or run `python -m "
        f"datasets.fetch {name} --root PATH` and then set {root}"
    )


def _remedy(error: TransferError) -> str:
    """What to do about a download that failed."""
    if error.status in (401, 403):
        return "It asks for credentials, or others: see `python -m datasets.fetch --help`"
    if error.status == 404:
        return "See whether its page names another version"
    if error.status is None and not error.is_damaged:
        return "With a network the same command resumes"
    asked = error.retry_after or 0.0
    later = f"in {asked / 60:.0f} minutes" if asked > LONGEST_DELAY else "later"
    return f"Repeat the same command {later}, which resumes"
