"""What a machine's arithmetic allows: a step's operations, and the rate of matrix products."""

from collections.abc import Callable
from functools import partial
from statistics import median

import numpy as np
from keras import ops

from backbones import Backbone
from benchmark.bench.timing import seconds_of

PRODUCTS = 5
"""Matrix products in a row, so that fetching the result hardly counts."""


def operations(backbone: Backbone) -> float:
    """Floating-point operations of the convolutions in a step of one example.

    2·K²·C_in·C_out·H·W forward, as many back to the picture; all else comes on top, so that a
    share of the matrix-product rate made of it is not flattered.
    """
    return 4 * sum(
        float(np.prod(layer.kernel.shape)) * float(np.prod(layer.output.shape[1:3]))
        for layer in backbone.shared.cut.layers
        if type(layer).__name__ in ("Conv2D", "DepthwiseConv2D")
    )


def matrix_timer(size: int, precision: str) -> Callable[[], float]:
    """A function that measures the seconds of a product of two square matrices, a median."""
    random = np.random.default_rng(0)
    factor = ops.cast(random.standard_normal((size, size), dtype="float32") / size**0.5, precision)
    return partial(_product_seconds, factor)


def _product_seconds(factor: object) -> float:
    def products() -> None:
        result = factor
        for _ in range(PRODUCTS):
            result = ops.matmul(result, factor)
        # Asked for one number, because backends return before they are done.
        ops.convert_to_numpy(ops.cast(ops.reshape(result, -1)[:1], "float32"))

    return median(seconds_of(products) for _ in range(3)) / PRODUCTS
