"""The result table of a report."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from benchmark.analysis.comparison import BASELINES, Column, RunSet
from benchmark.analysis.statistics import Interval, comparable
from benchmark.report.figures import ARROWS, by_evaluator


class Heading(NamedTuple):
    """A column's label, a line about it, its direction with a sign, and its group's number."""

    label: str
    about: str
    better: str = "none"
    arrow: str = ""
    group: int = 0


class Cell(NamedTuple):
    """A number with its interval, and the text by which it is sorted; last without one.

    Its mark is "best", "equal" (not significantly worse than the best) or "".
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

    @property
    def marks(self) -> set[str]:
        """The marks that cells have, with "dagger" if any has one."""
        cells = [cell for row in self.rows for cell in row.cells]
        return {cell.mark for cell in cells} | {"dagger" for cell in cells if cell.has_dagger}


def result_table(runs: RunSet) -> ResultTable:
    """A row per model, then the baselines; a column per metric and evaluator."""
    columns = runs.columns
    evaluators = [column.evaluator for column in columns]
    places = {name: place for place, name in enumerate(dict.fromkeys(evaluators), start=1)}
    headings = [
        Heading("ended by", "what ended the run"),
        Heading("epochs", "epochs done"),
        Heading("loss ratio", "final over first total loss; not comparable between backbones"),
        Heading("seconds", "of all steps, without compilation and logging"),
    ]
    groups = [("run", len(headings))]
    groups += [(by_evaluator(name, runs), evaluators.count(name)) for name in places]
    for column in columns:
        about, group = runs.metrics[column.metric].about, places[column.evaluator]
        better = runs.better(column)
        headings.append(Heading(runs.label(column), about, better, ARROWS.get(better, ""), group))
    rows = []
    for name, record in runs.records.items():
        ended_by = record.stopped_by or record.status
        results = record.results
        numbers = (results.epochs_done, results.loss_ratio, results.seconds)
        cells = [
            Cell(ended_by, order=ended_by),
            *(Cell("-") if n is None else Cell(f"{n:.3g}", order=str(n)) for n in numbers),
            *(cell(name, column, runs) for column in columns),
        ]
        rows.append(Row(name, cells))
    for subject, name in BASELINES.items():
        values = {column: runs.of_subject(column, subject) for column in columns}
        cells = [
            number_cell(scores, runs.summary(c, scores), runs.better(c))
            for c, scores in values.items()
        ]
        if any(one.order for one in cells):
            rows.append(Row(name, [Cell("")] * groups[0][1] + cells, True))
    return ResultTable(groups, headings, rows)


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
    bounds = " ".join(filter(None, (number.bounds, runs.scored_part(run, column))))
    mark, has_dagger = mark if is_marked else "", runs.has_dagger(run, column)
    return number._replace(bounds=bounds, mark=mark, has_dagger=has_dagger)


def number_cell(values: pd.Series, interval: Interval, better: str) -> Cell:
    """A mean with its interval, sorted by the values that are compared."""
    if np.isnan(interval.mean):
        return Cell("-")
    order = comparable(values.to_frame("value"), better)["value"].mean()
    text, _, bounds = str(interval).partition(" ")
    return Cell(text, bounds, str(order))
