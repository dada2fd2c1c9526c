"""Programs compared as curves, at equal content kept, from the runs of `experiment=tools`."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import Any, NamedTuple

import altair as alt
import numpy as np
import pandas as pd

from benchmark.analysis.charts import HEIGHT, color, legend
from benchmark.analysis.comparison import Column, Place, RunSet
from benchmark.analysis.questions import Answer, Page, Question
from benchmark.analysis.statistics import (
    ALPHA,
    SIGNS,
    confidence_interval,
    holm,
    paired_tests,
)
from benchmark.tracking.records import RunRecord

PRIMARY = "vgg simple normalised, 60 epochs"
"""The curve of ours that the claim is about."""

GRAM_FORM, OTHER_FORMS = "held_out_distance", ("kid", "colour_distance", "recognition")
"""Measures of style: the one has the form of the loss, the others have not."""

CONTENT, CONTENT_WEIGHT = "content_distance", "loss.content_weight"

LEVELS = 9
"""Content distances at which two curves are compared, evenly over the range that both reach."""

PROTOCOL = (
    f"Written down before the first run. Claim: {PRIMARY}, is nearer to the artist's unseen "
    "paintings than another program, at equal content distance. It holds against a curve of that "
    "program if no measure of style says farther, and both held_out_distance and a measure of "
    "another form than Gram matrices say nearer significantly: by every judge that optimised none "
    "of these pictures, p adjusted after Holm for all measures and curves of the programs."
)


class Curve(NamedTuple):
    """Runs that differ in the content weight only, from the lowest."""

    name: str
    runs: Sequence[str]
    seconds: float  # a picture, mean of the runs; NaN where they are unknown
    is_program: bool  # whether another program made the pictures

    @property
    def time(self) -> str:
        """The seconds as text."""
        return "unknown time" if np.isnan(self.seconds) else f"{self.seconds:.3g} s"


def place(run: RunRecord) -> Place:
    """A curve is a row: all that a run was made with but its content weight."""
    option = run.params.get
    if not run.is_ours:
        row = f"{run.backbone}, {option('epochs')} steps"
    else:
        kinds = (option("loss.name"), option("optimizer.name"))
        parts = [run.backbone, run.agg, *(str(k) for k in kinds if k not in ("study", "adam"))]
        parts += ["coarse to fine"] if "," in option("scales", "") else []
        row = f"{' '.join(parts)}, {option('epochs')} epochs"
    weight = f"{float(option(CONTENT_WEIGHT, 'nan')):g}"
    return Place(f"{row}, content weight {weight}", row, weight)


def curves(runs: RunSet) -> list[Curve]:
    """The runs as curves, other programs' first."""
    ordered = sorted(runs.places, key=lambda one: (one.row, float(one.column)))
    found = []
    for row, places in groupby(ordered, key=lambda one: one.row):
        names = [one.name for one in places]
        records = [runs.records[name] for name in names]
        seconds = float(np.mean([record.seconds_each for record in records]))
        found.append(Curve(row, names, seconds, not records[0].is_ours))
    return sorted(found, key=lambda curve: not curve.is_program)


def at_content(content: np.ndarray, values: np.ndarray, level: float) -> np.ndarray:
    """Values of each example where a curve's mean content distance is a level, (examples,).

    Linear between the two neighbouring runs, the same two for all examples; content (runs,),
    ascending, values (runs, examples), the level within the range of content.
    """
    after = int(np.clip(np.searchsorted(content, level), 1, len(content) - 1))
    share = (level - content[after - 1]) / (content[after] - content[after - 1])
    return np.asarray((1 - share) * values[after - 1] + share * values[after])


