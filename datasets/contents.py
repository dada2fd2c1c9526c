"""Which content pictures a run takes of those available."""

import zlib
from collections.abc import Sequence
from typing import Literal

import numpy as np

from datasets.errors import DatasetError
from datasets.pictures import Picture, PictureSet, chosen

Split = Literal["train", "test"]


def named_or_first(available: PictureSet, names: Sequence[str] | None, count: int) -> PictureSet:
    """The content pictures named, or the first few.

    Args:
        available: all there are.
        names: names, or patterns such as `harbour*`; None: the first `count`.
        count: how many where no names are given.

    Raises:
        DatasetError: no such picture, two of one name, or too few.
    """
    by_name = _by_name(available)
    if count < 1:
        raise DatasetError(f"content.count={count}: must be a number from 1 up")
    if names is None and len(by_name) < count:
        raise DatasetError(
            f"content: there are {len(by_name)} content pictures, content.count={count} were "
            f"asked for: set content.count={len(by_name)} or add pictures"
        )
    wanted = chosen("content.names", list(by_name), names, count)
    return PictureSet(available.name, tuple(by_name[name] for name in wanted))


def drawn(available: PictureSet, split: Split, train: int, test: int, seed: int) -> PictureSet:
    """A seeded draw of content pictures for training, or of others for testing.

    All pictures are shuffled; training takes from the front, testing from the back, so that the
    two share none, and how many either takes does not change which the other does.

    Args:
        available: all there are.
        split: which of the two to draw.
        train: how many for training.
        test: how many others for testing.
        seed: of the draw.

    Raises:
        DatasetError: there are fewer than both together, or two of one name.

    Source: the study, section 1.
    """
    for option, number in (("content.train", train), ("content.test", test)):
        if number < 1:
            raise DatasetError(f"{option}={number}: must be a number from 1 up")
    there = len(available.pictures)
    if there < train + test:
        raise DatasetError(
            f"split={split}: content.train={train} and content.test={test} others need "
            f"{train + test} content pictures, there are {there}: lower them or add pictures"
        )
    in_order = [picture for _, picture in sorted(_by_name(available).items())]
    shuffled = np.random.default_rng([seed, zlib.crc32(b"content")]).permutation(there)
    places = shuffled[:train] if split == "train" else shuffled[-test:]
    return PictureSet(available.name, tuple(in_order[place] for place in sorted(places)))


def _by_name(available: PictureSet) -> dict[str, Picture]:
    by_name = {picture.name: picture for picture in available.pictures}
    if len(by_name) < len(available.pictures):
        seen = [picture.name for picture in available.pictures]
        twice = next(name for name in seen if seen.count(name) > 1)
        raise DatasetError(f"content: two pictures are called '{twice}'; rename one")
    return by_name
