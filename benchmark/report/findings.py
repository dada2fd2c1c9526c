"""Findings of some runs, as sentences made from their numbers."""

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple, TypeVar

from benchmark.analysis.comparison import DAGGER, HARDLY_CHANGED, Column, RunSet
from benchmark.analysis.pages import with_noun
from benchmark.analysis.statistics import ALPHA, smallest_p
from benchmark.tracking.records import RunRecord

ASPECTS = (
    ("Style nearest to the artist's held-out paintings", ("held_out_distance",)),
    ("Style nearest to the style set", ("style_distance",)),
    ("Most of the content kept", ("ms_ssim", "ssim")),
    ("Grain nearest to the paintings'", ("grain",)),
    ("Most often recognised as the right artist's", ("recognition",)),
    ("Highest scores by people", ("people",)),
)
"""Titles of the summary, each with its metrics, of which the first that was computed counts."""

MOST_LISTED = 4
"""Models that a sentence names; the others are counted."""

NOT_STARTED = "planned, but not among the runs of this page (python -m benchmark.resume)"

T = TypeVar("T")


class Finding(NamedTuple):
    """A sentence or two under a title."""

    title: str
    text: str
    is_warning: bool = False


def warnings(runs: RunSet) -> list[Finding]:
    """Random weights, which nobody must overlook."""
    backbones = distinct(r.backbone or "?" for r in runs.records.values() if r.weights == "random")
    images = "their images show that everything runs, not what trained networks produce"
    metrics = "their metrics say nothing about style or content"
    return [
        *_findings("RANDOM weights", backbones, images),
        *_findings("RANDOM evaluators", runs.random_evaluators, metrics),
    ]


def findings(runs: RunSet, not_started: int = 0) -> list[Finding]:
    """All findings, the setting first; so many planned runs are not among the runs."""
    aspects = [(title, best_of(metrics, runs)) for title, metrics in ASPECTS]
    return [
        Finding("What was run", what_was_run([*runs.records.values()])),
        *too_few_examples(runs),
        *(Finding(title, text) for title, text in aspects if text),
        *hardly_changed(runs),
        *_findings("Not started", [with_noun(not_started, "run")] * (not_started > 0), NOT_STARTED),
        *(
            Finding(f"{name}: {run.status}", run.reason or "no reason was recorded.", True)
            for name, run in runs.records.items()
            if run.status != "finished"
        ),
        *other_data(runs),
        *skipped_metrics(runs),
    ]


def what_was_run(records: Sequence[RunRecord]) -> str:
    """How many runs of what, on which examples."""
    backbones, aggs, optimizers = (
        distinct(filter(None, (getattr(record, field) for record in records)))
        for field in ("backbone", "agg", "optimizer")
    )
    text = (
        f"{with_noun(len(records), 'run')}: {with_noun(len(backbones), 'backbone')} "
        f"({listed(backbones)}), {with_noun(len(aggs), 'aggregation')} ({listed(aggs)}), "
        f"optimised with {listed(optimizers)}"
    )
    ours = [r for r in records if r.is_ours]
    limits = distinct(r.params["epochs"] for r in ours if "epochs" in r.params)
    sizes = distinct(r.params["image_size"] for r in records if "image_size" in r.params)
    text += f" for at most {' or '.join(limits)} epochs" if limits else ""
    text += f" at {' or '.join(sizes)} pixels a side" if sizes else ""
    examples = distinct((len(r.artists), len(r.contents)) for r in records if r.artists)
    if not examples:
        return f"{text}. No run recorded its examples."
    numbers = " or ".join(
        f"{artists * contents} (= {with_noun(artists, 'artist')} × "
        f"{with_noun(contents, 'content picture')})"
        for artists, contents in examples
    )
    return f"{text}. Examples of a run: {numbers}."


def best_of(metrics: Sequence[str], runs: RunSet) -> str:
    """The best in the first of some metrics that was computed, by each evaluator; or nothing."""
    columns = runs.of_metrics(*metrics)
    sentences = [
        best_in(column, runs)
        for column in columns
        if column.metric == columns[0].metric and column.evaluator not in runs.random_evaluators
    ]
    return " ".join(filter(None, sentences))


