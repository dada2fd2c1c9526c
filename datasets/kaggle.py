"""Archives from Kaggle: downloaded once, with what a download that nobody watches needs.

The disk is checked before, a busy server or a lost connection is retried, what was interrupted
resumes, a damaged archive is downloaded again, and other errors end in one line.

`kagglehub.dataset_download` (1.0.3) cannot be left alone with gigabytes: its first request has no
timeout, an error page that answers a request for the rest of an archive is appended to it, and the
archive is unpacked whatever its size. So the bytes are transferred here, from the address that
Kaggle's SDK gives. The cache stays kagglehub's: as no public function tells whether it holds a
dataset, `kagglehub.cache`, `.config`, `.handle` and `.integrity` are used, in this module alone.
`tests/test_kaggle.py` compares with `dataset_download`, so that it fails when kagglehub changes.

kagglehub, kagglesdk and requests are imported where they are used: that takes a third of a second.
"""

import errno
import hashlib
import os
import shutil
import sys
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout

from datasets.images import DatasetError, existing_folder
from datasets.transfer import TIMEOUTS, TransferError, transfer_error

if TYPE_CHECKING:
    from requests import Response

# Kaggle's handles, with the version, which is so found without a network.
ARCHIVES = {
    "best_artworks": "ikarus777/best-artworks-of-all-time/versions/1",
    "imagenet_mini": "ifigotin/imagenetmini-1000/versions/1",
    "movies": "rounakbanik/the-movies-dataset/versions/7",
}
# The option that chooses an archive; with `.root`, the one that takes an unpacked copy.
GROUPS = {"best_artworks": "dataset", "imagenet_mini": "content", "movies": "dataset"}

ATTEMPTS = 5  # failures in a row, none of which brought more of the archive, after which to give up
DAMAGED_ATTEMPTS = 3  # damaged archives after which to give up: each costs the whole download
FIRST_DELAY = 5.0  # seconds, doubled before each further attempt, if Kaggle names no time
LONGEST_DELAY = 600.0  # seconds; if Kaggle asks to wait longer, the download ends with an error

Say = Callable[[str], None]


