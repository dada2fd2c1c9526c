"""Tables of runs for a paper: one row per run, one row per example, with their metrics."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import pandas as pd

from benchmark.analysis.comparison import DAGGER_NOTE, Scores, scores_of_runs, tests_table
from benchmark.analysis.pages import table_files
from benchmark.metrics.table import COLUMNS, EXAMPLE
from benchmark.tracking.records import Artifact, RunRecord
from benchmark.tracking.tracker import Tracker

MODEL_COLUMNS = ("backbone", "agg", "optimizer", "weights")


class RunLabel(NamedTuple):
    """What tells a run from the others of a selection.

    Attributes:
        backbone: its name.
        agg: the aggregation's name.
        options: others in which they differ, "option=value …".
    """

    backbone: str
    agg: str
    options: str

    @property
    def name(self) -> str:
        """All of it."""
        return " ".join(filter(None, self))

    @property
    def row(self) -> str:
        """All but the aggregation."""
        return " ".join(filter(None, (self.backbone, self.options)))


@dataclass(frozen=True)
class RunSet:
    """Runs of a store that are shown together.

    Attributes:
        tracker: of the store.
        records: the runs.
        labels: what tells each from the others, by run_id.
        scores: theirs, by run_id.
    """

    tracker: Tracker
    records: Sequence[RunRecord]
    labels: Mapping[str, RunLabel]
    scores: Scores

    @property
    def names(self) -> dict[str, str]:
        """Of the runs, by run_id."""
        return {run_id: label.name for run_id, label in self.labels.items()}


def read_runs(tracker: Tracker, records: Sequence[RunRecord]) -> RunSet:
    """Runs with their labels and scores."""
    scores = scores_of_runs(tracker, {record.run_id: record for record in records})
    return RunSet(tracker, records, label_runs(records), scores)


def results_table(records: Sequence[RunRecord]) -> pd.DataFrame:
    """One row per run: what it was, how it ended, its mean losses over the examples.

    What an interrupted run lacks is missing (NaN), never zero.
    """
    rows = [
        {
            **{column: getattr(record, column) or None for column in MODEL_COLUMNS},
            "artists": "; ".join(record.artists) or None,
            "examples": record.results.examples,
            "epochs": record.results.epochs_done,
            "status": record.status,
            "stopped_by": record.stopped_by or None,
            "total_loss": record.results.final_total_loss,
            "style_loss": record.results.final_style_loss,
            "content_loss": record.results.final_content_loss,
            "loss_ratio": record.results.loss_ratio,
            "seconds": record.results.seconds,
            "seed": record.params.get("seed"),
            "run_id": record.run_id,
        }
        for record in records
    ]
    return pd.DataFrame(rows).astype({"examples": "Int64", "epochs": "Int64"})


def examples_table(runs: RunSet) -> pd.DataFrame:
    """One row per example of each run that has results, with a column per metric."""
    parts = []
    for record in runs.records:
        if not runs.tracker.has_artifact(record.run_id, Artifact.EXAMPLES):
            continue
        part = runs.tracker.read_table(record.run_id, Artifact.EXAMPLES)
        for position, field in enumerate(MODEL_COLUMNS):
            part.insert(position, field, getattr(record, field) or None)
        parts.append(part.assign(run_id=record.run_id))
    examples = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()
    for column in runs.scores.columns if parts else []:
        values = runs.scores.of_runs(column).melt(
            value_name=column.name, ignore_index=False, var_name="run_id"
        )
        examples = examples.merge(values.reset_index(), how="left", on=[*EXAMPLE, "run_id"])
    return examples


def export_files(runs: RunSet) -> dict[str, str]:
    """The results as CSV, Markdown, LaTeX and JSON; examples, scores and tests as CSV."""
    results, scores = results_table(runs.records), runs.scores
    bounds = {"": "mean", "_low": "low", "_high": "high"}
    values = {
        f"{column.name}{ending}": [
            getattr(scores.interval(run_id, column), bound) for run_id in results["run_id"]
        ]
        for column in scores.columns
        for ending, bound in bounds.items()
    }
    cells = {
        column.name: [scores.text(run_id, column) for run_id in results["run_id"]]
        for column in scores.columns
    }
    daggers = any(scores.has_dagger(*key) for key in scores.intervals)
    numbers = results.assign(**values)
    files = table_files("results", numbers, results.assign(**cells), DAGGER_NOTE if daggers else "")
    files["results.json"] = numbers.to_json(orient="records", indent=2) + "\n"
    files["examples.csv"] = examples_table(runs).to_csv(index=False)
    if scores.columns:
        table = scores.table.rename(columns={"run": "run_id"})[["run_id", *COLUMNS]]
        files["scores.csv"] = table.to_csv(index=False)
        files["comparisons.csv"] = tests_table(scores, runs.names).to_csv(index=False)
    return files


def label_runs(records: Sequence[RunRecord]) -> dict[str, RunLabel]:
    """What tells each run from the others, by run_id."""
    varied = varied_overrides(records)
    labels: dict[str, RunLabel] = {}
    for record in records:
        options = " ".join(f"{key}={value}" for key, value in varied[record.run_id])
        label = RunLabel(record.backbone or "?", record.agg or "?", options)
        if label in labels.values():
            label = label._replace(options=f"{options} ({record.run_id[:6]})".strip())
        labels[record.run_id] = label
    return labels


def varied_overrides(runs: Sequence[RunRecord]) -> dict[str, list[tuple[str, str]]]:
    """For each run, the overrides that tell it from others, besides backbone and aggregation.

    The order p of a power mean is in the aggregation's name.
    """
    overrides = {run.run_id: run.overrides for run in runs}
    keys = dict.fromkeys(key for pairs in overrides.values() for key in pairs)
    varied = [
        key
        for key in keys
        if key not in ("backbone", "agg", "agg.p")
        and not key.startswith("tracking.")
        and len({o.get(key) for o in overrides.values()}) > 1
    ]
    return {
        run_id: [(key, pairs[key]) for key in varied if key in pairs]
        for run_id, pairs in overrides.items()
    }
