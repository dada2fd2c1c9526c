"""The study's result, read from MLflow: its table beside the published one, curves, test sheets."""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import jinja2
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from PIL import Image

from benchmark.analysis import model_selection as training
from benchmark.config.errors import ConfigError
from benchmark.tracking.records import Artifact, RunRecord, image_key
from benchmark.tracking.tracker import Tracker

PUBLISHED: Mapping[tuple[str, str], tuple[str, int]] = {
    ("vgg", "simple"): ("rmsprop", 36),
    ("vgg", "squared"): ("rmsprop", 63),
    ("vgg", "logged"): ("adam", 100),
    ("resnet", "simple"): ("adam", 100),
    ("resnet", "squared"): ("adam", 26),
    ("resnet", "logged"): ("adam", 62),
    ("inception", "simple"): ("adam", 59),
    ("inception", "squared"): ("rmsprop", 100),
    ("inception", "logged"): ("adam", 100),
    ("mobilenet", "simple"): ("adam", 100),
    ("mobilenet", "squared"): ("adam", 100),
    ("mobilenet", "logged"): ("adam", 100),
}
"""Best optimiser and its epochs of each model, (backbone, aggregation); the study, section 1."""

TEMPLATE = Path(__file__).with_name("study.html.jinja")

SHEET_WIDTH = 1600
"""Most pixels across of a test sheet inside the HTML page; the PNG beside it has them all."""


@dataclass(frozen=True)
class Model:
    """One model of the study: a backbone with an aggregation.

    Attributes:
        backbone: its name.
        agg: the aggregation's name.
        training: the run that counts with each optimiser.
        test: the last finished test run of the winner; None: there is none.
    """

    backbone: str
    agg: str
    training: Mapping[str, RunRecord]
    test: RunRecord | None

    @property
    def title(self) -> str:
        """For people."""
        return f"{self.backbone} {self.agg}"

    @property
    def best(self) -> RunRecord | None:
        """The training run that won."""
        return training.best(self.training.values())


@dataclass(frozen=True)
class Study:
    """The runs of an MLflow experiment that make one study.

    Attributes:
        name: of the experiment.
        models: in the order in which they were first trained.
        conditions: what all their runs have in common, by option.
        left_out: how many runs were made under other conditions than the last training run.
    """

    name: str
    models: Sequence[Model]
    conditions: Mapping[str, str]
    left_out: int

    @property
    def runs(self) -> list[RunRecord]:
        """All its runs."""
        return [r for m in self.models for r in (*m.training.values(), m.test) if r is not None]


def gathered(name: str, records: Sequence[RunRecord]) -> Study:
    """The study to which the last training run belongs.

    Args:
        name: of the MLflow experiment.
        records: its runs, in the order of their start.

    Raises:
        ConfigError: there is no training run.
    """
    trained = [run for run in records if run.params.get("split") == "train"]
    tested = [run for run in records if run.params.get("split") == "test"]
    if not trained:
        raise ConfigError(
            f"experiment '{name}' has no training run of a study (split=train): "
            "python -m benchmark -m experiment=study makes them"
        )
    shared = (*training.TRIED, *training.MODEL)
    wanted = training.conditions(trained[-1], shared)
    same = training.alike(trained, wanted, shared)
    runs: dict[tuple[str, str], list[RunRecord]] = {}
    for run in same:
        runs.setdefault((run.backbone, run.agg), []).append(run)
    counted = {cell: training.like_the_last(one) for cell, one in runs.items()}
    models = [_model(*cell, one, tested) for cell, one in counted.items()]
    return Study(name, models, wanted, len(trained) - sum(map(len, counted.values())))


def _model(
    backbone: str, agg: str, runs: Sequence[RunRecord], tested: Sequence[RunRecord]
) -> Model:
    """A model from its training runs under like conditions, and the test of what won."""
    tried = training.trials(runs)
    won = training.best(tried.values())
    free = (*training.TRIED, *training.LIMITS, "split")
    wanted = training.conditions(runs[-1], free)
    wanted.pop("content_digest", None)  # a test's pictures are others
    tests = [
        run
        for run in training.alike(tested, wanted, free)
        if won is not None
        and run.status == "finished"
        and (run.backbone, run.agg) == (backbone, agg)
        and run.optimizer == won.optimizer
        and run.results.epochs_done == won.results.epochs_done
    ]
    return Model(backbone, agg, tried, tests[-1] if tests else None)


def table(found: Sequence[Model]) -> pd.DataFrame:
    """One row a model: best optimiser and its epochs, ours and published, and every mean loss.

    Losses are means over the training examples; they compare optimisers within a row, never
    rows: other backbones have other layers.
    """
    optimizers = list(dict.fromkeys(name for model in found for name in model.training))
    rows = []
    for model in found:
        best = model.best
        published = PUBLISHED.get((model.backbone, model.agg), (None, None))
        optimizer = best.optimizer if best else None
        rows.append(
            {
                "backbone": model.backbone,
                "agg": model.agg,
                "optimizer": optimizer,
                "epochs": best.results.epochs_done if best else None,
                "published_optimizer": published[0],
                "published_epochs": published[1],
                **{f"loss_{name}": _loss(model.training.get(name)) for name in optimizers},
                "weights": best.weights or None if best else None,
                "lacking": ", ".join(_lacking(model, optimizers)),
            }
        )
    whole = pd.DataFrame(rows).astype({"epochs": "Int64", "published_epochs": "Int64"})
    return whole if whole["lacking"].any() else whole.drop(columns="lacking")


