"""What only real paintings, photographs and ImageNet weights show; skipped without ../shared."""

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandas as pd
import pytest
from keras import ops
from PIL import Image

from backbones import Backbone, BackboneError
from benchmark.runs.prepare import Prepared
from benchmark.transfer import losses
from benchmark.transfer.aggregation import SIMPLE, power_mean
from benchmark.transfer.features import extract_features, extract_targets
from benchmark.transfer.loop import optimize
from benchmark.transfer.losses import STUDY_LOSS, LossWeights
from benchmark.transfer.stopping import Stopping
from benchmark.transfer.style_transfer import StyleTransfer
from datasets import best_artworks, names
from tests.commands import inside, runs_in, store
from tests.conftest import SHARED
from tests.test_losses import gradient, gram, study_mean, study_style_loss
from tests.workspace import prepared_run

pytestmark = pytest.mark.real_data

ARTWORKS = SHARED / "data" / "best-artworks" / "images" / "images"
REAL = [
    f"backbone.weights={SHARED / 'weights'}",
    "dataset=folder",
    f"dataset.root={ARTWORKS}",
    "dataset.paintings=5",
    "content=folder",
    f"content.root={SHARED / 'data' / 'content'}",
    "content.names=[chicago,tubingen]",
    "image_size=96",
    "cache=null",
]


def prepared(backbone: str, *overrides: str) -> Prepared:
    return prepared_run(f"backbone={backbone}", *REAL, "metrics=[]", *overrides)


def activations(backbone: Backbone, pictures: np.ndarray) -> list[np.ndarray]:
    """The network's activations of uint8 pictures, layer by layer."""
    return [np.asarray(a) for a in backbone.network(pictures / np.float32(255))]


@pytest.mark.parametrize("name", ["vgg_shallow", "mobilenet"])
def test_golden_numbers_on_real_features(name: str) -> None:
    """Style, content and aggregated losses against NumPy float64 on the same activations."""
    real = prepared(name)
    content = activations(real.backbone, real.content.pixels)
    monet, gogh = (activations(real.backbone, p.pixels) for p in real.paintings)
    *content_grams, _ = extract_features(real.backbone, real.content.pixels / np.float32(255))
    targets = extract_targets(real.backbone, real.paintings[1].pixels / np.float32(255))
    by_layer = [
        np.asarray(losses.style_losses(gram, target))
        for gram, target in zip(content_grams, targets, strict=True)
    ]
    for layer, found in enumerate(by_layer):
        expected = [
            [study_style_loss(content[layer][[j]], gogh[layer][[i]]) for i in range(5)]
            for j in range(2)
        ]
        np.testing.assert_allclose(found, expected, rtol=1e-4)
    by_painting = np.mean(by_layer, axis=0)
    even = np.full(5, 0.2)
    for p in (1.0, 2.0, 0.0):
        aggregated = power_mean(by_painting, even.astype("float32"), p)
        np.testing.assert_allclose(
            aggregated, study_mean(by_painting.astype(float), even, p), rtol=1e-5
        )
    distance = 0.5 * ((content[5].astype(float) - monet[5][:2]) ** 2).sum((1, 2, 3))
    np.testing.assert_allclose(losses.content_loss(content[5], monet[5][:2]), distance, rtol=1e-5)


@pytest.mark.parametrize("name", ["vgg_shallow", "mobilenet"])
def test_golden_gradients_on_real_features(name: str) -> None:
    """By hand, float64: 4·F·mean(G − A_i) / (2HWC)² for the style, F − P for the content."""
    real = prepared(name)
    content = activations(real.backbone, real.content.pixels)
    gogh = activations(real.backbone, real.paintings[1].pixels)
    for features, paintings in zip(content[:5], gogh[:5], strict=True):
        targets = losses.centre(losses.gram_matrix(paintings))

        def style(values: Any, targets: Any = targets) -> Any:
            return ops.mean(losses.style_losses(losses.gram_matrix(values), targets), axis=1)

        found = gradient(style, features)
        _, height, width, channels = features.shape
        difference = gram(features)[:, None] - gram(paintings)[None]
        columns = features.astype(float).reshape(len(features), height * width, channels)
        expected = 4 * np.einsum("npc,ncd->npd", columns, difference.mean(1))
        expected = expected.reshape(features.shape) / (2 * height * width * channels) ** 2
        assert np.abs(found - expected).max() < 1e-4 * np.abs(expected).max()
    found = gradient(lambda values: losses.content_loss(values, gogh[5][:2]), content[5])
    expected = content[5].astype(float) - gogh[5][:2]
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4 * np.abs(expected).max())


def test_known_activations_of_the_real_vgg19() -> None:
    """Of a mid-grey picture, by hand from the file: conv1_1 at its centre, preprocessing included.

    Grey 0.5 is 127.5 − mean colour in each channel, BGR; away from the border every output is
    relu(Σ kernel · that + bias).
    """
    with h5py.File(SHARED / "weights" / "vgg19_imagenet_to_block3_conv4.h5") as file:
        kernel = np.array(file["block1_conv1/block1_conv1/kernel:0"])
        bias = np.array(file["block1_conv1/block1_conv1/bias:0"])
    colour = 127.5 - np.array([103.939, 116.779, 123.68])
    expected = np.maximum(np.einsum("hwio,i->o", kernel.astype(float), colour) + bias, 0)
    backbone = prepared("vgg_shallow").backbone
    found = np.asarray(backbone.network(np.full((1, 96, 96, 3), 0.5, "float32"))[0])[0, 48, 48]
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-3)


