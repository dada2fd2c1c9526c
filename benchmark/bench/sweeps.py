"""Figures of whole sweeps, each a process of its own: start-up, targets and logging included."""

import json
import tempfile
import time
from collections.abc import Callable, Collection, Iterator
from functools import partial
from itertools import count
from pathlib import Path

from benchmark.bench.figures import Measurement
from benchmark.bench.size import Size
from benchmark.bench.timing import alternately, medians, run_module, seconds_of
from benchmark.config.compose import composed
from benchmark.tracking.tracker import Tracker
from datasets import sample

LONGEST_SIDE = 600
"""Pixels of the images on disk, so that decoding them is part of the work."""

TITLES = {
    "sweep": "a whole sweep, {} images, float32, nothing cached before",
    "sweep_bfloat16": "a whole sweep, {} images, bfloat16",
}


def sweep_times(size: Size, wanted: Collection[str]) -> Iterator[Measurement]:
    """Backbones × aggregations × artists × contents, against a script's nested loops."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_images(folder, size, size.artists)
        numbers = count()

        def sweep_seconds(*overrides: str) -> float:
            number = next(numbers)
            return seconds_of(
                lambda: run_module(
                    *("benchmark", "-m", f"backbone={','.join(size.backbones)}"),
                    f"agg={','.join(size.aggregations)}",
                    f"epochs={size.epochs}",
                    *sweep_options(folder, size),
                    f"tracking.uri=sqlite:///{folder / f'{number}.db'}",
                    f"cache={folder / f'cache-{number}'}",
                    *overrides,
                )
            )

        sides: dict[str, Callable[[], float]] = {
            "baseline": lambda: baseline_seconds(folder, size, folder / f"output-{next(numbers)}"),
            "sweep": sweep_seconds,
            "sweep_bfloat16": partial(sweep_seconds, "precision=bfloat16"),
        }
        sides = {name: side for name, side in sides.items() if name in {"baseline", *wanted}}
        measured = alternately(sides, size.process_repeats, warm_up=False)
    typical = medians(measured)
    images = len(size.backbones) * len(size.aggregations) * size.artists * size.contents
    for figure, title in TITLES.items():
        if figure in measured:
            yield Measurement(
                figure,
                title.format(images),
                typical[figure] / typical["baseline"],
                most=0.3,
                aim="0.2",
                detail=f"{typical[figure]:.0f} s / {typical['baseline']:.0f} s",
                measured={figure: measured[figure], "baseline": measured["baseline"]},
            )


def baseline_seconds(folder: Path, size: Size, output: Path) -> float:
    """Seconds of the baseline's script on the images in a folder."""
    plan = folder / "plan.json"
    settings = {
        "backbones": [baseline_backbone(name) for name in size.backbones],
        "aggregations": size.aggregations,
        "artists": [str(artist) for artist in sorted((folder / "paintings").iterdir())],
        "contents": [str(content) for content in sorted((folder / "contents").iterdir())],
        "pixels": size.pixels,
        "steps": size.epochs,
        "output": str(output),
    }
    plan.write_text(json.dumps(settings))
    return seconds_of(lambda: run_module("benchmark.bench.baseline", plan))


def baseline_backbone(name: str) -> dict[str, object]:
    """A backbone of `conf/` as the baseline's plan wants it."""
    variant = composed([f"backbone={name}"]).backbone
    keys = ("model", "preprocessing", "style_layers", "content_layer")
    weights = {key: variant["loss"][key] for key in ("content_weight", "style_weight")}
    return {key: variant[key] for key in keys} | weights


def cached_start(size: Size) -> Iterator[Measurement]:
    """Time to the first step of a second sweep on six artists, their targets on disk."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_images(folder, size, size.cached_artists)
        uri = f"sqlite:///{folder / 'mlflow.db'}"
        # The database is made here, so that making it does not slow down only the first sweep.
        tracker = Tracker(uri, "style-transfer")
        measured: dict[str, list[float]] = {"first": [], "second": []}
        for turn in range(size.process_repeats):
            for which, seconds in measured.items():
                sweep = f"{which}-{turn}"
                began = time.time()
                run_module(
                    *("benchmark", "-m", "epochs=1"),
                    *sweep_options(folder, size),
                    f"tracking.uri={uri}",
                    f"tracking.sweep={sweep}",
                    f"cache={folder / f'cache-{turn}'}",
                )
                [run] = tracker.runs_of(sweep)
                seconds.append(tracker.first_logged(run.run_id) - began)
    typical = medians(measured)
    yield Measurement(
        "cache",
        f"time to the first step of a second sweep, {size.cached_artists} artists, style targets "
        "on disk / first sweep",
        typical["second"] / typical["first"],
        most=0.5,
        detail=f"{typical['second']:.1f} s / {typical['first']:.1f} s",
        measured=measured,
    )


def sweep_options(folder: Path, size: Size) -> list[str]:
    """The options with which a sweep does what the baseline does, on the images in a folder."""
    return [
        "backbone.weights=random",
        f"image_size={size.pixels}",
        "early_stopping.patience=null",
        "dataset=folder",
        f"dataset.root={folder / 'paintings'}",
        "dataset.artists=['*']",
        f"dataset.paintings={size.paintings}",
        "content=folder",
        f"content.root={folder / 'contents'}",
        f"content.count={size.contents}",
        # The usual script does not score its results either.
        "metrics=[]",
    ]


def write_images(folder: Path, size: Size, artists: int) -> None:
    """Write images of the embedded sample as JPEG files into `paintings/*/` and `contents/`."""
    sets = {
        folder / "paintings" / painter.name.replace(" ", "_"): painter.images[: size.paintings]
        for painter in sample.paintings(["*"])[:artists]
    }
    sets[folder / "contents"] = sample.content().images[: size.contents]
    for place, images in sets.items():
        place.mkdir(parents=True)
        for index, lazy_image in enumerate(images):
            image = lazy_image.read()
            image.thumbnail((LONGEST_SIDE, LONGEST_SIDE))
            image.save(place / f"{index:03}.jpg", quality=92)
