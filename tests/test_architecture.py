"""Each outside system is known in one place; that imports run one way, `lint-imports` checks."""

import ast
from pathlib import Path

from docs import plan

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("backbones", "datasets", "benchmark")


def imports_of(path: Path) -> set[str]:
    """Dotted names that a file imports, `from a import b` as both a and a.b."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} has a relative import"
            found |= {str(node.module)} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found


SOURCES = {
    str(path.relative_to(ROOT)): imports_of(path)
    for package in PACKAGES
    for path in sorted((ROOT / package).rglob("*.py"))
}


def users_of(*packages: str) -> set[str]:
    """Files that import any of some packages."""
    return {
        file
        for file, imported in SOURCES.items()
        if any(name.split(".")[0] in packages for name in imported)
    }


def test_one_module_knows_mlflow_and_none_a_backend() -> None:
    outside = {f for f in users_of("mlflow") if not f.startswith("benchmark/tracking/")}
    assert not outside
    # What the bench compares with is TensorFlow's tutorial.
    assert users_of("tensorflow", "jax", "torch") == {"benchmark/bench/baseline.py"}
    named = {
        file
        for file in SOURCES
        if any(b in (ROOT / file).read_text() for b in ('"jax"', '"tensorflow"'))
    }
    # And the one that mutes a note of TensorFlow's logger.
    assert named == {"benchmark/transfer/backend.py", "backbones/quiet_keras.py"}


def test_the_plan_in_the_documents_shows_the_imports_as_they_are() -> None:
    drawn = plan.drawing(plan.without_implied(plan.arrows()))
    assert drawn == plan.PLAN.read_text(encoding="utf-8"), "python -m docs.plan draws it anew"


def test_nothing_private_of_other_packages_is_imported() -> None:
    """But SciPy's L-BFGS-B step by step, in one module; others are names in `runtime/jobs.py`."""
    private = {
        (file, name)
        for file, imported in SOURCES.items()
        for name in imported
        if name.partition(".")[0] not in PACKAGES
        and any(part.startswith("_") and part != "__future__" for part in name.split("."))
    }
    path = "scipy.optimize._lbfgsb"
    assert private == {("benchmark/transfer/lbfgsb.py", path)}


UNPICKLE = ("pickle", "cloudpickle", "dill", "shelve", "marshal", "joblib")
"""Modules whose loading runs what is loaded."""

UNSAFE = (
    "load_model",
    "from_pretrained",
    "read_pickle",
    "unsafe_load",
    "full_load",
    "eval",
    "exec",
)
"""Calls that can."""


def test_no_pickle_is_ever_loaded() -> None:
    """Nothing that was downloaded, cached or given is run: NumPy's loader is told so by name.

    `torch_file` reads files with an unpickler that knows the names of arrays alone.
    """
    assert users_of(*UNPICKLE) == {"backbones/torch_file.py"}
    for file in SOURCES:
        for node in ast.walk(ast.parse((ROOT / file).read_text())):
            if not isinstance(node, ast.Call):
                continue
            called = ast.unparse(node.func)
            options = {one.arg: ast.unparse(one.value) for one in node.keywords}
            assert called.rpartition(".")[2] not in UNSAFE, f"{file} calls {called}"
            assert called not in ("yaml.load", "torch.load", "keras.saving.load_model"), file
            if called in ("np.load", "numpy.load"):
                assert options.get("allow_pickle") == "False", f"{file}: np.load may unpickle"
