"""Figures of memory: estimated against measured, and many jobs in one process.

python -m benchmark.bench.footprint peak BACKBONE PIXELS PRECISION EXAMPLES PAINTINGS
python -m benchmark.bench.footprint jobs JOBS PIXELS
"""

import json
import sys
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from rich.console import Console
from rich.progress import track

from benchmark.bench.figures import Measurement
from benchmark.bench.size import Size
from benchmark.bench.timing import run_module
from benchmark.config.compose import composed
from benchmark.runs.checkpoint import Checkpoint
from benchmark.runs.prepare import prepare
from benchmark.runs.progress import Output
from benchmark.runs.tracked_run import RunContext, tracked_run
from benchmark.runs.workspace import Workspace
from benchmark.tracking.tracker import Tracker
from benchmark.transfer import backend
from benchmark.transfer.loop import optimize
from benchmark.transfer.stopping import Stopping
from benchmark.transfer.style_transfer import estimate_bytes

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

OPTIONS = ("backbone.weights=random", "cache=null", "metrics=[]")
"""Of all runs here."""


def measured_peak(size: Size) -> Iterator[Measurement]:
    """Peak memory of a process that does a run, over what was estimated before it."""
    cases = {}
    for name, factor, precision, examples in CASES[: size.memory_cases]:
        pixels = max(int(size.pixels * factor), SMALLEST.get(name, 0))
        arguments = (name, pixels, precision, examples, size.paintings)
        cases[" ".join(map(str, arguments[:4]))] = in_new_process("peak", *arguments)
    ratios = {name: case["measured"] / case["estimated"] for name, case in cases.items()}
    added = [
        (case["measured"] - case["before"]) / (case["estimated"] - case["before"])
        for case in cases.values()
    ]
    worst = max(ratios, key=lambda name: abs(np.log(ratios[name])))
    yield Measurement(
        "memory",
        f"peak memory, measured / estimated, the worst of {len(ratios)} cases",
        ratios[worst],
        least=0.8,
        most=1.2,
        detail=f"{worst} examples: {cases[worst]['measured'] / GIB:.2f} GiB / "
        f"{cases[worst]['estimated'] / GIB:.2f} GiB; all {min(ratios.values()):.2f} to "
        f"{max(ratios.values()):.2f}; of what a run adds to the process alone "
        f"{min(added):.2f} to {max(added):.2f}",
        measured=cases,
    )


def memory_after_jobs(size: Size) -> Iterator[Measurement]:
    """Memory of a process after many runs, logging included, over that after a tenth of them."""
    held = in_new_process("jobs", size.jobs, min(size.pixels, 64))["memory"]
    early, last = held[len(held) // 10], held[-1]
    yield Measurement(
        "jobs",
        f"memory of one process after {size.jobs} runs / after {size.jobs // 10}",
        last / early,
        most=1.05,
        aim="1",
        detail=f"{last / GIB:.3f} GiB / {early / GIB:.3f} GiB",
        measured={"memory": held},
    )


def in_new_process(*arguments: object) -> dict[str, Any]:
    """What a new process measures: only there is the peak its own."""
    answer: dict[str, Any] = json.loads(
        run_module("benchmark.bench.footprint", *arguments, show_progress=True)
    )
    return answer


def measure_peak(
    name: str, pixels: str, precision: str, examples: str, paintings: str
) -> dict[str, float]:
    """Estimate the peak of this process after preparing a run, then do its first steps."""
    prepared = prepare(
        composed(
            [
                *OPTIONS,
                f"backbone={name}",
                f"image_size={pixels}",
                f"precision={precision}",
                f"batch={examples}",
                f"content.count={min(int(examples), 8)}",
                f"dataset.paintings={paintings}",
            ]
        ),
        Workspace(),
    )
    before, highest = psutil.Process().memory_info().rss, backend.peak_memory() or 0
    estimated = before + estimate_bytes(
        prepared.backbone,
        artists=len(prepared.paintings),
        paintings=int(paintings),
        examples=max(plan.examples for plan in prepared.plans()),
    )
    optimize(prepared.transfer, prepared.batches(), Stopping(2, patience=None))
    measured = backend.peak_memory() or float("nan")
    return {"before": before, "estimated": max(estimated, highest), "measured": measured}


def measure_jobs(number: str, pixels: str) -> dict[str, list[float]]:
    """Memory of this process in bytes after each of many runs, all different."""
    variants = [
        [f"backbone={backbone}", "agg=power", f"agg.p={p:.3f}", f"optimizer={optimizer}"]
        for p in np.linspace(-3, 3, 50)
        for backbone in ("vgg_shallow", "mobilenet")
        for optimizer in ("adam", "sgd", "rmsprop")
    ]
    silent = Output()
    silent.quiet = True
    held, workspace = [], Workspace()
    with tempfile.TemporaryDirectory() as folder:
        tracker = Tracker(f"sqlite:///{Path(folder) / 'mlflow.db'}", "jobs")
        for index in track(range(int(number)), "jobs", console=Console(stderr=True)):
            overrides = [
                *OPTIONS,
                *variants[index % len(variants)],
                f"image_size={pixels}",
                "epochs=2",
                "dataset.paintings=2",
                "content.count=1",
                f"loss.variation_weight={index}",
            ]
            config, context = composed(overrides), RunContext(f"job {index}", {})
            prepared = partial(prepare, config, workspace)
            tracked_run(config, prepared, tracker, context, Checkpoint(None), silent)
            held.append(float(psutil.Process().memory_info().rss))
    return {"memory": held}


if __name__ == "__main__":
    measurements: dict[str, Callable[..., Any]] = {"peak": measure_peak, "jobs": measure_jobs}
    print(json.dumps(measurements[sys.argv[1]](*sys.argv[2:])))
