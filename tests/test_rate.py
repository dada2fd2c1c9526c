"""People as judges: the page is blind, and what they answer comes out as computed here by hand."""

import json
import re
import shutil
from base64 import b64decode
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from mlflow import MlflowClient
from PIL import Image

from benchmark.analysis.comparison import Column, read_runs
from benchmark.config.errors import ConfigError
from benchmark.rate.answers import answers_table, read_all_answers
from benchmark.rate.pictures import RatedPicture, pictures_of, select_pictures
from benchmark.rate.ratings import agreement, people_interval
from benchmark.tracking.records import Artifact, RunFacts, RunRecord, content_file, result_file
from benchmark.tracking.tracker import Tracker
from tests.commands import inside, store

ARTISTS = ("Käthe </script><b>", "Bruno")
CONTENTS = ("the_cat-1", "the_cup-2", "the_rocket-3")
AGGREGATIONS = ("agg_one-p1", "agg_two-p2", "agg_three-p3")
EXAMPLES = [(artist, content) for artist in ARTISTS for content in CONTENTS]
QUESTION = "How like <Monet> & co?"


def add_run(tracker: Tracker, sweep: str, number: int, noise: np.random.Generator) -> None:
    agg, weights = AGGREGATIONS[number % 3], "fancy_net-7"
    facts = RunFacts(
        sweep=sweep,
        number=number,
        backbone=weights,
        agg=agg,
        artists=ARTISTS,
        contents=CONTENTS,
        overrides={"agg": agg, "dataset.paintings": "1" if number == 0 else "5"},
    )
    log = tracker.start(f"{weights} · {agg}", facts)
    log.table(
        Artifact.EXAMPLES, pd.DataFrame(EXAMPLES, columns=["artist", "content"], dtype=object)
    )
    for example in EXAMPLES if sweep != "other" else []:
        log.picture(result_file(*example), noise.integers(0, 255, (8, 12, 3), "uint8"))
    for content in CONTENTS:
        log.picture(content_file(content), noise.integers(0, 255, (8, 12, 3), "uint8"))
    log.metrics({"epochs_done": 3}, 3)
    log.end("finished", "epochs", "all epochs were done")


