"""What is measured: a backbone with random weights on images.

Speed does not depend on weights, and random ones need no download. Needs only Keras and PyYAML
beside the backend (the sample's images apart), for a GPU machine may have no more.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from statistics import median
from typing import Any

import numpy as np
import yaml
from keras import ops

import backbones
from backbones import Backbone
from benchmark.bench.timing import ROOT, step_seconds
from benchmark.transfer.batch import BatchOptimization, make_batches
from benchmark.transfer.features import extract_targets
from benchmark.transfer.losses import PaintingGrams
from benchmark.transfer.style_transfer import StyleTransfer


class Workload:
    """The study's simple style transfer with Adam, and what it is measured on.

    The backbone is one of `conf/backbone/`; paintings of each artist have the shape (n, S, S, 3),
    contents (N, S, S, 3), in [0, 1].
    """

    def __init__(
        self, name: str, precision: str, paintings: Sequence[np.ndarray], contents: np.ndarray
    ) -> None:
        variant = read_variant("backbone", name)
        keys = ("model", "preprocessing", "style_layers", "content_layer", "random_scale")
        own = {key: variant[key] for key in keys if key in variant}
        size = contents.shape[1]
        backbone = backbones.load(
            name=name, **own, weights="random", image_size=size, precision=precision
        )
        self.transfer = StyleTransfer(backbone)
        self.paintings, self.contents = paintings, contents
        self.targets = [extract_targets(backbone, images) for images in paintings]

    def optimization(
        self, examples: int, paintings: int = 0, start: np.ndarray | None = None, **changes: Any
    ) -> BatchOptimization:
        """The optimisation of a batch of the first artist's, with parts of the transfer changed.

        Contents are repeated, and paintings up to a number; `start` is (N, S, S, 3) in [0, 1].
        """
        contents = self.contents[np.arange(examples) % len(self.contents)]
        targets = self.targets[0]
        if paintings:
            # Their values do not change a step's cost.
            chosen = np.arange(paintings) % len(self.paintings[0])
            targets = [
                PaintingGrams(layer.mean, *(ops.take(part, chosen, axis=1) for part in layer[1:]))
                for layer in targets
            ]
        transfer = replace(self.transfer, **changes)
        [batch] = make_batches(transfer.backbone, contents, [targets], examples, start)
        return BatchOptimization(transfer, batch)


def read_variant(group: str, name: str) -> dict[str, Any]:
    """A variant's YAML in `conf/`."""
    variant: dict[str, Any] = yaml.safe_load((ROOT / "conf" / group / f"{name}.yaml").read_text())
    return variant


def sample_workload(pixels: int, paintings: int, precision: str = "float32") -> Workload:
    """VGG19 on two photographs and the first paintings of a painter of the built-in sample."""
    from benchmark.images.pixels import to_float
    from datasets import ImageSet, load_images, sample

    def read(image_set: ImageSet, number: int) -> np.ndarray:
        first = ImageSet(image_set.name, image_set.images[:number])
        return to_float(load_images(first, pixels).pixels)

    of_painter, photographs = read(sample.paintings()[0], paintings), read(sample.content(), 2)
    return Workload("vgg", precision, [of_painter], photographs)


def noise_workload(
    name: str, pixels: int, precision: str, artists: int = 1, paintings: int = 1, contents: int = 1
) -> Workload:
    """A backbone on images of noise, which need no library to read them."""
    random = np.random.default_rng(0)

    def noise(number: int) -> np.ndarray:
        return random.random((number, pixels, pixels, 3), dtype="float32")

    return Workload(name, precision, [noise(paintings) for _ in range(artists)], noise(contents))


def operations(backbone: Backbone) -> float:
    """Floating-point operations of the convolutions in a step of one example.

    2·K²·C_in·C_out·H·W forward, as many back to the picture; all else comes on top, so that a
    share of the matrix-product rate made of it is not flattered.
    """
    return 4 * sum(
        float(np.prod(layer.kernel.shape)) * float(np.prod(layer.output.shape[1:3]))
        for layer in backbone.shared.cut.layers
        if type(layer).__name__ in ("Conv2D", "DepthwiseConv2D")
    )


def matrix_timer(size: int, precision: str) -> Callable[[], float]:
    """A function that measures the seconds of a product of two square matrices, a median."""
    random = np.random.default_rng(0)
    factor = ops.cast(random.standard_normal((size, size), dtype="float32") / size**0.5, precision)

    def multiply(products: int) -> None:
        result = factor
        for _ in range(products):
            result = ops.matmul(result, factor)
        # Asked for one number, because backends return before they are done.
        ops.convert_to_numpy(ops.cast(ops.reshape(result, -1)[:1], "float32"))

    # Several in a row, so that fetching the result hardly counts.
    return lambda: median(step_seconds(multiply, 5) for _ in range(3))
