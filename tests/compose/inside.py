"""What an image holds, as a process in it sees it."""

import json
from dataclasses import dataclass

from tests.compose.engine import VERSION, Engine

UNWANTED = (
    *(
        "/usr/bin/" + name
        for name in ("cc", "gcc", "clang", "make", "ld", "apt", "apt-get", "dpkg", "perl", "git", "curl")
    ),
    *("/usr/local/bin/pip", "/opt/darwin/bin/pip", "/root/.cache", "/var/lib/apt", "/var/cache/apt"),
)
_LOOK = f"""
import importlib.metadata, importlib.util, json, os, pathlib
print(json.dumps({{
    "user": os.getuid(),
    "unwanted": [path for path in {UNWANTED} if os.path.exists(path)],
    "setuid": [path.name for path in pathlib.Path("/usr/bin").iterdir() if path.stat().st_mode & 0o6000],
    "torch": importlib.util.find_spec("torch") is not None,
    "packages": len(list(importlib.metadata.distributions())),
    "ours": importlib.metadata.version("darwin-align"),
}}))
"""


@dataclass(frozen=True)
class Inside:
    """`unwanted` is what only builds need; `ours` is Darwin's version."""

    user: int
    unwanted: list[str]
    setuid: list[str]
    torch: bool
    packages: int
    ours: str


def inside(engine: Engine, service: str) -> Inside:
    """Looks into a service's image, with a read-only root and without a network."""
    image = f"darwin/{service}:{VERSION}"
    options = ("--rm", "--read-only", "--network", "none", "--cap-drop", "ALL", "--entrypoint", "python")
    return Inside(**json.loads(engine("run", *options, image, "-c", _LOOK)))
