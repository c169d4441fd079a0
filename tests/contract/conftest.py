import importlib.util
from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio

from services.generation.bootstrap import build_engine, build_generator
from services.generation.engine import Engine
from services.generation.generator import SequenceGenerator
from services.generation.settings import GenerationSettings
from tests.contract.engine_rows import ROWS
from tests.otlp import Traces, receiver
from tests.vllm_server import serve


@pytest.fixture(scope="package")
def vllm_traces() -> Iterator[Traces]:
    """What the vLLM server, and whoever else is pointed here, reports of its work."""
    with receiver() as traces:
        yield traces


@pytest.fixture(scope="package")
def vllm_server(tmp_path_factory: pytest.TempPathFactory, vllm_traces: Traces) -> Iterator[str]:
    """The URL of a real vLLM server, one process for every test: see `together`."""
    with serve(tmp_path_factory.mktemp("vllm"), vllm_traces) as url:
        yield url


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=ROWS)
async def engine(request: pytest.FixtureRequest) -> AsyncIterator[Engine]:
    name, _, tokens = request.param.partition("-")
    if name == "vllm" and importlib.util.find_spec("vllm") is None:
        pytest.skip("vllm is not installed")
    there = {"endpoint": request.getfixturevalue("vllm_server"), "endpoint_tokens": tokens} if tokens else {}
    settings = GenerationSettings(
        engine=name, dtype="float32", max_model_len=512, simulated_tokens_per_second=100, **there
    )
    engine = build_engine(settings)
    await engine.start()
    yield engine
    await engine.stop()


@pytest.fixture(scope="module")
def generator(engine: Engine) -> SequenceGenerator:
    return build_generator(engine, GenerationSettings(max_model_len=512))
