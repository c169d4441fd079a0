"""Makes Redis's password, once, and what needs it: `redis.conf` for the server, `darwin_redis_url` for the processes.

usage: python redis_secret.py FOLDER [FILE]     FILE holds a password to take instead of a random one
"""

import os
import secrets
import string
import sys
from pathlib import Path

ALLOWED = frozenset(string.ascii_letters + string.digits + "-._~")
SHORTEST, LONGEST = 16, 512


def password(given: Path | None) -> str | None:
    """The one that was given, None where there is none.

    Raises:
        SystemExit: it cannot be taken; the message does not show it.
    """
    text = given.read_text(errors="replace").strip() if given and given.exists() else ""
    if text and not (SHORTEST <= len(text) <= LONGEST and ALLOWED.issuperset(text)):
        raise SystemExit(f"the password must be {SHORTEST} to {LONGEST} letters, digits, or any of - . _ ~")
    return text or None


def write(file: Path, text: str) -> None:
    """Anew, for its owner to read only."""
    file.unlink(missing_ok=True)
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o400), "w") as target:
        target.write(text)


def main(folder: str, file: str | None = None) -> None:
    url, configuration = Path(folder) / "darwin_redis_url", Path(folder) / "redis.conf"
    given = password(Path(file) if file else None)
    if given is None and url.exists() and configuration.exists():
        print("Redis has its password")
        return
    chosen = given or secrets.token_urlsafe(32)
    write(configuration, f"requirepass {chosen}\n")
    write(url, f"redis://:{chosen}@redis:6379/0")
    print(f"Redis has {'the given' if given else 'a random'} password")


if __name__ == "__main__":
    main(*sys.argv[1:])
