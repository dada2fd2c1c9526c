"""The recipes of docs/ work, and give the output that is shown, as they stand there."""

import re
import shlex
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from omegaconf import OmegaConf

import benchmark.transfer.aggregation
from benchmark.analysis.pages import as_text
from benchmark.analysis.study import StudyModel, study_table, with_headings
from benchmark.config.compose import composed
from benchmark.runs.groups import available_paintings
from benchmark.runs.variants import aggregation
from datasets import describe
from tests.conftest import SHARED

DOCS = Path(__file__).resolve().parents[1] / "docs"
RECIPES = (DOCS / "variants.md").read_text()
DATA = (DOCS / "data.md").read_text()
TUTORIAL = (DOCS / "tutorial.md").read_text()
LEFT_OUT = ("seconds", "weights")
"""Columns of a sweep's table."""


def test_the_new_aggregation(monkeypatch: pytest.MonkeyPatch) -> None:
    [code] = re.findall(r"```python\n(.*?)```", RECIPES, re.DOTALL)
    [variant] = re.findall(r"```yaml\n(.*?)```", RECIPES, re.DOTALL)
    assert len(code.strip().splitlines()) + len(variant.strip().splitlines()) < 10
    scope: dict[str, Any] = dict(vars(benchmark.transfer.aggregation))
    exec(code, scope)  # what a reader would type into the module
    monkeypatch.setattr(
        benchmark.transfer.aggregation, "contraharmonic", scope["contraharmonic"], raising=False
    )
    chosen = aggregation(dict(OmegaConf.create(variant)), paintings=[2])
    losses, weights = np.array([[1.0, 3.0]], "float32"), np.array([0.5, 0.5], "float32")
    # (½·1² + ½·3²) / (½·1 + ½·3) = 5 / 2
    np.testing.assert_allclose(chosen.function(losses, weights, **chosen.numbers), [2.5])


def test_a_set_with_a_name(tmp_path: Path, picture_folder: Path) -> None:
    [text] = re.findall(r"```yaml\n(.*?)```", DATA, re.DOTALL)
    new = tmp_path / "conf" / "dataset" / "frames.yaml"
    new.parent.mkdir(parents=True)
    new.write_text(text.replace("FRAMES", str(picture_folder)))
    searched = f"hydra.searchpath=[file://{tmp_path}/conf]"
    config = composed([searched, "dataset=frames", "dataset.artists=[ada]"])
    assert (config.dataset["name"], config.dataset["paintings"]) == ("frames", 30)
    [group] = available_paintings(config)
    assert (group.name, len(group.images)) == ("Ada", 12)


def test_a_value_for_each_dataset(archive: Path, picture_folder: Path) -> None:
    """The command's options as they stand there, with what there is for its capital letters."""
    [options] = re.findall(r"('dataset\.root=\{.*'dataset\.artists=\{.*)\n", DATA)
    names = {"FRAMES": str(picture_folder), "my_film": "bruno", "ARCHIVE": str(archive)}
    for name, value in {**names, "monet": "dürer"}.items():
        options = options.replace(name, value)
    # A dataset that is not named there takes what its YAML says.
    config = composed(["dataset=best_artworks", "dataset.root={folder:nowhere}"])
    assert config.dataset["root"] is None
    assert "root" not in composed(["++dataset.root={folder:nowhere}"]).dataset
    found = [
        available_paintings(composed([f"dataset={name}", *shlex.split(options)]))[0].name
        for name in ("best_artworks", "folder")
    ]
    assert found == ["Albrecht Dürer", "Bruno"]


def test_the_tutorials_own_paintings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With 2 paintings of each for 25, which take a second to paint."""
    [code] = re.findall(r"```python\n(.*?)```", TUTORIAL, re.DOTALL)
    [shown] = re.findall(r"```text\n(│ loose_drips.*?)```", TUTORIAL, re.DOTALL)
    monkeypatch.chdir(tmp_path)
    exec(code.replace("[:25]", "[:2]"), {})
    assert len(list((tmp_path / "PHOTOGRAPHS").iterdir())) == 2
    [options] = re.findall(r"python -m datasets.describe (.*)", TUTORIAL)
    assert describe.main(options.split()) == 0
    printed = capsys.readouterr().out
    for line in shown.replace(" 25 ", "  2 ").replace("50 p", "4 p").splitlines():
        assert line in printed


def test_the_tutorials_first_table_has_the_columns_of_a_sweeps(recorded: Path) -> None:
    """In the same order, but for those that it says it leaves out."""
    [printed] = re.findall(r"^┃ run.*┃$", (recorded / "output.txt").read_text(), re.MULTILINE)
    [shown] = re.findall(r"^│ run.*│$", TUTORIAL, re.MULTILINE)
    columns = [name for name in printed.replace("┃", " ").split() if name not in LEFT_OUT]
    assert shown.replace("│", " ").split() == [*columns, "held_out_distance.vgg"]
    assert all(f"`{name}`" in TUTORIAL for name in LEFT_OUT)


def test_the_tutorials_table_is_what_the_export_writes_for_a_paper() -> None:
    [table] = re.findall(r"```text\n(\| backbone.*?)```", TUTORIAL, re.DOTALL)
    [latex] = re.findall(r"```latex\n(.*?)```", TUTORIAL, re.DOTALL)
    lines = [[cell.strip() for cell in line.split("|")[1:-1]] for line in table.splitlines()]
    frame = pd.DataFrame([lines[0], *lines[2:]][1:], columns=lines[0])
    assert as_text(frame).to_latex(index=False, escape=True) == latex
    losses = [column for column in frame if str(column).startswith("loss ")]
    written = with_headings(study_table([StudyModel("vgg_shallow", "simple", {}, None)]))
    assert [*frame.drop(columns=losses)] == [*written]


@pytest.mark.real_data
def test_frames_of_a_film(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The clip has a cut at its frame 40, so that it has two key frames at least."""
    pytest.importorskip("av")
    [code] = re.findall(r"```python\n(.*?)```", DATA, re.DOTALL)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "film.mp4").symlink_to(SHARED / "video" / "cut.mp4")
    exec(code, {})
    config = composed(["dataset=folder", f"dataset.root={tmp_path}/FRAMES", "dataset.paintings=2"])
    [group] = available_paintings(config)
    assert group.name == "my_film"
    assert len(group.images) >= 2
