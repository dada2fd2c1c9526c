"""The classifier of groups: its mathematics, its files, and what its commands do."""

import json
import shutil
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd
import pytest
from PIL import Image

import datasets
from benchmark.analysis.comparison import Place
from benchmark.analysis.genre import GENRE_PAGE, USUAL
from benchmark.config.compose import composed
from benchmark.config.errors import ConfigError
from benchmark.genre import experiment
from benchmark.metrics import heads
from benchmark.metrics.classifier import ARRAYS, RECORD, Classifier, Judgement, genre_recognition
from benchmark.metrics.features import MissingInputError
from benchmark.runs.classifiers import read_classifier
from benchmark.runs.fingerprint import fingerprint_of
from benchmark.runs.fitting import prepared_fit, read_options
from benchmark.sweeps import in_turn
from benchmark.tracking.records import Results, RunRecord
from benchmark.tracking.tracker import Tracker
from benchmark.user_input import InputError
from datasets.images import image_of
from tests.commands import inside, store
from tests.workspace import WORKSPACE, prepared_run

SMALL = [
    *("dataset=folder", "backbone=mobilenet_shallow", "backbone.weights=random", "cache=null"),
    *("image_size=32", "judge.backbone=vgg_shallow", "fit.layers=[16,8]", "fit.learning_rate=0.01"),
]


def picture(base: tuple[int, int, int], size: tuple[int, int], seed: int) -> Image.Image:
    noise = np.random.default_rng(seed).integers(-40, 41, (size[1], size[0], 3))
    return Image.fromarray(np.clip(np.array(base) + noise, 0, 255).astype("uint8"))


