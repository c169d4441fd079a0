"""Several endpoints that serve one deployment: how each is set, and which of them decodes a sequence."""

import json
import math
import os
from collections.abc import Collection, Sequence
from functools import lru_cache
from hashlib import blake2b
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, ValidationError, model_validator

from services.generation.endpoint.capabilities import Api, TokenMode
from services.generation.endpoint.chats import Continues
from services.generation.endpoint.url import key_problem, url_problem
from shared.process.settings import reasons


def _checked_url(url: str) -> str:
    if problem := url_problem(url):
        raise ValueError(problem)
    return url


class NamedEndpoint(BaseModel):
    """One of several endpoints. It decodes as large a share of the searches as its `weight` is of all weights.

    Its key is the value of the environment's variable `key_env`, or what stands in the file `key_file`. What else it
    does not say is as the settings say of a single endpoint.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")
    url: Annotated[str, AfterValidator(_checked_url)]
    model: str = ""
    weight: float = Field(default=1.0, gt=0, le=1000)
    key_env: str = ""
    key_file: str = ""
    api: Api | None = None
    continues: Continues | None = None
    tokens: TokenMode | None = None
    fields: str | None = None

    @model_validator(mode="after")
    def _key_can_be_read(self) -> "NamedEndpoint":
        if self.key_env and self.key_file:
            raise ValueError("key_env or key_file, not both")
        try:
            key = self.key()
        except OSError:
            raise ValueError("key_file cannot be read") from None
        if self.key_env and key is None:
            raise ValueError("key_env names a variable that is not set")
        if key is not None and (problem := key_problem(key.get_secret_value())):
            raise ValueError(f"its key {problem}")
        return self

    def key(self) -> SecretStr | None:
        """Its key, read now; None where it has none."""
        if self.key_file:
            return SecretStr(Path(self.key_file).read_text().strip())
        found = os.environ.get(self.key_env) if self.key_env else None
        return SecretStr(found) if found else None

    def overrides(self) -> dict[str, Any]:
        """The settings of a single endpoint that are its own."""
        own = {"api": self.api, "continues": self.continues, "tokens": self.tokens, "fields": self.fields}
        given = {f"endpoint_{name}": value for name, value in own.items() if value is not None}
        return {"endpoint": self.url, "endpoint_model": self.model, "endpoint_key": self.key(), **given}


def read_endpoints(text: str) -> tuple[NamedEndpoint, ...]:
    """The endpoints that a setting's JSON lists; none where it is empty.

    Raises:
        ValueError: it is not such a list, or two have one name. The message shows no value, which may be secret.
    """
    if not text.strip():
        return ()
    try:
        listed = json.loads(text)
    except ValueError:
        listed = None
    if not isinstance(listed, list) or not listed:
        raise ValueError('must be a JSON list of endpoints, such as [{"name": "a", "url": "http://host:8000/v1"}]')
    try:
        found = tuple(map(NamedEndpoint.model_validate, listed))
    except ValidationError as error:
        raise ValueError("; ".join(reasons(error))) from None
    if len({each.name for each in found}) < len(found):
        raise ValueError("each endpoint has a name of its own")
    return found


class Choice:
    """Which of several endpoints decodes a sequence, by their names. It is the same in every process, and for every
    piece of a response: an endpoint has the prefixes of its searches in its cache.
    """

    def __init__(self, endpoints: Sequence[NamedEndpoint]) -> None:
        self._weights = {each.name: each.weight for each in endpoints}
        self._dealt = lru_cache(4096)(self._deal)

    def ranked(self, evolution: str, number: int, spread: int, up: Collection[str]) -> list[str]:
        """The endpoints for the sequence `number` of an evolution, the first choice first, those not `up` last.

        The evolution's own ones are the first `spread` of all by its id, and its sequences are dealt out among these in
        turn, by weight. Where one is not up, the next by the evolution's id does its work.
        """
        order = self._order(evolution)
        own = order[: max(1, spread)]
        first = self._dealt(tuple(own), number % 1000) if len(own) > 1 else own[0]
        ranked = [first, *(name for name in order if name != first)]
        return sorted(ranked, key=lambda name: name not in up)

    def _order(self, evolution: str) -> list[str]:
        """All of them in an order that is drawn by weight, with the evolution's id as the seed."""
        return sorted(self._weights, key=lambda name: _exponential(f"{evolution}\n{name}") / self._weights[name])

    def _deal(self, names: tuple[str, ...], number: int) -> str:
        """Whose turn the sequence is: turns are dealt smoothly, so that any few of them are shared out by weight."""
        total, credit, chosen = sum(self._weights[name] for name in names), dict.fromkeys(names, 0.0), names[0]
        for _ in range(number + 1):
            for name in names:
                credit[name] += self._weights[name]
            chosen = max(names, key=lambda name: credit[name])
            credit[chosen] -= total
        return chosen


def _exponential(text: str) -> float:
    """A draw of the exponential distribution, by the text."""
    uniform = (int.from_bytes(blake2b(text.encode(), digest_size=8).digest()) + 1) / 2**64
    return -math.log(uniform)
