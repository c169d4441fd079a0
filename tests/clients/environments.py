"""An environment of its own for each client, so that none of them meets the product's libraries."""

import importlib.metadata
import json
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

HERE = Path(__file__).parent
FOLDER = Path(__file__).parents[2] / ".clients"


class NotInstalled(Exception):
    """A client's environment cannot be made on this machine; the message is the installer's last line."""


def clients() -> dict[str, dict[str, list[str]]]:
    """The requirements of each client by its name, and within by installer: `pip` or `npm`."""
    return tomllib.loads((HERE / "environments.toml").read_text())


def install(client: str) -> Path:
    """The folder of the client's environment, which is made at the first call; takes some seconds to a minute then.

    Raises:
        NotInstalled: the installer is missing or cannot install what the client needs.
    """
    folder = FOLDER / client
    done = folder / "installed"
    (installer, packages), *_ = clients()[client].items()
    wanted = "\n".join([installer, *packages])
    if done.exists() and done.read_text() == wanted:
        return folder
    shutil.rmtree(folder, ignore_errors=True)
    if installer == "pip":
        _run(sys.executable, "-m", "venv", str(folder))
        pip = (str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check")
        _run(*pip, *packages)
    else:
        folder.mkdir(parents=True)
        (folder / "package.json").write_text("{}")
        _run("npm", "install", "--no-audit", "--no-fund", "--prefix", str(folder), *packages)
    done.write_text(wanted)
    return folder


def version_of(client: str) -> str:
    """Name and version of the client's first requirement, as installed."""
    folder = install(client)
    (installer, packages), *_ = clients()[client].items()
    name = packages[0].partition("[")[0]
    if installer == "npm":
        found = json.loads((folder / "node_modules" / name / "package.json").read_text())["version"]
        return f"{name} {found} (npm)"
    libraries = [str(path) for path in folder.glob("lib/python*/site-packages")]
    (distribution,) = importlib.metadata.distributions(name=name, path=libraries)
    return f"{name} {distribution.version}"


def _run(*command: str) -> None:
    try:
        done = subprocess.run(command, capture_output=True, text=True)
    except FileNotFoundError as error:
        raise NotInstalled(f"{command[0]} is not on this machine") from error
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if line.strip()] or ["(no message)"]
        raise NotInstalled(lines[-1])


if __name__ == "__main__":
    for chosen in sys.argv[1:] or clients():
        print(install(chosen), flush=True)
