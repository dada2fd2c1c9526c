"""Which runs of a store a command reads: a sweep's, one run, or an experiment's."""

import argparse
from collections.abc import Sequence

from benchmark.config.errors import ConfigError
from benchmark.config.schema import SWEEP_NAME
from benchmark.tracking.records import RunRecord
from benchmark.tracking.tracker import Tracker
from benchmark.user_input import did_you_mean


def open_store(options: argparse.Namespace, experiment: str | None) -> Tracker:
    """The store that is asked for; ConfigError if there is none, or none with this experiment."""
    Tracker.check_reachable(options.tracking_uri)
    return Tracker(options.tracking_uri, experiment, create=False)


def not_started(tracker: Tracker, title: str, records: Sequence[RunRecord]) -> int:
    """How many runs of a sweep are not there yet, if the title of the selected runs names one."""
    sweep = tracker.sweep_run(title) if SWEEP_NAME.fullmatch(title) else None
    return sweep.runs - len({run.number for run in records if run.is_ours}) if sweep else 0


def listed_last(names: Sequence[str], most: int = 8) -> str:
    """The last of some names, and how many there are."""
    shown = ", ".join(names[-most:])
    return f"{shown} (the last {most} of {len(names)})" if len(names) > most else shown


def select_runs(options: argparse.Namespace) -> tuple[Tracker, str, list[RunRecord]]:
    """The store, a title for the runs that are asked for, and these; ConfigError if none are."""
    tracker = open_store(options, options.experiment)
    record = tracker.record(options.run) if options.run else None
    if isinstance(record, RunRecord):
        return tracker, record.run_id, [record]
    if options.sweep and not SWEEP_NAME.fullmatch(options.sweep):
        raise ConfigError("no sweep can have this name", option="--sweep", value=options.sweep)
    if options.experiment and not (record or options.sweep):
        title, records = options.experiment, tracker.all_runs()
    else:
        last = tracker.last_resumable(with_runs=True) or tracker.last_sweep() or ""
        title = record.sweep if record else options.sweep or last
        records = tracker.runs_of(title) if title else []
    if not records:
        known = sorted({record.sweep for record in tracker.all_runs()})
        raise ConfigError(
            f"no runs of sweep '{title}'.{did_you_mean(title, known)} Known: {listed_last(known)}"
            if known
            else f"{tracker.uri} has no runs yet"
        )
    return tracker, title, records
