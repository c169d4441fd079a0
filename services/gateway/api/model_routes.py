"""`GET /v1/models`: the methods and the deployment's further names, as OpenAI lists models."""

from collections.abc import Collection
from typing import Literal

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field

from services.gateway.api.model_names import known_models, model_named
from services.gateway.api.openapi import failures
from services.gateway.config.model_entry import ModelEntry
from services.gateway.config.settings import GatewaySettings
from services.gateway.edge.access import caller_of
from services.gateway.edge.errors import ModelNotFound
from services.gateway.evolutions.abilities import performs
from services.gateway.evolutions.admission import StageCheck
from shared.errors import Unavailable
from shared.methods import METHODS, Ability, Method

# The paper's first version (2024-06-21): OpenAI's shape wants a time, the methods have no other.
_CREATED = 1718928000


class _Resource(BaseModel):
    model_config = ConfigDict(frozen=True)


class Model(_Resource):
    """A method, or the model that embeds, under a name that chooses it."""

    id: str
    object: Literal["model"] = "model"
    created: int
    owned_by: Literal["darwin"] = "darwin"
    description: str
    method: Method | None = Field(description="Null for the model that embeds (`POST /v1/embeddings`).")
    served: bool = Field(
        default=True,
        description="False where the language model of this deployment cannot do what the method needs: a request for "
        "it is refused.",
    )


class ModelList(_Resource):
    """Every name that is known."""

    object: Literal["list"] = "list"
    data: list[Model]


def model(name: str, entry: ModelEntry, lacks: Collection[Ability]) -> Model:
    description = entry.description or METHODS[entry.method].text
    served = performs(entry.method, lacks)
    return Model(id=name, created=_CREATED, description=description, method=entry.method, served=served)


def _embedding_model(name: str) -> Model:
    return Model(id=name, created=_CREATED, description="Embeds texts, at /v1/embeddings.", method=None)


def router(settings: GatewaySettings, stages: StageCheck) -> APIRouter:
    """The models API."""
    routes = APIRouter(tags=["models"])

    async def lacks() -> frozenset[Ability]:
        try:
            return await stages.lacks()
        except Unavailable:
            return frozenset()

    @routes.get("/v1/models", summary="List the models", responses=failures(401, 421, 429))
    async def list_models(request: Request) -> ModelList:
        """Every method under its own name, every further name of this deployment, and those of the model that embeds,
        that the caller may use."""
        may_use = caller_of(request).may_use
        lacking, known = await lacks(), known_models(settings).items()
        found = [model(name, entry, lacking) for name, entry in known if may_use(name, entry.method)]
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
        return model(name, entry, await lacks())

    return routes


def _not_found(name: str) -> ModelNotFound:
    return ModelNotFound(f"The model '{name}' does not exist or you do not have access to it.", field="model")
