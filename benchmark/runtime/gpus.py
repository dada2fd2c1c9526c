"""Which GPU a process takes where several processes share a machine."""

import itertools
import os
import re
import subprocess
import tempfile
from contextlib import suppress
from pathlib import Path

from filelock import FileLock, Timeout


def claim_gpu() -> FileLock | None:
    """Make the GPU with the fewest claims the only one that this process sees.

    Returns:
        The claim, to be kept as long as the GPU is used; None without GPUs. It is a lock on a file
        of this machine, which the system releases when the process ends.
    """
    gpus = visible_gpus()
    if not gpus:
        return None
    folder = Path(tempfile.gettempdir()) / f"benchmark-gpus-{os.getuid()}"
    folder.mkdir(exist_ok=True)
    for place in itertools.count():
        for gpu in gpus:
            lock = FileLock(folder / f"{re.sub(r'[^A-Za-z0-9-]', '_', gpu)}.{place}")
            with suppress(Timeout):
                lock.acquire(timeout=0)
                os.environ["CUDA_VISIBLE_DEVICES"] = gpu
                return lock
    raise AssertionError("counting ends")


def visible_gpus() -> list[str]:
    """The GPUs that this process may use, as CUDA names them."""
    given = os.environ.get("CUDA_VISIBLE_DEVICES")
    if given is not None:
        return [gpu.strip() for gpu in given.split(",") if gpu.strip() not in ("", "-1")]
    try:
        listed = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True, check=False)
    except OSError:
        return []
    # By UUID: CUDA counts the fastest first, nvidia-smi by their slots.
    return re.findall(r"^GPU \d+:.*\(UUID: (GPU-[\w-]+)\)", listed.stdout, re.MULTILINE)
