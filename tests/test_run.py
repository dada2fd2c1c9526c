"""One run: prepared once, one checkpoint, nothing kept in modules between runs."""

import ast
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from benchmark.config.compose import composed
from benchmark.config.paths import ROOT
from benchmark.runs import progress
from benchmark.runs.checkpoint import Checkpoint
from benchmark.runs.prepare import prepare
from benchmark.runs.progress import Output
from benchmark.runs.workspace import Workspace
from benchmark.runtime.memo import Memo
from benchmark.sweeps import execution
from benchmark.sweeps.application import Application
from benchmark.transfer.loop import Epoch
from tests.commands import TINY, store
from tests.workspace import WORKSPACE

# MLflow's log_table, with pandas 3.
pytestmark = pytest.mark.filterwarnings("ignore:For backward compatibility, 'str' dtypes")

MODEL = ["backbone=vgg_shallow", *TINY, "metrics=[]"]


def test_a_run_is_prepared_once_and_has_one_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: Counter[str] = Counter()

    def counted(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **named: Any) -> Any:
            calls[name] += 1
            return function(*arguments, **named)

        return call

    monkeypatch.setattr(execution, "prepare", counted("prepare", prepare))
    monkeypatch.setattr(Checkpoint, "__init__", counted("checkpoint", Checkpoint.__init__))
    overrides = [*MODEL, store(tmp_path), "tracking.sweep=once"]
    application = Application(workspace=WORKSPACE)
    assert execution.run_alone(composed(overrides), overrides, application)
    assert calls == {"prepare": 1, "checkpoint": 1}


def test_runs_share_a_workspace_and_nothing_else() -> None:
    config = composed(MODEL)
    first, second = (prepare(config, workspace) for workspace in (WORKSPACE, WORKSPACE))
    other = prepare(config, Workspace())
    assert first.backbone is second.backbone
    assert first.content is second.content
    assert first.paintings[0] is second.paintings[0]
    assert first.transfer.session is second.transfer.session
    assert other.backbone is not first.backbone
    assert other.backbone.shared is not first.backbone.shared
    assert other.content is not first.content
    assert other.transfer.session is not first.transfer.session


def test_no_module_keeps_state_that_runs_share() -> None:
    """Caches belong to objects that are passed; those of pure functions of numbers are allowed.

    And which formats this installation reads, and that a file was warned of.
    """
    keeping = set()
    for package in ("backbones", "benchmark", "datasets"):
        for path in (ROOT / package).rglob("*.py"):
            tree = ast.parse(path.read_text())
            nodes = [*tree.body, *(d for f in tree.body for d in getattr(f, "decorator_list", ()))]
            # Of functions and classes the decorators alone: what they do when called is theirs.
            outer = [node for node in nodes if not hasattr(node, "decorator_list")]
            names = {
                name.id for node in outer for name in ast.walk(node) if isinstance(name, ast.Name)
            }
            changed = any(isinstance(node, ast.Global) for node in ast.walk(tree))
            if changed or not names.isdisjoint({"cache", "lru_cache"}):
                keeping.add(str(path.relative_to(ROOT)))
    pure = {"benchmark/analysis/statistics.py", "benchmark/transfer/features.py"}
    assert keeping <= pure | {"datasets/formats.py"}


def test_a_result_is_kept_until_others_were_asked_for_more_recently() -> None:
    memo, computed = Memo(2), list[str]()
    for key in "abacab":
        memo(key, partial(computed.append, key))
    assert computed == ["a", "b", "c", "b"]


def test_the_time_left_is_of_epochs_not_of_what_came_before(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Begun at 0 s, compiled after 30 s, ten of sixty epochs done after 55 s."""
    times = iter([0.0, 30.0, 55.0])
    monkeypatch.setattr(progress, "monotonic", lambda: next(times))
    prepared: Any = SimpleNamespace(epochs=60, examples=[("Ada", "cat")], sizes=[64])
    with progress.epoch_progress("run", prepared, Output()) as show:
        for number in (0, 10):
            show(Epoch(number, np.ones((3, 1)), list, float("nan")))
    before, after = capsys.readouterr().out.splitlines()
    assert "epoch 0/60" in before
    assert "left" not in before
    assert "epoch 10/60" in after
    assert "at most 125 s left" in after


BELOW = ("checkpoint", "progress", "run", "scores")


def test_below_its_preparation_no_part_of_a_run_sees_the_configuration() -> None:
    files = [ROOT / "benchmark" / "runs" / f"{name}.py" for name in BELOW]
    for package in ("transfer", "metrics", "images"):
        files += (ROOT / "benchmark" / package).rglob("*.py")
    for path in files:
        assert "benchmark.config.schema" not in path.read_text(), path
