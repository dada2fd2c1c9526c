"""Charts of pages and reports, as PNG and SVG."""

from collections.abc import Mapping
from typing import Any

import altair as alt
import numpy as np
import pandas as pd
import vl_convert

from benchmark.tracking.records import RunRecord
from benchmark.tracking.tracker import Tracker

VEGA_LITE = alt.SCHEMA_VERSION.rpartition(".")[0]
"""Version of the language in which the charts are specified."""

WIDTH, HEIGHT = 560, 300
"""Of a chart as a file, in pixels; in a page it may be as wide as its place."""

LABEL_WIDTH = 220
MOST_MODELS = 60
"""Of a legend or axis; pixels of a label, and labels."""


def to_svg(specification: dict[str, Any]) -> str:
    """A chart, by what its `to_dict` gives, as SVG."""
    return str(vl_convert.vegalite_to_svg(specification, vl_version=VEGA_LITE))


def to_png(svg: str) -> bytes:
    """A chart's SVG as PNG, at twice its size."""
    return bytes(vl_convert.svg_to_png(svg, scale=2))


def loss_histories(tracker: Tracker, runs: Mapping[str, RunRecord]) -> pd.DataFrame:
    """Mean total loss by epoch: columns run (its key), epoch, loss; some 4000 rows at most."""
    parts = []
    for key, run in runs.items():
        epochs, losses = tracker.loss_history(run.run_id)
        if len(epochs):
            points = np.linspace(0, len(epochs) - 1, 4000 // len(runs) + 2)
            kept = np.unique(points.round().astype(int))
            parts.append(pd.DataFrame({"run": key, "epoch": epochs[kept], "loss": losses[kept]}))
    empty = pd.DataFrame(columns=["run", "epoch", "loss"])
    return pd.concat(parts, ignore_index=True) if parts else empty


def color(field: str, title: str | None) -> alt.Color:
    """A colour for each value of a field, in the order of the table."""
    channel = alt.Color(f"{field}:N", title=title, sort=None, legend=legend())
    return channel.scale(scheme="tableau10")


def legend(**options: Any) -> alt.Legend:
    """A legend below the chart."""
    return alt.Legend(
        orient="bottom", columns=3, labelLimit=LABEL_WIDTH, symbolLimit=MOST_MODELS, **options
    )


def loss_chart(table: pd.DataFrame, loss: str, line: alt.Color, **options: Any) -> alt.Chart:
    """The columns epoch and loss on a logarithmic axis, a line a colour."""
    chart = alt.Chart(table, width=WIDTH, height=HEIGHT, **options).mark_line(point={"size": 12})
    lines: alt.Chart = chart.encode(
        x=alt.X("epoch:Q", title="epoch").axis(tickMinStep=1),
        y=alt.Y("loss:Q", title=loss).scale(type="log", nice=False),
        color=line,
    )
    return lines
