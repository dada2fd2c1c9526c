"""The study's open questions, and their answers from the runs of `experiment=questions`."""

from collections.abc import Iterable, Sequence

import altair as alt
import numpy as np
import pandas as pd

from benchmark.analysis import peakiness
from benchmark.analysis.charts import HEIGHT, color, legend
from benchmark.analysis.comparison import HARDLY_CHANGED, Column, Place, RunSet
from benchmark.analysis.questions import Answer, Page, Question, open_points, weights_kind
from benchmark.analysis.statistics import holm, paired_tests, significant
from benchmark.config.schema import restored
from benchmark.images.pixels import to_float
from benchmark.metrics.table import CONTENT
from benchmark.runs.contents import load_content
from benchmark.runs.workspace import Workspace, load_backbone
from benchmark.tracking.records import Artifact, RunRecord
from benchmark.user_input import InputError

CHANGE, GRAIN = Column("change"), Column("grain")

ONE_PAINTING = "one painting"

MEANS = (" simple", " squared", " logged")
"""Aggregations of the study."""

Pair = tuple[str, str, Column]  # Two runs, by name, and the metric in which they are compared.


def independent(runs: RunSet, names: Iterable[str], metric: str) -> Column | None:
    """A metric by the first evaluator that optimised none of some runs; else by the first."""
    columns = runs.of_metrics(metric)
    daggers = {c: any(runs.has_dagger(name, c) for name in names) for c in columns}
    return min(columns, key=daggers.__getitem__, default=None)


def claims(
    runs: RunSet, claim: str, names: Iterable[str], column: Column, limit: float, *, below: bool
) -> list[str]:
    """Whether the interval of each run confirms that it lies below, or above, a limit.

    Only of trained networks, for the claims are about them; an interval around the limit, or none,
    decides nothing.
    """
    untouched = runs.of_subject(column, CONTENT).mean()
    sentences = []
    for name in names:
        _, low, high = runs.interval(name, column)
        if runs.records[name].weights == "random":
            verdict = "not tested, because the weights are random"
        elif high < limit or low > limit:
            verdict = "confirmed" if (high < limit) == below else "refuted"
        else:
            verdict = "undecided"
        sentences.append(
            f"“{claim}”, {name}: {verdict}. {column.name} {runs.text(name, column)} "
            f"(limit: {limit:g}; untouched content pictures: {untouched:.3g})."
        )
    return sentences


def comparisons(runs: RunSet, pairs: Sequence[Pair]) -> list[str]:
    """How runs compare on the same examples; p adjusted after Holm for all these pairs."""
    if not pairs:
        return []
    tables = [paired_tests(runs.of_runs(c).reindex(columns=[a, b])) for a, b, c in pairs]
    tests = pd.concat(tables, ignore_index=True)
    tests["p_holm"] = holm(tests["p"].to_numpy(dtype=float))
    columns = (tests["difference"], tests["p_holm"], significant(tests))
    return [
        f"{column.name}: {one} {runs.text(one, column)}, {other} {runs.text(other, column)}; "
        f"difference {difference:+.3g} (p = {p:.2g}, {'' if differs else 'not '}significant)."
        for (one, other, column), difference, p, differs in zip(pairs, *columns, strict=True)
    ]


def answer_findings(runs: RunSet) -> Answer:
    """What the study found by eye."""
    names = [*runs.records]
    # The published runs had the study's loss and layers.
    published = [name for name in names if name.endswith(MEANS) and "_" not in name.split()[0]]
    resnet = [name for name in published if name.startswith("resnet")]
    pixelated = [name for name in published if name.startswith(("inception", "mobilenet"))]
    logged = [name for name in names if name.startswith("vgg") and name.endswith(" logged")]
    others = [name for name in names if name not in (*published, *logged)]
    pairs = [
        (name, other, GRAIN)
        for name in logged
        for mean in ("simple", "squared")
        if (other := name.replace(" logged", f" {mean}")) in names
    ]
    still = "ResNet does not change the picture at all"
    return Answer(
        [
            *claims(runs, still, resnet, CHANGE, HARDLY_CHANGED, below=True),
            *claims(runs, "Very pixel-y", pixelated, GRAIN, 1.0, below=False),
            *claims(runs, "VGG logged is very grainy", logged, GRAIN, 1.0, below=False),
            *comparisons(runs, pairs),
            *(
                f"With another loss or other layers, {name}: change {runs.text(name, CHANGE)}, "
                f"grain {runs.text(name, GRAIN)}."
                for name in others
            ),
        ]
    )


