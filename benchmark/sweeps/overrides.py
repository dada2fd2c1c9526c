"""The runs that a command line means, as overrides."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import product

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from omegaconf import DictConfig

from benchmark.config.errors import ConfigError


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
