"""Pictures written beside the photographs that they are made of, as image editors would do it."""

from pathlib import Path

import numpy as np
from PIL import Image, ImageCms, ImageOps

WRITABLE = (".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff")
"""The endings of files that are written."""

JPEG = (".jpg", ".jpeg")  # which has no transparency

SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def save_like(picture: np.ndarray, photograph: Path, file: Path) -> None:
    """Write a picture, uint8 (H, W, 3), with what a photograph has besides its colours.

    That is its transparency, at the picture's size, where the file's format has one. Where the
    photograph has a colour profile, the picture says that it is in sRGB, to which photographs are
    converted when they are read; they are also turned upright, so that nothing says otherwise.
    """
    image = Image.fromarray(picture)
    with Image.open(photograph) as original:
        profile = SRGB if original.info.get("icc_profile") else None
        if original.has_transparency_data and file.suffix.lower() not in JPEG:
            alpha = ImageOps.exif_transpose(original).convert("RGBA").getchannel("A")
            image.putalpha(alpha.resize(image.size, Image.Resampling.LANCZOS))
    image.save(file, icc_profile=profile, quality=95)  # which formats without loss ignore
