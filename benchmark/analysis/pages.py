"""What pages are made of: charts, tables, embedded pictures, and files of them."""

import base64
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from typing import Any

import altair as alt
import jinja2
import numpy as np
import pandas as pd
import vl_convert
from PIL import Image

from benchmark.tracking.records import RunRecord
from benchmark.tracking.tracker import Tracker

Content = str | bytes | Image.Image

VEGA_LITE = alt.SCHEMA_VERSION.rpartition(".")[0]
"""Version of the language in which the charts are specified."""

WIDTH, HEIGHT = 560, 300
"""Of a chart as a file, in pixels; in a page it may be as wide as its place."""

LABEL_WIDTH = 220
MOST_MODELS = 60
"""Of a legend or axis; pixels of a label, and labels."""


def write_files(folder: Path, files: Mapping[str, Content]) -> list[Path]:
    """Write texts, bytes and pictures under their names into a folder; returns the paths."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, str):
            path.write_text(content, encoding="utf-8")
        elif isinstance(content, bytes):
            path.write_bytes(content)
        else:
            content.save(path)
    return [folder / name for name in files]


def table_files(
    stem: str, values: pd.DataFrame, cells: pd.DataFrame, note: str = ""
) -> dict[str, str]:
    """A table as CSV with plain values, and as Markdown and LaTeX with cells to be read."""
    below = f"\n{note}\n" if note else ""
    return {
        f"{stem}.csv": values.to_csv(index=False),
        f"{stem}.md": f"{markdown(cells)}\n{below}",
        f"{stem}.tex": as_text(cells).to_latex(index=False, escape=True) + below,
    }


def as_text(table: pd.DataFrame) -> pd.DataFrame:
    """A table's cells as text: four significant digits, a dash for what is missing."""
    return table.astype(object).map(_text)


def markdown(table: pd.DataFrame) -> str:
    """A table as Markdown, numbers to the right."""
    numeric = [pd.api.types.is_numeric_dtype(kind) for kind in table.dtypes]
    sides = ["right" if right else "left" for right in numeric]
    text = as_text(table).to_markdown(index=False, disable_numparse=True, colalign=sides)
    return str(text)


def with_noun(number: int, noun: str) -> str:
    """A number with its noun, in the plural unless it is 1."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def jpeg_uri(picture: Image.Image, side: int, **options: Any) -> str:
    """A picture, at most `side` pixels a side, as an address that holds it as JPEG."""
    small = picture.copy()
    small.thumbnail((side, side), Image.Resampling.LANCZOS)
    buffer = BytesIO()
    small.save(buffer, "jpeg", **options)
    return data_uri(buffer.getvalue(), "jpeg")


def data_uri(encoded: bytes, kind: str) -> str:
    """An encoded picture as an address that holds it."""
    return f"data:image/{kind};base64,{base64.b64encode(encoded).decode()}"


def render(template: Path, **context: Any) -> str:
    """A Jinja template as HTML."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(template.parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(template.name).render(**context)


def _text(value: Any) -> str:
    if pd.isna(value):
        return "-"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def to_png(chart: alt.TopLevelMixin) -> bytes:
    """A chart as PNG, at twice its size."""
    return vl_convert.vegalite_to_png(chart.to_dict(), vl_version=VEGA_LITE, scale=2)


def to_svg(chart: alt.TopLevelMixin) -> str:
    """A chart as SVG."""
    return str(vl_convert.vegalite_to_svg(chart.to_dict(), vl_version=VEGA_LITE))


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
