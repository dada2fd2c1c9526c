"""Aggregations: how the style losses against an artist's paintings become one number.

An aggregation is a function `(losses, weights, **arguments) -> style loss`: `losses` has shape
(N, n), `weights` (n,) are positive and sum to 1, the result has shape (N,). Arguments that are
floats arrive as scalar tensors, so that one compiled step serves every value; others as they are.
"""

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from keras import ops

from benchmark.transfer.losses import Tensor

SMALLEST_LOSS = 1e-12
"""Losses are clamped below at this for the logarithm; real ones are far above."""

SMALLEST_POWER = 1e-12
LARGEST_POWER = 1e30


@dataclass(frozen=True)
class Aggregation:
    """How the losses against the paintings become one."""

    function: Callable[..., Tensor]  # `(losses (N, n), weights (n,), **arguments) -> (N,)`
    arguments: Mapping[str, Any] = field(default_factory=dict)  # its further ones
    weights: tuple[float, ...] | None = None  # a positive one a painting, in order; None: all alike

    @property
    def numbers(self) -> dict[str, float]:
        """The arguments that are floats: inputs of the compiled step."""
        return {name: v for name, v in self.arguments.items() if isinstance(v, float)}

    @property
    def constants(self) -> tuple[tuple[str, Hashable], ...]:
        """The other arguments, constants in the compiled step; lists as tuples."""
        others = ((k, v) for k, v in self.arguments.items() if not isinstance(v, float))
        return tuple((k, tuple(v) if isinstance(v, list) else v) for k, v in others)

    def painting_weights(self, paintings: int) -> np.ndarray:
        """The weights of so many paintings, scaled to sum to 1, (n,), float32."""
        weights = np.asarray(self.weights or np.ones(paintings), "float64")
        return np.asarray(weights / weights.sum(), "float32")


def power_mean(losses: Tensor, weights: Tensor, p: float) -> Tensor:
    """Weighted power mean M_p over the paintings.

    M_p = (Σ_i w_i L_i^p)^(1/p); M_0 = Π_i L_i^w_i; M_−∞ and M_∞ are minimum and maximum.
    With equal weights p = 1 is the study's *simple*, 2 its *squared*, 0 its *logged*.

    Both M_p and its gradient ∂M_p/∂L_i = w_i (L_i/M_p)^(p−1) are computed from log(L_i/R), R the
    term that dominates, so that neither overflows nor vanishes between 1e-8 and 1e14. Left to
    automatic differentiation, the gradient would contain (L_i/R)^p, which vanishes long before.
    Where Σ w_i (L_i/R)^p is close to 1 it is taken as 1 + Σ w_i expm1(p log(L_i/R)), exact as
    p → 0. So the limits need no cases: in float32, p = 1e-12 gives the geometric mean and
    p = ±1e30 the maximum or minimum, with the gradient shared among exact ties.

    Losses, (N, n), are ≥ 0, and clamped below at `SMALLEST_LOSS`, a departure from the study;
    p is any real number, −∞ and ∞ included; the result lies between smallest and largest loss.

    Source: the study (the three aggregations); Hardy, Littlewood, Pólya, Inequalities, chapter 2.
    """
    losses = ops.maximum(losses, SMALLEST_LOSS)
    constant = ops.stop_gradient(losses)
    p = ops.clip(ops.cast(p, "float32"), -LARGEST_POWER, LARGEST_POWER)
    p = ops.where(ops.abs(p) < SMALLEST_POWER, SMALLEST_POWER, p)
    largest = ops.max(constant, axis=-1, keepdims=True)
    smallest = ops.min(constant, axis=-1, keepdims=True)
    reference = ops.where(p > 0, largest, smallest)
    # XLA divides by multiplying with the reciprocal, so that x / x need not be 1.
    log_ratio = ops.log(ops.where(constant == reference, 1.0, constant / reference))
    exponents = ops.minimum(p * log_ratio, 0.0)
    total = ops.sum(weights * ops.exp(exponents), axis=-1, keepdims=True)
    excess = ops.sum(weights * ops.expm1(exponents), axis=-1, keepdims=True)
    log_total = ops.where(total > 0.5, ops.log1p(excess), ops.log(total))
    mean = reference * ops.exp(log_total / p)
    gradient = weights * ops.exp(exponents - log_ratio - log_total + log_total / p)
    # The added term is 0, and its derivative is the gradient above.
    return ops.sum(gradient * (losses - constant), axis=-1) + mean[..., 0]


SIMPLE = Aggregation(power_mean, {"p": 1.0})
"""The study's simple aggregation: the mean."""
