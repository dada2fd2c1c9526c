"""What is measured: a backbone with random weights on paintings and content images, as arrays.

Speed does not depend on weights, and random ones need no download. Needs only Keras and PyYAML
beside the backend (the sample's images apart), for a GPU machine may have no more.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
import yaml
from keras import ops

import backbones
from backbones import Backbone
from benchmark.bench.timing import ROOT
from benchmark.transfer.batch import Batch, BatchOptimization, make_batches
from benchmark.transfer.features import StyleTargets, extract_targets
from benchmark.transfer.losses import PaintingGrams
from benchmark.transfer.style_transfer import StyleTransfer


@dataclass(frozen=True)
class Workload:
    """A style transfer and what it is measured on.

    Attributes:
        transfer: the study's simple one with Adam.
        paintings: of each artist, (n, S, S, 3) in [0, 1].
        contents: (N, S, S, 3) in [0, 1].
        targets: of each artist.
    """

    transfer: StyleTransfer
    paintings: Sequence[np.ndarray]
    contents: np.ndarray
    targets: Sequence[StyleTargets]

    @classmethod
    def of(cls, backbone: Backbone, paintings: Sequence[np.ndarray], contents: np.ndarray) -> Self:
        """A workload on some artists' paintings and some content images."""
        targets = [extract_targets(backbone, images) for images in paintings]
        return cls(StyleTransfer(backbone), paintings, contents, targets)

    def batch(self, examples: int, targets: StyleTargets | None = None) -> Batch:
        """A batch of the first artist's, or with other targets; contents are repeated."""
        contents = self.contents[np.arange(examples) % len(self.contents)]
        targets = self.targets[0] if targets is None else targets
        return make_batches(self.transfer.backbone, contents, [targets], examples)[0]

    def optimization(self, batch: Batch, **changes: Any) -> BatchOptimization:
        """The optimisation of a batch, with parts of the style transfer changed."""
        return BatchOptimization(replace(self.transfer, **changes), batch)


def workload_backbone(name: str, pixels: int, precision: str = "float32") -> Backbone:
    """A backbone of `conf/backbone/` with random weights."""
    variant = yaml.safe_load((ROOT / "conf" / "backbone" / f"{name}.yaml").read_text())
    keys = ("model", "preprocessing", "style_layers", "content_layer", "random_scale")
    own = {key: variant[key] for key in keys if key in variant}
    return backbones.load(
        name=name, **own, weights="random", image_size=pixels, precision=precision
    )


def sample_workload(pixels: int, paintings: int, precision: str = "float32") -> Workload:
    """VGG19 on two photographs and the first paintings of a painter of the embedded sample."""
    from benchmark.images.pixels import to_float
    from datasets import ImageSet, load_images, sample

    def read(image_set: ImageSet, number: int) -> np.ndarray:
        first = ImageSet(image_set.name, image_set.images[:number])
        return to_float(load_images(first, pixels).pixels)

    backbone, painter = workload_backbone("vgg", pixels, precision), sample.paintings()[0]
    return Workload.of(backbone, [read(painter, paintings)], read(sample.content(), 2))


def noise_workload(
    backbone: Backbone, *, artists: int = 1, paintings: int = 1, contents: int = 1
) -> Workload:
    """A workload on images of noise, which need no library to read them."""
    random, size = np.random.default_rng(0), backbone.shared.architecture.image_size

    def noise(number: int) -> np.ndarray:
        return random.random((number, size, size, 3), dtype="float32")

    return Workload.of(backbone, [noise(paintings) for _ in range(artists)], noise(contents))


def repeated(targets: StyleTargets, paintings: int) -> StyleTargets:
    """Targets of so many paintings, made of fewer: their values do not change a step's cost."""
    chosen = np.arange(paintings) % targets[0].squared_deviations.shape[1]
    return [
        PaintingGrams(layer.mean, *(ops.take(part, chosen, axis=1) for part in layer[1:]))
        for layer in targets
    ]
