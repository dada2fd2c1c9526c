"""Where a backbone's weights come from: Keras's download, a file, or a seeded random draw."""

import hashlib
import os
import re
import socket
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from backbones.quiet_keras import keras
from benchmark.user_input import InputError, did_you_mean

DOWNLOAD_TIMEOUT = 20.0
"""Seconds without an answer after which a download is given up; Keras itself waits for ever."""

WEIGHTS = "imagenet, imagenet_8bit, random, auto"
"""What may be given instead of a file."""

OWN_FILE = (
    "name a file or folder you have with backbone.weights=PATH (of evaluators: "
    "evaluation.weights=PATH)"
)

Arrays = list[np.ndarray]


class BackboneError(InputError):
    """A backbone cannot be loaded as the user asks."""


def fetch_imagenet(build: Callable[[], keras.Model]) -> keras.Model:
    """Build a model with the ImageNet weights from Keras's cache, or its download into it.

    Raises:
        BackboneError: they are not available; says which file to put where.
    """
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(DOWNLOAD_TIMEOUT)
    try:
        model = build()
    except BackboneError:
        raise
    except PermissionError as error:
        raise BackboneError(
            f"ImageNet weights cannot be kept in {_cache()} ({error.strerror}): set KERAS_HOME "
            f"to a folder that can be written, or {OWN_FILE}"
        ) from error
    except Exception as error:
        # Keras raises a bare Exception for a failed fetch, with the address in its message.
        reason = " ".join(str(error).split())
        url = re.search(r"https?://\S+\.(h5|pth)", reason)
        if url is None:
            raise BackboneError(_damaged(reason)) from error
        raise BackboneError(
            f"ImageNet weights are missing ({reason.rpartition(' -- ')[2]}): download {url[0]} "
            f"into {_cache()}, or {OWN_FILE}"
        ) from error
    finally:
        socket.setdefaulttimeout(before)
    # Keras knows no checksum of MobileNet's files.
    if not all(np.isfinite(array).all() for array in model.get_weights()):
        raise BackboneError(_damaged("not all of them are finite numbers"))
    return model


def _cache() -> Path:
    """Where Keras keeps the weights that it downloads: another place if it may not write there."""
    home = Path(os.environ.get("KERAS_HOME", "~/.keras")).expanduser()
    return (home if os.access(home, os.W_OK) else Path("/tmp/.keras")) / "models"


def _damaged(reason: str) -> str:
    return (
        f"ImageNet weights cannot be read, so their file in {_cache()} is damaged ({reason}): "
        f"delete it, and it is downloaded again; or {OWN_FILE}"
    )


def file_for(model: str, path: Path, ending: str = ".h5") -> Path:
    """The weight file of an architecture: the path itself, or the one of its name in a folder.

    In a folder it is named as Keras names it: `vgg19_….h5` for `keras.applications.….VGG19`.

    Raises:
        BackboneError: the folder has none, or several.
    """
    if not path.is_dir():
        return path
    architecture = model.rpartition(".")[2].lower()
    own = re.compile(rf"{re.escape(architecture)}(?!v\d)")
    stems = {
        file: re.sub("[_-]", "", file.stem).lower() for file in sorted(path.glob(f"*{ending}"))
    }
    files = [file for file, stem in stems.items() if own.match(stem)]
    if len(files) != 1:
        what = f"several: {', '.join(file.name for file in files)}" if files else "none"
        raise wrong_file(
            path,
            f"of files named {architecture}_…{ending} this folder has {what}; there must be one, "
            "or give the file itself",
        )
    return files[0]


def read_weights(backbone: str, model: keras.Model, path: Path) -> Arrays:
    """The weights of all layers of a model from a file in Keras's `*_notop.h5` layout.

    Layers are found by name, so the file may hold more than the model, or only a part of the
    network that covers the model.

    Raises:
        BackboneError: no such file, not in this layout, or a layer missing or of another shape.
    """
    arrays: Arrays = []
    with _opened(path) as stored:
        for name, layer in named_layers(model).items():
            if not layer.weights:
                continue
            if name not in stored:
                raise wrong_file(
                    path,
                    f"no weights for layer '{name}', which backbone={backbone} uses. Choose "
                    "backbone.style_layers and backbone.content_layer up to "
                    f"'{list(stored)[-1]}', or give a file that goes further"
                    if stored
                    else "no weights in it; give another file",
                )
            expected = [tuple(weight.shape) for weight in layer.weights]
            # Compared before they are read: a small file may claim terabytes.
            shapes = [array.shape for array in stored[name]]
            if expected != shapes:
                reason = f"layer '{name}' has shapes {shapes}, not {expected}"
                raise wrong_file(
                    path, f"weights of another network than backbone={backbone}: {reason}"
                )
            arrays += [np.asarray(array[()], "float32") for array in stored[name]]
            if not all(np.isfinite(array).all() for array in arrays[-len(shapes) :]):
                reason = f"the weights of layer '{name}' are not all finite numbers"
                raise wrong_file(path, f"damaged: {reason}; download it again")
    return arrays


