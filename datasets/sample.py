"""The embedded sample data: procedural painters, and photographs of well-known libraries."""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import skimage.data
from matplotlib.cbook import get_sample_data
from PIL import Image
from sklearn.datasets import load_sample_image

from datasets import painters
from datasets.catalogue import Artist, Catalogue, style_sets
from datasets.images import ImageSet, LazyImage, to_rgb

BODY_OF_WORK = 60
"""Paintings by each painter: a style set of 30, and as many that no run need have seen."""

PHOTOGRAPHS: dict[str, Callable[[], Any]] = {
    "chelsea": skimage.data.chelsea,
    "coffee": skimage.data.coffee,
    "astronaut": skimage.data.astronaut,
    "rocket": skimage.data.rocket,
    "temple": partial(load_sample_image, "china.jpg"),
    "dahlia": partial(load_sample_image, "flower.jpg"),
    "hopper": lambda: Image.open(get_sample_data("grace_hopper.jpg", asfileobj=False)),
    "camera": skimage.data.camera,
}
"""Those that scikit-image, scikit-learn and Matplotlib hold, so that nothing is downloaded."""


def paintings(artists: list[str] | str | None = None) -> list[ImageSet]:
    """Sets by the embedded painters named, in any spelling or by patterns, or by two of them."""
    return style_sets(catalogue(), artists)


def catalogue() -> Catalogue:
    """All painters with their bodies of work."""
    artists = tuple(Artist(name, _body_of_work(name)) for name in sorted(painters.PAINTERS))
    return Catalogue("the sample", artists)


def _body_of_work(painter: str) -> tuple[LazyImage, ...]:
    place = f"datasets.painters:{painter}"
    return tuple(
        LazyImage(f"{painter}_{n}", f"{place}/{n}", partial(painters.paint, painter, n))
        for n in range(1, BODY_OF_WORK + 1)
    )


def content() -> ImageSet:
    """Photographs that come with the libraries used."""
    names = PHOTOGRAPHS.keys()
    read = [LazyImage(n, f"datasets.sample:{n}", partial(photograph, n)) for n in names]
    return ImageSet("content", tuple(read))


def photograph(name: str) -> Image.Image:
    """One of the photographs, as RGB."""
    return to_rgb(Image.fromarray(np.asarray(PHOTOGRAPHS[name]())))
