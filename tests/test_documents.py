"""The documents match the program: links, modules, options and commands are as they say."""

import importlib.util
import re
from pathlib import Path

import pytest
from mkdocs.commands.build import build
from mkdocs.config import load_config

from benchmark.config.compose import composed
from benchmark.config.options import described_options
from benchmark.config.registry import known_options
from docs.reference import with_tables

ROOT = Path(__file__).resolve().parents[1]
PAGES = {
    str(path.relative_to(ROOT)): path.read_text()
    for path in (
        ROOT / "README.md",
        ROOT / "CONTRIBUTING.md",
        *sorted((ROOT / "docs").glob("*.md")),
    )
}
COMMAND = r"python -m ([a-z_.]+)((?: [^\n`#]*)?)"


@pytest.mark.parametrize("page", PAGES)
def test_links_and_files_exist(page: str) -> None:
    links = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", PAGES[page])
    files = re.findall(r"`((?:benchmark|backbones|datasets|conf|tests)/[\w/.]*)`", PAGES[page])
    missing = [link for link in links if not (ROOT / page).parent.joinpath(link).exists()]
    missing += [file for file in files if not (ROOT / file).exists()]
    # What a reader of the recipes makes.
    recipes = ("conf/agg/contraharmonic.yaml", "conf/dataset/frames.yaml")
    assert [name for name in missing if name not in recipes] == []


def test_every_page_is_linked_from_the_readme() -> None:
    for page in PAGES:
        assert page == "README.md" or f"({page})" in PAGES["README.md"]


def test_commands_exist_and_their_options_compose() -> None:
    composed_commands = 0
    for page, text in PAGES.items():
        for module, rest in re.findall(COMMAND, text.replace("\\\n", " ")):
            assert importlib.util.find_spec(module), f"{page}: python -m {module}"
            options = [part for part in rest.split() if re.match(r"[a-z_.]+=", part)]
            if module == "benchmark" and options and "…" not in rest:
                # The first value of each that is swept.
                composed([re.sub(r"(=[^\[,]+),.*", r"\1", option) for option in options])
                composed_commands += 1
    assert composed_commands >= 8


UNEXPLAINED = ("name", "_target_", "model", "preprocessing", "random_scale", "style", "content")
"""Keys that say what a variant is."""


def test_every_option_has_one_meaning_and_the_reference_is_what_the_program_checks() -> None:
    explained = [name for options in described_options().values() for name in options]
    known = [name for name in known_options() if not name.startswith(("metrics.", "experiment."))]
    inner = [n for n in known if n.split(".")[1:] and n.split(".")[1] in (*UNEXPLAINED, "loss")]
    assert sorted(explained) == sorted({*known} - {*inner})
    for page in ("docs/options.md", "docs/metrics.md"):
        assert with_tables(PAGES[page]) == PAGES[page], "python -m docs.reference writes it anew"


def test_the_site_builds_with_no_broken_link(tmp_path: Path) -> None:
    """With MkDocs's own small theme: Material takes longer to install than this whole test."""
    build(
        load_config(str(ROOT / "mkdocs.yml"), theme="mkdocs", site_dir=str(tmp_path), strict=True)
    )
    built = {path.relative_to(tmp_path): path.read_text() for path in tmp_path.rglob("*.html")}
    assert len(built) >= len(PAGES)
    for page, text in built.items():
        assert "arithmatex" not in text, f"{page}: a formula is not MathML"
