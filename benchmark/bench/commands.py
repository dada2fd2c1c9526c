"""Commands in processes of their own, and pictures for them; imports no Keras, which takes GPUs."""

import subprocess
import sys
import tempfile
from collections.abc import Collection
from importlib.util import find_spec
from pathlib import Path

from benchmark.bench.size import Size
from benchmark.bench.timing import ROOT, seconds_of


def run_python(
    *arguments: object, checkout: Path = ROOT, exit_codes: Collection[int] = (0,)
) -> None:
    """Run Python with these arguments in a checkout.

    Raises:
        RuntimeError: it ended with another exit code; with the end of what it printed.
    """
    command = [sys.executable, *map(str, arguments)]
    process = subprocess.run(command, cwd=checkout, capture_output=True, text=True, check=False)
    if process.returncode not in exit_codes:
        failure = f"{' '.join(command)} in {checkout}: exit code {process.returncode}"
        raise RuntimeError(f"{failure}: {(process.stdout + process.stderr)[-2000:]}")


def write_images(folder: Path, artists: int, paintings: int, contents: int) -> None:
    """Write images of the built-in sample as JPEG files into `paintings/*/` and `contents/`."""
    # Beside Keras a GPU machine may lack what it needs.
    from datasets import sample

    sets = {
        folder / "paintings" / painter.name.replace(" ", "_"): painter.images[:paintings]
        for painter in sample.paintings(["*"])[:artists]
    }
    photographs = sample.content().images
    sets[folder / "contents"] = tuple(photographs[i % len(photographs)] for i in range(contents))
    for place, images in sets.items():
        place.mkdir(parents=True)
        for index, lazy_image in enumerate(images):
            image = lazy_image.read().rotate(index)  # so that none is there twice
            image.thumbnail((600, 600))  # Larger than needed, so that decoding is part of the work.
            image.save(place / f"{index:03}.jpg", quality=92)


def main_command_seconds(size: Size) -> list[float]:
    """Seconds of a sweep, the first time and the second, all of it; empty without Hydra or MLflow.

    2 backbones × 2 aggregations on 2 artists' 25 paintings and 10 photographs, in full.
    """
    if not (find_spec("hydra") and find_spec("mlflow")):
        return []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_images(folder, *size.command_images)
        own = (
            f"dataset.root={folder / 'paintings'}",
            f"content.root={folder / 'contents'}",
            f"tracking.uri=sqlite:///{folder / 'mlflow.db'}",
            f"cache={folder / 'cache'}",
        )
        options = [*size.command_options.split(), *own]
        return [seconds_of(lambda: run_python("-m", "benchmark", "-m", *options)) for _ in range(2)]
