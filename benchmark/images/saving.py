"""Pictures written beside the photographs that they are made of, as image editors would do it."""

from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

WRITABLE = (".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff")
"""The endings of files that are written."""

JPEG = (".jpg", ".jpeg")  # which has no transparency


def save_like(picture: np.ndarray, photograph: Path, file: Path) -> None:
    """Write a picture, uint8 (H, W, 3), with what a photograph has besides its colours.

    That is its colour profile, in which the picture's numbers mean the same colours, and its
    transparency, at the picture's size, where the file's format has one. The photograph is read
    upright, so that no rotation is left to be written.
    """
    image = Image.fromarray(picture)
    with Image.open(photograph) as original:
        profile = original.info.get("icc_profile") if original.mode != "CMYK" else None
        if original.has_transparency_data and file.suffix.lower() not in JPEG:
            alpha = ImageOps.exif_transpose(original).convert("RGBA").getchannel("A")
            image.putalpha(alpha.resize(image.size, Image.Resampling.LANCZOS))
    image.save(file, icc_profile=profile, quality=95)  # which formats without loss ignore
