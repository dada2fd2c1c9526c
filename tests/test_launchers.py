"""Sweeps in several processes and on clusters, really run, and what kills of their parts do."""

import importlib.util
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

import psutil
import pytest
from mlflow import MlflowClient
from mlflow.entities import Run

from tests import slurm
from tests.commands import ROOT, TINY, Process, here, inside, runs_in, started, store

NAME = "launched"
EPOCHS = 60
JOBLIB = ("hydra/launcher=joblib", "hydra.launcher.n_jobs=2")
LOCAL = ("hydra/launcher=submitit_local",)
SLURM = ("hydra/launcher=submitit_slurm",)
RAY = ("hydra/launcher=ray",)

Disturbance = Callable[[Process], None]
Losses = dict[str, list[list[float]]]


def needs(package: str) -> pytest.MarkDecorator:
    missing = importlib.util.find_spec(package) is None
    return pytest.mark.skipif(missing, reason=f"no {package}: pip install -e '.[cluster]'")


class Done(NamedTuple):
    """A sweep that was run: exit code, what it printed, MLflow's runs."""

    code: int
    output: str
    parent: Run
    runs: list[Run]
    losses: Losses


def wait_until(condition: Callable[[], object], seconds: float = 240) -> None:
    began = time.monotonic()
    while not condition():
        assert time.monotonic() - began < seconds, "timed out"
        time.sleep(0.05)


def checkpoints(folder: Path) -> set[str]:
    """The numbers of the runs that have checkpoints: they are running, and not at their start."""
    return {path.parent.name for path in folder.glob(f"checkpoints/{NAME}/*/checkpoint.npz")}


def sweep_arguments(folder: Path, launcher: Sequence[str], *more: str) -> list[str]:
    return [
        *("-m", "backbone=mobilenet", "agg=simple,squared", *TINY, f"epochs={EPOCHS}"),
        *("early_stopping.patience=null", "snapshots=[0]", f"tracking.sweep={NAME}", store(folder)),
        *(f"checkpoint.folder={folder / 'checkpoints'}", "checkpoint.every_epochs=2"),
        *(f"hydra.sweep.dir={folder / 'sweep'}", *launcher, *more),
    ]


def sweep(
    folder: Path,
    launcher: Sequence[str],
    *more: str,
    disturb: Disturbance | None = None,
    environment: Mapping[str, str] | None = None,
) -> Done:
    """Run a sweep of tiny runs as a user does, disturb it, and read its store."""
    log = folder / "output.txt"
    process = started(
        "benchmark",
        *sweep_arguments(folder, launcher, *more),
        output=log,
        environment={"RAY_AUTH_MODE": "disabled", **(environment or {})},
        fresh=bool(launcher),  # Ray and others do not survive a fork.
    )
    try:
        if disturb is not None:
            wait_until(lambda: process.poll() is not None or {"0", "1"} <= checkpoints(folder))
            assert process.poll() is None, log.read_text()
            disturb(process)
        code = process.wait(timeout=240)
    finally:
        end_all(process)
    return read(folder, code, log.read_text())


def read(folder: Path, code: int, output: str) -> Done:
    """What a sweep left in its store."""
    client, [parent, *runs] = runs_in(folder)
    losses = {run.data.tags["agg"]: losses_of(client, run) for run in runs}
    return Done(code, output, parent, runs, losses)


def losses_of(client: MlflowClient, run: Run) -> list[list[float]]:
    return [
        [point.value for point in client.get_metric_history(run.info.run_id, name)]
        for name in ("total_loss", "style_loss", "content_loss")
    ]


def end_all(process: "Process | subprocess.Popen[str]") -> None:
    """End a process and all that it started."""
    if process.poll() is None:
        children = psutil.Process(process.pid).children(recursive=True)
        process.kill()
        process.wait()
        for child in children:
            with suppress(psutil.NoSuchProcess):
                child.kill()


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Losses:
    """The losses of the same runs, one after the other in one process."""
    done = sweep(tmp_path_factory.mktemp("plain"), ())
    assert done.code == 0, done.output
    return done.losses


def check(done: Done, plain: Losses) -> None:
    """Every cell exists once, finished, with the same losses; no warning was printed."""
    assert done.code == 0, done.output
    assert done.parent.info.status == "FINISHED"
    assert [run.info.status for run in done.runs] == ["FINISHED"] * len(plain)
    assert done.losses == plain
    for wrong in ("Traceback", "Warning", "database is locked"):
        assert wrong not in done.output


