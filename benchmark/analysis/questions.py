"""Answers to the study's open questions, from the runs of `experiment=questions`."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from PIL import Image

from benchmark.analysis import comparison, peakiness
from benchmark.analysis.comparison import (
    DAGGER,
    DAGGER_NOTE,
    HARDLY,
    Column,
    Scores,
)
from benchmark.analysis.statistics import Interval, holm, paired, significant
from benchmark.analysis.tables import shown
from benchmark.config.schema import restored
from benchmark.images import sheets
from benchmark.images.pixels import to_float
from benchmark.metrics.table import CONTENT, PAINTING
from benchmark.runs.networks import load_backbone
from benchmark.runs.prepare import load_content
from benchmark.runs.workspace import Workspace
from benchmark.tracking.records import Artifact, RunRecord
from benchmark.tracking.tracker import NotFoundError, Tracker
from user_input import InputError

USAGE = """\
Four questions about style transfer from many paintings, answered with the fixed metrics:

    python -m benchmark -m experiment=questions           runs all sweeps, then writes the page
    python -m benchmark.questions                         only the page, from what was run

Each question is a sweep or two of its own (experiment=questions_findings, questions_means,
questions_one_painting, questions_smoothing, questions_shallow, questions_weights), which can also
be run alone and with other options; of equal runs the page takes the last. It is written to
mlruns/questions/: questions.md with its pictures.
"""

SWEEPS = (
    "questions_findings",
    "questions_means",
    "questions_one_painting",
    "questions_smoothing",
    "questions_shallow",
    "questions_weights",
)
"""Overlays of `conf/experiment/`, in the order in which they are run."""

ALIKE = (
    *("image_size", "epochs", "steps_per_epoch", "seed", "init", "keep", "precision"),
    *("optimizer.name", "optimizer.learning_rate", "dataset.name", "dataset.selection"),
)
"""Options in which runs must agree with the last one of their experiment to be compared."""

GREY_LEVEL = 1 / 255

SHOWN = 176
"""Pixels a side of a picture on the page's sheets."""

RESULTS = "Means over the examples with 95 % intervals."
"""Caption of every question's table."""

METRICS = ("change", "ssim", "grain", "held_out_distance", "recognition")
"""Columns of the page's tables."""


@dataclass(frozen=True)
class Cells:
    """The runs that answer a question.

    Attributes:
        tracker: their store.
        runs: by name of the cell, in the order in which cells were first run.
        scores: theirs.
    """

    tracker: Tracker
    runs: Mapping[str, RunRecord]
    scores: Scores

    def values(self, name: str, column: Column) -> pd.Series:
        """The scores of a cell, a value an example; none where it was not measured."""
        table = self.scores.of_runs(column)
        run_id = self.runs[name].run_id
        return table[run_id] if run_id in table else pd.Series(dtype=float)

    def interval(self, name: str, column: Column) -> Interval:
        """Mean and 95 % interval of a cell."""
        return self.scores.interval(column, self.values(name, column))

    def columns(self, *metrics: str) -> list[Column]:
        """Some metrics, each with all its evaluators."""
        there = self.scores.columns
        return [column for metric in metrics for column in there if column.metric == metric]

    def independent(self, names: Iterable[str], metric: str) -> Column | None:
        """A metric by an evaluator that optimised none of some cells, or the first there is."""
        columns = self.columns(metric)
        fair = [c for c in columns if not any(self.dagger(name, c) for name in names)]
        return next(iter([*fair, *columns]), None)

    def dagger(self, name: str, column: Column) -> str:
        """A mark where the evaluator also optimised the cell's pictures."""
        return DAGGER if self.scores.optimised(self.runs[name].run_id, column) else ""


@dataclass(frozen=True)
class Section:
    """The answer to one question.

    Attributes:
        title: the question.
        answers: sentences.
        tables: by caption.
        pictures: by file name, with a caption.
    """

    title: str
    answers: Sequence[str]
    tables: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    pictures: Mapping[str, tuple[Image.Image | Figure, str]] = field(default_factory=dict)


