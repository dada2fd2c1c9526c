"""The command line: `python -m benchmark --help`."""

import os
import secrets
import sys
from collections.abc import Sequence
from datetime import datetime

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig

from benchmark import interrupt, launchers
from benchmark.config import quoted, refuse, typed
from benchmark.errors import CompositionError, ConfigError

QUESTIONS = "experiment=questions"
"""The overlay that stands for several."""


@hydra.main(version_base="1.3", config_path="../conf", config_name="config")
def main(config: DictConfig) -> None:
    """Do one run: alone, or as one of a sweep."""
    try:
        plain = typed(config)
    except (ConfigError, *CompositionError) as error:
        sys.exit(refuse(error))
    settings = HydraConfig.get()
    overrides = list(settings.overrides.task)
    # sweep is imported only now, so that --help and misspelt options are answered at once, and a
    # job has its GPU by then.
    if settings.mode is RunMode.MULTIRUN:
        with launchers.job(launchers.kind_of(settings.launcher), settings.runtime.cwd):
            from benchmark import sweep

            sweep.run_in_sweep(plain, overrides, settings.job.num)
        return
    from benchmark import sweep

    if not sweep.run_alone(plain, overrides):
        sys.exit(1)


def is_override(argument: str) -> bool:
    """Whether an argument is option=value, or an addition or a removal."""
    return not argument.startswith("-") and ("=" in argument or argument.startswith(("~", "+")))


def series(arguments: Sequence[str]) -> int:
    """Run the sweeps of `experiment=questions`; their grids differ, and a Hydra sweep has one."""
    from benchmark import questions

    asked = ("-m", "--multirun", QUESTIONS)
    return questions.run_all([argument for argument in arguments if argument not in asked])


def close_sweep() -> None:
    """Close the sweep under way, if there is one, as interrupted."""
    if "benchmark.sweep" in sys.modules:
        sys.modules["benchmark.sweep"].close_interrupted()


if __name__ == "__main__":
    # Hydra prints errors in several lines with exit code 1; with this it raises them to us.
    os.environ.setdefault("HYDRA_FULL_ERROR", "1")
    interrupt.install()
    if QUESTIONS in sys.argv:
        sys.exit(series(sys.argv[1:]))
    if not any(argument.startswith("tracking.sweep=") for argument in sys.argv):
        # Named here, once, because every run of a sweep must see the same name.
        sys.argv.append(f"tracking.sweep={datetime.now():%Y-%m-%d_%H-%M-%S}-{secrets.token_hex(2)}")
    # Argparse wants the overrides in one row; people write -m wherever they think of it.
    sys.argv[1:] = sorted(map(quoted, sys.argv[1:]), key=is_override)
    try:
        with interrupt.last_words(close_sweep):
            main()
    except CompositionError as error:
        sys.exit(refuse(error))
    except Exception as error:
        if "benchmark.sweep" not in sys.modules or not sys.modules["benchmark.sweep"].is_open():
            raise
        from benchmark.resume import after_break

        sys.exit(after_break(error))
    except KeyboardInterrupt:
        interrupt.reached()
        close_sweep()
        sys.exit(interrupt.EXIT_CODE)
