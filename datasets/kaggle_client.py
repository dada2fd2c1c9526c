"""The transfer of one archive from Kaggle, and where its client kagglehub keeps datasets.

`kagglehub.dataset_download` (1.0.3) does both, but cannot be left alone with gigabytes: its first
request has no timeout, an error page that answers a request for the rest of an archive is appended
to it, and the archive is unpacked whatever its size. So the bytes are transferred here, from the
address that Kaggle's SDK gives. The cache stays kagglehub's: as no public function tells whether it
holds a dataset, `kagglehub.cache`, `.config` and `.handle` are used, in this module alone.
`tests/test_kaggle.py` compares with `dataset_download`, so that it fails when kagglehub changes.

kagglehub, kagglesdk and requests are imported where they are used: that takes a third of a second.
"""

import base64
import errno
import hashlib
import re
import shutil
import sys
import tarfile
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from requests import Response

TIMEOUTS = (10.0, 60.0)
"""Seconds to wait for a connection, and for the next bytes."""

CHUNK = 1 << 18
"""Bytes written at a time."""


@dataclass
class TransferError(Exception):
    """An archive could not be transferred.

    Attributes:
        reason: what happened, in a few words.
        status: Kaggle's HTTP status, if it answered with an error.
        retry_after: seconds that Kaggle asks to wait.
        is_transient: whether another attempt may succeed.
        is_damaged: whether what arrived is not what Kaggle has; the file is then deleted.
    """

    reason: str
    status: int | None = None
    retry_after: float | None = None
    is_transient: bool = True
    is_damaged: bool = False


class Destination:
    """Where a dataset is unpacked: a folder of its own, or its place in kagglehub's cache.

    Attributes:
        handle: owner/dataset/versions/number.
        folder: its files; it exists only once they are complete.
        archive: the file while it is downloaded and unpacked.
    """

    def __init__(self, handle: str, root: Path | None) -> None:
        """For a folder of the user's, or the cache that KAGGLEHUB_CACHE names at the moment."""
        from kagglehub.cache import Cache
        from kagglehub.handle import parse_dataset_handle

        self.handle, self._root, self._dataset = handle, root, parse_dataset_handle(handle)
        self._cache = Cache(str(root) if root else None)
        self.folder = Path(self._cache.get_path(self._dataset))
        own = self.folder.with_name(f"{self.folder.name}.{self._dataset.dataset}.archive")
        self.archive = own if root else Path(self._cache.get_archive_path(self._dataset))

    def is_complete(self) -> bool:
        """Whether kagglehub takes the folder for complete, and it is not empty."""
        found = self._cache.load_from_cache(self._dataset)
        return found is not None and any(self.folder.iterdir())

    def unpack(self) -> None:
        """Unpack the archive, then delete it. Nothing lands outside the folder.

        Raises:
            TransferError: it is damaged.
            OSError: of the disk; ENOSPC also where the contents would fill it, as a zip bomb's.
        """
        from kagglehub.cache import Cache

        partial = self.folder.with_name(f"{self.folder.name}.partial")
        shutil.rmtree(partial, ignore_errors=True)  # of a process that was killed
        try:
            _extract(self.archive, partial)
            shutil.rmtree(self.folder, ignore_errors=True)
            cache = Cache(str(partial)) if self._root else self._cache
            cache.mark_as_complete(self._dataset)
            partial.rename(self.folder)
        except Exception as error:
            # Damaged archives raise errors of many kinds; gzip's and bz2's OSErrors have no number,
            # and a position outside the file is EINVAL.
            if isinstance(error, OSError) and error.errno not in (None, errno.EINVAL):
                raise
            raise _damaged_archive(self.archive, f"cannot be unpacked: {error}") from error
        finally:
            shutil.rmtree(partial, ignore_errors=True)
        self.archive.unlink()


def download(handle: str, archive: Path, begin: Callable[[int, int], None]) -> None:
    """Download what is missing of an archive, and compare its MD5 sum where the server has one.

    Args:
        handle: owner/dataset/versions/number.
        archive: the file, which may hold a part already.
        begin: called before anything is written, with the archive's size in bytes (0: unknown) and
            how many of them the file holds.

    Raises:
        TransferError: Kaggle, the network or the archive; what arrived undamaged is kept.
        ValueError: the user's credentials cannot be read.
        OSError: of the disk.
    """
    import requests

    with _requests_explained():
        source = _locate(handle)
        total = int(source.headers.get("Content-Length", 0))
        present = archive.stat().st_size if archive.exists() else 0
        begin(total, present)
        if not total or present < total:
            wanted = {"Range": f"bytes={present}-"} if present else {}
            with requests.get(source.url, headers=wanted, stream=True, timeout=TIMEOUTS) as rest:
                if present and rest.status_code in (200, 416):
                    raise _damaged_archive(archive, "its server cannot send the rest")
                rest.raise_for_status()
                with archive.open("ab") as file:
                    _append(rest.iter_content(CHUNK), file, present, total)
    expected = re.search(r"md5=([^,\s]+)", source.headers.get("x-goog-hash", ""))
    with archive.open("rb") as file:
        if expected and base64.b64decode(expected[1]) != hashlib.file_digest(file, "md5").digest():
            raise _damaged_archive(archive, "its checksum is wrong")


