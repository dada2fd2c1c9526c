"""Programs compared at equal content kept."""

from typing import Any, cast

import numpy as np
import pandas as pd
import pytest

from benchmark.analysis import tools
from benchmark.analysis.comparison import RunSet
from benchmark.analysis.tools import (
    PRIMARY,
    answer,
    at_content,
    claim_holds,
    compared,
    curves,
    place,
)
from benchmark.metrics.table import COLUMNS, RESULT, MetricDescription
from benchmark.runs.scores import RunScores
from benchmark.tracking.records import Evaluator, Results, RunRecord
from benchmark.tracking.tracker import Tracker

WEIGHTS = (1e6, 1e7, 1e8)
EXAMPLES = [("monet", f"{number}") for number in range(10)]
METRICS = {
    "content_distance": MetricDescription(better="lower"),
    "held_out_distance": MetricDescription(better="lower"),
    "kid": MetricDescription(better="lower"),
    "recognition": MetricDescription(better="higher"),
}


def record(backbone: str, agg: str, weight: float, **params: str) -> RunRecord:
    options = {"epochs": "60", "loss.name": "normalised", "optimizer.name": "adam"} | params
    stored: dict[str, Any] = {"run_id": f"{backbone}{weight}", "name": "", "started": 0}
    return RunRecord(
        **stored,
        status="finished",
        backbone=backbone,
        agg=agg,
        scores={},
        evaluators={"judge": Evaluator(), "vgg": Evaluator(optimised=True)},
        results=Results(seconds=20.0, examples=10),
        params={**options, "loss.content_weight": str(weight)},
    )


def scores(row: str, content: float, random: np.random.Generator) -> RunScores:
    """Style and content trade, 0.1 better for ours by the distance, 0.1 worse by KID."""
    ours = row == PRIMARY
    rows = []
    for artist, name in EXAMPLES:
        noise = random.normal(0, 0.001)
        values = {
            "content_distance": content + noise,
            "held_out_distance": 0.8 - content - 0.1 * ours + noise,
            "kid": 0.8 - content + 0.1 * ours + noise,
            "recognition": float(content > 0.3),
        }
        for metric, value in values.items():
            for judge in ("judge", "vgg"):
                rows.append((artist, name, RESULT, metric, judge, "", value))
    return RunScores(pd.DataFrame(rows, columns=COLUMNS), METRICS, {}, {})


@pytest.fixture
def runs(random: np.random.Generator) -> RunSet:
    """Two curves, which share content distances from 0.2 to 0.5."""
    records = [record("vgg", "simple", weight) for weight in WEIGHTS]
    records += [record("painter", "pictures", weight, epochs="30") for weight in WEIGHTS]
    found = RunSet(cast(Tracker, None), {place(one): one for one in records})
    contents = (0.5, 0.3, 0.1, 0.7, 0.4, 0.2)
    vars(found)["scores"] = {
        one.name: scores(one.row, content, random)
        for one, content in zip(found.places, contents, strict=True)
    }
    return found


def test_values_at_a_content_distance_are_those_of_interpolation(
    random: np.random.Generator,
) -> None:
    content = np.sort(random.random(5))
    values = random.random((5, 7))
    for level in (*content, *np.linspace(content[0], content[-1], 20)):
        expected = [np.interp(level, content, column) for column in values.T]
        np.testing.assert_allclose(at_content(content, values, level), expected)


def test_curves_are_runs_that_differ_in_the_content_weight(runs: RunSet) -> None:
    program, ours = curves(runs)
    assert (program.name, program.is_program) == ("painter, 30 steps", True)
    assert (ours.name, ours.seconds) == (PRIMARY, 2.0)
    assert [runs.records[n].params["loss.content_weight"] for n in ours.runs] == [
        str(weight) for weight in WEIGHTS
    ]
    two = record("vgg", "logged", 1, scales="[0.5,1]", **{"optimizer.name": "lbfgs"})
    assert place(two).row == "vgg logged normalised lbfgs coarse to fine, 60 epochs"
    assert (
        place(record("vgg", "simple", 1, **{"loss.name": "study"})).row == "vgg simple, 60 epochs"
    )


def test_differences_are_at_equal_content(runs: RunSet) -> None:
    program, ours = curves(runs)
    table = compared(runs, ours, [program]).set_index("measure")
    # By the other judge it is the network that painted ours.
    assert [*table.index] == ["held_out_distance.judge", "kid.judge", "recognition.judge"]
    assert [one.mean for one in table["difference"][:2]] == pytest.approx([-0.1, 0.1], abs=2e-3)
    # Wilcoxon: 2 of 2^10 combinations of signs, for the first of three measures.
    assert table["p"].iloc[0] == pytest.approx(3 * 2 / 2**10)
    # Ours are recognised from content distance 0.5 on, the others from 0.4.
    assert [*table["says"]] == ["nearer", "farther", "farther"]


def test_ranks_and_a_mean_that_contradict_each_other_say_nothing(
    runs: RunSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nineteen examples nearer by little, one farther by much: the ranks are significant alone."""
    found = pd.Series([*np.linspace(-0.02, -0.01, 19), 10.0])
    monkeypatch.setattr(tools, "differences", lambda *_: found)
    program, ours = curves(runs)
    table = compared(runs, ours, [program])
    assert (table["p"] < 0.05).all()
    assert {*table["says"]} == {"equal"}


def test_the_claim_needs_both_forms_and_nothing_against_it() -> None:
    def said(*pairs: tuple[str, str]) -> bool:
        return claim_holds(pd.DataFrame(pairs, columns=["metric", "says"]))

    gram, kid, colour = "held_out_distance", "kid", "colour_distance"
    assert said((gram, "nearer"), (kid, "nearer"), (colour, "equal"))
    assert not said((gram, "nearer"), (kid, "equal"))
    assert not said((gram, "equal"), (kid, "nearer"))
    assert not said((gram, "nearer"), (kid, "nearer"), (colour, "farther"))
    assert not said()


def test_the_page_says_so(runs: RunSet) -> None:
    page = answer(runs)
    _, sentence = page.sentences
    assert "painter, 30 steps" in sentence
    assert sentence.endswith("The claim does not hold.")
    assert len(page.tables) == 2
    assert len(page.charts) == 3
    for chart in page.charts.values():
        assert chart.to_dict()["layer"]
