"""A report of some runs as one page to share: `python -m benchmark.report --help`."""

import argparse
import re
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import jinja2
import numpy as np
import pandas as pd
import vl_convert

from benchmark.analysis import comparison
from benchmark.analysis.comparison import Column, Compared
from benchmark.analysis.run_selection import add_selection, selected
from benchmark.analysis.statistics import Interval, comparable
from benchmark.analysis.tables import Model, models
from benchmark.config.compose import refuse
from benchmark.config.errors import ConfigError
from benchmark.config.paths import ROOT
from benchmark.report import figures, findings, gallery, provenance
from benchmark.report.figures import ARROWS, DIRECTIONS, REFERENCES, Drawing
from benchmark.report.gallery import Gallery
from benchmark.tracking.records import Evaluator, RunRecord
from benchmark.tracking.tracker import Tracker
from user_input.arguments import Parser

FOLDER = Path(__file__).parent

MOST_BYTES = 9_500_000
"""Of the page; the pictures have what the rest leaves."""

EXPOSED = "window.vegaEmbed = vegaEmbed"
"""What the page's own script takes from the bundle of Vega."""

RUN_COLUMNS = 3
"""Columns of the result table that tell how a run ended."""


class Heading(NamedTuple):
    """A column of the result table.

    Attributes:
        label: short.
        about: for people.
        better: the metric's direction.
        group: number of the group of columns.
    """

    label: str
    about: str
    better: str
    group: int

    @property
    def arrow(self) -> str:
        """The direction as a sign."""
        return ARROWS.get(self.better, "")


class Cell(NamedTuple):
    """A cell of the result table.

    Attributes:
        text: the number.
        bounds: its interval; empty: none.
        order: by which the column is sorted; empty: last.
        mark: "best", "equal" (not significantly worse than the best) or "".
        dagger: whether the evaluator's network also optimised the run's pictures.
    """

    text: str
    bounds: str = ""
    order: str = ""
    mark: str = ""
    dagger: bool = False


class Row(NamedTuple):
    """A row of the result table; a reference is no model."""

    name: str
    cells: Sequence[Cell]
    reference: bool = False


class ResultTable(NamedTuple):
    """The result table: groups of columns with their widths, headings, rows."""

    groups: Sequence[tuple[str, int]]
    headings: Sequence[Heading]
    rows: Sequence[Row]

    def has(self, mark: str) -> bool:
        """Whether a cell has a mark, "dagger" included."""
        cells = [cell for row in self.rows for cell in row.cells]
        return any(cell.dagger if mark == "dagger" else cell.mark == mark for cell in cells)


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the report of one sweep, run or experiment; returns the exit code."""
    options = _parser().parse_args(arguments)
    try:
        Tracker.check_reachable(options.tracking_uri)
        tracker = Tracker(options.tracking_uri, options.experiment, create=False)
        label, records = selected(tracker, options)
        name = re.sub(r"[^\w.+-]+", "_", label).strip(".") or "report"
        file = Path(options.output or ROOT / "mlruns" / "reports" / name / "report.html")
        written = write(tracker, label, records, file)
    except (ConfigError, OSError) as error:
        return refuse(error)
    size = file.stat().st_size / 1e6
    print(f"wrote {file} ({size:.1f} MB) and {len(written)} figures in {file.parent / 'figures'}")
    return 0


def write(tracker: Tracker, label: str, records: Sequence[RunRecord], file: Path) -> list[Path]:
    """Write the page, and its figures as PNG and SVG beside it; returns the figures.

    Args:
        tracker: of the runs.
        label: the page's title.
        records: the runs.
        file: of the page.
    """
    names = models(records)
    compared = comparison.compared(comparison.read(tracker, records))
    drawn = [(one, one.svg()) for one in figures.drawings(tracker, records, names, compared)]
    context = {
        "label": label,
        "started": _date(min(record.started for record in records)),
        "written": _date(datetime.now(UTC).timestamp()),
        "warnings": findings.warnings(records, compared),
        "findings": findings.findings(records, names, compared),
        "specifications": [one.live() for one, _ in drawn],
        "records": records,
        "names": [names[record.run_id].name for record in records],
        "table": result_table(records, names, compared),
        "dagger_note": comparison.DAGGER_NOTE,
        "drawings": drawn,
        "groups": figure_groups([one for one, _ in drawn]),
        "metrics": compared.scores.metrics,
        "measured": {column.metric for column in compared.scores.columns},
        "directions": DIRECTIONS,
        "evaluators": described_evaluators(compared),
        "again": provenance.of(tracker, records),
        "vega": vl_convert.javascript_bundle(EXPOSED, vl_version=figures.VEGA_LITE),
    }
    empty = Gallery((), {}, (), (), 0, 0)
    room = MOST_BYTES - len(page(context, empty).encode())
    text = page(context, gallery.gallery(tracker, records, names, room))
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")
    return [path for one, svg in drawn for path in save(one, svg, file.parent / "figures")]


def page(context: Mapping[str, Any], pictures: Gallery) -> str:
    """The page as HTML."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(FOLDER),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("report.html.jinja").render(**context, gallery=pictures)