def check_interrupted(done: Done) -> None:
    """The sweep and all its runs were ended in order."""
    assert done.code == 130, done.output
    assert "Traceback" not in done.output
    assert f"python -m benchmark.resume {NAME}" in done.output
    assert {one.info.status for one in (done.parent, *done.runs)} == {"KILLED"}
    assert {run.data.tags["stopped_by"] for run in done.runs} == {"interrupted"}


def descendants(process: Process, mark: str) -> list[psutil.Process]:
    """The processes under another that have a mark in their command lines."""
    found = psutil.Process(process.pid).children(recursive=True)
    return [one for one in found if mark in " ".join(one.cmdline())]


def kill_one(mark: str) -> Disturbance:
    def kill(process: Process) -> None:
        descendants(process, mark)[0].kill()

    return kill


def interrupt(process: Process) -> None:
    """Ctrl-C, which a terminal sends to all processes."""
    os.killpg(process.pid, signal.SIGINT)


# Joblib.


@needs("joblib")
@pytest.mark.cluster
def test_joblib_resumes_when_a_worker_is_killed(tmp_path: Path, plain: Losses) -> None:
    done = sweep(tmp_path, JOBLIB, disturb=kill_one("popen_loky_posix"))
    check(done, plain)
    assert done.output.count("The launcher failed: TerminatedWorkerError") == 1
    assert done.output.count("resuming after epoch") == 2
    assert not list((tmp_path / "checkpoints").rglob("*"))


@needs("joblib")
@pytest.mark.faults
def test_joblib_four_writers(tmp_path: Path, plain: Losses) -> None:
    seeds = "seed=0,1,2,3,4,5,6,7"
    done = sweep(tmp_path, (JOBLIB[0], "hydra.launcher.n_jobs=4"), seeds, "agg=simple", "epochs=3")
    assert done.code == 0, done.output
    assert [run.info.status for run in done.runs] == ["FINISHED"] * 8
    assert "locked" not in done.output


@needs("joblib")
@pytest.mark.faults
def test_joblib_interrupted(tmp_path: Path) -> None:
    check_interrupted(sweep(tmp_path, JOBLIB, "epochs=100000", disturb=interrupt))


@needs("joblib")
@pytest.mark.faults
def test_workers_end_with_a_killed_driver(tmp_path: Path) -> None:
    workers: list[psutil.Process] = []

    def kill(process: Process) -> None:
        workers.extend(descendants(process, "popen_loky_posix"))
        process.kill()

    done = sweep(tmp_path, JOBLIB, "epochs=100000", disturb=kill)
    assert done.code == -signal.SIGKILL
    _, left = psutil.wait_procs(workers, timeout=60)
    assert len(workers) == 2
    assert not left
    assert [run.info.status for run in runs_in(tmp_path)[1][1:]] == ["KILLED", "KILLED"]


# Submitit.


@needs("submitit")
@pytest.mark.cluster
def test_submitit_local(tmp_path: Path, plain: Losses) -> None:
    done = sweep(tmp_path, LOCAL)
    check(done, plain)
    [logs] = [line for line in done.output.splitlines() if "_log.out" in line]
    said = [path.read_text() for path in tmp_path.glob("sweep/.submitit/*/*_log.out")]
    assert str(tmp_path / "sweep/.submitit/*/*_log.out") in logs
    assert sum("finished: all" in text for text in said) == 2


@needs("submitit")
@pytest.mark.cluster
@pytest.mark.parametrize(
    "grace", [True, pytest.param(False, marks=pytest.mark.faults)], ids=["grace", "none"]
)
def test_slurm_puts_a_job_back_into_its_queue(tmp_path: Path, plain: Losses, grace: bool) -> None:
    environment = slurm.install(tmp_path)
    queue = tmp_path / "queue"

    def preempt(_: Process) -> None:
        slurm.preempt(slurm.tasks(queue)[0], grace=grace)

    done = sweep(tmp_path, SLURM, disturb=preempt, environment=environment)
    check(done, plain)
    assert [task.state for task in slurm.tasks(queue)] == ["COMPLETED", "COMPLETED"]
    assert [task.is_marked("requeued") for task in slurm.tasks(queue)] == [True, False]
    [said] = [path.read_text() for path in tmp_path.glob("sweep/.submitit/*_0/*_log.out")]
    assert said.count("resuming after epoch") == 1
    if grace:  # The run was ended in order before.
        assert said.count("Requeued job") == 1


