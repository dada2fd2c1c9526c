"""Which content images a run takes of those available."""

import zlib
from collections.abc import Sequence
from typing import Literal

import numpy as np

from datasets.errors import DatasetError
from datasets.images import ImageSet, LazyImage
from datasets.names import chosen_names


def named_or_first(available: ImageSet, names: Sequence[str] | None, count: int) -> ImageSet:
    """The content images named, or the first few.

    Args:
        available: to choose from.
        names: names in any spelling, or patterns such as `harbour*`; None: the first `count`.
        count: how many where no names are given.

    Raises:
        DatasetError: no image of a name, two of one name, or too few.
    """
    by_name = _by_name(available)
    _check_positive("content.count", count)
    if names is None and len(by_name) < count:
        raise DatasetError(
            f"only {len(by_name)} content images are available: set content.count={len(by_name)} "
            "or add images",
            option="content.count",
            value=count,
        )
    if names is None:
        wanted = list(by_name)[:count]
    else:
        wanted = chosen_names("content.names", dict.fromkeys(by_name, ()), names)
    return ImageSet(available.name, tuple(by_name[name] for name in wanted))


def random_split(
    available: ImageSet, split: Literal["train", "test"], train: int, test: int, seed: int
) -> ImageSet:
    """A seeded draw of content images for training, or of others for testing.

    All images are shuffled; training takes from the front, testing from the back, so that the
    two share none, and how many either takes does not change which the other does.

    Args:
        available: to draw from.
        split: which of the two to draw.
        train: how many for training.
        test: how many others for testing.
        seed: of the draw.

    Raises:
        DatasetError: fewer than both together, or two of one name.

    Source: the study, section 1.
    """
    _check_positive("content.train", train)
    _check_positive("content.test", test)
    count = len(available.images)
    if count < train + test:
        raise DatasetError(
            f"content.train={train} and content.test={test} others need {train + test} content "
            f"images, only {count} are available: lower them or add images",
            option="split",
            value=split,
        )
    in_order = [image for _, image in sorted(_by_name(available).items())]
    shuffled = np.random.default_rng([seed, zlib.crc32(b"content")]).permutation(count)
    places = shuffled[:train] if split == "train" else shuffled[-test:]
    return ImageSet(available.name, tuple(in_order[place] for place in sorted(places)))


def _check_positive(option: str, number: int) -> None:
    if number < 1:
        raise DatasetError("must be ≥ 1", option=option, value=number)


def _by_name(available: ImageSet) -> dict[str, LazyImage]:
    by_name = {image.name: image for image in available.images}
    if len(by_name) < len(available.images):
        names = [image.name for image in available.images]
        duplicate = next(name for name in names if names.count(name) > 1)
        raise DatasetError(f"two images are called '{duplicate}'; rename one", option="content")
    return by_name
