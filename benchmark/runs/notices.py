"""Warnings about weights and evaluators that a run or sweep has to do without."""

from collections.abc import Mapping

from rich.console import Console

from benchmark.runs.prepare import Prepared


def missing_weights(prepared: Prepared) -> dict[str, str]:
    """The backbone of a run with the reason, where random weights stand in for ImageNet's."""
    backbone = prepared.backbone
    return {backbone.name: backbone.weights_note} if backbone.weights_note else {}


def announce_weights(output: Console, reasons: Mapping[str, str]) -> None:
    """One loud line where random weights stand in for ImageNet's, by backbone."""
    if reasons:
        output.print(
            f"WARNING: {', '.join(reasons)} with RANDOM weights: these pictures are not what "
            f"trained networks make; {next(iter(reasons.values()))}"
            f"{' (and likewise for the others)' if len(reasons) > 1 else ''}.",
            style="bold red",
            soft_wrap=True,
        )


def announce_evaluators(output: Console, reasons: Mapping[str, str]) -> None:
    """One line where evaluators lack their weights, and what follows."""
    if reasons:
        output.print(
            f"Not measured, for want of weights of {', '.join(reasons)}: what is seen through a "
            "network (style, recognition, …); `python -m benchmark.evaluate` can add it later "
            f"where they can be had. {next(iter(reasons.values()))}",
            style="yellow",
            soft_wrap=True,
        )
