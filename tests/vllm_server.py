"""A real vLLM server with the embedded model: an endpoint as others run them."""

import importlib.util
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from shared.models import EMBEDDED_LLM, resolve
from tests.otlp import Traces

MODEL = "small"
_LOADS_S = 180
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
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    model = ("--model", resolve(EMBEDDED_LLM), "--served-model-name", MODEL)
    where = ("--host", "127.0.0.1", "--port", str(port))
    told = (*_TELLING, "--otlp-traces-endpoint", f"{traces.url}/v1/traces")
    command = [sys.executable, "-m", "vllm.entrypoints.openai.api_server", *model, *where, *_ON_A_CPU, *told]
    env = os.environ | traces.env | {"OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "http/protobuf", "OTEL_SERVICE_NAME": "vllm"}
    log = folder / "vllm.log"
    with log.open("wb") as output:
        server = subprocess.Popen(command, stdout=output, stderr=output, env=env)
    try:
        _wait(server, f"http://127.0.0.1:{port}/health", log)
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(30)


def _wait(server: subprocess.Popen[bytes], url: str, log: Path) -> None:
    give_up = time.monotonic() + _LOADS_S
    while time.monotonic() < give_up:
        assert server.poll() is None, log.read_text()[-3000:]
        try:
            if httpx.get(url, timeout=2).is_success:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.2)
    pytest.fail(f"vLLM did not answer within {_LOADS_S} s:\n{log.read_text()[-3000:]}")
