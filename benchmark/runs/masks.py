"""Where styles act in the content pictures of a run: the pictures that `content.masks` names."""

import hashlib
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import datasets
from benchmark.transfer.masks import area_resized, without_overlap
from datasets import DatasetError, ImageSet, LazyImage, LoadedImages, folder, images
from datasets.names import chosen_names

OPTION = "content.masks"


@dataclass(frozen=True, eq=False)
class Masks:
    """The masks of N pictures, read."""

    pictures: Sequence[np.ndarray]  # of each, (R, H, W) in [0, 1]
    digest: str  # SHA-256 of all mask pictures at their own sizes

    def at(self, contents: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Those of each picture at its size."""
        pairs = zip(self.pictures, contents, strict=True)
        return [area_resized(masks, content.shape[:2]) for masks, content in pairs]


@images.folders_read()
def mask_sets(
    place: str | None, contents: Sequence[str], paintings: Sequence[LoadedImages]
) -> tuple[ImageSet, ...]:
    """The masks of content pictures: a set for all artists, or, from subfolders, one of each.

    A set has a picture for each content picture, or one for all.

    Raises:
        DatasetError: one of these is missing, there are masks of both kinds, or artists who are to
            paint one picture have not equally many paintings.
    """
    if place is None:
        return ()
    path = Path(place).expanduser()
    inside = [one for one in images.subfolders(path) if images.files_in(one)]
    if not inside:
        return (folder.file_or_files_of(OPTION, place, contents),)
    if images.files_in(path):
        reason = "has masks and subfolders of artists' masks: keep only the one or the other"
        raise DatasetError(reason, OPTION, place)
    by_artist: dict[str, list[Path]] = {one.name: [] for one in paintings}
    for one in inside:
        with suppress(DatasetError):  # Others than this run's may be there.
            for artist in chosen_names(OPTION, dict.fromkeys(by_artist, ()), [one.name]):
                by_artist[artist].append(one)
    for artist, found in by_artist.items():
        if len(found) != 1:
            names = ", ".join(one.name for one in found or inside)
            what = f"several subfolders for '{artist}'" if found else f"no subfolder for '{artist}'"
            reason = f"{what}, which needs one, called like it; there are {names}"
            raise DatasetError(reason, OPTION, place)
    if len(sizes := {len(one.names) for one in paintings}) > 1:
        numbers = " and ".join(map(str, sorted(sizes)))
        reason = f"artists who paint one picture need equally many paintings, not {numbers}"
        raise DatasetError(f"{reason}: lower dataset.paintings", OPTION, place)
    return tuple(
        folder.file_or_files_of(OPTION, str(one), contents) for [one] in by_artist.values()
    )


def load_masks(
    sets: tuple[ImageSet, ...], contents: ImageSet, sizes: Sequence[tuple[int, int]]
) -> Masks:
    """Read masks, each at the (H, W) that its content picture is to have; overlaps are shared.

    White is 1, black 0, colours their luma.

    Raises:
        DatasetError: a mask cannot be read, has another aspect ratio than its content picture, or
            all masks of one are black.
    """
    originals = datasets.made_of_all(contents, lambda image: image.read().size)
    digest = hashlib.sha256()
    found: list[list[np.ndarray]] = [[] for _ in originals]
    for one in sets:
        read = [*zip(one.images, datasets.made_of_all(one, _grey), strict=True)]
        for index, original in enumerate(originals):
            image, grey = read[index % len(read)]
            _check_aspect_ratio(image, grey, original)
            digest.update(repr(grey.shape).encode() + grey.tobytes())
            found[index].append(area_resized(grey / 255.0, sizes[index]))
    pictures = [without_overlap(np.stack(masks)) for masks in found]
    for content, masks in zip(contents.images, pictures, strict=True):
        if not masks.any():
            reason = f"nothing is white in what masks '{content.name}': no style would act"
            raise DatasetError(f"{reason} in it", OPTION, sets[0].images[0].source)
    return Masks(pictures, digest.hexdigest())


def _grey(image: LazyImage) -> np.ndarray:
    return np.asarray(image.read().convert("L"))


def _check_aspect_ratio(image: LazyImage, grey: np.ndarray, original: tuple[int, int]) -> None:
    """Raise DatasetError unless a mask has its content picture's aspect ratio, to a pixel."""
    (height, width), (full_width, full_height) = grey.shape, original
    if abs(width * full_height - height * full_width) > max(original):
        reason = f"this mask has {width} × {height} pixels, and its content picture {full_width}"
        reason += f" × {full_height}, another aspect ratio: make the mask from the picture itself"
        raise DatasetError(reason, OPTION, image.source)
