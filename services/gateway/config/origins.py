"""Origins of web pages, as a setting names them."""

import json
import re
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator
from pydantic_settings import NoDecode

_ORIGIN = re.compile(r"[a-z][a-z0-9+.-]*://([a-z0-9._-]+|\[[0-9a-f:.]+\])(:\d{1,5})?")


def _split(value: object) -> object:
    if not isinstance(value, str):
        return value
    if not value.strip().startswith("["):
        return tuple(origin.strip() for origin in value.split(",") if origin.strip())
    try:
        return tuple(json.loads(value))
    except json.JSONDecodeError:
        raise ValueError('it must be origins separated by commas, or a list in JSON: ["https://…"]') from None


def _check(origins: tuple[str, ...]) -> tuple[str, ...]:
    for number, origin in enumerate(origins, 1):
        if origin != "*" and not _ORIGIN.fullmatch(origin):
            raise ValueError(
                f"entry {number} is no origin: write it as browsers send it, scheme://host or scheme://host:port in "
                "lower case, without a path or a slash at the end"
            )
    if "*" in origins and len(origins) > 1:
        raise ValueError("* stands for every origin: name no other beside it")
    return origins


Origins = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split), AfterValidator(_check)]
"""Origins separated by commas, or a list of them in JSON; `*` alone stands for every one."""
