"""Colours, canvases and marks: what the embedded painters draw with.

Points and directions are complex numbers (x + iy): turning is multiplying.
"""

from typing import Any

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from PIL import Image, ImageChops, ImageDraw, ImageFilter

Field = NDArray[Any]  # real values: one per pixel, per stroke or per colour channel
Points = NDArray[Any]  # complex values: places or directions
PixelSize = tuple[int, int]

LONG_SIDE = 320
OVERSAMPLING = 2
CANVAS_ASPECTS = ((1.0, 1.0), (1.0, 0.85), (0.85, 1.0), (1.0, 0.75))


# Colours and canvases


def swatches(codes: str) -> Field:
    """Read colours (n, 3) in 0..255 from space-separated hex codes."""
    return np.array([list(bytes.fromhex(code)) for code in codes.split()], dtype=np.float64)


def gradient(stops: Field, position: Field) -> Field:
    """Interpolate between evenly spaced stops (n, channels) at positions in 0..1."""
    knots = np.linspace(0, 1, len(stops))
    return np.stack([np.interp(position, knots, channel) for channel in stops.T], axis=-1)


def vary(rng: Generator, colours: Field, turn: float, light: float, chroma: float = 1.0) -> Field:
    """Turn the hue, shift the light and scale the chroma of each colour."""
    grey = colours.mean(axis=-1, keepdims=True)
    strength = (colours - grey) * chroma
    angle = rng.normal(0, turn, grey.shape)
    across = np.roll(strength, 1, axis=-1) - np.roll(strength, -1, axis=-1)
    turned = strength * np.cos(angle) + across * np.sin(angle) / np.sqrt(3)
    return np.asarray(np.clip(grey + turned + rng.normal(0, light, grey.shape), 0, 255))


def rgb(colour: Field) -> tuple[int, ...]:
    """Round a colour for Pillow."""
    return tuple(colour.astype(int).tolist())


def canvas_size(rng: Generator, scale: int = 1) -> PixelSize:
    """Choose one of the usual shapes, its long side LONG_SIDE times the scale."""
    width, height = CANVAS_ASPECTS[rng.integers(len(CANVAS_ASPECTS))]
    return round(width * LONG_SIDE) * scale, round(height * LONG_SIDE) * scale


def smooth_noise(rng: Generator, size: PixelSize, across: int, down: int) -> Field:
    """Draw a smooth random relief, about 0..1, with so many bumps each way."""
    bumps = Image.fromarray(rng.random((down, across)).astype(np.float32))
    return np.asarray(bumps.resize(size, Image.Resampling.BICUBIC), dtype=np.float64)


def to_image(colours: Field, scale: int = OVERSAMPLING) -> Image.Image:
    """Make an image (grey or colour) of values in 0..255, enlarged."""
    image = Image.fromarray(np.clip(colours, 0, 255).astype(np.uint8))
    return image.resize((image.width * scale, image.height * scale), Image.Resampling.BILINEAR)


def impasto(image: Image.Image, depth: float) -> Image.Image:
    """Light the image from the upper left, as if bright paint stood out."""
    kernel = ImageFilter.Kernel((3, 3), [2, 1, 0, 1, 0, -1, 0, -1, -2], 1 / depth, 128)
    relief = image.convert("L").filter(kernel)
    return ImageChops.overlay(image, Image.merge("RGB", [ImageChops.invert(relief)] * 3))


def finish(rng: Generator, image: Image.Image, grain: float) -> Image.Image:
    """Reduce the image to its native size and add the grain of its support."""
    small = image.reduce(OVERSAMPLING)
    speckle = rng.normal(0, grain, (small.height, small.width, 1))
    return to_image(np.asarray(small) + speckle, scale=1)


# Marks


def scatter(rng: Generator, size: PixelSize, spacing: float) -> Points:
    """Spread points over the canvas, evenly but irregularly, in random order."""
    columns, rows = (np.arange(-0.5, side / spacing + 1) for side in size)
    grid = (columns[None, :] + 1j * rows[:, None]).ravel()
    wobble = rng.uniform(-0.5, 0.5, (2, grid.size))
    return rng.permutation(grid + wobble[0] + 1j * wobble[1]) * spacing


def look_up(field: Field | Points, points: Points) -> Field:
    """Look up a field under points, its nearest values beyond the edges."""
    column = np.clip(points.real, 0, field.shape[1] - 1).astype(int)
    row = np.clip(points.imag, 0, field.shape[0] - 1).astype(int)
    return np.asarray(field[row, column])


def ribbon(paths: Points, half_widths: Field) -> Points:
    """Outline brush strokes of varying width along paths (strokes, steps)."""
    along = np.gradient(paths, axis=-1)
    side = 1j * along / np.maximum(np.abs(along), 1e-9) * half_widths
    return np.concatenate([paths + side, (paths - side)[..., ::-1]], axis=-1)


def discs(centres: Points, radii: Field | float, corners: int = 10) -> Points:
    """Outline round dots."""
    rim = np.exp(2j * np.pi * np.arange(corners) / corners)
    return np.asarray(centres[:, None] + np.broadcast_to(radii, centres.shape)[:, None] * rim)


def fill(image: Image.Image, outlines: Points, colours: Field | float) -> None:
    """Fill outlines (n, corners) in order, with colours (n, channels) or one for all."""
    draw = ImageDraw.Draw(image)
    corners = np.ascontiguousarray(outlines).view(np.float64).tolist()
    channels = len(image.getbands())
    inks = np.broadcast_to(np.clip(colours, 0, 255).astype(int), (len(corners), channels))
    for outline, ink in zip(corners, inks.tolist(), strict=True):
        draw.polygon(outline, fill=tuple(ink))
