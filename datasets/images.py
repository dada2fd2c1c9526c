"""From image files to arrays: any file that Pillow reads becomes RGB pixels of one size."""

import hashlib
import logging
import os
import unicodedata
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import TypeVar

import numpy as np
from natsort import natsorted
from PIL import Image, ImageCms, ImageOps

from benchmark.user_input import InputError

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
    """What `use` makes of each image, in order; its source and the reason where that fails.

    None of over 89 megapixels is read: it is an attack rather than a painting.
    """

    def used(image: LazyImage) -> Made | str:
        try:
            return use(image)
        except (Image.DecompressionBombError, Image.DecompressionBombWarning):
            reason = f"over {Image.MAX_IMAGE_PIXELS:,} pixels: scale it down"
        except Exception as error:  # Pillow's readers of rare formats raise whatever they meet.
            reason = f"{type(error).__name__}: {error}"
        return f"{image.source} ({reason})"

    at_a_time = min(os.cpu_count() or 1, 8)  # each may be large
    with warnings.catch_warnings(), ThreadPoolExecutor(at_a_time) as threads:
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        yield from threads.map(used, images)


def read_file(path: Path) -> Image.Image:
    """Read an image file as RGB, upright, as a viewer would show it.

    EXIF rotation is applied, colours are converted from the file's profile to sRGB, transparency
    put on white, CMYK converted, 16-bit greyscale scaled to 8 bits; of several frames the first is
    taken.
    """
    # The name's ending decides nothing: what calls itself JPEG may be a program for Ghostscript.
    with Image.open(path, formats=sorted(readable_formats())) as image:
        return to_rgb(in_srgb(ImageOps.exif_transpose(image), printable(str(path))))


def in_srgb(image: Image.Image, source: str) -> Image.Image:
    """An image in sRGB instead of the colour profile that it has; the same where it has none.

    Relative colorimetric, with black point compensation, as photo editors do it. A profile that is
    broken, or for other channels, is left aside with a warning.
    """
    profile = image.info.get("icc_profile")
    if not profile or image.mode.startswith(("I", "F", "1")):
        return image
    plain = image.convert("RGBA" if image.has_transparency_data else "RGB")
    coloured = image if image.mode in ("L", "RGB", "RGBA", "CMYK") else plain
    try:
        return (
            ImageCms.profileToProfile(
                coloured,
                ImageCms.ImageCmsProfile(BytesIO(profile)),
                ImageCms.createProfile("sRGB"),
                ImageCms.Intent.RELATIVE_COLORIMETRIC,
                "RGBA" if coloured.mode == "RGBA" else "RGB",
                flags=ImageCms.Flags.BLACKPOINTCOMPENSATION,
            )
            or coloured
        )
    except (ImageCms.PyCMSError, OSError) as error:
        logging.warning("%s: its colour profile is not used (%s)", source, error)
        return image


def file_version(path: Path) -> str:
    """What changes whenever a file does; nobody can set the last of its times back."""
    state = path.stat()
    return f"{path.absolute()} {state.st_size} {state.st_mtime_ns} {state.st_ctime_ns}"


def to_rgb(image: Image.Image) -> Image.Image:
    """Any Pillow image as RGB with 8 bits a channel."""
    if image.mode.startswith("I") or image.mode == "F":
        # Pillow's own conversion clips 16-bit values at 255 instead of scaling them.
        values = np.asarray(image, dtype="float64")
        if not np.isfinite(values).all():
            raise ValueError("some pixels are not finite numbers")
        scale = 65535.0 if image.mode.startswith("I") else max(float(values.max()), 1e-12)
        grey = np.clip(values / scale * 255.0, 0, 255).round().astype("uint8")
        return Image.fromarray(grey).convert("RGB")
    if image.has_transparency_data:
        layer = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", layer.size, "white"), layer).convert("RGB")
    return image.convert("RGB")


def readable_formats() -> set[str]:
    """The formats that Pillow reads itself, without a program beside it."""
    Image.init()  # costs nothing a second time
    return set(Image.OPEN) - {"BUFR", "GRIB", "HDF5", "MPEG", "EPS", "WMF"}


def files_in(folder: Path) -> tuple[LazyImage, ...]:
    """The image files of a folder, in natural numeric order: _1, _2, …, _10."""
    formats = readable_formats() | {"MPO"}  # which the reader of JPEG opens
    known = [end for end, kind in Image.registered_extensions().items() if kind in formats]
    return tuple(
        image_of(path)
        for path in natsorted(folder.iterdir(), key=lambda path: path.name)
        if path.suffix.lower() in known and path.is_file() and not path.name.startswith(".")
    )


def image_of(path: Path) -> LazyImage:
    """The image in a file."""
    name, source = printable(path.stem), printable(str(path))
    return LazyImage(name, source, partial(read_file, path), partial(file_version, path))


def subfolders(folder: Path) -> list[Path]:
    """The visible folders in a folder, in natural order; none if it does not exist."""
    entries = folder.iterdir() if folder.is_dir() else ()
    visible = [entry for entry in entries if entry.is_dir() and not entry.name.startswith(".")]
    return natsorted(visible, key=lambda path: path.name)


def printable(name: str) -> str:
    """A file's name in one line of UTF-8: what no text can hold is written as its code."""
    kinds = ("Cc", "Cs", "Zl", "Zp")  # control characters, undecoded bytes, line separators
    return "".join(
        c.encode("unicode_escape").decode() if unicodedata.category(c) in kinds else c for c in name
    )


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
