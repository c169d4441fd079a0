"""With a class in place of vLLM's, of which no GPU build is at hand: on GPUs vLLM forks unless it is told to spawn."""

import logging
import os
import signal
import sys
import time
from multiprocessing import get_context
from multiprocessing.connection import Connection

import psutil
import pytest

from shared.process.lifeline import KeepCause, tie_engine_processes, with_cause

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


class Failing:
    """Fails as vLLM's does: it logs why, by the handlers of its own process, and raises."""

    @staticmethod
    def run_engine_core() -> None:
        log = logging.getLogger("vllm.of.this.test")
        handler = logging.StreamHandler()
        handler.addFilter(KeepCause())
        log.addHandler(handler)
        log.propagate = False
        try:
            raise ValueError("No room for the cache. Try a shorter context.")
        except ValueError:
            log.exception("EngineCore failed to start.")
            raise


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_why_an_engine_does_not_start_is_kept_and_ends_its_process_quietly(
    method: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(Failing, "run_engine_core", staticmethod(Failing.run_engine_core))
    tie_engine_processes(Failing)

    def start() -> None:
        process = get_context(method).Process(target=Failing.run_engine_core)
        process.start()
        process.join(START_S)
        assert process.exitcode == 1
        raise RuntimeError("the engine did not start")

    with pytest.raises(RuntimeError) as told, with_cause():
        start()
    assert str(told.value) == "No room for the cache. Try a shorter context."
    assert capfd.readouterr().err == "EngineCore failed to start. No room for the cache. Try a shorter context.\n"


def test_an_exception_that_is_logged_later_is_none_of_it() -> None:
    with with_cause():
        pass
    try:
        raise ValueError("later")
    except ValueError:
        record = logging.makeLogRecord({"exc_info": sys.exc_info()})
    assert KeepCause().filter(record)
    assert record.exc_info


def test_an_engine_that_gives_no_reason_fails_as_vllm_says() -> None:
    with pytest.raises(RuntimeError, match="did not start"), with_cause():
        raise RuntimeError("the engine did not start")
