"""Pictures written beside the photographs that they are made of, as image editors would do it."""

from pathlib import Path

import numpy as np
from PIL import Image, ImageCms, ImageColor

from benchmark.user_input import InputError
from datasets.reading import opened, upright, without_pillows_warnings

WRITABLE = (".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff")
"""The endings of files that are written."""

JPEG = (".jpg", ".jpeg")  # which has no transparency

SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def save_like(
    picture: np.ndarray, photograph: Path, file: Path, background: str | None = None
) -> None:
    """Write a picture, uint8 (H, W, 3), with what a photograph has besides its colours.

    That is its transparency, at the picture's size, where the file's format has one; with a
    `background`, a colour's name or #RRGGBB, the picture lies on that instead. Where the
    photograph has a colour profile, the picture says that it is in sRGB, to which photographs are
    converted when they are read; they are also turned upright, so that nothing says otherwise.
    """
    image = Image.fromarray(picture)
    with without_pillows_warnings(), opened(photograph) as original:
        profile = SRGB if original.info.get("icc_profile") else None
        alpha = None
        if original.has_transparency_data:
            alpha = upright(original).convert("RGBA").getchannel("A")
            alpha = alpha.resize(image.size, Image.Resampling.LANCZOS)
    if alpha and background:
        image = Image.composite(image, Image.new("RGB", image.size, background), alpha)
    elif alpha and file.suffix.lower() not in JPEG:
        image.putalpha(alpha)
    image.save(file, icc_profile=profile, quality=95)  # which formats without loss ignore


def check_colour(option: str, colour: str | None) -> None:
    """Raise InputError unless a text, None for none, is a colour to Pillow."""
    try:
        ImageColor.getrgb(colour or "white")
    except ValueError as error:
        reason = "is no colour: give a name, such as white, or #RRGGBB"
        raise InputError(reason, option, colour) from error
