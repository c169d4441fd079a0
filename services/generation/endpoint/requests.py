"""The request that continues a sequence at an endpoint."""

import json
from typing import Any

from services.generation.endpoint.capabilities import LARGE_SEED, SMALL_SEED, STANDARD, Capabilities
from services.generation.endpoint.logprobs import logprobs_fields
from services.generation.engine import TokenSequence
from services.generation.messages import SamplingOptions
from shared.errors import InvalidRequest, Unsupported
from shared.records.formats import ResponseFormat
from shared.text.schema_bounds import problem


def completion_body(sequence: TokenSequence, capabilities: Capabilities, shared_cache: bool = False) -> dict[str, Any]:
    """The fields of a request for a completion or a chat, model and prompt aside.

    Those of `_beyond` are left out where the endpoint does not support them; with `shared_cache`, so is the salt.

    Raises:
        Unsupported: the endpoint refuses temperature 0 and the sequence wants it, or it would share callers' caches.
    """
    sampling = sequence.sampling
    body: dict[str, Any] = {capabilities.limit: sequence.max_new_tokens, **_standard(sequence, capabilities)}
    if capabilities.returns_ids:
        body["return_token_ids"] = True
    if sampling.logprobs is not None:
        body |= logprobs_fields(sampling.logprobs)
    if sampling.stop and (capabilities.stops or "include_stop_str_in_output" in capabilities.fields):
        # Elsewhere stop strings are left to the generator, which looks for them anyway.
        body["stop"] = list(sampling.stop)
    if sequence.cache_salt and not shared_cache and "cache_salt" not in capabilities.fields:
        raise Unsupported(
            "the endpoint does not keep callers' caches apart by cache_salt: where it serves one caller, or all may "
            "share, set DARWIN_GENERATION_ENDPOINT_CACHE=shared",
            field="cache_salt",
        )
    beyond = _beyond(sequence, capabilities.every_token)
    return body | {name: value for name, value in beyond.items() if name in capabilities.fields}


def _standard(sequence: TokenSequence, capabilities: Capabilities) -> dict[str, Any]:
    sampling = sequence.sampling
    (warm, greedy), (part, whole) = STANDARD["temperature"], STANDARD["top_p"]
    taken = {
        "temperature": ("temperature", warm if sampling.temperature else greedy) in capabilities.standard,
        "top_p": ("top_p", part if sampling.top_p < whole else whole) in capabilities.standard,
    }
    if not sampling.temperature and not taken["temperature"]:
        raise Unsupported(
            "the endpoint takes no temperature 0: send a small one, such as 0.01", field="sampling.temperature"
        )
    wanted = {"temperature": sampling.temperature, "top_p": sampling.top_p}
    fields = {name: value for name, value in wanted.items() if taken[name]}
    largest = next((seed for seed in (LARGE_SEED, SMALL_SEED) if ("seed", seed) in capabilities.standard), None)
    if sequence.seed is not None and largest is not None:
        fields["seed"] = (sequence.seed + len(sequence.token_ids)) % (largest + 1)
    return fields


def _beyond(sequence: TokenSequence, every_token: int | None) -> dict[str, Any]:
    """Fields that not every endpoint knows, those included that undo the endpoint's own defaults, as
    generation_config.json may set them.

    What shapes sampling and has an effect is among them only where the endpoint supports it: `ModelInfo.cannot_obey`
    has others refused. `top_k` is merely left out: the default has an effect already.
    """
    sampling: SamplingOptions = sequence.sampling
    fields: dict[str, Any] = {
        "repetition_penalty": sampling.repetition_penalty,
        "min_p": sampling.min_p,
        "presence_penalty": sampling.presence_penalty,
        "frequency_penalty": sampling.frequency_penalty,
    }
    if sampling.logit_bias:
        fields["logit_bias"] = {str(token): bias for token, bias in sampling.logit_bias.items()}
    if sampling.ignore_eos:
        fields["ignore_eos"] = True
    top_k = sampling.top_k or every_token
    if top_k is not None:
        fields["top_k"] = top_k
    if sampling.stop:
        fields["include_stop_str_in_output"] = True
    if sequence.cache_salt:
        fields["cache_salt"] = sequence.cache_salt
    if sampling.format is not None:
        fields["response_format"] = _response_format(sampling.format)
    return fields


def _response_format(wanted: ResponseFormat) -> dict[str, Any]:
    if wanted.kind == "json_object":
        return {"type": "json_object"}
    if wanted.kind != "json_schema":
        raise Unsupported(
            f"an endpoint follows JSON schemas only, and no {wanted.kind}: describe the answer by a JSON schema",
            field="sampling.format",
        )
    if wrong := problem(wanted.definition):
        raise InvalidRequest(f"the json schema cannot be followed: {wrong}", field="sampling.format")
    schema = {"name": "answer", "schema": json.loads(wanted.definition), "strict": True}
    return {"type": "json_schema", "json_schema": schema}
