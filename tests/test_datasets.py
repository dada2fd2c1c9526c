"""Pictures: formats, order, choice, errors, and the built-in sample."""

from inspect import unwrap
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import datasets
from benchmark.images.saving import SRGB
from datasets import DatasetError, folder, painters, sample, selection
from datasets.images import ImageSet
from datasets.reading import read_file
from tests.conftest import SHARED


def saved(path: Path, image: Image.Image, **options: Any) -> np.ndarray:
    """What is read back from a file just saved."""
    image.save(path, **options)
    found = read_file(path)
    assert found.mode == "RGB"
    return np.asarray(found).astype(int)


def test_every_kind_of_picture_becomes_rgb(tmp_path: Path) -> None:
    grey = np.array([[0, 128], [200, 255]], "uint8")
    as_rgb = np.repeat(grey[..., None], 3, axis=2).astype(int)
    assert (saved(tmp_path / "grey.png", Image.fromarray(grey)) == as_rgb).all()
    sixteen = Image.fromarray(grey.astype("uint16") * 257)
    assert (saved(tmp_path / "sixteen.png", sixteen) == as_rgb).all()
    assert (saved(tmp_path / "sixteen.tiff", sixteen) == as_rgb).all()
    floats = Image.fromarray(grey.astype("float32") / 255)
    assert (saved(tmp_path / "floats.tiff", floats) == as_rgb).all()
    palette = Image.fromarray(as_rgb.astype("uint8")).quantize(4)
    assert (saved(tmp_path / "palette.gif", palette) == as_rgb).all()
    cmyk = Image.new("CMYK", (2, 2), (0, 255, 255, 0))
    assert (saved(tmp_path / "cmyk.tiff", cmyk) == [255, 0, 0]).all()
    clear = Image.new("RGBA", (2, 2), (255, 0, 0, 0))
    assert (saved(tmp_path / "clear.png", clear) == 255).all()
    half = Image.new("LA", (2, 2), (0, 128))
    assert (abs(saved(tmp_path / "half.png", half) - 127) <= 1).all()


def test_exif_rotation_is_applied(tmp_path: Path) -> None:
    image = Image.fromarray(np.array([[[255, 0, 0]], [[0, 0, 255]]], "uint8"))
    exif = Image.Exif()
    exif[0x0112] = 6  # "turn a quarter to the right"
    found = saved(tmp_path / "turned.png", image, exif=exif)
    assert found.tolist() == [[[0, 0, 255], [255, 0, 0]]]


def test_natural_order(picture_folder: Path) -> None:
    [ada] = folder.paintings(str(picture_folder), ["Ada"])
    assert [picture.name for picture in ada.images] == [f"Ada_{n}" for n in range(1, 13)]


def test_digests_follow_content_not_names(picture_folder: Path) -> None:
    before = [datasets.load_images(s, 16).digest for s in folder.paintings(str(picture_folder))]
    first = picture_folder / "Ada" / "Ada_1.png"
    first.rename(picture_folder / "Ada" / "Ada_0.png")
    renamed = [datasets.load_images(s, 16).digest for s in folder.paintings(str(picture_folder))]
    assert renamed == before
    Image.new("RGB", (30, 21)).save(picture_folder / "Ada" / "Ada_0.png")
    changed = [datasets.load_images(s, 16).digest for s in folder.paintings(str(picture_folder))]
    assert changed[0] != before[0]
    assert changed[1] == before[1]


def test_endings_tell_apart_pictures_of_one_name(tmp_path: Path) -> None:
    """In a folder, in paths, and where masks or starts are called like them."""
    photographs, others = tmp_path / "photographs", tmp_path / "others"
    for place in (photographs / "Ada", others):
        place.mkdir(parents=True)
        for name in ("sea.jpg", "sea.png", "sky.png", "sea.jpg.png"):
            Image.new("RGB", (8, 8)).save(place / name)
    names = ["sea.jpg", "sea.jpg.png", "sea.png", "sky"]
    assert [one.name for one in folder.content(str(others)).images] == names
    [ada] = folder.paintings(str(photographs))
    assert [one.name for one in ada.images] == names
    paths = folder.photographs([str(others), str(photographs / "Ada" / "sea.png")])
    assert [one.name for one in paths.images] == [*names[:2], "sea.png", "sky", "sea"]
    (others / "sea.jpg.png").unlink()
    for name in ("sea.jpg", "sea.png", "sky"):
        [found] = folder.file_or_files_of("init", str(others), [name]).images
        assert Path(found.source).stem == name.partition(".")[0]
    with pytest.raises(DatasetError, match="two images called 'sea'"):
        folder.file_or_files_of("init", str(others), ["sea"])
    chosen = selection.named_or_first(folder.content(str(others)), ["sky.png", "sea.jpg"], 1)
    assert [one.name for one in chosen.images] == ["sky", "sea.jpg"]


def test_patterns_choose_artists(picture_folder: Path) -> None:
    names = [group.name for group in folder.paintings(str(picture_folder), ["B*", "Ada"])]
    assert names == ["Bruno", "Ada"]


