"""What an installation brings: the version that every command tells, and a framework for Keras."""

import os
import re
import subprocess
import sys
import tomllib
from importlib import import_module
from pathlib import Path

import pytest

from benchmark.user_input import program_version
from tests.commands import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


@pytest.mark.parametrize(
    "module", ["benchmark.__main__", "benchmark.export", "benchmark.genre.__main__"]
)
def test_every_command_tells_its_version(module: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        import_module(module).main(["--version"])
    assert ended.value.code in (0, None)
    assert capsys.readouterr().out == f"{PROJECT['version']}\n"


@pytest.mark.parametrize(
    "module",
    ["benchmark.calibrate", "benchmark.layers", "benchmark.peakiness", "datasets.describe"],
)
def test_commands_of_overrides_alone_do_so_too(
    module: str, capsys: pytest.CaptureFixture[str]
) -> None:
    for argument, told in (("--version", f"{PROJECT['version']}\n"), ("--help", "python -m")):
        assert import_module(module).main([argument]) == 0
        assert told in capsys.readouterr().out


def test_the_version_is_the_same_everywhere() -> None:
    newest = re.search(r"^## (\d\S+)", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    cited = re.search(r"^version: (\S+)", (ROOT / "CITATION.cff").read_text(), re.MULTILINE)
    assert newest
    assert cited
    assert newest[1] == cited[1] == PROJECT["version"] == program_version()


@pytest.mark.parametrize(
    ("missing", "code", "told"),
    [
        (["tensorflow"], 0, "TensorFlow is not installed: running on JAX\n"),
        (["tensorflow", "jax"], 2, "error: Keras's backend: "),
    ],
)
def test_without_tensorflow(missing: list[str], code: int, told: str, tmp_path: Path) -> None:
    """In a process of its own, in which the frameworks cannot be imported."""
    pytest.importorskip("jax")
    hidden = f"import sys; sys.modules.update(dict.fromkeys({missing}))"
    (tmp_path / "sitecustomize.py").write_text(hidden)
    environment = {k: v for k, v in os.environ.items() if k != "KERAS_BACKEND"}
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            "import backbones.quiet_keras as q; print(q.keras.backend.backend())",
        ],
        cwd=ROOT,
        env={**environment, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == code
    assert done.stderr.startswith(told)
    assert done.stderr.count("\n") == 1
    assert done.stdout == ("jax\n" if code == 0 else "")
