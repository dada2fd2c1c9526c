"""Figures of waiting: all that passes around the steps, from the command to the tables."""

import tempfile
from collections.abc import Collection, Iterator, Sequence
from functools import partial
from pathlib import Path
from statistics import median
from time import time

from benchmark.bench.commands import run_python
from benchmark.bench.figures import Measurement
from benchmark.bench.size import Size
from benchmark.bench.timing import alternately, seconds_of
from benchmark.tracking.records import RunRecord
from benchmark.tracking.tracker import Tracker

# Where weights are random, losses may grow: the sweep is timed nevertheless.
STUDY = (
    "agg=simple,squared,logged dataset.artists=[*] dataset.paintings=15 content.count=3 "
    "divergence_factor=1e30"
)


def warm_run(size: Size) -> Iterator[Measurement]:
    """A tiny run for the second time: its wall time but for the steps and Keras's import."""
    with tempfile.TemporaryDirectory() as folder:
        options = [*size.tiny_run.split(), *_own(Path(folder))]
        run_python("-m", "benchmark", *options)
        sides = {
            "run": partial(run_python, "-m", "benchmark", *options),
            "import": partial(run_python, "-c", "import keras; keras.ops.zeros(1)"),
        }
        timed = {name: partial(seconds_of, action) for name, action in sides.items()}
        measured = alternately(timed, size.process_repeats, warm_up=False)
        steps = [_steps(run) for run in Tracker(_store(Path(folder)), None).all_runs()[1:]]
    wall, imports, in_steps = median(measured["run"]), median(measured["import"]), median(steps)
    yield Measurement(
        "warm",
        "seconds of a tiny run besides its steps and the import of Keras and its backend",
        wall - imports - in_steps,
        most=4.0,
        aim="2",
        detail=f"{wall:.1f} s - {in_steps:.1f} s - {imports:.1f} s",
        measured={**measured, "steps": steps},
    )


def share_of_steps(size: Size, options: Sequence[str]) -> Iterator[Measurement]:
    """What a sweep of all backbones and aggregations on real networks spends besides steps."""
    with tempfile.TemporaryDirectory() as folder:
        backbones = f"backbone={','.join(size.study_backbones)}"
        given = [backbones, *STUDY.split(), *size.share_options, *options, *_own(Path(folder))]
        wall = seconds_of(partial(run_python, "-m", "benchmark", "-m", *given))
        runs = Tracker(_store(Path(folder)), None).all_runs()
    steps = sum(map(_steps, runs))
    yield Measurement(
        "share",
        f"share of the wall time of {len(runs)} runs that is not steps",
        1 - steps / wall,
        most=0.12,
        aim="0.08",
        detail=f"{wall - steps:.0f} s / {wall:.0f} s; {_weights(runs)}",
        measured={"wall": wall, "steps": steps},
    )


def after_the_steps(size: Size, wanted: Collection[str]) -> Iterator[Measurement]:
    """The end of a sweep of 12 runs, and the commands that read it."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        run_python("-m", "benchmark", "-m", *size.cheap_sweep.split(), *_own(folder))
        ended = time()
        tracker = Tracker(_store(folder), None)
        runs = tracker.all_runs()
        last = max(tracker.logged_times(runs[-1].run_id))
        allowed = 2 + 0.3 * len(runs)
        yield Measurement(
            "ending",
            f"seconds from the last step of {len(runs)} runs to the end of the program / "
            f"2 s and 0.3 s a run",
            (ended - last) / allowed,
            most=1.0,
            detail=f"{ended - last:.1f} s / {allowed:.1f} s",
        )
        for command, most in (("export", 4.0), ("report", 12.0)):
            if command not in wanted:
                continue
            arguments = ("--tracking-uri", _store(folder), "--output", str(folder / command))
            action = partial(run_python, "-m", f"benchmark.{command}", *arguments)
            times = [seconds_of(action) for _ in range(size.process_repeats)]
            title = f"seconds of `benchmark.{command}`, {len(runs)} runs"
            measured = {command: times}
            yield Measurement(command, title, median(times), most=most, measured=measured)


def first_answer(size: Size) -> Iterator[Measurement]:
    """The help, and the refusal of an option that is misspelt."""
    commands = {
        "help": partial(run_python, "-m", "benchmark", "--help"),
        "misspelt": partial(run_python, "-m", "benchmark", "backbne=vgg", exit_codes=(2,)),
    }
    timed = {name: partial(seconds_of, action) for name, action in commands.items()}
    measured = alternately(timed, size.repeats)
    times = {name: median(side) for name, side in measured.items()}
    yield Measurement(
        "help",
        "seconds to the help, or to the refusal of a misspelt option",
        max(times.values()),
        most=0.5,
        detail=", ".join(f"{name} {seconds:.2f} s" for name, seconds in times.items()),
        measured=measured,
    )


def _own(folder: Path) -> tuple[str, ...]:
    """Options that keep runs and what they cache in a folder."""
    return f"tracking.uri={_store(folder)}", f"cache={folder / 'cache'}"


def _store(folder: Path) -> str:
    return f"sqlite:///{folder / 'mlflow.db'}"


def _steps(run: RunRecord) -> float:
    return run.results.seconds or 0.0


def _weights(runs: Sequence[RunRecord]) -> str:
    found = dict.fromkeys(f"{run.backbone}: {run.weights}" for run in runs)
    return f"weights {', '.join(found)}"
