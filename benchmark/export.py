"""Tables for a paper, read from MLflow alone: `python -m benchmark.export --help`."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmark.analysis import comparison, study
from benchmark.analysis.run_selection import add_selection, selected
from benchmark.analysis.tables import SHOWN, examples_table, models, results_table, write
from benchmark.config.compose import refuse
from benchmark.config.errors import ConfigError
from benchmark.config.paths import ROOT
from benchmark.tracking.tracker import Tracker
from user_input.arguments import Parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the tables of one sweep, run or experiment; returns the exit code."""
    options = _parser().parse_args(arguments)
    try:
        Tracker.check_reachable(options.tracking_uri)
        if options.study:
            return export_study(options)
        tracker = Tracker(options.tracking_uri, options.experiment, create=False)
        label, records = selected(tracker, options)
        folder = Path(options.output or ROOT / "mlruns" / "exports" / label)
        results = results_table(records)
        measured = comparison.read(tracker, records)
        written = write(
            folder,
            results,
            examples_table(tracker, records),
            measured,
            {run_id: model.name for run_id, model in models(records).items()},
        )
    except (ConfigError, OSError) as error:
        return refuse(error)
    print(results[list(SHOWN)].to_markdown(index=False, floatfmt=".4g"))
    print(*(f"wrote {path}" for path in written), sep="\n")
    return 0


def export_study(options: argparse.Namespace) -> int:
    """Write the tables, curves and sheets of a study; returns the exit code.

    Raises:
        ConfigError: there is no such study.
    """
    for name in ("sweep", "run", "experiment"):
        if getattr(options, name):
            raise ConfigError(f"--{name} and a study cannot go together: leave one out")
    tracker = Tracker(options.tracking_uri, options.study, create=False)
    found = study.gathered(options.study, tracker.all_runs())
    folder = Path(options.output or ROOT / "mlruns" / "exports" / options.study)
    written = study.write(tracker, found, folder)
    print(study.markdown(study.table(found.models)))
    if found.left_out:
        print(f"left out: {found.left_out} training runs under other conditions than the last")
    untested = [model.title for model in found.models if model.test is None]
    if untested:
        print(f"no finished test run of what won yet: {', '.join(untested)}")
    print(*(f"wrote {path}" for path in written), sep="\n")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = Parser(
        prog="python -m benchmark.export",
        description="Write results.csv, .md, .tex, .json, examples.csv, scores.csv and "
        "comparisons.csv (paired tests of the metrics) from MLflow. "
        "Without options: the sweep (or single run) that started last. With the name of a study: "
        "study.csv, .md, .tex and .html, its table, loss curves and test sheets.",
    )
    parser.add_argument(
        "study", nargs="?", help="MLflow experiment of a study's runs: study or study_small"
    )
    add_selection(parser)
    parser.add_argument("--output", help="folder to write to (default: mlruns/exports/NAME)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
