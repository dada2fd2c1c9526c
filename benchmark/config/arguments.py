"""The arguments of `python -m benchmark`."""

from benchmark.user_input.arguments import Parser


def hydra_parser() -> Parser:
    """Of Hydra's flags, as its documentation lists them, and overrides."""
    parser = Parser(add_help=False)
    switches = "--help -h|--hydra-help|--version|--resolve|--run -r|--multirun -m"
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