def differences(
    runs: RunSet, one: Curve, other: Curve, measure: Column, content: Column
) -> pd.Series:
    """A measure of one curve less the other's, by example: the mean over equal content distances.

    The levels are evenly spaced over the range that both reach; empty where there is none.
    """
    sides = []
    for curve in (one, other):
        contents, values = runs.of_runs(content), runs.of_runs(measure)
        known = [name for name in curve.runs if name in contents and name in values]
        means = contents[known].mean().sort_values()
        sides.append((means.to_numpy(), values[means.index]))
    if any(len(means) < 2 for means, _ in sides):
        return pd.Series(dtype=float)
    low = max(means[0] for means, _ in sides)
    high = min(means[-1] for means, _ in sides)
    if low >= high:
        return pd.Series(dtype=float)
    levels = np.linspace(low, high, LEVELS)
    ours, theirs = (
        np.mean([at_content(means, table.to_numpy().T, level) for level in levels], axis=0)
        for means, table in sides
    )
    return pd.Series(ours - theirs, sides[0][1].index)


def independent(runs: RunSet, metrics: Iterable[str]) -> list[Column]:
    """Metrics by evaluators that optimised none of the runs' pictures."""
    columns = runs.of_metrics(*metrics)
    return [c for c in columns if not any(runs.has_dagger(name, c) for name in runs.records)]


def measures(runs: RunSet) -> Iterator[tuple[Column, Column]]:
    """The measures of style, each with the content distance that it is seen against.

    That of the same judge; of the first one where a measure needs no judge.
    """
    contents = independent(runs, [CONTENT])
    for measure in independent(runs, [GRAM_FORM, *OTHER_FORMS]):
        same = [c for c in contents if c.evaluator == measure.evaluator] or contents
        if same:
            yield measure, same[0]


def compared(runs: RunSet, one: Curve, others: Sequence[Curve]) -> pd.DataFrame:
    """One curve against others in every measure of style.

    Columns: against, metric, measure, difference (mean, interval), p (Wilcoxon's, adjusted after
    Holm for all rows), says: nearer, farther, or "equal" where it is not significant.
    """
    rows: list[dict[str, Any]] = []
    for other in others:
        for measure, content in measures(runs):
            found = differences(runs, one, other, measure, content)
            if len(found):
                test = paired_tests(pd.DataFrame({"one": found, "other": 0.0})).iloc[0]
                better = SIGNS[runs.better(measure)] * found.mean() > 0
                # p is about ranks, which a few large differences of the other side do not turn.
                agree = np.sign(found.mean()) == test["ranks"]
                rows.append(
                    {
                        "against": other.name,
                        "metric": measure.metric,
                        "measure": measure.name,
                        "difference": confidence_interval(found.to_numpy()),
                        "p": float(test["p"]),
                        "says": ("nearer" if better else "farther") if agree else "equal",
                    }
                )
    columns = ["against", "metric", "measure", "difference", "p", "says"]
    table = pd.DataFrame(rows, columns=columns)
    table["p"] = holm(table["p"].to_numpy(dtype=float))
    table["says"] = table["says"].where(table["p"] < ALPHA, "equal")
    return table


def claim_holds(table: pd.DataFrame) -> bool:
    """Whether the claim holds, by the rows of `compared` against one curve."""
    nearer = {*table.loc[table["says"] == "nearer", "metric"]}
    farther = (table["says"] == "farther").any()
    return not farther and GRAM_FORM in nearer and bool(nearer & {*OTHER_FORMS})


def verdict(primary: Curve, program: Curve, table: pd.DataFrame) -> str:
    """What the comparison says of a program's curve."""
    sentence = f"Against {program.name} ({program.time} a picture, ours {primary.time}): "
    if table.empty:
        return sentence + "no content distance that both reach, or no judge of both."
    said = table.groupby("says")["measure"].agg(", ".join)
    listed = "; ".join(f"{word} by {names}" for word, names in said.items())
    return f"{sentence}{listed}. The claim {'holds' if claim_holds(table) else 'does not hold'}."


