"""The real app in a browser, as people use it; skipped without Chromium or Playwright."""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from socket import socket
from time import monotonic, sleep
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.commands import started, until

playwright = pytest.importorskip("playwright.sync_api", reason="no Playwright: pip install it")
NAMES = ("chromium", "chromium-browser", "google-chrome")
CHROMIUM = next(filter(None, map(shutil.which, NAMES)), None)

OPTIONS = (
    *("backbone=vgg_shallow", "backbone.weights=random", "cache=null", "dataset.paintings=2"),
    *("image_size=48", "epochs=100000"),
)
CAMERA = ("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream")
ARGUMENTS = ("--no-sandbox", *CAMERA)
WIDTHS = (390, 820, 1400)  # pixels of a telephone, a tablet and a desktop
WAIT = 120_000  # milliseconds


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    folder = tmp_path_factory.mktemp("app")
    with socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    log = folder / "log.txt"
    environment = {"GRADIO_TEMP_DIR": str(folder)}
    process = started(
        "benchmark.app", "--port", port, *OPTIONS, output=log, environment=environment, fresh=True
    )
    try:
        until(process, log, "The app:")
        yield f"http://127.0.0.1:{port}", folder
    finally:
        process.kill()
        process.wait(10)


@pytest.fixture
def browser() -> Iterator[Any]:
    with playwright.sync_playwright() as run:
        if not Path(CHROMIUM or run.chromium.executable_path).exists():
            pytest.skip("no Chromium")
        opened = run.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield opened
        opened.close()


@pytest.fixture
def photograph(tmp_path: Path) -> Path:
    pixels = np.random.default_rng(1).integers(0, 256, (40, 60, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "photo.png")
    return tmp_path / "photo.png"


def images_in(folder: Path) -> list[Path]:
    """Uploads and results that lie in the app's folder."""
    files = [*folder.rglob("*.png"), *folder.rglob("*.jpg"), *folder.rglob("*.webp")]
    return [file for file in files if "artists" not in file.parts]


def said(page: Any, words: str) -> None:
    page.wait_for_selector(f"#status:has-text('{words}')", timeout=WAIT)


def fits(page: Any) -> None:
    """Nothing of a page is wider than the window, at each width."""
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 900})
        page.wait_for_timeout(100)
        assert page.evaluate("document.documentElement.scrollWidth") == width


def test_upload_choose_watch_stop_download_refused_and_queued(
    address: tuple[str, Path], browser: Any, photograph: Path, tmp_path: Path
) -> None:
    url, _ = address
    hosts = set()
    page = browser.new_context(accept_downloads=True).new_page()
    page.on("request", lambda one: hosts.add(one.url.split("/")[2]) if "://" in one.url else None)
    page.goto(url)
    page.wait_for_selector("#paint")
    fits(page)
    upload = page.locator("#photograph input[type=file]")

    (tmp_path / "text.png").write_text("no picture at all")
    upload.set_input_files(str(tmp_path / "text.png"))
    page.wait_for_selector("#status [role=alert]", timeout=WAIT)
    assert "text.png" in page.inner_text("#status")

    upload.set_input_files(str(photograph))
    said(page, "is ready")
    page.locator("#artists button", has_text="loose drips").first.click()
    page.wait_for_function("document.querySelector('#artist input').value == 'loose drips'")
    page.click("#paint")
    said(page, "Step")
    pictures: set[str] = set()
    began = monotonic()
    while len(pictures) < 3 and monotonic() - began < 120:
        shown = page.evaluate("document.querySelector('#picture img')?.src || ''")
        pictures |= {shown} if shown.startswith("data:") else set()
        page.wait_for_timeout(100)
    assert len(pictures) >= 3
    fits(page)

    second = browser.new_page()
    second.goto(url)
    second.locator("#photograph input[type=file]").set_input_files(str(photograph))
    said(second, "is ready")
    second.click("#paint")
    second.wait_for_selector("#picture :text-matches('queue|/2', 'i')", timeout=WAIT)

    page.click("#stop")
    said(page, "Stopped after")
    said(second, "Step")  # its turn
    second.close()

    page.wait_for_selector("#png:not([disabled])", timeout=WAIT)
    page.wait_for_selector("#history img", timeout=WAIT)
    fits(page)
    with page.expect_download(timeout=WAIT) as download:
        page.click("#png")
    download.value.save_as(tmp_path / "out.png")
    with Image.open(tmp_path / "out.png") as picture:
        assert picture.size == (48, 32)
        assert np.asarray(picture).std() > 1
    command = page.input_value("#command textarea")
    assert re.search(r"photo\.png --style sample/loose_drips .* total_epochs=\d+$", command)
    assert hosts == {url.partition("//")[2]}


def test_a_photograph_from_the_camera_and_a_tab_closed_while_it_is_painted(
    address: tuple[str, Path], browser: Any
) -> None:
    url, folder = address
    page = browser.new_page()
    page.goto(url)
    access = page.get_by_text("Click to Access Webcam")
    for _ in range(100):  # The page is there before what it does is.
        page.click("#photograph [aria-label='Capture from camera']", timeout=WAIT)
        page.wait_for_timeout(200)
        if access.count():
            break
    access.click()
    live = "document.querySelector('#photograph video')?.videoWidth > 0"
    page.wait_for_function(live, timeout=WAIT)
    page.click("#photograph [aria-label='capture photo']", timeout=WAIT)
    said(page, "is ready")
    page.click("#paint")
    said(page, "Step")
    assert len(images_in(folder)) > 1
    page.close()
    began = monotonic()
    while len(images_in(folder)) > 1 and monotonic() - began < 30:
        sleep(0.1)
    assert [file.name for file in images_in(folder)] == ["warm.png"]
