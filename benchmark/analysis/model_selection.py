"""Training runs read back from MLflow: which belong together, and which of them won."""

import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from omegaconf import OmegaConf

from benchmark.config.errors import ConfigError
from benchmark.config.schema import Config, Split, flat
from benchmark.runs.prepare import Prepared
from benchmark.tracking.records import RunRecord
from benchmark.tracking.tracker import NotFoundError, Tracker

TRIED = (
    "optimizer.",
    "batch",
    "memory_gb",
    "cache",
    "snapshots",
    "original_size",
    "estimate",
    "winner.",
    "tracking.",
)
"""Options in which the training runs of one model may differ."""

LIMITS = ("epochs", "early_stopping.", "divergence_factor", "keep")
"""Options that they share, and in which a test may differ from them."""

MODEL = ("backbone.", "agg.", "loss.")
"""Options that make a model; its weights have a digest too."""

TEST_ONLY = ("split=", "original_size=", "estimate=", "winner.")
"""Overrides of a test that its training does not have."""

MOST_NAMED = 3
"""Models that one message names; the others are counted."""


@dataclass(frozen=True)
class Lacking:
    """Training runs that a test needs and that cannot be used.

    Attributes:
        model: backbone and aggregation, as in a command.
        optimizers: what is wrong with the run with each.
    """

    model: tuple[str, str]
    optimizers: Mapping[str, str]


def conditions(run: RunRecord, without: tuple[str, ...]) -> dict[str, str]:
    """Under what a run was made: its options but some, and the digests of its data."""
    options = {k: v for k, v in run.params.items() if not k.startswith(without)}
    digests = {"style_digest": run.style_digest, "content_digest": run.content_digest}
    if "backbone." not in without:
        digests["weights_digest"] = run.weights_digest
    return options | {name: digest for name, digest in digests.items() if digest}


def difference(found: Mapping[str, str], wanted: Mapping[str, str]) -> str:
    """The first condition in which two differ, of those that both have; nothing if there is none.

    A run that failed early lacks some.
    """
    apart = differing(found, wanted)
    return f"had {apart[0]}={found[apart[0]]}, not {wanted[apart[0]]}" if apart else ""


def differing(found: Mapping[str, str], wanted: Mapping[str, str]) -> list[str]:
    """The conditions in which two differ, those that a person sets first."""
    apart = [name for name in found.keys() & wanted.keys() if found[name] != wanted[name]]
    return sorted(
        apart, key=lambda name: (not name.endswith(".name"), name.endswith("_target_"), name)
    )


def alike(
    runs: Iterable[RunRecord], wanted: Mapping[str, str], without: tuple[str, ...] = TRIED
) -> list[RunRecord]:
    """The runs that were made under some conditions, whatever else they were made under."""
    return [run for run in runs if not difference(conditions(run, without), wanted)]


def like_the_last(runs: Sequence[RunRecord]) -> list[RunRecord]:
    """The training runs of a model under the conditions of the last of them."""
    return alike(runs, conditions(runs[-1], TRIED)) if runs else []


def trials(runs: Iterable[RunRecord]) -> dict[str, RunRecord]:
    """Of each optimiser the run that counts: the last of equal ones, the best of its settings.

    A run that finished counts before one that did not.

    Args:
        runs: of one model under the same conditions, in the order of their start.
    """
    last: dict[tuple[str, ...], RunRecord] = {}
    for run in runs:
        settings = sorted(f"{k}={v}" for k, v in run.params.items() if k.startswith("optimizer."))
        kind = (run.optimizer, *settings)
        if kind not in last or run.status == "finished" or last[kind].status != "finished":
            last[kind] = run
    found: dict[str, RunRecord] = {}
    for (optimizer, *_), run in last.items():
        if optimizer not in found or _rank(run) <= _rank(found[optimizer]):
            found[optimizer] = run
    return found


def best(runs: Iterable[RunRecord]) -> RunRecord | None:
    """The finished run with the lowest mean total loss over its examples (the study, section 1)."""
    finished = [run for run in runs if run.status == "finished"]
    return min(finished, key=_rank, default=None)


def with_winners(configs: Sequence[Config], overrides: Sequence[Sequence[str]]) -> list[Config]:
    """Configurations with the optimiser and the epochs that won, where `winner` asks for them.

    A model is tested with the optimiser of its best training run, and for as many epochs as that
    did, whatever the loss does.

    Args:
        configs: of test runs, and any others, which stay as they are.
        overrides: the command line's for each, to name the command that makes missing runs.

    Raises:
        ConfigError: training runs are missing, unfinished or of other conditions, or all diverged.
    """
    lacking: list[Lacking] = []
    found: list[Config] = []
    for config in configs:
        if config.winner.experiment is not None and config.split is not Split.test:
            raise ConfigError(
                f"winner.experiment={config.winner.experiment}: what won in training is for "
                "split=test; add that"
            )
        runs = candidates(config)
        wrong = _states(config, runs)
        if wrong:
            lacking.append(Lacking((config.backbone["name"], config.agg["name"]), wrong))
        elif config.winner.experiment is not None:
            config = _won(config, runs)
        found.append(config)
    if lacking:
        named = [
            f"training run of {' · '.join(one.model)} "
            + "; ".join(f"with {name} {state}" for name, state in one.optimizers.items())
            for one in lacking[:MOST_NAMED]
        ]
        more = len(lacking) - len(named)
        others = f"; and of {more} more models" if more else ""
        command = _command(configs[0], overrides[0], lacking)
        raise ConfigError(f"{'; '.join(named)}{others}. Make what is lacking with: {command}")
    return found


