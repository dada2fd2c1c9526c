"""Pictures of films from TMDB, The Movie Database: each asked for once, politely, and kept on disk.

The user's key is in the environment, TMDB_API_KEY: an API key (version 3), which goes into the
address, or a read access token (version 4), which goes into a header. No message or log shows it.
TMDB_CACHE is the folder of the pictures, TMDB_API_URL another server than TMDB's.

Source: https://developer.themoviedb.org/reference, `configuration` and `movie/{id}`.
"""

import logging
import os
import re
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

from filelock import FileLock, Timeout

from datasets.images import DatasetError
from datasets.reading import read_file
from datasets.transfer import TIMEOUTS, TransferError, transfer_error

if TYPE_CHECKING:
    from requests import Response

Kind = Literal["posters", "backdrops"]

SERVER = "https://api.themoviedb.org/3"
PAUSE = 0.05  # seconds from one request to the next; TMDB allows about 40 requests a second
SIZE = "w780"  # pixels of width, one of the sizes that TMDB has of both kinds

TRIES = 5  # failures in a row after which to give up
DAMAGED_TRIES = 3  # pictures that cannot be read after which a film has none
FIRST_PAUSE = 1.0  # seconds, doubled before each further attempt, if TMDB names no time
LONGEST_PAUSE = 60.0  # seconds of these
LONGEST_WAIT = 600.0  # seconds; if TMDB asks to wait longer, it ends with an error

GET_A_KEY = "get one at https://www.themoviedb.org/settings/api, and set TMDB_API_KEY"


def picture_file(kind: Kind, film: int) -> Path:
    """Where a film's picture is kept, once there is one."""
    cache = Path(os.environ.get("TMDB_CACHE") or "~/.cache/tmdb").expanduser()
    return cache / kind / f"{film}.jpg"


