"""The runs that a command line means, and their plan, kept so that a sweep can be resumed."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any, Self

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from omegaconf import DictConfig

from benchmark.config.errors import ConfigError
from benchmark.config.schema import Config, Tracking, restored
from benchmark.tracking.records import AnyRecord, Artifact
from benchmark.tracking.tracker import Tracker
from benchmark.user_input import did_you_mean


@dataclass(frozen=True)
class SweepPlan:
    """All runs of a sweep, in order: their overrides and resolved configurations, nested.

    A run's number is its index. `hydra` are overrides of Hydra itself, which choose the launcher.
    """

    overrides: Sequence[Sequence[str]]
    settings: Sequence[Mapping[str, Any]]
    hydra: Sequence[str] = ()

    @classmethod
    def read(cls, tracker: Tracker, sweep: str) -> Self:
        """Of a sweep in the store, or of a single run under its own name; else ConfigError."""
        parent = tracker.sweep_run(sweep)
        if parent:
            _need(tracker, parent, Artifact.PLAN)
            return cls.unpacked(tracker.read_json(parent.run_id, Artifact.PLAN))
        runs = tracker.runs_of(sweep)
        if not runs:
            known = sorted({run.sweep for run in tracker.all_runs()})
            hint = f"{did_you_mean(sweep, known)} Known: {', '.join(known[-8:])}" if known else ""
            raise ConfigError(f"no such sweep in {tracker.uri}.{hint}", "tracking.sweep", sweep)
        _need(tracker, runs[0], Artifact.CONFIG)
        overrides = [f"{key}={value}" for key, value in runs[0].overrides.items()]
        return cls([overrides], [tracker.read_json(runs[0].run_id, Artifact.CONFIG)])

    def config(self, number: int) -> Config:
        """The configuration of a run; ConfigError if there is none of this number."""
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


def jobs_of(config: DictConfig) -> list[list[str]]:
    """The overrides of each run that Hydra's basic sweeper will start.

    Other sweepers choose theirs one after the other; of those only the common part is known.

    Raises:
        ConfigError: there is none.
    """
    parser = OverridesParser.create()
    task = list(config.hydra.overrides.task)
    parsed = parser.parse_overrides(task)
    if not config.hydra.sweeper._target_.endswith(".BasicSweeper"):
        return [[one.input_line or "" for one in parsed if not one.is_sweep_override()]]
    params = [f"{key}={value}" for key, value in (config.hydra.sweeper.params or {}).items()]
    jobs = combinations([*parser.parse_overrides(params), *parsed])
    if not jobs:
        raise ConfigError("one of these has no values to sweep", " ".join(task))
    return jobs


def combinations(overrides: Iterable[Override]) -> list[list[str]]:
    """All combinations of the values of some overrides, in the order of Hydra's basic sweeper."""
    values: dict[str, list[str]] = {}
    for override in overrides:
        key = override.get_key_element()
        if override.is_sweep_override():
            if not override.is_discrete_sweep():
                reason = "Hydra's basic sweeper has no intervals; list values"
                raise ConfigError(reason, override.input_line)
            values[key] = [f"{key}={value}" for value in override.sweep_string_iterator()]
        else:
            values[key] = [f"{key}={override.get_value_element_as_str()}"]
    return [list(job) for job in product(*values.values())]


def pairs_of(overrides: Sequence[str]) -> dict[str, str]:
    """Overrides as option and value."""
    return dict(override.lstrip("+~").partition("=")[::2] for override in overrides)


def swept_options(jobs: Sequence[Sequence[str]]) -> list[str]:
    """The options that differ among the runs of a sweep, besides those in every title."""
    runs: list[Mapping[str, str]] = [pairs_of(job) for job in jobs]
    return [
        key
        for key in dict.fromkeys(key for run in runs for key in run)
        if key not in ("backbone", "agg", "agg.p", "optimizer")
        and len({run.get(key) for run in runs}) > 1
    ]


def launcher_overrides(config: DictConfig) -> list[str]:
    """The overrides that choose and configure Hydra's launcher, and set its folder."""
    kept = ("hydra/launcher", "hydra.launcher", "hydra.sweep.dir", "hydra.job.env_set")
    given = [one for one in config.hydra.overrides.hydra if one.lstrip("+~").startswith(kept)]
    chosen = config.hydra.runtime.choices.get("hydra/launcher", "basic")
    named = any(one.startswith("hydra/launcher=") for one in given)
    return given if named else [f"hydra/launcher={chosen}", *given]
