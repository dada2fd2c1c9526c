"""Imports run one way, and each outside system is known in one place."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("backbones", "datasets", "benchmark")

LAYERS = [
    "benchmark.arguments",
    "benchmark.errors",
    "benchmark.outage",
    "benchmark.interrupt",
    "benchmark.launchers",
    "benchmark.processes",
    "benchmark.files",
    "benchmark.config",
    "benchmark.variants",
    "benchmark.losses",
    "benchmark.aggregate",
    "benchmark.backend",
    "benchmark.step",
    "benchmark.stylize",
    "benchmark.checkpoint",
    "benchmark.metrics.pixels",
    "benchmark.metrics.features",
    "benchmark.metrics.recognition",
    "benchmark.references",
    "benchmark.scoring",
    "benchmark.targets",
    "benchmark.memory",
    "benchmark.choose",
    "benchmark.prepare",
    "benchmark.upscale",
    "benchmark.sheets",
    "benchmark.progress",
    "benchmark.peakiness",
    "benchmark.database",
    "benchmark.tracking",
    "benchmark.record",
    "benchmark.plan",
    "benchmark.run",
    "benchmark.forecast",
    "benchmark.training",
    "benchmark.study",
    "benchmark.statistics",
    "benchmark.comparison",
    "benchmark.export",
    "benchmark.report.findings",
    "benchmark.report.figures",
    "benchmark.report.gallery",
    "benchmark.report.provenance",
    "benchmark.report.__main__",
    "benchmark.evaluate",
    "benchmark.questions",
    "benchmark.summary",
    "benchmark.sweep",
    "benchmark.resume",
    "benchmark.calibrate",
    "benchmark.layers",
    "benchmark.bench.arithmetic",
    "benchmark.bench.figures",
    "benchmark.bench.yardstick",
    "benchmark.bench.workload",
    "benchmark.bench.steps",
    "benchmark.bench.sweeps",
    "benchmark.bench.footprint",
    "benchmark.bench.growth",
    "benchmark.bench.gpu",
    "benchmark.bench.__main__",
    "benchmark.__main__",
]
"""Modules from the bottom up: each imports only those above it in this list."""


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


def test_backbones_and_datasets_import_nothing_of_ours() -> None:
    outside = users_of("benchmark", "mlflow")
    assert not {file for file in outside if file.startswith(("backbones/", "datasets/"))}
    assert not {file for file in users_of("datasets") if file.startswith("backbones/")}
    assert not {file for file in users_of("backbones") if file.startswith("datasets/")}


def test_one_module_knows_mlflow_and_none_a_backend() -> None:
    assert users_of("mlflow") == {"benchmark/tracking.py"}
    # What the bench compares with is TensorFlow's tutorial.
    assert users_of("tensorflow", "jax", "torch") == {"benchmark/bench/yardstick.py"}
    named = {
        file
        for file in SOURCES
        if any(b in (ROOT / file).read_text() for b in ('"jax"', '"tensorflow"'))
    }
    assert named == {"benchmark/backend.py"}


def test_every_module_has_its_place() -> None:
    modules = {
        ".".join(path.relative_to(ROOT).with_suffix("").parts)
        for path in (ROOT / "benchmark").rglob("*.py")
    }
    assert {name for name in modules if not name.endswith("__init__")} == set(LAYERS)


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
    """Nothing that was downloaded, cached or given is run: NumPy's loader is told so by name."""
    assert not users_of(*UNPICKLE)
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


@pytest.mark.parametrize("module", LAYERS)
def test_imports_run_one_way(module: str) -> None:
    imported = SOURCES[f"{module.replace('.', '/')}.py"]
    above = set(LAYERS[LAYERS.index(module) :])
    assert not imported & above
