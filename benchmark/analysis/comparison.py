"""What was measured of some runs, read back from MLflow and compared."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import StringIO
from typing import NamedTuple

import numpy as np
import pandas as pd
from pydantic import TypeAdapter, ValidationError

from benchmark.analysis.statistics import (
    Interval,
    Leaders,
    comparable,
    interval,
    leaders,
    paired,
    wins,
)
from benchmark.metrics.scoring import COLUMNS
from benchmark.tracking.records import METRICS_FILE, SCORES_FILE, Evaluator, RunRecord
from benchmark.tracking.tracker import Tracker

EXAMPLE = ["artist", "content"]
"""Columns that name an example."""


RESULT, CONTENT, PAINTING = "result", "content", "painting"
"""Subjects: a run's picture, its untouched content picture, a held-out painting of the artist."""

DAGGER = "†"

DAGGER_NOTE = (
    f"{DAGGER} judged by the network that also optimised these pictures: not an independent judge."
)


class Column(NamedTuple):
    """A metric, by the evaluator that took it where it needs one."""

    metric: str
    evaluator: str

    @property
    def name(self) -> str:
        """For tables."""
        return f"{self.metric}.{self.evaluator}" if self.evaluator else self.metric


@dataclass(frozen=True)
class Metric:
    """What a metric is.

    Attributes:
        label: a short heading.
        better: "higher", "lower", "one" (nearest to 1 is best) or "none".
        range: of its values, for people.
        about: a line for people.
        rate: whether its values are zeros and ones.
        interval: whether its values vary by example, so that their mean has an interval.
    """

    label: str = ""
    better: str = "none"
    range: str = ""
    about: str = ""
    rate: bool = False
    interval: bool = True


METRICS = TypeAdapter(dict[str, Metric])


@dataclass(frozen=True)
class Scores:
    """The scores of some runs.

    Attributes:
        table: long, the columns of `scoring` with the run_id.
        metrics: what they are, in the order in which they are shown.
        evaluators: of each run, by name.
        skipped_metrics: of each run the reason by metric.
        finished: the runs that compete; one that diverged kept the picture of an earlier epoch.
    """

    table: pd.DataFrame
    metrics: Mapping[str, Metric]
    evaluators: Mapping[str, Mapping[str, Evaluator]]
    skipped_metrics: Mapping[str, Mapping[str, str]]
    finished: frozenset[str]

    @property
    def columns(self) -> list[Column]:
        """What there are scores of: first what needs no network, then evaluator by evaluator."""
        found = {
            Column(*pair)
            for pair in zip(self.table["metric"], self.table["evaluator"], strict=True)
        }
        evaluators = ["", *dict.fromkeys(e for known in self.evaluators.values() for e in known)]
        listed = [Column(metric, e) for e in evaluators for metric in self.metrics]
        return [column for column in listed if column in found]

    def of_runs(self, column: Column) -> pd.DataFrame:
        """The scores of the results, a row per example, a column per run."""
        return self._of(column, RESULT).pivot_table("value", EXAMPLE, "run_id", "mean", sort=False)

    def competing(self, column: Column) -> pd.DataFrame:
        """`of_runs`, of those that finished."""
        table = self.of_runs(column)
        return table[[run_id for run_id in table if run_id in self.finished]]

    def of_subject(self, column: Column, subject: str) -> pd.Series:
        """The scores of another subject, a value per picture: the mean of what the runs have."""
        return self._of(column, subject).groupby(EXAMPLE, sort=False)["value"].mean()

    def interval(self, column: Column, values: pd.Series) -> Interval:
        """Mean and interval of some scores of a metric."""
        described = self.metrics[column.metric]
        found = interval(values.to_numpy(), described.rate)
        return found if described.interval else Interval(found.mean, np.nan, np.nan)

    def optimised(self, run_id: str, column: Column) -> bool:
        """Whether the evaluator's network also optimised the run's pictures."""
        return self.evaluators.get(run_id, {}).get(column.evaluator, Evaluator()).optimised

    def _of(self, column: Column, subject: str) -> pd.DataFrame:
        table = self.table
        return table[
            (table["metric"] == column.metric)
            & (table["evaluator"] == column.evaluator)
            & (table["subject"] == subject)
            & (table["layer"] == "")
        ]


