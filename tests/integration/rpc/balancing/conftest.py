from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from shared.rpc.balancing import Replicas
from tests.integration.rpc.balancing.fleet import Fleet, serving


@pytest.fixture
async def fleet() -> AsyncIterator[Fleet]:
    async with Fleet(3) as fleet:
        yield fleet


@pytest.fixture
async def replicas(fleet: Fleet) -> AsyncIterator[Replicas[Any]]:
    async with fleet.replicas() as replicas:
        await serving(replicas, 3)
        yield replicas
