"""What is measured: a backbone with random weights on paintings and photographs, given as arrays.

Speed does not depend on weights, and random ones need no download. Needs only Keras and PyYAML
beside the backend (the sample's images apart), for a GPU machine may have no more.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
import yaml
from keras import ops

import backbones
from backbones import Backbone
from benchmark.bench.timing import ROOT
from benchmark.transfer.aggregation import Aggregation
from benchmark.transfer.batch import Batch, BatchOptimization
from benchmark.transfer.features import extract_features
from benchmark.transfer.losses import STUDY_LOSSES, Loss, LossWeights, PaintingGrams
from benchmark.transfer.optimizers import OptimizerChoice
from benchmark.transfer.session import Session
from benchmark.transfer.style_transfer import StyleTransfer
from benchmark.transfer.targets import extract_targets
from user_input import import_callable

Targets = Sequence[PaintingGrams]
"""An artist's Gram matrices, one entry a style layer."""


def read_variant(group: str, name: str) -> dict[str, Any]:
    """The YAML of a variant in `conf/`, over those that its defaults list names."""
    own = yaml.safe_load((ROOT / "conf" / group / f"{name}.yaml").read_text())
    variant: dict[str, Any] = {}
    for part in (*(read_variant(group, base) for base in own.pop("defaults", ())), own):
        for key, value in part.items():
            variant[key] = {**variant.get(key, {}), **value} if isinstance(value, dict) else value
    return variant


def load_backbone(name: str, pixels: int, precision: str = "float32") -> Backbone:
    """A backbone of `conf/backbone/` with random weights."""
    variant = read_variant("backbone", name)
    return backbones.load(
        name=name,
        model=variant["model"],
        preprocessing=variant["preprocessing"],
        style_layers=tuple(variant["style_layers"]),
        content_layer=variant["content_layer"],
        weights="random",
        random_scale=variant["random_scale"],
        image_size=pixels,
        precision=precision,
    )


def study_weights(name: str) -> LossWeights:
    """The weights of the study's losses that suit a backbone of `conf/backbone/`."""
    loss = read_variant("backbone", name)["loss"]
    # PyYAML reads 1.0e7 as text.
    return LossWeights(*(float(loss[f"{key}_weight"]) for key in LossWeights._fields))


def load_optimizer(name: str, **changes: float) -> OptimizerChoice:
    """An optimiser of `conf/optimizer/`, with some of its arguments changed."""
    constructor, arguments = _function_and_arguments("optimizer", name)
    arguments |= changes
    rate = float(arguments.pop("learning_rate"))
    return OptimizerChoice(constructor, rate, tuple(arguments.items()))


def load_aggregation(name: str) -> Aggregation:
    """An aggregation of `conf/agg/`."""
    function, arguments = _function_and_arguments("agg", name)
    return Aggregation(function, {key: v for key, v in arguments.items() if key != "weights"})


def _function_and_arguments(group: str, name: str) -> tuple[Callable[..., Any], dict[str, Any]]:
    variant = read_variant(group, name)
    del variant["name"]
    return import_callable(variant.pop("_target_")), variant


@dataclass(frozen=True)
class Workload:
    """Some artists' paintings and some photographs, as a backbone sees them.

    Attributes:
        backbone: the network.
        paintings: of each artist, (n, S, S, 3) in [0, 1].
        contents: (N, S, S, 3) in [0, 1].
        targets: of each artist.
        activations: the content layer's, of the contents.
        loss: the study's, with the backbone's own weights.
        session: keeps compiled steps.
    """

    backbone: Backbone
    paintings: Sequence[np.ndarray]
    contents: np.ndarray
    targets: Sequence[Targets]
    activations: np.ndarray
    loss: Loss
    session: Session = field(default_factory=Session)

    @classmethod
    def of(
        cls,
        name: str,
        paintings: Sequence[np.ndarray],
        contents: np.ndarray,
        precision: str = "float32",
    ) -> Self:
        """Extract what a backbone of `conf/backbone/` makes of the images."""
        backbone = load_backbone(name, contents.shape[1], precision)
        *_, activations = extract_features(backbone, contents)
        return cls(
            backbone,
            paintings,
            contents,
            [extract_targets(backbone, one) for one in paintings],
            activations,
            Loss(STUDY_LOSSES, study_weights(name)),
        )

    def batch(self, examples: int, targets: Sequence[Targets] | None = None) -> Batch:
        """A batch of so many examples of each artist, contents repeated where there are fewer.

        The first artist's, unless the targets of others are given.
        """
        targets = targets or self.targets[:1]
        chosen = np.tile(np.arange(examples) % len(self.contents), len(targets))
        return Batch(targets, self.activations[chosen], self.contents[chosen])

    def optimization(
        self, batch: Batch, agg: str = "simple", optimizer: OptimizerChoice | None = None
    ) -> BatchOptimization:
        """The optimisation of a batch, with the defaults of a run."""
        return BatchOptimization(self.transfer(agg, optimizer), batch)

    def transfer(
        self, agg: str = "simple", optimizer: OptimizerChoice | None = None
    ) -> StyleTransfer:
        """A style transfer with an aggregation and an optimiser of `conf/`."""
        optimizer = optimizer or load_optimizer("adam")
        aggregation = load_aggregation(agg)
        return StyleTransfer(self.backbone, aggregation, self.loss, optimizer, self.session)


def sample_workload(pixels: int, paintings: int, precision: str = "float32") -> Workload:
    """VGG19 on two photographs and the first paintings of a painter of the embedded sample."""
    from benchmark.images.pixels import to_float
    from datasets import ImageSet, load_images, sample

    def read(image_set: ImageSet, number: int) -> np.ndarray:
        first = ImageSet(image_set.name, image_set.images[:number])
        return to_float(load_images(first, pixels).pixels)

    painter = sample.paintings()[0]
    return Workload.of("vgg", [read(painter, paintings)], read(sample.content(), 2), precision)


def noise_workload(
    name: str,
    pixels: int,
    precision: str = "float32",
    *,
    artists: int = 1,
    paintings: int = 1,
    contents: int = 1,
) -> Workload:
    """A backbone of `conf/backbone/` on images of noise, which need no library to read them."""
    random = np.random.default_rng(0)

    def noise(number: int) -> np.ndarray:
        return random.random((number, pixels, pixels, 3), dtype="float32")

    return Workload.of(name, [noise(paintings) for _ in range(artists)], noise(contents), precision)


def repeated(targets: Targets, paintings: int) -> Targets:
    """Targets of so many paintings, made of fewer: their values do not change a step's cost."""
    chosen = np.arange(paintings) % targets[0].squared_deviations.shape[1]
    return [
        PaintingGrams(layer.mean, *(ops.take(part, chosen, axis=1) for part in layer[1:]))
        for layer in targets
    ]