def test_simple_is_matching_the_mean_gram() -> None:
    """mean_i ‖G − A_i‖² = ‖G − Ā‖² + const, so both give the same picture (study, section 1)."""
    real = prepared("vgg_shallow", "batch=1")
    batch = real.batches()[0]
    mean_only = [losses.centre(layer.mean) for layer in batch.style[0]]
    pictures = []
    for style in (batch.style, [mean_only]):
        loss = STUDY_LOSS._replace(weights=LossWeights(1e-6, 0.04, 0.0))
        transfer = StyleTransfer(real.backbone, SIMPLE, loss, real.transfer.optimizer)
        batches = [type(batch)(style, batch.content, batch.start)]
        pictures.append(optimize(transfer, batches, Stopping(5, patience=None)).images)
    assert np.abs(pictures[0] - batch.start).mean() > 0.01
    assert np.abs(pictures[0] - pictures[1]).mean() < 1e-3


@pytest.mark.parametrize(
    ("backbone", "optimizer"),
    [
        *(("vgg_shallow", "adam"), ("vgg_shallow", "sgd")),
        *(("mobilenet", "sgd"), ("mobilenet", "rmsprop")),
    ],
)
def test_every_optimizer_lowers_the_loss_with_its_defaults(backbone: str, optimizer: str) -> None:
    real = prepared(backbone, f"optimizer={optimizer}")
    outcome = optimize(real.transfer, real.batches()[:1], Stopping(5, min_improvement=0.0))
    assert outcome.stop_reason.stopped_by == "epochs", outcome.stop_reason
    assert outcome.losses[0].mean() < 0.995 * outcome.first_losses[0].mean()


def test_a_layer_that_the_cut_file_lacks_is_named() -> None:
    with pytest.raises(BackboneError, match=r"no weights for layer 'block4_conv1'"):
        prepared("vgg")


JUDGED = (
    *("style_distance", "held_out_distance", "others_distance"),
    *("recognition", "classifier_accuracy"),
)


def test_a_real_sweep_shows_the_artists_hand(tmp_path: Path) -> None:
    """The two artists' pictures of one photograph differ as their paintings' mean colours do."""
    done = inside(
        "benchmark",
        "-m",
        "backbone=vgg_shallow,mobilenet",
        "agg=logged",
        "epochs=15",
        "early_stopping.patience=null",
        "evaluation.evaluators=[vgg_shallow,mobilenet]",
        f"evaluation.weights={SHARED / 'weights'}",
        f"metrics=[{','.join(JUDGED)}]",
        *REAL,
        store(tmp_path),
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "RANDOM" not in done.stdout
    real = prepared("mobilenet")
    monet, gogh = (paintings.pixels.mean((0, 1, 2)) for paintings in real.paintings)
    client, [_, *runs] = runs_in(tmp_path)
    for run in runs:
        assert run.data.tags["weights"].endswith(".h5")
        assert run.data.metrics["loss_ratio"] < 0.7
        for content in real.content.names:
            colours = []
            for artist in ("Claude_Monet", "Vincent_van_Gogh"):
                file = f"results/{artist}/{content}.png"
                path = client.download_artifacts(run.info.run_id, file, str(tmp_path))
                colours.append(np.asarray(Image.open(path)).mean((0, 1)))
            assert np.dot(colours[0] - colours[1], monet - gogh) > 0
        path = client.download_artifacts(run.info.run_id, "scores.csv", str(tmp_path))
        judged_by_the_others_network(path, optimised=run.data.tags["backbone"])


def judged_by_the_others_network(file: str, optimised: str) -> None:
    """What a network that did not optimise the pictures says: nearer to paintings never seen."""
    table = pd.read_csv(file, keep_default_na=False).astype({"value": float})
    judge = {"vgg_shallow": "mobilenet", "mobilenet": "vgg_shallow"}[optimised]
    whole = table[(table["layer"] == "") & (table["evaluator"] == judge)]
    means = whole.groupby(["metric", "subject"])["value"].mean().to_dict()
    assert means["classifier_accuracy", "result"] > 0.8
    assert means["recognition", "result"] >= 0.5
    for name in ("style_distance", "held_out_distance"):
        assert means[name, "result"] < 0.8 * means[name, "content"]
    assert means["style_distance", "painting"] < means["others_distance", "painting"]


def test_the_names_are_those_of_the_archives_table() -> None:
    artists = best_artworks.catalogue(str(ARTWORKS)).artists
    assert {artist.name for artist in artists} == {*best_artworks.ARTISTS}
    for artist in artists:
        for name in (artist.name, *artist.aliases):
            assert names.chosen_names("dataset.artists", best_artworks.ARTISTS, [name]) == [
                artist.name
            ]
