"""Films: read, painted with one step, resumed to the same bytes, written with their sound."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from benchmark.tracking.tracker import Tracker
from benchmark.video.source import Selection, open_film
from benchmark.video.work import Work, is_output
from benchmark.video.writing import Sound, write_film
from tests.commands import inside, store

TINY = (
    *("image_size=32", "epochs=3", "total_epochs=2", "video.epochs_after=2"),
    "backbone=vgg_shallow",
    *("backbone.weights=random", "dataset.paintings=2", "cache=null", "estimate=skip"),
)

TICK = Fraction(1, 10)


def pictures(count: int, height: int = 36, width: int = 48) -> list[np.ndarray]:
    """Frames in which a bright square moves by two pixels a frame over a pattern that stays."""
    rows, columns = np.mgrid[:height, :width]
    ground = np.stack([rows * 4, columns * 3, 120 + 60 * np.sin(rows / 3) * np.cos(columns / 4)], 2)
    found = []
    for number in range(count):
        frame = ground.astype("uint8")
        frame[8:20, 4 + 2 * number : 16 + 2 * number] = (250, 240, 30)
        found.append(frame)
    return found


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five frames, the fourth shown for three ticks, with a second of a tone."""
    file = tmp_path_factory.mktemp("clip") / "clip.mp4"
    with av.open(str(file), "w") as container:
        video, audio = (
            container.add_stream("h264", rate=10),
            container.add_stream("aac", rate=44100),
        )
        video.height, video.width, video.pix_fmt = 36, 48, "yuv420p"
        video.codec_context.time_base = TICK
        for time, picture in zip((0, 1, 2, 3, 6), pictures(5), strict=True):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = time, TICK
            container.mux(video.encode(frame))
        wave = np.sin(np.arange(44100) / 10).astype("float32")[None]
        tone = av.AudioFrame.from_ndarray(wave, format="fltp", layout="mono")
        tone.rate, tone.pts = 44100, 0
        container.mux([*video.encode(None), *audio.encode(tone), *audio.encode(None)])
    return file


def test_a_film_is_read_as_it_is_shown(clip: Path) -> None:
    film = open_film(clip, Selection())
    assert [time for time, _ in film.shown] == [n * TICK for n in (0, 1, 2, 3, 6)]
    assert (film.size, film.frames, film.damage) == ((36, 48), 5, "")
    for found, made in zip(film.pictures(48), pictures(5), strict=True):
        assert np.abs(found.astype(int) - made).mean() < 6  # of the codec and its chroma
    # At even times each is the last frame by then; from 0.1 s on, frames 1, 2 and 3 are wanted.
    part = open_film(clip, Selection(TICK, 5 * TICK, Fraction(5)))
    assert part.shown == [(Fraction(0), 0), (Fraction(1, 5), 1)]
    assert part.frames == 2
    first = next(part.pictures(48)).astype(int)
    assert np.abs(first - pictures(2)[1]).mean() < 6
    assert film.sides(33) == (32, 32)  # even, and no side under 32
    # More than there are: each is painted once and shown again.
    twice = open_film(clip, Selection(end=2 * TICK, fps=Fraction(20)))
    assert [number for _, number in twice.shown] == [0, 0, 1, 1]


def test_sound_and_times_are_kept(clip: Path, tmp_path: Path) -> None:
    film = open_film(clip, Selection(TICK))
    frames = list(film.pictures(48))
    for name, codec, sound in (("a.mp4", "h264", "aac"), ("a.webm", "vp9", "opus")):
        out = tmp_path / name
        note = write_film(
            out, frames.__getitem__, film.shown, film.duration, codec, Sound(clip, TICK)
        )
        assert bool(note) == (sound != "aac")
        again = open_film(out, Selection())
        for (found, number), (time, shown) in zip(again.shown, film.shown, strict=True):
            assert number == shown
            assert abs(found - time) < Fraction(1, 900)
        with av.open(str(out)) as container, av.open(str(clip)) as source:
            [stream] = container.streams.audio
            assert stream.codec_context.name == sound
            if not note:  # To the byte: it was copied, from the packet on that is heard at 0.1 s.
                copied = [bytes(p) for p in container.demux(stream) if p.size]
                whole = [bytes(p) for p in source.demux(source.streams.audio[0]) if p.size]
                first = whole.index(copied[0])
                assert copied == whole[first : first + len(copied)]
                assert first in (4, 5)  # of 1024 samples at 44.1 kHz, after one before time 0


