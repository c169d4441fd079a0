"""From a generation call as it comes over the wire to the values that the generator takes."""

import json
from dataclasses import dataclass, replace
from typing import cast

from services.generation.messages import GenerateRequest, RawPrompt, SamplingOptions, Sequence
from shared.errors import InvalidRequest
from shared.pb import generation_pb2 as pb
from shared.records.efforts import EFFORTS
from shared.records.evolution import Message, Role
from shared.records.formats import FormatKind, ResponseFormat
from shared.records.limits import MAX_TEMPLATE_ARGUMENTS
from shared.records.template_inputs import TemplateInputs
from shared.records.tools import Tool, ToolCall
from shared.telemetry.tracing import current_evolution_id

_KINDS: dict[int, FormatKind] = {
    pb.GenerateRequest.Format.KIND_JSON_OBJECT: "json_object",
    pb.GenerateRequest.Format.KIND_JSON_SCHEMA: "json_schema",
    pb.GenerateRequest.Format.KIND_REGEX: "regex",
    pb.GenerateRequest.Format.KIND_CHOICE: "choice",
    pb.GenerateRequest.Format.KIND_GRAMMAR: "grammar",
}


def request_from_pb(request: pb.GenerateRequest) -> GenerateRequest:
    """The call as values.

    Raises:
        InvalidRequest: a field cannot be read, or a sequence has both a prompt of its own and the call's.
    """
    shared = _shared(request)
    return GenerateRequest(
        sequences=tuple(_sequence(sequence, f"sequences[{i}]", shared) for i, sequence in enumerate(request.sequences)),
        sampling=_sampling(request.sampling),
        cache_salt=request.cache_salt,
        inputs=TemplateInputs(
            request.now,
            tuple(Tool(tool.name, tool.description, tool.parameters, tool.strict) for tool in request.tools),
            _arguments(request.template_arguments),
            _effort(request.reasoning_effort),
        ),
        must_call=request.must_call,
        tool_name=request.tool_name,
        parallel_calls=request.parallel_calls,
        partial_results=request.partial_results,
        evolution=current_evolution_id(),
        spread=max(1, request.spread),
        priority=request.priority,
    )


def _arguments(text: str) -> dict[str, object]:
    try:
        arguments = json.loads(text or "{}")
    except (ValueError, RecursionError):
        arguments = None
    if not isinstance(arguments, dict) or len(text) > MAX_TEMPLATE_ARGUMENTS:
        raise InvalidRequest(
            f"template arguments are a JSON object of at most {MAX_TEMPLATE_ARGUMENTS} characters",
            field="template_arguments",
        )
    return arguments


def _effort(effort: str) -> str:
    if effort and effort not in EFFORTS:
        raise InvalidRequest(f"reasoning_effort must be {', '.join(EFFORTS)}, or empty", field="reasoning_effort")
    return effort


def _sampling(sampling: pb.GenerateRequest.Sampling) -> SamplingOptions:
    return SamplingOptions(
        temperature=sampling.temperature,
        top_p=sampling.top_p,
        top_k=sampling.top_k,
        stop=tuple(sampling.stop),
        format=_format(sampling),
        logprobs=sampling.logprobs if sampling.HasField("logprobs") else None,
        presence_penalty=sampling.presence_penalty,
        frequency_penalty=sampling.frequency_penalty,
        repetition_penalty=sampling.repetition_penalty or 1.0,
        logit_bias=dict(sampling.logit_bias),
        min_p=sampling.min_p,
        ignore_eos=sampling.ignore_eos,
        self_certainty=sampling.self_certainty,
    )


def _format(sampling: pb.GenerateRequest.Sampling) -> ResponseFormat | None:
    if sampling.HasField("format"):
        kind = _KINDS.get(sampling.format.kind)
        if kind is None:
            raise InvalidRequest("a format has a kind", field="sampling.format.kind")
        return ResponseFormat(kind, sampling.format.definition)
    return ResponseFormat("json_schema", sampling.json_schema) if sampling.json_schema else None


@dataclass(frozen=True)
class _Shared:
    """What all sequences of a call continue: a raw prompt, or messages with a text that a sequence may replace."""

    messages: tuple[Message, ...] = ()
    instruction: int = 0
    raw_prompt: RawPrompt | None = None


def _shared(request: pb.GenerateRequest) -> _Shared | None:
    """Raises InvalidRequest where it has no instruction, or there are both."""
    conversation = request.conversation
    if request.HasField("raw_prompt"):
        if request.HasField("conversation"):
            raise InvalidRequest("a call has either a conversation or a raw prompt, not both", field="raw_prompt")
        return _Shared(raw_prompt=_raw_prompt(request.raw_prompt))
    if not request.HasField("conversation"):
        return None
    if conversation.instruction >= len(conversation.messages):
        raise InvalidRequest(
            f"the conversation has no message {conversation.instruction}, which is to be its instruction",
            field="conversation.instruction",
        )
    return _Shared(tuple(map(_message, conversation.messages)), conversation.instruction)


def _raw_prompt(prompt: pb.GenerateRequest.RawPrompt) -> RawPrompt:
    return RawPrompt(prompt.text, tuple(prompt.token_ids))


def _prompt(
    sequence: pb.GenerateRequest.Sequence, where: str, shared: _Shared | None
) -> tuple[tuple[Message, ...], RawPrompt | None]:
    """What a sequence continues: the call's prompt where it has one, or its own.

    Raises:
        InvalidRequest: it has both, or an instruction that stands nowhere.
    """
    own = sequence.raw_prompt if sequence.HasField("raw_prompt") else None
    if shared is not None and (sequence.messages or own):
        raise InvalidRequest(
            "a sequence has no messages and no raw prompt where the call has either", field=f"{where}.messages"
        )
    if sequence.HasField("instruction") and not (shared and shared.messages):
        raise InvalidRequest("an instruction goes with the call's conversation only", field=f"{where}.instruction")
    if shared is None:
        return tuple(map(_message, sequence.messages)), _raw_prompt(own) if own else None
    messages, index = shared.messages, shared.instruction
    if sequence.HasField("instruction"):
        mutant = replace(messages[index], content=sequence.instruction)
        messages = (*messages[:index], mutant, *messages[index + 1 :])
    return messages, shared.raw_prompt


def _sequence(sequence: pb.GenerateRequest.Sequence, where: str, shared: _Shared | None) -> Sequence:
    messages, raw_prompt = _prompt(sequence, where, shared)
    return Sequence(
        id=sequence.id,
        messages=messages,
        response_token_ids=tuple(sequence.response_token_ids),
        max_new_tokens=sequence.max_new_tokens,
        lookahead_tokens=sequence.lookahead_tokens,
        seed=sequence.seed if sequence.HasField("seed") else None,
        to_be_continued=sequence.to_be_continued,
        raw_prompt=raw_prompt,
    )


def _message(message: pb.GenerateRequest.Message) -> Message:
    calls = tuple(ToolCall(call.name, call.arguments, call.id) for call in message.tool_calls)
    return Message(cast(Role, message.role), message.content, calls, message.tool_call_id, message.reasoning)
