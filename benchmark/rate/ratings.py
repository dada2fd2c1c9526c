"""What people's answers say: means with intervals, agreement, and scores of the runs."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from benchmark.analysis.comparison import RunSet
from benchmark.analysis.statistics import UNKNOWN, Interval
from benchmark.metrics.table import COLUMNS, CONTENT, EXAMPLE, RESULT, MetricDescription
from benchmark.runs.scores import RunScores, log_scores, merged, read_scores
from benchmark.tracking.records import Artifact, RunRecord
from benchmark.tracking.tracker import Tracker

METRIC = "people"

DRAWS = 1999


def agreement(answers: pd.DataFrame) -> float:
    """Krippendorff's α = 1 − D_o / D_e of raters about pictures, scores as an interval scale.

    D_o is the mean of (a − b)² over the pairs of scores of one picture by several people, each
    picture weighted by its number of scores; D_e that over all pairs of these scores. 1 is
    agreement, 0 as if scores were dealt at random. NaN where no picture has two scores, or all are
    the same.

    Source: Krippendorff, Content Analysis, 1980; computed by NLTK.
    """
    from nltk.metrics import interval_distance
    from nltk.metrics.agreement import AnnotationTask

    several = answers[answers.duplicated("picture", keep=False)]
    if several["score"].nunique() < 2:
        return np.nan
    triples = several[["rater", "picture", "score"]].itertuples(index=False, name=None)
    return float(AnnotationTask(list(triples), distance=interval_distance).alpha())


def people_interval(answers: pd.DataFrame) -> Interval:
    """Mean over pictures of their means over people, with its 95 % bootstrap interval.

    People and pictures are both drawn with replacement, because other people would also judge
    otherwise. Of a handful of either it is too narrow. One answer has no interval.

    Source: Owen, The pigeonhole bootstrap, 2007.
    """
    table = answers.pivot_table("score", "rater", "picture")
    mean = float(table.mean().mean())
    if table.size < 2:
        return UNKNOWN._replace(mean=mean)
    scores, rng = table.to_numpy(dtype=float), np.random.default_rng(0)
    people, pictures = (
        rng.multinomial(size, np.full(size, 1 / size), DRAWS) for size in scores.shape
    )
    given = people @ ~np.isnan(scores)
    weights = pictures * (given > 0)
    of_pictures = people @ np.nan_to_num(scores) / np.maximum(given, 1)
    total = weights.sum(axis=1)
    drawn = (weights * of_pictures).sum(axis=1)[total > 0] / total[total > 0]
    return Interval(mean, *map(float, np.quantile(drawn, [0.025, 0.975])))


def compared(runs: RunSet, answers: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """The answers about each run, each value of an option that several runs share, and controls."""
    results = answers[answers["subject"] == RESULT]
    members = {name: [record.run_id] for name, record in runs.records.items()}
    records = runs.records.values()
    options = dict.fromkeys(key for record in records for key in record.overrides)
    for option in options:
        by_value: dict[str, list[str]] = {}
        for record in records:
            if option in record.overrides:
                by_value.setdefault(record.overrides[option], []).append(record.run_id)
        if 1 < len(by_value) < len(records):
            members |= {f"{option}={value}": ids for value, ids in by_value.items()}
    groups = {name: results[results["run_id"].isin(ids)] for name, ids in members.items()}
    groups["content picture, untouched"] = answers[answers["subject"] == CONTENT]
    return {name: group for name, group in groups.items() if len(group)}


def ratings_table(runs: RunSet, answers: pd.DataFrame) -> pd.DataFrame:
    """A row per group that is compared: its mean, interval, and numbers of what it is from."""
    rows = []
    for name, group in compared(runs, answers).items():
        mean, low, high = people_interval(group)
        sizes = {"people": group["rater"].nunique(), "pictures": group["picture"].nunique()}
        rows.append({"group": name, "mean": mean, "low": low, "high": high} | sizes)
    return pd.DataFrame(rows)


def write_ratings(
    tracker: Tracker, records: Sequence[RunRecord], answers: pd.DataFrame, question: str
) -> int:
    """Write people's scores into the runs that they are about, in place of earlier ones.

    As the metric `people` of each example, the mean over people, beside a run's other scores; as
    `people_mean`, `_low`, `_high`, `_raters`, `_answers` and `_alpha` (all runs') among its
    metrics; and each answer in `Artifact.PEOPLE`. Returns how many runs that were.
    """
    description = MetricDescription(
        label="people", better="higher", range="[1, 10]", about=f"people's scores: {question}"
    )
    alpha, written = agreement(answers), 0
    controls = answers[answers["subject"] == CONTENT]
    for record in records:
        own = answers[(answers["subject"] == RESULT) & (answers["run_id"] == record.run_id)]
        if own.empty:
            continue
        of_run = controls[controls["content"].isin(record.contents)]
        of_run = pd.concat([own, of_run[of_run["artist"].isin(own["artist"])]])
        means = of_run.groupby([*EXAMPLE, "subject"], sort=False)["score"].mean()
        table = means.rename("value").astype(float).reset_index()
        table = table.assign(metric=METRIC, evaluator="", layer="")[COLUMNS]
        new = RunScores(table, {METRIC: description}, {}, {})
        log, epoch = tracker.log(record.run_id), record.results.epochs_done or 0
        scores = merged(read_scores(tracker, record), new)
        log_scores(log, scores, epoch, record.results.examples or 0)
        mean, low, high = people_interval(own)
        numbers = {"mean": mean, "low": low, "high": high, "alpha": alpha}
        numbers |= {"raters": own["rater"].nunique(), "answers": len(own)}
        log.metrics({f"{METRIC}_{name}": value for name, value in numbers.items()}, epoch)
        log.text(Artifact.PEOPLE, of_run.drop(columns="run_id").to_csv(index=False))
        written += 1
    return written
