"""How peaky a backbone's activations are, layer by layer.

    python -m benchmark.peakiness backbone=vgg,resnet
    python -m benchmark.peakiness backbone=resnet backbone.smoothing=softmax content.count=8

Any option of `python -m benchmark` may be given. Of each layer's activations on the content
pictures it measures the entropy, 1 where all are equally large, and the largest over the root mean
square: in residual networks few huge values are said to rule Gram matrices (SWAG, arXiv
2104.05623). Prints a table, and writes a figure and all numbers to mlruns/peakiness/.
"""

import sys
from collections.abc import Sequence

import pandas as pd

from benchmark.analysis.peakiness import FOLDER, by_depth, drawn, shown
from benchmark.config.compose import composed, one_by_one, refuse
from benchmark.config.paths import ROOT, check_folder
from benchmark.images.pixels import to_float
from benchmark.runs.networks import load_backbone
from benchmark.runs.prepare import load_content
from benchmark.runs.progress import Output
from benchmark.runs.workspace import Workspace
from user_input import InputError


def main(arguments: Sequence[str]) -> int:
    """Measure the backbones that the overrides name; returns the exit code."""
    if {"-h", "--help"} & set(arguments):
        print(__doc__)
        return 0
    output, workspace = Output(), Workspace()
    try:
        check_folder("mlruns", str(ROOT / FOLDER))
        configs = [composed(overrides) for overrides in one_by_one(arguments)]
        found = {}
        for config in configs:
            backbone = load_backbone(config, workspace.backbones)
            pictures = to_float(load_content(config, workspace).pixels)
            table = by_depth(backbone, pictures)
            output.print(shown(table, f"{backbone.name} · weights: {backbone.weights}"))
            if backbone.weights_note:
                output.print(backbone.weights_note, style="yellow", soft_wrap=True)
            found[f"{backbone.name} ({backbone.weights})"] = table
    except InputError as error:
        return refuse(error)
    folder = ROOT / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    drawn(found).savefig(folder / "peakiness.png", dpi=150)
    pd.concat(found, names=["backbone"]).droplevel(1).to_csv(folder / "peakiness.csv")
    output.print(f"figure and numbers: {folder}", soft_wrap=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
