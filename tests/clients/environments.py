"""An environment of its own for each client, so that none of them meets the product's libraries."""

import importlib.metadata
import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tomllib
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from scripts.packages import installers

HERE = Path(__file__).parent
FOLDER = Path(__file__).parents[2] / ".clients"
_NODE = FOLDER / "node"


class NotInstalled(Exception):
    """A client's environment cannot be made on this machine; the message is the installer's last line."""


@dataclass(frozen=True)
class Client:
    """What a client needs: packages of PyPI or of npm, and whether it may read the product's libraries besides.

    `outside_gate` names those of its programs for which the gate has no time.
    """

    pip: tuple[str, ...] = ()
    npm: tuple[str, ...] = ()
    reads_product: bool = False
    outside_gate: tuple[str, ...] = field(default=(), repr=False)


def clients() -> dict[str, Client]:
    """What environments.toml says of each client, by its name."""
    entries = tomllib.loads((HERE / "environments.toml").read_text())
    return {
        name: Client(
            tuple(entry.get("pip", ())),
            tuple(entry.get("npm", ())),
            entry.get("reads_product", False),
            tuple(entry.get("outside_gate", ())),
        )
        for name, entry in entries.items()
    }


def install(client: str) -> Path:
    """The folder of the client's environment, which is made at the first call; takes some seconds to a minute then.

    Raises:
        NotInstalled: the installer is missing or cannot install what the client needs.
    """
    return made(FOLDER / client, clients()[client])


def made(folder: Path, needs: Client) -> Path:
    """An environment in `folder` that has what is needed, as `install` makes those of clients; raises as that does."""
    done = folder / "installed"
    wanted = repr(needs)
    if done.exists() and done.read_text() == wanted:
        return folder
    shutil.rmtree(folder, ignore_errors=True)
    if needs.pip:
        _run([sys.executable, "-m", "venv", "--without-pip", str(folder)])
        if needs.reads_product:
            (_libraries(folder) / "product.pth").write_text(sysconfig.get_path("purelib"))
        _install(folder / "bin" / "python", needs)
    else:
        _install_node()
        _npm_install(folder, *needs.npm)
    done.write_text(wanted)
    return folder


def search_path(client: str) -> str:
    """PATH for a client's programs: what its environment holds, and the current Node, come before the system's."""
    folder, parts = FOLDER / client, [os.environ["PATH"]]
    if clients()[client].npm:
        parts = [str(folder / "node_modules" / ".bin"), str(_NODE / "node_modules" / ".bin"), *parts]
    return os.pathsep.join([str(folder / "bin"), *parts])


def _install_node() -> None:
    """The current Node, from npm: many current releases want a newer one than systems bring, and npm would quietly take
    older releases for an older Node."""
    done = _NODE / "installed"
    if not done.exists():
        shutil.rmtree(_NODE, ignore_errors=True)
        _npm_install(_NODE, "node")
        done.touch()


def _npm_install(folder: Path, *packages: str) -> None:
    folder.mkdir(parents=True)
    (folder / "package.json").write_text("{}")
    path = os.pathsep.join([str(_NODE / "node_modules" / ".bin"), os.environ["PATH"]])
    npm = ["npm", "install", "--no-audit", "--no-fund", "--prefix", str(folder), *packages]
    _run(npm, {**os.environ, "PATH": path})


def version_of(client: str) -> str:
    """Name and version of the client's first requirement, as installed."""
    folder, needs = install(client), clients()[client]
    name = (needs.pip or needs.npm)[0].partition("[")[0]
    if needs.npm:
        found = json.loads((folder / "node_modules" / name / "package.json").read_text())["version"]
        return f"{name} {found} (npm)"
    libraries = [str(_libraries(folder)), *([sysconfig.get_path("purelib")] if needs.reads_product else [])]
    distribution = next(iter(importlib.metadata.distributions(name=name, path=libraries)))
    return f"{name} {distribution.version}"


def _libraries(folder: Path) -> Path:
    return next(iter(folder.glob("lib/python*/site-packages")))


def _install(python: Path, needs: Client) -> None:
    *first, pip = installers(Path(sys.executable), python, "--quiet", *needs.pip)
    # uv does not see what an environment reads of another.
    for command, environment in [] if needs.reads_product else first:
        with suppress(NotInstalled):
            return _run(command, environment)
    return _run(*pip)


def _run(command: list[str], environment: dict[str, str] | None = None) -> None:
    try:
        done = subprocess.run(command, env=environment, capture_output=True, text=True)
    except FileNotFoundError as error:
        raise NotInstalled(f"{command[0]} is not on this machine") from error
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if line.strip()] or ["(no message)"]
        raise NotInstalled(lines[-1])


if __name__ == "__main__":
    for chosen in sys.argv[1:] or clients():
        print(install(chosen), flush=True)
