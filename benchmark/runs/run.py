"""One run, from its prepared inputs to its logged results."""

from contextlib import nullcontext
from dataclasses import replace
from functools import partial

from benchmark.images.pixels import to_uint8
from benchmark.runs.checkpoint import Checkpoint
from benchmark.runs.log import log_epoch, log_inputs, log_results
from benchmark.runs.prepare import Prepared
from benchmark.runs.progress import Output, epoch_progress
from benchmark.runs.scores import log_scores
from benchmark.runs.scoring import score
from benchmark.tracking.log import RunLog
from benchmark.tracking.records import RunFacts
from benchmark.transfer.loop import Epoch, Result, optimize


def run(
    prepared: Prepared, log: RunLog, checkpoint: Checkpoint, title: str, output: Output
) -> Result:
    """Optimise the examples of a run from its checkpoint on, score the results, and log it all."""
    saved = checkpoint.open()
    if saved:
        prepared = replace(prepared, batch=saved.batch)
    log_inputs(log, prepared)
    batches = prepared.batches()
    done = len(saved.state.history) if saved else 0
    epochs, examples = prepared.stopping.epochs, len(prepared.examples)
    announce = partial(output.print_of_run, title)
    with epoch_progress(title, epochs, examples, output, done) as show_epoch:
        if log.resumed:
            log.keep_snapshots([epoch for epoch in prepared.snapshots if epoch < done])
            action = f"resuming after epoch {done - 1}" if done else "restarting"
            announce(f"{action}, MLflow run {log.run_id}")

        def on_epoch(epoch: Epoch) -> None:
            log_epoch(log, prepared, epoch)
            show_epoch(epoch)

        def on_smaller_batch(examples: int) -> None:
            announce(f"out of memory: batch size reduced to {examples}", style="yellow")
            log.update(RunFacts(batch=examples))

        result = optimize(
            prepared.transfer,
            batches,
            prepared.stopping,
            keep_best=prepared.keep_best,
            resume=saved.state if saved else None,
            on_epoch=on_epoch,
            on_state=partial(checkpoint.save, batch=prepared.batch),
            on_smaller_batch=on_smaller_batch,
        )
    log_results(log, prepared, result, title)
    with output.status("  scoring the pictures …") if output.is_terminal else nullcontext():
        scores = score(
            prepared.evaluation_setup,
            prepared.paintings,
            prepared.content,
            to_uint8(result.images),
            prepared.backbone.shared.architecture.model,
            prepared.backbone.weights,
        )
        log_scores(log, scores, result.epochs)
    log.end(result.status, *result.stop_reason)
    return result
