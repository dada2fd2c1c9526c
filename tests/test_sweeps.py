"""How a sweep is wired to Hydra, its launchers and its process: what is left to other libraries."""

import argparse
import importlib.util
import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event
from time import sleep

import pytest
from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra._internal.utils import get_args_parser
from hydra.core.override_parser.overrides_parser import OverridesParser

from benchmark.config.command_line import hydra_parser
from benchmark.config.compose import composed
from benchmark.config.errors import ConfigError
from benchmark.config.paths import ROOT
from benchmark.runtime import jobs
from benchmark.runtime.interrupts import Interrupts
from benchmark.sweeps import application
from benchmark.sweeps.plan import combinations
from tests import fast_hydra
from tests.commands import TINY, command, store


def options_of(parser: argparse.ArgumentParser) -> set[tuple[object, ...]]:
    return {
        (*sorted(action.option_strings), action.nargs, *(action.choices or ()))
        for action in parser._actions
    }


def test_the_flags_are_those_of_the_installed_hydra() -> None:
    assert options_of(hydra_parser()) == options_of(get_args_parser())


@pytest.mark.parametrize(
    "overrides",
    [
        ["backbone=vgg,resnet", "agg=simple,squared", "epochs=3"],
        ["seed=range(0,3)", "dataset.artists=[a,b],[c]", "+x.y='a,b'", "agg=choice(simple,logged)"],
        ["seed=1,2", "seed=3", "~agg.p"],
    ],
)
def test_the_runs_are_those_of_hydras_basic_sweeper(overrides: list[str]) -> None:
    parsed = OverridesParser.create().parse_overrides(overrides)
    assert [combinations(parsed)] == BasicSweeper.split_arguments(parsed, None)


@pytest.mark.parametrize(
    "overrides",
    [
        [],
        ["backbone=resnet", "agg=power", "agg.p=3", "metrics=[kid,ssim]", "loss.style_weight=2"],
        ["experiment=study_small", "dataset.root=x", "optimizer=sgd", "optimizer.nesterov=true"],
    ],
)
def test_the_tests_compose_as_hydra_does(overrides: list[str]) -> None:
    with fast_hydra.removed():
        expected = composed(overrides)
    for _ in range(2):  # made, and of what is kept
        assert composed(overrides) == expected


def test_an_interval_has_no_values() -> None:
    [interval] = OverridesParser.create().parse_overrides(["seed=interval(0,1)"])
    with pytest.raises(ConfigError, match="has no intervals"):
        combinations([interval])


def test_what_is_known_of_submitit_and_joblib_holds_in_the_installed_versions() -> None:
    utils = pytest.importorskip("submitit.core.utils")
    pytest.importorskip("hydra_plugins.hydra_joblib_launcher")
    for module in (*jobs.JOB_MODULES, jobs.CONTROLLER_MODULE):
        assert importlib.util.find_spec(module), module
    paths = utils.JobPaths("folder", "17")
    assert paths.submitted_pickle.name == jobs.SUBMITTED_FILE.replace("*", "17")
    assert paths.result_pickle.name == jobs.RESULT_FILE.format(job="17")


def test_each_application_has_a_state_of_its_own() -> None:
    first = application.begin()
    first.interrupts.is_shutting_down = True
    second = application.begin()
    assert application.current() is second
    assert not second.interrupts.is_shutting_down
    assert second.sweep is None


def test_a_lost_interrupt_is_raised_again_until_the_program_shuts_down() -> None:
    interrupts = Interrupts()
    interrupts.check()
    with pytest.raises(KeyboardInterrupt):
        interrupts.handle_signal(2, None)
    with pytest.raises(KeyboardInterrupt):
        interrupts.check()
    interrupts.is_shutting_down = True
    interrupts.check()


def test_an_interrupt_is_the_main_threads_alone() -> None:
    """The thread that ends a stuck program writes to the store, which checks for interrupts."""
    interrupts = Interrupts()
    with pytest.raises(KeyboardInterrupt):
        interrupts.handle_signal(2, None)
    with ThreadPoolExecutor(1) as other:
        assert other.submit(interrupts.check).exception() is None
    with pytest.raises(KeyboardInterrupt):
        interrupts.check()


