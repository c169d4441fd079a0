"""The generation service as a process, over gRPC."""

import asyncio
import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import grpc
import psutil
import pytest

from cli.stack.child import Child
from shared.errors import InvalidRequest
from shared.pb import generation_pb2 as pb
from shared.pb import generation_pb2_grpc
from shared.rpc.channel import from_rpc_error
from tests.integration.processes import process, start, until

# Responses end by max_new_tokens only.
SLOW = {"DARWIN_GENERATION_SIMULATED_TOKENS_PER_SECOND": "100", "DARWIN_GENERATION_SIMULATED_RESPONSE_TOKENS": "0"}

# On a GPU vLLM's engine is a process of its own, and here where it is told so.
PROCESSES = {"VLLM_ENABLE_V1_MULTIPROCESSING": "1"}


def loading(folder: Path, engine: str) -> Child:
    """The service with the embedded model under a real engine."""
    if engine == "vllm":
        pytest.importorskip("vllm", reason="vllm is not installed")
    return start("generation", folder, {"DARWIN_GENERATION_ENGINE": engine, **PROCESSES})


@pytest.fixture
def simulated(tmp_path: Path) -> Iterator[generation_pb2_grpc.GenerationServiceStub]:
    with (
        process("generation", tmp_path, SLOW) as child,
        grpc.insecure_channel(child.address(30)) as channel,
    ):
        grpc.channel_ready_future(channel).result(10)
        yield generation_pb2_grpc.GenerationServiceStub(channel)


def request(*lengths: int) -> pb.GenerateRequest:
    message = pb.GenerateRequest.Message(role="user", content="Hello")
    sequences = [
        pb.GenerateRequest.Sequence(id=str(i), messages=[message], max_new_tokens=length)
        for i, length in enumerate(lengths)
    ]
    sampling = pb.GenerateRequest.Sampling(temperature=0.7, top_p=1.0)
    return pb.GenerateRequest(sequences=sequences, sampling=sampling)


def test_results_are_streamed_as_they_complete(simulated: generation_pb2_grpc.GenerationServiceStub) -> None:
    responses = list(simulated.Generate(request(30, 5), timeout=10))
    assert [[result.id for result in response.results] for response in responses] == [["1"], ["0"]]
    assert simulated.GetModel(pb.GetModelRequest(), timeout=5).engine == "simulated"


def test_errors_name_the_field(simulated: generation_pb2_grpc.GenerationServiceStub) -> None:
    for wrong, field in [(pb.GenerateRequest(), "sequences"), (request(0), "sequences[0].max_new_tokens")]:
        if wrong.sequences == []:
            wrong.sampling.top_p = 1.0
        with pytest.raises(grpc.RpcError) as refused:
            list(simulated.Generate(wrong, timeout=5))
        error = from_rpc_error(refused.value)
        assert isinstance(error, InvalidRequest)
        assert error.field == field


def test_an_expired_call_ends_on_time(simulated: generation_pb2_grpc.GenerationServiceStub) -> None:
    started = time.monotonic()
    with pytest.raises(grpc.RpcError) as expired:
        list(simulated.Generate(request(4000), timeout=0.3))
    assert expired.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    assert time.monotonic() - started < 20  # of 40 that it would take


async def test_sigterm_while_loading_is_a_clean_end(tmp_path: Path) -> None:
    child = loading(tmp_path, "transformers")
    child.address(60)
    await asyncio.sleep(2)
    child.terminate()
    assert await asyncio.to_thread(child.wait, 20) == 0


async def test_sigterm_ends_what_loads_in_other_processes_too(tmp_path: Path) -> None:
    child = Child("loading", [sys.executable, "-m", "tests.integration.loading_service"], tmp_path, {})
    child.address(60)
    await until(lambda: bool(engines(child)), 20)
    children = engines(child)
    child.terminate()
    assert await asyncio.to_thread(child.wait, 20) == 0
    assert psutil.wait_procs(children, timeout=20)[1] == []


def engines(child: Child) -> list[psutil.Process]:
    return psutil.Process(child.pid).children(recursive=True)


async def test_a_killed_service_leaves_no_engine_behind(tmp_path: Path) -> None:
    """Nor the worker that the engine has started."""
    child = loading(tmp_path, "vllm")
    child.address(60)
    await until(lambda: len(engines(child)) > len(psutil.Process(child.pid).children()), 120)
    children = engines(child)
    os.kill(child.pid, signal.SIGKILL)
    _, alive = psutil.wait_procs(children, timeout=20)
    assert not alive