def has_credentials() -> bool:
    """Whether the user has given kagglehub any."""
    from kagglehub.config import get_kaggle_credentials

    return get_kaggle_credentials() is not None


def _locate(handle: str) -> "Response":
    """The answer of the server that has the archive, its body unread.

    The requests of Kaggle's SDK take no timeout, so a thread waits for them, and is left behind.
    """
    from kagglehub.config import KaggleApiCredentials, get_kaggle_credentials
    from kagglehub.handle import parse_dataset_handle
    from kagglesdk import KaggleClient
    from kagglesdk.datasets.types.dataset_api_service import ApiDownloadDatasetRequest
    from requests import Timeout

    dataset, given = parse_dataset_handle(handle), get_kaggle_credentials()
    request, given = ApiDownloadDatasetRequest(), given or KaggleApiCredentials()
    request.owner_slug, request.dataset_slug = dataset.owner, dataset.dataset
    request.dataset_version_number = dataset.version
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
        raise Timeout("timed out") from None


def _append(chunks: Iterator[bytes], file: BinaryIO, present: int, total: int) -> None:
    """Append bytes to a file, with a line of progress, redrawn on a terminal."""
    seconds, end = (0.2, "\r") if sys.stderr.isatty() else (30.0, "\n")
    start = due = time.monotonic()
    arrived = present
    for chunk in chunks:
        file.write(chunk)
        arrived += len(chunk)
        now = time.monotonic()
        if now >= due + seconds or arrived == total:
            rate = (arrived - present) / 1e6 / max(now - start, 1e-9)
            line = f"{arrived / 1e9:.2f} GB of {total / 1e9:.2f} GB, {rate:.1f} MB/s"
            print(line, end="\n" if arrived == total else end, file=sys.stderr, flush=True)
            due = now


def _extract(archive: Path, folder: Path) -> None:
    """Unpack a zip or tar file whose contents the disk has room for.

    Both readers write no more of a member than its header says.
    """

    def check_room(size: int) -> None:
        if size > shutil.disk_usage(archive.parent).free:
            raise OSError(errno.ENOSPC, f"{size / 1e9:.2f} GB are in the archive")

    if tarfile.is_tarfile(archive):
        with tarfile.open(archive) as tar:
            check_room(sum(member.size for member in tar))
            tar.extractall(folder, filter="data")
    else:
        with zipfile.ZipFile(archive) as packed:
            check_room(sum(member.file_size for member in packed.infolist()))
            packed.extractall(folder)


def _damaged_archive(archive: Path, reason: str) -> TransferError:
    archive.unlink()
    return TransferError(f"the archive arrived damaged ({reason})", is_damaged=True)


@contextmanager
def _requests_explained() -> Iterator[None]:
    """Turn the errors of requests into `TransferError`s."""
    from requests import ConnectionError, HTTPError, RequestException, Timeout
    from requests.exceptions import ChunkedEncodingError
    from urllib3 import Retry
    from urllib3.exceptions import InvalidHeader

    try:
        yield
    except HTTPError as error:
        answer = error.response
        assert answer is not None, "requests and Kaggle's SDK give every HTTPError its response"
        # Kaggle may answer 200 with the status in the body.
        status = answer.status_code if answer.status_code >= 400 else int(answer.json()["code"])
        try:
            asked = Retry().get_retry_after(answer.raw)
        except InvalidHeader:
            asked = None
        reason = f"Kaggle answers {status} {answer.reason}"
        raise TransferError(reason, status, asked, status == 429 or status >= 500) from error
    except RequestException as error:
        transient = isinstance(error, (ConnectionError, Timeout, ChunkedEncodingError))
        reason = f"the connection to Kaggle failed ({_innermost(error)})"
        raise TransferError(reason, is_transient=transient) from error


def _innermost(error: object) -> object:
    """What requests and urllib3 wrapped, in any of their three ways."""
    while isinstance(error, BaseException):
        wrapped = error.__cause__ or getattr(error, "reason", None) or next(iter(error.args), None)
        if not isinstance(wrapped, BaseException):
            break
        error = wrapped
    return error
