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

from benchmark import record
from benchmark.errors import ConfigError
from benchmark.tracking import RunRecord, Tracker, image_key

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
        training: the last training run with each optimiser.
        test: the last test run; None: there is none.
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
        """The finished training run with the lowest mean total loss."""
        finished = [run for run in self.training.values() if run.status == "FINISHED"]
        return min(finished, key=lambda run: run.metrics["final_total_loss"], default=None)


def models(records: Sequence[RunRecord]) -> list[Model]:
    """The models among the runs of a study, in the order in which they were first trained.

    Args:
        records: in the order of their start; of runs repeated, the last counts.

    Raises:
        ConfigError: there is no training run.
    """
    found: dict[tuple[str, str], dict[str, RunRecord]] = {}
    tests: dict[tuple[str, str], RunRecord] = {}
    for run in records:
        model = (run.tags.get("backbone", "?"), run.tags.get("agg", "?"))
        if run.params.get("split") == "train":
            found.setdefault(model, {})[run.tags.get("optimizer", "?")] = run
        elif run.params.get("split") == "test" and run.status == "FINISHED":
            tests[model] = run
    if not found:
        raise ConfigError(
            "there is no training run of a study (split=train) in this experiment: "
            "python -m benchmark -m experiment=study makes them"
        )
    return [Model(*model, runs, tests.get(model)) for model, runs in found.items()]


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
        optimizer = best.tags["optimizer"] if best else None
        rows.append(
            {
                "backbone": model.backbone,
                "agg": model.agg,
                "optimizer": optimizer,
                "epochs": best.metrics["epochs_done"] if best else None,
                "published_optimizer": published[0],
                "published_epochs": published[1],
                "same_optimizer": None
                if None in (optimizer, published[0])
                else "yes"
                if optimizer == published[0]
                else "no",
                **{f"loss_{name}": _loss(model.training.get(name)) for name in optimizers},
                "weights": best.tags.get("weights") if best else None,
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
        steps, losses = tracker.history(run.run_id, "total_loss")
        ending = "" if run.status == "FINISHED" else f" ({run.tags.get('status')})"
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
    if model.test is None or not tracker.has_artifact(model.test.run_id, record.CONTACT_SHEET):
        return None
    return tracker.read_picture(model.test.run_id, record.CONTACT_SHEET)


def write(tracker: Tracker, found: Sequence[Model], folder: Path, name: str) -> list[Path]:
    """Write a study's table, curves and test sheets; returns the files.

    `study.csv`, `.md`, `.tex`, `curves/MODEL.png`, `tests/MODEL.png`, and `study.html`, one file
    that holds them all.
    """
    results = table(found)
    texts = {
        "study.csv": results.to_csv(index=False),
        "study.md": markdown(results) + "\n",
        "study.tex": shown(results).to_latex(index=False, escape=True),
    }
    pages = []
    pictures: dict[str, Image.Image] = {}
    for model in found:
        file = image_key(model.title).replace(" ", "_")
        pictures[f"curves/{file}.png"] = curve = drawn(curves(tracker, model))
        sheet = test_sheet(tracker, model)
        small = None
        if sheet is not None:
            pictures[f"tests/{file}.png"] = whole = Image.fromarray(sheet)
            small = whole.copy()
            small.thumbnail((SHEET_WIDTH, SHEET_WIDTH))
        pages.append((model, embedded(curve, "png"), small and embedded(small, "jpeg")))
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined)
    texts["study.html"] = environment.from_string(TEMPLATE.read_text(encoding="utf-8")).render(
        name=name,
        columns=list(shown(results).columns),
        rows=shown(results).to_numpy().tolist(),
        pages=pages,
        runs=[run for model in found for run in (*model.training.values(), model.test) if run],
        random="random" in set(results["weights"]),
    )
    folder.mkdir(parents=True, exist_ok=True)
    for file, text in texts.items():
        (folder / file).write_text(text, encoding="utf-8")
    for file, picture in pictures.items():
        (folder / file).parent.mkdir(exist_ok=True)
        picture.save(folder / file)
    return [folder / file for file in (*texts, *pictures)]


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
    return run.metrics.get("final_total_loss") if run and run.status == "FINISHED" else None


def _lacking(model: Model, optimizers: Sequence[str]) -> list[str]:
    """What a row lacks to be complete: runs that are missing or did not finish."""
    missing = [f"{name} missing" for name in optimizers if name not in model.training]
    unfinished = [
        f"{name} {run.tags.get('status', run.status.lower())}"
        for name, run in model.training.items()
        if run.status != "FINISHED"
    ]
    return missing + unfinished
