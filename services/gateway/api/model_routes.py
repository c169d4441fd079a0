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


def router(settings: GatewaySettings) -> APIRouter:
    """The models API."""
    routes = APIRouter(tags=["models"])

    @routes.get("/v1/models", summary="List the models", responses=failures(401, 421, 429))
    async def list_models(request: Request) -> ModelList:
        """Every method under its own name, and every further name of this deployment, that the caller may use."""
        may_use = caller_of(request).may_use
        return ModelList(
            data=[model(name, entry) for name, entry in known_models(settings).items() if may_use(name, entry.method)]
        )

    @routes.get("/v1/models/{name:path}", summary="Read a model", responses=failures(401, 404, 421, 429))
    async def read_model(request: Request, name: str) -> Model:
        """What answers under a name; the name may hold slashes."""
        entry = model_named(name, settings)
        if not caller_of(request).may_use(settings.known_name(name) or name, entry.method):
            raise ModelNotFound(f"The model '{name}' does not exist or you do not have access to it.", field="model")
        return model(name, entry)

    return routes
