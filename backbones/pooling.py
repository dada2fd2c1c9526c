"""Copies of networks with other pooling layers: averages, or maxima whose gradient is fast."""

from collections.abc import Callable
from typing import Any

from backbones.quiet_keras import keras, pools_by_scatter

ops = keras.ops


def average_pooled(model: keras.Model) -> keras.Model:
    """A copy of a model, with weights of its own, with average in place of max pooling.

    Source: Gatys, Ecker, Bethge, arXiv 1508.06576, section Methods.
    """

    def averaged(layer: keras.Layer) -> keras.Layer:
        if isinstance(layer, keras.layers.MaxPooling2D):
            return keras.layers.AveragePooling2D.from_config(layer.get_config())
        return layer.__class__.from_config(layer.get_config())

    return _copy(model, averaged)


def quickly_pooled(model: keras.Model) -> keras.Model:
    """The same model, or on JAX a copy whose poolings over windows of 2 × 2 are `TiledMaximum`."""
    if not (pools_by_scatter() and any(map(_is_tiled, model.layers))):
        return model

    def tiled(layer: keras.Layer) -> keras.Layer:
        kind = TiledMaximum if _is_tiled(layer) else layer.__class__
        return kind.from_config(layer.get_config())

    return _copy(model, tiled)


class TiledMaximum(keras.layers.MaxPooling2D):
    """Max pooling over windows of 2 × 2 that do not overlap: the same to the bit, gradient and all.

    XLA makes the gradient of its own pooling by a scatter, which takes 9 times as long as this on
    a processor (224 × 224, 64 channels), and on an H100 was a seventh of a step of VGG19.
    """

    def call(self, inputs: Any) -> Any:
        """From (N, H, W, C) to (N, ⌊H/2⌋, ⌊W/2⌋, C)."""
        height, width, channels = inputs.shape[1:]
        rows, columns = height // 2, width // 2
        tiles = ops.reshape(
            inputs[:, : 2 * rows, : 2 * columns], (-1, rows, 2, columns, 2, channels)
        )
        corners = [tiles[:, :, row, :, column] for row in (0, 1) for column in (0, 1)]
        return _first_of_largest(_first_of_largest(*corners[:2]), _first_of_largest(*corners[2:]))


def _first_of_largest(first: Any, second: Any) -> Any:
    """The larger of two, whose gradient goes to the first where they are equal; NaN where one is.

    As in the pooling of all backends; of `maximum` it would go to both by halves.
    """
    return ops.where((first >= second) | ops.isnan(first), first, second)


def _is_tiled(layer: keras.Layer) -> bool:
    if type(layer) is not keras.layers.MaxPooling2D:
        return False
    windows = layer.pool_size, layer.strides
    return windows == ((2, 2), (2, 2)) and layer.padding == "valid"


def _copy(model: keras.Model, copied: Callable[[keras.Layer], keras.Layer]) -> keras.Model:
    return keras.models.clone_model(model, clone_function=copied)
