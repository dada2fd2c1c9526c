"""Metrics: against independent computations, and by their properties."""

from contextlib import nullcontext
from dataclasses import replace
from functools import partial, wraps
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image
from scipy.ndimage import gaussian_filter
from scipy.stats import wasserstein_distance
from skimage.color import rgb2ycbcr
from skimage.metrics import structural_similarity
from sklearn.linear_model import LogisticRegression

from backbones import Backbone, alexnet
from benchmark.analysis import calibration
from benchmark.config.compose import composed
from benchmark.images import upscale
from benchmark.images.pixels import luma
from benchmark.metrics import kept, perceptual, pixels, recognition, scoring
from benchmark.metrics.features import (
    Features,
    MissingInputError,
    content_distance,
    gram_distance,
    kid,
    normalised_distances,
)
from benchmark.metrics.frechet import frechet
from benchmark.metrics.recognition import OutsideFeatures
from benchmark.metrics.scoring import held_out, others
from benchmark.metrics.table import COLUMNS, MetricDescription, means
from benchmark.runs.evaluation import all_artists, evaluation_setup
from benchmark.runs.groups import load_paintings
from benchmark.runs.variants import metric_of
from benchmark.runs.workspace import load_backbone
from benchmark.transfer.features import extract_features
from benchmark.user_input import InputError
from datasets import ImageSet, LazyImage, LoadedImages, load_images, sample
from tests.archive import write_torch
from tests.workspace import WORKSPACE

CONF = Path(__file__).resolve().parents[1] / "conf"
OF_ONE_NETWORK = {"cfsd", "lpips"}
OF_A_WHOLE_RUN = {"frechet_distance", "art_frechet_distance"}
METRICS = sorted(
    path.stem
    for path in (CONF / "metrics").glob("*.yaml")
    if not path.stem.startswith("genre_")  # by a fitted classifier: tests/test_genre.py
    and path.stem not in OF_ONE_NETWORK | OF_A_WHOLE_RUN
)
Array = Any


def photographs(size: int = 224) -> Array:
    """Three real photographs, (3, S, S, 3) in [0, 1]."""
    names = ("chelsea", "coffee", "rocket")
    resized = [sample.photograph(name).resize((size, size)) for name in names]
    return np.stack([np.asarray(picture) for picture in resized]) / np.float32(255)


def noisy(pictures: Array, amount: float) -> Array:
    noise = np.random.default_rng(3).standard_normal(pictures.shape)
    return np.clip(pictures + amount * noise, 0, 1).astype("float32")


def blurred(pictures: Array, sigma: float) -> Array:
    return gaussian_filter(pictures, (0, sigma, sigma, 0))


def features(number: int = 4, seed: int = 0, shift: float = 0.0, content: bool = True) -> Features:
    """Made-up features with two layers of 5 and 3 channels."""
    random = np.random.default_rng(seed)
    maps = [random.random((number, 6, 6, c)) + shift for c in (5, 3)]
    grams = tuple(np.einsum("nhwc,nhwd->ncd", m, m) for m in maps)
    deep = random.random((number, 4, 4, 7)) + shift
    statistics = np.concatenate([m.mean((1, 2)) for m in maps], axis=1)
    return Features(grams, deep.mean((1, 2)), deep if content else None, statistics)


def test_luma_is_that_of_the_standard() -> None:
    """scikit-image's Y′ of BT.601 is 16 + 219 Y."""
    picture = photographs(32)
    np.testing.assert_allclose(luma(picture), (rgb2ycbcr(picture)[..., 0] - 16) / 219, atol=2e-4)


def test_luma_and_ssim_are_defined_once() -> None:
    """The metrics, calibration and enlarging take the same functions."""
    assert {vars(module)["luma"] for module in (pixels, upscale)} == {luma}
    assert vars(calibration)["ssim"] is pixels.ssim


def test_ssim_is_the_one_of_its_paper() -> None:
    """scikit-image with the settings by which it documents to reproduce Wang et al."""
    contents = photographs(64)
    results = noisy(contents, 0.1)
    similarity: Any = structural_similarity
    expected = [
        similarity(
            x,
            y,
            data_range=1.0,
            gaussian_weights=True,
            sigma=1.5,
            use_sample_covariance=False,
        )
        for x, y in zip(luma(results), luma(contents), strict=True)
    ]
    np.testing.assert_allclose(pixels.ssim(results, contents), expected, rtol=1e-6)


