"""Figures of whole sweeps, each a process of its own: start-up, targets and logging included."""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from benchmark.bench.arithmetic import seconds_of
from benchmark.bench.figures import Figure, alternately, medians
from benchmark.bench.workload import Size
from benchmark.config.compose import composed
from benchmark.config.paths import ROOT
from benchmark.runs.prepare import load_content, painting_groups
from benchmark.tracking.tracker import Tracker
from datasets import ImageSet

LONGEST_SIDE = 600
"""Pixels of the pictures on disk, so that decoding them is part of the work."""


def sweep_figures(size: Size, wanted: set[str]) -> Iterator[Figure]:
    """Those of the figures below that are wanted."""
    if wanted & {"sweep", "sweep_bfloat16"}:
        yield from sweep(size, wanted)
    if "cache" in wanted:
        yield cache(size)


def sweep(size: Size, wanted: set[str]) -> Iterator[Figure]:
    """Backbones × aggregations × artists × contents, against a script's nested loops."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        artists, contents = pictures(folder, size, size.artists)
        plan = folder / "plan.json"
        turn = iter(range(1000))

        def theirs() -> float:
            settings = {
                "backbones": [baseline_backbone(name) for name in size.backbones],
                "aggregations": size.aggregations,
                "artists": [str(artist) for artist in artists],
                "contents": [str(content) for content in contents],
                "pixels": size.pixels,
                "steps": size.epochs,
                "output": str(folder / f"baseline-{next(turn)}"),
            }
            plan.write_text(json.dumps(settings))
            return seconds_of(lambda: command("benchmark.bench.baseline", str(plan)))

        def ours(*overrides: str) -> float:
            return seconds_of(
                lambda: command(
                    "benchmark",
                    "-m",
                    f"backbone={','.join(size.backbones)}",
                    f"agg={','.join(size.aggregations)}",
                    f"epochs={size.epochs}",
                    "early_stopping.patience=null",
                    *data(folder, size),
                    f"tracking.uri=sqlite:///{folder / f'{next(turn)}.db'}",
                    f"cache={folder / f'cache-{next(turn)}'}",
                    *overrides,
                )
            )

        sides: dict[str, Callable[[], float]] = {
            "baseline": theirs,
            "sweep": ours,
            "sweep_bfloat16": lambda: ours("precision=bfloat16"),
        }
        sides = {name: side for name, side in sides.items() if name in {"baseline", *wanted}}
        measured = alternately(sides, size.sweep_repeats, warm_up=False)
    typical = medians(measured)
    pictures_made = len(size.backbones) * len(size.aggregations) * size.artists * size.contents
    titles = {
        "sweep": f"a whole sweep, {pictures_made} pictures, float32, nothing cached before",
        "sweep_bfloat16": f"a whole sweep, {pictures_made} pictures, bfloat16",
    }
    for figure, title in titles.items():
        if figure not in measured:
            continue
        yield Figure(
            figure,
            title,
            typical[figure] / typical["baseline"],
            most=0.3,
            aim="0.2",
            detail=f"{typical[figure]:.0f} s / {typical['baseline']:.0f} s",
            measured={figure: measured[figure], "baseline": measured["baseline"]},
        )


def cache(size: Size) -> Figure:
    """Time to the first step of a second sweep on six artists, their targets on disk."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        pictures(folder, size, size.cached_artists)
        uri = f"sqlite:///{folder / 'mlflow.db'}"
        # The database is made here, so that making it does not slow down only the first sweep.
        tracker = Tracker(uri, "style-transfer", ROOT)
        found: dict[str, list[float]] = {"first": [], "second": []}
        for turn in range(size.sweep_repeats):
            for which in found:
                sweep_name = f"{which}-{turn}"
                began = time.time()
                command(
                    "benchmark",
                    "-m",
                    "epochs=1",
                    "early_stopping.patience=null",
                    *data(folder, size),
                    f"tracking.uri={uri}",
                    f"tracking.sweep={sweep_name}",
                    f"cache={folder / f'cache-{turn}'}",
                )
                [run] = tracker.runs_of(sweep_name)
                found[which].append(tracker.first_logged(run.run_id) - began)
    typical = medians(found)
    return Figure(
        "cache",
        f"time to the first step of a second sweep, {size.cached_artists} artists, style targets "
        "on disk / first sweep",
        typical["second"] / typical["first"],
        most=0.5,
        detail=f"{typical['second']:.1f} s / {typical['first']:.1f} s",
        measured=found,
    )


def baseline_backbone(name: str) -> dict[str, object]:
    """A backbone of `conf/` as the baseline's plan wants it."""
    variant = composed([f"backbone={name}"]).backbone
    found = {
        key: variant[key] for key in ("model", "preprocessing", "style_layers", "content_layer")
    }
    return found | {key: variant["loss"][key] for key in ("content_weight", "style_weight")}


def data(folder: Path, size: Size) -> list[str]:
    """The options that make a sweep read the pictures written there."""
    return [
        "backbone.weights=random",
        f"image_size={size.pixels}",
        "dataset=folder",
        f"dataset.root={folder / 'paintings'}",
        "dataset.artists=['*']",
        f"dataset.paintings={size.paintings}",
        "content=folder",
        f"content.root={folder / 'contents'}",
        f"content.count={size.contents}",
        # The usual script does not score its pictures either.
        "metrics=[]",
    ]


def pictures(folder: Path, size: Size, artists: int) -> tuple[list[Path], list[Path]]:
    """Write paintings and photographs of the sample as JPEG files; artists' folders, contents."""
    config = composed(["dataset.artists=['*']", f"content.count={size.contents}"])
    _, groups = painting_groups(config)
    for group in groups[:artists]:
        write_set(folder / "paintings" / group.name.replace(" ", "_"), group, size.paintings)
    write_set(folder / "contents", load_content(config).image_set, size.contents)
    return sorted((folder / "paintings").iterdir()), sorted((folder / "contents").iterdir())


def write_set(folder: Path, pictures: ImageSet, number: int) -> None:
    """Write the first few pictures of a set."""
    folder.mkdir(parents=True)
    for index, picture in enumerate(pictures.images[:number]):
        image = picture.read()
        image.thumbnail((LONGEST_SIDE, LONGEST_SIDE))
        image.save(folder / f"{index:03}.jpg", quality=92)


def command(module: str, *arguments: str) -> None:
    """Run one of our commands to its end.

    Raises:
        RuntimeError: it failed; with what it said.
    """
    done = subprocess.run(
        [sys.executable, "-m", module, *arguments],
        cwd=ROOT,
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"python -m {module} {' '.join(arguments)}: {done.stderr[-2000:]}")
