"""With what a run's results are scored: metrics, evaluators, paintings to compare with."""

import inspect
from collections.abc import Sequence

from backbones import Backbone
from benchmark.config.schema import Config
from benchmark.config.signatures import arguments_of, function_of
from benchmark.metrics.scoring import EvaluationSetup, Metric, held_out, others
from benchmark.runs.style_sets import Selection
from benchmark.runs.workspace import Workspace, disk_cache
from datasets import ImageSet, LoadedImages


def evaluation_setup(
    config: Config,
    metrics: Sequence[Metric],
    groups: Sequence[ImageSet],
    paintings: Sequence[LoadedImages],
    workspace: Workspace,
) -> EvaluationSetup:
    """With what a run's results are scored; InputError if an evaluator cannot be had."""
    wanted = config.evaluation
    found = {
        name: workspace.evaluator(name, wanted.weights, config.image_size)
        for name in (wanted.evaluators if any(one.needs_evaluator for one in metrics) else [])
    }
    other_artists = all_artists(config) if wanted.others and found else []
    sets = [images.image_set for images in paintings]
    return EvaluationSetup(
        metrics=metrics,
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
