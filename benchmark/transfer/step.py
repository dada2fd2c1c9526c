"""One compiled optimisation step: the images are the weights of a Keras model."""

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import keras
import numpy as np
from keras import ops

from benchmark.transfer import backend
from benchmark.transfer.losses import LossWeights, PaintingGrams, Tensor, total_variation

LOSS_NAMES = ("total_loss", "style_loss", "content_loss")


@dataclass(frozen=True)
class OptimizerChoice:
    """A Keras optimiser as a value: its class, its learning rate, its other arguments."""

    constructor: Callable[..., keras.optimizers.Optimizer]
    learning_rate: float
    arguments: tuple[tuple[str, Any], ...] = ()

    def build(self) -> keras.optimizers.Optimizer:
        """A new optimiser; its learning rate is set when an optimisation begins."""
        return self.constructor(learning_rate=1.0, **dict(self.arguments))


ADAM = OptimizerChoice(keras.optimizers.Adam, learning_rate=0.01)


class StepInputs(NamedTuple):
    """All that a step needs besides the images; inputs, so that runs share its compiled form."""

    style: list[PaintingGrams]  # the artists' Gram matrices, one entry a style layer
    content: Tensor  # the content layer's target, (N, H, W, C)
    painting_weights: Tensor  # (n,), positive, summing to 1
    numbers: dict[str, Tensor]
    loss_weights: LossWeights


class Stylization(keras.Model):
    """A batch of images as the only trainable weights of a model whose loss is the transfer's."""

    def __init__(
        self,
        feature_extractor: keras.Model,
        style_loss: Callable[[Tensor, PaintingGrams], Tensor],
        content_loss: Callable[[Tensor, Tensor], Tensor],
        aggregate: Callable[..., Tensor],
        constants: tuple[tuple[str, Hashable], ...],
        optimizer: OptimizerChoice,
        shape: tuple[int, int, int],
    ) -> None:
        """Blank images, of the size that the feature extractor takes.

        `shape` is (examples, artists, paintings of each); the last two only distinguish shapes of
        the inputs, which are compiled one by one anyway.
        """
        super().__init__()
        self.feature_extractor = feature_extractor
        self.style_loss, self.content_loss = style_loss, content_loss
        self.aggregate = partial(aggregate, **dict(constants))
        self.images = self.add_weight(
            shape=(shape[0], *feature_extractor.input_shape[1:]),
            initializer="zeros",
            # The study does not say how colours stay colours; like TensorFlow's tutorial we clip.
            constraint=lambda images: ops.clip(images, 0.0, 1.0),
            name="images",
        )
        self.example_losses = self.add_weight(
            shape=(len(LOSS_NAMES), shape[0]), initializer="zeros", trainable=False, name="losses"
        )
        self._initial_optimizer: list[Tensor] | None = None
        self.built = True
        self.compile(optimizer=optimizer.build(), jit_compile=backend.compiles_with_xla())

    def call(self, inputs: StepInputs) -> Tensor:
        """Total loss of each example, (N,); adds the sum as the model's loss."""
        *grams, features = self.feature_extractor(self.images, training=False)
        by_layer = [
            self.style_loss(gram, paintings)
            for gram, paintings in zip(grams, inputs.style, strict=True)
        ]
        by_painting = sum(by_layer) / len(by_layer)
        style = self.aggregate(by_painting, inputs.painting_weights, **inputs.numbers)
        content = self.content_loss(features, inputs.content)
        variation = total_variation(self.images)
        weights = inputs.loss_weights
        total = weights.content * content + weights.style * style + weights.variation * variation
        self.example_losses.assign(ops.stack([total, style, content]))
        self.add_loss(ops.sum(total))
        return total

    def begin(self, images: np.ndarray, learning_rate: float, inputs: StepInputs) -> None:
        """Start at images, (N, S, S, 3) in [0, 1], with a new optimiser; compile if need be."""
        if self._initial_optimizer is None:
            self.optimizer.build([self.images])
            initial = [ops.copy(v.value) for v in self.optimizer.variables]
            self.train_on_batch(inputs)
            self._initial_optimizer = initial
        self.restore([images, *self._initial_optimizer])
        self.optimizer.learning_rate = learning_rate

    def state(self) -> list[Tensor]:
        """Copies of the images and of the optimiser's variables."""
        return [ops.copy(v.value) for v in (self.images, *self.optimizer.variables)]

    def restore(self, state: Sequence[Tensor]) -> None:
        """Continue from a state; a copy, because a step on JAX destroys the arrays it is given."""
        for variable, value in zip((self.images, *self.optimizer.variables), state, strict=True):
            variable.assign(ops.copy(value))
