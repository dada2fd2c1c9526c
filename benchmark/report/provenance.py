"""How to repeat some runs: commands, options, data, versions, hardware."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from benchmark.report.findings import distinct
from benchmark.tracking.records import Artifact, DataFiles, RunRecord
from benchmark.tracking.tracker import Tracker

MOST_FILES = 400
"""Files whose digests are listed; the runs' own lists have them all."""


def provenance(tracker: Tracker, records: Sequence[RunRecord]) -> dict[str, Any]:
    """What runs were made from; options that differ between them with the value in each."""
    configs = [options_of(tracker, record) for record in records]
    keys = distinct(key for config in configs for key in config)
    options = {key: [config.get(key, "-") for config in configs] for key in keys}
    return {
        "commands": commands(tracker, records),
        "common": {key: values[0] for key, values in options.items() if len(set(values)) == 1},
        "differing": {key: values for key, values in options.items() if len(set(values)) > 1},
        "facts": provenance_facts(records),
        "files": data_files(tracker, records),
    }


def commands(tracker: Tracker, records: Sequence[RunRecord]) -> list[str]:
    """The command line of each sweep, or those of its runs if it has none."""
    sweeps = distinct(record.sweep for record in records if record.sweep)
    parents = {sweep: tracker.sweep_run(sweep) for sweep in sweeps}
    started_by = (parents.get(record.sweep) or record for record in records)
    return distinct(filter(None, (record.command for record in started_by)))


def options_of(tracker: Tracker, record: RunRecord) -> dict[str, str]:
    """A run's resolved configuration, flat, without where it was tracked."""
    options: Mapping[Any, Any] = record.params
    if tracker.has_artifact(record.run_id, Artifact.CONFIG):
        config = tracker.read_json(record.run_id, Artifact.CONFIG)
        [options] = pd.json_normalize(config).to_dict("records")
    return {str(k): str(v) for k, v in options.items() if not str(k).startswith("tracking.")}


def provenance_facts(records: Sequence[RunRecord]) -> dict[str, str]:
    """Data, weights, versions, hardware and commit, each with the values that the runs have."""
    values: dict[str, list[str]] = {}
    for r in records:
        of_run = {
            "artists": "; ".join(r.artists),
            "contents": "; ".join(r.contents),
            "style digest": r.style_digest,
            "content digest": r.content_digest,
            "weights": r.weights,
            "weights digest": r.weights_digest,
            "commit": r.commit,
            **{f"hardware {part}": value for part, value in sorted(r.hardware.items())},
            **{f"version of {package}": value for package, value in sorted(r.versions.items())},
        }
        for fact, value in of_run.items():
            values.setdefault(fact, []).append(value)
    joined = {fact: " | ".join(distinct(filter(None, v))) for fact, v in values.items()}
    return {fact: text for fact, text in joined.items() if text}


def data_files(tracker: Tracker, records: Sequence[RunRecord]) -> dict[str, list[tuple[str, str]]]:
    """File and digest of each set, from the first run that recorded them; none if too many."""
    record = next((r for r in records if tracker.has_artifact(r.run_id, Artifact.DATA)), None)
    if record is None:
        return {}
    data = DataFiles.model_validate(tracker.read_json(record.run_id, Artifact.DATA))
    sets = {**data.style, "content pictures": data.content}
    if sum(map(len, sets.values())) > MOST_FILES:
        return {}
    return {
        name: [(Path(file).name, digest) for file, digest in files.items()]
        for name, files in sets.items()
    }
