"""Figures of memory: estimated against measured, and many jobs in one process.

python -m benchmark.bench.footprint peak BACKBONE PIXELS PRECISION EXAMPLES PAINTINGS
python -m benchmark.bench.footprint jobs JOBS PIXELS
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.progress import track

from benchmark.bench.figures import Figure
from benchmark.bench.workload import Size
from benchmark.config.compose import composed
from benchmark.config.paths import ROOT
from benchmark.runs.batches import batches_of, largest_batch
from benchmark.runs.checkpoint import Checkpoint
from benchmark.runs.prepare import prepare
from benchmark.runs.run import RunContext, tracked_run
from benchmark.tracking.tracker import Tracker
from benchmark.transfer import backend, memory
from benchmark.transfer.loop import stylize
from benchmark.transfer.stopping import Stopping

GIB = 2**30

CASES = (
    ("vgg", 1.0, "float32", 4),
    ("vgg", 1.0, "float32", 16),
    ("vgg", 1.0, "bfloat16", 8),
    ("vgg", 2.0, "float32", 2),
    ("resnet", 1.0, "float32", 16),
    ("inception", 1.0, "float32", 16),
    ("mobilenet", 1.0, "float32", 16),
)
"""Backbone, size over that of the bench, precision, examples in a batch."""

SMALLEST = {"inception": 75}
"""Pixels below which a backbone cannot be built."""


def footprint_figures(size: Size, wanted: set[str]) -> Iterator[Figure]:
    """Those of the figures below that are wanted."""
    if "memory" in wanted:
        yield peaks(size)
    if "jobs" in wanted:
        yield jobs(size)


def peaks(size: Size) -> Figure:
    """Peak memory of a process that does a run, over what was estimated before it."""
    found = {}
    for name, factor, precision, examples in CASES[: size.memory_cases]:
        pixels = max(int(size.pixels * factor), SMALLEST.get(name, 0))
        arguments = (name, pixels, precision, examples, size.paintings)
        found[" ".join(map(str, arguments[:4]))] = child("peak", *arguments)
    ratios = {case: one["measured"] / one["estimated"] for case, one in found.items()}
    added = [
        (one["measured"] - one["before"]) / (one["estimated"] - one["before"])
        for one in found.values()
    ]
    worst = max(ratios, key=lambda case: abs(np.log(ratios[case])))
    return Figure(
        "memory",
        f"peak memory, measured / estimated, the worst of {len(ratios)} cases",
        ratios[worst],
        least=0.8,
        most=1.2,
        detail=f"{worst} examples: {found[worst]['measured'] / GIB:.2f} GiB / "
        f"{found[worst]['estimated'] / GIB:.2f} GiB; all {min(ratios.values()):.2f} to "
        f"{max(ratios.values()):.2f}; of what a run adds to the process alone "
        f"{min(added):.2f} to {max(added):.2f}",
        measured=found,
    )


def jobs(size: Size) -> Figure:
    """Memory of a process after many runs, logging included, over that after a tenth of them."""
    found = child("jobs", size.jobs, min(size.pixels, 64))["memory"]
    early, last = found[len(found) // 10], found[-1]
    return Figure(
        "jobs",
        f"memory of one process after {size.jobs} runs / after {size.jobs // 10}",
        last / early,
        most=1.05,
        aim="1",
        detail=f"{last / GIB:.3f} GiB / {early / GIB:.3f} GiB",
        measured={"memory": found},
    )


def child(*arguments: object) -> dict[str, Any]:
    """What a fresh process measures: only there is the peak its own."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmark.bench.footprint", *map(str, arguments)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        check=True,
    )
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def measure_peak(
    name: str, pixels: str, precision: str, examples: str, paintings: str
) -> dict[str, float]:
    """Foretell the peak of this process after preparing a run, then do its first steps."""
    contents = min(int(examples), 8)
    prepared = prepare(
        composed(
            [
                f"backbone={name}",
                "backbone.weights=random",
                f"image_size={pixels}",
                f"precision={precision}",
                f"batch={examples}",
                f"content.count={contents}",
                f"dataset.paintings={paintings}",
                "cache=null",
                "metrics=[]",
            ]
        )
    )
    before, highest = backend.memory_in_use(), backend.peak_memory() or 0
    estimated = before + memory.estimate_bytes(
        prepared.backbone,
        artists=len(prepared.paintings),
        paintings=int(paintings),
        examples=largest_batch(prepared),
    )
    stylize(
        prepared.backbone,
        batches_of(prepared),
        prepared.aggregation,
        prepared.loss,
        prepared.optimizer,
        Stopping(2, patience=None),
    )
    measured = backend.peak_memory() or float("nan")
    return {"before": before, "estimated": max(estimated, highest), "measured": measured}


def measure_jobs(number: str, pixels: str) -> dict[str, list[float]]:
    """Memory of this process in bytes after each of many runs, all different."""
    options = [
        [f"backbone={backbone}", "agg=power", f"agg.p={p:.3f}", f"optimizer={optimizer}"]
        for p in np.linspace(-3, 3, 50)
        for backbone in ("vgg_shallow", "mobilenet")
        for optimizer in ("adam", "sgd", "rmsprop")
    ]
    console = Console(stderr=True)
    silent = Console(quiet=True)
    found = []
    with tempfile.TemporaryDirectory() as folder:
        tracker = Tracker(f"sqlite:///{Path(folder) / 'mlflow.db'}", "jobs", ROOT)
        for index in track(range(int(number)), "jobs", console=console):
            overrides = [
                *options[index % len(options)],
                "backbone.weights=random",
                f"image_size={pixels}",
                "epochs=2",
                "dataset.paintings=2",
                "content.count=1",
                "cache=null",
                "metrics=[]",
                f"loss.variation_weight={index}",
            ]
            config, context = composed(overrides), RunContext(f"job {index}", {})
            tracked_run(
                config, partial(prepare, config), tracker, context, Checkpoint(None), silent
            )
            found.append(float(backend.memory_in_use()))
    return {"memory": found}


if __name__ == "__main__":
    measurements: dict[str, Callable[..., Any]] = {"peak": measure_peak, "jobs": measure_jobs}
    print(json.dumps(measurements[sys.argv[1]](*sys.argv[2:])))
