"""The built-in sample data: procedural painters, and photographs of well-known libraries."""

import hashlib
from collections.abc import Callable
from functools import partial
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from datasets import painters
from datasets.catalogue import Artist, Catalogue, style_sets
from datasets.images import ImageSet, LazyImage
from datasets.reading import to_rgb

DRAWN_BY = ("numpy", "pillow", "scipy", "scikit-image", "scikit-learn", "matplotlib")
"""The packages that shape the pixels, beside the modules here."""


def of_skimage(name: str) -> Any:
    """One of scikit-image's photographs."""
    return getattr(import_module("skimage.data"), name)()


def of_sklearn(file: str) -> Any:
    """One of scikit-learn's."""
    return import_module("sklearn.datasets").load_sample_image(file)


def of_matplotlib(file: str) -> Any:
    """One of Matplotlib's."""
    return Image.open(import_module("matplotlib.cbook").get_sample_data(file, asfileobj=False))


# Those that these libraries hold, so that nothing is downloaded; imported when one is read.
PHOTOGRAPHS: dict[str, Callable[[], Any]] = {
    "chelsea": partial(of_skimage, "chelsea"),
    "coffee": partial(of_skimage, "coffee"),
    "astronaut": partial(of_skimage, "astronaut"),
    "rocket": partial(of_skimage, "rocket"),
    "temple": partial(of_sklearn, "china.jpg"),
    "dahlia": partial(of_sklearn, "flower.jpg"),
    "hopper": partial(of_matplotlib, "grace_hopper.jpg"),
    "camera": partial(of_skimage, "camera"),
}


def paintings(artists: list[str] | str | None = None) -> list[ImageSet]:
    """Sets by the built-in painters named, in any spelling or by patterns, or by two of them."""
    return style_sets(catalogue(), artists)


def catalogue() -> Catalogue:
    """All painters with their bodies of work."""
    drawn_by = software()

    def painting(painter: str, number: int) -> LazyImage:
        source = f"datasets.painters:{painter}/{number}"
        paint = partial(painters.paint, painter, number)
        return LazyImage(f"{painter}_{number}", source, paint, partial(str, drawn_by))

    numbers = range(1, 61)  # a style set of 30, and as many that no run need have seen
    artists = [Artist(p, tuple(painting(p, n) for n in numbers)) for p in painters.PAINTERS]
    return Catalogue("the sample", tuple(artists))


def content() -> ImageSet:
    """Photographs that come with the libraries used."""
    held_by = software()
    images = [
        LazyImage(name, f"datasets.sample:{name}", partial(photograph, name), partial(str, held_by))
        for name in PHOTOGRAPHS
    ]
    return ImageSet("content", tuple(images))


def photograph(name: str) -> Image.Image:
    """One of the photographs, as RGB."""
    return to_rgb(Image.fromarray(np.asarray(PHOTOGRAPHS[name]())))


def software() -> str:
    """The code and the packages that make these images, as one text."""
    modules = ("drawing", "painters", "sample")
    code = [Path(__file__).with_name(f"{module}.py").read_bytes() for module in modules]
    versions = [version(package) for package in DRAWN_BY]
    return " ".join([hashlib.sha256(b"".join(code)).hexdigest(), *versions])