@pytest.fixture(scope="module")
def groups(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten red pictures, square, and ten blue ones, wide."""
    root = tmp_path_factory.mktemp("groups")
    for group, base, size in (("red", (200, 60, 60), (40, 40)), ("blue", (60, 60, 200), (60, 40))):
        (root / group).mkdir()
        for number in range(10):
            picture(base, size, number + 10 * (group == "red")).save(root / group / f"{number}.png")
    return root


@pytest.fixture(scope="module")
def fitted(groups: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a store in which a classifier was fitted on these groups."""
    folder = tmp_path_factory.mktemp("store")
    done = inside("benchmark.genre", "fit", *SMALL, f"dataset.root={groups}", store(folder))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "judge (vgg_shallow)" in done.stdout
    return folder


def last_run(folder: Path) -> tuple[Tracker, str]:
    tracker = Tracker(f"sqlite:///{folder / 'mlflow.db'}", None, create=False)
    return tracker, tracker.classifier(None, "--classifier").run_id


def test_a_square_is_the_middle_of_a_picture() -> None:
    """So a group of wide pictures looks like one of square pictures; to resize would squash it."""
    wide = picture((90, 90, 90), (64, 32), 0)
    image = datasets.LazyImage("wide", "wide", lambda: wide)
    digest, pixels = datasets.cropped(image, 32)
    np.testing.assert_array_equal(pixels, np.asarray(wide)[:, 16:48])
    assert digest == datasets.resized(image, 32)[0]


def test_a_head_computes_what_keras_does(random: np.random.Generator) -> None:
    """Keras's layers with the same numbers, on features standardised by hand."""
    features = random.normal(3, 2, (5, 6)).astype("float32")
    arrays = [(random.normal(size=s), random.normal(size=s[1])) for s in ((6, 4), (4, 3), (3, 2))]
    head = heads.DenseHead(features.mean(0), features.std(0), tuple(arrays))
    network = keras.Sequential(
        [keras.layers.Dense(n, a) for n, a in ((4, "relu"), (3, "relu"), (2, "softmax"))]
    )
    network.build((None, 6))
    network.set_weights([array for layer in arrays for array in layer])
    expected = network.predict_on_batch((features - features.mean(0)) / features.std(0))
    encoded = head.encode(features)
    assert encoded.shape == (5, 3)
    np.testing.assert_allclose(head.probabilities(encoded), expected, rtol=1e-4, atol=1e-6)


def test_a_split_is_stratified_and_disjoint_and_follows_the_seed() -> None:
    """Of 20 a fifth is 4; the other 16 are halved. Of 7: 1, and 3 and 3."""
    parts = heads.split({"a": 20, "b": 7}, 0.2, True, seed=3)
    kinds = ("classifier", "judge", "test")
    assert [(parts["a"] == kind).sum() for kind in kinds] == [8, 8, 4]
    assert [(parts["b"] == kind).sum() for kind in kinds] == [3, 3, 1]
    again = heads.split({"b": 7, "a": 20}, 0.2, True, seed=3)
    assert all((again[name] == parts[name]).all() for name in parts)
    assert (heads.split({"a": 20}, 0.2, True, seed=4)["a"] != parts["a"]).any()
    alone = heads.split({"a": 20}, 0.2, False, seed=3)["a"]
    assert [(alone == kind).sum() for kind in kinds] == [16, 0, 4]


def test_a_fit_tells_groups_apart_and_is_repeated_by_its_seed(random: np.random.Generator) -> None:
    """Two clouds four deviations apart; a constant channel, of which another value is no alarm."""
    groups = np.repeat([0, 1], 20)
    features = random.normal(0, 1, (40, 5)).astype("float32") + 4 * groups[:, None]
    features[:, 4] = 7.0
    test = heads.Samples(features + np.array([0, 0, 0, 0, 1e-3], "float32"), groups)
    plan = heads.FitPlan(layers=(8, 4), epochs=15, batch=8, learning_rate=0.01, patience=None)
    train = heads.Samples(features, groups)
    (head, history), (same, _) = (heads.fit_head(train, test, 2, plan, 0) for _ in range(2))
    assert len(history) == 16
    assert history[-1].train_accuracy == history[-1].test_accuracy == 1.0
    assert history[-1].test_loss < 0.1 < history[0].test_loss
    np.testing.assert_array_equal(head.encode(features), same.encode(features))
    tired = heads.FitPlan(layers=(8, 4), epochs=30, learning_rate=1e-9, patience=2)
    assert len(heads.fit_head(test, test, 2, tired, 0)[1]) == 3


def test_recognition_is_the_share_of_the_right_group() -> None:
    judgement = Judgement(("a", "b"), np.array([[0.9, 0.1], [0.4, 0.6]]), np.zeros((2, 3)))
    assert genre_recognition(judgement, "b").tolist() == [0, 1]
    with pytest.raises(MissingInputError, match="a, b"):
        genre_recognition(judgement, "c")


def test_a_fit_is_recorded_with_its_judge(fitted: Path, groups: Path) -> None:
    tracker, run = last_run(fitted)
    files = tracker.artifacts(run)
    assert {RECORD, ARRAYS, "curves.png", "confusion.png", "model"} <= files
    record = json.loads(tracker.read_text(run, RECORD))
    assert record["labels"] == ["blue", "red"]
    parts = [(p["group"], p["part"]) for p in record["pictures"]]
    for group in ("blue", "red"):
        assert [parts.count((group, part)) for part in ("classifier", "judge", "test")] == [4, 4, 2]
    assert len({picture["digest"] for picture in record["pictures"]}) == 20
    assert record["networks"]["classifier"]["accuracy"] == 1.0


def test_the_keras_model_gives_the_same_probabilities(fitted: Path, groups: Path) -> None:
    """For others: loaded by Keras, on pixels, against the probabilities of our command."""
    tracker, run = last_run(fitted)
    model = keras.models.load_model(tracker.location(run, "model/data/model.keras"))
    sources = sorted((groups / "blue").glob("*.png"))
    pixels = np.stack([datasets.cropped(image_of(file), 32)[1] for file in sources])
    expected = model.predict_on_batch(pixels.astype("float32") / 255)
    classifier = read_classifier("--classifier", run, tracker.uri)
    judge = WORKSPACE.classifiers.judges(classifier, "--classifier", run)["classifier"]
    found = judge.judgement(pixels).probabilities
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-4)


def test_predict_writes_what_it_prints(fitted: Path, groups: Path, tmp_path: Path) -> None:
    uri = f"--tracking-uri=sqlite:///{fitted / 'mlflow.db'}"
    file = tmp_path / "answers.csv"
    done = inside("benchmark.genre", "predict", str(groups / "red"), uri, "--csv", str(file))
    assert done.returncode == 0, done.stderr
    table = pd.read_csv(file)
    assert list(table.columns) == ["picture", "label", "blue", "red"]
    assert (table["label"] == "red").all()
    assert done.stdout.count("red") >= 10
    np.testing.assert_allclose(table[["blue", "red"]].sum(axis=1), 1, atol=1e-3)


