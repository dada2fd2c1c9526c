"""Which of Hydra's launchers a sweep uses, and its jobs."""

import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from benchmark.config.errors import ConfigError
from benchmark.runtime.jobs import JoblibJobs, Jobs, LocalJobs, SlurmJobs
from benchmark.runtime.ray_jobs import RayJobs

LauncherKind = Literal["basic", "joblib", "local", "slurm", "ray"]

LAUNCHER_KINDS: Mapping[str, LauncherKind] = {
    "JoblibLauncher": "joblib",
    "LocalLauncher": "local",
    "SlurmLauncher": "slurm",
    "RayLauncher": "ray",
}
"""Launchers by the class that Hydra makes of them; all others do the runs in the driver."""


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
        raise ConfigError(
            "this machine has no srun; start it on one of the cluster's, or try it with "
            "hydra/launcher=submitit_local",
            "hydra/launcher",
            "submitit_slurm",
        )
    if kind == "joblib":
        # What a killed worker held, loky cleans up, and warns of it in a process of its own.
        os.environ.setdefault("PYTHONWARNINGS", "ignore:resource_tracker")
        return JoblibJobs()
    if kind == "ray":
        return RayJobs(launcher["ray"]["init"])
    return _submitted_jobs(kind, folder)


def earlier_jobs(overrides: Sequence[str], sweep: str) -> Jobs | None:
    """The jobs of a sweep whose driver is dead; those on SLURM may still run.

    Args:
        overrides: that chose and set up its launcher.
        sweep: its name.
    """
    given = dict(override.lstrip("+").partition("=")[::2] for override in overrides)
    kinds: dict[str, LauncherKind] = {"submitit_local": "local", "submitit_slurm": "slurm"}
    folder = Path(given.get("hydra.sweep.dir", f"mlruns/sweeps/{sweep}")).resolve()
    return _submitted_jobs(kinds.get(given.get("hydra/launcher", ""), "basic"), folder)


def _submitted_jobs(kind: LauncherKind, folder: Path) -> Jobs | None:
    submitted = {"local": LocalJobs, "slurm": SlurmJobs}.get(kind)
    return submitted(folder) if submitted else None
