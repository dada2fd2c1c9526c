"""One run, from its prepared inputs to its logged results."""

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import replace
from functools import partial

import numpy as np

from benchmark.images.upscale import squares
from benchmark.metrics.classifier import CHOOSER
from benchmark.metrics.scoring import EvaluationSetup, scores
from benchmark.runs.checkpoint import Checkpoint, Saved
from benchmark.runs.log import log_epoch, log_inputs, log_results
from benchmark.runs.paintings import compare_with_paintings
from benchmark.runs.prepare import Prepared
from benchmark.runs.progress import Output, epoch_progress
from benchmark.runs.scores import RunScores, log_scores
from benchmark.tracking.log import RunLog
from benchmark.tracking.records import Evaluator, RunFacts
from benchmark.transfer.loop import Epoch, Result
from benchmark.transfer.scales import optimize_scales
from datasets import LoadedImages


def run(
    prepared: Prepared,
    log: RunLog,
    checkpoint: Checkpoint,
    title: str,
    output: Output,
    watch: Callable[[Epoch], None] = lambda epoch: None,
    painted: Result | None = None,
) -> Result:
    """Optimise a run from its checkpoint on, `watch` each epoch, score its results, log it all.

    One that is `painted` is only scored and logged; its images are not yet finished.
    """
    saved = checkpoint.open()
    if saved:
        prepared = replace(prepared, batch=saved.batch)
    log_inputs(log, prepared)
    if painted is None:
        result = _optimized(prepared, log, checkpoint, saved, title, output, watch)
    else:
        result = painted
        for number, losses in enumerate(result.history):
            log_epoch(log, prepared, Epoch(number, losses, lambda: result.images, float("nan")))
    painting_losses = compare_with_paintings(prepared, result.images)
    result = replace(result, images=prepared.finished(result.images))
    log_results(log, prepared, result, painting_losses, title)
    with output.status("  scoring the pictures …") if output.is_terminal else nullcontext():
        scored = score(
            prepared.evaluation_setup,
            prepared.paintings,
            prepared.content,
            squares(result.images, len(prepared.content.pixels[0])),
            prepared.backbone.shared.architecture.model,
            prepared.backbone.weights,
        )
        log_scores(log, scored, result.epochs)
    log.end(result.status, *result.stop_reason)
    return result


def _optimized(
    prepared: Prepared,
    log: RunLog,
    checkpoint: Checkpoint,
    saved: Saved | None,
    title: str,
    output: Output,
    watch: Callable[[Epoch], None],
) -> Result:
    """The optimisation of a run from what its checkpoint saved on, each epoch logged."""
    done = len(saved.state.history) if saved else 0
    announce = partial(output.print_of_run, title)
    with epoch_progress(title, prepared, output, done) as show_epoch:
        if log.resumed:
            log.keep_snapshots([epoch for epoch in prepared.snapshots if epoch < done])
            action = f"resuming after epoch {done - 1}" if done else "restarting"
            announce(f"{action}, MLflow run {log.run_id}")

        def on_epoch(epoch: Epoch) -> None:
            epoch = prepared.finished_epoch(epoch)
            log_epoch(log, prepared, epoch)
            show_epoch(epoch)
            watch(epoch)

        def begins_block(epoch: int) -> bool:
            return epoch in prepared.snapshots or checkpoint.is_due_after(epoch - 1)

        def on_smaller_batch(examples: int) -> None:
            announce(f"out of memory: batch size reduced to {examples}", style="yellow")
            log.update(RunFacts(batch=examples))

        return optimize_scales(
            prepared.transfer,
            prepared.scales(),
            keep_best=prepared.keep_best,
            resume=saved.state if saved else None,
            begins_block=begins_block,
            on_epoch=on_epoch,
            on_state=partial(checkpoint.save, batch=prepared.batch, when_logged=log.then),
            on_smaller_batch=on_smaller_batch,
        )


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
    networks = {**setup.evaluators, **{name: one.backbone for name, one in setup.judges.items()}}
    evaluators = {
        name: Evaluator(
            weights=judge.about if (judge := setup.judges.get(name)) else network.weights,
            digest=judge.digest if judge else network.digest,
            optimised=network.shared.architecture.model == model
            and (network.weights == "random") == (weights == "random"),
            chose=name == CHOOSER and judge is not None and judge.digest == setup.chooser,
        )
        for name, network in networks.items()
    }
    descriptions = {metric.name: metric.description for metric in setup.metrics}
    return RunScores(table, descriptions, evaluators, skipped)