def test_sound_of_six_channels_is_encoded_where_it_cannot_be_copied(tmp_path: Path) -> None:
    """The layout of AC-3 is 5.1(side), which Opus does not know."""
    with av.open(str(tmp_path / "a.mkv"), "w") as container:
        video, audio = (
            container.add_stream("h264", rate=10),
            container.add_stream("ac3", rate=48000, layout="5.1(side)"),
        )
        video.height, video.width, video.pix_fmt = 36, 48, "yuv420p"
        for number, picture in enumerate(pictures(3)):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = number, TICK
            container.mux(video.encode(frame))
        wave = np.zeros((6, 14400), "float32")
        tone = av.AudioFrame.from_ndarray(wave, format="fltp", layout="5.1(side)")
        tone.rate, tone.pts = 48000, 0
        container.mux([*video.encode(None), *audio.encode(tone), *audio.encode(None)])
    film = open_film(tmp_path / "a.mkv", Selection())
    frames, sound = list(film.pictures(48)), Sound(tmp_path / "a.mkv", Fraction(0))
    out = tmp_path / "a.webm"
    note = write_film(out, frames.__getitem__, film.shown, film.duration, "vp9", sound)
    assert "ac3" in note
    with av.open(str(out)) as written:
        assert written.streams.audio[0].codec_context.layout.nb_channels == 6


def turned(film: Path, file: Path) -> None:
    """A copy that says, as telephones do, that it is to be turned clockwise by a quarter."""
    content = bytearray(film.read_bytes())
    matrix = content.index(b"tkhd") + 44
    numbers = (0, 0x10000, 0, -0x10000, 0, 0, 0, 0, 0x40000000)
    content[matrix : matrix + 36] = b"".join(n.to_bytes(4, "big", signed=True) for n in numbers)
    file.write_bytes(content)


def test_frames_are_upright_and_opaque(tmp_path: Path) -> None:
    frame = np.zeros((32, 64, 3), "uint8")
    frame[:16, :16] = (255, 0, 0)  # at the upper left, so after the turn at the upper right
    write_film(tmp_path / "lying.mp4", lambda _: frame, [(Fraction(0), 0)], TICK)
    turned(tmp_path / "lying.mp4", tmp_path / "portrait.mp4")
    film = open_film(tmp_path / "portrait.mp4", Selection())
    [upright] = film.pictures(64)
    assert upright.shape == (64, 32, 3)
    assert upright[8, 24, 0] > 200 > 50 > upright[8, 8, 0]
    with av.open(str(tmp_path / "clear.mkv"), "w") as container:
        stream = container.add_stream("ffv1", rate=10)
        stream.width, stream.height, stream.pix_fmt = 32, 32, "bgra"
        clear = av.VideoFrame.from_ndarray(np.zeros((32, 32, 4), "uint8"), format="bgra")
        container.mux(stream.encode(clear))
        container.mux(stream.encode(None))
    [white] = open_film(tmp_path / "clear.mkv", Selection()).pictures(32)
    assert (white == 255).all()


def small(clip: Path, *arguments: str) -> int:
    return inside("benchmark.video", str(clip), "--style", "sample", *arguments, *TINY).returncode


def png(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in sorted(folder.glob("[0-9]*.png"))}


class KilledError(BaseException):
    """In the place of a signal that nothing can catch."""


