"""Asks processes of their own whether formats can be followed, and remembers what they said."""

import asyncio
import contextlib
import importlib.util
import json
import logging
import os
import subprocess
import sys
import threading
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor
from hashlib import blake2b
from queue import Empty, LifoQueue

from shared.errors import Internal
from shared.records.formats import ResponseFormat

log = logging.getLogger(__name__)

_CHILDREN = 2
_REMEMBERED = 1024
_WALL_S = 60.0
"""After which a process that has not used up its own limit of computing is ended: the machine is busy, or it hangs."""
_TOO_COMPLEX = "it is too complex"
# What Python needs to start; a process that reads what strangers write is told no secrets.
_ENVIRONMENT = ("PATH", "PYTHONPATH", "PYTHONHOME", "LD_LIBRARY_PATH", "SYSTEMROOT")


class FormatCompiler:
    """Says of formats why they cannot be followed. Processes start when they are needed."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(_CHILDREN, thread_name_prefix="formats")
        self._idle: LifoQueue[subprocess.Popen[bytes]] = LifoQueue()
        self._known: OrderedDict[bytes, str | None] = OrderedDict()

    async def problem(self, wanted: ResponseFormat) -> str | None:
        """Why the format cannot be followed, in a few words, or None.

        Raises:
            Internal: no process can be started.
        """
        digest = blake2b(f"{wanted.kind} {wanted.definition}".encode(), digest_size=16).digest()
        if digest not in self._known:
            found = await asyncio.get_running_loop().run_in_executor(self._threads, self._ask, wanted)
            self._known[digest] = found
            if len(self._known) > _REMEMBERED:
                self._known.popitem(last=False)
        return self._known[digest]

    async def close(self) -> None:
        """Ends the processes."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        with contextlib.suppress(Empty):
            while True:
                _end(self._idle.get_nowait())

    def _ask(self, wanted: ResponseFormat) -> str | None:
        child = self._child()
        assert child.stdin is not None
        assert child.stdout is not None
        watch = threading.Timer(_WALL_S, child.kill)
        watch.start()
        try:
            child.stdin.write(json.dumps([wanted.kind, wanted.definition]).encode() + b"\n")
            child.stdin.flush()
            answer = child.stdout.readline()
        except OSError:
            answer = b""
        finally:
            watch.cancel()
        if not answer:
            _end(child)
            log.warning("a format of %d characters ended its compiler: %s", len(wanted.definition), child.returncode)
            return _TOO_COMPLEX
        problem, goes_on = json.loads(answer)
        if goes_on:
            self._idle.put(child)
        else:
            _end(child)
        return problem or None

    def _child(self) -> subprocess.Popen[bytes]:
        """An idle process that nothing has ended meanwhile, or a new one."""
        with contextlib.suppress(Empty):
            while True:
                child = self._idle.get_nowait()
                if child.poll() is None:
                    return child
                _end(child)
        return _start()


def _start() -> subprocess.Popen[bytes]:
    if importlib.util.find_spec("llguidance") is None:
        raise Internal("llguidance is not installed, without which no format can be checked")
    known = {name: os.environ[name] for name in _ENVIRONMENT if name in os.environ}
    command = [sys.executable, "-m", "services.gateway.evolutions.compiling"]
    pipe = subprocess.PIPE
    try:
        return subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, env=known)
    except OSError as error:
        raise Internal(f"no process can be started that checks formats: {error}") from error


def _end(child: subprocess.Popen[bytes]) -> None:
    child.kill()
    child.communicate()
