"""A style transfer as a value, what it shares with others, and the memory that it takes."""

from dataclasses import dataclass, field
from functools import cache, lru_cache
from math import prod
from typing import Any
from weakref import WeakKeyDictionary

import keras
import numpy as np

from backbones import Backbone
from backbones.any_size import Sides, shapes_for
from backbones.network import Network
from benchmark.transfer import backend
from benchmark.transfer.aggregation import SIMPLE, Aggregation
from benchmark.transfer.losses import STUDY_LOSS, Loss
from benchmark.transfer.step import ADAM, Optimizer, Stylization

SAFE_SHARE = 0.7
"""Of what is free when it is first asked for; the rest is for what others take meanwhile."""

GRADIENT_ARRAYS = 4
"""Arrays of the largest layer's size, in float32, that a step's backward pass holds at a time."""

STATES = 4
"""At the beginning of the first and of the last epoch of a block, now, and of the step at work."""

COMPILATION = 150_000_000
"""Bytes that compiling a step takes, apart from any array."""

IN_PLACE = ("Activation", "BatchNormalization", "Dropout", "InputLayer", "ReLU")
"""Layers whose results overwrite their inputs."""


def bytes_per_example(backbone: Backbone, sides: Sides | None = None, regions: int = 0) -> int:
    """Bytes that a step takes for each example, of a height and width where these may be any.

    The activations kept for the backward pass and the content layers' targets, in the backbone's
    precision, those of the style layers in each region of masks, and a few arrays of the largest
    layer's size. `python -m benchmark.bench` compares it with measured peaks.
    """
    cut = backbone.shared.cut
    itemsize = np.dtype(keras.backend.standardize_dtype(cut.compute_dtype)).itemsize
    shapes = shapes_for(cut, *backbone.shared.architecture.network_sides(sides))
    sizes = {name: prod(shape) for name, shape in shapes.items()}
    kept = [sizes[one.name] for one in cut.layers if type(one).__name__ not in IN_PLACE]
    outputs = [sizes[layer._keras_history.operation.name] for layer in cut.outputs]
    styles = len(backbone.style_layers)
    masked = 4 * regions * sum(outputs[:styles])
    activations = (sum(kept) + sum(outputs[styles:])) * int(itemsize)
    return activations + masked + GRADIENT_ARRAYS * 4 * max(kept)


def estimate_bytes(
    backbone: Backbone,
    *,
    artists: int,
    paintings: int,
    examples: int,
    sides: Sides | None = None,
    regions: int = 0,
) -> int:
    """Bytes that a run with such a batch and paintings of each artist adds to the process.

    Style targets count twice: alone for later runs, and stacked with others' for a step.
    """
    style = backbone.shared.cut.outputs[: len(backbone.style_layers)]
    matrices = sum(int(layer.shape[-1]) ** 2 for layer in style)
    targets = 2 * 4 * artists * (paintings + 1) * matrices
    return COMPILATION + targets + examples * bytes_per_example(backbone, sides, regions)


def _stylization(optimizer: Optimizer, *arguments: Any) -> Stylization:
    return optimizer.stylization(*arguments)


class Session:
    """Compiled steps, the last 16 kinds, and how much fits into memory.

    Whoever optimises again and again passes the same one, so that no step is compiled twice and no
    batch that did not fit is tried twice.
    """

    def __init__(self) -> None:
        self.compiled_step = lru_cache(maxsize=16)(_stylization)
        self._free_memory = cache(backend.free_memory)
        self._largest_batches: WeakKeyDictionary[Network, int] = WeakKeyDictionary()

    def largest_batch(
        self,
        backbone: Backbone,
        memory_gb: float | None,
        *,
        artists: int,
        paintings: int,
        contents: int,
        optimizer: Optimizer = ADAM,
        sides: Sides | None = None,
        share_targets: bool = True,
        regions: int = 0,
    ) -> int:
        """Most examples, at least 1, whose step stays within the memory beside all targets.

        And beside the optimiser's state of all examples, in a batch or not, held `STATES` times.
        Without `memory_gb` that is a safe share of what was free at the first call. Without
        `share_targets` every content has its own of each artist.
        """
        memory = SAFE_SHARE * self._free_memory() if memory_gb is None else memory_gb * 1e9
        sets = artists if share_targets else artists * contents
        numbers = {"artists": sets, "paintings": paintings, "examples": 0}
        others = estimate_bytes(backbone, **numbers, sides=sides)
        if not backend.accelerators():  # Else the states are not where this memory is.
            values = 3 * prod(sides or backbone.shared.architecture.network_sides())
            others += STATES * artists * contents * optimizer.bytes_per_example(values)
        fitting = (int(memory) - others) // bytes_per_example(backbone, sides, regions)
        return self.fitting(backbone, int(np.clip(fitting, 1, artists * contents)))

    def fitting(self, backbone: Backbone, batch: int) -> int:
        """A batch size, or less where a batch of it did not fit into memory before."""
        return min(batch, self._largest_batches.get(backbone.shared, batch))

    def reduce_batch(self, backbone: Backbone, batch: int) -> None:
        """Remember that no larger batch fits into memory; forget steps that may have failed."""
        self.compiled_step.cache_clear()
        self._largest_batches[backbone.shared] = self.fitting(backbone, batch)


@dataclass(frozen=True)
class StyleTransfer:
    """A network, an aggregation, a loss and an optimiser; by default the study's with Adam."""

    backbone: Backbone
    aggregation: Aggregation = SIMPLE  # after the mean over layers (the study, section 1)
    loss: Loss = STUDY_LOSS  # of content, style and total variation
    optimizer: Optimizer = ADAM  # every batch has its own state of it
    session: Session = field(default_factory=Session, repr=False)  # to be shared with others
