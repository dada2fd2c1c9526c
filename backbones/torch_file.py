"""Files of `torch.save`, read without PyTorch and without running what they hold."""

import pickle
import zipfile
from collections import OrderedDict
from math import prod
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np


class StoredArray(NamedTuple):
    """Where an array's numbers are: `storage`, key and type, from its number `offset` on."""

    storage: tuple[str, type[np.generic]]
    offset: int
    shape: tuple[int, ...]


NAMES: dict[str, Any] = {
    "collections.OrderedDict": OrderedDict,
    "torch.ByteStorage": np.uint8,
    "torch.FloatStorage": np.float32,
    "torch._utils._rebuild_tensor": lambda *arguments: StoredArray(*arguments[:3]),
    "torch._utils._rebuild_tensor_v2": lambda *arguments: StoredArray(*arguments[:3]),
    "torch._utils._rebuild_parameter": lambda data, *_: data,
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


def read_arrays(path: Path) -> dict[str, np.ndarray]:
    """The arrays of a file of `torch.save` by name, which were stored row by row.

    A ZIP archive of `data.pkl`, which describes them, and a file a storage; before version 1.6
    four pickles, of which the last describes them, a pickle of the storages' keys, and each
    storage's length (int64) and numbers.

    Raises:
        pickle.UnpicklingError: the file names something other than arrays.
    """
    numbers: dict[str, np.ndarray] = {}
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            (described,) = (name for name in archive.namelist() if name.endswith("/data.pkl"))
            with archive.open(described) as file:
                tensors = ArrayUnpickler(file).load()
            for key, dtype in {tensor.storage for tensor in tensors.values()}:
                stored = archive.read(f"{described.removesuffix('.pkl')}/{key}")
                numbers[key] = np.frombuffer(stored, dtype)
    else:
        with path.open("rb") as file:
            *_, tensors = (ArrayUnpickler(file).load() for _ in range(4))
            dtypes = dict(tensor.storage for tensor in tensors.values())
            for key in ArrayUnpickler(file).load():
                size = int.from_bytes(file.read(8), "little")
                numbers[key] = np.fromfile(file, dtypes[key], size)
    return {
        name: numbers[key][offset:][: prod(shape)].reshape(shape)
        for name, ((key, _), offset, shape) in tensors.items()
    }
