"""Runs side by side: their scores with intervals and paired tests, and tables for a paper."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

import pandas as pd

from benchmark.analysis.pages import table_files
from benchmark.analysis.statistics import (
    UNKNOWN,
    BestModels,
    Interval,
    best_models,
    comparable,
    confidence_interval,
    paired_tests,
    winners,
)
from benchmark.metrics.table import (
    COLUMNS,
    CONTENT,
    EXAMPLE,
    PAINTING,
    RESULT,
    MetricDescription,
)
from benchmark.runs.scores import RunScores, read_scores
from benchmark.tracking.records import Artifact, Evaluator, RunRecord
from benchmark.tracking.tracker import Tracker

DAGGER = "†"

DAGGER_NOTE = (
    f"{DAGGER} the evaluator is the network that optimised these pictures, or that chose their "
    "style sets: it is not independent."
)

INTERVALS_NOTE = (
    "Metrics are means over the examples, with 95 % intervals (bootstrap over the examples; of "
    "fewer than 8 Student's t, which may leave a metric's range; Wilson's for rates)."
)

BASELINES = {CONTENT: "content picture, untouched", PAINTING: "held-out paintings"}
"""Other subjects than results, for comparison."""

SETTINGS = {
    "image size": "image_size",
    "paintings an artist": "dataset.paintings",
    "loss": "loss.name",
    "learning rate": "optimizer.learning_rate",
    "precision": "precision",
}
"""Options that a table's text names where all runs have the same."""

HARDLY_CHANGED = 0.02
"""A mean change below this, five grey levels, is hardly visible."""

MODEL_COLUMNS = ("backbone", "agg", "optimizer", "weights")


class Column(NamedTuple):
    """A metric, with the evaluator that computed it if it needs one."""

    metric: str
    evaluator: str = ""

    @property
    def name(self) -> str:
        """As "metric" or "metric.evaluator"."""
        return f"{self.metric}.{self.evaluator}" if self.evaluator else self.metric


class Place(NamedTuple):
    """A run's place in a comparison: its name, and its row and column in a grid of images."""

    name: str
    row: str
    column: str


