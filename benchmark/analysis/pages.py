"""What pages are made of: tables, embedded pictures, and files of them; `charts` has the rest."""

import base64
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from typing import Any

import pandas as pd
from PIL import Image

Content = str | bytes | Image.Image


def write_files(folder: Path, files: Mapping[str, Content]) -> list[Path]:
    """Write texts, bytes and pictures under their names into a folder; returns the paths."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, str):
            path.write_text(content, encoding="utf-8")
        elif isinstance(content, bytes):
            path.write_bytes(content)
        else:
            content.save(path)
    return [folder / name for name in files]


def table_files(
    stem: str, values: pd.DataFrame, cells: pd.DataFrame, note: str = "", facts: str = ""
) -> dict[str, str]:
    """A table as CSV with plain values, and as Markdown and LaTeX with cells to be read.

    Below these stand a note and some facts; in LaTeX, facts are a comment, as they come.
    """
    below = f"\n{note}\n" if note else ""
    return {
        f"{stem}.csv": values.to_csv(index=False),
        f"{stem}.md": f"{markdown(cells)}\n{below}" + (f"\n{facts}\n" if facts else ""),
        f"{stem}.tex": as_text(cells).to_latex(index=False, escape=True)
        + below.replace("%", r"\%")
        + (f"% {facts}\n" if facts else ""),
    }


def as_text(table: pd.DataFrame) -> pd.DataFrame:
    """A table's cells as text: four significant digits, a dash for what is missing."""
    return table.astype(object).map(_text)


def markdown(table: pd.DataFrame) -> str:
    """A table as Markdown, numbers to the right."""
    numeric = [pd.api.types.is_numeric_dtype(kind) for kind in table.dtypes]
    sides = ["right" if right else "left" for right in numeric]
    text = as_text(table).to_markdown(index=False, disable_numparse=True, colalign=sides)
    return str(text)


def with_noun(number: int, noun: str) -> str:
    """A number with its noun, in the plural unless it is 1."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def jpeg_uri(picture: Image.Image, side: int, **options: Any) -> str:
    """A picture, at most `side` pixels a side, as an address that holds it as JPEG."""
    small = picture.copy()
    small.thumbnail((side, side), Image.Resampling.LANCZOS)
    buffer = BytesIO()
    small.save(buffer, "jpeg", **options)
    return data_uri(buffer.getvalue(), "jpeg")


def data_uri(encoded: bytes, kind: str) -> str:
    """An encoded picture as an address that holds it."""
    return f"data:image/{kind};base64,{base64.b64encode(encoded).decode()}"


def render(template: Path, **context: Any) -> str:
    """A Jinja template as HTML; it may include files beside it, and `page.css` beside this one."""
    import jinja2  # Every sweep imports this module, for its tables.

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader([template.parent, Path(__file__).parent]),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(template.name).render(**context)


def _text(value: Any) -> str:
    if pd.isna(value):
        return "-"
    return f"{value:.4g}" if isinstance(value, float) else str(value)
