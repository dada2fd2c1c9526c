"""Other pooling in a network: averages, or maxima whose gradient is fast."""

from typing import Any

from backbones.quiet_keras import keras, pools_by_scatter

ops = keras.ops


def average_pooled(model: keras.Model) -> keras.Model:
    """A copy of a model, with weights of its own, with average in place of max pooling.

    Source: Gatys, Ecker, Bethge, arXiv 1508.06576, section Methods.
    """

    def clone(layer: keras.Layer) -> keras.Layer:
        if isinstance(layer, keras.layers.MaxPooling2D):
            return keras.layers.AveragePooling2D.from_config(layer.get_config())
        return layer.__class__.from_config(layer.get_config())

    return keras.models.clone_model(model, clone_function=clone)


def pool_quickly(model: keras.Model) -> None:
    """On JAX, let a model's max poolings over windows of 2 × 2 compute `tiled_maximum`.

    In place, and only what the layers compute: saved, they are Keras's own. To copy a model would
    make Keras import TensorFlow, where that is installed, too.
    """
    for layer in model.layers if pools_by_scatter() else ():
        is_plain = type(layer) is keras.layers.MaxPooling2D and layer.padding == "valid"
        if is_plain and layer.pool_size == layer.strides == (2, 2):
            layer.call = tiled_maximum


def tiled_maximum(inputs: Any) -> Any:
    """Max pooling over windows of 2 × 2 that do not overlap: the same to the bit, gradient and all.

    XLA makes the gradient of its own pooling by a scatter, which takes 8 times as long as this on
    a processor (224 × 224, 64 channels), and on an H100 was a seventh of a step of VGG19.

    From (N, H, W, C) to (N, ⌊H/2⌋, ⌊W/2⌋, C).
    """
    height, width, channels = inputs.shape[1:]
    rows, columns = height // 2, width // 2
    tiles = ops.reshape(inputs[:, : 2 * rows, : 2 * columns], (-1, rows, 2, columns, 2, channels))
    corners = [tiles[:, :, row, :, column] for row in (0, 1) for column in (0, 1)]
    return _first_of_largest(_first_of_largest(*corners[:2]), _first_of_largest(*corners[2:]))


def _first_of_largest(first: Any, second: Any) -> Any:
    """The larger of two, whose gradient goes to the first where they are equal; NaN where one is.

    As in the pooling of all backends; of `maximum` it would go to both by halves.
    """
    return ops.where((first >= second) | ops.isnan(first), first, second)
