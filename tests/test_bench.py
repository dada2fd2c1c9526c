"""The bench: its baseline computes the same losses, its table and files are whole.

Nothing about time is asserted: that is the bench's own business, on a quiet machine.
"""

import json
import math
from pathlib import Path

import keras
import numpy as np
import pytest
from PIL import Image

from benchmark.bench import processes
from benchmark.bench.__main__ import main
from benchmark.bench.figures import Measurement, markdown_table
from benchmark.bench.size import Size
from benchmark.bench.timing import ROOT, alternately
from benchmark.bench.workload import Workload, sample_workload
from benchmark.transfer.aggregation import Aggregation, power_mean
from benchmark.transfer.step import OptimizerChoice
from tests.commands import command

if keras.backend.backend() == "tensorflow":
    from benchmark.bench.steps import baseline_transfer, slope, total_losses


@pytest.fixture(scope="module")
def workload() -> Workload:
    return sample_workload(48, 3)


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="it is TensorFlow's tutorial")
@pytest.mark.parametrize(
    ("agg", "p"),
    [
        ("simple", 1.0),
        pytest.param("squared", 2.0, marks=pytest.mark.faults),
        pytest.param("logged", 0.0, marks=pytest.mark.faults),
    ],
)
def test_the_baseline_has_the_same_losses(agg: str, p: float, workload: Workload) -> None:
    """Code that shares nothing with ours, so it checks our losses and gradients too."""
    adam = OptimizerChoice(keras.optimizers.Adam, 0.02, (("beta_1", 0.99), ("epsilon", 0.1)))
    mean = Aggregation(power_mean, {"p": p})
    optimization = workload.optimization(1, aggregation=mean, optimizer=adam)
    transfer = baseline_transfer(workload, agg)
    expected = transfer.run(5)
    losses = optimization.run(5)[:, 0, 0]
    np.testing.assert_allclose(losses, expected, rtol=1e-3)
    assert expected[4] < expected[0]
    # Pixels whose gradient is next to nothing may go either way, for Adam sees little but signs.
    picture = transfer.picture.numpy()[0]
    apart = np.abs(np.asarray(optimization.images)[0] - picture).mean()
    assert apart < 0.1 * np.abs(picture - workload.contents[0]).mean()


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="imports the baseline")
def test_total_losses_are_those_of_the_pictures_given(workload: Workload) -> None:
    """Each picture's own, however many there are; of the contents those that a run begins with."""
    contents = workload.contents
    of_contents = workload.optimization(2).run()[0, 0]
    np.testing.assert_allclose(total_losses(workload, contents), of_contents, rtol=1e-5)
    changed = np.stack([contents[0], 1 - contents[1]])
    found = total_losses(workload, changed)
    assert found[0] == pytest.approx(of_contents[0], rel=1e-4)
    assert found[1] > 1.5 * of_contents[1]
    assert total_losses(workload, contents[:1]) == pytest.approx(of_contents[:1], rel=1e-4)


