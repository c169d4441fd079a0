"""How packages are installed: by uv, which needs a tenth of pip's time, and by pip where uv is missing or fails.

uv reads nothing that was written for pip. It is told what pip was told, in files and by variables: which indexes,
wheels, constraints and certificates.
"""

import ast
import os
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path

# pip's options, and uv's variables for them.
_VARIABLES = {
    "index-url": "UV_DEFAULT_INDEX",
    "extra-index-url": "UV_INDEX",
    "find-links": "UV_FIND_LINKS",
    "no-index": "UV_NO_INDEX",
    "constraint": "UV_CONSTRAINT",
    "trusted-host": "UV_INSECURE_HOST",
    "cert": "SSL_CERT_FILE",
}


def installers(owner: Path, python: Path, *words: str) -> Iterator[tuple[list[str], dict[str, str]]]:
    """Commands that do what `pip install` with these words does, with their environments: the first to work is enough.

    `owner` is the interpreter that has pip, and perhaps uv beside it; `python` the one that gets the packages.
    """
    if (uv := owner.with_name("uv")).exists():
        yield [str(uv), "pip", "install", "--python", str(python), *words], _environment(owner)
    pip = [str(owner), "-m", "pip", "--python", str(python), "install", "--disable-pip-version-check"]
    yield [*pip, *words], dict(os.environ)


def _environment(owner: Path) -> dict[str, str]:
    """uv's, in which it finds what pip would; what is set for uv itself comes first."""
    listed = subprocess.run([str(owner), "-m", "pip", "config", "list"], capture_output=True, text=True, check=False)
    # Like pip, the best release of all indexes: by itself uv stops at the first that knows the name.
    return {"UV_INDEX_STRATEGY": "unsafe-best-match", **told(listed.stdout.splitlines()), **os.environ}


def told(lines: Iterable[str]) -> dict[str, str]:
    """uv's variables for the lines of `pip config list`: `global.cert='/etc/ssl/ca.crt'`, `:env:.cert='…'`."""
    found: dict[str, str] = {}
    for line in sorted(lines, key=lambda line: line.startswith(":env:")):
        name, _, value = line.partition("=")
        variable = _VARIABLES.get(name.rpartition(".")[2])
        if variable:
            separator = "," if variable == "UV_FIND_LINKS" else " "
            found[variable] = separator.join(str(ast.literal_eval(value)).split())
    return found
