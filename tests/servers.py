"""A real PostgreSQL and a real MLflow server for tests, on this machine alone."""

import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import urlopen

STARTS_WITHIN = 90.0
"""Seconds in which a server must answer first; MLflow's imports alone take several."""

STOPS_WITHIN = 10.0
"""Seconds in which a server must end by itself before it is killed."""

QUIET = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
}
"""No telemetry, and no workers for jobs that nobody gives."""


class Process:
    """A command in a process group of its own, so that all it started can be ended with it."""

    def __init__(
        self,
        command: Sequence[str | Path],
        log: Path,
        environment: Mapping[str, str] | None = None,
        user: str | None = None,
    ) -> None:
        """Start it; what it says goes into a file."""
        self.log = log
        as_user = {"user": user, "group": pwd.getpwnam(user).pw_gid} if user else {}
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                [str(part) for part in command],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**os.environ, **(environment or {})},
                start_new_session=True,
                **as_user,  # type: ignore[call-overload]
            )

    def running(self) -> bool:
        """Whether it has not ended."""
        return self._process.poll() is None

    def send(self, number: signal.Signals) -> None:
        """Give the whole group a signal."""
        os.killpg(self._process.pid, number)

    def wait(self, what: str) -> None:
        """Wait until it has ended well."""
        if self._process.wait(STARTS_WITHIN):
            raise RuntimeError(f"{what} fails: {self.said()}")

    def said(self) -> str:
        """The end of what it said."""
        return self.log.read_text(errors="replace")[-2000:]

    def stop(self, first: signal.Signals = signal.SIGTERM) -> None:
        """End the whole group: as asked, and after some time in any case."""
        for number, patience in ((first, STOPS_WITHIN), (signal.SIGKILL, STOPS_WITHIN)):
            if self._gone():
                return
            self.send(number)
            end = time.monotonic() + patience
            while time.monotonic() < end and not self._gone():
                time.sleep(0.05)

    def _gone(self) -> bool:
        self._process.poll()  # Else the leader stays as a zombie and the group with it.
        try:
            os.killpg(self._process.pid, 0)
        except ProcessLookupError:
            return True
        return False


def postgresql_folder() -> Path | None:
    """Where PostgreSQL's server programs are; Debian keeps them out of the PATH."""
    found = shutil.which("initdb")
    if found:
        return Path(found).resolve().parent
    versions = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    return versions[-1].parent if versions else None


def missing_for_server() -> str | None:
    """Why no server on PostgreSQL can be started here; None where it can."""
    if postgresql_folder() is None:
        return "PostgreSQL is not installed (Debian: apt install postgresql)"
    if find_spec("psycopg2") is None:
        return "psycopg2 is not installed (pip install -e '.[cluster]')"
    if os.geteuid() == 0 and unprivileged() is None:
        return "PostgreSQL does not run as root, and there is no user 'postgres' or 'nobody'"
    return None


def unprivileged() -> str | None:
    """The user that PostgreSQL can run as where we are root."""
    known = {entry.pw_name for entry in pwd.getpwall()}
    return next((name for name in ("postgres", "nobody") if name in known), None)


@contextmanager
def postgresql() -> Iterator[str]:
    """A new PostgreSQL with an empty database; its address for SQLAlchemy.

    It listens on a socket in a temporary folder and on no network.
    """
    programs = postgresql_folder()
    assert programs is not None
    user = unprivileged() if os.geteuid() == 0 else None
    # Not among pytest's folders: they are closed to other users, and too deep for a socket.
    folder = Path(tempfile.mkdtemp(prefix="postgresql-"))
    try:
        if user:
            os.chown(folder, pwd.getpwnam(user).pw_uid, -1)
        data = folder / "data"
        initdb: list[str | Path] = [programs / "initdb", "--pgdata", data, "--username", "mlflow"]
        made = Process([*initdb, "--auth", "trust", "--no-sync"], folder / "initdb.log", user=user)
        made.wait("initdb")
        options = {
            "listen_addresses": "",
            "unix_socket_directories": str(folder),
            # Only tests' data: what a crash of the machine would cost is of no matter.
            "fsync": "off",
            "synchronous_commit": "off",
        }
        settings = [part for key, value in options.items() for part in ("-c", f"{key}={value}")]
        server = Process(
            [programs / "postgres", "-D", data, *settings], folder / "server.log", user=user
        )
        try:
            create: list[str | Path] = [programs / "createdb", "--host", folder]
            create += ["--username", "mlflow", "mlflow"]
            _wait(server, lambda: _succeeds(create), "PostgreSQL")
            yield f"postgresql+psycopg2://mlflow@/mlflow?host={folder}"
        finally:
            server.stop(signal.SIGINT)  # Its "fast" shutdown: it does not wait for clients.
    finally:
        shutil.rmtree(folder, ignore_errors=True)


class Server:
    """`mlflow server` on this machine, which can be stopped and started again at its address."""

    def __init__(self, store: str, artifacts: Path, *, port: int | None = None) -> None:
        """For a store; not started yet."""
        self._store, self._artifacts = store, artifacts
        self.port = port or free_port()
        self.log = artifacts.parent / f"mlflow-server-{self.port}.log"
        self._process: Process | None = None

    @property
    def uri(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it and wait until it answers."""
        program = Path(sys.executable).with_name("mlflow")
        # No --host: what is tested is also that this means 127.0.0.1.
        command: list[str | Path] = [program, "server", "--backend-store-uri", self._store]
        command += ["--artifacts-destination", self._artifacts, "--serve-artifacts"]
        command += ["--port", str(self.port), "--workers", "1"]
        self._process = Process(command, self.log, QUIET)
        _wait(self._process, lambda: answers(self.uri), "mlflow server")

    def send(self, number: signal.Signals) -> None:
        """Give it a signal."""
        assert self._process is not None
        self._process.send(number)

    def stop(self) -> None:
        """End it."""
        if self._process is not None:
            self._process.stop()


@contextmanager
def mlflow_server(store: str, artifacts: Path) -> Iterator[Server]:
    """A started server, which is stopped whatever happens."""
    server = Server(store, artifacts)
    try:
        server.start()
        yield server
    finally:
        server.stop()


def free_port() -> int:
    """A port of 127.0.0.1 that nothing listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def answers(uri: str) -> bool:
    """Whether a server gives a sign of life."""
    try:
        urlopen(f"{uri}/health", timeout=5).close()
    except HTTPError:
        return True
    except OSError:
        return False
    return True


def _succeeds(command: Sequence[str | Path]) -> bool:
    done = subprocess.run([str(part) for part in command], capture_output=True, check=False)
    return done.returncode == 0


def _wait(process: Process, done: Callable[[], bool], what: str) -> None:
    end = time.monotonic() + STARTS_WITHIN
    while not done():
        if not process.running() or time.monotonic() > end:
            process.stop()
            raise RuntimeError(f"{what} does not start: {process.said()}")
        time.sleep(0.1)