@dataclass(frozen=True)
class RunSet:
    """Runs of a store that are compared with each other."""

    tracker: Tracker
    places: Mapping[Place, RunRecord]
    _of_runs: dict[Column, pd.DataFrame] = field(default_factory=dict)

    @cached_property
    def records(self) -> dict[str, RunRecord]:
        """The runs by the name of their place."""
        return {place.name: record for place, record in self.places.items()}

    @cached_property
    def scores(self) -> dict[str, RunScores]:
        """The scores of each run; an empty table where it was not scored."""
        return {name: read_scores(self.tracker, run) for name, run in self.records.items()}

    @cached_property
    def table(self) -> pd.DataFrame:
        """All scores in the columns of `metrics.table`, with the run's name in "run"."""
        tables = [one.table.assign(run=name) for name, one in self.scores.items() if len(one.table)]
        return pd.concat(tables or [pd.DataFrame(columns=["run", *COLUMNS])], ignore_index=True)

    @cached_property
    def metrics(self) -> dict[str, MetricDescription]:
        """How to read each metric, in the order in which they are shown."""
        described = {name: d for one in self.scores.values() for name, d in one.metrics.items()}
        names = [*described, *map(str, self.table["metric"].unique())]
        return dict.fromkeys(names, MetricDescription()) | described

    @cached_property
    def evaluators(self) -> dict[str, dict[str, Evaluator]]:
        """The evaluators of each run by name, with those that only its scores name."""
        evaluators = {}
        for name, run in self.records.items():
            named = [*run.evaluators, *filter(None, self.scores[name].table["evaluator"])]
            evaluators[name] = dict.fromkeys(named, Evaluator()) | {**run.evaluators}
        return evaluators

    @cached_property
    def columns(self) -> list[Column]:
        """All that was computed: first what needs no evaluator, then evaluator by evaluator."""
        computed = set(zip(self.table["metric"], self.table["evaluator"], strict=True))
        evaluators = ["", *dict.fromkeys(e for known in self.evaluators.values() for e in known)]
        return [Column(m, e) for e in evaluators for m in self.metrics if (m, e) in computed]

    def of_runs(self, column: Column) -> pd.DataFrame:
        """The scores of the results, a row per example, a column per run; not to be changed."""
        if column not in self._of_runs:
            scores = self._of(column, RESULT)
            self._of_runs[column] = scores.pivot_table("value", EXAMPLE, "run", "mean", sort=False)
        return self._of_runs[column]

    def of_finished(self, column: Column) -> pd.DataFrame:
        """`of_runs`, of those that finished: others kept the pictures of an early epoch."""
        table = self.of_runs(column)
        return table[[run for run in table if self.records[str(run)].status == "finished"]]

    def of_metrics(self, *metrics: str) -> list[Column]:
        """The columns of some metrics, each by all its evaluators."""
        return [c for metric in metrics for c in self.columns if c.metric == metric]

    def of_subject(self, column: Column, subject: str) -> pd.Series:
        """The scores of another subject, a value per picture: the mean of what the runs have."""
        return self._of(column, subject).groupby(EXAMPLE, sort=False)["value"].mean()

    def summary(self, column: Column, values: pd.Series) -> Interval:
        """Mean and interval of some scores of a metric."""
        description = self.metrics[column.metric]
        interval = confidence_interval(values.to_numpy(), description.rate)
        return interval if description.interval else UNKNOWN._replace(mean=interval.mean)

    @cached_property
    def intervals(self) -> dict[tuple[str, Column], Interval]:
        """Mean and interval of each run in each metric."""
        return {
            (str(run), column): self.summary(column, values)
            for column in self.columns
            for run, values in self.of_runs(column).items()
        }

    def interval(self, run: str, column: Column) -> Interval:
        """Mean and interval of a run in a metric."""
        return self.intervals.get((run, column), UNKNOWN)

    def text(self, run: str, column: Column) -> str:
        """The same as `0.41 [0.38, 0.45]`, with a † as its note says, and `scored_part`."""
        dagger, part = DAGGER if self.has_dagger(run, column) else "", self.scored_part(run, column)
        return f"{self.interval(run, column)}{dagger}{f' ({part})' if part else ''}"

    def scored_part(self, run: str, column: Column) -> str:
        """As `6 of 10 examples`, where a metric was not computed for all of a run's; else empty."""
        scored = int(self.of_runs(column).get(run, pd.Series(dtype=float)).count())
        examples = self.examples.get(run, 0)
        return f"{scored} of {examples} examples" if 0 < scored < examples else ""

    @cached_property
    def examples(self) -> dict[str, int]:
        """How many results each run has, as it says, or else as its scores do."""
        results = self.table[self.table["subject"] == RESULT].drop_duplicates(["run", *EXAMPLE])
        scored = results["run"].value_counts()
        return {
            name: max(int(scored.get(name, 0)), record.results.examples or 0)
            for name, record in self.records.items()
        }

    def has_dagger(self, run: str, column: Column) -> bool:
        """Whether a run was scored by what also optimised its pictures, or chose its style sets."""
        evaluator = self.evaluators.get(run, {}).get(column.evaluator, Evaluator())
        return (evaluator.optimised or evaluator.chose) and (run, column) in self.intervals

    @cached_property
    def tests(self) -> dict[Column, pd.DataFrame]:
        """The paired tests of finished runs in each metric; of a ratio, of |log ratio|."""
        return {
            column: paired_tests(comparable(self.of_finished(column), self.better(column)))
            for column in self.columns
        }

    @cached_property
    def best(self) -> dict[Column, BestModels]:
        """The best run in each metric."""
        return {
            column: best_models(self.of_finished(column), tests, self.better(column))
            for column, tests in self.tests.items()
        }

    def better(self, column: Column) -> str:
        """Which values are good."""
        return self.metrics[column.metric].better

    def label(self, column: Column) -> str:
        """A metric's heading."""
        return self.metrics[column.metric].label or column.metric

    @cached_property
    def random_evaluators(self) -> list[str]:
        """The evaluators whose weights are random."""
        evaluators = [pair for known in self.evaluators.values() for pair in known.items()]
        return list(dict.fromkeys(name for name, one in evaluators if one.weights == "random"))

    def _of(self, column: Column, subject: str) -> pd.DataFrame:
        """The scores of a subject in a metric, of whole networks."""
        wanted = {**column._asdict(), "subject": subject, "layer": ""}
        return self.table[(self.table[[*wanted]] == pd.Series(wanted)).all(axis=1)]


