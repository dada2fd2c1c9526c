"""Files of every kind: large ones, other formats, odd pixels, and what a folder passes over."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import tifffile
from PIL import Image

from datasets import DatasetError, folder, reading
from datasets.formats import UnreadableError, kind_of, passed_over
from datasets.images import read_all
from datasets.reading import check_size, read_file
from tests.conftest import SHARED


def wave(width: int, height: int) -> np.ndarray:
    """A picture without fine detail, uint8 (H, W, 3), that survives being reduced."""
    y, x = np.mgrid[0:height, 0:width]
    channels = (np.sin(x / width * 5), np.cos(y / height * 4), np.sin((x + y) / width * 3))
    return np.asarray(np.dstack(channels) * 100 + 128).astype("uint8")


@pytest.mark.parametrize(
    ("name", "mode"),
    [
        *(("a.jpg", "RGB"), ("b.jpg", "L"), ("c.jpg", "CMYK"), ("d.png", "RGB"), ("e.png", "RGBA")),
        *(("f.png", "P"), ("g.png", "1"), ("h.tiff", "I;16"), ("i.tiff", "F"), ("j.webp", "RGB")),
        *(("k.jp2", "RGB"), ("l.png", "LA"), ("m.tiff", "CMYK"), ("n.gif", "P"), ("o.tiff", "RGB")),
    ],
)
def test_what_is_too_large_is_read_reduced(
    name: str, mode: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the picture read whole and reduced by Pillow; JPEG's own reduction differs by rounding."""
    grey = Image.fromarray(wave(400, 300)).convert("L")
    if mode == "I;16":
        image = Image.fromarray(np.asarray(grey).astype("uint16") * 257)
    elif mode == "F":
        image = Image.fromarray(np.asarray(grey) / np.float32(255))
    else:
        image = Image.fromarray(wave(400, 300)).convert(mode)
    image.save(tmp_path / name)
    whole = read_file(tmp_path / name)
    monkeypatch.setattr(reading, "WHOLE", 8000)
    reduced = read_file(tmp_path / name)
    assert reduced.size == (100, 75)
    expected = np.asarray(whole.reduce(4)).astype(float)
    assert np.abs(np.asarray(reduced) - expected).mean() < 2


def test_bombs_and_what_is_beyond_the_limit_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    check_size((30_000, 30_000), 50_000_000)  # a scan
    with pytest.raises(UnreadableError, match="as a decompression bomb"):
        check_size((30_000, 30_000), 1_000_000)
    with pytest.raises(UnreadableError, match="over 1000 megapixels"):
        check_size((40_000, 30_000), 500_000_000)
    monkeypatch.setenv(reading.LIMIT, "1200")
    check_size((40_000, 30_000), 500_000_000)
    monkeypatch.setenv(reading.LIMIT, "many")
    with pytest.raises(UnreadableError, match="is no number"):
        check_size((40_000, 30_000), 500_000_000)


def test_without_memory_a_large_picture_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Image.fromarray(wave(400, 300)).save(tmp_path / "a.png")
    Image.fromarray(wave(400, 300)).save(tmp_path / "a.jpg")
    monkeypatch.setattr(reading, "WHOLE", 8000)
    monkeypatch.setattr("psutil.virtual_memory", lambda: SimpleNamespace(available=1000))
    with pytest.raises(UnreadableError, match="GB of memory"):
        read_file(tmp_path / "a.png")
    assert read_file(tmp_path / "a.jpg").size == (100, 75)


def lab16(path: Path) -> None:
    """Grey of L* = 50 and a saturated red, as the TIFF 6.0 specification has CIE L*a*b*."""
    lab = np.array([[[50, 0, 0], [50, 60, 40]]], "float64")
    values = lab * (65535 / 100, 256, 256)
    tifffile.imwrite(path, values.astype("int64").astype("uint16"), photometric="cielab")


