"""Scoring the stored results of runs again, with other metrics or evaluators."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from benchmark.config.compose import composed
from benchmark.config.errors import ConfigError
from benchmark.config.schema import Config, restored
from benchmark.images.pixels import to_float
from benchmark.images.upscale import squares
from benchmark.metrics.table import means
from benchmark.runs.contents import load_content
from benchmark.runs.evaluation import evaluation_setup
from benchmark.runs.groups import load_paintings
from benchmark.runs.run import score
from benchmark.runs.scores import RunScores, log_scores, merged, read_scores
from benchmark.runs.style_sets import painting_together
from benchmark.runs.variants import metric_of
from benchmark.runs.workspace import Workspace
from benchmark.tracking.records import Artifact, RunFacts, RunRecord, result_file
from benchmark.tracking.tracker import Tracker
from datasets import digest_of

ROOTS = ("dataset.root", "content.root")

ALLOWED = ("metrics", "evaluation.", *(f"{root}=" for root in ROOTS))
"""Options that may differ from the run's own; the pictures are what they are."""


@dataclass(frozen=True)
class RescoringRequest:
    """What a command line means by itself, its options, and where data were moved, by option."""

    config: Config
    options: Sequence[str]
    roots: Mapping[str, str]

    def apply(self, config: Config) -> None:
        """Change a run's configuration to the metrics, evaluators and roots that are asked for."""
        wanted = self.config
        if "metrics" in self.options or not config.metrics:
            config.metrics = {n: config.metrics.get(n, v) for n, v in wanted.metrics.items()}
        for group, *path in (option.split(".") for option in self.options):
            if group == "evaluation" and path:
                setattr(config.evaluation, path[0], getattr(wanted.evaluation, path[0]))
            if group == "metrics" and len(path) == 2 and path[0] in config.metrics:
                config.metrics[path[0]][path[1]] = wanted.metrics[path[0]][path[1]]
        for option, folder in self.roots.items():
            getattr(config, option.partition(".")[0])["root"] = folder


def read_request(overrides: Sequence[str], workspace: Workspace) -> RescoringRequest:
    """The overrides of a command line; InputError if one cannot be given, or has a wrong value."""
    wrong = next((one for one in overrides if not one.lstrip("+~").startswith(ALLOWED)), None)
    if wrong:
        raise ConfigError(f"{wrong}: the runs are done; only {', '.join(ALLOWED)} can be given")
    roots = dict(one.split("=", 1) for one in overrides if one.startswith(ROOTS))
    others = [one for one in overrides if not one.startswith(ROOTS)]
    config, options = composed(others), [o.lstrip("+~").partition("=")[0] for o in others]
    for name, variant in config.metrics.items():
        metric_of(name, variant)
    if "evaluation.evaluators" in options:
        for name in config.evaluation.evaluators:
            workspace.evaluator(name, config.evaluation.weights, config.image_size)
    return RescoringRequest(config, options, roots)


def rescore(
    tracker: Tracker, run: RunRecord, request: RescoringRequest, workspace: Workspace
) -> RunScores:
    """Score one run and write that into it, beside what it has of other metrics.

    InputError: the run has no results, or its data are not those it was made with.
    """
    if not {Artifact.CONFIG, Artifact.RESULTS} <= {*tracker.artifacts(run.run_id)}:
        raise ConfigError(f"it has no results to score ({run.status})")
    config = restored(tracker.read_json(run.run_id, Artifact.CONFIG))
    request.apply(config)
    metrics = [metric_of(name, variant) for name, variant in config.metrics.items()]
    content = load_content(config, workspace)
    groups, paintings = load_paintings(config, workspace)
    if len(paintings) > len(run.artists):
        groups, paintings = painting_together(groups, paintings)
    digests = ((run.style_digest, digest_of(paintings)), (run.content_digest, content.digest))
    for what, option, (recorded, digest) in zip(("style", "content"), ROOTS, digests, strict=True):
        if recorded != digest:
            raise ConfigError(
                f"its {what} pictures are not those that it was made with: restore them, or give "
                f"{option}=PATH"
            )
    setup = evaluation_setup(config, metrics, groups, paintings, workspace)
    results = [
        tracker.read_picture(run.run_id, result_file(style_set.name, name))
        for style_set in paintings
        for name in content.names
    ]
    pictures = squares([*map(to_float, results)], config.image_size)
    new = score(setup, paintings, content, pictures, config.backbone["model"], run.weights)
    log = tracker.log(run.run_id)
    log_scores(log, merged(read_scores(tracker, run), new), run.results.epochs_done or 0)
    log.update(RunFacts(reference_digest=setup.digest))
    return new


def summary(scores: RunScores) -> list[str]:
    """The mean scores in a line, then a line for each reason why metrics were skipped."""
    values = ", ".join(f"{name} {mean:.3g}" for name, mean in means(scores.table).items())
    lines = [values or "no metric could be computed"]
    for reason in dict.fromkeys(scores.skipped.values()):
        names = [name for name, why in scores.skipped.items() if why == reason]
        lines.append(f"no {', '.join(names)}: {reason}")
    return lines
