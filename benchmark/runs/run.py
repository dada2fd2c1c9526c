"""One run, from its inputs to its logged results."""

import logging
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from rich.console import Console

from benchmark.config.paths import ROOT
from benchmark.config.schema import Config, Keep
from benchmark.images.pixels import to_float, to_uint8
from benchmark.metrics import scoring
from benchmark.runs import record
from benchmark.runs.checkpoint import Checkpoint
from benchmark.runs.prepare import Prepared, prepare
from benchmark.runs.progress import EpochProgress, busy
from benchmark.runs.target_cache import style_targets
from benchmark.runtime import interrupt, launchers
from benchmark.tracking.log import ResumedLog, RunLog
from benchmark.tracking.records import RunFacts, RunRecord, Status
from benchmark.tracking.tracker import Tracker
from benchmark.transfer import memory
from benchmark.transfer.batch import Batch
from benchmark.transfer.features import extract_features
from benchmark.transfer.loop import Epoch, Outcome, stylize
from datasets import Loaded


@dataclass(frozen=True)
class RunContext:
    """A run's place in MLflow.

    Attributes:
        title: its name for people.
        overrides: the command line's, which tell the runs of a sweep apart.
        number: of the run in its sweep, from 0.
        parent: MLflow's id of the sweep's run; empty for a single run.
        earlier: go on with this run, which was ended before its time.
    """

    title: str
    overrides: Mapping[str, str]
    number: int = 0
    parent: str = ""
    earlier: RunRecord | None = None


def run(
    config: Config, tracker: Tracker, place: RunContext, console: Console
) -> tuple[Status, str]:
    """Do one run and log it; returns its status, "finished" or "diverged", and a line about it.

    Raises:
        Exception: whatever went wrong, after it was recorded in the run.
    """
    facts = record.first_facts(config, place.overrides, place.number, place.parent)
    checkpoint = checkpoint_of(config, place.number)

    def keep_what_is_done() -> None:
        try:
            checkpoint.write()
        except Exception as error:  # Must not hide why the run ends.
            logging.warning("%s: no checkpoint written (%s)", checkpoint.folder, error)

    with tracker.run(place.title, facts, place.earlier, keep_what_is_done) as log:
        record.options(log, config)
        prepared = prepare(config)
        if place.earlier:
            record.check_unchanged(place.earlier, prepared)
        after = checkpoint.open(facts.fingerprint)
        prepared = replace(prepared, batch=checkpoint.batch or prepared.batch)
        checkpoint.batch = prepared.batch
        record.inputs(log, prepared)
        done = len(after.history) if after else 0
        if isinstance(log, ResumedLog):
            log.keep_snapshots([epoch for epoch in config.snapshots if epoch < done])
            goes_on = f"goes on after epoch {done - 1}" if done else "begins again"
            mark = f"  {place.title}: " if launchers.in_job() else "  "
            console.print(f"{mark}{goes_on}, in MLflow's run {log.run_id}", soft_wrap=True)
        batches = batches_of(prepared)
        with EpochProgress(
            place.title, config.epochs, len(prepared.examples), console, done
        ) as progress:

            def on_smaller_batch(examples: int) -> None:
                console.print(
                    f"  out of memory: goes on with at most {examples} of the examples at a time",
                    style="yellow",
                )
                log.update(RunFacts(batch=examples))
                memory.learn(prepared.backbone, examples)

            def on_epoch(epoch: Epoch) -> None:
                interrupt.check()
                record.epoch(log, prepared.examples, config.snapshots, epoch)
                progress(epoch)

            outcome = stylize(
                prepared.backbone,
                batches,
                prepared.aggregation,
                prepared.loss,
                prepared.optimizer,
                prepared.stopping,
                keep_best=config.keep is Keep.best,
                after=after,
                on_epoch=on_epoch,
                on_progress=checkpoint,
                on_smaller_batch=on_smaller_batch,
            )
        record.results(
            log,
            prepared,
            config.snapshots,
            outcome,
            place.title,
            original_size=config.original_size,
        )
        with busy(console, "scoring the pictures"):
            score(log, prepared, outcome)
        status: Status = "diverged" if outcome.ending.stopped_by == "diverged" else "finished"
        log.end(status, *outcome.ending)
    checkpoint.remove()
    return status, record.line(outcome)


def checkpoint_of(config: Config, number: int) -> Checkpoint:
    """The checkpoint of a run of a sweep."""
    wanted = config.checkpoint
    folder = None
    if wanted.folder is not None and config.tracking.sweep:
        place = ROOT / Path(wanted.folder).expanduser()
        folder = place / config.tracking.sweep / str(number)
    return Checkpoint(folder, wanted.every_seconds, wanted.every_epochs)


def score(log: RunLog, prepared: Prepared, outcome: Outcome) -> None:
    """Score a run's results, as the 8-bit pictures that are kept of them, and log that."""
    evaluation_setup, backbone = prepared.evaluation_setup, prepared.backbone
    pictures = to_uint8(outcome.pictures)
    table, missing = scoring.scores(
        evaluation_setup, prepared.paintings, prepared.content, pictures
    )
    model = backbone.shared.architecture.model
    facts, evaluators = record.how_to_read(evaluation_setup, model, backbone.weights)
    record.scores(log, table, facts, evaluators, missing, epochs=outcome.epochs)


def batches_of(prepared: Prepared) -> list[Batch]:
    """The examples in batches: an artist's contents a few at a time, or several artists at once."""
    contents = to_float(prepared.content.pixels)
    *_, activations = extract_features(prepared.backbone, contents)
    parts = np.array_split(np.arange(len(contents)), -(-len(contents) // prepared.batch))
    return [
        Batch(
            [style_targets(prepared.backbone, one, prepared.cache) for one in artists],
            np.concatenate([activations[part]] * len(artists)),
            np.concatenate(
                [
                    noise(prepared, paintings.name, part) if prepared.from_noise else contents[part]
                    for paintings in artists
                ]
            ),
        )
        for artists in artists_together(prepared)
        for part in parts
    ]


def largest_batch(prepared: Prepared) -> int:
    """Examples in the largest of a run's batches."""
    contents = len(prepared.content.names)
    artists = max(len(group) for group in artists_together(prepared))
    return artists * -(-contents // -(-contents // prepared.batch))


def artists_together(prepared: Prepared) -> list[list[Loaded]]:
    """The artists in order, as many together as a batch has room for all their examples.

    Only neighbours with equally many paintings: their Gram matrices are stacked.
    """
    room = max(prepared.batch // len(prepared.content.names), 1)
    groups: list[list[Loaded]] = []
    for paintings in prepared.paintings:
        if groups and len(groups[-1]) < room and len(groups[-1][0].names) == len(paintings.names):
            groups[-1].append(paintings)
        else:
            groups.append([paintings])
    return groups


def noise(prepared: Prepared, artist: str, part: np.ndarray) -> np.ndarray:
    """Uniform noise to start from; an example's own, wherever it stands in a batch or sweep."""
    names = [prepared.content.names[index] for index in part]
    return np.stack(
        [
            np.random.default_rng(
                [prepared.seed, zlib.crc32(artist.encode()), zlib.crc32(content.encode())]
            ).random(prepared.content.pixels.shape[1:], dtype=np.float32)
            for content in names
        ]
    )
