"""The embedded sample data: procedural painters, and scikit-image's photographs as content."""

from functools import partial

import skimage.data
from PIL import Image

from datasets import painters
from datasets.catalogue import Artist, Catalogue, style_sets
from datasets.pictures import Picture, PictureSet, to_rgb

BODY_OF_WORK = 30
"""Paintings by each painter."""

PHOTOGRAPHS = (
    "chelsea",
    "coffee",
    "astronaut",
    "rocket",
    "camera",
    "coins",
    "moon",
    "hubble_deep_field",
    "retina",
    "immunohistochemistry",
    "grass",
    "gravel",
    "brick",
)
"""Those that scikit-image's package holds itself, so that nothing is downloaded."""


def paintings(artists: list[str] | None = None) -> list[PictureSet]:
    """Sets of paintings by the embedded procedural painters.

    Args:
        artists: names of painters in any spelling, or patterns; None: the first two.

    Raises:
        DatasetError: no such painter.
    """
    return style_sets(catalogue(), artists)


def catalogue() -> Catalogue:
    """All painters with their bodies of work."""
    artists = tuple(Artist(p, body_of_work(p).pictures) for p in sorted(painters.PAINTERS))
    return Catalogue("the sample", artists)


def body_of_work(painter: str) -> PictureSet:
    """All paintings by one procedural painter."""
    numbers = range(1, BODY_OF_WORK + 1)
    return PictureSet(
        painter,
        tuple(
            Picture(
                f"{painter}_{n}",
                f"datasets.painters:{painter}/{n}",
                partial(painters.paint, painter, n),
            )
            for n in numbers
        ),
    )


def content() -> PictureSet:
    """Photographs from scikit-image."""
    return PictureSet(
        "content",
        tuple(
            Picture(name, f"skimage.data.{name}", partial(photograph, name)) for name in PHOTOGRAPHS
        ),
    )


def photograph(name: str) -> Image.Image:
    """One of scikit-image's photographs, as RGB."""
    return to_rgb(Image.fromarray(getattr(skimage.data, name)()))
