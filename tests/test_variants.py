"""Every YAML in `conf/` goes through the contract of its group by being found there."""

from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
from keras import ops

from backbones import list_layers
from benchmark.config.compose import composed
from benchmark.config.errors import ConfigError
from benchmark.config.registry import groups
from benchmark.config.schema import Config, flat
from benchmark.runs.contents import load_content
from benchmark.runs.prepare import prepare
from benchmark.runs.variants import aggregation, loss_of, optimizer_choice
from benchmark.runs.workspace import Workspace, load_backbone
from benchmark.transfer import losses
from benchmark.transfer.step import OptimizerChoice
from datasets import DatasetError, sample
from datasets.selection import Method
from tests.workspace import WORKSPACE

CONF = Path(__file__).resolve().parents[1] / "conf"
REQUIRED = {
    **{f"{group}=folder": f"{group}.root=nowhere" for group in ("dataset", "content")},
    **{f"{group}=files": f"{group}.paths=[nowhere]" for group in ("dataset", "content")},
    "dataset=styles": "dataset.styles=[sample]",
}


def choices(group: str) -> list[str]:
    return sorted(path.stem for path in (CONF / group).glob("[!_]*.yaml"))


def config_of(group: str, choice: str, *overrides: str) -> Config:
    needed = [REQUIRED[f"{group}={choice}"]] if f"{group}={choice}" in REQUIRED else []
    return composed([f"{group}={choice}", *needed, *overrides])


@pytest.mark.parametrize("group", ["backbone", "agg", "optimizer", "dataset", "content"])
def test_names_are_the_choices(group: str) -> None:
    for choice in choices(group):
        name = getattr(config_of(group, choice), group)["name"]
        assert name.split()[0] == choice


def test_a_new_backbone_is_a_few_lines_over_the_base(tmp_path: Path) -> None:
    """What its YAML leaves out is an option all the same, and the base is no choice."""
    new = tmp_path / "conf" / "backbone" / "densenet121.yaml"
    new.parent.mkdir(parents=True)
    new.write_text(
        "defaults: [_base]\n"
        "name: densenet121\n"
        "model: keras.applications.DenseNet121\n"
        "preprocessing: keras.applications.densenet.preprocess_input\n"
        "style_layers: [conv1_conv, pool2_conv]\n"
        "content_layer: pool2_conv\n"
    )
    searched = f"hydra.searchpath=[file://{tmp_path}/conf]"
    options = ["backbone=densenet121", "backbone.weights=random", "image_size=32"]
    config = composed([searched, *options])
    assert load_backbone(config, WORKSPACE.backbones).weights == "random"
    assert config.loss.content_weight == 10.0
    with pytest.raises(ConfigError) as raised:
        composed(["backbone=_base"])
    assert (raised.value.option, raised.value.value) == ("backbone", "_base")
    assert "_base" not in raised.value.reason
    assert "_base" not in groups(str(CONF))


@cache
def kinds_of_layers(model: str) -> dict[str, str]:
    """By name; several backbones are parts of one model."""
    return {layer.name: layer.kind for layer in list_layers(model=model, image_size=96)}


@pytest.mark.parametrize("choice", choices("backbone"))
def test_backbone(choice: str) -> None:
    config = config_of("backbone", choice, "backbone.weights=random", "image_size=96")
    loaded = load_backbone(config, WORKSPACE.backbones)
    assert len(loaded.style_layers) == len(set(loaded.style_layers)) == 5
    kinds = kinds_of_layers(config.backbone["model"])
    for layer in (*loaded.style_layers, *loaded.content_layers):
        assert kinds[layer] in ("Conv2D", "DepthwiseConv2D", "Activation")
    pictures = np.random.default_rng(0).random((2, 96, 96, 3), dtype=np.float32)
    activations = [np.asarray(a) for a in loaded.network(pictures)]
    sizes = [a.shape[1] for a in activations]
    assert len(activations) == 6
    assert sizes[:5] == sorted(sizes[:5], reverse=True)
    for a in activations:
        assert a.shape[0] == 2
        assert a.dtype == np.float32
        assert np.isfinite(a).all()
        assert not np.allclose(a[0], a[1])
    assert not loaded.network.trainable_weights
    assert config.loss.style_weight > 0


