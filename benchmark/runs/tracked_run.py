"""A run opened in MLflow, prepared and done."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from benchmark.config.schema import Config, nested
from benchmark.runs.checkpoint import Checkpoint
from benchmark.runs.log import check_unchanged, command_line, git_commit, logged_options
from benchmark.runs.prepare import Prepared
from benchmark.runs.progress import Output
from benchmark.runs.run import run
from benchmark.runtime.processes import current_process
from benchmark.tracking.records import Artifact, RunFacts, RunRecord
from benchmark.tracking.tracker import Tracker
from benchmark.transfer import backend
from benchmark.transfer.loop import Result


@dataclass(frozen=True)
class RunContext:
    """A run's place in MLflow.

    Attributes:
        overrides: the command line's, which tell the runs of a sweep apart.
        number: of the run in its sweep, from 0.
        parent: MLflow's id of the sweep's run; empty for a single run.
        earlier: resume this run, which was interrupted.
    """

    title: str
    overrides: Mapping[str, str]
    number: int = 0
    parent: str = ""
    earlier: RunRecord | None = None


def tracked_run(
    config: Config,
    prepare: Callable[[], Prepared],
    tracker: Tracker,
    context: RunContext,
    checkpoint: Checkpoint,
    output: Output,
) -> Result:
    """Open a run in MLflow, prepare it and do it; errors are recorded in it, and raised."""
    overrides = context.overrides
    facts = RunFacts(
        sweep=config.tracking.sweep or "",
        number=context.number,
        parent=context.parent,
        fingerprint=checkpoint.fingerprint,
        backbone=config.backbone["name"],
        agg=config.agg["name"],
        optimizer=config.optimizer["name"],
        overrides=overrides,
        command=command_line([f"{key}={value}" for key, value in overrides.items()], sweep=False),
        commit=git_commit(),
        owner=current_process(),
        versions=backend.versions(),
        hardware=backend.hardware(),
    )
    with tracker.run(context.title, facts, context.earlier, checkpoint.flush) as log:
        log.params(logged_options(config))
        log.json(Artifact.CONFIG, nested(config))
        prepared = prepare()
        if context.earlier:
            check_unchanged(context.earlier, prepared)
        result = run(prepared, log, checkpoint, context.title, output)
    checkpoint.remove()
    return result
