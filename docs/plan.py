"""The plan of the packages, docs/pictures/plan.svg: `python -m docs.plan` draws it anew.

Floors are the layers of the contract in pyproject.toml, arrows the imports, by Grimp, without those
that others imply. A test compares.
"""

import html
import tomllib
from collections.abc import Mapping
from pathlib import Path

import grimp

ROOT = Path(__file__).resolve().parents[1]
PLAN = ROOT / "docs/pictures/plan.svg"

COMMANDS = "commands"
"""All of the two highest floors in one box: `benchmark.__main__` and the other commands."""

PLACES = {
    COMMANDS: (330, "and its other commands, app, films"),
    "report": (180, "one HTML page of a sweep"),
    "sweeps": (480, "the runs of a sweep"),
    "analysis": (330, "what runs say together"),
    "runs": (330, "one run; options stop here"),
    "metrics": (230, "scores of results"),
    "transfer": (150, "the method"),
    "tracking": (520, "all of MLflow"),
    "runtime": (430, "processes, signals"),
    "images": (250, "pixels"),
    "config": (510, "options"),
    "backbones": (110, "networks"),
    "datasets": (300, "image sets"),
    "user_input": (400, "errors about input"),
}
"""Where each box is, across, and what is in it; a new package is in the middle until it is here."""

WIDTH, HEIGHT, FLOOR, BOX = 660, 34, 62, 150

Arrows = dict[str, set[str]]


def floors() -> list[list[str]]:
    """The packages from above, those that may not know each other side by side."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    [contract] = [c for c in settings["tool"]["importlinter"]["contracts"] if c["type"] == "layers"]
    return [layer.split(" | ") for layer in contract["layers"]]


def arrows() -> Arrows:
    """Which packages each package imports, the commands as one."""
    levels = floors()
    short = {name: name.removeprefix("benchmark.") for level in levels[2:] for name in level}
    short |= dict.fromkeys([*levels[0], *levels[1]], COMMANDS)
    graph = grimp.build_graph("benchmark", "backbones", "datasets", cache_dir=None)
    for name in short:
        graph.squash_module(name)
    found: Arrows = {name: set() for name in short.values()}
    for name, box in short.items():
        imported = graph.find_modules_directly_imported_by(name)
        found[box] |= {short[other] for other in imported if other in short} - {box}
    return found


def without_implied(arrows: Mapping[str, set[str]]) -> Arrows:
    """The arrows, but for those whose end is reached by way of others too."""

    def reached(start: str) -> set[str]:
        return arrows[start].union(*map(reached, arrows[start]))

    return {a: ends - set().union(*map(reached, ends)) for a, ends in arrows.items()}


def drawing(arrows: Mapping[str, set[str]]) -> str:
    """The plan as SVG."""
    rows = [[COMMANDS], *([n.removeprefix("benchmark.") for n in row] for row in floors()[2:])]
    tops = {name: 10 + number * FLOOR for number, row in enumerate(rows) for name in row}
    lines, boxes = [], []
    for name, top in tops.items():
        x, about = PLACES.get(name, (WIDTH // 2, ""))
        title, width = (name, BOX) if name != COMMANDS else ("python -m benchmark", BOX + 60)
        boxes.append(
            f'<rect x="{x - width // 2}" y="{top}" width="{width}" height="{HEIGHT}" rx="5"/>'
            f'<text x="{x}" y="{top + 14}" class="name">{title}</text>'
            f'<text x="{x}" y="{top + 27}">{html.escape(about)}</text>'
        )
        for end in sorted(arrows[name]):
            to, _ = PLACES.get(end, (WIDTH // 2, ""))
            lines.append(
                f'<line x1="{x}" y1="{top + HEIGHT}" x2="{to}" y2="{tops[end] - 5}">'
                f"<title>{name} imports {end}</title></line>"
            )
    return SVG.format(width=WIDTH, height=FLOOR * len(rows), parts="\n".join([*lines, *boxes]))


SVG = """<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}">
<style>
text {{ font: 10px sans-serif; text-anchor: middle; fill: #444 }}
.name {{ font: bold 12px monospace; fill: #111 }}
rect {{ fill: #e8eaf6; stroke: #5c6bc0 }}
line {{ stroke: #555; stroke-width: 1.2; marker-end: url(#head) }}
</style>
<marker id="head" markerWidth="7" markerHeight="7" refX="5" refY="3" orient="auto">
<path d="M0,0 L6,3 L0,6 Z" fill="#555"/></marker>
<rect width="{width}" height="{height}" style="fill: white; stroke: none"/>
{parts}
</svg>
"""

if __name__ == "__main__":
    PLAN.write_text(drawing(without_implied(arrows())), encoding="utf-8")