@pytest.mark.parametrize("degrade", [lambda p: noisy(p, 0.1), lambda p: blurred(p, 2.0)])
def test_ms_ssim_agrees_with_tensorflow(degrade: Any) -> None:
    """tf.image.ssim_multiscale on the luma, five scales, float32."""
    contents = photographs()
    results = degrade(contents)
    expected = tf.image.ssim_multiscale(
        *(luma(p)[..., None].astype("float32") for p in (results, contents)), max_val=1.0
    )
    found = pixels.ms_ssim(results, contents)
    assert (found < 0.98).all()
    np.testing.assert_allclose(found, expected, rtol=2e-3)


@pytest.mark.parametrize("size", [11, 32, 90, 175])
def test_ms_ssim_of_small_pictures_has_fewer_scales(size: int) -> None:
    contents = photographs(size)
    np.testing.assert_allclose(pixels.ms_ssim(contents, contents), 1.0)
    assert (pixels.ms_ssim(noisy(contents, 0.2), contents) < 0.95).all()


def test_colour_distance_agrees_with_scipy() -> None:
    """SciPy's Wasserstein distance along the same directions, drawn here again; equal sizes."""
    result, painting = photographs(64)[:1], photographs(64)[1:2]
    directions = np.random.default_rng(0).standard_normal((3, 16))
    directions /= np.linalg.norm(directions, axis=0)
    x, y = (p[0, ::4, ::4].reshape(-1, 3).astype(float) for p in (result, painting))
    expected = np.mean([wasserstein_distance(x @ d, y @ d) for d in directions.T])
    found = pixels.colour_distance(result, painting, directions=16)
    np.testing.assert_allclose(found, [expected], rtol=1e-6)
    # Against several paintings at once only their pooled colours count, within 1 / samples.
    pool = np.concatenate([photographs(64)[1:], photographs(64)[:1]])
    y = pool[:, ::4, ::4].reshape(-1, 3).astype(float)
    expected = np.mean([wasserstein_distance(x @ d, y @ d) for d in directions.T])
    assert pixels.colour_distance(result, pool, directions=16)[0] == pytest.approx(expected, 0.01)


def test_grain_is_energy_over_the_median_paintings() -> None:
    """By the definition: mean (Y − g ∗ Y)², of the middle one of three paintings."""
    paintings, result = photographs(64), noisy(photographs(64)[:1], 0.05)

    def energy(picture: Array) -> float:
        y = picture.astype(float) @ [0.299, 0.587, 0.114]
        return float(np.mean((y - gaussian_filter(y, 1.0)) ** 2))

    expected = energy(result[0]) / sorted(energy(p) for p in paintings)[1]
    np.testing.assert_allclose(pixels.grain(result, paintings), [expected], rtol=1e-9)


def test_pixels_of_alike_pictures() -> None:
    same = photographs(96)
    np.testing.assert_allclose(pixels.ssim(same, same), 1.0)
    np.testing.assert_allclose(pixels.ms_ssim(same, same), 1.0)
    np.testing.assert_array_equal(pixels.change(same, same), 0.0)
    for one in same:
        np.testing.assert_allclose(pixels.colour_distance(one[None], one[None]), 0.0, atol=1e-12)
        np.testing.assert_allclose(pixels.grain(one[None], one[None]), 1.0)


def test_pixels_are_symmetric_and_within_their_ranges() -> None:
    x = photographs(96)
    y = np.ascontiguousarray(x[::-1])
    for function in (pixels.ssim, pixels.ms_ssim, pixels.change):
        forth, back = function(x, y), function(y, x)
        np.testing.assert_allclose(forth, back, rtol=1e-6, atol=1e-9)
        assert (forth >= -1).all()
        assert (forth <= 1).all()
    there = pixels.colour_distance(x[:1], y[:1])
    np.testing.assert_allclose(there, pixels.colour_distance(y[:1], x[:1]), rtol=1e-9)
    black, white = np.zeros((1, 32, 32, 3)), np.ones((1, 32, 32, 3))
    assert pixels.change(black, white) == [1.0]
    assert 0.5 < pixels.colour_distance(black, white)[0] <= np.sqrt(3)


def test_more_noise_is_worse_and_blur_lowers_grain() -> None:
    x = photographs(96)
    steps = [noisy(x, amount) for amount in (0.02, 0.05, 0.1, 0.2)]
    for worse, function in ((-1, pixels.ssim), (-1, pixels.ms_ssim), (1, pixels.change)):
        for less, more in pairwise(steps):
            assert (worse * (function(more, x) - function(less, x)) > 0).all()
    for less, more in pairwise(steps):
        assert (pixels.grain(more, x) > pixels.grain(less, x)).all()
    for less, more in pairwise([x, *(blurred(x, sigma) for sigma in (0.5, 1, 2, 4))]):
        assert (pixels.grain(more, x) < pixels.grain(less, x)).all()
        assert (pixels.ssim(more, x) < pixels.ssim(less, x)).all()


