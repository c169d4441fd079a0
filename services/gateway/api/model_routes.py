"""`GET /v1/models`: the methods, as OpenAI lists models."""

from fastapi import APIRouter

from services.gateway.api.openapi import failures
from services.gateway.api.responses import Model, ModelList
from services.gateway.api.validation import method_named
from shared.methods import METHODS, Method

# The paper's first version (2024-06-21): OpenAI's shape wants a time, the methods have no other.
_CREATED = 1718928000


def model(method: Method) -> Model:
    return Model(id=method, created=_CREATED, description=METHODS[method].text)


def router() -> APIRouter:
    """The models API."""
    routes = APIRouter(tags=["models"])

    @routes.get("/v1/models", summary="List the methods", responses=failures(401, 421, 429))
    async def list_models() -> ModelList:
        """Every method, under the name that chooses it."""
        return ModelList(data=[model(method) for method in METHODS])

    @routes.get("/v1/models/{name}", summary="Read a method", responses=failures(401, 404, 421, 429))
    async def read_model(name: str) -> Model:
        """One method."""
        return model(method_named(name))

    return routes
