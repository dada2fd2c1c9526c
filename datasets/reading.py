"""From a picture file to an upright image in sRGB, 8 bits a channel."""

import os
import re
import unicodedata
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from math import prod
from pathlib import Path
from threading import Lock

import numpy as np
import psutil
from PIL import Image, ImageCms, ImageOps, UnidentifiedImageError

from datasets.formats import (
    CAMERA_RAW,
    PLUGIN,
    TIFF,
    UnreadableError,
    head_of,
    kind_of,
    readable_formats,
    say_once,
)

WHOLE = 89_478_485
"""Pixels of the largest picture that is read whole, Pillow's limit; larger ones are reduced."""

LIMIT = "BENCHMARK_MAX_MEGAPIXELS"
"""The environment variable for the largest picture that is read at all; 1000 by default."""

PIXELS_PER_BYTE = 100
"""Of a file over `WHOLE`; a scan has under 20, a decompression bomb hundreds."""

NEW_SUBFILE_TYPE, SUB_IFDS, DNG_VERSION, ICC_PROFILE, ORIENTATION = 254, 330, 50706, 34675, 274
BITS_PER_SAMPLE = 258

LAB = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()

_opening, _one_at_a_time = Lock(), Lock()


def printable(name: str) -> str:
    """A file's name in one line of UTF-8: what no text can hold is written as its code."""
    kinds = ("Cc", "Cs", "Zl", "Zp")  # control characters, undecoded bytes, line separators
    return "".join(
        c.encode("unicode_escape").decode() if unicodedata.category(c) in kinds else c for c in name
    )


@contextmanager
def without_pillows_warnings() -> Iterator[None]:
    """Of corrupt EXIF data and the like, which change nothing; around threads, not inside them."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"PIL\.")
        yield


def read_file(path: Path) -> Image.Image:
    """Read an image file as RGB, upright, as a viewer would show it.

    EXIF rotation is applied, colours are converted from the file's profile to sRGB, transparency
    put on white, CMYK converted, 16-bit greyscale scaled to 8 bits; of several frames the first is
    taken. What has more pixels than `WHOLE` is reduced by 2, 4, … each way.

    Raises:
        UnreadableError: it is of another format, or too large.
        Exception: what Pillow's readers raise for damaged files.
    """
    with opened(path) as image:
        return to_rgb(in_srgb(upright(image), printable(str(path))))


@contextmanager
def opened(path: Path) -> Iterator[Image.Image]:
    """A file's image as it is stored, reduced if it is large; raises as `read_file`."""
    head = head_of(path)
    try:
        image = _opened_by_pillow(path)
    except UnidentifiedImageError as error:
        if kind := kind_of(head):
            raise UnreadableError(str(kind)) from error
        if not re.match(TIFF, head):
            raise UnreadableError("no picture of a known format, or damaged") from error
        image = _tiff(path)
    if image.format == "TIFF" and image.mode == "I" and _has_32_bits(image):
        image.close()
        image = _tiff(path)  # Pillow's pixels do not say how large they can be.
    with image:
        if image.format == "TIFF" and _is_camera_raw(image):
            raise UnreadableError(str(CAMERA_RAW))
        if prod(image.size) <= WHOLE:
            yield image
        else:
            check_size(image.size, path.stat().st_size)
            with _one_at_a_time:
                yield _reduced(image)


def _opened_by_pillow(path: Path) -> Image.Image:
    # Pillow would refuse large scans by a limit of its own, which is the process's.
    with _opening:
        limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
        try:
            # The ending decides nothing: what calls itself JPEG may be a program for Ghostscript.
            return Image.open(path, formats=sorted(readable_formats()))
        finally:
            Image.MAX_IMAGE_PIXELS = limit


def _is_camera_raw(image: Image.Image) -> bool:
    """Whether a TIFF is a camera's, of which Pillow would show the small preview."""
    tags = getattr(image, "tag_v2", {})
    is_preview = tags.get(NEW_SUBFILE_TYPE) == 1 and SUB_IFDS in tags
    return is_preview or DNG_VERSION in tags


def _has_32_bits(image: Image.Image) -> bool:
    return getattr(image, "tag_v2", {}).get(BITS_PER_SAMPLE) == (32,)


def check_size(size: tuple[int, int], file_size: int) -> None:
    """Raise UnreadableError for a picture that is larger than the limit, or a bomb."""
    limit, pixels = os.environ.get(LIMIT) or "1000", prod(size)
    if not re.fullmatch(r"\d+(\.\d+)?", limit):
        raise UnreadableError(f"{LIMIT}={limit} is no number of megapixels")
    shown = f"{size[0]} × {size[1]} pixels"
    if pixels > float(limit) * 1e6:
        raise UnreadableError(
            f"{shown}, over {limit} megapixels: scale it down, or set {LIMIT} higher"
        )
    if pixels > PIXELS_PER_BYTE * file_size:
        raise UnreadableError(
            f"{shown} in only {file_size:,} bytes, as a decompression bomb has: scale it down"
        )


def _reduced(image: Image.Image) -> Image.Image:
    """A large image, 1/2, 1/4, … of its width and height, so that it has at most `WHOLE` pixels.

    JPEG is decoded so, and takes no more memory than the result; others are decoded whole.
    """
    factor = next(2**n for n in range(1, 99) if prod(image.size) >> (2 * n) <= WHOLE)
    size = image.size[0] // factor, image.size[1] // factor
    if image.format in ("JPEG", "MPO"):
        if "progressive" in image.info:  # all coefficients are kept, of 16 bits
            check_memory(image.size, 3 * prod(image.size))
        image.draft(None, size)
        if prod(image.size) <= WHOLE:
            return image
    check_memory(image.size, prod(image.size) * (1 if image.mode == "L" else 4))
    if image.mode in ("P", "1"):
        info = image.info
        image = image.convert("RGBA" if image.has_transparency_data else "RGB")
        image.info = info
    return image.resize(size, Image.Resampling.BOX)


