"""One line for a picture: files in, files out, as a user of the command line or of Python does."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from benchmark import stylize
from benchmark.config.errors import ConfigError
from benchmark.images.saving import SRGB, check_colour, save_like
from benchmark.sweeps import painting
from benchmark.sweeps.painting import Request, config_of, style_options
from benchmark.sweeps.resume import resume_sweep
from benchmark.tracking.tracker import Tracker
from benchmark.transfer.loop import Epoch
from benchmark.user_input import InputError
from tests.workspace import WORKSPACE

TINY = (
    *("image_size=48", "scales=[0.7,1]", "epochs=2", "backbone=vgg_shallow"),
    *("backbone.weights=random", "cache=null"),
)


@pytest.fixture(autouse=True)
def one_workspace(monkeypatch: pytest.MonkeyPatch) -> None:
    """Networks and compiled steps are those of the other tests in this process."""
    monkeypatch.setattr(painting, "Workspace", lambda: WORKSPACE)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A photograph that lies on its side, with a profile and transparency, and two paintings."""
    random = np.random.default_rng(1)

    def image(height: int, width: int, channels: int = 3) -> Image.Image:
        return Image.fromarray(random.integers(0, 256, (height, width, channels), dtype="uint8"))

    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned a quarter
    image(60, 90, 4).save(tmp_path / "photo, (1).png", exif=exif, icc_profile=SRGB)
    (tmp_path / "paintings").mkdir()
    image(50, 80).save(tmp_path / "paintings" / "one.jpg")
    image(80, 50).save(tmp_path / "paintings" / "it's two.jpg")
    return tmp_path


def stylized(folder: Path, *arguments: str) -> int:
    photo, style = str(folder / "photo, (1).png"), str(folder / "paintings")
    return stylize.main([photo, "--style", style, *arguments, *TINY])


def test_a_picture_keeps_what_its_photograph_has_besides_colours(folder: Path) -> None:
    assert stylized(folder, "-o", str(folder / "out.png"), "--no-log") == 0
    with Image.open(folder / "out.png") as picture:
        assert picture.size == (32, 48)  # upright: it was 90 wide and 60 high
        assert picture.info["icc_profile"] == SRGB
        assert picture.mode == "RGBA"
        assert np.asarray(picture.getchannel("A")).std() > 1
        assert picture.getexif().get(0x0112, 1) == 1


def test_a_file_is_overwritten_only_by_force(folder: Path, capsys: Any) -> None:
    out = folder / "out.jpg"
    out.write_bytes(b"mine")
    with pytest.raises(SystemExit) as ended:
        stylized(folder, "-o", str(out), "--no-log")
    assert ended.value.code == 2
    assert "--force" in capsys.readouterr().err
    assert out.read_bytes() == b"mine"
    assert stylized(folder, "-o", str(out), "--no-log", "--force") == 0
    with Image.open(out) as picture:
        assert picture.format == "JPEG"


@pytest.mark.filterwarnings("ignore:For backward compatibility, 'str' dtypes")  # MLflow's log_table
def test_it_is_logged_and_pictures_on_the_way_are_kept(folder: Path) -> None:
    store = f"sqlite:///{folder / 'ml.db'}"
    options = "-o", str(folder / "out"), "--every", "2", f"tracking.uri={store}"
    assert stylized(folder, *options) == 0
    names = sorted(file.name for file in (folder / "out").iterdir())
    stem = "photo, (1) paintings"
    assert names == [f"{stem}.png", f"{stem}_0002.png", f"{stem}_0004.png"]
    (folder / "out" / f"{stem}.png").unlink()
    with pytest.raises(SystemExit) as ended:  # Those on the way are somebody's too.
        stylized(folder, *options)
    assert ended.value.code == 2
    [run] = Tracker(store, None).all_runs()
    for name in (None, run.sweep):  # It would come back as a run of the benchmark.
        with pytest.raises(InputError) as refused:
            resume_sweep(store, name)
        assert refused.value.option == ("NAME" if name else None)
    assert run.status == "finished"
    assert run.results.epochs_done == 4
    assert run.contents == ("photo, (1)",)


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [(OSError("the store is gone"), 1, "the store is gone"), (KeyboardInterrupt(), 130, "interr")],
)
def test_what_was_painted_is_written_however_it_ends(
    folder: Path, monkeypatch: Any, capsys: Any, error: BaseException, code: int, said: str
) -> None:
    def ended(*arguments: Any) -> None:
        grey = np.full((1, 48, 32, 3), 0.5, "float32")
        arguments[-1](Epoch(7, np.ones((3, 1)), lambda: grey, 0.1))
        raise error

    monkeypatch.setattr(painting, "logged", ended)
    out = folder / "out.png"
    assert stylized(folder, "-o", str(out)) == code
    with Image.open(out) as picture:
        assert np.asarray(picture.convert("RGB")).std() < 1
    assert said in capsys.readouterr().out


def test_an_estimate_paints_nothing(folder: Path, monkeypatch: Any) -> None:
    asked: list[Any] = []
    monkeypatch.setattr(painting, "print_estimate", lambda runs, _: asked.extend(runs))
    out = folder / "out.png"
    assert stylized(folder, "-o", str(out), "--no-log", "estimate=only") == 0
    assert len(asked) == 1
    assert not out.exists()


