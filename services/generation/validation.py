"""Checks a request: every field's range, and the limits of a call."""

import json
import math
from collections.abc import Iterable
from dataclasses import dataclass

from services.generation.engine import ModelInfo
from services.generation.messages import GenerateRequest, RawPrompt, SamplingOptions, Sequence
from services.generation.shaping import check_pieces, check_shaping
from shared.errors import InvalidRequest, Unsupported
from shared.records.limits import (
    MAX_LOOKAHEAD,
    MAX_MESSAGES,
    MAX_NAME_CHARACTERS,
    MAX_NEW_TOKENS,
    MAX_PROMPT_CHARACTERS,
    MAX_SEQUENCES,
    MAX_STOP_CHARACTERS,
    MAX_STOPS,
    MAX_TEMPERATURE,
    MAX_TOOLS,
    MOST_ALTERNATIVES,
)
from shared.records.template_inputs import check_arguments
from shared.records.turns import characters_of

ROLES = ("system", "user", "assistant", "tool")
_YEAR_10000 = 253_402_300_800


@dataclass(frozen=True)
class GenerationLimits:
    """How much one call may hold."""

    sequences: int = MAX_SEQUENCES
    new_tokens: int = MAX_NEW_TOKENS
    lookahead_tokens: int = MAX_LOOKAHEAD
    messages: int = MAX_MESSAGES
    conversation_characters: int = MAX_PROMPT_CHARACTERS
    stop_characters: int = MAX_STOP_CHARACTERS


def check(request: GenerateRequest, info: ModelInfo, limits: GenerationLimits) -> None:
    """Raises InvalidRequest, naming the field, unless the call is well formed and within the limits.

    Raises:
        Unsupported: a format, or what else shapes sampling, that this engine cannot follow, or cannot continue a
            response under.
    """
    if not request.sequences:
        raise InvalidRequest("nothing to generate: send at least one sequence", field="sequences")
    if len(request.sequences) > limits.sequences:
        found = len(request.sequences)
        raise InvalidRequest(
            f"at most {limits.sequences} sequences a call, not {found}: split the call", field="sequences"
        )
    if len(request.cache_salt) > MAX_NAME_CHARACTERS:
        raise InvalidRequest(f"cache_salt has at most {MAX_NAME_CHARACTERS} characters", field="cache_salt")
    if not 0 <= request.inputs.now < _YEAR_10000:
        raise InvalidRequest("now must be Unix seconds, or 0 for the clock", field="now")
    check_arguments(request.inputs.arguments, "template_arguments")
    _check_sampling(request.sampling, info, limits)
    check_shaping(request, info)
    if request.inputs.tools or request.must_call:
        _check_tools(request, info)
    seen: set[str] = set()
    for index, sequence in enumerate(request.sequences):
        where = f"sequences[{index}]"
        if not 0 < len(sequence.id) <= MAX_NAME_CHARACTERS:
            raise InvalidRequest(
                f"a sequence needs an id of 1 to {MAX_NAME_CHARACTERS} characters", field=f"{where}.id"
            )
        if sequence.id in seen:
            raise InvalidRequest(
                f"the id {sequence.id!r} stands twice: give each sequence its own", field=f"{where}.id"
            )
        seen.add(sequence.id)
        if sequence.raw_prompt is None:
            _check_messages(sequence, where, limits)
        else:
            _check_no_template(request)
            if not info.raw_prompts:
                raise Unsupported(
                    f"the {info.engine} engine of this deployment takes chats only, and no prompt: send messages",
                    field=f"{where}.prompt",
                )
            _check_raw_prompt(sequence, sequence.raw_prompt, where, info, limits)
        _check_tokens(sequence, where, info, limits)
        check_pieces(request.sampling, sequence, info)


def _check_no_template(request: GenerateRequest) -> None:
    """Raises InvalidRequest where a raw prompt comes with what only a template reads."""
    for field, given in (
        ("tools", request.inputs.tools or request.must_call),
        ("template_arguments", request.inputs.arguments),
    ):
        if given:
            raise InvalidRequest(f"a raw prompt takes no {field}: its template is the caller's", field=field)


def _check_sampling(sampling: SamplingOptions, info: ModelInfo, limits: GenerationLimits) -> None:
    if not (math.isfinite(sampling.temperature) and 0 <= sampling.temperature <= MAX_TEMPERATURE):
        raise InvalidRequest(
            f"temperature must lie in [0, {MAX_TEMPERATURE:g}], not be {sampling.temperature:g}",
            field="sampling.temperature",
        )
    if not 0 < sampling.top_p <= 1:
        raise InvalidRequest(
            f"top_p must lie in (0, 1], not be {sampling.top_p:g}; 1 keeps everything", field="sampling.top_p"
        )
    if len(sampling.stop) > MAX_STOPS:
        raise InvalidRequest(f"at most {MAX_STOPS} stop strings, not {len(sampling.stop)}", field="sampling.stop")
    for index, stop in enumerate(sampling.stop):
        if not 0 < len(stop) <= limits.stop_characters:
            raise InvalidRequest(
                f"a stop string has 1 to {limits.stop_characters} characters, not {len(stop)}",
                field=f"sampling.stop[{index}]",
            )
    if sampling.format is not None and not info.structured_output:
        raise Unsupported(
            f"the {info.engine} engine of this deployment cannot follow a format: leave it out, and ask in words",
            field="sampling.format",
        )
    if sampling.logprobs is not None:
        _check_logprobs(sampling.logprobs, info)
    if sampling.self_certainty and not info.self_certainty:
        raise Unsupported(
            f"the {info.engine} engine of this deployment does not tell how certain the model is of itself: take a "
            "reward profile without a component of type self_certainty, or have the model served by the vllm or the "
            "transformers engine",
            field="sampling.self_certainty",
        )


