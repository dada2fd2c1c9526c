"""Figures of a report: one specification each, to be shown live in a page, as SVG and as PNG."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import altair as alt
import numpy as np
import pandas as pd
import vl_convert

from benchmark.analysis.comparison import (
    DAGGER,
    Column,
    Compared,
    random_evaluators,
)
from benchmark.analysis.statistics import SIGNS, comparable
from benchmark.analysis.tables import UNKNOWN, Model, shown
from benchmark.metrics.table import CONTENT, PAINTING
from benchmark.tracking.records import RunRecord, image_key
from benchmark.tracking.tracker import Tracker

VEGA_LITE = alt.SCHEMA_VERSION.rpartition(".")[0]
"""Version of the language in which the figures are specified."""

WIDTH = 560
"""Of a figure as a file; in the page it takes the width that there is."""

HEIGHT = 300
ROW = 20
"""Pixels, the latter a model."""

MOST_POINTS = 4000
"""Of all loss curves together; longer ones are thinned."""

MOST_MODELS = 60
"""Models that a figure of a metric shows, the best first where there are more."""

LABEL = 220
"""Pixels of a model's name."""

FEW: Mapping[str, Any] = {"tickCount": 6, "labelOverlap": True, "labelSeparation": 4}
"""Labels that have room on a phone too."""

FAINT = 0.08
"""Opacity of what a click on the legend sets aside."""

KEPT = ("ms_ssim", "ssim", "content_distance")
TAKEN = ("held_out_distance", "style_distance")
"""Metrics of a trade-off, by preference: content kept and style taken."""

DIRECTIONS = {
    "higher": "higher is better",
    "lower": "lower is better",
    "one": "1 is best",
    "none": "",
}
ARROWS = {"higher": "↑", "lower": "↓", "one": "→ 1", "none": ""}
"""Which way a metric is better, in words and as a sign."""

REFERENCES = {CONTENT: "content picture, untouched", PAINTING: "held-out paintings"}
"""What stands beside the models, by subject."""


@dataclass(frozen=True)
class Drawing:
    """A figure.

    Attributes:
        file: its name without an ending.
        group: under which it stands.
        title: for people.
        chart: its specification.
    """

    file: str
    group: str
    title: str
    chart: alt.LayerChart | alt.FacetChart | alt.Chart

    def live(self) -> dict[str, Any]:
        """The specification for a page: as wide as its place."""
        return self.chart.properties(width="container").to_dict()

    def svg(self) -> str:
        """As SVG."""
        return str(vl_convert.vegalite_to_svg(self.chart.to_dict(), vl_version=VEGA_LITE))

    def png(self) -> bytes:
        """As PNG, at twice its size."""
        return vl_convert.vegalite_to_png(self.chart.to_dict(), vl_version=VEGA_LITE, scale=2)


def drawings(
    tracker: Tracker,
    records: Sequence[RunRecord],
    models: Mapping[str, Model],
    compared: Compared,
) -> list[Drawing]:
    """All figures that the runs have numbers for."""
    found = [curves(histories(tracker, records, models))]
    evaluators = dict.fromkeys(c.evaluator for c in compared.scores.columns if c.evaluator)
    found += [trade_off(evaluator, models, compared) for evaluator in evaluators]
    found += [measure(column, models, compared) for column in compared.scores.columns]
    return [drawing for drawing in found if drawing is not None]


def histories(
    tracker: Tracker, records: Sequence[RunRecord], models: Mapping[str, Model]
) -> pd.DataFrame:
    """Mean total loss of each run by epoch, over its first; only so do backbones compare."""
    parts = []
    for record in records:
        epochs, losses = tracker.loss_history(record.run_id)
        number = MOST_POINTS // len(records) + 2
        kept = np.unique(np.linspace(0, len(epochs) - 1, number).round().astype(int))
        if len(epochs) and losses[0] > 0:
            part = pd.DataFrame({"epoch": epochs, "loss": losses / losses[0]}).iloc[kept]
            parts.append(part.assign(**_named(models[record.run_id])))
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()


def curves(table: pd.DataFrame) -> Drawing | None:
    """Loss over the first loss by epoch, a line a run."""
    if table.empty:
        return None
    chosen, opacity = _by_legend()
    lines = alt.Chart(table, height=HEIGHT, width=WIDTH).mark_line(point={"size": 12})
    chart = lines.encode(
        x=alt.X("epoch:Q", title="epoch").axis(tickMinStep=1),
        y=alt.Y("loss:Q", title="loss / first loss").scale(type="log", nice=False),
        color=_colour(),
        strokeDash=alt.StrokeDash(
            "agg:N", title="aggregation", sort=None, legend=_legend(symbolType="stroke")
        ),
        detail="model:N",
        opacity=opacity,
        tooltip=["model:N", "epoch:Q", alt.Tooltip("loss:Q", format=".3g", title="of first loss")],
    )
    return Drawing(
        "loss_curves",
        "Training",
        "Total loss by epoch, of each run's first",
        chart.add_params(chosen),
    )


