"""Hydra's launcher for Ray.

The package hydra-ray-launcher keeps its tasks to itself, so that they could neither be cancelled in
order nor waited for. Hydra finds launchers in `hydra_plugins` only.
"""

from collections.abc import Sequence
from typing import Any

from hydra.core.hydra_config import HydraConfig
from hydra.core.singleton import Singleton
from hydra.core.utils import JobReturn, run_job, setup_globals
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf

from benchmark.runtime.jobs import RayJobs
from benchmark.sweeps import application


class RayLauncher(Launcher):
    """Submits each run of a sweep as a task."""

    def __init__(self, ray: DictConfig) -> None:
        """With the arguments of `ray.init` and `ray.remote`."""
        self._options: Any = OmegaConf.to_container(ray, resolve=True)

    def setup(
        self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig
    ) -> None:
        """Keep what each task needs."""
        self._context, self._function, self._config = hydra_context, task_function, config

    def launch(
        self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int
    ) -> Sequence[JobReturn]:
        """Submit the tasks and wait for their results."""
        import ray

        jobs = application.current().jobs
        assert isinstance(jobs, RayJobs)
        remote = ray.remote(run_one).options(**self._options["remote"])
        tasks = []
        for number, overrides in enumerate(job_overrides, start=initial_job_idx):
            config = self._context.config_loader.load_sweep_config(self._config, list(overrides))
            job = {"id": f"job_{number}", "num": number}
            OmegaConf.update(config, "hydra.job", job, force_add=True)
            state = Singleton.get_state()
            tasks.append(remote.remote(self._context, config, self._function, state))
        jobs.tasks += tasks
        results: Sequence[JobReturn] = ray.get(tasks)
        return results


def run_one(
    context: HydraContext, config: DictConfig, function: TaskFunction, state: Any
) -> JobReturn:
    """A run, in the process that Ray gives it."""
    setup_globals()
    Singleton.set_state(state)
    HydraConfig.instance().set_config(config)
    return run_job(
        hydra_context=context,
        task_function=function,
        config=config,
        job_dir_key="hydra.sweep.dir",
        job_subdir_key="hydra.sweep.subdir",
    )
