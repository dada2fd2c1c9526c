"""Scores for runs that are done, from their pictures in MLflow: `python -m benchmark.evaluate`."""

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from omegaconf.errors import OmegaConfBaseException
from rich.progress import track

from benchmark import comparison, record, scoring
from benchmark.arguments import Parser
from benchmark.config import ROOT, Config, composed, refuse, restored
from benchmark.errors import CompositionError, ConfigError
from benchmark.export import add_selection, selected
from benchmark.prepare import (
    InputError,
    assessment,
    evaluator,
    load_content,
    load_paintings,
    measure_of,
)
from benchmark.progress import console
from benchmark.tracking import RunRecord, Tracker
from datasets import digest_of

ALLOWED = ("metrics", "evaluation.", "dataset.root=", "content.root=")
"""Options that may differ from the run's own; the pictures are what they are."""


@dataclass(frozen=True)
class RunScores:
    """The scores of a run as MLflow has them, or as they are to be there.

    Attributes:
        table: see `scoring.scores`.
        facts: how to read each measure.
        evaluators: by name, what `record.scores` says of them.
        missing: measures that could not be taken, with the reason.
    """

    table: pd.DataFrame
    facts: dict[str, Any]
    evaluators: dict[str, Any]
    missing: dict[str, str]


def main(arguments: Sequence[str] | None = None) -> int:
    """Score the runs of one sweep, run or experiment; returns the exit code."""
    options = _parser().parse_args(arguments)
    try:
        wrong = [one for one in options.overrides if not one.lstrip("+~").startswith(ALLOWED)]
        if wrong:
            raise ConfigError(
                f"{wrong[0]}: the runs are done; only {', '.join(ALLOWED)} can be given here"
            )
        wanted = composed([o for o in options.overrides if ".root=" not in o])
        typed = [o.lstrip("+~").partition("=")[0] for o in options.overrides if ".root=" not in o]
        roots = dict(o.split("=", 1) for o in options.overrides if ".root=" in o)
        Tracker.check_reachable(options.tracking_uri)
        tracker = Tracker(options.tracking_uri, options.experiment, ROOT, create=False)
        label, records = selected(tracker, options)
        for one in wanted.metrics.values():
            measure_of(one)
        if "evaluation.evaluators" in typed:
            for name in wanted.evaluation.evaluators:
                evaluator(name, wanted.evaluation.weights, wanted.image_size)
    except (*InputError, *CompositionError, OSError) as error:
        return refuse(error)
    output = console()
    output.print(f"scoring {len(records)} runs of {label}", soft_wrap=True)
    failed = 0
    for run in track(records, "scoring", console=output, disable=not output.is_terminal):
        try:
            found = scored(tracker, run, wanted, typed, roots)
        except (*InputError, OmegaConfBaseException) as error:
            failed += 1
            output.print(f"  {run.name}: not scored: {error}", style="red", soft_wrap=True)
            continue
        means = ", ".join(f"{name} {v:.3g}" for name, v in scoring.means(found.table).items())
        output.print(f"  {run.name}: {means or 'nothing could be measured'}", soft_wrap=True)
        for reason in dict.fromkeys(found.missing.values()):
            lacking = ", ".join(name for name, why in found.missing.items() if why == reason)
            output.print(f"    no {lacking}: {reason}", style="yellow", soft_wrap=True)
    return 1 if failed else 0


