"""The photographs' colours, kept: the mathematics, and runs from their inputs to their results."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.linalg import sqrtm

from benchmark.config.compose import composed
from benchmark.images import colour
from benchmark.images.pixels import luma, to_float, to_uint8
from benchmark.runs.paintings import compare_with_paintings
from benchmark.runs.prepare import Prepared
from benchmark.sweeps import execution
from benchmark.sweeps.application import Application
from benchmark.tracking.records import Artifact, content_file, result_file
from benchmark.tracking.tracker import Tracker
from benchmark.transfer.batch import make_batches
from benchmark.transfer.features import extract_targets
from benchmark.transfer.loop import Result, optimize
from benchmark.transfer.scales import optimize_scales
from benchmark.transfer.stopping import Stopping
from tests.commands import TINY, store
from tests.workspace import WORKSPACE, prepared_run

MODEL = [*TINY, "metrics=[]", "backbone=vgg_shallow", "epochs=2", "early_stopping.patience=null"]
MODES = ["luminance", "linear"]
YIQ = np.array([[0.299, 0.587, 0.114], [0.596, -0.274, -0.322], [0.211, -0.523, 0.312]])
"""To three digits, as NTSC has it."""


def covariance(values: np.ndarray) -> np.ndarray:
    """As NumPy has it, of all pixels."""
    return np.cov(values.reshape(-1, values.shape[-1]).T, bias=True)


def pictures(random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Two of other sizes, whose channels are correlated in other ways."""
    mixing = np.array([[0.6, 0.2, 0.1], [0.0, 0.5, 0.2], [0.2, 0.1, 0.4]])
    own, other = random.random((20, 30, 3)) @ mixing, random.beta(2, 5, (25, 16, 3)) @ mixing.T
    return own, other


@pytest.mark.parametrize("channels", [1, 3])
def test_values_get_the_mean_and_covariance_of_others(
    random: np.random.Generator, channels: int
) -> None:
    own, other = (picture[..., :channels] for picture in pictures(random))
    found = colour.matched(own, other)
    assert found.dtype == np.float64
    np.testing.assert_allclose(found.mean((0, 1)), other.mean((0, 1)), atol=1e-12)
    np.testing.assert_allclose(covariance(found), covariance(other), atol=1e-12)
    np.testing.assert_allclose(colour.matched(own, own), own, atol=1e-12)


def test_known_transforms(random: np.random.Generator) -> None:
    """Where channels are uncorrelated each is scaled alone; lumas as σ_t/σ (x − μ) + μ_t."""
    corners = np.array([[x, y, z] for x in (0, 1) for y in (0, 1) for z in (0, 1)], float)
    found = colour.matched(corners, corners * [0.5, 0.25, 1] + [0.1, 0.2, 0])
    np.testing.assert_allclose(found, corners * [0.5, 0.25, 1] + [0.1, 0.2, 0], atol=1e-12)
    own, other = (picture[..., :1] for picture in pictures(random))
    expected = other.std() / own.std() * (own - own.mean()) + other.mean()
    np.testing.assert_allclose(colour.matched(own, other), expected, atol=1e-12)


def test_the_square_roots_are_symmetric(random: np.random.Generator) -> None:
    """Against SciPy's, by a Schur decomposition, of a positive definite matrix."""
    sigma = covariance(pictures(random)[1])
    root = sqrtm(sigma)
    np.testing.assert_allclose(colour.symmetric_power(sigma, 0.5, 0.0), root, atol=1e-9)
    found = colour.symmetric_power(sigma, -0.5, 0.0)
    np.testing.assert_allclose(found @ root, np.eye(3), atol=1e-6)


GREY = np.repeat(np.arange(0, 240, 4, dtype="uint8").reshape(6, 10, 1), 3, axis=2)
CONSTANT = np.full((6, 10, 3), (200, 30, 90), "uint8")


def test_what_does_not_vary_is_not_made_to(random: np.random.Generator) -> None:
    """A grey painting stays on a line of colours; a constant one is the photograph's mean."""
    photograph = to_uint8(pictures(random)[0])
    mean = (photograph / 255).mean((0, 1))
    for painting in (CONSTANT, np.zeros_like(CONSTANT)):
        found = colour.colours_matched(painting, photograph)
        np.testing.assert_allclose(found, np.broadcast_to(mean, found.shape), atol=1e-6)
        np.testing.assert_allclose(colour.grey_matched(painting, photograph), luma(mean), atol=1e-6)
    moved = colour.matched(to_float(GREY), to_float(photograph))
    np.testing.assert_allclose(moved.mean((0, 1)), mean, atol=1e-6)
    assert np.linalg.matrix_rank(covariance(moved), tol=1e-9) == 1
    noisy = GREY.copy()
    noisy[::2, ::2, 0] += 1  # As JPEG leaves it; else red would be as strong as the photograph's.
    moved = colour.matched(to_float(noisy), to_float(photograph))
    assert np.sort(np.linalg.eigvalsh(covariance(moved)))[1] < 1e-3


