"""Assembles the HTTP application."""

from celery import Celery
from fastapi import FastAPI

from services.gateway import failures, models, probes
from services.gateway.chat import ChatRoutes
from services.gateway.documented import DESCRIPTION, openapi_of
from services.gateway.evolution_routes import EvolutionRoutes
from services.gateway.evolutions import Evolutions
from services.gateway.lifetime import Lifetime
from services.gateway.middleware import CallMiddleware
from services.gateway.settings import GatewaySettings
from shared.store import Store


def create_app(settings: GatewaySettings, store: Store, queue: Celery, lifetime: Lifetime | None = None) -> FastAPI:
    """The gateway's ASGI application; the caller closes `store` and `queue` after it."""
    lifetime = lifetime or Lifetime()
    evolutions = Evolutions(store, queue)
    app = FastAPI(
        title="Darwin",
        version="0.1.0",
        description=DESCRIPTION,
        docs_url=None,
        redoc_url=None,
        generate_unique_id_function=lambda route: f"{route.tags[0]}_{route.name}",
    )
    app.add_middleware(CallMiddleware, max_body_bytes=settings.max_body_bytes, max_concurrent=settings.max_concurrent)
    failures.install(app)
    app.include_router(ChatRoutes(evolutions, settings, lifetime).router)
    app.include_router(EvolutionRoutes(evolutions, settings, lifetime).router)
    app.include_router(models.router())
    app.include_router(probes.router(store, lifetime))
    app.openapi = openapi_of(app)  # type: ignore[method-assign]
    return app
