"""A sweep in MLflow: the parent of its runs, which its driver opens and closes."""

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
from benchmark.sweeps.lost_runs import end_lost_runs, is_done, is_running
from benchmark.sweeps.overrides import launcher_overrides, swept_options
from benchmark.sweeps.plan import SweepPlan
from benchmark.sweeps.summary import resume_command, summarise, sweep_sheet
from benchmark.tracking.outage import OutageError
from benchmark.tracking.records import Artifact, RunRecord, Status, SweepFacts
from benchmark.tracking.tracker import Tracker


class Sweep:
    """A sweep in progress.

    Attributes:
        tracker: its store.
        name: the user's, or date and time.
        plan: its runs.
        estimate: of its cost, if requested.
        done_before: how many runs were done when this process opened it.
    """

    def __init__(self, tracker: Tracker, name: str, plan: SweepPlan) -> None:
        self.tracker, self.name, self.plan = tracker, name, plan
        self.estimate: CostEstimate | None = None
        self.done_before = 0

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
        return cls(tracker, name, plan)

    @classmethod
    def reopen(cls, tracker: Tracker, name: str, plan: SweepPlan) -> Self:
        """Set it running again."""
        parent = tracker.sweep_run(name)
        assert parent is not None  # The plan is an artifact of it.
        tracker.resume(parent, SweepFacts(owner=current_process()))
        sweep = cls(tracker, name, plan)
        sweep.done_before = sum(is_done(run) for run in tracker.runs_of(name))
        return sweep

    def conclude(self, output: Console) -> bool:
        """Close it and print how it went; whether all its runs finished."""
        runs = self.tracker.runs_of(self.name)
        complete = len(runs) == len(self.plan.settings)
        complete = complete and all(run.status == "finished" for run in runs)
        self._close(runs, "finished" if complete else "failed")
        summarise(output, self.tracker, runs, sweep=self.name)
        return complete

    def close_interrupted(self) -> None:
        """Close it as killed, in a hurry."""
        output = Output()
        self.tracker.shut_down()
        try:
            end_lost_runs(self.tracker, self.name)
            runs = self.tracker.runs_of(self.name)
            self._close(runs, "killed")
            summarise(output, self.tracker, runs, sweep=self.name)
        except OutageError as error:
            command = resume_command(self.tracker, self.name)
            output.print(
                f"{error}. Results so far are kept; resume with: {command}", soft_wrap=True
            )

    def _close(self, runs: Sequence[RunRecord], status: Status) -> None:
        """Give the parent run the table and the sheet of all cells, and end it."""
        parent = self.tracker.sweep_run(self.name)
        if parent is None:
            return
        log = self.tracker.log(parent.run_id)
        missing = [f"{run.name} ({run.status})" for run in runs if run.status != "finished"]
        if len(runs) < len(self.plan.settings):
            missing.append(f"{len(self.plan.settings) - len(runs)} never started")
        if runs and status != "killed":  # Who interrupts it does not want to wait for pictures.
            log.table(Artifact.SWEEP_TABLE, results_table(runs))
            sheet = sweep_sheet(self.tracker, runs)
            if sheet is not None:
                log.picture(Artifact.SWEEP_SHEET, sheet)
        reason = f"not finished: {', '.join(missing)}" if missing else f"{len(runs)} runs finished"
        stopped_by = {"finished": "complete", "killed": "interrupted"}.get(status, "error")
        log.end(status, stopped_by, reason)


def refuse_known(tracker: Tracker, name: str) -> None:
    """Keep two sweeps from sharing a name.

    Raises:
        ConfigError: there is one of this name.
    """
    parent, runs = tracker.sweep_run(name), tracker.runs_of(name)
    idle = parent and not runs and not is_running(parent)
    if parent and idle and not tracker.has_artifact(parent.run_id, Artifact.PLAN):
        tracker.delete(parent.run_id)  # Interrupted before anything of it was recorded.
    elif parent or runs:
        raise ConfigError(
            "a sweep of this name exists; choose another name, or resume it: "
            f"{resume_command(tracker, name)}",
            "tracking.sweep",
            name,
        )
