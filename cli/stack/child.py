"""One supervised process."""

import ctypes
import json
import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

_PR_SET_PDEATHSIG = 1


class ChildFailed(Exception):
    """A process ended, or was not ready in time; the message ends with the last lines of its log."""


class Child:
    """A process in its own session, with its log and ready file in `folder`; it dies with its parent."""

    def __init__(self, name: str, command: Sequence[str], folder: Path, env: Mapping[str, str]) -> None:
        self.name = name
        self.log = folder / f"{name}.log"
        self._ready_file = folder / f"{name}.ready"
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, **env, "DARWIN_READY_FILE": str(self._ready_file)},
                start_new_session=True,
                preexec_fn=_die_with_parent,
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        """None while it runs."""
        return self._process.poll()

    def check(self) -> None:
        """Raises `ChildFailed` where the process has ended."""
        if self.exit_code is not None:
            raise ChildFailed(f"{self.name} ended with exit code {self.exit_code}:\n{self._tail()}")

    def address(self, timeout_s: float) -> str:
        """The address the process announced, once it has."""
        give_up = time.monotonic() + timeout_s
        while not self._ready_file.exists():
            self.check()
            if time.monotonic() > give_up:
                raise ChildFailed(f"{self.name} announced no address within {timeout_s:.0f} s:\n{self._tail()}")
            time.sleep(0.02)
        return str(json.loads(self._ready_file.read_text())["address"])

    def terminate(self) -> None:
        if self.exit_code is None:
            self._process.terminate()

    def wait(self, timeout_s: float) -> int:
        """Waits for the end, and kills the whole session where it does not come; returns the exit code."""
        try:
            code = self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            os.killpg(self.pid, signal.SIGKILL)
            code = self._process.wait()
        return code

    def _tail(self) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-25:])


def _die_with_parent() -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
