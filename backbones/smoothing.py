"""Smoothing of peaky activations, before Gram matrices and losses see them."""

from math import prod
from typing import Any, Literal

from backbones.quiet_keras import keras

Smoothing = Literal["none", "softmax", "scale"]

DEEP_SCALE = 0.001
"""What SWAG's released code multiplies deep layers with, instead of the paper's softmax."""


def smoothed(smoothing: Smoothing, features: Any, image_size: int) -> Any:
    """Activations as "softmax" or "scale" leaves them; "none": as they are.

    Args:
        smoothing: "softmax" for every layer, or "scale" for the deep ones.
        features: shape (N, H, W, C).
        image_size: S; a layer is deep, by our definition, where H ≤ ⌈S / 8⌉.

    Source: Wang, Li, Vasconcelos, SWAG, arXiv 2104.05623.
    """
    if smoothing == "softmax":
        return softmax(features)
    deep = features.shape[1] <= -(-image_size // 8)
    return DEEP_SCALE * features if smoothing == "scale" and deep else features


def softmax(features: Any) -> Any:
    """σ(F)_ik = C·H·W · exp F_ik / Σ_mn exp F_mn, over all channels and positions of an image.

    C·H·W, because the values would otherwise be about 1 / (C·H·W), which Gram matrices square.
    Smooth only where activations spread over a few units, as in the paper: VGG's, from images
    in [0, 255], are so large that all but the largest vanish (`python -m benchmark.peakiness`).

    Args:
        features: activations F, shape (N, H, W, C), of any float type.

    Returns:
        The same shape, float32 whatever the precision: mean 1 over each image.

    Source: Wang, Li, Vasconcelos, SWAG, arXiv 2104.05623.
    """
    shape = tuple(features.shape[1:])
    flat = keras.ops.reshape(keras.ops.cast(features, "float32"), (-1, prod(shape)))
    return keras.ops.reshape(prod(shape) * keras.ops.softmax(flat, axis=-1), (-1, *shape))
