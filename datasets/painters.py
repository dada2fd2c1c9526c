"""Six procedural painters: the sample styles of the benchmark, drawn from nothing but a seed.

Every painter is a function from a random generator to an image, so a body of work is a sequence of
seeds.
"""

import zlib
from collections.abc import Callable

import numpy as np
from numpy.random import Generator
from PIL import Image, ImageChops, ImageDraw

from datasets.drawing import (
    DAYS,
    NIGHTS,
    OVERSAMPLING,
    Field,
    PixelSize,
    Points,
    View,
    canvas_size,
    discs,
    fill,
    finish,
    gradient,
    impasto,
    landscape,
    look_up,
    rgb,
    ribbon,
    ridge,
    scatter,
    smooth_noise,
    swatches,
    to_image,
    vary,
)


def brush(rng: Generator, image: Image.Image, scene: View, length: float, fine: bool) -> None:
    """Cover the canvas, or only its details, with curved strokes along the flow of the scene."""
    width = length * 0.23
    points = scatter(rng, image.size, 0.6 * np.sqrt(length * width))
    if fine:
        points = points[look_up(scene.detail, points / OVERSAMPLING) > 0]
    colours = vary(rng, look_up(scene.colour, points / OVERSAMPLING), 0.2, 15, 1.25)
    paths = [points]
    for _ in range(4):
        flow = look_up(scene.flow, paths[-1] / OVERSAMPLING)
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


def rose_window(rng: Generator, size: PixelSize, jewels: Field) -> tuple[Points, Field]:
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
    from scipy.spatial import Voronoi  # not at the top: most runs read these paintings from disk

    size = canvas_size(rng)
    jewels = rng.permutation(swatches(rng.choice(JEWELS)))
    seeds, colours = rose_window(rng, size, jewels)
    if rng.random() < 0.3:
        scene = landscape(rng, size, rng.choice(DAYS + NIGHTS), stars=3)
        colours = vary(rng, look_up(scene.colour, seeds), 0.15, 12, 1.7)
    # The window is cut into the cells around each seed, bevelled and leaded.
    image = Image.new("RGB", (size[0] * OVERSAMPLING, size[1] * OVERSAMPLING))
    seeds = (seeds + rng.uniform(0, 0.01, seeds.size)) * OVERSAMPLING
    fence = 4000 * np.exp(2j * np.pi * np.arange(12) / 12)
    cells = Voronoi(np.stack([np.append(seeds, fence).real, np.append(seeds, fence).imag], -1))
    corners = cells.vertices @ np.array([1, 1j])
    draw = ImageDraw.Draw(image)
    lights = vary(rng, colours, 0.12, 14, 1.15)
    regions = [cells.regions[region] for region in cells.point_region[: seeds.size]]
    # The edges of all panes in one array: (seed, a corner, the next corner).
    ends = np.cumsum([len(region) for region in regions])
    pane = np.repeat(np.arange(seeds.size), np.diff(ends, prepend=0))
    rim = corners[np.concatenate(regions)]
    following = corners[np.concatenate([np.roll(region, -1) for region in regions])]
    edges = np.stack([seeds[pane], rim, following], axis=-1)
    bevel = np.cos(np.angle(edges[:, 1:].mean(-1) - seeds[pane]) + 2.3)
    tones = lights[pane] * (1 + 0.28 * bevel[:, None])
    far = np.abs(rim - seeds[pane]) > 400
    for region, part in zip(
        regions, map(slice, ends - np.diff(ends, prepend=0), ends), strict=True
    ):
        if -1 in region or far[part].any():
            continue
        fill(image, edges[part], tones[part])
        draw.line(np.append(rim[part], rim[part][:1]).view(np.float64).tolist(), (18, 16, 26), 5)
    streaks = smooth_noise(rng, size, 60, 14) * 70 + 180
    glazed = ImageChops.multiply(image, to_image(streaks).convert("RGB"))
    return finish(rng, glazed, grain=4)


def confetti_shore(rng: Generator) -> Image.Image:
    """Set dense dots of pure colour: sunny coasts, meadows and gardens."""
    scene = landscape(rng, canvas_size(rng), rng.choice(DAYS), stars=0)
    image = to_image(scene.colour * 0.5 + 120)
    radius = rng.uniform(5.8, 8)
    for spacing, size in ((1.45, 1.1), (1.7, 0.85)):
        points = scatter(rng, image.size, spacing * radius)
        colours = vary(rng, look_up(scene.colour, points / OVERSAMPLING), 0.3, 18, 1.7)
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


