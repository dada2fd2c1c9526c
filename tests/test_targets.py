"""Pictures and features on disk, and how many examples the memory holds."""

import os
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
from PIL import Image

import datasets
from benchmark.config.compose import composed
from benchmark.config.errors import ConfigError
from benchmark.images.pixels import to_float
from benchmark.metrics import kept
from benchmark.metrics.features import Features
from benchmark.runs.prepare import Prepared, prepare
from benchmark.runs.workspace import Workspace
from benchmark.runtime import disk_cache
from benchmark.runtime.disk_cache import DiskCache
from benchmark.transfer import backend, style_transfer
from benchmark.transfer.batch import plan_batches
from benchmark.transfer.features import StyleTargets, extract_features
from datasets import DatasetError, LazyImage, folder
from tests.commands import TINY
from tests.workspace import prepared_run


def prepared(*overrides: str) -> Prepared:
    return prepared_run(*TINY, "backbone=mobilenet", *overrides)


def read(run: Prepared, cache: Path | None) -> StyleTargets:
    """Style targets as a new process would get them."""
    return kept.style_targets(run.backbone, run.paintings[0], DiskCache(cache))


class Trap:
    """Tells when somebody loads its pickle."""

    sprung: ClassVar[list[str]] = []

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return Trap.sprung.append, ("loaded",)


def assert_equal(first: StyleTargets, second: StyleTargets) -> None:
    for one, other in zip(first, second, strict=True):
        for part, same in zip(one, other, strict=True):
            np.testing.assert_array_equal(np.asarray(part), np.asarray(same))