@pytest.mark.backends
def test_the_same_from_python(folder: Path) -> None:
    options = dict(option.split("=") for option in TINY)
    named = {key.replace(".", "__"): value for key, value in options.items()}
    [picture] = stylize.stylize([folder / "photo, (1).png"], [folder / "paintings"], **named)
    stylized(folder, "-o", str(folder / "out.png"), "--no-log")
    with Image.open(folder / "out.png") as written:
        np.testing.assert_array_equal(np.asarray(picture), np.asarray(written.convert("RGB")))


def test_styles_are_files_painters_or_artists(folder: Path) -> None:
    assert style_options([["sample"]])[0] == "dataset=sample"
    assert style_options([["sample/loose drips"]])[1] == "dataset.artists=['loose drips']"
    assert style_options([["monet"]]) == ["dataset=best_artworks", "dataset.artists=[monet]"]
    paintings = str(folder / "paintings")
    several = style_options([["sample"], [paintings], ["monet", "dali"]])
    assert several == ["dataset=styles", f"dataset.styles=[[sample],['{paintings}'],[monet,dali]]"]
    config, _ = config_of(Request([str(folder / "photo, (1).png")], [[paintings]], TINY))
    assert config.dataset["paths"] == [paintings]
    assert config.dataset["paintings"] == 2
    for name in ("no/such/folder", "loose drip"):  # The second is nearly a built-in painter.
        with pytest.raises(InputError) as missing:
            style_options([[name]])
        assert (missing.value.option, missing.value.value) == ("--style", name)


def test_what_an_unknown_artists_name_was_taken_for_is_told(folder: Path, archive: Path) -> None:
    root = f"dataset.root={archive}"
    with pytest.raises(InputError) as raised:
        config_of(Request([str(folder / "photo, (1).png")], [["nobody"]], [*TINY, root]))
    assert raised.value.option == "--style"
    assert "taken for an artist of the archive" in raised.value.reason


@pytest.mark.parametrize(
    ("output", "words"),
    [
        ("nowhere/out.png", "no such folder"),
        ("nowhere/painted/", "no such folder"),
        ("out.xyz", "end with one of"),
        ("photo, (1).png", "is there already"),
    ],
)
def test_a_place_that_cannot_be_written_to(
    folder: Path, capsys: Any, output: str, words: str
) -> None:
    with pytest.raises(SystemExit) as ended:
        stylized(folder, "-o", str(folder / output), "--no-log")
    assert ended.value.code == 2
    error = capsys.readouterr().err
    assert "--output" in error
    assert words in error
    assert len(error.splitlines()) == 1


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ("nowhere.jpg --style sample", "nowhere.jpg"),
        ("{photo} --style nowhere/", "--style"),
        ("{photo} --style sample/nobody", "nobody"),
        ("{photo} --style sample imagesize=48", "image_size"),
        ("{photo} --style sample --every 0", "--every"),
        ("{photo}", "--style"),
    ],
)
def test_wrong_input_is_one_line(folder: Path, capsys: Any, arguments: str, words: str) -> None:
    Image.new("RGB", (40, 40)).save(folder / "p.png")
    with pytest.raises(SystemExit) as ended:
        stylize.main(arguments.format(photo=folder / "p.png").split())
    assert ended.value.code == 2
    error = capsys.readouterr().err
    assert words in error
    assert len(error.splitlines()) == 1


@pytest.mark.parametrize("size", [(1, 1), (400, 3)])
def test_a_photograph_of_any_size_becomes_a_picture(folder: Path, size: tuple[int, int]) -> None:
    Image.new("L", size, 90).save(folder / "odd.png")
    [picture] = stylize.stylize(
        [folder / "odd.png"],
        [folder / "odd.png"],
        image_size=48,
        epochs=1,
        scales=[1],
        backbone="vgg_shallow",
        backbone__weights="random",
    )
    assert max(picture.size) == 48
    assert min(picture.size) >= 32


def test_a_picture_is_written_without_what_its_photograph_lacks(tmp_path: Path) -> None:
    Image.new("RGB", (8, 8)).save(tmp_path / "plain.jpg")
    save_like(np.zeros((8, 8, 3), "uint8"), tmp_path / "plain.jpg", tmp_path / "out.png")
    with Image.open(tmp_path / "out.png") as picture:
        assert picture.mode == "RGB"
        assert "icc_profile" not in picture.info


def test_a_picture_lies_on_a_background_in_place_of_transparency(tmp_path: Path) -> None:
    photograph = Image.new("RGBA", (8, 8), (0, 0, 0, 0))
    photograph.paste((0, 0, 0, 255), (0, 0, 4, 8))
    photograph.save(tmp_path / "half.png")
    picture = np.full((8, 8, 3), 9, "uint8")
    for ending in ("png", "jpg"):
        out = tmp_path / f"out.{ending}"
        save_like(picture, tmp_path / "half.png", out, background="#ff0000")
        with Image.open(out) as found:
            assert found.mode == "RGB"
            levels = np.asarray(found).astype(int)
        assert np.abs(levels[:, 0] - 9).max() <= 3
        assert np.abs(levels[:, -1] - (255, 0, 0)).max() <= 3
    with pytest.raises(InputError, match="is no colour"):
        check_colour("--background", "blu")


def test_a_missing_folder_of_photographs_names_the_argument() -> None:
    with pytest.raises(InputError) as missing:
        config_of(Request(["nowhere"], [["sample"]]))
    assert missing.value.option == "PHOTO"
    assert not isinstance(missing.value, ConfigError)
