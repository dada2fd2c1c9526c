"""What passes by itself, judged on the real errors of MLflow's client, and the waiting for it."""

import signal
import socket
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient
from mlflow.entities import Metric
from mlflow.exceptions import MlflowException
from mlflow.store.artifact.mlflow_artifacts_repo import MlflowArtifactsRepository
from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore
from sqlalchemy import create_engine, event, text
from sqlalchemy.engine import Engine

from benchmark.tracking import outage
from benchmark.tracking.outage import OutageError, describe, is_transient, retry_until_available
from benchmark.tracking.store import Store
from tests.servers import free_port

RUN = "0" * 32

Faulty = Callable[[str], str]


@pytest.fixture(autouse=True)
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """MLflow's client does not ask again by itself."""
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")


@pytest.fixture
def faulty(monkeypatch: pytest.MonkeyPatch) -> Iterator[Faulty]:
    """Starts servers that fail, each in its way; gives their addresses."""
    started: list[ThreadingHTTPServer] = []

    def start(fault: str, port: int = 0) -> str:
        if fault == "refused":
            return f"http://127.0.0.1:{free_port()}"
        if fault == "silent":
            monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "1")
        server = ThreadingHTTPServer(("127.0.0.1", port), handler(fault))
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        started.append(server)
        return f"http://127.0.0.1:{server.server_port}"

    yield start
    for server in started:
        server.shutdown()
        server.server_close()


