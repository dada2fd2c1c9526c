"""A Keras optimiser as a value."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras


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
