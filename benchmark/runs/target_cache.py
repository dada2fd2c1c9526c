"""Style targets kept on disk for other processes and later runs."""

import hashlib
import inspect
import logging
import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np

from backbones import Backbone
from benchmark.runtime.files import remove_parts, replacing
from benchmark.transfer import backend
from benchmark.transfer.features import StyleTargets, from_triangles, gram_triangles
from benchmark.user_input import import_callable
from datasets import LoadedImages

CACHE_VERSION = 1
"""To be raised whenever `losses.gram_matrix`, `smoothing` or this file changes the targets."""

CACHE_LIMIT = 5 * 2**30
"""Bytes of the cache on disk; beyond it the entries longest unused go."""


def style_targets(
    backbone: Backbone, paintings: LoadedImages, cache: Path | None = None
) -> StyleTargets:
    """An artist's style targets, read from a cache folder where they are in it, else written there.

    The same to the bit either way, for only one triangle of each Gram matrix is used.
    """
    entry = cache / f"{key(backbone, paintings)}.npz" if cache else None
    triangles = _read(entry, backbone, len(paintings.pixels)) if entry else None
    if triangles is None:
        triangles = gram_triangles(backbone, paintings.pixels)
        if entry:
            _write(entry, triangles)
    return from_triangles(triangles)


def key(backbone: Backbone, paintings: LoadedImages) -> str:
    """What the targets depend on, as one hash: network, weights, pictures, software, device."""
    architecture = backbone.shared.architecture
    functions = (architecture.model, architecture.preprocessing)
    parts = (
        CACHE_VERSION,
        backend.numerics(),
        architecture,
        *(_source(import_callable(function)) for function in functions),
        backbone.digest,
        paintings.pixels.shape,
        hashlib.sha256(paintings.pixels.tobytes()).hexdigest(),
    )
    return hashlib.sha256(repr(parts).encode()).hexdigest()


def _source(function: Callable[..., object]) -> str:
    """A function's source, where it has one."""
    try:
        return inspect.getsource(function)
    except (OSError, TypeError):  # compiled, or an object that can be called
        return repr(function)


def _read(file: Path, backbone: Backbone, paintings: int) -> list[np.ndarray] | None:
    """The triangles of so many paintings in an entry; None where it is missing or corrupt."""
    shapes = [
        (paintings, layer.shape[-1] * (layer.shape[-1] + 1) // 2)
        for layer in backbone.shared.cut.outputs[:-1]
    ]
    if not file.is_file():
        return None
    try:
        # Reading checks the checksums that the format holds; pickles are refused.
        with file.open("rb") as opened, np.load(opened, allow_pickle=False) as stored:
            triangles = [stored[f"arr_{index}"] for index in range(len(shapes))]
        if not all(np.isfinite(triangle).all() for triangle in triangles):
            raise ValueError("not all numbers are finite")
    except Exception as error:  # A corrupt zip file raises errors of many kinds.
        logging.warning("%s: corrupt (%s), recomputing", file, error)
        return None
    with suppress(OSError):  # Another process may have removed it meanwhile.
        os.utime(file)
    found = [(triangle.shape, triangle.dtype) for triangle in triangles]
    return triangles if found == [(shape, np.dtype("float32")) for shape in shapes] else None


def _write(entry: Path, triangles: Sequence[np.ndarray]) -> None:
    """Add an entry, whole or not at all, and remove those longest unused beyond the limit.

    Without room the run continues. Other processes may do the same at the same time.
    """
    cache = entry.parent
    try:
        cache.mkdir(parents=True, exist_ok=True)
        remove_parts(cache)
        with replacing(entry) as part:
            np.savez(part, *triangles)
    except OSError as error:
        logging.warning("%s: style targets not cached (%s)", cache, error)
    found: list[tuple[float, int, Path]] = []
    for file in cache.glob("*.npz"):
        with suppress(OSError):
            found.append((file.stat().st_mtime, file.stat().st_size, file))
    total = 0
    for _, size, file in sorted(found, reverse=True):
        total += size
        if total > CACHE_LIMIT:
            with suppress(OSError):
                file.unlink()
