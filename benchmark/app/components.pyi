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

class UploadOnly:
    """A component whose files come from the browser, never from an address on another host."""

    async def async_move_resource_to_block_cache(self, place: Any) -> str | None:
        """Refuse what the server would have to fetch itself."""
        if "://" in str(place):
            raise gr.Error("addresses are not fetched: upload the file", print_exception=False)
        found: str | None = await super().async_move_resource_to_block_cache(place)  # type: ignore[misc]
        return found

class Photograph(UploadOnly, gr.Image):
    """An upload that is given on as it is, profile, transparency and all."""

    is_template = True

    def preprocess(self, payload: ImageData | None) -> str | None:
        """The uploaded file."""
        return payload.path if payload else None

    def get_block_name(self) -> str:
        """What the page takes it for."""
        return "image"
    from typing import Callable, Literal, Sequence, Any, TYPE_CHECKING
    from gradio.blocks import Block
    if TYPE_CHECKING:
        from gradio.components import Timer
        from gradio.components.base import Component

class Paintings(UploadOnly, gr.File):
    """Several uploads."""

    is_template = True

    def get_block_name(self) -> str:
        """What the page takes it for."""
        return "file"
    from typing import Callable, Literal, Sequence, Any, TYPE_CHECKING
    from gradio.blocks import Block
    if TYPE_CHECKING:
        from gradio.components import Timer
        from gradio.components.base import Component

class LivePicture(gr.Image):
    """A picture in the page itself, not in a file that would have to be removed."""

    is_template = True

    def postprocess(self, value: Any) -> ImageData | None:
        """Pixels, uint8 (H, W, 3), as the address of a JPEG."""
        if value is None or isinstance(value, str):
            return None
        return ImageData(url=data_url(value), orig_name="picture.jpg", mime_type="image/jpeg")

    def get_block_name(self) -> str:
        """What the page takes it for."""
        return "image"
    from typing import Callable, Literal, Sequence, Any, TYPE_CHECKING
    from gradio.blocks import Block
    if TYPE_CHECKING:
        from gradio.components import Timer
        from gradio.components.base import Component

def data_url(pixels: np.ndarray) -> str:
    """An address that holds a picture."""
    buffer = BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=90)
    return f"data:image/jpeg;base64,{b64encode(buffer.getvalue()).decode()}"

def curve(losses: np.ndarray) -> pd.DataFrame:
    """Points of the curves of losses, (epochs + 1, 3): step, loss, and which it is."""
    steps = np.unique(np.linspace(0, len(losses) - 1, MOST_POINTS).round().astype(int))
    rows = [
        (int(step), float(losses[step, row]), name.replace("_", " "))
        for row, name in enumerate(LOSS_NAMES)
        for step in steps
    ]
    return pd.DataFrame(rows, columns=["step", "loss", "of"])

def table(losses: np.ndarray) -> pd.DataFrame:
    """Losses, (epochs + 1, 3), after every 100 epochs and the last."""
    last = len(losses) - 1
    steps = [*range(0, last, TABLE_EPOCHS), last]
    columns = [name.replace("_", " ") for name in LOSS_NAMES]
    numbers = [[f"{loss:.4g}" for loss in losses[step]] for step in steps]
    frame = pd.DataFrame(numbers, columns=columns)
    frame.insert(0, "step", steps)
    return frame

def listed(files: Sequence[Any] | None) -> list[str]:
    """The paths of uploads."""
    return [str(Path(str(file))) for file in files or []]
