"""A result at its content picture's own dimensions, with the artist's hand as fine as at S × S."""

from functools import partial
from math import log2

import numpy as np
from PIL import Image
from PIL.Image import Resampling
from scipy.ndimage import gaussian_filter

from benchmark.images.pixels import Pictures, luma, to_float, to_uint8

# Added to every contrast, lest the ratio of two tiny ones lift a photograph's JPEG noise.
GREY_LEVEL = 1 / 255
CORRECTIONS = 3
# Of values (H, W) around each, under a Gaussian with a deviation of three pixels.
local_mean = partial(gaussian_filter, sigma=3.0)


def to_original_size(result: np.ndarray, original: np.ndarray) -> np.ndarray:
    """Enlarge a result with its original's fine detail, as strong as the transfer would have it.

    X = up(R) + g · D, then `CORRECTIONS` times X ← X + up(R − down(X)), where
    D = Y(O) − up(Y(down(O))) is the luma that squashing the original O took away, and, place by
    place,

        g = min(1, 2 max(0, ρ)) · σ(R) / max(σ(down(O)), σ(D) / √octaves).

    σ is the contrast of the finest structures, ρ their correlation in R and down(O), and
    octaves = log₂(HW / S²) / 2, at least 1. So detail is left out where the transfer painted
    something else, fades or grows as it made the coarser structures do, and is at most as strong
    as in a painting, where every octave has about the same contrast (measured on Monet's and van
    Gogh's). Colours are the result's.

    Args:
        result: uint8, shape (S, S, 3).
        original: the content picture before it was squashed, uint8, shape (H, W, 3).

    Returns:
        uint8, shape (H, W, 3). Where H, W ≥ S, Lanczos down to S × S gives nearly the result
        again; an unchanged result gives nearly the original.

    Source: detail as in the Laplacian pyramid of Burt and Adelson 1983, corrections by the
    back-projection of Irani and Peleg 1991; the gain is this project's own.
    """
    small, full = result.shape[:2], original.shape[:2]
    target, photograph = to_float(result), to_float(original)
    squashed = luma(resized(photograph, small))
    detail = luma(photograph) - resized(squashed, full, Resampling.BICUBIC)
    octaves = max(log2(detail.size / squashed.size) / 2, 1.0)
    painted, seen = finest(luma(target)), finest(squashed)
    correlation = local_mean(painted * seen) / (contrast(painted**2) * contrast(seen**2))
    present = contrast(resized(detail**2, small, Resampling.BOX)) / octaves**0.5
    gain = contrast(painted**2) / np.maximum(contrast(seen**2), present)
    gain = gain * (2 * correlation).clip(0, 1)
    enlarged = resized(target, full, Resampling.BICUBIC)
    enlarged += (resized(gain, full, Resampling.BILINEAR) * detail)[..., None]
    for _ in range(CORRECTIONS):
        enlarged = enlarged.clip(0, 1)
        enlarged += resized(target - resized(enlarged, small), full, Resampling.BICUBIC)
    return to_uint8(enlarged)


def squares(pictures: Pictures, size: int) -> np.ndarray:
    """Pictures in [0, 1] as uint8, (N, S, S, 3), squashed like content pictures where need be.

    So metrics see every picture alike, whatever the shape in which it was optimised.
    """
    return np.stack([to_uint8(resized_to(picture, (size, size))) for picture in pictures])


def resized_to(picture: np.ndarray, size: tuple[int, ...]) -> np.ndarray:
    """A picture (H, W, 3) in [0, 1] at a size, clipped to [0, 1]; itself if it is of that size."""
    return picture if picture.shape[:2] == size else resized(picture, size).clip(0.0, 1.0)


def resized(
    picture: np.ndarray, size: tuple[int, ...], method: Resampling = Resampling.LANCZOS
) -> np.ndarray:
    """A float picture, shape (H, W) or (H, W, channels), at another (H, W); values not clipped.

    Lanczos by default, which squashes the content pictures too (`datasets.load_images`).
    """
    if picture.ndim == 3:
        return np.dstack([resized(channel, size, method) for channel in np.moveaxis(picture, 2, 0)])
    image = Image.fromarray(np.ascontiguousarray(picture, dtype="float32"))
    return np.asarray(image.resize((size[1], size[0]), method))


def finest(grey: np.ndarray) -> np.ndarray:
    """The finest structures of a picture (H, W), about one octave, around 0."""
    return np.asarray(grey - gaussian_filter(grey, 1.0))


def contrast(squares: np.ndarray) -> np.ndarray:
    """Root of the local mean of squared structures (H, W), plus a `GREY_LEVEL`; > 0."""
    return np.asarray(np.sqrt(local_mean(squares)) + GREY_LEVEL)