def test_gram_distance_by_hand() -> None:
    """Loops over pairs in float64: Σ(G − A)² / (ΣG² + ΣA²), mean over the paintings."""
    ours, theirs = features(4), features(3, seed=1, shift=0.5)
    found = gram_distance(ours, theirs)
    assert found.shape == (2, 4)
    for layer in range(2):
        for j in range(4):
            g = ours.grams[layer][j]
            pairs = [
                ((g - a) ** 2).sum() / ((g**2).sum() + (a**2).sum()) for a in theirs.grams[layer]
            ]
            assert found[layer, j] == pytest.approx(np.mean(pairs))


def test_the_nearest_painting_is_the_least_of_the_pairs() -> None:
    ours, theirs = features(4), features(3, seed=1, shift=0.5)
    pairs = [normalised_distances(a, b) for a, b in zip(ours.grams, theirs.grams, strict=True)]
    np.testing.assert_allclose(
        gram_distance(ours, theirs, over="nearest"), [layer.min(axis=1) for layer in pairs]
    )
    np.testing.assert_allclose(gram_distance(ours, ours, over="nearest"), 0.0, atol=1e-12)


def test_normalised_distances_are_a_distance_within_its_range() -> None:
    a, b = (features(5, seed).grams[0] for seed in (1, 2))
    np.testing.assert_allclose(normalised_distances(a, b), normalised_distances(b, a).T)
    np.testing.assert_allclose(np.diag(normalised_distances(a, a)), 0.0, atol=1e-12)
    # Grams of disjoint channels are orthogonal; a scale changes nothing where both have it.
    apart = normalised_distances(np.diag([1.0, 0.0])[None], np.diag([0.0, 3.0])[None])
    np.testing.assert_allclose(apart, 1.0)
    np.testing.assert_allclose(normalised_distances(7 * a, 7 * b), normalised_distances(a, b))
    np.testing.assert_array_equal(normalised_distances(0 * a, 0 * b), 0.0)


def test_content_distance_by_hand() -> None:
    ours, theirs = features(4), features(4, seed=5)
    assert ours.content is not None
    assert theirs.content is not None
    expected = [
        ((f - p) ** 2).sum() / ((f**2).sum() + (p**2).sum())
        for f, p in zip(ours.content, theirs.content, strict=True)
    ]
    np.testing.assert_allclose(content_distance(ours, theirs), expected)
    np.testing.assert_array_equal(content_distance(ours, ours), 0.0)


def test_kid_is_the_unbiased_estimate() -> None:
    """The three sums of the definition, by loops over pairs of distinct pictures."""
    x, y = features(4), features(6, seed=3, shift=0.4)

    def k(a: Array, b: Array) -> float:
        a, b = (v / np.sqrt((v**2).mean()) for v in (a, b))
        return float((a @ b / len(a) + 1) ** 3)

    def within(points: Array) -> float:
        n = len(points)
        return float(
            np.mean([k(points[i], points[j]) for i in range(n) for j in range(n) if i != j])
        )

    across = np.mean([k(a, b) for a in x.pooled for b in y.pooled])
    assert kid(x, y).mean() == pytest.approx(within(x.pooled) + within(y.pooled) - 2 * across)


def test_kid_of_one_distribution_is_0_on_average_and_grows_with_distance() -> None:
    draws = [kid(features(6, s), features(8, s + 1000)).mean() for s in range(300)]
    assert abs(np.mean(draws)) < 3 * np.std(draws) / np.sqrt(len(draws))
    assert min(draws) < 0
    # Of few pictures too: with two results and five paintings no more than chance.
    few = [kid(features(2, s), features(5, s + 1000)).mean() for s in range(300)]
    assert abs(np.mean(few)) < 3 * np.std(few) / np.sqrt(len(few))
    apart = [kid(features(6, 0, shift), features(8, 1)).mean() for shift in (0.0, 0.2, 0.5, 1.0)]
    assert apart == sorted(apart)
    with pytest.raises(MissingInputError, match="two results"):
        kid(features(1), features(5))


