import gc
import os
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from cli.stack.redis_server import start_redis
from tests import together
from tests.examples import FEW, PROFILE, examples

# How long an example takes says more about the machine than about the code.
settings.register_profile(PROFILE, deadline=None, max_examples=examples(FEW))
settings.load_profile(PROFILE)

# Side by side, tests have a core each at most: threads of torch that wait for their turn would only keep it busy.
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Nothing that tests import, torch among it, is garbage: not to look there again and again saves a fifth of it."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    return together.scheduler(config, log)


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