@pytest.mark.filterwarnings("ignore:For backward compatibility, 'str' dtypes")  # MLflow's log_table
def test_a_killed_film_goes_on_to_the_same_bytes(
    clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, out, log = tmp_path / "whole", tmp_path / "out.mp4", store(tmp_path)
    assert small(clip, "--frames", str(whole), "-o", str(tmp_path / "whole.mp4"), log) == 0
    frames = png(whole)
    assert len(frames) == 5
    assert is_output(whole, tmp_path / "whole.mp4")
    (tmp_path / "mine.mp4").write_bytes(b"mine")
    assert small(clip, "--frames", str(whole), "-o", str(tmp_path / "mine.mp4"), "--no-log") == 2
    assert (tmp_path / "mine.mp4").read_bytes() == b"mine"
    # Each from the one before: a film that began anew everywhere would differ.
    written = Work.write

    def killed(self: Work, number: int, *rest: object) -> None:
        if number == 2:
            (self.folder / ".000003.1-1.0@nowhere.part.png").write_bytes(b"half")
            raise KilledError
        written(self, number, *rest)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(Work, "write", killed)
        with pytest.raises(KilledError):
            small(clip, "-o", str(out), "--no-log")
    work = tmp_path / "out.mp4.frames"
    assert list(png(work)) == ["000001.png", "000002.png"]
    seen: list[dict[str, bytes]] = []
    monkeypatch.setattr(Work, "remove", lambda self: seen.append(png(self.folder)))
    assert small(clip, "-o", str(out), "--no-log") == 0
    assert seen == [frames]
    film = open_film(out, Selection())
    assert [time for time, _ in film.shown] == [n * TICK for n in (0, 1, 2, 3, 6)]

    [run] = Tracker(f"sqlite:///{tmp_path / 'mlflow.db'}", None).all_runs()
    assert (run.status, run.contents, run.results.epochs_done) == ("finished", ("clip",), 10)
    tracker = Tracker(f"sqlite:///{tmp_path / 'mlflow.db'}", None)
    assert (run.fingerprint, (run.results.seconds or 0) > 0) == ("", True)
    assert {"side_by_side.mp4", "strip.png", "frames.json"} <= tracker.artifacts(run.run_id)
    table = tracker.read_table(run.run_id, "frames.json")
    assert list(table["begins"]) == [True, False, False, False, False]
    assert (table["warping_error"][1:] > 0).all()


REFUSED = [
    ("{tmp}/none.mp4 -o {tmp}/o.mp4", "FILM={tmp}/none.mp4", "no such file"),
    ("{tmp}/text.mp4 -o {tmp}/o.mp4", "FILM={tmp}/text.mp4", "cannot be read as a film"),
    ("{tmp}/half.mp4 -o {tmp}/o.mp4", "FILM={tmp}/half.mp4", "cannot be read as a film"),
    ("{tmp}/tone.mp4 -o {tmp}/o.mp4", "FILM={tmp}/tone.mp4", "no video stream, only audio"),
    ("{tmp}/photo.png -o {tmp}/o.mp4", "FILM={tmp}/photo.png", "benchmark.stylize paints it"),
    ("{tmp}/empty -o {tmp}/o.mp4", "FILM", "no images in this folder"),
    ("{tmp}/sizes -o {tmp}/o.mp4", "FILM", "frames must have one size"),
    ("{clip} -o {clip} --force", "--output {clip}", "is the film that is read"),
    ("{clip} -o {tmp}/nowhere/o.mp4", "--output {tmp}/nowhere", "no such folder"),
    ("{clip} -o {tmp}", "--output {tmp}", "is a folder"),
    ("{clip} -o {tmp}/o.xyz", "--output {tmp}/o.xyz", "no film format"),
    ("{clip} -o {tmp}/o.png", "--output {tmp}/o.png", "no film format"),
    ("{clip} -o {tmp}/text.mp4", "--output {tmp}/text.mp4", "is there already"),
    ("{clip} --frames {tmp}", "--frames {tmp}", "has other files in it"),
    ("{clip} -o {tmp}/o.mp4 --codec h265x", "--codec h265x", "Usual ones: h264"),
    ("{clip} -o {tmp}/o.mp4 --codec aac", "--codec aac", "Usual ones: h264"),
    ("{clip} -o {tmp}/o.webm", "--codec h264", ".webm cannot hold it"),
    ("{clip} -o {tmp}/o.mp4 --from 9", "FILM={clip}", "no frame in the part"),
    ("{clip} -o {tmp}/o.mp4 --from 2 --to 1", "--to: must be after --from", ""),
    ("{clip} -o {tmp}/o.mp4 --from 1:x", "--from 1:x", "or h:m:s"),
    ("{clip} -o {tmp}/o.mp4 --fps 0", "--fps: must be > 0", ""),
    ("{clip}", "name the film to write", ""),
    ("{clip} -o {tmp}/o.mp4 content.count=2", "content.count=2", "the film's frames"),
    ("{clip} -o {tmp}/o.mp4 shape=square", "shape=square", "aspect ratio"),
    ("{clip} -o {tmp}/o.mp4 consistency=flaw", "consistency=flaw", "none, warm, flow"),
]


@pytest.fixture(scope="module")
def wrong(clip: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what is no film."""
    folder = tmp_path_factory.mktemp("wrong")
    (folder / "text.mp4").write_text("not a film")
    (folder / "half.mp4").write_bytes(clip.read_bytes()[: clip.stat().st_size // 2])
    with av.open(str(folder / "tone.mp4"), "w") as container:
        stream = container.add_stream("aac", rate=44100)
        silence = np.zeros((1, 4096), "float32")
        tone = av.AudioFrame.from_ndarray(silence, format="fltp", layout="mono")
        tone.rate, tone.pts = 44100, 0
        container.mux([*stream.encode(tone), *stream.encode(None)])
    Image.new("RGB", (40, 40)).save(folder / "photo.png")
    (folder / "empty").mkdir()
    (folder / "sizes").mkdir()
    for side in (40, 50):
        Image.new("RGB", (side, 40)).save(folder / "sizes" / f"{side}.png")
    return folder


@pytest.mark.parametrize("row", REFUSED, ids=lambda row: row[0][:60])
def test_what_is_no_film_is_refused(row: tuple[str, str, str], clip: Path, wrong: Path) -> None:
    line, beginning, words = (
        part.replace("{tmp}", str(wrong)).replace("{clip}", str(clip)) for part in row
    )
    before, films = sorted(wrong.rglob("*")), clip.read_bytes()
    done = inside("benchmark.video", *line.split(), "--style", "sample", *TINY, "--no-log")
    assert done.returncode == 2, done.stdout + done.stderr
    [said] = done.stderr.strip().splitlines()
    assert beginning in said
    assert words in said
    assert (sorted(wrong.rglob("*")), clip.read_bytes()) == (before, films)
