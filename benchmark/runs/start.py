"""Where the images of a run start: at pictures, at noise, or between the two."""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmark.config.errors import ConfigError
from benchmark.images.pixels import Pictures, gathered, to_float
from benchmark.images.upscale import resized_to
from benchmark.user_input import did_you_mean
from datasets import ImageSet, LoadedImages, folder

STARTS = {"content": 0.0, "noise": 1.0, "blend": 0.5}
"""The starts that have a name, with their share of noise, of which a blend's is an option."""


def start_pictures(path: str, contents: Sequence[str]) -> ImageSet:
    """The picture in a file, for all contents, or in a folder one for each, called like it.

    Raises:
        InputError: they are not there.
    """
    try:
        Path(path).expanduser().stat()
    except OSError as error:
        names = f"{', '.join(STARTS)}, or the path of a picture or of a folder of pictures"
        reason = f"must be {names} ({error.strerror}).{did_you_mean(path, STARTS)}"
        raise ConfigError(reason, "init", path) from error
    return folder.file_or_files_of("init", path, contents)


@dataclass(frozen=True)
class Start:
    """Where images start."""

    pictures: LoadedImages | None  # one for all or one a content; None: the content pictures
    noise: float  # the share of noise, in [0, 1]
    seed: int
    same_noise: bool  # whether all examples have the same

    def images(self, contents: Pictures, examples: Sequence[tuple[str, str]]) -> Pictures | None:
        """(1 − noise) · pictures + noise · uniform noise in [0, 1], one for each example.

        None: the content pictures, each (H, W, 3), as they are. `examples` are all
        (artist, content), artist by artist. An example's noise depends on the seed and its names
        alone, or on the seed alone, not on its place in a batch or sweep. Where pictures are not of
        their content's shape, they are resized.
        """
        if self.pictures is None and self.noise == 0.0:
            return None
        pixels = contents if self.pictures is None else self.pictures.pixels
        share = np.float32(self.noise)
        starts = []
        for index, names in enumerate(examples):
            shape = contents[index % len(contents)].shape
            picture = resized_to(to_float(pixels[index % len(pixels)]), shape[:2])
            if self.noise:
                noise = self._noise(shape, () if self.same_noise else names)
                picture = noise if self.noise == 1.0 else (1 - share) * picture + share * noise
            starts.append(picture)
        return gathered(starts)

    def _noise(self, shape: tuple[int, ...], names: Sequence[str]) -> np.ndarray:
        generator = np.random.default_rng([self.seed, *(zlib.crc32(n.encode()) for n in names)])
        return generator.random(shape, dtype=np.float32)
