from collections.abc import Iterator

import pytest

from cli.stack import Stack
from tests.observability.workload import SETTINGS, Workload


@pytest.fixture(scope="package")
def workload() -> Iterator[Workload]:
    """A running stack that has been asked for everything once."""
    with Stack(SETTINGS) as stack:
        asked = Workload(stack)
        asked.add_tenants("acme", "globex")
        asked.run()
        yield asked
        assert set(stack.stop().values()) == {0}
