"""Which of Hydra's launchers a sweep uses, and its jobs."""

import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from benchmark.config.errors import ConfigError
from benchmark.runtime.jobs import Jobs, LocalJobs, SlurmJobs
from benchmark.runtime.ray_jobs import RayJobs

LauncherKind = Literal["basic", "joblib", "local", "slurm", "ray"]

LAUNCHER_KINDS: Mapping[str, LauncherKind] = {
    "JoblibLauncher": "joblib",
    "LocalLauncher": "local",
    "SlurmLauncher": "slurm",
    "RayLauncher": "ray",
}
"""Launchers by the class that Hydra makes of them; all others do the runs in the driver."""

SUBMITTED: Mapping[str, type[LocalJobs | SlurmJobs]] = {"local": LocalJobs, "slurm": SlurmJobs}


def launcher_kind(launcher: Mapping[str, Any]) -> LauncherKind:
    """Which launcher a configuration, that of `hydra.launcher`, makes."""
    return LAUNCHER_KINDS.get(str(launcher.get("_target_")).rpartition(".")[2], "basic")


def prepare_jobs(launcher: Mapping[str, Any], folder: Path) -> Jobs | None:
    """Prepare for the jobs of a sweep with this folder; None: the driver itself does the runs.

    Raises:
        ConfigError: the launcher cannot be used.
    """
    kind = launcher_kind(launcher)
    if kind == "slurm" and shutil.which("srun") is None:
        reason = "this machine has no srun; start it on one of the cluster's, or try it with "
        reason += "hydra/launcher=submitit_local"
        raise ConfigError(reason, "hydra/launcher", "submitit_slurm")
    if kind == "joblib":
        # What a killed worker held, loky cleans up, and warns of it in a process of its own.
        os.environ.setdefault("PYTHONWARNINGS", "ignore:resource_tracker")
        return Jobs()
    if kind == "ray":
        return RayJobs(launcher["ray"]["init"])
    return SUBMITTED[kind](folder) if kind in SUBMITTED else None


def earlier_jobs(given: Mapping[str, str], sweep: str) -> Jobs | None:
    """The jobs of a sweep whose driver is dead, by its launcher's options; some may still run."""
    folder = Path(given.get("hydra.sweep.dir", f"mlruns/sweeps/{sweep}")).resolve()
    kind = given.get("hydra/launcher", "").removeprefix("submitit_")
    return SUBMITTED[kind](folder) if kind in SUBMITTED else None
