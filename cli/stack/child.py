"""One supervised process."""

import contextlib
import ctypes
import json
import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None)


class ChildFailed(Exception):
    """A process ended, or was not ready in time; the message ends with the last lines of its log."""


class Child:
    """A process in its own session, with its log and ready file in `folder`; it dies with its parent.

    Started again under the same name, it writes on into the same log.
    """

    def __init__(self, name: str, command: Sequence[str], folder: Path, env: Mapping[str, str]) -> None:
        self.name = name
        self.log = folder / f"{name}.log"
        self._ready_file = folder / f"{name}.ready"
        self._ready_file.unlink(missing_ok=True)
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

    @property
    def announced(self) -> bool:
        """Whether it has written its ready file."""
        return self._ready_file.exists()

    def check(self) -> None:
        """Raises `ChildFailed` where the process has ended."""
        if self.exit_code is not None:
            raise ChildFailed(f"{self.name} ended with exit code {self.exit_code}:\n{self._tail()}")

    def address(self, timeout_s: float) -> str:
        """The address the process announced, once it has."""
        give_up = time.monotonic() + timeout_s
        while not self.announced:
            self.check()
            if time.monotonic() > give_up:
                raise ChildFailed(f"{self.name} announced no address within {timeout_s:.0f} s:\n{self._tail()}")
            time.sleep(0.02)
        return str(json.loads(self._ready_file.read_text())["address"])

    @property
    def metrics(self) -> str:
        """Where it says that Prometheus reads (host:port); empty where it says nothing."""
        return str(json.loads(self._ready_file.read_text())["metrics"]) if self.announced else ""

    def signal(self, number: int) -> None:
        """Sends a signal to the process and everything it started; nothing where it has ended."""
        if self.exit_code is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.pid, number)

    def terminate(self) -> None:
        """Asks the process to end, a stopped one too."""
        if self.exit_code is None:
            self._process.terminate()
            self.signal(signal.SIGCONT)

    def wait(self, timeout_s: float) -> int:
        """Waits for the end, and kills the whole session where it does not come; returns the exit code."""
        try:
            return self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            return self.kill()

    def kill(self) -> int:
        """Ends the process and everything it started, at once; returns the exit code."""
        self.signal(signal.SIGKILL)
        return self._process.wait()

    def _tail(self) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-25:])


def _die_with_parent() -> None:
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
