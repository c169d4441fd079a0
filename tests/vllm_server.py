"""Real vLLM servers: endpoints as others run them."""

import importlib.util
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from cli.stack.child import Child
from cli.stack.ports import free_port
from shared.text.embedded_models import EMBEDDED_LLM, resolve
from tests.otlp import Traces

MODEL = "small"
_LOADS_S = 240


@contextmanager
def running(folder: Path, *arguments: str, env: dict[str, str]) -> Iterator[str]:
    """The URL of a vLLM server with these arguments, once it answers; its log is in `folder`."""
    if importlib.util.find_spec("vllm") is None:
        pytest.skip("vllm is not installed")
    port = str(free_port())
    on_a_cpu = ("--dtype", "float32", "--block-size", "32", "--enforce-eager")
    where = ("--host", "127.0.0.1", "--port", port)
    child = Child("vllm", (sys.executable, "-m", "tests.vllm_api", *arguments, *on_a_cpu, *where), folder, env)
    try:
        _wait(child, f"http://127.0.0.1:{port}/health")
        yield f"http://127.0.0.1:{port}"
    finally:
        child.terminate()
        child.wait(30)


@contextmanager
def serve(folder: Path, traces: Traces) -> Iterator[str]:
    """Its URL, as `running`; its spans go to `traces`."""
    # As services/generation/vllm_engine.py runs it on a CPU, and so that it reports what it measures.
    arguments = (
        *("--model", resolve(EMBEDDED_LLM), "--served-model-name", MODEL, "--no-enable-chunked-prefill"),
        *("--max-model-len", "512", "--max-num-batched-tokens", "4096", "--max-num-seqs", "64"),
        *("--kv-cache-memory-bytes", str(2**30), "--enable-prompt-tokens-details", "--enable-per-request-metrics"),
        *("--otlp-traces-endpoint", f"{traces.url}/v1/traces"),
    )
    env = {**traces.env, "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "http/protobuf", "OTEL_SERVICE_NAME": "vllm"}
    with running(folder, *arguments, env=env) as url:
        yield f"{url}/v1"


def _wait(child: Child, url: str) -> None:
    give_up = time.monotonic() + _LOADS_S
    while time.monotonic() < give_up:
        child.check()
        try:
            if httpx.get(url, timeout=2).is_success:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.2)
    pytest.fail(f"vLLM did not answer within {_LOADS_S} s:\n{child.log.read_text()[-3000:]}")