@pytest.mark.parametrize("photograph", [GREY, CONSTANT], ids=["grey", "constant"])
def test_photographs_without_colours_take_them_away(
    random: np.random.Generator, photograph: np.ndarray
) -> None:
    painting = random.integers(0, 256, (12, 12, 3), dtype="uint8")
    found = colour.matched(to_float(painting), to_float(photograph))
    np.testing.assert_allclose(covariance(found), covariance(to_float(photograph)), atol=1e-9)
    for mode in MODES:
        made = colour.PRESERVATIONS[mode].painting(painting, photograph)
        assert made.dtype == np.float32
        assert np.isfinite(made).all()
        assert made.min() >= 0
        assert made.max() <= 1
        if mode == "luminance" or photograph is GREY:
            np.testing.assert_allclose(made, made[..., :1].repeat(3, -1), atol=1e-6)


def test_a_result_has_its_own_luma_and_the_photographs_chroma(
    random: np.random.Generator,
) -> None:
    """By the matrix of YIQ, to its three digits; where a colour is too strong, only its hue."""
    pale = 0.4 + 0.2 * random.random((8, 9, 3))
    picture = 0.3 + 0.4 * random.random((8, 9, 3))
    y, i, q = np.moveaxis(colour.with_chroma(picture, pale) @ YIQ.T, -1, 0)
    np.testing.assert_allclose(y, picture @ YIQ[0], atol=1e-6)
    _, own_i, own_q = np.moveaxis(pale @ YIQ.T, -1, 0)
    np.testing.assert_allclose(i, own_i, atol=1e-3)
    np.testing.assert_allclose(q, own_q, atol=1e-3)
    extreme, strong = random.random((2, 40, 40, 3)).round()
    found = colour.with_chroma(extreme, strong)
    assert 0 <= found.min() <= found.max() <= 1
    np.testing.assert_allclose(luma(found), luma(extreme), atol=1e-6)
    own, other = found - luma(found)[..., None], strong - luma(strong)[..., None]
    np.testing.assert_allclose(np.cross(own, other), 0, atol=1e-6)
    assert ((own * other).sum(-1) >= -1e-6).all()
    np.testing.assert_allclose(colour.with_chroma(strong, strong), strong, atol=1e-6)
    assert colour.with_chroma(extreme[:7, :5], strong).shape == (7, 5, 3)


def test_pictures_become_grey_and_the_paintings_as_bright_as_the_photograph(
    random: np.random.Generator,
) -> None:
    painting, photograph = map(to_uint8, pictures(random))
    luminance = colour.PRESERVATIONS["luminance"]
    found = luminance.image(painting)
    np.testing.assert_allclose(found, luma(painting / 255)[..., None].repeat(3, -1), atol=1e-6)
    y = luminance.painting(painting, photograph)[..., 0]
    wanted = luma(photograph / 255)
    np.testing.assert_allclose((y.mean(), y.std()), (wanted.mean(), wanted.std()), rtol=0.02)
    white = luminance.image(np.full((2, 2, 3), 255, "uint8"))
    np.testing.assert_array_equal(white, 1.0)


@pytest.fixture
def photos(tmp_path: Path, random: np.random.Generator) -> Path:
    """Three photographs, two of one shape: a green one, a red one, a grey one."""
    folder = tmp_path / "photos"
    folder.mkdir()
    shapes = {"a": ((80, 90), (0, 1, 0)), "b": ((90, 80), (1, 0.2, 0)), "c": ((80, 90), (1, 1, 1))}
    for name, (shape, tint) in shapes.items():
        picture = 0.3 + random.random((*shape, 1)) * 0.4 * np.array(tint)
        Image.fromarray(to_uint8(picture)).save(folder / f"{name}.png")
    return folder


def prepared(photos: Path, mode: str, *overrides: str) -> Prepared:
    content = ["content=folder", f"content.root={photos}", "content.count=3"]
    return prepared_run(*MODEL, *content, f"preserve_color={mode}", *overrides)


def optimized(run: Prepared) -> Result:
    return optimize_scales(run.transfer, run.scales())


