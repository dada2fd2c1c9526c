"""Pictures of pictures: contact sheets, the sheet of a sweep, loss curves."""

from collections.abc import Mapping, Sequence
from textwrap import wrap

import numpy as np
from matplotlib.figure import Figure
from matplotlib.font_manager import findfont
from PIL import Image, ImageDraw, ImageFont

GAP = 8
TEXT = 15
INK = "#1a1a1a"
PAPER = "#ffffff"


def overview(pictures: np.ndarray, names: Sequence[str], caption: str) -> Image.Image:
    """All pictures of a set, uint8, (n, S, S, 3), small, each under its name."""
    font = ImageFont.truetype(findfont("DejaVu Sans"), TEXT - 4)
    columns, cell = min(len(pictures), 6), 144
    rows = -(-len(pictures) // columns)
    step = cell + GAP
    top, line = TEXT + 2 * GAP, TEXT + GAP
    width = max(columns * step + GAP, 3 * step)
    sheet = Image.new("RGB", (width, top + rows * (step + line)), PAPER)
    draw = ImageDraw.Draw(sheet)
    draw.text((GAP, GAP), caption, INK, font)
    for index, (picture, name) in enumerate(zip(pictures, names, strict=True)):
        left = GAP + index % columns * step
        upper = top + index // columns * (step + line)
        draw.text((left, upper), shortened(name, cell, font), INK, font)
        small = Image.fromarray(picture).resize((cell, cell))
        sheet.paste(small, (left, upper + line - GAP // 2))
    return sheet


def named_grid(cells: Mapping[tuple[str, str], np.ndarray], caption: str) -> Image.Image:
    """Pictures by the names of their row and column, in the order in which these come first."""
    rows = list(dict.fromkeys(row for row, _ in cells))
    columns = list(dict.fromkeys(column for _, column in cells))
    pictures = [[cells.get((row, column)) for column in columns] for row in rows]
    return grid(pictures, rows, columns, caption)


def grid(
    rows: Sequence[Sequence[np.ndarray | None]],
    row_names: Sequence[str],
    column_names: Sequence[str],
    caption: str,
) -> Image.Image:
    """Pictures in rows and columns, each with its name, under a caption; None leaves a gap."""
    shown = [(c, *p.shape[:2]) for row in rows for c, p in enumerate(row) if p is not None]
    height = max((height for _, height, _ in shown), default=64)
    widths = [max((w for c, _, w in shown if c == n), default=64) for n in range(len(column_names))]
    # Matplotlib's own font; Pillow's lacks most accents.
    font = ImageFont.truetype(findfont("DejaVu Sans"), TEXT)
    left = int(max((font.getlength(name) for name in row_names), default=0)) + 2 * GAP
    lines = caption.split("\n")
    top = (len(lines) + 1) * (TEXT + 2 * GAP)
    lefts = [left + sum(widths[:n]) + n * GAP for n in range(len(widths))]
    total = (left + sum(widths) + len(widths) * GAP, top + len(rows) * (height + GAP))
    needed = max(total[0], *(int(font.getlength(text)) + 2 * GAP for text in lines))
    sheet = Image.new("RGB", (needed, total[1]), PAPER)
    draw = ImageDraw.Draw(sheet)
    for number, text in enumerate(lines):
        draw.text((GAP, GAP + number * (TEXT + 2 * GAP)), text, INK, font)
    for start, width, name in zip(lefts, widths, column_names, strict=True):
        place = (start + width / 2, top - GAP)
        draw.text(place, shortened(name, width, font), INK, font, anchor="ms")
    for line, (name, row) in enumerate(zip(row_names, rows, strict=True)):
        upper = top + line * (height + GAP)
        draw.text((GAP, upper + height / 2), name, INK, font, anchor="lm")
        for start, picture in zip(lefts, row, strict=True):
            if picture is not None:
                sheet.paste(Image.fromarray(picture), (start, upper))
    return sheet


def mosaic(
    pictures: Sequence[np.ndarray] | np.ndarray, columns: int, size: int | None = None
) -> np.ndarray:
    """Pictures of one size packed into a square as large as one of them, or of a given size.

    Rows at its end that no picture needs are left out.
    """
    side = size or len(pictures[0])
    rows = max(-(-len(pictures) // columns), columns)  # none is stretched
    sheet = Image.new("RGB", (side, side), PAPER)
    step = (side / columns, side / rows)
    for index, picture in enumerate(pictures):
        left, upper = round(index % columns * step[0]), round(index // columns * step[1])
        right, lower = round(left + step[0]), round(upper + step[1])
        box = Image.fromarray(picture).resize((right - left, lower - upper))
        sheet.paste(box, (left, upper))
    return np.asarray(sheet)[:lower]


def beside(picture: np.ndarray, other: np.ndarray | None, name: str) -> np.ndarray:
    """A picture with another one at its right, half as large, over its name; None: with a blank."""
    font = ImageFont.truetype(findfont("DejaVu Sans"), TEXT - 4)
    height, width = picture.shape[:2]
    side = max(height // 2, 96)
    sheet = Image.new("RGB", (width + GAP + side, height), PAPER)
    sheet.paste(Image.fromarray(picture), (0, 0))
    if other is not None:
        left, small = width + GAP, Image.fromarray(other)
        small.thumbnail((side, height // 2))
        sheet.paste(small, (left, 0))
        letters = int(side / font.getlength("x"))
        lines = [shortened(line, side, font) for line in wrap(name, letters)]
        text = "\n".join(lines)
        ImageDraw.Draw(sheet).multiline_text((left, small.height + GAP // 2), text, INK, font)
    return np.asarray(sheet)


def shortened(text: str, width: float, font: ImageFont.FreeTypeFont) -> str:
    """A text that fits a width in pixels, cut at its end where it must be."""
    if font.getlength(text) <= width:
        return text
    while text and font.getlength(text + "…") > width:
        text = text[:-1]
    return text + "…"


def loss_curves(history: np.ndarray, names: Sequence[str], title: str) -> Figure:
    """Mean losses over the epochs, each with the range of the examples around it.

    `history` has the shape (epochs + 1, losses, examples).
    """
    figure = Figure(figsize=(4 * len(names), 3.2))
    # Margins of its own: to find them takes as long as to draw.
    figure.subplots_adjust(left=0.22 / len(names), right=0.99, bottom=0.15, top=0.83, wspace=0.25)
    figure.suptitle(title, fontsize=10)
    epochs = np.arange(len(history))
    for index, (axes, name) in enumerate(zip(figure.subplots(1, len(names)), names, strict=True)):
        values = history[:, index]
        axes.fill_between(epochs, values.min(1), values.max(1), alpha=0.2, label="range")
        axes.plot(epochs, values.mean(1), label="mean of the examples")
        axes.set(xlabel="epoch", title=name.replace("_", " "))
        # Content loss starts at 0 when the picture starts at the content.
        axes.set_yscale("linear" if values.min() <= 0 else "log")
    axes.legend(fontsize=8)
    return figure
