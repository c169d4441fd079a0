"""What endpoints say in their own words: errors of every shape, and reasons why a sequence ended."""

import json
from typing import Any, get_args

import pytest

from services.generation.endpoint.error_bodies import About, Complaint, read_complaint
from services.generation.endpoint.errors import error_of_status
from services.generation.endpoint.finish_reasons import FinishReasons
from services.generation.endpoint.responses import CompletionResponse
from services.generation.engine import ContextFull
from shared.errors import DarwinError, InvalidRequest, Overloaded, Unavailable, Unsupported

KEY = "sk-very-secret"


@pytest.mark.parametrize("about", get_args(About))
def test_every_status_is_one_of_our_errors(about: About) -> None:
    for status in (*range(200, 600), 999):
        error = error_of_status(status, Complaint(about=about))
        assert type(error) is not DarwinError
        assert str(status) in error.message
        if not about:
            passes = status in (200, 408, 425, 429, 499) or (status >= 500 and status not in (501, 505))
            assert error.retryable == passes, status


TOO_LONG = "This model's maximum context length is 4097 tokens, however you requested 5000 tokens."
WORDS: list[tuple[int, Any, type[DarwinError]]] = [
    # OpenAI, vLLM, SGLang
    (400, {"error": {"message": TOO_LONG, "type": "invalid_request_error", "code": None}}, ContextFull),
    (400, {"error": {"message": "?", "code": "context_length_exceeded"}}, ContextFull),
    (400, {"object": "error", "message": TOO_LONG, "type": "BadRequestError", "param": None, "code": 400}, ContextFull),
    (400, {"message": "The input (9 tokens) is longer than the model's context length (8).", "code": 400}, ContextFull),
    (404, {"error": {"message": "The model `gpt-9` does not exist", "code": "model_not_found"}}, Unsupported),
    (404, {"error": {"message": "This is a chat model and not supported in v1/completions."}}, Unsupported),
    (429, {"error": {"message": "You exceeded your current quota", "code": "insufficient_quota"}}, Unsupported),
    (429, {"error": {"message": "Rate limit reached for requests", "code": "rate_limit_exceeded"}}, Overloaded),
    # TGI
    (422, {"error": "`inputs` tokens + `max_new_tokens` must be <= 2048", "error_type": "validation"}, ContextFull),
    (422, {"error": "`top_p` must be > 0.0 and < 1.0", "error_type": "validation"}, InvalidRequest),
    (429, {"error": "Model is overloaded", "error_type": "overloaded"}, Overloaded),
    # llama.cpp, also with status 200
    (500, {"error": {"code": 500, "message": "Context size has been exceeded.", "type": "server_error"}}, ContextFull),
    (200, {"error": {"code": 400, "message": "?", "type": "exceed_context_size_error", "n_ctx": 8}}, ContextFull),
    (503, {"error": {"code": 503, "message": "Loading model", "type": "unavailable_error"}}, Unavailable),
    # Ollama
    (404, {"error": {"message": 'model "llama9" not found, try pulling it first', "type": "api_error"}}, Unsupported),
    # Mistral, FastAPI
    (422, {"detail": [{"type": "extra_forbidden", "loc": ["body", "top_k"], "msg": "Extra inputs"}]}, InvalidRequest),
    (400, {"object": "error", "message": "Prompt contains 9 tokens, too large for model with 8 maximum context length",
           "type": "invalid_request_message_order"}, ContextFull),
    (401, {"detail": "Unauthorized"}, Unsupported),
    (400, {"detail": "Unknown model: nous"}, Unsupported),
    # OpenRouter, DeepSeek, LiteLLM
    (200, {"error": {"code": 502, "message": "Provider returned error"}}, Unavailable),
    (200, {"error": "something went wrong"}, Unavailable),
    (402, {"error": {"message": "Insufficient Balance", "type": "unknown_error"}}, Unsupported),
    (400, {"error": {"message": "litellm.BadRequestError: credit balance is too low", "code": "400"}}, Unsupported),
    (500, {"error": {"message": "litellm.APIConnectionError", "type": None, "code": "500"}}, Unavailable),
    (200, {"message": "upstream failed", "code": 503}, Unavailable),
]  # fmt: skip


@pytest.mark.parametrize(("status", "says", "kind"), WORDS)
def test_what_endpoints_say_is_wrong(status: int, says: Any, kind: type[DarwinError]) -> None:
    complaint = read_complaint(json.dumps(says).encode())
    assert complaint is not None
    error = error_of_status(status if status != 200 else complaint.status or 200, complaint)
    assert isinstance(error, kind), error.message
    assert error.retryable == kind.retryable
    for text in ("4097", "gpt-9", "llama9", "Provider", "litellm", "wrong"):
        assert text not in error.message


@pytest.mark.parametrize(
    "says",
    [b"", b"<html>502</html>", b"[1]", b'"error"', b"{}", b'{"error": null}', b"[" * 9000, b"\xff", b'{"choices": []}'],
)
def test_what_says_nothing_of_an_error(says: bytes) -> None:
    assert read_complaint(says) is None


def test_a_complaint_of_any_shape_can_be_read() -> None:
    for error in (
        1,
        [],
        [[]],
        {"code": [], "param": {}},
        [{"loc": []}, {"loc": [1]}, None],
        {"message": 1},
        "x" * 10**5,
    ):
        for name in ("error", "detail", "errors", "message"):
            found = read_complaint(json.dumps({name: error, "code": 10**30}).encode())
            assert found is None or found.names == ()


@pytest.mark.parametrize(
    ("reasons", "ending"),
    [
        (
            ("stop", "STOP", "eos", "eos_token", "end_turn", "stop_sequence", "content_filter", "tool-calls", " stop "),
            "ended",
        ),
        (("length", "max_tokens", "MAX_TOKENS", "model_length", "max-tokens", "FINISH_REASON_MAX_TOKENS"), "length"),
        (("abort", "error", "cancelled"), "lost"),
    ],
)
def test_the_reasons_that_endpoints_give(reasons: tuple[str, ...], ending: str) -> None:
    for reason in reasons:
        assert [FinishReasons().read(reason, sampled, 5) for sampled in (0, 4, 5)] == [ending] * 3, reason


@pytest.mark.parametrize("reason", [None, "", "pondered", KEY, "two\nlines", "x" * 10_000])
def test_an_unknown_reason_is_taken_by_the_count_and_told_once(
    reason: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    endings = FinishReasons()
    assert [endings.read(reason, sampled, 5) for sampled in (0, 4, 5, 6)] == ["ended", "ended", "length", "length"]
    assert len(caplog.records) == 1
    assert len(caplog.text) < 300
    assert KEY not in caplog.text


def test_what_an_answer_may_leave_out_or_garble() -> None:
    bare = {"text": "a", "finish_reason": None}
    for extra in (
        {},
        {"usage": None},
        {"usage": {}},
        {"usage": []},
        {"usage": {"prompt_tokens": None}},
        {"metrics": 3},
    ):
        answer = CompletionResponse.model_validate({"choices": [bare], **extra})
        assert (answer.cached_tokens, answer.prompt_tokens, answer.completion_tokens) == (0, None, None)
    for choice in ({}, {"text": None}, {"text": 1, "finish_reason": {"type": "stop"}, "token_ids": ["a"]}):
        read = CompletionResponse.model_validate({"choices": [choice]}).choices[0]
        assert (read.text, read.finish_reason, read.token_ids) == (None, None, None)
