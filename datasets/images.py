"""Sets of images, from files to arrays of one size."""

import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TypeVar

import numpy as np
from natsort import natsorted
from PIL import Image

from benchmark.user_input import InputError
from datasets.formats import UnreadableError, is_picture, passed_over, say_once
from datasets.reading import printable, read_file, without_pillows_warnings

SMALLEST_SIDE = 32  # pixels, of images that keep their aspect ratio
NAMED_FILES = 5  # unreadable files that one error names; the others are counted

Made = TypeVar("Made")


class DatasetError(InputError):
    """Images cannot be provided as the user asks."""


@dataclass(frozen=True)
class LazyImage:
    """An image that is read when it is needed, as RGB."""

    name: str  # short and unique in its set
    source: str  # the file, or what made it
    read: Callable[[], Image.Image] = field(compare=False)
    # What changes whenever the image does; None: unknown, so that nobody may keep what was read.
    version: Callable[[], str] | None = field(default=None, compare=False)

    @property
    def file_name(self) -> str:
        """The last part of where it is from: a file's name with its ending."""
        return Path(self.source).name


@dataclass(frozen=True)
class ImageSet:
    """The paintings of one artist or other group, or the content images, in order."""

    name: str
    images: tuple[LazyImage, ...]


@dataclass(frozen=True, eq=False)
class LoadedImages:
    """An image set in memory, from which the originals can be read again."""

    image_set: ImageSet
    pixels: np.ndarray  # (n, S, S, 3), uint8
    digests: tuple[str, ...]  # SHA-256 of each image's RGB pixels at its own size

    @property
    def name(self) -> str:
        """Of the set."""
        return self.image_set.name

    @property
    def names(self) -> tuple[str, ...]:
        """Of the images."""
        return tuple(image.name for image in self.image_set.images)

    @property
    def digest(self) -> str:
        """SHA-256 over the images' digests, in order."""
        return hashlib.sha256("".join(self.digests).encode()).hexdigest()


def digest_of(sets: Sequence[LoadedImages]) -> str:
    """SHA-256 over the digests of several sets, in order."""
    return hashlib.sha256("".join(images.digest for images in sets).encode()).hexdigest()


def resized(image: LazyImage, size: int) -> tuple[str, np.ndarray]:
    """The SHA-256 of an image's RGB pixels, and the image at size × size, as the study does.

    The aspect ratio is not kept (the study, section 1); the filter is Lanczos.
    """
    original = image.read()
    pixels = np.asarray(original.resize((size, size), Image.Resampling.LANCZOS))
    return _digest(original), pixels


def cropped(image: LazyImage, size: int) -> tuple[str, np.ndarray]:
    """As `resized`, of the largest square in the middle: the shape leaves no trace in it."""
    original = image.read()
    (width, height), side = original.size, min(original.size)
    left, upper = (width - side) // 2, (height - side) // 2
    square = original.crop((left, upper, left + side, upper + side))
    pixels = np.asarray(square.resize((size, size), Image.Resampling.LANCZOS))
    return _digest(original), pixels


def _digest(image: Image.Image) -> str:
    """SHA-256 of an RGB image's size and pixels."""
    digest = hashlib.sha256(f"{image.size}".encode())
    digest.update(image.tobytes())
    return digest.hexdigest()


def fitted(image: LazyImage, size: int) -> np.ndarray:
    """An image with its longest side at a size, uint8, (H, W, 3).

    It keeps its aspect ratio, but for sides under `SMALLEST_SIDE`; the filter is Lanczos.
    """
    original = image.read()
    longest = max(original.size)
    width, height = (max(round(side * size / longest), SMALLEST_SIDE) for side in original.size)
    return np.asarray(original.resize((width, height), Image.Resampling.LANCZOS))


def load_images(
    image_set: ImageSet,
    size: int,
    make: Callable[[LazyImage, int], tuple[str, np.ndarray]] = resized,
) -> LoadedImages:
    """All images of a set, each as `make` gives its digest and pixels.

    Raises:
        DatasetError: names the files that cannot be read.
    """
    digests, pixels = zip(*made_of_all(image_set, lambda image: make(image, size)), strict=True)
    return LoadedImages(image_set, np.stack(pixels), digests)


