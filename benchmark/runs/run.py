"""One run, from its inputs to its logged results."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from rich.console import Console

from benchmark.config.paths import ROOT
from benchmark.config.schema import Config, Keep
from benchmark.images.pixels import to_uint8
from benchmark.metrics import scoring
from benchmark.runs import record
from benchmark.runs.batches import batches_of
from benchmark.runs.checkpoint import Checkpoint
from benchmark.runs.prepare import Prepared, prepare
from benchmark.runs.progress import EpochProgress, busy
from benchmark.runtime import interrupt, launchers
from benchmark.tracking.log import ResumedLog, RunLog
from benchmark.tracking.records import RunFacts, RunRecord, Status
from benchmark.tracking.tracker import Tracker
from benchmark.transfer import memory
from benchmark.transfer.loop import Epoch, Outcome, stylize


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
