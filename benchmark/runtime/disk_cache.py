"""Arrays kept on disk for other processes and later runs."""

import hashlib
import logging
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmark.runtime.files import remove_parts, replacing

LIMIT = 5 * 2**30
"""Bytes of each folder of a cache; beyond it the entries longest unused go."""

Kind = tuple[tuple[int, ...], str]
"""The shape and the type that an array must have."""


@dataclass(frozen=True)
class DiskCache:
    """A folder in which arrays are kept, each list under a key; None keeps nothing.

    Several processes may use it. What cannot be read or written costs time, never a result.
    """

    folder: Path | None = None

    def read(self, key: str, kinds: Sequence[Kind]) -> list[np.ndarray] | None:
        """An entry's arrays; None where it is missing, damaged, or not of these kinds."""
        if self.folder is None or not (file := self.folder / f"{key}.npz").is_file():
            return None
        try:
            # Reading checks the checksums that the format holds; pickles are refused.
            with file.open("rb") as opened, np.load(opened, allow_pickle=False) as stored:
                arrays = [stored[f"arr_{index}"] for index in range(len(kinds))]
            if not all(np.isfinite(array).all() for array in arrays):
                raise ValueError("not all numbers are finite")
        except Exception as error:  # A corrupt zip file raises errors of many kinds.
            logging.warning("%s: corrupt (%s), made anew", file, error)
            return None
        with suppress(OSError):  # Another process may have removed it meanwhile.
            os.utime(file)
        found = [(array.shape, array.dtype.name) for array in arrays]
        return arrays if found == [*kinds] else None

    def write(self, entries: Mapping[str, Sequence[np.ndarray]]) -> None:
        """Keep entries, each whole or not at all; without room the run continues."""
        if self.folder is None or not entries:
            return
        files = {self.folder / f"{key}.npz": arrays for key, arrays in entries.items()}
        folders = {file.parent for file in files}
        try:
            for folder in folders:
                folder.mkdir(parents=True, exist_ok=True)
                remove_parts(folder)
            for file, arrays in files.items():
                # What a crash of the machine tears shows when it is read.
                with replacing(file, durable=False) as part:
                    np.savez(part, *arrays)
        except OSError as error:
            logging.warning("%s: not all is kept for later runs (%s)", self.folder, error)
        for folder in folders:
            _prune(folder)


def key_of(folder: str, *parts: object) -> str:
    """The key, below a folder of a cache, of what depends on these parts, told apart by `repr`."""
    return f"{folder}/{hashlib.sha256(repr(parts).encode()).hexdigest()}"


def _prune(folder: Path) -> None:
    """Remove the entries longest unused; other processes may do the same at the same time."""
    found: list[tuple[float, int, Path]] = []
    for file in folder.glob("*.npz"):
        with suppress(OSError):
            found.append((file.stat().st_mtime, file.stat().st_size, file))
    total = 0
    for _, size, file in sorted(found, reverse=True):
        total += size
        if total > LIMIT:
            with suppress(OSError):
                file.unlink()
