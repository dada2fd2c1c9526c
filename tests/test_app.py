"""The app without a browser: its pictures are the command's, strangers and other files refused."""

import shlex
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from signal import SIGTERM
from socket import socket
from threading import Event
from typing import Any

import numpy as np
import pytest
import requests
from PIL import Image

pytest.importorskip("gradio", reason="no Gradio: pip install -e '.[app]'")

from benchmark import stylize
from benchmark.app import __main__ as app
from benchmark.app import choices, gallery
from benchmark.app.choices import (
    QUALITIES,
    ArtistChoice,
    Choices,
    Settings,
    command_of,
    request_of,
)
from benchmark.app.device import Device, Job, PostponedError
from benchmark.app.service import Finished, Service, Update
from benchmark.app.uploads import Limits, Sessions, safe_name
from benchmark.sweeps.stages import Stage
from benchmark.tracking.tracker import Tracker
from benchmark.transfer import loop
from benchmark.user_input import InputError
from datasets import ImageSet
from tests.commands import Process, started, store, until
from tests.workspace import WORKSPACE

OPTIONS = (
    *("backbone=vgg_shallow", "backbone.weights=random", "cache=null", "scales=[0.7,1]"),
    "optimizer.learning_rate=0.02",
)
TINY = Settings(size=48, quality="quick", most_paintings=2)
EPOCHS = 30  # 15 at each of two scales


@pytest.fixture
def photograph(tmp_path: Path, random: np.random.Generator) -> Path:
    """A transparent one whose name a shell would take apart."""
    file = tmp_path / "uploads" / "my photo (1).png"
    file.parent.mkdir()
    pixels = random.integers(0, 256, (40, 60, 4), dtype=np.uint8)
    Image.fromarray(pixels).save(file)
    return file


@pytest.fixture
def service(tmp_path: Path, picture_folder: Path) -> Iterator[Service]:
    artists = gallery.artists(str(picture_folder), None)
    sessions = Sessions(tmp_path / "sessions")
    made = Service(
        artists, sessions, workspace=WORKSPACE, extra=OPTIONS, log_options=(store(tmp_path),)
    )
    yield made
    made.close()


def test_artists_of_one_name_are_told_apart(picture_folder: Path) -> None:
    (picture_folder / "Ada").rename(picture_folder / "amber nocturne")
    artists = gallery.artists(str(picture_folder), None)
    own = choices.named(artists, "amber nocturne (2)")
    assert not own.is_built_in
    assert choices.named(artists, "amber nocturne").is_built_in
    assert len(own.paintings.images) == 12


def last(updates: Iterator[Update], on: Callable[[Stage], None] = lambda stage: None) -> Update:
    """The last of some updates; each picture on the way is seen."""
    for update in updates:
        if update.stage:
            on(update.stage)
    return update


def painted_by(finished: Finished, folders: Sequence[Path], out: Path) -> np.ndarray:
    """What the command line that the app shows makes of the files as the user has them."""
    words = shlex.split(finished.command)
    assert words[:3] == ["python", "-m", "benchmark.stylize"]
    assert "dataset.blend=[0.75,0.25]" in words
    files = {file.name: str(file) for folder in folders for file in folder.iterdir()}
    words = [files.get(word, word) for word in words]
    assert stylize.main([*words[3:], "-o", str(out), "--no-log", "--force"]) == 0
    return np.asarray(Image.open(out))


