"""The scores of a run: computed from its results, written to MLflow and read back."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import StringIO

import numpy as np
import pandas as pd
from pydantic import TypeAdapter, ValidationError

from benchmark.metrics.scoring import EvaluationSetup, scores
from benchmark.metrics.table import COLUMNS, MetricDescription, means
from benchmark.tracking.log import RunLog
from benchmark.tracking.records import Artifact, Evaluator, RunFacts, RunRecord
from benchmark.tracking.tracker import Tracker
from datasets import LoadedImages

DESCRIPTIONS = TypeAdapter(dict[str, MetricDescription])


@dataclass(frozen=True)
class RunScores:
    """A table of scores; how to read each metric, the evaluators, and why metrics are skipped."""

    table: pd.DataFrame
    metrics: Mapping[str, MetricDescription]
    evaluators: Mapping[str, Evaluator]
    skipped: Mapping[str, str]


def score(
    setup: EvaluationSetup,
    paintings: Sequence[LoadedImages],
    content: LoadedImages,
    results: np.ndarray,
    model: str,
    weights: str,
) -> RunScores:
    """Score results, uint8 (N, S, S, 3), artist by artist.

    They were optimised by the architecture `model`, its dotted name, with these `weights`; trained
    and random ones make two networks.
    """
    table, skipped = scores(setup, paintings, content, results)
    evaluators = {
        name: Evaluator(
            weights=evaluator.weights,
            digest=evaluator.digest,
            optimised=evaluator.shared.architecture.model == model
            and (evaluator.weights == "random") == (weights == "random"),
        )
        for name, evaluator in setup.evaluators.items()
    }
    descriptions = {metric.name: metric.description for metric in setup.metrics}
    return RunScores(table, descriptions, evaluators, skipped)


def log_scores(log: RunLog, of_run: RunScores, epoch: int) -> None:
    """Log the table of scores, their means at the last epoch, and how to read them."""
    log.text(Artifact.SCORES, of_run.table.to_csv(index=False, float_format="%.6g"))
    log.json(Artifact.METRICS, DESCRIPTIONS.dump_python(dict(of_run.metrics)))
    log.scores(means(of_run.table), epoch)
    log.update(RunFacts(evaluators=of_run.evaluators, skipped_metrics=of_run.skipped))


def read_scores(tracker: Tracker, run: RunRecord) -> RunScores:
    """The scores that a run has; an empty table where it was not scored."""
    files = tracker.artifacts(run.run_id)
    table, metrics = pd.DataFrame(columns=COLUMNS), {}
    if Artifact.SCORES in files:
        # Names that look like numbers, or like nothing, stay names.
        text = StringIO(tracker.read_text(run.run_id, Artifact.SCORES))
        table = pd.read_csv(text, dtype=str, keep_default_na=False)
        table = table.reindex(columns=COLUMNS, fill_value="")
        table["value"] = pd.to_numeric(table["value"], errors="coerce").astype(float)
    if Artifact.METRICS in files:
        try:
            metrics = DESCRIPTIONS.validate_python(tracker.read_json(run.run_id, Artifact.METRICS))
        except ValidationError:
            metrics = {}  # Scores are shown without them too.
    return RunScores(table, metrics, run.evaluators, run.skipped_metrics)
