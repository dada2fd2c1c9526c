"""What a run's images depend on besides its data, as one hash."""

import hashlib
import inspect
import json
from importlib.metadata import version
from pathlib import Path

from benchmark.config.paths import ROOT
from benchmark.config.schema import Config, flat, nested
from benchmark.runs.classifiers import read_classifier
from benchmark.transfer import backend
from benchmark.user_input import import_callable

SOURCES = (
    "backbones",
    "datasets",
    "benchmark/transfer",
    *(f"benchmark/images/{name}.py" for name in ("colour", "pixels", "upscale")),
    *(f"benchmark/metrics/{name}.py" for name in ("classifier", "heads", "kept")),
    "benchmark/runtime/disk_cache.py",
    *(f"benchmark/runs/{name}.py" for name in ("prepare", "run", "sizes", "start", "workspace")),
    *(f"benchmark/runs/{name}.py" for name in ("classifiers", "contents", "groups", "masks")),
    *(f"benchmark/runs/{name}.py" for name in ("style_sets", "variants")),
)
"""The code up to a run's last image; what is made of that alone is made after resuming anyway."""


def fingerprint_of(config: Config, root: Path = ROOT) -> str:
    """A hash of the options, the sources, the software and the device that shape a run's images.

    Its data have digests of their own. `root` is the folder of the application.
    """
    others = ("tracking", "checkpoint", "metrics", "evaluation", "estimate", "cache")
    options = {k: v for k, v in nested(config).items() if k not in others}
    # Functions and classes may be the user's own.
    name_code = ("._target_", ".model", ".preprocessing", "loss.style", "loss.content")
    named = [
        str(value)
        for option, value in flat(config).items()
        if option.endswith(name_code) and option.partition(".")[0] in options
    ]
    places = [root / source for source in SOURCES]
    files = {file for place in places for file in [*place.rglob("*.py"), place] if file.is_file()}
    files |= {file for name in named if (file := source_file(name))}
    digests = [hashlib.sha256(file.read_bytes()).hexdigest() for file in sorted(files)]
    if classifier := options["dataset"].get("classifier"):
        found = read_classifier("dataset.classifier", classifier, config.tracking.uri)
        digests.append(found.digest)
    parts = (json.dumps(options, sort_keys=True), digests, backend.numerics(), version("scipy"))
    return hashlib.sha256(repr(parts).encode()).hexdigest()


def source_file(name: str) -> Path | None:
    """The file that a function or class with a dotted name is written in, where there is one."""
    try:
        return Path(inspect.getsourcefile(import_callable(name)) or "")
    except Exception:  # Whatever the import of the user's module raises; the run reports it.
        return None
