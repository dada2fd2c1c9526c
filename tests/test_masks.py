"""Masks: where styles act, one style set a picture or several artists by region.

Expected numbers are NumPy float64, written here from the formulas.
"""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from keras import ops
from PIL import Image

import backbones
from backbones import Backbone
from benchmark.runs.log import check_unchanged
from benchmark.tracking.records import RunRecord
from benchmark.tracking.tracker import Tracker
from benchmark.transfer import backend
from benchmark.transfer.aggregation import Aggregation, power_mean
from benchmark.transfer.batch import Optimization, make_batches
from benchmark.transfer.features import extract_targets, gram_outputs, outputs_of
from benchmark.transfer.lbfgs import LBFGS
from benchmark.transfer.loop import Result, optimize, stylize
from benchmark.transfer.losses import (
    STUDY_LOSS,
    LossWeights,
    gram_matrix,
    masked_gram_matrices,
    stack_artists,
    sum_over_regions,
)
from benchmark.transfer.masks import area_resized, at_layers, without_overlap
from benchmark.transfer.painting_losses import painting_losses
from benchmark.transfer.stopping import Stopping
from benchmark.transfer.style_transfer import StyleTransfer, bytes_per_example
from benchmark.user_input import InputError
from tests.commands import TINY, inside, runs_in, store
from tests.workspace import prepared_run

Array = np.ndarray

SIZE = 64
LAYERS = ("block1_conv2", "block3_conv1")
RADIUS = 14
"""More pixels than those from which a value of `block3_conv1` sees on either side: 13."""

ONE_EPOCH, THREE_EPOCHS = Stopping(1, patience=None), Stopping(3, patience=None)
SQUARED = Aggregation(power_mean, {"p": 2.0})


def loaded(size: int = SIZE, padding: int = 0) -> Backbone:
    return backbones.load(
        model="keras.applications.vgg19.VGG19",
        style_layers=LAYERS,
        content_layer="block2_conv1",
        weights="random",
        image_size=size,
        padding=padding,
    )


def transfer_of(backbone: Backbone, content: float = 1e-4, **options: Any) -> StyleTransfer:
    loss = STUDY_LOSS._replace(weights=LossWeights(content, 100.0, 0.0))
    return StyleTransfer(backbone, SQUARED, loss, **options)


@pytest.fixture(scope="module")
def transfer() -> StyleTransfer:
    return transfer_of(loaded())


@pytest.fixture(scope="module")
def contents() -> Array:
    return np.random.default_rng(5).random((3, SIZE, SIZE, 3), dtype=np.float32)


@pytest.fixture(scope="module")
def paintings() -> Array:
    """Two of each of two artists, of whom the second is darker."""
    pixels = np.random.default_rng(6).random((2, 2, SIZE, SIZE, 3), dtype=np.float32)
    return np.stack([pixels[0], pixels[1] * 0.3])