def test_features_come_from_disk_the_same_to_the_bit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An evaluator's features of paintings are in the entry of a backbone's style targets."""
    run, disk = prepared(), DiskCache(tmp_path / "cache")
    computed = read(run, None)

    def features() -> list[Features]:
        paintings = kept.painting_features(run.backbone, run.paintings[0], disk)
        return [paintings, kept.content_features(run.backbone, run.content, disk)]

    extracted = features()
    monkeypatch.setattr(kept, "extract_features", None)  # whoever extracts again fails
    assert_equal(read(run, tmp_path / "cache"), computed)
    for first, second in zip(extracted, features(), strict=True):
        for gram, same in zip(first.grams, second.grams, strict=True):
            np.testing.assert_array_equal(gram, same)
        for name in ("pooled", "statistics", "content"):
            np.testing.assert_array_equal(getattr(first, name), getattr(second, name))
    assert [one.content is None for one in extracted] == [True, False]
    assert not list((tmp_path / "cache").rglob("*.part*"))


def test_activations_of_several_content_layers_come_from_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, disk = prepared("backbone.content_layer=[conv_pw_1,conv_pw_3]"), DiskCache(tmp_path)

    def read() -> list[np.ndarray]:
        return kept.kept_arrays(run.backbone, run.content, disk, activations=True).content or []

    computed = read()
    *_, first, second = extract_features(run.backbone, run.content.pixels)
    monkeypatch.setattr(kept, "extract_features", None)
    for one, again, expected in zip(computed, read(), (first, second), strict=True):
        np.testing.assert_array_equal(one, expected)
        np.testing.assert_array_equal(again, expected)
    last = kept.content_features(run.backbone, run.content, disk).content
    assert last is not None
    np.testing.assert_array_equal(last, second)


@pytest.mark.parametrize(
    "damage", ["truncated", "flipped", "empty", "another network's", "pickled", "no numbers"]
)
def test_a_damaged_entry_is_made_anew(tmp_path: Path, damage: str) -> None:
    run = prepared()
    computed = read(run, tmp_path)
    [entry] = tmp_path.rglob("*.npz")
    content = entry.read_bytes()
    if damage == "another network's":
        np.savez(entry, *(np.zeros((3, 3), "float32") for _ in range(7)))
    elif damage == "pickled":
        np.savez(entry, *(np.array([Trap()], object) for _ in range(7)))
    elif damage == "no numbers":
        with np.load(entry) as stored:
            np.savez(entry, *(np.full_like(array, np.nan) for array in stored.values()))
    else:
        middle = len(content) // 2
        flipped = content[:middle] + bytes([content[middle] ^ 255]) + content[middle + 1 :]
        entry.write_bytes({"truncated": content[:middle], "flipped": flipped}.get(damage, b""))
    assert_equal(read(run, tmp_path), computed)
    assert entry.read_bytes() == content
    assert not Trap.sprung


def test_the_key_is_of_all_that_matters() -> None:
    run, paintings = prepared(), prepared().paintings[0]
    keys = {
        kept.features_key(run.backbone, paintings.pixels),
        kept.features_key(run.backbone, paintings.pixels[::-1]),
        kept.features_key(run.backbone, prepared("image_size=64").paintings[0].pixels),
        *(
            kept.features_key(prepared(option).backbone, paintings.pixels)
            for option in ("seed=1", "precision=bfloat16", "backbone=mobilenetv2")
        ),
    }
    assert len(keys) == 6
    assert kept.features_key(prepared("optimizer=sgd").backbone, paintings.pixels) in keys


def test_without_room_on_disk_the_targets_are_there_all_the_same(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("not a folder")
    run = prepared()
    assert_equal(read(run, tmp_path / "file"), read(run, None))
    assert "not all is kept for later runs" in caplog.text


def test_the_cache_keeps_to_its_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read(prepared(), tmp_path)
    [first] = tmp_path.rglob("*.npz")
    monkeypatch.setattr(disk_cache, "LIMIT", int(1.5 * first.stat().st_size))
    read(prepared("seed=1"), tmp_path)
    [second] = tmp_path.rglob("*.npz")
    assert second != first


def test_an_image_is_read_once_and_anew_when_it_changes(
    tmp_path: Path, picture_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    [ada] = folder.paintings(str(picture_folder), ["Ada"])
    disk, resized = DiskCache(tmp_path / "cache"), datasets.resized
    read: list[str] = []

    def counted(image: LazyImage, size: int) -> tuple[str, np.ndarray]:
        read.append(image.name)
        return resized(image, size)

    monkeypatch.setattr(datasets, "resized", counted)

    def readings(places: slice, size: int = 16) -> list[str]:
        """Which images are read for a part of the set, which must be as without a cache."""
        read.clear()
        part = replace(ada, images=ada.images[places])
        found = kept.load_images(part, size, disk, counted)
        expected = datasets.load_images(part, size, resized)
        assert found.digests == expected.digests
        np.testing.assert_array_equal(found.pixels, expected.pixels)
        return sorted(read)

    assert readings(slice(2)) == ["Ada_1", "Ada_2"]
    assert readings(slice(1, 4)) == ["Ada_3", "Ada_4"]
    assert readings(slice(4)) == []
    assert readings(slice(1), size=8) == ["Ada_1"]
    first, second = (picture_folder / "Ada" / f"Ada_{number}.png" for number in (1, 2))
    times = second.stat().st_mtime_ns
    pixels = np.asarray(Image.open(second))
    Image.fromarray(pixels[::-1]).save(second)
    os.utime(second, ns=(times, times))
    assert readings(slice(4)) == ["Ada_2"]
    for entry in tmp_path.rglob("*.npz"):
        entry.write_bytes(entry.read_bytes()[:-9])
    assert readings(slice(2)) == ["Ada_1", "Ada_2"]
    first.unlink()
    with pytest.raises(DatasetError, match=r"1 of the 12 images of 'Ada' cannot be read: .*Ada_1"):
        kept.load_images(ada, 16, disk)


@pytest.mark.parametrize(
    ("contents", "batch", "groups", "largest"),
    [(1, 4, [2], 2), (2, 4, [2], 4), (3, 4, [1, 1], 3), (2, 3, [1, 1], 2), (3, 2, [1, 1], 2)],
)
def test_artists_share_a_batch_that_has_room(
    contents: int, batch: int, groups: list[int], largest: int
) -> None:
    run = prepared(f"content.count={contents}", f"batch={batch}")
    plans = run.plans()
    assert [len(plan.artists) for plan in plans if 0 in plan.contents] == groups
    batches = run.batches()
    assert max(plan.examples for plan in plans) == largest
    assert [len(batch.start) for batch in batches] == [plan.examples for plan in plans]
    starts = np.concatenate([one.start for one in batches])
    expected = np.tile(to_float(run.content.pixels), (2, 1, 1, 1))
    np.testing.assert_array_equal(starts, expected)


def test_artists_with_other_numbers_of_paintings_are_apart() -> None:
    plans = plan_batches([3, 3, 2, 3], contents=1, batch_size=4)
    assert [plan.artists for plan in plans] == [[0, 1], [2], [3]]


def test_noise_is_an_examples_own_however_artists_are_batched() -> None:
    together, apart = (prepared("init=noise", f"batch={n}").batches() for n in (4, 1))
    assert (len(together), len(apart)) == (1, 4)
    np.testing.assert_array_equal(together[0].start, np.concatenate([b.start for b in apart]))


def test_a_blend_is_so_much_content_and_so_much_noise() -> None:
    run = prepared("init=blend", "init_noise=0.25")
    noise = prepared("init=noise").batches()[0].start
    content = np.tile(to_float(run.content.pixels), (2, 1, 1, 1))
    expected = 0.75 * content.astype("float64") + 0.25 * noise
    np.testing.assert_allclose(run.batches()[0].start, expected, atol=1e-7)
    for share, end in ((0, content), (1, noise)):
        [batch] = prepared("init=blend", f"init_noise={share}").batches()
        np.testing.assert_array_equal(batch.start, end)


def test_the_same_noise_is_that_of_the_seed_alone() -> None:
    [batch] = prepared("init=noise", "same_noise=true").batches()
    assert (batch.start == batch.start[0]).all()
    [other] = prepared("init=noise", "same_noise=true", "content.names=[rocket]").batches()
    np.testing.assert_array_equal(other.start[0], batch.start[0])
    [seeded] = prepared("init=noise", "same_noise=true", "seed=1").batches()
    assert (seeded.start != batch.start).mean() > 0.99


def test_a_run_starts_at_a_picture_or_at_one_for_each_content(tmp_path: Path) -> None:
    """Of their own size already, so that what is read is what was written."""
    pixels = np.random.default_rng(3).integers(0, 256, (2, 48, 48, 3), dtype=np.uint8)
    names = prepared().content.names
    for name, one in zip(names, pixels, strict=True):
        Image.fromarray(one).save(tmp_path / f"{name}.png")
    [of_each] = prepared(f"init={tmp_path}").batches()
    np.testing.assert_array_equal(of_each.start, np.tile(to_float(pixels), (2, 1, 1, 1)))
    [of_all] = prepared(f"init={tmp_path / names[1]}.png").batches()
    np.testing.assert_array_equal(of_all.start, np.stack([to_float(pixels[1])] * 4))


class OutOfMemoryError(RuntimeError):
    """Named as torch's."""


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (MemoryError(), True),
        (OutOfMemoryError("CUDA"), True),
        (RuntimeError("RESOURCE_EXHAUSTED: failed to allocate"), True),
        (RuntimeError("OOM when allocating tensor with shape[4,224,224,64]"), True),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory"), True),
        (RuntimeError("CUDNN_STATUS_ALLOC_FAILED"), True),
        (ValueError("shapes do not match"), False),
        (KeyboardInterrupt(), False),
    ],
)
def test_what_counts_as_out_of_memory(error: BaseException, expected: bool) -> None:
    assert backend.out_of_memory(error) is expected


