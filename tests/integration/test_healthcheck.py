"""What `python -m shared.healthcheck` says of real processes: well, frozen, not there."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from cli.certs import write
from cli.stack import Stack, StackSettings
from cli.stack.child import Child
from cli.stack.ports import free_port
from shared.healthcheck import STALE_S
from shared.process.ready import announce
from tests.integration.processes import process
from tests.k8s.probing import exit_code


def check(folder: Path, name: str, env: dict[str, str] | None = None) -> tuple[int, str]:
    """Exit code, and what it printed, of a check of the process `name`."""
    settings = {"DARWIN_READY_FILE": str(folder / f"{name}.ready"), **(env or {})}
    command = [sys.executable, "-m", "shared.healthcheck"]
    ended = subprocess.run(command, env={**os.environ, **settings}, capture_output=True, text=True, timeout=30)
    return ended.returncode, ended.stderr


def eventually_well(folder: Path, name: str, env: dict[str, str] | None = None) -> None:
    give_up = time.monotonic() + 30
    while not (folder / f"{name}.ready").exists() and time.monotonic() < give_up:
        time.sleep(0.05)
    while (found := check(folder, name, env))[0] != 0:
        assert time.monotonic() < give_up, found
        time.sleep(0.5)
    assert found == (0, "")


def rewritten(file: Path) -> bool:
    """Whether the process still writes its ready file, as it does each second."""
    time.sleep(1)  # what it was about to write
    before = file.stat().st_mtime
    time.sleep(3)
    return file.stat().st_mtime > before


@contextmanager
def frozen(child: Child) -> Iterator[None]:
    child.signal(signal.SIGSTOP)
    try:
        yield
    finally:
        child.signal(signal.SIGCONT)


def test_a_stage_well_and_frozen(tmp_path: Path) -> None:
    with process("generation", tmp_path) as child:
        eventually_well(tmp_path, "generation")
        with frozen(child):
            code, told = check(tmp_path, "generation")
            assert code == 1
            assert "DEADLINE_EXCEEDED" in told
        eventually_well(tmp_path, "generation")
    code, told = check(tmp_path, "generation")
    assert code == 1
    assert "UNAVAILABLE" in told


def test_a_stage_that_still_loads_is_not_well(tmp_path: Path) -> None:
    away = {"DARWIN_GENERATION_ENDPOINT": f"http://127.0.0.1:{free_port()}/v1"}  # whose engine waits for it
    with process("generation", tmp_path, {"DARWIN_GENERATION_ENGINE": "openai", **away}) as child:
        child.address(30)
        code, told = check(tmp_path, "generation")
        assert code == 1
        assert "NOT_SERVING" in told


def test_over_tls_it_shows_the_process_s_certificate(tmp_path: Path) -> None:
    write(certs := tmp_path / "certs")
    names = {"CA": "ca.pem", "CERT": "reward.pem", "KEY": "reward.key"}
    env = {f"DARWIN_TLS_{kind}": str(certs / name) for kind, name in names.items()}
    with process("reward", tmp_path, env):
        eventually_well(tmp_path, "reward", env)
        assert check(tmp_path, "reward")[0] == 1


def test_gateway_and_worker(tmp_path: Path) -> None:
    with Stack(StackSettings.simulated()) as stack:
        worker = next(name for name in stack.pids if name.startswith("orchestrator"))
        eventually_well(stack.folder, "gateway")
        eventually_well(stack.folder, worker)
        stack.kill("redis")
        stack.signal(worker, signal.SIGSTOP)
        stack.signal("gateway", signal.SIGSTOP)
        code, told = check(stack.folder, "gateway")
        assert (code, "timed out" in told) == (1, True)
        ready = stack.folder / f"{worker}.ready"
        assert not rewritten(ready)
        os.utime(ready, (time.time() - STALE_S - 1,) * 2)
        code, told = check(stack.folder, worker)
        assert code == 1
        assert "last seen" in told
        stack.signal(worker, signal.SIGCONT)
        stack.signal("gateway", signal.SIGCONT)
        # Without Redis too: restarting them would not bring it back.
        eventually_well(stack.folder, worker)
        eventually_well(stack.folder, "gateway")
        assert rewritten(ready)
        stack.restart("redis")
        stack.await_ready("redis")


# The orchestrator's process, but that its main thread waits for words: "hang" blocks its event loop until "go on".
_HANGING = """
import sys, threading
from services.orchestrator import __main__ as process

class Hanging(process.Worker):
    def run(self):
        goes_on = threading.Event()
        for word in sys.stdin:
            if word == "hang\\n":
                self._loop.call_later(0, goes_on.wait)
            else:
                goes_on.set()

process.Worker = Hanging
process.main()
"""


def test_a_worker_whose_loop_hangs_while_its_process_lives(tmp_path: Path) -> None:
    """The cluster's probe says the same as the check: the file is the loop's, not the process's."""
    ready = tmp_path / "orchestrator.ready"
    stages = {f"DARWIN_ORCHESTRATOR_{name}": "127.0.0.1:1" for name in ("MUTATION", "GENERATION", "REWARD")}
    env = {"DARWIN_REDIS_URL": "redis://127.0.0.1:1/0", "DARWIN_READY_FILE": str(ready)}
    command = [sys.executable, "-c", _HANGING]
    with subprocess.Popen(command, env={**os.environ, **stages, **env}, stdin=subprocess.PIPE, text=True) as worker:
        assert worker.stdin is not None
        try:
            eventually_well(tmp_path, "orchestrator")
            assert exit_code(ready) == 0
            print("hang", file=worker.stdin, flush=True)
            time.sleep(1.5)  # what it was about to write
            os.utime(ready, (time.time() - STALE_S - 1,) * 2)
            time.sleep(1.5)
            assert worker.poll() is None
            assert exit_code(ready) == 1
            assert "last seen" in check(tmp_path, "orchestrator")[1]
            print("go on", file=worker.stdin, flush=True)
            time.sleep(1.5)
            assert exit_code(ready) == 0
        finally:
            worker.kill()


@pytest.mark.parametrize("content", [None, "", "{}", "[]", '{"address": "127.0.0.1:1"'])
def test_no_ready_file(tmp_path: Path, content: str | None) -> None:
    if content is not None:
        (tmp_path / "gateway.ready").write_text(content)
    code, told = check(tmp_path, "gateway")
    assert code == 1
    assert "no ready file" in told


def test_an_unset_ready_file_is_named(tmp_path: Path) -> None:
    code, told = check(tmp_path, "gateway", {"DARWIN_READY_FILE": ""})
    assert code == 1
    assert "ready" in told


def test_a_server_on_all_addresses_is_asked_on_this_machine(tmp_path: Path) -> None:
    announce(tmp_path / "gateway.ready", "0.0.0.0:1", health="http")
    assert "127.0.0.1:1" in check(tmp_path, "gateway")[1]
