"""All that depends on Keras's backend: compilation, devices, memory, versions."""

import hashlib
import importlib
import os
import platform
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

from backbones.quiet_keras import keras
from benchmark.user_input import program_version

PACKAGES = ("keras", "tensorflow", "jax", "numpy", "pillow", "hydra-core", "mlflow-skinny")


def name() -> str:
    """The active backend: "tensorflow", "jax" or "torch"."""
    return str(keras.backend.backend())


def is_default() -> bool:
    """Whether the active backend is Keras's default, TensorFlow."""
    return name() == "tensorflow"


def numerics() -> str:
    """The software and the kind of device whose change may change the last digits of a result."""
    version = importlib.import_module(name()).__version__
    return f"keras {keras.__version__}, {name()} {version}, {accelerators() or 'processor'}"


def accelerators() -> list[str]:
    """Names of the GPUs or TPUs that the backend sees."""
    return [device for device in keras.distribution.list_devices() if "cpu" not in device.lower()]


def compiles_with_xla() -> bool:
    """Whether a step is to be compiled with XLA.

    JAX has no other way. On TensorFlow's CPU, XLA's convolutions take a third longer than its
    own (VGG19, 224 × 224, 4 examples), so it is on only where there is an accelerator.
    """
    return name() == "jax" or (name() == "tensorflow" and bool(accelerators()))


def has_bfloat16() -> bool:
    """Whether bfloat16 is faster than float32 here: GPUs, and processors that multiply it."""
    flags = _proc_field("cpuinfo", "flags").split()
    return bool(accelerators()) or not {"amx_bf16", "avx512_bf16"}.isdisjoint(flags)


def gradient(function: Callable[[Any], tuple[Any, Any]], place: Any) -> tuple[Any, Any]:
    """The gradient, at a tensor, of the first of a function's two results; and the second."""
    module = importlib.import_module(name())
    if name() == "jax":
        slope, other = module.grad(function, has_aux=True)(place)
        return slope, other
    if name() == "torch":
        place = place.detach().requires_grad_()
        value, other = function(place)
        return module.autograd.grad(value, place)[0], other.detach()
    with module.GradientTape() as tape:
        tape.watch(place)
        value, other = function(place)
    return tape.gradient(value, place), other


def compiled_on_jax(function: Callable[..., Any], constants: int) -> Callable[..., Any]:
    """A function compiled on JAX, which would else compile each operation; elsewhere as it is.

    Its first so many arguments are constants, the others arrays, or lists and dictionaries of them.
    Calls of one function with equal constants and shapes share what is compiled.
    """
    if name() != "jax":
        return function
    jit = importlib.import_module(name()).jit
    compiled: Callable[..., Any] = jit(function, static_argnums=tuple(range(constants)))
    return compiled


def compiled_loop(
    step: Callable[[Any], Any],
    changed: Sequence[keras.Variable],
    constant: Sequence[keras.Variable],
    shape: tuple[int, ...],
) -> Callable[[int, Any], Any]:
    """A function `(count, inputs)` that does `step(inputs)` so many times; of 0, it only compiles.

    In one dispatch; one by one on torch, and where JAX computes on a processor. Any number of
    steps gives the same numbers to the bit: nothing that is compiled depends on the number.

    A step changes the variables `changed` in place, reads those and the `constant` ones, and
    returns a tensor of `shape[1:]`. These are the first `count` rows of what comes back; `shape[0]`
    is the most steps in a call.
    """
    module = importlib.import_module(name())

    def steps(count: Any, inputs: Any) -> Any:
        def one_step(number: Any, results: Any) -> Any:
            row = module.expand_dims(step(inputs), 0)
            return number + 1, module.tensor_scatter_nd_update(results, [[number]], row)

        # With one iteration at a time none can read a variable before the last has assigned it.
        return module.while_loop(
            lambda number, _: number < count,
            one_step,
            (0, module.zeros(shape)),
            parallel_iterations=1,
        )[1]

    if name() == "tensorflow":
        compiled = module.function(steps, jit_compile=compiles_with_xla(), autograph=False)
        return lambda count, inputs: compiled(module.constant(count), inputs)
    if name() == "torch":
        return lambda count, inputs: module.stack(
            [step(inputs) for _ in range(count)] or [module.zeros(shape[1:])]
        )

    return _jax_loop(module, step, changed, constant, shape)


def _jax_loop(
    jax: Any,
    step: Callable[[Any], Any],
    changed: Sequence[keras.Variable],
    constant: Sequence[keras.Variable],
    shape: tuple[int, ...],
) -> Callable[[int, Any], Any]:
    """`compiled_loop` on JAX."""

    def once(values: Any, constants: Any, inputs: Any) -> Any:
        mapping = [*zip(changed, values, strict=True), *zip(constant, constants, strict=True)]
        with keras.StatelessScope(mapping) as scope:
            row = step(inputs)
        return [scope.get_current_value(variable) for variable in changed], row

    def many(values: Any, constants: Any, inputs: Any, count: Any) -> Any:
        def next_step(number: Any, carried: Any) -> Any:
            before, results = carried
            after, row = once(before, constants, inputs)
            return after, results.at[number].set(row)

        return jax.lax.fori_loop(0, count, next_step, (values, jax.numpy.zeros(shape)))

    def one_by_one(values: Any, constants: Any, inputs: Any, count: int) -> Any:
        if count == 0:
            compiled.lower(values, constants, inputs).compile()
            return values, np.zeros(shape, "float32")
        rows = []
        for _ in range(count):
            values, row = compiled(values, constants, inputs)
            rows.append(row)
        return values, np.stack(rows)

    # In a loop of XLA's, gradients of convolutions take a processor four to six times as long.
    compiled = jax.jit(many if accelerators() else once)
    steps_of = compiled if accelerators() else one_by_one

    def run(count: int, inputs: Any) -> Any:
        values, constants = ([v.value for v in variables] for variables in (changed, constant))
        values, results = steps_of(values, constants, inputs, count)
        for variable, value in zip(changed, values, strict=True):
            variable.assign(value)
        return results

    return run