@pytest.mark.backends
@pytest.mark.parametrize(
    ("mode", "options"),
    [("linear", ()), ("luminance", ("shape=native", "style_scale=1.5", "init=noise"))],
)
def test_each_content_is_optimised_towards_paintings_in_its_colours(
    photos: Path, mode: str, options: tuple[str, ...]
) -> None:
    """As if each were optimised alone, of pictures that are recoloured by hand; in order."""
    run = prepared(photos, mode, *options)
    together, colours = optimized(run), colour.PRESERVATIONS[mode]
    assert [len(batch.places) for batch in run.batches()] == [2, 2, 2]
    assert [plan.examples for plan in run.plans()] == [2, 2, 2]
    rows = compare_with_paintings(run, together.images)
    side, native = round(48 * run.style_scale), run.native
    starts = run.start.images(run.contents(), run.examples)
    for place in (0, 5):
        artist, _ = run.examples[place]
        paintings, photograph = run.paintings[place // 3], run.contents()[place % 3]
        pixels = WORKSPACE.kept.pictures(paintings.image_set, side, native, run.disk)
        own = [colours.painting(one, photograph) for one in pixels]
        start = None if starts is None else [colours.image(starts[place])]
        targets = extract_targets(run.backbone, own)
        image = [colours.image(photograph)]
        batches = make_batches(run.backbone, image, [targets], 1, start)
        alone = optimize(run.transfer, batches, Stopping(2, patience=None))
        np.testing.assert_allclose(together.losses[:, place], alone.losses[:, 0], rtol=2e-3)
        assert np.abs(together.images[place] - alone.images[0]).mean() < 1e-3
        found = [row.style_loss for row in rows[3 * place : 3 * place + 3]]
        assert {row.artist for row in rows[3 * place : 3 * place + 3]} == {artist}
        # agg=simple is their mean.
        assert np.mean(found) == pytest.approx(together.losses[1, place], rel=1e-3)


def test_without_it_contents_share_their_targets(photos: Path) -> None:
    run = prepared(photos, "none")
    assert run.content_groups == [[0, 1, 2]]
    assert len(list(run.style_targets())) == 1
    images = run.contents()
    assert run.finished(images) is images


def test_scales_start_from_what_was_optimised_and_end_in_the_photographs_chroma(
    photos: Path,
) -> None:
    run = prepared(photos, "luminance", "scales=[0.8,1]", "shape=native", "content.count=2")
    coarse, fine = run.scales()
    first = optimize(run.transfer, coarse.batches(None), coarse.stopping)
    assert [image.shape for image in run.finished(first.images)[:2]] == [(34, 38, 3), (38, 34, 3)]
    second = optimize(run.transfer, fine.batches(first.images), fine.stopping)
    whole = optimized(run)
    for image, expected in zip(whole.images, second.images, strict=True):
        np.testing.assert_array_equal(image, expected)
    for place, image in enumerate(run.finished(whole.images)):
        chroma = image - luma(image)[..., None]
        photograph = to_float(run.contents()[place % 2])
        own = photograph - luma(photograph)[..., None]
        np.testing.assert_allclose(luma(image), luma(whole.images[place]), atol=1e-6)
        np.testing.assert_allclose(np.cross(chroma, own), 0, atol=1e-6)


def test_a_blend_and_kept_targets(photos: Path, tmp_path: Path) -> None:
    options = "dataset.blend={amber_nocturne:3,misty_inkstone:1}", f"cache={tmp_path / 'cache'}"
    run = prepared(photos, "linear", *options)
    first, again = (optimize(run.transfer, run.batches(), run.stopping) for _ in range(2))
    np.testing.assert_array_equal(first.history, again.history)
    assert first.history.shape[2] == 3


@pytest.mark.filterwarnings("ignore:For backward compatibility, 'str' dtypes")  # MLflow's log_table
def test_all_that_a_run_logs_has_the_photographs_chroma(photos: Path, tmp_path: Path) -> None:
    given = [
        *(*MODEL, store(tmp_path), "tracking.sweep=run", "preserve_color=luminance"),
        *("content=folder", f"content.root={photos}", "content.count=2", "snapshots=[1]"),
        *("original_size=true", "metrics=[change,colour_distance]"),
    ]
    execution.run_alone(composed(given), given, Application(workspace=WORKSPACE))
    tracker = Tracker(f"sqlite:///{tmp_path / 'mlflow.db'}", None, create=False)
    [record] = tracker.runs_of("run")
    assert record.status == "finished"
    examples = tracker.read_table(record.run_id, Artifact.EXAMPLES)
    for artist, content in zip(examples["artist"], examples["content"], strict=True):
        photograph = tracker.read_picture(record.run_id, content_file(content))
        picture = tracker.read_picture(record.run_id, result_file(artist, content))
        expected = to_uint8(colour.with_chroma(picture, photograph))
        assert np.abs(picture.astype(int) - expected).max() <= 1
        assert np.abs(picture.astype(int) - photograph).max() > 1
        place = result_file(artist, content, folder=Artifact.RESULTS_ORIGINAL_SIZE)
        whole = tracker.read_picture(record.run_id, place)
        original = np.asarray(Image.open(photos / f"{content}.png"))
        assert np.abs(whole.astype(int) - to_uint8(colour.with_chroma(whole, original))).max() <= 1


def test_targets_of_every_content_leave_room_for_fewer_examples(photos: Path) -> None:
    """And pictures of any size are counted too."""
    options = "batch=auto", "shape=native", "image_size=224", "dataset.paintings=10"

    def batch(mode: str, gigabytes: float) -> int:
        return prepared(photos, mode, *options, f"memory_gb={gigabytes}").batch

    assert batch("none", 100) == batch("linear", 100) == 6
    found = [(batch("none", gb), batch("linear", gb)) for gb in (0.3, 0.4, 0.5, 0.6)]
    assert all(1 <= own <= shared for shared, own in found)
    assert any(own < shared for shared, own in found)
