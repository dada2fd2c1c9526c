"""Measures what a step, a sweep and a process cost, ours and the baseline's in turn.

Prints a table and writes bench.json, growth.png and the table as Markdown.
"""

import argparse
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmark.bench.size import Size
from benchmark.user_input.arguments import Parser

if TYPE_CHECKING:  # Imported only where needed, so that a wrong argument is refused at once.
    from benchmark.bench.figures import Measurement

FIGURES = {
    "step": "time of a step, one example",
    "batch": "time of a step and example, batch of 4",
    "bfloat16": "… in bfloat16",
    "matrix": "share of the machine's matrix-product rate, float32",
    "matrix_bfloat16": "… in bfloat16",
    "paintings": "time of a step at 100 paintings against 1",
    "bfloat16_loss": "final loss of bfloat16 against float32",
    "descent": "time to the baseline's loss",
    "memory": "peak memory against its estimate",
    "cache": "time to the first step with style targets on disk",
    "sweep": "a whole sweep",
    "sweep_bfloat16": "… in bfloat16",
    "warm": "a tiny run besides steps and Keras's import, the second time",
    "share": "share of a sweep on real networks that is not steps",
    "ending": "time from the last step of a sweep to the program's end",
    "export": "time of `benchmark.export`",
    "report": "time of `benchmark.report`",
    "help": "time to the help, or the refusal of an option",
    "jobs": "memory after 1,000 runs in one process",
    "growth": "how cost grows with paintings, examples, size and steps",
}

COMPARABLE = ("step", "batch", "bfloat16")  # by `--against`
OUTPUT = Path(__file__).resolve().parents[2] / "mlruns" / "bench"


def main(arguments: list[str]) -> int:
    """Measure what the arguments ask for; 1 if a figure is out of its bounds."""
    about_figures = "; ".join(f"{name}: {what}" for name, what in FIGURES.items())
    parser = Parser(prog="python -m benchmark.bench", description=__doc__)
    add = parser.add_argument
    add("--only", nargs="+", choices=FIGURES, metavar="FIGURE", help=about_figures)
    add("--quick", action="store_true", help="tiny, to see that it works")
    add("--gpu", action="store_true", help="steps and a large picture on a GPU instead")
    add("--study", action="store_true", help="with --gpu: the study's whole compute too")
    add("--against", type=Path, metavar="CHECKOUT", help="steps here over those of another tree")
    add("--options", nargs="+", default=[], metavar="KEY=VALUE", help="of the sweep of `share`")
    add("--repeats", type=int, metavar="N", help="of whole sweeps, of --against; by default 2")
    add("--output", type=Path, default=OUTPUT, help="folder; by default mlruns/bench")
    given = parser.parse_args(arguments)
    if given.gpu and (given.only or given.against):
        parser.error("--gpu measures its own figures: leave --only and --against out")
    if given.study and not given.gpu:
        parser.error("--study is the study's compute on a GPU: add --gpu")
    if given.against and not (given.against / "benchmark" / "bench").is_dir():
        parser.error(f"--against {given.against}: is not a checkout of this repository")
    if given.against and not set(given.only or ()) <= set(COMPARABLE):
        parser.error(f"--against compares steps: --only takes {', '.join(COMPARABLE)}")
    if given.repeats is not None and given.repeats < 1:
        parser.error("--repeats: must be 1 or more")
    try:
        given.output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        parser.error(f"--output {given.output}: {error.strerror}: name another folder")
    size = Size(quick=given.quick, process_repeats=given.repeats)
    if given.gpu:
        from benchmark.bench.commands import main_command_seconds

        # Before Keras is imported here, for it may take all of a GPU's memory.
        seconds = main_command_seconds(size)
        # Imports nothing but Keras beside the backend: such machines may have no more.
        from benchmark.bench.gpu import measure_accelerator

        return measure_accelerator(size, given.output, seconds, study=given.study)
    return measure(given, size)


def measure(given: argparse.Namespace, size: Size) -> int:
    """All figures wanted, printed as they come and written at the end."""
    # Before all that imports TensorFlow or Keras: it keeps their start-up notes away.
    from benchmark.transfer import backend

    if not backend.is_default():
        print(
            f"error: KERAS_BACKEND={backend.name()}: the baseline is TensorFlow's tutorial and "
            "needs TensorFlow; other backends are measured with --gpu",
            file=sys.stderr,
        )
        return 2
    from rich.table import Table

    from benchmark.bench import steps
    from benchmark.bench.figures import HEADINGS, write_figures
    from benchmark.runs.log import git_commit
    from benchmark.runs.progress import Output

    screen = Output()
    about: dict[str, Any] = {
        "when": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": git_commit(),
        **backend.hardware(),
        **backend.versions(),
    }
    screen.print(", ".join(f"{key} {value}" for key, value in about.items()), soft_wrap=True)
    about["size"] = vars(size)
    figures: list[Measurement] = []
    for figure in measured_figures(given, size):
        figures.append(figure)
        screen.print(f"  {figure.title}: {figure.value:.3g} ({figure.detail})", soft_wrap=True)
        write_figures(given.output, figures, about)
    if not given.against and "growth" in (given.only or FIGURES):
        about["growth"] = curves = steps.growth_curves(size)
        steps.plot_curves(curves, given.output / "growth.png")
        for name, curve in curves.items():
            points = ", ".join(f"{x} → {y:.3g}" for x, y in curve.items())
            growth = f"cost ~ {name} to the {steps.slope(curve):.2f}"
            screen.print(f"{growth}: {points}", soft_wrap=True)
        write_figures(given.output, figures, about)
    table = Table(*HEADINGS)
    for figure in figures:
        table.add_row(*figure.cells, style=None if figure.reached else "red")
    screen.print(table)
    screen.print(f"written: {given.output}", soft_wrap=True)
    return 0 if all(figure.reached for figure in figures) else 1


def measured_figures(given: argparse.Namespace, size: Size) -> "Iterator[Measurement]":
    """Those of the figures that are wanted, as they are measured."""
    from benchmark.bench import processes, steps, waiting

    if given.against:
        compared = {name: FIGURES[name] for name in given.only or COMPARABLE}
        yield from processes.steps_against(given.against.resolve(), compared, size)
        return
    wanted = set(given.only or FIGURES)
    for part, names in (
        (steps.step_times, {"step", "batch", "bfloat16", "matrix", "matrix_bfloat16"}),
        (steps.step_by_paintings, {"paintings"}),
        (steps.bfloat16_loss, {"bfloat16_loss"}),
        (steps.descent, {"descent"}),
        (processes.measured_peak, {"memory"}),
        (processes.memory_after_jobs, {"jobs"}),
        (partial(processes.sweep_times, wanted=wanted), {"sweep", "sweep_bfloat16"}),
        (processes.cached_start, {"cache"}),
        (waiting.first_answer, {"help"}),
        (waiting.warm_run, {"warm"}),
        (partial(waiting.after_the_steps, wanted=wanted), {"ending", "export", "report"}),
        (partial(waiting.share_of_steps, options=given.options), {"share"}),
    ):
        if names & wanted:
            yield from (figure for figure in part(size) if figure.name in wanted)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