def gathered(uri: str | None, experiment: str, name: Callable[[RunRecord], str]) -> Cells | None:
    """The last scored run of each cell of an experiment; None: there are none."""
    try:
        tracker = Tracker(uri, experiment, create=False)
    except NotFoundError:
        return None
    done = [run for run in tracker.all_runs() if run.status == "finished" and run.scores]
    if not done:
        return None
    last = done[-1]

    def same(run: RunRecord) -> bool:
        alike = all(run.params.get(option) == last.params.get(option) for option in ALIKE)
        return alike and data_of(run) == data_of(last)

    runs = {name(run): run for run in done if same(run)}
    return Cells(tracker, runs, comparison.read(tracker, list(runs.values())))


def data_of(run: RunRecord) -> tuple[object, ...]:
    """A run's examples, and the paintings that metrics compare with."""
    return run.artists, run.content_digest, run.reference_digest


def trained(run: RunRecord) -> str:
    """What a run's weights are, in a word."""
    return "random" if run.weights == "random" else "ImageNet"


def findings(cells: Cells) -> Section:
    """What the study found by eye."""
    answers = []
    names = list(cells.runs)
    change, grain = Column("change", ""), Column("grain", "")
    untouched = cells.scores.of_subject(grain, CONTENT).mean()
    for name in [n for n in names if n.startswith("resnet")]:
        found = cells.interval(name, change)
        answers.append(
            f"“ResNet does not change the picture at all”, {name}: "
            f"{verdict(cells, name, found, HARDLY, below=True)}. It moved the pixels by "
            f"{shown(found)}, {found.mean / GREY_LEVEL:.0f} grey levels."
        )
    for name in [n for n in names if n.startswith(("inception", "mobilenet"))]:
        found = cells.interval(name, grain)
        answers.append(
            f"“Very pixel-y”, {name}: {verdict(cells, name, found, 1.0, below=False)}. It has "
            f"{shown(found)} times the high-frequency energy of the artist's median painting, the "
            f"untouched content pictures {untouched:.3g} times."
        )
    logged = [n for n in names if n.startswith("vgg") and n.endswith(" logged")]
    rivals = [
        Versus(name, rival, grain)
        for name in logged
        for rival in (name.replace(" logged", f" {other}") for other in ("simple", "squared"))
        if rival in cells.runs
    ]
    compared = tested(cells, rivals)
    for name in logged:
        found = cells.interval(name, grain)
        told = "; ".join(text for pair, text in compared.items() if pair.one == name)
        answers.append(
            f"“VGG logged is very grainy”, {name}: "
            f"{verdict(cells, name, found, 1.0, below=False)}. Grain {shown(found)}; {told}."
        )
    table = results(cells, names)
    backbones = list(dict.fromkeys(n.rpartition(" ")[0] for n in names))
    aggregations = list(dict.fromkeys(n.rpartition(" ")[2] for n in names))
    grid = [[f"{b} {a}" for a in aggregations] for b in backbones]
    sheet = pictures(cells, grid, backbones, aggregations)
    return Section(
        "Does ResNet leave the picture unchanged, are Inception and MobileNet pixel-y, is VGG "
        "logged grainy?",
        answers,
        {RESULTS: table},
        {"findings.jpg": (sheet, "One example; backbones down, aggregations across.")},
    )


def means(cells: Cells) -> Section:
    """Whether many paintings oversmooth, and with which mean."""
    orders = sorted({float(r.params["agg.p"]) for r in cells.runs.values()})
    numbers = sorted({int(r.params["dataset.paintings"]) for r in cells.runs.values()})
    name = {(p, n): mean_name(p, n) for p in orders for n in numbers}
    alone = next((c for (_, n), c in name.items() if n == 1 and c in cells.runs), None)
    most = numbers[-1]
    grain = Column("grain", "")
    present = [name[p, most] for p in orders if name[p, most] in cells.runs]
    distance = cells.independent(present, "held_out_distance")
    simple = name.get((1.0, most), "")
    studied = [c for p in (1.0, 2.0, 0.0) if (c := name.get((p, most), "")) in cells.runs]
    pairs = [Versus(many, alone, grain) for many in studied if alone]
    if distance and simple in cells.runs:
        rivals = [*([alone] if alone else []), *(c for c in present if c != simple)]
        pairs += [Versus(rival, simple, distance) for rival in rivals]
    told = tested(cells, pairs)
    answers = [f"One painting alone: grain {shown(cells.interval(alone, grain))}."] if alone else []
    for many in studied:
        found = cells.interval(many, grain)
        state = verdict(cells, many, found, 1.0, below=True)
        compared = told.get(Versus(many, alone or "", grain))
        ending = f"; {compared}." if compared else "."
        answers.append(f"“Oversmoothed”, {many}: {state}. Grain {shown(found)}{ending}")
    if distance and simple in cells.runs:
        label = f"Distance to the held-out paintings ({distance.evaluator}"
        answers.append(
            f"{label}{cells.dagger(simple, distance)}), {simple}: "
            f"{shown(cells.interval(simple, distance))}."
        )
        answers += [
            f"{label}), {pair.one}: {shown(cells.interval(pair.one, distance))}, {text}."
            for pair, text in told.items()
            if pair.column == distance
        ]
    tables = {RESULTS: results(cells, list(cells.runs))}
    rows = [n for n in numbers if n > 1] or numbers
    sheet = pictures(
        cells,
        [[name[p, n] for p in orders] for n in rows],
        [f"{n} paintings" for n in rows],
        [f"power {p:g}" for p in orders],
    )
    drawings: dict[str, tuple[Image.Image | Figure, str]] = {
        "means.png": (
            lines(cells, name, [grain, *([distance] if distance else [])]),
            "Against the number of paintings, a line a mean; one painting alone is the point at 1.",
        ),
        "means.jpg": (sheet, "One example; numbers of paintings down, powers across."),
    }
    return Section("Does matching many paintings at once oversmooth?", answers, tables, drawings)


