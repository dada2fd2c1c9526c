"""Dense layers that tell groups apart by a frozen network's features: fitted, and applied."""

import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from backbones.quiet_keras import keras

Dense = tuple[np.ndarray, np.ndarray]
"""A layer's kernel (in, out) and bias (out,)."""


@dataclass(frozen=True, eq=False)
class DenseHead:
    """Dense layers with ReLU, the last with softmax, on standardised features (n, D).

    Plain arrays, so that nothing of it is run when it is read from a file.
    """

    mean: np.ndarray  # of the features that it was fitted on, (D,)
    scale: np.ndarray  # their standard deviations, (D,)
    layers: tuple[Dense, ...]

    def encode(self, features: np.ndarray) -> np.ndarray:
        """The output of the last layer but one, (n, 128) where the layers are as published."""
        values = (features - self.mean) / self.scale
        for kernel, bias in self.layers[:-1]:
            values = np.maximum(values @ kernel + bias, 0.0)
        return np.asarray(values, "float32")

    def probabilities(self, encoded: np.ndarray) -> np.ndarray:
        """The softmax over the groups of what `encode` gives, (n, groups); rows sum to 1."""
        kernel, bias = self.layers[-1]
        scores = np.asarray(encoded @ kernel + bias, "float64")
        powers = np.exp(scores - scores.max(axis=1, keepdims=True))
        return np.asarray(powers / powers.sum(axis=1, keepdims=True))


class Samples(NamedTuple):
    """Features (n, D), and the index of each one's group, (n,)."""

    features: np.ndarray
    groups: np.ndarray


class FitEpoch(NamedTuple):
    """Cross-entropy and accuracy after an epoch, 0 before the first, without regard to batches."""

    train_loss: float
    train_accuracy: float
    test_loss: float
    test_accuracy: float


@dataclass(frozen=True)
class FitPlan:
    """How a head is fitted: widths of its layers, Adam's rate, batches, and when it ends."""

    layers: Sequence[int] = (1024, 128)
    epochs: int = 10
    batch: int = 64
    learning_rate: float = 1e-3
    patience: int | None = 3  # epochs without a training loss lower by 1 %; None: all are done


def split(
    counts: Mapping[str, int], share: float, judged: bool, seed: int
) -> dict[str, np.ndarray]:
    """Which part each picture of each group is in, (n,): "classifier", "judge" or "test".

    Stratified: of each group the share is for testing, rounded, and the rest is the classifier's,
    or half of it the judge's where there is one. The draw of a group depends on its name and the
    seed alone.
    """
    parts = {}
    for name, count in counts.items():
        tested = round(count * share)
        fitted = count - tested
        own = fitted - fitted // 2 if judged else fitted
        kinds = np.repeat(["classifier", "judge", "test"], [own, fitted - own, tested])
        parts[name] = np.random.default_rng([seed, zlib.crc32(name.encode())]).permutation(kinds)
    return parts


def cross_entropy(probabilities: np.ndarray, groups: np.ndarray) -> float:
    """Mean −log p of each picture's own group, of probabilities (n, groups)."""
    own = probabilities[np.arange(len(groups)), groups]
    return float(-np.log(np.maximum(own, 1e-12)).mean())


def accuracy(probabilities: np.ndarray, groups: np.ndarray) -> float:
    """Share of pictures whose own group is the most probable, in [0, 1]."""
    return float((probabilities.argmax(axis=1) == groups).mean())


def fit_head(
    train: Samples,
    test: Samples,
    groups: int,
    plan: FitPlan,
    seed: int,
    on_epoch: Callable[[int, FitEpoch], None] = lambda number, epoch: None,
) -> tuple[DenseHead, list[FitEpoch]]:
    """Fit a head by Adam on the categorical cross-entropy; also its epochs from 0 on.

    Test pictures decide nothing, neither which epoch is kept nor when it ends.

    Source: the genre variant in the study's reference, section 2: dense 1024, 128, n, 10 epochs,
    batches of 64. Features are standardised first, a departure: networks differ in scale.
    """
    mean, deviation = train.features.mean(axis=0), train.features.std(axis=0)
    # A channel that hardly varies here may vary anywhere else.
    scale = np.maximum(deviation, 0.1 * deviation.mean() + 1e-12)
    glorot = keras.initializers.GlorotUniform
    dense = [
        keras.layers.Dense(width, activation, kernel_initializer=glorot(seed + index))
        for index, (width, activation) in enumerate(
            [*((width, "relu") for width in plan.layers), (groups, "softmax")]
        )
    ]
    network = keras.Sequential([keras.layers.Input((train.features.shape[1],)), *dense])
    network.compile(keras.optimizers.Adam(plan.learning_rate), "sparse_categorical_crossentropy")
    standardised = np.asarray((train.features - mean) / scale, "float32")

    def current() -> DenseHead:
        weights = [np.asarray(array) for array in network.get_weights()]
        return DenseHead(mean, scale, tuple(zip(weights[::2], weights[1::2], strict=True)))

    random = np.random.default_rng([seed, zlib.crc32(b"batches")])
    history = [_measured(current(), train, test)]
    on_epoch(0, history[0])
    for number in range(1, plan.epochs + 1):
        order = random.permutation(len(standardised))
        for start in range(0, len(order), plan.batch):
            batch = order[start : start + plan.batch]
            network.train_on_batch(standardised[batch], train.groups[batch])
        history.append(_measured(current(), train, test))
        on_epoch(number, history[-1])
        losses, patience = [epoch.train_loss for epoch in history], plan.patience
        if (
            patience
            and number >= patience
            and min(losses[-patience:]) > 0.99 * min(losses[:-patience])
        ):
            break
    return current(), history


def _measured(head: DenseHead, train: Samples, test: Samples) -> FitEpoch:
    values = []
    for samples in (train, test):
        probabilities = head.probabilities(head.encode(samples.features))
        values += [
            cross_entropy(probabilities, samples.groups),
            accuracy(probabilities, samples.groups),
        ]
    return FitEpoch(*values)
