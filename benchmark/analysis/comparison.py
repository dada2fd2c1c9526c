"""The scores of several runs side by side: intervals, paired tests, the best of them."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import pandas as pd

from benchmark.analysis.statistics import (
    UNKNOWN,
    BestModels,
    Interval,
    best_models,
    comparable,
    confidence_interval,
    paired_tests,
    significantly_better,
)
from benchmark.metrics.table import COLUMNS, EXAMPLE, RESULT, MetricDescription
from benchmark.runs.scores import RunScores, read_scores
from benchmark.tracking.records import Evaluator, RunRecord
from benchmark.tracking.tracker import Tracker

DAGGER = "†"

DAGGER_NOTE = (
    f"{DAGGER} the evaluator is the network that optimised these pictures: it is not independent."
)

HARDLY_CHANGED = 0.02
"""A mean change below this, five grey levels, is hardly visible."""


class Column(NamedTuple):
    """A metric, with the evaluator that computed it if it needs one."""

    metric: str
    evaluator: str = ""

    @property
    def name(self) -> str:
        """As "metric" or "metric.evaluator"."""
        return f"{self.metric}.{self.evaluator}" if self.evaluator else self.metric


@dataclass(frozen=True)
class Scores:
    """The scores of some runs, each under a key.

    Attributes:
        table: the columns of `metrics.table`, with the run's key in the column "run".
        metrics: how to read them, in the order in which they are shown.
        evaluators: of each run, by name.
        skipped_metrics: of each run the reason by metric.
        finished: the runs that are compared; one that diverged kept the picture of an early epoch.
    """

    table: pd.DataFrame
    metrics: Mapping[str, MetricDescription]
    evaluators: Mapping[str, Mapping[str, Evaluator]]
    skipped_metrics: Mapping[str, Mapping[str, str]]
    finished: frozenset[str]

    @cached_property
    def columns(self) -> list[Column]:
        """All that was computed: first what needs no evaluator, then evaluator by evaluator."""
        computed = set(zip(self.table["metric"], self.table["evaluator"], strict=True))
        evaluators = ["", *dict.fromkeys(e for known in self.evaluators.values() for e in known)]
        return [Column(m, e) for e in evaluators for m in self.metrics if (m, e) in computed]

    def of_runs(self, column: Column) -> pd.DataFrame:
        """The scores of the results, a row per example, a column per run."""
        return self._of(column, RESULT).pivot_table("value", EXAMPLE, "run", "mean", sort=False)

    def of_finished(self, column: Column) -> pd.DataFrame:
        """`of_runs`, of those that finished."""
        table = self.of_runs(column)
        return table[[run for run in table if run in self.finished]]

    def of_subject(self, column: Column, subject: str) -> pd.Series:
        """The scores of another subject, a value per picture: the mean of what the runs have."""
        return self._of(column, subject).groupby(EXAMPLE, sort=False)["value"].mean()

    def summary(self, column: Column, values: pd.Series) -> Interval:
        """Mean and interval of some scores of a metric."""
        description = self.metrics[column.metric]
        interval = confidence_interval(values.to_numpy(), description.rate)
        return interval if description.interval else UNKNOWN._replace(mean=interval.mean)

    @cached_property
    def intervals(self) -> dict[tuple[str, Column], Interval]:
        """Mean and interval of each run in each metric."""
        return {
            (str(run), column): self.summary(column, values)
            for column in self.columns
            for run, values in self.of_runs(column).items()
        }

    def interval(self, run: str, column: Column) -> Interval:
        """Mean and interval of a run in a metric."""
        return self.intervals.get((run, column), UNKNOWN)

    def text(self, run: str, column: Column) -> str:
        """The same as `0.41 [0.38, 0.45]`, with a † as its note says."""
        interval = self.interval(run, column)
        return f"{interval}{DAGGER if self.has_dagger(run, column) else ''}"

    def has_dagger(self, run: str, column: Column) -> bool:
        """Whether a run was scored by the network that also optimised its pictures."""
        evaluator = self.evaluators.get(run, {}).get(column.evaluator, Evaluator())
        return evaluator.optimised and (run, column) in self.intervals

    @cached_property
    def tests(self) -> dict[Column, pd.DataFrame]:
        """The paired tests of finished runs in each metric; of a ratio, of |log ratio|."""
        return {
            column: paired_tests(comparable(self.of_finished(column), self.better(column)))
            for column in self.columns
        }

    @cached_property
    def best(self) -> dict[Column, BestModels]:
        """The best run in each metric."""
        return {
            column: best_models(self.of_finished(column), tests, self.better(column))
            for column, tests in self.tests.items()
        }

    def better(self, column: Column) -> str:
        """Which values are good."""
        return self.metrics[column.metric].better

    def label(self, column: Column) -> str:
        """A metric's heading."""
        return self.metrics[column.metric].label or column.metric

    @cached_property
    def random_evaluators(self) -> list[str]:
        """The evaluators whose weights are random."""
        evaluators = [pair for known in self.evaluators.values() for pair in known.items()]
        return list(dict.fromkeys(name for name, one in evaluators if one.weights == "random"))

    def _of(self, column: Column, subject: str) -> pd.DataFrame:
        table = self.table
        return table[
            (table["metric"] == column.metric)
            & (table["evaluator"] == column.evaluator)
            & (table["subject"] == subject)
            & (table["layer"] == "")
        ]


def scores_of_runs(tracker: Tracker, runs: Mapping[str, RunRecord]) -> Scores:
    """The scores of some runs under their keys; a run that was not scored has none."""
    scores = {key: read_scores(tracker, run) for key, run in runs.items()}
    tables = [one.table.assign(run=key) for key, one in scores.items() if len(one.table)]
    table = pd.concat(tables or [pd.DataFrame(columns=["run", *COLUMNS])], ignore_index=True)
    described = {name: d for one in scores.values() for name, d in one.metrics.items()}
    undescribed = dict.fromkeys(map(str, table["metric"].unique()), MetricDescription())
    return Scores(
        table,
        {**described, **{k: v for k, v in undescribed.items() if k not in described}},
        {key: _evaluators(one) for key, one in scores.items()},
        {key: one.skipped for key, one in scores.items()},
        frozenset(key for key, run in runs.items() if run.status == "finished"),
    )


def tests_table(scores: Scores, names: Mapping[str, str]) -> pd.DataFrame:
    """The paired tests of all metrics; `better` names the significantly better run of a pair.

    Args:
        scores: of the runs.
        names: of the runs, by key.
    """
    parts = []
    for column, tests in scores.tests.items():
        worse_than = significantly_better(tests, scores.better(column))
        pairs = list(zip(tests["a"], tests["b"], strict=True))
        better = [
            next((names[x] for x, y in ((a, b), (b, a)) if y in worse_than.get(x, ())), "")
            for a, b in pairs
        ]
        part = tests.drop(columns="ranks").assign(
            a=tests["a"].map(names), b=tests["b"].map(names), better=better
        )
        part.insert(0, "metric", column.metric)
        part.insert(1, "evaluator", column.evaluator)
        parts.append(part)
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()


def _evaluators(scores: RunScores) -> dict[str, Evaluator]:
    """The evaluators of a run, with those that only its scores name."""
    used = filter(None, map(str, scores.table["evaluator"].unique()))
    return {**scores.evaluators, **{e: Evaluator() for e in used if e not in scores.evaluators}}
