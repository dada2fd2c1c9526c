"""A report as one HTML page that needs no network, with its figures beside it."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import vl_convert

from benchmark.analysis.comparison import DAGGER_NOTE, read_runs
from benchmark.analysis.pages import VEGA_LITE, Content, render, to_png, to_svg, write_files
from benchmark.report.figures import DIRECTIONS, figures
from benchmark.report.findings import distinct, findings, warnings
from benchmark.report.gallery import Gallery, gallery
from benchmark.report.provenance import provenance
from benchmark.report.results import result_table
from benchmark.tracking.records import RunRecord
from benchmark.tracking.tracker import Tracker

PAGE_TEMPLATE = Path(__file__).with_name("report.html.jinja")

MOST_BYTES = 9_500_000
"""Of the page; the pictures have what the rest leaves."""

EXPOSED = "window.vegaEmbed = vegaEmbed"
"""What the page's own script takes from the bundle of Vega."""


def write_report(
    tracker: Tracker, title: str, records: Sequence[RunRecord], file: Path
) -> list[Path]:
    """Write the page, and its figures as PNG and SVG beside it; returns the figures' files."""
    runs = read_runs(tracker, records)
    drawn = [(figure, to_svg(figure.chart)) for figure in figures(runs)]
    context = {
        "title": title,
        "started": _date(min(record.started for record in records)),
        "written": _date(datetime.now(UTC).timestamp()),
        "warnings": warnings(runs),
        "findings": findings(runs),
        "records": records,
        "names": [*runs.records],
        "table": result_table(runs),
        "dagger_note": DAGGER_NOTE,
        "figures": drawn,
        "specifications": [f.chart.properties(width="container").to_dict() for f, _ in drawn],
        "groups": {
            group: [place for place, (figure, _) in enumerate(drawn) if figure.group == group]
            for group in distinct(figure.group for figure, _ in drawn)
        },
        "metrics": runs.metrics,
        "computed": {column.metric for column in runs.columns},
        "directions": DIRECTIONS,
        "evaluators": {n: e for known in runs.evaluators.values() for n, e in known.items()},
        "provenance": provenance(tracker, records),
        "vega": vl_convert.javascript_bundle(EXPOSED, vl_version=VEGA_LITE),
    }
    without_pictures = render(PAGE_TEMPLATE, **context, gallery=Gallery())
    pictures = gallery(runs, MOST_BYTES - len(without_pictures.encode()))
    write_files(file.parent, {file.name: render(PAGE_TEMPLATE, **context, gallery=pictures)})
    images: dict[str, Content] = {}
    for figure, svg in drawn:
        images |= {f"{figure.file}.svg": svg, f"{figure.file}.png": to_png(figure.chart)}
    return write_files(file.parent / "figures", images)


def folder_name(title: str) -> str:
    """A name for a report's folder."""
    return re.sub(r"[^\w.+-]+", "_", title).strip(".") or "report"


def _date(seconds: float) -> str:
    return datetime.fromtimestamp(seconds).astimezone().strftime("%d %B %Y, %H:%M %Z")