def read_runs(tracker: Tracker, records: Sequence[RunRecord]) -> RunSet:
    """Runs, each called by what tells it from the others; rows are backbones, columns aggregations.

    Where other options differ, a row is a backbone with them; the order p of a power mean is in the
    aggregation's name.
    """
    given_by = [record.overrides for record in records if record.overrides]
    keys = dict.fromkeys(key for overrides in given_by for key in overrides)
    varied = [
        key
        for key in keys
        if key not in ("backbone", "agg", "agg.p")
        and not key.startswith("tracking.")
        and len({overrides.get(key) for overrides in given_by}) > 1
    ]
    places: dict[Place, RunRecord] = {}
    for record in records:
        backbone, agg, given = record.backbone or "?", record.agg or "?", record.overrides
        options = "".join(f" {key}={given[key]}" for key in varied if key in given)
        place = Place(f"{backbone} {agg}{options}", f"{backbone}{options}", agg)
        if place in places:
            mark = f" ({record.run_id[:6]})"
            place = Place(place.name + mark, place.row + mark, agg)
        places[place] = record
    return RunSet(tracker, places)


def results_table(records: Sequence[RunRecord]) -> pd.DataFrame:
    """One row per run: what it was, how it ended, its mean losses over the examples.

    What an interrupted run lacks is missing (NaN), never zero.
    """
    rows = [
        {
            **{column: getattr(record, column) or None for column in MODEL_COLUMNS},
            "dataset": record.params.get("dataset.name"),
            # Parameters are texts.
            "dataset_root": root if (root := record.params.get("dataset.root")) != "None" else None,
            "artists": "; ".join(record.artists) or None,
            "examples": record.results.examples,
            "epochs": record.results.epochs_done,
            "status": record.status,
            "stopped_by": record.stopped_by or None,
            "total_loss": record.results.final_total_loss,
            "style_loss": record.results.final_style_loss,
            "content_loss": record.results.final_content_loss,
            "loss_ratio": record.results.loss_ratio,
            "seconds": record.results.seconds,
            "seed": record.params.get("seed"),
            "run_id": record.run_id,
        }
        for record in records
    ]
    return pd.DataFrame(rows).astype({"examples": "Int64", "epochs": "Int64"})


def logged_table(runs: RunSet, artifact: Artifact) -> pd.DataFrame:
    """The rows of a table of each run that has it, with the run's model and id."""
    parts = []
    for record in runs.records.values():
        if not runs.tracker.has_artifact(record.run_id, artifact):
            continue
        part = runs.tracker.read_table(record.run_id, artifact)
        for position, name in enumerate(MODEL_COLUMNS):
            part.insert(position, name, getattr(record, name) or None)
        parts.append(part.assign(run_id=record.run_id))
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()


def examples_table(runs: RunSet) -> pd.DataFrame:
    """One row per example of each run that has results, with a column per metric."""
    examples = logged_table(runs, Artifact.EXAMPLES)
    if examples.empty:
        return examples
    ids = {name: record.run_id for name, record in runs.records.items()}
    for column in runs.columns:
        values = runs.of_runs(column).rename(columns=ids)
        long = values.melt(value_name=column.name, ignore_index=False, var_name="run_id")
        examples = examples.merge(long.reset_index(), how="left", on=[*EXAMPLE, "run_id"])
    return examples


