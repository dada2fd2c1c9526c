"""Paths and names from the shell to the configuration, through Hydra's own grammar."""

import inspect
from typing import Any, get_args, get_origin, get_type_hints

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from hypothesis import given
from hypothesis import strategies as st

from benchmark.config.compose import composed
from benchmark.config.quoting import NAMES, TEXTS, in_quotes, quoted
from benchmark.config.registry import variant_yaml, variants
from benchmark.config.schema import (
    BestOptimizer,
    CheckpointOptions,
    Config,
    Evaluation,
    Tracking,
)
from benchmark.config.signatures import argument_types, function_of
from benchmark.runs.contents import ContentChoice
from benchmark.runs.style_sets import Selection
from benchmark.sweeps.plan import combinations

PATHS = [
    *("My Photos (2024)", "R&D", "a#b", "[2024] trip", "O'Keeffe", "x=1", "~/Pictures"),
    *("Müller, Anna", "2023_01", "1e5", "true", "{a} b", "'90s", "C:\\Users\\me\\", "50% off!"),
    *("photos(2024)", "a:b", " spaces ", "${a", "-5", "a\\'b", '"', "日本, 空", "[a", "infinity"),
    *("sqlite:////tmp/ml.db", "C:/x", "van gogh"),
]
"""Of one argument each."""


def hydra_reads(argument: str, is_sweep: bool = False) -> Any:
    """The values that Hydra finds in an argument."""
    parsed = OverridesParser.create().parse_override(quoted(argument, is_sweep))
    if parsed.is_sweep_override():
        parse = OverridesParser.create().parse_override
        return [parse(f"x={one}").value() for one in parsed.sweep_string_iterator()]
    return parsed.value()


@pytest.mark.parametrize("path", PATHS)
def test_what_the_shell_hands_over_as_a_path_is_that_path(path: str) -> None:
    for is_sweep in (False, True):
        assert hydra_reads(f"content.root={path}", is_sweep) == path
        by_name = hydra_reads(f"content.root={{folder:{in_quotes(path)},files:x}}", is_sweep)
        assert by_name == {"folder": path, "files": "x"}
    once = quoted(f"content.root={path}")
    assert quoted(once) == once
    # As Hydra hands it to the runs of a sweep.
    [[again]] = combinations([OverridesParser.create().parse_override(once)])
    assert hydra_reads(again) == path


@given(st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1))
def test_any_text_is_that_text_but_for_hydras_own_syntax(text: str) -> None:
    assert hydra_reads(f"cache={in_quotes(text)}") == text
    if text != "null" and text[0] not in "'\"":
        assert hydra_reads(f"cache={text}") == text


@pytest.mark.parametrize(
    ("argument", "values"),
    [
        ("init=content,noise", ["content", "noise"]),
        ("dataset.root=My Photos (2024),O'Keeffe", ["My Photos (2024)", "O'Keeffe"]),
        ("dataset.root='a,b',\"c d\",e", ["a,b", "c d", "e"]),
        ("dataset.root='a', 'b'", ["a", "b"]),
        ("cache=choice(a,b)", ["a", "b"]),
        ("cache=null,x", [None, "x"]),
        ("content.names=[2023_01,a],[b]", [["2023_01", "a"], ["b"]]),
        ("dataset.genre=Art (modern),1900", ["Art (modern)", "1900"]),
    ],
)
def test_sweeps_of_paths(argument: str, values: list[Any]) -> None:
    assert hydra_reads(argument, is_sweep=True) == values


@pytest.mark.parametrize(
    ("argument", "value"),
    [
        ("content.names=[2023_01]", ["2023_01"]),
        ("content.names=[1e5,null,True,3.,.5]", ["1e5", "null", "True", "3.", ".5"]),
        ("dataset.artists=[1984, O'Keeffe,van gogh]", ["1984", "O'Keeffe", "van gogh"]),
        ("dataset.artists=['Claude*',\"Müller, Anna\"]", ["Claude*", "Müller, Anna"]),
        ("+content.paths=[a (1).jpg,b=c.png,#d]", ["a (1).jpg", "b=c.png", "#d"]),
        ("content.names=null", None),
        ("content.names=[]", []),
        ("cache=null", None),
        (
            "dataset.artists={best_artworks:[1e5,Dalí],folder:[my (film)],sample:7}",
            {"best_artworks": ["1e5", "Dalí"], "folder": ["my (film)"], "sample": "7"},
        ),
        ("seed=3", 3),
    ],
)
def test_names_are_texts(argument: str, value: Any) -> None:
    assert hydra_reads(argument) == value


def test_a_path_and_names_arrive_in_the_configuration() -> None:
    config = composed(
        ["content=folder", "content.root=Müller, Anna [2024]", "content.names=[2023_01]"]
    )
    assert (config.content["root"], config.content["names"]) == (
        "Müller, Anna [2024]",
        ["2023_01"],
    )


def kinds(hint: Any) -> set[Any]:
    """The parts of a type."""
    return {hint} | {one for part in get_args(hint) for one in kinds(part)}


def test_every_option_of_a_text_is_known() -> None:
    """From the schema's types, and those of all functions that `conf/` names for pictures."""
    hints = {"": Config, "evaluation.": Evaluation, "best_optimizer.": BestOptimizer}
    hints |= {"tracking.": Tracking, "checkpoint.": CheckpointOptions}
    hints |= {"dataset.": Selection, "content.": ContentChoice}
    types = {
        prefix + name: hint
        for prefix, one in hints.items()
        for name, hint in get_type_hints(one).items()
    }
    for group in ("dataset", "content"):
        for name in variants(group):
            function = function_of(group, variant_yaml(group, name))
            assert inspect.isfunction(function)
            types |= {f"{group}.{key}": hint for key, hint in argument_types(function).items()}
    del types["best_optimizer.overlay"]  # a variant's name, looked up among those of conf/
    parts = {key: kinds(hint) for key, hint in types.items()}
    texts = {
        key
        for key, found in parts.items()
        if str in found and int not in found and dict not in [get_origin(one) for one in found]
    }
    listed = {key for key in texts if list[str] in kinds(types[key])}
    assert listed == NAMES
    assert texts - listed | {"backbone.weights"} == TEXTS