def test_a_containers_limit_counts_and_files_read_do_not(tmp_path: Path) -> None:
    files = {"max": "3000000", "current": "2500000", "stat": "anon 5\ninactive_file 1000000\n"}
    for name, content in files.items():
        (tmp_path / f"memory.{name}").write_text(content)
    assert backend.free_main_memory(tmp_path) == 1_500_000
    (tmp_path / "memory.max").write_text("max")
    assert backend.free_main_memory(tmp_path) > 10_000_000


def test_what_did_not_fit_is_not_tried_again() -> None:
    workspace = Workspace()

    def batch(*overrides: str) -> int:
        config = composed([*TINY, "backbone=mobilenet", "content.count=4", *overrides])
        run = prepare(config, workspace)
        workspace.session.reduce_batch(run.backbone, 3)
        return run.batch

    assert (batch(), batch(), batch("batch=2")) == (4, 3, 2)
    assert prepared("content.count=4").batch == 4


def test_the_batch_grows_with_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    free = int(0.8e9)
    monkeypatch.setattr(backend, "free_memory", lambda: free)
    workspace = Workspace()
    wanted = [*TINY, "backbone=mobilenet", "batch=auto", "image_size=224", "content.count=8"]

    def batch(*overrides: str) -> int:
        return prepare(composed([*wanted, *overrides]), workspace).batch

    found = [batch(f"memory_gb={gb}") for gb in (0.001, 0.5, 0.7, 100)]
    assert found[0] == 1
    assert found[-1] == 16  # two artists × eight contents
    assert found == sorted(found)
    assert 1 < found[1] < found[2] < 16
    assert 1 <= batch() <= found[2]


def test_the_history_of_lbfgs_leaves_room_for_fewer_examples() -> None:
    workspace = Workspace()
    wanted = [*TINY, "backbone=mobilenet", "batch=auto", "image_size=224", "content.count=8"]

    def batch(*overrides: str) -> int:
        return prepare(composed([*wanted, "memory_gb=2", *overrides]), workspace).batch

    history = [batch("optimizer=lbfgs", f"optimizer.memory={memory}") for memory in (1, 5, 50)]
    assert batch() >= history[0] > history[1] > history[2] == 1


def test_memory_gb_needs_batch_auto() -> None:
    with pytest.raises(ConfigError, match=r"memory_gb=2\.0: needs batch=auto"):
        prepared("memory_gb=2")


def test_a_step_takes_the_memory_foretold_for_its_arrays() -> None:
    """Against the sizes of VGG19's activations up to block2, counted by hand."""
    run = prepared_run(
        *TINY,
        "backbone=vgg",
        "backbone.style_layers=[block1_conv1,block1_conv2]",
        "backbone.content_layer=block2_conv1",
    )
    kept = 48 * 48 * 64 * 2 + 24 * 24 * 64 + 24 * 24 * 128
    largest = 48 * 48 * 64
    target = 24 * 24 * 128  # of the content layer
    expected = 4 * (kept + target) + style_transfer.GRADIENT_ARRAYS * 4 * largest
    assert style_transfer.bytes_per_example(run.backbone) == expected
    beside = style_transfer.estimate_bytes(run.backbone, artists=2, paintings=3, examples=0)
    assert beside == style_transfer.COMPILATION + 2 * (4 * 2 * (3 + 1) * 2 * 64**2)
