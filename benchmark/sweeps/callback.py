"""What Hydra calls around a sweep, by the name in `conf/config.yaml`.

It imports little: of a callback's class that cannot be imported, Hydra hides the reason.
"""

from typing import Any

from hydra.experimental.callback import Callback
from omegaconf import DictConfig

from benchmark.sweeps import application
from benchmark.user_input.refusal import explained_imports


class SweepCallback(Callback):
    """Begins and ends a sweep; it keeps no state, for it is pickled into each job's process."""

    def on_multirun_start(self, config: DictConfig, **_: Any) -> None:
        """Check every run, then open the sweep in MLflow."""
        with explained_imports():
            from benchmark.sweeps import driver
        driver.start(config, application.current())

    def on_multirun_end(self, config: DictConfig, **_: Any) -> None:
        """Summarise the sweep; exit code 1 if a run did not finish."""
        from benchmark.sweeps import driver

        driver.finish_sweep(application.current())
