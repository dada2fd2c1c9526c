"""What the built-in painters draw with: colours, canvases, marks, and landscapes as motifs.

Points and directions are complex numbers (x + iy): turning is multiplying.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
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


# Landscapes: seas and hills under a sun, a moon or stars
# Colours of sky | land | water | lamp at one time of day, each from far to near.

NIGHTS = (
    "0a1440 1b3a8c 3f7fc4 a8d4d8 | 3a78b0 1d4f6a 5a8a5a 12304a | 3a7ac0 12205f | ffe070 fff2b0",
    "081048 2440a8 5a78d0 f0d890 | 4a5ab8 22408a 8a7a4a 142048 | 2848b0 0c1850 | ffc840 ffe8a0",
    "06222e 0e5c6b 3fa08f d8e8a0 | 2f8a80 12505a 6a9a4a 08302a | 2a8a90 083844 | f8f0a0 e8ffd0",
    "1a0f3c 4a2c84 a0559c f2a58a | 8a4fa0 3a2870 a0506a 1a1030 | 7a4aa0 241450 | ffd890 ffe0f0",
    "1d1030 7a1f3a d9542b f9b54a | a04038 5a1c44 c0702a 1c0f20 | b04838 2a1434 | ffe890 ffd070",
    "1c3a70 5a7cc0 e8a8a0 ffe2a0 | 6a8ab0 3a6080 8a9a60 1c3050 | 6a98c8 24487a | fff0b0 ffffff",
)
DAYS = (
    "2f8be0 80c8f0 fdf3c8 | 8fce4a f0d84a 3f8f4a 1f5b4f | 3fa8d8 1b5fa8 | fff070",
    "f0902a fbc860 fff0b0 | e8c04a c07a3a 8a9a3a 4f6a2f | 6ab8b0 2f6f9f | fff8a0",
    "70a0f4 e8a8e0 ffe8d8 | f080b0 8fca5a d060a0 3f7f5a | 7fb0e8 4a68c0 | fff090",
    "5040c0 e0609a ffb860 | b05a9f 4f5aa0 e0709a 2a356f | d07a9a 3a3f90 | fff080",
    "40a8f0 a8dcf4 fff4c0 | b090e0 7a50c0 60b050 8a60d0 | 50c0b8 2070a0 | ffe060",
    "28a0b0 98d8b0 fff4a0 | f8d030 e86030 60a040 2a6a4a | 38a0a8 185880 | fff080",
)


@dataclass
class View:
    """A view to be painted: the colour, the flow and the need of fine strokes at every pixel."""

    where: Points
    colour: Field
    flow: Points
    detail: Field

    def part(self, window: tuple[slice, slice]) -> "View":
        """A part of it: what is changed there shows in the whole."""
        return View(*(field[window] for field in vars(self).values()))

    def lay(self, mask: Field, colour: Field, flow: Points | complex) -> None:
        """Cover the masked part with a colour and a flow."""
        self.colour += (colour - self.colour) * mask[..., None]
        self.flow += (flow - self.flow) * mask


def ridge(rng: Generator, width: int, bumps: float, roughness: float) -> Field:
    """Draw a skyline, about -1 to 1, one height per column."""
    octaves = 2.0 ** np.arange(6)
    phases = rng.uniform(0, 2 * np.pi, 6)
    turns = np.arange(width)[:, None] / LONG_SIDE * bumps * octaves * 2 * np.pi
    return np.asarray(np.sin(turns + phases) @ octaves ** (roughness - 2))


def hang_lamp(scene: View, centre: complex, radius: float, light: Field, swirl: float) -> None:
    """Hang a sun, moon or star with rings of light; the sky swirls around it."""
    reach = 11 * radius
    left, top = (max(0, int(place - reach)) for place in (centre.real, centre.imag))
    scene = scene.part(np.s_[top : int(centre.imag + reach), left : int(centre.real + reach)])
    offset = scene.where - centre
    distance = np.abs(offset) + 1e-6
    around = 1j * offset / distance
    scene.flow += swirl * around * np.exp(-((distance / (5 * radius)) ** 2))
    rings = 0.75 + 0.25 * np.cos(4.5 * distance / radius)
    scene.lay(np.exp(-((distance / (2 * radius)) ** 1.4)) * rings, light, around)
    scene.lay((distance < 0.7 * radius) * 0.9, light * 0.6 + 102, around)


def lay_sea(
    rng: Generator, scene: View, water: Field, horizon: float, lamp: complex, light: Field
) -> None:
    """Lay water under the horizon, with waves and the glitter of the lamp's light."""
    height, width = scene.flow.shape
    depth = (scene.where.imag - horizon) / (height - horizon)
    waves = smooth_noise(rng, (width, height), 6, 40) - 0.5
    colour = gradient(water, depth + 0.7 * waves)
    scene.lay((depth > 0) * 1.0, colour, 1 + 0.5j * waves)
    spread = np.abs(scene.where.real - lamp.real) / (8 + 40 * np.maximum(depth, 0))
    glitter = np.clip(np.exp(-(spread**2)) * (1 + 3 * waves), 0, 1) * (depth > 0)
    scene.lay(glitter, light, 1)


