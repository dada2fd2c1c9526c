"""The web page for everybody: `python -m benchmark.app --help`."""

import argparse
import os
import signal
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmark.config.errors import ConfigError
from benchmark.user_input.arguments import Parser, add_store
from benchmark.user_input.refusal import explained_imports, refusing

PORT = 7860

QUIET = {
    "GRADIO_ANALYTICS_ENABLED": "False",
    "GRADIO_SHARE": "False",
    "HF_HUB_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
}
"""No telemetry, and nothing asked of other hosts."""

USAGE = """\
Serves a page on which people choose a photograph and an artist and watch the picture being painted.
Ctrl-C ends it.

    python -m benchmark.app
    python -m benchmark.app --paintings PAINTINGS --archive ARCHIVE
    python -m benchmark.app --host 0.0.0.0 --auth anna:a-long-password

Options of `python -m benchmark --help` can be added and hold for all pictures: memory_gb=8.
"""


@refusing(OSError)
def main(arguments: Sequence[str]) -> int:
    """Serve the page until Ctrl-C; returns the exit code."""
    parser = Parser(
        prog="python -m benchmark.app",
        description=USAGE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("options", nargs="*", metavar="OPTION=VALUE", help="of the benchmark, for all pictures")
    add("--host", default="127.0.0.1", help="address to listen on (default: 127.0.0.1)")
    add("--port", type=int, default=PORT, help=f"default: {PORT}")
    add("--auth", metavar="USER:PASSWORD", help="who may use it; needed for another host")
    add("--share", choices=("no", "yes"), default="no", help="a public address by Gradio's relay")
    add("--paintings", metavar="FOLDER", help="more artists: a subfolder of paintings for each")
    add("--archive", metavar="FOLDER", help="an unpacked copy of Best Artworks of All Time")
    add("--size", type=int, default=None, help="pixels that the page begins with (default: 384)")
    add_store(parser)
    options = parser.parse_args(arguments)
    check(options)
    return serve(options)


def check(options: argparse.Namespace) -> None:
    """Raise ConfigError if the page would be open to strangers, or an argument is wrong."""
    if not 0 < options.port < 2**16:
        raise ConfigError("must be from 1 to 65535", "--port", options.port)
    if options.auth is not None:
        user, colon, password = options.auth.partition(":")
        if not (user and colon and password):
            # The value is not shown: it may be a password.
            raise ConfigError("must be USER:PASSWORD", "--auth")
    elif options.share == "yes":
        raise ConfigError("lets others in: add --auth USER:PASSWORD", "--share", "yes")
    elif not is_this_machine(options.host):
        raise ConfigError("lets others in: add --auth USER:PASSWORD", "--host", options.host)
    if options.size is not None and not 32 <= options.size <= 2048:
        raise ConfigError("must be from 32 to 2048", "--size", options.size)


def is_this_machine(host: str) -> bool:
    """Whether only programs of this machine reach an address."""
    return host in ("localhost", "::1") or host.startswith("127.")


def serve(options: argparse.Namespace) -> int:
    """Build the page and serve it."""
    os.environ.update(QUIET)
    # Ended by a service manager, it removes its files as well.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    place = os.environ.get("GRADIO_TEMP_DIR")
    # A new folder in it, so that what is removed at the end is the program's own.
    with tempfile.TemporaryDirectory(prefix="benchmark-app-", dir=place) as folder:
        os.environ["GRADIO_TEMP_DIR"] = folder
        try:
            return serve_from(Path(folder), options)
        finally:
            os.environ.pop("GRADIO_TEMP_DIR")
            os.environ.update({"GRADIO_TEMP_DIR": place} if place else {})


def serve_from(folder: Path, options: argparse.Namespace) -> int:
    """The same, with a folder for its files."""
    print("Loading the network …", flush=True)
    with explained_imports():
        from benchmark.app.launch import launched

    page, service = launched(options, folder)
    print(f"The app: {page.local_url}   (Ctrl-C ends it)", flush=True)
    try:
        page.block_thread()
    finally:
        service.sessions.close_all()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
