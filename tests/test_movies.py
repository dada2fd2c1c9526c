"""Genres of films, with pictures from a stand-in for TMDB on loopback: all that can go wrong."""

import io
import json
import logging
import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import repeat
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pytest
from PIL import Image

from datasets import DatasetError, ImageSet, describe, load_images, movies, tmdb
from tests.archive import make_films
from tests.commands import inside

KEY = "0123456789abcdef0123456789abcdef"
TOKEN = "eyJhbGciOi.eyJhdWQiOi.s-i_g"
Answer = tuple[int, dict[str, str], bytes | None]  # None: what there is


def jpeg(number: int) -> bytes:
    """A picture of its own for each film."""
    pixels = np.random.default_rng(number).integers(0, 256, (60, 40, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(buffer := io.BytesIO(), "JPEG")
    return buffer.getvalue()


@dataclass
class Tmdb:
    """Plays TMDB: what it answers instead, by the beginning of a path, and what it was asked."""

    address: str = ""
    instead: dict[str, Iterator[Answer]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    keys: set[str] = field(default_factory=set)
    waits: list[float] = field(default_factory=list)
    root: Path = Path()

    def sets(self, **options: Any) -> list[ImageSet]:
        self.asked.clear()
        return movies.paintings(str(self.root), **{"films": 2, "genres": ["horror"], **options})

    def refuses(self, **options: Any) -> str:
        """The one line with which it ends."""
        with pytest.raises(DatasetError) as raised:
            self.sets(**options)
        assert "\n" not in raised.value.reason
        assert (raised.value.option, raised.value.value) == ("dataset", "movies")
        return raised.value.reason


def handler_for(server: Tmdb) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: Any) -> None:
            pass

        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            server.asked.append(parts.path)
            given = (self.headers["Authorization"], *parse_qs(parts.query).get("api_key", []))
            # The server of the pictures is another one, which no key is for.
            assert any(given) == parts.path.startswith("/3/")
            server.keys |= set(filter(None, given))
            beginnings = (b for b in server.instead if parts.path.startswith(b))
            answers = server.instead.get(next(beginnings, ""), iter(()))
            status, headers, body = next(answers, (200, {}, None))
            right = self.right(parts.path)
            body = right if body is None else body
            self.send_response(status)
            for key, value in {"Content-Length": str(len(body)), **headers}.items():
                self.send_header(key, value)
            self.end_headers()
            self.wfile.write(body)

        def right(self, path: str) -> bytes:
            if path == "/3/configuration":
                return json.dumps(
                    {"images": {"secure_base_url": f"{server.address}/t/p/"}}
                ).encode()
            kind, _, number = path.removesuffix(".jpg").rpartition("/")
            if kind == "/3/movie":
                paths = {f"{one}_path": f"/{one}/{number}.jpg" for one in ("poster", "backdrop")}
                return json.dumps({"id": int(number), **paths}).encode()
            assert kind in ("/t/p/w780/poster", "/t/p/w780/backdrop")
            return jpeg(int(number))

    return Handler


@pytest.fixture
def server(
    tmp_path: Path, random: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Tmdb]:
    """TMDB on loopback, an archive, an empty cache, a key, and waits that take no time."""
    found = Tmdb(root=make_films(tmp_path / "films", random))
    monkeypatch.setenv("TMDB_API_KEY", KEY)
    monkeypatch.setenv("TMDB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("time.sleep", found.waits.append)
    with ThreadingHTTPServer(("127.0.0.1", 0), handler_for(found)) as http:
        threading.Thread(target=http.serve_forever, args=(0.01,), daemon=True).start()
        found.address = f"http://127.0.0.1:{http.server_port}"
        monkeypatch.setenv("TMDB_API_URL", f"{found.address}/3")
        yield found
        http.shutdown()


def kept(tmp_path: Path) -> list[str]:
    """What is in the cache."""
    files = (path for path in (tmp_path / "cache").rglob("*") if path.is_file())
    return sorted(str(path.relative_to(tmp_path / "cache")) for path in files)


def test_pictures_are_asked_for_once(
    server: Tmdb, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of the six horror films those with most votes, 36 and 35; Both is the first of them all."""
    [horror] = server.sets()
    assert horror.name == "Horror"
    assert [image.name for image in horror.images] == ["Both (92)", "Horror 6/6 (36)"]
    pairs = [(f"/3/movie/{n}", f"/t/p/w780/poster/{n}.jpg") for n in (92, 36)]
    assert server.asked == ["/3/configuration", *pairs[0], *pairs[1]]
    assert kept(tmp_path) == ["posters/.lock", "posters/36.jpg", "posters/92.jpg"]
    assert (tmp_path / "cache/posters/36.jpg").read_bytes() == jpeg(36)
    said, progress = capsys.readouterr()
    assert said.splitlines() == [
        "movies: 19 films in movies_metadata.csv; left out: broken rows (2), adult (1), "
        "repeated (1), without a genre (1)",
        f"movies: asking TMDB for posters, kept in {tmp_path}/cache/posters",
    ]
    assert re.fullmatch(
        r"2 of 2 films, 0 without a picture, \d+\.\d films/s, 0:00:00 left *\n", progress
    )
    assert load_images(horror, 32).pixels.shape == (2, 32, 32, 3)

    assert [image.source for image in server.sets()[0].images] == [i.source for i in horror.images]
    assert server.asked == []
    assert capsys.readouterr() == ("", "")
    assert len(server.sets(films=3)[0].images) == 3  # one more: only that is asked for
    assert server.asked == ["/3/configuration", "/3/movie/35", "/t/p/w780/poster/35.jpg"]
    server.sets(pictures="backdrops", films=1)
    assert server.asked[1:] == ["/3/movie/92", "/t/p/w780/backdrop/92.jpg"]


def test_genres_and_films_of_several(server: Tmdb) -> None:
    found = server.sets(genres=None, films=1)
    assert {one.name: one.images[0].name for one in found} == {
        "Comedy": "Comedy 6/6 (16)",
        "Drama": "Drama 6/6 (26)",
    }
    [drama, horror] = server.sets(genres=["DRAMA", "hor*"], films=9, several_genres="left_out")
    assert (drama.name, len(drama.images)) == ("Drama", 6)
    assert "Both (92)" not in [image.name for image in horror.images]
    with pytest.raises(DatasetError, match=r"Did you mean 'Horror'\?") as raised:
        server.sets(genres=["horor"])
    assert (raised.value.option, raised.value.value) == ("dataset.genres", "horor")


def test_films_without_a_picture_are_replaced(
    server: Tmdb, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Not in TMDB, no poster, poster gone, poster always cut short: then the fifth and sixth."""
    server.instead = {
        "/3/movie/92": iter([(404, {}, b"{}")]),
        "/3/movie/36": iter([(200, {}, b'{"poster_path": null}')]),
        "/t/p/w780/poster/35": iter([(404, {}, b"")]),
        "/t/p/w780/poster/34": repeat((200, {}, jpeg(34)[:900])),
    }
    [horror] = server.sets()
    assert [image.name for image in horror.images] == ["Horror 3/6 (33)", "Horror 2/6 (32)"]
    assert server.asked.count("/t/p/w780/poster/34.jpg") == 3
    assert re.search(r"2 of 2 films, 4 without a picture", capsys.readouterr().err)
    assert [name for name in kept(tmp_path) if name.endswith((".none", ".part"))] == [
        f"posters/{number}.none" for number in (34, 35, 36, 92)
    ]
    server.instead = {}
    assert server.sets() == [horror]
    assert server.asked == []


def test_a_busy_server_is_waited_for(
    server: Tmdb, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("datasets.tmdb.PAUSE", 0.0)
    busy: Answer = (429, {"Retry-After": "7"}, b"")
    half: Answer = (200, {"Content-Length": "9999"}, jpeg(92)[:900])
    server.instead = {
        "/3/movie/92": iter([busy, (503, {}, b""), (500, {}, b"")]),
        "/t/p/w780/poster/92": iter([half, (200, {}, jpeg(92)[:900])]),
    }
    [horror] = server.sets(films=1)
    assert [image.name for image in horror.images] == ["Both (92)"]
    # Retry-After; the second and the third of 1, 2, 4 …; then the first for a picture cut short.
    assert [wait for wait in server.waits if wait] == [7.0, 2.0, 4.0, 1.0]
    said = capsys.readouterr().out
    assert "movies: TMDB answers 429 Too Many Requests; retrying in 7 s" in said
    assert "IncompleteRead" in said


@pytest.mark.parametrize(
    ("answer", "attempts", "message"),
    [
        ((401, {}, b"{}"), 1, r"401 Unauthorized: the key is not valid; get one at https://www\.t"),
        ((404, {}, b"{}"), 1, r"404 Not Found\. See whether TMDB_API_URL is right"),
        ((200, {}, b"<html>"), 1, r"answer cannot be read\. See whether TMDB_API_URL is right"),
        ((200, {}, b"{}"), 1, r"no address of pictures\. See whether TMDB_API_URL"),
        ((500, {}, b""), 5, r"500 Internal Server Error\. Repeat the same command later, which re"),
        ((429, {"Retry-After": "3600"}, b""), 1, r"429 .* Repeat the same command in 60 minutes"),
    ],
)
def test_refusals(server: Tmdb, answer: Answer, attempts: int, message: str) -> None:
    server.instead = {"/3/configuration": repeat(answer)}
    assert re.search(message, server.refuses())
    assert server.asked == ["/3/configuration"] * attempts


def test_a_server_that_goes_away_is_resumed(
    server: Tmdb, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.instead = {"/t/p/w780/poster/36": repeat((200, {"Content-Length": "9999"}, b"x"))}
    assert "With a network the same command resumes" in server.refuses()
    assert "posters/92.jpg" in kept(tmp_path)
    server.instead = {}
    assert len(server.sets()[0].images) == 2
    assert server.asked == ["/3/configuration", "/3/movie/36", "/t/p/w780/poster/36.jpg"]
    # Port 9 on loopback refuses, as a machine without a route does: at once, but for what is there.
    monkeypatch.setenv("TMDB_API_URL", "http://127.0.0.1:9/3")
    server.waits.clear()
    assert "Connection refused). With a network" in server.refuses(films=3)
    assert [wait for wait in server.waits if wait] == []
    assert len(server.sets()[0].images) == 2


def test_without_a_key(server: Tmdb, monkeypatch: pytest.MonkeyPatch) -> None:
    for key in (None, "", "not a\nkey"):
        if key is None:
            monkeypatch.delenv("TMDB_API_KEY")
        else:
            monkeypatch.setenv("TMDB_API_KEY", key)
        message = server.refuses()
        assert "https://www.themoviedb.org/settings/api" in message
        assert "not a" not in message.replace("not a key of", "")
        assert server.asked == []


@pytest.mark.parametrize(("key", "sent"), [(KEY, KEY), (TOKEN, f"Bearer {TOKEN}")])
def test_no_message_or_log_shows_the_key(
    server: Tmdb,
    key: str,
    sent: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("TMDB_API_KEY", f" {key}\n")
    caplog.set_level(logging.DEBUG)
    server.sets(films=1)
    assert server.keys == {sent}
    assert "/t/p/w780/poster/92.jpg" in caplog.text
    server.instead = {"/3/movie": repeat((500, {}, b""))}
    messages = [server.refuses()]
    monkeypatch.setenv("TMDB_API_URL", "http://127.0.0.1:9/3")
    messages.append(server.refuses())
    told = [*messages, caplog.text, *capsys.readouterr()]
    assert [text for text in told if key in text] == []


def test_the_folder_is_locked_and_can_be_written(
    server: Tmdb, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("TMDB_CACHE", str(tmp_path / "file"))
    assert "TMDB_CACHE=PATH names another" in server.refuses()
    monkeypatch.setenv("TMDB_CACHE", str(tmp_path / "cache"))
    waiting = threading.Event()

    def say(line: str) -> None:
        if "waiting for another process" in line:
            waiting.set()

    def second() -> None:
        with tmdb.FilmPictures("posters", 1, say=say) as pictures:
            pictures.of(92)

    with tmdb.FilmPictures("posters", 2) as pictures:
        pictures.of(36)
        thread = threading.Thread(target=second)
        thread.start()
        assert waiting.wait(10)
        pictures.of(92)
    thread.join(10)
    assert server.asked.count("/3/movie/92") == 1


def test_what_is_not_the_archive(films: Path, tmp_path: Path) -> None:
    for root, reason in ((tmp_path, "no movies_metadata.csv in it"), (tmp_path / "x", "no such")):
        with pytest.raises(DatasetError, match=reason) as raised:
            movies.paintings(str(root))
        assert (raised.value.option, raised.value.value) == ("dataset.root", str(root))
    table = films / "movies_metadata.csv"
    table.write_text(table.read_text().partition("\n")[0])
    with pytest.raises(DatasetError, match="no film of a genre"):
        movies.paintings(str(films))
    table.write_text("id,title\n1,a\n")
    with pytest.raises(DatasetError, match=r"cannot be read as this archive's table: .*genres"):
        movies.paintings(str(films))


def test_describe_and_a_run_need_no_key_for_what_is_there(
    films: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert describe.main(["dataset=movies", f"dataset.root={films}"]) == 0
    told = capsys.readouterr().out
    assert re.search(r"Horror +│ +7 │ +7 ", told)
    assert "left out: broken rows (2), adult (1), repeated (1), without a genre (1)" in told
    (films / "tmdb/posters/16.jpg").unlink()
    done = inside("benchmark", "dataset=movies", f"dataset.root={films}", "image_size=32")
    assert done.returncode == 2
    assert re.fullmatch(r"error: dataset=movies: .*settings/api.*TMDB_API_KEY\n", done.stderr)