@pytest.mark.parametrize("choice", choices("agg"))
def test_aggregation(choice: str) -> None:
    """A mean: between the extremes, homogeneous, symmetric, and all of an only painting's loss."""
    chosen = aggregation(config_of("agg", choice).agg, paintings=[5])
    losses = np.random.default_rng(1).uniform(1, 9, (3, 5)).astype("float32")
    even = np.full(5, 0.2, "float32")

    def aggregate(values: np.ndarray, weights: np.ndarray = even) -> np.ndarray:
        numbers = {name: ops.convert_to_tensor(v, "float32") for name, v in chosen.numbers.items()}
        return np.asarray(chosen.function(values, weights, **numbers))

    found = aggregate(losses)
    assert found.shape == (3,)
    assert (losses.min(1) <= found).all()
    assert (found <= losses.max(1)).all()
    np.testing.assert_allclose(aggregate(7 * losses), 7 * found, rtol=1e-5)
    np.testing.assert_allclose(aggregate(losses[:, ::-1]), found, rtol=1e-5)
    np.testing.assert_allclose(aggregate(losses[:, :1], np.ones(1, "float32")), losses[:, 0])
    np.testing.assert_allclose(aggregate(np.full((2, 5), 4.0, "float32")), 4.0, rtol=1e-6)


@pytest.mark.parametrize("choice", choices("loss"))
def test_loss(choice: str) -> None:
    """Distances: one of each example to each painting, none below 0, and 0 to itself."""
    config = config_of("loss", choice)
    assert config.loss.name == choice
    style, content, *_ = loss_of(config.loss, config.backbone)
    features = np.random.default_rng(2).normal(1, 1, (2, 6, 5, 4)).astype("float32")
    paintings = np.concatenate([features[:1], 2 * features + 1])
    found = np.asarray(
        style(losses.gram_matrix(features), losses.centre(losses.gram_matrix(paintings)))
    )
    assert found.shape == (2, 3)
    assert found[0, 0] == 0
    assert (np.delete(found.ravel(), 0) > 0).all()
    same = np.asarray(content(features, paintings[:2]))
    assert same.shape == (2,)
    assert same[0] == 0
    assert same[1] > 0
    assert max(loss_of(config.loss, config.backbone).weights) > 0


@pytest.mark.parametrize("choice", choices("optimizer"))
def test_optimizer(choice: str) -> None:
    """What a compiled step depends on is the same at any rate, and none of the YAML is lost."""
    variant = config_of("optimizer", choice).optimizer
    chosen = optimizer_choice(variant)
    assert chosen.learning_rate == variant["learning_rate"]
    faster = optimizer_choice({**variant, "learning_rate": 0.5})
    assert faster != chosen
    assert faster.compiled_form() == chosen.compiled_form()
    assert hash(faster.compiled_form()) == hash(chosen.compiled_form())
    for key, value in variant.items():
        if key not in ("name", "_target_", "learning_rate"):
            other = not value if isinstance(value, bool) else type(value)(value / 2 or 0.5)
            assert optimizer_choice({**variant, key: other}) != chosen


def test_equal_optimizers_are_tried_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tried: list[object] = []
    monkeypatch.setattr(OptimizerChoice, "try_out", lambda self: tried.append(self))
    variant, workspace = config_of("optimizer", "adam").optimizer, Workspace()
    for changes in ({}, {"learning_rate": 0.5}, {"amsgrad": True}, {}):
        optimizer_choice({**variant, **changes}, workspace.check_optimizer)
    assert len(tried) == 3


SMALL = [
    "backbone=mobilenet",
    "backbone.weights=random",
    "image_size=32",
    "dataset.paintings=2",
    "metrics=[]",
]


