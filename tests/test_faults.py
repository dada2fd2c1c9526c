"""A sweep ends as if nothing had happened, whatever happens to it meanwhile."""

import os
import shutil
import signal
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from PIL import Image

from tests.commands import TINY, Process, inside, runs_in, store, until
from tests.disturbed import (
    NAME,
    check_same,
    is_recorded,
    resume_arguments,
    start,
    sweep_arguments,
)

EPOCHS = 60


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return swept(tmp_path_factory.mktemp("undisturbed"), EPOCHS)


def swept(folder: Path, epochs: int, agg: str = "simple,squared") -> Path:
    """The folder of a sweep that was left alone."""
    folder.mkdir(exist_ok=True)
    done = inside("benchmark", *sweep_arguments(folder, epochs, agg))
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


class Killed(NamedTuple):
    """What it took to bring a sweep to its end."""

    kills: int
    resumes: int


def kill_and_resume(
    folder: Path, log: Path, epochs: int, kills: int, seed: int, agg: str = "simple,squared"
) -> Killed:
    """Run a sweep, ending it at random moments and resuming it until it is done.

    The second of five ends is a SIGTERM, the others are SIGKILL, which no process can answer.
    """
    random = np.random.default_rng(seed)
    done = resumes = 0
    for kill in range(kills):
        resumes += is_recorded(folder)
        process = start(folder, epochs, log, agg)
        wait(process, log, random)
        if process.poll() == 0:  # A machine so fast that the sweep came to its end first.
            break
        done += 1
        number = signal.SIGTERM if kill % 5 == 1 else signal.SIGKILL
        os.killpg(process.pid, number)
        expected = {signal.SIGKILL: (-9,), signal.SIGTERM: (130, -15)}[number]
        assert process.wait(timeout=60) in expected, f"kill {kill}: {log.read_text()}"
    process = start(folder, epochs, log, agg)
    assert process.wait(timeout=900) == 0, log.read_text()
    return Killed(done, resumes + 1)


def wait(process: Process, log: Path, random: np.random.Generator) -> None:
    """Until a random moment: one in four from the start, the others while runs are in progress."""
    if random.random() < 0.25:
        time.sleep(random.uniform(0, 8))
    else:
        until(process, log, "Run ")
        time.sleep(random.uniform(0, 6))


def test_a_killed_sweep_ends_as_an_undisturbed_one(tmp_path: Path) -> None:
    folder = tmp_path / "disturbed"
    folder.mkdir()
    killed = kill_and_resume(folder, tmp_path / "log", 30, kills=2, seed=51, agg="squared")
    assert killed.kills > 0
    check_same(folder, swept(tmp_path / "undisturbed", 30, agg="squared"))


@pytest.mark.faults
def test_thirty_kills(tmp_path: Path) -> None:
    folder = tmp_path / "disturbed"
    folder.mkdir()
    wanted = swept(tmp_path / "undisturbed", 600)
    killed = kill_and_resume(folder, tmp_path / "log", 600, kills=30, seed=30)
    check_same(folder, wanted)
    assert killed.kills == 30
    print(f"{killed.kills} kills, {killed.resumes} resumes, every loss and picture equal")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 48 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounting = ["mount", "-t", "tmpfs", "-o", "size=48m", "tmpfs", str(folder)]
    if shutil.which("mount") is None or subprocess.run(mounting, capture_output=True).returncode:
        pytest.skip("only root may mount a small file system")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.mark.cluster
def test_a_full_disk(undisturbed: Path, small_disk: Path, tmp_path: Path) -> None:
    folder, log, ballast = small_disk / "store", tmp_path / "log", small_disk / "ballast"
    folder.mkdir()
    process = start(folder, EPOCHS, log)
    until(process, log, "Run 2")
    with suppress(OSError), ballast.open("wb", buffering=0) as opened:
        while True:
            opened.write(bytes(2**16))
    assert process.wait(timeout=120) == 1, log.read_text()
    assert "Traceback" not in log.read_text()
    assert "full" in log.read_text() or "No space" in log.read_text()
    ballast.unlink()
    assert start(folder, EPOCHS, log).wait(timeout=120) == 0, log.read_text()
    check_same(folder, undisturbed)


