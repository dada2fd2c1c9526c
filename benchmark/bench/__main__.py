"""Metrics what a step, a sweep and a process cost, ours and the baseline's in turn.

Prints a table and writes bench.json, growth.png and the table as Markdown.
"""

import sys
from collections.abc import Iterator
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from benchmark.config.arguments import Parser

if TYPE_CHECKING:  # Imported only where needed, so that a wrong argument is told at once.
    from benchmark.bench.workload import Size

FIGURES = {
    "step": "time of a step, one example",
    "batch": "… of a batch",
    "bfloat16": "… in bfloat16",
    "matrix": "share of the machine's matrix-product rate, float32",
    "matrix_bfloat16": "… in bfloat16",
    "paintings": "time of a step at 100 paintings against 1",
    "bfloat16_loss": "final loss of bfloat16 against float32",
    "descent": "time to the baseline's loss",
    "memory": "peak memory against the estimated",
    "cache": "time to the first step with style targets on disk",
    "sweep": "a whole sweep",
    "sweep_bfloat16": "… in bfloat16",
    "jobs": "memory after 1,000 runs in one process",
    "growth": "how cost grows with paintings, examples, size and steps",
}


def main(arguments: list[str]) -> int:
    """Metric what the arguments ask for; 1 if a figure is out of its bounds."""
    parser = Parser(prog="python -m benchmark.bench", description=__doc__)
    parser.add_argument(
        "--only",
        nargs="+",
        choices=FIGURES,
        metavar="FIGURE",
        help="; ".join(f"{name}: {what}" for name, what in FIGURES.items()),
    )
    parser.add_argument("--quick", action="store_true", help="tiny, to see that it works")
    parser.add_argument(
        "--gpu", action="store_true", help="the study's compute and a large picture instead"
    )
    parser.add_argument(
        "--sweep-repeats", type=int, metavar="N", help="of each whole sweep; by default 2"
    )
    parser.add_argument("--output", type=Path, help="folder; by default mlruns/bench")
    given = parser.parse_args(arguments)
    if given.gpu:
        if given.only:
            parser.error("--gpu measures its own figures: leave --only out")
        # Imports nothing but Keras beside the backend: such machines may have no more.
        from benchmark.bench import gpu

        return gpu.main(given.quick, given.output or gpu.OUTPUT)
    from benchmark.bench.workload import QUICK, Size

    size = QUICK if given.quick else Size()
    if given.sweep_repeats is not None:
        if given.sweep_repeats < 1:
            parser.error("--sweep-repeats: must be 1 or more")
        size = replace(size, sweep_repeats=given.sweep_repeats)
    return compare(set(given.only or FIGURES), size, given.output)


def compare(wanted: set[str], size: "Size", output: Path | None) -> int:
    """All figures wanted, printed as they come and written at the end."""
    from benchmark.bench import footprint, growth, steps, sweeps
    from benchmark.bench.figures import Figure, markdown, table, write
    from benchmark.config.paths import ROOT
    from benchmark.runs.log import git_commit
    from benchmark.runs.progress import console
    from benchmark.transfer import backend

    if not backend.is_default():
        print(
            f"KERAS_BACKEND={backend.name()}: the baseline is TensorFlow's tutorial and needs "
            "TensorFlow; other backends are measured with --gpu",
            file=sys.stderr,
        )
        return 2
    screen = console()
    folder = output or ROOT / "mlruns" / "bench"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        print(f"error: --output {folder}: {error.strerror}: name another folder", file=sys.stderr)
        return 2
    about = {
        "when": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": git_commit(),
        "size": asdict(size),
        **backend.hardware(),
        **backend.versions(),
    }
    shown = ", ".join(f"{key} {value}" for key, value in about.items() if key != "size")
    screen.print(shown, soft_wrap=True)

    def measured() -> Iterator[Figure]:
        for part in (
            steps.step_figures,
            footprint.footprint_figures,
            sweeps.sweep_figures,
        ):
            yield from part(size, wanted)

    figures: list[Figure] = []
    for figure in measured():
        if figure.name in wanted:
            figures.append(figure)
            screen.print(f"  {figure.title}: {figure.value:.3g} ({figure.detail})", soft_wrap=True)
            write(folder / "bench.json", figures, about)
    curves = {}
    if "growth" in wanted:
        curves = growth.growth(size, screen.print)
        growth.plot(curves, folder / "growth.png")
        screen.print(*growth.lines(curves), sep="\n", soft_wrap=True)
    write(folder / "bench.json", figures, {**about, "growth": curves})
    (folder / "bench.md").write_text(markdown(figures))
    screen.print(table(figures))
    screen.print(f"written: {folder}", soft_wrap=True)
    return 0 if all(figure.reached for figure in figures) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
