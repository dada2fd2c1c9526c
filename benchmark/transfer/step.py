"""The optimisation step, compiled so that one call does many: its images are variables."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, NamedTuple

import keras
import numpy as np
from keras import ops

from backbones.any_size import OfAnySize
from benchmark.transfer import backend
from benchmark.transfer.losses import (
    LossWeights,
    PaintingGrams,
    Regions,
    Temporal,
    Tensor,
    losses_by_painting,
    masked_gram_matrices,
    mean_over_layers,
    sum_over_regions,
    temporal_loss,
    total_variation,
)

LOSS_NAMES = ("total_loss", "style_loss", "content_loss")

MOST_STEPS = 256
"""Most steps in one call of the compiled function, which holds their losses."""


class Optimizer(ABC):
    """How images are optimised, as a value, which makes the class that does it."""

    learning_rate: float

    @abstractmethod
    def compiled_form(self) -> "Optimizer":
        """The same but for its learning rate, which is an input of the compiled step."""

    @abstractmethod
    def stylization(self, *arguments: Any) -> "Stylization":
        """One with this optimiser, from `Stylization`'s arguments."""

    @abstractmethod
    def try_out(self) -> None:
        """Do a step with a single number; raises what a wrong argument makes it raise."""

    def bytes_per_example(self, values: int) -> int:
        """Bytes of main memory that its state takes for an image of so many values.

        Those of Adam and the like are not counted: a few images, against hundreds of activations.
        """
        return 0


@dataclass(frozen=True)
class OptimizerChoice(Optimizer):
    """A Keras optimiser as a value: its class, its learning rate, its other arguments."""

    constructor: Callable[..., keras.optimizers.Optimizer]
    learning_rate: float
    arguments: tuple[tuple[str, Any], ...] = ()

    def build(self) -> keras.optimizers.Optimizer:
        """A new optimiser; its learning rate is set when an optimisation begins."""
        return self.constructor(learning_rate=1.0, **dict(self.arguments))

    def compiled_form(self) -> "OptimizerChoice":
        """At a learning rate of 1."""
        return replace(self, learning_rate=1.0)

    def stylization(self, *arguments: Any) -> "Stylization":
        """One that this optimiser updates."""
        return KerasStylization(self, *arguments)

    def try_out(self) -> None:
        """Do a step with a single number."""
        self.build().apply([ops.ones(1)], [keras.Variable([1.0])])


ADAM = OptimizerChoice(keras.optimizers.Adam, learning_rate=0.01)


class StepInputs(NamedTuple):
    """All that a step needs besides the images; inputs, so that runs share its compiled form."""

    style: list[PaintingGrams]  # the artists' Gram matrices, one entry a style layer
    content: list[Tensor]  # the target of each content layer, (N, H, W, C)
    painting_weights: Tensor  # (n,), positive, summing to 1
    numbers: dict[str, Tensor]
    loss_weights: LossWeights
    layer_weights: Tensor | None  # (style layers,), ≥ 0, summing to 1; None: a plain mean
    content_weights: Tensor | None  # (content layers,), likewise
    regions: Regions | None  # where the styles act; None: everywhere
    temporal: Temporal | None = None  # what the images should look like; None: no such loss