def best_in(column: Column, runs: RunSet) -> str:
    """The best model in a metric, and whether the paired tests confirm it."""
    best, equal, testable = runs.best[column]
    compared = runs.of_finished(column).shape[1]
    if not best or compared < 2:
        return ""
    marked = [
        run
        + (DAGGER if runs.has_dagger(run, column) else "")
        + (" (RANDOM weights)" if runs.records[run].weights == "random" else "")
        for run in best
    ]
    rivals = [run for run in equal if run not in best]
    others = compared - len(best)
    if not others:
        verdict = ", all alike" if len(best) > 1 else ""
    elif not testable:
        verdict = " (not testable)"
    elif not rivals:
        verdict = f", significantly better than {'the other' if others == 1 else 'all others'}"
    elif len(rivals) == others:
        verdict = ", but not significantly better than any other"
    else:
        better = f"significantly better than {others - len(rivals)} of the {others} others"
        verdict = f", {better} but not than {listed(rivals, MOST_LISTED)}"
    evaluator = f"By {column.evaluator}: " if column.evaluator else ""
    value = runs.interval(best[0], column)
    return f"{evaluator}{listed(marked, MOST_LISTED)} at {value}{verdict}."


def too_few_examples(runs: RunSet) -> list[Finding]:
    """Whether there are too few examples for any difference in any metric to be significant."""
    tests = {
        column: runs.tests[column]
        for column, best in runs.best.items()
        if best.best and runs.tests[column]["p"].count()
    }
    if not tests or any(runs.best[column].testable for column in tests):
        return []
    examples = max(int(one["examples"].max()) for one in tests.values())
    pairs = max(int(one["p"].count()) for one in tests.values())
    needed = math.floor(1 + math.log2(pairs / ALPHA)) + 1
    text = (
        f"With {with_noun(examples, 'example')} and {with_noun(pairs, 'pair')} of models the "
        "smallest p value that is possible, adjusted after Holm, is "
        f"{smallest_p(examples, pairs):.2g}: no difference can be significant. "
        f"It could from {needed} examples."
    )
    return [Finding("Too few examples for the tests", text)]


def hardly_changed(runs: RunSet) -> list[Finding]:
    """The runs whose results are nearly the content pictures."""
    changes = {name: runs.interval(name, Column("change")).mean for name in runs.records}
    low = [f"{name} ({mean:.2g})" for name, mean in changes.items() if mean < HARDLY_CHANGED]
    about = f"mean change below {HARDLY_CHANGED} of the range of a pixel, five grey levels"
    return _findings("Hardly changed the picture", low, about)


def other_data(runs: RunSet) -> list[Finding]:
    """What differs between runs under the same name."""
    records = runs.records.values()
    values = {
        "style sets": {r.style_digest for r in records},
        "content pictures": {r.content_digest for r in records},
        "paintings that metrics compare with": {r.reference_digest for r in records},
        "picture sizes": {r.params.get("image_size", "") for r in records},
    }
    for evaluators in runs.evaluators.values():
        for name, evaluator in evaluators.items():
            values.setdefault(f"weights of the evaluator {name}", set()).add(evaluator.digest)
    differing = [what for what, found in values.items() if len(found - {""}) > 1]
    text = f"Not the same in all runs: {listed(differing)}; tests pair equal names all the same."
    return [Finding("Different data", text, True)] if differing else []


def skipped_metrics(runs: RunSet) -> list[Finding]:
    """The metrics that were not computed, and the runs that have none at all."""
    by_reason: dict[tuple[str, str], list[str]] = {}
    for name, record in runs.records.items():
        for metric, reason in record.skipped_metrics.items():
            has_part = any(name in runs.of_runs(column) for column in runs.of_metrics(metric))
            title = "Not computed for all" if has_part else "Not computed"
            by_reason.setdefault((title, reason), []).append(metric)
    without = len(set(runs.records).difference(runs.table["run"]))
    text = f"{with_noun(without, 'run')} of {len(runs.records)} left no scores."
    skipped = [
        Finding(f"{title}: {listed(distinct(metrics))}", f"{reason}.")
        for (title, reason), metrics in by_reason.items()
    ]
    return skipped + ([Finding("Without metrics", text)] if without else [])


def distinct(values: Iterable[T]) -> list[T]:
    """Values without repetitions, in order."""
    return list(dict.fromkeys(values))


def listed(names: Sequence[str], most: int | None = None) -> str:
    """Names with commas, beyond the most only counted."""
    if most is None or len(names) <= most:
        return ", ".join(names)
    return f"{', '.join(names[:most])} and {len(names) - most} more"


def _findings(title: str, names: Sequence[str], about: str) -> list[Finding]:
    """A warning about some models, if there are any."""
    return [Finding(title, f"{listed(names)}: {about}.", True)] if names else []
