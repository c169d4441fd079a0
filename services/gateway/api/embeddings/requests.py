"""Body of `POST /v1/embeddings`."""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from services.gateway.api.field_kinds import NotSupported, WithoutEffect
from services.gateway.api.field_types import ENCODABLE, MAX_TEXT, Body, Text
from services.gateway.config.model_entry import MAX_MODEL_NAME
from services.gateway.config.search_fields import WHOLE
from services.gateway.embeddings.embedder import TokenIds

MAX_INPUTS = 2048
_MOST_IDS = 1_000_000
_LARGEST_ID = 2**31 - 1
_KINDS = "must be a string, a list of strings, a list of token ids, or a list of such lists"


def _input(value: Any) -> Any:
    """Every input, in their order: all of them texts, or all of them token ids."""
    if isinstance(value, str):
        return [_checked_text(value, "")]
    if not isinstance(value, list):
        raise ValueError(_KINDS)
    if not value:
        raise ValueError("must not be empty: there is nothing to embed")
    if type(value[0]) is int:
        return [_checked_ids(value, "")]
    if len(value) > MAX_INPUTS:
        raise ValueError(f"must have at most {MAX_INPUTS:,} inputs, not {len(value):,}: send them in several calls")
    if all(isinstance(each, str) for each in value):
        return [_checked_text(each, f"input {number} ") for number, each in enumerate(value)]
    if all(isinstance(each, list) for each in value):
        return [_checked_ids(each, f"input {number} ") for number, each in enumerate(value)]
    raise ValueError(_KINDS)


def _checked_text(text: str, which: str) -> str:
    if not text:
        raise ValueError(f"must not be empty: {which}has no text" if which else "must not be empty")
    if len(text) > MAX_TEXT:
        raise ValueError(f"must have at most {MAX_TEXT:,} characters in one input")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError(f"must be Unicode text: {which}holds an unpaired surrogate") from None
    return text


def _checked_ids(ids: list[Any], which: str) -> TokenIds:
    if not ids:
        raise ValueError(f"must not be empty: {which}has no token ids")
    if len(ids) > _MOST_IDS:
        raise ValueError(f"must have at most {_MOST_IDS:,} token ids in one input")
    if not all(type(each) is int and 0 <= each <= _LARGEST_ID for each in ids):
        raise ValueError(_KINDS + ", which are whole numbers from 0")
    return tuple(ids)


_Text = Annotated[str, Field(min_length=1, max_length=MAX_TEXT)]
_Texts = Annotated[list[_Text], Field(min_length=1, max_length=MAX_INPUTS)]
_Ids = Annotated[list[Annotated[int, Field(ge=0, le=_LARGEST_ID)]], Field(min_length=1, max_length=_MOST_IDS)]
_ManyIds = Annotated[list[_Ids], Field(min_length=1, max_length=MAX_INPUTS)]


class EmbeddingRequest(Body):
    """Body of `POST /v1/embeddings`."""

    model: Text = Field(
        max_length=MAX_MODEL_NAME,
        description="The model that embeds, by a name that `GET /v1/models` lists; what stands before a slash may be "
        "anything. Where the deployment has a default model, a name that is not known means the one that it has.",
    )
    input: Annotated[Any, BeforeValidator(_input, json_schema_input_type=_Text | _Texts | _Ids | _ManyIds)] = Field(
        description="What is embedded: a text or a list of texts. None is cut: one that is longer than the model reads "
        "is refused. Token ids, of one input or several, are passed on to an endpoint, and refused by the encoder."
    )
    encoding_format: Literal["float", "base64"] | None = Field(
        default=None,
        description="Numbers, or base64 of little-endian float32, which is shorter and exact. Default: `float`.",
    )
    dimensions: Annotated[int | None, Field(ge=1, le=2**31 - 1), WHOLE] = Field(
        default=None,
        description="How many numbers a vector has. The encoder gives vectors of its own size alone; an endpoint is "
        "told, and its vectors are checked.",
    )
    user: Annotated[Annotated[str, Field(max_length=256), ENCODABLE] | None, WithoutEffect()] = Field(
        default=None, description="Nothing is kept of a call for embeddings."
    )
    truncate_prompt_tokens: Annotated[Any, NotSupported(why="no input is cut: send long ones in parts")] = None

    @property
    def inputs(self) -> list[str] | list[TokenIds]:
        """Every input, in their order."""
        found: list[str] | list[TokenIds] = self.input
        return found
