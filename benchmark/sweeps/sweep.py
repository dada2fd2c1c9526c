"""A sweep in MLflow: the parent of its runs, and which of these are done, running or lost."""

from collections.abc import Sequence
from typing import Self

from omegaconf import DictConfig
from rich.console import Console

from benchmark.analysis.comparison import results_table
from benchmark.config.errors import ConfigError
from benchmark.config.schema import Config, nested
from benchmark.runs.log import command_line, logged_options
from benchmark.runs.progress import Output
from benchmark.runtime.processes import current_process
from benchmark.sweeps.cost import CostEstimate
from benchmark.sweeps.plan import SweepPlan, launcher_overrides, swept_options
from benchmark.sweeps.summary import resume_command, summarise, sweep_sheet
from benchmark.tracking.log import RunLog
from benchmark.tracking.outage import OutageError
from benchmark.tracking.records import (
    AnyRecord,
    Artifact,
    Facts,
    RunRecord,
    Status,
    SweepFacts,
    SweepRecord,
)
from benchmark.tracking.tracker import Tracker


class Sweep:
    """A sweep in progress."""

    def __init__(self, tracker: Tracker, name: str, plan: SweepPlan, log: RunLog) -> None:
        self.tracker, self.name, self.plan, self._log = tracker, name, plan, log
        self.estimate: CostEstimate | None = None
        self.done_before = 0  # Runs that were done when this process opened it.

    @classmethod
    def begin(
        cls,
        tracker: Tracker,
        configs: Sequence[Config],
        jobs: Sequence[Sequence[str]],
        hydra_config: DictConfig,
    ) -> Self:
        """Record what its runs, with these configurations and overrides, have in common."""
        name = configs[0].tracking.sweep or ""
        plan = SweepPlan(jobs, list(map(nested, configs)), launcher_overrides(hydra_config))
        facts = SweepFacts(
            sweep=name,
            runs=len(configs),
            swept=tuple(swept_options(jobs)),
            command=command_line(list(hydra_config.hydra.overrides.task), sweep=True),
            owner=current_process(),
        )
        log = tracker.start(name, facts)
        options = [logged_options(config) for config in configs]
        log.params({k: v for k, v in options[0].items() if all(o.get(k) == v for o in options)})
        log.json(Artifact.PLAN, plan.packed())
        return cls(tracker, name, plan, log)

    @classmethod
    def reopen(cls, tracker: Tracker, name: str, plan: SweepPlan) -> Self:
        """Set it running again."""
        parent = tracker.sweep_run(name)
        assert parent is not None  # The plan is an artifact of it.
        log = tracker.resume(parent, SweepFacts(owner=current_process()))
        sweep = cls(tracker, name, plan, log)
        sweep.done_before = sum(is_done(run) for run in sweep._runs())
        return sweep

    def conclude(self, output: Console) -> bool:
        """Close it and print how it went; whether all its runs finished."""
        runs = self._runs()
        complete = sum(run.status == "finished" for run in runs) == len(self.plan.settings)
        self._close(output, runs, "finished" if complete else "failed")
        return complete

    def close_interrupted(self) -> None:
        """Close it as killed, in a hurry."""
        output = Output()
        self.tracker.shut_down()
        try:
            end_lost_runs(self.tracker, self.name)
            self._close(output, self._runs(), "killed")
        except OutageError as error:
            command = resume_command(self.tracker, self.name)
            line = f"{error}. Results so far are kept; resume with: {command}"
            output.print(line, soft_wrap=True)

    def _runs(self) -> list[RunRecord]:
        """Its runs so far, without those that `benchmark.evaluate --pictures` added."""
        return [run for run in self.tracker.runs_of(self.name) if run.is_ours]

    def _close(self, output: Console, runs: Sequence[RunRecord], status: Status) -> None:
        """Give the parent run the table and the sheet of all cells, end it, and print a summary."""
        missing = [f"{run.name} ({run.status})" for run in runs if run.status != "finished"]
        if len(runs) < len(self.plan.settings):
            missing.append(f"{len(self.plan.settings) - len(runs)} never started")
        if runs and status != "killed":  # Who interrupts it does not want to wait for pictures.
            self._log.table(Artifact.SWEEP_TABLE, results_table(runs))
            sheet = sweep_sheet(self.tracker, runs)
            if sheet is not None:
                self._log.picture(Artifact.SWEEP_SHEET, sheet)
        reason = f"not finished: {', '.join(missing)}" if missing else f"{len(runs)} runs finished"
        stopped_by = {"finished": "complete", "killed": "interrupted"}.get(status, "error")
        self._log.end(status, stopped_by, reason)
        summarise(output, self.tracker, runs, sweep=self.name)


def refuse_known(tracker: Tracker, name: str) -> None:
    """Keep two sweeps from sharing a name: ConfigError if there is one of this name."""
    parent, runs = tracker.sweep_run(name), tracker.runs_of(name)
    idle = parent and not runs and not is_running(parent)
    if parent and idle and not tracker.has_artifact(parent.run_id, Artifact.PLAN):
        tracker.delete(parent.run_id)  # Interrupted before anything of it was recorded.
    elif parent or runs:
        reason = "a sweep of this name exists; choose another name, or resume it: "
        raise ConfigError(reason + resume_command(tracker, name), "tracking.sweep", name)


def is_done(run: RunRecord) -> bool:
    """Whether a run came to its end, good or bad; another attempt would come to the same."""
    return run.status in ("finished", "diverged")


def is_running(run: AnyRecord) -> bool:
    """Whether another process works on a run, as far as this one can know."""
    if run.status != "running" or run.owner is None:
        return False
    return run.owner.state() in ("alive", "remote")


def mark_lost_runs(tracker: Tracker, output: Console, *, announce: bool = True) -> None:
    """End the runs in the store whose processes on this machine are dead; announce sweeps."""
    for run in tracker.running():
        if run.owner and run.owner.state() == "dead":
            _mark_lost(tracker, run, ": it was killed, ran out of memory, or the machine went down")
            if announce and isinstance(run, SweepRecord):
                line = f"Sweep {run.name} was interrupted; resume with: "
                output.print(line + resume_command(tracker, run.sweep), soft_wrap=True)


def end_lost_runs(tracker: Tracker, name: str) -> None:
    """End the runs of a sweep whose launcher has ended, and with it its jobs on all machines."""
    for run in tracker.runs_of(name):
        if run.status == "running" and run.owner and run.owner.state() != "alive":
            _mark_lost(tracker, run)


def _mark_lost(tracker: Tracker, run: AnyRecord, cause: str = "") -> None:
    assert run.owner is not None
    log = tracker.log(run.run_id)
    log.update(Facts(times_lost=run.times_lost + 1))
    log.end("killed", "lost", f"process {run.owner.process} on {run.owner.host} was lost{cause}")
