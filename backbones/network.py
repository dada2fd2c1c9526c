"""Building a backbone: architecture, weights, pooling, and the cut at the deepest layer used."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import numpy as np

from backbones import weights as weight_sources
from backbones._keras import keras
from backbones.errors import BackboneError, unknown_layer
from backbones.smoothing import Smoothing, smoothed
from user_input import import_callable

TRAINED_SIZE = 224
"""Pixels a side at which Keras's weights are fetched; a backbone is then built at any size."""


LARGEST_FLOAT = 3.4e38
"""What float32 can hold."""


@dataclass(frozen=True)
class Architecture:
    """What a network computes, apart from its weights; the attributes are those of `load`."""

    name: str
    model: str
    preprocessing: str
    layers: tuple[str, ...]
    pooling: str
    image_size: int
    precision: str
    smoothing: Smoothing = "none"


class Network:
    """A cut architecture, built and compiled once for all the weights it is given in turn."""

    def __init__(self, architecture: Architecture) -> None:
        """Build it, frozen, with weights that mean nothing yet."""
        self.architecture = architecture
        self._preprocess = preprocess = import_callable(
            architecture.preprocessing, "backbone.preprocessing"
        )
        size = architecture.image_size
        with _dtype_policy(architecture.precision):
            full = build(architecture.name, architecture.model, size)
            if architecture.pooling == "avg":
                full = average_pooled(full)
            outputs = outputs_of(architecture.name, full, architecture.layers)
            self.cut = keras.Model(full.input, outputs)
            self.cut.trainable = False
            pictures = keras.Input((size, size, 3), dtype="float32", name="pictures")
            try:
                # Keras casts to the precision only here, after the subtraction of the mean colour.
                features = self.cut(preprocess(pictures * 255.0), training=False)
            except (TypeError, ValueError) as error:
                raise BackboneError(
                    f"backbone.preprocessing={architecture.preprocessing}: takes no pictures, or "
                    f"gives none that {architecture.model} takes: {error}"
                ) from error
            self.model = keras.Model(
                pictures, [smoothed(architecture.smoothing, layer, size) for layer in features]
            )
        self._held: object = None

    def random_weights(self, seed: int, scale: float) -> weight_sources.Arrays:
        """Seeded random weights for it; drawing them costs it the weights it holds."""
        self._held = None
        return weight_sources.random(self.cut, self._preprocess, seed, scale)

    def holding(self, weights: Sequence[np.ndarray]) -> keras.Model:
        """The model with these weights, until others are asked for."""
        if self._held is not weights:
            self.cut.set_weights(weights)
            self._held = weights
        return self.model


@dataclass(frozen=True, eq=False)
class Backbone:
    """A frozen network from pictures to the activations a style transfer needs.

    Attributes:
        name: what the user calls it.
        style_layers: names of the style layers.
        content_layer: name of the content layer.
        weights: what the weights really are: "imagenet", "random" or the file's name.
        weights_note: why `auto` fell back to random weights and how to get real ones; else "".
        digest: SHA-256 of the weights in use, so that equal digests mean equal activations.
        shared: the network, shared by backbones that differ in their weights alone.
        arrays: the weights.
    """

    name: str
    style_layers: tuple[str, ...]
    content_layer: str
    weights: str
    weights_note: str
    digest: str
    shared: Network
    arrays: Sequence[np.ndarray]

    @property
    def network(self) -> keras.Model:
        """Pictures (N, S, S, 3) in [0, 1] → activations of the style layers, then the content's.

        Each (N, H, W, C), smoothed, in the precision's type, after a softmax in float32. To be
        asked for anew after another backbone was used: only one holds its weights in the shared
        network at a time.
        """
        return self.shared.holding(self.arrays)


@dataclass(frozen=True)
class LayerReport:
    """One layer of an architecture, as a user needs to see it to choose layers.

    Attributes:
        name: the name to write in `style_layers` or `content_layer`.
        kind: class of the layer.
        shape: (H, W, C) of its output at the size asked for.
        weights: how many weights it has.
    """

    name: str
    kind: str
    shape: tuple[int, int, int]
    weights: int


def load(
    *,
    name: str,
    model: str,
    preprocessing: str,
    style_layers: tuple[str, ...],
    content_layer: str,
    weights: str = "auto",
    random_scale: float = 1.0,
    pooling: Literal["max", "avg"] = "max",
    image_size: int = 224,
    precision: str = "float32",
    smoothing: Smoothing = "none",
    seed: int = 0,
) -> Backbone:
    """Load a backbone, frozen and cut; a second call with the same arguments costs nothing.

    Args:
        name: what the user calls it, for messages.
        model: dotted name of a function with the arguments of Keras's applications
            (`include_top`, `weights`, `input_shape`) that returns a functional `keras.Model`.
        preprocessing: dotted name of its preprocessing, from [0, 255] to what the model takes.
        style_layers: layers whose Gram matrices are matched.
        content_layer: layer whose activations are matched.
        weights: "imagenet", "random", "auto" (imagenet if it can be had, else random), or the
            path of an HDF5 file in the layout of Keras's `*_notop.h5`, which may stop after the
            deepest layer used, or of a folder of such files.
        random_scale: root mean square that random weights give to every layer's activations.
        pooling: "max" for the network as published, "avg" to replace its max pooling by average
            pooling, which Gatys et al. found slightly better.
        image_size: S, pixels a side of the square pictures.
        precision: type of the activations, "float32" or "bfloat16".
        smoothing: of the activations against peaks, "none", "softmax" over all of a layer, or
            "scale" to weigh deep layers down; see `smoothing.smoothed`.
        seed: of the random weights.

    Raises:
        BackboneError: no such model, layer, file, or no network to download from.
    """
    if not weights:
        raise BackboneError("backbone.weights=: give imagenet, random, auto or a path")
    if not style_layers:
        raise BackboneError("backbone.style_layers=[]: name at least one")
    if not 0 < random_scale <= LARGEST_FLOAT:
        raise BackboneError(f"backbone.random_scale={random_scale}: must be a positive number")
    note = ""
    if weights == "auto":
        trained = _trained(model)
        weights, note = ("random", trained) if isinstance(trained, str) else ("imagenet", "")
    layers = (*style_layers, content_layer)
    return _loaded(
        Architecture(name, model, preprocessing, layers, pooling, image_size, precision, smoothing),
        weights,
        note,
        random_scale,
        # Only random weights depend on it, so that others are loaded once for all seeds.
        seed if weights == "random" else 0,
    )