@needs("submitit")
@pytest.mark.faults
def test_slurm_loses_a_job(tmp_path: Path, plain: Losses) -> None:
    environment = slurm.install(tmp_path)
    queue = tmp_path / "queue"

    def lose(_: Process) -> None:
        slurm.tasks(queue)[0].send(signal.SIGKILL)

    done = sweep(tmp_path, SLURM, disturb=lose, environment=environment)
    check(done, plain)
    states = [task.state for task in slurm.tasks(queue)]
    assert states == ["FAILED", "COMPLETED", "COMPLETED"]


@needs("submitit")
@pytest.mark.faults
def test_slurm_jobs_outlive_their_driver(tmp_path: Path) -> None:
    environment = slurm.install(tmp_path)

    def kill(process: Process) -> None:
        process.kill()

    done = sweep(tmp_path, SLURM, "epochs=1500", disturb=kill, environment=environment)
    assert done.code == -signal.SIGKILL
    assert {run.info.status for run in done.runs} == {"RUNNING"}
    resumed = subprocess.run(
        [sys.executable, "-m", "benchmark.resume", NAME, "--tracking-uri", store(tmp_path)[13:]],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **environment},
    )
    assert resumed.returncode == 0, resumed.stdout + resumed.stderr
    assert "Waiting for 2 queued or running jobs" in resumed.stdout
    assert [one.info.status for one in runs_in(tmp_path)[1]] == ["FINISHED"] * 3
    assert [task.state for task in slurm.tasks(tmp_path / "queue")] == ["COMPLETED"] * 2


@needs("submitit")
@pytest.mark.faults
def test_slurm_interrupted(tmp_path: Path) -> None:
    environment = slurm.install(tmp_path)
    check_interrupted(
        sweep(tmp_path, SLURM, "epochs=100000", disturb=interrupt, environment=environment)
    )
    assert not {task.state for task in slurm.tasks(tmp_path / "queue")} - set(slurm.OVER)


# Ray.


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@contextmanager
def ray_cluster(folder: Path) -> Iterator[dict[str, str]]:
    """Two nodes of one processor each, started in another folder; yields their environment."""
    elsewhere = folder / "elsewhere"
    elsewhere.mkdir()
    nodes: list[subprocess.Popen[str]] = []
    log = folder / "ray.txt"
    # Not under pytest's folder: the names of sockets must be short.
    with tempfile.TemporaryDirectory(prefix="ray") as short, log.open("w") as opened:
        environment = {"RAY_AUTH_MODE": "disabled", "RAY_TMPDIR": short}

        def start(*arguments: str) -> None:
            ray = str(Path(sys.executable).with_name("ray"))
            nodes.append(
                subprocess.Popen(
                    [ray, "start", *arguments, "--num-cpus=1", "--block"],
                    cwd=elsewhere,
                    stdout=opened,
                    stderr=opened,
                    text=True,
                    env={**os.environ, **environment},
                )
            )

        def all_started() -> bool:
            assert all(node.poll() is None for node in nodes), log.read_text()
            return log.read_text().count("Ray runtime started") == len(nodes)

        port = free_port()
        memory = "--object-store-memory=80000000"
        try:
            start("--head", f"--port={port}", "--include-dashboard=false", memory)
            wait_until(all_started)
            start(f"--address=127.0.0.1:{port}", memory)
            wait_until(all_started)
            yield environment
        finally:
            for node in nodes:
                end_all(node)


@needs("ray")
@pytest.mark.cluster
def test_ray_on_a_cluster_of_two_nodes(tmp_path: Path, plain: Losses) -> None:
    with ray_cluster(tmp_path) as environment:
        launcher = (*RAY, "hydra.launcher.ray.init.address=auto")
        done = sweep(tmp_path, launcher, environment=environment)
    check(done, plain)
    assert not list((tmp_path / "elsewhere").rglob("*"))


@needs("ray")
@pytest.mark.faults
def test_ray_repeats_what_a_killed_worker_did(tmp_path: Path, plain: Losses) -> None:
    check(sweep(tmp_path, RAY, disturb=kill_one("ray::run_one")), plain)


@needs("ray")
@pytest.mark.faults
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ray_interrupted(tmp_path: Path, number: signal.Signals) -> None:
    done = sweep(tmp_path, RAY, "epochs=100000", disturb=lambda p: p.send_signal(number))
    check_interrupted(done)


# In the driver's process: Joblib with one job, and a stand-in for Ray.