def made_of_all(image_set: ImageSet, make: Callable[[LazyImage], Made]) -> list[Made]:
    """What a function makes of each image of a set.

    Raises:
        DatasetError: names the files that cannot be read.
    """
    results = list(read_all(image_set.images, make))
    if unreadable := [made for made in results if isinstance(made, str)]:
        rest = len(unreadable) - NAMED_FILES
        more = f" and {rest} more" if rest > 0 else ""
        raise DatasetError(
            f"{len(unreadable)} of the {len(image_set.images)} images of '{image_set.name}' cannot "
            f"be read: {'; '.join(unreadable[:NAMED_FILES])}{more}. Repair or remove them"
        )
    return [made for made in results if not isinstance(made, str)]


def read_all(images: Sequence[LazyImage], use: Callable[[LazyImage], Made]) -> Iterator[Made | str]:
    """What `use` makes of each image, in order; its source and the reason where that fails."""

    def used(image: LazyImage) -> Made | str:
        try:
            return use(image)
        except UnreadableError as error:
            reason = str(error)
        except Exception as error:  # Pillow's readers of rare formats raise whatever they meet.
            reason = f"{type(error).__name__}: {error}"
        return f"{image.source} ({reason})"

    at_a_time = min(os.cpu_count() or 1, 8)  # each may be large
    with without_pillows_warnings(), ThreadPoolExecutor(at_a_time) as threads:
        yield from threads.map(used, images)


def file_version(path: Path) -> str:
    """What changes whenever a file does; nobody can set the last of its times back."""
    state = path.stat()
    return f"{path.absolute()} {state.st_size} {state.st_mtime_ns} {state.st_ctime_ns}"


def files_in(folder: Path) -> tuple[LazyImage, ...]:
    """The image files of a folder, in natural numeric order: _1, _2, …, _10.

    Says once how many files it passed over, where these look like pictures.
    """
    visible = _visible_files(folder)
    if unread := passed_over(visible):
        say_once(f"{printable(str(folder))}: {unread}")
    return tuple(image_of(path) for path in visible if is_picture(path))


def no_images_in(folder: Path) -> str:
    """The reason of an error about a folder in which `files_in` finds nothing."""
    unread = passed_over(_visible_files(folder))
    folders = subfolders(folder)
    inside = f"; name one of its folders, such as {folders[0].name}" if folders else ""
    return f"no images in this folder{unread and f': {unread}'}{inside}"


def _visible_files(folder: Path) -> list[Path]:
    paths = natsorted(folder.iterdir(), key=lambda path: path.name)
    return [path for path in paths if path.is_file() and not path.name.startswith(".")]


def image_of(path: Path) -> LazyImage:
    """The image in a file."""
    name, source = printable(path.stem), printable(str(path))
    return LazyImage(name, source, partial(read_file, path), partial(file_version, path))


def subfolders(folder: Path) -> list[Path]:
    """The visible folders in a folder, in natural order; none if it does not exist."""
    entries = folder.iterdir() if folder.is_dir() else ()
    visible = [entry for entry in entries if entry.is_dir() and not entry.name.startswith(".")]
    return natsorted(visible, key=lambda path: path.name)


@contextmanager
def folders_read() -> Iterator[None]:
    """Turn what the system refuses while folders are looked through into one clear line."""
    try:
        yield
    except OSError as error:
        reason = f"{printable(str(error.filename))} cannot be read: {error.strerror}"
        raise DatasetError(reason) from error


def existing_folder(option: str, root: str) -> Path:
    """A folder that the user named; DatasetError if there is none."""
    folder = Path(root).expanduser()
    if not folder.is_dir():
        reason = "is a file, not a folder" if folder.exists() else "no such folder"
        raise DatasetError(reason, option=option, value=root)
    return folder
