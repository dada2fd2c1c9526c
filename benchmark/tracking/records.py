"""Runs as the MLflow store holds them."""

from collections.abc import Mapping
from dataclasses import dataclass

from mlflow.entities import (
    Run,
)


@dataclass(frozen=True)
class RunRecord:
    """A run as the store has it.

    Attributes:
        run_id: MLflow's.
        name: shown in the UI.
        status: MLflow's: RUNNING, FINISHED, FAILED or KILLED.
        started: milliseconds since the epoch.
        params: the resolved configuration, flat.
        metrics: last values.
        tags: all tags.
    """

    run_id: str
    name: str
    status: str
    started: int
    params: Mapping[str, str]
    metrics: Mapping[str, float]
    tags: Mapping[str, str]


def _record(run: Run) -> RunRecord:
    return RunRecord(
        run.info.run_id,
        run.info.run_name or "",
        run.info.status,
        run.info.start_time or 0,
        dict(run.data.params),
        dict(run.data.metrics),
        dict(run.data.tags),
    )
