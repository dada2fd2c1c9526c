"""Which content images a run takes of those available."""

import zlib
from collections import Counter
from collections.abc import Sequence
from typing import Literal

import numpy as np

from datasets.errors import DatasetError
from datasets.images import ImageSet, LazyImage
from datasets.names import chosen_names


def named_or_first(available: ImageSet, names: Sequence[str] | None, count: int) -> ImageSet:
    """The content images of some names, in any spelling or patterns; None: the first `count`.

    Raises:
        DatasetError: no image of a name, two of one name, or too few.
    """
    by_name = _by_name(available)
    if names is not None:
        wanted = chosen_names("content.names", dict.fromkeys(by_name, ()), names)
    elif count <= len(by_name):
        wanted = list(by_name)[:count]
    else:
        raise DatasetError(
            f"only {len(by_name)} content images are available: set content.count={len(by_name)} "
            "or add images",
            option="content.count",
            value=count,
        )
    return ImageSet(available.name, tuple(by_name[name] for name in wanted))


def random_split(
    available: ImageSet, split: Literal["train", "test"], train: int, test: int, seed: int
) -> ImageSet:
    """A seeded draw of `train` content images for training, or of `test` others for testing.

    All images are shuffled; training takes from the front, testing from the back, so that the
    two share none, and how many either takes does not change which the other does.

    Raises:
        DatasetError: fewer than both together, or two of one name.

    Source: the study, section 1.
    """
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


def _by_name(available: ImageSet) -> dict[str, LazyImage]:
    names = Counter(image.name for image in available.images)
    for name, count in names.items():
        if count > 1:
            raise DatasetError(f"two images are called '{name}'; rename one", option="content")
    return dict(zip(names, available.images, strict=True))
