"""A sweep's runs as tasks on Ray, which is imported only where it was chosen."""

import logging
import os
import re
import signal
import socket
import sys
from collections.abc import Callable, Mapping
from typing import Any

from benchmark.config.errors import ConfigError
from benchmark.runtime.jobs import PATIENCE, Jobs

CONNECT_WITHIN = 10.0
"""Seconds in which a Ray cluster must take a connection."""

FORWARDED = ("KERAS_BACKEND",)
"""Variables of the driver without which a task on a cluster would compute something else."""

OBJECT_STORE = 78_643_200
"""Bytes, Ray's least: tasks share nothing through it."""


class RayJobs(Jobs):
    """Tasks on Ray: references to those that the launcher has submitted."""

    def __init__(self, options: Mapping[str, Any]) -> None:
        """Start Ray on this machine, or join a cluster, with options of `ray.init`.

        Raises:
            ConfigError: Ray is not installed, or there is no such cluster, or it refuses.
        """
        self.tasks: list[Any] = []
        # Ray reads these when it is imported. Otherwise equal lines of several tasks appear once.
        os.environ.setdefault("RAY_DEDUP_LOGS", "0")
        os.environ.setdefault("RAY_COLOR_PREFIX", "1" if sys.stdout.isatty() else "0")
        try:
            import ray
        except ImportError as error:
            reason = f"cannot be used: {error}: pip install -e '.[cluster]'"
            raise ConfigError(reason, "hydra/launcher", "ray") from error
        self._ray = ray
        arguments = _init_options(options)
        handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            ray.init(**arguments)
        except Exception as error:
            reason = next(iter(str(error).strip().splitlines()), type(error).__name__)
            raise ConfigError(f"Ray cannot be used: {reason}", "hydra.launcher.ray.init") from error
        for number, handler in handlers.items():
            signal.signal(number, handler)  # Ray replaces them.

    def stop(self) -> None:
        """Cancel the tasks and wait for their ends; Ray would kill them after 0.1 s."""
        for task in self.tasks:
            self._ray.cancel(task)
        self._ray.wait(self.tasks, num_returns=len(self.tasks), timeout=PATIENCE)

    def wait(self, say: Callable[[str], None]) -> None:
        """Wait for the tasks that are queued or running."""
        _, left = self._ray.wait(self.tasks, num_returns=len(self.tasks), timeout=0)
        if left:
            say(f"Waiting for {len(left)} other runs")
            self._ray.wait(left, num_returns=len(left))

    def release(self) -> None:
        """Disconnect from Ray, and end it where it was started here."""
        self._ray.shutdown()


def _init_options(options: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of `ray.init`, with defaults that suit a sweep.

    Raises:
        ConfigError: they name a cluster that does not answer.
    """
    given = {"logging_level": logging.ERROR, **options}
    address = given.get("address") or os.environ.get("RAY_ADDRESS")
    if address:
        _check_answers(address)
    else:
        # Named, for otherwise Ray joins any cluster that it finds traces of on this machine.
        given = {"object_store_memory": OBJECT_STORE, "include_dashboard": False, **given}
        given["address"] = "local"
    forwarded = {name: os.environ[name] for name in FORWARDED if name in os.environ}
    if forwarded:
        given.setdefault("runtime_env", {"env_vars": forwarded})
    return given


def _check_answers(address: str) -> None:
    """Check that a cluster takes connections, for Ray itself retries for many minutes.

    Raises:
        ConfigError: nothing answers there.
    """
    host = re.fullmatch(r"(?:ray://)?\[?([^/]+?)\]?:(\d+)", address)
    if host is None:
        return  # "auto" and the like.
    try:
        socket.create_connection((host[1], int(host[2])), timeout=CONNECT_WITHIN).close()
    except OSError as error:
        reason = f"no Ray cluster answers ({error})"
        raise ConfigError(reason, "hydra.launcher.ray.init.address", address) from error