def apply(config: Config, wanted: Config, typed: Sequence[str]) -> None:
    """Give a run's configuration the measures and evaluators that were typed, else its own.

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
) -> RunScores:
    """Score one run and write that into it, beside what it has of other measures.

    Raises:
        InputError: the run has no results, or its data are not those it was made with.
    """
    config = config_of(tracker, run)
    apply(config, wanted, typed)
    if "dataset.root" in roots:
        config.dataset["root"] = roots["dataset.root"]
    if "content.root" in roots:
        config.content["root"] = roots["content.root"]
    measures = [measure_of(variant) for variant in config.metrics.values()]
    content = load_content(config)
    groups, paintings = load_paintings(config)
    for what, digest in (("style", digest_of(paintings)), ("content", content.digest)):
        if run.tags.get(f"{what}_digest") != digest:
            raise ConfigError(
                f"its {what} pictures are not those that it was made with: put them back, or give "
                f"{'dataset' if what == 'style' else 'content'}.root=PATH"
            )
    given = assessment(config, measures, groups, paintings)
    pictures = [
        tracker.read_picture(run.run_id, record.result_file(one.name, name))
        for one in paintings
        for name in content.names
    ]
    table, missing = scoring.scores(given, paintings, content, np.stack(pictures))
    facts, evaluators = record.how_to_read(
        given, config.backbone["model"], run.tags.get("weights", "?")
    )
    found = RunScores(table, facts, evaluators, missing)
    together = merged(before(tracker, run), found)
    record.scores(
        tracker.log_of(run.run_id),
        together.table,
        together.facts,
        together.evaluators,
        together.missing,
        epochs=int(run.metrics.get("epochs_done", 0)),
    )
    tracker.log_of(run.run_id).tags({"reference_digest": given.digest})
    return found


def config_of(tracker: Tracker, run: RunRecord) -> Config:
    """The configuration that a run was made with.

    Raises:
        ConfigError: it has left none, or no results.
    """
    there = tracker.artifacts(run.run_id)
    if record.CONFIG not in there or "results" not in there:
        raise ConfigError(f"it has no results to score ({run.tags.get('status', run.status)})")
    return restored(json.loads(tracker.read_text(run.run_id, record.CONFIG)))


def before(tracker: Tracker, run: RunRecord) -> RunScores:
    """The scores that a run has already."""
    there = tracker.artifacts(run.run_id)
    table, facts = pd.DataFrame(columns=scoring.COLUMNS), {}
    if record.SCORES in there:
        table = comparison.scores_of(tracker.read_text(run.run_id, record.SCORES))
    if record.MEASURES in there:
        facts = json.loads(tracker.read_text(run.run_id, record.MEASURES))
    evaluators = json.loads(run.tags.get("evaluators", "{}"))
    missing = json.loads(run.tags.get("not_measured", "{}"))
    return RunScores(table, facts, evaluators, missing)


def merged(old: RunScores, new: RunScores) -> RunScores:
    """New scores in place of the old ones of the same measures and evaluators; others stay.

    Not those of an evaluator that had other weights then: one name is to mean one network.
    """
    kinds = ["measure", "evaluator"]
    taken = pd.MultiIndex.from_frame(new.table[kinds].drop_duplicates())
    other = [
        name
        for name, known in new.evaluators.items()
        if old.evaluators.get(name, known)["digest"] != known["digest"]
    ]
    replaced = pd.MultiIndex.from_frame(old.table[kinds]).isin(taken)
    kept = old.table[~(replaced | old.table["evaluator"].isin(other))]
    parts = [part for part in (kept, new.table) if len(part)]
    table = pd.concat(parts, ignore_index=True) if parts else new.table
    before = {name: reason for name, reason in old.missing.items() if name not in new.facts}
    facts, evaluators = old.facts | new.facts, old.evaluators | new.evaluators
    return RunScores(table, facts, evaluators, before | new.missing)


def _parser() -> argparse.ArgumentParser:
    parser = Parser(
        prog="python -m benchmark.evaluate",
        description="Score finished runs from their pictures in MLflow, and write the scores into "
        "them. Without options: the sweep (or single run) that started last.",
        epilog="Example: python -m benchmark.evaluate metrics=[ssim,grain] "
        "evaluation.evaluators=[vgg,efficientnetv2b0]",
    )
    parser.add_argument(
        "overrides",
        nargs="*",
        metavar="option=value",
        help="metrics=[…], evaluation.…=…; dataset.root= and content.root= where data were moved",
    )
    add_selection(parser)
    return parser


if __name__ == "__main__":
    sys.exit(main())
