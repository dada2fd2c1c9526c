"""Pixels: uint8 and float32 in [0, 1], and luma, each defined once; needs only NumPy."""

from collections.abc import Sequence
from typing import Any

import numpy as np

Pictures = Any
"""Pictures of one size in an array (n, H, W, 3), or a list in which each has its own (H, W, 3)."""


def gathered(pictures: Sequence[np.ndarray]) -> Pictures:
    """Pictures in one array where they are of one size; else in a list."""
    return list(pictures) if len({p.shape for p in pictures}) > 1 else np.stack(pictures)


def same_shape(pictures: Pictures, among: Sequence[int] | None = None) -> list[list[int]]:
    """The indices of pictures, or some of them, by their shapes, in the order of the first each."""
    chosen = range(len(pictures)) if among is None else among
    shapes = {index: pictures[index].shape for index in chosen}
    return [
        [index for index, other in shapes.items() if other == shape]
        for shape in dict.fromkeys(shapes.values())
    ]


def to_float(images: np.ndarray) -> np.ndarray:
    """Images as float32 in [0, 1]: uint8 ones are divided by 255, float ones stay what they are."""
    floats = np.asarray(images, "float32")
    return floats / np.float32(255) if images.dtype == np.uint8 else floats


def to_uint8(images: np.ndarray) -> np.ndarray:
    """Images in [0, 1] as uint8, rounded; values outside are clipped."""
    return np.clip(np.round(images * 255.0), 0, 255).astype("uint8")


def luma(pictures: np.ndarray) -> np.ndarray:
    """Luma Y = 0.299 R + 0.587 G + 0.114 B (ITU-R BT.601) of pictures (…, 3), float64, (…)."""
    return np.asarray(np.asarray(pictures, "float64") @ np.array([0.299, 0.587, 0.114]))