@pytest.mark.cluster
@pytest.mark.parametrize("seconds", [2, pytest.param(60, marks=pytest.mark.faults)])
def test_a_locked_database(seconds: int, undisturbed: Path, tmp_path: Path) -> None:
    folder, log = tmp_path / "disturbed", tmp_path / "log"
    folder.mkdir()
    process = start(folder, EPOCHS, log)
    until(process, log, "Run 2")
    with closing(
        sqlite3.connect(folder / "mlflow.db", timeout=60, isolation_level=None)
    ) as database:
        database.execute("BEGIN EXCLUSIVE")
        time.sleep(seconds)
        database.execute("COMMIT")
    assert process.wait(timeout=300) == 0, log.read_text()
    if seconds > 30:
        assert "the database is locked by another process; retrying for up to" in log.read_text()
    check_same(folder, undisturbed)


@pytest.mark.faults
def test_a_clock_set_back(undisturbed: Path, tmp_path: Path) -> None:
    if shutil.which("faketime") is None:
        pytest.skip("no faketime, which sets a process's clock")
    folder, log = tmp_path / "disturbed", tmp_path / "log"
    folder.mkdir()
    process = start(folder, EPOCHS, log)
    until(process, log, "Run 3")
    time.sleep(2)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    back = ["faketime", "--exclude-monotonic", "-f", "-2d"]
    assert start(folder, EPOCHS, log, before=back).wait(timeout=300) == 0, log.read_text()
    check_same(folder, undisturbed)


@pytest.mark.cluster
def test_a_picture_that_vanishes_costs_no_other_run_anything(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    photographs, aside = tmp_path / "photographs", tmp_path / "aside.png"
    photographs.mkdir()
    for name in ("a", "b"):
        pixels = np.random.default_rng(ord(name)).integers(0, 256, (60, 80, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(photographs / f"{name}.png")
    monkeypatch.setenv("VANISHING_PICTURE", str(photographs / "b.png"))
    monkeypatch.setenv("VANISHES_TO", str(aside))
    done = inside(
        *("benchmark", "-m", "backbone=mobilenet", "content=folder", "~agg.p", *TINY),
        *(f"content.root={photographs}", "original_size=false,true", f"tracking.sweep={NAME}"),
        *("agg._target_=tests.commands.vanishing_aggregation", store(tmp_path)),
        f"checkpoint.folder={tmp_path / 'checkpoints'}",
    )
    assert done.returncode == 1, done.stdout + done.stderr
    _, [_, small, large] = runs_in(tmp_path)
    assert (small.info.status, large.info.status) == ("FINISHED", "FAILED")
    assert "only 1 content images are" in large.data.tags["reason"]
    assert f"resume just these: python -m benchmark.resume {NAME}" in done.stdout
    gone = inside("benchmark.resume", *resume_arguments(tmp_path))
    assert gone.returncode == 2, gone.stdout + gone.stderr
    aside.rename(photographs / "b.png")
    monkeypatch.delenv("VANISHING_PICTURE")
    again = inside("benchmark.resume", *resume_arguments(tmp_path))
    assert again.returncode == 0, again.stdout + again.stderr
    _, [parent, *both] = runs_in(tmp_path)
    assert [run.info.run_id for run in both] == [small.info.run_id, large.info.run_id]
    assert {parent.info.status, *(run.info.status for run in both)} == {"FINISHED"}
    assert both[0].info.end_time == small.info.end_time
    over = inside("benchmark.resume", *resume_arguments(tmp_path))
    assert (over.returncode, "nothing is left" in over.stdout) == (0, True)
