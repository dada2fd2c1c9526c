"""Tables of runs for a paper: one row per run, one row per example, with their metrics."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from benchmark.analysis import comparison
from benchmark.analysis.comparison import Column, Scores
from benchmark.analysis.statistics import Interval
from benchmark.metrics.table import EXAMPLE
from benchmark.tracking.records import Artifact, RunRecord
from benchmark.tracking.tracker import Tracker

SHOWN = ("backbone", "agg", "optimizer", "epochs", "stopped_by", "total_loss", "loss_ratio")
"""Columns on the screen; the files have them all."""

UNKNOWN = Interval(float("nan"), float("nan"), float("nan"))
"""Of what was not measured."""


class Model(NamedTuple):
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
        """For people."""
        return " ".join(filter(None, self))

    @property
    def row(self) -> str:
        """All but the aggregation."""
        return " ".join(filter(None, (self.backbone, self.options)))


def results_table(records: Sequence[RunRecord]) -> pd.DataFrame:
    """One row per run: what it was, how it ended, its mean losses over the examples.

    A run that was cut short lacks numbers; they are missing values (NaN), never zeros.
    """
    rows = [
        {
            "backbone": record.backbone or None,
            "agg": record.agg or None,
            "optimizer": record.optimizer or None,
            "weights": record.weights or None,
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
    table = pd.DataFrame(rows)
    return table.astype({"examples": "Int64", "epochs": "Int64"})


def examples_table(tracker: Tracker, records: Sequence[RunRecord]) -> pd.DataFrame:
    """One row per example of each run that has results."""
    parts = []
    for record in records:
        if not tracker.has_artifact(record.run_id, Artifact.EXAMPLES):
            continue
        part = tracker.read_table(record.run_id, Artifact.EXAMPLES)
        for position, column in enumerate(("backbone", "agg", "optimizer", "weights")):
            part.insert(position, column, getattr(record, column) or None)
        part["run_id"] = record.run_id
        parts.append(part)
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()


def with_measures(
    results: pd.DataFrame, measured: Scores, found: Mapping[tuple[str, Column], Interval]
) -> pd.DataFrame:
    """The results with the mean of each metric over the examples, and its interval's bounds."""
    added = {
        f"{column.name}{ending}": [
            getattr(found.get((run_id, column), UNKNOWN), field) for run_id in results["run_id"]
        ]
        for column in measured.columns
        for field, ending in (("mean", ""), ("low", "_low"), ("high", "_high"))
    }
    return results.assign(**added)


def readable(
    results: pd.DataFrame, measured: Scores, found: Mapping[tuple[str, Column], Interval]
) -> pd.DataFrame:
    """The results with one cell for each metric: `0.41 [0.38, 0.45]`, † as its note says."""
    added = {
        column.name: [
            shown(found.get((run_id, column), UNKNOWN))
            + (comparison.DAGGER if measured.optimised(run_id, column) else "")
            for run_id in results["run_id"]
        ]
        for column in measured.columns
    }
    return results.assign(**added)


def shown(found: Interval) -> str:
    """A mean and its interval, in the digits in which they can differ."""
    if pd.isna(found.mean):
        return "-"
    mean, low, high = (f"{value:.3g}" for value in found)
    return mean if pd.isna(found.low) else f"{mean} [{low}, {high}]"


def with_scores(examples: pd.DataFrame, measured: Scores) -> pd.DataFrame:
    """The examples with a column per metric."""
    for column in measured.columns if len(examples) else []:
        values = measured.of_runs(column).melt(
            value_name=column.name, ignore_index=False, var_name="run_id"
        )
        examples = examples.merge(values.reset_index(), how="left", on=[*EXAMPLE, "run_id"])
    return examples


def write(
    folder: Path,
    results: pd.DataFrame,
    examples: pd.DataFrame,
    measured: Scores,
    names: Mapping[str, str],
) -> list[Path]:
    """Write the results as CSV, Markdown, LaTeX and JSON, the examples and scores as CSV.

    Args:
        folder: is made where it is not there.
        results: a row per run.
        examples: a row per example of each run.
        measured: of the runs.
        names: of the runs, by run_id.
    """
    folder.mkdir(parents=True, exist_ok=True)
    found = comparison.intervals(measured)
    numbers = with_measures(results, measured, found)
    cells = readable(results, measured, found)
    daggers = any(measured.optimised(run_id, column) for run_id, column in found)
    note = f"\n{comparison.DAGGER_NOTE}\n" if daggers else ""
    texts = {
        "results.csv": numbers.to_csv(index=False),
        "results.md": cells.to_markdown(index=False, floatfmt=".4g") + "\n" + note,
        "results.tex": cells.to_latex(index=False, float_format="%.4g", escape=True) + note,
        "results.json": numbers.to_json(orient="records", indent=2) + "\n",
        "examples.csv": with_scores(examples, measured).to_csv(index=False),
    }
    if measured.columns:
        texts["scores.csv"] = measured.table.to_csv(index=False)
        texts["comparisons.csv"] = comparison.comparisons_table(measured, names).to_csv(index=False)
    for file, text in texts.items():
        (folder / file).write_text(text, encoding="utf-8")
    return [folder / file for file in texts]


def models(records: Sequence[RunRecord]) -> dict[str, Model]:
    """What tells each run from the others, by run_id."""
    varied = varied_overrides(records)
    found: dict[str, Model] = {}
    for record in records:
        parts = (record.backbone or "?", record.agg or "?")
        options = [f"{key}={value}" for key, value in varied[record.run_id]]
        model = Model(*parts, " ".join(options))
        if model in found.values():
            model = Model(*parts, " ".join([*options, f"({record.run_id[:6]})"]))
        found[record.run_id] = model
    return found


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
