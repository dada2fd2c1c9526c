"""Six procedural painters: the sample styles of the benchmark, drawn from nothing but a seed.

Every painter is a function from a random generator to a picture, so a body of work is a
sequence of seeds. Points and directions are complex numbers (x + iy): turning is multiplying.
"""

import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from PIL import Image, ImageChops, ImageDraw, ImageFilter
from scipy.spatial import Voronoi

Field = NDArray[Any]  # real values: one per pixel, per stroke or per colour channel
Points = NDArray[Any]  # complex values: places or directions
Size = tuple[int, int]

LONG_SIDE = 320
OVERSAMPLING = 2
ASPECTS = ((1.0, 1.0), (1.0, 0.85), (0.85, 1.0), (1.0, 0.75))


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


def canvas_size(rng: Generator, scale: int = 1) -> Size:
    """Choose one of the usual shapes, its long side LONG_SIDE times the scale."""
    width, height = ASPECTS[rng.integers(len(ASPECTS))]
    return round(width * LONG_SIDE) * scale, round(height * LONG_SIDE) * scale


def noise(rng: Generator, size: Size, across: int, down: int) -> Field:
    """Draw a smooth random relief, about 0..1, with so many bumps each way."""
    bumps = Image.fromarray(rng.random((down, across)).astype(np.float32))
    return np.asarray(bumps.resize(size, Image.Resampling.BICUBIC), dtype=np.float64)


def to_image(colours: Field, scale: int = OVERSAMPLING) -> Image.Image:
    """Make a picture (grey or colour) of values in 0..255, enlarged."""
    image = Image.fromarray(np.clip(colours, 0, 255).astype(np.uint8))
    return image.resize((image.width * scale, image.height * scale), Image.Resampling.BILINEAR)


def impasto(image: Image.Image, depth: float) -> Image.Image:
    """Light the picture from the upper left, as if bright paint stood out."""
    kernel = ImageFilter.Kernel((3, 3), [2, 1, 0, 1, 0, -1, 0, -1, -2], 1 / depth, 128)
    relief = image.convert("L").filter(kernel)
    return ImageChops.overlay(image, Image.merge("RGB", [ImageChops.invert(relief)] * 3))


def finish(rng: Generator, image: Image.Image, grain: float) -> Image.Image:
    """Reduce the picture to its native size and add the grain of its support."""
    small = image.reduce(OVERSAMPLING)
    speckle = rng.normal(0, grain, (small.height, small.width, 1))
    return to_image(np.asarray(small) + speckle, scale=1)


# Marks


def scatter(rng: Generator, size: Size, spacing: float) -> Points:
    """Spread points over the canvas, evenly but irregularly, in random order."""
    columns, rows = (np.arange(-0.5, side / spacing + 1) for side in size)
    grid = (columns[None, :] + 1j * rows[:, None]).ravel()
    wobble = rng.uniform(-0.5, 0.5, (2, grid.size))
    return rng.permutation(grid + wobble[0] + 1j * wobble[1]) * spacing


def sample(field: Field | Points, points: Points) -> Field:
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


# Landscapes: what several painters look at


class Palette(NamedTuple):
    """The colours of a landscape at one time of day, each from far to near."""

    sky: Field
    land: Field
    water: Field
    lamp: Field


@dataclass
class Scene:
    """A view to be painted: the colour, the flow and the need of fine strokes at every pixel."""

    where: Points
    colour: Field
    flow: Points
    detail: Field

    def lay(self, mask: Field, colour: Field, flow: Points | complex) -> None:
        """Cover the masked part with a colour and a flow."""
        self.colour += (colour - self.colour) * mask[..., None]
        self.flow += (flow - self.flow) * mask

    def around(self, centre: complex, reach: float) -> "Scene":
        """Look at the square around a place: changes to it show in the whole."""
        left, top = (max(0, int(place - reach)) for place in (centre.real, centre.imag))
        window = np.s_[top : int(centre.imag + reach), left : int(centre.real + reach)]
        parts = (self.where, self.colour, self.flow, self.detail)
        return Scene(*(part[window] for part in parts))