def keep_compiled(folder: Path) -> None:
    """Let JAX keep what it compiles in a folder for other processes, at most 2 GiB of it.

    In one of its own for each kind of processor, for which the code on a processor is made.
    """
    if name() == "jax":
        jax = importlib.import_module("jax")
        kind = hashlib.sha256(_proc_field("cpuinfo", "flags").encode()).hexdigest()[:12]
        jax.config.update("jax_compilation_cache_dir", str(folder / kind))
        jax.config.update("jax_compilation_cache_max_size", 2 * 2**30)
        # All of it: a network is built of hundreds of functions that take a moment each.
        jax.config.update("jax_persistent_cache_min_compile_time_secs", 0)
        jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)


def out_of_memory(error: BaseException) -> bool:
    """Whether an error means that there is too little memory, main or the accelerator's.

    Each backend has its own class for it, and Keras may raise another from it.
    """
    classes = ("ResourceExhaustedError", "OutOfMemoryError", "MemoryError")
    messages = (
        *("RESOURCE_EXHAUSTED", "OOM when allocating", "out of memory", "Out of memory"),
        *("can't allocate memory", "ALLOC_FAILED", "bad_alloc"),
    )
    bases = {base.__name__ for base in type(error).__mro__}
    return not bases.isdisjoint(classes) or any(message in str(error) for message in messages)


def free_memory() -> int:
    """Bytes that are free where the backend computes: of the accelerator, or of main memory."""
    free, _ = accelerator_memory()
    return free_main_memory() if free is None else free


def accelerator_memory() -> tuple[int | None, int | None]:
    """Bytes of the first accelerator: free for the backend, and the peak in use; None: unknown."""
    if not accelerators():
        return None, None
    module = importlib.import_module(name())
    if name() == "torch":
        return module.cuda.mem_get_info()[0], module.cuda.max_memory_allocated()
    if name() == "jax":
        stats = module.devices()[0].memory_stats() or {}
        limit, peak = stats.get("bytes_limit"), stats.get("peak_bytes_in_use")
        return limit - stats["bytes_in_use"] if limit else None, peak
    # TensorFlow takes nearly all memory at its start, and has that limit only here.
    devices = importlib.import_module(f"{name()}.python.client.device_lib").list_local_devices()
    limit = next((d.memory_limit for d in devices if d.device_type != "CPU"), None)
    used = module.config.experimental.get_memory_info(accelerators()[0].upper())
    return limit - used["current"] if limit else None, used["peak"]


def free_main_memory(group: Path = Path("/sys/fs/cgroup")) -> int:
    """Bytes of main memory that are free for this process, within its container's limit."""
    # Not at the top: a GPU machine may have only Keras.
    import psutil

    free = psutil.virtual_memory().available
    try:
        limit, used = (int((group / f"memory.{part}").read_text()) for part in ("max", "current"))
        parts = dict(line.split() for line in (group / "memory.stat").read_text().splitlines())
    except (OSError, ValueError):  # no container, or one without a limit
        return int(free)
    # The page cache counts as used, but is freed when needed.
    return max(min(free, limit - used + int(parts.get("inactive_file", 0))), 0)


def versions() -> dict[str, str]:
    """Versions of this program, Python, and the packages that shape a result; and the backend."""
    numbers = {"benchmark": program_version(), "python": platform.python_version()}
    numbers["backend"] = name()
    for package in PACKAGES:
        with suppress(PackageNotFoundError):
            numbers[package] = version(package)
    # TensorFlow is in packages of several names.
    numbers[name()] = importlib.import_module(name()).__version__
    return numbers


def hardware() -> dict[str, str]:
    """Processor, cores, memory and accelerators of this machine."""
    processor = _proc_field("cpuinfo", "model name")
    parts = {
        "processor": processor or platform.processor() or platform.machine(),
        "cores": str(len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count()),
        "accelerators": ", ".join(accelerators()) or "none",
        "platform": platform.platform(),
    }
    if hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
        memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        parts["memory_gib"] = f"{memory / 2**30:.1f}"
    return parts


def peak_memory() -> int | None:
    """Peak bytes of main memory that this process used; None if unknown."""
    if peak := _proc_field("self/status", "VmHWM"):
        return int(peak.split()[0]) * 1024
    try:
        # Only elsewhere: on Linux it starts at the parent process's peak.
        import resource
    except ImportError:  # Windows
        return None
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def _proc_field(file: str, field: str) -> str:
    """A field of a file in Linux's `/proc`; empty where there is none."""
    with suppress(OSError):
        for line in Path("/proc", file).read_text().splitlines():
            if line.startswith(field):
                return line.partition(":")[2].strip()
    return ""
