"""The layers of a backbone that can be chosen: `python -m benchmark.layers backbone=resnet`."""

import sys
from collections.abc import Sequence

from benchmark.user_input.arguments import told
from benchmark.user_input.refusal import explained_imports, refusing


@refusing()
def main(overrides: Sequence[str]) -> int:
    """Print the layers of the backbone that the overrides choose; returns the exit code."""
    if told(overrides, __doc__ or ""):
        return 0
    with explained_imports():
        from benchmark.config.compose import composed
    config = composed(overrides)
    with explained_imports():
        from rich.table import Table

        from backbones import list_layers
        from benchmark.runs.progress import Output
    backbone = config.backbone
    content = backbone["content_layer"]
    content = [content] if isinstance(content, str) else content
    size = config.image_size + 2 * backbone.get("padding", 0)
    layers = list_layers(model=backbone["model"], image_size=size)
    title = f"{backbone['name']} ({backbone['model']}), {size} pixels"
    table = Table("layer", "kind", "output (H, W, C)", "weights", "used as", title=title)
    for layer in layers:
        used = "style" if layer.name in backbone["style_layers"] else ""
        used = "content" if layer.name in content else used
        shape = " × ".join(str(side) for side in layer.shape)
        table.add_row(layer.name, layer.kind, shape, f"{layer.weights:,}", used)
    Output().print(table)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
