"""Gradio's components with uploads as they came, and pictures that leave no file behind."""

from base64 import b64encode
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np
import pandas as pd
from gradio.data_classes import ImageData
from PIL import Image

from benchmark.transfer.step import LOSS_NAMES

TABLE_EPOCHS = 100
"""Epochs after each of which the table has a row."""

MOST_POINTS = 200  # of a curve


def photograph_input(**options: Any) -> gr.Image:
    """An upload that is given on as it is, profile, transparency and all."""
    component = upload_only(gr.Image(type="filepath", **options))

    def preprocess(payload: ImageData | None) -> str | None:
        return payload.path if payload else None

    # Set on the object: of a class of one's own Gradio writes a stub beside its module.
    component.preprocess = preprocess
    return component


def paintings_input(**options: Any) -> gr.File:
    """Several uploads."""
    return upload_only(gr.File(file_count="multiple", file_types=["image"], **options))


def live_picture(**options: Any) -> gr.Image:
    """A picture, uint8 (H, W, 3), in the page itself: no file is left that had to be removed."""
    component = gr.Image(interactive=False, **options)

    def postprocess(value: Any) -> ImageData | None:
        if not isinstance(value, np.ndarray):
            return None
        return ImageData(url=data_url(value), orig_name="picture.jpg", mime_type="image/jpeg")

    component.postprocess = postprocess
    return component


def upload_only(component: Any) -> Any:
    """The component, whose files come from the browser, never from an address elsewhere."""
    moved = component.async_move_resource_to_block_cache

    async def move_unless_elsewhere(place: Any) -> str | None:
        if "://" in str(place):
            raise gr.Error("addresses are not fetched: upload the file", print_exception=False)
        found: str | None = await moved(place)
        return found

    component.async_move_resource_to_block_cache = move_unless_elsewhere
    return component


def data_url(pixels: np.ndarray) -> str:
    """An address that holds a picture."""
    buffer = BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=90)
    return f"data:image/jpeg;base64,{b64encode(buffer.getvalue()).decode()}"


def curve(losses: np.ndarray) -> pd.DataFrame:
    """Points of the curve of the total loss, of losses (epochs + 1, 3)."""
    steps = np.unique(np.linspace(0, len(losses) - 1, MOST_POINTS).round().astype(int))
    return pd.DataFrame({"step": steps, "loss": losses[steps, 0].astype(float)})


def table(losses: np.ndarray) -> str:
    """Losses, (epochs + 1, 3), after every 100 epochs and the last, as a table in HTML."""
    last = len(losses) - 1
    steps = [*range(0, last, TABLE_EPOCHS), last]
    columns = [name.replace("_", " ") for name in LOSS_NAMES]
    numbers = [[f"{loss:.4g}" for loss in losses[step]] for step in steps]
    frame = pd.DataFrame(numbers, columns=columns)
    frame.insert(0, "step", steps)
    return frame.to_html(index=False, border=0)


def listed(files: Sequence[Any] | None) -> list[str]:
    """The paths of uploads."""
    return [str(Path(str(file))) for file in files or []]
