"""The form of an answer as requests demand it: OpenAI's `response_format`, and vLLM's `structured_outputs`."""

import json
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, ConfigDict, Field

from services.gateway.api.field_kinds import NotSupported, WithoutEffect
from services.gateway.api.field_types import Body, Text
from shared.errors import InvalidRequest
from shared.records.formats import ResponseFormat
from shared.records.limits import MAX_CHOICES_BYTES, MAX_FORMAT_CHARACTERS

SCHEMA_NAME = r"^[a-zA-Z0-9_-]{1,64}$"
_MAX_CHOICES = 1024
_BLANKS = "blanks are a line break and some spaces at most"
_Definition = Annotated[Text, Field(min_length=1, max_length=MAX_FORMAT_CHARACTERS)]
_Schema = dict[str, Any]


def _parsed(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value[: MAX_FORMAT_CHARACTERS + 1])
    except (ValueError, RecursionError):
        raise ValueError("must be a JSON schema, as an object or as the text of one") from None


class JsonSchemaFormat(Body):
    """A JSON schema, as OpenAI's SDKs send it."""

    model_config = ConfigDict(serialize_by_alias=True)

    name: str = Field(pattern=SCHEMA_NAME, description="Your name for the schema.")
    description: Annotated[Text | None, WithoutEffect()] = Field(
        default=None, description="The model is not shown it: say in the conversation what the answer is for."
    )
    schema_: dict[str, Any] | None = Field(
        default=None,
        alias="schema",
        description="The schema. One that cannot be followed, as with `not` or `uniqueItems`, is refused. Left out: "
        "any JSON object.",
    )
    strict: bool | None = Field(default=None, description="A schema is always followed strictly.")


class ResponseFormatBody(Body):
    """What every answer is: text, any JSON object, or what follows a JSON schema."""

    type: Literal["text", "json_object", "json_schema"] = Field(description="Which of the three.")
    json_schema: JsonSchemaFormat | None = Field(default=None, description="With the type `json_schema` only.")


class StructuredOutputs(Body):
    """vLLM's way to demand a form: exactly one of `json`, `regex`, `choice`, `grammar` and `json_object`."""

    model_config = ConfigDict(serialize_by_alias=True)

    json_: Annotated[_Schema | None, BeforeValidator(_parsed, json_schema_input_type=str | _Schema | None)] = Field(
        default=None, alias="json", description="A JSON schema, as an object or as its text."
    )
    regex: _Definition | None = Field(
        default=None, description="A regular expression in Rust's syntax, which the whole answer matches."
    )
    choice: Annotated[list[_Definition], Field(min_length=1, max_length=_MAX_CHOICES)] | None = Field(
        default=None, description="The answers that are possible."
    )
    grammar: _Definition | None = Field(default=None, description="A grammar in Lark's or GBNF's notation.")
    json_object: bool | None = Field(default=None, description="Whether the answer is any JSON object.")
    disable_any_whitespace: Annotated[Any, NotSupported(False, why=_BLANKS)] = None
    disable_additional_properties: Annotated[
        Any, NotSupported(False, why="say additionalProperties: false in the schema")
    ] = None
    whitespace_pattern: Annotated[Any, NotSupported(why=_BLANKS)] = None
    structural_tag: Annotated[Any, NotSupported(why="structural tags are not supported")] = None


def response_format(asked: ResponseFormatBody | None, structured: StructuredOutputs | None) -> ResponseFormat | None:
    """What answers must be; None for any text.

    Raises:
        InvalidRequest: the fields contradict each other; names the one to change.
    """
    wanted = _openai(asked) if asked else None
    other = _vllm(structured) if structured else None
    if wanted and other:
        raise InvalidRequest(
            "response_format and structured_outputs both say what answers are: give one of them",
            field="structured_outputs",
        )
    found = wanted or other
    if found and len(found.definition) > MAX_FORMAT_CHARACTERS:
        raise InvalidRequest(
            f"{found.field} holds {len(found.definition)} characters, at most {MAX_FORMAT_CHARACTERS} are possible",
            field=found.field,
        )
    if found and found.kind == "choice" and (size := len(found.definition.encode())) > MAX_CHOICES_BYTES:
        raise InvalidRequest(
            f"{found.field} holds {size} bytes, at most {MAX_CHOICES_BYTES} are possible", field=found.field
        )
    return found


def _openai(asked: ResponseFormatBody) -> ResponseFormat | None:
    if asked.type == "json_schema":
        if asked.json_schema is None:
            raise InvalidRequest(
                "response_format.json_schema is missing: the type json_schema needs it",
                field="response_format.json_schema",
            )
        schema = asked.json_schema.schema_
        return ResponseFormat("json_object") if schema is None else ResponseFormat("json_schema", _text(schema))
    if asked.json_schema is not None:
        raise InvalidRequest(
            "response_format.json_schema goes with the type json_schema only: set the type, or leave it out",
            field="response_format.json_schema",
        )
    return ResponseFormat("json_object") if asked.type == "json_object" else None


def _vllm(asked: StructuredOutputs) -> ResponseFormat | None:
    given: list[ResponseFormat] = []
    field = "structured_outputs"
    if asked.json_ is not None:
        given.append(ResponseFormat("json_schema", _text(asked.json_), f"{field}.json"))
    if asked.regex is not None:
        given.append(ResponseFormat("regex", asked.regex, f"{field}.regex"))
    if asked.choice is not None:
        given.append(ResponseFormat("choice", _text(asked.choice), f"{field}.choice"))
    if asked.grammar is not None:
        given.append(ResponseFormat("grammar", asked.grammar, f"{field}.grammar"))
    if asked.json_object:
        given.append(ResponseFormat("json_object", "", f"{field}.json_object"))
    if len(given) > 1:
        raise InvalidRequest(
            "structured_outputs takes one of json, regex, choice, grammar and json_object: leave the others out",
            field=given[1].field,
        )
    return given[0] if given else None


def _text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
