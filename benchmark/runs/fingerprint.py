"""What shapes a run's losses, as one hash: only under the same one is a run resumed."""

import hashlib
import inspect
import json
from pathlib import Path

from benchmark.config.paths import ROOT
from benchmark.config.schema import Config, flat, nested
from benchmark.transfer import backend
from user_input import import_callable

SOURCES = (
    "benchmark",
    *(f"benchmark/{p}" for p in ("config", "images", "metrics", "runs", "transfer")),
    "backbones",
    "datasets",
)
"""Folders of the program whose code shapes results."""

NAMES_CODE = ("._target_", ".model", ".preprocessing", "loss.style", "loss.content")
"""Ends of the options that name a function or class, which may be somebody's own."""


def fingerprint_of(config: Config) -> str:
    """A hash of all that shapes a run's losses but its data: options, sources, software, device.

    Only under the same one can a run be taken up where it stood.
    """
    shaping = {k: v for k, v in nested(config).items() if k not in ("tracking", "checkpoint")}
    named = [str(value) for key, value in flat(config).items() if key.endswith(NAMES_CODE)]
    files = {path for folder in SOURCES for path in (ROOT / folder).glob("*.py")}
    files |= {path for name in named if (path := source_file(name))}
    digests = [hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(files)]
    parts = (json.dumps(shaping, sort_keys=True), digests, backend.numerics())
    return hashlib.sha256(repr(parts).encode()).hexdigest()


def source_file(name: str) -> Path | None:
    """The file that a function or class with a dotted name is written in, where there is one."""
    try:
        return Path(inspect.getsourcefile(import_callable(name)) or "")
    except Exception:  # Whatever the import of somebody's module raises; the run will tell it.
        return None
