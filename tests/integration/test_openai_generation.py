"""The generation service's process over an endpoint: without torch, while the endpoint is away, and refused by it."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import grpc
import httpx
from grpc_health.v1 import health_pb2, health_pb2_grpc
from starlette.responses import Response

from cli.stack.child import Child
from shared.pb import generation_pb2 as pb
from shared.pb.generation_pb2_grpc import GenerationServiceStub
from shared.rpc.channel import connect
from shared.text.embedded_models import EMBEDDED_LLM
from tests.integration.processes import process, serving, start
from tests.openai_endpoint import SAYS, FakeEndpoint, running

KEY = "sk-very-secret"
# As on a machine where neither is installed: imports fail, and whoever looks finds nothing.
WITHOUT_TORCH = """
import runpy, sys
sys.modules["torch"] = sys.modules["vllm"] = None
runpy.run_module("services.generation", run_name="__main__")
"""


def settings(url: str) -> dict[str, str]:
    return {
        "DARWIN_GENERATION_ENGINE": "openai",
        "DARWIN_GENERATION_ENDPOINT": url,
        "DARWIN_GENERATION_ENDPOINT_KEY": KEY,
        "DARWIN_GENERATION_MODEL": EMBEDDED_LLM,
        "DARWIN_GENERATION_LISTEN": "127.0.0.1:0",
        "DARWIN_LOG_LEVEL": "DEBUG",
    }


async def test_the_service_needs_no_torch(tmp_path: Path) -> None:
    with running(FakeEndpoint()) as url:
        child = Child("generation", [sys.executable, "-c", WITHOUT_TORCH], tmp_path, settings(url))
        async with connect(child.address(60)) as channel:
            await serving(channel)
            stub = GenerationServiceStub(channel)
            message = pb.GenerateRequest.Message(role="user", content="A secret question?")
            sequence = pb.GenerateRequest.Sequence(id="a", messages=[message], max_new_tokens=50)
            sampling = pb.GenerateRequest.Sampling(top_p=1.0)
            request = pb.GenerateRequest(sequences=[sequence], sampling=sampling)
            (response,) = [response async for response in stub.Generate(request, timeout=20)]
            (result,) = response.results
            model = await stub.GetModel(pb.GetModelRequest(), timeout=5)
        assert (result.text, result.finish_reason) == (SAYS, pb.FINISH_REASON_STOP)
        assert (model.model, model.engine, model.context_length) == ("served", "openai", 256)
        child.terminate()
        assert child.wait(20) == 0
    log = child.log.read_text()
    assert "token-exact" in log
    assert KEY not in log
    assert "secret question" not in log


def test_the_service_waits_for_an_endpoint_that_is_away_and_stops_cleanly_meanwhile(tmp_path: Path) -> None:
    with process("generation", tmp_path, settings("http://127.0.0.1:1/v1")) as child:
        address = child.address(60)
        give_up = time.monotonic() + 60
        while "the endpoint is away" not in child.log.read_text():
            assert time.monotonic() < give_up
            time.sleep(0.1)
        with grpc.insecure_channel(address) as channel:
            health = health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=10)
        assert health.status == health_pb2.HealthCheckResponse.NOT_SERVING
    assert "Traceback" not in child.log.read_text()


def test_a_key_that_the_endpoint_refuses_ends_the_process_with_a_reason(tmp_path: Path) -> None:
    with running(FakeEndpoint(answers=[Response(status_code=httpx.codes.UNAUTHORIZED)])) as url:
        child = start("generation", tmp_path, settings(url))
        assert child.wait(60) == 1
    log = child.log.read_text()
    assert "generation: the endpoint answers HTTP 401: it refuses the key; set DARWIN_GENERATION_ENDPOINT_KEY" in log
    assert KEY not in log


def test_an_endpoint_on_another_machine_is_not_spoken_to_in_plain_text(tmp_path: Path) -> None:
    child = start("generation", tmp_path, settings("http://192.0.2.1:8000/v1"))
    assert child.wait(60) == 1
    assert "DARWIN_ALLOW_PLAINTEXT=true" in child.log.read_text()