@pytest.mark.parametrize(
    ("artists", "message"),
    [
        (["Adda"], r"dataset.artists=Adda: .* Did you mean 'Ada'\? Known: Ada, Bruno"),
        ([], r"name at least one"),
        (["?"], r"dataset.artists=\?: no such name"),
    ],
)
def test_wrong_choices_are_one_clear_line(
    picture_folder: Path, artists: list[str], message: str
) -> None:
    with pytest.raises(DatasetError, match=message) as raised:
        folder.paintings(str(picture_folder), artists)
    assert "\n" not in str(raised.value)


def test_wrong_folders(tmp_path: Path, picture_folder: Path) -> None:
    with pytest.raises(DatasetError, match="no such folder"):
        folder.paintings(str(tmp_path / "nowhere"))
    with pytest.raises(DatasetError, match="It holds images itself: put each artist"):
        folder.paintings(str(picture_folder / "Ada"))
    with pytest.raises(DatasetError, match="no images in this folder"):
        folder.content(str(picture_folder))
    (picture_folder / "Empty").mkdir()
    with pytest.raises(DatasetError, match="no images in this folder") as empty:
        folder.paintings(str(picture_folder), ["Ada", "Empty"])
    assert (empty.value.option, empty.value.value) == ("dataset.artists", "Empty")
    (tmp_path / "images" / "images").mkdir(parents=True)
    with pytest.raises(DatasetError, match="looks like Kaggle's archive: use dataset=best_artwo"):
        folder.paintings(str(tmp_path))


def test_unreadable_files_are_all_named(picture_folder: Path) -> None:
    (picture_folder / "Ada" / "Ada_2.png").write_bytes(b"not a picture")
    whole = (picture_folder / "Ada" / "Ada_3.png").read_bytes()
    (picture_folder / "Ada" / "Ada_3.png").write_bytes(whole[: len(whole) // 2])
    [ada] = folder.paintings(str(picture_folder), ["Ada"])
    with pytest.raises(DatasetError, match=r"2 of the 12 images of 'Ada'.*Ada_2.*Ada_3"):
        datasets.load_images(ada, 16)


def test_the_sample_is_whole_and_the_same_every_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(painters, "paint", unwrap(painters.paint))  # Not what the tests keep.
    groups = sample.paintings(["*"])
    assert [len(group.images) for group in groups] == [60] * 6
    few = ImageSet("few", sample.paintings()[0].images[:2])
    first, again = (datasets.load_images(few, 32) for _ in range(2))
    assert first.digests == again.digests
    # Six painters, clearly different: their mean colours or contrasts are far apart.
    looks = []
    for group in groups:
        pixels = datasets.load_images(ImageSet(group.name, group.images[:3]), 32).pixels / 255
        looks.append([*pixels.mean((0, 1, 2)), pixels.std()])
    distances = np.linalg.norm(np.array(looks)[:, None] - np.array(looks)[None], axis=-1)
    assert distances[~np.eye(6, dtype=bool)].min() > 0.03


def test_all_photographs_are_there_without_a_network() -> None:
    photographs = sample.content()
    loaded = datasets.load_images(photographs, 16)
    assert loaded.pixels.shape == (len(sample.PHOTOGRAPHS), 16, 16, 3)


def test_colours_stay_where_they_are_in_srgb_or_the_profile_is_broken(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    colour = Image.new("RGB", (4, 4), (120, 200, 60))
    assert (saved(tmp_path / "srgb.png", colour, icc_profile=SRGB) == (120, 200, 60)).all()
    assert not caplog.text
    assert (saved(tmp_path / "broken.png", colour, icc_profile=b"none") == (120, 200, 60)).all()
    assert "broken.png" in caplog.text


@pytest.mark.real_data
def test_a_colour_of_adobe_rgb_in_srgb(tmp_path: Path) -> None:
    """By hand, from the matrices and the gamma of 563/256 of both standards: (51, 201, 37)."""
    with Image.open(SHARED / "odd" / "adobergb_shoes.jpg") as photograph:
        profile = photograph.info["icc_profile"]
    colour = Image.new("RGB", (4, 4), (120, 200, 60))
    found = saved(tmp_path / "adobe.png", colour, icc_profile=profile)
    assert np.abs(found - (51, 201, 37)).max() <= 2
    with_alpha = Image.new("RGBA", (4, 4), (120, 200, 60, 255))
    assert (saved(tmp_path / "alpha.png", with_alpha, icc_profile=profile) == found).all()


@pytest.mark.real_data
@pytest.mark.parametrize(
    ("name", "twin"),
    [
        ("adobergb_shoes.jpg", "adobergb_shoes_srgb_twin.jpg"),
        ("p3_chair.jpg", "p3_chair_srgb_twin.png"),
    ],
)
def test_a_wide_gamut_photograph_is_read_as_its_twin_in_srgb(name: str, twin: str) -> None:
    """The twins were made by other programs: 2 levels of 255 apart; unconverted, 5 to 6."""
    found, wanted = (np.asarray(read_file(SHARED / "odd" / n), float) for n in (name, twin))
    assert np.abs(found - wanted).mean() < 2.2


def test_a_folder_shows_mpo_files(tmp_path: Path) -> None:
    Image.new("RGB", (8, 8)).save(
        tmp_path / "two.mpo", save_all=True, append_images=[Image.new("RGB", (8, 8), "red")]
    )
    assert [image.name for image in folder.content(str(tmp_path)).images] == ["two"]
    assert (np.asarray(read_file(tmp_path / "two.mpo")) < 3).all()
