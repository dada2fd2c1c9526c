"""The documents match the program: links, modules, options and commands are as they say."""

import importlib.util
import re
from pathlib import Path

import pytest
from mkdocs.commands.build import build
from mkdocs.config import load_config

from benchmark.config.compose import composed
from benchmark.config.registry import SINGLE_GROUPS
from benchmark.config.schema import nested

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


def test_the_options_of_the_table_are_those_of_the_program() -> None:
    """A row names options by their paths; `.name` is a sibling of the one before."""
    config = nested(composed([]))
    named: list[str] = []
    for cell in re.findall(r"^\| (`.*?) \|", PAGES["docs/options.md"], re.MULTILINE):
        for name in re.findall(r"`([^`]+)`", cell):
            named.append(named[-1].rpartition(".")[0] + name if name.startswith(".") else name)
    assert {name.partition(".")[0] for name in named} == set(config)
    for name in named:
        group, _, option = name.partition(".")
        # What a variant takes is in its own YAML.
        if option and group not in SINGLE_GROUPS:
            assert option in config[group], name


def test_the_site_builds_with_no_broken_link(tmp_path: Path) -> None:
    """With MkDocs's own small theme: Material takes longer to install than this whole test."""
    build(
        load_config(str(ROOT / "mkdocs.yml"), theme="mkdocs", site_dir=str(tmp_path), strict=True)
    )
    built = {path.relative_to(tmp_path): path.read_text() for path in tmp_path.rglob("*.html")}
    assert len(built) >= len(PAGES)
    for page, text in built.items():
        assert "arithmatex" not in text, f"{page}: a formula is not MathML"
