"""What is compared against: TensorFlow's style-transfer tutorial, extended to n paintings.

Written from the tutorial's description, as its reader would extend it: a `tf.function` for a step,
one picture at a time, a loop over the paintings' Gram matrices, and the model, the targets and the
step built anew for each picture. It shares no code with what it measures, so that its losses check
ours too. The only module that names TensorFlow: the tutorial does.

    python -m benchmark.bench.baseline SWEEP.json
"""

import csv
import importlib
import json
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf
from PIL import Image


class BaselineNetwork(NamedTuple):
    """A backbone for the baseline.

    Attributes:
        build: a model without its classifier, for pictures of one size, weights and all.
        preprocess: from [0, 255] to what it takes.
        style_layers: names.
        content_layer: name.
    """

    build: Callable[[], Any]
    preprocess: Callable[[Any], Any]
    style_layers: Sequence[str]
    content_layer: str


class Transfer:
    """One picture on its way, from its content, with the tutorial's Adam."""

    def __init__(
        self,
        network: BaselineNetwork,
        content: np.ndarray,
        paintings: np.ndarray,
        *,
        content_weight: float,
        style_weight: float,
        agg: str = "simple",
    ) -> None:
        """Build the model and the targets.

        Args:
            network: the backbone.
            content: (S, S, 3) in [0, 1].
            paintings: (n, S, S, 3) in [0, 1].
            content_weight: of ½ Σ (F − P)².
            style_weight: of the aggregated style losses.
            agg: "simple", "squared" or "logged".
        """
        whole = network.build()
        whole.trainable = False
        names = [*network.style_layers, network.content_layer]
        extractor = tf.keras.Model(whole.input, [whole.get_layer(name).output for name in names])

        def extract(pictures: Any) -> tuple[list[Any], Any]:
            *style, features = extractor(network.preprocess(pictures * 255.0))
            return [tutorial_gram_matrix(layer) for layer in style], features

        targets = [extract(tf.constant(painting[None]))[0] for painting in paintings]
        content_target = extract(tf.constant(content[None]))[1]
        picture = tf.Variable(content[None])
        optimizer = tf.keras.optimizers.Adam(learning_rate=0.02, beta_1=0.99, epsilon=1e-1)

        def update() -> Any:
            with tf.GradientTape() as tape:
                grams, features = extract(picture)
                style_losses = []
                for painting in targets:
                    layers = [
                        tf.reduce_sum((gram - target) ** 2)
                        for gram, target in zip(grams, painting, strict=True)
                    ]
                    style_losses.append(tf.add_n(layers) / len(layers))
                content_loss = 0.5 * tf.reduce_sum((features - content_target) ** 2)
                loss = content_weight * content_loss + style_weight * aggregate(style_losses, agg)
            gradient = tape.gradient(loss, picture)
            optimizer.apply_gradients([(gradient, picture)])
            picture.assign(tf.clip_by_value(picture, 0.0, 1.0))
            return loss

        self._step = tf.function(update)
        self._picture = picture

    def step(self) -> float:
        """Do a step; the total loss before it."""
        return float(self._step())

    @property
    def picture(self) -> np.ndarray:
        """The picture now, (S, S, 3) in [0, 1]."""
        return np.asarray(self._picture.numpy()[0])


def tutorial_gram_matrix(features: Any) -> Any:
    """Gram matrices (N, C, C) of features (N, H, W, C), over 2HWC as in the study's style loss."""
    _, height, width, channels = features.shape
    return tf.einsum("nhwc,nhwd->ncd", features, features) / (2.0 * height * width * channels)


def aggregate(losses: Sequence[Any], how: str) -> Any:
    """The study's simple, squared or logged mean of the style losses, scalars."""
    stacked = tf.stack(losses)
    if how == "squared":
        return tf.sqrt(tf.reduce_mean(stacked**2))
    if how == "logged":
        return tf.exp(tf.reduce_mean(tf.math.log(stacked)))
    return tf.reduce_mean(stacked)


def sweep(plan: dict[str, Any]) -> None:
    """A script's nested loops over backbones, aggregations, artists and contents.

    Args:
        plan: `backbones` (model, preprocessing, style_layers, content_layer, content_weight and
            style_weight of each), `aggregations`, `artists` (folders of paintings), `contents`
            (files), `pixels`, `steps`, `output` (a folder).
    """
    output = Path(plan["output"])
    output.mkdir(parents=True)
    size = (plan["pixels"], plan["pixels"])

    def read(file: Path) -> np.ndarray:
        with Image.open(file) as image:
            resized = image.convert("RGB").resize(size, Image.Resampling.LANCZOS)
            return np.asarray(resized, "float32") / 255.0

    with (output / "losses.csv").open("w", newline="") as table:
        rows = csv.writer(table)
        for number, backbone in enumerate(plan["backbones"]):
            network = BaselineNetwork(
                partial(
                    _named(backbone["model"]),
                    include_top=False,
                    weights=None,
                    input_shape=(*size, 3),
                ),
                _named(backbone["preprocessing"]),
                backbone["style_layers"],
                backbone["content_layer"],
            )
            for agg in plan["aggregations"]:
                for artist in map(Path, plan["artists"]):
                    paintings = np.stack([read(file) for file in sorted(artist.iterdir())])
                    for content in map(Path, plan["contents"]):
                        transfer = Transfer(
                            network,
                            read(content),
                            paintings,
                            content_weight=backbone["content_weight"],
                            style_weight=backbone["style_weight"],
                            agg=agg,
                        )
                        name = f"{number}-{agg}-{artist.name}-{content.stem}"
                        for step in range(plan["steps"]):
                            rows.writerow([name, step, transfer.step()])
                        pixels = (transfer.picture * 255).round().astype("uint8")
                        Image.fromarray(pixels).save(output / f"{name}.png")


def _named(dotted_name: str) -> Any:
    module, _, attribute = dotted_name.rpartition(".")
    return getattr(importlib.import_module(module), attribute)


if __name__ == "__main__":
    sweep(json.loads(Path(sys.argv[1]).read_text()))
