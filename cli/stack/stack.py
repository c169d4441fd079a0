"""Starts and stops Redis, the three services, the workers and the gateways, each as a process of its own."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

from cli.stack.child import Child, ChildFailed
from cli.stack.folder import OwnedFolder
from cli.stack.ports import free_port, is_free
from cli.stack.programs import STAGES, StackSettings, numbered, programs

ProcessReport = Callable[[str, str], None]
"""Called with the name of a process and what it does now."""

_STOP_S = 30.0
_STOPPED_IN_TURN: tuple[str | tuple[str, ...], ...] = ("gateway", "orchestrator", STAGES, "redis")


class StackError(Exception):
    """The stack did not start, or one of its processes ended."""


class Stack:
    """A context manager: inside it, `url` answers, and where there are several gateways each of `urls`. Leaving it
    stops every process and removes its files.

    A process that was ended can be started again: it gets the same address, and Redis its data. Use a stack from one
    thread, which must outlive it: a process ends with the thread that started it.
    """

    def __init__(self, settings: StackSettings, report: ProcessReport = lambda process, doing: None) -> None:
        self._settings = settings
        self._report = report
        self._children: dict[str, Child] = {}
        self._folder = OwnedFolder()
        self.folder = self._folder.path
        gateways = numbered("gateway", settings.gateways)
        names = ("redis", *(name for stage in STAGES for name in settings.names(stage)), *gateways)
        self.addresses = {name: f"127.0.0.1:{free_port()}" for name in names}
        self.addresses["gateway"] = f"127.0.0.1:{self._gateway_port()}"
        self._programs = {program.name: program for program in programs(settings, self.addresses, self.folder)}
        self.redis_url = f"redis://{self.addresses['redis']}/0"
        self.urls = [f"http://{settings.route('client', name, self.addresses[name])}" for name in gateways]
        self.url = self.urls[0]

    def __enter__(self) -> "Stack":
        try:
            self.restart("redis")
            self.await_ready("redis")
            others = [name for name in self._programs if name != "redis"]
            for name in others:
                self.restart(name)
            self.await_ready(*others)
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def pids(self) -> dict[str, int]:
        """Processes that were started, less those that were ended on purpose."""
        return {name: child.pid for name, child in self._children.items()}

    @property
    def metrics(self) -> dict[str, str]:
        """Where Prometheus reads: host:port of each process that serves metrics. A restart may change it."""
        return {name: child.metrics for name, child in self._children.items() if child.metrics}

    def write_targets(self) -> Path:
        """Writes where Prometheus reads, as its `file_sd_configs` takes it; returns the file."""
        groups = [
            {"targets": [address], "labels": {"service": name.partition("-")[0], "process": name}}
            for name, address in self.metrics.items()
        ]
        file = self.folder / "targets.json"
        file.write_text(json.dumps(groups, indent=2))
        return file

    @property
    def ended(self) -> list[str]:
        """Processes that do not run now, for whatever reason."""
        running = {name for name, child in self._children.items() if child.exit_code is None}
        return [name for name in self._programs if name not in running]

    def check(self) -> None:
        """Raises `StackError` where a process has ended by itself."""
        try:
            for child in self._children.values():
                child.check()
        except ChildFailed as error:
            raise StackError(str(error)) from error

    def restart(self, name: str) -> None:
        """Starts a process that has ended, on its old address; `await_ready` says when it answers."""
        child = self._children.get(name)
        if child is not None and child.exit_code is None:
            raise StackError(f"{name} runs already")
        self._report(name, "starting")
        self._children[name] = self._programs[name].start(self.folder)

    def await_ready(self, *names: str) -> None:
        """Waits until these processes are ready.

        Raises:
            StackError: one of them ended, or it took longer than `start_timeout_s`.
        """
        give_up = time.monotonic() + self._settings.start_timeout_s
        waiting = set(names)
        while waiting := {name for name in waiting if not self._is_ready(name)}:
            if time.monotonic() > give_up:
                raise StackError(f"not ready after {self._settings.start_timeout_s:.0f} s: {', '.join(waiting)}")
            time.sleep(0.05)

    def kill(self, name: str) -> None:
        """SIGKILL to a process and everything it started."""
        self._children.pop(name).kill()

    def signal(self, name: str, number: int) -> None:
        """A signal (SIGSTOP, SIGCONT) to a process and everything it started."""
        self._children[name].signal(number)

    def terminate(self, name: str) -> int:
        """SIGTERM; the exit code, once the process has ended."""
        child = self._children.pop(name)
        child.terminate()
        return child.wait(_STOP_S)

    def stop(self) -> dict[str, int]:
        """Stops every process, a stage's all at once and those that others need last; returns exit codes."""
        codes = {}
        for stage in _STOPPED_IN_TURN:
            names = [name for name in self._programs if name in self._children and name.startswith(stage)]
            children = {name: self._children.pop(name) for name in names}
            for child in children.values():
                child.terminate()
            for name, child in children.items():
                codes[name] = child.wait(_STOP_S)
                self._report(name, "stopped" if codes[name] == 0 else f"ended with exit code {codes[name]}")
        self._folder.remove()
        return codes

    def _is_ready(self, name: str) -> bool:
        child = self._children[name]
        try:
            child.check()
            ready = self._programs[name].ready(child)
        except ChildFailed as error:
            raise StackError(str(error)) from error
        if ready:
            self._report(name, "ready")
        return ready

    def _gateway_port(self) -> int:
        wanted = self._settings.port
        if wanted and not is_free(wanted):
            self._report("gateway", f"port {wanted} is busy, taking a free one")
        return wanted if wanted and is_free(wanted) else free_port()
