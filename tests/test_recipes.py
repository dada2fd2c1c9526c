"""The recipes of docs/variants.md work as they stand there."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from omegaconf import OmegaConf

import benchmark.transfer.aggregation
from benchmark.runs.variants import aggregation

RECIPES = (Path(__file__).resolve().parents[1] / "docs" / "variants.md").read_text()


def test_the_new_aggregation(monkeypatch: pytest.MonkeyPatch) -> None:
    [code] = re.findall(r"```python\n(.*?)```", RECIPES, re.DOTALL)
    [variant] = re.findall(r"```yaml\n(.*?)```", RECIPES, re.DOTALL)
    assert len(code.strip().splitlines()) + len(variant.strip().splitlines()) < 10
    scope: dict[str, Any] = dict(vars(benchmark.transfer.aggregation))
    exec(code, scope)  # what a reader would type into the module
    monkeypatch.setattr(
        benchmark.transfer.aggregation, "contraharmonic", scope["contraharmonic"], raising=False
    )
    chosen = aggregation(dict(OmegaConf.create(variant)), paintings=[2])
    losses, weights = np.array([[1.0, 3.0]], "float32"), np.array([0.5, 0.5], "float32")
    # (½·1² + ½·3²) / (½·1 + ½·3) = 5 / 2
    np.testing.assert_allclose(chosen.function(losses, weights, **chosen.numbers), [2.5])