@pytest.mark.filterwarnings("ignore:For backward compatibility, 'str' dtypes")  # MLflow's log_table
def test_stopped_and_gone_on_with_it_is_what_the_command_paints(
    service: Service,
    photograph: Path,
    picture_folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("benchmark.sweeps.painting.Workspace", lambda: WORKSPACE)
    show, block = Job.show, loop.BLOCK_SECONDS

    def stopped_soon(self: Job[Stage], stage: Stage) -> bool:
        return show(self, stage) and stage.epochs <= 15

    monkeypatch.setattr(loop, "BLOCK_SECONDS", 0.0)
    monkeypatch.setattr(Job, "show", stopped_soon)

    mixed = Settings(size=48, quality="quick", colours="the photograph's", most_paintings=2)
    own = [str(picture_folder / "Ada" / f"Ada_{number}.png") for number in (10, 2)]
    choices = Choices(str(photograph), "Bruno", "loose drips", 0.25, own, mixed)
    first = last(service.paint("page", choices))
    assert first.stage is not None
    assert first.stage.epochs == 16  # the first of the second scale after its beginning
    monkeypatch.setattr(loop, "BLOCK_SECONDS", block)
    monkeypatch.setattr(Job, "show", show)
    whole = last(service.go_on("page", 5))
    further = last(service.go_on("page", 5))
    assert further.stage is not None
    assert (whole.stage and whole.stage.epochs, further.stage.epochs) == (EPOCHS, EPOCHS + 5)
    for finished in (first.finished, further.finished):
        assert finished is not None
        shown = np.asarray(Image.open(finished.png))
        assert shown.shape == (32, 48, 4)
        folders = photograph.parent, picture_folder / "Ada"
        again = painted_by(finished, folders, tmp_path / "out.png")
        np.testing.assert_array_equal(shown, again)

    service.log("page")
    [run] = Tracker(service.log_options[0].partition("=")[2], None).all_runs()
    assert (run.status, run.results.epochs_done) == ("finished", EPOCHS + 5)
    assert run.results.final_total_loss == pytest.approx(further.stage.losses[-1, 0], rel=1e-5)


def test_pictures_on_the_way_differ_and_own_paintings_are_an_artist(
    service: Service, photograph: Path, picture_folder: Path, tmp_path: Path
) -> None:
    own = [str(picture_folder / "Ada" / f"Ada_{number}.png") for number in (10, 2)]
    pictures: list[bytes] = []
    asked = service.paint("page", Choices(str(photograph), "Bruno", own=own, settings=TINY))
    done = last(asked, lambda stage: pictures.append(stage.pixels.tobytes()))
    assert len(set(pictures)) >= 2
    assert done.stage is not None
    assert done.stage.prepared.paintings[0].names == ("Ada_10", "Ada_2")
    words = shlex.split(done.finished.command) if done.finished else []
    place = words.index("--style")
    assert words[3 : place + 3] == [photograph.name, "--style", "Ada_10.png", "Ada_2.png"]
    with Image.open(done.finished.jpeg if done.finished else "") as jpeg:
        assert (jpeg.format, jpeg.size) == ("JPEG", (48, 32))


@pytest.mark.parametrize(
    ("name", "made", "words"),
    [
        ("text.png", lambda file: file.write_text("#!/bin/sh"), "no picture"),
        ("page.svg", lambda file: file.write_text("<svg onload='x()'/>"), "SVG"),
        ("bomb.eps", lambda file: file.write_text("%!PS-Adobe-3.0 EPSF-3.0"), "PostScript"),
        ("cut.png", lambda file: file.write_bytes(_png()[:2000]), "damaged"),
        ("wide.png", lambda file: file.write_bytes(_png(101, 100)), "megapixels"),
        ("big.png", lambda file: file.write_bytes(_png() + bytes(10**6)), "MB"),
        ("away.png", lambda file: file.symlink_to("/etc/passwd"), "no such file"),
    ],
)
def test_what_is_no_picture_is_refused(
    service: Service, tmp_path: Path, name: str, made: Any, words: str
) -> None:
    service.limits = Limits(megabytes=1, megapixels=0.01)
    made(tmp_path / name)
    with pytest.raises(InputError) as refused:
        service.accept("page", Choices(str(tmp_path / name)))
    assert (refused.value.option, refused.value.value) == ("photograph", name)
    assert words in refused.value.reason
    assert not [*service.sessions.folder.rglob("*")]


def _png(width: int = 90, height: int = 100) -> bytes:
    from io import BytesIO

    buffer, random = BytesIO(), np.random.default_rng(2)
    pixels = random.integers(0, 256, (height, width, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def test_what_is_missing_is_said(service: Service, photograph: Path) -> None:
    def refused(*choices: Any) -> str:
        with pytest.raises(InputError) as error:
            last(service.paint("page", Choices(*choices)))
        return error.value.reason

    photo = str(photograph)
    assert "photograph first" in refused(None, "Ada")
    assert "choose an artist" in refused(photo, "")
    assert "no such artist" in refused(photo, "../Ada")
    assert "no such artist" in refused(photo, "Ada", "/etc")
    assert "at most 60" in refused(photo, "", "", 0.5, [photo] * 61)
    for missing in (lambda: last(service.go_on("new", 5)), lambda: service.log("new")):
        with pytest.raises(InputError, match="paint a picture first"):
            missing()


def test_mixtures_are_named_as_the_command_does(tmp_path: Path) -> None:
    drips = ArtistChoice("loose drips", ImageSet("", ()), "sample/loose drips")
    monet = ArtistChoice("Claude Monet", ImageSet("", ()), "Claude Monet", ("dataset.root=/a",))
    photo, own, settings = tmp_path / "a b.jpg", [tmp_path / "c d.jpg"], Settings(strength=-1)
    names = {str(file): file.name for file in (photo, *own)}

    def words(*chosen: Any) -> list[str]:
        first, second, share, paintings = chosen
        request = request_of(photo, first, second, share, paintings, settings)
        assert "loss.style_weight=5e+07" in request.overrides
        return shlex.split(command_of(request, names))

    blended = words(drips, monet, 0.3, [])
    styles = ["--style", "sample/loose drips", "--style", "Claude Monet"]
    assert blended[3:8] == ["a b.jpg", *styles]
    assert blended[-2:] == ["dataset.root=/a", "dataset.blend=[0.70,0.30]"]
    assert words(drips, monet, 0.3, own)[4:8] == ["--style", "c d.jpg", "--style", "Claude Monet"]
    assert words(None, drips, 0.3, own)[4:8] == [
        "--style",
        "c d.jpg",
        "--style",
        "sample/loose drips",
    ]
    for alone in (words(monet, monet, 0.3, []), words(monet, None, 0.3, [])):
        assert alone.count("--style") == 1
        assert alone[-1] == "dataset.root=/a"


def test_a_session_goes_with_its_files_and_leaves_those_of_others(
    service: Service, photograph: Path
) -> None:
    for key in ("one", "two"):
        service.sessions.of(key).keep(str(photograph), "photograph", service.limits)
    service.sessions.close("one")
    assert photograph.exists()
    assert len([*service.sessions.folder.iterdir()]) == 1
    own = photograph.with_name("thumbnail.png")
    own.write_bytes(photograph.read_bytes())
    service.sessions.kept = {own}
    service.sessions.of("two").keep(str(own), "photograph", service.limits)
    service.sessions.of("two").used -= 1e6
    service.sessions.close_forgotten()
    assert own.exists()
    assert not photograph.exists()
    assert not [*service.sessions.folder.iterdir()]


@pytest.mark.parametrize(
    ("given", "safe"),
    [
        ("../../etc/passwd", "_.etcpasswd"),
        ("-rf.png", "rf.png"),
        ("a\nb<c>.jpg", "a_b_c_.jpg"),
        (".png", "picture.png"),
        ("grün (1).webp", "grün (1).webp"),
    ],
)
def test_names_of_uploads_are_made_harmless(given: str, safe: str) -> None:
    assert safe_name(given) == safe


def test_one_thing_at_a_time_and_what_is_put_aside_last() -> None:
    device, order = Device(), list[str]()
    jobs = [Job[str](60.0) for _ in range(3)]

    def noted(what: str) -> str:
        order.append(what)
        return what

    def fails() -> str:
        raise MemoryError("too large")

    held = Event()
    device.do(jobs[0], lambda: noted("first") if held.wait(10) else "")
    device.do_aside(lambda: noted("aside"))
    device.do(jobs[1], lambda: noted("second"))
    device.do(jobs[2], fails)
    held.set()
    assert [job.result.result(10) for job in jobs[:2]] == ["first", "second"]
    with pytest.raises(MemoryError):
        jobs[2].result.result(10)
    while len(order) < 3:
        held.wait(0.01)
    device.close()
    assert order == ["first", "second", "aside"]


def test_what_is_put_aside_gives_way_and_is_begun_again() -> None:
    device, order, begun, done = Device(), list[str](), Event(), Event()

    def aside() -> None:
        order.append("begun")
        begun.set()
        while "job" not in order:
            if device.is_wanted:
                raise PostponedError
        done.set()

    device.do_aside(aside)
    assert begun.wait(10)
    device.do(Job[None](60.0), lambda: order.append("job"))
    assert done.wait(10)
    device.close()
    assert order[0] == "begun"
    assert order[-2:] == ["job", "begun"]


def test_what_is_chosen_is_made_ready_and_not_waited_for(
    service: Service, photograph: Path, tmp_path: Path
) -> None:
    cache = tmp_path / "cache"
    service.extra = (*service.extra, f"cache={cache}")
    choices, ready, held = Choices(str(photograph), "Ada", settings=TINY), Event(), Event()
    service.device.do(Job[bool](60.0), lambda: held.wait(10))
    service.device.do_aside(ready.set)
    service.make_ready("page", replace(choices, first="Bruno"))
    service.make_ready("page", choices)
    held.set()
    assert ready.wait(60)

    kept = set(cache.rglob("features/*.npz"))
    assert kept
    last(service.paint("page", choices))
    assert set(cache.rglob("features/*.npz")) == kept


def test_a_page_that_is_closed_ends_its_picture_and_leaves_no_file(
    service: Service, photograph: Path
) -> None:
    long = replace(TINY, quality="best")
    updates = service.paint("page", Choices(str(photograph), "Ada", settings=long))
    assert next(update.stage for update in updates if update.stage)
    job = service.sessions.of("page").job
    service.sessions.close("page")
    assert job is not None
    assert job.result.result(10).epochs < 2 * QUALITIES["best"].epochs
    assert not [file for file in service.sessions.folder.rglob("*") if file.name != "warm.png"]
    assert not photograph.exists()


def test_a_job_ends_when_stopped_late_or_left_alone() -> None:
    job, late, alone = Job[int](60.0), Job[int](-1.0), Job[int](60.0)
    assert job.show(1)
    assert job.show(2)
    assert job.newest(0.0) == 2
    assert job.newest(0.0) is None
    job.stop()
    alone._seen -= 31
    assert [one.show(3) for one in (job, late, alone)] == [False, False, False]


@pytest.mark.parametrize(
    ("arguments", "option"),
    [
        ("--host 0.0.0.0", "--host"),
        ("--host 192.168.1.7 --share no", "--host"),
        ("--share yes", "--share"),
        ("--auth anna", "--auth"),
        ("--auth anna:", "--auth"),
        ("--port 0", "--port"),
        ("--size 31", "--size"),
        ("--paintings nowhere", "dataset.root"),
        ("imagesize=48", "image_size"),
    ],
)
def test_it_is_open_to_nobody_else_without_a_password(
    arguments: str, option: str, capsys: Any
) -> None:
    with pytest.raises(SystemExit) as ended:
        app.main(arguments.split())
    assert ended.value.code == 2
    error = capsys.readouterr().err
    assert option in error
    assert len(error.splitlines()) == 1


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[str, Path, Process]]:
    """The address of the real app, the folder of its files, and its process."""
    with socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    log = tmp_path / "log.txt"
    arguments = ("--port", port, "--auth", "anna:secret", *OPTIONS, "image_size=48")
    environment = {"GRADIO_TEMP_DIR": str(tmp_path)}
    process = started("benchmark.app", *arguments, output=log, environment=environment)
    try:
        until(process, log, "The app:")
        yield f"http://127.0.0.1:{port}", next(tmp_path.glob("benchmark-app-*")), process
    finally:
        process.kill()
        process.wait(10)


def test_no_other_file_can_be_read_and_nothing_comes_from_elsewhere(
    served: tuple[str, Path, Process], tmp_path: Path
) -> None:
    url, folder, process = served
    secret = tmp_path / "secret.txt"
    secret.write_text("secret")
    (folder / "link.txt").symlink_to(secret)
    assert requests.get(f"{url}/config", timeout=10).status_code == 401
    session = requests.Session()
    session.post(f"{url}/login", data={"username": "anna", "password": "secret"}, timeout=10)
    shown = session.get(f"{url}/", timeout=10)
    assert shown.status_code == 200
    assert "default-src 'self'" in shown.headers["content-security-policy"]
    assert "fonts.googleapis.com" not in shown.text
    for place in (
        *(str(secret), "/etc/passwd", f"{folder}/../secret.txt", f"{folder}/%2e%2e/secret.txt"),
        *(f"{folder}/link.txt", "../secret.txt", "pyproject.toml", "http://example.org/x"),
    ):
        for route in ("gradio_api/file=", "gradio_api/file/", "file="):
            request = session.prepare_request(requests.Request("GET", url))
            request.url = f"{url}/{route}{place}"  # which would be normalised
            answer = session.send(request, timeout=10)
            assert answer.status_code in (403, 404), (route, place)
            assert "secret" not in answer.text.replace("secret.txt", "")

    process.send_signal(SIGTERM)
    assert process.wait(60) == 0
    assert not folder.exists()
