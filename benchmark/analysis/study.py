"""A study's results, read from MLflow: its table beside the published one, curves, test sheets."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from PIL import Image

from benchmark.analysis import model_selection as selection
from benchmark.analysis.charts import color, loss_chart, loss_histories, to_png, to_svg
from benchmark.analysis.pages import (
    Content,
    as_text,
    data_uri,
    jpeg_uri,
    render,
    table_files,
    write_files,
)
from benchmark.config.errors import ConfigError
from benchmark.tracking.records import Artifact, RunRecord, image_key
from benchmark.tracking.tracker import Tracker

PUBLISHED: Mapping[str, Mapping[str, tuple[str, int]]] = {
    "vgg": {"simple": ("rmsprop", 36), "squared": ("rmsprop", 63), "logged": ("adam", 100)},
    "resnet": {"simple": ("adam", 100), "squared": ("adam", 26), "logged": ("adam", 62)},
    "inception": {"simple": ("adam", 59), "squared": ("rmsprop", 100), "logged": ("adam", 100)},
    "mobilenet": {"simple": ("adam", 100), "squared": ("adam", 100), "logged": ("adam", 100)},
}
"""Best optimiser and its epochs by backbone and aggregation; the study, section 1."""


@dataclass(frozen=True)
class StudyModel:
    """A backbone with an aggregation: the training run that counts of each optimiser, the test."""

    backbone: str
    agg: str
    training: Mapping[str, RunRecord]
    test: RunRecord | None

    @property
    def title(self) -> str:
        """Backbone and aggregation."""
        return f"{self.backbone} {self.agg}"

    @property
    def file(self) -> str:
        """Name of its pictures' files."""
        return f"{image_key(self.title).replace(' ', '_')}.png"


@dataclass(frozen=True)
class Study:
    """The runs of an MLflow experiment that make one study.

    `left_out` counts the training runs under other conditions than the last.
    """

    name: str
    models: Sequence[StudyModel]
    conditions: Mapping[str, str]
    left_out: int

    @property
    def runs(self) -> list[RunRecord]:
        """All its runs."""
        return [r for m in self.models for r in (*m.training.values(), m.test) if r is not None]


def select_study(name: str, records: Sequence[RunRecord]) -> Study:
    """The study to which the last training run of an experiment belongs; ConfigError if none is."""
    trained = [run for run in records if run.params.get("split") == "train"]
    tested = [run for run in records if run.params.get("split") == "test"]
    if not trained:
        raise ConfigError(
            f"experiment '{name}' has no training run of a study (split=train): "
            "start them with python -m benchmark -m experiment=study"
        )
    shared = (*selection.VARIED, *selection.MODEL)
    conditions = selection.conditions(trained[-1], shared)
    by_model: dict[tuple[str, str], list[RunRecord]] = {}
    for run in selection.under(conditions, trained, shared):
        by_model.setdefault((run.backbone, run.agg), []).append(run)
    comparable = [selection.like_the_last(runs) for runs in by_model.values()]
    models = [_model(runs, tested) for runs in comparable]
    return Study(name, models, conditions, len(trained) - sum(map(len, comparable)))


def _model(runs: Sequence[RunRecord], tested: Sequence[RunRecord]) -> StudyModel:
    """A model from its training runs under equal conditions, and the test of the best."""
    training, last = selection.by_optimizer(runs), runs[-1]
    best = selection.best_run(training.values())
    conditions = selection.conditions(last, selection.FREE_IN_TEST)
    conditions.pop("content_digest", None)  # A test has other content pictures.
    tests = [
        run
        for run in selection.under(conditions, tested, selection.FREE_IN_TEST)
        if best is not None
        and run.status == "finished"
        and (run.backbone, run.agg, run.optimizer) == (last.backbone, last.agg, best.optimizer)
        and run.results.epochs_done == best.results.epochs_done
    ]
    return StudyModel(last.backbone, last.agg, training, tests[-1] if tests else None)