class FilmPictures:
    """Pictures of films by their numbers in TMDB; a context manager.

    Only for one that is not on disk a connection is made, by one process at a time. A film of which
    TMDB has no picture, or none that can be read, leaves a file `NUMBER.none` with the reason.
    """

    def __init__(
        self, kind: Kind, wanted: int, notes: Sequence[str] = (), say: Callable[[str], None] = print
    ) -> None:
        """`wanted` is how many films will have been found; `notes` are said if any is asked for."""
        self._kind, self._wanted, self._notes, self._say = kind, wanted, notes, say
        self._stack = ExitStack()
        self._images = ""  # the beginning of pictures' addresses; "" before the connection
        self._found = self._without = self._asked = 0
        self._start = self._shown = self._due = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._asked:
            self._show("\n")
        self._stack.close()

    def of(self, film: int) -> Path | None:
        """The file of a film's picture, asked for if it is not there; None: there is none.

        Raises:
            DatasetError: TMDB cannot be asked; says why and what to do. What has arrived is kept.
        """
        file = picture_file(self._kind, film)
        missing = file.with_suffix(".none")
        try:
            if not (file.exists() or missing.exists() or self._images):
                self._connect(file.parent)
            if not (file.exists() or missing.exists()):
                self._asked += 1
                if reason := self._fetch(film, file):
                    missing.write_text(f"{reason}\n", encoding="utf-8")
        except TransferError as error:
            raise DatasetError(_remedied(error), "dataset", "movies") from None
        except OSError as error:
            reason = f"{error}, in the folder of pictures; TMDB_CACHE=PATH names another"
            raise DatasetError(reason, "dataset", "movies") from error
        self._found += file.exists()
        self._without += not file.exists()
        seconds = 0.2 if sys.stderr.isatty() else 30.0
        if self._asked and time.monotonic() >= self._shown + seconds:
            self._show("\r" if sys.stderr.isatty() else "\n")
        return file if file.exists() else None

    def _connect(self, folder: Path) -> None:
        """Wait for other processes, then ask TMDB where its pictures are."""
        import requests

        key = os.environ.get("TMDB_API_KEY", "").strip()
        if not re.fullmatch(r"[\w.-]+", key):
            reason = (
                "is not a key of TMDB" if key else "TMDB gives pictures for a key, free of cost"
            )
            raise DatasetError(f"{reason}: {GET_A_KEY}", "dataset", "movies")
        # Tokens are three parts with dots between; urllib3 logs addresses.
        token = "." in key
        self._key: dict[str, Any] = (
            {"headers": {"Authorization": f"Bearer {key}"}}
            if token
            else {"params": {"api_key": key}}
        )
        log = logging.getLogger("urllib3.connectionpool")

        def is_clean(record: logging.LogRecord) -> bool:
            return key not in record.getMessage()

        log.addFilter(is_clean)
        self._stack.callback(log.removeFilter, is_clean)
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / ".lock")
        try:
            lock.acquire(timeout=0)
        except Timeout:
            self._say(f"waiting for another process that asks TMDB for {self._kind}")
            lock.acquire()
        self._stack.callback(lock.release)
        self._session = self._stack.enter_context(requests.Session())
        found = self._json("configuration").get("images")
        place = found.get("secure_base_url") if isinstance(found, dict) else None
        if not isinstance(place, str):
            raise TransferError("TMDB's answer has no address of pictures", is_transient=False)
        self._images = place
        for note in (*self._notes, f"asking TMDB for {self._kind}, kept in {folder}"):
            self._say(f"movies: {note}")
        self._start = self._shown = time.monotonic()

    def _fetch(self, film: int, file: Path) -> str:
        """Ask for a film's picture; returns why there is none, "" where it is there now."""
        part = file.with_suffix(".part")
        try:
            path = self._json(f"movie/{film}").get(f"{self._kind.removesuffix('s')}_path")
            if not isinstance(path, str):
                return "TMDB has no picture"
            for _ in range(DAMAGED_TRIES):
                part.write_bytes(self._get(f"{self._images}{SIZE}{path}").content)
                try:
                    read_file(part)
                except Exception:  # Pillow's readers raise whatever they meet.
                    part.unlink()
                    continue
                part.replace(file)
                return ""
        except TransferError as error:
            if error.status != 404:
                raise
            return error.reason
        return "its picture arrives damaged"

    def _json(self, path: str) -> dict[str, Any]:
        address = os.environ.get("TMDB_API_URL", SERVER).rstrip("/")
        try:
            found = self._get(f"{address}/{path}", **self._key).json()
        except ValueError:
            found = None
        if not isinstance(found, dict):
            raise TransferError("TMDB's answer cannot be read", is_transient=False)
        return found

    def _get(self, address: str, **options: Any) -> "Response":
        """An answer without an error, after as many attempts as make sense; else TransferError."""
        from requests import RequestException

        for attempt in count(1):
            time.sleep(max(self._due - time.monotonic(), 0.0))
            self._due = time.monotonic() + PAUSE
            try:
                answer = self._session.get(address, timeout=TIMEOUTS, **options)
                answer.raise_for_status()
                return answer
            except RequestException as error:
                failure = transfer_error(error, "TMDB")
            delay = failure.retry_after
            if delay is None:
                delay = min(FIRST_PAUSE * 2 ** (attempt - 1), LONGEST_PAUSE)
            # A first attempt that reaches nobody is the last.
            offline = not self._images and failure.status is None
            gives_up = attempt == TRIES or delay > LONGEST_WAIT
            if offline or gives_up or not failure.is_transient:
                raise failure
            self._say(f"movies: {failure.reason}; retrying in {delay:.0f} s")
            time.sleep(delay)
        raise AssertionError("attempts are counted without end")

    def _show(self, end: str) -> None:
        self._shown = time.monotonic()
        rate = self._asked / max(self._shown - self._start, 1e-9)
        left = timedelta(seconds=round(max(self._wanted - self._found, 0) / rate))
        line = (
            f"{self._found} of {self._wanted} films, {self._without} without a picture, "
            f"{rate:.1f} films/s, {left} left"
        )
        print(line.ljust(79), end=end, file=sys.stderr, flush=True)


def _remedied(error: TransferError) -> str:
    """What went wrong, and what to do."""
    if error.status in (401, 403):
        return f"{error.reason}: the key is not valid; {GET_A_KEY}"
    if error.status == 404 or not (error.is_transient or error.status):
        return f"{error.reason}. See whether TMDB_API_URL is right; without it TMDB itself is asked"
    if error.status is None:
        return f"{error.reason}. With a network the same command resumes"
    asked = error.retry_after or 0.0
    later = f"in {asked / 60:.0f} minutes" if asked > LONGEST_WAIT else "later"
    return f"{error.reason}. Repeat the same command {later}, which resumes"
