"""Figures of a report: one chart each, live in the page and as SVG and PNG beside it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import altair as alt
import numpy as np
import pandas as pd

from benchmark.analysis.charts import (
    HEIGHT,
    LABEL_WIDTH,
    MOST_MODELS,
    WIDTH,
    color,
    epoch_axis,
    legend,
    loss_histories,
)
from benchmark.analysis.comparison import DAGGER, Column, Scores
from benchmark.analysis.statistics import SIGNS, comparable
from benchmark.analysis.tables import RunLabel, RunSet
from benchmark.metrics.table import CONTENT, PAINTING
from benchmark.tracking.records import image_key

ROW_HEIGHT = 20
"""Pixels of a model."""

SPARSE: Mapping[str, Any] = {"tickCount": 6, "labelOverlap": True, "labelSeparation": 4}
"""Axis labels for which a phone has room too."""

FAINT = 0.08
"""Opacity of what a click on the legend deselects."""

CONTENT_METRICS = ("ms_ssim", "ssim", "content_distance")
STYLE_METRICS = ("held_out_distance", "style_distance")
"""Metrics of a trade-off, by preference: content kept and style transferred."""

DIRECTIONS = {"higher": "higher is better", "lower": "lower is better", "one": "1 is best"}
ARROWS = {"higher": "↑", "lower": "↓", "one": "→ 1"}
"""Which values are good, in words and as a sign."""

BASELINES = {CONTENT: "content picture, untouched", PAINTING: "held-out paintings"}
"""Other subjects than results, for comparison."""


@dataclass(frozen=True)
class Figure:
    """A figure.

    Attributes:
        file: its name without an ending.
        group: heading under which it stands.
        title: above it.
        chart: what it draws.
    """

    file: str
    group: str
    title: str
    chart: alt.LayerChart | alt.FacetChart | alt.Chart


def figures(runs: RunSet) -> list[Figure]:
    """All figures for which the runs have numbers."""
    columns = runs.scores.columns
    evaluators = dict.fromkeys(column.evaluator for column in columns if column.evaluator)
    candidates = [
        loss_figure(runs),
        *(trade_off(evaluator, runs) for evaluator in evaluators),
        *(metric_figure(column, runs) for column in columns),
    ]
    return [figure for figure in candidates if figure is not None]


def loss_figure(runs: RunSet) -> Figure | None:
    """Loss over the first loss by epoch, a line a run; only so do backbones compare."""
    table = loss_histories(runs.tracker, {record.run_id: record for record in runs.records})
    table["loss"] /= table.groupby("run")["loss"].transform("first")
    table = table[np.isfinite(table["loss"].astype(float))]
    if table.empty:
        return None
    labels = pd.DataFrame([_label_fields(runs.labels[run_id]) for run_id in table["run"]])
    selection, opacity = _selection_by_legend()
    chart = (
        alt.Chart(table.reset_index(drop=True).join(labels), height=HEIGHT, width=WIDTH)
        .mark_line(point={"size": 12})
        .encode(
            x=epoch_axis(),
            y=alt.Y("loss:Q", title="loss / first loss").scale(type="log", nice=False),
            color=color("row", "backbone"),
            strokeDash=alt.StrokeDash(
                "agg:N", title="aggregation", sort=None, legend=legend(symbolType="stroke")
            ),
            detail="model:N",
            opacity=opacity,
            tooltip=[
                "model:N",
                "epoch:Q",
                alt.Tooltip("loss:Q", format=".3g", title="of first loss"),
            ],
        )
    )
    title = "Total loss by epoch, of each run's first"
    return Figure("loss_curves", "Training", title, chart.add_params(selection))


def trade_off(evaluator: str, runs: RunSet) -> Figure | None:
    """Content kept against style transferred by one evaluator, a point a model."""
    x, y = (
        next(
            (c for m in metrics for c in runs.scores.columns if c in _possible(m, evaluator)), None
        )
        for metrics in (STYLE_METRICS, CONTENT_METRICS)
    )
    if x is None or y is None:
        return None
    table = _table(runs, x=x, y=y)
    if table.empty:
        return None
    selection, opacity = _selection_by_legend()
    base = alt.Chart(table, height=HEIGHT, width=WIDTH).encode(
        color=color("row", "backbone"), opacity=opacity
    )
    points = base.mark_point(filled=True, size=90).encode(
        x=alt.X("x:Q", title=_axis_title(x, runs.scores)).scale(zero=False).axis(**SPARSE),
        y=alt.Y("y:Q", title=_axis_title(y, runs.scores)).scale(zero=False),
        shape=alt.Shape(
            "agg:N", title="aggregation", sort=None, legend=legend(symbolFillColor="gray")
        ),
        tooltip=[
            "model:N",
            alt.Tooltip("x_text:N", title=x.name),
            alt.Tooltip("y_text:N", title=y.name),
        ],
    )
    across = base.mark_rule().encode(x="x_low:Q", x2="x_high:Q", y="y:Q")
    along = base.mark_rule().encode(x="x:Q", y="y_low:Q", y2="y_high:Q")
    title = f"Content kept against style transferred, {by_evaluator(evaluator, runs.scores)}"
    chart = alt.layer(across, along, points.add_params(selection))
    return Figure(f"trade_off_{_file_name(evaluator)}", "Trade-off", title, chart)


def metric_figure(column: Column, runs: RunSet) -> Figure | None:
    """A metric with its interval, a line a model, beside the baselines."""
    scores, better = runs.scores, runs.scores.better(column)
    table = _best(_table(runs, x=column), better)
    if table.empty:
        return None
    table["model"] += [DAGGER if text.endswith(DAGGER) else "" for text in table["x_text"]]
    base = alt.Chart(table, width=WIDTH, height=ROW_HEIGHT * len(table)).encode(
        y=alt.Y("model:N", title=None, sort=None).axis(labelLimit=LABEL_WIDTH),
        color=color("row", None).legend(None),
    )
    x = alt.X("x:Q", title=_axis_title(column, scores)).scale(zero=False).axis(**SPARSE)
    layers: list[alt.Chart] = [
        base.mark_rule(strokeWidth=2).encode(x="x_low:Q", x2="x_high:Q"),
        base.mark_point(filled=True, size=70, opacity=1).encode(
            x=x, tooltip=["model:N", alt.Tooltip("x_text:N", title=column.name)]
        ),
    ]
    baselines = [
        {"x": values.mean(), "what": what, "text": str(scores.summary(column, values))}
        for subject, what in BASELINES.items()
        if len(values := scores.of_subject(column, subject).dropna())
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
    group = f"Metrics {by_evaluator(column.evaluator, scores)}"
    title = ", ".join(filter(None, (scores.label(column), DIRECTIONS.get(better))))
    return Figure(f"metric_{_file_name(column.name)}", group, title, alt.layer(*layers))


def by_evaluator(evaluator: str, scores: Scores) -> str:
    """By which evaluator a metric is, with a warning where its weights are random."""
    warning = ", RANDOM weights" if evaluator in scores.random_evaluators else ""
    return f"by {evaluator}{warning}" if evaluator else "without a network"


def _possible(metric: str, evaluator: str) -> tuple[Column, Column]:
    return Column(metric), Column(metric, evaluator)


def _best(table: pd.DataFrame, better: str) -> pd.DataFrame:
    """The models for which there is room, the best of them, in their own order."""
    if table.empty:
        return table
    merit = comparable(table[["x"]], better)["x"] * SIGNS.get(better, 1.0)
    return table.loc[merit.nlargest(MOST_MODELS).index.sort_values()]


def _label_fields(label: RunLabel) -> dict[str, str]:
    return {"model": label.name, "row": label.row, "agg": label.agg}


def _table(runs: RunSet, **axes: Column) -> pd.DataFrame:
    """A row per run that has a metric for every axis; without an interval its bounds are equal."""
    rows = []
    for run_id, label in runs.labels.items():
        row: dict[str, Any] = _label_fields(label)
        for axis, column in axes.items():
            mean, *bounds = runs.scores.interval(run_id, column)
            low, high = (mean if np.isnan(bound) else bound for bound in bounds)
            text = runs.scores.text(run_id, column)
            row |= {axis: mean, f"{axis}_low": low, f"{axis}_high": high, f"{axis}_text": text}
        rows.append(row)
    return pd.DataFrame(rows).dropna(subset=[*axes])


def _selection_by_legend() -> tuple[alt.Parameter, Any]:
    """Backbones selected by clicks on the legend, and the opacity that shows it."""
    selection = alt.selection_point(fields=["row"], bind="legend")
    return selection, alt.when(selection).then(alt.value(1.0)).otherwise(alt.value(FAINT))


def _axis_title(column: Column, scores: Scores) -> str:
    """A metric's label, and as a sign which values are good."""
    return f"{scores.label(column)} {ARROWS.get(scores.better(column), '')}".strip()


def _file_name(name: str) -> str:
    return image_key(name).replace("/", "_").replace(" ", "_")