def answer(runs: RunSet) -> Answer:
    """Whether our pictures are nearer to unseen paintings than other programs' at equal content."""
    found = curves(runs)
    times = [curve.time for curve in found]
    tables = {
        "Time a picture, mean of a curve's runs.": pd.DataFrame(
            {"curve": [curve.name for curve in found], "time": times}
        )
    }
    sentences = [PROTOCOL]
    primary = next((curve for curve in found if curve.name == PRIMARY), None)
    if primary:
        programs = [curve for curve in found if curve.is_program]
        own = [curve for curve in found if not curve.is_program and curve is not primary]
        table = compared(runs, primary, programs)
        sentences += [
            verdict(primary, program, table[table["against"] == program.name])
            for program in programs
        ]
        pairs = {f"{PRIMARY}, less other programs": table}
        # Each of ours is a question of its own: of all together nothing could be significant.
        for curve in own:
            pairs[f"{PRIMARY}, less {curve.name}"] = compared(runs, primary, [curve])
            pairs[f"{curve.name}, less other programs; explored, no part of the claim"] = compared(
                runs, curve, programs
            )
        for what, shown in pairs.items():
            if len(shown):
                caption = f"{what}, at equal content distance: mean over the range that both "
                caption += "reach, 95 % interval over the examples; p after Holm."
                texts = {
                    "difference": shown["difference"].map(str),
                    "p": shown["p"].map("{:.2g}".format),
                }
                tables[caption] = shown.assign(**texts).drop(columns="metric")
    charts = {}
    for measure, content in measures(runs):
        caption = f"{runs.label(measure)} ({measure.name}) against content distance, with 95 % "
        caption += "intervals; dashes: another program."
        charts[f"{measure.name.replace('.', '_')}.png", caption] = chart(
            runs, found, measure, content
        )
    return Answer(sentences, tables, charts)


def chart(
    runs: RunSet, found: Sequence[Curve], measure: Column, content: Column
) -> alt.LayerChart | alt.FacetChart:
    """Curves of a measure of style against content distance, with intervals."""
    rows = []
    for curve in found:
        for name in curve.runs:
            x, y = runs.interval(name, content), runs.interval(name, measure)
            kind = "another program" if curve.is_program else "ours"
            row = {"curve": curve.name, "made by": kind, "x": x.mean, "y": y.mean}
            rows.append(row | {"low": y.low, "high": y.high})
    base = alt.Chart(pd.DataFrame(rows), width=560, height=HEIGHT).encode(
        x=alt.X("x:Q", title=f"{content.name}: less is more content kept").scale(zero=False),
        # That of the bars would fade it.
        color=color("curve", None).legend(legend(symbolOpacity=1)),
    )
    lines = base.mark_line(point=True).encode(
        y=alt.Y("y:Q", title=f"{measure.name}, {runs.better(measure)} is better").scale(zero=False),
        strokeDash=alt.StrokeDash("made by:N", sort=["ours"], legend=None),
        order="x:Q",
    )
    bars = base.mark_rule(opacity=0.35).encode(y="low:Q", y2="high:Q")
    return alt.layer(bars, lines)


def left_open(answered: Iterable[RunSet]) -> list[str]:
    """What these runs cannot say."""
    runs = [run for of_question in answered for run in of_question.places.values()]
    programs = sorted({run.backbone for run in runs if not run.is_ours})
    return [
        "An interval is over these artists and photographs, not over others.",
        "Judges are networks and colours. What people see `python -m benchmark.rate` asks.",
        f"Other programs than {', '.join(programs) or 'ours'} were not compared.",
    ]


TOOLS_PAGE = Page(
    "Style transfer programs, compared as curves",
    "tools.md",
    (
        Question(
            "tools",
            "At equal content kept, whose pictures are nearer to the artist's unseen paintings?",
            "curves down, content weights across",
            place,
            answer,
            varied=("epochs", "optimizer.name", "optimizer.learning_rate", "precision"),
            metrics=(CONTENT, GRAM_FORM, *OTHER_FORMS, "ssim", "grain"),
        ),
    ),
    left_open,
)
