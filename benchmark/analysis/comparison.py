"""What was measured of some runs, read back from MLflow and compared."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd

from benchmark.analysis.statistics import (
    Interval,
    Leaders,
    comparable,
    interval,
    leaders,
    paired,
    wins,
)
from benchmark.metrics.description import MetricDescription
from benchmark.metrics.table import COLUMNS, EXAMPLE, RESULT
from benchmark.runs.scores import RunScores, read_scores
from benchmark.tracking.records import Evaluator, RunRecord
from benchmark.tracking.tracker import Tracker

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
    metrics: Mapping[str, MetricDescription]
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
    scores = {record.run_id: read_scores(tracker, record) for record in records}
    tables = [one.table.assign(run_id=run_id) for run_id, one in scores.items() if len(one.table)]
    table = pd.concat(tables or [pd.DataFrame(columns=["run_id", *COLUMNS])], ignore_index=True)
    described = {name: d for one in scores.values() for name, d in one.metrics.items()}
    undescribed = dict.fromkeys(map(str, table["metric"].unique()), MetricDescription())
    return Scores(
        table,
        {**described, **{k: v for k, v in undescribed.items() if k not in described}},
        {run_id: _evaluators(one) for run_id, one in scores.items()},
        {run_id: one.skipped for run_id, one in scores.items()},
        frozenset(record.run_id for record in records if record.status == "finished"),
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


def _evaluators(scores: RunScores) -> dict[str, Evaluator]:
    """The evaluators of a run, those too that only its scores name."""
    used = filter(None, map(str, scores.table["evaluator"].unique()))
    return {**scores.evaluators, **{e: Evaluator() for e in used if e not in scores.evaluators}}


HARDLY = 0.02
"""A mean change below this, five grey levels, hardly shows."""