def test_a_folder_is_a_classifier_too_and_another_is_none(fitted: Path, tmp_path: Path) -> None:
    tracker, run = last_run(fitted)
    folder = Path(tracker.location(run, ""))
    by_run, by_folder = (read_classifier("x", v, tracker.uri) for v in (run, str(folder)))
    assert by_run.digest == by_folder.digest
    for name in (RECORD, ARRAYS):
        (tmp_path / name).write_bytes((folder / name).read_bytes())
    record = json.loads((tmp_path / RECORD).read_text())
    wrongs: list[dict[str, object]] = [{"labels": ["red"]}, {"labels": ["a", "b", "c"]}]
    for wrong in [*wrongs, {"size": 0}, {"networks": {}}]:
        (tmp_path / RECORD).write_text(json.dumps(record | wrong))
        with pytest.raises(ConfigError) as raised:
            read_classifier("dataset.classifier", str(tmp_path), None)
        assert raised.value.option == "dataset.classifier"
        assert raised.value.value == str(tmp_path)
    np.savez(tmp_path / ARRAYS, classifier_mean=np.zeros(3))
    with pytest.raises(ValueError, match="missing"):
        Classifier.from_files((folder / RECORD).read_bytes(), (tmp_path / ARRAYS).read_bytes())


WRONG_FITS = [
    # What is added to `SMALL`, the option of the error, its value.
    ("fit.epochs=0", "fit.epochs", 0),
    ("fit.batch=none", "fit.batch", "none"),
    ("fit.learning_rate=0", "fit.learning_rate", 0),
    ("fit.layers=[]", "fit.layers", []),
    ("fit.layers=[0]", "fit.layers", [0]),
    ("fit.patience=0", "fit.patience", 0),
    ("fit.test=1", "fit.test", 1),
    ("fit.test=0.01", "fit.test", 0.01),
    ("fit.test=0.9", "fit.test", 0.9),
    ("fit.epoch=3", "fit.epoch", 3),
    ("fit.layers=[3", "fit.layers", "[3"),
    ("judge.backbone=vgx", "judge.backbone", "vgx"),
    ("judge.backbone=mobilenet_shallow", "judge.backbone", "mobilenet_shallow"),
    ("judge.weights=nowhere.h5", "judge.weights", "nowhere.h5"),
    ("agg=simple", "agg", ...),
    ("epochs=3", "epochs", ...),
    ("dataset.artists=[red]", "dataset", "folder"),
    ("backbone=vgx", "backbone", "vgx"),
]


@pytest.mark.parametrize(("wrong", "option", "value"), WRONG_FITS)
def test_a_wrong_fit_is_one_line(wrong: str, option: str, value: object, groups: Path) -> None:
    with pytest.raises(InputError) as raised:
        prepared_fit(*read_options([*SMALL, f"dataset.root={groups}", wrong]), WORKSPACE)
    shown = raised.value.value
    assert raised.value.option == option
    assert (str(shown) if isinstance(shown, Path) else shown) == value
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("copied", "number", "line"),
    [(1, 0, "'other' has 1"), (1, 9, "same picture"), (0, 9, ""), (0, 0, "only group is 'blue'")],
)
def test_wrong_groups_are_one_line(
    copied: int, number: int, line: str, groups: Path, tmp_path: Path
) -> None:
    """Beside a group another: of one picture, or of others and a copy; or none."""
    shutil.copytree(groups / "blue", tmp_path / "blue")
    other = tmp_path / "other"
    other.mkdir()
    for index in range(number):
        picture((9, 9, 9), (40, 40), index).save(other / f"{index}.png")
    source = tmp_path / "blue" / "0.png" if copied else other / "0.png"
    if source.exists():
        shutil.copy(source, other / "copy.png")
    options = read_options([*SMALL, f"dataset.root={tmp_path}"])
    if not line:  # Twice in one group, which is only told.
        setup = prepared_fit(*options, WORKSPACE)
        assert any("copy.png" in note for note in setup.notes)
        assert len(setup.groups[1].names) == 9
        return
    with pytest.raises(InputError, match=line):
        prepared_fit(*options, WORKSPACE)


RUN = [
    *("dataset=folder", "backbone=mobilenet_shallow", "backbone.weights=random", "cache=null"),
    *("image_size=32", "dataset.paintings=3", "epochs=1", "snapshots=[]", "evaluation.held_out=4"),
    *("metrics=[genre_recognition,genre_probability]", "checkpoint.folder=null"),
]


def run_options(fitted: Path, groups: Path, *overrides: str) -> list[str]:
    _, run = last_run(fitted)
    chosen = [f"dataset.root={groups}", f"dataset.classifier={run}", store(fitted)]
    return [*RUN, *chosen, *overrides]


