"""From what some runs were made: all that is needed to make them again."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from benchmark.report.findings import distinct
from benchmark.runs.record import CONFIG
from benchmark.tracking.records import RunRecord
from benchmark.tracking.tracker import Tracker

DATA = "data.json"

MOST_FILES = 400
"""Files whose digests are listed; the runs' own lists have them all."""

EXACT = ("artists", "contents", "style_digest", "content_digest", "weights", "weights_digest")
"""Tags that say what went in."""

AROUND = ("mlflow.source.git.commit", "version.", "hardware.")
"""How the tags begin that say with what it was made."""


class Provenance(NamedTuple):
    """From what some runs were made.

    Attributes:
        commands: that made them.
        common: options that all have in common.
        differing: the others, with the value in each run.
        facts: data and weights with their digests, versions, hardware, commit.
        files: file and digest of each set; empty where there are none or too many.
    """

    commands: Sequence[str]
    common: Mapping[str, str]
    differing: Mapping[str, Sequence[str]]
    facts: Mapping[str, str]
    files: Mapping[str, Sequence[tuple[str, str]]]


def of(tracker: Tracker, records: Sequence[RunRecord]) -> Provenance:
    """From what the runs were made."""
    configs = [options_of(tracker, record) for record in records]
    keys = distinct(key for config in configs for key in config)
    values = {key: [config.get(key, "-") for config in configs] for key in keys}
    return Provenance(
        commands(tracker, records),
        {key: found[0] for key, found in values.items() if len(set(found)) == 1},
        {key: found for key, found in values.items() if len(set(found)) > 1},
        facts(records),
        data_files(tracker, records),
    )


def commands(tracker: Tracker, records: Sequence[RunRecord]) -> list[str]:
    """The command line of each sweep, or those of its runs where it has none."""
    sweeps = distinct(record.tags.get("sweep", "") for record in records)
    parents = {sweep: tracker.sweep_run(sweep) for sweep in sweeps if sweep}
    makers = [parents.get(record.tags.get("sweep", "")) or record for record in records]
    found = distinct(
        (maker if "command" in maker.tags else record).tags.get("command", "")
        for maker, record in zip(makers, records, strict=True)
    )
    return [command for command in found if command]


def options_of(tracker: Tracker, record: RunRecord) -> dict[str, str]:
    """A run's resolved configuration, flat, without where it was tracked."""
    options: Mapping[Any, Any] = record.params
    if tracker.has_artifact(record.run_id, CONFIG):
        config = json.loads(tracker.read_text(record.run_id, CONFIG))
        [options] = pd.json_normalize(config).to_dict("records")
    return {str(k): str(v) for k, v in options.items() if not str(k).startswith("tracking.")}


def facts(records: Sequence[RunRecord]) -> dict[str, str]:
    """Data, weights, versions, hardware and commit, each with the values that the runs have."""
    around = sorted({tag for r in records for tag in r.tags if tag.startswith(AROUND)})
    found = {
        tag: distinct(r.tags[tag] for r in records if tag in r.tags) for tag in (*EXACT, *around)
    }
    return {
        tag.removeprefix("mlflow.source.git.").replace("_", " "): " | ".join(values)
        for tag, values in found.items()
        if values
    }


def data_files(tracker: Tracker, records: Sequence[RunRecord]) -> dict[str, list[tuple[str, str]]]:
    """Digests of the data files by set, from the first run that kept them."""
    kept = next((r for r in records if tracker.has_artifact(r.run_id, DATA)), None)
    if kept is None:
        return {}
    data = json.loads(tracker.read_text(kept.run_id, DATA))
    sets = {**data.get("style", {}), "content pictures": data.get("content", {})}
    if sum(map(len, sets.values())) > MOST_FILES:
        return {}
    return {
        name: [(Path(file).name, digest) for file, digest in files.items()]
        for name, files in sets.items()
    }
