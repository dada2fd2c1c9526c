"""The error about a user's value, the hint to a near name, and dotted names."""

import importlib
import pickle
from pathlib import Path

import pytest

from benchmark.user_input import InputError, did_you_mean, import_callable
from benchmark.user_input.refusal import explained_imports


def test_an_error_carries_its_option_and_value_through_pickling() -> None:
    error = InputError("must be ≥ 1", option="content.count", value=0)
    for same in (error, pickle.loads(pickle.dumps(error))):
        assert (same.option, same.value, same.reason) == ("content.count", 0, "must be ≥ 1")
        assert str(same) == "content.count=0: must be ≥ 1"
    assert str(InputError("must be given", option="root")) == "root: must be given"


def test_hints() -> None:
    assert did_you_mean("imagenot", ["random", "imagenet"]) == " Did you mean 'imagenet'?"
    assert did_you_mean("zzz", ["random"]) == ""


def test_dotted_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert import_callable("pathlib.Path.read_text") is Path.read_text
    (tmp_path / "broken_module.py").write_text("import a_package_that_is_missing")
    monkeypatch.syspath_prepend(tmp_path)
    # The package that is missing is named, not the module that needs it.
    for name, reason in (
        ("broken_module.function", "No module named 'a_package_that_is_missing'"),
        ("nowhere.function", "No module named 'nowhere'"),
        ("pathlib.Pat.read_text", "has no attribute 'Pat'"),
        ("function", "Empty module name"),
        ("pathlib.__name__", "is not a function"),
    ):
        with pytest.raises(InputError, match=reason) as raised:
            import_callable(name, "loss.style")
        assert (raised.value.option, raised.value.value) == ("loss.style", name)


def test_a_missing_package_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"), explained_imports():
        importlib.import_module("gone.part")
    assert capsys.readouterr().err.startswith("error: cannot import gone: No module named 'gone'; ")
