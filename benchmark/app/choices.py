"""What people choose on the page, as the request and the command line that it means."""

import shlex
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from benchmark.sweeps.painting import MOST_PAINTINGS, Request
from benchmark.user_input import InputError
from datasets import ImageSet
from datasets.names import words

OWN = "Your paintings"
"""The name of the artist whose paintings were uploaded."""

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
    source: str  # what `--style` takes for a blend of artists of one place
    overrides: tuple[str, ...] = ()  # where that place is
    is_embedded: bool = False


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


def request_of(
    photograph: Path,
    artists: Sequence[ArtistChoice],
    share: float,
    own: Sequence[Path],
    settings: Settings,
) -> Request:
    """What to paint: by an artist, by two of whom the second has this share, or after own pictures.

    Raises:
        InputError: nothing was chosen, or two artists that cannot be mixed.
    """
    fewest = ["dataset.paintings=" + str(settings.most_paintings)]
    if settings.most_paintings >= MOST_PAINTINGS:
        fewest = []  # as many as there are, up to these
    if own:
        return Request([str(photograph)], [*map(str, own)], [*settings.overrides(), *fewest])
    if not artists:
        raise InputError("choose an artist, or upload paintings")
    [first, *others] = artists
    overrides = [*settings.overrides(), *fewest, *first.overrides]
    if not others or others[0].name == first.name:
        return Request([str(photograph)], [first.style], overrides)
    [second] = others
    if second.source != first.source:
        reason = "artists of different collections cannot be mixed"
        raise InputError(f"{reason}: choose two of one, {first.name} and another of its kind")
    weights = {first.name: 1 - share, second.name: share}
    listed = ",".join(f"{_quoted(name)}:{weight:.2f}" for name, weight in weights.items())
    return Request([str(photograph)], [first.source], [*overrides, f"dataset.blend={{{listed}}}"])


def _quoted(name: str) -> str:
    """A name as a key of a dictionary in an override."""
    return "_".join(words(name))


def command_of(request: Request, names: dict[str, str]) -> str:
    """The command line that makes a request's picture, with files called as people know them."""
    photographs = [names.get(path, path) for path in request.photographs]
    style = [names.get(path, path) for path in request.style]
    parts = ["python", "-m", "benchmark.stylize", *photographs, "--style", *style]
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


def with_epochs(request: Request, epochs: int) -> Request:
    """The same, ended after so many epochs in all."""
    return replace(request, overrides=[*request.overrides, f"total_epochs={epochs}"])