FAKE_RAY = """
class remote:
    def __init__(self, function):
        self.function = function

    def options(self, **options):
        return self

    def remote(self, *arguments):
        return self.function(*arguments)

def init(**options):
    print("ray.init at", options["address"])

def get(tasks):
    return tasks

def wait(tasks, num_returns, timeout=None):
    return tasks, []
"""


@pytest.fixture
def fake_ray(tmp_path: Path) -> Path:
    """A folder for PYTHONPATH with what the project uses of Ray; tasks are done when submitted."""
    (tmp_path / "ray.py").write_text(FAKE_RAY)
    return tmp_path


@pytest.mark.parametrize(
    "launcher",
    [
        pytest.param(
            (JOBLIB[0], "hydra.launcher.n_jobs=1"), marks=[needs("joblib"), pytest.mark.cluster]
        ),
        RAY,
    ],
    ids=["joblib", "ray"],
)
def test_a_launcher_that_works_in_the_driver(
    launcher: Sequence[str],
    fake_ray: Path,
    recorded: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.syspath_prepend(fake_ray)
    monkeypatch.delitem(sys.modules, "ray", raising=False)
    ended = inside("benchmark", *sweep_arguments(tmp_path, launcher, "epochs=3"))
    done = read(tmp_path, ended.returncode, ended.stdout + ended.stderr)
    client, runs = runs_in(recorded)
    losses = {
        run.data.tags["agg"]: losses_of(client, run)
        for run in runs
        if run.data.tags.get("backbone") == "mobilenet"
    }
    check(done, losses)
    assert ("ray.init at local" in done.output) == (launcher == RAY)


# Wrong input.


@pytest.mark.parametrize(
    ("launcher", "message"),
    [
        pytest.param(SLURM, "this machine has no srun", marks=needs("submitit")),
        (
            (*RAY, f"hydra.launcher.ray.init.address=127.0.0.1:{free_port()}"),
            "no Ray cluster answers",
        ),
    ],
)
def test_a_launcher_that_cannot_be_used_is_one_line(
    launcher: Sequence[str],
    message: str,
    fake_ray: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.syspath_prepend(fake_ray)
    monkeypatch.delitem(sys.modules, "ray", raising=False)
    assert here("benchmark", "-m", *TINY, *launcher, store(tmp_path, new=True)) == 2
    error = capfd.readouterr().err
    assert error.startswith("error: ")
    assert message in error
    assert error.count("\n") == 1
    assert not (tmp_path / "mlflow.db").exists()


# GPUs.

NVIDIA_SMI = """#!/bin/sh
echo "GPU 0: NVIDIA Tesla (UUID: GPU-aaaa-0)"
echo "GPU 1: NVIDIA Tesla (UUID: GPU-bbbb-1)"
"""

CLAIM = """
import os, sys
from benchmark.runtime.workers import claim_gpu
claim = claim_gpu()
print(claim and os.environ["CUDA_VISIBLE_DEVICES"], flush=True)
sys.stdin.read()
"""


def claims(folder: Path, number: int, **environment: str) -> list[str]:
    """What so many processes claim, each while those before it live; they end afterwards."""
    plain = {k: v for k, v in os.environ.items() if k != "CUDA_VISIBLE_DEVICES"}
    processes = []
    found = []
    for _ in range(number):
        process = subprocess.Popen(
            [sys.executable, "-c", CLAIM],
            cwd=ROOT,
            env={**plain, "TMPDIR": str(folder), **environment},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdout is not None
        found.append(process.stdout.readline().strip())
        processes.append(process)
    for process in processes:
        process.communicate()
    return found


def test_each_process_claims_a_gpu(tmp_path: Path) -> None:
    (tmp_path / "nvidia-smi").write_text(NVIDIA_SMI)
    (tmp_path / "nvidia-smi").chmod(0o755)
    path = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"
    one, two = "GPU-aaaa-0", "GPU-bbbb-1"
    assert claims(tmp_path, 3, PATH=path) == [one, two, one]
    assert claims(tmp_path, 2, PATH=path) == [one, two]  # What ended has let go.
    given = claims(tmp_path, 3, PATH=path, CUDA_VISIBLE_DEVICES="3,5")
    assert given == ["3", "5", "3"]


def test_without_gpus_nothing_is_claimed(tmp_path: Path) -> None:
    assert claims(tmp_path, 1, PATH=str(tmp_path)) == ["None"]
    assert claims(tmp_path, 1, CUDA_VISIBLE_DEVICES="") == ["None"]