def smoothing(cells: Cells) -> Section:
    """Whether peaky activations are what keeps a backbone from transferring style."""
    backbones = list(dict.fromkeys(r.backbone for r in cells.runs.values()))
    # The shallow ones are parts of others, but for VGG's, of which there may be no more weights.
    whole = [b for b in backbones if not b.endswith("_shallow") or b == "vgg_shallow"]
    curves = peaks(cells, whole)
    extreme = pd.DataFrame(
        [(key, *(f"{v:.3g}" for v in extremes(table))) for key, table in curves.items()],
        columns=["backbone", "least entropy", "at the deepest", "largest peak", "at the deepest "],
    )
    kinds = list(dict.fromkeys(n.split(" ", 1)[1] for n in cells.runs))
    sheet = pictures(cells, [[f"{b} {k}" for k in kinds] for b in backbones], backbones, kinds)
    return Section(
        "Is it peaky activations that keep ResNet and Inception from transferring style?",
        [*against_plain(cells, whole), *strengths(cells, whole)],
        {
            RESULTS: results(cells, list(cells.runs)),
            "Activations: entropy (1: all alike) and peak, maximum over root mean square.": extreme,
        },
        {
            "peakiness.png": (peakiness.drawn(curves), "Activations by depth."),
            "smoothing.jpg": (sheet, "One example; backbones down, smoothing and loss across."),
        },
    )


def against_plain(cells: Cells, backbones: Sequence[str]) -> list[str]:
    """Each remedy against the backbone as it is, with the loss whose weights suit them all."""
    families: list[tuple[str, Column, list[str]]] = []
    for backbone in backbones:
        shallow = f"{backbone.removesuffix('_shallow')}_shallow"
        names = [
            n
            for n, r in cells.runs.items()
            if r.backbone in (backbone, shallow) and r.params["loss.name"] == "normalised"
        ]
        plain, column = f"{backbone} none normalised", cells.independent(names, "held_out_distance")
        if len(names) > 1 and column and plain in names:
            families.append((plain, column, [n for n in names if n != plain]))
    told = tested(cells, [Versus(n, plain, c) for plain, c, names in families for n in names])
    answers = []
    for plain, column, names in families:
        dagger = cells.dagger(plain, column)
        remedies = [
            f"{n}: {shown(cells.interval(n, column))}, {told[Versus(n, plain, column)]}."
            for n in names
        ]
        answers.append(
            f"{plain}: distance to the held-out paintings ({column.evaluator}{dagger}) "
            f"{shown(cells.interval(plain, column))}. {' '.join(remedies)}"
        )
    return answers


def strengths(cells: Cells, backbones: Sequence[str]) -> list[str]:
    """How alike in strength the backbones are, with either loss."""
    answers = []
    for loss in ("study", "normalised"):
        names = {b: f"{b} none {loss}" for b in backbones if f"{b} none {loss}" in cells.runs}
        found = {b: s for b, n in names.items() if np.isfinite(s := strength(cells, n))}
        if len(found) > 1:
            listed = ", ".join(f"{b} {s:.0%}" for b, s in found.items())
            answers.append(
                f"Strength of style with loss={loss}, the share of the content pictures' distance "
                f"to the held-out paintings that is gone, mean of the evaluators: {listed}."
            )
    return answers


