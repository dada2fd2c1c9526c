"""Stand-ins for SLURM's commands: what they take, print and do is SLURM's, on this machine.

`install` puts them into a folder for PATH. A process in the background runs what is queued, two
jobs at a time, and keeps their states as files. Like SLURM's, it asks a job to end by SIGTERM,
kills it some seconds later, and starts one that is to be put back into the queue again.
"""

import os
import re
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

COMMANDS = ("sbatch", "srun", "sacct", "squeue", "scancel", "scontrol")
FOLDER = "SLURM_STAND_IN"
MACHINES = 2
KILL_WAIT = 5.0
OVER = ("COMPLETED", "FAILED", "CANCELLED")


def install(folder: Path) -> dict[str, str]:
    """Make the commands; returns the environment in which they are found."""
    programs = folder / "bin"
    programs.mkdir()
    for name in COMMANDS:
        program = programs / name
        program.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{__file__}" {name} "$@"\n')
        program.chmod(0o755)
    queue = folder / "queue"
    queue.mkdir()
    return {FOLDER: str(queue), "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}"}


class Task:
    """A job, or a task of an array, as files of the queue's folder."""

    def __init__(self, folder: Path, array: int, index: int | None) -> None:
        self.array, self.index = array, index
        self.name = str(array) if index is None else f"{array}_{index}"
        # Each task of an array has a number of its own, too.
        self.number = str(array if index is None else 1000 * array + index)
        self._files = folder / f"task-{self.name}"

    def _file(self, kind: str) -> Path:
        return self._files.with_name(f"{self._files.name}.{kind}")

    @property
    def state(self) -> str:
        return self._file("state").read_text()

    @state.setter
    def state(self, state: str) -> None:
        part = self._file("part")
        part.write_text(state)
        part.replace(self._file("state"))

    def mark(self, what: str, content: str = "") -> None:
        self._file(what).write_text(content)

    def is_marked(self, what: str) -> bool:
        return self._file(what).exists()

    def unmark(self, what: str) -> None:
        self._file(what).unlink(missing_ok=True)

    def count(self, what: str) -> int:
        """Count once more, from 1."""
        number = int(self._file(what).read_text()) + 1 if self.is_marked(what) else 1
        self.mark(what, str(number))
        return number

    def send(self, *signals: signal.Signals) -> None:
        """Signals to what srun started, as SLURM does; the script itself gets none."""
        with suppress(OSError):
            for one in signals:
                os.kill(int(self._file("step").read_text()), one)


def tasks(folder: Path, names: list[str] | None = None) -> list[Task]:
    """All tasks, or those that names mean: an array's, a task's, or a task's number."""
    found = []
    for file in sorted(folder.glob("task-*.state")):
        array, _, index = file.stem.removeprefix("task-").partition("_")
        found.append(Task(folder, int(array), int(index) if index else None))
    if names is None:
        return found
    return [one for one in found if {one.name, one.number, str(one.array)} & set(names)]


def preempt(task: Task, *, grace: bool) -> None:
    """Take a task's machine, as SLURM does for a job of higher priority.

    With a time of grace the job is told by SIGTERM and, as it is submitted so, SIGUSR2, and must
    ask to be put back; without, SLURM ends it and puts it back.
    """
    task.mark("preempted")
    if grace:
        task.send(signal.SIGCONT, signal.SIGTERM)
        time.sleep(0.3)
        task.send(signal.SIGUSR2)
    else:
        task.mark("requeue")


