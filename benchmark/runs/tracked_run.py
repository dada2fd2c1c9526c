"""A run opened in MLflow, prepared and done."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from benchmark.config.schema import Config
from benchmark.runs.checkpoint import Checkpoint
from benchmark.runs.log import check_unchanged, initial_facts, log_config
from benchmark.runs.prepare import Prepared
from benchmark.runs.progress import Output
from benchmark.runs.run import run
from benchmark.tracking.records import RunRecord
from benchmark.tracking.tracker import Tracker
from benchmark.transfer.loop import Result


@dataclass(frozen=True)
class RunContext:
    """A run's place in MLflow.

    Attributes:
        title: its name for people.
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
    """Open a run in MLflow, prepare it and do it.

    Raises:
        Exception: whatever went wrong, after it was recorded in the run.
    """
    facts = initial_facts(config, context.overrides, context.number, context.parent)
    with tracker.run(context.title, facts, context.earlier, checkpoint.flush) as log:
        log_config(log, config)
        prepared = prepare()
        if context.earlier:
            check_unchanged(context.earlier, prepared)
        result = run(prepared, log, checkpoint, context.title, output)
    checkpoint.remove()
    return result
