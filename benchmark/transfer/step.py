"""One compiled optimisation step: the pictures are the weights of a Keras model."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

import keras
import numpy as np
from keras import ops

from benchmark.transfer import backend, losses
from benchmark.transfer.features import feature_extractor
from benchmark.transfer.losses import PaintingGrams, Tensor

LOSS_NAMES = ("total_loss", "style_loss", "content_loss")


class LossFunctions(NamedTuple):
    """What is weighted.

    Attributes:
        style: `(grams (N, C, C), PaintingGrams) -> (N, n)` at one layer; layers are averaged.
        content: `(features (N, H, W, C), target (N, H, W, C)) -> (N,)`.
    """

    style: Callable[[Tensor, PaintingGrams], Tensor]
    content: Callable[[Tensor, Tensor], Tensor]


STUDY_LOSSES = LossFunctions(losses.style_losses, losses.content_loss)


class LossWeights(NamedTuple):
    """Weights in total = content·content_loss + style·style_loss + variation·total_variation."""

    content: float
    style: float
    variation: float


class Loss(NamedTuple):
    """The total loss of an example; its weights are inputs of the compiled step."""

    functions: LossFunctions
    weights: LossWeights


@dataclass(frozen=True)
class Aggregation:
    """How the losses against the paintings become one.

    Attributes:
        function: `(losses (N, n), weights (n,), **numbers) -> (N,)`.
        numbers: its further arguments; inputs of the compiled step, not constants in it.
        weights: one positive weight a painting, in order; None weights all alike.
    """

    function: Callable[..., Tensor]
    numbers: Mapping[str, float]
    weights: tuple[float, ...] | None = None


class StepInputs(NamedTuple):
    """All that a step needs besides the pictures; inputs, so that jobs share its compiled form.

    Attributes:
        style: the artists' Gram matrices, one entry a style layer.
        content: the content layer's target, (N, H, W, C).
        painting_weights: (n,), positive, summing to 1.
        numbers: the aggregation's.
        loss_weights: of the total.
    """

    style: list[PaintingGrams]
    content: Tensor
    painting_weights: Tensor
    numbers: dict[str, Tensor]
    loss_weights: LossWeights


class Stylization(keras.Model):
    """A batch of pictures as the only trainable weights of a model whose loss is the transfer's."""

    def __init__(
        self,
        network: keras.Model,
        functions: LossFunctions,
        aggregate: Callable[..., Tensor],
        batch: int,
    ) -> None:
        """A batch of blank pictures, of the size that the network takes."""
        super().__init__()
        self.feature_extractor = feature_extractor(network)
        self.functions = functions
        self.aggregate = aggregate
        self.pictures = self.add_weight(
            shape=(batch, *network.input_shape[1:]),
            initializer="zeros",
            # The study does not say how colours stay colours; like TensorFlow's tutorial we clip.
            constraint=lambda pictures: ops.clip(pictures, 0.0, 1.0),
            name="pictures",
        )
        self.example_losses = self.add_weight(
            shape=(len(LOSS_NAMES), batch), initializer="zeros", trainable=False, name="losses"
        )
        self._fresh_optimizer: list[Tensor] | None = None
        self.built = True

    def call(self, inputs: StepInputs) -> Tensor:
        """Total loss of each example, (N,); adds the sum as the model's loss."""
        *grams, features = self.feature_extractor(self.pictures, training=False)
        by_layer = [
            self.functions.style(gram, paintings)
            for gram, paintings in zip(grams, inputs.style, strict=True)
        ]
        by_painting = sum(by_layer) / len(by_layer)
        style = self.aggregate(by_painting, inputs.painting_weights, **inputs.numbers)
        content = self.functions.content(features, inputs.content)
        variation = losses.total_variation(self.pictures)
        weights = inputs.loss_weights
        total = weights.content * content + weights.style * style + weights.variation * variation
        self.example_losses.assign(ops.stack([total, style, content]))
        self.add_loss(ops.sum(total))
        return total

    def begin(self, pictures: np.ndarray, learning_rate: float, inputs: StepInputs) -> None:
        """Put pictures, (N, S, S, 3) in [0, 1], under a fresh optimiser; compile if need be."""
        if self._fresh_optimizer is None:
            self.optimizer.build([self.pictures])
            fresh = [ops.copy(v.value) for v in self.optimizer.variables]
            self.train_on_batch(inputs)
            self._fresh_optimizer = fresh
        for variable, value in zip(self.optimizer.variables, self._fresh_optimizer, strict=True):
            variable.assign(ops.copy(value))
        self.optimizer.learning_rate = learning_rate
        self.pictures.assign(pictures)

    def state(self) -> list[Tensor]:
        """Copies of the pictures and of all that the optimiser remembers."""
        return [ops.copy(variable.value) for variable in self._changing]

    def restore(self, state: Sequence[Tensor]) -> None:
        """Take up a state; a copy, because a step on JAX destroys the arrays it is given."""
        for variable, value in zip(self._changing, state, strict=True):
            variable.assign(ops.copy(value))

    @property
    def _changing(self) -> list[keras.Variable]:
        return [self.pictures, *self.optimizer.variables]


@lru_cache(maxsize=16)
def compiled_step(
    network: keras.Model,
    functions: LossFunctions,
    aggregate: Callable[..., Tensor],
    constructor: Callable[..., keras.optimizers.Optimizer],
    arguments: tuple[tuple[str, Any], ...],
    *,
    examples: int,
    paintings: tuple[int, int],
) -> Stylization:
    """The step for one network, loss, aggregation, optimiser and shape, shared by all jobs alike.

    Loss weights, the aggregation's numbers and the learning rate are inputs of it. `paintings`,
    (artists, paintings of each), only tells shapes apart: others would compile anew all the same.
    """
    model = Stylization(network, functions, aggregate, examples)
    optimizer = constructor(learning_rate=1.0, **dict(arguments))
    model.compile(optimizer=optimizer, jit_compile=backend.compiles_with_xla())
    return model


def step_inputs(
    style: Sequence[PaintingGrams],
    content: np.ndarray,
    aggregation: Aggregation,
    loss_weights: LossWeights,
) -> StepInputs:
    """The inputs of a step as tensors; painting weights are scaled to sum to 1."""
    weights = np.asarray(aggregation.weights or np.ones(style[0].deviations.shape[1]), "float64")
    return StepInputs(
        list(style),
        ops.convert_to_tensor(content),
        ops.convert_to_tensor((weights / weights.sum()).astype("float32")),
        {
            name: ops.convert_to_tensor(number, "float32")
            for name, number in aggregation.numbers.items()
        },
        LossWeights(*(ops.convert_to_tensor(weight, "float32") for weight in loss_weights)),
    )