def peaks(cells: Cells, backbones: Sequence[str]) -> dict[str, pd.DataFrame]:
    """The peakiness of some backbones, unsmoothed, as far as their data are still there."""
    plain = {
        f"{r.backbone}, {trained(r)}": r
        for r in cells.runs.values()
        if r.backbone in backbones and r.params["backbone.smoothing"] == "none"
    }
    workspace = Workspace()
    found = {key: activations(cells.tracker, run, workspace) for key, run in plain.items()}
    return {key: table for key, table in found.items() if table is not None}


def activations(tracker: Tracker, run: RunRecord, workspace: Workspace) -> pd.DataFrame | None:
    """The peakiness of a run's backbone on its content pictures; None where they are gone."""
    config = restored(tracker.read_json(run.run_id, Artifact.CONFIG))
    try:
        content = load_content(config, workspace)
        backbone = load_backbone(config, workspace.backbones)
    except InputError:
        return None
    now = content.digest, backbone.digest
    if now != (run.content_digest, run.weights_digest):
        return None
    return peakiness.by_depth(backbone, to_float(content.pixels))


def extremes(table: pd.DataFrame) -> tuple[float, float, float, float]:
    """Least and deepest entropy, largest and deepest peak of a backbone's activations."""
    entropy, peak = (table[column].to_numpy(dtype=float) for column in ("entropy", "peak"))
    return entropy.min(), entropy[-1], peak.max(), peak[-1]


def weights(cells: Cells) -> Section:
    """Whether random weights do as well."""
    answers = []
    known = dict.fromkeys(run.backbone for run in cells.runs.values())
    both = [b for b in known if {f"{b} random", f"{b} ImageNet"} <= set(cells.runs)]
    columns = cells.columns("held_out_distance", "ssim", "recognition")
    pairs = [Versus(f"{b} random", f"{b} ImageNet", c) for b in both for c in columns]
    for pair, text in tested(cells, pairs).items():
        answers.append(
            f"{pair.column.name}: {pair.one}{cells.dagger(pair.one, pair.column)} "
            f"{shown(cells.interval(pair.one, pair.column))}, {pair.other}"
            f"{cells.dagger(pair.other, pair.column)} "
            f"{shown(cells.interval(pair.other, pair.column))}; {text}."
        )
    answers += [
        f"{n.rpartition(' ')[0]}: only with {n.rpartition(' ')[2]} weights here."
        for n in cells.runs
        if n.rpartition(" ")[0] not in both
    ]
    names = list(cells.runs)
    backbones = list(dict.fromkeys(n.rpartition(" ")[0] for n in names))
    kinds = ["random", "ImageNet"]
    sheet = pictures(cells, [[f"{b} {k}" for k in kinds] for b in backbones], backbones, kinds)
    return Section(
        "Do random weights transfer style as ImageNet weights do?",
        answers,
        {RESULTS: results(cells, names)},
        {"weights.jpg": (sheet, "One example; backbones down, weights across.")},
    )


def mean_name(p: float, paintings: int) -> str:
    """A cell of `means`."""
    return "one painting" if paintings == 1 else f"power {p:g}, {paintings} paintings"


QUESTIONS: Sequence[tuple[str, Callable[[RunRecord], str], Callable[[Cells], Section]]] = (
    (
        "questions-findings",
        lambda run: f"{run.backbone} ({trained(run)}) {run.agg}",
        findings,
    ),
    (
        "questions-means",
        lambda run: mean_name(float(run.params["agg.p"]), int(run.params["dataset.paintings"])),
        means,
    ),
    (
        "questions-smoothing",
        lambda run: f"{run.backbone} {run.params['backbone.smoothing']} {run.params['loss.name']}",
        smoothing,
    ),
    ("questions-weights", lambda run: f"{run.backbone} {trained(run)}", weights),
)
"""MLflow experiment, name of a run's cell, and the answer from all cells."""


class Versus(NamedTuple):
    """Two cells to be compared in a metric."""

    one: str
    other: str
    column: Column