def handler(fault: str) -> type[BaseHTTPRequestHandler]:
    """What such a server does with any request."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            if fault == "reset":
                # No time to linger: the connection is reset, not closed.
                linger = (1).to_bytes(4, "little") + bytes(4)
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                self.connection.close()
            elif fault == "silent":
                time.sleep(1.2)
            elif fault == "half":
                self.answer(200, b"{", length=100)
            else:
                self.answer(int(fault), b"{}")

        def do_PUT(self) -> None:
            self.do_POST()

        def answer(self, status: int, content: bytes, length: int | None = None) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            self.send_response(status)
            self.send_header("Content-Length", str(length or len(content)))
            self.end_headers()
            self.wfile.write(content)

        def handle(self) -> None:
            with suppress(OSError):  # Its own doing.
                super().handle()

        def finish(self) -> None:
            with suppress(OSError):
                super().finish()

        def log_message(self, *_: Any) -> None:
            pass

    return Handler


def write(uri: str) -> None:
    """Send a server a point of a metric."""
    MlflowClient(uri).log_batch(RUN, metrics=[Metric("loss", 1.0, 0, 0)])


def upload(uri: str, folder: Path) -> None:
    """Send a server a file."""
    (folder / "file.txt").write_text("text")
    repository: Any = MlflowArtifactsRepository("mlflow-artifacts:/0", uri)
    repository.log_artifact(str(folder / "file.txt"))


def failing(call: Callable[[], object]) -> Exception:
    """What a call raises."""
    with pytest.raises(Exception) as raised:  # noqa: PT011
        call()
    return raised.value


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("refused", "no server answers"),
        ("reset", "ProtocolError: ('Connection aborted.'"),
        ("silent", "no answer"),
        ("408", "the server answers with status 408"),
        ("429", "the server answers with status 429"),
        ("500", "the server answers with status 500"),
        ("502", "the server answers with status 502"),
        ("503", "the server answers with status 503"),
        ("504", "the server answers with status 504"),
    ],
)
def test_a_server_that_is_away_comes_back(
    fault: str, words: str, faulty: Faulty, tmp_path: Path
) -> None:
    uri = faulty(fault)
    for call in (lambda: write(uri), lambda: upload(uri, tmp_path)):
        error = failing(call)
        assert is_transient(error), error
        assert words in describe(error)


def test_an_answer_cut_off_may_be_whole_the_next_time(faulty: Faulty) -> None:
    error = failing(lambda: write(faulty("half")))
    assert is_transient(error), error


@pytest.mark.parametrize("status", ["400", "401", "403", "404", "413", "507"])
def test_a_server_that_refuses_goes_on_refusing(
    status: str, faulty: Faulty, tmp_path: Path
) -> None:
    uri = faulty(status)
    assert not is_transient(failing(lambda: write(uri)))
    assert not is_transient(failing(lambda: upload(uri, tmp_path)))


@pytest.fixture
def impatient() -> Iterator[list[str]]:
    """SQLite waits a twentieth of a second for a lock; then also what is put into the list is done.

    MLflow's own 20 s stand in a statement, and there is no setting for them.
    """
    more: list[str] = []

    def shorter(*given: Any) -> tuple[str, Any]:
        _, cursor, statement, parameters, _, _ = given
        for pragma in more:
            cursor.execute(pragma)
        if statement.startswith("PRAGMA busy_timeout"):
            statement = "PRAGMA busy_timeout = 50"
        return statement, parameters

    event.listen(Engine, "before_cursor_execute", shorter, retval=True)
    yield more
    event.remove(Engine, "before_cursor_execute", shorter)


def test_a_locked_database_is_waited_for_and_a_full_one_not(
    impatient: list[str], tmp_path: Path
) -> None:
    file = tmp_path / "mlflow.db"
    client = MlflowClient(f"sqlite:///{file}")
    experiment = client.create_experiment("e", tmp_path.as_uri())
    run = client.create_run(experiment).info.run_id
    points = [Metric("loss", float(step), 0, step) for step in range(500)]

    other = sqlite3.connect(file, isolation_level=None)
    for lock in ("IMMEDIATE", "EXCLUSIVE"):
        other.execute(f"BEGIN {lock}")
        error = failing(lambda: client.log_batch(run, metrics=points))
        assert is_transient(error), error
        assert describe(error) == "the database is locked by another process"
        other.execute("ROLLBACK")
    other.close()

    impatient.append("PRAGMA max_page_count = 1")  # As many pages as there are.
    error = failing(lambda: client.log_batch(run, metrics=points))
    assert error.error_code == "TEMPORARILY_UNAVAILABLE"  # type: ignore[attr-defined]
    assert not is_transient(error)
    assert describe(error) == "OperationalError: database or disk is full"

    impatient[:] = ["PRAGMA max_page_count = 1000000"]
    client.log_batch(run, metrics=points)
    assert len(client.get_metric_history(run, "loss")) == 500


def test_errors_of_our_own_do_not_pass() -> None:
    assert not is_transient(ValueError("no"))
    assert not is_transient(KeyboardInterrupt())
    assert not is_transient(OSError(28, "No space left on device"))
    assert not is_transient(MlflowException("no such run", error_code=5))


def test_what_was_being_handled_says_nothing_of_the_call() -> None:
    calls = []

    def refused() -> None:
        calls.append(1)
        raise ValueError("a defect")

    try:
        raise ConnectionResetError
    except ConnectionError:
        with pytest.raises(ValueError, match="a defect") as raised:
            retry_until_available(refused, pytest.fail)
    assert isinstance(raised.value.__context__, ConnectionResetError)
    assert len(calls) == 1


class Patience:
    """A clock that only goes on when something waits, and the lines that are told."""

    def __init__(self) -> None:
        self.now = 0.0
        self.waited: list[float] = []
        self.lines: list[str] = []

    def wait(self, seconds: float) -> None:
        self.waited.append(seconds)
        self.now += seconds


@pytest.fixture
def patience(monkeypatch: pytest.MonkeyPatch) -> Patience:
    given = Patience()
    monkeypatch.setattr(outage, "monotonic", lambda: given.now)
    return given


def test_waiting_ends_when_the_server_is_there_again(faulty: Any, patience: Patience) -> None:
    uri = faulty("refused")
    port = int(uri.rpartition(":")[2])
    attempts = []

    def call() -> str:
        attempts.append(1)
        if len(attempts) == 9:
            faulty("200", port)
        write(uri)
        return "written"

    answer = retry_until_available(call, patience.lines.append, wait=patience.wait)
    assert answer == "written"
    assert len(attempts) == 9
    assert patience.waited == [0.1, 0.2, 0.4, 0.8, 1.6, 2, 2, 2]
    assert patience.lines == [
        "MLflow: no server answers; retrying for up to 10 minutes (Ctrl-C to stop)",
        "MLflow: reconnected after 9 s",
    ]


def test_a_moment_is_not_told(patience: Patience) -> None:
    results = iter([ConnectionResetError, ConnectionResetError, None])

    def call() -> None:
        error = next(results)
        if error:
            raise error

    retry_until_available(call, patience.lines.append, wait=patience.wait)
    assert patience.waited == [0.1, 0.2]
    assert patience.lines == []


def test_waiting_has_an_end(faulty: Faulty, patience: Patience) -> None:
    uri = faulty("refused")
    with pytest.raises(OutageError, match=r"^MLflow: no server answers; gave up after 60\d s$"):
        retry_until_available(lambda: write(uri), patience.lines.append, wait=patience.wait)
    assert len(patience.lines) == 1


def test_a_server_that_fails_from_within_is_not_waited_for_as_long(
    faulty: Faulty, patience: Patience
) -> None:
    uri = faulty("500")
    with pytest.raises(OutageError, match=r"status 500; gave up after 6\d s"):
        retry_until_available(lambda: write(uri), patience.lines.append, wait=patience.wait)


def test_without_patience_there_is_one_attempt(faulty: Faulty, patience: Patience) -> None:
    with pytest.raises(OutageError):
        retry_until_available(lambda: write(faulty("refused")), pytest.fail, 0, wait=patience.wait)
    assert not patience.waited


def test_a_signal_ends_the_waiting(faulty: Faulty, request: pytest.FixtureRequest) -> None:
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    request.addfinalizer(lambda: signal.signal(signal.SIGINT, before))

    def wait(seconds: float) -> None:
        signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        retry_until_available(lambda: write(faulty("refused")), print, wait=wait)


def test_a_wrong_certificate_stays_wrong(faulty: Faulty) -> None:
    # A server without TLS where TLS was meant.
    uri = faulty("200").replace("http:", "https:")
    assert not is_transient(failing(lambda: write(uri)))


def test_a_store_that_is_shut_down_leaves_others_their_retries(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "60")
    uri = f"http://127.0.0.1:{free_port()}"
    ending, other = Store(uri), Store(uri)
    ending.shut_down()
    attempts = []

    def fail(_: MlflowClient) -> None:
        attempts.append(1)
        raise ConnectionResetError

    for _ in range(2):
        with pytest.raises(OutageError):
            ending.call(fail)
    assert len(attempts) == 1, "one that does not answer is not asked again"

    def fail_twice(_: MlflowClient) -> str:
        if len(attempts) < 3:
            fail(_)
        return "answer"

    assert other.call(fail_twice) == "answer"


def test_only_the_engine_of_a_store_waits_briefly_for_locks(tmp_path: Path) -> None:
    uri = f"sqlite:///{tmp_path / 'mlflow.db'}"
    Store(uri)
    mlflow_store: Any = SqlAlchemyStore  # Which has no types.
    of_store = mlflow_store(uri, tmp_path.as_uri()).engine
    for engine, milliseconds in ((of_store, 500), (create_engine("sqlite://"), 20_000)):
        with engine.connect() as connection:
            connection.execute(text("PRAGMA busy_timeout = 20000"))
            assert connection.execute(text("PRAGMA busy_timeout")).scalar() == milliseconds
            # Only while it was created did it not wait for the disk.
            assert connection.execute(text("PRAGMA synchronous")).scalar() == 2