def study_table(models: Sequence[StudyModel]) -> pd.DataFrame:
    """One row per model: best optimiser and its epochs, ours and published, and every mean loss.

    Losses are means over the training examples; they compare optimisers within a row, never
    rows: other backbones have other layers.
    """
    optimizers = list(dict.fromkeys(name for model in models for name in model.training))
    rows = []
    for model in models:
        best = selection.best_run(model.training.values())
        published = PUBLISHED.get(model.backbone, {}).get(model.agg, (None, None))
        runs = model.training.items()
        losses = {n: r.results.final_total_loss for n, r in runs if r.status == "finished"}
        incomplete = [f"{name} missing" for name in optimizers if name not in model.training]
        incomplete += [f"{name} {run.status}" for name, run in runs if name not in losses]
        rows.append(
            {
                "backbone": model.backbone,
                "agg": model.agg,
                "optimizer": best.optimizer if best else None,
                "epochs": best.results.epochs_done if best else None,
                "published_optimizer": published[0],
                "published_epochs": published[1],
                **{f"loss_{name}": losses.get(name) for name in optimizers},
                "weights": best.weights or None if best else None,
                "incomplete": ", ".join(incomplete),
            }
        )
    table = pd.DataFrame(rows).astype({"epochs": "Int64", "published_epochs": "Int64"})
    return table if table["incomplete"].any() else table.drop(columns="incomplete")


def with_headings(table: pd.DataFrame) -> pd.DataFrame:
    """The table under headings to be read."""
    return table.rename(columns=lambda column: column.replace("_", " "))


def write_study(tracker: Tracker, study: Study, folder: Path) -> list[Path]:
    """Write a study's table, curves and test sheets; returns the files.

    `study.csv`, `.md`, `.tex`, `curves/MODEL.png`, `tests/MODEL.png`, and `study.html`, one file
    that holds them all.
    """
    table, facts = study_table(study.models), study_facts(study)
    cells = as_text(with_headings(table))
    texts = table_files("study", table, with_headings(table))
    texts["study.md"] += "\n" + "".join(f"- {fact}: {value}\n" for fact, value in facts.items())
    files: dict[str, Content] = {**texts}
    pages = []
    for model in study.models:
        curve = embedded_sheet = None
        lines = {
            name if run.status == "finished" else f"{name} ({run.status})": run
            for name, run in model.training.items()
        }
        histories = loss_histories(tracker, lines)
        if len(histories):
            line = color("run", None)
            chart = loss_chart(histories, "mean total loss", line, title=model.title)
            png = files[f"curves/{model.file}"] = to_png(to_svg(chart.to_dict()))
            curve = data_uri(png, "png")
        if model.test and tracker.has_artifact(model.test.run_id, Artifact.CONTACT_SHEET):
            sheet = Image.fromarray(tracker.read_picture(model.test.run_id, Artifact.CONTACT_SHEET))
            files[f"tests/{model.file}"] = sheet
            embedded_sheet = jpeg_uri(sheet, 1600)  # The PNG beside the page has all pixels.
        pages.append((model, curve, embedded_sheet))
        if model.test is None:  # The sheet of an earlier export would belong to other runs.
            (folder / "tests" / model.file).unlink(missing_ok=True)
    files["study.html"] = render(
        Path(__file__).with_name("study.html.jinja"),
        study=study,
        facts=facts,
        columns=list(cells.columns),
        rows=cells.to_numpy().tolist(),
        pages=pages,
        has_random_weights=any(run.weights == "random" for run in study.runs),
    )
    return write_files(folder, files)


def study_facts(study: Study) -> dict[str, str]:
    """The conditions under which a study was made."""
    trained = next((r for m in study.models for r in m.training.values() if r.artists), None)
    test = next((model.test for model in study.models if model.test is not None), None)
    option = study.conditions.get
    return {
        "artists": "; ".join(trained.artists) if trained else "-",
        "paintings of each": f"{option('dataset.paintings')}, {option('dataset.selection')}",
        "training pictures": "; ".join(trained.contents) if trained else "-",
        "test pictures": "; ".join(test.contents) if test else "not tested yet",
        "pixels a side": str(option("image_size")),
        "epochs": f"at most {option('epochs')}; a run ends after "
        f"{option('early_stopping.patience')} with less than "
        f"{option('early_stopping.min_improvement')} improvement",
        "weights": ", ".join(sorted({r.weights for r in study.runs if r.weights})),
    }
