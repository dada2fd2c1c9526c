"""Tables for a paper, read from MLflow alone: `python -m benchmark.export --help`."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmark.config.errors import ConfigError
from benchmark.config.paths import ROOT
from benchmark.user_input.arguments import Parser, add_selection
from benchmark.user_input.refusal import explained_imports, refusing

PRINTED = ["backbone", "agg", "optimizer", "dataset"]
PRINTED += ["epochs", "stopped_by", "total_loss", "loss_ratio"]
"""Columns that are printed; the files have them all."""


@refusing(OSError)
def main(arguments: Sequence[str]) -> int:
    """Write the tables of one sweep, run, experiment or study; returns the exit code."""
    parser = Parser(
        prog="python -m benchmark.export",
        description="Write results.csv, .md, .tex, .json, examples.csv, painting_losses.csv (each "
        "result against each painting), scores.csv and comparisons.csv (paired tests of the "
        "metrics) from MLflow. "
        "Without options: the last sweep or single run of `python -m benchmark`. With the name of "
        "a study: study.csv, .md, .tex and .html, its table, loss curves and test sheets.",
    )
    parser.add_argument(
        "study", nargs="?", help="MLflow experiment of a study's runs: study or study_small"
    )
    add_selection(parser)
    parser.add_argument("--output", help="folder to write to (default: mlruns/exports/NAME)")
    options = parser.parse_args(arguments)
    paths = export_study(options) if options.study else export_runs(options)
    print(*(f"wrote {path}" for path in paths), sep="\n")
    return 0


def export_runs(options: argparse.Namespace) -> list[Path]:
    """Write the tables of the runs that are asked for; returns the files."""
    with explained_imports():
        from benchmark.analysis.comparison import export_files, read_runs, results_table
        from benchmark.analysis.pages import markdown, with_noun, write_files
        from benchmark.analysis.run_selection import not_started, select_runs

    tracker, title, records = select_runs(options)
    print(f"{with_noun(len(records), 'run')} of {title}\n")
    files = export_files(read_runs(tracker, records))
    print(markdown(results_table(records)[PRINTED]))
    if missing := not_started(tracker, title, records):
        print(f"not started: {with_noun(missing, 'run')}")
    return write_files(_folder(options, title), files)


def export_study(options: argparse.Namespace) -> list[Path]:
    """Write the tables, curves and sheets of a study; returns the files."""
    for name in ("sweep", "run", "experiment"):
        if getattr(options, name):
            raise ConfigError("cannot go with a study: leave one out", option=f"--{name}")
    with explained_imports():
        from benchmark.analysis.pages import markdown
        from benchmark.analysis.run_selection import open_store
        from benchmark.analysis.study import select_study, study_table, with_headings, write_study

    try:
        tracker = open_store(options, options.study)
    except ConfigError as error:
        reason = f"{error.reason}. A sweep is named with --sweep NAME"
        raise ConfigError(reason, error.option, error.value) from error
    study = select_study(options.study, tracker.all_runs())
    paths = write_study(tracker, study, _folder(options, options.study))
    print(markdown(with_headings(study_table(study.models))))
    if study.left_out:
        print(f"left out: {study.left_out} training runs under other conditions than the last")
    untested = [model.title for model in study.models if model.test is None]
    if untested:
        print(f"no finished test run with the best optimiser yet: {', '.join(untested)}")
    return paths


def _folder(options: argparse.Namespace, title: str) -> Path:
    return Path(options.output or ROOT / "mlruns" / "exports" / title)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
