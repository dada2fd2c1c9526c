"""The transfer of an archive from Kaggle, and where its client kagglehub keeps datasets.

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
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from requests import RequestException, Response

TIMEOUTS = (10.0, 60.0)  # seconds to wait for a connection, and for the next bytes
CHUNK = 1 << 18  # bytes written at a time

Say = Callable[[str], None]


@dataclass
class TransferError(Exception):
    """An archive could not be transferred."""

    reason: str  # what happened, in a few words
    status: int | None = None  # Kaggle's HTTP status, if it answered with an error
    retry_after: float | None = None  # seconds that Kaggle asks to wait
    is_transient: bool = True  # whether another attempt may succeed
    is_damaged: bool = False  # what arrived is not what Kaggle has, and the file is deleted


class KaggleArchive:
    """A dataset as one zip file, and where it is unpacked.

    Attributes:
        page: where a browser finds it.
        folder: its files; it exists only once they are complete.
        file: the archive while it is downloaded and unpacked.
    """

    def __init__(self, handle: str, root: Path | None) -> None:
        """For a handle owner/dataset/versions/1, with the version to be found without a network.

        `root` is a folder of the user's; None: the cache that KAGGLEHUB_CACHE names at the moment.
        """
        from kagglehub.cache import Cache
        from kagglehub.handle import parse_dataset_handle

        self._dataset, self._root = parse_dataset_handle(handle), root
        self._cache = Cache(str(root) if root else None)
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
            ValueError: the user's credentials cannot be read.
            OSError: of the disk; ENOSPC also where it has no room for the unpacked files.
        """
        import requests

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
                    self._append(rest.iter_content(CHUNK), total)
        except requests.RequestException as error:
            raise _transfer_error(error) from error
        expected = re.search(r"md5=([^,\s]+)", source.headers.get("x-goog-hash", ""))
        if expected:
            with self.file.open("rb") as file:
                digest = hashlib.file_digest(file, "md5").digest()
            if base64.b64decode(expected[1]) != digest:
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
        from requests import Timeout

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
            raise Timeout("timed out") from None

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


def _transfer_error(error: "RequestException") -> TransferError:
    """What an error of requests means for a download."""
    from requests import ConnectionError, HTTPError, Timeout
    from requests.exceptions import ChunkedEncodingError
    from urllib3 import Retry
    from urllib3.exceptions import InvalidHeader

    if not isinstance(error, HTTPError):
        transient = isinstance(error, (ConnectionError, Timeout, ChunkedEncodingError))
        reason = f"the connection to Kaggle failed ({_innermost(error)})"
        return TransferError(reason, is_transient=transient)
    answer = error.response
    assert answer is not None, "requests and Kaggle's SDK give every HTTPError its response"
    # Kaggle may answer 200 with the status in the body.
    status = answer.status_code if answer.status_code >= 400 else int(answer.json()["code"])
    try:
        asked = Retry().get_retry_after(answer.raw)
    except InvalidHeader:
        asked = None
    reason = f"Kaggle answers {status} {answer.reason}"
    return TransferError(reason, status, asked, status == 429 or status >= 500)


def _innermost(error: object) -> object:
    """What requests and urllib3 wrapped, in any of their three ways."""
    while isinstance(error, BaseException):
        wrapped = error.__cause__ or getattr(error, "reason", None) or next(iter(error.args), None)
        if not isinstance(wrapped, BaseException):
            break
        error = wrapped
    return error