def curves(tracker: Tracker, model: Model) -> Figure:
    """Mean total loss of a model over the epochs, a line an optimiser."""
    figure = Figure(figsize=(6, 3.6), layout="constrained")
    axes = figure.subplots()
    for optimizer, run in model.training.items():
        steps, losses = tracker.loss_history(run.run_id)
        ending = "" if run.status == "finished" else f" ({run.status})"
        [line] = axes.plot(steps, losses, label=f"{optimizer}{ending}")
        if len(steps):
            axes.plot(steps[-1:], losses[-1:], "o", color=line.get_color(), markersize=4)
    if axes.lines:
        axes.set_yscale("log")
        axes.legend()
    axes.set(xlabel="epoch", ylabel="mean total loss", title=model.title)
    return figure


def test_sheet(tracker: Tracker, model: Model) -> np.ndarray | None:
    """The results of a model's test, artists down and content pictures across, uint8."""
    if model.test is None or not tracker.has_artifact(model.test.run_id, Artifact.CONTACT_SHEET):
        return None
    return tracker.read_picture(model.test.run_id, Artifact.CONTACT_SHEET)


def write(tracker: Tracker, study: Study, folder: Path) -> list[Path]:
    """Write a study's table, curves and test sheets; returns the files.

    `study.csv`, `.md`, `.tex`, `curves/MODEL.png`, `tests/MODEL.png`, and `study.html`, one file
    that holds them all.
    """
    results = table(study.models)
    texts = {
        "study.csv": results.to_csv(index=False),
        "study.md": "\n".join(
            [
                markdown(results),
                "",
                *(f"- {fact}: {value}" for fact, value in facts(study).items()),
                "",
            ]
        ),
        "study.tex": shown(results).to_latex(index=False, escape=True),
    }
    pages = []
    pictures: dict[str, Image.Image] = {}
    for model in study.models:
        pictures[sheet_file(model, "curves")] = curve = drawn(curves(tracker, model))
        sheet = test_sheet(tracker, model)
        small = None
        if sheet is not None:
            pictures[sheet_file(model)] = whole = Image.fromarray(sheet)
            small = whole.copy()
            small.thumbnail((SHEET_WIDTH, SHEET_WIDTH))
        pages.append((model, embedded(curve, "png"), small and embedded(small, "jpeg")))
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined)
    texts["study.html"] = environment.from_string(TEMPLATE.read_text(encoding="utf-8")).render(
        study=study,
        conditions=facts(study),
        columns=list(shown(results).columns),
        rows=shown(results).to_numpy().tolist(),
        pages=pages,
        random=any(run.weights == "random" for run in study.runs),
    )
    folder.mkdir(parents=True, exist_ok=True)
    for file, text in texts.items():
        (folder / file).write_text(text, encoding="utf-8")
    for file, picture in pictures.items():
        (folder / file).parent.mkdir(exist_ok=True)
        picture.save(folder / file)
    for model in study.models:
        if model.test is None:  # the sheet of an earlier export would belong to other runs
            (folder / sheet_file(model)).unlink(missing_ok=True)
    return [folder / file for file in (*texts, *pictures)]


def sheet_file(model: Model, folder: str = "tests") -> str:
    """Where a model's picture is written."""
    return f"{folder}/{image_key(model.title).replace(' ', '_')}.png"


def facts(study: Study) -> dict[str, str]:
    """Under what conditions a study was made, for people."""
    trained = next((r for m in study.models for r in m.training.values() if r.artists), None)
    test = next((model.test for model in study.models if model.test is not None), None)
    option = study.conditions.get
    return {
        "artists": "; ".join(trained.artists) if trained else "-",
        "paintings of each": f"{option('dataset.paintings')}, {option('dataset.selection')}",
        "training pictures": "; ".join(trained.contents) if trained else "-",
        "test pictures": "; ".join(test.contents) if test else "not tested yet",
        "pixels a side": str(option("image_size")),
        "epochs": f"at most {option('epochs')}; less than "
        f"{option('early_stopping.min_improvement')} improvement in "
        f"{option('early_stopping.patience')} ends a run",
        "weights": ", ".join(sorted({r.weights for r in study.runs if r.weights})),
    }


def shown(results: pd.DataFrame) -> pd.DataFrame:
    """The table with headings and numbers as a page prints them."""
    printed = results.astype(object).where(results.notna(), "-")
    for column in printed.columns:
        if column.startswith("loss_"):
            printed[column] = [v if v == "-" else f"{v:.4g}" for v in printed[column]]
    return printed.rename(columns=lambda column: column.replace("_", " "))


def markdown(results: pd.DataFrame) -> str:
    """The table as Markdown, its numbers as they are."""
    return str(shown(results).to_markdown(index=False, disable_numparse=True))


def drawn(figure: Figure) -> Image.Image:
    """A figure as pixels."""
    buffer = BytesIO()
    figure.savefig(buffer, format="png", dpi=110)
    return Image.open(buffer).convert("RGB")


def embedded(picture: Image.Image, kind: str) -> str:
    """A picture as an address that holds it."""
    buffer = BytesIO()
    picture.save(buffer, kind)
    return f"data:image/{kind};base64,{base64.b64encode(buffer.getvalue()).decode()}"


def _loss(run: RunRecord | None) -> float | None:
    return run.results.final_total_loss if run and run.status == "finished" else None


def _lacking(model: Model, optimizers: Sequence[str]) -> list[str]:
    """What a row lacks to be complete: runs that are missing or did not finish."""
    missing = [f"{name} missing" for name in optimizers if name not in model.training]
    unfinished = [
        f"{name} {run.status}" for name, run in model.training.items() if run.status != "finished"
    ]
    return missing + unfinished