def test_structural_divergence_is_that_of_the_released_code() -> None:
    """`PatchSimi` of StyleID's evaluation code, in PyTorch 2.13, float64, on these maps."""
    maps = 9 * np.random.default_rng(0).random((3, 5, 7, 8))
    pairs = [(maps[0], maps[1]), (maps[1], maps[0]), (maps[0], maps[2])]
    found = [perceptual.structural_divergence(content, result) for content, result in pairs]
    np.testing.assert_allclose(
        found, [14.061599733092837, 14.074208249452969, 12.213187962121985], rtol=1e-12
    )
    assert perceptual.structural_divergence(maps[0], maps[0]) == 0.0


@pytest.fixture(scope="module")
def torch_alexnet(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Array, Array]:
    """A folder with a file of made-up weights for AlexNet, and three pairs of images for it."""
    random, arrays = np.random.default_rng(0), {}
    for place, (height, width, inputs, filters) in alexnet.CONVOLUTIONS.values():
        shape = filters, inputs, height, width
        kernel = random.standard_normal(shape) * np.sqrt(2 / np.prod(shape[1:]))
        arrays[f"features.{place}.weight"] = kernel.astype("float32")
        bias = 0.1 * random.standard_normal(filters)
        arrays[f"features.{place}.bias"] = bias.astype("float32")
    folder = tmp_path_factory.mktemp("weights")
    write_torch(folder / alexnet.FILE, arrays)
    pictures, contents = random.random((2, 3, 64, 64, 3)).astype("float32")
    contents[2] = 0.9 * pictures[2] + 0.1 * contents[2]
    return folder, pictures, contents


@pytest.mark.backends
def test_lpips_is_that_of_the_published_package(torch_alexnet: tuple[Path, Array, Array]) -> None:
    """lpips 0.1.4, net="alex", normalize=True, on PyTorch 2.13, float64, with these weights.

    Its layers with lpips=False, and their sum with the linear layers that the package has.
    """
    folder, pictures, contents = torch_alexnet
    chosen = ["backbone=alexnet", f"backbone.weights={folder}", "image_size=64"]
    network = load_backbone(composed(chosen), WORKSPACE.backbones)
    assert network.weights == alexnet.FILE
    np.testing.assert_allclose(
        perceptual.lpips(pictures, contents, network),
        [0.09569078417023298, 0.0944543726522696, 0.0015127177205002758],
        rtol=2e-5,
    )
    layers = [
        [1.3312222219459309, 1.2823390287175191, 0.011642711027350346],
        [0.25000413390736276, 0.2336922308394423, 0.004382201794924348],
        [0.07485549103331879, 0.07920615938755152, 0.002446919260929914],
        [0.06758354810665147, 0.06809066288614413, 0.002351782106244159],
        [0.0639832391621791, 0.06822324260082474, 0.002287277777737046],
    ]
    found = perceptual.perceptual_distance(pictures, contents, network)
    np.testing.assert_allclose(found, layers, rtol=2e-5)
    np.testing.assert_allclose(perceptual.lpips(pictures, pictures, network), 0.0, atol=1e-12)


def test_frechet_distance_is_fids_formula() -> None:
    """pytorch-fid 0.3.0, with SciPy 1.17's root of a matrix, on these tables.

    And |μ_x − μ_y|² + Σ (σ_x − σ_y)² of diagonal covariances, with fewer rows than columns.
    """
    random = np.random.default_rng(0)
    x = random.random((40, 8))
    y = random.random((25, 8)) @ (np.eye(8) + 0.3 * random.random((8, 8)))
    assert frechet(x, y) == pytest.approx(2.750155927279144, rel=1e-12)
    assert frechet(x, x) == pytest.approx(0.0, abs=1e-12)
    # Rows ±d_i in each of the first columns: mean 0, and variances 2 d² / (rows − 1).
    few = [np.concatenate([np.diag(d), -np.diag(d)]) for d in np.array([[3.0, 1, 2], [1, 1, 5]])]
    x, y = (np.pad(rows, ((0, 0), (0, 9))) for rows in few)
    expected = 12 * 0.25 + sum(2 / 5 * (a - b) ** 2 for a, b in ((3, 1), (1, 1), (2, 5)))
    assert frechet(x, y + 0.5) == pytest.approx(expected, rel=1e-12)


