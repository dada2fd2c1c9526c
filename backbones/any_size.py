"""Images of any height and width, as networks that halve them again and again can take them."""

from collections.abc import Callable, Sequence
from typing import Any

from backbones.quiet_keras import keras

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