def sbatch(folder: Path, arguments: list[str]) -> None:
    script = Path(arguments[-1]).read_text()
    options = dict(re.findall(r"^#SBATCH --([\w-]+)=(.*)$", script, re.MULTILINE))
    array = 100 + len(list(folder.glob("script-*")))
    (folder / f"script-{array}").write_text(script)
    last = re.match(r"0-(\d+)", options.get("array", ""))
    for index in range(int(last[1]) + 1) if last else [None]:
        Task(folder, array, index).state = "PENDING"
    with (folder / "log").open("a") as log:
        subprocess.Popen(
            [sys.executable, __file__, "slurmctld", str(array), options["output"].strip("'")],
            start_new_session=True,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
    print(f"Submitted batch job {array}")


def slurmctld(folder: Path, arguments: list[str]) -> None:
    """Run the tasks of an array to their ends."""
    mine = tasks(folder, arguments[:1])
    running: dict[str, subprocess.Popen[bytes]] = {}
    asked: dict[str, float] = {}
    while any(task.state not in OVER for task in mine):
        for task in mine:
            if task.state == "PENDING" and task.is_marked("cancel"):
                task.state = "CANCELLED"
            elif task.state == "PENDING" and len(running) < MACHINES:
                running[task.name] = start(folder, task, arguments[1])
                task.state = "RUNNING"
            elif task.state == "RUNNING":
                process = running[task.name]
                ended = process.poll() is not None
                if not ended and (task.is_marked("cancel") or task.is_marked("requeue")):
                    if task.name not in asked:
                        task.send(signal.SIGCONT, signal.SIGTERM)
                        asked[task.name] = time.monotonic()
                    elif time.monotonic() - asked[task.name] > KILL_WAIT:
                        os.killpg(process.pid, signal.SIGKILL)
                if ended:
                    del running[task.name]
                    asked.pop(task.name, None)
                    finish(task, process.returncode)
        time.sleep(0.05)


def start(folder: Path, task: Task, output: str) -> "subprocess.Popen[bytes]":
    """Start a task's script on the "machine" that it is given."""
    task.unmark("step")
    own = {"SLURM_JOB_ID": task.number, "SLURM_NTASKS": "1", "SLURM_JOB_NUM_NODES": "1"}
    own["SLURM_RESTART_COUNT"] = str(task.count("restarts") - 1)
    if task.index is not None:
        own |= {"SLURM_ARRAY_JOB_ID": str(task.array), "SLURM_ARRAY_TASK_ID": str(task.index)}
    path = Path(named(output, task))
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as log:
        return subprocess.Popen(
            ["bash", str(folder / f"script-{task.array}")],
            env={**os.environ, **own},
            stdout=log,
            stderr=log,
            start_new_session=True,
        )


def finish(task: Task, code: int) -> None:
    """What becomes of a task whose script has ended."""
    if task.is_marked("cancel"):
        task.state = "CANCELLED"
    elif task.is_marked("requeue"):
        task.unmark("requeue")
        task.mark("requeued")
        task.state = "PENDING"
    else:
        task.state = "FAILED" if code else "COMPLETED"


def named(pattern: str, task: Task) -> str:
    """A file name with SLURM's placeholders filled in."""
    values = {"%A": str(task.array), "%a": str(task.index), "%j": task.number, "%t": "0"}
    return re.sub("%[Aajt]", lambda found: values[found[0]], pattern)


def srun(folder: Path, arguments: list[str]) -> None:
    number = os.environ["SLURM_JOB_ID"]
    [task] = [one for one in tasks(folder) if one.number == number]
    while arguments[0].startswith("--"):
        option = arguments.pop(0)
        if option in ("--output", "--error"):
            stream = sys.stdout if option == "--output" else sys.stderr
            with Path(named(arguments.pop(0), task)).open("a") as log:
                os.dup2(log.fileno(), stream.fileno())
    task.mark("step", str(os.getpid()))
    ranks = {"SLURM_PROCID": "0", "SLURM_LOCALID": "0", "SLURM_NODEID": "0"}
    os.execvpe(arguments[0], arguments, {**os.environ, **ranks})


def sacct(folder: Path, arguments: list[str]) -> None:
    print("JobID|State|NodeList")
    for task in tasks(folder, [one for one in arguments if one.isdigit()]):
        print(f"{task.name}|{task.state}|here")


def squeue(folder: Path, arguments: list[str]) -> None:
    names = [one.partition("=")[2] for one in arguments if one.startswith("--jobs=")]
    left = [task for task in tasks(folder, names) if task.state not in OVER]
    if not left:
        sys.exit("slurm_load_jobs error: Invalid job id specified")
    for task in left:
        print(task.state)


def scancel(folder: Path, arguments: list[str]) -> None:
    options = dict(one[2:].split("=") for one in arguments if one.startswith("--"))
    for task in tasks(folder, [one for one in arguments if not one.startswith("--")]):
        if task.state in OVER or task.state != options.get("state", task.state):
            continue
        if "signal" in options:
            task.send(signal.Signals[f"SIG{options['signal']}"])
        else:
            task.mark("cancel")


def scontrol(folder: Path, arguments: list[str]) -> None:
    assert arguments[0] == "requeue"
    for task in tasks(folder, arguments[1:]):
        task.mark("requeue")


if __name__ == "__main__":
    globals()[sys.argv[1]](Path(os.environ[FOLDER]), sys.argv[2:])
