"""With what a run's results are scored: metrics, evaluators, paintings to compare with."""

import inspect
from collections.abc import Sequence

from backbones import Backbone
from benchmark.config.errors import ConfigError
from benchmark.config.schema import Config
from benchmark.config.signatures import arguments_of, function_of
from benchmark.metrics.classifier import Judge, check_groups
from benchmark.metrics.scoring import EvaluationSetup, Metric, held_out, others
from benchmark.runs.style_sets import Selection
from benchmark.runs.variants import keys_of
from benchmark.runs.workspace import Workspace, disk_cache
from datasets import ImageSet, LoadedImages


def evaluation_setup(
    config: Config,
    metrics: Sequence[Metric],
    groups: Sequence[ImageSet],
    paintings: Sequence[LoadedImages],
    workspace: Workspace,
) -> EvaluationSetup:
    """With what a run's results are scored; InputError if an evaluator or judge cannot be had."""
    wanted = config.evaluation
    found = {
        name: workspace.evaluator(name, wanted.weights, config.image_size)
        for name in (wanted.evaluators if any(one.needs_evaluator for one in metrics) else [])
    }
    other_artists = all_artists(config) if wanted.others and found else []
    sets = [images.image_set for images in paintings]
    return EvaluationSetup(
        metrics=metrics,
        judges=judges_of_run(config, metrics, groups, workspace),
        chooser=chooser_digest(config, workspace),
        evaluators={name: one for name, one in found.items() if isinstance(one, Backbone)},
        unavailable={name: one for name, one in found.items() if isinstance(one, str)},
        held_out=held_out(sets, groups, wanted.held_out),
        others=others(groups, other_artists, wanted.others, wanted.held_out),
        size=config.image_size,
        kept=workspace.kept,
        disk=disk_cache(config),
    )


def all_artists(config: Config) -> list[ImageSet]:
    """All artists of a run's dataset, where its function can name them."""
    function = function_of("dataset", config.dataset)
    parameters = inspect.signature(function).parameters
    if "artists" not in parameters:
        return []
    arguments = arguments_of("dataset", config.dataset, without=Selection.model_fields)
    place = {k: v for k, v in arguments.items() if parameters[k].default is inspect.Parameter.empty}
    groups: list[ImageSet] = function(**place, artists=["*"])
    return groups


def judges_of_run(
    config: Config, metrics: Sequence[Metric], groups: Sequence[ImageSet], workspace: Workspace
) -> dict[str, Judge]:
    """The networks of the classifier that judges a run's results, where a metric asks for one.

    Raises:
        ConfigError: there is no classifier, or it was fitted on other groups or at another size.
    """
    asking = [metric.name for metric in metrics if metric.needs_judge]
    if not asking:
        return {}
    option, value = "evaluation.classifier", config.evaluation.classifier
    if value is None:
        option, value = "dataset.classifier", config.dataset.get("classifier")
    if value is None:
        reason = "needs evaluation.classifier=RUN_OR_PATH, from python -m benchmark.genre fit"
        raise ConfigError(reason, f"metrics.{asking[0]}")
    known = workspace.classifiers
    classifier = known.read(option, value, config.tracking.uri)
    check_groups(classifier.record.labels, [group.name for group in groups], option, value)
    if (size := classifier.record.size) != config.image_size:
        reason = (
            f"was fitted at image_size={size}, and results of {config.image_size} pixels look "
            f"different to it: take that size, or fit another with image_size={config.image_size}"
        )
        raise ConfigError(reason, option, value)
    return known.judges(classifier, option, value)


def chooser_digest(config: Config, workspace: Workspace) -> str:
    """The digest of the classifier that chose a run's style sets; empty where none did."""
    choice = keys_of("dataset", config.dataset, Selection)
    if choice.classifier is None or not choice.selection.startswith("top"):
        return ""
    option, uri = "dataset.classifier", config.tracking.uri
    return workspace.classifiers.read(option, choice.classifier, uri).digest