@pytest.mark.parametrize("selection", [m for m in get_args(Method) if not m.startswith("top")])
@pytest.mark.parametrize("choice", choices("dataset"))
def test_dataset(
    choice: str,
    selection: str,
    picture_folder: Path,
    archive: Path,
    films: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Every dataset by every rule: sets of that size, each painting once, the same every time.

    But for the rules by a classifier, which tests/test_genre.py has.
    """
    everything = sample.catalogue()
    # Of the built-in painters' 60 paintings twelve: a rule that sees all of them has them painted.
    few = [replace(artist, images=artist.images[:12]) for artist in everything.artists]
    monkeypatch.setattr(sample, "catalogue", lambda: replace(everything, artists=tuple(few)))
    roots = {"folder": picture_folder, "best_artworks": archive, "best_artworks_or_sample": archive}
    roots["movies"] = films
    root = [f"dataset.root={roots[choice]}"] if choice in roots else []
    root += [f"dataset.paths=[{picture_folder / 'Ada'}]"] if choice == "files" else []
    root += [f"dataset.styles=[sample,{picture_folder / 'Ada'}]"] if choice == "styles" else []
    overrides = [*SMALL, "dataset.clusters=2", f"dataset.selection={selection}", *root]
    config = config_of("dataset", choice, *overrides)
    sets = prepare(config, WORKSPACE).paintings
    artists = 1 if choice == "files" else 2
    assert len(sets) == (2 * artists if selection == "cluster" else artists)
    for loaded in sets:
        assert len(loaded.names) == 2 or (selection == "cluster" and len(loaded.names) == 1)
        assert loaded.pixels.shape == (len(loaded.names), 32, 32, 3)
        assert loaded.pixels.dtype == np.uint8
        assert len(set(loaded.digests)) == len(set(loaded.names)) == len(loaded.names)
    again = prepare(config, WORKSPACE).paintings
    assert all(a is b for a, b in zip(again, sets, strict=True))


@pytest.mark.parametrize("choice", choices("content"))
def test_content(choice: str, picture_folder: Path, photographs: Path) -> None:
    """Training and test pictures of any content share none, and do not depend on each other."""
    roots = {"folder": picture_folder / "Ada", "imagenet_mini": photographs}
    root = [f"content.root={roots[choice]}"] if choice in roots else []
    root += [f"content.paths=[{picture_folder / 'Ada'}]"] if choice == "files" else []

    def names(*overrides: str) -> tuple[str, ...]:
        small = ["content.train=3", "content.test=2", "image_size=32", *root, *overrides]
        return load_content(config_of("content", choice, *small), WORKSPACE).names

    train, test = names("split=train"), names("split=test")
    assert (len(train), len(test)) == (3, 2)
    assert not set(train) & set(test)
    assert names("split=test", "content.train=4") == test
    assert set(train) < set(names("split=train", "content.train=4"))
    assert names("split=train", "seed=1") != train or names("split=train", "seed=2") != train
    with pytest.raises(DatasetError, match=r"content.train=30 and content.test=2 others need"):
        names("split=test", "content.train=30")
    assert len(names("content.count=1")) == 1


@pytest.mark.parametrize("choice", choices("experiment"))
def test_experiment_composes(choice: str) -> None:
    groups = ["dataset.root=nowhere"] if choice.startswith("genre") else []
    assert flat(composed([f"experiment={choice}", *groups]))["epochs"] > 0


def test_arguments_follow_the_functions_signature(monkeypatch: pytest.MonkeyPatch) -> None:
    def bent(losses: Any, weights: Any, sharpness: float = 2.0) -> Any:
        return ops.sum(weights * losses**sharpness, -1)

    monkeypatch.setattr("benchmark.transfer.aggregation.bent", bent, raising=False)
    variant = {"name": "bent", "_target_": "benchmark.transfer.aggregation.bent"}
    assert aggregation({**variant, "sharpness": 2}, paintings=[3]).numbers == {"sharpness": 2.0}
    with pytest.raises(ConfigError, match=r"Did you mean 'sharpness'\?") as raised:
        aggregation({**variant, "sharpnes": 2}, paintings=[3])
    assert raised.value.option == "agg.sharpnes"