def tested(cells: Cells, pairs: Sequence[Versus]) -> dict[Versus, str]:
    """How cells compare on the same examples; p adjusted after Holm for all these pairs."""
    rows = []
    for one, other, column in pairs:
        both = {one: cells.values(one, column), other: cells.values(other, column)}
        rows.append(paired(pd.DataFrame(both)))
    if not rows:
        return {}
    table = pd.concat(rows, ignore_index=True)
    table["p_holm"] = holm(table["p"].to_numpy(dtype=float))
    found = {}
    columns = (table["difference"], table["p_holm"], significant(table))
    for pair, difference, p, differs in zip(pairs, *columns, strict=True):
        sure = "significant" if differs else "not significant"
        found[pair] = f"{difference:+.3g} against {pair.other} (p = {p:.2g}, {sure})"
    return found


def verdict(cells: Cells, name: str, found: Interval, limit: float, *, below: bool) -> str:
    """Whether an interval confirms that something lies below, or above, a limit.

    Of trained networks, for the claims are about them; without an interval nothing is decided.
    """
    if trained(cells.runs[name]) == "random":
        return "not tested, for the weights are random"
    if found.high < limit:
        return "confirmed" if below else "refuted"
    if found.low > limit:
        return "refuted" if below else "confirmed"
    return "undecided"


def strength(cells: Cells, name: str) -> float:
    """1 − distance to held-out paintings over the content pictures' own, mean of evaluators."""
    run_id = cells.runs[name].run_id
    shares = []
    for column in cells.columns("held_out_distance"):
        before = cells.scores.of_subject(column, CONTENT).mean()
        table = cells.scores.of_runs(column)
        if run_id in table:
            shares.append(1 - table[run_id].mean() / before)
    return float(np.mean(shares)) if shares else float("nan")


def results(cells: Cells, names: Sequence[str]) -> pd.DataFrame:
    """A row a cell, and what untouched content pictures and real paintings score."""
    columns = cells.columns(*METRICS)
    rows = [
        {
            "model": name,
            "weights": trained(cells.runs[name]),
            **{c.name: shown(cells.interval(name, c)) + cells.dagger(name, c) for c in columns},
        }
        for name in names
    ]
    subjects = {"content pictures, untouched": CONTENT, "held-out paintings": PAINTING}
    for label, subject in subjects.items():
        values = {c.name: cells.scores.of_subject(c, subject) for c in columns}
        found = {k: f"{v.mean():.3g}" if len(v) else "-" for k, v in values.items()}
        if set(found.values()) != {"-"}:
            rows.append({"model": label, "weights": "-", **found})
    return pd.DataFrame(rows)


def pictures(
    cells: Cells, grid: Sequence[Sequence[str]], rows: Sequence[str], columns: Sequence[str]
) -> Image.Image:
    """The results of one example in rows and columns of cells."""
    first = next(iter(cells.runs.values()))
    table = cells.tracker.read_table(first.run_id, Artifact.EXAMPLES)
    file = str(table["picture"].iloc[0])

    def of(name: str) -> np.ndarray | None:
        run = cells.runs.get(name)
        if run is None:
            return None
        picture = Image.fromarray(cells.tracker.read_picture(run.run_id, file))
        return np.asarray(picture.resize((SHOWN, SHOWN), Image.Resampling.LANCZOS))

    example = f"{table['artist'].iloc[0]} / {table['content'].iloc[0]}"
    return sheets.grid([[of(name) for name in row] for row in grid], rows, columns, example)


def lines(
    cells: Cells, names: Mapping[tuple[float, int], str], columns: Sequence[Column]
) -> Figure:
    """Metrics against the number of paintings, a line an order of the mean."""
    figure = Figure(figsize=(5.5 * len(columns), 3.8), layout="constrained")
    numbers = sorted({n for _, n in names})
    for axes, column in zip(
        figure.subplots(1, len(columns), squeeze=False)[0], columns, strict=True
    ):
        for p in sorted({p for p, _ in names}):
            there = [n for n in numbers if n > 1 and names[p, n] in cells.runs]
            found = [cells.interval(names[p, n], column) for n in there]
            [line] = axes.plot(there, [f.mean for f in found], "o-", label=f"power {p:g}", ms=4)
            axes.fill_between(
                there,
                [f.low for f in found],
                [f.high for f in found],
                alpha=0.1,
                color=line.get_color(),
            )
        if "one painting" in cells.runs:
            one = cells.interval("one painting", column)
            spread = [[one.mean - one.low], [one.high - one.mean]]
            axes.errorbar([1], [one.mean], yerr=spread, fmt="ks", ms=4, label="one painting")
        axes.set(xscale="log", xlabel="paintings", title=column.name)
        axes.set_xticks(numbers, [str(n) for n in numbers], minor=False)
        axes.minorticks_off()
    figure.legend(*axes.get_legend_handles_labels(), loc="outside right center", fontsize=8)
    return figure