@dataclass(frozen=True)
class Compared:
    """Scores with what can be said of them.

    Attributes:
        scores: of some runs.
        intervals: mean and interval of each run in each metric.
        pairs: the paired tests of each metric.
        leaders: who is best in each metric.
    """

    scores: Scores
    intervals: Mapping[tuple[str, Column], Interval]
    pairs: Mapping[Column, pd.DataFrame]
    leaders: Mapping[Column, Leaders]


def compared(scores: Scores) -> Compared:
    """Scores with their intervals, paired tests and leaders."""
    pairs = comparisons(scores)
    best = {
        column: leaders(
            scores.competing(column), pairs[column], scores.metrics[column.metric].better
        )
        for column in scores.columns
    }
    return Compared(scores, intervals(scores), pairs, best)


def read(tracker: Tracker, records: Sequence[RunRecord]) -> Scores:
    """All that was measured of some runs; of older and failed ones there is nothing."""
    tables: list[pd.DataFrame] = [pd.DataFrame(columns=["run_id", *COLUMNS])]
    metrics: dict[str, Metric] = {}
    for record in records:
        kept = tracker.artifacts(record.run_id)
        if SCORES_FILE in kept:
            table = scores_of(tracker.read_text(record.run_id, SCORES_FILE))
            table.insert(0, "run_id", record.run_id)
            tables.append(table)
        if METRICS_FILE in kept:
            metrics |= _described(tracker.read_text(record.run_id, METRICS_FILE))
    whole = pd.concat(tables[1:] or tables, ignore_index=True)
    undescribed = {str(name): Metric() for name in whole["metric"].unique()}
    return Scores(
        whole,
        metrics | {name: one for name, one in undescribed.items() if name not in metrics},
        {r.run_id: _evaluators(whole, r) for r in records},
        {r.run_id: r.skipped_metrics for r in records},
        frozenset(r.run_id for r in records if r.status == "finished"),
    )


def intervals(scores: Scores) -> dict[tuple[str, Column], Interval]:
    """Mean and interval of each run in each metric."""
    return {
        (str(run_id), column): scores.interval(column, values)
        for column in scores.columns
        for run_id, values in scores.of_runs(column).items()
    }


def comparisons(scores: Scores) -> dict[Column, pd.DataFrame]:
    """The paired tests of all runs in each metric; of a ratio, of its distance from 1, |log|."""
    return {
        column: paired(comparable(scores.competing(column), scores.metrics[column.metric].better))
        for column in scores.columns
    }


def comparisons_table(scores: Scores, names: Mapping[str, str]) -> pd.DataFrame:
    """The paired tests of all metrics as one table, `better` naming a significant winner.

    Args:
        scores: of the runs.
        names: of the runs, by run_id.
    """
    parts = []
    for column, pairs in comparisons(scores).items():
        won = wins(pairs, scores.metrics[column.metric].better)
        winners = [
            next((names[x] for x, y in ((a, b), (b, a)) if y in won.get(x, ())), "")
            for a, b in zip(pairs["a"], pairs["b"], strict=True)
        ]
        part = pairs.drop(columns="ranks").assign(
            a=pairs["a"].map(names), b=pairs["b"].map(names), better=winners
        )
        part.insert(0, "metric", column.metric)
        part.insert(1, "evaluator", column.evaluator)
        parts.append(part)
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()


def random_evaluators(scores: Scores) -> list[str]:
    """The evaluators whose weights were never trained."""
    return list(
        dict.fromkeys(
            name
            for known in scores.evaluators.values()
            for name, evaluator in known.items()
            if evaluator.weights == "random"
        )
    )


def scores_of(text: str) -> pd.DataFrame:
    """A run's table of scores; names that look like numbers, or like nothing, stay names."""
    table = pd.read_csv(StringIO(text), dtype=str, keep_default_na=False)
    table = table.reindex(columns=COLUMNS, fill_value="")
    return table.assign(value=pd.to_numeric(table["value"], errors="coerce").astype(float))


def _evaluators(table: pd.DataFrame, record: RunRecord) -> dict[str, Evaluator]:
    """The evaluators of a run, those too that only its scores name."""
    used = table.loc[table["run_id"] == record.run_id, "evaluator"].unique()
    unknown = {str(e): Evaluator() for e in used if e and e not in record.evaluators}
    return {**record.evaluators, **unknown}


def _described(text: str) -> dict[str, Metric]:
    """A JSON object of descriptions by name; what is none is taken as empty."""
    try:
        return METRICS.validate_json(text)
    except ValidationError:
        return {}


HARDLY = 0.02
"""A mean change below this, five grey levels, hardly shows."""
