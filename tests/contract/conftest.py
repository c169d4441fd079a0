from collections.abc import Iterator

import pytest

from tests.otlp import Traces, receiver
from tests.vllm_server import serve


@pytest.fixture(scope="session")
def vllm_traces() -> Iterator[Traces]:
    """What the vLLM server, and whoever else is pointed here, reports of its work."""
    with receiver() as traces:
        yield traces


@pytest.fixture(scope="session")
def vllm_server(tmp_path_factory: pytest.TempPathFactory, vllm_traces: Traces) -> Iterator[str]:
    """The URL of a real vLLM server, one process for every test: see `together`."""
    with serve(tmp_path_factory.mktemp("vllm"), vllm_traces) as url:
        yield url
