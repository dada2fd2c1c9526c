"""The page on which people rate pictures: one HTML file that needs no network."""

from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

from benchmark.analysis.pages import render, write_files
from benchmark.config.errors import ConfigError
from benchmark.rate.pictures import RatedPicture
from benchmark.report.gallery import Quality, embedded
from benchmark.tracking.tracker import Tracker

PAGE_TEMPLATE = Path(__file__).with_name("rate.html.jinja")

QUALITY: Quality = (512, 88)
"""Most pixels a side, and JPEG's quality: about 60 kB a picture."""


def write_rating_page(
    tracker: Tracker, pictures: Sequence[RatedPicture], question: str, file: Path
) -> int:
    """Write the page, without a word about the runs; returns how many pictures are in it.

    They lie in the order of their ids, which is random; the page shows them to each person in
    another one, that follows from the page's id and the person's name.

    Raises:
        ConfigError: none of the pictures was kept.
        OSError: the file cannot be written.
    """
    shown = [
        {"id": picture.id, "target": picture.artist, "source": source}
        for picture in sorted(pictures, key=lambda one: one.id)
        if (source := embedded(tracker, [picture.run_id], picture.file, QUALITY))
    ]
    if not shown:
        raise ConfigError("these runs kept no pictures that could be rated")
    identity = "\n".join([question, *(one["id"] for one in shown)])
    page_id = sha256(identity.encode()).hexdigest()[:16]
    page = {"id": page_id, "question": question, "pictures": shown}
    write_files(file.parent, {file.name: render(PAGE_TEMPLATE, page=page)})
    return len(shown)
