"""The page: its components, and which function of the service each of them calls."""

from collections.abc import Iterator
from html import escape
from pathlib import Path
from typing import Any, NamedTuple

import gradio as gr

from benchmark.app.choices import (
    COLOURS,
    QUALITIES,
    SIZES,
    Choices,
    Settings,
    found,
)
from benchmark.app.components import (
    curve,
    listed,
    live_picture,
    paintings_input,
    photograph_input,
    table,
)
from benchmark.app.service import Service, Update
from benchmark.user_input import InputError

STYLE, SCRIPT = (Path(__file__).with_name(name) for name in ("app.css", "app.js"))
FONTS = ["system-ui", "-apple-system", "Segoe UI", "Roboto", "sans-serif"]
MONOSPACE = ["ui-monospace", "Consolas", "monospace"]
NETWORKS = [("VGG19", "vgg"), ("VGG19's first blocks", "vgg_shallow")]
SHOW_PICTURE = "() => document.getElementById('picture').scrollIntoView({block: 'center'})"
TITLE = "A photograph in an artist's manner"

Thumbnails = dict[str, str]
"""A picture's file by artist's name."""


class Inputs(NamedTuple):
    """What is read when Paint is pressed, in this order."""

    photograph: Any
    artist: Any
    second: Any
    share: Any
    own: Any
    strength: Any
    size: Any
    colours: Any
    quality: Any
    brush: Any
    network: Any
    precision: Any
    paintings: Any


class Outputs(NamedTuple):
    """What is shown while a picture is painted, in this order."""

    picture: Any
    status: Any
    curve: Any
    table: Any
    slider: Any
    png: Any
    jpeg: Any
    command: Any
    history: Any


def theme() -> Any:
    """Gradio's own, with fonts of the reader's system: none is fetched.

    Greys and fills are darker, so that text has a contrast of 4.5 (WCAG 2.2, 1.4.3).
    """
    return gr.themes.Default(font=FONTS, font_mono=MONOSPACE).set(
        body_text_color_subdued="*neutral_500",
        block_info_text_color="*neutral_500",
        button_primary_background_fill="*primary_700",
        button_primary_background_fill_hover="*primary_800",
        button_primary_background_fill_dark="*primary_700",
        button_cancel_background_fill="#b91c1c",
    )


def head() -> str:
    """The page's own style and script: CSS as such Gradio would confine to what is in `main`."""
    style, script = (file.read_text(encoding="utf-8") for file in (STYLE, SCRIPT))
    return f"<style>{style}</style><script>{script}</script>"


def build(service: Service, thumbnails: Thumbnails) -> gr.Blocks:
    """The page of a service."""
    with gr.Blocks(title=TITLE, analytics_enabled=False, delete_cache=(600, 7200)) as page:
        gr.Markdown(f"# {TITLE}\nChoose a photograph and an artist, and watch it being painted.")
        with gr.Row():
            with gr.Column(min_width=320):
                inputs = _inputs(service, thumbnails)
            with gr.Column(min_width=320):
                with gr.Row(elem_id="actions"):
                    paint = gr.Button("Paint", variant="primary", elem_id="paint")
                    stop = gr.Button("Stop", variant="stop", elem_id="stop")
                outputs, go_on, more, log = _outputs()
        _connect(service, inputs, outputs, (paint, stop, go_on, more, log))

        def close(request: gr.Request) -> None:
            service.sessions.close(request.session_hash)

        page.unload(close)
    page.queue(max_size=service.limits.waiting, default_concurrency_limit=8)
    return page


def _inputs(service: Service, thumbnails: Thumbnails) -> Inputs:
    """The left column."""
    limits = service.limits
    photograph = photograph_input(
        label=f"Your photograph (up to {limits.megabytes} MB)",
        sources=["upload", "webcam", "clipboard"],
        height=280,
        elem_id="photograph",
    )
    artist, second, share = _artist_inputs(service.artists, thumbnails)
    with gr.Accordion("Paintings of your own", open=False):
        own = paintings_input(
            label=f"Up to {limits.paintings} pictures, one artist in place of the chosen one",
            elem_id="own",
        )
    strength = gr.Slider(
        -3,
        3,
        service.defaults.strength,
        step=0.5,
        label="Strength",
        info="More of the artist to the right, more of the photograph to the left: each step "
        "doubles the weight of the style, for every artist alike.",
        elem_id="strength",
    )
    quality = gr.Radio(
        list(QUALITIES),
        value=service.defaults.quality,
        label="Time to take",
        info="Quick shows what to expect, good is for most pictures, best takes four times as "
        "long as good.",
        elem_id="quality",
    )
    colours = gr.Radio(
        list(COLOURS),
        value=service.defaults.colours,
        label="Colours",
        info="With the photograph's, only the brightness of strokes is taken from the artist.",
    )
    size = gr.Dropdown(
        sorted({*SIZES, service.defaults.size}),
        value=service.defaults.size,
        label="Size",
        info="Pixels of the picture's longer side; twice the size takes four times as long.",
        elem_id="size",
    )
    return Inputs(
        photograph,
        artist,
        second,
        share,
        own,
        strength,
        size,
        colours,
        quality,
        *_more_inputs(service.defaults),
    )


