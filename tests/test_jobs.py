"""Jobs of a sweep in other processes, without a sweep: what is asked of them and what they do."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from benchmark.runtime import slurm
from benchmark.runtime.interrupts import EXIT_CODE, Interrupts
from benchmark.runtime.jobs import (
    CONTROLLER_MODULE,
    JOB_MODULES,
    Jobs,
    LauncherKind,
    SlurmJobs,
    SubmititJobs,
)
from benchmark.runtime.workers import Worker
from tests import slurm as stand_in


@pytest.mark.parametrize("kind", ["local", "slurm"])
def test_a_job_whose_machine_is_taken_is_requeued_and_ends(
    kind: LauncherKind, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    monkeypatch.chdir(tmp_path)
    requeued: list[int] = []
    before = signal.signal(signal.SIGUSR2, lambda number, _: requeued.append(number))
    try:
        with pytest.raises(SystemExit) as ended, Worker(kind, Interrupts()).job(str(tmp_path)):
            signal.raise_signal(signal.SIGUSR2)
        assert ended.value.code == EXIT_CODE
        assert requeued == [signal.SIGUSR2]
        signal.raise_signal(signal.SIGUSR2)  # What was installed before is installed again.
        assert len(requeued) == 2
    finally:
        signal.signal(signal.SIGUSR2, before)


@contextmanager
def process_of(module: str) -> Iterator["subprocess.Popen[bytes]"]:
    """A process whose command line names a module."""
    sleeping = [sys.executable, "-c", "import time; time.sleep(60)", module]
    with subprocess.Popen(sleeping) as process:
        try:
            yield process
        finally:
            process.kill()


@pytest.mark.parametrize("module", JOB_MODULES)
def test_the_jobs_among_the_child_processes_are_stopped_and_others_not(module: str) -> None:
    with process_of(module) as job, process_of("another") as other:
        Jobs().stop()
        job.wait(timeout=10)
        assert other.poll() is None


def submitted(folder: Path, job: str) -> Path:
    """The folder of a job, as submitit leaves it."""
    place = folder / ".submitit" / job
    place.mkdir(parents=True)
    (place / f"{job}_submitted.pkl").touch()
    return place


def test_a_local_job_has_ended_when_its_controller_has(tmp_path: Path) -> None:
    with process_of(CONTROLLER_MODULE) as controller, process_of("another") as other:
        jobs = SubmititJobs(tmp_path)
        for process in (controller, other):
            submitted(tmp_path, str(process.pid))
        running = [job for job in jobs.submitted() if not jobs.has_ended(job)]
        assert running == [str(controller.pid)]
        lines: list[str] = []
        controller.kill()
        controller.wait()
        jobs.wait(lines.append)
        assert not lines


def test_slurms_queue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in stand_in.install(tmp_path).items():
        monkeypatch.setenv(name, value)
    jobs = SlurmJobs(tmp_path)
    states = {"101": "PENDING", "102": "RUNNING", "103": "COMPLETED", "104": "RUNNING"}
    for job, state in states.items():
        stand_in.Task(tmp_path / "queue", int(job), None).state = state
        folder = submitted(tmp_path, job)
    (folder / "104_0_result.pkl").touch()
    assert [slurm.is_queued(job) for job in states] == [True, True, False, True]
    assert [jobs.has_ended(job) for job in jobs.submitted()] == [False, False, True, True]
    slurm.cancel(states, patience=0)
    cancelled = [task.is_marked("cancel") for task in stand_in.tasks(tmp_path / "queue")]
    assert cancelled == [True, True, False, True]
    monkeypatch.setenv("PATH", str(tmp_path))
    assert slurm.is_queued("101") is None
    assert jobs.has_ended("101")  # Without SLURM there is no such job.
