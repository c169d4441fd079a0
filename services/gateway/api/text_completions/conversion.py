"""From the body of a completion to an `EvolutionRequest`."""

from dataclasses import replace

from pydantic import ValidationError

from services.gateway.api.conversation import ChatMessage, TextPart
from services.gateway.api.field_kinds import warnings_of
from services.gateway.api.field_names import renamed
from services.gateway.api.model_names import model_named
from services.gateway.api.requests import AlignmentRequest, SearchSettings
from services.gateway.api.text_completions.requests import CompletionRequest
from services.gateway.api.token_shaping import TokenShaping
from services.gateway.api.validation import evolution_request
from services.gateway.config.settings import GatewaySettings
from shared.errors import DarwinError, InvalidRequest
from shared.methods import METHODS, Method
from shared.records.evolution import EvolutionRequest, RawPrompt

_DEFAULT_MAX_TOKENS = 16
_NAMES = {"messages": "prompt", "top_logprobs": "logprobs"}
_NOT_REWRITTEN = (
    "the prompt is not rewritten: what is continued would change with it; {method} replaces responses and mutates "
    "nothing here"
)


def evolutions_of(body: CompletionRequest, settings: GatewaySettings) -> list[EvolutionRequest]:
    """Everything the orchestrator needs to continue each prompt, defaults filled in; one evolution per prompt.

    Raises:
        InvalidRequest: fields contradict each other or a limit of this deployment; names the field to change.
        ModelNotFound: nothing answers under the name that `model` gives.
    """
    method = model_named(body.model, settings).method
    _check(body, method)
    return [_evolution_of(body, prompt, method, settings) for prompt in body.prompt]


def _evolution_of(
    body: CompletionRequest, given: str | list[int], method: Method, settings: GatewaySettings
) -> EvolutionRequest:
    # Ids stand as numbers until a worker has read their text.
    text, ids = (given, ()) if isinstance(given, str) else (" ".join(map(str, given)), tuple(given))
    prompt = ChatMessage.model_construct(role="user", content=[TextPart.model_construct(type="text", text=text)])
    chat = AlignmentRequest(
        model=body.model,
        messages=[prompt],
        temperature=body.temperature,
        top_p=body.top_p,
        top_k=body.top_k,
        max_tokens=body.max_tokens or min(_DEFAULT_MAX_TOKENS, settings.max_max_tokens),
        seed=body.seed,
        stop=body.stop,
        n=body.n,
        response_format=body.response_format,
        structured_outputs=body.structured_outputs,
        logprobs=body.logprobs is not None,
        top_logprobs=body.logprobs,
        user=body.user,
        service_tier=body.service_tier,
        darwin=_search(body, method),
        **{name: getattr(body, name) for name in TokenShaping.model_fields},
    )
    try:
        request = evolution_request(chat, settings)
    except InvalidRequest as error:
        raise as_asked(error) from None
    _check_best_of(body, request)
    mutates = (_NOT_REWRITTEN.format(method=method),) if METHODS[method].mutates else ()
    return replace(request, warnings=warnings_of(body) + mutates, raw_prompt=RawPrompt(ids))


def as_asked(error: DarwinError) -> DarwinError:
    """An error about a chat's fields as one about a completion's."""
    return renamed(error, _NAMES)


def _check(body: CompletionRequest, method: Method) -> None:
    traits = METHODS[method]
    if body.stream_options and not body.stream:
        raise InvalidRequest("stream_options needs stream: true", field="stream_options")
    if body.best_of is not None and body.best_of < (body.n or 1):
        raise InvalidRequest(f"best_of must be at least n, which is {body.n}", field="best_of")
    if traits.mutates and not traits.replaces:
        raise InvalidRequest(
            f"{method} rewrites instructions, and the prompt of a completion is continued as it stands: choose another "
            "model, or send a chat completion",
            field="model",
        )


def _search(body: CompletionRequest, method: Method) -> SearchSettings | None:
    """The settings of the search; so many candidates as `best_of` says where `best-of-n` is told nothing else."""
    given = body.darwin.model_fields_set if body.darwin else set()
    if not METHODS[method].independent or not body.best_of or body.best_of < 2 or given & {"mutants", "cycles"}:
        return body.darwin
    fields = body.darwin.model_dump(exclude_unset=True) if body.darwin else {}
    try:
        return SearchSettings.model_validate({**fields, "cycles": 1, "mutants": body.best_of - 1})
    except ValidationError:
        raise InvalidRequest(
            "best_of is more than one cycle decodes: lower it, or set darwin.cycles and darwin.mutants beside it",
            field="best_of",
        ) from None


def _check_best_of(body: CompletionRequest, request: EvolutionRequest) -> None:
    if body.best_of is None:
        return
    decoded = 1 + request.search.cycles * request.search.mutants
    if body.best_of > decoded:
        raise InvalidRequest(
            f"best_of must be at most {decoded}, the continuations that {request.method} decodes here: raise "
            "darwin.mutants, or choose the model best-of-n",
            field="best_of",
        )
