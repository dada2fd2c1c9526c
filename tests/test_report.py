"""The report and the export of metrics, from a store that is made here by hand."""

from collections.abc import Iterable, Mapping, Sequence
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from mlflow import MlflowClient

from benchmark import export
from benchmark.analysis import comparison
from benchmark.images import sheets
from benchmark.report import __main__ as report
from benchmark.report import gallery, results
from benchmark.tracking.records import (
    Artifact,
    Evaluator,
    PaintingLoss,
    RunFacts,
    Status,
    SweepFacts,
    content_file,
    painting_file,
    result_file,
)
from benchmark.tracking.tracker import Tracker

ARTISTS = ("Käthe <script>alert(1)</script>", 'Ann "A" & Co')
CONTENTS = ("one", "two", "3", "vier")
COMMAND = "python -m benchmark -m agg=simple,'a & b'"
EVIL = "<img src=x onerror=alert(2)>"
METRICS = {
    "ssim": {"better": "higher", "range": "[-1, 1]", "about": "content kept", "label": "SSIM"},
    "grain": {"better": "one", "range": "[0, ∞)", "about": EVIL, "label": "grain"},
    "change": {"better": "none", "range": "[0, 1]", "about": "how far it moved"},
    "held_out_distance": {"better": "lower", "label": "held-out paintings"},
    "recognition": {"better": "higher", "label": "recognised", "rate": True, "new": 1},
}


class Page(HTMLParser):
    """The tags of a page, with their attributes, and its text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


def scores(values: Mapping[str, Iterable[float]]) -> str:
    """A run's table: metric or metric.evaluator → a value per example, and two baselines."""
    examples = [(artist, content) for artist in ARTISTS for content in CONTENTS]
    rows = [
        (*example, subject, *name.partition(".")[::2], layer, value)
        for name, each in values.items()
        for example, value in zip(examples, each, strict=True)
        for subject, layer, value in (
            ("result", "", value),
            ("content", "", 1.0),
            ("result", "conv1", 9.0),
        )
    ]
    rows += [
        (ARTISTS[0], f"painting {n}", "painting", "grain", "", "", 1 + n / 10) for n in range(3)
    ]
    columns = ["artist", "content", "subject", "metric", "evaluator", "layer", "value"]
    return pd.DataFrame(rows, columns=columns).to_csv(index=False)


def example_table(examples: Sequence[tuple[str, str]]) -> pd.DataFrame:
    """As runs log it; of dtype object, for MLflow asks what pandas is about to change."""
    return pd.DataFrame(examples, columns=["artist", "content"], dtype=object)


def painting_table(examples: Sequence[tuple[str, str]]) -> pd.DataFrame:
    """Two paintings for each example, of which the first is nearer; no shares for one example."""
    rows = [
        (*example, painting, loss, float("nan") if example == examples[0] else share, share > 0.5)
        for example in examples
        for painting, loss, share in ((f"boat {EVIL}", 1.5, 0.75), ("07", 4.5, 0.25))
    ]
    return pd.DataFrame(rows, columns=[*PaintingLoss.model_fields], dtype=object)


def add_run(
    tracker: Tracker,
    agg: str,
    values: Mapping[str, Iterable[float]] | None,
    status: Status = "finished",
    reason: str = "all epochs were done",
    optimised: bool = False,
    **skipped: str,
) -> None:
    """A run with pictures and scores; without values one that left nothing but its end."""
    number = len(tracker.runs_of("größe"))
    facts = RunFacts(
        sweep="größe", fingerprint="x", number=number, backbone="vgg", agg=agg, optimizer="adam"
    )
    log = tracker.start(f"vgg · {agg}", facts)
    log.params({"epochs": 3, "agg.name": agg, "image_size": 8})
    if values is not None:
        for epoch, loss in enumerate((8.0, 4.0, 2.0)):
            log.metrics({"total_loss": loss}, epoch)
        log.metrics({"epochs_done": 3, "loss_ratio": 0.25, "seconds": 1.0, "examples": 8}, 3)
        examples = [(artist, content) for artist in ARTISTS for content in CONTENTS]
        log.table(Artifact.EXAMPLES, example_table(examples))
        for artist, content in examples:
            picture = np.full((8, 8, 3), 90, "uint8")
            log.picture(result_file(artist, content), picture)
        log.picture(content_file(CONTENTS[0]), picture)
        if agg == "simple":
            log.table(Artifact.PAINTING_LOSSES, painting_table(examples))
            log.picture(painting_file(ARTISTS[0], f"boat {EVIL}"), picture)
        log.text(Artifact.SCORES, scores(values))
        log.json(Artifact.METRICS, METRICS)
        evaluators = {
            "vgg16": Evaluator(weights="imagenet", digest="ab", optimised=optimised),
            "blind": Evaluator(weights="random", digest="cd"),
        }
        log.update(
            RunFacts(
                evaluators=evaluators,
                skipped_metrics={"kid": f"too few {EVIL}", **skipped},
                artists=tuple(ARTISTS),
                contents=tuple(CONTENTS),
                weights="imagenet",
                command=COMMAND,
            )
        )
    log.end(status, "epochs", reason)


