"""Figures of whole processes: sweeps, memory, and the bench of another checkout."""

import json
import tempfile
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from functools import partial
from itertools import count, cycle, product
from multiprocessing import get_context
from pathlib import Path
from statistics import median
from typing import Any, TypeVar

import numpy as np
import psutil
from PIL import Image
from rich.progress import track

from benchmark.bench.commands import run_python, write_images
from benchmark.bench.figures import Measurement, ratio_of_medians
from benchmark.bench.size import Size
from benchmark.bench.timing import alternately, seconds_of
from benchmark.config.compose import composed
from benchmark.config.paths import ROOT
from benchmark.runs.checkpoint import Checkpoint
from benchmark.runs.prepare import prepare
from benchmark.runs.progress import Output
from benchmark.runs.workspace import Workspace
from benchmark.sweeps.execution import RunContext, tracked_run
from benchmark.tracking.tracker import Tracker
from benchmark.transfer import backend
from benchmark.transfer.scales import optimize_scales
from benchmark.transfer.stopping import Stopping
from benchmark.transfer.style_transfer import estimate_bytes

Measured = TypeVar("Measured")

GIB = 2**30
MEMORY_OPTIONS = "backbone.weights=random cache=null metrics=[]"
# Backbone, size over that of the bench, precision, examples in a batch.
MEMORY_CASES = (
    ("vgg", 1, "float32", 4),
    ("vgg", 1, "float32", 16),
    ("vgg", 1, "bfloat16", 8),
    ("vgg", 2, "float32", 2),
    ("resnet", 1, "float32", 16),
    ("inception", 1, "float32", 16),
    ("mobilenet", 1, "float32", 16),
    ("vgg shape=native scales=[0.5,1]", 2, "float32", 1),
    (
        "vgg shape=native scales=[0.5,1] style_scale=1.5 preserve_color=linear init=noise "
        "content.masks={mask} content.names=[astronaut] backbone.layer_weights=[1,1,1,1,2] "
        "backbone.content_layer=[block4_conv2,block2_conv2]",
        *(2, "float32", 1),
    ),
)


def run_sweep(folder: Path, size: Size, *overrides: str) -> None:
    """Do with `benchmark` what the baseline does on the images in a folder."""
    # The usual script does not score its results either, nor ends early: with random weights, for
    # which the weights of the losses were not made, they may grow.
    options = (
        "divergence_factor=1e30 backbone.weights=random metrics=[] early_stopping.patience=null "
        f"image_size={size.pixels} dataset=folder dataset.artists=['*'] "
        f"dataset.paintings={size.paintings} content=folder content.count={size.contents}"
    )
    folders = (f"dataset.root={folder / 'paintings'}", f"content.root={folder / 'contents'}")
    run_python("-m", "benchmark", "-m", *options.split(), *folders, *overrides)


def sweep_times(size: Size, wanted: Collection[str]) -> Iterator[Measurement]:
    """Backbones × aggregations × artists × contents, against a script's nested loops."""
    precisions = {"sweep": "float32", "sweep_bfloat16": "bfloat16"}
    bounds: dict[str, dict[str, Any]] = {
        "sweep": {"most": 0.28, "aim": "0.25"},
        "sweep_bfloat16": {"most": 0.2, "aim": "0.17"},
    }
    figures = [figure for figure in precisions if figure in wanted]
    with tempfile.TemporaryDirectory() as name:
        folder, numbers = Path(name), count()
        write_images(folder, size.artists, size.paintings, size.contents)

        def sweep_seconds(precision: str) -> float:
            number = next(numbers)
            overrides = (
                f"backbone={','.join(size.backbones)}",
                f"agg={','.join(size.aggregations)}",
                f"epochs={size.epochs}",
                f"precision={precision}",
                f"tracking.uri=sqlite:///{folder / f'{number}.db'}",
                f"cache={folder / f'cache-{number}'}",
            )
            return seconds_of(lambda: run_sweep(folder, size, *overrides))

        def baseline_seconds() -> float:
            plan = folder / "plan.json"
            settings = {
                "backbones": [composed([f"backbone={name}"]).backbone for name in size.backbones],
                "aggregations": size.aggregations,
                "paintings": str(folder / "paintings"),
                "contents": str(folder / "contents"),
                "pixels": size.pixels,
                "steps": size.epochs,
                "output": str(folder / f"output-{next(numbers)}"),
            }
            plan.write_text(json.dumps(settings))
            return seconds_of(lambda: run_python("-m", "benchmark.bench.baseline", plan))

        sides = {"baseline": baseline_seconds}
        for figure in figures:
            sides[figure] = partial(sweep_seconds, precisions[figure])
        measured = alternately(sides, size.process_repeats, warm_up=False)
    images = len(size.backbones) * len(size.aggregations) * size.artists * size.contents
    for figure in figures:
        note = ", nothing cached before" if figure == "sweep" else ""
        title = f"a whole sweep, {images} images, {precisions[figure]}{note}"
        pair = {side: measured[side] for side in (figure, "baseline")}
        yield ratio_of_medians(figure, title, pair, digits=0, **bounds[figure])


def cached_start(size: Size) -> Iterator[Measurement]:
    """Time to the first step of a second sweep on six artists, their targets on disk."""
    measured: dict[str, list[float]] = {"second": [], "first": []}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_images(folder, size.cached_artists, size.paintings, size.contents)
        uri = f"sqlite:///{folder / 'mlflow.db'}"
        # The database is made here, so that making it does not slow down only the first sweep.
        tracker = Tracker(uri, "style-transfer")
        for turn in range(size.process_repeats):
            for which in ("first", "second"):
                sweep, cache = f"{which}-{turn}", folder / f"cache-{turn}"
                own = (f"tracking.uri={uri}", f"tracking.sweep={sweep}", f"cache={cache}")
                began = time.time()
                run_sweep(folder, size, "epochs=1", *own)
                [run] = tracker.runs_of(sweep)
                # The losses are logged when the first of two steps is done, which is no waiting.
                first_step = (run.results.seconds or 0.0) / 2
                measured[which].append(min(tracker.logged_times(run.run_id)) - began - first_step)
    title = f"time to the first step of a second sweep, {size.cached_artists} artists, "
    title += "style targets on disk / first sweep"
    yield ratio_of_medians("cache", title, measured, digits=1, most=0.3)


