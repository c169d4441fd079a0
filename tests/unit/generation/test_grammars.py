"""Formats compiled for tokenizers of several kinds: what they allow, replay, refuse, and how long that takes."""

import json
from typing import Any

import numpy as np
import pytest

from services.generation.grammars import Grammars, of_tokenizer
from services.generation.simulated_formats import byte_grammars
from shared.errors import InvalidRequest, Unsupported
from shared.records.formats import FormatKind, ResponseFormat
from tests.checkpoints.tokenizers import KINDS, wrap

SCHEMA = {
    "type": "object",
    "properties": {"name": {"type": "string", "maxLength": 9}, "age": {"type": "integer"}},
    "required": ["name", "age"],
    "additionalProperties": False,
}
WORKS: list[tuple[ResponseFormat, str, str]] = [
    (ResponseFormat("json_object"), '{"a": [1, true, "x"]}', "[1]"),
    (ResponseFormat("json_schema", json.dumps(SCHEMA)), '{"name": "Ann", "age": 7}', '{"age'),
    (ResponseFormat("regex", "[a-c]{3}[0-9]"), "abc7", "abcd"),
    (ResponseFormat("choice", '["yes", "no", "no way"]'), "no way", "now"),
    (ResponseFormat("grammar", 'start: "a" start | "b"'), "aab", "ba"),
    (ResponseFormat("grammar", 'root ::= "a" root | "b"'), "aab", "ba"),
]
HOSTILE: list[tuple[FormatKind, Any]] = [
    ("json_schema", {"$ref": "#"}),
    ("json_schema", {"$ref": "http://example.com/schema"}),
    ("json_schema", {"type": "string", "pattern": "(?<=a)b"}),
    ("json_schema", {"not": {}}),
    ("json_schema", {"type": "array", "uniqueItems": True}),
    ("json_schema", {"enum": []}),
    ("json_schema", {"type": "nothing"}),
    ("json_schema", {"type": "array", "maxItems": 10**6, "items": {"type": "string"}}),
    ("json_schema", "not a schema"),
    ("regex", "(?<=a)b"),
    ("regex", "("),
    ("choice", []),
    ("grammar", "start: start"),
    ("grammar", "x: y"),
    ("grammar", "(" * 60_000),
]


@pytest.fixture(scope="module", params=sorted(set(KINDS) - {"word piece"}))
def tokenizer(request: pytest.FixtureRequest) -> Any:
    return wrap(KINDS[request.param](), None)


def grammars_of(tokenizer: Any) -> Grammars:
    return of_tokenizer(tokenizer, len(tokenizer), frozenset({tokenizer.eos_token_id}))


@pytest.mark.parametrize(("wanted", "right", "wrong"), WORKS)
def test_a_replayed_prefix_allows_what_the_whole_did(
    tokenizer: Any, wanted: ResponseFormat, right: str, wrong: str
) -> None:
    grammars, words = grammars_of(tokenizer), len(tokenizer)
    stepping = grammars.matcher(wanted)
    ids: list[int] = []
    left = right.encode()
    while left:
        replayed = grammars.matcher(wanted)
        assert replayed.accept(ids)
        allowed = replayed.allowed(words)
        assert np.array_equal(allowed, stepping.allowed(words))
        assert allowed[tokenizer.eos_token_id] == replayed.complete()
        said = {int(token): grammars._tokenizer.decode_bytes([int(token)]) for token in np.flatnonzero(allowed)}
        fitting = [token for token, text in said.items() if text and left.startswith(text)]
        token = max(fitting, key=lambda token: len(said[token]))
        left = left.removeprefix(said[token])
        assert stepping.accept([token])
        ids.append(token)
    assert tokenizer.decode(ids) == right
    assert stepping.complete()
    assert stepping.allowed(words)[tokenizer.eos_token_id]
    assert not grammars.matcher(wanted).accept(grammars._tokenizer.greedy_tokenize(wrong))


def test_a_tokenizer_whose_tokens_are_no_text_is_refused() -> None:
    with pytest.raises(Unsupported, match="tokenizer"):
        grammars_of(wrap(KINDS["word piece"](), None)).matcher(WORKS[0][0])


def test_every_id_that_ends_a_response_is_allowed_at_its_end() -> None:
    tokenizer = wrap(KINDS["byte-level"](), None, ["<|end|>"])
    ends = {tokenizer.eos_token_id, tokenizer.convert_tokens_to_ids("<|end|>")}
    grammars = of_tokenizer(tokenizer, len(tokenizer), frozenset(ends))
    matcher = grammars.matcher(WORKS[0][0])
    assert not matcher.allowed(len(tokenizer))[sorted(ends)].any()
    assert matcher.accept(grammars._tokenizer.greedy_tokenize("{}"))
    assert set(np.flatnonzero(matcher.allowed(len(tokenizer)))) == ends
    assert matcher.ended()


@pytest.mark.parametrize(("kind", "definition"), HOSTILE, ids=lambda value: str(value)[:40])
def test_what_cannot_be_followed_is_refused(kind: FormatKind, definition: Any) -> None:
    grammars, text = byte_grammars(10, 0), definition if isinstance(definition, str) else json.dumps(definition)
    with pytest.raises(InvalidRequest, match=r"cannot be followed: .") as refused:
        grammars.matcher(ResponseFormat(kind, text))
    assert refused.value.field == "sampling.format"
    assert len(refused.value.message) < 300


def test_a_pattern_of_many_states_is_followed_for_long() -> None:
    matcher = byte_grammars(10, 0).matcher(ResponseFormat("regex", "(a|b)*a(a|b){16}c"))
    for _ in range(2000):
        assert matcher.accept([int(np.flatnonzero(matcher.allowed(266))[0])])
    assert not matcher.fault()


def test_a_matcher_at_fault_allows_the_end_alone() -> None:
    matcher = byte_grammars(10, 0).matcher(ResponseFormat("regex", "ab*"))
    ends = 0
    assert not matcher.allowed(266)[ends]
    assert not matcher.accept([ends])
    assert matcher.fault()
    assert np.flatnonzero(matcher.allowed(266)).tolist() == [ends]


def test_formats_are_compiled_once() -> None:
    built: list[int] = []
    grammars = byte_grammars(10, 0)
    build = grammars._build_tokenizer
    grammars._build_tokenizer = lambda: (built.append(1), build())[1]
    for number in range(100):
        grammars.matcher(ResponseFormat("regex", f"a{number % 3}"))
    assert built == [1]
    assert len(grammars._compiled) == 3
    for number in range(100):
        grammars.matcher(ResponseFormat("regex", f"b{number}"))
    assert len(grammars._compiled) == 64
