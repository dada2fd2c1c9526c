"""Building a backbone: architecture, weights, pooling, and the cut at the deepest layer used."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np

from backbones import alexnet, eight_bit, quiet_keras
from backbones import weights as weight_sources
from backbones.any_size import STRIDE, Head, OfAnySize, Sides
from backbones.pooling import average_pooled, pool_quickly
from backbones.quiet_keras import keras
from backbones.smoothing import Smoothing, smoothed
from backbones.weights import WEIGHTS, Arrays, BackboneError
from benchmark.user_input import did_you_mean, import_callable

TRAINED_SIZE = 224
"""Pixels a side at which Keras's weights are fetched; a backbone is then built at any size."""

TRAINED_WEIGHTS = {"imagenet": "imagenet", "imagenet_8bit": "imagenet, 8-bit"}
"""Trained weights by the name that a user gives, and what tables call them; the best first."""


@dataclass(frozen=True)
class Architecture:
    """What a network computes, apart from its weights; the attributes are those of `load`."""

    name: str
    model: str
    preprocessing: str
    layers: tuple[str, ...]
    pooling: str
    image_size: int | None  # None: images of any height and width
    precision: str
    smoothing: Smoothing = "none"
    padding: int = 0

    @property
    def padded_size(self) -> int | None:
        """Pixels a side of what the network is given."""
        return None if self.image_size is None else self.image_size + 2 * self.padding

    def network_sides(self, sides: Sides | None = None) -> Sides:
        """Height and width of what the network is given for images of `sides`; None: of its own."""
        if self.padded_size is not None:
            return self.padded_size, self.padded_size
        assert sides, "one for images of any size has none of its own"
        height, width = (side + -side % STRIDE + 2 * self.padding for side in sides)
        return height, width


class Network:
    """A cut architecture, built and compiled once for all the weights it is given in turn."""

    def __init__(self, architecture: Architecture) -> None:
        """Build it, frozen, with weights that are to be replaced."""
        self.architecture = architecture
        self._preprocess = import_callable(architecture.preprocessing, "backbone.preprocessing")
        size, padded_size = architecture.image_size, architecture.padded_size
        with quiet_keras.building(architecture.precision.removesuffix("_strict")):
            full = build(architecture.model, padded_size)
            if architecture.pooling == "avg":
                full = average_pooled(full)
            pool_quickly(full)
            outputs = outputs_of(architecture.name, full, architecture.layers)
            self.cut = keras.Model(full.input, outputs)
            self.cut.trainable = False
            images = keras.Input((size, size, 3), dtype="float32", name="images")
            try:
                # Keras casts to the precision only here, after the subtraction of the mean colour.
                features = self.cut(self.preprocessed(images), training=False)
            except (TypeError, ValueError) as error:
                reason = f"does not turn images into what {architecture.model} takes: {error}"
                option, value = "backbone.preprocessing", architecture.preprocessing
                raise BackboneError(reason, option, value) from error
            if padded_size is not None:
                features = [smoothed(architecture.smoothing, f, padded_size) for f in features]
            self.model = keras.Model(images, features)
        self._held: object = None
        self._with_heads: dict[Head, keras.Model | OfAnySize] = {}

    def preprocessed(self, images: Any) -> Any:
        """Images (N, S, S, 3) in [0, 1], padded by reflection, as the cut network takes them."""
        return self._preprocess(self.padded(images) * 255.0)

    def padded(self, images: Any) -> Any:
        """Images (N, H, W, channels), continued on each side by reflection."""
        if padding := self.architecture.padding:
            sides = [(0, 0), (padding, padding), (padding, padding), (0, 0)]
            images = keras.ops.pad(images, sides, mode="reflect")
        return images

    def random_weights(self, seed: int, scale: float) -> Arrays:
        """Seeded random weights for it; drawing them costs it the weights it holds."""
        self._held = None
        return weight_sources.random_weights(self.cut, self._preprocess, seed, scale)

    def holding(self, weights: Sequence[np.ndarray]) -> keras.Model:
        """The model with these weights, until others are asked for; with the precision it needs."""
        quiet_keras.allow_tf32(self.architecture.precision != "float32_strict")
        if self._held is not weights:
            self.cut.set_weights(weights)
            self._held = weights
        return self.model

    def with_head(self, head: Head) -> keras.Model | OfAnySize:
        """The model with a function of its outputs in place of them, built once a function.

        One for images of any size is `OfAnySize`, for what a head does depends on the size.
        """
        if head not in self._with_heads:
            self._with_heads[head] = (
                OfAnySize(self.model, head)
                if self.architecture.image_size is None
                else keras.Model(self.model.input, head(self.model.outputs))
            )
        return self._with_heads[head]


