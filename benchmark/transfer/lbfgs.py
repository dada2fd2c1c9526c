"""L-BFGS, the optimiser of Gatys's neural style transfer, of each image alone, within [0, 1]."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any

import keras
import numpy as np
from keras import ops
from pydantic import Field

from benchmark.transfer import backend, lbfgsb
from benchmark.transfer.losses import Tensor
from benchmark.transfer.step import LOSS_NAMES, Optimizer, StepInputs, Stylization


@dataclass(frozen=True)
class LBFGS(Optimizer):
    """SciPy's L-BFGS-B as a value; a step is one of its iterations, line search included.

    So a loss never rises, but for rounding, and an image that cannot be improved stays as it is.
    The loss is scaled so that the first step, down the gradient, changes an image by about
    `learning_rate`, as Adam's does, whatever the loss's unit; later steps do not depend on it.

    Source: Byrd, Lu, Nocedal, Zhu, A limited memory algorithm for bound constrained optimization,
    SIAM Journal on Scientific Computing 16, 1995.

    Attributes:
        learning_rate: root mean square of the change of an image's values in the first step, > 0.
        memory: how many steps the approximation of the Hessian is made from.
        max_line_search: most evaluations of the loss and its gradient in a step.
    """

    learning_rate: float = 0.01
    memory: Annotated[int, Field(ge=1, le=1000)] = 10
    max_line_search: Annotated[int, Field(ge=1, le=1000)] = 20

    def compiled_form(self) -> "LBFGS":
        """At a learning rate of 1."""
        return replace(self, learning_rate=1.0)

    def stylization(self, *arguments: Any) -> "LBFGSStylization":
        """One that L-BFGS updates."""
        return LBFGSStylization(self, *arguments)

    def try_out(self) -> None:
        """Minimise a parabola for a step."""
        start = lbfgsb.begin(np.ones((1, 1)), self.memory)
        lbfgsb.iterate(start, lambda x: (x[:, 0] ** 2, 2 * x), self.memory, self.max_line_search)

    def bytes_per_example(self, values: int) -> int:
        """Those of `lbfgsb.Minimizations`, in float64 as SciPy computes."""
        return sum(array.nbytes for array in lbfgsb.begin(np.zeros((1, values)), self.memory))


class LBFGSStylization(Stylization):
    """With L-BFGS: SciPy decides where losses and gradients of all images are evaluated next.

    These are computed together, in one call of a compiled function; between two of them, the
    states of the images have nothing to do with each other.
    """

    def __init__(self, optimizer: LBFGS, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.optimizer = optimizer
        size = self.images.shape
        self._gradient = keras.Variable("zeros", shape=size, dtype="float32", name="gradient")
        variables = [self.images, self._gradient], self.network.variables
        results = (1, len(LOSS_NAMES), size[0])
        self._evaluations = backend.compiled_loop(self._evaluate, *variables, results)

    def _evaluate(self, inputs: StepInputs) -> Tensor:
        gradient, losses = self.gradient(inputs)
        self._gradient.assign(gradient)
        return losses

    def _evaluated(self, x: np.ndarray, inputs: StepInputs) -> tuple[np.ndarray, np.ndarray]:
        """The losses (N, 3) of images as rows (N, n), and the gradients (N, n)."""
        self.images.assign(x.reshape(self.images.shape).astype("float32"))
        losses = ops.convert_to_numpy(self._evaluations(1, inputs))[0].T
        return losses, ops.convert_to_numpy(self._gradient.value).reshape(x.shape)

    def begin(self, images: np.ndarray, learning_rate: float, inputs: StepInputs) -> None:
        """Start at images, (N, S, S, 3) in [0, 1], without history; compile if need be."""
        x = images.reshape(len(images), -1)
        self._losses, gradients = self._evaluated(x, inputs)
        norms = np.linalg.norm(gradients.astype("float64"), axis=1)
        self._scales = learning_rate * np.sqrt(x.shape[1]) / np.where(norms > 0, norms, 1.0)
        self._minimizations = lbfgsb.begin(x, self.optimizer.memory)

    def run(self, steps: int, inputs: StepInputs) -> np.ndarray:
        """Do some steps; the losses before each, (steps, 3, N), rows as in `LOSS_NAMES`."""
        before = []
        for _ in range(steps):
            before.append(self._losses.T)
            self._step(inputs)
        return np.stack(before)

    def _step(self, inputs: StepInputs) -> None:
        last = self._losses

        def objective(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            nonlocal last
            last, gradients = self._evaluated(x, inputs)
            return last[:, 0] * self._scales, gradients * self._scales[:, None]

        memory, most = self.optimizer.memory, self.optimizer.max_line_search
        moved = lbfgsb.iterate(self._minimizations, objective, memory, most)
        # An iterate is where it was evaluated last; one whose line search failed is where it was.
        self._losses = np.where(moved[:, None], last, self._losses)

    def state(self) -> list[Tensor]:
        """Copies of the images, and of all else that each has."""
        images = self._minimizations.x.astype("float32").reshape(self.images.shape)
        others = (self._losses, self._scales, *self._minimizations)
        return [images, *(part.copy() for part in others)]

    def restore(self, state: Sequence[Tensor]) -> None:
        """Continue from a state."""
        _, self._losses, self._scales, *arrays = (np.array(part) for part in state)
        self._minimizations = lbfgsb.Minimizations(*arrays)
