"""A run is logged beside the work: in order, all of it, and without hiding an error."""

import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest
from PIL import Image

from benchmark.runtime.processes import current_process
from benchmark.tracking import writer as module
from benchmark.tracking.log import RunLog
from benchmark.tracking.outage import OutageError
from benchmark.tracking.records import Artifact, RunFacts, RunRecord
from benchmark.tracking.store import Store
from benchmark.tracking.tracker import Tracker
from benchmark.tracking.writer import Writer


class Written:
    """What was written, call by call; nothing is until `open` is set."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.begun, self.open = threading.Event(), threading.Event()

    def points(self, items: Sequence[Any]) -> None:
        self.begun.set()
        self.open.wait()
        self.calls.append("".join(map(str, items)))

    def other(self, items: Sequence[Any]) -> None:
        self.points(["other"])

    def refused(self, items: Sequence[Any]) -> None:
        self.open.wait()
        raise OSError("no space left")


@pytest.fixture
def written() -> Iterator[Written]:
    made = Written()
    yield made
    made.open.set()


@pytest.fixture
def writer() -> Iterator[Writer]:
    made = Writer(lambda: None)
    yield made
    made.close()


def test_all_is_written_in_order_and_points_together(written: Written, writer: Writer) -> None:
    writer.put(written.other)
    for points in ([1, 2], [3], [4, 5, 6]):
        writer.put(written.points, points)
    writer.put(written.other)
    writer.put(written.points, [7])
    written.open.set()
    writer.flush()
    assert written.calls == ["other", "123456", "other", "7"]


def test_an_error_comes_with_the_next_call_and_nothing_is_written_after_it(
    written: Written, writer: Writer
) -> None:
    writer.put(written.points, [1])
    writer.put(written.refused)
    writer.put(written.points, [2])
    written.open.set()
    with pytest.raises(OSError, match="no space left"):
        writer.flush()
    with pytest.raises(OSError, match="no space left"):
        writer.put(written.points, [3])
    assert written.calls == ["1"]


def waiting_put(writer: Writer, written: Written) -> None:
    writer.put(written.points, [1], size=module.MOST_BYTES + 1)
    writer.put(written.points, [2])


def waiting_flush(writer: Writer, written: Written) -> None:
    writer.put(written.points, [1])
    writer.flush()


@pytest.mark.parametrize("wait", [waiting_put, waiting_flush])
def test_ctrl_c_ends_the_waiting_for_a_store_that_is_away(
    wait: Callable[[Writer, Written], None],
    written: Written,
    writer: Writer,
    request: pytest.FixtureRequest,
) -> None:
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    request.addfinalizer(lambda: signal.signal(signal.SIGINT, before))
    main = threading.main_thread().ident
    assert main is not None

    def interrupt() -> None:
        written.begun.wait()
        signal.pthread_kill(main, signal.SIGINT)

    threading.Thread(target=interrupt).start()
    with pytest.raises(KeyboardInterrupt):
        wait(writer, written)
    assert not written.calls


@pytest.mark.parametrize("wait", [waiting_put, waiting_flush])
def test_who_waits_looks_for_a_signal_whose_exception_was_lost(
    wait: Callable[[Writer, Written], None], written: Written
) -> None:
    def check() -> None:
        if written.begun.wait(0):
            raise KeyboardInterrupt

    writer = Writer(check)
    with pytest.raises(KeyboardInterrupt):
        wait(writer, written)
    writer.close()


def test_a_write_that_does_not_end_is_given_up_and_nothing_follows_it(
    written: Written, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "STALLED_SECONDS", 0.01)
    before = {*threading.enumerate()}
    writer = Writer(lambda: None)
    [thread] = {*threading.enumerate()} - before
    writer.put(written.other)
    writer.put(written.points, [1])
    with pytest.raises(TimeoutError):
        writer.flush(60)
    writer.close()
    written.open.set()
    thread.join()
    assert written.calls == ["other"]


def test_a_program_that_ends_does_not_wait_for_its_store() -> None:
    store, attempted = Store("http://127.0.0.1:9"), threading.Event()
    raised: list[BaseException] = []

    def fail(_: object) -> None:
        attempted.set()
        raise ConnectionResetError

    def call() -> None:
        try:
            store.call(fail)
        except OutageError as error:
            raised.append(error)

    thread = threading.Thread(target=call)
    thread.start()
    attempted.wait()
    store.shut_down()
    thread.join()  # Else for ten minutes.
    assert raised


FACTS = RunFacts(sweep="s", owner=current_process())


@pytest.fixture(scope="module")
def tracker(tmp_path_factory: pytest.TempPathFactory) -> Tracker:
    return Tracker(f"sqlite:///{tmp_path_factory.mktemp('writer') / 'mlflow.db'}", "writer")


def last_run(tracker: Tracker) -> RunRecord:
    return tracker.all_runs()[-1]


def unexpected() -> None:
    pytest.fail("called before all was written")


def run(
    tracker: Tracker, work: Callable[[RunLog], None], before_end: Callable[[], None] = unexpected
) -> None:
    with tracker.run("run", FACTS, None, before_end) as log:
        work(log)
        log.end("finished", "epochs", "")


def test_what_comes_after_something_finds_it_written(tracker: Tracker) -> None:
    found: list[int] = []

    def work(log: RunLog) -> None:
        for step in range(2500):  # MLflow takes 1,000 at once.
            log.metrics({"total_loss": 1.0, "style_loss": float("nan")}, step)
        log.then(lambda: found.append(len(tracker.loss_history(log.run_id)[0])))

    run(tracker, work)
    assert found == [2500]
    assert last_run(tracker).status == "finished"


def test_what_is_drawn_beside_the_work_and_fails_ends_the_run(tracker: Tracker) -> None:
    def draw() -> Image.Image:
        raise ValueError("nothing to draw")

    def work(log: RunLog) -> None:
        log.text("before.txt", "")
        log.picture("sheet.png", draw)
        log.text("after.txt", "")

    with pytest.raises(ValueError, match="nothing to draw"):
        run(tracker, work)
    ended = last_run(tracker)
    assert (ended.status, ended.reason) == ("failed", "ValueError: nothing to draw")
    assert tracker.artifacts(ended.run_id) == {"before.txt", Artifact.ERROR}
    assert "in draw" in tracker.read_text(ended.run_id, Artifact.ERROR)


@pytest.mark.parametrize(
    ("error", "status"), [(MemoryError("m"), "failed"), (KeyboardInterrupt(), "killed")]
)
def test_what_a_run_that_is_ended_logged_is_written_then_its_checkpoint(
    error: BaseException, status: str, tracker: Tracker
) -> None:
    found: list[set[str]] = []

    def before_end() -> None:
        found.append(tracker.artifacts(last_run(tracker).run_id))

    def work(log: RunLog) -> None:
        for number in range(3):
            log.text(f"{number}.txt", "")
        raise error

    with pytest.raises(type(error)):
        run(tracker, work, before_end)
    assert found == [{"0.txt", "1.txt", "2.txt"}]
    assert last_run(tracker).status == status


def test_where_not_all_is_written_there_is_no_checkpoint_of_it(tracker: Tracker) -> None:
    def away() -> None:
        raise OutageError("gone")

    def work(log: RunLog) -> None:
        log.then(away)
        raise MemoryError

    with pytest.raises(MemoryError):
        run(tracker, work)  # Which would fail if its checkpoint were written.
    assert last_run(tracker).status == "failed"