def halves(pictures: int, size: int = SIZE) -> list[Array]:
    """The left and the right half of each picture."""
    masks = np.zeros((2, size, size), "float32")
    masks[0, :, : size // 2] = masks[1, :, size // 2 :] = 1
    return [masks] * pictures


def masked_gram(features: Array, mask: Array) -> Array:
    """Σ_p m_p F_p F_pᵀ / (2 C Σ_p m_p) of features (H, W, C), position by position."""
    channels = features.shape[-1]
    total = np.zeros((channels, channels))
    for place in np.ndindex(*mask.shape):
        column = features[place].astype(float)
        total += float(mask[place]) * np.outer(column, column)
    return np.asarray(total / (2 * channels * mask.sum(dtype="float64")))


def blocks(values: Array, factor: int) -> Array:
    """The means of squares of so many pixels."""
    height, width = (side // factor for side in values.shape)
    return np.asarray(values.reshape(height, factor, width, factor).mean(axis=(1, 3)))


@pytest.mark.backends
def test_a_masked_gram_matrix_is_that_of_the_masked_positions(random: np.random.Generator) -> None:
    features = random.normal(1, 1, (3, 5, 7, 4)).astype("float32")
    masks = random.random((2, 3, 5, 7)).astype("float32")
    found = np.asarray(ops.convert_to_numpy(masked_gram_matrices(features, masks)))
    expected = [masked_gram(features[n], masks[r, n]) for r in range(2) for n in range(3)]
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    everywhere = masked_gram_matrices(features, np.ones((1, 3, 5, 7), "float32"))
    np.testing.assert_allclose(everywhere, gram_matrix(features), rtol=1e-5)
    assert not np.any(masked_gram_matrices(features, np.zeros((1, 3, 5, 7), "float32")))


@pytest.mark.backends
def test_the_gradient_of_a_masked_gram_matrix(random: np.random.Generator) -> None:
    """Of Σ (A − T)², T symmetric: ∂/∂F_pc = 4 m_p Σ_d (A − T)_cd F_pd / (2 C Σ m)."""
    features = random.normal(1, 1, (1, 3, 4, 5)).astype("float32")
    mask = random.random((1, 1, 3, 4)).astype("float32")
    mask[0, 0, 0] = 0
    target = random.random((5, 5)).astype("float32")
    target = target + target.T

    def loss(features: Any) -> tuple[Any, Any]:
        distance = ops.sum(ops.square(masked_gram_matrices(features, mask) - target))
        return distance, distance

    found, _ = backend.gradient(loss, ops.convert_to_tensor(features))
    difference = masked_gram(features[0], mask[0, 0]) - target
    expected = mask[0, 0][..., None] * (features[0].astype(float) @ difference)
    expected *= 4 / (2 * 5 * mask.sum(dtype="float64"))
    np.testing.assert_allclose(ops.convert_to_numpy(found)[0], expected, rtol=1e-4)
    assert not np.any(ops.convert_to_numpy(found)[0, 0])


def test_regions_count_by_their_areas() -> None:
    areas = np.array([[0.5, 0.25], [0.5, 0.0]], "float32")
    found = sum_over_regions(np.array([2.0, 4.0, 6.0, 8.0], "float32"), areas)
    np.testing.assert_allclose(found, [0.5 * 2 + 0.5 * 6, 0.25 * 4 + 0 * 8])


@pytest.mark.parametrize("size", [(3, 4), (4, 2), (5, 9), (6, 8), (12, 16)])
def test_a_resized_mask_has_the_mean_over_each_area(
    random: np.random.Generator, size: tuple[int, int]
) -> None:
    """Enlarged so often that all borders fall between pixels, the means are those of blocks."""
    mask = random.random((6, 8))
    fine = np.kron(mask, np.ones(size))
    expected = fine.reshape(size[0], 6, size[1], 8).mean(axis=(1, 3))
    np.testing.assert_allclose(area_resized(mask, size), expected, rtol=1e-6)
    assert (area_resized(np.ones((6, 8)), size) == 1).all()


def test_overlapping_masks_share_what_they_both_cover() -> None:
    masks = np.array([[[1.0, 1.0, 0.25]], [[0.0, 1.0, 0.25]]])
    np.testing.assert_array_equal(without_overlap(masks), [[[1, 0.5, 0.25]], [[0, 0.5, 0.25]]])


@pytest.mark.backends
def test_masks_are_continued_beyond_the_pictures_as_the_pictures_are(
    random: np.random.Generator,
) -> None:
    """To multiples of 32 with a network of any size, by `padding` on each side with any."""
    masks = random.random((2, 1, 40, 50)).astype("float32")
    found = at_layers(loaded().of_any_size(), masks)
    whole = np.pad(masks[1, 0], [(0, 24), (0, 14)], mode="reflect")
    np.testing.assert_allclose(found[0][1, 0], whole, rtol=1e-6)
    np.testing.assert_allclose(found[1][1, 0], blocks(whole, 4), rtol=1e-5)
    masks = random.random((1, 2, 48, 48)).astype("float32")
    [_, deep] = at_layers(loaded(48, padding=8), masks)
    np.testing.assert_allclose(
        deep[0, 1], blocks(np.pad(masks[0, 1], 8, mode="reflect"), 4), rtol=1e-5
    )


def optimized(
    transfer: StyleTransfer,
    contents: Any,
    paintings: Array,
    masks: list[Array] | None,
    batch: int = 4,
    stopping: Stopping = THREE_EPOCHS,
) -> Result:
    targets = [extract_targets(transfer.backbone, one) for one in paintings]
    batches = make_batches(transfer.backbone, contents, targets, batch, masks=masks)
    return optimize(transfer, batches, stopping)


@pytest.mark.backends
@pytest.mark.parametrize("optimizer", ["adam", "lbfgs"])
def test_masks_of_ones_change_nothing(
    transfer: StyleTransfer, contents: Array, paintings: Array, optimizer: str
) -> None:
    given = transfer if optimizer == "adam" else transfer_of(transfer.backbone, optimizer=LBFGS())
    with_masks, without = (
        optimized(given, contents[:2], paintings, masks)
        for masks in ([np.ones((1, SIZE, SIZE), "float32")] * 2, None)
    )
    np.testing.assert_allclose(with_masks.losses, without.losses, rtol=1e-3)
    assert np.abs(with_masks.images - without.images).mean() < 1e-3


def region_losses(backbone: Backbone, image: Array, paintings: Array, masks: Array) -> Array:
    """The loss (n,) of each artist's region, (R, n): mean over layers of ‖G − A‖²."""
    layers = outputs_of(backbone, image[None], gram_outputs(0))
    losses = np.zeros((len(masks), paintings.shape[1]))
    for features, factor in zip(layers, (1, 4), strict=False):
        for artist, mask in enumerate(masks):
            own = masked_gram(features[0], blocks(mask, factor))
            for number, painting in enumerate(paintings[artist]):
                place = LAYERS.index(LAYERS[0] if factor == 1 else LAYERS[1])
                seen = outputs_of(backbone, painting[None], gram_outputs(0))[place][0]
                other = masked_gram(seen, np.ones(seen.shape[:2]))
                losses[artist, number] += np.square(own - other).sum() / 2
    return losses


@pytest.mark.backends
def test_several_artists_paint_one_picture_each_in_its_region(
    transfer: StyleTransfer, contents: Array, paintings: Array
) -> None:
    """One example a content; its style loss is Σ_r a_r M_p of region r, as painting by painting."""
    result = optimized(transfer, contents[:1], paintings, halves(1), stopping=ONE_EPOCH)
    assert result.images.shape == (1, SIZE, SIZE, 3)
    losses = region_losses(transfer.backbone, contents[0], paintings, halves(1)[0])
    means = np.sqrt(np.square(losses).mean(axis=1))
    np.testing.assert_allclose(result.first_losses[1], 0.5 * means.sum(), rtol=2e-3)


def test_masks_from_a_notebook(transfer: StyleTransfer, contents: Array, paintings: Array) -> None:
    targets = extract_targets(transfer.backbone, paintings[0])
    left = np.stack([mask[0] for mask in halves(2)])
    result = stylize(transfer, contents[:2], targets, THREE_EPOCHS, masks=left)
    same = optimized(transfer, contents[:2], paintings[:1], [mask[:1] for mask in halves(2)])
    np.testing.assert_array_equal(result.losses, same.losses)
    for wrong, words in ((left[:1], "shape"), (2 * left, "in \\[0, 1\\]"), (0 * left, "above 0")):
        with pytest.raises(ValueError, match=words):
            stylize(transfer, contents[:2], targets, THREE_EPOCHS, masks=wrong)


@pytest.mark.backends
def test_nothing_changes_where_no_style_acts(contents: Array, paintings: Array) -> None:
    """Without content loss, and farther from the border than a value of the network sees."""
    left = [mask[:1] for mask in halves(2)]
    transfer = transfer_of(loaded(), content=0.0)
    result = optimized(transfer, contents[:2], paintings[:1], left)
    moved = np.abs(result.images - contents[:2]).max(axis=(0, 1, 3))
    assert (moved[SIZE // 2 + RADIUS :] == 0).all()
    assert (moved[: SIZE // 2 + RADIUS - 4] > 1e-3).all()


@pytest.mark.backends
@pytest.mark.parametrize("together", [False, True])
def test_batches_and_their_halves_change_no_result(
    transfer: StyleTransfer, contents: Array, paintings: Array, together: bool
) -> None:
    """With masks that differ from picture to picture."""
    shifted = [np.roll(mask, 8 * place, axis=2) for place, mask in enumerate(halves(3))]
    masks = shifted if together else [mask[:1] for mask in shifted]
    whole = optimized(transfer, contents, paintings, masks, batch=6)
    apart = optimized(transfer, contents, paintings, masks, batch=1)
    np.testing.assert_allclose(whole.losses, apart.losses, rtol=1e-4)
    targets = [extract_targets(transfer.backbone, one) for one in paintings]
    [batch] = make_batches(transfer.backbone, contents, targets, 6, masks=masks)
    optimization = Optimization(transfer, [batch])
    optimization.parts = optimization.parts[0].at_most(1)
    assert [part.examples for part in optimization.parts] == [1] * (3 if together else 6)
    np.testing.assert_allclose(optimization.run_block(1, 1).losses[0], apart.history[0], rtol=1e-4)


@pytest.mark.backends
def test_paintings_are_compared_with_the_regions_of_their_artists(
    transfer: StyleTransfer, contents: Array, paintings: Array
) -> None:
    """∂/∂L_ri of Σ_r a_r M_2(L_r) is a_r L_ri / (n M_2(L_r)); an empty region says nothing."""
    masks = [halves(1)[0], np.stack([np.ones((SIZE, SIZE)), np.zeros((SIZE, SIZE))])]
    masks[0][1, :8] = 0
    artists = [extract_targets(transfer.backbone, one) for one in paintings]
    targets = [stack_artists(layer) for layer in zip(*artists, strict=True)]
    losses, shares = painting_losses(transfer, contents[:2], targets, masks)
    expected = region_losses(transfer.backbone, contents[0], paintings, masks[0])
    np.testing.assert_allclose(losses[0], expected.ravel(), rtol=2e-3)
    areas = masks[0].mean(axis=(1, 2))
    means = np.sqrt(np.square(expected).mean(axis=1))
    pulls = (areas / means)[:, None] * expected
    np.testing.assert_allclose(shares[0], (pulls / pulls.sum()).ravel(), rtol=2e-3)
    assert np.isfinite(losses[1, :2]).all()
    assert np.isnan(losses[1, 2:]).all()
    assert (shares[1, 2:] == 0).all()


def test_the_memory_of_regions_is_that_of_their_activations(transfer: StyleTransfer) -> None:
    more = bytes_per_example(transfer.backbone, regions=2) - bytes_per_example(transfer.backbone)
    assert more == 2 * 4 * (SIZE * SIZE * 64 + (SIZE // 4) ** 2 * 256)


@pytest.fixture
def photographs_with_masks(tmp_path: Path, random: np.random.Generator) -> Path:
    """Two photographs of different shapes, masks for all artists, and those of two artists.

    Of these only one acts in the second photograph.
    """
    for name, size in (("one", (60, 40)), ("two", (32, 32))):
        pixels = random.integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
        left = np.zeros(size[::-1], np.uint8)
        left[:, : size[0] // 2] = 255
        places = {"photographs": pixels, "all": left}
        own = left if name == "one" else 0 * left
        places |= {"apart/amber": own, "apart/cathedral_glass": 255 - own, "apart/Other": left}
        for place, values in places.items():
            (tmp_path / place).mkdir(parents=True, exist_ok=True)
            Image.fromarray(values).save(tmp_path / place / f"{name}.png")
    return tmp_path


def options(folder: Path, masks: str) -> list[str]:
    place = f"content.root={folder / 'photographs'}"
    where = f"content.masks={folder / masks}"
    return [*TINY, "backbone=vgg_shallow", "content=folder", place, where, "metrics=[grain]"]


def test_masks_come_at_the_sizes_of_their_pictures(photographs_with_masks: Path) -> None:
    shapes = ["shape=native", "scales=[0.75,1]", "batch=auto"]
    run = prepared_run(*options(photographs_with_masks, "all"), *shapes)
    assert len(run.examples) == 4
    for size, height in ((36, 32), (48, 32)):
        batches = run.batches(size)
        for batch in batches:
            assert batch.masks is not None
            assert batch.masks.shape == (1, *batch.start.shape[:3])
            np.testing.assert_allclose(batch.masks.mean(axis=(0, 1, 2)).sum(), size / 2, atol=1e-4)
        assert batches[0].start.shape[1:3] == (height, size)


def test_artists_with_masks_of_their_own_paint_one_picture(photographs_with_masks: Path) -> None:
    run = prepared_run(*options(photographs_with_masks, "apart"))
    assert [one.name for one in run.together] == ["amber_nocturne", "cathedral_glass"]
    name = "amber_nocturne + cathedral_glass"
    assert run.examples == [(name, "one"), (name, "two")]
    [targets] = run.style_targets()
    assert len(targets) == 2
    assert run.masks is not None
    for masks in run.masks.pictures:
        np.testing.assert_allclose(masks.sum(axis=0), 1, atol=1e-6)


def test_one_mask_may_serve_for_all_pictures(tmp_path: Path) -> None:
    half = np.zeros((300, 300), np.uint8)
    half[:150] = 255
    Image.fromarray(half).save(tmp_path / "half.png")
    given = [*TINY, "backbone=vgg_shallow", "metrics=[]", "content.names=[astronaut]"]
    run = prepared_run(*given, f"content.masks={tmp_path / 'half.png'}")
    assert run.masks is not None
    assert [one.mean() for one in run.masks.pictures] == [0.5]


@pytest.mark.parametrize("colours", ["none", "linear"])
def test_a_style_is_taken_from_the_masked_part_of_paintings(tmp_path: Path, colours: str) -> None:
    """Its mean Gram matrix at the first style layer is that of the masked positions, in float64."""
    given = [*TINY, "backbone=vgg_shallow", "metrics=[]", "content.names=[astronaut]"]
    given += ["dataset.artists=[amber,glass]", "dataset.paintings=2", f"preserve_color={colours}"]
    whole = prepared_run(*given)
    for paintings in whole.paintings:
        for place, image in enumerate(paintings.image_set.images):
            mask = Image.new("L", image.read().size, 255)
            if place:  # Black from the middle on.
                mask.paste(0, (mask.width // 2, 0, mask.width, mask.height))
            (tmp_path / paintings.name).mkdir(exist_ok=True)
            mask.save(tmp_path / paintings.name / f"{image.name}.png")
    run = prepared_run(*given, f"dataset.masks={tmp_path}")
    assert run.masks_digest != whole.masks_digest == ""
    assert run.style_digest == whole.style_digest
    [targets], [unmasked] = run.style_targets(), whole.style_targets()
    for one, of_artist, plain in zip(run.paintings, targets, unmasked, strict=True):
        seen = one.pixels
        if run.colours:
            seen = np.stack([run.colours.painting(p, run.contents()[0]) for p in one.pixels])
        first, second = outputs_of(run.backbone, seen, gram_outputs(0))[0]
        everywhere, left = np.ones((2, *first.shape[:2]))
        left[:, left.shape[1] // 2 :] = 0
        expected = (masked_gram(first, everywhere) + masked_gram(second, left)) / 2
        np.testing.assert_allclose(of_artist[0].mean[0], expected, rtol=1e-3, atol=1e-4)
        assert not np.allclose(plain[0].mean[0], expected, rtol=1e-2)


def test_a_run_is_not_resumed_with_other_masks(photographs_with_masks: Path) -> None:
    run = prepared_run(*options(photographs_with_masks, "all"))
    earlier = RunRecord.model_construct(masks_digest=run.masks_digest)
    check_unchanged(earlier, run)
    with pytest.raises(InputError, match="the masks changed"):
        check_unchanged(earlier.model_copy(update={"masks_digest": "other"}), run)


@pytest.mark.parametrize(
    ("masks", "examples", "files"),
    [
        ("all", 4, {"masks/one.png", "masks/two.png", "results/amber_nocturne/one.png"}),
        (
            "apart",
            2,
            {
                "masks/amber_nocturne/one.png",
                "masks/cathedral_glass/two.png",
                "results/amber_nocturne _ cathedral_glass-*/one.png",
            },
        ),
    ],
)
def test_a_run_with_masks_is_logged_and_scored(
    photographs_with_masks: Path, tmp_path: Path, masks: str, examples: int, files: set[str]
) -> None:
    done = inside("benchmark", *options(photographs_with_masks, masks), store(tmp_path))
    assert done.returncode == 0, done.stdout + done.stderr
    uri = store(tmp_path).removeprefix("tracking.uri=")
    client, [*_, run] = runs_in(tmp_path)
    assert run.data.metrics["examples"] == examples
    root = Path(client.download_artifacts(run.info.run_id, ""))
    assert all(list(root.glob(file)) for file in files)
    rows = Tracker(uri, "style-transfer").painting_losses(run.info.run_id)
    assert len(rows) == 2 * 2 * 3
    unknown = [row for row in rows if np.isnan(row.style_loss)]
    assert {row.content for row in unknown} == ({"two"} if masks == "apart" else set())
    assert all(row.gradient_share == 0 and not row.nearest for row in unknown)
    again = inside("benchmark.evaluate", "--tracking-uri", uri, "metrics=[ssim]")
    assert again.returncode == 0, again.stdout + again.stderr
    assert "ssim" in again.stdout
