"""The generation service as a process, over gRPC."""

import importlib.util
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import grpc
import psutil
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from cli.stack.child import Child
from shared.errors import InvalidRequest
from shared.pb import generation_pb2 as pb
from shared.pb import generation_pb2_grpc
from shared.rpc import from_rpc_error


def start(folder: Path, engine: str, **env: str) -> Child:
    if engine == "vllm" and importlib.util.find_spec("vllm") is None:
        pytest.skip("vllm is not installed")
    settings = {"DARWIN_GENERATION_ENGINE": engine, "DARWIN_GENERATION_LISTEN": "127.0.0.1:0", **env}
    return Child("generation", [sys.executable, "-m", "services.generation"], folder, settings)


@pytest.fixture
def simulated(tmp_path: Path) -> Iterator[generation_pb2_grpc.GenerationServiceStub]:
    child = start(tmp_path, "simulated", DARWIN_GENERATION_SIMULATED_TOKENS_PER_SECOND="100")
    with grpc.insecure_channel(child.address(30)) as channel:
        grpc.channel_ready_future(channel).result(10)
        yield generation_pb2_grpc.GenerationServiceStub(channel)
    child.terminate()
    assert child.wait(10) == 0


def request(*lengths: int) -> pb.GenerateRequest:
    message = pb.GenerateRequest.Message(role="user", content="Hello")
    sequences = [
        pb.GenerateRequest.Sequence(id=str(i), messages=[message], max_new_tokens=length)
        for i, length in enumerate(lengths)
    ]
    sampling = pb.GenerateRequest.Sampling(temperature=0.7, top_p=1.0)
    return pb.GenerateRequest(sequences=sequences, sampling=sampling)


def test_results_are_streamed_as_they_complete(simulated: generation_pb2_grpc.GenerationServiceStub) -> None:
    results = list(simulated.Generate(request(30, 5), timeout=10))
    assert [result.id for result in results] == ["1", "0"]
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
    assert time.monotonic() - started < 2


@pytest.mark.parametrize("engine", ["transformers", "vllm"])
def test_sigterm_while_loading_is_a_clean_and_quick_end(tmp_path: Path, engine: str) -> None:
    child = start(tmp_path, engine)
    child.address(60)
    time.sleep(6)
    children = psutil.Process(child.pid).children(recursive=True)
    child.terminate()
    assert child.wait(8) == 0
    _, alive = psutil.wait_procs(children, timeout=10)
    assert not alive


def test_a_killed_service_leaves_no_engine_behind(tmp_path: Path) -> None:
    child = start(tmp_path, "vllm")
    address = child.address(60)
    with grpc.insecure_channel(address) as channel:
        health = health_pb2_grpc.HealthStub(channel)
        give_up = time.monotonic() + 120
        while health.Check(health_pb2.HealthCheckRequest(), timeout=5).status != health_pb2.HealthCheckResponse.SERVING:
            child.check()
            assert time.monotonic() < give_up
            time.sleep(0.5)
    children = psutil.Process(child.pid).children(recursive=True)
    assert children
    os.kill(child.pid, signal.SIGKILL)
    _, alive = psutil.wait_procs(children, timeout=10)
    assert not alive


def test_a_model_that_does_not_exist_ends_the_process_with_a_reason(tmp_path: Path) -> None:
    settings = {"MODEL": str(tmp_path / "nothing"), "LISTEN": "127.0.0.1:0", "ENGINE": "transformers"}
    ended = subprocess.run(
        [sys.executable, "-m", "services.generation"],
        env={**os.environ, **{f"DARWIN_GENERATION_{name}": value for name, value in settings.items()}},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ended.returncode == 1
    assert "nothing" in ended.stderr
