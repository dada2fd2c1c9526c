"""Another program's pictures become a run that is compared like any other."""

import os
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from benchmark.analysis.statistics import pareto_front
from benchmark.config.compose import composed
from benchmark.config.schema import nested
from benchmark.images.pixels import to_float
from benchmark.runs.workspace import Workspace
from benchmark.sweeps.other_tools import ToolPictures, matched, score_pictures
from benchmark.sweeps.plan import SweepPlan
from benchmark.sweeps.resume import resume_sweep
from benchmark.tracking.records import Artifact, RunFacts, SweepFacts
from benchmark.tracking.tracker import Tracker
from benchmark.user_input import InputError
from tests.commands import TINY, inside, store
from tests.workspace import prepared_run

DATA = [*TINY, "image_size=32", "backbone=vgg_shallow", "metrics=[ssim,change]"]
SPELLED = {"amber_nocturne": "Amber Nocturne", "cathedral_glass": "cathedral-glass"}


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """The content pictures unchanged as one artist's, at another size black as the other's."""
    run = prepared_run(*DATA)
    for artist, content in run.examples:
        place = run.content.names.index(content)
        picture = Image.fromarray(run.content.pixels[place])
        if artist == "cathedral_glass":
            picture = Image.new("RGB", (50, 20))
        folder = tmp_path / "pictures" / SPELLED[artist]
        folder.mkdir(parents=True, exist_ok=True)
        picture.save(folder / f"{content.upper()}.png")
    (tmp_path / "pictures" / "somebody").mkdir()
    picture.save(tmp_path / "pictures" / "somebody" / "else.png")
    table = pd.DataFrame(run.examples, columns=["artist", "content"])
    table.assign(seconds=[1, 2, 3, 4.5]).to_csv(tmp_path / "table.csv", index=False)
    return tmp_path


@pytest.mark.filterwarnings("ignore:For backward compatibility, 'str' dtypes")  # MLflow's log_table
def test_pictures_become_a_run_with_scores(pictures: Path) -> None:
    uri = store(pictures).removeprefix("tracking.uri=")
    given = ["--pictures", str(pictures / "pictures"), "--label", "Painter 2"]
    given += ["--table", str(pictures / "table.csv"), "--tracking-uri", uri]
    done = inside("benchmark.evaluate", *given, *DATA)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 pictures of no example" in done.stdout
    tracker = Tracker(uri, "style-transfer", create=False)
    [record] = tracker.all_runs()
    assert (record.backbone, record.agg, record.status) == ("Painter 2", "pictures", "finished")
    assert (record.results.examples, record.results.seconds) == (4, 10.5)
    table = pd.read_csv(pictures / "table.csv")
    examples = tracker.read_table(record.run_id, Artifact.EXAMPLES)
    assert examples["seconds"].tolist() == table["seconds"].tolist()
    # Unchanged pictures are 0 from their contents, black ones these contents' root mean squares.
    contents = to_float(prepared_run(*DATA).content.pixels)
    expected = np.sqrt(np.square(contents, dtype=float).mean(axis=(1, 2, 3))).mean() / 2
    assert record.scores["change"] == pytest.approx(expected, rel=1e-4)
    assert 0.5 <= record.scores["ssim"] < 0.6
    again = inside("benchmark.evaluate", "metrics=[grain]", "--tracking-uri", uri)
    assert again.returncode == 0, again.stdout + again.stderr
    assert "grain" in tracker.all_runs()[0].scores
    _goes_into_a_sweep_that_is_not_complete(pictures, given, uri)
    refused = inside("benchmark.evaluate", *given, "--sweep", record.sweep, *DATA)
    assert refused.returncode == 2
    assert "--label Painter 2" in refused.stderr


