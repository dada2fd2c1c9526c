"""Where in content pictures styles act, and where in paintings they are: files of masks."""

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
PAINTINGS_OPTION = "dataset.masks"


@dataclass(frozen=True, eq=False)
class Masks:
    """The masks of N pictures, read."""

    pictures: Sequence[np.ndarray]  # of each, (R, H, W) in [0, 1]
    digest: str  # SHA-256 of all mask pictures at their own sizes

    def at(self, pictures: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Those of each picture at its size."""
        pairs = zip(self.pictures, pictures, strict=True)
        return [area_resized(masks, picture.shape[:2]) for masks, picture in pairs]


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
    by_artist = _subfolders(OPTION, place, [one.name for one in paintings])
    if not by_artist:
        return (folder.file_or_files_of(OPTION, place, contents),)
    if len(sizes := {len(one.names) for one in paintings}) > 1:
        numbers = " and ".join(map(str, sorted(sizes)))
        reason = f"artists who paint one picture need equally many paintings, not {numbers}"
        raise DatasetError(f"{reason}: lower dataset.paintings", OPTION, place)
    return tuple(folder.file_or_files_of(OPTION, str(one), contents) for one in by_artist.values())


@images.folders_read()
def painting_mask_sets(
    place: str, groups: Sequence[ImageSet], sets: Sequence[ImageSet]
) -> list[ImageSet]:
    """The masks of the paintings of each style set, from a subfolder for its artist.

    Or, where there is one artist, from the folder itself.

    Raises:
        DatasetError: a subfolder, or a painting's mask, is missing.
    """
    by_artist = _subfolders(PAINTINGS_OPTION, place, [group.name for group in groups])
    if not by_artist and len(groups) > 1:
        reason = "no subfolders of masks: it needs one for each artist, called like it"
        raise DatasetError(reason, PAINTINGS_OPTION, place)
    # By where they are from, for a set may be of several artists and its names longer then.
    masks = {
        image.source: (str(by_artist.get(group.name, place)), image.name)
        for group in groups
        for image in group.images
    }
    return [
        ImageSet(
            one.name,
            tuple(
                folder.file_or_files_of(PAINTINGS_OPTION, where, [name]).images[0]
                for where, name in (masks[image.source] for image in one.images)
            ),
        )
        for one in sets
    ]


def _subfolders(option: str, place: str, artists: Sequence[str]) -> dict[str, Path]:
    """The subfolder of masks of each artist; empty if a folder has none, or it is a file."""
    path = Path(place).expanduser()
    inside = [one for one in images.subfolders(path) if images.files_in(one)]
    if not inside:
        return {}
    if images.files_in(path):
        reason = "has masks and subfolders of artists' masks: keep only the one or the other"
        raise DatasetError(reason, option, place)
    by_artist: dict[str, list[Path]] = {artist: [] for artist in artists}
    for one in inside:
        with suppress(DatasetError):  # Others than this run's may be there.
            for artist in chosen_names(option, dict.fromkeys(by_artist, ()), [one.name]):
                by_artist[artist].append(one)
    for artist, found in by_artist.items():
        if len(found) != 1:
            names = ", ".join(one.name for one in found or inside)
            what = f"several subfolders for '{artist}'" if found else f"no subfolder for '{artist}'"
            reason = f"{what}, which needs one, called like it; there are {names}"
            raise DatasetError(reason, option, place)
    return {artist: one for artist, [one] in by_artist.items()}


def load_masks(
    sets: tuple[ImageSet, ...],
    contents: ImageSet,
    sizes: Sequence[tuple[int, int]],
    option: str = OPTION,
) -> Masks:
    """Read masks, each at the (H, W) that its picture is to have; overlaps are shared.

    White is 1, black 0, colours their luma.

    Raises:
        DatasetError: a mask cannot be read, has another aspect ratio than its picture, or all masks
            of one are black.
    """
    originals = datasets.made_of_all(contents, lambda image: image.read().size)
    digest = hashlib.sha256()
    found: list[list[np.ndarray]] = [[] for _ in originals]
    for one in sets:
        read = [*zip(one.images, datasets.made_of_all(one, _grey), strict=True)]
        for index, original in enumerate(originals):
            image, grey = read[index % len(read)]
            _check_aspect_ratio(option, image, grey, original)
            digest.update(repr(grey.shape).encode() + grey.tobytes())
            found[index].append(area_resized(grey / 255.0, sizes[index]))
    pictures = [without_overlap(np.stack(masks)) for masks in found]
    for content, masks in zip(contents.images, pictures, strict=True):
        if not masks.any():
            use = "no style would act in it" if option == OPTION else "it would have no style"
            reason = f"nothing is white in what masks '{content.name}': {use}"
            raise DatasetError(reason, option, sets[0].images[0].source)
    return Masks(pictures, digest.hexdigest())


def _grey(image: LazyImage) -> np.ndarray:
    return np.asarray(image.read().convert("L"))


def _check_aspect_ratio(
    option: str, image: LazyImage, grey: np.ndarray, original: tuple[int, int]
) -> None:
    """Raise DatasetError unless a mask has its picture's aspect ratio, to a pixel."""
    (height, width), (full_width, full_height) = grey.shape, original
    if abs(width * full_height - height * full_width) > max(original):
        reason = f"this mask has {width} × {height} pixels, and its picture {full_width}"
        reason += f" × {full_height}, another aspect ratio: make the mask from the picture itself"
        raise DatasetError(reason, option, image.source)
