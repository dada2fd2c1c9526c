"""The runs of a question, and the page of all answers."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import altair as alt
import numpy as np
import pandas as pd
from PIL import Image

from benchmark.analysis.charts import to_png, to_svg
from benchmark.analysis.comparison import DAGGER_NOTE, Place, RunSet
from benchmark.analysis.pages import Content, markdown, write_files
from benchmark.images import sheets
from benchmark.metrics.table import CONTENT, PAINTING
from benchmark.tracking.records import Artifact, RunRecord
from benchmark.tracking.tracker import NotFoundError, Tracker

EQUAL_OPTIONS = (
    *("image_size", "epochs", "steps_per_epoch", "seed", "init", "keep", "precision"),
    *("optimizer.name", "optimizer.learning_rate", "dataset.name", "dataset.selection"),
    "dataset.classifier",
)
"""Options in which runs must equal the last one of their experiment to be compared."""


class Answer(NamedTuple):
    """What the runs say to a question: sentences, tables by caption, charts by file and caption."""

    sentences: Sequence[str]
    tables: Mapping[str, pd.DataFrame] = {}
    charts: Mapping[tuple[str, str], alt.TopLevelMixin] = {}


class Question(NamedTuple):
    """A question: MLflow's experiment, rows and columns of its sheet, where a run belongs there.

    `place` is None of a run that is no part of the question; `varied` are options of
    `EQUAL_OPTIONS` in which its runs may differ, as then may the paintings to compare with.
    """

    experiment: str
    title: str
    sheet: str
    place: Callable[[RunRecord], Place | None]
    answer: Callable[[RunSet], Answer]
    name: str = ""  # of its sheet's file; else as its experiment
    varied: Sequence[str] = ()
    metrics: Sequence[str] = ("change", "ssim", "grain", "held_out_distance", "recognition")
    every_artist: bool = False  # whether its sheet has a row for each artist


class Page(NamedTuple):
    """A page of questions with its title and file, and what it says of what they leave open."""

    title: str
    file: str
    questions: Sequence[Question]
    open_points: Callable[[Iterable[RunSet]], list[str]]


def weights_kind(run: RunRecord) -> str:
    """Whether a run's weights are ImageNet's or random."""
    return "random" if run.weights == "random" else "ImageNet"


def runs_of_question(tracker: Tracker, question: Question) -> RunSet | None:
    """The last scored run of each place in an experiment; None if there is none."""
    references = not question.varied
    scored = [run for run in tracker.all_runs() if run.status == "finished" and run.evaluators]
    if not scored:
        return None

    def conditions(run: RunRecord) -> list[object]:
        equal = (option for option in EQUAL_OPTIONS if option not in question.varied)
        options = [run.params.get(option) for option in equal]
        return [*options, run.artists, run.content_digest, references and run.reference_digest]

    last = conditions(scored[-1])
    found = {question.place(run): run for run in scored if conditions(run) == last}
    placed = {place: run for place, run in found.items() if place is not None}
    # Where several questions share an experiment, one run of it is of many, and says nothing alone.
    fewest = 2 if question.varied else 1
    return RunSet(tracker, placed) if len(placed) >= fewest else None


def results_of_runs(runs: RunSet, metrics: Sequence[str]) -> pd.DataFrame:
    """A row a run, and the scores of untouched content pictures and real paintings."""
    columns = runs.of_metrics(*metrics)
    rows = [
        {"model": name, "weights": weights_kind(run)}
        | {column.name: runs.text(name, column) for column in columns}
        for name, run in runs.records.items()
    ]
    baselines = {CONTENT: "content pictures, untouched", PAINTING: "held-out paintings"}
    for subject, label in baselines.items():
        means = {c.name: runs.of_subject(c, subject).mean() for c in columns}
        if not all(map(np.isnan, means.values())):
            texts = {name: "-" if np.isnan(mean) else f"{mean:.3g}" for name, mean in means.items()}
            rows.append({"model": label, "weights": "-", **texts})
    return pd.DataFrame(rows)


def sheet(runs: RunSet) -> Image.Image:
    """The results of one example in the rows and columns of the runs."""
    first = next(iter(runs.places.values()))
    example = runs.tracker.read_table(first.run_id, Artifact.EXAMPLES).iloc[0]
    images: dict[tuple[str, str], np.ndarray] = {}
    shown = {place: run for place, run in runs.places.items() if place.column} or runs.places
    for place, run in shown.items():
        image = Image.fromarray(runs.tracker.read_picture(run.run_id, str(example["picture"])))
        small = image.resize((176, 176), Image.Resampling.LANCZOS)
        images[place.row, place.column] = np.asarray(small)
    return sheets.named_grid(images, f"{example['artist']} / {example['content']}")


def sheet_of_artists(runs: RunSet) -> Image.Image:
    """The results of the first content picture, a row an artist and a column a run."""
    images: dict[tuple[str, str], np.ndarray] = {}
    content = ""
    for place, run in runs.places.items():
        examples = runs.tracker.read_table(run.run_id, Artifact.EXAMPLES)
        for example in examples.drop_duplicates("artist").to_dict("records"):
            content = str(example["content"])
            picture = runs.tracker.read_picture(run.run_id, str(example["picture"]))
            small = Image.fromarray(picture).resize((144, 144), Image.Resampling.LANCZOS)
            images[str(example["artist"]), place.name] = np.asarray(small)
    return sheets.named_grid(images, content)


def setting(runs: RunSet) -> str:
    """Under what the runs of a question were made, in a sentence or two."""
    records = list(runs.places.values())
    weights: dict[str, set[str]] = {}
    for run in records:
        weights.setdefault(run.backbone, set()).add(run.weights)
    evaluators = {f"{n} ({e.weights})" for run in records for n, e in run.evaluators.items()}
    first = records[0]
    option = first.params.get
    painters = "procedural painters, " if option("dataset.name") == "sample" else ""
    listed = "; ".join(f"{name}: {' and '.join(sorted(kinds))}" for name, kinds in weights.items())
    return (
        f"{len(records)} runs of {len(first.artists) * len(first.contents)} examples "
        f"(dataset={option('dataset.name')}, {painters}{'; '.join(first.artists)} × "
        f"{'; '.join(first.contents)}), {option('image_size')} pixels a side, {option('epochs')} "
        f"epochs of {option('optimizer.name')}, {option('precision')}. Weights: {listed}. "
        f"Evaluators: {', '.join(sorted(evaluators)) or 'none, because weights are missing'}."
    )


def open_points(answered: Iterable[RunSet]) -> list[str]:
    """What these runs cannot say, because weights or paintings are missing."""
    runs = [run for of_question in answered for run in of_question.places.values()]
    backbones = list(dict.fromkeys(run.backbone for run in runs))
    trained = {run.backbone for run in runs if run.weights != "random"}
    untrained = [backbone for backbone in backbones if backbone not in trained]
    files = sorted({run.weights for run in runs if run.weights.endswith(".h5")})
    reduced = list(dict.fromkeys(r.backbone for r in runs if r.weights == "imagenet, 8-bit"))
    absent = [b for b in ("vgg", "resnet", "inception", "mobilenet") if b not in backbones]
    points = {
        f"{', '.join(untrained)} had random weights only. What is said of them above is no "
        "answer about trained networks: ImageNet weights still have to show it.": untrained,
        f"{', '.join(reduced)} had ImageNet weights in 8 bits.": reduced,
        f"Weights from files ({', '.join(files)}) may hold a part of the network, and then "
        "only layers up to there were used, by backbones and by evaluators.": files,
        "The painters are procedural. Their paintings have more grain than photographs have; "
        "real artists' may have less, and then the same picture counts as grainier.": [
            run for run in runs if run.params.get("dataset.name") == "sample"
        ],
        f"{', '.join(absent)} with the published layers: not run.": absent,
    }
    nothing = "Nothing: every backbone was run with ImageNet weights in full."
    return [point for point, applies in points.items() if applies] or [nothing]


def write_answers(
    page: Page, open_experiment: Callable[[str], Tracker], folder: Path
) -> list[Path]:
    """Write the page and its pictures; returns the files, none if no question was run.

    `open_experiment` gives the tracker of an MLflow experiment; NotFoundError: there is none.
    """
    files: dict[str, Content] = {page.file: ""}
    answered: list[RunSet] = []
    text = [
        f"# {page.title}",
        "Means over the examples with 95 % intervals; paired tests on the same examples "
        f"(Wilcoxon), adjusted after Holm for all that a question's answers name. {DAGGER_NOTE}",
    ]
    for question in page.questions:
        try:
            runs = runs_of_question(open_experiment(question.experiment), question)
        except NotFoundError:
            continue
        if runs is None:
            continue
        answered.append(runs)
        answer = question.answer(runs)
        name = f"{question.name or question.experiment.removeprefix('questions-')}.jpg"
        captions = dict(answer.charts.keys()) | {name: f"One example; {question.sheet}."}
        files |= {
            file: to_png(to_svg(chart.to_dict())) for (file, _), chart in answer.charts.items()
        }
        files[name] = (sheet_of_artists if question.every_artist else sheet)(runs)
        tables = {
            "Means over the examples with 95 % intervals.": results_of_runs(runs, question.metrics)
        }
        tables |= answer.tables
        text += [
            f"## {len(answered)}. {question.title}",
            setting(runs),
            _listed(answer.sentences),
            *(f"![{caption}]({file})\n\n*{caption}*" for file, caption in captions.items()),
            *(f"{caption}\n\n{markdown(table)}" for caption, table in tables.items()),
        ]
    text += ["## What this leaves open", _listed(page.open_points(answered))]
    files[page.file] = "\n\n".join(text) + "\n"
    return write_files(folder, files) if answered else []


def _listed(sentences: Iterable[str]) -> str:
    return "\n".join(f"- {sentence}" for sentence in sentences)