def trade_off(evaluator: str, models: Mapping[str, Model], compared: Compared) -> Drawing | None:
    """Content kept against style taken as an evaluator sees it, a point a model."""
    columns = compared.scores.columns
    x, y = (
        next(
            (
                c
                for m in wanted
                for c in columns
                if c.metric == m and c.evaluator in ("", evaluator)
            ),
            None,
        )
        for wanted in (TAKEN, KEPT)
    )
    if x is None or y is None:
        return None
    rows = [
        {**_named(model), **_values("x", run, x, compared), **_values("y", run, y, compared)}
        for run, model in models.items()
    ]
    table = pd.DataFrame(rows).dropna(subset=["x", "y"])
    if table.empty:
        return None
    chosen, opacity = _by_legend()
    base = alt.Chart(table, height=HEIGHT, width=WIDTH).encode(color=_colour(), opacity=opacity)
    axes = {axis: _label(c, compared) for axis, c in (("x", x), ("y", y))}
    points = base.mark_point(filled=True, size=90).encode(
        x=alt.X("x:Q", title=axes["x"]).scale(zero=False).axis(**FEW),
        y=alt.Y("y:Q", title=axes["y"]).scale(zero=False),
        shape=alt.Shape(
            "agg:N", title="aggregation", sort=None, legend=_legend(symbolFillColor="gray")
        ),
        tooltip=[
            "model:N",
            alt.Tooltip("x_text:N", title=x.name),
            alt.Tooltip("y_text:N", title=y.name),
        ],
    )
    across = base.mark_rule().encode(x="x_low:Q", x2="x_high:Q", y="y:Q")
    along = base.mark_rule().encode(x="x:Q", y="y_low:Q", y2="y_high:Q")
    layers = [across, along, points.add_params(chosen)]
    chart = alt.layer(*layers)
    title = f"Content kept against style taken, {judged(evaluator, compared)}"
    return Drawing(f"trade_off_{_file(evaluator)}", "Trade-off", title, chart)


def measure(column: Column, models: Mapping[str, Model], compared: Compared) -> Drawing | None:
    """A metric with its interval, a line a model, beside untouched content and real paintings."""
    rows = [
        {**_named(model), **_values("x", run, column, compared)} for run, model in models.items()
    ]
    table = pd.DataFrame(rows).dropna(subset=["x"])
    if table.empty:
        return None
    described = compared.scores.metrics[column.metric]
    table = _best(table, described.better)
    references = pd.DataFrame(
        [
            {
                "x": values.mean(),
                "what": what,
                "text": shown(compared.scores.interval(column, values)),
            }
            for subject, what in REFERENCES.items()
            if len(values := compared.scores.of_subject(column, subject).dropna())
        ]
    )
    table["model"] += [DAGGER if text.endswith(DAGGER) else "" for text in table["x_text"]]
    base = alt.Chart(table, width=WIDTH, height=ROW * len(table)).encode(
        y=alt.Y("model:N", title=None, sort=None).axis(labelLimit=LABEL),
        color=_colour().legend(None),
    )
    x = alt.X("x:Q", title=_label(column, compared)).scale(zero=False).axis(**FEW)
    layers: list[alt.Chart] = [
        base.mark_rule(strokeWidth=2).encode(x="x_low:Q", x2="x_high:Q"),
        base.mark_point(filled=True, size=70, opacity=1).encode(
            x=x, tooltip=["model:N", alt.Tooltip("x_text:N", title=column.name)]
        ),
    ]
    if len(references):
        layers.append(
            alt.Chart(references)
            .mark_rule(strokeWidth=1.5)
            .encode(
                x="x:Q",
                strokeDash=alt.StrokeDash("what:N", title=None, sort=None).legend(
                    orient="bottom", columns=1
                ),
                color=alt.value("gray"),
                tooltip=["what:N", alt.Tooltip("text:N", title=column.name)],
            )
        )
    group = f"Metrics {judged(column.evaluator, compared)}"
    direction = DIRECTIONS.get(described.better, "")
    heading = ", ".join(filter(None, (described.label or column.metric, direction)))
    return Drawing(f"measure_{_file(column.name)}", group, heading, alt.layer(*layers))


def judged(evaluator: str, compared: Compared) -> str:
    """Who took a metric, for people, who must not trust a network that was never trained."""
    loud = ", RANDOM weights" if evaluator in random_evaluators(compared.scores) else ""
    return f"by {evaluator}{loud}" if evaluator else "without a network"


def _best(table: pd.DataFrame, better: str) -> pd.DataFrame:
    """The models that there is room for, the best of them, in their own order."""
    merit = comparable(table[["x"]], better)["x"] * SIGNS.get(better, 1.0)
    return table.loc[merit.nlargest(MOST_MODELS).index.sort_values()]


def _named(model: Model) -> dict[str, str]:
    return {"model": model.name, "row": model.row, "agg": model.agg}


def _values(axis: str, run_id: str, column: Column, compared: Compared) -> dict[str, Any]:
    """A metric of a run for an axis; where there is no interval it is a point."""
    found = compared.intervals.get((run_id, column), UNKNOWN)
    mark = DAGGER if compared.scores.optimised(run_id, column) else ""
    low, high = (found.mean if np.isnan(bound) else bound for bound in found[1:])
    return {
        axis: found.mean,
        f"{axis}_low": low,
        f"{axis}_high": high,
        f"{axis}_text": shown(found) + mark,
    }


def _by_legend() -> tuple[alt.Parameter, Any]:
    """A choice of backbones by clicks on the legend, and the opacity that shows it."""
    chosen = alt.selection_point(fields=["row"], bind="legend")
    return chosen, alt.when(chosen).then(alt.value(1.0)).otherwise(alt.value(FAINT))


def _colour() -> alt.Color:
    colour = alt.Color("row:N", title="backbone", sort=None, legend=_legend())
    return colour.scale(scheme="tableau10")


def _legend(**more: Any) -> alt.Legend:
    return alt.Legend(orient="bottom", columns=3, labelLimit=LABEL, symbolLimit=MOST_MODELS, **more)


def _label(column: Column, compared: Compared) -> str:
    """An axis: what it shows, and by a sign which way is better."""
    described = compared.scores.metrics[column.metric]
    return f"{described.label or column.metric} {ARROWS.get(described.better, '')}".strip()


def _file(name: str) -> str:
    return image_key(name).replace("/", "_").replace(" ", "_")