class Stylization(ABC):
    """The optimisation of a batch of images, compiled for its shape; runs take turns with it."""

    def __init__(
        self,
        network: keras.Model | OfAnySize,
        style_loss: Callable[[Tensor, PaintingGrams], Tensor],
        content_loss: Callable[[Tensor, Tensor], Tensor],
        aggregate: Callable[..., Tensor],
        constants: tuple[tuple[str, Hashable], ...],
        shape: tuple[int, int, int, int],
        style_sets: tuple[int, int],
    ) -> None:
        """Blank images, (N, H, W, 3), for a network of `gram_outputs`; of none for regions.

        `style_sets`, (artists, paintings of each), only distinguishes shapes of the inputs, which
        are compiled one by one anyway.
        """
        self.network = network
        self.style_loss, self.content_loss = style_loss, content_loss
        self.aggregate = partial(aggregate, **dict(constants))
        self.images = keras.Variable("zeros", shape=shape, dtype="float32", name="images")

    def losses(self, images: Tensor, inputs: StepInputs) -> tuple[Tensor, Tensor]:
        """The sum of the total losses, and all losses of each example, (3, N)."""
        outputs = self.network(images, training=False)
        grams, features = outputs[: len(inputs.style)], outputs[len(inputs.style) :]
        if inputs.regions is not None:  # They are activations still.
            grams = list(map(masked_gram_matrices, grams, inputs.regions.masks))
        by_painting = losses_by_painting(self.style_loss, grams, inputs.style, inputs.layer_weights)
        style = self.aggregate(by_painting, inputs.painting_weights, **inputs.numbers)
        if inputs.regions is not None:
            style = sum_over_regions(style, inputs.regions.areas)
        by_layer = list(map(self.content_loss, features, inputs.content))
        content = mean_over_layers(by_layer, inputs.content_weights)
        variation = total_variation(images)
        weights = inputs.loss_weights
        total = weights.content * content + weights.style * style + weights.variation * variation
        if inputs.temporal is not None:
            total = total + temporal_loss(images, inputs.temporal)
        return ops.sum(total), ops.stack([total, style, content])

    def gradient(self, inputs: StepInputs) -> tuple[Tensor, Tensor]:
        """The gradient of the images' total losses, and all losses of each, (3, N)."""
        return backend.gradient(lambda images: self.losses(images, inputs), self.images.value)

    @abstractmethod
    def begin(self, images: np.ndarray, learning_rate: float, inputs: StepInputs) -> None:
        """Start at images, (N, S, S, 3) in [0, 1], with a new optimiser; compile if need be."""

    @abstractmethod
    def run(self, steps: int, inputs: StepInputs) -> np.ndarray:
        """Do some steps; the losses before each, (steps, 3, N), rows as in `LOSS_NAMES`."""

    @abstractmethod
    def state(self) -> list[Tensor]:
        """Copies of the images and of the optimiser's state, of each example or of all."""

    @abstractmethod
    def restore(self, state: Sequence[Tensor]) -> None:
        """Continue from a state."""


class _Colours(keras.constraints.Constraint):
    """Values of colours stay in [0, 1]; Keras before 3.13 takes no plain function for it."""

    def __call__(self, images: Any) -> Any:
        return ops.clip(images, 0.0, 1.0)


class KerasStylization(Stylization):
    """With an optimiser of Keras."""

    def __init__(self, optimizer: OptimizerChoice, *arguments: Any) -> None:
        super().__init__(*arguments)
        # The study does not say how colours stay colours; like TensorFlow's tutorial we clip.
        self.images.constraint = _Colours()
        self.optimizer = optimizer.build()
        self.optimizer.build([self.images])
        self._new_optimizer = [ops.copy(v.value) for v in self.optimizer.variables]
        results = (MOST_STEPS, len(LOSS_NAMES), self.images.shape[0])
        variables = self._variables, self.network.variables
        self._steps = backend.compiled_loop(self.step, *variables, results)

    @property
    def _variables(self) -> list[keras.Variable]:
        """All that a step changes."""
        return [self.images, *self.optimizer.variables]

    def step(self, inputs: StepInputs) -> Tensor:
        """Do one step; the losses before it."""
        gradient, losses = self.gradient(inputs)
        self.optimizer.apply([gradient], [self.images])
        return losses

    def begin(self, images: np.ndarray, learning_rate: float, inputs: StepInputs) -> None:
        """Start at images, (N, H, W, 3) in [0, 1], with a new optimiser; compile if need be."""
        self._steps(0, inputs)
        self.restore([images, *self._new_optimizer])
        self.optimizer.learning_rate = learning_rate

    def run(self, steps: int, inputs: StepInputs) -> np.ndarray:
        """Do some steps; the losses before each, (steps, 3, N), rows as in `LOSS_NAMES`."""
        counts = [min(MOST_STEPS, steps - done) for done in range(0, steps, MOST_STEPS)]
        calls = (ops.convert_to_numpy(self._steps(count, inputs))[:count] for count in counts)
        return np.concatenate(list(calls))

    def state(self) -> list[Tensor]:
        """Copies of the images and of the optimiser's variables."""
        return [ops.copy(v.value) for v in self._variables]

    def restore(self, state: Sequence[Tensor]) -> None:
        """Continue from a state."""
        for variable, value in zip(self._variables, state, strict=True):
            variable.assign(value)