def answer_means(runs: RunSet) -> Answer:
    """Whether many paintings oversmooth, and with which mean."""
    most = max(map(_paintings, runs.places.values()))
    many = {_power(r): place.name for place, r in runs.places.items() if _paintings(r) == most > 1}
    alone = [name for name in runs.records if name == ONE_PAINTING]
    studied = [many[p] for p in (1.0, 2.0, 0.0) if p in many]
    distance = independent(runs, many.values(), "held_out_distance")
    pairs = [(name, one, GRAIN) for name in studied for one in alone]
    if distance and 1.0 in many:
        others = [name for power, name in sorted(many.items()) if power != 1.0]
        pairs += [(name, many[1.0], distance) for name in [*alone, *others]]
    sentences = claims(runs, "Oversmoothed", studied, GRAIN, 1.0, below=True)
    caption = "Against the number of paintings, a line a mean; bars and bands: 95 % intervals."
    charts = {("means.png", caption): means_chart(runs, [GRAIN, *([distance] if distance else [])])}
    return Answer([*sentences, *comparisons(runs, pairs)], charts=charts)


def means_chart(runs: RunSet, columns: Sequence[Column]) -> alt.HConcatChart:
    """Metrics against the number of paintings, a line an order of the mean."""
    panels = []
    numbers = sorted({_paintings(run) for run in runs.places.values()})
    for column in columns:
        rows = [
            {"paintings": _paintings(run), "mean of": place.column or place.name}
            | runs.interval(place.name, column)._asdict()
            for place, run in runs.places.items()
        ]
        base = alt.Chart(pd.DataFrame(rows), title=column.name, width=400, height=HEIGHT).encode(
            x=alt.X("paintings:Q").scale(type="log", nice=False).axis(values=numbers),
            color=color("mean of", None).legend(legend(symbolOpacity=1)),
        )
        bounds = {"y": alt.Y("low:Q", title=None).scale(zero=False), "y2": "high:Q"}
        alone = alt.datum["mean of"] == ONE_PAINTING
        areas = base.mark_area(opacity=0.1).encode(**bounds).transform_filter(~alone)
        bars = base.mark_rule().encode(**bounds).transform_filter(alone)
        panels.append(areas + bars + base.mark_line(point=True).encode(y="mean:Q"))
    return alt.hconcat(*panels)


def answer_smoothing(runs: RunSet) -> Answer:
    """Whether peaky activations are what keeps a backbone from transferring style."""
    backbones = list(dict.fromkeys(run.backbone for run in runs.places.values()))
    # The shallow ones are parts of others, but for VGG's, of which there may be no more weights.
    whole = [b for b in backbones if not b.endswith("_shallow") or b == "vgg_shallow"]
    tables = peakiness_tables(runs, whole)
    extremes = pd.DataFrame(
        {
            "backbone": [*tables],
            "least entropy": [table["entropy"].min() for table in tables.values()],
            "entropy of the deepest": [table["entropy"].iloc[-1] for table in tables.values()],
            "largest peak": [table["peak"].max() for table in tables.values()],
            "peak of the deepest": [table["peak"].iloc[-1] for table in tables.values()],
        }
    )
    about = "Activations: entropy (1: all alike) and peak, maximum over root mean square."
    place = ("peakiness.png", "Activations by depth.")
    charts = {place: peakiness.peakiness_chart(tables)} if tables else {}
    pairs = [pair for backbone in whole for pair in remedies(runs, backbone)]
    return Answer([*comparisons(runs, pairs), *strengths(runs, whole)], {about: extremes}, charts)


def remedies(runs: RunSet, backbone: str) -> list[Pair]:
    """Each remedy against the backbone as it is, with the loss whose weights suit them all."""
    shallow = f"{backbone.removesuffix('_shallow')}_shallow"
    names = [
        name
        for name, run in runs.records.items()
        if run.backbone in (backbone, shallow) and run.params["loss.name"] == "normalised"
    ]
    unsmoothed = f"{backbone} none normalised"
    column = independent(runs, names, "held_out_distance")
    if column is None or unsmoothed not in names:
        return []
    return [(name, unsmoothed, column) for name in names if name != unsmoothed]


