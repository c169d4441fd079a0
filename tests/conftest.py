import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from cli.stack.redis_server import start_redis

# How long an example takes says more about the machine than about the code.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")

# Two at a time, tests have a core each: threads of torch that wait for each other's turn would only keep it busy.
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OMP_NUM_THREADS", "1")

# What takes half a minute to start: of each, the tests that share one run one after another.
_SHARED = ("stack", "vllm_server")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Where tests run two at a time, those of a file stay together, as do those that share what is slow to start."""
    for item in items:
        if item.get_closest_marker("xdist_group") is None:
            shared = [name for name in _SHARED if name in getattr(item, "fixturenames", ())]
            item.add_marker(pytest.mark.xdist_group(shared[0] if shared else item.location[0]))


@pytest.fixture(scope="module", autouse=True)
def environment() -> Iterator[None]:
    """Leaves the environment as it was: vLLM, run in this process, changes it (LD_PRELOAD) for every later child."""
    before = dict(os.environ)
    yield
    os.environ.clear()
    os.environ.update(before)


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real Redis-compatible server on a free port."""
    child, url = start_redis(tmp_path_factory.mktemp("redis"))
    yield url
    child.terminate()
    assert child.wait(10) == 0


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Reference data beside the checkout; tests that need it skip without it."""
    folder = Path(__file__).parent.parent.parent / "shared" / "data"
    if not folder.exists():
        pytest.skip(f"reference data not found at {folder}")
    return folder
