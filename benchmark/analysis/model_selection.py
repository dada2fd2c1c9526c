"""Training runs that compare, the best of them, and tests with what was best in training."""

import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from omegaconf import OmegaConf

from benchmark.config.errors import ConfigError
from benchmark.config.schema import Config, Split, flat
from benchmark.tracking.records import RunRecord
from benchmark.tracking.tracker import NotFoundError, Tracker

VARIED = (
    *("optimizer.", "batch", "memory_gb", "cache", "snapshots", "original_size", "estimate"),
    *("best_optimizer.", "tracking."),
)
"""Options in which the training runs of one model may differ."""

FREE_IN_TEST = (*VARIED, "split", "epochs", "early_stopping.", "divergence_factor", "keep")
"""Options in which a test may differ from them; they share the last four."""

MODEL = ("backbone.", "agg.", "loss.")
"""Options that make a model; its weights have a digest too."""


def conditions(run: RunRecord, without: tuple[str, ...]) -> dict[str, str]:
    """A run's options but some, and the digests of its data."""
    options = {k: v for k, v in run.params.items() if not k.startswith(without)}
    digests = {"style_digest": run.style_digest, "content_digest": run.content_digest}
    if "backbone." not in without:
        digests["weights_digest"] = run.weights_digest
    return options | {name: digest for name, digest in digests.items() if digest}


def differing(given: Mapping[str, str], wanted: Mapping[str, str]) -> list[str]:
    """The conditions in which two differ, the names of variants first.

    Only of those that both have: a run that failed early lacks some.
    """
    names = sorted(name for name in given.keys() & wanted.keys() if given[name] != wanted[name])
    return sorted(names, key=lambda name: (not name.endswith(".name"), name.endswith("_target_")))


def under(
    wanted: Mapping[str, str], runs: Iterable[RunRecord], without: tuple[str, ...] = VARIED
) -> list[RunRecord]:
    """The runs under some conditions, whatever others they have."""
    return [run for run in runs if not differing(conditions(run, without), wanted)]


def like_the_last(runs: Sequence[RunRecord]) -> list[RunRecord]:
    """The training runs of a model under the conditions of the last of them."""
    return under(conditions(runs[-1], VARIED), runs) if runs else []


def by_optimizer(runs: Iterable[RunRecord]) -> dict[str, RunRecord]:
    """Of each optimiser the run that counts: the last of equal ones, the best of its settings.

    A run that finished counts before one that did not. The runs are of one model under the same
    conditions, in the order of their start.
    """
    last: dict[tuple[str, ...], RunRecord] = {}
    for run in runs:
        settings = sorted(f"{k}={v}" for k, v in run.params.items() if k.startswith("optimizer."))
        kind = (run.optimizer, *settings)
        if kind not in last or run.status == "finished" or last[kind].status != "finished":
            last[kind] = run
    best: dict[str, RunRecord] = {}
    for (optimizer, *_), run in last.items():
        if optimizer not in best or _loss(run) <= _loss(best[optimizer]):
            best[optimizer] = run
    return best


def best_run(runs: Iterable[RunRecord]) -> RunRecord | None:
    """The finished run with the lowest mean total loss over its examples (the study, section 1)."""
    return min((run for run in runs if run.status == "finished"), key=_loss, default=None)


def with_best_optimizers(
    configs: Sequence[Config], overrides: Sequence[Sequence[str]]
) -> list[Config]:
    """Configurations with the optimiser and epochs of the best training run, where they ask for it.

    A model is tested for as many epochs as its best training run did, whatever the loss does. The
    overrides are the command line's for each, to name the command that makes missing runs.
    ConfigError: training runs are missing, unfinished or of other conditions, or all diverged.
    """
    missing: list[TrainingRuns] = []
    selected: list[Config] = []
    for config in configs:
        experiment = config.best_optimizer.experiment
        if experiment is None:
            selected.append(config)
            continue
        if config.split is not Split.test:
            reason = "the best optimiser of a training is for split=test; add that"
            raise ConfigError(reason, "best_optimizer.experiment", experiment)
        if not config.best_optimizer.optimizers:
            raise ConfigError("name at least one", "best_optimizer.optimizers", [])
        runs = TrainingRuns(config)
        if runs.unusable:
            missing.append(runs)
        else:
            selected.append(runs.with_best())
    if missing:
        named = [
            f"training run of {runs.model} "
            + "; ".join(f"with {name} {state}" for name, state in runs.unusable.items())
            for runs in missing[:3]
        ]
        more = len(missing) - len(named)
        others = f"; and of {more} more models" if more else ""
        command = _command(missing, overrides[0])
        raise ConfigError(f"{'; '.join(named)}{others}. Start the missing runs with: {command}")
    return selected


