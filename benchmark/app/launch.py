"""The page with its service, and how it is served."""

import argparse
from pathlib import Path

import gradio as gr
from starlette.middleware import Middleware

from benchmark.app import gallery, page
from benchmark.app.choices import Settings
from benchmark.app.middleware import OwnHostOnly
from benchmark.app.service import Service, default_precision
from benchmark.app.uploads import Sessions
from benchmark.config.compose import composed
from benchmark.config.errors import ConfigError


def service_of(options: argparse.Namespace, folder: Path) -> Service:
    """The service that a command line asks for; its files are in a folder.

    Raises:
        InputError: an option or a folder is wrong.
    """
    composed(["experiment=stylize", *options.options])
    defaults = Settings(precision=default_precision())
    if options.size:
        defaults = Settings(precision=defaults.precision, size=options.size)
    return Service(
        artists=gallery.artists(options.paintings, options.archive),
        sessions=Sessions(folder / "sessions"),
        defaults=defaults,
        extra=tuple(options.options),
        log_options=(f"tracking.uri={options.tracking_uri}",) if options.tracking_uri else (),
    )


def built(options: argparse.Namespace, folder: Path) -> tuple[gr.Blocks, Service]:
    """The page of a command line, not yet served."""
    service = service_of(options, folder)
    pictures = gallery.thumbnails(list(service.artists), folder / "artists")
    by_name = {name: file for file, name in pictures}
    service.sessions.kept = {*map(Path, by_name.values())}
    return page.build(service, by_name), service


def launched(options: argparse.Namespace, folder: Path) -> tuple[gr.Blocks, Service]:
    """The page, served; the network is loaded meanwhile."""
    blocks, service = built(options, folder)
    try:
        serve(blocks, service, options)
    except OSError as error:
        reason = "cannot be listened on, for it is taken: choose another"
        raise ConfigError(reason, "--port", options.port) from error
    service.warm()
    return blocks, service


def serve(blocks: gr.Blocks, service: Service, options: argparse.Namespace) -> None:
    """Serve a page, in threads of its own."""
    blocks.launch(
        server_name=options.host,
        server_port=options.port,
        share=options.share == "yes",
        auth=tuple(options.auth.split(":", 1)) if options.auth else None,
        max_file_size=f"{service.limits.megabytes}mb",
        app_kwargs={"middleware": [Middleware(OwnHostOnly)]},
        prevent_thread_lock=True,
        quiet=True,
        inbrowser=False,
        footer_links=[],
        enable_monitoring=False,
        run_history=False,
        ssr_mode=False,
        pwa=False,
        mcp_server=False,
        theme=page.theme(),
        head=page.head(),
        show_error=True,
    )
