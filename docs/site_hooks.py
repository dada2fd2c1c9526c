"""What MkDocs does for the site beyond rendering `docs/`: pages of the root, and formulas.

README, CONTRIBUTING and CHANGELOG lie at the repository's root, where GitHub shows them; their
links and those to them are moved here. Formulas become MathML, which browsers draw without scripts.
"""

import html
import re
from pathlib import Path
from typing import Any

from latex2mathml.converter import convert
from mkdocs.structure.files import File

ROOT = Path(__file__).resolve().parents[1]
AT_ROOT = {
    "index.md": "README.md",
    "CONTRIBUTING.md": "CONTRIBUTING.md",
    "CHANGELOG.md": "CHANGELOG.md",
}
"""Pages of the site by their files at the repository's root."""

FORMULA = re.compile(r'<(span|div) class="arithmatex">\\([(\[])(.*?)\\[)\]]</\1>', re.DOTALL)


def on_files(files: Any, config: Any) -> Any:
    """Add the pages of the root."""
    for page, source in AT_ROOT.items():
        files.append(File.generated(config, page, abs_src_path=str(ROOT / source)))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """A page with its links as they are on the site."""
    if page.file.src_uri in AT_ROOT:
        markdown = re.sub(r"\]\(docs/", "](", markdown)
        markdown = markdown.replace("](README.md", "](index.md")
    return re.sub(r"\]\(\.\./(README|CONTRIBUTING|CHANGELOG)\.md", moved, markdown)


def moved(link: re.Match[str]) -> str:
    """A link to a file at the root as one to its page."""
    name = f"{link[1]}.md"
    return f"]({'index.md' if name == 'README.md' else name}"


def on_page_content(content: str, **_: Any) -> str:
    """A page with MathML for what arithmatex marked as LaTeX."""
    return FORMULA.sub(mathml, content)


def mathml(formula: re.Match[str]) -> str:
    """One formula, in a line or a display of its own."""
    display = "inline" if formula[2] == "(" else "block"
    return str(convert(html.unescape(formula[3]), display=display))
