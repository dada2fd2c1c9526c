"""The embedded sample data: procedural painters, and scikit-image's photographs as content."""

from collections.abc import Sequence
from functools import partial

import skimage.data
from PIL import Image

from datasets import painters
from datasets.folder import FIRST_ARTISTS, chosen_content
from datasets.pictures import Picture, PictureSet, chosen, first_paintings, to_rgb

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


def paintings(artists: list[str] | None, paintings: int) -> list[PictureSet]:
    """Sets of paintings by the embedded procedural painters.

    Args:
        artists: names of painters, or patterns; None: the first two.
        paintings: how many of each, at most 30.

    Raises:
        DatasetError: no such painter, or more paintings than there are.
    """
    return [
        first_paintings(body_of_work(painter), paintings)
        for painter in chosen("dataset.artists", sorted(painters.PAINTERS), artists, FIRST_ARTISTS)
    ]


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


def content(names: Sequence[str] | None, count: int) -> PictureSet:
    """Photographs from scikit-image.

    Args:
        names: see `PHOTOGRAPHS`; patterns match several; None: the first `count`.
        count: how many where no names are given.

    Raises:
        DatasetError: no such photograph, or too few.
    """
    available = tuple(
        Picture(name, f"skimage.data.{name}", partial(photograph, name)) for name in PHOTOGRAPHS
    )
    return chosen_content("the sample", PictureSet("content", available), names, count)


def photograph(name: str) -> Image.Image:
    """One of scikit-image's photographs, as RGB."""
    return to_rgb(Image.fromarray(getattr(skimage.data, name)()))
