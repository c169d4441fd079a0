"""What an endpoint is asked for a sequence."""

import json
from typing import Any

from services.generation.endpoint.abilities import Abilities
from services.generation.engine import TokenSequence
from shared.errors import Unsupported

_VOUCH = "or name it in DARWIN_GENERATION_ENDPOINT_FIELDS if it does"


def completion_body(sequence: TokenSequence, abilities: Abilities) -> dict[str, Any]:
    """The fields of a `/completions` request, model and prompt aside.

    Raises:
        Unsupported: the endpoint would sample otherwise, or share caches otherwise, than was asked for.
    """
    sampling = sequence.sampling
    body: dict[str, Any] = {
        "max_tokens": sequence.max_new_tokens,
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
    }
    if sequence.seed is not None:
        body["seed"] = (sequence.seed + len(sequence.token_ids)) % 2**63
    if abilities.returns_ids:
        body["return_token_ids"] = True
    if sampling.stop and "include_stop_str_in_output" in abilities.fields:
        # Elsewhere stop strings are left to the generator, which looks for them anyway.
        body["stop"] = list(sampling.stop)
    beyond = _beyond(sequence, abilities.fields)
    return body | {name: value for name, value in beyond.items() if name in abilities.fields}


def _beyond(sequence: TokenSequence, heeded: frozenset[str]) -> dict[str, Any]:
    sampling = sequence.sampling
    if sampling.top_k and "top_k" not in heeded:
        raise Unsupported(
            f"the endpoint does not heed top_k: send top_k 0 to keep every token, {_VOUCH}", field="sampling.top_k"
        )
    if sequence.cache_salt and "cache_salt" not in heeded:
        raise Unsupported(
            f"the endpoint does not keep tenants' caches apart by cache_salt: serve one tenant with it, {_VOUCH}",
            field="cache_salt",
        )
    # What the endpoint's own defaults, such as a model's generation_config.json, would change.
    fields: dict[str, Any] = {"top_k": sampling.top_k or -1, "repetition_penalty": 1.0, "min_p": 0.0}
    if sampling.stop:
        fields["include_stop_str_in_output"] = True
    if sequence.cache_salt:
        fields["cache_salt"] = sequence.cache_salt
    if sampling.json_schema:
        schema = {"name": "answer", "schema": json.loads(sampling.json_schema)}
        fields["response_format"] = {"type": "json_schema", "json_schema": schema}
    return fields
