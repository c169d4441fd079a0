"""`GET /v1/models`: the methods and the deployment's further names, as OpenAI lists models."""

from fastapi import APIRouter

from services.gateway.api.model_names import known_models, model_named
from services.gateway.api.openapi import failures
from services.gateway.api.responses import Model, ModelList
from services.gateway.config.model_entry import ModelEntry
from services.gateway.config.settings import GatewaySettings
from shared.methods import METHODS

# The paper's first version (2024-06-21): OpenAI's shape wants a time, the methods have no other.
_CREATED = 1718928000


def model(name: str, entry: ModelEntry) -> Model:
    description = entry.description or METHODS[entry.method].text
    return Model(id=name, created=_CREATED, description=description, method=entry.method)


def router(settings: GatewaySettings) -> APIRouter:
    """The models API."""
    routes = APIRouter(tags=["models"])

    @routes.get("/v1/models", summary="List the models", responses=failures(401, 421, 429))
    async def list_models() -> ModelList:
        """Every method under its own name, and every further name of this deployment."""
        return ModelList(data=[model(name, entry) for name, entry in known_models(settings).items()])

    @routes.get("/v1/models/{name:path}", summary="Read a model", responses=failures(401, 404, 421, 429))
    async def read_model(name: str) -> Model:
        """What answers under a name; the name may hold slashes."""
        return model(name, model_named(name, settings))

    return routes
