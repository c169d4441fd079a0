"""The temporary folder of a stack, and the end of those whose owner was killed."""

import contextlib
import shutil
import tempfile
import time
from pathlib import Path

from filelock import FileLock, Timeout

_PREFIX = "darwin-"
_LOCK = "owner.lock"
# A folder this young may belong to a stack that is about to lock it.
_YOUNG_S = 60.0


class OwnedFolder:
    """A folder for logs and data, locked while its owner lives; making one removes those without an owner."""

    def __init__(self) -> None:
        _remove_abandoned(Path(tempfile.gettempdir()))
        self.path = Path(tempfile.mkdtemp(prefix=_PREFIX))
        self._lock = FileLock(self.path / _LOCK)
        self._lock.acquire()

    def remove(self) -> None:
        self._lock.release()
        shutil.rmtree(self.path, ignore_errors=True)


def _remove_abandoned(parent: Path) -> None:
    for lock in parent.glob(f"{_PREFIX}*/{_LOCK}"):
        with contextlib.suppress(Timeout, OSError):
            if time.time() - lock.stat().st_mtime > _YOUNG_S:
                with FileLock(lock, blocking=False):
                    shutil.rmtree(lock.parent, ignore_errors=True)