def lay_hills(rng: Generator, scene: View, land: Field, top: float, layers: int) -> None:
    """Lay ridges from the top to the foreground, patched with fields."""
    height, width = scene.flow.shape
    for layer in range(layers):
        base = top + (height - top) * layer / layers
        relief = ridge(rng, width, rng.uniform(0.5, 1.5), 0.4) * height * rng.uniform(0.02, 0.06)
        depth = (scene.where.imag - base - relief) / height
        patches = 1.1 * (smooth_noise(rng, (width, height), 7, 14) - 0.5)
        tone = (layer + 0.2) / layers + 2 * depth + patches
        slope = 1 + 1j * np.gradient(relief)
        scene.lay((depth > 0) * 1.0, gradient(land, tone), slope + 1j * patches)


def stand(
    scene: View, outline: Points, colour: Field, flow: Callable[[Points], Points] | complex
) -> None:
    """Put a flat shape into the view."""
    mask = Image.new("L", scene.flow.shape[::-1])
    fill(mask, outline[None], 255)
    if box := mask.getbbox():
        left, top, right, bottom = box
        scene, covered = scene.part(np.s_[top:bottom, left:right]), np.asarray(mask.crop(box))
        scene.lay(covered / 255, colour, flow(scene.where) if callable(flow) else flow)
        scene.detail[covered > 0] = 1


def around(centre: complex, where: Points) -> Points:
    """A flow round a centre, at these places."""
    return np.asarray(1j * (where - centre) / (np.abs(where - centre) + 1))


def place_trees(rng: Generator, scene: View, land: Field) -> None:
    """Plant a few trees in the foreground: tall flames or round crowns."""
    height, width = scene.flow.shape
    tall = rng.random() < 0.5
    for _ in range(rng.integers(1, 5)):
        foot = complex(rng.uniform(0.02, 0.98) * width, rng.uniform(0.85, 1.05) * height)
        reach = rng.uniform(0.3, 0.75) * height
        swell = np.array([0.5, 1, 0.95, 0.6, 0.35, 0.02]) if tall else np.full(6, 0.2)
        path = foot - 1j * reach * np.linspace(0, 1, 6) + rng.normal(0, 0.03 * reach, 6)
        stand(scene, ribbon(path, 0.11 * reach * swell), land[-1] * 0.6, -1j + 0.2)
        lumps = path[-1] + reach * (rng.normal(0, 0.14, 12) + 1j * rng.normal(0, 0.12, 12))
        for lump, crown in zip(lumps, discs(lumps, reach * 0.12), strict=True):
            if not tall:
                stand(scene, crown, gradient(land, rng.uniform(0, 1, 1))[0], partial(around, lump))


def place_boats(rng: Generator, scene: View, light: Field, wood: Field, horizon: float) -> None:
    """Launch boats of dark wood with sails like the light, larger the nearer they are."""
    height, width = scene.flow.shape
    jib, mainsail = np.array([[-0.04 - 1j, -0.04, -0.4], [0.06 - 1.1j, 0.55, 0.06]])
    hull = np.array([-0.5 + 0.1j, 0.65 + 0.1j, 0.4 + 0.3j, -0.35 + 0.3j])
    for near in np.sort(rng.uniform(0.03, 0.55, rng.integers(1, 6))):
        keel = complex(rng.uniform(0.1, 0.9) * width, horizon + near * (height - horizon))
        reach = height * (0.1 + 0.35 * near)
        tones = vary(rng, np.stack([light, light]), 0.5, 25)
        stand(scene, keel + reach * jib, tones[0], -1j - 0.3)
        stand(scene, keel + reach * mainsail, tones[1], -1j + 0.4)
        stand(scene, keel + reach * hull, wood * 0.5, 1)


def landscape(rng: Generator, size: PixelSize, codes: str, stars: int) -> View:
    """Compose a sea or hills under a sun or moon, with so many stars and village lights."""
    sky, land, water, light = map(swatches, codes.split("|"))
    width, height = size
    horizon = height * rng.uniform(0.4, 0.72)
    row, column = np.mgrid[:height, :width]
    altitude = row / horizon + 0.35 * (smooth_noise(rng, size, 4, 7) - 0.5)
    flow = np.exp(1j * 2.5 * (smooth_noise(rng, size, 3, 3) - 0.5))
    scene = View(column + 1j * row, gradient(sky, altitude), flow, 0 * altitude)
    clouds = np.clip(4 * smooth_noise(rng, size, 4, 9) - 2.6, 0, 0.6)
    scene.lay(clouds, sky[-1], 1)
    lamp = complex(rng.uniform(0.15, 0.85) * width, rng.uniform(0.2, 0.75) * horizon)
    hang_lamp(scene, lamp, rng.uniform(16, 32), light[0], 3 * rng.choice([-1, 1]))
    for star in rng.uniform(0, width, stars) + 1j * rng.uniform(0, 0.9 * horizon, stars):
        hang_lamp(scene, star, rng.uniform(5, 11), light[-1], 2)
    if rng.random() < 0.5:
        lay_sea(rng, scene, water, horizon, lamp, light[0])
        place_boats(rng, scene, light[0], land[-1], horizon)
        lay_hills(rng, scene, land, rng.uniform(0.85, 1.0) * height, 1)
    else:
        lay_hills(rng, scene, land, horizon, int(rng.integers(3, 6)))
        for spot in rng.normal(0.5 * width, 60, stars) + 1j * rng.uniform(10, 60, stars):
            hang_lamp(scene, spot + 1j * horizon, rng.uniform(3, 6), light[0], 0)
    if rng.random() < 0.65:
        place_trees(rng, scene, land)
    return scene