def _artist_inputs(artists: Any, thumbnails: Thumbnails) -> tuple[Any, Any, Any]:
    """Search, gallery and list of the artists; the second of a mixture and its share."""

    def shown(text: str) -> list[tuple[str, str]]:
        return [(thumbnails[a.name], a.name) for a in found(artists, text or "")]

    names = [artist.name for artist in artists]
    search = gr.Textbox(label="Search artists", placeholder="part of a name", elem_id="search")
    gallery = gr.Gallery(
        shown(""),
        label="Artists",
        columns=3,
        height="auto" if len(names) <= 9 else 330,
        allow_preview=False,
        interactive=False,
        buttons=[],
        elem_id="artists",
    )
    artist = gr.Dropdown(names, value=names[0], label="Artist", elem_id="artist")
    with gr.Accordion("Mix with a second artist", open=False):
        second = gr.Dropdown(
            [("nobody", ""), *[(name, name) for name in names]],
            value="",
            label="Second artist",
            info="As many paintings of each are taken as there are of the one with fewer.",
            elem_id="second",
        )
        share = gr.Slider(0, 100, 50, step=5, label="Share of the second, in per cent")
    search.change(shown, search, gallery, queue=False, show_progress="hidden")

    def picked(text: str, event: gr.SelectData) -> str:
        return found(artists, text or "")[int(event.index)].name

    gallery.select(picked, search, artist, queue=False, show_progress="hidden")
    return artist, second, share


def _more_inputs(defaults: Settings) -> tuple[Any, Any, Any, Any]:
    """What is folded away: size of strokes, network, numbers, paintings."""
    with gr.Accordion("More settings", open=False):
        brush = gr.Slider(
            0.5,
            2,
            defaults.brush,
            step=0.25,
            label="Size of strokes",
            info="Paintings are looked at this much larger or smaller than the picture.",
        )
        network = gr.Dropdown(
            NETWORKS,
            value=defaults.network,
            label="Network",
            info="Whose activations are matched; the first blocks give texture without motifs.",
        )
        precision = gr.Radio(
            ["float32", "bfloat16"],
            value=defaults.precision,
            label="Numbers",
            info="bfloat16 takes half the time where the processor or GPU has it.",
        )
        paintings = gr.Slider(
            1,
            30,
            defaults.most_paintings,
            step=1,
            label="Paintings",
            info="So many of the artist's are matched at once, where there are as many.",
        )
    return brush, network, precision, paintings


def _outputs() -> tuple[Outputs, Any, Any, Any]:
    """The right column."""
    picture = live_picture(
        label="The picture",
        buttons=["fullscreen"],
        height=420,
        elem_id="picture",
    )
    status = gr.HTML(said("Upload a photograph to begin."), elem_id="status")
    with gr.Row():
        go_on = gr.Button("Go on", elem_id="go-on")
        more = gr.Slider(10, 500, 50, step=10, label="Steps to go on", elem_id="more")
    slider = gr.ImageSlider(
        label="Before and after", height=420, interactive=False, elem_id="slider"
    )
    with gr.Row():
        png = gr.DownloadButton("Download PNG", elem_id="png", interactive=False)
        jpeg = gr.DownloadButton("Download JPEG", elem_id="jpeg", interactive=False)
    command = gr.Textbox(
        label="Command for this picture",
        info="Makes the same picture from the same files, from the repository's folder.",
        lines=3,
        interactive=False,
        buttons=["copy"],
        elem_id="command",
    )
    history = gr.Gallery(
        label="Pictures of this session",
        columns=4,
        height="auto",
        fit_columns=False,
        elem_id="history",
    )
    with gr.Accordion("Losses", open=False):
        plot = gr.LinePlot(
            x="step", y="loss", label="Total loss by step", height=240, elem_id="curve"
        )
        rows = gr.HTML(
            label="Losses each 100 steps", show_label=True, container=True, elem_id="losses"
        )
    log = gr.Button("Log this picture in MLflow", elem_id="log")
    return (
        Outputs(picture, status, plot, rows, slider, png, jpeg, command, history),
        go_on,
        more,
        log,
    )


