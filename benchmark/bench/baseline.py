"""What is compared against: TensorFlow's style-transfer tutorial, extended to n paintings.

Written from the tutorial's description, as its reader would extend it: a `tf.function` for a step,
one picture at a time, a loop over the paintings' Gram matrices, and the model, the targets and the
step built anew for each picture. It shares no code with what it measures, so that its losses check
ours too. The only module that names TensorFlow: the tutorial does.

    python -m benchmark.bench.baseline SWEEP.json
"""

import csv
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from pkgutil import resolve_name
from typing import Any

import numpy as np
import tensorflow as tf
from PIL import Image


class Transfer:
    """One picture on its way, a variable (1, S, S, 3) in [0, 1], with the tutorial's Adam."""

    def __init__(
        self,
        backbone: Mapping[str, Any],
        content: np.ndarray,
        paintings: np.ndarray,
        agg: str,
        layer_weights: Mapping[str, Sequence[np.ndarray]],
    ) -> None:
        """Build the model and the targets.

        `backbone` is a YAML of `conf/backbone/`: dotted names of `model` and `preprocessing` (from
        [0, 255]), layers, and in `loss` the `content_weight` of ½ Σ (F − P)² and `style_weight`.
        `content` (S, S, 3) and `paintings` (n, S, S, 3) are in [0, 1]; `agg` is "simple", "squared"
        or "logged"; `layer_weights`, by the layer's name, replace random ones.
        """
        whole = resolve_name(backbone["model"])(
            include_top=False, weights=None, input_shape=content.shape
        )
        for layer, weights in layer_weights.items():
            whole.get_layer(layer).set_weights(weights)
        whole.trainable = False
        names = [*backbone["style_layers"], backbone["content_layer"]]
        extractor = tf.keras.Model(whole.input, [whole.get_layer(name).output for name in names])
        preprocess, balance = resolve_name(backbone["preprocessing"]), backbone["loss"]

        def extract(pictures: Any) -> tuple[list[Any], Any]:
            *style, features = extractor(preprocess(pictures * 255.0))
            return [tutorial_gram_matrix(layer) for layer in style], features

        targets = [extract(tf.constant(painting[None]))[0] for painting in paintings]
        content_target = extract(tf.constant(content[None]))[1]
        self.picture = picture = tf.Variable(content[None])
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
                loss = balance["content_weight"] * content_loss
                loss += balance["style_weight"] * aggregate(style_losses, agg)
            gradient = tape.gradient(loss, picture)
            optimizer.apply_gradients([(gradient, picture)])
            picture.assign(tf.clip_by_value(picture, 0.0, 1.0))
            return loss

        self._step = tf.function(update)

    def run(self, steps: int) -> list[float]:
        """Do some steps; the total loss before each."""
        return [float(self._step()) for _ in range(steps)]


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


def sweep(plan: Mapping[str, Any]) -> None:
    """A script's nested loops over backbones, aggregations, artists and contents.

    The plan's `paintings` is a folder of folders, its `contents` and `output` are folders.
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
            for agg in plan["aggregations"]:
                for artist in sorted(Path(plan["paintings"]).iterdir()):
                    paintings = np.stack([read(file) for file in sorted(artist.iterdir())])
                    for content in sorted(Path(plan["contents"]).iterdir()):
                        transfer = Transfer(backbone, read(content), paintings, agg, {})
                        name = f"{number}-{agg}-{artist.name}-{content.stem}"
                        for step, loss in enumerate(transfer.run(plan["steps"])):
                            rows.writerow([name, step, loss])
                        pixels = (transfer.picture.numpy()[0] * 255).round().astype("uint8")
                        Image.fromarray(pixels).save(output / f"{name}.png")


if __name__ == "__main__":
    sweep(json.loads(Path(sys.argv[1]).read_text()))
