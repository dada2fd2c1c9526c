"""Backbones: where weights come from, the cut, and what can be wrong with them."""

import errno
import io
import os
import pickle
import threading
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from importlib.metadata import PackageNotFoundError
from pathlib import Path
from typing import Any, Literal

import h5py
import keras
import numpy as np
import pytest
from keras import ops

import backbones
from backbones import (
    BackboneError,
    alexnet,
    eight_bit,
    package_file,
    pooling,
    smoothing,
    torch_file,
    weights,
)
from benchmark.transfer import backend
from tests.archive import write_torch
from tests.conftest import SHARED

MOBILENET: dict[str, Any] = {
    "name": "mobilenet",
    "model": "keras.applications.mobilenet.MobileNet",
    "preprocessing": "keras.applications.mobilenet.preprocess_input",
    "style_layers": ("conv1", "conv_pw_1"),
    "content_layer": "conv_pw_2",
    "image_size": 32,
}
ALEXNET: dict[str, Any] = {
    "model": alexnet.MODEL,
    "style_layers": ("conv1",),
    "content_layer": "conv2",
    "image_size": 64,
}
VGG: dict[str, Any] = {
    "name": "vgg",
    "model": "keras.applications.vgg19.VGG19",
    "preprocessing": "keras.applications.vgg19.preprocess_input",
    "style_layers": ("block1_conv1", "block1_conv2"),
    "content_layer": "block2_conv1",
    "image_size": 32,
}


def write_notop(path: Path, model: keras.Model, until: str | None = None) -> None:
    """Write a model's weights in the layout of Keras's published `*_notop.h5` files."""
    with h5py.File(path, "w") as file:
        names = [layer.name for layer in model.layers]
        names = names[: names.index(until) + 1] if until else names
        file.attrs["layer_names"] = [name.encode() for name in names]
        for name in names:
            group = file.create_group(name)
            arrays = model.get_layer(name).get_weights()
            keys = [f"{name}/weight_{i}:0".encode() for i in range(len(arrays))]
            group.attrs["weight_names"] = keys
            for key, array in zip(keys, arrays, strict=True):
                group.create_dataset(key.decode(), data=array)


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> tuple[keras.Model, Path]:
    """A whole MobileNet with weights of its own, and its file, as if it were published."""
    model = keras.applications.MobileNet(include_top=False, weights=None, input_shape=(32, 32, 3))
    path = tmp_path_factory.mktemp("published") / "mobilenet_1_0_224_tf_no_top.h5"
    write_notop(path, model)
    return model, path


