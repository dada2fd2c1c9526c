"""What a picture file is, told by its first bytes, and what to do about one that cannot be read."""

import logging
import re
from collections import Counter
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from PIL import Image

HEAD = 512  # bytes of a file that tell what it is

NOT_OURS = {"BUFR", "GRIB", "HDF5", "MPEG", "EPS", "WMF"}
"""Formats for which Pillow needs a program beside it, or has a name only."""

READABLE = rb"\xff\xd8\xff|\x89PNG|GIF8|RIFF.{4}WEBP"
TIFF = rb"II[*+]\x00|MM\x00[*+]"


class UnreadableError(ValueError):
    """A file holds no picture that can be read here; the text says what it is and what to do."""


@dataclass(frozen=True)
class Kind:
    """A kind of file that is not read."""

    name: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.name}: {self.remedy}"


say_once = cache(logging.getLogger("datasets").warning)
"""Warns of a file, which may be looked at several times."""

PLUGIN = "pip install -e '.[formats]' reads it"
CAMERA_RAW = Kind("a camera's raw picture", "export it as TIFF or JPEG")
RENAMED = Kind("a picture under an ending that is none of a picture", "rename it")

KINDS = (
    (rb"$", Kind("empty", "copy or download it again")),
    (rb"\x00{64}", Kind("zeros alone, an incomplete copy", "copy or download it again")),
    (rb".{4}ftyp(?:hei[cmsx]|hev[cmsx]|mif1|msf1)", Kind("HEIC", PLUGIN)),
    (rb".{4}ftypavi[fs]", Kind("AVIF, which this Pillow was built without", "save it as PNG")),
    (rb"\xff\x0a|.{4}JXL ", Kind("JPEG XL", PLUGIN)),
    (rb".{4}ftypcrx |II\*\x00.{4}CR|IIR[OS]|MMOR|IIU\x00|FUJIFILMCCD|FOVb|\x00MRM", CAMERA_RAW),
    (
        rb".{4}ftyp|\x1aE\xdf\xa3|RIFF.{4}AVI |\x00\x00\x01[\xb3\xba]",
        Kind("a film", "take pictures from it: docs/data.md, Frames of a film"),
    ),
    (rb"%PDF", Kind("PDF", "export its pages as PNG")),
    (rb"%!|\xc5\xd0\xd3\xc6", Kind("PostScript", "export it as PNG")),
    (rb"(?i)\s*(?:<\?xml.*)?<svg", Kind("an SVG drawing", "export it as PNG")),
    (rb"\xd7\xcd\xc6\x9a|\x01\x00{3}.{36} EMF", Kind("a Windows metafile", "export it as PNG")),
    (rb"8BPS\x00\x02", Kind("a Photoshop document of the large format", "save it as TIFF")),
    (rb"gimp xcf", Kind("a GIMP document", "export it as PNG")),
    (
        rb"v/1\x01|#\?R",
        Kind("OpenEXR or Radiance, without limits of brightness", "tone-map it to PNG"),
    ),
    (rb"II\xbc", Kind("JPEG XR", "save it as PNG")),
    (rb"(?i)\s*<(?:!doctype )?html", Kind("a web page", "download the picture itself")),
    (rb"version https://git-lfs", Kind("a pointer of Git LFS", "fetch it: git lfs pull")),
    (rb"PK\x03\x04|\x1f\x8b|7z\xbc", Kind("an archive", "unpack it, or export it as PNG")),
)


@cache
def readable_formats() -> frozenset[str]:
    """The formats that are read, by Pillow itself and by the plug-ins that are installed."""
    with suppress(ImportError):
        import pillow_heif

        pillow_heif.register_heif_opener(thumbnails=False)
    with suppress(ImportError):
        import pillow_jxl  # noqa: F401 which registers itself
    Image.init()
    return frozenset(Image.OPEN) - NOT_OURS


@cache
def endings() -> frozenset[str]:
    """Those of the names of readable files, `.jpg` and the like, in lower case."""
    formats = readable_formats() | {"MPO"}  # which the reader of JPEG opens
    return frozenset(e for e, kind in Image.registered_extensions().items() if kind in formats)


def head_of(path: Path) -> bytes:
    """The first bytes of a file."""
    with path.open("rb") as file:
        return file.read(HEAD)


def kind_of(head: bytes) -> Kind | None:
    """What a file that Pillow does not read is, by its first bytes; None: unknown."""
    kinds = (kind for pattern, kind in KINDS if re.match(pattern, head, re.DOTALL))
    return next(kinds, None)


def is_picture(path: Path) -> bool:
    """Whether a file of a folder is taken for a picture: by its ending, or without one by content.

    What else is in it, is found out when it is read.
    """
    if path.suffix.lower() in endings():
        return True
    return not path.suffix and re.match(READABLE, head_of(path), re.DOTALL) is not None


def passed_over(paths: Iterable[Path]) -> str:
    """How many files of a folder are no readable pictures, and what they are; "" if none look so.

    Files of other kinds, as texts, are counted only beside those that could have been meant.
    """
    found: Counter[Kind | None] = Counter()
    for path in paths:
        if is_picture(path):
            continue
        head = head_of(path)
        kind = kind_of(head) if head else None
        if re.match(TIFF, head):
            kind = CAMERA_RAW
        elif re.match(READABLE, head, re.DOTALL):
            kind = RENAMED
        found[kind] += 1
    named = [f"{count} × {kind}" for kind, count in found.items() if kind]
    if named and found[None]:
        named.append(f"{found[None]} of other kinds")
    return f"{found.total()} files passed over ({'; '.join(named)})" if named else ""