def test_recognition_is_by_the_right_artist() -> None:
    """Two artists whose statistics differ by 1 in every channel; scikit-learn agrees."""
    outside = OutsideFeatures(Ada=features(12, 1), Bruno=features(12, 2, shift=1.0))
    results = features(6, 7, shift=1.0)
    np.testing.assert_array_equal(recognition.recognition(results, outside, "Bruno"), 1.0)
    np.testing.assert_array_equal(recognition.recognition(results, outside, "Ada"), 0.0)
    assert (recognition.classifier_accuracy(results, outside, "Ada") == 1.0).all()
    table = np.concatenate([f.statistics for f in outside.values()])
    standard = (table - table.mean(0)) / table.std(0)
    names = ["Ada"] * 12 + ["Bruno"] * 12
    by_hand = LogisticRegression(C=0.1, class_weight="balanced").fit(standard, names)
    between = features(20, 8, shift=0.5)
    expected = by_hand.predict((between.statistics - table.mean(0)) / table.std(0)) == "Ada"
    np.testing.assert_array_equal(recognition.recognition(between, outside, "Ada"), expected)


def test_accuracy_is_not_that_on_the_training_set() -> None:
    """Labels that mean nothing are learnt by heart, and still recalled no better than by chance."""
    whole = features(60, 4)
    halves = OutsideFeatures(
        (name, Features((), whole.pooled[s], None, whole.statistics[s]))
        for name, s in (("Ada", slice(0, 30)), ("Bruno", slice(30, 60)))
    )
    found = [recognition.classifier_accuracy(whole, halves, name)[0] for name in halves]
    assert 0.25 < np.mean(found) < 0.75


def test_recognition_needs_two_artists() -> None:
    for outside in ({"Ada": features(12)}, {"Ada": features(4), "Bruno": features(12)}):
        with pytest.raises(MissingInputError, match="held-out paintings"):
            recognition.recognition(features(), OutsideFeatures(outside), "Ada")


def painted(name: str, number: int) -> ImageSet:
    """A set of seeded pictures whose colours are the artist's own."""

    def read(place: int) -> Image.Image:
        random = np.random.default_rng([len(name), place])
        tinted = random.integers(0, 256, (48, 48, 3)) * [1, 0.3 + 0.1 * len(name), 0.5]
        return Image.fromarray(tinted.astype("uint8"))

    numbers = range(1, number + 1)
    return ImageSet(
        name, tuple(LazyImage(f"{name}_{n}", f"{name}/{n}", partial(read, n)) for n in numbers)
    )


def part(pictures: ImageSet, *places: int) -> ImageSet:
    return ImageSet(pictures.name, tuple(pictures.images[p] for p in places))


def test_held_out_paintings_are_in_no_style_set() -> None:
    ada, bruno = painted("Ada", 6), painted("Bruno", 4)
    sets = [part(ada, 0, 1), part(ada, 3), part(bruno, 0, 1, 2, 3)]
    found = held_out(sets, [ada, bruno], most=2)
    assert [one.name for one in found] == ["Ada", "Ada", "Bruno"]
    assert [[p.name for p in one.images] for one in found] == [["Ada_5", "Ada_6"]] * 2 + [[]]


def test_others_share_no_painting_with_the_run() -> None:
    ada, bruno, cy = painted("Ada", 6), painted("Bruno", 4), painted("Cy", 5)
    genre = ImageSet("Impressionism", (*ada.images, *bruno.images))
    found = others([genre], [ada, bruno, cy, painted("Dora", 5)], artists=1, most=3)
    assert [one.name for one in found] == ["Cy"]
    assert len(found[0].images) == 3
    assert others([ada], [ada, bruno, cy], artists=5, most=1)[0].name == "Bruno"


EVALUATORS = ["evaluation.evaluators=[mobilenet]", "evaluation.weights=random"]


