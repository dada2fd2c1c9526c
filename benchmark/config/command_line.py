"""The arguments of `python -m benchmark`, as far as they are understood without Hydra.

To load and compose takes Hydra half a second, which help and a misspelt name need not wait for.
"""

import argparse
import re
from collections.abc import Sequence

from benchmark.config.errors import ConfigError
from benchmark.config.options import option_lines
from benchmark.config.quoting import quoted
from benchmark.config.registry import (
    CONF,
    SINGLE_GROUPS,
    check_variant,
    groups,
    known_options,
    unknown_option,
    unknown_variant,
)
from benchmark.user_input.arguments import Parser


def hydra_parser() -> Parser:
    """Of Hydra's flags, as its documentation lists them, and overrides."""
    parser = Parser(add_help=False)
    switches = "--help -h|--hydra-help|--resolve|--run -r|--multirun -m"
    for names in f"{switches}|--shell-completion -sc".split("|"):
        parser.add_argument(*names.split(), action="store_true")
    with_values = "--package -p|--config-path -cp|--config-name -cn|--config-dir -cd"
    for names in f"{with_values}|--experimental-rerun".split("|"):
        parser.add_argument(*names.split())
    parser.add_argument("--cfg", "-c", choices=["job", "hydra", "all"])
    parts = ["all", "config", "defaults", "defaults-tree", "plugins", "searchpath"]
    parser.add_argument("--info", "-i", nargs="?", const="all", choices=parts)
    parser.add_argument("overrides", nargs="*")
    return parser


def help_text(config_dir: str | None) -> str:
    """What `--help` prints, with the variants in `conf/` and in a folder of the user's own."""
    text = (CONF / "help.txt").read_text(encoding="utf-8")
    text = text.replace("{groups}", groups(str(CONF), *([config_dir] if config_dir else [])))
    return text.replace("{options}", option_lines())


def read(arguments: Sequence[str]) -> list[str]:
    """The arguments with what needs quotes for Hydra in them, flags first.

    Argparse wants the overrides in one row; people write -m wherever they think of it.
    """
    starts_sweep = re.compile(r"-m|--multirun|\+?experiment=.*|hydra\.mode=.*")
    is_sweep = any(map(starts_sweep.fullmatch, arguments))
    return sorted((quoted(one, is_sweep) for one in arguments), key=is_override)


def with_additions(arguments: Sequence[str]) -> list[str]:
    """The arguments, with values by name, `group.option={A:…,B:…}`, as ones that may be new.

    Before it starts a sweep over a group, Hydra composes the default of the group, which may lack
    the option that the variants of the sweep have.
    """
    by_name = re.compile(rf"({'|'.join(SINGLE_GROUPS)})\.\w+=\{{")
    return [f"++{one}" if by_name.match(one) else one for one in arguments]


def is_override(argument: str) -> bool:
    """Whether an argument is option=value, or an addition or a removal."""
    return not argument.startswith("-") and ("=" in argument or argument.startswith(("~", "+")))


def check_choices(overrides: Sequence[str]) -> None:
    """Raise ConfigError for a choice of variants that Hydra would mix, or take badly."""
    for override in overrides:
        group, equals, choice = override.partition("=")
        if equals and not group.strip("+~ "):
            raise ConfigError(f"'{override}' cannot be read as option=value")
        # It would call the run by another name, not choose another variant.
        of, _, key = group.rpartition(".")
        if of in SINGLE_GROUPS and key == "name":
            reason = f"is the name in its YAML, no option: choose one by {of}={choice}"
            raise ConfigError(reason, group, choice)
        if group not in (*SINGLE_GROUPS, "metrics"):
            continue
        if group in SINGLE_GROUPS and choice.startswith("["):
            reason = f"a run has one {group}; several make a sweep: -m {group}=A,B"
            raise ConfigError(reason, group, choice)
        if re.fullmatch(r"null|true|false|[\d._-].*", choice):
            raise unknown_variant(group, choice, group)


def check(options: argparse.Namespace) -> None:
    """Raise ConfigError for what is wrong in parsed arguments as they stand."""
    check_choices(options.overrides)
    elsewhere = (options.config_dir, options.config_path, options.config_name, options.package)
    if not any(elsewhere) and "hydra.searchpath" not in " ".join(options.overrides):
        check_names(options.overrides)


def check_names(overrides: Sequence[str]) -> None:
    """Raise ConfigError for an option or a variant that `conf/` does not have; Hydra finds more."""
    known: list[str] = []
    for override in overrides:
        option, equals, value = override.partition("=")
        if option in SINGLE_GROUPS and re.fullmatch(r"\w[\w,]*", value):
            for name in value.split(","):
                check_variant(option, name, option)
        elif re.fullmatch(r"(?!hydra\.)[a-z_]\w*(\.\w+)*=", option + equals):
            if (CONF / option).is_dir():
                continue
            # An experiment may add some; what is above or below known ones, Hydra understands.
            known = known or [f"{k.removeprefix('experiment.')}." for k in known_options()]
            if not any(k.startswith(f"{option}.") or f"{option}.".startswith(k) for k in known):
                raise unknown_option(option)