def strengths(runs: RunSet, backbones: Sequence[str]) -> list[str]:
    """How alike in strength the backbones are, with either loss.

    1 − distance to held-out paintings over the content pictures' own, mean of evaluators.
    """
    distances = runs.of_metrics("held_out_distance")
    before = [runs.of_subject(column, CONTENT).mean() for column in distances]
    sentences = []
    for loss in ("study", "normalised"):
        listed = []
        for backbone in backbones:
            name = f"{backbone} none {loss}"
            after = [runs.interval(name, column).mean for column in distances]
            share = 1 - (pd.Series(after, dtype=float) / before).mean()
            listed += [f"{backbone} {share:.0%}"] if np.isfinite(share) else []
        sentence = (
            f"Strength of style with loss={loss}, the share of the content pictures' distance to "
            f"the held-out paintings that is gone, mean of the evaluators: {', '.join(listed)}."
        )
        sentences += [sentence] if len(listed) > 1 else []
    return sentences


def peakiness_tables(runs: RunSet, backbones: Sequence[str]) -> dict[str, pd.DataFrame]:
    """The peakiness of some backbones, unsmoothed, as far as their data still exist."""
    unsmoothed = {
        f"{run.backbone}, {weights_kind(run)}": run
        for run in runs.places.values()
        if run.backbone in backbones and run.params["backbone.smoothing"] == "none"
    }
    workspace = Workspace()
    tables: dict[str, pd.DataFrame] = {}
    for name, run in unsmoothed.items():
        config = restored(runs.tracker.read_json(run.run_id, Artifact.CONFIG))
        try:
            content = load_content(config, workspace)
            backbone = load_backbone(config, workspace.backbones)
        except InputError:
            continue
        if (content.digest, backbone.digest) == (run.content_digest, run.weights_digest):
            tables[name] = peakiness.by_depth(backbone, to_float(content.pixels))
    return tables


def answer_weights(runs: RunSet) -> Answer:
    """Whether random weights do as well."""
    names = runs.records
    known = dict.fromkeys(run.backbone for run in names.values())
    both = [b for b in known if f"{b} random" in names and f"{b} ImageNet" in names]
    columns = runs.of_metrics("held_out_distance", "ssim", "recognition")
    pairs = [(f"{b} random", f"{b} ImageNet", c) for b in both for c in columns]
    places = (place for place in runs.places if place.row not in both)
    single = [f"{place.row}: only with {place.column} weights here." for place in places]
    return Answer([*comparisons(runs, pairs), *single])


def _place(row: str, column: str) -> Place:
    return Place(f"{row} {column}", row, column)


def _place_by_mean(run: RunRecord) -> Place:
    if _paintings(run) == 1:
        return Place(ONE_PAINTING, ONE_PAINTING, "")
    row, column = f"{_paintings(run)} paintings", f"power {_power(run):g}"
    return Place(f"{column}, {row}", row, column)


def _paintings(run: RunRecord) -> int:
    return int(run.params["dataset.paintings"])


def _power(run: RunRecord) -> float:
    return float(run.params["agg.p"])


QUESTIONS = (
    Question(
        "questions-findings",
        "Does ResNet leave the picture unchanged, are Inception and MobileNet pixel-y, is VGG "
        "logged grainy?",
        "backbones down, aggregations and loss across",
        lambda run: _place(
            f"{run.backbone} ({weights_kind(run)})",
            f"{run.agg} {run.params['loss.name']}".removesuffix(" study"),
        ),
        answer_findings,
    ),
    Question(
        "questions-means",
        "Does matching many paintings at once oversmooth?",
        "numbers of paintings down, powers across",
        _place_by_mean,
        answer_means,
    ),
    Question(
        "questions-smoothing",
        "Is it peaky activations that keep ResNet and Inception from transferring style?",
        "backbones down, smoothing and loss across",
        lambda run: _place(
            run.backbone, f"{run.params['backbone.smoothing']} {run.params['loss.name']}"
        ),
        answer_smoothing,
    ),
    Question(
        "questions-weights",
        "Do random weights transfer style as ImageNet weights do?",
        "backbones down, weights across",
        lambda run: _place(run.backbone, weights_kind(run)),
        answer_weights,
    ),
)

QUESTIONS_PAGE = Page(
    "Questions about style transfer from many paintings", "questions.md", QUESTIONS, open_points
)
