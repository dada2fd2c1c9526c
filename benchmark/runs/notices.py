"""Warnings about backbones and evaluators whose weights are missing."""

from collections.abc import Mapping

from rich.console import Console

from benchmark.runs.prepare import Prepared


def missing_weights(prepared: Prepared) -> dict[str, str]:
    """The backbone of a run and why it has random instead of ImageNet weights, if so."""
    backbone = prepared.backbone
    return {backbone.name: backbone.weights_note} if backbone.weights_note else {}


def announce_weights(output: Console, reasons: Mapping[str, str]) -> None:
    """Print one conspicuous line if backbones have random instead of ImageNet weights."""
    if reasons:
        output.print(
            f"WARNING: {', '.join(reasons)} with RANDOM weights: the results are not those of "
            f"trained networks; {next(iter(reasons.values()))}"
            f"{' (the same for the others)' if len(reasons) > 1 else ''}.",
            style="bold red",
            soft_wrap=True,
        )


def announce_evaluators(output: Console, reasons: Mapping[str, str]) -> None:
    """Print one line if evaluators lack their weights."""
    if reasons:
        output.print(
            f"No weights for the evaluators {', '.join(reasons)}: metrics that need them (style, "
            "recognition, …) are skipped; `python -m benchmark.evaluate` can add them later. "
            f"{next(iter(reasons.values()))}",
            style="yellow",
            soft_wrap=True,
        )
