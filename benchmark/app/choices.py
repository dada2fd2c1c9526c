"""What people choose on the page, as the request and the command line that it means."""

import shlex
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from benchmark.sweeps.painting import MOST_PAINTINGS, Request
from benchmark.user_input import InputError
from datasets import ImageSet
from datasets.names import words

SIZES = (256, 384, 512, 768, 1024)
"""Pixels of the longest side."""

DEFAULT_SIZE = 384

COLOURS = {"the artist's": "none", "the photograph's": "luminance"}


@dataclass(frozen=True)
class Quality:
    """How much time a picture takes."""

    epochs: int  # at each scale
    learning_rate: float


QUALITIES = {
    "quick": Quality(15, 0.05),
    "good": Quality(50, 0.03),
    "best": Quality(200, 0.02),
}


@dataclass(frozen=True)
class ArtistChoice:
    """An artist of the gallery, and how a command names it."""

    name: str
    paintings: ImageSet
    style: str  # what `--style` takes
    overrides: tuple[str, ...] = ()  # where the archive is
    is_built_in: bool = False


@dataclass(frozen=True)
class Settings:
    """All that is chosen besides the photograph and the paintings."""

    strength: float = 0.0  # each step doubles the weight of the style
    size: int = DEFAULT_SIZE
    colours: str = "the artist's"
    quality: str = "good"
    brush: float = 1.0  # size of the paintings over that of the picture
    network: str = "vgg"
    precision: str = "float32"
    most_paintings: int = MOST_PAINTINGS

    def overrides(self) -> list[str]:
        """The options that they mean."""
        quality = QUALITIES[self.quality]
        return [
            f"image_size={self.size}",
            f"loss.style_weight={1e8 * 2**self.strength:.4g}",
            f"preserve_color={COLOURS[self.colours]}",
            f"epochs={quality.epochs}",
            f"optimizer.learning_rate={quality.learning_rate:g}",
            f"style_scale={self.brush:g}",
            f"backbone={self.network}",
            f"precision={self.precision}",
        ]


@dataclass(frozen=True)
class Choices:
    """What is chosen on a page: uploads by where the server put them, artists by their names."""

    photograph: str | None = None
    first: str = ""
    second: str = ""  # to mix with, if any
    share: float = 0.5  # of the second
    own: Sequence[str] = ()  # paintings in place of the first
    settings: Settings = Settings()


def request_of(
    photograph: Path,
    first: ArtistChoice | None,
    second: ArtistChoice | None,
    share: float,
    own: Sequence[Path],
    settings: Settings,
) -> Request:
    """What to paint: by the first artist, or after own pictures; mixed with a share of the second.

    Raises:
        InputError: neither an artist nor pictures were chosen.
    """
    artists = [artist for artist in (None if own else first, second) if artist]
    styles = [[*map(str, own)]] * bool(own) + [[artist.style] for artist in artists]
    if not own and not first:
        raise InputError("choose an artist, or upload paintings")
    overrides = [*settings.overrides()]
    if settings.most_paintings < MOST_PAINTINGS:  # else as many as there are, up to these
        overrides.append(f"dataset.paintings={settings.most_paintings}")
    overrides += dict.fromkeys(place for artist in artists for place in artist.overrides)
    if second and (own or second != first):
        overrides.append(f"dataset.blend=[{1 - share:.2f},{share:.2f}]")
    else:
        styles = styles[:1]
    return Request([str(photograph)], styles, overrides)


def command_of(request: Request, names: dict[str, str]) -> str:
    """The command line that makes a request's picture, with files called as people know them."""
    photographs = [names.get(path, path) for path in request.photographs]
    parts = ["python", "-m", "benchmark.stylize", *photographs]
    for style in request.styles:
        parts += ["--style", *(names.get(path, path) for path in style)]
    return shlex.join([*parts, *request.overrides])


def named(artists: Sequence[ArtistChoice], name: str) -> ArtistChoice:
    """The artist of a name; InputError if there is none."""
    for artist in artists:
        if artist.name == name:
            return artist
    raise InputError("no such artist: choose one of the list", "artist", name)


def found(artists: Sequence[ArtistChoice], text: str) -> list[ArtistChoice]:
    """The artists whose names have all words of a text, each at a word's beginning or within."""
    wanted = words(text)
    return [a for a in artists if all(word in " ".join(words(a.name)) for word in wanted)]


def with_options(request: Request, options: Sequence[str]) -> Request:
    """The same with more options."""
    return replace(request, overrides=[*request.overrides, *options])
