"""The program from its arguments to its exit code, by Hydra."""

import os
import sys
import traceback
import warnings
from collections.abc import Sequence
from pathlib import Path

import hydra
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig

from benchmark.config.compose import CompositionError, as_input_error, typed
from benchmark.config.paths import ROOT
from benchmark.config.registry import CONF
from benchmark.runtime.interrupts import EXIT_CODE
from benchmark.runtime.jobs import launcher_kind
from benchmark.sweeps import application
from benchmark.user_input import InputError
from benchmark.user_input.refusal import explained_imports, refuse, refusing


@hydra.main(version_base="1.3", config_path=str(CONF), config_name="config")
def job(config: DictConfig) -> None:
    """Do one run: alone, or as one of a sweep."""
    with refusing():
        plain = typed(config)
    settings = HydraConfig.get()
    overrides = list(settings.overrides.task)
    process = application.current()
    in_sweep = settings.mode is RunMode.MULTIRUN
    kind = launcher_kind(settings.launcher) if in_sweep else "basic"
    with process.job(kind, settings.runtime.cwd):
        # Imported only now, so that misspelt options are answered at once, and a worker has its GPU
        # by then.
        with explained_imports():
            from benchmark.sweeps import execution
        if in_sweep:
            execution.run_in_sweep(plain, overrides, settings.job.num, process)
        elif not execution.run_alone(plain, overrides, process):
            sys.exit(1)


def run(arguments: Sequence[str]) -> int:
    """Do what Hydra's arguments say; returns the exit code."""
    # Hydra prints errors in several lines with exit code 1; with this, whatever was set, it raises
    # them, and they become one line.
    os.environ["HYDRA_FULL_ERROR"] = "1"
    # The package hydra-ray-launcher, where it is installed too, has a schema of the same name.
    warnings.filterwarnings("ignore", r"\s*'hydra/launcher/ray' is validated", UserWarning)
    sys.argv[1:] = arguments
    process = application.begin()
    process.interrupts.install()
    try:
        return run_hydra(process)
    except KeyboardInterrupt:
        process.interrupts.is_shutting_down = True
        with process.interrupts.ending:
            process.close_sweep()
            if process.jobs:
                process.jobs.release()
            sys.stdout.flush()
            os._exit(EXIT_CODE)  # An orderly exit of TensorFlow takes seconds.


def run_hydra(process: application.Application) -> int:
    """Do what `sys.argv` says; returns the exit code."""
    try:
        with process.interrupts.on_forced_exit(process.close_sweep):
            job()
    except Exception as error:
        if process.sweep is None:
            if from_options(error):
                GlobalHydra.instance().clear()
                return refuse(as_input_error(error))
            raise
        from benchmark.sweeps import driver

        return driver.recover(process, error)
    return 0


def from_options(error: Exception) -> bool:
    """Whether an error is due to the options: Hydra lets errors of many kinds through for those."""
    _, *inner = traceback.extract_tb(error.__traceback__)
    ours = any(Path(frame.filename).is_relative_to(ROOT / "benchmark") for frame in inner)
    return isinstance(error, (InputError, *CompositionError)) or not ours
