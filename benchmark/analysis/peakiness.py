"""How peaky a backbone's activations are, layer by layer."""

from collections.abc import Mapping

import altair as alt
import numpy as np
import pandas as pd
from rich.table import Table
from scipy import stats

from backbones import Backbone
from backbones.quiet_keras import keras
from backbones.smoothing import smoothed
from backbones.weights import named_layers
from benchmark.analysis.charts import HEIGHT, WIDTH, color


def by_depth(backbone: Backbone, pictures: np.ndarray) -> pd.DataFrame:
    """Entropy and peak of a backbone's activations, means over pictures (n, S, S, 3) in [0, 1].

    From input to output, smoothed as the backbone's are: columns layer, kind (its class, and the
    activation function in it), depth (0 at the input, 1 at the deepest layer used), entropy, peak.
    """
    shared, architecture = backbone.shared, backbone.shared.architecture
    layers = named_layers(shared.cut)
    depths = dict(zip(layers, np.linspace(0, 1, len(layers)), strict=True))
    kinds = ("Conv2D", "DepthwiseConv2D", "Add", "Activation", "ReLU")
    measured = {
        name: layer
        for name, layer in layers.items()
        # The other kinds only rearrange, rescale or pool.
        # Squeeze-and-excitation weighs channels: its one position is no picture.
        if type(layer).__name__ in kinds and layer.output.shape[1] > 1
    }
    assert architecture.padded_size is not None
    assert backbone.network is not None  # puts its weights into the layers read here
    outputs = [
        smoothed(architecture.smoothing, layer.output, architecture.padded_size)
        for layer in measured.values()
    ]
    model = keras.Model(shared.cut.input, outputs)
    values = []
    for picture in pictures:
        inputs = shared.preprocessed(keras.ops.convert_to_tensor(picture[None]))
        activations = model.predict_on_batch(inputs)
        values.append([(entropy(one)[0], peak(one)[0]) for one in activations])
    rows = [
        (name, kind_of(layer), depths[name], *numbers)
        for (name, layer), numbers in zip(measured.items(), np.mean(values, 0), strict=True)
    ]
    return pd.DataFrame(rows, columns=["layer", "kind", "depth", "entropy", "peak"])


def entropy(activations: np.ndarray) -> np.ndarray:
    """Normalised entropy −Σ p log p / log(H·W·C) with p = |F| / Σ |F|, over each whole picture.

    Of F with shape (N, H, W, C); shape (N,), from 0 where all but one are 0 to 1 where all are
    equally large.
    """
    sizes = _sizes(activations)
    return np.asarray(stats.entropy(sizes, axis=1) / np.log(sizes.shape[1]))


def peak(activations: np.ndarray) -> np.ndarray:
    """Largest activation over the root mean square, max |F| / RMS F, of each whole picture.

    Of F with shape (N, H, W, C); shape (N,), from 1 where all are equally large to √(H·W·C) where
    all but one are 0.
    """
    sizes = _sizes(activations)
    return np.asarray(sizes.max(axis=1) / np.sqrt(np.mean(sizes**2, axis=1)))


def kind_of(layer: keras.Layer) -> str:
    """Class of a layer, with the activation function of a convolution that has one in it."""
    name = type(layer).__name__
    function = getattr(layer, "activation", keras.activations.linear)
    fused = "Conv" in name and function is not keras.activations.linear
    return f"{name} + {function.__name__}" if fused else name


def printed_table(table: pd.DataFrame, title: str) -> Table:
    """The table of a backbone for a terminal."""
    printed = Table("layer", "kind", "depth", "entropy", "max / RMS", title=title)
    for name, kind, depth, layer_entropy, layer_peak in table.itertuples(index=False, name=None):
        printed.add_row(name, kind, f"{depth:.2f}", f"{layer_entropy:.3f}", f"{layer_peak:.1f}")
    return printed


def peakiness_chart(tables: Mapping[str, pd.DataFrame]) -> alt.HConcatChart:
    """Entropy and peak over the depth, a colour a backbone.

    A line joins what follows an activation function, points are the sums of residual blocks.
    """
    table = pd.concat([one.assign(backbone=name) for name, one in tables.items()])
    active = alt.Chart(table[table["kind"].str.contains(r"Activation|ReLU|\+")])
    sums = alt.Chart(table[table["kind"] == "Add"])
    layers = active.mark_line(), sums.mark_point(filled=True, size=40)
    marks = alt.layer(*layers, width=WIDTH, height=HEIGHT).encode(
        x=alt.X("depth:Q", title="depth, of the deepest layer used"), color=color("backbone", None)
    )
    panels = [
        marks.encode(y=alt.Y("entropy:Q").scale(zero=False)),
        marks.encode(y=alt.Y("peak:Q", title="peak: max / RMS").scale(type="log", nice=False)),
    ]
    title = "lines: after an activation function; points: sums of residual blocks"
    return alt.hconcat(*panels, title=title)


def _sizes(activations: np.ndarray) -> np.ndarray:
    flat = np.asarray(activations, float).reshape(len(activations), -1)
    return np.asarray(np.abs(flat) + 1e-30)  # All 0 counts as equally large.
