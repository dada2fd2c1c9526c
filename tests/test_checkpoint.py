"""What is kept of a run on disk, whose it is, and that no dead process leaves half a file."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import psutil
import pytest

from benchmark.config.paths import ROOT
from benchmark.runs.checkpoint import FILE, BusyError, Checkpoint, Saved
from benchmark.runtime.files import remove_parts, replacing
from benchmark.runtime.processes import Owner, current_process
from benchmark.transfer.loop import KeptImages, LoopState


def state(epoch: int) -> LoopState:
    random = np.random.default_rng(epoch)
    pictures = random.random((2, 4, 4, 3), dtype=np.float32)
    kept = KeptImages(lambda: pictures, random.random((3, 2)), np.array([epoch, epoch]))
    states = [[pictures, np.int64(epoch)], [pictures[:1], np.int64(epoch)]]
    return LoopState(random.random((epoch + 1, 3, 2)), kept, states, (2.5, 1.5))


def written(folder: Path, fingerprint: str = "f") -> Checkpoint:
    found = Checkpoint(folder, fingerprint, every_epochs=1)
    assert found.open() is None
    found.save(state(3), batch=2)
    return found


def read(folder: Path, fingerprint: str = "f") -> Saved | None:
    return Checkpoint(folder, fingerprint).open()


def test_it_is_read_as_it_was_written(tmp_path: Path) -> None:
    written(tmp_path)
    saved, wanted = read(tmp_path), state(3)
    assert saved is not None
    assert saved.batch == 2
    found = saved.state
    np.testing.assert_array_equal(found.history, wanted.history)
    np.testing.assert_array_equal(found.kept.images(), wanted.kept.images())
    assert found.seconds == (2.5, 1.5)
    assert [len(state) for state in found.batches] == [2, 2]
    np.testing.assert_array_equal(found.batches[0][0], wanted.batches[0][0])
    assert found.batches[0][1] == 3


def test_another_fingerprint_begins_anew(tmp_path: Path) -> None:
    written(tmp_path)
    assert read(tmp_path, "other options") is None


@pytest.mark.parametrize("bytes_left", [0, 10, 1000])
def test_a_damaged_one_begins_anew(bytes_left: int, tmp_path: Path) -> None:
    written(tmp_path)
    file = tmp_path / FILE
    file.write_bytes(file.read_bytes()[:bytes_left])
    assert read(tmp_path) is None


def test_a_changed_byte_is_noticed_and_no_pickle_is_loaded(tmp_path: Path) -> None:
    written(tmp_path)
    file = tmp_path / FILE
    whole = bytearray(file.read_bytes())
    place = whole.index(state(3).batches[0][0].tobytes()[:8])
    whole[place] ^= 1
    file.write_bytes(bytes(whole))
    assert read(tmp_path) is None
    np.savez(file, fingerprint=np.array(["f", None], dtype=object))
    assert read(tmp_path) is None


def test_the_last_state_is_written_when_a_run_ends_early(tmp_path: Path) -> None:
    checkpoint = Checkpoint(tmp_path, "f")
    checkpoint.open()
    checkpoint.save(state(4), batch=1)
    assert read(tmp_path) is None
    checkpoint.flush()
    saved = read(tmp_path)
    assert saved is not None
    assert len(saved.state.history) == 5


def test_one_that_is_due_waits_for_what_was_logged(tmp_path: Path) -> None:
    checkpoint = Checkpoint(tmp_path, "f", every_epochs=1)
    waiting: list[Callable[[], None]] = []
    checkpoint.save(state(3), 2, waiting.append)
    checkpoint.save(state(4), 2, waiting.append)  # One at a time, for a state takes memory.
    assert read(tmp_path) is None
    [write] = waiting
    write()
    saved = read(tmp_path)
    assert saved is not None
    assert len(saved.state.history) == 4
    checkpoint.save(state(5), 2, waiting.append)
    assert len(waiting) == 2


def test_without_room_the_run_goes_on(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "run").mkdir()
    checkpoint = written(tmp_path / "run")
    (tmp_path / "run").rename(tmp_path / "away")
    checkpoint.save(state(4), batch=2)
    assert "no checkpoint written" in caplog.text
    assert read(tmp_path / "away") is not None


def test_a_failed_replacement_leaves_the_file(tmp_path: Path) -> None:
    file = tmp_path / "file.txt"
    file.write_text("before")
    with pytest.raises(UnicodeEncodeError), replacing(file) as part:
        part.write_text("\ud800")
    assert file.read_text() == "before"
    assert list(tmp_path.iterdir()) == [file]


LEAVE_A_PART = """
import os, sys
from pathlib import Path
from benchmark.runtime.files import replacing
with replacing(Path(sys.argv[1])) as part:
    part.write_text("half")
    os._exit(1)
"""


def test_parts_of_dead_processes_are_removed_and_others_kept(tmp_path: Path) -> None:
    dying = [sys.executable, "-c", LEAVE_A_PART, str(tmp_path / "file.txt")]
    assert subprocess.run(dying, cwd=ROOT, check=False).returncode == 1
    assert len(list(tmp_path.iterdir())) == 1
    with replacing(tmp_path / "mine.txt") as part:
        part.write_text("half")
        remove_parts(tmp_path)
        assert list(tmp_path.iterdir()) == [part]
        remote = tmp_path / part.name.replace(f"@{current_process().host}", "@another")
        remote.write_text("half")
        remove_parts(tmp_path)
        assert remote.exists()


def test_only_one_process_does_a_run(tmp_path: Path) -> None:
    mine = Checkpoint(tmp_path)
    with mine.claimed():
        [file] = tmp_path.iterdir()
    # What a claim is, without the seconds in which the project is imported.
    claim = (
        "import sys; from filelock import FileLock\n"
        "with FileLock(sys.argv[1]): print('mine', flush=True); input()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", claim, str(file)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"mine\n"
        with pytest.raises(BusyError), mine.claimed():
            pass
        other.kill()
    with mine.claimed():
        pass


def test_whose_a_run_is(monkeypatch: pytest.MonkeyPatch) -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        found = psutil.Process(child.pid)
        started = round(found.create_time() - psutil.boot_time(), 2)
        owner = Owner(current_process().host, child.pid, started)
        assert current_process().state() == "current"
        assert owner.state() == "alive"
        assert owner._replace(started=started - 1).state() == "dead"  # Its number was used again.
        assert owner._replace(host="another").state() == "remote"
        child.kill()
        child.wait()
        assert owner.state() == "dead"
    monkeypatch.setenv("SLURM_JOB_ID", "17")
    monkeypatch.setenv("SLURM_RESTART_COUNT", "1")
    # The same job, requeued, on whatever machine it is.
    assert Owner("another", 1, 1.0, "17").state() == "dead"
    assert Owner("another", 1, 1.0, "17", 1).state() == "remote"
    assert Owner("another", 1, 1.0, "18").state() == "remote"


def test_setting_the_clock_changes_no_owner(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both times are reckoned from the clock, as psutil does it."""
    before = current_process()
    boot, created = psutil.boot_time(), psutil.Process().create_time()
    monkeypatch.setattr(psutil, "boot_time", lambda: boot - 86400)
    monkeypatch.setattr(psutil.Process, "create_time", lambda self: created - 86400)
    assert current_process() == before
