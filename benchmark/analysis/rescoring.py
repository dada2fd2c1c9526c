"""Scoring the stored images of runs again, with other metrics or evaluators."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from benchmark.config.errors import ConfigError
from benchmark.config.schema import Config, restored
from benchmark.runs.prepare import evaluation_setup, load_content, load_paintings
from benchmark.runs.scores import RunScores, log_scores, read_scores
from benchmark.runs.scoring import score
from benchmark.runs.variants import metric_of
from benchmark.runs.workspace import Workspace
from benchmark.tracking.records import Artifact, RunFacts, RunRecord, result_file
from benchmark.tracking.tracker import Tracker
from datasets import digest_of

ALLOWED = ("metrics", "evaluation.", "dataset.root=", "content.root=")
"""Options that may differ from the run's own; the pictures are what they are."""


def apply(config: Config, wanted: Config, typed: Sequence[str]) -> None:
    """Give a run's configuration the metrics and evaluators that were typed, else its own.

    Args:
        config: the run's, changed in place.
        wanted: what the command line means by itself.
        typed: the options on it.
    """
    if "metrics" in typed or not config.metrics:
        config.metrics = {name: config.metrics.get(name, v) for name, v in wanted.metrics.items()}
    for group, *path in (option.split(".") for option in typed):
        if group == "evaluation" and path:
            setattr(config.evaluation, path[0], getattr(wanted.evaluation, path[0]))
        if group == "metrics" and len(path) == 2 and path[0] in config.metrics:
            config.metrics[path[0]][path[1]] = wanted.metrics[path[0]][path[1]]


def scored(
    tracker: Tracker,
    run: RunRecord,
    wanted: Config,
    typed: Sequence[str],
    roots: Mapping[str, str],
    workspace: Workspace,
) -> RunScores:
    """Score one run and write that into it, beside what it has of other metrics.

    Raises:
        InputError: the run has no results, or its data are not those it was made with.
    """
    config = config_of(tracker, run)
    apply(config, wanted, typed)
    if "dataset.root" in roots:
        config.dataset["root"] = roots["dataset.root"]
    if "content.root" in roots:
        config.content["root"] = roots["content.root"]
    metrics = [metric_of(name, variant) for name, variant in config.metrics.items()]
    content = load_content(config, workspace)
    groups, paintings = load_paintings(config, workspace)
    for what, option, recorded, digest in (
        ("style", "dataset.root", run.style_digest, digest_of(paintings)),
        ("content", "content.root", run.content_digest, content.digest),
    ):
        if recorded != digest:
            raise ConfigError(
                f"its {what} pictures are not those that it was made with: restore them, or give "
                f"{option}=PATH"
            )
    setup = evaluation_setup(config, metrics, groups, paintings, workspace)
    pictures = [
        tracker.read_picture(run.run_id, result_file(one.name, name))
        for one in paintings
        for name in content.names
    ]
    new = score(
        setup,
        paintings,
        content,
        np.stack(pictures),
        config.backbone["model"],
        run.weights,
    )
    log = tracker.log(run.run_id)
    log_scores(log, merged(read_scores(tracker, run), new), run.results.epochs_done or 0)
    log.update(RunFacts(reference_digest=setup.digest))
    return new


def config_of(tracker: Tracker, run: RunRecord) -> Config:
    """The configuration that a run was made with.

    Raises:
        ConfigError: it has left none, or no results.
    """
    there = tracker.artifacts(run.run_id)
    if Artifact.CONFIG not in there or Artifact.RESULTS not in there:
        raise ConfigError(f"it has no results to score ({run.status})")
    return restored(tracker.read_json(run.run_id, Artifact.CONFIG))


def merged(old: RunScores, new: RunScores) -> RunScores:
    """New scores in place of the old ones of the same metrics and evaluators; others stay.

    Not those of an evaluator that had other weights then: one name is to mean one network.
    """
    kinds = ["metric", "evaluator"]
    taken = pd.MultiIndex.from_frame(new.table[kinds].drop_duplicates())
    other = [
        name
        for name, known in new.evaluators.items()
        if old.evaluators.get(name, known).digest != known.digest
    ]
    replaced = pd.MultiIndex.from_frame(old.table[kinds]).isin(taken)
    kept = old.table[~(replaced | old.table["evaluator"].isin(other))]
    parts = [part for part in (kept, new.table) if len(part)]
    table = pd.concat(parts, ignore_index=True) if parts else new.table
    skipped = {name: reason for name, reason in old.skipped.items() if name not in new.metrics}
    return RunScores(
        table,
        {**old.metrics, **new.metrics},
        {**old.evaluators, **new.evaluators},
        {**skipped, **new.skipped},
    )