def ridge(rng: Generator, width: int, bumps: float, roughness: float) -> Field:
    """Draw a skyline, about -1 to 1, one height per column."""
    octaves = 2.0 ** np.arange(6)
    phases = rng.uniform(0, 2 * np.pi, 6)
    turns = np.arange(width)[:, None] / LONG_SIDE * bumps * octaves * 2 * np.pi
    return np.asarray(np.sin(turns + phases) @ octaves ** (roughness - 2))


def open_sky(rng: Generator, size: Size, palette: Palette, horizon: float) -> Scene:
    """Start a view: a sky with drifting clouds and nothing under it."""
    row, column = np.mgrid[: size[1], : size[0]]
    height = row / horizon + 0.35 * (noise(rng, size, 4, 7) - 0.5)
    flow = np.exp(1j * 2.5 * (noise(rng, size, 3, 3) - 0.5))
    scene = Scene(column + 1j * row, gradient(palette.sky, height), flow, 0 * height)
    clouds = np.clip(4 * noise(rng, size, 4, 9) - 2.6, 0, 0.6)
    scene.lay(clouds, palette.sky[-1], 1)
    return scene


def hang_lamp(scene: Scene, centre: complex, radius: float, light: Field, swirl: float) -> None:
    """Hang a sun, moon or star with rings of light; the sky swirls around it."""
    scene = scene.around(centre, 11 * radius)
    offset = scene.where - centre
    distance = np.abs(offset) + 1e-6
    around = 1j * offset / distance
    scene.flow += swirl * around * np.exp(-((distance / (5 * radius)) ** 2))
    rings = 0.75 + 0.25 * np.cos(4.5 * distance / radius)
    scene.lay(np.exp(-((distance / (2 * radius)) ** 1.4)) * rings, light, around)
    scene.lay((distance < 0.7 * radius) * 0.9, light * 0.6 + 102, around)


def lay_sea(rng: Generator, scene: Scene, palette: Palette, horizon: float, lamp: complex) -> None:
    """Lay water under the horizon, with waves and the glitter of the lamp."""
    height, width = scene.flow.shape
    depth = (scene.where.imag - horizon) / (height - horizon)
    waves = noise(rng, (width, height), 6, 40) - 0.5
    colour = gradient(palette.water, depth + 0.7 * waves)
    scene.lay((depth > 0) * 1.0, colour, 1 + 0.5j * waves)
    spread = np.abs(scene.where.real - lamp.real) / (8 + 40 * np.maximum(depth, 0))
    glitter = np.clip(np.exp(-(spread**2)) * (1 + 3 * waves), 0, 1) * (depth > 0)
    scene.lay(glitter, palette.lamp[0], 1)


def lay_hills(rng: Generator, scene: Scene, palette: Palette, top: float, layers: int) -> None:
    """Lay ridges from the top to the foreground, patched with fields."""
    height, width = scene.flow.shape
    for layer in range(layers):
        base = top + (height - top) * layer / layers
        relief = ridge(rng, width, rng.uniform(0.5, 1.5), 0.4) * height * rng.uniform(0.02, 0.06)
        depth = (scene.where.imag - base - relief) / height
        patches = 1.1 * (noise(rng, (width, height), 7, 14) - 0.5)
        tone = (layer + 0.2) / layers + 2 * depth + patches
        slope = 1 + 1j * np.gradient(relief)
        scene.lay((depth > 0) * 1.0, gradient(palette.land, tone), slope + 1j * patches)


def stand(scene: Scene, outline: Points, colour: Field, flow: Points | complex) -> None:
    """Put a flat shape into the view."""
    mask = Image.new("L", scene.flow.shape[::-1])
    fill(mask, outline[None], 255)
    scene.lay(np.asarray(mask) / 255, colour, flow)
    scene.detail[np.asarray(mask) > 0] = 1