def test_only_one_thread_ends_the_program(monkeypatch: pytest.MonkeyPatch) -> None:
    """A main thread that comes back late from native code waits for the one that began to end it.

    Else its exit would cut the other off, and the sweep would stay as one that runs.
    """
    interrupts, began, steps = Interrupts(), Event(), list[str]()
    monkeypatch.setattr(os, "_exit", lambda code: steps.append(f"exit {code}"))

    def write() -> None:
        began.set()
        sleep(0.2)
        steps.append("written")

    reader, writer = os.pipe()
    os.write(writer, bytes([signal.SIGTERM]))
    os.close(writer)
    with ThreadPoolExecutor(1) as other, interrupts.on_forced_exit(write):
        watching = other.submit(interrupts._watch, reader)
        assert began.wait(10)
        with interrupts.ending:
            steps.append("the main thread")
        watching.result()
    os.close(reader)
    assert steps == ["written", "exit 130", "the main thread"]


def test_a_main_thread_that_notices_ends_the_program_itself() -> None:
    interrupts = Interrupts()
    with pytest.raises(KeyboardInterrupt), interrupts.on_forced_exit(lambda: None):
        raise KeyboardInterrupt
    assert interrupts.is_shutting_down


def test_a_signal_within_a_write_is_raised_at_its_end() -> None:
    interrupts = Interrupts()
    steps = []

    def write() -> None:
        with interrupts.deferred():
            interrupts.handle_signal(2, None)
            steps.append("written")
        steps.append("after")

    with pytest.raises(KeyboardInterrupt):
        write()
    assert steps == ["written"]


def test_a_write_in_another_thread_holds_no_signal_back() -> None:
    interrupts = Interrupts()
    with ThreadPoolExecutor(1) as other:
        writing = interrupts.deferred()
        other.submit(writing.__enter__).result()
        with pytest.raises(KeyboardInterrupt):
            interrupts.handle_signal(2, None)
        other.submit(writing.__exit__, None, None, None).result()


def test_a_process_that_is_waited_for_ends_in_order(tmp_path: Path) -> None:
    """It gets SIGTERM passed on, and with Ctrl-C the time that it needs; then its exit code."""
    child = (
        "import signal, sys, time\n"
        "def end(number, frame):\n"
        "    time.sleep(0.6)\n"
        "    sys.exit(40 + number)\n"
        "signal.signal(signal.SIGINT, end); signal.signal(signal.SIGTERM, end)\n"
        "print('ready', flush=True)\n"
        "time.sleep(30)"
    )
    (tmp_path / "child.py").write_text(child)
    wait = (
        "import sys; from benchmark.sweeps.in_turn import exit_code;"
        f"sys.exit(exit_code([sys.executable, {str(tmp_path / 'child.py')!r}]))"
    )
    for number, to_all in ((signal.SIGINT, True), (signal.SIGTERM, False)):
        with subprocess.Popen(
            [sys.executable, "-c", wait],
            stdout=subprocess.PIPE,
            cwd=ROOT,
            text=True,
            start_new_session=True,
        ) as waiting:
            assert waiting.stdout is not None
            assert waiting.stdout.readline() == "ready\n"
            (os.killpg if to_all else os.kill)(waiting.pid, number)
            assert waiting.wait(20) == 40 + number


def test_a_package_that_cannot_be_imported_is_named(tmp_path: Path) -> None:
    (tmp_path / "natsort.py").write_text("raise AttributeError('another version')")
    overrides = ["-m", *TINY, store(tmp_path, new=True)]
    done = command("benchmark", *overrides, environment={"PYTHONPATH": str(tmp_path)})
    assert done.returncode == 2, done.stderr
    reason = "cannot import natsort: another version; run make install, or "
    reason += "pip install -e '.[tensorflow]'"
    assert done.stderr == f"error: {reason}\n"
    assert not (tmp_path / "mlflow.db").exists()
