"""Paintings outside every style set: an artist's own held-out ones, and other artists'."""

from collections.abc import Sequence

from datasets import ImageSet


def held_out(sets: Sequence[ImageSet], groups: Sequence[ImageSet], most: int) -> list[ImageSet]:
    """For each style set the last paintings of its group that are in no style set.

    The last ones, so that sets of the group's first 3 or 30 paintings are compared with the same.
    They carry their group's name; several sets of one group have the same.
    """
    used = {picture.source for one in sets for picture in one.images}
    by_source = {picture.source: group for group in groups for picture in group.images}
    found = []
    for one in sets:
        group = by_source[one.images[0].source]
        left = tuple(picture for picture in group.images if picture.source not in used)
        found.append(ImageSet(group.name, left[max(len(left) - most, 0) :]))
    return found


def others(
    groups: Sequence[ImageSet], all_artists: Sequence[ImageSet], artists: int, most: int
) -> list[ImageSet]:
    """The first few artists who share no painting with a run's groups, at most so many of each."""
    known = {picture.source for group in groups for picture in group.images}
    other_artists = [
        one for one in all_artists if known.isdisjoint(picture.source for picture in one.images)
    ]
    return [ImageSet(one.name, one.images[:most]) for one in other_artists[:artists]]