@pytest.fixture
def server(
    published: tuple[keras.Model, Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[str]:
    """A stand-in on loopback for the host of Keras's weights, and an empty cache."""
    handler = partial(SimpleHTTPRequestHandler, directory=str(published[1].parent))
    monkeypatch.setattr(SimpleHTTPRequestHandler, "log_message", lambda *_: None)
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as http:
        threading.Thread(target=http.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{http.server_port}/"
        monkeypatch.setattr("keras.src.applications.mobilenet.BASE_WEIGHT_PATH", address)
        use_empty_cache(monkeypatch, tmp_path)
        yield address
        http.shutdown()


def use_empty_cache(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    monkeypatch.setenv("KERAS_HOME", str(folder))
    monkeypatch.setattr("keras.src.utils.file_utils.config.keras_home", lambda: str(folder))


def same_activations(left: backbones.Backbone, right: backbones.Backbone) -> bool:
    picture = np.random.default_rng(3).random((1, 32, 32, 3), dtype=np.float32)
    pairs = zip(left.network(picture), right.network(picture), strict=True)
    return all(np.allclose(a, b, rtol=1e-5) for a, b in pairs)


def test_imagenet_weights_are_downloaded_then_cached(
    server: str, published: tuple[keras.Model, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    downloaded = backbones.load(**MOBILENET, weights="auto")
    assert downloaded.weights == "imagenet"
    assert downloaded.weights_note == ""
    assert same_activations(downloaded, backbones.load(**MOBILENET, weights=str(published[1])))
    monkeypatch.setattr("keras.src.applications.mobilenet.BASE_WEIGHT_PATH", "http://127.0.0.1:9/")
    assert backbones.load(**MOBILENET, weights="imagenet").digest == downloaded.digest


def test_without_a_network_imagenet_says_what_to_do(
    server: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    # Port 9 on loopback refuses at once, as a machine without a route does.
    monkeypatch.setattr("keras.src.applications.mobilenet.BASE_WEIGHT_PATH", "http://127.0.0.1:9/")
    with pytest.raises(BackboneError) as raised:
        backbones.load(**MOBILENET, weights="imagenet")
    message = str(raised.value)
    assert "download http://127.0.0.1:9/mobilenet_1_0_224_tf_no_top.h5 into" in message
    assert f"{tmp_path}/models" in message
    assert "backbone.weights=PATH" in message
    assert "\n" not in message
    fallback = backbones.load(**MOBILENET, weights="auto")
    assert fallback.weights == "random"
    assert fallback.weights_note == message


def test_a_cache_that_cannot_be_written_is_not_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Keras then uses /tmp/.keras, as the documentation of its `get_file` says."""
    use_empty_cache(monkeypatch, tmp_path)

    def denied() -> keras.Model:
        raise PermissionError(errno.EACCES, "Permission denied")

    with pytest.raises(BackboneError, match=str(tmp_path / "models")):
        weights.fetch_imagenet(denied)
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(BackboneError, match=r"in /tmp/\.keras/models \(Permission denied\)"):
        weights.fetch_imagenet(denied)


def test_a_missing_or_truncated_download_is_not_used(
    server: str, published: tuple[keras.Model, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("keras.src.applications.mobilenet.BASE_WEIGHT_PATH", f"{server}nowhere/")
    with pytest.raises(BackboneError, match=r"weights are missing \(File not found\)"):
        backbones.load(**MOBILENET, weights="imagenet")

    def truncated(handler: SimpleHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", "1000000")
        handler.end_headers()
        handler.wfile.write(b"x" * 1000)

    monkeypatch.setattr(SimpleHTTPRequestHandler, "do_GET", truncated)
    monkeypatch.setattr("keras.src.applications.mobilenet.BASE_WEIGHT_PATH", server)
    with pytest.raises(BackboneError, match="retrieval incomplete"):
        backbones.load(**MOBILENET, weights="imagenet")


def test_a_file_may_stop_after_the_deepest_layer_used(
    published: tuple[keras.Model, Path], tmp_path: Path
) -> None:
    model, whole = published
    cut = tmp_path / "mobilenet_cut.h5"
    write_notop(cut, model, until="conv_pw_2")
    from_cut = backbones.load(**MOBILENET, weights=str(cut))
    assert from_cut.weights == "mobilenet_cut.h5"
    assert same_activations(from_cut, backbones.load(**MOBILENET, weights=str(whole)))
    deeper = {**MOBILENET, "content_layer": "conv_pw_3"}
    with pytest.raises(
        BackboneError, match=r"no weights for layer 'conv_pw_2_bn'.*up to 'conv_pw_2'"
    ):
        backbones.load(**deeper, weights=str(cut))
    assert same_activations(from_cut, backbones.load(**MOBILENET, weights=str(tmp_path)))


def test_wrong_weight_files(published: tuple[keras.Model, Path], tmp_path: Path) -> None:
    with pytest.raises(BackboneError, match=r"no such file. Did you mean 'imagenet'\?"):
        backbones.load(**MOBILENET, weights="imagnet")
    garbage = tmp_path / "garbage.h5"
    garbage.write_bytes(b"garbage")
    with pytest.raises(BackboneError, match="cannot be read as a weight file"):
        backbones.load(**MOBILENET, weights=str(garbage))
    other = keras.applications.MobileNet(
        include_top=False, weights=None, input_shape=(32, 32, 3), alpha=0.25
    )
    write_notop(tmp_path / "quarter.h5", other)
    with pytest.raises(BackboneError, match=r"another network.*layer 'conv1' has shapes"):
        backbones.load(**MOBILENET, weights=str(tmp_path / "quarter.h5"))
    with pytest.raises(BackboneError, match=r"of files named vgg19_….h5 this folder has none"):
        backbones.load(**VGG, weights=str(published[1].parent))


def test_unknown_layers_and_small_pictures() -> None:
    with pytest.raises(BackboneError, match=r"no layer 'conv_pw_02'. Did you mean 'conv_pw_2'\?"):
        backbones.load(**{**MOBILENET, "content_layer": "conv_pw_02"}, weights="random")
    with pytest.raises(BackboneError, match=r"32 pixels a side: .* at least 75"):
        backbones.list_layers(model="keras.applications.inception_v3.InceptionV3", image_size=32)


def test_nothing_above_the_deepest_layer_is_computed() -> None:
    loaded = backbones.load(**VGG, weights="random")
    assert loaded.network.count_params() == sum(  # kernels and biases of the first three
        (9 * inputs + 1) * outputs for inputs, outputs in ((3, 64), (64, 64), (64, 128))
    )
    assert not loaded.network.trainable_weights


POOLINGS: tuple[tuple[int, Literal["max", "avg"]], ...] = ((0, "max"), (0, "avg"), (1, "max"))


def test_random_weights_follow_the_seed_and_have_one_scale() -> None:
    cache = backbones.BackboneCache()
    options: dict[str, Any] = {**VGG, "weights": "random", "random_scale": 300.0, "cache": cache}
    one, same, other = (
        backbones.load(**options, seed=seed, pooling=pooling) for seed, pooling in POOLINGS
    )
    assert one is backbones.load(**options)
    assert one.digest != other.digest
    assert one.digest != same.digest  # the scale is measured behind the pooling
    assert backbones.load(**VGG, weights="random", random_scale=300.0).digest == one.digest
    # One network, compiled once, takes the weights of whichever backbone is asked.
    assert one.network is other.network
    picture = np.full((1, 32, 32, 3), 0.5, "float32")
    first, second, back = (np.asarray(b.network(picture)[0]) for b in (one, other, one))
    np.testing.assert_array_equal(first, back)
    assert not np.array_equal(first, second)
    backbones.load(**options, seed=2)
    np.testing.assert_array_equal(first, np.asarray(one.network(picture)[0]))
    photograph = np.random.default_rng(0).random((1, 32, 32, 3), dtype=np.float32)
    for activations in one.network(photograph):
        assert 100 < float(np.sqrt(np.mean(np.asarray(activations) ** 2))) < 900


def test_average_pooling_changes_only_the_pooling() -> None:
    full = keras.applications.VGG19(include_top=False, weights=None, input_shape=(32, 32, 3))
    pooled = pooling.average_pooled(full)
    kinds = [type(layer).__name__ for layer in pooled.layers]
    assert "MaxPooling2D" not in kinds
    assert kinds.count("AveragePooling2D") == 5
    assert [layer.name for layer in pooled.layers][1:] == [layer.name for layer in full.layers][1:]
    assert [weight.shape for weight in pooled.weights] == [w.shape for w in full.weights]


@pytest.mark.backends
@pytest.mark.parametrize("shape", [(2, 6, 8, 3), (1, 7, 5, 2)])
def test_pooling_by_tiles_is_max_pooling_to_the_bit(shape: tuple[int, ...]) -> None:
    """Gradient and all, also where values of a window are equal, or in no window."""
    random = np.random.default_rng(0)
    # Of few values, so that most windows have several that are largest.
    pictures = random.integers(0, 3, shape).astype("float32")
    weights = random.random((shape[0], shape[1] // 2, shape[2] // 2, shape[3]), "float32")

    def pooled_by(pool: Callable[[Any], Any]) -> list[np.ndarray]:
        def weighted(images: Any) -> tuple[Any, Any]:
            pooled = pool(images)
            return ops.sum(pooled * weights), pooled

        slope, pooled = backend.gradient(weighted, ops.convert_to_tensor(pictures))
        return [ops.convert_to_numpy(pooled), ops.convert_to_numpy(slope)]

    expected = pooled_by(keras.layers.MaxPooling2D())
    for found, wanted in zip(pooled_by(pooling.tiled_maximum), expected, strict=True):
        np.testing.assert_array_equal(found, wanted)
    for place in range(4):  # A picture that diverged must not look well.
        pictures[0, place // 2, place % 2, 0] = np.nan
        assert np.isnan(pooling.tiled_maximum(ops.convert_to_tensor(pictures))[0, 0, 0, 0])
        pictures[0, place // 2, place % 2, 0] = 0.0


@pytest.mark.backends
def test_only_jax_pools_by_tiles_and_only_where_windows_do_not_overlap(tmp_path: Path) -> None:
    sizes = [(2, 2, "valid"), (3, 2, "valid"), (2, 1, "valid"), (2, 2, "same")]
    layers = [keras.layers.MaxPooling2D(*size) for size in sizes]
    model = keras.Sequential([keras.Input((32, 32, 1)), *layers])
    picture = np.random.default_rng(0).random((1, 32, 32, 1), "float32")
    expected = ops.convert_to_numpy(model(picture))
    pooling.pool_quickly(model)
    tiled = [layer.call is pooling.tiled_maximum for layer in layers]
    assert tiled == [backend.name() == "jax", False, False, False]
    np.testing.assert_array_equal(ops.convert_to_numpy(model(picture)), expected)
    # Saved, it is a model of Keras that others can load.
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(ops.convert_to_numpy(again(picture)), expected)
    assert {type(layer) for layer in again.layers} == {keras.layers.MaxPooling2D}


def test_automatic_names_do_not_depend_on_what_was_built_before() -> None:
    names = ["input_layer_7", "conv2d_95", "batch_normalization_94", "conv2d_96", "mixed0"]
    expected = ["input_layer_7", "conv2d", "batch_normalization", "conv2d_1", "mixed0"]
    assert weights.renumbered(names) == expected
    assert weights.renumbered(["conv2d", "conv2d_1"]) == ["conv2d", "conv2d_1"]
    assert weights.renumbered(["block1_conv1", "conv1"]) == ["block1_conv1", "conv1"]
    assert weights.renumbered(["rescaling_3", "normalization_2"]) == ["rescaling", "normalization"]


def test_efficientnet_is_read_from_its_published_file(tmp_path: Path) -> None:
    """It does its own preprocessing: against (x − mean) / deviation of ImageNet, by hand."""
    model = "keras.applications.efficientnet_v2"
    # Of another model built before it, so that Keras numbers the layers of this one on.
    published = keras.applications.EfficientNetV2B0(
        include_top=False, weights=None, input_shape=(64, 64, 3)
    )
    write_notop(tmp_path / "efficientnetv2-b0_notop.h5", published, until="block2a_expand_conv")
    loaded = backbones.load(
        name="efficientnet",
        model=f"{model}.EfficientNetV2B0",
        preprocessing=f"{model}.preprocess_input",
        style_layers=("stem_conv",),
        content_layer="block2a_expand_conv",
        weights=str(tmp_path),
        image_size=64,
    )
    assert loaded.weights == "efficientnetv2-b0_notop.h5"
    picture = np.random.default_rng(4).random((1, 64, 64, 3), dtype=np.float32)
    means, variances = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225]) ** 2
    standard = (picture - means) / np.sqrt(variances)
    [kernel] = published.get_layer("stem_conv").get_weights()
    # At stride 2 an even side is padded at its end alone.
    windows = np.lib.stride_tricks.sliding_window_view(
        np.pad(standard, ((0, 0), (0, 1), (0, 1), (0, 0))), (3, 3), axis=(1, 2)
    )[:, ::2, ::2]
    expected = np.einsum("nhwcij,ijcd->nhwd", windows, kernel)
    np.testing.assert_allclose(loaded.network(picture)[0], expected, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_softmax_smooths_over_all_channels_and_positions(precision: str) -> None:
    options: dict[str, Any] = {"weights": "random", "precision": precision}
    plain = backbones.load(**MOBILENET, **options)
    smooth = backbones.load(**MOBILENET, **options, smoothing="softmax")
    assert plain.digest == smooth.digest
    pictures = np.random.default_rng(3).random((2, 32, 32, 3), dtype=np.float32)
    before = [np.asarray(ops.cast(a, "float32"), float) for a in plain.network(pictures)]
    for features, found in zip(before, smooth.network(pictures), strict=True):
        powers = np.exp(features - features.max())
        expected = powers / powers.mean(axis=(1, 2, 3), keepdims=True)
        assert str(ops.convert_to_numpy(found).dtype) == "float32"
        np.testing.assert_allclose(np.asarray(found), expected, rtol=1e-4)
        total = np.asarray(found, float).sum(axis=(1, 2, 3))
        np.testing.assert_allclose(total, np.prod(found.shape[1:]), rtol=1e-5)


def test_softmax_of_large_activations_is_finite() -> None:
    features = np.array([[[[3e4, 0.0], [-3e4, 3e4]]]], "float32")
    np.testing.assert_allclose(smoothing.softmax(features), [[[[2.0, 0.0], [0.0, 2.0]]]])


def test_scale_weighs_down_deep_layers_alone() -> None:
    """Of 32 pixels a layer of 16 is shallow, one of 4 deep."""
    layers = {**MOBILENET, "content_layer": "conv_pw_4"}
    plain, scaled = (
        backbones.load(**layers, weights="random", smoothing=how) for how in ("none", "scale")
    )
    pictures = np.random.default_rng(3).random((2, 32, 32, 3), dtype=np.float32)
    *shallow, deep = (np.asarray(a) for a in plain.network(pictures))
    *same, small = (np.asarray(a) for a in scaled.network(pictures))
    np.testing.assert_array_equal(same[0], shallow[0])
    np.testing.assert_array_equal(same[1], shallow[1])
    assert deep.shape[1] == 4
    np.testing.assert_allclose(small, 0.001 * deep, rtol=1e-6)


DIGEST_OF_8_BIT = "ea8c0af5d1c0736e8d2f6fa73b1ce37de1cca71b1a08be041b4629fd6597454b"


class Installed:
    """A package as `importlib.metadata` describes it."""

    def __init__(self, version: str, folder: Path) -> None:
        self.version, self.folder = version, folder

    def locate_file(self, name: str) -> Path:
        return self.folder / name


@pytest.fixture
def no_server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Keras's host of VGG19's weights refuses, and its cache is empty."""
    address = "http://127.0.0.1:9/vgg19_notop.h5"
    monkeypatch.setattr("keras.src.applications.vgg19.WEIGHTS_PATH_NO_TOP", address)
    use_empty_cache(monkeypatch, tmp_path)


@pytest.mark.usefixtures("no_server")
def test_without_a_server_auto_takes_the_8_bit_weights_and_imagenet_does_not() -> None:
    found = backbones.load(**VGG, weights="auto")
    named = backbones.load(**VGG, weights="imagenet_8bit")
    assert found.weights == named.weights == "imagenet, 8-bit"
    assert found.weights_note == ""
    assert found.digest == named.digest
    with pytest.raises(BackboneError, match="ImageNet weights are missing"):
        backbones.load(**VGG, weights="imagenet")
    with pytest.raises(BackboneError) as raised:
        backbones.load(**MOBILENET, weights="imagenet_8bit")
    assert raised.value.option == "backbone.weights"


@pytest.mark.usefixtures("no_server")
@pytest.mark.parametrize("fault", ["missing", "version", "no file", "damaged"])
def test_a_wrong_package_of_8_bit_weights_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, fault: str
) -> None:
    file = tmp_path / eight_bit.FILE.name
    file.parent.mkdir()
    if fault != "no file":
        # One byte of the numbers is another: it would be read without an error.
        data = bytearray(eight_bit.data_file().read_bytes())
        data[-1] ^= 1
        file.write_bytes(data)
    installed = Installed("1.5.0" if fault == "version" else eight_bit.FILE.version, tmp_path)

    def distribution(name: str) -> Installed:
        if fault == "missing":
            raise PackageNotFoundError(name)
        return installed

    monkeypatch.setattr(package_file, "distribution", distribution)
    with pytest.raises(BackboneError) as raised:
        backbones.load(**VGG, weights="imagenet_8bit")
    assert raised.value.option == "backbone.weights"
    assert raised.value.value == "imagenet_8bit"
    assert eight_bit.FILE.install in str(raised.value)
    assert ("--force-reinstall" in str(raised.value)) == (fault in ("no file", "damaged"))
    fallback = backbones.load(**VGG, weights="auto")
    assert fallback.weights == "random"
    assert eight_bit.FILE.install in fallback.weights_note


def test_padding_continues_images_by_reflection() -> None:
    """As NumPy does it; and as far as a layer sees, the picture is as before."""
    picture = np.random.default_rng(3).random((1, 32, 32, 3), dtype=np.float32)
    padded = backbones.load(**MOBILENET, weights="random", padding=8)
    whole = backbones.load(**(MOBILENET | {"image_size": 48}), weights="random")
    sides = [(0, 0), (8, 8), (8, 8), (0, 0)]
    whole.shared.cut.set_weights(padded.arrays)
    expected = whole.shared.model(np.pad(picture, sides, mode="reflect"))
    for one, other in zip(padded.network(picture), expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)
    with pytest.raises(BackboneError) as raised:
        backbones.load(**MOBILENET, weights="random", padding=32)
    assert raised.value.option == "backbone.padding"


def test_the_8_bit_weights_are_all_of_vgg19() -> None:
    """Layers and shapes as Keras builds them; the digest is of a reader that heeds strides too."""
    model = keras.applications.VGG19(include_top=False, weights=None)
    read = eight_bit.read(eight_bit.data_file())
    expected = {layer.name: layer.get_weights() for layer in model.layers if layer.weights}
    assert {name: [a.shape for a in arrays] for name, arrays in read.items()} == {
        name: [a.shape for a in arrays] for name, arrays in expected.items()
    }
    arrays = [array for name in expected for array in read[name]]
    assert {array.dtype for array in arrays} == {np.dtype("float32")}
    assert weights.digest(arrays) == DIGEST_OF_8_BIT


def test_a_pickle_that_names_anything_but_arrays_is_refused_not_run(tmp_path: Path) -> None:
    class Act:
        def __reduce__(self) -> tuple[Any, tuple[str]]:
            return os.mkdir, (str(tmp_path / "acted"),)

    with pytest.raises(pickle.UnpicklingError, match="mkdir"):
        torch_file.ArrayUnpickler(io.BytesIO(pickle.dumps(Act()))).load()
    assert not (tmp_path / "acted").exists()


def test_alexnet_is_downloaded_or_read_or_missing_in_one_line(
    server: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    use_empty_cache(monkeypatch, tmp_path)
    monkeypatch.setattr(alexnet, "ADDRESS", f"{server}nowhere/{alexnet.FILE}")
    loaded = backbones.load(**ALEXNET, weights="auto")
    assert loaded.weights == "random"
    assert f"download {server}nowhere/{alexnet.FILE} into" in loaded.weights_note
    (tmp_path / "models").mkdir(exist_ok=True)
    (tmp_path / "models" / alexnet.FILE).write_bytes(b"another file")
    with pytest.raises(BackboneError, match="SHA-256 is another"):
        backbones.load(**ALEXNET, weights="imagenet")
    kernel = np.zeros((64, 3, 3, 3), "float32")
    write_torch(tmp_path / "alexnet.pth", {"features.0.weight": kernel, "features.0.bias": kernel})
    for file, words in (("alexnet.pth", "other shapes"), ("gone.pth", "No such file")):
        with pytest.raises(BackboneError, match=words) as raised:
            backbones.load(**ALEXNET, weights=str(tmp_path / file))
        assert (raised.value.option, raised.value.value) == ("backbone.weights", tmp_path / file)


@pytest.mark.real_data
def test_the_8_bit_weights_are_nearly_those_of_keras() -> None:
    """Exact float32 kernels of blocks 1 to 3 from another source: under 1 % apart, biases equal."""
    read = eight_bit.read(eight_bit.data_file())
    with h5py.File(SHARED / "weights" / "vgg19_imagenet_to_block3_conv4.h5") as file:
        group = file.get("model_weights", file)
        for name in [name for name in read if name < "block4"]:
            kernel, bias = (group[name][key][()] for key in group[name].attrs["weight_names"])
            assert read[name][0].shape == kernel.shape
            assert np.linalg.norm(read[name][0] - kernel) < 0.01 * np.linalg.norm(kernel)
            np.testing.assert_array_equal(read[name][1], bias)
