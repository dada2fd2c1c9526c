"""The program in this process, for what Hydra constructs or calls by name."""

from contextlib import AbstractContextManager, nullcontext
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from benchmark.runtime.interrupts import Interrupts
from benchmark.runtime.jobs import Jobs, LauncherKind
from benchmark.runtime.workers import Worker

if TYPE_CHECKING:  # They import Keras, which must not look for GPUs before a worker has its own.
    from benchmark.runs.workspace import Workspace
    from benchmark.sweeps.sweep import Sweep


@dataclass
class Application:
    """What a process holds while it does a run, or drives a sweep.

    The driver of a sweep has that, and `jobs` unless it does the runs itself; a process that a
    launcher started to do runs has a `worker`.
    """

    interrupts: Interrupts = field(default_factory=Interrupts)
    jobs: Jobs | None = None
    sweep: "Sweep | None" = None
    worker: Worker | None = None
    workspace: "Workspace | None" = None

    def job(self, kind: LauncherKind, cwd: str) -> AbstractContextManager[None]:
        """Around a run that a launcher of this kind started; see `Worker`."""
        if kind == "basic":
            return nullcontext()
        self.worker = self.worker or Worker(kind, self.interrupts)
        return self.worker.job(cwd)

    def close_sweep(self) -> None:
        """Close the sweep in progress, if there is one, as interrupted."""
        sweep, self.sweep = self.sweep, None
        if sweep is not None:
            sweep.close_interrupted()


_current: ContextVar[Application] = ContextVar("application")


def begin() -> Application:
    """A new application as the one of this process."""
    application = Application()
    _current.set(application)
    return application


def current() -> Application:
    """The application of this process; a new one in a process that a launcher started.

    Hydra has no parameter for it: it constructs its callback and its launcher from dotted names,
    pickles the callback into each job's process, and calls a job with its configuration alone.
    """
    return _current.get(None) or begin()
