"""docs/api.md says what becomes of every field; and whatever is wrong with one is said in sentences of our own."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
from pydantic import BaseModel, ValidationError

from services.gateway.api.conversation import CacheControl
from services.gateway.api.embeddings.requests import EmbeddingRequest
from services.gateway.api.openai_responses.requests import ResponseCreate
from services.gateway.api.reference import PAGE, with_table
from services.gateway.api.requests import ChatCompletionRequest, EvolutionCreate
from services.gateway.api.text_completions.requests import CompletionRequest
from services.gateway.edge.errors import validation_body
from services.gateway.edge.field_errors import sentence_about
from services.gateway.inspector.listing import ListQuery

ROOT = Path(__file__).parents[4]
BODIES = (ChatCompletionRequest, EvolutionCreate, ResponseCreate, CompletionRequest, EmbeddingRequest)
WRONG: list[Any] = [
    None,
    True,
    -1,
    0,
    2.5,
    10**30,
    float("inf"),
    "",
    "wrong !",
    "\ud800",
    "x" * 1_000_001,
    [],
    [None],
    [[]],
    ["x"] * 1000,
    ["x" * 1000],
    {},
    {"unheard_of": 1},
    {"\ud800": 1},
    {"x" * 1000: "x" * 1000},
    {str(number): "" for number in range(1000)},
]


def models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
        for field in annotation.model_fields.values():
            yield from models_in(field.annotation)
    for part in get_args(annotation):
        yield from models_in(part)


FIELDS = sorted({(model, name) for body in BODIES for model in models_in(body) for name in model.model_fields}, key=str)


def test_the_page_is_current() -> None:
    page = (ROOT / PAGE).read_text()
    assert page == with_table(page), "python -m services.gateway.api.reference writes it"


def test_the_page_has_every_field() -> None:
    rows = [line for line in (ROOT / PAGE).read_text().splitlines() if line.startswith("| `")]
    listed = {row.split("`")[1].rpartition(".")[2] for row in rows}
    fields = [(model.model_fields[name].alias or name, model) for model, name in FIELDS]
    assert {name for name, model in fields if model not in (CacheControl, ListQuery)} == listed
    outcomes = {row.split("|")[3].strip().partition(",")[0] for row in rows}
    assert outcomes == {"obeyed", "taken with a warning", "refused", "refused otherwise"}


@pytest.mark.parametrize(("model", "name"), FIELDS)
def test_no_refusal_is_pydantics(model: type[BaseModel], name: str) -> None:
    refused = 0
    for value in WRONG:
        try:
            model.model_validate({name: value})
        except ValidationError as caught:
            for error in caught.errors():
                if error["loc"][:1] != (name,):
                    continue
                refused += 1
                detail = validation_body([error]).error
                assert detail.param is not None
                assert detail.message.removeprefix("the key of ").startswith(detail.param), detail.message
                assert "Input should" not in detail.message
                assert "valid " not in detail.message
                assert "openapi.json" not in detail.message, error["type"]
                json.dumps(detail.model_dump()).encode()
    assert refused


def test_an_error_that_is_not_foreseen_is_no_riddle() -> None:
    error = {"type": "of_a_newer_pydantic", "loc": ("n",), "input": 1, "msg": "Input should be valid"}
    assert sentence_about("n", error) == "n is not as /openapi.json describes it"
