"""What a classifier's fit looks like: its curves and its confusion matrices."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure


def fit_curves(histories: Mapping[str, np.ndarray], title: str) -> Figure:
    """Loss and accuracy of each network on training and test pictures over the epochs.

    A history is (epochs + 1, 4): loss and accuracy of training, then of the test.
    """
    figure = Figure(figsize=(9, 3.4))
    figure.subplots_adjust(left=0.08, right=0.98, bottom=0.15, top=0.83, wspace=0.22)
    figure.suptitle(title, fontsize=10)
    for column, (axes, name) in enumerate(
        zip(figure.subplots(1, 2), ("loss", "accuracy"), strict=True)
    ):
        for number, (network, history) in enumerate(histories.items()):
            for part, style in enumerate(("--", "-")):
                axes.plot(
                    history[:, 2 * part + column],
                    style,
                    color=f"C{number}",
                    label=f"{network}, {('training', 'test')[part]}",
                )
        axes.set(xlabel="epoch", title=name)
        axes.set_ylim(0, 1 if name == "accuracy" else None)
    axes.legend(fontsize=8, loc="lower right")
    return figure


def confusion_figure(
    matrices: Mapping[str, np.ndarray], labels: Sequence[str], title: str
) -> Figure:
    """How many test pictures of each group, down, each network takes for which, across."""
    side = max(3.2, 0.42 * len(labels) + 1.6)
    figure = Figure(figsize=(side * len(matrices), side), layout="constrained")
    figure.suptitle(title, fontsize=10)
    panels = figure.subplots(1, len(matrices), squeeze=False)[0]
    for axes, (network, matrix) in zip(panels, matrices.items(), strict=True):
        axes.imshow(matrix, cmap="Blues", vmin=0)
        ticks = range(len(labels))
        axes.set_xticks(ticks, labels, rotation=90, fontsize=8)
        axes.set_yticks(ticks, labels, fontsize=8)
        axes.set(xlabel="taken for", ylabel="is", title=network)
        for row, column in np.argwhere(matrix):
            ink = "white" if matrix[row, column] > matrix.max() / 2 else "black"
            text = str(matrix[row, column])
            axes.text(column, row, text, ha="center", va="center", color=ink, fontsize=8)
    return figure
