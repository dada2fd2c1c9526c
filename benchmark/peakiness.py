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
from pathlib import Path

from benchmark.config.paths import ROOT, check_folder
from benchmark.user_input.arguments import told
from benchmark.user_input.refusal import explained_imports, refusing

FOLDER = Path("mlruns", "peakiness")


@refusing()
def main(arguments: Sequence[str]) -> int:
    """Measure the backbones that the overrides name; returns the exit code."""
    if told(arguments, __doc__ or ""):
        return 0
    check_folder("mlruns", str(ROOT / FOLDER))
    with explained_imports():
        from benchmark.config.compose import composed, one_by_one
    configs = [composed(overrides) for overrides in one_by_one(arguments)]
    with explained_imports():
        import pandas as pd

        from benchmark.analysis.charts import to_png, to_svg
        from benchmark.analysis.pages import write_files
        from benchmark.analysis.peakiness import by_depth, peakiness_chart, printed_table
        from benchmark.images.pixels import to_float
        from benchmark.runs.contents import load_content
        from benchmark.runs.progress import Output
        from benchmark.runs.workspace import Workspace, load_backbone

    output, workspace = Output(), Workspace()
    tables = {}
    for config in configs:
        backbone = load_backbone(config, workspace.backbones)
        pictures = to_float(load_content(config, workspace).pixels)
        table = by_depth(backbone, pictures)
        output.print(printed_table(table, f"{backbone.name} · weights: {backbone.weights}"))
        if backbone.weights_note:
            output.print(backbone.weights_note, style="yellow", soft_wrap=True)
        tables[f"{backbone.name} ({backbone.weights})"] = table
    numbers = pd.concat(tables, names=["backbone"]).droplevel(1).to_csv()
    figure = to_png(to_svg(peakiness_chart(tables).to_dict()))
    write_files(ROOT / FOLDER, {"peakiness.png": figure, "peakiness.csv": numbers})
    output.print(f"figure and numbers: {ROOT / FOLDER}", soft_wrap=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