TIFFS: list[tuple[str, Callable[[Path], object], list[list[int]]]] = [
    # By hand: L* = 50 is Y = 0.1842, as sRGB (1.055 Y^(1/2.4) − 0.055) · 255 = 118.9.
    # The red, by the formulas of CIE (D50), Bradford's matrix and sRGB's: (214, 60, 55).
    ("CIE L*a*b*", lab16, [[119, 119, 119], [214, 60, 55]]),
    (
        "float RGB",
        lambda path: tifffile.imwrite(
            path, np.array([[[0, 0.5, 1], [1, 0, 0.2]]], "float32"), photometric="rgb"
        ),
        [[0, 128, 255], [255, 0, 51]],
    ),
    (
        "float RGB beyond 1",
        lambda path: tifffile.imwrite(
            path, np.array([[[0, 2, 4], [4, 0, 1]]], "float32"), photometric="rgb"
        ),
        [[0, 128, 255], [255, 0, 64]],
    ),
    (
        "planes",
        lambda path: tifffile.imwrite(
            path,
            np.array([[[0, 1]], [[0.5, 0]], [[1, 0.2]]], "float32"),
            photometric="rgb",
            planarconfig="separate",
        ),
        [[0, 128, 255], [255, 0, 51]],
    ),
    (
        "32-bit integers",
        lambda path: tifffile.imwrite(
            path,
            np.array([[[0, 2**31, 2**32 - 1], [2**32 - 1, 0, 0]]], "uint32"),
            photometric="rgb",
        ),
        [[0, 128, 255], [255, 0, 0]],
    ),
    (
        "grey 32-bit integers",
        lambda path: tifffile.imwrite(
            path, np.array([[0, 2**31, 2**32 - 1]], "uint32"), photometric="minisblack"
        ),
        [[0] * 3, [128] * 3, [255] * 3],
    ),
]


@pytest.mark.parametrize(
    ("write", "expected"), [(w, e) for _, w, e in TIFFS], ids=[t[0] for t in TIFFS]
)
def test_tiffs_of_which_pillow_knows_not_the_pixels(
    write: Callable[[Path], object], expected: list[list[int]], tmp_path: Path
) -> None:
    write(tmp_path / "a.tiff")
    found = np.asarray(read_file(tmp_path / "a.tiff")).astype(int)
    assert np.abs(found[0] - expected).max() <= 2


HEADS = {
    "HEIC": b"\0\0\0\x18ftypheic\0\0\0\0",
    "JPEG XL": b"\xff\x0a\xfa\x1f",
    "a camera's raw picture": b"\0\0\0\x18ftypcrx \0\0\0\1",
    "a film": b"\0\0\0\x18ftypisom\0\0\2\0",
    "PDF": b"%PDF-1.7",
    "an SVG drawing": b'<?xml version="1.0"?>\n<!-- x -->\n<svg xmlns="x">',
    "a web page": b"\n<!DOCTYPE html>",
    "a pointer of Git LFS": b"version https://git-lfs.github.com/spec/v1",
    "zeros alone, an incomplete copy": bytes(100),
    "an archive": b"PK\x03\x04",
    "empty": b"",
}


@pytest.mark.parametrize("name", HEADS)
def test_other_formats_are_named_by_content(name: str) -> None:
    kind = kind_of(HEADS[name])
    assert kind is not None
    assert (kind.name, bool(kind.remedy)) == (name, True)
    assert kind_of(b"hello") is None


@pytest.mark.parametrize("tags", [{254: 1, 330: 8}, {50706: b"\1\4\0\0"}])
def test_a_raw_picture_is_not_its_preview(tags: dict[int, object], tmp_path: Path) -> None:
    """A TIFF whose first image is a reduced one of another, as in NEF; or that says it is DNG."""
    Image.new("RGB", (8, 8)).save(tmp_path / "a.png", "TIFF", tiffinfo=tags)
    with pytest.raises(UnreadableError, match="a camera's raw picture"):
        read_file(tmp_path / "a.png")


def test_a_folder_says_what_it_passed_over(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for name, head in (("a.pdf", "PDF"), ("b.pdf", "PDF"), ("c.mov", "a film")):
        (tmp_path / name).write_bytes(HEADS[head])
    (tmp_path / "notes.txt").write_text("hello")
    Image.new("RGB", (8, 8)).save(tmp_path / "d.jpg_original", "JPEG")
    with pytest.raises(DatasetError, match=r"5 files passed over \(2 × PDF: .*1 of other kinds"):
        folder.content(str(tmp_path))
    assert "passed over" in caplog.text
    Image.new("RGB", (8, 8)).save(tmp_path / "DSC_0001", "JPEG")
    assert [one.name for one in folder.content(str(tmp_path)).images] == ["DSC_0001"]
    assert passed_over([tmp_path / "notes.txt", tmp_path / "DSC_0001"]) == ""


@pytest.mark.real_data
def test_real_odd_files() -> None:
    """All are read, without a warning, but for one that is cut short, and without a plug-in."""
    for file in sorted((SHARED / "odd").iterdir()):
        content = folder.photographs([str(file)])
        [found] = read_all(content.images, lambda image: image.read().size)
        if isinstance(found, str):
            plugin = "[formats]" in found and file.suffix in (".heic", ".tiff")
            assert plugin or (file.stem == "truncated" and "is truncated" in found), found
        else:
            assert min(found) >= 1
            assert file.stem != "truncated"
