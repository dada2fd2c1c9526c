"""What `python -m benchmark.genre` does once its arguments are read."""

import argparse
from collections.abc import Sequence

import pandas as pd
from rich.table import Table

from benchmark.metrics.classifier import CHOOSER, Judgement
from benchmark.runs.fitting import fit_classifier, prepared_fit, read_options
from benchmark.runs.log import command_line, git_commit, logged_options
from benchmark.runs.progress import Output, announce_weights
from benchmark.runs.workspace import Workspace
from benchmark.runtime.disk_cache import DiskCache
from benchmark.runtime.interrupts import EXIT_CODE, Interrupts
from benchmark.runtime.processes import current_process
from benchmark.sweeps.summary import store_argument
from benchmark.tracking.records import Artifact, ClassifierFacts
from benchmark.tracking.tracker import Tracker
from datasets import ImageSet, folder


def fit(overrides: Sequence[str]) -> int:
    """Fit a classifier and its judge; returns the exit code."""
    output, interrupts = Output(), Interrupts()
    config, own = read_options(overrides)
    Tracker.check_reachable(config.tracking.uri)
    setup = prepared_fit(config, own, Workspace())
    config = setup.config
    interrupts.install()
    notes = {b.name: b.weights_note for b in setup.networks.values() if b.weights_note}
    announce_weights(output, notes)
    for note in setup.notes:
        output.print(note, style="yellow", soft_wrap=True)
    tracker = Tracker(config.tracking.uri, config.tracking.experiment, interrupts=interrupts)
    backbones = {name: f"{b.name}, {b.weights}" for name, b in setup.networks.items()}
    facts = ClassifierFacts(
        command=command_line(overrides, sweep=False).replace("benchmark", "benchmark.genre fit"),
        owner=current_process(),
        groups=setup.labels,
        dataset=config.dataset["name"],
        backbones=backbones,
    )
    counts = ", ".join(f"{group.name} {len(group.names)}" for group in setup.groups)
    output.print(f"{len(setup.labels)} groups: {counts}", soft_wrap=True)
    try:
        with tracker.run(f"classifier of {len(setup.labels)} groups", facts) as log:
            log.params(logged_options(config) | {"commit": git_commit()} | own.flat())
            result = fit_classifier(setup, log, output)
            log.end("finished", "complete", result.summary)
    except KeyboardInterrupt:
        output.print("interrupted: no classifier was kept", style="red")
        return EXIT_CODE
    for line in result.summary.split("; "):
        output.print(line, soft_wrap=True)
    for file in (Artifact.FIT_CURVES, Artifact.CONFUSION):
        output.print(tracker.location(log.run_id, file), soft_wrap=True)
    output.print(f"classifier {log.run_id}", soft_wrap=True)
    store = store_argument(tracker)
    output.print(f"next: python -m benchmark.genre predict PICTURES{store}", soft_wrap=True)
    return 0


def predict(options: argparse.Namespace) -> int:
    """Print what a classifier takes pictures for; returns the exit code."""
    output, workspace = Output(), Workspace()
    Tracker.check_reachable(options.tracking_uri)
    known = workspace.classifiers
    given = ("--classifier", options.classifier)
    classifier = known.read(*given, options.tracking_uri)
    images = folder.images_at("PICTURES", options.pictures)
    judge = known.judges(classifier, *given)[CHOOSER]
    asked = ImageSet("PICTURES", images)
    pixels = workspace.kept.squares(asked, classifier.record.size, DiskCache()).pixels
    table = predictions(judge.judgement(pixels), [image.source for image in images])
    output.print(printed(table, f"{judge.about}, {classifier.record.size} pixels"))
    if options.csv:
        table.to_csv(options.csv, index=False, float_format="%.4f")
        output.print(f"wrote {options.csv}", soft_wrap=True)
    return 0


def predictions(judgement: Judgement, sources: Sequence[str]) -> pd.DataFrame:
    """A row a picture: its file, the group it is taken for, and the probability of each group."""
    best = judgement.probabilities.argmax(axis=1)
    table = pd.DataFrame(judgement.probabilities, columns=list(judgement.labels))
    table.insert(0, "label", [judgement.labels[index] for index in best])
    table.insert(0, "picture", sources)
    return table


def printed(table: pd.DataFrame, title: str) -> Table:
    """The table for a terminal: the three most probable groups of each picture."""
    shown = Table("picture", "taken for", "probability", "then", title=title, title_justify="left")
    for _, row in table.iterrows():
        values = row.iloc[2:].astype(float).sort_values(ascending=False)
        (label, first), *others = list(values.items())[:3]
        then = ", ".join(f"{name} {value:.0%}" for name, value in others)
        shown.add_row(str(row["picture"]), str(label), f"{first:.0%}", then)
    return shown