class KaggleArchive:
    """A dataset as one zip file, and where it is unpacked."""

    def __init__(self, name: str, root: Path | None = None) -> None:
        """`root`: a folder of the user's; None: kagglehub's cache, as KAGGLEHUB_CACHE names it."""
        from kagglehub.cache import Cache
        from kagglehub.handle import parse_dataset_handle

        self._dataset, self._root = parse_dataset_handle(ARCHIVES[name]), root
        self._cache = Cache(str(root.expanduser()) if root else None)
        # Where a browser finds it; its files' folder, which exists only once they are complete; and
        # the archive while it is downloaded and unpacked.
        self.page = f"https://www.kaggle.com/datasets/{self._dataset.owner}/{self._dataset.dataset}"
        self.folder = Path(self._cache.get_path(self._dataset))
        beside = self.folder.with_name(f"{self.folder.name}.{self._dataset.dataset}.archive")
        self.file = beside if root else Path(self._cache.get_archive_path(self._dataset))

    @property
    def present(self) -> int:
        """Bytes of the file that have arrived."""
        return self.file.stat().st_size if self.file.exists() else 0

    def is_complete(self) -> bool:
        """Whether kagglehub takes the folder for complete, and it is not empty."""
        complete = self._cache.load_from_cache(self._dataset)
        return complete is not None and any(self.folder.iterdir())

    def download(self, say: Say) -> None:
        """Download what is missing, and compare its MD5 sum where the server has one.

        Raises:
            TransferError: Kaggle, the network or the archive; what arrived undamaged is kept.
            OSError: of the disk; ENOSPC also where it has no room for the unpacked files.
        """
        import requests
        from kagglehub.integrity import get_md5_checksum_from_response, to_b64_digest

        try:
            source, present = self._locate(), self.present
            total = int(source.headers.get("Content-Length", 0))
            _check_room(self.file.parent, 2 * total - present)
            size = _gigabytes(total) + (f", {_gigabytes(present)} already here" if present else "")
            say(f"downloading {self.page} to {self.folder} ({size})")
            if not total or present < total:
                part = {"Range": f"bytes={present}-"} if present else {}
                with requests.get(source.url, headers=part, stream=True, timeout=TIMEOUTS) as rest:
                    if present and rest.status_code in (200, 416):
                        raise self._damaged("its server cannot send the rest")
                    rest.raise_for_status()
                    self._append(rest.iter_content(chunk_size=1 << 18), total)
        except requests.RequestException as error:
            raise transfer_error(error, "Kaggle") from error
        if expected := get_md5_checksum_from_response(source):
            with self.file.open("rb") as file:
                found = to_b64_digest(hashlib.file_digest(file, "md5"))
            if found != expected:
                raise self._damaged("its checksum is wrong")

    def unpack(self) -> None:
        """Unpack the file, then delete it. Nothing lands outside the folder.

        Raises:
            TransferError: it is damaged.
            OSError: of the disk; ENOSPC also where the contents would fill it, as a zip bomb's.
        """
        from kagglehub.cache import Cache

        partial = self.folder.with_name(f"{self.folder.name}.partial")
        shutil.rmtree(partial, ignore_errors=True)  # of a process that was killed
        try:
            with zipfile.ZipFile(self.file) as packed:
                # No more of a member is written than its header says.
                _check_room(self.file.parent, sum(m.file_size for m in packed.infolist()))
                packed.extractall(partial)
            shutil.rmtree(self.folder, ignore_errors=True)
            cache = Cache(str(partial)) if self._root else self._cache
            cache.mark_as_complete(self._dataset)
            partial.rename(self.folder)
        except Exception as error:
            # Damaged archives raise errors of many kinds, EINVAL for a position outside the file.
            if isinstance(error, OSError) and error.errno not in (None, errno.EINVAL):
                raise
            raise self._damaged(f"cannot be unpacked: {error}") from error
        finally:
            shutil.rmtree(partial, ignore_errors=True)
        self.file.unlink()

    def _locate(self) -> "Response":
        """The answer of the server that has the archive, its body unread.

        The requests of Kaggle's SDK take no timeout, so a thread of its own waits for them.
        """
        from kagglehub.config import KaggleApiCredentials, get_kaggle_credentials
        from kagglesdk import KaggleClient
        from kagglesdk.datasets.types.dataset_api_service import ApiDownloadDatasetRequest

        given = get_kaggle_credentials() or KaggleApiCredentials()
        request = ApiDownloadDatasetRequest()
        request.owner_slug, request.dataset_slug = self._dataset.owner, self._dataset.dataset
        request.dataset_version_number = self._dataset.version
        answer: Future[Response] = Future()

        def ask() -> None:
            try:
                with KaggleClient(
                    username=given.username, password=given.key, api_token=given.api_key
                ) as client:
                    response = client.datasets.dataset_api_client.download_dataset(request)
                    response.close()
                answer.set_result(response)
            except BaseException as error:
                answer.set_exception(error)

        threading.Thread(target=ask, daemon=True).start()
        try:
            return answer.result(sum(TIMEOUTS))
        except TimeoutError:
            raise TransferError("the connection to Kaggle failed (timed out)") from None

    def _append(self, chunks: Iterator[bytes], total: int) -> None:
        """Append bytes to the file, with a line of progress, redrawn on a terminal."""
        seconds, end = (0.2, "\r") if sys.stderr.isatty() else (30.0, "\n")
        start = due = time.monotonic()
        before = arrived = self.present
        with self.file.open("ab") as file:
            for chunk in chunks:
                file.write(chunk)
                arrived += len(chunk)
                now = time.monotonic()
                if now >= due + seconds or arrived == total:
                    rate = (arrived - before) / 1e6 / max(now - start, 1e-9)
                    line = f"{_gigabytes(arrived)} of {_gigabytes(total)}, {rate:.1f} MB/s"
                    end = "\n" if arrived == total else end
                    print(line, end=end, file=sys.stderr, flush=True)
                    due = now

    def _damaged(self, reason: str) -> TransferError:
        self.file.unlink()
        return TransferError(f"the archive arrived damaged ({reason})", is_damaged=True)


