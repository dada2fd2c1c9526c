"""Scores with the run and afterwards, and the page of questions, on runs that were really made."""

import json
import shutil
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd
import pytest
from mlflow import MlflowClient
from mlflow.entities import Run
from PIL import Image
from skimage.metrics import structural_similarity

from benchmark import evaluate, questions
from tests.commands import TINY, here, inside, runs_in, store
from tests.test_backbones import write_notop

SCORED = [
    *TINY[:-2],
    "backbone=mobilenet",
    "evaluation.evaluators=[mobilenet,vgg_shallow]",
    "evaluation.weights=random",
    "evaluation.held_out=6",
    "evaluation.others=1",
]


def uri(folder: Path) -> str:
    return f"sqlite:///{folder / 'mlflow.db'}"


def scores(client: MlflowClient, run: Run, folder: Path) -> pd.DataFrame:
    path = client.download_artifacts(run.info.run_id, "scores.csv", str(folder))
    return pd.read_csv(path, keep_default_na=False).astype({"value": float})


@pytest.fixture(scope="module")
def folder_dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three artists of 9 paintings each in a colour of their own, and two photographs."""
    root = tmp_path_factory.mktemp("pictures")
    random = np.random.default_rng(5)
    for artist, tint in (("Ada", [1, 0.4, 0.2]), ("Bruno", [0.2, 1, 0.4]), ("Cy", [0.3, 0.3, 1])):
        (root / "paintings" / artist).mkdir(parents=True)
        for number in range(1, 10):
            pixels = (random.integers(0, 256, (50, 50, 3)) * tint).astype("uint8")
            Image.fromarray(pixels).save(root / "paintings" / artist / f"{artist}_{number}.png")
    (root / "photographs").mkdir()
    for name in ("one", "two"):
        gradient = np.linspace(0, 255, 50)[:, None, None] * random.random((1, 50, 3))
        Image.fromarray(gradient.astype("uint8")).save(root / "photographs" / f"{name}.png")
    return root


def data(root: Path) -> list[str]:
    return [
        "dataset=folder",
        f"dataset.root={root / 'paintings'}",
        "content=folder",
        f"content.root={root / 'photographs'}",
    ]


@pytest.fixture(scope="module")
def scored(tmp_path_factory: pytest.TempPathFactory, folder_dataset: Path) -> tuple[Path, str]:
    folder = tmp_path_factory.mktemp("scored")
    done = inside("benchmark", *SCORED, *data(folder_dataset), store(folder))
    assert done.returncode == 0, done.stdout + done.stderr
    return folder, done.stdout


def test_a_run_scores_its_results(scored: tuple[Path, str], tmp_path: Path) -> None:
    client, [run] = runs_in(scored[0])
    table = scores(client, run, tmp_path)
    results = table[(table["subject"] == "result") & (table["layer"] == "")]
    names = results["metric"].str.cat(results["evaluator"], sep=".").str.rstrip(".")
    found = results["value"].groupby(names).agg(["size", "mean"])
    assert (found["size"] == 4).all()
    assert len(found) == 5 + 2 * 8
    for name, mean in found["mean"].items():
        assert run.data.metrics[f"metrics/{name}"] == pytest.approx(mean, rel=1e-4)
    evaluators = json.loads(run.data.tags["evaluators"])
    optimised = {name: evaluator["optimised"] for name, evaluator in evaluators.items()}
    assert optimised == {"mobilenet": True, "vgg_shallow": False}
    assert {e["weights"] for e in evaluators.values()} == {"random"}
    assert json.loads(run.data.tags["skipped_metrics"]) == {}
    assert not any(name.startswith(("metrics.", "evaluation.")) for name in run.data.params)
    assert run.data.tags["command"].startswith("python -m benchmark image_size=48 ")


def test_the_scores_are_those_of_the_pictures_kept(
    scored: tuple[Path, str], tmp_path: Path
) -> None:
    """SSIM and change of the PNGs in MLflow, computed here; content pictures are kept too."""
    client, [run] = runs_in(scored[0])

    def picture(file: str) -> Any:
        path = client.download_artifacts(run.info.run_id, file, str(tmp_path))
        return np.asarray(Image.open(path), float) / 255

    table = scores(client, run, tmp_path).query("subject == 'result'")
    luma = np.array([0.299, 0.587, 0.114])
    similarity: Any = structural_similarity
    for row in table[table["metric"].isin(["ssim", "change"])].itertuples():
        result = picture(f"results/{row.artist}/{row.content}.png")
        content = picture(f"contents/{row.content}.png")
        if row.metric == "change":
            expected = np.sqrt(((result - content) ** 2).mean())
        else:
            expected = similarity(
                result @ luma,
                content @ luma,
                data_range=1.0,
                gaussian_weights=True,
                sigma=1.5,
                use_sample_covariance=False,
            )
        assert row.value == pytest.approx(expected, rel=1e-4)


def test_evaluating_afterwards_gives_the_same(
    scored: tuple[Path, str], folder_dataset: Path, tmp_path: Path
) -> None:
    client, [run] = runs_in(scored[0])
    before = scores(client, run, tmp_path / "before")
    options = [o for o in SCORED if o.startswith("evaluation.")]
    assert evaluate.main(["--tracking-uri", uri(scored[0]), *options]) == 0
    after = scores(client, run, tmp_path / "after")
    keys = list(before.columns[:-1])
    one, other = (t.set_index(keys)["value"].sort_index() for t in (before, after))
    assert list(one.index) == list(other.index)
    np.testing.assert_allclose(one.to_numpy(), other.to_numpy(), rtol=1e-4, atol=1e-6)

    # Some metrics alone, with other arguments: the others stay as they are, by the same judges.
    grain = ["metrics=[grain]", "metrics.grain.sigma=3"]
    assert evaluate.main(["--tracking-uri", uri(scored[0]), *grain]) == 0
    again = scores(client, run, tmp_path / "again").set_index(keys)["value"].sort_index()
    assert list(again.index) == list(one.index)
    same = np.isclose(again, one, rtol=1e-4, atol=1e-6)
    changed = {
        metric
        for metric, kept in zip(again.index.get_level_values("metric"), same, strict=True)
        if not kept
    }
    assert changed == {"grain"}


def test_an_evaluator_with_other_weights_is_another(tmp_path: Path, folder_dataset: Path) -> None:
    """Its old scores go: one name must not mean two networks."""
    run = [*TINY, "backbone=mobilenet", "metrics=[kid,content_distance]", "epochs=1"]
    judge = ["evaluation.evaluators=[mobilenet]", "evaluation.weights=random"]
    done = inside(
        "benchmark", *run, *judge, "evaluation.held_out=3", *data(folder_dataset), store(tmp_path)
    )
    assert done.returncode == 0, done.stdout + done.stderr
    client, [made] = runs_in(tmp_path)
    first = json.loads(made.data.tags["evaluators"])
    assert set(scores(client, made, tmp_path / "a")["metric"]) == {"kid", "content_distance"}
    weights = tmp_path / "mobilenet_other_notop.h5"
    other = keras.applications.MobileNet(include_top=False, weights=None, input_shape=(48, 48, 3))
    write_notop(weights, other)
    options = ["metrics=[kid]", f"evaluation.weights={weights}"]
    assert evaluate.main(["--tracking-uri", uri(tmp_path), *options]) == 0
    _, [made] = runs_in(tmp_path)
    assert set(scores(client, made, tmp_path / "b")["metric"]) == {"kid"}
    now = json.loads(made.data.tags["evaluators"])
    assert now["mobilenet"]["digest"] != first["mobilenet"]["digest"]
    assert now["mobilenet"]["weights"] == weights.name


def test_paintings_that_changed_are_not_scored(
    scored: tuple[Path, str],
    folder_dataset: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    moved = tmp_path / "moved"
    shutil.copytree(folder_dataset / "paintings", moved)
    at = ["--tracking-uri", uri(scored[0]), "metrics=[ssim]", f"dataset.root={moved}"]
    assert evaluate.main(at) == 0
    Image.new("RGB", (50, 50)).save(moved / "Ada" / "Ada_2.png")
    assert evaluate.main(at) == 1
    assert "its style pictures are not those that it was made with" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["epochs=3"], "epochs=3: the runs are done; only metrics"),
        (["metrics=[ssin]"], "metrics=ssin: there is no such metric. Did you mean 'ssim'?"),
        (["--sweep", "none"], "no runs of sweep 'none'"),
        (["metrics.grain.sigma=thick"], "metrics.grain.sigma=thick"),
        (
            ["evaluation.evaluators=[vgg]", "evaluation.weights=/nowhere.h5"],
            "evaluation.evaluators=vgg: with evaluation.weights=/nowhere.h5: ",
        ),
    ],
)
def test_wrong_input_is_one_line(
    arguments: list[str],
    message: str,
    scored: tuple[Path, str],
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit, match="2"):
        evaluate.main(["--tracking-uri", uri(scored[0]), *arguments])
    error = capsys.readouterr().err
    assert message in error
    assert len(error.strip().splitlines()) == 1


def test_the_questions_are_answered_from_what_was_run(tmp_path: Path, folder_dataset: Path) -> None:
    small = [
        *TINY[:-2],
        "epochs=1",
        "backbone=vgg_shallow",
        "evaluation.evaluators=[vgg_shallow]",
        "evaluation.weights=random",
        "evaluation.held_out=5",
        "metrics=[change,colour_distance,grain,held_out_distance,recognition,ssim]",
        "content.count=1",
        *data(folder_dataset),
        store(tmp_path),
    ]
    for overrides in (
        ["experiment=questions_findings", "agg=simple,logged"],
        ["experiment=questions_means", "dataset.paintings=1,3", "agg.p=0"],
        ["experiment=questions_smoothing", "loss=normalised"],
        ["experiment=questions_weights", "backbone.weights=random"],
    ):
        ours = [o for o in small if o.split("=")[0] not in {p.split("=")[0] for p in overrides}]
        swept = ["backbone.smoothing=none,softmax"] if "smoothing" in overrides[0] else []
        done = inside("benchmark", "-m", *ours, *overrides, *swept)
        assert done.returncode == 0, done.stdout + done.stderr
    assert questions.main(["--tracking-uri", uri(tmp_path), "--output", str(tmp_path)]) == 0
    text = (tmp_path / "questions.md").read_text()
    assert text.count("\n## ") == 5
    assert "vgg_shallow (random) logged" in text
    assert "| one painting" in text
    assert "| power 0, 3 paintings" in text
    assert "vgg_shallow none normalised 0" in text
    assert "vgg_shallow: only with random weights here" in text
    for file in ("findings.jpg", "means.jpg", "means.png", "peakiness.png", "smoothing.jpg"):
        with Image.open(tmp_path / file) as picture:
            assert picture.width > 100


def test_nothing_run_answers_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        questions.main(["--tracking-uri", uri(tmp_path)])
    assert "nothing was run" in capsys.readouterr().err


def test_the_questions_are_one_command_that_stops_at_wrong_input(
    capfd: pytest.CaptureFixture[str],
) -> None:
    assert here("benchmark", "-m", "experiment=questions", "backbone=vgh") == 2
    output, error = capfd.readouterr()
    assert "sweep 1 of 7: questions_findings" in output
    assert error.startswith("error: backbone=vgh: there is no such backbone. Did you mean 'vgg'?")
    assert len(error.strip().splitlines()) == 1
