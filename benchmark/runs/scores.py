"""The scores of a run, written to MLflow and read back."""

from collections.abc import Mapping
from dataclasses import dataclass
from io import StringIO

import pandas as pd
from pydantic import TypeAdapter, ValidationError

from benchmark.metrics.table import COLUMNS, MetricDescription, means
from benchmark.tracking.log import RunLog
from benchmark.tracking.records import SCORE_PREFIX, Artifact, Evaluator, RunFacts, RunRecord
from benchmark.tracking.tracker import Tracker

DESCRIPTIONS = TypeAdapter(dict[str, MetricDescription])


@dataclass(frozen=True)
class RunScores:
    """A table of scores; how to read each metric, the evaluators, and why metrics are skipped."""

    table: pd.DataFrame
    metrics: Mapping[str, MetricDescription]
    evaluators: Mapping[str, Evaluator]
    skipped: Mapping[str, str]


def log_scores(log: RunLog, of_run: RunScores, epoch: int, examples: int = 0) -> None:
    """Log the table of scores, their means over all examples, and how to read them."""
    log.text(Artifact.SCORES, of_run.table.to_csv(index=False, float_format="%.6g"))
    log.json(Artifact.METRICS, DESCRIPTIONS.dump_python(dict(of_run.metrics)))
    found = means(of_run.table, examples)
    log.metrics({f"{SCORE_PREFIX}{name}": mean for name, mean in found.items()}, epoch)
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


def merged(old: RunScores, new: RunScores) -> RunScores:
    """New scores in place of the old ones of the same metrics and evaluators; others stay.

    Not those of an evaluator that had other weights then: one name is to mean one network.
    """
    kinds = ["metric", "evaluator"]
    changed = [
        name
        for name, evaluator in new.evaluators.items()
        if old.evaluators.get(name, evaluator).digest != evaluator.digest
    ]
    replaced = pd.MultiIndex.from_frame(new.table[kinds])
    is_replaced = pd.MultiIndex.from_frame(old.table[kinds]).isin(replaced)
    kept = old.table[~(is_replaced | old.table["evaluator"].isin(changed))]
    tables = [table for table in (kept, new.table) if len(table)]
    skipped = {name: reason for name, reason in old.skipped.items() if name not in new.metrics}
    return RunScores(
        pd.concat(tables, ignore_index=True) if tables else new.table,
        {**old.metrics, **new.metrics},
        {**old.evaluators, **new.evaluators},
        {**skipped, **new.skipped},
    )
