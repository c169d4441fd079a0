"""Are finished answers valid, and what does a format cost: `python -m bench.structured --engine vllm`.

`--schemas` JSON schemas (300 by default) of the kinds of JSON-Schema-Test-Suite that a grammar can say, drawn from
fixed seeds, are asked of every method with a period of 5 tokens. Prints, per method, how many answers ended by
themselves, how many of those `jsonschema` finds valid, and tokens per second with and without a format. The rates are
those of `--timed` further requests whose schemas demand a long text first, so that every response has all of its 80
tokens with the format as without: rates of responses of different lengths could not be compared, since a batch is the
emptier the more their lengths differ, and prompts take the same time for short ones.
"""

import argparse
import asyncio
import json
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from jsonschema import Draft202012Validator  # type: ignore[import-untyped]

from bench.limit import Limit
from services.orchestrator.core import answers
from services.orchestrator.core.values import EvolutionState
from shared.methods import METHODS, Method
from shared.records.evolution import EvolutionRequest, Message, Sampling
from shared.records.formats import ResponseFormat
from shared.records.search import Search

_NAMES = ("name", "city", "colour", "size", "count", "price", "open", "tags")
_SAMPLING = Sampling(max_tokens=80, temperature=0.7)


def _string(rng: random.Random) -> Any:
    kinds: tuple[dict[str, Any], ...] = (
        {"maxLength": rng.randint(3, 20)},
        {"minLength": 2, "maxLength": 12},
        {"pattern": f"^[a-z]{{1,{rng.randint(2, 9)}}}$"},
        {"format": rng.choice(("date", "time", "date-time", "uuid", "ipv4"))},
    )
    return {"type": "string"} | rng.choice(kinds)


def _number(rng: random.Random) -> Any:
    low = rng.randint(-50, 50)
    kind = rng.choice(("integer", "number"))
    return {"type": kind, "minimum": low, rng.choice(("maximum", "exclusiveMaximum")): low + rng.randint(5, 500)}


def _enum(rng: random.Random) -> Any:
    values = rng.sample(["red", "green", 1, 2.5, True, None, "café", '"'], rng.randint(1, 4))
    return {"const": values[0]} if len(values) == 1 else {"enum": values}


def _literal(rng: random.Random) -> Any:
    return {"type": rng.choice(("boolean", "null", ["string", "null"]))} | {"maxLength": 8}


_LEAVES: tuple[Callable[[random.Random], Any], ...] = (_string, _number, _enum, _literal)


def _leaf(rng: random.Random) -> Any:
    return rng.choice(_LEAVES)(rng)


def _array(rng: random.Random) -> Any:
    if rng.random() < 0.3:
        return {"type": "array", "prefixItems": [_leaf(rng), _leaf(rng)], "minItems": 2, "maxItems": 2}
    return {"type": "array", "items": _leaf(rng), "minItems": rng.randint(0, 1), "maxItems": rng.randint(1, 3)}


def _part(rng: random.Random) -> Any:
    drawn = rng.random()
    if drawn < 0.2:
        return _array(rng)
    if drawn < 0.3:
        return {"anyOf": [_leaf(rng), _leaf(rng)]}
    if drawn < 0.4:
        return {"$ref": "#/$defs/part"}
    return _leaf(rng)


def schema_of(seed: int) -> Any:
    """A schema of an object with one to four properties."""
    rng = random.Random(seed)
    names = rng.sample(_NAMES, rng.randint(1, 4))
    return {
        "type": "object",
        "$defs": {"part": _leaf(rng)},
        "properties": {name: _part(rng) for name in names},
        "required": rng.sample(names, rng.randint(1, len(names))),
        "additionalProperties": False,
    }


def _request(method: Method, seed: int, schema: Any) -> EvolutionRequest:
    asked = f"Describe a thing of your choice as JSON with {', '.join(schema['properties'])}."
    return EvolutionRequest(
        method,
        (Message("user", asked),),
        replace(_SAMPLING, format=ResponseFormat("json_schema", json.dumps(schema))),
        Search(cycles=1 if METHODS[method].searches else 0, mutants=3, period=5, mutation="templates"),
        seed=seed,
    )


def _endless(schema: Any) -> Any:
    """The schema, with a first property that takes more tokens than a response has."""
    text = {"text": {"type": "string", "minLength": 2000}}
    return schema | {"properties": text | schema["properties"], "required": ["text", *schema["required"]]}


def _free(request: EvolutionRequest) -> EvolutionRequest:
    """The request without its format, whose responses go on as long."""
    return replace(request, sampling=replace(request.sampling, format=None, ignore_eos=True))


async def _timed(limit: Limit, requests: Sequence[EvolutionRequest]) -> tuple[list[EvolutionState], float]:
    """The evolutions, eight at once, and tokens sampled per second."""
    turn, began = asyncio.Semaphore(8), time.perf_counter()

    async def one(request: EvolutionRequest) -> EvolutionState:
        async with turn:
            return await limit.run(request)

    evolutions = await asyncio.gather(*map(one, requests))
    return evolutions, sum(e.spent.generated for e in evolutions) / (time.perf_counter() - began)


async def main(engine: str, count: int, timed: int, methods: Sequence[Method]) -> None:
    """Prints a line per method."""
    schemas = [schema_of(seed) for seed in range(count)]
    async with Limit(engine) as limit:
        # A fresh engine is slower.
        await _timed(limit, [_free(_request("sample", seed, schemas[0])) for seed in range(8)])
        for method in methods:
            requests = [_request(method, seed, schema) for seed, schema in enumerate(schemas)]
            long = [_request(method, seed, _endless(schema_of(seed))) for seed in range(timed)]
            _, held_rate = await _timed(limit, long)
            _, free_rate = await _timed(limit, [_free(request) for request in long])
            evolutions, _ = await _timed(limit, requests)
            ended = valid = 0
            for schema, evolution in zip(schemas, evolutions, strict=True):
                best = answers.choices(evolution, 1)[0]
                if best.finish_reason == "stop":
                    ended += 1
                    valid += _valid(schema, best.text)
            print(
                f"{method:17} {ended} of {count} ended, {valid} of these valid; {held_rate:.0f} tokens/s, "
                f"{held_rate / free_rate:.2f} of those without a format",
                flush=True,
            )


def _valid(schema: Any, text: str) -> bool:
    try:
        return bool(Draft202012Validator(schema).is_valid(json.loads(text)))
    except ValueError:
        return False


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--engine", default="auto")
    parser.add_argument("--schemas", type=int, default=300)
    parser.add_argument("--timed", type=int, default=16)
    parser.add_argument("--methods", nargs="+", choices=list(METHODS), default=list(METHODS))
    chosen = parser.parse_args()
    asyncio.run(main(chosen.engine, chosen.schemas, chosen.timed, chosen.methods))
