"""The sizes at which a run optimises its pictures, from coarse to fine."""

from collections.abc import Callable
from contextlib import suppress
from math import log2

from backbones import Backbone
from backbones.any_size import STRIDE
from benchmark.config.errors import ConfigError
from benchmark.config.schema import Config
from benchmark.images.pixels import Pictures

COARSEST_SIZE = 128
"""Pixels of the longest side, at least, at the first of the scales that `auto` chooses."""

LARGEST_SMALLEST_SIDE = 320
"""Up to which a network's smallest input is looked for; Inception's is 75."""


def scaled_sizes(config: Config) -> list[int]:
    """Pixels of the longest side at each scale that is reached."""
    scales, size = config.scales, config.image_size
    if scales == "auto":
        halvings = max(int(log2(size / COARSEST_SIZE)), 0)
        scales = [0.5**halving for halving in range(halvings, -1, -1)]
    total = config.total_epochs
    reached = None if total is None else -(-total // config.epochs)
    return [round(size * scale) for scale in scales[:reached]]


def scaled_epochs(config: Config) -> list[int]:
    """Most epochs at each scale; of `total_epochs` the last takes what the others leave."""
    each = [config.epochs] * len(scaled_sizes(config))
    if config.total_epochs is not None:
        each[-1] = config.total_epochs - sum(each[:-1])
    return each


def check_sides(backbone: Backbone, config: Config, contents: Callable[[int], Pictures]) -> None:
    """Raise ConfigError unless a network of any size takes the smallest pictures of a run.

    `contents` gives the content pictures at a size.
    """
    first, needed = scaled_sizes(config)[0], smallest_side(backbone)
    style = round(first * config.style_scale)
    sides = {"scales": (config.scales, first), "style_scale": (config.style_scale, style)}
    if needed > STRIDE:
        narrowest = min(min(picture.shape[:2]) for picture in contents(first))
        sides["shape"] = (config.shape.value, narrowest)
    for option, (value, side) in sides.items():
        # Images are continued to a multiple of it.
        if side < STRIDE or -(-side // STRIDE) * STRIDE < needed:
            least = needed - STRIDE + 1 if needed > STRIDE else STRIDE
            reason = f"makes pictures of {side} pixels a side, and {backbone.name} needs {least}"
            raise ConfigError(f"{reason}: make image_size larger", option, value)


def smallest_side(backbone: Backbone) -> int:
    """The least multiple of `STRIDE` that a network of any size takes as a side."""
    for side in range(STRIDE, LARGEST_SMALLEST_SIDE, STRIDE):
        with suppress(ValueError):
            backbone.shared.cut.compute_output_shape((1, side, side, 3))
            return side
    return LARGEST_SMALLEST_SIDE
