"""`GET /v1/models`: the methods and the deployment's further names, as OpenAI lists models."""

from fastapi import APIRouter, Request

from services.gateway.api.model_names import known_models, model_named
from services.gateway.api.openapi import failures
from services.gateway.api.responses import Model, ModelList
from services.gateway.config.model_entry import ModelEntry
from services.gateway.config.settings import GatewaySettings
from services.gateway.edge.access import caller_of
from services.gateway.edge.errors import ModelNotFound
from shared.methods import METHODS

# The paper's first version (2024-06-21): OpenAI's shape wants a time, the methods have no other.
_CREATED = 1718928000


def model(name: str, entry: ModelEntry) -> Model:
    description = entry.description or METHODS[entry.method].text
    return Model(id=name, created=_CREATED, description=description, method=entry.method)


def _embedding_model(name: str) -> Model:
    return Model(id=name, created=_CREATED, description="Embeds texts, at /v1/embeddings.", method=None)


def router(settings: GatewaySettings) -> APIRouter:
    """The models API."""
    routes = APIRouter(tags=["models"])

    @routes.get("/v1/models", summary="List the models", responses=failures(401, 421, 429))
    async def list_models(request: Request) -> ModelList:
        """Every method under its own name, every further name of this deployment, and those of the model that embeds,
        that the caller may use."""
        may_use = caller_of(request).may_use
        found = [model(name, entry) for name, entry in known_models(settings).items() if may_use(name, entry.method)]
        return ModelList(
            data=[*found, *(_embedding_model(name) for name in settings.embedding_names if may_use(name, None))]
        )

    @routes.get("/v1/models/{name:path}", summary="Read a model", responses=failures(401, 404, 421, 429))
    async def read_model(request: Request, name: str) -> Model:
        """What answers under a name; the name may hold slashes."""
        if (embeds := settings.known_embedding_name(name)) and settings.known_name(name) is None:
            if caller_of(request).may_use(embeds, None):
                return _embedding_model(embeds)
            raise _not_found(name)
        entry = model_named(name, settings)
        if not caller_of(request).may_use(settings.known_name(name) or name, entry.method):
            raise _not_found(name)
        return model(name, entry)

    return routes


def _not_found(name: str) -> ModelNotFound:
    return ModelNotFound(f"The model '{name}' does not exist or you do not have access to it.", field="model")
