"""MLflow's UI, with the address of the last sweep's runs: `python -m benchmark.ui --help`."""

import argparse
import os
import sys
from collections.abc import Sequence

from benchmark.config.errors import ConfigError
from benchmark.config.paths import UI_PORT
from benchmark.user_input.arguments import Parser, add_store
from benchmark.user_input.refusal import explained_imports, refusing

USAGE = """\
Opens MLflow's UI on what was run, and prints the address at which it shows the last sweep's runs,
or those of a named one, side by side. Ctrl-C ends it.

    python -m benchmark.ui
    python -m benchmark.ui NAME --port 5001
"""

QUIET = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
}
"""No telemetry, and none of the processes that only MLflow's jobs need."""


@refusing()
def main(arguments: Sequence[str]) -> int:
    """Print the address, then become MLflow's server."""
    parser = Parser(
        prog="python -m benchmark.ui",
        description=USAGE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("sweep", nargs="?", metavar="NAME", help="of a sweep; default: the last")
    add_store(parser)
    parser.add_argument("--port", type=int, default=UI_PORT, help=f"default: {UI_PORT}")
    options = parser.parse_args(arguments)
    if not 0 < options.port < 2**16:
        raise ConfigError("must be from 1 to 65535", "--port", options.port)
    with explained_imports():
        from benchmark.analysis.run_selection import open_store
        from benchmark.tracking.store import is_server

    tracker = open_store(options, None)
    address = tracker.runs_page(options.sweep or tracker.last_sweep(), options.port)
    print(f"MLflow UI: {address}", flush=True)
    if not is_server(tracker.uri):
        command = ["-m", "mlflow", "ui", "--host", "127.0.0.1", "--port", str(options.port)]
        os.environ.update(QUIET)
        program = [sys.executable, *command, "--workers", "1", "--backend-store-uri", tracker.uri]
        os.execv(sys.executable, program)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
