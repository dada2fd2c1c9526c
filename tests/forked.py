"""Commands as processes of their own, without the eight seconds that the imports take.

A server process imports the libraries once, and each command is a fork of it that runs as
`python -m` would. The server imports nothing of the project: TensorFlow starts its threads with
the first operation, and a process that has them cannot be forked.
"""

import multiprocessing
import os
import runpy
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

LIBRARIES = [
    "altair",
    "h5py",
    "hydra",
    "kagglehub",
    "matplotlib.pyplot",
    "mlflow",
    "mlflow.store.tracking.sqlalchemy_store",
    "pandas",
    "pydantic",
    "pytest",
    "rich.progress",
    "scipy.stats",
    "skimage.metrics",
    "sklearn.cluster",
    "tensorflow",
    "keras",
]

_server = multiprocessing.get_context("forkserver")
_server.set_forkserver_preload(LIBRARIES)


class Forked:
    """`python -m module arguments` in a session of its own; what tests use of subprocess.Popen."""

    def __init__(
        self,
        module: str,
        arguments: Sequence[str],
        folder: Path,
        output: Path,
        errors: Path,
        environment: Mapping[str, str],
    ) -> None:
        """Start it in a folder; what it prints goes to files."""
        self.args = ["python", "-m", module, *arguments]
        given = (module, list(arguments), folder, output, errors, dict(environment))
        self._process = _server.Process(target=_run, args=given)
        self._process.start()
        assert self._process.pid is not None
        self.pid: int = self._process.pid
        with suppress(ProcessLookupError):
            while self.poll() is None and os.getpgid(self.pid) != self.pid:
                time.sleep(0.005)

    @property
    def returncode(self) -> int | None:
        """As subprocess has it: negative for a signal."""
        return self._process.exitcode

    def poll(self) -> int | None:
        """The exit code; None while it runs."""
        return self._process.exitcode

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end; its exit code."""
        self._process.join(timeout)
        if self._process.exitcode is None:
            raise subprocess.TimeoutExpired(self.args, timeout or 0)
        return self._process.exitcode

    def send_signal(self, number: signal.Signals) -> None:
        """Send it a signal, if it runs."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """End it, if it runs."""
        self.send_signal(signal.SIGKILL)


def _run(
    module: str,
    arguments: Sequence[str],
    folder: Path,
    output: Path,
    errors: Path,
    environment: Mapping[str, str],
) -> None:
    """What the fork does."""
    os.setsid()
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    sys.path[:0] = filter(None, environment.get("PYTHONPATH", "").split(os.pathsep))
    for stream, file in ((1, output), (2, errors)):
        opened = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(opened, stream)
        os.close(opened)
    sys.argv = [module, *arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=True)