def test_style_sets_by_a_classifier(fitted: Path, groups: Path) -> None:
    """Against all its probabilities and codes; never of the pictures that the judge knows."""
    tracker, run = last_run(fitted)
    classifier = read_classifier("x", run, tracker.uri)
    judge = WORKSPACE.classifiers.judges(classifier, "x", run)["classifier"]
    judges_own = {p.source for p in classifier.record.pictures if p.part == "judge"}
    for selection in ("top", "top_nearest", "random"):
        options = run_options(fitted, groups, f"dataset.selection={selection}")
        prepared = prepared_run(*options)
        setup = prepared.evaluation_setup
        assert (setup.chooser == classifier.digest) == selection.startswith("top")
        for name, chosen, held_out in zip(
            ("blue", "red"), prepared.paintings, setup.held_out, strict=True
        ):
            rows = [row for row in prepared.choice if row.artist == name]
            assert [row.source for row in rows] == [i.source for i in chosen.image_set.images]
            assert not judges_own & {row.source for row in rows}
            assert judges_own >= {image.source for image in held_out.images}
            files = [image_of(file) for file in sorted((groups / name).glob("*.png"))]
            open_ones = [file for file in files if file.source not in judges_own]
            found = judge.judgement(np.stack([datasets.cropped(f, 32)[1] for f in open_ones]))
            sure = found.probabilities[:, ("blue", "red").index(name)]
            far = np.linalg.norm(found.encoded - found.encoded[np.argmax(sure)], axis=1)
            order = {"top": np.argsort(-sure), "top_nearest": np.argsort(far)}.get(selection)
            if order is not None:
                assert [row.source for row in rows] == [open_ones[i].source for i in order[:3]]
                np.testing.assert_allclose([r.probability for r in rows], sure[order[:3]], 1e-4)
                np.testing.assert_allclose([r.distance for r in rows], far[order[:3]], 1e-3, 1e-4)


def test_results_are_judged_by_both_and_make_a_page(
    fitted: Path, groups: Path, tmp_path: Path
) -> None:
    """The question of one picture against three, as far as two tiny runs can answer it."""
    given = run_options(fitted, groups)
    options = [one for one in given if not one.startswith(("dataset=", "metrics="))]
    tiny = ("content.count=1", "evaluation.evaluators=[]", "dataset.paintings=1,3", "agg=simple")
    done = inside("benchmark", "-m", "experiment=genre_paintings", *options, *tiny)
    assert done.returncode == 0, done.stdout + done.stderr
    tracker = Tracker(f"sqlite:///{fitted / 'mlflow.db'}", "genre", create=False)
    runs = tracker.all_runs()
    assert [run.params["dataset.paintings"] for run in runs] == ["1", "3"]
    for run in runs:
        chose = {name: evaluator.chose for name, evaluator in run.evaluators.items()}
        assert chose == {"classifier": True, "judge": False}
    table = tracker.read_table(runs[1].run_id, "choice.json")
    assert [*table["artist"]] == 3 * ["blue"] + 3 * ["red"]

    place = store(fitted).partition("=")[2]
    page = ("page", "--tracking-uri", place, "--output", str(tmp_path))
    done = inside("benchmark.genre", *page)
    assert done.returncode == 0, done.stderr
    text = (tmp_path / "genre.md").read_text()
    assert {file.name for file in tmp_path.iterdir()} == {"genre.md", "paintings.jpg"}
    of_table = [line for line in text.splitlines() if line.startswith("| mobilenet_shallow")]
    rows = {line.split("|")[1].strip(): line for line in of_table}
    for count, run in zip(("1 picture", "3 pictures"), runs, strict=True):
        line = rows[f"mobilenet_shallow simple {count}"]
        assert f"| {run.scores['genre_recognition.judge']:.3g} [" in line
        assert f"| {run.scores['genre_recognition.classifier']:.3g} [" in line


def test_runs_have_their_place_in_a_question() -> None:
    """Those that differ from the usual in another option than the varied one have none."""
    by_paintings, by_selection, *_ = (question.place for question in GENRE_PAGE.questions)

    def run(**params: str) -> RunRecord:
        given = USUAL | {key.replace("__", "."): value for key, value in params.items()}
        stored: dict[str, Any] = {"run_id": "1", "name": "", "status": "finished", "started": 0}
        facts: dict[str, Any] = {"backbone": "vgg", "agg": "simple", "scores": {}}
        return RunRecord(**stored, **facts, results=Results(), params=given)

    assert by_paintings(run()) == Place("3 pictures", "", "3 pictures")
    assert by_paintings(run(dataset__paintings="1")) == Place("1 picture", "", "1 picture")
    assert by_paintings(run(dataset__selection="random")) is None
    assert by_selection(run()) is None
    of_five = run(dataset__paintings="5", dataset__selection="top")
    assert by_selection(of_five) == Place("top", "", "top")


