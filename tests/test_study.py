"""The study's three phases on the real cut archive: training, test, export."""

import json
import re
import shlex
import shutil
import sqlite3
from collections import defaultdict
from contextlib import closing
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from tests.commands import inside, runs_in, store
from tests.conftest import SHARED

pytestmark = pytest.mark.real_data

SMALL = [
    "backbone=mobilenet",
    "agg=simple,squared",
    f"backbone.weights={SHARED / 'weights'}",
    f"dataset.root={SHARED / 'data' / 'best-artworks'}",
    "dataset.paintings=5",
    "content=folder",
    f"content.root={SHARED / 'data' / 'content'}",
    "content.train=2",
    "content.test=2",
    "image_size=48",
    "epochs=3",
    "metrics=[ssim,grain]",
]
"""The design of `study_small`, with a backbone of which there are cut ImageNet weights."""

DURATION = r"(\d+ s|\d+ min|\d+ h \d\d min)"

MODELS = [("mobilenet", "simple"), ("mobilenet", "squared")]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The training phase, really run; its store's folder and its output."""
    folder = tmp_path_factory.mktemp("study")
    done = inside("benchmark", "-m", "experiment=study_small", *SMALL, store(folder))
    assert done.returncode == 0, done.stdout + done.stderr
    return folder, done.stdout


def by_sql(folder: Path) -> dict[tuple[str, str, str], dict[str, tuple[float, int]]]:
    """Last mean total loss and its epoch of each run: (split, backbone, agg) → optimiser → both.

    With plain SQL on MLflow's database, past all code of the project and of MLflow.
    """
    found: dict[tuple[str, str, str], dict[str, tuple[float, int]]] = defaultdict(dict)
    with closing(sqlite3.connect(folder / "mlflow.db")) as database:
        runs = database.execute("select run_uuid from runs where status = 'FINISHED'").fetchall()
        for (run,) in runs:
            tags = dict(database.execute("select key, value from tags where run_uuid = ?", (run,)))
            if tags["kind"] != "run":
                continue
            params = dict(
                database.execute("select key, value from params where run_uuid = ?", (run,))
            )
            [(loss, epoch)] = database.execute(
                "select value, step from metrics where run_uuid = ? and key = 'total_loss' "
                "order by step desc limit 1",
                (run,),
            ).fetchall()
            cell = (params["split"], tags["backbone"], tags["agg"])
            found[cell][tags["optimizer"]] = (loss, epoch)
    return found


def test_the_cost_is_foretold_and_confirmed(trained: tuple[Path, str]) -> None:
    _, output = trained
    assert re.search(r"Estimated: 6 runs, 24 examples, at most 72 steps of one example", output)
    assert re.search(r"measured per step of one example: mobilenet", output)
    assert re.search(rf"1 of 6 runs done in {DURATION}, about {DURATION} left", output)
    assert re.search(r"6 of 6 runs done in .*, estimated: \d", output)


def test_training_draws_contents_and_logs_the_sets(trained: tuple[Path, str]) -> None:
    client, [_, *runs] = runs_in(trained[0], "study_small")
    assert len(runs) == 6
    assert {run.data.tags["artists"] for run in runs} == {'["Claude Monet", "Vincent van Gogh"]'}
    assert len({run.data.tags["contents"] for run in runs}) == 1
    names = {item.path for item in client.list_artifacts(runs[0].info.run_id, "sets")}
    assert names == {"sets/Claude Monet.jpg", "sets/Vincent van Gogh.jpg"}


def test_the_test_phase_takes_what_won_and_the_export_says_so(
    trained: tuple[Path, str], tmp_path: Path
) -> None:
    folder, _ = trained
    done = inside("benchmark", "-m", "experiment=study_small_test", *SMALL, store(folder))
    assert done.returncode == 0, done.stdout + done.stderr
    uri = f"sqlite:///{folder / 'mlflow.db'}"
    exported = inside(
        "benchmark.export", "study_small", "--tracking-uri", uri, "--output", str(tmp_path)
    )
    assert exported.returncode == 0, exported.stderr

    cells = by_sql(folder)
    table = pd.read_csv(tmp_path / "study.csv")
    assert list(zip(table["backbone"], table["agg"], strict=True)) == MODELS
    for (backbone, agg), row in zip(MODELS, table.itertuples(), strict=True):
        trials = cells["train", backbone, agg]
        assert set(trials) == {"adam", "sgd", "rmsprop"}
        best = min(trials, key=lambda optimizer: trials[optimizer][0])
        assert (row.optimizer, row.epochs) == (best, trials[best][1])
        for optimizer, (loss, _) in trials.items():
            assert getattr(row, f"loss_{optimizer}") == pytest.approx(loss, rel=1e-6)
        [(used, (_, epochs))] = cells["test", backbone, agg].items()
        assert (used, epochs) == (best, trials[best][1])
    rows = {(row["backbone"], row["agg"]): row for row in table.to_dict("records")}
    published = rows["mobilenet", "squared"]
    assert (published["published_optimizer"], published["published_epochs"]) == ("adam", 100)

    client, runs = runs_in(folder, "study_small")
    train, test = (
        next(r for r in runs if r.data.params.get("split") == split and "contents" in r.data.tags)
        for split in ("train", "test")
    )
    tested = json.loads(test.data.tags["contents"])
    assert not set(tested) & set(json.loads(train.data.tags["contents"]))
    for content in tested:
        file = f"results_original_size/Claude Monet/{content}.png"
        path = client.download_artifacts(test.info.run_id, file, str(tmp_path))
        [original] = (SHARED / "data" / "content").glob(f"{content}.*")
        with Image.open(path) as result, Image.open(original) as photograph:
            assert result.size == photograph.size
            assert np.asarray(result).std() > 10

    page = (tmp_path / "study.html").read_text()
    assert page.count('<img src="data:image/png;base64,') == len(MODELS)
    assert page.count('<img src="data:image/jpeg;base64,') == len(MODELS)
    assert not re.search(r'(src|href)="(?!data:|#)', page)
    assert (tmp_path / "study.md").read_text().count("\n|") == len(MODELS) + 1
    assert "- pixels a side: 48\n" in (tmp_path / "study.md").read_text()
    assert r"\toprule" in (tmp_path / "study.tex").read_text()
    for backbone, agg in MODELS:
        for kind in ("curves", "tests"):
            with Image.open(tmp_path / kind / f"{backbone}_{agg}.png") as picture:
                assert picture.width > 300


def test_a_missing_training_run_is_named_with_its_command(
    trained: tuple[Path, str], tmp_path: Path
) -> None:
    shutil.copy(trained[0] / "mlflow.db", tmp_path)
    client, runs = runs_in(tmp_path, "study_small")
    for run in runs:
        if (run.data.tags.get("agg"), run.data.tags.get("optimizer")) == ("simple", "rmsprop"):
            client.delete_run(run.info.run_id)
    one = [*SMALL, "agg=simple", "estimate=skip", store(tmp_path)]
    lacking = inside("benchmark", "-m", "experiment=study_small_test", *one)
    assert lacking.returncode == 2
    assert "training run of mobilenet · simple with rmsprop is missing. Start" in lacking.stderr
    other = inside("benchmark", "-m", "experiment=study_small_test", *one, "seed=1")
    assert "with adam had seed=0, not 1" in other.stderr
    [told] = re.findall(r"python -m (benchmark .*)", lacking.stderr)
    made = inside(*shlex.split(told))
    assert made.returncode == 0, made.stdout + made.stderr
    done = inside("benchmark", "-m", "experiment=study_small_test", *one)
    assert done.returncode == 0, done.stdout + done.stderr
