"""Pictures in their own shapes, and from coarse to fine."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import backbones
from backbones import Backbone, BackboneError
from backbones.any_size import continued
from benchmark.images.pixels import gathered, same_shape
from benchmark.transfer import backend
from benchmark.transfer.batch import make_batches
from benchmark.transfer.features import extract_features, extract_grams, extract_targets
from benchmark.transfer.loop import Epoch, LoopState, Result, optimize
from benchmark.transfer.losses import STUDY_LOSS, LossWeights
from benchmark.transfer.scales import Scale, enlarged, optimize_scales
from benchmark.transfer.step import ADAM
from benchmark.transfer.stopping import Stopping
from benchmark.transfer.style_transfer import StyleTransfer, bytes_per_example

pytestmark = pytest.mark.backends

LOSS = STUDY_LOSS._replace(weights=LossWeights(1e-4, 100.0, 0.0))
SHAPES = [(48, 70, 3), (33, 40, 3), (48, 70, 3)]


def loaded(**options: Any) -> Backbone:
    return backbones.load(
        name="vgg",
        model="keras.applications.vgg19.VGG19",
        style_layers=("block1_conv2", "block3_conv1"),
        content_layer="block2_conv1",
        weights="random",
        image_size=64,
        **options,
    )


@pytest.fixture(scope="module")
def square() -> Backbone:
    return loaded()


@pytest.fixture(scope="module")
def transfer(square: Backbone) -> StyleTransfer:
    return StyleTransfer(square.of_any_size(), loss=LOSS)


def noise(*shapes: tuple[int, ...]) -> list[np.ndarray]:
    random = np.random.default_rng(3)
    return [random.random(shape, dtype=np.float32) for shape in shapes]


def test_one_of_any_size_computes_the_same_as_one_of_that_size(square: Backbone) -> None:
    images = np.stack(noise((64, 64, 3), (64, 64, 3)))
    both = zip(
        extract_features(square, images),
        extract_features(square.of_any_size(), images),
        strict=True,
    )
    for fixed, free in both:
        # Of values about 1; JAX compiles the one, and does the other operation by operation.
        atol = 1e-6 if backend.is_default() else 1e-5
        np.testing.assert_allclose(free, fixed, rtol=1e-4, atol=atol)


def test_images_are_continued_by_reflection_to_what_poolings_need() -> None:
    [image] = noise((33, 64, 3))
    found = np.asarray(continued(image[None]))
    wanted = np.pad(image, [(0, 31), (0, 0), (0, 0)], mode="reflect")
    np.testing.assert_array_equal(found[0], wanted)


def test_every_pixel_of_an_odd_size_is_seen_by_the_deep_layer(square: Backbone) -> None:
    """All change its Gram matrix, at the right and the bottom too, which poolings leave out."""
    [image] = noise((35, 47, 3))
    [_, before] = extract_grams(square.of_any_size(), [image])
    for place in ((34, 46), (0, 46), (34, 0)):
        changed = image.copy()
        changed[place] = 1 - changed[place]
        assert np.abs(extract_grams(square.of_any_size(), [changed])[1] - before).max() > 0


def test_memory_grows_with_the_pixels_that_the_network_sees(square: Backbone) -> None:
    """33 × 40 pixels are continued to 64 × 64, the size that the fixed network has."""
    free = square.of_any_size()
    assert bytes_per_example(free, (33, 40)) == bytes_per_example(square)
    assert bytes_per_example(free, (64, 128)) == 2 * bytes_per_example(square)


def test_smoothing_depends_on_the_size() -> None:
    with pytest.raises(BackboneError) as refused:
        loaded(smoothing="softmax").of_any_size()
    assert refused.value.option == "backbone.smoothing"


def test_each_shape_has_its_own_batches_and_the_results_keep_their_order(
    transfer: StyleTransfer,
) -> None:
    """Two artists and contents of two shapes: as if each were optimised alone."""
    contents = noise(*SHAPES)
    artists = [
        extract_targets(transfer.backbone, noise((40, 64, 3), (64, 50, 3))),
        extract_targets(transfer.backbone, noise((32, 32, 3), (32, 32, 3))),
    ]
    stopping = Stopping(2, patience=None)
    together = optimize(transfer, make_batches(transfer.backbone, contents, artists, 3), stopping)
    assert [image.shape for image in together.images] == SHAPES * 2
    for place, image in enumerate(together.images):
        alone = [contents[place % 3]], [artists[place // 3]]
        one = optimize(transfer, make_batches(transfer.backbone, *alone, 1), stopping)
        np.testing.assert_allclose(together.losses[:, place], one.losses[:, 0], rtol=1e-4)
        assert np.abs(image - one.images[0]).mean() < 1e-4


def both_scales(transfer: StyleTransfer) -> list[Scale]:
    """48 pixels on the longest side, then 96."""
    paintings = [(32, 48, 3), (48, 40, 3)]

    def scale(factor: int) -> Scale:
        contents = noise(*((height * factor, width * factor, 3) for height, width, _ in SHAPES[:2]))
        targets = extract_targets(transfer.backbone, noise(*paintings))

        def batches(images: Any) -> Any:
            start = None if images is None else enlarged(images, contents)
            return make_batches(transfer.backbone, contents, [targets], 2, start)

        return Scale(batches, Stopping(3, patience=None))

    return [scale(1), scale(2)]


def test_scales_are_one_optimisation_after_the_other(transfer: StyleTransfer) -> None:
    coarse, fine = both_scales(transfer)
    first = optimize(transfer, coarse.batches(None), coarse.stopping)
    second = optimize(transfer, fine.batches(first.images), fine.stopping)
    epochs: list[Epoch] = []
    result = optimize_scales(transfer, [coarse, fine], on_epoch=epochs.append)
    assert {epoch.number: epoch.scale for epoch in epochs} == dict(enumerate([0] * 3 + [1] * 4))
    np.testing.assert_array_equal(result.images[1], second.images[1])
    np.testing.assert_array_equal(result.history[:3], first.history[:3])
    np.testing.assert_array_equal(result.history[3:], second.history)
    np.testing.assert_array_equal(result.first_losses, second.history[0])
    assert result.epochs == 6
    assert result.kept_epochs.tolist() == [6, 6]


@pytest.mark.parametrize("epochs_done", [2, 5])
def test_a_resumed_scale_ends_as_an_uninterrupted_one(
    transfer: StyleTransfer, epochs_done: int
) -> None:
    states: list[LoopState] = []
    whole = optimize_scales(transfer, both_scales(transfer), on_state=states.append)
    [state] = [s for s in states if len(s.history) == epochs_done]
    assert (state.scale, state.before) == ((0, 0) if epochs_done < 4 else (1, 3))
    resumed = optimize_scales(transfer, both_scales(transfer), resume=state)
    np.testing.assert_array_equal(resumed.history, whole.history)
    np.testing.assert_array_equal(resumed.images[0], whole.images[0])


def test_a_scale_that_diverges_is_the_last(transfer: StyleTransfer) -> None:
    coarse, fine = both_scales(transfer)
    diverging = replace(transfer, optimizer=replace(ADAM, learning_rate=50.0))
    stopping = Stopping(3, divergence_factor=1.0001, patience=None)
    result: Result = optimize_scales(diverging, [replace(coarse, stopping=stopping), fine])
    assert result.status == "diverged"
    assert result.images[0].shape == SHAPES[0]


def test_pictures_of_one_shape_are_one_array() -> None:
    assert gathered(noise((4, 5, 3), (4, 5, 3))).shape == (2, 4, 5, 3)
    assert isinstance(gathered(noise((4, 5, 3), (5, 4, 3))), list)
    assert same_shape(noise((4, 5, 3), (5, 4, 3), (4, 5, 3))) == [[0, 2], [1]]
