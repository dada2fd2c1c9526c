"""The recipes of docs/variants.md work as they stand there, in a copy of the project."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

from benchmark.config.paths import ROOT
from benchmark.tracking.tracker import Tracker
from tests.commands import TINY, store
from tests.test_bad_input import picture

PAGE = (ROOT / "docs" / "variants.md").read_text()


def test_a_run_of_one_new_variant_of_each_kind(tmp_path: Path) -> None:
    """Each block is added to the file that its first line names; then the page's command runs."""
    copy, scans = tmp_path / "copy", tmp_path / "scans"
    for part in ("benchmark", "backbones", "datasets", "user_input", "conf"):
        shutil.copytree(ROOT / part, copy / part, ignore=shutil.ignore_patterns("__pycache__"))
    blocks = re.findall(r"```(?:python|yaml)\n# (\S+)\n(.*?)```", PAGE, re.DOTALL)
    assert len(blocks) == PAGE.count("```") // 2
    for file, text in blocks:
        with (copy / file).open("a") as opened:
            opened.write(text)
    for artist in ("Ada_scans", "Bruno_scans"):
        for number in range(2):
            picture(scans / artist / f"{number}.png")
    [line] = re.findall(r"    python (-m benchmark .*)", PAGE.replace("\\\n", ""))
    command = shlex.split(line.replace("SCANS", str(scans)))
    options = [*TINY, "image_size=32", "dataset.paintings=2", "content.count=1", store(tmp_path)]
    done = subprocess.run(
        [sys.executable, *command, *options],
        cwd=copy,
        env={**os.environ, "MLFLOW_DISABLE_TELEMETRY": "true"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    tracker = Tracker(f"sqlite:///{tmp_path}/mlflow.db", None)
    [run] = tracker.all_runs()
    assert run.status == "finished"
    assert run.scores.keys() >= {"ssim", "contrast"}
    examples = tracker.read_table(run.run_id, "examples.json")
    assert list(examples["artist"]) == ["Ada_scans", "Bruno_scans"]
