"""The result table of a report."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from benchmark.analysis.comparison import Column, RunSet
from benchmark.analysis.statistics import Interval, comparable
from benchmark.report.figures import ARROWS, BASELINES, by_evaluator
from benchmark.tracking.records import RunRecord


class Heading(NamedTuple):
    """A column of the result table.

    Attributes:
        label: short.
        about: a line for people.
        better: which values are good.
        group: number of the group of columns.
    """

    label: str
    about: str
    better: str = "none"
    group: int = 0

    @property
    def arrow(self) -> str:
        """Which values are good, as a sign."""
        return ARROWS.get(self.better, "")


class Cell(NamedTuple):
    """A cell of the result table.

    Attributes:
        text: the number.
        bounds: its interval; empty if it has none.
        order: by which the column is sorted; empty: last.
        mark: "best", "equal" (not significantly worse than the best) or "".
        has_dagger: whether the evaluator is the network that optimised the run's pictures.
    """

    text: str
    bounds: str = ""
    order: str = ""
    mark: str = ""
    has_dagger: bool = False


class Row(NamedTuple):
    """A row of the result table; a baseline is no model."""

    name: str
    cells: Sequence[Cell]
    is_baseline: bool = False


class ResultTable(NamedTuple):
    """The result table: groups of columns with their widths, headings, rows."""

    groups: Sequence[tuple[str, int]]
    headings: Sequence[Heading]
    rows: Sequence[Row]

    def has(self, mark: str) -> bool:
        """Whether a cell has a mark."""
        return any(cell.mark == mark for row in self.rows for cell in row.cells)

    @property
    def has_dagger(self) -> bool:
        """Whether a cell has a dagger."""
        return any(cell.has_dagger for row in self.rows for cell in row.cells)


RUN_HEADINGS = (
    Heading("ended by", "what ended the run"),
    Heading("epochs", "epochs done"),
    Heading("loss", "final over first total loss; not comparable between backbones"),
)
"""Columns about how a run ended."""


def result_table(runs: RunSet) -> ResultTable:
    """A row per model, then the baselines; a column per metric and evaluator."""
    columns = runs.columns
    evaluators = list(dict.fromkeys(column.evaluator for column in columns))
    groups = [("run", len(RUN_HEADINGS))]
    groups += [(by_evaluator(e, runs), sum(c.evaluator == e for c in columns)) for e in evaluators]
    headings = [
        Heading(
            runs.label(column),
            runs.metrics[column.metric].about,
            runs.better(column),
            1 + evaluators.index(column.evaluator),
        )
        for column in columns
    ]
    rows = [
        Row(name, [*run_cells(record), *(cell(name, column, runs) for column in columns)])
        for name, record in runs.records.items()
    ]
    for subject, name in BASELINES.items():
        cells = [baseline_cell(subject, column, runs) for column in columns]
        if any(one.order for one in cells):
            rows.append(Row(name, [Cell("")] * len(RUN_HEADINGS) + cells, True))
    return ResultTable(groups, [*RUN_HEADINGS, *headings], rows)


def run_cells(record: RunRecord) -> list[Cell]:
    """How a run ended."""
    ended_by = record.stopped_by or record.status
    numbers = (record.results.epochs_done, record.results.loss_ratio)
    return [
        Cell(ended_by, order=ended_by),
        *(Cell("-") if n is None else Cell(f"{n:.3g}", order=str(n)) for n in numbers),
    ]


def cell(run: str, column: Column, runs: RunSet) -> Cell:
    """A metric of a run; marked where a comparison is possible and means something."""
    values, best = runs.of_runs(column), runs.best[column]
    if run not in values:
        return Cell("-")
    mark = "best" if run in best.best else "equal" if run in best.equal else ""
    is_marked = (
        values.shape[1] > 1
        and column.evaluator not in runs.random_evaluators
        and (mark == "best" or best.testable)
    )
    number = number_cell(values[run], runs.interval(run, column), runs.better(column))
    has_dagger = runs.has_dagger(run, column)
    return number._replace(mark=mark if is_marked else "", has_dagger=has_dagger)


def baseline_cell(subject: str, column: Column, runs: RunSet) -> Cell:
    """A metric of the untouched content pictures, or of held-out paintings."""
    values = runs.of_subject(column, subject)
    return number_cell(values, runs.summary(column, values), runs.better(column))


def number_cell(values: pd.Series, interval: Interval, better: str) -> Cell:
    """A mean with its interval, sorted by the values that are compared."""
    if np.isnan(interval.mean):
        return Cell("-")
    order = comparable(values.to_frame("value"), better)["value"].mean()
    text, _, bounds = str(interval).partition(" ")
    return Cell(text, bounds, str(order))
