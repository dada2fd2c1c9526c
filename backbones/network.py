"""Building a backbone: architecture, weights, pooling, and the cut at the deepest layer used."""

import importlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

from backbones import weights as weight_sources
from backbones._keras import keras
from backbones.errors import BackboneError, unknown_layer

TRAINED_SIZE = 224
"""Pixels a side at which Keras's weights are fetched; a backbone is then built at any size."""


@dataclass(frozen=True, eq=False)
class Backbone:
    """A frozen network from pictures to the activations a style transfer needs.

    Attributes:
        name: what the user calls it.
        network: pictures (N, S, S, 3) in [0, 1] → list of the style layers' activations, in
            order, followed by the content layer's; each (N, H, W, C) in the precision's type.
        style_layers: names of the style layers.
        content_layer: name of the content layer.
        weights: what the weights really are: "imagenet", "random" or the file's name.
        weights_note: why `auto` fell back to random weights and how to get real ones; else "".
        digest: SHA-256 of the weights in use, so that equal digests mean equal activations.
    """

    name: str
    network: keras.Model
    style_layers: tuple[str, ...]
    content_layer: str
    weights: str
    weights_note: str
    digest: str


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


@lru_cache(maxsize=8)
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
        seed: of the random weights.

    Raises:
        BackboneError: no such model, layer, file, or no network to download from.
    """
    if not style_layers:
        raise BackboneError("backbone.style_layers=[]: name at least one")
    if not 0 < random_scale < float("inf"):
        raise BackboneError(f"backbone.random_scale={random_scale}: must be a positive number")
    layers = (*style_layers, content_layer)
    preprocess = resolve(preprocessing)
    with _dtype_policy(precision):
        full, used, note = _architecture(name, model, weights, image_size)
        if pooling == "avg":
            full = average_pooled(full)
        cut = keras.Model(full.input, outputs_of(name, full, layers), name=f"{name}_cut")
        if used == "random":
            weight_sources.randomise(cut, preprocess, seed, random_scale)
        elif used != "imagenet":
            file = weight_sources.file_for(model, Path(used).expanduser())
            weight_sources.read_file(name, cut, file)
            used = file.name
        cut.trainable = False
        pictures = keras.Input((image_size, image_size, 3), dtype="float32", name="pictures")
        # Keras casts to the precision only here, after the subtraction of the mean colour.
        network = keras.Model(pictures, cut(preprocess(pictures * 255.0), training=False))
    return Backbone(
        name, network, style_layers, content_layer, used, note, weight_sources.digest(cut)
    )


def describe(*, name: str, model: str, image_size: int = 224) -> list[LayerReport]:
    """All layers of an architecture with a picture-like output, from input to output."""
    layers = named_layers(build(name, model, image_size))
    return [
        LayerReport(
            layer_name, type(layer).__name__, tuple(layer.output.shape[1:]), layer.count_params()
        )
        for layer_name, layer in layers.items()
        if len(layer.output.shape) == 4 and not isinstance(layer, keras.layers.InputLayer)
    ]


def resolve(dotted_name: str) -> Callable[..., Any]:
    """The function or class that a dotted name means.

    Raises:
        BackboneError: there is none.
    """
    module_name, _, attribute = dotted_name.rpartition(".")
    try:
        function: Callable[..., Any] = getattr(importlib.import_module(module_name), attribute)
    except (ImportError, AttributeError, ValueError) as error:
        raise BackboneError(f"'{dotted_name}' cannot be imported: {error}") from error
    return function


def build(name: str, model: str, image_size: int, weights: str | None = None) -> keras.Model:
    """The architecture without its classifier, at one picture size.

    Raises:
        BackboneError: the size is too small for it.
    """
    constructor = resolve(model)
    shape = (image_size, image_size, 3)
    try:
        return constructor(include_top=False, weights=weights, input_shape=shape)
    except ValueError as error:
        if "at least" not in str(error):
            raise
        raise BackboneError(f"backbone={name}, image_size={image_size}: {error}") from error


def named_layers(model: keras.Model) -> dict[str, keras.Layer]:
    """The layers of a model by name.

    Names that Keras counts up in each process (`conv2d_94` in InceptionV3) start again from the
    model's own first layer of the kind: `conv2d`, `conv2d_1`, ….
    """
    names = weight_sources.renumbered([layer.name for layer in model.layers])
    return dict(zip(names, model.layers, strict=True))


def outputs_of(name: str, model: keras.Model, layers: Sequence[str]) -> list[Any]:
    """The symbolic outputs of some layers.

    Raises:
        BackboneError: the model has no such layer; names the nearest.
    """
    known = named_layers(model)
    for layer in layers:
        if layer not in known:
            raise unknown_layer(name, layer, known)
    return [known[layer].output for layer in layers]


def average_pooled(model: keras.Model) -> keras.Model:
    """A copy of a model, weights included, with average in place of max pooling.

    Source: Gatys, Ecker, Bethge, arXiv 1508.06576, section Methods.
    """

    def clone(layer: keras.Layer) -> keras.Layer:
        if isinstance(layer, keras.layers.MaxPooling2D):
            return keras.layers.AveragePooling2D.from_config(layer.get_config())
        return layer.__class__.from_config(layer.get_config())

    copy = keras.models.clone_model(model, clone_function=clone)
    copy.set_weights(model.get_weights())
    return copy


def _architecture(
    name: str, model: str, weights: str, image_size: int
) -> tuple[keras.Model, str, str]:
    """The uncut model, which weights it has or shall get, and why they are not ImageNet's."""
    if weights not in ("imagenet", "auto"):
        return build(name, model, image_size), weights, ""
    sized = build(name, model, image_size)
    try:
        # Always those of one size: Keras has other weights of MobileNet for 160 pixels.
        trained = weight_sources.imagenet(lambda: build(name, model, TRAINED_SIZE, "imagenet"))
    except BackboneError as error:
        if weights == "imagenet":
            raise
        return sized, "random", str(error)
    sized.set_weights(trained.get_weights())
    return sized, "imagenet", ""


@contextmanager
def _dtype_policy(precision: str) -> Iterator[None]:
    """Build layers in one precision; bfloat16 for weights too, for nothing here is trained."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(precision)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)
