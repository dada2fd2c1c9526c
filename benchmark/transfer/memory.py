"""How much memory a step takes, estimated from the network alone."""

import keras
import numpy as np

from backbones import Backbone

GRADIENT_ARRAYS = 4
"""Arrays of the largest layer's size, in float32, that a step's backward pass holds at a time."""

COMPILATION = 150_000_000
"""Bytes that compiling a step takes, apart from any array."""

IN_PLACE = ("Activation", "BatchNormalization", "Dropout", "InputLayer", "ReLU")
"""Layers whose results overwrite their inputs."""


def bytes_per_example(backbone: Backbone) -> int:
    """Bytes that a step takes for each example.

    The activations kept for the backward pass, in the backbone's precision, and a few arrays of
    the largest layer's size. `python -m benchmark.bench` compares it with measured peaks.
    """
    cut = backbone.shared.cut
    itemsize = np.dtype(keras.backend.standardize_dtype(cut.compute_dtype)).itemsize
    sizes = [
        int(np.prod(layer.output.shape[1:]))
        for layer in cut.layers
        if type(layer).__name__ not in IN_PLACE
    ]
    return sum(sizes) * int(itemsize) + GRADIENT_ARRAYS * 4 * max(sizes)


def estimate_bytes(backbone: Backbone, *, artists: int, paintings: int, examples: int) -> int:
    """Bytes that a run with such a batch and paintings of each artist adds to the process.

    Style targets count twice: alone for later runs, and stacked with others' for a step.
    """
    *style, _ = backbone.shared.cut.outputs
    matrices = sum(int(layer.shape[-1]) ** 2 for layer in style)
    targets = 2 * 4 * artists * (paintings + 1) * matrices
    return COMPILATION + targets + examples * bytes_per_example(backbone)