@pytest.fixture(scope="module")
def scene() -> tuple[scoring.EvaluationSetup, list[LoadedImages], LoadedImages, Array]:
    """Two artists of a style set of 4 with 8 held out, one other, and 2 contents at 48 pixels."""
    config = composed(["image_size=48", *EVALUATORS, f"metrics=[{','.join(METRICS)}]"])
    groups = [painted("Ada", 12), painted("Bruno", 12)]
    sets = [load_images(part(group, 0, 1, 2, 3), 48) for group in groups]
    metrics = [metric_of(name, variant) for name, variant in config.metrics.items()]
    given = evaluation_setup(config, metrics, groups, sets, WORKSPACE)
    others = [painted("Cyprian", 7)]
    given = scoring.EvaluationSetup(
        given.metrics, given.evaluators, {}, given.held_out, others, given.size
    )
    content = load_images(painted("photo", 2), 48)
    results = np.concatenate([content.pixels // 2 + one.pixels[:2] // 2 for one in sets])
    return given, sets, content, results


def test_every_measure_scores_every_example(scene: Any) -> None:
    """The contract of `conf/metrics/`: a finite number an example, however they are ordered."""
    given, sets, content, results = scene
    assert sorted(one.name for one in given.metrics) == METRICS
    table, missing = scoring.scores(given, sets, content, results)
    assert missing == {}
    assert list(table.columns) == COLUMNS
    assert np.isfinite(table["value"].astype(float)).all()
    whole = table[table["layer"] == ""]
    for one in given.metrics:
        for subject in ("result", "content"):
            rows = whole[(whole["metric"] == one.name) & (whole["subject"] == subject)]
            assert len(rows) == 4, (one.name, subject)
            assert set(rows["evaluator"]) == ({"mobilenet"} if one.needs_evaluator else {""})
        assert one.description.label
        assert one.description.about
    again, _ = scoring.scores(given, sets, content, results)
    assert again.equals(table)
    backwards = load_images(part(content.image_set, 1, 0), 48)
    turned, _ = scoring.scores(given, sets, backwards, results[[1, 0, 3, 2]])
    keys = COLUMNS[:-1]
    one, other = (t.set_index(keys)["value"].sort_index().to_numpy() for t in (table, turned))
    np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)


def test_what_no_run_changes_is_scored_once(scene: Any) -> None:
    """Content pictures and held-out paintings; again with other arguments or other paintings."""
    given, sets, content, results = scene
    calls: list[int] = []

    @wraps(pixels.colour_distance)
    def counted(*arguments: Any, **named: Any) -> np.ndarray:
        calls.append(0)
        return pixels.colour_distance(*arguments, **named)

    [plain] = [one for one in given.metrics if one.name == "colour_distance"]
    metric = replace(plain, function=counted)
    setup = replace(given, metrics=[metric], kept=kept.KeptFeatures())

    def scored(setup: scoring.EvaluationSetup, results: np.ndarray = results) -> tuple[Any, int]:
        before = len(calls)
        table, _ = scoring.scores(setup, sets, content, results)
        return table, len(calls) - before

    first, all_subjects = scored(setup)
    assert all_subjects == 3 * len(sets)
    second, of_results = scored(setup, 255 - results)
    assert of_results == len(sets)
    same = (first["value"] == second["value"]).groupby(first["subject"]).all()
    assert same.to_dict() == {"content": True, "painting": True, "result": False}
    few = replace(setup, metrics=[replace(metric, arguments={"directions": 3})])
    assert scored(few)[1] == all_subjects
    fewer = [replace(one, images=one.images[:1]) for one in setup.held_out]
    assert scored(replace(setup, held_out=fewer))[1] == all_subjects
    # By another network as well; and nothing is kept of a failure.
    failing = True

    def by_network(features: Any) -> np.ndarray:
        calls.append(0)
        if failing:
            raise MissingInputError("not yet")
        return np.asarray(features.pooled.mean(axis=1))

    setup = replace(setup, metrics=[replace(plain, function=by_network, arguments={})])
    assert scored(setup)[1] == all_subjects
    failing = False
    assert [scored(setup)[1] for _ in range(2)] == [all_subjects, of_results]
    networks = {name: replace(one, digest="another") for name, one in setup.evaluators.items()}
    assert scored(replace(setup, evaluators=networks))[1] == all_subjects


def test_the_style_layers_have_their_parts(scene: Any) -> None:
    table, _ = scoring.scores(*scene)
    one = table[(table["metric"] == "style_distance") & (table["subject"] == "result")]
    parts = one[one["layer"] != ""].groupby(["artist", "content"])["value"].agg(["mean", "size"])
    assert (parts["size"] == 5).all()
    whole = one[one["layer"] == ""].set_index(["artist", "content"])["value"]
    np.testing.assert_allclose(parts["mean"], whole.sort_index(), rtol=1e-5)


def test_the_untouched_picture_is_the_baseline(scene: Any) -> None:
    table, _ = scoring.scores(*scene)
    whole = table[(table["layer"] == "") & (table["subject"] == "content")]
    found = {k: float(v) for k, v in whole.groupby("metric")["value"].mean().items()}
    np.testing.assert_allclose([found["ssim"], found["ms_ssim"]], 1.0)
    distances = found["change"], found["content_distance"], found["perceptual_distance"]
    np.testing.assert_allclose(distances, 0.0, atol=1e-9)
    painting = table[table["subject"] == "painting"]
    assert set(painting["metric"]) == {
        *("colour_distance", "grain", "style_distance", "others_distance")
    }
    assert len(set(painting["content"])) == 16


def test_what_cannot_be_measured_is_said_and_the_rest_is(scene: Any) -> None:
    given, sets, content, results = scene
    unseen = scoring.EvaluationSetup(
        given.metrics, {}, {"vgg": "no weights"}, *([ImageSet("Ada", ())] * 2,), [], 48
    )
    table, missing = scoring.scores(unseen, sets, content, results)
    assert set(table["metric"]) == {"ssim", "ms_ssim", "change", "colour_distance", "grain"}
    assert set(missing.values()) == {"no weights"}
    assert "metrics by vgg" in missing
    alone = scoring.EvaluationSetup(
        given.metrics,
        given.evaluators,
        {},
        [ImageSet("Ada", ()), ImageSet("Bruno", ())],
        [],
        48,
    )
    table, missing = scoring.scores(alone, sets, content, results)
    assert "style_distance" in set(table["metric"])
    assert missing["held_out_distance"].startswith("Bruno: the dataset has no paintings outside")
    assert "no paintings of other artists" in missing["others_distance"]
    assert "held-out paintings of the artist" in missing["recognition"]


@pytest.mark.parametrize(
    ("name", "by", "backbone"), [("cfsd", "vgg", "vgg_shallow"), ("lpips", "alexnet", "alexnet")]
)
def test_a_metric_of_one_network_is_scored_by_it_alone(
    scene: Any, name: str, by: str, backbone: str
) -> None:
    """With random weights, beside MobileNet; without it the reason says which to take."""
    given, sets, content, results = scene
    config = composed([f"backbone={backbone}", "backbone.weights=random", "image_size=48"])
    own = load_backbone(config, WORKSPACE.backbones)
    metric = metric_of(name, composed([f"metrics=[{name}]"]).metrics[name])
    both = replace(given, metrics=[metric], evaluators={by: own, **given.evaluators})
    table, missing = scoring.scores(both, sets, content, results)
    assert missing == {}
    assert set(table["evaluator"]) == {by}
    assert set(table["subject"]) == {"result", "content"}
    untouched = table["subject"] == "content"
    np.testing.assert_allclose(table["value"][untouched], 0.0, atol=1e-12)
    assert (table["value"][~untouched] > 1e-6).all()
    table, missing = scoring.scores(replace(given, metrics=[metric]), sets, content, results)
    assert len(table) == 0
    assert f"evaluation.evaluators=[{by}]" in missing[name]


def test_a_metric_of_a_whole_run_is_of_all_artists_together(scene: Any) -> None:
    """Against the formula on all four results and both style sets; too few are said to be."""
    given, sets, content, results = scene
    names = sorted(OF_A_WHOLE_RUN)
    config = composed([f"metrics=[perceptual_distance,kid,{','.join(names)}]"])
    metrics = [metric_of(name, config.metrics[name]) for name in config.metrics]
    table, missing = scoring.scores(replace(given, metrics=metrics), sets, content, results)
    assert set(missing) == OF_A_WHOLE_RUN
    assert all("needs 800 results and has 4" in reason for reason in missing.values())
    assert OF_A_WHOLE_RUN.isdisjoint(table["metric"])
    enough = [
        replace(one, description=one.description.model_copy(update={"at_least": 4}))
        for one in metrics
    ]
    table, missing = scoring.scores(replace(given, metrics=enough), sets, content, results)
    assert missing == {}
    (network,) = given.evaluators.values()
    ours = kept.result_features(network, results).pooled.astype("float64")
    theirs = [kept.result_features(network, one.pixels).pooled for one in sets]
    x, y = (p / np.linalg.norm(p, axis=1, keepdims=True) for p in (ours, np.concatenate(theirs)))
    rows = table[(table["subject"] == "result") & (table["layer"] == "")]
    found = {name: rows[rows["metric"] == name] for name in [*names, "perceptual_distance"]}
    assert list(found["frechet_distance"]["artist"]) == ["Ada", "Ada", "Bruno", "Bruno"]
    style = frechet(x, y)
    np.testing.assert_allclose(found["frechet_distance"]["value"], style, rtol=1e-5)
    content_part = found["perceptual_distance"]["value"].mean()
    product = (1 + content_part) * (1 + style)
    np.testing.assert_allclose(found["art_frechet_distance"]["value"], product, rtol=1e-5)
    untouched = table[(table["metric"] == "art_frechet_distance") & (table["subject"] == "content")]
    assert len(untouched) == 4


def test_runs_that_share_a_cache_compute_features_once(
    scene: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second run's results are new; contents and paintings are those of the first."""
    setup, sets, content, results = scene
    computed: list[int] = []

    def counted(evaluator: Backbone, pixels: Array) -> list[Array]:
        computed.append(len(pixels))
        return extract_features(evaluator, pixels)

    monkeypatch.setattr(kept, "extract_features", counted)
    shared = kept.KeptFeatures()
    for expected in ([2, 2, 2, 4, 4, 7, 8, 8], [2, 2]):
        scoring.scores(replace(setup, kept=shared), sets, content, results)
        assert sorted(computed) == expected
        computed.clear()


def test_paintings_are_read_for_metrics_that_ask_for_them_alone(scene: Any) -> None:
    given, sets, content, results = scene
    gone = replace(given.held_out[0].images[0], read=partial(Image.open, "gone.png"))
    unread = replace(given, held_out=[ImageSet("Ada", (gone,))] * 2, others=[])
    without = {"ssim", "ms_ssim", "change", "content_distance"}
    for names in (set[str](), without, {"grain"}):
        metrics = [one for one in given.metrics if one.name in names]
        with pytest.raises(InputError) if names == {"grain"} else nullcontext():
            table, _ = scoring.scores(replace(unread, metrics=metrics), sets, content, results)
            assert set(table["metric"]) == names


def test_a_measure_of_some_artists_has_no_mean(scene: Any) -> None:
    given, sets, content, results = scene
    partly = replace(given, held_out=[given.held_out[0], ImageSet("Bruno", ())])
    table, missing = scoring.scores(partly, sets, content, results)
    assert "Ada" in set(table[table["metric"] == "kid"]["artist"])
    assert missing["kid"].startswith("Bruno: ")
    assert "kid.mobilenet" not in means(table)
    assert "style_distance.mobilenet" in means(table)


def test_a_broken_measure_costs_no_other_its_value(scene: Any) -> None:
    given, sets, content, results = scene

    def broken(pictures: Array) -> Array:
        raise ZeroDivisionError("division by zero")

    metrics = [scoring.Metric("broken", broken, {}, MetricDescription()), given.metrics[0]]
    one = scoring.EvaluationSetup(metrics, {}, {}, given.held_out, [], 48)
    table, missing = scoring.scores(one, sets, content, results)
    assert missing == {"broken": "Bruno: failed: ZeroDivisionError: division by zero"}
    assert set(table["metric"]) == {given.metrics[0].name}


def test_evaluators_see_other_artists_of_the_dataset() -> None:
    config = composed(["image_size=32", "dataset.paintings=2", *EVALUATORS, "evaluation.others=2"])
    groups, sets = load_paintings(config, WORKSPACE)
    given = evaluation_setup(
        config, [metric_of("kid", config.metrics["kid"])], groups, sets, WORKSPACE
    )
    own = [one.name for one in sets]
    assert [one.name for one in given.others] == [
        g.name for g in all_artists(config) if g.name not in own
    ][:2]
    assert isinstance(given.evaluators["mobilenet"], Backbone)
    assert given.evaluators["mobilenet"].weights == "random"


@pytest.mark.parametrize(
    ("override", "option", "words"),
    [
        ("evaluation.evaluators=[vgh]", "evaluation.evaluators", "Did you mean 'vgg'"),
        ("evaluation.weights=/nowhere.h5", "evaluation.evaluators", "evaluation.weights=/nowhere"),
        ("metrics.grain.sigma=thick", "metrics.grain.sigma", "must be a number"),
        ("metrics.grain.reference=all", "metrics.grain.reference", "must be style_set"),
        ("metrics.grain.sigma=-1", "metrics.grain.sigma", "must be > 0"),
        ("metrics.kid.reference=null", "metrics.kid.reference", "must be style_set"),
        ("metrics.kid.label=null", "metrics.kid.label", "must be a text"),
        ("evaluation.held_out=-1", "evaluation.held_out", "must be ≥ 0"),
    ],
)
def test_wrong_metrics_are_one_line(override: str, option: str, words: str) -> None:
    def score() -> None:
        config = composed(["image_size=32", "dataset.paintings=2", override])
        metrics = [metric_of(name, variant) for name, variant in config.metrics.items()]
        evaluation_setup(config, metrics, *load_paintings(config, WORKSPACE), WORKSPACE)

    with pytest.raises(InputError, match=words) as raised:
        score()
    assert raised.value.option == option
    assert "\n" not in str(raised.value)
