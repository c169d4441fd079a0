"""Assembles the HTTP application from routes, middleware and backends."""

from fastapi import FastAPI
from opentelemetry.trace import TracerProvider

from services.gateway.api import model_routes, probes
from services.gateway.api.chat_routes import ChatRoutes
from services.gateway.api.cors import admit_web_pages
from services.gateway.api.credit_routes import CreditRoutes
from services.gateway.api.embeddings.routes import EmbeddingRoutes
from services.gateway.api.evolution_routes import EvolutionRoutes
from services.gateway.api.key_routes import KeyRoutes
from services.gateway.api.openai_responses.events import ResponseEvent
from services.gateway.api.openai_responses.routes import ResponseRoutes
from services.gateway.api.openapi import DESCRIPTION, openapi_of
from services.gateway.api.profile_routes import ProfileRoutes
from services.gateway.api.responses import ChatCompletionChunk
from services.gateway.api.rollout_routes import FeedbackRoutes, RolloutRoutes
from services.gateway.api.text_completions.resource import CompletionChunk
from services.gateway.api.text_completions.routes import CompletionRoutes
from services.gateway.api.trial_routes import TrialRoutes
from services.gateway.batches.batch_routes import BatchRoutes
from services.gateway.batches.driver import BatchDriver
from services.gateway.batches.file_routes import FileRoutes
from services.gateway.batches.limits import BatchLimits
from services.gateway.config.settings import GatewaySettings
from services.gateway.edge import errors
from services.gateway.edge.access import AccessMiddleware
from services.gateway.edge.http_telemetry import HttpTelemetry
from services.gateway.edge.identity import ProxyIdentities
from services.gateway.edge.lifetime import Lifetime
from services.gateway.edge.middleware import CallMiddleware
from services.gateway.edge.paths import TrailingSlashMiddleware, answer_head
from services.gateway.edge.places import PlaceMiddleware, Places
from services.gateway.edge.search_times import SearchTimes
from services.gateway.evolutions.acceptance import Acceptance
from services.gateway.evolutions.admission import Admission, StageCheck
from services.gateway.evolutions.backends import Backends
from services.gateway.evolutions.call_charges import CallCharges
from services.gateway.evolutions.embedding_calls import EmbeddingCalls
from services.gateway.evolutions.service import EvolutionService
from services.gateway.evolutions.trials import Trials
from services.gateway.inspector import page
from services.gateway.inspector.routes import InspectionRoutes
from services.gateway.profiles.rollouts import ProfileRollouts
from services.gateway.webhooks.deliverer import Deliverer
from services.gateway.webhooks.events import Notices
from services.gateway.webhooks.routes import WebhookRoutes


def create_app(
    settings: GatewaySettings,
    backends: Backends,
    lifetime: Lifetime | None = None,
    tracer_provider: TracerProvider | None = None,
) -> FastAPI:
    """The gateway's ASGI application; the caller closes `backends` after it has stopped.

    Without `tracer_provider` the process's provider is used.
    """
    lifetime = lifetime or Lifetime()
    stages = StageCheck(backends.presence)
    times = SearchTimes()
    evolutions = EvolutionService(backends.store, times)
    admission = Admission(backends.store, backends.rates, stages, settings)
    acceptance = Acceptance(evolutions, admission, backends.formats, backends.profiles)
    embedding = EmbeddingCalls(backends.embedder, admission, backends.store, times)
    app = FastAPI(
        title="Darwin",
        version="0.1.0",
        description=DESCRIPTION,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        generate_unique_id_function=lambda route: f"{route.tags[0]}_{route.name}",
    )
    places = Places(settings, times)
    app.add_middleware(PlaceMiddleware, places=places, times=times)
    app.add_middleware(
        AccessMiddleware,
        keys=backends.keys if settings.keys == "required" else None,
        identities=ProxyIdentities(backends.keys, settings),
    )
    app.add_middleware(TrailingSlashMiddleware)
    app.add_middleware(
        CallMiddleware,
        max_body_bytes=settings.max_body_bytes,
        max_body_seconds=settings.max_body_seconds,
        places=places,
        times=times,
        max_upload=(settings.max_file_bytes, settings.max_file_seconds),
    )
    if settings.cors_origins:
        admit_web_pages(app, settings.cors_origins)
    app.add_middleware(HttpTelemetry, tracer_provider=tracer_provider, trusts_callers=settings.trust_traceparent)
    errors.install_handlers(app, times)
    app.include_router(ChatRoutes(acceptance, evolutions, settings, lifetime).router)
    app.include_router(EvolutionRoutes(acceptance, evolutions, settings, lifetime).router)
    app.include_router(CompletionRoutes(acceptance, evolutions, settings, lifetime).router)
    app.include_router(ResponseRoutes(acceptance, evolutions, settings, lifetime).router)
    app.include_router(EmbeddingRoutes(embedding, settings, lifetime).router)
    app.include_router(InspectionRoutes(backends.store, evolutions, settings).router)
    app.include_router(FileRoutes(backends.files, settings).router)
    app.include_router(BatchRoutes(backends.batches, backends.files, settings).router)
    app.include_router(WebhookRoutes(backends.webhooks, settings).router)
    app.include_router(KeyRoutes(backends.keys, backends.store, settings).router)
    rollouts = ProfileRollouts(backends.profiles)
    profile_routes = ProfileRoutes(backends.profiles, rollouts)
    RolloutRoutes(profile_routes, rollouts)
    app.include_router(profile_routes.router)
    app.include_router(FeedbackRoutes(acceptance, evolutions, rollouts).router)
    charges = CallCharges(admission, backends.store, times)
    trials = Trials(backends.profiles, evolutions, backends.store, charges)
    app.include_router(TrialRoutes(profile_routes, backends.profiles, trials, charges).router)
    app.include_router(CreditRoutes(backends.credit).router)
    app.include_router(model_routes.router(settings, stages))
    app.include_router(probes.router(backends.store, stages, lifetime))
    app.router.routes.extend(page.routes())
    answer_head(app)
    app.openapi = openapi_of(  # type: ignore[method-assign]
        app, (ChatCompletionChunk, CompletionChunk, ResponseEvent), keys_required=settings.keys == "required"
    )
    return app


def batch_driver(settings: GatewaySettings, backends: Backends) -> BatchDriver:
    """What drives batches beside the application."""
    limits = BatchLimits(
        settings.max_batch_lines,
        settings.max_batch_running,
        settings.max_files_bytes_per_tenant,
        settings.max_files_bytes,
        settings.file_ttl_s,
    )
    evolutions = EvolutionService(backends.store, SearchTimes())
    admission = Admission(backends.store, backends.rates, StageCheck(backends.presence), settings)
    acceptance = Acceptance(evolutions, admission, backends.formats, backends.profiles)
    embedding = EmbeddingCalls(backends.embedder, admission, backends.store, SearchTimes())
    return BatchDriver(
        backends.batches, backends.files, backends.keys, evolutions, acceptance, embedding, settings, limits
    )


def webhook_deliverer(settings: GatewaySettings, backends: Backends) -> Deliverer:
    """What sends webhooks beside the application."""
    return Deliverer(backends.webhooks, Notices(backends.batches, backends.store, settings), settings)
