"""`GET /healthz`, also under vLLM's name `/health`, and `GET /readyz`: whether the process lives, and whether it can
start searches."""

import asyncio
from typing import Literal

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict

from services.gateway.api.openapi import failures
from services.gateway.edge.lifetime import Lifetime
from services.gateway.evolutions.admission import StageCheck
from shared.errors import Unavailable
from shared.store.evolutions import Store

_PING_S = 2.0


class Health(BaseModel):
    """The process answers."""

    model_config = ConfigDict(frozen=True)

    status: Literal["ok"] = "ok"


def router(store: Store, stages: StageCheck, lifetime: Lifetime) -> APIRouter:
    """The routes of both probes."""
    routes = APIRouter(tags=["health"])

    @routes.get("/health", name="health", summary="Liveness, under vLLM's name", responses=failures(421))
    @routes.get("/healthz", summary="Liveness", responses=failures(421))
    async def healthz() -> Health:
        """The process answers."""
        return Health()

    @routes.get("/readyz", summary="Readiness", responses=failures(421, 503))
    async def readyz() -> Health:
        """Redis answers, a worker reports that every stage answers, and the process is not stopping."""
        if lifetime.stopping.is_set():
            raise Unavailable("this gateway is stopping")
        try:
            async with asyncio.timeout(_PING_S):
                await store.ping()
                await stages.check_ready()
        except TimeoutError:
            raise Unavailable(f"Redis did not answer within {_PING_S:g} s") from None
        return Health()

    return routes