@pytest.fixture(scope="module")
def uri(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A store with a sweep of three runs, six results each, and another sweep of one run."""
    uri = store(tmp_path_factory.mktemp("rated")).removeprefix("tracking.uri=")
    tracker, noise = Tracker(uri, "style-transfer"), np.random.default_rng(3)
    for number in range(3):
        add_run(tracker, "their_sweep-9", number, noise)
    add_run(tracker, "other", 0, noise)
    return uri


def runs_and_pictures(uri: str) -> tuple[Tracker, list[RunRecord], list[RatedPicture]]:
    tracker = Tracker(uri, None, create=False)
    records = tracker.runs_of("their_sweep-9")
    return tracker, records, pictures_of(tracker, records)


def write_answers(folder: Path, name: str, scores: Mapping[str, Any], **others: object) -> str:
    file = folder / f"answers_{name}.json"
    right = {"page": "ab", "question": QUESTION, "rater": name, "scores": scores}
    file.write_text(json.dumps({**right, **others}))
    return str(file)


def page_of(file: Path) -> dict[str, Any]:
    [data] = re.findall(
        r'<script type="application/json" id="page">(.*?)</script>', file.read_text()
    )
    return dict(json.loads(data))


def test_the_page_says_nothing_about_the_runs_and_holds_all_it_shows(
    uri: str, tmp_path: Path
) -> None:
    file = tmp_path / "rate.html"
    chosen = ("their_sweep-9", "--tracking-uri", uri, "--untouched", "--limit", "10")
    done = inside("benchmark.rate", *chosen, "--question", QUESTION, "--output", str(file))
    assert done.returncode == 0, done.stderr
    _, records, pictures = runs_and_pictures(uri)
    text, page = file.read_text(), page_of(file)
    for record in records:
        for secret in (record.run_id, record.name, record.agg, record.backbone, record.sweep):
            assert secret not in text
    assert not [name for name in (*CONTENTS, "result_", "://", "fetch(", "@import") if name in text]
    assert "default-src 'none'" in text
    assert page["question"] == QUESTION
    assert {one["target"] for one in page["pictures"]} == {*ARTISTS}
    for one in page["pictures"]:
        kind, _, encoded = one["source"].partition(";base64,")
        image = Image.open(BytesIO(b64decode(encoded)))
        assert (kind, image.format, image.size) == ("data:image/jpeg", "JPEG", (12, 8))
        assert not {"exif", "comment"} & {*image.info}
    # As many of each run and of the photographs, of the same examples, no photograph twice.
    by_id = {picture.id: picture for picture in pictures}
    shown = [by_id[one["id"]] for one in page["pictures"]]
    groups = pd.Series(["photo" if p.subject == "content" else p.run_id for p in shown])
    assert sorted(groups.value_counts()) == [2, 2, 3, 3]
    assert len({picture.example for picture in shown}) == 3
    assert sorted(p.artist for p in {p.example for p in shown}) in (
        [ARTISTS[1], ARTISTS[1], ARTISTS[0]],
        [ARTISTS[1], ARTISTS[0], ARTISTS[0]],
    )


def test_another_seed_draws_other_pictures_and_the_same_one_the_same(uri: str) -> None:
    _, _, pictures = runs_and_pictures(uri)

    def drawn(seed: int) -> list[RatedPicture]:
        return select_pictures(pictures, False, 6, np.random.default_rng(seed))

    assert drawn(1) == drawn(1)
    assert len({frozenset(drawn(seed)) for seed in range(8)}) > 1


def test_answers_become_scores_of_the_runs(uri: str, tmp_path: Path) -> None:
    """Three people, one of whom left some out; means computed here from the numbers themselves."""
    tracker, _, pictures = runs_and_pictures(uri)
    rng = np.random.default_rng(5)
    results = [p for p in pictures if p.subject == "result"]
    photograph = next(p for p in pictures if p.subject == "content")
    given: dict[str, dict[str, int]] = {}
    for rater, share in (("Ada", 1.0), ("Bo", 1.0), ("Çelik", 0.6)):
        rated = [p for p in results if rng.random() < share]
        given[rater] = {p.id: int(rng.integers(1, 11)) for p in rated} | {photograph.id: 2}
    files = [write_answers(tmp_path, rater, scores) for rater, scores in given.items()]
    name = ("--sweep", "their_sweep-9", "--tracking-uri", uri, "--read")
    first = inside("benchmark.rate", *name, files[0])
    assert first.returncode == 0, first.stderr
    done = inside("benchmark.rate", *name, *files)
    assert done.returncode == 0, done.stderr
    for record in tracker.runs_of("their_sweep-9"):
        own = [p for p in results if p.run_id == record.run_id]
        of_pictures = [np.mean([s[p.id] for s in given.values() if p.id in s]) for p in own]
        answers = sum(p.id in scores for p in own for scores in given.values())
        assert record.scores["people"] == pytest.approx(np.mean(of_pictures), rel=1e-5)
        metrics = MlflowClient(uri).get_run(record.run_id).data.metrics
        assert metrics["people_mean"] == pytest.approx(np.mean(of_pictures))
        assert metrics["people_low"] < metrics["people_mean"] < metrics["people_high"]
        assert (metrics["people_raters"], metrics["people_answers"]) == (3, answers)
        rows = tracker.read_text(record.run_id, Artifact.PEOPLE).splitlines()
        assert len(rows) == 1 + answers + 3
        assert f"{record.agg}" in done.stdout
    runs = read_runs(tracker, tracker.runs_of("their_sweep-9"))
    column = Column("people")
    assert runs.columns == [column]
    assert runs.of_runs(column).shape == (6, 3)
    assert runs.of_subject(column, "content").tolist() == [2.0]
    assert "dataset.paintings=5" in done.stdout
    assert "content picture, untouched" in done.stdout


def test_agreement_is_krippendorffs() -> None:
    """The example of his Computing Krippendorff's Alpha-Reliability, 2011: interval α = 0.849."""
    observers = [
        [1, 2, 3, 3, 2, 1, 4, 1, 2, 0, 0, 0],
        [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, 0, 3],
        [0, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, 0],
        [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, 0],
    ]
    rows = [
        (str(rater), str(picture), score)
        for rater, scores in enumerate(observers)
        for picture, score in enumerate(scores)
        if score
    ]
    answers = pd.DataFrame(rows, columns=["rater", "picture", "score"])
    assert agreement(answers) == pytest.approx(0.849, abs=5e-4)
    assert np.isnan(agreement(answers[answers["rater"] == "0"]))
    assert np.isnan(agreement(answers.assign(score=3)))


def test_the_interval_is_over_pictures_and_over_people() -> None:
    """One person: mean ± 1.96 σ / √n. People who differ by constants: wider by their spread too."""
    scores = np.random.default_rng(2).integers(1, 11, 80)
    one = pd.DataFrame({"rater": "a", "picture": range(80), "score": scores})
    mean, low, high = people_interval(one)
    error = 1.96 * scores.std() / np.sqrt(80)
    assert mean == pytest.approx(scores.mean())
    assert (low, high) == pytest.approx((mean - error, mean + error), abs=0.12)
    shifts = np.arange(-4, 5)
    many = pd.concat([one.assign(rater=str(s), score=scores + s) for s in shifts])
    mean, low, high = people_interval(many)
    error = 1.96 * np.sqrt(scores.var() / 80 + shifts.var() / 9)
    assert (low, high) == pytest.approx((mean - error, mean + error), abs=0.2)
    assert np.isnan(people_interval(one[:1]).low)


WRONG: list[tuple[dict[str, Any] | str | bytes, str, object]] = [
    ('{"page": "ab", "scores": {"x": ', "--read", "{file}"),
    (b"\xff\xfe\x00", "--read", "{file}"),
    ("[1, 2]", "--read", "{file}"),
    ('{"rater": "Ada"}', "--read", "{file}"),
    ({"scores": {}}, "--read", "{file}"),
    ({"scores": {"{id}": 11}}, "{file}.scores.{id}", 11),
    ({"scores": {"{id}": 0}}, "{file}.scores.{id}", 0),
    ({"scores": {"{id}": "7"}}, "{file}.scores.{id}", "7"),
    ({"scores": {"{id}": 7.5}}, "{file}.scores.{id}", 7.5),
    ({"scores": {"{id}": True}}, "{file}.scores.{id}", True),
    ({"scores": [7]}, "{file}.scores", [7]),
    ({"rater": " "}, "{file}.rater", " "),
    ({"scores": {"{other}": 7}}, "--read", "{file}"),
    ({"scores": {"{id}": 7, "ffff": 7}}, "{file}.scores.ffff", ...),
]
"""What a file holds, beside a right one's content, and the option and value of the error."""


@pytest.mark.parametrize(("content", "option", "value"), WRONG)
def test_wrong_answers_are_refused(
    uri: str, tmp_path: Path, content: dict[str, Any] | str | bytes, option: str, value: object
) -> None:
    tracker, _, pictures = runs_and_pictures(uri)
    [other, *_] = pictures_of(tracker, tracker.runs_of("other"))
    file = tmp_path / "answers.json"
    names = {"{id}": pictures[0].id, "{other}": other.id, "{file}": str(file)}

    def filled(text: str) -> str:
        for name, real in names.items():
            text = text.replace(name, real)
        return text

    if isinstance(content, dict):
        right = {"question": QUESTION, "rater": "Ada", "scores": {"{id}": 7}}
        content = filled(json.dumps({**right, **content}))
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(ConfigError) as caught:
        answers_table(read_all_answers([str(file)]), pictures, "their_sweep-9")
    expected = filled(value) if isinstance(value, str) else value
    assert (caught.value.option, caught.value.value) == (filled(option), expected)
    done = inside("benchmark.rate", "their_sweep-9", "--tracking-uri", uri, "--read", str(file))
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)