def pour(rng: Generator, image: Image.Image, colour: Field, thickness: float) -> None:
    """Pour one colour from a moving can: looping lines that swell and thin."""

    def bounce(position: Field, side: float) -> Field:
        """Reflect positions back onto the canvas, a little beyond its edges."""
        reach = side * 1.1
        return np.abs((position + side * 0.05) % (2 * reach) - reach) - side * 0.05

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


def wash_mountains(rng: Generator, size: PixelSize, strength: float) -> Field:
    """Wash in layers of peaks, dark along their ridges, dissolving downward into mist."""
    width, height = size
    row = np.arange(height)[:, None]
    ink = 0.12 * smooth_noise(rng, size, 4, 5)
    layers = int(rng.integers(3, 6))
    for layer in range(layers):
        base = height * (0.42 + 0.6 * layer / layers + rng.uniform(-0.08, 0.08))
        peaks = np.abs(ridge(rng, width, rng.uniform(0.3, 0.8), 0.75)) * rng.uniform(0.12, 0.3)
        depth = row - base + height * (0.3 - peaks) * (1 - 0.4 * layer / layers)
        tone = strength * (0.25 + 0.75 * (layer + rng.uniform(0, 1)) / layers)
        wash = tone * np.exp(-np.maximum(depth, 0) / (height * rng.uniform(0.1, 0.22)))
        wash *= 0.55 + 0.9 * smooth_noise(rng, size, 24, 24)
        ink += (wash - ink) * np.clip(depth / 2, 0, 1) * 0.92
    return ink


def dab(rng: Generator, sheet: Image.Image, ink: Field, lean: float) -> None:
    """Texture the washes with small brush dabs, denser where the ink is dark."""
    points = scatter(rng, sheet.size, 9)
    tone = look_up(ink, points / OVERSAMPLING)
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
    # It is signed with a carved square seal.
    corner = complex(rng.choice([0.07, 0.83]) * red.width, rng.uniform(0.7, 0.86) * red.height)
    fill(red, (corner + 46 * np.array([0, 1, 1 + 1j, 1j]))[None], 235)
    cuts = corner + rng.choice([7, 16, 25, 34], 7) + 1j * rng.choice([7, 16, 25, 34], 7)
    long = np.where(rng.random(7) < 0.5, 1, 1j)[:, None] * np.linspace(0, 12, 3)
    fill(red, ribbon(cuts[:, None] + long, np.full(3, 2.0)), 0)
    # Black and vermilion are printed on fibrous paper that granulates them.
    paper = rng.choice(swatches("f2e8d4 ece0c4 e4d8c0 f0e4dc dcd8c8 e8d2ac"))
    black = rng.choice(swatches("181614 141c28 2a1c14 10222a 201828"))
    fibres = smooth_noise(rng, size, 160, 40) + smooth_noise(rng, size, 30, 160) - 1
    page = to_image(paper + 14 * fibres[..., None])
    bite = to_image(np.clip(235 + 70 * fibres, 0, 255))
    page.paste(rgb(black), mask=ImageChops.multiply(sheet, bite))
    page.paste((190, 44, 30), mask=ImageChops.multiply(red, bite))
    return finish(rng, page, grain=4)


POSTERS = (
    "efe3c8 c8281c 161616 d89a2c 8a8474",
    "e8dcc0 d23a20 1c1a1a 2a5a78 c8b088",
    "f2e6d0 b01c20 20201e e0a838 5a6a60",
    "e4d4b4 e05020 141820 707a70 f0e8d8",
    "d8ccb0 a81e1e 18140f e8d8a0 386070",
    "201c1a d8301c efe3c8 d89a2c 6a6458",
)


def hatchings(rng: Generator, size: PixelSize, tilt: float) -> list[Image.Image]:
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


# In the order of their names.
PAINTERS: dict[str, Callable[[Generator], Image.Image]] = {
    "amber_nocturne": amber_nocturne,
    "cathedral_glass": cathedral_glass,
    "confetti_shore": confetti_shore,
    "loose_drips": loose_drips,
    "misty_inkstone": misty_inkstone,
    "tilted_signal": tilted_signal,
}


def paint(painter: str, number: int) -> Image.Image:
    """Paint image `number` (1, 2, ...) of a painter: the same bytes on every call."""
    return PAINTERS[painter](np.random.default_rng([zlib.crc32(painter.encode()), number]))