def _check_room(folder: Path, size: int) -> None:
    free = shutil.disk_usage(folder).free
    if size > free:
        raise OSError(errno.ENOSPC, f"{_gigabytes(size)} needed, {_gigabytes(free)} free")


def _gigabytes(size: float) -> str:
    return f"{size / 1e9:.2f} GB"


def cached(name: str) -> Path | None:
    """The complete unpacked archive in kagglehub's cache, or mounted; needs no network."""
    archive = KaggleArchive(name)
    return archive.folder if archive.is_complete() else mounted(name)


def mounted(name: str) -> Path | None:
    """The archive where notebooks of Kaggle and Colab mount what was added to them, if it is."""
    owner, dataset = ARCHIVES[name].split("/")[:2]
    variables = ("KAGGLE_CACHE_MOUNT_FOLDER", "COLAB_CACHE_MOUNT_FOLDER")  # kagglehub's
    places = (Path(os.environ.get(variable) or "/kaggle/input") for variable in variables)
    folders = (
        place / below for place in places for below in (dataset, f"datasets/{owner}/{dataset}")
    )
    return next((one for one in folders if one.is_dir() and any(one.iterdir())), None)


def unpacked(name: str, root: str | None) -> Path:
    """The folder `root` of an unpacked archive; None: the one that `fetch` gives.

    Raises:
        DatasetError: there is no such folder, or it cannot be downloaded.
    """
    if root is None:
        return fetch(name)
    option = f"{GROUPS[name]}.root"
    if KaggleArchive(name, Path(root)).file.exists():
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
    ~/.cache/kagglehub), or where it is mounted. `say` takes lines that report what happens;
    progress goes to stderr.

    Raises:
        DatasetError: it cannot be downloaded; says why and what to do. What has arrived is kept.
    """
    archive = KaggleArchive(name, root)
    if archive.is_complete():
        return archive.folder
    if root is None and (folder := mounted(name)):
        return folder
    try:
        if root and archive.folder.is_dir() and not any(archive.folder.iterdir()):
            archive.folder.rmdir()  # to be replaced by a rename
        elif root and archive.folder.exists():
            raise DatasetError(
                f"{archive.folder} is not an empty folder, and nothing in it is changed: name a "
                "new one (if it holds the images already, give it to the benchmark)"
            )
        lock = archive.file.with_suffix(".lock")
        lock.parent.mkdir(parents=True, exist_ok=True)
        try:  # Two processes that append to one archive spoil it for both.
            held = FileLock(lock).acquire(timeout=0)
        except Timeout:
            say(f"waiting for another process that downloads into {lock.parent}")
            held = FileLock(lock).acquire()
        with held:
            if not archive.is_complete():
                _download(archive, lambda line: say(f"{name}: {line}"))
        lock.unlink(missing_ok=True)  # whoever waits for it finds all complete
    except DatasetError:
        raise
    except (TransferError, ValueError, OSError) as error:
        raise DatasetError(_reason(error, name, archive), GROUPS[name], name) from error
    return archive.folder


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
        if error.status in (401, 403):
            remedy = "It asks for credentials, or others: see `python -m datasets.fetch --help`"
        elif error.status == 404:
            remedy = "See whether its page names another version"
        elif error.status is None and not error.is_damaged:
            remedy = "With a network the same command resumes"
        else:
            asked = error.retry_after or 0.0
            later = f"in {asked / 60:.0f} minutes" if asked > LONGEST_DELAY else "later"
            remedy = f"Repeat the same command {later}, which resumes"
        by_hand = f"download {archive.page} in a browser, unpack it, and set {root}"
        return f"{error.reason}. {remedy}, or {by_hand}"
    if not isinstance(error, OSError):  # of kagglehub's reader of credentials
        return f"{error}: repair or delete it"
    full = error.errno in (errno.ENOSPC, errno.EDQUOT)
    what = f"the disk is full ({error.strerror})" if full else str(error)
    return (
        f"{what}, while downloading to {archive.folder}: make room, and the same command "
        "resumes, or choose another place: set KAGGLEHUB_CACHE=PATH, or run `python -m "
        f"datasets.fetch {name} --root PATH` and then set {root}"
    )
