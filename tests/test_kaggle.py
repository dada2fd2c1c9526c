"""Archives from Kaggle, from a stand-in on loopback: all that can go wrong, and what it leaves."""

import base64
import errno
import fcntl
import hashlib
import io
import json
import re
import shutil
import socket
import threading
import zipfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import chain, repeat
from pathlib import Path
from typing import Any

import kagglehub
import numpy as np
import pytest
from kagglesdk import kaggle_env

from datasets import DatasetError, fetch, kaggle
from datasets.kaggle import KaggleArchive

NAME = "best_artworks"
HANDLE = "ikarus777/best-artworks-of-all-time/versions/1"
Refusal = tuple[int, dict[str, str]]
Body = Callable[[bytes], bytes]


def zipped(files: dict[str, bytes]) -> bytes:
    with zipfile.ZipFile(buffer := io.BytesIO(), "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()


NOISE = np.random.default_rng(5).bytes(600_000)
FILES = {"artists.csv": b"id,name"} | {f"images/Ada/Ada_{n}.jpg": NOISE for n in range(1, 6)}
ARCHIVE = zipped(FILES)


def whole(data: bytes) -> bytes:
    return data


def cut(data: bytes) -> bytes:
    return data[: 2 * len(data) // 3]


def nothing(data: bytes) -> bytes:
    return b""


def spoilt(data: bytes) -> bytes:
    return data[::-1]


@dataclass
class StandIn:
    """Plays Kaggle: what it holds, what it answers in turn, what it was asked and what was said."""

    archive: bytes = ARCHIVE
    checksum: bool = True
    refusals: Iterator[Refusal] = field(default_factory=lambda: iter(()))
    bodies: Iterator[Body] = field(default_factory=lambda: iter(()))
    resumed: Iterator[int] = field(default_factory=lambda: iter(()))
    asked: list[str] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    waits: list[float] = field(default_factory=list)

    def fetch(self, root: Path | None = None) -> Path:
        self.asked.clear()
        return kaggle.fetch(NAME, root, self.said.append)

    def refuses(self, root: Path | None = None) -> str:
        """The one line that a fetch ends with."""
        with pytest.raises(DatasetError) as raised:
            self.fetch(root)
        assert "\n" not in raised.value.reason
        return raised.value.reason


def handler_for(stand_in: StandIn) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: Any) -> None:
            pass

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            method = self.path.removeprefix("/v1/datasets.DatasetApiService/")
            stand_in.asked.append("authorized" if "Authorization" in self.headers else method)
            status, headers = next(stand_in.refusals, (302, {"Location": "/archive"}))
            return self.answer(status, headers, {"code": 503 if status == 200 else status})

        def answer(self, status: int, headers: dict[str, str], body: dict[str, int]) -> None:
            self.send_response(status)
            for key, value in {"Content-Type": "application/json", **headers}.items():
                self.send_header(key, value)
            self.end_headers()
            self.wfile.write(json.dumps({"message": "", **body}).encode())

        def do_GET(self) -> None:
            wanted = self.headers.get("Range", "")
            # Kaggle's SDK follows the redirection, and its answer is dropped for its address.
            by_sdk = "python-requests" not in self.headers["User-Agent"]
            if not by_sdk:
                stand_in.asked.append(f"GET {wanted}".strip())
            rest = stand_in.archive[int(wanted[6:-1] or 0) :]
            digest = base64.b64encode(hashlib.md5(stand_in.archive).digest()).decode()
            body = rest if by_sdk else next(stand_in.bodies, whole)(rest)
            self.send_response(next(stand_in.resumed, 206) if wanted else 200)
            self.send_header("Content-Length", str(len(rest)))
            self.send_header("Accept-Ranges", "bytes")
            if stand_in.checksum:
                self.send_header("x-goog-hash", f"crc32c=n03x6A==,md5={digest}")
            self.end_headers()
            with suppress(ConnectionError):
                self.wfile.write(body)

    return Handler


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[StandIn]:
    """Kaggle on loopback, an empty cache, no credentials, and waits that take no time."""
    monkeypatch.setenv("KAGGLEHUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("KAGGLE_CONFIG_DIR", str(tmp_path / "none"))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for variable in ("KAGGLE_USERNAME", "KAGGLE_KEY", "KAGGLE_API_TOKEN"):
        monkeypatch.delenv(variable, raising=False)
    found = StandIn()
    monkeypatch.setattr("time.sleep", found.waits.append)
    with ThreadingHTTPServer(("127.0.0.1", 0), handler_for(found)) as http:
        threading.Thread(target=http.serve_forever, args=(0.01,), daemon=True).start()
        use_endpoint(monkeypatch, f"http://127.0.0.1:{http.server_port}")
        yield found
        http.shutdown()


def use_endpoint(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    monkeypatch.setitem(kaggle_env._env_to_endpoint, kaggle_env.KaggleEnv.PROD, address)


def content(folder: Path) -> dict[str, bytes]:
    """All files below a folder."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """Where kagglehub keeps the archive while it downloads."""
    return tmp_path / "cache/datasets/ikarus777/best-artworks-of-all-time/1.archive"


def fails_after(
    count: int, function: Callable[..., Any], error: BaseException
) -> Callable[..., Any]:
    """A function that works so many times, then raises."""
    left = [None] * count

    def failing(*arguments: Any, **options: Any) -> Any:
        if not left:
            raise error
        left.pop()
        return function(*arguments, **options)

    return failing


@pytest.mark.parametrize("below", ["best-artworks-of-all-time", f"datasets/{HANDLE[:35]}"])
@pytest.mark.parametrize("variable", ["KAGGLE_CACHE_MOUNT_FOLDER", "COLAB_CACHE_MOUNT_FOLDER"])
def test_what_a_notebook_has_mounted_is_not_downloaded(
    below: str, variable: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KAGGLEHUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv(variable, str(tmp_path / "input"))
    (tmp_path / "input" / below).mkdir(parents=True)
    assert kaggle.cached(NAME) is None
    (tmp_path / "input" / below / "artists.csv").touch()
    assert kaggle.unpacked(NAME, None) == kaggle.cached(NAME) == tmp_path / "input" / below


def test_an_archive_is_downloaded_once_then_cached(
    stand_in: StandIn,
    archive: Path,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert kaggle.cached(NAME) is None
    folder = stand_in.fetch()
    assert content(folder) == FILES
    assert stand_in.asked == ["DownloadDataset", "GET"]  # without credentials
    assert stand_in.said == [
        "best_artworks: downloading https://www.kaggle.com/datasets/ikarus777/"
        f"best-artworks-of-all-time to {folder} (0.00 GB)",
        "best_artworks: unpacking",
    ]
    printed = capfd.readouterr()
    assert printed.out == ""
    assert re.fullmatch(r"0\.00 GB of 0\.00 GB, \d+\.\d MB/s\n", printed.err)
    assert [path.name for path in archive.parent.glob("*.*")] == ["1.complete"]

    shutil.rmtree(folder)
    folder.mkdir()  # emptied by hand, with kagglehub's mark still there
    assert kaggle.cached(NAME) is None
    assert content(stand_in.fetch()) == FILES
    use_endpoint(monkeypatch, "http://127.0.0.1:9")
    assert kaggle.cached(NAME) == stand_in.fetch() == folder


# It closes none of its responses.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_kagglehub_has_the_same_cache(stand_in: StandIn, archive: Path, tmp_path: Path) -> None:
    """Fails when kagglehub keeps or marks datasets otherwise than its modules used here say."""
    folder, root = stand_in.fetch(), tmp_path / "root"
    stand_in.fetch(root)
    stand_in.asked.clear()
    assert kagglehub.dataset_download(HANDLE) == str(folder)
    assert kagglehub.dataset_download(HANDLE, output_dir=str(root)) == str(root)
    assert stand_in.asked == []

    shutil.rmtree(archive.parent)
    assert kaggle.cached(NAME) is None
    assert kagglehub.dataset_download(HANDLE) == str(folder)
    assert stand_in.asked == ["DownloadDataset"]
    assert kaggle.cached(NAME) == stand_in.fetch() == folder
    assert stand_in.asked == []


def test_a_folder_of_ones_own(stand_in: StandIn, tmp_path: Path) -> None:
    root = tmp_path / "new" / "images"
    assert stand_in.fetch(root) == root
    mark = ".complete/datasets/ikarus777/best-artworks-of-all-time/1/bundle.complete"
    assert content(root) == FILES | {mark: b""}
    assert list(root.parent.iterdir()) == [root]
    assert stand_in.fetch(root) == root
    assert stand_in.asked == []
    assert kaggle.cached(NAME) is None
    assert kaggle.unpacked(NAME, str(root)) == root


def test_nothing_of_the_users_is_touched(stand_in: StandIn, tmp_path: Path) -> None:
    root = tmp_path / "mine"
    root.mkdir()
    (root / "holiday.jpg").write_bytes(b"dear")
    assert "is not an empty folder" in stand_in.refuses(root)
    assert "is not an empty folder" in stand_in.refuses(root / "holiday.jpg")
    assert content(tmp_path) == {"mine/holiday.jpg": b"dear"}


def test_an_interrupted_download_into_a_folder(stand_in: StandIn, tmp_path: Path) -> None:
    root = tmp_path / "images"
    root.mkdir()
    stand_in.bodies = chain([cut], repeat(nothing))
    stand_in.refuses(root)
    with pytest.raises(DatasetError, match=r"interrupted; resume with `python .* --root") as raised:
        kaggle.unpacked(NAME, str(root))
    assert (raised.value.option, raised.value.value) == ("dataset.root", str(root))
    stand_in.bodies = iter(())
    assert kaggle.unpacked(NAME, str(stand_in.fetch(root))) == root
    assert stand_in.asked[-1].startswith("GET bytes=")


def test_without_a_network_it_fails_at_once(
    stand_in: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Port 9 on loopback refuses, as a machine without a route does.
    use_endpoint(monkeypatch, "http://127.0.0.1:9")
    message = stand_in.refuses()
    assert "the connection to Kaggle failed ([Errno" in message
    assert "Connection refused)" in message
    assert "https://www.kaggle.com/datasets/ikarus777/best-artworks-of-all-time in a" in message
    assert "dataset.root=PATH" in message
    use_endpoint(monkeypatch, "http://no-such-host.invalid")
    assert "the connection to Kaggle failed ([Errno -" in stand_in.refuses()
    monkeypatch.setattr("datasets.kaggle.TIMEOUTS", (0.1, 0.1))
    with socket.create_server(("127.0.0.1", 0)) as silent:
        use_endpoint(monkeypatch, f"http://127.0.0.1:{silent.getsockname()[1]}")
        assert "the connection to Kaggle failed (timed out)" in stand_in.refuses()
    assert stand_in.waits == []


@pytest.mark.parametrize(
    ("status", "headers", "attempts", "message"),
    [
        (
            401,
            {},
            1,
            r"401 Unauthorized\. It asks for credentials, or others: see `python -m datasets.f",
        ),
        (403, {}, 1, r"403 Forbidden\. .*fetch --help`, or download https"),
        (404, {}, 1, r"404 Not Found\. See whether its page names another version, or"),
        (400, {}, 1, r"Kaggle answers 400 Bad Request\. Repeat"),
        (200, {}, 5, r"Kaggle answers 503"),  # Kaggle may put the status into the body
        (429, {}, 5, r"429 Too Many Requests\. Repeat the same command later, which resumes"),
        (500, {"Retry-After": "2"}, 5, r"500 Internal Server Error\. Repeat"),
        (429, {"Retry-After": "3600"}, 1, r"429 Too .* Repeat the same command in 60 minutes"),
    ],
)
def test_refusals(
    stand_in: StandIn, status: int, headers: dict[str, str], attempts: int, message: str
) -> None:
    stand_in.refusals = repeat((status, headers))
    assert re.search(message, stand_in.refuses())
    assert stand_in.asked == ["DownloadDataset"] * attempts
    expected = [2.0] * 4 if "Retry-After" in headers else [5.0, 10.0, 20.0, 40.0]
    assert stand_in.waits == expected[: attempts - 1]


def test_a_busy_server_is_waited_for(stand_in: StandIn) -> None:
    passed = {"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"}
    stand_in.refusals = iter([(429, {"Retry-After": "7"}), (503, passed), (503, {})])
    assert content(stand_in.fetch()) == FILES
    assert stand_in.waits == [7.0, 0.0, 20.0]
    expected = "best_artworks: Kaggle answers 429 Too Many Requests; retrying in 7 s"
    assert expected in stand_in.said


def test_credentials(stand_in: StandIn, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("KAGGLE_USERNAME", "ada")
    monkeypatch.setenv("KAGGLE_KEY", "0123")
    stand_in.refusals = repeat((401, {}))
    assert "It asks for credentials, or others" in stand_in.refuses()
    assert stand_in.asked == ["authorized"]
    monkeypatch.delenv("KAGGLE_KEY")
    monkeypatch.setenv("KAGGLE_CONFIG_DIR", str(tmp_path))
    (tmp_path / "kaggle.json").write_text("garbage")
    message = f"Invalid Kaggle credentials file at {tmp_path}/kaggle.json: repair or delete it"
    assert stand_in.refuses() == message


def test_a_lost_connection_is_resumed(stand_in: StandIn) -> None:
    stand_in.bodies = iter([cut, cut, spoilt])
    stand_in.resumed = iter([206, 503])
    assert content(stand_in.fetch()) == FILES
    starts = [int(line[10:-1]) for line in stand_in.asked if line.startswith("GET bytes=")]
    assert len(starts) == 3
    assert 0 < starts[0] < starts[1] == starts[2] < len(ARCHIVE)
    assert stand_in.waits == [5.0, 5.0, 5.0]
    assert "the connection to Kaggle failed (IncompleteRead(" in stand_in.said[1]
    assert "Kaggle answers 503 Service Unavailable" in stand_in.said[5]


def test_a_connection_that_is_always_lost(
    stand_in: StandIn, archive: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_in.bodies = chain([cut], repeat(nothing))
    message = stand_in.refuses()
    assert "IncompleteRead" in message
    assert "With a network the same command resumes" in message
    assert stand_in.asked.count("DownloadDataset") == 6  # the first brought something
    present = archive.stat().st_size
    assert present > 0
    stand_in.waits.clear()
    with monkeypatch.context() as patch:
        use_endpoint(patch, "http://127.0.0.1:9")
        stand_in.refuses()
    assert stand_in.waits == []
    stand_in.bodies = iter(())
    assert content(stand_in.fetch()) == FILES
    assert stand_in.asked[-1] == f"GET bytes={present}-"


@pytest.mark.parametrize(
    ("checksum", "reason"),
    [(True, "its checksum is wrong"), (False, "cannot be unpacked: File is not a zip file")],
)
def test_a_damaged_archive_is_fetched_again(
    stand_in: StandIn, archive: Path, checksum: bool, reason: str
) -> None:
    stand_in.checksum = checksum
    stand_in.bodies = repeat(spoilt)
    message = stand_in.refuses()
    assert f"the archive arrived damaged ({reason}). Repeat" in message
    assert stand_in.asked.count("GET") == 3
    assert not archive.exists()
    stand_in.bodies = iter([spoilt, spoilt])
    assert content(stand_in.fetch()) == FILES


def test_no_file_of_a_damaged_archive_stays(stand_in: StandIn) -> None:
    # The checksum of one member is wrong, which only unpacking finds, after the member before.
    stand_in.checksum, right = False, ARCHIVE
    stand_in.archive = zipped({"extra.txt": b"", **FILES}).replace(b"id,name", b"id;name")

    def then_right(data: bytes) -> bytes:
        stand_in.archive = right
        return data

    stand_in.bodies = iter([then_right])
    assert content(stand_in.fetch()) == FILES
    assert "Bad CRC-32 for file 'artists.csv'" in stand_in.said[2]


@pytest.mark.parametrize("status", [200, 416])
def test_an_archive_that_cannot_be_resumed_is_fetched_again(stand_in: StandIn, status: int) -> None:
    stand_in.checksum = False
    stand_in.bodies, stand_in.resumed = iter([cut]), repeat(status)
    assert content(stand_in.fetch()) == FILES
    assert "its server cannot send the rest" in stand_in.said[3]


FULL = (
    r"the disk is full \(No space left.*\), while .*: make room, and the same command resumes.* "
    r"set KAGGLEHUB_CACHE=PATH, or run `"
)

INTERRUPTIONS = pytest.mark.parametrize(
    ("error", "raised", "message"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), DatasetError, FULL),
        (KeyboardInterrupt(), KeyboardInterrupt, None),
    ],
)


@INTERRUPTIONS
def test_interrupted_while_downloading(
    stand_in: StandIn,
    archive: Path,
    monkeypatch: pytest.MonkeyPatch,
    error: BaseException,
    raised: type[BaseException],
    message: str | None,
) -> None:
    def fails_in_between(chunks: Iterator[bytes]) -> Iterator[bytes]:
        yield next(chunks)
        raise error

    def append(self: KaggleArchive, chunks: Iterator[bytes], total: int) -> None:
        whole_append(self, fails_in_between(chunks), total)

    whole_append = KaggleArchive._append
    with monkeypatch.context() as patch:
        patch.setattr(KaggleArchive, "_append", append)
        with pytest.raises(raised, match=message):
            stand_in.fetch()
    present = archive.stat().st_size
    assert 0 < present < len(ARCHIVE)
    assert content(stand_in.fetch()) == FILES
    assert stand_in.asked[-1] == f"GET bytes={present}-"


@INTERRUPTIONS
def test_interrupted_while_unpacking(
    stand_in: StandIn,
    archive: Path,
    monkeypatch: pytest.MonkeyPatch,
    error: BaseException,
    raised: type[BaseException],
    message: str | None,
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("shutil.copyfileobj", fails_after(2, shutil.copyfileobj, error))
        with pytest.raises(raised, match=message):
            stand_in.fetch()
    assert kaggle.cached(NAME) is None
    assert {path.name for path in archive.parent.rglob("*.*")} == {"1.archive", "1.lock"}
    assert archive.stat().st_size == len(ARCHIVE)
    assert content(stand_in.fetch()) == FILES
    assert stand_in.asked == ["DownloadDataset"]


def test_too_little_disk(stand_in: StandIn, archive: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = shutil.disk_usage(archive.anchor)
    enough = 2 * len(ARCHIVE)
    monkeypatch.setattr("shutil.disk_usage", lambda _: usage._replace(free=enough - 1))
    message = stand_in.refuses()
    assert "the disk is full (0.01 GB needed, 0.01 GB free)" in message
    assert "KAGGLEHUB_CACHE=PATH" in message
    assert stand_in.asked == ["DownloadDataset"]
    archive.write_bytes(ARCHIVE[:1])  # what is there already need not be found room for
    assert content(stand_in.fetch()) == FILES


def test_a_folder_that_cannot_be_written(stand_in: StandIn, tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file")
    assert re.search(r"^\[Errno \d+\] .*/cache.*KAGGLEHUB_CACHE=PATH", stand_in.refuses())


def test_members_never_land_outside(stand_in: StandIn, tmp_path: Path) -> None:
    stand_in.archive = zipped({"../../../evil": b"1", f"{tmp_path}/evil": b"2", "good": b"3"})
    folder = stand_in.fetch()
    assert sorted(content(folder).values()) == [b"1", b"2", b"3"]
    outside = {name for name in content(tmp_path) if folder not in (tmp_path / name).parents}
    assert {Path(name).name for name in outside} == {"1.complete"}  # kagglehub's


def test_a_zip_file_that_holds_more_than_the_disk(
    stand_in: StandIn, archive: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with zipfile.ZipFile(buffer := io.BytesIO(), "w", zipfile.ZIP_DEFLATED) as bomb:
        bomb.writestr("images/bomb.jpg", bytes(20_000_000))
    stand_in.archive = buffer.getvalue()
    usage = shutil.disk_usage(archive.anchor)
    monkeypatch.setattr("shutil.disk_usage", lambda _: usage._replace(free=19_999_999))
    assert "is full (0.02 GB needed, 0.02 GB free)" in stand_in.refuses()
    assert stand_in.asked.count("GET") == 1
    assert kaggle.cached(NAME) is None
    assert {path.name for path in archive.parent.rglob("*.*")} == {"1.archive", "1.lock"}


def test_a_second_process_waits(stand_in: StandIn, archive: Path) -> None:
    archive.parent.mkdir(parents=True)
    with archive.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        found: list[Path] = []
        waiting = threading.Event()

        def say(line: str) -> None:
            if "waiting for another process" in line:
                waiting.set()

        second = threading.Thread(target=lambda: found.append(kaggle.fetch(NAME, None, say)))
        second.start()
        assert waiting.wait(10)
        assert stand_in.asked == []
    second.join(10)
    assert content(found[0]) == FILES


def test_the_command(
    stand_in: StandIn,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert fetch.main([NAME, "--root", str(tmp_path / "here")]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == f"best_artworks: {tmp_path}/here"
    assert fetch.main([NAME, "imagenet_min"]) == 2
    assert capsys.readouterr().err == (
        "error: archive=imagenet_min: no such name. Did you mean 'imagenet_mini'? "
        "Known: best_artworks, imagenet_mini, movies\n"
    )
    stand_in.refusals = iter([(404, {})])
    assert fetch.main(["imagenet_mini"]) == 2
    line = capsys.readouterr().err
    assert re.fullmatch(r"error: content=imagenet_mini: .*ifigotin/.*content\.root=PATH\n", line)
    with pytest.raises(SystemExit, match="2"):
        fetch.main([NAME, "imagenet_mini", "--root", str(tmp_path)])
    with pytest.raises(SystemExit, match="0"):
        fetch.main(["--help"])
    assert re.search(r"KAGGLEHUB_CACHE[^|]*KAGGLE_API_TOKEN", capsys.readouterr().out)
    monkeypatch.setattr(kaggle, "fetch", fails_after(0, kaggle.fetch, KeyboardInterrupt()))
    assert fetch.main([NAME]) == 130
    assert "the same command resumes" in capsys.readouterr().err
