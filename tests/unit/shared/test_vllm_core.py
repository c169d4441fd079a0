"""Where vLLM's engine runs; that it decodes there is shown by contract/test_engines and contract/test_checkpoints."""

import asyncio
import importlib
import os
from importlib.util import find_spec
from typing import Any

import pytest

from shared.vllm_core import CoreThread, start_llm
from tests.integration.processes import until

pytestmark = pytest.mark.skipif(find_spec("vllm") is None, reason="vllm is not installed")
PROCESSES = "VLLM_ENABLE_V1_MULTIPROCESSING"


@pytest.mark.parametrize(
    ("on_cpu", "parallel", "asked", "in_threads"),
    [
        (True, 1, None, True),
        (True, 1, "0", True),
        (True, 1, "1", False),
        (True, 2, None, False),
        (False, 1, None, False),
        (False, 4, None, False),
    ],
)
def test_a_cpus_engine_is_a_thread_and_a_gpus_a_process(
    on_cpu: bool, parallel: int, asked: str | None, in_threads: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = importlib.import_module("vllm.v1.engine.core_client").EngineCoreClient
    core = importlib.import_module("vllm.v1.engine.core").EngineCoreProc
    before = client.make_async_mp_client
    found: list[tuple[bool, str | None]] = []
    tied: list[Any] = []

    def start(arguments: Any, **_: Any) -> None:
        found.append((client.make_async_mp_client is CoreThread, arguments.distributed_executor_backend))

    monkeypatch.setattr("vllm.platforms.current_platform.is_cpu", lambda: on_cpu)
    monkeypatch.setattr("shared.vllm_core.tie_engine_processes", tied.append)
    monkeypatch.setattr("vllm.v1.engine.async_llm.AsyncLLM.from_engine_args", start)
    monkeypatch.setenv(PROCESSES, asked) if asked else monkeypatch.delenv(PROCESSES, raising=False)
    start_llm(importlib.import_module("vllm").AsyncEngineArgs(model="m", tensor_parallel_size=parallel))
    assert found == [(True, "uni") if in_threads else (False, None)]
    assert tied == ([] if in_threads else [core])
    assert os.environ.get(PROCESSES) == ("0" if in_threads else asked)
    assert client.make_async_mp_client is before


class Scheduler:
    def __init__(self, core: "Core") -> None:
        self._core = core

    def has_requests(self) -> bool:
        return bool(self._core.running)


class Core:
    """In place of vLLM's: gives one output a step for each request, which ends by being aborted."""

    batch_queue = None

    def __init__(self, fails: str = "", *_: Any) -> None:
        if fails == "start":
            raise ValueError("No room for the cache.")
        self.fails = fails
        self.running: list[str] = []
        self.ended = False
        self.scheduler = Scheduler(self)
        self.aborts_queue: asyncio.Queue[list[str]] = asyncio.Queue()

    def preprocess_add_request(self, request: Any) -> tuple[Any, int]:
        if request.request_id == "wrong":
            raise ValueError("no such grammar")
        return request, 0

    def add_request(self, request: Any, _: int) -> None:
        self.running.append(request.request_id)

    def abort_requests(self, names: list[str]) -> None:
        self.running = [name for name in self.running if name not in names]

    def step_fn(self) -> tuple[dict[int, Any], bool]:
        if self.fails == "step":
            raise RuntimeError("a kernel has failed")
        return {0: list(self.running)}, True

    def post_step(self, _: bool) -> None: ...

    def shutdown(self) -> None:
        self.ended = True


class Request:
    def __init__(self, name: str) -> None:
        self.request_id = name


@pytest.fixture(autouse=True)
def _core(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vllm.v1.engine.core.EngineCore", Core)


async def test_requests_are_stepped_until_they_are_aborted_and_the_thread_ends() -> None:
    client = CoreThread("", None, True)
    await client.add_request_async(Request("a"))
    assert await client.get_output_async() == ["a"]
    await client.add_request_async(Request("b"))
    async with asyncio.timeout(20):
        while "b" not in await client.get_output_async():
            pass
    await client.abort_requests_async(["a", "b"])
    await until(lambda: not client._core.running, 20)
    client.shutdown(20)
    assert client._core.ended
    assert not client._thread.is_alive()
    assert not client.engine_dead


async def test_a_request_that_the_engine_refuses_ends_alone() -> None:
    client = CoreThread("", None, True)
    await client.add_request_async(Request("wrong"))
    said = await asyncio.wait_for(client.get_output_async(), 20)
    assert [(output.request_id, str(output.finish_reason)) for output in said.outputs] == [("wrong", "error")]
    await client.add_request_async(Request("a"))
    assert await asyncio.wait_for(client.get_output_async(), 20) == ["a"]
    client.shutdown(20)


async def test_an_engine_that_fails_is_dead_for_those_that_wait_and_those_that_come() -> None:
    from vllm.v1.engine.exceptions import EngineDeadError

    client = CoreThread("step", None, True)
    await client.add_request_async(Request("a"))
    with pytest.raises(EngineDeadError) as dead:
        await asyncio.wait_for(client.get_output_async(), 20)
    assert str(dead.value.__cause__) == "a kernel has failed"
    assert client.resources.engine_dead
    with pytest.raises(EngineDeadError):
        await client.add_request_async(Request("b"))
    await client.abort_requests_async(["a"])
    client.shutdown(20)
    assert client._core.ended


def test_why_an_engine_does_not_start_is_what_was_raised() -> None:
    with pytest.raises(ValueError, match="No room for the cache"):
        CoreThread("start", None, True)