def test_wrong_collections_and_limits_are_refused(uri: str, tmp_path: Path) -> None:
    _, _, pictures = runs_and_pictures(uri)
    scores = {pictures[0].id: 5}
    ada, bo = (write_answers(tmp_path, name, scores) for name in ("Ada", "Bo"))
    again = write_answers(tmp_path, "copy", scores, rater=" Ada ")
    other_question = write_answers(tmp_path, "Cy", scores, question="Beautiful?")
    absent = str(tmp_path / "none.json")
    for files in ([ada, bo, again], [ada, other_question], [ada, absent]):
        with pytest.raises(ConfigError) as caught:
            read_all_answers(files)
        assert (caught.value.option, caught.value.value) == ("--read", files[-1])
    for untouched, limit in ((False, 2), (True, 3), (False, 0), (False, -4)):
        with pytest.raises(ConfigError) as caught:
            select_pictures(pictures, untouched, limit, np.random.default_rng(0))
        assert (caught.value.option, caught.value.value) == ("--limit", limit)
    with pytest.raises(ConfigError):
        select_pictures([], False, None, np.random.default_rng(0))


def test_the_page_in_a_browser(uri: str, tmp_path: Path) -> None:
    """Scores by key and click, correction, a pause, and the export, read back."""
    playwright = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if not chromium:
        pytest.skip("there is no Chromium")
    file = tmp_path / "rate.html"
    chosen = ("their_sweep-9", "--tracking-uri", uri, "--limit", "3", "--output", str(file))
    assert inside("benchmark.rate", *chosen).returncode == 0
    with playwright.sync_playwright() as running:
        browser = running.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page()
        page.goto(file.as_uri())
        page.fill("#name", "Ada")
        page.click("text=Begin")
        page.keyboard.press("0")
        page.click("[data-score='4']")
        page.keyboard.press("ArrowLeft")
        page.keyboard.press("6")
        page.reload()
        assert page.inner_text("#where") == "3 of 3"
        page.keyboard.press("1")
        with page.expect_download() as download:
            page.click("#export")
        download.value.save_as(tmp_path / "answers.json")
        browser.close()
    answers = json.loads((tmp_path / "answers.json").read_text())
    assert [answers["scores"][one] for one in answers["order"]] == [10, 6, 1]
    _, _, pictures = runs_and_pictures(uri)
    read = read_all_answers([str(tmp_path / "answers.json")])
    assert answers_table(read, pictures, "")["rater"].tolist() == ["Ada"] * 3
