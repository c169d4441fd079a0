from collections.abc import Iterator

import pytest

from tests.vllm_server import serve


@pytest.fixture(scope="package")
def vllm_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a real vLLM server, one process for every test of this package."""
    with serve(tmp_path_factory.mktemp("vllm")) as url:
        yield url
