"""What a sweep is going to run, kept with it, so that what is left of it can be resumed."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

from benchmark.config.errors import ConfigError
from benchmark.config.schema import Config, Tracking, restored
from benchmark.tracking.records import AnyRecord, Artifact
from benchmark.tracking.tracker import Tracker


@dataclass(frozen=True)
class SweepPlan:
    """All runs of a sweep, in order; a run's number is its index.

    Attributes:
        overrides: of each run, as on a command line.
        settings: the resolved configuration of each run, nested.
        hydra: overrides of Hydra itself: with which launcher the runs are started.
    """

    overrides: Sequence[Sequence[str]]
    settings: Sequence[Mapping[str, Any]]
    hydra: Sequence[str] = ()

    @classmethod
    def read(cls, tracker: Tracker, sweep: str) -> Self:
        """Of a sweep in the store, or of a single run under its own name.

        Raises:
            ConfigError: there is none, or it ended before its plan was written.
        """
        parent = tracker.sweep_run(sweep)
        if parent:
            _need(tracker, parent, Artifact.PLAN)
            return cls.unpacked(tracker.read_json(parent.run_id, Artifact.PLAN))
        runs = tracker.runs_of(sweep)
        if not runs:
            raise ConfigError(f"no such sweep in {tracker.uri}", "tracking.sweep", sweep)
        _need(tracker, runs[0], Artifact.CONFIG)
        overrides = [f"{key}={value}" for key, value in runs[0].overrides.items()]
        return cls([overrides], [tracker.read_json(runs[0].run_id, Artifact.CONFIG)])

    def config(self, number: int) -> Config:
        """The configuration of a run.

        Raises:
            ConfigError: there is no run of this number.
        """
        if not 0 <= number < len(self.settings):
            reason = f"the sweep has runs 0 to {len(self.settings) - 1}"
            raise ConfigError(reason, "tracking.run", number)
        return restored(dict(self.settings[number]))

    def run(self, number: int, tracking: Tracking) -> tuple[Config, Sequence[str]]:
        """A run's configuration, in the store of `tracking`, and its overrides."""
        return replace(self.config(number), tracking=tracking), self.overrides[number]

    def packed(self) -> dict[str, Any]:
        """As JSON, with each value that runs have in common written once."""
        values: dict[str, int] = {}
        runs = [
            {key: values.setdefault(json.dumps(value), len(values)) for key, value in run.items()}
            for run in self.settings
        ]
        return {
            "hydra": list(self.hydra),
            "overrides": [list(overrides) for overrides in self.overrides],
            "values": [json.loads(value) for value in values],
            "runs": runs,
        }

    @classmethod
    def unpacked(cls, content: Mapping[str, Any]) -> Self:
        """The inverse of `packed`."""
        values = content["values"]
        settings = [{key: values[index] for key, index in run.items()} for run in content["runs"]]
        return cls(content["overrides"], settings, content["hydra"])


def _need(tracker: Tracker, run: AnyRecord, file: str) -> None:
    if not tracker.has_artifact(run.run_id, file):
        raise ConfigError(
            f"the run {run.name} has no {file}: it ended before that was written; start it again "
            "with its command"
        )