def without_common(results: pd.DataFrame, records: Sequence[RunRecord]) -> tuple[pd.DataFrame, str]:
    """A table of runs to be read, and a line about what it leaves out: what all have in common."""
    own = ("run_id", "dataset_root")
    common = [
        name
        for name in results
        if len(results) > 1
        and name not in MODEL_COLUMNS
        and results[name].nunique(dropna=False) == 1
    ]
    shown = [name for name in common if name not in own]
    facts = {name: results[name].iloc[0] for name in shown if pd.notna(results[name].iloc[0])}
    for name, option in SETTINGS.items():
        values = {record.params.get(option) for record in records}
        if len(values) == 1 and (value := values.pop()):
            facts[name] = value
    said = ", ".join(f"{name} {value}" for name, value in facts.items())
    return results.drop(columns={*common, *own}), f"All runs: {said}." if said else ""


def with_baselines(runs: RunSet, cells: pd.DataFrame) -> pd.DataFrame:
    """A table of runs with rows for what untouched and real pictures score, where that is known."""
    rows = []
    for subject, name in BASELINES.items():
        scores = {column: runs.of_subject(column, subject).dropna() for column in runs.columns}
        texts = {c.name: str(runs.summary(c, found)) for c, found in scores.items() if len(found)}
        rows += [{"backbone": name, **texts}] if texts else []
    return pd.concat([cells, pd.DataFrame(rows, columns=cells.columns)]) if rows else cells


def export_files(runs: RunSet) -> dict[str, str]:
    """The results as CSV, Markdown, LaTeX and JSON; examples, paintings, scores, tests as CSV."""
    results = results_table([*runs.records.values()])
    pairs = zip(runs.places, runs.records.values(), strict=True)
    options = [place.row.removeprefix(record.backbone or "?").strip() for place, record in pairs]
    if any(options):  # What tells runs of one model apart.
        results.insert(2, "options", options)
    values = {
        f"{column.name}{ending}": [
            getattr(runs.interval(name, column), bound) for name in runs.records
        ]
        for column in runs.columns
        for ending, bound in (("", "mean"), ("_low", "low"), ("_high", "high"))
    }
    texts = {c.name: [runs.text(name, c) for name in runs.records] for c in runs.columns}
    dagger = DAGGER_NOTE if any(runs.has_dagger(*key) for key in runs.intervals) else ""
    note = " ".join(filter(None, (INTERVALS_NOTE if runs.columns else "", dagger)))
    numbers = results.assign(**values)
    shown, common = without_common(results, [*runs.records.values()])
    cells = with_baselines(runs, shown.assign(**texts))
    files = table_files("results", numbers, cells, note, common)
    files["results.json"] = numbers.to_json(orient="records", indent=2) + "\n"
    files["examples.csv"] = examples_table(runs).to_csv(index=False)
    losses = logged_table(runs, Artifact.PAINTING_LOSSES)
    if len(losses):
        files["painting_losses.csv"] = losses.to_csv(index=False)
    if runs.columns:
        ids = runs.table["run"].map(lambda name: runs.records[name].run_id)
        scores = runs.table.assign(run_id=ids)[["run_id", *COLUMNS]]
        files["scores.csv"] = scores.to_csv(index=False)
        files["comparisons.csv"] = tests_table(runs).to_csv(index=False)
    return files


def tests_table(runs: RunSet) -> pd.DataFrame:
    """The paired tests of all metrics; `better` names the significantly better run of a pair."""
    parts = [
        tests.assign(**column._asdict(), better=winners(tests, runs.better(column)))
        for column, tests in runs.tests.items()
    ]
    columns = ["metric", "evaluator", "a", "b", "examples", "difference", "p", "p_holm", "better"]
    return pd.concat(parts, ignore_index=True)[columns]
