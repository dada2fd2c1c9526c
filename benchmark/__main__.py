"""The command line: `python -m benchmark --help`."""

import os
import secrets
import sys
import traceback
from collections.abc import Sequence
from datetime import datetime
from functools import partial
from pathlib import Path

import hydra
from hydra._internal.utils import get_args_parser
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig

from benchmark.config.arguments import told
from benchmark.config.compose import check_choices, quoted, refuse, typed
from benchmark.config.errors import CompositionError, ConfigError
from benchmark.config.paths import ROOT
from benchmark.runtime import interrupt, launchers

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
            from benchmark.sweeps import sweep

            sweep.run_in_sweep(plain, overrides, settings.job.num)
        return
    from benchmark.sweeps import sweep

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


def check_flags(arguments: Sequence[str]) -> None:
    """End the program if what begins with a dash is none of Hydra's, in one line."""
    parser = get_args_parser()
    parser.error = partial(told, parser)  # type: ignore[method-assign]
    parser.parse_args(arguments)


def from_options(error: Exception) -> bool:
    """Whether an error is due to the options: Hydra lets errors of many kinds through for those."""
    _, *inner = traceback.extract_tb(error.__traceback__)
    ours = any(Path(frame.filename).is_relative_to(ROOT / "benchmark") for frame in inner)
    return isinstance(error, (ConfigError, *CompositionError)) or not ours


def close_sweep() -> None:
    """Close the sweep under way, if there is one, as interrupted."""
    if "benchmark.sweeps.sweep" in sys.modules:
        sys.modules["benchmark.sweeps.sweep"].close_interrupted()


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
    check_flags(sys.argv[1:])
    try:
        check_choices(sys.argv[1:])
        with interrupt.on_forced_exit(close_sweep):
            main()
    except Exception as error:
        if (
            "benchmark.sweeps.sweep" not in sys.modules
            or not sys.modules["benchmark.sweeps.sweep"].is_open()
        ):
            if from_options(error):
                sys.exit(refuse(error))
            raise
        from benchmark.resume import after_break

        sys.exit(after_break(error))
    except KeyboardInterrupt:
        interrupt.reached()
        close_sweep()
        launchers.release()
        sys.stdout.flush()
        os._exit(interrupt.EXIT_CODE)  # To leave TensorFlow in order takes seconds.
