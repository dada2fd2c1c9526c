"""Claims about style transfer put to the test, a page of answers each: see `USAGE`."""

import argparse
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from pkgutil import resolve_name
from typing import NamedTuple

from benchmark.config.errors import ConfigError
from benchmark.config.paths import ROOT
from benchmark.sweeps.in_turn import given_store, sweep_in_turn
from benchmark.user_input.arguments import Parser, add_store
from benchmark.user_input.refusal import explained_imports, refusing

USAGE = """\
Questions about style transfer from many paintings, answered with the metrics:

    python -m benchmark -m experiment=questions           runs all sweeps, then writes the page
    python -m benchmark.questions                         only the page, from what was run

Each question is a sweep or two of its own (experiment=questions_findings, questions_normalised,
questions_means, questions_one_painting, questions_smoothing, questions_shallow, questions_weights),
which can also be run alone and with other options; of equal runs the page takes the last. It is
written to mlruns/questions/: questions.md with its pictures.

    python -m benchmark -m experiment=tools               the same of other programs
    python -m benchmark.questions tools                   (docs/tools.md), to mlruns/tools/
"""


class Experiment(NamedTuple):
    """Sweeps, overlays of `conf/experiment/` in the order in which they are run, and their page."""

    sweeps: Sequence[str]
    page: str  # where in the code it is


EXPERIMENTS = {
    "questions": Experiment(
        (
            *("questions_findings", "questions_normalised", "questions_means"),
            *("questions_one_painting", "questions_smoothing", "questions_shallow"),
            "questions_weights",
        ),
        "benchmark.analysis.answers:QUESTIONS_PAGE",
    ),
    "tools": Experiment(
        ("tools_normalised", "tools_study", "tools_scales", "tools_lbfgs", "tools_resnet"),
        "benchmark.analysis.tools:TOOLS_PAGE",
    ),
}


@refusing(OSError)
def main(arguments: Sequence[str]) -> int:
    """Write a page of answers; returns the exit code."""
    parser = Parser(
        prog="python -m benchmark.questions",
        description=USAGE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "experiment",
        nargs="?",
        default="questions",
        help="questions (the default) or tools",
    )
    add_store(parser)
    parser.add_argument("--output", help="folder to write to (default: mlruns/EXPERIMENT)")
    options = parser.parse_args(arguments)
    # Not by argparse, to which the value of a misspelt option would be a wrong experiment.
    if options.experiment not in EXPERIMENTS:
        parser.error(f"{options.experiment}: no such experiment: {' or '.join(EXPERIMENTS)}")
    with explained_imports():
        from benchmark.analysis.questions import write_answers
        from benchmark.analysis.run_selection import open_store

        page = resolve_name(EXPERIMENTS[options.experiment].page)

    folder = Path(options.output or ROOT / "mlruns" / options.experiment)
    files = write_answers(page, lambda name: open_store(options, name), folder)
    if not files:
        raise ConfigError(
            "nothing was run: run all with python -m benchmark -m "
            f"experiment={options.experiment}, a part with "
            f"experiment={EXPERIMENTS[options.experiment].sweeps[0]}"
        )
    print(*(f"wrote {file}" for file in files), sep="\n")
    return 0


def run_all(name: str, overrides: Sequence[str]) -> int:
    """Run all sweeps of an experiment, then write its page; returns the exit code."""
    worst, complete = sweep_in_turn(name, EXPERIMENTS[name].sweeps, overrides)
    if not complete or "estimate=only" in overrides:
        return worst
    uri = given_store(overrides)
    return max(worst, main([name, *(["--tracking-uri", uri] if uri else [])]))


run_questions, run_tools = partial(run_all, "questions"), partial(run_all, "tools")
"""What `python -m benchmark -m experiment=questions` does, or tools."""


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
