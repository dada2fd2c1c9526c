"""Results at the content pictures' own dimensions, against plain interpolation."""

from collections.abc import Sequence

import numpy as np
import pytest
from PIL import Image

from backbones import Backbone, load
from benchmark.images.upscale import to_original_size
from benchmark.transfer import losses
from benchmark.transfer.loop import optimize
from benchmark.transfer.stopping import Stopping
from datasets import sample
from tests.conftest import SHARED
from tests.workspace import prepared_run

SIZE = 96


def lanczos(picture: np.ndarray, height: int, width: int) -> np.ndarray:
    """Plain interpolation, Pillow's own on uint8."""
    return np.asarray(Image.fromarray(picture).resize((width, height), Image.Resampling.LANCZOS))


def distance(picture: np.ndarray, other: np.ndarray) -> float:
    """Root of the mean squared difference, in grey levels."""
    return float(np.sqrt(np.mean((picture.astype(float) - other) ** 2)))


def squashed(original: np.ndarray) -> np.ndarray:
    return lanczos(original, SIZE, SIZE)


def painted(original: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Stands in for a result: other colours, other contrast, strokes of its own; some clipped."""
    colours = 240.0 - squashed(original)[..., ::-1] * [1.5, 0.5, 0.7]
    return np.asarray((colours + random.normal(0, 8, colours.shape)).clip(0, 255).astype("uint8"))


@pytest.fixture(scope="module")
def photograph() -> np.ndarray:
    return np.asarray(sample.photograph("coffee"))


@pytest.mark.parametrize(
    "shape", [(96, 96), (97, 301), (1000, 37), (37, 1000), (40, 60), (1, 1), (1, 500), (2000, 150)]
)
def test_any_shape_comes_back(shape: tuple[int, int], random: np.random.Generator) -> None:
    original = random.integers(0, 256, (*shape, 3), dtype=np.uint8)
    result = random.integers(0, 256, (SIZE, SIZE, 3), dtype=np.uint8)
    found = to_original_size(result, original)
    assert found.shape == original.shape
    assert found.dtype == np.uint8


def test_the_result_at_its_own_size_is_itself(random: np.random.Generator) -> None:
    result, original = random.integers(0, 256, (2, SIZE, SIZE, 3), dtype=np.uint8)
    np.testing.assert_array_equal(to_original_size(result, original), result)


@pytest.mark.parametrize("shape", [(400, 600), (131, 97), (600, 101)])
def test_squashing_gives_the_result_back(
    photograph: np.ndarray, random: np.random.Generator, shape: tuple[int, int]
) -> None:
    original = lanczos(photograph, *shape)
    result = painted(original, random)
    found = distance(squashed(to_original_size(result, original)), result)
    assert found < 2.0
    assert found < 0.6 * distance(squashed(lanczos(result, *shape)), result)


def test_an_unchanged_result_gives_the_original_back(photograph: np.ndarray) -> None:
    result = squashed(photograph)
    found = distance(to_original_size(result, photograph), photograph)
    assert found < 0.4 * distance(lanczos(result, *photograph.shape[:2]), photograph)


def test_detail_fades_as_the_transfer_faded_it(photograph: np.ndarray) -> None:
    """A result of half the photograph's contrast means the photograph at half its contrast."""
    faded = (64 + photograph / 2).round().astype("uint8")
    found = distance(to_original_size(squashed(faded), photograph), faded)
    assert found < 0.4 * distance(lanczos(squashed(faded), *photograph.shape[:2]), faded)


def test_no_colour_comes_from_the_photograph(photograph: np.ndarray) -> None:
    grey = np.repeat(squashed(photograph).mean(2, keepdims=True).astype("uint8"), 3, axis=2)
    found = to_original_size(grey, photograph)
    assert np.ptp(found, axis=2).max() == 0


@pytest.mark.parametrize("level", [0, 128, 255])
def test_where_nothing_is_painted_nothing_of_the_photograph_shows(
    photograph: np.ndarray, level: int
) -> None:
    flat = np.full((SIZE, SIZE, 3), level, "uint8")
    np.testing.assert_array_equal(to_original_size(flat, photograph), level)
    over_flat = to_original_size(squashed(photograph), np.full_like(photograph, level))
    assert np.abs(over_flat.astype(float).mean((0, 1)) - photograph.mean((0, 1))).max() < 1.0


def test_no_ghost_of_what_the_transfer_painted_over(
    photograph: np.ndarray, random: np.random.Generator
) -> None:
    """Noise has the contrast for detail, but none of the photograph's structures.

    What the photograph adds is the difference to the same noise over a flat photograph.
    """
    noise = random.integers(64, 192, (SIZE, SIZE, 3), dtype=np.uint8)
    over_flat = to_original_size(noise, np.full_like(photograph, 128)).astype(float)
    added = to_original_size(noise, photograph) - over_flat
    assert added.std() < 0.1 * noise.std()


def style_distances(
    backbone: Backbone, pictures: Sequence[np.ndarray], grams: Sequence[np.ndarray]
) -> np.ndarray:
    """Σ_l ‖G_l − Ā_l‖² / (‖G_l‖² + ‖Ā_l‖²) of each picture, to the mean Gram matrices Ā_l."""
    total = np.zeros(len(pictures))
    for found, mean in zip(gram_matrices(backbone, pictures), grams, strict=True):
        squares = ((found - mean) ** 2).sum((1, 2))
        total += squares / ((found**2).sum((1, 2)) + (mean**2).sum())
    return total


def gram_matrices(backbone: Backbone, pictures: Sequence[np.ndarray]) -> list[np.ndarray]:
    *layers, _ = backbone.network(np.stack(pictures) / np.float32(255))
    return [np.asarray(losses.gram_matrix(layer)) for layer in layers]


def centre(picture: np.ndarray, size: int) -> np.ndarray:
    upper, left = ((length - size) // 2 for length in picture.shape[:2])
    return picture[upper : upper + size, left : left + size]


@pytest.mark.faults
@pytest.mark.real_data
def test_real_results_are_closer_to_the_paintings_than_interpolated() -> None:
    """At the photographs' and the paintings' own sizes, centre against centre."""
    weights, crop = str(SHARED / "weights"), 256
    real = prepared_run(
        "backbone=vgg_shallow",
        f"backbone.weights={weights}",
        "dataset=folder",
        f"dataset.root={SHARED / 'data' / 'best-artworks' / 'images' / 'images'}",
        "dataset.paintings=25",
        "content=folder",
        f"content.root={SHARED / 'data' / 'content'}",
        "content.names=[chicago,tubingen]",
        f"image_size={SIZE}",
        "metrics=[]",
    )
    outcome = optimize(real.transfer, real.batches(), Stopping(6, patience=None))
    results = (outcome.images * 255).round().astype("uint8")
    backbone = load(
        name="vgg_shallow",
        model="keras.applications.VGG19",
        preprocessing="keras.applications.vgg19.preprocess_input",
        style_layers=real.backbone.style_layers,
        content_layer="block3_conv1",
        weights=weights,
        image_size=crop,
    )
    examples = iter(results)
    for paintings in real.paintings:
        large = [np.asarray(image.read()) for image in paintings.image_set.images]
        large = [centre(p, crop) for p in large if min(p.shape[:2]) >= crop][:5]
        grams = [layer.mean(0) for layer in gram_matrices(backbone, large)]
        for image in real.content.image_set.images:
            original = np.asarray(image.read())
            result = next(examples)
            enlarged = to_original_size(result, original), lanczos(result, *original.shape[:2])
            found, plain = style_distances(backbone, [centre(p, crop) for p in enlarged], grams)
            assert found < 0.9 * plain
