"""The claims about backbones and means of many paintings, put to the test: see `USAGE`."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmark.config.errors import ConfigError
from benchmark.config.paths import ROOT
from benchmark.sweeps.in_turn import given_store, sweep_in_turn
from benchmark.user_input.arguments import Parser, add_store
from benchmark.user_input.refusal import explained_imports, refusing

USAGE = """\
Four questions about style transfer from many paintings, answered with the metrics:

    python -m benchmark -m experiment=questions           runs all sweeps, then writes the page
    python -m benchmark.questions                         only the page, from what was run

Each question is a sweep or two of its own (experiment=questions_findings, questions_normalised,
questions_means, questions_one_painting, questions_smoothing, questions_shallow, questions_weights),
which can also be run alone and with other options; of equal runs the page takes the last. It is
written to mlruns/questions/: questions.md with its pictures.
"""

SWEEPS = (
    *("questions_findings", "questions_normalised", "questions_means", "questions_one_painting"),
    *("questions_smoothing", "questions_shallow", "questions_weights"),
)
"""Overlays of `conf/experiment/`, in the order in which they are run."""


@refusing(OSError)
def main(arguments: Sequence[str]) -> int:
    """Write the page of answers; returns the exit code."""
    parser = Parser(
        prog="python -m benchmark.questions",
        description=USAGE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_store(parser)
    parser.add_argument("--output", help="folder to write to (default: mlruns/questions)")
    options = parser.parse_args(arguments)
    with explained_imports():
        from benchmark.analysis.answers import QUESTIONS_PAGE
        from benchmark.analysis.questions import write_answers
        from benchmark.analysis.run_selection import open_store

    folder = Path(options.output or ROOT / "mlruns" / "questions")
    files = write_answers(QUESTIONS_PAGE, lambda name: open_store(options, name), folder)
    if not files:
        raise ConfigError(
            "no question was run: run all with python -m benchmark -m experiment=questions, a "
            "part with experiment=questions_findings"
        )
    print(*(f"wrote {file}" for file in files), sep="\n")
    return 0


def run_all(overrides: Sequence[str]) -> int:
    """Run all sweeps, then write the page; returns the exit code."""
    worst, complete = sweep_in_turn("questions", SWEEPS, overrides)
    if not complete or "estimate=only" in overrides:
        return worst
    uri = given_store(overrides)
    return max(worst, main(["--tracking-uri", uri] if uri else []))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
