"""With a class in place of vLLM's, of which no GPU build is at hand: on GPUs vLLM forks unless it is told to spawn."""

import os
import signal
import time
from multiprocessing import get_context
from multiprocessing.connection import Connection

import psutil
import pytest

from shared.lifeline import tie_engine_processes

START_S = 30


class Core:
    @staticmethod
    def run_engine_core(said: Connection, *, seconds: float = 0.0) -> None:
        said.send(os.getpid())
        time.sleep(seconds)


@pytest.fixture(autouse=True)
def _untied(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Core, "run_engine_core", staticmethod(Core.run_engine_core))
    monkeypatch.setenv("VLLM_WORKER_MULTIPROC_METHOD", "fork")


@pytest.mark.parametrize("method", ["fork", "spawn"])
@pytest.mark.parametrize("times", [1, 2])
def test_an_engine_process_runs_what_vllm_would(method: str, times: int) -> None:
    for _ in range(times):
        tie_engine_processes(Core)
    context = get_context(method)
    here, there = context.Pipe()
    process = context.Process(target=Core.run_engine_core, args=(there,))
    process.start()
    process.join(START_S)
    assert process.exitcode == 0
    assert here.poll(0)
    assert here.recv() == process.pid


def test_vllm_is_told_to_spawn() -> None:
    tie_engine_processes(Core)
    assert os.environ["VLLM_WORKER_MULTIPROC_METHOD"] == "spawn"


def service(method: str, said: Connection) -> None:
    tie_engine_processes(Core)
    get_context(method).Process(target=Core.run_engine_core, args=(said,), kwargs={"seconds": 600}).start()
    time.sleep(600)


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_an_engine_process_ends_with_the_one_that_started_it(method: str) -> None:
    context = get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=service, args=(method, there))
    process.start()
    assert here.poll(START_S)
    engine = psutil.Process(here.recv())
    assert process.pid is not None
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    assert psutil.wait_procs([engine], START_S)[1] == []