def test_the_experiment_fits_first_and_hands_the_classifier_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each command gets what it takes: the fit no option of a run, the runs none of the fit."""
    commands: list[list[str]] = []
    pages: list[tuple[str | None, str | None]] = []

    def called(command: list[str]) -> int:
        commands.append(command[2:])
        return 0

    monkeypatch.setattr(experiment, "exit_code", called)
    monkeypatch.setattr(in_turn, "exit_code", called)
    monkeypatch.setattr(experiment, "last_classifier", lambda uri: f"run of {uri}")
    monkeypatch.setattr(experiment, "write_page", lambda *given: pages.append(given))
    own, shared = ["fit.epochs=3", "judge.backbone=null"], ["dataset.root=G", "image_size=64"]
    assert experiment.run_all([*own, *shared, "epochs=2", "tracking.uri=U"]) == 0
    fit, *sweeps = commands
    assert fit == ["benchmark.genre", "fit", "dataset=folder", *own, *shared, "tracking.uri=U"]
    names = ("paintings", "selection", "pooling", "weights")
    assert [line[:3] for line in sweeps] == [
        ["benchmark", "-m", f"experiment=genre_{name}"] for name in names
    ]
    for line in sweeps:
        given = [*shared, "epochs=2", "tracking.uri=U", "dataset.classifier=run of U"]
        assert line[3:] == given
    assert pages == [("U", None)]
    commands.clear()
    experiment.run_all(["dataset.classifier=F", "estimate=only"])
    assert len(commands) == 4
    assert len(pages) == 1


def test_the_fingerprint_has_the_classifier(fitted: Path, groups: Path, tmp_path: Path) -> None:
    """Another one under the same name is another run."""
    tracker, run = last_run(fitted)
    record = json.loads(tracker.read_text(run, RECORD))
    prints = set()
    for accuracy in (0.5, 0.5, 0.6):
        record["networks"]["judge"]["accuracy"] = accuracy
        (tmp_path / RECORD).write_text(json.dumps(record))
        (tmp_path / ARRAYS).write_bytes(tracker.read_bytes(run, ARRAYS))
        options = [*RUN, f"dataset.root={groups}", f"dataset.classifier={tmp_path}"]
        prints.add(fingerprint_of(composed(options)))
    assert len(prints) == 2


WRONG_RUNS = [
    # Against `run_options`: the option of the error, its value or "" for any, and its words.
    ("dataset.classifier=nowhere", "dataset.classifier", "nowhere", "no such run"),
    ("dataset.classifier={groups}", "dataset.classifier", "", "no classifier"),
    ("evaluation.classifier=nowhere", "evaluation.classifier", "nowhere", "no such run"),
    ("image_size=48", "dataset.classifier", "", "image_size=32"),
    ("dataset.paintings=7", "dataset.paintings", "7", "only 6"),
    ("dataset=sample ~dataset.root", "dataset.classifier", "", "fitted on blue, red"),
    ("dataset.classifier=null", "metrics.genre_recognition", "", "evaluation.classifier"),
    ("dataset.classifier=null dataset.selection=top metrics=[]", "dataset.selection", "top", "fit"),
]


@pytest.mark.parametrize(("wrong", "option", "value", "words"), WRONG_RUNS)
def test_a_wrong_run_is_one_line(
    wrong: str, option: str, value: str, words: str, fitted: Path, groups: Path
) -> None:
    changes = wrong.format(groups=groups).split()
    replaced = [change.partition("=")[0] for change in changes]
    options = [
        one
        for one in run_options(fitted, groups)
        if one.partition("=")[0] not in replaced and f"~{one.partition('=')[0]}" not in replaced
    ]
    with pytest.raises(InputError, match=words) as raised:
        prepared_run(*options, *(change for change in changes if not change.startswith("~")))
    assert raised.value.option == option
    assert value in ("", str(raised.value.value))
    assert "\n" not in str(raised.value)


def test_no_classifier_is_one_line(groups: Path, tmp_path: Path) -> None:
    place = store(tmp_path).partition("=")[2]
    for given in ([], ["--classifier", "0123"], ["--classifier", str(groups)]):
        done = inside(
            "benchmark.genre", "predict", str(groups / "red"), *given, "--tracking-uri", place
        )
        assert done.returncode == 2
        assert done.stderr.startswith("error: --classifier")
        assert done.stderr.count("\n") == 1