@contextmanager
def _opened(path: Path) -> Iterator[dict[str, list[h5py.Dataset]]]:
    """What a `*_notop.h5` file holds of each layer with weights, by renumbered name.

    Raises:
        BackboneError: no such file, or not of this layout, as may turn out only when it is read.
    """
    if not path.is_file():
        hint = did_you_mean(str(path), WEIGHTS.split(", "))
        raise wrong_file(path, f"no such file.{hint} Give {WEIGHTS} or a *_notop.h5 file")
    try:
        with h5py.File(path, "r") as file:
            group = file.get("model_weights", file)
            names = [_text(name) for name in group.attrs["layer_names"]]
            stored = [
                [group[name][_text(array)] for array in group[name].attrs["weight_names"]]
                for name in names
            ]
            yield {n: arrays for n, arrays in zip(renumbered(names), stored, strict=True) if arrays}
    except BackboneError:
        raise
    except Exception as error:  # A damaged file raises errors of many kinds.
        raise wrong_file(
            path, f"cannot be read as a weight file in the layout of Keras's *_notop.h5: {error}"
        ) from error


def wrong_file(path: Path, reason: str) -> BackboneError:
    """The error for a file that a user named."""
    return BackboneError(reason, option="backbone.weights", value=path)


def random_weights(
    model: keras.Model, preprocess: Callable[..., Any], seed: int, scale: float
) -> Arrays:
    """Seeded He-normal kernels for a model, with the scale of each layer normalised.

    W ~ N(0, 2 / fan_in), then W ← W·scale / RMS(layer's output on a fixed noise image), layer
    by layer from the input up; biases are 0 and batch normalisations are the identity. A kernel's
    draw depends on the seed and its layer's name alone, its scale also on the size of the image,
    the pooling and the layers below. The model, functional and with each layer used once, is left
    with them; its preprocessing takes values in [0, 255].

    Source: He et al., arXiv 1502.01852, equation 10; the normalisation, without which random
    networks do not transfer style, from He, Wang, Hopcroft, arXiv 1606.04801.
    """
    noise = keras.ops.convert_to_tensor(255.0 * _noise_image(seed, int(model.input.shape[1])))
    values = {id(model.input): preprocess(noise)}
    for name, layer in named_layers(model).items():
        if isinstance(layer, keras.layers.InputLayer):
            continue
        inputs = keras.tree.map_structure(lambda tensor: values[id(tensor)], layer.input)
        for weight in layer.weights:
            if "kernel" in weight.name:
                kernel = _he_normal(seed, name, weight.shape)
                weight.assign(kernel)
                output = np.asarray(keras.ops.cast(layer(inputs, training=False), "float32"))
                weight.assign(kernel * (scale / (float(np.sqrt(np.mean(output**2))) + 1e-12)))
            else:
                # What another seed left here: Keras's initial values.
                ones = weight.name in ("gamma", "moving_variance")
                weight.assign(np.full(weight.shape, float(ones), "float32"))
        values[id(layer.output)] = layer(inputs, training=False)
    return list(model.get_weights())


def named_layers(model: keras.Model) -> dict[str, keras.Layer]:
    """The layers of a model by name, those that Keras numbers itself `renumbered`."""
    names = renumbered([layer.name for layer in model.layers])
    return dict(zip(names, model.layers, strict=True))


def digest(arrays: Arrays) -> str:
    """SHA-256 over some weights, in order."""
    sha = hashlib.sha256()
    for array in arrays:
        sha.update(np.ascontiguousarray(array).tobytes())
    return sha.hexdigest()


def renumbered(names: Sequence[str]) -> list[str]:
    """Layer names with Keras's automatic numbers counted from the first of each kind.

    Keras continues `conv2d`, `conv2d_1`, … over all models of a process, so InceptionV3's names
    depend on what was built before it, and published files count from 1. Only the automatic
    names are changed: `conv2d_95`, `conv2d_96` → `conv2d`, `conv2d_1`.
    """
    automatic = re.compile(
        r"(conv2d|(?:batch_)?normalization|activation|rescaling|\w*pooling2d|concatenate)(_\d+)?"
    )
    matches = [automatic.fullmatch(name) for name in names]
    numbers = [int((match[2] or "_0")[1:]) if match else 0 for match in matches]
    first: dict[str, int] = {}
    for match, number in zip(matches, numbers, strict=True):
        if match:
            first[match[1]] = min(first.get(match[1], number), number)
    return [
        name if match is None else f"{match[1]}_{n - first[match[1]]}".removesuffix("_0")
        for name, match, n in zip(names, matches, numbers, strict=True)
    ]


def _he_normal(seed: int, layer: str, shape: tuple[int, ...]) -> np.ndarray:
    """A kernel drawn from N(0, 2 / fan_in)."""
    random = np.random.default_rng([seed, zlib.crc32(layer.encode())])
    depthwise = len(shape) == 4 and shape[-1] == 1
    fan_in = np.prod(shape[:2] if depthwise else shape[:-1])
    kernel = random.standard_normal(shape, dtype=np.float32)
    return np.asarray(kernel * np.float32(np.sqrt(2.0 / float(fan_in))))


def _noise_image(seed: int, size: int) -> np.ndarray:
    """Noise with structure at every scale, as photographs have; (1, S, S, 3) in [0, 1]."""
    random = np.random.default_rng([seed, zlib.crc32(b"noise picture")])
    image = np.zeros((size, size, 3))
    for octave in range(size.bit_length()):
        coarse = random.standard_normal((2**octave, 2**octave, 3))
        rows = np.arange(size) * 2**octave // size
        image += coarse[rows][:, rows]
    image = 0.5 + 0.2 * image / image.std()
    return np.asarray(np.clip(image, 0.0, 1.0)[None], dtype=np.float32)


def _text(name: bytes | str) -> str:
    return name.decode() if isinstance(name, bytes) else name