@lru_cache(maxsize=8)
def _loaded(
    architecture: Architecture, weights: str, note: str, random_scale: float, seed: int
) -> Backbone:
    """See `load`; `weights` is settled, and `note` says why it is not ImageNet's."""
    shared = _network(architecture)
    cut, name, model = shared.cut, architecture.name, architecture.model
    if weights == "random":
        arrays = shared.random_weights(seed, random_scale)
    elif weights == "imagenet":
        trained = _trained(model)
        if isinstance(trained, str):
            raise BackboneError(trained)
        layers = weight_sources.named_layers(cut)
        arrays = [a for name, layer in layers.items() if layer.weights for a in trained[name]]
    else:
        file = weight_sources.file_for(model, Path(weights).expanduser())
        arrays = weight_sources.read_file(name, cut, file)
        weights = file.name
    return Backbone(
        name=name,
        style_layers=architecture.layers[:-1],
        content_layer=architecture.layers[-1],
        weights=weights,
        weights_note=note,
        digest=weight_sources.digest(arrays),
        shared=shared,
        arrays=arrays,
    )


@lru_cache(maxsize=8)
def _network(architecture: Architecture) -> Network:
    return Network(architecture)


def describe(*, name: str, model: str, image_size: int = 224) -> list[LayerReport]:
    """All layers of an architecture with a picture-like output, from input to output."""
    layers = weight_sources.named_layers(build(name, model, image_size))
    return [
        LayerReport(
            layer_name, type(layer).__name__, tuple(layer.output.shape[1:]), layer.count_params()
        )
        for layer_name, layer in layers.items()
        if len(layer.output.shape) == 4 and not isinstance(layer, keras.layers.InputLayer)
    ]


def build(name: str, model: str, image_size: int, weights: str | None = None) -> keras.Model:
    """The architecture without its classifier, at one picture size.

    Raises:
        BackboneError: the size is too small for it, or it is no function of Keras's kind.
    """
    constructor = import_callable(model, "backbone.model")
    shape = (image_size, image_size, 3)
    try:
        built = constructor(include_top=False, weights=weights, input_shape=shape)
    except (TypeError, ValueError) as error:
        if weights is not None:
            raise
        raise BackboneError(
            f"backbone={name}, backbone.model={model}, image_size={image_size}: {error}"
        ) from error
    if not isinstance(built, keras.Model):
        raise BackboneError(f"backbone.model={model}: gives no keras.Model")
    return built


def outputs_of(name: str, model: keras.Model, layers: Sequence[str]) -> list[Any]:
    """The symbolic outputs of some layers.

    Raises:
        BackboneError: the model has no such layer; names the nearest.
    """
    known = weight_sources.named_layers(model)
    for layer in layers:
        if layer not in known:
            raise unknown_layer(name, layer, known)
    return [known[layer].output for layer in layers]


def average_pooled(model: keras.Model) -> keras.Model:
    """A copy of a model, with weights of its own, with average in place of max pooling.

    Source: Gatys, Ecker, Bethge, arXiv 1508.06576, section Methods.
    """

    def clone(layer: keras.Layer) -> keras.Layer:
        if isinstance(layer, keras.layers.MaxPooling2D):
            return keras.layers.AveragePooling2D.from_config(layer.get_config())
        return layer.__class__.from_config(layer.get_config())

    return keras.models.clone_model(model, clone_function=clone)


@lru_cache(maxsize=8)
def _trained(model: str) -> dict[str, weight_sources.Arrays] | str:
    """ImageNet weights by layer, in float32, or why they can't be had.

    Either is kept, so that a sweep tries once. Always fetched at one size: Keras has other
    weights of MobileNet for 160 pixels.
    """
    with _dtype_policy("float32"):
        try:
            whole = weight_sources.imagenet(lambda: build(model, model, TRAINED_SIZE, "imagenet"))
        except BackboneError as error:
            return str(error)
    return {n: layer.get_weights() for n, layer in weight_sources.named_layers(whole).items()}


@contextmanager
def _dtype_policy(precision: str) -> Iterator[None]:
    """Build layers in one precision; bfloat16 for weights too, for nothing here is trained."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(precision)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)
