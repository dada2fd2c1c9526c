"""The sizes at which a run optimises its pictures, from coarse to fine."""

from math import log2

from backbones import Backbone
from backbones.any_size import STRIDE
from benchmark.config.errors import ConfigError
from benchmark.config.schema import Config

COARSEST_SIZE = 128
"""Pixels of the longest side, at least, at the first of the scales that `auto` chooses."""


def scaled_sizes(config: Config) -> list[int]:
    """Pixels of the longest side at each scale."""
    scales, size = config.scales, config.image_size
    if scales == "auto":
        halvings = max(int(log2(size / COARSEST_SIZE)), 0)
        scales = [0.5**halving for halving in range(halvings, -1, -1)]
    return [round(size * scale) for scale in scales]


def check_size(backbone: Backbone, size: int, scales: object) -> None:
    """Raise ConfigError unless a network of any size takes the squares of the smallest scale."""
    try:
        if size < STRIDE:
            raise ValueError(f"it takes {STRIDE} pixels a side or more")
        backbone.shared.cut.compute_output_shape((1, size, size, 3))
    except ValueError as error:
        reason = f"the smallest is {size} pixels a side, too few for {backbone.name}: {error}"
        raise ConfigError(reason, "scales", scales) from error
