"""An environment of its own for each client, so that none of them meets the product's libraries."""

import subprocess
import sys
import tomllib
from pathlib import Path

HERE = Path(__file__).parent
FOLDER = Path(__file__).parents[2] / ".clients"


def clients() -> dict[str, list[str]]:
    """The requirements of each client, by its name."""
    requirements: dict[str, list[str]] = tomllib.loads((HERE / "environments.toml").read_text())
    return requirements


def python_of(client: str) -> Path:
    """The client's Python, which is installed at the first call; takes some seconds to a minute then.

    Raises:
        CalledProcessError: pip cannot install what it needs.
    """
    python = FOLDER / client / "bin" / "python"
    done = FOLDER / client / "installed"
    wanted = "\n".join(clients()[client])
    if not (done.exists() and done.read_text() == wanted):
        subprocess.run([sys.executable, "-m", "venv", "--clear", FOLDER / client], check=True)
        pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, *clients()[client]], check=True)
        done.write_text(wanted)
    return python


def version_of(client: str) -> str:
    """Name and version of the client's first requirement, as installed."""
    name = clients()[client][0].partition("[")[0]
    code = f"import importlib.metadata; print(importlib.metadata.version({name!r}))"
    found = subprocess.run([python_of(client), "-c", code], check=True, capture_output=True, text=True)
    return f"{name} {found.stdout.strip()}"
