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

# Those that scikit-image, scikit-learn and Matplotlib hold, so that nothing is downloaded.
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


def paintings(artists: list[str] | str | None = None) -> list[ImageSet]:
    """Sets by the embedded painters named, in any spelling or by patterns, or by two of them."""
    return style_sets(catalogue(), artists)


def catalogue() -> Catalogue:
    """All painters with their bodies of work."""

    def painting(painter: str, number: int) -> LazyImage:
        source = f"datasets.painters:{painter}/{number}"
        return LazyImage(f"{painter}_{number}", source, partial(painters.paint, painter, number))

    numbers = range(1, 61)  # a style set of 30, and as many that no run need have seen
    artists = [Artist(p, tuple(painting(p, n) for n in numbers)) for p in painters.PAINTERS]
    return Catalogue("the sample", tuple(artists))


def content() -> ImageSet:
    """Photographs that come with the libraries used."""
    images = [LazyImage(n, f"datasets.sample:{n}", partial(photograph, n)) for n in PHOTOGRAPHS]
    return ImageSet("content", tuple(images))


def photograph(name: str) -> Image.Image:
    """One of the photographs, as RGB."""
    return to_rgb(Image.fromarray(np.asarray(PHOTOGRAPHS[name]())))