@dataclass(frozen=True, eq=False)
class Backbone:
    """A frozen network from images to the activations that a style transfer needs."""

    name: str  # what the user calls it
    style_layers: tuple[str, ...]
    content_layers: tuple[str, ...]
    weights: str  # what they really are: "imagenet", "imagenet, 8-bit", "random", a file's name
    weights_note: str  # why `auto` fell back to random weights and how to get real ones; else ""
    digest: str  # SHA-256 of the weights: equal digests mean equal activations
    shared: Network  # with backbones that differ in their weights alone
    arrays: Sequence[np.ndarray]  # the weights
    networks: Callable[[Architecture], Network]  # where others of its kind are kept

    @property
    def network(self) -> keras.Model:
        """Images (N, S, S, 3) in [0, 1] → activations of the style layers, then the content ones.

        Each (N, H, W, C), smoothed, in the precision's type, after a softmax in float32. Get it
        again after using another backbone: the shared network holds one's weights at a time.
        """
        return self.shared.holding(self.arrays)

    def network_with(self, head: Head) -> keras.Model | OfAnySize:
        """`network` with a function of its outputs in place of them, built once a function."""
        self.shared.holding(self.arrays)
        return self.shared.with_head(head)

    def of_any_size(self) -> "Backbone":
        """The same for images of any height and width, from `STRIDE` pixels on.

        Raises:
            BackboneError: it smooths activations, which depends on the size.
        """
        architecture = replace(self.shared.architecture, image_size=None)
        if architecture.smoothing != "none":
            reason = "needs square pictures of one size: use shape=square and scales=[1]"
            raise BackboneError(reason, "backbone.smoothing", architecture.smoothing)
        return replace(self, shared=self.networks(architecture))


class LayerReport(NamedTuple):
    """One layer of an architecture, as a user needs to see it to choose layers."""

    name: str  # to write in `style_layers` or `content_layer`
    kind: str  # class of the layer
    shape: tuple[int, int, int]  # (H, W, C) of its output at the size asked for
    weights: int  # how many it has


def load(
    *,
    name: str | None = None,
    model: str,
    preprocessing: str | None = None,
    style_layers: tuple[str, ...],
    content_layer: str | tuple[str, ...],
    weights: str = "auto",
    random_scale: float = 1.0,
    pooling: Literal["max", "avg"] = "max",
    image_size: int = 224,
    precision: str = "float32",
    smoothing: Smoothing = "none",
    padding: int = 0,
    seed: int = 0,
    cache: "BackboneCache | None" = None,
) -> Backbone:
    """Load a backbone, frozen and cut.

    Args:
        name: what the user calls it, for messages; None: as the model's function.
        model: dotted name of a function with the arguments of Keras's applications
            (`include_top`, `weights`, `input_shape`) that returns a functional `keras.Model`.
        preprocessing: dotted name of its preprocessing, from [0, 255] to what the model takes;
            None: `preprocess_input` of the model's module.
        style_layers: layers whose Gram matrices are matched.
        content_layer: layer whose activations are matched, or several of them.
        weights: "imagenet" (Keras's, from its cache or server), "imagenet_8bit" (VGG19's, see
            `eight_bit`), "random", "auto" (the first of these), or the path of an HDF5 file in
            Keras's `*_notop.h5` layout, which may stop after the deepest layer used, or a folder;
            of `alexnet.AlexNet` PyTorch's `.pth` file.
        random_scale: root mean square that random weights give to every layer's activations.
        pooling: "max" as published, "avg" for average pooling, slightly better in Gatys et al.
        image_size: S, pixels a side of the square images.
        precision: of the activations, "float32", "bfloat16", or "float32_strict", without TF32.
        smoothing: of the activations against peaks: see `smoothing.smoothed`.
        padding: pixels by which images are continued on each side, by reflection: where a network
            pads nothing, as Inception, the loss hardly sees the border, whose colours glow.
        seed: of the random weights.
        cache: holds what was loaded before; with it the same arguments cost nothing a second time.

    Raises:
        BackboneError: no such model, layer, file or package, or no network to download from.
    """
    contents = (content_layer,) if isinstance(content_layer, str) else tuple(content_layer)
    check_load_arguments(weights, style_layers, contents, random_scale, padding, image_size)
    cache = cache or BackboneCache()
    module, _, function = model.rpartition(".")
    name, preprocessing = name or function, preprocessing or f"{module}.preprocess_input"
    weights, note = cache.best_available(model) if weights == "auto" else (weights, "")
    described = name, model, preprocessing, (*style_layers, *contents)
    return cache.backbone(
        Architecture(*described, pooling, image_size, precision, smoothing, padding),
        len(contents),
        weights,
        note,
        random_scale,
        # Only random weights depend on it, so that others are loaded once for all seeds.
        seed if weights == "random" else 0,
    )


def check_load_arguments(
    weights: str,
    style_layers: Sequence[str],
    content_layers: Sequence[str],
    random_scale: float,
    padding: int,
    image_size: int,
) -> None:
    """Check arguments of `load`; BackboneError if one is empty or out of range."""
    if not weights:
        raise BackboneError(f"give {WEIGHTS} or a path", "backbone.weights", weights)
    for option, layers in (("style_layers", style_layers), ("content_layer", content_layers)):
        if not layers:
            raise BackboneError("name at least one", f"backbone.{option}", [])
    if not 0 < random_scale < np.finfo("float32").max:
        raise BackboneError("must be > 0 and finite", "backbone.random_scale", random_scale)
    if not (isinstance(padding, int) and 0 <= padding < image_size):
        reason = f"must be a whole number from 0 to {image_size - 1}"
        raise BackboneError(reason, "backbone.padding", padding)


