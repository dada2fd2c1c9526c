"""Reading pictures: any file that Pillow reads becomes RGB pixels of one size."""

import hashlib
import os
import unicodedata
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import partial
from pathlib import Path

import numpy as np
from natsort import natsorted
from PIL import Image, ImageOps

from datasets.errors import DatasetError, unknown_name

THREADS = min(os.cpu_count() or 1, 8)
"""Pictures read at a time; each may be large."""

MOST_NAMED = 5
"""Broken files that one error names; the others are counted."""


@dataclass(frozen=True)
class Picture:
    """A picture that can be read.

    Attributes:
        name: short and unique in its set.
        source: the file, or what made it.
        read: returns it as RGB; raises OSError, ValueError or Pillow's errors where it cannot.
    """

    name: str
    source: str
    read: Callable[[], Image.Image] = field(compare=False)


@dataclass(frozen=True)
class PictureSet:
    """The paintings of one artist or other group, or the content pictures, in order."""

    name: str
    pictures: tuple[Picture, ...]


@dataclass(frozen=True, eq=False)
class Loaded:
    """A picture set in memory.

    Attributes:
        pictures: the set, from which originals can be read again.
        pixels: shape (n, S, S, 3), uint8.
        digests: SHA-256 of each picture's RGB pixels at its own size, before resizing.
    """

    pictures: PictureSet
    pixels: np.ndarray
    digests: tuple[str, ...]

    @property
    def name(self) -> str:
        """Of the set."""
        return self.pictures.name

    @property
    def names(self) -> tuple[str, ...]:
        """Of the pictures."""
        return tuple(picture.name for picture in self.pictures.pictures)

    @property
    def sources(self) -> tuple[str, ...]:
        """Files of the pictures, or what made them."""
        return tuple(picture.source for picture in self.pictures.pictures)

    @property
    def digest(self) -> str:
        """SHA-256 over the pictures' digests, in order."""
        return hashlib.sha256("".join(self.digests).encode()).hexdigest()


def digest_of(sets: Sequence[Loaded]) -> str:
    """SHA-256 over the digests of several sets, in order."""
    return hashlib.sha256("".join(one.digest for one in sets).encode()).hexdigest()


def load(pictures: PictureSet, size: int) -> Loaded:
    """Read all pictures of a set and resize each to size × size, as the study does.

    The aspect ratio is not kept (the study, section 1); the filter is Lanczos.

    Raises:
        DatasetError: names the files that cannot be read.
    """
    with bombs_refused(), ThreadPoolExecutor(THREADS) as threads:
        results = list(threads.map(partial(_read, size=size), pictures.pictures))
    broken = [result for result in results if isinstance(result, str)]
    if broken:
        more = f" and {len(broken) - MOST_NAMED} more" if len(broken) > MOST_NAMED else ""
        raise DatasetError(
            f"{len(broken)} of the {len(pictures.pictures)} pictures of '{pictures.name}' cannot "
            f"be read: {'; '.join(broken[:MOST_NAMED])}{more}. Repair or remove them"
        )
    whole = [result for result in results if not isinstance(result, str)]
    return Loaded(
        pictures,
        np.stack([pixels for _, pixels in whole]),
        tuple(digest for digest, _ in whole),
    )


def _read(picture: Picture, size: int) -> tuple[str, np.ndarray] | str:
    """A picture's digest and its pixels at size × size, or why it cannot be read."""
    try:
        image = picture.read()
        digest = hashlib.sha256(f"{image.size}".encode())
        digest.update(np.asarray(image).tobytes())
        pixels = np.asarray(image.resize((size, size), Image.Resampling.LANCZOS))
    except Exception as error:  # Pillow's readers of rare formats raise whatever they meet.
        return f"{picture.source} ({why_unreadable(error)})"
    return digest.hexdigest(), pixels


@contextmanager
def bombs_refused() -> Iterator[None]:
    """Let no picture of over 89 megapixels be read: it is an attack rather than a painting."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        yield


def why_unreadable(error: Exception) -> str:
    """Why a picture cannot be read, for people."""
    if isinstance(error, (Image.DecompressionBombError, Image.DecompressionBombWarning)):
        return f"over {Image.MAX_IMAGE_PIXELS:,} pixels: scale it down"
    return f"{type(error).__name__}: {error}"


def read_file(path: Path) -> Image.Image:
    """Read a picture file as RGB, upright, as a viewer would show it.

    EXIF rotation is applied, transparency put on white, CMYK converted, 16-bit greyscale scaled
    to 8 bits; of several frames the first is taken.
    """
    # The name's ending decides nothing: what calls itself JPEG may be a program for Ghostscript.
    with Image.open(path, formats=sorted(readable())) as image:
        return to_rgb(ImageOps.exif_transpose(image))


def to_rgb(image: Image.Image) -> Image.Image:
    """Any Pillow image as RGB with 8 bits a channel."""
    if image.mode.startswith("I") or image.mode == "F":
        # Pillow's own conversion clips 16-bit values at 255 instead of scaling them.
        values = np.asarray(image, dtype="float64")
        if not np.isfinite(values).all():
            raise ValueError("some pixels are no finite numbers")
        scale = 65535.0 if image.mode.startswith("I") else max(float(values.max()), 1e-12)
        grey = np.clip(values / scale * 255.0, 0, 255).round().astype("uint8")
        return Image.fromarray(grey).convert("RGB")
    if image.has_transparency_data:
        layer = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", layer.size, "white"), layer).convert("RGB")
    return image.convert("RGB")


def readable() -> set[str]:
    """The formats that Pillow reads itself, without a program beside it."""
    Image.init()  # costs nothing a second time
    return set(Image.OPEN) - {"BUFR", "GRIB", "HDF5", "MPEG", "EPS", "WMF"}


def files_in(folder: Path) -> tuple[Picture, ...]:
    """The picture files of a folder, in natural numeric order: _1, _2, …, _10."""
    formats = readable()
    known = [end for end, kind in Image.registered_extensions().items() if kind in formats]
    paths = [
        path
        for path in folder.iterdir()
        if path.suffix.lower() in known and path.is_file() and not path.name.startswith(".")
    ]
    ordered = natsorted(paths, key=lambda path: path.name)
    return tuple(
        Picture(printable(path.stem), printable(str(path)), partial(read_file, path))
        for path in ordered
    )


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
        raise DatasetError(
            f"{printable(str(error.filename))} cannot be read: {error.strerror}"
        ) from error


def existing_folder(option: str, root: str) -> Path:
    """A folder that the user named.

    Raises:
        DatasetError: there is none.
    """
    folder = Path(root).expanduser()
    if not folder.is_dir():
        what = "is a file, not a folder" if folder.exists() else "there is no such folder"
        raise DatasetError(f"{option}={root}: {what}")
    return folder


def chosen(
    option: str, known: Sequence[str], wanted: Sequence[str] | None, first: int
) -> list[str]:
    """Names that the user wants, in the order wanted; `*` and `?` match several.

    Args:
        option: for messages.
        known: all names, in order.
        wanted: names or patterns; None takes the first few.
        first: how many None takes.

    Raises:
        DatasetError: a name or pattern matches nothing, or none is wanted.
    """
    if wanted is None:
        return list(known[:first])
    found: dict[str, None] = {}
    for name in wanted:
        matches = [name] if name in known else [k for k in known if fnmatchcase(k, name)]
        if not matches:
            raise unknown_name(option, name, known)
        found |= dict.fromkeys(matches)
    if not found:
        raise DatasetError(f"{option}=[]: name at least one, or leave it out for the first few")
    return list(found)