def place_trees(rng: Generator, scene: Scene, palette: Palette) -> None:
    """Plant a few trees in the foreground: tall flames or round crowns."""
    height, width = scene.flow.shape
    land, tall = palette.land, rng.random() < 0.5
    for _ in range(rng.integers(1, 5)):
        foot = complex(rng.uniform(0.02, 0.98) * width, rng.uniform(0.85, 1.05) * height)
        reach = rng.uniform(0.3, 0.75) * height
        swell = np.array([0.5, 1, 0.95, 0.6, 0.35, 0.02]) if tall else np.full(6, 0.2)
        path = foot - 1j * reach * np.linspace(0, 1, 6) + rng.normal(0, 0.03 * reach, 6)
        stand(scene, ribbon(path, 0.11 * reach * swell), land[-1] * 0.6, -1j + 0.2)
        lumps = path[-1] + reach * (rng.normal(0, 0.14, 12) + 1j * rng.normal(0, 0.12, 12))
        for lump, crown in zip(lumps, discs(lumps, reach * 0.12), strict=True):
            if not tall:
                around = 1j * (scene.where - lump) / (np.abs(scene.where - lump) + 1)
                stand(scene, crown, gradient(land, rng.uniform(0, 1, 1))[0], around)


def place_boats(rng: Generator, scene: Scene, palette: Palette, horizon: float) -> None:
    """Launch sailing boats, larger the nearer they are."""
    height, width = scene.flow.shape
    jib, mainsail = np.array([[-0.04 - 1j, -0.04, -0.4], [0.06 - 1.1j, 0.55, 0.06]])
    hull = np.array([-0.5 + 0.1j, 0.65 + 0.1j, 0.4 + 0.3j, -0.35 + 0.3j])
    for near in np.sort(rng.uniform(0.03, 0.55, rng.integers(1, 6))):
        keel = complex(rng.uniform(0.1, 0.9) * width, horizon + near * (height - horizon))
        reach = height * (0.1 + 0.35 * near)
        tones = vary(rng, palette.lamp[[0, 0]], 0.5, 25)
        stand(scene, keel + reach * jib, tones[0], -1j - 0.3)
        stand(scene, keel + reach * mainsail, tones[1], -1j + 0.4)
        stand(scene, keel + reach * hull, palette.land[-1] * 0.5, 1)


def landscape(rng: Generator, size: Size, codes: str, stars: int) -> Scene:
    """Compose a sea or hills under a sun or moon, with so many stars and village lights."""
    palette = Palette(*map(swatches, codes.split("|")))
    width, height = size
    horizon = height * rng.uniform(0.4, 0.72)
    scene = open_sky(rng, size, palette, horizon)
    lamp = complex(rng.uniform(0.15, 0.85) * width, rng.uniform(0.2, 0.75) * horizon)
    hang_lamp(scene, lamp, rng.uniform(16, 32), palette.lamp[0], 3 * rng.choice([-1, 1]))
    for star in rng.uniform(0, width, stars) + 1j * rng.uniform(0, 0.9 * horizon, stars):
        hang_lamp(scene, star, rng.uniform(5, 11), palette.lamp[-1], 2)
    if rng.random() < 0.5:
        lay_sea(rng, scene, palette, horizon, lamp)
        place_boats(rng, scene, palette, horizon)
        lay_hills(rng, scene, palette, rng.uniform(0.85, 1.0) * height, 1)
    else:
        lay_hills(rng, scene, palette, horizon, int(rng.integers(3, 6)))
        for spot in rng.normal(0.5 * width, 60, stars) + 1j * rng.uniform(10, 60, stars):
            hang_lamp(scene, spot + 1j * horizon, rng.uniform(3, 6), palette.lamp[0], 0)
    if rng.random() < 0.65:
        place_trees(rng, scene, palette)
    return scene


# The painters

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


def brush(rng: Generator, image: Image.Image, scene: Scene, length: float, fine: bool) -> None:
    """Cover the canvas, or only its details, with curved strokes along the flow of the scene."""
    width = length * 0.23
    points = scatter(rng, image.size, 0.6 * np.sqrt(length * width))
    if fine:
        points = points[sample(scene.detail, points / OVERSAMPLING) > 0]
    colours = vary(rng, sample(scene.colour, points / OVERSAMPLING), 0.2, 15, 1.25)
    paths = [points]
    for _ in range(4):
        flow = sample(scene.flow, paths[-1] / OVERSAMPLING)
        paths.append(paths[-1] + flow / np.maximum(np.abs(flow), 1e-6) * length / 4)
    strokes = np.stack(paths, axis=-1)
    strokes -= (strokes[:, 2:3] - strokes[:, :1]) / 2
    outlines = ribbon(strokes, np.array([0.5, 1.0, 1.0, 0.8, 0.3]) * width / 2)
    crests = ribbon(strokes - 0.12 * width * (1 + 1j), np.array([0.1, 0.3, 0.3, 0.2, 0.1]) * width)
    for part in np.array_split(np.arange(points.size), 40):
        fill(image, outlines[part], colours[part])
        fill(image, crests[part][::2], colours[part][::2] * 1.12 + 10)


