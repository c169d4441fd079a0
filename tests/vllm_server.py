"""A real vLLM server with the embedded model: an endpoint as others run them."""

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
from shared.models import EMBEDDED_LLM, resolve
from tests.otlp import Traces

MODEL = "small"
_LOADS_S = 240
# As services/generation/vllm_engine.py runs it on a CPU, and so that it tells what it measures.
_ON_A_CPU = (
    *("--dtype", "float32", "--block-size", "32", "--enforce-eager", "--no-enable-chunked-prefill"),
    *("--max-model-len", "512", "--max-num-batched-tokens", "4096", "--max-num-seqs", "64"),
    *("--kv-cache-memory-bytes", str(2**30)),
)
_TELLING = ("--enable-prompt-tokens-details", "--enable-per-request-metrics")


@contextmanager
def serve(folder: Path, traces: Traces) -> Iterator[str]:
    """Its URL, once it answers; its log is in `folder`, and its spans go to `traces`."""
    if importlib.util.find_spec("vllm") is None:
        pytest.skip("vllm is not installed")
    port = str(free_port())
    where = ("--served-model-name", MODEL, "--host", "127.0.0.1", "--port", port)
    told = (*_TELLING, "--otlp-traces-endpoint", f"{traces.url}/v1/traces")
    # `vllm serve` asks for the version of a package named vllm, which the CPU build is not.
    serving = (sys.executable, "-m", "vllm.entrypoints.openai.api_server", "--model", resolve(EMBEDDED_LLM))
    env = {**traces.env, "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "http/protobuf", "OTEL_SERVICE_NAME": "vllm"}
    child = Child("vllm", (*serving, *where, *_ON_A_CPU, *told), folder, env)
    try:
        _wait(child, f"http://127.0.0.1:{port}/health")
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        child.terminate()
        child.wait(30)


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
