"""What some runs have shown, in sentences made from their numbers."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple, TypeVar

from benchmark.analysis.comparison import DAGGER, HARDLY, Column, Compared, random_evaluators
from benchmark.analysis.statistics import LEVEL, least_p
from benchmark.analysis.tables import UNKNOWN, Model, shown
from benchmark.tracking.records import RunRecord

ASPECTS = (
    ("Style nearest to the artist's held-out paintings", ("held_out_distance",)),
    ("Style nearest to the style set", ("style_distance",)),
    ("Most of the content kept", ("ms_ssim", "ssim")),
    ("Grain nearest to the paintings'", ("grain",)),
    ("Most often taken for the right artist's", ("recognition",)),
)
"""What the summary tells of: a title, and its metrics, of which the first there is counts."""

NAMED = 4
"""Most models that a sentence names."""

T = TypeVar("T")


class Finding(NamedTuple):
    """A sentence or two under a title.

    Attributes:
        title: what it is about.
        text: what was found.
        loud: whether it warns.
    """

    title: str
    text: str
    loud: bool = False


def findings(
    records: Sequence[RunRecord], models: Mapping[str, Model], compared: Compared
) -> list[Finding]:
    """All that is to be said of some runs."""
    names = {run_id: model.name for run_id, model in models.items()}
    found = [Finding("What was run", what_was_run(records)), *too_few(compared)]
    found += [
        Finding(title, text)
        for title, metrics in ASPECTS
        if (text := best_of(metrics, names, compared))
    ]
    found += hardly_changed(names, compared)
    found += unfinished(records, names)
    found += other_data(records, compared)
    return found + skipped_metrics(records, compared)


def warnings(records: Sequence[RunRecord], compared: Compared) -> list[Finding]:
    """What nobody may overlook: networks that were never trained."""
    runs = distinct(r.backbone or "?" for r in records if is_random(r))
    judges = random_evaluators(compared.scores)
    made = "these pictures are not what trained networks make"
    judged = "their metrics say nothing about style or content"
    return [
        *([Finding("RANDOM weights", f"{listed(runs)}: {made}.", True)] if runs else []),
        *([Finding("RANDOM evaluators", f"{listed(judges)}: {judged}.", True)] if judges else []),
    ]


def what_was_run(records: Sequence[RunRecord]) -> str:
    """How many runs of what, on which examples."""
    backbones = distinct(r.backbone for r in records if r.backbone)
    aggs = distinct(r.agg for r in records if r.agg)
    optimizers = distinct(r.optimizer for r in records if r.optimizer)
    text = (
        f"{counted(len(records), 'run')}: {counted(len(backbones), 'backbone')} "
        f"({listed(backbones)}), {counted(len(aggs), 'aggregation')} ({listed(aggs)}), "
        f"optimised with {listed(optimizers)}"
    )
    limits = distinct(r.params["epochs"] for r in records if "epochs" in r.params)
    sizes = distinct(r.params["image_size"] for r in records if "image_size" in r.params)
    text += f" for at most {' or '.join(limits)} epochs" if limits else ""
    text += f" at {' or '.join(sizes)} pixels a side" if sizes else ""
    examples = distinct((len(r.artists), len(r.contents)) for r in records if r.artists)
    if not examples:
        return f"{text}. No run recorded its examples."
    each = " or ".join(
        f"{a * c} (= {counted(a, 'artist')} × {counted(c, 'content picture')})" for a, c in examples
    )
    return f"{text}. Examples of a run: {each}."


def best_of(metrics: Sequence[str], names: Mapping[str, str], compared: Compared) -> str:
    """The best in the first of some metrics that there is, by each evaluator; or nothing."""
    columns = compared.scores.columns
    metric = next((m for m in metrics if any(c.metric == m for c in columns)), None)
    untrained = random_evaluators(compared.scores)
    parts = [
        leader(column, names, compared)
        for column in columns
        if column.metric == metric and column.evaluator not in untrained
    ]
    return " ".join(part for part in parts if part)


def leader(column: Column, names: Mapping[str, str], compared: Compared) -> str:
    """The best model in a metric, and whether the paired tests bear it out."""
    best, equals, testable = compared.leaders[column]
    if not best or compared.scores.competing(column).shape[1] < 2:
        return ""
    value = shown(compared.intervals.get((best[0], column), UNKNOWN))
    marked = [
        names[run] + (DAGGER if compared.scores.optimised(run, column) else "") for run in best
    ]
    judge = f"By {column.evaluator}: " if column.evaluator else ""
    rivals = [names[run] for run in equals if run not in best]
    others = compared.scores.competing(column).shape[1] - len(best)
    if not others:
        verdict = ", all alike" if len(best) > 1 else ""
    elif not testable:
        verdict = " (not testable)"
    elif not rivals:
        verdict = f", significantly better than {'the other' if others == 1 else 'all others'}"
    elif len(rivals) == others:
        verdict = ", but not significantly better than any other"
    else:
        verdict = (
            f", significantly better than {others - len(rivals)} of the {others} others but not "
            f"than {listed(rivals, NAMED)}"
        )
    return f"{judge}{listed(marked, NAMED)} at {value}{verdict}."


def too_few(compared: Compared) -> list[Finding]:
    """Whether there are too few examples for any difference to be significant."""
    weak = [
        int(compared.pairs[column]["examples"].max())
        for column, leaders in compared.leaders.items()
        if leaders.best and not leaders.testable and len(compared.pairs[column])
    ]
    if not weak:
        return []
    pairs = max(len(one) for one in compared.pairs.values())
    needed = math.floor(1 + math.log2(pairs / LEVEL)) + 1
    return [
        Finding(
            "Too few examples for the tests",
            f"With {counted(max(weak), 'example')} and {counted(pairs, 'pair')} of models the "
            f"smallest p value that can come out, adjusted after Holm, is "
            f"{least_p(max(weak), pairs):.2g}: no difference can be significant. "
            f"It could from {needed} examples.",
        )
    ]


def hardly_changed(names: Mapping[str, str], compared: Compared) -> list[Finding]:
    """The runs whose pictures are nearly the content pictures still."""
    column = Column("change", "")
    low = [
        f"{name} ({compared.intervals[run_id, column].mean:.2g})"
        for run_id, name in names.items()
        if compared.intervals.get((run_id, column), UNKNOWN).mean < HARDLY
    ]
    text = f"{listed(low)}: mean change below {HARDLY} of the range of a pixel, five grey levels."
    return [Finding("Hardly changed the picture", text, True)] if low else []


def unfinished(records: Sequence[RunRecord], names: Mapping[str, str]) -> list[Finding]:
    """The runs that did not end as they should, and why."""
    return [
        Finding(
            f"{names[r.run_id]}: {r.status}",
            r.reason or "no reason was recorded.",
            True,
        )
        for r in records
        if r.status != "finished"
    ]


def other_data(records: Sequence[RunRecord], compared: Compared) -> list[Finding]:
    """Whether the runs saw, or were judged by, different things under the same names."""
    known: dict[str, list[str | None]] = {
        "style sets": [r.style_digest for r in records],
        "content pictures": [r.content_digest for r in records],
        "paintings that metrics compare with": [r.reference_digest for r in records],
        "picture sizes": [r.params.get("image_size") for r in records],
    }
    evaluators: dict[str, list[str | None]] = {}
    for one in compared.scores.evaluators.values():
        for name, evaluator in one.items():
            evaluators.setdefault(f"weights of the evaluator {name}", []).append(evaluator.digest)
    differing = [
        what
        for what, values in (known | evaluators).items()
        if len(distinct(value for value in values if value)) > 1
    ]
    text = f"Not the same in all runs: {', '.join(differing)}; tests pair equal names all the same."
    return [Finding("Different data", text, True)] if differing else []


def skipped_metrics(records: Sequence[RunRecord], compared: Compared) -> list[Finding]:
    """The metrics that could not be taken, and the runs that have none at all."""
    reasons: dict[str, list[str]] = {}
    for missing in compared.scores.skipped_metrics.values():
        for metric, reason in missing.items():
            reasons.setdefault(reason, []).append(metric)
    scored = set(compared.scores.table["run_id"])
    without = sum(r.run_id not in scored for r in records)
    found = [
        Finding(f"Not measured: {listed(distinct(metrics))}", f"{reason}.")
        for reason, metrics in reasons.items()
    ]
    if without:
        text = f"{counted(without, 'run')} of {len(records)} left no scores."
        found.append(Finding("Without metrics", text))
    return found


def is_random(record: RunRecord) -> bool:
    """Whether the run's network was never trained."""
    return record.weights == "random"


def distinct(values: Iterable[T]) -> list[T]:
    """Values without repetitions, in order."""
    return list(dict.fromkeys(values))


def listed(names: Sequence[str], most: int | None = None) -> str:
    """Names with commas, beyond the most only counted."""
    if most is None or len(names) <= most:
        return ", ".join(names)
    return f"{', '.join(names[:most])} and {len(names) - most} more"


def counted(number: int, what: str) -> str:
    """A number with its noun."""
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
