"""AlexNet, which Keras's applications lack, with PyTorch's ImageNet weights: the trunk of LPIPS."""

import hashlib
from pathlib import Path
from typing import Any

import numpy as np

from backbones.quiet_keras import keras
from backbones.torch_file import read_arrays
from backbones.weights import Arrays, wrong_file

MODEL = "backbones.alexnet.AlexNet"

FILE = "alexnet-owt-7be5be79.pth"
"""PyTorch's; its last part is the beginning of its SHA-256."""

ADDRESS = f"https://download.pytorch.org/models/{FILE}"

CONVOLUTIONS = {
    "conv1": (0, (11, 11, 3, 64)),
    "conv2": (3, (5, 5, 64, 192)),
    "conv3": (6, (3, 3, 192, 384)),
    "conv4": (8, (3, 3, 384, 256)),
    "conv5": (10, (3, 3, 256, 256)),
}
"""The layers, each with its ReLU: their places in PyTorch's `features`, and kernels' shapes."""

SHIFT, SCALE = (-0.030, -0.088, -0.188), (0.458, 0.448, 0.450)
"""LPIPS's own rounding of ImageNet's means and standard deviations, of channels in [−1, 1]."""


def AlexNet(  # noqa: N802 - as Keras's applications are called
    include_top: bool, weights: str | None, input_shape: tuple[int | None, int | None, int]
) -> keras.Model:
    """The convolutions of Krizhevsky, One weird trick, arXiv 1404.5997, as torchvision has them.

    With weights="imagenet" PyTorch's, from Keras's cache or downloaded into it.

    Raises:
        ValueError: `include_top`, for it has no classifier here; or a damaged download.
    """
    if include_top:
        raise ValueError("AlexNet is here without its classifier")

    images = values = keras.Input(input_shape)
    for name, (_, (side, _, _, filters)) in CONVOLUTIONS.items():
        if name in ("conv2", "conv3"):
            values = keras.layers.MaxPooling2D(3, 2, name=f"pool_before_{name}")(values)
        padding, stride = (2, 4) if name == "conv1" else (side // 2, 1)
        values = keras.layers.ZeroPadding2D(padding, name=f"{name}_padding")(values)
        layer = keras.layers.Conv2D(filters, side, stride, activation="relu", name=name)
        values = layer(values)
    model = keras.Model(images, values)
    if weights == "imagenet":
        path = Path(keras.utils.get_file(FILE, ADDRESS, cache_subdir="models"))
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        if not digest.startswith(path.stem.rpartition("-")[2]):
            raise ValueError("its SHA-256 is another")
        for name, arrays in read(path).items():
            model.get_layer(name).set_weights(arrays)
    return model


def preprocess_input(images: Any) -> Any:
    """Images (N, H, W, 3) in [0, 255] as LPIPS gives them to its trunk, (2x/255 − 1 − m) / s."""
    shift, scale = (keras.ops.convert_to_tensor(np.array(v, "float32")) for v in (SHIFT, SCALE))
    return (images / 127.5 - 1.0 - shift) / scale


def read(path: Path) -> dict[str, Arrays]:
    """Kernel (height, width, in, out) and bias (out,) of each convolution, of PyTorch's file.

    Raises:
        BackboneError: no such file, or of another network.
    """
    try:
        stored, layers = read_arrays(path), {}
        for name, (place, shape) in CONVOLUTIONS.items():
            kernel = stored[f"features.{place}.weight"].transpose(2, 3, 1, 0)
            bias = stored[f"features.{place}.bias"]
            if kernel.shape != shape or not (np.isfinite(kernel).all() and np.isfinite(bias).all()):
                raise ValueError(f"features.{place} has other shapes, or numbers not finite")
            layers[name] = [np.ascontiguousarray(kernel), bias]
    except OSError as error:
        raise wrong_file(path, f"{error.strerror}: give imagenet, auto or {FILE}") from error
    except Exception as error:  # A damaged file raises errors of many kinds.
        reason = f"cannot be read as PyTorch's {FILE} ({error}): take it from {ADDRESS}"
        raise wrong_file(path, reason) from error
    return layers