def made_with(cells: Cells) -> str:
    """Under what the runs of a question were made, in a sentence or two."""
    runs = list(cells.runs.values())
    known = {run.backbone: set[str]() for run in runs}
    for run in runs:
        known[run.backbone].add(run.weights or "?")
    evaluators = {
        f"{name} ({evaluator.weights})"
        for run in runs
        for name, evaluator in run.evaluators.items()
    }
    listed = [f"{name}: {' and '.join(sorted(weights))}" for name, weights in known.items()]
    first = runs[0]
    examples = len(first.artists) * len(first.contents)
    option = first.params.get
    painters = "procedural painters, " if option("dataset.name") == "sample" else ""
    return (
        f"{len(runs)} runs of {examples} examples (dataset={option('dataset.name')}, {painters}"
        f"{'; '.join(first.artists)} × "
        f"{'; '.join(first.contents)}), {option('image_size')} pixels a side, {option('epochs')} "
        f"epochs of {option('optimizer.name')}, {option('precision')}. Weights: "
        f"{'; '.join(listed)}. "
        f"Evaluators: {', '.join(sorted(evaluators)) or 'none, for want of weights'}."
    )


def left_open(cells: Iterable[Cells]) -> list[str]:
    """What these runs cannot say, for want of weights."""
    runs = [run for one in cells for run in one.runs.values()]
    backbones = dict.fromkeys(run.backbone for run in runs)
    kinds = {b: {trained(r) for r in runs if r.backbone == b} for b in backbones}
    files = sorted({r.weights for r in runs if r.weights.endswith(".h5")})
    untrained = [b for b, known in kinds.items() if known == {"random"}]
    answers = []
    if untrained:
        answers.append(
            f"{', '.join(untrained)} had random weights only. What is said of them above is no "
            "answer about trained networks: ImageNet weights still have to show it."
        )
    if files:
        answers.append(
            f"Weights from files ({', '.join(files)}) may hold a part of the network, and then "
            "only layers up to there were used, by backbones and by evaluators."
        )
    if any(run.params.get("dataset.name") == "sample" for run in runs):
        answers.append(
            "The painters are procedural. Their paintings have more grain than photographs have; "
            "real artists' may have less, and then the same picture counts as grainier."
        )
    absent = [b for b in ("vgg", "resnet", "inception", "mobilenet") if b not in backbones]
    if absent:
        answers.append(f"{', '.join(absent)} with the published layers: not run.")
    return answers or ["Nothing: every backbone was run with ImageNet weights in full."]


def write(folder: Path, found: Sequence[tuple[Cells, Section]]) -> list[Path]:
    """Write the page and its pictures; returns the files."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    intro = (
        "Means over the examples with 95 % intervals; paired tests on the same examples "
        f"(Wilcoxon), adjusted after Holm for all that a question's answers name. {DAGGER_NOTE}"
    )
    text = ["# Questions about style transfer from many paintings", "", intro, ""]
    for number, (cells, section) in enumerate(found, start=1):
        text += [f"## {number}. {section.title}", "", made_with(cells), ""]
        text += [*(f"- {answer}" for answer in section.answers), ""]
        for file, (drawing, caption) in section.pictures.items():
            if isinstance(drawing, Figure):
                drawing.savefig(folder / file, dpi=110)
            else:
                drawing.save(folder / file, quality=85)
            written.append(folder / file)
            text += [f"![{caption}]({file})", "", f"*{caption}*", ""]
        for caption, table in section.tables.items():
            text += [caption, "", table.to_markdown(index=False, disable_numparse=True), ""]
    text += [
        "## What this leaves open",
        "",
        *(f"- {a}" for a in left_open(c for c, _ in found)),
        "",
    ]
    page = folder / "questions.md"
    page.write_text("\n".join(text), encoding="utf-8")
    return [page, *written]