def check_training_data(
    config: Config, style_digest: str, weights_digest: str, contents: Iterable[str]
) -> None:
    """ConfigError if a test's model was trained on other paintings or weights, or this content."""
    if config.best_optimizer.experiment is None:
        return
    training = TrainingRuns(config)
    for run in training.matching:
        for what, trained, tested in (
            ("paintings", run.style_digest, style_digest),
            ("weights", run.weights_digest, weights_digest),
        ):
            if trained and trained != tested:
                raise ConfigError(
                    f"the {what} of {training.model} are not those of its training ({run.run_id}): "
                    "train again, or test with what it was trained on"
                )
        if both := set(run.contents).intersection(contents):
            raise ConfigError(
                f"content picture {min(both)} is one that {training.model} was trained on: the "
                "pictures of content have changed since; train again"
            )


@dataclass(frozen=True)
class TrainingRuns:
    """The training runs of a test's model."""

    config: Config

    @property
    def model(self) -> str:
        """Backbone and aggregation."""
        return f"{self.config.backbone['name']} · {self.config.agg['name']}"

    @cached_property
    def runs(self) -> list[RunRecord]:
        """All of them, under whatever conditions, in the order of their start."""
        experiment = self.config.best_optimizer.experiment
        try:
            tracker = Tracker(self.config.tracking.uri, experiment, create=False)
        except NotFoundError:
            return []
        model = (self.config.backbone["name"], self.config.agg["name"])
        trained = (run for run in tracker.all_runs() if run.params.get("split") == "train")
        return [run for run in trained if (run.backbone, run.agg) == model]

    @cached_property
    def matching(self) -> list[RunRecord]:
        """Those under the conditions of the test, with the limits of the last of them."""
        wanted = {k: v for k, v in self._options.items() if not k.startswith(FREE_IN_TEST)}
        return like_the_last(under(wanted, self.runs))

    @cached_property
    def unusable(self) -> dict[str, str]:
        """What is wrong with the run with each optimiser; without those that can be used."""
        runs = by_optimizer(self.matching)
        wrong = {}
        for name in self.config.best_optimizer.optimizers:
            if name not in runs:
                wrong[name] = self._difference(name)
            elif runs[name].status not in ("finished", "diverged"):
                wrong[name] = f"is unfinished ({runs[name].status})"
        return wrong

    def with_best(self) -> Config:
        """The test's configuration with the optimiser and the epochs of the best run."""
        runs = by_optimizer(self.matching)
        wanted = self.config.best_optimizer.optimizers
        best = best_run(run for name, run in runs.items() if name in wanted)
        if best is None:
            raise ConfigError(
                f"training of {self.model} diverged with {' and '.join(runs)}: train again with a "
                "lower optimizer.learning_rate"
            )
        assert best.results.epochs_done is not None  # It finished.
        options = (pair for pair in best.params.items() if pair[0].startswith("optimizer."))
        # MLflow stores every value as text.
        dotlist = [f"{name}={'null' if text == 'None' else text}" for name, text in options]
        optimizer = OmegaConf.from_dotlist(dotlist).optimizer
        return replace(
            self.config,
            optimizer={str(key): value for key, value in optimizer.items()},
            epochs=best.results.epochs_done,
            early_stopping=replace(self.config.early_stopping, patience=None),
        )

    @property
    def _options(self) -> dict[str, str]:
        return {option: str(value) for option, value in flat(self.config).items()}

    def _difference(self, optimizer: str) -> str:
        """How the nearest run of an optimiser differs from the test, or from the last training."""
        runs = [run for run in reversed(self.runs) if run.optimizer == optimizer]
        if not runs:
            return "is missing"
        wanted = self._options
        nearest = min(runs, key=lambda run: len(differing(conditions(run, FREE_IN_TEST), wanted)))
        given = conditions(nearest, FREE_IN_TEST)
        if not differing(given, wanted):
            given, wanted = conditions(nearest, VARIED), conditions(self.matching[-1], VARIED)
        name = differing(given, wanted)[0]
        return f"had {name}={given[name]}, not {wanted[name]}"


def _command(missing: Sequence[TrainingRuns], overrides: Sequence[str]) -> str:
    """The command that starts missing training runs."""
    wanted = missing[0].config.best_optimizer
    replaced = ["experiment=", "backbone=", "agg=", "optimizer=", "tracking.sweep="]
    replaced += ["split=", "original_size=", "estimate=", "best_optimizer."]  # A test's alone.
    if wanted.overlay:
        setting = {"experiment": [wanted.overlay]}
    else:
        setting = {"split": ["train"], "tracking.experiment": [wanted.experiment or ""]}
        replaced.append("tracking.experiment=")
    parts = setting | {
        "backbone": [runs.config.backbone["name"] for runs in missing],
        "agg": [runs.config.agg["name"].partition(" ")[0] for runs in missing],
        "optimizer": [name for runs in missing for name in runs.unusable],
    }
    options = [f"{key}={','.join(dict.fromkeys(values))}" for key, values in parts.items()]
    own = [override for override in overrides if not override.startswith(tuple(replaced))]
    return f"python -m benchmark -m {shlex.join([*options, *own])}"


def _loss(run: RunRecord) -> float:
    """The loss by which runs are compared; infinite if the run did not finish."""
    loss = run.results.final_total_loss
    return loss if run.status == "finished" and loss is not None else float("inf")
