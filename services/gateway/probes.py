"""Liveness and readiness."""

import asyncio

from fastapi import APIRouter

from services.gateway.documented import failures
from services.gateway.lifetime import Lifetime
from services.gateway.resources import Health
from shared.errors import Unavailable
from shared.store import Store

_PING_S = 2.0


def router(store: Store, lifetime: Lifetime) -> APIRouter:
    """The probes."""
    routes = APIRouter(tags=["health"])

    @routes.get("/healthz", summary="Liveness", responses=failures())
    async def healthz() -> Health:
        """The process answers."""
        return Health()

    @routes.get("/readyz", summary="Readiness", responses=failures(503))
    async def readyz() -> Health:
        """Redis answers, and the process is not stopping."""
        if lifetime.stopping.is_set():
            raise Unavailable("this gateway is stopping")
        try:
            await asyncio.wait_for(store.ping(), _PING_S)
        except TimeoutError:
            raise Unavailable(f"Redis did not answer within {_PING_S:g} s") from None
        return Health()

    return routes
