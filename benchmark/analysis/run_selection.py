"""Which runs of a store a command reads: a sweep's, one run, or an experiment's."""

import argparse

from benchmark.config.errors import ConfigError
from benchmark.config.schema import SWEEP_NAME
from benchmark.tracking.records import RunRecord, SweepRecord
from benchmark.tracking.tracker import Tracker
from user_input import did_you_mean


def selected(tracker: Tracker, options: argparse.Namespace) -> tuple[str, list[RunRecord]]:
    """What is asked for, as a name for the folder and its runs.

    Raises:
        ConfigError: there is nothing of that name, or nothing at all.
    """
    if options.run:
        record = tracker.record(options.run)
        if isinstance(record, SweepRecord):
            return record.sweep, tracker.runs_of(record.sweep)
        return record.run_id, [record]
    if options.sweep and not SWEEP_NAME.fullmatch(options.sweep):
        raise ConfigError(f"--sweep {options.sweep}: no sweep can have this name")
    if options.experiment and not options.sweep:
        label, records = options.experiment, tracker.all_runs()
    else:
        label = options.sweep or tracker.last_sweep() or ""
        records = tracker.runs_of(label) if label else []
    if not records:
        known = sorted({record.sweep for record in tracker.all_runs()})
        raise ConfigError(
            f"no runs of sweep '{label}'.{did_you_mean(label, known)} "
            f"Known: {', '.join(known[-8:])}"
            if known
            else f"{tracker.uri} has no runs yet"
        )
    return label, records


def add_selection(parser: argparse.ArgumentParser) -> None:
    """Give a command the options by which `selected` chooses runs."""
    parser.add_argument("--sweep", help="name of a sweep, as printed when it started")
    parser.add_argument("--run", help="MLflow's id of one run")
    parser.add_argument("--experiment", help="all runs of an experiment")
    parser.add_argument("--tracking-uri", help="MLflow store (default: mlruns/mlflow.db)")