def _goes_into_a_sweep_that_is_not_complete(pictures: Path, given: list[str], uri: str) -> None:
    """One of three runs began: the others' numbers stay free, in the sweep's own experiment."""
    tracker = Tracker(uri, "own")
    options = [*DATA, "tracking.experiment=own", "tracking.sweep=s"]
    settings = nested(composed(options))
    parent = tracker.start("s", SweepFacts(sweep="s", runs=3))
    parent.json(Artifact.PLAN, SweepPlan([options] * 3, [settings] * 3).packed())
    parent.end("killed", "lost", "lost")
    facts = RunFacts(sweep="s", parent=parent.run_id, fingerprint="x")
    tracker.start("first", facts).end("finished", "epochs", "done")
    done = inside("benchmark.evaluate", *given, "--sweep", "s", *DATA)
    assert done.returncode == 0, done.stdout + done.stderr
    assert [(run.number, run.agg) for run in tracker.runs_of("s")] == [(0, ""), (3, "pictures")]
    with patch.object(os, "execv") as begun:
        resume_sweep(uri, "s")
    assert "tracking.run=1,2" in begun.call_args.args[1]


@pytest.mark.parametrize(
    ("change", "option", "words"),
    [
        ("missing", "--pictures", "1 of 4 pictures are missing: cathedral_glass/"),
        ("twice", "--pictures", "two pictures of one example"),
        ("no folder", "--pictures", "no such folder"),
        ("artist,content\na,b", "--table", "and file or seconds"),
        ("artist,content,seconds\na,b,1", "--table", "row 1, a and b: no example"),
        ("artist,content,seconds\na,b,long", "--table", "cannot be read"),
        ("file", "--table", "no such file"),
    ],
)
def test_wrong_pictures(pictures: Path, change: str, option: str, words: str) -> None:
    examples = prepared_run(*DATA).examples
    folder, table = pictures / "pictures", pictures / "table.csv"
    first = next((folder / "cathedral-glass").iterdir())
    if change == "missing":
        first.unlink()
    elif change == "twice":
        first.with_suffix(".jpg").write_bytes(first.read_bytes())
    elif change == "no folder":
        folder = folder / "nowhere"
    elif change == "file":
        rows = pd.DataFrame(examples, columns=["artist", "content"])
        rows.assign(file="gone.png").to_csv(table, index=False)
    else:
        table.write_text(change)
    with pytest.raises(InputError, match=words) as raised:
        matched(ToolPictures("a", str(folder), str(table)), examples)
    assert raised.value.option == option


def test_files_may_lie_anywhere(pictures: Path) -> None:
    examples = prepared_run(*DATA).examples
    rows = pd.DataFrame(examples, columns=["artist", "content"])
    rows.assign(file="somebody/else.png").to_csv(pictures / "table.csv", index=False)
    request = ToolPictures("a", str(pictures / "pictures"), str(pictures / "table.csv"))
    found = matched(request, examples)
    assert {Path(image.source).name for image in found.images} == {"else.png"}
    assert np.isnan(found.seconds).all()


def test_what_a_program_starts_from_is_what_a_run_sees(tmp_path: Path) -> None:
    done = inside("benchmark.evaluate", "--inputs", str(tmp_path), *DATA)
    assert done.returncode == 0, done.stderr
    run = prepared_run(*DATA)
    styles = [(one, f"paintings/{one.name}") for one in run.paintings]
    for images, folder in [(run.content, "content"), *styles]:
        assert {file.stem for file in (tmp_path / folder).iterdir()} == {*images.names}
        for name, pixels in zip(images.names, images.pixels, strict=True):
            np.testing.assert_array_equal(Image.open(tmp_path / folder / f"{name}.png"), pixels)


def test_settings_tell_runs_of_a_program_apart() -> None:
    given = ["image_size=64", "loss.content_weight=2", "epochs=30", "metrics=[ssim]"]
    request = ToolPictures("a", "folder", overrides=given)
    assert request.settings == {"loss.content_weight": "2", "epochs": "30"}


def test_an_unknown_sweep_is_refused(pictures: Path) -> None:
    request = ToolPictures("a", str(pictures / "pictures"), overrides=DATA)
    uri = store(pictures).removeprefix("tracking.uri=")
    with pytest.raises(InputError) as raised:
        score_pictures(request, "nothing", uri, Workspace())
    assert (raised.value.option, raised.value.value) == ("--sweep", "nothing")


def test_the_front_is_of_models_that_no_other_beats(random: np.random.Generator) -> None:
    merits = random.integers(0, 6, (40, 2)).astype(float)
    expected = [
        not any(b[0] >= a[0] and b[1] >= a[1] and tuple(b) != tuple(a) for b in merits)
        for a in merits
    ]
    np.testing.assert_array_equal(pareto_front(merits), expected)
