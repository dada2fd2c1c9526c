"""Images of any height and width, as networks that halve them again and again can take them."""

from collections.abc import Callable, Sequence
from typing import Any

from backbones.quiet_keras import keras

Sides = tuple[int, int]
"""Height and width of images."""

STRIDE = 32
"""The most by which a network divides the sides of its images."""

Head = Callable[[Sequence[Any]], Sequence[Any]]
"""What a model computes from a network's outputs."""


class OfAnySize:
    """A network for images of any height and width with a head, called as a `keras.Model` is."""

    def __init__(self, model: keras.Model, head: Head) -> None:
        """The network alone, whose outputs the head then turns into others."""
        self._model, self._head = model, head
        self.variables = model.variables

    def __call__(self, images: Any, training: bool = False) -> Sequence[Any]:
        """What the head makes of the activations for images, (N, H, W, 3) in [0, 1]."""
        return self._head(self._model(continued(images), training=training))


def continued(images: Any) -> Any:
    """Images (N, H, W, 3), continued at the right and the bottom to multiples of `STRIDE`.

    By reflection, so at least `STRIDE` pixels a side; those that need nothing stay as they are.
    Otherwise poolings would leave out up to `STRIDE` − 1 pixels there, unseen by deep layers.
    """
    missing = [-side % STRIDE for side in images.shape[1:3]]
    if not any(missing):
        return images
    sides = [(0, 0), *((0, pixels) for pixels in missing), (0, 0)]
    return keras.ops.pad(images, sides, mode="reflect")


def shapes_for(model: keras.Model, height: int, width: int) -> dict[str, tuple[int, ...]]:
    """The shape of each layer's output, without the batch, for images of a size.

    The model is functional, and uses each layer once.
    """
    shapes: dict[int, tuple[int | None, ...]] = {}
    for layer in model.layers:
        if isinstance(layer, keras.layers.InputLayer):
            shape: tuple[int | None, ...] = (None, height, width, 3)
        else:
            inputs = [shapes[id(tensor)] for tensor in keras.tree.flatten(layer.input)]
            shape = layer.compute_output_shape(inputs if len(inputs) > 1 else inputs[0])
        shapes[id(layer.output)] = shape
    found = {layer.name: shapes[id(layer.output)] for layer in model.layers}
    return {name: tuple(int(side or 1) for side in shape[1:]) for name, shape in found.items()}