@pytest.mark.cluster
def test_the_bench_writes_its_table_and_files(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    steps = ["step", "batch", "bfloat16", "matrix", "matrix_bfloat16", "paintings"]
    steps += ["bfloat16_loss", "descent"]
    wanted = [*steps, "growth"]
    code = main(["--quick", "--only", *wanted, "--output", str(tmp_path)])
    report = json.loads((tmp_path / "bench.json").read_text())
    figures = report["figures"]
    assert {figure["name"] for figure in figures} == {*steps}
    printed = capsys.readouterr().out
    for figure in figures:
        assert math.isfinite(figure["value"])
        assert figure["value"] > 0
        assert figure["title"][:40] in printed
        assert figure["reached"] in (True, False)
    assert code == (0 if all(figure["reached"] for figure in figures) else 1)
    assert report["processor"]
    assert set(report["growth"]) >= {"paintings", "examples", "steps", "pixels a side"}
    assert len((tmp_path / "bench.md").read_text().splitlines()) == 2 + len(steps)
    with Image.open(tmp_path / "growth.png") as plot:
        assert plot.size[0] > 300


@pytest.mark.cluster
def test_figures_of_whole_processes(tmp_path: Path) -> None:
    wanted = ["sweep", "sweep_bfloat16", "cache", "memory", "jobs"]
    wanted += ["warm", "share", "ending", "export", "report", "help"]
    done = command("benchmark.bench", "--quick", "--only", *wanted, "--output", str(tmp_path))
    assert done.returncode in (0, 1), done.stdout + done.stderr
    report = json.loads((tmp_path / "bench.json").read_text())
    figures = {figure["name"]: figure for figure in report["figures"]}
    assert set(figures) == set(wanted)
    assert all(figure["value"] > 0 for figure in figures.values())
    assert min(figures["sweep"]["measured"]["baseline"]) > 1
    assert min(figures["cache"]["measured"]["second"]) > 0


@pytest.mark.cluster
def test_the_script_for_gpus_runs_on_any_machine(tmp_path: Path) -> None:
    arguments = ("--gpu", "--study", "--quick", "--output", str(tmp_path))
    done = command("benchmark.bench", *arguments, backend="jax")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "no accelerator found" in done.stdout
    report = json.loads((tmp_path / "gpu.json").read_text())
    assert report["backend"] == "jax"
    assert len(report["command_seconds"]) == 2
    figures = report["bfloat16"]
    assert len(figures["study"]) == 3 * 2
    assert {run["epochs"] for run in figures["study"].values()} == {2}
    assert figures["examples_in_a_step"] == 4  # both artists in one batch
    assert figures["matrix_rate"] > 1e8
    assert figures["large_seconds"] > 0
    assert figures["logging_seconds"] > 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--only", "stepp"], "invalid choice: 'stepp'"),
        (["--gpu", "--only", "step"], "leave --only"),
        (["--study"], "--study is the study's compute on a GPU: add --gpu"),
        (["--against", "nowhere"], "--against nowhere: is not a checkout"),
        (["--against", ".", "--only", "sweep"], "--only takes step, batch, bfloat16"),
        (["--repeats", "0"], "--repeats: must be 1 or more"),
        (["--output", "README.md"], "--output README.md: File exists"),
    ],
)
def test_wrong_arguments_are_one_line(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as end:
        main(arguments)
    assert end.value.code == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


def test_steps_are_compared_with_another_checkouts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each side by its own bench, in turn; the ratio of the medians of all its processes."""
    benches = []
    seconds = {tmp_path: [[2.0, 4.0], [3.0]], ROOT: [[6.0, 2.5], [4.5]]}

    def bench(*arguments: str, checkout: Path, exit_codes: tuple[int, ...]) -> None:
        benches.append(checkout)
        assert arguments[:4] == ("-m", "benchmark.bench", "--only", "step")
        measured = {"step": seconds[checkout].pop(0), "baseline": [5.0]}
        report = {"figures": [{"name": "step", "measured": measured}]}
        (Path(arguments[-1]) / "bench.json").write_text(json.dumps(report))

    monkeypatch.setattr(processes, "run_python", bench)
    size = Size(quick=True, process_repeats=2)
    [figure] = processes.steps_against(tmp_path, {"step": "time of a step"}, size)
    assert benches == [ROOT, tmp_path, tmp_path, ROOT]
    assert figure.value == 4.5 / 3.0
    assert not figure.reached
    assert "of the shortest 1.250" in figure.detail


def test_sides_are_measured_in_turn_and_the_warm_up_does_not_count() -> None:
    calls: list[str] = []
    times = iter([100.0, 100.0, 1.0, 2.0, 3.0, 4.0])

    def side(name: str) -> float:
        calls.append(name)
        return next(times)

    measured = alternately({"a": lambda: side("a"), "b": lambda: side("b")}, repeats=2)
    assert calls == ["b", "a", "a", "b", "b", "a"]
    assert measured == {"a": [1.0, 4.0], "b": [2.0, 3.0]}


@pytest.mark.parametrize(
    ("value", "least", "most", "reached"),
    [
        (1.0, None, 1.0, True),
        (1.01, None, 1.0, False),
        (0.9, 0.8, 1.2, True),
        (0.7, 0.8, None, False),
        (math.nan, None, 1.0, False),
    ],
)
def test_a_figure_is_within_its_bounds(
    value: float, least: float | None, most: float | None, reached: bool
) -> None:
    figure = Measurement("f", "title", value, least, most)
    assert figure.reached is reached
    assert ("**" in markdown_table([figure])) is not reached


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="imports the baseline")
def test_the_slope_of_a_power_law() -> None:
    assert slope({x: 3.0 * x**1.5 for x in (1, 2, 8, 32)}) == pytest.approx(1.5)
