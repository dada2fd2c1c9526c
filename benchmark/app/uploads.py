"""Uploads: limits, checks that they are pictures, and a folder for each session."""

import re
import shutil
from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from math import prod
from pathlib import Path
from secrets import token_hex
from threading import Lock
from time import monotonic

from PIL import Image

from benchmark.app.device import Job
from benchmark.sweeps.painting import Request
from benchmark.sweeps.stages import Stage
from benchmark.user_input import InputError
from datasets.formats import UnreadableError, readable_formats
from datasets.reading import printable, read_file, without_pillows_warnings

FORGOTTEN_SECONDS = 3 * 3600.0


@dataclass(frozen=True)
class Limits:
    """What one person may ask for."""

    megabytes: int = 30  # of a file
    megapixels: float = 50.0  # of a picture
    paintings: int = 60  # uploaded as an artist
    minutes: float = 20.0  # of a picture
    waiting: int = 24  # requests in the queue
    history: int = 20  # pictures of a session that are kept


@dataclass
class Session:
    """What one open page has made; its files lie in a folder that goes with it."""

    folder: Path
    job: Job[Stage] | None = None
    stage: Stage | None = None  # what can be gone on with
    names: dict[str, str] = field(default_factory=dict)  # what people call the files, by path
    results: list[tuple[str, str]] = field(default_factory=list)  # the newest first
    until: int = 0  # epochs that were asked for
    used: float = field(default_factory=monotonic)
    received: set[Path] = field(default_factory=set)  # uploads, where the server put them
    copies: dict[Path, Path] = field(default_factory=dict)  # of those that are pictures
    wanted: Request | None = None  # what is made ready

    def keep(self, upload: str, option: str, limits: Limits) -> Path:
        """A copy of an uploaded file in the session's folder; InputError if it is no picture."""
        source = Path(upload)
        if source in self.copies:
            return self.copies[source]
        self.received.add(source)
        check_picture(source, option, limits)
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        # A folder of its own for each, for their names are those of the pictures.
        place = self.folder / token_hex(8)
        place.mkdir(mode=0o700)
        file = place / safe_name(source.name)
        shutil.copyfile(source, file)
        self.names[str(file)] = file.name
        self.copies[source] = file
        return file

    def close(self, shared: set[Path]) -> None:
        """Stop what it does and remove its files, but for uploads that others share."""
        if self.job:
            self.job.leave()
        self.stage = self.wanted = None
        shutil.rmtree(self.folder, ignore_errors=True)
        for file in self.received - shared:
            file.unlink(missing_ok=True)


class Sessions:
    """The open pages, by the server's names of them."""

    def __init__(self, folder: Path, kept: Collection[Path] = ()) -> None:
        self.folder = folder
        self.kept = kept  # the program's own files, which somebody might give out as uploads
        self._open: dict[str, Session] = {}
        self._lock = Lock()

    def of(self, key: str | None) -> Session:
        """That of a page, new where it has none."""
        with self._lock:
            # Its folder cannot be guessed from the key, which a page tells.
            session = self._open.setdefault(key or "", Session(self.folder / token_hex(16)))
            session.used = monotonic()
            return session

    def close(self, key: str | None) -> None:
        """Close that of a page."""
        with self._lock:
            session = self._open.pop(key or "", None)
            # The server stores equal files of equal names once.
            shared = {file for other in self._open.values() for file in other.received}
            shared |= {*self.kept}
        if session:
            session.close(shared)

    def close_forgotten(self) -> None:
        """Close those that nobody has used for hours: a page may go without a word."""
        now = monotonic()
        for key in [k for k, one in self._open.items() if now - one.used > FORGOTTEN_SECONDS]:
            self.close(key)

    def close_all(self) -> None:
        """Close those that are open."""
        for key in list(self._open):
            self.close(key)

    def __len__(self) -> int:
        return len(self._open)


def check_picture(file: Path, option: str, limits: Limits) -> None:
    """Raise InputError unless a file is a picture within the limits, all of which can be read."""
    name = printable(file.name)
    if not file.is_file() or file.is_symlink():
        raise InputError("no such file: upload it again", option, name)
    if file.stat().st_size > limits.megabytes * 1e6:
        raise InputError(f"over {limits.megabytes} MB: make it smaller", option, name)
    pixels = 0
    # Of what Pillow does not know, the reader says more.
    with without_pillows_warnings(), suppress(Exception):
        pixels = prod(_stored_size(file))
    if pixels > limits.megapixels * 1e6:
        reason = f"{pixels / 1e6:.2g} megapixels, over {limits.megapixels:g}: scale it down"
        raise InputError(reason, option, name)
    try:
        with without_pillows_warnings():
            read_file(file)
    except UnreadableError as error:
        raise InputError(str(error), option, name) from error
    except Exception as error:  # Pillow's readers of rare formats raise whatever they meet.
        raise InputError("this picture is damaged and cannot be read", option, name) from error


def _stored_size(file: Path) -> tuple[int, int]:
    with Image.open(file, formats=sorted(readable_formats())) as picture:
        return picture.size


def check_number(files: Sequence[str], limits: Limits) -> None:
    """Raise InputError if there are too many paintings."""
    if len(files) > limits.paintings:
        reason = f"{len(files)} paintings, and at most {limits.paintings} can be uploaded"
        raise InputError(reason, "paintings")


def safe_name(name: str) -> str:
    """A file's name without what is special to a system or a page; never empty or hidden."""
    stem, dot, ending = name.rpartition(".")
    if not dot:
        stem, ending = name, ""
    plain = re.sub(r"[^\w .,()+-]+", "_", stem).strip(" .")[:80] or "picture"
    plain = plain.lstrip("-")  # else a command takes it for an option
    return f"{plain or 'picture'}{dot}{re.sub(r'[^A-Za-z0-9]+', '', ending)[:10]}"
