"""OpenAI's list of embeddings."""

import base64
import sys
from array import array
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from services.gateway.api.embeddings.requests import EmbeddingRequest
from services.gateway.api.field_kinds import warnings_of
from services.gateway.config.settings import GatewaySettings
from services.gateway.embeddings.embedder import Embeddings


def _is_none(value: object) -> bool:
    return value is None


class _Resource(BaseModel):
    model_config = ConfigDict(frozen=True)


class Embedding(_Resource):
    """An input's vector."""

    object: Literal["embedding"] = "embedding"
    index: int = Field(description="Which input it is of.")
    embedding: list[float] | str = Field(description="Numbers, or base64 of little-endian float32.")


class EmbeddingUsage(_Resource):
    """Tokens of all inputs, by the tokenizer of the model that embeds."""

    prompt_tokens: int
    total_tokens: int
    cost: float | None = Field(
        default=None, exclude_if=_is_none, description="At this deployment's prices; left out where it has none."
    )


class EmbeddingReference(_Resource):
    """What of the request had no effect, or another than its words say."""

    warnings: list[str]


class EmbeddingList(_Resource):
    """The inputs' vectors, in the order of the inputs."""

    object: Literal["list"] = "list"
    data: list[Embedding]
    model: str = Field(description="The own name of the model that embeds, whichever the request gave.")
    usage: EmbeddingUsage
    darwin: EmbeddingReference | None = Field(
        default=None, exclude_if=_is_none, description="Only where there is a warning."
    )


def answer(
    body: EmbeddingRequest, name: str, found: Embeddings, cost: float | None, settings: GatewaySettings
) -> EmbeddingList:
    """The answer to a request, whose `model` stands for the known name `name`."""
    model, warnings = settings.embedding_names[0], list(warnings_of(body))
    if name != body.model and not body.model.endswith(f"/{name}"):
        warnings.append(f"model '{body.model}' is not known: {model} embeds")
    return embedding_list(found, model, body.encoding_format, cost, warnings)


def embedding_list(
    found: Embeddings, model: str, encoding_format: str | None, cost: float | None, warnings: list[str]
) -> EmbeddingList:
    """The body of the answer."""
    show = _base64 if encoding_format == "base64" else _numbers
    return EmbeddingList(
        data=[Embedding(index=index, embedding=show(vector)) for index, vector in enumerate(found.vectors)],
        model=model,
        usage=EmbeddingUsage(prompt_tokens=found.tokens, total_tokens=found.tokens, cost=cost),
        darwin=EmbeddingReference(warnings=warnings) if warnings else None,
    )


def _base64(vector: bytes) -> str:
    return base64.b64encode(vector).decode()


def _numbers(vector: bytes) -> list[float]:
    """The numbers exactly; to leave out the digits that float32 does not hold takes several times as long."""
    numbers = array("f", vector)
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers.tolist()
