"""Where a run stands, kept on disk, so that it can go on from there after whatever ended it."""

import json
import logging
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from time import monotonic
from typing import Any

import numpy as np
from filelock import FileLock, Timeout

from benchmark.runtime.files import remove_parts, replacing
from benchmark.runtime.processes import Owner, here
from benchmark.transfer.loop import Kept, Progress

FILE = "checkpoint.npz"
OWNER = "owner.json"
LOCK = "lock"


class BusyError(RuntimeError):
    """Another process does the run already."""


class Checkpoint:
    """The checkpoint of one run: a listener of its optimisation, which writes now and then.

    Attributes:
        folder: its own; None keeps nothing.
        batch: most examples that the run optimises together, which may shape the last digits.
    """

    batch: int | None = None

    def __init__(
        self, folder: Path | None, every_seconds: float | None, every_epochs: int | None
    ) -> None:
        """Written after so many seconds, and after every so many epochs; None: not for that."""
        self.folder = folder
        self._every_seconds = every_seconds
        self._every_epochs = every_epochs
        self._fingerprint = ""
        self._latest: Progress | None = None
        self._written = monotonic()
        self._writing = threading.Lock()

    @contextmanager
    def claimed(self) -> Iterator[None]:
        """Keep other processes from doing the run at the same time.

        Raises:
            BusyError: one does.
            OSError: the folder cannot be made or written.
        """
        if self.folder is None:
            yield
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        try:
            with FileLock(self.folder / LOCK, timeout=0):
                yield
        except Timeout as error:
            raise BusyError(self._owner()) from error

    def open(self, fingerprint: str) -> Progress | None:
        """Where the run stood; None at its beginning, or where that was of another fingerprint.

        What is written from now on carries the fingerprint, and this process's name.
        """
        self._fingerprint = fingerprint
        if self.folder is None:
            return None
        remove_parts(self.folder)
        with suppress(OSError), replacing(self.folder / OWNER) as part:
            part.write_text(json.dumps(here()), encoding="utf-8")
        return self._read(self.folder / FILE)

    def left_by(self, owner: Owner | None) -> bool:
        """Whether a process worked in this folder: machines that share it."""
        with suppress(OSError, ValueError, TypeError):
            return Owner(*json.loads(self._owner())) == owner
        return False

    def __call__(self, progress: Progress) -> None:
        """Take note of where the run stands, and write it if that is due."""
        self._latest = progress
        epoch = len(progress.history) - 1
        by_time = (
            self._every_seconds is not None and monotonic() - self._written >= self._every_seconds
        )
        by_epoch = self._every_epochs is not None and epoch % self._every_epochs == 0
        if by_time or by_epoch:
            try:
                self.write()
            except OSError as error:  # The run itself needs no checkpoint.
                logging.warning("%s: no checkpoint written (%s)", self.folder, error)

    def write(self) -> None:
        """Write where the run stood last, in place of what was written before.

        Raises:
            OSError: there is no room, or no permission.
        """
        with self._writing:
            progress, self._latest = self._latest, None
            if progress is None or self.folder is None:
                return
            try:
                with replacing(self.folder / FILE) as part:
                    np.savez(
                        part,
                        **_arrays(progress),
                        batch=np.array(self.batch),
                        fingerprint=np.array(self._fingerprint),
                    )
            except BaseException:
                self._latest = progress
                raise
            finally:
                self._written = monotonic()

    def remove(self) -> None:
        """Remove it; the run is done."""
        if self.folder is not None:
            shutil.rmtree(self.folder, ignore_errors=True)
            with suppress(OSError):  # Not empty: other runs of the sweep are under way.
                self.folder.parent.rmdir()

    def _owner(self) -> str:
        with suppress(OSError):
            return ((self.folder or Path()) / OWNER).read_text(encoding="utf-8")
        return ""

    def _read(self, file: Path) -> Progress | None:
        try:
            # Reading checks the checksums that the format holds; pickles are refused.
            with file.open("rb") as opened, np.load(opened, allow_pickle=False) as stored:
                if str(stored["fingerprint"]) == self._fingerprint:
                    found = _progress(stored)
                    self.batch = int(stored["batch"])
                    return found
        except FileNotFoundError:
            pass
        except Exception as error:  # A damaged zip file raises errors of many kinds.
            logging.warning("%s: damaged (%s), the run begins anew", file, error)
        return None


def _arrays(progress: Progress) -> dict[str, Any]:
    states = {
        f"state_{batch}_{index}": np.asarray(value)
        for batch, state in enumerate(progress.states)
        for index, value in enumerate(state)
    }
    return states | {
        "history": progress.history,
        "kept_pictures": progress.kept.pictures(),
        "kept_losses": progress.kept.losses,
        "kept_epochs": progress.kept.epochs,
        "clock": np.array(progress.clock, "float64"),
        "sizes": np.array([len(state) for state in progress.states]),
    }


def _progress(stored: Any) -> Progress:
    states = [
        [stored[f"state_{batch}_{index}"] for index in range(size)]
        for batch, size in enumerate(stored["sizes"])
    ]
    pictures = stored["kept_pictures"]
    kept = Kept(lambda: pictures, stored["kept_losses"], stored["kept_epochs"])
    seconds, lap = stored["clock"].tolist()
    return Progress(stored["history"], kept, states, (seconds, lap))
