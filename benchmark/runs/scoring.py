"""The scores of a run, computed from its results."""

from collections.abc import Sequence

import numpy as np

from benchmark.metrics.scoring import EvaluationSetup, scores
from benchmark.runs.scores import RunScores
from benchmark.tracking.records import Evaluator
from datasets import LoadedImages


def score(
    setup: EvaluationSetup,
    paintings: Sequence[LoadedImages],
    content: LoadedImages,
    results: np.ndarray,
    model: str,
    weights: str,
) -> RunScores:
    """Score results, uint8 (N, S, S, 3), artist by artist.

    They were optimised by the architecture `model`, its dotted name, with these `weights`; trained
    and random ones make two networks.
    """
    table, skipped = scores(setup, paintings, content, results)
    evaluators = {
        name: Evaluator(
            weights=evaluator.weights,
            digest=evaluator.digest,
            optimised=evaluator.shared.architecture.model == model
            and (evaluator.weights == "random") == (weights == "random"),
        )
        for name, evaluator in setup.evaluators.items()
    }
    descriptions = {metric.name: metric.description for metric in setup.metrics}
    return RunScores(table, descriptions, evaluators, skipped)
