"""The peers, and an environment of its own for each package, so that none of them meets the product's libraries."""

import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from shared.methods import Method

HERE = Path(__file__).parent
FOLDER = HERE.parents[1] / ".peers"


@dataclass(frozen=True)
class Peer:
    """A search of another package: its program, and the package, whose pinned environment `PACKAGE.txt` describes.

    Its rows are told under the `method` of ours that is nearest to it, with its name as a setting.
    """

    package: str
    program: str
    method: Method


PEERS = {
    "its_hub-bon": Peer("its_hub", "its_hub_bon.py", "best-of-n"),
    "its_hub-particles": Peer("its_hub", "its_hub_particles.py", "replacement-only"),
    "optillm-bon": Peer("optillm", "optillm_bon.py", "best-of-n"),
}


def python_of(package: str) -> Path:
    """The interpreter of the package's environment, which is made where it is missing or pinned otherwise.

    Raises:
        subprocess.CalledProcessError: it cannot be installed.
    """
    folder, requirements = FOLDER / package, HERE / f"{package}.txt"
    made, python = folder / "made-of.txt", folder / "bin" / "python"
    if not made.is_file() or made.read_text() != requirements.read_text():
        shutil.rmtree(folder, ignore_errors=True)
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
        # Every package is named with its version: nothing is left to be found.
        install = [str(python), "-m", "pip", "install", "-qq", "--no-deps", "-r", str(requirements)]
        subprocess.run(install, check=True)
        made.write_text(requirements.read_text())
    return python


def version_of(package: str) -> dict[str, str]:
    """The pinned version of the package, by its name."""
    name = package.replace("_", "-")
    pins = dict(line.split("==") for line in (HERE / f"{package}.txt").read_text().splitlines() if "==" in line)
    return {name: pins[name]}
