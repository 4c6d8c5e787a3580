"""The machine under a measurement: cores, memory from /proc (so on Linux only), versions."""

import importlib.metadata
import os
import platform
import subprocess
from pathlib import Path

_STATUS, _CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")


def cores(count: int) -> list[int]:
    """The last `count` of the cores that this process may use; the first are where other work tends to be.

    Raises:
      ValueError: there are not as many.
    """
    allowed = sorted(os.sched_getaffinity(0))
    if not 0 < count <= len(allowed):
        raise ValueError(f"--threads: expected 1 to {len(allowed)}, the cores that this process may use, got {count}.")
    return allowed[-count:]


def memory() -> dict[str, float]:
    """`resident_mib` of this process now, and `peak_mib`, the most since `reset_peak` or since its start."""
    fields = dict(line.split(":", 1) for line in _STATUS.read_text().splitlines())
    resident, peak = (int(fields[name].split()[0]) / 1024 for name in ("VmRSS", "VmHWM"))
    return {"resident_mib": resident, "peak_mib": peak}


def with_package() -> dict[str, str]:
    """This process's environment for a Python process of its own, which finds this package before any other."""
    root, before = str(Path(__file__).resolve().parents[2]), os.environ.get("PYTHONPATH")
    return os.environ | {"PYTHONPATH": os.pathsep.join([root, *([before] if before else [])])}


def reset_peak() -> bool:
    """Sets the peak of `memory` to what is resident now; False where the kernel does not let a process do so."""
    try:
        _CLEAR.write_text("5")
    except OSError:
        return False
    return True


def described(packages: tuple[str, ...]) -> dict[str, str]:
    """Processor, Python, versions of packages, and the commit of this checkout where it is one of git. JSON-ready."""
    versions = {name: _version(name) for name in packages}
    return {"processor": _processor(), "python": platform.python_version(), **versions, "commit": _commit()}


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.is_file() else []
    name = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())
    return f"{name}, {os.cpu_count()} cores"


def _commit() -> str:
    """Of the checkout that this file is in, "+" where something in it was changed; "unknown" outside git."""
    git = ["git", "-C", str(Path(__file__).resolve().parent)]
    try:
        commit = subprocess.run(
            [*git, "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=True
        ).stdout.strip()
        changed = subprocess.run([*git, "status", "--porcelain", "-uno"], capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return commit + ("+" if changed else "")
