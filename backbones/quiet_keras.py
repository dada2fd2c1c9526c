"""Keras, imported without the start-up notes of its backend; and its settings of the process.

The notes would bury our first lines.
"""

import importlib
import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any

import numpy as np

__all__ = ["allow_tf32", "building", "keras", "pools_by_scatter"]


@contextmanager
def _silent_stderr() -> Iterator[None]:
    """Silence what native code writes to standard error; Python's exceptions still come through."""
    sys.stderr.flush()
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


# Keras would ask for TensorFlow. In the environment, so that processes started here do the same.
if not (os.environ.get("KERAS_BACKEND") or find_spec("tensorflow")) and find_spec("jax"):
    os.environ["KERAS_BACKEND"] = "jax"
    print("TensorFlow is not installed: running on JAX", file=sys.stderr)
# Both are needed: the first notes are written before the log level is read, others when the
# backend first looks for its devices.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
# Each further network that is compiled counts for TensorFlow as retracing, of which it warns.
logging.getLogger("tensorflow").addFilter(lambda record: "retracing" not in str(record.msg))
try:
    with _silent_stderr():
        import keras

        keras.ops.zeros(1)
except (ImportError, ValueError) as error:
    backend = os.environ.get("KERAS_BACKEND")
    place = f"KERAS_BACKEND={backend}" if backend else "Keras's backend"
    # Every command imports this before it could catch anything, and can do nothing without it.
    reason = " ".join(str(error).split())
    remedy = "pip install -e '.[tensorflow]' or '.[jax]'; KERAS_BACKEND=tensorflow or jax chooses"
    print(f"error: {place}: {reason}: {remedy}", file=sys.stderr)
    raise SystemExit(2) from error


def allow_tf32(allowed: bool) -> None:
    """Let a GPU multiply float32 in TF32, as backends do unless told otherwise, or not.

    A setting of the process; what is compiled under it keeps it.
    """
    name = keras.backend.backend()
    module = importlib.import_module(name)
    if name == "jax":
        chosen = os.environ.get("JAX_DEFAULT_MATMUL_PRECISION") if allowed else "highest"
        module.config.update("jax_default_matmul_precision", chosen)
    elif name == "torch":
        module.backends.cuda.matmul.allow_tf32 = module.backends.cudnn.allow_tf32 = allowed
    else:
        module.config.experimental.enable_tensor_float_32_execution(allowed)


def pools_by_scatter() -> bool:
    """Whether the gradient of max pooling is a scatter, which takes long: XLA's, so on JAX."""
    return bool(keras.backend.backend() == "jax")


@contextmanager
def building(precision: str) -> Iterator[None]:
    """Build layers in one precision, bfloat16 for weights too, for nothing here is trained.

    Their kernels begin as zeros, for all are replaced: to draw them would cost JAX the compilation
    of a function for every shape.
    """
    policy, drawn = keras.config.dtype_policy(), keras.initializers.VarianceScaling.__call__

    def zeros(initializer: object, shape: tuple[int, ...], dtype: str | None = None) -> Any:
        return keras.ops.convert_to_tensor(np.zeros(shape, "float32"), dtype)

    keras.config.set_dtype_policy(precision)
    keras.initializers.VarianceScaling.__call__ = zeros
    try:
        yield
    finally:
        keras.initializers.VarianceScaling.__call__ = drawn
        keras.config.set_dtype_policy(policy)