class BackboneCache:
    """What a process loads once for many backbones; whoever loads them again and again owns one.

    Backbones that differ in their weights alone share a network, so that it is compiled once.
    """

    def __init__(self, size: int = 8) -> None:
        """For the latest `size` backbones, networks and models."""
        self.backbone = lru_cache(size)(self._backbone)
        self.network = lru_cache(size)(Network)
        self.trained = lru_cache(size * len(TRAINED_WEIGHTS))(trained_weights)

    def best_available(self, model: str) -> tuple[str, str]:
        """What "auto" stands for, and why it is "random" if it is."""
        reasons = []
        for source in TRAINED_WEIGHTS:
            trained = self.trained(source, model)
            if not isinstance(trained, BackboneError):
                return source, ""
            reasons.append(str(trained))
        # That there are no 8-bit weights of an architecture explains nothing.
        return "random", "; ".join(reasons if model == eight_bit.ARCHITECTURE else reasons[:1])

    def _backbone(
        self,
        architecture: Architecture,
        contents: int,
        weights: str,
        note: str,
        random_scale: float,
        seed: int,
    ) -> Backbone:
        """See `load`; the last `contents` of the architecture's layers are content layers.

        `weights` is not "auto", and `note` says why it is not ImageNet's.
        """
        shared = self.network(architecture)
        cut, name, model = shared.cut, architecture.name, architecture.model
        if weights == "random":
            arrays = shared.random_weights(seed, random_scale)
        elif weights in TRAINED_WEIGHTS:
            trained = self.trained(weights, model)
            if isinstance(trained, BackboneError):
                raise BackboneError(trained.reason, trained.option, trained.value)
            arrays, weights = arrays_of(cut, trained), TRAINED_WEIGHTS[weights]
        elif model == alexnet.MODEL:
            file = weight_sources.file_for(model, Path(weights).expanduser(), ".pth")
            arrays, weights = arrays_of(cut, alexnet.read(file)), file.name
        else:
            file = weight_sources.file_for(model, Path(weights).expanduser())
            arrays = weight_sources.read_weights(name, cut, file)
            weights = file.name
        style, content = architecture.layers[:-contents], architecture.layers[-contents:]
        digest = weight_sources.digest(arrays)
        return Backbone(name, style, content, weights, note, digest, shared, arrays, self.network)


def list_layers(*, model: str, image_size: int = 224) -> list[LayerReport]:
    """All layers of an architecture with an output (H, W, C), from input to output."""
    with quiet_keras.building("float32"):
        layers = weight_sources.named_layers(build(model, image_size))
    return [
        LayerReport(name, type(layer).__name__, tuple(layer.output.shape[1:]), layer.count_params())
        for name, layer in layers.items()
        if len(layer.output.shape) == 4 and not isinstance(layer, keras.layers.InputLayer)
    ]


def build(model: str, image_size: int | None, weights: str | None = None) -> keras.Model:
    """The architecture without its classifier, at one image size; None: at any.

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
        reason = f"cannot be built for {image_size or 'any number of'} pixels a side: {error}"
        raise BackboneError(reason, option="backbone.model", value=model) from error
    if not isinstance(built, keras.Model):
        raise BackboneError("does not return a keras.Model", option="backbone.model", value=model)
    return built


def outputs_of(name: str, model: keras.Model, layers: Sequence[str]) -> list[Any]:
    """The symbolic outputs of some layers.

    Raises:
        BackboneError: the model has no such layer; names the nearest.
    """
    known = weight_sources.named_layers(model)
    for layer in layers:
        if layer not in known:
            raise BackboneError(
                f"no layer '{layer}'.{did_you_mean(layer, known, cutoff=0.4)} "
                f"`python -m benchmark.layers backbone={name}` lists them",
                option="backbone",
                value=name,
            )
    return [known[layer].output for layer in layers]


def arrays_of(model: keras.Model, by_layer: Mapping[str, Arrays]) -> Arrays:
    """The weights of a model among those of the layers of a whole network."""
    layers = weight_sources.named_layers(model)
    return [array for name, one in layers.items() if one.weights for array in by_layer[name]]


def trained_weights(source: str, model: str) -> dict[str, Arrays] | BackboneError:
    """Trained weights from a source by layer, in float32, or why they are not available."""
    try:
        if source == "imagenet_8bit":
            return eight_bit.read(eight_bit.data_file(model))
        with quiet_keras.building("float32"):
            # Always fetched at one size, for Keras has others of MobileNet for 160 pixels.
            whole = weight_sources.fetch_imagenet(lambda: build(model, TRAINED_SIZE, "imagenet"))
        return {n: layer.get_weights() for n, layer in weight_sources.named_layers(whole).items()}
    except BackboneError as error:
        # A new one: a caught exception keeps alive what its traceback refers to.
        return BackboneError(error.reason, error.option, error.value)
