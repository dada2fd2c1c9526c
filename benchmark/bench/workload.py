"""What the bench measures on: the sample's paintings and photographs, random weights.

Speed does not depend on weights, and these need no download.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from keras import ops

from backbones import Backbone
from benchmark.bench.baseline import Network
from benchmark.config.compose import composed
from benchmark.config.schema import Config
from benchmark.runs.prepare import prepare
from benchmark.transfer.batch import Batch, BatchOptimization
from benchmark.transfer.features import extract_features
from benchmark.transfer.losses import PaintingGrams
from benchmark.transfer.optimizers import OptimizerChoice
from benchmark.transfer.step import Aggregation, Loss
from benchmark.transfer.targets import extract_targets
from user_input import import_callable


@dataclass(frozen=True)
class Size:
    """How much the bench does.

    Attributes:
        pixels: a side of the pictures.
        repeats: of each comparison of steps.
        sweep_repeats: of each comparison of sweeps.
        steps: in one measurement.
        descent: steps of the baseline whose loss is to be reached.
        epochs: of the sweep.
        paintings: in a style set.
        jobs: that run one after the other in a process.
        examples: batches whose growth is shown.
        sizes: pixels whose growth is shown.
        sets: numbers of paintings whose growth is shown.
        lengths: numbers of steps whose growth is shown.
        backbones: of the sweep.
        aggregations: of the sweep.
        artists: of the sweep.
        contents: of the sweep.
        cached_artists: of the sweep whose style targets are on disk.
        memory_cases: whose peak is compared with the estimated.
    """

    pixels: int = 224
    repeats: int = 7
    sweep_repeats: int = 2
    steps: int = 5
    descent: int = 100
    epochs: int = 20
    paintings: int = 30
    jobs: int = 1000
    examples: tuple[int, ...] = (1, 2, 4, 8, 16)
    sizes: tuple[int, ...] = (128, 256, 512, 1024)
    sets: tuple[int, ...] = (1, 10, 30, 100, 300)
    lengths: tuple[int, ...] = (5, 10, 20, 40)
    backbones: tuple[str, ...] = ("vgg", "resnet")
    aggregations: tuple[str, ...] = ("simple", "squared", "logged")
    artists: int = 2
    contents: int = 3
    cached_artists: int = 6
    memory_cases: int = 7


QUICK = Size(
    pixels=48,
    repeats=1,
    sweep_repeats=1,
    steps=1,
    descent=3,
    epochs=2,
    paintings=3,
    jobs=20,
    examples=(1, 2),
    sizes=(48, 64),
    sets=(1, 3),
    lengths=(1, 2),
    backbones=("vgg",),
    aggregations=("simple", "logged"),
    artists=1,
    contents=1,
    cached_artists=1,
    memory_cases=1,
)
"""For a look at whether everything works; its figures mean nothing."""


def configured(size: Size, *overrides: str) -> Config:
    """The configuration of a run with random weights and nothing from disk."""
    return composed(
        [
            "backbone.weights=random",
            f"image_size={size.pixels}",
            f"dataset.paintings={size.paintings}",
            "cache=null",
            "metrics=[]",
            *overrides,
        ]
    )


@dataclass(frozen=True)
class Workload:
    """One artist's paintings and some photographs, as a backbone measures them.

    Attributes:
        backbone: the network.
        paintings: (n, S, S, 3) in [0, 1].
        contents: (N, S, S, 3) in [0, 1].
        targets: the paintings' Gram matrices, one entry a style layer.
        activations: the content layer's, of the contents.
        aggregation: over the paintings.
        optimizer: Keras's.
        loss: the total of an example.
    """

    backbone: Backbone
    paintings: np.ndarray
    contents: np.ndarray
    targets: Sequence[PaintingGrams]
    activations: np.ndarray
    aggregation: Aggregation
    optimizer: OptimizerChoice
    loss: Loss

    def optimization(
        self,
        examples: int,
        paintings: int | None = None,
        start: np.ndarray | None = None,
        optimizer: OptimizerChoice | None = None,
    ) -> BatchOptimization:
        """So many examples on their way, contents and paintings repeated where there are fewer."""
        chosen = np.arange(examples) % len(self.contents)
        targets = self.targets if paintings is None else repeated(self.targets, paintings)
        contents = self.contents[chosen]
        batch = Batch([targets], self.activations[chosen], contents if start is None else start)
        return BatchOptimization(
            self.backbone,
            batch,
            self.aggregation,
            self.loss,
            optimizer or self.optimizer,
        )


def workload(config: Config) -> Workload:
    """The first artist's paintings and the photographs of a configuration."""
    prepared = prepare(config)
    paintings = prepared.paintings[0].pixels / np.float32(255)
    contents = prepared.content.pixels / np.float32(255)
    *_, activations = extract_features(prepared.backbone, contents)
    return Workload(
        prepared.backbone,
        paintings,
        contents,
        extract_targets(prepared.backbone, paintings),
        activations,
        prepared.aggregation,
        prepared.optimizer,
        prepared.loss,
    )


def repeated(targets: Sequence[PaintingGrams], paintings: int) -> list[PaintingGrams]:
    """Targets of so many paintings, made of fewer: what a step costs does not depend on them."""
    chosen = np.arange(paintings) % targets[0].squared_deviations.shape[1]
    return [
        PaintingGrams(
            layer.mean,
            ops.take(layer.deviations, chosen, axis=1),
            ops.take(layer.squared_deviations, chosen, axis=1),
            ops.take(layer.squared_norms, chosen, axis=1),
        )
        for layer in targets
    ]


def baseline_network(config: Config, like: Backbone | None = None) -> Network:
    """The same backbone as the baseline takes it; with the weights of ours where that is given."""
    variant = config.backbone

    def build() -> Any:
        shape = (config.image_size, config.image_size, 3)
        model: Any = import_callable(variant["model"])(
            include_top=False, weights=None, input_shape=shape
        )
        if like is not None:
            assert like.network is not None  # puts its weights into the layers read here
            for layer in (one for one in like.shared.cut.layers if one.weights):
                model.get_layer(layer.name).set_weights(layer.get_weights())
        return model

    return Network(
        build,
        import_callable(variant["preprocessing"]),
        variant["style_layers"],
        variant["content_layer"],
    )
