"""Figures of a report: one chart each, live in the page and as SVG and PNG beside it."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import altair as alt
import numpy as np
import pandas as pd

from benchmark.analysis.charts import (
    HEIGHT,
    LABEL_WIDTH,
    MOST_MODELS,
    WIDTH,
    color,
    legend,
    loss_chart,
    loss_histories,
)
from benchmark.analysis.comparison import BASELINES, DAGGER, Column, RunSet
from benchmark.analysis.statistics import SIGNS, comparable, pareto_front
from benchmark.tracking.records import image_key

SPARSE: Mapping[str, Any] = {"tickCount": 6, "labelOverlap": True, "labelSeparation": 4}
"""Axis labels for which a phone has room too."""

DIRECTIONS = {"higher": "higher is better", "lower": "lower is better", "one": "1 is best"}
ARROWS = {"higher": "↑", "lower": "↓", "one": "→ 1"}
"""Which values are good, in words and as a sign."""

TIMES = 1.25
"""Between models' seconds, from which on a figure shows them: less is the machine's noise."""


class Figure(NamedTuple):
    """A chart with the name of its file, without an ending, and the heading of its group."""

    file: str
    group: str
    title: str
    chart: alt.LayerChart | alt.FacetChart | alt.Chart


def figures(runs: RunSet) -> list[Figure]:
    """All figures for which the runs have numbers."""
    evaluators = dict.fromkeys(column.evaluator for column in runs.columns if column.evaluator)
    candidates = [
        loss_figure(runs),
        *(trade_off(evaluator, runs) for evaluator in evaluators),
        *(metric_figure(column, runs) for column in runs.columns),
    ]
    return [figure for figure in candidates if figure is not None]


def loss_figure(runs: RunSet) -> Figure | None:
    """Loss over the first loss by epoch, a line a run; only so do backbones compare."""
    table = loss_histories(runs.tracker, runs.records)
    table["loss"] /= table.groupby("run")["loss"].transform("first")
    table = table[np.isfinite(table["loss"].astype(float))]
    if table.empty:
        return None
    places = pd.DataFrame([*runs.places], columns=["model", "row", "column"])
    table = table.merge(places, left_on="run", right_on="model")
    selection, opacity = _selection_by_legend()
    strokes = legend(symbolType="stroke")
    chart = loss_chart(table, "loss / first loss", color("row", "backbone")).encode(
        strokeDash=alt.StrokeDash("column:N", title="aggregation", sort=None, legend=strokes),
        detail="model:N",
        opacity=opacity,
        tooltip=["model:N", "epoch:Q", alt.Tooltip("loss:Q", format=".3g", title="of first loss")],
    )
    title = "Total loss by epoch, of each run's first"
    return Figure("loss_curves", "Training", title, chart.add_params(selection))


def trade_off(evaluator: str, runs: RunSet) -> Figure | None:
    """Content kept against style transferred by one evaluator, a point a model; None of one."""
    by_preference = (
        ("held_out_distance", "style_distance"),
        ("ms_ssim", "ssim", "content_distance"),
    )
    x, y = (
        next((c for c in runs.of_metrics(*metrics) if c.evaluator in ("", evaluator)), None)
        for metrics in by_preference
    )
    if x is None or y is None:
        return None
    axes = {"x": x, "y": y}
    table = _table(runs, **axes)
    if len(table) < 2:
        return None
    table["seconds"] = [runs.records[name].seconds_each for name in table["model"]]
    selection, opacity = _selection_by_legend()
    base = alt.Chart(table, height=HEIGHT, width=WIDTH).encode(
        color=color("row", "backbone"), opacity=opacity
    )
    gray = legend(symbolFillColor="gray")
    texts = [alt.Tooltip("x_text:N", title=x.name), alt.Tooltip("y_text:N", title=y.name)]
    points = base.mark_point(filled=True).encode(
        x=alt.X("x:Q", title=_axis_title(x, runs)).scale(zero=False).axis(**SPARSE),
        y=alt.Y("y:Q", title=_axis_title(y, runs)).scale(zero=False),
        shape=alt.Shape("column:N", title="aggregation", sort=None, legend=gray),
        size=_size_by_seconds(table),
        tooltip=["model:N", *texts, alt.Tooltip("seconds:Q", format=".3g")],
    )
    merits = np.column_stack([_merits(table[axis], runs.better(c)) for axis, c in axes.items()])
    front = alt.Chart(table[pareto_front(merits)]).encode(x="x:Q", y="y:Q", order="x:Q")
    across = base.mark_rule().encode(x="x_low:Q", x2="x_high:Q", y="y:Q")
    along = base.mark_rule().encode(x="x:Q", y="y_low:Q", y2="y_high:Q")
    title = f"Content kept against style transferred, {by_evaluator(evaluator, runs)}"
    title += "; along the dashes no other model is better in both"
    line = front.mark_line(color="gray", strokeDash=[4, 4])
    chart = alt.layer(line, across, along, points.add_params(selection))
    return Figure(f"trade_off_{_file_name(evaluator)}", "Trade-off", title, chart)


def metric_figure(column: Column, runs: RunSet) -> Figure | None:
    """A metric with its interval, a line for each of the best models, beside the baselines."""
    table, better = _table(runs, x=column), runs.better(column)
    if table.empty:
        return None
    table = table.loc[_merits(table["x"], better).nlargest(MOST_MODELS).index.sort_values()]
    table["model"] += [DAGGER if runs.has_dagger(n, column) else "" for n in table["model"]]
    base = alt.Chart(table, width=WIDTH, height=20 * len(table)).encode(
        y=alt.Y("model:N", title=None, sort=None).axis(labelLimit=LABEL_WIDTH),
        color=color("row", None).legend(None),
    )
    x = alt.X("x:Q", title=_axis_title(column, runs)).scale(zero=False).axis(**SPARSE)
    layers: list[alt.Chart] = [
        base.mark_rule(strokeWidth=2).encode(x="x_low:Q", x2="x_high:Q"),
        base.mark_point(filled=True, size=70, opacity=1).encode(
            x=x, tooltip=["model:N", alt.Tooltip("x_text:N", title=column.name)]
        ),
    ]
    baselines = [
        {"x": values.mean(), "what": what, "text": str(runs.summary(column, values))}
        for subject, what in BASELINES.items()
        if len(values := runs.of_subject(column, subject).dropna())
    ]
    if baselines:
        dashes = alt.StrokeDash("what:N", title=None, sort=None)
        layers.append(
            alt.Chart(pd.DataFrame(baselines))
            .mark_rule(strokeWidth=1.5)
            .encode(
                x="x:Q",
                strokeDash=dashes.legend(orient="bottom", columns=1),
                color=alt.value("gray"),
                tooltip=["what:N", alt.Tooltip("text:N", title=column.name)],
            )
        )
    group = f"Metrics {by_evaluator(column.evaluator, runs)}"
    title = ", ".join(filter(None, (runs.label(column), DIRECTIONS.get(better))))
    return Figure(f"metric_{_file_name(column.name)}", group, title, alt.layer(*layers))


def by_evaluator(evaluator: str, runs: RunSet) -> str:
    """By which evaluator a metric is, with a warning where its weights are random."""
    warning = ", RANDOM weights" if evaluator in runs.random_evaluators else ""
    return f"by {evaluator}{warning}" if evaluator else "without a network"


def _table(runs: RunSet, **axes: Column) -> pd.DataFrame:
    """A row per run that has a metric for every axis; without an interval its bounds are equal."""
    rows = []
    for place in runs.places:
        row: dict[str, Any] = {"model": place.name, "row": place.row, "column": place.column}
        for axis, column in axes.items():
            mean, *bounds = runs.interval(place.name, column)
            low, high = (mean if np.isnan(bound) else bound for bound in bounds)
            text = runs.text(place.name, column)
            row |= {axis: mean, f"{axis}_low": low, f"{axis}_high": high, f"{axis}_text": text}
        rows.append(row)
    return pd.DataFrame(rows).dropna(subset=[*axes])


def _merits(values: pd.Series, better: str) -> pd.Series:
    """Values of which more is better."""
    return comparable(values.to_frame(), better)[values.name] * SIGNS.get(better, 1.0)


def _size_by_seconds(table: pd.DataFrame) -> Any:
    """The size of points by the column seconds; one where these are alike, or unknown of some."""
    if table["seconds"].isna().any():
        return alt.value(90)
    if table["seconds"].max() < TIMES * table["seconds"].min():
        return alt.value(90)
    size = alt.Size("seconds:Q", title="seconds a picture").scale(zero=False, range=[60, 400])
    return size.legend(legend(symbolFillColor="gray", tickCount=3))


def _selection_by_legend() -> tuple[alt.Parameter, Any]:
    """Backbones selected by clicks on the legend, and the opacity that shows it."""
    selection = alt.selection_point(fields=["row"], bind="legend")
    return selection, alt.when(selection).then(alt.value(1.0)).otherwise(alt.value(0.08))


def _axis_title(column: Column, runs: RunSet) -> str:
    """A metric's label, and as a sign which values are good."""
    return f"{runs.label(column)} {ARROWS.get(runs.better(column), '')}".strip()


def _file_name(name: str) -> str:
    return image_key(name).replace("/", "_").replace(" ", "_")
