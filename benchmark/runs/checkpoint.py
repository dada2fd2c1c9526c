"""What a run has done so far, kept on disk, so that it is resumed from there."""

import json
import logging
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from time import monotonic
from typing import Any, NamedTuple

import numpy as np
from filelock import FileLock, Timeout

from benchmark.images.pixels import gathered
from benchmark.runtime.files import remove_parts, replacing
from benchmark.runtime.processes import Owner, current_process
from benchmark.transfer.loop import KeptImages, LoopState

FILE = "checkpoint.npz"
OWNER = "owner.json"


class BusyError(RuntimeError):
    """Another process does the run already."""


class Saved(NamedTuple):
    """The state after an epoch, and the most examples of a batch, which may shape last digits."""

    state: LoopState
    batch: int


@dataclass
class Checkpoint:
    """The checkpoint of one run, in a folder of its own; without one nothing is kept.

    It is written every so many seconds or epochs; None: never.
    """

    folder: Path | None
    fingerprint: str = ""
    every_seconds: float | None = None
    every_epochs: int | None = None
    _unwritten: Saved | None = field(default=None, init=False)
    _last_write: float = field(default_factory=monotonic, init=False)
    _is_waiting: bool = field(default=False, init=False)

    @contextmanager
    def claimed(self) -> Iterator[None]:
        """Keep others from doing the run: BusyError if one does, OSError if that cannot be told."""
        if self.folder is None:
            yield
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        try:
            with FileLock(self.folder / "lock", timeout=0):
                yield
        except Timeout as error:
            raise BusyError from error

    def open(self) -> Saved | None:
        """What was saved under the same fingerprint, if anything was; this process owns it now."""
        if self.folder is None:
            return None
        remove_parts(self.folder)
        with suppress(OSError), replacing(self.folder / OWNER) as part:
            part.write_text(json.dumps(current_process()), encoding="utf-8")
        file = self.folder / FILE
        try:
            # Reading checks the checksums that the format holds; pickles are refused.
            with file.open("rb") as opened, np.load(opened, allow_pickle=False) as stored:
                if str(stored["fingerprint"]) == self.fingerprint:
                    return Saved(_state(stored), int(stored["batch"]))
        except FileNotFoundError:
            pass
        except Exception as error:  # A damaged zip file raises errors of many kinds.
            logging.warning("%s: corrupt (%s), restarting the run", file, error)
        return None

    def left_by(self, owner: Owner | None) -> bool:
        """Whether a process worked in this folder: machines that share it."""
        if self.folder is not None:
            with suppress(OSError, ValueError, TypeError):
                text = (self.folder / OWNER).read_text(encoding="utf-8")
                return Owner(*json.loads(text)) == owner
        return False

    def is_due_after(self, epoch: int) -> bool:
        """Whether it is written after an epoch whatever time has passed."""
        return self.every_epochs is not None and epoch % self.every_epochs == 0

    def save(
        self,
        state: LoopState,
        batch: int,
        when_logged: Callable[[Callable[[], None]], None] = lambda write: write(),
    ) -> None:
        """Take a state, and write it if that is due.

        `when_logged` calls, perhaps in another thread, what it is given when all that the run
        logged so far is written: a resumed run logs nothing again from before its checkpoint.
        """
        self._unwritten = Saved(state, batch)
        epoch, seconds = len(state.history) - 1, monotonic() - self._last_write
        by_time = self.every_seconds is not None and seconds >= self.every_seconds
        if (by_time or self.is_due_after(epoch)) and not self._is_waiting:  # A state takes memory.
            self._is_waiting = True
            when_logged(partial(self._write, self._unwritten))

    def flush(self) -> None:
        """Write what was saved last; a failure is only logged, for the run needs no checkpoint."""
        if self._unwritten is not None:
            self._write(self._unwritten)

    def _write(self, saved: Saved) -> None:
        self._is_waiting = False
        if self.folder is None:
            return
        try:
            with replacing(self.folder / FILE) as part:
                np.savez(
                    part,
                    **_arrays(saved.state),
                    batch=np.array(saved.batch),
                    fingerprint=np.array(self.fingerprint),
                )
            if self._unwritten is saved:  # The run may have saved more meanwhile.
                self._unwritten = None
        except Exception as error:
            logging.warning("%s: no checkpoint written (%s)", self.folder, error)
        finally:
            self._last_write = monotonic()

    def remove(self) -> None:
        """Remove it; the run is done."""
        if self.folder is not None:
            shutil.rmtree(self.folder, ignore_errors=True)
            with suppress(OSError):  # Not empty: other runs of the sweep are not done.
                self.folder.parent.rmdir()


def _arrays(state: LoopState) -> dict[str, Any]:
    variables = {
        f"batch_{batch}_{index}": np.asarray(value)
        for batch, values in enumerate(state.batches)
        for index, value in enumerate(values)
    }
    return variables | {
        **{f"kept_image_{n}": image for n, image in enumerate(state.kept.images())},
        "history": state.history,
        "kept_losses": state.kept.losses,
        "kept_epochs": state.kept.epochs,
        "seconds": np.array(state.seconds, "float64"),
        "scale": np.array([state.scale, state.before]),
        "variables": np.array([len(values) for values in state.batches]),
    }


def _state(stored: Any) -> LoopState:
    batches = [
        [stored[f"batch_{batch}_{index}"] for index in range(variables)]
        for batch, variables in enumerate(stored["variables"])
    ]
    epochs = stored["kept_epochs"]
    images = gathered([stored[f"kept_image_{number}"] for number in range(len(epochs))])
    kept = KeptImages(lambda: images, stored["kept_losses"], epochs)
    total, last_epoch = stored["seconds"].tolist()
    return LoopState(
        stored["history"], kept, batches, (total, last_epoch), *stored["scale"].tolist()
    )