def save(drawing: Drawing, svg: str, folder: Path) -> list[Path]:
    """Write a figure as PNG and as SVG."""
    folder.mkdir(parents=True, exist_ok=True)
    files = [folder / f"{drawing.file}.svg", folder / f"{drawing.file}.png"]
    files[0].write_text(svg, encoding="utf-8")
    files[1].write_bytes(drawing.png())
    return files


def result_table(
    records: Sequence[RunRecord], names: Mapping[str, Model], compared: Compared
) -> ResultTable:
    """A row a model, then what stands for comparison; a column a measure and evaluator."""
    columns = compared.scores.columns
    evaluators = list(dict.fromkeys(column.evaluator for column in columns))
    groups = [(e, sum(c.evaluator == e for c in columns)) for e in evaluators]
    headings = [
        Heading("ended by", "what ended the run", "none", 0),
        Heading("epochs", "epochs done", "none", 0),
        Heading("loss", "final over first total loss; not comparable between backbones", "none", 0),
    ]
    for column in columns:
        described = compared.scores.metrics[column.metric]
        group = 1 + evaluators.index(column.evaluator)
        label = described.label or column.metric
        headings.append(Heading(label, described.about, described.better, group))
    rows = [
        Row(
            names[record.run_id].name,
            [*run_cells(record), *(cell(record.run_id, column, compared) for column in columns)],
        )
        for record in records
    ]
    for subject, name in REFERENCES.items():
        cells = [reference_cell(subject, column, compared) for column in columns]
        if any(one.order for one in cells):
            rows.append(Row(name, [Cell("")] * RUN_COLUMNS + cells, True))
    titles = [("run", RUN_COLUMNS), *((figures.judged(e, compared), n) for e, n in groups)]
    return ResultTable(titles, headings, rows)


def run_cells(record: RunRecord) -> list[Cell]:
    """How a run ended."""
    ended = record.stopped_by or record.status
    return [
        Cell(ended, order=ended),
        *(
            Cell(f"{value:.3g}", order=str(value)) if value is not None else Cell("-")
            for value in (record.results.epochs_done, record.results.loss_ratio)
        ),
    ]


def cell(run_id: str, column: Column, compared: Compared) -> Cell:
    """A metric of a run."""
    leaders = compared.leaders[column]
    values = compared.scores.of_runs(column)
    if run_id not in values:
        return Cell("-")
    mark = "best" if run_id in leaders.best else "equal" if run_id in leaders.equals else ""
    trained = column.evaluator not in comparison.random_evaluators(compared.scores)
    told = values.shape[1] > 1 and trained and (mark == "best" or leaders.testable)
    found = compared.intervals[run_id, column]
    shown = number_cell(values[run_id], found, compared.scores.metrics[column.metric].better)
    dagger = compared.scores.optimised(run_id, column)
    return shown._replace(mark=mark if told else "", dagger=dagger)


def reference_cell(subject: str, column: Column, compared: Compared) -> Cell:
    """A metric of the untouched content pictures, or of held-out paintings."""
    described = compared.scores.metrics[column.metric]
    values = compared.scores.of_subject(column, subject)
    return number_cell(values, compared.scores.interval(column, values), described.better)


def number_cell(values: pd.Series, found: Interval, better: str) -> Cell:
    """A mean with its interval, sorted by what `leaders` takes for better."""
    if np.isnan(found.mean):
        return Cell("-")
    order = comparable(values.to_frame("value"), better)["value"].mean()
    bounds = "" if np.isnan(found.low) else f"[{found.low:.3g}, {found.high:.3g}]"
    return Cell(f"{found.mean:.3g}", bounds, str(order))


def figure_groups(drawn: Sequence[Drawing]) -> list[tuple[str, list[int]]]:
    """The figures' places in the list of all, under headings."""
    groups: dict[str, list[int]] = {}
    for place, drawing in enumerate(drawn):
        groups.setdefault(drawing.group, []).append(place)
    return list(groups.items())


def described_evaluators(compared: Compared) -> dict[str, Evaluator]:
    """The evaluators, by name."""
    return {n: e for known in compared.scores.evaluators.values() for n, e in known.items()}


def _date(seconds: float) -> str:
    return datetime.fromtimestamp(seconds).astimezone().strftime("%d %B %Y, %H:%M %Z")


def _parser() -> argparse.ArgumentParser:
    parser = Parser(
        prog="python -m benchmark.report",
        description="Write one HTML page of the results: a summary, the table with its intervals "
        "and paired tests, the pictures, figures, and how to make it again. It needs no network. "
        "Without options: the sweep (or single run) that started last.",
    )
    add_selection(parser)
    parser.add_argument("--output", help="file (default: mlruns/reports/NAME/report.html)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