def candidates(config: Config) -> list[RunRecord]:
    """All training runs of a test's model, in the order of their start."""
    if config.winner.experiment is None:
        return []
    try:
        tracker = Tracker(config.tracking.uri, config.winner.experiment, create=False)
    except NotFoundError:
        return []  # nothing was trained yet
    return [
        run
        for run in tracker.all_runs()
        if run.params.get("split") == "train"
        and run.backbone == config.backbone["name"]
        and run.agg == config.agg["name"]
    ]


def check_data(config: Config, prepared: Prepared) -> None:
    """Check that a test's winner was trained on the same paintings and weights, on other content.

    Raises:
        ConfigError: it was not.
    """
    model = f"{config.backbone['name']} · {config.agg['name']}"
    for run in _matching(config, candidates(config)):
        pairs = (
            ("paintings", run.style_digest, prepared.style_digest),
            ("weights", run.weights_digest, prepared.backbone.digest),
        )
        for what, before, now in pairs:
            if before and before != now:
                raise ConfigError(
                    f"the {what} of {model} are not those of its training ({run.run_id}): "
                    "train again, or test with what it was trained on"
                )
        both = set(run.contents) & set(prepared.content.names)
        if both:
            raise ConfigError(
                f"content picture {min(both)} is one that {model} was trained on: the pictures of "
                "content have changed since; train again"
            )


def _matching(config: Config, runs: Sequence[RunRecord]) -> list[RunRecord]:
    """The training runs under the conditions of a test, with the limits of the last of them."""
    wanted = {
        option: str(value)
        for option, value in flat(config).items()
        if not option.startswith((*TRIED, *LIMITS, "split"))
    }
    return like_the_last(alike(runs, wanted))


def _states(config: Config, runs: Sequence[RunRecord]) -> dict[str, str]:
    """What is wrong with the training run with each optimiser; without those that can be used."""
    if config.winner.experiment is None:
        return {}
    if not config.winner.optimizers:
        raise ConfigError("winner.optimizers=[]: name at least one")
    usable = trials(_matching(config, runs))
    wrong = {}
    for optimizer in config.winner.optimizers:
        run = usable.get(optimizer)
        if run is None:
            others = [one for one in runs if one.optimizer == optimizer]
            wrong[optimizer] = _why_not(config, runs, others) if others else "is missing"
        elif run.status not in ("finished", "diverged"):
            wrong[optimizer] = f"is unfinished ({run.status})"
    return wrong


def _why_not(config: Config, runs: Sequence[RunRecord], others: Sequence[RunRecord]) -> str:
    """In what the nearest of an optimiser's runs differs from the test, or the last training."""
    wanted = {option: str(value) for option, value in flat(config).items()}
    free = (*TRIED, *LIMITS, "split")
    near = min(reversed(others), key=lambda run: len(differing(conditions(run, free), wanted)))
    apart = difference(conditions(near, free), wanted)
    if apart:
        return apart
    return difference(conditions(near, TRIED), conditions(_matching(config, runs)[-1], TRIED))


def _won(config: Config, runs: Sequence[RunRecord]) -> Config:
    """A test's configuration with the optimiser and the epochs of the best training run."""
    tried = trials(_matching(config, runs))
    winner = best(run for name, run in tried.items() if name in config.winner.optimizers)
    if winner is None:
        raise ConfigError(
            f"training of {config.backbone['name']} · {config.agg['name']} diverged with "
            f"{' and '.join(tried)}: train again with a lower optimizer.learning_rate"
        )
    assert winner.results.epochs_done is not None  # It finished.
    return replace(
        config,
        optimizer=_optimizer(winner),
        epochs=winner.results.epochs_done,
        early_stopping=replace(config.early_stopping, patience=None),
    )


def _optimizer(run: RunRecord) -> dict[str, object]:
    """The optimiser's YAML as the run had it; MLflow stores every value as text."""
    prefix = "optimizer."
    texts = {k.removeprefix(prefix): v for k, v in run.params.items() if k.startswith(prefix)}
    values = OmegaConf.from_dotlist(
        [f"{k}={'null' if v == 'None' else v}" for k, v in texts.items()]
    )
    return {str(key): values[key] for key in values}


def _command(config: Config, overrides: Sequence[str], lacking: Sequence[Lacking]) -> str:
    """The command that makes some training runs."""
    changed: tuple[str, ...] = (
        "experiment=",
        "backbone=",
        "agg=",
        "optimizer=",
        "tracking.sweep=",
        *TEST_ONLY,
    )
    if not config.winner.overlay:
        changed = (*changed, "tracking.experiment=")
    parts = {
        "experiment": [config.winner.overlay] if config.winner.overlay else [],
        **({} if config.winner.overlay else _no_overlay(config)),
        "backbone": [one.model[0] for one in lacking],
        "agg": [one.model[1].partition(" ")[0] for one in lacking],
        "optimizer": [name for one in lacking for name in one.optimizers],
    }
    made = [f"{key}={','.join(dict.fromkeys(values))}" for key, values in parts.items() if values]
    own = [override for override in overrides if not override.startswith(changed)]
    return f"python -m benchmark -m {shlex.join([*made, *own])}"


def _no_overlay(config: Config) -> dict[str, list[str]]:
    """What an overlay would have said."""
    return {"split": ["train"], "tracking.experiment": [config.winner.experiment or ""]}


def _rank(run: RunRecord) -> float:
    """The loss by which runs compete; one that did not finish comes last."""
    loss = run.results.final_total_loss
    return loss if run.status == "finished" and loss is not None else float("inf")