def _check_logprobs(alternatives: int, info: ModelInfo) -> None:
    if not 0 <= alternatives <= MOST_ALTERNATIVES:
        raise InvalidRequest(
            f"logprobs must lie in [0, {MOST_ALTERNATIVES}], not be {alternatives}", field="sampling.logprobs"
        )
    if not info.logprobs:
        raise Unsupported(
            f"the {info.engine} engine of this deployment gives no log probabilities: leave logprobs out",
            field="sampling.logprobs",
        )


def _check_tools(request: GenerateRequest, info: ModelInfo) -> None:
    if request.must_call and not (request.inputs.tools and info.structured_output):
        raise Unsupported(
            f"the {info.engine} engine follows no formats, so that a call cannot be demanded: set tool_choice to auto"
            if request.inputs.tools
            else "a call is demanded, and there are no tools: send tools",
            field="tool_choice",
        )
    if len(request.inputs.tools) > MAX_TOOLS:
        raise InvalidRequest(f"at most {MAX_TOOLS} tools, not {len(request.inputs.tools)}", field="tools")
    if not info.tools:
        raise Unsupported(
            f"the model {info.model} calls no tools: its chat template takes none, or no parser reads its calls "
            "(DARWIN_GENERATION_TOOL_PARSER); leave tools out, or serve a model that was trained for them",
            field="tools",
        )
    for index, tool in enumerate(request.inputs.tools):
        try:
            known = not tool.parameters or isinstance(json.loads(tool.parameters), dict)
        except (ValueError, RecursionError):
            known = False
        if not tool.name or not known:
            raise InvalidRequest(
                "a tool has a name, and a JSON object or nothing as parameters", field=f"tools[{index}]"
            )


def _check_messages(sequence: Sequence, where: str, limits: GenerationLimits) -> None:
    messages = sequence.messages
    if not messages:
        raise InvalidRequest("a conversation needs at least one message", field=f"{where}.messages")
    if len(messages) > limits.messages:
        raise InvalidRequest(f"at most {limits.messages} messages, not {len(messages)}", field=f"{where}.messages")
    for index, message in enumerate(messages):
        if message.role not in ROLES:
            raise InvalidRequest(
                f"role must be one of {', '.join(ROLES)}, not {message.role[:64]!r}",
                field=f"{where}.messages[{index}].role",
            )
    if all(message.role in ("assistant", "tool") for message in messages):
        raise InvalidRequest("messages need one of the user's, or of the system at least", field=f"{where}.messages")
    length = characters_of(messages)
    if length > limits.conversation_characters:
        raise InvalidRequest(
            f"a conversation has at most {limits.conversation_characters} characters, not {length}: shorten it",
            field=f"{where}.messages",
        )


def _check_raw_prompt(
    sequence: Sequence, prompt: RawPrompt, where: str, info: ModelInfo, limits: GenerationLimits
) -> None:
    where = f"{where}.prompt"
    if sequence.messages:
        raise InvalidRequest("a sequence has either messages or a raw prompt, not both", field=where)
    if bool(prompt.text) == bool(prompt.token_ids):
        raise InvalidRequest("a raw prompt is either a text or token ids, and not empty", field=where)
    if len(prompt.text) > limits.conversation_characters:
        raise InvalidRequest(
            f"a prompt has at most {limits.conversation_characters} characters, not {len(prompt.text)}: shorten it",
            field=where,
        )
    check_vocabulary(prompt.token_ids, info, where)


def check_vocabulary(token_ids: Iterable[int], info: ModelInfo, where: str) -> None:
    """Raises InvalidRequest, naming the field `where`, unless the model has every one of these tokens."""
    for token in token_ids:
        if not 0 <= token < info.vocabulary_size:
            raise InvalidRequest(
                f"token id {token} is not in the model's vocabulary: ids are below {info.vocabulary_size}", field=where
            )


def _check_tokens(sequence: Sequence, where: str, info: ModelInfo, limits: GenerationLimits) -> None:
    if not 1 <= sequence.max_new_tokens <= limits.new_tokens:
        raise InvalidRequest(
            f"max_new_tokens must lie in [1, {limits.new_tokens}], not be {sequence.max_new_tokens}",
            field=f"{where}.max_new_tokens",
        )
    if not 0 <= sequence.lookahead_tokens <= limits.lookahead_tokens:
        raise InvalidRequest(
            f"lookahead_tokens must lie in [0, {limits.lookahead_tokens}], not be {sequence.lookahead_tokens}",
            field=f"{where}.lookahead_tokens",
        )
    if len(sequence.response_token_ids) > info.context_length:
        raise InvalidRequest(
            f"a response has at most {info.context_length} tokens, the model's context, not "
            f"{len(sequence.response_token_ids)}",
            field=f"{where}.response_token_ids",
        )
    for index, token in enumerate(sequence.response_token_ids):
        if not 0 <= token < info.vocabulary_size:
            raise InvalidRequest(
                f"token id {token} is not in the vocabulary of {info.vocabulary_size}: send back ids that this model "
                "produced",
                field=f"{where}.response_token_ids[{index}]",
            )