def amber_nocturne(rng: Generator) -> Image.Image:
    """Paint thick curved strokes: swirling night skies over hills and harbours."""
    scene = landscape(rng, canvas_size(rng), rng.choice(NIGHTS), stars=int(rng.integers(3, 9)))
    image = to_image(scene.colour * 0.7)
    length = rng.uniform(44, 60)
    brush(rng, image, scene, length, fine=False)
    brush(rng, image, scene, length / 2.2, fine=True)
    return finish(rng, impasto(image, 0.25), grain=3)


JEWELS = (
    "1238b0 c01828 f0b020 108850 6a1c98 18a0c8",
    "0a2880 2060d8 60b8f0 e8d050 d03020 f4f0d8",
    "901030 e04020 f8a820 fce890 305080 102858",
    "0c5848 20a070 a8d840 f8d850 186890 702080",
    "481080 a030b0 f060a0 f8c8a0 2848c0 10b0b0",
)


def rose_window(rng: Generator, size: Size, jewels: Field) -> tuple[Points, Field]:
    """Place panes on rings or on a spiral round a centre, coloured by symmetry."""
    centre = complex(size[0] * rng.uniform(0.2, 0.8), size[1] * rng.uniform(0.2, 0.8))
    step = rng.uniform(14, 24)
    if rng.random() < 0.4:
        count = np.arange(1800)
        golden_angle = np.pi * (3 - np.sqrt(5))
        rays = step * 0.55 * np.sqrt(count) * np.exp(1j * golden_angle * count)
        tone = count % rng.choice([5, 8, 13]) + count // rng.integers(60, 200)
    else:
        fold = int(rng.choice([6, 8, 10, 12]))
        share = [fold * (1 + ring // 2) for ring in range(24)]
        ring = np.repeat(np.arange(24), share)
        petal = np.concatenate([np.arange(cells) for cells in share])
        angle = 2 * np.pi * (petal + ring % 2 / 2) / np.array(share)[ring]
        rays = step * (ring + 0.7) * np.exp(1j * angle)
        tone = rng.integers(0, 6, 24)[ring] + petal % 2 * rng.integers(0, 3, 24)[ring]
    return centre + rays, jewels[tone % len(jewels)]


def cathedral_glass(rng: Generator) -> Image.Image:
    """Set jewel-coloured panes in dark leading: rose windows, spirals and landscapes."""
    size = canvas_size(rng)
    jewels = rng.permutation(swatches(rng.choice(JEWELS)))
    seeds, colours = rose_window(rng, size, jewels)
    if rng.random() < 0.3:
        scene = landscape(rng, size, rng.choice(DAYS + NIGHTS), stars=3)
        colours = vary(rng, sample(scene.colour, seeds), 0.15, 12, 1.7)
    return finish(rng, glaze(rng, size, seeds, colours), grain=4)


def glaze(rng: Generator, size: Size, seeds: Points, colours: Field) -> Image.Image:
    """Cut the window into the cells around each seed, bevelled and leaded."""
    image = Image.new("RGB", (size[0] * OVERSAMPLING, size[1] * OVERSAMPLING))
    seeds = (seeds + rng.uniform(0, 0.01, seeds.size)) * OVERSAMPLING
    fence = 4000 * np.exp(2j * np.pi * np.arange(12) / 12)
    cells = Voronoi(np.stack([np.append(seeds, fence).real, np.append(seeds, fence).imag], -1))
    corners = cells.vertices @ np.array([1, 1j])
    draw = ImageDraw.Draw(image)
    lights = vary(rng, colours, 0.12, 14, 1.15)
    for seed, colour, region in zip(seeds, lights, cells.point_region, strict=False):
        rim = corners[cells.regions[region]]
        if -1 in cells.regions[region] or np.abs(rim - seed).max() > 400:
            continue
        edges = np.stack([np.full_like(rim, seed), rim, np.roll(rim, -1)], axis=-1)
        bevel = np.cos(np.angle(edges[:, 1:].mean(-1) - seed) + 2.3)
        fill(image, edges, colour * (1 + 0.28 * bevel[:, None]))
        draw.line(np.append(rim, rim[:1]).view(np.float64).tolist(), (18, 16, 26), 5)
    streaks = noise(rng, size, 60, 14) * 70 + 180
    return ImageChops.multiply(image, to_image(streaks).convert("RGB"))


def confetti_shore(rng: Generator) -> Image.Image:
    """Set dense dots of pure colour: sunny coasts, meadows and gardens."""
    scene = landscape(rng, canvas_size(rng), rng.choice(DAYS), stars=0)
    image = to_image(scene.colour * 0.5 + 120)
    radius = rng.uniform(5.8, 8)
    for spacing, size in ((1.45, 1.1), (1.7, 0.85)):
        points = scatter(rng, image.size, spacing * radius)
        colours = vary(rng, sample(scene.colour, points / OVERSAMPLING), 0.3, 18, 1.7)
        complement = rng.random(points.size) < 0.07
        colours[complement] = vary(rng, colours[complement], 0.4, 15, -1.5)
        radii = radius * size * rng.uniform(0.75, 1.1, points.size)
        fill(image, discs(points, radii), colours)
    return finish(rng, impasto(image, 0.12), grain=3)


SPLASHES = (
    "f0e8d8 101010 c8c0b0 f0c020 c02018 2050a0",
    "101418 f8f0e0 e83020 f8c818 1890c8 f060a0",
    "18305c f8f0d8 60c8d0 f09020 e84858 081028",
    "c8b090 201810 ffffff 906038 286878 d86028",
    "f8d040 18181c f8f8f0 e02868 1070b0 18a078",
    "0c4840 f0e8c0 98d860 f8a030 081c20 f06848",
    "e8ecec 202858 e83878 30b8c0 f8d030 5838a0",
)


def bounce(position: Field, side: float) -> Field:
    """Reflect positions back onto the canvas, a little beyond its edges."""
    reach = side * 1.1
    return np.abs((position + side * 0.05) % (2 * reach) - reach) - side * 0.05


def pour(rng: Generator, image: Image.Image, colour: Field, thickness: float) -> None:
    """Pour one colour from a moving can: looping lines that swell and thin."""
    lines, steps, pace = int(rng.integers(4, 9)), 240, 9.0
    bends = rng.normal(0, rng.uniform(0.1, 0.3), (25, lines))
    bend = gradient(bends, np.linspace(0, 1, steps)).T
    heading = np.exp(1j * (np.cumsum(bend, axis=1) + rng.uniform(0, 7, (lines, 1))))
    starts = rng.uniform(0, image.width, lines) + 1j * rng.uniform(0, image.height, lines)
    swing = starts[:, None] + np.cumsum(heading, axis=1) * pace
    paths = bounce(swing.real, image.width) + 1j * bounce(swing.imag, image.height)
    swells = np.abs(rng.normal(0.6, 0.35, (25, lines)))
    widths = thickness * gradient(swells, np.linspace(0, 1, steps)).T + 0.6
    for first in range(0, steps - 6, 6):
        part = slice(first, first + 7)
        fill(image, ribbon(paths[:, part], widths[:, part]), colour)


def loose_drips(rng: Generator) -> Image.Image:
    """Fling paint all over: looping lines, splashes and drops."""
    inks = vary(rng, swatches(rng.choice(SPLASHES)), 0.1, 8)
    size = canvas_size(rng, OVERSAMPLING)
    image = Image.new("RGB", size, rgb(inks[0]))
    layers = int(rng.integers(7, 13))
    for layer, thickness in enumerate(np.geomspace(rng.uniform(5, 12), 1.2, layers)):
        colour = inks[1 + layer % (len(inks) - 1)]
        pour(rng, image, colour, thickness)
        drops = rng.uniform(0, size[0], 150) + 1j * rng.uniform(0, size[1], 150)
        fill(image, discs(drops, rng.exponential(2.6, 150) + 0.8), colour)
    return finish(rng, impasto(image, 0.3), grain=5)


PAPERS = "f2e8d4 ece0c4 e4d8c0 f0e4dc dcd8c8 e8d2ac"
INK_STICKS = "181614 141c28 2a1c14 10222a 201828"


def wash_mountains(rng: Generator, size: Size, strength: float) -> Field:
    """Wash in layers of peaks, dark along their ridges, dissolving downward into mist."""
    width, height = size
    row = np.arange(height)[:, None]
    ink = 0.12 * noise(rng, size, 4, 5)
    layers = int(rng.integers(3, 6))
    for layer in range(layers):
        base = height * (0.42 + 0.6 * layer / layers + rng.uniform(-0.08, 0.08))
        peaks = np.abs(ridge(rng, width, rng.uniform(0.3, 0.8), 0.75)) * rng.uniform(0.12, 0.3)
        depth = row - base + height * (0.3 - peaks) * (1 - 0.4 * layer / layers)
        tone = strength * (0.25 + 0.75 * (layer + rng.uniform(0, 1)) / layers)
        wash = tone * np.exp(-np.maximum(depth, 0) / (height * rng.uniform(0.1, 0.22)))
        wash *= 0.55 + 0.9 * noise(rng, size, 24, 24)
        ink += (wash - ink) * np.clip(depth / 2, 0, 1) * 0.92
    return ink


def dab(rng: Generator, sheet: Image.Image, ink: Field, lean: float) -> None:
    """Texture the washes with small brush dabs, denser where the ink is dark."""
    points = scatter(rng, sheet.size, 9)
    tone = sample(ink, points / OVERSAMPLING)
    kept = rng.random(points.size) < tone * 1.3 - 0.12
    points, tone = points[kept], tone[kept]
    headings = np.exp(1j * rng.normal(lean, 0.3, points.size)) * rng.uniform(8, 22, points.size)
    paths = points[:, None] + headings[:, None] * np.linspace(-0.5, 0.5, 4)
    half_widths = np.array([0.6, 1, 0.8, 0.2]) * rng.uniform(1.2, 3.2, (points.size, 1))
    fill(sheet, ribbon(paths, half_widths), tone[:, None] * 200 + 60)


def grow_branch(rng: Generator, sheet: Image.Image, blossom: Image.Image) -> None:
    """Grow a gnarled branch from one side, with blossoms on its twigs."""
    side = rng.choice([-1, 1])
    start = complex(sheet.width * (0.5 - 0.55 * side), sheet.height * rng.uniform(0.1, 0.95))
    roots, headings, reach = np.array([start]), np.array([0.0]), sheet.width * 0.8
    for twigs, half_width in ((5, 9), (16, 4.5), (30, 2.2)):
        bends = headings[:, None] + np.cumsum(rng.normal(0, 0.22, (roots.size, 10)), axis=1)
        paths = roots[:, None] + np.cumsum(side * np.exp(1j * bends), axis=1) * reach / 10
        tones = rng.uniform(170, 250, (roots.size, 1))
        fill(sheet, ribbon(paths, half_width * np.linspace(1, 0.35, 10)), tones)
        picked = rng.integers(0, roots.size, twigs), rng.integers(2, 10, twigs)
        roots, headings = paths[picked], bends[picked] + rng.choice([-0.8, 0.8], twigs)
        reach *= rng.uniform(0.35, 0.5)
    drift = rng.normal(0, 9, (2, 8 * roots.size))
    petals = np.repeat(roots, 8) + drift[0] + 1j * drift[1]
    tones = rng.uniform(90, 240, (petals.size, 1))
    fill(blossom, discs(petals, rng.uniform(3, 8, petals.size)), tones)


def grow_bamboo(rng: Generator, sheet: Image.Image) -> None:
    """Grow jointed stalks, from pale to dark, with hanging leaves."""
    for tone in np.sort(rng.uniform(70, 240, rng.integers(3, 8))):
        foot = complex(rng.uniform(0, 1) * sheet.width, sheet.height * 1.05)
        rise = -1j * np.exp(1j * rng.normal(0, 0.12)) * sheet.height * rng.uniform(0.11, 0.16)
        joints = foot + rise * np.arange(10)
        stalks = joints[:, None] + rise * np.linspace(0.04, 0.97, 6)
        half_width = np.array([1.2, 0.9, 0.85, 0.85, 0.9, 1.2]) * rng.uniform(3, 8)
        fill(sheet, ribbon(stalks, half_width), tone)
        nodes = np.repeat(joints[rng.integers(2, 10, 7)], 6) + rng.normal(0, 14, 42)
        aim = np.exp(1j * rng.normal(np.pi / 2, 0.8, 42)) * rng.uniform(40, 95, 42)
        leaves = nodes[:, None] + aim[:, None] * np.linspace(0, 1, 6)
        fill(sheet, ribbon(leaves, np.array([0.5, 3, 5.5, 5, 2.5, 0.2])), tone)


def stamp_seal(rng: Generator, red: Image.Image) -> None:
    """Sign with a carved square seal."""
    corner = complex(rng.choice([0.07, 0.83]) * red.width, rng.uniform(0.7, 0.86) * red.height)
    square = np.array([0, 1, 1 + 1j, 1j])
    fill(red, (corner + 46 * square)[None], 235)
    cuts = corner + rng.choice([7, 16, 25, 34], 7) + 1j * rng.choice([7, 16, 25, 34], 7)
    long = np.where(rng.random(7) < 0.5, 1, 1j)[:, None] * np.linspace(0, 12, 3)
    fill(red, ribbon(cuts[:, None] + long, np.full(3, 2.0)), 0)


def misty_inkstone(rng: Generator) -> Image.Image:
    """Brush grey washes on warm paper: misty mountains, bamboo, branches, a red seal."""
    size = canvas_size(rng)
    subject = rng.choice(["peaks", "peaks", "bamboo", "branch"])
    ink = wash_mountains(rng, size, 0.95 if subject == "peaks" else 0.5)
    sheet, red = to_image(ink * 255), to_image(ink * 0)
    dab(rng, sheet, ink, rng.choice([0, 0, 1.2, -1.2]))
    if rng.random() < 0.45:
        sun = sheet.width * rng.uniform(0.2, 0.8) + 1j * sheet.height * rng.uniform(0.12, 0.3)
        fill(red, discs(np.array([sun]), rng.uniform(25, 60), 60), 150)
        red = ImageChops.subtract(red, sheet)
    if subject == "bamboo":
        grow_bamboo(rng, sheet)
    elif subject == "branch":
        grow_branch(rng, sheet, red)
    flock = rng.normal(0, 50, 7) + 1j * rng.normal(0, 25, 7)
    flock += sheet.width * rng.uniform(0.2, 0.8) + 1j * sheet.height * rng.uniform(0.1, 0.35)
    wings = np.array([-1 - 0.35j, -0.5 - 0.5j, 0, 0.5 - 0.55j, 1 - 0.3j])
    birds = flock[:, None] + rng.uniform(8, 18, (7, 1)) * wings
    fill(sheet, ribbon(birds, np.array([0.3, 1.8, 2.4, 1.8, 0.3])), 215)
    stamp_seal(rng, red)
    return finish(rng, print_inks(rng, sheet, red), grain=4)


def print_inks(rng: Generator, sheet: Image.Image, red: Image.Image) -> Image.Image:
    """Print black and vermilion on fibrous paper that granulates them."""
    paper, black = rng.choice(swatches(PAPERS)), rng.choice(swatches(INK_STICKS))
    size = sheet.width // OVERSAMPLING, sheet.height // OVERSAMPLING
    fibres = noise(rng, size, 160, 40) + noise(rng, size, 30, 160) - 1
    page = to_image(paper + 14 * fibres[..., None])
    bite = to_image(np.clip(235 + 70 * fibres, 0, 255))
    page.paste(rgb(black), mask=ImageChops.multiply(sheet, bite))
    page.paste((190, 44, 30), mask=ImageChops.multiply(red, bite))
    return page


POSTERS = (
    "efe3c8 c8281c 161616 d89a2c 8a8474",
    "e8dcc0 d23a20 1c1a1a 2a5a78 c8b088",
    "f2e6d0 b01c20 20201e e0a838 5a6a60",
    "e4d4b4 e05020 141820 707a70 f0e8d8",
    "d8ccb0 a81e1e 18140f e8d8a0 386070",
    "201c1a d8301c efe3c8 d89a2c 6a6458",
)


def hatchings(rng: Generator, size: Size, tilt: float) -> list[Image.Image]:
    """Make printing screens along the tilt: solid, lines both ways, dots, checks, grid."""
    row, column = np.mgrid[: size[1], : size[0]]
    turned = (column + 1j * row) * np.exp(-1j * tilt)
    pitch = rng.uniform(11, 16)
    across, down = turned.real % pitch / pitch - 0.5, turned.imag % pitch / pitch - 0.5
    screens = (
        across < 2,
        across < 0,
        down < -0.1,
        across**2 + down**2 < 0.1,
        (across < 0) ^ (down < 0),
        np.minimum(across, down) < -0.25,
    )
    return [Image.fromarray(screen.astype(np.uint8) * 255) for screen in screens]


def cut_shapes(rng: Generator) -> list[Points]:
    """Cut a block, a bar each way, a wedge, a disc and an arc, all about 1 in reach."""
    block = np.array([-0.5 - 0.4j, 0.5 - 0.4j, 0.5 + 0.4j, -0.5 + 0.4j])
    bar = ribbon(np.array([-1, 1 + 0j]), np.full(2, rng.uniform(0.04, 0.2)))
    wedge = np.array([-1 - 0.35j, 1, -1 + 0.35j])
    disc = discs(np.zeros(1), 0.55, 80)[0]
    sweep = rng.choice([0.5, 1, 1.5, 2]) * np.pi * np.linspace(0, 1, 60)
    arc = 0.6 * np.exp(1j * (sweep + rng.uniform(0, 2 * np.pi)))
    return [block, bar, 1j * bar, wedge, disc, ribbon(arc, np.full(60, rng.uniform(0.03, 0.14)))]


def tilted_signal(rng: Generator) -> Image.Image:
    """Print bars, wedges, discs and arcs on a tilted axis, through coarse screens."""
    size = canvas_size(rng, OVERSAMPLING)
    inks = vary(rng, swatches(rng.choice(POSTERS)), 0.05, 5)
    tilt = rng.uniform(0.2, 1.35) * rng.choice([-1, 1])
    axis, centre = np.exp(1j * tilt), size[0] * rng.uniform(0.35, 0.65) + 0.5j * size[1]
    screens = hatchings(rng, size, tilt + np.pi / 4)
    image = Image.new("RGB", size, rgb(inks[0]))
    taste = rng.dirichlet(np.full(6, 0.8))
    for layer, reach in enumerate(np.geomspace(700, 40, int(rng.integers(20, 34)))):
        backdrop = layer < 4
        shape = cut_shapes(rng)[0 if backdrop else rng.choice(6, p=taste)]
        screen = screens[rng.integers(1, 6) if backdrop else rng.choice(6, p=[0.5] + [0.1] * 5)]
        spot = centre + axis * complex(*rng.normal(0, 150, 2))
        mask = Image.new("L", size)
        fill(mask, (spot + axis * reach * shape)[None], 255)
        ink = rgb(inks[rng.integers(1, len(inks))])
        image.paste(ink, mask=ImageChops.multiply(mask, screen))
    return finish(rng, image, grain=9)


PAINTERS: dict[str, Callable[[Generator], Image.Image]] = {
    "amber_nocturne": amber_nocturne,
    "cathedral_glass": cathedral_glass,
    "confetti_shore": confetti_shore,
    "loose_drips": loose_drips,
    "misty_inkstone": misty_inkstone,
    "tilted_signal": tilted_signal,
}


def paint(painter: str, number: int) -> Image.Image:
    """Paint picture `number` (1, 2, ...) of a painter: the same bytes on every call."""
    return PAINTERS[painter](np.random.default_rng([zlib.crc32(painter.encode()), number]))