@pytest.fixture(scope="module")
def uri(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Five of seven runs; 8 examples, so that a difference in all of them is significant."""
    uri = f"sqlite:///{tmp_path_factory.mktemp('store') / 'mlflow.db'}"
    tracker = Tracker(uri, "style-transfer")
    sweep = SweepFacts(sweep="größe", runs=7, command=COMMAND)
    tracker.start("größe", sweep).end("killed", "lost", "lost")
    tracker.start("empty", SweepFacts(sweep="empty", runs=2)).end("killed", "lost", "lost")
    steps = np.linspace(0, 0.07, 8)
    seesaw = np.array([0.02, -0.01, 0.03, -0.03, 0.01, -0.02, 0.04, -0.03])
    add_run(
        tracker,
        "simple",
        {
            "ssim": 0.9 + steps,
            "grain": 0.8 + steps,
            "change": 0.001 + steps / 100,
            "held_out_distance.vgg16": 0.31 + seesaw,
            "held_out_distance.blind": 0.1 + steps,
            "recognition.vgg16": [1.0] * 8,
        },
        optimised=True,
    )
    add_run(
        tracker,
        "squared",
        {
            "ssim": 0.5 + steps,
            "grain": 2.0 + steps,
            "change": 0.2 + steps,
            "held_out_distance.vgg16": [0.3] * 8,
            "held_out_distance.blind": 0.5 + steps,
            "recognition.vgg16": [1.0, 0.0] * 4,
        },
    )
    wild: Mapping[str, Iterable[float]] = {
        "ssim": 0.4 + steps,
        "held_out_distance.vgg16": 0.6 + steps,
        "grain": [np.nan] * 8,
        "change": [0.3] * 6 + [np.nan] * 2,
    }
    add_run(tracker, "logged", wild, "diverged", f"the loss exploded {EVIL}", change="too plain")
    add_run(tracker, "cubed", None, "failed", "RuntimeError: this aggregation is broken")
    add_run(tracker, "older", None)
    return uri


@pytest.fixture(scope="module")
def written(uri: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of that sweep, as the command writes it."""
    file = tmp_path_factory.mktemp("report") / "sub" / "report.html"
    assert report.main(["--tracking-uri", uri, "--output", str(file)]) == 0
    return file


def test_the_page_is_small_and_whole_in_itself(written: Path) -> None:
    text = written.read_text(encoding="utf-8")
    page = Page(text)
    assert len(text.encode()) < 10e6
    for tag, attributes in page.tags:
        assert tag not in ("link", "iframe", "object", "embed", "base")
        for name in ("src", "href", "srcset", "action", "poster", "xlink:href"):
            assert (attributes.get(name) or "#").startswith(("#", "data:image/jpeg;base64,"))
    assert len([tag for tag, _ in page.tags if tag == "img"]) > 3 * 8
    [policy] = [a["content"] for tag, a in page.tags if "Content-Security-Policy" in a.values()]
    assert policy is not None
    assert policy.startswith("default-src 'none'")
    assert "http" not in policy
    style = text.partition("</style>")[0]
    assert "url(" not in style
    assert "@import" not in style


def test_names_are_text_and_never_markup(written: Path) -> None:
    page = Page(written.read_text(encoding="utf-8"))
    assert not [a for _, a in page.tags if any(name.startswith("on") for name in a)]
    assert [a.get("id") for tag, a in page.tags if tag == "script"] == [
        "specifications",
        None,
        None,
    ]
    assert f"the loss exploded {EVIL}" in page.text
    assert {
        a.get("data-scene") for tag, a in page.tags if tag == "figure" and "data-scene" in a
    } >= {f"{artist} / {content}" for artist in ARTISTS for content in CONTENTS}


def test_under_a_result_is_its_nearest_painting(uri: str, written: Path) -> None:
    """Of one run's eight results; the painting was kept for one artist's, a share for seven."""
    page = Page(written.read_text(encoding="utf-8"))
    text = " ".join(page.text.split())
    assert text.count(f"boat {EVIL}") == 8
    assert text.count("75 % of the gradient") == 7
    thumbnails = [a for tag, a in page.tags if tag == "img" and a["alt"] == "the nearest painting"]
    assert len(thumbnails) == 4
    tracker = Tracker(uri, None, create=False)
    losses = {r.agg: tracker.painting_losses(r.run_id) for r in tracker.runs_of("größe")}
    assert {agg: len(rows) for agg, rows in losses.items() if rows} == {"simple": 16}
    assert losses["simple"][3] == PaintingLoss(
        artist=ARTISTS[0],
        content=CONTENTS[1],
        painting="07",
        style_loss=4.5,
        gradient_share=0.25,
        nearest=False,
    )


def test_the_summary_says_what_the_numbers_say(written: Path) -> None:
    text = " ".join(Page(written.read_text(encoding="utf-8")).text.split())
    assert "5 runs: 1 backbone (vgg), 5 aggregations" in text
    assert "Examples of a run: 8 (= 2 artists × 4 content pictures)." in text
    assert "Most of the content kept. vgg simple at 0.935 [" in text
    assert (
        "By vgg16: vgg squared at 0.3 [0.3, 0.3], but not significantly better than any other."
        in text
    )
    assert "Hardly changed the picture. vgg simple (" in text
    assert "vgg logged: diverged. the loss exploded" in text
    assert "vgg cubed: failed. RuntimeError: this aggregation is broken" in text
    assert "RANDOM evaluators blind" in text
    assert "By blind: " not in text
    assert "2 runs of 5 left no scores" in text
    assert "Not computed: kid. too few" in text
    assert "Not computed for all: change. too plain" in text
    assert "6 of 8 examples" in text
    assert "Not started. 2 runs: " in text
    assert comparison.DAGGER_NOTE in text
    assert COMMAND in text


def test_the_best_and_its_equals_are_marked(uri: str) -> None:
    tracker = Tracker(uri, None, create=False)
    records = tracker.runs_of("größe")
    table = results.result_table(comparison.read_runs(tracker, records))
    columns = [f"{heading.label}, {table.groups[heading.group][0]}" for heading in table.headings]
    marks = {row.name: dict(zip(columns, row.cells, strict=True)) for row in table.rows}
    style, kept, grain = (
        "held-out paintings, by vgg16",
        "SSIM, without a network",
        "grain, without a network",
    )
    assert [marks[f"vgg {agg}"][kept].mark for agg in ("simple", "squared", "logged")] == [
        "best",
        "",
        "",
    ]
    assert [marks[f"vgg {agg}"][style].mark for agg in ("simple", "squared", "logged")] == [
        "equal",
        "best",
        "",
    ]
    # |log 0.835| = 0.18 is nearer to 1 than |log 2.035| = 0.71.
    assert marks["vgg simple"][grain].mark == "best"
    assert marks["vgg simple"][style].has_dagger
    assert not marks["vgg squared"][style].has_dagger
    assert not marks["vgg simple"][kept].has_dagger
    assert {row["held-out paintings, by blind, RANDOM weights"].mark for row in marks.values()} == {
        ""
    }
    assert marks["vgg older"][kept].text == "-"
    assert marks["content picture, untouched"][kept].text == "1"
    assert marks["held-out paintings"][grain].text == "1.1"


def test_figures_lie_beside_the_page(written: Path) -> None:
    names = {file.name for file in (written.parent / "figures").iterdir()}
    for stem in ("loss_curves", "trade_off_vgg16", "metric_ssim", "metric_recognition.vgg16"):
        assert {f"{stem}.svg", f"{stem}.png"} <= names


def test_the_export_has_the_measures(uri: str, tmp_path: Path, capsys: Any) -> None:
    assert export.main(["--tracking-uri", uri, "--output", str(tmp_path)]) == 0
    assert "not started: 2 runs" in capsys.readouterr().out
    table = pd.read_csv(tmp_path / "results.csv").to_dict("records")
    results: dict[str, Any] = {row["agg"]: row for row in table}
    simple, squared = results["simple"], results["squared"]
    assert simple["ssim"] == pytest.approx(0.935)
    assert simple["ssim_low"] < 0.935 < simple["ssim_high"]
    # Wilson's interval of 4 in 8: (4 + z²/2 ± z √(4·4/8 + z²/4)) / (8 + z²), z = 1.95996.
    bounds = [squared[f"recognition.vgg16_{end}"] for end in ("low", "high")]
    np.testing.assert_allclose(bounds, [0.21521, 0.78479], atol=1e-5)
    examples = pd.read_csv(tmp_path / "examples.csv")
    assert len(examples) == 24
    of_simple = examples[examples["agg"] == "simple"]
    np.testing.assert_allclose(of_simple["ssim"], 0.9 + np.linspace(0, 0.07, 8))
    paintings = pd.read_csv(tmp_path / "painting_losses.csv", dtype={"painting": str})
    assert {*paintings["agg"]} == {"simple"}
    assert {*paintings["painting"]} == {f"boat {EVIL}", "07"}
    np.testing.assert_array_equal(paintings["nearest"], [True, False] * 8)
    pairs = pd.read_csv(tmp_path / "comparisons.csv", keep_default_na=False)
    [row] = pairs[
        (pairs["metric"] == "ssim") & (pairs["a"] == "vgg simple") & (pairs["b"] == "vgg squared")
    ].to_dict("records")
    # All of 8 differ the same way: p = 2 / 2⁸, of the only pair that finished.
    assert (row["examples"], row["p"], row["p_holm"]) == (8, 2 / 256, 2 / 256)
    assert "vgg logged" not in {*pairs["a"], *pairs["b"]}, "what diverged does not compete"
    assert row["better"] == "vgg simple"
    assert set(pd.read_csv(tmp_path / "scores.csv")["subject"]) == {"result", "content", "painting"}
    markdown = (tmp_path / "results.md").read_text()
    assert "]†" in markdown
    assert "(6 of 8 examples)" in markdown
    assert "| content picture, untouched" in markdown
    assert "95 % intervals" in markdown
    assert "All runs: optimizer adam" not in markdown, "it has a column"
    assert "image size 8" in markdown
    assert r"95 \% intervals" in (tmp_path / "results.tex").read_text()
    [heading, *_] = markdown.splitlines()
    assert "agg" in heading
    assert not {"seed", "run_id"} & set(heading.split()), "not what all have in common"
    assert comparison.DAGGER_NOTE in markdown
    assert "†" in (tmp_path / "results.tex").read_text()


def test_a_store_without_measures_has_a_report(tmp_path: Path) -> None:
    uri = f"sqlite:///{tmp_path / 'mlflow.db'}"
    tracker = Tracker(uri, "style-transfer")
    add_run(tracker, "simple", None)
    log = tracker.start("odd", RunFacts(sweep="größe"))
    MlflowClient(uri).set_tag(log.run_id, "evaluators", "no JSON")
    log.text(Artifact.SCORES, scores({}).partition("\n")[0] + "\n")
    log.json(Artifact.METRICS, {"ssim": []})
    log.end("killed", "interrupted", "interrupted")
    file = tmp_path / "report.html"
    assert report.main(["--tracking-uri", uri, "--output", str(file)]) == 0
    text = " ".join(Page(file.read_text(encoding="utf-8")).text.split())
    for said in (
        "No run recorded its examples.",
        "2 runs of 2 left no scores.",
        "No run kept pictures",
        "No run left numbers to draw.",
        "No metrics were recorded.",
        "The command was not recorded",
    ):
        assert said in text


def test_where_there_is_no_room_examples_are_left_out_evenly(
    tmp_path: Path, random: np.random.Generator
) -> None:
    tracker = Tracker(f"sqlite:///{tmp_path / 'mlflow.db'}", "style-transfer")
    examples = [(artist, f"photo {n}") for artist in "abc" for n in range(6)]
    log = tracker.start("one", RunFacts(sweep="s", backbone="vgg", agg="simple"))
    log.table(Artifact.EXAMPLES, example_table(examples))
    noise = random.integers(0, 256, (160, 160, 3), dtype=np.uint8)
    for artist, content in examples:
        log.picture(f"results/{artist}/{content}.png", noise)
    log.end("finished", "epochs", "done")
    records = tracker.runs_of("s")
    steps = []
    for budget in (90_000, 400_000, 4_000_000):
        found = gallery.gallery(comparison.read_runs(tracker, records), budget)
        assert sum(scene.characters for scene in found.scenes) <= budget
        assert len(found.scenes) + len(found.left_out) == len(examples)
        shown = [scene.example.artist for scene in found.scenes]
        counts = [shown.count(artist) for artist in "abc"]
        assert max(counts) - min(counts) <= 1
        assert min(counts) >= 1
        assert bool(found.left_out) == (budget < 4_000_000)
        steps.append(found.side)
    assert sorted(steps) == steps
    assert steps[-1] == gallery.QUALITIES[0][0]


def test_runs_of_different_datasets(tmp_path: Path, random: np.random.Generator) -> None:
    """Tables name each run's dataset and folder; the page shows only pictures that a run has."""
    tracker = Tracker(f"sqlite:///{tmp_path / 'mlflow.db'}", "style-transfer")
    pixels = random.integers(0, 256, (32, 32, 3), dtype=np.uint8)
    for name, root, artist in (("folder", "/films", "Ada"), ("best_artworks", None, "Monet")):
        facts = RunFacts(sweep="two", backbone="vgg", agg="simple", artists=(artist,))
        log = tracker.start(name, facts.model_copy(update={"overrides": {"dataset": name}}))
        log.params({"dataset.name": name, "dataset.root": root})
        log.table(Artifact.EXAMPLES, example_table([(artist, "photo")]))
        log.picture(result_file(artist, "photo"), pixels)
        log.end("finished", "epochs", "done")
    records = tracker.runs_of("two")
    table = comparison.results_table(records)
    assert table[["dataset", "dataset_root", "artists"]].fillna("").to_numpy().tolist() == [
        ["folder", "/films", "Ada"],
        ["best_artworks", "", "Monet"],
    ]
    found = gallery.gallery(comparison.read_runs(tracker, records), 4_000_000)
    assert {scene.example.artist: scene.rows for scene in found.scenes} == {
        "Ada": {"vgg dataset=folder"},
        "Monet": {"vgg dataset=best_artworks"},
    }


def test_no_picture_of_a_mosaic_is_stretched() -> None:
    one = np.zeros((8, 8, 3), np.uint8)
    packed = sheets.mosaic([one, one], columns=2)
    # Two black squares of 4 beside each other, and no empty row below.
    np.testing.assert_array_equal(packed[..., 0], np.zeros((4, 8)))
    white = sheets.mosaic([one, one, one], columns=2)[4:, 4:]
    np.testing.assert_array_equal(white, np.full((4, 4, 3), 255))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--sweep", "grösse"], "no runs of sweep 'grösse'. Did you mean 'größe'?"),
        (["größe", "--sweep", "a"], "named twice"),
        (["grösse"], "Did you mean 'größe'?"),
        (["--sweep", "a/b"], "--sweep a/b: no sweep can have this name"),
        (["--run", "0"], "--run 0: "),
        (["--run", "{empty}"], "no runs of sweep 'empty'"),
        (["--experiment", "none"], "has no experiment 'none'"),
        (["--tracking-uri", "sqlite:///nowhere.db"], "no such store"),
    ],
)
def test_wrong_input_is_one_line(
    arguments: list[str], message: str, uri: str, capsys: pytest.CaptureFixture[str]
) -> None:
    given = [] if "--tracking-uri" in arguments else ["--tracking-uri", uri]
    empty = Tracker(uri, None, create=False).sweep_run("empty")
    assert empty is not None
    arguments = [argument.format(empty=empty.run_id) for argument in arguments]
    with pytest.raises(SystemExit, match="2"):
        report.main([*given, *arguments])
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert message in error
    assert error.count("\n") == 1