def check_memory(size: tuple[int, int], needed: int) -> None:
    """Raise UnreadableError unless so many bytes, and half of them again, are free."""
    free = psutil.virtual_memory().available
    if 1.5 * needed > free:
        raise UnreadableError(
            f"{size[0]} × {size[1]} pixels need {1.5 * needed / 1e9:.1f} GB of memory, "
            f"{free / 1e9:.1f} are free: scale it down, or save it as plain JPEG, which needs less"
        )


def _tiff(path: Path) -> Image.Image:
    """A TIFF of which Pillow knows the pixels not: 16-bit or float colours, 16-bit CIE L*a*b*."""
    import tifffile

    with tifffile.TiffFile(path) as file:
        page = file.pages.first
        size = page.imagewidth, page.imagelength
        if prod(size) > WHOLE:
            raise UnreadableError(f"{size[0]} × {size[1]} pixels: scale it down")
        try:
            values = page.asarray()
        except ValueError as error:
            if "imagecodecs" not in str(error):
                raise
            raise UnreadableError(
                f"TIFF compressed as {tifffile.COMPRESSION(page.compression).name}: {PLUGIN}"
            ) from error
        values = np.moveaxis(values, 0, -1) if page.axes.startswith("S") else values
        channels = values[..., None] if values.ndim == 2 else values
        photometric, tags = tifffile.PHOTOMETRIC(page.photometric or 0).name, page.tags
        profile, orientation = (tags.valueof(tag) for tag in (ICC_PROFILE, ORIENTATION))
    if photometric not in ("MINISBLACK", "RGB", "CIELAB", "ICCLAB") or channels.ndim != 3:
        raise UnreadableError(f"TIFF of the kind {photometric} {values.dtype}: save it as PNG")
    if photometric == "CIELAB":  # Pillow keeps a and b with an offset, as ICCLAB has them.
        offset = np.array([0, 1, 1]) * (np.iinfo(channels.dtype).max // 2 + 1)
        channels = channels[..., :3] + offset.astype(channels.dtype)
    bytes_ = to_8_bits(channels)
    if "LAB" in photometric and channels.dtype == "uint16":  # 256 steps of a and b are one
        bytes_[..., 1:] = ((channels[..., 1:].astype("int32") + 128) >> 8).clip(0, 255)
    bands = [Image.fromarray(np.ascontiguousarray(band)) for band in np.moveaxis(bytes_, 2, 0)]
    modes = {1: "L", 2: "LA", 3: "LAB" if "LAB" in photometric else "RGB", 4: "RGBA"}
    if len(bands) not in modes:
        raise UnreadableError(f"TIFF of {len(bands)} channels: save it as PNG")
    image = Image.merge(modes[len(bands)], bands)
    if profile:
        image.info["icc_profile"] = profile
    image.getexif()[ORIENTATION] = orientation or 1
    return image


def to_8_bits(values: np.ndarray) -> np.ndarray:
    """Values as uint8: integers by their range, others by [0, 1], or [0, largest] if beyond."""
    if np.issubdtype(values.dtype, np.integer):
        return (
            np.asarray(values.clip(0) / np.iinfo(values.dtype).max * 255.0).round().astype("uint8")
        )
    if not np.isfinite(values).all():
        raise ValueError("some pixels are not finite numbers")
    return (values / max(float(values.max()), 1.0) * 255.0).clip(0, 255).round().astype("uint8")


def upright(image: Image.Image) -> Image.Image:
    """An image turned as its EXIF data say; where these are damaged, as it is stored."""
    image.load()
    try:
        return ImageOps.exif_transpose(image)
    except Exception:  # Pillow's readers of EXIF raise whatever they meet.
        return image


def in_srgb(image: Image.Image, source: str) -> Image.Image:
    """An image in sRGB instead of the colour profile that it has; the same where it has none.

    Relative colorimetric, with black point compensation, as photo editors do it. A profile that is
    broken, or for other channels, is left aside with a warning.
    """
    profile = image.info.get("icc_profile")
    if image.mode == "LAB":
        profile = LAB
    if profile and image.mode == "LA":  # of grey, as the profile is
        grey = image.getchannel("L")
        grey.info = {"icc_profile": profile}
        alpha, image = image.getchannel("A"), in_srgb(grey, source)
        image.putalpha(alpha)
        return image
    if not profile or image.mode.startswith(("I", "F", "1")):
        return image
    coloured = image
    if image.mode not in ("L", "RGB", "RGBA", "CMYK", "LAB"):
        coloured = image.convert("RGBA" if image.has_transparency_data else "RGB")
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
        say_once(f"{source}: its colour profile is not used ({error})")
        return image


def to_rgb(image: Image.Image) -> Image.Image:
    """Any Pillow image as RGB with 8 bits a channel."""
    if image.mode.startswith("I"):
        # Pillow's own conversion clips 16-bit values at 255 instead of scaling them.
        values = np.asarray(image).clip(0, 65535).astype("uint16")
        return Image.fromarray(to_8_bits(values)).convert("RGB")
    if image.mode == "F":
        return Image.fromarray(to_8_bits(np.asarray(image))).convert("RGB")
    if image.has_transparency_data:
        layer = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", layer.size, "white"), layer).convert("RGB")
    return image.convert("RGB")
