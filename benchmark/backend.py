"""The one place that knows Keras's backends apart: compilation, devices, versions."""

import os
import platform
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from backbones._keras import keras

PACKAGES = ("keras", "tensorflow", "jax", "numpy", "pillow", "hydra-core", "mlflow-skinny")


def name() -> str:
    """The active backend: "tensorflow", "jax" or "torch"."""
    return str(keras.backend.backend())


def accelerators() -> list[str]:
    """Names of the GPUs or TPUs that the backend sees."""
    return [device for device in keras.distribution.list_devices() if "cpu" not in device.lower()]


def compiles_with_xla() -> bool:
    """Whether a step is to be compiled with XLA.

    JAX has no other way. On TensorFlow's CPU, XLA's convolutions take a third longer than its
    own (VGG19, 224 × 224, 4 examples), so it is on only where there is an accelerator.
    """
    return name() == "jax" or (name() == "tensorflow" and bool(accelerators()))


def versions() -> dict[str, str]:
    """Versions of Python, the active backend and the packages that shape a result."""
    found = {"python": platform.python_version(), "backend": name()}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def hardware() -> dict[str, str]:
    """Processor, cores, memory and accelerators of this machine."""
    found = {
        "processor": _processor(),
        "cores": str(len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count()),
        "accelerators": ", ".join(accelerators()) or "none",
        "platform": platform.platform(),
    }
    if hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
        found["memory_gib"] = (
            f"{os.sysconf('SC_PHYS_PAGES') * os.sysconf('SC_PAGE_SIZE') / 2**30:.1f}"
        )
    return found


def peak_memory() -> int | None:
    """Bytes of main memory that this process took at its most; None where that is not known."""
    try:
        import resource
    except ImportError:  # Windows
        return None
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return int(most if sys.platform == "darwin" else most * 1024)


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