def _connect(service: Service, inputs: Inputs, outputs: Outputs, buttons: Any) -> None:
    """Which function each component calls."""
    paint, stop, go_on, more, log = buttons
    device: Any = {"concurrency_id": "device", "concurrency_limit": 1, "trigger_mode": "once"}
    shown: Any = {"show_progress_on": [outputs.picture]}

    def painted(request: gr.Request, *values: Any) -> Iterator[tuple[Any, ...]]:
        updates = service.paint(request.session_hash, choices_of(Inputs(*values)))
        yield from _views(service, request, updates)

    def gone_on(epochs: float, request: gr.Request) -> Iterator[tuple[Any, ...]]:
        yield from _views(service, request, service.go_on(request.session_hash, int(epochs)))

    def accepted(request: gr.Request, *values: Any) -> str:
        choices = choices_of(Inputs(*values))
        if not choices.photograph:
            return said("Upload a photograph to begin.")
        try:
            return said(service.accept(request.session_hash, choices))
        except InputError as error:
            return said(sentence(error), role="alert")

    def chosen(request: gr.Request, *values: Any) -> None:
        service.make_ready(request.session_hash, choices_of(Inputs(*values)))

    def logged(request: gr.Request) -> str:
        try:
            return said(service.log(request.session_hash))
        except InputError as error:
            raise refusal(error) from error

    def stopped(request: gr.Request) -> None:
        service.stop(request.session_hash)

    paint.click(painted, list(inputs), list(outputs), api_name="paint", **device, **shown)
    paint.click(None, js=SHOW_PICTURE)
    go_on.click(gone_on, more, list(outputs), api_name="go_on", **device, **shown)
    stop.click(stopped, queue=False, api_name="stop")
    inputs.photograph.change(accepted, list(inputs), outputs.status, api_name="accept")
    changes = [one.change for one in (inputs.artist, inputs.second, inputs.own, inputs.size)]
    gr.on(changes, chosen, list(inputs), api_name="choose", show_progress="hidden")
    log.click(logged, None, outputs.status, api_name="log", concurrency_id="log")


def _views(
    service: Service, request: gr.Request, updates: Iterator[Update]
) -> Iterator[tuple[Any, ...]]:
    """What each update shows, in the order of `Outputs`."""
    try:
        for update in updates:
            yield _view(service, request, update)
    except InputError as error:
        raise refusal(error) from error


def _view(service: Service, request: gr.Request, update: Update) -> tuple[Any, ...]:
    stage, done, same = update.stage, update.finished, gr.skip()
    # An update of properties would have Gradio make the live picture's component anew.
    picture, plot, rows = None, same, same
    if stage:
        picture, plot, rows = stage.pixels, curve(stage.losses), table(stage.losses)
    if done is None:
        return (picture, said(update.text), plot, rows, same, same, same, same, same)
    results = service.sessions.of(request.session_hash).results
    slider, downloads = (done.before, done.jpeg), (done.png, done.jpeg)
    buttons = [gr.DownloadButton(value=file, interactive=True) for file in downloads]
    return (picture, said(update.text), plot, rows, slider, *buttons, done.command, list(results))


def choices_of(chosen: Inputs) -> Choices:
    """What was chosen, from the values of the components."""
    settings = Settings(
        strength=float(chosen.strength),
        size=int(chosen.size),
        colours=chosen.colours,
        quality=chosen.quality,
        brush=float(chosen.brush),
        network=chosen.network,
        precision=chosen.precision,
        most_paintings=int(chosen.paintings),
    )
    return Choices(
        photograph=chosen.photograph,
        first=chosen.artist or "",
        second=chosen.second or "",
        share=chosen.share / 100,
        own=listed(chosen.own),
        settings=settings,
    )


def said(text: str, role: str = "status") -> str:
    """A text that screen readers read when it changes."""
    return f'<p role="{role}" aria-live="polite">{escape(text)}</p>'


def sentence(error: InputError) -> str:
    """What is wrong, for people who gave no option."""
    return f"{error.value}: {error.reason}" if isinstance(error.value, str) else error.reason


def refusal(error: InputError) -> Exception:
    """The page's own error, without a traceback in the server's output."""
    refused: Exception = gr.Error(sentence(error), print_exception=False, duration=None)
    return refused
