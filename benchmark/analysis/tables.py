"""Tables of runs for a paper: one row per run, one row per example, with their metrics."""

from collections.abc import Sequence

import pandas as pd

from benchmark.analysis.comparison import DAGGER_NOTE, Place, RunSet, tests_table
from benchmark.analysis.pages import table_files
from benchmark.metrics.table import COLUMNS, EXAMPLE
from benchmark.tracking.records import Artifact, RunRecord
from benchmark.tracking.tracker import Tracker

MODEL_COLUMNS = ("backbone", "agg", "optimizer", "weights")


def read_runs(tracker: Tracker, records: Sequence[RunRecord]) -> RunSet:
    """Runs, each called by what tells it from the others; rows are backbones, columns aggregations.

    Where other options differ, a row is a backbone with them.
    """
    varied = varied_overrides(records)
    places: dict[Place, RunRecord] = {}
    for record in records:
        backbone, agg = record.backbone or "?", record.agg or "?"
        options = "".join(f" {key}={value}" for key, value in varied[record.run_id])
        place = Place(f"{backbone} {agg}{options}", f"{backbone}{options}", agg)
        if place in places:
            mark = f" ({record.run_id[:6]})"
            place = Place(place.name + mark, place.row + mark, agg)
        places[place] = record
    return RunSet(tracker, places)


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
    for record in runs.records.values():
        if not runs.tracker.has_artifact(record.run_id, Artifact.EXAMPLES):
            continue
        part = runs.tracker.read_table(record.run_id, Artifact.EXAMPLES)
        for position, field in enumerate(MODEL_COLUMNS):
            part.insert(position, field, getattr(record, field) or None)
        parts.append(part.assign(run_id=record.run_id))
    if not parts:
        return pd.DataFrame()
    examples = pd.concat(parts, ignore_index=True)
    ids = {name: record.run_id for name, record in runs.records.items()}
    for column in runs.columns:
        values = runs.of_runs(column).rename(columns=ids)
        long = values.melt(value_name=column.name, ignore_index=False, var_name="run_id")
        examples = examples.merge(long.reset_index(), how="left", on=[*EXAMPLE, "run_id"])
    return examples


def export_files(runs: RunSet) -> dict[str, str]:
    """The results as CSV, Markdown, LaTeX and JSON; examples, scores and tests as CSV."""
    results = results_table([*runs.records.values()])
    values = {
        f"{column.name}{ending}": [
            getattr(runs.interval(name, column), bound) for name in runs.records
        ]
        for column in runs.columns
        for ending, bound in (("", "mean"), ("_low", "low"), ("_high", "high"))
    }
    texts = {c.name: [runs.text(name, c) for name in runs.records] for c in runs.columns}
    note = DAGGER_NOTE if any(runs.has_dagger(*key) for key in runs.intervals) else ""
    numbers = results.assign(**values)
    files = table_files("results", numbers, results.assign(**texts), note)
    files["results.json"] = numbers.to_json(orient="records", indent=2) + "\n"
    files["examples.csv"] = examples_table(runs).to_csv(index=False)
    if runs.columns:
        ids = runs.table["run"].map(lambda name: runs.records[name].run_id)
        scores = runs.table.assign(run_id=ids)[["run_id", *COLUMNS]]
        files["scores.csv"] = scores.to_csv(index=False)
        files["comparisons.csv"] = tests_table(runs).to_csv(index=False)
    return files


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