def steps_against(other: Path, figures: Mapping[str, str], size: Size) -> Iterator[Measurement]:
    """Seconds of a step here over those in another checkout, in processes run alternately.

    `figures` are the titles of the kinds of steps to be compared, by their names.
    """

    def measured_in(checkout: Path) -> dict[str, Any]:
        """The measurements behind each figure, from a checkout's own bench."""
        options = ["--only", *figures, *(["--quick"] if size.quick else [])]
        with tempfile.TemporaryDirectory() as folder:
            arguments = ("-m", "benchmark.bench", *options, "--output", folder)
            # Exit code 1 means a figure out of its bounds.
            run_python(*arguments, checkout=checkout, exit_codes=(0, 1))
            report = json.loads((Path(folder) / "bench.json").read_text())
        return {figure["name"]: figure["measured"] for figure in report["figures"]}

    sides = {str(side): partial(measured_in, side) for side in (ROOT, other)}
    processes = alternately(sides, size.process_repeats, warm_up=False)
    for name, title in figures.items():
        # All measurements of a side in all its processes, of our step and of the baseline's.
        ours, theirs = (
            {key: [s for process in side for s in process[name][key]] for key in (name, "baseline")}
            for side in processes.values()
        )
        here, there = median(ours[name]), median(theirs[name])
        over_baseline = here / there * median(theirs["baseline"]) / median(ours["baseline"])
        yield Measurement(
            name,
            f"{title}, this checkout / {other}",
            here / there,
            most=1.02,
            detail=f"{here:.4f} s / {there:.4f} s; "
            f"of the shortest {min(ours[name]) / min(theirs[name]):.3f}; "
            f"of both over the baseline {over_baseline:.3f}",
            measured={"this checkout": ours, "other checkout": theirs},
        )


def measured_peak(size: Size) -> Iterator[Measurement]:
    """Peak memory of a process that does a run, over what was estimated before it."""
    cases = {}
    for name, factor, precision, examples in MEMORY_CASES[: size.memory_cases]:
        options = (name, size.pixels * factor, precision, examples)
        case = in_new_process(measure_peak, *options, size.paintings)
        cases[" ".join(map(str, options))] = case
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
    held = in_new_process(measure_jobs, size.jobs, min(size.pixels, 64))
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


def in_new_process(measure: Callable[..., Measured], *arguments: object) -> Measured:
    """What is measured in a new process: only there is the peak its own."""
    with ProcessPoolExecutor(1, get_context("spawn")) as process:
        return process.submit(measure, *arguments).result()


def measure_peak(
    name: str, pixels: int, precision: str, examples: int, paintings: int
) -> dict[str, float]:
    """Estimate the peak of this process after preparing a run, then do its first steps."""
    with tempfile.TemporaryDirectory() as folder:
        mask = Path(folder) / "mask.png"
        Image.linear_gradient("L").save(mask)
        overrides = (
            f"{MEMORY_OPTIONS} backbone={name.format(mask=mask)} image_size={pixels} "
            f"precision={precision} batch={examples} content.count={min(examples, 8)} "
            f"dataset.paintings={paintings}"
        )
        prepared = prepare(composed(overrides.split()), Workspace())
    before, highest = psutil.Process().memory_info().rss, backend.peak_memory() or 0
    estimated = before + estimate_bytes(
        prepared.backbone,
        artists=len(prepared.paintings) * len(prepared.content_groups),
        paintings=paintings,
        examples=max(plan.examples for plan in prepared.plans()),
        sides=max((picture.shape[:2] for picture in prepared.contents()), key=np.prod),
        regions=len(prepared.masks.pictures[0]) if prepared.masks else 0,
    )
    scales = [replace(one, stopping=Stopping(2, patience=None)) for one in prepared.scales()]
    optimize_scales(prepared.transfer, scales)
    measured = backend.peak_memory() or float("nan")
    return {"before": before, "estimated": max(estimated, highest), "measured": measured}


def measure_jobs(number: int, pixels: int) -> list[int]:
    """Memory of this process in bytes after each of many runs, all different."""
    optimizers = ("adam", "sgd", "rmsprop")
    variants = product(np.linspace(-3, 3, 50), ("vgg_shallow", "mobilenet"), optimizers)
    silent = Output()
    silent.quiet = True
    held, workspace = [], Workspace()
    with tempfile.TemporaryDirectory() as folder:
        tracker = Tracker(f"sqlite:///{Path(folder) / 'mlflow.db'}", "jobs")
        jobs = track(range(number), "jobs")
        for index, (p, backbone, optimizer) in zip(jobs, cycle(variants), strict=False):
            overrides = (
                f"{MEMORY_OPTIONS} backbone={backbone} agg=power agg.p={p:.3f} "
                f"optimizer={optimizer} image_size={pixels} epochs=2 dataset.paintings=2 "
                f"content.count=1 loss.variation_weight={index}"
            )
            config, context = composed(overrides.split()), RunContext(f"job {index}", {})
            prepared = partial(prepare, config, workspace)
            tracked_run(config, prepared, tracker, context, Checkpoint(None), silent)
            held.append(psutil.Process().memory_info().rss)
    return held
