"""Kaggle's client kagglehub, made to wait, to doubt and to report as a long download needs it."""

import errno
import io
import logging
import os
import shutil
import sys
import tarfile
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, redirect_stderr
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    from requests import PreparedRequest, Response
    from requests.adapters import HTTPAdapter

TIMEOUTS = (10.0, 60.0)
"""Seconds to wait for a connection, and for the next bytes."""

LINE_EVERY = 30.0
"""Seconds from one line of progress to the next where there is no terminal."""

Say = Callable[[str], None]


class DamagedError(Exception):
    """An archive arrived that is not what Kaggle has."""


def is_busy(status: int) -> bool:
    """Whether an HTTP status means that the server may answer later."""
    return status == 429 or status >= 500


@contextmanager
def prepared(say: Say) -> Iterator[None]:
    """Let kagglehub work within the block as a download without anybody watching needs it."""
    from kagglehub import clients, http_resolver
    from requests.adapters import HTTPAdapter

    unpack = _bounded(http_resolver._extract_archive)
    with ExitStack() as stack:
        # On Kaggle and Colab it would mount the dataset elsewhere.
        stack.enter_context(environment(DISABLE_KAGGLE_CACHE="1", DISABLE_COLAB_CACHE="1"))
        stack.enter_context(_replaced(logging.getLogger("kagglehub"), handlers=[_Teller(say)]))
        # An advertisement of newer versions, without a line end.
        stack.enter_context(_replaced(clients, already_printed_version_warning=True))
        stack.enter_context(_replaced(http_resolver, _extract_archive=unpack))
        stack.enter_context(_replaced(HTTPAdapter, send=_strict(HTTPAdapter.send, stack)))
        if not sys.stderr.isatty():
            stack.enter_context(redirect_stderr(_Lines(sys.stderr)))
        yield


def _strict(send: Callable[..., "Response"], stack: ExitStack) -> Callable[..., "Response"]:
    """A way to send requests that never waits for ever and never takes an error for data.

    kagglehub's requests have no timeout; what it is answered when it resumes, even an error page,
    it appends to the archive; and it closes no response, which the stack does at its end.
    """
    from requests import HTTPError

    def strictly(
        self: "HTTPAdapter", request: "PreparedRequest", timeout: Any = None, **options: Any
    ) -> "Response":
        response = send(self, request, timeout=timeout or TIMEOUTS, **options)
        stack.callback(response.close)
        if "Range" not in request.headers or response.is_redirect or response.status_code == 206:
            return response
        if is_busy(response.status_code):
            raise HTTPError(request=request, response=response)
        raise DamagedError(f"its server answers {response.status_code} and not with the rest")

    return strictly


def _bounded(unpack: Callable[[str, str], None]) -> Callable[[str, str], None]:
    """A way to unpack archives that first looks whether there is room for all that is in one.

    A small archive may hold more than any disk, and what it says of its members binds both formats'
    readers. kagglehub keeps members within the folder: of tar files by Python's filter "data", of
    zip files by what their reader does with names.
    """

    def bounded(archive: str, folder: str) -> None:
        size = 0
        if tarfile.is_tarfile(archive):
            with tarfile.open(archive) as opened:
                size = sum(member.size for member in opened)
        elif zipfile.is_zipfile(archive):
            with zipfile.ZipFile(archive) as opened_zip:
                size = sum(member.file_size for member in opened_zip.infolist())
        if size > shutil.disk_usage(Path(archive).parent).free:
            raise OSError(errno.ENOSPC, f"{size / 1e9:.2f} GB are in the archive")
        unpack(archive, folder)

    return bounded


@contextmanager
def _replaced(owner: object, **attributes: object) -> Iterator[None]:
    """Give an object other attributes within the block."""
    before = {name: getattr(owner, name) for name in attributes}
    for name, value in attributes.items():
        setattr(owner, name, value)
    try:
        yield
    finally:
        for name, value in before.items():
            setattr(owner, name, value)


@contextmanager
def environment(**variables: str) -> Iterator[None]:
    """Set environment variables within the block."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


class _Teller(logging.Handler):
    """Passes on that kagglehub unpacks, and its warnings; the rest `kaggle` says itself."""

    def __init__(self, say: Say) -> None:
        super().__init__()
        self.say = say

    def emit(self, record: logging.LogRecord) -> None:
        """Say a message or keep it."""
        if record.levelno >= logging.WARNING or record.name == "kagglehub.http_resolver":
            self.say(record.getMessage())


class _Lines(io.TextIOBase):
    """Turns a bar that redraws itself into lines, a few a minute: for log files."""

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream
        self.drawn: str | None = None
        self.due = 0.0

    def write(self, text: str) -> int:
        """Pass text on; of the bar's drawings only those that are due, and the last."""
        if text.startswith("\r"):
            self.drawn = text.strip()
            if time.monotonic() >= self.due:
                self._print()
        elif text == "\n" and self.drawn is not None:
            self._print()
            self.drawn = None
        else:
            self.stream.write(text)
        return len(text)

    def _print(self) -> None:
        if self.drawn:
            self.stream.write(f"{self.drawn}\n")
            self.stream.flush()
            self.drawn, self.due = "", time.monotonic() + LINE_EVERY
